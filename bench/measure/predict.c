/* predict.c - see predict.h. */
#include "predict.h"

#include "image_cuda.h"

#include <stdlib.h>
#include <string.h>

const predict_shares predict_expected = {.attention = 0.60,
                                         .window = 0.40,
                                         .product = 0.55,
                                         .convolution = 0.25,
                                         .plain = 0.50,
                                         .memory = 0.85,
                                         .link = 0.85,
                                         .launch_us = 0.9};

const char *const predict_stage_names[N_PREDICT_STAGES] = {
    "upload", "preprocess", "encode", "memory_attention", "mask_decoder", "memory_encoder", "post", "download"};

/* One call as it is priced. */
typedef struct work {
    enum predict_stage stage;
    const char *graph, *op;
    int launches;
    double flops, bytes;
    double memory_bytes; /* of `bytes`, what must go to memory with a perfect L2 cache */
    double peak;         /* FLOP/s of the units it runs on  */
    double share;        /* of which is expected            */
} work;

static double most(double a, double b)
{
    return a > b ? a : b;
}

static void add_to(predict_sum *s, const work *w, double floor_us, double expected_us, double *by)
{
    s->calls++;
    s->flops += w->flops;
    s->bytes += w->bytes;
    s->floor_us += floor_us;
    s->expected_us += expected_us;
    s->compute_us += by[0];
    s->memory_us += by[1];
    s->launch_us += by[2];
}

static predict_sum *sum_of(prediction *p, const work *w)
{
    for (int i = 0; i < p->n_ops; i++)
        if (!strcmp(p->ops[i].op, w->op) && !strcmp(p->ops[i].graph, w->graph))
            return &p->ops[i];
    if (p->n_ops == PREDICT_MAX_OPS)
        return &p->ops[PREDICT_MAX_OPS - 1];
    p->ops[p->n_ops] = (predict_sum){.stage = w->stage, .graph = w->graph, .op = w->op};
    return &p->ops[p->n_ops++];
}

static void price(prediction *p, const work *w)
{
    const predict_shares *s = &predict_expected;
    double memory = p->device->gb_s * 1e9, launch = w->launches * s->launch_us;
    double compute_us = w->flops > 0 ? w->flops / (w->peak * w->share) * 1e6 : 0,
           memory_us = w->bytes / (memory * s->memory) * 1e6;
    double floor_us = most(most(w->flops > 0 ? w->flops / w->peak * 1e6 : 0, w->memory_bytes / memory * 1e6), launch);
    double busy_us = most(compute_us, memory_us), by[3] = {0, 0, launch};
    by[compute_us < memory_us] = busy_us;
    add_to(&p->stages[w->stage], w, floor_us, busy_us + launch, by);
    add_to(sum_of(p, w), w, floor_us, busy_us + launch, by);
    p->floor_us += floor_us;
    p->expected_us += busy_us + launch;
}

/* ---- operators ---- */

static enum predict_stage stage_of(const char *graph)
{
    return !strcmp(graph, "encode")     ? STAGE_ENCODE
           : !strcmp(graph, "attend")   ? STAGE_ATTENTION
           : !strcmp(graph, "remember") ? STAGE_REMEMBER
                                        : STAGE_DECODER;
}

/* Share of the matrix units' peak, 0: it runs on the ordinary units. */
static double matrix_share(const frame_call *c)
{
    dtype type = c->call->in[c->id == OP_conv2d ? 1 : 0].type; /* a convolution may round its x itself */
    if (type != DT_BF16 && type != DT_F16)
        return 0;
    switch (c->id) {
    case OP_linear:
    case OP_mlp:
    case OP_norm_linear:
        return predict_expected.product;
    case OP_attention:
        return predict_expected.attention;
    case OP_window_attention: /* the whole grid without pooling is ordinary attention */
        return c->call->attr->window || c->call->attr->pool ? predict_expected.window : predict_expected.attention;
    case OP_conv2d:
        return c->call->attr->groups <= 1 && c->call->out[0].cols >= 16 ? predict_expected.convolution : 0;
    default:
        return 0;
    }
}

static void on_call(void *user, const frame_call *c)
{
    prediction *p = user;
    const gpu_device *d = p->device;
    double share = matrix_share(c), bytes = c->cost.bytes_read + c->cost.bytes_written;
    work w = {.stage = stage_of(c->graph),
              .graph = c->graph,
              .op = c->op,
              .launches = 1,
              .flops = c->cost.flops,
              .bytes = bytes,
              .memory_bytes = bytes,
              .peak = 1e12 * (share > 0 ? d->matrix_tflop_s : d->plain_tflop_s),
              .share = share > 0 ? share * d->mma_share : predict_expected.plain};
    if (c->largest_intermediate <= d->l2_mib * 0x1p20 / 2)
        w.memory_bytes = c->weight_bytes;
    price(p, &w);
}

/* ---- pictures, which are no operators (engine/images_device.c) ---- */

static void price_copy(prediction *p, const char *op, enum predict_stage stage, int launches, double flops,
                       double bytes)
{
    price(p, &(work){.stage = stage,
                     .graph = predict_stage_names[stage],
                     .op = op,
                     .launches = launches,
                     .flops = flops,
                     .bytes = bytes,
                     .memory_bytes = bytes,
                     .peak = 1e12 * p->device->plain_tflop_s,
                     .share = predict_expected.plain});
}

static void price_link(prediction *p, enum predict_stage stage, double bytes)
{
    double rate = p->device->link_gb_s * 1e9;
    predict_sum *s = &p->stages[stage];
    if (rate <= 0)
        return;
    s->calls = 1;
    s->bytes = bytes;
    s->floor_us = bytes / rate * 1e6;
    s->expected_us = s->memory_us = s->floor_us / predict_expected.link;
}

static void price_pictures(prediction *p, const sam_model *m, int width, int height)
{
    double frame = (double)width * height, side = sam_model_image_px(m), low = side * side / 16;
    double n = p->n_objects, mid = (double)height * side * 3, mask = (double)packed_mask_bytes(width, height);
    int batches = (p->n_objects + CLEAN_PLANES - 1) / CLEAN_PLANES;
    price_link(p, STAGE_UPLOAD, frame * 3);
    /* Rows to mid, columns of mid to the normalised input; about 2 x 6 taps of a bicubic at 1080p. */
    price_copy(p, "resize", STAGE_PREPROCESS, 2, 2 * 12 * side * side * 3, frame * 3 + 2 * mid + side * side * 12);
    /* Four passes over logits and 8 bytes of labels, the last of which writes logits; then a bit a pixel of the frame. */
    price_copy(p, "clean_logits", STAGE_POST, 4 * batches, 0, n * low * (4 * (4 + 8) + 4));
    price_copy(p, "render_masks", STAGE_POST, 2, n * frame * 8, n * (low * 4 + mask));
    price_link(p, STAGE_DOWNLOAD, n * (mask + low * 4));
}

static int longest_first(const void *a, const void *b)
{
    double x = ((const predict_sum *)a)->expected_us, y = ((const predict_sum *)b)->expected_us;
    return (x < y) - (x > y);
}

sam_status predict_frame(prediction *p, const sam_model *m, const gpu_device *device, int n_objects, int width,
                         int height, sam_error *err)
{
    *p = (prediction){.device = device, .n_objects = n_objects};
    for (int i = 0; i < N_PREDICT_STAGES; i++)
        p->stages[i].stage = (enum predict_stage)i;
    TRY(frame_calls(m, n_objects, on_call, p, err));
    price_pictures(p, m, width, height);
    qsort(p->ops, (size_t)p->n_ops, sizeof *p->ops, longest_first);
    return SAM_OK;
}
