"""`arrears train cfpo`: rounds of weighing what could be said, and learning from it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arrears.agents.briefing import WORDINGS, Wording
from arrears.cli.failure_options import Failed, fail_option, refuse_failures
from arrears.cli.model_options import model_options
from arrears.cli.numbers import SEED, Number
from arrears.cli.reward_options import weights_of, weights_option
from arrears.cli.writing import alone_in
from arrears.debtors.record import Debtor
from arrears.debtors.store import read_debtors
from arrears.debtors.suites import load_suite
from arrears.errors import UsageError
from arrears.models.backends import Settings
from arrears.prompts.library import LANGUAGES, Language
from arrears.rng import rng_for
from arrears.terms_text import parse_mandate

if TYPE_CHECKING:
    from arrears.training.cfpo.cost import Estimate
    from arrears.training.cfpo.run import Made

_RUBRIC = "scripted/rubric"


@click.command()
@click.option("--model", "policy", required=True, help="The collector that learns: hf/PATH, or, "
              "with --pairs-only, any model.")  # fmt: skip
@click.option("--suite", help="debtbench or dcn: its training debtors.")
@click.option("--debtors", "own", type=click.Path(path_type=Path), help="Own debtors instead.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many of them a round.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The trained model; "
              "the rounds lie in it. The same command resumes.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=1, show_default=True,
              help="Each learns from talks of the one before, with other debtors.")  # fmt: skip
@click.option("--debtor-seat", default="scripted/debtor", show_default=True, help="Who answers.")
@click.option("--judge", default=_RUBRIC, show_default=True, help="Marks the candidates.")
@click.option("--experience", default=_RUBRIC, show_default=True, help="Marks whole talks.")
@click.option("--candidates", type=click.IntRange(min=2), default=6, show_default=True, help="N.")
@click.option("--keep", type=click.IntRange(min=2), default=3, show_default=True, help="K.")
@click.option("--playouts", type=click.IntRange(min=1), default=3, show_default=True, help="M.")
@click.option("--moments", type=click.IntRange(min=1), default=1, show_default=True,
              help="Turns of each talk at which candidates are weighed.")  # fmt: skip
@click.option("--margin", type=Number(0, 1), default=0.05, show_default=True,
              help="Least difference between the two of a pair, on 0 to 1.")  # fmt: skip
@click.option("--pairs", type=click.IntRange(min=1), default=1, show_default=True,
              help="Most pairs of one turn.")  # fmt: skip
@weights_option
@click.option("--without", type=click.Choice(["filter", "simulation"]), help="An ablation.")
@click.option("--temperature", type=Number(0, 2, min_open=True), default=1.0,
              show_default=True, help="Of the policy when it writes candidates.")  # fmt: skip
@click.option(
    "--unlike",
    type=click.Choice(["words", "acts"]),
    default="words",
    show_default=True,
    help="In what two candidates have to differ; acts: in acts or strategy.",
)
@click.option(
    "--playout-temperature",
    type=Number(0, 2),
    help="Of the policy as it plays, before and after a candidate; default: as --temperature.",
)
@click.option("--drawn", type=click.Choice(["message", "acts"]), default="message",
              show_default=True, help="What of a candidate is drawn; acts: hf/ alone.")  # fmt: skip
@click.option("--max-tokens", type=click.IntRange(min=1), help="Of one message of a model.")
@click.option(
    "--collector-prompt", type=click.Choice(WORDINGS),
              help="Default: as the model's training.json says, else full.")  # fmt: skip
@click.option("--recipe", default="debtgpt", show_default=True,
              help="How each round is learnt: a shipped recipe or a FILE.toml.")  # fmt: skip
@click.option("--set", "changes", multiple=True, help="A value of the recipe, key=value.")
@click.option("--pairs-only", is_flag=True, help="Write the pairs of one round, train nothing.")
@click.option("--mandate", "limits", default="", help='Such as "max_disc_ratio=10%".')
@click.option("--max-turns", type=click.IntRange(min=1), default=12, show_default=True)
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option("--seed", type=SEED, default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("--retry-errors", is_flag=True, help="Weigh again the debtors of which a dialogue, a "
              "playout, a candidate or a judge had failed.")  # fmt: skip
@fail_option
@model_options
def cfpo(
    policy: str,
    suite: str | None,
    own: Path | None,
    limit: int | None,
    out: Path,
    rounds: int,
    debtor_seat: str,
    judge: str,
    experience: str,
    candidates: int,
    keep: int,
    playouts: int,
    moments: int,
    margin: float,
    pairs: int,
    weights: str,
    without: str | None,
    temperature: float,
    max_tokens: int | None,
    unlike: str,
    playout_temperature: float | None,
    drawn: str,
    collector_prompt: Wording | None,
    recipe: str,
    changes: tuple[str, ...],
    pairs_only: bool,
    limits: str,
    max_turns: int,
    lang: Language,
    seed: int,
    as_json: bool,
    retry_errors: bool,
    most_failed: float,
    settings: Settings,
) -> None:
    """Play training debtors' talks once, branch them, look where each branch ends, and learn to
    prefer what ends well.

    \b
    arrears train cfpo --model hf/models/Qwen3-8B --suite debtbench --limit 2000 --rounds 2 \\
        --debtor-seat vllm/Qwen/Qwen3-32B --judge vllm/Qwen/Qwen3-32B \\
        --experience vllm/Qwen/Qwen3-32B --out runs/debtgpt
    """
    from arrears.bench.terminal import RunProgress
    from arrears.models.trained import told_of
    from arrears.training.cfpo.cost import estimate
    from arrears.training.cfpo.rounds import Round, course_of, learn_round, weigh_round
    from arrears.training.cfpo.run import Choice, Made, check
    from arrears.training.fit.recipe import read_recipe

    if pairs_only and rounds > 1:
        raise UsageError("--pairs-only writes the pairs of one round; leave --rounds out")
    chosen = read_recipe(recipe, changes)
    if chosen.kind != "dpo":
        raise UsageError(f"{recipe} is for {chosen.kind}; CFPO learns by dpo")
    name, groups = _people(suite, own, limit, rounds, seed)
    counts = weights_of(weights)
    wording = collector_prompt or told_of(policy, "collector_prompt") or "full"
    told: list[dict[str, object]] = []
    for number, people in enumerate(groups, 1):
        course = course_of(
            policy, name, people, debtor_seat=debtor_seat, seed=seed * 1000 + number,
            moments=moments, candidates=candidates, keep=keep, playouts=playouts, judge=judge,
            experience=experience, temperature=temperature, w_agreement=counts.agreement,
            w_experience=counts.experience, without=without or "", mandate=parse_mandate(limits),
            max_turns=max_turns, lang=lang, wording=wording, max_tokens=max_tokens,
            unlike=unlike, drawn=drawn,
            playout_temperature=temperature if playout_temperature is None else playout_temperature,
        )  # fmt: skip
        one = Round(course, people, Choice(margin, pairs), chosen, out / f"round-{number}")
        check(course, settings)
        if number == 1:
            alone_in(out)
            _say_cost(estimate(course), rounds)
        with RunProgress(f"talks of round {number}") as progress:
            made: Made = weigh_round(one, settings, progress, retry_errors=retry_errors)
        told.append(_plain(made))
        _say_made(made, number)
        if pairs_only:
            break
        # Now and not after the learning: the pairs of what failed are not there yet.
        refuse_failures(failed_of(made, number), most_failed, "failed")
        with RunProgress(f"steps of round {number}") as progress:
            policy = f"hf/{learn_round(one, made, progress).folder}"
    if as_json:
        print(json.dumps({"rounds": told, "collector": None if pairs_only else policy}))
    elif pairs_only:
        print(told[0]["path"])
    else:
        print(policy)
    if pairs_only:
        refuse_failures(failed_of(made, 1), most_failed, "failed")


def _people(
    suite: str | None, own: Path | None, limit: int | None, rounds: int, seed: int
) -> tuple[str, list[tuple[Debtor, ...]]]:
    """Where the debtors come from, and each round's own, drawn by the seed."""
    if (suite is None) is (own is None):
        raise UsageError("name a --suite (debtbench, dcn) or bring --debtors FILE, one of the two")
    everyone = load_suite(suite, "train") if suite is not None else read_debtors(own or Path())
    name = suite or (own or Path()).stem
    count = limit or len(everyone) // rounds
    if count * rounds > len(everyone):
        raise UsageError(
            f"{rounds} rounds of {count:,} debtors each want {count * rounds:,}; "
            f"{name} has {len(everyone):,}"
        )
    if not count:
        raise UsageError(f"{name} has no {rounds} debtors, one for each round")
    order = rng_for(seed, "rounds").random(len(everyone)).argsort()
    return name, [
        tuple(everyone[int(i)] for i in order[n * count : (n + 1) * count]) for n in range(rounds)
    ]


def _say_cost(expected: "Estimate", rounds: int) -> None:
    """What a round will ask of models, before it starts."""
    each = " each" if rounds > 1 else ""
    print(
        f"{rounds} round{'s' if rounds > 1 else ''} of {expected.playouts:,} playouts{each}; "
        f"expected{each}:",
        file=sys.stderr,
    )
    for line in expected.lines:
        print(
            f"  {line.what:<11} {line.model}: {line.calls:,} calls, "
            f"{line.tokens_in:,} tokens in, {line.tokens_out:,} out",
            file=sys.stderr,
        )


def _plain(made: "Made") -> dict[str, object]:
    """A round for readers that are programs."""
    tried = {part: found._asdict() for part, found in made.tried.items()}
    return {**made._asdict(), "path": str(made.path), "tried": tried}


def failed_of(made: "Made", number: int) -> dict[str, Failed]:
    """What of a round failed, part by part."""
    return {
        f"round {number}, {part}": Failed(sum(t.failed.values()), t.total, t.reason)
        for part, t in made.tried.items()
    }


def _say_made(made: "Made", number: int) -> None:
    odd = "".join(
        f", {count:,} {what}"
        for count, what in (
            (made.unreadable, "candidates could not be read"),
            (made.unjudged, "turns without marks (the judge failed)"),
            (made.unweighed, "candidates could not be weighed (a playout or its judge failed)"),
        )
        if count
    )
    print(
        f"round {number}: {made.pairs:,} pairs from {made.moments:,} turns of {made.talks:,} "
        f"talks, {made.margin:.3f} apart on average{odd}",
        file=sys.stderr,
    )
    for part, found in made.tried.items():
        if found.failed:
            causes = ", ".join(f"{cause} {count:,}" for cause, count in found.failed.items())
            print(
                f"round {number}: {sum(found.failed.values()):,} of {found.total:,} {part} failed "
                f"({causes}): {found.reason}",
                file=sys.stderr,
            )
