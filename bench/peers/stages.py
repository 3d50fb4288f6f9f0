"""Timing of a video model's stages from outside: what the peer programs share.

`Stages` replaces named functions of an object by timed ones. On a GPU the time is between CUDA events, read once per
frame, so that timing does not serialise the device. The report has the form of `sambench track --json`.

A peer program makes its model once, then calls `serve` with a function that runs the clip for so many objects.
"""
import json
import statistics
import sys
import time

import torch

BANK_FULL = 8  # tracked frames after which the memory bank and the pointers of a single-prompt clip cost their most


class Stages:
    def __init__(self, device):
        self.cuda = device == "cuda"
        self.reset()

    def reset(self):
        self.frame, self.frames = {}, []  # seconds, or event pairs until `end_frame`
        self.started = None

    def wrap(self, owner, function, stage):
        inner = getattr(owner, function)

        def timed(*args, **kwargs):
            start = self._now()
            out = inner(*args, **kwargs)
            self.frame.setdefault(stage, []).append((start, self._now()))
            return out

        setattr(owner, function, timed)

    def _now(self):
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def begin_frame(self):
        if self.cuda:
            torch.cuda.synchronize()
        self.frame, self.started = {}, time.perf_counter()

    def end_frame(self):
        if self.cuda:
            torch.cuda.synchronize()
        total = (time.perf_counter() - self.started) * 1e3
        span = (lambda a, b: a.elapsed_time(b)) if self.cuda else (lambda a, b: (b - a) * 1e3)
        self.frames.append((total, {s: sum(span(a, b) for a, b in ps) for s, ps in self.frame.items()}))

    def steady(self):
        """Median figures over the frames whose bank was full."""
        frames = self.frames[BANK_FULL:]
        totals = sorted(t for t, _ in frames)
        at = lambda q: totals[min(len(totals) - 1, int(q * len(totals)))]
        names = sorted({s for _, f in frames for s in f})
        return {
            "n_frames": len(frames),
            "ms_per_frame": round(statistics.median(totals), 3),
            "p90": round(at(0.9), 3),
            "p99": round(at(0.99), 3),
            "stages_ms": {s: round(statistics.median(f.get(s, 0.0) for _, f in frames), 3) for s in names},
        }


def peak_rss_bytes():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM line")


def add_arguments(parser):
    parser.add_argument("--input", metavar="DIR", help="folder of frames (default: the synthetic clip of tests/parity)")
    parser.add_argument("--imgsz", type=int, default=1024, metavar="S", help="image size (default %(default)s)")
    parser.add_argument("--frames", type=int, default=20, metavar="N",
                        help=f"frames to use, more than {BANK_FULL + 1} (default %(default)s)")
    parser.add_argument("--point", type=float, nargs=2, metavar=("X", "Y"),
                        help="click on frame 0 in source pixels (default: the frame's centre)")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's)")
    parser.add_argument("--compile", action="store_true", help="torch.compile of encoder, memory attention, memory encoder")
    parser.add_argument("--compile_mode", default="default", choices=["default", "max-autotune"],
                        help="of torch.compile (default %(default)s)")
    parser.add_argument("--objects", type=int, default=1, metavar="N", help="objects clicked on frame 0, around --point")
    parser.add_argument("--serve", action="store_true",
                        help="run the clip for every line of standard input, a number of objects; figures to standard output")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well as to standard output")


def check(args):
    if args.frames <= BANK_FULL + 1:
        raise SystemExit(f"--frames {args.frames}: needs more than {BANK_FULL + 1}, steady state begins after "
                         f"{BANK_FULL} tracked frames")
    if args.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: PyTorch sees no GPU")
    if args.threads:
        torch.set_num_threads(args.threads)


def points(args, width, height):
    """args.objects clicks: the first at --point or the frame's centre, the others around it."""
    x, y = args.point or [width / 2, height / 2]
    step = height / 64
    return [[x + (i + 3) % 7 * step - 3 * step, y + (i + 3) % 7 * step - 3 * step] for i in range(args.objects)]


def compile_parts(parts, mode):
    """Replaces `forward` of each (module, dynamic) by a compiled one. fullgraph where the module allows it: the first call
    decides. Results are copied: max-autotune replays CUDA graphs, whose outputs the next replay overwrites."""
    from torch.utils import _pytree as pytree

    def compiled(module, dynamic):
        plain, chosen = module.forward, {}

        def forward(*args, **kwargs):
            torch.compiler.cudagraph_mark_step_begin()
            if "run" in chosen:
                out = chosen["run"](*args, **kwargs)
            else:
                try:
                    chosen["run"] = torch.compile(plain, mode=mode, dynamic=dynamic, fullgraph=True)
                    out = chosen["run"](*args, **kwargs)
                except Exception as why:  # torch._dynamo has one class for each reason
                    print(f"{type(module).__name__}: not as one graph: {str(why).splitlines()[0]}", file=sys.stderr)
                    chosen["run"] = torch.compile(plain, mode=mode, dynamic=dynamic)
                    out = chosen["run"](*args, **kwargs)
            return pytree.tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, out)

        return forward

    for module, dynamic in parts:
        module.forward = compiled(module, dynamic)


def serve(args, run):
    """`run()` runs the clip for args.objects and returns report()'s dictionary."""
    if not args.serve:
        text = json.dumps(run())
        print(text)
        if args.json:
            with open(args.json, "w") as f:
                f.write(text + "\n")
        return
    for line in sys.stdin:
        args.objects = int(line)
        if args.device == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        print(json.dumps(run()), flush=True)


def report(args, implementation, version, stages, load_ms, n_frames):
    doc = {
        "implementation": implementation, "version": version, "torch": torch.__version__, "model": args.model,
        "backend": "pytorch", "device": torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
        "threads": torch.get_num_threads(), "precision": args.precision, "compiled": args.compile and args.compile_mode,
        "imgsz": args.imgsz, "frames": n_frames, "objects": args.objects,
        "steady": stages.steady(),
        "load_ms_per_frame": round(load_ms, 3),
        "rss_peak_bytes": peak_rss_bytes(),
    }
    if args.device == "cuda":
        doc["device_peak_bytes"] = torch.cuda.max_memory_allocated()
    return doc
