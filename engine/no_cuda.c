/* A build without the CUDA backend. */
#include "backend.h"

const backend_api *backend_cuda(void)
{
    return NULL;
}
