"""Synthetic clips with exact masks, made on the fly: clip i of a seed is the same on every machine and in any order.

A scene is a stack of things (an outline that bends, a texture, a path) in front of a ground, seen by a moving camera in
changing light. Positions are in heights of the frame; the frame shows x from 0 to `aspect`, y from 0 to 1, squeezed into
a square as the model's input is. Outlines and textures are families of this program alone: the held-out clips of
`sambench synth` are drawn from others.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F

TEXTURE_PX = 96
GROUND_PX = 224
GROUND_MARGIN = 0.35  # of the frame's height, drawn around what the resting camera sees
N_ANGLES = 128


# ---- pictures ---------------------------------------------------------------------------------------------------------


def noise_field(rng, h, w, slope, stretch=1.0):
    """[h, w] noise whose amplitude falls as frequency**-slope, 0..1. `stretch` > 1: longer along x."""
    fy = np.fft.fftfreq(h)[:, None] * h
    fx = np.fft.rfftfreq(w)[None, :] * w * stretch
    amplitude = 1.0 / np.maximum(1.0, np.sqrt(fx * fx + fy * fy)) ** slope
    amplitude[0, 0] = 0.0
    spectrum = amplitude * np.exp(2j * math.pi * rng.random((h, w // 2 + 1)))
    field = np.fft.irfft2(spectrum, s=(h, w))
    low, high = np.quantile(field, (0.02, 0.98))
    return np.clip((field - low) / (high - low + 1e-9), 0.0, 1.0).astype(np.float32)


def _coordinates(h, w):
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    return x / h, y / h


def _pattern(rng, h, w):
    """[h, w] in 0..1: which of the palette's colours is where."""
    kind = rng.integers(9)
    x, y = _coordinates(h, w)
    turn = rng.random() * 2 * math.pi
    u, v = math.cos(turn) * x + math.sin(turn) * y, math.cos(turn) * y - math.sin(turn) * x
    warp = rng.random() * 0.12 * (noise_field(rng, h, w, 2.0) - 0.5)
    n = rng.uniform(3, 14)
    sharp = rng.uniform(1.0, 8.0)

    def wave(a):
        return np.clip(0.5 + 0.5 * sharp * np.sin(2 * math.pi * a), 0.0, 1.0)

    if kind == 0:
        return noise_field(rng, h, w, rng.uniform(0.8, 2.2), rng.choice([1.0, 1.0, 3.0]))
    if kind == 1:
        return wave(n * (u + warp))
    if kind == 2:
        return np.clip(0.5 + sharp * 0.5 * np.sin(2 * math.pi * n * (u + warp)) * np.sin(2 * math.pi * n * v), 0, 1)
    if kind == 3:  # dots
        d = np.hypot((n * (u + warp)) % 1.0 - 0.5, (n * v) % 1.0 - 0.5)
        return np.clip((rng.uniform(0.2, 0.4) - d) * sharp * 4, 0, 1)
    if kind == 4:
        return wave(n * 0.6 * np.hypot(x - rng.random(), y - rng.random()) + warp)
    if kind == 5:
        return np.clip(u - u.min(), 0, None) / (np.ptp(u) + 1e-6)
    if kind == 6:
        return np.full((h, w), rng.random(), np.float32)
    if kind == 7:  # plaid
        return 0.5 * wave(n * u) + 0.5 * wave(rng.uniform(3, 14) * v)
    return np.clip(noise_field(rng, h, w, 2.0) * 0.7 + 0.3 * wave(n * (u + warp)), 0, 1)


def pick_palette(rng, others=(), contrast=0.0, calm=0.0):
    """Three related colours, the first at least `contrast` away from each of `others` if chance finds such a one."""
    best, best_far = None, -1.0
    for _ in range(12):
        main = rng.random(3) ** rng.choice([0.7, 1.0, 1.5])
        if rng.random() < 0.3:  # natural colours are mostly dull
            main = main.mean() + 0.4 * (main - main.mean())
        far = min((np.linalg.norm(main - o) for o in others), default=9.0)
        if far > best_far:
            best, best_far = main, far
        if far >= contrast:
            break
    spread = rng.uniform(0.04, 0.45) * (1 - 0.8 * calm)
    return np.clip(best + np.concatenate([np.zeros((1, 3)), rng.normal(0, spread, (2, 3))]), 0.0, 1.0)


def _colour(rng, pattern, palette):
    a, b, c = palette
    p = pattern[..., None]
    out = a + (b - a) * p
    if rng.random() < 0.4:
        out = out + (c - out) * (noise_field(rng, *pattern.shape, 1.8)[..., None] > rng.uniform(0.6, 0.9))
    out = out * (1 + rng.uniform(0, 0.4) * (noise_field(rng, *pattern.shape, rng.uniform(0.7, 1.8))[..., None] - 0.5))
    return out


def _planes(picture):
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32))[None]


def thing_texture(rng, palette):
    n = TEXTURE_PX
    picture = _colour(rng, _pattern(rng, n, n), palette)
    if rng.random() < 0.5:  # rounded by light
        x, y = _coordinates(n, n)
        cx, cy = rng.random(2)
        picture = picture * (1.15 - rng.uniform(0.1, 0.7) * np.hypot(x - cx, y - cy))[..., None]
    return _planes(picture)


def ground_texture(rng, palette, aspect, ease, busy):
    h, w = GROUND_PX, int(GROUND_PX * (aspect + 2 * GROUND_MARGIN) / (1 + 2 * GROUND_MARGIN))
    kind = rng.integers(4) if rng.random() >= ease else 0
    if busy and rng.random() < 0.4:
        kind = 3
    if kind == 0:  # 1/f noise, as in photographs
        picture = _colour(rng, noise_field(rng, h, w, rng.uniform(0.9, 1.9), rng.choice([1.0, 1.0, 2.5])), palette)
    elif kind == 1:  # bands of different stuff, as sky above ground
        cut = rng.uniform(0.25, 0.75) + 0.15 * (noise_field(rng, 2, w, 1.5)[0] - 0.5)
        above = (np.arange(h)[:, None] / h < cut[None, :])[..., None]
        first = _colour(rng, noise_field(rng, h, w, rng.uniform(1.2, 2.2)), palette)
        second = _colour(rng, noise_field(rng, h, w, rng.uniform(0.8, 1.6)), pick_palette(rng))
        picture = np.where(above, first, second)
    elif kind == 2:
        picture = _colour(rng, _pattern(rng, h, w), palette)
    else:
        picture = _dead_leaves(rng, h, w, palette)
    if rng.random() < 0.5:
        x, y = _coordinates(h, w)
        turn = rng.random() * 2 * math.pi
        picture = picture * (1 + rng.uniform(0, 0.35) * (math.cos(turn) * x + math.sin(turn) * y - 0.5))[..., None]
    return _planes(picture)


def _dead_leaves(rng, h, w, palette):
    """Ellipses and boxes of all sizes on top of each other: clutter with the statistics of natural images."""
    picture = np.tile(palette[0], (h, w, 1))
    spread = rng.uniform(0.05, 0.3)
    for _ in range(int(rng.integers(15, 70))):
        size = h * min(0.5, 0.03 / rng.random() ** 0.6)
        cx, cy = rng.random() * w, rng.random() * h
        x0, x1 = max(0, int(cx - size)), min(w, int(cx + size) + 1)
        y0, y1 = max(0, int(cy - size)), min(h, int(cy + size) + 1)
        if x0 >= x1 or y0 >= y1:
            continue
        y, x = np.mgrid[y0:y1, x0:x1]
        turn, squeeze = rng.random() * math.pi, rng.uniform(1, 3)
        u = (math.cos(turn) * (x - cx) + math.sin(turn) * (y - cy)) / size
        v = squeeze * (math.cos(turn) * (y - cy) - math.sin(turn) * (x - cx)) / size
        inside = (u * u + v * v < 1) if rng.random() < 0.6 else (np.maximum(abs(u), abs(v)) < 0.7)
        colour = palette[rng.integers(3)] + rng.normal(0, spread, 3)
        picture[y0:y1, x0:x1][inside] = np.clip(colour, 0, 1)
    return picture * (0.9 + 0.2 * noise_field(rng, h, w, 1.2))[..., None]


# ---- outlines ---------------------------------------------------------------------------------------------------------


class Outline:
    """A shape within the unit circle that moves with time: signed(u, v, t) is about the distance, negative inside."""

    def __init__(self, rng, liveliness, kind=None):
        self.kind = kind or rng.choice(["blob", "polygon", "boxes", "limbs", "rods"], p=[0.3, 0.2, 0.15, 0.25, 0.1])
        self.rate = rng.uniform(0.02, 0.09) * liveliness
        self.phase = rng.random()
        self.amount = rng.uniform(0.2, 1.0) * liveliness
        self.hole = (rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2), rng.uniform(0.2, 0.4)) if rng.random() < 0.1 else None
        getattr(self, "_make_" + {"polygon": "blob", "rods": "limbs"}.get(self.kind, self.kind))(rng)

    def _make_blob(self, rng):
        angle = np.arange(N_ANGLES) * (2 * math.pi / N_ANGLES)
        if self.kind == "polygon":
            n = int(rng.integers(3, 9))
            at = np.sort((np.arange(n) + rng.uniform(-0.35, 0.35, n)) / n) * 2 * math.pi
            radius = rng.uniform(0.55, 1.0, n)
            corners = np.stack([radius * np.cos(at), radius * np.sin(at)], 1)
            table = np.zeros(N_ANGLES)
            for i in range(n):  # where each ray meets each edge
                p, q = corners[i], corners[(i + 1) % n]
                e = q - p
                cross = np.cos(angle) * e[1] - np.sin(angle) * e[0]
                with np.errstate(divide="ignore", invalid="ignore"):
                    far = (p[0] * e[1] - p[1] * e[0]) / cross
                    along = (p[0] * np.sin(angle) - p[1] * np.cos(angle)) / cross
                hit = (far > 0) & (along >= -1e-6) & (along <= 1 + 1e-6) & np.isfinite(far)
                table = np.where(hit, np.maximum(table, far), table)
            table = np.where(table > 0, table, 0.5)
        else:
            table = np.ones(N_ANGLES)
            for k in range(2, 6):
                table += rng.normal(0, 0.45 / k) * np.cos(k * angle + rng.random() * 2 * math.pi)
            table = np.clip(table, 0.25, None)
        self.table = table / table.max() * 0.92
        self.bend = [(k, rng.normal(0, 0.12), rng.random(), rng.uniform(0.5, 1.5)) for k in (2, 3)]
        self.squeeze = rng.uniform(0.5, 1.0)
        self.angle = angle

    def _make_boxes(self, rng):
        self.boxes = []
        for i in range(int(rng.integers(1, 4))):
            a, b = rng.uniform(0.5, 0.85), rng.uniform(0.12, 0.55)
            if i % 2:
                a, b = b, a
            where = rng.uniform(-0.3, 0.3, 2) if i else np.zeros(2)
            self.boxes.append((where[0], where[1], a * 0.8, b * 0.8, rng.uniform(0.0, 0.12), rng.normal(0, 0.25)))

    def _make_limbs(self, rng):
        is_rods = self.kind == "rods"
        self.body = None if is_rods else (rng.uniform(0.25, 0.5), rng.uniform(0.18, 0.4))
        n = 1 if is_rods else int(rng.integers(2, 6))
        self.limbs = []
        for _ in range(n):
            n_parts = int(rng.integers(2, 4)) if is_rods else int(rng.integers(1, 3))
            start = (-0.6, 0.0) if is_rods else tuple(rng.uniform(-0.25, 0.25, 2))
            reach = (1.3 if is_rods else rng.uniform(0.5, 0.8)) / n_parts
            base = rng.normal(0, 0.3) if is_rods else rng.random() * 2 * math.pi
            thick = rng.uniform(0.1, 0.2) if is_rods else rng.uniform(0.07, 0.18)
            swing = [(rng.normal(0, 0.4), rng.uniform(0.2, 0.9), rng.random()) for _ in range(n_parts)]
            self.limbs.append((start, reach, base, thick, swing))

    def signed(self, u, v, t):
        turn = 2 * math.pi * (self.phase + self.rate * t)
        if self.kind in ("blob", "polygon"):
            d = self._signed_blob(u, v, turn)
        elif self.kind == "boxes":
            d = self._signed_boxes(u, v, turn)
        else:
            d = self._signed_limbs(u, v, turn)
        if self.hole:
            x, y, r = self.hole
            d = torch.maximum(d, r - torch.hypot(u - x, v - y))
        return d

    def _signed_blob(self, u, v, turn):
        table = self.table.copy()
        for k, a, phase, rate in self.bend:
            table *= 1 + self.amount * a * np.cos(k * self.angle + 2 * math.pi * phase + rate * turn)
        v = v / self.squeeze
        at = torch.remainder(torch.atan2(v, u) * (N_ANGLES / (2 * math.pi)), N_ANGLES)
        low = at.floor()
        w = at - low
        low = low.long() % N_ANGLES
        table = torch.from_numpy(np.minimum(table, 1.0).astype(np.float32))
        radius = table[low] * (1 - w) + table[(low + 1) % N_ANGLES] * w
        return (torch.hypot(u, v) - radius) * (0.85 * self.squeeze)

    def _signed_boxes(self, u, v, turn):
        d = None
        for x, y, a, b, r, bend in self.boxes:
            s = math.sin(turn) * self.amount * bend
            c, s = math.cos(s), math.sin(s)
            p, q = c * (u - x) + s * (v - y), c * (v - y) - s * (u - x)
            p, q = p.abs() - a + r, q.abs() - b + r
            one = torch.hypot(p.clamp(min=0), q.clamp(min=0)) + torch.maximum(p, q).clamp(max=0) - r
            d = one if d is None else torch.minimum(d, one)
        return d

    def _signed_limbs(self, u, v, turn):
        d = None
        if self.body:
            a, b = self.body
            d = (torch.hypot(u / a, v / b) - 1) * min(a, b)
        for (x, y), reach, angle, thick, swings in self.limbs:
            for rest, swing, phase in swings:
                angle = angle + rest + self.amount * swing * math.sin(turn + 2 * math.pi * phase)
                x1, y1 = x + reach * math.cos(angle), y + reach * math.sin(angle)
                ex, ey = x1 - x, y1 - y
                along = (((u - x) * ex + (v - y) * ey) / (ex * ex + ey * ey)).clamp(0, 1)
                one = torch.hypot(u - x - along * ex, v - y - along * ey) - thick * (1 - 0.3 * along)
                d = one if d is None else torch.minimum(d, one)
                x, y = x1, y1
        return d


# ---- scenes -----------------------------------------------------------------------------------------------------------


def _swing(rng, middle, amplitude, speed):
    """middle + a sine of this amplitude that moves at most `speed` a frame: (middle, amplitude, rate, phase)."""
    rate = speed * rng.uniform(0.4, 1.0) / (2 * math.pi * amplitude) if amplitude > 1e-6 else 0.0
    return middle, amplitude, min(rate, 0.06), rng.random()


def _at(swing, t):
    middle, amplitude, rate, phase = swing
    return middle + amplitude * math.sin(2 * math.pi * (phase + rate * t))


class Thing:
    def __init__(self, rng, aspect, hardness, texture, pace):
        self.texture = texture
        self.outline = Outline(rng, 0.3 + 1.2 * hardness * rng.random())
        r = math.exp(rng.uniform(math.log(0.13), math.log(0.38)))
        speed = rng.uniform(0.002, 0.022) * (0.4 + hardness) * pace
        self.radius = _swing(rng, r, r * rng.uniform(0, 0.3) * hardness, 0.01 * r / 0.2)
        self.x = _swing(rng, rng.uniform(0.5 * r, aspect - 0.5 * r), rng.uniform(0.03, 0.25), speed)
        self.y = _swing(rng, rng.uniform(0.5 * r, 1 - 0.5 * r), rng.uniform(0.03, 0.2), speed)
        self.turn = _swing(rng, rng.normal(0, 0.5), rng.uniform(0, 0.8) * hardness, 0.06)
        self.drift = (rng.normal(0, 0.004) * hardness, rng.normal(0, 0.003) * hardness)
        self.leave = None  # (frame of the middle, half width, how far)
        self.flip = -1.0 if rng.random() < 0.5 else 1.0

    def place(self, t):
        x, y = _at(self.x, t) + self.drift[0] * t, _at(self.y, t) + self.drift[1] * t
        if self.leave:
            middle, over, far = self.leave
            s = min(1.0, max(0.0, 2.0 - abs(t - middle) / over))
            x += far * s * s * (3 - 2 * s)
        return x, y, _at(self.radius, t), _at(self.turn, t)


class Scene:
    def __init__(self, rng, length, ease, calm, pace, crowded):
        """`length`: in frames of the held-out clips' rate; what happens in the clip happens within it. `ease`: 0..1."""
        hardness = rng.random() * (1 - 0.8 * ease)
        self.aspect = rng.choice([1.0, 4 / 3, 4 / 3, 16 / 9])
        self.ease, self.pace = ease, pace
        palettes = [pick_palette(rng, calm=ease)]
        contrast = max(rng.choice([0.12, 0.3, 0.3, 0.5]), 0.7 * ease)
        self.ground = ground_texture(rng, palettes[0], self.aspect, ease, crowded)
        targets = [self._thing(rng, hardness, palettes, contrast) for _ in range(int(rng.integers(1, 4)))]
        others = [self._thing(rng, hardness, palettes, contrast) for _ in range(int(rng.integers(0, 3)))]
        if rng.random() < (0.85 if crowded else 0.5 * (1 - ease)):
            for _ in range(int(rng.integers(1, 3))):
                others.append(self._twin(rng, targets[0], hardness))
                if crowded and rng.random() < 0.6:
                    self._bring_near(rng, others[-1], targets[0])
        front = []
        if length > 1 and rng.random() < 0.45 * (1 - calm):
            front.append(self._occluder(rng, targets[0], hardness, palettes, length))
        if length > 1 and rng.random() < 0.2:
            thing = targets[-1]
            to = 1.0 if thing.x[0] > 0.5 * self.aspect else -1.0
            far = to * (0.5 * self.aspect + 2 * thing.radius[0] + 0.2)
            thing.leave = (length * rng.uniform(0.35, 0.75), length * rng.uniform(0.1, 0.25), far)
        stack = targets + others
        order = rng.permutation(len(stack))
        self.things = front + [stack[i] for i in order]
        self.n_candidates = len(self.things)
        k = hardness
        slow = lambda middle, size: _swing(rng, middle, rng.random() * size, rng.random() * size * 0.2)  # noqa: E731
        self.pan = slow(0.0, 0.12 * k), slow(0.0, 0.09 * k)
        self.zoom, self.roll = slow(1.0, 0.16 * k), slow(0.0, 0.2 * k)
        self.gain, self.side = slow(1.0, 0.3 * k), slow(0.0, 0.25 * k)
        self.tint = torch.from_numpy(rng.uniform(1 - 0.15 * k, 1 + 0.15 * k, 3).astype(np.float32))[:, None, None]
        self.n_moments = int(rng.choice([1, 1, 2, 3])) if length > 1 else 1
        self.shutter = rng.uniform(0.2, 0.7)
        self.soft = rng.random() < 0.3
        self.noise = rng.uniform(0, 0.03)
        self.quality = int(rng.integers(35, 96)) if rng.random() < 0.7 else 0

    def _thing(self, rng, hardness, palettes, contrast):
        palettes.append(pick_palette(rng, [p[0] for p in palettes], contrast, self.ease))
        return Thing(rng, self.aspect, hardness, thing_texture(rng, palettes[-1]), self.pace)

    def _twin(self, rng, one, hardness):
        twin = Thing(rng, self.aspect, hardness, one.texture, self.pace)
        if rng.random() < 0.7:
            twin.outline = one.outline
        return twin

    def _bring_near(self, rng, one, other):
        """Moves `one` to where it touches or overlaps `other`."""
        angle, apart = rng.random() * 2 * math.pi, rng.uniform(0.5, 1.3) * (one.radius[0] + other.radius[0])
        one.x = (float(np.clip(other.x[0] + apart * math.cos(angle), 0, self.aspect)), *one.x[1:])
        one.y = (float(np.clip(other.y[0] + apart * math.sin(angle), 0, 1)), *one.y[1:])

    def _occluder(self, rng, hidden, hardness, palettes, length):
        """Something that passes before `hidden` during the clip."""
        thing = self._thing(rng, hardness, palettes, 0.2)
        thing.outline = Outline(rng, 0.2, rng.choice(["blob", "polygon", "boxes"]))
        t = length * rng.uniform(0.3, 0.8)
        x, y, r, _ = hidden.place(t)
        size = r * rng.uniform(0.8, 2.2)
        thing.radius = (size, 0.0, 0.0, 0.0)
        angle = rng.random() * 2 * math.pi
        speed = (r + size) / (length * rng.uniform(0.12, 0.4))
        thing.drift = (speed * math.cos(angle), speed * math.sin(angle))
        thing.x, thing.y = (x - thing.drift[0] * t, 0.0, 0.0, 0.0), (y - thing.drift[1] * t, 0.0, 0.0, 0.0)
        return thing

    def _camera(self, t, px):
        """World positions [px, px] of the pixels' centres."""
        c = (torch.arange(px, dtype=torch.float32) + 0.5) / px - 0.5
        zoom, roll = _at(self.zoom, t), _at(self.roll, t)
        cr, sr = math.cos(roll) / zoom, math.sin(roll) / zoom
        u, v = (c * self.aspect)[None, :], c[:, None]
        x = 0.5 * self.aspect + _at(self.pan[0], t) + cr * u + sr * v
        y = 0.5 + _at(self.pan[1], t) - sr * u + cr * v
        return x, y, 1.0 / (px * zoom)

    def moment(self, t, px):
        """Image [3, px, px] in 0..1 and, per thing, how much of it each pixel shows: list of (box, alpha) or None."""
        x, y, pixel = self._camera(t, px)
        span = 1 + 2 * GROUND_MARGIN
        grid = torch.stack([(x + GROUND_MARGIN) / (self.aspect + 2 * GROUND_MARGIN), (y + GROUND_MARGIN) / span], -1)
        image = F.grid_sample(self.ground, 2 * grid[None] - 1, padding_mode="reflection", align_corners=False)[0]
        shown = [None] * len(self.things)
        for i in range(len(self.things) - 1, -1, -1):  # from behind
            shown[i] = self._draw(self.things[i], t, x, y, pixel, image)
            if shown[i]:
                self._hide(shown[i + 1 :], shown[i])
        side = torch.linspace(-1, 1, px)
        light = _at(self.gain, t) * (1 + _at(self.side, t) * side)
        return (image * self.tint * light).clamp(0, 1), shown

    def _draw(self, thing, t, x, y, pixel, image):
        cx, cy, r, turn = thing.place(t)
        near = (torch.hypot(x - cx, y - cy) < 1.2 * r).to(torch.uint8)
        rows, cols = near.amax(1).nonzero(), near.amax(0).nonzero()
        if len(rows) < 2 or len(cols) < 2:
            return None
        box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
        dx, dy = (x[box] - cx) / r, (y[box] - cy) / r
        c, s = math.cos(turn), math.sin(turn)
        u, v = (c * dx + s * dy) * thing.flip, c * dy - s * dx
        alpha = (0.5 - thing.outline.signed(u, v, t) * (r / pixel)).clamp(0, 1)
        colour = F.grid_sample(thing.texture, 0.9 * torch.stack([u, v], -1)[None], padding_mode="reflection",
                               align_corners=False)[0]
        part = image[(slice(None), *box)]
        part += alpha * (colour - part)
        return box, alpha

    @staticmethod
    def _hide(behind, front):
        (fr, fc), alpha = front
        for other in behind:
            if not other:
                continue
            (r, c), shown = other
            r0, r1, c0, c1 = max(r.start, fr.start), min(r.stop, fr.stop), max(c.start, fc.start), min(c.stop, fc.stop)
            if r0 < r1 and c0 < c1:
                shown[r0 - r.start : r1 - r.start, c0 - c.start : c1 - c.start] *= (
                    1 - alpha[r0 - fr.start : r1 - fr.start, c0 - fc.start : c1 - fc.start]
                )

    def frame(self, t, px):
        """Image and masks [things, px, px] (share of the pixel, over the shutter's time)."""
        image, masks = 0.0, torch.zeros(len(self.things), px, px)
        for m in range(self.n_moments):
            one, shown = self.moment(t + self.shutter * ((m + 0.5) / self.n_moments - 0.5), px)
            image = image + one / self.n_moments
            for i, s in enumerate(shown):
                if s:
                    masks[(i, *s[0])] += s[1] / self.n_moments
        return image, masks


# ---- the camera's defects ---------------------------------------------------------------------------------------------

_DCT = torch.tensor([[math.sqrt((1 if k == 0 else 2) / 8) * math.cos(math.pi * k * (2 * n + 1) / 16) for n in range(8)]
                     for k in range(8)])
_STEP = (1.0 + torch.arange(8.0)[:, None] + torch.arange(8.0)[None, :]) * 6.0  # grows with frequency, as JPEG's tables


def jpeg_like(images, quality):
    """Rounds 8 x 8 cosine coefficients of luma and chroma. images: [T, 3, px, px] in 0..1."""
    n, _, h, w = images.shape
    scale = (50.0 / quality if quality < 50 else 2 - quality / 50.0) / 255.0
    luma = images.mean(1, keepdim=True)
    planes = torch.cat([luma, images[:, :2] - luma], 1)
    blocks = planes.view(n, 3, h // 8, 8, w // 8, 8).transpose(3, 4)
    c = _DCT @ blocks @ _DCT.T
    step = _STEP * scale * torch.tensor([1.0, 1.6, 1.6]).view(3, 1, 1, 1, 1)
    blocks = _DCT.T @ ((c / step).round() * step) @ _DCT
    planes = blocks.transpose(3, 4).reshape(n, 3, h, w)
    luma, rest = planes[:, :1], planes[:, 1:]
    return torch.cat([luma + rest, luma - rest.sum(1, keepdim=True)], 1)


STRIDES = {"any": [1.0, 2.0, 3.0, 4.0], "growing": [1.0, 2.0, 3.0, 4.0], "even": [1.0, 1.0, 2.0, 3.0],
           "crowded": [1.0, 1.0, 2.0, 3.0]}
PACE = {"any": 1.0, "growing": 1.0, "even": 0.6, "crowded": 0.6}


def make_clip(seed, index, n_frames, px, n_objects, ease=0.0, motion="any"):
    """frames [T, 3, px, px] f32 in 0..1; masks [n_objects, T, px, px] bool, each object shown in the first frame.

    Depends on its arguments alone. `ease` from 1 to 0: plain scenes first. `motion`: "any", up to four
    frames of the held-out clips' rate between ours; "growing", the same, but slow and without occlusion while there is
    ease; "even", nearer to what the held-out clips have; "crowded", as even, with more
    things of one look, side by side, and busier grounds. If a scene shows fewer objects than asked for, some are given twice."""
    for attempt in range(50):
        rng = np.random.default_rng((seed, index, attempt))
        stride, pace = rng.choice(STRIDES[motion]) if n_frames > 1 else 0.0, PACE[motion]
        is_calm = motion == "growing"
        if is_calm and rng.random() < ease:
            stride = 1.0
        scene = Scene(rng, max(1.0, n_frames * stride), ease, ease * is_calm, pace, motion == "crowded")
        _, first = scene.frame(0.0, px // 2)
        area = (first >= 0.5).float().mean((1, 2))
        good = [i for i in range(len(area)) if area[i] > 0.006]
        if good:
            break
    else:
        raise RuntimeError(f"seed {seed}, clip {index}: no scene shows an object")
    rng.shuffle(good)
    chosen = [good[i % len(good)] for i in range(n_objects)]
    frames, masks = [], []
    for k in range(n_frames):
        image, shown = scene.frame(k * stride, px)
        frames.append(image)
        masks.append(shown[chosen] >= 0.5)
    frames = torch.stack(frames)
    noise = torch.from_numpy(rng.standard_normal(frames.shape, dtype=np.float32))
    frames = frames + scene.noise * noise
    if scene.soft:
        frames = F.avg_pool2d(F.pad(frames, (1, 1, 1, 1), mode="reflect"), 3, 1)
    if scene.quality:
        frames = jpeg_like(frames, scene.quality)
    return frames.clamp(0, 1), torch.stack(masks, 1)


def vary(frames, masks, generator):
    """Another clip from one: mirrored, turned and with colours exchanged. [T, 3, S, S], [K, T, S, S]."""
    pick = torch.randint(2, (3,), generator=generator).tolist()
    for dim, flip in zip((-1, -2), pick):
        if flip:
            frames, masks = frames.flip(dim), masks.flip(dim)
    if pick[2]:
        frames, masks = frames.transpose(-1, -2), masks.transpose(-1, -2)
    return frames[:, torch.randperm(3, generator=generator)], masks
