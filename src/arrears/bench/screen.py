"""A console on which text stays text.

Whatever models, files and people have written is shown as it stands: brackets are no markup, colons
no emoji, control characters are written out, and what the terminal's encoding lacks is replaced by
something readable. Tables are never cut: one that is too wide is shown in parts.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, JustifyMethod, OverflowMethod
from rich.measure import Measurement
from rich.style import Style
from rich.table import Table as Grid
from rich.text import Text

from arrears.characters import visible

_STAND_INS: Final = {
    "↑": "^", "↓": "v", "→": ">", "–": "-", "—": "-", "−": "-", "…": "...", "·": "-", "×": "x",
    "±": "+/-", "≤": "<=", "≥": ">=", "²": "^2", "√": "sqrt ", "α": "alpha", "β": "beta",
    "θ": "theta", "κ": "kappa", "λ": "lambda", "ρ": "rho", "σ": "sigma", "τ": "tau", "Δ": "delta",
    "“": '"', "”": '"', "‘": "'", "’": "'", "•": "*",
}  # fmt: skip
"""For terminals that cannot show the symbols of our tables."""


class Screen(Console):
    """The terminal, or the file that its output goes to."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def shown(self, text: str) -> str:
        """A text as it can be shown here."""
        return writable(visible(text), self.encoding)

    def text(self, text: str, style: str = "") -> Text:
        """The same in a style; the way to give rich a text that it would read as markup."""
        return Text(self.shown(text), style=style)

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        emoji: bool | None = None,
        markup: bool | None = None,
        highlight: bool | None = None,
        highlighter: Callable[[str | Text], Text] | None = None,
    ) -> Text:
        """rich's way from any plain string to what it prints; here, with nothing in it but text."""
        del emoji, markup
        return super().render_str(
            self.shown(text), style=style, justify=justify, overflow=overflow, emoji=False,
            markup=False, highlight=highlight, highlighter=highlighter,
        )  # fmt: skip

    def print_grid(self, grid: Grid) -> None:
        """A table, whole: on a terminal that is too narrow for it in parts, the first column
        repeated; on lines as long as it takes where the output goes elsewhere.
        """
        spans = [_span(self, grid, number) for number in range(len(grid.columns))]
        natural = sum(span.maximum for span in spans) + _FRAME * len(spans) + 1
        room = self.width if self.is_terminal else natural
        for number, chosen in enumerate(_parts(spans, room)):
            widths = _widths([spans[at] for at in chosen], room - _FRAME * len(chosen))
            part = _of(grid, chosen, widths, first=number == 0)
            before, needed = self.width, sum(widths) + _FRAME * len(chosen) + 1
            self.width = max(before, needed)
            try:
                self.print(part)
            finally:
                self.width = before


def writable(text: str, encoding: str) -> str:
    """The text with a stand-in for every character that the encoding lacks."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_written(character, encoding) for character in text)
    return text


def _written(character: str, encoding: str) -> str:
    for tried in (
        character,
        _STAND_INS.get(character, character),
        unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or character,
    ):
        try:
            tried.encode(encoding)
        except UnicodeEncodeError:
            continue
        return tried
    return character.encode("ascii", "backslashreplace").decode()


_FRAME: Final = 3  # A column's padding and border.


def _span(screen: Screen, grid: Grid, number: int) -> Measurement:
    """The narrowest and the natural width of a column: its longest word, its longest line."""
    column = grid.columns[number]
    lines: list[str] = []
    for cell in (column.header, *column.cells):
        text = cell.plain if isinstance(cell, Text) else screen.shown(str(cell))
        lines += text.expandtabs().splitlines()
    widest = max(map(cell_len, lines), default=1)
    if column.no_wrap:
        return Measurement(widest, widest)
    # What stands before the first word of a line goes with it.
    words = (word for line in lines for word in re.findall(r"^\s*\S+|\S+", line))
    longest = max(map(cell_len, words), default=1)
    return Measurement(longest, widest)


def _parts(spans: Sequence[Measurement], room: int) -> Iterator[list[int]]:
    """Which columns stand side by side, so that no word of them is cut."""
    at = 1
    while at < len(spans) or at == 1:
        chosen = [0]
        taken = spans[0].minimum + _FRAME + 1
        while at < len(spans):
            taken += spans[at].minimum + _FRAME
            if taken > room and len(chosen) > 1:
                break
            chosen.append(at)
            at += 1
        yield chosen
        if len(spans) == 1:
            return


def _widths(spans: Sequence[Measurement], room: int) -> list[int]:
    """Each column's width: its longest word, and then as much as it can use of what is left."""
    widths = [span.minimum for span in spans]
    spare = max(0, room - 1 - sum(widths))
    by_need = sorted(range(len(spans)), key=lambda at: spans[at].maximum - widths[at])
    for place, at in enumerate(by_need):
        more = min(spans[at].maximum - widths[at], spare // (len(spans) - place))
        widths[at] += more
        spare -= more
    return widths


def _of(grid: Grid, chosen: Sequence[int], widths: Sequence[int], *, first: bool) -> Grid:
    """A table of some of its columns; the title stands over the first part only."""
    part = Grid(
        box=grid.box,
        title=grid.title if first else None,
        title_justify=grid.title_justify,
        show_header=grid.show_header,
    )
    for number, width in zip(chosen, widths, strict=True):
        column = grid.columns[number]
        part.add_column(column.header, justify=column.justify, style=column.style, width=width)
    cells: list[list[Any]] = [list(grid.columns[number].cells) for number in chosen]
    for at, row in enumerate(grid.rows):
        part.add_row(*(column[at] for column in cells), end_section=row.end_section)
    return part
