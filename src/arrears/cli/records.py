"""`arrears debtors fit` and `sample`: records from a lender's own table."""

import sys
from pathlib import Path

import click

from arrears.cli.numbers import SEED
from arrears.errors import UsageError

_PATH = click.Path(path_type=Path)
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command()
@click.argument("table", type=_PATH)
@click.option("--map", "mapping", type=_PATH, required=True, help="mapping.toml: what is what.")
@click.option("--method", default="copula", show_default=True, help="copula, gaussian or ctgan.")
@click.option("--out", type=_PATH, required=True, help="Folder of the model.")
@click.option("--rows", type=click.IntRange(min=1), help="Rows to learn from; default: half.")
@click.option("--holdout", type=click.IntRange(min=1), help="Rows to hold out; default: the rest.")
@click.option(
    "--pool",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    help="Rows that ctgan keeps to sample from, and least candidates of gaussian.",
)
@click.option("--seed", type=SEED, default=1, show_default=True)
@_AS_JSON
def fit(
    table: Path,
    mapping: Path,
    method: str,
    out: Path,
    rows: int | None,
    holdout: int | None,
    pool: int,
    seed: int,
    as_json: bool,
) -> None:
    """Learn a table of accounts, and measure what the model is worth and gives away.

    \b
    arrears debtors fit accounts.csv --map mapping.toml --out model
    """
    from arrears.synthesis.records.fitting import REPORT
    from arrears.synthesis.records.fitting import fit as fit_table

    done = fit_table(table, mapping, method, out, seed=seed, rows=rows, holdout=holdout, pool=pool)
    if as_json:
        import orjson

        document = {
            "model": str(out),
            "method": method,
            "seed": seed,
            "seconds": round(done.seconds, 2),
            "repairs": done.document.repairs,
            **done.evidence.document(),
        }
        text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)
        sys.stdout.write(text.decode() + "\n")
        return
    for repair in done.document.repairs:
        click.echo(f"{table}: {repair}", err=True)
    from arrears.synthesis.records.terminal import print_findings

    print_findings(done.evidence, f"{method}, {done.document.rows:,} rows, {done.seconds:.1f} s")
    click.echo(
        f"model in {out}, report in {out / REPORT}, which draws real people as dots; "
        f"keep {out / 'private'} where the table is"
    )


@click.command()
@click.argument("model", type=_PATH)
@click.option("-n", "n", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--seed", type=SEED, default=1, show_default=True)
@click.option("--out", type=_PATH, help="Debtors: .jsonl .csv .parquet.")
@click.option("--table", type=_PATH, help="All columns as the source had them: .csv.")
@click.option("--where", multiple=True, help='Such as "sex=female"; may be repeated.')
@click.option("--against", type=_PATH, help="A table that no row may be a copy of.")
@click.option("--force", is_flag=True, help="Take rows of a model that copies, or unchecked.")
@_AS_JSON
def sample(
    model: Path,
    n: int,
    seed: int,
    out: Path | None,
    table: Path | None,
    where: tuple[str, ...],
    against: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Draw debtors from a model, in the proportions of its table.

    \b
    arrears debtors sample model -n 1000 --seed 1 --out people.jsonl
    arrears debtors sample model -n 200 --where sex=female --where "overdue_days>=90" --out w.csv
    """
    from arrears.debtors.store import format_of, write_debtors
    from arrears.synthesis.records.model import load_model
    from arrears.synthesis.records.sampling import sample as draw
    from arrears.synthesis.records.sampling import write_table

    if out is None and table is None:
        raise UsageError("say where to: --out FILE for debtors, --table FILE for all columns")
    if out is not None:
        format_of(out)
    loaded = load_model(model)
    found = draw(loaded, n, seed, where=where, people=out is not None, against=against, force=force)
    if out is not None:
        write_debtors(out, found.people)
    if table is not None:
        write_table(table, loaded, found.drawn.data)
    files = [str(path) for path in (out, table) if path is not None]
    facts = {
        "rows": n,
        "tried": found.drawn.tried,
        "copies_drawn_again": found.drawn.copies,
        "outside_strata": found.drawn.outside,
        "files": files,
    }
    if as_json:
        import orjson

        sys.stdout.write(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    click.echo(f"{n:,} {'debtors' if out else 'rows'} in {', '.join(files)}")
    if found.drawn.copies:
        click.echo(f"{found.drawn.copies} rows equal to a real one were drawn again", err=True)
    if found.drawn.outside:
        click.echo(f"{found.drawn.outside} rows fill no stratum's quota", err=True)
