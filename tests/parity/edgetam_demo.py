"""The modules of the EdgeTAM demo (weights_tools/train/edgetam.py) against the official classes, with the same weights.

    python tests/parity/edgetam_demo.py --edgetam ~/EdgeTAM [--weights models/demo_edgetam.safetensors]

Needs the PyPI package sam2, timm and a checkout of github.com/facebookresearch/EdgeTAM, whose package is called sam2, too: it runs
in a process of its own. Tracks one object through a generated clip in float32 and fails if features, memory tokens, pointers or
masks differ by more than --tolerance of their largest value. Without --weights they are random."""
import argparse
import os
import subprocess
import sys
import tempfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "weights_tools", "train"))
import clips  # noqa: E402
import edgetam  # noqa: E402
import model  # noqa: E402
import track  # noqa: E402

PX, FRAMES = model.CONFIGS[model.EDGETAM]["image_size"], 4


def use_official(checkout):
    """Makes model.build take every part of EdgeTAM from its own package."""
    sys.path.insert(0, checkout)
    import timm.models
    from sam2.modeling.perceiver import PerceiverResampler
    from sam2.modeling.position_encoding import PositionEmbeddingSine
    from sam2.modeling.sam.transformer import RoPEAttentionv2

    create = timm.models.create_model

    def trunk(widths, depths):
        timm.models.create_model = lambda name, pretrained, **k: create(
            "repvit_m1", pretrained=False, embed_dim=tuple(widths), depth=tuple(depths), **k
        )
        from sam2.modeling.backbones.timm import TimmBackbone

        return TimmBackbone("repvit_m1", [f"layer{i}" for i in range(4)])

    def perceiver(n, depth, latents, grid):
        return PerceiverResampler(
            dim=n, depth=depth, dim_head=n, heads=1, ff_mult=4, hidden_dropout_p=0.0, attention_dropout_p=0.0,
            pos_enc_at_key_value=True, concat_kv_latents=False, num_latents=latents, num_latents_2d=grid * grid,
            position_encoding=PositionEmbeddingSine(num_pos_feats=n, normalize=True, scale=None, temperature=10000),
            use_self_attn=True,
        )  # fmt: skip

    def cross_attention(c, feat_sizes, **rope):
        grid = c["perceiver_window_grid"]
        return RoPEAttentionv2(q_sizes=feat_sizes, k_sizes=(grid, grid), kv_in_dim=c["mem_dim"], **rope)

    edgetam.RepViT, edgetam.Perceiver, edgetam.cross_attention = trunk, perceiver, cross_attention
    edgetam.with_perceiver = lambda base: base


def random_weights():
    torch.manual_seed(1)
    net = model.build(PX, kind=model.EDGETAM)
    for name, value in net.state_dict().items():
        if name.endswith(("running_mean", "bn.bias", "running_var")):
            value.copy_(torch.rand_like(value) + (0.5 if name.endswith("var") else -0.5))
    net.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.data.fill_(5.0)  # the object is seen
    return net.state_dict()


def run(state):
    """{name: tensor} of what the model computes on the way."""
    net = model.build(PX, kind=model.EDGETAM).eval()
    net.load_state_dict(state)
    frames, masks = clips.make_clip(1, 0, FRAMES, PX, 1)
    out = {}
    with torch.no_grad():
        features = track.encode(net, frames)
        out.update({f"features {i}": x for i, x in enumerate(features[0])})
        walk = track.Tracked(net, track.Recorder(net), features, FRAMES, torch.tensor([0]), masks, torch.Generator())
        y, x = masks[0, 0].nonzero()[len(masks[0, 0].nonzero()) // 2].tolist()
        for t in range(FRAMES):
            click = (torch.tensor([[[x + 0.5, y + 0.5]]]), torch.tensor([[1]], dtype=torch.int32)) if t == 0 else None
            step = walk.step(t, click)
            tokens = step["maskmem_features"]
            out[f"memory {t}"] = tokens if tokens.ndim == 3 else tokens[..., 0].transpose(1, 2)
            out[f"mask {t}"], out[f"pointer {t}"] = step["pred_masks"], step["obj_ptr"]
    return out


def main():
    p = argparse.ArgumentParser(description="The EdgeTAM demo's modules against the official classes.")
    p.add_argument("--edgetam", default=os.environ.get("EDGETAM_DIR"), metavar="DIR",
                   help="checkout of github.com/facebookresearch/EdgeTAM (default: $EDGETAM_DIR)")
    p.add_argument("--weights", metavar="FILE", help="demo.pt of the training program, or the same converted")
    p.add_argument("--tolerance", type=float, default=1e-4, metavar="N")
    p.add_argument("--official", nargs=2, metavar=("IN", "OUT"), help=argparse.SUPPRESS)  # the other process
    o = p.parse_args()
    if not o.edgetam or not os.path.isfile(os.path.join(o.edgetam, "sam2", "modeling", "perceiver.py")):
        p.error(f"--edgetam {o.edgetam}: expected a checkout with sam2/modeling/perceiver.py")
    if o.official:
        use_official(os.path.abspath(o.edgetam))
        torch.save(run(model.load(o.official[0])), o.official[1])
        return
    state = model.load_weights(o.weights) if o.weights else random_weights()
    with tempfile.TemporaryDirectory() as folder:
        given, found = os.path.join(folder, "in.pt"), os.path.join(folder, "out.pt")
        torch.save(state, given)
        other = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        subprocess.run([sys.executable, "-W", "ignore", os.path.abspath(__file__), "--edgetam", o.edgetam, "--official", given,
                        found], check=True, env=other)
        theirs = model.load(found)
    worst = 0.0
    for name, ours in run(state).items():
        off = ((ours - theirs[name]).abs().max() / theirs[name].abs().max()).item()
        worst = max(worst, off)
        print(f"{name:<11} {str(tuple(ours.shape)):<22} largest {theirs[name].abs().max().item():8.3f}, off by {off:.1e} of it")
    if not worst <= o.tolerance:
        sys.exit(f"off by {worst:.1e}, more than {o.tolerance}")


if __name__ == "__main__":
    main()
