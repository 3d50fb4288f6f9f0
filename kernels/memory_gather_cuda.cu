/* memory_gather on CUDA: the tokens that an object's frame attends to, out of the memory bank by index.
 *   operands as in memory_gather.c    ->    mem, key_in [n, S*T + A*G, C]    n_keys, n_rotated [n] i32
 *   grid  ceil(n*(S*T+A*G)*ceil(C/8) / 256) for the capacity;   block 256;   a thread takes a run of 8 columns
 *   traffic: the attended rows once, pos and tpos from L2, both outputs once. Counts and indices are read on the device,
 *   so one captured graph serves a bank of any fill; rows beyond n_keys are left as they are. */
#include "elements.cuh"
#include "operands.h"

struct gathering {
    const void *bank, *pointers, *pointer_pos;
    const float *pos, *tpos;
    const int32_t *slots, *tpos_index, *n_frames, *pointer_slots, *n_pointers;
    void *mem, *key;
    int32_t *n_keys, *n_rotated;
    dtype bank_type, pointer_type, pointer_pos_type, out_type;
    size_t n_rows;                                                /* of mem, all objects */
    int rows, n_cols, n_tokens, n_slots, n_pointer_slots, groups; /* rows of one object; T, S, A, G */
    bool slots_shared, tpos_index_shared, n_frames_shared, pointer_slots_shared, n_pointers_shared, pointer_pos_shared;
};

static __device__ __forceinline__ void memory_run(const gathering &p, int object, int r, place at, float *mem,
                                                  float *key)
{
    int frame = r / p.n_tokens, token = r % p.n_tokens;
    size_t slot = (size_t)p.slots[(p.slots_shared ? 0 : object) * p.n_slots + frame];
    int when = p.tpos_index[(p.tpos_index_shared ? 0 : object) * p.n_slots + frame];
    size_t cols = (size_t)p.n_cols, col = (size_t)at.col;
    float pos[RUN];
    load_run(mem, p.bank, p.bank_type, (slot * (size_t)p.n_tokens + (size_t)token) * cols + col, at.n);
    load_run(pos, p.pos, DT_F32, (size_t)token * cols + col, at.n);
    if (when >= 0)
        load_run(key, p.tpos, DT_F32, (size_t)when * cols + col, at.n);
    UNROLL
    for (int k = 0; k < RUN; k++)
        key[k] = mem[k] + (when >= 0 ? pos[k] + key[k] : pos[k]);
}

static __device__ __forceinline__ void pointer_run(const gathering &p, int object, int r, place at, float *mem,
                                                   float *key)
{
    int pointer = r / p.groups, entry = p.n_pointer_slots * (p.pointer_slots_shared ? 0 : object) + pointer;
    size_t slot = (size_t)p.pointer_slots[entry], cols = (size_t)p.n_cols, col = (size_t)at.col;
    load_run(mem, p.pointers, p.pointer_type, (slot * (size_t)p.groups + (size_t)(r % p.groups)) * cols + col, at.n);
    if (p.pointer_pos) {
        size_t row = (size_t)(p.n_pointer_slots * (p.pointer_pos_shared ? 0 : object) + pointer);
        load_run(key, p.pointer_pos, p.pointer_pos_type, row * cols + col, at.n);
    }
    UNROLL
    for (int k = 0; k < RUN; k++)
        key[k] = p.pointer_pos ? mem[k] + key[k] : mem[k];
}

__global__ void __launch_bounds__(256) gather_runs(gathering p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    int object = (int)(at.row / (size_t)p.rows), r = (int)(at.row % (size_t)p.rows);
    int n_memory = p.n_frames[p.n_frames_shared ? 0 : object] * p.n_tokens;
    int n_keys = n_memory + p.n_pointers[p.n_pointers_shared ? 0 : object] * p.groups;
    if (r == 0 && at.col == 0) {
        p.n_keys[object] = n_keys;
        p.n_rotated[object] = n_memory;
    }
    if (r >= n_keys)
        return;
    float mem[RUN], key[RUN];
    if (r < n_memory)
        memory_run(p, object, r, at, mem, key);
    else
        pointer_run(p, object, r - n_memory, at, mem, key);
    store_run(p.mem, p.out_type, at.row * (size_t)p.n_cols + (size_t)at.col, mem, at.n);
    store_run(p.key, p.out_type, at.row * (size_t)p.n_cols + (size_t)at.col, key, at.n);
}

static const char *run(const op_call *c)
{
    const tensor *in = c->in, *mem = &c->out[GATHER_MEMORY];
    gathering p = {};
    p.bank = in[GATHER_BANK].data, p.bank_type = in[GATHER_BANK].type;
    p.pos = (const float *)in[GATHER_POS].data;
    p.tpos = (const float *)in[GATHER_TPOS].data;
    p.slots = (const int32_t *)in[GATHER_SLOTS].data, p.slots_shared = in[GATHER_SLOTS].n == 1;
    p.tpos_index = (const int32_t *)in[GATHER_TPOS_INDEX].data, p.tpos_index_shared = in[GATHER_TPOS_INDEX].n == 1;
    p.n_frames = (const int32_t *)in[GATHER_N_FRAMES].data, p.n_frames_shared = in[GATHER_N_FRAMES].n == 1;
    p.pointers = in[GATHER_POINTERS].data, p.pointer_type = in[GATHER_POINTERS].type;
    p.pointer_slots = (const int32_t *)in[GATHER_POINTER_SLOTS].data,
    p.pointer_slots_shared = in[GATHER_POINTER_SLOTS].n == 1;
    p.n_pointers = (const int32_t *)in[GATHER_N_POINTERS].data, p.n_pointers_shared = in[GATHER_N_POINTERS].n == 1;
    if (in[GATHER_POINTER_POS].type)
        p.pointer_pos = in[GATHER_POINTER_POS].data, p.pointer_pos_type = in[GATHER_POINTER_POS].type,
        p.pointer_pos_shared = in[GATHER_POINTER_POS].n == 1;
    p.mem = mem->data, p.key = c->out[GATHER_KEY].data, p.out_type = mem->type;
    p.n_keys = (int32_t *)c->out[GATHER_N_KEYS].data;
    p.n_rotated = (int32_t *)c->out[GATHER_N_ROTATED].data;
    p.n_rows = (size_t)mem->n * (size_t)mem->rows;
    p.rows = mem->rows, p.n_cols = mem->cols;
    p.n_tokens = c->attr->count, p.n_slots = in[GATHER_SLOTS].rows, p.n_pointer_slots = in[GATHER_POINTER_SLOTS].rows;
    p.groups = in[GATHER_POINTERS].cols / mem->cols;
    return launch_runs(gather_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(memory_gather_cuda) = {run};
