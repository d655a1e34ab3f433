# Two commands do everything, including the set-up:  make demo  and  make test
#
# The set-up is a virtual environment in .venv with an editable install of the project.
# It is renewed only when setup.cfg or the project file of the client changes.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ONCE ?=
MINUTES ?= 60
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit integration typescript faults bench lint format \
	types protos pages vectors docs site helm-install package tox clean soak start-orders stack-install stack-up stack-down \
	test-stack

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## create the virtual environment (every other target does so if needed)

# compat: a plain editable install hides twisted/plugins from twistd.
$(READY): setup.cfg clients/python/pyproject.toml
	@python=$$(./tools/find_python $(PYTHON)) && \
	echo "== set-up: $(VENV) with $$python" && \
	"$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--config-settings editable_mode=compat --editable clients/python --editable '.[dev]'
	@touch $@

demo: $(READY) ## run both daemons and two users who talk; ONCE=1: end by itself
	$(BIN)/wsmsg demo $(if $(ONCE),--once) $(ARGS)

test: $(READY) ## run all checks and tests; ends with "N passed, N failed, N skipped"
	$(BIN)/python tests/run.py $(ARGS)

unit: $(READY) ## run only the quick tests
	$(BIN)/python tests/run.py unit

integration: $(READY) ## run only the tests with real daemons
	$(BIN)/python tests/run.py integration

typescript: $(READY) ## build and test the TypeScript client; needs Node 20 and Chromium
	WSMSG_NODE=required $(BIN)/python tests/run.py typescript browser

soak: $(READY) ## put load with churn on both daemons for MINUTES (60); memory, files, threads, disk and times must stay flat
	WSMSG_SOAK=$(MINUTES) $(BIN)/python tests/run.py soak

faults: $(READY) ## inject faults under load, for MINUTES (60), half on each backend
	WSMSG_FAULTS=$$(($(MINUTES) / 2)) $(BIN)/python tests/run.py faults stack-faults

start-orders: $(READY) ## start Kafka, MongoDB, Redis, a Message and a Connect in all 120 orders
	WSMSG_STACK=required WSMSG_ORDERS=120 $(BIN)/python -m twisted.trial --reactor=asyncio tests.stack.faults.test_start_orders

stack-install: $(READY) ## install Kafka, a server with MongoDB's protocol, and Redis, as far as missing
	$(BIN)/python -m tools.stack install

stack-up: $(READY) ## start these servers, on loopback
	$(BIN)/python -m tools.stack up

stack-down: $(READY) ## stop these servers; their data stays
	$(BIN)/python -m tools.stack down

test-stack: stack-install ## run only the tests with real servers; a missing server is a failure
	WSMSG_STACK=required $(BIN)/python tests/run.py stack stack-faults

bench: $(READY) ## measure throughput, latency, CPU and memory against a bare echo server
	$(BIN)/wsmsg bench $(ARGS)

lint: $(READY) ## check rules and layout with ruff
	$(BIN)/python tests/run.py lint format

format: $(READY) ## format the code with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## check types with mypy, strict
	$(BIN)/python tests/run.py types

protos: $(READY) ## generate the modules *_pb2 from protos/
	$(BIN)/python tools/make_rpc.py
	$(BIN)/python -m tools.make_typescript
	$(BIN)/python -m tools.check_protos

pages: $(READY) ## build the chat page into wsmsg/connect/pages; needs Node 20
	$(BIN)/python -m tools.typescript
	$(BIN)/python -m tools.make_pages

vectors: $(READY) ## fill in protos/vectors with what the Python client does
	$(BIN)/python tools/make_vectors.py

docs: $(READY) ## generate the tables and schemas in docs/ from the code
	$(BIN)/python tools/make_tables.py
	$(BIN)/python -m tools.schemas

site: $(READY) ## build the documentation as a site, in build/site, and check its links
	$(BIN)/python -m tools.make_site

helm-install: $(READY) ## build Helm with Go, for the tests of the chart, if it is missing
	$(BIN)/python -m tools.helm

package: $(READY) ## build the packages of a release in dist/, check them, list what is in them
	$(BIN)/python -m tools.package

tox: $(READY) ## run lint, types, tests with coverage, package, docs, news, each in its own environment
	$(BIN)/tox $(ARGS)

clean: ## remove everything generated, including the virtual environment
	rm -rf $(VENV) .tox build dist *.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis .coverage*
