"""The metrics of DCN (appendix F) over a suite: averages by its rules, and its three indices.

A dialogue without agreement, or whose plan fails, counts as SR 0 and RR 0; one that was broken off
from outside (`Row.failure`) counts as nothing. QRD, HRD and CD are
averaged over agreements, L1D, L2D and ATV over all dialogues. The indices are computed from the
suite's averages, as the paper does; a row's `own_cri`, `own_dhi`, `own_cci` are per dialogue.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.economy.indices import (
    Reading,
    comprehensive_collection_index,
    creditor_recovery_index,
    debtor_health_index,
)
from arrears.scoring.row import Row, played

__all__ = [
    "Averages",
    "averages",
    "comprehensive_collection_index",
    "creditor_recovery_index",
    "debtor_health_index",
    "indices",
]
Floats = NDArray[np.float64]
COLUMNS = ("SR", "RR", "QRD", "HRD", "CD", "L1D", "L2D", "ATV")


class Averages(NamedTuple):
    """A suite's averages. SR and RR are fractions; the days are NaN without any agreement."""

    SR: float
    RR: float
    QRD: float
    HRD: float
    CD: float
    L1D: float
    L2D: float
    ATV: float


def columns(rows: Sequence[Row], reading: Reading = "published") -> Floats:
    """The eight columns of each row, shape (n, 8); NaN where a row has no such figure."""
    variance = "atv" if reading == "published" else "atv_365"
    values = [
        (r.success, r.recovery, r.qrd, r.hrd, r.cd, r.l1d, r.l2d, getattr(r, variance))
        for r in rows
    ]
    return np.array(values, dtype=np.float64).reshape(len(rows), len(COLUMNS))


def averages(rows: Sequence[Row], reading: Reading = "published") -> Averages:
    """The averages over the rows that were played. ValueError for none: nothing has no average."""
    rows = played(rows)
    if not rows:
        raise ValueError("no dialogues to average over")
    return Averages._make(float(x) for x in means(columns(rows, reading)))


def means(values: Floats) -> Floats:
    """Means over the second last axis, leaving out NaN; NaN where nothing is left."""
    there = ~np.isnan(values)
    count = there.sum(axis=-2)
    total = np.where(there, values, 0.0).sum(axis=-2)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def indices(means_of_columns: Floats, reading: Reading = "published") -> Floats:
    """CRI, DHI and CCI from averages, (…, 8) to (…, 3).

    CRI and CCI are NaN (unscored) where the days are: without any agreement.
    """
    sr, rr, qrd, hrd, cd, l1d, l2d, atv = np.moveaxis(means_of_columns, -1, 0)
    cri = np.asarray(creditor_recovery_index(sr, rr, qrd, hrd, cd, reading=reading))
    dhi = np.asarray(debtor_health_index(l1d, l2d, atv, reading=reading))
    cci = np.asarray(comprehensive_collection_index(cri, dhi, reading=reading))
    return np.stack([cri, dhi, np.where(np.isnan(cri), np.nan, cci)], axis=-1)
