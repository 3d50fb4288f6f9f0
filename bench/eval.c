/* eval.c - the verb `eval`: scores folders of predicted masks, prints a table, writes JSON and CSV. */
#include "csv.h"
#include "eval_video.h"
#include "flags.h"
#include "folders.h"
#include "json_build.h"
#include "json_out.h"
#include "listing.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct eval_options {
    const char *gt, *pred, *form, *metric, *json, *csv, *video_list;
    int skip_first_last, strict, per_frame;
    metric_kind kind;
} eval_options;

/* The annotations' folder under `given`, when that is the root of a data set, as vos-benchmark does it. */
static sam_status find_root(const char *given, char **root, sam_error *err)
{
    static const char *const below[] = {"Annotations_6fps", "Annotations/480p", "Annotations"};
    TRY(path_expect_folder("", given, err));
    for (int i = 0; i < 3; i++) {
        TRY(path_join(root, given, below[i], err));
        if (path_is_folder(*root))
            return SAM_OK;
        free(*root);
    }
    return path_join(root, given, "", err);
}

/* Names in `a` that are not in the sorted `b`: at most five, for a message. Returns how many there are. */
static int names_without(const listing *a, const listing *b, char *text, size_t n_text)
{
    int n = 0;
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < a->n; i++) {
        if (listing_find(b, a->names[i]) >= 0)
            continue;
        if (n++ < 5 && at < n_text)
            at += (size_t)snprintf(text + at, n_text - at, "%s%.40s", n > 1 ? ", " : "", a->names[i]);
    }
    if (n > 5 && at < n_text)
        snprintf(text + at, n_text - at, ", ...");
    return n;
}

/* Drops from `videos` what is not in the sorted `present`. */
static void keep_common(listing *videos, const listing *present)
{
    int n = 0;
    for (int i = 0; i < videos->n; i++) {
        if (listing_find(present, videos->names[i]) >= 0)
            videos->names[n++] = videos->names[i];
        else
            free(videos->names[i]);
    }
    videos->n = n;
}

/* Settles `videos` against the sorted folders found on both sides. SA-V's evaluator and vos-benchmark score the videos
 * that both sides have unless strict; davis2017-evaluation needs all. */
static sam_status match_videos(const eval_options *o, const listing *gt, const listing *pred, listing *videos,
                               listing *skipped, sam_error *err)
{
    char names[256];
    int n = names_without(videos, gt, names, sizeof names);
    if (n)
        return fail(err, SAM_E_FORMAT, "%s: lists %d video%s not in %s: %s", o->video_list, n, n == 1 ? "" : "s", o->gt,
                    names);
    n = names_without(videos, pred, names, sizeof names);
    int by_common = o->kind == METRIC_SAV || o->kind == METRIC_VOS_BENCHMARK;
    if (n && (o->strict || o->video_list || !by_common))
        return fail(err, SAM_E_FORMAT,
                    "%s: %d of %d videos have no predictions: %s; name those to score in a file for "
                    "--video_list",
                    o->pred, n, videos->n, names);
    for (int i = 0; i < videos->n; i++)
        if (listing_find(pred, videos->names[i]) < 0)
            TRY(listing_add(skipped, videos->names[i], strlen(videos->names[i]), err));
    keep_common(videos, pred);
    if (!videos->n)
        return fail(err, SAM_E_FORMAT, "%s and %s have no video folder in common; each should hold a folder per video",
                    o->gt, o->pred);
    n = names_without(pred, gt, names, sizeof names);
    if (n && o->strict)
        return fail(err, SAM_E_FORMAT, "%s: %d video%s that %s does not have: %s", o->pred, n, n == 1 ? "" : "s", o->gt,
                    names);
    return SAM_OK;
}

static sam_status list_videos(const eval_options *o, const char *gt_root, listing *videos, listing *skipped,
                              sam_error *err)
{
    listing gt = {0}, pred = {0};
    sam_status status = path_expect_folder("", o->pred, err);
    if (status == SAM_OK)
        status = listing_read(gt_root, NULL, &gt, err);
    if (status == SAM_OK && !gt.n)
        status = fail(err, SAM_E_FORMAT, "%s: holds no folders; it should hold one per video", gt_root);
    if (status == SAM_OK)
        status = listing_read(o->pred, NULL, &pred, err);
    if (status == SAM_OK)
        status =
            o->video_list ? listing_read_lines(o->video_list, videos, err) : listing_read(gt_root, NULL, videos, err);
    if (status == SAM_OK)
        status = match_videos(o, &gt, &pred, videos, skipped, err);
    listing_free(&gt);
    listing_free(&pred);
    return status;
}

/* ---- what comes out ---- */

static json_t *figures(double j, double f, double j_and_f, double j_recall, double j_decay, double f_recall,
                       double f_decay)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "J", json_figure(j), "F", json_figure(f), "JandF",
                     json_figure(j_and_f), "J_recall", json_figure(j_recall), "J_decay", json_figure(j_decay),
                     "F_recall", json_figure(f_recall), "F_decay", json_figure(f_decay));
}

static json_t *numbers(const double *v, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_add(&array, json_figure(v[i]));
    return array;
}

static json_t *names_array(const listing *names)
{
    json_t *array = json_array();
    for (int i = 0; i < names->n; i++)
        json_add(&array, json_string(names->names[i]));
    return array;
}

static json_t *object_json(const eval_options *o, const eval_object *object)
{
    const object_result *r = &object->result;
    json_t *json = figures(r->j, r->f, r->j_and_f, r->j_recall, r->j_decay, r->f_recall, r->f_decay);
    json_put(&json, "n_frames", json_integer((json_int_t)r->n_frames));
    if (o->per_frame) {
        json_put(&json, "J_per_frame", numbers(object->frames.j, object->frames.n_frames));
        json_put(&json, "F_per_frame", numbers(object->frames.f, object->frames.n_frames));
    }
    return json;
}

static sam_status write_json(const eval_options *o, const eval_results *results, const global_result *g, int n_videos,
                             const listing *skipped, sam_error *err)
{
    TRY(strcmp(o->json, "-") ? folders_make_for(o->json, err) : SAM_OK);
    json_t *objects = json_object(), *dropped = json_array();
    for (int i = 0; i < results->n; i++) {
        const eval_object *object = &results->objects[i];
        if (object->result.scored)
            json_put(&objects, object->name, object_json(o, object));
        else
            json_add(&dropped, json_string(object->name));
    }
    json_t *global = figures(g->j, g->f, g->j_and_f, g->j_recall, g->j_decay, g->f_recall, g->f_decay);
    json_t *root = json_pack("{s:s, s:b, s:i, s:i, s:o, s:o, s:o, s:o}", "metric", o->metric, "skip_first_last",
                             o->skip_first_last, "n_videos", n_videos, "n_objects", g->n_scored, "global", global,
                             "objects", objects, "dropped_objects", dropped, "skipped_videos", names_array(skipped));
    return json_out(o->json, root, err);
}

static const char *const csv_columns[] = {"metric", "object",   "n_frames", "J",        "F",
                                          "JandF",  "J_recall", "J_decay",  "F_recall", "F_decay"};

enum { N_COLUMNS = sizeof csv_columns / sizeof *csv_columns };

static sam_status append_csv_row(csv_table *t, const eval_options *o, const char *name, size_t n_frames,
                                 const double values[7], sam_error *err)
{
    char text[8][32];
    const char *row[N_COLUMNS] = {o->metric, name, text[7]};
    snprintf(text[7], sizeof text[7], "%zu", n_frames);
    for (int i = 0; i < 7; i++) {
        snprintf(text[i], sizeof text[i], "%.6f", values[i]);
        row[3 + i] = text[i];
    }
    return csv_append(t, row, err);
}

static sam_status fill_csv(csv_table *t, const eval_options *o, const eval_results *results, const global_result *g,
                           sam_error *err)
{
    size_t n_frames = 0;
    for (int i = 0; i < results->n; i++) {
        const object_result *r = &results->objects[i].result;
        const double values[7] = {r->j, r->f, r->j_and_f, r->j_recall, r->j_decay, r->f_recall, r->f_decay};
        n_frames += r->n_frames;
        if (r->scored)
            TRY(append_csv_row(t, o, results->objects[i].name, r->n_frames, values, err));
    }
    const double values[7] = {g->j, g->f, g->j_and_f, g->j_recall, g->j_decay, g->f_recall, g->f_decay};
    return append_csv_row(t, o, "global", n_frames, values, err);
}

static sam_status write_csv(const eval_options *o, const eval_results *results, const global_result *g, sam_error *err)
{
    csv_table t;
    TRY(folders_make_for(o->csv, err));
    TRY(csv_open(&t, o->csv, csv_columns, N_COLUMNS, 0, err));
    sam_status status = fill_csv(&t, o, results, g, err);
    if (status == SAM_OK)
        status = csv_save(&t, err);
    csv_close(&t);
    return status;
}

static void print_table(FILE *out, const eval_options *o, const eval_results *results, const global_result *g,
                        int n_videos, const listing *skipped)
{
    int width = 12;
    for (int i = 0; i < results->n; i++) {
        int n = (int)strlen(results->objects[i].name);
        width = n > width ? n : width;
    }
    fprintf(out, "%-*s %7s %7s %7s %7s %7s %7s\n", width, "object", "frames", "J", "F", "J&F", "J rec.", "J decay");
    for (int i = 0; i < results->n; i++) {
        const object_result *r = &results->objects[i].result;
        if (r->scored)
            fprintf(out, "%-*s %7zu %7.4f %7.4f %7.4f %7.4f %7.4f\n", width, results->objects[i].name, r->n_frames,
                    r->j, r->f, r->j_and_f, r->j_recall, r->j_decay);
        else
            fprintf(out, "%-*s       - left out: never in its scored annotations\n", width, results->objects[i].name);
    }
    fprintf(out, "%-*s %7s %7.4f %7.4f %7.4f %7.4f %7.4f\n", width, "global", "", g->j, g->f, g->j_and_f, g->j_recall,
            g->j_decay);
    fprintf(out, "metric %s, %d object%s of %d video%s, first and last annotated frame %s\n", o->metric, g->n_scored,
            g->n_scored == 1 ? "" : "s", n_videos, n_videos == 1 ? "" : "s",
            o->skip_first_last ? "not scored" : "scored");
    if (skipped->n)
        fprintf(out, "left out: %d video%s without predictions, from %s on (--strict makes this an error)\n",
                skipped->n, skipped->n == 1 ? "" : "s", skipped->names[0]);
}

/* ---- the verb ---- */

static sam_status report(const eval_options *o, const eval_results *results, int n_videos, const listing *skipped,
                         sam_error *err)
{
    object_result *objects = calloc((size_t)results->n + 1, sizeof *objects);
    if (!objects)
        return fail(err, SAM_E_MEMORY, "out of memory: %d objects", results->n);
    for (int i = 0; i < results->n; i++)
        objects[i] = results->objects[i].result;
    global_result g;
    metric_aggregate(objects, (size_t)results->n, &g);
    free(objects);
    if (!g.n_scored)
        return fail(err, SAM_E_FORMAT,
                    "%s: no object is in the scored annotations, so there is no score; if there are few annotated "
                    "frames, keep first and last with --no-skip_first_last",
                    o->gt);
    /* A file asked for on stdout is not mixed with the table. */
    int taken = (o->json && (!strcmp(o->json, "/dev/stdout") || !strcmp(o->json, "-"))) ||
                (o->csv && !strcmp(o->csv, "/dev/stdout"));
    print_table(taken ? stderr : stdout, o, results, &g, n_videos, skipped);
    if (o->json)
        TRY(write_json(o, results, &g, n_videos, skipped, err));
    return o->csv ? write_csv(o, results, &g, err) : SAM_OK;
}

static sam_status evaluate(const eval_options *o, sam_error *err)
{
    char *gt_root = NULL;
    listing videos = {0}, skipped = {0};
    eval_results results = {0};
    TRY(find_root(o->gt, &gt_root, err));
    sam_status status = list_videos(o, gt_root, &videos, &skipped, err);
    for (int i = 0; status == SAM_OK && i < videos.n; i++)
        status = eval_video(o->kind, o->skip_first_last, gt_root, o->pred, pred_form_of(o->form), videos.names[i],
                            &results, err);
    if (status == SAM_OK)
        status = report(o, &results, videos.n, &skipped, err);
    eval_results_free(&results);
    listing_free(&videos);
    listing_free(&skipped);
    free(gt_root);
    return status;
}

extern const verb verb_eval;

static int eval_main(int argc, char **argv)
{
    eval_options o = {.skip_first_last = -1};
    const flag flags[] = {
        {.name = "gt",
         .kind = FLAG_STRING,
         .value = &o.gt,
         .meta = "DIR",
         .required = 1,
         .help = "Annotations: a folder per video, with <frame>.png or <object>/<frame>.png; or the data set's root."},
        {.name = "pred",
         .kind = FLAG_STRING,
         .value = &o.pred,
         .meta = "DIR",
         .required = 1,
         .help =
             "Predicted masks, a folder per video, in the same layout or the other, or as `track --out` writes them."},
        {.name = "pred_form",
         .kind = FLAG_CHOICE,
         .value = &o.form,
         .meta = "NAME",
         .choices = PRED_CHOICES,
         .help =
             "Which of several forms in one folder: masks (an object a file), labels (one picture), rle (masks.json; "
             "default: auto, the first there is)."},
        {.name = "metric",
         .kind = FLAG_CHOICE,
         .value = &o.metric,
         .meta = "NAME",
         .required = 1,
         .choices = METRIC_CHOICES,
         .help = "Whose convention; docs/metrics.md compares them."},
        {.name = "json",
         .kind = FLAG_STRING,
         .value = &o.json,
         .meta = "FILE",
         .help = "Where the scores go, as fractions; - is stdout (default: the table on stdout only)."},
        {.name = "csv", .kind = FLAG_STRING, .value = &o.csv, .meta = "FILE", .help = "The table as CSV too."},
        {.name = "video_list",
         .kind = FLAG_STRING,
         .value = &o.video_list,
         .meta = "FILE",
         .help = "Videos to score, one a line (default: every folder)."},
        {.name = "skip_first_last",
         .kind = FLAG_SWITCH,
         .value = &o.skip_first_last,
         .help = "Leave out first and last annotated frame (default: on, off for seed); --no-skip_first_last keeps."},
        {.name = "strict",
         .kind = FLAG_SWITCH,
         .value = &o.strict,
         .help = "sav, vos_benchmark: both sides must hold the same videos (default: common ones are scored)."},
        {.name = "per_frame",
         .kind = FLAG_SWITCH,
         .value = &o.per_frame,
         .help = "Per frame figures in the JSON file too (default: off)."},
    };
    int help;
    sam_error err;
    sam_status status = flags_parse(&verb_eval, flags, sizeof flags / sizeof *flags, argc, argv, &help, &err);
    if (status == SAM_OK && help)
        return 0;
    if (status == SAM_OK)
        status = metric_from_name(o.metric, &o.kind, &err);
    if (status == SAM_OK && o.skip_first_last < 0)
        o.skip_first_last = metric_skips_first_last(o.kind);
    if (status == SAM_OK)
        status = evaluate(&o, &err);
    if (status != SAM_OK)
        fprintf(stderr, "sambench eval: %s\n", err.text);
    return status == SAM_OK ? 0 : status == SAM_E_ARG ? 2 : 1;
}

const verb verb_eval = {
    .name = "eval",
    .summary = "score predicted masks against annotations",
    .examples = "  sambench eval --gt sav_val/Annotations_6fps --pred masks --metric sav --json scores.json\n"
                "  sambench eval --gt DAVIS --pred masks --metric davis --json scores.json "
                "--video_list DAVIS/ImageSets/2017/val.txt\n",
    .main = eval_main,
};
