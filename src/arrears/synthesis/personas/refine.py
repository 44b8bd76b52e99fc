"""Behaviour refinement (DebtBench §3.1 and appendix B.3, equation 1).

Simulate with the persona; let a judge score how emotion, cognition and style fit what was said;
change only the fields that the conversation contradicts; again, until all fit or the rounds are
spent. Every round is kept with its scores and reasons.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import orjson

import arrears
from arrears.agents.registry import (
    check_collector,
    check_debtor_seat,
    models_of,
    speaks_english_only,
)
from arrears.agents.seating import Place, Seating
from arrears.bench.run import Progress, silent
from arrears.bench.sources import sources_of
from arrears.bench.waiting import run_to_end, side_by_side
from arrears.debtors.record import Debtor
from arrears.dialogue.loop import negotiate
from arrears.dialogue.record import Dialogue, as_line
from arrears.errors import BrokenFile, RunMismatch, UsageError
from arrears.files import LineFile, replace_file
from arrears.models.backends import Backends, Settings, check_model
from arrears.models.unanswered import Unanswered, unanswered_of, unanswered_told
from arrears.prompts.library import prompts_digest
from arrears.runs.lock import lock_file
from arrears.runs.pinned import RULES, read_object, refuse, store_plan
from arrears.runs.rules import DIALOGUES, REQUESTS, rules_digest
from arrears.strategies import Seat
from arrears.synthesis.personas.changes import DIMENSIONS, Change, changed
from arrears.synthesis.personas.judges import READER, judge_named
from arrears.synthesis.personas.setup import THRESHOLD, Judge, Setup
from arrears.terms import Mandate

_SUITE = "refine"
_RULES = ("synthesis.personas.judges", "synthesis.personas.changes")
_REMEDY = "refine as it was begun, or choose another --out, or remove it and {}"


class Round(NamedTuple):
    """One simulation and what was made of it."""

    scores: Mapping[str, float]
    changes: tuple[Change, ...]
    reason: str


class Refined(NamedTuple):
    """What became of one persona."""

    person: Debtor
    rounds: tuple[Round, ...]
    settled: bool
    """All dimensions fitted in the last round."""
    failure: Unanswered | None
    """Who failed, where it was given up."""


def refine(
    people: Sequence[Debtor],
    setup: Setup,
    settings: Settings,
    judge_of: Callable[[Backends, Setup], Judge],
    store: Path,
    progress: Progress = silent,
    *,
    retry_errors: bool = False,
) -> tuple[Refined, ...]:
    """Refine everybody, in order; each is stored in `store` when done, and not done again.

    `retry_errors` begins again with those that were given up because something failed. RunMismatch
    where `store` was begun otherwise or another process writes it; RunStopped and StorageError with
    what is done kept.
    """
    with ExitStack() as opened:
        opened.enter_context(lock_file(store))
        _agree(store, setup)
        if retry_errors:
            _forget_failures(store)
        file = opened.enter_context(LineFile(store))
        done = {
            key: orjson.loads(file.read(span)) for key, span in file.index(_key_of_line).items()
        }
        for person in people:
            if person.id in done and done[person.id]["start"] != _start(person):
                raise RunMismatch(f"{store} has {person.id} with another persona; remove the file")
        owed = [person for person in people if person.id not in done]
        progress(len(people) - len(owed), len(people))

        def keep(refined: Refined, start: Debtor, talks: list[Dialogue]) -> None:
            line = _line(refined, start, talks)
            file.append([orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)])
            done[start.id] = line
            progress(len(people) - len(owed) + len(finished), len(people))

        finished: list[str] = []
        if owed:
            run_to_end(_everybody(owed, setup, settings, judge_of, store, keep, finished))
    return tuple(_refined(store, done[person.id]) for person in people)


def check_setup(setup: Setup, people: Sequence[Debtor], settings: Settings) -> None:
    """UnknownName or UsageError before anything is spent."""
    check_collector(setup.collector)
    check_debtor_seat(setup.debtor_seat)
    bare = [p.id for p in people if p.personality is None or p.cognition is None]
    if bare:
        raise UsageError(
            f"{bare[0]} has no persona that could be refined ({len(bare)} of {len(people)}); "
            "arrears debtors enrich gives them one"
        )
    built_in = [s for s in (setup.collector, setup.debtor_seat, setup.judge)
                if speaks_english_only(s)]  # fmt: skip
    if setup.language != "en" and built_in:
        raise UsageError(f"{built_in[0]} knows English only; --lang {setup.language} needs models")
    judge_named(setup.judge)
    called = models_of((setup.collector,), (setup.debtor_seat,), None, None)
    for spec in (*called, *(() if setup.judge == READER else (setup.judge,))):
        check_model(spec, settings)


async def _everybody(
    owed: Sequence[Debtor],
    setup: Setup,
    settings: Settings,
    judge_of: Callable[[Backends, Setup], Judge],
    store: Path,
    keep: Callable[[Refined, Debtor, list[Dialogue]], None],
    finished: list[str],
) -> None:
    async with Backends(settings, store.with_name(f"{store.stem}.calls.jsonl")) as models:
        judge = judge_of(models, setup)
        seating = Seating(
            setup.seed, Mandate(), setup.max_turns, setup.language, setup.temperature,
            models=models,
        )  # fmt: skip

        async def one(person: Debtor) -> None:
            talks: list[Dialogue] = []
            refined = await _one(person, setup, seating, judge, talks)
            finished.append(person.id)
            keep(refined, person, talks)

        await side_by_side(owed, one, settings.concurrency)


async def _one(
    person: Debtor, setup: Setup, seating: Seating, judge: Judge, talks: list[Dialogue]
) -> Refined:
    rounds: list[Round] = []
    for number in range(1, setup.max_rounds + 1):
        case = f"{_SUITE}/{setup.collector}/{setup.debtor_seat}/{person.id}/{number}"
        place = Place(case, _SUITE, person.id, number)
        dialogue = await negotiate(
            case=case,
            suite=_SUITE,
            debtor=person,
            collector=seating.collector(setup.collector, place, person),
            debtor_seat=seating.debtor(setup.debtor_seat, place, person),
            collector_spec=setup.collector,
            debtor_spec=setup.debtor_seat,
            max_turns=setup.max_turns,
        )
        talks.append(dialogue)
        if (why := _nothing_to_judge(dialogue)) is not None:
            return Refined(person, tuple(rounds), False, why)
        try:
            verdict = await judge.verdict(person, dialogue, place)
        except Exception as error:
            return Refined(person, tuple(rounds), False, unanswered_of(error, "judge"))
        fits = all(verdict.scores[name] >= THRESHOLD for name in DIMENSIONS)
        changes = () if fits else verdict.changes
        scores: dict[str, float] = {name: verdict.scores[name] for name in DIMENSIONS}
        rounds.append(Round(scores, changes, verdict.reason))
        if fits:
            return Refined(person, tuple(rounds), True, None)
        # The last round's changes are made too: nothing has contradicted them.
        person = changed(person, changes)
    return Refined(person, tuple(rounds), False, None)


def _nothing_to_judge(dialogue: Dialogue) -> Unanswered | None:
    """Why a dialogue contradicts nothing: it broke off from outside, or its debtor never spoke."""
    if (failed := dialogue.failed) is not None:
        return Unanswered(
            cause=failed.cause, seat=failed.seat, error=failed.error, where=failed.where,
            reason=f"the dialogue ended as error: {dialogue.detail}",
        )  # fmt: skip
    if any(turn.seat == "debtor" for turn in dialogue.turns):
        return None
    seat: Seat = "debtor" if dialogue.turns else "collector"
    return Unanswered(
        cause="malformed", seat=seat, reason=f"the debtor said nothing: {dialogue.detail}"
    )


def _key_of_line(line: Any) -> str:
    return str(line["id"])


def _start(person: Debtor) -> dict[str, Any]:
    return person.model_dump(mode="json")


def _line(refined: Refined, start: Debtor, talks: Sequence[Dialogue]) -> dict[str, Any]:
    return {
        "id": start.id,
        "settled": refined.settled,
        "failure": refined.failure.reason if refined.failure else "",
        **({"failed": refined.failure.stored()} if refined.failure else {}),
        "rounds": [
            {**r._asdict(), "changes": [c._asdict() for c in r.changes]} for r in refined.rounds
        ],
        "start": _start(start),
        "end": _start(refined.person),
        "talks": [orjson.Fragment(as_line(dialogue)[:-1]) for dialogue in talks],
    }


def _refined(store: Path, line: Mapping[str, Any]) -> Refined:
    try:
        rounds = tuple(
            Round(r["scores"], tuple(_stored_change(c) for c in r["changes"]), r["reason"])
            for r in line["rounds"]
        )
        person = Debtor.model_validate_json(orjson.dumps(line["end"]))
        return Refined(person, rounds, line["settled"], _failure_of(line))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenFile(store, f"{line.get('id')} cannot be read ({error})") from None


def _failure_of(line: Mapping[str, Any]) -> Unanswered | None:
    """Who failed; as far as its reason tells, where an older arrears has stored it."""
    if "failed" in line:
        return Unanswered.model_validate(line["failed"])
    return unanswered_told(line["failure"], "judge") if line["failure"] else None


def _forget_failures(store: Path) -> None:
    """Drop the lines of those that were given up, atomically, so that they are begun again."""
    if not store.exists():
        return
    lines = store.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not _given_up(line)]
    if len(kept) < len(lines):
        replace_file(store, lambda out: out.writelines(kept))


def _given_up(line: bytes) -> bool:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False  # Torn, or broken: who reads it next says so.
    return line.endswith(b"\n") and isinstance(found, dict) and bool(found.get("failure"))


def _stored_change(raw: Mapping[str, Any]) -> Change:
    def value(found: Any) -> Any:
        return tuple(found) if isinstance(found, list) else found

    return Change(**{**raw, "before": value(raw["before"]), "after": value(raw["after"])})


def _agree(store: Path, setup: Setup) -> None:
    """Store how it is done, or see that it is done as before."""
    path = store.with_suffix(".json")
    asked = {"arrears": arrears.__version__, **_made_by(setup), **setup._asdict()}
    if not path.exists():
        store_plan(path, asked)
        return
    stored = read_object(path)
    differing = [name for name in asked if name != "arrears" and stored.get(name) != asked[name]]
    refuse(store, "refinement", stored, asked, differing, remedy=_REMEDY.format(path.name))


def _made_by(setup: Setup) -> dict[str, Any]:
    """Digests of what plays and judges."""
    called = models_of((setup.collector,), (setup.debtor_seat,), None, None)
    asks = bool(called) or setup.judge != READER
    return {
        RULES: rules_digest(*DIALOGUES, *_RULES, *(REQUESTS if asks else ())),
        "prompts": prompts_digest(setup.language) if asks else "",
        "sources": sources_of((*called, setup.debtor_seat, setup.judge)),
    }
