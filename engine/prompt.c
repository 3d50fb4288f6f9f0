/* Prompts as they come from the caller: what is refused, and a mask of the frame's size as the network takes it. */
#include "steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How far outside the frame; 0: inside. */
static double outside(const sam_session *s, float x, float y)
{
    double across = fmax(-(double)x, (double)x - s->opt.width_px),
           down = fmax(-(double)y, (double)y - s->opt.height_px);
    return fmax(0, fmax(across, down));
}

static sam_status check_point(const sam_session *s, float x, float y, sam_error *err)
{
    if (!isfinite(x) || !isfinite(y))
        return fail(err, SAM_E_ARG, "point (%g, %g) is outside the %d x %d frame", (double)x, (double)y,
                    s->opt.width_px, s->opt.height_px);
    double far = outside(s, x, y);
    if (far > 0)
        return fail(err, SAM_E_ARG, "point (%g, %g) is outside the %d x %d frame by %g px", (double)x, (double)y,
                    s->opt.width_px, s->opt.height_px, far);
    return SAM_OK;
}

/* A box may reach beyond the frame, as the official predictors allow: its corners are coded where they are. One of which nothing
 * is inside is a mistake. */
static sam_status check_box(const sam_session *s, const sam_box *b, sam_error *err)
{
    int finite = isfinite(b->x0_px) && isfinite(b->y0_px) && isfinite(b->x1_px) && isfinite(b->y1_px);
    if (!finite || b->x1_px < b->x0_px || b->y1_px < b->y0_px)
        return fail(err, SAM_E_ARG, "box (%g, %g, %g, %g): expected x0 <= x1 and y0 <= y1", (double)b->x0_px,
                    (double)b->y0_px, (double)b->x1_px, (double)b->y1_px);
    if (b->x1_px < 0 || b->y1_px < 0 || b->x0_px > (float)s->opt.width_px || b->y0_px > (float)s->opt.height_px)
        return fail(err, SAM_E_ARG, "box (%g, %g, %g, %g) is outside the %d x %d frame", (double)b->x0_px,
                    (double)b->y0_px, (double)b->x1_px, (double)b->y1_px, s->opt.width_px, s->opt.height_px);
    return SAM_OK;
}

/* The size of the prompt's mask. */
static int mask_width(const sam_session *s, const sam_prompt_set *p)
{
    return p->mask_width_px ? p->mask_width_px : s->opt.width_px;
}
static int mask_height(const sam_session *s, const sam_prompt_set *p)
{
    return p->mask_height_px ? p->mask_height_px : s->opt.height_px;
}

static sam_status check_mask(const sam_session *s, const sam_prompt_set *p, sam_error *err)
{
    int w = mask_width(s, p), h = mask_height(s, p);
    if (w < 1 || h < 1 || w > 32768 || h > 32768)
        return fail(err, SAM_E_ARG, "mask: %d x %d, expected 1 to 32768 a side", w, h);
    if (p->mask_row_bytes && p->mask_row_bytes < (size_t)w)
        return fail(err, SAM_E_ARG, "mask: rows of %zu bytes, expected at least %d", p->mask_row_bytes, w);
    return SAM_OK;
}

sam_status check_prompt(const sam_session *s, const sam_prompt_set *p, sam_error *err)
{
    if (!s->has_frame)
        return fail(err, SAM_E_STATE, "prompt before any frame: call sam_push_frame first");
    if (!p || (!p->n_points && !p->box && !p->mask && !p->logits))
        return fail(err, SAM_E_ARG, "a prompt needs points, a box or a mask");
    if (p->mask && p->logits)
        return fail(err, SAM_E_ARG, "a mask and previous logits exclude each other: both are what the decoder refines");
    if (p->n_points < 0 || (p->n_points && !p->points))
        return fail(err, SAM_E_ARG, "%d points: expected 0 or more, and where they are", p->n_points);
    if (p->mask)
        TRY(check_mask(s, p, err));
    if (p->n_points > s->m->options.max_points)
        return fail(err, SAM_E_FULL, "%d points: the model was opened for at most %d", p->n_points,
                    s->m->options.max_points);
    for (int i = 0; i < p->n_points; i++) {
        TRY(check_point(s, p->points[i].x_px, p->points[i].y_px, err));
        if (p->points[i].label != 0 && p->points[i].label != 1)
            return fail(err, SAM_E_ARG, "label %d: expected 1 (object) or 0 (background)", (int)p->points[i].label);
    }
    return p->box ? check_box(s, p->box, err) : SAM_OK;
}

int list_points(const sam_prompt_set *p, sam_point *to)
{
    int n = 0;
    if (p->box) {
        to[n++] = (sam_point){p->box->x0_px, p->box->y0_px, 2};
        to[n++] = (sam_point){p->box->x1_px, p->box->y1_px, 3};
    }
    for (int i = 0; i < p->n_points; i++)
        to[n++] = p->points[i];
    return n;
}

/* Rows of the covered part, which lie without gaps, to where they are in the square; zeros beside and below. */
static void spread_mask(sam_session *s)
{
    size_t side = (size_t)s->m->size.side_px, row = (size_t)s->n_covered[0], rows = (size_t)s->n_covered[1];
    float *m = s->mask_image;
    for (size_t y = rows; y-- > 0 && row < side;) {
        memmove(m + y * side, m + y * row, row * sizeof *m);
        memset(m + y * side + row, 0, (side - row) * sizeof *m);
    }
    memset(m + rows * side, 0, (side - rows) * side * sizeof *m);
}

/* The mask as 0 and 1 in `to` [h, w]. */
static void spread_bytes(const sam_prompt_set *p, size_t w, size_t h, float *to)
{
    size_t row_bytes = p->mask_row_bytes ? p->mask_row_bytes : w;
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            to[y * w + x] = p->mask[y * row_bytes + x] != 0;
}

/* A mask that is not of the frame's size: sam2_video_predictor.py, add_new_mask, resizes it as it comes. */
static sam_status resize_other_mask(sam_session *s, const sam_prompt_set *p, int w, int h, sam_error *err)
{
    resample *r = resample_open(RESAMPLE_ANTIALIAS, w, h, s->n_covered[0], s->n_covered[1]);
    float *plane = malloc((size_t)w * (size_t)h * sizeof *plane);
    if (r && plane) {
        spread_bytes(p, (size_t)w, (size_t)h, plane);
        resample_plane(r, plane, s->mask_image, s->m->options.n_threads);
    }
    sam_status status =
        r && plane ? SAM_OK : fail(err, SAM_E_MEMORY, "no memory to resize a mask of %d x %d pixels", w, h);
    resample_close(r);
    free(plane);
    return status;
}

sam_status resize_mask(sam_session *s, const sam_prompt_set *p, int *any, sam_error *err)
{
    size_t side = (size_t)s->m->size.side_px;
    int w = mask_width(s, p), h = mask_height(s, p);
    *any = 0;
    if (w == s->n_covered[0] && h == s->n_covered[1]) {
        spread_bytes(p, (size_t)w, (size_t)h, s->mask_image);
    } else if (w == s->opt.width_px && h == s->opt.height_px) {
        spread_bytes(p, (size_t)w, (size_t)h, s->video_mask);
        resample_plane(s->mask_to_image, s->video_mask, s->mask_image, s->m->options.n_threads);
    } else {
        TRY(resize_other_mask(s, p, w, h, err));
    }
    spread_mask(s);
    for (size_t i = 0; i < side * side; i++) {
        s->mask_image[i] = s->mask_image[i] >= 0.5f;
        *any |= s->mask_image[i] > 0;
    }
    return SAM_OK;
}

void mask_to_logits(sam_session *s, float *logits)
{
    size_t n = (size_t)s->m->size.side_px * (size_t)s->m->size.side_px;
    for (size_t i = 0; i < n; i++)
        s->mask_image[i] = s->mask_image[i] * MASK_SCALE + MASK_BIAS;
    resample_plane(s->mask_to_low_res, s->mask_image, logits, s->m->options.n_threads);
    for (size_t i = 0; i < n; i++)
        s->mask_image[i] = s->mask_image[i] > 0;
}
