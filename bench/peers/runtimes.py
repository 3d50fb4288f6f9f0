"""Parts of the official models in ONNX Runtime or OpenVINO; the official predictor around them stays as it is.

`replace_parts(net, "onnxruntime", n_threads, precision)` replaces `forward` of image encoder, memory attention, mask decoder,
memory encoder and EdgeTAM's perceiver. A part is exported to ONNX for each set of sizes it is called with, so shapes are
static, which the runtimes like best; a clip is therefore run once before it is timed. Each export is compared with PyTorch on
the arguments at hand. Rotary encoding is written without complex numbers, which exporters do not know.

bf16 is OpenVINO's inference precision hint; ONNX Runtime's CPU kernels have no bf16.
"""
import math
import os
import sys
import tempfile
import types

import torch
from torch.utils import _pytree as pytree

WORST = 1e-2  # of a part's output against PyTorch in fp32, relative to the largest value
WORST_BF16 = 0.2


def _turn(x, angles):
    """Pairs of x [..., tokens, D] by angles, cosines and sines [tokens, D/2]."""
    (a, b), (cos, sin) = x.unflatten(-1, (-1, 2)).unbind(-1), angles
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def _angles(attention, name, n_tokens):
    """The complex table `name` as two real ones. Made before anything is exported: an export must find them as constants."""
    known = attention.__dict__.setdefault("real_angles", {})
    if name not in known:
        table = getattr(attention, name)
        if name == "freqs_cis" and len(table) != n_tokens:  # another image size, as in RoPEAttention.forward
            side = math.isqrt(n_tokens)
            table = attention.compute_cis(end_x=side, end_y=side)
        known[name] = table.real.clone(), table.imag.clone()
    return known[name]


def _rope_attention(self, q, k, v, num_k_exclude_rope=0, rope_k_repeat=0):
    """RoPEAttention.forward; of EdgeTAM's RoPEAttentionv2, too, where the first tokens of each memory are not turned."""
    q, k, v = (self._separate_heads(project(x), self.num_heads)
               for project, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v)))
    second = hasattr(self, "freqs_cis_k")
    of_q = _angles(self, "freqs_cis_q" if second else "freqs_cis", int(q.size(2)))
    of_k = _angles(self, "freqs_cis_k", 0) if second else of_q
    n_turned = k.size(2) - num_k_exclude_rope
    frames = k[:, :, :n_turned].unflatten(2, (rope_k_repeat if second else n_turned // len(of_k[0]), -1))
    still = frames.size(3) - len(of_k[0])
    frames = torch.cat([frames[:, :, :, :still], _turn(frames[:, :, :, still:], of_k)], 3)
    k = torch.cat([frames.flatten(2, 3), k[:, :, n_turned:]], 2)
    out = torch.nn.functional.scaled_dot_product_attention(_turn(q, of_q), k, v)
    return self.out_proj(self._recombine_heads(out))


class _Flat(torch.nn.Module):
    """A part whose arguments and results are tensors side by side; everything else in them is constant."""

    def __init__(self, module, forward, leaves, spec):
        super().__init__()
        self.module, self.plain, self.leaves, self.spec = module, forward, leaves, spec
        self.eval()  # the exporter puts a part back into the mode that it had

    def forward(self, *tensors):
        given = iter(tensors)
        leaves = [next(given) if isinstance(x, torch.Tensor) else x for x in self.leaves]
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        results, self.out_spec = pytree.tree_flatten(self.plain(*args, **kwargs))
        return tuple(results)


def _open(runtime, path, n_threads, precision):
    """The file as a function from a list of arrays to a list of arrays."""
    if runtime == "onnxruntime":
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = n_threads
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [i.name for i in session.get_inputs()]
        return lambda arrays: session.run(None, {n: arrays[int(n[1:])] for n in names})
    import openvino as ov

    model = ov.Core().compile_model(path, "CPU", {
        "INFERENCE_NUM_THREADS": n_threads, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"})
    # OpenVINO may give an input the name of what it feeds, too; ours are i0, i1, ...
    names = [next(n for n in i.get_names() if n[0] == "i" and n[1:].isdigit()) for i in model.inputs]
    return lambda arrays: list(model({n: arrays[int(n[1:])] for n in names}).values())


def _export(part, name, tensors, runtime, n_threads, precision):
    """`part` in the runtime; checks it on `tensors`."""
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode(False), torch.no_grad(), \
            torch.autocast("cpu", enabled=False):
        tensors = [t.clone() for t in tensors]  # the exporter takes none that was made in inference mode
        path = os.path.join(folder, "part.onnx")
        expected = part(*tensors)
        torch.onnx.export(part, tuple(tensors), path, input_names=[f"i{k}" for k in range(len(tensors))], opset_version=17,
                          dynamo=False)
        run = _open(runtime, path, n_threads, precision)
    for got, want in zip(run([t.numpy() for t in tensors]), expected):
        difference = torch.from_numpy(got) - want
        if precision == "bf16":  # single values of random weights' features go anywhere: their mean square counts
            size, worst, of = (lambda t: t.square().mean().sqrt()), WORST_BF16, "RMS"
        else:
            size, worst, of = (lambda t: t.abs().max()), WORST, "largest value"
        wrong = size(difference) / size(want).clamp(min=1e-6)
        print(f"{name} in {runtime}: {wrong:.3g} of the {of} from PyTorch", file=sys.stderr)
        if not wrong <= worst:
            sys.exit(f"{name} in {runtime}: differs from PyTorch by {wrong:.3g} of the {of}")
    return run


def replace_parts(net, runtime, n_threads, precision):
    if runtime == "onnxruntime" and precision != "fp32":
        sys.exit(f"--runtime onnxruntime: its CPU kernels have no {precision}; use --precision fp32")
    net.requires_grad_(False)
    for module in net.modules():
        if type(module).__name__.startswith("RoPEAttention"):
            module.forward = types.MethodType(_rope_attention, module)
    names = ["image_encoder", "memory_attention", "sam_mask_decoder", "memory_encoder", "spatial_perceiver"]
    for name, module in ((n, getattr(net, n, None)) for n in names):
        if module is not None:
            module.forward = _in_runtime(name, module, runtime, n_threads, precision)


def _in_runtime(name, module, runtime, n_threads, precision):
    plain, chosen = module.forward, {}

    def forward(*args, **kwargs):
        leaves, spec = pytree.tree_flatten((args, kwargs))
        tensors = [x.detach().float().contiguous() if x.is_floating_point() else x
                   for x in leaves if isinstance(x, torch.Tensor)]
        key = tuple((tuple(x.shape), x.dtype) if isinstance(x, torch.Tensor) else x for x in leaves) + (spec,)
        if key not in chosen:
            part = _Flat(module, plain, leaves, spec)
            chosen[key] = _export(part, name, tensors, runtime, n_threads, precision), part.out_spec
        run, out_spec = chosen[key]
        return pytree.tree_unflatten([torch.from_numpy(x) for x in run([t.numpy() for t in tensors])], out_spec)

    return forward
