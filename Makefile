# Dabir. `make help` lists what a person may want; a target's line after ## is its help.
# Needs Python >= 3.11, make and git. Everything else comes from the package index into .venv.

PYTHON ?= python3
UV_VERSION := 0.9.11
VENV := .venv
RUN := $(VENV)/bin/python
SYNCED := $(VENV)/.synced

# INPUT=dir (demo): the files of that folder as annexes.  KEEP=1 (demo): the stack stays up.
# ROOM=unit (test): one room of tests/.  REPLICAS=2 (up): two of each service.  DABIR_STACK=dir: another stack's state.
# S3=config.toml (doctor): the object store that this configuration of documents names.
INPUT ?=
KEEP ?=
ROOM ?=
S3 ?=
export REPLICAS ?= 1
export DABIR_STACK ?= .stack
# Bytecode is kept whatever the shell says: without it every process compiles all it imports anew, for more than a second.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo up down clean test test-readme lint tests protos doctor

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(SYNCED) ## play the plan of letters on a real stack and verify it (INPUT=dir, KEEP=1)
	@$(RUN) -m infra.demo $(if $(INPUT),--input "$(INPUT)") $(if $(KEEP),--keep)

up: $(SYNCED) ## start the stack in the background; says when it is ready (REPLICAS=2, DABIR_STACK=dir)
	@$(RUN) -m infra.local up

down: $(SYNCED) ## stop the stack; its state stays
	@$(RUN) -m infra.local down

clean: $(SYNCED) ## stop the stack and forget its state
	@$(RUN) -m infra.local clean

test: ## everything CI runs: lint, types, imports, generated code, all tests (ROOM=unit: one room)
test: $(if $(ROOM),,lint) tests

test-readme: $(SYNCED) ## run the README's commands and compare what they print; part of `make test`
	$(RUN) -m infra.parts
	$(RUN) -m pytest tests/integration/readme

protos: $(SYNCED) ## regenerate the stubs under protos/gen
	@cd protos && ../$(VENV)/bin/buf lint
	@$(RUN) protos/generate.py

doctor: ## say what is missing or misconfigured, and how to mend it (S3=config.toml: try that object store too)
	@$(PYTHON) -m infra.local.doctor $(if $(S3),--s3 "$(S3)")

lint: $(SYNCED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy dabir services workers infra protos/generate.py tests
	$(VENV)/bin/lint-imports
	cd protos && ../$(VENV)/bin/buf lint
	$(RUN) protos/generate.py --check

# Parts are got first: a build of Temporal takes longer than any test may. Rooms without I/O need none.
# Three processes on two cores: tests wait for servers part of the time. A room that starts servers stays in one of them, and
# long rooms come first (tests/conftest.py): sorted by their number of tests, as pytest-xdist would, they would come last.
tests: $(SYNCED)
	$(if $(filter unit vectors,$(ROOM)),,$(RUN) -m infra.parts)
	$(RUN) -m pytest --numprocesses=3 --no-loadscope-reorder tests/$(ROOM)

# The environment follows the lock file: made once, brought up to date only when the lock or the project changed.
$(SYNCED): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")' >&2
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python cannot make an environment here: make doctor says why." >&2; exit 1; }
	@test "$$($(VENV)/bin/uv --version 2>/dev/null | cut -d' ' -f2)" = $(UV_VERSION) || $(VENV)/bin/pip install --quiet uv==$(UV_VERSION) >&2
	@UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=$(VENV) $(VENV)/bin/uv sync --frozen --quiet >&2
	@touch $@
