/* cpu_flash_amx.h - the steps of cpu_flash.h on tiles (cpu_amx.h), for bf16 operands: a block of keys with a tile of
 * nv * 16 queries.
 *
 *     S [keys, queries] = K Q^T       A: K where it lies           B: Q, packed once per chunk
 *     O [dv, queries] += V^T P        A: V^T, packed per block     B: P, pairs of keys, as the softmax wrote them
 *
 * The tile unit and the vector unit run side by side only if their work stands side by side in the program: it reads 512
 * instructions ahead, a tile of scores takes some 2,000 cycles. So a step does this, for the tile before and the one now:
 *     1. the scores of now, and after each four products some rows of the softmax of before;
 *     2. the values of before, and after each four products some rows of the maximum of now;
 *     3. now's running maximum is raised if need be; now waits for its softmax until the next step.
 *
 * A vector of 16 scores costs 7 vector instructions to exponentiate, 1 for its maximum, 1 for its sum, 2 1/2 to pack. */
#ifndef CPU_FLASH_AMX_H
#define CPU_FLASH_AMX_H

#include "cpu_amx.h"
#include "cpu_flash_parts.h"

enum { AMX_KEYS = 128, AMX_WORDS = AMX_ROW_BYTES / 4 };

static inline size_t amx_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* A block of keys. Rows of K are read where they lie, but the last ones that do not fill a tile, and all rows that are
 * narrower than one: those are copies, padded with zeros. */
typedef struct amx_keys {
    const char *k, *tail;
    size_t k_stride, tail_stride; /* bytes */
    size_t n, n_tail;             /* rows, and how many of them are in `tail` */
    const uint16_t *v;            /* [dv up to 16s][AMX_KEYS]: V^T, zeros beyond dv and n */
} amx_keys;

/* Scores that wait for their softmax. */
typedef struct amx_waiting {
    vec *s; /* NULL: none */
    size_t n;
    const uint16_t *v;
    flash_tile tile;
} amx_waiting;

/* What the steps of a chunk share. */
typedef struct amx_chunk {
    amx_tiles *x;
    size_t n_words, dv; /* of a row of q and k; of v */
    vec *s[2];          /* [AMX_KEYS][nv] each */
    int which;          /* of them takes the next scores */
    float scale;        /* of a score, times log2 e; 1 where positions have been added */
    amx_waiting waiting;
} amx_chunk;

/* Packing ---------------------------------------------------------------------------------------------------------- */

/* Products along the width take 16 words of K at a time. The last of them are the last 16 words of the row: what they
 * have in common with those before meets zeros in Q. So nothing is read beyond a row. */
static inline size_t amx_steps(size_t n_words)
{
    return (n_words + AMX_WORDS - 1) / AMX_WORDS;
}

/* Packed queries [words][nv] become [steps * 16][nv]: the last step's words move to the end, zeros before them; where
 * there is one step only, K is padded and zeros follow. */
static inline void amx_pad_queries(int nv, vec *q, size_t n_words)
{
    size_t row = (size_t)nv * sizeof(vec), end = amx_steps(n_words) * AMX_WORDS, gap = end - n_words;
    char *last = (char *)q + (end - AMX_WORDS) * row;
    if (n_words < AMX_WORDS) {
        memset(last + n_words * row, 0, gap * row);
    } else if (gap) {
        memmove(last + gap * row, last, (AMX_WORDS - gap) * row);
        memset(last, 0, gap * row);
    }
}

/* The first n (at most 16) columns of a row of V, zeros beyond them. */
INLINE hvec amx_value_row(const uint16_t *from, size_t n)
{
    hvec row = {0};
    if (n >= LANES)
        memcpy(&row, from, sizeof row);
#ifdef __AVX512BW__
    else
        row = (hvec)_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), from);
#else
    else
        memcpy(&row, from, n * sizeof *from);
#endif
    return row;
}
/* Block [16 pairs of keys][16 columns] of V as words from `from` on: n keys and n_columns columns there are, zeros beyond
 * them. */
INLINE void amx_value_block(const uint16_t *from, size_t stride, size_t n, size_t n_columns, vec *block)
{
    const vec none = vec_set(0);
    for (size_t i = 0; i < LANES; i++, from += 2 * stride) {
        block[i] = none;
        if (2 * i < n)
            block[i] = (vec)vec_widen(amx_value_row(from, n_columns));
        if (2 * i + 1 < n)
            block[i] = (vec)((uvec)block[i] | vec_widen(amx_value_row(from + stride, n_columns)) << 16);
    }
}
/* V^T of keys first..first+n-1. A vector holds 16 pairs of keys of one column. */
INLINE void amx_turn_values(const rows *v, int first, size_t n, uint16_t *to)
{
    shuffles shuffle;
    shuffles_init(&shuffle);
    for (size_t key = 0; key < n; key += 2 * LANES) {
        const uint16_t *from = row_at(v, first + (int)key);
        for (size_t d = 0; d < (size_t)v->width; d += AMX_ROWS) {
            size_t left = (size_t)v->width - d;
            vec block[LANES];
            if (n - key >= 2 * LANES && left >= LANES)
                amx_value_block(from + d, v->stride, 2 * LANES, LANES, block);
            else
                amx_value_block(from + d, v->stride, n - key, left, block);
            transpose(&shuffle, block);
            for (size_t i = 0; i < LANES; i++)
                memcpy(to + (d + i) * AMX_KEYS + key, &block[i], sizeof block[i]);
        }
    }
}

/* Keys first..first+n-1 for tiles. `tail` has room for AMX_KEYS rows of at least 64 bytes. */
INLINE amx_keys amx_take(const flash *f, int first, size_t n, void *tail, uint16_t *v)
{
    size_t row = (size_t)f->k.width * sizeof(uint16_t);
    bool narrow = row < AMX_ROW_BYTES;
    amx_keys keys = {.k = row_at(&f->k, first),
                     .k_stride = f->k.stride * sizeof(uint16_t),
                     .tail = tail,
                     .tail_stride = narrow ? AMX_ROW_BYTES : row,
                     .n = n,
                     .n_tail = narrow ? n : n % AMX_ROWS,
                     .v = v};
    size_t stride = keys.tail_stride;
    memset(tail, 0, amx_up(keys.n_tail, AMX_ROWS) * stride);
    for (size_t i = 0; i < keys.n_tail; i++)
        memcpy((char *)tail + i * stride, row_at(&f->k, first + (int)(n - keys.n_tail + i)), row);
    amx_turn_values(&f->v, first, n, v);
    return keys;
}

/* Vector work beside tiles ----------------------------------------------------------------------------------------- */

typedef enum amx_kind { AMX_NOTHING, AMX_SOFTMAX, AMX_MAXIMUM } amx_kind;

/* Pairs of rows of S, a few after each step of products: `due` grows by the number of pairs, `steps` of it are one. */
typedef struct amx_beside {
    vec *s;
    size_t pair, pairs, due, steps;
    vec scale, shift[2]; /* softmax: P = 2^(scale s - shift) */
    vec total[2];        /* sums, or maxima                  */
} amx_beside;

/* 2^x for x <= 127, to 8e-5 as P becomes bf16; a NaN stays one. What is below 2^-126 becomes that: subnormals are slow. */
INLINE vec amx_exp2(vec x)
{
#ifdef __AVX512F__
    __m512 y = _mm512_max_ps(_mm512_set1_ps(-126.0f), (__m512)x); /* this order keeps a NaN */
    vec r = (vec)_mm512_reduce_ps(y, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    vec p = 0.07802403f * r + 0.22606707f;
    p = p * r + 0.69583399f;
    p = p * r + 0.99992513f;
    return (vec)_mm512_scalef_ps((__m512)p, y); /* p 2^floor(y) */
#else
    return vec_exp2(true, x);
#endif
}
/* Two rows of P as one row of bf16 pairs, rounded to nearest (ties away from zero). */
INLINE vec amx_pair(vec a, vec b)
{
    uvec low = (uvec)a + 0x8000u, high = (uvec)b + 0x8000u;
#ifdef __AVX512F__
    return (vec)_mm512_mask_blend_epi16(0xAAAAAAAAu, (__m512i)(low >> 16), (__m512i)high);
#else
    return (vec)(low >> 16 | (high & 0xFFFF0000u));
#endif
}

INLINE void amx_beside_pair(amx_kind kind, int nv, amx_beside *b)
{
    vec *s = b->s + 2 * b->pair * (size_t)nv;
    _Pragma("GCC unroll 2") for (int j = 0; j < nv; j++)
    {
        if (kind == AMX_MAXIMUM) {
            b->total[j] = vec_max(vec_max(b->total[j], s[j]), s[nv + j]);
            continue;
        }
        vec p0 = amx_exp2(s[j] * b->scale - b->shift[j]), p1 = amx_exp2(s[nv + j] * b->scale - b->shift[j]);
        b->total[j] += p0;
        b->total[j] += p1;
        b->s[b->pair * (size_t)nv + (size_t)j] = amx_pair(p0, p1);
    }
    b->pair++;
}
/* The share of one step of products. */
INLINE void amx_beside_step(amx_kind kind, int nv, amx_beside *b)
{
    if (kind == AMX_NOTHING)
        return;
    for (b->due += b->pairs; b->due >= b->steps; b->due -= b->steps)
        amx_beside_pair(kind, nv, b);
}

/* Products --------------------------------------------------------------------------------------------------------- */

/* A of a product: two groups of 16 rows. A step reads 64 bytes of each row; the last of them from `last` on. */
typedef struct amx_rows {
    const char *at[2];
    size_t stride[2], last;
} amx_rows;

typedef enum amx_sums { AMX_CLEAR, AMX_LOAD, AMX_STORE } amx_sums;

INLINE void amx_sum(amx_sums what, amx_tiles *x, int t, vec *c, size_t row)
{
    if (what == AMX_CLEAR)
        amx_zero(x, t);
    else if (what == AMX_LOAD)
        amx_load(x, t, c, row);
    else
        amx_store(x, t, c, row);
}
INLINE void amx_all_sums(amx_sums what, int groups, int nv, amx_tiles *x, vec *c)
{
    size_t row = (size_t)nv * sizeof(vec);
    vec *below = c + AMX_ROWS * (size_t)nv;
    amx_sum(what, x, 0, c, row);
    if (nv == 2)
        amx_sum(what, x, 1, c + 1, row);
    if (groups == 2)
        amx_sum(what, x, 2, below, row);
    if (groups == 2 && nv == 2)
        amx_sum(what, x, 3, below + 1, row);
}

/* C [groups * 16][nv] = A B, or += if `add`; B [steps * 16][nv]. With two groups and nv = 2, four loads feed four
 * products. */
INLINE void amx_group(amx_kind kind, bool add, int groups, int nv, amx_tiles *x, vec *c, const amx_rows *a,
                      const vec *b, size_t steps, amx_beside *beside)
{
    size_t row = (size_t)nv * sizeof(vec);
    amx_all_sums(add ? AMX_LOAD : AMX_CLEAR, groups, nv, x, c);
    for (size_t i = 0; i < steps; i++, b += AMX_ROWS * nv) {
        size_t at = i + 1 < steps ? i * AMX_ROW_BYTES : a->last;
        amx_load(x, 4, a->at[0] + at, a->stride[0]);
        amx_load(x, 6, b, row);
        amx_dot(x, 0, 4, 6);
        if (nv == 2) {
            amx_load(x, 7, b + 1, row);
            amx_dot(x, 1, 4, 7);
        }
        if (groups == 2) {
            amx_load(x, 5, a->at[1] + at, a->stride[1]);
            amx_dot(x, 2, 5, 6);
        }
        if (groups == 2 && nv == 2)
            amx_dot(x, 3, 5, 7);
        amx_beside_step(kind, nv, beside);
    }
    amx_all_sums(AMX_STORE, groups, nv, x, c);
}

/* How often amx_beside_step is called for n_rows rows of C. */
static inline size_t amx_turns(size_t n_rows, size_t steps)
{
    return amx_up(n_rows, 2 * AMX_ROWS) / (2 * AMX_ROWS) * steps;
}

/* S [n up to 16s][nv] = K Q^T, beside a softmax. */
INLINE void amx_scores(int nv, const amx_chunk *c, vec *s, const amx_keys *keys, const vec *q, amx_beside *softmax)
{
    size_t steps = amx_steps(c->n_words), whole = keys->n - keys->n_tail;
    size_t last = c->n_words < AMX_WORDS ? 0 : (c->n_words - AMX_WORDS) * 4;
    for (size_t i = 0; i < keys->n; i += 2 * AMX_ROWS) {
        amx_rows a = {.last = last};
        for (size_t g = 0; g < 2; g++) {
            size_t r = i + g * AMX_ROWS;
            bool in_place = r < whole;
            a.at[g] = in_place ? keys->k + r * keys->k_stride : keys->tail + (r - whole) * keys->tail_stride;
            a.stride[g] = in_place ? keys->k_stride : keys->tail_stride;
        }
        if (i + AMX_ROWS < keys->n)
            amx_group(AMX_SOFTMAX, false, 2, nv, c->x, s + i * (size_t)nv, &a, q, steps, softmax);
        else
            amx_group(AMX_SOFTMAX, false, 1, nv, c->x, s + i * (size_t)nv, &a, q, steps, softmax);
    }
}
/* O [dv up to 16s][nv] += V^T P of the scores that wait, now softmaxed, beside a maximum. */
INLINE void amx_values(int nv, const amx_chunk *c, const amx_waiting *w, size_t steps, amx_beside *maximum)
{
    enum { GROUP_BYTES = AMX_ROWS * AMX_KEYS * 2 };
    for (size_t i = 0; i < c->dv; i += 2 * AMX_ROWS) {
        const char *at = (const char *)w->v + i / AMX_ROWS * GROUP_BYTES;
        amx_rows a = {
            .at = {at, at + GROUP_BYTES}, .stride = {AMX_KEYS * 2, AMX_KEYS * 2}, .last = (steps - 1) * AMX_ROW_BYTES};
        if (i + AMX_ROWS < c->dv)
            amx_group(AMX_MAXIMUM, true, 2, nv, c->x, w->tile.o + i * (size_t)nv, &a, w->s, steps, maximum);
        else
            amx_group(AMX_MAXIMUM, true, 1, nv, c->x, w->tile.o + i * (size_t)nv, &a, w->s, steps, maximum);
    }
}

/* Steps ------------------------------------------------------------------------------------------------------------ */

/* The softmax of the scores that wait, to be done in `turns` shares. */
INLINE amx_beside amx_softmax(int nv, const amx_chunk *c, size_t turns)
{
    const amx_waiting *w = &c->waiting;
    amx_beside b = {.steps = turns, .scale = vec_set(c->scale)};
    if (!w->s)
        return b;
    b.s = w->s;
    b.pairs = (w->n + 1) / 2;
    for (int j = 0; j < nv; j++) {
        b.shift[j] = w->tile.most[j];
        b.total[j] = w->tile.sum[j];
    }
    return b;
}
/* After that softmax: its sums, and the values, beside the maximum of the next scores. */
INLINE void amx_finish(int nv, amx_chunk *c, const amx_beside *softmax, amx_beside *maximum)
{
    amx_waiting *w = &c->waiting;
    if (!w->s)
        return;
    size_t steps = amx_up(w->n, 2 * AMX_ROWS) / (2 * AMX_ROWS);
    for (int j = 0; j < nv; j++)
        w->tile.sum[j] = softmax->total[j];
    for (size_t i = softmax->pairs * (size_t)nv; i < steps * AMX_ROWS * (size_t)nv; i++)
        w->s[i] = vec_set(0);
    maximum->steps = amx_turns(c->dv, steps);
    amx_values(nv, c, w, steps, maximum);
    w->s = NULL;
}

/* Scores of a tile of queries with a block of keys; they wait for the next step. With positions, terms are added. */
INLINE void amx_step(const flash *f, int nv, amx_chunk *c, const amx_keys *keys, int first, const flash_tile *q,
                     const vec *terms)
{
    vec *s = c->s[c->which];
    amx_beside softmax = amx_softmax(nv, c, amx_turns(keys->n, amx_steps(c->n_words)));
    amx_beside maximum = {.s = s, .pairs = terms ? 0 : (keys->n + 1) / 2, .steps = 1};
    amx_scores(nv, c, s, keys, q->q, &softmax);
    for (int j = 0; j < nv; j++) {
        maximum.total[j] = vec_set(-INFINITY);
        if (keys->n % 2) /* the other key of the last pair */
            s[keys->n * (size_t)nv + (size_t)j] = vec_set(-INFINITY);
    }
    amx_finish(nv, c, &softmax, &maximum);
    if (terms)
        flash_add_terms(f, nv, s, maximum.total, terms, first, keys->n, f->scale * LOG2_E);
    while (maximum.pair < maximum.pairs)
        amx_beside_pair(AMX_MAXIMUM, nv, &maximum);
    for (int j = 0; j < nv; j++)
        maximum.total[j] *= c->scale;
    flash_raise(nv, q->most, q->sum, q->o, maximum.total, c->dv);
    c->waiting = (amx_waiting){.s = s, .n = keys->n, .v = keys->v, .tile = *q};
    c->which ^= 1;
}
/* The softmax and the values of the last step. */
INLINE void amx_drain(int nv, amx_chunk *c)
{
    amx_beside softmax = amx_softmax(nv, c, 1), none = {.steps = 1};
    while (softmax.pair < softmax.pairs)
        amx_beside_pair(AMX_SOFTMAX, nv, &softmax);
    amx_finish(nv, c, &softmax, &none);
}

/* P [n up to 16s][nv] = T Q^T of a table of positions in bf16, rows padded to 16s. */
INLINE void amx_table_product(int nv, const amx_chunk *c, vec *p, const void *table, size_t n, const vec *q)
{
    amx_beside none = {.steps = 1};
    size_t row = c->n_words * 4;
    amx_keys rows = {.k = table, .k_stride = row, .n = amx_up(n, AMX_ROWS)};
    amx_scores(nv, c, p, &rows, q, &none);
}

#endif
