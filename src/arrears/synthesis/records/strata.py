"""Strata: how many rows of each kind there were, so that a sample has as many of each.

DCN §2.1 grouped its records by sex, days overdue and amount and sampled in those proportions.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arrears.synthesis.records.mapping import StrataChoice
from arrears.synthesis.records.table import FEW, Column, Table

Cell = tuple[int, ...]


@dataclass(frozen=True)
class Strata:
    """Cells by (band of each column), and the share of each."""

    columns: tuple[str, ...]
    cuts: tuple[tuple[float, ...] | None, ...]
    """Between bands of a number; None for a category, whose values are its bands."""
    shares: Mapping[Cell, float]
    """Cells that fewer than `FEW` rows were in are left out: they could tell of one person."""

    def cells(self, data: NDArray[np.float64], places: Mapping[str, int]) -> list[Cell]:
        """The cell of each row; −1 stands for a missing value."""
        bands = []
        for name, cuts in zip(self.columns, self.cuts, strict=True):
            values = data[:, places[name]]
            known = np.nan_to_num(values, nan=0.0)
            band = known if cuts is None else np.searchsorted(cuts, known, side="right")
            bands.append(np.where(np.isnan(values), -1, band).astype(int).tolist())
        return list(zip(*bands, strict=True)) if bands else [()] * len(data)

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "columns": list(self.columns),
            "cuts": [None if c is None else list(c) for c in self.cuts],
            "cells": [[list(cell), share] for cell, share in self.shares.items()],
        }


def strata_from(document: Mapping[str, Any]) -> Strata:
    """As `Strata.document` gave it."""
    return Strata(
        tuple(document["columns"]),
        tuple(None if c is None else tuple(c) for c in document["cuts"]),
        {tuple(cell): share for cell, share in document["cells"]},
    )


def strata_of(table: Table, choice: StrataChoice) -> Strata:
    """The strata of a table; bands of a number hold about equal counts."""
    cuts = tuple(
        _cuts(table.columns[table.places[name]], table.column(name), choice.bands)
        for name in choice.columns
    )
    empty = Strata(choice.columns, cuts, {})
    counts = Counter(empty.cells(table.data, table.places))
    kept = {cell: n for cell, n in sorted(counts.items()) if n >= FEW}
    total = sum(kept.values())
    return Strata(choice.columns, cuts, {cell: n / total for cell, n in kept.items()})


def quotas(weights: Mapping[Cell, float], n: int) -> dict[Cell, int]:
    """Whole numbers in these proportions that add up to `n` (largest remainders)."""
    total = sum(weights.values())
    exact = {cell: n * weight / total for cell, weight in weights.items()}
    given = {cell: int(share) for cell, share in exact.items()}
    rest = sorted(exact, key=lambda cell: (given[cell] - exact[cell], cell))
    for cell in rest[: n - sum(given.values())]:
        given[cell] += 1
    return given


def _cuts(column: Column, values: NDArray[np.float64], bands: int) -> tuple[float, ...] | None:
    if column.kind == "categorical":
        return None
    there = values[~np.isnan(values)]
    found = np.unique(np.quantile(there, np.arange(1, bands) / bands, method="higher"))
    different = np.unique(there)
    # Halfway to the next lower value: the same bands, and nobody's value. A cut at the lowest value
    # would have nothing below it.
    places = np.searchsorted(different, found[found > different[0]])
    return tuple(((different[places - 1] + different[places]) / 2).tolist())
