/* attention on the CPU: a task is a few query tiles of one head of one group of one object; see cpu_flash.h. */
#include "cpu_flash.h"

#include <omp.h>

static int positive(int n)
{
    return n > 0 ? n : 1;
}
static int tiles_per_task(const op_call *c)
{
    int groups = positive(c->attr->groups);
    return flash_tiles_per_task(c->out->n * positive(c->attr->heads) * groups, c->in[0].rows / groups, c->n_threads);
}

static int qk_cols(const op_call *c)
{
    return c->attr->qk_cols ? c->attr->qk_cols : c->in[0].cols;
}

/* A task takes at most FLASH_MAX_TILES tiles whatever the number of objects turns out to be. */
static size_t scratch_bytes(const op_call *c)
{
    flash_scratch s;
    int heads = positive(c->attr->heads), tiles = flash_tiles(c->in[0].rows / positive(c->attr->groups));
    int most = tiles < FLASH_MAX_TILES ? tiles : FLASH_MAX_TILES;
    return (size_t)c->n_threads * flash_scratch_at(NULL, most, qk_cols(c) / heads, c->out->cols / heads, &s);
}

/* Of `cols` columns from `col` on, those of one head. */
static rows head_rows(const tensor *x, int col, int cols, int object, int first, int n, int head, int heads)
{
    int width = cols / heads;
    size_t offset = (size_t)first * (size_t)x->cols + (size_t)(col + head * width);
    return (rows){.data = (char *)tensor_at(x, object) + offset * dtype_bytes(x->type),
                  .type = x->type,
                  .stride = (size_t)x->cols,
                  .n = n,
                  .width = width};
}

static void run(const op_call *c)
{
    const tensor *q = &c->in[0], *k = &c->in[1], *v = &c->in[2], *n_keys = &c->in[3], *out = c->out;
    int heads = positive(c->attr->heads), groups = positive(c->attr->groups);
    int n_q = q->rows / groups, n_k = k->rows / groups, tiles = flash_tiles(n_q);
    int per_task = tiles_per_task(c), chunks = (tiles + per_task - 1) / per_task;
    long n_tasks = (long)out->n * groups * heads * chunks;
    int most = tiles < FLASH_MAX_TILES ? tiles : FLASH_MAX_TILES;
    flash_scratch unused;
    size_t per_thread = flash_scratch_at(NULL, most, qk_cols(c) / heads, out->cols / heads, &unused);
#pragma omp parallel for schedule(dynamic) num_threads(c->n_threads)
    for (long task = 0; task < n_tasks; task++) {
        int chunk = (int)(task % chunks), head = (int)(task / chunks % heads);
        int group = (int)(task / chunks / heads % groups), object = (int)(task / chunks / heads / groups);
        int keys = n_keys->type == DT_NONE ? n_k : *(const int32_t *)tensor_at(n_keys, object);
        flash f = {.q = head_rows(q, c->attr->q_col, qk_cols(c), object, group * n_q, n_q, head, heads),
                   .k = head_rows(k, c->attr->k_col, qk_cols(c), object, group * n_k, keys, head, heads),
                   .v = head_rows(v, c->attr->v_col, out->cols, object, group * n_k, keys, head, heads),
                   .out = head_rows(out, 0, out->cols, object, group * n_q, n_q, head, heads),
                   .scale = c->attr->scale};
        int first = chunk * per_task, n = tiles - first < per_task ? tiles - first : per_task;
        flash_scratch s;
        flash_scratch_at((char *)c->scratch + (size_t)omp_get_thread_num() * per_thread, most, f.k.width, f.v.width,
                         &s);
        flash_run(&f, first, n, &s);
    }
}

const op_cpu CPU_FN(attention_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
