"""A csv file as header and rows, each row with the line on which it begins.

Nothing is lost in silence: each line of the file is the header, a part of one row, or blank. A
quotation mark that nobody closes is refused, and so is one that is closed rows later.
"""

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

from arrears.errors import BrokenFile
from arrears.tables.text import any_text, file_bytes, unicode_text

DELIMITERS: Final = (",", ";", "\t", "|")
_SEP_LINE: Final = re.compile(r'"?sep=(?P<sep>[^"])"?[,;\t|]*', re.IGNORECASE)
"""What Excel writes above the header to say its delimiter."""
_BLANK: Final = " \t\r\n,;|\"'"
_LOOKED_AT: Final = 20
"""Lines by which the delimiter is found out."""
_MANY_LINES: Final = 10
"""Line ends in one cell from which on the cell is told of."""


class CsvTable(NamedTuple):
    """A csv file as text."""

    header: tuple[str, ...]
    """Names, stripped; no name twice, none empty."""
    rows: list[list[str]]
    """Cells as they stand, as many in each as the header has; blank lines left out."""
    lines: list[int]
    """Where each row begins in the file, from 1."""
    repairs: tuple[str, ...]
    """What was found out or mended, in sentences."""

    def column(self, name: str) -> list[str]:
        """The cells of one column, stripped."""
        place = self.header.index(name)
        return [row[place].strip() for row in self.rows]


class _Record(NamedTuple):
    line: int
    cells: list[str]


def read_csv(path: Path, *, delimiter: str | None = None, encoding: str | None = None) -> CsvTable:
    """A table as some system wrote it; delimiter and encoding are found out where they are None.

    BrokenFile says what is wrong and on which line.
    """
    text, repairs = any_text(path, file_bytes(path), encoding)
    return _Reading(path, text, list(repairs)).table(delimiter, ())


def read_own_csv(path: Path, known: Collection[str], what: str) -> CsvTable:
    """A csv of a form that arrears lays down: UTF-8 (or UTF-16 with its mark), with columns of
    these names only, in any order. `what` names the columns in errors. BrokenFile.
    """
    text = unicode_text(path, file_bytes(path))
    if text.lstrip().startswith("{"):
        raise BrokenFile(path, "holds JSON lines, not csv; let its name end in .jsonl")
    reading = _Reading(path, text, [])
    table = reading.table(None, known)
    for name in table.header:
        if name not in known:
            why = f"is not a column of {what}; the columns are {', '.join(known)}"
            raise BrokenFile(path, why, reading.header_line, name)
    return table


class _Reading:
    """One file on its way from text to rows."""

    def __init__(self, path: Path, text: str, repairs: list[str]) -> None:
        self._path, self._repairs = path, repairs
        # Line ends as csv knows them: LF, CR or both, and no others.
        self._lines = list(StringIO(text, newline=""))
        self.header_line = 0

    def table(self, delimiter: str | None, known: Collection[str]) -> CsvTable:
        """Header and rows."""
        first, said = self._begin()
        delimiter = delimiter or said
        if delimiter is None:
            delimiter = _delimiter(self._lines[first : first + _LOOKED_AT], known)
            if delimiter != ",":
                self._repairs.append(f"cells are divided by {delimiter!r}")
        records = self._records(first, delimiter)
        self.header_line, names = next(records)
        header = [name.strip() for name in names]
        self._refuse_twice(header)
        if len(header) < 2:
            found = _delimiter(self._lines[first : first + _LOOKED_AT], known)
            hint = f"; the cells seem to be divided by {found!r}" if found != delimiter else ""
            why = f"has one column only ({header[0][:60]!r}){hint}. The first line is the header"
            raise BrokenFile(self._path, why, self.header_line)
        rows = self._rows(len(header), delimiter, records)
        kept = self._named(header, rows, bool(known))
        if len(kept) < len(header):
            rows = [_Record(row.line, [row.cells[i] for i in kept]) for row in rows]
        return CsvTable(
            tuple(header[i] for i in kept),
            [row.cells for row in rows],
            [row.line for row in rows],
            tuple(self._repairs),
        )

    def _begin(self) -> tuple[int, str | None]:
        """The place of the header's line, and the delimiter that a `sep=` line tells."""
        first, said = self._past_blanks(0), None
        told = _SEP_LINE.fullmatch(self._lines[first].rstrip("\r\n"))
        if told:
            said = told["sep"]
            self._repairs.append(f"the line {self._lines[first].strip()!r} is taken as Excel's")
            first = self._past_blanks(first + 1)
        return first, said

    def _past_blanks(self, first: int) -> int:
        start = first
        while first < len(self._lines) and not self._lines[first].strip(_BLANK):
            first += 1
        if first == len(self._lines):
            raise BrokenFile(self._path, "is empty: there is no header")
        if first > start:
            self._repairs.append(f"{first - start} blank lines above the header left out")
        return first

    def _records(self, first: int, delimiter: str) -> Iterator[_Record]:
        """Header and rows as they stand, blank ones too. BrokenFile for what csv is not."""
        reader = csv.reader(iter(self._lines[first:]), delimiter=delimiter, strict=True)
        while True:
            start = first + reader.line_num
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                end = first + reader.line_num
                raise self._broken(start, end, delimiter, str(error)) from None
            yield _Record(start + 1, cells)

    def _broken(self, start: int, end: int, delimiter: str, said: str) -> BrokenFile:
        opened = start + _open_quote(self._lines[start:end], delimiter)
        if "end of data" in said:
            more = len(self._lines) - opened - 1
            why = f"a quotation mark opens a cell here that nothing closes; {more} lines follow it"
        elif "field limit" in said:
            most = csv.field_size_limit()
            why = f"a cell begins here that is longer than {most:,} characters; is its quotation "
            why += "mark closed?"
        elif end - opened > 1:
            why = (
                f"a quotation mark opens a cell here that is not closed properly before line {end}"
            )
        else:
            why = "a quotation mark stands within a quoted cell; write it twice ("
            why += '"")' + " or leave the quotation marks out"
        return BrokenFile(self._path, why, opened + 1)

    def _rows(self, width: int, delimiter: str, records: Iterator[_Record]) -> list[_Record]:
        rows: list[_Record] = []
        blank = cut = 0
        for row in records:
            if not any(cell.strip() for cell in row.cells):
                blank += 1
                continue
            extra = row.cells[width:]
            if extra and not any(cell.strip() for cell in extra):
                del row.cells[width:]
                cut += 1
            if len(row.cells) != width:
                why = f"has {len(row.cells)} cells, the header has {width}; quote cells that hold "
                raise BrokenFile(self._path, why + "the delimiter", row.line)
            self._refuse_hidden(row, delimiter)
            rows.append(row)
        if blank:
            self._repairs.append(f"{blank} blank lines left out")
        if cut:
            self._repairs.append(f"{cut} rows have empty cells beyond the header; left out")
        return rows

    def _refuse_hidden(self, row: _Record, delimiter: str) -> None:
        """BrokenFile where a cell of several lines has a line that is a row by itself."""
        ends = [cell.count("\n") + cell.count("\r") - cell.count("\r\n") for cell in row.cells]
        if not any(ends):
            return
        start = row.line - 1
        span = self._lines[start : start + sum(ends) + 1]
        width = len(row.cells)
        for place, line in enumerate(span[1:], row.line + 1):
            alone = next(csv.reader([line], delimiter=delimiter))
            # Behind a first cell of several lines the row goes on as a whole row would.
            last = place == row.line + len(span) - 1
            if len(alone) == width and (not last or span[0].count(delimiter) >= width - 1):
                why = (
                    f"a cell that begins here goes on to line {row.line + len(span) - 1}, and line "
                    f"{place} in it looks like a row of its own; close its quotation mark"
                )
                raise BrokenFile(self._path, why, start + 1 + _open_quote(span, delimiter))
        if max(ends) > _MANY_LINES:
            self._repairs.append(f"line {row.line}: a cell goes on over {max(ends) + 1} lines")

    def _refuse_twice(self, header: Sequence[str]) -> None:
        for place, name in enumerate(header):
            before = header.index(name)
            if name and before < place:
                why = f"stands twice in the header, in columns {before + 1} and {place + 1}"
                raise BrokenFile(self._path, why, self.header_line, name)

    def _named(self, header: Sequence[str], rows: Sequence[_Record], strict: bool) -> list[int]:
        """Places of the columns with a name; those without one are told, or refused."""
        nameless = [i for i, name in enumerate(header) if not name]
        for i in nameless:
            held = next((row for row in rows if row.cells[i].strip()), None)
            if held is None:
                continue
            why = f"column {i + 1} has no name in the header"
            if strict:
                raise BrokenFile(self._path, f"{why}, and holds {held.cells[i]!r}", held.line)
            self._repairs.append(f"{why}; left out")
        empty = sum(not any(row.cells[i].strip() for row in rows) for i in nameless)
        if empty:
            self._repairs.append(f"{empty} columns without a name and without content left out")
        return [i for i, name in enumerate(header) if name]


def _delimiter(lines: Sequence[str], known: Collection[str] = ()) -> str:
    """The one under which the header has most of the known names; without any, the one that divides
    the most of these lines into as many cells as the header, and of those the one with most cells.
    """
    filled = [line for line in lines if line.strip(_BLANK)]

    def fit(delimiter: str) -> tuple[int, int]:
        found = [len(row) for row in csv.reader(filled, delimiter=delimiter) if row]
        return (found.count(found[0]), found[0]) if found and found[0] > 1 else (0, 0)

    def names(delimiter: str) -> tuple[int, int]:
        header = next(csv.reader(filled[:1], delimiter=delimiter), [])
        return sum(name.strip() in known for name in header), len(header)

    try:
        return max(DELIMITERS, key=names if known else fit)
    except csv.Error:
        return ","  # What is wrong is told by the reading itself.


def _open_quote(lines: Sequence[str], delimiter: str) -> int:
    """The line, from 0, on which the quotation mark stands that opens a cell of several lines, or
    one that is not closed; `lines` begin with a row. 0 where there is none.
    """
    found = opened = 0
    within = False
    for number, line in enumerate(lines):
        fresh, place = not within, 0
        while place < len(line):
            mark = line[place] == '"'
            if within and mark and line[place + 1 : place + 2] == '"':
                place += 1
            elif within and mark:
                within = False
                found = opened if number > opened else found
            elif mark and fresh:
                within, opened = True, number
            fresh = line[place] == delimiter and not within
            place += 1
    return opened if within else found
