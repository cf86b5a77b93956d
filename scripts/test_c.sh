#!/usr/bin/env bash
# The C door without Python: one program, compiled with every warning against the static library (under the
# sanitizers of gcc) and against the shared one, has to say what is expected.
set -euo pipefail
cd "$(dirname "$0")/.."
out=target/c
scripts/build_c.sh dev
.venv/bin/checkrein compile tests/native/door.rein -o $out/door.reinc >/dev/null
flags=(-std=c11 -pedantic -Wall -Wextra -Werror -g -Ipython/checkrein/include tests/native/door.c)
gcc "${flags[@]}" -fsanitize=address,undefined -fno-sanitize-recover $out/dev/libcheckrein_c.a \
    -pthread -ldl -lm -o $out/door-static
gcc "${flags[@]}" -L$out/dev -lcheckrein_c -pthread -Wl,-rpath,"$PWD/$out/dev" -o $out/door-shared
for linked in static shared; do
    $out/door-$linked $out/door.reinc >$out/$linked.txt
    sed -i '/^version /d' $out/$linked.txt
    diff tests/native/door.txt $out/$linked.txt
done
exported=$(nm -D --defined-only $out/dev/libcheckrein_c.so | awk '$2 == "T" {printf "%s ", $3}')
echo "the shared library exports: $exported"
test "$exported" = "checkrein_api "
echo "$(wc -l <tests/native/door.txt) lines, the same with both libraries"

# What docs/c.md shows.
page=$out/page
mkdir -p $page
.venv/bin/python - $page <<'PYTHON'
import pathlib, sys
from tests.docs.pages import ROOT, blocks
page, folder = ROOT / "docs" / "c.md", pathlib.Path(sys.argv[1])
shown = {block.language: block.text for block in blocks(page) if "output" not in block.tags}
for language, name in {"rein": "edge.rein", "c": "edge.c", "text": "expected.txt"}.items():
    (folder / name).write_text(shown[language])
PYTHON
gcc -std=c11 -pedantic -Wall -Wextra -Werror -Ipython/checkrein/include $page/edge.c \
    $out/dev/libcheckrein_c.a -pthread -ldl -lm -o $page/edge
.venv/bin/checkrein compile $page/edge.rein -o $page/edge.reinc >/dev/null
(cd $page && ./edge >printed.txt && diff expected.txt printed.txt)
echo "the program of docs/c.md does what the page says"
