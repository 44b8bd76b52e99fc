"""From bytes to text: what a file is, and how its letters are written.

A mark at the beginning (BOM) is obeyed and passed over. Without one a file is UTF-8, or, where a
caller lets it be guessed, GB18030 or Windows-1252, and the guess is told.
"""

import codecs
import re
from pathlib import Path
from typing import Final

from arrears.errors import BrokenFile

_MARKS: Final = (
    # UTF-32's mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_OTHER_FILES: Final = (
    (re.compile(rb"\x1f\x8b"), "is compressed (gzip); unpack it first"),
    (re.compile(rb"BZh[1-9]1AY&SY"), "is compressed (bzip2); unpack it first"),
    (re.compile(rb"\xfd7zXZ\x00"), "is compressed (xz); unpack it first"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "is compressed (zstd); unpack it first"),
    (re.compile(rb"PK\x03\x04"),
     "is a zip archive or a spreadsheet (.xlsx); save the sheet as csv (UTF-8) and give that"),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
     "is a spreadsheet (.xls); save the sheet as csv (UTF-8) and give that"),
    (re.compile(rb"%PDF-"), "is a PDF; give the table as csv"),
    (re.compile(rb"SQLite format 3\x00"), "is a database (SQLite); export the table as csv"),
    (re.compile(rb"PAR1[\x00-\x1f\x80-\xff]"), "is a parquet file; let its name end in .parquet"),
    (re.compile(rb"version https://git-lfs"),
     "is a Git LFS pointer, not the file itself; run git lfs pull"),
)  # fmt: skip
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
HEAD: Final = 64
"""Bytes that tell what a file is."""


def file_bytes(path: Path) -> bytes:
    """The content of a file. BrokenFile: not there, a folder, unreadable, empty, or no text."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error
    refuse_other_files(path, data[:HEAD])
    if not data.strip(b"\xef\xbb\xbf\xfe\xff\x00 \t\r\n"):
        raise BrokenFile(path, "is empty")
    return data


def cannot_read(path: Path, error: OSError) -> BrokenFile:
    """What to tell about a file that could not be opened or read."""
    if isinstance(error, IsADirectoryError):
        return BrokenFile(path, "cannot be read: it is a folder; give a file")
    return BrokenFile(path, f"cannot be read: {error.strerror or error}")


def refuse_other_files(path: Path, head: bytes) -> None:
    """BrokenFile for an archive, a spreadsheet and the like, by a file's first bytes."""
    for known, why in _OTHER_FILES:
        if known.match(head):
            raise BrokenFile(path, why)


def mark_of(data: bytes) -> str | None:
    """The encoding that a mark at the beginning tells, for example `utf-16`."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


def unicode_text(path: Path, data: bytes) -> str:
    """The text of a file in UTF-8, or in what its mark tells. BrokenFile, with the line."""
    marked = mark_of(data)
    text = _decoded(path, data, marked or "utf-8", "save it as UTF-8 (in a spreadsheet: CSV UTF-8)")
    return _without_nul(path, text)


def any_text(path: Path, data: bytes, encoding: str | None) -> tuple[str, tuple[str, ...]]:
    """The text of a file in the encoding given, or in the one that is found out, and what was
    found out, in sentences. BrokenFile, with the line.
    """
    if encoding is not None:
        advice = "leave out `encoding` to have it found out"
        text = _decoded(path, data, encoding, advice).removeprefix("\ufeff")
        return _without_nul(path, text), ()
    marked = mark_of(data)
    if marked is not None:
        text = _decoded(path, data, marked, "export it again")
        return _without_nul(path, text), () if marked == "utf-8-sig" else (f"read as {marked}",)
    wide = _unmarked_utf16(data)
    if wide is not None:
        text = _decoded(path, data, wide, "export it as UTF-8")
        return _without_nul(path, text), (f"read as {wide}",)
    try:
        return _without_nul(path, data.decode("utf-8")), ()
    except UnicodeDecodeError:
        text, found = _mixed(path, data)
        return _without_nul(path, text), found


def _decoded(path: Path, data: bytes, encoding: str, advice: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError:
        raise BrokenFile(path, f"{encoding!r} is no encoding that is known") from None
    except UnicodeDecodeError as error:
        name = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8"}.get(encoding, encoding)
        line = _line_at(data, error.start) if "16" not in name and "32" not in name else None
        raise BrokenFile(path, f"is not {name} text; {advice}", line) from None
    except UnicodeError as error:
        raise BrokenFile(path, f"is not {encoding} text ({error}); {advice}") from None


def _without_nul(path: Path, text: str) -> str:
    if "\0" in text:
        before = text[: text.index("\0")].encode("utf-8", "replace")
        line = _line_at(before, len(before))
        raise BrokenFile(path, "holds a NUL byte; the file is damaged, or no text", line)
    return text


def _line_at(data: bytes, place: int) -> int:
    """The line, from 1, of a byte; a line ends with LF, CR or both."""
    before = data[:place]
    return before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n") + 1


def _unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of what is mostly ASCII is a NUL."""
    head = data[:2000]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(data) % 2 == 0 and max(even, odd) > 0.4 * len(head) / 2 and min(even, odd) == 0:
        return "utf-16-be" if even else "utf-16-le"
    return None


def _mixed(path: Path, data: bytes) -> tuple[str, tuple[str, ...]]:
    """Line by line: UTF-8 where it is that, else GB18030, or Windows-1252 where it looks so."""
    western = _looks_western(data)
    other, name = ("cp1252", "Windows-1252") if western else ("gb18030", "GB18030")
    lines, foreign, plain = [], 0, 0
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        try:
            lines.append(line.decode("utf-8"))
            plain += not line.isascii()
        except UnicodeDecodeError:
            try:
                lines.append(line.decode(other))
            except UnicodeDecodeError:
                why = f"is neither UTF-8 nor {name} text; say the `encoding` in [table]"
                raise BrokenFile(path, why, number) from None
            foreign += 1
    told = f"read as {name}" if not plain else (
        f"encodings are mixed: {foreign} lines read as {name}, the rest as UTF-8"
    )  # fmt: skip
    if western:
        told += "; if its letters come out wrong, say the `encoding` in [table]"
    return "".join(lines), (told,)


def _looks_western(data: bytes) -> bool:
    """Whether the bytes beyond ASCII stand alone between letters, as an umlaut does.

    A Chinese sign is two or four such bytes, or one and a letter; of those that follow each other
    in a text, few stand alone.
    """
    runs = [len(run) for run in _HIGH.findall(data)]
    return max(runs) <= 2 and 2 * runs.count(1) > len(runs)
