# Set-up, tests and checks. Needs make and Python 3.11 to 3.13; everything else comes from the lock files.
#
#   make demo      a spoken conversation, offline; writes demo-out/
#   make test      the suite
#   make coverage  branch coverage of kernel, actors and drop-ins, with its gate
#   make check     lint, format, types, levels, promises, docs
#   make conformance  what each provider must do: the table provider x check
#   make peer      the same programs on livekit-agents and on ours
#   make every-index  each fault at each index, a close at each message with each actor blocked, 1,000 sessions
#   make soak      60 rooms that talk for half an hour with faults, and what must not grow
#   make sigterm   SIGTERM to a process with a hundred rooms that talk
#   make mutants   removes each guard and shows that its test fails
#   make order-mutants  seeds faults of order and shows that exploration finds them
#   make evals     the conversations of examples/evals, in virtual time
#   make serve     rooms over HTTP, on this machine
#   make fuzz-http  the HTTP API under schemathesis
#   make demo-replay  records the demo, replays it, and a part of it cut by kill -9
#   make explore   scenarios in 20,000 orders, with every promise checked
#   make bench     kernel benchmark
#   make help      all targets

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

# The suite starts some hundred interpreters: without byte code on disk each compiles anew what it imports.
unexport PYTHONDONTWRITEBYTECODE

VENV ?= .venv
OUT ?= demo-out
ARGS ?=
UV_VERSION := 0.13.9
BIN := $(VENV)/bin

# The first interpreter that is new enough, has wheels for every extra and can make an environment. Override: make PYTHON=...
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1 \
	&& { command -v $$python; break; }; done)

DEMO := $(VENV)/.ready-demo
DEV := $(VENV)/.ready-dev

# $(call install,<environment>,<arguments>): uv where it works, else pip; both check the hashes of the lock.
install = { test -x $(BIN)/uv && $(BIN)/uv pip install --quiet --python $(1)/bin/python $(2); } \
	|| { echo "make: installing with pip instead of uv" >&2; $(1)/bin/python -m pip install --quiet $(2); }

# A stamp is written last, so an interrupted or failed set-up is simply done again.
define set_up
	@rm -f $@
	@if [ -d $(VENV) ] && ! $(BIN)/python -m pip --version >/dev/null 2>&1; then rm -rf $(VENV); fi
	@if [ ! -d $(VENV) ]; then \
		if [ -z "$(PYTHON)" ]; then \
			echo "make: no Python 3.11, 3.12 or 3.13 with venv and ensurepip found (Debian: apt-get install python3-venv)." >&2; \
			echo "make: name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
		echo "make: new environment $(VENV) with $(PYTHON)"; \
		"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); echo "make: $(PYTHON) could not make $(VENV)." >&2; exit 1; }; fi
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv==$(UV_VERSION) || echo "make: uv could not be installed" >&2
	@echo "make: installing $(1)"
	@{ $(call install,$(VENV),-r $(1)); } && { $(call install,$(VENV),--no-deps -e .); } || { \
		echo "make: set-up failed: $(1) could not be installed into $(VENV) (the cause is above; is the package index reachable?)." >&2; \
		echo "make: nothing is marked as ready; the same command tries again, 'make clean-venv' starts over." >&2; exit 1; }
	@$(BIN)/python --version > $@
endef

$(DEMO): requirements-demo.lock pyproject.toml
	$(call set_up,requirements-demo.lock)

$(DEV): requirements.lock pyproject.toml
	$(call set_up,requirements.lock)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

.PHONY: setup
setup: $(DEV) ## environment with all extras and the development tools

.PHONY: demo
demo: $(DEMO) ## a spoken conversation, offline; writes demo-out/ (OUT=)
	$(BIN)/sessionactors demo --out $(OUT) $(ARGS)

# Processes that run tests: one more than two cores, because some tests wait. 0 runs them in this one, for a debugger.
WORKERS ?= 3
# Each worker gets its share at once and in order, so a module's fixture is made once; who is done takes from the others.
WORKED = --numprocesses=$(WORKERS) --dist=worksteal

.PHONY: test
test: $(DEV) ## the suite; ARGS="-k name -x" narrows it
	$(BIN)/pytest $(WORKED) $(ARGS)

# Tracing makes a test three times as slow, so what is only a repetition (other seeds, faults and loops) is left out.
TRACED ?= tests/actors tests/drop_ins tests/runtime tests/session
REPEATED ?= any_order or always or whenever or seed or uvloop or random_faults or killed_actor or private_fields or waits_already

.PHONY: coverage
coverage: $(DEV) ## branch coverage of kernel, actors and drop-ins, with its gate
	$(BIN)/coverage erase
	$(BIN)/pytest $(WORKED) --cov --cov-report= $(TRACED) -k "not ($(REPEATED))" -p no:randomly
	$(BIN)/python tests/coverage_gate.py

.PHONY: conformance
conformance: $(DEV) ## what each provider must do: the table provider x check; ARGS="--json" for programs
	$(BIN)/python -m sessionactors.cli conformance $(ARGS) \
	  $(patsubst tests/conformance/%.py,tests.conformance.%,$(sort $(wildcard tests/conformance/rigs_*.py))) 2>/dev/null

PEER_VENV ?= .venv-peer

$(PEER_VENV)/.ready: requirements-peer.lock $(DEV)
	@rm -rf $(PEER_VENV) && $(BIN)/python -m venv $(PEER_VENV)
	@{ $(call install,$(PEER_VENV),-r requirements-peer.lock); } && touch $@

.PHONY: peer
peer: $(PEER_VENV)/.ready ## the same programs on livekit-agents, in an environment of its own, and on ours
	PEER_VENV=$(PEER_VENV) $(BIN)/pytest tests/peer $(ARGS)

.PHONY: every-index
every-index: $(DEV) ## each fault at each index, close at each message, 1,000 sessions; ARGS="signals --one-of 20"
	$(BIN)/python -m tests.every_index $(ARGS)

MINUTES ?= 30
ROOMS ?= 60

.PHONY: soak
soak: $(DEV) ## rooms that talk, opened and closed for MINUTES=30, ROOMS=60 at once, with faults: does anything grow?
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) --rooms $(ROOMS) $(ARGS)

.PHONY: sigterm
sigterm: $(DEV) ## SIGTERM to a process with 100 rooms that talk: who is refused, who hears what, when all is over
	$(BIN)/python -m benchmarks.sigterm $(ARGS)

.PHONY: mutants
mutants: $(DEV) ## removes each guard by a patch and shows that its named test fails
	$(BIN)/python tests/mutants/run.py $(ARGS)

# Requests of each kind, allowed and forbidden, to each operation.
EXAMPLES ?= 200

.PHONY: fuzz-http
fuzz-http: $(DEV) ## the HTTP API under schemathesis: nothing that is sent is a fault of ours; EXAMPLES= of each kind
	$(BIN)/python -m tests.service.fuzzed --examples $(EXAMPLES) $(ARGS)

.PHONY: serve
serve: $(DEV) ## rooms in a FastAPI service, on this machine; /docs shows its API
	$(BIN)/python examples/fastapi_service.py

# Orders for each scenario of the catalogue, and processes.
SCHEDULES ?= 500
JOBS ?= 2

.PHONY: explore
explore: $(DEV) ## scenarios in 20,000 orders, with every promise checked; SCHEDULES= for each, JOBS= processes
	$(BIN)/python -m sessionactors.cli explore tests.exploration.catalogue --schedules $(SCHEDULES) --jobs $(JOBS) $(ARGS)

.PHONY: order-mutants
order-mutants: $(DEV) ## seeded faults that only exploration finds: how many schedules each strategy needs
	$(BIN)/python tests/mutants/orders.py $(ARGS)

.PHONY: evals
evals: $(DEV) ## the conversations of examples/evals, in virtual time; ARGS="--real-time --parallel 2"
	$(BIN)/sessionactors eval $(ARGS) $(sort $(wildcard examples/evals/*.yaml))

.PHONY: demo-replay
demo-replay: $(DEV) ## records the demo, replays it, replays it cut by kill -9 and by a changed handler; a minute
	$(BIN)/python -m tests.journal.demo_replay $(ARGS)

.PHONY: bench
bench: $(DEV) ## kernel benchmark against Pykka threads and asyncio queues
	$(BIN)/python benchmarks/kernel.py $(ARGS)

.PHONY: check
check: $(DEV) ## all that is below up to docs; goes on after a failure, to tell them all
	@$(MAKE) --no-print-directory --keep-going lint types levels promises surface pages audit docs

.PHONY: lint
lint: $(DEV) ## ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: $(DEV) ## mypy, strict
	$(BIN)/mypy

.PHONY: levels
levels: $(DEV) ## import-linter: imports go only downward
	$(BIN)/lint-imports

.PHONY: promises
promises: $(DEV) ## the table of promises names the tests that exist
	$(BIN)/python docs/promise_table.py

.PHONY: surface
surface: $(DEV) ## the tables of the surface and of the fragilities name what exists
	$(BIN)/python docs/surface_table.py

.PHONY: audit
audit: $(DEV) ## the lock is what pyproject.toml asks for; no advisory against it, where a database can be reached
	$(BIN)/python tests/dependency_audit.py

.PHONY: pages
pages: $(DEV) ## the table of log events and the schema of session reports are those of the code
	$(BIN)/python docs/log_events.py
	$(BIN)/python docs/report_schema.py

.PHONY: docs
docs: $(DEV) ## the site, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.PHONY: format
format: $(DEV) ## ruff: fix and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: smoke
smoke: $(DEV) ## the built wheel, with no extra, imports and answers in an environment of its own
	@work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && set -e && \
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir "$$work" . && \
	$(BIN)/python -m venv "$$work/venv" && \
	sed -n 's/ *\\$$//; /^[a-z]/p' requirements-demo.lock > "$$work/versions" && \
	{ $(call install,"$$work/venv",--constraint "$$work/versions" "$$work"/*.whl); } && \
	cd "$$work" && venv/bin/python -I -W error -c 'import sessionactors' && venv/bin/sessionactors --help >/dev/null && \
	echo "make: the wheel imports and answers without extras"

COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: lock
lock: ## pins everything anew: requirements.lock, its part for the demo, and the peer
	@test -x $(BIN)/uv || { "$(PYTHON)" -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv==$(UV_VERSION); }
	$(COMPILE) --upgrade --all-extras --group dev --output-file requirements.lock
	echo "livekit-agents" | $(BIN)/uv pip compile - --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file requirements-peer.lock
	$(COMPILE) --upgrade --constraint requirements.lock --extra offline --extra offline-tts-gpl --extra uvloop \
		--output-file requirements-demo.lock

.PHONY: clean
clean: ## what builds, tests and the demo wrote
	rm -rf build dist site $(OUT) .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src actors examples tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: clean-venv
clean-venv: ## the environment
	rm -rf $(VENV) $(PEER_VENV)
