/* attention on the CPU: a task is a few query tiles of one head of one group of one object; see cpu_flash.h. */
#include "cpu_flash.h"
#include "operands.h"

#include <omp.h>

static int positive(int n)
{
    return n > 0 ? n : 1;
}
static int tiles_per_task(const op_call *c)
{
    int groups = positive(c->attr->groups);
    return flash_tiles_per_task(c->out->n * positive(c->attr->heads) * groups, c->in[ATTENTION_Q].rows / groups,
                                c->n_threads);
}

static int qk_cols(const op_call *c)
{
    return c->attr->qk_cols ? c->attr->qk_cols : c->in[ATTENTION_Q].cols;
}

/* A task takes at most FLASH_MAX_TILES tiles whatever the number of objects turns out to be. */
static size_t scratch_bytes(const op_call *c)
{
    flash_scratch s;
    int heads = positive(c->attr->heads), tiles = flash_tiles(c->in[ATTENTION_Q].rows / positive(c->attr->groups));
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

/* How the work is cut. */
typedef struct cut {
    int n_q, n_k, tiles, per_task, chunks, most; /* rows of a group; tiles of a head, of a task, tasks of a head */
    size_t per_thread;                           /* bytes of scratch                                             */
} cut;

static void one_task(const op_call *c, const cut *to, long task, amx_tiles *x)
{
    const tensor *q = &c->in[ATTENTION_Q], *k = &c->in[ATTENTION_K], *v = &c->in[ATTENTION_V],
                 *n_keys = &c->in[ATTENTION_N_KEYS], *out = c->out;
    int heads = positive(c->attr->heads), groups = positive(c->attr->groups), n_q = to->n_q, n_k = to->n_k;
    int chunk = (int)(task % to->chunks), head = (int)(task / to->chunks % heads);
    int group = (int)(task / to->chunks / heads % groups), object = (int)(task / to->chunks / heads / groups);
    int keys = n_keys->type == DT_NONE ? n_k : *(const int32_t *)tensor_at(n_keys, object);
    flash f = {.q = head_rows(q, c->attr->q_col, qk_cols(c), object, group * n_q, n_q, head, heads),
               .k = head_rows(k, c->attr->k_col, qk_cols(c), object, group * n_k, keys, head, heads),
               .v = head_rows(v, c->attr->v_col, out->cols, object, group * n_k, keys, head, heads),
               .out = head_rows(out, 0, out->cols, object, group * n_q, n_q, head, heads),
               .scale = c->attr->scale};
    int first = chunk * to->per_task, n = to->tiles - first < to->per_task ? to->tiles - first : to->per_task;
    flash_scratch s;
    flash_scratch_at((char *)c->scratch + (size_t)omp_get_thread_num() * to->per_thread, to->most, f.k.width, f.v.width,
                     &s);
    s.tiles = x;
    flash_run(&f, first, n, &s);
}

static void run(const op_call *c)
{
    int heads = positive(c->attr->heads), groups = positive(c->attr->groups);
    cut to = {.n_q = c->in[ATTENTION_Q].rows / groups,
              .n_k = c->in[ATTENTION_K].rows / groups,
              .per_task = tiles_per_task(c)};
    flash_scratch unused;
    to.tiles = flash_tiles(to.n_q);
    to.chunks = (to.tiles + to.per_task - 1) / to.per_task;
    to.most = to.tiles < FLASH_MAX_TILES ? to.tiles : FLASH_MAX_TILES;
    to.per_thread = flash_scratch_at(NULL, to.most, qk_cols(c) / heads, c->out->cols / heads, &unused);
    long n_tasks = (long)c->out->n * groups * heads * to.chunks;
#pragma omp parallel num_threads(c->n_threads)
    {
        amx_tiles x;
        amx_begin(&x);
#pragma omp for schedule(dynamic)
        for (long task = 0; task < n_tasks; task++)
            one_task(c, &to, task, &x);
        amx_end(&x);
    }
}

const op_cpu CPU_FN(attention_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
