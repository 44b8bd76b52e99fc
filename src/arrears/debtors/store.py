"""Debtors on disk: jsonl, csv and parquet, each an exact round trip."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic import ValidationError

from arrears.debtors.flat import COLUMNS, flatten, unflatten
from arrears.debtors.record import Debtor
from arrears.debtors.suites import as_line
from arrears.errors import BrokenFile, UnknownName
from arrears.files import replace_file, storage
from arrears.tables.csv_file import read_own_csv
from arrears.tables.json_lines import not_json, refuse_keys_twice, text_lines
from arrears.tables.numerals import can_be_read_twice, read_numbers
from arrears.tables.parquet import read_parquet

FORMATS: Final = ("jsonl", "csv", "parquet")
_SHOWN: Final = 60
_REMEDY: Final = "write 1.2340 or 1234, with a decimal point"


def format_of(path: Path) -> str:
    """The format that a file's name tells. UnknownName lists the formats."""
    name = path.suffix.lstrip(".").lower()
    if name not in FORMATS:
        raise UnknownName("format of a debtors file", path.name, [f".{f}" for f in FORMATS])
    return name


def read_debtors(path: Path) -> tuple[Debtor, ...]:
    """All debtors of a file, by its ending.

    BrokenFile says in which line and field the file breaks (parquet: in which row), also for an id,
    a column or a key that occurs twice and for a file without any debtor.
    """
    reader = {"jsonl": _read_jsonl, "csv": _read_csv, "parquet": _read_parquet}[format_of(path)]
    debtors: list[Debtor] = []
    lines: dict[str, int] = {}
    for line, debtor in reader(path):
        if debtor.id in lines:
            unit = "row" if reader is _read_parquet else "line"
            why = f"{debtor.id!r} was there already in {unit} {lines[debtor.id]}"
            raise BrokenFile(path, why, line, "id")
        lines[debtor.id] = line
        debtors.append(debtor)
    if not debtors:
        raise BrokenFile(path, "holds no debtors")
    return tuple(debtors)


def write_debtors(path: Path, debtors: Iterable[Debtor], form: str | None = None) -> int:
    """Write a file whole or not at all; the number of debtors written.

    The format is that of the name unless `form` says otherwise. StorageError where the place
    cannot be written.
    """
    form = form or format_of(path)
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    everyone = tuple(debtors)
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    if form == "parquet":
        replace_file(path, lambda out: _write_parquet(out, everyone))
    else:
        replace_file(path, lambda out: out.write(as_text(everyone, form).encode()))
    return len(everyone)


def as_text(debtors: Iterable[Debtor], form: str) -> str:
    """The text of a jsonl or csv file."""
    if form == "jsonl":
        return b"".join(map(as_line, debtors)).decode()
    out = StringIO()
    table = csv.writer(out, lineterminator="\n")
    # Python 3.11 leaves a lone CR without quotation marks, and reads it as the end of a row.
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    table.writerow(COLUMNS)
    for debtor in debtors:
        row = [_written(cell) for cell in flatten(debtor).values()]
        (quoted if any("\r" in str(cell) for cell in row) else table).writerow(row)
    return out.getvalue()


def _written(cell: Any) -> Any:
    """A cell of csv. A number such as 1.234, which some read as a thousand, has a zero more."""
    if isinstance(cell, float) and can_be_read_twice(repr(cell)):
        return f"{cell!r}0"
    return cell


def _read_jsonl(path: Path) -> Iterator[tuple[int, Debtor]]:
    for line in text_lines(path):
        try:
            debtor = Debtor.model_validate_json(line.text)
        except ValidationError as error:
            if _no_json(error):
                raise not_json(path, line, _words(error)) from None
            raise _broken(path, line.number, error) from None
        refuse_keys_twice(path, line)
        yield line.number, debtor


def _read_csv(path: Path) -> Iterator[tuple[int, Debtor]]:
    table = read_own_csv(path, COLUMNS, "debtors")
    columns = {name: [row[i] for row in table.rows] for i, name in enumerate(table.header)}
    yield from _from_columns(path, columns, table.lines)


def _read_parquet(path: Path) -> Iterator[tuple[int, Debtor]]:
    columns = read_parquet(path)
    unknown = next((name for name in columns if name not in COLUMNS), None)
    if unknown is not None:
        why = f"is not a column of debtors; the columns are {', '.join(COLUMNS)}"
        raise BrokenFile(path, why, field=unknown)
    count = max(map(len, columns.values()), default=0)
    yield from _from_columns(path, columns, range(1, count + 1))


def _from_columns(
    path: Path, columns: Mapping[str, Sequence[Any]], lines: Sequence[int]
) -> Iterator[tuple[int, Debtor]]:
    read = {
        name: _numbers(path, name, cells, lines)
        if COLUMNS[name] in (int, float) and any(isinstance(cell, str) for cell in cells)
        else cells
        for name, cells in columns.items()
    }
    for line, row in zip(lines, zip(*read.values(), strict=True), strict=True):
        yield line, _from_row(path, line, dict(zip(read, row, strict=True)))


def _numbers(path: Path, name: str, cells: Sequence[Any], lines: Sequence[int]) -> list[Any]:
    """Numbers that are written as text; None where there is nothing."""
    texts = ["" if cell is None else cell.strip() for cell in cells]
    found = read_numbers(path, name, lines, texts, remedy=_REMEDY).values
    return [None if text == "" else number for text, number in zip(texts, found, strict=True)]


def _from_row(path: Path, number: int, row: dict[str, Any]) -> Debtor:
    try:
        return Debtor.model_validate(_as_tuples(unflatten(row)))
    except ValidationError as error:
        raise _broken(path, number, error) from None
    except ValueError as error:
        field, _, why = str(error).partition(": ")
        raise BrokenFile(path, why, number, field) from None


def _as_tuples(record: dict[str, Any]) -> dict[str, Any]:
    person = record.get("personality")
    if person:
        for name in ("character", "style"):
            if name in person:
                person[name] = tuple(person[name])
    return record


def _broken(path: Path, line: int, error: ValidationError) -> BrokenFile:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return BrokenFile(path, _words(error) + more, line, field)


def _words(error: ValidationError) -> str:
    """The first of its messages, with the value where that is short."""
    first = error.errors(include_url=False)[0]
    told, value = first["msg"].removeprefix("Value error, "), first.get("input")
    shown = repr(value) if isinstance(value, int | float | str) else ""
    return f"{told}, not {shown}" if 0 < len(shown) <= _SHOWN and not _no_json(error) else told


def _no_json(error: ValidationError) -> bool:
    return error.errors(include_url=False)[0]["type"] == "json_invalid"


def _write_parquet(out: BinaryIO, debtors: tuple[Debtor, ...]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), list: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(column, kinds[kind]) for column, kind in COLUMNS.items()])
    rows = [flatten(debtor) for debtor in debtors]
    pq.write_table(pa.Table.from_pylist(rows, schema), out)
