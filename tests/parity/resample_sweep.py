"""Resizes of odd sizes in both orientations: this engine (build/tests/resize_pictures) beside Pillow and torch.

    python resample_sweep.py --count 300 --program build/tests/resize_pictures

A size is drawn at random (seeded) and taken with its width and height exchanged, too; half of the results are squares, as
of SAM 2, half have any size. For each:

    frames         random bytes by Pillow's bicubic and bilinear filters: how many bytes differ (none may)
    mask prompts   an ellipse of 0 and 1 by torch's antialiased bilinear filter: worst error, and pixels on the other side
                   of 0.5, where a prompt is cut
    masks          random values by torch's bilinear filter: worst error

It says how many of the frames Pillow resizes down before across. It fails where a byte or a pixel differs, or an error
exceeds BOUND: of masks more, since positions in the source, up to 900, are float32 with an ulp of 6e-5, and compilers fuse
their product and difference or do not.
"""
import argparse
import random
import subprocess
import sys

import numpy as np
import PIL
import torch
import torch.nn.functional as F
from PIL import Image


BOUND = {"antialias": 1e-6, "bilinear": 1e-5}


class Engine:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def resize(self, kind, picture, out_w, out_h):
        h, w = picture.shape[:2]
        self.process.stdin.write(f"{kind} {w} {h} {out_w} {out_h}\n".encode() + picture.tobytes())
        self.process.stdin.flush()
        shape = (out_h, out_w) + picture.shape[2:]
        n_bytes = int(np.prod(shape)) * picture.itemsize
        answer = self.process.stdout.read(n_bytes)
        if len(answer) != n_bytes:
            sys.exit(f"{kind} of {w} x {h} to {out_w} x {out_h}: no answer")
        return np.frombuffer(answer, picture.dtype).reshape(shape)


def ellipse(r, w, h):
    cx, cy, rx, ry = r.uniform(0, w), r.uniform(0, h), r.uniform(1, w), r.uniform(1, h)
    y, x = np.mgrid[0:h, 0:w]
    return (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1).astype(np.float32)


def sizes(r, count):
    """count pairs (in, out), each in both orientations."""
    for _ in range(count // 2):
        w, h = (r.choice([r.randint(1, 40), r.randint(1, 300), r.randint(200, 900)]) for _ in range(2))
        if r.random() < 0.5:
            out = (r.choice([64, 128, 256, 512]),) * 2
        else:
            out = (r.randint(1, 300), r.randint(1, 300))
        yield (w, h), out
        yield (h, w), out


def down_first(w, h, out_w, out_h):
    """ImagingResampleInner of src/libImaging/Resample.c, Pillow 13."""
    return w != out_w and h - out_h > 0 and h - out_h > 2 * (w - out_w)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--count", type=int, default=300, metavar="N", help="sizes (default %(default)s)")
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--program", default="build/tests/resize_pictures")
    args = ap.parse_args()
    if int(PIL.__version__.split(".")[0]) < 13:
        sys.exit(f"Pillow {PIL.__version__} always goes across first; the engine resizes as Pillow 13")
    torch.set_num_threads(1)
    r, engine = random.Random(args.seed), Engine(args.program)
    noise = np.random.default_rng(args.seed)
    n = n_down = n_bytes = n_pixels = bytes_off = pixels_off = 0
    worst = dict.fromkeys(BOUND, 0.0)
    for (w, h), (out_w, out_h) in sizes(r, args.count):
        n += 1
        n_down += down_first(w, h, out_w, out_h)
        rgb = noise.integers(0, 256, (h, w, 3), dtype=np.uint8)
        where = f"{w} x {h} to {out_w} x {out_h}"
        for kind, filter in ("pil_bicubic", Image.BICUBIC), ("pil_bilinear", Image.BILINEAR):
            want = np.asarray(Image.fromarray(rgb).resize((out_w, out_h), filter))
            off = int(np.sum(engine.resize(kind, rgb, out_w, out_h) != want))
            bytes_off += off
            n_bytes += want.size
            if off:
                print(f"{kind} {where}: {off} of {want.size} bytes differ")
        for kind, plane in ("antialias", ellipse(r, w, h)), ("bilinear", noise.standard_normal((h, w), np.float32)):
            want = F.interpolate(torch.from_numpy(plane)[None, None], (out_h, out_w), mode="bilinear", align_corners=False,
                                 antialias=kind == "antialias")[0, 0].numpy()
            have = engine.resize(kind, plane, out_w, out_h)
            worst[kind] = max(worst[kind], float(np.max(np.abs(have - want))))
            if kind == "antialias":
                off = (have >= 0.5) != (want >= 0.5)
                pixels_off += int(off.sum())
                n_pixels += want.size
                if off.any():
                    print(f"mask prompt {where}: {off.sum()} of {want.size} pixels differ, torch has "
                          + ", ".join(f"{v:.9g}" for v in want[off][:4]))
    print(f"{n} sizes, {n_down} of them down before across (Pillow {PIL.__version__}, torch {torch.__version__}): "
          f"{bytes_off} of {n_bytes} bytes of frames differ; mask prompts: worst error {worst['antialias']:.1e}, "
          f"{pixels_off} of {n_pixels} pixels differ; masks: worst error {worst['bilinear']:.1e}")
    sys.exit(bytes_off > 0 or pixels_off > 0 or any(worst[kind] > BOUND[kind] for kind in BOUND))


if __name__ == "__main__":
    main()
