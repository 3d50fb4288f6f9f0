#!/usr/bin/env python3
"""What the machine code of the hot kernels lets them reach, from a build: no GPU is needed.

    cmake -S . -B build -DCUDA_ARCHS="87-real;89-real;90-real" && cmake --build build --target kernels_cuda
    sass_table.py build [--json FILE] > docs/results/sass.md

cuobjdump must be on PATH or named by CUOBJDUMP (with nvdisasm beside it; both are in the CUDA toolkit, and on PyPI as
nvidia-cuda-cuobjdump and nvidia-cuda-nvdisasm). Targets that a kernel was not compiled for are left out; exits with 1
if a kernel, or its main loop, is found for none."""
import argparse
import collections
import json
import os
import re
import subprocess
import sys

# A scheduler's cycles for one HMMA.16816 with f32 sums (2048 multiply-adds), and what a multiprocessor holds.
#   sm_87: 256 multiply-adds a cycle and scheduler, as sm_80 (NVIDIA A100 whitepaper); Orin at the same rate is inferred from
#          a measured bf16 product that half the rate would not allow (bench/measure/devices.c).
#   sm_89: GeForce, 64 with f32 sums (NVIDIA Ada whitepaper: 165.2 TFLOP/s of an RTX 4090).
#   sm_90: 512 by wgmma; mma.sync reaches about 62 % of that (arXiv 2402.13499, 2501.12084).
TARGETS = {
    87: dict(hmma=8.0, threads=1536, shared=164, opt_in=163),
    89: dict(hmma=32.0, threads=1536, shared=100, opt_in=99),
    90: dict(hmma=4 / 0.62, threads=2048, shared=228, opt_in=227),
}
REGISTERS = 65536
SHARED_BYTES_A_CYCLE = 128
MUFU_CYCLES = 8  # 16 lanes of a multiprocessor: 4 of a scheduler


def tile_bytes(rows, width):
    chunks = width // 8 if width % 64 == 0 or width == 32 else width // 8 | 1
    return rows * chunks * 16


def copy_chunks(width):
    """16-byte copies of a lane for one row, and the rows that a warp copies at a time: copy_lane of kernels/tiles.cuh."""
    lanes = (8 if width % 64 == 0 else width // 8 if width <= 32 else 7 if width % 56 == 0 else 5 if width % 40 == 0
             else 4 if width == 96 else 6)
    return width // 8 // lanes, 32 // lanes


def copy_trips(rows, width, warps):
    return -(-rows // (copy_chunks(width)[1] * warps))


class Flash:
    """flash_half of kernels/flash.cuh. An iteration is a tile of `keys` keys; of a window of `tokens` it carries its share of
    what is copied before the loop."""

    def __init__(self, label, dk, dv, keys, row_tiles, warps, tokens=0):
        self.label, self.warps = label, warps
        self.source = "window_attention_cuda" if tokens else "attention_cuda"
        self.name = f"10flash_halfI4bf16Li{dk}ELi{dv}ELi{keys}ELi{row_tiles}ELb{1 if tokens else 0}ELb0EE"
        self.hmma = row_tiles * (keys // 8 * (dk // 16) + keys // 16 * (dv // 8))
        # (trips of a thread, its copies in a trip) of the loops that copy the next tile: keys and values, at once in windows.
        one = [(copy_trips(keys, w, warps), copy_chunks(w)[0]) for w in (dk, dv)]
        windows = (one[0][0], 2 * one[0][1])
        queries = (copy_trips(16 * row_tiles * warps, dk, warps), copy_chunks(dk)[0])
        n_tiles = -(-tokens // keys) if tokens else 0
        self.copies = one if not tokens else [windows] if n_tiles > 1 else []
        self.before = [(queries, 1 / n_tiles)] + ([(windows, 1)] if n_tiles == 1 else []) if tokens else []
        tiles = (tile_bytes(keys, dk) + tile_bytes(keys, dv)) * (1 if n_tiles == 1 else 2)
        queries = tile_bytes(16 * row_tiles * warps, dk)
        borrows = row_tiles == 1 and dv <= 128 and dk > 128
        self.shared = max(queries, tiles) if borrows else queries + tiles


class Linear:
    """linear_mma of kernels/linear_cuda.cu. An iteration is a stage of 32 columns."""

    def __init__(self, bm, bn, warps_m, warps_n, stages, blocks):
        self.label, self.source, self.warps = f"linear {bm} x {bn}", "linear_cuda", warps_m * warps_n
        self.name = f"10linear_mmaI4bf16Li{bm}ELi{bn}ELi{warps_m}ELi{warps_n}ELi{stages}ELi{blocks}EE"
        self.hmma, self.copies = bm // warps_m // 16 * (bn // warps_n // 8) * 2, []
        self.before = []
        self.shared = max(stages * (bm + bn) * 64, bm // warps_m * (bn + 8) * 4)


class Conv:
    """conv_product of kernels/conv2d_cuda.cu. An iteration is 32 taps x channels."""

    def __init__(self, bn, chunks):
        self.label = f"conv {bn} outputs" + ("" if chunks else ", gathered")
        self.source, self.warps = "conv2d_cuda", 4
        self.name = f"12conv_productI4bf16Li{bn}ELb{1 if chunks else 0}EE"
        self.hmma, self.shared = bn // 8 * 2, 2 * (tile_bytes(64, 32) + tile_bytes(bn, 32))
        self.copies, self.before = [(copy_trips(bn, 32, 4), 1)], []


def window(side, width, limit):
    """As start and warps_of of kernels/window_attention_cuda.cu choose."""
    tokens = side * side
    both = Flash("", width, width, 64, 2, 4, tokens)
    row_tiles = 2 if 2 * both.shared <= limit * 1024 else 1
    tiles = -(-tokens // (16 * row_tiles))
    blocks = -(-tiles // (8 // row_tiles))
    return Flash(f"windows of {side} x {side}, {width} wide", width, width, 64, row_tiles, max(4, -(-tiles // blocks)), tokens)


def kernels(target):
    limit = TARGETS[target]["opt_in"]
    two = 2 if limit >= 208 else 1
    self_keys = 64 if limit >= 192 else 32
    return [
        Flash("memory attention 256 / 64", 256, 64, 64, two, 8),
        Flash("self-attention 256 / 256", 256, 256, self_keys, 1, 8 if limit >= 128 else 4),
        Flash("global attention, 72 (80) wide", 80, 80, 64, 2, 4),
        Flash("global attention, 96 wide", 96, 96, 64, 2, 4),
        Flash("windows of 8 x 8, 96 wide", 96, 96, 64, 1, 4, 64),
        window(14, 96, limit),
        window(16, 80, limit),
        Linear(128, 128, 2, 2, 3, 2),
        Linear(128, 96, 2, 2, 3, 2),
        Linear(128, 64, 2, 2, 4, 3),
        Linear(64, 64, 2, 2, 4, 4),
        Conv(64, True),
        Conv(96, False),
    ]


# ---- machine code ----


def cuobjdump(*args):
    program = os.environ.get("CUOBJDUMP", "cuobjdump")
    try:
        return subprocess.run([program, *args], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as e:
        sys.exit(f"sass_table.py: {program}: {e}; set CUOBJDUMP to the program (see --help)")


def functions(path, target):
    """{mangled name: [(address, instruction)]} and {mangled name: registers}"""
    code, registers, name = {}, {}, None
    if not re.search(rf"\bsm_{target}\b", cuobjdump("-lelf", path)):
        return code, registers
    for line in cuobjdump("-sass", "-arch", f"sm_{target}", path).splitlines():
        if m := re.search(r"Function : (\S+)", line):
            name = m[1]
            code[name] = []
        elif name and (m := re.match(r"\s+/\*([0-9a-f]{4,})\*/\s+(.*?);", line)):
            text = re.sub(r"^@!?U?P\w+\s+", "", m[2].strip())
            code[name].append((int(m[1], 16), text))
    for line in cuobjdump("-res-usage", "-arch", f"sm_{target}", path).splitlines():
        if m := re.search(r"Function (\S+):", line):
            name = m[1]
        elif m := re.search(r"REG:(\d+)", line):
            registers[name] = int(m[1])
    return code, registers


def loops(code):
    """(first, last) address of every backward branch, the smallest first."""
    found = []
    for at, text in code:
        m = re.match(r"BRA\S*\s.*?0x([0-9a-f]+)", text)
        if m and int(m[1], 16) < at:
            found.append((int(m[1], 16), at))
    return sorted(found, key=lambda loop: loop[1] - loop[0])


def opcode(text):
    return text.split()[0].split(".")[0]


def count(code, loop):
    return collections.Counter(opcode(t) for at, t in code if loop[0] <= at <= loop[1])


def shared_bytes(text):
    """Bytes that a warp's instruction moves to or from shared memory."""
    op, whole = opcode(text), text.split()[0]
    if op == "LDSM":
        return 128 * int(m[1] if (m := re.search(r"M88\.(\d)", whole)) else 1)
    if op in ("LDS", "STS", "LDGSTS"):
        return 32 * (int(m[1]) // 8 if (m := re.search(r"\.(64|128)\b", whole)) else 4)
    return 0


def inside(inner, outer):
    return inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]


def main_loop(code, every):
    for loop in every:
        c = count(code, loop)
        if c["HMMA"] and c["BAR"]:
            return loop
    return None


def iteration(code, kernel):
    """What a warp issues in one turn of the main loop: instructions, of which for copies and for other than products."""
    every = loops(code)
    main = main_loop(code, every)
    if not main:
        return None
    innermost = sorted(loop for loop in every if not any(inside(other, loop) for other in every))
    parts = [loop for loop in innermost if inside(loop, main)]
    plain = [(at, t) for at, t in code if main[0] <= at <= main[1] and not any(a <= at <= b for a, b in parts)]
    total = dict(issue=float(len(plain)), copies=0.0, bytes=0.0)
    ops = collections.Counter(opcode(t) for _, t in plain)
    total["bytes"] = float(sum(shared_bytes(t) for _, t in plain))

    def add(loop, trips):
        c = count(code, loop)
        for op, k in c.items():
            ops[op] += trips * k
        n = sum(c.values())
        total["issue"] += trips * n
        total["copies"] += trips * n if c["LDGSTS"] else 0
        total["bytes"] += trips * sum(shared_bytes(t) for at, t in code if loop[0] <= at <= loop[1])

    copies, per_copy, straight_hmma = list(kernel.copies), [], ops["HMMA"]
    for loop in parts:
        c = count(code, loop)
        if c["HMMA"]:
            add(loop, (kernel.hmma - straight_hmma) / c["HMMA"])
        elif c["LDGSTS"]:
            per_copy.append(sum(c.values()) / c["LDGSTS"])
            if copies:
                trips, chunks = copies.pop(0)
                add(loop, trips * chunks / c["LDGSTS"])
    # Copies before the loop: queries, and keys and values of windows that are one tile.
    for (trips, chunks), share in kernel.before:
        loop = next(loop for loop in innermost if loop[1] < main[0] and count(code, loop)["LDGSTS"] == chunks)
        c = count(code, loop)
        per_copy.append(sum(c.values()) / c["LDGSTS"])
        add(loop, share * trips)
    total["per_copy"] = max(per_copy) if per_copy else None
    if not parts and ops["HMMA"] > kernel.hmma:  # several turns in one
        turns = ops["HMMA"] / kernel.hmma
        total = {k: v / turns if isinstance(v, float) else v for k, v in total.items()}
        ops = collections.Counter({op: k / turns for op, k in ops.items()})
    total["other"] = total["issue"] - total["copies"] - ops["HMMA"] - ops["LDSM"]
    total["hmma"], total["ldsm"], total["mufu"] = ops["HMMA"], ops["LDSM"], ops["MUFU"]
    return total


# ---- what follows ----


def judge(kernel, target, registers, it):
    t = TARGETS[target]
    threads = 32 * kernel.warps
    by_registers = REGISTERS // ((registers + 7) // 8 * 8 * threads)
    by_shared = t["shared"] * 1024 // (kernel.shared + 1024)
    blocks = max(1, min(by_registers, by_shared, t["threads"] // threads))
    warps = blocks * kernel.warps
    per_scheduler = warps / 4
    r = dict(registers=registers, shared=kernel.shared, blocks=blocks, warps=warps, **it)
    r["tensor_cycles"] = it["hmma"] * t["hmma"] * per_scheduler
    r["issue_cycles"] = it["issue"] * per_scheduler
    r["shared_cycles"] = it["bytes"] * warps / SHARED_BYTES_A_CYCLE
    r["mufu_cycles"] = it["mufu"] * MUFU_CYCLES * per_scheduler
    tensor = r["tensor_cycles"]
    others = {k: r[k + "_cycles"] for k in ("issue", "shared", "mufu")}
    worst = max(others, key=others.get)
    r["ceiling"] = tensor / max(tensor, others[worst])
    r["bound"] = "tensor cores" if others[worst] <= tensor else {"issue": "issue slots", "shared": "shared memory", "mufu": "exponentials"}[worst]
    # All warps of a block copy at the same moment, directly behind the barrier; blocks do not wait for each other.
    copies = it["copies"] * kernel.warps / 4
    softmax = max(it["other"], it["mufu"] * MUFU_CYCLES)
    alone = per_scheduler <= 1
    slowest = max(others.values())
    in_turns = max(tensor + (copies if blocks == 1 else 0) + (softmax if alone else 0), slowest)
    lockstep = max(tensor + copies + softmax * max(1.0, kernel.warps / 4), slowest + copies)
    r["best"], r["worst"] = tensor / in_turns, tensor / lockstep
    return r


def table(rows, target):
    print(f"\n## sm_{target}: {TARGETS[target]['hmma']:.3g} cycles of a scheduler an HMMA\n")
    print("| kernel | registers, shared KiB | blocks x warps | HMMA, LDSM, MUFU, all | instructions a copy | HMMA an issue slot |"
          " cycles: tensor, issue, shared, MUFU | ceiling, by | predicted |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for label, r in rows:
        copy = f"{r['per_copy']:.0f}" if r["per_copy"] else ""
        print(f"| {label} | {r['registers']}, {r['shared'] / 1024:.0f} | {r['blocks']} x {r['warps'] // r['blocks']} | "
              f"{r['hmma']:.0f}, {r['ldsm']:.0f}, {r['mufu']:.0f}, {r['issue']:.0f} | {copy} | {r['hmma'] / r['issue']:.2f} | "
              f"{r['tensor_cycles']:.0f}, {r['issue_cycles']:.0f}, {r['shared_cycles']:.0f}, {r['mufu_cycles']:.0f} | "
              f"{100 * r['ceiling']:.0f} %, {r['bound']} | {100 * r['worst']:.0f} to {100 * r['best']:.0f} % |")


HEAD = """# What the machine code lets the hot kernels reach

Written by `tests/gpu/sass_table.py BUILD` from the kernels as compiled (bf16); nothing here was measured on a device.
One turn of the main loop of a warp: a tile of 64 or 32 keys, a stage of 32 columns, 32 taps x channels. Inner loops count as often as
they run for the tile; code that only the last tile needs (mask) or few tiles (rescaling) counts as if it always ran. What else is outside
the main loop does not count, but for the copies of windows; nor do loops for the padding of windows.

- *instructions a copy*: of the loop that copies a tile, for each 16 bytes of a thread (LDGSTS).
- *cycles*: what a turn of all warps of a multiprocessor keeps busy: a scheduler's tensor core, its issue slot (1 a cycle), the
  multiprocessor's shared memory (128 bytes a cycle, LDGSTS writes counted), a scheduler's share of the exponential unit (8 a MUFU).
- *ceiling*: share of the matrix peak of mma.sync if everything overlaps. *predicted*: from all warps in lockstep (copies, products
  and softmax one after the other) to warps taking turns (softmax under another warp's products; copies still stand behind the
  barrier, where every warp makes them at once, unless another block has products meanwhile).
- Latency of memory, bank conflicts and the blocks of the last wave are not in it. FlashAttention-2 keeps tensor cores about 50 %
  busy on an RTX 3080, 4080 and Orin where cuBLAS reaches 90 % (Dao-AILab/flash-attention#1205): lean to the lower end."""


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("build", metavar="BUILD", help="build folder with the target kernels_cuda")
    ap.add_argument("--json", metavar="FILE", help="write all figures there")
    ap.add_argument("--targets", default="87,89,90", metavar="A,B", help="of 87, 89, 90 (default: %(default)s)")
    a = ap.parse_args()
    everything, missing, found = {}, [], set()
    print(HEAD)
    for target in map(int, a.targets.split(",")):
        rows, cache = [], {}
        for k in kernels(target):
            if k.source not in cache:
                path = os.path.join(a.build, "kernels/CMakeFiles/kernels_cuda.dir", k.source + ".cu.o")
                cache[k.source] = functions(path, target)
            code, registers = cache[k.source]
            name = next((n for n in code if k.name in n), None)
            it = iteration(code[name], k) if name else None
            if not it:
                missing.append((k.label, k.name))
                continue
            found.add(k.label)
            rows.append((k.label, judge(k, target, registers[name], it) | {"instructions": len(code[name])}))
        if rows:
            table(rows, target)
        everything[f"sm_{target}"] = dict(rows)
    if a.json:
        with open(a.json, "w") as f:
            json.dump(everything, f, indent=1)
            f.write("\n")
    missing = [f"{label} ({name})" for label, name in missing if label not in found]
    if missing:
        sys.exit("sass_table.py: not found: " + "; ".join(missing))


main()
