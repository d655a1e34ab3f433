# Two commands do everything, set-up included:  make demo  and  make test
#
# The set-up is a virtual environment in .venv with the project in it, editable.  It
# is made again only when setup.cfg changes.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ONCE ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo chat test unit integration faults bench lint format types \
	protos docs package tox clean stack-install stack-up stack-down test-stack

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## the virtual environment (all others make it when it is missing)

# compat: the plain editable install hides twisted/plugins from twistd.
$(READY): setup.cfg
	@python=$$(./tools/find_python $(PYTHON)) && \
	echo "== set-up: $(VENV) with $$python" && \
	"$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--config-settings editable_mode=compat --editable '.[dev]'
	@touch $@

demo: $(READY) ## both daemons and two users who talk; ONCE=1: ends by itself
	$(BIN)/wsmsg demo $(if $(ONCE),--once) $(ARGS)

test: $(READY) ## every check and every test; ends with "N passed, N failed, N skipped"
	$(BIN)/python tests/run.py $(ARGS)

unit: $(READY) ## only the quick tests
	$(BIN)/python tests/run.py unit

integration: $(READY) ## only the tests with real daemons
	$(BIN)/python tests/run.py integration

faults: $(READY) ## daemons killed under load, for longer than make test does it
	WSMSG_FAULTS=long $(BIN)/python tests/run.py faults

stack-install: $(READY) ## Kafka, a server with MongoDB's protocol, Redis: what is missing of them
	$(BIN)/python -m tools.stack install

stack-up: $(READY) ## start them, on loopback
	$(BIN)/python -m tools.stack up

stack-down: $(READY) ## end them; what they keep stays
	$(BIN)/python -m tools.stack down

test-stack: stack-install ## only the tests with real servers, which must be there
	WSMSG_STACK=required $(BIN)/python tests/run.py stack

bench: $(READY) ## throughput, latency, CPU and memory beside a bare echo server
	$(BIN)/wsmsg bench $(ARGS)

lint: $(READY) ## ruff: rules and layout
	$(BIN)/python tests/run.py lint format

format: $(READY) ## have ruff lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## mypy, strict
	$(BIN)/python tests/run.py types

protos: $(READY) ## wsmsg/rpc from protos/
	$(BIN)/python tools/make_rpc.py

docs: $(READY) ## the tables in docs/ that say what the code says
	$(BIN)/python tools/make_tables.py

package: $(READY) ## the wheel, in dist/
	$(BIN)/python -m build --wheel

tox: $(READY) ## lint, types, tests with coverage, package, docs, news: each in its own environment
	$(BIN)/tox $(ARGS)

clean: ## remove what was made, the virtual environment too
	rm -rf $(VENV) .tox build dist *.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis .coverage*
