/* torch_file.h - the state dict of a torch.save file: a bare dict, {"model": dict} (Meta, Ultralytics), or what
 * state_dict.h finds. */
#ifndef TORCH_FILE_H
#define TORCH_FILE_H

#include "tensor_set.h"

/* Adds the file's tensors, in its order, to `out` (not indexed yet). Their data points into `bytes`, which must
 * outlive `out`, or into memory of `out` where it had to be inflated or made contiguous. */
sam_status torch_read(const char *path, const uint8_t *bytes, size_t n_bytes, tensor_set *out, sam_error *err);

/* The same of a file that torch before 1.6 wrote, or torch.save(.., _use_new_zipfile_serialization=False). */
int torch_recognise_old(const uint8_t *bytes, size_t n_bytes);
sam_status torch_read_old(const char *path, const uint8_t *bytes, size_t n_bytes, tensor_set *out, sam_error *err);

#endif
