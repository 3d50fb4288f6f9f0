/* fake_cudnn.h - what the pretended libcudnn (cudnn.c here) tells the test about its calls. */
#ifndef FAKE_CUDNN_H
#define FAKE_CUDNN_H

#include <stddef.h>

enum { FAKE_DNN_VERSION = 91203, FAKE_DNN_WORKSPACE = 8192 };

/* Found by the name "fake_dnn". */
typedef struct fake_dnn_record {
    /* set by the test */
    int refuse_workspace, refuse_forward;
    /* counted */
    int n_handles, n_descriptors; /* that exist now */
    int most_handles;             /* at once */
    int n_forwards;
    /* the last convolution */
    int activation;
    float of_residual;
    void *stream;
} fake_dnn_record;

#endif
