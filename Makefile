# make demo    the main job: the whole story in the terminal, no Slack account
# make test    all tests, with what they need
# Both set up .venv on the first call and only run on the next ones.

# The newest that runs: a version manager's shim may stand on the path for a version that is not installed.
PYTHON ?= $(shell for v in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$v -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$v && break; done)
BIN := .venv/bin

.PHONY: demo test check soak bench lock clean
.DELETE_ON_ERROR:

demo: .venv/.runtime
	@$(BIN)/python -m bot demo

test: check
	@$(BIN)/python -m pytest -n 2

check: .venv/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

soak: .venv/.dev
	@$(BIN)/python -m pytest -m soak

bench: .venv/.dev
	@$(BIN)/python -m bench.pricing
	@$(BIN)/python -m bench.imports
	@$(BIN)/python -m bench.store
	@$(BIN)/python -m bench.digest

.venv/bin/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "claudecost needs Python 3.11 or newer; $(or $(PYTHON),python3) is not. Install one, or run: make PYTHON=/path/to/python3.12 demo" >&2; exit 2; }
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv || { echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }

.venv/.runtime: requirements.txt pyproject.toml | .venv/bin/python
	@echo "Installing what claudecost needs ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --editable .
	@$(BIN)/python -m compileall -q bot
	@touch $@

.venv/.dev: requirements-dev.txt pyproject.toml | .venv/bin/python
	@echo "Installing what the tests need ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --editable .
	@$(BIN)/python -m compileall -q bot
	@touch $@

# Hashed, for every platform, with no index in them.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q pyproject.toml -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q pyproject.toml --group dev -o requirements-dev.txt

clean:
	rm -rf .venv .cache
