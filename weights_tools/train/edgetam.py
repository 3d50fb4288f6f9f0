"""What EdgeTAM changes in SAM 2, for the demo model `edgetam_demo`: modules of our own under the official names.

A RepViT trunk (timm's repvit_m1 with other widths), a spatial perceiver that makes each frame's memory shorter (EdgeTAM's
sam2/modeling/perceiver.py) and rotary cross-attention to what it makes (RoPEAttentionv2 there). Everything else is the PyPI
package `sam2`, which has none of these. tests/parity/edgetam_demo.py compares with the official classes.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

CHANGES = {  # of the SAM 2.1 demo's numbers, in model.py
    "version": "1",
    "trunk": "repvit",
    "widths": [48, 64, 96, 160],
    "depths": [1, 2, 7, 1],
    "perceiver_depth": 2,
    "perceiver_latents": 64,
    "perceiver_window_grid": 8,  # windows along a side of the memory, each with a latent of its own
    "object_pointer_time_encoding": False,
    "no_obj_embed_spatial": False,
}
STATISTICS_MOMENTUM = 0.03  # of the statistics of BatchNorm, per step
MIXER_START = 0.3  # of a residual's BatchNorm; the official 0 costs a short training its first steps


# ---- the trunk --------------------------------------------------------------------------------------------------------


class ConvNorm(nn.Sequential):
    """A convolution and its BatchNorm; out of training mode one convolution, with statistics that stay and weights that learn."""

    def __init__(self, n_in, n_out, kernel=1, stride=1, groups=1, start=1.0):
        super().__init__()
        self.stride, self.padding, self.groups = stride, kernel // 2, groups
        self.add_module("c", nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, groups=groups, bias=False))
        self.add_module("bn", nn.BatchNorm2d(n_out, momentum=STATISTICS_MOMENTUM))
        nn.init.constant_(self.bn.weight, start)

    def folded(self):
        scale = self.bn.weight * (self.bn.running_var + self.bn.eps).rsqrt()
        return self.c.weight * scale[:, None, None, None], self.bn.bias - self.bn.running_mean * scale

    def forward(self, x):
        if self.training:
            return super().forward(x)
        return F.conv2d(x, *self.folded(), self.stride, self.padding, groups=self.groups)


class TokenMixer(nn.Module):
    """BN(3x3 depthwise) + BN(1x1 depthwise) + x."""

    def __init__(self, n):
        super().__init__()
        self.conv = ConvNorm(n, n, 3, groups=n)
        self.conv1 = ConvNorm(n, n, 1, groups=n)

    def folded(self):
        (wide, wide_bias), (point, point_bias) = self.conv.folded(), self.conv1.folded()
        return wide + F.pad(point + 1, (1, 1, 1, 1)), wide_bias + point_bias

    def forward(self, x):
        if self.training:
            return self.conv(x) + self.conv1(x) + x
        return F.conv2d(x, *self.folded(), 1, 1, groups=x.shape[1])


class SqueezeExcite(nn.Module):
    def __init__(self, n):
        super().__init__()
        squeezed = max(16, (n // 4 + 4) // 8 * 8)  # as in the engine; timm has 8 below a width of 48
        self.fc1, self.fc2 = nn.Conv2d(n, squeezed, 1), nn.Conv2d(squeezed, n, 1)

    def forward(self, x):
        return x * self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class ChannelMixer(nn.Module):
    """x + MLP(x), twice as wide inside."""

    def __init__(self, n):
        super().__init__()
        self.conv1, self.conv2 = ConvNorm(n, 2 * n), ConvNorm(2 * n, n, start=MIXER_START)

    def forward(self, x):
        return x + self.conv2(F.gelu(self.conv1(x)))


class Block(nn.Module):
    def __init__(self, n, squeeze):
        super().__init__()
        self.token_mixer = TokenMixer(n)
        self.se = SqueezeExcite(n) if squeeze else nn.Identity()
        self.channel_mixer = ChannelMixer(n)

    def forward(self, x):
        return self.channel_mixer(self.se(self.token_mixer(x)))


class Downsample(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.pre_block = Block(n_in, squeeze=False)
        self.spatial_downsample = ConvNorm(n_in, n_in, 3, 2, groups=n_in)
        self.channel_downsample = ConvNorm(n_in, n_out)
        self.ffn = ChannelMixer(n_out)

    def forward(self, x):
        return self.ffn(self.channel_downsample(self.spatial_downsample(self.pre_block(x))))


class Stage(nn.Module):
    def __init__(self, n_in, n, depth):
        super().__init__()
        self.downsample = Downsample(n_in, n) if n_in else nn.Identity()
        self.blocks = nn.Sequential(*(Block(n, squeeze=i % 2 == 0) for i in range(depth)))

    def forward(self, x):
        return self.blocks(self.downsample(x))


class Stem(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv1, self.conv2 = ConvNorm(3, n // 2, 3, 2), ConvNorm(n // 2, n, 3, 2)

    def forward(self, x):
        return self.conv2(F.gelu(self.conv1(x)))


class RepViT(nn.Module):
    """[N, 3, S, S] -> features of the four stages, [N, C, S/4, S/4] to [N, C, S/32, S/32]."""

    def __init__(self, widths, depths):
        super().__init__()
        self.channel_list = widths[::-1]
        self.body = nn.Module()
        self.body.stem = Stem(widths[0])
        for i, (n_in, n, depth) in enumerate(zip([0, *widths], widths, depths)):
            self.body.add_module(f"stages_{i}", Stage(n_in, n, depth))

    def forward(self, x):
        x, out = self.body.stem(x), []
        for i in range(len(self.channel_list)):
            x = getattr(self.body, f"stages_{i}")(x)
            out.append(x)
        return out


def unfolded(state):
    """A converted file's tensors under the official names: samconvert folds BatchNorm, and the branches of a token mixer."""
    out = {}
    for name, value in state.items():
        where, _, leaf = name.rpartition(".")
        if not name.startswith("image_encoder.trunk.body.") or ".se." in name:
            out[name] = value
        elif leaf == "weight":
            eps, n = nn.BatchNorm2d(1).eps, len(value)
            convolutions = {where: value}
            if where.endswith("token_mixer.conv"):
                convolutions = {where: value - F.pad(torch.ones(n, 1, 1, 1), (1, 1, 1, 1)), where + "1": torch.zeros(n, 1, 1, 1)}
            for at, weight in convolutions.items():
                out[f"{at}.c.weight"], out[f"{at}.bn.weight"], out[f"{at}.bn.bias"] = weight, torch.ones(n), torch.zeros(n)
                out[f"{at}.bn.running_mean"], out[f"{at}.bn.running_var"] = torch.zeros(n), torch.full((n,), 1 - eps)
                out[f"{at}.bn.num_batches_tracked"] = torch.tensor(0)
            out[f"{where}.bn.bias"] = state[f"{where}.bias"]
    return out


# ---- memory -----------------------------------------------------------------------------------------------------------


def _attend(q, k, v):
    return (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1) @ v


class LatentAttention(nn.Module):
    """Latents [B, L, C] look at a memory [B, N, C] (with its positions after the projection), or at themselves."""

    def __init__(self, n, names_of_norms):
        super().__init__()
        self.norms = names_of_norms
        for name in names_of_norms:
            self.add_module(name, nn.LayerNorm(n))
        self.to_q, self.to_kv = nn.Linear(n, n, bias=False), nn.Linear(n, 2 * n, bias=False)
        self.to_out = nn.Linear(n, n, bias=False)

    def forward(self, latents, memory=None, position=None):
        latents = getattr(self, self.norms[-1])(latents)
        memory = latents if memory is None else self.norm_x(memory)
        k, v = self.to_kv(memory).chunk(2, -1)
        if position is not None:
            k, v = k + position, v + position
        return self.to_out(_attend(self.to_q(latents), k, v))


def _feed_forward(n):
    return nn.Sequential(nn.LayerNorm(n), nn.Linear(n, 4 * n, bias=False), nn.GELU(), nn.Linear(4 * n, n, bias=False))


class PerceiverLayer(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.attn = LatentAttention(n, ("norm_x", "norm_latents"))
        self.ff = _feed_forward(n)
        self.self_attn = LatentAttention(n, ("norm",))
        self.self_ff = _feed_forward(n)

    def forward(self, latents, memory, position=None):
        latents = latents + self.attn(latents, memory, position)
        latents = latents + self.ff(latents)
        latents = latents + self.self_attn(latents)
        return latents + self.self_ff(latents)


class Perceiver(nn.Module):
    """Memory [B, C, H, W] and its positions -> tokens and their positions [B, latents + grid * grid, C].

    `latents` tokens see everything and lie nowhere; grid x grid tokens see a window each and lie in its place."""

    def __init__(self, n, depth, latents, grid):
        from sam2.modeling.position_encoding import PositionEmbeddingSine

        super().__init__()
        self.latents, self.latents_2d = (nn.Parameter(torch.randn(k, n)) for k in (latents, grid * grid))
        self.grid = grid
        self.position_encoding = PositionEmbeddingSine(num_pos_feats=n, normalize=True, scale=None, temperature=10000)
        self.layers = nn.ModuleList(PerceiverLayer(n) for _ in range(depth))
        self.norm = nn.LayerNorm(n)

    def forward(self, memory, position):
        b, c, h, _ = memory.shape
        everything, places = (x.permute(0, 2, 3, 1).flatten(1, 2) for x in (memory, position))
        window = h // self.grid
        windows = memory.unflatten(3, (self.grid, window)).unflatten(2, (self.grid, window))
        windows = windows.permute(0, 2, 4, 3, 5, 1).reshape(-1, window * window, c)
        free = self.latents.expand(b, -1, -1)
        placed = self.latents_2d.repeat(b, 1)[:, None]
        for layer in self.layers:
            free, placed = layer(free, everything, places), layer(placed, windows)
        placed = placed.view(b, -1, c)
        at = self.position_encoding(placed.transpose(1, 2).unflatten(2, (self.grid, self.grid))).flatten(2).transpose(1, 2)
        return self.norm(torch.cat([free, placed], 1)), torch.cat([torch.zeros_like(free), at], 1)


def with_perceiver(base):
    """`base`, a class of the official package, which remembers what its attribute `spatial_perceiver` makes of memory."""

    class Compressed(base):
        def _encode_new_memory(self, *args, **named):
            memory, positions = super()._encode_new_memory(*args, **named)
            tokens, places = self.spatial_perceiver(memory, positions[0])
            # as maps of one column, which is what the package flattens into tokens
            return tokens.transpose(1, 2)[..., None], [places.transpose(1, 2)[..., None]]

    Compressed.__module__ = base.__module__
    return Compressed


def cross_attention(c, **rope):
    """Attention to tokens of the perceiver: of each frame's only those with a place are turned, in steps of the grid."""
    from sam2.modeling.sam.transformer import RoPEAttention

    def turned(x, cis):
        return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * cis).flatten(-2)

    class CrossAttention(RoPEAttention):
        def forward(self, q, k, v, num_k_exclude_rope=0):
            side, grid, free = math.isqrt(q.shape[-2]), c["perceiver_window_grid"], c["perceiver_latents"]
            if len(self.freqs_cis) != side * side:
                self.freqs_cis = self.compute_cis(end_x=side, end_y=side)
            q, k, v = self.q_proj(q), self.k_proj(k), self.v_proj(v)
            q = turned(q, self.freqs_cis.to(q.device))
            frames, pointers = k.split([k.shape[1] - num_k_exclude_rope, num_k_exclude_rope], 1)
            frames = frames.unflatten(1, (-1, free + grid * grid))
            placed = turned(frames[:, :, free:], self.compute_cis(end_x=grid, end_y=grid).to(k.device))
            k = torch.cat([torch.cat([frames[:, :, :free], placed], 2).flatten(1, 2), pointers], 1)
            return self.out_proj(_attend(q, k, v))

    return CrossAttention(kv_in_dim=c["mem_dim"], **rope)
