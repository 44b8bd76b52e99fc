"""A debtor as one flat row, for tables: dotted column names, lists joined by `;`."""

from collections.abc import Mapping
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

    Cells may be text, as in a csv. ValueError names the column whose cell cannot be read, or one
    that is not a debtor's.
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
        return [part.strip() for part in str(cell).split(";") if part.strip()]
    try:
        return kind(cell)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise ValueError(f"{column}: {cell!r} is not {wanted}") from None
