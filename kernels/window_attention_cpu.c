/* window_attention on the CPU: a task is one head of one window (with window 0, a few query tiles of one head). Its
 * q, k, v rows are gathered into the thread's scratch, where padding and pooling happen, and go through cpu_flash.h;
 * so no partitioned copy of the tensor ever exists. The whole grid as one window is read in place. */
#include "cpu_flash.h"

#include <omp.h>

typedef struct windows {
    int side_y, side_x; /* of a window                        */
    int across, count;  /* windows per row of windows, in all */
    int width;          /* of a head                          */
    int out_h, out_w;
    bool whole, pool;
} windows;

static windows windows_of(const op_call *c)
{
    const op_attr *a = c->attr;
    windows w = {.side_y = a->window ? a->window : a->h,
                 .side_x = a->window ? a->window : a->w,
                 .width = c->in[0].cols / 3 / a->heads,
                 .pool = a->pool,
                 .whole = !a->window,
                 .out_h = a->pool ? a->h / 2 : a->h,
                 .out_w = a->pool ? a->w / 2 : a->w};
    w.across = (a->w + w.side_x - 1) / w.side_x;
    w.count = w.across * ((a->h + w.side_y - 1) / w.side_y);
    return w;
}
static int queries_of(const windows *w)
{
    return w->side_y * w->side_x / (w->pool ? 4 : 1);
}

/* A thread's scratch: flash_scratch, then gathered q, k, v and the window's output. */
typedef struct window_scratch {
    flash_scratch flash;
    char *q, *k, *v;
    char *out;
} window_scratch;

static size_t scratch_at(const op_call *c, const windows *w, void *base, window_scratch *s)
{
    size_t n_q = (size_t)queries_of(w), n_k = (size_t)w->side_y * (size_t)w->side_x, width = (size_t)w->width;
    int tiles = flash_tiles(queries_of(w)), most = tiles < FLASH_MAX_TILES ? tiles : FLASH_MAX_TILES;
    size_t in_bytes = dtype_bytes(c->in[0].type), out_bytes = dtype_bytes(c->out[0].type);
    size_t at = flash_scratch_at(base, most, w->width, w->width, &s->flash);
    char *parts[4] = {NULL, NULL, NULL, NULL};
    size_t bytes[4] = {w->whole && !w->pool ? 0 : n_q * width * in_bytes, w->whole ? 0 : n_k * width * in_bytes,
                       w->whole ? 0 : n_k * width * in_bytes, w->whole ? 0 : n_q * width * out_bytes};
    for (int i = 0; i < 4; i++) {
        parts[i] = base ? (char *)base + at : NULL;
        at += (bytes[i] + 63) / 64 * 64;
    }
    s->q = parts[0];
    s->k = parts[1];
    s->v = parts[2];
    s->out = parts[3];
    return at;
}

static size_t scratch_bytes(const op_call *c)
{
    windows w = windows_of(c);
    window_scratch s;
    return (size_t)c->n_threads * scratch_at(c, &w, NULL, &s);
}

/* One (object, window, head) of qkv. */
typedef struct source {
    const char *qkv;   /* the object's [h*w, 3C]           */
    const float *bias; /* [3C]                             */
    dtype type;
    int h, w, top, left, cols; /* grid, window's corner, 3C */
} source;

/* Columns first..first+width-1 of the token at (y, x) of the window, padding included. */
static void token(const source *s, int y, int x, int first, size_t width, char *to)
{
    size_t bytes = dtype_bytes(s->type);
    y += s->top;
    x += s->left;
    if (y < s->h && x < s->w)
        memcpy(to, s->qkv + (((size_t)y * (size_t)s->w + (size_t)x) * (size_t)s->cols + (size_t)first) * bytes,
               width * bytes);
    else
        store_row(to, s->bias + first, s->type, width);
}

static void gather(const source *s, const windows *w, int first, char *to)
{
    size_t width = (size_t)w->width, bytes = width * dtype_bytes(s->type);
    for (int y = 0; y < w->side_y; y++)
        for (int x = 0; x < w->side_x; x++, to += bytes)
            token(s, y, x, first, width, to);
}

static float nan_max(float a, float b)
{
    return a > b || a != a ? a : b;
}
/* 2x2 maxima of the queries from row `y0` of the pooled window on, [n_rows * side_x / 2, width]; row is scratch. */
static void gather_pooled(const source *s, const windows *w, int first, int y0, int n_rows, char *to)
{
    size_t width = (size_t)w->width, bytes = dtype_bytes(s->type);
    enum { PIECE = 64 };
    char raw[PIECE * sizeof(float)];
    float best[PIECE], next[PIECE];
    for (int y = y0; y < y0 + n_rows; y++)
        for (int x = 0; x < w->side_x / 2; x++, to += width * bytes)
            for (size_t d = 0; d < width; d += PIECE) {
                size_t n = width - d < PIECE ? width - d : PIECE;
                for (int tap = 0; tap < 4; tap++) {
                    token(s, 2 * y + tap / 2, 2 * x + tap % 2, first + (int)d, n, raw);
                    load_row(tap ? next : best, raw, s->type, n);
                    for (size_t i = 0; tap && i < n; i++)
                        best[i] = nan_max(best[i], next[i]);
                }
                store_row(to + d * bytes, best, s->type, n);
            }
}

/* The window's output rows that lie in the grid. */
static void scatter(const op_call *c, const windows *w, int object, int window, int head, const char *from)
{
    size_t bytes = (size_t)w->width * dtype_bytes(c->out->type), row_bytes = bytes * (size_t)c->attr->heads;
    int shrink = w->pool ? 2 : 1, side_y = w->side_y / shrink, side_x = w->side_x / shrink;
    int top = window / w->across * side_y, left = window % w->across * side_x;
    char *out = (char *)tensor_at(c->out, object) + (size_t)head * bytes;
    for (int y = 0; y < side_y; y++)
        for (int x = 0; x < side_x; x++, from += bytes)
            if (top + y < w->out_h && left + x < w->out_w)
                memcpy(out + ((size_t)(top + y) * (size_t)w->out_w + (size_t)(left + x)) * row_bytes, from, bytes);
}

static void one_window(const op_call *c, const windows *w, int object, int window, int head, const window_scratch *s)
{
    const tensor *qkv = &c->in[0];
    int channels = qkv->cols / 3, first = head * w->width, n_q = queries_of(w), n_k = w->side_y * w->side_x;
    source from = {.qkv = tensor_at(qkv, object),
                   .bias = c->in[1].data,
                   .type = qkv->type,
                   .h = c->attr->h,
                   .w = c->attr->w,
                   .top = window / w->across * w->side_y,
                   .left = window % w->across * w->side_x,
                   .cols = qkv->cols};
    if (w->pool)
        gather_pooled(&from, w, first, 0, w->side_y / 2, s->q);
    else
        gather(&from, w, first, s->q);
    gather(&from, w, channels + first, s->k);
    gather(&from, w, 2 * channels + first, s->v);
    size_t width = (size_t)w->width;
    flash f = {.q = {s->q, qkv->type, width, n_q, w->width},
               .k = {s->k, qkv->type, width, n_k, w->width},
               .v = {s->v, qkv->type, width, n_k, w->width},
               .out = {s->out, c->out->type, width, n_q, w->width},
               .scale = c->attr->scale};
    int tiles = flash_tiles(n_q);
    for (int t = 0; t < tiles; t += FLASH_MAX_TILES)
        flash_run(&f, t, tiles - t < FLASH_MAX_TILES ? tiles - t : FLASH_MAX_TILES, &s->flash);
    scatter(c, w, object, window, head, s->out);
}

/* Query tiles of the whole grid. Pooled queries are gathered by every task, all of them: rare and cheap beside M. */
static void part_of_whole(const op_call *c, const windows *w, int object, int head, int first_tile, int n_tiles,
                          const window_scratch *s)
{
    const tensor *qkv = &c->in[0];
    size_t bytes = dtype_bytes(qkv->type), cols = (size_t)qkv->cols, channels = cols / 3;
    size_t offset = (size_t)head * (size_t)w->width;
    char *at = (char *)tensor_at(qkv, object) + offset * bytes;
    int n_q = queries_of(w);
    flash f = {.q = {at, qkv->type, cols, n_q, w->width},
               .k = {at + channels * bytes, qkv->type, cols, qkv->rows, w->width},
               .v = {at + 2 * channels * bytes, qkv->type, cols, qkv->rows, w->width},
               .out = {(char *)tensor_at(c->out, object) + offset * dtype_bytes(c->out->type), c->out->type, channels,
                       n_q, w->width},
               .scale = c->attr->scale};
    if (w->pool) {
        source from = {
            .qkv = tensor_at(qkv, object), .type = qkv->type, .h = c->attr->h, .w = c->attr->w, .cols = qkv->cols};
        gather_pooled(&from, w, (int)offset, 0, w->side_y / 2, s->q);
        f.q.data = s->q;
        f.q.stride = (size_t)w->width;
    }
    flash_run(&f, first_tile, n_tiles, &s->flash);
}

static void run(const op_call *c)
{
    windows w = windows_of(c);
    window_scratch unused;
    size_t per_thread = scratch_at(c, &w, NULL, &unused);
    int heads = c->attr->heads, tiles = flash_tiles(queries_of(&w));
    int per_task = flash_tiles_per_task(c->out->n * heads, queries_of(&w), c->n_threads);
    int parts = w.whole ? (tiles + per_task - 1) / per_task : w.count;
    long n_tasks = (long)c->out->n * parts * heads;
#pragma omp parallel for schedule(dynamic) num_threads(c->n_threads)
    for (long task = 0; task < n_tasks; task++) {
        int part = (int)(task / heads % parts), object = (int)(task / heads / parts), head = (int)(task % heads);
        window_scratch s;
        scratch_at(c, &w, (char *)c->scratch + (size_t)omp_get_thread_num() * per_thread, &s);
        int first = part * per_task, n = tiles - first < per_task ? tiles - first : per_task;
        if (w.whole)
            part_of_whole(c, &w, object, head, first, n, &s);
        else
            one_window(c, &w, object, part, head, &s);
    }
}

const op_cpu CPU_FN(window_attention_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
