/* Prompts as they come from the caller: what is refused, and a mask of the frame's size as the network takes it. */
#include "steps.h"

#include <math.h>
#include <string.h>

/* How far outside the frame; 0: inside. */
static double outside(const sam_session *s, float x, float y)
{
    double across = fmax(-(double)x, (double)x - s->opt.width_px),
           down = fmax(-(double)y, (double)y - s->opt.height_px);
    return fmax(0, fmax(across, down));
}

/* `slack`: how far outside is still inside. Detectors give boxes a fraction of a pixel beyond the frame. */
static sam_status check_point(const sam_session *s, float x, float y, float slack, const char *what, sam_error *err)
{
    if (!isfinite(x) || !isfinite(y))
        return fail(err, SAM_E_ARG, "%s (%g, %g) is outside the %d x %d frame", what, (double)x, (double)y,
                    s->opt.width_px, s->opt.height_px);
    double far = outside(s, x, y);
    if (far > (double)slack)
        return fail(err, SAM_E_ARG, "%s (%g, %g) is outside the %d x %d frame by %g px", what, (double)x, (double)y,
                    s->opt.width_px, s->opt.height_px, far);
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
    if (p->mask && p->mask_row_bytes && p->mask_row_bytes < (size_t)s->opt.width_px)
        return fail(err, SAM_E_ARG, "mask: rows of %zu bytes, expected at least %d", p->mask_row_bytes,
                    s->opt.width_px);
    if (p->n_points > s->m->options.max_points)
        return fail(err, SAM_E_FULL, "%d points: the model was opened for at most %d", p->n_points,
                    s->m->options.max_points);
    for (int i = 0; i < p->n_points; i++) {
        TRY(check_point(s, p->points[i].x_px, p->points[i].y_px, 0, "point", err));
        if (p->points[i].label != 0 && p->points[i].label != 1)
            return fail(err, SAM_E_ARG, "label %d: expected 1 (object) or 0 (background)", (int)p->points[i].label);
    }
    if (p->box) {
        TRY(check_point(s, p->box->x0_px, p->box->y0_px, 1, "box corner", err));
        TRY(check_point(s, p->box->x1_px, p->box->y1_px, 1, "box corner", err));
        if (p->box->x1_px < p->box->x0_px || p->box->y1_px < p->box->y0_px)
            return fail(err, SAM_E_ARG, "box (%g, %g, %g, %g): expected x0 <= x1 and y0 <= y1", (double)p->box->x0_px,
                        (double)p->box->y0_px, (double)p->box->x1_px, (double)p->box->y1_px);
    }
    return SAM_OK;
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

int resize_mask(sam_session *s, const sam_prompt_set *p)
{
    size_t side = (size_t)s->m->size.side_px, w = (size_t)s->opt.width_px, h = (size_t)s->opt.height_px;
    size_t row_bytes = p->mask_row_bytes ? p->mask_row_bytes : w;
    int any = 0;
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            s->video_mask[y * w + x] = p->mask[y * row_bytes + x] != 0;
    if (w == (size_t)s->n_covered[0] && h == (size_t)s->n_covered[1])
        memcpy(s->mask_image, s->video_mask, w * h * sizeof *s->mask_image);
    else
        resample_plane(s->mask_to_image, s->video_mask, s->mask_image, s->m->options.n_threads);
    spread_mask(s);
    for (size_t i = 0; i < side * side; i++) {
        s->mask_image[i] = s->mask_image[i] >= 0.5f;
        any |= s->mask_image[i] > 0;
    }
    return any;
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
