/* cublaslt_abi.h - the part of cublasLt.h that we call, with the library's values (the same in CUDA 12 and 13;
 * tests/test_library_abi.c compares them with the header where there is one). */
#ifndef CUBLASLT_ABI_H
#define CUBLASLT_ABI_H

#include <stddef.h>
#include <stdint.h>

enum lt_constants {
    LT_SUCCESS = 0,
    LT_R_32F = 0, /* cudaDataType_t */
    LT_R_16F = 2,
    LT_R_16BF = 14,
    LT_COMPUTE_32F = 68, /* cublasComputeType_t: f32 products and sums; no TF32 */
    LT_OP_T = 1,
    LT_LAYOUT_BATCH_COUNT = 5,  /* int32 */
    LT_LAYOUT_BATCH_STRIDE = 6, /* int64, elements */
    LT_DESC_TRANSA = 3,         /* int32 */
    LT_DESC_EPILOGUE = 7,       /* uint32 */
    LT_DESC_BIAS_POINTER = 8,
    LT_EPILOGUE_DEFAULT = 1,
    LT_EPILOGUE_RELU = 2,
    LT_EPILOGUE_BIAS = 4,       /* RELU | BIAS: both */
    LT_PREF_WORKSPACE = 1,      /* uint64 */
    LT_PREF_REDUCTION_MASK = 3, /* uint32 */
    LT_PREF_ALIGNMENT_A = 5,    /* uint32; then B, C, D */
    LT_REDUCTION_NONE = 0
};

typedef struct lt_algorithm {
    uint64_t data[8];
} lt_algorithm;

typedef struct lt_heuristic {
    lt_algorithm algorithm;
    size_t workspace_bytes;
    int state;
    float waves;
    int reserved[4];
} lt_heuristic;

typedef void *lt_layout, *lt_desc, *lt_preference, *lt_handle;

typedef struct lt_functions {
    int (*create)(lt_handle *);
    int (*destroy)(lt_handle);
    size_t (*version)(void);
    int (*layout_create)(lt_layout *, int type, uint64_t rows, uint64_t cols, int64_t ld);
    int (*layout_destroy)(lt_layout);
    int (*layout_set)(lt_layout, int attribute, const void *, size_t);
    int (*desc_create)(lt_desc *, int compute_type, int scale_type);
    int (*desc_destroy)(lt_desc);
    int (*desc_set)(lt_desc, int attribute, const void *, size_t);
    int (*preference_create)(lt_preference *);
    int (*preference_destroy)(lt_preference);
    int (*preference_set)(lt_preference, int attribute, const void *, size_t);
    int (*heuristic)(lt_handle, lt_desc, lt_layout a, lt_layout b, lt_layout c, lt_layout d, lt_preference,
                     int n_wanted, lt_heuristic *, int *n_found);
    int (*matmul)(lt_handle, lt_desc, const void *alpha, const void *a, lt_layout, const void *b, lt_layout,
                  const void *beta, const void *c, lt_layout, void *d, lt_layout, const lt_algorithm *, void *workspace,
                  size_t workspace_bytes, void *stream);
} lt_functions;

#endif
