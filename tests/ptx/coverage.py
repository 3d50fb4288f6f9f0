#!/usr/bin/env python3
"""Adds up what the programs of tests/ptx executed. Fails where a kernel was launched by none.

    coverage.py FOLDER      reads FOLDER/*.coverage, writes FOLDER/coverage.txt"""
import glob
import sys


def read(folder):
    """kernel -> times each of its instructions ran; opcode -> [places that ran, places]; source line -> times."""
    kernels, opcodes, lines = {}, {}, {}
    for path in sorted(glob.glob(folder + "/*.coverage")):
        counts, at = None, 0
        for line in open(path):
            if line.startswith("kernel "):
                counts, at = kernels.setdefault(line.split()[1], []), 0
                continue
            opcode, where, times = line.split()
            times = int(times)
            if at == len(counts):
                counts.append(0)
            counts[at] += times
            at += 1
            o = opcodes.setdefault(opcode, [0, 0])
            o[0] += times != 0
            o[1] += 1
            lines[where] = lines.get(where, 0) + times
    return kernels, opcodes, lines


def line_key(where):
    file, line = where.rsplit(":", 1)
    return file, int(line)


def main():
    folder = sys.argv[1]
    kernels, opcodes, lines = read(folder)
    ran = sorted(k for k in kernels if any(kernels[k]))
    never = sorted(k for k in kernels if k not in ran)
    total = sum(len(kernels[k]) for k in ran)
    hit = sum(sum(c != 0 for c in kernels[k]) for k in ran)
    summary = "%d of %d kernels ran, %.1f %% of their %d instructions" % (
        len(ran), len(kernels), 100.0 * hit / max(total, 1), total)
    with open(folder + "/coverage.txt", "w") as f:
        print(summary, file=f)
        print("\nNever launched:", *never, sep="\n  ", file=f)
        print("\nKernels: instructions that ran, all, runs by warps:", file=f)
        for k in ran:
            print("  %5d of %5d %12d %s" % (sum(c != 0 for c in kernels[k]), len(kernels[k]), sum(kernels[k]), k), file=f)
        print("\nOpcodes: places that ran, all:", file=f)
        for o in sorted(opcodes):
            print("  %7d of %7d %s" % (*opcodes[o], o), file=f)
        print("\nSource lines of which nothing ran:", *sorted((w for w in lines if not lines[w]), key=line_key),
              sep="\n  ", file=f)
    print("%s: %s/coverage.txt" % (summary, folder))
    if never or not kernels:
        print("launched by no test:", *(never or ["anything"]), sep="\n  ")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
