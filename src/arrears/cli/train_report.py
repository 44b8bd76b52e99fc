"""`arrears train report`: before and after training, on the same debtors."""

import sys
from pathlib import Path

import click

from arrears.cli.reward_options import weights_of, weights_option
from arrears.errors import UsageError

REPORT = "training.html"
KL_TALKS = 32


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--before", help="The collector before; default: the first one of the first run.")
@click.option(
    "--after",
    multiple=True,
    help="A collector after; may be repeated. Default: all others, in their order.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help=f"Default: {REPORT} in the first run's folder."
)
@click.option(
    "--kl-talks",
    type=click.IntRange(min=0),
    default=KL_TALKS,
    show_default=True,
    help="Talks of a suite in which a local model's KL from the one before is measured; 0: none.",
)
@weights_option
@click.option("--json", "as_json", is_flag=True, help="Print every figure as one JSON document.")
def report(
    runs: tuple[Path, ...],
    before: str | None,
    after: tuple[str, ...],
    out: Path | None,
    kl_talks: int,
    weights: str,
    as_json: bool,
) -> None:
    """Did the training help? Collectors before and after on the same held-out debtors: tables with
    intervals, what was given away, reward against KL, talks side by side, in one html file.

    \b
    arrears train report runs/nano/proof --out helped.html
    arrears train report runs/base runs/tuned --before hf/models/base --after hf/models/tuned

    A RUN is a folder of `arrears bench`; it may hold several collectors. All must have met the same
    debtors under the same rules, seed and repeats.
    """
    import orjson

    from arrears.bench.stored import open_run
    from arrears.bench.terminal import RunProgress, print_table
    from arrears.training.report.curves import curves_of
    from arrears.training.report.document import document_of
    from arrears.training.report.drift import drifts
    from arrears.training.report.lines import compared
    from arrears.training.report.page import write_page
    from arrears.training.report.study import study_of
    from arrears.training.report.tables import drift_table, tables_of
    from arrears.training.report.words import lead, who

    out = out or runs[0] / REPORT
    if out.is_dir():
        raise UsageError(f"{out} is a folder; --out names the html file")
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {out.parent} for {out.name}")
    counts = weights_of(weights)
    chosen = compared([open_run(folder) for folder in runs], before, after)
    study = study_of(chosen, counts)
    with RunProgress("talks for the KL") as progress:
        moved = drifts(chosen, kl_talks, progress)
    curves = curves_of(chosen)
    write_page(study, moved, curves, out)
    if as_json:
        document = {**document_of(study, moved, curves), "report": str(out)}
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    for words in lead(study):
        click.echo(words)
    click.echo(who(study))
    for section in study.sections:
        for table in tables_of(section, study):
            print_table(table)
        print_table(drift_table(section, study, moved))
    click.echo(f"\nreport: {out}")
