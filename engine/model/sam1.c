/* SAM v1's graphs: facebookresearch/segment-anything modeling/sam.py and predictor.py. */
#include "sam1.h"

#include "blocks.h"
#include "host_states.h"
#include "position.h"
#include "vit.h"

#include <string.h>

/* "features" are those of the image, "src" with the mask prompt of a prompt set, "image_src" without one. */
typedef enum graph_id {
    GRAPH_ENCODE,       /* image -> "features"                         */
    GRAPH_IMAGE,        /* "features" -> "image_src", which all prompt sets share  */
    GRAPH_IMAGE_MASK,   /* "features", mask_prompt, has_mask -> "src" of each      */
    GRAPH_DECODE,       /* "src", points -> masks, and the one chosen              */
    GRAPH_IMAGE_DECODE, /* "image_src", points -> masks, and the one chosen        */
    GRAPH_COUNT
} graph_id;

static const char *const graph_names[GRAPH_COUNT] = {"encode", "image", "image_mask", "decode", "image_decode"};

enum { OUTPUT_TOKENS = 5 }; /* IoU, four masks */

static void read_config(config_reader *r, void *config)
{
    vit_config *c = config;
    const char *trunk = config_text(r, "trunk");
    if (!trunk || strcmp(trunk, "vit") != 0)
        config_wrong(r, "trunk", "\"vit\"");
    c->embed_dim = config_int(r, "embed_dim", 8, 4096, -1);
    c->num_heads = config_int(r, "num_heads", 1, 64, -1);
    c->depth = config_int(r, "depth", 1, 100, -1);
    c->window = config_int(r, "window", 1, 64, -1);
    c->n_global = config_ints(r, "global_att_blocks", c->global_blocks, 0, MAX_GLOBAL, 0, 99);
    c->trained_side = config_int(r, "image_size", 64, 4096, -1) / 16;
    c->d_model = config_int(r, "d_model", 32, 1024, -1);
    if (r->status == SAM_OK && c->embed_dim % c->num_heads)
        config_wrong(r, "num_heads", "a divisor of embed_dim");
    if (r->status == SAM_OK && c->d_model % 32)
        config_wrong(r, "d_model", "a multiple of 32");
}

static sam_status size(const void *config, const size_request *want, model_size *z, sam_error *err)
{
    int side = want->side_px / 16;
    (void)config;
    (void)err;
    *z = (model_size){.side_px = want->side_px,
                      .side = side,
                      .low_px = 4 * side,
                      .max_prompt_tokens = want->max_points + 3, /* two box corners, or a padding point */
                      .output_tokens = OUTPUT_TOKENS};
    return SAM_OK;
}

static scope at_root(const char *name)
{
    return at((scope){{0}}, name);
}

static val features(builder *b, const vit_config *c, const model_size *z)
{
    return state(b, "features", 1, z->side * z->side, c->d_model, b->act);
}

/* sam.py, preprocess (the host's part) and image_encoder. */
static void encode(builder *b, const vit_config *c, const model_size *z)
{
    val image = cast(b, host_state(b, z, STATE_image), b->act);
    output(b, vit(b, c, image, z->side_px, at_root("image_encoder")), "features", 1);
}

/* prompt_encoder.py, forward: the dense embedding, added in mask_decoder.py, predict_masks. */
static val no_mask(builder *b, const vit_config *c)
{
    return weight_vector(b, at(at_root("prompt_encoder"), "no_mask_embed"), "weight", c->d_model);
}

static void image(builder *b, const vit_config *c, const model_size *z)
{
    output(b, add(b, features(b, c, z), no_mask(b, c)), "image_src", 1);
}

static void image_mask(builder *b, const vit_config *c, const model_size *z)
{
    val dense = mask_embedding(b, c->d_model, host_state(b, z, STATE_mask_prompt), z->side, at_root("prompt_encoder"));
    val has_mask = host_state(b, z, STATE_has_mask);
    output(b, with_dense_prompt(b, features(b, c, z), no_mask(b, c), dense, has_mask), "src", N_OBJECTS);
}

/* Of a single mask there is no selection by stability: threshold 0. */
static void decode_src(builder *b, const vit_config *c, const model_size *z, val src)
{
    scope prompt = at_root("prompt_encoder");
    val points = host_state(b, z, STATE_points), labels = host_state(b, z, STATE_labels);
    decoder_input in = {.src = src,
                        .position = dense_position(b, z->side, c->d_model, prompt),
                        .prompts = prompt_tokens(b, c->d_model, points, labels, z->side_px, prompt),
                        .n_tokens = host_state(b, z, STATE_n_tokens),
                        .side = z->side};
    decoded m = mask_decoder(b, DECODER_SAM1, in, at_root("mask_decoder"));
    result(b, z, m.masks, STATE_masks);
    result(b, z, m.ious, STATE_ious);
    val chosen = apply(b, OP_select_mask, (val[]){m.masks, m.ious, no_val(), m.tokens, host_state(b, z, STATE_mode)}, 5,
                       (op_attr){.bias = 0});
    result(b, z, chosen, STATE_low_res);
    result(b, z, output_of(b, chosen, SELECTED_IOU), STATE_iou);
    output(b, output_of(b, chosen, SELECTED_INDEX), "chosen", N_OBJECTS);
}

static void decode(builder *b, const vit_config *c, const model_size *z)
{
    decode_src(b, c, z, state(b, "src", N_OBJECTS, z->side * z->side, c->d_model, b->act));
}

/* What the first block makes of the image alone is made once for all sets. */
static void image_decode(builder *b, const vit_config *c, const model_size *z)
{
    decode_src(b, c, z, state(b, "image_src", 1, z->side * z->side, c->d_model, b->act));
}

static void build(builder *b, int id, const void *config, const model_size *z)
{
    static void (*const graphs[GRAPH_COUNT])(builder *, const vit_config *,
                                             const model_size *) = {encode, image, image_mask, decode, image_decode};
    graphs[id](b, config, z);
}

const predictor predictor_sam1 = {
    .modes = 1u << SAM_IMAGE,
    .config_bytes = sizeof(vit_config),
    .read_config = read_config,
    .size = size,
    .n_graphs = GRAPH_COUNT,
    .graph_names = graph_names,
    .build = build,
    .steps = {[STEP_ENCODE] = {1, {GRAPH_ENCODE}},
              [STEP_IMAGE] = {2, {GRAPH_IMAGE, GRAPH_IMAGE_DECODE}},
              [STEP_IMAGE_MASKED] = {2, {GRAPH_IMAGE_MASK, GRAPH_DECODE}}},
    .input = {[SAM_IMAGE] = {FIT_LONGEST_SIDE, RESAMPLE_PIL_BILINEAR}},
    .box_needs_no_padding = 1,
    .generator = {.pred_iou_thresh = 0.88, .cleans_finished_masks = 1, .fixed = 1}, /* automatic_mask_generator.py */
};
