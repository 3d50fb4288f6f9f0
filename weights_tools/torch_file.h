/* torch_file.h - the state dict of a torch.save file: a bare dict, {"model": dict} (Meta, Ultralytics) or
 * {"state_dict": dict}. */
#ifndef TORCH_FILE_H
#define TORCH_FILE_H

#include "tensor_set.h"

/* Adds the file's tensors, in its order, to `out` (not indexed yet). Their data points into `bytes`, which must
 * outlive `out`, or into memory of `out` where it had to be inflated or made contiguous. */
sam_status torch_read(const char *path, const uint8_t *bytes, size_t n_bytes, tensor_set *out, sam_error *err);

#endif
