#!/usr/bin/env python3
"""sambench and its peers on the same cores, in turns: ratios that survive a noisy machine.

    python compare_cpu.py --weights sam2.1_tiny.safetensors --model sam2.1_tiny --input FRAMES --sam2 ~/sam2

In each of --rounds rounds every program runs once over the same frames with the same click, pinned to the same cores,
in an order that is reversed from round to round. A round gives one ratio peer / sambench for each figure; the table has
their median and range. More than 1 means that sambench is faster, or smaller. All runs are in the JSON.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

# Options of the program <script>_speed.py for the peer <script>_<way>.
WAYS = {(script, way): options for script, ways in {
    "official": {"": [], "compile": ["--compile"], "onnxruntime": ["--runtime", "onnxruntime"],
                 "openvino": ["--runtime", "openvino"]},
    "transformers": {"": [], "compile": ["--compile"]}}.items() for way, options in ways.items()}
HERE = os.path.dirname(os.path.abspath(__file__))


def parse():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--weights", required=True, metavar="FILE", help="of --model, for sambench")
    ap.add_argument("--model", required=True, help="sam2.1_tiny, ..., edgetam")
    ap.add_argument("--input", required=True, metavar="DIR", help="folder of frames")
    ap.add_argument("--sambench", default=os.path.join(HERE, "..", "..", "build", "sambench"), metavar="FILE")
    ap.add_argument("--peers", default="official", metavar="A,B",
                    help="of official, official_compile, official_onnxruntime, official_openvino, transformers, "
                    "transformers_compile (default %(default)s)")
    ap.add_argument("--cpu_variant", metavar="V", help="instruction set of sambench (default: its choice), e.g. avx2 beside "
                    "ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 in the environment, which limit PyTorch")
    ap.add_argument("--python", default=sys.executable, metavar="FILE", help="interpreter that has torch, for the peers")
    ap.add_argument("--sam2", default=os.environ.get("SAM2_DIR"), metavar="DIR")
    ap.add_argument("--edgetam", default=os.environ.get("EDGETAM_DIR"), metavar="DIR")
    ap.add_argument("--imgsz", type=int, default=1024, metavar="S")
    ap.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    ap.add_argument("--frames", type=int, default=16, metavar="N")
    ap.add_argument("--rounds", type=int, default=3, metavar="K")
    ap.add_argument("--cpus", metavar="0,1", help="cores to use (default: all this process may)")
    ap.add_argument("--point", type=float, nargs=2, metavar=("X", "Y"), help="click on frame 0 (default: its centre)")
    ap.add_argument("--objects", type=int, default=1, metavar="N", help="clicked around --point (default %(default)s)")
    ap.add_argument("--json", metavar="FILE", help="write everything there")
    return ap.parse_args()


def first_frame_centre(folder):
    from PIL import Image

    names = sorted(n for n in os.listdir(folder) if n.lower().endswith((".jpg", ".jpeg", ".png")))
    if not names:
        sys.exit(f"{folder}: no frames")
    with Image.open(os.path.join(folder, names[0])) as image:
        return [image.size[0] / 2, image.size[1] / 2]


def write_prompts(path, frames, point, n_objects):
    """The clicks of stages.points as sambench reads them."""
    step = 2 * first_frame_centre(frames)[1] / 64
    away = [((i + 3) % 7 - 3) * step for i in range(n_objects)]
    with open(path, "w") as f:
        json.dump({"objects": [{"id": i + 1, "prompts": [{"frame": 0, "points": [[x + d for x in point]], "labels": [1]}]}
                               for i, d in enumerate(away)]}, f)


def commands(a, point, folder):
    """{name: argv}; each program writes its figures to <folder>/<name>.json"""
    prompts = os.path.join(folder, "prompts.json")
    write_prompts(prompts, a.input, point, a.objects)
    common = ["--input", a.input, "--imgsz", str(a.imgsz), "--precision", a.precision, "--frames", str(a.frames)]
    out = {"sambench": [a.sambench, "track", "--weights", a.weights, "--device", "cpu", *common, "--prompts", prompts,
                        *(["--cpu_variant", a.cpu_variant] if a.cpu_variant else [])]}
    for peer in a.peers.split(","):
        script, _, way = peer.partition("_")
        if (script, way) not in WAYS:
            sys.exit(f"--peers {peer}: unknown, see --help")
        argv = [a.python, os.path.join(HERE, script + "_speed.py"), "--model", a.model, *common,
                "--point", *map(str, point), "--objects", str(a.objects)]
        if script == "official":
            for option, value in (("--sam2", a.sam2), ("--edgetam", a.edgetam)):
                argv += [option, value] if value else []
        out[peer] = argv + WAYS[script, way]
    return {name: argv + ["--json", os.path.join(folder, name + ".json")] for name, argv in out.items()}


def run(name, argv, folder, cpus):
    path = os.path.join(folder, name + ".json")
    if os.path.exists(path):
        os.remove(path)
    env = {**os.environ, "OMP_NUM_THREADS": str(len(cpus))}
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    if done.returncode or not os.path.exists(path):
        sys.exit(f"{' '.join(argv)}\nfailed with status {done.returncode}:\n{done.stdout[-2000:]}")
    with open(path) as f:
        return json.load(f)


def figures(doc):
    """{row: number} of what two programs can be compared in."""
    steady = doc["steady"]
    rows = {"frame": steady["ms_per_frame"], **steady.get("stages_ms", {})}
    if doc.get("rss_peak_bytes"):
        rows["rss_peak_mib"] = doc["rss_peak_bytes"] / 2**20
    return rows


def compare(rounds, peer, figures=figures):
    ratios = {}
    for r in rounds:
        ours, theirs = figures(r["sambench"]), figures(r[peer])
        for row in ours.keys() & theirs.keys():
            if ours[row] > 0:
                ratios.setdefault(row, []).append(theirs[row] / ours[row])
    mid = lambda name, row: statistics.median(figures(r[name])[row] for r in rounds)
    return {row: {"sambench": round(mid("sambench", row), 3), "peer": round(mid(peer, row), 3),
                  "ratio": round(statistics.median(v), 3), "min": round(min(v), 3), "max": round(max(v), 3)}
            for row, v in ratios.items()}


def main():
    a = parse()
    cpus = {int(c) for c in a.cpus.split(",")} if a.cpus else os.sched_getaffinity(0)
    point = a.point or first_frame_centre(a.input)
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        argvs = commands(a, point, folder)
        for k in range(a.rounds):
            order = list(argvs) if k % 2 == 0 else list(argvs)[::-1]
            rounds.append({"load_before": os.getloadavg()[0],
                           **{name: run(name, argvs[name], folder, cpus) for name in order}})
            print(f"round {k + 1}: " + ", ".join(f"{n} {rounds[-1][n]['steady']['ms_per_frame']:.0f} ms" for n in argvs),
                  file=sys.stderr, flush=True)
    results = {peer: compare(rounds, peer) for peer in argvs if peer != "sambench"}
    doc = {"model": a.model, "imgsz": a.imgsz, "precision": a.precision, "frames": a.frames, "cpus": sorted(cpus),
           "point": point, "results": results, "rounds": rounds}
    if a.json:
        with open(a.json, "w") as f:
            json.dump(doc, f, indent=1)
    print(f"{a.model} at {a.imgsz}, {a.precision}, cores {sorted(cpus)}, {a.rounds} rounds; ms or MiB, medians")
    for peer, rows in results.items():
        print(f"\n{'':18}{'sambench':>12}{peer:>22}{'ratio':>9}   range")
        for row in sorted(rows, key=lambda r: (r != "frame", r == "rss_peak_mib", r)):
            v = rows[row]
            print(f"{row:18}{v['sambench']:12.1f}{v['peer']:22.1f}{v['ratio']:9.2f}   {v['min']:.2f}..{v['max']:.2f}")


if __name__ == "__main__":
    main()
