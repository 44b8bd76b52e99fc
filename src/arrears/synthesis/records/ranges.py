"""What a number of a table may be, by what a debtor's record can hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.debtors.record import Background, Finances
from arrears.errors import BrokenFile
from arrears.synthesis.records.mapping import Learned, RecordMapping

LEAST_DEBT: Final = 1.0
"""Yuan from which on a row is a debt."""
LEAST_DAYS: Final = 0.5
"""Days overdue from which on a row is late; they are rounded."""
_SIGNED: Final = frozenset({"need_coll_amt", "overdue_days"})
"""At or below zero a row is an account without a debt: it is learned, and no debtor."""


class Limits(NamedTuple):
    """Ends of a field of the record, yuan, days or years, both included."""

    least: float
    most: float


def limits(field: str) -> Limits | None:
    """What a field of the record can hold; None for what is no number of a record."""
    for part in (Background, Finances):
        found = part.model_fields.get(field)
        if found is not None and found.annotation in (int, float):
            least = [float(end.ge) for end in found.metadata if hasattr(end, "ge")]
            most = [float(end.le) for end in found.metadata if hasattr(end, "le")]
            return Limits(max(least, default=-np.inf), min(most, default=np.inf))
    return None


def legal(
    path: Path,
    mapping: RecordMapping,
    learned: Learned,
    lines: Sequence[int],
    values: NDArray[np.float64],
    repairs: list[str],
) -> NDArray[np.float64]:
    """The numbers of a column, shape (rows,), NaN where no record could hold one; that is told in
    `repairs`.

    BrokenFile for a number beyond the upper end, and where most of a column cannot be held.
    """
    ends = limits(learned.name)
    source = mapping.source(learned.name) if ends is not None else None
    if ends is None or source is None:
        return values
    scaled = values * source.factor
    if learned.name == "age":
        scaled = np.round(scaled)
    above = scaled > ends.most
    outside = above | (scaled < (-ends.most if learned.name in _SIGNED else ends.least))
    count, there = int(outside.sum()), int((~np.isnan(values)).sum())
    if not count:
        return values
    # A wild age is junk in its row; a wild amount says that the column is not what it should be.
    wild = bool(above.any()) and learned.name != "age"
    first = int((above if wild else outside).argmax())
    shown = f"{values[first]:g}" + (f" × {source.factor:g}" if source.factor != 1 else "")
    allowed = f"{learned.name} is from {ends.least:g} to {ends.most:g}"
    if wild or 2 * count > there:
        why = f"{shown} is outside of what can be: {allowed}; {count} of {there} cells are outside"
        raise BrokenFile(path, why, lines[first], learned.column)
    repairs.append(
        f"{learned.column}: {count} cells are outside of what can be ({allowed}; line "
        f"{lines[first]} has {shown}); taken as missing"
    )
    return np.where(outside, np.nan, values)


def debtors_in(
    path: Path,
    mapping: RecordMapping,
    lines: Sequence[int],
    columns: Mapping[str, NDArray[np.float64]],
    few: int,
) -> list[str]:
    """What to tell of rows that are no debtors. `columns` are those that are needed, by field.

    BrokenFile, with a line, where fewer than `few` rows are debtors: none could be drawn.
    """
    owing = _reached(mapping, columns, "need_coll_amt", LEAST_DEBT)
    late = _reached(mapping, columns, "overdue_days", LEAST_DAYS)
    debtors = int((owing & late).sum())
    total = len(lines)
    if debtors >= few:
        rest = total - debtors
        return [] if not rest else [
            f"{rest:,} of {total:,} rows owe nothing or are not late; they are learned, and no "
            "debtor is drawn from them"
        ]  # fmt: skip
    field, reached, is_what = (
        ("need_coll_amt", owing, "a debt of 1 yuan or more")
        if owing.sum() < few
        else ("overdue_days", late, "a day overdue")
    )
    source = mapping.source(field)
    assert source is not None
    first = int((~reached).argmax())
    hint = ""
    if (columns[field] < 0).sum() >= few:
        hint = "; if this table writes it as a negative number, turn the sign"
    why = (
        f"{columns[field][first]:g} is not {is_what}, and {debtors} of {total} rows are debtors at "
        f"all, so none could be drawn{hint}"
    )
    raise BrokenFile(path, why, lines[first], source.column)


def _reached(
    mapping: RecordMapping, columns: Mapping[str, NDArray[np.float64]], field: str, least: float
) -> NDArray[np.bool_]:
    source = mapping.source(field)
    factor = 1.0 if source is None else source.factor
    return np.asarray(columns[field] * factor >= least)
