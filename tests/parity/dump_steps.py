"""Every intermediate value of one tracked clip, for finding the first step at which an engine differs.

    python dump_steps.py --model sam2.1_tiny --imgsz 512 --input FRAMES --out steps.safetensors --sam2 DIR

One object, one point (or --point) on frame 0, tracked to frame 4; float32. Names are `<phase>/<module path>[.<what>]`;
phases are encode_<t>, prompt_0 (decoder on the prompted frame), remember_<t> (memory encoder), track_<t> (memory
attention, decoder). Arrays are row-major: feature maps [H*W, C], tokens [N, C], masks [..., H, W]. An index is
written beside the file: name, shape, and what it is worth knowing.
"""
import argparse
import os
import re

os.environ.setdefault("TQDM_DISABLE", "1")

import torch
import torch.nn.functional as F

import cases
import hash_weights as hw
import official
import synthetic_clip

NCHW, NHWC, TOKENS, SEQ_FIRST, RAW = "nchw", "nhwc", "tokens", "seq_first", "raw"

# (module path, layout of its output); the first match counts, others are not recorded
OUTPUTS = [
    (r"^image_encoder\.trunk\.(patch_embed|blocks\.\d+)$", NHWC),
    (r"^image_encoder\.trunk\.body\.(stem|stages_\d)$", NCHW),
    (r"^image_encoder\.trunk\.body\.stages_\d\.(downsample|blocks\.\d+)$", NCHW),
    (r"^image_encoder\.trunk\.body\.stages_\d\.(downsample\.(pre_block|spatial_downsample|channel_downsample)|blocks\.\d+\.(token_mixer|se))$", NCHW),
    (r"^image_encoder\.neck\.convs\.\d$", NCHW),
    (r"^sam_mask_decoder\.conv_s[01]$", NCHW),
    (r"^sam_prompt_encoder\.mask_downscaling$", NCHW),
    (r"^sam_mask_decoder\.transformer\.layers\.\d\.(self_attn|norm[123]|norm4|cross_attn_\w+|mlp)$", TOKENS),
    (r"^sam_mask_decoder\.transformer\.(final_attn_token_to_image|norm_final_attn)$", TOKENS),
    (r"^sam_mask_decoder\.output_upscaling\.\d$", NCHW),
    (r"^sam_mask_decoder\.output_hypernetworks_mlps\.\d$", TOKENS),
    (r"^obj_ptr_proj$", TOKENS),
    (r"^obj_ptr_tpos_proj$", RAW),
    (r"^mask_downsample$", NCHW),
    (r"^memory_encoder\.(mask_downsampler\.encoder\.\d+|pix_feat_proj|fuser\.layers\.\d|fuser\.layers\.\d\.(dwconv|norm)|out_proj)$", NCHW),
    (r"^memory_attention\.layers\.\d(\.(norm\d|self_attn|cross_attn_image|linear2))?$", TOKENS),
    (r"^memory_attention\.norm$", TOKENS),
    (r"^spatial_perceiver\.layers\.\d(\.(attn|ff|self_attn|self_ff))?$", "perceiver"),
]


def flat(x, layout):
    """One array of the layouts named above, as written to the file."""
    x = x.detach().float()
    if layout == NCHW:
        x = x.permute(0, 2, 3, 1).flatten(0, 2)
    elif layout == NHWC:
        x = x.flatten(0, 2)
    elif layout in (TOKENS, SEQ_FIRST):
        x = x.flatten(0, 1)
    return x.contiguous().numpy().copy()


class Recorder:
    def __init__(self):
        self.phase, self.values, self.notes = None, {}, {}

    def put(self, name, x, layout=RAW, note=""):
        if self.phase is None:
            return
        key = f"{self.phase}/{name}"
        n = 2
        while key in self.values:  # the same module run again in a phase, e.g. the perceiver's layers
            key = f"{self.phase}/{name}#{n}"
            n += 1
        self.values[key] = flat(x, layout)
        self.notes[key] = note

    def hook(self, net):
        for name, module in net.named_modules():
            for pattern, layout in OUTPUTS:
                if re.search(pattern, name):
                    module.register_forward_hook(self._output(name, layout))
                    break
        for i, block in enumerate(getattr(net.image_encoder.trunk, "blocks", [])):
            what = f"image_encoder.trunk.blocks.{i}"
            if i == 0:
                block.register_forward_pre_hook(lambda m, a: self.put(
                    "image_encoder.trunk.after_pos_embed", a[0], NHWC, "patch embedding + position"))
            block.norm2.register_forward_pre_hook(lambda m, a, w=what: self.put(
                w + ".after_attention", a[0], NHWC, "shortcut + attention, before norm2"))
        net.memory_encoder.mask_downsampler.register_forward_pre_hook(
            lambda m, a: self.put("memory_encoder.mask", a[0][0, 0], RAW, "after sigmoid or threshold, scale, bias"))
        net.memory_encoder.fuser.register_forward_pre_hook(
            lambda m, a: self.put("memory_encoder.fuser.input", a[0], NCHW, "pix_feat_proj + downsampled mask"))
        net.memory_encoder.register_forward_hook(self._memory_encoder)
        net.memory_attention.register_forward_pre_hook(self._memory_attention, with_kwargs=True)
        for i, layer in enumerate(net.memory_attention.layers):
            name = f"memory_attention.layers.{i}"
            layer.norm2.register_forward_pre_hook(
                lambda m, a, n=name: self.put(n + ".after_self_attn", a[0], TOKENS))
            layer.norm3.register_forward_pre_hook(
                lambda m, a, n=name: self.put(n + ".after_cross_attn", a[0], TOKENS))
        if getattr(net, "spatial_perceiver", None) is not None:
            net.spatial_perceiver.register_forward_pre_hook(self._perceiver_input)
            net.spatial_perceiver.register_forward_hook(self._perceiver_output)
        self._wrap(net)

    def _output(self, name, layout):
        def record(module, args, out):
            if layout == "perceiver":  # global latents [1,256,C] and window latents [256,1,C]
                window = out.shape[1] == 1
                self.put(name + (".window" if window else ".global"), out, TOKENS)
                return
            if isinstance(out, tuple):
                return
            self.put(name, out, layout)
        return record

    def _perceiver_input(self, module, args):
        self.put("spatial_perceiver.input", args[0], NCHW)
        self.put("spatial_perceiver.input_pos", args[1], NCHW)

    def _perceiver_output(self, module, args, out):
        self.put("spatial_perceiver.output", out[0], TOKENS, "256 global then 256 window latents")
        self.put("spatial_perceiver.output_pos", out[1], TOKENS)

    def _memory_encoder(self, module, args, out):
        self.put("memory_encoder.output", out["vision_features"], NCHW, "before no-object embedding, float32")
        self.put("memory_encoder.output_pos", out["vision_pos_enc"][0], NCHW)

    def _memory_attention(self, module, args, kwargs):
        self.put("memory_attention.curr", kwargs["curr"][0], SEQ_FIRST, "without no_mem_embed")
        self.put("memory_attention.curr_pos", kwargs["curr_pos"][0], SEQ_FIRST)
        self.put("memory_attention.memory", kwargs["memory"], SEQ_FIRST,
                 f"spatial memories, then {kwargs['num_obj_ptr_tokens']} pointer tokens")
        self.put("memory_attention.memory_pos", kwargs["memory_pos"], SEQ_FIRST)

    def _wrap(self, net):
        """Functions that are no modules."""
        decoder = net.sam_mask_decoder
        predict_masks, forward_heads = decoder.predict_masks, net._forward_sam_heads
        encode_memory, prompt = net._encode_new_memory, net.sam_prompt_encoder.forward
        neck, condition = net.image_encoder.neck.forward, net._prepare_memory_conditioned_features

        def rec_neck(xs):
            out, pos = neck(xs)
            for i, (x, p) in enumerate(zip(out, pos)):
                self.put(f"image_encoder.neck.level_{i}", x, NCHW, "stride %d" % (4 << i))
                self.put(f"image_encoder.neck.level_{i}_pos", p, NCHW)
            return out, pos

        def rec_prompt(points, boxes, masks):
            sparse, dense = prompt(points, boxes, masks)
            self.put("prompt.coords", points[0][0], RAW, "in network pixels, before + 0.5")
            self.put("prompt.labels", points[1][0].float())
            self.put("prompt.sparse", sparse, TOKENS, "points, then the padding point")
            self.put("prompt.dense", dense, NCHW)
            self.put("prompt.image_pe", net.sam_prompt_encoder.get_dense_pe(), NCHW)
            return sparse, dense

        def rec_masks(**k):
            self.put("decoder.image_embed", k["image_embeddings"], NCHW, "conditioned features")
            self.put("decoder.high_res_0", k["high_res_features"][0], NCHW)
            self.put("decoder.high_res_1", k["high_res_features"][1], NCHW)
            masks, iou, tokens, score = predict_masks(**k)
            self.put("decoder.masks", masks[0], RAW, "all four, before selection")
            self.put("decoder.iou", iou[0])
            self.put("decoder.mask_tokens", tokens[0])
            self.put("decoder.object_score", score[0])
            return masks, iou, tokens, score

        def rec_heads(*a, **k):
            out = forward_heads(*a, **k)
            self.put("heads.low_res_logits", out[3][0, 0], RAW, "the chosen mask")
            self.put("heads.high_res_logits", out[4][0, 0])
            self.put("heads.object_pointer", out[5][0])
            return out

        def rec_encode(**k):
            features, pos = encode_memory(**k)
            self.put("memory.features", features.clone(), TOKENS if features.ndim == 3 else NCHW,
                     "final, float32; stored rounded to bfloat16")
            return features, pos

        def rec_condition(**k):
            out = condition(**k)
            self.put("conditioned_features", out, NCHW)
            return out

        net.image_encoder.neck.forward = rec_neck
        net.sam_prompt_encoder.forward = rec_prompt
        decoder.predict_masks = rec_masks
        net._forward_sam_heads = rec_heads
        net._encode_new_memory = rec_encode
        net._prepare_memory_conditioned_features = rec_condition

        image, single, remember = net.forward_image, net._run_single_frame_inference, net._run_memory_encoder
        self.wanted = None

        def rec_image(x):
            before, self.phase = self.phase, f"encode_{self.frame}" if self.frame in (0, 1) else None
            self.put("input", x[0], RAW, "network input [3,S,S]")
            out = image(x)
            self.phase = before
            return out

        def rec_single(**k):
            self.frame = k["frame_idx"]
            prompted = k["point_inputs"] is not None
            self.phase = f"prompt_{self.frame}" if prompted else \
                f"track_{self.frame}" if self.frame in (1, 4) else None
            out = single(**k)
            self.phase = None
            return out

        def rec_remember(**k):
            self.frame = k["frame_idx"]
            self.phase = f"remember_{self.frame}"
            out = remember(**k)
            self.phase = None
            return out

        net.forward_image, net._run_single_frame_inference, net._run_memory_encoder = rec_image, rec_single, rec_remember
        sdpa = F.scaled_dot_product_attention
        inside = []
        for i, layer in enumerate(net.memory_attention.layers):
            for which in ("self_attn", "cross_attn_image"):
                m = getattr(layer, which)
                m.register_forward_pre_hook(lambda m, a, n=f"memory_attention.layers.{i}.{which}": inside.append(n))
                m.register_forward_hook(lambda m, a, o: inside.clear())

        def rec_sdpa(q, k, v, *a, **kw):
            out = sdpa(q, k, v, *a, **kw)
            if inside and self.phase and "layers.0" in inside[0]:
                for x, n in ((q, "q_rotated"), (k, "k_rotated"), (v, "v"), (out, "attended")):
                    self.put(f"{inside[0]}.{n}", x[0, 0], RAW, "one head")
            return out

        F.scaled_dot_product_attention = rec_sdpa


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", required=True, choices=official.MODELS)
    ap.add_argument("--imgsz", type=int, default=1024, metavar="S")
    ap.add_argument("--input", metavar="DIR", help="folder of frames (default: the synthetic clip)")
    ap.add_argument("--point", type=float, nargs=2, metavar=("X", "Y"), help="in source pixels (default: that of cases.py)")
    ap.add_argument("--frames", type=int, default=5, help="length of the clip; pointer positions depend on it")
    ap.add_argument("--seed", type=int, default=101)
    ap.add_argument("--variant", default="stable", choices=list(hw.VARIANT_GAIN))
    ap.add_argument("--out", required=True, metavar="FILE")
    official.add_arguments(ap)
    a = ap.parse_args()
    torch.manual_seed(0)
    predictor_file = official.use(a.model, a.sam2, a.edgetam)
    net = official.build(a.model, a.imgsz, predictor_file)
    official.load_hash_weights(net, a.model, a.seed, a.variant)
    frames = official.load_frames(a.input, a.frames) if a.input else synthetic_clip.clip(a.frames)
    height, width = frames[0].shape[:2]
    point = a.point or cases.places(width, height)["point"]
    rec = Recorder()
    rec.frame = 0
    rec.hook(net)
    state = official.init_state(net, frames)
    _, _, video_res = net.add_new_points_or_box(state, 0, 1, points=[point], labels=[1])
    rec.phase = "prompt_0"
    rec.put("video_res_logits", video_res[0, 0])
    rec.phase = None
    for t, _, video_res in net.propagate_in_video(state):
        if t in (1, 4):
            rec.phase = f"track_{t}"
            rec.put("video_res_logits", video_res[0, 0])
            rec.phase = None
    meta = {k: str(v) for k, v in dict(model=a.model, imgsz=a.imgsz, seed=a.seed, variant=a.variant, point=point,
                                       frames=len(frames), width=width, height=height).items()}
    hw.save_safetensors(rec.values, a.out, meta)
    with open(os.path.splitext(a.out)[0] + ".txt", "w") as f:
        f.write(" ".join(f"{k}={v}" for k, v in meta.items()) + "\n")
        for name, x in rec.values.items():
            f.write(f"{name}  {list(x.shape)}  {rec.notes[name]}\n".replace("  \n", "\n"))
    print(f"{a.out}: {len(rec.values)} tensors, {sum(x.nbytes for x in rec.values.values()) >> 20} MiB")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
