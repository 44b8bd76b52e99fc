"""Fit behavioural constants on train personas to DebtBench's Table 3.

    python -m benchmarks.calibration.fit --evaluations 400

CMA-ES over the constants listed below; every candidate meets the same personas with the same luck.
Prints the constants found; they are written into behaviour.yaml by hand, rounded.
"""

import argparse
import copy
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import cma
import numpy as np

from arrears.debtors.record import CATEGORIES
from arrears.debtors.suites import load_suite
from benchmarks.calibration.talks import play_all, shipped_constants
from benchmarks.calibration.targets import (
    COLLECTION_OVER_SUCCESS,
    RATIONALITY,
    TABLE_3,
    Outcome,
    outcomes,
)

# Path into behaviour.yaml: (step of the search, least, most).
FITTED: Mapping[str, tuple[float, float, float]] = {
    "debtor.willingness.bias": (0.6, -6, 3),
    "debtor.willingness.of_responsibility": (0.5, 0.3, 4),
    "debtor.willingness.of_trust": (0.5, 0.5, 5),
    "debtor.willingness.of_anger": (0.6, -7, -0.5),
    "debtor.willingness.of_disgust": (0.3, -3, -0.1),
    "debtor.willingness.of_despair": (0.4, -3, -0.1),
    "debtor.willingness.person_sd": (0.3, 0.2, 3),
    "debtor.strategies.repayment_negotiation.bias": (0.5, -6, 1),
    "debtor.strategies.repayment_negotiation.willingness": (0.8, 1, 9),
    "debtor.strategies.vague_response.willingness": (0.6, -6, -0.5),
    "debtor.bargaining.demand_bias": (0.03, -0.1, 0.2),
    "debtor.bargaining.demand_anger": (0.04, 0.0, 0.4),
    "debtor.bargaining.demand_responsibility": (0.03, -0.3, 0.0),
    "debtor.bargaining.demand_sd": (0.03, 0.01, 0.25),
    "debtor.bargaining.demand_hardship": (0.02, 0.0, 0.15),
    "debtor.bargaining.beta_bias": (0.3, -2, 2),
    "debtor.bargaining.horizon": (1.0, 3, 12),
    "debtor.bargaining.upfront_least": (0.1, 0.1, 0.9),
    "debtor.bargaining.misjudges_sd": (0.15, 0.1, 1.3),
    "debtor.bargaining.monthly_share": (0.1, 0.4, 1.0),
    "debtor.bargaining.keep_days": (3.0, 0, 25),
    "collectors.typical.rounds": (1.0, 2, 10),
    "collectors.typical.beta": (0.2, 0.3, 3),
    "collectors.typical.limit.disc_ratio": (0.1, 0.17, 0.7),
}
# What one unit of the loss is worth: a third of the tolerance of each target.
_SR, _AT, _CR, _RATIONAL = 1.0, 0.17, 0.67, 1.0


class Trial(NamedTuple):
    """A candidate's outcome by category, and how far it is off."""

    found: Mapping[str, Outcome]
    loss: float


def get(raw: Mapping[str, Any], path: str) -> float:
    """The constant at a dotted path."""
    at: Any = raw
    for part in path.split("."):
        at = at[part]
    return float(at)


def put(raw: Mapping[str, Any], values: Mapping[str, float]) -> dict[str, Any]:
    """A copy of the constants with those at the given paths replaced."""
    changed: dict[str, Any] = copy.deepcopy(dict(raw))
    for path, value in values.items():
        at = changed
        *folders, last = path.split(".")
        for part in folders:
            at = at[part]
        at[last] = value
    return changed


def loss_of(found: Mapping[str, Outcome]) -> float:
    """Squared distances to the targets, in thirds of the tolerances."""
    total = 0.0
    for category in (*CATEGORIES, "overall"):
        theirs, ours = TABLE_3[category], found[category]
        # The small category's figures are the noisiest; overall is the sum of the others.
        weight = 0.6 if category == "cooperative" else 1.0
        total += weight * ((ours.SR - theirs.SR) / _SR) ** 2
        total += weight * ((ours.AT - theirs.AT) / _AT) ** 2
        ratio = 100 * COLLECTION_OVER_SUCCESS[category]
        total += weight * ((ours.collection_over_success - ratio) / _CR) ** 2
    overall = found["overall"]
    for name, theirs in RATIONALITY.items():
        total += ((getattr(overall, name) - theirs) / _RATIONAL) ** 2
    return total


def main() -> None:
    """Search, and print what was found."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--evaluations", type=int, default=400)
    args.add_argument("--people", type=int, default=1500)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--sigma", type=float, default=0.4, help="first spread, in steps")
    args.add_argument("--workers", type=int, default=2)
    options = args.parse_args()

    raw = shipped_constants()
    people = load_suite("debtbench", "train")[: options.people]
    names = list(FITTED)
    steps = np.array([FITTED[name][0] for name in names])
    low = np.array([FITTED[name][1] for name in names])
    high = np.array([FITTED[name][2] for name in names])
    start = np.clip([get(raw, name) for name in names], low, high) / steps

    with ProcessPoolExecutor(options.workers) as pool:

        def tried(x: Sequence[float]) -> Trial:
            values = dict(zip(names, map(float, np.array(x) * steps), strict=True))
            rows = play_all(pool, "typical", people, options.seed, put(raw, values), chunk=250)
            found = outcomes(rows)
            return Trial(found, loss_of(found))

        search = cma.CMAEvolutionStrategy(
            start,
            options.sigma,
            {
                "bounds": [list(low / steps), list(high / steps)],
                "maxfevals": options.evaluations,
                "seed": options.seed,
                "verbose": -9,
            },
        )
        best: tuple[float, list[float]] = (tried(start).loss, list(start))
        print(f"at the start: loss {best[0]:.1f}", flush=True)
        while not search.stop():
            asked = search.ask()
            losses = [tried(x).loss for x in asked]
            search.tell(asked, losses)
            at = int(np.argmin(losses))
            if losses[at] < best[0]:
                best = (losses[at], list(asked[at]))
            print(f"{search.countevals:5d} loss {min(losses):8.2f} best {best[0]:.2f}", flush=True)
        mean = list(search.result.xfavorite)
        if (settled := tried(mean).loss) < best[0]:
            best = (settled, mean)
        for name, value in zip(names, np.array(best[1]) * steps, strict=True):
            print(f"{name}: {value:.3f}")
        for category, outcome in tried(best[1]).found.items():
            print(f"{category:16} {outcome}")


if __name__ == "__main__":
    main()
