# Everything runs from a virtual environment in this checkout, made on first use and made anew whenever pyproject.toml
# changes. Python 3.11 or newer with venv, and make, are all that must be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DRAWING := $(VENV)/.drawing

MAKEFLAGS += --no-print-directory

# $(call quietly,doing what,command): a line of progress, and the command's output only if it fails.
quietly = @echo "$(1) ..."; out=$$($(2) 2>&1) || { status=$$?; printf '%s\n' "$$out"; exit $$status; }

.PHONY: help demo test check lint types structure packages compliance compatibility simulations fuzz attacks bench clean
.DELETE_ON_ERROR:

help:
	@echo "make demo           see lastack at work"
	@echo "make test           every check and every test (as root with the kernel as the peer, too)"
	@echo "make check          format, lint, types and structure"
	@echo "make compliance     docs/compliance.md anew, from what code and tests cite"
	@echo "make compatibility  docs/compatibility.md anew, from what the tests of libraries show"
	@echo "make simulations    20,000 simulated worlds"
	@echo "make fuzz           100,000 fuzz cases against a host"
	@echo "make attacks        the attacks of tests/attacks with two million blind guesses"
	@echo "make bench          lastack beside the kernel, as root: docs/performance.md anew (a quarter of an hour)"
	@echo "make clean          remove what make made"

demo: $(READY)
	@$(BIN)/lastack demo

test: $(READY) lint types packages
	@echo "tests ..."
	@$(BIN)/pytest -q -n auto --dist loadfile --max-worker-restart 0

check: lint types structure

lint: $(READY)
	$(call quietly,format and lint,$(BIN)/ruff format --check . && $(BIN)/ruff check .)

types: $(READY)
	$(call quietly,types,$(BIN)/mypy --strict src)

structure: $(READY)
	$(call quietly,structure,$(BIN)/pytest -q tests/structure)

# The Debian packages that the tests against the kernel use.
packages:
	@sh tests/packages.sh

# What the RFCs ask for, where it is done and which tests show it; fails where a verdict has no evidence.
compliance: $(READY)
	@PYTHONPATH=src $(BIN)/python -m tests.conformance

# Which libraries run on the loops, and which cannot, as their tests say.
compatibility: $(READY)
	@PYTHONPATH=src $(BIN)/python -m tests.aio.libraries

simulations: $(READY)
	@$(BIN)/lastack simulate --count 20000

fuzz: $(READY)
	@$(BIN)/python fuzz/host.py --cases 100000

# Each of twelve blind attacks guesses 170,000 times.
attacks: $(READY)
	@$(BIN)/pytest -q -s tests/attacks --guesses 170000

# On a machine that has nothing else to do.
bench: $(DRAWING) packages
	@$(BIN)/lastack bench --save docs/performance/results.json --page docs/performance.md

clean:
	@rm -rf $(VENV) dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "lastack needs Python 3.11 or newer: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	$(call quietly,making $(VENV),$(PYTHON) -m venv --clear $(VENV))
	$(call quietly,installing the tools into $(VENV) (a minute),\
		$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]')
	@touch $@

$(DRAWING): $(READY)
	$(call quietly,installing matplotlib,\
		$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]')
	@touch $@
