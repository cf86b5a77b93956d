# The project's commands. Each sets up what it needs in .venv/ and target/, and nowhere else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST_SOURCES := $(shell find policy_core/src rust -name '*.rs' 2>/dev/null) \
    Cargo.toml Cargo.lock policy_core/Cargo.toml rust/python/Cargo.toml grammar/rein.lark pyproject.toml
N ?= 100000
PAIRS ?= 2000
SEEDS ?= 5000
STORE ?= sqlite
CALLS ?= 2000000

.DEFAULT_GOAL := help
.PHONY: help demo test bench bench-ledger sim crash evidence evidence-airline evidence-bound evidence-diff evidence-differential evidence-grammar evidence-sim evidence-crash evidence-race lock clean tools

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 26

demo: $(VENV)/.built  ## see eleven failures, without and with a policy (offline)
	@$(BIN)/checkrein demo

test: $(VENV)/.tested-with $(VENV)/.built  ## everything that CI runs
	@scripts/test.sh

bench: $(VENV)/.tested-with $(VENV)/.built  ## our decision beside what others do (ROUNDS=2 to try it); writes docs/benchmarks.md
	@$(BIN)/python -m tests.bench.field.environments
	@$(BIN)/python -m tests.bench --page docs/benchmarks.md \
	    --commit "$$(git describe --always --dirty=+)" --date "$$(date +%F)"

bench-ledger: $(VENV)/.benched-with $(VENV)/.built  ## shared limits, beside what people use instead; writes docs/benchmarks-ledger.md
	@$(BIN)/python -m tests.bench.bench_ledger --page docs/benchmarks-ledger.md \
	    --commit "$$(git describe --always --dirty=+)" --date "$$(date +%F)"

sim: | tools  ## SEEDS simulated runs of many nodes on a store, with crashes and a network that fails
	@cargo run --quiet --release -p checkrein-sim -- --seeds $(SEEDS)

crash: | tools  ## CALLS calls by processes that are killed again and again, on STORE (sqlite or redis)
	@$(PYTHON) scripts/crash.py $(STORE) $(CALLS)

evidence: evidence-airline evidence-bound evidence-diff evidence-differential evidence-grammar evidence-sim evidence-crash evidence-race  ## every expensive check at its full figure; writes docs/evidence.md

evidence-differential: $(VENV)/.tested-with $(VENV)/.built  ## N random runs through both engines
	@$(BIN)/python scripts/evidence.py differential --count $(N)

evidence-bound: $(VENV)/.tested-with $(VENV)/.built  ## N runs of adversaries against the worst case of random policies
	@$(BIN)/python scripts/evidence.py bound --count $(N)

evidence-diff: $(VENV)/.tested-with $(VENV)/.built  ## PAIRS random pairs of policies against what diff tells of them
	@$(BIN)/python scripts/evidence.py diff --count $(PAIRS)

evidence-grammar: $(VENV)/.tested-with $(VENV)/.built  ## N strings that llguidance judges by the grammar, and the parser reads
	@$(BIN)/python scripts/evidence.py grammar --count $(N)

evidence-sim: $(VENV)/.tested-with  ## SEEDS simulated runs, and the seed that catches each deliberate bug
	@$(BIN)/python scripts/evidence.py sim --count $(SEEDS)

evidence-crash: $(VENV)/.tested-with  ## CALLS calls on each store, by processes that are killed
	@$(BIN)/python scripts/evidence.py crash-sqlite --count $(CALLS)
	@$(BIN)/python scripts/evidence.py crash-redis --count $(CALLS)

evidence-race: $(VENV)/.tested-with $(VENV)/.built  ## N approvals that two processes race for
	@$(BIN)/python scripts/evidence.py race --count $(N)

evidence-airline: $(VENV)/.tested-with $(VENV)/.built  ## the recorded airline runs under their policy
	@$(BIN)/python scripts/evidence.py airline --count 100

lock: $(VENV)/.tested-with  ## pin the newest packages that requirements/*.in allow
	@$(BIN)/python -m pip install -q uv
	@for name in demo test bench $(patsubst requirements/%.in,%,$(wildcard requirements/bench/*.in)); do \
	    $(BIN)/uv pip compile -q --upgrade --python-version 3.11 --custom-compile-command "make lock" \
	        requirements/$$name.in -o requirements/$$name.txt; done

clean:  ## remove what was built
	rm -rf $(VENV) target dist .checkrein

tools:
	@scripts/need.sh $(PYTHON)

$(VENV)/.demo-with: requirements/demo.txt | tools
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what the demo needs into $(VENV)/ (once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/demo.txt
	@touch $@

$(VENV)/.tested-with: requirements/test.txt $(VENV)/.demo-with
	@echo "installing the test tools into $(VENV)/ (once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/test.txt
	@touch $@

$(VENV)/.benched-with: requirements/bench.txt $(VENV)/.tested-with
	@echo "installing what the benchmark compares with into $(VENV)/ (once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/bench.txt
	@touch $@

$(VENV)/.built: $(VENV)/.demo-with $(RUST_SOURCES)
	@echo "building the engine (Rust, a minute or two the first time)"
	@VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/maturin develop --release --quiet >$(VENV)/build.log 2>&1 \
	    || { cat $(VENV)/build.log >&2; exit 1; }
	@touch $@
