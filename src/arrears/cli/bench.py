"""`arrears bench`: run collectors against debtors, score, report."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arrears.agents.briefing import DEBTOR_PROMPTS, WORDINGS, DebtorPrompt, Wording
from arrears.agents.maden.team import line_of
from arrears.agents.registry import check_method
from arrears.bench.plan import Populations, make_plan
from arrears.cli.failure_options import Failed, fail_option, refuse_failures
from arrears.cli.model_options import model_options
from arrears.cli.numbers import SEED, Number
from arrears.cli.report import REPORT, show_runs
from arrears.debtors.store import read_debtors
from arrears.debtors.suites import SUITES, load_suite
from arrears.errors import UsageError
from arrears.models.backends import Settings
from arrears.prompts.library import LANGUAGES, Language
from arrears.strategies import for_seats, taxonomy_text
from arrears.terms_text import parse_mandate

if TYPE_CHECKING:
    from arrears.bench.run import Result


@click.command()
@click.option("--suite", "suites", multiple=True, help="dcn or debtbench; may be repeated.")
@click.option(
    "--debtors",
    "own",
    type=click.Path(path_type=Path),
    help="Own debtors: a FILE (.jsonl .csv .parquet), played beside the suites or without them.",
)
@click.option(
    "--collector", "collectors", multiple=True, required=True, help="A seat; may be repeated."
)
@click.option(
    "--method",
    "methods",
    default="direct",
    show_default=True,
    help="How a collector works: direct, planning, judging, maden; several with commas.",
)
@click.option("--planner", help="MADeN's planner, where it is not the speaker's own kind.")
@click.option("--judge", help="MADeN's judge, likewise.")
@click.option(
    "--debtor-seat",
    "debtor_seats",
    multiple=True,
    default=("scripted/debtor",),
    show_default=True,
    help="Who answers; may be repeated.",
)
@click.option(
    "--collector-prompt",
    type=click.Choice(WORDINGS),
    help="How models in the collector's seat are briefed; short is for models trained so. "
    "Default: as the model's training.json says, else full.",
)
@click.option(
    "--debtor-prompt",
    type=click.Choice(DEBTOR_PROMPTS),
    default="both",
    show_default=True,
    help="What a debtor's model is told of the person, for ablations.",
)
@click.option(
    "--strategies",
    type=click.Path(path_type=Path),
    help="A taxonomy (.yaml) for the models, reviewed; default: the shipped one.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N debtors of each suite.")
@click.option("--seed", type=SEED, default=1, show_default=True, help="Root of all randomness.")
@click.option("--repeats", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--mandate", "limits", default="", help='Such as "max_disc_ratio=10%,max_pmt_days=7".'
)
@click.option("--max-turns", type=click.IntRange(min=1), default=12, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Run folder. A run that was interrupted there is resumed by the same command.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; default: as many as pay.")
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="Language of the prompts.",
)
@click.option("--temperature", type=Number(0, 2), default=0.0, show_default=True, help="Of models.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Of one answer of a model.")
@model_options
@click.option(
    "--retry-errors", is_flag=True, help="Play dialogues again that had ended as `error`."
)
@fail_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("--no-report", is_flag=True, help="Play, score and store only.")
def bench(
    suites: tuple[str, ...],
    own: Path | None,
    collectors: tuple[str, ...],
    methods: str,
    planner: str | None,
    judge: str | None,
    debtor_seats: tuple[str, ...],
    collector_prompt: Wording | None,
    debtor_prompt: DebtorPrompt,
    strategies: Path | None,
    limit: int | None,
    seed: int,
    repeats: int,
    limits: str,
    max_turns: int,
    out: Path,
    workers: int | None,
    lang: Language,
    temperature: float,
    max_tokens: int | None,
    settings: Settings,
    retry_errors: bool,
    most_failed: float,
    as_json: bool,
    no_report: bool,
) -> None:
    """Run collectors against debtors, score every dialogue, write a report.

    \b
    arrears bench --suite dcn --collector scripted/firm --collector scripted/adaptive \\
        --limit 100 --seed 1 --out runs/x
    arrears bench --suite dcn --collector vllm/Qwen/Qwen3-32B --method direct,maden \\
        --debtor-seat openai/gpt-4o-mini --max-cost 5 --out runs/y
    """
    populations = _populations(suites, own, limit)
    text = "" if strategies is None else taxonomy_text(strategies)
    if strategies is not None:
        for_seats(text, strategies)
    plan = make_plan(
        populations,
        collectors=_lines(collectors, methods),
        debtor_seats=debtor_seats,
        debtor_prompt=debtor_prompt,
        wording=collector_prompt,
        strategies=text,
        planner=planner,
        judge=judge,
        lang=lang,
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
        repeats=repeats,
        mandate=parse_mandate(limits),
        max_turns=max_turns,
        own=frozenset({own.stem} if own else ()),
    )
    from arrears.bench.run import run
    from arrears.bench.terminal import RunProgress

    with RunProgress() as progress:
        result = run(
            plan,
            populations,
            out,
            workers=workers,
            settings=settings,
            retry_errors=retry_errors,
            progress=progress,
        )
    show_runs((out,), None if no_report else out / REPORT, as_json)
    print(f"{result.played:,} dialogues played now, all in {out}", file=sys.stderr)
    coded = any(row.failure == "seat_code" for row in result.rows)
    refuse_failures(_failed(result), most_failed, beware=_MENDED if coded else "")


_MENDED = (
    ". A seat whose code you mend is another seat: a run that was begun with the old code is not "
    "finished with the new one, so give it another --out"
)


def _failed(result: "Result") -> dict[str, Failed]:
    """What failed from outside, by collector."""
    totals = Counter(row.collector for row in result.rows)
    failed = Counter(row.collector for row in result.rows if row.failure is not None)
    if not failed:
        return {}
    from arrears.bench.failures import most_said
    from arrears.bench.stored import open_run

    why = most_said(open_run(result.path))
    return {name: Failed(count, totals[name], why[name]) for name, count in failed.items()}


def _lines(collectors: tuple[str, ...], methods: str) -> list[str]:
    """Every collector by every method. UnknownName for an unknown method."""
    chosen = [method.strip() for method in methods.split(",")]
    for method in chosen:
        check_method(method)
    return [line_of(model, method) for model in collectors for method in chosen]


def _populations(suites: tuple[str, ...], own: Path | None, limit: int | None) -> Populations:
    """The debtors of each suite, the first `limit` of them. UnknownName for an unknown suite."""
    if own is not None and own.stem in (*SUITES, *suites):
        raise UsageError(f"{own} has the name of a suite; rename the file")
    if len(set(suites)) < len(suites):
        raise UsageError("each --suite may be named once")
    if not suites and own is None:
        raise UsageError(f"name a --suite ({', '.join(SUITES)}) or bring --debtors FILE")
    found = {suite: load_suite(suite, "test")[:limit] for suite in suites}
    if own is not None:
        found[own.stem] = read_debtors(own)[:limit]
    return found
