"""The one loop: five endings, and what each side is shown."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from arrears.debtors.record import Debtor
from arrears.debtors.suites import load_suite
from arrears.dialogue.acts import LEAVE, NON, Act, act
from arrears.dialogue.loop import Agent, negotiate
from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue, Turn
from arrears.dialogue.views import CollectorView, DebtorView
from arrears.errors import MalformedReply
from arrears.terms import DIMENSIONS, Mandate, Terms

PACKAGE = tuple(
    act("ask", d, v) for d, v in zip(DIMENSIONS, (0.0, 0.25, 7, 6), strict=True)
)  # fmt: skip
TAKEN = tuple(act("accept", a.dim, a.value) for a in PACKAGE)  # type: ignore[arg-type]


class Script:
    """A seat that does what it was told and keeps what it was shown."""

    def __init__(self, seat: Any, lines: Iterable[tuple[Act, ...] | BaseException]) -> None:
        self._seat, self._lines, self.views = seat, iter(lines), []  # type: ignore[var-annotated]

    async def reply(self, view: CollectorView | DebtorView) -> Turn:
        """The next line."""
        self.views.append(view)
        line = next(self._lines, (NON,))
        if isinstance(line, BaseException):
            raise line
        return Turn(
            self._seat,
            f"{self._seat} says {len(self.views)}",
            line,
            thoughts=f"secret thought of the {self._seat}",
            strategy="complaint",
            private={"secret": f"feeling of the {self._seat}"},
        )


def debtor() -> Debtor:
    """Somebody."""
    return load_suite("debtbench")[0]


def play(
    collector: Iterable[tuple[Act, ...] | BaseException],
    other: Iterable[tuple[Act, ...] | BaseException] = (),
    mandate: Mandate | None = None,
    max_turns: int = 12,
) -> tuple[Dialogue, Script, Script]:
    """One negotiation of two scripts."""
    left, right = Script("collector", collector), Script("debtor", other)
    seats: tuple[Agent, Agent] = (left, right)
    dialogue = asyncio.run(
        negotiate(
            case="c", suite="debtbench", debtor=debtor(), collector=seats[0], debtor_seat=seats[1],
            collector_spec="test/left", debtor_spec="test/right", mandate=mandate,
            max_turns=max_turns,
        )
    )  # fmt: skip
    return dialogue, left, right


def test_agreed_by_the_debtors_message() -> None:
    dialogue, *_ = play([(NON,), PACKAGE], [(NON,), TAKEN])
    assert (dialogue.ending, dialogue.terms) == ("agreed", Terms(0.0, 0.25, 7, 6))
    assert (dialogue.exchanges, len(dialogue.turns)) == (2, 4)


def test_agreed_by_the_collectors_message_counts_that_turn_and_needs_no_answer() -> None:
    dialogue, _, right = play([(NON,), TAKEN], [PACKAGE])
    assert dialogue.ending == "agreed"
    assert (dialogue.exchanges, len(dialogue.turns)) == (2, 3)
    assert len(right.views) == 1


def test_twelve_turns_without_agreement() -> None:
    dialogue, left, right = play([], [])
    assert (dialogue.ending, dialogue.terms, dialogue.exchanges) == ("max_turns", None, 12)
    assert len(left.views) == len(right.views) == 12


def test_the_debtor_walks_away() -> None:
    dialogue, *_ = play([PACKAGE], [(LEAVE,)])
    assert (dialogue.ending, dialogue.exchanges) == ("walked_away", 1)


def test_an_agreement_in_the_same_message_comes_before_leaving() -> None:
    dialogue, *_ = play([PACKAGE], [(*TAKEN, LEAVE)])
    assert dialogue.ending == "agreed"


@pytest.mark.parametrize("seat", ["collector", "debtor"])
def test_a_malformed_reply_ends_the_talk_and_names_the_seat(seat: str) -> None:
    broken = [(NON,), MalformedReply("no Action part")]
    dialogue, *_ = play(
        broken if seat == "collector" else [], [] if seat == "collector" else broken
    )
    assert dialogue.ending == "malformed"
    assert dialogue.detail == f"{seat}: no Action part"


def test_any_other_error_ends_this_dialogue_with_its_words() -> None:
    dialogue, *_ = play([(NON,)], [ValueError("quota exceeded")])
    assert (dialogue.ending, dialogue.detail) == ("error", "debtor: ValueError: quota exceeded")
    assert len(dialogue.turns) == 1, "what was said before is kept"


def test_an_interrupt_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        play([KeyboardInterrupt()])


def test_the_mandate_holds_in_the_loop() -> None:
    dialogue, *_ = play([PACKAGE], [TAKEN], mandate=Mandate(max_inst_prds=3), max_turns=2)
    assert dialogue.ending == "max_turns"
    assert dialogue.turns[1].effects == ("sealed", "sealed", "sealed", "outside_mandate")


def test_the_last_message_always_reaches_the_listener() -> None:
    _, left, right = play([], [], max_turns=4)
    for n, view in enumerate(right.views, start=1):
        assert view.heard[-1].seat == "collector"
        assert view.heard[-1].dialogue == f"collector says {n}"
    for n, view in enumerate(left.views[1:], start=1):
        assert view.heard[-1].seat == "debtor"
        assert view.heard[-1].dialogue == f"debtor says {n}"


def test_a_seat_sees_its_own_turns_whole_with_what_they_did() -> None:
    _, left, _ = play([PACKAGE], [])
    (own,) = left.views[1].own
    assert own.thoughts == "secret thought of the collector"
    assert own.effects == ("asked",) * 4


def test_a_dialogue_is_stored_and_read_back_whole() -> None:
    dialogue, *_ = play([(NON,), PACKAGE], [(NON,), TAKEN])
    stored = DIALOGUE_ADAPTER.dump_json(dialogue)
    assert DIALOGUE_ADAPTER.validate_json(stored) == dialogue


def test_neither_side_is_shown_what_is_private_to_the_other() -> None:
    """Sentinels in every private field, both directions, over a whole talk."""
    person = debtor()
    _, left, right = play([PACKAGE, (NON,)], [(NON,)], mandate=Mandate(max_disc_ratio=0.25))
    hidden = _leaves(person.model_dump(exclude={"background", "id"}))
    assert len(hidden) > 20
    shown = repr(left.views)
    for secret in (*hidden, "secret thought of the debtor", "feeling of the debtor", "complaint"):
        if secret == "complaint":
            assert "complaint" not in repr([v.heard for v in left.views])
        else:
            assert secret not in shown, secret
    shown = repr(right.views)
    for secret in ("secret thought of the collector", "feeling of the collector", "0.25, min_pmt"):
        assert secret not in shown
    assert "Mandate" not in shown


def _leaves(record: Any) -> list[str]:
    """Every text in a record that is long enough not to turn up by chance."""
    if isinstance(record, dict):
        return [leaf for value in record.values() for leaf in _leaves(value)]
    if isinstance(record, tuple | list):
        return [leaf for value in record for leaf in _leaves(value)]
    text = str(record)
    return [text] if len(text) >= 4 and record is not None else [f"\x00{text}"]


def test_no_view_type_has_a_field_for_the_other_sides_secrets() -> None:
    """By type: the collector's view holds a Background, no Debtor; the debtor's view no Mandate."""
    collector = {name: str(kind) for name, kind in CollectorView.__annotations__.items()}
    other = {name: str(kind) for name, kind in DebtorView.__annotations__.items()}
    assert not any("Debtor'" in kind or "Finances" in kind for kind in collector.values())
    assert not any("Mandate" in kind for kind in other.values())
    assert set(CollectorView.__annotations__["heard"].__args__[0].__annotations__) == {
        "seat", "dialogue", "acts",
    }  # fmt: skip
