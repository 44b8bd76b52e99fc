"""What synthetic rows give away of the rows that a model was fitted on.

Distances are Euclidean on each number's rank among the fitted rows (0 … 1) and on categories (½ for
a difference). The holdout, real rows that the model never saw, says what is normal: a row that is
nearer to the fitted rows than they are is suspicious.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arrears.synthesis.records.copies import are_copies, fingerprints
from arrears.synthesis.records.table import Table

_CHUNK: Final = 1_000
_LOW: Final = 0.05
_UNUSUAL: Final = 0.1
_CHANCE: Final = 0.999
ACCOUNT: Final = ("age", "sex", "need_coll_amt", "bal_due", "overdue_days")
"""What others than the lender may know of a person, and what `gaussian` matches by."""


@dataclass(frozen=True)
class Distances:
    """From each row of a set to the fitted rows."""

    nearest: NDArray[np.float64]
    """Distance to closest record (DCR), shape (rows,)."""
    ratio: NDArray[np.float64]
    """Nearest-neighbour distance ratio (NNDR): nearest over second nearest, 0 … 1."""

    def summary(self) -> tuple[float, float, float, float]:
        """Fifth percentile and median of both."""
        return (
            float(np.quantile(self.nearest, _LOW)),
            float(np.median(self.nearest)),
            float(np.quantile(self.ratio, _LOW)),
            float(np.median(self.ratio)),
        )


@dataclass(frozen=True)
class Privacy:
    """Synthetic rows, and beside them the holdout, against the fitted rows."""

    rows: int
    copies: int
    """Synthetic rows that equal a fitted row."""
    drawn_again: int
    """Rows that did, and were drawn again."""
    holdout_copies: int
    """Real rows of the holdout that do: equal by chance."""
    made: Distances
    holdout: Distances
    membership_auc: float
    """Of the attack that takes a row for a member if a synthetic row is near; 0.5 is a guess."""
    unusual_auc: float
    """The same over the tenth of the rows that are farthest from all others: whom averages hide."""
    account_auc: float
    """The attack by somebody who knows the account's fields only, as a neighbour may."""

    @property
    def copies_rows(self) -> bool:
        """Whether rows are repeated more often than chance makes real rows equal."""
        from scipy.stats import poisson

        came_up = self.copies + self.drawn_again
        # With no equal rows among the real there is no excuse.
        if not self.holdout_copies:
            return came_up > 0
        return bool(came_up > poisson.ppf(_CHANCE, self.holdout_copies))


def privacy(made: Table, fitted: Table, holdout: Table, drawn_again: int = 0) -> Privacy:
    """The evidence on equal numbers of rows; the longer sets are cut to the shortest.

    `drawn_again` rows had equalled a fitted one before these were taken.
    """
    n = min(len(made), len(fitted), len(holdout))
    made, members, others = (Table(t.columns, t.data[:n]) for t in (made, fitted, holdout))
    real = fingerprints(fitted.data, fitted.columns)
    space = _Space(fitted)
    points = [space.points(t) for t in (made, fitted, others)]
    attack = [_nearest(space.points(t), points[0], 1)[:, 0] for t in (members, others)]
    lonely = [
        # A member's nearest fitted row is itself.
        _nearest(space.points(members), points[1], 2)[:, 1],
        _nearest(points[2], points[1], 1)[:, 0],
    ]
    cut = np.quantile(np.concatenate(lonely), 1 - _UNUSUAL)
    unusual = [a[alone >= cut] for a, alone in zip(attack, lonely, strict=True)]
    return Privacy(
        n,
        int(are_copies(made.data, made.columns, real).sum()),
        drawn_again,
        int(are_copies(others.data, others.columns, real).sum()),
        _distances(points[0], points[1]),
        _distances(points[2], points[1]),
        _auc(*attack),
        _auc(*unusual),
        _account_attack(made, members, others),
    )


def _account_attack(made: Table, members: Table, others: Table) -> float:
    on = [made.places[name] for name in ACCOUNT if name in made.places]
    columns = tuple(made.columns[i] for i in on)
    some = [Table(columns, t.data[:, on]) for t in (made, members, others)]
    space = _Space(some[1])
    near = [_nearest(space.points(t), space.points(some[0]), 1)[:, 0] for t in some[1:]]
    return _auc(*near)


class _Space:
    """Where distances are measured: scaled by the fitted rows."""

    def __init__(self, fitted: Table) -> None:
        self._columns = fitted.columns
        self._sorted = [np.sort(c[~np.isnan(c)]) for c in fitted.data.T]

    def points(self, table: Table) -> NDArray[np.float32]:
        """Shape (rows, dimensions)."""
        parts = []
        for i, column in enumerate(self._columns):
            values = table.data[:, i]
            if column.kind == "categorical":
                codes = np.nan_to_num(values, nan=len(column.levels)).astype(int)
                # Two categories differ in two dummies: by ½ together.
                parts.append(np.eye(len(column.levels) + 1)[codes] * np.sqrt(0.125))
                continue
            order = self._sorted[i]
            below, upto = (np.searchsorted(order, values, side=s) for s in ("left", "right"))
            rank = (below + upto) / (2 * max(1, len(order)))
            # A hole is as far from the middle as anything can be.
            parts.append(np.where(np.isnan(values), -0.5, rank)[:, None])
        return np.hstack(parts).astype(np.float32)


def _nearest(
    points: NDArray[np.float32], among: NDArray[np.float32], count: int
) -> NDArray[np.float64]:
    """Distances to the nearest, shape (rows, count)."""
    from sklearn.neighbors import NearestNeighbors

    tree = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(among)
    chunks = [points[at : at + _CHUNK] for at in range(0, len(points), _CHUNK)]
    return np.vstack([tree.kneighbors(chunk)[0] for chunk in chunks]).astype(float)


def _distances(points: NDArray[np.float32], among: NDArray[np.float32]) -> Distances:
    found = _nearest(points, among, 2)
    # Below this, what is left is the arithmetic of the distance, not a distance.
    found[found < 1e-3] = 0.0
    second = np.where(found[:, 1] > 0, found[:, 1], 1.0)
    ratio = np.where(found[:, 1] > 0, found[:, 0] / second, 1.0)
    return Distances(found[:, 0], ratio)


def _auc(members: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """That a member is nearer to the synthetic rows than somebody else; ties count half."""
    from scipy.stats import rankdata

    if not len(members) or not len(others):
        return 0.5
    ranks = rankdata(-np.concatenate([members, others]))
    wins = ranks[: len(members)].sum() - len(members) * (len(members) + 1) / 2
    return float(wins / (len(members) * len(others)))
