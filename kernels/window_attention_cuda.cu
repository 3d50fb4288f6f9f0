/* window_attention on CUDA: attention within windows, reading qkv where it lies; the kernels are in flash.cuh.
 *   qkv [n, h*w, 3C] q | k | v, heads x D each    qkv_bias [1, 1, 3C] f32    rel_h?, rel_w? [1, 2 side - 1, D] f32
 *   ->  [n, h'*w', C]
 *   grid    x query tiles of all windows, y heads, z objects;   block a warp for each 16 queries, 4 to 8; or for each 32,
 *           4 of them: windows of 128 queries or more, where two such blocks fit on a multiprocessor (sm_80, 87, 90)
 *   shared  Q [queries, D], one or two tiles of K and V [64, D]: for D = 96 and windows of 8x8 tokens 39 KiB, all of it on
 *           its way at once, which with two blocks or more on a multiprocessor is what the memory's latency asks for
 *   Windows of 4x4 tokens are taken four at a time, side by side: a tile of 64 keys is full, and each of the four warps
 *   multiplies with the 16 keys of its own window only.
 *   Padding tokens are the bias rounded to qkv's type, put in shared memory after the copies; pooled queries are the
 *   maxima of four tokens, taken on the way to shared memory.
 *   traffic qkv and the output once per window (k and v of 14x14 windows twice, the second time from L2): memory bound.
 *           Stage 1 of tiny (65536 tokens of 3*96): 50 MB, 11 us of an H200, 250 us of an Orin; its 3 GFLOP take a tenth.
 *   Relative positions (SAM v1) are terms in shared memory, f16, made by the block that uses them: 4 mma tiles beside the 64 of
 *   a grid of 64x64, where they take 34 KiB for 128 queries; the whole grid is then one window. Blocks have as many warps
 *   as fit.
 * window 0 (the whole grid) without pooling and positions is ordinary attention with rows 3C apart: attention_cuda.cu.
 * Windows have at most 65536 tokens; heads wider than 112 or not a multiple of 8, f32 and mixtures: flash_plain. So are
 * positions with heads wider than 80 or windows of odd width. */
#include "flash_cuda.h"
#include "operands.h"

static size_t object_stride(int n, size_t stride)
{
    return n == 1 ? 0 : stride;
}
/* Everything but windows. */
static flash_args args_of(const op_call *c)
{
    const tensor *qkv = &c->in[WINDOW_QKV], *out = c->out;
    int channels = qkv->cols / 3;
    size_t width_bytes = (size_t)channels * dtype_bytes(qkv->type);
    const char *data = (const char *)qkv->data;
    flash_args p = {};
    p.q = data;
    p.k = data ? data + width_bytes : nullptr;
    p.v = data ? data + 2 * width_bytes : nullptr;
    p.out = out->data;
    p.q_object = p.k_object = p.v_object = object_stride(qkv->n, (size_t)qkv->rows * (size_t)qkv->cols);
    p.out_object = (size_t)out->rows * (size_t)out->cols;
    p.q_row = p.k_row = p.v_row = qkv->cols;
    p.out_row = out->cols;
    p.heads = c->attr->heads;
    p.groups = 1;
    p.dk = p.dv = channels / p.heads;
    p.n_objects = out->n;
    p.n_q = p.n_k = qkv->rows;
    p.q_type = p.k_type = p.v_type = qkv->type;
    p.out_type = out->type;
    p.scale = c->attr->scale * 1.44269504088896341f;
    p.n_splits = 1;
    return p;
}
static bool is_plain_attention(const op_call *c)
{
    return !c->attr->window && !c->attr->pool && c->in[WINDOW_REL_H].type == DT_NONE;
}

/* Windows of a block and what follows; `groups` of windows in all. */
static void set_windows(flash_args *p, const op_call *c, int *n_blocks)
{
    const op_attr *a = c->attr;
    const float *bias = (const float *)c->in[WINDOW_QKV_BIAS].data;
    flash_windows *w = &p->windows;
    w->h = a->h, w->w = a->w;
    w->side_y = a->window ? a->window : a->h;
    w->side_x = a->window ? a->window : a->w;
    w->shrink = a->pool ? 2 : 1;
    w->query_x = w->side_x / w->shrink;
    w->side_inverse = 0xFFFFFFFFu / (unsigned)w->side_x + 1;
    w->query_inverse = 0xFFFFFFFFu / (unsigned)w->query_x + 1;
    w->per_block = w->side_y * w->side_x == 16 && !a->pool && c->in[WINDOW_REL_H].type == DT_NONE ? 4 : 1;
    int windows_across = (a->w + w->side_x - 1) / w->side_x;
    w->per_block = w->per_block < windows_across ? w->per_block : windows_across;
    w->across = (windows_across + w->per_block - 1) / w->per_block;
    *n_blocks = w->across * ((a->h + w->side_y - 1) / w->side_y);
    w->q_bias = bias, w->k_bias = bias + p->k_row / 3, w->v_bias = bias + 2 * (p->v_row / 3);
    if (c->in[WINDOW_REL_H].type != DT_NONE) {
        w->rel_h = (const float *)c->in[WINDOW_REL_H].data, w->rel_w = (const float *)c->in[WINDOW_REL_W].data;
        w->term_scale = 1 / a->scale;
    }
    p->n_k = w->per_block * w->side_y * w->side_x;
    p->n_q = p->n_k / (w->shrink * w->shrink);
}

/* Blocks of equal numbers of warps, of which four can fill a tile faster than one. */
static int warps_of(int n_q, int rows, int most)
{
    int tiles = (n_q + rows - 1) / rows, blocks = (tiles + most - 1) / most, warps = (tiles + blocks - 1) / blocks;
    return warps < 4 ? 4 : warps;
}
template <int D, int MT, bool POSITIONS> static size_t shared_bytes(const flash_args *p, int warps)
{
    return flash_shared_bytes<D, D, 64, MT>(warps, p->n_k) + (POSITIONS ? flash_term_bytes<MT>(warps, &p->windows) : 0);
}
template <class T, int D, int MT, bool POSITIONS>
static const char *start_rows(flash_args *p, int n_blocks, int most_warps, void *stream)
{
    int warps = warps_of(p->n_q, 16 * MT, most_warps), rows = 16 * MT * warps;
    p->q_tiles = (p->n_q + rows - 1) / rows;
    dim3 grid((unsigned)(n_blocks * p->q_tiles), (unsigned)p->heads, (unsigned)p->n_objects);
    return launch(flash_half<T, D, D, 64, MT, true, POSITIONS>, grid, (unsigned)warps * 32,
                  shared_bytes<D, MT, POSITIONS>(p, warps), stream, *p);
}
/* Warps of 32 queries read keys and values half as often, where two such blocks fit on a multiprocessor. */
template <class T, int D, bool POSITIONS> static const char *start(flash_args *p, int n_blocks, void *stream)
{
    size_t limit = device_shared_limit();
    if (p->n_q >= 128 && 2 * shared_bytes<D, 2, POSITIONS>(p, 4) <= limit)
        return start_rows<T, D, 2, POSITIONS>(p, n_blocks, 4, stream);
    return start_rows<T, D, 1, POSITIONS>(p, n_blocks, shared_bytes<D, 1, POSITIONS>(p, 8) <= limit ? 8 : 4, stream);
}
template <class T> static const char *start_half(flash_args *p, int n_blocks, void *stream)
{
    if (p->windows.rel_h)
        return p->dk <= 64 ? start<T, 64, true>(p, n_blocks, stream) : start<T, 80, true>(p, n_blocks, stream);
    if (p->dk <= 64)
        return start<T, 64, false>(p, n_blocks, stream);
    if (p->dk <= 80)
        return start<T, 80, false>(p, n_blocks, stream);
    if (p->dk <= 96)
        return start<T, 96, false>(p, n_blocks, stream);
    return start<T, 112, false>(p, n_blocks, stream);
}
/* What start_half takes; terms of a very long side fill the shared memory. */
static bool has_half_kernel(const flash_args *p)
{
    const flash_windows *w = &p->windows;
    if (!flash_is_half(p) || !w->rel_h)
        return flash_is_half(p) && p->dk <= 112;
    return p->dk <= 80 && w->side_x % 2 == 0 && shared_bytes<80, 1, true>(p, 4) <= device_shared_limit();
}

static size_t scratch_bytes(const op_call *c)
{
    flash_args p = args_of(c);
    return is_plain_attention(c) ? CUDA_FN(flash_scratch_bytes)(&p) : 0;
}

static const char *run(const op_call *c)
{
    flash_args p = args_of(c);
    int n_blocks;
    if (is_plain_attention(c))
        return CUDA_FN(flash_run)(&p, c->scratch, c->stream);
    set_windows(&p, c, &n_blocks);
    if (p.dk > FLASH_MAX_WIDTH)
        return "heads must be at most 256 wide";
    if (p.n_k > 65536 || p.n_objects > 65535 || p.heads > 65535)
        return "windows have at most 65536 tokens, and there are at most 65535 objects and heads";
    if (!(p.scale > 0))
        return "the scale must be positive";
    if (has_half_kernel(&p)) {
        if (!flash_is_aligned(&p))
            return "qkv and out must begin at multiples of 16 bytes";
        return p.q_type == DT_BF16 ? start_half<bf16>(&p, n_blocks, c->stream)
                                   : start_half<f16>(&p, n_blocks, c->stream);
    }
    size_t shared = plain_shared_bytes(p.dk, p.dv) + plain_term_bytes(&p.windows);
    if (shared > device_shared_limit())
        return "the window's sides are too long for their relative positions on this device";
    p.q_tiles = (p.n_q + PLAIN_ROWS - 1) / PLAIN_ROWS;
    dim3 grid((unsigned)(n_blocks * p.q_tiles), (unsigned)p.heads, (unsigned)p.n_objects);
    return launch(flash_plain<true>, grid, PLAIN_THREADS, shared, c->stream, p);
}

const op_cuda CUDA_FN(window_attention_cuda) = {run, scratch_bytes};
