"""Which talks are kept: the filters of rejection sampling, on rows written by hand."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from arrears.debtors.suites import load_suite
from arrears.errors import UsageError
from arrears.scoring.row import Row, score
from arrears.scoring.unscored import Unscored
from arrears.training.rejection.filters import (
    DEFAULT,
    METRICS,
    Candidate,
    best_of_each,
    parse_requirement,
    reason_to_drop,
    top_share,
)
from tests.talks import talks


@cache
def _row() -> Row:
    dialogue = next(d for d in talks(n=20) if d.ending == "agreed")
    debtor = next(d for d in load_suite("debtbench") if d.id == dialogue.debtor_id)
    return score(dialogue, debtor)


def row(cci: float = 0.5, dhi: float = 0.5, turns: int = 5, **changes: Any) -> Row:
    """A talk that succeeded."""
    usual = {"agreed": True, "ending": "agreed", "success": True, "dc": 1.0}
    return replace(_row(), own_cci=cci, own_dhi=dhi, turns=turns, **{**usual, **changes})


def candidate(debtor: int, style: int, repeat: int = 1, **values: Any) -> Candidate:
    """A talk of this debtor in this style."""
    return Candidate(f"{debtor}/{style}/{repeat}", debtor, style, repeat, row(**values))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (row(), ""),
        (row(agreed=False, ending="max_turns"), "max_turns"),
        (row(agreed=False, ending="walked_away"), "walked_away"),
        (row(agreed=False, ending="malformed"), "malformed"),
        (row(agreed=False, ending="error"), "error"),
        (row(dc=0.75), "terms not spoken of"),
        (row(success=False, cci=0.0), "success>=1"),
        (row(cci=0.0), "own_cci>0"),
        (row(cci=1e-9), ""),
    ],
)
def test_filter_1_drops_what_is_incomplete_or_poor(found: Row, reason: str) -> None:
    assert reason_to_drop(found, DEFAULT) == reason


@pytest.mark.parametrize(
    ("text", "found", "holds"),
    [
        ("own_cci>=0.5", row(0.5), True),
        ("own_cci > 0.5", row(0.5), False),
        ("turns<=5", row(turns=5), True),
        ("turns<5", row(turns=5), False),
        ("own_dhi>=-1e-1", row(dhi=-0.05), True),
        ("us>=1", row(us=Unscored("nobody spoke")), False),
        ("cd<=9999", row(cd=None), False),
        ("success>=1", row(success=True), True),
    ],
)
def test_a_requirement_is_met_or_not(text: str, found: Row, holds: bool) -> None:
    requirement = parse_requirement(text)
    assert requirement.holds(found) is holds
    assert parse_requirement(str(requirement)) == requirement


@pytest.mark.parametrize("text", ["joy>=1", "ending>=1", "own_cci", "own_cci>=high", "own_cci==1"])
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"METRIC>=VALUE|known: agreed"):
        parse_requirement(text)
    assert "category" not in METRICS


def test_of_each_debtor_the_best_is_kept_and_ties_have_an_order() -> None:
    found = best_of_each(
        [
            candidate(2, 0, cci=0.1),
            candidate(0, 0, cci=0.4), candidate(0, 1, cci=0.6), candidate(0, 2, cci=0.5),
            # The same CCI: the healthier debtor; then the shorter talk; the earlier style, repeat.
            candidate(1, 0, dhi=0.3), candidate(1, 1, dhi=0.4),
            candidate(3, 0, turns=6), candidate(3, 1, turns=5),
            candidate(4, 2), candidate(4, 1, 2), candidate(4, 1, 1),
        ]
    )  # fmt: skip
    assert [c.case for c in found] == ["0/1/1", "1/1/1", "2/0/1", "3/1/1", "4/1/1"]


@pytest.mark.parametrize(
    ("many", "share", "kept"),
    [(5, 0.6, 3), (6, 0.6, 4), (7, 0.6, 5), (1, 0.6, 1), (581, 0.6, 349), (100, 0.55, 55),
     (100, 0.29, 29), (3, 1.0, 3), (0, 0.6, 0), (585, 0.6, 351)],
)  # fmt: skip
def test_filter_2_keeps_the_share_rounded_up(many: int, share: float, kept: int) -> None:
    pool = [candidate(n, 0, cci=n / 1000) for n in range(many)]
    found = top_share(pool, share)
    assert [c.debtor for c in found] == list(range(many))[::-1][:kept]


def test_filter_2_keeps_no_more_where_ccis_are_equal() -> None:
    pool = [candidate(n, 0, turns=5 - n % 2) for n in range(5)]
    assert [c.debtor for c in top_share(pool, 0.6)] == [1, 3, 0]
    assert [c.debtor for c in top_share(pool[::-1], 0.6)] == [1, 3, 0]
