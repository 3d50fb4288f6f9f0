/* A pretended libcudnn: the entries that kernels/cudnn_conv.c calls, on host memory. Written from what the library promises
 * for channels-last tensors and the type configurations of half and bfloat16; what breaks a condition is refused. */
#include "fake_cudnn.h"

#include "cpu_math.h"

#include <stdio.h>
#include <stdlib.h>

enum { SUCCESS = 0, BAD_PARAM = 2000, NOT_SUPPORTED = 3000 };
enum { HALF = 2, BFLOAT16 = 9, NHWC = 1, IDENTITY = 5, RELU = 1, PRECOMP_GEMM = 1 };

#define EXPORT __attribute__((visibility("default")))

EXPORT fake_dnn_record fake_dnn;

typedef struct handle {
    void *stream;
} handle;
typedef struct tensor4 {
    int type, n, c, h, w;
} tensor4;
typedef struct filter {
    int type, k, c, h, w;
} filter;
typedef struct convolution {
    int pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w, mode, compute, math;
} convolution;
typedef struct activation {
    int mode;
} activation;

static int refuse(const char *why)
{
    fprintf(stderr, "fake cuDNN: %s\n", why);
    return BAD_PARAM;
}

static int make(void *out, size_t bytes, int *count)
{
    void *p = calloc(1, bytes);
    memcpy(out, &p, sizeof p);
    ++*count;
    return SUCCESS;
}
static int destroy(void *p, int *count)
{
    free(p);
    --*count;
    return SUCCESS;
}

EXPORT size_t cudnnGetVersion(void)
{
    return FAKE_DNN_VERSION;
}
EXPORT int cudnnCreate(handle **h)
{
    int status = make(h, sizeof **h, &fake_dnn.n_handles);
    if (fake_dnn.n_handles > fake_dnn.most_handles)
        fake_dnn.most_handles = fake_dnn.n_handles;
    return status;
}
EXPORT int cudnnDestroy(handle *h)
{
    return destroy(h, &fake_dnn.n_handles);
}
EXPORT int cudnnSetStream(handle *h, void *stream)
{
    h->stream = stream;
    return SUCCESS;
}

EXPORT int cudnnCreateTensorDescriptor(tensor4 **t)
{
    return make(t, sizeof **t, &fake_dnn.n_descriptors);
}
EXPORT int cudnnDestroyTensorDescriptor(tensor4 *t)
{
    return destroy(t, &fake_dnn.n_descriptors);
}
EXPORT int cudnnSetTensor4dDescriptor(tensor4 *t, int format, int type, int n, int c, int h, int w)
{
    if (format != NHWC)
        return refuse("only channels last");
    *t = (tensor4){type, n, c, h, w};
    return SUCCESS;
}
EXPORT int cudnnCreateFilterDescriptor(filter **f)
{
    return make(f, sizeof **f, &fake_dnn.n_descriptors);
}
EXPORT int cudnnDestroyFilterDescriptor(filter *f)
{
    return destroy(f, &fake_dnn.n_descriptors);
}
EXPORT int cudnnSetFilter4dDescriptor(filter *f, int type, int format, int k, int c, int h, int w)
{
    if (format != NHWC)
        return refuse("only channels last");
    *f = (filter){type, k, c, h, w};
    return SUCCESS;
}
EXPORT int cudnnCreateConvolutionDescriptor(convolution **c)
{
    return make(c, sizeof **c, &fake_dnn.n_descriptors);
}
EXPORT int cudnnDestroyConvolutionDescriptor(convolution *c)
{
    return destroy(c, &fake_dnn.n_descriptors);
}
EXPORT int cudnnSetConvolution2dDescriptor(convolution *c, int pad_h, int pad_w, int u, int v, int dilation_h,
                                           int dilation_w, int mode, int compute)
{
    *c = (convolution){pad_h, pad_w, u, v, dilation_h, dilation_w, mode, compute, 0};
    return SUCCESS;
}
EXPORT int cudnnSetConvolutionMathType(convolution *c, int math)
{
    c->math = math;
    return SUCCESS;
}
EXPORT int cudnnCreateActivationDescriptor(activation **a)
{
    return make(a, sizeof **a, &fake_dnn.n_descriptors);
}
EXPORT int cudnnDestroyActivationDescriptor(activation *a)
{
    return destroy(a, &fake_dnn.n_descriptors);
}
EXPORT int cudnnSetActivationDescriptor(activation *a, int mode, int nan, double coefficient)
{
    (void)nan;
    (void)coefficient;
    a->mode = mode;
    return SUCCESS;
}

static const char *wrong_convolution(const tensor4 *x, const filter *w, const convolution *c, const tensor4 *y,
                                     int algorithm)
{
    if (algorithm != PRECOMP_GEMM)
        return "an algorithm that is not fused with the identity";
    if ((x->type != HALF && x->type != BFLOAT16) || w->type != x->type || y->type != x->type || c->compute != 0)
        return "types";
    if (c->mode != 1 || c->dilation_h != 1 || c->dilation_w != 1)
        return "mode or dilation";
    if (w->c != x->c || y->c != w->k || y->n != x->n)
        return "channels or batch";
    if (y->h != (x->h + 2 * c->pad_h - w->h) / c->stride_h + 1 ||
        y->w != (x->w + 2 * c->pad_w - w->w) / c->stride_w + 1)
        return "size of the result";
    return NULL;
}

EXPORT int cudnnGetConvolutionForwardWorkspaceSize(handle *h, const tensor4 *x, const filter *w, const convolution *c,
                                                   const tensor4 *y, int algorithm, size_t *bytes)
{
    const char *wrong = wrong_convolution(x, w, c, y, algorithm);
    if (!h || fake_dnn.refuse_workspace)
        return NOT_SUPPORTED;
    *bytes = FAKE_DNN_WORKSPACE;
    return wrong ? refuse(wrong) : SUCCESS;
}

static double element(const void *p, int type, size_t i)
{
    uint16_t h = ((const uint16_t *)p)[i];
    return type == HALF ? f16_to_f32(h) : bf16_to_f32(h);
}

/* The sum over taps and channels for output channel k at (row, col) of image n. */
static double taps(const tensor4 *x, const void *x_data, const filter *w, const void *w_data, const convolution *c,
                   int n, int row, int col, int k)
{
    double sum = 0;
    for (int dy = 0; dy < w->h; dy++)
        for (int dx = 0; dx < w->w; dx++) {
            int in_y = row * c->stride_h - c->pad_h + dy, in_x = col * c->stride_w - c->pad_w + dx;
            if (in_y < 0 || in_x < 0 || in_y >= x->h || in_x >= x->w)
                continue;
            for (int ch = 0; ch < x->c; ch++)
                sum +=
                    element(x_data, x->type,
                            (((size_t)n * (size_t)x->h + (size_t)in_y) * (size_t)x->w + (size_t)in_x) * (size_t)x->c +
                                (size_t)ch) *
                    element(w_data, w->type,
                            (((size_t)k * (size_t)w->h + (size_t)dy) * (size_t)w->w + (size_t)dx) * (size_t)w->c +
                                (size_t)ch);
        }
    return sum;
}

EXPORT int cudnnConvolutionBiasActivationForward(handle *h, const void *alpha1, const tensor4 *x, const void *x_data,
                                                 const filter *w, const void *w_data, const convolution *c,
                                                 int algorithm, void *workspace, size_t bytes, const void *alpha2,
                                                 const tensor4 *z, const void *z_data, const tensor4 *bias,
                                                 const void *bias_data, const activation *a, const tensor4 *y,
                                                 void *y_data)
{
    const char *wrong = wrong_convolution(x, w, c, y, algorithm);
    float one, of_residual;
    memcpy(&one, alpha1, sizeof one);
    memcpy(&of_residual, alpha2, sizeof of_residual);
    if (fake_dnn.refuse_forward)
        return NOT_SUPPORTED;
    if (wrong)
        return refuse(wrong);
    if (memcmp(z, y, sizeof *z) || bias->type != y->type || bias->n * bias->h * bias->w != 1 || bias->c != y->c)
        return refuse("residual or bias");
    if (a->mode != IDENTITY && a->mode != RELU)
        return refuse("activation");
    if (bytes < FAKE_DNN_WORKSPACE || !workspace || (uintptr_t)workspace % 256)
        return refuse("workspace");
    if (((uintptr_t)x_data | (uintptr_t)w_data | (uintptr_t)y_data | (uintptr_t)bias_data) % 16)
        return refuse("alignment");
    memset(workspace, 0xA5, FAKE_DNN_WORKSPACE);
    fake_dnn.n_forwards++;
    fake_dnn.activation = a->mode;
    fake_dnn.of_residual = of_residual;
    fake_dnn.stream = h->stream;
    size_t i = 0;
    for (int n = 0; n < y->n; n++)
        for (int row = 0; row < y->h; row++)
            for (int col = 0; col < y->w; col++)
                for (int k = 0; k < y->c; k++, i++) {
                    double v =
                        one * taps(x, x_data, w, w_data, c, n, row, col, k) + element(bias_data, bias->type, (size_t)k);
                    if (of_residual != 0)
                        v += of_residual * element(z_data, z->type, i);
                    v = a->mode == RELU && v < 0 ? 0 : v;
                    ((uint16_t *)y_data)[i] = y->type == HALF ? f32_to_f16((float)v) : f32_to_bf16((float)v);
                }
    return SUCCESS;
}
