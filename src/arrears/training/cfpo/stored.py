"""How weighed talks lie on disk: one line of JSON a debtor."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from arrears.errors import BrokenFile
from arrears.files import CASE, LineReader
from arrears.training.cfpo.weigh import Weighed

_ADAPTER: TypeAdapter[Weighed] = TypeAdapter(Weighed)


def as_line(weighed: Weighed) -> bytes:
    """One line, its newline included."""
    return _ADAPTER.dump_json(weighed) + b"\n"


def from_line(line: bytes, path: Path) -> Weighed:
    """A line read back. BrokenFile where it is none."""
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError as error:
        raise BrokenFile(path, f"not a weighed talk ({error.errors()[0]['msg']})") from None


def read_all(path: Path) -> Iterator[Weighed]:
    """All talks of a round, in the order of their cases. BrokenFile."""
    with LineReader(path) as file:
        spans = file.index(CASE)
        for case in sorted(spans):
            yield from_line(file.read(spans[case]), path)
