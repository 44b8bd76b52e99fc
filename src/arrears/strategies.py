"""The strategy taxonomy: nine for the collector, eight for the debtor (DebtBench Tables 7, 8).

The names are data (`strategies.yaml`); a lender can bring a file of the same shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from arrears.errors import BrokenFile, UnknownName

Seat = Literal["collector", "debtor"]

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


def load_taxonomy(path: Path | None = None) -> Mapping[Seat, Mapping[str, Strategy]]:
    """The strategies of both seats by key, from a file or, without one, the shipped taxonomy.

    BrokenFile for what is no taxonomy, and for a field that no taxonomy has.
    """
    source = path or Path(str(resources.files("arrears") / "strategies.yaml"))
    try:
        raw = yaml.safe_load(source.read_text(encoding="utf-8"))
        return {
            seat: {k: _strategy(source, f"{seat}.{k}", k, row) for k, row in raw[seat].items()}
            for seat in ("collector", "debtor")
        }
    except OSError as error:
        raise BrokenFile(source, f"cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise BrokenFile(source, f"not a strategy taxonomy: {error!r}") from error


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


def strategy_named(seat: Seat, text: str) -> Strategy:
    """The shipped strategy that a label means, in English (whatever its case, spaces or hyphens)
    or in Chinese.
    """
    key = "_".join(text.replace("-", " ").replace("_", " ").lower().split())
    known = strategies(seat)
    if key not in known:
        chinese = {s.zh: s for s in known.values() if s.zh}
        if text.strip() in chinese:
            return chinese[text.strip()]
        raise UnknownName(f"{seat} strategy", text, (s.name for s in known.values()))
    return known[key]
