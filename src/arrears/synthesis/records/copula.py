"""Each column's margin, and a vine of nonparametric pair copulas between them.

The vine (Bedford and Cooke 2002; Dissmann and others 2013) is pyvinecopulib's. Unlike a Gaussian
copula it can say "late last month, late this month" and "no bill, no payment", which a table of
accounts is full of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from arrears.synthesis.records.latent import in_order, latent_normals
from arrears.synthesis.records.marginals import Margin, fit_margin, margin_from
from arrears.synthesis.records.table import Column, Table

_BANDWIDTH: Final = 0.5
"""Of the kernels, as a share of the library's rule of thumb."""


@dataclass(frozen=True)
class CopulaModel:
    """Margins and the vine between them."""

    columns: tuple[Column, ...]
    margins: tuple[Margin, ...]
    orders: dict[str, tuple[int, ...]]
    """Old places of a category's values, in the order in which the vine has them."""
    learned: tuple[int, ...]
    """Places of the columns that the vine is about; the others have one value."""
    vine: Any
    """None where fewer than two columns vary."""

    def rows(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """As `Synthesizer.rows`."""
        uniform = np.full((n, len(self.columns)), 0.5)
        if self.vine is None:
            uniform[:, list(self.learned)] = rng.random((n, len(self.learned)))
        else:
            seeds = rng.integers(1, 1 << 31, size=8).tolist()
            uniform[:, list(self.learned)] = self.vine.sample(n, seeds=seeds)
        found = np.column_stack([m.values(u) for m, u in zip(self.margins, uniform.T, strict=True)])
        for i, column in enumerate(self.columns):
            if column.kind == "categorical":
                order = np.array([*self.orders[column.name], np.nan])
                place = np.where(np.isnan(found[:, i]), len(order) - 1, found[:, i])
                found[:, i] = order[place.astype(int)]
        return found

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "margins": [margin.document() for margin in self.margins],
            "orders": self.orders,
            "learned": self.learned,
            "vine": None if self.vine is None else self.vine.to_json(),
        }


def fit_copula(table: Table, rng: np.random.Generator) -> CopulaModel:
    """Margins, latent normals, the vine: seconds for ten thousand rows of twenty columns."""
    import pyvinecopulib as pv

    ordered, orders = in_order(table)
    margins = tuple(fit_margin(ordered.data[:, i], c) for i, c in enumerate(table.columns))
    learned = tuple(i for i, margin in enumerate(margins) if len(margin.low) > 1)
    vine = None
    if len(learned) > 1:
        from scipy.special import ndtr

        some = Table(tuple(table.columns[i] for i in learned), ordered.data[:, list(learned)])
        controls = pv.FitControlsVinecop(
            family_set=[pv.BicopFamily.tll], nonparametric_mult=_BANDWIDTH, num_threads=2
        )
        vine = pv.Vinecop.from_data(ndtr(latent_normals(some, rng)), controls=controls)
    return CopulaModel(table.columns, margins, orders, learned, vine)


def copula_from(document: Mapping[str, Any], columns: tuple[Column, ...]) -> CopulaModel:
    """As `CopulaModel.document` gave it. KeyError, ValueError, RuntimeError where it did not."""
    import pyvinecopulib as pv

    vine = document["vine"]
    return CopulaModel(
        columns,
        tuple(margin_from(m) for m in document["margins"]),
        {name: tuple(order) for name, order in document["orders"].items()},
        tuple(document["learned"]),
        None if vine is None else pv.Vinecop.from_json(vine),
    )
