/* cpu_amx_product.h - linear and conv2d on tiles (cpu_amx.h): y = turned(act(A B + bias) + residual), A and B bf16, f32
 * sums. Row r of A is row r of x; for a convolution it is what lies under the kernel at output pixel r, [y, x, channel],
 * zeros outside the image. B is the weight, packed once: panels of 32 columns, of each all tiles of 32 rows, two tiles
 * side by side, pairs of rows interleaved; rows and columns are filled up with zeros.
 *
 * A block of 32 x 32 results is 2 x 2 tiles, which hold it over the whole depth. They start as zeros, which cost no loads;
 * the bias follows with the rest. B streams from the second-level cache, and 32 rows of A stay in the first for all panels,
 * if they fit. What follows a block's product (cpu_amx_finish.h) is done beside the next block's, a few rows after each
 * step of depth. Rows that fill tiles are read where they lie, others from a copy; the next ones are asked for meanwhile. A
 * thread keeps some panels of B in its second-level cache and goes down the rows with them. */
#ifndef CPU_AMX_PRODUCT_H
#define CPU_AMX_PRODUCT_H

#include "cpu_amx.h"
#include "cpu_amx_finish.h"
#include "cpu_amx_gather.h"

#include <stdlib.h>

/* Whether tiles compute this call: the same for all that packing and running see. On x86 the library has convolutions of
 * several pixels whose x is bf16: it reads x where it lies, 1.2 to 2 times as fast as from copies of what is under the
 * kernel. Not with GELU, which it computes by erf. On Arm, and on the twin, which tests copying, they are ours. */
static inline bool tiles_serve(const op_call *c, bool is_conv)
{
    const tensor *x = &c->in[PRODUCT_X], *w = &c->in[PRODUCT_W];
    enum { LEAST_RUN = 16 };
#if defined(__AMX_BF16__) && !defined(CPU_AMX_TWIN)
    bool library = x->type == DT_BF16;
#else
    bool library = false;
#endif
    if (!HAVE_AMX || c->attr->groups > (is_conv ? 1 : 0) || w->type != DT_BF16)
        return false;
    if (is_conv && c->attr->kernel > 1 && c->attr->act != ACT_GELU &&
        (library || c->attr->kernel * x->cols < LEAST_RUN))
        return false;
    return x->type == DT_BF16 || (is_conv && x->type == DT_F32 && c->out->type == DT_BF16); /* conv2d.c: x is rounded */
}

#ifdef CPU_AMX

enum { DEPTH = AMX_ROW_BYTES / 2, PANEL_STEP = BLOCK * DEPTH };
_Static_assert(BLOCK == 2 * AMX_ROWS, "a block is two tiles by two");

typedef struct tiled {
    const op_call *c;
    int depth, steps, panels;   /* columns of A, in tiles, and panels of B                */
    bool gathers;               /* rows of A are not rows of x                            */
    int blocks;                 /* of 32 rows, in an object                               */
    int chunk_panels, n_chunks; /* panels that a thread keeps while it goes down the rows */
} tiled;

static inline tiled tiled_of(const op_call *c, bool is_conv)
{
    const tensor *x = &c->in[PRODUCT_X], *out = c->out;
    const op_attr *a = c->attr;
    enum { CACHED = 1024 * 1024 }; /* bytes of B: half of the second-level cache of the processors that have tiles */
    tiled t = {.c = c, .depth = x->cols};
    if (is_conv) {
        t.depth = x->cols * a->kernel * a->kernel;
        t.gathers = a->kernel != 1 || a->stride != 1 || a->pad != 0 || x->type != DT_BF16;
    }
    t.steps = (t.depth + DEPTH - 1) / DEPTH;
    t.panels = (out->cols + BLOCK - 1) / BLOCK;
    t.blocks = (out->rows + BLOCK - 1) / BLOCK;
    int cached = CACHED / (t.steps * PANEL_STEP * 2), n_threads = c->n_threads > 0 ? c->n_threads : 1;
    int fair = (t.panels * t.blocks + n_threads - 1) / n_threads; /* few rows are shared out by columns */
    t.chunk_panels = cached < fair ? cached : fair;
    t.chunk_panels = t.chunk_panels < 1 ? 1 : t.chunk_panels > t.panels ? t.panels : t.chunk_panels;
    t.n_chunks = (t.panels + t.chunk_panels - 1) / t.chunk_panels;
    t.chunk_panels = (t.panels + t.n_chunks - 1) / t.n_chunks; /* as much work in each: threads share out chunks */
    t.n_chunks = (t.panels + t.chunk_panels - 1) / t.chunk_panels;
    return t;
}

static inline size_t tiles_copy_bytes(const tiled *t)
{
    return (size_t)BLOCK * (size_t)t->steps * AMX_ROW_BYTES;
}
static inline size_t tiles_scratch_bytes(const op_call *c, bool is_conv)
{
    tiled t = tiled_of(c, is_conv);
    return (size_t)c->n_threads * tiles_copy_bytes(&t);
}

static inline void *tiles_pack(const op_call *c, size_t *bytes, bool is_conv)
{
    const tensor *w = &c->in[PRODUCT_W];
    const uint16_t *from = w->data;
    tiled t = tiled_of(c, is_conv);
    size_t taps = is_conv ? (size_t)c->attr->kernel * (size_t)c->attr->kernel : 1, depth = (size_t)t.depth;
    size_t channels = depth / taps;
    *bytes = (size_t)t.panels * (size_t)t.steps * PANEL_STEP * 2;
    uint16_t *packed = aligned_alloc(64, *bytes);
    if (!packed)
        return NULL;
    memset(packed, 0, *bytes);
    for (size_t o = 0; o < (size_t)w->rows; o++)
        for (size_t k = 0; k < depth; k++) {
            size_t step = o / BLOCK * (size_t)t.steps + k / DEPTH, tile = o % BLOCK / AMX_ROWS;
            size_t at = (step * 2 + tile) * AMX_ROWS * DEPTH + k % DEPTH / 2 * DEPTH + o % AMX_ROWS * 2 + k % 2;
            packed[at] = from[o * depth + k % channels * taps + k / channels];
        }
    return packed;
}

/* 32 rows of A, or the last ones. */
typedef struct row_block {
    int object, row, n_rows;
    const char *a;
    size_t stride;      /* bytes               */
    const char *ask;    /* lines of x to ask for */
    size_t left, share; /* of them, for a step */
} row_block;

/* In place, or in `copy`. */
static inline row_block row_block_at(const tiled *t, int which, char *copy)
{
    row_block b = {.object = which / t->blocks, .row = which % t->blocks * BLOCK, .a = copy};
    int left = t->c->out->rows - b.row, n = left < BLOCK ? left : BLOCK;
    const char *x = tensor_at(&t->c->in[PRODUCT_X], b.object);
    size_t depth = (size_t)t->depth, wide = (size_t)t->steps * DEPTH;
    const uint16_t *from = (const uint16_t *)x + (size_t)b.row * depth;
    b.n_rows = n;
    b.stride = wide * sizeof *from;
    if (!t->gathers && n % AMX_ROWS == 0 && depth == wide) {
        b.a = (const char *)from;
        return b;
    }
    if (t->gathers)
        gather_rows(t->c, x, b.row, n, (uint16_t *)copy, wide);
    for (int r = 0; r < n && !t->gathers; r++) {
        uint16_t *to = (uint16_t *)(copy + (size_t)r * b.stride);
        memcpy(to, from + (size_t)r * depth, depth * sizeof *to);
        memset(to + depth, 0, (wide - depth) * sizeof *to);
    }
    memset(copy + (size_t)n * b.stride, 0, (size_t)(-n & (AMX_ROWS - 1)) * b.stride);
    return b;
}

/* The rows after these are to come into the second-level cache during `steps` steps. A few lines at a time: more than the
 * processor can wait for would hold up its own loads. */
static inline void ask_for_next(const tiled *t, row_block *b, int steps)
{
    const tensor *x = &t->c->in[PRODUCT_X];
    size_t row = (size_t)x->cols * dtype_bytes(x->type), first = (size_t)b->row + BLOCK;
    b->left = 0;
    if (t->gathers || first + BLOCK > (size_t)x->rows)
        return;
    b->ask = (const char *)tensor_at(x, b->object) + first * row;
    b->left = BLOCK * row / 64;
    b->share = (b->left + (size_t)steps - 1) / (size_t)steps;
}
static inline void ask_for_share(row_block *b)
{
    size_t n = b->left < b->share ? b->left : b->share;
    for (size_t i = 0; i < n; i++, b->ask += 64)
        __builtin_prefetch(b->ask, 0, 2);
    b->left -= n;
}

/* sums [32][32] = rows of A by a panel of B; meanwhile the block before is finished. */
INLINE void block_product(finish_way way, amx_tiles *x, const tiled *t, row_block *r, const uint16_t *b, float *sums,
                          unfinished *before)
{
    enum { ROW = BLOCK * sizeof *sums };
    bool two = r->n_rows > AMX_ROWS;
    const char *a = r->a;
    float *below = sums + AMX_ROWS * BLOCK;
    int share = (before->n_rows + t->steps - 1) / t->steps;
    amx_zero(x, 0);
    amx_zero(x, 1);
    amx_zero(x, 2);
    amx_zero(x, 3);
    for (int k = 0; k < t->steps; k++, a += AMX_ROW_BYTES, b += PANEL_STEP) {
        amx_load(x, 4, a, r->stride);
        amx_load(x, 6, b, AMX_ROW_BYTES);
        amx_load(x, 7, b + PANEL_STEP / 2, AMX_ROW_BYTES);
        amx_dot(x, 0, 4, 6);
        amx_dot(x, 1, 4, 7);
        if (two) {
            amx_load(x, 5, a + AMX_ROWS * r->stride, r->stride);
            amx_dot(x, 2, 5, 6);
            amx_dot(x, 3, 5, 7);
        }
        finish_rows(way, t->c, before, share);
        ask_for_share(r);
    }
    amx_store(x, 0, sums, ROW);
    amx_store(x, 1, sums + AMX_ROWS, ROW);
    if (two) {
        amx_store(x, 2, below, ROW);
        amx_store(x, 3, below + AMX_ROWS, ROW);
    }
}

/* Items first .. end of a call: item i is block i % (objects * blocks) of the rows by chunk i / (objects * blocks). */
INLINE void tiles_run_items(finish_way way, const tiled *t, size_t first, size_t end, char *copy)
{
    const op_call *c = t->c;
    const tensor *out = c->out, *b = &c->in[PRODUCT_B];
    block_sums sums[2];
    unfinished before = {.sums = &sums[1]};
    size_t n_blocks = (size_t)out->n * (size_t)t->blocks;
    amx_tiles x;
    amx_begin(&x);
    for (size_t item = first; item < end; item++) {
        int panel = (int)(item / n_blocks) * t->chunk_panels;
        int last = panel + t->chunk_panels < t->panels ? panel + t->chunk_panels : t->panels;
        row_block r = row_block_at(t, (int)(item % n_blocks), copy);
        ask_for_next(t, &r, (last - panel) * t->steps);
        for (; panel < last; panel++) {
            int col = panel * BLOCK, n_cols = out->cols - col < BLOCK ? out->cols - col : BLOCK;
            const uint16_t *packed = (const uint16_t *)c->packed + (size_t)panel * (size_t)t->steps * PANEL_STEP;
            block_sums *to = before.sums == &sums[0] ? &sums[1] : &sums[0];
            block_product(way, &x, t, &r, packed, to->at, &before);
            if (n_cols < BLOCK || b->type == DT_NONE)
                memset(to->bias, 0, sizeof to->bias);
            if (b->type != DT_NONE)
                memcpy(to->bias, (const float *)b->data + col, (size_t)n_cols * sizeof(float));
            before = (unfinished){to, r.object, r.row, col, r.n_rows, n_cols, 0};
        }
    }
    finish_rows(way, c, &before, before.n_rows);
    amx_end(&x);
}
static inline void tiles_run_part(const tiled *t, size_t first, size_t end, char *copy)
{
    switch (finish_way_of(t->c)) {
#define WAY(way)                                                                                                       \
    case way:                                                                                                          \
        tiles_run_items(way, t, first, end, copy);                                                                     \
        break
        WAY(FINISH_PLAIN);
        WAY(FINISH_RESIDUAL);
        WAY(FINISH_RELU);
        WAY(FINISH_GELU);
        WAY(FINISH_TURNED);
        WAY(FINISH_ANY);
#undef WAY
    }
}

static inline void tiles_run(const op_call *c, bool is_conv)
{
    tiled t = tiled_of(c, is_conv);
    size_t n_items = (size_t)c->out->n * (size_t)t.blocks * (size_t)t.n_chunks;
#pragma omp parallel num_threads(c->n_threads)
    {
        size_t thread = (size_t)omp_get_thread_num(), n = (size_t)omp_get_num_threads();
        tiles_run_part(&t, n_items * thread / n, n_items * (thread + 1) / n,
                       (char *)c->scratch + thread * tiles_copy_bytes(&t));
    }
}

#else

static inline size_t tiles_scratch_bytes(const op_call *c, bool is_conv)
{
    (void)c;
    (void)is_conv;
    return 0;
}
static inline void *tiles_pack(const op_call *c, size_t *bytes, bool is_conv)
{
    (void)c;
    (void)bytes;
    (void)is_conv;
    return NULL;
}
static inline void tiles_run(const op_call *c, bool is_conv)
{
    (void)c;
    (void)is_conv;
}

#endif
#endif
