"""`checkrein replay`: recorded runs through a policy, and what it would have decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from checkrein.cli.output import fail
from checkrein.errors import CheckreinError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.replay import Replayed


@click.command()
@click.argument("trace", metavar="TRACE", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--policy", metavar="FILE", required=True, help="The policy: a .rein source or a .reinc artifact."
)
@click.option("--model", metavar="NAME", help="The policy's name of the recorded model, if it has several.")
@click.option(
    "--answers", type=click.Choice(["yes", "no"]), default="yes", show_default=True,
    help="What people answer to every escalation.",
)  # fmt: skip
@click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How the result is printed: for people, or as one JSON object.",
)  # fmt: skip
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Replay the first N runs only.")
@click.option(
    "--log",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the decisions here, for `checkrein explain`.",
)
@click.pass_context
def replay(
    ctx: click.Context,
    trace: str,
    policy: str,
    model: str | None,
    answers: str,
    style: str,
    limit: int | None,
    log: Path | None,
) -> None:
    """See what a policy would have decided about recorded runs.

    TRACE is JSON lines, one run a line: {"messages": [...]} in the style of OpenAI's chat API (or
    "traj"), optionally with "task_id", "trial", "reward" and "facts". - is stdin.
    """
    import checkrein
    from checkrein.cli import replay_report as report
    from checkrein.record import JsonlSink
    from checkrein.replay import replay as replay_trace
    from checkrein.sentences import printable
    from checkrein.trace import Problem

    program = checkrein.load(policy, log=None).program
    sink = JsonlSink(log) if log else None
    replayed = replay_trace(_lines(trace), program, model=model, approve=answers == "yes", sink=sink)
    runs: list[Replayed] = []
    problems: list[Problem] = []
    for item in replayed:
        if isinstance(item, Problem):
            problems.append(item)
            fail(f"{trace}:{item.line}: {printable(item.message)}; the line was skipped")
        else:
            runs.append(item)
        if len(runs) == limit:
            break
    if sink:
        sink.close()
    if style == "json":
        summary = report.as_json(program, runs, problems)
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(report.as_text(program, runs, problems)))
    ctx.exit(1 if problems else 0)


def _lines(trace: str) -> Iterator[bytes]:
    try:
        with click.open_file(trace, "rb") as file:
            yield from file
    except OSError as error:
        raise CheckreinError(f"cannot read `{trace}`: {(error.strerror or str(error)).lower()}") from error
