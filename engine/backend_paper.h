/* backend_paper.h - a CUDA backend on paper: what a model and its sessions would take on a device that is not here.
 *
 * Models open on it and sessions are planned on it, with the kernels' own rules for scratch and packed
 * weights; nothing runs and no memory is taken. Kernels choose tiles and splits for the device named to device_describe
 * (kernels/described_device.h). In a build without CUDA the kernels' own scratch and packed weights are unknown and count 0. */
#ifndef BACKEND_PAPER_H
#define BACKEND_PAPER_H

#include "backend.h"

extern const backend_api backend_paper;

/* sam_model_open on it. */
sam_status paper_model_open(const char *path, const sam_model_options *opt, sam_model **out, sam_error *err);

#endif
