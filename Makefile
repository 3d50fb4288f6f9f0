# make            build/sambench and build/samconvert (installs what is missing first)
# make test       everything that is tested, plain and under sanitizers
# make test-clang   the same with clang
# make fuzz MINUTES=n   every parser under libFuzzer for n minutes (10); docs/security.md. make test-fuzz: each for seconds
# make tsan       the tests of threads under ThreadSanitizer
# make faults / make kills   failing calls of the C library everywhere, 500 kills (make test: a few of each)
# make soak       20,000 frames twice, and from a saved state: flat memory, the same bits
# make test-aarch64  operators and engine on 64-bit ARM, cross-built and emulated (Debian; half an hour, no part of `test`)
# make test-ptx   the operator tests on nvcc's PTX for sm_90 and sm_120 (make test: sm_80)
# make demo       the model of models/ on the demo split: a page of speed, memory and J&F, a table, overlays, one picture
# make demo-record  after the model has changed: recorded scores of the tests, the picture in docs/
# make fatbin     CUDA kernels for all targets, and docs/results/kernels.md: their registers and spills
# make predicted  docs/results/predicted.*: time and memory of every model on GPUs that are not here
# make setup      only install what the build needs
# make format     clang-format over the sources
BUILD ?= build
JOBS  ?= $(shell nproc)
CMAKE_FLAGS ?=
DEMO_MODEL := models/demo_sam2.1.safetensors
DEMO       := $(BUILD)/demo
# Debian and Ubuntu packages of the build and its tests.
PACKAGES := gcc g++ libc6-dev make cmake pkg-config libdnnl-dev libjansson-dev libspng-dev libjpeg-dev zlib1g-dev libssl-dev \
            libavformat-dev libavcodec-dev libswscale-dev libavutil-dev libstb-dev libwebp-dev libcmocka-dev

# What only some targets need: see setup-clang.
CLANG_PACKAGES := clang libclang-rt-14-dev libomp-dev

.PHONY: all setup setup-clang configure test test-plain test-sanitize test-clang test-ptx test-aarch64 fuzz fuzz-build test-fuzz \
        tsan faults kills soak demo demo-record fatbin predicted format format-check clean

all: configure
	cmake --build $(BUILD) -j$(JOBS)

# Installs missing packages as root or through sudo without a password; otherwise prints the line to run.
setup:
	@missing=""; for p in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ] || ! command -v apt-get >/dev/null; then exit 0; fi; \
	sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	if [ -n "$$sudo" ] && ! sudo -n true 2>/dev/null; then \
	  echo "Missing packages. Run this, then make again:"; echo "  sudo apt-get install -y$$missing"; exit 1; fi; \
	echo "Installing:$$missing"; \
	$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null

configure: setup
	@cmake -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS) > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@grep -E '^--   ((CPU|CUDA) backend|images)' $(BUILD).log || true; rm -f $(BUILD).log

test: test-plain test-sanitize

test-plain: all
	cd $(BUILD) && ctest --output-on-failure -j$(JOBS)

test-sanitize: setup
	cmake -S . -B $(BUILD)-sanitize -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSAM_SANITIZE=ON -DSAM_CUDA=OFF > /dev/null
	cmake --build $(BUILD)-sanitize -j$(JOBS)
	cd $(BUILD)-sanitize && OMP_NUM_THREADS=1 ctest --output-on-failure -j$(JOBS)

setup-clang:
	@$(MAKE) --no-print-directory setup PACKAGES="$(PACKAGES) $(CLANG_PACKAGES)"

test-clang: setup-clang
	CC=clang CXX=clang++ cmake -S . -B $(BUILD)-clang -DCMAKE_BUILD_TYPE=Release -DSAM_CUDA=OFF > /dev/null
	cmake --build $(BUILD)-clang -j$(JOBS)
	cd $(BUILD)-clang && ctest --output-on-failure -j$(JOBS)

MINUTES ?= 10
fuzz-build: setup-clang
	CC=clang CXX=clang++ cmake -S . -B $(BUILD)-fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS_RELWITHDEBINFO="-O1 -g" \
	  -DSAM_SANITIZE=ON -DSAM_FUZZ=ON -DSAM_CUDA=OFF > /dev/null
	cmake --build $(BUILD)-fuzz -j$(JOBS) --target fuzzers

fuzz: fuzz-build
	tests/fuzz/run $(BUILD)-fuzz $$(($(MINUTES) * 60))

test-fuzz: fuzz-build
	cd $(BUILD)-fuzz && ctest -L fuzz --output-on-failure -j$(JOBS)

# Threads of our own: reading ahead, sensors, two sessions of one model, remembered algorithms. OpenMP runs one thread, because
# its runtime is not instrumented and every barrier would look like a race; libraries are left out by file (tests/threads.supp).
# setarch: the sanitizer has no room where addresses are random in more than 28 bits.
THREAD_TESTS := test_frames_ahead|test_frames|test_monitor|test_tuning|test_session|test_track
tsan: setup
	cmake -S . -B $(BUILD)-tsan -DCMAKE_BUILD_TYPE=Release -DSAM_SANITIZE=THREAD -DSAM_CUDA=OFF > /dev/null
	cmake --build $(BUILD)-tsan -j$(JOBS) --target sambench samconvert $(subst |, ,$(THREAD_TESTS))
	cd $(BUILD)-tsan && OMP_NUM_THREADS=1 TSAN_OPTIONS="suppressions=$(CURDIR)/tests/threads.supp halt_on_error=1" \
	  setarch -R ctest --output-on-failure -R '^($(THREAD_TESTS))$$'

faults: all
	tests/faults/sweep $(BUILD) 0

kills: all
	tests/faults/kills $(BUILD) 500

soak: all
	$(BUILD)/tests/soak_session $(DEMO_MODEL) 20000 64

# The libraries are unpacked below the build folder, not installed. Label `device`: operators and engine.
test-aarch64: export AARCH64_ROOT := $(abspath $(BUILD)-aarch64/root)
test-aarch64:
	@$(MAKE) setup PACKAGES="gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user cmake pkg-config"
	tests/aarch64/fetch_libraries $(AARCH64_ROOT)
	cmake -S . -B $(BUILD)-aarch64 -DCMAKE_BUILD_TYPE=Release -DSAM_CUDA=OFF -DSAM_VIDEO=OFF \
	  -DCMAKE_TOOLCHAIN_FILE=$(abspath tests/aarch64/toolchain.cmake) > /dev/null
	cmake --build $(BUILD)-aarch64 -j$(JOBS)
	cd $(BUILD)-aarch64 && ctest --output-on-failure -j$(JOBS) --timeout 3600 -L device -E emulated_model

# The product's own kernels are compiled for one virtual architecture only: what is tested here is tests/ptx.
test-ptx: setup
	set -e; for arch in 90 120; do \
	  cmake -S . -B $(BUILD)-ptx$$arch -DCMAKE_BUILD_TYPE=Release -DSAM_CUDA=ON -DCUDA_ARCHS=$$arch-virtual -DPTX_ARCH=$$arch > /dev/null; \
	  cmake --build $(BUILD)-ptx$$arch -j$(JOBS) --target ptx_tests; \
	  (cd $(BUILD)-ptx$$arch && ctest -L ptx --output-on-failure -j$(JOBS)); done

# The demo split is what `sambench synth` writes unless told otherwise; see docs/demo.md.
demo: $(DEMO_MODEL) configure
	cmake --build $(BUILD) -j$(JOBS) --target sambench
	rm -rf $(DEMO)
	$(BUILD)/sambench synth --out $(DEMO)/split
	$(BUILD)/sambench run --split_dir $(DEMO)/split --weights_dir models --out_dir $(DEMO) \
	  --models demo_points,demo_bbox,baseline_copy,baseline_colour --save_masks --save_overlays
	$(BUILD)/sambench sheet --split_dir $(DEMO)/split --masks $(DEMO)/masks/demo_points --out $(DEMO)/sheet.png
	$(BUILD)/sambench report $(DEMO) --out $(DEMO)/report.html --title "The demo models on generated clips"
	@echo "Page: $(DEMO)/report.html   table: $(DEMO)/sav_benchmark_summary.csv   overlays: $(DEMO)/overlays/   picture: $(DEMO)/sheet.png"

# After the model file has changed: what tests hold it to, and the picture of the README.
demo-record: demo
	cmake --build $(BUILD) -j$(JOBS) --target test_demo_model
	$(BUILD)/tests/test_demo_model --record
	$(BUILD)/sambench sheet --split_dir $(DEMO)/split --masks $(DEMO)/masks/demo_points --limit_videos 6 --limit_objects 1 \
	  --columns 5 --tile 160 --out docs/demo.jpg

$(DEMO_MODEL):
	@echo "$@ is missing; it is part of the repository: git checkout $@"; exit 1

fatbin: setup
	cmake -S . -B $(BUILD)-fatbin -DCMAKE_BUILD_TYPE=Release -DSAM_CUDA=ON -DCMAKE_CUDA_FLAGS="-Xptxas -v" \
	  "-DCUDA_ARCHS=80-real;86-real;87-real;89-real;90-real;120" > /dev/null
	cmake --build $(BUILD)-fatbin --target kernels_cuda --clean-first -j$(JOBS) > $(BUILD)-fatbin/ptxas.log 2>&1 || \
	  { grep -E 'error|Error' $(BUILD)-fatbin/ptxas.log; exit 1; }
	mkdir -p docs/results
	tests/gpu/kernel_table.py $(BUILD)-fatbin/ptxas.log > docs/results/kernels.md; status=$$?; \
	  tail -1 docs/results/kernels.md; exit $$status

predicted: all
	tests/gpu/predicted.py $(BUILD) docs

format:
	git ls-files '*.c' '*.h' '*.cu' '*.cuh' | xargs clang-format -i

format-check:
	git ls-files '*.c' '*.h' '*.cu' '*.cuh' | xargs clang-format --dry-run --Werror

clean:
	rm -rf $(BUILD) $(BUILD)-clang $(BUILD)-fuzz $(BUILD)-tsan $(BUILD)-sanitize $(BUILD)-fatbin $(BUILD)-ptx*
