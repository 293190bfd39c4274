# `make demo` and `make test` set up everything they need and are safe to run twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export DAGSTER_HOME := $(CURDIR)/.dagster
export DAGSTER_DISABLE_TELEMETRY := 1
export PROVENDER_LAKE ?= $(CURDIR)/lake

.PHONY: demo test test-integration test-ray lint ui bench clean help
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(STAMP) ## sources -> corpus -> model -> table and report, in minutes
	@$(BIN)/provender demo

test: $(STAMP) ## every test, with coverage, on all cores
	@$(BIN)/pytest -n auto --maxprocesses 4 --cov --cov-report=term

test-integration: $(STAMP) ## the stack of docker/compose.yaml as processes on loopback, and its faults
	@sh tests/integration/install_postgres.sh
	@$(BIN)/pytest -m integration tests/integration

test-ray: $(STAMP) ## ingesting and training on a Ray cluster of two nodes on loopback; minutes, not part of CI
	@$(BIN)/pytest -m ray tests/integration/test_ray.py

lint: $(STAMP) ## ruff, pyright, import floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/pyright

ui: $(STAMP) ## Dagster (webserver and daemon) and MLflow on this machine
	@$(BIN)/provender ui

bench: $(STAMP) ## throughput as ratios measured in one run; MILLION=1 for two million pairs, too
	@$(BIN)/python -m tests.benchmarks.extraction
	@$(BIN)/python -m tests.benchmarks.refresh
	@$(BIN)/python -m tests.benchmarks.repeats
	@$(BIN)/python -m tests.benchmarks.corpus
	$(if $(MILLION),@$(BIN)/python -m tests.benchmarks.corpus --million)
	@$(BIN)/python -m tests.benchmarks.peers
	@$(BIN)/python -m tests.benchmarks.training
	@$(BIN)/python -m tests.benchmarks.retrieval
	@$(BIN)/python -m tests.benchmarks.search

clean: ## remove what was installed and built; the lake stays unless LAKE=1
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .coverage .dagster
	$(if $(LAKE),rm -rf lake)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Provender needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "installing (about two minutes, once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[pipeline,dev]'
	@touch $(STAMP)
