"""Writes tests/resample_fixtures.h: what Pillow, torch and torchvision make of inputs that C can make again.

    python tests/parity/make_resample_fixtures.py > tests/resample_fixtures.h

Two resizes of one side each stand for Pillow's horizontal-then-vertical order. Up to 12 that is what one resize does;
Pillow 13 resizes vertically first where that is cheaper (portrait to square), which rounds differently.
"""
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
    image = Image.fromarray(rgb.reshape(h, w, 3))
    return np.asarray(image.resize((out_w, h), resample).resize((out_w, out_h), resample))


def main():
    norm = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    print("/* Made by tests/parity/make_resample_fixtures.py with Pillow %s, torch %s; do not edit. */"
          % (Image.__version__, torch.__version__))
    print("#ifndef RESAMPLE_FIXTURES_H\n#define RESAMPLE_FIXTURES_H\n\n#include \"resample.h\"\n")
    print(f"enum {{ N_SAMPLES = {N_SAMPLES} }};\n")
    print("/* clang-format off */")
    print("static const struct {\n    resample_kind kind;\n    int in_w, in_h, out_w, out_h;\n"
          "    uint64_t hash; /* FNV-1a of the bytes */\n} pil_cases[] = {")
    for size in SIZES_RGB:
        rgb = noise(size[0] * size[1] * 3)
        for kind, resample in (("BICUBIC", Image.BICUBIC), ("BILINEAR", Image.BILINEAR)):
            h = fnv1a(pil(rgb, *size, resample))
            print("    {RESAMPLE_PIL_%s, %d, %d, %d, %d, 0x%016xu}," % (kind, *size, h))
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
