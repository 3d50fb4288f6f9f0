"""J&F of a checkpoint on a data set in SA-V layout, with the official video predictor.

    build/sambench synth --out held_out --clips 12 --seed 7
    python weights_tools/train/score.py --weights runs/demo/demo.pt --split held_out --prompt points

Each object is prompted once, on the first annotated frame that shows it (points: the mask's centroid, or the nearest pixel
of the mask; bbox: its box; mask: itself), and tracked forward alone. J and F follow facebookresearch/sam2
sav_dataset/utils/sav_benchmark.py, as `sambench run --metric sav` does."""
import argparse
import json
import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import model

IMAGES, MASKS = "JPEGImages_24fps", "Annotations_6fps"


# ---- J and F ----------------------------------------------------------------------------------------------------------


def boundary(mask):
    """Pixels that differ from their east, south or south-east neighbour (seg2bmap)."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    east, south, both = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return (mask ^ east) | (mask ^ south) | (mask ^ both)


def dilated(edge, radius):
    r = torch.arange(-radius, radius + 1)
    disk = (r[:, None] ** 2 + r[None, :] ** 2 <= radius * radius).float()
    return F.conv2d(torch.from_numpy(edge)[None, None].float(), disk[None, None], padding=radius)[0, 0].numpy() > 0


def j_and_f(truth, found):
    union = (truth | found).sum()
    j = (truth & found).sum() / union if union else 1.0
    a, b = boundary(truth), boundary(found)
    if not a.any() or not b.any():
        return j, float(not a.any() and not b.any())
    radius = math.ceil(0.008 * math.hypot(*truth.shape))
    precision, recall = (b & dilated(a, radius)).sum() / b.sum(), (a & dilated(b, radius)).sum() / a.sum()
    return j, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def object_score(truth, found):
    """Means over the annotated frames but first and last, from where truth or prediction first shows the object."""
    scores, started = [], False
    for frame in sorted(truth)[1:-1]:
        t, f = truth[frame], found[frame]
        started = started or t.any() or f.any()
        if started:
            scores.append(j_and_f(t, f))
    return np.mean(scores, 0) if scores else None


# ---- tracking ---------------------------------------------------------------------------------------------------------


def prompt_of(mask, kind):
    """What to hand to the predictor, from the object's mask [H, W]."""
    ys, xs = np.nonzero(mask)
    if kind == "mask":
        return {"mask": mask}
    if kind == "bbox":
        return {"box": np.array([xs.min(), ys.min(), xs.max(), ys.max()], np.float32)}
    cx, cy = int(xs.sum()) // len(xs), int(ys.sum()) // len(ys)
    nearest = np.lexsort((xs, ys, (xs - cx) ** 2 + (ys - cy) ** 2))[0]
    return {"points": np.array([[xs[nearest], ys[nearest]]], np.float32), "labels": np.array([1], np.int32)}


def track(net, state, frame, prompt):
    """{frame: mask [H, W]} from the prompted frame on."""
    net.reset_state(state)
    add = net.add_new_mask if "mask" in prompt else net.add_new_points_or_box
    add(state, frame_idx=frame, obj_id=1, **prompt)
    return {t: masks[0, 0].numpy() > 0 for t, _, masks in net.propagate_in_video(state, start_frame_idx=frame)}


def read_mask(path):
    return np.array(Image.open(path)) > 0


def score_video(net, split, video, kind, limit=0):
    """[(object, J, F)] of a video, and its masks {object: {frame: mask}}."""
    with torch.inference_mode():
        state = net.init_state(os.path.join(split, IMAGES, video), async_loading_frames=False)
        scores, masks = [], {}
        for name in sorted(os.listdir(os.path.join(split, MASKS, video)))[: limit or None]:
            folder = os.path.join(split, MASKS, video, name)
            truth = {int(f[:-4]): read_mask(os.path.join(folder, f)) for f in os.listdir(folder) if f.endswith(".png")}
            first = min((t for t in truth if truth[t].any()), default=None)
            if first is None:
                continue
            truth = {t: m for t, m in truth.items() if t >= first}
            masks[name] = track(net, state, first, prompt_of(truth[first], kind))
            result = object_score(truth, masks[name])
            if result is not None:
                scores.append((name, *result))
    return scores, masks


def components(mask):
    """8-connected components of mask [N, 1, H, W]: labels and areas, as the package's CUDA extension has them."""
    n, _, h, w = mask.shape
    labels = torch.arange(1, h * w + 1, dtype=torch.float32).view(1, 1, h, w) * mask
    while True:
        grown = F.max_pool2d(labels, 3, 1, 1) * mask
        if torch.equal(grown, labels):
            break
        labels = grown
    flat = labels.long().flatten(1)
    areas = torch.zeros(n, h * w + 1, dtype=torch.long).scatter_add_(1, flat, torch.ones_like(flat)).gather(1, flat)
    return flat.view_as(mask), areas.view_as(mask) * mask


def open_predictor(weights, px):
    """The official predictor with this checkpoint. It fills holes through its CUDA extension; here without one."""
    import sam2.utils.misc

    sam2.utils.misc.get_connected_components = components
    return model.open_trained(weights, px, predictor=True).eval()


def quiet():
    import functools
    import logging
    import warnings

    import tqdm

    tqdm.tqdm.__init__ = functools.partialmethod(tqdm.tqdm.__init__, disable=True)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)


def videos_of(split):
    folder = os.path.join(split, IMAGES)
    if not os.path.isdir(folder):
        sys.exit(f"{split}: expected a data set with {IMAGES}/ and {MASKS}/, as `sambench synth` writes it")
    return sorted(os.listdir(folder))


def main():
    p = argparse.ArgumentParser(description="J&F of a demo checkpoint with the official predictor.")
    p.add_argument("--weights", required=True, metavar="FILE", help="demo.pt of the training program, or the same converted by samconvert")
    p.add_argument("--split", required=True, metavar="DIR", help="a data set in SA-V layout")
    p.add_argument("--prompt", choices=("points", "bbox", "mask"), default="points")
    p.add_argument("--imgsz", type=int, default=model.CONFIG["image_size"], metavar="PX")
    p.add_argument("--videos", type=int, default=0, metavar="N", help="the first N only")
    p.add_argument("--json", metavar="FILE", help="J and F of every object, as fractions")
    o = p.parse_args()
    if o.imgsz < 64 or o.imgsz % 32:
        p.error("--imgsz: expected a multiple of 32 from 64")
    quiet()
    videos = videos_of(o.split)
    net = open_predictor(o.weights, o.imgsz)
    objects = {}
    for video in videos[: o.videos or None]:
        scores, _ = score_video(net, o.split, video, o.prompt)
        for name, j, f in scores:
            objects[f"{video}/{name}"] = {"J": float(j), "F": float(f), "JandF": float(j + f) / 2}
            print(f"{video}/{name:<8} J {100 * j:5.1f}  F {100 * f:5.1f}  J&F {50 * (j + f):5.1f}", flush=True)
    mean = {k: float(np.mean([v[k] for v in objects.values()])) for k in ("J", "F", "JandF")} if objects else {}
    if not objects:
        sys.exit(f"{o.split}: no object to score")
    print(f"mean of {len(objects)} objects, {o.prompt}: J {100 * mean['J']:.2f}  F {100 * mean['F']:.2f}  "
          f"J&F {100 * mean['JandF']:.2f}")
    if o.json:
        with open(o.json + ".partial", "w") as f:
            json.dump({"metric": "sav", "prompt": o.prompt, "global": mean, "objects": objects}, f, indent=1)
        os.replace(o.json + ".partial", o.json)


if __name__ == "__main__":
    main()
