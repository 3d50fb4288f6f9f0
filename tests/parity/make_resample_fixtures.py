"""Writes tests/resample_fixtures.h: what Pillow, torch and torchvision make of inputs that C can make again.

    python tests/parity/make_resample_fixtures.py > tests/resample_fixtures.h

Pillow 13 or later: before, it never went down first, which rounds portrait frames differently (docs/numerics.md).
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms import Normalize, Resize

N_SAMPLES = 48
SIZES_RGB = [
    (960, 540, 1024, 1024), (960, 540, 512, 512), (960, 540, 256, 256), (540, 960, 512, 512),
    (64, 48, 64, 48), (64, 48, 64, 31), (64, 48, 101, 48), (37, 53, 64, 32), (53, 37, 7, 11), (333, 77, 128, 128),
    (1, 1, 1, 1), (1, 1, 5, 3), (7, 5, 1, 1), (1, 9, 4, 4), (9, 1, 4, 4), (3, 2, 2, 3),
]
# In both orientations; the first ones lie at the border of where Pillow goes down first.
SIZES_ORDER = [
    (40, 36, 32, 20), (40, 37, 32, 20), (33, 35, 32, 32), (32, 65, 32, 32), (33, 34, 32, 32), (9, 5, 8, 3), (9, 6, 8, 3),
    (479, 853, 512, 512), (479, 853, 256, 256), (97, 211, 64, 64), (31, 127, 128, 64), (133, 601, 128, 128),
    (67, 255, 101, 33), (275, 611, 64, 96), (5, 301, 64, 64), (1, 33, 7, 7), (63, 64, 17, 1), (129, 131, 128, 2),
]
SIZES_PROMPT = [(479, 853, 512, 512), (97, 211, 64, 64), (31, 127, 128, 64), (67, 255, 101, 33), (275, 611, 256, 256),
                (133, 601, 128, 128), (160, 120, 128, 128), (120, 120, 60, 60)]
SIZES_PLANE = [
    (256, 256, 1024, 1024), (256, 256, 960, 540), (128, 128, 512, 512), (1024, 1024, 256, 256), (960, 540, 1024, 1024),
    (960, 540, 512, 512), (64, 48, 64, 48), (64, 48, 64, 31), (64, 48, 101, 48), (37, 53, 64, 32), (53, 37, 7, 11),
    (1, 1, 1, 1), (1, 1, 5, 3), (7, 5, 1, 1), (1, 9, 4, 4), (9, 1, 4, 4), (3, 2, 2, 3),
]


def noise(count):
    """byte(i) of tests/test_resample.c"""
    v = np.arange(count, dtype=np.uint64) * 2654435761 & 0xFFFFFFFF
    v = (v ^ v >> 15) * 2246822519 & 0xFFFFFFFF
    v = (v ^ v >> 13) * 3266489917 & 0xFFFFFFFF
    return (v >> 24).astype(np.uint8)


def fnv1a(array):
    h = 14695981039346656037
    for byte in array.tobytes():
        h = (h ^ byte) * 1099511628211 & 0xFFFFFFFFFFFFFFFF
    return h


def sampled(array):
    """N_SAMPLES values spread over the array; fewer repeat"""
    flat = array.reshape(-1).astype(np.float32)
    at = np.arange(N_SAMPLES, dtype=np.int64) * flat.size // N_SAMPLES
    return "{" + ", ".join(f"{float(v):.9g}f" if "." in f"{float(v):.9g}" or "e" in f"{float(v):.9g}"
                           else f"{float(v):.9g}.0f" for v in flat[at]) + "}"


def pil(rgb, w, h, out_w, out_h, resample):
    return np.asarray(Image.fromarray(rgb.reshape(h, w, 3)).resize((out_w, out_h), resample))


def ellipse(w, h):
    """ellipse of tests/test_resample.c: off the centre, in integers"""
    y, x = np.mgrid[0:h, 0:w].astype(np.int64)
    return (((5 * x - 2 * w) * h) ** 2 + ((5 * y - 3 * h) * w) ** 2 <= (2 * w * h) ** 2).astype(np.float32)


def prompt(w, h, out_w, out_h):
    """add_new_mask of sam2_video_predictor.py"""
    x = torch.from_numpy(ellipse(w, h))[None, None]
    y = F.interpolate(x, (out_h, out_w), mode="bilinear", align_corners=False, antialias=True)
    return (y >= 0.5).numpy().astype(np.uint8)


def both_ways(sizes):
    return [s for w, h, out_w, out_h in sizes for s in ((w, h, out_w, out_h), (h, w, out_w, out_h))]


def main():
    if int(Image.__version__.split(".")[0]) < 13:
        sys.exit(f"Pillow {Image.__version__} resizes portrait frames in another order than the engine; take 13 or later")
    norm = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    print("/* Made by tests/parity/make_resample_fixtures.py with Pillow %s, torch %s; do not edit. */"
          % (Image.__version__, torch.__version__))
    print("#ifndef RESAMPLE_FIXTURES_H\n#define RESAMPLE_FIXTURES_H\n\n#include \"resample.h\"\n")
    print(f"enum {{ N_SAMPLES = {N_SAMPLES} }};\n")
    print("/* clang-format off */")
    print("static const struct {\n    resample_kind kind;\n    int in_w, in_h, out_w, out_h;\n"
          "    uint64_t hash; /* FNV-1a of the bytes */\n} pil_cases[] = {")
    for size in SIZES_RGB + both_ways(SIZES_ORDER):
        rgb = noise(size[0] * size[1] * 3)
        for kind, resample in (("BICUBIC", Image.BICUBIC), ("BILINEAR", Image.BILINEAR)):
            h = fnv1a(pil(rgb, *size, resample))
            print("    {RESAMPLE_PIL_%s, %d, %d, %d, %d, 0x%016xu}," % (kind, *size, h))
    print("};\n\n/* Mask prompts: an ellipse at the network's size, cut at 0.5. */\n"
          "static const struct {\n    int in_w, in_h, out_w, out_h;\n    uint64_t hash;\n} prompt_cases[] = {")
    for size in both_ways(SIZES_PROMPT):
        print("    {%d, %d, %d, %d, 0x%016xu}," % (*size, fnv1a(prompt(*size))))
    print("};\n\nstatic const struct {\n    resample_kind kind;\n    int in_w, in_h, out_w, out_h;\n"
          "    float sample[N_SAMPLES]; /* element i * size / N_SAMPLES */\n} float_cases[] = {")
    for size in SIZES_RGB:
        w, h, out_w, out_h = size
        x = torch.from_numpy(noise(w * h * 3).reshape(h, w, 3)).permute(2, 0, 1).float().div(255)
        y = norm(Resize((out_h, out_w), antialias=True)(x)).permute(1, 2, 0)
        print("    {RESAMPLE_RGB_ANTIALIAS, %d, %d, %d, %d,\n     %s}," % (*size, sampled(y.contiguous().numpy())))
    for size in SIZES_PLANE:
        w, h, out_w, out_h = size
        x = torch.from_numpy((noise(w * h).astype(np.float32) - 127.5) / 128).reshape(1, 1, h, w)
        for kind, antialias in (("ANTIALIAS", True), ("BILINEAR", False)):
            y = F.interpolate(x, (out_h, out_w), mode="bilinear", align_corners=False, antialias=antialias)
            print("    {RESAMPLE_%s, %d, %d, %d, %d,\n     %s}," % (kind, *size, sampled(y.numpy())))
    print("};\n/* clang-format on */\n\n#endif")


main()
