# jackcomp: `make run` hears it, `make test` checks it; both install what they need.

APT_PACKAGES = gcc jackd2 libc6-dev libfluidsynth-dev libjack-jackd2-dev make \
	pipewire pipewire-jack python3-dev python3-venv timgm6mb-soundfont util-linux
VENV = .venv
PYTHON = $(VENV)/bin/python
CORE_SOURCES = $(wildcard jackcomp/engine/core/*.[ch]) jackcomp/engine/build_core.py

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint format golden test-core test-core-asan test-core-tsan \
	test-train search bench-rt bench-swap bench-brain bench soak evaluate train models clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/.ready  ## install what run and test need, and nothing else

$(VENV)/.ready: pyproject.toml setup.py $(CORE_SOURCES) scripts/install-packages
	@scripts/install-packages $(APT_PACKAGES)
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@

run: setup  ## play the bundled solo through the real JACK graph into out/
	$(PYTHON) -m demo

test: lint test-core test-core-asan test-core-tsan  ## all tests
	$(PYTHON) -m pytest -q -n 2 --dist loadgroup

check: lint  ## lint, types and the tests that need no server, SoundFont or patience
	$(PYTHON) -m pytest -q -m 'not jack and not synth and not slow'

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: setup  ## format the Python code and sort its imports
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .

golden: setup  ## write the golden texts anew: read each difference
	$(PYTHON) -m pytest -q tests/golden --write-golden

test-core: setup  ## C tests, the real-time test and its planted faults
	$(MAKE) -s -C tests/core test

test-core-asan: setup  ## C tests under AddressSanitizer and UBSan
	$(MAKE) -s -C tests/core asan

test-core-tsan: setup  ## C tests under ThreadSanitizer
	$(MAKE) -s -C tests/core tsan

SECONDS ?= 60
JSON ?= out/bench-rt.json

bench-rt: setup  ## xruns and cycles beside an empty server and FluidSynth (SECONDS=, JSON=)
	@scripts/install-packages fluidsynth
	$(PYTHON) -m bench.realtime --seconds $(SECONDS) --json $(JSON)

bench-swap: setup  ## xruns while SoundFonts change, beside the same load elsewhere
	$(PYTHON) -m bench.swap

soak: setup  ## an hour of music offline, ten minutes live: memory and drift (SECONDS=)
	$(PYTHON) -m bench.soak $(if $(filter file,$(origin SECONDS)),,--seconds $(SECONDS))

bench-brain: setup  ## how long decisions take while it looks ahead
	$(PYTHON) -m bench.foresight

bench: setup  ## speed of a render, start-up, memory, and coming back
	$(PYTHON) -m bench.render
	$(PYTHON) -m bench.comeback

evaluate: setup  ## harmony, chord model and pulse on the test songs, beside their baselines
	OMP_NUM_THREADS=1 $(PYTHON) -m export.evaluate_brain --jobs 2
	OMP_NUM_THREADS=1 $(PYTHON) -m export.evaluate --jobs 2
	OMP_NUM_THREADS=1 $(PYTHON) -m export.evaluate_pulse --jobs 2

$(VENV)/.trainer: pyproject.toml | setup
	$(PYTHON) -m pip install -q --disable-pip-version-check -e '.[train]'
	@touch $@

# Large tensors stay with the process: to give them back at each step takes time.
TRAIN = OMP_NUM_THREADS=1 MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=8000000000 \
	MALLOC_TOP_PAD_=67108864 $(PYTHON) -m

train: $(VENV)/.trainer  ## train chord models and listener; goes on where interrupted
	$(TRAIN) export.train
	$(TRAIN) export.train --name brain-2 --seed 77
	$(TRAIN) export.train_ear

test-train: $(VENV)/.trainer  ## tests of the training, which need torch
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q tests_train

search: $(VENV)/.trainer  ## a small search for better settings of the chord model
	$(TRAIN) export.search

models: train  ## make what is in models/: networks, the memory, the tables of ear and pulse
	$(PYTHON) -m export.to_onnx
	OMP_NUM_THREADS=1 $(PYTHON) -m export.fit_memory --rivals
	OMP_NUM_THREADS=1 $(PYTHON) -m export.count_ear
	$(TRAIN) export.train_pulse

clean:  ## remove what the targets have made, the virtual environment too
	rm -rf $(VENV) out build dist *.egg-info jackcomp/engine/_*.so jackcomp/engine/_*.c
