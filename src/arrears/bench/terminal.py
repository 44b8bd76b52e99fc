"""What a person sees in the terminal: progress on stderr, Markdown tables on stdout."""

import sys
from time import monotonic
from types import TracebackType
from typing import Literal, Self

from rich.box import MARKDOWN
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table as Grid
from rich.text import Text

from arrears.bench.screen import Screen
from arrears.bench.tables import Cell, Table

_EVERY = 5.0  # Seconds between plain lines where there is no terminal.


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s", style="cyan")


class RunProgress:
    """A bar with rate and time left on a terminal; a plain line now and then elsewhere.

    Call it with (finished, total). Everything goes to stderr.
    """

    def __init__(self, what: str = "dialogues") -> None:
        self._what = what
        self._console = Screen(stderr=True)
        self._bar: Progress | None = None
        self._task: Task | None = None
        self._began = self._said = monotonic()
        self._before: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, finished: int, total: int) -> None:
        """Show that `finished` of `total` dialogues are stored."""
        if self._before is None:
            self._before, self._began = finished, monotonic()
            if finished:
                self._console.print(f"resuming: {finished:,} of {total:,} {self._what} are stored")
            return
        if self._console.is_terminal:
            self._draw(finished, total)
        elif monotonic() - self._said > _EVERY or finished == total:
            self._said = monotonic()
            self._say(finished, total)

    def _draw(self, finished: int, total: int) -> None:
        # Started with the first dialogue: its thread must not exist when workers are forked.
        if self._bar is None:
            self._bar = Progress(
                TextColumn(self._what),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                _Rate(),
                TimeRemainingColumn(),
                console=self._console,
                speed_estimate_period=10,
            )
            self._bar.start()
            self._bar.add_task("", total=total, completed=self._before or 0)
        self._bar.update(self._bar.task_ids[0], completed=finished)

    def _say(self, finished: int, total: int) -> None:
        spent = max(monotonic() - self._began, 1e-9)
        rate = (finished - (self._before or 0)) / spent
        left = (total - finished) / rate if rate else 0.0
        print(
            f"{finished:,} of {total:,} {self._what}, {rate:,.0f}/s, {left:,.0f} s left",
            file=sys.stderr,
            flush=True,
        )


def print_table(table: Table, screen: Screen | None = None) -> None:
    """A table as Markdown: 1st and 2nd of a column, significant differences in bold."""
    screen = screen or Screen()
    grid = Grid(box=MARKDOWN, title=f"\n{table.caption}", title_justify="left")
    grid.add_column(table.lead, no_wrap=True)
    for column in table.columns:
        arrow = {1: " ↑", -1: " ↓", 0: ""}[column.better]
        rubric = " (rubric)" if column.rubric else ""
        side: Literal["left", "right"] = "left" if column.prose else "right"
        grid.add_column(f"{column.title}{arrow}{rubric}", justify=side)
    for row in table.rows:
        if row.group:
            grid.add_row(screen.text(row.group, "italic"))
        name = f"{row.name} ({row.note})" if row.note else row.name
        grid.add_row(name, *(_styled(screen, cell) for cell in row.cells))
    screen.print_grid(grid)
    if table.note:
        screen.print(screen.text(table.note, "dim"), soft_wrap=not screen.is_terminal)


def _styled(screen: Screen, cell: Cell) -> Text:
    marked = {"best": "{} 1st", "second": "{} 2nd", "": "{}"}.get(cell.mark, "**{}**")
    marked = marked.format(cell.text)
    style = {"better": "bold green", "worse": "bold red", "differs": "bold"}.get(cell.mark, "")
    return screen.text(marked, style)
