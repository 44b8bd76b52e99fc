"""Scores that people gave, from a table: `case,rater,US,ES,…`, one line a person and dialogue."""

import csv
from collections.abc import Mapping
from pathlib import Path

from arrears.errors import BrokenFile

Marks = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By score, by rater, by case."""


def read_people(path: Path) -> Marks:
    """The scores of a csv file. An empty cell is no score. BrokenFile, with line and column."""
    marks: dict[str, dict[str, dict[str, float]]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            for column in ("case", "rater"):
                if column not in (rows.fieldnames or ()):
                    raise BrokenFile(path, f"no column {column!r}; it needs case, rater and scores")
            for row in rows:
                for name, text in row.items():
                    if name in ("case", "rater") or not isinstance(text, str) or not text.strip():
                        continue
                    try:
                        mark = float(text)
                    except ValueError:
                        why = f"{text!r} is not a number"
                        raise BrokenFile(path, why, rows.line_num, name or "") from None
                    raters = marks.setdefault(name, {}).setdefault(row["rater"], {})
                    if row["case"] in raters:
                        why = f"{row['rater']} scores {row['case']} twice"
                        raise BrokenFile(path, why, rows.line_num)
                    raters[row["case"]] = mark
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BrokenFile(path, str(error)) from error
    if not marks:
        raise BrokenFile(path, "holds no scores")
    return marks
