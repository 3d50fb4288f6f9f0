"""Speed of the official SAM 2 networks when a whole tracked frame is recorded in one CUDA graph; prints one JSON line.

    python graph_speed.py --model sam2.1_tiny --input FRAMES --precision bf16 --device cuda --sam2 ~/sam2

The form in which PyTorch pays no launch costs. Image encoder, memory attention, mask decoder and memory encoder are the
official modules; the predictor's bookkeeping becomes tensors of fixed sizes: a bank of seven memories and sixteen pointers
for each object, full from the start, whose distances in frames are inputs of the graph, like the slots that the new
memory and pointer go to. All objects are one batch. What the bank holds at the start is random: arithmetic does not depend
on it. With --device cpu the same frame runs without a graph, to try this program. EdgeTAM's perceiver is left out.
"""
import os
import sys
import time

os.environ["TQDM_DISABLE"] = "1"
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "parity"))

import argparse

import torch
import torch.nn.functional as F

import official
import official_speed
import stages
import synthetic_clip


class SteadyFrame:
    """One tracked frame of a full bank. Inputs are tensors to write into: `image` [1, 3, S, S], `memory_ages` [7] (0 the
    prompted frame, else frames ago), `pointer_ages` [16], `memory_slot`, `pointer_slot` [1]. Result: `masks` [N, 1, h, w]."""

    def __init__(self, net, n_objects, height, width, device):
        side = net.image_size // 16
        self.net, self.size = net, (height, width)
        self.image = torch.zeros(1, 3, net.image_size, net.image_size, device=device)
        self.memories = torch.randn(net.num_maskmem, side * side, n_objects, net.mem_dim, device=device)
        self.memory_pos = net.memory_encoder.position_encoding(
            torch.zeros(1, net.mem_dim, side, side, device=device)).flatten(2).permute(2, 0, 1)
        self.pointers = torch.randn(net.max_obj_ptrs_in_encoder, n_objects, net.hidden_dim, device=device)
        self.memory_ages = torch.arange(net.num_maskmem, device=device)
        self.pointer_ages = torch.arange(1, net.max_obj_ptrs_in_encoder + 1, device=device)
        self.memory_slot, self.pointer_slot = (torch.ones(1, dtype=torch.long, device=device) for _ in range(2))

    def _pointer_tokens(self):
        """[16 * 4, N, 64] and their positions, as in SAM2Base._prepare_memory_conditioned_features."""
        from sam2.modeling.sam2_utils import get_1d_sine_pe

        net, (count, n, _) = self.net, self.pointers.shape
        split = net.hidden_dim // net.mem_dim
        tokens = self.pointers.reshape(count, n, split, net.mem_dim).permute(0, 2, 1, 3).flatten(0, 1)
        if not net.add_tpos_enc_to_obj_ptrs:
            return tokens, torch.zeros_like(tokens)
        dim = net.hidden_dim if net.proj_tpos_enc_in_obj_ptrs else net.mem_dim
        pos = net.obj_ptr_tpos_proj(get_1d_sine_pe(self.pointer_ages / (count - 1), dim=dim))
        return tokens, pos.unsqueeze(1).expand(-1, n, -1).repeat_interleave(split, dim=0)

    def _memory_pos(self):
        """[7 * HW, N, 64]: place in the frame and age; the last row of the table is the prompted frame's."""
        table = self.net.maskmem_tpos_enc  # [7, 1, 1, 64], row age - 1
        pos = self.memory_pos + table[(self.memory_ages - 1) % self.net.num_maskmem]
        return pos.flatten(0, 1).expand(-1, self.memories.size(2), -1)

    def __call__(self):
        net, n = self.net, self.memories.size(2)
        _, feats, pos, sizes = net._prepare_backbone_features(net.forward_image(self.image))
        feats, pos = ([x.expand(-1, n, -1) for x in xs] for xs in (feats, pos))
        tokens, token_pos = self._pointer_tokens()
        x = net.memory_attention(
            curr=feats[-1:], curr_pos=pos[-1:], num_obj_ptr_tokens=tokens.size(0),
            memory=torch.cat([self.memories.flatten(0, 1), tokens]), memory_pos=torch.cat([self._memory_pos(), token_pos]))
        grid = lambda y, size: y.permute(1, 2, 0).reshape(n, y.size(2), *size)
        _, _, _, low, high, pointer, score = net._forward_sam_heads(
            grid(x, sizes[-1]), high_res_features=[grid(y, size) for y, size in zip(feats[:-1], sizes[:-1])],
            multimask_output=net._use_multimask(False, None))
        memory, _ = net._encode_new_memory(feats, sizes, high, score, is_mask_from_pts=False)
        self.memories.index_copy_(0, self.memory_slot, memory.flatten(2).permute(2, 0, 1)[None].to(self.memories.dtype))
        self.pointers.index_copy_(0, self.pointer_slot, pointer[None].to(self.pointers.dtype))
        self.masks = F.interpolate(low, size=self.size, mode="bilinear", align_corners=False)

    def next_ages(self, t):
        """Where frame t goes, and how old the others are when it comes: slot 0 is the prompted frame's."""
        for ages, slot in ((self.memory_ages, self.memory_slot), (self.pointer_ages, self.pointer_slot)):
            ring = len(ages) - 1
            here = [(t - 1 - k) % ring + 1 for k in range(ring)]
            ages.copy_(torch.tensor([0 if ages is self.memory_ages else t] + here))
            slot.fill_(1 + t % ring)


def recorded(frame, device, autocast):
    """The frame as one call: a replayed graph on a GPU."""
    def plain():
        with autocast():
            frame()

    if device != "cuda":
        return plain
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # what libraries take on first use must not be recorded
        for _ in range(3):
            plain()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        plain()
    return graph.replay


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", required=True, choices=[m for m in official.MODELS if m != "edgetam"])
    ap.add_argument("--checkpoint", metavar="FILE", help="official .pt file (default: random weights)")
    stages.add_arguments(ap)
    official.add_arguments(ap)
    args = ap.parse_args()
    stages.check(args)
    if args.compile:
        sys.exit("--compile: the graph is of the plain networks; compare with official_speed.py --compile")
    args.runtime = None
    net = official_speed.build(args)
    frames = official.load_frames(args.input, args.frames) if args.input else synthetic_clip.clip(args.frames)
    if len(frames) < args.frames:
        sys.exit(f"{args.input}: {len(frames)} frames, --frames asks for {args.frames}")
    height, width = frames[0].shape[:2]
    begin = time.perf_counter()
    video = official.network_input(frames, args.imgsz)
    load_ms = (time.perf_counter() - begin) * 1e3 / len(frames)
    video = video.to(args.device)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(args.precision)
    # A cache of weights in half precision would be filled inside the recording and be stale outside it.
    autocast = lambda: torch.autocast(args.device, dtype=dtype, enabled=dtype is not None, cache_enabled=False)
    timer = stages.Stages(args.device)

    @torch.inference_mode()
    def run():
        timer.reset()
        frame = SteadyFrame(net, args.objects, height, width, args.device)
        step = recorded(frame, args.device, autocast)
        for t in range(1, args.frames):
            timer.begin_frame()
            frame.image.copy_(video[t:t + 1])
            frame.next_ages(t)
            step()
            timer.end_frame()
        doc = stages.report(args, "official_graph", "facebookresearch", timer, load_ms, args.frames)
        return {**doc, "video_bytes": video.numel() * video.element_size()}

    stages.serve(args, run)


if __name__ == "__main__":
    main()
