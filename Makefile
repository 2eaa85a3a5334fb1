# Two commands do all the set-up: `make demo` and `make test`. Both make .venv from the pinned constraints.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | sha256sum | cut -c1-12)
export HF_HUB_OFFLINE := 1
# A file's tests stay in one process: what its fixtures made serves them all. Three processes on two cores, since
# those of a browser and of waiting leave a core idle. One that dies ends the run: pytest-xdist 3.8 gives a replacement
# what was done already, and then waits for ever.
# What fails beside two other processes is run once more, alone: a browser on a busy machine may be late. What fails twice fails.
AGAIN := OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 0 --last-failed --last-failed-no-failures none
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 3 --dist loadfile --max-worker-restart 0
MARKED := wheel or torchrun or postgres or load or peers or serving

.PHONY: help demo ui viewer test test-marked test-all lint types unit docs bench sbom golden pictures screens clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

# PIP_EXTRA_INDEX_URL is honoured by pip itself, e.g. for the CPU build of torch.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "medmm needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 1; }
	@echo "== 1/3 virtual environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "venv failed: on Debian or Ubuntu, apt-get install python3-venv"; exit 1; }
	@echo "== 2/3 packages from constraints.txt (some minutes the first time)"
	@$(PIP) install --quiet --upgrade pip==26.3
	@$(PIP) install --progress-bar on --constraint constraints.txt torch==2.13.0 hatchling editables | { grep -vE '^(Looking|Requirement already)' || true; }
	@$(PIP) install --progress-bar on --constraint constraints.txt --no-build-isolation --editable '.[dev]' | { grep -vE '^(Looking|Requirement already)' || true; }
	@echo "== 3/3 check"
	@$(PIP) check
	@$(BIN)/python -c 'import medmm'
	@rm -f $(VENV)/.installed-* && touch $@

demo: $(STAMP)  ## a real film and a record become a checked draft (writes to out/demo)
	@$(BIN)/medmm demo --out out/demo

ui: $(STAMP)  ## open the dashboard on the demo's cases
	@$(BIN)/medmm --config out/demo/demo.yaml ui

viewer:  ## build the viewer's assets anew from viewer/ (needs Node 20 and npm; users need neither)
	cd viewer && npm ci --ignore-scripts --no-audit --no-fund && node build.mjs

lint: $(STAMP)  ## ruff and the law of arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP)  ## mypy
	$(BIN)/mypy medmm pipelines ui

unit: $(STAMP)  ## the tests, without lint and types
	$(PYTEST) -m "not slow and not gpu and not network and not ($(MARKED))" || { [ $$? = 1 ] && echo "== what failed, once more and alone" && $(AGAIN); }

test: lint types unit  ## what the README promises: lint, types, law of arrows, tests

test-marked: $(STAMP)  ## tests of the wheel, torchrun, PostgreSQL, DICOM validators, a model server and 10,000 cases
	$(PYTEST) -m "($(MARKED)) and not slow and not gpu and not network" || { [ $$? = 1 ] && echo "== what failed, once more and alone" && $(AGAIN); }

test-all: lint types  ## also the slow, training-grade checks
	$(PYTEST) -m "not gpu and not network"

docs: $(STAMP)  ## regenerate the tables of docs/ from the code
	$(BIN)/python -m tests.docs.generate

pictures: $(STAMP)  ## take the README's picture of the dashboard anew (needs Debian's chromium)
	$(BIN)/python -m tests.docs.dashboard_picture

screens: $(STAMP)  ## every page of the dashboard at three sizes, into out/screens
	$(BIN)/python -m tests.docs.dashboard_picture out/screens

bench: $(STAMP)  ## speed and memory as ratios within one run
	$(BIN)/python benchmarks/read_film.py
	$(BIN)/python benchmarks/decode.py
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/drafting.py
	$(BIN)/python benchmarks/mr_study.py
	$(BIN)/python benchmarks/volume_network.py
	$(BIN)/python benchmarks/report_files.py

# In an environment of its own: what it brings makes jsonschema, and so every start with MONAI, 2 s slower.
SBOM := $(VENV)/sbom
sbom: $(STAMP)  ## write the bill of materials (CycloneDX) to out/sbom.json
	@test -x $(SBOM)/bin/cyclonedx-py || { $(PYTHON) -m venv $(SBOM) && PIP_DISABLE_PIP_VERSION_CHECK=1 $(SBOM)/bin/python -m pip install --quiet --constraint constraints.txt cyclonedx-bom; }
	@mkdir -p out && $(SBOM)/bin/cyclonedx-py environment $(BIN)/python --output-file out/sbom.json --output-format JSON && echo out/sbom.json

golden: $(STAMP)  ## rewrite the golden files and show what changed
	$(BIN)/pytest -q tests/golden --update-golden; git diff --stat tests/golden

clean:  ## remove what make made (not out/)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
