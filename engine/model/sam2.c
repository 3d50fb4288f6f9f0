/* SAM 2's graphs: facebookresearch/sam2 modeling/sam2_base.py; EdgeTAM's are the same with another trunk and a perceiver. */
#include "sam2.h"

#include "blocks.h"
#include "host_states.h"
#include "position.h"

#include <string.h>

/* One graph per kind of work. Values that graphs hand on and the host never sees: "features", "high_res_0", "high_res_1"
 * of the frame, "pix_feat" of each object: features with or without memory, "src": those with the mask prompt. */
typedef enum graph_id {
    GRAPH_ENCODE,       /* image -> "features", "high_res_0", "high_res_1"      */
    GRAPH_FIRST,        /* "features" -> "pix_feat" of a frame without memory   */
    GRAPH_RAW,          /* "features" -> "pix_feat" as it is, for mask prompts  */
    GRAPH_ATTEND,       /* "features", bank -> "pix_feat"                       */
    GRAPH_MASK_PROMPT,  /* mask_image -> mask_prompt                            */
    GRAPH_SRC,          /* "pix_feat" -> "src" without a mask prompt            */
    GRAPH_SRC_MASK,     /* "pix_feat", mask_prompt -> "src"                     */
    GRAPH_IMAGE,        /* "features" -> "image_src", which all prompt sets share */
    GRAPH_IMAGE_MASK,   /* "features", mask_prompt, has_mask -> "src" of each    */
    GRAPH_DECODE,       /* "src", points -> masks, "mask_tokens"                */
    GRAPH_IMAGE_DECODE, /* "image_src", points -> masks, "mask_tokens"         */
    GRAPH_FOLLOW,       /* masks, filters -> choice, motion, filters            */
    GRAPH_CHOOSE,       /* masks, "mask_tokens" -> the one chosen, pointer      */
    GRAPH_KEEP,         /* low_res, pointer -> logits_bank, pointer_bank        */
    GRAPH_REMEMBER,     /* "features", low_res, score -> bank                   */
    GRAPH_COUNT
} graph_id;

static const char *const graph_names[GRAPH_COUNT] = {"encode",       "first",    "raw",    "attend",     "mask_prompt",
                                                     "src",          "src_mask", "image",  "image_mask", "decode",
                                                     "image_decode", "follow",   "choose", "keep",       "remember"};

/* Around the earliest prompted frame a reverse pass needs the frames a forward pass went through first. */
#define N_GUARDED 1

enum { LARGE_WIDTH = 144 };                    /* of the trunk of the large size */
enum { OUTPUT_TOKENS = 6, N_MASK_TOKENS = 4 }; /* score, IoU, four masks */

static sam_status check_grid(const sam2_config *c, const size_request *want, sam_error *err)
{
    int grid = 1;
    while (grid * grid < c->latents_2d)
        grid++;
    if (c->latents_2d && (grid * grid != c->latents_2d || want->side_px / 16 % grid))
        return fail(err, SAM_E_ARG, "image size %d: %s needs a multiple of %d", want->side_px, want->model, 16 * grid);
    return SAM_OK;
}

static sam_status size(const void *config, const size_request *want, model_size *z, sam_error *err)
{
    const sam2_config *c = config;
    int side = want->side_px / 16, recent = c->num_maskmem - 1, pointers = c->max_obj_ptrs - 1;
    TRY(check_grid(c, want, err));
    *z = (model_size){.side_px = want->side_px,
                      .side = side,
                      .low_px = 4 * side,
                      .max_prompt_tokens = want->max_points + 3, /* two box corners and the padding point */
                      .output_tokens = OUTPUT_TOKENS,
                      .memory_tokens = c->latents_2d ? c->latents + c->latents_2d : side * side,
                      .memory_width = c->mem_dim,
                      .recent = recent,
                      .max_frames = want->max_prompted + recent,
                      .bank_slots = want->max_prompted + (1 + N_GUARDED) * recent + 2,
                      .pointer_width = c->d_model,
                      .motion_weight = c->trunk == TRUNK_HIERA && c->embed_dim >= LARGE_WIDTH ? 0.15f : 0.25f,
                      .recent_pointers = pointers,
                      .max_pointers = want->max_prompted + pointers,
                      .pointer_slots = want->max_prompted + (1 + N_GUARDED) * pointers + 2};
    z->steady_memory_keys = c->num_maskmem * z->memory_tokens;
    z->steady_keys = z->steady_memory_keys + c->max_obj_ptrs * (c->d_model / c->mem_dim);
    return SAM_OK;
}

static void fill_zeros(float *out, const float *const *in, const tensor *shape, const double *args)
{
    (void)in;
    (void)shape;
    memset(out, 0, (size_t)args[0] * sizeof *out);
}

static scope root(void)
{
    return (scope){{0}};
}

static val features(builder *b, const sam2_config *c, const model_size *z)
{
    return state(b, "features", 1, z->side * z->side, c->d_model, b->act);
}

/* image_encoder.py, ImageEncoder.forward, and sam2_base.py, forward_image: the decoder's 1x1 convolutions of the two
 * fine levels run once per frame. */
static void encode(builder *b, const sam2_config *c, const model_size *z)
{
    scope encoder = at(root(), "image_encoder"), decoder = at(root(), "sam_mask_decoder");
    val image = cast(b, host_state(b, z, STATE_image), b->act);
    val stage[4] = {{0}}, level[3] = {{0}};
    if (c->trunk == TRUNK_HIERA)
        hiera(b, c, image, z->side_px, stage, at(encoder, "trunk"));
    else
        repvit(b, c, image, z->side_px, stage, at(encoder, "trunk"));
    fpn(b, c, stage, z->side_px, level, at(encoder, "neck"));
    output(b, linear(b, level[0], c->d_model / 8, at(decoder, "conv_s0")), "high_res_0", 1);
    output(b, linear(b, level[1], c->d_model / 4, at(decoder, "conv_s1")), "high_res_1", 1);
    output(b, level[2], "features", 1);
}

/* sam2_base.py, _prepare_memory_conditioned_features with directly_add_no_mem_embed. */
static void first(builder *b, const sam2_config *c, const model_size *z)
{
    output(b, add(b, features(b, c, z), weight_vector(b, root(), "no_mem_embed", c->d_model)), "pix_feat", N_OBJECTS);
}

/* sam2_base.py, _use_mask_as_output: the decoder sees the plain features. */
static void raw(builder *b, const sam2_config *c, const model_size *z)
{
    val x = features(b, c, z);
    output(b, apply(b, OP_cast, &x, 1, (op_attr){.type = b->act}), "pix_feat", N_OBJECTS);
}

/* sam2_base.py, _prepare_memory_conditioned_features: which frames and pointers is the caller's choice (membank.c). */
static void attend(builder *b, const sam2_config *c, const model_size *z)
{
    val ages = host_state(b, z, STATE_pointer_ages), pointer_position = no_val();
    if (c->ptr_time_encoding) {
        val code = apply(b, OP_time_encoding, &ages, 1, (op_attr){.count = c->d_model});
        pointer_position = linear(b, cast(b, code, b->act), c->mem_dim, at(root(), "obj_ptr_tpos_proj"));
    }
    /* Position of a memory token within its frame; the perceiver's global tokens have none. */
    int grid = z->side;
    if (c->latents_2d)
        for (grid = 1; grid * grid < c->latents_2d;)
            grid++;
    val position = sine_position(b, grid, c->mem_dim);
    if (c->latents)
        position = concat_rows(b,
                               table(b, "(no position)", DT_F32, c->latents, c->mem_dim,
                                     (derive){.fill = fill_zeros, .args = {(double)c->latents * c->mem_dim}}),
                               position);
    val in[] = {host_state(b, z, STATE_bank),
                position,
                weight_rows(b, root(), "maskmem_tpos_enc", c->num_maskmem, c->mem_dim),
                host_state(b, z, STATE_memory_slots),
                host_state(b, z, STATE_memory_ages),
                host_state(b, z, STATE_n_memories),
                host_state(b, z, STATE_pointer_bank),
                host_state(b, z, STATE_pointer_slots),
                host_state(b, z, STATE_n_pointers),
                pointer_position};
    val mem = apply(b, OP_memory_gather, in, 10, (op_attr){.count = z->memory_tokens, .type = b->act});
    memory_tokens m = {.mem = named(b, mem, "memory_attention.memory"),
                       .key = output_of(b, mem, GATHER_KEY),
                       .n_keys = output_of(b, mem, GATHER_N_KEYS),
                       .n_rotated = output_of(b, mem, GATHER_N_ROTATED),
                       .tokens_per_frame = z->memory_tokens};
    output(b, memory_attention(b, c, features(b, c, z), z->side, m, at(root(), "memory_attention")), "pix_feat",
           N_OBJECTS);
}

/* sam2_base.py, mask_downsample: a learned 4x4 stride 4 convolution of the user's 0/1 mask. */
static void mask_prompt(builder *b, const sam2_config *c, const model_size *z)
{
    val mask = host_state(b, z, STATE_mask_image);
    (void)c;
    val logits = conv2d(b, cast(b, mask, b->act), z->side_px, z->side_px, 1, 4, 4, 0, 1, at(root(), "mask_downsample"));
    result(b, z, cast(b, logits, DT_F32), STATE_mask_prompt);
}

static val pix_feat(builder *b, const sam2_config *c, const model_size *z)
{
    return state(b, "pix_feat", N_OBJECTS, z->side * z->side, c->d_model, b->act);
}

static val no_mask(builder *b, const sam2_config *c)
{
    return weight_vector(b, at(at(root(), "sam_prompt_encoder"), "no_mask_embed"), "weight", c->d_model);
}

static void src(builder *b, const sam2_config *c, const model_size *z)
{
    output(b, add(b, pix_feat(b, c, z), no_mask(b, c)), "src", N_OBJECTS);
}

static void src_mask(builder *b, const sam2_config *c, const model_size *z)
{
    val logits = host_state(b, z, STATE_mask_prompt);
    val dense = mask_embedding(b, c->d_model, logits, z->side, at(root(), "sam_prompt_encoder"));
    output(b, add(b, pix_feat(b, c, z), dense), "src", N_OBJECTS);
}

/* Images: what all prompt sets share, sam2_image_predictor.py, set_image. */
static val image_embed(builder *b, const sam2_config *c, const model_size *z)
{
    val without = weight_vector(b, root(), "no_mem_embed", c->d_model);
    return named(b, add(b, features(b, c, z), without), "image_embed");
}

static void image(builder *b, const sam2_config *c, const model_size *z)
{
    output(b, add(b, image_embed(b, c, z), no_mask(b, c)), "image_src", 1);
}

static void image_mask(builder *b, const sam2_config *c, const model_size *z)
{
    val logits = host_state(b, z, STATE_mask_prompt), has_mask = host_state(b, z, STATE_has_mask);
    val dense = mask_embedding(b, c->d_model, logits, z->side, at(root(), "sam_prompt_encoder"));
    output(b, with_dense_prompt(b, image_embed(b, c, z), no_mask(b, c), dense, has_mask), "src", N_OBJECTS);
}

/* sam2_base.py, _forward_sam_heads: decode, then choose; between them SAMURAI looks where the object was going. */
static void decode_src(builder *b, const sam2_config *c, const model_size *z, val src)
{
    int t = z->side * z->side, d = c->d_model;
    scope prompt = at(root(), "sam_prompt_encoder");
    val points = host_state(b, z, STATE_points);
    val labels = host_state(b, z, STATE_labels);
    decoder_input in = {.src = src,
                        .position = dense_position(b, z->side, d, prompt),
                        .prompts = prompt_tokens(b, d, points, labels, z->side_px, prompt),
                        .n_tokens = host_state(b, z, STATE_n_tokens),
                        .high_res_0 = state(b, "high_res_0", 1, 16 * t, d / 8, b->act),
                        .high_res_1 = state(b, "high_res_1", 1, 4 * t, d / 4, b->act),
                        .side = z->side};
    decoded m = mask_decoder(b, DECODER_SAM2, in, at(root(), "sam_mask_decoder"));
    result(b, z, m.masks, STATE_masks);
    result(b, z, m.ious, STATE_ious);
    result(b, z, m.score, STATE_score);
    output(b, m.tokens, "mask_tokens", N_OBJECTS);
}

static void decode(builder *b, const sam2_config *c, const model_size *z)
{
    decode_src(b, c, z, state(b, "src", N_OBJECTS, z->side * z->side, c->d_model, b->act));
}

/* What the first block makes of the image alone is made once for all sets: 3 of its 10 large products. */
static void image_decode(builder *b, const sam2_config *c, const model_size *z)
{
    decode_src(b, c, z, state(b, "image_src", 1, z->side * z->side, c->d_model, b->act));
}

static void follow(builder *b, const sam2_config *c, const model_size *z)
{
    (void)c;
    val in[] = {host_state(b, z, STATE_masks),       host_state(b, z, STATE_ious),
                host_state(b, z, STATE_score),       host_state(b, z, STATE_least_score),
                host_state(b, z, STATE_mode),        host_state(b, z, STATE_filters),
                host_state(b, z, STATE_filter_slot), host_state(b, z, STATE_filter_restart),
                host_state(b, z, STATE_motion_rule)};
    val choice = apply(b, OP_follow_motion, in, FOLLOW_INPUTS,
                       (op_attr){.h = z->low_px, .w = z->low_px, .kernel = z->side_px / z->low_px});
    result(b, z, choice, STATE_choice);
    result(b, z, output_of(b, choice, FOLLOWED_MOTION), STATE_motion);
    result_to_pool(b, z, output_of(b, choice, FOLLOWED_FILTER), STATE_filter_slot, STATE_filters);
}

static void choose(builder *b, const sam2_config *c, const model_size *z)
{
    int d = c->d_model;
    val score = host_state(b, z, STATE_score), least_score = host_state(b, z, STATE_least_score);
    val in[] = {host_state(b, z, STATE_masks),
                host_state(b, z, STATE_ious),
                score,
                state(b, "mask_tokens", N_OBJECTS, N_MASK_TOKENS, d, b->act),
                host_state(b, z, STATE_mode),
                host_state(b, z, STATE_choice),
                least_score};
    val chosen = apply(b, OP_select_mask, in, SELECT_INPUTS, (op_attr){.scale = 0.05f, .bias = 0.98f});
    val token = output_of(b, chosen, SELECTED_TOKEN);
    val pointer = cast(b, mlp(b, token, d, d, 3, ACT_RELU, at(root(), "obj_ptr_proj")), DT_F32);
    pointer = apply(b, OP_gate_present, (val[]){pointer, weight_vector(b, root(), "no_obj_ptr", d), score, least_score},
                    GATE_INPUTS, (op_attr){.first = 0});
    result(b, z, chosen, STATE_low_res);
    result(b, z, output_of(b, chosen, SELECTED_IOU), STATE_iou);
    output(b, output_of(b, chosen, SELECTED_INDEX), "chosen", N_OBJECTS);
    result(b, z, pointer, STATE_pointer);
}

/* What the decoder chose, into the object's places in the bank. */
static void keep(builder *b, const sam2_config *c, const model_size *z)
{
    val pointer = host_state(b, z, STATE_pointer);
    (void)c;
    result_to_pool(b, z, host_state(b, z, STATE_low_res), STATE_keep_slot, STATE_logits_bank);
    result_to_pool(b, z, pointer, STATE_keep_pointer_slot, STATE_pointer_bank);
}

/* sam2_base.py, _encode_new_memory. The bank is bfloat16 in every precision, as the predictor stores it. */
static void remember(builder *b, const sam2_config *c, const model_size *z)
{
    val mask = apply(b, OP_mask_upscale, (val[]){host_state(b, z, STATE_low_res), host_state(b, z, STATE_binarise)}, 2,
                     (op_attr){.h = 4 * z->side,
                               .w = 4 * z->side,
                               .kernel = 4,
                               .scale = c->mask_scale,
                               .bias = c->mask_bias,
                               .type = b->act});
    val memory = memory_encoder(b, c, features(b, c, z), mask, z->side, at(root(), "memory_encoder"));
    if (c->no_obj_embed_spatial) {
        val absent = weight_vector(b, root(), "no_obj_embed_spatial", c->mem_dim);
        memory =
            apply(b, OP_gate_present, (val[]){memory, absent, host_state(b, z, STATE_score)}, 3, (op_attr){.first = 1});
    }
    if (c->latents_2d)
        memory = perceiver(b, c, memory, z->side, at(root(), "spatial_perceiver"));
    result_to_pool(b, z, memory, STATE_keep_slot, STATE_bank);
}

static void build(builder *b, int id, const void *config, const model_size *z)
{
    static void (*const graphs[GRAPH_COUNT])(builder *, const sam2_config *, const model_size *) = {
        encode,     first,  raw,          attend, mask_prompt, src,  src_mask, image,
        image_mask, decode, image_decode, follow, choose,      keep, remember};
    graphs[id](b, config, z);
}

/* For models that run memory attention on frames without memory; the released ones add no_mem_embed instead. */
static const char *const unused[] = {"no_mem_pos_enc", NULL};

const predictor predictor_sam2 = {
    .modes = 1u << SAM_VIDEO | 1u << SAM_IMAGE,
    .config_bytes = sizeof(sam2_config),
    .read_config = sam2_config_read,
    .size = size,
    .n_graphs = GRAPH_COUNT,
    .graph_names = graph_names,
    .build = build,
    .unused = unused,
    .steps = {[STEP_ENCODE] = {1, {GRAPH_ENCODE}},
              [STEP_IMAGE] = {3, {GRAPH_IMAGE, GRAPH_IMAGE_DECODE, GRAPH_CHOOSE}},
              [STEP_IMAGE_MASKED] = {3, {GRAPH_IMAGE_MASK, GRAPH_DECODE, GRAPH_CHOOSE}},
              [STEP_ALONE] = {1, {GRAPH_FIRST}},
              [STEP_ATTEND] = {1, {GRAPH_ATTEND}},
              [STEP_MASK] = {2, {GRAPH_MASK_PROMPT, GRAPH_RAW}},
              [STEP_DECODE] = {2, {GRAPH_SRC, GRAPH_DECODE}},
              [STEP_DECODE_MASKED] = {2, {GRAPH_SRC_MASK, GRAPH_DECODE}},
              [STEP_FOLLOW] = {1, {GRAPH_FOLLOW}},
              [STEP_CHOOSE] = {1, {GRAPH_CHOOSE}},
              [STEP_KEEP] = {1, {GRAPH_KEEP}},
              [STEP_REMEMBER] = {1, {GRAPH_REMEMBER}}},
    .input = {[SAM_VIDEO] = {FIT_STRETCH, RESAMPLE_PIL_BICUBIC}, [SAM_IMAGE] = {FIT_STRETCH, RESAMPLE_RGB_ANTIALIAS}},
    .logit_limit = 32,                     /* sam2_image_predictor.py, _predict */
    .generator = {.pred_iou_thresh = 0.8}, /* automatic_mask_generator.py */
    .absent_pointer = "no_obj_ptr",
};
