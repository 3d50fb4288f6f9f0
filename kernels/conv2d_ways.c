#include "conv2d_ways.h"

#include "cudnn_conv.h"

#include <stdio.h>

enum { X, W, B, RESIDUAL, N_IN };

static int for_cudnn(const op_call *c)
{
    const tensor *x = &c->in[X], *residual = &c->in[RESIDUAL], *y = c->out;
    const op_attr *a = c->attr;
    int has_residual = residual->type != DT_NONE;
    if (!c->libraries || !c->libraries->cudnn || a->groups > 1 || x->type == DT_F32 || c->in[W].type != x->type)
        return 0;
    if (a->act != ACT_NONE && (a->act != ACT_RELU || has_residual))
        return 0;
    return y->type == x->type && c->in[B].type != DT_NONE && (!has_residual || residual->type == x->type);
}

conv2d_library_data conv2d_for_library(const op_call *c)
{
    if (!for_cudnn(c))
        return (conv2d_library_data){0, 0};
    size_t one = dtype_bytes(c->in[X].type), bias = (tensor_count(&c->in[W]) * one + 255) / 256 * 256;
    return (conv2d_library_data){bias, bias + ((size_t)c->in[W].rows * one + 255) / 256 * 256};
}

static dnn_conv conv_of(const op_call *c)
{
    const op_attr *a = c->attr;
    return (dnn_conv){.type = c->in[X].type,
                      .n = c->out[0].n,
                      .h = a->h,
                      .w = a->w,
                      .in = c->in[X].cols,
                      .out = c->in[W].rows,
                      .kernel = a->kernel,
                      .stride = a->stride,
                      .pad = a->pad,
                      .out_h = (a->h + 2 * a->pad - a->kernel) / a->stride + 1,
                      .out_w = (a->w + 2 * a->pad - a->kernel) / a->stride + 1,
                      .residual = c->in[RESIDUAL].type != DT_NONE,
                      .relu = a->act == ACT_RELU};
}

static int list_ways(const op_call *c, way *to)
{
    const op_libraries *l = c->libraries;
    const tensor *in = c->in;
    int shared = in[X].n != c->out[0].n || (in[RESIDUAL].type != DT_NONE && in[RESIDUAL].n != c->out[0].n);
    dnn_conv p = conv_of(c);
    to[0] = (way){.kind = WAY_OWN};
    if (l->deterministic || !(l->tune || l->recall) || shared || !for_cudnn(c))
        return 1;
    return 1 + cudnn_ways(l->cudnn, &p, l, to + 1);
}

static void key_of(const op_call *c, char *key)
{
    const char *type = c->in[X].type == DT_F32 ? "f32" : c->in[X].type == DT_F16 ? "f16" : "bf16";
    dnn_conv p = conv_of(c);
    snprintf(key, WAY_KEY_BYTES, "conv2d x %d %dx%d %d %s, w %d %dx%d stride %d pad %d groups %d, residual %d, act %d",
             p.n, p.h, p.w, p.in, type, p.out, p.kernel, p.kernel, p.stride, p.pad, c->attr->groups, p.residual,
             (int)c->attr->act);
}

static void *prepare(const op_call *c)
{
    dnn_conv p = conv_of(c);
    return cudnn_bind(c->libraries->cudnn, &p, c->stream);
}

static void release(void *prepared)
{
    cudnn_unbind(prepared);
}

static const char *run(const op_call *c, const way *w, const void *prepared)
{
    const dnn_operands o = {.x = c->in[X].data,
                            .w = c->packed,
                            .bias = (const char *)c->packed + conv2d_for_library(c).bias,
                            .residual = c->in[RESIDUAL].type == DT_NONE ? NULL : c->in[RESIDUAL].data,
                            .y = c->out[0].data,
                            .workspace = w->workspace_bytes ? c->scratch : NULL};
    return cudnn_run(prepared, w, &o);
}

const op_ways conv2d_ways = {N_IN, list_ways, key_of, prepare, release, run};
