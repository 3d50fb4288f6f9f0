/* fake_cublaslt.h - what the pretended libcublasLt (cublaslt.c here) tells the test about its calls. */
#ifndef FAKE_CUBLASLT_H
#define FAKE_CUBLASLT_H

#include <stddef.h>
#include <stdint.h>

enum { FAKE_LT_VERSION = 130205, FAKE_SPLIT_BYTES = 1 << 20, FAKE_SMALL_BYTES = 4096 };

/* Found by the name "fake_lt". */
typedef struct fake_lt_record {
    /* set by the test */
    int refuse_create, refuse_heuristic, refuse_matmul;
    /* counted */
    int n_handles, n_layouts, n_descs, n_preferences; /* that exist now */
    int n_heuristics, n_matmuls;
    /* the last product */
    int64_t m, n, k, batches, stride_a, stride_b, stride_c, stride_d;
    uint32_t epilogue;
    float beta;
    uint64_t algorithm; /* 0: splits the depth, 1: small workspace, 2: none */
    void *stream;
} fake_lt_record;

#endif
