"""A lender's table, made up: columns that hang together, as a file in any shape."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arrears.rng import rng_for

MAPPING = """
[account]
need_coll_amt = "BALANCE"
bal_due = "LENT"
overdue_days = { column = "MONTHS", factor = 30 }
age = "AGE"
sex = { column = "SEX", codes = { "1" = "male", "2" = "female" } }

[other]
numeric = ["SCORE"]
categorical = ["REGION"]
"""
HEADER = ("ID", "BALANCE", "LENT", "MONTHS", "AGE", "SEX", "SCORE", "REGION")


def rows(n: int = 600, seed: int = 1) -> list[list[str]]:
    """Accounts as text cells; balance, loan and score go together, region goes with age."""
    rng = rng_for(seed, "accounts")
    z = rng.standard_normal((n, 2))
    balance = np.exp(9 + 0.5 * z[:, 0])
    lent = balance * (1 + rng.random(n))
    months = np.clip(np.round(np.exp(1 + 0.6 * rng.standard_normal(n))), 1, 24)
    age = np.clip(np.round(38 + 10 * z[:, 1]), 19, 70)
    sex = np.where(rng.random(n) < 0.6, "1", "2")
    score = np.round(600 - 40 * z[:, 0] + 30 * rng.standard_normal(n))
    region = np.where(age + 8 * rng.standard_normal(n) > 40, "county", "city")
    return [
        [f"A{i:05d}", f"{balance[i]:.2f}", f"{lent[i]:.2f}", f"{months[i]:.0f}", f"{age[i]:.0f}",
         str(sex[i]), f"{score[i]:.0f}", str(region[i])]
        for i in range(n)
    ]  # fmt: skip


def write(
    path: Path,
    body: Sequence[Sequence[str]],
    *,
    header: Sequence[str] = HEADER,
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> Path:
    """Write a table, and `mapping.toml` beside it; the table's path."""
    lines = [delimiter.join(header), *(delimiter.join(row) for row in body)]
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    (path.parent / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    return path
