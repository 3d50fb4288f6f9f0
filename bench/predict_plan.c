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
    const char *path;
    sam_model_options opt;
    json_t *list; /* of devices */
    char name[64];
    int image_px;
} predict_run;

static int prints(const predict_options *o)
{
    return !o->json || strcmp(o->json, "-");
}

static sam_status predict_on(predict_run *r, sam_model *m, const gpu_device *d, prediction *p, sam_error *err)
{
    const predict_options *o = r->o;
    const sam_session_options session = {.width_px = o->width, .height_px = o->height, .max_objects = o->n_objects};
    sam_stats memory;
    TRY(sam_session_plan(m, &session, &memory, err));
    TRY(predict_frame(p, m, d, o->n_objects, o->width, o->height, err));
    if (!*r->name && prints(o))
        printf("%s, %d px, frames of %d x %d, %d object%s, full memory bank; nothing below was measured\n",
               sam_model_name(m), sam_model_image_px(m), o->width, o->height, o->n_objects,
               o->n_objects == 1 ? "" : "s");
    snprintf(r->name, sizeof r->name, "%s", sam_model_name(m));
    r->image_px = sam_model_image_px(m);
    /* Without the kernels' own sizes the plan would be too small. */
    const sam_stats *known = op_cuda_select() ? &memory : NULL;
    if (prints(o))
        predict_print(p, known, N_TOP);
    return json_array_append_new(r->list, predict_json(p, known))
               ? fail(err, SAM_E_MEMORY, "out of memory: predictions")
               : SAM_OK;
}

/* The model and a session of it as they would be on `d`. */
static sam_status one_device(predict_run *r, const gpu_device *d, sam_error *err)
{
    const described_device described = {.shared_limit = (size_t)d->shared_kib * 1024,
                                        .multiprocessors = d->multiprocessors};
    prediction *p = malloc(sizeof *p);
    sam_model *m = NULL;
    if (!p)
        return fail(err, SAM_E_MEMORY, "no memory for a prediction");
    device_describe(&described);
    sam_status status = paper_model_open(r->path, &r->opt, &m, err);
    if (status == SAM_OK)
        status = predict_on(r, m, d, p, err);
    device_describe(NULL);
    sam_model_close(m);
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

sam_status predict_plan(const predict_options *o, const model_choice *choice, sam_error *err)
{
    char path[4096];
    predict_run r = {.o = o, .path = path, .opt = model_options(choice)};
    r.opt.backend = SAM_CUDA;
    r.opt.max_points = o->max_points;
    r.opt.max_prompted_frames = o->max_prompted_frames;
    TRY(model_resolve("plan", choice->weights, path, sizeof path, err));
    r.list = json_array();
    if (!r.list)
        return fail(err, SAM_E_MEMORY, "out of memory: predictions");
    sam_status status = all_devices(&r, err);
    if (status != SAM_OK || !o->json) {
        json_decref(r.list);
        return status;
    }
    json_t *root = json_pack("{s:s,s:s,s:i,s:i,s:i,s:i,s:o,s:o}", "model", r.name, "precision", model_precision(choice),
                             "imgsz", r.image_px, "width", o->width, "height", o->height, "objects", o->n_objects,
                             "shares", predict_shares_json(), "devices", r.list);
    return json_out(o->json, root, err);
}
