"""The tables of both papers, as data: what ours are held against, always marked as published."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

import yaml

from arrears.errors import UnknownName


class PublishedTable(NamedTuple):
    """One table. Shares are fractions here, percent only where the paper prints it."""

    source: str
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, float]]
    """By the paper's row name, by metric."""


def published_table(name: str) -> PublishedTable:
    """`dcn_table_2`, `dcn_table_3`, `debtbench_table_2`, `…_3` or `…_5`. UnknownName otherwise."""
    tables = _tables()
    if name not in tables:
        raise UnknownName("published table", name, tables)
    return tables[name]


@cache
def _tables() -> Mapping[str, PublishedTable]:
    text = (resources.files("arrears.scoring") / "published.yaml").read_text(encoding="utf-8")
    raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {
        name: PublishedTable(
            table["source"],
            tuple(table["columns"]),
            {
                row: {
                    # 1e-9: 87.15 / 100 as a reader would write it.
                    column: round(value / 100, 9) if column in table["percent"] else float(value)
                    for column, value in zip(table["columns"], values, strict=True)
                }
                for row, values in table["rows"].items()
            },
        )
        for name, table in raw.items()
    }
