#include "hash_model.h"

#include "convert.h"

int hash_model_make(const char *path, const char *model, unsigned seed, int unstable, sam_error *err)
{
    random_options opt = {.model = model, .seed = seed, .variant = unstable ? HASH_UNSTABLE : HASH_STABLE};
    return convert_random(&opt, path, NULL, err) == SAM_OK;
}
