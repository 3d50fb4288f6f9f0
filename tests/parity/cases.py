"""The prompt kinds that reference outputs cover, as steps of the video predictor or calls of the image predictor.

A video case is a list of steps, in the order an application would make them:

    {"add": {"object": 1, "frame": 0, "points": [[x, y]], "labels": [1], "box": [x0, y0, x1, y1], "mask": ellipse}}
    {"propagate": {"start": 0, "reverse": false, "count": N}}      count (optional) limits the frames after the start

Coordinates are pixels of the source. `ellipse` = [cx, cy, a, b]: a pixel is inside if ((x-cx)*b)^2 + ((y-cy)*a)^2 <=
(a*b)^2; [0, 0, 0, 0] is the empty mask. Clicks on a frame add to earlier clicks there.
"""
import numpy as np


def places(width, height):
    """Prompt positions, given for a frame of 960 x 540 and scaled to this one."""
    at = {
        "point": [210, 350],
        "point2": [290, 300],
        "background": [420, 120],
        "correction": [330, 300],
        "box1": [300, 60, 520, 400],
        "box2": [560, 130, 860, 420],
        "inside_box1": [400, 250],
        "ellipse": [480, 300, 150, 90],
    }
    scale = (width / 960, height / 540)
    return {name: [round(v * scale[i % 2]) for i, v in enumerate(p)] for name, p in at.items()}


def ellipse_mask(ellipse, width, height):
    cx, cy, a, b = ellipse
    if not a or not b:
        return np.zeros((height, width), np.uint8)
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    return (((x - cx) * b) ** 2 + ((y - cy) * a) ** 2 <= (a * b) ** 2).astype(np.uint8)


def _click(obj, frame, points, labels=None, **more):
    return {"add": {"object": obj, "frame": frame, "points": points, "labels": labels or [1] * len(points), **more}}


def _go(start=0, reverse=False, **more):
    return {"propagate": {"start": start, "reverse": reverse, **more}}


def video_cases(width, height, count):
    """{name: (steps, variant of the weights)} for a clip of `count` >= 5 frames."""
    p = places(width, height)
    mid, last = count // 2, count - 1
    point = _click(1, 0, [p["point"]])
    box1 = {"add": {"object": 1, "frame": 0, "box": p["box1"]}}
    box2 = {"add": {"object": 2, "frame": 0, "box": p["box2"]}}
    fix = _click(1, mid, [p["background"]], [0])
    steps = {
        "point": [point, _go()],
        "points": [_click(1, 0, [p["point"], p["point2"], p["background"]], [1, 1, 0]), _go()],
        "box": [box1, _go()],
        "box_point": [_click(1, 0, [p["inside_box1"]], box=p["box1"]), _go()],
        "mask": [{"add": {"object": 1, "frame": 0, "mask": p["ellipse"]}}, _go()],
        "empty_mask": [{"add": {"object": 1, "frame": 0, "mask": [0, 0, 0, 0]}}, _go()],
        "two_objects": [box1, box2, _go()],
        "two_frames": [point, fix, _go()],  # two conditioning frames
        "second_click": [point, _click(1, 0, [p["correction"]]), _go()],
        "resume": [point, _go(), fix, _go(mid + 1)],  # a correction of a tracked frame, used
        "replay": [point, _go(), fix, _go(mid + 1), _go()],  # ... and tracked away again
        "reverse": [_click(1, last, [p["point"]]), _go(last, True)],
        "middle": [_click(1, mid, [p["point"]]), _go(mid), _go(mid, True)],
        "late_object": [point, _go(0, count=mid - 1), {"add": {"object": 2, "frame": mid, "box": p["box2"]}}, _go(mid)],
        "unstable": [box1, _go()],
    }
    return {name: (s, "unstable" if name == "unstable" else "stable") for name, s in steps.items()}


def image_cases(width, height):
    """{name: keyword arguments of SAM2ImagePredictor.predict}; `previous` feeds that case's best mask back."""
    p = places(width, height)
    point = {"point_coords": [p["point"]], "point_labels": [1]}
    return {
        "image_point": {**point, "multimask_output": True},
        "image_point_single": {**point, "multimask_output": False},
        "image_points": {"point_coords": [p["point"], p["background"]], "point_labels": [1, 0], "multimask_output": False},
        "image_box": {"box": p["box1"], "multimask_output": False},
        "image_box_multi": {"box": p["box1"], "multimask_output": True},
        "image_box_point": {"point_coords": [p["inside_box1"]], "point_labels": [1], "box": p["box1"],
                            "multimask_output": False},
        "image_refine": {"point_coords": [p["correction"]], "point_labels": [1], "multimask_output": False,
                         "previous": "image_point"},
    }


def prompts_json(steps, mask_file=None):
    """The `--prompts` file of `sambench track` for a case it can express (one propagation, no second click), or None."""
    adds = [s["add"] for s in steps if "add" in s]
    goes = [s["propagate"] for s in steps if "propagate" in s]
    where = [(a["object"], a["frame"]) for a in adds]
    if len(goes) != 1 or len(set(where)) != len(where) or "count" in goes[0]:
        return None
    objects = {}
    for a in adds:
        prompt = {k: v for k, v in a.items() if k not in ("object", "mask")}
        if "mask" in a:
            prompt["mask"] = mask_file or "mask.png"
        objects.setdefault(a["object"], []).append(prompt)
    return {"objects": [{"id": i, "prompts": ps} for i, ps in objects.items()],
            "start_frame": goes[0]["start"], "reverse": goes[0]["reverse"], "multimask": True}
