"""Debtors on disk: jsonl, csv and parquet, each an exact round trip."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic import ValidationError

from arrears.debtors.flat import COLUMNS, flatten, unflatten
from arrears.debtors.record import Debtor
from arrears.debtors.suites import as_line
from arrears.errors import BrokenFile, UnknownName
from arrears.files import replace_file, storage

FORMATS: Final = ("jsonl", "csv", "parquet")


def format_of(path: Path) -> str:
    """The format that a file's name tells. UnknownName lists the formats."""
    name = path.suffix.lstrip(".").lower()
    if name not in FORMATS:
        raise UnknownName("format of a debtors file", path.name, [f".{f}" for f in FORMATS])
    return name


def read_debtors(path: Path) -> tuple[Debtor, ...]:
    """All debtors of a file, by its ending.

    BrokenFile says in which line and field the file breaks (parquet: which row), also for an id
    that occurs twice and for a file without any debtor.
    """
    reader = {"jsonl": _read_jsonl, "csv": _read_csv, "parquet": _read_parquet}[format_of(path)]
    debtors: list[Debtor] = []
    lines: dict[str, int] = {}
    try:
        for line, debtor in reader(path):
            if debtor.id in lines:
                why = f"{debtor.id!r} was there already in line {lines[debtor.id]}"
                raise BrokenFile(path, why, line, "id")
            lines[debtor.id] = line
            debtors.append(debtor)
    except OSError as error:
        raise BrokenFile(path, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BrokenFile(path, "is not UTF-8 text") from error
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
    table = csv.DictWriter(out, list(COLUMNS), lineterminator="\n")
    table.writeheader()
    table.writerows(flatten(debtor) for debtor in debtors)
    return out.getvalue()


def _read_jsonl(path: Path) -> Iterator[tuple[int, Debtor]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield number, Debtor.model_validate_json(line)
                except ValidationError as error:
                    raise _broken(path, number, error) from None


def _read_csv(path: Path) -> Iterator[tuple[int, Debtor]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        unknown = sorted(set(table.fieldnames or ()) - set(COLUMNS))
        if unknown:
            why = f"not a column of debtors; the columns are {', '.join(COLUMNS)}"
            raise BrokenFile(path, why, 1, unknown[0])
        for row in table:
            if None in row or None in row.values():
                why = f"has not the {len(table.fieldnames or ())} cells of the header"
                raise BrokenFile(path, why, table.line_num)
            yield table.line_num, _from_row(path, table.line_num, row)


def _read_parquet(path: Path) -> Iterator[tuple[int, Debtor]]:
    # Heavy, and most runs never read one.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except pa.ArrowInvalid as error:
        raise BrokenFile(path, f"is no parquet file ({error})") from error
    for number, row in enumerate(rows, start=1):
        yield number, _from_row(path, number, row)


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
    return BrokenFile(path, first["msg"] + more, line, field)


def _write_parquet(out: BinaryIO, debtors: tuple[Debtor, ...]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), list: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(column, kinds[kind]) for column, kind in COLUMNS.items()])
    rows = [flatten(debtor) for debtor in debtors]
    pq.write_table(pa.Table.from_pylist(rows, schema), out)
