"""`arrears debtors extract`, `enrich` and `refine`: personas from conversations."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arrears.characters import visible
from arrears.cli.failure_options import fail_option
from arrears.cli.model_options import model_options
from arrears.cli.numbers import SEED, Number
from arrears.cli.unanswered import Outcome, failures_text, refuse_unanswered, retry_option
from arrears.cli.writing import alone_on
from arrears.errors import UsageError
from arrears.models.backends import Settings
from arrears.prompts.library import LANGUAGES, Language

if TYPE_CHECKING:
    from arrears.models.unanswered import Unanswered

_PATH = click.Path(path_type=Path)
_LANG = click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
_LIMIT = click.option("--limit", type=click.IntRange(min=1), help="Only the first N.")
_SEED = click.option("--seed", type=SEED, default=1, show_default=True)
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command()
@click.argument("dialogues", type=_PATH)
@click.option("--model", required=True, help="A model, or scripted/reader.")
@click.option("--out", type=_PATH, required=True, help="Drafts of persons: .jsonl.")
@click.option("--spacy", help="An installed spaCy pipeline that looks for names too.")
@_LIMIT
@_LANG
@model_options
@retry_option
@fail_option
@_AS_JSON
def extract(
    dialogues: Path,
    model: str,
    out: Path,
    spacy: str | None,
    limit: int | None,
    lang: Language,
    settings: Settings,
    retry_errors: bool,
    most_failed: float,
    as_json: bool,
) -> None:
    """Read persons out of conversations: a run, or a jsonl file of your own talks.

    Personal data is taken out first, always. What a conversation does not show stays unknown;
    `enrich` fills it. What a model was not heard about stays unknown too, and its draft incomplete:
    that is counted apart, and `enrich` leaves such a draft out.

    \b
    arrears debtors extract talks.jsonl --model openai/gpt-4o --max-cost 5 --out drafts.jsonl
    """
    from arrears.bench.terminal import RunProgress
    from arrears.cli.left_out import read_spoken
    from arrears.models.unanswered import counted
    from arrears.synthesis.asking import Clerk
    from arrears.synthesis.personas.attributes import attributes
    from arrears.synthesis.personas.draft import write_drafts
    from arrears.synthesis.personas.extract import ask_model, ask_reader
    from arrears.synthesis.personas.reader import READER
    from arrears.synthesis.pii.scrub import Scrubber

    _jsonl(out)
    scrubber = Scrubber(spacy)
    talks = read_spoken(dialogues)[:limit]
    if model == READER and lang != "en":
        raise UsageError(f"{READER} reads English only; --lang {lang} needs a model")
    alone_on(out)
    clean = [scrubber.scrub(talk) for talk in talks]
    with RunProgress("answers") as progress:
        if model == READER:
            drafts = ask_reader(clean)
        else:
            store = out.with_name(f"{out.stem}.answers.jsonl")
            clerk = Clerk(model, lang, settings, retry_errors=retry_errors)
            drafts = ask_model(clerk, clean, store, progress)
    write_drafts(out, drafts)
    removed: Counter[str] = Counter()
    for talk in clean:
        removed.update(talk.counts)
    failed = Counter(name for draft in drafts for name in draft.failures)
    failures = [why for draft in drafts for why in draft.failures.values()]
    incomplete = sum(bool(draft.incomplete) for draft in drafts)
    unknown = Counter(name for draft in drafts for name in draft.unknown)
    facts = {
        "conversations": len(talks),
        "attributes": len(attributes()),
        "removed": dict(removed),
        "unknown": dict(unknown),
        "failed": dict(failed),
        "causes": counted(failures),
        "incomplete": incomplete,
        "file": str(out),
    }
    if as_json:
        _print_json(facts)
    else:
        told = f"; {incomplete:,} are incomplete" if incomplete else ""
        click.echo(f"{len(drafts):,} drafts in {out}{told}")
        click.echo(f"taken out first: {_counts(removed) or 'nothing'}")
        click.echo(f"unknown: {_counts(unknown) or 'nothing'}")
        if failed:
            click.echo(f"no answer to {failures_text(failures, 'questions')}", err=True)
            click.echo(f"  about {_counts(failed)}", err=True)
    answered = len(drafts) * len(attributes()) - len(failures)
    refuse_unanswered({model: Outcome(answered, failures)}, most_failed, "questions")


@click.command()
@click.argument("many")
@click.option(
    "--model",
    default="scripted/population",
    show_default=True,
    help="A model, or scripted/population: the built-in one.",
)
@click.option("--out", type=_PATH, required=True, help="Debtors: .jsonl .csv .parquet.")
@click.option("--records", type=_PATH, help="Debtors whose accounts the drafts without one get.")
@click.option("--split", default="test", show_default=True, help="Of a suite.")
@_LIMIT
@_SEED
@_LANG
@model_options
@retry_option
@fail_option
@_AS_JSON
def enrich(
    many: str,
    model: str,
    out: Path,
    records: Path | None,
    split: str,
    limit: int | None,
    seed: int,
    lang: Language,
    settings: Settings,
    retry_errors: bool,
    most_failed: float,
    as_json: bool,
) -> None:
    """Give personality, cognition and scenario to records or drafts that lack them.

    MANY is a suite, a file of debtors, or the drafts of `extract`. What is known stays.

    \b
    arrears debtors enrich drafts.jsonl --records people.jsonl --out personas.jsonl
    arrears debtors enrich dcn --model vllm/Qwen/Qwen3-32B --out personas.jsonl
    """
    from arrears.bench.terminal import RunProgress
    from arrears.debtors.store import format_of, write_debtors
    from arrears.synthesis.asking import Clerk
    from arrears.synthesis.personas.enrich import (
        POPULATION,
        drafts_of,
        incomplete,
        with_accounts,
    )

    format_of(out)
    drafts = drafts_of(many, split)[:limit]
    if records is not None:
        drafts = with_accounts(drafts, records)
    alone_on(out)
    failures: Mapping[str, Unanswered] = {}
    if model == POPULATION:
        from arrears.synthesis.personas.population import fill_from_population

        if lang != "en":
            raise UsageError(f"{POPULATION} writes English only; --lang {lang} needs a model")
        failures = incomplete(drafts)
        people = tuple(p for p in fill_from_population(drafts, seed) if p.id not in failures)
    else:
        from arrears.synthesis.personas.invent import invent

        store = out.with_name(f"{out.stem}.answers.jsonl")
        with RunProgress("answers") as progress:
            clerk = Clerk(model, lang, settings, seed, retry_errors)
            people, failures = invent(clerk, drafts, seed, store, progress)
    if people:
        write_debtors(out, people)
    if as_json:
        told = {name: why.stored() for name, why in failures.items()}
        _print_json({"debtors": len(people), "failed": told, "file": str(out)})
    elif people:
        click.echo(f"{len(people):,} debtors in {out}")
        if failures:
            click.echo(f"left out {failures_text(failures.values(), 'drafts')}", err=True)
    refuse_unanswered({many: Outcome(len(people), failures.values())}, most_failed, "drafts")


@click.command()
@click.argument("many")
@click.option("--judge", required=True, help="A model, or scripted/reader.")
@click.option("--debtor-seat", default="scripted/debtor", show_default=True, help="Who plays them.")
@click.option("--collector", default="scripted/typical", show_default=True)
@click.option("--max-rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--max-turns", type=click.IntRange(min=1), default=12, show_default=True)
@click.option("--out", type=_PATH, required=True, help="Debtors: .jsonl .csv .parquet.")
@click.option("--split", default="test", show_default=True, help="Of a suite.")
@click.option("--temperature", type=Number(0, 2), default=0.0, show_default=True)
@_LIMIT
@_SEED
@_LANG
@model_options
@retry_option
@fail_option
@_AS_JSON
def refine(
    many: str,
    judge: str,
    debtor_seat: str,
    collector: str,
    max_rounds: int,
    max_turns: int,
    out: Path,
    split: str,
    temperature: float,
    limit: int | None,
    seed: int,
    lang: Language,
    settings: Settings,
    retry_errors: bool,
    most_failed: float,
    as_json: bool,
) -> None:
    """Play personas, and change what their conversations contradict, until they fit.

    Every round is kept in OUT's .rounds.jsonl with scores, changes and reasons; the same command
    goes on where a killed one stopped.

    \b
    arrears debtors refine personas.jsonl --debtor-seat vllm/Qwen/Qwen3-32B \\
        --judge openai/gpt-4o --out refined.jsonl
    """
    from arrears.bench.terminal import RunProgress
    from arrears.debtors.pick import pick_debtors
    from arrears.debtors.store import format_of, write_debtors
    from arrears.synthesis.personas.judges import judge_named
    from arrears.synthesis.personas.refine import check_setup
    from arrears.synthesis.personas.refine import refine as work
    from arrears.synthesis.personas.setup import Setup

    format_of(out)
    people = pick_debtors(many, split)[:limit]
    setup = Setup(collector, debtor_seat, judge, max_rounds, seed, lang, max_turns, temperature)
    check_setup(setup, people, settings)
    alone_on(out)
    with RunProgress("personas") as progress:
        store = out.with_name(f"{out.stem}.rounds.jsonl")
        refined = work(
            people, setup, settings, judge_named(judge), store, progress, retry_errors=retry_errors
        )
    write_debtors(out, [r.person for r in refined])
    failures = {p.id: r.failure for p, r in zip(people, refined, strict=True) if r.failure}
    restless = {p.id: r for p, r in zip(people, refined, strict=True) if not r.settled}
    changed = Counter(c.field for r in refined for one in r.rounds for c in one.changes)
    facts = {
        "debtors": len(refined),
        "settled": len(refined) - len(restless),
        "rounds": dict(sorted(Counter(len(r.rounds) for r in refined).items())),
        "changed": dict(changed),
        "unsettled": {
            name: r.failure.reason if r.failure else "rounds spent" for name, r in restless.items()
        },
        "failed": {name: why.stored() for name, why in failures.items()},
        "file": str(out),
    }
    if as_json:
        _print_json({**facts, "rounds": {str(k): v for k, v in facts["rounds"].items()}})  # type: ignore[attr-defined]
    else:
        click.echo(f"{len(refined):,} debtors in {out}; {facts['settled']} settled")
        click.echo(f"changed: {_counts(changed) or 'nothing'}")
        for name, one in list(restless.items())[:10]:
            why = visible(one.failure.reason) if one.failure else f"{len(one.rounds)} rounds"
            click.echo(f"not settled: {name}, {why}", err=True)
        if len(restless) > 10:
            click.echo(f"… and {len(restless) - 10} more; --json lists all", err=True)
        if failures:
            click.echo(f"given up {failures_text(failures.values(), 'personas')}", err=True)
    done = Outcome(len(refined) - len(failures), failures.values())
    refuse_unanswered({judge: done}, most_failed, "personas")


def _counts(counts: Mapping[str, int]) -> str:
    ordered: Iterable[tuple[str, int]] = sorted(counts.items(), key=lambda kv: -kv[1])
    return ", ".join(f"{name} {n}" for name, n in ordered)


def _jsonl(out: Path) -> None:
    if out.suffix.lower() != ".jsonl":
        raise UsageError(f"{out}: drafts are written as .jsonl")


def _print_json(document: Mapping[str, Any]) -> None:
    import orjson

    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
