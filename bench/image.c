/* image.c - the verb `image`: prompts and one image in, masks and their predicted quality out. */
#include "dump.h"
#include "folder_lock.h"
#include "folders.h"
#include "frames.h"
#include "image_io.h"
#include "open_model.h"
#include "overlay.h"
#include "prompt_flags.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096, MAX_MASKS = 3 };

typedef struct image_options {
    model_choice model;
    prompt_choice prompts;
    const char *input, *out, *dump;
    int multimask; /* -1: not given */
    int quiet;
} image_options;

/* Everything one run holds; closed in one place. */
typedef struct image_run {
    const image_options *o;
    const prompt_file *prompts;
    frame_source *frames;
    const frame *f;
    sam_model *model;
    sam_session *session;
    uint8_t *pixels;         /* the picture drawn on                    */
    uint8_t *mask;           /* the mask being written                  */
    overlay_object *objects; /* [n_objects] with a copy of the best mask */
    dump tensors;
    folder_lock lock;  /* of --out */
    sam_error tap_err; /* of the first value that could not be kept */
} image_run;

/* ---- the features, which only the tap sees ------------------------------------------------------------------------ */

static void see(void *user, const char *graph, const char *name, int n_objects, const tensor *t)
{
    static const struct {
        const char *graph, *name, *dumped;
    } kept[] = {{"encode", "high_res_0", "features/high_res_0"},
                {"encode", "high_res_1", "features/high_res_1"},
                {"first", "pix_feat", "features/image_embed"}};
    image_run *r = user;
    (void)n_objects;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (strcmp(graph, kept[i].graph) || strcmp(name, kept[i].name))
            continue;
        for (size_t k = 0; k < r->tensors.n; k++)
            if (!strcmp(r->tensors.tensors[k].name, kept[i].dumped))
                return; /* of an earlier prompt on the same image */
        if (r->tap_err.status == SAM_OK)
            dump_tensor(&r->tensors, kept[i].dumped, t, &r->tap_err);
        return;
    }
}

/* ---- prompts ------------------------------------------------------------------------------------------------------ */

/* Previous low-res logits: the first tensor of the file with side * side f32 elements, copied to *out. */
static sam_status read_logits(const char *path, int side, float **out, sam_error *err)
{
    st_file file;
    int64_t n = (int64_t)side * side;
    TRY(st_open(path, &file, err));
    const st_tensor *found = NULL;
    for (size_t i = 0; !found && i < file.n_tensors; i++)
        if (file.tensors[i].dtype == ST_F32 && st_count(&file.tensors[i]) == n)
            found = &file.tensors[i];
    sam_status status = SAM_OK;
    if (!found)
        status = fail(err, SAM_E_FORMAT,
                      "%s: holds no F32 tensor of %d x %d elements, as low-res logits are at this --imgsz", path, side,
                      side);
    else if (!(*out = malloc(found->n_bytes)))
        status = fail(err, SAM_E_MEMORY, "%s: no memory for its logits", path);
    else
        memcpy(*out, found->data, found->n_bytes);
    st_close(&file);
    return status;
}

/* The object's one prompt. */
static sam_status prompt_of(const prompt_object *o, const prompt **out, sam_error *err)
{
    const prompt *p = &o->prompts[0];
    if (o->n_prompts > 1 || p->frame != 0)
        return fail(err, SAM_E_ARG, "object %d has a prompt on frame %d; an image has frame 0 only", (int)o->id,
                    o->prompts[o->n_prompts - 1].frame);
    if (p->when != PROMPT_BEFORE)
        return fail(err, SAM_E_ARG, "object %d: an image has no prompts \"when\": \"tracked\"", (int)o->id);
    if (p->mask_path)
        return fail(err, SAM_E_ARG, "object %d: images take points, a box or previous logits, not a mask", (int)o->id);
    *out = p;
    return SAM_OK;
}

/* Flags ask for three masks of a single click only, as it is ambiguous; a JSON file says it. */
static int wants_multimask(const image_options *o, const prompt *p)
{
    if (o->multimask >= 0)
        return o->multimask;
    return o->prompts.json ? o->prompts.file.multimask : p->n_points == 1 && !p->has_box;
}

static sam_status predict(image_run *r, const prompt_object *o, sam_mask masks[MAX_MASKS], int *n_masks, sam_error *err)
{
    const prompt *p = NULL;
    sam_error cause = {0};
    float *logits = NULL;
    TRY(prompt_of(o, &p, err));
    if (p->logits_path)
        TRY(read_logits(p->logits_path, sam_model_image_px(r->model) / 4, &logits, err));
    sam_prompt_set set = {.points = p->points,
                          .n_points = p->n_points,
                          .box = p->has_box ? &p->box : NULL,
                          .logits = logits,
                          .single_mask = !wants_multimask(r->o, p)};
    sam_status status = sam_image_predict(r->session, &set, masks, n_masks, &cause);
    free(logits);
    return status == SAM_OK ? SAM_OK : fail(err, status, "object %d: %s", (int)o->id, cause.text);
}

/* ---- results ------------------------------------------------------------------------------------------------------ */

static sam_status write_masks(const image_run *r, int id, const sam_mask *masks, int n_masks, sam_error *err)
{
    char path[PATH_BYTES];
    for (int i = 0; i < n_masks; i++) {
        int n = r->prompts->n_objects == 1 ? snprintf(path, sizeof path, "%s/mask_%d.png", r->o->out, i)
                                           : snprintf(path, sizeof path, "%s/object_%d_mask_%d.png", r->o->out, id, i);
        if (n < 0 || n >= PATH_BYTES)
            return fail(err, SAM_E_ARG, "--out: the path is too long");
        sam_mask_bytes(&masks[i], r->mask, (size_t)r->f->width);
        TRY(image_write_mask(path, r->mask, (size_t)r->f->width, r->f->width, r->f->height, 0, err));
    }
    return SAM_OK;
}

static sam_status dump_masks(image_run *r, int id, const sam_mask *masks, int n_masks, sam_error *err)
{
    char name[64];
    float ious[MAX_MASKS];
    int side = masks[0].logits_px;
    size_t n = (size_t)side * (size_t)side;
    float *logits = malloc((size_t)n_masks * n * sizeof *logits);
    if (!logits)
        return fail(err, SAM_E_MEMORY, "no memory to dump logits");
    for (int i = 0; i < n_masks; i++) {
        ious[i] = masks[i].iou;
        memcpy(logits + (size_t)i * n, masks[i].logits, n * sizeof *logits);
    }
    snprintf(name, sizeof name, "image/obj_%d/low_res_logits", id);
    sam_status status = dump_f32(&r->tensors, name, logits, 3, (int64_t[]){n_masks, side, side}, err);
    free(logits);
    snprintf(name, sizeof name, "image/obj_%d/iou", id);
    return status == SAM_OK ? dump_f32(&r->tensors, name, ious, 1, (int64_t[]){n_masks}, err) : status;
}

static int best_mask(const sam_mask *masks, int n_masks)
{
    int best = 0;
    for (int i = 1; i < n_masks; i++)
        best = masks[i].iou > masks[best].iou ? i : best;
    return best;
}

/* Masks are the session's until its next call, so the one to draw is copied. */
static sam_status keep_for_overlay(image_run *r, int index, const sam_mask *m, sam_error *err)
{
    const prompt *p = &r->prompts->objects[index].prompts[0];
    size_t width = (size_t)r->f->width;
    uint8_t *copy = malloc(width * (size_t)r->f->height);
    if (!copy)
        return fail(err, SAM_E_MEMORY, "no memory for an overlay");
    sam_mask_bytes(m, copy, width);
    r->objects[index] = (overlay_object){.id = (int)r->prompts->objects[index].id,
                                         .mask = copy,
                                         .mask_row_bytes = width,
                                         .points = p->points,
                                         .n_points = p->n_points,
                                         .box = p->has_box ? &p->box : NULL};
    return SAM_OK;
}

static void print_masks(int id, const sam_mask *masks, int n_masks)
{
    int best = best_mask(masks, n_masks);
    for (int i = 0; i < n_masks; i++) {
        const sam_mask *m = &masks[i];
        char box[80] = "";
        if (m->area_px)
            snprintf(box, sizeof box, ", box %.0f,%.0f,%.0f,%.0f", (double)m->box.x0_px, (double)m->box.y0_px,
                     (double)m->box.x1_px, (double)m->box.y1_px);
        printf("object %d, mask %d: predicted IoU %.4f, %d px (%.2f%%)%s%s\n", id, i, (double)m->iou, (int)m->area_px,
               100.0 * m->area_px / ((double)m->width_px * m->height_px), box,
               n_masks > 1 && i == best ? ", best" : "");
    }
}

static sam_status segment_objects(image_run *r, sam_error *err)
{
    for (int i = 0; i < r->prompts->n_objects; i++) {
        const prompt_object *o = &r->prompts->objects[i];
        sam_mask masks[MAX_MASKS];
        int n_masks = 0;
        TRY(predict(r, o, masks, &n_masks, err));
        if (r->o->out) {
            TRY(write_masks(r, (int)o->id, masks, n_masks, err));
            TRY(keep_for_overlay(r, i, &masks[best_mask(masks, n_masks)], err));
        }
        if (r->o->dump)
            TRY(dump_masks(r, (int)o->id, masks, n_masks, err));
        if (!r->o->quiet)
            print_masks((int)o->id, masks, n_masks);
    }
    return SAM_OK;
}

static sam_status write_overlay(image_run *r, sam_error *err)
{
    char path[PATH_BYTES];
    size_t row = 3 * (size_t)r->f->width;
    int n = snprintf(path, sizeof path, "%s/overlay.png", r->o->out);
    if (n < 0 || n >= PATH_BYTES)
        return fail(err, SAM_E_ARG, "--out: the path is too long");
    memcpy(r->pixels, r->f->rgb, row * (size_t)r->f->height);
    overlay_draw(&(canvas){r->pixels, r->f->width, r->f->height, row}, r->objects, r->prompts->n_objects, -1);
    return image_write_rgb(path, r->pixels, row, r->f->width, r->f->height, err);
}

/* ---- the run ------------------------------------------------------------------------------------------------------ */

static sam_status open_input(image_run *r, sam_error *err)
{
    const prompt *p = NULL;
    for (int i = 0; i < r->prompts->n_objects; i++)
        TRY(prompt_of(&r->prompts->objects[i], &p, err));
    TRY(frames_open(r->o->input, &(frames_options){.max_frames = 1, .prefetch = 2}, &r->frames, err));
    TRY(frames_next(r->frames, &r->f, err));
    if (!r->f)
        return fail(err, SAM_E_FORMAT, "%s: holds no image", r->o->input);
    if (r->o->dump)
        TRY(folders_make_for(r->o->dump, err));
    if (!r->o->out)
        return SAM_OK;
    TRY(folder_lock_take(&r->lock, r->o->out, err));
    r->pixels = malloc(3 * (size_t)r->f->width * (size_t)r->f->height);
    r->mask = malloc((size_t)r->f->width * (size_t)r->f->height);
    r->objects = calloc((size_t)r->prompts->n_objects, sizeof *r->objects);
    return r->pixels && r->mask && r->objects ? SAM_OK : fail(err, SAM_E_MEMORY, "no memory for an overlay");
}

static sam_status segment(image_run *r, sam_error *err)
{
    sam_stats stats;
    TRY(open_input(r, err));
    TRY(model_open("image", &r->o->model, prompts_max_points(r->prompts), 1, &r->model, err));
    sam_session_options opt = {
        .width_px = r->f->width, .height_px = r->f->height, .mode = SAM_IMAGE, .mem_limit = r->o->model.mem_limit};
    TRY(sam_session_open(r->model, &opt, &r->session, err));
    if (r->o->dump)
        session_tap(r->session, (tap){.see = see, .user = r});
    TRY(sam_push_frame(r->session, &r->f->input, err));
    TRY(segment_objects(r, err));
    if (r->tap_err.status != SAM_OK)
        return fail(err, r->tap_err.status, "%s", r->tap_err.text);
    if (r->o->dump)
        TRY(dump_write(&r->tensors, r->o->dump, err));
    if (r->o->out)
        TRY(write_overlay(r, err));
    TRY(sam_get_stats(r->session, &stats, err));
    if (!r->o->quiet)
        printf("%s, %s, %d px, %s (%s): encode %.1f ms, decode %.1f ms a prompt\n", sam_model_name(r->model),
               model_precision(&r->o->model), sam_model_image_px(r->model), stats.backend, stats.device,
               stats.encode_ms, stats.mask_decoder_ms);
    return SAM_OK;
}

static int run_image(const image_options *o)
{
    sam_error err = {0};
    image_run r = {.o = o, .prompts = &o->prompts.file};
    sam_status status = segment(&r, &err);
    if (status != SAM_OK)
        fprintf(stderr, "sambench image: %s\n", err.text);
    for (int i = 0; r.objects && i < r.prompts->n_objects; i++)
        free((void *)r.objects[i].mask);
    free(r.objects);
    free(r.pixels);
    free(r.mask);
    dump_free(&r.tensors);
    folder_lock_free(&r.lock);
    sam_session_close(r.session);
    sam_model_close(r.model);
    frames_release(r.frames, r.f);
    frames_close(r.frames);
    return status == SAM_OK ? 0 : 1;
}

static int own_flags(image_options *o, flag *to)
{
    const flag flags[] = {
        {.name = "input",
         .kind = FLAG_STRING,
         .value = &o->input,
         .meta = "PATH",
         .required = 1,
         .help = "A JPEG or PNG image; of a folder or video its first frame."},
        {.name = "out",
         .kind = FLAG_STRING,
         .value = &o->out,
         .meta = "DIR",
         .help = "Where mask_0.png ... and overlay.png go (default: nowhere)."},
        {.name = "dump",
         .kind = FLAG_STRING,
         .value = &o->dump,
         .meta = "FILE",
         .help = "Low-res logits, predicted IoUs and image features, safetensors."},
        {.name = "multimask",
         .kind = FLAG_SWITCH,
         .value = &o->multimask,
         .help = "Three masks (default: for a single click; with --prompts what the file says); --no-multimask: one."},
        {.name = "quiet", .kind = FLAG_SWITCH, .value = &o->quiet, .help = "Print nothing but errors."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

extern const verb verb_image;

static int image_main(int argc, char **argv)
{
    image_options o = {.prompts = {.id = 1}, .multimask = -1};
    flag flags[48];
    int n = model_flags(&o.model, flags), help;
    n += own_flags(&o, flags + n);
    n += prompt_flags(&o.prompts, flags + n);
    sam_error err;
    sam_status status = flags_parse(&verb_image, flags, n, argc, argv, &help, &err);
    if (status == SAM_OK && help)
        return 0;
    int usage = status != SAM_OK;
    if (status == SAM_OK)
        status = prompt_choice_finish(&o.prompts, &usage, &err);
    int code = usage ? 2 : 1;
    if (status == SAM_OK)
        code = run_image(&o);
    else
        fprintf(stderr, "sambench image: %s\n", err.text);
    prompt_choice_free(&o.prompts);
    return code;
}

const verb verb_image = {
    .name = "image",
    .summary = "segment one image by clicks and boxes",
    .examples = "  sambench image --weights sam2.1_hiera_tiny.pt --input truck.jpg --point 500,375 --out out\n"
                "  sambench image --weights sam2.1_hiera_tiny.pt --input truck.jpg --box 425,600,700,875 --out out\n",
    .main = image_main,
};
