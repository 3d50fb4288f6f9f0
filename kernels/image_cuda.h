/* image_cuda.h - pictures on the device: what backend_api's preprocess and render need. Plain C.
 *
 * Everything is enqueued on `stream` (a cudaStream_t) and works on device memory; nothing is allocated and nothing
 * waits. Results are those of resample.h, components.h and resolve_overlap.h bit for bit, where floats are resampled those
 * of their code with fused multiply-adds (all but "baseline"). Functions return NULL, or what is wrong. */
#ifndef IMAGE_CUDA_H
#define IMAGE_CUDA_H

#include "op.h"
#include "packed_mask.h"
#include "resample_rows.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Weights of a direction made by resample_axis_open, as one block of memory: fill it on the host, copy it to the device,
 * and describe the copy by image_axis_at. */
static inline void image_axis_fill(const resample_axis *a, void *block)
{
    size_t n = (size_t)a->n_out;
    memcpy(block, a->start, n * 4);
    memcpy((char *)block + n * 4, a->count, n * 4);
    memcpy((char *)block + n * 8, a->fixed ? (const void *)a->fixed : (const void *)a->weight, n * (size_t)a->taps * 4);
}
static inline resample_axis image_axis_at(const resample_axis *a, const void *device_block)
{
    resample_axis at = *a;
    at.start = (int *)device_block;
    at.count = at.start + a->n_out;
    at.fixed = a->fixed ? (int32_t *)(at.count + a->n_out) : NULL;
    at.weight = a->weight ? (float *)(at.count + a->n_out) : NULL;
    return at;
}

/* resample_down_first, of the axes. */
static inline int image_down_first(const resample_axis *across, const resample_axis *down)
{
    return resample_down_first(across->fixed != NULL, across->n_in, down->n_in, across->n_out, down->n_out);
}

/* A frame in one of two forms. */
typedef struct frame_pixels {
    const uint8_t *rgb; /* [in_h, in_w, 3] u8, or NULL */
    size_t row_bytes;
    nv12_image nv12; /* where rgb is NULL; uv and uv_row_bytes are even */
} frame_pixels;

/* -> out [out_h, out_w, 3] f32, (x/255 - mean)/std: resample_rgb_normalised or resample_nv12_normalised, of Pillow's kinds
 * or RESAMPLE_RGB_ANTIALIAS by the axes' weights. Rows of `out` are out_row_px pixels apart; what is between them stays. mid:
 * preprocess_cuda_bytes. */
const char *CUDA_FN(preprocess_cuda)(const resample_axis *across, const resample_axis *down, const frame_pixels *from,
                                     void *mid, float *out, int out_row_px, void *stream);
static inline size_t preprocess_cuda_bytes(const resample_axis *across, const resample_axis *down)
{
    if (image_down_first(across, down))
        return (size_t)down->n_out * (size_t)across->n_in * 3;
    return (size_t)down->n_in * (size_t)across->n_out * 3 * (across->fixed ? 1 : 4);
}

/* planes [n, in_h, in_w] f32 -> n masks of out_w x out_h, one after the other, with their boxes and areas: resample_mask of
 * RESAMPLE_BILINEAR or resample_open_cut; with no_overlap a pixel is only in the mask of the plane that has the highest: resolve_overlap of the
 * resampled planes, which never exist. levels (host memory; with overlap only): resample_screen; NULL: cut at 0, nothing
 * counted. */
const char *CUDA_FN(render_masks_cuda)(const resample_axis *across, const resample_axis *down, const float *planes,
                                       int n, int no_overlap, const mask_levels *levels, packed_mask *masks,
                                       void *stream);

enum { CLEAN_PLANES = 128 }; /* of one launch; more are cleaned one batch after the other, in the same scratch */
/* clean_logits of n planes [h, w] (host array of device addresses) -> out [n, h, w]; areas of 0 only gather them. scratch:
 * components_cuda_bytes. */
const char *CUDA_FN(clean_logits_cuda)(const float *const *logits, int n, int h, int w, int max_hole_area,
                                       float hole_value, int max_speck_area, float speck_value, float *out,
                                       void *scratch, void *stream);
/* components_label of mask [h, w] u8 -> labels [h, w] i32; *n_components is in device memory. */
const char *CUDA_FN(components_label_cuda)(const uint8_t *mask, int h, int w, int32_t *labels, int32_t *n_components,
                                           void *scratch, void *stream);
static inline size_t components_cuda_bytes(int n, int h, int w)
{
    return (size_t)(n < CLEAN_PLANES ? n : CLEAN_PLANES) * (size_t)h * (size_t)w * 8;
}

#ifdef __cplusplus
}
#endif

#endif
