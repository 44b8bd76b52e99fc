"""Ours against DebtBench's Table 3, on people and luck that no constant was fitted on.

    python -m benchmarks.calibration.report                 # 20,000 fresh personas
    python -m benchmarks.calibration.report --out tables.md

`scripted/typical` meets the fresh personas of FRESH_SEED and the shipped 1,000; the four collectors
meet each other on the shipped suites for the orderings that the papers report.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from arrears.debtors.population import make_population
from arrears.debtors.record import CATEGORIES
from arrears.debtors.suites import load_suite
from arrears.rng import rng_for
from arrears.scoring.row import Row
from benchmarks.calibration.talks import play_all, shipped_constants
from benchmarks.calibration.targets import COLLECTION_OVER_SUCCESS, TABLE_3, Outcome, outcomes

FRESH_SEED = 20_260_101  # no suite and no fit uses it
TOLERANCES = {"SR": 3.0, "AT": 0.5, "US": 0.5, "collection_over_success": 2.0}
RESAMPLES = 400


def table(rows: Sequence[Row], title: str, intervals: bool) -> list[str]:
    """A Markdown table: ours, theirs, and the difference where it is outside the tolerance."""
    found = outcomes(rows)
    lines = [
        f"### {title}",
        "",
        "| category | n | SR % | published | AT | published | US (rubric) | published "
        "| CR/SR % | published |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    spread = _intervals(rows) if intervals else {}
    for category in (*CATEGORIES, "overall"):
        ours, theirs = found[category], TABLE_3[category]
        ratio = 100 * COLLECTION_OVER_SUCCESS[category]
        cells = [
            _cell(ours.SR, theirs.SR, TOLERANCES["SR"], 1, spread.get((category, "SR"))),
            f"{theirs.SR:.1f}",
            _cell(ours.AT, theirs.AT, TOLERANCES["AT"], 2, spread.get((category, "AT"))),
            f"{theirs.AT:.2f}",
            _cell(ours.US, theirs.US, TOLERANCES["US"], 2, spread.get((category, "US"))),
            f"{theirs.US:.2f}",
            _cell(
                ours.collection_over_success,
                ratio,
                TOLERANCES["collection_over_success"],
                1,
                spread.get((category, "collection_over_success")),
            ),
            f"{ratio:.1f}",
        ]
        lines.append(f"| {category} | {ours.n:,} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _cell(
    ours: float, theirs: float, tolerance: float, digits: int, ends: tuple[float, float] | None
) -> str:
    text = f"{ours:.{digits}f}"
    if ends:
        text += f" ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})"
    return text if abs(ours - theirs) <= tolerance else f"**{text}, off by {ours - theirs:+.2f}**"


def _intervals(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[float, float]]:
    """95 % percentile bootstrap over debtors."""
    rng = rng_for(1, "calibration", "bootstrap")
    drawn: dict[tuple[str, str], list[float]] = {}
    for _ in range(RESAMPLES):
        sample = [rows[i] for i in rng.integers(0, len(rows), len(rows))]
        for category, outcome in outcomes(sample).items():
            for name in TOLERANCES:
                drawn.setdefault((category, name), []).append(getattr(outcome, name))
    return {
        key: (float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975)))
        for key, values in drawn.items()
    }


def collectors_table(results: dict[str, Sequence[Row]]) -> list[str]:
    """What each collector gives and gets on the shipped personas."""
    lines = [
        "### Four collectors on the shipped 1,000 personas",
        "",
        "| collector | SR % | SR by category (conf. / avoid. / helpl. / coop.) | discount % "
        "| months | upfront % | SA % | LS % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, rows in results.items():
        agreed = [row for row in rows if row.agreed]
        by = outcomes(rows)
        mean = {
            field: float(np.mean([getattr(row, field) for row in agreed]))
            for field in ("disc_ratio", "inst_prds", "pmt_ratio", "sa", "ls")
        }
        shares = " / ".join(f"{by[c].SR:.0f}" for c in CATEGORIES)
        lines.append(
            f"| {name} | {by['overall'].SR:.1f} | {shares} | {100 * mean['disc_ratio']:.1f} "
            f"| {mean['inst_prds']:.1f} | {100 * mean['pmt_ratio']:.1f} "
            f"| {100 * mean['sa']:.1f} | {100 * mean['ls']:.1f} |"
        )
    return [*lines, ""]


def within(rows: Sequence[Row]) -> bool:
    """Whether every figure is inside its tolerance."""
    found = outcomes(rows)

    def near(category: str, ours: Outcome) -> bool:
        theirs = TABLE_3[category]
        ratio = 100 * COLLECTION_OVER_SUCCESS[category]
        return (
            abs(ours.SR - theirs.SR) <= TOLERANCES["SR"]
            and abs(ours.AT - theirs.AT) <= TOLERANCES["AT"]
            and abs(ours.US - theirs.US) <= TOLERANCES["US"]
            and abs(ours.collection_over_success - ratio) <= TOLERANCES["collection_over_success"]
        )

    return all(near(category, outcome) for category, outcome in found.items())


def main() -> None:
    """Play, and print the tables."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--people", type=int, default=20_000)
    args.add_argument("--workers", type=int, default=2)
    args.add_argument("--out", type=Path)
    options = args.parse_args()
    constants = shipped_constants()
    fresh = list(make_population("debtbench", options.people, FRESH_SEED, "fresh"))
    shipped = load_suite("debtbench", "test")
    with ProcessPoolExecutor(options.workers) as pool:
        on_fresh = play_all(pool, "typical", fresh, FRESH_SEED, constants)
        on_shipped = {
            name: play_all(pool, name, shipped, 1, constants) for name in constants["collectors"]
        }
    title = f"`scripted/typical` on {options.people:,} fresh personas"
    lines = [
        *table(on_fresh, title, intervals=False),
        f"All figures within the tolerances: {'yes' if within(on_fresh) else 'NO'}.",
        "",
        *table(
            on_shipped["typical"],
            "`scripted/typical` on the shipped 1,000 (95 % intervals)",
            intervals=True,
        ),
        *collectors_table(on_shipped),
    ]
    text = "\n".join(lines)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
