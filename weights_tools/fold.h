/* fold.h - RepViT without BatchNorm and with its parallel branches merged. */
#ifndef FOLD_H
#define FOLD_H

#include "tensor_set.h"

/* From the official tensors of a model to those of a converted file. What is not folded is borrowed from `in`. */
sam_status fold(const tensor_set *in, tensor_set *out, sam_error *err);

#endif
