"""The columns that are learned, as numbers: the one form in which tables go through this room."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arrears.errors import BrokenFile
from arrears.synthesis.records.mapping import (
    NEEDED,
    Kind,
    Learned,
    RecordMapping,
    TableFormat,
)
from arrears.synthesis.records.ranges import debtors_in, legal
from arrears.synthesis.records.reading import Cells, read_cells
from arrears.tables.numerals import read_numbers

LEAST_ROWS: Final = 100
FEW: Final = 5
"""A value of a category that fewer rows have is no value of its own: it could name a person."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    """Texts of a categorical column; a cell holds the place of its text."""
    step: float = 0.0
    """All numbers are multiples of it; 0 where they are not multiples of anything."""


@dataclass(frozen=True)
class Table:
    """Rows of numbers. Missing is NaN."""

    columns: tuple[Column, ...]
    data: NDArray[np.float64]
    """Shape (rows, columns)."""

    @cached_property
    def places(self) -> dict[str, int]:
        """Place of a column by name."""
        return {column.name: i for i, column in enumerate(self.columns)}

    def column(self, name: str) -> NDArray[np.float64]:
        """One column's numbers, shape (rows,)."""
        found: NDArray[np.float64] = self.data[:, self.places[name]]
        return found

    def rows(self, chosen: NDArray[np.int64]) -> "Table":
        """The table of some rows."""
        return Table(self.columns, self.data[chosen])

    def __len__(self) -> int:
        return len(self.data)


def read_table(path: Path, mapping: RecordMapping) -> tuple[Table, tuple[str, ...]]:
    """The learned columns of a file, and what was repaired, in sentences.

    BrokenFile: a column that is not there, a number that is none or that no record can hold, an
    unknown code, too few rows, no debtor in them.
    """
    cells = read_cells(path, mapping.table, [learned.column for learned in mapping.learned()])
    _all_there(path, cells, mapping)
    repairs = list(cells.repairs)
    columns, numbers = [], []
    for learned in mapping.learned():
        column, values = _read_column(path, learned, cells, mapping.table, repairs)
        columns.append(column)
        numbers.append(legal(path, mapping, learned, cells.lines, values, repairs))
    data = np.column_stack(numbers)
    needed = [i for i, c in enumerate(columns) if c.name in NEEDED]
    whole = ~np.isnan(data[:, needed]).any(axis=1)
    if not whole.all():
        repairs.append(
            f"{int((~whole).sum()):,} rows left out: {', '.join(NEEDED)} must not be missing"
        )
    if int(whole.sum()) < LEAST_ROWS:
        why = f"has {int(whole.sum())} rows that can be used; {LEAST_ROWS} are the least from "
        raise BrokenFile(path, why + "which anything can be learned without giving somebody away")
    table = Table(tuple(columns), data[whole])
    lines = [cells.lines[i] for i in np.flatnonzero(whole)]
    repairs += debtors_in(path, mapping, lines, {n: table.column(n) for n in NEEDED}, FEW)
    repairs += _notes(columns, table.data)
    return table, tuple(repairs)


def _all_there(path: Path, cells: Cells, mapping: RecordMapping) -> None:
    absent = [c.column for c in mapping.learned() if c.column not in cells.header]
    if absent:
        why = f"there is no such column; the header has {', '.join(cells.header)}"
        raise BrokenFile(path, why, 1, absent[0])


def _notes(columns: Sequence[Column], data: NDArray[np.float64]) -> list[str]:
    notes = []
    for i, column in enumerate(columns):
        values = data[:, i]
        missing = float(np.isnan(values).mean())
        if missing == 1.0:
            notes.append(f"{column.name} is missing everywhere; it stays so")
        elif missing > 0:
            notes.append(f"{column.name} is missing in {missing:.0%} of the rows; learned as such")
        if len(np.unique(values[~np.isnan(values)])) == 1:
            notes.append(f"{column.name} has one value only; it is repeated, not learned")
    return notes


def _read_column(
    path: Path, learned: Learned, cells: Cells, form: TableFormat, repairs: list[str]
) -> tuple[Column, NDArray[np.float64]]:
    nothing = frozenset(form.missing)
    texts = cells.columns[learned.column]
    if learned.codes:
        unknown = Counter(t for t in texts if t not in nothing and _code(t, learned) is None)
        if unknown and len(unknown) == len({t for t in texts if t not in nothing}):
            shown = ", ".join(repr(t) for t, _ in unknown.most_common(_SHOWN))
            raise BrokenFile(path, f"none of its cells is one of its codes; it has {shown}",
                             field=learned.column)  # fmt: skip
        if unknown:
            shown = ", ".join(f"{t!r} ({n})" for t, n in unknown.most_common(_SHOWN))
            repairs.append(f"{learned.column}: no code for {shown}; taken as missing")
        texts = [_code(t, learned) or "" for t in texts]
        nothing = nothing | {""}
    if learned.kind == "categorical":
        return _categories(path, learned, texts, nothing, repairs)
    found = read_numbers(
        path, learned.column, cells.lines, texts, missing=nothing,
        decimal="." if learned.column in cells.typed else form.decimal,
    )  # fmt: skip
    repairs += found.repairs
    values = np.array(found.values, dtype=np.float64)
    return Column(learned.name, "numeric", step=_step(values)), values


def _code(text: str, learned: Learned) -> str | None:
    found = learned.codes.get(text)
    if found is None and text.endswith((".0", ",0")):
        # A column with missing cells that some program wrote as floats.
        found = learned.codes.get(text[:-2])
    return found


def _categories(
    path: Path, learned: Learned, texts: list[str], nothing: frozenset[str], repairs: list[str]
) -> tuple[Column, NDArray[np.float64]]:
    counts = Counter(t for t in texts if t not in nothing)
    if learned.name == "sex" and not set(counts) <= {"male", "female"}:
        shown = ", ".join(repr(t) for t, _ in counts.most_common(_SHOWN))
        why = f'holds {shown}; say which is which: codes = {{ "…" = "male", "…" = "female" }}'
        raise BrokenFile(path, why, field=learned.column)
    rare = {t for t, n in counts.items() if n < FEW}
    if rare and len(rare) < len(counts):
        repairs.append(
            f"{learned.column}: {len(rare)} values that fewer than {FEW} rows have are taken as "
            "missing"
        )
    elif rare:
        why = f"no value occurs {FEW} times; such a column names persons and cannot be learned"
        raise BrokenFile(path, why, field=learned.column)
    levels = tuple(sorted(set(counts) - rare))
    place = {t: float(i) for i, t in enumerate(levels)}
    values = np.array([place.get(t, np.nan) for t in texts])
    return Column(learned.name, "categorical", levels), values


def _step(values: NDArray[np.float64]) -> float:
    """The largest power of ten of which all numbers are multiples, from 0.0001 on; else 0."""
    there = values[~np.isnan(values)]
    for power in range(6, -5, -1):
        scaled = there / 10.0**power
        if np.abs(scaled - np.round(scaled)).max(initial=0.0) < 1e-6:
            return float(10.0**power)
    return 0.0
