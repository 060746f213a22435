# Everything a newcomer types: make demo, make test. Everything CI runs: make check test test-real.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# PyTorch's index of CPU builds; `make TORCH_INDEX=` takes torch from the default index (on Linux that brings CUDA).
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-real bench check install clean

demo: $(VENV)/.demo
	$(BIN)/handful demo

test: $(VENV)/.test
	$(BIN)/pytest

test-real: $(VENV)/.test
	$(BIN)/pytest -m real

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks.engines

check: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

install: $(VENV)/.demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.torch: constraints.txt | $(BIN)/python
	$(INSTALL) --no-deps --retries 1 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/.torch
	$(INSTALL) --editable '.[demo]'
	touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.torch
	$(INSTALL) --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache
