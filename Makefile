# `make` prints what there is to do. Every target that needs the environment makes or repairs it first.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: chaos help setup run demo kafka seaweedfs test check fmt fuzz conformance bench vast-sdk-suite lock clean

# More arguments for the program behind a target: make test ARGS="tests/common -x"
ARGS ?=

# The tables under the system tests: sqlite, or vast (the emulator, or the cluster that TAMS_TEST_VAST names)
STORE ?= sqlite

# How often chaos kills, the seed that chooses whom and when, and a file for what it has seen
KILLS ?= 100
SEED ?= 1
REPORT ?=

# Where the store of the demo keeps its media: local, or s3 (a SeaweedFS server for the time of the demo)
OBJECTS ?= local
DEMO = $(if $(filter s3,$(OBJECTS)),-m tools.seaweed --fresh -- $(BIN)/python -m tams_demo --objects {},-m tams_demo)

BIN := .venv/bin
CODE := libs services demo bench tests tools

help:
	@awk -f tools/help.awk $(MAKEFILE_LIST)

##@ Start here

setup: ## Make .venv from the locks (every target below does it when needed)
	@sh tools/setup.sh

run: setup ## Start the whole store on http://127.0.0.1:4010, data in .tams/ (ARGS=--help)
	@exec $(BIN)/tams dev $(ARGS)

test: setup ## Run every test (ARGS="tests/common -x"; STORE=vast for the system tests on VAST DB)
	@TAMS_TEST_STORE=$(STORE) $(BIN)/python -m pytest $(ARGS)

demo: setup ## Real media in and out (URL=http://… TOKEN=… FILE=clip.mp4; without URL a store of its own, OBJECTS=s3)
	@TAMS_DEMO_TOKEN="$${TOKEN:-$${TAMS_DEMO_TOKEN:-}}" $(BIN)/python $(DEMO) $(if $(URL),--url "$(URL)") $(if $(FILE),--file "$(FILE)") $(ARGS)

seaweedfs: setup ## Start an S3 store (SeaweedFS) on loopback, data in .tams/seaweedfs
	@exec $(BIN)/python -m tools.seaweed $(ARGS)

kafka: setup ## Start one Apache Kafka broker on loopback, data in .tams/kafka (ARGS=--help)
	@exec $(BIN)/python -m tools.kafka $(ARGS)

##@ Quality

check: setup ## Lint, formatting, types, import rules and house maxima
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/python -m tools.check_house

fmt: setup ## Format the code and repair what ruff can repair
	$(BIN)/ruff check --fix --exit-zero --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

fuzz: setup ## Run the property tests with many more examples
	@TAMS_TEST_HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -m property $(ARGS)

conformance: setup ## Show which rules of TAMS 8.2 tests prove (ARGS=--write for docs/conformance.md)
	@$(BIN)/python -m tools.conformance $(ARGS)

bench: setup ## Measure the running store and print ratios
	@$(BIN)/python -m tams_bench $(ARGS)

vast-sdk-suite: setup ## Run the VAST SDK's own test suite against the emulator
	@sh tools/vast_sdk_suite.sh $(ARGS)

chaos: setup ## Kill everything a hundred times under load, and see that nothing is lost (KILLS=…, SEED=…, REPORT=FILE)
	@TAMS_TEST_KILLS=$(KILLS) TAMS_TEST_SEED=$(SEED) TAMS_TEST_CHAOS_REPORT="$(REPORT)" TAMS_TEST_UPLOAD_MB=2048 $(BIN)/python -m pytest tests/chaos tests/system/test_large_upload.py $(ARGS)

##@ Upkeep

lock: setup ## Recompile the locks in requirements/ (ARGS=--upgrade)
	@sh tools/lock.sh $(ARGS)

clean: ## Remove the environment and every cache; data in .tams/ stays
	rm -rf .venv .venv-vast .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o -name .tams -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +
