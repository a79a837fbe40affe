# make demo and make test are the two commands of a fresh machine: each installs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test slow check bench e2e screenshots lock format clean

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Saldo needs Python 3.11 or newer: make install PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || (echo "The Python venv module is missing (on Debian and Ubuntu: apt install python3-venv)"; exit 1)
	@echo "Installing the locked dependencies into $(VENV) (about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock 2>&1 | (grep -v '^WARNING: Location' || true)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: install
	@$(BIN)/saldo demo

test: install
	$(BIN)/python -m pytest -m "not bench and not slow" --numprocesses 2 --dist loadfile tests

# The long simulations: CI runs them after the tests.
slow: install
	$(BIN)/python -m pytest -m slow --numprocesses 2 --dist load tests

e2e: install
	$(BIN)/python -m pytest tests/e2e -rs

check: install
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	SALDO_HOME="$(CURDIR)/.saldo-test" $(BIN)/python -m saldo.config.manage makemigrations --check --dry-run

bench: install
	$(BIN)/python -m benchmarks.run

format: install
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks

screenshots: install
	$(BIN)/python docs/make_screenshots.py

# uv is needed only to renew the lock: pip install uv
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --output-file requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
