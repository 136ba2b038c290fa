# Everything a developer runs. Each target makes the environment it needs: Python 3.10 or newer
# and make are enough to begin with.

PYTHON ?= python3
CLIENTS ?= 1000
COUNT ?= 100
SERVER ?=
REPORT ?=
SECONDS ?= 60
TARGETS ?=
MODULES ?=
MINUTES ?=
ROUNDS ?=
WORKS ?=
PEERS ?=
FRESH ?=
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
FUZZER := $(VENV)/.fuzzer
MUTMUT := $(VENV)/.mutmut
PYTEST := $(BIN)/python -m pytest

# Compiling the tests anew takes as long as running them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv test unit loopback interop compiled autobahn fuzz mutants soak bench bench-quick \
	instructions check format lint types fix demo clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

venv: $(INSTALLED)  ## the environment that all others run in

# They say what is to be installed and compiled, so a change of any installs it again.
$(INSTALLED): setup.py pyproject.toml lomond/protocol/_accelerator.c
	@echo "making $(VENV), about half a minute"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[test,load,locust,interop]'
	@touch $@

test: $(INSTALLED)  ## all tests, with their coverage recorded (ARGS= is passed on to pytest)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(ARGS)

unit: $(INSTALLED)  ## the tests without sockets or processes, with fewer random inputs: seconds
	@$(PYTEST) -m 'not loopback' --hypothesis-profile=quick $(ARGS)

loopback: $(INSTALLED)  ## the tests over real sockets, but for those of `interop`
	@$(PYTEST) -m 'loopback and not interop' $(ARGS)

interop: $(INSTALLED)  ## conversations with the servers of other projects: a minute
	@$(PYTEST) -m interop $(ARGS)

# In a copy of the tree: beside the sources the compiled modules would hide what is edited.
COPY := .cache/compiled
COMPILED := tests/rfc6455 tests/rfc7692 tests/public tests/loopback tests/gevent_sessions \
	tests/hostile tests/locust_user tests/locust_stats

compiled: $(INSTALLED)  ## tests of the modules that an installation compiles, compiled
	@rm -rf $(COPY) && mkdir -p $(COPY)
	@git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t $(COPY)
	@$(BIN)/python -m pip wheel -qq --disable-pip-version-check --no-deps -w $(COPY)/dist ./$(COPY)
	@$(BIN)/python -m zipfile -e $(COPY)/dist/*.whl $(COPY)
	@cd $(COPY) && export PYTHONPATH=$$PWD && \
		$(CURDIR)/$(BIN)/python -c 'import lomond.exchange as e; assert "_compiled" in e.__file__' && \
		$(CURDIR)/$(PYTEST) --hypothesis-profile=quick $(or $(ARGS),$(COMPILED))

# SERVER= is the address of a fuzzing server that runs, REPORT= the folder of its report.
autobahn: $(INSTALLED)  ## the suite of all WebSocket clients, both session classes (COUNT=100)
	@$(BIN)/python -m tests.conformance.autobahn --count $(COUNT) \
		$(if $(SERVER),--server $(SERVER)) $(if $(REPORT),--report $(REPORT))

# Apart from the environment, because there are wheels for Linux on x86-64 only.
$(FUZZER): $(INSTALLED)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[fuzz]'
	@touch $@

fuzz: $(FUZZER)  ## atheris, so many seconds on each target (SECONDS=60, TARGETS= for some of them)
	@$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS) $(TARGETS)

# Apart from the environment, for it is much, and nothing else needs it.
$(MUTMUT): $(INSTALLED)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[mutants]'
	@touch $@

# A run that was ended goes on; what was judged is in .cache/mutants.
mutants: $(MUTMUT)  ## is a test missing? The protocol, wrong in one place at a time (MODULES=)
	@nice $(BIN)/python -m tests.mutation.run $(MODULES)

# Ten minutes unless SECONDS= says otherwise.
soak: SECONDS = 600
soak: $(INSTALLED)  ## mixed traffic with both session classes; fails if memory grows (SECONDS=600)
	@$(BIN)/python -m tests.soak --seconds $(SECONDS)

BENCH_OPTIONS = $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WORKS),--works $(WORKS)) \
	$(if $(PEERS),--peers $(PEERS))

bench: $(INSTALLED)  ## all benchmarks, three quarters of an hour (MINUTES=30 for a piece, ROUNDS=3, FRESH=1)
	@$(BIN)/python -m benchmarks full $(if $(MINUTES),--minutes $(MINUTES)) $(if $(FRESH),--fresh) \
		$(BENCH_OPTIONS)

bench-quick: $(INSTALLED)  ## ratios to three others on four works, two minutes (WORKS=, PEERS=, ROUNDS=)
	@$(BIN)/python -m benchmarks quick $(BENCH_OPTIONS)

# Fails when a message costs 5 % more than in benchmarks/instructions/limits.json; ARGS=--set records.
instructions: $(INSTALLED)  ## instructions counted by valgrind for each message (ARGS=--set)
	@$(BIN)/python -m benchmarks.instructions $(ARGS)

# `make test check` runs the tests once: both names ask for the same run.
check: format lint types test  ## all that must hold before a change lands
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report --include='lomond/protocol/*' --fail-under=100
	@$(BIN)/coverage report --fail-under=95

format: $(INSTALLED)  ## part of check: is the code laid out as ruff does it?
	@$(BIN)/ruff format -q --check .

lint: $(INSTALLED)  ## part of check: ruff
	@$(BIN)/ruff check -q .

types: $(INSTALLED)  ## part of check: mypy
	@$(BIN)/mypy --no-error-summary --strict lomond lomond_gevent

fix: $(INSTALLED)  ## lay the code out, and mend what ruff can mend
	@$(BIN)/ruff check -q --fix --exit-zero .
	@$(BIN)/ruff format -q .

demo: $(INSTALLED)  ## a thousand clients at once, against a server of their own (CLIENTS=1000)
	@$(BIN)/lomond-load -c $(CLIENTS) -d 10s --think 100ms \
		--threshold 'connections.opened==$(CLIENTS)' --threshold 'connections.closed==$(CLIENTS)' \
		--threshold "rtt.count>=$$((10 * $(CLIENTS)))" --threshold 'errors==0'

clean:  ## forget everything that was made, the environment too
	@rm -rf $(VENV) .cache build dist *.egg-info .coverage .coverage.* .hypothesis
	@rm -rf .mypy_cache .pytest_cache .ruff_cache
	@rm -f lomond/protocol/*.so
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
