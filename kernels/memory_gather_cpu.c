/* memory_gather on the CPU: output rows in parallel. */
#include "cpu_rows.h"
#include "operands.h"

#include <assert.h>

#define CHUNK 256

enum { BANK, POS, TPOS, SLOTS, TPOS_INDEX, N_FRAMES, POINTERS, POINTER_SLOTS, N_POINTERS, POINTER_POS };

static int int_at(const tensor *t, int object, size_t i)
{
    return *(const int32_t *)element_at(t, object, i);
}

/* Row r of the memories: mem, and mem + (pos + tpos). */
static void memory_row(const op_call *c, int object, size_t r, size_t at, size_t m, float *mem, float *key)
{
    size_t n_tokens = (size_t)c->attr->count, frame = r / n_tokens, token = r % n_tokens;
    size_t cols = (size_t)c->in[BANK].cols, slot = (size_t)int_at(&c->in[SLOTS], object, frame);
    int when = int_at(&c->in[TPOS_INDEX], object, frame);
    size_t row = slot * n_tokens + token;
    assert(row < (size_t)c->in[BANK].rows && when < c->in[TPOS].rows);
    const float *pos = element_at(&c->in[POS], 0, token * cols + at);
    const float *tpos = when < 0 ? NULL : element_at(&c->in[TPOS], 0, (size_t)when * cols + at);
    load_row(mem, element_at(&c->in[BANK], 0, row * cols + at), c->in[BANK].type, m);
    for (size_t i = 0; i < m; i++)
        key[i] = mem[i] + (tpos ? pos[i] + tpos[i] : pos[i]);
}

/* Row r of the pointers, each of which is `groups` rows. */
static void pointer_row(const op_call *c, int object, size_t r, size_t at, size_t m, float *mem, float *key)
{
    size_t cols = (size_t)c->in[BANK].cols, groups = (size_t)c->in[POINTERS].cols / cols, pointer = r / groups;
    size_t slot = (size_t)int_at(&c->in[POINTER_SLOTS], object, pointer);
    const tensor *pos = &c->in[POINTER_POS];
    assert(slot < (size_t)c->in[POINTERS].rows);
    load_row(mem, element_at(&c->in[POINTERS], 0, (slot * groups + r % groups) * cols + at), c->in[POINTERS].type, m);
    if (pos->type == DT_NONE) {
        memcpy(key, mem, m * sizeof *key);
        return;
    }
    load_row(key, element_at(pos, object, pointer * cols + at), pos->type, m);
    for (size_t i = 0; i < m; i++)
        key[i] += mem[i];
}

static void gather_object(const op_call *c, int object)
{
    const tensor *mem = &c->out[GATHER_MEMORY], *key = &c->out[GATHER_KEY];
    size_t cols = (size_t)mem->cols, groups = (size_t)c->in[POINTERS].cols / cols;
    int n_frames = int_at(&c->in[N_FRAMES], object, 0), n_pointers = int_at(&c->in[N_POINTERS], object, 0);
    assert(n_frames >= 0 && n_frames <= c->in[SLOTS].rows);
    assert(n_pointers >= 0 && n_pointers <= c->in[POINTER_SLOTS].rows);
    size_t n_memory = (size_t)n_frames * (size_t)c->attr->count, n_keys = n_memory + (size_t)n_pointers * groups;
#pragma omp parallel for num_threads(threads_for(c, n_keys *cols)) schedule(static)
    for (size_t r = 0; r < n_keys; r++)
        for (size_t at = 0; at < cols; at += CHUNK) {
            float mems[CHUNK], keys[CHUNK];
            size_t m = cols - at < CHUNK ? cols - at : CHUNK;
            if (r < n_memory)
                memory_row(c, object, r, at, m, mems, keys);
            else
                pointer_row(c, object, r - n_memory, at, m, mems, keys);
            store_row(element_at(mem, object, r * cols + at), mems, mem->type, m);
            store_row(element_at(key, object, r * cols + at), keys, key->type, m);
        }
    *(int32_t *)tensor_at(&c->out[GATHER_N_KEYS], object) = (int32_t)n_keys;
    *(int32_t *)tensor_at(&c->out[GATHER_N_ROTATED], object) = (int32_t)n_memory;
}

static void run(const op_call *c)
{
    for (int object = 0; object < c->out[GATHER_MEMORY].n; object++)
        gather_object(c, object);
}

const op_cpu CPU_FN(memory_gather_cpu) = {.run = run};
