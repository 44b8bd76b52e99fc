"""What came out, in sentences that say no more than the figures do."""

from collections.abc import Iterator, Mapping
from typing import Final

from arrears.bench.tables import Measure
from arrears.scoring.unscored import Unscored
from arrears.training.report.drift import Drift, Place
from arrears.training.report.failed import told
from arrears.training.report.paired import Change
from arrears.training.report.study import Group, Section, Study, Versus
from arrears.training.report.tables import interval, signed

# What a reader asks first, by the suite's own paper, and how it is called.
_ASKED: Final = {
    "dcn": {"RR": "the recovered share of the debt", "reward": "the foresight reward"},
    "": {"CR": "CR", "US": "satisfaction (rubric)", "reward": "the foresight reward"},
}
_GIVEN: Final = {
    "discount": "discount without need, over agreements that hold,",
    "months": "months without need, over agreements that hold,",
    "ruin": "the share of agreements that the debtor cannot keep",
}
_FORM: Final = {"format": "the share of talks without an unreadable message of the collector"}


def lead(study: Study) -> list[str]:
    """The answer, a sentence for each suite and each collector after."""
    found = []
    for section, versus in _each(study):
        asked = _ASKED.get(section.suite, _ASKED[""])
        place = _place(study, section, versus)
        if not versus.failures.compared:
            found.append(f"{place}nothing could be compared.")
            continue
        found.append(f"{place}{_clauses(versus.main, asked)}.")
    return found + [text for section in study.sections for text in failures_told(study, section)]


def failures_told(study: Study, section: Section) -> list[str]:
    """What failed from outside the negotiation in a suite, a sentence for each collector after
    where anything did.
    """
    name = study.compared.before.name
    where = f"On {section.title}: " if len(study.sections) > 1 else ""
    sentences = (told(versus.failures, name, versus.name) for versus in section.versus)
    return [f"{where}{text}" for text in sentences if text]


def who(study: Study) -> str:
    """What was compared with what."""
    compared = study.compared
    after = ", ".join(line.name for line in compared.after)
    # Before two debtors' seats a debtor is still one.
    people = len({(key.suite, key.debtor) for s in study.sections for key in s.keys})
    talks = sum(len(s.keys) for s in study.sections)
    times = f", {talks:,} talks each" if talks != people else ""
    first, second = study.weights.agreement, study.weights.experience
    return (
        f"Before: {compared.before.name}. After: {after}. The same {people:,} debtors{times}. "
        f"Reward: {first:g} f(α) + {second:g} experience."
    )


def findings(study: Study, drifts: Mapping[Place, Drift | Unscored]) -> list[str]:
    """What a reader looks for next: what is given away, and how far the model has moved."""
    found = []
    for section, versus in _each(study):
        where = _place(study, section, versus)
        if all(versus.given.changes["ruin"].scored):
            found += [f"{where}{_clauses(versus.given, {k: v})}." for k, v in _GIVEN.items()]
        if versus.main.changes["format"].significant:
            found.append(f"{where}{_clauses(versus.main, _FORM)}.")
        drift = drifts[versus.name, section.suite, section.seat]
        if isinstance(drift, Drift):
            known = drift.low is not None and drift.high is not None
            sure = f" ({drift.low:.2f} to {drift.high:.2f})" if known else ""
            found.append(
                f"On {section.title}, {versus.name} has moved {drift.kl:.2f} nats a message from "
                f"{study.compared.before.name}{sure}."
            )
    return found


def moved(name: str, measure: Measure, change: Change) -> str:
    """One figure's change as a clause.

    It rose or fell only where it is bold in the table, that is after Holm's correction, which a
    few debtors cannot convince, and where the interval leaves out zero too.
    """
    if change.difference is None:
        return f"{name} could not be compared"
    unit = " points" if measure.percent else ""
    if not (change.clear and change.significant):
        if change.low == change.high == 0:
            return f"{name} did not change"
        gap, ends = signed(measure, change.difference), interval(measure, change, " to ")
        sure = f"95 % interval {ends}" if ends else "of one debtor"
        return f"{name} did not change measurably ({gap}{unit}, {sure})"
    rose = change.difference > 0
    sizes = [abs(x) for x in (change.difference, change.low, change.high) if x is not None]
    size, *ends_of = (signed(measure, x).lstrip("+") for x in sizes)
    low, high = ends_of if rose else reversed(ends_of)
    return f"{name} {'rose' if rose else 'fell'} by {size}{unit} ({low} to {high})"


def _each(study: Study) -> Iterator[tuple[Section, Versus]]:
    for section in study.sections:
        for versus in section.versus:
            yield section, versus


def _place(study: Study, section: Section, versus: Versus) -> str:
    """Where a sentence holds, if it does not hold everywhere."""
    return f"On {section.title}" + (f", {versus.name}: " if len(study.compared.after) > 1 else ": ")


def _clauses(group: Group, names: Mapping[str, str]) -> str:
    measures = {m.key: m for m in group.measures}
    return "; ".join(moved(name, measures[key], group.changes[key]) for key, name in names.items())
