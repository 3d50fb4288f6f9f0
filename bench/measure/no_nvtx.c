/* no_nvtx.c - a build without the CUDA toolkit's nvtx3 headers. */
#include "nvtx.h"

const int nvtx_built = 0;

void nvtx_push(const char *name)
{
    (void)name;
}

void nvtx_pop(void)
{
}
