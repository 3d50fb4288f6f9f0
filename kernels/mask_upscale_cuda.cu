/* mask_upscale on CUDA: low-resolution logits as the mask input of the memory encoder.
 *   logits [n|1, h*w] f32    binarise [n|1] i32    ->    y [n, kh*kw]
 *   v = logits enlarged k times, bilinear, down first and then across;  y = (binarise ? v > 0 : sigmoid(v)) * scale + bias
 *   grid  ceil(n*kh*ceil(kw/8) / 256);   block 256;   a thread takes 8 pixels of a line
 *   traffic: y once, logits from L2 */
#include "elements.cuh"
#include "operands.h"

struct upscaling {
    const float *logits;
    const int32_t *binarise;
    void *y;
    dtype y_type;
    size_t n_lines; /* of y, all objects */
    int h, w, k;
    bool logits_shared, binarise_shared;
    float scale, bias;
};

/* Source position of pixel i, (i + 0.5) / k - 0.5, in integers: the pixel before it and the weight of the one after. */
static __device__ __forceinline__ float place_in_source(int i, int k, int *first)
{
    int numerator = 2 * i + 1 - k, denominator = 2 * k;
    *first = numerator < 0 ? -1 : numerator / denominator;
    return (float)(numerator - *first * denominator) / (float)denominator;
}

__global__ void __launch_bounds__(256) upscale_runs(upscaling p)
{
    place at;
    if (!take_run(p.n_lines, p.w * p.k, &at))
        return;
    size_t lines = (size_t)(p.h * p.k), object = at.row / lines;
    const float *logits = p.logits + (p.logits_shared ? 0 : object) * (size_t)(p.h * p.w);
    bool binarise = p.binarise[p.binarise_shared ? 0 : object] != 0;
    int row, col;
    float down = place_in_source((int)(at.row % lines), p.k, &row), v[RUN];
    const float *above = logits + max(row, 0) * p.w, *below = logits + min(row + 1, p.h - 1) * p.w;
    UNROLL
    for (int i = 0; i < RUN; i++) {
        if (i >= at.n)
            continue;
        float across = place_in_source(at.col + i, p.k, &col);
        int left = max(col, 0), right = min(col + 1, p.w - 1);
        float a = (1.0f - down) * above[left] + down * below[left];
        float b = (1.0f - down) * above[right] + down * below[right];
        float value = (1.0f - across) * a + across * b;
        v[i] = (binarise ? (value > 0.0f ? 1.0f : 0.0f) : activated(ACT_SIGMOID, value)) * p.scale + p.bias;
    }
    store_run(p.y, p.y_type, at.row * (size_t)(p.w * p.k) + (size_t)at.col, v, at.n);
}

static const char *run(const op_call *c)
{
    const tensor *logits = &c->in[UPSCALE_LOGITS], *binarise = &c->in[UPSCALE_BINARISE], *y = &c->out[RESULT];
    const op_attr *a = c->attr;
    upscaling p = {(const float *)logits->data,
                   (const int32_t *)binarise->data,
                   y->data,
                   y->type,
                   (size_t)y->n * (size_t)(a->h * a->kernel),
                   a->h,
                   a->w,
                   a->kernel,
                   logits->n == 1,
                   binarise->n == 1,
                   a->scale,
                   a->bias};
    return launch_runs(upscale_runs, p.n_lines, p.w * p.k, c->stream, p);
}

const op_cuda CUDA_FN(mask_upscale_cuda) = {run};
