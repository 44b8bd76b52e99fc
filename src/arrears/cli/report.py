"""`arrears report`: tables and one self-contained html file from stored runs."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

REPORT = "report.html"


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help=f"Default: {REPORT} in the first run's folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print every figure as one JSON document.")
def report(runs: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Tables and one self-contained html file from one or several RUNS.

    \b
    arrears report runs/x
    arrears report runs/x runs/y --out compared.html
    """
    show_runs(runs, out or runs[0] / REPORT, as_json)


def show_runs(folders: Sequence[Path], out: Path | None, as_json: bool) -> None:
    """Write the report of stored runs, unless `out` is None, and print their tables."""
    import orjson

    from arrears.bench.report import as_json as figures
    from arrears.bench.report import main_tables, write_report
    from arrears.bench.stored import open_run
    from arrears.bench.terminal import print_table

    runs = [open_run(folder) for folder in folders]
    for run in runs:
        if not run.complete:
            pending = run.planned - len(run.rows)
            click.echo(
                f"{run.path}: {pending:,} of {run.planned:,} dialogues are pending", err=True
            )
    if out is not None:
        write_report(runs, out)
    if as_json:
        document = {**figures(runs), "report": str(out) if out else None}
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    for table in main_tables(runs):
        print_table(table)
    if out is not None:
        click.echo(f"\nreport: {out}")
