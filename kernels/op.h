/* op.h - what an operator is.
 *
 * ops.def lists every operator once. An operator `foo` is
 *     foo.c       its contract (formula, shapes), shape rule and cost:  const op_def op_foo
 *     foo_cpu.c   its CPU code:                                         const op_cpu CPU_FN(foo_cpu)
 *     foo_cuda.cu its kernels and their launcher:                       const op_cuda CUDA_FN(foo_cuda)
 *     tests/ops/test_foo.c
 * foo_cpu.c is compiled once per instruction set (baseline, avx2, avx512, avx512bf16, avx512amx; neonbf16; avx2twin is for tests);
 * CPU_FN gives each copy its own name and cpu_table_cpu.c collects the copies of one set. Operators know no model, no graph
 * and no error struct.
 *
 * Every tensor is [n, rows, cols], row-major, last axis contiguous, batches contiguous. Images are channels last: rows
 * is H*W (index y*W + x), cols the channels. n is 1 or the number of objects; an input with n = 1 beside others with
 * more is shared by all objects. */
#ifndef OP_H
#define OP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dtype { DT_NONE, DT_F32, DT_BF16, DT_F16, DT_I32 } dtype;

typedef struct tensor {
    void *data; /* NULL while shapes are inferred, and for an optional input that is absent (type DT_NONE) */
    dtype type;
    int n, rows, cols;
} tensor;

#define N_OBJECTS (-1) /* tensor.n while graphs are built: one per object, how many is known when it runs */

typedef enum act { ACT_NONE, ACT_RELU, ACT_GELU, ACT_SIGMOID } act; /* GELU: the exact erf form */

/* Numbers an operator needs besides its inputs; each <op>.c says which it reads. */
typedef struct op_attr {
    enum act act;
    dtype type; /* of the output; DT_NONE: like the first input                        */
    int h, w;   /* grid of the (first) input: rows = h * w                             */
    int kernel, stride, pad, groups;
    int heads;         /* attention heads; head width = cols / heads                          */
    int window;        /* side of a window of attention                                       */
    int pool;          /* window_attention: 1: 2x2 max pooling of the queries                 */
    int first, count;  /* slice_rows; memory_gather: tokens per frame in .count; see linear.c */
    int period, start; /* rope: rows repeat after `period`, of which those from `start` rotate */
    float scale, eps, bias;
    int q_col, k_col, v_col; /* attention: first columns of q, k and v in their tensors                     */
    int qk_cols, v_cols;     /* attention: how many columns they take there; 0: all                         */
} op_attr;

#define OP_MAX_IN  12
#define OP_MAX_OUT 4

typedef struct op_cost {
    double flops;                     /* 2 per multiply-add                            */
    double bytes_read, bytes_written; /* every operand once: the floor of the traffic */
} op_cost;

typedef struct op_def {
    const char *name;
    int n_in, n_out; /* n_in counts optional inputs; those are the bits of `optional` */
    unsigned optional;
    /* Shape rule. Fills out[] (type, n, rows, cols) from in[]; returns NULL, or what is wrong (a constant). */
    const char *(*infer)(const tensor *in, const op_attr *a, tensor *out);
    /* Reads only shapes and, where in[i].data is not NULL, counts (attention's keys). */
    op_cost (*cost)(const tensor *in, const tensor *out, const op_attr *a);
} op_def;

typedef struct op_call {
    const tensor *in;
    tensor *out;
    const op_attr *attr;
    void *scratch;                        /* what .scratch_bytes asked for, 256-byte aligned; contents undefined */
    void *packed;                         /* what .pack made, shared by sessions, read only                     */
    void *bound;                          /* what .bind made for this session                                   */
    int n_threads;                        /* CPU                                                                */
    void *stream;                         /* CUDA: cudaStream_t; every pointer above is device memory           */
    const struct op_libraries *libraries; /* CUDA: see ways.h; NULL: our kernels only     */
} op_call;

typedef struct op_cpu {
    void (*run)(const op_call *c);
    /* Optional: temporary bytes for the shapes of c->in and c->out (data may be NULL) with c->n_threads. */
    size_t (*scratch_bytes)(const op_call *c);
    /* Optional, together: weights into the layout the code wants, once per model. c->in holds the weights' data and
     * NULL for the rest. Returns NULL when memory is short; *bytes is what it takes. in_packed: bits of the inputs
     * whose data `run` no longer reads. */
    void *(*pack)(const op_call *c, size_t *bytes);
    void (*unpack)(void *packed);
    unsigned in_packed;
    /* Optional, together: what one session needs to run (library handles), so that `run` allocates nothing. */
    void *(*bind)(const op_call *c);
    void (*unbind)(void *bound);
} op_cpu;

/* Nothing here allocates, waits for the device, or reads device memory on the host, so that all of it can be captured in
 * a graph. Functions that return text return NULL, or a constant that says what went wrong. */
typedef struct op_cuda {
    const char *(*run)(const op_call *c); /* enqueues on c->stream */
    /* Optional, as in op_cpu: temporary bytes of device memory, 256-byte aligned. */
    size_t (*scratch_bytes)(const op_call *c);
    /* Optional, together: weights into the layout the kernels want, once per model. packed_bytes says how much device
     * memory c->packed will be; pack enqueues its making on c->stream, with all weights in c->in. */
    size_t (*packed_bytes)(const op_call *c);
    const char *(*pack)(const op_call *c);
    unsigned in_packed;
    /* Optional, together: host objects of one session (library handles). c is as `run` gets it, for the most objects;
     * where tuning is asked for, the work is run and timed, and c->out is written. */
    void *(*bind)(const op_call *c);
    void (*unbind)(void *bound);
} op_cuda;

typedef enum op_id {
#define OP(name) OP_##name,
#include "ops.def"
#undef OP
    OP_COUNT
} op_id;

#define OP(name) extern const op_def op_##name;
#include "ops.def"
#undef OP

extern const op_def *const op_table[OP_COUNT];

/* CPU_FN(layernorm_cpu) is layernorm_cpu_avx512 in the copy compiled for AVX-512. */
#ifdef CPU_VARIANT
#define CPU_CONCAT2(a, b) a##_##b
#define CPU_CONCAT(a, b)  CPU_CONCAT2(a, b)
#define CPU_FN(name)      CPU_CONCAT(name, CPU_VARIANT)
#define OP(name)          extern const op_cpu CPU_FN(name##_cpu);
#include "ops.def"
#undef OP
#endif

/* CUDA_FN(layernorm_cuda) is layernorm_cuda, or layernorm_cuda_emu in the copy that tests/emu runs without a GPU. */
#ifdef CUDA_VARIANT
#define CUDA_CONCAT2(a, b) a##_##b
#define CUDA_CONCAT(a, b)  CUDA_CONCAT2(a, b)
#define CUDA_FN(name)      CUDA_CONCAT(name, CUDA_VARIANT)
#else
#define CUDA_FN(name) name
#endif
#define OP(name) extern const op_cuda CUDA_FN(name##_cuda);
#include "ops.def"
#undef OP
/* The CUDA kernels, NULL for an operator that has none; NULL in a build without CUDA (no_cuda.c). */
const op_cuda *const *CUDA_FN(op_cuda_select)(void);

/* The CPU code for this machine: the best instruction set compiled in that it has, or the one called `variant`
 * (NULL: best). Returns NULL if there is no such one or the machine lacks it. *name is its name. cpu_select.h says why. */
const op_cpu *const *op_cpu_select(const char *variant, const char **name);
/* For code that bf16 instructions would not change: 0 baseline, 1 avx2, 2 avx512; -1: this machine lacks the variant. */
int op_cpu_level(const char *variant);
const char *cpu_features(char *text, size_t n_bytes); /* "avx2 fma avx512f avx512_bf16", for people */

static inline size_t dtype_bytes(dtype t)
{
    return t == DT_F32 || t == DT_I32 ? 4 : t == DT_NONE ? 0 : 2;
}
static inline size_t tensor_count(const tensor *t)
{
    return (size_t)t->n * (size_t)t->rows * (size_t)t->cols;
}
static inline size_t tensor_bytes(const tensor *t)
{
    return tensor_count(t) * dtype_bytes(t->type);
}
/* Batch i of t; the only one if t is shared. */
static inline void *tensor_at(const tensor *t, int i)
{
    size_t stride = (size_t)t->rows * (size_t)t->cols * dtype_bytes(t->type);
    return (char *)t->data + (t->n == 1 ? 0 : (size_t)i * stride);
}
/* The batch of an operator's output: the n that is not 1. */
static inline int batch_of(const tensor *in, int n_in)
{
    for (int i = 0; i < n_in; i++)
        if (in[i].type != DT_NONE && in[i].n != 1)
            return in[i].n;
    return 1;
}

#ifdef __cplusplus
}
#endif

#endif
