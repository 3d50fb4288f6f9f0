#include "sam2.h"

#include "blocks.h"
#include "position.h"

#include <string.h>

const char *const graph_names[GRAPH_COUNT] = {"encode", "first",    "raw",    "attend", "mask_prompt",
                                              "src",    "src_mask", "decode", "keep",   "remember"};

/* Around the earliest prompted frame a reverse pass needs the frames a forward pass went through first. */
#define N_GUARDED 1

model_size size_of_model(const model_config *c, int side_px, int max_points, int max_prompted)
{
    int side = side_px / 16, recent = c->num_maskmem - 1, pointers = c->max_obj_ptrs - 1;
    return (model_size){.side_px = side_px,
                        .side = side,
                        .max_prompt_tokens = max_points + 3, /* two box corners and the padding point */
                        .max_frames = max_prompted + recent,
                        .max_pointers = max_prompted + pointers,
                        .bank_slots = max_prompted + (1 + N_GUARDED) * recent + 2,
                        .pointer_slots = max_prompted + (1 + N_GUARDED) * pointers + 2,
                        .memory_tokens = c->latents_2d ? c->latents + c->latents_2d : side * side};
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

static val features(builder *b, const model_config *c, const model_size *z)
{
    return state(b, "features", 1, z->side * z->side, c->d_model, b->act);
}

/* image_encoder.py, ImageEncoder.forward, and sam2_base.py, forward_image: the decoder's 1x1 convolutions of the two
 * fine levels run once per frame. */
static void encode(builder *b, const model_config *c, const model_size *z)
{
    scope encoder = at(root(), "image_encoder"), decoder = at(root(), "sam_mask_decoder");
    val image = cast(b, state(b, "image", 1, z->side_px * z->side_px, 3, DT_F32), b->act);
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
static void first(builder *b, const model_config *c, const model_size *z)
{
    output(b, add(b, features(b, c, z), weight_vector(b, root(), "no_mem_embed", c->d_model)), "pix_feat", N_OBJECTS);
}

/* sam2_base.py, _use_mask_as_output: the decoder sees the plain features. */
static void raw(builder *b, const model_config *c, const model_size *z)
{
    val x = features(b, c, z);
    output(b, apply(b, OP_cast, &x, 1, (op_attr){.type = b->act}), "pix_feat", N_OBJECTS);
}

/* sam2_base.py, _prepare_memory_conditioned_features: which frames and pointers is the caller's choice (membank.c). */
static void attend(builder *b, const model_config *c, const model_size *z)
{
    val ages = control(b, "pointer_ages", z->max_pointers, 1, DT_F32), pointer_position = no_val();
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
    val in[] = {state_pool(b, "bank", z->bank_slots, z->memory_tokens, c->mem_dim, DT_BF16),
                position,
                weight_rows(b, root(), "maskmem_tpos_enc", c->num_maskmem, c->mem_dim),
                control(b, "memory_slots", z->max_frames, 1, DT_I32),
                control(b, "memory_ages", z->max_frames, 1, DT_I32),
                control(b, "n_memories", 1, 1, DT_I32),
                state_pool(b, "pointer_bank", z->pointer_slots, 1, c->d_model, DT_F32),
                control(b, "pointer_slots", z->max_pointers, 1, DT_I32),
                control(b, "n_pointers", 1, 1, DT_I32),
                pointer_position};
    val mem = apply(b, OP_memory_gather, in, 10, (op_attr){.count = z->memory_tokens, .type = b->act});
    memory_tokens m = {.mem = named(b, mem, "memory_attention.memory"),
                       .key = {mem.id + 1},
                       .n_keys = {mem.id + 2},
                       .n_rotated = {mem.id + 3},
                       .tokens_per_frame = z->memory_tokens};
    output(b, memory_attention(b, c, features(b, c, z), z->side, m, at(root(), "memory_attention")), "pix_feat",
           N_OBJECTS);
}

/* sam2_base.py, mask_downsample: a learned 4x4 stride 4 convolution of the user's 0/1 mask. */
static void mask_prompt(builder *b, const model_config *c, const model_size *z)
{
    val mask = state(b, "mask_image", 1, z->side_px * z->side_px, 1, DT_F32);
    (void)c;
    val logits = conv2d(b, cast(b, mask, b->act), z->side_px, z->side_px, 1, 4, 4, 0, 1, at(root(), "mask_downsample"));
    output(b, cast(b, logits, DT_F32), "mask_prompt", N_OBJECTS);
}

static val pix_feat(builder *b, const model_config *c, const model_size *z)
{
    return state(b, "pix_feat", N_OBJECTS, z->side * z->side, c->d_model, b->act);
}

static void src(builder *b, const model_config *c, const model_size *z)
{
    val none = weight_vector(b, at(at(root(), "sam_prompt_encoder"), "no_mask_embed"), "weight", c->d_model);
    output(b, add(b, pix_feat(b, c, z), none), "src", N_OBJECTS);
}

static void src_mask(builder *b, const model_config *c, const model_size *z)
{
    val logits = state(b, "mask_prompt", N_OBJECTS, 16 * z->side * z->side, 1, DT_F32);
    val dense = mask_embedding(b, c, logits, z->side, at(root(), "sam_prompt_encoder"));
    output(b, add(b, pix_feat(b, c, z), dense), "src", N_OBJECTS);
}

/* sam2_base.py, _forward_sam_heads. */
static void decode(builder *b, const model_config *c, const model_size *z)
{
    int t = z->side * z->side, d = c->d_model;
    scope prompt = at(root(), "sam_prompt_encoder");
    val points = control(b, "points", z->max_prompt_tokens, 2, DT_F32);
    val labels = control(b, "labels", z->max_prompt_tokens, 1, DT_I32);
    val mode = control(b, "mode", 1, 1, DT_I32);
    decoded m = mask_decoder(b, c, state(b, "src", N_OBJECTS, t, d, b->act), dense_position(b, z->side, d, prompt),
                             prompt_tokens(b, c, points, labels, z->side_px, prompt),
                             control(b, "n_tokens", 1, 1, DT_I32), state(b, "high_res_0", 1, 16 * t, d / 8, b->act),
                             state(b, "high_res_1", 1, 4 * t, d / 4, b->act), z->side, at(root(), "sam_mask_decoder"));
    output(b, m.masks, "masks", N_OBJECTS);
    output(b, m.ious, "ious", N_OBJECTS);
    output(b, m.score, "score", N_OBJECTS);
    val chosen = apply(b, OP_select_mask, (val[]){m.masks, m.ious, m.score, m.tokens, mode}, 5,
                       (op_attr){.scale = 0.05f, .bias = 0.98f});
    val token = {chosen.id + 2};
    val pointer = cast(b, mlp(b, token, d, d, 3, ACT_RELU, at(root(), "obj_ptr_proj")), DT_F32);
    pointer = apply(b, OP_gate_present, (val[]){pointer, weight_vector(b, root(), "no_obj_ptr", d), m.score}, 3,
                    (op_attr){.first = 0});
    output(b, chosen, "low_res", N_OBJECTS);
    output(b, (val){chosen.id + 1}, "iou", N_OBJECTS);
    output(b, (val){chosen.id + 3}, "chosen", N_OBJECTS);
    output(b, pointer, "pointer", N_OBJECTS);
}

static val low_res(builder *b, const model_size *z)
{
    return state(b, "low_res", N_OBJECTS, 1, 16 * z->side * z->side, DT_F32);
}

/* What the decoder chose, into the object's places in the bank. */
static void keep(builder *b, const model_config *c, const model_size *z)
{
    val pointer = state(b, "pointer", N_OBJECTS, 1, c->d_model, DT_F32);
    output_to_pool(b, low_res(b, z), control(b, "keep_slot", 1, 1, DT_I32), "logits_bank", z->bank_slots, DT_F32);
    output_to_pool(b, pointer, control(b, "keep_pointer_slot", 1, 1, DT_I32), "pointer_bank", z->pointer_slots, DT_F32);
}

/* sam2_base.py, _encode_new_memory. The bank is bfloat16 in every precision, as the predictor stores it. */
static void remember(builder *b, const model_config *c, const model_size *z)
{
    val mask = apply(b, OP_mask_upscale, (val[]){low_res(b, z), control(b, "binarise", 1, 1, DT_I32)}, 2,
                     (op_attr){.h = 4 * z->side,
                               .w = 4 * z->side,
                               .kernel = 4,
                               .scale = c->mask_scale,
                               .bias = c->mask_bias,
                               .type = b->act});
    val memory = memory_encoder(b, c, features(b, c, z), mask, z->side, at(root(), "memory_encoder"));
    if (c->no_obj_embed_spatial) {
        val absent = weight_vector(b, root(), "no_obj_embed_spatial", c->mem_dim);
        memory = apply(b, OP_gate_present, (val[]){memory, absent, state(b, "score", N_OBJECTS, 1, 1, DT_F32)}, 3,
                       (op_attr){.first = 1});
    }
    if (c->latents_2d)
        memory = perceiver(b, c, memory, z->side, at(root(), "spatial_perceiver"));
    output_to_pool(b, memory, control(b, "keep_slot", 1, 1, DT_I32), "bank", z->bank_slots, DT_BF16);
}

void build_graph(builder *b, graph_id id, const model_config *c, const model_size *z)
{
    static void (*const build[GRAPH_COUNT])(builder *, const model_config *, const model_size *) = {
        encode, first, raw, attend, mask_prompt, src, src_mask, decode, keep, remember};
    build[id](b, c, z);
}

void ignore_unused(weights *w)
{
    /* For models that run memory attention on frames without memory; the released ones add no_mem_embed instead. */
    weights_ignore(w, "no_mem_pos_enc");
}
