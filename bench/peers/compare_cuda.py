#!/usr/bin/env python3
"""sambench and PyTorch on the same GPU, in turns: one object and eight, steady state, peak memory.

    python compare_cuda.py --models sam2.1_tiny,edgetam --weights_dir weights --input FRAMES --json compare.json
    python compare_cuda.py --models sam2.1_tiny --weights_dir weights --peers transformers,official_compile --sam2 ~/sam2

For each model every peer is started once (one process each, so that torch.compile's work is done once) and runs the clip
unmeasured for each number of objects. Then, in each of --rounds rounds, every program runs the clip once while the others
wait, in an order that is reversed from round to round; sambench is `sambench track`. A round gives one ratio peer /
sambench for each figure; the table has their median and range. More than 1 means that sambench is faster, or smaller.

A frame is the same for all as in README.md, except that sambench's also holds what its users wait for and the peers leave
out: the frame's upload, resizing and the masks' download. Peaks are device memory beside the context: PyTorch's
max_memory_allocated without the clip it holds there; of sambench, what the device says is used since it was opened.

--weights_dir holds MODEL.safetensors of `samconvert random --model MODEL --seed 101` or of a checkpoint: weights change no
time. Results are written after every model; what cannot run (no package, out of memory) is said there and passed over.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import compare_cpu

HERE = compare_cpu.HERE


def parse():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--models", required=True, metavar="A,B", help="sam2.1_tiny, ..., edgetam")
    ap.add_argument("--weights_dir", required=True, metavar="DIR", help="MODEL.safetensors of each, for sambench")
    ap.add_argument("--input", required=True, metavar="DIR", help="folder of frames")
    ap.add_argument("--sambench", default=os.path.join(HERE, "..", "..", "build", "sambench"), metavar="FILE")
    ap.add_argument("--peers", default="transformers,transformers_compile", metavar="A,B",
                    help="of official, official_compile, transformers, transformers_compile, graph (default %(default)s)")
    ap.add_argument("--compile_mode", default="max-autotune", choices=["default", "max-autotune"])
    ap.add_argument("--python", default=sys.executable, metavar="FILE", help="interpreter that has torch, for the peers")
    ap.add_argument("--sam2", default=os.environ.get("SAM2_DIR"), metavar="DIR")
    ap.add_argument("--edgetam", default=os.environ.get("EDGETAM_DIR"), metavar="DIR")
    ap.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu: to try this program")
    ap.add_argument("--imgsz", type=int, default=1024, metavar="S")
    ap.add_argument("--precision", default="bf16", choices=["fp32", "bf16", "fp16"])
    ap.add_argument("--objects", default="1,8", metavar="N,M")
    ap.add_argument("--frames", type=int, default=32, metavar="N")
    ap.add_argument("--rounds", type=int, default=3, metavar="K")
    ap.add_argument("--json", metavar="FILE", help="write everything there")
    return ap.parse_args()


class Peer:
    """A peer program that runs the clip whenever it is told a number of objects."""

    def __init__(self, a, name, model, log):
        script, _, compiled = name.partition("_")
        ways = {**compare_cpu.WAYS, ("graph", ""): []}
        if "--runtime" in ways.get((script, compiled), ["--runtime"]):
            sys.exit(f"--peers {name}: unknown, see --help")
        argv = [a.python, os.path.join(HERE, script + "_speed.py"), "--model", model, "--input", a.input, "--imgsz",
                str(a.imgsz), "--precision", a.precision, "--frames", str(a.frames), "--device", a.device, "--serve"]
        argv += ["--compile", "--compile_mode", a.compile_mode] if compiled else []
        if script in ("official", "graph"):
            for option, value in (("--sam2", a.sam2), ("--edgetam", a.edgetam)):
                argv += [option, value] if value else []
        self.log_path = log
        self.log = open(log, "w")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def turn(self, n_objects):
        try:
            print(n_objects, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self.process.wait()
        with open(self.log_path) as f:
            raise RuntimeError(f.read()[-1500:] or f"ended with status {self.process.returncode}")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def check_files(a):
    if not os.path.isdir(a.input):
        sys.exit(f"--input {a.input}: no such folder")
    n = sum(name.lower().endswith((".jpg", ".jpeg", ".png")) for name in os.listdir(a.input))
    if n < a.frames:
        sys.exit(f"--input {a.input}: {n} frames, --frames asks for {a.frames}")
    for path in [a.sambench] + [os.path.join(a.weights_dir, m + ".safetensors") for m in a.models.split(",")]:
        if not os.path.isfile(path):
            sys.exit(f"{path}: no such file")


def run_sambench(a, model, n_objects, folder):
    prompts, out = os.path.join(folder, "prompts.json"), os.path.join(folder, "sambench.json")
    compare_cpu.write_prompts(prompts, a.input, compare_cpu.first_frame_centre(a.input), n_objects)
    done = subprocess.run([a.sambench, "track", "--weights", os.path.join(a.weights_dir, model + ".safetensors"),
                           "--device", a.device, "--precision", a.precision, "--imgsz", str(a.imgsz), "--input", a.input,
                           "--frames", str(a.frames), "--prompts", prompts, "--quiet", "--json", out],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"sambench track, {model}: status {done.returncode}: {done.stdout[-1500:]}")
    with open(out) as f:
        doc = json.load(f)
    del doc["input"]
    took = doc["peak_bytes"]
    doc["device_peak_bytes"] = took["device"] or sum(took[k] for k in ("weights", "tables", "state", "scratch"))
    return doc


def figures(doc):
    """{row: number} of what two programs can be compared in; stages by device events differ from a host's, so the frame."""
    rows = {"frame": doc["steady"]["ms_per_frame"]}
    if "device_peak_bytes" in doc:
        rows["device_peak_mib"] = (doc["device_peak_bytes"] - doc.get("video_bytes", 0)) / 2**20
    return rows


def start_peers(a, model, counts, folder, failed):
    peers = {}
    for name in a.peers.split(","):
        peer = Peer(a, name, model, os.path.join(folder, name + ".log"))
        try:
            for n in counts:
                peer.turn(n)  # compiles, fills caches
            peers[name] = peer
        except RuntimeError as why:
            failed[name] = str(why)
            print(f"{model}, {name}: {str(why).splitlines()[-1]}", file=sys.stderr)
            peer.close()
    return peers


def compare_model(a, model, counts, folder):
    failed, rounds = {}, {n: [] for n in counts}
    peers = start_peers(a, model, counts, folder, failed)
    try:
        for k in range(a.rounds):
            for n in counts:
                order = ["sambench", *peers] if k % 2 == 0 else [*reversed(peers), "sambench"]
                turn = {name: run_sambench(a, model, n, folder) if name == "sambench" else peers[name].turn(n)
                        for name in order}
                rounds[n].append(turn)
                print(f"{model}, {n} objects, round {k + 1}: " + ", ".join(
                    f"{name} {turn[name]['steady']['ms_per_frame']:.2f} ms" for name in turn), file=sys.stderr, flush=True)
    finally:
        for peer in peers.values():
            peer.close()
    ours = {n: statistics.median(r["sambench"]["steady"]["ms_per_frame"] for r in rounds[n]) for n in counts}
    scaling = {n: round(n * ours[counts[0]] / (counts[0] * ours[n]), 3) for n in counts[1:]}
    return {"results": {n: {p: compare_cpu.compare(rounds[n], p, figures) for p in peers} for n in counts},
            "sambench_ms": ours, f"times_cheaper_than_{counts[0]}_by_one": scaling, "failed": failed, "rounds": rounds}


def show(model, doc):
    for n, peers in doc["results"].items():
        for peer, rows in peers.items():
            for row, v in rows.items():
                print(f"{model:16} {n:3} {peer:22} {row:16} {v['sambench']:10.2f} {v['peer']:10.2f} {v['ratio']:7.2f}   "
                      f"{v['min']:.2f}..{v['max']:.2f}")


def main():
    a = parse()
    counts = [int(n) for n in a.objects.split(",")]
    check_files(a)
    doc = {"device": a.device, "imgsz": a.imgsz, "precision": a.precision, "frames": a.frames,
           "compile_mode": a.compile_mode, "models": {}}
    for model in a.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            doc["models"][model] = compare_model(a, model, counts, folder)
        if a.json:
            with open(a.json, "w") as f:
                json.dump(doc, f, indent=1)
    print(f"{'model':16} {'obj':>3} {'peer':22} {'':16} {'sambench':>10} {'peer':>10} {'ratio':>7}   range")
    for model, result in doc["models"].items():
        show(model, result)


if __name__ == "__main__":
    main()
