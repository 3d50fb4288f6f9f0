/* predict_plan.c - see predict_plan.h. */
#include "predict_plan.h"

#include "backend_paper.h"
#include "described_device.h"
#include "json_out.h"
#include "predict_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TOP = 12 };

/* What one run of --predict works on. */
typedef struct predict_run {
    const predict_options *o;
    sam_model *m;
    json_t *list; /* of devices */
} predict_run;

static int prints(const predict_options *o)
{
    return !o->json || strcmp(o->json, "-");
}

static sam_status predict_on(predict_run *r, const gpu_device *d, prediction *p, sam_error *err)
{
    const predict_options *o = r->o;
    const sam_session_options session = {
        .width_px = o->width, .height_px = o->height, .max_objects = o->n_objects, .history = o->history};
    sam_stats memory;
    TRY(sam_session_plan(r->m, &session, &memory, err));
    TRY(predict_frame(p, r->m, d, o->n_objects, o->width, o->height, err));
    if (!json_array_size(r->list) && prints(o))
        printf("%s, %d px, frames of %d x %d, %d object%s, full memory bank; nothing below was measured\n",
               sam_model_name(r->m), sam_model_image_px(r->m), o->width, o->height, o->n_objects,
               o->n_objects == 1 ? "" : "s");
    /* Without the kernels' own sizes the plan would be too small. */
    const sam_stats *known = op_cuda_select() ? &memory : NULL;
    if (prints(o))
        predict_print(p, known, N_TOP);
    return json_array_append_new(r->list, predict_json(p, known))
               ? fail(err, SAM_E_MEMORY, "out of memory: predictions")
               : SAM_OK;
}

/* A session of the model as it would be on `d`. The model itself is the same on all. */
static sam_status one_device(predict_run *r, const gpu_device *d, sam_error *err)
{
    const described_device described = {.shared_limit = (size_t)d->shared_kib * 1024,
                                        .multiprocessors = d->multiprocessors};
    prediction *p = malloc(sizeof *p);
    if (!p)
        return fail(err, SAM_E_MEMORY, "no memory for a prediction");
    device_describe(&described);
    sam_status status = predict_on(r, d, p, err);
    device_describe(NULL);
    free(p);
    return status;
}

static sam_status unknown_device(const char *name, size_t n, sam_error *err)
{
    char known[256] = "";
    for (int i = 0; i < n_gpu_devices; i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", gpu_devices[i].name);
    return fail(err, SAM_E_ARG, "--predict %.*s: expected all, or some of %s", (int)(n < 60 ? n : 60), name, known);
}

static sam_status all_devices(predict_run *r, sam_error *err)
{
    const char *names = r->o->devices;
    if (!strcmp(names, "all")) {
        for (int i = 0; i < n_gpu_devices; i++)
            TRY(one_device(r, &gpu_devices[i], err));
        return SAM_OK;
    }
    do {
        size_t n = strcspn(names, ",");
        const gpu_device *d = gpu_device_find(names, n);
        if (!d)
            return unknown_device(names, n, err);
        TRY(one_device(r, d, err));
        names += n + (names[n] == ',');
    } while (*names);
    return SAM_OK;
}

static sam_status open_and_predict(predict_run *r, const model_choice *choice, sam_error *err)
{
    char path[4096];
    sam_model_options opt = model_options(choice);
    opt.backend = SAM_CUDA;
    opt.max_points = r->o->max_points;
    opt.max_prompted_frames = r->o->max_prompted_frames;
    TRY(model_resolve("plan", choice->weights, path, sizeof path, err));
    TRY(paper_model_open(path, &opt, &r->m, err));
    TRY(all_devices(r, err));
    if (!r->o->json)
        return SAM_OK;
    const predict_options *o = r->o;
    json_t *root = json_pack("{s:s,s:s,s:i,s:i,s:i,s:i,s:o,s:O}", "model", sam_model_name(r->m), "precision",
                             model_precision(choice), "imgsz", sam_model_image_px(r->m), "width", o->width, "height",
                             o->height, "objects", o->n_objects, "shares", predict_shares_json(), "devices", r->list);
    return json_out(o->json, root, err);
}

sam_status predict_plan(const predict_options *o, const model_choice *choice, sam_error *err)
{
    predict_run r = {.o = o, .list = json_array()};
    sam_status status =
        r.list ? open_and_predict(&r, choice, err) : fail(err, SAM_E_MEMORY, "out of memory: predictions");
    sam_model_close(r.m);
    json_decref(r.list);
    return status;
}
