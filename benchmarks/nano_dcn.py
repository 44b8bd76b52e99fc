"""DCN's Table 4 for nano: supervised fine-tuning and DPO on data with and without MADeN.

    python -m benchmarks.nano_dcn runs/nano/sft --out runs/table4 [--seeds 1,2,3] [--cfpo dpo-mag]

The model that can talk (and gives too much away) is the base. The talks are those of the built-in
collectors in their styles, alone (DG) or with MADeN's planner and judge (MAG), with the training
debtors of dcn; rejected answers are the base's own, under defective prompts. Four models learn from
437 rows each, and meet the 390 test debtors beside the base. The recipes are nano's, at rates of a
second course; what came of others is in docs/experiments.md. `--cfpo` adds a round of CFPO with
training debtors of dcn from each model that it names, `base` among them.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from arrears.bench.plan import make_plan
from arrears.bench.run import Progress, run
from arrears.bench.stored import open_run
from arrears.bench.terminal import RunProgress
from arrears.debtors.suites import load_suite
from arrears.models.backends import Settings
from arrears.training.fit.recipe import read_recipe
from arrears.training.fit.run import fit
from arrears.training.nano.recipe import read_nano
from arrears.training.nano.stages import AT_ONCE, LONGEST, look_ahead
from arrears.training.rejection.plan import SETS, make_sample_plan
from arrears.training.rejection.sets import Sample
from benchmarks.nano_study import table

# A model of eight million parameters that can talk forgets at the rates of its first course, and at
# lower ones learns half of what others do, which is worse than either. Half of the pairs differ in
# their words alone, which follow the acts.
RATES = {
    "sft": ("training.learning_rate=2e-4",),
    "dpo": (
        "training.learning_rate=1e-5", "training.epochs=1", "dpo.until=Dialogue:",
        "dpo.sft_weight=0.2",
    ),
}  # fmt: skip
# MADeN's talks against one agent's, preferences against supervision.
PAIRS = (("sft-dg", "sft-mag"), ("dpo-dg", "dpo-mag"), ("sft-dg", "dpo-dg"), ("sft-mag", "dpo-mag"))
FIGURES = (
    "format", "SR", "RR", "QRD", "HRD", "CD", "L1D", "L2D", "ATV", "CRI", "DHI", "CCI", "reward",
)  # fmt: skip


def main() -> None:
    """Run what is owed and print the table of each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--cfpo", default="", help=f"of base, {', '.join(SETS)}")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    chosen = parser.parse_args()
    further = [name for name in chosen.cfpo.split(",") if name]
    if unknown := set(further) - {"base", *SETS}:
        parser.error(f"--cfpo knows base, {', '.join(SETS)}, not {', '.join(sorted(unknown))}")
    for seed in map(int, chosen.seeds.split(",")):
        print(f"\nseed {seed}")
        out = chosen.out / f"seed-{seed}"
        for line in one_seed(seed, chosen.base, out, chosen.settings, further):
            print(line, flush=True)


def one_seed(
    seed: int, base: Path, out: Path, settings: Sequence[str], further: Sequence[str]
) -> Iterator[str]:
    """The four models of one seed, and those that CFPO made of them, against the test debtors."""
    people = load_suite("dcn", "train")
    calls = Settings(concurrency=AT_ONCE)
    models = {"base": base}
    with ExitStack() as bars:

        def bar(name: str) -> Progress:
            bars.close()
            return bars.enter_context(RunProgress(f"{name} (seed {seed})"))

        for name in SETS:
            kind = "dpo" if name.startswith("dpo") else "sft"
            plan = make_sample_plan(
                name,
                "dcn",
                people,
                generator="scripted/typical",
                weak=f"hf/{base}" if kind == "dpo" else "",
                wording="short",
                seed=seed,
            )
            with Sample(plan, people, out / name / "data") as sample:
                sample.play(calls, bar(f"talks of {name}"))
                sample.draw(calls, bar(f"answers of {name}"))
            chosen = (*RATES[kind], *settings, f"training.seed={seed}")
            recipe = read_recipe(f"nano-{kind}", chosen)
            rows = out / name / "data" / "train.jsonl"
            done = fit(
                "dpo" if kind == "dpo" else "sft",
                base,
                rows,
                out / name / "model",
                recipe,
                progress=bar(f"steps of {name}"),
            )
            models[name] = done.folder
        ahead = read_nano(None, ("cfpo.suite=dcn", "cfpo.rounds=1"))
        for name in further:
            folder = out / f"{name}-cfpo"
            (models[f"{name}-cfpo"],) = look_ahead(ahead, folder, seed, models[name], bar)
        populations = {"dcn": load_suite("dcn", "test")}
        lines = tuple(f"hf/{model}" for model in models.values())
        plan_of_all = make_plan(populations, collectors=lines, seed=seed, max_tokens=LONGEST)
        run(plan_of_all, populations, out / "proof", settings=calls, progress=bar("dialogues"))
    proof = [open_run(out / "proof")]
    yield from table(proof, FIGURES)
    pairs = (*PAIRS, *((name, f"{name}-cfpo") for name in further))
    for before, after in pairs:
        yield f"{before} -> {after}"
        names = [f"hf/{models[name]}" for name in (before, after)]
        yield from table(proof, FIGURES, names[1:], names[0])


if __name__ == "__main__":
    main()
