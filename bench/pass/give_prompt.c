/* give_prompt.c - see give_prompt.h. */
#include "give_prompt.h"

#include "listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A picture of any size as the network's input, by a session of that size: IEEE half, image_px a side. */
static sam_status prepare_picture(sam_model *model, const image *picture, uint16_t *prepared, sam_error *err)
{
    sam_session *s = NULL;
    sam_session_options opt = {
        .width_px = picture->width, .height_px = picture->height, .prepared_frames = 1, .history = -1};
    const sam_frame f = {.rgb = picture->data, .row_bytes = 3 * (size_t)picture->width};
    TRY(sam_session_open(model, &opt, &s, err));
    sam_status status = sam_prepare_frame(s, &f, prepared, err);
    sam_session_close(s);
    return status;
}

/* A prompt on a picture that is no frame. */
static sam_status give_picture(const prompt_target *to, int32_t id, const char *path, const sam_prompt_set *set,
                               sam_error *err)
{
    image picture = {0};
    size_t px = (size_t)sam_model_image_px(to->model);
    uint16_t *prepared = NULL;
    sam_frame f = {.format = SAM_RGB24};
    sam_status status = image_read_rgb(path, &picture, err);
    if (status == SAM_OK && picture.width == to->width && picture.height == to->height) {
        f.rgb = picture.data;
        f.row_bytes = 3 * (size_t)to->width;
    } else if (status == SAM_OK) {
        prepared = malloc(px * px * 3 * sizeof *prepared);
        status = prepared ? prepare_picture(to->model, &picture, prepared, err)
                          : fail(err, SAM_E_MEMORY, "%s: no memory for the picture", path);
        f = (sam_frame){.format = SAM_PREPARED_F16, .prepared = prepared};
    }
    if (status == SAM_OK)
        status = sam_prompt_prior(to->session, id, &f, set, err);
    free(prepared);
    image_free(&picture);
    return status;
}

sam_status give_prompt(const prompt_target *to, int32_t id, const prompt *p, int multimask, sam_error *err)
{
    sam_error cause = {0};
    image mask = {0};
    sam_status status = SAM_OK;
    if (prompt_has_mask(p))
        status = prompt_read_mask(p, &mask, &cause);
    if (status == SAM_OK && p->logits_path)
        status = fail(&cause, SAM_E_ARG, "previous logits are a prompt for images; use `sambench image`");
    sam_prompt_set set = {.points = p->points,
                          .n_points = p->n_points,
                          .box = p->has_box ? &p->box : NULL,
                          .mask = mask.data,
                          .mask_row_bytes = (size_t)mask.width,
                          .mask_width_px = mask.width,
                          .mask_height_px = mask.height,
                          .single_mask = !multimask};
    if (status == SAM_OK)
        status = p->image_path ? give_picture(to, id, p->image_path, &set, &cause)
                               : sam_prompt(to->session, id, &set, &cause);
    image_free(&mask);
    if (status != SAM_OK && p->image_path)
        return fail(err, status, "object %d, picture %.200s: %s", (int)id, p->image_path, cause.text);
    if (status != SAM_OK)
        return fail(err, status, "object %d, frame %d: %s", (int)id, p->frame, cause.text);
    return SAM_OK;
}

static sam_status give_pictures(const prompt_target *to, const prompt_file *f, const prompt_object *o, int32_t id,
                                const char *path, sam_error *err)
{
    for (int k = 0; k < o->n_prompts; k++) {
        if (!o->prompts[k].image_path)
            return fail(
                err, SAM_E_FORMAT,
                "%s: object %d has a prompt on frame %d; --priors takes pictures only, and the annotation prompts "
                "on frames",
                path, (int)o->id, o->prompts[k].frame);
        TRY(give_prompt(to, id, &o->prompts[k], f->multimask, err));
    }
    return SAM_OK;
}

sam_status give_priors(const prompt_target *to, const char *dir, const char *video, const char *object, int32_t id,
                       sam_error *err)
{
    prompt_file f = {0};
    char *end, *path = NULL, name[300];
    long number = strtol(object, &end, 10);
    snprintf(name, sizeof name, "%.255s.json", video);
    TRY(path_join(&path, dir, name, err));
    sam_status status = access(path, F_OK) ? SAM_OK : prompts_read(path, &f, err);
    for (int i = 0; i < f.n_objects && status == SAM_OK; i++)
        if (!*end && f.objects[i].id == number)
            status = give_pictures(to, &f, &f.objects[i], id, path, err);
    prompts_free(&f);
    free(path);
    return status;
}
