/* images_device.h - pictures in a device's memory, through the launchers of kernels/image_cuda.h. The CUDA backend and
 * the emulated one of the tests share it; see backend.h for what each function promises. */
#ifndef IMAGES_DEVICE_H
#define IMAGES_DEVICE_H

#include "backend.h"
#include "image_cuda.h"

typedef struct image_launchers {
    const char *(*preprocess)(const resample_axis *across, const resample_axis *down, const frame_pixels *from,
                              void *mid, float *out, int out_row_px, void *stream);
    const char *(*clean_logits)(const float *const *logits, int n, int h, int w, int max_hole_area, float hole_value,
                                int max_speck_area, float speck_value, float *out, void *scratch, void *stream);
    const char *(*render_masks)(const resample_axis *across, const resample_axis *down, const float *planes, int n,
                                int no_overlap, const mask_levels *levels, packed_mask *masks, void *stream);
    void *(*raw_stream)(void *stream); /* what launchers take, of a backend's stream */
} image_launchers;

sam_status images_open_device(backend *b, const image_launchers *launch, const image_sizes *z, images **out,
                              sam_error *err);
void images_close_device(backend *b, images *im);
size_t images_bytes_device(const backend *b, const image_sizes *z);
void stage_device(images *im, int place, const sam_frame *f);
const char *preprocess_device(images *im, void *stream, int place, float *input);
const char *round_input_device(images *im, void *stream, int place, const float *input, uint16_t *host_half);
const char *render_device(images *im, void *stream, const float *const *logits, int n, packed_mask *const *to_host);
const char *screen_device(images *im, void *stream, const float *const *logits, int n, const mask_levels *levels,
                          packed_mask *const *to_host);
const char *bring_device(images *im, void *stream, const int *picks, int n, packed_mask *const *to_host);

#endif
