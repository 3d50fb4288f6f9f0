#!/usr/bin/env python3
"""tests/gpu/check without a GPU: programs that answer as the real ones would, from a build folder of shell scripts."""
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
OPERATORS = [f[:-2] for f in os.listdir(os.path.join(HERE, "..", "ops")) if f.startswith("test_")]
DOCTOR = 'echo "CUDA           NVIDIA Test, sm_90: --device auto takes it"'
DEVICE_TESTS = ["test_emulated_model", "test_tracking", "test_session", "test_fuse", "test_parity", "test_reference_1024",
                "test_production_size"]
TRACKED = json.dumps({"steady": {"ms_per_frame": 2.5, "stages_ms": {}}, "end_to_end_fps": 300, "peak_bytes": {}, "device": "x"})
SANITIZER = """tool=$2; shift 4; "$@"; code=$?
if [ "$tool" = racecheck ]; then echo "========= RACECHECK SUMMARY: ${HAZARDS:-0} hazards displayed (0 errors, 0 warnings)"
else echo "========= ERROR SUMMARY: 0 errors"; fi
exit $code"""


class FakeBuild:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        self.script("sambench", DOCTOR)
        for name in OPERATORS + ["test_emulated_model", "test_tracking", "test_session", "test_fuse"]:
            self.script(f"tests/{name}", '[ "$SAM_TEST_DEVICE" = cuda ] && echo "  x: not on the CPU, device 1.0e-8, plain 2e-8"')
        self.script("bin/compute-sanitizer", SANITIZER)

    def script(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + text + "\n")
        os.chmod(path, 0o755)

    def check(self, *arguments, **env):
        """Exit status and output."""
        env = {**os.environ, "PATH": os.path.join(self.root, "bin") + ":" + os.environ["PATH"], **env}
        done = subprocess.run([sys.executable, os.path.join(HERE, "check"), *arguments, "--build", self.root, "--out",
                               os.path.join(self.root, "out")], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        print(done.stdout, end="")
        return done.returncode, done.stdout

    def state(self):
        with open(os.path.join(self.root, "out", "check.json")) as f:
            return json.load(f)


class CheckTest(unittest.TestCase):
    def setUp(self):
        self.fake = FakeBuild()

    def tearDown(self):
        self.fake.folder.cleanup()

    def test_pieces_pass_with_their_figures(self):
        self.assertEqual(self.fake.check("kernels", "models", "memcheck", "racecheck", "synccheck")[0], 0)
        state = self.fake.state()
        self.assertTrue(state["device"].startswith("NVIDIA Test, sm_90"))
        self.assertEqual({p["status"] for p in state["pieces"].values()}, {"passed"})
        self.assertEqual(sorted(state["pieces"]["kernels"]["results"]), sorted(OPERATORS))
        self.assertEqual(state["pieces"]["kernels"]["results"]["test_add"], ["x: not on the CPU, device 1.0e-8, plain 2e-8"])
        self.assertNotIn(self.fake.root + "/", json.dumps(state))
        with tarfile.open(os.path.join(self.fake.root, "out", "logs.tar.gz")) as t:
            self.assertIn("logs/kernels.log", t.getnames())

    def test_failures_are_named_and_the_rest_goes_on(self):
        self.fake.script("tests/test_mul", "echo wrong; exit 1")
        code, text = self.fake.check("kernels", "memcheck", "racecheck", "models", HAZARDS="3")
        self.assertEqual(code, 1)
        pieces = self.fake.state()["pieces"]
        self.assertEqual(pieces["kernels"]["why"], "failed: test_mul")
        self.assertEqual(len(pieces["kernels"]["results"]), len(OPERATORS))
        self.assertIn("test_mul", pieces["memcheck"]["why"])
        self.assertNotIn("test_add", pieces["memcheck"]["why"])
        self.assertIn("test_add (RACECHECK SUMMARY: 3 hazards", pieces["racecheck"]["why"])
        self.assertEqual(pieces["models"]["status"], "passed")

    def test_without_a_device_it_says_so(self):
        self.fake.script("sambench", 'echo "CUDA           not in this build; --device cuda is refused"')
        code, text = self.fake.check("kernels")
        self.assertEqual(code, 1)
        self.assertIn("needs a CUDA device: CUDA           not in this build", text)

    def test_a_command_over_its_time_ends_with_its_children(self):
        self.fake.script("tests/test_parity", f"sleep 100 & echo $! > {self.fake.root}/child; wait")
        begin = time.monotonic()
        self.assertEqual(self.fake.check("parity", "--minutes", "0.05")[0], 1)
        self.assertLess(time.monotonic() - begin, 30)
        with open(os.path.join(self.fake.root, "child")) as f:
            self.assertFalse(os.path.exists(f"/proc/{f.read().strip()}/exe"))
        self.assertEqual(self.fake.state()["pieces"]["parity"]["commands"][-1]["exit"], "time limit")

    def test_a_second_call_goes_on(self):
        """`all` begins with what was not tried, and does not repeat what passed."""
        self.fake.check("kernels", "models")
        self.fake.script("tests/test_add", "exit 1")  # would fail now
        passed = dict.fromkeys(["build", "first_frame", "fps", "production_size", "parity", "parity_full", "reference", "ctest", "microbenchmarks"], {"status": "passed"})
        state = self.fake.state()
        state["pieces"].update(passed)
        state["pieces"]["memcheck"] = {"status": "failed"}
        with open(os.path.join(self.fake.root, "earlier.json"), "w") as f:
            json.dump(state, f)
        os.remove(os.path.join(self.fake.root, "check.json"))
        code, text = self.fake.check("all", "--minutes", "1", "--resume", os.path.join(self.fake.root, "earlier.json"))
        self.assertEqual(code, 3)
        self.assertTrue(text.startswith("racecheck"), text)
        left = text.splitlines()[-1].split(": ")[1].split()
        self.assertNotIn("kernels", left)
        self.assertEqual(left[-1], "memcheck")

    def test_a_lease_is_spent_in_order_on_a_build_that_was_brought(self):
        """Order, budgets, what travels and what comes back; nothing is built, and a step that hangs costs its own time only."""
        fake, away = self.fake, tempfile.TemporaryDirectory()
        self.addCleanup(away.cleanup)
        fake.script("bin/nvidia-smi", """case "$*" in
*compute_cap*) echo 9.0;;
*) echo "NVIDIA Test, 1980 MHz, 3201 MHz, 40, 300 W, 0x0";;
esac""")
        fake.script("packed/sambench", f"""case "$1" in
doctor) {DOCTOR};;
synth) mkdir -p "$3/JPEGImages_24fps/easy_0";;
track) for x; do [ "$last" = --json ] && echo '{TRACKED}' > "$x"; last=$x; done;;
kernels) for x; do [ "$last" = --json ] && echo '[{{"model": "a/b"}}]' > "$x"; last=$x; done;;
esac""")
        fake.script("packed/samconvert", 'for x; do out=$x; done; echo weights > "$out"')
        for name in OPERATORS + DEVICE_TESTS:
            fake.script("packed/tests/" + name, 'echo "  x: not on the CPU, device 1.0e-8, plain 2e-8"')
        fake.script("packed/tests/test_parity", "sleep 1000")
        fake.script("bin/torch_python", f"""for x; do
[ "$last" = --json ] && out=$x; [ "$last" = --models ] && model=$x; last=$x; done
[ -n "$out" ] && echo "{{\\"models\\": {{\\"$model\\": {{\\"failed\\": {{}}}}}}}}" > "$out"
exit 0""")
        folder = os.path.join(away.name, "gpu")
        os.makedirs(folder)
        subprocess.run(["tar", "-C", os.path.join(fake.root, "packed"), "-cJf", os.path.join(folder, "build.tar.xz"), "."], check=True)
        with open(os.path.join(folder, "build.json"), "w") as f:
            json.dump({"arch": "90", **{k: os.path.join(away.name, "links", k) for k in ("source", "build", "shared")}}, f)
        os.remove(os.path.join(fake.root, "sambench"))
        begin = time.monotonic()
        code, text = fake.check("lease", "--folder", folder, "--python", os.path.join(fake.root, "bin/torch_python"),
                                "--pace", "20")
        took = time.monotonic() - begin
        pieces = fake.state()["pieces"]
        self.assertEqual([p for p in pieces], [line.split()[0] for line in text.splitlines() if " s  " in line])
        self.assertEqual(list(pieces)[:4], ["build", "first_frame", "fps", "kernels"])
        self.assertEqual(pieces["parity"]["status"], "failed")
        self.assertIn("time limit", [x["exit"] for x in pieces["parity"]["commands"]])
        wanted = {"build", "first_frame", "fps", "kernels", "production_size", "microbenchmarks", "eager_sam2.1_tiny", "memcheck",
                  "racecheck"}
        self.assertEqual({p for p in wanted if pieces[p]["status"] != "passed"}, set())
        self.assertEqual(len(pieces["fps"]["results"]), 10)
        self.assertEqual(pieces["memcheck"]["clocks"][0]["clocks.sm"], "1980 MHz")
        self.assertNotIn("cmake", json.dumps(pieces))
        self.assertEqual(code, 1)
        self.assertLess(took, 540 / 20 + 20)
        self.assertEqual(os.path.realpath(os.path.join(away.name, "links", "build")), os.path.realpath(fake.root))
        back = os.listdir(os.path.join(fake.root, "out"))
        self.assertEqual(sorted(back), ["check.json", "logs.tar.gz"])
        self.assertLess(max(os.path.getsize(os.path.join(fake.root, "out", name)) for name in back), 16 << 20)

    def test_wrong_use(self):
        self.assertEqual(self.fake.check("kernel")[0], 2)
        self.assertEqual(self.fake.check()[0], 2)


if __name__ == "__main__":
    unittest.main()
