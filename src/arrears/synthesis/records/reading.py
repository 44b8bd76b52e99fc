"""A table as text cells, whatever way a lender's system wrote it.

Found out and told: the delimiter, the encoding (UTF-8, UTF-16, GB18030), lines in another encoding
than the rest. What cannot be mended is refused with the line.
"""

import codecs
import csv
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

from arrears.errors import BrokenFile
from arrears.synthesis.records.mapping import TableFormat

_DELIMITERS: Final = (",", ";", "\t", "|")
_CHINESE: Final = "gb18030"
_SPREADSHEETS: Final = (".xlsx", ".xls", ".ods")


class Cells(NamedTuple):
    """A table before anything is known of its columns."""

    header: tuple[str, ...]
    rows: list[list[str]]
    repairs: tuple[str, ...]
    """What was found out or mended, in sentences."""


def read_cells(path: Path, form: TableFormat) -> Cells:
    """Header and rows of a csv, tsv or parquet file. BrokenFile says what is wrong and where."""
    if path.suffix.lower() in _SPREADSHEETS:
        raise BrokenFile(path, "is a spreadsheet; save the sheet as csv (UTF-8) and give that")
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenFile(path, f"cannot be read: {error.strerror or error}") from error
    text, repairs = _decoded(path, data, form.encoding)
    if not text.strip():
        raise BrokenFile(path, "is empty")
    delimiter = form.delimiter
    if delimiter is None:
        delimiter = _delimiter(text)
        if delimiter != ",":
            repairs.append(f"cells are divided by {delimiter!r}")
    rows = list(csv.reader(StringIO(text, newline=""), delimiter=delimiter))
    header = tuple(cell.strip() for cell in rows[0])
    if len(header) < 2:
        found = _delimiter(text)
        hint = f"; the cells seem to be divided by {found!r}" if found != delimiter else ""
        raise BrokenFile(path, f"has one column only ({header[0][:60]!r}){hint}", 1)
    return Cells(header, _whole_rows(path, header, rows[1:], repairs), tuple(repairs))


def _whole_rows(
    path: Path, header: Sequence[str], rows: list[list[str]], repairs: list[str]
) -> list[list[str]]:
    twice = sorted(name for name, n in Counter(header).items() if n > 1)
    if twice:
        raise BrokenFile(path, "stands twice in the header", 1, twice[0])
    found = [row for row in rows if any(cell.strip() for cell in row)]
    if len(found) < len(rows):
        repairs.append(f"{len(rows) - len(found)} blank lines left out")
    for number, row in enumerate(rows, 2):
        if row and len(row) != len(header) and any(cell.strip() for cell in row):
            why = f"has {len(row)} cells, the header has {len(header)}; quote cells that hold "
            raise BrokenFile(path, why + "the delimiter", number)
    return found


def _decoded(path: Path, data: bytes, encoding: str | None) -> tuple[str, list[str]]:
    if encoding is not None:
        try:
            return data.decode(encoding).lstrip("\ufeff"), []
        except LookupError:
            raise BrokenFile(path, f"{encoding!r} is no encoding that is known") from None
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            why = f"is not {encoding} text; leave out `encoding` to have it found out"
            raise BrokenFile(path, why, line) from None
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            return data.decode(name), [f"read as {name}"]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    return _mixed(path, data)


def _mixed(path: Path, data: bytes) -> tuple[str, list[str]]:
    """Line by line: UTF-8 where it is that, else GB18030."""
    lines, chinese, plain = [], 0, 0
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            lines.append(line.decode("utf-8"))
            plain += not line.isascii()
        except UnicodeDecodeError:
            try:
                lines.append(line.decode(_CHINESE))
            except UnicodeDecodeError:
                why = "is neither UTF-8 nor GB18030 text; say the `encoding` in [table]"
                raise BrokenFile(path, why, number) from None
            chinese += 1
    told = f"read as {_CHINESE.upper()}" if not plain else (
        f"encodings are mixed: {chinese} lines read as {_CHINESE.upper()}, the rest as UTF-8"
    )  # fmt: skip
    return "\n".join(lines), [told]


def _delimiter(text: str) -> str:
    """The one that divides the first lines into the most cells, the same number in each."""
    lines = [line for line in text.splitlines()[:20] if line.strip()]

    def cells(delimiter: str) -> int:
        counts = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
        return min(counts) if len(counts) == 1 else 0

    return max(_DELIMITERS, key=cells)


def _parquet(path: Path) -> Cells:
    # Heavy, and most tables are text.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise BrokenFile(path, f"is no parquet file ({error})") from error
    columns = [["" if v is None else str(v) for v in column.to_pylist()] for column in table]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Cells(tuple(table.column_names), rows, ())
