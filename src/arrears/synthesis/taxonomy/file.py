"""A taxonomy under review as a file: what `arrears.strategies.load_taxonomy` reads, and beside it
how far the review has come.

Each entry may say besides: `status` (proposed or accepted), `size` (texts of its cluster),
`examples`, and what is proposed for it: `merge_with` (a key of the same seat), `split_into` (its
parts by key), `drop` (why it is no strategy).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import yaml

from arrears.errors import BrokenFile
from arrears.files import replace_file
from arrears.strategies import Seat, load_taxonomy, taxonomy_text
from arrears.tables.yaml_file import read_yaml

Status = Literal["proposed", "accepted"]
SEATS: Final[tuple[Seat, ...]] = ("collector", "debtor")
HEADER: Final = """\
# A taxonomy of strategies, mined from conversations. Nothing in it holds until a person has
# accepted it: `arrears strategies review` goes through what is still `proposed`.
#   size        how many texts the cluster has
#   examples    texts that stand for it: some from its middle, some from its edge
#   merge_with  proposed: it says the same as that entry
#   split_into  proposed: it is several strategies, with the examples of each
#   drop        proposed: it is no strategy, and why
# The file can be edited by hand; comments other than these are not kept by `review`.
"""


class Part(NamedTuple):
    """One part of an entry that may be split."""

    key: str
    name: str
    meaning: str
    size: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One strategy of one seat, and how far its review has come."""

    seat: Seat
    key: str
    """Unique within its seat."""
    name: str
    meaning: str
    zh: str = ""
    zh_meaning: str = ""
    status: Status = "proposed"
    size: int = 0
    examples: tuple[str, ...] = ()
    merge_with: str = ""
    """A key of the same seat, "" where no merge is proposed."""
    split_into: tuple[Part, ...] = ()
    drop: str = ""


def key_of(name: str) -> str:
    """The key of a name: lower case, words joined by `_`, other marks left out."""
    words = "".join(c if c.isalnum() else " " for c in name.lower().replace("'", "")).split()
    return "_".join(words)


def read_entries(path: Path) -> tuple[Entry, ...]:
    """The entries of a taxonomy, in the order of the file; those of a taxonomy without review are
    accepted. BrokenFile names the field that breaks, or says that the taxonomy is empty.
    """
    load_taxonomy(path)
    raw = read_yaml(taxonomy_text(path), path)
    found = tuple(_entry(path, seat, str(k), row) for seat in SEATS for k, row in raw[seat].items())
    if not found:
        raise BrokenFile(path, "holds no strategies")
    for entry in found:
        keys = {e.key for e in found if e.seat == entry.seat} - {entry.key}
        if entry.merge_with and entry.merge_with not in keys:
            why = f"{entry.merge_with!r} is no other strategy of the {entry.seat}"
            raise BrokenFile(path, why, field=f"{entry.seat}.{entry.key}.merge_with")
    return found


def write_entries(path: Path, entries: Sequence[Entry]) -> None:
    """The whole file in one step. StorageError where it cannot be written."""
    document = {seat: {e.key: _row(e) for e in entries if e.seat == seat} for seat in SEATS}
    text = HEADER + yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)
    replace_file(path, lambda out: out.write(text.encode()))


def _entry(path: Path, seat: Seat, key: str, row: Mapping[str, Any]) -> Entry:
    place = f"{seat}.{key}"
    for field in ("name", "meaning", "zh", "zh_meaning", "merge_with", "drop"):
        if not isinstance(row.get(field, ""), str):
            raise BrokenFile(path, "must be a text", field=f"{place}.{field}")
    status = row.get("status", "accepted")
    if status not in ("proposed", "accepted"):
        raise BrokenFile(path, f"{status!r} is neither proposed nor accepted",
                         field=f"{place}.status")  # fmt: skip
    parts = row.get("split_into", {})
    if not isinstance(parts, dict):
        raise BrokenFile(path, "must be parts by key", field=f"{place}.split_into")
    return Entry(
        seat, key, row["name"], row["meaning"], row.get("zh", ""), row.get("zh_meaning", ""),
        status, _size(path, place, row), _examples(path, place, row), row.get("merge_with", ""),
        tuple(_part(path, f"{place}.split_into.{k}", str(k), part) for k, part in parts.items()),
        row.get("drop", ""),
    )  # fmt: skip


def _part(path: Path, place: str, key: str, row: Any) -> Part:
    if not isinstance(row, dict) or not {"name", "meaning"} <= row.keys():
        raise BrokenFile(path, "has no name and meaning", field=place)
    return Part(key, str(row["name"]), str(row["meaning"]), _size(path, place, row),
                _examples(path, place, row))  # fmt: skip


def _size(path: Path, place: str, row: Mapping[str, Any]) -> int:
    size = row.get("size", 0)
    if type(size) is not int or size < 0:
        raise BrokenFile(path, "must be a whole number, 0 or more", field=f"{place}.size")
    return size


def _examples(path: Path, place: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    examples = row.get("examples", [])
    if not isinstance(examples, list) or not all(isinstance(e, str) for e in examples):
        raise BrokenFile(path, "must be a list of texts", field=f"{place}.examples")
    return tuple(examples)


def _row(entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {"name": entry.name, "meaning": entry.meaning}
    if entry.zh:
        row["zh"] = entry.zh
    if entry.zh_meaning:
        row["zh_meaning"] = entry.zh_meaning
    row |= {"status": entry.status, "size": entry.size}
    if entry.merge_with:
        row["merge_with"] = entry.merge_with
    if entry.drop:
        row["drop"] = entry.drop
    if entry.split_into:
        row["split_into"] = {
            p.key: {"name": p.name, "meaning": p.meaning, "size": p.size,
                    "examples": list(p.examples)}
            for p in entry.split_into
        }  # fmt: skip
    row["examples"] = list(entry.examples)
    return row
