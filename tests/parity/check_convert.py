"""Checks conversion against PyTorch, timm and transformers, with weights of `samconvert random`.

    python check_convert.py SAMCONVERT [MODEL ...]

For each model: the checkpoint saved by torch.save (dict, {"model"}, {"state_dict"}, float16, bfloat16) and by
transformers' save_pretrained under its own names converts to the same tensors as `samconvert random`; for EdgeTAM every
folded convolution gives what timm's BatchNorm modules give. Needs torch, timm, safetensors, transformers.
"""

import json
import os
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file

HIERA = {
    "tiny": {},
    "small": dict(blocks_per_stage=[1, 2, 11, 2], global_attention_blocks=[7, 10, 13]),
    "base_plus": dict(
        hidden_size=112,
        embed_dim_per_stage=[112, 224, 448, 896],
        num_attention_heads_per_stage=[2, 4, 8, 16],
        blocks_per_stage=[2, 3, 16, 3],
        global_attention_blocks=[12, 16, 20],
        window_positional_embedding_background_size=(14, 14),
    ),
    "large": dict(
        hidden_size=144,
        embed_dim_per_stage=[144, 288, 576, 1152],
        num_attention_heads_per_stage=[2, 4, 8, 16],
        blocks_per_stage=[2, 6, 36, 4],
        global_attention_blocks=[23, 33, 43],
        window_positional_embedding_background_size=(7, 7),
        window_size_per_stage=[8, 4, 16, 8],
    ),
}

VIT = {  # SAM v1, as transformers' convert_sam_to_hf.py has them
    "b": {},
    "l": dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, global_attn_indexes=[5, 11, 17, 23]),
    "h": dict(hidden_size=1280, num_hidden_layers=32, num_attention_heads=16, global_attn_indexes=[7, 15, 23, 31]),
}


def equal(a, b):
    return list(a) == list(b) and all(x.dtype == b[k].dtype and torch.equal(x, b[k]) for k, x in a.items())


def in_file_order(path):
    with open(path, "rb") as f:
        n = int.from_bytes(f.read(8), "little")
        names = [k for k in json.loads(f.read(n)) if k != "__metadata__"]
    tensors = load_file(path)
    return {k: tensors[k] for k in names}


def hf_model(name):
    """The transformers model, with its own random weights."""
    import transformers as t

    if name == "edgetam":
        backbone = t.TimmWrapperConfig(
            architecture="repvit_m1",
            model_args={"in_chans": 3, "features_only": True, "out_indices": (0, 1, 2, 3)},
        )
        config = t.EdgeTamVideoConfig(
            vision_config=t.EdgeTamVisionConfig(backbone_config=backbone),
            enable_temporal_pos_encoding_for_object_pointers=False,
            enable_occlusion_spatial_embedding=False,
        )
        return t.EdgeTamVideoModel(config).eval()
    if name.startswith("sam_vit_"):
        return t.SamModel(t.SamConfig(vision_config=t.SamVisionConfig(**VIT[name[-1]]))).eval()
    channels = HIERA[name.rsplit("hiera_", 1)[1]]
    vision = dict(backbone_config=t.Sam2HieraDetConfig(**channels))
    if "embed_dim_per_stage" in channels:
        vision["backbone_channel_list"] = channels["embed_dim_per_stage"][::-1]
    is_21 = name.startswith("sam2.1")
    config = t.Sam2VideoConfig(
        vision_config=t.Sam2VisionConfig(**vision),
        enable_temporal_pos_encoding_for_object_pointers=is_21,
        enable_occlusion_spatial_embedding=is_21,
    )
    return t.Sam2VideoModel(config).eval()


def check_torch(run, d, name, official):
    """Every way of saving gives the tensors of `random`."""
    cases = {
        "bare": (official, []),
        "model": ({"model": official}, []),
        "state_dict": ({"state_dict": official, "epoch": 3}, []),
        "half": ({"model": {k: v.half() if v.is_floating_point() else v for k, v in official.items()}}, ["--half"]),
    }
    for case, (saved, options) in cases.items():
        torch.save(saved, f"{d}/in.pt")
        run("convert", f"{d}/in.pt", f"{d}/out.safetensors")
        run("random", "--model", name, *options, f"{d}/random.safetensors")
        if not equal(in_file_order(f"{d}/out.safetensors"), in_file_order(f"{d}/random.safetensors")):
            sys.exit(f"{name}: {case}: differs from `samconvert random`")
        print(f"{name}: torch.save, {case}: equal")


def check_hf(run, d, name, official):
    """transformers' own parameters, moved to official names by our converter, must be those of its model: every tensor of
    the official list is found, and none is left over (samconvert checks both)."""
    model = hf_model(name)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # distinct values everywhere: constant tensors would hide a wrong name
        for k, v in model.state_dict().items():
            if v.is_floating_point():
                v.copy_(torch.rand(v.shape, generator=generator) + 0.5)
        tables = "prompt_encoder.shared_embedding.positional_embedding", "shared_image_embedding.positional_embedding"
        model.state_dict()[tables[0]].copy_(model.state_dict()[tables[1]])
    model.save_pretrained(f"{d}/hf")
    run("convert", f"{d}/hf/model.safetensors", f"{d}/out.safetensors")
    ours = load_file(f"{d}/out.safetensors")
    values = {v.double().sum().item() for v in model.state_dict().values() if v.is_floating_point()}
    unmatched = [k for k, v in ours.items() if v.double().sum().item() not in values]
    special = [k for k in unmatched if ".point_embeddings." in k or ".to_kv." in k or ".trunk.body." in k]
    if set(unmatched) != set(special):
        sys.exit(f"{name}: converted tensors that are none of the model's: {sorted(set(unmatched) - set(special))}")
    prompts = "prompt_encoder" if name.startswith("sam_vit_") else "sam_prompt_encoder"
    points = torch.cat([ours[f"{prompts}.point_embeddings.{i}.weight"] for i in range(4)])
    theirs = model.prompt_encoder.point_embed
    assert torch.equal(points, torch.cat([p.weight for p in theirs]) if prompts == "prompt_encoder" else theirs.weight)
    if name == "edgetam":
        for i, layer in enumerate(model.spatial_perceiver.layers):
            for ours_name, theirs in (("attn", layer.cross_attention), ("self_attn", layer.self_attention)):
                kv = torch.cat([theirs.k_proj.weight, theirs.v_proj.weight])
                assert torch.equal(kv, ours[f"spatial_perceiver.layers.{i}.{ours_name}.to_kv.weight"])
        check_fold(name, ours, model.vision_encoder.backbone.timm_model)
    print(f"{name}: Hugging Face: all {len(ours)} tensors mapped, {len(special)} of them merged or folded")


def check_fold(name, ours, trunk):
    """Replaces each module by the folded convolution and compares outputs, in float64."""
    trunk = trunk.double().eval()
    checked, worst = 0, 0.0
    for path, module in trunk.named_modules():
        kind = type(module).__name__
        if kind not in ("ConvNorm", "RepVggDw") or (kind == "ConvNorm" and ".token_mixer." in path):
            continue
        stem = "image_encoder.trunk.body." + path + (".conv" if kind == "RepVggDw" else "")
        conv = module.conv.c if kind == "RepVggDw" else module.c
        x = torch.randn(1, conv.in_channels, 9, 9, dtype=torch.float64)
        wanted = module(x)
        found = torch.nn.functional.conv2d(
            x, ours[stem + ".weight"].double(), ours[stem + ".bias"].double(), conv.stride, conv.padding, 1, conv.groups
        )
        error = ((found - wanted).abs().max() / wanted.abs().max()).item()
        worst, checked = max(worst, error), checked + 1
        if not error <= 1e-6:
            sys.exit(f"{name}: {path}: folded convolution is off by {error:g}")
    print(f"{name}: {checked} folded convolutions, largest relative error {worst:.1e}")


def main():
    samconvert, names = sys.argv[1], sys.argv[2:] or ["sam2.1_hiera_tiny", "sam2_hiera_tiny", "edgetam", "sam_vit_b"]

    def run(*args):
        subprocess.run([samconvert, *args], check=True)

    for name in names:
        with tempfile.TemporaryDirectory() as d:
            run("random", "--model", name, "--format", "meta", f"{d}/meta.safetensors")
            official = in_file_order(f"{d}/meta.safetensors")
            check_torch(run, d, name, official)
            check_hf(run, d, name, official)


if __name__ == "__main__":
    main()
