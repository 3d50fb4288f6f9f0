#!/usr/bin/env python3
"""What `sambench plan --predict` says of every model, as tables; `make predicted` runs it.

    predicted.py BUILD DOCS      needs BUILD/sambench and BUILD/samconvert; writes DOCS/results/predicted.json and .md, and
                                 the tables between the marks in DOCS/performance.md

The weights are random: shapes alone matter. Nothing in these files was measured."""
import json
import os
import subprocess
import sys

MODELS = [("sam2.1_hiera_tiny", "SAM 2.1 tiny"), ("sam2.1_hiera_small", "SAM 2.1 small"),
          ("sam2.1_hiera_base_plus", "SAM 2.1 base+"), ("sam2.1_hiera_large", "SAM 2.1 large"), ("edgetam", "EdgeTAM")]
OBJECTS = [1, 8]
SHOWN = ["H200", "RTX 4090", "Orin Nano"]
N_OPERATORS = 10
BEGIN, END = "<!-- predicted: begin -->\n", "<!-- predicted: end -->\n"


def predict(build, name, objects):
    weights = os.path.join(build, "random", name + ".safetensors")
    if not os.path.exists(weights):
        os.makedirs(os.path.dirname(weights), exist_ok=True)
        subprocess.run([f"{build}/samconvert", "random", "--model", name, "--half", weights], check=True)
    out = subprocess.run([f"{build}/sambench", "plan", "--weights", weights, "--precision", "bf16", "--width", "1920",
                          "--height", "1080", "--max_prompted_frames", "1", "--objects", str(objects), "--predict", "all",
                          "--json", "-"], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def device(run, name):
    return next(d for d in run["devices"] if d["device"]["name"] == name)


def pair(x):
    digits = 0 if x["expected_us"] >= 100 else 1
    return f"{x['floor_us']:,.{digits}f} / {x['expected_us']:,.{digits}f}"


def heads():
    return " | ".join(f"{name}, us" for name in SHOWN)


def stage_table(run):
    shown = [device(run, name) for name in SHOWN]
    lines = [f"| stage | calls | GFLOP | MB | {heads()} |", "| --- |" + " --- |" * (3 + len(SHOWN))]
    for i, s in enumerate(shown[0]["stages"]):
        if s["stage"] not in ("upload", "download"):
            lines.append(f"| {s['stage']} | {s['calls']} | {s['GFLOP']:.2f} | {s['MB']:,.0f} | "
                         + " | ".join(pair(d["stages"][i]) for d in shown) + " |")
    lines.append("| frame | | | | " + " | ".join(f"**{pair(d)}**" for d in shown) + " |")
    return lines


def operator_table(run):
    shown = [device(run, name) for name in SHOWN]
    lines = [f"| graph | operator | calls | GFLOP | MB | {heads()} | bound by, on these |", "| --- |" + " --- |" * (5 + len(SHOWN))]
    for o in shown[0]["operators"][:N_OPERATORS]:
        same = [next(x for x in d["operators"] if (x["graph"], x["op"]) == (o["graph"], o["op"])) for d in shown]
        lines.append(f"| {o['graph']} | {o['op']} | {o['calls']} | {o['GFLOP']:.2f} | {o['MB']:,.0f} | "
                     + " | ".join(map(pair, same)) + " | " + ", ".join(x["bound"] for x in same) + " |")
    return lines


def frame_table(runs, objects):
    names = [d["device"]["name"] for d in runs[MODELS[0][0], 1]["devices"]]
    lines = ["| GPU | " + " | ".join(title for _, title in MODELS) + " |", "| --- |" + " --- |" * len(MODELS)]
    for name in names:
        frames = [device(runs[model, objects], name) for model, _ in MODELS]
        lines.append(f"| {name} | " + " | ".join(f"{f['floor_us'] / 1e3:.2f} / {f['expected_us'] / 1e3:.2f}" for f in frames) + " |")
    return lines


def link_line(run):
    parts = [f"{name} {device(run, name)['stages'][0]['expected_us']:.0f} + {device(run, name)['stages'][-1]['expected_us']:.0f} us"
             for name in SHOWN if device(run, name)["device"]["link_GB_s"]]
    return "Frame to the device and results back, if nothing hides them: " + ", ".join(parts) + "."


def memory_table(runs):
    lines = ["| model | objects | weights | state | scratch | in all, MiB |", "| --- | --- | --- | --- | --- | --- |"]
    for model, title in MODELS:
        for objects in OBJECTS:
            p = device(runs[model, objects], "H200").get("planned_bytes")
            if p:
                cells = [p[k] / 2**20 for k in ("weights", "state", "scratch")]
                lines.append(f"| {title} | {objects} | " + " | ".join(f"{c:.0f}" for c in cells) + f" | {sum(cells):.0f} |")
    return lines if len(lines) > 2 else ["(the build had no CUDA kernels, so that their own memory is unknown)"]


def full_page(runs):
    page = ["# Predicted: a steady tracked frame on GPUs that were not here", "",
            "Written by `make predicted` (tests/gpu/predicted.py, `sambench plan --predict`). Nothing was measured; the method and the",
            "assumptions are in docs/performance.md. 1024 px, bf16, frames of 1920 x 1080, full memory bank; floor / expected.", ""]
    for objects in OBJECTS:
        page += [f"## Milliseconds a frame, {objects} object{'s' if objects > 1 else ''}", ""] + frame_table(runs, objects) + [""]
    page += ["## Memory on an H200", ""] + memory_table(runs) + [""]
    for model, title in MODELS:
        for objects in OBJECTS:
            run = runs[model, objects]
            page += [f"## {title}, {objects} object{'s' if objects > 1 else ''}", ""] + stage_table(run)
            page += ["", link_line(run), ""] + operator_table(run) + [""]
    return "\n".join(page)


def short_page(runs):
    page = ["### Milliseconds a frame, one object: floor / expected", ""] + frame_table(runs, 1) + [""]
    for model, title in MODELS:
        many = device(runs[model, 8], "H200")["expected_us"] / device(runs[model, 1], "H200")["expected_us"]
        page += [f"### {title}", ""] + stage_table(runs[model, 1]) + ["", f"Eight objects: "
                 + ", ".join(f"{name} {device(runs[model, 8], name)['expected_us'] / 1e3:.1f} ms" for name in SHOWN)
                 + f" expected ({many:.1f} times one object on an H200).", ""]
    return "\n".join(page)


def small(run):
    """Without operators: the file is read for its stages."""
    keep = ("stage", "calls", "GFLOP", "MB", "floor_us", "expected_us")
    devices = [{**{k: v for k, v in d.items() if k not in ("operators", "stages", "device")}, "device": d["device"]["name"],
                "stages": [{k: round(s[k], 3) if isinstance(s[k], float) else s[k] for k in keep} for s in d["stages"]]}
               for d in run["devices"]]
    return {**{k: v for k, v in run.items() if k != "devices"}, "devices": devices}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    build, docs = sys.argv[1:]
    runs = {(model, objects): predict(build, model, objects) for model, _ in MODELS for objects in OBJECTS}
    with open(f"{docs}/results/predicted.md", "w") as f:
        f.write(full_page(runs))
    with open(f"{docs}/results/predicted.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(small(run)) for run in runs.values()) + "\n]\n")
    page = open(f"{docs}/performance.md").read()
    if BEGIN not in page or END not in page:
        sys.exit(f"predicted.py: {docs}/performance.md: no marks {BEGIN.strip()} and {END.strip()}")
    before, rest = page.split(BEGIN)
    with open(f"{docs}/performance.md", "w") as f:
        f.write(before + BEGIN + "\n" + short_page(runs) + "\n" + END + rest.split(END)[1])


main()
