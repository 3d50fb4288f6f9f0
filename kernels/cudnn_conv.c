#include "cudnn_conv.h"

#include "cudnn_abi.h"
#include "shared_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* A handle takes device memory and many milliseconds, and serves one thread at a time, as a stream does. So all convolutions
 * of a stream share one. */
typedef struct stream_handle {
    dnn_handle handle;
    const void *stream;
    int n_users;
    struct stream_handle *next;
} stream_handle;

struct cudnn {
    void *library;
    dnn_functions call;
    char version[24];
    pthread_mutex_t lock; /* of what follows: sessions open in any thread */
    stream_handle *handles;
    dnn_handle asked; /* runs nothing; made for the first question */
};

struct dnn_bound {
    cudnn *d;
    stream_handle *shared;
    dnn_tensor x, y, bias;
    dnn_filter w;
    dnn_convolution convolution;
    dnn_activation activation;
    int has_residual;
};

cudnn *cudnn_open(const char *file, char *why, size_t n_why)
{
    static const char *const usual[] = {"libcudnn.so.9", NULL};
    const char *const given[] = {file, NULL};
    cudnn *d = calloc(1, sizeof *d);
    if (!d) {
        snprintf(why, n_why, "no memory");
        return NULL;
    }
    dnn_functions *f = &d->call;
    const library_symbol symbols[] = {
        {"cudnnGetVersion", &f->version},
        {"cudnnCreate", &f->create},
        {"cudnnDestroy", &f->destroy},
        {"cudnnSetStream", &f->set_stream},
        {"cudnnCreateTensorDescriptor", &f->tensor_create},
        {"cudnnDestroyTensorDescriptor", &f->tensor_destroy},
        {"cudnnSetTensor4dDescriptor", &f->tensor_set},
        {"cudnnCreateFilterDescriptor", &f->filter_create},
        {"cudnnDestroyFilterDescriptor", &f->filter_destroy},
        {"cudnnSetFilter4dDescriptor", &f->filter_set},
        {"cudnnCreateConvolutionDescriptor", &f->convolution_create},
        {"cudnnDestroyConvolutionDescriptor", &f->convolution_destroy},
        {"cudnnSetConvolution2dDescriptor", &f->convolution_set},
        {"cudnnSetConvolutionMathType", &f->convolution_math},
        {"cudnnCreateActivationDescriptor", &f->activation_create},
        {"cudnnDestroyActivationDescriptor", &f->activation_destroy},
        {"cudnnSetActivationDescriptor", &f->activation_set},
        {"cudnnGetConvolutionForwardWorkspaceSize", &f->workspace},
        {"cudnnConvolutionBiasActivationForward", &f->forward},
    };
    d->library = shared_library_open(file ? given : usual, symbols, sizeof symbols / sizeof *symbols, why, n_why);
    if (!d->library) {
        free(d);
        return NULL;
    }
    pthread_mutex_init(&d->lock, NULL);
    size_t v = f->version();
    snprintf(d->version, sizeof d->version, "%zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
    return d;
}

void cudnn_close(cudnn *d)
{
    if (!d)
        return;
    if (d->asked)
        d->call.destroy(d->asked);
    dlclose(d->library);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

const char *cudnn_version(const cudnn *d)
{
    return d->version;
}

/* The stream's handle, made for its first user. NULL: the library refuses. */
static stream_handle *take_handle(cudnn *d, void *stream)
{
    pthread_mutex_lock(&d->lock);
    stream_handle *h = d->handles;
    while (h && h->stream != stream)
        h = h->next;
    if (!h && (h = calloc(1, sizeof *h))) {
        if (d->call.create(&h->handle) == DNN_SUCCESS && d->call.set_stream(h->handle, stream) == DNN_SUCCESS) {
            h->stream = stream;
            h->next = d->handles;
            d->handles = h;
        } else {
            if (h->handle)
                d->call.destroy(h->handle);
            free(h);
            h = NULL;
        }
    }
    if (h)
        h->n_users++;
    pthread_mutex_unlock(&d->lock);
    return h;
}
static void leave_handle(cudnn *d, stream_handle *h)
{
    pthread_mutex_lock(&d->lock);
    if (--h->n_users == 0) {
        stream_handle **at = &d->handles;
        while (*at != h)
            at = &(*at)->next;
        *at = h->next;
        d->call.destroy(h->handle);
        free(h);
    }
    pthread_mutex_unlock(&d->lock);
}

static int create(dnn_bound *b)
{
    const dnn_functions *f = &b->d->call;
    return f->tensor_create(&b->x) == DNN_SUCCESS && f->tensor_create(&b->y) == DNN_SUCCESS &&
           f->tensor_create(&b->bias) == DNN_SUCCESS && f->filter_create(&b->w) == DNN_SUCCESS &&
           f->convolution_create(&b->convolution) == DNN_SUCCESS && f->activation_create(&b->activation) == DNN_SUCCESS;
}

/* The library names sizes in the order n, c, h, w whatever the layout. */
static int describe(const dnn_bound *b, const dnn_conv *p)
{
    const dnn_functions *f = &b->d->call;
    int type = p->type == DT_F16 ? DNN_HALF : DNN_BFLOAT16;
    return f->tensor_set(b->x, DNN_NHWC, type, p->n, p->in, p->h, p->w) == DNN_SUCCESS &&
           f->tensor_set(b->y, DNN_NHWC, type, p->n, p->out, p->out_h, p->out_w) == DNN_SUCCESS &&
           f->tensor_set(b->bias, DNN_NHWC, type, 1, p->out, 1, 1) == DNN_SUCCESS &&
           f->filter_set(b->w, type, DNN_NHWC, p->out, p->in, p->kernel, p->kernel) == DNN_SUCCESS &&
           f->convolution_set(b->convolution, p->pad, p->pad, p->stride, p->stride, 1, 1, DNN_CROSS_CORRELATION,
                              DNN_FLOAT) == DNN_SUCCESS &&
           f->convolution_math(b->convolution, DNN_TENSOR_OP_MATH) == DNN_SUCCESS &&
           f->activation_set(b->activation, p->relu ? DNN_RELU : DNN_IDENTITY, DNN_PROPAGATE_NAN, 0) == DNN_SUCCESS;
}

/* Without a handle. */
static dnn_bound *described(cudnn *d, const dnn_conv *p)
{
    dnn_bound *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->d = d;
    b->has_residual = p->residual;
    if (create(b) && describe(b, p))
        return b;
    cudnn_unbind(b);
    return NULL;
}

dnn_bound *cudnn_bind(cudnn *d, const dnn_conv *p, void *stream)
{
    dnn_bound *b = described(d, p);
    if (!b || (b->shared = take_handle(d, stream)))
        return b;
    cudnn_unbind(b);
    return NULL;
}

void cudnn_unbind(dnn_bound *b)
{
    if (!b)
        return;
    const dnn_functions *f = &b->d->call;
    const dnn_tensor tensors[] = {b->x, b->y, b->bias};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if (tensors[i])
            f->tensor_destroy(tensors[i]);
    if (b->w)
        f->filter_destroy(b->w);
    if (b->convolution)
        f->convolution_destroy(b->convolution);
    if (b->activation)
        f->activation_destroy(b->activation);
    if (b->shared)
        leave_handle(b->d, b->shared);
    free(b);
}

int cudnn_ways(cudnn *d, const dnn_conv *p, const op_libraries *l, way *to)
{
    size_t bytes = 0;
    dnn_bound *b = described(d, p);
    pthread_mutex_lock(&d->lock);
    int ok =
        b && (d->asked || d->call.create(&d->asked) == DNN_SUCCESS) &&
        d->call.workspace(d->asked, b->x, b->w, b->convolution, b->y, DNN_IMPLICIT_PRECOMP_GEMM, &bytes) == DNN_SUCCESS;
    pthread_mutex_unlock(&d->lock);
    cudnn_unbind(b);
    if (!ok || bytes > l->workspace_bytes)
        return 0;
    *to = (way){.kind = WAY_CUDNN, .algorithm = {DNN_IMPLICIT_PRECOMP_GEMM}, .workspace_bytes = bytes};
    return 1;
}

const char *cudnn_run(const dnn_bound *b, const way *w, const dnn_operands *o)
{
    const dnn_functions *f = &b->d->call;
    const float one = 1, of_residual = b->has_residual ? 1 : 0;
    if (f->forward(b->shared->handle, &one, b->x, o->x, b->w, o->w, b->convolution, (int)w->algorithm[0], o->workspace,
                   w->workspace_bytes, &of_residual, b->y, b->has_residual ? o->residual : o->y, b->bias, o->bias,
                   b->activation, b->y, o->y) == DNN_SUCCESS)
        return NULL;
    return "cuDNN refuses a convolution that it had offered; --disable_cudnn avoids it";
}
