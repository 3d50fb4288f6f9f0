#!/usr/bin/env python3
"""What the compiler made of the loops with tile products or with the softmax beside them (kernels/cpu_flash_amx.h).

    tests/bench/tile_loops.py build/kernels/CMakeFiles/kernels_avx512amx.dir/attention_cpu.c.o

One line a loop without loops in it: tile products, tile loads, tile stores; vectors of scores exponentiated (one VSCALEFPS
each) and the 512-bit instructions for them, without register copies, which the processor does by renaming; and 512-bit
accesses to the stack, which would be spills. Reads `objdump -d` of binutils; runs on any machine."""
import re
import subprocess
import sys


def instructions(path):
    """(function, address, text) in order."""
    function = ""
    for line in subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True, capture_output=True,
                               text=True).stdout.splitlines():
        head = re.match(r"[0-9a-f]+ <(.+)>:", line)
        code = re.match(r"\s+([0-9a-f]+):\s+(.*)", line)
        if head:
            function = head.group(1)
        elif code:
            yield function, int(code.group(1), 16), code.group(2).strip()


def loops(code):
    """Bodies of backward jumps that hold no other backward jump, as lists of texts."""
    at = {address: i for i, (_, address, _) in enumerate(code)}
    found = []
    for i, (_, address, text) in enumerate(code):
        jump = re.match(r"j\w+\s+([0-9a-f]+)\b", text)
        if jump and int(jump.group(1), 16) <= address and int(jump.group(1), 16) in at:
            found.append((at[int(jump.group(1), 16)], i))
    inner = [a for a in found if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in found)]
    return [(code[a][0], [text for _, _, text in code[a:b + 1]]) for a, b in inner]


def count(body, pattern):
    return sum(1 for text in body if re.search(pattern, text))


def main():
    print(f"{'function':34} {'products':>8} {'loads':>6} {'stores':>6} {'softmax':>8} {'512-bit':>8} {'each':>6} {'stack':>6}")
    for function, body in loops(list(instructions(sys.argv[1]))):
        products, vectors = count(body, r"^tdpbf16ps"), count(body, r"^vscalefps.*zmm")
        if not products and not vectors:
            continue
        wide = [text for text in body if "%zmm" in text and not re.match(r"vmov\w+\s+%zmm\d+,%zmm\d+$", text)]
        each = f"{len(wide) / vectors:.1f}" if vectors else ""
        print(f"{function[:34]:34} {products:8} {count(body, 'tileloadd'):6} {count(body, 'tilestored'):6} {vectors:8} "
              f"{len(wide):8} {each:>6} {count(wide, r'%rsp|%rbp'):6}")


if __name__ == "__main__":
    main()
