/* cpu_flash_parts.h - an attention head's operands, and what both kinds of steps of cpu_flash.h do with them: packing the
 * queries, the running maximum, terms of positions, storing results. */
#ifndef CPU_FLASH_PARTS_H
#define CPU_FLASH_PARTS_H

#include "cpu_gemm.h"

#define LOG2_E 1.44269504088896341f
/* Where a maximum starts. Not -infinity: a score of -infinity must give 0, not NaN. */
#define FLASH_LEAST (-0x1p120f)

/* Rows of one head: row r at data + r * stride elements. */
typedef struct rows {
    void *data;
    dtype type;
    size_t stride;
    int n, width;
} rows;

/* Queries and keys are the cells (y, x) of one grid, row by row. The score of two cells gets the (unscaled) query's
 * product with row qy - ky + side_y - 1 of the first table, and with row qx - kx + side_x - 1 of the second. */
typedef struct flash_positions {
    const float *table[2]; /* [2 side - 1][width of q]; NULL: no positions */
    int side[2];           /* side_y, side_x */
} flash_positions;

typedef struct flash {
    rows q, k, v, out;
    float scale;
    flash_positions at;
} flash;

/* One tile of nv vectors of queries. */
typedef struct flash_tile {
    vec *q;          /* [words][nv]                     */
    vec *most, *sum; /* [nv], of the scores times log2 e */
    vec *o;          /* [dv][nv]                        */
} flash_tile;

static inline void *row_at(const rows *x, int r)
{
    return (char *)x->data + (size_t)r * x->stride * dtype_bytes(x->type);
}
static inline bool word_aligned(const rows *x)
{
    return x->type == DT_F32 || (((uintptr_t)x->data & 3) == 0 && x->stride % 2 == 0 && x->width % 2 == 0);
}
/* LANES x LANES transposition: butterflies over distance 1, 2, 4, .. */
typedef struct shuffles {
    ivec low[4], high[4];
} shuffles;

INLINE void shuffles_init(shuffles *s)
{
    for (int b = 0; 1 << b < LANES; b++)
        for (int i = 0; i < LANES; i++) {
            s->low[b][i] = i >> b & 1 ? LANES + i - (1 << b) : i;
            s->high[b][i] = i >> b & 1 ? LANES + i : i + (1 << b);
        }
}
/* Element i is element which[i] of a and b side by side. GCC's builtin takes variable indices, which Clang lacks: it makes
 * shuffles of the loop, whose indices are constants once everything here is inlined. */
INLINE vec pick(vec a, vec b, ivec which)
{
#if __has_builtin(__builtin_shuffle)
    return __builtin_shuffle(a, b, which);
#else
    vec out;
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) out[i] =
        which[i] < LANES ? a[which[i]] : b[which[i] - LANES];
    return out;
#endif
}
INLINE void transpose(const shuffles *s, vec *x)
{
#ifdef CPU_WIDE_VECTORS /* which have no shuffle of their own: the compiler would write thousands of moves */
    float from[LANES][LANES];
    (void)s;
    memcpy(from, x, sizeof from);
    for (int i = 0; i < LANES * LANES; i++)
        ((word *)&x[i % LANES])[i / LANES] = from[i / LANES][i % LANES];
    return;
#endif
    _Pragma("GCC unroll 4") for (int b = 0; b < 4; b++)
    {
        if (1 << b >= LANES)
            break;
        _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++)
        {
            if (i >> b & 1)
                continue;
            vec low = x[i], high = x[i + (1 << b)];
            x[i] = pick(low, high, s->low[b]);
            x[i + (1 << b)] = pick(low, high, s->high[b]);
        }
    }
}

/* Queries first..first+nv*LANES-1 as [words][nv]; past the last one the first again. */
INLINE void flash_pack_queries(const flash *f, bool half, int nv, int first, vec *to, float *wide)
{
    size_t n_words = half ? (size_t)f->q.width / 2 : (size_t)f->q.width;
    shuffles shuffle;
    shuffles_init(&shuffle);
    for (int j = 0; j < nv; j++) {
        const word *from[LANES];
        for (int i = 0; i < LANES; i++) {
            int r = first + j * LANES + i < f->q.n ? first + j * LANES + i : first;
            from[i] = row_at(&f->q, r);
            if (half || f->q.type == DT_F32)
                continue;
            load_row(wide + (size_t)i * n_words, from[i], f->q.type, n_words);
            from[i] = wide + (size_t)i * n_words;
        }
        size_t w = 0;
        for (; w + LANES <= n_words; w += LANES) {
            vec block[LANES];
            for (int i = 0; i < LANES; i++)
                memcpy(&block[i], from[i] + w, sizeof(vec));
            transpose(&shuffle, block);
            for (int i = 0; i < LANES; i++)
                to[(w + (size_t)i) * (size_t)nv + (size_t)j] = block[i];
        }
        for (; w < n_words; w++)
            for (int i = 0; i < LANES; i++)
                ((word *)&to[w * (size_t)nv + (size_t)j])[i] = from[i][w];
    }
}

/* O [dv][nv] divided by its sums, as rows first.. of out. A maximum that was never raised means that no score was above
 * -infinity: no weights, so NaN. */
INLINE void flash_store(const flash *f, int nv, int first, const flash_tile *tile)
{
    const vec *o = tile->o;
    size_t dv = (size_t)f->v.width, bytes = dtype_bytes(f->out.type);
    shuffles shuffle;
    shuffles_init(&shuffle);
    for (int j = 0; j < nv; j++) {
        int n = f->out.n - first - j * LANES < LANES ? f->out.n - first - j * LANES : LANES;
        vec inverse = 1.0f / (vec)((ivec)tile->sum[j] | (ivec)(tile->most[j] <= FLASH_LEAST));
        for (size_t d = 0; d < dv && n > 0; d += LANES) {
            size_t cols = dv - d < LANES ? dv - d : LANES;
            vec block[LANES];
            for (size_t i = 0; i < LANES; i++)
                block[i] = o[(i < cols ? d + i : d) * (size_t)nv + (size_t)j] * inverse;
            transpose(&shuffle, block);
            for (int i = 0; i < n; i++) {
                char *to = (char *)row_at(&f->out, first + j * LANES + i) + d * bytes;
                if (cols == LANES)
                    vec_store(to, block[i], f->out.type);
                else
                    store_row(to, (const float *)&block[i], f->out.type, cols);
            }
        }
    }
}

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

/* Scores of n keys from `first` on, times `scale`, get their terms; their maxima. */
INLINE void flash_add_terms(const flash *f, int nv, vec *s, vec *most, const vec *terms, int first, size_t n,
                            float scale)
{
    const vec *row = terms + first / f->at.side[1] * nv, *columns = terms + f->at.side[0] * nv;
    int x = first % f->at.side[1];
    for (int j = 0; j < nv; j++)
        most[j] = vec_set(-INFINITY);
    for (size_t i = 0; i < n; i++, s += nv) {
        for (int j = 0; j < nv; j++) {
            s[j] = s[j] * scale + (row[j] + columns[x * nv + j]);
            most[j] = vec_max(most[j], s[j]);
        }
        if (++x == f->at.side[1]) {
            x = 0;
            row += nv;
        }
    }
}

#endif
