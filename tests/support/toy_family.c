#include "toy_family.h"

#include "host_states.h"

typedef struct toy_config {
    int width;
} toy_config;

static void toy_read(config_reader *r, void *config)
{
    ((toy_config *)config)->width = config_int(r, "width", 8, 64, -1);
}

static sam_status toy_size(const void *config, const size_request *want, model_size *z, sam_error *err)
{
    (void)config;
    if (want->side_px % 64)
        return fail(err, SAM_E_ARG, "image size %d: %s needs a multiple of 64", want->side_px, want->model);
    *z = (model_size){.side_px = want->side_px,
                      .side = want->side_px / 4,
                      .low_px = want->side_px / 4,
                      .max_prompt_tokens = want->max_points + 3,
                      .output_tokens = 0};
    return SAM_OK;
}

static const char *const toy_graphs[TOY_GRAPHS] = {"encode", "decode", "never"};

static scope of(const char *name)
{
    return at((scope){{0}}, name);
}

/* 4 x 4 pixels -> width channels. */
static void toy_encode(builder *b, int width, const model_size *z)
{
    val x = cast(b, host_state(b, z, STATE_image), b->act);
    output(b, conv2d(b, x, z->side_px, z->side_px, width, 4, 4, 0, 1, of("patch")), "features", 1);
}

/* Four masks: features times (a query + the first point's token). */
static void toy_decode(builder *b, int width, const model_size *z)
{
    const val in[] = {host_state(b, z, STATE_points),
                      host_state(b, z, STATE_labels),
                      weight_rows(b, of("code"), "gaussian", 2, width / 2),
                      weight_vector(b, of("code"), "none", width),
                      weight_vector(b, of("code"), "away", width),
                      weight_vector(b, of("code"), "here", width),
                      weight_vector(b, of("code"), "corner0", width),
                      weight_vector(b, of("code"), "corner1", width)};
    val tokens = apply(b, OP_point_tokens, in, 8, (op_attr){.scale = (float)z->side_px, .type = b->act});
    val point = slice_rows(b, tokens, 0, 1), queries = weight_rows(b, of("code"), "queries", 4, width);
    val hyper = add(b, cast(b, queries, b->act), point);
    val features = state(b, "features", 1, z->side * z->side, width, b->act);
    val masks = apply(b, OP_mask_product, (val[]){hyper, features}, 2, (op_attr){0});
    val ious = cast(b, linear(b, point, 4, of("iou")), DT_F32),
        score = cast(b, linear(b, point, 1, of("score")), DT_F32);
    val chosen = apply(b, OP_select_mask, (val[]){masks, ious, score, hyper, host_state(b, z, STATE_mode)}, 5,
                       (op_attr){.scale = 0.05f, .bias = 0});
    result(b, z, masks, STATE_masks);
    result(b, z, ious, STATE_ious);
    result(b, z, score, STATE_score);
    result(b, z, chosen, STATE_low_res);
    result(b, z, output_of(b, chosen, SELECTED_IOU), STATE_iou);
}

static void toy_build(builder *b, int id, const void *config, const model_size *z)
{
    int width = ((const toy_config *)config)->width;
    if (id == TOY_ENCODE)
        toy_encode(b, width, z);
    else if (id == TOY_DECODE)
        toy_decode(b, width, z);
    else
        output(b, weight_vector(b, of("nowhere"), "to be found", 1), "never", 1); /* no step runs it */
}

static const predictor toy = {
    .modes = 1u << SAM_IMAGE,
    .config_bytes = sizeof(toy_config),
    .read_config = toy_read,
    .size = toy_size,
    .n_graphs = TOY_GRAPHS,
    .graph_names = toy_graphs,
    .build = toy_build,
    .steps =
        {[STEP_ENCODE] = {1, {TOY_ENCODE}}, [STEP_IMAGE] = {1, {TOY_DECODE}}, [STEP_IMAGE_MASKED] = {1, {TOY_DECODE}}},
    .input = {[SAM_IMAGE] = {FIT_LONGEST_SIDE, RESAMPLE_PIL_BILINEAR}},
    .logit_limit = 32,
};
const model_family toy_families[] = {{"toy", "Toy", &toy}, {NULL, NULL, NULL}};
