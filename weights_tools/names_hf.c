/* names_hf.c - see names_hf.h. The renames of transformers' convert_sam2_video_to_hf.py and
 * convert_edgetam_video_to_hf.py and convert_sam_to_hf.py, applied to the official name in order. Besides names, Hugging Face
 *   (SAM 2) stacks sam_prompt_encoder.point_embeddings.0..3.weight into one point_embed table,
 *   splits the perceiver's to_kv into k_proj and v_proj,
 *   stores pe_layer.positional_encoding_gaussian_matrix twice. */
#include "names_hf.h"

#include <stdio.h>
#include <string.h>

typedef enum models { BOTH, EDGETAM_ONLY, VIT_ONLY } models; /* both: with and without EdgeTAM, and SAM v1 */

static const struct rename {
    models models;
    const char *inside; /* only in names that contain this; NULL: in all */
    const char *from, *to;
} renames[] = {
    /* heads of three layers */
    {BOTH, "iou_prediction_head", "layers.0", "proj_in"},
    {BOTH, "iou_prediction_head", "layers.1", "layers.0"},
    {BOTH, "iou_prediction_head", "layers.2", "proj_out"},
    {BOTH, "pred_obj_score_head", "layers.0", "proj_in"},
    {BOTH, "pred_obj_score_head", "layers.1", "layers.0"},
    {BOTH, "pred_obj_score_head", "layers.2", "proj_out"},
    {BOTH, "output_hypernetworks_mlps", "layers.0", "proj_in"},
    {BOTH, "output_hypernetworks_mlps", "layers.1", "layers.0"},
    {BOTH, "output_hypernetworks_mlps", "layers.2", "proj_out"},
    {BOTH, "obj_ptr_proj", "layers.0", "proj_in"},
    {BOTH, "obj_ptr_proj", "layers.1", "layers.0"},
    {BOTH, "obj_ptr_proj", "layers.2", "proj_out"},
    /* of two */
    {BOTH, NULL, "mlp.layers.0", "mlp.proj_in"},
    {BOTH, NULL, "mlp.layers.1", "mlp.proj_out"},
    /* mask decoder and prompt encoder */
    {BOTH, NULL, "output_upscaling.0", "upscale_conv1"},
    {BOTH, NULL, "output_upscaling.1", "upscale_layer_norm"},
    {BOTH, NULL, "output_upscaling.3", "upscale_conv2"},
    {BOTH, NULL, "mask_downscaling.0", "mask_embed.conv1"},
    {BOTH, NULL, "mask_downscaling.1", "mask_embed.layer_norm1"},
    {BOTH, NULL, "mask_downscaling.3", "mask_embed.conv2"},
    {BOTH, NULL, "mask_downscaling.4", "mask_embed.layer_norm2"},
    {BOTH, NULL, "mask_downscaling.6", "mask_embed.conv3"},
    {BOTH, NULL, "pe_layer.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"},
    {BOTH, NULL, "sam_prompt_encoder", "prompt_encoder"},
    {BOTH, NULL, "sam_mask_decoder", "mask_decoder"},
    /* memory encoder */
    {BOTH, "mask_downsampler", "encoder.12", "final_conv"},
    {BOTH, "mask_downsampler", "encoder.10", "layers.3.layer_norm"},
    {BOTH, "mask_downsampler", "encoder.0", "layers.0.conv"},
    {BOTH, "mask_downsampler", "encoder.1", "layers.0.layer_norm"},
    {BOTH, "mask_downsampler", "encoder.3", "layers.1.conv"},
    {BOTH, "mask_downsampler", "encoder.4", "layers.1.layer_norm"},
    {BOTH, "mask_downsampler", "encoder.6", "layers.2.conv"},
    {BOTH, "mask_downsampler", "encoder.7", "layers.2.layer_norm"},
    {BOTH, "mask_downsampler", "encoder.9", "layers.3.conv"},
    {BOTH, NULL, "dwconv", "depthwise_conv"},
    {BOTH, NULL, "pwconv", "pointwise_conv"},
    {BOTH, NULL, "fuser", "memory_fuser"},
    {BOTH, NULL, "gamma", "scale"},
    {BOTH, NULL, "pix_feat_proj", "feature_projection"},
    {BOTH, NULL, "memory_encoder.out_proj", "memory_encoder.projection"},
    /* top level */
    {BOTH, NULL, "obj_ptr_tpos_proj", "temporal_positional_encoding_projection_layer"},
    {BOTH, NULL, "no_obj_embed_spatial", "occlusion_spatial_embedding_parameter"},
    {BOTH, NULL, "maskmem_tpos_enc", "memory_temporal_positional_encoding"},
    {BOTH, NULL, "no_mem_embed", "no_memory_embedding"},
    {BOTH, NULL, "no_mem_pos_enc", "no_memory_positional_encoding"},
    {BOTH, NULL, "obj_ptr", "object_pointer"},
    /* image encoder */
    {BOTH, "image_encoder.neck", ".conv.", "."},
    {BOTH, NULL, "image_encoder.neck", "vision_encoder.neck"},
    {BOTH, NULL, "image_encoder.trunk", "vision_encoder.backbone"},
    {BOTH, NULL, "patch_embed.proj", "patch_embed.projection"},
    {EDGETAM_ONLY, NULL, "backbone.body", "backbone.timm_model"},
    /* SAM v1 */
    {VIT_ONLY, NULL, "neck.0", "neck.conv1"},
    {VIT_ONLY, NULL, "neck.1", "neck.layer_norm1"},
    {VIT_ONLY, NULL, "neck.2", "neck.conv2"},
    {VIT_ONLY, NULL, "neck.3", "neck.layer_norm2"},
    {VIT_ONLY, NULL, "image_encoder.blocks", "vision_encoder.layers"},
    {VIT_ONLY, NULL, "image_encoder", "vision_encoder"},
    {VIT_ONLY, NULL, "point_embeddings", "point_embed"},
    /* everywhere */
    {BOTH, NULL, ".norm", ".layer_norm"},
    {BOTH, NULL, "out_proj", "o_proj"},
    {EDGETAM_ONLY, "memory_attention", "linear1", "mlp.up_proj"},
    {EDGETAM_ONLY, "memory_attention", "linear2", "mlp.down_proj"},
    /* perceiver */
    {EDGETAM_ONLY, "spatial_perceiver", "self_attn.layer_norm", "layer_norm_self"},
    {EDGETAM_ONLY, "spatial_perceiver", "attn.layer_norm_x", "layer_norm_input"},
    {EDGETAM_ONLY, "spatial_perceiver", "attn.layer_norm_latents", "layer_norm_latents"},
    {EDGETAM_ONLY, "spatial_perceiver", "self_attn", "self_attention"},
    {EDGETAM_ONLY, "spatial_perceiver", ".attn.", ".cross_attention."},
    {EDGETAM_ONLY, "spatial_perceiver", "to_q", "q_proj"},
    {EDGETAM_ONLY, "spatial_perceiver", "to_out", "o_proj"},
    {EDGETAM_ONLY, "spatial_perceiver", "ff.0", "mlp.layer_norm"},
    {EDGETAM_ONLY, "spatial_perceiver", "ff.1", "mlp.up_proj"},
    {EDGETAM_ONLY, "spatial_perceiver", "ff.3", "mlp.down_proj"},
};

/* Replaces the first occurrence; no name has two. */
static void replace(char name[NAME_MAX_BYTES], const char *from, const char *to)
{
    char rest[NAME_MAX_BYTES];
    char *at = strstr(name, from);
    if (!at)
        return;
    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, NAME_MAX_BYTES - (size_t)(at - name), "%s%s", to, rest);
}

/* SAM v1 keeps out_proj, lin1 and lin2, and its neck is no pyramid. */
static int applies(const struct rename *r, model_trunk trunk, const char *name)
{
    int is_vit = trunk == TRUNK_VIT;
    if (r->models == EDGETAM_ONLY ? trunk != TRUNK_REPVIT : r->models == VIT_ONLY && !is_vit)
        return 0;
    if (is_vit && (strcmp(r->from, "out_proj") == 0 || strcmp(r->from, "image_encoder.neck") == 0))
        return 0;
    return !r->inside || strstr(name, r->inside) != NULL;
}

void hf_source_of(const char *official, model_trunk trunk, hf_source *out)
{
    static const char points[] = "sam_prompt_encoder.point_embeddings.";
    *out = (hf_source){.row = -1};
    if (trunk != TRUNK_VIT && strncmp(official, points, sizeof points - 1) == 0) {
        out->row = official[sizeof points - 1] - '0';
        snprintf(out->name, sizeof out->name, "prompt_encoder.point_embed.weight");
        return;
    }
    snprintf(out->name, sizeof out->name, "%s", official);
    if (strcmp(official, "spatial_perceiver.latents") == 0)
        snprintf(out->name, sizeof out->name, "spatial_perceiver.latents_1d");
    for (size_t i = 0; i < sizeof renames / sizeof renames[0]; i++)
        if (applies(&renames[i], trunk, out->name))
            replace(out->name, renames[i].from, renames[i].to);
    if (strstr(out->name, ".to_kv.")) {
        memcpy(out->second, out->name, sizeof out->second);
        replace(out->name, "to_kv", "k_proj");
        replace(out->second, "to_kv", "v_proj");
    }
}
