"""The demo: eleven failures, without a guard and with it. Runs offline.

    checkrein demo

Importing this loads no framework; `main` does.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

from checkrein.errors import CheckreinError

# Frameworks read these: no tracing to a service, no usage reports by the edge runtime (it sends them
# by default), and no proxy for this machine.
_ENVIRONMENT = {
    "CHECKREIN_CACHE": "off",
    "ORT_DISABLE_TELEMETRY": "1",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}


def main(log: str | PathLike[str] | None = None) -> int:
    """Play every scene and print what happened; 0, or 1 if the server's bill and the books differ.

    Decisions are logged to `log`, `.checkrein/decisions.jsonl` if it is left out. Raises
    `CheckreinError` if a package that the demo needs is not installed.
    """
    with _quiet():
        try:
            from checkrein.demo import play
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package in {"", "checkrein"}:
                raise
            raise CheckreinError(
                f"the demo needs the package `{package}`, which is not installed\n"
                "  help: pip install 'checkrein[demo]'"
            ) from error
        return play.every_scene(log)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the frameworks' warnings, and with an environment in which they stay on this machine."""
    kept = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("default", message="decisions are not logged")
            yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
