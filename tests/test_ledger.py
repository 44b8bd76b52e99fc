"""The ledger, rule by rule: when is something agreed?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrears.dialogue.acts import LEAVE, NON, Act, act
from arrears.dialogue.ledger import Ledger
from arrears.dialogue.views import Position
from arrears.strategies import Seat
from arrears.terms import DIMENSIONS, GRID, Mandate, Terms

WHOLE = tuple(
    act("ask", d, v)
    for d, v in zip(DIMENSIONS, (0.0, 0.25, 7, 6), strict=True)
)  # fmt: skip


def ask(value: float, said: float | None = None) -> Act:
    """An ask on the discount; `said` as it was written, off the grid."""
    return Act("ask", "disc_ratio", value, said) if said else act("ask", "disc_ratio", value)


def accept(value: float, said: float | None = None) -> Act:
    """An accept on the discount."""
    return Act("accept", "disc_ratio", value, said) if said else act("accept", "disc_ratio", value)


def reject(value: float | None = None) -> Act:
    """A reject on the discount."""
    return act("reject", "disc_ratio", value)


class Talk:
    """A ledger with the discount in view."""

    def __init__(self, mandate: Mandate | None = None) -> None:
        self.ledger = Ledger(mandate)

    def says(self, seat: Seat, *acts: Act) -> str:
        """The effects of a message."""
        return " ".join(self.ledger.apply(seat, acts))

    @property
    def discount(self) -> Position:
        """Where the discount stands: (collector's ask, debtor's ask, sealed)."""
        return self.ledger.table().disc_ratio


@pytest.fixture
def talk() -> Talk:
    """A fresh ledger."""
    return Talk()


def test_an_ask_becomes_the_live_ask(talk: Talk) -> None:
    assert talk.says("collector", ask(0.05)) == "asked"
    assert talk.says("collector", ask(0.10)) == "asked"
    assert talk.discount == (0.10, None, None)


def test_an_ask_equal_to_the_other_sides_seals(talk: Talk) -> None:
    talk.says("collector", ask(0.10))
    assert talk.says("debtor", ask(0.10)) == "sealed"
    assert talk.discount.sealed == 0.10


def test_an_ask_equal_to_the_seal_leaves_it(talk: Talk) -> None:
    talk.says("collector", ask(0.10))
    talk.says("debtor", accept(0.10))
    assert talk.says("collector", ask(0.10)) == "kept"
    assert talk.says("debtor", ask(0.10)) == "kept"
    assert talk.discount.sealed == 0.10


def test_an_ask_that_differs_opens_the_seal_and_the_other_ask_stays_live(talk: Talk) -> None:
    talk.says("collector", ask(0.10))
    talk.says("debtor", accept(0.10))
    assert talk.says("debtor", ask(0.20)) == "reopened"
    assert talk.discount == (0.10, 0.20, None)
    assert talk.says("debtor", accept(0.10)) == "sealed"


def test_the_acceptors_own_earlier_ask_stays_live_too(talk: Talk) -> None:
    talk.says("debtor", ask(0.20))
    talk.says("collector", ask(0.05))
    talk.says("debtor", accept(0.05))
    talk.says("collector", ask(0.0))
    assert talk.discount == (0.0, 0.20, None)
    assert talk.says("collector", accept(0.20)) == "sealed"


def test_an_accept_of_the_live_ask_seals_for_both_sides(talk: Talk) -> None:
    talk.says("debtor", ask(0.15))
    assert talk.says("collector", accept(0.15)) == "sealed"
    other = Talk()
    other.says("collector", ask(0.05))
    assert other.says("debtor", accept(0.05)) == "sealed"


@pytest.mark.parametrize("said", [0.137, None])
def test_an_ask_off_the_grid_is_accepted_as_written_or_as_snapped(
    talk: Talk, said: float | None
) -> None:
    talk.says("collector", ask(0.15, said=0.137))
    assert talk.says("debtor", accept(0.15, said=said)) == "sealed"
    assert talk.discount.sealed == 0.15


def test_an_accept_of_12_percent_does_not_seal_a_live_10_percent(talk: Talk) -> None:
    talk.says("collector", ask(0.10))
    assert talk.says("debtor", accept(0.10, said=0.12)) == "counted_as_ask"
    assert talk.discount.sealed is None


def test_an_accept_of_an_own_ask_or_of_nothing_counts_as_an_ask(talk: Talk) -> None:
    assert talk.says("debtor", accept(0.20)) == "counted_as_ask"
    assert talk.says("debtor", accept(0.20)) == "counted_as_ask"
    assert talk.discount == (None, 0.20, None)


def test_a_reject_withdraws_the_other_sides_ask_and_the_seal(talk: Talk) -> None:
    talk.says("collector", ask(0.05))
    assert talk.says("debtor", reject()) == "withdrawn"
    assert talk.discount == (None, None, None)
    talk.says("collector", ask(0.05))
    talk.says("debtor", accept(0.05))
    assert talk.says("collector", reject()) == "withdrawn"
    assert talk.discount.sealed is None


def test_a_reject_of_a_value_needs_that_value(talk: Talk) -> None:
    talk.says("collector", ask(0.05))
    assert talk.says("debtor", reject(0.10)) == "no_effect"
    assert talk.discount.collector == 0.05
    assert talk.says("debtor", reject(0.05)) == "withdrawn"


def test_a_reject_leaves_the_own_ask_alone(talk: Talk) -> None:
    talk.says("debtor", ask(0.30))
    assert talk.says("debtor", reject()) == "no_effect"
    assert talk.discount.debtor == 0.30


def test_acts_apply_from_left_to_right(talk: Talk) -> None:
    talk.says("collector", ask(0.05))
    assert talk.says("debtor", reject(), ask(0.20)) == "withdrawn asked"
    assert talk.says("collector", ask(0.10), accept(0.20)) == "asked sealed"
    assert talk.says("collector", ask(0.10), ask(0.20)) == "reopened sealed"


def test_non_and_leave_touch_nothing(talk: Talk) -> None:
    assert talk.says("debtor", NON, LEAVE) == "none none"
    assert all(p == (None, None, None) for p in talk.ledger.table())


def test_the_agreement_stands_when_all_four_are_sealed_at_once(talk: Talk) -> None:
    talk.says("collector", *WHOLE)
    for dim, value in (("pmt_ratio", 0.25), ("pmt_days", 7), ("inst_prds", 6)):
        talk.says("debtor", act("accept", dim, value))  # type: ignore[arg-type]
    assert talk.ledger.agreement() is None, "no discount has to be sealed like any value"
    talk.says("debtor", accept(0.0))
    assert talk.ledger.agreement() == Terms(0.0, 0.25, 7, 6)
    talk.says("debtor", act("ask", "pmt_days", 14))
    assert talk.ledger.agreement() is None


def test_the_mandate_is_checked_at_the_seal_whoever_completes_it() -> None:
    talk = Talk(Mandate(max_disc_ratio=0.10))
    talk.says("debtor", ask(0.20))
    assert talk.says("collector", accept(0.20)) == "outside_mandate"
    assert talk.says("collector", ask(0.20)) == "outside_mandate"
    assert talk.says("debtor", accept(0.20)) == "outside_mandate"
    assert talk.discount == (0.20, 0.20, None)
    assert talk.says("collector", ask(0.10)) == "asked"
    assert talk.says("debtor", accept(0.10)) == "sealed"


any_act = st.one_of(
    st.just(NON),
    st.sampled_from(DIMENSIONS).flatmap(
        lambda d: st.builds(
            Act,
            st.sampled_from(["ask", "ask", "accept", "accept", "reject"]),
            st.just(d),
            st.sampled_from(GRID[d]),
            st.none(),
        )
    ),
)
messages = st.lists(
    st.tuples(st.sampled_from(["collector", "debtor"]), st.lists(any_act, min_size=1, max_size=6)),
    max_size=25,
)
mandates = st.builds(
    Mandate,
    max_disc_ratio=st.sampled_from(GRID["disc_ratio"]),
    min_pmt_ratio=st.sampled_from(GRID["pmt_ratio"]),
    max_pmt_days=st.sampled_from(GRID["pmt_days"]),
    max_inst_prds=st.sampled_from(GRID["inst_prds"]),
)


@given(mandates, messages)
def test_no_sequence_of_acts_seals_anything_outside_the_mandate(
    mandate: Mandate, talk: list[tuple[Seat, list[Act]]]
) -> None:
    ledger = Ledger(mandate)
    for seat, acts in talk:
        ledger.apply(seat, acts)
        for dim, position in zip(DIMENSIONS, ledger.table(), strict=True):
            assert position.sealed is None or mandate.allows(dim, position.sealed)


@given(messages)
def test_what_is_sealed_was_asked_by_one_side_and_confirmed_by_the_other(
    talk: list[tuple[Seat, list[Act]]],
) -> None:
    """Each seal is a value that both sides have put into an act; neither side seals alone."""
    ledger = Ledger()
    spoken: dict[Seat, set[tuple[str, float]]] = {"collector": set(), "debtor": set()}
    for seat, acts in talk:
        spoken[seat] |= {
            (a.dim, a.value)
            for a in acts
            if a.kind in ("ask", "accept") and a.dim and a.value is not None
        }
        ledger.apply(seat, acts)
        for dim, position in zip(DIMENSIONS, ledger.table(), strict=True):
            if position.sealed is not None:
                assert (dim, position.sealed) in spoken["collector"] & spoken["debtor"]


@given(messages)
def test_the_agreement_is_the_four_seals(talk: list[tuple[Seat, list[Act]]]) -> None:
    ledger = Ledger()
    for seat, acts in talk:
        ledger.apply(seat, acts)
        seals = [p.sealed for p in ledger.table()]
        terms = ledger.agreement()
        if None in seals:
            assert terms is None
        else:
            assert terms is not None
            assert [getattr(terms, d) for d in DIMENSIONS] == seals
