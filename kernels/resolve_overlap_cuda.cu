/* Masks that do not overlap, on CUDA; see image_cuda.h and resolve_overlap.h.
 *   grid a thread per pixel, block 256;  traffic every logit and every mask once: 5 bytes a pixel and object.
 * render_masks_cuda does the same without the logits at the size of the frame. */
#include "device.cuh"
#include "image_cuda.h"

typedef struct overlap {
    const float *logits[IMAGE_MAX_PLANES];
    uint8_t *masks[IMAGE_MAX_PLANES];
    int k;
    size_t n_px;
} overlap;

__global__ void __launch_bounds__(256) resolve_pixels(overlap p)
{
    size_t i = (size_t)blockIdx.x * 256 + threadIdx.x;
    if (i >= p.n_px)
        return;
    float best = p.logits[0][i];
    int winner = 0;
    for (int o = 1; o < p.k; o++) {
        float v = p.logits[o][i];
        if (v > best || (v != v && best == best)) /* a NaN beats all, as in torch.argmax */
            best = v, winner = o;
    }
    for (int o = 0; o < p.k; o++)
        p.masks[o][i] = o == winner && best > 0;
}

const char *CUDA_FN(resolve_overlap_cuda)(const float *const *logits, uint8_t *const *masks, int k, size_t n_px,
                                          void *stream)
{
    if (k < 1 || k > IMAGE_MAX_PLANES || n_px < 1)
        return "resolve_overlap: 1 to 128 objects";
    overlap p = {};
    for (int o = 0; o < k; o++) {
        p.logits[o] = logits[o];
        p.masks[o] = masks[o];
    }
    p.k = k, p.n_px = n_px;
    return launch(resolve_pixels, (unsigned)((n_px + 255) / 256), 256, 0, stream, p);
}
