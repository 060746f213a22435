# Everything a newcomer types: make demo, make test. Everything CI runs: make check docs wheel-test test test-real.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A process more than cores, for some tests wait; at most four, for each takes some gigabytes. Their threads share the
# cores, so none spins while it waits.
PROCESSES := $(shell $(PYTHON) -c "import os; print(min(4, 1 + (os.cpu_count() or 1)))")
PYTEST := OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest --numprocesses $(PROCESSES) --dist worksteal
# PyTorch's index of CPU builds; `make TORCH_INDEX=` takes torch from the default index (on Linux that brings CUDA).
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
INTO_EMPTY := dist/wheel/env/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-real bench soak check wheel-test docs install clean

demo: $(VENV)/.demo
	$(BIN)/handful demo

test: $(VENV)/.test
	$(PYTEST)

test-real: $(VENV)/.test
	$(PYTEST) -m real

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks.engines

# The long forms of what RELIABILITY.md and SECURITY.md promise: hours.
soak: $(VENV)/.soak
	$(BIN)/python -m benchmarks.soak

check: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Builds the wheel and uses it in an environment that holds nothing else: under dist/, made anew each time.
wheel-test: | $(BIN)/python
	rm -rf dist/wheel
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist/wheel .
	$(PYTHON) -m venv dist/wheel/env
	$(INTO_EMPTY) --no-deps --retries 1 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	$(INTO_EMPTY) dist/wheel/*.whl
	dist/wheel/env/bin/python .ci/wheel.py dist/wheel/*.whl

# The site of documentation, in dist/site: strict, so that a broken link or a wrong docstring stops it.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

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

$(VENV)/.soak: $(VENV)/.test
	$(INSTALL) --editable '.[soak]'
	touch $@

$(VENV)/.docs: pyproject.toml $(VENV)/.torch
	$(INSTALL) --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache
