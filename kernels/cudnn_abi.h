/* cudnn_abi.h - the part of cudnn.h (version 9) that we call, with the library's values; tests/test_library_abi.c compares
 * them with the header where there is one. */
#ifndef CUDNN_ABI_H
#define CUDNN_ABI_H

#include <stddef.h>

enum dnn_constants {
    DNN_SUCCESS = 0,
    DNN_HALF = 2, /* cudnnDataType_t */
    DNN_BFLOAT16 = 9,
    DNN_FLOAT = 0,
    DNN_NHWC = 1,              /* of filters: [out, kernel, kernel, in] */
    DNN_CROSS_CORRELATION = 1, /* what networks call a convolution */
    DNN_TENSOR_OP_MATH = 1,
    DNN_IDENTITY = 5,
    DNN_RELU = 1,
    DNN_PROPAGATE_NAN = 1,
    DNN_IMPLICIT_PRECOMP_GEMM = 1
};

typedef void *dnn_handle, *dnn_tensor, *dnn_filter, *dnn_convolution, *dnn_activation;

typedef struct dnn_functions {
    size_t (*version)(void);
    int (*create)(dnn_handle *);
    int (*destroy)(dnn_handle);
    int (*set_stream)(dnn_handle, void *stream);
    int (*tensor_create)(dnn_tensor *);
    int (*tensor_destroy)(dnn_tensor);
    int (*tensor_set)(dnn_tensor, int format, int type, int n, int c, int h, int w);
    int (*filter_create)(dnn_filter *);
    int (*filter_destroy)(dnn_filter);
    int (*filter_set)(dnn_filter, int type, int format, int k, int c, int h, int w);
    int (*convolution_create)(dnn_convolution *);
    int (*convolution_destroy)(dnn_convolution);
    int (*convolution_set)(dnn_convolution, int pad_h, int pad_w, int stride_h, int stride_w, int dilation_h,
                           int dilation_w, int mode, int compute_type);
    int (*convolution_math)(dnn_convolution, int math_type);
    int (*activation_create)(dnn_activation *);
    int (*activation_destroy)(dnn_activation);
    int (*activation_set)(dnn_activation, int mode, int nan, double coefficient);
    int (*workspace)(dnn_handle, dnn_tensor x, dnn_filter, dnn_convolution, dnn_tensor y, int algorithm, size_t *bytes);
    int (*forward)(dnn_handle, const void *alpha1, dnn_tensor, const void *x, dnn_filter, const void *w,
                   dnn_convolution, int algorithm, void *workspace, size_t workspace_bytes, const void *alpha2,
                   dnn_tensor, const void *z, dnn_tensor, const void *bias, dnn_activation, dnn_tensor, void *y);
} dnn_functions;

#endif
