# What people and CI both run. Every target installs what it needs into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: venv demo test check bench cases chaos alerts-check clean

venv: $(STAMP)  ## Weir and its libraries, for `. .venv/bin/activate`

demo: $(STAMP)  ## the whole path on a half-hour talk: embedded Valkey, one Celery worker, the bundled model
	$(BIN)/weir demo $(ARGS)

# Tests wait for servers and workers more than they compute: more at a time than there are cores. They
# start many processes, which read what the first one has compiled, whatever the shell says of that.
test: $(STAMP)  ## every test, four at a time; starts what it needs
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

# vermin takes every .decode for that of strings in Python 2: excluded.
check: $(STAMP)  ## style, types, and nothing that the oldest Python we promise does not have
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vermin -q --no-tips --violations -t=3.10- --exclude str.decode engine worker ops tests

bench: $(STAMP)  ## side-by-side speed figures; the last line is JSON
	$(BIN)/weir bench $(ARGS)

cases: $(STAMP)  ## 10,000 talks of a recogniser that rewrites itself: every word once
	WEIR_TEST_CASES=10000 $(BIN)/pytest -n 2 tests/worker/views/settling $(ARGS)

chaos: $(STAMP)  ## workers and servers are killed, frozen and lied to; exit 1 if a word is lost or comes twice
	$(BIN)/python -m tests.chaos $(ARGS)

alerts-check: $(STAMP)  ## every alert fired and cleared, in a Prometheus and an Alertmanager of its own
	$(BIN)/python -m ops.alerts_check $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# What can go wrong on a fresh machine is said in one line; all that pip said is in its log.
PIP_LOG := $(VENV)/pip.log
NO_VENV = "$(PYTHON) cannot make virtual environments (no ensurepip). On Debian and Ubuntu:" \
  "apt install python3-venv; elsewhere name another Python: make PYTHON=... $(MAKECMDGOALS)"
NO_NETWORK = "pip cannot reach its package index. Is there a network? Behind a proxy set HTTPS_PROXY," \
  "for an index of your own PIP_INDEX_URL; then again: make $(MAKECMDGOALS) (more in $(PIP_LOG))"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	  || { echo "Weir needs Python 3.10 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing Weir and its libraries into $(VENV) (about a minute; torch is the large one) ..."
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null && $(PYTHON) -m venv $(VENV) >/dev/null \
	  || { echo $(NO_VENV); exit 1; }
	@$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e '.[dev]' >$(PIP_LOG) 2>&1 \
	  || { if grep -q "after connection broken" $(PIP_LOG); then echo $(NO_NETWORK); \
	       else echo "pip failed: $$(grep -m 1 ^ERROR $(PIP_LOG)) (more in $(PIP_LOG))"; fi; exit 1; }
	@touch $@
