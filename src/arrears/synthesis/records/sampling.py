"""Debtors and tables from a stored model."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.debtors.record import Debtor
from arrears.errors import UsageError
from arrears.files import replace_file
from arrears.rng import rng_for
from arrears.synthesis.records.copies import fingerprints
from arrears.synthesis.records.drawing import Drawn, draw_rows, read_conditions
from arrears.synthesis.records.mapping import RecordMapping
from arrears.synthesis.records.model import RecordModel
from arrears.synthesis.records.table import Column, read_table


class Sample(NamedTuple):
    """What was drawn from a model."""

    drawn: Drawn
    people: tuple[Debtor, ...]
    """Empty where only a table was asked for."""


def sample(
    model: RecordModel,
    n: int,
    seed: int,
    *,
    where: Sequence[str] = (),
    people: bool = True,
    against: Path | None = None,
    force: bool = False,
) -> Sample:
    """Draw `n` debtors, or rows where no `people` are wanted.

    A model that repeats real rows, and one whose fingerprints are gone, is refused without `force`;
    `against` is a table to hold the rows against instead. UsageError, BrokenFile.
    """
    document = model.document
    if document.copies_rows and not force:
        raise UsageError(
            f"{model.folder} repeats rows of its table more often than chance makes real people "
            "equal: what it gives could be somebody's. See its report.html; --force takes it so"
        )
    real = model.real
    if against is not None:
        table, _ = read_table(against, document.mapping)
        if table.columns != model.columns:
            raise UsageError(f"{against} has not the columns and values of {model.folder}")
        marks = fingerprints(table.data, table.columns)
        real = marks if real is None else np.union1d(real, marks)
    if real is None and not force:
        raise UsageError(
            f"{model.folder} has no private/rows.npy, so copies of real rows cannot be told; "
            "bring the table with --against TABLE, or take it unchecked with --force"
        )
    person = model.person()
    conditions = read_conditions(where, model.columns, _factors(document.mapping))
    drawn = draw_rows(
        model.synthesizer,
        model.columns,
        n,
        rng_for(seed, "records", "sample"),
        strata=model.strata,
        conditions=conditions,
        wanted=person.overdue() if people else None,
        real=real,
        pool=model.pool,
    )
    stem = f"{document.method}-{seed}"
    made = tuple(person.debtors(drawn.data, seed, stem)) if people else ()
    return Sample(drawn, made)


def write_table(path: Path, model: RecordModel, data: NDArray[np.float64]) -> None:
    """A csv with the headers, units and codes of the source. StorageError."""
    out = StringIO()
    table = csv.writer(out, lineterminator="\n")
    learned = model.document.mapping.learned()
    table.writerow([source.column for source in learned])
    cells = []
    for i, (column, source) in enumerate(zip(model.columns, learned, strict=True)):
        codes = {meaning: code for code, meaning in source.codes.items()}
        cells.append([_cell(value, column, codes) for value in data[:, i].tolist()])
    table.writerows(zip(*cells, strict=True))
    text = out.getvalue().encode()
    replace_file(path, lambda file: file.write(text))


def _factors(mapping: RecordMapping) -> dict[str, float]:
    """What one unit of a column is, for the fields of the record."""
    fields = {**dict(mapping.account), **dict(mapping.finances)}
    return {name: source.factor for name, source in fields.items() if source is not None}


def _cell(value: float, column: Column, codes: dict[str, str]) -> str:
    if value != value:
        return ""
    if column.kind == "categorical":
        text = column.levels[int(value)]
        return codes.get(text, text)
    if column.step >= 1:
        return str(round(value))
    return repr(round(value, 6))
