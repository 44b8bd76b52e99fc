"""The strategy taxonomy: nine for the collector, eight for the debtor (DebtBench Tables 7, 8).

The names are data (`strategies.yaml`); a lender can bring a file of the same shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

import yaml

from arrears.errors import BrokenFile, UnknownName

Seat = Literal["collector", "debtor"]


@dataclass(frozen=True, slots=True)
class Strategy:
    """One strategy of one seat."""

    key: str
    name: str
    meaning: str
    zh: str = ""
    """The name in Chinese, "" where the taxonomy has none."""
    zh_meaning: str = ""


def load_taxonomy(path: Path | None = None) -> Mapping[Seat, Mapping[str, Strategy]]:
    """The strategies of both seats by key, from a file or, without one, the shipped taxonomy."""
    source = path or Path(str(resources.files("arrears") / "strategies.yaml"))
    try:
        raw = yaml.safe_load(source.read_text(encoding="utf-8"))
        return {
            seat: {k: _strategy(k, row) for k, row in raw[seat].items()}
            for seat in ("collector", "debtor")
        }
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise BrokenFile(source, f"not a strategy taxonomy: {error!r}") from error


def _strategy(key: str, row: Mapping[str, str]) -> Strategy:
    return Strategy(key, row["name"], row["meaning"], row.get("zh", ""), row.get("zh_meaning", ""))


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
