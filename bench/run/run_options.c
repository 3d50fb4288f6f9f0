/* run_options.c - see run_options.h. */
#include "run_options.h"

#include "listing.h"

#include <stdlib.h>
#include <string.h>

enum { N_FLAGS = 27 + N_SESSION_FLAGS + N_LIBRARY_FLAGS, TEST_IMGSZ = 256, MAX_IMGSZ = 4096 };

static void describe_what(flag *f, run_options *o)
{
    const flag table[] = {
        split_dir_flag(&o->split_dir),
        split_name_flag(&o->split_name),
        models_flag(&o->models, &o->help,
                    "; baseline_copy, baseline_colour: no model (default "
                    "sam2_base_points,sam2_base_bbox,edgetam_points,edgetam_bbox)."),
        weights_dir_flag(&o->weights_dir),
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
}

static void describe_how_much(flag *f, run_options *o)
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
        {.name = "quiet", .kind = FLAG_SWITCH, .value = &o->quiet, .help = "No progress, only errors and the summary."},
    };
    memcpy(f, table, sizeof table);
}

static void describe_how(flag *f, run_options *o)
{
    const flag table[] = {
        {.name = "imgsz",
         .kind = FLAG_INT,
         .value = &o->model.image_px,
         .meta = "PX",
         .min = 64,
         .max = MAX_IMGSZ,
         .help =
             "Side of the model's input, a multiple of 32 (default: what the model was made for, 1024, demos: 256; test_mode: 256)."},
        {.name = "precision",
         .kind = FLAG_CHOICE,
         .value = &o->model.precision,
         .meta = "TYPE",
         .choices = "fp32|fp16|bf16",
         .help = "What the model computes in (default fp32)."},
        {.name = "device",
         .kind = FLAG_CHOICE,
         .value = &o->model.device,
         .meta = "NAME",
         .choices = "cpu|cuda|auto",
         .help = "Where it runs (default auto: the GPU if this build and machine have one)."},
        {.name = "threads",
         .kind = FLAG_INT,
         .value = &o->model.n_threads,
         .meta = "N",
         .min = 1,
         .max = 1024,
         .help = "Threads of the CPU backend (default: one per processor)."},
        {.name = "mem_limit",
         .kind = FLAG_BYTES,
         .value = &o->model.mem_limit,
         .meta = "BYTES",
         .help = "Refuse a model that plans more than this, as 600M or 2G (default: no limit)."},
        {.name = "max_frames_in_mem",
         .kind = FLAG_INT,
         .value = &o->max_frames_in_mem,
         .meta = "N",
         .min = 2,
         .max = 1 << 20,
         .help = "Frames decoded ahead at most (default 600, and never more than 256 MiB)."},
    };
    memcpy(f, table, sizeof table);
}

/* Defaults that depend on other flags. */
static sam_status settle(run_options *o, sam_error *err)
{
    if (!o->test_mode && !o->split_dir)
        return fail(err, SAM_E_ARG,
                    "--split_dir is missing: the folder with the annotated videos (or use --test_mode)");
    if (o->test_mode && o->split_dir)
        return fail(err, SAM_E_ARG, "--test_mode makes its own split: leave out --split_dir %s", o->split_dir);
    int px = o->model.image_px || !o->test_mode ? o->model.image_px : TEST_IMGSZ;
    if (px % 32)
        return fail(err, SAM_E_ARG, "--imgsz %d: not a multiple of 32; the nearest are %d and %d", px, px / 32 * 32,
                    px / 32 * 32 + 32);
    o->model.image_px = px;
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
    return metric_from_name(o->metric, &o->metric_kind, err);
}

sam_status run_options_parse(const verb *v, int argc, char **argv, run_options *out, int *help, sam_error *err)
{
    *out = (run_options){.model = {.precision = "fp32", .device = "auto"},
                         .metric = "sav",
                         .seed = -1,
                         .save_frames = 1,
                         .max_frames_in_mem = 600};
    flag flags[N_FLAGS] = {0};
    describe_what(flags, out);
    describe_how_much(flags + 7, out);
    describe_how(flags + 18, out);
    flags[24] = frame_flag(&out->model);
    flags[25] = history_flag(&out->model, 0);
    flags[26] = tracker_flag(&out->model);
    session_flags(&out->model, flags + 27);
    library_flags(&out->model, flags + 27 + N_SESSION_FLAGS);
    TRY(flags_parse(v, flags, N_FLAGS, argc, argv, help, err));
    return *help ? SAM_OK : settle(out, err);
}

void run_options_free(run_options *o)
{
    flag models = {.name = "models", .kind = FLAG_STRING, .choices = "list", .value = &o->models};
    flags_free(&models, 1);
    free(o->default_out_dir);
    o->default_out_dir = NULL;
}
