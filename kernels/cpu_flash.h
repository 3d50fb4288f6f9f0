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
 * bf16 operands are multiplied as bf16 with f32 sums where the machine can: on tiles (cpu_flash_amx.h), or on vectors
 * (HAVE_HALF; V is interleaved in pairs of keys per block). Otherwise they are widened to f32 per block. P is rounded to
 * bf16 there, its row sums are f32. */
#ifndef CPU_FLASH_H
#define CPU_FLASH_H

#include "cpu_flash_amx.h"
#include "cpu_flash_parts.h"

/* 126 is nine tiles of 14 keys and even. 16 tiles of 32 queries (Q 512 KiB in f32, O 128 KiB) share each block of keys:
 * with 8, the memory attention ran 5% slower, with 4 it ran 15% slower, waiting for keys. */
enum { FLASH_KEYS = 126, FLASH_MAX_TILES = 16 };

/* What one thread needs, for the widest operands it will see. With tiles: two blocks of scores and of values, because the
 * last ones wait (cpu_flash_amx.h), and rows up to a multiple of 16. */
typedef struct flash_scratch {
    vec *q, *o, *s;  /* [tiles][words][2]  [tiles][dv][2]  [FLASH_KEYS][2]  */
    vec *most, *sum; /* [tiles][2]                                            */
    float *k, *v;    /* [FLASH_KEYS][dk or dv]: blocks widened or interleaved */
    float *wide;     /* [LANES][dk]: queries widened */
    /* with positions: */
    vec *terms, *products; /* [tiles][side_y + side_x][2]  [2 side - 1][2] */
    float *table[2];       /* [2 side - 1][dk]: the tables as `half` takes them */
    amx_tiles *tiles;      /* of the thread, set by the caller; begun if HAVE_AMX */
} flash_scratch;

static inline size_t flash_part(char *base, size_t *at, size_t n_floats, void *part)
{
    char *here = base ? base + *at : NULL;
    memcpy(part, &here, sizeof here);
    return *at += (n_floats * sizeof(float) + 63) / 64 * 64;
}
static inline size_t flash_rows(int n)
{
    return HAVE_AMX ? amx_up((size_t)n, AMX_ROWS) : (size_t)n;
}
/* Lays the scratch out from base (NULL: only its size) for up to n_tiles tiles. Returns its bytes. */
static inline size_t flash_scratch_at(void *base, int n_tiles, int dk, int dv, flash_scratch *to)
{
    enum { KEYS = HAVE_AMX ? AMX_KEYS : FLASH_KEYS };
    size_t at = 0, tile = 2 * LANES, narrow = HAVE_AMX ? AMX_WORDS : 0;
    flash_part(base, &at, (size_t)n_tiles * flash_rows(dk) * tile, &to->q);
    flash_part(base, &at, (size_t)n_tiles * flash_rows(dv) * tile, &to->o);
    flash_part(base, &at, (HAVE_AMX ? 2 : 1) * KEYS * tile, &to->s);
    flash_part(base, &at, (size_t)n_tiles * tile, &to->most);
    flash_part(base, &at, (size_t)n_tiles * tile, &to->sum);
    flash_part(base, &at, KEYS * ((size_t)dk > narrow ? (size_t)dk : narrow), &to->k);
    flash_part(base, &at, KEYS * flash_rows(dv), &to->v);
    return flash_part(base, &at, LANES * (size_t)dk, &to->wide);
}
/* The same for what positions need, from base + at on. Returns the end. */
static inline size_t flash_positions_scratch(void *base, size_t at, int n_tiles, int dk, const flash_positions *p,
                                             flash_scratch *to)
{
    size_t rows[2] = {flash_rows(2 * p->side[0] - 1), flash_rows(2 * p->side[1] - 1)}, tile = 2 * LANES;
    flash_part(base, &at, (size_t)n_tiles * (size_t)(p->side[0] + p->side[1]) * tile, &to->terms);
    flash_part(base, &at, (rows[0] > rows[1] ? rows[0] : rows[1]) * tile, &to->products);
    flash_part(base, &at, rows[0] * (size_t)dk, &to->table[0]);
    return flash_part(base, &at, rows[1] * (size_t)dk, &to->table[1]);
}

/* What the operands are multiplied as. */
typedef enum flash_kind { FLASH_F32, FLASH_HALF, FLASH_TILES } flash_kind;

static inline flash_kind flash_kind_of(const flash *f)
{
    bool half = f->q.type == DT_BF16 && f->k.type == DT_BF16 && f->v.type == DT_BF16 && word_aligned(&f->q) &&
                word_aligned(&f->k);
    /* Tiles scale scores after their maximum; narrow rows are padded, but not those of tables. */
    if (HAVE_AMX && half && f->scale > 0 && (!f->at.table[0] || f->q.width >= 2 * AMX_WORDS))
        return FLASH_TILES;
    return HAVE_HALF && half ? FLASH_HALF : FLASH_F32;
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
INLINE void flash_terms(const flash *f, flash_kind kind, int nv, int first_query, const vec *q, const amx_chunk *chunk,
                        vec *terms, const flash_scratch *s)
{
    for (int axis = 0; axis < 2; axis++) {
        int side = f->at.side[axis];
        size_t n_rows = 2 * (size_t)side - 1, n_words = chunk->n_words;
        const word *table = kind == FLASH_F32 ? f->at.table[axis] : s->table[axis];
        vec unused[2] = {vec_set(0), vec_set(0)};
        if (kind == FLASH_TILES)
            amx_table_product(nv, chunk, s->products, table, n_rows, q);
        else
            score_rows(kind == FLASH_HALF, nv, s->products, unused, table, n_words, n_rows, q, n_words, 1.0f);
        float *to = (float *)terms;
        const float *from = (const float *)s->products;
        for (int j = 0; j < nv * LANES; j++) {
            int r = first_query + j < f->q.n ? first_query + j : first_query; /* as flash_pack_queries */
            int place = axis ? r % f->at.side[1] : r / f->at.side[1];
            for (int key = 0; key < side; key++)
                to[key * nv * LANES + j] = from[(place - key + side - 1) * nv * LANES + j] * LOG2_E;
        }
        terms += side * nv;
    }
}
/* A block of keys as the step takes it. */
typedef struct flash_keys {
    const word *k, *v;
    size_t k_stride, v_stride, n;
} flash_keys;

static inline flash_keys flash_take_keys(const flash *f, bool half, int first, size_t n, const flash_scratch *s)
{
    flash_keys keys = {.n = n, .v_stride = (size_t)f->v.width};
    keys.k = flash_block(&f->k, half, first, n, s->k, &keys.k_stride);
    keys.v =
        half ? flash_pair_values(&f->v, first, n, s->v) : flash_block(&f->v, false, first, n, s->v, &keys.v_stride);
    return keys;
}

/* A tile of queries with a block of keys, on vectors. */
INLINE void flash_step(const flash *f, bool half, int nv, vec *s, const flash_keys *keys, int first,
                       const flash_tile *q, size_t n_words, const vec *terms)
{
    size_t dv = (size_t)f->v.width, n = keys->n;
    vec most[2] = {vec_set(-INFINITY), vec_set(-INFINITY)};
    score_rows(half, nv, s, most, keys->k, keys->k_stride, n, q->q, n_words, f->scale * LOG2_E);
    if (terms)
        flash_add_terms(f, nv, s, most, terms, first, n, 1.0f);
    flash_raise(nv, q->most, q->sum, q->o, most, dv);
    flash_exp(half, nv, s, q->most, q->sum, n);
    value_rows(half, nv, q->o, dv, keys->v, keys->v_stride, s, half ? (n + 1) / 2 : n);
}

/* Tile t of a chunk, q_rows and o_rows rows apart. */
static inline flash_tile flash_tile_at(const flash_scratch *s, size_t t, size_t q_rows, size_t o_rows, size_t nv)
{
    return (flash_tile){
        .q = s->q + t * q_rows * nv, .most = s->most + t * nv, .sum = s->sum + t * nv, .o = s->o + t * o_rows * nv};
}

INLINE void flash_chunk(const flash *f, flash_kind kind, int nv, int first_query, int n_tiles, const flash_scratch *s)
{
    bool half = kind != FLASH_F32, tiles = kind == FLASH_TILES, positions = f->at.table[0];
    int block = tiles ? AMX_KEYS : FLASH_KEYS;
    size_t n_words = (size_t)f->k.width / (half ? 2 : 1), q_rows = tiles ? amx_up(n_words, AMX_ROWS) : n_words;
    size_t o_rows = tiles ? amx_up((size_t)f->v.width, AMX_ROWS) : (size_t)f->v.width, cols = (size_t)nv;
    size_t n_terms = (size_t)(f->at.side[0] + f->at.side[1]) * cols;
    amx_chunk on_tiles = {.x = s->tiles,
                          .n_words = n_words,
                          .dv = (size_t)f->v.width,
                          .s = {s->s, s->s + (size_t)AMX_KEYS * cols},
                          .scale = positions ? 1 : f->scale * LOG2_E};
    if (positions && half)
        flash_half_tables(f, s);
    for (int t = 0; t < n_tiles; t++) {
        flash_tile tile = flash_tile_at(s, (size_t)t, q_rows, o_rows, cols);
        int first = first_query + t * nv * LANES;
        flash_pack_queries(f, half, nv, first, tile.q, s->wide);
        if (tiles)
            amx_pad_queries(nv, tile.q, n_words);
        if (positions)
            flash_terms(f, kind, nv, first, tile.q, &on_tiles, s->terms + (size_t)t * n_terms, s);
        for (size_t j = 0; j < cols; j++) {
            tile.most[j] = vec_set(FLASH_LEAST);
            tile.sum[j] = vec_set(0);
        }
    }
    for (size_t i = 0; i < (size_t)n_tiles * o_rows * cols; i++)
        s->o[i] = vec_set(0);
    for (int first = 0; first < f->k.n; first += block) {
        int n = f->k.n - first < block ? f->k.n - first : block;
        int next = first + n, n_next = f->k.n - next < block ? f->k.n - next : block;
        flash_keys keys;
        amx_keys amx;
        if (tiles)
            amx =
                amx_take(f, first, (size_t)n, s->k, (uint16_t *)s->v + (size_t)(first / block % 2) * o_rows * AMX_KEYS);
        else
            keys = flash_take_keys(f, half, first, (size_t)n, s);
        for (int t = 0; t < n_tiles; t++) {
            flash_tile tile = flash_tile_at(s, (size_t)t, q_rows, o_rows, cols);
            const vec *terms = positions ? s->terms + (size_t)t * n_terms : NULL;
            flash_prefetch(&f->k, next, n_next, t, n_tiles);
            flash_prefetch(&f->v, next, n_next, t, n_tiles);
            if (tiles)
                amx_step(f, nv, &on_tiles, &amx, first, &tile, terms);
            else
                flash_step(f, half, nv, s->s, &keys, first, &tile, n_words, terms);
        }
    }
    if (tiles)
        amx_drain(nv, &on_tiles);
    for (int t = 0; t < n_tiles; t++) {
        flash_tile tile = flash_tile_at(s, (size_t)t, q_rows, o_rows, cols);
        flash_store(f, nv, first_query + t * nv * LANES, &tile);
    }
}

/* Tiles of one head: two vectors of queries each, but the last may be one. */
static inline int flash_tiles(int n_queries)
{
    return (n_queries + 2 * LANES - 1) / (2 * LANES);
}
/* n_tiles tiles from query `first` on, of which the first `wide` have two vectors. */
INLINE void flash_chunks(const flash *f, flash_kind kind, int first, int wide, int n_tiles, const flash_scratch *s)
{
    if (wide)
        flash_chunk(f, kind, 2, first, wide, s);
    if (wide < n_tiles)
        flash_chunk(f, kind, 1, first + wide * 2 * LANES, 1, s);
}
/* Tiles first_tile .. first_tile + n_tiles - 1 of f. */
static inline void flash_run(const flash *f, int first_tile, int n_tiles, const flash_scratch *s)
{
    int first = first_tile * 2 * LANES, left = f->q.n - first;
    int wide = left - (n_tiles - 1) * 2 * LANES <= LANES ? n_tiles - 1 : n_tiles;
    flash_kind kind = flash_kind_of(f);
    if (HAVE_AMX && kind == FLASH_TILES)
        flash_chunks(f, FLASH_TILES, first, wide, n_tiles, s);
    else if (HAVE_HALF && kind == FLASH_HALF)
        flash_chunks(f, FLASH_HALF, first, wide, n_tiles, s);
    else
        flash_chunks(f, FLASH_F32, first, wide, n_tiles, s);
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
