"""Checks the training program in about two minutes on a quiet core, without pytest: python weights_tools/train/selftest.py

Clips are the same whatever was made before them, their masks fit their frames, simulated users point at objects, RepViT
computes the same in all its forms, the perceiver's tokens see what they should, a run that was stopped and resumed ends with
the same weights as one that was not, imitation changes the image encoder alone, and wrong arguments give one line."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

import clips
import edgetam
import model
import prompts
import score

HERE = os.path.dirname(os.path.abspath(__file__))


def check(what, good, detail=""):
    print(f"{'ok  ' if good else 'FAIL'} {what}{': ' if detail else ''}{detail}", flush=True)
    check.failed += not good


check.failed = 0


def clips_are_functions_of_their_number():
    a = clips.make_clip(3, 7, 4, 64, 3)
    clips.make_clip(3, 8, 2, 64, 3)
    b = clips.make_clip(3, 7, 4, 64, 3)
    c = clips.make_clip(4, 7, 4, 64, 3)
    check("a clip depends on seed and number alone", torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]))
    check("another seed gives another clip", not torch.equal(a[0], c[0]))


def masks_fit_frames():
    """Inside and outside of a mask's border, a band of two pixels each, differ more than chance would have it."""
    differences = []
    for i in range(12):
        frames, masks = clips.make_clip(1, i, 1, 128, 1)
        mask = masks[0, 0].numpy()
        near = score.dilated(score.boundary(mask), 3)
        inside, outside = frames[0][:, torch.from_numpy(mask & near)], frames[0][:, torch.from_numpy(~mask & near)]
        differences.append((inside.mean(1) - outside.mean(1)).norm().item())
    check("colours change at the borders of masks", np.median(differences) > 0.1, f"median {np.median(differences):.2f}")
    shown = [clips.make_clip(1, i, 1, 64, 2)[1][:, 0].flatten(1).float().mean(1).min().item() for i in range(12)]
    check("every object is shown at first", min(shown) > 0.001, f"least {100 * min(shown):.1f} % of the frame")


def users_point_at_objects():
    g = torch.Generator().manual_seed(0)
    masks = torch.cat([clips.make_clip(1, i, 1, 128, 2)[1][:, 0] for i in range(4)])

    def hit(points, region):
        x, y = points[0][:, 0, 0].long(), points[0][:, 0, 1].long()
        return bool(region[torch.arange(len(region)), y, x].all())

    check("clicks are on the object", all(hit(prompts.click(masks, g, c), masks) for c in (False, True)))
    check("the click on the centroid is", hit(prompts.centroid(masks), masks))
    found = torch.zeros_like(masks)
    fix = prompts.correction(masks, found, g)
    check("a correction of nothing is a positive click on the object", hit(fix, masks) and bool((fix[1] == 1).all()))
    fix = prompts.correction(masks, ~found, g)
    check("a correction of everything is a negative click beside it", hit(fix, ~masks) and bool((fix[1] == 0).all()))
    corners, labels = prompts.box(masks, g)
    check("boxes have two corners in order", bool((corners[:, 1] > corners[:, 0]).all()) and labels[0].tolist() == [2, 3])


def scores_are_those_of_the_metric():
    mask = np.zeros((40, 60), bool)
    mask[10:30, 15:40] = True
    check("a mask scores 1 against itself", score.j_and_f(mask, mask) == (1.0, 1.0))
    check("two empty masks score 1", score.j_and_f(mask & False, mask & False) == (1.0, 1.0))
    check("an empty one scores 0", score.j_and_f(mask, mask & False) == (0.0, 0.0))
    moved = np.roll(mask, 5, 1)
    check("J of a mask moved by a fifth of its width is 4/6", abs(score.j_and_f(mask, moved)[0] - 4 / 6) < 1e-9)


def components_are_connected():
    mask = torch.zeros(1, 1, 8, 9, dtype=torch.bool)
    mask[0, 0, 1, 1] = mask[0, 0, 2, 2] = mask[0, 0, 3, 1] = True  # one by its corners
    mask[0, 0, 5:8, 5:9] = True
    labels, areas = score.components(mask)
    found = areas[0, 0, 1, 1].item(), areas[0, 0, 3, 1].item(), areas[0, 0, 6, 6].item(), areas[0, 0, 0, 0].item()
    check("holes are measured", found == (3, 3, 12, 0) and len(labels.unique()) == 3, str(found))


def random_trunk():
    trunk = edgetam.RepViT([16, 24, 32, 40], [1, 2, 1, 1])
    for name, value in trunk.state_dict().items():
        if "bn.running" in name or name.endswith("bn.bias"):
            value.copy_(torch.rand_like(value) + (0.5 if name.endswith("var") else -0.5))
    return trunk.eval()


def trunks_agree():
    torch.manual_seed(1)
    trunk, picture = random_trunk(), torch.rand(2, 3, 64, 64)
    folded = {}
    for name, module in trunk.named_modules():
        at = f"image_encoder.trunk.{name}"
        if isinstance(module, edgetam.TokenMixer):
            folded[f"{at}.conv.weight"], folded[f"{at}.conv.bias"] = module.folded()
        if isinstance(module, edgetam.ConvNorm) and ".token_mixer." not in name:
            folded[f"{at}.weight"], folded[f"{at}.bias"] = module.folded()
        if name.endswith((".fc1", ".fc2")):
            folded[f"{at}.weight"], folded[f"{at}.bias"] = module.weight, module.bias
    again = random_trunk()
    again.load_state_dict({k.removeprefix("image_encoder.trunk."): v for k, v in edgetam.unfolded(folded).items()})
    with torch.no_grad():
        expected, found = trunk(picture), again(picture)
        for module in trunk.modules():  # every branch by itself, statistics as they are
            module.training = not isinstance(module, torch.nn.BatchNorm2d)
        branches = trunk(picture)
    for what, other in (("a converted trunk", found), ("a trunk in training form", branches)):
        worst = max(((a - b).abs().max() / a.abs().max()).item() for a, b in zip(expected, other))
        check(f"{what} computes the same", worst < 1e-5, f"largest difference {worst:.1e} of the largest value")
    check("strides are 4 to 32", [x.shape[-1] for x in expected] == [16, 8, 4, 2])


def tokens_see_their_windows():
    torch.manual_seed(1)
    perceiver = edgetam.Perceiver(16, 2, 3, 4)
    memory = torch.randn(2, 16, 8, 8)
    changed = memory.clone()
    changed[1, :, 2:4, 6:8] += 1.0  # window (1, 3) of the second object
    with torch.no_grad():
        (a, places), (b, _) = (perceiver(m, torch.zeros_like(memory)) for m in (memory, changed))
    different = (a != b).any(-1)
    check("tokens without a place see everything, the others one window", a.shape == (2, 3 + 16, 16) and
          different[1, :3].all() and different[1, 3:].nonzero().tolist() == [[7]] and not different[0].any())
    check("tokens without a place have none", not places[:, :3].any() and bool(places[:, 3:].any(-1).all()))


def train(out, *more):
    command = [sys.executable, "-W", "ignore", os.path.join(HERE, "train.py"), "--out", out, *more]
    return subprocess.run(command, capture_output=True, text=True)


def resumed_runs_end_alike(folder):
    whole, parts = os.path.join(folder, "whole"), os.path.join(folder, "parts")
    shared = ["--device", "cpu", "--processes", "1", "--decay", "2", "--report_every", "1"]
    done = train(whole, *shared, "--plan", "image64:2,clip64:2")
    check("a run of four steps ends well", done.returncode == 0, done.stderr.strip()[-200:])
    train(parts, *shared, "--plan", "image64:2,clip64:1")
    check("a run that exists is not overwritten", "--resume" in train(parts, *shared).stderr)
    # the learning rates of the third step differ between the plans; begin the comparison where they agree
    stopped = train(os.path.join(folder, "stopped"), *shared, "--plan", "image64:2,clip64:2", "--minutes", "0.0001")
    check("--minutes stops early", "--resume goes on" in stopped.stdout, stopped.stderr.strip()[-200:])
    train(os.path.join(folder, "stopped"), *shared, "--plan", "image64:2,clip64:2", "--resume")
    a, b = (model.load(os.path.join(d, "state.pt")) for d in (whole, os.path.join(folder, "stopped")))
    worst = max((a["net"][k].float() - b["net"][k].float()).abs().max().item() for k in a["net"])
    check("stopped and resumed, it has the same weights", a["step"] == b["step"] == 4 and worst == 0.0,
          f"largest difference {worst:g}")
    mean = os.path.join(folder, "mean.pt")
    ends = [os.path.join(d, "demo.pt") for d in (whole, parts)]
    done = subprocess.run([sys.executable, os.path.join(HERE, "average.py"), *ends, "--out", mean], capture_output=True,
                          text=True)
    a, b = (model.load_weights(e) for e in ends)
    m = model.load_weights(mean) if done.returncode == 0 else a
    equal = all(torch.equal(((a[k] + b[k]) / 2).half(), m[k].half()) for k in a)
    moved = max((a[k] - b[k]).abs().max().item() for k in a)
    check("average.py gives the mean of two ends", moved > 0 and equal, f"the ends are up to {moved:.2g} apart")
    left = [f for _, _, files in os.walk(folder) for f in files if f.endswith(".partial")]
    check("nothing half-written is left", not left, " ".join(left))


def edgetam_learns_from_its_teacher(folder):
    """The teacher is what resumed_runs_end_alike has made."""
    teacher = os.path.join(folder, "whole", "demo.pt")
    whole, parts = (os.path.join(folder, name) for name in ("edge_whole", "edge_parts"))
    shared = ["--device", "cpu", "--processes", "1", "--decay", "2", "--model", "edgetam", "--teacher", teacher]
    plan = ["--plan", "distil128:1,memory128:2"]
    done = train(whole, *shared, *plan)
    check("imitation ends well", done.returncode == 0, done.stderr.strip()[-200:])
    a, b = (model.load(os.path.join(d, "demo.pt"))["model"] for d in (whole, os.path.join(folder, "whole")))
    decoder = [k for k in a if k.startswith(("sam_mask_decoder.", "memory_encoder."))]
    check("the decoder is the teacher's", len(decoder) > 100 and all(torch.equal(a[k], b[k]) for k in decoder))
    check("the image encoder's statistics are of its own phase", all(a[k] == 1 for k in a if k.endswith("num_batches_tracked")))
    train(parts, *shared, *plan, "--minutes", "0.0001")
    check("another model is not resumed", "has edgetam" in train(parts, "--device", "cpu", "--processes", "1", "--resume").stderr)
    train(parts, *shared, *plan, "--resume")
    a, b = (model.load(os.path.join(d, "state.pt")) for d in (whole, parts))
    worst = max((a["net"][k].float() - b["net"][k].float()).abs().max().item() for k in a["net"])
    check("stopped and resumed, it has the same weights", a["step"] == b["step"] == 3 and worst == 0.0,
          f"largest difference {worst:g}")
    done = train(os.path.join(folder, "none"), *shared[:-1], os.path.join(whole, "demo.pt"), "--plan", "distil128:1")
    check("a teacher that is no sam2.1 is refused", "does not fit" in done.stderr and "Traceback" not in done.stderr,
          done.stderr.strip()[-160:])


def wrong_arguments_give_one_line(folder):
    broken = os.path.join(folder, "broken.pt")
    with open(broken, "wb") as f:
        f.write(b"not a checkpoint")
    none = os.path.join(folder, "none")
    cases = {
        "--plan of nonsense": ["train.py", "--out", none, "--plan", "walk128:3"],
        "--plan with an odd side": ["train.py", "--out", none, "--plan", "clip100:3"],
        "a side that edgetam's windows do not divide": ["train.py", "--out", none, "--model", "edgetam", "--plan",
                                                        "clip192:3"],
        "imitation without a teacher": ["train.py", "--out", none, "--model", "edgetam", "--plan", "distil128:3"],
        "imitation by sam2.1": ["train.py", "--out", none, "--plan", "distil128:3"],
        "a broken teacher": ["train.py", "--out", none, "--model", "edgetam", "--teacher", broken, "--processes", "1",
                             "--plan", "distil128:1"],
        "--resume without a run": ["train.py", "--out", none, "--resume"],
        "--minutes 0": ["train.py", "--out", none, "--minutes", "0"],
        "--decay 0": ["train.py", "--out", none, "--decay", "0"],
        "--out where no folder can be": ["train.py", "--out", os.path.join(broken, "x"), "--processes", "1"],
        "average: one checkpoint": ["average.py", broken, "--out", none],
        "average: broken weights": ["average.py", broken, broken, "--out", none],
        "score: broken weights": ["score.py", "--weights", broken, "--split", folder],
        "score: no data set": ["score.py", "--weights", broken, "--split", none],
    }
    for what, command in cases.items():
        done = subprocess.run([sys.executable, "-W", "ignore", os.path.join(HERE, command[0]), *command[1:]],
                              capture_output=True, text=True)
        last = (done.stderr.strip().splitlines() or [""])[-1]
        check(f"{what} is refused", done.returncode != 0 and "Traceback" not in done.stderr, last[-160:])
    check("and leaves nothing behind", not os.path.exists(none))


def main():
    torch.set_num_threads(1)
    clips_are_functions_of_their_number()
    masks_fit_frames()
    users_point_at_objects()
    scores_are_those_of_the_metric()
    components_are_connected()
    trunks_agree()
    tokens_see_their_windows()
    with tempfile.TemporaryDirectory() as folder:
        resumed_runs_end_alike(folder)
        edgetam_learns_from_its_teacher(folder)
        wrong_arguments_give_one_line(folder)
    print(f"{check.failed} failed" if check.failed else "all good")
    sys.exit(check.failed > 0)


if __name__ == "__main__":
    main()
