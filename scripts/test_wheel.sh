#!/usr/bin/env bash
# Builds the wheel, installs it in a new environment without Lark, and runs a compiled policy there;
# then with its dependencies, and runs the command. What only works from the checkout fails here.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

.venv/bin/maturin build --release --quiet --out "$work/dist" >"$work/build.log" 2>&1 \
    || { cat "$work/build.log" >&2; exit 1; }
wheel=$(ls "$work"/dist/*.whl)
size=$(du -k "$wheel" | cut -f1)
echo "wheel: $(basename "$wheel"), $size KiB"
test "$size" -le 5120 || { echo "the wheel is larger than 5 MiB" >&2; exit 1; }
case "$wheel" in *-cp311-abi3-*) ;; *) echo "not an abi3 wheel for 3.11: $wheel" >&2; exit 1 ;; esac

.venv/bin/checkrein compile grammar/examples/support.rein -o "$work/support.reinc"
python3 -m venv "$work/bare"
"$work/bare/bin/python" -m pip install -q --disable-pip-version-check --no-deps "$wheel"
cp tests/wheel/decide.py "$work/decide.py"
(cd "$work" && "$work/bare/bin/python" -I decide.py support.reinc >bare.txt)
(cd "$work" && "$root/.venv/bin/python" -I decide.py support.reinc >here.txt)
diff "$work/bare.txt" "$work/here.txt"
echo "without Lark: $(wc -l <"$work/bare.txt") decisions, the same as with it"

# A token loop in Cython against what is installed: the header, the `.pxd` and the capsule.
cp tests/native/loop.pyx tests/wheel/door.py "$work/"
.venv/bin/checkrein compile tests/native/door.rein -o "$work/door.reinc" >/dev/null
site=$("$work/bare/bin/python" -I -c "import sysconfig; print(sysconfig.get_path('platlib'))")
headers=$("$work/bare/bin/python" -I -c "import checkrein; print(checkrein.get_include())")
python=$("$work/bare/bin/python" -I -c "import sysconfig; print(sysconfig.get_path('include'))")
(cd "$work" && "$root/.venv/bin/cython" -3 -Werror -Wextra -I "$site" loop.pyx -o loop.c)
gcc -O2 -shared -fPIC -Wall -Werror -I"$python" -I"$headers" "$work/loop.c" -o "$work/loop.so"
(cd "$work" && bare/bin/python door.py door.reinc)

"$work/bare/bin/python" -m pip install -q --disable-pip-version-check "$wheel"
cp grammar/examples/support.rein "$work/copy.rein"
(cd "$work" && bare/bin/checkrein check copy.rein && bare/bin/checkrein test copy.rein >/dev/null)
(cd "$work" && bare/bin/checkrein rule R0101 >/dev/null)
echo "the command runs from the installed wheel"
(cd "$work" && bare/bin/python -I -c "from checkrein.language.parser import STORED; assert STORED.is_file()")
