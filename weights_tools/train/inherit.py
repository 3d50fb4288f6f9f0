"""First weights of the EdgeTAM demo from a trained SAM 2.1 demo, its teacher.

What both have is copied, but for the image encoder, which learns by imitation (train.py, phase distil). Then the perceiver
begins as the mean over each window, and the keys of memory attention are fitted so that what it makes is looked at as the
teacher's memory is: the teacher turns queries and keys by the same places, EdgeTAM turns keys by their place in the coarser
grid of windows, so that with copied weights a query no longer meets what was at its own place. Both then learn by imitation,
too (phase memory).
"""
import torch
import torch.nn.functional as F

RIDGE = 1e-3
QUIET = 0.05  # pointers, which the teacher does not heed, and residual branches of the perceiver begin small
APART = 10.0  # where tokens without a place begin, in a direction of the memory in which little else happens


@torch.no_grad()
def copy(net, teacher):
    """What both have, without the image encoder."""
    theirs = teacher.state_dict()
    for name, value in net.state_dict().items():
        if name in theirs and theirs[name].shape == value.shape and not name.startswith("image_encoder."):
            value.copy_(theirs[name])
    for p in (net.obj_ptr_proj.layers[-1].weight, net.obj_ptr_proj.layers[-1].bias, net.no_obj_ptr):
        p.mul_(QUIET)


def _parts(net, memory, memory_pos, num_obj_ptr_tokens):
    """The teacher's memory: maps [F, B, C, H, W], positions [1, C, H, W], ages [F, B, C], pointers [P, B, C] as ours are."""
    side = net.image_size // 16
    n = len(memory) - num_obj_ptr_tokens
    maps, places = (x[:n].unflatten(0, (-1, side, side)).permute(0, 3, 4, 1, 2) for x in (memory, memory_pos))
    positions = net.spatial_perceiver.position_encoding(maps[0, :1])
    return maps, positions, (places - positions)[..., 0, 0], QUIET * memory[n:]


def attend(net, curr, curr_pos, memory, memory_pos, num_obj_ptr_tokens=0):
    """Our memory attention, given the arguments of the teacher's."""
    maps, positions, ages, pointers = _parts(net, memory, memory_pos, num_obj_ptr_tokens)
    tokens, places = net.spatial_perceiver(maps.flatten(0, 1), positions.expand(maps.shape[0] * maps.shape[1], -1, -1, -1))
    tokens, places = (x.unflatten(0, maps.shape[:2]).transpose(1, 2) for x in (tokens, places))
    places = places + ages[:, None]
    return net.memory_attention(
        curr=curr,
        curr_pos=curr_pos,
        memory=torch.cat([tokens.flatten(0, 1), pointers]),
        memory_pos=torch.cat([places.flatten(0, 1), torch.zeros_like(pointers)]),
        num_obj_ptr_tokens=num_obj_ptr_tokens,
    )


def _as_means(perceiver, maps):
    """Tokens of windows become about their mean, with the memory's own scale."""
    c = maps.shape[1]
    tokens = maps.permute(0, 2, 3, 1).flatten(0, 2)
    for layer in perceiver.layers:
        layer.attn.to_kv.weight[c:] = torch.eye(c)
        layer.attn.to_out.weight.copy_(torch.eye(c))
        for branch in (layer.ff[3], layer.self_attn.to_out, layer.self_ff[3]):
            branch.weight.mul_(QUIET)
    perceiver.norm.weight.fill_(tokens.std(-1).mean())
    perceiver.norm.bias.fill_(tokens.mean())
    perceiver.latents_2d.mul_(QUIET)
    calmest = torch.linalg.eigh(torch.cov(tokens.T))[1][:, 0]
    perceiver.latents.mul_(2 * QUIET).add_(APART * calmest)


def _turn(x, cis):
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()) * cis).flatten(-2)


def _relative_turns(cross, side, grid):
    """[grid * grid, D / 2]: from a window's place in the grid to its centre's among the queries."""
    window = side // grid
    x = torch.arange(grid) * (window - 1) + (window - 1) / 2
    one_axis = torch.log(cross.compute_cis(end_x=2, end_y=1)[1, : cross.internal_dim // 4]).imag
    turns = torch.polar(torch.ones(grid, len(one_axis)), torch.outer(x, one_axis))
    shape = (grid, grid, -1)
    return torch.cat([turns[None].expand(shape), turns[:, None].expand(shape)], -1).flatten(0, 1)


@torch.no_grad()
def fit_memory(net, teacher, calls):
    """The perceiver and keys, on the CPU. Keys by least squares: of windows the mean of the teacher's, of tokens without
    a place none. `calls`: memory, memory_pos and num_obj_ptr_tokens of what track.watch saw, on clips of the model's own side."""
    perceiver, side = net.spatial_perceiver, net.image_size // 16
    free, grid = len(perceiver.latents), perceiver.grid
    seen = [_parts(net, **call) for call in calls]
    maps, ages, pointers = (torch.cat([x[i].flatten(0, 1) for x in seen]) for i in (0, 2, 3))
    positions, c = seen[0][1], maps.shape[1]
    _as_means(perceiver, maps)
    tokens, places = zip(*(perceiver(m[None], positions) for m in maps))
    tokens = torch.cat(tokens) + places[0] + ages[:, None]
    x = torch.cat([tokens[:, free:].reshape(-1, c), tokens[:, :free].reshape(-1, c), pointers])
    scale = x.T @ x / len(x) + RIDGE * torch.eye(c)
    for ours, theirs in zip(net.memory_attention.layers, teacher.memory_attention.layers):
        ours, theirs = ours.cross_attn_image, theirs.cross_attn_image
        keys = theirs.k_proj((maps + positions + ages[..., None, None]).flatten(2).transpose(1, 2))
        keys = F.avg_pool2d(keys.transpose(1, 2).unflatten(2, (side, side)), side // grid).flatten(2).transpose(1, 2)
        keys = _turn(keys, _relative_turns(ours, side, grid)).flatten(0, 1)
        keys = F.pad(keys, (0, 0, 0, len(x) - len(keys)))
        ours.k_proj.weight.copy_(torch.linalg.solve(scale, x.T @ keys / len(x)).T)
        ours.k_proj.bias.zero_()
