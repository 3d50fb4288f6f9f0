"""A clip that needs no image file: three textured ellipses that drift and cross over a drifting textured background.

Integers only, so that tests/support/synthetic_clip.c gives the same bytes; `checksum` is compared by its test.
All divisions and shifts below are of non-negative numbers.

    mix(z)                       splitmix64's finaliser (hash_weights.py)
    byte(layer, c, ix, iy)     = mix(mix(seed ^ (layer*4 + c)) + (iy*65536 + ix + 1) * 0x9E3779B97F4A7C15) >> 56
    noise(layer, c, x, y, s)   = bilinear blend of the four bytes around (x, y) on a lattice of 2^s pixels:
                                 lx = x >> s, fx = x & (2^s - 1), m = 2^s, likewise y;
                                 ((b00*(m-fx) + b01*fx) * (m-fy) + (b10*(m-fx) + b11*fx) * fy) >> 2s
                                 where b01 is at (lx+1, ly), b10 at (lx, ly+1)
    background (x, y, t, c)    = (noise(0, c, x+t, y, 5) * 5 + noise(1, c, x+t, y, 2) * 3) >> 4               0..127
    ellipse k = 1, 2, 3          centre in eighths of a pixel, half axes a, b in pixels (table SHAPES, in sixteenths of
                                 width or height: cx8 = 8*width*cx/16 + t*vx, ...; a = width*ra/64, b = height*rb/64)
    inside                       ((8x - cx8) * b)^2 + ((8y - cy8) * a)^2 <= (8ab)^2
    its colour                 = COLOUR[k][c] + (noise(1+k, c, x + 4096 - cx8/8, y + 4096 - cy8/8, 3) >> 2)   up to 63 more
    pixel                        the last ellipse that holds it, otherwise the background; ids[y][x] = k or 0
"""
import numpy as np

import hash_weights as hw

WIDTH, HEIGHT, SEED = 160, 120, 7
#          cx  cy (16ths)  vx  vy (eighths of a pixel a frame)  ra  rb (64ths)
SHAPES = [(4, 10, 14, -5, 9, 12), (11, 6, -11, 4, 8, 10), (8, 3, 3, 9, 5, 7)]
COLOUR = [(150, 40, 60), (50, 170, 70), (90, 80, 190)]


def _byte(seed, layer, c, ix, iy):
    with np.errstate(over="ignore"):
        key = np.uint64(hw.mix(seed ^ (layer * 4 + c)))
        z = (iy.astype(np.uint64) * np.uint64(65536) + ix.astype(np.uint64) + np.uint64(1)) * np.uint64(hw.GOLDEN) + key
        return (hw.mix(z) >> np.uint64(56)).astype(np.int64)


def _noise(seed, layer, c, x, y, s):
    m = 1 << s
    lx, ly, fx, fy = x >> s, y >> s, x & (m - 1), y & (m - 1)
    b00, b01 = _byte(seed, layer, c, lx, ly), _byte(seed, layer, c, lx + 1, ly)
    b10, b11 = _byte(seed, layer, c, lx, ly + 1), _byte(seed, layer, c, lx + 1, ly + 1)
    return ((b00 * (m - fx) + b01 * fx) * (m - fy) + (b10 * (m - fx) + b11 * fx) * fy) >> (2 * s)


def frame(t, width=WIDTH, height=HEIGHT, seed=SEED):
    """([height,width,3] uint8 RGB, [height,width] uint8 ids) of frame t >= 0."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    rgb = np.empty((height, width, 3), np.uint8)
    ids = np.zeros((height, width), np.uint8)
    for c in range(3):
        rgb[..., c] = (_noise(seed, 0, c, x + t, y, 5) * 5 + _noise(seed, 1, c, x + t, y, 2) * 3) >> 4
    for k, (cx, cy, vx, vy, ra, rb) in enumerate(SHAPES, 1):
        cx8, cy8 = 8 * width * cx // 16 + t * vx, 8 * height * cy // 16 + t * vy
        a, b = width * ra // 64, height * rb // 64
        inside = ((8 * x - cx8) * b) ** 2 + ((8 * y - cy8) * a) ** 2 <= (8 * a * b) ** 2
        ids[inside] = k
        for c in range(3):
            texture = _noise(seed, 1 + k, c, x + 4096 - (cx8 >> 3), y + 4096 - (cy8 >> 3), 3) >> 2
            rgb[..., c][inside] = (COLOUR[k - 1][c] + texture)[inside]
    return rgb, ids


def clip(count, width=WIDTH, height=HEIGHT, seed=SEED):
    return [frame(t, width, height, seed)[0] for t in range(count)]


def checksum(count=10, width=WIDTH, height=HEIGHT, seed=SEED):
    """FNV-1a over the bytes of rgb, then ids, of each frame."""
    h = 0xCBF29CE484222325
    for t in range(count):
        for part in frame(t, width, height, seed):
            h = hw.fnv1a64(part.tobytes(), h)
    return h


if __name__ == "__main__":
    import argparse
    import os

    from PIL import Image

    ap = argparse.ArgumentParser(description="Write the synthetic clip as a folder of PNG frames.")
    ap.add_argument("--out", required=True, metavar="DIR")
    ap.add_argument("--frames", type=int, default=10)
    ap.add_argument("--size", type=int, nargs=2, default=[WIDTH, HEIGHT], metavar=("W", "H"))
    ap.add_argument("--seed", type=int, default=SEED)
    args = ap.parse_args()
    os.makedirs(args.out, exist_ok=True)
    for t, image in enumerate(clip(args.frames, *args.size, args.seed)):
        Image.fromarray(image).save(os.path.join(args.out, f"{t:05d}.png"))
    print(f"{args.out}: {args.frames} frames, checksum 0x{checksum(args.frames, *args.size, args.seed):016X}")
