"""Numbers and sentences as they are said: one spelling of a value for both seats."""

from collections.abc import Sequence
from functools import cache

from arrears.terms import RATIOS, Dimension, Value


@cache
def spoken_value(dim: Dimension, value: Value) -> str:
    """`25%`, `7 days`, `1 day`, `12 months`."""
    if dim in RATIOS:
        return f"{round(value * 100)}%"
    count = int(value)
    unit = "day" if dim == "pmt_days" else "month"
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def sentence(clauses: Sequence[str]) -> str:
    """Clauses joined into one sentence with its stop."""
    if len(clauses) == 1:
        return f"{clauses[0]}."
    return f"{', '.join(clauses[:-1])}, and {clauses[-1]}."
