"""A debtor as one flat row, for tables: dotted column names, lists joined by `;`."""

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from arrears.debtors.record import EMOTIONS, Debtor

_COGNITION: Final = (
    "legal_awareness", "financial_literacy", "responsibility", "credit_awareness",
)  # fmt: skip
# Columns in the order of the record. The kind says how a cell is read back from text.
COLUMNS: Final[Mapping[str, type]] = {
    "id": str,
    "background.name": str,
    "background.age": int,
    "background.sex": str,
    "background.bal_due": float,
    "background.need_coll_amt": float,
    "background.overdue_days": int,
    "finances.assets": float,
    "finances.avg_daily_income": float,
    "finances.avg_daily_expense": float,
    "finances.overdue_reason.category": str,
    "finances.overdue_reason.text": str,
    "personality.character": list,
    "personality.mbti": str,
    **{f"personality.emotions.{name}": int for name in EMOTIONS},
    "personality.emotional_resilience": str,
    "personality.style": list,
    **{
        f"cognition.{name}.{part}": int if part == "level" else str
        for name in _COGNITION
        for part in ("level", "description")
    },
    "scenario.work": str,
    "scenario.household": str,
    "scenario.story": str,
    "category": str,
}


_WANTED: Final[Mapping[type, str]] = {int: "a whole number", float: "a number"}


def flatten(debtor: Debtor) -> dict[str, Any]:
    """Column to cell; None where the record has nothing."""
    record = debtor.model_dump()
    row: dict[str, Any] = {}
    for column, kind in COLUMNS.items():
        value: Any = record
        for part in column.split("."):
            value = None if value is None else value[part]
        row[column] = ";".join(value) if kind is list and value is not None else value
    return row


def unflatten(row: Mapping[str, Any]) -> dict[str, Any]:
    """The nested mapping that a row stands for; empty cells and columns are left out.

    Numbers come as numbers, lists as lists or as text with `;`. ValueError names the column whose
    cell is of another kind, or one that is not a debtor's.
    """
    record: dict[str, Any] = {}
    for column, cell in row.items():
        if column not in COLUMNS:
            raise ValueError(f"{column}: not a column of debtors")
        if cell is None or cell == "":
            continue
        *path, last = column.split(".")
        at = record
        for part in path:
            at = at.setdefault(part, {})
        at[last] = _read(column, cell)
    return record


def _read(column: str, cell: Any) -> Any:
    kind = COLUMNS[column]
    if kind is list:
        return _list(column, cell)
    if kind is str:
        if isinstance(cell, str):
            return cell
        if isinstance(cell, int) and not isinstance(cell, bool):
            return str(cell)
        raise ValueError(f"{column}: {cell!r} is not a text")
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise ValueError(f"{column}: {cell!r} is not {_WANTED[kind]}")
    if kind is int:
        if not isfinite(cell) or cell != int(cell):
            raise ValueError(f"{column}: {_plain(cell)} is not {_WANTED[kind]}")
        return int(cell)
    return float(cell)


def _list(column: str, cell: Any) -> list[str]:
    if isinstance(cell, str):
        return [part.strip() for part in cell.split(";") if part.strip()]
    if isinstance(cell, list | tuple) and all(isinstance(part, str) for part in cell):
        return list(cell)
    raise ValueError(f"{column}: {cell!r} is not a list of texts")


def _plain(number: Decimal | float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)
