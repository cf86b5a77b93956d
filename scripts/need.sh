#!/usr/bin/env bash
# Says clearly what is missing before anything is installed: Python 3.11+ with venv, and Rust.
set -euo pipefail
python=${1:-python3}

if ! command -v "$python" >/dev/null; then
    echo "Checkrein needs Python 3.11 or newer, and \`$python\` was not found." >&2
    echo "Install it, or name another one: make demo PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Checkrein needs Python 3.11 or newer; \`$python\` is $("$python" -V 2>&1)." >&2
    echo "Name another one: make demo PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "\`$python\` cannot make virtual environments; on Debian or Ubuntu install python3-venv." >&2
    exit 1
fi
if ! command -v cargo >/dev/null; then
    echo "Checkrein's engine is built from source and needs Rust 1.88 or newer: no \`cargo\` was found." >&2
    echo "Install it from https://rustup.rs and run this again." >&2
    exit 1
fi
rust=$(cargo --version 2>&1 | head -1) || true
newer='import re, sys; sys.exit([int(n) for n in re.findall(r"\d+", sys.argv[1])[:2]] < [1, 88])'
if ! "$python" -c "$newer" "$rust"; then
    echo "Checkrein's engine needs Rust 1.88 or newer; \`cargo --version\` says: $rust" >&2
    echo "Update it (rustup update stable) and run this again." >&2
    exit 1
fi
