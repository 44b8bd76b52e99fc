"""A round of CFPO from its plan to its pairs, resumed where it was stopped.

The folder holds `cfpo.json` (the plan, written first), `weighed.jsonl` (a line for each debtor's
talk: what was played, the candidates, their marks and playouts), `calls.jsonl` and `pairs.jsonl`
(the training set, written anew at every end: margins may be changed without playing again).
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from arrears.agents.briefing import style_of
from arrears.agents.registry import check_debtor_seat
from arrears.agents.seating import Seating
from arrears.bench.run import Progress, silent
from arrears.bench.waiting import run_to_end, side_by_side
from arrears.debtors.record import Debtor
from arrears.errors import BrokenFile, UsageError
from arrears.files import CASE, LineFile, replace_file
from arrears.models.backends import LOCAL, Backends, Settings, check_model, is_model
from arrears.models.chat import Purpose, Sampling
from arrears.rng import rng_for
from arrears.runs.lock import lock_folder
from arrears.runs.pinned import read_pinned, refuse, store_plan
from arrears.training.cfpo.failed import Part, Tried, forget_failed, tried
from arrears.training.cfpo.listwise import ListJudge, ModelListJudge, RubricListJudge
from arrears.training.cfpo.pairs import Pair, pairs_of
from arrears.training.cfpo.plan import RUBRIC, Course
from arrears.training.cfpo.stored import as_line, read_all
from arrears.training.cfpo.weigh import Moment, Table, Weighed, weigh
from arrears.training.conversations import Briefing, asked_now, written

PLAN, WEIGHED, PAIRS, CALLS = "cfpo.json", "weighed.jsonl", "pairs.jsonl", "calls.jsonl"


class Choice(NamedTuple):
    """Which pairs are taken."""

    margin: float = 0.05
    """Least difference of the reward (or of the marks, brought to 0 … 1)."""
    most: int = 1
    """Most pairs of one turn."""


class Made(NamedTuple):
    """What a round came to."""

    path: Path
    """The training set."""
    pairs: int
    talks: int
    moments: int
    margin: float
    """Mean over the pairs; 0 where there are none."""
    unreadable: int
    """Candidates that could not be read."""
    unjudged: int
    """Turns at which the listwise judge failed."""
    unweighed: int
    """Candidates that were played out and have no worth, because a playout or its judge failed."""
    tried: Mapping[Part, Tried]
    """What was tried, and what of it failed from outside the negotiation."""


def check(course: Course, settings: Settings) -> None:
    """UnknownName or UsageError before anything is spent."""
    if not is_model(course.policy):
        raise UsageError(f"{course.policy} cannot learn; the policy must be a model")
    if course.drawn == "acts" and course.policy.partition("/")[0] != LOCAL:
        raise UsageError(
            f"only a local policy (hf/PATH) can draw its acts alone; {course.policy} draws whole "
            "messages: leave --drawn out"
        )
    check_debtor_seat(course.debtor_seat)
    for judge in (course.judge, course.experience):
        if judge != RUBRIC and not is_model(judge):
            raise UsageError(f"{judge} cannot judge; name a model or {RUBRIC}")
    built_in = [s for s in (course.debtor_seat, course.judge, course.experience) if not is_model(s)]
    if course.lang != "en" and built_in:
        raise UsageError(f"{built_in[0]} knows English only; --lang {course.lang} needs models")
    for spec in (course.policy, course.debtor_seat, course.judge, course.experience):
        if is_model(spec):
            check_model(spec, settings)


def weigh_all(
    course: Course,
    debtors: Sequence[Debtor],
    path: Path,
    *,
    settings: Settings | None = None,
    choice: Choice | None = None,
    progress: Progress = silent,
    retry_errors: bool = False,
) -> Made:
    """Weigh every debtor's talk that is still owed, and write the pairs.

    `retry_errors` weighs those again of which anything had failed from outside the negotiation.
    RunMismatch where the folder was begun with another plan or another process writes it;
    RunStopped and StorageError with all that is done kept.
    """
    settings = settings or Settings()
    check(course, settings)
    with lock_folder(path):
        _begin(course, path)
        if retry_errors:
            forget_failed(path / WEIGHED)
        _weigh_owed(course, debtors, path, settings, progress)
        return write_pairs(course, debtors, path, choice or Choice())


def _weigh_owed(
    course: Course, debtors: Sequence[Debtor], path: Path, settings: Settings, progress: Progress
) -> None:
    with LineFile(path / WEIGHED) as file:
        done = set(file.index(CASE))
        owed = [d for d in debtors if f"{course.suite}/{d.id}" not in done]
        progress(len(done), len(debtors))

        def keep(weighed: Weighed) -> None:
            file.append([as_line(weighed)])
            done.add(weighed.case)
            progress(len(done), len(debtors))

        if owed:
            run_to_end(_everybody(course, owed, settings, path / CALLS, keep))


def write_pairs(course: Course, debtors: Sequence[Debtor], path: Path, choice: Choice) -> Made:
    """The training set of a round that was weighed."""
    people = {f"{course.suite}/{d.id}": d for d in debtors}
    talks = moments = unreadable = unjudged = unweighed = 0
    lines: list[bytes] = []
    margins: list[float] = []
    for weighed in read_all(path / WEIGHED):
        if weighed.case not in people:
            raise BrokenFile(path / WEIGHED, f"{weighed.case} is no case of this round's {PLAN}")
        talks += 1
        for moment in weighed.moments:
            moments += 1
            unreadable += moment.unreadable
            unjudged += bool(moment.why)
            unweighed += sum(any(p.failed for p in c.playouts) for c in moment.candidates)
            by_marks = course.without == "simulation"
            for pair in pairs_of(moment, choice.margin, choice.most, by_marks):
                row = row_of(course, weighed, moment, pair, people[weighed.case])
                lines.append(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                margins.append(pair.margin)
    # Their order in the file is chance, so that no step of the training sees one kind of debtor.
    order = rng_for(course.seed, course.suite, "pairs").random(len(lines)).argsort()
    replace_file(path / PAIRS, lambda out: out.write(b"".join(lines[i] for i in order)))
    mean = sum(margins) / len(margins) if margins else 0.0
    return Made(
        path / PAIRS, len(lines), talks, moments, mean, unreadable, unjudged, unweighed,
        tried(read_all(path / WEIGHED), course.candidates),
    )  # fmt: skip


def row_of(
    course: Course, weighed: Weighed, moment: Moment, pair: Pair, debtor: Debtor
) -> Mapping[str, Any]:
    """A pair as TRL reads it: what the policy was asked, the better answer, the worse one."""
    style = style_of(debtor)
    briefing = Briefing(style, course.wording, course.lang, course.mandate, course.max_turns)
    past = [turn for turn in weighed.dialogue.turns if turn.number < moment.number]

    def answer(turn: Any) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": written(turn, style)}]

    return {
        "prompt": asked_now(past, debtor.background, briefing),
        "chosen": answer(pair.chosen.turn),
        "rejected": answer(pair.rejected.turn),
        "about": {
            "case": weighed.case,
            "turn": moment.number,
            "collector_prompt": course.wording,
            "margin": round(pair.margin, 6),
            "chosen_reward": pair.chosen.reward,
            "rejected_reward": pair.rejected.reward,
        },
    }


def _begin(course: Course, path: Path) -> None:
    """Write the plan first, or see that it is the same."""
    plan = path / PLAN
    if not plan.exists():
        store_plan(plan, course.model_dump(mode="json"))
        return
    stored = read_pinned(plan, Course)
    unlike = [f for f in Course.model_fields if getattr(stored, f) != getattr(course, f)]
    refuse(path, "round of CFPO", dict(stored), dict(course), [f for f in unlike if f != "arrears"])


async def _everybody(
    course: Course,
    owed: Sequence[Debtor],
    settings: Settings,
    log: Path,
    keep: Callable[[Weighed], None],
) -> None:
    async with Backends(settings, log) as models:
        seating = Seating(
            course.seed, course.mandate, course.max_turns, course.lang, course.temperature,
            course.max_tokens, models=models, wordings={course.policy: course.wording},
            debtor_temperature=course.debtor_temperature,
        )  # fmt: skip
        mind = None
        if course.experience != RUBRIC:
            mind = models.model(course.experience, Purpose("cfpo", "judge", "experience"))
        table = Table(course, seating, _list_judge(course, models), mind)

        async def one(debtor: Debtor) -> None:
            keep(await weigh(table, debtor))

        await side_by_side(owed, one, _at_once(course, settings))


def _list_judge(course: Course, models: Backends) -> ListJudge:
    if course.judge == RUBRIC:
        return RubricListJudge()
    model = models.model(course.judge, Purpose("cfpo", "judge", "candidates"))
    return ModelListJudge(model, Sampling(0.0, course.seed), course.lang)


def _at_once(course: Course, settings: Settings) -> int:
    """Talks on their way: as many as keep the model's batches full, since each of them waits now
    with one message, now with all its candidates or playouts."""
    widest = max(course.candidates, course.played_out * course.playouts)
    return max(1, ceil(3 * settings.concurrency / widest))
