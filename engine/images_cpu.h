/* images_cpu.h - pictures on the CPU backend; see backend.h for what each function promises. */
#ifndef IMAGES_CPU_H
#define IMAGES_CPU_H

#include "backend.h"

sam_status images_open_cpu(backend *b, const image_sizes *z, images **out, sam_error *err);
void images_close_cpu(backend *b, images *im);
size_t images_bytes_cpu(const backend *b, const image_sizes *z);
void stage_cpu(images *im, int place, const sam_frame *f);
const char *preprocess_cpu(images *im, void *stream, int place, float *input);
const char *round_input_cpu(images *im, void *stream, int place, const float *input, uint16_t *host_half);
const char *render_cpu(images *im, void *stream, const float *const *logits, int n, packed_mask *const *to_host);
const char *screen_cpu(images *im, void *stream, const float *const *logits, int n, const mask_levels *levels,
                       packed_mask *const *to_host);
const char *bring_cpu(images *im, void *stream, const int *picks, int n, packed_mask *const *to_host);

#endif
