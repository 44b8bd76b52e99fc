"""A lender's table as text cells, whatever way their system wrote it."""

from collections.abc import Collection, Sequence
from math import isnan
from pathlib import Path
from typing import Any, Final, NamedTuple

from arrears.errors import BrokenFile
from arrears.synthesis.records.mapping import TableFormat
from arrears.tables.csv_file import read_csv
from arrears.tables.parquet import names_of, read_parquet

_SPREADSHEETS: Final = (".xlsx", ".xls", ".ods")


class Cells(NamedTuple):
    """A table before anything is known of its columns."""

    header: tuple[str, ...]
    """Of all columns."""
    columns: dict[str, list[str]]
    """Stripped cells, by name."""
    lines: list[int]
    """Where each row begins, from 1; in parquet the row's number."""
    repairs: tuple[str, ...]
    """What was found out or mended, in sentences."""
    typed: frozenset[str] = frozenset()
    """Columns that the file itself holds as numbers."""


def read_cells(path: Path, form: TableFormat, wanted: Collection[str]) -> Cells:
    """The wanted columns of a csv, tsv or parquet file, as far as it has them.

    BrokenFile says what is wrong and where.
    """
    if path.suffix.lower() in _SPREADSHEETS:
        raise BrokenFile(path, "is a spreadsheet; save the sheet as csv (UTF-8) and give that")
    if path.suffix.lower() == ".parquet":
        return _parquet(path, wanted)
    table = read_csv(path, delimiter=form.delimiter, encoding=form.encoding)
    columns = {name: table.column(name) for name in wanted if name in table.header}
    return Cells(table.header, columns, table.lines, table.repairs)


def _parquet(path: Path, wanted: Collection[str]) -> Cells:
    values = read_parquet(path, wanted)
    columns = {name: _texts(path, name, column) for name, column in values.items()}
    typed = {name for name, column in values.items() if any(map(_is_number, column))}
    rows = max(map(len, columns.values()), default=0)
    return Cells(names_of(path), columns, [*range(1, rows + 1)], (), frozenset(typed))


def _is_number(value: Any) -> bool:
    return value is not None and not isinstance(value, str)


def _texts(path: Path, name: str, column: Sequence[Any]) -> list[str]:
    texts = []
    for row, value in enumerate(column, 1):
        if isinstance(value, list | tuple | dict | bytes):
            why = f"holds {type(value).__name__} values; a column has one text or number a row"
            raise BrokenFile(path, why, row, name)
        empty = value is None or (isinstance(value, float) and isnan(value))
        texts.append("" if empty else str(value).strip())
    return texts
