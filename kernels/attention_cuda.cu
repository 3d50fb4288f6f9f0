/* attention on CUDA: out = softmax(scale q k^T) v per head; the kernels are in flash.cuh.
 *   q [n|1, R, H*Dk]    k [n|1, M, H*Dk]    v [n|1, M, H*Dv]    n_keys? [n, 1, 1] i32 in device memory
 *   -> [n, R, H*Dv]                              Dk, Dv up to 256; f32, bf16, f16 in any mixture (bf16 or f16 alone: mma)
 *   grid    x tiles of queries, y splits of the keys, z objects * groups * heads
 *   block   32 .. 256 threads, a warp for each 16 or 32 queries;   shared: below
 *   splits  where query tiles are fewer than the device can hold, each of up to 16 blocks takes an equal share of the
 *           keys that exist, writes O, maximum and sum as f32 to scratch, and flash_reduce adds them in order. How many
 *           follows from shapes and device alone: equal inputs give equal bits.
 *   traffic q and out once; k and v once per tile of queries, from L2 (a split's share is read by all tiles at once).
 *
 * Tiles by width (Dk x Dv rounded up), MT = 16-row tiles of a warp, shared bytes of the largest block:
 *     16, 32        64 keys  MT 1  4 warps    13, 25 KiB      64, 80, 96    64 keys  MT 2  4 warps   48, 66, 78 KiB
 *     128           64 keys  MT 1  4 warps    80 KiB
 *     256 x 64      64 keys  MT 2  8 warps   208 KiB  (sm_90)    one block of 256 queries on a multiprocessor
 *                   64 keys  MT 1  8 warps    80 KiB  (others)   one of 128; Q in registers
 *     256 x 256     64 keys  MT 1  8 warps   192 KiB;   32 keys  8 warps  128 KiB;   32 keys  4 warps  96 KiB
 *
 * What limits the memory attention (256 x 64, R = 4096, M = 28736: 75 GFLOP a layer and object; 4 * 75 = 301 a frame).
 * For 64 keys a warp with MT = 2 issues 256 + 64 = 320 mma (4096 FLOP each) and 32 + 64 + 16 = 112 ldmatrix.x4. A
 * multiprocessor of sm_80 retires an mma in 2 cycles and an ldmatrix.x4 (512 bytes) in 4: 640 against 448, so shared
 * memory is busy 70% of the time that the tensor cores need. With MT = 1 and Q in registers it is 160 mma against
 * 64 + 16 = 80 ldmatrix.x4, 320 : 320 on sm_80, but 1280 : 320 on sm_86 and 89, whose mma with f32 sums take 8 cycles; so
 * there the smaller tile is enough, and it is what their shared memory holds. On sm_80 and 87 four warps with MT = 2 would
 * fit (144 KiB), but a warp that is alone on its scheduler has nothing to run beside its softmax.
 * Softmax: a lane has 64 scores (MT = 2), so 64 ex2 (8 cycles of a scheduler each: 512) beside about 290 other
 * instructions, against 320 * 8 = 2560 cycles of mma. With two warps a scheduler one's softmax runs under the other's mma.
 * Loads: 40 KiB from L2 per tile of 64 keys and block, for 256 queries 10.5 MFLOP: 256 FLOP a byte, 2.3 TB/s at 600 TF/s,
 * within L2's reach; for 128 queries twice that, on devices with half the speed or less.
 * Expected share of the peak of mma.sync with f32 sums: docs/performance.md, "What the compiled kernels allow". */
#include "flash_cuda.h"
#include "operands.h"

/* grid: enough threads; a thread adds 4 columns of one row over the splits. */
__global__ void __launch_bounds__(256) flash_reduce(flash_args p)
{
    int runs = (p.dv + 3) / 4;
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    size_t problems = (size_t)p.n_objects * (size_t)p.groups * (size_t)p.heads, row = i / (size_t)runs;
    if (row >= problems * (size_t)p.n_q)
        return;
    int c = (int)(i % (size_t)runs) * 4, r = (int)(row % (size_t)p.n_q), problem = (int)(row / (size_t)p.n_q);
    const float *ends = p.partial + partial_rows(p) * (size_t)p.dv;
    float most = LOWEST, sum = 0, o[4] = {};
    for (int s = 0; s < p.n_splits; s++)
        most = fmaxf(most, ends[2 * partial_row(p, s, problem, r)]);
    for (int s = 0; s < p.n_splits; s++) {
        size_t part = partial_row(p, s, problem, r);
        float factor = exp2f(ends[2 * part] - most);
        sum += factor * ends[2 * part + 1];
        UNROLL
        for (int k = 0; k < 4; k++)
            if (c + k < p.dv)
                o[k] += factor * p.partial[part * (size_t)p.dv + (size_t)(c + k)];
    }
    int head = problem % p.heads, group = problem / p.heads % p.groups, object = problem / p.heads / p.groups;
    size_t to = (size_t)object * p.out_object + (size_t)(group * p.n_q + r) * (size_t)p.out_row;
    UNROLL
    for (int k = 0; k < 4; k++)
        if (c + k < p.dv)
            store_one(p.out, p.out_type, to + (size_t)(head * p.dv + c + k), o[k] / sum);
}

/* Tiles of a launch. dk, dv: what the kernel is compiled for; 0 is flash_plain. */
typedef struct flash_tiles {
    int dk, dv, keys, row_tiles, n_warps, rows;
    size_t shared_bytes;
} flash_tiles;

static flash_tiles tiles_of(const flash_args *p)
{
    static const size_t KIB = 1024;
    size_t limit = device_shared_limit();
    int wide = p->dk > p->dv ? p->dk : p->dv, most_warps = 4;
    flash_tiles t = {};
    t.keys = 64;
    t.row_tiles = 1;
    if (!flash_is_half(p)) {
        t.keys = t.rows = PLAIN_ROWS;
        t.n_warps = PLAIN_THREADS / 32;
        return t;
    }
    if (wide <= 128) {
        t.dk = wide <= 16 ? 16 : wide <= 32 ? 32 : wide <= 64 ? 64 : wide <= 80 ? 80 : wide <= 96 ? 96 : 128;
        t.dv = t.dk;
        t.row_tiles = t.dk >= 64 && t.dk <= 96 ? 2 : 1;
    } else if (p->dv <= 64) {
        t.dk = 256;
        t.dv = 64;
        t.row_tiles = limit >= 208 * KIB ? 2 : 1;
        most_warps = 8;
    } else {
        t.dk = t.dv = 256;
        t.keys = limit >= 192 * KIB ? 64 : 32;
        most_warps = limit >= 128 * KIB ? 8 : 4;
    }
    int rows = 16 * t.row_tiles, needed = (p->n_q + rows - 1) / rows;
    t.n_warps = needed < most_warps ? needed : most_warps;
    t.rows = rows * t.n_warps;
    return t;
}

template <class T, int DK, int DV, int BN, int MT>
static const char *start(const flash_args *p, const flash_tiles *t, dim3 grid, void *stream)
{
    return launch(flash_half<T, DK, DV, BN, MT, false, false>, grid, (unsigned)t->n_warps * 32,
                  flash_shared_bytes<DK, DV, BN, MT>(t->n_warps, p->n_k), stream, *p);
}
template <class T> static const char *start_half(const flash_args *p, const flash_tiles *t, dim3 grid, void *stream)
{
    switch (t->dk) {
    case 16:
        return start<T, 16, 16, 64, 1>(p, t, grid, stream);
    case 32:
        return start<T, 32, 32, 64, 1>(p, t, grid, stream);
    case 64:
        return start<T, 64, 64, 64, 2>(p, t, grid, stream);
    case 80:
        return start<T, 80, 80, 64, 2>(p, t, grid, stream);
    case 96:
        return start<T, 96, 96, 64, 2>(p, t, grid, stream);
    case 128:
        return start<T, 128, 128, 64, 1>(p, t, grid, stream);
    }
    if (t->dv == 64)
        return t->row_tiles == 2 ? start<T, 256, 64, 64, 2>(p, t, grid, stream)
                                 : start<T, 256, 64, 64, 1>(p, t, grid, stream);
    return t->keys == 64 ? start<T, 256, 256, 64, 1>(p, t, grid, stream)
                         : start<T, 256, 256, 32, 1>(p, t, grid, stream);
}

static long problems_of(const flash_args *p)
{
    return (long)p->n_objects * p->groups * p->heads;
}

/* Time is about waves / splits; each further split must gain 3% for its partial results. */
static int splits_of(const flash_args *p, const flash_tiles *t)
{
    long blocks = problems_of(p) * ((p->n_q + t->rows - 1) / t->rows), slots = device_multiprocessors();
    int most = (p->n_k + t->keys - 1) / t->keys / 2, best = 1;
    double least = 0;
    if (t->dk && t->dk < 128)
        slots *= 2;
    for (int s = 1; s <= 16 && s <= (most > 1 ? most : 1); s++) {
        double cost = (double)((blocks * s + slots - 1) / slots) / s * (1 + 0.03 * (s - 1));
        if (s == 1 || cost < least) {
            least = cost;
            best = s;
        }
    }
    return best;
}

/* With fewer objects there may be more splits. */
size_t CUDA_FN(flash_scratch_bytes)(const flash_args *p)
{
    flash_tiles t = tiles_of(p);
    flash_args some = *p;
    size_t most = 0;
    for (some.n_objects = 1; some.n_objects <= p->n_objects; some.n_objects++) {
        int splits = splits_of(&some, &t);
        size_t rows = splits > 1 ? (size_t)splits * (size_t)problems_of(&some) * (size_t)p->n_q : 0;
        size_t bytes = rows * ((size_t)p->dv + 2) * sizeof(float);
        most = bytes > most ? bytes : most;
    }
    return most;
}

const char *CUDA_FN(flash_run)(const flash_args *args, void *scratch, void *stream)
{
    flash_args p = *args;
    flash_tiles t = tiles_of(&p);
    if (p.dk < 1 || p.dv < 1 || p.dk > FLASH_MAX_WIDTH || p.dv > FLASH_MAX_WIDTH)
        return "heads must be at most 256 wide";
    if (!(p.scale > 0))
        return "the scale must be positive";
    if (t.dk && !flash_is_aligned(&p))
        return "q, k, v and out must begin at multiples of 16 bytes";
    if (problems_of(&p) > 65535)
        return "objects * groups * heads must be at most 65535";
    p.n_splits = splits_of(&p, &t);
    p.q_tiles = (p.n_q + t.rows - 1) / t.rows;
    p.partial = (float *)scratch;
    dim3 grid((unsigned)p.q_tiles, (unsigned)p.n_splits, (unsigned)problems_of(&p));
    const char *wrong;
    if (!t.dk)
        wrong = launch(flash_plain<false>, grid, PLAIN_THREADS, plain_shared_bytes(p.dk, p.dv), stream, p);
    else
        wrong = p.q_type == DT_BF16 ? start_half<bf16>(&p, &t, grid, stream) : start_half<f16>(&p, &t, grid, stream);
    if (wrong || p.n_splits == 1)
        return wrong;
    size_t n = (size_t)problems_of(&p) * (size_t)p.n_q * (size_t)((p.dv + 3) / 4);
    return launch(flash_reduce, blocks_for(n, 256), 256, 0, stream, p);
}

static size_t object_stride(const tensor *x)
{
    return x->n == 1 ? 0 : (size_t)x->rows * (size_t)x->cols;
}
static const void *column(const tensor *x, int col)
{
    return x->data ? (const char *)x->data + (size_t)col * dtype_bytes(x->type) : nullptr;
}
static flash_args args_of(const op_call *c)
{
    const tensor *q = &c->in[ATTENTION_Q], *k = &c->in[ATTENTION_K], *v = &c->in[ATTENTION_V],
                 *n_keys = &c->in[ATTENTION_N_KEYS], *out = c->out;
    flash_args p = {};
    p.q = column(q, c->attr->q_col), p.k = column(k, c->attr->k_col), p.v = column(v, c->attr->v_col);
    p.out = out->data;
    p.n_keys = n_keys->type == DT_NONE ? nullptr : (const int32_t *)n_keys->data;
    p.n_keys_object = n_keys->n == 1 ? 0 : 1;
    p.q_object = object_stride(q), p.k_object = object_stride(k), p.v_object = object_stride(v);
    p.out_object = (size_t)out->rows * (size_t)out->cols;
    p.q_row = q->cols, p.k_row = k->cols, p.v_row = v->cols, p.out_row = out->cols;
    p.heads = c->attr->heads > 0 ? c->attr->heads : 1;
    p.groups = c->attr->groups > 0 ? c->attr->groups : 1;
    p.dk = (c->attr->qk_cols ? c->attr->qk_cols : q->cols) / p.heads, p.dv = out->cols / p.heads;
    p.n_objects = out->n;
    p.n_q = q->rows / p.groups, p.n_k = k->rows / p.groups;
    p.q_type = q->type, p.k_type = k->type, p.v_type = v->type, p.out_type = out->type;
    p.scale = c->attr->scale * 1.44269504088896341f;
    return p;
}

static size_t scratch_bytes(const op_call *c)
{
    flash_args p = args_of(c);
    return CUDA_FN(flash_scratch_bytes)(&p);
}
static const char *run(const op_call *c)
{
    flash_args p = args_of(c);
    return CUDA_FN(flash_run)(&p, c->scratch, c->stream);
}

const op_cuda CUDA_FN(attention_cuda) = {run, scratch_bytes};
