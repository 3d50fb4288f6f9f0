/* flash_cuda.h - attention over rows that lie anywhere at constant strides; attention_cuda.cu. Internal to kernels/. */
#ifndef FLASH_CUDA_H
#define FLASH_CUDA_H

#include "flash.cuh"

/* All of p but q_tiles, n_splits and partial, which are chosen here; no windows. `scratch` holds flash_scratch_bytes(p)
 * bytes, or what it was for more objects. */
const char *CUDA_FN(flash_run)(const flash_args *p, void *scratch, void *stream);
size_t CUDA_FN(flash_scratch_bytes)(const flash_args *p);

/* flash_half takes it: all operands of one 16-bit type, widths and strides whole 16-byte chunks. */
static inline bool flash_is_half(const flash_args *p)
{
    size_t strides = p->q_object | p->k_object | p->v_object;
    int rows = p->q_row | p->k_row | p->v_row | p->dk | p->dv;
    return p->q_type == p->k_type && p->k_type == p->v_type && p->q_type != DT_F32 && strides % 8 == 0 && rows % 8 == 0;
}
/* Addresses are only known when it runs; those of the engine are multiples of 64. */
static inline bool flash_is_aligned(const flash_args *p)
{
    return ((uintptr_t)p->q | (uintptr_t)p->k | (uintptr_t)p->v | (uintptr_t)p->out) % 16 == 0;
}

#endif
