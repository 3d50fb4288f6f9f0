/* edge.c - the verb `edge`: the two-phase benchmark for boards whose memory is small and shared.
 *
 * This process does no work of its own, so that no work of it can get it killed: setup is one child, inference another (or
 * one for each model). A child that is killed costs the row it was working on. */
#include "edge.h"

#include "child.h"
#include "dataset_root.h"
#include "figures.h"
#include "folder_lock.h"
#include "interrupt.h"
#include "json_out.h"
#include "machine.h"
#include "resume.h"
#include "text_start.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MAX_WORDS = 256 };

extern const verb verb_edge;

/* ---- paths and metadata ---- */

static sam_status below(const char *folder, const char *name, char *path, size_t n_path, sam_error *err)
{
    if (snprintf(path, n_path, "%s/%s", folder, name) < (int)n_path)
        return SAM_OK;
    return fail(err, SAM_E_ARG, "%.200s...: the path is too long", folder);
}

sam_status edge_out(const edge_options *o, const char *name, char *path, size_t n_path, sam_error *err)
{
    return below(o->w.out_dir, name, path, n_path, err);
}

sam_status edge_prepared(const edge_options *o, const char *name, char *path, size_t n_path, sam_error *err)
{
    return below(o->preprocessed_dir, name, path, n_path, err);
}

sam_status edge_metadata_read(const edge_options *o, json_t **out, sam_error *err)
{
    char path[4096];
    json_error_t why;
    TRY(edge_prepared(o, EDGE_METADATA, path, sizeof path, err));
    json_t *json = json_read_file(path, 0, &why);
    if (!json)
        return fail(err, SAM_E_FORMAT, "%s: %s; run without --skip_setup", path, why.text);
    json_t *settings = json_object_get(json, "settings");
    const char *split = json_string_value(json_object_get(settings, "split"));
    int px = (int)json_integer_value(json_object_get(settings, "imgsz"));
    sam_status status = SAM_OK;
    if (json_integer_value(json_object_get(json, "version")) != 1 || !split ||
        !json_is_array(json_object_get(json, "videos")))
        status = fail(err, SAM_E_FORMAT, "%s: not the metadata of this version; run without --skip_setup", path);
    else if (px != o->w.model.image_px)
        status = fail(err, SAM_E_FORMAT, "%s: made at %d px, now it is %d px; run without --skip_setup", path, px,
                      o->w.model.image_px);
    else if (o->w.set.root && strcmp(split, o->w.set.root))
        status = fail(err, SAM_E_FORMAT, "%s: made for %s, now it is %s; run without --skip_setup", path, split,
                      o->w.set.root);
    else
        status = edge_metadata_check(path, json, err);
    if (status != SAM_OK) {
        json_decref(json);
        return status;
    }
    *out = json;
    return SAM_OK;
}

sam_status edge_say_where(const edge_options *o, const char *phase, const char *video, const char *object,
                          const char *model, sam_error *err)
{
    char path[4096];
    TRY(edge_out(o, EDGE_PROGRESS, path, sizeof path, err));
    return json_out(path,
                    json_pack("{s:I,s:s,s:s,s:s,s:s}", "pid", (json_int_t)getpid(), "phase", phase, "video", video,
                              "object", object, "model", model),
                    err);
}

/* ---- children ---- */

/* This program with the same flags, in another phase, with one more flag if that has a value. */
static sam_status run_phase(const char *phase, const char *more, const char *value, int argc, char **argv,
                            child_end *end, sam_error *err)
{
    char self[4096];
    const char *words[MAX_WORDS + 8] = {0};
    int n = 0;
    TRY(child_self(self, sizeof self, err));
    words[n++] = self;
    for (int i = 0; i < argc && n < MAX_WORDS; i++)
        words[n++] = argv[i];
    words[n++] = "--phase";
    words[n++] = phase;
    if (value && *value) {
        words[n++] = more;
        words[n++] = value;
    }
    return child_run(words, end, err);
}

/* What the dead child was at gets a row that says how it ended, unless it has one. */
static sam_status bury(const edge_options *o, const child_end *end, sam_error *err)
{
    char path[4096], how[160], status[200];
    csv_table t = {0};
    TRY(edge_out(o, EDGE_PROGRESS, path, sizeof path, err));
    json_t *at = json_read_file(path, 0, NULL);
    const char *video = json_string_value(json_object_get(at, "video")),
               *object = json_string_value(json_object_get(at, "object"));
    const char *model = json_string_value(json_object_get(at, "model"));
    child_says(end, how, sizeof how);
    if (!video || !object || !model) {
        fprintf(stderr, "sambench edge: inference: %s\n", how);
        json_decref(at);
        return SAM_OK;
    }
    fprintf(stderr, "sambench edge: %s%s%s%s%s: %s; going on with the next\n", model, *video ? ", " : "", video,
            *object ? "/" : "", object, how);
    snprintf(status, sizeof status, "killed: %s", how);
    sam_status result = edge_table_open(o, &t, err);
    if (result == SAM_OK && csv_find(&t, (const char *const[]){video, object, model}, 3) < 0)
        result = edge_table_add_failed(&t, o, video, object, model, status, err);
    csv_close(&t);
    json_decref(at);
    remove(path);
    return result;
}

static int count_rows(const edge_options *o)
{
    csv_table t = {0};
    int n = edge_table_open(o, &t, NULL) == SAM_OK ? t.n_rows : 0;
    csv_close(&t);
    return n;
}

/* How a process of phase B that did not reach its end left off, for rows that it should have written; "" if it did. */
static sam_status after_death(const edge_options *o, const child_end *end, char *why, size_t n_why, sam_error *err)
{
    char how[160];
    snprintf(why, n_why, "inference ended before it: %s", child_says(end, how, sizeof how));
    if (end->signal)
        return bury(o, end, err);
    if (end->code == EDGE_DEVICE_LOST) { /* its row says so */
        fprintf(stderr, "sambench edge: the GPU failed; going on in a new process\n");
        return SAM_OK;
    }
    return fail(err, SAM_E_IO, "inference ended with status %d", end->code);
}

/* A fresh process for the rest each time one dies, until one ends by itself, or two in a row die without a row. */
static sam_status infer(const edge_options *o, const char *only, int argc, char **argv, int *interrupted, char *why,
                        size_t n_why, sam_error *err)
{
    char path[4096];
    TRY(edge_out(o, EDGE_PROGRESS, path, sizeof path, err));
    for (int n_idle = 0; n_idle < 2;) {
        child_end end;
        int n_before = count_rows(o);
        remove(path);
        TRY(run_phase("inference", "--only_model", only, argc, argv, &end, err));
        *interrupted = end.code == EDGE_INTERRUPTED || interrupt_requested();
        if (*interrupted)
            break;
        if (!end.signal && end.code <= 1) {
            if (end.code)
                snprintf(why, n_why, "inference ended before it; what it printed says why");
            break;
        }
        TRY(after_death(o, &end, why, n_why, err));
        n_idle = count_rows(o) > n_before ? 0 : n_idle + 1;
    }
    remove(path);
    return SAM_OK;
}

/* ---- phases from the parent's side ---- */

/* What the killed setup was at joins the names that the next one leaves out. 0: that is not known, or was left out. */
static int leave_out(const edge_options *o, const child_end *end, char *cold, size_t n_cold, sam_error *err)
{
    char path[4096], how[160];
    size_t n = strlen(cold);
    if (edge_out(o, EDGE_PROGRESS, path, sizeof path, err) != SAM_OK)
        return 0;
    json_t *at = json_read_file(path, 0, NULL);
    const char *name = json_string_value(json_object_get(at, "model"));
    int known = name && !strstr(cold, name) && snprintf(cold + n, n_cold - n, "%s%s", n ? "|" : "", name) > 0 &&
                n + strlen(name) + 1 < n_cold;
    if (known)
        fprintf(stderr, "sambench edge: setup of %s: %s; setting up again without it\n", name,
                child_says(end, how, sizeof how));
    json_decref(at);
    return known;
}

static sam_status set_up(const edge_options *o, int argc, char **argv, int *interrupted, sam_error *err)
{
    char how[160], path[4096], cold[1024] = "";
    child_end end;
    TRY(edge_out(o, EDGE_PROGRESS, path, sizeof path, err));
    do {
        remove(path);
        TRY(run_phase("setup", "--cold", cold, argc, argv, &end, err));
        *interrupted = end.code == EDGE_INTERRUPTED || interrupt_requested();
    } while (!*interrupted && end.signal && leave_out(o, &end, cold, sizeof cold, err));
    remove(path);
    if (*interrupted || (!end.signal && !end.code))
        return SAM_OK;
    if (end.code == 2)
        return fail(err, SAM_E_ARG, "the setup refused its arguments");
    return fail(err, end.signal ? SAM_E_MEMORY : SAM_E_IO, "the setup ended early: %s",
                child_says(&end, how, sizeof how));
}

/* As one that ran in the setup: a failure may have been of that moment. */
static int has_warm_model(const json_t *metadata, const char *name)
{
    size_t i;
    json_t *m;
    json_array_foreach(json_object_get(metadata, "models"), i, m)
    {
        const char *other = json_string_value(json_object_get(m, "name"));
        const char *state = json_string_value(json_object_get(m, "warmup"));
        if (other && !strcmp(other, name))
            return state && status_is_ok(state);
    }
    return 0;
}

/* Likewise every video and object, and frames where they were to be prepared. */
static int has_all_videos(const edge_options *o, const json_t *metadata)
{
    size_t v, i;
    json_t *video, *object;
    json_array_foreach(json_object_get(metadata, "videos"), v, video)
    {
        if (json_object_get(video, "why") || (o->preprocess_frames && !json_object_get(video, "prepared")))
            return 0;
        json_array_foreach(json_object_get(video, "objects"), i,
                           object) if (!json_is_true(json_object_get(object, "valid"))) return 0;
    }
    return 1;
}

/* With --resume: whether the setup of the run that is resumed was finished, and for the same. */
static int is_set_up(const edge_options *o, const model_list *list)
{
    json_t *metadata = NULL;
    if (edge_metadata_read(o, &metadata, NULL) != SAM_OK)
        return 0;
    json_t *old = json_object_get(metadata, "settings");
    json_t *now = edge_settings(o, json_string_value(json_object_get(old, "split")));
    /* What a setup left out is tried again. */
    int same = json_equal(old, now) && !json_string_length(json_object_get(metadata, "left_out")) &&
               has_all_videos(o, metadata);
    for (int i = 0; i < list->n; i++)
        same &= has_warm_model(metadata, list->entries[i].name);
    json_decref(now);
    json_decref(metadata);
    return same;
}

static sam_status measure(edge_options *o, const model_list *list, int argc, char **argv, int *interrupted,
                          int *n_failed, sam_error *err)
{
    char why[240] = "no row was written";
    int n_missing = 0;
    for (int i = 0; i < (o->isolate_models ? list->n : 1) && !*interrupted; i++) {
        char only[4200];
        model_entry_text(&list->entries[i], only, sizeof only);
        TRY(infer(o, o->isolate_models ? only : NULL, argc, argv, interrupted, why, sizeof why, err));
    }
    if (!*interrupted)
        TRY(edge_complete(o, list, why, &n_missing, err));
    if (n_missing)
        fprintf(stderr, "sambench edge: %d of the rows asked for were missing; they are there now, as failed\n",
                n_missing);
    return edge_sum_up(o, list, n_failed, err);
}

static sam_status begin_table(edge_options *o, const model_list *list, sam_error *err)
{
    int n_kept;
    TRY(edge_table_begin(o, list, &n_kept, err));
    if (o->resume)
        fprintf(stderr, "sambench edge: --resume: %d finished rows taken over\n", n_kept);
    return SAM_OK;
}

/* --skip_setup relies on an earlier setup: one that does not fit is told before a table is touched. */
static sam_status check_setup(const edge_options *o, sam_error *err)
{
    json_t *metadata = NULL;
    char *root = NULL;
    const layout_folders *layout;
    TRY(edge_metadata_read(o, &metadata, err));
    sam_status status = SAM_OK;
    const char *split = json_string_value(json_object_get(json_object_get(metadata, "settings"), "split"));
    if (!o->w.test_mode) {
        status = dataset_root_find(o->w.split_dir, o->w.split_name ? o->w.split_name : "sav_val", &root, &layout, err);
        if (status == SAM_OK && strcmp(split, root))
            status = fail(err, SAM_E_FORMAT, "%s: set up for %s; run without --skip_setup", root, split);
    }
    free(root);
    json_decref(metadata);
    return status;
}

static sam_status parent(edge_options *o, int argc, char **argv, int *interrupted, int *n_failed, sam_error *err)
{
    model_list list = {0};
    folder_lock lock = {0};
    TRY(model_list_parse(o->w.models ? o->w.models : WORKLOAD_MODELS, MODELS_ONLY, &list, err));
    sam_status status = folder_lock_take(&lock, o->w.out_dir, err);
    if (status == SAM_OK && o->skip_setup)
        status = check_setup(o, err);
    if (status == SAM_OK)
        status = machine_write(o->w.out_dir, err);
    conditions_begin(&o->conditions);
    /* A table that cannot be resumed is told before the setup, one that is replaced stays until that is done. */
    if (status == SAM_OK && o->resume && !o->skip_inference)
        status = begin_table(o, &list, err);
    if (status == SAM_OK && !o->skip_setup && !(o->resume && is_set_up(o, &list)))
        status = set_up(o, argc, argv, interrupted, err);
    if (status == SAM_OK && !o->resume && !o->skip_inference && !*interrupted)
        status = begin_table(o, &list, err);
    int measured = status == SAM_OK && !o->skip_inference && !*interrupted;
    if (measured)
        status = measure(o, &list, argc, argv, interrupted, n_failed, err);
    if (status == SAM_OK && *interrupted)
        fprintf(stderr, "sambench edge: interrupted; --resume with the same flags goes on from here\n");
    else if (status == SAM_OK && *n_failed)
        fprintf(stderr, "sambench edge: some failed, as the column status says; --resume with the same flags tries "
                        "them again\n");
    if (status == SAM_OK && (o->skip_inference || measured))
        fprintf(figures_format_of(o->format) == FIGURES_TABLE ? stdout : stderr, "%s/%s\n",
                o->skip_inference ? o->preprocessed_dir : o->w.out_dir,
                o->skip_inference ? EDGE_METADATA : EDGE_SUMMARY);
    if (o->kept_earlier && !count_rows(o))
        resume_abandon(o->w.out_dir, EDGE_SUMMARY, EDGE_SETTINGS);
    model_list_free(&list);
    folder_lock_free(&lock);
    return status;
}

/* ---- command line ---- */

static sam_status take_preset(edge_options *o, const char *name, sam_error *err)
{
    if (!strcmp(name, "quick")) {
        o->w.limit_videos = o->w.limit_objects = 1;
        o->w.max_clip_frames = 30;
        o->w.model.image_px = 512;
    } else if (!strcmp(name, "standard")) {
        o->w.limit_videos = 10;
        o->w.limit_objects = 2;
    } else if (!strcmp(name, "memory-safe") || !strcmp(name, "memory_safe")) {
        o->w.limit_videos = 10;
        o->w.limit_objects = 1;
        o->w.model.image_px = 512;
        o->w.max_frames_in_mem = 8;
        o->isolate_models = o->preprocess_frames = 1;
    } else {
        return fail(err, SAM_E_ARG, "'%.60s' is no preset; there are quick, standard, memory-safe", name);
    }
    o->preset = name;
    return SAM_OK;
}

static int flags_of(edge_options *o, const char **only, flag *to)
{
    const flag flags[] = {
        {.name = "preprocessed_dir",
         .group = "phases",
         .kind = FLAG_STRING,
         .value = &o->preprocessed_dir,
         .meta = "DIR",
         .help = "Where setup leaves metadata.json and prepared frames (default OUT_DIR/preprocessed)."},
        {.name = "preprocess_frames",
         .kind = FLAG_SWITCH,
         .value = &o->preprocess_frames,
         .help = "Decode, resize and store all frames as fp16 in setup; inference maps them (default: off)."},
        {.name = "isolate_models",
         .kind = FLAG_SWITCH,
         .value = &o->isolate_models,
         .help = "A fresh inference process for each model (default: one for all)."},
        {.name = "skip_setup",
         .kind = FLAG_SWITCH,
         .value = &o->skip_setup,
         .help = "Use the metadata of an earlier setup."},
        {.name = "resume",
         .kind = FLAG_SWITCH,
         .value = &o->resume,
         .help = "Continue the table in OUT_DIR: finished objects are not repeated, nor is a setup that was finished "
                 "(default: an old table is renamed)."},
        {.name = "skip_inference", .kind = FLAG_SWITCH, .value = &o->skip_inference, .help = "Only set up."},
        {.name = "score",
         .kind = FLAG_SWITCH,
         .value = &o->score,
         .help = "J and F of each row, and how many masks show something; not timed (default: on)."},
        {.name = "save_overlays",
         .kind = FLAG_SWITCH,
         .value = &o->save_overlays,
         .help = "An mp4 per object and model in OUT_DIR/overlays, as `run` makes them; not timed (default: off)."},
        {.name = "metric",
         .kind = FLAG_CHOICE,
         .value = &o->metric,
         .meta = "NAME",
         .choices = METRIC_CHOICES,
         .help = "Whose J and F (default sav, as `run`)."},
        {.name = "fps",
         .kind = FLAG_DOUBLE,
         .value = &o->paced_fps,
         .meta = "N",
         .help =
             "Frames come N a second, as from a camera: late and dropped ones are counted (default 0: as fast as they "
             "are tracked)."},
        format_flag(&o->format),
        require_flag(&o->require),
        {.name = "enable_cudnn_tuning",
         .kind = FLAG_SWITCH,
         .value = &o->tune,
         .help =
             "Try algorithms in setup and keep the fastest that need no more than --workspace_mb: on CUDA those of "
             "cuBLASLt, cuDNN and our kernels, for inference to use; on the CPU numbers of threads (default: off)."},
        {.name = "phase",
         .kind = FLAG_CHOICE,
         .value = &o->phase,
         .meta = "NAME",
         .choices = "setup|inference",
         .hidden = 1,
         .help = "Be one of the processes that `edge` starts; not for use by hand."},
        {.name = "only_model",
         .kind = FLAG_STRING,
         .value = only,
         .meta = "NAME",
         .hidden = 1,
         .help = "Of those in --models, with --phase."},
        {.name = "cold",
         .kind = FLAG_STRING,
         .value = &o->cold,
         .meta = "NAMES",
         .hidden = 1,
         .help = "Models that are not warmed up, with --phase: a setup was killed at them."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

/* Defaults that depend on other flags. */
static sam_status settle(edge_options *o, const char *only, sam_error *err)
{
    if (o->phase) { /* the process that started this one has said it */
        o->old.compile_models = 0;
        o->old.compile_backend = o->old.compile_mode = NULL;
    }
    TRY(old_flags_settle(&o->old, "edge", &o->w.model.precision, err));
    o->w.model.precision = o->w.model.precision ? o->w.model.precision : "bf16";
    if (!o->w.test_mode && !o->w.split_dir)
        return fail(err, SAM_E_ARG,
                    "--split_dir is missing: the folder with the annotated videos (or use --test_mode)");
    if (o->tune && o->w.model.deterministic)
        return fail(err, SAM_E_ARG,
                    "--enable_cudnn_tuning and --deterministic contradict: what is faster differs from run to run");
    int n_columns;
    const figures_column *columns = edge_columns(&n_columns);
    TRY(require_parse(&o->required, o->require, columns, n_columns, err));
    if (o->paced_fps < 0 || o->paced_fps > 10000)
        return fail(err, SAM_E_ARG, "--fps: %g is not from 0 to 10000 frames a second", o->paced_fps);
    if (o->save_overlays && o->preprocess_frames)
        return fail(
            err, SAM_E_ARG,
            "--save_overlays needs the frames, of which --preprocess_frames keeps only what the network sees; give "
            "one (--no-preprocess_frames)");
    if (o->paced_fps > 0 && o->w.model.overlap)
        return fail(err, SAM_E_ARG, "--fps and --overlap: a camera's next frame is not there ahead; give one");
    TRY(metric_from_name(o->metric, &o->metric_kind, err));
    if (o->skip_setup && o->skip_inference)
        return fail(err, SAM_E_ARG, "--skip_setup and --skip_inference leave nothing to do");
    if (!o->w.model.image_px) {
        model_list list = {0};
        sam_status status = model_list_parse(o->w.models ? o->w.models : WORKLOAD_MODELS, MODELS_ONLY, &list, err);
        o->w.model.image_px = o->w.test_mode ? 256 : model_list_px(&list);
        model_list_free(&list);
        TRY(status);
    }
    if (!o->preprocessed_dir) {
        TRY(path_join(&o->default_preprocessed, o->w.out_dir, "preprocessed", err));
        o->preprocessed_dir = o->default_preprocessed;
    }
    if (only) {
        char *copy = malloc(strlen(only) + 1);
        if (!copy)
            return fail(err, SAM_E_MEMORY, "out of memory");
        free((void *)(uintptr_t)o->w.models);
        o->w.models = strcpy(copy, only);
    }
    return SAM_OK;
}

static int run_edge(edge_options *o, int argc, char **argv)
{
    sam_error err;
    int interrupted = 0, n_failed = 0;
    sam_status status;
    interrupt_catch();
    /* A phase does not outlive the process that reads what it finds. */
    if (o->phase)
        prctl(PR_SET_PDEATHSIG, SIGINT);
    /* That it is the GPU, the setup has said; that it is the CPU, a process that follows a lost GPU says too. */
    if (o->phase && strcmp(o->phase, "setup") && !o->skip_setup && !o->resume)
        o->w.device_said = SAM_CUDA;
    if (!o->phase)
        status = parent(o, argc, argv, &interrupted, &n_failed, &err);
    else
        status = strcmp(o->phase, "setup") ? edge_infer(o, &n_failed, &err) : edge_setup(o, &err);
    if (status != SAM_OK)
        fprintf(stderr, "sambench edge: %s\n", err.text);
    if (interrupted || interrupt_requested())
        return EDGE_INTERRUPTED;
    if (o->device_lost)
        return EDGE_DEVICE_LOST;
    return status == SAM_E_ARG ? 2 : status != SAM_OK || n_failed || o->n_missed ? 1 : 0;
}

static int edge_main(int argc, char **argv)
{
    edge_options o = {.w = {.out_dir = "edge", .max_frames_in_mem = 600, .model = {.workspace_mb = 256}},
                      .score = 1,
                      .metric = "sav",
                      .old = OLD_FLAGS_NONE};
    flag flags[N_WORKLOAD_FLAGS + N_SESSION_FLAGS + 22 + N_OLD_FLAGS];
    const char *only = NULL;
    sam_error err;
    int help, n = workload_flags(&o.w, flags), code = 0, has_preset = argc > 1 && argv[1][0] != '-';
    for (int i = 0; i < n; i++)
        if (!strcmp(flags[i].name, "precision"))
            flags[i].help = "Type of weights and activations (default: bf16).";
    n += session_flags(&o.w.model, flags + n);
    flags[n++] = tracker_flag(&o.w.model);
    flags[n++] = frame_flag(&o.w.model);
    n += flags_of(&o, &only, flags + n);
    n += old_flags_table(&o.old, flags + n);
    sam_status status = has_preset ? take_preset(&o, argv[1], &err) : SAM_OK;
    if (status == SAM_OK)
        status = flags_parse(&verb_edge, flags, n, argc - has_preset, argv + has_preset, &help, &err);
    if (status == SAM_OK && !help)
        status = settle(&o, only, &err);
    if (status != SAM_OK) {
        fprintf(stderr, "sambench edge: %s\n", err.text);
        code = 2;
    } else if (!help) {
        code = run_edge(&o, argc, argv);
    }
    workload_close(&o.w);
    free(o.default_preprocessed);
    return code;
}

const verb verb_edge = {
    .name = "edge",
    .summary = "two-phase benchmark for boards with little memory: setup, then inference in fresh processes",
    .examples =
        "  sambench edge quick --split_dir sav_val --models sam2_tiny_points,edgetam_points --weights_dir checkpoints\n"
        "  sambench edge memory-safe --split_dir sav_val --models edgetam_bbox --weights_dir checkpoints --out_dir out\n"
        "  sambench edge --test_mode --models edgetam_points --isolate_models --preprocess_frames\n"
        "\npresets, before the flags, which override them:\n"
        "  quick        1 video, 1 object, 30 frames, 512 px\n"
        "  standard     10 videos, 2 objects each, all frames, 1024 px\n"
        "  memory-safe  10 videos, 1 object each, 512 px, 8 frames in memory, prepared frames, isolated models\n",
    .before = "[quick|standard|memory-safe]",
    .main = edge_main,
};
