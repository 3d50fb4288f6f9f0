# make            build/sambench and build/samconvert (installs what is missing first)
# make test       everything that is tested, plain and under sanitizers
# make demo       track a clip and show what comes out
# make fatbin     CUDA kernels for all targets, and docs/results/kernels.md: their registers and spills
# make predicted  docs/results/predicted.*: time and memory of every model on GPUs that are not here
# make setup      only install what the build needs
# make format     clang-format over the sources
BUILD ?= build
JOBS  ?= $(shell nproc)
# Debian and Ubuntu packages of the build and its tests.
PACKAGES := gcc g++ libc6-dev make cmake pkg-config libdnnl-dev libjansson-dev libspng-dev libjpeg-dev zlib1g-dev libssl-dev \
            libavformat-dev libavcodec-dev libswscale-dev libavutil-dev libcmocka-dev

.PHONY: all setup configure test test-plain test-sanitize demo fatbin predicted format format-check clean

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
	@cmake -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@grep -E '^--   (CPU|CUDA) backend' $(BUILD).log || true; rm -f $(BUILD).log

test: test-plain test-sanitize

test-plain: all
	cd $(BUILD) && ctest --output-on-failure -j$(JOBS)

test-sanitize: setup
	cmake -S . -B $(BUILD)-sanitize -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSAM_SANITIZE=ON -DSAM_CUDA=OFF > /dev/null
	cmake --build $(BUILD)-sanitize -j$(JOBS)
	cd $(BUILD)-sanitize && OMP_NUM_THREADS=1 ctest --output-on-failure -j$(JOBS)

# No trained weights can be shipped, so this shows the machinery, not quality.
demo: all
	@mkdir -p $(BUILD)/demo
	@$(BUILD)/samconvert random --model edgetam --seed 101 $(BUILD)/demo/edgetam.safetensors
	@echo "Tracking a synthetic clip with RANDOM weights: everything runs as with a real checkpoint, the masks mean nothing."
	$(BUILD)/sambench run --test_mode --imgsz 512 --models edgetam_points,edgetam_bbox --weights_dir $(BUILD)/demo \
	  --out_dir $(BUILD)/demo --save_overlays
	@echo "Table: $(BUILD)/demo/sav_benchmark_summary.csv   overlays: $(BUILD)/demo/overlays/"

fatbin: setup
	cmake -S . -B $(BUILD)-fatbin -DCMAKE_BUILD_TYPE=Release -DSAM_CUDA=ON -DCMAKE_CUDA_FLAGS="-Xptxas -v" \
	  "-DCUDA_ARCHS=80-real;86-real;87-real;89-real;90-real;120" > /dev/null
	cmake --build $(BUILD)-fatbin --target kernels_cuda --clean-first -j$(JOBS) > $(BUILD)-fatbin/ptxas.log 2>&1 || \
	  { grep -E 'error|Error' $(BUILD)-fatbin/ptxas.log; exit 1; }
	mkdir -p docs/results
	tests/gpu/kernel_table.py $(BUILD)-fatbin/ptxas.log > docs/results/kernels.md; tail -1 docs/results/kernels.md

predicted: all
	tests/gpu/predicted.py $(BUILD) docs

format:
	git ls-files '*.c' '*.h' '*.cu' '*.cuh' | xargs clang-format -i

format-check:
	git ls-files '*.c' '*.h' '*.cu' '*.cuh' | xargs clang-format --dry-run --Werror

clean:
	rm -rf $(BUILD) $(BUILD)-sanitize $(BUILD)-fatbin
