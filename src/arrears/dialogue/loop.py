"""The one loop: two seats, one ledger, from the first word to an ending."""

from asyncio import CancelledError, current_task
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from arrears.debtors.record import Debtor
from arrears.dialogue.checked import answer_of, checked, text_of
from arrears.dialogue.failures import Failure, StoredFailure, failure_of, is_foreign
from arrears.dialogue.ledger import Ledger
from arrears.dialogue.record import Dialogue, Ending, Turn
from arrears.dialogue.views import CollectorView, DebtorView, Heard
from arrears.errors import MalformedReply, RunStopped, StorageError
from arrears.strategies import Seat
from arrears.terms import Mandate


class Agent(Protocol):
    """One seat. Built-in, model, multi-agent and human seats are this and nothing more."""

    async def reply(self, view: Any) -> Turn:
        """The next message, given a `CollectorView` or a `DebtorView`.

        MalformedReply where the seat could not bring out a readable message.
        """


@runtime_checkable
class Remembers(Protocol):
    """A seat that can take up a talk in the middle: it is told what it said before."""

    async def remember(self, view: Any, turn: Turn) -> None:
        """At this view it said this."""


async def negotiate(
    *,
    case: str,
    suite: str,
    debtor: Debtor,
    collector: Agent,
    debtor_seat: Agent,
    collector_spec: str,
    debtor_spec: str,
    mandate: Mandate | None = None,
    max_turns: int = 12,
    history: Sequence[Turn] = (),
) -> Dialogue:
    """Let both seats talk until they agree, part, or run out of turns.

    A turn is a collector message and the debtor's answer; the agreement is tested after each
    message. Whatever a seat raises ends its own dialogue, never the run. `history` are messages
    that were said before, from the first on: they are entered as they stand, and seats that
    remember are told theirs.
    """
    mandate = mandate or Mandate()
    ledger = Ledger(mandate)
    heard: tuple[Heard, ...] = ()
    turns: list[Turn] = []
    own: dict[Seat, tuple[Turn, ...]] = {"collector": (), "debtor": ()}
    ending: Ending = "max_turns"
    terms, detail = None, ""
    failure: Failure | None = None
    past = iter(history)
    foreign = {
        "collector": is_foreign(collector_spec, collector),
        "debtor": is_foreign(debtor_spec, debtor_seat),
    }

    for number in range(1, max_turns + 1):
        for seat in _ORDER:
            view: CollectorView | DebtorView
            if seat == "collector":
                view = CollectorView(
                    debtor.background, mandate, heard, own[seat], ledger.table(), number, max_turns
                )
                agent = collector
            else:
                view = DebtorView(debtor, heard, own[seat], ledger.table(), number, max_turns)
                agent = debtor_seat
            try:
                said = next(past, None)
                if said is None:
                    if foreign[seat]:
                        said = checked(await answer_of(agent.reply, view), seat)
                    else:
                        said = await agent.reply(view)
                elif isinstance(agent, Remembers):
                    if foreign[seat]:
                        await answer_of(agent.remember, view, said)
                    else:
                        await agent.remember(view, said)
                turn = _entered(said, seat, number, ledger)
            except (RunStopped, StorageError, KeyboardInterrupt, GeneratorExit):
                raise  # No dialogue's own affair: the run has to stop.
            except BaseException as error:
                if isinstance(error, CancelledError) and _is_cancelled():
                    raise
                ending, detail = _classified(seat, error)
                if ending == "error":
                    spec = collector_spec if seat == "collector" else debtor_spec
                    failure = failure_of(seat, spec, error, agent)
                break
            turns.append(turn)
            # What a seat does to a turn that it is shown must not reach the one on record.
            shown = replace(turn, private=dict(turn.private)) if foreign[seat] else turn
            own[seat] = (*own[seat], shown)
            heard = (*heard, Heard(seat, turn.dialogue, turn.acts))
            terms = ledger.agreement()
            if terms is not None:
                ending = "agreed"
                break
            if seat == "debtor" and any(act.kind == "leave" for act in turn.acts):
                ending = "walked_away"
                break
        else:
            continue
        break

    return Dialogue.model_construct(
        case=case,
        suite=suite,
        debtor_id=debtor.id,
        collector=collector_spec,
        debtor_seat=debtor_spec,
        mandate=mandate,
        turns=tuple(turns),
        ending=ending,
        terms=terms,
        detail=detail,
        failure=failure,
    )


_ORDER: tuple[Seat, Seat] = ("collector", "debtor")


def _entered(turn: Turn, seat: Seat, number: int, ledger: Ledger) -> Turn:
    """The turn as it goes on record, its acts applied to the ledger.

    Number and effects are the loop's to fill in, and until now nobody but the seat has seen the
    turn, so it is completed in place: to build it anew would take longer than to apply its acts.
    """
    if turn.seat != seat:
        raise ValueError(f"the {seat}'s seat answered for the {turn.seat}")
    if turn.number or turn.effects:
        # A seat that hands out a turn which is on record already gets a fresh one.
        turn = replace(turn)
    object.__setattr__(turn, "number", number)
    object.__setattr__(turn, "effects", ledger.apply(seat, turn.acts))
    return turn


def _is_cancelled() -> bool:
    """Whether it is this dialogue that is to end, not something that a seat has cancelled."""
    task = current_task()
    return task is None or task.cancelling() > 0


def _classified(seat: Seat, error: BaseException) -> tuple[Ending, str]:
    """The one place where what a seat raised becomes an ending."""
    if isinstance(error, StoredFailure):
        return "error", text_of(error)
    if isinstance(error, MalformedReply):
        return "malformed", f"{seat}: {text_of(error)}"
    return "error", f"{seat}: {type(error).__name__}: {text_of(error)}"
