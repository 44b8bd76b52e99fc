"""Files of JSON lines: the lines, whatever their ends and their encoding, and keys given twice."""

import codecs
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from arrears.errors import BrokenFile
from arrears.tables.text import HEAD, cannot_read, mark_of, refuse_other_files, unicode_text


class TextLine(NamedTuple):
    """One line that is not blank."""

    number: int
    """From 1; blank lines count."""
    text: bytes
    """UTF-8 without its end, as far as the file is UTF-8."""
    whole: bool
    """Whether it ends as a line does; the last of a file that is still written may not."""


def text_lines(path: Path) -> Iterator[TextLine]:
    """The lines of a file that are not blank.

    A mark at the beginning (BOM) is obeyed, lines end with LF, CR or both. BrokenFile where it
    cannot be read, or is an archive or a spreadsheet.
    """
    number = 0
    for chunk in _chunks(path):
        for line in chunk.splitlines(keepends=True):
            number += 1
            if line.strip():
                yield TextLine(number, line.rstrip(b"\r\n"), line.endswith((b"\n", b"\r")))


def _chunks(path: Path) -> Iterator[bytes]:
    """The file from LF to LF, in UTF-8."""
    try:
        with path.open("rb") as file:
            head = file.peek(HEAD)
            refuse_other_files(path, head)
            marked = mark_of(head)
            if marked == "utf-8-sig":
                file.read(len(codecs.BOM_UTF8))
            elif marked is not None:
                yield unicode_text(path, file.read()).encode("utf-8", "surrogatepass")
            yield from file
    except OSError as error:
        raise cannot_read(path, error) from error


def json_object(path: Path, line: TextLine) -> dict[str, Any]:
    """The JSON object of a line. BrokenFile: no JSON, no object, a key that stands twice."""
    try:
        found = orjson.loads(line.text)
    except orjson.JSONDecodeError as error:
        raise not_json(path, line, error) from None
    if not isinstance(found, dict):
        if line.number == 1 and isinstance(found, list):
            raise not_json(path, line, "")
        raise BrokenFile(path, "is no JSON object", line.number)
    refuse_keys_twice(path, line)
    return found


def refuse_keys_twice(path: Path, line: TextLine) -> None:
    """BrokenFile where an object of a line that is JSON has a key twice: one would be lost."""

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise BrokenFile(path, "stands twice in the same object", line.number, twice)
        return found

    try:
        json.loads(line.text.decode("utf-8", "replace"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise not_json(path, line, error) from None


def not_json(path: Path, line: TextLine, error: Exception | str) -> BrokenFile:
    """What to tell about a line that is no JSON, with the likely cause."""
    text = line.text.strip()
    if line.number == 1 and text.startswith(b"["):
        why = "is no JSON object: an array begins here; write one object a line, without the array"
    elif text in (b"{", b"}"):
        why = "is not JSON: an object is spread over several lines; write it on one"
    elif line.number == 1 and not text.startswith(b"{"):
        why = f"is not JSON ({error}); this file has a JSON object on each line"
    else:
        torn = "" if line.whole else "; the last line is torn, remove it"
        why = f"is not JSON ({error}){torn}"
    return BrokenFile(path, why, line.number)
