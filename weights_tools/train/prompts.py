"""Simulated users: clicks, boxes and masks from exact masks [N, S, S] bool. Coordinates are pixels (x, y) of the input."""
import torch
import torch.nn.functional as F


def _inside(region, centred, generator):
    """One pixel (x, y) of each region [N, S, S]; of an empty one, any. `centred`: far from its border."""
    n, _, side = region.shape
    weight = region[:, None].float()
    if centred:  # about the distance to the border: how much of each neighbourhood belongs to the region
        small = F.avg_pool2d(weight, side // 32)
        depth = small + F.avg_pool2d(small, 3, 1, 1) + F.avg_pool2d(small, 7, 1, 3)
        weight = weight * F.interpolate(depth, size=side) ** 8
    noise = torch.rand((n, 1, side, side), generator=generator)
    flat = (weight * (1.0 + noise) if centred else weight + noise * (weight > 0)).flatten(1)
    at = flat.argmax(1)
    return torch.stack([at % side, at // side], 1).float() + 0.5


def click(masks, generator, centred):
    """A positive click: (coordinates [N, 1, 2], labels [N, 1])."""
    return _inside(masks, centred, generator)[:, None], torch.ones(len(masks), 1, dtype=torch.int32)


def centroid(masks):
    """A positive click on the centre of mass, or on the nearest pixel of the mask."""
    n, side, _ = masks.shape
    at = torch.arange(side, dtype=torch.float32)
    size = masks.flatten(1).sum(1).clamp(min=1)
    x, y = (masks.sum(1) * at).sum(1) / size, (masks.sum(2) * at).sum(1) / size
    far = (at[None, None, :] - x[:, None, None]) ** 2 + (at[None, :, None] - y[:, None, None]) ** 2
    nearest = torch.where(masks, far, torch.inf).flatten(1).argmin(1)
    return torch.stack([nearest % side, nearest // side], 1).float()[:, None] + 0.5, torch.ones(n, 1, dtype=torch.int32)


def correction(masks, found, generator):
    """A click into what `found` [N, S, S] bool misses (1) or adds (0), whichever is larger."""
    missed, extra = masks & ~found, found & ~masks
    positive = missed.flatten(1).sum(1) >= extra.flatten(1).sum(1)
    region = torch.where(positive[:, None, None], missed, extra)
    region = torch.where(region.flatten(1).any(1)[:, None, None], region, masks == positive[:, None, None])
    return _inside(region, True, generator)[:, None], positive.int()[:, None]


def box(masks, generator):
    """Corners with labels 2 and 3, each side moved by up to a tenth of the box."""
    n, side, _ = masks.shape
    cols, rows = masks.any(1), masks.any(2)
    index = torch.arange(side)
    low = lambda m: torch.where(m, index, side).amin(1).clamp(max=side - 1)  # noqa: E731
    high = lambda m: torch.where(m, index, -1).amax(1).clamp(min=0) + 1  # noqa: E731
    corners = torch.stack([low(cols), low(rows), high(cols), high(rows)], 1).float()
    size = (corners[:, 2:] - corners[:, :2]).clamp(min=1).repeat(1, 2)
    loose = (torch.rand((n, 1), generator=generator) < 0.5) * 0.1
    corners = corners + size * loose * (2 * torch.rand((n, 4), generator=generator) - 1)
    return corners.clamp(0, side).view(n, 2, 2), torch.tensor([[2, 3]], dtype=torch.int32).repeat(n, 1)


def rough_mask(masks, generator):
    """The masks [N, 1, S, S] as a careless user draws them: swollen or shrunk, with a wobbly border."""
    n, side, _ = masks.shape
    wobble = F.interpolate(torch.rand((n, 1, 9, 9), generator=generator), size=side, mode="bilinear")
    level = 0.25 + 0.5 * wobble
    small = F.avg_pool2d(F.avg_pool2d(masks[:, None].float(), side // 64), 3, 1, 1)
    return (F.interpolate(small, size=side, mode="bilinear") > level).float()
