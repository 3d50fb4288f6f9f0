/* workload.c - see workload.h. */
#include "workload.h"

#include "folders.h"
#include "test_mode.h"
#include "weights_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEST_IMGSZ = 256 };

static int flags_what(workload *w, flag *to)
{
    const flag flags[] = {
        split_dir_flag(&w->split_dir),
        split_name_flag(&w->split_name),
        models_flag(&w->models, &w->help, " (default " WORKLOAD_MODELS ")."),
        weights_dir_flag(&w->weights_dir),
        {.name = "out_dir",
         .kind = FLAG_STRING,
         .value = &w->out_dir,
         .meta = "DIR",
         .help = "Where the files go (default: a folder with the name of the verb)."},
        {.name = "test_mode",
         .kind = FLAG_SWITCH,
         .value = &w->test_mode,
         .help =
             "Generate a clip of eight frames and use it, with random weights if --weights_dir is not given: a check of "
             "the set-up."},
        limit_videos_flag(&w->limit_videos,
                          "The first N videos only; 0: all (default: 1 for profile, else all or the preset's)."),
        limit_objects_flag(
            &w->limit_objects,
            "The first N objects of each video only; 0: all (default: 1 for profile, else all or the preset's)."),
        max_clip_frames_flag(
            &w->max_clip_frames,
            "Stop N frames from the prompt on, as if the video ended there; 0: never (default, but for presets)."),
        {.name = "quiet",
         .kind = FLAG_SWITCH,
         .value = &w->quiet,
         .help = "No progress, only errors and the figures (default: off)."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

static int flags_how(workload *w, flag *to)
{
    const flag flags[] = {
        {.name = "max_frames_in_mem",
         .kind = FLAG_INT,
         .value = &w->max_frames_in_mem,
         .meta = "N",
         .min = 2,
         .max = 1 << 20,
         .help = "Frames decoded ahead at most (default 600, and never more than 256 MiB)."},
    };
    memcpy(to, flags, sizeof flags);
    /* Those of a single model, but for the weights, which are searched by name. */
    flag model[N_MODEL_FLAGS];
    int n = model_flags(&w->model, model), count = 1;
    for (int i = 0; i < n; i++)
        if (strcmp(model[i].name, "weights"))
            to[count++] = model[i];
    return count;
}

int workload_flags(workload *w, flag *to)
{
    int n = flags_what(w, to);
    return n + flags_how(w, to + n);
}

/* ---- models ---- */

static sam_status find_weights(workload *w, sam_error *err)
{
    int random = w->test_mode && !w->weights_dir;
    if (random)
        fprintf(stderr, "sambench %s: no --weights_dir: random weights are made\n", w->verb);
    for (int i = 0; i < w->list.n; i++) {
        const char *name = w->list.entries[i].checkpoint;
        if (workload_weights(w, &w->list.entries[i]))
            continue;
        if (w->n_checkpoints == WORKLOAD_MAX_CHECKPOINTS)
            return fail(err, SAM_E_ARG, "--models: more than %d weights files at once", WORKLOAD_MAX_CHECKPOINTS);
        w->checkpoints[w->n_checkpoints].name = name;
        char **path = &w->checkpoints[w->n_checkpoints++].weights;
        TRY(random && !w->list.entries[i].file ? test_mode_weights(w->out_dir, name, path, err)
                                               : weights_find_entry(w->weights_dir, &w->list.entries[i], path, err));
    }
    return SAM_OK;
}

const char *workload_weights(const workload *w, const model_entry *e)
{
    for (int c = 0; c < w->n_checkpoints; c++)
        if (!strcmp(w->checkpoints[c].name, e->checkpoint))
            return w->checkpoints[c].weights;
    return NULL;
}

static sam_status open_models(workload *w, const char *verb, sam_error *err)
{
    w->verb = verb;
    w->model.device_said = &w->device_said;
    TRY(model_list_parse(w->models ? w->models : WORKLOAD_MODELS, MODELS_ONLY, &w->list, err));
    int px = w->model.image_px ? w->model.image_px : w->test_mode ? TEST_IMGSZ : model_list_px(&w->list);
    TRY(imgsz_check(px, err));
    w->model.image_px = px;
    TRY(folders_make(w->out_dir, err));
    return find_weights(w, err);
}

/* ---- split ---- */

static sam_status open_split(workload *w, sam_error *err)
{
    const char *folder = w->split_dir;
    if (!w->test_mode && !w->split_dir)
        return fail(err, SAM_E_ARG,
                    "--split_dir is missing: the folder with the annotated videos (or use --test_mode)");
    if (w->test_mode && w->split_dir)
        return fail(err, SAM_E_ARG, "--test_mode makes its own split: leave out --split_dir %s", w->split_dir);
    const char *name = w->split_name ? w->split_name : "sav_val";
    if (w->test_mode) {
        TRY(test_mode_split(w->out_dir, name, &w->test_split, err));
        folder = w->test_split;
    }
    const dataset_options options = {.split_name = name,
                                     .split_required = w->split_name != NULL,
                                     .limit_videos = w->limit_videos,
                                     .limit_objects = w->limit_objects};
    return dataset_open(&w->set, folder, &options, err);
}

sam_status workload_open(workload *w, const char *verb, sam_error *err)
{
    TRY(open_models(w, verb, err));
    return open_split(w, err);
}

void workload_close(workload *w)
{
    for (int c = 0; c < w->n_checkpoints; c++)
        free(w->checkpoints[c].weights);
    dataset_close(&w->set);
    model_list_free(&w->list);
    flag models = {.name = "models", .kind = FLAG_STRING, .choices = "list", .value = &w->models};
    flags_free(&models, 1);
    free(w->test_split);
    *w = (workload){0};
}
