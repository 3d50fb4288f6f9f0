#!/usr/bin/env python3
"""SAM v1 on images: sambench and the segment-anything package on the same cores, in turns.

    python image_speed.py --model sam_vit_b --weights sam_vit_b.safetensors --sambench build/sambench --rounds 3

In each of --rounds rounds both run once, pinned to the same cores, in an order that turns from round to round: `sambench
speed` and, in a process of its own, the package's SamPredictor (set_image, then predict with one click and three masks) on
noise of the same size. A round gives one ratio package / sambench for encoder and for a prompt; more than 1 means that sambench
is faster. Weights are random (tests/parity/hash_weights.py; `samconvert random --model sam_vit_b` makes sambench's):
arithmetic does not depend on them. The package computes masks of the image's size in `predict`; sambench's `post` does.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "parity"))


def parse():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default="sam_vit_b", choices=["sam_vit_b", "sam_vit_l", "sam_vit_h"])
    ap.add_argument("--weights", metavar="FILE", help="of --model, for sambench")
    ap.add_argument("--sambench", default=os.path.join(HERE, "..", "..", "build", "sambench"), metavar="FILE")
    ap.add_argument("--precision", default="fp32", choices=["fp32", "bf16"], help="bf16: autocast in the package")
    ap.add_argument("--runs", type=int, default=3, metavar="N", help="images of a round, after one that is not counted")
    ap.add_argument("--rounds", type=int, default=3, metavar="K")
    ap.add_argument("--cpus", metavar="0,1", help="cores to use (default: all this process may)")
    ap.add_argument("--size", type=int, nargs=2, metavar=("W", "H"), default=[1920, 1080])
    ap.add_argument("--package", metavar="FILE", help=argparse.SUPPRESS)  # the round of the package: its result goes there
    return ap.parse_args()


def package(a):
    """Medians of the package, ms."""
    import numpy as np
    import torch

    import official

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    official.quiet()
    official.use(a.model, None, None)
    net = official.build(a.model, 1024)
    official.load_hash_weights(net, a.model, 101, "stable")
    net.eval()
    predictor = official.image_predictor(net)
    decode = net.mask_decoder.forward
    # numpy, into which the predictor turns its results, has no bf16
    net.mask_decoder.forward = lambda **k: tuple(x.float() for x in decode(**k))
    rng, encoder, prompt = np.random.default_rng(0), [], []
    width, height = a.size
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bf16"):
        for i in range(a.runs + 1):
            image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            start = time.perf_counter()
            predictor.set_image(image)
            middle = time.perf_counter()
            predictor.predict(point_coords=np.array([[width / 2, height / 2]]), point_labels=np.array([1]))
            if i:
                encoder.append((middle - start) * 1e3)
                prompt.append((time.perf_counter() - middle) * 1e3)
    with open(a.package, "w") as f:
        json.dump({"encoder": statistics.median(encoder), "prompt": statistics.median(prompt)}, f)


def sambench(a, folder):
    """Medians of sambench, ms: encoder with the resize, and what a prompt takes."""
    path = os.path.join(folder, "speed.json")
    subprocess.run([a.sambench, "speed", "--device", "cpu", "--models", a.weights, "--sizes", "1024", "--precisions",
                    a.precision, "--runs", str(a.runs), "--warmup", "1", "--width", str(a.size[0]), "--height",
                    str(a.size[1]), "--threads", str(len(os.sched_getaffinity(0))), "--json", path, "--quiet"],
                   check=True)
    with open(path) as f:
        run = json.load(f)[0]
    if run["status"] != "ok":
        sys.exit(f"sambench: {run['status']}")
    ms = {part: v["median"] for part, v in run["ms"].items()}
    return {"encoder": ms["image_encoder"] + ms["resize"],
            "prompt": ms["prompt_encoder"] + ms["mask_decoder"] + ms["post"]}


def run_package(a, folder):
    path = os.path.join(folder, "package.json")
    subprocess.run([sys.executable, os.path.abspath(__file__), "--model", a.model, "--precision", a.precision, "--runs",
                    str(a.runs), "--size", *map(str, a.size), "--package", path], check=True)
    with open(path) as f:
        return json.load(f)


def main():
    a = parse()
    if a.package:
        package(a)
        return
    if not a.weights:
        sys.exit("--weights FILE is missing: samconvert random --model sam_vit_b FILE")
    if a.cpus:
        os.sched_setaffinity(0, {int(c) for c in a.cpus.split(",")})
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(a.rounds):
            turns = [lambda: ours.append(sambench(a, folder)), lambda: theirs.append(run_package(a, folder))]
            for turn in turns if k % 2 == 0 else turns[::-1]:
                turn()
            print(f"round {k + 1}: encoder {ours[-1]['encoder']:.0f} and {theirs[-1]['encoder']:.0f} ms", file=sys.stderr,
                  flush=True)
    print(f"{a.model} at 1024, {a.precision}, {len(os.sched_getaffinity(0))} cores, {a.rounds} rounds; ms, medians\n"
          f"{'':10}{'sambench':>10}{'package':>10}{'ratio':>8}")
    for row in ("encoder", "prompt"):
        ratios = [t[row] / o[row] for o, t in zip(ours, theirs)]
        print(f"{row:10}{statistics.median(o[row] for o in ours):10.1f}{statistics.median(t[row] for t in theirs):10.1f}"
              f"{statistics.median(ratios):8.2f}   {min(ratios):.2f}..{max(ratios):.2f}")


if __name__ == "__main__":
    main()
