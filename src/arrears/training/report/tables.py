"""The comparison as tables: the same go to the terminal and to the page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from arrears.bench.tables import Cell, Column, Mark, Measure, Table, TableRow
from arrears.scoring.unscored import Unscored
from arrears.training.report.drift import Drift, Place
from arrears.training.report.failed import told
from arrears.training.report.paired import Change
from arrears.training.report.study import Group, Section, Study, Versus, before_of

_WORDS: Final = {"better": "better", "worse": "worse", "other": "changed", "same": "", "": ""}
_MARKS: Final[Mapping[str, Mark]] = {"better": "better", "worse": "worse", "other": "differs"}
_NOTE: Final = (
    "Bold: p < 0.05 of a sign-flip permutation over debtors, after Holm's correction over all rows "
    "of this kind of table. The intervals are each row's own, without a correction."
)


_KL: Final = (
    "KL of the later model from the first, exact over the vocabulary at each token of the later "
    "model's own messages, summed over a message."
)


def tables_of(section: Section, study: Study) -> Iterator[Table]:
    """The tables that belong on a terminal, collector by collector."""
    before = study.compared.before.name
    for versus in section.versus:
        yield main_table(section, versus, before)
        if versus.categories:
            yield category_table(section, versus, before)
        yield given_table(section, versus, before)


def main_table(section: Section, versus: Versus, before: str) -> Table:
    """The suite's own metrics, form and reward."""
    return _table(
        "Before and after",
        f"On {section.title}: {before} before, {versus.name} after",
        [("", versus.main)],
        "scored",
        " ".join(
            text
            for text in (
                "Difference: after less before, with its 95 % interval over debtors.",
                _NOTE,
                told(versus.failures, before, versus.name),
            )
            if text
        ),
    )


def other_table(section: Section, versus: Versus, before: str) -> Table:
    """The metrics of the other paper."""
    paper = "DebtBench" if section.suite == "dcn" else "DCN"
    return _table(
        f"The metrics of {paper}",
        f"On {section.title}, by {paper}'s metrics: {before} before, {versus.name} after",
        [("", versus.other)],
        "scored",
        _NOTE,
    )


def category_table(section: Section, versus: Versus, before: str) -> Table:
    """By category of debtor."""
    return _table(
        "By category of debtor",
        f"On {section.title}, by category: {before} before, {versus.name} after",
        list(versus.categories.items()),
        "scored",
        _NOTE,
    )


def given_table(section: Section, versus: Versus, before: str) -> Table:
    """What was given away."""
    return _table(
        "Given away",
        f"On {section.title}, beyond what the debtor needed: {before} before, {versus.name} after",
        [("", versus.given)],
        "agreements",
        "Over agreements that hold for two years: what the same debtor would still have kept, one "
        "term at a time with the other three as agreed, by the projection. “Not kept” is over all "
        "agreements: too much taken instead of too much given. The agreements are not the same "
        "before and after; the intervals resample debtors. " + _NOTE,
    )


def drift_table(section: Section, study: Study, drifts: Mapping[Place, Drift | Unscored]) -> Table:
    """Reward beside the distance from the first model."""
    missing = []
    rows = [
        TableRow(
            study.compared.before.name,
            [_reward(before_of(section, "reward")), Cell("0"), *[Cell("")] * 3],
        )
    ]
    for versus in section.versus:
        found = drifts[versus.name, section.suite, section.seat]
        reward = _reward(versus.main.changes["reward"].after)
        if isinstance(found, Unscored):
            rows.append(TableRow(versus.name, [reward, *[Cell("–")] * 4]))
            missing.append(f"No KL of {versus.name}: {found.reason}.")
            continue
        known = found.low is not None and found.high is not None
        cells = [
            Cell(f"{found.kl:.3f}"),
            Cell(f"{found.low:.3f} … {found.high:.3f}" if known else "–"),
            Cell(f"{found.token:.4f}"),
            Cell(f"{found.talks:,} / {found.messages:,} / {found.tokens:,}"),
        ]
        rows.append(TableRow(versus.name, [reward, *cells]))
    return Table(
        "Reward against distance",
        f"On {section.title}: reward, and how far the model has moved from {rows[0].name}",
        "collector",
        [
            Column("reward", "mean foresight reward", 1),
            Column("KL, nats", "of a message, mean over messages, at the later model's states"),
            Column("95 % interval", "over debtors"),
            Column("KL a token", "mean over the tokens of its messages"),
            Column("talks / messages / tokens", "that were looked at"),
        ],
        rows,
        " ".join([_KL, *missing]),
    )


def plain(change: Change, measure: Measure) -> dict[str, object]:
    """A change for readers that are programs; shares are fractions."""
    return {
        "before": change.before,
        "after": change.after,
        "difference": change.difference,
        "low": change.low,
        "high": change.high,
        "p": change.p,
        "p_holm": change.p_adjusted,
        "scored": list(change.scored),
        "verdict": change.verdict(measure.better) or "unscored",
    }


def signed(measure: Measure, value: float) -> str:
    """A difference as it is printed: with its sign, in points where the measure is in percent."""
    text = f"{value * (100 if measure.percent else 1):+.{measure.digits}f}"
    # A rounded nothing has no sign.
    return text if float(text) else text[1:]


def interval(measure: Measure, change: Change, between: str = " … ") -> str:
    """The ends of a change's interval; "" where there is none."""
    if change.low is None or change.high is None:
        return ""
    return f"{signed(measure, change.low)}{between}{signed(measure, change.high)}"


def _table(
    title: str, caption: str, parts: Sequence[tuple[str, Group]], counted: str, note: str
) -> Table:
    rows = []
    for name, group in parts:
        for at, measure in enumerate(group.measures):
            change = group.changes[measure.key]
            rows.append(TableRow(_named(measure), _cells(measure, change), name if not at else ""))
    return Table(
        title,
        caption,
        "metric",
        [
            Column("before"),
            Column("after"),
            Column("difference", "after less before"),
            Column("95 % interval", "of the difference, over debtors"),
            Column("p (Holm)", "of no difference"),
            Column("change", "for better or worse, where p < 0.05 after Holm"),
            Column(counted, f"{counted} before / after"),
        ],
        rows,
        note,
    )


def _named(measure: Measure) -> str:
    arrow = {1: " ↑", -1: " ↓", 0: ""}[measure.better]
    return f"{measure.title}{arrow}" + (" (rubric)" if measure.rubric else "")


def _cells(measure: Measure, change: Change) -> list[Cell]:
    verdict = change.verdict(measure.better)
    gap = "–" if change.difference is None else signed(measure, change.difference)
    return [
        Cell(measure.show(change.before)),
        Cell(measure.show(change.after)),
        Cell(gap, mark=_MARKS.get(verdict, ""), hint=measure.meaning),
        Cell(interval(measure, change) or "–"),
        Cell(_probability(change.p_adjusted)),
        Cell(_WORDS[verdict]),
        Cell(f"{change.scored[0]:,} / {change.scored[1]:,}"),
    ]


def _probability(p: float | None) -> str:
    if p is None:
        return "–"
    return "<.001" if p < 0.001 else f"{p:.3f}"


def _reward(value: float | None) -> Cell:
    return Cell("–" if value is None else f"{value:.3f}")
