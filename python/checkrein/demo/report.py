"""What the demo prints: what is real and what is scripted, the scenes, the table.

Colour only on a terminal; elsewhere plain text of a fixed width. Every figure is counted by the
model server or the tools; nothing here knows what a scene should come to.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from checkrein import amounts

if TYPE_CHECKING:
    from checkrein.demo.agents import Half
    from checkrein.demo.scenes import Scene

PLAIN_WIDTH = 120
"""Columns where there is no terminal to ask."""
TABLE_WIDTH = 108
"""Columns from which the table also says what happened and by which statement."""

Played = tuple["Scene", "Half", "Half"]


class Report:
    """Prints the demo as it goes, to standard output."""

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() else PLAIN_WIDTH
        self._console = Console(highlight=False, width=width)

    def _print(self, *parts: Any) -> None:
        """Print without the spaces with which tables fill their lines, at once: scenes take time."""
        with self._console.capture() as captured:
            self._console.print(*parts)
        lines = captured.get().splitlines()
        print("\n".join(line.rstrip() for line in lines), flush=True)

    def opening(self, policies: Iterable[str], facts: Iterable[tuple[str, str]]) -> None:
        """Say at the top what is real here, and what is not."""
        self._print("[bold]A support agent, first without a guard, then with one.[/]")
        self._print("\n".join(f"Policy: {escape(each)}" for each in policies) + "\n")
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold")
        grid.add_column()
        for name, text in facts:
            grid.add_row(name, escape(text))
        self._print(grid)

    def scene(self, number: int, scene: Scene) -> None:
        """Head a scene with what goes wrong in it."""
        self._print(f"\n[bold]{number}. {escape(scene.title)}[/]\n   {escape(scene.story)}")

    def half(self, name: str, half: Half) -> None:
        """One half: what was called, what it cost, how it ended; then what else is worth knowing."""
        colour = "red" if name == "without" else "green"
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=7, style=f"bold {colour}")
        grid.add_column()
        grid.add_row(name, escape(f"{_figures(half)}: {half.happened}"))
        for note in half.notes:
            grid.add_row("", f"[dim]{escape(note)}[/]")
        self._print(Padding(grid, (0, 0, 0, 3)))

    def table(self, played: Sequence[Played]) -> None:
        """All scenes in one table, a row a scene, and the sums; on a narrow terminal the figures alone."""
        wide = self._console.width >= TABLE_WIDTH
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("\nscene", max_width=20 if wide else 32)
        for name, what, colour in (("without", "what happened", "red"), ("with", "outcome", "green")):
            table.add_column(f"{name}\ncalls", justify="right", style=colour, no_wrap=True)
            table.add_column("\nspent", justify="right", style=colour, no_wrap=True)
            if wide:
                table.add_column(f"\n{what}", style=colour, max_width=20)
        if wide:
            table.add_column("\nby", max_width=26)
        shown = 3 if wide else 2
        for scene, without, with_ in played:
            by = ["\n".join(with_.by)] if wide else []
            cells = (scene.title, *_cells(without)[:shown], *_cells(with_)[:shown], *by)
            table.add_row(*map(escape, cells))
        table.add_section()
        sums = [(sum(h.calls for h in halves), sum(h.spent for h in halves)) for halves in _halves(played)]
        first, second = [(str(calls), dollars(spent), "")[:shown] for calls, spent in sums]
        table.add_row("all scenes", *first, *second)
        self._print()
        self._print(table)

    def books(self, billed: int, booked: int) -> bool:
        """Compare two counts of the same money: the server's bill and the guard's own books."""
        agree = billed == booked
        colour, verdict = ("default", "equal to the nano-dollar") if agree else ("bold red", "THEY DIFFER")
        self._print(
            f"[{colour}]With the guard, the server's bill is {amounts.money(billed)}, and the guard's own "
            f"books say {amounts.money(booked)}: {verdict}.[/]"
        )
        return agree

    def page(self, title: str, text: str) -> None:
        """A page of plain text under a headline."""
        self._print(f"\n[bold]{escape(title)}[/]\n")
        self._print(Padding(escape(text.rstrip()), (0, 0, 0, 2)))


def dollars(nano: int) -> str:
    """Nano-dollars to a tenth of a cent, for people."""
    return f"${nano / amounts.NANO:.4f}"


def _figures(half: Half) -> str:
    calls = "1 paid call" if half.calls == 1 else f"{half.calls} paid calls"
    runs = ", ".join(f"{tool} ran {count}x" for tool, count in sorted(half.tools.items()))
    return ", ".join(part for part in (calls, runs, dollars(half.spent)) if part)


def _cells(half: Half) -> tuple[str, str, str]:
    return str(half.calls), dollars(half.spent), half.happened


def _halves(played: Sequence[Played]) -> Iterable[list[Half]]:
    return [without for _scene, without, _with in played], [with_ for _scene, _without, with_ in played]
