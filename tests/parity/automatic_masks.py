"""The official automatic mask generators, and the engine's beside them.

    python automatic_masks.py --fixtures data/automatic_masks --sam2 ~/sam2
    python automatic_masks.py --live --sambench ../../build/sambench --sam2 ~/sam2 [--cases NAME,NAME]

--fixtures writes CASE.json for each small case: the options, and the records of `generate` with output_mode "coco_rle", which
tests/test_amg.c compares with the library. --live runs `sambench amg` on the same weights and image and matches both sets of masks:
equal in number, and each with one of IoU 0.99 of its own. The generators are those of the packages segment_anything and sam2, untouched
but for two things: the feature sizes that sam2 knows for 1024 px only, and connected components, which it has for CUDA
only (here OpenCV's).
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image

import hash_weights as hw
import official
import synthetic_clip

HERE = os.path.dirname(os.path.abspath(__file__))
DEMO = os.path.join(HERE, "..", "..", "models", "demo_sam2.1.safetensors")
SEED = 101
# Random weights predict low qualities and wild masks, and an image they do not know is hard for the demo model: thresholds that let
# some masks through.
WILD = {"pred_iou_thresh": 0.45, "stability_score_thresh": 0.75, "box_nms_thresh": 1.0}
LOOSE = {"pred_iou_thresh": 0.35, "stability_score_thresh": 0.5, "box_nms_thresh": 0.8}
LENIENT = {"pred_iou_thresh": 0.01, "stability_score_thresh": 0.5, "box_nms_thresh": 1.0}
CASES = {  # name: (model, image size, frame size, options of the official generator)
    "demo": ("demo", 256, (160, 120), {"points_per_side": 12}),
    "demo_loose": ("demo", 256, (160, 120), {"points_per_side": 8, **LOOSE}),
    "demo_crops": ("demo", 256, (200, 120), {"points_per_side": 6, "crop_n_layers": 2, "pred_iou_thresh": 0.6,
                                             "crop_n_points_downscale_factor": 2, "stability_score_thresh": 0.7}),
    "demo_m2m": ("demo", 256, (160, 120), {"points_per_side": 6, "use_m2m": True, "points_per_batch": 16,
                                           "pred_iou_thresh": 0.2, "stability_score_thresh": 0.4}),
    "demo_single": ("demo", 256, (160, 120), {"points_per_side": 8, "multimask_output": False, "mask_threshold": 0.7,
                                              "stability_score_offset": 0.5, "min_mask_region_area": 30, **LOOSE}),
    "tiny_wild": ("sam2.1_tiny", 256, (160, 120), {"points_per_side": 3, **WILD}),
}
LIVE = {  # too slow for a test
    "demo_default": ("demo", 256, (640, 480), {}),
    "tiny_crops": ("sam2.1_tiny", 256, (320, 240), {"points_per_side": 4, "crop_n_layers": 1, **WILD}),
    "edgetam_wild": ("edgetam", 256, (160, 120), {"points_per_side": 6, **WILD}),
    "vit_b_regions": ("sam_vit_b", 256, (160, 120), {"points_per_side": 6, "min_mask_region_area": 40, **LENIENT}),
    "vit_b_crops": ("sam_vit_b", 256, (220, 150), {"points_per_side": 4, "crop_n_layers": 1, **LENIENT}),
    "vit_b_1024": ("sam_vit_b", 1024, (320, 240), {"points_per_side": 4, "min_mask_region_area": 100, **LENIENT}),
}
FLAGS = {"multimask_output": "multimask"}  # of sambench, where they are called otherwise


def components(mask):
    """sam2.utils.misc.get_connected_components: labels and areas, [N,1,H,W], 0 outside."""
    import cv2

    labels, areas = np.zeros(mask.shape, np.int32), np.zeros(mask.shape, np.int32)
    for i, plane in enumerate(mask[:, 0].numpy().astype(np.uint8)):
        _, found, stats, _ = cv2.connectedComponentsWithStats(plane, 8)
        labels[i, 0], areas[i, 0] = found, np.where(found > 0, stats[found, cv2.CC_STAT_AREA], 0)
    return torch.from_numpy(labels), torch.from_numpy(areas)


def open_model(model, px, args):
    if model == "demo":
        sys.path.insert(0, os.path.join(HERE, "..", "..", "weights_tools", "train"))
        import score

        return score.open_predictor(DEMO, px)
    predictor_file = official.use(model, args.sam2, args.edgetam, args.segment_anything)
    net = official.build(model, px, predictor_file)
    args.shapes = official.shapes_of(net)
    official.load_hash_weights(net, model, SEED, "stable")
    official.fit(net, model, px)
    return net


def generator(model, px, options, args):
    net = open_model(model, px, args).eval()
    if model in official.VITS:
        from segment_anything import SamAutomaticMaskGenerator

        made = SamAutomaticMaskGenerator(net, output_mode="coco_rle", **options)
        made.predictor.transform.target_length = px
        return made
    import sam2.utils.misc
    from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator

    sam2.utils.misc.get_connected_components = components
    made = SAM2AutomaticMaskGenerator(net, output_mode="coco_rle", **options)
    made.predictor._bb_feat_sizes = [(px // s,) * 2 for s in (4, 8, 16)]
    return made


def theirs(case, args):
    model, px, size, options = case
    return generator(model, px, options, args).generate(synthetic_clip.frame(0, *size)[0])


def weights_of(model, folder, args):
    if model == "demo":
        return DEMO
    path = os.path.join(folder, f"{model}.safetensors")
    hw.save_safetensors(hw.state_dict(args.shapes, SEED, model, "stable"), path)
    return path


def ours(case, args):
    model, px, size, options = case
    with tempfile.TemporaryDirectory() as folder:
        image, found = os.path.join(folder, "image.png"), os.path.join(folder, "masks.json")
        Image.fromarray(synthetic_clip.frame(0, *size)[0]).save(image)
        command = [args.sambench, "amg", "--weights", weights_of(model, folder, args), "--device", "cpu", "--precision", "fp32",
                   "--imgsz", str(px), "--input", image, "--json", found, "--quiet"]
        for name, value in options.items():
            flag = FLAGS.get(name, name)
            command += ([f"--{flag}"] if value else [f"--no-{flag}"]) if isinstance(value, bool) else [f"--{flag}", str(value)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}:\n{done.stderr.strip()}")
        with open(found) as f:
            return json.load(f)["images"][0]["masks"]


def match(a, b):
    """The worst IoU of masks of `a` and their best, unused partners in `b`."""
    from pycocotools import mask as coco

    if not a or len(a) != len(b):
        return 0.0
    iou = coco.iou([m["segmentation"] for m in a], [m["segmentation"] for m in b], [0] * len(b))
    worst = 1.0
    for row in iou:
        k = int(np.argmax(row))
        worst = min(worst, row[k])
        iou[:, k] = -1
    return worst


def margins(case, records):
    """How near to its thresholds the nearest mask that stayed is."""
    thresh = {"pred_iou_thresh": 0.88 if case[0] in official.VITS else 0.8, "stability_score_thresh": 0.95, **case[3]}
    return [min((r[key] - thresh[t] for r in records), default=0) for key, t in
            (("predicted_iou", "pred_iou_thresh"), ("stability_score", "stability_score_thresh"))]


def run(name, case, args):
    records = theirs(case, args)
    text = f"{name}: {len(records)} masks, nearest thresholds {margins(case, records)[0]:.2e}, {margins(case, records)[1]:.2e}"
    if args.fixtures:
        os.makedirs(args.fixtures, exist_ok=True)
        fixture = {"model": case[0], "imgsz": case[1], "width": case[2][0], "height": case[2][1], "seed": SEED,
                   "options": case[3], "masks": records}
        with open(os.path.join(args.fixtures, f"{name}.json"), "w") as f:
            json.dump(fixture, f, separators=(",", ":"))
            f.write("\n")
        print(text)
        return True
    mine = ours(case, args)
    worst = match(records, mine)
    print(f"{text}; sambench {len(mine)}, worst IoU {worst:.4f}")
    return worst >= 0.99


def main():
    p = argparse.ArgumentParser(description="The official automatic mask generators beside the engine's.")
    p.add_argument("--fixtures", metavar="DIR", help="write those of the small cases")
    p.add_argument("--live", action="store_true", help="compare sambench with all cases")
    p.add_argument("--sambench", default=os.path.join(HERE, "..", "..", "build", "sambench"), metavar="FILE")
    p.add_argument("--cases", default="all", help=f"of {', '.join([*CASES, *LIVE])} (default: all)")
    official.add_arguments(p)
    args = p.parse_args()
    if bool(args.fixtures) == args.live:
        p.error("one of --fixtures and --live")
    official.quiet()
    torch.set_grad_enabled(False)
    cases = CASES if args.fixtures else {**CASES, **LIVE}
    names = list(cases) if args.cases == "all" else args.cases.split(",")
    if len(names) > 1:  # a process can import one of the packages called sam2
        argv = [a for i, a in enumerate(sys.argv[1:], 1) if a != "--cases" and sys.argv[i - 1] != "--cases"]
        done = [subprocess.run([sys.executable, os.path.abspath(__file__), *argv, "--cases", n]).returncode for n in names]
        sys.exit(max(done))
    for name in names:
        if name not in cases:
            sys.exit(f"no case {name}; there are {', '.join(cases)}")
        if not run(name, cases[name], args):
            sys.exit(1)


if __name__ == "__main__":
    main()
