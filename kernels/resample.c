/* Resampling in two passes, with `mid` between them: across all input rows, then down; or down, then across. */
#include "resample_rows.h"

#include "packed_mask.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* What the second pass keeps on the stack before the values are finished; whole words of a packed mask. */
enum { CHUNK_PX = 256 };

static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};

struct resample {
    resample_kind kind;
    int cut; /* 1: two resizes in one */
    resample_axis across, down;
    const resample_rows *rows;
    int down_first;     /* 1: the first pass goes down                                                             */
    void *mid;          /* [in_h,out_w,3] u8 or f32, [in_h,out_w] f32; NULL where the side stays and the type too;
                         * down_first: [out_h,in_w,3] u8                                                           */
    size_t mid_row;     /* values                                                                                 */
    float grey[256][3]; /* normalised value of each u8                                                         */
    uint8_t *lines;     /* rows of NV12 frames as RGB, [n_lines,in_w,3], one a thread; down_first: [in_h,in_w,3], all
                         * of a frame. NULL: no NV12 frames are taken                                           */
    int n_lines;
};

/* What the first pass reads: rows of pixels or of a plane, or an NV12 frame. */
typedef struct source {
    const void *rows;
    size_t row_bytes;
    const nv12_image *nv12;
} source;

extern const resample_rows resample_rows_baseline;
#ifdef __x86_64__
extern const resample_rows resample_rows_avx2, resample_rows_avx512;
#endif

static int is_fixed(resample_kind kind)
{
    return kind == RESAMPLE_PIL_BICUBIC || kind == RESAMPLE_PIL_BILINEAR;
}
static int is_plane(resample_kind kind)
{
    return kind == RESAMPLE_ANTIALIAS || kind == RESAMPLE_BILINEAR;
}

int resample_select(resample *r, const char *variant)
{
    static const resample_rows *const levels[] = {&resample_rows_baseline,
#ifdef __x86_64__
                                                  &resample_rows_avx2, &resample_rows_avx512
#endif
    };
    int level = op_cpu_level(variant);
    if (level >= 0)
        r->rows = levels[level];
    return level >= 0;
}

static void fill_grey(float grey[256][3])
{
    for (int v = 0; v < 256; v++)
        for (int c = 0; c < 3; c++)
            grey[v][c] = ((float)v / 255.0f - mean[c]) / deviation[c];
}

/* The first pass would only copy. */
static int copies(resample_kind kind, int in_w, int out_w)
{
    return in_w == out_w && kind != RESAMPLE_RGB_ANTIALIAS;
}
static int is_copy(const resample *r)
{
    return !r->cut && copies(r->kind, r->across.n_in, r->across.n_out);
}

static size_t values_of_row(resample_kind kind, int w)
{
    return (size_t)w * (is_plane(kind) ? 1 : 3);
}

static size_t mid_bytes(resample_kind kind, int in_w, int in_h, int out_w, int out_h, int takes_nv12)
{
    if (resample_down_first(is_fixed(kind), in_w, in_h, out_w, out_h))
        return (size_t)out_h * values_of_row(kind, in_w);
    if (copies(kind, in_w, out_w) && !takes_nv12)
        return 0;
    return (size_t)in_h * values_of_row(kind, out_w) * (is_fixed(kind) ? 1 : sizeof(float));
}

static size_t lines_bytes(resample_kind kind, int in_w, int in_h, int out_w, int out_h, int n_threads)
{
    int down_first = resample_down_first(is_fixed(kind), in_w, in_h, out_w, out_h);
    return (size_t)(down_first && n_threads ? in_h : n_threads) * 3 * (size_t)in_w;
}

size_t resample_bytes(resample_kind kind, int in_w, int in_h, int out_w, int out_h, int n_nv12_threads)
{
    return sizeof(resample) + resample_axis_bytes(kind, in_w, out_w) + resample_axis_bytes(kind, in_h, out_h) +
           mid_bytes(kind, in_w, in_h, out_w, out_h, n_nv12_threads > 0) +
           lines_bytes(kind, in_w, in_h, out_w, out_h, n_nv12_threads);
}

static void make_ready(resample *r)
{
    fill_grey(r->grey);
    int found = resample_select(r, NULL);
    assert(found);
    (void)found;
}

resample *resample_open(resample_kind kind, int in_w, int in_h, int out_w, int out_h)
{
    resample *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->kind = kind;
    r->down_first = resample_down_first(is_fixed(kind), in_w, in_h, out_w, out_h);
    r->mid_row = values_of_row(kind, r->down_first ? in_w : out_w);
    size_t n_mid = mid_bytes(kind, in_w, in_h, out_w, out_h, 0);
    if (!resample_axis_open(&r->across, kind, in_w, out_w) || !resample_axis_open(&r->down, kind, in_h, out_h) ||
        (n_mid && !(r->mid = malloc(n_mid)))) {
        resample_close(r);
        return NULL;
    }
    make_ready(r);
    return r;
}

size_t resample_cut_bytes(int side, int mid, int out_w, int out_h)
{
    return sizeof(resample) + resample_axis_cut_bytes(side, mid, out_w) + resample_axis_cut_bytes(side, mid, out_h) +
           (size_t)side * (size_t)out_w * sizeof(float);
}

resample *resample_open_cut(int side, int mid, int cut_w, int cut_h, int out_w, int out_h)
{
    resample *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->kind = RESAMPLE_BILINEAR;
    r->cut = 1;
    r->mid_row = (size_t)out_w;
    r->mid = malloc((size_t)side * (size_t)out_w * sizeof(float));
    if (!r->mid || !resample_axis_open_cut(&r->across, side, mid, cut_w, out_w) ||
        !resample_axis_open_cut(&r->down, side, mid, cut_h, out_h)) {
        resample_close(r);
        return NULL;
    }
    make_ready(r);
    return r;
}

void resample_close(resample *r)
{
    if (!r)
        return;
    resample_axis_close(&r->across);
    resample_axis_close(&r->down);
    free(r->mid);
    free(r->lines);
    free(r);
}

int resample_take_nv12(resample *r, int n_threads)
{
    assert(!is_plane(r->kind) && !r->lines && n_threads > 0);
    int in_w = r->across.n_in, in_h = r->down.n_in, out_w = r->across.n_out, out_h = r->down.n_out;
    r->n_lines = n_threads;
    r->lines = malloc(lines_bytes(r->kind, in_w, in_h, out_w, out_h, n_threads));
    if (r->lines && !r->mid)
        r->mid = malloc(mid_bytes(r->kind, in_w, in_h, out_w, out_h, 1));
    return r->lines && r->mid;
}

/* Row y of the first pass's input; `copied` is where its result goes if that is the same. */
static const void *row_of(const resample *r, const source *in, int y, void *copied)
{
    if (!in->nv12)
        return (const char *)in->rows + (size_t)y * in->row_bytes;
    uint8_t *line = is_copy(r) ? copied : r->lines + (size_t)omp_get_thread_num() * 3 * (size_t)r->across.n_in;
    r->rows->nv12_row(in->nv12, y, r->across.n_in, r->down.n_in, line);
    return line;
}

/* First pass, going down. */
static const void *down_before_across(resample *r, source in, int n_threads)
{
    const resample_axis *a = &r->down;
    if (in.nv12) {
#pragma omp parallel for num_threads(n_threads) schedule(static)
        for (int y = 0; y < a->n_in; y++)
            r->rows->nv12_row(in.nv12, y, r->across.n_in, a->n_in, r->lines + (size_t)y * r->mid_row);
        in = (source){.rows = r->lines, .row_bytes = r->mid_row};
    }
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < a->n_out; y++)
        r->rows->fixed_down((const uint8_t *)in.rows + (size_t)a->start[y] * in.row_bytes, in.row_bytes,
                            a->fixed + (size_t)y * (size_t)a->taps, a->count[y],
                            (uint8_t *)r->mid + (size_t)y * r->mid_row, r->mid_row);
    return r->mid;
}

/* First pass, going across: `in` itself if there is nothing to do. */
static const void *across_before_down(resample *r, source in, size_t *stride, int n_threads)
{
    if (is_copy(r) && !in.nv12) {
        *stride = in.row_bytes / (is_fixed(r->kind) ? 1 : sizeof(float));
        return in.rows;
    }
    *stride = r->mid_row;
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < r->down.n_in; y++) {
        size_t at = (size_t)y * r->mid_row;
        void *out = (char *)r->mid + at * (is_fixed(r->kind) ? 1 : sizeof(float));
        const void *row = row_of(r, &in, y, out);
        if (row == out)
            continue;
        if (is_fixed(r->kind))
            r->rows->fixed_across(&r->across, row, out);
        else if (is_plane(r->kind))
            r->rows->plane_across(&r->across, row, out);
        else
            r->rows->rgb_across(&r->across, row, out);
    }
    return r->mid;
}

/* Returns rows of r->mid_row values, *stride values apart. */
static const void *first_pass(resample *r, source in, size_t *stride, int n_threads)
{
    *stride = r->mid_row;
    return r->down_first ? down_before_across(r, in, n_threads) : across_before_down(r, in, stride, n_threads);
}

/* Row y of the second pass, values x to x + n - 1, which begin and end with a pixel. */
static void finish_fixed(const resample *r, const uint8_t *mid, size_t stride, int y, size_t x, uint8_t *out, size_t n)
{
    const resample_axis *a = &r->down;
    if (r->down_first) {
        resample_axis part = r->across;
        part.start += x / 3;
        part.count += x / 3;
        part.fixed += x / 3 * (size_t)part.taps;
        part.n_out = (int)(n / 3);
        r->rows->fixed_across(&part, mid + (size_t)y * stride, out);
        return;
    }
    r->rows->fixed_down(mid + (size_t)a->start[y] * stride + x, stride, a->fixed + (size_t)y * (size_t)a->taps,
                        a->count[y], out, n);
}
static void finish_float(const resample *r, const float *mid, size_t stride, int y, size_t x, float *out, size_t n)
{
    const resample_axis *a = &r->down;
    r->rows->plane_down(mid + (size_t)a->start[y] * stride + x, stride, a->weight + (size_t)y * (size_t)a->taps,
                        a->count[y], out, n);
}

static void look_up(const float grey[256][3], const uint8_t *in, float *out, size_t n)
{
    for (size_t i = 0; i + 2 < n; i += 3)
        for (size_t c = 0; c < 3; c++)
            out[i + c] = grey[in[i + c]][c];
}

static void subtract_mean(float *v, size_t n)
{
    for (size_t i = 0; i + 2 < n; i += 3)
        for (size_t c = 0; c < 3; c++)
            v[i + c] = (v[i + c] - mean[c]) / deviation[c];
}

void resample_rgb(resample *r, const uint8_t *rgb, size_t row_bytes, uint8_t *out, int n_threads)
{
    assert(is_fixed(r->kind) && row_bytes >= 3 * (size_t)r->across.n_in && n_threads > 0);
    size_t stride, n = values_of_row(r->kind, r->across.n_out);
    const uint8_t *mid = first_pass(r, (source){rgb, row_bytes, NULL}, &stride, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < r->down.n_out; y++)
        finish_fixed(r, mid, stride, y, 0, out + (size_t)y * n, n);
}

static void normalised(resample *r, source in, float *out, int n_threads)
{
    assert(!is_plane(r->kind) && n_threads > 0);
    size_t stride, n = values_of_row(r->kind, r->across.n_out);
    const void *mid = first_pass(r, in, &stride, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < r->down.n_out; y++)
        for (size_t x = 0; x < n; x += 3 * CHUNK_PX) {
            uint8_t chunk[3 * CHUNK_PX];
            float *to = out + (size_t)y * n + x;
            size_t m = n - x < sizeof chunk ? n - x : sizeof chunk;
            if (is_fixed(r->kind)) {
                finish_fixed(r, mid, stride, y, x, chunk, m);
                look_up(r->grey, chunk, to, m);
            } else {
                finish_float(r, mid, stride, y, x, to, m);
                subtract_mean(to, m);
            }
        }
}

void resample_rgb_normalised(resample *r, const uint8_t *rgb, size_t row_bytes, float *out, int n_threads)
{
    assert(row_bytes >= 3 * (size_t)r->across.n_in);
    normalised(r, (source){rgb, row_bytes, NULL}, out, n_threads);
}

void resample_nv12_normalised(resample *r, const nv12_image *in, float *out, int n_threads)
{
    assert(r->n_lines >= n_threads);
    normalised(r, (source){.nv12 = in}, out, n_threads);
}

void resample_plane(resample *r, const float *plane, float *out, int n_threads)
{
    assert(is_plane(r->kind) && n_threads > 0);
    size_t stride, n = r->mid_row;
    const float *mid = first_pass(r, (source){plane, (size_t)r->across.n_in * sizeof *plane, NULL}, &stride, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < r->down.n_out; y++)
        finish_float(r, mid, stride, y, 0, out + (size_t)y * n, n);
}

void resample_mask(resample *r, const float *plane, uint64_t *rows, int n_threads)
{
    assert(is_plane(r->kind) && n_threads > 0);
    size_t stride, n = r->mid_row, row_words = mask_row_words(r->across.n_out);
    const float *mid = first_pass(r, (source){plane, (size_t)r->across.n_in * sizeof *plane, NULL}, &stride, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < r->down.n_out; y++)
        for (size_t x = 0; x < n; x += CHUNK_PX) {
            float chunk[CHUNK_PX];
            uint8_t above[CHUNK_PX];
            size_t m = n - x < CHUNK_PX ? n - x : CHUNK_PX;
            finish_float(r, mid, stride, y, x, chunk, m);
            r->rows->threshold(chunk, 0, above, m);
            mask_pack(above, m, 0, rows + (size_t)y * row_words + x / 64);
        }
}

enum { WORD_PX = 64, MOST_WORDS = 65536 / WORD_PX };
typedef enum word_kind { MIXED, BELOW, ABOVE } word_kind;

/* Where the words of a row lie: all pixels above the levels, none, or it takes a look. A pixel is a mean of `taps` rows of mid
 * at its column, so it lies between their bounds, but for rounding. */
static void judge_words(const resample *r, const float *mid, size_t stride, int taps, const mask_levels *l,
                        uint8_t *kind)
{
    for (size_t x = 0; x < r->mid_row; x += WORD_PX) {
        size_t n = r->mid_row - x < WORD_PX ? r->mid_row - x : WORD_PX;
        float lowest = INFINITY, highest = -INFINITY;
        int known = 1;
        for (int t = 0; t < taps && known; t++) {
            float low, high;
            known = r->rows->bounds(mid + (size_t)t * stride + x, n, &low, &high);
            lowest = fminf(low, lowest);
            highest = fmaxf(high, highest);
        }
        float rounding = 1e-5f * fmaxf(fabsf(lowest), fabsf(highest));
        kind[x / WORD_PX] = !known                        ? MIXED
                            : lowest - rounding > l->high ? ABOVE
                            : highest + rounding < l->low ? BELOW
                                                          : MIXED;
    }
}

/* n pixels of a row from x on, as a word; counts[0] and [1]: those above low and high. */
static uint64_t screen_word(const resample *r, const float *mid, size_t stride, int y, size_t x, size_t n,
                            const mask_levels *l, int32_t counts[2])
{
    float v[WORD_PX];
    uint8_t above[WORD_PX];
    uint64_t word;
    finish_float(r, mid, stride, y, x, v, n);
    r->rows->threshold(v, l->at, above, n);
    mask_pack(above, n, 0, &word);
    counts[0] += r->rows->count_above(v, l->low, n);
    counts[1] += r->rows->count_above(v, l->high, n);
    return word;
}

static void screen_row(const resample *r, const float *mid, size_t stride, int y, const uint8_t *kind,
                       const mask_levels *l, uint64_t *words, int32_t counts[2])
{
    for (size_t x = 0; x < r->mid_row; x += WORD_PX) {
        size_t n = r->mid_row - x < WORD_PX ? r->mid_row - x : WORD_PX;
        uint64_t *word = &words[x / WORD_PX];
        if (kind[x / WORD_PX] == MIXED) {
            *word = screen_word(r, mid, stride, y, x, n, l, counts);
            continue;
        }
        int above = kind[x / WORD_PX] == ABOVE;
        *word = above ? ~UINT64_C(0) >> (WORD_PX - n) : 0;
        counts[0] += above ? (int32_t)n : 0;
        counts[1] += above ? (int32_t)n : 0;
    }
}

void resample_screen(resample *r, const float *plane, const mask_levels *l, packed_mask *m, int n_threads)
{
    assert(is_plane(r->kind) && n_threads > 0 && l->low <= l->at && l->at <= l->high);
    size_t stride, row_words = mask_row_words(r->across.n_out);
    const float *mid = first_pass(r, (source){plane, (size_t)r->across.n_in * sizeof *plane, NULL}, &stride, n_threads);
    int32_t low = 0, high = 0;
#pragma omp parallel num_threads(n_threads) reduction(+ : low, high)
    {
        uint8_t kind[MOST_WORDS];
        int start = -1, taps = 0; /* of the rows that `kind` was made from: neighbours share them */
        int32_t counts[2] = {0, 0};
#pragma omp for schedule(static)
        for (int y = 0; y < r->down.n_out; y++) {
            if (r->down.start[y] != start || r->down.count[y] != taps) {
                start = r->down.start[y];
                taps = r->down.count[y];
                judge_words(r, mid + (size_t)start * stride, stride, taps, l, kind);
            }
            screen_row(r, mid, stride, y, kind, l, mask_rows(m) + (size_t)y * row_words, counts);
        }
        low += counts[0];
        high += counts[1];
    }
    packed_mask_measure(m, r->across.n_out, r->down.n_out);
    m->above_low = low;
    m->above_high = high;
}

void normalise_rgb(const uint8_t *rgb, size_t n_px, float *out, int n_threads)
{
    float grey[256][3];
    assert(n_threads > 0);
    fill_grey(grey);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int64_t i = 0; i < (int64_t)n_px; i++)
        for (int c = 0; c < 3; c++)
            out[3 * i + c] = grey[rgb[3 * i + c]][c];
}
