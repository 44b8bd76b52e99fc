"""The figures before and after, and what was given away: each can be reckoned otherwise."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arrears.bench.stored import StoredRun
from arrears.economy.position import Money, money_from, money_of
from arrears.economy.projection import project
from arrears.rng import rng_for
from arrears.scoring.summary import summarise
from arrears.terms import GRID, Terms
from arrears.training.report.given_away import Spare, spare
from arrears.training.report.lines import compared
from arrears.training.report.scores import LEARNT
from arrears.training.report.study import Study, study_of
from arrears.training.report.words import who
from arrears.training.reward import Weights, foresight_reward
from tests.compared_runs import ADAPTIVE, LENIENT, doctored

# The figures


def test_the_figures_are_those_of_a_runs_own_report(study: Study) -> None:
    for section, own in zip(study.sections, ("debtbench", "dcn"), strict=True):
        (versus,) = section.versus
        for line, side in ((study.compared.before, "before"), (study.compared.after[0], "after")):
            rows = [line.rows[key] for key in section.keys]
            theirs = summarise(rows, rng_for(1, "any"), 20)
            papers = {"debtbench": theirs.debtbench, "dcn": theirs.dcn}
            ours = {own: versus.main, "dcn" if own == "debtbench" else "debtbench": versus.other}
            for paper, group in ours.items():
                assert set(papers[paper]) == set(group.changes) - {m.key for m in LEARNT}
                for key, metric in papers[paper].items():
                    assert getattr(group.changes[key], side) == pytest.approx(metric.value), key
            for kind, found in theirs.by_category.items():
                for key in ("CR", "SR", "US"):
                    change = versus.categories[kind].changes[key]
                    assert getattr(change, side) == pytest.approx(found[key].value)


def test_the_reward_is_that_of_every_talk(study: Study, stored: StoredRun) -> None:
    rewards = [
        foresight_reward(stored.dialogue(row.case), stored.debtor("dcn", row.debtor_id))
        for row in stored.rows
        if (row.suite, row.collector) == ("dcn", ADAPTIVE)
    ]
    found = study.sections[1].versus[0].main.changes
    for key, values in zip(
        ("reward", "quality", "experience"), zip(*rewards, strict=True), strict=True
    ):
        assert found[key].after == pytest.approx(np.mean(values))


def test_the_reward_is_weighed_as_it_is_asked_for(stored: StoredRun) -> None:
    asked = study_of(compared([stored], None, ()), Weights(0.25, 0.75))
    found = asked.sections[1].versus[0].main.changes
    for side in ("before", "after"):
        quality, felt = getattr(found["quality"], side), getattr(found["experience"], side)
        assert getattr(found["reward"], side) == pytest.approx(0.25 * quality + 0.75 * felt)
    assert "0.25 f(α) + 0.75 experience" in who(asked)


def test_messages_that_nobody_could_read_are_the_collectors_only_if_they_are(
    stored: StoredRun, tmp_path: Path
) -> None:
    def spoil(number: int, talk: dict[str, Any]) -> None:
        if number in (0, 1):
            talk["ending"], talk["terms"] = "malformed", None
            talk["detail"] = f"{('collector', 'debtor')[number]}: not a message"
        if number == 2:
            talk["turns"][0]["repairs"] = ["a", "b"]
            talk["turns"][1]["repairs"] = ["of the debtor"]

    spoilt = doctored(stored, tmp_path / "spoilt", each=spoil)
    section, _ = study_of(compared([spoilt], None, ())).sections
    found = section.versus[0].main.changes
    assert found["format"].before == pytest.approx(39 / 40)
    assert found["repairs"].before == pytest.approx(2 / 40)
    assert found["reward"].scored == (39, 40), "0 for the collector's, none for the debtor's"
    assert found["US"].scored == (38, 40)
    sound = study_of(compared([stored], None, ())).sections[0].versus[0].main.changes["reward"]
    assert found["reward"].before < sound.before - 0.3 / 40


# What was given away


FLAT = money_from(10_000, 9_100, 0)
"""No surplus: an agreement holds where less than 8,600 yuan are paid in all."""


@pytest.mark.parametrize(
    ("terms", "room"),
    [
        # 8,000 of which 4,000 at once, 1.95 % fee on the rest: 8,078. 15 % off: 8,582.88, holds;
        # 10 % off: 9,087.75.
        (Terms(0.20, 0.50, 7, 3), Spare(0.05, 0, 0.0)),
        # 18 months cost 11.7 %: 8,468, and 15 % off would be 8,997.25.
        (Terms(0.20, 0.50, 7, 18), Spare(0.0, 15, 0.0)),
        # 7.2 % on 6,000: 8,432; half of it at once: 8,288. Three months: 8,117.
        (Terms(0.20, 0.25, 7, 12), Spare(0.0, 9, 0.25)),
        # 8,500 and 11.7 % on three quarters: 9,245.88. Not kept.
        (Terms(0.15, 0.25, 7, 18), None),
    ],
)
def test_room_is_what_the_same_debtor_would_have_kept(terms: Terms, room: Spare | None) -> None:
    assert spare(FLAT, terms) == room


def test_whoever_has_much_could_have_borne_everything() -> None:
    found = spare(money_from(1_000, 1_000_000, 100), Terms(0.30, 0.05, 14, 24))
    assert found == Spare(0.30, 21, 0.45)
    assert found.anything
    assert not Spare(0.0, 0, 0.0).anything


def test_room_agrees_with_trying_each_step(study: Study) -> None:
    def reached(money: Money, terms: Terms, name: str, prefers: Callable[..., Any]) -> Any:
        others = (Terms(**{**as_dict(terms), name: value}) for value in GRID[name])  # type: ignore[index]
        return prefers(getattr(t, name) for t in others if project(money, t).success)

    seen = study.seen[LENIENT]
    held = [(key, one) for key, one in seen.items() if one.spare is not None][:20]
    assert held
    for key, one in held:
        run = study.compared.before.run
        money, terms = money_of(run.debtor(key.suite, key.debtor)), run.dialogue(one.row.case).terms
        assert terms is not None
        assert one.spare == Spare(
            round(terms.disc_ratio - reached(money, terms, "disc_ratio", min), 2),
            terms.inst_prds - reached(money, terms, "inst_prds", min),
            round(reached(money, terms, "pmt_ratio", max) - terms.pmt_ratio, 2),
        )


def as_dict(terms: Terms) -> dict[str, Any]:
    """The four terms by name."""
    return {name: getattr(terms, name) for name in GRID}


def test_what_is_given_away_is_told_of_agreements_that_hold(study: Study) -> None:
    section = study.sections[0]
    rows = [study.compared.before.rows[key] for key in section.keys]
    given = section.versus[0].given.changes
    assert given["discount"].scored[0] == sum(row.success for row in rows)
    assert given["ruin"].scored[0] == sum(row.agreed for row in rows)
    assert given["ruin"].before == pytest.approx(
        sum(row.agreed and not row.success for row in rows) / sum(row.agreed for row in rows)
    )
