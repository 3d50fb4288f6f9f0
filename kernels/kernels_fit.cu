/* All kernels are compiled for the same architectures: one that does nothing answers for the rest. Only the runtime knows, so
 * there is nothing here for tests/emu. */
#include "kernels_fit.h"

#ifdef __CUDACC__
static __global__ void __launch_bounds__(32) any_kernel()
{
}

const char *kernels_fit_cuda(void)
{
    cudaFuncAttributes a;
    cudaError_t e = cudaFuncGetAttributes(&a, any_kernel);
    return e == cudaSuccess ? nullptr : cudaGetErrorString(e);
}
#endif
