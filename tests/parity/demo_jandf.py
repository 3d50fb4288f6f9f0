"""A demo model in the official PyTorch code and in sambench: the same J&F on the same clips?

    build/sambench synth --out held_out --clips 12 --seed 0
    python tests/parity/demo_jandf.py --weights models/demo_sam2.1.safetensors --split held_out --sambench build/sambench

Runs `sambench run` on the CPU in float32, the official video predictor (PyPI package sam2) with the same weights, prompts
and frames, scores both by the metric of SA-V, and fails if the means differ by more than --tolerance points. The strongest
test of parity there is: the whole loop, on weights whose decisions matter."""
import argparse
import csv
import os
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "weights_tools", "train"))
import score  # noqa: E402

KINDS = ("points", "bbox", "mask")


def name_of(weights):
    """What --models calls it."""
    state = score.model.load_weights(weights)
    return "edgetam_demo" if score.model.kind_of(state) == score.model.EDGETAM else "demo"


def ours(o, kinds):
    """{(kind, video/object): J&F in points} from sambench's table."""
    name = name_of(o.weights)
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "weights")
        os.mkdir(weights)
        os.symlink(os.path.abspath(o.weights), os.path.join(weights, "demo.safetensors"))
        command = [o.sambench, "run", "--split_dir", o.split, "--weights_dir", weights, "--out_dir", folder, "--quiet",
                   "--models", ",".join(f"{name}_{k}" for k in kinds), "--device", "cpu", "--precision", "fp32"]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except OSError as e:
            sys.exit(f"--sambench {o.sambench}: {e.strerror}")
        if done.returncode:
            sys.exit(f"{' '.join(command)}:\n{done.stderr.strip()}")
        with open(os.path.join(folder, "sav_benchmark_summary.csv"), newline="") as f:
            rows = list(csv.DictReader(f))
    return {(r["model"].removeprefix(f"{name}_"), f"{r['video']}/{r['object']}"): 100 * float(r["JandF"]) for r in rows}


def theirs(o, kinds):
    net = score.open_predictor(o.weights, score.model.CONFIG["image_size"])
    found = {}
    for kind in kinds:
        for video in score.videos_of(o.split):
            for name, j, f in score.score_video(net, o.split, video, kind)[0]:
                found[kind, f"{video}/{name}"] = 50 * (j + f)
    return found


def main():
    p = argparse.ArgumentParser(description="J&F of a demo model: sambench against the official PyTorch code.")
    p.add_argument("--weights", required=True, metavar="FILE", help="converted, .safetensors")
    p.add_argument("--split", required=True, metavar="DIR", help="clips in SA-V layout, as `sambench synth` writes them")
    p.add_argument("--sambench", default="build/sambench", metavar="FILE")
    p.add_argument("--prompts", nargs="+", choices=KINDS, default=list(KINDS))
    p.add_argument("--tolerance", type=float, default=0.2, metavar="POINTS", help="of the means (default 0.2)")
    o = p.parse_args()
    score.quiet()
    videos = score.videos_of(o.split)
    a, b = ours(o, o.prompts), theirs(o, o.prompts)
    if set(a) != set(b):
        sys.exit(f"different objects were scored, for example {sorted(set(a) ^ set(b))[0]}")
    worst = 0.0
    for kind in o.prompts:
        keys = sorted(k for k in a if k[0] == kind)
        differences = [a[k] - b[k] for k in keys]
        far = keys[int(np.argmax(np.abs(differences)))]
        mean_a, mean_b = np.mean([a[k] for k in keys]), np.mean([b[k] for k in keys])
        worst = max(worst, abs(mean_a - mean_b))
        print(f"{kind:<7} {len(keys)} objects of {len(videos)} clips: sambench {mean_a:.3f}, PyTorch {mean_b:.3f}, "
              f"difference {mean_a - mean_b:+.3f}; farthest object {far[1]}: {a[far]:.2f}, {b[far]:.2f}")
    if worst > o.tolerance:
        sys.exit(f"the means differ by {worst:.3f} points, more than {o.tolerance}")


if __name__ == "__main__":
    main()
