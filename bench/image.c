/* image.c - the verb `image`: prompts and images in, masks and their predicted quality out. An image is encoded once; its
 * prompts are decoded in batches. */
#include "boxes.h"
#include "dump.h"
#include "folders.h"
#include "frames.h"
#include "image_format.h"
#include "image_inputs.h"
#include "image_io.h"
#include "image_results.h"
#include "open_model.h"
#include "prompt_flags.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AT_ONCE = 16 }; /* prompt sets of one batch; fewer where memory is short */

typedef struct image_options {
    model_choice model;
    prompt_choice prompts;
    const char *input, *out, *dump, *json, *boxes;
    int multimask; /* -1: not given */
    int quiet;
} image_options;

/* Everything one run holds; closed in one place. */
typedef struct image_run {
    const image_options *o;
    image_inputs inputs;
    const char *folder; /* of the image that is being read, for results; NULL: none */
    boxes detected;
    sam_model *model;
    sam_session *session;
    int width, height, batch; /* what the session is open for */
    dump tensors;
    sam_error tap_err; /* of the first value that could not be kept */
} image_run;

/* One image. */
typedef struct one_image {
    const char *path;
    const frame *f;
    const prompt_file *prompts;
    image_results results;
} one_image;

/* ---- the features, which only the tap sees ------------------------------------------------------------------------ */

static void see(void *user, const char *graph, const char *name, int n_objects, const tensor *t)
{
    static const struct {
        const char *graph, *name, *dumped;
        int images_only; /* a model that tracks adds to these features before it decodes */
    } kept[] = {{"encode", "high_res_0", "features/high_res_0", 0},
                {"encode", "high_res_1", "features/high_res_1", 0},
                {"encode", "features", "features/image_embed", 1},
                {"image", "image_embed", "features/image_embed", 0},
                {"image_mask", "image_embed", "features/image_embed", 0}};
    image_run *r = user;
    (void)n_objects;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (strcmp(graph, kept[i].graph) || strcmp(name, kept[i].name) ||
            (kept[i].images_only && sam_model_takes(r->model, SAM_VIDEO)))
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
    if (o->n_prompts > 1 || (p->frame != 0 && !p->image_path))
        return fail(err, SAM_E_ARG, "object %d has a prompt on frame %d; an image has frame 0 only", (int)o->id,
                    o->prompts[o->n_prompts - 1].frame);
    if (p->image_path)
        return fail(err, SAM_E_ARG, "object %d has a prompt on another picture, %s: that is for `sambench track`",
                    (int)o->id, p->image_path);
    if (p->when != PROMPT_BEFORE)
        return fail(err, SAM_E_ARG, "object %d: an image has no prompts \"when\": \"tracked\"", (int)o->id);
    if (p->has_box && !(p->box.x1_px > p->box.x0_px && p->box.y1_px > p->box.y0_px) && p->box.x1_px >= p->box.x0_px &&
        p->box.y1_px >= p->box.y0_px)
        return fail(err, SAM_E_ARG, "object %d: the box (%g, %g, %g, %g) has no area", (int)o->id, (double)p->box.x0_px,
                    (double)p->box.y0_px, (double)p->box.x1_px, (double)p->box.y1_px);
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

/* What is read for a prompt set, freed after the call. */
typedef struct prompt_data {
    float *logits;
    image mask; /* of any size */
} prompt_data;

static sam_status set_of(const image_run *r, const prompt_object *o, prompt_data *data, sam_prompt_set *set,
                         sam_error *err)
{
    const prompt *p = NULL;
    TRY(prompt_of(o, &p, err));
    if (p->logits_path)
        TRY(read_logits(p->logits_path, sam_model_image_px(r->model) / 4, &data->logits, err));
    if (prompt_has_mask(p))
        TRY(prompt_read_mask(p, &data->mask, err));
    *set = (sam_prompt_set){.points = p->points,
                            .n_points = p->n_points,
                            .box = p->has_box ? &p->box : NULL,
                            .logits = data->logits,
                            .mask = data->mask.data,
                            .mask_row_bytes = (size_t)data->mask.width,
                            .mask_width_px = data->mask.width,
                            .mask_height_px = data->mask.height,
                            .single_mask = !wants_multimask(r->o, p)};
    return SAM_OK;
}

/* ---- results ------------------------------------------------------------------------------------------------------ */

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

static sam_status take_masks(image_run *r, one_image *i, int index, const sam_mask *masks, int n_masks, sam_error *err)
{
    int id = (int)i->prompts->objects[index].id;
    TRY(image_results_add(&i->results, index, masks, n_masks, err));
    if (r->o->dump)
        TRY(dump_masks(r, id, masks, n_masks, err));
    if (!r->o->quiet)
        print_masks(id, masks, n_masks);
    return SAM_OK;
}

/* Objects first .. first + n - 1 in one call. */
static sam_status segment_batch(image_run *r, one_image *i, int first, int n, sam_error *err)
{
    sam_prompt_set sets[MOST_AT_ONCE];
    prompt_data data[MOST_AT_ONCE] = {{0}};
    sam_mask masks[MAX_MASKS * MOST_AT_ONCE];
    int n_masks[MOST_AT_ONCE];
    sam_error cause = {0};
    sam_status status = SAM_OK;
    for (int k = 0; k < n && status == SAM_OK; k++)
        status = set_of(r, &i->prompts->objects[first + k], &data[k], &sets[k], err);
    if (status == SAM_OK) {
        status = sam_image_predict(r->session, sets, n, masks, n_masks, &cause);
        if (status != SAM_OK && n == 1)
            fail(err, status, "object %d: %s", (int)i->prompts->objects[first].id, cause.text);
        else if (status != SAM_OK)
            fail(err, status, "objects %d to %d: %s", (int)i->prompts->objects[first].id,
                 (int)i->prompts->objects[first + n - 1].id, cause.text);
    }
    for (int k = 0; k < n && status == SAM_OK; k++)
        status = take_masks(r, i, first + k, &masks[MAX_MASKS * k], n_masks[k], err);
    for (int k = 0; k < n; k++) {
        free(data[k].logits);
        image_free(&data[k].mask);
    }
    return status;
}

/* ---- the run ------------------------------------------------------------------------------------------------------ */

/* A session for images of this size that decodes n prompt sets at once, or as many as memory allows. */
static sam_status session_for(image_run *r, int width, int height, int n, sam_error *err)
{
    int batch = n < 1 ? 1 : n > MOST_AT_ONCE ? MOST_AT_ONCE : n;
    if (r->session && r->width == width && r->height == height && r->batch >= batch)
        return SAM_OK;
    sam_session_close(r->session);
    r->session = NULL;
    for (;; batch /= 2) {
        const sam_session_options opt = {.width_px = width,
                                         .height_px = height,
                                         .mode = SAM_IMAGE,
                                         .max_objects = batch,
                                         .mem_limit = r->o->model.mem_limit};
        sam_status status = sam_session_open(r->model, &opt, &r->session, err);
        if (status == SAM_E_MEMORY && batch > 1)
            continue;
        TRY(status);
        r->width = width;
        r->height = height;
        r->batch = batch;
        if (r->o->dump)
            session_tap(r->session, (tap){.see = see, .user = r});
        return SAM_OK;
    }
}

static sam_status segment_image(image_run *r, one_image *i, sam_error *err)
{
    sam_stats stats;
    double decode_ms = 0;
    int n = i->prompts->n_objects;
    TRY(image_results_open(&i->results, i->f, i->prompts, i->path, r->folder, r->o->json != NULL, err));
    TRY(session_for(r, i->f->width, i->f->height, n, err));
    TRY(sam_push_frame(r->session, &i->f->input, err));
    TRY(sam_get_stats(r->session, &stats, err));
    for (int first = 0; first < n; first += r->batch) {
        TRY(segment_batch(r, i, first, n - first < r->batch ? n - first : r->batch, err));
        TRY(sam_get_stats(r->session, &stats, err));
        decode_ms += stats.stage_ms[SAM_MASK_DECODER];
    }
    if (r->tap_err.status != SAM_OK)
        return fail(err, r->tap_err.status, "%s", r->tap_err.text);
    TRY(image_results_finish(&i->results, err));
    if (i->results.json)
        TRY(image_inputs_add(&r->inputs, json_incref(i->results.json), err));
    if (!r->o->quiet)
        printf("%s, %s, %d px, %s (%s): encode %.1f ms, decode %.1f ms a prompt\n", sam_model_name(r->model),
               model_precision(&r->o->model), sam_model_image_px(r->model), stats.backend, stats.device,
               stats.stage_ms[SAM_ENCODE], n ? decode_ms / n : 0);
    return SAM_OK;
}

static sam_status run_one(image_run *r, const char *path, sam_error *err)
{
    frame_source *frames = NULL;
    prompt_file found = {0};
    char *folder = NULL;
    one_image i = {.path = path, .prompts = r->o->boxes ? &found : &r->o->prompts.file};
    sam_status status = frames_open(path, &(frames_options){.max_frames = 1, .prefetch = 2}, &frames, err);
    if (status == SAM_OK)
        status = frames_next(frames, &i.f, err);
    if (status == SAM_OK && !i.f)
        status = fail(err, SAM_E_FORMAT, "%s: holds no image", path);
    if (status == SAM_OK && r->o->out)
        status = image_inputs_folder(&r->inputs, path, &folder, err);
    r->folder = folder;
    if (status == SAM_OK && r->o->boxes)
        status = boxes_of(&r->detected, path, i.f->width, i.f->height, &found, err);
    if (status == SAM_OK && r->inputs.many && !r->o->quiet)
        printf("%s, %d x %d:\n", path, i.f->width, i.f->height);
    if (status == SAM_OK)
        status = segment_image(r, &i, err);
    image_results_close(&i.results);
    prompts_free(&found);
    free(folder);
    frames_release(frames, i.f);
    frames_close(frames);
    return status;
}

static sam_status open_run(image_run *r, sam_error *err)
{
    const prompt *p = NULL;
    const prompt_file *prompts = &r->o->prompts.file;
    for (int i = 0; i < prompts->n_objects; i++)
        TRY(prompt_of(&prompts->objects[i], &p, err));
    TRY(image_inputs_open(&r->inputs, r->o->input, r->o->out, r->o->json, err));
    if (r->o->dump && r->inputs.many)
        return fail(err, SAM_E_ARG, "--dump is of one image, --input names %d", r->inputs.paths.n);
    if (r->o->boxes)
        TRY(boxes_open(&r->detected, r->o->boxes, r->inputs.paths.n, err));
    TRY(model_check_device(&r->o->model, err));
    if (r->o->dump)
        TRY(folders_make_for(r->o->dump, err));
    TRY(image_inputs_begin(&r->inputs, err));
    return model_open("image", &r->o->model, prompts_max_points(prompts), 1, &r->model, err);
}

/* With several images, those that cannot be read or prompted are said and left out; *n_failed counts them. */
static sam_status segment(image_run *r, int *n_failed, sam_error *err)
{
    TRY(open_run(r, err));
    for (int i = 0; i < r->inputs.paths.n; i++) {
        sam_status status = run_one(r, r->inputs.paths.names[i], err);
        if (status == SAM_OK)
            continue;
        if (!image_inputs_go_on("image", &r->inputs, i, err))
            return status;
        ++*n_failed;
    }
    if (r->o->dump)
        TRY(dump_write(&r->tensors, r->o->dump, err));
    return image_inputs_write(&r->inputs, r->model, model_precision(&r->o->model), err);
}

static int run_image(const image_options *o)
{
    sam_error err = {0};
    image_run r = {.o = o};
    int n_failed = 0;
    sam_status status = segment(&r, &n_failed, &err);
    int complete = image_inputs_end("image", &r.inputs, status, n_failed, &err);
    dump_free(&r.tensors);
    sam_session_close(r.session);
    sam_model_close(r.model);
    boxes_close(&r.detected);
    image_inputs_close(&r.inputs);
    return complete ? 0 : 1;
}

static int own_flags(image_options *o, flag *to)
{
    const flag flags[] = {
        {.name = "input",
         .kind = FLAG_STRING,
         .value = &o->input,
         .choices = "list",
         .meta = "PATH[,PATH...]",
         .required = 1,
         .help = "Images (" IMAGE_FORMATS_SAY "), folders of them; of a video its first frame."},
        {.name = "out",
         .kind = FLAG_STRING,
         .value = &o->out,
         .meta = "DIR",
         .help = "Where mask_0.png ... and overlay.png go, of several images DIR/NAME (default: nowhere)."},
        {.name = "json",
         .kind = FLAG_STRING,
         .value = &o->json,
         .meta = "FILE",
         .help = "Masks as COCO run lengths with boxes, areas and qualities; - is standard output."},
        {.name = "boxes",
         .kind = FLAG_STRING,
         .value = &o->boxes,
         .meta = "FILE",
         .help = "A detector's boxes, a mask for each: COCO JSON, YOLO text or a folder of those."},
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
    int first_own = n;
    n += own_flags(&o, flags + n);
    flags[first_own].group = "images and output";
    n += prompt_flags(&o.prompts, flags + n);
    sam_error err;
    sam_status status = flags_parse(&verb_image, flags, n, argc, argv, &help, &err);
    if (status == SAM_OK && help)
        return 0;
    int usage = status != SAM_OK;
    o.quiet |= o.json && !strcmp(o.json, "-"); /* standard output is the file */
    int prompted = o.prompts.json || o.prompts.file.n_objects;
    if (status == SAM_OK && o.boxes && prompted) {
        usage = 1;
        status = fail(&err, SAM_E_ARG, "--boxes and --point, --box, --mask or --prompts exclude each other");
    } else if (status == SAM_OK && !o.boxes) {
        status = prompt_choice_finish(&o.prompts, &usage, &err);
    }
    int code = usage ? 2 : 1;
    if (status == SAM_OK)
        code = run_image(&o);
    else
        fprintf(stderr, "sambench image: %s\n", err.text);
    prompt_choice_free(&o.prompts);
    flags_free(flags, n);
    return code;
}

const verb verb_image = {
    .name = "image",
    .summary = "segment images by clicks, boxes and masks",
    .examples =
        "  sambench image --weights sam2.1_hiera_tiny.pt --input truck.jpg --point 500,375 --out out\n"
        "  sambench image --weights sam2.1_hiera_tiny.pt --input truck.jpg --box 425,600,700,875 --out out\n"
        "  sambench image --weights sam2.1_hiera_tiny.pt --input photos --boxes detections.json --json masks.json\n",
    .main = image_main,
};
