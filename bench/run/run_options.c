/* run_options.c - see run_options.h. */
#include "run_options.h"

#include "listing.h"
#include "summary.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FLAGS = 27 + N_MODEL_FLAGS + N_SESSION_FLAGS + N_OLD_FLAGS, TEST_IMGSZ = 256 };

/* The flags of a model but its weights, which are searched by name; several sizes and precisions are compared. */
static int describe_model(flag *f, run_options *o)
{
    flag all[N_MODEL_FLAGS];
    int n = model_flags(&o->model, all), count = 0;
    for (int i = 0; i < n; i++) {
        int is_size = !strcmp(all[i].name, "imgsz"), is_precision = !strcmp(all[i].name, "precision");
        if (!strcmp(all[i].name, "weights"))
            continue;
        f[count] = all[i];
        if (is_size || is_precision) {
            f[count].kind = FLAG_STRING;
            f[count].choices = "list";
            f[count].value = is_size ? &o->sizes : &o->precisions;
            f[count].help = is_size
                                ? "Sides of the model's input, multiples of 32 (default: what each was made for, 1024, "
                                  "demos 256; test_mode 256)."
                                : "What the model computes in: fp32, fp16, bf16 (default fp32).";
        }
        count++;
    }
    return count;
}

/* The lists, to be freed. */
static int list_flags(run_options *o, flag *to)
{
    to[0] = (flag){.name = "models", .kind = FLAG_STRING, .choices = "list", .value = &o->models};
    to[1] = (flag){.name = "imgsz", .kind = FLAG_STRING, .choices = "list", .value = &o->sizes};
    to[2] = (flag){.name = "precision", .kind = FLAG_STRING, .choices = "list", .value = &o->precisions};
    return 3;
}

static int describe_what(flag *f, run_options *o)
{
    const flag table[] = {
        split_dir_flag(&o->split_dir),
        split_name_flag(&o->split_name),
        models_flag(&o->models, &o->help,
                    "; baseline_copy, baseline_colour: no model (default "
                    "sam2_base_points,sam2_base_bbox,edgetam_points,edgetam_bbox)."),
        weights_dir_flag(&o->weights_dir),
        {.name = "priors",
         .kind = FLAG_STRING,
         .value = &o->priors,
         .meta = "DIR",
         .help = "Pictures of the objects, memories from before the clip, beside the prompt: DIR/VIDEO.json as track's "
                 "--prompts has them (default: none)."},
        {.name = "out_dir",
         .kind = FLAG_STRING,
         .value = &o->out_dir,
         .meta = "DIR",
         .help =
             "Where table, overlays and masks go (default SPLIT_DIR/benchmark_outputs, test_mode: ./test_outputs)."},
        {.name = "metric",
         .kind = FLAG_CHOICE,
         .value = &o->metric,
         .meta = "NAME",
         .choices = METRIC_CHOICES,
         .help = "Whose J and F (default sav: the convention of the published SA-V figures, with which objects "
                 "tracked one by one are scored one by one)."},
        {.name = "test_mode",
         .kind = FLAG_SWITCH,
         .value = &o->test_mode,
         .help =
             "Generate a clip of eight frames in OUT_DIR/test_split and use it, with random weights if --weights_dir is "
             "not given: a check of the set-up, not of quality."},
    };
    memcpy(f, table, sizeof table);
    return sizeof table / sizeof *table;
}

static int describe_how_much(flag *f, run_options *o)
{
    const flag table[] = {
        limit_videos_flag(&o->limit_videos, NULL),
        limit_objects_flag(&o->limit_objects, NULL),
        max_clip_frames_flag(&o->max_clip_frames, NULL),
        {.name = "shuffle_videos",
         .kind = FLAG_SWITCH,
         .value = &o->shuffle_videos,
         .help = "Shuffle the videos before --limit_videos (default: off)."},
        {.name = "seed",
         .kind = FLAG_INT,
         .value = &o->seed,
         .meta = "N",
         .max = 1 << 30,
         .help = "Of the shuffling, which it turns on (default 0)."},
        {.name = "resume",
         .group = "output",
         .kind = FLAG_SWITCH,
         .value = &o->resume,
         .help =
             "Continue the table in OUT_DIR: finished objects are not repeated (default: an old table is renamed)."},
        {.name = "save_overlays",
         .kind = FLAG_SWITCH,
         .value = &o->save_overlays,
         .help = "An mp4 per object and model with mask, contour, prompt and frame number (default: off)."},
        {.name = "save_masks",
         .kind = FLAG_SWITCH,
         .value = &o->save_masks,
         .help =
             "Masks as PNG for `sambench eval`, in the data set's own layout: OUT_DIR/masks/MODEL/VIDEO/OBJECT/FRAME.png, or "
             "VIDEO/FRAME.png with all objects for DAVIS, MOSE, YouTube-VOS (default: off)."},
        {.name = "save_frames",
         .kind = FLAG_SWITCH,
         .value = &o->save_frames,
         .help =
             "Time and scores of single frames and a picture of the worst one, for `sambench report` (default: on)."},
        {.name = "shard",
         .kind = FLAG_STRING,
         .value = &o->shard,
         .meta = "I/N",
         .help =
             "Do share I (from 0) of N, balanced by frames, in OUT_DIR/shard_I_of_N; `sambench merge OUT_DIR` puts them "
             "together (default auto: what Slurm or Open MPI says; none: all of the work)."},
        format_flag(&o->format),
        require_flag(&o->require),
        {.name = "quiet", .kind = FLAG_SWITCH, .value = &o->quiet, .help = "No progress, only errors and the summary."},
    };
    memcpy(f, table, sizeof table);
    return sizeof table / sizeof *table;
}

static int describe_how(flag *f, run_options *o)
{
    const flag table[] = {
        {.name = "max_frames_in_mem",
         .kind = FLAG_INT,
         .value = &o->max_frames_in_mem,
         .meta = "N",
         .min = 2,
         .max = 1 << 20,
         .help = "Frames decoded ahead at most (default 600, and never more than 256 MiB)."},
    };
    memcpy(f, table, sizeof table);
    return sizeof table / sizeof *table;
}

/* Defaults that depend on other flags. */
static sam_status settle(run_options *o, sam_error *err)
{
    if (!o->test_mode && !o->split_dir)
        return fail(err, SAM_E_ARG,
                    "--split_dir is missing: the folder with the annotated videos (or use --test_mode)");
    if (o->test_mode && o->split_dir)
        return fail(err, SAM_E_ARG, "--test_mode makes its own split: leave out --split_dir %s", o->split_dir);
    if (o->priors && !path_is_folder(o->priors))
        return fail(err, SAM_E_ARG, "--priors %s: no folder; expected one of VIDEO.json files", o->priors);
    const char *precisions = o->precisions;
    TRY(old_flags_settle(&o->old, "run", &precisions, err));
    TRY(run_sweep_parse(&o->sweep, o->sizes, o->test_mode ? TEST_IMGSZ : 0, precisions, err));
    o->split_given = o->split_name != NULL;
    o->split_name = o->split_given ? o->split_name : "sav_val";
    if (o->seed >= 0)
        o->shuffle_videos = 1;
    o->seed = o->seed < 0 ? 0 : o->seed;
    if (!o->out_dir && o->test_mode)
        o->out_dir = "test_outputs";
    if (!o->out_dir) {
        TRY(path_join(&o->default_out_dir, o->split_dir, "benchmark_outputs", err));
        o->out_dir = o->default_out_dir;
    }
    int n_columns;
    const figures_column *columns = summary_columns(&n_columns);
    TRY(require_parse(&o->required, o->require, columns, n_columns, err));
    return metric_from_name(o->metric, &o->metric_kind, err);
}

sam_status run_options_parse(const verb *v, int argc, char **argv, run_options *out, int *help, sam_error *err)
{
    *out = (run_options){.model = {.device = "auto"},
                         .metric = "sav",
                         .seed = -1,
                         .save_frames = 1,
                         .max_frames_in_mem = 600,
                         .old = OLD_FLAGS_NONE};
    flag flags[MAX_FLAGS] = {0};
    int n = describe_what(flags, out);
    n += describe_how_much(flags + n, out);
    n += describe_how(flags + n, out);
    flags[n++] = frame_flag(&out->model);
    flags[n++] = history_flag(&out->model, 0);
    flags[n++] = tracker_flag(&out->model);
    n += session_flags(&out->model, flags + n);
    n += describe_model(flags + n, out);
    n += old_flags_table(&out->old, flags + n);
    assert(n <= MAX_FLAGS);
    TRY(flags_parse(v, flags, n, argc, argv, help, err));
    return *help ? SAM_OK : settle(out, err);
}

void run_options_free(run_options *o)
{
    flag lists[3];
    flags_free(lists, list_flags(o, lists));
    free(o->default_out_dir);
    o->default_out_dir = NULL;
}
