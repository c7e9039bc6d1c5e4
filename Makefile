# Every target sets up what it needs first; a second call does no set-up again.
.PHONY: help setup setup-test demo test lint test-numpy1 test-builder gpu-check train proto clean

PYTHON := .venv/bin/python
OUT ?= runs/demo
SEED ?= 0
# Python 3.10 with NumPy 1.26 is what Savant's container has; without a python3.10 the system's Python stands in.
PYTHON310 := $(shell python3.10 --version >/dev/null 2>&1 && command -v python3.10 || echo /usr/bin/python3)

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## system packages (apt) and the virtual environment .venv
	@scripts/setup.sh

setup-test:
	@scripts/setup.sh test

demo: setup ## four simulated cameras in, runs/demo out (SEED=1, OUT=folder)
	$(PYTHON) -m savant_reid demo --seed $(SEED) --out $(OUT) --force

test: setup-test lint test-numpy1 ## everything that checks the project, but for what needs PyTorch
	$(PYTHON) -m pytest -m "not builder"

lint: setup ## style, types, and who may import whom
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy -p savant_reid
	.venv/bin/lint-imports --no-cache

test-numpy1: .venv-numpy1/ready ## what also runs in Savant's container, with its NumPy 1.26
	.venv-numpy1/bin/python -m pytest tests/identity tests/pyfuncs tests/hosts/deepstream

.venv-numpy1/ready: pyproject.toml
	$(PYTHON310) -m venv --clear .venv-numpy1
	.venv-numpy1/bin/pip install -q --disable-pip-version-check 'numpy~=1.26.4' pytest hypothesis -e '.[faiss]'
	touch $@

test-builder: .venv-builder/ready ## the tests of the model builder (PyTorch, CPU build)
	.venv-builder/bin/python -m pytest -m builder tests/model_builder

gpu-check: setup ## on a machine with an NVIDIA GPU and CuPy: all that is marked gpu, and the table for docs/gpu.md
	@$(PYTHON) -m savant_reid.bench.search_check

train: .venv-builder/ready ## train both demo models again, from simulated people (about an hour on 2 cores)
	.venv-builder/bin/python -m model_builder train all --out models

.venv-builder/ready: pyproject.toml model_builder/requirements.txt
	/usr/bin/python3 -m venv --clear .venv-builder
	.venv-builder/bin/pip install -q --disable-pip-version-check torch==2.13.0
	.venv-builder/bin/pip install -q --disable-pip-version-check -r model_builder/requirements.txt -e .
	touch $@

SCHEMAS := plugins/savant_reid/sinks/schemas
proto: setup ## messages.binpb anew, after a change of messages.proto
	$(PYTHON) -m grpc_tools.protoc -I $(SCHEMAS) --descriptor_set_out=$(SCHEMAS)/messages.binpb messages.proto

clean: ## remove runs and environments
	rm -rf runs .venv .venv-numpy1 .venv-builder build *.egg-info plugins/*.egg-info
