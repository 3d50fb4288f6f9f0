/* A safetensors file, and the metadata of a converted model. */
#include "fuzz_file.h"
#include "inspect.h"
#include "safetensors.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    const char *path = fuzz_file("weights.safetensors", bytes, n_bytes);
    sam_model *m;
    st_file f;
    if (st_open(path, &f, NULL) != SAM_OK)
        return 0;
    st_close(&f);
    if (sam_model_open(path, &(sam_model_options){.n_threads = 1}, &m, NULL) == SAM_OK)
        sam_model_close(m);
    return 0;
}
