/* The oneDNN primitives of linear and conv2d; see dnnl_product.h. */
#include "dnnl_product.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What pack makes; the weights follow, 64-byte aligned. */
typedef struct packed_weights {
    dnnl_memory_desc_t md;
    dtype type;
} packed_weights;

enum { HEADER_BYTES = (sizeof(packed_weights) + 63) / 64 * 64 };

/* One rung of the ladder, and the primitive descriptor that it gave. */
typedef struct rung {
    dtype x_type, out_type;
    bool act_after, residual_after;
    dnnl_primitive_desc_t pd;
} rung;

static dnnl_data_type_t dnnl_type(dtype t)
{
    return t == DT_F32 ? dnnl_f32 : t == DT_BF16 ? dnnl_bf16 : dnnl_f16;
}

static size_t round_up(size_t n)
{
    return (n + 63) / 64 * 64;
}

/* Descriptors of x, w, bias and out; w in the given plain or packed layout, NULL: the library's choice. */
typedef struct shapes {
    dnnl_memory_desc_t x, w, bias, out;
} shapes;

static void linear_shapes(const op_call *c, dtype x_type, dtype out_type, bool plain_w, shapes *s)
{
    const tensor *x = &c->in[PRODUCT_X], *out = c->out;
    dnnl_dims_t xd = {x->rows, x->cols}, wd = {x->cols, out->cols}, bd = {1, out->cols}, od = {x->rows, out->cols};
    dnnl_memory_desc_init_by_tag(&s->x, 2, xd, dnnl_type(x_type), dnnl_ab);
    dnnl_memory_desc_init_by_tag(&s->w, 2, wd, dnnl_type(x_type), plain_w ? dnnl_ba : dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&s->bias, 2, bd, dnnl_f32, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&s->out, 2, od, dnnl_type(out_type), dnnl_ab);
}

static void conv_shapes(const op_call *c, dtype x_type, dtype out_type, bool plain_w, shapes *s)
{
    const tensor *x = &c->in[PRODUCT_X], *out = c->out;
    const op_attr *a = c->attr;
    int g = a->groups ? a->groups : 1, k = a->kernel;
    dnnl_dim_t ho = (a->h + 2 * a->pad - k) / a->stride + 1, wo = (a->w + 2 * a->pad - k) / a->stride + 1;
    dnnl_dims_t xd = {1, x->cols, a->h, a->w}, od = {1, out->cols, ho, wo}, bd = {out->cols};
    dnnl_dims_t wd = {out->cols, x->cols, k, k}, wgd = {g, out->cols / g, x->cols / g, k, k};
    dnnl_memory_desc_init_by_tag(&s->x, 4, xd, dnnl_type(x_type), dnnl_nhwc);
    if (g == 1)
        dnnl_memory_desc_init_by_tag(&s->w, 4, wd, dnnl_type(x_type), plain_w ? dnnl_oihw : dnnl_format_tag_any);
    else
        dnnl_memory_desc_init_by_tag(&s->w, 5, wgd, dnnl_type(x_type), plain_w ? dnnl_goihw : dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&s->bias, 1, bd, dnnl_f32, dnnl_a);
    dnnl_memory_desc_init_by_tag(&s->out, 4, od, dnnl_type(out_type), dnnl_nhwc);
}

static void make_shapes(const op_call *c, bool is_conv, dtype x_type, dtype out_type, bool plain_w, shapes *s)
{
    if (is_conv)
        conv_shapes(c, x_type, out_type, plain_w, s);
    else
        linear_shapes(c, x_type, out_type, plain_w, s);
}

static void append_post_ops(const op_call *c, const rung *r, const shapes *s, dnnl_post_ops_t ops)
{
    const tensor *residual = &c->in[PRODUCT_RESIDUAL];
    act kind = c->attr->act;
    if (kind != ACT_NONE && !r->act_after)
        dnnl_post_ops_append_eltwise(ops, 1.0f,
                                     kind == ACT_RELU   ? dnnl_eltwise_relu
                                     : kind == ACT_GELU ? dnnl_eltwise_gelu_erf
                                                        : dnnl_eltwise_logistic,
                                     0.0f, 0.0f);
    if (residual->type != DT_NONE && !r->residual_after) {
        dnnl_memory_desc_t md = s->out;
        md.data_type = dnnl_type(residual->type);
        dnnl_post_ops_append_binary(ops, dnnl_binary_add, &md);
    }
}

/* Fills r->pd; false if the library has nothing, or only its reference loop unless `any` will do. */
static bool make_pd(const op_call *c, bool is_conv, const dnnl_memory_desc_t *packed, dnnl_engine_t engine, bool any,
                    rung *r)
{
    shapes s;
    make_shapes(c, is_conv, r->x_type, r->out_type, false, &s);
    if (packed)
        s.w = *packed;
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t ops;
    if (dnnl_primitive_attr_create(&attr) != dnnl_success)
        return false;
    dnnl_post_ops_create(&ops);
    append_post_ops(c, r, &s, ops);
    dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);

    const dnnl_memory_desc_t *bias = c->in[PRODUCT_B].type != DT_NONE ? &s.bias : NULL;
    int pad = c->attr->pad, stride = c->attr->stride;
    dnnl_dims_t strides = {stride, stride}, pads = {pad, pad};
    dnnl_matmul_desc_t matmul;
    dnnl_convolution_desc_t conv;
    dnnl_status_t status =
        is_conv ? dnnl_convolution_forward_desc_init(&conv, dnnl_forward_inference, dnnl_convolution_direct, &s.x, &s.w,
                                                     bias, &s.out, strides, pads, pads)
                : dnnl_matmul_desc_init(&matmul, &s.x, &s.w, bias, &s.out);
    const void *desc = is_conv ? (const void *)&conv : (const void *)&matmul;
    bool found = status == dnnl_success && dnnl_primitive_desc_create(&r->pd, desc, attr, engine, NULL) == dnnl_success;
    dnnl_post_ops_destroy(ops);
    dnnl_primitive_attr_destroy(attr);
    if (!found)
        return false;
    const char *name = "ref";
    dnnl_primitive_desc_query(r->pd, dnnl_query_impl_info_str, 0, &name);
    /* The gemm convolution of oneDNN 2.6, chosen without AVX-512, adds the wrong elements of a binary operand. */
    bool wrong = is_conv && strstr(name, "gemm") && c->in[PRODUCT_RESIDUAL].type != DT_NONE && !r->residual_after;
    if (!wrong && (any || !strstr(name, "ref")))
        return true;
    dnnl_primitive_desc_destroy(r->pd);
    return false;
}

/* The first rung that the library has fast code for; at the bottom it may be slow, but it is there. */
static bool climb(const op_call *c, bool is_conv, const packed_weights *packed, dnnl_engine_t engine, rung *r)
{
    dtype residual = c->in[PRODUCT_RESIDUAL].type;
    bool has_act = c->attr->act != ACT_NONE, has_residual = residual != DT_NONE;
    bool is_bf16 = c->in[PRODUCT_X].type == DT_BF16 && c->in[PRODUCT_W].type == DT_BF16;
    const dnnl_memory_desc_t *md = packed ? &packed->md : NULL;
    for (int any = 0; any < 2; any++)
        for (int half = is_bf16 && !any ? 1 : 0; half >= 0; half--) {
            if (packed && packed->type != (half ? DT_BF16 : DT_F32))
                continue;
            dtype type = half ? DT_BF16 : DT_F32;
            bool fusable = residual == DT_F32 || (half && residual == DT_BF16);
            dtype out_type = half && c->out->type == DT_BF16 ? DT_BF16 : DT_F32;
            for (int after = has_residual && !fusable ? 1 : 0; after <= 2; after++) {
                *r = (rung){.x_type = type,
                            .out_type = after ? DT_F32 : out_type,
                            .residual_after = has_residual && after >= 1,
                            .act_after = has_act && after == 2};
                if (make_pd(c, is_conv, md, engine, any, r))
                    return true;
            }
        }
    /* Weights packed as bf16 by another session's shapes, and only the reference loop takes them. */
    *r = (rung){.x_type = packed ? packed->type : DT_F32,
                .out_type = DT_F32,
                .residual_after = has_residual,
                .act_after = has_act};
    return make_pd(c, is_conv, md, engine, true, r);
}

static size_t library_scratch(const rung *r)
{
    return dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(r->pd, dnnl_query_scratchpad_md, 0));
}
static size_t x_scratch(const op_call *c, const rung *r)
{
    const tensor *x = &c->in[PRODUCT_X];
    return x->type == r->x_type ? 0 : (size_t)x->rows * (size_t)x->cols * dtype_bytes(r->x_type);
}
static size_t out_scratch(const op_call *c, const rung *r)
{
    const tensor *out = c->out;
    return out->type == r->out_type ? 0 : (size_t)out->rows * (size_t)out->cols * sizeof(float);
}

static int enter_threads(const op_call *c)
{
    int before = omp_get_max_threads();
    omp_set_num_threads(c->n_threads > 0 ? c->n_threads : 1);
    return before;
}

/* For weights in the layout that these shapes would choose: they may not be packed yet. */
size_t product_scratch_bytes(const op_call *c, bool is_conv)
{
    dnnl_engine_t engine;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success)
        return 0;
    int threads_before = enter_threads(c);
    rung r;
    size_t bytes = 0;
    if (climb(c, is_conv, NULL, engine, &r)) {
        bytes = round_up(x_scratch(c, &r)) + round_up(out_scratch(c, &r)) + round_up(library_scratch(&r));
        dnnl_primitive_desc_destroy(r.pd);
    }
    omp_set_num_threads(threads_before);
    dnnl_engine_destroy(engine);
    return bytes;
}

/* Weights in the plain order, as type; a copy (caller frees) unless they are of that type already. */
static void *plain_weights(const tensor *w, dtype type, void **copy)
{
    *copy = NULL;
    if (w->type == type)
        return w->data;
    assert(type == DT_F32);
    *copy = malloc(tensor_count(w) * sizeof(float));
    if (*copy)
        load_row(*copy, w->data, w->type, tensor_count(w));
    return *copy;
}

static bool reorder(dnnl_engine_t engine, const dnnl_memory_desc_t *from_md, void *from,
                    const dnnl_memory_desc_t *to_md, void *to)
{
    dnnl_stream_t stream = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t from_memory = NULL, to_memory = NULL;
    bool done = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success &&
                dnnl_reorder_primitive_desc_create(&pd, from_md, engine, to_md, engine, NULL) == dnnl_success &&
                dnnl_primitive_create(&primitive, pd) == dnnl_success &&
                dnnl_memory_create(&from_memory, from_md, engine, from) == dnnl_success &&
                dnnl_memory_create(&to_memory, to_md, engine, to) == dnnl_success;
    if (done) {
        dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, from_memory}, {DNNL_ARG_TO, to_memory}};
        done = dnnl_primitive_execute(primitive, stream, 2, args) == dnnl_success &&
               dnnl_stream_wait(stream) == dnnl_success;
    }
    dnnl_memory_destroy(from_memory);
    dnnl_memory_destroy(to_memory);
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(pd);
    dnnl_stream_destroy(stream);
    return done;
}

void *product_pack(const op_call *c, size_t *bytes, bool is_conv)
{
    dnnl_engine_t engine;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success)
        return NULL;
    int threads_before = enter_threads(c);
    packed_weights *packed = NULL;
    rung r;
    if (climb(c, is_conv, NULL, engine, &r)) {
        const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(r.pd, dnnl_query_weights_md, 0);
        shapes plain;
        make_shapes(c, is_conv, r.x_type, r.out_type, true, &plain);
        size_t data_bytes = dnnl_memory_desc_get_size(md);
        void *copy, *from = plain_weights(&c->in[PRODUCT_W], r.x_type, &copy);
        packed = from ? aligned_alloc(64, HEADER_BYTES + round_up(data_bytes)) : NULL;
        if (packed) {
            memset(packed, 0, HEADER_BYTES + round_up(data_bytes));
            packed->md = *md;
            packed->type = r.x_type;
            *bytes = HEADER_BYTES + round_up(data_bytes);
            if (!reorder(engine, &plain.w, from, md, (char *)packed + HEADER_BYTES)) {
                free(packed);
                packed = NULL;
            }
        }
        free(copy);
        dnnl_primitive_desc_destroy(r.pd);
    }
    omp_set_num_threads(threads_before);
    dnnl_engine_destroy(engine);
    return packed;
}

void product_unpack(void *packed)
{
    free(packed);
}

static bool create_memories(const op_call *c, const rung *r, product *p)
{
    const dnnl_memory_desc_t *x = dnnl_primitive_desc_query_md(r->pd, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t *w = dnnl_primitive_desc_query_md(r->pd, dnnl_query_weights_md, 0);
    const dnnl_memory_desc_t *bias = dnnl_primitive_desc_query_md(r->pd, dnnl_query_weights_md, 1);
    const dnnl_memory_desc_t *out = dnnl_primitive_desc_query_md(r->pd, dnnl_query_dst_md, 0);
    const dnnl_memory_desc_t *pad = dnnl_primitive_desc_query_md(r->pd, dnnl_query_scratchpad_md, 0);
    dnnl_memory_desc_t residual = *out;
    residual.data_type = dnnl_type(c->in[PRODUCT_RESIDUAL].type);
    bool has_residual = c->in[PRODUCT_RESIDUAL].type != DT_NONE && !r->residual_after;
    char *data = (char *)c->packed + HEADER_BYTES;
    return dnnl_memory_create(&p->x, x, p->engine, DNNL_MEMORY_NONE) == dnnl_success &&
           dnnl_memory_create(&p->w, w, p->engine, data) == dnnl_success &&
           dnnl_memory_create(&p->out, out, p->engine, DNNL_MEMORY_NONE) == dnnl_success &&
           (c->in[PRODUCT_B].type == DT_NONE ||
            dnnl_memory_create(&p->bias, bias, p->engine, DNNL_MEMORY_NONE) == dnnl_success) &&
           (!has_residual ||
            dnnl_memory_create(&p->residual, &residual, p->engine, DNNL_MEMORY_NONE) == dnnl_success) &&
           (library_scratch(r) == 0 ||
            dnnl_memory_create(&p->scratchpad, pad, p->engine, DNNL_MEMORY_NONE) == dnnl_success);
}

void *product_bind(const op_call *c, bool is_conv)
{
    product *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    int threads_before = enter_threads(c);
    size_t planned = product_scratch_bytes(c, is_conv);
    rung r = {0};
    bool done = dnnl_engine_create(&p->engine, dnnl_cpu, 0) == dnnl_success &&
                dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags) == dnnl_success &&
                climb(c, is_conv, c->packed, p->engine, &r);
    if (done) {
        size_t x_bytes = round_up(x_scratch(c, &r)), out_bytes = round_up(out_scratch(c, &r));
        size_t pad_bytes = round_up(library_scratch(&r));
        p->x_type = r.x_type;
        p->out_type = r.out_type;
        p->act_after = r.act_after;
        p->residual_after = r.residual_after;
        bool own = x_bytes + out_bytes + pad_bytes > planned;
        p->x_at = own ? 0 : pad_bytes;
        p->out_at = p->x_at + x_bytes;
        done = dnnl_primitive_create(&p->primitive, r.pd) == dnnl_success && create_memories(c, &r, p) &&
               (!own || (p->own_scratchpad = aligned_alloc(64, pad_bytes)) != NULL);
        dnnl_primitive_desc_destroy(r.pd);
    }
    omp_set_num_threads(threads_before);
    if (done)
        return p;
    product_unbind(p);
    return NULL;
}

void product_unbind(void *bound)
{
    product *p = bound;
    if (!p)
        return;
    dnnl_memory_destroy(p->x);
    dnnl_memory_destroy(p->w);
    dnnl_memory_destroy(p->bias);
    dnnl_memory_destroy(p->residual);
    dnnl_memory_destroy(p->out);
    dnnl_memory_destroy(p->scratchpad);
    dnnl_primitive_destroy(p->primitive);
    dnnl_stream_destroy(p->stream);
    dnnl_engine_destroy(p->engine);
    free(p->own_scratchpad);
    free(p);
}
