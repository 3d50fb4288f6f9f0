/* mask_upscale on the CPU: line by line; down first (at the low width), then across. */
#include "cpu_rows.h"
#include "operands.h"

#include <omp.h>

/* Source position of output pixel i of factor k, (i + 0.5) / k - 0.5 = (2i + 1 - k) / 2k, in integers so that large
 * positions lose nothing: the pixel before it (-1: the repeated edge) and the weight of the one after. */
static float place(size_t i, size_t k, long *first)
{
    long numerator = 2 * (long)i + 1 - (long)k, denominator = 2 * (long)k;
    *first = numerator < 0 ? -1 : numerator / denominator;
    return (float)(numerator - *first * denominator) / (float)denominator;
}

/* A source line with its edges repeated, and an output line. */
static size_t line_floats(const op_call *c)
{
    size_t w = (size_t)c->attr->w;
    return (w + 2 + w * (size_t)c->attr->kernel + 15) / 16 * 16;
}
static size_t scratch_bytes(const op_call *c)
{
    return (size_t)c->n_threads * line_floats(c) * sizeof(float);
}

/* to[k*x + p], where padded[x + 1] is source pixel x. */
static void stretch(float *to, const float *padded, size_t w, size_t k)
{
    for (size_t p = 0; p < k; p++) {
        long first;
        float weight = place(p, k, &first);
        const float *left = padded + 1 + first, *right = left + 1;
        for (size_t x = 0; x < w; x++)
            to[k * x + p] = (1.0f - weight) * left[x] + weight * right[x];
    }
}

static void run(const op_call *c)
{
    const tensor *logits = &c->in[UPSCALE_LOGITS], *y = &c->out[RESULT];
    size_t h = (size_t)c->attr->h, w = (size_t)c->attr->w, k = (size_t)c->attr->kernel, wide = w * k;
    float scale = c->attr->scale, bias = c->attr->bias;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(y))) schedule(static)
    for (size_t line = 0; line < (size_t)y->n * h * k; line++) {
        int object = (int)(line / (h * k));
        size_t iy = line % (h * k);
        float *padded = (float *)c->scratch + (size_t)omp_get_thread_num() * line_floats(c), *out = padded + w + 2;
        long first;
        float weight = place(iy, k, &first);
        const float *above = element_at(logits, object, (first < 0 ? 0 : (size_t)first) * w);
        const float *below = element_at(logits, object, ((size_t)(first + 1) < h ? (size_t)(first + 1) : h - 1) * w);
        for (size_t x = 0; x < w; x++)
            padded[x + 1] = (1.0f - weight) * above[x] + weight * below[x];
        padded[0] = padded[1];
        padded[w + 1] = padded[w];
        stretch(out, padded, w, k);
        if (*(const int32_t *)tensor_at(&c->in[UPSCALE_BINARISE], object))
            for (size_t x = 0; x < wide; x++)
                out[x] = out[x] > 0.0f ? 1.0f : 0.0f;
        else
            act_row(ACT_SIGMOID, out, wide);
        for (size_t x = 0; x < wide; x++)
            out[x] = out[x] * scale + bias;
        store_row(element_at(y, object, iy * wide), out, y->type, wide);
    }
}

const op_cpu CPU_FN(mask_upscale_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
