#!/usr/bin/env python3
"""Registers, stack, spills, static shared memory and occupancy of every kernel and target, from the output of ptxas -v.

    kernel_table.py BUILD_LOG > docs/results/kernels.md      (what `make fatbin` does)

Exits with 1, after the table, if a kernel spills."""
import re
import subprocess
import sys


def demangled(names):
    out = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    # Parameters say nothing here; "(int)64" is 64.
    short = [re.sub(r"\(.*\)$", "", line.replace("(int)", "")) for line in out.splitlines()]
    return dict(zip(names, [re.sub(r"^void ", "", s) for s in short]))


def parse(text):
    rows, name = {}, None
    for line in text.splitlines():
        if m := re.search(r"Compiling entry function '(\w+)' for 'sm_(\d+)a?'", line):
            name = (m[1], int(m[2]))
            rows[name] = dict(stack=0, spill=0, registers=0, shared=0)
        elif name and "bytes stack frame" in line and rows[name]["registers"] == 0:
            stack, stores, loads = map(int, re.findall(r"(\d+) bytes", line))
            rows[name].update(stack=stack, spill=stores + loads)
        elif name and (m := re.search(r"Used (\d+) registers", line)):
            shared = re.search(r"(\d+) bytes smem", line)
            rows[name].update(registers=int(m[1]), shared=int(shared[1]) if shared else 0)
            name = None
    return rows


# Compute capability: threads, blocks and shared KiB of a multiprocessor. All have 65536 registers, taken in units of 256
# a warp, and 1 KiB of shared memory a block for themselves.
LIMITS = {80: (2048, 32, 164), 86: (1536, 16, 100), 87: (1536, 16, 164), 89: (1536, 24, 100), 90: (2048, 32, 228),
          120: (1536, 24, 100)}


def shape(text):
    """Threads and dynamic shared bytes of a block, where the launcher gives one kernel always the same; shared None: it
    depends on the call and is left out."""
    args = [a.strip() for a in text[text.find("<") + 1:text.rfind(">")].split(",")] if "<" in text else []
    number = [int(a) for a in args if a.lstrip("-").isdigit()]
    if text.startswith("linear_mma"):
        bm, bn, warps_m, warps_n, stages, _ = number
        return 32 * warps_m * warps_n, max(stages * (bm + bn) * 64, bm // warps_m * (bn + 8) * 4)
    if text.startswith("mlp_rows"):
        d, tiles, share = number  # a width of the tile, row tiles of a warp, warps that share rows
        warps, hidden = (4, 8)[share > 1], 96 if d == 48 else 64
        rows = 16 * tiles * warps // share
        row = lambda width: 16 * (width // 8 if width % 64 == 0 else width // 8 | 1)  # noqa: E731
        tiled = (rows + hidden) * row(d) + d * row(hidden) + (rows * row(hidden) if share > 1 else 0)
        return 32 * warps, max(tiled, rows * (d + 8) * 4)
    if text.startswith("conv_product"):
        return 128, max(2 * (64 + number[0]) * 80, 256 * (number[0] + 8))
    if text.startswith("select_object"):
        return 1024, 0
    if text.startswith("flash_half") or text.startswith("flash_plain"):
        return 256, None
    return 256, 0


def occupancy(text, target, registers, static):
    """Warps on a multiprocessor over the most it holds, in percent."""
    threads, dynamic = shape(text)
    most_threads, most_blocks, shared = LIMITS[target]
    warps = threads // 32
    by_registers = 65536 // ((registers * 32 + 255) // 256 * 256) // warps
    by_shared = shared * 1024 // (static + (dynamic or 0) + 1024)
    blocks = min(most_blocks, most_threads // threads, by_registers, by_shared)
    return round(100 * blocks * threads / most_threads)


def main():
    rows = parse(open(sys.argv[1], errors="replace").read())
    if not rows:
        sys.exit("no ptxas output in " + sys.argv[1])
    names = demangled(sorted({name for name, _ in rows}))
    targets = sorted({target for _, target in rows})
    version = subprocess.run(["nvcc", "--version"], capture_output=True, text=True).stdout
    release = re.search(r"V([\d.]+)", version)
    print("# Kernels as compiled\n")
    print("Written by `make fatbin` (tests/gpu/kernel_table.py), nvcc " + (release[1] if release else "unknown") + ".")
    print("Registers per thread by target, and occupancy: warps that a multiprocessor can hold, over the most it has, from")
    print("min(blocks, threads / block, 65536 / registers of a block, shared / (shared of a block + 1 KiB)), registers in")
    print("units of 256 a warp; blocks are as large as the launcher makes them (flash_half: 8 warps, without its dynamic shared")
    print("memory, which attention_cuda.cu lists and which there allows one block). `+n` is a stack frame of n bytes (double-precision sine and cosine reduce large")
    print("arguments there), **spill n** are bytes stored and loaded because registers ran out. Shared memory is the static")
    print("part; the dynamic part is in the head of each kernel's file.\n")
    print("| kernel | shared bytes | " + " | ".join(f"sm_{t}" for t in targets) + " |")
    print("| --- | --- |" + " --- |" * len(targets))
    spills = 0
    for name, text in sorted(names.items(), key=lambda item: item[1]):
        cells = []
        for target in targets:
            r = rows.get((name, target))
            cell = "-" if r is None else str(r["registers"])
            if r and target in LIMITS:
                cell += f", {occupancy(text, target, r['registers'], r['shared'])}%"
            if r and r["stack"] and not r["spill"]:
                cell += f" +{r['stack']}"
            if r and r["spill"]:
                cell += f" **spill {r['spill']}**"
                spills += 1
            cells.append(cell)
        shared = max(r["shared"] for (n, _), r in rows.items() if n == name)
        print(f"| {text} | {shared or ''} | " + " | ".join(cells) + " |")
    print(f"\n{len(names)} kernels, {len(targets)} targets, {spills} with spills.")
    sys.exit(1 if spills else 0)


main()
