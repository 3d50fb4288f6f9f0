#!/usr/bin/env python3
"""Plants mistakes into the kernels, one at a time, and says whether tests/ptx notices.

    tests/ptx/mutants.py BUILD [--only NAME,...]

BUILD is a build folder of CMake's Makefile generator with the target ptx_tests built; it is not changed. Those mistakes that lie in the
inline PTX of device.cuh are out of sight for tests/emu. ldmatrix-not-volatile lets nvcc hoist loads of what does not change:
harmless, so it has to go unnoticed. 30 to 90 s each. Exit status: how many verdicts are not what they should be."""
import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FEW = ("linear", "attention")
HARMLESS = {"ldmatrix-not-volatile"}
# name, text in a file of kernels/ (device.cuh unless named last), what it becomes, tests, whose kernels are compiled again
MUTANTS = [
    ("mma-a-swapped", "f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}", "f32.f16.f16.f32 {%0,%1,%2,%3}, {%5,%4,%6,%7}", FEW),
    ("mma-b-swapped", "{%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\"\n        : \"+f\"(d[0]), \"+f\"(d[1]), \"+f\"(d[2]), \"+f\"(d[3])\n        : \"r\"(a[0]), \"r\"(a[1]), \"r\"(a[2]), \"r\"(a[3]), \"r\"(b[0]), \"r\"(b[1]));\n}\n\nstatic",
     "{%4,%5,%6,%7}, {%9,%8}, {%0,%1,%2,%3};\"\n        : \"+f\"(d[0]), \"+f\"(d[1]), \"+f\"(d[2]), \"+f\"(d[3])\n        : \"r\"(a[0]), \"r\"(a[1]), \"r\"(a[2]), \"r\"(a[3]), \"r\"(b[0]), \"r\"(b[1]));\n}\n\nstatic", FEW),
    ("mma-bf16-as-f16", "m16n8k16.row.col.f32.bf16.bf16.f32", "m16n8k16.row.col.f32.f16.f16.f32", FEW),
    ("ldmatrix-no-trans", "m8n8.x4.trans.shared", "m8n8.x4.shared", ("attention",)),
    ("ldmatrix-registers", "m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];", "m8n8.x4.shared.b16 {%0,%2,%1,%3}, [%4];", FEW),
    ("ldmatrix-not-volatile", "    asm volatile(\"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\"\n                 : \"=r\"(r[0]), \"=r\"(r[1]), \"=r\"(r[2]), \"=r\"(r[3])\n                 : \"r\"(shared_address(row))\n                 : \"memory\");",
     "    asm(\"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\"\n                 : \"=r\"(r[0]), \"=r\"(r[1]), \"=r\"(r[2]), \"=r\"(r[3])\n                 : \"r\"(shared_address(row)));", FEW),
    ("wait-group", "\"cp.async.wait_group %0;\" ::\"n\"(N)", "\"cp.async.wait_group %0;\" ::\"n\"(N + 1)", FEW),
    ("wait-group-late", "\"cp.async.wait_group %0;\" ::\"n\"(N)", "\"cp.async.wait_group %0;\" ::\"n\"(N ? N + 1 : 0)", FEW),
    ("no-commit", "asm volatile(\"cp.async.commit_group;\" ::: \"memory\");", "", FEW),
    ("cp-async-always", "[%0], [%1], 16, %2;", "[%0], [%1], 16;", FEW),
    ("cp-async-wrong-way", "\"r\"(shared_address(to)), \"l\"(from), \"r\"(n_read)\n                     : \"memory\");\n    else",
     "\"r\"(shared_address(to)), \"l\"(from), \"r\"(16 - n_read)\n                     : \"memory\");\n    else", FEW),
    ("pack-halves-swapped", "asm(\"cvt.rn.bf16x2.f32 %0, %1, %2;\" : \"=r\"(r) : \"f\"(high), \"f\"(low));",
     "asm(\"cvt.rn.bf16x2.f32 %0, %1, %2;\" : \"=r\"(r) : \"f\"(low), \"f\"(high));", FEW),
    ("round-to-zero", "cvt.rn.f16.f32 %0, %1;", "cvt.rz.f16.f32 %0, %1;", ("cast", "linear")),
    ("generic-address", "return (uint32_t)__cvta_generic_to_shared(p);", "return (uint32_t)(uintptr_t)p;", FEW),
    ("flash-no-barrier", "        __syncthreads(); /* this tile is there, and nobody reads the one that the next load replaces */\n", "",
     ("attention",), "flash.cuh"),
    ("linear-no-barrier", "        __syncthreads(); /* stage s is there for all, and all have left stage s - 1, which is filled next */\n", "",
     ("linear",), "linear_cuda.cu"),
    ("misaligned", "    bool aligned = (uintptr_t)at % 16 == 0;\n    if (n == RUN && aligned)", "    if (n == RUN)", ("linear",), "elements.cuh"),
    ("ex2-of-minus", "asm(\"ex2.approx.ftz.f32 %0, %1;\" : \"=f\"(r) : \"f\"(v));", "asm(\"lg2.approx.ftz.f32 %0, %1;\" : \"=f\"(r) : \"f\"(v));", FEW),
]


def run(command, folder):
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def plant(kernels, mutant):
    name, old, new, _, *file = mutant
    path = os.path.join(kernels, file[0] if file else "device.cuh")
    with open(path) as f:
        text = f.read()
    if text.count(old) != 1:
        sys.exit("%s: %s has the text %d times; the mutant must follow the code" % (name, path, text.count(old)))
    with open(path, "w") as f:
        f.write(text.replace(old, new))


def compile_again(build, work, op):
    """kernels/OP_cuda.cu as the build compiles it for tests/ptx, with the headers of `work`, into the archive of `work`."""
    source = os.path.join(ROOT, "kernels", op + "_cuda.cu")
    with open(os.path.join(build, "compile_commands.json")) as f:
        entry = next(e for e in json.load(f) if e["file"] == source and "kernels_ptx_objects" in e["command"])
    command = [x.replace(os.path.join(ROOT, "kernels"), os.path.join(work, "kernels")) for x in shlex.split(entry["command"])]
    made = os.path.join(work, op + "_cuda.cu.o")
    command[command.index("-o") + 1] = made
    done = run(command, work)
    if done.returncode == 0:
        done = run(["ar", "r", os.path.join(work, "libkernels_ptx.a"), made], work)
    return None if done.returncode == 0 else done.stdout


def test(build, work, op):
    """Output of ptx_OP with the archive of `work`, None if it passed."""
    folder = os.path.join(build, "tests/ptx")
    with open(os.path.join(folder, "CMakeFiles/ptx_%s.dir/link.txt" % op)) as f:
        link = [os.path.join(work, "libkernels_ptx.a") if x.endswith("libkernels_ptx.a") else x for x in shlex.split(f.read())]
    program = os.path.join(work, "ptx_" + op)
    link[link.index("-o") + 1] = program
    linked = run(link, folder)
    if linked.returncode:
        sys.exit(linked.stdout)
    environment = dict(os.environ, CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    done = subprocess.run([program], cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    return None if done.returncode == 0 else done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--only")
    a = parser.parse_args()
    build, wrong = os.path.abspath(a.build), 0
    for mutant in MUTANTS:
        name, tests = mutant[0], mutant[3]
        if a.only and name not in a.only.split(","):
            continue
        with tempfile.TemporaryDirectory() as work:
            shutil.copytree(os.path.join(ROOT, "kernels"), os.path.join(work, "kernels"))
            shutil.copy(os.path.join(build, "tests/ptx/libkernels_ptx.a"), work)
            plant(os.path.join(work, "kernels"), mutant)
            failed = [f for f in (compile_again(build, work, op) for op in tests) if f]
            verdict = "does not compile" if failed else "missed"
            for op in tests if not failed else ():
                said = test(build, work, op)
                if said is not None:
                    verdict = "noticed"
                    failed.append(said)
        wrong += (verdict == "missed") != (name in HARMLESS) or verdict == "does not compile"
        telling = re.findall(r"(?:ERROR|emulated, seed \d|ptx): .*|error.*", "\n".join(failed))
        print("%-22s %s%s" % (name, verdict, "\n        " + telling[0][:200] if telling else ""), flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
