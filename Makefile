# The two commands of the README, and the house's own. Each sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: bench test lint suites clean

# Both suites' test splits, the four built-in collectors, one report.
bench: .venv/ready
	$(BIN)/arrears bench --suite dcn --suite debtbench \
	    --collector scripted/lenient --collector scripted/typical \
	    --collector scripted/firm --collector scripted/adaptive \
	    --seed 1 --out runs/first

test: .venv/ready-dev
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# The shipped test splits, made again from debtors/data; prints their SHA-256.
suites: .venv/ready
	$(BIN)/python -m arrears.debtors.suites

clean:
	rm -rf .venv runs
