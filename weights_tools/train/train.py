"""Trains the demo models on clips that are made on the fly.

    python weights_tools/train/train.py --out runs/demo --seed 1
    python weights_tools/train/train.py --out runs/demo --resume          # goes on where it was
    build/samconvert convert runs/demo/demo.pt demo.safetensors
    python weights_tools/train/train.py --out runs/edge --model edgetam --teacher runs/demo/demo.pt

OUT gets demo.pt (the weights in half precision under the official names, for samconvert), state.pt (everything needed to go on) and
log.csv (one line per report). Each is replaced whole or not at all. docs/demo_model.md says how the committed file was
made.

The plan is a list of phases KIND+PX:STEPS. `image` treats frames as images of their own, `clip` tracks with memory
through large motion, `video` through motion as in the held-out clips, `mixed` tracks
among things of one look side by side and learns from every frame as an image too, `fine` does so at half the rate and
with more boxes. Of --model edgetam, `distil` teaches the image encoder alone to find the features that --teacher finds,
and `memory` the perceiver and memory attention alone to make of the teacher's memories what it makes of them. The
learning rate of the last --decay steps of the plan falls to zero. A longer or shorter plan may be given when resuming, as long as the
phases already done stay: so the end can be chosen late.

On the CPU one process with one thread works per core and gradients are averaged, which for a model of this size is much
faster than one process with many threads; on a GPU there is one process. What a step sees depends on the seed, the step
and the number of processes, not on the time or on earlier runs.
"""
import argparse
import csv
import functools
import math
import os
import re
import sys
import time

import numpy as np
import torch
import torch.distributed as dist

import clips
import inherit
import model
import track
from muon import Optimizer

PLAN = ("image64:1000,image128:400,clip128:1350,video128:750,video256:250,mixed192:350,mixed256:120,"
        "fine192:900,fine256:620")
EDGE_PLAN = "distil128:600,distil256:100,memory256:240"
# Of one step and process: clips, frames of each, objects of each; steps that share clips; and the learning rate.
SIZES = {"distil128": (8, 2, 1), "distil": (4, 2, 1), "memory": (1, 6, 3), "image64": (8, 4, 4), "image": (4, 2, 4),
         "clip": (1, 6, 4), "video": (1, 6, 4), "video256": (1, 8, 3), "mixed": (1, 8, 3), "fine": (1, 8, 3)}
REUSE = {"distil": 2, "memory": 3, "image": 3, "clip": 2, "video": 2, "mixed": 2, "fine": 2}
RATES = {"distil": 1.5e-3, "memory": 6e-4, "image": 1e-3, "clip": 7e-4, "video": 6e-4, "mixed": 6e-4, "fine": 3e-4}
track_with_images = functools.partial(track.clip_loss, with_images=True)
LOSS = {"image": track.image_loss, "clip": track.clip_loss, "video": track.clip_loss, "mixed": track_with_images,
        "fine": functools.partial(track_with_images, kinds=(0.35, 0.45, 0.2))}
MOTION = {"distil": "crowded", "memory": "crowded", "image": "any", "clip": "growing", "video": "even", "mixed": "crowded",
          "fine": "crowded"}
WARM_UP = 100
EASY_STEPS = {"image": 900, "clip": 700}  # until scenes are as hard as they get
CLIP_NORM = 1.0
IMITATED = {"distil": ("image_encoder.",), "memory": ("spatial_perceiver.", "memory_attention.")}  # what learns, alone
FIT_CLIPS, FIT_SIZE = 12, (5, 3)  # frames and objects; on which memory attention is fitted before it learns
FIELDS = ("step", "phase", "px", "loss", "iou_prompted", "iou_tracked", "gradient_norm", "learning_rate", "frames",
          "seconds")


class Phase:
    def __init__(self, text):
        m = re.fullmatch(r"(distil|memory|image|clip|video|mixed|fine)(\d+):(\d+)", text)
        if not m or int(m[2]) % 64 or not 64 <= int(m[2]) <= 1024 or int(m[3]) < 1:
            raise argparse.ArgumentTypeError(
                f"phase \"{text}\": expected distil, memory, image, clip, video, mixed or fine, a side (64 to 1024, a "
                "multiple of 64), a colon and a number of steps, as in clip128:4500")
        self.kind, self.px, self.steps = m[1], int(m[2]), int(m[3])
        self.size = SIZES.get(m[1] + m[2], SIZES[m[1]])


def plan_of(text):
    return [Phase(t) for t in text.split(",")]


def positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"\"{text}\": expected a whole number above 0")
    return int(text)


def arguments(argv=None):
    p = argparse.ArgumentParser(description="Trains a demo model.", epilog="See docs/demo_model.md.")
    p.add_argument("--out", required=True, metavar="DIR", help="where the files go; made if needed")
    p.add_argument("--seed", type=int, default=1, help="of weights, clips and prompts (default 1)")
    p.add_argument("--model", choices=tuple(model.CONFIGS), default=model.SAM21, help="which (default %(default)s)")
    p.add_argument("--teacher", metavar="FILE", help="demo.pt of a trained sam2.1, or the same converted: edgetam "
                   "begins with what both have, and imitates it in distil")
    p.add_argument("--plan", type=plan_of, metavar="PHASES", help=f"default {PLAN}, of edgetam {EDGE_PLAN}")
    p.add_argument("--decay", type=positive, metavar="STEPS",
                   help="the learning rate falls to zero over the last STEPS (default 550, of edgetam 120)")
    p.add_argument("--minutes", type=float, metavar="N", help="stop after N minutes, to be resumed")
    p.add_argument("--processes", type=positive, metavar="N", help="default: cores on the CPU, 1 on a GPU")
    p.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--resume", action="store_true", help="go on from DIR/state.pt")
    p.add_argument("--report_every", type=positive, default=50, metavar="STEPS")
    p.add_argument("--save_every", type=positive, default=250, metavar="STEPS")
    o = p.parse_args(argv)
    if o.plan is None:
        o.plan = plan_of(EDGE_PLAN if o.model == model.EDGETAM else PLAN)
    if o.decay is None:
        o.decay = 120 if o.model == model.EDGETAM else 550
    check_model(p, o)
    has_state = os.path.exists(os.path.join(o.out, "state.pt"))
    if o.resume and not has_state:
        p.error(f"--resume: there is no {o.out}/state.pt")
    if has_state and not o.resume:
        p.error(f"--out: {o.out} holds a run already; --resume continues it")
    if o.minutes is not None and not o.minutes > 0:
        p.error("--minutes: expected a number above 0")
    if o.device == "cuda" and not torch.cuda.is_available():
        p.error("--device cuda: PyTorch finds no CUDA device")
    if o.processes is None:
        o.processes = 1 if o.device == "cuda" else len(os.sched_getaffinity(0))
    if o.device == "cuda" and o.processes != 1:
        p.error("--processes: one on a GPU")
    return o


def check_model(p, o):
    if o.model != model.EDGETAM:
        if o.teacher or any(phase.kind in IMITATED for phase in o.plan):
            p.error("--teacher, distil and memory phases: only with --model edgetam")
        return
    each = 16 * model.CONFIGS[o.model]["perceiver_window_grid"]
    for phase in o.plan:
        if phase.px % each:
            p.error(f"--plan: {phase.kind}{phase.px}: edgetam needs a multiple of {each}")
        if phase.kind in IMITATED and not o.teacher:
            p.error(f"--plan: {phase.kind} phases need --teacher")


def phase_at(plan, step):
    for phase in plan:
        if step < phase.steps:
            return phase
        step -= phase.steps
    return None


def first_step(plan, kind):
    return sum(p.steps for p in plan[: [p.kind for p in plan].index(kind)])


def rate_at(o, phase, step):
    n = sum(p.steps for p in o.plan)
    return RATES[phase.kind] * min(1.0, (step + 1) / WARM_UP) * min(1.0, (n - step) / o.decay)


def open_teacher(o):
    if not o.teacher:
        return None
    teacher = model.open_trained(o.teacher, model.CONFIG["image_size"], kind=model.SAM21).eval()
    teacher.no_obj_embed_spatial = None  # EdgeTAM marks no memories of absent objects
    return teacher


def steps_of_encoder(plan):
    """Of the phases before anything but the image encoder learns."""
    later = [i for i, phase in enumerate(plan) if phase.kind != "distil"]
    return sum(p.steps for p in plan[: later[0]]) if later else -1


def resize(net, px):
    """The same weights for another side of the input; position codes follow the features' size by themselves."""
    side = px // 16
    net.image_size = px
    net.sam_image_embedding_size = side
    encoder = net.sam_prompt_encoder
    encoder.image_embedding_size, encoder.input_image_size = (side, side), (px, px)
    encoder.mask_input_size = (4 * side, 4 * side)


class Run:
    def __init__(self, o, rank):
        self.o, self.rank, self.step, self.seconds, self.frames = o, rank, 0, 0.0, 0
        self.made, self.made_for = [], None
        self.watched, self.watched_for = [], None
        torch.manual_seed(o.seed)
        px = model.CONFIGS[o.model]["image_size"]
        self.teacher = open_teacher(o)
        self.net = model.build(px, kind=o.model)
        model.initialise(self.net)
        if self.teacher and not o.resume:
            inherit.copy(self.net, self.teacher)
        for net in filter(None, (self.net, self.teacher)):
            net.to(o.device)
        self.net.train()
        # As in use: one mask for several clicks, binary masks of prompted frames, pointers of the past alone.
        self.net.training = False
        self.recorder = track.Recorder(self.net)
        self.recorder_of_teacher = track.Recorder(self.teacher) if self.teacher else None
        self.optimizer = Optimizer(self.net, rank, o.processes)
        if o.resume:
            self.load()

    def load(self):
        state = model.load(os.path.join(self.o.out, "state.pt"))
        for key, known in (("seed", state["seed"]), ("model", state.get("model", model.SAM21))):
            given = getattr(self.o, key)
            if given != known:
                sys.exit(f"--{key} {given}: the run in {self.o.out} has {known}")
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.frames = state["step"], state["seconds"], state["frames"]

    def save(self):
        if self.rank:
            return
        state = {"seed": self.o.seed, "model": self.o.model, "step": self.step, "seconds": self.seconds, "frames": self.frames,
                 "net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}
        model.save_atomically(state, os.path.join(self.o.out, "state.pt"))
        half = {k: v.half() if v.is_floating_point() else v for k, v in self.net.state_dict().items()}
        model.save_atomically({"model": half}, os.path.join(self.o.out, "demo.pt"))

    def begin(self, phase):
        """What learns in this phase, and at which size."""
        alone = IMITATED.get(phase.kind, "")
        for name, p in self.net.named_parameters():
            p.requires_grad_(name.startswith(alone))
        self.net.image_encoder.trunk.train(phase.kind == "distil")  # RepViT's statistics: later batches are of one clip
        for net in filter(None, (self.net, self.teacher)):
            if net.image_size != phase.px:
                resize(net, phase.px)
        if self.teacher and self.step == steps_of_encoder(self.o.plan):
            self.fit_memory(phase)

    def fit_memory(self, phase):
        calls, (n_frames, n_objects) = [], FIT_SIZE
        for i in range(FIT_CLIPS):
            frames, masks = clips.make_clip(self.o.seed * 2 + 1, i, n_frames, phase.px, n_objects, motion="even")
            watched = track.watch(self.teacher, self.recorder_of_teacher, self.net, frames[None].to(self.o.device),
                                  masks[None].to(self.o.device), np.random.default_rng(i), torch.Generator().manual_seed(i))
            calls += [{k: v.cpu() if torch.is_tensor(v) else v for k, v in named.items() if k.startswith(("mem", "num"))}
                      for named, _ in watched]
        for net in (self.net, self.teacher):
            net.cpu()
        inherit.fit_memory(self.net, self.teacher, calls)
        for net in (self.net, self.teacher):
            net.to(self.o.device)

    def train_step(self, phase):
        n_clips, n_frames, _ = phase.size
        drawn = self.step - self.step % REUSE["memory"] if phase.kind == "memory" else self.step
        shared = np.random.default_rng((self.o.seed, 1, drawn))  # every process takes the same kind of prompt
        generator = torch.Generator().manual_seed((self.o.seed * 1000003 + drawn) * 64 + self.rank)
        made = [clips.vary(*c, generator) for c in self.clips_of(phase)]
        frames = torch.stack([f for f, _ in made]).to(self.o.device)
        masks = torch.stack([m for _, m in made]).to(self.o.device)
        rate = rate_at(self.o, phase, self.step)
        self.net.zero_grad(set_to_none=True)
        loss, prompted, tracked = self.loss_of(phase, frames, masks, shared, generator)
        loss.backward()
        norm = self.share_gradients()
        if np.isfinite(norm):
            self.optimizer.step(rate)
        if phase.kind == "distil":
            self.share_statistics()
        self.step += 1
        self.frames += n_clips * n_frames * self.o.processes
        return loss.item(), prompted, tracked, norm, rate

    def loss_of(self, phase, frames, masks, rng, generator):
        if phase.kind == "distil":
            return track.encoder_imitation_loss(self.net, self.teacher, frames.flatten(0, 1)), math.nan, math.nan
        if phase.kind == "memory":
            key = phase.px, self.step // REUSE["memory"]
            if key != self.watched_for:  # the teacher's own work is most of a step's
                self.watched = track.watch(self.teacher, self.recorder_of_teacher, self.net, frames, masks, rng, generator)
                self.watched_for = key
            return track.memory_imitation_loss(self.net, self.watched), math.nan, math.nan
        return LOSS[phase.kind](self.net, self.recorder, frames, masks, rng, generator)

    def clips_of(self, phase):
        """This step's clips; generating them costs nearly as much as learning from them, so some steps share them."""
        n_clips, n_frames, n_objects = phase.size
        key = phase.kind, phase.px, self.step // REUSE[phase.kind]
        if key != self.made_for:
            first = (key[2] * self.o.processes + self.rank) * n_clips
            seed = self.o.seed * 2 + (phase.kind != "image")
            done = key[2] * REUSE[phase.kind] - first_step(self.o.plan, phase.kind)
            easy = EASY_STEPS.get(phase.kind)
            ease = min(1.0, max(0.0, 1.0 - done / easy)) if easy else 0.0
            self.made = [clips.make_clip(seed, first + i, n_frames, phase.px, n_objects, ease,
                                        MOTION[phase.kind]) for i in range(n_clips)]
            self.made_for = key
        return self.made

    def share_gradients(self):
        """Averages over processes and limits the norm, which it returns. What no loss reached counts as zero."""
        params = [p for p in self.net.parameters() if p.requires_grad]
        flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in params])
        if self.o.processes > 1:
            dist.all_reduce(flat)
            flat /= self.o.processes
        norm = flat.norm().item()
        flat *= min(1.0, CLIP_NORM / (norm + 1e-6))
        at = 0
        for p in params:
            p.grad = flat[at : at + p.numel()].view_as(p)
            at += p.numel()
        return norm


    def share_statistics(self):
        """Averages those of BatchNorm over processes."""
        if self.o.processes > 1:
            for name, b in self.net.named_buffers():
                if name.endswith(("running_mean", "running_var")):
                    dist.all_reduce(b)
                    b /= self.o.processes


class Log:
    """Means since the last report: a line on the screen and one in log.csv."""

    def __init__(self, run):
        self.run, self.values = run, []
        self.path = os.path.join(run.o.out, "log.csv")
        lines = []
        if os.path.exists(self.path):  # a run that was stopped between two saves repeats some steps
            with open(self.path) as f:
                lines = [row for row in csv.reader(f)][1:]
            lines = [row for row in lines if row and int(row[0]) <= run.step]
        with open(self.path, "w", newline="") as f:
            csv.writer(f).writerows([FIELDS, *lines])
        self.began, self.frames_before = time.monotonic(), run.frames

    def add(self, values, phase):
        run = self.run
        self.values.append(values)
        if run.step % run.o.report_every and phase_at(run.o.plan, run.step):
            return
        loss, prompted, tracked, norm, rate = (np.nanmean([np.nan_to_num(v, nan=np.nan) for v in column])
                                               if not np.all(np.isnan(column)) else float("nan")
                                               for column in zip(*self.values))
        with open(self.path, "a", newline="") as f:
            csv.writer(f).writerow([run.step, phase.kind, phase.px, f"{loss:.5f}", f"{prompted:.4f}", f"{tracked:.4f}",
                                    f"{norm:.3f}", f"{rate:.3e}", run.frames, f"{run.seconds:.1f}"])
        passed = time.monotonic() - self.began
        speed = (run.frames - self.frames_before) / passed
        each = passed / len(self.values)
        left = sum(p.steps for p in run.o.plan) - run.step
        print(f"step {run.step}  {phase.kind}{phase.px}  loss {loss:.3f}  iou {prompted:.3f} {tracked:.3f}  "
              f"|g| {norm:.2f}  lr {rate:.1e}  {speed:.1f} frames/s  {run.seconds / 60:.1f} min, "
              f"{left * each / 60:.0f} to go at this rate", flush=True)
        self.values, self.began, self.frames_before = [], time.monotonic(), run.frames


def work(rank, o, port):
    if o.processes > 1:
        torch.set_num_threads(1)
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        dist.init_process_group("gloo", rank=rank, world_size=o.processes)
    run = Run(o, rank)
    log = Log(run) if rank == 0 else None
    if rank == 0:
        print(f"{model.count_parameters(run.net)} parameters, {o.processes} processes, from step {run.step}", flush=True)
    began, before = time.monotonic(), run.seconds
    stop = torch.zeros(1)
    while not stop.item() and (phase := phase_at(o.plan, run.step)):
        run.begin(phase)
        values = run.train_step(phase)
        run.seconds = before + time.monotonic() - began
        if log:
            log.add(values, phase)
        if run.step % o.save_every == 0:
            run.save()
        stop[0] = o.minutes is not None and time.monotonic() - began > 60 * o.minutes
        if o.processes > 1:
            dist.broadcast(stop, 0)
    run.save()
    if rank == 0:
        print(f"{'stopped, --resume goes on' if stop.item() else 'done'}: {o.out}/demo.pt", flush=True)
    if o.processes > 1:
        dist.destroy_process_group()


def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    o = arguments()
    open_teacher(o)  # before anything is written or started
    try:
        os.makedirs(o.out, exist_ok=True)
    except OSError as e:
        sys.exit(f"--out {o.out}: {e.strerror}")
    if o.processes == 1:
        work(0, o, 0)
    else:
        torch.multiprocessing.spawn(work, (o, free_port()), nprocs=o.processes)


if __name__ == "__main__":
    main()
