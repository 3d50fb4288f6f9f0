/* cpu_amx_finish.h - what follows a product on tiles, for a block of 32 x 32 sums: y = turned(act(sums + bias) + residual)
 * in the type of the output. Few channels make it dearer than the product itself: 96 of them are 192 cycles of tiles for
 * 64 vectors of sums. So a row is two vectors that stay in registers from the sums to the store. */
#ifndef CPU_AMX_FINISH_H
#define CPU_AMX_FINISH_H

#include "cpu_gemm.h"
#include "cpu_turn.h"
#include "dnnl_product.h"

enum { PRODUCT_TURNS = PRODUCT_N_IN, PRODUCT_N_ROTATED };

enum { BLOCK = 32 };

/* What follows, where results and residual are bf16; FINISH_ANY is all else. */
typedef enum finish_way {
    FINISH_PLAIN,
    FINISH_RESIDUAL,
    FINISH_RELU,
    FINISH_GELU,
    FINISH_TURNED,
    FINISH_ANY
} finish_way;

static inline finish_way finish_way_of(const op_call *c)
{
    const tensor *residual = &c->in[PRODUCT_RESIDUAL], *turns = &c->in[PRODUCT_TURNS];
    act kind = c->attr->act;
    bool more = residual->type != DT_NONE, turned = turns->type != DT_NONE;
    if (c->out->type != DT_BF16 || (more && residual->type != DT_BF16) || kind == ACT_SIGMOID ||
        more + turned + (kind != ACT_NONE) > 1)
        return FINISH_ANY;
    return more               ? FINISH_RESIDUAL
           : turned           ? FINISH_TURNED
           : kind == ACT_RELU ? FINISH_RELU
           : kind == ACT_GELU ? FINISH_GELU
                              : FINISH_PLAIN;
}

/* Of a block, and the bias of its columns. */
typedef struct block_sums {
    float at[BLOCK * BLOCK] __attribute__((aligned(64)));
    float bias[BLOCK] __attribute__((aligned(64)));
} block_sums;

/* A block whose product is done, rows [0, done) of it finished and written. */
typedef struct unfinished {
    const block_sums *sums;
    int object, row, col, n_rows, n_cols, done;
} unfinished;

/* GELU for results of 16 bits: max(x, 0) - a Phi(-a), a = |x|. What is subtracted is a polynomial up to 3.8, fitted to
 * 1.4e-4 (0.2 % near 0), and keeps its value beyond; bf16 rounds results around 0.1 by up to 2.4e-4. No exponential and
 * no division: a GELU has the time of a few tile products. A NaN stays one. */
INLINE vec vec_gelu_coarse(vec x)
{
    enum { DEGREE = 6 };
    static const float p[DEGREE + 1] = {0.498975347f,  -0.383477182f, -0.0550998273f,  0.149609692f,
                                        -0.061425802f, 0.0106859047f, -0.000702222361f};
    vec a = (vec)((ivec)x & 0x7FFFFFFF), q;
#ifdef __AVX512F__
    a = (vec)_mm512_min_ps(_mm512_set1_ps(3.8f), (__m512)a); /* this order keeps a NaN */
#else
    ivec above = a > 3.8f;
    a = (vec)(((ivec)vec_set(3.8f) & above) | ((ivec)a & ~above));
#endif
    q = vec_set(p[DEGREE]);
    _Pragma("GCC unroll 8") for (int i = DEGREE; i-- > 0;) q = q * a + p[i];
    return (vec)((ivec)x & ~(x < 0.0f)) - a * q;
}

/* Rows done .. end of the block, of any kind. */
static __attribute__((noinline, unused)) void finish_any(const op_call *c, unfinished *u, int end)
{
    const tensor *residual = &c->in[PRODUCT_RESIDUAL], *turns = &c->in[PRODUCT_TURNS], *out = c->out;
    int rotated = c->attr->count ? c->attr->count : out->cols, left = rotated - u->col;
    int n_turned = turns->type == DT_NONE || left < 0 ? 0 : left < u->n_cols ? left : u->n_cols;
    size_t n = (size_t)u->n_cols;
    for (; u->done < end; u->done++) {
        float row[BLOCK], more[BLOCK];
        for (int i = 0; i < BLOCK; i++)
            row[i] = u->sums->at[u->done * BLOCK + i] + u->sums->bias[i];
        act_row(c->attr->act, row, BLOCK);
        int r = u->row + u->done;
        size_t at = (size_t)r * (size_t)out->cols + (size_t)u->col;
        if (residual->type != DT_NONE) {
            const char *from = (const char *)tensor_at(residual, u->object) + at * dtype_bytes(residual->type);
            load_row(more, from, residual->type, n);
            for (size_t i = 0; i < n; i++)
                row[i] += more[i];
        }
        if (n_turned)
            turn_columns(row, c->attr, turns, &c->in[PRODUCT_N_ROTATED], u->object, r, out->rows, u->col, n_turned);
        store_row((char *)tensor_at(out, u->object) + at * dtype_bytes(out->type), row, out->type, n);
    }
}

/* Pairs (a, b) by pairs (cos, sin): (a cos - b sin, b cos + a sin). */
INLINE vec vec_turn(vec x, const float *table)
{
#ifdef __AVX512F__
    __m512 t = _mm512_loadu_ps(table), crossed = _mm512_permute_ps((__m512)x, 0xB1) * _mm512_movehdup_ps(t);
    return (vec)_mm512_fmaddsub_ps((__m512)x, _mm512_moveldup_ps(t), crossed);
#else
    turn((float *)&x, (const float *)&x, table, LANES);
    return x;
#endif
}

/* A row of bf16 from two vectors. */
INLINE void finish_store(uint16_t *to, vec low, vec high)
{
#ifdef __AVX512BF16__
    __m512bh both = _mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    memcpy(to, &both, sizeof both);
#else
    vec_store(to, low, DT_BF16);
    vec_store(to + LANES, high, DT_BF16);
#endif
}

/* The same of n columns, fewer than 32: none beyond them is touched. */
INLINE void finish_store_part(uint16_t *to, vec low, vec high, int n)
{
#ifdef __AVX512BF16__
    __m512bh both = _mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    _mm512_mask_storeu_epi16(to, (UINT32_C(1) << n) - 1, (__m512i)both);
#else
    uint16_t row[BLOCK];
    finish_store(row, low, high);
    memcpy(to, row, (size_t)n * sizeof *to);
#endif
}
INLINE void finish_load_part(const uint16_t *from, vec *low, vec *high, int n)
{
    uint16_t row[BLOCK] = {0};
#ifdef __AVX512BF16__
    _mm512_storeu_si512(row, _mm512_maskz_loadu_epi16((UINT32_C(1) << n) - 1, from));
#else
    memcpy(row, from, (size_t)n * sizeof *from);
#endif
    *low = vec_load(row, DT_BF16);
    *high = vec_load(row + LANES, DT_BF16);
}

/* Rows done .. end of a block of 32 columns that all turn, or none does. False: some do. */
INLINE bool finish_turned(const op_call *c, unfinished *u, int end, uint16_t *to)
{
    const tensor *turns = &c->in[PRODUCT_TURNS];
    int width = turns->cols, first = u->col % width, rotated = c->attr->count ? c->attr->count : c->out->cols;
    bool none = u->col >= rotated;
    if (!none && (first + BLOCK > width || u->col + BLOCK > rotated))
        return false;
    for (; u->done < end; u->done++, to += c->out->cols) {
        vec v[2], bias[2];
        memcpy(v, u->sums->at + u->done * BLOCK, sizeof v);
        memcpy(bias, u->sums->bias, sizeof bias);
        v[0] += bias[0];
        v[1] += bias[1];
        long angles =
            none ? -1 : turn_of_row(c->attr, &c->in[PRODUCT_N_ROTATED], u->object, u->row + u->done, c->out->rows);
        const float *table = (const float *)turns->data + (angles < 0 ? 0 : angles) * width + first;
        if (angles >= 0)
            finish_store(to, vec_turn(v[0], table), vec_turn(v[1], table + LANES));
        else
            finish_store(to, v[0], v[1]);
        __builtin_prefetch(to + BLOCK, 1);
    }
    return true;
}

/* Up to `share` rows more of the block. */
INLINE void finish_rows(finish_way way, const op_call *c, unfinished *u, int share)
{
    int end = u->done + share < u->n_rows ? u->done + share : u->n_rows;
    if (u->done >= end)
        return;
    size_t cols = (size_t)c->out->cols, at = (size_t)(u->row + u->done) * cols + (size_t)u->col;
    uint16_t *to = (uint16_t *)tensor_at(c->out, u->object) + at;
    const uint16_t *more = NULL;
    bool whole = u->n_cols == BLOCK;
    if (way == FINISH_ANY || (way == FINISH_TURNED && !(whole && finish_turned(c, u, end, to)))) {
        finish_any(c, u, end);
        return;
    }
    if (way == FINISH_TURNED)
        return;
    if (way == FINISH_RESIDUAL)
        more = (const uint16_t *)tensor_at(&c->in[PRODUCT_RESIDUAL], u->object) + at;
    const float *sums = u->sums->at + u->done * BLOCK, *stop = u->sums->at + end * BLOCK;
    vec bias[2];
    memcpy(bias, u->sums->bias, sizeof bias);
    for (; sums < stop; sums += BLOCK, to += cols) {
        vec low, high;
        memcpy(&low, sums, sizeof low);
        memcpy(&high, sums + LANES, sizeof high);
        low += bias[0];
        high += bias[1];
        if (way == FINISH_RELU) { /* a NaN stays one */
            low = (vec)((ivec)low & ~(low < 0.0f));
            high = (vec)((ivec)high & ~(high < 0.0f));
        } else if (way == FINISH_GELU) {
            low = vec_gelu_coarse(low);
            high = vec_gelu_coarse(high);
        } else if (way == FINISH_RESIDUAL) {
            vec more_low, more_high;
            if (whole) {
                more_low = vec_load(more, DT_BF16);
                more_high = vec_load(more + LANES, DT_BF16);
            } else {
                finish_load_part(more, &more_low, &more_high, u->n_cols);
            }
            low += more_low;
            high += more_high;
            more += cols;
        }
        if (whole)
            finish_store(to, low, high);
        else
            finish_store_part(to, low, high, u->n_cols);
        __builtin_prefetch(to + BLOCK, 1); /* the next panel writes there: rows of few columns wait for it else */
    }
    u->done = end;
}

#endif
