"""`ctgan`: DCN's records (§2.1), by the library `ctgan` (Xu and others 2019).

The library is under the Business Source License 1.1, which is no open licence; it is an extra of
its own, imported here and nowhere else.
"""

from typing import Final

import numpy as np

from arrears.synthesis.records.pool import PoolModel
from arrears.synthesis.records.table import Table

EPOCHS: Final = 300
"""The library's default, and DCN's as far as it says."""
_FEW_VALUES: Final = 15
"""A number with at most so many values is learned as a category."""
_LEVEL, _HOLE = "level", "hole"


def fit_ctgan(table: Table, rng: np.random.Generator, pool: int, epochs: int = EPOCHS) -> PoolModel:
    """A pool of rows drawn from a net trained for so many epochs; minutes on a CPU.

    Missing numbers become the median and a column of its own that says so.
    """
    import pandas as pd
    from ctgan import CTGAN

    columns: dict[str, object] = {}
    discrete = []
    for i, column in enumerate(table.columns):
        values = table.data[:, i]
        name = f"c{i}"
        if column.kind == "categorical" or len(np.unique(values[~np.isnan(values)])) <= _FEW_VALUES:
            columns[name] = np.where(
                np.isnan(values), _HOLE, [_LEVEL + repr(v) for v in values.tolist()]
            )
            discrete.append(name)
            continue
        holes = np.isnan(values)
        columns[name] = np.where(holes, np.nanmedian(values), values)
        if holes.any():
            columns[f"{name}?"] = holes.astype(int)
            discrete.append(f"{name}?")
    net = CTGAN(epochs=epochs, verbose=False, enable_gpu=False)
    net.set_random_state(int(rng.integers(1 << 31)))
    net.fit(pd.DataFrame(columns), discrete)
    made = net.sample(pool)
    found = np.empty((pool, len(table.columns)))
    for i, column in enumerate(table.columns):
        name = f"c{i}"
        if name in discrete:
            found[:, i] = [
                np.nan if v == _HOLE else float(v.removeprefix(_LEVEL)) for v in made[name]
            ]
            continue
        values = made[name].to_numpy(dtype=float)
        low, high = np.nanmin(table.data[:, i]), np.nanmax(table.data[:, i])
        values = np.clip(values, low, high)
        found[:, i] = np.round(values / column.step) * column.step if column.step else values
        if f"{name}?" in made:
            found[made[f"{name}?"].to_numpy() == 1, i] = np.nan
    return PoolModel(table.columns, found)
