/* names_sam2.c - see names.h. The text follows the modules of sam2/modeling/, in the order their parameters are
 * registered: Hiera in backbones/hieradet.py, FPN in backbones/image_encoder.py, sam2_base.py for the rest. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "names.h"

void want(tensor_set *s, int n_dims, const int64_t *shape, const char *format, ...)
{
    char name[NAME_MAX_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(name, sizeof name, format, args);
    va_end(args);
    assert(n > 0 && (size_t)n < sizeof name);
    (void)n;
    tensor_set_add(s, name, ST_F32, n_dims, shape, NULL);
}

/* weight [out, in], bias [out] */
void want_linear(tensor_set *s, int n_out, int n_in, const char *where)
{
    want(s, 2, SHAPE(n_out, n_in), "%s.weight", where);
    want(s, 1, SHAPE(n_out), "%s.bias", where);
}

void want_conv(tensor_set *s, int n_out, int n_in, int kernel, const char *where)
{
    want(s, 4, SHAPE(n_out, n_in, kernel, kernel), "%s.weight", where);
    want(s, 1, SHAPE(n_out), "%s.bias", where);
}

void want_norm(tensor_set *s, int n, const char *where)
{
    want(s, 1, SHAPE(n), "%s.weight", where);
    want(s, 1, SHAPE(n), "%s.bias", where);
}

void want_one(tensor_set *s, int n, const char *name)
{
    want(s, 2, SHAPE(1, n), "%s", name);
}

tensor_name names_at(const char *format, ...)
{
    tensor_name s;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s.text, sizeof s.text, format, args);
    va_end(args);
    assert(n > 0 && (size_t)n < sizeof s.text);
    (void)n;
    return s;
}

static void mlp(tensor_set *s, int n_in, int n_hidden, int n_out, int n_layers, const char *where)
{
    for (int i = 0; i < n_layers; i++)
        want_linear(s, i == n_layers - 1 ? n_out : n_hidden, i == 0 ? n_in : n_hidden,
                    names_at("%s.layers.%d", where, i).text);
}

/* ------------------------------------------------------------------------------------- image encoder ---- */

static void hiera_block(tensor_set *s, int n_in, int n_out, const char *where)
{
    want_norm(s, n_in, names_at("%s.norm1", where).text);
    want_linear(s, 3 * n_out, n_in, names_at("%s.attn.qkv", where).text);
    want_linear(s, n_out, n_out, names_at("%s.attn.proj", where).text);
    want_norm(s, n_out, names_at("%s.norm2", where).text);
    mlp(s, n_out, 4 * n_out, n_out, 2, names_at("%s.mlp", where).text);
    if (n_in != n_out)
        want_linear(s, n_out, n_in, names_at("%s.proj", where).text);
}

static void hiera(tensor_set *s, const known_model *c)
{
    int n = c->embed_dim, bkg = c->window_pos_embed_bkg_px, window = c->window_spec[0], block = 0;
    want(s, 4, SHAPE(1, n, bkg, bkg), "image_encoder.trunk.pos_embed");
    want(s, 4, SHAPE(1, n, window, window), "image_encoder.trunk.pos_embed_window");
    want_conv(s, n, 3, 7, "image_encoder.trunk.patch_embed.proj");
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < c->stages[stage]; i++) {
            int n_out = stage > 0 && i == 0 ? 2 * n : n;
            hiera_block(s, n, n_out, names_at("image_encoder.trunk.blocks.%d", block++).text);
            n = n_out;
        }
}

static void fpn(tensor_set *s, int d, const int channels[4])
{
    for (int i = 0; i < 4; i++)
        want_conv(s, d, channels[i], 1, names_at("image_encoder.neck.convs.%d.conv", i).text);
}

/* -------------------------------------------------------------------- memory attention and encoder ---- */

static void attention(tensor_set *s, int n_embed, int n_inner, int n_keys, const char *where)
{
    want_linear(s, n_inner, n_embed, names_at("%s.q_proj", where).text);
    want_linear(s, n_inner, n_keys, names_at("%s.k_proj", where).text);
    want_linear(s, n_inner, n_keys, names_at("%s.v_proj", where).text);
    want_linear(s, n_embed, n_inner, names_at("%s.out_proj", where).text);
}

static void memory_attention(tensor_set *s, const known_model *c)
{
    const int d = c->d_model, hidden = c->memory_attention_mlp;
    for (int i = 0; i < c->memory_attention_layers; i++) {
        tensor_name layer = names_at("memory_attention.layers.%d", i);
        attention(s, d, d, d, names_at("%s.self_attn", layer.text).text);
        attention(s, d, d, MEM_DIM, names_at("%s.cross_attn_image", layer.text).text);
        want_linear(s, hidden, d, names_at("%s.linear1", layer.text).text);
        want_linear(s, d, hidden, names_at("%s.linear2", layer.text).text);
        for (int n = 1; n <= 3; n++)
            want_norm(s, d, names_at("%s.norm%d", layer.text, n).text);
    }
    want_norm(s, d, "memory_attention.norm");
}

static void memory_encoder(tensor_set *s, int d)
{
    int n_in = 1, i = 0;
    for (; i < 12; i += 3, n_in *= 4) { /* conv, norm, GELU */
        want_conv(s, 4 * n_in, n_in, 3, names_at("memory_encoder.mask_downsampler.encoder.%d", i).text);
        want_norm(s, 4 * n_in, names_at("memory_encoder.mask_downsampler.encoder.%d", i + 1).text);
    }
    want_conv(s, d, n_in, 1, names_at("memory_encoder.mask_downsampler.encoder.%d", i).text);
    want_conv(s, d, d, 1, "memory_encoder.pix_feat_proj");
    for (int layer = 0; layer < 2; layer++) {
        tensor_name fuser = names_at("memory_encoder.fuser.layers.%d", layer);
        want(s, 1, SHAPE(d), "%s.gamma", fuser.text);
        want_conv(s, d, 1, 7, names_at("%s.dwconv", fuser.text).text);
        want_norm(s, d, names_at("%s.norm", fuser.text).text);
        want_linear(s, 4 * d, d, names_at("%s.pwconv1", fuser.text).text);
        want_linear(s, d, 4 * d, names_at("%s.pwconv2", fuser.text).text);
    }
    want_conv(s, MEM_DIM, d, 1, "memory_encoder.out_proj");
}

/* --------------------------------------------------------------------- prompt encoder, mask decoder ---- */

void names_prompt_encoder(tensor_set *s, int d, const char *where)
{
    want(s, 2, SHAPE(2, d / 2), "%s.pe_layer.positional_encoding_gaussian_matrix", where);
    for (int i = 0; i < 4; i++)
        want_one(s, d, names_at("%s.point_embeddings.%d.weight", where, i).text);
    want_one(s, d, names_at("%s.not_a_point_embed.weight", where).text);
    want_conv(s, 4, 1, 2, names_at("%s.mask_downscaling.0", where).text);
    want_norm(s, 4, names_at("%s.mask_downscaling.1", where).text);
    want_conv(s, 16, 4, 2, names_at("%s.mask_downscaling.3", where).text);
    want_norm(s, 16, names_at("%s.mask_downscaling.4", where).text);
    want_conv(s, d, 16, 1, names_at("%s.mask_downscaling.6", where).text);
    want_one(s, d, names_at("%s.no_mask_embed.weight", where).text);
}

/* The feed-forward layers of the decoder's blocks; segment-anything calls them lin1 and lin2. */
static void feed_forward(tensor_set *s, const known_model *c, const char *where)
{
    const int d = c->d_model, is_vit = c->trunk == TRUNK_VIT;
    want_linear(s, 8 * d, d, names_at("%s.mlp.%s", where, is_vit ? "lin1" : "layers.0").text);
    want_linear(s, d, 8 * d, names_at("%s.mlp.%s", where, is_vit ? "lin2" : "layers.1").text);
}

static void two_way_transformer(tensor_set *s, const known_model *c, const char *where)
{
    const int d = c->d_model, half = d / 2;
    for (int i = 0; i < 2; i++) {
        tensor_name layer = names_at("%s.layers.%d", where, i);
        attention(s, d, d, d, names_at("%s.self_attn", layer.text).text);
        want_norm(s, d, names_at("%s.norm1", layer.text).text);
        attention(s, d, half, d, names_at("%s.cross_attn_token_to_image", layer.text).text);
        want_norm(s, d, names_at("%s.norm2", layer.text).text);
        feed_forward(s, c, layer.text);
        want_norm(s, d, names_at("%s.norm3", layer.text).text);
        want_norm(s, d, names_at("%s.norm4", layer.text).text);
        attention(s, d, half, d, names_at("%s.cross_attn_image_to_token", layer.text).text);
    }
    attention(s, d, half, d, names_at("%s.final_attn_token_to_image", where).text);
    want_norm(s, d, names_at("%s.norm_final_attn", where).text);
}

/* A transposed convolution: weight [in, out, 2, 2]. */
static void upscale(tensor_set *s, int n_in, int n_out, const char *where)
{
    want(s, 4, SHAPE(n_in, n_out, 2, 2), "%s.weight", where);
    want(s, 1, SHAPE(n_out), "%s.bias", where);
}

/* SAM 2's has an object score and takes finer features. */
void names_mask_decoder(tensor_set *s, const known_model *c, const char *where)
{
    const int n_masks = 4, d = c->d_model, is_vit = c->trunk == TRUNK_VIT;
    two_way_transformer(s, c, names_at("%s.transformer", where).text);
    want_one(s, d, names_at("%s.iou_token.weight", where).text);
    want(s, 2, SHAPE(n_masks, d), "%s.mask_tokens.weight", where);
    if (!is_vit)
        want_one(s, d, names_at("%s.obj_score_token.weight", where).text);
    upscale(s, d, d / 4, names_at("%s.output_upscaling.0", where).text);
    want_norm(s, d / 4, names_at("%s.output_upscaling.1", where).text);
    upscale(s, d / 4, d / 8, names_at("%s.output_upscaling.3", where).text);
    if (!is_vit) {
        want_conv(s, d / 8, d, 1, names_at("%s.conv_s0", where).text);
        want_conv(s, d / 4, d, 1, names_at("%s.conv_s1", where).text);
    }
    for (int i = 0; i < n_masks; i++)
        mlp(s, d, d, d / 8, 3, names_at("%s.output_hypernetworks_mlps.%d", where, i).text);
    mlp(s, d, d, n_masks, 3, names_at("%s.iou_prediction_head", where).text);
    if (!is_vit)
        mlp(s, d, d, 1, 3, names_at("%s.pred_obj_score_head", where).text);
}

/* -------------------------------------------------------------------------------------------- models ---- */

/* SAM 2 without the trunk of its image encoder, which EdgeTAM shares, in two parts: what comes before it in the state dict. */
static void names_before_trunk(tensor_set *s, const known_model *c)
{
    const int d = c->d_model;
    want(s, 4, SHAPE(NUM_MASKMEM, 1, 1, MEM_DIM), "maskmem_tpos_enc");
    want(s, 3, SHAPE(1, 1, d), "no_mem_embed");
    want(s, 3, SHAPE(1, 1, d), "no_mem_pos_enc");
    want_one(s, d, "no_obj_ptr");
    if (c->is_21)
        want_one(s, MEM_DIM, "no_obj_embed_spatial");
}

static void names_after_trunk(tensor_set *s, const known_model *c, const int neck_channels[4])
{
    const int d = c->d_model;
    fpn(s, d, neck_channels);
    want_conv(s, 1, 1, 4, "mask_downsample");
    memory_attention(s, c);
    memory_encoder(s, d);
    names_prompt_encoder(s, d, "sam_prompt_encoder");
    names_mask_decoder(s, c, "sam_mask_decoder");
    mlp(s, d, d, d, 3, "obj_ptr_proj");
    if (c->is_21)
        want_linear(s, MEM_DIM, d, "obj_ptr_tpos_proj");
}

sam_status names_of_model(const known_model *c, tensor_set *out, sam_error *err)
{
    *out = (tensor_set){0};
    if (c->trunk == TRUNK_VIT) {
        names_vit(out, c);
    } else if (c->trunk == TRUNK_HIERA) {
        names_before_trunk(out, c);
        const int n = c->embed_dim, neck[4] = {8 * n, 4 * n, 2 * n, n};
        hiera(out, c);
        names_after_trunk(out, c, neck);
    } else {
        names_before_trunk(out, c);
        const int neck[4] = {c->widths[3], c->widths[2], c->widths[1], c->widths[0]};
        names_repvit(out, c);
        names_after_trunk(out, c, neck);
        names_perceiver(out, c);
    }
    sam_status status = tensor_set_index(out, c->name, err);
    if (status != SAM_OK)
        tensor_set_free(out);
    return status;
}
