"""nano over seeds, with both ablations of CFPO: the figures of docs/experiments.md.

    python -m benchmarks.nano_study --out runs/study [--seeds 1,2,3] [--without filter,simulation]

For each seed: the shipped recipe from random weights, then the model before and that of every
round against the same test debtors of debtbench; then, from the same model that can talk, one round
of CFPO without the filter and one without the simulation, against the same debtors again. Each
stage is resumed where it was stopped, and a table is printed as soon as it can be.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from arrears.bench.run import Progress
from arrears.bench.stored import StoredRun, open_run
from arrears.bench.terminal import RunProgress
from arrears.training.nano.recipe import read_nano
from arrears.training.nano.stages import look_ahead, prove, talker
from arrears.training.report.lines import compared
from arrears.training.report.study import study_of

ABLATIONS = {
    "filter": ("cfpo.without=filter",),
    "simulation": ("cfpo.without=simulation",),
}
FIGURES = ("format", "SR", "AT", "CR", "US", "reward", "quality", "experience")


def main() -> None:
    """Run what is owed and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--without", default=",".join(ABLATIONS), help="'' leaves them out")
    parser.add_argument("--debtors", type=int, default=1000)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    chosen = parser.parse_args()
    parts = [part for part in chosen.without.split(",") if part]
    if unknown := set(parts) - set(ABLATIONS):
        parser.error(f"--without knows {', '.join(ABLATIONS)}, not {', '.join(sorted(unknown))}")
    settings = (*chosen.settings, f"proof.debtors={chosen.debtors}")
    for seed in map(int, chosen.seeds.split(",")):
        print(f"\nseed {seed}")
        for line in one_seed(seed, chosen.out / f"seed-{seed}", parts, settings):
            print(line, flush=True)


def one_seed(seed: int, out: Path, parts: Sequence[str], settings: Sequence[str]) -> Iterator[str]:
    """Everything of one seed; the lines of its tables."""
    with ExitStack() as bars:

        def bar(name: str) -> Progress:
            bars.close()
            return bars.enter_context(RunProgress(f"{name} (seed {seed})"))

        nano = read_nano(None, settings)
        sft = talker(nano, out, seed, bar)
        proof = prove(nano, out, seed, (sft, *look_ahead(nano, out, seed, sft, bar)), bar)
        yield from table([open_run(proof)])
        for part in parts:
            other = read_nano(None, (*settings, "cfpo.rounds=1", *ABLATIONS[part]))
            folder = out / f"without-{part}"
            models = look_ahead(other, folder, seed, sft, bar)
            alone = open_run(prove(nano, folder, seed, models, bar))
            yield from table([open_run(proof), alone], after=alone.plan.collectors)


def table(
    runs: Sequence[StoredRun],
    figures: Sequence[str] = FIGURES,
    after: Sequence[str] = (),
    before: str | None = None,
) -> Iterator[str]:
    """Before (the first of all), and each model after with its paired difference."""
    study = study_of(compared(runs, before, after))
    for section in study.sections:
        for versus in section.versus:
            yield f"  {versus.name}"
            for key, change in versus.main.changes.items():
                if key in figures:
                    yield f"    {key:<10} {told(change)}"


def told(change: Any) -> str:
    """A change in a line; a side without an agreement has no figures of agreements."""
    if change.difference is None:
        return "could not be compared"
    return (
        f"{change.before:.3f} -> {change.after:.3f}  {change.difference:+.3f} "
        f"({change.low:+.3f} to {change.high:+.3f})"
    )


if __name__ == "__main__":
    main()
