#!/usr/bin/env python3
"""Automatic masks: sambench and the official generators on the same cores, in turns.

    python amg_speed.py --model sam2.1_tiny --sam2 ~/sam2 --rounds 3

In each of --rounds rounds both run once, in processes of their own pinned to the same cores, in an order that turns from round to
round: `sambench amg` and `generate` of the official generator, with the same options and weights (tests/parity/hash_weights.py), on
the clip of tests/parity/synthetic_clip.py. Opening the model and reading the image is not counted on either side. A round gives one
ratio official / sambench; more than 1 means that sambench is faster. What is found is compared by tests/parity/automatic_masks.py.

Random weights predict qualities unlike trained ones: --pred_iou_thresh 0.5 lets sambench enlarge more masks; the official code always
enlarges all.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "parity"))


def parse():
    import official

    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default="sam2.1_tiny", help="as tests/parity/official.py has it, or demo")
    ap.add_argument("--sambench", default=os.path.join(HERE, "..", "..", "build", "sambench"), metavar="FILE")
    ap.add_argument("--imgsz", type=int, default=1024)
    ap.add_argument("--points_per_side", type=int, default=32)
    ap.add_argument("--pred_iou_thresh", type=float, default=0.8)
    ap.add_argument("--stability_score_thresh", type=float, default=0.95)
    ap.add_argument("--rounds", type=int, default=3, metavar="K")
    ap.add_argument("--cpus", metavar="0,1", help="cores to use (default: all this process may)")
    ap.add_argument("--size", type=int, nargs=2, metavar=("W", "H"), default=[1920, 1080])
    ap.add_argument("--theirs", metavar="FILE", help=argparse.SUPPRESS)  # a round of the official one: its result goes there
    official.add_arguments(ap)
    return ap.parse_args()


def options(a):
    return {k: getattr(a, k) for k in ("points_per_side", "pred_iou_thresh", "stability_score_thresh")}


def theirs(a):
    """Seconds of generate, in this process."""
    import torch

    import automatic_masks
    import official
    import synthetic_clip

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    official.quiet()
    generator = automatic_masks.generator(a.model, a.imgsz, options(a), a)
    image = synthetic_clip.frame(0, *a.size)[0]
    start = time.perf_counter()
    with torch.inference_mode():
        found = generator.generate(image)
    with open(a.theirs, "w") as f:
        json.dump({"s": time.perf_counter() - start, "masks": len(found)}, f)


def write_inputs(a, folder):
    """The image and the weights, by the official model's own names."""
    from PIL import Image

    import automatic_masks
    import official
    import synthetic_clip

    official.quiet()
    image = os.path.join(folder, "image.png")
    Image.fromarray(synthetic_clip.frame(0, *a.size)[0]).save(image)
    automatic_masks.open_model(a.model, a.imgsz, a)
    return image, automatic_masks.weights_of(a.model, folder, a)


def ours(a, image, weights):
    command = [a.sambench, "amg", "--weights", weights, "--input", image, "--device", "cpu", "--precision", "fp32", "--imgsz",
               str(a.imgsz), "--threads", str(len(os.sched_getaffinity(0)))]
    for name, value in options(a).items():
        command += [f"--{name}", str(value)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    masks, seconds = re.search(r": (\d+) masks of \d+ points, ([\d.]+) s", said).groups()
    return {"s": float(seconds), "masks": int(masks)}


def official_round(a, folder):
    path = os.path.join(folder, "theirs.json")
    subprocess.run([sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--theirs", path], check=True)
    with open(path) as f:
        return json.load(f)


def main():
    a = parse()
    if a.cpus:
        os.sched_setaffinity(0, {int(c) for c in a.cpus.split(",")})
    if a.theirs:
        theirs(a)
        return
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        image, weights = write_inputs(a, folder)
        for k in range(a.rounds):
            turns = [lambda: ("ours", ours(a, image, weights)), lambda: ("theirs", official_round(a, folder))]
            took = dict(turn() for turn in (turns if k % 2 == 0 else turns[::-1]))
            ratios.append(took["theirs"]["s"] / took["ours"]["s"])
            print(f"round {k + 1}: sambench {took['ours']['s']:.2f} s, {took['ours']['masks']} masks; official "
                  f"{took['theirs']['s']:.2f} s, {took['theirs']['masks']} masks; ratio {ratios[-1]:.2f}", flush=True)
    print(f"{a.model}, {a.imgsz} px, {a.points_per_side}^2 points, {a.size[0]} x {a.size[1]}: official / sambench, median "
          f"{statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
