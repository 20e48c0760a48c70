# Every target works from a fresh clone; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
SET ?= local
JOBS ?= 2
PROFILE ?= plain
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m omnify_local
LOCAL := deploy/local
FUNCTIONS := deploy/functions
MEMBERS := shared $(patsubst %/,%,$(dir $(wildcard services/*/pyproject.toml))) $(LOCAL) $(FUNCTIONS)
PYTEST := $(BIN)/python -m pytest

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/uv: $(LOCAL)/omnify_local/wheels/uv.txt
	@command -v $(PYTHON) >/dev/null || { echo "omnify: no $(PYTHON): install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "omnify: $(PYTHON) is $$($(PYTHON) -V): Python 3.11 or newer is needed (make PYTHON=python3.12 ...)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "omnify: no virtual environment (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.installed: $(BIN)/uv requirements.txt pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS))
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ,$(MEMBERS))
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## Install the locked requirements and the workspace, and make secrets
	@$(RUN) secrets

.PHONY: up
up: install ## Run the platform until Ctrl-C (SET=a folder of components/, PROFILE=secure)
	@exec $(RUN) up --set $(SET) --profile $(PROFILE)

.PHONY: app
app: install ## A sidecar for an app of yours beside `make up` (APP=name PORT=7010 TOPICS="auth-events")
	@exec $(RUN) app "$(APP)" $(if $(PORT),--port $(PORT)) $(foreach topic,$(TOPICS),--topic $(topic))

.PHONY: monitor
monitor: install ## Run Prometheus beside `make up`, on the rules of deploy/monitoring
	@exec $(RUN) monitor

.PHONY: demo
demo: install data ## The tour against a running platform: sign up, verify, import, numbers
	@$(BIN)/python -m omnify_local.demo

.PHONY: bench
bench: install data ## Speed as ratios in one run, on all sets or SET=…, all parts or ONLY=…; also .omnify/bench.json
	@$(BIN)/python tests/perf/bench.py $(if $(filter file,$(origin SET)),,--set $(SET)) \
		$(if $(ONLY),--only $(ONLY)) $(if $(SIZES),--sizes $(SIZES))

.PHONY: profile
profile: install ## Where the CPU of the hot paths goes, in services and sidecars (ONLY=me,login,import,events)
	@$(BIN)/python tests/perf/profile.py $(if $(ONLY),--only $(ONLY))

.PHONY: data
data: install ## Fetch the real order files (CDNOW; Fader and Hardie, brucehardie.com)
	@$(RUN) data

.PHONY: test
# A test that hangs takes its worker along: a signal ends whatever task runs just then, and the hang may go on.
test: install data ## Everything that proves the project (SET=... for one component set)
	@$(RUN) system
	@$(RUN) tools
	@$(PYTEST) --numprocesses $(JOBS) --dist loadgroup --timeout-method thread $(if $(filter file,$(origin SET)),,--set $(SET))

.PHONY: mutants
mutants: install ## Small defects in token, session, role and tenancy rules: what part the unit tests notice (30 min at most)
	@$(BIN)/python tests/mutants/run.py

# The reference set unless one is asked for; the whole run is bounded.
FAULTS_SET = $(if $(filter file,$(origin SET)),mongo-kafka,$(SET))
.PHONY: faults
faults: install ## Break parts under load and check the books (SEED=n, ONLY=R3,R4, SET=..., POINTS=files. of R7); also .omnify/faults.json
	@$(RUN) system
	@$(RUN) tools
	@FAULTS_SCALE=full FAULTS_SEED=$(SEED) FAULTS_ONLY=$(ONLY) FAULTS_POINTS=$(POINTS) $(PYTEST) -q --set $(FAULTS_SET) --timeout 600 \
		--session-timeout 3000 tests/faults/drills

.PHONY: soak
soak: install ## Minutes of mixed traffic with faults: nothing lost, nobody grows (SOAK=minutes, 5 unless said)
	@$(RUN) system
	@$(RUN) tools
	@FAULTS_SCALE=full FAULTS_SEED=$(SEED) FAULTS_ONLY=R16 FAULTS_SOAK=$(SOAK) $(PYTEST) -q --set $(FAULTS_SET) \
		tests/faults/drills

.PHONY: check
check: install ## Lint, format, types, architecture, contracts, locks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory types
	@$(PYTEST) -q tests/architecture
	@$(BIN)/python -m omnify_local.contracts --check
	@$(BIN)/python -m omnify_local.access --check
	@$(RUN) check-locks

.PHONY: types
types: install ## mypy in strict mode, part by part (each has a package called tests)
	@set -e; for part in $(MEMBERS) tests conftest.py; do $(BIN)/mypy --no-error-summary $$part; done

.PHONY: format
format: install ## Format and fix what can be fixed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: matrix
matrix: install ## Write docs/component-sets.md from the last `make test` on all sets
	@$(BIN)/python -m omnify_local.matrix

.PHONY: contracts
contracts: install ## Write the event schemas, AsyncAPI and OpenAPI documents of docs/contracts
	@$(BIN)/python -m omnify_local.contracts

.PHONY: access
access: install ## Write the allow lists of the locked-down profile and docs/permissions.md
	@$(BIN)/python -m omnify_local.access

.PHONY: golden
golden: install ## Write the golden files of documents and events that have none yet
	@$(BIN)/python tests/contracts/make_golden.py

.PHONY: lock
lock: install ## Renew the requirement locks (UPGRADE=1 takes the newest versions)
	@$(RUN) lock $(if $(UPGRADE),--upgrade)

.PHONY: functions
functions: install ## Write the functions' source folders for Google Cloud Functions and AWS Lambda (.omnify/functions)
	@$(RUN) functions

.PHONY: clean
clean: ## Drop data, secrets and logs (.omnify/, .dapr/); the environment and the user's cache stay
	@pid=$$(cat .omnify/up.pid 2>/dev/null); if [ -n "$$pid" ] && kill -0 "$$pid" 2>/dev/null; then \
		echo "omnify: the platform runs (pid $$pid): stop it first" >&2; exit 1; fi
	@rm -rf .omnify .dapr
