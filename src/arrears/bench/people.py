"""Scores that people gave, from a table: `case,rater,US,ES,…`, one line a person and dialogue."""

from collections.abc import Collection, Mapping
from math import isnan
from pathlib import Path
from typing import Final, NamedTuple

from arrears.errors import BrokenFile
from arrears.scoring.judges import SCALES
from arrears.tables.csv_file import CsvTable, read_own_csv
from arrears.tables.numerals import read_numbers

Marks = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By score, by rater, by case."""
_WHO: Final = ("case", "rater")


class Ratings(NamedTuple):
    """A ratings file, as far as it is about one run."""

    marks: Marks
    """Of the run's dialogues."""
    repairs: tuple[str, ...]
    """What was left out or found out, in sentences."""


def read_people(path: Path, cases: Collection[str]) -> Ratings:
    """The scores of a csv file for the `cases` of a run. An empty cell is no score.

    BrokenFile, with line and column: an unknown score, one off its scale, a rater who scores a
    dialogue twice, no dialogue of the run.
    """
    table = read_own_csv(path, (*_WHO, *SCALES), "ratings")
    for column in _WHO:
        if column not in table.header:
            raise BrokenFile(path, f"no column {column!r}; it needs case, rater and scores")
    names = [name for name in table.header if name not in _WHO]
    if not names or not table.rows:
        raise BrokenFile(path, "holds no scores")
    who = _raters(path, table)
    repairs = [*table.repairs]
    marks: dict[str, dict[str, dict[str, float]]] = {}
    run = frozenset(cases)
    for name in names:
        for (case, rater), score in zip(who, _scores(path, table, name, repairs), strict=True):
            if case in run and not isnan(score):
                marks.setdefault(name, {}).setdefault(rater, {})[case] = score
    strangers = {case for case, _ in who} - run
    rated = {case for case, _ in who}
    if strangers == rated:
        example = next(iter(cases), "")
        why = f"{who[0][0]!r} is no dialogue of this run, nor is any other; one is {example!r}"
        raise BrokenFile(path, why, table.lines[0], "case")
    if strangers:
        repairs.append(
            f"{len(strangers)} of {len(rated)} rated dialogues are not in this run; left out"
        )
    if not marks:
        raise BrokenFile(path, "holds no scores")
    return Ratings(marks, tuple(repairs))


def _raters(path: Path, table: CsvTable) -> list[tuple[str, str]]:
    """Case and rater of each row."""
    who = list(zip(table.column("case"), table.column("rater"), strict=True))
    lines: dict[tuple[str, str], int] = {}
    for line, one in zip(table.lines, who, strict=True):
        for column, cell in zip(_WHO, one, strict=True):
            if not cell:
                raise BrokenFile(path, "is empty; each row names a dialogue and a rater",
                                 line, column)  # fmt: skip
        if one in lines:
            why = f"{one[1]} scores {one[0]} twice, first in line {lines[one]}"
            raise BrokenFile(path, why, line)
        lines[one] = line
    return who


def _scores(path: Path, table: CsvTable, name: str, repairs: list[str]) -> list[float]:
    """One column of scores, NaN for none."""
    scale = SCALES[name]
    found = read_numbers(
        path, name, table.lines, table.column(name), fits=scale.holds,
        remedy="write it with a decimal point and without groups",
    )  # fmt: skip
    for line, value in zip(table.lines, found.values, strict=True):
        if not isnan(value) and not scale.holds(value):
            why = f"{value:g} is off the scale from {scale.least:g} to {scale.most:g}"
            raise BrokenFile(path, why, line, name)
    repairs += found.repairs
    return found.values
