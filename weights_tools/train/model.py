"""The demo models: the official SAM 2.1 classes with smaller numbers, the same with EdgeTAM's parts, and checkpoints.

Everything comes from the PyPI package `sam2` (facebookresearch/sam2), but for what edgetam.py has. CONFIGS is what samconvert
writes into the converted files, so the engine needs no code for these sizes. Two widths that the official
`_build_sam_heads` hard codes for 256 channels follow d_model here, as they do in the engine: the decoder's MLP (8 d_model)
and the IoU head (d_model).
"""
import json
import os
import sys

import torch

import edgetam

SAM21, EDGETAM = "sam2.1", "edgetam"
CONFIG = {
    "version": "2.1",
    "image_size": 256,
    "trunk": "hiera",
    "embed_dim": 24,
    "num_heads": 1,
    "stages": [1, 2, 4, 1],
    "global_att_blocks": [4, 5, 6],
    "window_spec": [8, 4, 8, 4],
    "window_pos_embed_bkg_spatial_size": [8, 8],
    "q_pool": 3,
    "d_model": 128,
    "mem_dim": 64,
    "memory_attention_layers": 2,
    "memory_attention_mlp": 256,
    "num_maskmem": 7,
    "max_obj_ptrs": 16,
    "object_pointer_time_encoding": True,
    "no_obj_embed_spatial": True,
    "sigmoid_scale": 20,
    "sigmoid_bias": -10,
}
CONFIGS = {SAM21: CONFIG, EDGETAM: {**CONFIG, **edgetam.CHANGES}}
LOCAL_BIAS = 2.0  # how sharply memory attention looks at its own place at first
FEATURE_SCALE = 6.0  # standard deviation of the features that the decoder has learnt from before clips begin
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _hiera(c):
    from sam2.modeling.backbones.hieradet import Hiera

    return Hiera(
        embed_dim=c["embed_dim"],
        num_heads=c["num_heads"],
        stages=c["stages"],
        global_att_blocks=c["global_att_blocks"],
        window_spec=c["window_spec"],
        window_pos_embed_bkg_spatial_size=c["window_pos_embed_bkg_spatial_size"],
        q_pool=c["q_pool"],
    )


def _image_encoder(c):
    from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
    from sam2.modeling.position_encoding import PositionEmbeddingSine

    d = c["d_model"]
    trunk = _hiera(c) if c["trunk"] == "hiera" else edgetam.RepViT(c["widths"], c["depths"])
    neck = FpnNeck(
        position_encoding=PositionEmbeddingSine(num_pos_feats=d, normalize=True, scale=None, temperature=10000),
        d_model=d,
        backbone_channel_list=trunk.channel_list,
        fpn_top_down_levels=[2, 3],
        fpn_interp_model="nearest",
    )
    return ImageEncoder(trunk=trunk, neck=neck, scalp=1)


def _memory_attention(c, side):
    from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
    from sam2.modeling.sam.transformer import RoPEAttention

    d = c["d_model"]
    rope = dict(rope_theta=10000.0, feat_sizes=(side, side), embedding_dim=d, num_heads=1, downsample_rate=1, dropout=0.0)
    if c["trunk"] == "hiera":
        cross_attention = RoPEAttention(rope_k_repeat=True, kv_in_dim=c["mem_dim"], **rope)
    else:
        cross_attention = edgetam.cross_attention(c, **rope)
    layer = MemoryAttentionLayer(
        activation="relu",
        dim_feedforward=c["memory_attention_mlp"],
        dropout=0.0,
        pos_enc_at_attn=False,
        self_attention=RoPEAttention(**rope),
        d_model=d,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        cross_attention=cross_attention,
    )
    return MemoryAttention(d_model=d, pos_enc_at_input=True, layer=layer, num_layers=c["memory_attention_layers"])


def _memory_encoder(c):
    from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
    from sam2.modeling.position_encoding import PositionEmbeddingSine

    d, m = c["d_model"], c["mem_dim"]
    block = CXBlock(dim=d, kernel_size=7, padding=3, layer_scale_init_value=0.1, use_dwconv=True)
    return MemoryEncoder(
        out_dim=m,
        mask_downsampler=MaskDownSampler(embed_dim=d, kernel_size=3, stride=2, padding=1),
        fuser=Fuser(block, num_layers=2),
        position_encoding=PositionEmbeddingSine(num_pos_feats=m, normalize=True, scale=None, temperature=10000),
        in_dim=d,
    )


def _with_our_heads(base):
    """`base`, a class of the official package, with the decoder's widths from d_model."""
    from sam2.modeling.sam.mask_decoder import MaskDecoder
    from sam2.modeling.sam.transformer import TwoWayTransformer

    class Demo(base):
        def _build_sam_heads(self):
            super()._build_sam_heads()
            d = self.hidden_dim
            self.sam_mask_decoder = MaskDecoder(
                num_multimask_outputs=3,
                transformer=TwoWayTransformer(depth=2, embedding_dim=d, mlp_dim=8 * d, num_heads=8),
                transformer_dim=d,
                iou_head_depth=3,
                iou_head_hidden_dim=d,
                use_high_res_features=True,
                iou_prediction_use_sigmoid=True,
                pred_obj_scores=True,
                pred_obj_scores_mlp=True,
                use_multimask_token_for_obj_ptr=True,
                **(self.sam_mask_decoder_extra_args or {}),
            )

    Demo.__module__ = base.__module__
    return Demo


def build(image_px, predictor=False, kind=SAM21):
    """The model for a side of `image_px`, with fresh weights: to train, or as the official video predictor."""
    try:
        if predictor:
            from sam2.sam2_video_predictor import SAM2VideoPredictor as base
        else:
            from sam2.modeling.sam2_base import SAM2Base as base
    except ImportError as e:
        sys.exit(f"{e}: install the official package (pip install sam2), or put its checkout on PYTHONPATH")
    c = CONFIGS[kind]
    base = _with_our_heads(edgetam.with_perceiver(base) if kind == EDGETAM else base)
    net = base(
        image_encoder=_image_encoder(c),
        memory_attention=_memory_attention(c, image_px // 16),
        memory_encoder=_memory_encoder(c),
        num_maskmem=c["num_maskmem"],
        image_size=image_px,
        sigmoid_scale_for_mem_enc=float(c["sigmoid_scale"]),
        sigmoid_bias_for_mem_enc=float(c["sigmoid_bias"]),
        use_mask_input_as_output_without_sam=True,
        directly_add_no_mem_embed=True,
        no_obj_embed_spatial=c["no_obj_embed_spatial"],
        use_high_res_features_in_sam=True,
        multimask_output_in_sam=True,
        iou_prediction_use_sigmoid=True,
        max_obj_ptrs_in_encoder=c["max_obj_ptrs"],
        use_obj_ptrs_in_encoder=True,
        add_tpos_enc_to_obj_ptrs=c["object_pointer_time_encoding"],
        proj_tpos_enc_in_obj_ptrs=c["object_pointer_time_encoding"],
        use_signed_tpos_enc_to_obj_ptrs=c["object_pointer_time_encoding"],
        only_obj_ptrs_in_the_past_for_eval=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        fixed_no_obj_ptr=True,
        multimask_output_for_tracking=True,
        use_multimask_token_for_obj_ptr=True,
        multimask_min_pt_num=0,
        multimask_max_pt_num=1,
        use_mlp_for_obj_ptr_proj=True,
        binarize_mask_from_pts_for_mem_enc=True,
        sam_mask_decoder_extra_args=dict(
            dynamic_multimask_via_stability=True,
            dynamic_multimask_stability_delta=0.05,
            dynamic_multimask_stability_thresh=0.98,
        ),
        **({"fill_hole_area": 8} if predictor else {}),
    )
    if kind == EDGETAM:
        net.spatial_perceiver = edgetam.Perceiver(
            c["mem_dim"], c["perceiver_depth"], c["perceiver_latents"], c["perceiver_window_grid"]
        )
    return net


def open_trained(path, image_px, predictor=False, kind=None):
    """`build` with the weights of a file that load_weights reads; one line and out if they do not fit. `kind`: what it must be."""
    state = load_weights(path)
    kind = kind or kind_of(state)
    net = build(image_px, predictor, kind)
    try:
        net.load_state_dict(state)
    except RuntimeError as e:
        sys.exit(f"{path}: does not fit the demo model {kind}: {str(e).splitlines()[1].strip()}")
    return net


def kind_of(state):
    """Which of the demo models a state dict belongs to."""
    return EDGETAM if any(name.startswith("spatial_perceiver.") for name in state) else SAM21


def initialise(net):
    """First weights that suit a short training: prompts act by their place from the start.

    A token finds the part of the image at its place because queries and keys of cross-attention begin equal, and because
    what a token is (click, corner, mask) is small beside where it is. The same in memory attention: equal constants in
    queries and keys, rotated by their positions, make a pixel look at its own place in the frames before. There, what
    differs between objects must not drown in what they share: with the usual first weights the mask is a hundredth of
    what memory attention hands to the decoder, which then learns to track only after thousands of steps."""
    with torch.no_grad():
        prompt = net.sam_prompt_encoder
        for e in [*prompt.point_embeddings, prompt.not_a_point_embed, prompt.no_mask_embed]:
            e.weight.mul_(0.15)
        decoder = net.sam_mask_decoder
        decoder.mask_tokens.weight.mul_(0.3)
        decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
        blocks = decoder.transformer.layers
        for a in [*(b.cross_attn_token_to_image for b in blocks), *(b.cross_attn_image_to_token for b in blocks),
                  decoder.transformer.final_attn_token_to_image]:
            a.q_proj.weight.mul_(2.0)
            a.k_proj.weight.copy_(a.q_proj.weight)
        memory = net.memory_attention
        for layer in memory.layers:
            cross = layer.cross_attn_image
            cross.q_proj.bias.fill_(LOCAL_BIAS)
            cross.k_proj.bias.fill_(LOCAL_BIAS)
            cross.v_proj.weight.mul_(3.0)
            cross.out_proj.weight.mul_(3.0)
        memory.norm.weight.fill_(FEATURE_SCALE)
        encoder = net.memory_encoder
        encoder.mask_downsampler.encoder[-1].weight.mul_(8.0)
        encoder.pix_feat_proj.weight.mul_(0.3)
        net.obj_ptr_proj.layers[-1].weight.mul_(5.0)


def count_parameters(net):
    return sum(p.numel() for p in net.state_dict().values())


def save_atomically(thing, path):
    partial = f"{path}.partial"
    torch.save(thing, partial)
    os.replace(partial, path)


def load(path):
    """A file of torch.save; one line and out if it is not one."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as e:
        sys.exit(f"{path}: cannot be read as a checkpoint: {str(e).splitlines()[0]}")


def load_weights(path):
    """{name: f32 tensor} of a checkpoint of the training program, or of the same converted by samconvert."""
    if not path.endswith(".safetensors"):
        state = load(path)
        if "model" not in state:
            sys.exit(f"{path}: expected a checkpoint with the key \"model\"")
        return {k: v.float() for k, v in state["model"].items()}
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    try:
        with open(path, "rb") as f:
            header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
            data = bytearray(f.read())
        header.pop("__metadata__", None)
        state = {
            name: torch.frombuffer(data[slice(*t["data_offsets"])], dtype=types[t["dtype"]]).view(t["shape"]).float()
            for name, t in header.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as e:
        sys.exit(f"{path}: cannot be read as safetensors: {e}")
    return edgetam.unfolded(state) if kind_of(state) == EDGETAM else state
