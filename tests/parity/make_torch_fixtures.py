"""Makes the small torch.save files in tests/data/torch/ that test_pickle.c and test_convert.c read.

    python make_torch_fixtures.py ../data/torch

Each holds some of: w [2,3] = 0..5, b [3] = 0.5 1.5 -2, n int64 [] = 7.
"""

import argparse
import datetime
import os
import pathlib
import sys
import zipfile
from collections import Counter, OrderedDict, defaultdict

import numpy
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

    # As training tools save them.
    beside = {
        "size": torch.Size([3, 4]),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "set": {1, 2},
        "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("/tmp")),
        "scalar": numpy.float64(0.5),
        "log": defaultdict(list, {"loss": [1.0, 2.0]}),
        "counter": Counter("aab"),
        "time": datetime.datetime(2026, 1, 1),
        "bytes": b"abc",
        "big": 1 << 80,
        "rng": numpy.random.RandomState(0).get_state()[1][:4],  # an array, but not among the weights
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
    }
    save({"model": tensors(), **beside}, "objects.pt")
    save({"model": tensors(), **beside}, "objects4.pt", pickle_protocol=4)
    save({"model": tensors(torch.float64)}, "double.pt")
    save({"model": {**tensors(), "n": torch.tensor(7)}}, "old.pt", _use_new_zipfile_serialization=False)
    save({"model": tensors()}, "old4.pt", pickle_protocol=4, _use_new_zipfile_serialization=False)
    save({"ema": {"module": tensors()}, "epoch": 3}, "ema.pt")
    save({"net": tensors(), "net_ema": tensors()}, "two.pt")  # which one? must be refused
    averaged = torch.optim.swa_utils.AveragedModel(module)
    save({"model_state_dict": averaged.state_dict()}, "averaged.pt")  # module., and a counter
    save({"state_dict": {"model._orig_mod." + k: v for k, v in tensors().items()}}, "lightning.pt")
    save({"model": {"w": tensors()["w"].numpy(), "b": tensors()["b"]}}, "array.pt")  # must be refused
    save({"model": {"w": tensors()["w"].to_sparse(), "b": tensors()["b"]}}, "sparse.pt")  # must be refused


if __name__ == "__main__":
    main()
