"""`arrears train nano`: a small collector from random weights, and whether it learnt anything."""

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from arrears.cli.failure_options import Failed, fail_option, refuse_failures


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of all stages; "
              "the same command goes on where it was interrupted.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**20), default=1, show_default=True)
@click.option("--recipe", type=click.Path(path_type=Path), help="A FILE.toml; default: the shipped "
              "one.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="PART.KEY=VALUE",
              help="Over the recipe, such as cfpo.rounds=1; may be repeated.")  # fmt: skip
@click.option("--retry-errors", is_flag=True, help="Play again what had failed.")
@fail_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def nano(
    out: Path,
    seed: int,
    recipe: Path | None,
    settings: tuple[str, ...],
    retry_errors: bool,
    most_failed: float,
    as_json: bool,
) -> None:
    """Train a collector of eight million parameters from random weights: first to talk, then, by
    CFPO against the built-in debtor, to look ahead; and meet test debtors before and after.

    \b
    arrears train nano --out runs/nano
    """
    from arrears.bench.run import Progress
    from arrears.bench.terminal import RunProgress
    from arrears.cli.train_cfpo import failed_of
    from arrears.training.cfpo.run import Made
    from arrears.training.nano.recipe import read_nano
    from arrears.training.nano.stages import whole_way

    chosen = read_nano(recipe, settings)
    with ExitStack() as bars:

        def bar(name: str) -> Progress:
            bars.close()
            return bars.enter_context(RunProgress(name))

        def weighed(number: int, made: Made) -> None:
            refuse_failures(failed_of(made, number), most_failed, "failed")

        whole = whole_way(chosen, out, seed, bar, weighed, retry_errors=retry_errors)
    from arrears.cli.report import show_runs

    show_runs((whole.proof,), whole.proof / "report.html", as_json)
    print(f"the collector: hf/{whole.model}", file=sys.stderr)
    refuse_failures(_failed_in(whole.proof), most_failed)


def _failed_in(folder: Path) -> dict[str, Failed]:
    """The dialogues of a run that failed, by collector."""
    from arrears.bench.stored import open_run
    from arrears.dialogue.failures import CAUSES

    rows = open_run(folder).rows
    found: dict[str, Failed] = {}
    for name in dict.fromkeys(row.collector for row in rows):
        causes = [row.failure for row in rows if row.collector == name]
        failed = [cause for cause in causes if cause is not None]
        reason = max(failed, key=failed.count, default="")
        told = next((text for cause, text in CAUSES.items() if cause == reason), "")
        found[name] = Failed(len(failed), len(causes), told)
    return found
