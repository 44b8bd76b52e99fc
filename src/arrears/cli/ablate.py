"""`arrears debtors ablate`: what the parts of a debtor's prompt are worth."""

import sys
from pathlib import Path
from typing import Any

import click

from arrears.cli.failure_options import Failed, fail_option, refuse_failures
from arrears.cli.model_options import model_options
from arrears.cli.numbers import SEED
from arrears.cli.unanswered import Outcome, refuse_unanswered, retry_option
from arrears.cli.writing import alone_in
from arrears.errors import UsageError
from arrears.models.backends import Settings
from arrears.prompts.library import LANGUAGES, Language


@click.command()
@click.option("--debtor-seat", required=True, help="The model that plays the debtors.")
@click.option("--judge", required=True, help="The model that compares.")
@click.option("--collector", default="scripted/typical", show_default=True)
@click.option("--suite", default="debtbench", show_default=True, help="Or a file of debtors.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True,
              help="Only the first N debtors.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="Holds four run folders; the same command resumes.")  # fmt: skip
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option("--seed", type=SEED, default=1, show_default=True, help="Root of all randomness.")
@model_options
@retry_option
@fail_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def ablate(
    debtor_seat: str,
    judge: str,
    collector: str,
    suite: str,
    limit: int,
    out: Path,
    lang: Language,
    seed: int,
    settings: Settings,
    retry_errors: bool,
    most_failed: float,
    as_json: bool,
) -> None:
    """Play the same debtors with four prompts and let a judge compare.

    The prompts: naive, with strategies, with the profile, with both (the usual one).

    \b
    arrears debtors ablate --debtor-seat vllm/Qwen/Qwen3-32B --judge openai/gpt-4o --out runs/a
    """
    from arrears.bench.plan import make_plan
    from arrears.bench.terminal import RunProgress, print_table
    from arrears.debtors.pick import pick_debtors
    from arrears.debtors.suites import SUITES
    from arrears.models.backends import is_model
    from arrears.synthesis.realism import ablation
    from arrears.synthesis.realism.diversity import with_intervals

    if not is_model(judge):
        raise UsageError(f"{judge} cannot compare two talks; name a model as --judge")
    name = suite if suite in SUITES else Path(suite).stem
    populations = {name: pick_debtors(suite)[:limit]}
    plans = {
        variant: make_plan(
            populations,
            collectors=(collector,),
            debtor_seats=(debtor_seat,),
            debtor_prompt=variant,
            lang=lang,
            seed=seed,
            own=frozenset(() if suite in SUITES else (name,)),
        )
        for variant in ablation.VARIANTS
    }
    alone_in(out)
    found = ablation.ablate(
        plans, populations, out, judge, settings, retry_errors=retry_errors, watch=RunProgress
    )
    if as_json:
        _print_json(found, out)
    else:
        print_table(with_intervals(ablation.ablation_table(found.tallies, judge)))
    played = {
        f"{variant}, {debtor_seat}": Failed(
            sum(row.failure is not None for row in rows), len(rows), found.details.get(variant, "")
        )
        for variant, rows in found.rows.items()
    }
    refuse_failures(played, most_failed)
    judged = {
        f"{variant}, {judge}": Outcome(sheet.scored, sheet.failures)
        for variant, sheet in found.sheets.items()
    }
    refuse_unanswered(judged, most_failed, "judgements")


def _print_json(found: Any, out: Path) -> None:
    import orjson

    document = {
        "folder": str(out),
        "against": "naive",
        "prompts": {
            variant: {measure: tally._asdict() for measure, tally in by_measure.items()}
            for variant, by_measure in found.tallies.items()
        },
        "failed_dialogues": {
            variant: sum(row.failure is not None for row in rows)
            for variant, rows in found.rows.items()
        },
    }
    sys.stdout.write(
        orjson.dumps(document, option=orjson.OPT_INDENT_2, default=lambda v: v._asdict()).decode()
        + "\n"
    )
