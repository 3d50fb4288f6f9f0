/* pixel_shuffle on CUDA: y = act(norm(shuffle(x) + plus)): each pixel's four groups of channels become a 2x2 block.
 *   x [n, h*w, 4C], groups ordered (dy, dx) = (0,0) (0,1) (1,0) (1,1)    plus? [n|1, 2h*2w, C]    gain?, bias? [C] f32
 *   ->    y [n, 2h*2w, C]
 *   pixel_shuffle_runs: grid ceil(n*4*h*w*lanes / 256);   block 256;   a thread takes a run of 8 columns
 *   With a norm a pixel belongs to `lanes` neighbouring lanes (a power of two), each with a run of 8 columns: C is at most
 *   256. traffic: each operand once. The decoder's first enlargement (64x64, C = 64): 6 MB in bf16. */
#include "elements.cuh"
#include "operands.h"

struct shuffling {
    const void *x, *plus;
    const float *gain, *bias;
    void *y;
    dtype x_type, plus_type, y_type;
    size_t n_rows, x_lines, plus_rows; /* rows of y, all objects; x and plus repeat after so many lines of y, rows */
    int n_cols, w, lanes;              /* of y; w of x */
    float eps;
    act kind;
};

__global__ void __launch_bounds__(256) pixel_shuffle_runs(shuffling p)
{
    size_t item = (size_t)blockIdx.x * 256 + threadIdx.x, row = item / (unsigned)p.lanes;
    int col = (int)(item % (unsigned)p.lanes) * RUN;
    int n = row < p.n_rows ? max(0, min(RUN, p.n_cols - col)) : 0;
    /* Lines of all objects follow each other, in x as in y. */
    size_t line = row / (size_t)(2 * p.w) % p.x_lines, x = row % (size_t)(2 * p.w);
    size_t pixel = line / 2 * (size_t)p.w + x / 2, group = line % 2 * 2 + x % 2;
    float v[RUN], other[RUN];
    load_run(v, p.x, p.x_type, (pixel * 4 + group) * (size_t)p.n_cols + (size_t)col, n);
    if (p.plus) {
        load_run(other, p.plus, p.plus_type, row % p.plus_rows * (size_t)p.n_cols + (size_t)col, n);
        UNROLL
        for (int k = 0; k < RUN; k++)
            v[k] += other[k];
    }
    if (p.gain) { /* the same for all threads: every lane takes part in the sums */
        float sum = 0, squares = 0;
        UNROLL
        for (int k = 0; k < RUN; k++)
            sum += v[k];
        float mean = group_sum(sum, p.lanes) / (float)p.n_cols;
        UNROLL
        for (int k = 0; k < RUN; k++)
            squares += k < n ? (v[k] - mean) * (v[k] - mean) : 0.0f;
        float inverse = 1.0f / sqrtf(group_sum(squares, p.lanes) / (float)p.n_cols + p.eps);
        load_run(other, p.gain, DT_F32, (size_t)col, n);
        UNROLL
        for (int k = 0; k < RUN; k++)
            v[k] = (v[k] - mean) * inverse * other[k];
        load_run(other, p.bias, DT_F32, (size_t)col, n);
        UNROLL
        for (int k = 0; k < RUN; k++)
            v[k] += other[k];
    }
    activate_run(p.kind, v, p.y_type);
    if (n)
        store_run(p.y, p.y_type, row * (size_t)p.n_cols + (size_t)col, v, n);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[SHUFFLE_X], *plus = &c->in[SHUFFLE_PLUS], *gain = &c->in[SHUFFLE_GAIN],
                 *y = &c->out[RESULT];
    int runs = (y->cols + RUN - 1) / RUN, lanes = runs;
    if (gain->type)
        for (lanes = 1; lanes < runs;)
            lanes *= 2;
    if (gain->type && lanes > 32)
        return "a norm is over at most 256 columns";
    shuffling p = {x->data,
                   plus->type ? plus->data : nullptr,
                   gain->type ? (const float *)gain->data : nullptr,
                   (const float *)c->in[SHUFFLE_BIAS].data,
                   y->data,
                   x->type,
                   plus->type,
                   y->type,
                   (size_t)y->n * (size_t)y->rows,
                   (size_t)x->n * (size_t)(2 * c->attr->h),
                   (size_t)plus->n * (size_t)plus->rows,
                   y->cols,
                   c->attr->w,
                   lanes,
                   c->attr->eps,
                   c->attr->act};
    size_t blocks = (p.n_rows * (size_t)lanes + 255) / 256;
    if (blocks > 0x7FFFFFFFu)
        return "too many pixels for one kernel";
    return launch(pixel_shuffle_runs, (unsigned)blocks, 256, 0, c->stream, p);
}

const op_cuda CUDA_FN(pixel_shuffle_cuda) = {run};
