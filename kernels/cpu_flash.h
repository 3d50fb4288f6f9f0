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
 * Relative positions (flash_positions): the terms of a tile are one more product, of the tables' rows with the packed
 * queries; each query takes the rows of its own place. They are added to the scores block by block.
 *
 * bf16 operands are multiplied as bf16 with f32 sums where the machine can (HAVE_HALF; V is interleaved in pairs of
 * keys per block), and are otherwise widened to f32 per block. P is rounded to bf16 there, its row sums are f32. */
#ifndef CPU_FLASH_H
#define CPU_FLASH_H

#include "cpu_gemm.h"

/* 126 is nine tiles of 14 keys and even. 16 tiles of 32 queries (Q 512 KiB in f32, O 128 KiB) share each block of keys:
 * with 8, the memory attention ran 5% slower, with 4 it ran 15% slower, waiting for keys. */
enum { FLASH_KEYS = 126, FLASH_MAX_TILES = 16 };

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

/* What one thread needs, for the widest operands it will see. */
typedef struct flash_scratch {
    vec *q, *o, *s;  /* [tiles][words][2]  [tiles][dv][2]  [FLASH_KEYS][2]  */
    vec *most, *sum; /* [tiles][2]                                            */
    float *k, *v;    /* [FLASH_KEYS][dk or dv]: blocks widened or interleaved */
    float *wide;     /* [LANES][dk]: queries widened */
    /* with positions: */
    vec *terms, *products; /* [tiles][side_y + side_x][2]  [2 side - 1][2] */
    float *table[2];       /* [2 side - 1][dk]: the tables as `half` takes them */
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
    size_t at = 0, tile = 2 * LANES;
    flash_part(base, &at, (size_t)n_tiles * (size_t)dk * tile, &to->q);
    flash_part(base, &at, (size_t)n_tiles * (size_t)dv * tile, &to->o);
    flash_part(base, &at, FLASH_KEYS * tile, &to->s);
    flash_part(base, &at, (size_t)n_tiles * tile, &to->most);
    flash_part(base, &at, (size_t)n_tiles * tile, &to->sum);
    flash_part(base, &at, FLASH_KEYS * (size_t)dk, &to->k);
    flash_part(base, &at, FLASH_KEYS * (size_t)dv, &to->v);
    return flash_part(base, &at, LANES * (size_t)dk, &to->wide);
}
/* The same for what positions need, from base + at on. Returns the end. */
static inline size_t flash_positions_scratch(void *base, size_t at, int n_tiles, int dk, const flash_positions *p,
                                             flash_scratch *to)
{
    size_t rows[2] = {2 * (size_t)p->side[0] - 1, 2 * (size_t)p->side[1] - 1}, tile = 2 * LANES;
    flash_part(base, &at, (size_t)n_tiles * (size_t)(p->side[0] + p->side[1]) * tile, &to->terms);
    flash_part(base, &at, (rows[0] > rows[1] ? rows[0] : rows[1]) * tile, &to->products);
    flash_part(base, &at, rows[0] * (size_t)dk, &to->table[0]);
    return flash_part(base, &at, rows[1] * (size_t)dk, &to->table[1]);
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

/* O [dv][nv] divided by its sums, as rows first.. of out. */
INLINE void flash_store(const flash *f, int nv, int first, const vec *o, const vec *sum)
{
    size_t dv = (size_t)f->v.width, bytes = dtype_bytes(f->out.type);
    shuffles shuffle;
    shuffles_init(&shuffle);
    for (int j = 0; j < nv; j++) {
        int n = f->out.n - first - j * LANES < LANES ? f->out.n - first - j * LANES : LANES;
        vec inverse = 1.0f / sum[j];
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

/* Asks for part `part` of `parts` of rows first..first+n-1 to come into the second-level cache. */
static inline void flash_prefetch(const rows *x, int first, int n, int part, int parts)
{
    size_t bytes = (size_t)x->width * dtype_bytes(x->type);
    for (int i = first + n * part / parts; i < first + n * (part + 1) / parts; i++)
        for (size_t at = 0; at < bytes; at += 64)
            __builtin_prefetch((const char *)row_at(x, i) + at, 0, 2);
}

/* Relative positions --------------------------------------------------------------------------------------------- */

/* `half` multiplies bf16: the tables are rounded as weights of products are. */
static inline void flash_half_tables(const flash *f, const flash_scratch *s)
{
    for (int axis = 0; axis < 2; axis++)
        store_row(s->table[axis], f->at.table[axis], DT_BF16, (2 * (size_t)f->at.side[axis] - 1) * (size_t)f->q.width);
}
/* Terms [side_y + side_x][nv] of a tile's queries, times log2(e). */
INLINE void flash_terms(const flash *f, bool half, int nv, int first_query, const vec *q, size_t n_words, vec *terms,
                        const flash_scratch *s)
{
    for (int axis = 0; axis < 2; axis++) {
        int side = f->at.side[axis];
        const word *table = half ? s->table[axis] : f->at.table[axis];
        vec unused[2] = {vec_set(0), vec_set(0)};
        score_rows(half, nv, s->products, unused, table, n_words, 2 * (size_t)side - 1, q, n_words,
                   1.44269504088896341f);
        float *to = (float *)terms;
        const float *from = (const float *)s->products;
        for (int j = 0; j < nv * LANES; j++) {
            int r = first_query + j < f->q.n ? first_query + j : first_query; /* as flash_pack_queries */
            int place = axis ? r % f->at.side[1] : r / f->at.side[1];
            for (int key = 0; key < side; key++)
                to[key * nv * LANES + j] = from[(place - key + side - 1) * nv * LANES + j];
        }
        terms += side * nv;
    }
}
/* Scores of n keys from `first` on get their terms; their maxima. */
INLINE void flash_add_terms(const flash *f, int nv, vec *s, vec *most, const vec *terms, int first, size_t n)
{
    const vec *row = terms + first / f->at.side[1] * nv, *columns = terms + f->at.side[0] * nv;
    int x = first % f->at.side[1];
    for (int j = 0; j < nv; j++)
        most[j] = vec_set(-INFINITY);
    for (size_t i = 0; i < n; i++, s += nv) {
        for (int j = 0; j < nv; j++) {
            s[j] += row[j] + columns[x * nv + j];
            most[j] = vec_max(most[j], s[j]);
        }
        if (++x == f->at.side[1]) {
            x = 0;
            row += nv;
        }
    }
}

INLINE void flash_chunk(const flash *f, bool half, int nv, int first_query, int n_tiles, const flash_scratch *s)
{
    size_t dk = half ? (size_t)f->k.width / 2 : (size_t)f->k.width, dv = (size_t)f->v.width, cols = (size_t)nv;
    size_t n_terms = (size_t)(f->at.side[0] + f->at.side[1]) * cols;
    float scale = f->scale * 1.44269504088896341f;
    if (f->at.table[0] && half)
        flash_half_tables(f, s);
    for (int t = 0; t < n_tiles; t++) {
        vec *q = s->q + (size_t)t * dk * cols;
        flash_pack_queries(f, half, nv, first_query + t * nv * LANES, q, s->wide);
        if (f->at.table[0])
            flash_terms(f, half, nv, first_query + t * nv * LANES, q, dk, s->terms + (size_t)t * n_terms, s);
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
        int next = first + (int)n, n_next = f->k.n - next < FLASH_KEYS ? f->k.n - next : FLASH_KEYS;
        for (int t = 0; t < n_tiles; t++) {
            flash_prefetch(&f->k, next, n_next, t, n_tiles);
            flash_prefetch(&f->v, next, n_next, t, n_tiles);
            vec *o = s->o + (size_t)t * dv * cols, *most = s->most + (size_t)t * cols, *sum = s->sum + (size_t)t * cols;
            vec block_most[2] = {vec_set(-INFINITY), vec_set(-INFINITY)};
            score_rows(half, nv, s->s, block_most, k, k_stride, n, s->q + (size_t)t * dk * cols, dk, scale);
            if (f->at.table[0])
                flash_add_terms(f, nv, s->s, block_most, s->terms + (size_t)t * n_terms, first, n);
            flash_raise(nv, most, sum, o, block_most, dv);
            flash_exp(half, nv, s->s, most, sum, n);
            value_rows(half, nv, o, dv, v, v_stride, s->s, half ? (n + 1) / 2 : n);
        }
    }
    for (int t = 0; t < n_tiles; t++)
        flash_store(f, nv, first_query + t * nv * LANES, s->o + (size_t)t * dv * cols, s->sum + (size_t)t * cols);
}

/* Tiles of one head: two vectors of queries each, but the last may be one. */
static inline int flash_tiles(int n_queries)
{
    return (n_queries + 2 * LANES - 1) / (2 * LANES);
}
/* Tiles first_tile .. first_tile + n_tiles - 1 of f. */
static inline void flash_run(const flash *f, int first_tile, int n_tiles, const flash_scratch *s)
{
    int first = first_tile * 2 * LANES, left = f->q.n - first;
    int wide = left - (n_tiles - 1) * 2 * LANES <= LANES ? n_tiles - 1 : n_tiles, last = first + wide * 2 * LANES;
    if (flash_is_half(f)) {
        if (wide)
            flash_chunk(f, HAVE_HALF, 2, first, wide, s);
        if (wide < n_tiles)
            flash_chunk(f, HAVE_HALF, 1, last, 1, s);
    } else {
        if (wide)
            flash_chunk(f, false, 2, first, wide, s);
        if (wide < n_tiles)
            flash_chunk(f, false, 1, last, 1, s);
    }
}
/* Tiles per task: enough tasks for the threads, and up to FLASH_MAX_TILES so that keys are read from memory seldom;
 * where that leaves few tiles to a task, one equal share for each thread. */
static inline int flash_tiles_per_task(int n_problems, int n_queries, int n_threads)
{
    long tiles = (long)n_problems * flash_tiles(n_queries), per_task = tiles / (4L * n_threads);
    if (per_task < FLASH_MAX_TILES / 2)
        per_task = (tiles + n_threads - 1) / n_threads;
    return per_task < 1 ? 1 : per_task > FLASH_MAX_TILES ? FLASH_MAX_TILES : (int)per_task;
}

#endif
