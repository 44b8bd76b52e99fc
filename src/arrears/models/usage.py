"""Tokens and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import yaml

from arrears.errors import BrokenFile, UsageError


@dataclass(frozen=True, slots=True)
class Usage:
    """What a message cost in a model's tokens."""

    tokens_in: int = 0
    """Prompt tokens."""
    tokens_out: int = 0
    """Completion tokens, reasoning included."""
    tokens_cached: int = 0
    """Prompt tokens that the server had in its cache; part of `tokens_in`."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.tokens_cached + other.tokens_cached,
        )


class Price(NamedTuple):
    """Of a million tokens, in the table's currency."""

    tokens_in: float
    tokens_cached: float
    tokens_out: float

    def of(self, usage: Usage) -> float:
        """What this usage costs."""
        fresh = usage.tokens_in - usage.tokens_cached
        return (
            fresh * self.tokens_in
            + usage.tokens_cached * self.tokens_cached
            + usage.tokens_out * self.tokens_out
        ) / 1e6


FREE = Price(0.0, 0.0, 0.0)


class PriceTable:
    """Prices by `provider/name`; a provider that runs on one's own machine is free."""

    def __init__(self, prices: Mapping[str, Price], free: frozenset[str]) -> None:
        self._prices = prices
        self._free = free

    def of(self, spec: str) -> Price | None:
        """The price of a model; None where the table has none."""
        if spec in self._prices:
            return self._prices[spec]
        return FREE if spec.partition("/")[0] in self._free else None

    def required(self, spec: str) -> Price:
        """The same, but UsageError where there is none."""
        price = self.of(spec)
        if price is None:
            raise UsageError(
                f"--max-cost needs the price of {spec}; write it into a file of the shape of "
                "arrears/models/prices.yaml and name that with --prices FILE"
            )
        return price


def load_prices(own: Path | None = None) -> PriceTable:
    """The shipped table, its rows replaced by those of an own file. BrokenFile where unreadable."""
    shipped = _read(Path(str(resources.files("arrears.models") / "prices.yaml")))
    rows, free = dict(shipped[0]), shipped[1]
    if own is not None:
        more, also_free = _read(own)
        rows.update(more)
        free |= also_free
    return PriceTable(rows, free)


@cache
def _read(path: Path) -> tuple[Mapping[str, Price], frozenset[str]]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        rows = {
            spec: Price(float(row["in"]), float(row.get("cached", row["in"])), float(row["out"]))
            for spec, row in (raw.get("per_million_tokens") or {}).items()
        }
        return rows, frozenset(raw.get("free") or ())
    except OSError as error:
        raise BrokenFile(path, error.strerror or str(error)) from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenFile(path, f"not a table of prices: {error!r}") from error
