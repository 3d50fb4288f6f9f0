"""Masks of another size than the frame's, and pictures that are no frame of the clip, beside the official predictor.

    python tests/parity/prompt_sources.py --sambench build/sambench

The demo model tracks the synthetic clip from a mask prompt, here with `sambench track`, there with the package sam2, whose
add_new_mask resizes the mask. A picture that is no frame ("image" in --prompts) is, there, a frame put before the clip and
prompted. Prints the worst difference of logits and the pixels on the other side of 0; fails above --bound."""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "weights_tools", "train")]
import official  # noqa: E402
import score  # noqa: E402
import synthetic_clip  # noqa: E402

WIDTH, HEIGHT, FRAMES = 160, 120, 18  # from 17 frames on ages do not depend on the clip's length
SIZES = ((320, 240), (37, 150), (256, 256), (500, 90), (20, 15))


def ellipse(w, h):
    """One object of the first frame, drawn at any size."""
    y, x = np.mgrid[0:h, 0:w]
    x, y = (x + 0.5) * WIDTH / w, (y + 0.5) * HEIGHT / h
    return ((x - 42) / 24) ** 2 + ((y - 74) / 20) ** 2 <= 1


def theirs(net, frames, mask, first):
    """Low-resolution logits [T - first, S/4, S/4] of frames from `first` on."""
    with torch.inference_mode():
        state = official.init_state(net, frames)
        net.add_new_mask(state, 0, 1, torch.from_numpy(mask))
        for _ in net.propagate_in_video(state):
            pass
        found = state["output_dict_per_obj"][0]
        every = {**found["non_cond_frame_outputs"], **found["cond_frame_outputs"]}
        return np.stack([every[t]["pred_masks"][0, 0].float().numpy() for t in range(first, len(frames))])


def ours(o, folder, n, *prompt):
    dump = os.path.join(folder, "ours.safetensors")
    command = [o.sambench, "track", "--weights", o.weights, "--input", os.path.join(folder, "clip"), "--dump", dump,
               "--device", "cpu", "--precision", "fp32", "--quiet", *prompt]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stderr.strip()}")
    tensors = load_file(dump)
    return np.stack([tensors[f"frame_{t:05d}/obj_1/low_res_logits"] for t in range(n)])


def compare(name, a, b, bound):
    worst, n_other = np.abs(a - b).max(), int(((a > 0) != (b > 0)).sum())
    first = np.abs(a[0] - b[0]).max()
    print(f"{name}: worst difference {worst:.1e} (first frame {first:.1e}) of logits up to {np.abs(b).max():.1f}, {n_other} of {a.size} on the other "
          f"side of 0; {int((b > 0).sum())} inside", flush=True)
    return worst <= bound


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sambench", default="build/sambench", metavar="FILE")
    p.add_argument("--weights", default=os.path.join(HERE, "..", "..", "models", "demo_sam2.1.safetensors"), metavar="FILE")
    p.add_argument("--bound", type=float, default=5e-3, help="of logits (default 0.005)")
    o = p.parse_args()
    score.quiet()
    torch.set_num_threads(1)
    net = score.open_predictor(o.weights, score.model.CONFIG["image_size"])
    net.fill_hole_area = 0
    clip = [synthetic_clip.frame(t)[0] for t in range(FRAMES)]
    good = True
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "clip"))
        for t, frame in enumerate(clip):
            Image.fromarray(frame).save(os.path.join(folder, "clip", f"{t:05d}.png"))
        path = os.path.join(folder, "mask.png")
        for w, h in SIZES:
            mask = ellipse(w, h)
            Image.fromarray(mask.astype(np.uint8) * 255).save(path)
            good &= compare(f"mask of {w} x {h}", ours(o, folder, FRAMES, "--mask", path), theirs(net, clip, mask, 0), o.bound)
        mask = ellipse(WIDTH, HEIGHT)
        Image.fromarray(mask.astype(np.uint8) * 255).save(path)
        Image.fromarray(clip[0]).save(os.path.join(folder, "other.png"))
        prompts = os.path.join(folder, "prompts.json")
        with open(prompts, "w") as f:
            json.dump({"objects": [{"id": 1, "prompts": [{"image": "other.png", "mask": "mask.png"}]}]}, f)
        good &= compare("picture before the clip", ours(o, folder, FRAMES, "--prompts", prompts),
                        theirs(net, clip[:1] + clip, mask, 1), o.bound)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
