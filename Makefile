SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup lock curate train report test slow check bench experiment proof reference serve reward-model clean

PYTHON ?= python3
BIN := .venv/bin
UV := .venv/uv/bin/uv
RUN ?= latest
SOURCE ?=
PROFILE ?=
OUT ?= out
LOCK ?= requirements.lock

# The CPU build of torch is not on the main package index. Where pip is set up with a folder of wheels, uv is shown
# that folder; elsewhere it is pointed at the index of torch's CPU builds.
LINKS := $(shell printf '%s' "$${PIP_FIND_LINKS:-$$($(PYTHON) -m pip config get global.find-links 2>/dev/null)}")
UV_ENV := UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=$(CURDIR)/.venv $(if $(LINKS),UV_FIND_LINKS="$(LINKS)")
TORCH := $(if $(LINKS),,$(if $(findstring gpu,$(LOCK)),--torch-backend auto,--torch-backend cpu))

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/.installed  ## install everything into .venv (LOCK=requirements-gpu.lock for CUDA)

.venv/.installed: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@# uv lives beside the packages it manages, so that syncing them never replaces it while it runs.
	@test -x $(UV) || { $(PYTHON) -m venv .venv/uv && .venv/uv/bin/pip install --quiet uv==0.13.9; }
	@echo "Installing the locked packages ..."
	@$(UV_ENV) $(UV) pip sync --quiet $(TORCH) $(LOCK)
	@$(UV_ENV) $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock:  ## resolve the dependencies anew into both lock files
	$(UV_ENV) $(UV) pip compile pyproject.toml --extra cpu --group dev --no-emit-find-links --no-header $(TORCH) -o requirements.lock
	$(UV_ENV) $(UV) pip compile pyproject.toml --extra gpu --group dev --no-emit-find-links --no-header -o requirements-gpu.lock

curate: setup  ## raw data to SFT, rejection-sampling and preference sets with a report (SOURCE=path or hf:id, PROFILE=, OUT=)
	@$(BIN)/sieveline curate --out $(OUT) $(if $(SOURCE),--source "$(SOURCE)") $(if $(PROFILE),--profile "$(PROFILE)") $(ARGS)

train: setup  ## SFT, rejection-sampling SFT and DPO on the latest run's sets
	@$(BIN)/sieveline train all --run $(RUN) $(if $(PROFILE),--profile "$(PROFILE)") $(ARGS)

report: setup  ## write the latest run's report again and say where it is
	@$(BIN)/sieveline report $(RUN)

test: setup  ## run the tests (ARGS=... for some of them)
ifeq ($(strip $(ARGS)),)
	@# Two files at a time; then those that load a real model, each with all cores.
	@$(BIN)/python -m pytest -m "not engine and not slow" -n 2 --dist loadfile
	@$(BIN)/python -m pytest -m "engine and not slow"
else
	@$(BIN)/python -m pytest $(ARGS)
endif

slow: setup  ## proofs that take minutes: random kills, memory estimates, all kinds of engines
	@$(BIN)/python -m pytest -m slow -s

check: setup  ## format and lint (ruff), types (mypy)
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

bench: setup  ## measure; nothing here is part of the tests
	@$(BIN)/python -m tests.benchmarks $(ARGS)

experiment: setup  ## train and compare models (ARGS=selection; its settings are at the top of tests/experiments/selection.py)
	@$(BIN)/python -m tests.experiments.$(ARGS)

proof: setup  ## the committed experiment: base, SFT, rejection sampling, DPO and RLOO on real prompts (hours; goes on where it was)
	@$(BIN)/python -m tests.experiments.proof $(ARGS)

reference: setup  ## write docs/reference anew from the commands, the profile and the stages
	@$(BIN)/python -m flows.reference

serve: setup  ## start a Prefect server and a nightly schedule
	@$(BIN)/sieveline serve

reward-model: setup  ## train the starter reward model again (DATA=folder of the preference files)
	@$(BIN)/python -m training.starter_reward --data "$(DATA)" $(ARGS)

clean:  ## remove the environment, the store and the outputs
	rm -rf .venv .sieveline out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
