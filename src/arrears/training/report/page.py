"""The comparison as one self-contained html file, in the clothes of a run's report."""

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import arrears
from arrears.bench.pages import environment
from arrears.bench.pictures import Picture, pictures
from arrears.bench.tables import Table
from arrears.economy.position import money_of
from arrears.files import replace_file
from arrears.scoring.unscored import Unscored
from arrears.training.report.curves import Curve, draw_curves
from arrears.training.report.drift import Drift, Place
from arrears.training.report.lines import Compared
from arrears.training.report.pictures import Point, reward_against_distance
from arrears.training.report.sides import lay_beside, widest
from arrears.training.report.study import Section, Study, before_of
from arrears.training.report.tables import (
    category_table,
    drift_table,
    given_table,
    main_table,
    other_table,
)
from arrears.training.report.words import findings, lead, who

Drifts = Mapping[Place, Drift | Unscored]
Curves = Mapping[str, Mapping[str, Curve]]


class _Against(NamedTuple):
    """One collector after, on the page."""

    name: str
    main: Table
    categories: Table | None
    given: Table
    other: Table


class _Part(NamedTuple):
    """One suite on the page."""

    anchor: str
    heading: str
    lead: str
    against: list[_Against]
    drift: Table
    plot: str
    figures: list[Picture]


def write_page(study: Study, drifts: Drifts, curves: Curves, out: Path) -> None:
    """Write the file in one step. StorageError."""
    theirs, ours = resources.files("arrears.bench"), resources.files("arrears.training.report")
    template = environment().from_string((ours / "page.html").read_text(encoding="utf-8"))
    last = study.compared.after[-1]
    parts = [_part(study, section, drifts) for section in study.sections]
    text = template.render(
        version=arrears.__version__,
        css=(theirs / "report.css").read_text(encoding="utf-8")
        + (ours / "page.css").read_text(encoding="utf-8"),
        lead=lead(study),
        who=who(study),
        findings=findings(study, drifts),
        ran=list(_facts(study.compared)),
        parts=parts,
        curves=[(name, draw_curves(name, found)) for name, found in curves.items()],
        last=last.name,
        before=study.compared.before.name,
        pairs=lay_beside(study, last, widest(study, last)),
        glossary=_glossary(study),
    )
    replace_file(out, lambda file: file.write(text.encode()))


def _part(study: Study, section: Section, drifts: Drifts) -> _Part:
    before = study.compared.before.name
    lines = {
        line.name: [row for key in section.keys if (row := line.rows[key]).failure is None]
        for line in study.compared.lines
    }
    lines = {name: rows for name, rows in lines.items() if rows}
    first = study.compared.before.run
    purses = {d.id: money_of(d) for d in first.populations[section.suite]}
    return _Part(
        anchor="".join(c if c.isalnum() else "-" for c in section.title),
        heading=f"Suite {section.title}",
        lead=f"{len({key.debtor for key in section.keys}):,} debtors, {len(section.keys):,} talks "
        "of each collector.",
        against=[
            _Against(
                versus.name,
                main_table(section, versus, before),
                category_table(section, versus, before) if versus.categories else None,
                given_table(section, versus, before),
                other_table(section, versus, before),
            )
            for versus in section.versus
        ],
        drift=drift_table(section, study, drifts),
        plot=_plot(section, before, drifts),
        figures=pictures(lines, purses, first.plan.max_turns) if lines else [],
    )


def _plot(section: Section, before: str, drifts: Drifts) -> str:
    """Reward against distance; "" where no distance is known."""
    points = []
    for versus in section.versus:
        found = drifts[versus.name, section.suite, section.seat]
        reward = versus.main.changes["reward"].after
        if isinstance(found, Drift) and reward is not None:
            points.append(Point(versus.name, found.kl, reward, *_ends(found)))
    first = before_of(section, "reward")
    if not points or first is None:
        return ""
    return reward_against_distance([Point(before, 0.0, first, 0.0, 0.0), *points])


def _ends(drift: Drift) -> tuple[float, float]:
    """Where a line of the plot begins and ends: nowhere else than the point without an interval."""
    if drift.low is None or drift.high is None:
        return drift.kl, drift.kl
    return drift.low, drift.high


def _facts(compared: Compared) -> Iterator[list[tuple[str, str]]]:
    """Who was compared, and what all have in common."""
    collectors = []
    for line in compared.lines:
        when = "Before" if line is compared.before else "After"
        wording = line.run.plan.wordings.get(line.spec)
        briefed = f", {wording} prompt" if wording else ""
        collectors.append((when, f"{line.spec} (run {line.run.path.name}{briefed})"))
    yield collectors
    plan = compared.before.run.plan
    yield [
        ("Rules", f"{plan.rules[:12]}; seed {plan.seed}; repeats {plan.repeats}"),
        (
            "Debtors",
            "; ".join(f"{s.name}: {s.debtors:,} ({s.digest[:12]})" for s in plan.suites),
        ),
        ("Debtors' seats", ", ".join(plan.debtor_seats)),
        ("Talks", f"{len(compared.before.rows):,} each; at most {plan.max_turns} turns"),
    ]


def _glossary(study: Study) -> list[tuple[str, str]]:
    seen: dict[str, dict[str, None]] = {}
    for section in study.sections:
        versus = section.versus[0]
        for group in (versus.main, versus.given, versus.other):
            for measure in group.measures:
                seen.setdefault(measure.title, {})[measure.meaning] = None
    return [(title, "; in the other paper: ".join(meanings)) for title, meanings in seen.items()]
