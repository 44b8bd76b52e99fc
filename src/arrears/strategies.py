"""The strategy taxonomy: nine for the collector, eight for the debtor (DebtBench Tables 7, 8).

The names are data (`strategies.yaml`); a lender can bring a file of the same shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from arrears.errors import BrokenFile, UnknownName
from arrears.tables.text import file_bytes, unicode_text
from arrears.tables.yaml_file import read_yaml

Seat = Literal["collector", "debtor"]
_SEATS: Final[tuple[Seat, Seat]] = ("collector", "debtor")
_OPEN: Final = "proposed"

_FIELDS: Final = frozenset({"name", "meaning", "zh", "zh_meaning", "examples"})
# What a taxonomy under review says about an entry besides (arrears.synthesis.taxonomy.file).
_REVIEW: Final = frozenset({"status", "size", "merge_with", "split_into", "drop"})


@dataclass(frozen=True, slots=True)
class Strategy:
    """One strategy of one seat."""

    key: str
    name: str
    meaning: str
    zh: str = ""
    """The name in Chinese, "" where the taxonomy has none."""
    zh_meaning: str = ""
    examples: tuple[str, ...] = ()
    """Utterances that show it, where the taxonomy was mined from conversations."""


Taxonomy = Mapping[Seat, Mapping[str, Strategy]]
"""The strategies of both seats by key."""


def load_taxonomy(path: Path | None = None) -> Taxonomy:
    """The strategies of both seats by key, from a file or, without one, the shipped taxonomy.

    BrokenFile for what is no taxonomy, and for a field that no taxonomy has.
    """
    source = path or Path(str(resources.files("arrears") / "strategies.yaml"))
    return read_taxonomy(taxonomy_text(source), source)


def taxonomy_text(path: Path) -> str:
    """The text of a file. BrokenFile where it can't be read."""
    return unicode_text(path, file_bytes(path))


def read_taxonomy(text: str, source: Path) -> Taxonomy:
    """The taxonomy of a text; `source` is where it comes from. BrokenFile."""
    raw = read_yaml(text, source)
    try:
        return {
            seat: {k: _strategy(source, f"{seat}.{k}", k, row) for k, row in raw[seat].items()}
            for seat in _SEATS
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise BrokenFile(source, f"not a strategy taxonomy: {error!r}") from error


def for_seats(text: str, source: Path) -> Taxonomy:
    """A taxonomy as the seats take it: reviewed throughout, and with strategies for both; a seat
    for which it has none keeps the shipped ones. BrokenFile.
    """
    found = read_taxonomy(text, source)
    raw = read_yaml(text, source)
    open_ = [k for seat in _SEATS for k, row in raw[seat].items() if row.get("status") == _OPEN]
    if open_:
        raise BrokenFile(
            source,
            f"{len(open_)} strategies are proposed and nobody has accepted them, {open_[0]} for "
            f"one: arrears strategies review {source}",
        )
    if not any(found.values()):
        raise BrokenFile(source, "holds no strategies")
    return {seat: found[seat] or strategies(seat) for seat in _SEATS}


def _strategy(source: Path, place: str, key: str, row: Mapping[str, Any]) -> Strategy:
    unknown = row.keys() - _FIELDS - _REVIEW
    if unknown:
        known = ", ".join(sorted(_FIELDS | _REVIEW))
        raise BrokenFile(source, f"is no field of a strategy; known: {known}",
                         field=f"{place}.{min(unknown, key=str)}")  # fmt: skip
    return Strategy(
        key,
        row["name"],
        row["meaning"],
        row.get("zh", ""),
        row.get("zh_meaning", ""),
        tuple(row.get("examples", ())),
    )


@cache
def strategies(seat: Seat) -> Mapping[str, Strategy]:
    """The shipped strategies of a seat, by key."""
    return load_taxonomy()[seat]


def strategy_named(seat: Seat, text: str, known: Mapping[str, Strategy] | None = None) -> Strategy:
    """The strategy that a label means, by its key or name in English (whatever its case, spaces or
    hyphens) or its name in Chinese.

    `known` are the seat's strategies by key; without them the shipped ones. UnknownName.
    """
    key = _plain(text)
    known = strategies(seat) if known is None else known
    if key not in known:
        named = {_plain(s.name): s for s in known.values()}
        named |= {s.zh: s for s in known.values() if s.zh}
        for label in (key, text.strip()):
            if label in named:
                return named[label]
        raise UnknownName(f"{seat} strategy", text, (s.name for s in known.values()))
    return known[key]


def _plain(text: str) -> str:
    return "_".join(text.replace("-", " ").replace("_", " ").lower().split())
