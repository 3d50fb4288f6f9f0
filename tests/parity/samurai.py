"""What SAMURAI's public code does, for tests/test_samurai.c: the filter and the choice among masks, the choice of memories, and
whole tracks with hash weights.

    git clone https://github.com/yangchris11/samurai ~/samurai
    pip install torch torchvision hydra-core iopath pillow numpy scipy loguru
    OMP_NUM_THREADS=1 python samurai.py --samurai ~/samurai        writes data/samurai.json, data/samurai_256.safetensors

The code is run as it is: its SAM2Base._forward_sam_heads behind a decoder that plays back masks (rectangles, so that the file
is small), its _prepare_memory_conditioned_features in front of a memory attention that notes what it is given, and its video
predictor. samurai.json:

    choice   [{mask_px, rule, frames: [{boxes [3][4] of low-res pixels, iou [3], score, chosen 1..3, motion or null, stable,
             mean [8], var [12]}]}]     var: of x, y, a, h their own, then with their velocities, then the velocities' own
    memories [{frames: [{iou, score, motion or null}], attended: [[frame, age], ...] of each frame, newest first}]

samurai_256.safetensors is laid out as the files of make_reference.py.
"""
import argparse
import json
import os
import random
import sys
import types

os.environ["TQDM_DISABLE"] = "1"

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
SIDE, PX = 32, 128  # low-res logits, network input


# ---- the filter and the choice among masks --------------------------------------------------------------------------

def figure(v):
    return float(f"{float(v):.9g}")


def rectangle_masks(boxes):
    """[1,3,SIDE,SIDE]: 1 in the rectangle (inclusive), -1 outside; an empty one has x1 < x0."""
    m = torch.full((1, 3, SIDE, SIDE), -1.0)
    for k, (x0, y0, x1, y1) in enumerate(boxes):
        m[0, k, y0:y1 + 1, x0:x1 + 1] = 1
    return m


def story(r, n):
    """Boxes of an object that moves, with rivals, poor frames, an absence, and jumps."""
    x, y, w, h, vx, vy = 6.0, 8.0, 7.0, 9.0, 0.35, 0.2
    frames = []
    for t in range(n):
        x, y = x + vx + r.uniform(-.2, .2), y + vy + r.uniform(-.2, .2)
        w, h = max(2, w + r.uniform(-.3, .3)), max(2, h + r.uniform(-.3, .3))
        if not 0 < x < SIDE - 8:
            vx = -vx
        if not 0 < y < SIDE - 10:
            vy = -vy
        box = lambda dx, dy: [int(min(max(v, 0), SIDE - 1)) for v in (x + dx, y + dy, x + dx + w, y + dy + h)]
        boxes = [box(0, 0), box(r.uniform(-12, 12), r.uniform(-12, 12)), box(r.uniform(-2, 2), r.uniform(-2, 2))]
        iou = [r.uniform(.55, .95) for _ in range(3)]
        if r.random() < .25:  # a rival that looks better
            iou[1] = max(iou) + .03
        if r.random() < .1:
            boxes[2] = [3, 3, 2, 2]
        score = r.uniform(1, 6)
        if t in (9, 50):
            iou = [v * .3 for v in iou]
        if 30 <= t < 33:
            score = -.5
        if 70 <= t < 72:
            score = -3
        r.shuffle(boxes)
        frames.append({"boxes": boxes, "iou": [round(v, 4) for v in iou], "score": round(score, 3)})
    return frames


def run_choice(base, frames, weight):
    net = types.SimpleNamespace(
        training=False, sam_prompt_embed_dim=8, sam_image_embedding_size=PX // 16, image_size=PX, pred_obj_scores=True,
        soft_no_obj_ptr=False, fixed_no_obj_ptr=True, no_obj_ptr=torch.zeros(1, 8), obj_ptr_proj=lambda x: x,
        use_mlp_for_obj_ptr_proj=True, samurai_mode=True, stable_frames_threshold=15, stable_ious_threshold=.3,
        min_obj_score_logits=-1, kf_score_weight=weight, kf=base.KalmanFilter(), kf_mean=None, kf_covariance=None,
        stable_frames=0, frame_cnt=0, history={})
    prompt = lambda **_: (torch.zeros(1, 2, 8), torch.zeros(1, 8, PX // 16, PX // 16))
    prompt_encoder = type("P", (), {"__call__": lambda self, **k: prompt(**k), "get_dense_pe": lambda self: None,
                                    "mask_input_size": (SIDE, SIDE)})()
    net.sam_prompt_encoder = prompt_encoder
    for f in frames:
        masks = rectangle_masks(f["boxes"])
        net.sam_mask_decoder = lambda **_: (masks, torch.tensor([f["iou"]]), torch.zeros(1, 3, 8), torch.tensor([[f["score"]]]))
        out = base.SAM2Base._forward_sam_heads(net, torch.zeros(1, 8, PX // 16, PX // 16), multimask_output=True)
        low, motion = out[3], out[8]
        candidates = out[0]
        same = [torch.equal(low[0, 0], candidates[0, k]) and abs(out[7].item() - f["iou"][k]) < 1e-6 for k in range(3)]
        f["chosen"] = 1 + same.index(True)
        f["motion"] = None if motion is None else figure(motion)
        f["stable"] = net.stable_frames
        f["mean"] = [figure(v) for v in net.kf_mean]
        c = net.kf_covariance
        f["var"] = [figure(c[i, j]) for d in ((0, 0), (0, 4), (4, 4)) for i, j in [(k + d[0], k + d[1]) for k in range(4)]]
        off = c.copy()
        for i in range(8):
            off[i, i] = off[i, (i + 4) % 8] = 0
        assert np.abs(off).max() == 0  # the blocks that motion_filter.h leaves out
    return {"mask_px": SIDE, "rule": [weight, 15, .3, 0], "frames": frames}


# ---- the choice of memories -----------------------------------------------------------------------------------------

def run_memories(base, frames):
    """What frame t of a track that was prompted on frame 0 attends to, t = 1 .. len(frames) - 1."""
    n, side, dim = len(frames), 1, 4
    seen = {}
    tpos = torch.zeros(7, 1, 1, dim)
    tpos[:, 0, 0, 0] = torch.arange(7)

    def attention(curr, curr_pos, memory, memory_pos, num_obj_ptr_tokens):
        k = memory.shape[0] - num_obj_ptr_tokens
        seen["at"] = [[int(memory[i, 0, 0]), int(memory_pos[i, 0, 0])] for i in range(k)]
        return curr[0]

    net = types.SimpleNamespace(
        hidden_dim=dim, mem_dim=dim, num_maskmem=7, max_cond_frames_in_attn=-1, memory_temporal_stride_for_eval=1, training=False,
        maskmem_tpos_enc=tpos, use_obj_ptrs_in_encoder=False, directly_add_no_mem_embed=True, max_obj_ptrs_in_encoder=16,
        samurai_mode=True, memory_bank_iou_threshold=.5, memory_bank_obj_score_threshold=0., memory_bank_kf_score_threshold=0.,
        memory_attention=attention, kf=None)

    def memory(t):
        f = torch.full((1, dim, side, side), float(t))
        return {"maskmem_features": f, "maskmem_pos_enc": [torch.zeros_like(f)], "obj_ptr": None}

    tracked, attended = {}, []
    for t in range(1, n):
        base.SAM2Base._prepare_memory_conditioned_features(
            net, t, False, [torch.zeros(side, 1, dim)], [torch.zeros(side, 1, dim)], [(side, side)],
            {"cond_frame_outputs": {0: memory(0)}, "non_cond_frame_outputs": tracked}, n)
        attended.append(seen["at"][::-1])
        f = frames[t]
        tracked[t] = {**memory(t), "best_iou_score": torch.tensor(f["iou"]), "object_score_logits": torch.tensor(f["score"]),
                      "kf_score": None if f["motion"] is None else torch.tensor(f["motion"])}
    return {"frames": frames, "attended": attended}


def memory_story(r, n, bad):
    return [{"iou": round(r.uniform(.2, .5) if r.random() < bad else r.uniform(.51, 1), 3),
             "score": round(r.uniform(-2, 0) if r.random() < bad / 2 else r.uniform(.1, 5), 3),
             "motion": None if t < 15 else 0.0 if r.random() < bad / 4 else round(r.uniform(.1, 1), 3)} for t in range(n)]


# ---- whole tracks ---------------------------------------------------------------------------------------------------

def tracks(args, n_frames):
    """A box and a click, each an object of its own predictor, since the public code has one filter for all."""
    import cases
    import hash_weights as hw
    import official
    import synthetic_clip

    official.CONFIGS["sam2.1_tiny"] = "configs/samurai/sam2.1_hiera_t.yaml"
    frames = [synthetic_clip.frame(t)[0] for t in range(n_frames)]
    width, height = synthetic_clip.WIDTH, synthetic_clip.HEIGHT
    p = cases.places(width, height)
    net = official.build("sam2.1_tiny", 256, None, "sam2.sam2_video_predictor.SAM2VideoPredictor", ["++model.fill_hole_area=0"])
    official.load_hash_weights(net, "sam2.1_tiny", args.seed, "stable")
    net.memory_attention.register_forward_pre_hook(
        lambda _, a, k: (a, {**k, "memory": k["memory"].float(), "memory_pos": k["memory_pos"].float()}), with_kwargs=True)
    tensors, notes = {}, []
    prompts = [{"box": p["box1"]}, {"points": [p["point"]], "labels": [1]}]
    for obj, prompt in enumerate(prompts, 1):
        net.kf_mean = net.kf_covariance = None
        net.stable_frames = 0
        state = official.init_state(net, frames)
        net.add_new_points_or_box(state, 0, 1, **prompt)
        for t, _, _ in net.propagate_in_video(state):
            out = state["output_dict"]
            o = out["cond_frame_outputs"].get(t) or out["non_cond_frame_outputs"][t]
            name, low = f"frame_{t:05d}/obj_{obj}", o["pred_masks"][0, 0].float().numpy()
            tensors[f"{name}/low_res_logits.samples"] = np.ascontiguousarray(low.ravel()[hw.sample_indices(low.size, 256)])
            tensors[f"{name}/object_score"] = o["object_score_logits"][0].float().numpy().reshape(1)
            tensors[f"{name}/iou"] = np.float32(o["best_iou_score"].item()).reshape(1) if t else np.zeros(1, np.float32)
            if t:
                notes.append([obj, t, None if o["kf_score"] is None else round(float(o["kf_score"]), 4)])
        print(f"object {obj}: frames with motion {sum(n[0] == obj and n[2] is not None for n in notes)}", flush=True)
    settings = {"seed": args.seed, "imgsz": 256, "n_frames": n_frames, "prompts": prompts, "shape": list(low.shape),
                "motion": notes}
    path = os.path.join(args.out, "samurai_256.safetensors")
    hw.save_safetensors(tensors, path, {"settings": json.dumps(settings, separators=(",", ":"))})
    print(path, os.path.getsize(path))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--samurai", required=True, metavar="DIR", help="checkout of github.com/yangchris11/samurai")
    ap.add_argument("--seed", type=int, default=101)
    ap.add_argument("--frames", type=int, default=28)
    ap.add_argument("--only", choices=["numbers", "tracks"])
    ap.add_argument("--out", default=os.path.join(HERE, "data"), metavar="DIR")
    args = ap.parse_args()
    sys.path.insert(0, os.path.join(os.path.abspath(args.samurai), "sam2"))
    import sam2.modeling.sam2_base as base

    if args.only != "tracks":
        r = random.Random(15)
        doc = {"choice": [run_choice(base, story(r, 90), w) for w in (.25, .15)],
               "memories": [run_memories(base, memory_story(r, 60, bad)) for bad in (.1, .5, .9)]}
        for c in doc["choice"]:
            print("chosen by motion", sum(f["motion"] is not None for f in c["frames"]), "of", len(c["frames"]),
                  "against the best IoU", sum(f["motion"] is not None and f["iou"][f["chosen"] - 1] < max(f["iou"])
                                              for f in c["frames"]))
        with open(os.path.join(args.out, "samurai.json"), "w") as f:
            json.dump(doc, f, separators=(",", ":"))
            f.write("\n")
    if args.only != "numbers":
        with torch.inference_mode():
            tracks(args, args.frames)


if __name__ == "__main__":
    main()
