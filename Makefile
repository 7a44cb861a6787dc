# What people and CI both run. Every target installs what it needs into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: venv demo test check bench clean

venv: $(STAMP)  ## Weir and its libraries, for `. .venv/bin/activate`

demo: $(STAMP)  ## the whole path on a half-hour talk: embedded Valkey, one Celery worker, the bundled model
	$(BIN)/weir demo $(ARGS)

test: $(STAMP)  ## every test; starts what it needs
	$(BIN)/python -m pytest $(ARGS)

check: $(STAMP)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)  ## side-by-side speed figures; the last line is JSON
	$(BIN)/weir bench $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "Weir needs Python 3.10 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing Weir and its libraries into $(VENV) (about a minute; torch is the large one) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
