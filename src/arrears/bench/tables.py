"""Tables as data: the same rows go to the terminal, to the page and into the JSON."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple


class Measure(NamedTuple):
    """One column: how it is called, what it means, how it is written."""

    key: str
    title: str
    meaning: str
    better: Literal[-1, 0, 1]
    """1 where more is better, −1 where less is, 0 where neither."""
    digits: int
    percent: bool = False
    """Stored as a fraction, shown in percent."""
    rubric: bool = False
    """Judged by the built-in rubric."""

    def show(self, value: float | None) -> str:
        """A value as it is printed; a dash for none."""
        if value is None:
            return "–"
        return f"{value * (100 if self.percent else 1):.{self.digits}f}"


DCN: tuple[Measure, ...] = (
    Measure("DC", "DC", "dialogue completeness: share of the four terms talked about", 1, 2),
    Measure("DS", "DS", "dialogue soundness, 1 … 5", 1, 2, rubric=True),
    Measure("SR", "SR %", "agreements that hold for two years, of all talks", 1, 1, percent=True),
    Measure("RR", "RR %", "share of the debt that is recovered", 1, 1, percent=True),
    Measure("QRD", "QRD", "days until a quarter of the debt is repaid", -1, 1),
    Measure("HRD", "HRD", "days until half of the debt is repaid", -1, 0),
    Measure("CD", "CD", "days until the last payment", -1, 0),
    Measure("L1D", "L1D", "days in the lowest tier of assets", -1, 1),
    Measure("L2D", "L2D", "days in the second lowest tier", -1, 1),
    Measure("ATV", "ATV", "variance of the tier over two years", -1, 2),
    Measure("CRI", "CRI", "creditor's recovery index", 1, 3),
    Measure("DHI", "DHI", "debtor's health index", 1, 3),
    Measure("CCI", "CCI", "comprehensive collection index", 1, 3),
)
"""Columns of DCN Table 2."""

DEBTBENCH: tuple[Measure, ...] = (
    Measure("SR", "SR %", "talks that end in an agreement", 1, 1, percent=True),
    Measure("AT", "AT", "average number of turns", -1, 2),
    Measure(
        "CR", "CR %", "share of the debt agreed to be paid, over all talks", 1, 1, percent=True
    ),
    Measure("CE", "CE", "collection efficiency: percent of the debt a day", 1, 2),
    Measure("SA", "SA %", "short-term affordability", 1, 1, percent=True),
    Measure("LS", "LS %", "long-term sustainability", 1, 1, percent=True),
    Measure("US", "US", "user satisfaction, 1 … 10", 1, 2, rubric=True),
    Measure("ES", "ES", "emotional support, 1 … 10", 1, 2, rubric=True),
    Measure("CA", "CA", "communication ability, 1 … 10", 1, 2, rubric=True),
)
"""Columns of DebtBench Table 2."""


class Figure(NamedTuple):
    """One estimated number."""

    value: float | None
    """None where nothing could be scored."""
    low: float | None = None
    high: float | None = None
    """95 % interval."""
    scored: int | None = None
    unscored: int = 0


Mark = Literal["", "best", "second", "better", "worse", "differs"]
"""How a cell is set apart. `best` and `second` are places in a column as it is printed, shown as
1st and 2nd; no test is behind them. `better`, `worse` and `differs` are of a difference that a test
finds after Holm's correction over the table (`statistics.SIGNIFICANT`): bold, and nothing else is.
"""
RANKED = "1st and 2nd: the order of the values as printed, without a test of the difference."


class Cell(NamedTuple):
    """What stands in one place of a table."""

    text: str
    interval: str = ""
    mark: Mark = ""
    hint: str = ""


class Column(NamedTuple):
    """The head of a column."""

    title: str
    meaning: str = ""
    better: int = 0
    rubric: bool = False
    prose: bool = False
    """Sentences: set to the left, over several lines."""


class TableRow(NamedTuple):
    """One line of a table."""

    name: str
    cells: list[Cell]
    group: str = ""
    """A heading above it, if any."""
    note: str = ""
    """What must be read with its figures; stands beside the name."""


class Table(NamedTuple):
    """A table, ready to be set."""

    title: str
    caption: str
    lead: str
    """Head of the first column."""
    columns: list[Column]
    rows: list[TableRow]
    note: str = ""
    rubric: bool = False


def measured(
    title: str,
    caption: str,
    lead: str,
    measures: Sequence[Measure],
    lines: Mapping[str, Mapping[str, Figure]],
    *,
    counts: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    unranked: Collection[str] = (),
    note: str = "",
) -> Table:
    """A table of figures with the best and the second best of each column marked.

    `lines`: by name, by measure key. `counts` adds a last column of readable counts, `notes` what
    stands beside a name; `unranked` are names that are never marked.
    """
    columns = [Column(m.title, m.meaning, m.better, m.rubric) for m in measures]
    comparable = {name: figures for name, figures in lines.items() if name not in unranked}
    marks = {m.key: _marks(m, comparable) for m in measures}
    rows = []
    for name, figures in lines.items():
        cells = [_cell(m, figures.get(m.key), marks[m.key].get(name, "")) for m in measures]
        if counts is not None:
            cells.append(Cell(counts.get(name, "")))
        rows.append(TableRow(name, cells, note=(notes or {}).get(name, "")))
    if counts is not None:
        columns.append(Column("agreed / dialogues", "counts"))
    return Table(title, caption, lead, columns, rows, note)


def _marks(
    measure: Measure, lines: Mapping[str, Mapping[str, Figure]]
) -> dict[str, Literal["best", "second"]]:
    """Best and second best as printed: what looks equal is marked equal."""
    shown = {
        name: float(measure.show(figure.value))
        for name, figures in lines.items()
        if (figure := figures.get(measure.key)) is not None and figure.value is not None
    }
    ranks = sorted(set(shown.values()), reverse=measure.better > 0)
    if not measure.better or len(ranks) < 2:
        return {}
    places: dict[float, Literal["best", "second"]] = {ranks[1]: "second", ranks[0]: "best"}
    return {name: places[value] for name, value in shown.items() if value in places}


def _cell(measure: Measure, figure: Figure | None, mark: Literal["", "best", "second"]) -> Cell:
    if figure is None or figure.value is None:
        reason = "nothing scored" if figure is not None else "not reported"
        return Cell("–", hint=reason)
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f"{measure.show(figure.low)}…{measure.show(figure.high)}"
    hint = "" if figure.scored is None else f"{figure.scored} scored"
    if figure.unscored:
        hint += f", {figure.unscored} unscored"
    return Cell(measure.show(figure.value), interval, mark, hint)
