# Each target is complete by itself on a fresh machine with Python >= 3.11, a C++ compiler and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: demo ensembles test test-slow check format clean

demo: $(VENV)/installed  ## run the embedded demo campaigns, cells and a circuit (or resume them)
	$(BIN)/rheobase run demo --out demo
	$(BIN)/rheobase run demo_circuit --out demo/circuit
	@echo "Open $(CURDIR)/demo/report.html (cells) and $(CURDIR)/demo/circuit/report.html (a circuit)"

ETYPES := $(basename $(notdir $(wildcard campaigns/library/etype_*.yaml)))

ensembles: $(VENV)/installed  ## fit the cell types of the library anew: half an hour on 2 cores (or resume)
	for name in $(ETYPES); do \
	  $(BIN)/rheobase run $$name --out ensembles/$$name && \
	  cp ensembles/$$name/ensemble.json campaigns/library/ensembles/$$name.json || exit 1; \
	done

test: $(VENV)/installed-development  ## the fast tests
	$(PYTEST) -n 2 --dist loadfile

test-slow: $(VENV)/installed-development  ## real fits: minutes to an hour
	$(PYTEST) -m slow

check: $(VENV)/installed-development  ## static checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=.dev $(BIN)/lint-imports

format: $(VENV)/installed-development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "rheobase needs Python 3.11 or newer; say which one with: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing: apt install python3-venv"; exit 2; }
	@touch $@

$(VENV)/installed: pyproject.toml | $(VENV)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-development: pyproject.toml | $(VENV)/python
	$(BIN)/python -m pip install --quiet --editable '.[development,dashboard]'
	@touch $@ $(VENV)/installed
