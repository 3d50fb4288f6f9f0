"""Reference outputs of the official PyTorch code, for any model, prompt kind, image size and precision.

    python make_reference.py --model sam2.1_tiny --sam2 ~/sam2 --out ref                 every case at 1024
    python make_reference.py --model all --small --sam2 ~/sam2 --edgetam ~/EdgeTAM       what tests/parity/data holds
    python make_reference.py --model sam_vit_b --out ref                                 SAM v1, which knows images only

Weights come from hash_weights.py (seed, variant), frames from --input or from synthetic_clip.py: nothing is
downloaded. Each case writes <out>/<model>_<imgsz>/<case>.safetensors, the JSON below also in its metadata as
`settings`, and <case>.json. Tensors are those of `sambench --dump` and a few more, float32:

    frame_00000/obj_1/low_res_logits   [S/4,S/4]  chosen mask logits; frame_00000/obj_1/mask [H,W] uint8 at video size
    frame_00000/obj_1/object_score     [1]        frame_00000/obj_1/object_pointer [256]   iou [4]: of all mask tokens
    image/obj_1/low_res_logits [M,S/4,S/4]        image/obj_1/iou [M]     image/obj_1/mask [M,H,W]
    features/image_embed, features/high_res_0, features/high_res_1 [H*W,C]        input/frame_00000 [3,S,S]
    prompt/obj_1/mask [H,W] uint8                 a mask prompt

With --samples N a float tensor of more than N elements is NAME.samples [N], its values at
hash_weights.sample_indices(size, N); a mask is NAME.bits, rows one after another, first pixel in the highest bit.

JSON: settings, steps or prompts, `shapes` of what was sampled, every decision the network made with its margin;
`too_close`: decisions that float32 rounding may flip, `too_close_half`: those that bf16 or fp16 may, or did. Compare up to the
first such frame. `autocast`: relative L2 error against float32 of PyTorch's own autocast, per frame and tensor, and
which decisions it flipped; the engine's target is 1.5 times that. Hole filling is off: it needs a CUDA extension.
"""
import argparse
import hashlib
import json
import os
import subprocess
import sys

os.environ["TQDM_DISABLE"] = "1"

import numpy as np
import torch
from PIL import Image

import cases
import hash_weights as hw
import official
import synthetic_clip

HERE = os.path.dirname(os.path.abspath(__file__))
SMALL_IN_FULL = ["sam2.1_tiny", "edgetam", "sam_vit_b"]  # the committed set has every case of these, and of the other models:
SMALL_OTHERS = ["point", "box", "image_point"]
SMALL_SEEDS = {"edgetam": 103, "sam2_small": 103}  # 101 leaves near ties for half precision there
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Decisions:
    """Records what the mask decoder chose, by how much, and for whom."""

    def __init__(self, net):
        self.at, self.list, self.iou = None, [], None
        self.delta = 0.05
        decoder = net.mask_decoder if hasattr(net, "mask_decoder") else net.sam_mask_decoder
        self.selects = decoder is not net._modules.get("mask_decoder")  # SAM v1 neither selects nor scores
        predict_masks, decoder_forward = decoder.predict_masks, decoder.forward

        def probed_masks(**k):
            out = predict_masks(**k)
            self.raw = [x.float() for x in out]
            return out

        def probed_forward(**k):
            out = decoder_forward(**k)
            if self.at:
                self.add(k["multimask_output"])
            # SAM v1's predictor makes numpy arrays of them, which have no bf16
            return out if self.selects else tuple(x.float() for x in out)

        decoder.predict_masks = probed_masks
        decoder.forward = probed_forward

    def add(self, multimask):
        masks, iou = self.raw[:2]
        d = {"at": self.at, "iou": [round(v, 5) for v in iou[0].tolist()]}
        if self.selects:
            d["score"] = round(self.raw[3].item(), 4)
        self.iou = iou[0].cpu().numpy()
        if self.mask_prompt:  # only the score's sign counts
            self.list.append(d)
            return
        chosen = 0
        if not multimask and self.selects:
            m = masks[0, 0]
            over, under = (m > self.delta).sum().item(), (m > -self.delta).sum().item()
            d["stability"] = round(over / under, 5) if under else 1.0
        if multimask or d.get("stability", 1) < 0.98:
            best = iou[0, 1:].sort(descending=True).values
            d["iou_margin"] = round((best[0] - best[1]).item(), 5)
            chosen = 1 + int(iou[0, 1:].argmax())
        d["chosen"] = chosen
        d["foreground"] = round((masks[0, chosen] > 0).float().mean().item(), 4)
        d["near_zero"] = round((masks[0, chosen].abs() < 0.01).float().mean().item(), 5)
        self.list.append(d)


def too_close(d, half):
    iou, score, stability = (0.02, 0.3, 0.006) if half else (1e-3, 0.01, 5e-4)
    return (d.get("iou_margin", 1) < iou or abs(d.get("score", 1)) < score or abs(d.get("stability", 1) - 0.98) < stability)


def run_video(net, probe, frames, steps, device):
    """{name: float32 or uint8 array} of everything the case outputs; the last output of a frame counts."""
    height, width = frames[0].shape[:2]
    state = official.init_state(net, frames, device)
    tensors, ious = {}, {}
    single = type(net)._run_single_frame_inference

    def tagged(**k):
        obj = next(i for i, d in state["output_dict_per_obj"].items() if d is k["output_dict"])
        name = f"frame_{k['frame_idx']:05d}/obj_{state['obj_idx_to_id'][obj]}"
        kind = "prompt" if k["point_inputs"] is not None or k["mask_inputs"] is not None else "track"
        probe.at, probe.mask_prompt = f"{name} {kind}", k["mask_inputs"] is not None
        out = single(net, **k)
        ious[name] = probe.iou
        probe.at = None
        return out

    net._run_single_frame_inference = tagged

    def output(t, masks):
        for i, obj in state["obj_idx_to_id"].items():
            stored, temp = state["output_dict_per_obj"][i], state["temp_output_dict_per_obj"][i]
            # a click's own output is in temp until tracking goes on
            for d in (temp["cond_frame_outputs"], temp["non_cond_frame_outputs"],
                      stored["cond_frame_outputs"], stored["non_cond_frame_outputs"]):
                if t in d:
                    break
            else:
                continue
            name, o = f"frame_{t:05d}/obj_{obj}", d[t]
            tensors[f"{name}/low_res_logits"] = o["pred_masks"][0, 0].float().cpu().numpy()
            tensors[f"{name}/object_score"] = o["object_score_logits"][0].float().cpu().numpy()
            tensors[f"{name}/object_pointer"] = o["obj_ptr"][0].float().cpu().numpy()
            tensors[f"{name}/iou"] = ious[name]
            tensors[f"{name}/mask"] = (masks[i, 0] > 0).cpu().numpy().astype(np.uint8)

    for step in steps:
        if "add" in step:
            a = step["add"]
            if "mask" in a:
                mask = cases.ellipse_mask(a["mask"], width, height)
                tensors[f"prompt/obj_{a['object']}/mask"] = mask
                t, _, masks = net.add_new_mask(state, a["frame"], a["object"], mask.astype(bool))
            else:
                t, _, masks = net.add_new_points_or_box(state, a["frame"], a["object"], points=a.get("points"),
                                                        labels=a.get("labels"), box=a.get("box"),
                                                        clear_old_points="box" in a)
            output(t, masks)
        else:
            g = step["propagate"]
            for t, _, masks in net.propagate_in_video(state, g["start"], g.get("count"), g["reverse"]):
                output(t, masks)
    del net._run_single_frame_inference
    first = state["images"][0].cpu().numpy()
    return {"input/frame_00000": first, **dict(sorted(tensors.items()))}


def run_image(net, probe, frame, name, all_cases):
    predictor = official.image_predictor(net)
    probe.mask_prompt = False
    with torch.inference_mode():
        predictor.set_image(frame)

        def predict(case):
            k = dict(all_cases[case])
            previous = k.pop("previous", None)
            if previous:
                _, iou, low = predict(previous)
                k["mask_input"] = low[int(iou.argmax())][None]
            k = {n: np.array(v) if isinstance(v, list) else v for n, v in k.items()}
            probe.at = f"image/obj_1 {case}"
            out = predictor.predict(**k)
            probe.at = None
            return out

        masks, iou, low = predict(name)
        x, features = official.image_tensors(predictor, frame)
    rows = lambda f: f[0].float().flatten(1).T.contiguous().cpu().numpy()
    out = {"input/frame_00000": x.cpu().numpy(), **{f"features/{n}": rows(f) for n, f in features.items()}}
    out.update({"image/obj_1/low_res_logits": low, "image/obj_1/iou": iou,
                "image/obj_1/mask": (masks > 0).astype(np.uint8)})
    return out


def relative_error(x, reference):
    x, reference = x.astype(np.float64), reference.astype(np.float64)
    return float(np.linalg.norm(x - reference) / max(np.linalg.norm(reference), 1e-30))


def autocast_errors(reference, decisions, tensors, autocast_decisions):
    errors = {name: round(relative_error(tensors[name], x), 6) for name, x in reference.items()
              if x.dtype == np.float32 and not name.startswith("input/")}
    flipped = [d["at"] for d, e in zip(decisions, autocast_decisions)
               if d.get("chosen") != e.get("chosen") or (d.get("score", 1) > 0) != (e.get("score", 1) > 0)]
    return {"relative_error": errors, "flipped": flipped}


def compact(tensors, n_samples):
    """(tensors to store, {name: shape of what was reduced})"""
    out, shapes = {}, {}
    for name, x in tensors.items():
        if x.dtype == np.uint8:
            shapes[name] = list(x.shape)
            out[name + ".bits"] = np.packbits(x.ravel())
        elif x.size > n_samples:
            shapes[name] = list(x.shape)
            out[name + ".samples"] = x.ravel()[hw.sample_indices(x.size, n_samples)]
        else:
            out[name] = x
    return out, shapes


def run_case(name, args, model, seed, frames, predictor_file):
    height, width = frames[0].shape[:2]
    videos, images = cases.video_cases(width, height, len(frames)), cases.image_cases(width, height)
    steps, variant = videos.get(name, (None, "stable"))
    net, probe, (weights, _) = network(args, model, seed, variant, predictor_file)

    def run(dtype):
        probe.list = []
        with torch.autocast(args.device, dtype=dtype, enabled=dtype is not None):
            tensors = run_video(net, probe, frames, steps, args.device) if steps else \
                run_image(net, probe, frames[0], name, images)
        return {n: np.ascontiguousarray(x) for n, x in tensors.items()}, probe.list

    tensors, decisions = run(DTYPES.get(args.precision))
    doc = {"model": model, "case": name, "seed": seed, "variant": variant, "weights_sha256": weights,
           "imgsz": args.imgsz, "precision": args.precision, "device": args.device, "torch": torch.__version__,
           "width": width, "height": height, "n_frames": len(frames),
           "frames": os.path.abspath(args.input) if args.input else
           f"synthetic_clip width={width} height={height} seed={synthetic_clip.SEED}",
           "rgb_sha256": hashlib.sha256(b"".join(f.tobytes() for f in frames)).hexdigest(),
           "too_close": [d["at"] for d in decisions if too_close(d, False)],
           "too_close_half": [d["at"] for d in decisions if too_close(d, True)]}
    if steps:
        doc["steps"] = steps
        prompts = cases.prompts_json(steps, f"{name}_mask.png")
        if prompts:
            doc["prompts"] = prompts
    else:
        doc["predict"] = images[name]
    for kind in args.autocast:
        try:
            doc.setdefault("autocast", {})[kind] = autocast_errors(tensors, decisions, *run(DTYPES[kind]))
        except RuntimeError as e:  # a bf16 memory beside fp16 pointers: the official code cannot track in fp16
            doc.setdefault("autocast", {})[kind] = {"error": str(e).splitlines()[0]}
    flipped = {at for r in doc.get("autocast", {}).values() for at in r.get("flipped", [])}
    doc["too_close_half"] += sorted(flipped - set(doc["too_close_half"]))
    doc["decisions"] = decisions
    if args.samples:
        tensors, doc["shapes"] = compact(tensors, args.samples)
    folder = os.path.join(args.out, f"{model}_{args.imgsz}")
    os.makedirs(folder, exist_ok=True)
    hw.save_safetensors(tensors, os.path.join(folder, name + ".safetensors"),
                        {"settings": json.dumps(doc, separators=(",", ":"))})
    if not args.small:
        with open(os.path.join(folder, name + ".json"), "w") as f:
            json.dump(doc, f, indent=1)
        for n, x in tensors.items():
            if n.startswith("prompt/") and not n.endswith(".bits"):
                Image.fromarray(x * 255).save(os.path.join(folder, f"{name}_mask.png"))
    report(doc)


def report(doc):
    line = f"{doc['model']:16} {doc['case']:18} too close {len(doc['too_close'])}, half {len(doc['too_close_half'])}"
    tracked = [d["foreground"] for d in doc["decisions"] if "foreground" in d]
    if tracked:
        line += f", foreground {min(tracked):.2f}..{max(tracked):.2f}"
    for kind, r in doc.get("autocast", {}).items():
        e = [v for n, v in r.get("relative_error", {}).items() if n.endswith("low_res_logits")]
        line += f", {kind} error median {np.median(e):.4f} max {max(e):.4f} flips {len(r['flipped'])}" if e else \
            f", {kind}: {r.get('error')}"
    print(line, flush=True)


_networks = {}


def network(args, model, seed, variant, predictor_file):
    if (seed, variant) not in _networks:
        _networks.clear()
        net = official.build(model, args.imgsz, predictor_file)
        digest = official.load_hash_weights(net, model, seed, variant, check=True)
        shapes = {n: (str(t.dtype).split(".")[-1], tuple(t.shape)) for n, t in net.state_dict().items()}
        official.fit(net, model, args.imgsz)
        net.to(args.device)
        _networks[seed, variant] = net, Decisions(net), (digest, shapes)
    return _networks[seed, variant]


def write_names(model, seed, digest, shapes, path):
    """One line a tensor in the checkpoint's order: name, dtype, shape; the head gives the digest of hash weights."""
    with open(path, "w") as f:
        f.write(f"# {model} seed={seed} variant=stable sha256={digest}\n")
        for name, (dtype, shape) in shapes.items():
            f.write(f"{name} {dtype} {','.join(map(str, shape))}\n")


def parse():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", required=True, choices=official.MODELS + ["all"])
    ap.add_argument("--cases", default="all", metavar="A,B", help="comma-separated (default: all; --list names them)")
    ap.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    ap.add_argument("--imgsz", type=int, metavar="S", help="image size, a multiple of 32, EdgeTAM: of 256 (default 1024)")
    ap.add_argument("--input", metavar="DIR", help="folder of frames (default: the synthetic clip)")
    ap.add_argument("--frames", type=int, metavar="N", help="frames of the clip to use (default 10)")
    ap.add_argument("--size", type=int, nargs=2, metavar=("W", "H"), default=[synthetic_clip.WIDTH, synthetic_clip.HEIGHT],
                    help="of the synthetic clip (default %(default)s)")
    ap.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "fp16"], help="bf16, fp16: autocast")
    ap.add_argument("--autocast", nargs="*", default=["bf16"], choices=list(DTYPES),
                    help="run again under these and store the errors (default: bf16)")
    ap.add_argument("--seed", type=int, help="of the weights (default: 101; --small: 103 for some)")
    ap.add_argument("--samples", type=int, default=0, metavar="N", help="store N samples of large tensors (default: all)")
    ap.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    ap.add_argument("--names", metavar="FILE", help="write the model's tensor names and shapes there and stop")
    ap.add_argument("--small", action="store_true",
                    help="the committed set: 256 px, 6 frames (point: 10), samples, bf16 errors; all cases of "
                         "sam2.1_tiny and edgetam, three of the others")
    ap.add_argument("--out", metavar="DIR", help="default: ref; with --small tests/parity/data")
    official.add_arguments(ap)
    return ap.parse_args()


def main():
    args = parse()
    if args.list:
        print("\n".join([*cases.video_cases(9, 9, 9), *cases.image_cases(9, 9)]))
        return
    if args.model == "all":  # a process can import one of the two `sam2` packages, so each model gets its own
        for m in official.MODELS:
            argv = [a if a != "all" or sys.argv[i] != "--model" else m for i, a in enumerate(sys.argv[1:])]
            subprocess.run([sys.executable, os.path.abspath(__file__), *argv], check=True)
        return
    model = args.model
    args.imgsz = args.imgsz or (256 if args.small else 1024)
    if args.imgsz % 32 or (model == "edgetam" and args.imgsz % 256):
        sys.exit(f"--imgsz {args.imgsz}: must be a multiple of 32, for edgetam of 256 (16 x 16 windows on the grid)")
    args.out = args.out or (os.path.join(HERE, "data") if args.small else "ref")
    if args.small and not args.samples:
        args.samples = 512
    seed = args.seed if args.seed is not None else SMALL_SEEDS.get(model, 101) if args.small else 101
    predictor_file = official.use(model, args.sam2, args.edgetam, args.segment_anything)
    official.quiet()
    names = [*cases.video_cases(9, 9, 9), *cases.image_cases(9, 9)] if args.cases == "all" else args.cases.split(",")
    if model in official.VITS:
        names = [n for n in names if n in cases.image_cases(9, 9)]
    if args.small:
        os.makedirs(args.out, exist_ok=True)
        if args.cases == "all" and model not in SMALL_IN_FULL:
            names = [n for n in SMALL_OTHERS if n in names]
    if args.names or args.small:
        _, _, (digest, shapes) = network(args, model, seed, "stable", predictor_file)
        write_names(model, seed, digest, shapes, args.names or os.path.join(args.out, f"names_{model}.txt"))
        if args.names:
            return
    for name in names:
        count = args.frames or (6 if args.small and name != "point" else 10)
        frames = official.load_frames(args.input, count) if args.input else synthetic_clip.clip(count, *args.size)
        if name not in cases.image_cases(9, 9) and name not in cases.video_cases(9, 9, 9):
            sys.exit(f"no case {name}; see --list")
        run_case(name, args, model, seed, frames, predictor_file)


if __name__ == "__main__":
    main()
