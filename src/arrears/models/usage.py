"""Tokens and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import ceil, isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple

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


_MOST_TOKENS = 10**12
"""No call uses more; what claims to is no count."""


class Reported(NamedTuple):
    """What a server says that an answer has used: never negative, whatever it sent."""

    usage: Usage
    tokens_in_known: bool
    """Whether the server has counted the prompt; else `usage.tokens_in` is 0."""
    tokens_out_known: bool

    def at_most(self, most: Usage) -> Usage:
        """What has to be paid for: what was counted, and the most of what was not.

        A limit on money must not rest on a server that counts no tokens.
        """
        usage = self.usage
        return Usage(
            usage.tokens_in if self.tokens_in_known else most.tokens_in,
            usage.tokens_out if self.tokens_out_known else most.tokens_out,
            usage.tokens_cached,
        )


UNKNOWN = Reported(Usage(), False, False)
"""Of a server that says nothing."""


def read_usage(found: Any) -> Reported:
    """The usage block of an answer, read so that nothing which was reported goes missing.

    Thoughts count as output, also where a server counts them in the total only or beside the
    completion. Cached tokens are part of the prompt; where there are more of them than the prompt
    has, they are counted beside it. What is no count (text, a negative or infinite number) is not
    known.
    """
    if not isinstance(found, dict):
        return UNKNOWN
    asked = _count(found.get("prompt_tokens", found.get("input_tokens")))
    written = _count(found.get("completion_tokens", found.get("output_tokens")))
    total = _count(found.get("total_tokens")) or 0
    cached = thought = 0
    for name, value in found.items():
        if name in _CACHED:
            cached = max(cached, _count(value) or 0)
        elif name in _READ and isinstance(value, dict):
            cached = max(cached, _count(value.get("cached_tokens")) or 0)
        elif name in _WRITTEN and isinstance(value, dict):
            thought = max(thought, _count(value.get("reasoning_tokens")) or 0)
        elif name == "reasoning_tokens":
            thought = max(thought, _count(value) or 0)
    if cached > (asked or 0) or ("cache_read_input_tokens" in found and "input_tokens" in found):
        asked = (asked or 0) + cached + (_count(found.get("cache_creation_input_tokens")) or 0)
    if written is not None or thought:
        beside = thought if thought > (written or 0) else 0
        written = (written or 0) + beside
    if asked is not None and total > asked:
        written = max(written or 0, total - asked)
    elif asked is None and written is not None and total > written:
        asked = total - written
    # No prompt is empty: a zero is a server that does not count.
    return Reported(Usage(asked or 0, written or 0, cached), bool(asked), written is not None)


_CACHED: Final = frozenset({"prompt_cache_hit_tokens", "cache_read_input_tokens"})
_READ: Final = frozenset({"prompt_tokens_details", "input_tokens_details"})
_WRITTEN: Final = frozenset({"completion_tokens_details", "output_tokens_details"})


def _count(value: Any) -> int | None:
    """A number of tokens; None for whatever is none."""
    if type(value) is int and 0 <= value <= _MOST_TOKENS:
        return value
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not isfinite(value):
        return None
    return ceil(value) if 0 <= value <= _MOST_TOKENS else None


class Price(NamedTuple):
    """Of a million tokens, in the table's currency."""

    tokens_in: float
    tokens_cached: float
    tokens_out: float

    def of(self, usage: Usage) -> float:
        """What this usage costs; never less than nothing."""
        cached = min(usage.tokens_cached, usage.tokens_in)
        fresh = usage.tokens_in - cached
        return (
            fresh * self.tokens_in
            + cached * self.tokens_cached
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
            spec: Price(_price(row["in"]), _price(row.get("cached", row["in"])), _price(row["out"]))
            for spec, row in (raw.get("per_million_tokens") or {}).items()
        }
        return rows, frozenset(raw.get("free") or ())
    except OSError as error:
        raise BrokenFile(path, error.strerror or str(error)) from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise BrokenFile(
            path, f"not a table of prices, of the shape of arrears/models/prices.yaml: {why}"
        ) from None


def _price(value: Any) -> float:
    price = float(value)
    if isinstance(value, bool) or not isfinite(price) or price < 0:
        raise ValueError(f"{value!r} is no price")
    return price
