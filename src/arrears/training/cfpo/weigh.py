"""One talk of CFPO: played once, branched at some of its turns, each branch weighed.

The talk is played by the policy as it plays (`playout_temperature`), so that the turns which are
weighed are ones that it comes to. At a chosen turn it writes N messages for the same past, at a
temperature of their own; the judge keeps K; each of these is played to the end M times, every time
against the same debtor with the same past. Playouts of different messages share their luck: the
m-th of one meets the same chances as the m-th of another, so that their difference is the message's
doing. A candidate of which one playout failed from outside, or could not be judged, has no worth:
over the others alone its mean would be compared with means over other chances.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from arrears.agents.seating import Place, Seating
from arrears.debtors.record import Debtor
from arrears.dialogue.failures import Cause
from arrears.dialogue.loop import Agent, Remembers
from arrears.dialogue.record import Dialogue, Ending, Turn
from arrears.dialogue.rewind import Before, collector_moments
from arrears.errors import MalformedReply, ModelError
from arrears.models.chat import ChatModel, Sampling
from arrears.rng import rng_for
from arrears.scoring.judges import judge_dialogue
from arrears.scoring.simulator import spoken_faults
from arrears.scoring.unscored import Unscored
from arrears.terms import Terms
from arrears.training.cfpo.listwise import ListJudge, best
from arrears.training.cfpo.plan import Course
from arrears.training.reward import Reward, agreement_quality, foresight_reward


@dataclass(frozen=True, slots=True)
class Playout:
    """One way in which a talk went on after a candidate."""

    ending: Ending
    turns: int
    """Exchanges in all."""
    terms: Terms | None
    agreement: float
    experience: float | None
    """None where nobody could judge it."""
    reward: float | None
    failure: Cause | None = None
    """Who failed, where it was broken off from outside the negotiation (ending `error`)."""
    unjudged: bool = False
    """Whether a judge was asked how it felt and failed."""
    why: str = ""
    """The words of whoever failed."""

    @property
    def failed(self) -> str:
        """Who failed, `judge` included; "" for a playout that counts."""
        if self.ending == "error":
            return self.failure or "unknown"
        return "judge" if self.unjudged else ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One message that the policy could send."""

    turn: Turn
    mark: float | None
    """Of the listwise judge, 2 … 20; None where none was asked or it failed."""
    playouts: tuple[Playout, ...]
    """Empty for those that did not pass the filter."""
    faults: tuple[str, ...] = ()
    """What is wrong with the message itself: keys of `scoring.simulator.FAULTS`."""

    @property
    def reward(self) -> float | None:
        """Mean over the playouts that could be judged; None where there is none, or where one of
        them failed from outside the negotiation."""
        if any(p.failed for p in self.playouts):
            return None
        judged = [p.reward for p in self.playouts if p.reward is not None]
        return sum(judged) / len(judged) if judged else None


@dataclass(frozen=True, slots=True)
class Moment:
    """A turn at which candidates were weighed."""

    number: int
    """The exchange, from 1."""
    candidates: tuple[Candidate, ...]
    unreadable: int
    """Candidates that could not be read, even when asked again."""
    why: str = ""
    """Where the judge failed, its words."""
    failed: tuple[str, ...] = ()
    """Candidates that the policy was asked for and that did not come: why."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One debtor's talk and what came of branching it."""

    case: str
    dialogue: Dialogue
    moments: tuple[Moment, ...]


class Table(NamedTuple):
    """Everybody who is needed at a talk."""

    course: Course
    seating: Seating
    judge: ListJudge
    mind: ChatModel | None
    """Marks whole talks; None: the built-in rubric."""


async def weigh(table: Table, debtor: Debtor) -> Weighed:
    """Play a debtor's talk and weigh its turns. RunStopped, StorageError."""
    place = Place(f"{table.course.suite}/{debtor.id}", table.course.suite, debtor.id, 1)
    account, course = debtor.background, table.course
    playing = replace(table.seating, temperature=course.playout_temperature)
    dialogue = await playing.talk(place, debtor, course.policy, course.debtor_seat)
    moments = list(collector_moments(dialogue.turns, account, course.mandate, course.max_turns))
    chosen = _chosen(course, debtor, len(moments))
    weighed = [await _weighed(table, debtor, place, moments[at]) for at in chosen]
    return Weighed(place.case, dialogue, tuple(weighed))


def _chosen(course: Course, debtor: Debtor, count: int) -> list[int]:
    """Which turns: drawn without replacement, in order."""
    if not count:
        return []
    rng = rng_for(course.seed, course.suite, debtor.id, "moments")
    order = sorted(range(count), key=rng.random(count).tolist().__getitem__)
    return sorted(order[: course.moments])


async def _weighed(table: Table, debtor: Debtor, place: Place, before: Before) -> Moment:
    course, number = table.course, before.view.number
    written = await asyncio.gather(
        *(_candidate(table, debtor, place, before, n) for n in range(1, course.candidates + 1))
    )
    turns = [turn for turn in written if isinstance(turn, Turn)]
    failed = tuple(str(error) for error in written if isinstance(error, ModelError))
    unlike = _unlike(course, turns)
    marks: tuple[float, ...] | None = None
    why = ""
    if course.marked and len(unlike) > 1:
        try:
            marks = (await table.judge.mark(before.view, unlike)).totals
        except ModelError as error:
            why = str(error)
    kept = _kept(course, unlike, marks)
    playouts = await asyncio.gather(
        *(
            _playout(table, debtor, place, (*before.said, unlike[at]), number, m)
            for at in kept
            for m in range(1, course.playouts + 1)
        )
    )
    by_place = {
        at: tuple(playouts[i * course.playouts : (i + 1) * course.playouts])
        for i, at in enumerate(kept)
    }
    return Moment(
        number,
        tuple(
            Candidate(
                turn,
                marks[at] if marks else None,
                by_place.get(at, ()),
                spoken_faults((*before.said, turn)),
            )
            for at, turn in enumerate(unlike)
        ),
        len(written) - len(turns) - len(failed),
        why,
        failed,
    )


def _unlike(course: Course, turns: Sequence[Turn]) -> list[Turn]:
    """The first of those that are one candidate, in order."""
    found: dict[tuple[object, ...], Turn] = {}
    for turn in turns:
        what = turn.dialogue if course.unlike == "words" else turn.strategy
        found.setdefault((turn.acts, what), turn)
    return list(found.values())


def _kept(course: Course, turns: Sequence[Turn], marks: Sequence[float] | None) -> Sequence[int]:
    """Which candidates are played out; none where there is nothing to compare."""
    if len(turns) < 2 or not course.played_out or (course.marked and marks is None):
        return ()
    return range(len(turns)) if marks is None else best(marks, course.played_out)


async def _candidate(
    table: Table, debtor: Debtor, place: Place, before: Before, n: int
) -> Turn | MalformedReply | ModelError:
    """One message for this past, or why there is none: unreadable, or none could be had."""
    branch = ("candidate", before.view.number, n)
    drawn = replace(table.seating, branch=branch, acts_alone=table.course.drawn == "acts")
    seat = drawn.collector(table.course.policy, place, debtor)
    await _brought_to(seat, before, debtor, table.course)
    try:
        return await seat.reply(before.view)
    except (MalformedReply, ModelError) as error:
        return error


async def _brought_to(seat: Agent, before: Before, debtor: Debtor, course: Course) -> None:
    assert isinstance(seat, Remembers)
    account = debtor.background
    for view, turn, _ in collector_moments(before.said, account, course.mandate, course.max_turns):
        await seat.remember(view, turn)


async def _playout(
    table: Table, debtor: Debtor, place: Place, history: tuple[Turn, ...], number: int, m: int
) -> Playout:
    seating = replace(
        table.seating,
        branch=("playout", number, m),
        temperature=table.course.playout_temperature,
    )
    course = table.course
    dialogue = await seating.talk(place, debtor, course.policy, course.debtor_seat, history)
    failure = dialogue.failed
    if failure is not None:
        return Playout(
            dialogue.ending, dialogue.exchanges, None, 0.0, None, None,
            failure=failure.cause, why=dialogue.detail,
        )  # fmt: skip
    try:
        reward = await _rewarded(table, dialogue, debtor, seating.branch)
    except ModelError as error:
        return Playout(
            dialogue.ending, dialogue.exchanges, dialogue.terms,
            agreement_quality(dialogue.terms, debtor, course.yearly_rate), None, None,
            unjudged=True, why=str(error),
        )  # fmt: skip
    experience = None if isinstance(reward.experience, Unscored) else reward.experience
    total = None if isinstance(reward.total, Unscored) else reward.total
    return Playout(
        dialogue.ending, dialogue.exchanges, dialogue.terms, reward.agreement, experience, total
    )


async def _rewarded(
    table: Table, dialogue: Dialogue, debtor: Debtor, branch: tuple[str | int, ...]
) -> Reward:
    """The reward of a playout. ModelError where the judge failed."""
    course = table.course
    weights = course.weights()
    if table.mind is None:
        return foresight_reward(dialogue, debtor, weights)
    rng = rng_for(course.seed, course.suite, debtor.id, *branch, "experience")
    sampling = Sampling(0.0, int(rng.integers(1 << 31)))
    judged = await judge_dialogue("experience", table.mind, sampling, dialogue, debtor, course.lang)
    return foresight_reward(dialogue, debtor, weights, judged.scores["US"])
