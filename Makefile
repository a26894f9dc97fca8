# Each target sets up what it needs from Python 3.11+ and pip alone, and does nothing that is already done.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
# Each stamp is as new as the last installation of the requirement file of its name.
MADE := $(VENV)/.made
DEMO := $(VENV)/.demo
DEV := $(VENV)/.dev

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
# The lock files hold the build backend too, so nothing is fetched without its hash.
PROJECT := $(INSTALL) --no-build-isolation --editable .
COMPILE := $(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes \
	--no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

# Debian's Python may come without ensurepip: then the pip outside puts one inside, which an "externally managed"
# installation allows, since it changes nothing of its own.
define new_venv
$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Driftline needs Python 3.11 or newer: make PYTHON=python3.11")' && \
	rm -rf $(1) && { \
	$(PYTHON) -m venv $(1) >/dev/null 2>&1 || { \
		rm -rf $(1) && \
		$(PYTHON) -m venv --without-pip $(1) && \
		$(PYTHON) -m pip --quiet --disable-pip-version-check --python $(1)/bin/python install pip; }; }
endef

.DEFAULT_GOAL := help
.PHONY: help demo warm test chaos test-lowest golden lint format kafka bench lock clean
.DELETE_ON_ERROR:

help:
	@echo "make demo [ARGS=--once]  the whole of Driftline on this machine, no server needed"
	@echo "make test [ARGS=...]     every test, on the embedded servers and on a real Kafka if Java and Maven are here"
	@echo "make chaos [ARGS=NAME]    every fault in its long form against real servers, and what must be found"
	@echo "make test-lowest         the tests with the oldest dependencies that pyproject.toml allows"
	@echo "make lint | format       ruff, mypy and import-linter; format also mends"
	@echo "make kafka [ARGS=--port=9092]  a real Kafka in the foreground"
	@echo "make golden              print how the golden replays have changed, and accept that"
	@echo "make bench [ARGS=NAME]   the benchmarks"
	@echo "make lock                the requirement files again, from pyproject.toml"
	@echo "make clean               remove everything that make has set up"

demo: $(DEMO)
	@$(BIN)/driftline demo $(ARGS)

# What a first run does once, for minutes, and a later one has. Where Kafka's jars cannot be had, pytest says so in its
# summary, once.
warm: $(DEV)
	@$(BIN)/python -m tests.servers.jars 2>/dev/null || true
	@$(BIN)/driftline warm

# Coverage is asked of the whole run only: with ARGS it may be any part of the tests. Three processes for two cores, so that
# no core is idle while a test waits for a server.
test: warm
	@$(BIN)/python -m pytest $(or $(ARGS),--numprocesses=3 --dist=worksteal --cov --cov-report=term)

test-lowest: $(DEV)
	@echo "testing with the oldest dependencies that pyproject.toml allows, in $(LOWEST)"
	@$(call new_venv,$(LOWEST))
	@$(BIN)/python requirements/lowest.py > $(LOWEST)/pins.txt
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(LOWEST)/pins.txt \
		--editable '.[worker,embedded,test]'
	@$(BIN)/python -m tests.servers.jars 2>/dev/null || true
	@$(LOWEST)/bin/driftline warm
	@$(LOWEST)/bin/python -m pytest $(ARGS)

lint: $(DEV)
	@echo "ruff, mypy, import-linter"
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(DEV)
	@echo "formatting"
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

chaos: $(DEV)
	@$(BIN)/python -m tests.chaos $(ARGS)

kafka: $(DEMO)
	@$(BIN)/python -m tests.servers.kafka $(ARGS)

golden: $(DEV)
	@$(BIN)/python -m tests.golden $(ARGS)

bench: $(DEV)
	@$(BIN)/python -m benchmarks $(ARGS)

lock: $(DEV)
	@echo "compiling requirements/*.txt from pyproject.toml"
	@$(COMPILE) --extra=worker --extra=embedded --build-deps-for=editable --output-file=requirements/demo.txt \
		pyproject.toml $(ARGS)
	@$(COMPILE) --extra=worker --extra=embedded --extra=test --extra=lint --constraint=requirements/demo.txt --output-file=requirements/dev.txt \
		pyproject.toml requirements/tools.in $(ARGS)

clean:
	@echo "removing $(VENV), the caches and Kafka's jars"
	@rm -rf $(VENV) $(LOWEST) tests/servers/.jars .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

$(MADE):
	@echo "making the virtual environment $(VENV)"
	@$(call new_venv,$(VENV))
	@touch $@

$(DEMO): requirements/demo.txt pyproject.toml | $(MADE)
	@echo "installing what the demo needs into $(VENV)"
	@$(INSTALL) --require-hashes --requirement requirements/demo.txt
	@$(PROJECT)
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(MADE)
	@echo "installing what development needs into $(VENV)"
	@$(INSTALL) --require-hashes --requirement requirements/dev.txt
	@$(PROJECT)
	@touch $(DEMO) $@
