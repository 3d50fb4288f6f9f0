/* run.c - the verb `run`: every annotated object of a split through every model, to a table of J&F, speed and memory.
 *
 * Models are the outer loop, so that one is open at a time, and once: all ways of prompting it, videos and objects share
 * it. A failing object gets a row that says why, and the run goes on. */
#include "dataset_root.h"
#include "folder_lock.h"
#include "frame_gaps.h"
#include "host_share.h"
#include "interrupt.h"
#include "listing.h"
#include "machine.h"
#include "object_pass.h"
#include "progress.h"
#include "run_object.h"
#include "run_shard.h"
#include "summary.h"
#include "test_mode.h"
#include "weights_mark.h"
#include "weights_search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };
enum { N_SETTINGS = 10 };

extern const verb verb_run;

typedef struct checkpoint {
    const char *name;  /* NULL: the baselines, which need no weights  */
    const char *holds; /* what its weights must say that they are; NULL: nothing */
    int image_px;
    const char *precision;
    char *weights;
} checkpoint;

typedef struct run {
    run_options options;
    model_list models;
    checkpoint *checkpoints; /* each once at each size and precision, in the order of --models */
    int n_checkpoints;
    dataset set;
    char *split_dir; /* of test_mode */
    run_shard share;
    char *shard_dir; /* storage of out_dir where there are several shards */
    results table;
    folder_lock lock; /* of out_dir */
    progress bar;
    int64_t frames_done; /* of finished objects; the bar counts frames of all models */
    int n_failed, device_said;
    int n_missed;  /* models that miss what --require asks */
    int has_begun; /* a row has been measured by this process */
    conditions conditions;
    int stop; /* a failure that the next object would meet too */
    int lost; /* the failure is the GPU's                       */
} run;

/* Takes the bar away for the time of a line. */
static void say(run *r, FILE *to, const char *text)
{
    progress_clear(&r->bar);
    fprintf(to, "%s%s\n", to == stderr ? "sambench run: " : "", text);
    fflush(to);
}

/* Where lines for people go: --format leaves stdout to the table. */
static FILE *lines_to(const run *r)
{
    return figures_format_of(r->options.format) == FIGURES_TABLE ? stdout : stderr;
}

/* ---- what is to be run ---- */

static int is_asked(const checkpoint *c, const model_entry *e)
{
    if (!c->name || !e->checkpoint)
        return c->name == e->checkpoint;
    return !strcmp(e->checkpoint, c->name) && c->image_px == e->image_px && c->precision == e->precision;
}

static sam_status find_weights(run *r, sam_error *err)
{
    const run_options *o = &r->options;
    int random = o->test_mode && !o->weights_dir, n_models = 0;
    for (int i = 0; i < r->models.n; i++)
        n_models += r->models.entries[i].checkpoint && !r->models.entries[i].file;
    if (random && n_models)
        fprintf(stderr, "sambench run: no --weights_dir: random weights are made, so J and F mean nothing\n");
    r->checkpoints = calloc(r->models.n > 0 ? (size_t)r->models.n : 1, sizeof *r->checkpoints);
    if (!r->checkpoints)
        return fail(err, SAM_E_MEMORY, "out of memory: %d models", r->models.n);
    for (int i = 0; i < r->models.n; i++) {
        const model_entry *e = &r->models.entries[i];
        int known = 0, said = 0;
        for (int c = 0; c < r->n_checkpoints; c++) {
            known |= is_asked(&r->checkpoints[c], e);
            said |= e->checkpoint && r->checkpoints[c].name && !strcmp(r->checkpoints[c].name, e->checkpoint);
        }
        if (known)
            continue;
        checkpoint *c = &r->checkpoints[r->n_checkpoints++];
        *c = (checkpoint){e->checkpoint, model_entry_holds(e), e->image_px, e->precision, NULL};
        if (!c->name)
            continue;
        TRY(random && c->holds ? test_mode_weights(o->out_dir, c->name, &c->weights, err)
                               : weights_find_entry(o->weights_dir, e, &c->weights, err));
        if (!o->quiet && !said)
            fprintf(stderr, "sambench run: %s: %s\n", c->name, c->weights);
    }
    return SAM_OK;
}

/* Which videos these are: that a list was not found shall not be found out by the figures. */
static void say_split(const run *r)
{
    const dataset *d = &r->set;
    char lists[200];
    dataset_lists(d->root, lists, sizeof lists);
    if (d->list_file)
        fprintf(stderr, "sambench run: %d video%s, listed in %s\n", d->n_videos, d->n_videos == 1 ? "" : "s",
                d->list_file);
    else
        fprintf(stderr, "sambench run: %d video%s: those with annotations, since there is no %s.txt%s%s\n", d->n_videos,
                d->n_videos == 1 ? "" : "s", r->options.split_name, lists[0] ? "; lists for --split_name: " : "",
                lists);
    for (int i = 0; i < d->n_videos; i++)
        if (d->videos[i].frames_dir && !d->videos[i].fault)
            frame_gaps_say("run", d->videos[i].frames_dir, &d->videos[i].frames);
    if (d->n_unannotated)
        fprintf(stderr, "sambench run: %d more have frames but no annotations\n", d->n_unannotated);
}

static sam_status open_split(run *r, sam_error *err)
{
    const run_options *o = &r->options;
    const char *folder = o->split_dir;
    if (o->test_mode) {
        TRY(test_mode_split(o->out_dir, o->split_name, &r->split_dir, err));
        folder = r->split_dir;
    }
    const dataset_options options = {.split_name = o->split_name,
                                     .split_required = o->split_given && !o->test_mode,
                                     .limit_videos = o->limit_videos,
                                     .limit_objects = o->limit_objects,
                                     .shuffle = o->shuffle_videos,
                                     .seed = (uint64_t)o->seed};
    TRY(dataset_open(&r->set, folder, &options, err));
    if (!o->quiet)
        say_split(r);
    return SAM_OK;
}

static sam_status open_table(run *r, sam_error *err)
{
    const run_options *o = &r->options;
    char clip[16], threads[16];
    snprintf(clip, sizeof clip, "%d", o->max_clip_frames);
    snprintf(threads, sizeof threads, "%d", model_threads(&o->model));
    const setting settings[N_SETTINGS] = {{"threads", threads},
                                          {"split_dir", r->set.root},
                                          {"split_name", o->split_name},
                                          {"device", o->model.device},
                                          {"metric", o->metric},
                                          {"max_clip_frames", clip},
                                          {"overlap", o->model.overlap ? "on" : "off"},
                                          {"frame_format", model_frame_format(&o->model)},
                                          {"tracker", model_tracker(&o->model)},
                                          {"priors", o->priors ? o->priors : "none"}};
    char(*marks)[WEIGHTS_MARK_BYTES] = calloc((size_t)r->n_checkpoints + 1, sizeof *marks);
    setting *weights = calloc((size_t)r->n_checkpoints + 1, sizeof *weights);
    int renamed = 0, n_weights = 0;
    sam_status status = marks && weights ? SAM_OK : fail(err, SAM_E_MEMORY, "out of memory");
    for (int i = 0; i < r->n_checkpoints && status == SAM_OK; i++) {
        const checkpoint *c = &r->checkpoints[i];
        int known = !c->weights;
        for (int k = 0; k < n_weights && !known; k++)
            known |= !strcmp(weights[k].name, c->name);
        if (known)
            continue;
        status = weights_mark(c->weights, marks[n_weights], err);
        weights[n_weights] = (setting){c->name, marks[n_weights]};
        n_weights++;
    }
    if (status == SAM_OK && n_weights)
        status = model_check_device(&o->model, err);
    if (status == SAM_OK)
        status =
            results_open(&r->table, o->out_dir, settings, N_SETTINGS, weights, n_weights, o->resume, &renamed, err);
    free(marks);
    free(weights);
    TRY(status);
    if (renamed)
        fprintf(stderr, "sambench run: the table of an earlier run is now %s/%s; --resume would have continued it\n",
                o->out_dir, RESULTS_PREVIOUS);
    if (o->resume && !o->quiet)
        fprintf(stderr, "sambench run: --resume: %d finished rows taken over\n", r->table.n_kept);
    return SAM_OK;
}

/* ---- running ---- */

/* Or another process's work. */
static int is_finished(const run *r, int video, int object, const model_entry *e)
{
    const dataset_video *v = &r->set.videos[video];
    return !run_shard_has(&r->share, video, object) || results_has(&r->table, v->name, v->objects[object].name, e);
}

static int on_frame(void *user, int n_done, int n_total)
{
    run *r = user;
    (void)n_total;
    progress_update(&r->bar, r->frames_done + n_done);
    return interrupt_requested();
}

static void say_object(run *r, const result_row *row)
{
    char text[RESULT_STATUS_BYTES + 400], score[96] = "not scored", speed[32] = "", memory[48];
    if (!isnan(row->j))
        snprintf(score, sizeof score, "J %.4f  F %.4f  J&F %.4f", row->j, row->f, row->j_and_f);
    if (!isnan(row->fps))
        snprintf(speed, sizeof speed, "  %.2f fps", row->fps);
    snprintf(memory, sizeof memory, row->gpu_peak_mib > 0 ? "%.0f MiB RSS, %.0f MiB GPU" : "%.0f MiB RSS",
             row->peak_rss_mib, row->gpu_peak_mib);
    if (!strncmp(row->status, "error", 5)) {
        snprintf(text, sizeof text, "%s, object %s, %s: %s", row->video, row->object, row->model, row->status + 7);
        say(r, stderr, text);
    } else if (!r->options.quiet && strcmp(row->status, "interrupted")) {
        snprintf(text, sizeof text, "%s/%s  %s  %s%s  %s", row->video, row->object, row->model, score, speed, memory);
        say(r, lines_to(r), text);
    }
}

static sam_status add_row(run *r, const result_row *row, sam_error *err)
{
    r->n_failed += !strncmp(row->status, "error", 5);
    say_object(r, row);
    sam_status status = results_add(&r->table, row, err);
    if (status != SAM_OK)
        r->stop = 1;
    return status;
}

static int is_first_of_video(const run *r, const char *video, const model_entry *e)
{
    const csv_table *t = &r->table.table;
    const char *precision = e->precision ? e->precision : "";
    for (int row = 0; row < t->n_rows; row++)
        if (!strcmp(csv_cell(t, row, 0), video) && !strcmp(csv_cell(t, row, 2), e->name) &&
            (!run_sweep_px(e) || csv_number(t, row, "imgsz") == run_sweep_px(e)) &&
            !strcmp(csv_text(t, row, "precision"), precision))
            return 0;
    return 1;
}

static sam_status run_one(run *r, warm_model *m, int video, int object, const model_entry *e, sam_error *err)
{
    const dataset_video *v = &r->set.videos[video];
    const run_job job = {.options = &r->options,
                         .set = &r->set,
                         .video = video,
                         .object = object,
                         .is_first = is_first_of_video(r, v->name, e),
                         .entry = e,
                         .model = m,
                         .on_frame = on_frame,
                         .user = r};
    result_row row;
    sam_error job_err;
    int fatal;
    snprintf(r->bar.label, sizeof r->bar.label, "%.20s %.12s/%.4s", model_entry_label(e), v->name,
             v->objects[object].name);
    sam_status status = run_object(&job, &row, &fatal, &job_err);
    row.cold_ms = r->has_begun ? NAN : row.cold_ms;
    r->has_begun |= row.frames > 0;
    r->frames_done += object_pass_planned(v, &v->objects[object], r->options.max_clip_frames);
    r->stop |= fatal;
    TRY(add_row(r, &row, err));
    if (status != SAM_E_DEVICE)
        return SAM_OK;
    progress_clear(&r->bar);
    status = warm_reopen(m, err); /* what follows may run, with --device auto on the CPU */
    r->lost = status != SAM_OK;
    r->stop |= r->lost;
    return status;
}

/* A video whose objects cannot be found has one row for each model. */
static sam_status run_broken_video(run *r, const warm_model *m, int video, const checkpoint *c, const sam_error *why,
                                   sam_error *err)
{
    for (int i = 0; i < r->models.n; i++) {
        const model_entry *e = &r->models.entries[i];
        result_row row;
        results_clear_row(&row);
        row.video = r->set.videos[video].name;
        row.model = e->name;
        row.metric = r->options.metric;
        if (m->model) {
            row.precision = model_precision(&m->choice);
            row.imgsz = sam_model_image_px(m->model);
        }
        snprintf(row.status, sizeof row.status, "error: %s", why->text);
        if (is_asked(c, e))
            TRY(add_row(r, &row, err));
    }
    return SAM_OK;
}

static sam_status run_video(run *r, warm_model *m, int video, const checkpoint *c, sam_error *err)
{
    sam_error why;
    if (dataset_find_objects(&r->set, video, &why) != SAM_OK)
        return run_shard_has(&r->share, video, 0) ? run_broken_video(r, m, video, c, &why, err) : SAM_OK;
    for (int object = 0; object < r->set.videos[video].n_objects; object++) {
        for (int i = 0; i < r->models.n; i++) {
            const model_entry *e = &r->models.entries[i];
            if (!is_asked(c, e) || is_finished(r, video, object, e))
                continue;
            if (r->stop || interrupt_requested())
                return SAM_OK;
            TRY(run_one(r, m, video, object, e, err));
        }
    }
    return SAM_OK;
}

/* Objects of a checkpoint that are still to do, and their frames. Videos that cannot be read count as one. */
static int pending(run *r, const checkpoint *c, int64_t *n_frames)
{
    int n = 0;
    for (int video = 0; video < r->set.n_videos; video++) {
        const dataset_video *v = &r->set.videos[video];
        if (dataset_find_objects(&r->set, video, NULL) != SAM_OK) {
            n += run_shard_has(&r->share, video, 0);
            continue;
        }
        for (int object = 0; object < v->n_objects; object++) {
            for (int i = 0; i < r->models.n; i++) {
                const model_entry *e = &r->models.entries[i];
                if (!is_asked(c, e) || is_finished(r, video, object, e))
                    continue;
                n++;
                *n_frames += object_pass_planned(v, &v->objects[object], r->options.max_clip_frames);
            }
        }
    }
    return n;
}

static sam_status run_checkpoint(run *r, const checkpoint *c, sam_error *err)
{
    warm_model m = {0};
    model_choice choice = r->options.model;
    choice.weights = c->weights;
    choice.image_px = c->image_px;
    choice.precision = c->precision;
    int64_t n_frames = 0;
    if (!pending(r, c, &n_frames))
        return SAM_OK;
    progress_clear(&r->bar);
    sam_status status = c->name ? warm_open(&m, "run", &choice, c->holds, err) : SAM_OK;
    for (int video = 0; status == SAM_OK && video < r->set.n_videos && !r->stop && !interrupt_requested(); video++)
        status = run_video(r, &m, video, c, err);
    warm_close(&m);
    return status;
}

/* A model that cannot be opened does not keep the others from running. */
static void run_all(run *r)
{
    int64_t n_frames = 0;
    int n = 0;
    for (int i = 0; i < r->n_checkpoints; i++)
        n += pending(r, &r->checkpoints[i], &n_frames);
    progress_begin(&r->bar, stderr, r->options.quiet || !n, "", n_frames);
    for (int i = 0; i < r->n_checkpoints && !r->stop && !interrupt_requested(); i++) {
        sam_error err;
        if (run_checkpoint(r, &r->checkpoints[i], &err) == SAM_OK)
            continue;
        r->n_failed++;
        say(r, stderr, err.text);
    }
    progress_end(&r->bar);
}

/* What makes the times doubtful, said and kept beside them. */
static sam_status judge_times(run *r, sam_error *err)
{
    int n_wide, n = summary_timed(&r->table.table, &n_wide);
    conditions_end(&r->conditions);
    conditions_add_spread(&r->conditions, n_wide, n);
    conditions_say(&r->conditions, lines_to(r));
    return machine_add_conditions(r->options.out_dir, &r->conditions, err);
}

static sam_status require_all(run *r, const figures *f, sam_error *err)
{
    const char **names = calloc((size_t)r->models.n + 1, sizeof *names);
    int n = 0;
    if (!names)
        return fail(err, SAM_E_MEMORY, "out of memory: %d models", r->models.n);
    for (int i = 0; i < r->models.n; i++)
        if (r->models.entries[i].checkpoint)
            names[n++] = r->models.entries[i].name;
    r->n_missed = require_check(&r->options.required, f, names, n, stderr);
    free(names);
    return SAM_OK;
}

/* Prints the models' figures and writes them beside the table. */
static sam_status sum_up(run *r, sam_error *err)
{
    figures f = {0};
    char *path = NULL;
    sam_status status = summary_of(&r->table, &f, err);
    if (status == SAM_OK)
        status = figures_write(&f, figures_format_of(r->options.format), stdout, err);
    if (status == SAM_OK) {
        host_share_print(&f, lines_to(r));
        status = judge_times(r, err);
    }
    if (status == SAM_OK)
        status = require_all(r, &f, err);
    if (status == SAM_OK && r->table.table.n_rows)
        status = path_join(&path, r->options.out_dir, SUMMARY_FILE, err);
    if (status == SAM_OK && path)
        status = figures_save(&f, path, err);
    free(path);
    figures_free(&f);
    return status;
}

static int finish(run *r)
{
    sam_error err;
    FILE *words = lines_to(r);
    if (sum_up(r, &err) != SAM_OK) {
        fprintf(stderr, "sambench run: %s\n", err.text);
        r->n_failed++;
    }
    fprintf(words, "metric %s; the table is %s/%s, of models %s; %s\n", r->options.metric, r->options.out_dir,
            RESULTS_FILE, SUMMARY_FILE,
            r->share.s.count > 1 ? "`sambench merge` puts the shards together"
                                 : "`sambench report` makes a page of it");
    int n_unscored = summary_unscored(&r->table);
    if (n_unscored)
        fprintf(words, "%d %s no score, since --metric %s counts none of their annotated frames%s\n", n_unscored,
                n_unscored == 1 ? "row has" : "rows have", r->options.metric,
                metric_skips_first_last(r->options.metric_kind) ? " (first and last never; `seed` counts all)" : "");
    if (interrupt_requested()) {
        fprintf(stderr, "sambench run: interrupted; `--resume` with the same flags goes on from here\n");
        return EXIT_INTERRUPTED;
    }
    if (r->lost)
        fprintf(stderr,
                "sambench run: stopped, since the GPU is gone; `--resume` in a new process goes on from here\n");
    else if (r->stop)
        fprintf(stderr,
                "sambench run: stopped, since nothing more could be written to %s; `--resume` goes on from "
                "here\n",
                r->options.out_dir);
    else if (r->n_failed)
        fprintf(stderr, "sambench run: %d failed, as said above and in the column status; `--resume` tries again\n",
                r->n_failed);
    return r->n_failed || r->stop || r->n_missed ? EXIT_FAILED : EXIT_DONE;
}

/* The default is in the data set's folder, which may be one to read only. */
static sam_status make_out_dir(folder_lock *l, const run_options *o, sam_error *err)
{
    sam_error why;
    sam_status status = folder_lock_take(l, o->out_dir, &why);
    return status == SAM_OK
               ? SAM_OK
               : fail(err, status, "%s%s", why.text,
                      o->default_out_dir && status == SAM_E_IO ? "; name another folder with --out_dir" : "");
}

/* Of several processes each has its own folder and, where there are GPUs, its own of them. */
static sam_status find_shard(run *r, sam_error *err)
{
    TRY(shard_find(r->options.shard, &r->share.s, err));
    r->options.model.device_index = run_shard_device(&r->share);
    if (r->share.s.count <= 1)
        return SAM_OK;
    if (!run_sweep_is_one(&r->options.sweep))
        return fail(
            err, SAM_E_ARG,
            "several sizes or precisions are for one process; with --shard give one of each and a folder to each");
    TRY(run_shard_folder(&r->share, r->options.out_dir, &r->shard_dir, err));
    r->options.out_dir = r->shard_dir;
    return SAM_OK;
}

static sam_status divide(run *r, sam_error *err)
{
    const shard *s = &r->share.s;
    if (s->count <= 1)
        return SAM_OK;
    TRY(run_shard_divide(&r->share, &r->set, r->options.max_clip_frames,
                         r->options.save_masks && !dataset_masks_by_object(&r->set), err));
    if (!r->options.quiet)
        fprintf(stderr,
                "sambench run: shard %d of %d (%s): %d of %d objects; `sambench merge` puts the tables together\n",
                s->index, s->count, s->source, r->share.n_ours, r->share.n_units);
    return run_shard_write(&r->share, &r->set, &r->models, r->options.out_dir, err);
}

static sam_status set_up(run *r, sam_error *err)
{
    const char *names = r->options.models;
    TRY(model_list_parse(names ? names : "sam2_base_points,sam2_base_bbox,edgetam_points,edgetam_bbox",
                         MODELS_AND_BASELINES, &r->models, err));
    TRY(run_sweep_apply(&r->options.sweep, &r->models, err));
    TRY(find_shard(r, err));
    TRY(open_split(r, err)); /* first: a mistyped name does not become a folder */
    TRY(make_out_dir(&r->lock, &r->options, err));
    TRY(find_weights(r, err));
    TRY(divide(r, err));
    TRY(open_table(r, err));
    return machine_write(r->options.out_dir, err);
}

static void run_free(run *r)
{
    for (int i = 0; i < r->n_checkpoints; i++)
        free(r->checkpoints[i].weights);
    free(r->checkpoints);
    results_close(&r->table);
    dataset_close(&r->set);
    model_list_free(&r->models);
    run_options_free(&r->options);
    free(r->split_dir);
    free(r->shard_dir);
    run_shard_free(&r->share);
    folder_lock_free(&r->lock);
}

static int run_main(int argc, char **argv)
{
    run r = {0};
    sam_error err;
    int help = 0;
    sam_status status = run_options_parse(&verb_run, argc, argv, &r.options, &help, &err);
    int is_usage = status != SAM_OK;
    r.options.model.device_said = &r.device_said;
    if (status == SAM_OK && !help)
        status = set_up(&r, &err);
    int result = EXIT_DONE;
    if (status == SAM_OK && !help) {
        interrupt_catch();
        conditions_begin(&r.conditions);
        run_all(&r);
        result = finish(&r);
    }
    if (status != SAM_OK) {
        fprintf(stderr, "sambench run: %s\n", err.text);
        result = is_usage || status == SAM_E_ARG ? EXIT_USAGE : EXIT_FAILED;
    }
    run_free(&r);
    return result;
}

const verb verb_run = {
    .name = "run",
    .summary = "track the annotated objects of a data set; write a table of J&F, speed and memory",
    .examples = "  sambench run --split_dir sav_val --models sam2_tiny_points,edgetam_bbox --weights_dir checkpoints "
                "--out_dir out\n"
                "  sambench run --split_dir sav_val --models sam2_tiny_mask --weights_dir checkpoints --out_dir out "
                "--resume\n"
                "  sambench run --test_mode --models edgetam_points\n",
    .main = run_main,
};
