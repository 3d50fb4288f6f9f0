/* metrics.c - J and F of mask pairs and their means; see metrics.h.
 *
 * Masks are packed to one bit a pixel (packed_mask.h). Counting and boundary maps work on words. Nothing is dilated: a boundary pixel inside the other boundary's dilation is one with a
 * set bit among the rows of the structuring element around it, which is looked up for boundary pixels only. */
#include "metrics.h"

#include "packed_mask.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"davis", "sav", "vos_benchmark", "seed"};

sam_status metric_from_name(const char *name, metric_kind *out, sam_error *err)
{
    for (int i = 0; i < 4; i++) {
        if (!strcmp(name, names[i])) {
            *out = (metric_kind)i;
            return SAM_OK;
        }
    }
    return fail(err, SAM_E_ARG, "metric '%s' is not one of " METRIC_CHOICES, name);
}

const char *metric_name(metric_kind kind)
{
    return names[kind];
}

/* ---- bitmaps ---- */

typedef struct bitmap {
    const uint64_t *words; /* [height, n_words] */
    int width, height, n_words;
} bitmap;

static const uint64_t *row_of(const bitmap *b, int y)
{
    return b->words + (size_t)y * b->n_words;
}

/* The bits of the last word of a row that are pixels. */
static uint64_t tail_mask(const bitmap *b)
{
    return ~UINT64_C(0) >> (63 - ((b->width - 1) & 63));
}

/* Where the view's mask is packed: where it lies, or in `room`. */
static const uint64_t *packed(const mask_view *m, int width, int height, uint64_t *room)
{
    size_t n_words = mask_row_words(width);
    if (m->words)
        return m->words;
    for (size_t y = 0; y < (size_t)height; y++)
        mask_pack(m->px + y * m->row_bytes, (size_t)width, m->value, room + y * n_words);
    return room;
}

static int64_t count_bits(const bitmap *b)
{
    return mask_count(b->words, (size_t)b->height * (size_t)b->n_words);
}

/* Word i of the row as seen by each pixel's right neighbour; beyond the row lies `outside` (0 or 1). */
static uint64_t east(const uint64_t *row, const bitmap *b, int i, uint64_t outside)
{
    if (i + 1 < b->n_words)
        return row[i] >> 1 | row[i + 1] << 63;
    return row[i] >> 1 | outside << ((b->width - 1) & 63);
}

static uint64_t west(const uint64_t *row, int i)
{
    return row[i] << 1 | (i ? row[i - 1] >> 63 : 0);
}

/* davis2017-evaluation, davis2017/metrics.py, _seg2bmap: a pixel that differs from its east, south or south-east
 * neighbour. The original's rules for the last row, column and corner are those of a border repeated outward. */
static void boundary_half_pixel(const bitmap *mask, uint64_t *out)
{
    for (int y = 0; y < mask->height; y++) {
        const uint64_t *row = row_of(mask, y);
        const uint64_t *south = y + 1 < mask->height ? row_of(mask, y + 1) : row;
        uint64_t last = row[mask->n_words - 1] >> ((mask->width - 1) & 63) & 1;
        uint64_t south_last = south[mask->n_words - 1] >> ((mask->width - 1) & 63) & 1;
        uint64_t *to = out + (size_t)y * mask->n_words;
        for (int i = 0; i < mask->n_words; i++)
            to[i] =
                (row[i] ^ east(row, mask, i, last)) | (row[i] ^ south[i]) | (row[i] ^ east(south, mask, i, south_last));
    }
}

/* VideoSegmentationComparison, sav_benchmark/metrics.py, _boundary_f_measure: cv2.MORPH_GRADIENT with a 3x3 square,
 * that is pixels whose neighbourhood inside the image holds both object and background. */
static void boundary_gradient(const bitmap *mask, uint64_t *out)
{
    const uint64_t tail = tail_mask(mask);
    for (int y = 0; y < mask->height; y++) {
        uint64_t *to = out + (size_t)y * mask->n_words;
        for (int i = 0; i < mask->n_words; i++) {
            uint64_t any = 0, all = ~UINT64_C(0);
            for (int v = y ? y - 1 : 0; v <= y + 1 && v < mask->height; v++) {
                const uint64_t *row = row_of(mask, v);
                any |= row[i] | west(row, i) | east(row, mask, i, 0);
                all &= row[i] & (west(row, i) | (uint64_t)(i == 0)) & east(row, mask, i, 1);
            }
            to[i] = any & ~all & (i + 1 < mask->n_words ? ~UINT64_C(0) : tail);
        }
    }
}

/* ---- boundary matching ---- */

/* Half widths of the structuring element's rows: reach[dy] for dy in 0..radius. */
typedef struct element {
    int radius;
    int *reach;
} element;

static int element_radius(metric_kind kind, int width, int height)
{
    double r = 0.008 * sqrt((double)width * width + (double)height * height);
    if (kind == METRIC_SEED)
        return r < 1 ? 1 : (int)rint(r); /* Python's round: halves to even */
    return (int)ceil(r);
}

static void element_fill(metric_kind kind, element *e)
{
    for (int dy = 0; dy <= e->radius; dy++) {
        int half = e->radius;
        while (kind != METRIC_SEED && half * half + dy * dy > e->radius * e->radius)
            half--;
        e->reach[dy] = half;
    }
}

static int any_set(const uint64_t *row, int x0, int x1)
{
    int first = x0 >> 6, last = x1 >> 6;
    uint64_t first_mask = ~UINT64_C(0) << (x0 & 63), last_mask = ~UINT64_C(0) >> (63 - (x1 & 63));
    if (first == last)
        return (row[first] & first_mask & last_mask) != 0;
    if ((row[first] & first_mask) || (row[last] & last_mask))
        return 1;
    for (int i = first + 1; i < last; i++)
        if (row[i])
            return 1;
    return 0;
}

/* Whether `b` has a pixel under the element centred at (x, y). Rows are tried from the centre outward. */
static int near_boundary(const bitmap *b, int y_first, int y_last, const element *e, int x, int y)
{
    for (int dy = 0; dy <= e->radius; dy++) {
        int x0 = x - e->reach[dy], x1 = x + e->reach[dy];
        x0 = x0 < 0 ? 0 : x0;
        x1 = x1 >= b->width ? b->width - 1 : x1;
        if (y - dy >= y_first && y - dy <= y_last && any_set(row_of(b, y - dy), x0, x1))
            return 1;
        if (y + dy >= y_first && y + dy <= y_last && any_set(row_of(b, y + dy), x0, x1))
            return 1;
    }
    return 0;
}

static int row_is_empty(const bitmap *b, int y)
{
    const uint64_t *row = row_of(b, y);
    for (int i = 0; i < b->n_words; i++)
        if (row[i])
            return 0;
    return 1;
}

/* Number of pixels of `a` inside the dilation of `b`; b is not empty. */
static int64_t count_matched(const bitmap *a, const bitmap *b, const element *e)
{
    int y_first = 0, y_last = b->height - 1;
    while (y_first < y_last && row_is_empty(b, y_first))
        y_first++;
    while (y_last > y_first && row_is_empty(b, y_last))
        y_last--;
    int64_t n = 0;
    for (int y = 0; y < a->height; y++) {
        if (y < y_first - e->radius || y > y_last + e->radius)
            continue;
        const uint64_t *row = row_of(a, y), *same = row_of(b, y);
        for (int i = 0; i < a->n_words; i++) {
            n += __builtin_popcountll(row[i] & same[i]);
            for (uint64_t rest = row[i] & ~same[i]; rest; rest &= rest - 1)
                n += near_boundary(b, y_first, y_last, e, i * 64 + __builtin_ctzll(rest), y);
        }
    }
    return n;
}

static double boundary_f(metric_kind kind, const bitmap *gt, const bitmap *pred, const element *e, frame_score *score)
{
    int64_t n_gt = score->gt_boundary_px = count_bits(gt);
    int64_t n_pred = score->pred_boundary_px = count_bits(pred);
    if (kind == METRIC_SEED && (!score->gt_px || !score->pred_px))
        return !score->gt_px && !score->pred_px; /* even where a full mask has no gradient */
    if (!n_gt && !n_pred)
        return 1;
    if (!n_gt || !n_pred)
        return 0;
    double precision = (double)count_matched(pred, gt, e) / (double)n_pred;
    double recall = (double)count_matched(gt, pred, e) / (double)n_gt;
    return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
}

void metric_scratch_free(metric_scratch *scratch)
{
    free(scratch->words);
    *scratch = (metric_scratch){0};
}

static sam_status scratch_reserve(metric_scratch *scratch, size_t n_words, sam_error *err)
{
    if (scratch->n_words >= n_words)
        return SAM_OK;
    uint64_t *words = malloc(n_words * sizeof *words);
    if (!words)
        return fail(err, SAM_E_MEMORY, "out of memory: scoring needs %zu bytes", n_words * sizeof *words);
    free(scratch->words);
    *scratch = (metric_scratch){words, n_words};
    return SAM_OK;
}

sam_status metric_frame(metric_kind kind, const mask_view *gt, const mask_view *pred, int width, int height,
                        metric_scratch *scratch, frame_score *out, sam_error *err)
{
    if (width <= 0 || height <= 0 || width > 65536 || height > 65536)
        return fail(err, SAM_E_ARG, "masks of %d x %d cannot be scored", width, height);
    size_t n_words = mask_row_words(width), n_map = n_words * (size_t)height;
    element e = {.radius = element_radius(kind, width, height)};
    size_t n_reach = ((size_t)e.radius + 2) / 2;
    TRY(scratch_reserve(scratch, 4 * n_map + n_reach, err));
    e.reach = (int *)(scratch->words + 4 * n_map);
    element_fill(kind, &e);

    const mask_view *views[] = {gt, pred};
    bitmap map[4]; /* gt, pred, their boundaries */
    for (int i = 0; i < 4; i++)
        map[i] = (bitmap){scratch->words + i * n_map, width, height, (int)n_words};
    for (int i = 0; i < 2; i++)
        map[i].words = packed(views[i], width, height, scratch->words + i * n_map);
    frame_score score = {.gt_px = count_bits(&map[0]),
                         .pred_px = count_bits(&map[1]),
                         .both_px = mask_count_both(map[0].words, map[1].words, n_map)};
    int64_t either = score.gt_px + score.pred_px - score.both_px;
    score.j = either ? (double)score.both_px / (double)either : 1;
    for (int i = 0; i < 2; i++)
        (kind == METRIC_SEED ? boundary_gradient : boundary_half_pixel)(&map[i], scratch->words + (i + 2) * n_map);
    score.f = boundary_f(kind, &map[2], &map[3], &e, &score);
    *out = score;
    return SAM_OK;
}

/* ---- objects ---- */

int metric_counts_frame(int skip_first_last, int n_annotated, int i)
{
    return !skip_first_last || (i > 0 && i < n_annotated - 1);
}

int metric_skips_first_last(metric_kind kind)
{
    return kind != METRIC_SEED;
}

static sam_status append(object_score *s, double j, double f, sam_error *err)
{
    if (s->n_frames == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 64;
        double *new_j = realloc(s->j, capacity * sizeof *new_j);
        s->j = new_j ? new_j : s->j;
        double *new_f = new_j ? realloc(s->f, capacity * sizeof *new_f) : NULL;
        if (!new_f)
            return fail(err, SAM_E_MEMORY, "out of memory: scores of %zu frames", capacity);
        s->f = new_f;
        s->capacity = capacity;
    }
    s->j[s->n_frames] = j;
    s->f[s->n_frames++] = f;
    return SAM_OK;
}

/* Evaluator.feed_frame of vos-benchmark keeps a set of objects seen so far and scores those. */
sam_status object_score_add(object_score *s, const frame_score *frame, sam_error *err)
{
    int by_appearance = s->kind == METRIC_SAV || s->kind == METRIC_VOS_BENCHMARK;
    s->in_gt |= frame->gt_px > 0;
    if (by_appearance && !s->n_frames && !frame->gt_px && !frame->pred_px)
        return SAM_OK;
    return append(s, frame->j, frame->f, err);
}

sam_status object_score_add_missing(object_score *s, sam_error *err)
{
    if (s->kind != METRIC_SEED)
        return fail(err, SAM_E_ARG, "a scored frame has no prediction; %s needs one for every scored frame",
                    metric_name(s->kind));
    return append(s, 0, 0, err);
}

void object_score_free(object_score *s)
{
    free(s->j);
    free(s->f);
    *s = (object_score){.kind = s->kind};
}

static double mean(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return n ? sum / (double)n : 0;
}

static double recall(const double *v, size_t n)
{
    size_t above = 0;
    for (size_t i = 0; i < n; i++)
        above += v[i] > 0.5;
    return n ? (double)above / (double)n : 0;
}

/* Bound k of 0..4: np.round(np.linspace(1, n, 5) + 1e-10) - 1; both ends of a bin are in it. */
static size_t quarter(size_t n, int k)
{
    return (size_t)rint(1 + (double)k * ((double)n - 1) / 4 + 1e-10) - 1;
}

static double decay(const double *v, size_t n)
{
    if (!n)
        return 0;
    size_t first = quarter(n, 1) + 1, last = quarter(n, 3);
    return mean(v, first) - mean(v + last, n - last);
}

void object_score_conclude(const object_score *s, object_result *out)
{
    *out = (object_result){0};
    int needs_gt = s->kind == METRIC_SAV || s->kind == METRIC_VOS_BENCHMARK;
    if (!s->n_frames || (needs_gt && !s->in_gt))
        return;
    out->scored = 1;
    out->n_frames = s->n_frames;
    out->j = mean(s->j, s->n_frames);
    out->f = mean(s->f, s->n_frames);
    out->j_and_f = (out->j + out->f) / 2;
    out->j_recall = recall(s->j, s->n_frames);
    out->f_recall = recall(s->f, s->n_frames);
    out->j_decay = decay(s->j, s->n_frames);
    out->f_decay = decay(s->f, s->n_frames);
}

void metric_aggregate(const object_result *objects, size_t n, global_result *out)
{
    *out = (global_result){0};
    for (size_t i = 0; i < n; i++) {
        const object_result *o = &objects[i];
        if (!o->scored) {
            out->n_dropped++;
            continue;
        }
        out->n_scored++;
        out->j += o->j;
        out->f += o->f;
        out->j_recall += o->j_recall;
        out->f_recall += o->f_recall;
        out->j_decay += o->j_decay;
        out->f_decay += o->f_decay;
    }
    double *figures[] = {&out->j, &out->f, &out->j_recall, &out->f_recall, &out->j_decay, &out->f_decay};
    for (int i = 0; i < 6 && out->n_scored; i++)
        *figures[i] /= out->n_scored;
    out->j_and_f = (out->j + out->f) / 2;
}
