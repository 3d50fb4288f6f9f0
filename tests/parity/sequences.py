"""Random sequences of prompts and tracking, run by the official code and by this engine side by side.

    python sequences.py --model sam2.1_tiny --count 80 --sam2 ~/sam2 --replay build/tests/replay_steps

People go back in a video: they look at the result, return, click again, track on. A sequence does that at random (seeded):
clicks, background clicks, boxes and masks on frames that were tracked or not, again on frames prompted before, stretches
forward and in reverse with gaps between them, new objects, removed objects. Every output is compared, in order: the mask
of each object after each prompt and each tracked frame. An object's comparison ends where the network's own choice was
a near tie (`too_close` of make_reference.py), since everything after it may follow from rounding.

--history N is the engine's (replay_steps, sam_session_options.history): with less of it than a sequence goes back, outputs
may differ from the official ones, but only those that say so (`incomplete`).

--named runs the sequences below instead (others where --size is portrait), --steps FILE those of a JSON file ([{name, steps}]).

--fixtures FILE stores the official outputs of those without a near tie for tests/test_sequences.c, as safetensors: a tensor
per sequence, [rows, 3 + LOGITS + POINTER] float32, a row per output and object: score, quality (-1: a mask prompt), area of
the mask in pixels, samples of the low-res logits and of the pointer at hash_weights.sample_indices. The metadata string
`settings` is JSON; its `sequences` are [{name, steps, rows: [[output, object, after a pixel tie]]}].
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

os.environ["TQDM_DISABLE"] = "1"

import numpy as np
import torch

import cases
import hash_weights as hw
import make_reference
import official
import synthetic_clip

TOLERANCE = 1e-3
PIXEL_TIE = 10  # times the tolerance once a mask that memory was made of had a pixel within rounding of 0
LOGITS, POINTER = 64, 32  # samples in fixtures
ROUNDING = 2e-6  # make_reference's relative error of logits; test_parity.c


# ---- sequences ------------------------------------------------------------------------------------------------------

def named(width, height):
    """What users did first, as {name: steps}; frames 0 to 24. Of a portrait clip: what its resizes decide."""
    p = cases.places(width, height)
    click = lambda frame, what="point", label=1: cases._click(1, frame, [p[what]], [label])
    go = lambda start, count: cases._go(start, count=count)
    back = lambda frame: click(frame, "background", 0)
    if height > width:
        return {
            "portrait_click": [click(0), go(0, 5)],
            "portrait_mask": [{"add": {"object": 1, "frame": 0, "mask": p["ellipse"]}}, go(0, 5)],
        }
    return {
        "again_on_the_first": [click(0), go(0, 3), back(0), go(0, 4)],
        "between_stretches": [click(0), go(0, 2), click(8), go(8, 2), back(5), go(5, 2)],
        "far_back": [click(0), go(0, 23), back(10), go(11, 3)],
        "near_the_end": [click(0), go(0, 23), back(20), go(21, 2)],
    }


def random_prompt(r, width, height, obj, frame):
    at = lambda: [r.randrange(4, width - 4), r.randrange(4, height - 4)]
    kind = r.choices(["click", "background", "clicks", "box", "box_click", "mask", "empty"], [8, 6, 3, 4, 1, 4, 1])[0]
    add = {"object": obj, "frame": frame}
    if kind in ("click", "background"):
        add.update(points=[at()], labels=[int(kind == "click")])
    elif kind == "clicks":
        n = r.randint(2, 3)
        add.update(points=[at() for _ in range(n)], labels=[1] + [r.randint(0, 1) for _ in range(n - 1)])
    elif kind == "mask":
        add.update(mask=[*at(), r.randint(8, width // 3), r.randint(8, height // 3)])
    elif kind == "empty":
        add.update(mask=[0, 0, 0, 0])
    else:
        (x0, y0), (x1, y1) = at(), at()
        add.update(box=[min(x0, x1), min(y0, y1), max(x0, x1) + 3, max(y0, y1) + 3])
        if kind == "box_click":
            add.update(points=[at()], labels=[1])
    if "points" in add and "box" not in add and r.random() < 0.15:
        add["replace"] = True
    return {"add": add}


def random_steps(r, width, height, n_frames):
    """A sequence of some 8 to 24 outputs. Official limits: an object must have a prompt, and reverse from 0 is empty."""
    steps, n_outputs, objects, prompted, last = [], 0, [], {}, 0
    wanted = r.randint(8, 18)

    def prompt(obj, frame):
        if len(prompted.setdefault(obj, {})) >= 6 and frame not in prompted[obj]:
            return 0
        clicks = prompted[obj].get(frame, 0)
        step = random_prompt(r, width, height, obj, frame)
        a = step["add"]
        clicks = len(a.get("points", ())) + (0 if "box" in a or "mask" in a or "replace" in a else clicks)
        if clicks > 12:
            return 0
        prompted[obj][frame] = clicks
        if obj not in objects:
            objects.append(obj)
        steps.append(step)
        return 1

    n_outputs += prompt(1, r.choice([0, 0, 0, r.randrange(n_frames)]))
    while n_outputs < wanted:
        what = r.choices(["go", "back", "new", "remove"], [9, 8, 1 if len(objects) < 3 else 0, 0.7])[0]
        frames = [f for o in objects for f in prompted[o]]
        if what == "go" or (what == "back" and not frames):
            start = r.choice([last, last + 1, last - 1, r.choice(frames), r.randrange(n_frames)])
            start = min(max(start, 0), n_frames - 1)
            reverse = start > 0 and r.random() < 0.3
            count = r.randint(0, 6)
            if not objects:
                continue
            steps.append({"propagate": {"start": start, "reverse": reverse, "count": count}})
            end = max(start - count, 0) if reverse else min(start + count, n_frames - 1)
            n_outputs += abs(end - start) + 1
            last = end
        elif what == "back":
            for _ in range(r.choice([1, 1, 1, 2, 3])):
                frame = r.choice([last, max(last - r.randint(0, 4), 0), r.choice(frames), r.randrange(n_frames)])
                n_outputs += prompt(r.choice(objects), frame)
        elif what == "new":
            free = [o for o in (1, 2, 3) if o not in objects]
            n_outputs += prompt(r.choice(free), r.choice([last, r.randrange(n_frames)]))
        elif len(objects) > 1:  # the last one is not removed: the official code forgets everything then, as we do
            gone = r.choice(objects)
            objects.remove(gone)
            prompted.pop(gone)
            steps.append({"remove": {"object": gone}})
    return steps


def near_zero(logits):
    """Pixels that may be in the mask or not: their logit is within the tolerance (relative to the RMS) of 0."""
    return np.abs(logits) <= TOLERANCE * np.sqrt(np.mean(np.square(logits.astype(np.float64))))


# ---- the official side ----------------------------------------------------------------------------------------------

class Official:
    def __init__(self, args, predictor_file, frames):
        self.net = official.build(args.model, args.imgsz, predictor_file)
        official.load_hash_weights(self.net, args.model, args.seed, "stable")
        self.probe = make_reference.Decisions(self.net)
        # Before the first prompt of a video there is no pointer to promote the bf16 memories, and float32 weights refuse them.
        self.net.memory_attention.register_forward_pre_hook(
            lambda _, a, k: (a, {**k, "memory": k["memory"].float(), "memory_pos": k["memory_pos"].float()}), with_kwargs=True)
        self.frames, self.features = frames, {}
        forward = type(self.net)._get_image_feature
        images = official.network_input(frames, args.imgsz)

        def cached(inference_state, frame_idx, batch_size):  # all sequences are of one clip
            held = inference_state["cached_features"]
            if frame_idx in self.features:
                held[frame_idx] = self.features[frame_idx]
            out = forward(self.net, inference_state, frame_idx, batch_size)
            self.features[frame_idx] = inference_state["cached_features"][frame_idx]
            return out

        self.net._get_image_feature = cached
        official.network_input = lambda *_: images

    @torch.inference_mode()
    def run(self, steps):
        """[(frame, {object: tensors})] of every output, and per object the first output whose decision was a near tie."""
        net, probe, height, width = self.net, self.probe, *self.frames[0].shape[:2]
        state = official.init_state(net, self.frames)
        outputs, decided = [], {}
        single = type(net)._run_single_frame_inference

        def tagged(**k):
            index = next(i for i, d in state["output_dict_per_obj"].items() if d is k["output_dict"])
            obj = state["obj_idx_to_id"][index]
            probe.at, probe.mask_prompt, probe.list = f"{obj}", k["mask_inputs"] is not None, []
            out = single(net, **k)
            probe.at = None
            d = probe.list[-1]
            if make_reference.too_close(d, False):
                decided.setdefault(obj, len(outputs))
            out[0]["decision"] = d  # of this output, which may be pending
            return out

        net._run_single_frame_inference = tagged

        def output(t, masks, only=None):
            found = {}
            for i, obj in state["obj_idx_to_id"].items():
                if only is not None and obj != only:
                    continue
                stored, temp = state["output_dict_per_obj"][i], state["temp_output_dict_per_obj"][i]
                for d in (temp["cond_frame_outputs"], temp["non_cond_frame_outputs"],
                          stored["cond_frame_outputs"], stored["non_cond_frame_outputs"]):
                    if t in d:
                        break
                else:
                    continue
                o, d = d[t], d[t]["decision"]
                found[obj] = {"low_res_logits": o["pred_masks"][0, 0].float().numpy().copy(),
                              "object_score": o["object_score_logits"][0].float().numpy().copy(),
                              "object_pointer": o["obj_ptr"][0].float().numpy().copy(),
                              "mask": (masks[i, 0] > 0).numpy().astype(np.uint8),
                              "open": near_zero(masks[i, 0].float().numpy())}
                if "chosen" in d:
                    found[obj]["iou"] = np.array([d["iou"][d["chosen"]]], np.float32)
            outputs.append((t, found))

        for step in steps:
            if "add" in step:
                a = step["add"]
                if "mask" in a:
                    mask = cases.ellipse_mask(a["mask"], width, height)
                    t, _, masks = net.add_new_mask(state, a["frame"], a["object"], mask.astype(bool))
                else:
                    t, _, masks = net.add_new_points_or_box(
                        state, a["frame"], a["object"], points=a.get("points"), labels=a.get("labels"),
                        box=a.get("box"), clear_old_points="box" in a or bool(a.get("replace")))
                output(t, masks, a["object"])
            elif "remove" in step:
                net.remove_object(state, step["remove"]["object"])
            else:
                g = step["propagate"]
                for t, _, masks in net.propagate_in_video(state, g["start"], g.get("count"), g["reverse"]):
                    output(t, masks)
        del net._run_single_frame_inference
        return outputs, decided


# ---- comparing ------------------------------------------------------------------------------------------------------

def pixel_tie(logits):
    """A pixel of the mask at the network's size, of which memory is made, is within rounding of 0."""
    x = torch.nn.functional.interpolate(torch.from_numpy(logits)[None, None], scale_factor=4, mode="bilinear")
    return bool(x.abs().min() < ROUNDING * np.sqrt(np.mean(np.square(logits.astype(np.float64)))))


def compare(name, steps, outputs, ties, ours, verbose):
    """Worst errors of a sequence, and where it first differed (None: nowhere)."""
    worst, n, n_incomplete, first, pixel = {}, 0, 0, None, set()
    for k, (t, found) in enumerate(outputs):
        for obj, want in found.items():
            decided = ~want.pop("open")
            have = {what: ours.get(f"{k:04d}/obj_{obj}/{what}") for what in (*want, "incomplete")}
            if k >= ties.get(obj, 1 << 30):
                continue
            if any(have[what] is None for what in want):
                first = first or (k, t, obj, {"missing": 1.0})
                continue
            incomplete = have["incomplete"] is not None and have["incomplete"][0]
            errors = {}
            for what, x in want.items():
                y = have[what]
                if what == "mask":
                    both, either = np.sum(x & y & decided), np.sum((x | y) & decided)
                    errors[what] = 1 - both / either if either else 0.0
                elif what in ("object_score", "iou"):
                    errors[what] = float(abs(x[0] - y[0]) / max(1, abs(x[0])))
                else:
                    errors[what] = make_reference.relative_error(y, x)
            allowed = TOLERANCE * (PIXEL_TIE if obj in pixel else 1)
            bad = {w: e for w, e in errors.items() if not e <= allowed}
            if verbose:
                print(f"  {k:3} frame {t:2} object {obj}{' incomplete' if incomplete else ''}: "
                      + ", ".join(f"{w} {e:.1e}" for w, e in errors.items()))
            if incomplete:
                n_incomplete += 1
                continue
            n += 1
            if bad and not first:
                first = (k, t, obj, bad)
            for w, e in errors.items():
                worst[w] = max(worst.get(w, 0), e / (PIXEL_TIE if obj in pixel else 1))
            if pixel_tie(want["low_res_logits"]):
                pixel.add(obj)
    return worst, n, n_incomplete, first


def fixture(outputs):
    """(rows, table) of --fixtures for one sequence."""
    rows, table, pixel = [], [], set()
    for k, (_, found) in enumerate(outputs):
        for obj, o in found.items():
            samples = [o[w].ravel()[hw.sample_indices(o[w].size, n)]
                       for w, n in (("low_res_logits", LOGITS), ("object_pointer", POINTER))]
            rows.append([k, obj, int(obj in pixel)])
            table.append(np.concatenate([o["object_score"], o.get("iou", [-1]), [o["mask"].sum()], *samples]))
            if pixel_tie(o["low_res_logits"]):
                pixel.add(obj)
    return rows, np.array(table, np.float32)


def write_fixtures(args, n_frames, kept):
    settings = {key: getattr(args, key) for key in ("model", "seed", "imgsz")}
    settings.update(width=args.size[0], height=args.size[1], n_frames=n_frames,
                    frames=f"synthetic_clip seed={synthetic_clip.SEED}", sequences=[])
    tensors = {}
    for name, steps, outputs in kept:
        rows, tensors[name] = fixture(outputs)
        settings["sequences"].append({"name": name, "steps": steps, "rows": rows})
    os.makedirs(os.path.dirname(args.fixtures) or ".", exist_ok=True)
    hw.save_safetensors(tensors, args.fixtures, {"settings": json.dumps(settings, separators=(",", ":"))})


def run_ours(args, sequences, frames, folder):
    height, width = frames[0].shape[:2]
    sequences = [s for s in sequences if not os.path.exists(os.path.join(folder, s[0] + ".safetensors"))]
    if not sequences:
        return
    clip = os.path.join(folder, "clip.rgb")
    with open(clip, "wb") as f:
        f.write(b"".join(x.tobytes() for x in frames))
    request = os.path.join(folder, "request.json")
    with open(request, "w") as f:
        json.dump({"model": args.model, "seed": args.seed, "imgsz": args.imgsz, "clip": clip, "width": width,
                   "height": height, "n_frames": len(frames), "history": args.history,
                   "sequences": [{"name": n, "steps": s} for n, s in sequences]}, f)
    subprocess.run([args.replay, request, folder], check=True)


def describe(steps):
    out = []
    for s in steps:
        if "add" in s:
            a = s["add"]
            what = "mask" if "mask" in a else "box" if "box" in a else "".join("-+"[v] for v in a["labels"])
            out.append(f"{a['object']}@{a['frame']}:{what}{'!' if a.get('replace') else ''}")
        elif "remove" in s:
            out.append(f"drop {s['remove']['object']}")
        else:
            g = s["propagate"]
            out.append(f"{g['start']}{'<' if g['reverse'] else '>'}{g['count']}")
    return " ".join(out)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default="sam2.1_tiny", choices=official.MODELS)
    ap.add_argument("--count", type=int, default=20, metavar="N", help="random sequences (default %(default)s)")
    ap.add_argument("--first", type=int, default=0, metavar="N", help="number of the first: sequence N is always the same")
    ap.add_argument("--frames", type=int, metavar="N", help="of the clip (default 12; with --named 25)")
    ap.add_argument("--imgsz", type=int, help="image size (default 128; EdgeTAM 256, the least it can)")
    ap.add_argument("--seed", type=int, help="of the weights")
    ap.add_argument("--size", type=int, nargs=2, metavar=("W", "H"), default=[synthetic_clip.WIDTH, synthetic_clip.HEIGHT])
    ap.add_argument("--history", type=int, default=0, help="sam_session_options.history (0: the default, -1: none)")
    ap.add_argument("--named", action="store_true", help="the named sequences instead")
    ap.add_argument("--steps", metavar="FILE", help="the sequences of this file instead")
    ap.add_argument("--fixtures", metavar="FILE", help="store those that agree, without near ties, there")
    ap.add_argument("--keep", type=int, default=4, metavar="N", help="fixtures at most (default %(default)s)")
    ap.add_argument("--ours", metavar="DIR", help="keep what the engine gave there; what is there is not made again")
    ap.add_argument("--replay", default="build/tests/replay_steps", metavar="PROGRAM")
    ap.add_argument("--verbose", action="store_true", help="errors of every output")
    official.add_arguments(ap)
    args = ap.parse_args()
    args.imgsz = args.imgsz or (256 if args.model == "edgetam" else 128)
    args.seed = args.seed if args.seed is not None else make_reference.SMALL_SEEDS.get(args.model, 101)
    n_frames = args.frames or (25 if args.named else 12)
    predictor_file = official.use(args.model, args.sam2, args.edgetam)
    official.quiet()
    frames = synthetic_clip.clip(n_frames, *args.size)
    width, height = args.size
    if args.steps:
        with open(args.steps) as f:
            sequences = [(s["name"], s["steps"]) for s in json.load(f)]
    elif args.named:
        sequences = list(named(width, height).items())
    else:
        sequences = [(f"random_{i:04d}", random_steps(random.Random(f"{args.model} {i}"), width, height, n_frames))
                     for i in range(args.first, args.first + args.count)]
    net = Official(args, predictor_file, frames)
    n_bad = n_outputs = n_incomplete = 0
    worst, kept = {}, []
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.ours or temporary
        os.makedirs(folder, exist_ok=True)
        run_ours(args, sequences, frames, folder)
        for name, steps in sequences:
            outputs, ties = net.run(steps)
            w, n, incomplete, first = compare(name, steps, outputs, ties,
                                              hw.load_safetensors(os.path.join(folder, f"{name}.safetensors"))[0], args.verbose)
            n_outputs += n
            n_incomplete += incomplete
            n_bad += first is not None
            if not first and not ties and len(kept) < args.keep:
                kept.append((name, steps, outputs))
            for what, e in w.items():
                worst[what] = max(worst.get(what, 0), e)
            line = f"{args.model} {name}: {n} compared"
            line += f", {incomplete} incomplete" if incomplete else ""
            line += f", logits {w.get('low_res_logits', 0):.1e}"
            if ties:
                line += f", up to a near tie of object {', '.join(map(str, sorted(ties)))}"
            if first:
                k, t, obj, bad = first
                line += f"\n  DIFFERS at output {k}, frame {t}, object {obj}: " + \
                    ", ".join(f"{x} {e:.1e}" for x, e in bad.items()) + f"\n  {describe(steps)}"
            print(line, flush=True)
    if args.fixtures:
        write_fixtures(args, n_frames, kept)
    print(f"{args.model}: {len(sequences) - n_bad} of {len(sequences)} sequences agree, {n_outputs} outputs compared"
          + (f", {n_incomplete} said to be incomplete" if n_incomplete else "")
          + "; worst: " + ", ".join(f"{x} {e:.1e}" for x, e in worst.items()))
    sys.exit(n_bad > 0)


if __name__ == "__main__":
    main()
