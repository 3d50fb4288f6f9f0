/* images_cpu.h - pictures on the CPU backend; see backend.h for what each function promises. */
#ifndef IMAGES_CPU_H
#define IMAGES_CPU_H

#include "backend.h"

sam_status images_open_cpu(backend *b, const image_sizes *z, images **out, sam_error *err);
void images_close_cpu(backend *b, images *im);
size_t images_bytes_cpu(const backend *b, const image_sizes *z);
void stage_cpu(images *im, int place, const uint8_t *host_rgb, size_t row_bytes);
const char *preprocess_cpu(images *im, void *stream, int place, float *input);
const char *render_cpu(images *im, void *stream, const float *const *logits, int n, packed_mask *const *to_host);

/* Hole filling and speck removal as sam2_video_predictor.py does it, in place on one plane [side, side]. */
void clean_plane(float *logits, int side, int max_hole_area, int max_speck_area, void *scratch);

#endif
