# Everything runs in .venv; each target installs it first when it is missing or out of date.
PYTHON ?= python3
# On Linux, torch from the public registry brings its CUDA libraries (several GB). To have the CPU build instead, set this to
# PyTorch's CPU index, which the installation page of pytorch.org names: make demo TORCH_INDEX=https://...
TORCH_INDEX ?=

BIN := .venv/bin
READY := .venv/.ready
BY_THEMSELVES := $(addprefix benchmarks/,machine.py trust.py soak.py fuzz.py gpu.py)
BENCHMARKS := $(filter-out $(BY_THEMSELVES),$(wildcard benchmarks/*.py))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo test lint site docs links examples bench trust fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(READY) ## create .venv and install the pinned versions

$(READY): pyproject.toml constraints.txt
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt -e ".[test]"
	$(BIN)/python -m pip install --no-deps -c constraints.txt facenet-pytorch trackio gradio-client orjson httpx httpcore
	@touch $@

demo: $(READY) ## train and compare methods on scikit-learn's digits and photographs, about 3 minutes
	$(BIN)/lookalike demo

test: $(READY) ## run the tests, two files side by side
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY) ## check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

SPHINX = $(BIN)/python -m sphinx -W --keep-going -q -c docs/site

site: $(READY) ## build the site from docs/ and the docstrings, to build/site
	$(SPHINX) . build/site

docs: site ## build the site and serve it on port 8008
	$(BIN)/python -m http.server 8008 --bind 127.0.0.1 --directory build/site

links: $(READY) ## ask every address elsewhere that the documents name whether it answers
	$(SPHINX) -b linkcheck . build/links

examples: $(READY) ## run the notebooks of examples/ and keep what they show
	$(BIN)/python examples/run.py

bench: $(READY) ## run every benchmark and renew benchmarks/results
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[bench]"
	$(BIN)/python -m pip install -q --no-deps --upgrade --target build/fidelity torch-fidelity==0.4.0 tqdm
	set -e; for file in $(BENCHMARKS); do $(BIN)/python $$file; done

trust: $(READY) ## kills, faults, flips and payloads in the numbers of a release, which takes hours
	PYTHONPATH=tests:tests/base:tests/runs:tests/report OMP_NUM_THREADS=1 $(BIN)/python benchmarks/trust.py --full

fuzz: $(READY) ## random bytes at every gate, ten minutes each
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[fuzz]"
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python benchmarks/fuzz.py --seconds 600

clean: ## remove the environment, builds and caches
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks experiments -name __pycache__ -type d -prune -exec rm -rf {} +
