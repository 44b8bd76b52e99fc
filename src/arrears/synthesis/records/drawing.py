"""Rows from a fitted method: conditions kept, strata matched, copies of real rows drawn again."""

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.errors import UnknownName, UsageError
from arrears.synthesis.records.copies import are_copies
from arrears.synthesis.records.strata import Cell, Strata, quotas
from arrears.synthesis.records.synthesizer import Synthesizer
from arrears.synthesis.records.table import Column

_BATCH: Final = 5_000
_BATCHES: Final = 60
_CONDITION: Final = re.compile(r"\s*([^=<>]+?)\s*(=|>=|<=|>|<)\s*(.+?)\s*")
_COMPARE: Final[Mapping[str, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]]] = {
    "=": operator.eq, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip

Wanted = Callable[[NDArray[np.float64]], NDArray[np.bool_]]


class Condition(NamedTuple):
    """What a row must fulfil, `sex=female` or `overdue_days>=90`, in units of the record."""

    column: int
    sign: str
    value: float


class Drawn(NamedTuple):
    """Rows, and what happened on the way."""

    data: NDArray[np.float64]
    copies: int
    """How many rows equal to a real one came up; they were drawn again."""
    tried: int
    outside: int
    """Rows that fill no stratum's quota: the method gave too few of some kind."""


def read_conditions(
    texts: Sequence[str], columns: Sequence[Column], factors: Mapping[str, float]
) -> tuple[Condition, ...]:
    """Conditions as they are written on the command line. UsageError, UnknownName."""
    names = {column.name: i for i, column in enumerate(columns)}
    found = []
    for text in texts:
        parts = _CONDITION.fullmatch(text)
        if parts is None:
            raise UsageError(f"--where {text!r}: write sex=female or overdue_days>=90")
        name, sign, value = parts.groups()
        if name not in names:
            raise UnknownName("column", name, names)
        column = columns[names[name]]
        if column.kind == "categorical":
            if value not in column.levels:
                raise UnknownName(f"value of {name}", value, column.levels)
            if sign != "=":
                raise UsageError(f"--where {text!r}: {name} can be compared with = only")
            found.append(Condition(names[name], "=", float(column.levels.index(value))))
            continue
        try:
            number = float(value) / factors.get(name, 1.0)
        except ValueError:
            raise UsageError(f"--where {text!r}: {value!r} is not a number") from None
        found.append(Condition(names[name], sign, number))
    return tuple(found)


def draw_rows(
    synthesizer: Synthesizer,
    columns: Sequence[Column],
    n: int,
    rng: np.random.Generator,
    *,
    strata: Strata | None,
    conditions: Sequence[Condition] = (),
    wanted: Wanted | None = None,
    real: NDArray[np.uint64] | None = None,
    pool: bool = False,
    short: bool = False,
) -> Drawn:
    """`n` rows in a random order; fewer where there are no more and `short` allows it.

    With strata the shares are those of the source, among the rows that fulfil the conditions: how
    many of a stratum do is taken from the method's own rows. `wanted` is one more condition.
    UsageError where so many cannot be had.
    """
    places = {column.name: i for i, column in enumerate(columns)}
    kept: dict[Cell, list[NDArray[np.float64]]] = defaultdict(list)
    fulfil: dict[Cell, list[int]] = defaultdict(lambda: [0, 0])
    copies = tried = have = 0
    given: dict[Cell, int] = {}
    for _ in range(1 if pool else _BATCHES):
        batch = synthesizer.rows(1 << 60 if pool else max(_BATCH, 2 * n), rng)
        tried += len(batch)
        if real is not None:
            same = are_copies(batch, columns, real)
            copies += int(same.sum())
            batch = batch[~same]
        fits = _fulfil(batch, conditions)
        if wanted is not None:
            fits &= wanted(batch)
        cells: list[Cell] = [()] * len(batch) if strata is None else strata.cells(batch, places)
        for row, cell, fit in zip(batch, cells, fits.tolist(), strict=True):
            fulfil[cell][0] += 1
            if fit:
                fulfil[cell][1] += 1
                kept[cell].append(row)
                have += 1
        given = _quotas(strata, fulfil, n)
        if given and all(len(kept[cell]) >= count for cell, count in given.items()):
            break
    if have == 0 and copies:
        raise UsageError(
            f"all {copies:,} rows that fulfil this equal rows of the table: its columns have too "
            "few values, or the method has learned it by heart; leave columns out of the mapping, "
            "or take another --method"
        )
    if have < n and short:
        n = have
        given = _quotas(strata, fulfil, n)
    elif have < n:
        why = "the model's pool has" if pool else f"{tried:,} draws gave"
        advice = "ask for fewer, or widen --where"
        raise UsageError(f"{why} {have:,} such rows, not {n:,}; {advice}")
    return _filled(kept, given, n, rng, copies, tried)


def _quotas(strata: Strata | None, fulfil: Mapping[Cell, list[int]], n: int) -> dict[Cell, int]:
    if strata is None:
        return {(): n}
    weights = {
        cell: share * (fulfil[cell][1] / fulfil[cell][0])
        for cell, share in strata.shares.items()
        if cell in fulfil and fulfil[cell][1]
    }
    return quotas(weights, n) if weights else {}


def _filled(
    kept: Mapping[Cell, list[NDArray[np.float64]]],
    given: Mapping[Cell, int],
    n: int,
    rng: np.random.Generator,
    copies: int,
    tried: int,
) -> Drawn:
    chosen = [row for cell, count in given.items() for row in kept[cell][:count]]
    spare = [row for cell, rows in kept.items() for row in rows[given.get(cell, 0) :]]
    outside = n - len(chosen)
    if outside:
        order = rng.permutation(len(spare))
        chosen += [spare[i] for i in order[:outside]]
    data = np.array(chosen)
    return Drawn(data[rng.permutation(n)], copies, tried, outside)


def _fulfil(data: NDArray[np.float64], conditions: Sequence[Condition]) -> NDArray[np.bool_]:
    fits = np.ones(len(data), dtype=bool)
    for condition in conditions:
        # A missing value fulfils nothing.
        with np.errstate(invalid="ignore"):
            fits &= _COMPARE[condition.sign](data[:, condition.column], condition.value)
    return fits
