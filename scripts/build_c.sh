#!/usr/bin/env bash
# Builds the libraries for programs without Python, libcheckrein_c.a and .so, into target/c/PROFILE.
# `scripts/build_c.sh [PROFILE] [FEATURES]`: `dev` or `release`, and stores such as `sqlite,redis`.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${1:-release}
cargo rustc --quiet -p checkrein-c --profile "$profile" --features "library${2:+,$2}" \
    --crate-type staticlib,cdylib
built=${CARGO_TARGET_DIR:-target}/$([ "$profile" = dev ] && echo debug || echo "$profile")
mkdir -p "target/c/$profile"
cp "$built"/libcheckrein_c.{a,so} "target/c/$profile/"
