"""Speed of the official SAM 2 / EdgeTAM video predictor on a folder of frames; prints one JSON line.

    python official_speed.py --model sam2.1_tiny --input FRAMES --precision bf16 --sam2 ~/sam2

The code is the official one, its own predictor included; the weights are random (tests/parity/hash_weights.py) unless
--checkpoint names a .pt file: arithmetic does not depend on them. A frame's time is from one yielded mask (at video
size, on the device) to the next; decoding and resizing happen before, as in sam2/benchmark.py, and are reported as
load_ms_per_frame. bf16 and fp16 mean autocast, the form the official scripts use.

--runtime has the networks run by ONNX Runtime or OpenVINO on the CPU, exported from the official code (runtimes.py); the
predictor stays the official one. The clip is run once before, because exports are made when a size first comes.
"""
import argparse
import os
import sys
import time

os.environ["TQDM_DISABLE"] = "1"
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "parity"))

import torch

import official
import runtimes
import stages
import synthetic_clip


def build(args):
    predictor_file = official.use(args.model, args.sam2, args.edgetam)
    official.quiet()
    net = official.build(args.model, args.imgsz, predictor_file, "sam2.sam2_video_predictor.SAM2VideoPredictor")
    if args.checkpoint:
        net.load_state_dict(torch.load(args.checkpoint, map_location="cpu", weights_only=True)["model"])
    else:
        official.load_hash_weights(net, args.model, 101, "stable")
    net.to(args.device)
    if args.compile:
        stages.compile_parts([(net.image_encoder, False), (net.memory_attention, True), (net.memory_encoder, False)],
                             args.compile_mode)
    if args.runtime:
        runtimes.replace_parts(net, args.runtime, torch.get_num_threads(), args.precision)
    return net


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", required=True, choices=official.MODELS)
    ap.add_argument("--checkpoint", metavar="FILE", help="official .pt file (default: random weights)")
    ap.add_argument("--runtime", choices=["onnxruntime", "openvino"], help="on the CPU, instead of PyTorch")
    stages.add_arguments(ap)
    official.add_arguments(ap)
    args = ap.parse_args()
    stages.check(args)
    if args.runtime and (args.device != "cpu" or args.compile):
        sys.exit(f"--runtime {args.runtime}: goes with --device cpu and without --compile")
    net = build(args)
    frames = official.load_frames(args.input, args.frames) if args.input else synthetic_clip.clip(args.frames)
    if len(frames) < args.frames:
        sys.exit(f"{args.input}: {len(frames)} frames, --frames asks for {args.frames}")
    height, width = frames[0].shape[:2]
    timer = stages.Stages(args.device)
    timer.wrap(net, "forward_image", "encode")
    timer.wrap(net.memory_attention, "forward", "memory_attention")
    timer.wrap(net, "_forward_sam_heads", "mask_decoder")
    timer.wrap(net, "_encode_new_memory", "memory_encoder")
    timer.wrap(net, "_get_orig_video_res_output", "post")
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(args.precision)
    begin = time.perf_counter()
    official.network_input(frames, args.imgsz)
    load_ms = (time.perf_counter() - begin) * 1e3 / len(frames)

    def run():
        with torch.inference_mode(), torch.autocast(args.device, dtype=dtype, enabled=dtype is not None):
            timer.reset()
            state = official.init_state(net, frames, args.device)
            for i, point in enumerate(stages.points(args, width, height)):
                net.add_new_points_or_box(state, 0, i + 1, points=[point], labels=[1])
            tracked = iter(net.propagate_in_video(state))
            next(tracked)  # the prompted frame's stored output
            timer.begin_frame()
            for _ in tracked:
                timer.end_frame()
                timer.begin_frame()
            doc = stages.report(args, "official", "facebookresearch", timer, load_ms, args.frames)
            return {**doc, "backend": args.runtime or doc["backend"]}

    stages.serve(args, (lambda: run() and run()) if args.runtime else run)


if __name__ == "__main__":
    main()
