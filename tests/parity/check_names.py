"""Compares the tensors that `samconvert random --format meta` writes with the official code's: names, shapes, order.

    python check_names.py SAMCONVERT SAM2_CHECKOUT EDGETAM_CHECKOUT [MODEL ...]

Needs torch, timm and PyYAML; hydra and iopath are replaced by the few lines needed here. EdgeTAM's trunk is built
without its pretrained weights.
"""

import importlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import types

import torch
import yaml

CONFIGS = {
    f"{version}_hiera_{size}": (f"sam2/configs/{version}/{version}_hiera_{short}.yaml", "sam2")
    for version in ("sam2.1", "sam2")
    for size, short in (("tiny", "t"), ("small", "s"), ("base_plus", "b+"), ("large", "l"))
}
CONFIGS["edgetam"] = ("sam2/configs/edgetam.yaml", "edgetam")


def stub(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module


def build(node):
    """hydra's instantiate, for what these files use."""
    if isinstance(node, list):
        return [build(x) for x in node]
    if not isinstance(node, dict):
        return 1e-6 if node == "1e-6" else node  # YAML 1.1 takes it for a string, hydra for a number
    args = {k: build(v) for k, v in node.items() if k != "_target_"}
    if "_target_" not in node:
        return args
    module, name = node["_target_"].rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(**args)


def header(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        entries = json.loads(f.read(n))
    entries.pop("__metadata__", None)
    return [(k, tuple(v["shape"]), v["dtype"]) for k, v in entries.items()]


def one(samconvert, checkout, model):
    sys.path.insert(0, checkout)
    stub("hydra", initialize_config_module=lambda *a, **k: None)
    stub("hydra.core")
    ready = types.SimpleNamespace(is_initialized=lambda: True)
    stub("hydra.core.global_hydra", GlobalHydra=types.SimpleNamespace(instance=lambda: ready))
    stub("iopath")
    stub("iopath.common")
    stub("iopath.common.file_io", g_pathmgr=None)
    if model == "edgetam":
        import timm

        create = timm.create_model
        timm.create_model = lambda *a, **k: create(*a, **{**k, "pretrained": False})
        backbone = importlib.import_module("sam2.modeling.backbones.timm")
        if hasattr(backbone, "create_model"):
            backbone.create_model = timm.create_model
    with open(os.path.join(checkout, CONFIGS[model][0])) as f:
        sd = build(yaml.safe_load(f)["model"]).state_dict()
    dtypes = {torch.float32: "F32", torch.int64: "I64"}
    official = [(k, tuple(v.shape), dtypes[v.dtype]) for k, v in sd.items()]
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "random.safetensors")
        subprocess.run([samconvert, "random", "--model", model, "--format", "meta", path], check=True)
        ours = header(path)
    for i, (a, b) in enumerate(zip(official, ours)):
        if a != b:
            sys.exit(f"{model}: tensor {i}: official {a}, ours {b}")
    if len(official) != len(ours):
        sys.exit(f"{model}: official {len(official)} tensors, ours {len(ours)}")
    print(f"{model}: {len(ours)} tensors: names, shapes, dtypes and order equal")


if __name__ == "__main__":
    samconvert, sam2, edgetam = sys.argv[1:4]
    if len(sys.argv) == 5:
        one(samconvert, {"sam2": sam2, "edgetam": edgetam}[CONFIGS[sys.argv[4]][1]], sys.argv[4])
    else:
        for name in sys.argv[4:] or CONFIGS:  # the two checkouts share a package name: one process each
            subprocess.run([sys.executable, __file__, samconvert, sam2, edgetam, name], check=True)
