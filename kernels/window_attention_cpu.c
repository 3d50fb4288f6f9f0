/* window_attention on the CPU: a task is one head of one window (with window 0, a few query tiles of one head). Its
 * q, k, v rows are gathered into the thread's scratch, where padding and pooling happen, and go through cpu_flash.h;
 * so no partitioned copy of the tensor ever exists. The whole grid as one window is read in place. */
#include "cpu_flash.h"
#include "operands.h"

#include <omp.h>

typedef struct windows {
    int side_y, side_x; /* of a window                        */
    int across, count;  /* windows per row of windows, in all */
    int width;          /* of a head                          */
    int out_h, out_w;
    bool whole, pool;
    flash_positions at;
} windows;

static windows windows_of(const op_call *c)
{
    const op_attr *a = c->attr;
    windows w = {.side_y = a->window ? a->window : a->h,
                 .side_x = a->window ? a->window : a->w,
                 .width = c->in[WINDOW_QKV].cols / 3 / a->heads,
                 .pool = a->pool,
                 .whole = !a->window,
                 .out_h = a->pool ? a->h / 2 : a->h,
                 .out_w = a->pool ? a->w / 2 : a->w};
    w.across = (a->w + w.side_x - 1) / w.side_x;
    w.count = w.across * ((a->h + w.side_y - 1) / w.side_y);
    if (c->in[WINDOW_REL_H].type != DT_NONE)
        w.at = (flash_positions){.table = {c->in[WINDOW_REL_H].data, c->in[WINDOW_REL_W].data},
                                 .side = {w.side_y, w.side_x}};
    return w;
}
static int queries_of(const windows *w)
{
    return w->side_y * w->side_x / (w->pool ? 4 : 1);
}

/* A thread's scratch: flash_scratch, then gathered q, k, v and the window's output. */
typedef struct window_scratch {
    flash_scratch flash;
    char *q, *k, *v, *out, *bias;
} window_scratch;

static size_t scratch_at(const op_call *c, const windows *w, void *base, window_scratch *s)
{
    size_t n_q = (size_t)queries_of(w), n_k = (size_t)w->side_y * (size_t)w->side_x, width = (size_t)w->width;
    int tiles = flash_tiles(queries_of(w)), most = tiles < FLASH_MAX_TILES ? tiles : FLASH_MAX_TILES;
    size_t in_bytes = dtype_bytes(c->in[WINDOW_QKV].type), out_bytes = dtype_bytes(c->out[RESULT].type);
    size_t at = flash_scratch_at(base, most, w->width, w->width, &s->flash);
    if (w->at.side[0])
        at = flash_positions_scratch(base, at, most, w->width, &w->at, &s->flash);
    char **parts[5] = {&s->q, &s->k, &s->v, &s->out, &s->bias};
    size_t bytes[5] = {w->whole && !w->pool ? 0 : n_q * width * in_bytes, w->whole ? 0 : n_k * width * in_bytes,
                       w->whole ? 0 : n_k * width * in_bytes, w->whole ? 0 : n_q * width * out_bytes,
                       3 * width * in_bytes};
    for (int i = 0; i < 5; i++) {
        *parts[i] = base ? (char *)base + at : NULL;
        at += (bytes[i] + 63) / 64 * 64;
    }
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
    const char *qkv;  /* the object's [h*w, 3C], from the head's first column on      */
    const char *bias; /* [3, width] of the head, in qkv's type: the padding's q, k, v */
    dtype type;
    int h, w, top, left, channels, width; /* grid, window's corner, C, of a head */
} source;

static source source_of(const op_call *c, const windows *w, int object, int window, int head, char *bias)
{
    const tensor *qkv = &c->in[WINDOW_QKV];
    size_t bytes = dtype_bytes(qkv->type), first = (size_t)head * (size_t)w->width;
    source s = {.qkv = (const char *)tensor_at(qkv, object) + first * bytes,
                .bias = bias,
                .type = qkv->type,
                .h = c->attr->h,
                .w = c->attr->w,
                .top = window / w->across * w->side_y,
                .left = window % w->across * w->side_x,
                .channels = qkv->cols / 3,
                .width = w->width};
    bool padded = s.top + w->side_y > s.h || s.left + w->side_x > s.w;
    for (size_t part = 0; padded && part < 3; part++)
        store_row(bias + part * (size_t)w->width * bytes,
                  (const float *)c->in[WINDOW_QKV_BIAS].data + part * (size_t)s.channels + first, qkv->type,
                  (size_t)w->width);
    return s;
}

/* Head columns `part` (0 q, 1 k, 2 v) of the token at (y, x) of the window, padding included. */
static const char *token(const source *s, int y, int x, int part)
{
    y += s->top;
    x += s->left;
    size_t row = (size_t)y * (size_t)s->w + (size_t)x, bytes = dtype_bytes(s->type);
    if (y >= s->h || x >= s->w)
        return s->bias + (size_t)part * (size_t)s->width * bytes;
    return s->qkv + (row * 3 + (size_t)part) * (size_t)s->channels * bytes;
}

/* A row of a head: too short for memcpy's choice of a way, which a call would repeat for each of them. */
INLINE void copy_row(char *to, const char *from, size_t bytes)
{
    size_t at = 0;
    for (; at + 32 <= bytes; at += 32)
        memcpy(to + at, from + at, 32);
    for (; at + 8 <= bytes; at += 8)
        memcpy(to + at, from + at, 8);
    for (; at < bytes; at++)
        to[at] = from[at];
}

static void gather(const source *s, const windows *w, int part, char *to)
{
    size_t bytes = (size_t)w->width * dtype_bytes(s->type);
    for (int y = 0; y < w->side_y; y++)
        for (int x = 0; x < w->side_x; x++, to += bytes)
            copy_row(to, token(s, y, x, part), bytes);
}

static float nan_max(float a, float b)
{
    return a > b || a != a ? a : b;
}
INLINE vec vec_nan_max(vec a, vec b)
{
    ivec keep = (a > b) | (a != a);
    return (vec)(((ivec)a & keep) | ((ivec)b & ~keep));
}
/* 2x2 maxima of the window's queries, [side_y/2 * side_x/2, width]. */
static void gather_pooled(const source *s, const windows *w, char *to)
{
    size_t width = (size_t)w->width, bytes = dtype_bytes(s->type);
    for (int y = 0; y < w->side_y; y += 2)
        for (int x = 0; x < w->side_x; x += 2, to += width * bytes) {
            const char *tap[4] = {token(s, y, x, 0), token(s, y, x + 1, 0), token(s, y + 1, x, 0),
                                  token(s, y + 1, x + 1, 0)};
            size_t d = 0;
            for (; d + LANES <= width; d += LANES) {
                vec a = vec_nan_max(vec_load(tap[0] + d * bytes, s->type), vec_load(tap[1] + d * bytes, s->type));
                vec b = vec_nan_max(vec_load(tap[2] + d * bytes, s->type), vec_load(tap[3] + d * bytes, s->type));
                vec_store(to + d * bytes, vec_nan_max(a, b), s->type);
            }
            for (; d < width; d++) {
                float v[4];
                for (int i = 0; i < 4; i++)
                    load_row(&v[i], tap[i] + d * bytes, s->type, 1);
                float best = nan_max(nan_max(v[0], v[1]), nan_max(v[2], v[3]));
                store_row(to + d * bytes, &best, s->type, 1);
            }
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
                copy_row(out + ((size_t)(top + y) * (size_t)w->out_w + (size_t)(left + x)) * row_bytes, from, bytes);
}

static void one_window(const op_call *c, const windows *w, int object, int window, int head, const window_scratch *s)
{
    source from = source_of(c, w, object, window, head, s->bias);
    int n_q = queries_of(w), n_k = w->side_y * w->side_x, tiles = flash_tiles(n_q);
    if (w->pool)
        gather_pooled(&from, w, s->q);
    else
        gather(&from, w, 0, s->q);
    gather(&from, w, 1, s->k);
    gather(&from, w, 2, s->v);
    size_t width = (size_t)w->width;
    flash f = {.q = {s->q, from.type, width, n_q, w->width},
               .k = {s->k, from.type, width, n_k, w->width},
               .v = {s->v, from.type, width, n_k, w->width},
               .out = {s->out, c->out->type, width, n_q, w->width},
               .scale = c->attr->scale,
               .at = w->at};
    for (int t = 0; t < tiles; t += FLASH_MAX_TILES)
        flash_run(&f, t, tiles - t < FLASH_MAX_TILES ? tiles - t : FLASH_MAX_TILES, &s->flash);
    scatter(c, w, object, window, head, s->out);
}

/* Query tiles of the whole grid. Pooled queries are gathered by every task, all of them: cheap beside the scores. */
static void part_of_whole(const op_call *c, const windows *w, int object, int head, int first_tile, int n_tiles,
                          const window_scratch *s)
{
    source from = source_of(c, w, object, 0, head, s->bias);
    size_t stride = 3 * (size_t)from.channels;
    int n_q = queries_of(w), n_k = w->side_y * w->side_x;
    char *out = (char *)tensor_at(c->out, object) + (size_t)head * (size_t)w->width * dtype_bytes(c->out->type);
    flash f = {.q = {(char *)from.qkv, from.type, stride, n_q, w->width},
               .k = {(char *)token(&from, 0, 0, 1), from.type, stride, n_k, w->width},
               .v = {(char *)token(&from, 0, 0, 2), from.type, stride, n_k, w->width},
               .out = {out, c->out->type, (size_t)from.channels, n_q, w->width},
               .scale = c->attr->scale,
               .at = w->at};
    if (w->pool) {
        gather_pooled(&from, w, s->q);
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
#pragma omp parallel num_threads(c->n_threads)
    {
        amx_tiles x;
        amx_begin(&x);
#pragma omp for schedule(dynamic)
        for (long task = 0; task < n_tasks; task++) {
            int part = (int)(task / heads % parts), object = (int)(task / heads / parts), head = (int)(task % heads);
            window_scratch s;
            scratch_at(c, &w, (char *)c->scratch + (size_t)omp_get_thread_num() * per_thread, &s);
            s.flash.tiles = &x;
            int first = part * per_task, n = tiles - first < per_task ? tiles - first : per_task;
            if (w.whole)
                part_of_whole(c, &w, object, head, first, n, &s);
            else
                one_window(c, &w, object, part, head, &s);
        }
        amx_end(&x);
    }
}

const op_cpu CPU_FN(window_attention_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
