"""`arrears judge`: score a stored run again, with models as judges."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arrears.cli.failure_options import fail_option
from arrears.cli.model_options import model_options
from arrears.cli.numbers import Number
from arrears.cli.unanswered import Outcome, refuse_unanswered
from arrears.errors import UsageError
from arrears.models.backends import Settings
from arrears.prompts.library import LANGUAGES, Language

if TYPE_CHECKING:
    from arrears.bench.sheets import Sheet


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--judge",
    "judges",
    multiple=True,
    help="A model, or scripted/rubric; may be repeated. Without one, only shows what is there.",
)
@click.option(
    "--kind",
    "kinds",
    default="experience,soundness",
    show_default=True,
    help="Of experience, soundness, persona, realism; with commas.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="Another run with the same debtors: adds a pairwise comparison.",
)
@click.option(
    "--people",
    type=click.Path(path_type=Path),
    help="Scores by people (csv: case,rater,US,…): adds agreement with them.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N dialogues.")
@click.option("--lang", type=click.Choice(LANGUAGES), help="Default: the run's language.")
@click.option("--temperature", type=Number(0, 2), default=0.0, show_default=True)
@model_options
@click.option("--retry-errors", is_flag=True, help="Judge again what could not be judged.")
@fail_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def judge(
    folder: Path,
    judges: tuple[str, ...],
    kinds: str,
    against: Path | None,
    people: Path | None,
    limit: int | None,
    lang: Language | None,
    temperature: float,
    settings: Settings,
    retry_errors: bool,
    most_failed: float,
    as_json: bool,
) -> None:
    """Score the stored dialogues of RUN with models as judges, without playing them again.

    \b
    arrears judge runs/x --judge openai/gpt-4o --kind experience,persona --max-cost 5
    arrears judge runs/x --judge vllm/Qwen/Qwen3-32B --people scores.csv
    """
    from arrears.bench.judge_tables import JudgedRun, judge_tables
    from arrears.bench.judging import judge_run
    from arrears.bench.people import read_people
    from arrears.bench.sheets import sheets_of
    from arrears.bench.stored import open_run
    from arrears.bench.terminal import RunProgress, print_table
    from arrears.scoring.judges import KINDS

    chosen: list[Any] = [kind.strip() for kind in kinds.split(",") if kind.strip()]
    for kind in chosen:
        if kind not in KINDS:
            raise UsageError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
    run = open_run(folder)
    ratings = read_people(people, [row.case for row in run.rows]) if people is not None else None
    for repair in ratings.repairs if ratings is not None else ():
        click.echo(f"{people}: {repair}", err=True)
    other = open_run(against) if against is not None else None
    asked: list[Sheet] = []
    for name in judges:
        with RunProgress("judgements") as progress:
            asked += judge_run(
                run,
                name,
                chosen,
                settings,
                language=lang or run.plan.lang,
                temperature=temperature,
                limit=limit,
                against=other,
                retry_errors=retry_errors,
                progress=progress,
            )
    sheets = sheets_of(run)
    if not sheets:
        raise UsageError(f"{folder} holds no judgements; name a --judge")
    marks = ratings.marks if ratings is not None else None
    tables = judge_tables([JudgedRun(run.path.name, run.rows, sheets)], marks)
    if as_json:
        import orjson

        document = {
            "run": str(folder),
            "judges": [
                {
                    "kind": s.kind,
                    "judge": s.judge,
                    "against": s.against,
                    "scored": s.scored,
                    "unscored": s.unscored,
                    "judged": {c: {"scores": j.scores, "unscored": j.unscored,
                                   "failure": j.failure.stored() if j.failure else None}
                               for c, j in s.judged.items()},
                }
                for s in sheets
            ],
            "tables": tables,
        }  # fmt: skip
        sys.stdout.write(orjson.dumps(document, default=_plain).decode() + "\n")
    else:
        for table in tables:
            print_table(table)
    refuse_unanswered(
        {_name(sheet): Outcome(sheet.scored, sheet.failures) for sheet in asked},
        most_failed,
        "judgements",
    )


def _name(sheet: "Sheet") -> str:
    against = f" against {sheet.against}" if sheet.against else ""
    return f"{sheet.judge}, {sheet.kind}{against}"


def _plain(value: Any) -> Any:
    return value._asdict()
