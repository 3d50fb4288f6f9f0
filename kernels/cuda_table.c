/* The CUDA operators. cuda_ops.def is written by CMake: the operators whose <op>_cuda.cu exists. */
#include "op.h"

static const op_cuda *const table[OP_COUNT] = {
#define OP(name) [OP_##name] = &CUDA_FN(name##_cuda),
#include "cuda_ops.def"
#undef OP
};

const op_cuda *const *CUDA_FN(op_cuda_select)(void)
{
    return table;
}
