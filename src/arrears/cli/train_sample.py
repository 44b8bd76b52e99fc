"""`arrears train sample`: rejection sampling, DCN's four sets of training data."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arrears.agents.briefing import WORDINGS, Wording
from arrears.cli.failure_options import Failed, fail_option, refuse_failures
from arrears.cli.model_options import model_options
from arrears.cli.numbers import SEED, Number
from arrears.debtors.record import Debtor
from arrears.debtors.store import read_debtors
from arrears.debtors.suites import SUITES, load_suite
from arrears.errors import UsageError
from arrears.models.backends import Settings
from arrears.prompts.library import LANGUAGES, Language

if TYPE_CHECKING:
    from arrears.bench.tables import Table
    from arrears.training.rejection.plan import SamplePlan
    from arrears.training.rejection.sets import Funnel

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("name", metavar="SET")
@click.option("--suite", help="dcn or debtbench: its training debtors.")
@click.option("--debtors", "own", type=_PATH, help="Own debtors instead: .jsonl .csv .parquet.")
@click.option(
    "--generator",
    required=True,
    help="Who plays the candidates: a model, or scripted/typical for built-in seats.",
)
@click.option("--debtor-seat", default="scripted/debtor", show_default=True, help="Who answers.")
@click.option("--weak", default="", help="For dpo: who writes the rejected answers.")
@click.option("--styles", default="", help="Some of them, with commas. Default: all.")
@click.option(
    "--per-style",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Talks of each debtor in each style.",
)
@click.option(
    "--require",
    multiple=True,
    metavar="METRIC>=VALUE",
    help="Of filter 1, with >=, <=, > or <; may be repeated. Default: success>=1 and own_cci>0.",
)
@click.option(
    "--keep",
    type=Number(0, 1, min_open=True),
    default=0.6,
    show_default=True,
    help="Share that filter 2 keeps.",
)
@click.option(
    "--pairs", type=click.IntRange(min=1), default=437, show_default=True, help="Rows at most."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["trl", "llama-factory", "both"]),
    default="both",
    show_default=True,
)
@click.option(
    "--collector-prompt",
    type=click.Choice(WORDINGS),
    default="full",
    show_default=True,
    help="How the rows brief the collector; short is for small models that are trained so.",
)
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N debtors.")
@click.option("--seed", type=SEED, default=1, show_default=True, help="Root of all randomness.")
@click.option(
    "--temperature",
    type=Number(0, 2),
    default=0.7,
    show_default=True,
    help="Of every model.",
)
@click.option("--out", type=_PATH, required=True, help="Folder; the same command takes it up.")
@model_options
@click.option("--retry-errors", is_flag=True, help="Ask again where a model had failed.")
@fail_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def sample(
    name: str,
    suite: str | None,
    own: Path | None,
    generator: str,
    debtor_seat: str,
    weak: str,
    styles: str,
    per_style: int,
    require: tuple[str, ...],
    keep: float,
    pairs: int,
    form: str,
    collector_prompt: Wording,
    lang: Language,
    limit: int | None,
    seed: int,
    temperature: float,
    out: Path,
    settings: Settings,
    retry_errors: bool,
    most_failed: float,
    as_json: bool,
) -> None:
    """Make training data by playing, keeping the best, and taking it apart (DCN, section 6.3).

    SET is sft-dg, sft-mag, dpo-dg or dpo-mag: single answers or pairs of them, of talks that the
    generator holds alone (dg) or with MADeN's planner and judge (mag).

    \b
    arrears train sample sft-mag --suite dcn --generator vllm/Qwen/Qwen2.5-72B-Instruct \\
        --out data/sft-mag
    arrears train sample dpo-mag --suite dcn --generator vllm/Qwen/Qwen2.5-72B-Instruct \\
        --weak hf/models/Qwen2.5-7B-Instruct --out data/dpo-mag
    """
    from arrears.bench.terminal import RunProgress, print_table
    from arrears.training.rejection.plan import make_sample_plan
    from arrears.training.rejection.sets import FORMATS, Sample

    title, people = _people(suite, own, limit)
    plan = make_sample_plan(
        name,
        title,
        people,
        generator=generator,
        debtor_seat=debtor_seat,
        weak=weak,
        styles=[style.strip() for style in styles.split(",") if style.strip()],
        per_style=per_style,
        require=require,
        keep=keep,
        pairs=pairs,
        lang=lang,
        wording=collector_prompt,
        seed=seed,
        temperature=temperature,
        own=own is not None,
    )
    click.echo(_announcement(plan), err=True)
    chosen = [known for known in FORMATS if form in (known, "both")]
    with Sample(plan, people, out) as folder:
        with RunProgress("talks") as progress:
            folder.play(settings, progress, retry_errors=retry_errors)
        words = folder.failures()
        talks = plan.suite.debtors * len(plan.styles) * plan.per_style
        failed = {generator: Failed(len(words), talks, max(words, key=words.count, default=""))}
        try:
            with RunProgress("rejected answers") as progress:
                funnel = folder.draw(settings, progress, chosen, retry_errors=retry_errors)
        except UsageError:
            refuse_failures(failed, most_failed)  # They are why nothing is left.
            raise
    if as_json:
        import orjson

        document = {"folder": str(out), "set": plan.set, "funnel": funnel._asdict()}
        sys.stdout.write(orjson.dumps(document).decode() + "\n")
    else:
        print_table(_table(plan, funnel))
    if funnel.drawn < plan.pairs:
        click.echo(f"{funnel.drawn:,} rows: there were no more for --pairs {plan.pairs}", err=True)
    click.echo(f"all in {out}", err=True)
    refuse_failures(failed, most_failed)
    silent = funnel.left_out.get("failed", 0)
    refuse_failures({weak: Failed(silent, funnel.asked)}, most_failed, "rejected answers")


def _people(
    suite: str | None, own: Path | None, limit: int | None
) -> tuple[str, tuple[Debtor, ...]]:
    """The debtors and how they are called: a suite's training split, or a file's."""
    if (suite is None) == (own is None):
        raise UsageError(f"name a --suite ({', '.join(SUITES)}) or bring --debtors FILE, not both")
    if own is None:
        assert suite is not None
        return suite, load_suite(suite, "train")[:limit]
    if own.stem in SUITES:
        raise UsageError(f"{own} has the name of a suite; rename the file")
    return own.stem, read_debtors(own)[:limit]


def _announcement(plan: "SamplePlan") -> str:
    """What is going to be played and asked."""
    from arrears.models.backends import is_model
    from arrears.training.rejection.sets import calls_at_most

    people, styles = plan.suite.debtors, len(plan.styles)
    talks = people * styles * plan.per_style
    calls = calls_at_most(plan)
    text = f"{talks:,} talks ({people:,} debtors, {styles} styles, {plan.per_style} each) with "
    text += f"at most {calls:,} calls of models" if calls else "no calls of models"
    if plan.preferences and is_model(plan.weak):
        text += f"; then {plan.pairs:,} calls of {plan.weak}, more where an answer is unusable"
    return text


def _table(plan: "SamplePlan", funnel: "Funnel") -> "Table":
    """How many were left after each step."""
    from arrears.bench.tables import Cell, Column, Table, TableRow

    def counts(found: dict[str, int]) -> str:
        return ", ".join(f"{name} {n:,}" for name, n in found.items())

    dropped = counts(dict(funnel.dropped)) or "none"
    top = f"top {plan.keep * 100:g}%; {counts(dict(funnel.styles))}"
    failed = counts(dict(funnel.failed))
    rows = [
        ("talks played", funnel.played, f"failed, in nothing below: {failed}" if failed else ""),
        ("passed filter 1", funnel.passed, f"dropped: {dropped}"),
        ("best of each debtor", funnel.best, f"of {plan.suite.debtors:,} debtors"),
        ("kept by filter 2", funnel.kept, top),
        ("questions and answers", funnel.turns, ""),
    ]
    if plan.preferences:
        left_out = counts(dict(funnel.left_out)) or "none"
        rows.append(("asked of the weak side", funnel.asked, f"left out: {left_out}"))
        same = f"{funnel.same_acts:,} pairs do the same in other words"
        rows.append(("rows drawn", funnel.drawn, same))
    else:
        rows.append(("rows drawn", funnel.drawn, ""))
    lines = [TableRow(name, [Cell(f"{n:,}"), Cell(note)]) for name, n, note in rows]
    caption = f"{plan.set}, {plan.suite.name}, {plan.generator}"
    return Table("Funnel", caption, "step", [Column("left"), Column("")], lines)
