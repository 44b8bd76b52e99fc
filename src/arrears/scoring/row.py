"""One row a dialogue: everything that tables, plots and statistics are made of.

A dialogue that was broken off from outside has no figures: NaN, None, and no agreement. Whoever
forgets to leave it out gets no number at all rather than a wrong one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from arrears.debtors.record import Debtor
from arrears.dialogue.failures import Cause
from arrears.dialogue.record import Dialogue
from arrears.dialogue.tone import hear
from arrears.economy.indices import debtor_health_index
from arrears.economy.position import money_of
from arrears.economy.projection import project, project_without_agreement
from arrears.economy.search import own_cci, own_cri, own_dhi
from arrears.scoring.debtbench import (
    collection_efficiency,
    long_term_sustainability,
    short_term_affordability,
)
from arrears.scoring.rubric import judge
from arrears.scoring.simulator import faults_of
from arrears.scoring.unscored import Score, Unscored
from arrears.terms import Terms

NO_AGREEMENT = Unscored("no agreement")
# The fields from `success` to `own_cci`.
_Projected = tuple[
    bool, float, int | None, int | None, int | None, int | None, int | None, float, float,
    float | None, float, float,
]  # fmt: skip
_SCORES = ("ce", "sa", "ls", "us", "es", "ca", "ds")
_FAILED: _Projected = (
    False, math.nan, None, None, None, None, None, math.nan, math.nan, None, math.nan, math.nan,
)  # fmt: skip
# What is null on disk where a dialogue failed: nobody should read a 0 there, or "no agreement".
_NULL = frozenset({"agreed", "success", "recovery", "atv", "atv_365", "own_dhi", "own_cci", "dc",
                   "turns", "refused_by_mandate", "repairs", "abuse"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """The scores of one dialogue. Ratios are fractions, times days."""

    case: str
    suite: str
    collector: str
    debtor_seat: str
    debtor_id: str
    category: str | None
    ending: str
    agreed: bool
    """All four terms were sealed."""
    turns: int
    """T: collector messages; 0 where the dialogue failed."""
    disc_ratio: float | None
    pmt_ratio: float | None
    pmt_days: int | None
    inst_prds: int | None
    success: bool
    """Agreed, and the projection holds for two years."""
    recovery: float
    """RR of this dialogue: 1 − discount where it succeeds, else 0."""
    qrd: int | None
    hrd: int | None
    cd: int | None
    l1d: int | None
    l2d: int | None
    """Days in the two lowest tiers; None where the dialogue failed."""
    atv: float
    atv_365: float
    own_cri: float | None
    """CRI of this one agreement; None without one."""
    own_dhi: float
    own_cci: float
    """CCI of this one dialogue, 0 without an agreement that holds."""
    dc: float
    """Dialogue completeness: share of the four terms that an act of either side spoke of."""
    ce: Score
    """Percent of the debt a day."""
    sa: Score
    """1 where the upfront payment is affordable, else 0."""
    ls: Score
    """1 where the instalments are sustainable, else 0."""
    us: Score
    """User satisfaction 1 … 10, by the rubric."""
    es: Score
    """Emotional support 1 … 10, by the rubric."""
    ca: Score
    """Communication ability 1 … 10, by the rubric."""
    ds: Score
    """Dialogue soundness 1 … 5, by the rubric."""
    refused_by_mandate: int
    """Seals that the mandate refused."""
    repairs: int
    """Values and labels that the parser had to mend."""
    abuse: int
    """Abusive cues in the collector's words."""
    collector_faults: str | None
    """Failures of the collector's seat as a player, keys of `simulator.FAULTS` with commas; None
    where both seats are built in, whose words the tests hold to the same rules, and where the
    dialogue failed."""
    debtor_faults: str | None
    """The same of the debtor's seat."""
    failure: Cause | None
    """Who broke the dialogue off from outside the negotiation, a key of `failures.CAUSES`; None for
    every dialogue that was played to its end. A row with a failure is in no mean."""

    @property
    def unit(self) -> tuple[str, str]:
        """Suite and debtor: whom every interval and test draws as one, with all its repeats.

        The same debtor before another seat or collector is still the same debtor.
        """
        return self.suite, self.debtor_id


_BUILT_IN = "scripted/"
_NAMES = tuple(field.name for field in fields(Row))


def played(rows: Sequence[Row]) -> list[Row]:
    """The dialogues that the negotiation itself ended: those that figures are made of."""
    return [row for row in rows if row.failure is None]


def columns_of(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Plain values by column; an unscored one is None, its reason in `NAME_unscored`. Where a
    dialogue failed every figure is None.
    """
    columns: dict[str, list[Any]] = {}
    for name in _NAMES:
        values = [getattr(row, name) for row in rows]
        if name in _SCORES:
            columns[f"{name}_unscored"] = [
                v.reason if isinstance(v, Unscored) else "" for v in values
            ]
            values = [None if isinstance(v, Unscored) else float(v) for v in values]
        if name in _NULL:
            values = [
                None if row.failure is not None else value
                for row, value in zip(rows, values, strict=True)
            ]
        columns[name] = values
    return columns


def row_from(plain: Mapping[str, Any]) -> Row:
    """The row that `columns_of` took apart. KeyError where a field is missing."""
    values = dict(plain)
    for name in _SCORES:
        reason = values.pop(f"{name}_unscored")
        if values[name] is None:
            values[name] = Unscored(reason)
    if values["failure"] is not None:
        values |= dict.fromkeys(_NULL, math.nan)
        values |= {"agreed": False, "success": False}
        values |= dict.fromkeys(("turns", "refused_by_mandate", "repairs", "abuse"), 0)
    return Row(**values)


def score(dialogue: Dialogue, debtor: Debtor) -> Row:
    """Every figure of one dialogue; pure."""
    ours = theirs = None
    built_in = dialogue.collector.startswith(_BUILT_IN) and dialogue.debtor_seat.startswith(
        _BUILT_IN
    )
    if not built_in and dialogue.failed is None:
        ours, theirs = (",".join(faults) for faults in faults_of(dialogue, debtor))
    terms, failed = dialogue.terms, dialogue.failed
    us, es, ca, ds = judge(dialogue, debtor)
    broken = Unscored("the dialogue failed")
    ce, sa, ls = (broken, broken, broken) if failed else _rational(debtor, terms)
    disc, pmt, days, prds = _agreed(terms)
    refused = repairs = abuse = 0
    for turn in () if failed else dialogue.turns:
        refused += turn.effects.count("outside_mandate")
        repairs += len(turn.repairs)
        if turn.seat == "collector":
            abuse += hear(turn.dialogue).abuse_count
    return Row(
        dialogue.case,
        dialogue.suite,
        dialogue.collector,
        dialogue.debtor_seat,
        dialogue.debtor_id,
        debtor.category,
        dialogue.ending,
        terms is not None,
        0 if failed else dialogue.exchanges,
        disc,
        pmt,
        days,
        prds,
        *(_FAILED if failed else _projected(debtor, terms)),
        math.nan if failed else _completeness(dialogue),
        ce,
        sa,
        ls,
        us,
        es,
        ca,
        ds,
        refused,
        repairs,
        abuse,
        ours,
        theirs,
        failed.cause if failed else None,
    )


def _agreed(
    terms: Terms | None,
) -> tuple[float | None, float | None, int | None, int | None]:
    if terms is None:
        return None, None, None, None
    return terms.disc_ratio, terms.pmt_ratio, terms.pmt_days, terms.inst_prds


def _projected(debtor: Debtor, terms: Terms | None) -> _Projected:
    """From `success` to `own_cci`, in the order of the fields."""
    money = money_of(debtor)
    if terms is None:
        l1d, l2d, atv, atv_365, _ = project_without_agreement(money)
        dhi = debtor_health_index(l1d, l2d, atv)
        return False, 0.0, None, None, None, l1d, l2d, atv, atv_365, None, dhi, 0.0
    p = project(money, terms)
    cri, dhi, cci = own_cri(p), own_dhi(p), own_cci(p)
    return (
        p.success, p.recovery, p.qrd, p.hrd, p.cd, p.l1d, p.l2d, p.atv, p.atv_365, cri, dhi, cci,
    )  # fmt: skip


def _rational(debtor: Debtor, terms: Terms | None) -> tuple[Score, Score, Score]:
    """CE, SA and LS of one dialogue."""
    if terms is None:
        return NO_AGREEMENT, NO_AGREEMENT, NO_AGREEMENT
    debt, money = debtor.background.need_coll_amt, debtor.finances
    return (
        collection_efficiency(terms),
        float(short_term_affordability(terms, debt, money.assets, money.avg_daily_income) >= 1),
        float(long_term_sustainability(terms, debt, money.avg_daily_income) >= 1),
    )


def _completeness(dialogue: Dialogue) -> float:
    """DC: how many of the four terms were spoken of, by an act of either side."""
    return len({act.dim for turn in dialogue.turns for act in turn.acts if act.dim}) / 4
