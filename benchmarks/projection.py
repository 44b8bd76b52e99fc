"""How fast the projection is, and how much faster than walking through the days.

    python -m benchmarks.projection

One core: 1,000 debtors × 5,880 agreements in one call, single calls, and the plain daily loop of
`daily_loop.py`, compiled too, on a sample of the same cases.
"""

import time

import numpy as np

from arrears.debtors.suites import load_suite
from arrears.economy.grid import legal_terms, project_many
from arrears.economy.position import money_of
from arrears.economy.projection import project
from benchmarks.daily_loop import days_of, plan_arrays

SAMPLE = 20_000


def main() -> None:
    """Measure and print."""
    people = [money_of(debtor) for debtor in load_suite("debtbench", "test")]
    terms = legal_terms()
    project_many(people[:2])
    project(people[0], terms[0])
    days_of(*people[0], plan_arrays(people[0], terms[0]))

    began = time.perf_counter()
    project_many(people)
    grid = time.perf_counter() - began
    count = len(people) * len(terms)
    print(f"{len(people):,} debtors x {len(terms):,} agreements: {grid:.2f} s")
    print(f"  an agreement, in the grid:      {1e9 * grid / count:8.0f} ns")

    rng = np.random.default_rng(1)
    cases = [
        (people[i], terms[j])
        for i, j in zip(
            rng.integers(0, len(people), SAMPLE), rng.integers(0, len(terms), SAMPLE), strict=True
        )
    ]
    began = time.perf_counter()
    for money, agreed in cases:
        project(money, agreed)
    single = (time.perf_counter() - began) / SAMPLE
    print(f"  an agreement, one call each:    {1e9 * single:8.0f} ns")

    plans = [plan_arrays(money, agreed) for money, agreed in cases]
    began = time.perf_counter()
    for (money, _), plan in zip(cases, plans, strict=True):
        days_of(money.need_coll_amt, money.assets, money.daily_surplus, plan)
    daily = (time.perf_counter() - began) / SAMPLE
    print(f"  an agreement, the daily loop:   {1e9 * daily:8.0f} ns (compiled)")
    print(f"  daily loop / grid: {daily / (grid / count):.0f}")
    began = time.perf_counter()
    for (money, _), plan in zip(cases[:200], plans[:200], strict=True):
        days_of.py_func(money.need_coll_amt, money.assets, money.daily_surplus, plan)
    plain = (time.perf_counter() - began) / 200
    print(f"  daily loop in plain Python / grid: {plain / (grid / count):,.0f}")


if __name__ == "__main__":
    main()
