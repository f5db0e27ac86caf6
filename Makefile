# Two commands set everything up and go: `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= report
PEERS ?= build/peers
PEERS_PYTHON ?= python3.11

.PHONY: run test test-all lint bench bench-peers clean
.DELETE_ON_ERROR:

run: $(VENV)/.installed
	$(BIN)/pulsetrain run --out $(OUT)

# Random programs are the same in every run of `test`, and others in every run of `test-all`.
test: lint
	$(BIN)/python -m pytest -n 2 -m "not slow" --hypothesis-profile=ci

test-all: lint
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml setup.py $(wildcard simulator/*/native/*)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info report simulator/numerics/*.so

# BENCH: names of benches, all unless given. Variables that pin BLAS to slower kernels are left out.
BENCH_PYTHON := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE PULSETRAIN_PEERS=$(PEERS) $(BIN)/python

bench: $(VENV)/.installed-test
	$(BENCH_PYTHON) -m tests.bench $(BENCH) --json build/bench.json

# SCALE-Sim 3 in an environment of its own, for it needs an older NumPy; then the rows that compare with it.
bench-peers: $(VENV)/.installed-test $(PEERS)/.installed
	$(BENCH_PYTHON) -m tests.bench peers --json build/bench-peers.json

$(PEERS)/.installed:
	$(PEERS_PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check 'scalesim==3.0.0' 'numpy<2.4'
	touch $@
