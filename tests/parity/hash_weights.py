"""Random weights that anyone can make again, in numpy alone.

An element is a function of (seed, tensor name, flat row-major index), so that the C program `samconvert random`, this
module and the official PyTorch model all get the same bytes without a file changing hands.

    fnv1a64(name): h = 0xCBF29CE484222325; for each UTF-8 byte b: h = (h ^ b) * 0x100000001B3
    mix(z):        z = (z ^ z>>30) * 0xBF58476D1CE4E5B9;  z = (z ^ z>>27) * 0x94D049BB133111EB;  z ^ z>>31
    key          = mix(fnv1a64(name) ^ seed)
    z_i          = mix(key + (i+1) * 0x9E3779B97F4A7C15)         all modulo 2^64: splitmix64
    u_i          = (z_i >> 40) * 2^-23 - 1                       in [-1, 1), exact in float32
    w_i          = float32(offset + scale * f(u_i))              in float64; f is u, or |u| for BatchNorm variances

`rule` gives (offset, scale, f) by name and shape. Uniform on +-a has deviation a / sqrt 3, hence the SQRT3 below.
The gains are chosen so that a mistake anywhere changes the masks far beyond rounding, the masks are neither empty nor
full, and no choice the network makes (best mask, stability, object present) is a near tie.
"""
import hashlib
import json
import math
import re

import numpy as np

M64 = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
SQRT3 = math.sqrt(3.0)


def fnv1a64(data, h=0xCBF29CE484222325):
    for b in data.encode() if isinstance(data, str) else data:
        h = ((h ^ b) * 0x100000001B3) & M64
    return h


def mix(z):
    """splitmix64's finaliser, of an int or (in place) of an array of uint64."""
    if isinstance(z, int):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
        return z ^ (z >> 31)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


# Weights get deviation gain / sqrt(fan in); the first pattern that matches names the gain, otherwise 1.
GAIN = [
    # sharp attention, so that a wrong rotary or positional code shows
    (r"trunk\.blocks\.\d+\.attn\.qkv\.weight$", 1.3),
    (r"trunk\.blocks\.\d+\.attn\.proj\.weight$", 1.5),
    (r"^image_encoder\.blocks\.\d+\.attn\.qkv\.weight$", 1.3),
    (r"^image_encoder\.blocks\.\d+\.attn\.proj\.weight$", 1.5),
    (r"memory_attention\..*self_attn\.[qk]_proj\.weight$", 1.4),
    (r"memory_attention\..*cross_attn_image\.[qk]_proj\.weight$", 1.2),
    (r"memory_attention\..*self_attn\.out_proj\.weight$", 1.5),
    (r"memory_attention\..*cross_attn_image\.out_proj\.weight$", 1.2),
    (r"memory_encoder\.mask_downsampler\.encoder\.12\.weight$", 2.0),
    (r"sam_mask_decoder\.transformer\..*\.[qk]_proj\.weight$", 1.4),
    (r"^mask_decoder\.transformer\..*\.[qk]_proj\.weight$", 1.4),
    (r"mask_decoder\.transformer\..*\.out_proj\.weight$", 1.5),
    (r"perceiver\..*\.to_q\.weight$", 2.8),
    (r"perceiver\..*\.to_out\.weight$", 1.5),
    # the fine features (stride 4 and 8) only refine the mask
    (r"sam_mask_decoder\.conv_s0\.weight$", 0.5),
    (r"sam_mask_decoder\.conv_s1\.weight$", 0.6),
    (r"neck\.convs\.\d+\.conv\.weight$", 0.3),
    (r"output_hypernetworks_mlps\.\d+\.layers\.2\.weight$", 8.0),
    (r"output_hypernetworks_mlps\.\d+\.layers\.[01]\.weight$", 1.4),
    (r"iou_prediction_head\.layers\.[01]\.weight$", 1.4),
    (r"iou_prediction_head\.layers\.2\.weight$", 2.0),
    (r"pred_obj_score_head\.layers\.[01]\.weight$", 1.4),
    (r"pred_obj_score_head\.layers\.2\.weight$", 2.0),
    # a few pointer tokens must count among thousands of memory tokens
    (r"obj_ptr_proj\.layers\.[01]\.weight$", 1.4),
    (r"obj_ptr_proj\.layers\.2\.weight$", 4.0),
    (r"obj_ptr_tpos_proj\.weight$", 4.0),
    # takes a {0,1} mask to the scale of mask logits
    (r"^mask_downsample\.weight$", 8.0),
    # RepViT: without batch statistics nothing normalises the depthwise branches and residual MLPs
    (r"token_mixer\.conv1?\.c\.weight$", 0.35),
    (r"(channel_mixer|ffn)\.conv2\.c\.weight$", 0.9),
    (r"(spatial|channel)_downsample\.c\.weight$", 1.2),
]
# Embeddings, tokens, position tables: deviation.
STD = [
    (r"positional_encoding_gaussian_matrix$", 1.0),
    (r"\.rel_pos_[hw]$", 0.15),
    (r"(^|\.)(pos_embed|pos_embed_window|latents|latents_2d|maskmem_tpos_enc"
     r"|no_mem_embed|no_mem_pos_enc|no_obj_ptr|no_obj_embed_spatial)$", 0.5),
    (r"\.(iou_token|mask_tokens|obj_score_token|not_a_point_embed"
     r"|no_mask_embed|point_embeddings\.\d+)\.weight$", 0.5),
]
# Biases other than 0 +- 0.02: offset, deviation.
BIAS = [
    (r"pred_obj_score_head\.layers\.2\.bias$", 4.0, 0.02),  # the object is present
    (r"iou_prediction_head\.layers\.2\.bias$", 0.0, 1.0),  # mask choices are no near ties
    (r"output_upscaling\.3\.bias$", -0.3, 0.02),  # centres the logits: GELU leaves a positive mean
]
# The single-mask token's stability lies clearly above the threshold 0.98 of dynamic selection, or clearly below it.
VARIANT_GAIN = {
    "stable": [(r"mask_decoder\.output_hypernetworks_mlps\.0\.layers\.2\.weight$", 16.0)],
    "unstable": [(r"mask_decoder\.output_hypernetworks_mlps\.0\.layers\.2\.weight$", 1.2)],
}
EDGETAM_GAIN = [
    (r"neck\.convs\.0\.conv\.weight$", 2.0),
    (r"neck\.convs\.1\.conv\.weight$", 3.0),
    (r"neck\.convs\.[23]\.conv\.weight$", 1.2),
]


def gains_for(model, variant):
    return VARIANT_GAIN[variant] + (EDGETAM_GAIN if model == "edgetam" else []) + GAIN


def _find(table, name, default):
    for entry in table:
        if re.search(entry[0], name):
            return entry[1:]
    return default


def rule(name, shape, shapes, gains):
    """(offset, scale, take |u|) of a tensor; shapes maps every name of the checkpoint to its shape."""
    stem, _, leaf = name.rpartition(".")
    weight_shape = shapes.get(stem + ".weight")
    if leaf == "running_mean":
        return 0.0, 0.05, False
    if leaf == "running_var":
        return 1.0, 0.2, True
    if leaf == "gamma":
        return 0.55, 0.45, False
    std = _find(STD, name, None)
    if std is not None:
        return 0.0, SQRT3 * std[0], False
    if weight_shape is not None and len(weight_shape) == 1:  # LayerNorm, BatchNorm
        return (1.0, 0.1, False) if leaf == "weight" else (0.0, 0.05, False)
    if leaf == "bias":
        offset, std = _find(BIAS, name, (0.0, 0.02))
        return offset, SQRT3 * std, False
    if leaf == "weight" and len(shape) >= 2:
        transposed = re.search(r"output_upscaling\.\d+\.weight$", name)  # (in, out, k, k) with kernel = stride
        fan_in = shape[0] if transposed else int(np.prod(shape[1:]))
        return 0.0, SQRT3 * _find(gains, name, (1.0,))[0] / math.sqrt(fan_in), False
    raise KeyError(f"no rule for tensor {name} {tuple(shape)}")


def tensor(name, shape, seed, shapes, gains):
    offset, scale, take_abs = rule(name, shape, shapes, gains)
    n = int(np.prod(shape))
    key = mix(fnv1a64(name) ^ (seed & M64))
    out = np.empty(n, np.float32)
    step = 1 << 20
    with np.errstate(over="ignore"):
        for a in range(0, n, step):
            b = min(a + step, n)
            z = np.arange(a + 1, b + 1, dtype=np.uint64) * np.uint64(GOLDEN) + np.uint64(key)
            u = (mix(z) >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0
            out[a:b] = offset + scale * (np.abs(u) if take_abs else u)
    return out.reshape(shape)


def state_dict(shapes, seed, model, variant="stable"):
    """{name: array} for {name: shape}; batch counters (num_batches_tracked) stay 0, as official models have them."""
    gains = gains_for(model, variant)
    return {
        name: np.zeros(shape, np.int64)
        if name.endswith("num_batches_tracked")
        else tensor(name, tuple(shape), seed, shapes, gains)
        for name, shape in shapes.items()
    }


def digest(arrays):
    """SHA-256 over all tensors in order: "name|dtype|d0,d1,...\\n", then the bytes, little endian."""
    h = hashlib.sha256()
    for name, a in arrays.items():
        h.update(f"{name}|{a.dtype.name}|{','.join(map(str, a.shape))}\n".encode())
        h.update(np.ascontiguousarray(a).tobytes())
    return h.hexdigest()


def sample_indices(size, count):
    """Fixed flat indices into `size` elements, one in each of `count` equal intervals; all of them if size <= count.

    index_i = lo_i + mix((i+1) * GOLDEN) mod (hi_i - lo_i), lo_i = i*size//count, hi_i = (i+1)*size//count
    """
    if size <= count:
        return np.arange(size, dtype=np.int64)
    i = np.arange(count, dtype=np.int64)
    lo, hi = i * size // count, (i + 1) * size // count
    with np.errstate(over="ignore"):
        z = mix((i + 1).astype(np.uint64) * np.uint64(GOLDEN))
    return lo + (z % (hi - lo).astype(np.uint64)).astype(np.int64)


_DTYPES = {"float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "uint8": "U8"}


def save_safetensors(arrays, path, metadata=None):
    """8-byte header length, JSON header, tensor bytes; `metadata` maps strings to strings. Tensors start at 64 bytes."""
    header, at = {"__metadata__": {"format": "pt", **(metadata or {})}}, 0
    for name, a in arrays.items():
        header[name] = {"dtype": _DTYPES[a.dtype.name], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for a in arrays.values():
            f.write(np.ascontiguousarray(a).tobytes())


def load_safetensors(path):
    """({name: array}, metadata)"""
    with open(path, "rb") as f:
        blob = f.read()
    start = 8 + int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8:start])
    meta = header.pop("__metadata__", {})
    dtypes = {v: k for k, v in _DTYPES.items()}
    arrays = {}
    for name, e in header.items():
        a, b = e["data_offsets"]
        arrays[name] = np.frombuffer(blob[start + a : start + b], dtypes[e["dtype"]]).reshape(e["shape"])
    return arrays, meta
