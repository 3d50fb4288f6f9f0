/* wrapped_names.h - tensor names as a model has them, from those of a model inside wrappers. */
#ifndef WRAPPED_NAMES_H
#define WRAPPED_NAMES_H

#include "tensor_set.h"

/* Takes wrappers out of the names of a file, before tensor_set_index:
 *   components that torch's own wrappers add, anywhere: module (DataParallel, averaged models), _orig_mod (torch.compile),
 *     _fsdp_wrapped_module, _checkpoint_wrapped_module;
 *   then what all names begin with, up to a point (Lightning's "model."): kept in s->prefix, for messages.
 * The counter n_averaged of torch.optim.swa_utils is no weight and goes. Two names that become the same are found by
 * tensor_set_index. */
sam_status names_unwrap(const char *path, tensor_set *s, sam_error *err);

#endif
