/* Resampling in two passes: across all input rows into `mid`, then down. */
#include "resample_rows.h"

#include "packed_mask.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What the second pass keeps on the stack before the values are finished; whole words of a packed mask. */
enum { CHUNK_PX = 256 };

static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};

struct resample {
    resample_kind kind;
    resample_axis across, down;
    const resample_rows *rows;
    void *mid;          /* [in_h,out_w,3] u8 or f32, [in_h,out_w] f32; NULL where the side stays and the type too */
    size_t mid_row;     /* values                                                                                 */
    float grey[256][3]; /* normalised value of each u8                                                         */
};

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

static size_t mid_bytes(const resample *r)
{
    if (r->across.n_in == r->across.n_out && r->kind != RESAMPLE_RGB_ANTIALIAS)
        return 0;
    return (size_t)r->down.n_in * r->mid_row * (is_fixed(r->kind) ? 1 : sizeof(float));
}

resample *resample_open(resample_kind kind, int in_w, int in_h, int out_w, int out_h)
{
    resample *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->kind = kind;
    r->mid_row = (size_t)out_w * (is_plane(kind) ? 1 : 3);
    if (!resample_axis_open(&r->across, kind, in_w, out_w) || !resample_axis_open(&r->down, kind, in_h, out_h) ||
        (mid_bytes(r) && !(r->mid = malloc(mid_bytes(r))))) {
        resample_close(r);
        return NULL;
    }
    fill_grey(r->grey);
    int found = resample_select(r, NULL);
    assert(found);
    (void)found;
    return r;
}

void resample_close(resample *r)
{
    if (!r)
        return;
    resample_axis_close(&r->across);
    resample_axis_close(&r->down);
    free(r->mid);
    free(r);
}

static size_t axis_bytes(const resample_axis *a)
{
    return (size_t)a->n_out * (2 * sizeof(int) + (size_t)a->taps * sizeof(float));
}

size_t resample_bytes(const resample *r)
{
    return sizeof *r + axis_bytes(&r->across) + axis_bytes(&r->down) + mid_bytes(r);
}

/* First pass. Returns rows of r->mid_row values, *stride values apart: `in` itself if there is nothing to do. */
static const void *across(resample *r, const void *in, size_t row_bytes, size_t *stride, int n_threads)
{
    if (!r->mid) {
        *stride = row_bytes / (is_fixed(r->kind) ? 1 : sizeof(float));
        return in;
    }
    *stride = r->mid_row;
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < r->down.n_in; y++) {
        const char *row = (const char *)in + (size_t)y * row_bytes;
        size_t at = (size_t)y * r->mid_row;
        if (is_fixed(r->kind))
            r->rows->fixed_across(&r->across, (const uint8_t *)row, (uint8_t *)r->mid + at);
        else if (is_plane(r->kind))
            r->rows->plane_across(&r->across, (const float *)row, (float *)r->mid + at);
        else
            r->rows->rgb_across(&r->across, (const uint8_t *)row, (float *)r->mid + at);
    }
    return r->mid;
}

/* Row y of the second pass, columns from x on: n values. */
static void down_fixed(const resample *r, const uint8_t *mid, size_t stride, int y, size_t x, uint8_t *out, size_t n)
{
    const resample_axis *a = &r->down;
    r->rows->fixed_down(mid + (size_t)a->start[y] * stride + x, stride, a->fixed + (size_t)y * (size_t)a->taps,
                        a->count[y], out, n);
}
static void down_plane(const resample *r, const float *mid, size_t stride, int y, size_t x, float *out, size_t n)
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
    size_t stride, n = r->mid_row;
    const uint8_t *mid = across(r, rgb, row_bytes, &stride, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < r->down.n_out; y++)
        down_fixed(r, mid, stride, y, 0, out + (size_t)y * n, n);
}

void resample_rgb_normalised(resample *r, const uint8_t *rgb, size_t row_bytes, float *out, int n_threads)
{
    assert(!is_plane(r->kind) && row_bytes >= 3 * (size_t)r->across.n_in && n_threads > 0);
    size_t stride, n = r->mid_row;
    const void *mid = across(r, rgb, row_bytes, &stride, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < r->down.n_out; y++)
        for (size_t x = 0; x < n; x += 3 * CHUNK_PX) {
            uint8_t chunk[3 * CHUNK_PX];
            float *to = out + (size_t)y * n + x;
            size_t m = n - x < sizeof chunk ? n - x : sizeof chunk;
            if (is_fixed(r->kind)) {
                down_fixed(r, mid, stride, y, x, chunk, m);
                look_up(r->grey, chunk, to, m);
            } else {
                down_plane(r, mid, stride, y, x, to, m);
                subtract_mean(to, m);
            }
        }
}

void resample_plane(resample *r, const float *plane, float *out, int n_threads)
{
    assert(is_plane(r->kind) && n_threads > 0);
    size_t stride, n = r->mid_row;
    const float *mid = across(r, plane, (size_t)r->across.n_in * sizeof *plane, &stride, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < r->down.n_out; y++)
        down_plane(r, mid, stride, y, 0, out + (size_t)y * n, n);
}

void resample_mask(resample *r, const float *plane, uint64_t *rows, int n_threads)
{
    assert(is_plane(r->kind) && n_threads > 0);
    size_t stride, n = r->mid_row, row_words = mask_row_words(r->across.n_out);
    const float *mid = across(r, plane, (size_t)r->across.n_in * sizeof *plane, &stride, n_threads);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < r->down.n_out; y++)
        for (size_t x = 0; x < n; x += CHUNK_PX) {
            float chunk[CHUNK_PX];
            uint8_t above[CHUNK_PX];
            size_t m = n - x < CHUNK_PX ? n - x : CHUNK_PX;
            down_plane(r, mid, stride, y, x, chunk, m);
            r->rows->threshold(chunk, above, m);
            mask_pack(above, m, 0, rows + (size_t)y * row_words + x / 64);
        }
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
