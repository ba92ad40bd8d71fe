# Two commands do everything on a fresh Debian 12: `make run` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CHECKS := lint format types imports pytest
.PHONY: help run test $(CHECKS) fuzz bench lock docs clean
BIN := .venv/bin
PORT ?= 8740

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

run: ## Set up, scan this machine and the demo, and start the console
	@scripts/setup.sh run
	@scripts/first-look.sh $(PORT)

test: ## Set up, then run every check and every test
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory --keep-going $(CHECKS)

# Each check alone, once `make test` has set up.
lint:
	$(BIN)/ruff check
format:
	$(BIN)/ruff format --check
types:
	$(BIN)/mypy
imports:
	$(BIN)/lint-imports
pytest: # tests/conftest.py fails the run for a skip that is not on the list
	$(BIN)/python -m pytest --durations=15

fuzz: ## Try the property tests with new random examples
	@scripts/setup.sh test
	KEEPWALL_FUZZ=1 $(BIN)/python -m pytest -m "not real"

bench: ## Measure every figure that the documents quote
	@scripts/setup.sh test
	@for each in benchmarks/*.py; do echo "== $$each"; $(BIN)/python "$$each" || echo "== ended with $$?"; done

lock: ## Lock the dependencies again; make lock UPGRADE=--upgrade raises them
	scripts/lock.sh $(UPGRADE)

docs: ## Draw the generated pictures again
	@scripts/setup.sh test
	$(BIN)/python scripts/architecture.py

clean: ## Remove everything that was set up or built here
	rm -rf .venv build dist node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache src/keepwall/server/console/static/vendor
	find src tests benchmarks scripts -name __pycache__ -prune -exec rm -rf {} +
