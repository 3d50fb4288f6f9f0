"""The mean of the weights of runs that share their beginning (arXiv 2203.05482, "model soups").

    python weights_tools/train/average.py runs/a/demo.pt runs/b/demo.pt --out demo.pt

Ends of one run that saw other clips lie in one basin: between them the loss is no higher, and a decision that one of them
takes by chance is taken less often. Runs of other seeds do not; their mean is noise, and this cannot tell.
"""
import argparse
import sys

import torch

import model


def average(weights):
    """The mean of [{name: f32 tensor}], which have the same names and shapes."""
    return {name: torch.stack([w[name] for w in weights]).mean(0) for name in weights[0]}


def shapes(weights):
    return {name: tuple(w.shape) for name, w in weights.items()}


def main():
    p = argparse.ArgumentParser(description="The mean of checkpoints of train.py.")
    p.add_argument("checkpoints", nargs="+", metavar="FILE", help="two or more demo.pt of runs with the same beginning")
    p.add_argument("--out", required=True, metavar="FILE", help="for samconvert, as demo.pt is")
    o = p.parse_args()
    if len(o.checkpoints) < 2:
        p.error("expected two checkpoints or more")
    weights = [model.load_weights(path) for path in o.checkpoints]
    for path, one in zip(o.checkpoints, weights):
        if shapes(one) != shapes(weights[0]):
            sys.exit(f"{path}: its tensors are not those of {o.checkpoints[0]}; average runs of one model")
    half = {name: w.half() for name, w in average(weights).items()}
    try:
        model.save_atomically({"model": half}, o.out)
    except (OSError, RuntimeError) as e:
        sys.exit(f"--out {o.out}: {str(e).splitlines()[0]}")


if __name__ == "__main__":
    main()
