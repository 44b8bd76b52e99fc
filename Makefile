# The two commands of the README, and the house's own. Each sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: bench test test-base lint nano suites clean

# Both suites' test splits, the four built-in collectors, one report.
bench: .venv/ready
	$(BIN)/arrears bench --suite dcn --suite debtbench \
	    --collector scripted/lenient --collector scripted/typical \
	    --collector scripted/firm --collector scripted/adaptive \
	    --seed 1 --out runs/first

test: .venv/ready-dev
	$(BIN)/python -m pytest -n auto --dist worksteal --durations 15

# What the base install can do: without torch, and in an environment of its own. What needs an extra
# is skipped.
test-base: .venv-base/ready
	.venv-base/bin/python -m pytest -n auto --dist worksteal --durations 15

# A small collector from random weights to the proof: runs/nano. Interrupted, it goes on there.
nano: .venv/ready-train
	$(BIN)/arrears train nano --out runs/nano
	$(BIN)/arrears train report runs/nano/proof --out runs/nano/training.html

lint: .venv/ready-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv-base/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-base
	.venv-base/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

.venv/ready-lint: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lint]'
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# llama.cpp, for the tests of `export gguf`, which are skipped without it. Compiles some minutes.
# Portable: built for the machine's own processor it crashes where a hypervisor hides part of it.
.venv/ready-llamacpp: .venv/ready-dev
	CMAKE_ARGS="-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF" CMAKE_BUILD_PARALLEL_LEVEL=2 \
	    $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[llamacpp]'
	touch $@

.venv/ready-train: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]'
	touch $@

# The shipped test splits, made again from debtors/data; prints their SHA-256.
suites: .venv/ready
	$(BIN)/python -m arrears.debtors.suites

clean:
	rm -rf .venv .venv-base runs
