"""Speed of Hugging Face transformers' SAM 2 / EdgeTAM video models; prints one JSON line.

    python transformers_speed.py --model sam2.1_tiny --input FRAMES --precision bf16

The models get transformers' random initial weights unless --pretrained names a repository or folder: arithmetic does
not depend on them. bf16 and fp16 convert the model, as its documentation does. A frame's time is one call of the model
plus the enlargement of the mask to video size; loading and resizing are outside.
"""
import argparse
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "parity"))

import torch
import torch.nn.functional as F

import official
import stages
import synthetic_clip

# what differs from transformers' defaults, which are SAM 2.1 tiny
BACKBONES = {
    "tiny": {},
    "small": {"blocks_per_stage": [1, 2, 11, 2], "global_attention_blocks": [7, 10, 13]},
    "base_plus": {"hidden_size": 112, "num_attention_heads": 2, "embed_dim_per_stage": [112, 224, 448, 896],
                  "num_attention_heads_per_stage": [2, 4, 8, 16], "blocks_per_stage": [2, 3, 16, 3],
                  "global_attention_blocks": [12, 16, 20], "window_positional_embedding_background_size": [14, 14]},
    "large": {"hidden_size": 144, "num_attention_heads": 2, "embed_dim_per_stage": [144, 288, 576, 1152],
              "num_attention_heads_per_stage": [2, 4, 8, 16], "blocks_per_stage": [2, 6, 36, 4],
              "global_attention_blocks": [23, 33, 43], "window_size_per_stage": [8, 4, 16, 8]},
}


def config(model, imgsz):
    import transformers as tf

    grid = [[imgsz // s] * 2 for s in (4, 8, 16)]
    family, _, size = model.partition("_")
    if family == "edgetam":
        backbone = tf.TimmWrapperConfig(architecture="repvit_m1", model_args={
            "in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]})
        vision = tf.EdgeTamVisionConfig(backbone_config=backbone, backbone_feature_sizes=grid)
        return tf.EdgeTamVideoConfig(vision_config=vision, image_size=imgsz, memory_attention_rope_feat_sizes=grid[2],
                                     prompt_encoder_config={"image_size": imgsz})
    backbone = tf.Sam2HieraDetConfig(image_size=[imgsz, imgsz], **BACKBONES[size])
    vision = tf.Sam2VisionConfig(backbone_config=backbone, backbone_feature_sizes=grid,
                                 backbone_channel_list=backbone.embed_dim_per_stage[::-1])
    old = {"enable_temporal_pos_encoding_for_object_pointers": False,
           "enable_occlusion_spatial_embedding": False} if family == "sam2" else {}
    return tf.Sam2VideoConfig(vision_config=vision, image_size=imgsz, memory_attention_rope_feat_sizes=grid[2],
                              prompt_encoder_config={"image_size": imgsz}, **old)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", required=True, choices=official.MODELS)
    ap.add_argument("--pretrained", metavar="REPO", help="Hugging Face repository or folder (default: random weights)")
    stages.add_arguments(ap)
    args = ap.parse_args()
    stages.check(args)
    import transformers as tf

    tf.logging.set_verbosity_error()
    torch.manual_seed(0)
    kind = tf.EdgeTamVideoModel if args.model == "edgetam" else tf.Sam2VideoModel
    session_kind = sys.modules[kind.__module__].__dict__[
        "EdgeTamVideoInferenceSession" if args.model == "edgetam" else "Sam2VideoInferenceSession"]
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(args.precision, torch.float32)
    net = kind.from_pretrained(args.pretrained) if args.pretrained else kind(config(args.model, args.imgsz))
    net = net.eval().to(args.device, dtype)
    if args.compile:
        stages.compile_parts([(net.vision_encoder, False), (net.memory_attention, True), (net.memory_encoder, False)],
                             args.compile_mode)
    frames = official.load_frames(args.input, args.frames) if args.input else synthetic_clip.clip(args.frames)
    if len(frames) < args.frames:
        sys.exit(f"{args.input}: {len(frames)} frames, --frames asks for {args.frames}")
    height, width = frames[0].shape[:2]
    begin = time.perf_counter()
    video = official.network_input(frames, args.imgsz)
    load_ms = (time.perf_counter() - begin) * 1e3 / len(frames)
    del frames
    timer = stages.Stages(args.device)
    timer.wrap(net, "get_image_features", "encode")
    timer.wrap(net.memory_attention, "forward", "memory_attention")
    timer.wrap(net, "_single_frame_forward", "mask_decoder")
    timer.wrap(net, "_encode_new_memory", "memory_encoder")
    video = video.to(args.device, dtype)
    scale = [args.imgsz / width, args.imgsz / height]

    @torch.inference_mode()
    def run():
        timer.reset()
        session = session_kind(video=video, video_height=height, video_width=width, inference_device=args.device,
                               inference_state_device=args.device, video_storage_device=args.device, dtype=dtype)
        clicks = stages.points(args, width, height)
        for i, (x, y) in enumerate(clicks):
            session.add_point_inputs(session.obj_id_to_idx(i + 1), 0, {
                "point_coords": torch.tensor([[[[x * scale[0], y * scale[1]]]]]),
                "point_labels": torch.ones(1, 1, 1, dtype=torch.int32)})
        session.obj_with_new_inputs = [i + 1 for i in range(len(clicks))]
        for t in range(args.frames):
            timer.begin_frame()
            out = net(inference_session=session, frame_idx=t)
            masks = out.pred_masks
            F.interpolate(masks.reshape(-1, 1, *masks.shape[-2:]).float(), size=(height, width), mode="bilinear",
                          align_corners=False)
            if t > 0:
                timer.end_frame()
        doc = stages.report(args, "transformers", tf.__version__, timer, load_ms, args.frames)
        doc["video_bytes"] = video.numel() * video.element_size()  # all frames, part of device_peak_bytes
        return doc

    stages.serve(args, run)


if __name__ == "__main__":
    main()
