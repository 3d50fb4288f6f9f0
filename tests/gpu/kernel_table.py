#!/usr/bin/env python3
"""Registers, stack, spills and static shared memory of every kernel and target, from the output of ptxas -v.

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
    print("Registers per thread by target; `+n` is a stack frame of n bytes (double-precision sine and cosine reduce large")
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
