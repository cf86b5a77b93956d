#!/usr/bin/env bash
# Everything that CI runs, cheap checks first, with the seconds that each part takes.
# A part that fails stops the run. `make test` sets up the environment and calls this.
set -uo pipefail
cd "$(dirname "$0")/.."
export VIRTUAL_ENV="$PWD/.venv" PATH="$PWD/.venv/bin:$PATH" NO_COLOR=1 ORT_DISABLE_TELEMETRY=1
export CHECKREIN_CACHE=off # compile what is tested, and leave the user's folder alone
unset PYTHONPATH
# Where the simulator, the property tests and the random runs begin; scripts/seed.py says why there.
CHECKREIN_SEED=${CHECKREIN_SEED:-$(python scripts/seed.py)}
export CHECKREIN_SEED PROPTEST_RNG_SEED=$CHECKREIN_SEED
printf 'seed %s (`CHECKREIN_SEED=%s make test` repeats all of this)\n' "$CHECKREIN_SEED" "$CHECKREIN_SEED"

REDIS="--features checkrein-stores/redis" # the wheel has it, the crate alone has not
times=()
part() {
    local name=$1 begun=$SECONDS
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    if ! "$@"; then
        printf '\nFAILED: %s (after %d s); to repeat it:\n' "$name" $((SECONDS - begun)) >&2
        printf 'CHECKREIN_SEED=%s PROPTEST_RNG_SEED=%s %s\n' "$CHECKREIN_SEED" "$PROPTEST_RNG_SEED" "$*" >&2
        exit 1
    fi
    times+=("$(printf '%5d s  %s' $((SECONDS - begun)) "$name")")
}

part "format of the Rust code" cargo fmt --all --check
part "format of the benchmark's Rust code" cargo fmt --check --manifest-path tests/bench/rust/Cargo.toml
part "lint of the Python code" ruff check --quiet .
part "types of the Python code" mypy
part "lint of the Rust code" cargo clippy --quiet --workspace --all-targets $REDIS -- -D warnings
part "tests of the Rust code" cargo test --quiet --workspace $REDIS
# Without the engines beside it, which take minutes to build.
part "our side of the benchmark in Rust" cargo check --quiet --locked --lib --no-default-features \
    --manifest-path tests/bench/rust/Cargo.toml --target-dir target
part "the door for C, with both libraries" scripts/test_c.sh
part "the ledger under a simulator" cargo run --quiet --release -p checkrein-sim -- --seeds 5000 \
    --first "$CHECKREIN_SEED"
# Always from the first seed on: this is a test of the simulator.
part "each deliberate bug is caught" cargo run --quiet --release -p checkrein-sim -- --flaws
part "instructions and allocations of a decision" python scripts/instructions.py
part "tests in Python" pytest -q --durations=5 tests
part "the wheel in a new environment" bash scripts/test_wheel.sh

printf '\nseconds a part:\n'
printf '%s\n' "${times[@]}"
printf '%5d s  in all\n' "$SECONDS"
