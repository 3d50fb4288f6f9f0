"""Makes the small torch.save files in tests/data/torch/ that test_pickle.c and test_convert.c read.

    python make_torch_fixtures.py ../data/torch

Each holds some of: w [2,3] = 0..5, b [3] = 0.5 1.5 -2, n int64 [] = 7.
"""

import os
import sys
import zipfile
from collections import OrderedDict

import torch


def tensors(dtype=torch.float32):
    return {
        "w": torch.arange(6, dtype=torch.float32).reshape(2, 3).to(dtype),
        "b": torch.tensor([0.5, 1.5, -2.0]).to(dtype),
    }


def deflate(path, out):
    with zipfile.ZipFile(path) as a, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as b:
        for name in a.namelist():
            b.writestr(name, a.read(name))


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)

    def save(obj, name, **options):
        torch.save(obj, os.path.join(out, name), **options)

    module = torch.nn.Linear(3, 2)
    with torch.no_grad():
        module.weight.copy_(tensors()["w"])
        module.bias.copy_(torch.tensor([0.5, 1.5]))
    save(tensors(), "bare.pt")
    save({"model": OrderedDict(tensors()), "epoch": 3, "loss": 0.25, "tags": ["a", ("b", None, True)]}, "model.pt")
    save({"state_dict": module.state_dict()}, "module.pt")  # an OrderedDict with attributes
    save(dict(module.named_parameters()), "parameters.pt")  # _rebuild_parameter
    save({"model": {**tensors(torch.float16), "n": torch.tensor(7)}}, "half.pt")
    save({"model": tensors(torch.bfloat16)}, "bf16.pt")
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    # w is a transposed slice, b a view with an offset into the same storage
    save({"w": base[:, 1:3].t(), "b": base[1, :3]}, "strided.pt")
    save({"model": tensors()}, "protocol4.pt", pickle_protocol=4)
    save({"model": tensors(), "net": module}, "whole_module.pt")  # names classes: must be refused
    deflate(os.path.join(out, "model.pt"), os.path.join(out, "deflated.pt"))


if __name__ == "__main__":
    main()
