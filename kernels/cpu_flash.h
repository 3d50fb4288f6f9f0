/* cpu_flash.h - softmax(scale q k^T) v without ever holding the scores: attention of one head over blocks of keys.
 *
 * Everything is transposed, so that nothing large is packed: a tile is nv vectors of queries across the lanes,
 *     S [keys, queries] = K Q^T,    O [dv, queries] = V^T P,
 * K and V are the broadcast operand and are read where they lie, row by row; Q is packed once per tile and P is what the
 * softmax just wrote. Maximum, sum and rescaling are lane by lane. A thread takes a chunk of tiles and goes over the
 * key blocks once, keeping each tile's maximum, sum and O in scratch; so a block of keys is read from memory once per
 * chunk. The maximum is only raised when a score exceeds it by 2^8 (P then stays below 2^8), so O is rarely rescaled.
 * What a query gets does not depend on the chunk or the number of threads.
 *
 * bf16 operands are multiplied as bf16 with f32 sums where the machine can (HAVE_HALF; V is interleaved in pairs of
 * keys per block), and are otherwise widened to f32 per block. P is rounded to bf16 there, its row sums are f32. */
#ifndef CPU_FLASH_H
#define CPU_FLASH_H

#include "cpu_gemm.h"

enum { FLASH_KEYS = 128, FLASH_MAX_TILES = 8 };

/* Rows of one head: row r at data + r * stride elements. */
typedef struct rows {
    void *data;
    dtype type;
    size_t stride;
    int n, width;
} rows;

typedef struct flash {
    rows q, k, v, out;
    float scale;
} flash;

/* What one thread needs, for the widest operands it will see. */
typedef struct flash_scratch {
    vec *q, *o, *s;  /* [tiles][words][2]  [tiles][dv][2]  [FLASH_KEYS][2]  */
    vec *most, *sum; /* [tiles][2]                                            */
    float *k, *v;    /* [FLASH_KEYS][dk or dv]: blocks widened or interleaved */
    float *row;      /* one row of q or out                                   */
} flash_scratch;

static inline size_t flash_part(char *base, size_t *at, size_t n_floats, void *part)
{
    char *here = base ? base + *at : NULL;
    memcpy(part, &here, sizeof here);
    return *at += (n_floats * sizeof(float) + 63) / 64 * 64;
}
/* Lays the scratch out from base (NULL: only its size) for up to n_tiles tiles. Returns its bytes. */
static inline size_t flash_scratch_at(void *base, int n_tiles, int dk, int dv, flash_scratch *to)
{
    size_t at = 0, tile = 2 * LANES, widest = (size_t)(dk > dv ? dk : dv);
    flash_part(base, &at, (size_t)n_tiles * (size_t)dk * tile, &to->q);
    flash_part(base, &at, (size_t)n_tiles * (size_t)dv * tile, &to->o);
    flash_part(base, &at, FLASH_KEYS * tile, &to->s);
    flash_part(base, &at, (size_t)n_tiles * tile, &to->most);
    flash_part(base, &at, (size_t)n_tiles * tile, &to->sum);
    flash_part(base, &at, FLASH_KEYS * (size_t)dk, &to->k);
    flash_part(base, &at, FLASH_KEYS * (size_t)dv, &to->v);
    return flash_part(base, &at, widest, &to->row);
}

static inline void *row_at(const rows *x, int r)
{
    return (char *)x->data + (size_t)r * x->stride * dtype_bytes(x->type);
}
static inline bool word_aligned(const rows *x)
{
    return x->type == DT_F32 || (((uintptr_t)x->data & 3) == 0 && x->stride % 2 == 0 && x->width % 2 == 0);
}
static inline bool flash_is_half(const flash *f)
{
    return HAVE_HALF && f->q.type == DT_BF16 && f->k.type == DT_BF16 && f->v.type == DT_BF16 && word_aligned(&f->q) &&
           word_aligned(&f->k);
}

/* Queries first..first+nv*LANES-1 as [words][nv * LANES], zeros past the last. */
static inline void flash_pack_queries(const flash *f, bool half, int nv, int first, float *to, float *row)
{
    size_t cols = (size_t)nv * LANES, n_words = half ? (size_t)f->q.width / 2 : (size_t)f->q.width;
    for (size_t j = 0; j < cols; j++) {
        int r = first + (int)j;
        const word *from = NULL;
        if (r < f->q.n && (half || f->q.type == DT_F32))
            from = row_at(&f->q, r);
        else if (r < f->q.n) {
            load_row(row, row_at(&f->q, r), f->q.type, n_words);
            from = row;
        }
        for (size_t w = 0; w < n_words; w++)
            ((word *)to)[w * cols + j] = from ? from[w] : 0;
    }
}

/* A block of rows as words: in place, or widened to f32 in `to`. */
static inline const word *flash_block(const rows *x, bool half, int first, size_t n, float *to, size_t *stride)
{
    if (half || x->type == DT_F32) {
        *stride = half ? x->stride / 2 : x->stride;
        return row_at(x, first);
    }
    *stride = (size_t)x->width;
    for (size_t i = 0; i < n; i++)
        load_row(to + i * *stride, row_at(x, first + (int)i), x->type, *stride);
    return to;
}
/* Values for `half`: word [key / 2][dv] holds two keys; an odd last key is paired with zero. */
static inline const word *flash_pair_values(const rows *v, int first, size_t n, float *to)
{
    size_t dv = (size_t)v->width;
    uint32_t *words = (uint32_t *)to;
    for (size_t i = 0; i < n; i += 2) {
        const uint16_t *a = row_at(v, first + (int)i), *b = i + 1 < n ? row_at(v, first + (int)i + 1) : NULL;
        uint32_t *pair = words + i / 2 * dv;
        if (b)
            for (size_t d = 0; d < dv; d++)
                pair[d] = a[d] | (uint32_t)b[d] << 16;
        else
            for (size_t d = 0; d < dv; d++)
                pair[d] = a[d];
    }
    return to;
}

#ifdef __AVX512BF16__
/* Two rows of P as one row of bf16 pairs. */
INLINE vec vec_pair(vec a, vec b)
{
    const __m512i interleave = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22,
                                                6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return (vec)_mm512_permutexvar_epi16(interleave, (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a));
}
#else
INLINE vec vec_pair(vec a, vec b)
{
    (void)b;
    return a;
}
#endif

/* Raises the maxima of a tile to this block's where they are too low, and with them rescales sum and O. */
INLINE void flash_raise(int nv, vec *most, vec *sum, vec *o, const vec *block_most, size_t dv)
{
    int grows = 0;
    for (int j = 0; j < nv; j++) {
        ivec above = block_most[j] > most[j] + 8.0f;
        for (int i = 0; i < LANES; i++)
            grows |= above[i];
    }
    if (!grows)
        return;
    for (int j = 0; j < nv; j++) {
        vec higher = vec_max(most[j], block_most[j]), factor = vec_exp2(false, most[j] - higher);
        most[j] = higher;
        sum[j] *= factor;
        for (size_t d = 0; d < dv; d++)
            o[d * (size_t)nv + (size_t)j] *= factor;
    }
}

/* P = 2^(s - most) in place (half: n rows become n / 2 rows of pairs), sum += its rows. */
INLINE void flash_exp(bool half, int nv, vec *s, const vec *most, vec *sum, size_t n)
{
    for (int j = 0; j < nv; j++) {
        vec m = most[j], total = sum[j];
        size_t i = 0;
        for (; half && i < n; i += 2) {
            vec a = vec_exp2(true, s[i * (size_t)nv + (size_t)j] - m), b = vec_set(0);
            if (i + 1 < n)
                b = vec_exp2(true, s[(i + 1) * (size_t)nv + (size_t)j] - m);
            total += a + b;
            s[i / 2 * (size_t)nv + (size_t)j] = vec_pair(a, b);
        }
        for (; i < n; i++) {
            vec a = vec_exp2(false, s[i * (size_t)nv + (size_t)j] - m);
            total += a;
            s[i * (size_t)nv + (size_t)j] = a;
        }
        sum[j] = total;
    }
}

INLINE void flash_chunk(const flash *f, bool half, int nv, int first_tile, int n_tiles, const flash_scratch *s)
{
    size_t dk = half ? (size_t)f->k.width / 2 : (size_t)f->k.width, dv = (size_t)f->v.width, cols = (size_t)nv;
    float scale = f->scale * 1.44269504088896341f;
    for (int t = 0; t < n_tiles; t++) {
        flash_pack_queries(f, half, nv, (first_tile + t) * nv * LANES, (float *)(s->q + (size_t)t * dk * cols), s->row);
        for (size_t j = 0; j < cols; j++) {
            s->most[(size_t)t * cols + j] = vec_set(-0x1p120f); /* not -inf: a score of -inf must give 0, not NaN */
            s->sum[(size_t)t * cols + j] = vec_set(0);
        }
    }
    for (size_t i = 0; i < (size_t)n_tiles * dv * cols; i++)
        s->o[i] = vec_set(0);
    for (int first = 0; first < f->k.n; first += FLASH_KEYS) {
        size_t n = (size_t)(f->k.n - first < FLASH_KEYS ? f->k.n - first : FLASH_KEYS), k_stride, v_stride = dv;
        const word *k = flash_block(&f->k, half, first, n, s->k, &k_stride);
        const word *v =
            half ? flash_pair_values(&f->v, first, n, s->v) : flash_block(&f->v, false, first, n, s->v, &v_stride);
        for (int t = 0; t < n_tiles; t++) {
            vec *o = s->o + (size_t)t * dv * cols, *most = s->most + (size_t)t * cols, *sum = s->sum + (size_t)t * cols;
            vec block_most[2] = {vec_set(-INFINITY), vec_set(-INFINITY)};
            score_rows(half, nv, s->s, block_most, k, k_stride, n, s->q + (size_t)t * dk * cols, dk, scale);
            flash_raise(nv, most, sum, o, block_most, dv);
            flash_exp(half, nv, s->s, most, sum, n);
            value_rows(half, nv, o, dv, v, v_stride, s->s, half ? (n + 1) / 2 : n);
        }
    }
    for (int t = 0; t < n_tiles; t++)
        for (int j = 0; j < nv * LANES; j++) {
            int r = (first_tile + t) * nv * LANES + j;
            const float *o = (const float *)(s->o + (size_t)t * dv * cols) + j;
            if (r >= f->out.n)
                return;
            float total = ((const float *)(s->sum + (size_t)t * cols))[j];
            for (size_t d = 0; d < dv; d++)
                s->row[d] = o[d * cols * LANES] / total;
            store_row(row_at(&f->out, r), s->row, f->out.type, dv);
        }
}

/* Vectors of queries per tile, and tiles of one head. */
static inline int flash_nv(int n_queries)
{
    return n_queries <= LANES ? 1 : 2;
}
static inline int flash_tiles(int n_queries)
{
    int cols = flash_nv(n_queries) * LANES;
    return (n_queries + cols - 1) / cols;
}
/* Tiles first_tile .. first_tile + n_tiles - 1 of f. */
static inline void flash_run(const flash *f, int first_tile, int n_tiles, const flash_scratch *s)
{
    int nv = flash_nv(f->q.n);
    if (flash_is_half(f) && nv == 2)
        flash_chunk(f, HAVE_HALF, 2, first_tile, n_tiles, s);
    else if (flash_is_half(f))
        flash_chunk(f, HAVE_HALF, 1, first_tile, n_tiles, s);
    else if (nv == 2)
        flash_chunk(f, false, 2, first_tile, n_tiles, s);
    else
        flash_chunk(f, false, 1, first_tile, n_tiles, s);
}
/* Tiles per task: enough tasks for the threads, and up to FLASH_MAX_TILES so that keys are read from memory seldom. */
static inline int flash_tiles_per_task(int n_problems, int n_queries, int n_threads)
{
    int per_task = (int)((long)n_problems * flash_tiles(n_queries) / (4L * n_threads));
    return per_task < 1 ? 1 : per_task > FLASH_MAX_TILES ? FLASH_MAX_TILES : per_task;
}

#endif
