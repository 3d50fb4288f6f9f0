/* state_dict.h - which dict of a checkpoint holds the weights. */
#ifndef STATE_DICT_H
#define STATE_DICT_H

#include "pickle.h"

#define STATE_DICT_PART 96
/* The dict of tensors in what a checkpoint's pickle made, and where it was: "model", "ema.module", "" for the root itself.
 * It is "model", "state_dict" or "model_state_dict" if there is one, else the dict of most tensors, at most three deep.
 * Two of the same size under other names are an error that names both: which one is wanted is not for us to say. */
sam_status state_dict_find(const char *path, const pickle_value *root, const pickle_value **out,
                           char part[STATE_DICT_PART], sam_error *err);

#endif
