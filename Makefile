# The first target lists the others.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
LOCKED := install --require-hashes -r
LOCKS := requirements
# Tests mostly wait for servers: three times as many workers as cores keep two cores busy.
WORKERS ?= 6
PYTEST := $(BIN)/python -m pytest
# Tests start thousands of Python processes: without cached bytecode each would compile driftline anew.
export PYTHONDONTWRITEBYTECODE :=

# Many servers share the cores in a full run. Up to three failed tests are run once more, alone; both results are shown.
AGAIN = { [ $$? = 1 ] && [ $$(grep -c '::' .pytest_cache/v/cache/lastfailed) -le 3 ] && \
    echo "FAILED IN THE FULL RUN, NOW ONCE MORE ALONE:" && grep '::' .pytest_cache/v/cache/lastfailed && \
    $(PYTEST) -v -n 0 --last-failed; }

.PHONY: help test quick demo lint torture bench bench-join bench-detection bench-detection-service bench-backtest bench-scripts bench-pipeline lock audit sbom clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-16s %s\n", $$1, $$2}'

test: $(VENV)/installed-dev $(VENV)/installed-demo lint  ## Lint, then all tests, on real servers where they are installed
	@$(BIN)/python -m tests.servers.setup
	@$(BIN)/python -m compileall -q detectors sinks stream tests
	@$(PYTEST) -n $(WORKERS) --dist loadgroup --no-loadscope-reorder || $(AGAIN)

quick: $(VENV)/installed-dev $(VENV)/installed-demo  ## Unit, contract and property tests and doctests, without servers: under a minute
	@DRIFTLINE_QUICK=1 $(PYTEST) -q -n 2 --dist worksteal -m "not server and not slow and not programs" \
	    tests/unit tests/contract tests/property detectors sinks stream

demo: $(VENV)/installed-demo  ## Real flights, five incidents, one retrained model: about a minute
	@$(BIN)/python -m demo

lint: $(VENV)/installed-dev  ## Format, style, types and import contracts
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

torture: $(VENV)/installed-dev  ## The long versions of the tests, about an hour; writes docs/torture.md
	@$(BIN)/python -m tests.servers.setup
	@$(BIN)/python -m tests.torture

bench: $(VENV)/installed  ## The core against the floor and its peers, five rounds
	@$(BIN)/python -m benchmarks.core

bench-join: $(VENV)/installed-dev  ## Labels joined with 10,000,000 waiting predictions: five minutes
	@$(BIN)/python -m benchmarks.join

bench-detection: $(VENV)/installed  ## False alarms, power and delay beside the peers: an hour (ROWS=quick: three minutes)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.detection --rows $(or $(ROWS),all)

bench-detection-service: $(VENV)/installed  ## The figures of detection through the whole service: some minutes
	@$(BIN)/python -m benchmarks.detection.service

bench-backtest: $(VENV)/installed  ## A backtest of a year of hourly windows of 200 features: half an hour
	@$(BIN)/python -m benchmarks.backtest

bench-scripts: $(VENV)/installed  ## Captures with and without a preprocessing script: half a minute
	@$(BIN)/python -m benchmarks.preprocessing

bench-pipeline: $(VENV)/installed-dev  ## The service on 2,000,000 events in a real Kafka: three rounds, ten minutes
	@$(BIN)/python -m tests.servers.setup
	@$(BIN)/python -m benchmarks.pipeline

# UPGRADE=--upgrade selects the newest versions; otherwise only a change of pyproject.toml or an .in file changes a version.
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --custom-compile-command "make lock" $(UPGRADE)
lock: $(VENV)/installed-dev  ## Update requirements/*.lock (UPGRADE=--upgrade: to the newest versions)
	@$(LOCK) pyproject.toml --extra fast --extra msk --extra dev -o $(LOCKS)/dev.lock
	@$(LOCK) pyproject.toml --extra fast --extra msk -c $(LOCKS)/dev.lock -o $(LOCKS)/service.lock
	@$(LOCK) $(LOCKS)/build.in -c $(LOCKS)/dev.lock -o $(LOCKS)/build.lock
	@$(LOCK) --no-deps $(LOCKS)/demo.in -o $(LOCKS)/demo.lock
	@for name in fuzz linters microburst ministack; do \
	    $(LOCK) $(LOCKS)/$$name.in -o $(LOCKS)/$$name.lock || exit 1; done

audit: $(VENV)/installed-dev  ## Known vulnerabilities of the locked versions (queries an advisory database)
	@# strict: a package that is not in the database is an error
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes -r $(LOCKS)/dev.lock

# From a separate environment with the same packages as the image.
SBOM := build/sbom
sbom: $(VENV)/installed-dev  ## Software bill of materials of the service (CycloneDX): dist/driftline.cdx.json
	@rm -rf $(SBOM) && mkdir -p dist && $(PYTHON) -m venv $(SBOM)
	@$(PIP) --python $(SBOM)/bin/python $(LOCKED) $(LOCKS)/service.lock
	@$(BIN)/python -m build --wheel --no-isolation --outdir $(SBOM)/wheel . > /dev/null
	@$(PIP) --python $(SBOM)/bin/python install --no-deps --no-index $(SBOM)/wheel/*.whl
	@$(PIP) --python $(SBOM)/bin/python uninstall -y pip setuptools
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application \
	    --output-reproducible -o dist/driftline.cdx.json $(SBOM)/bin/python

clean:  ## Remove everything installed or built in this folder
	rm -rf $(VENV) demo-output build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/installed: pyproject.toml $(LOCKS)/service.lock $(LOCKS)/build.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "driftline needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing driftline into $(VENV) ..."
	@$(PIP) $(LOCKED) $(LOCKS)/build.lock
	@$(PIP) $(LOCKED) $(LOCKS)/service.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/installed-demo: $(VENV)/installed $(LOCKS)/demo.lock
	@echo "downloading the flights of the demo ..."
	@$(PIP) $(LOCKED) $(LOCKS)/demo.lock --no-deps --no-build-isolation
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed $(LOCKS)/dev.lock
	@echo "installing the dependencies of the tests ..."
	@$(PIP) $(LOCKED) $(LOCKS)/dev.lock
	@touch $@
