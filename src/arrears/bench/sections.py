"""What a report says of one suite: tables, findings and pairs of collectors."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from arrears.bench.coverage import UNRANKED, Coverage, Part
from arrears.bench.failures import told
from arrears.bench.pictures import Picture, Purses, pictures
from arrears.bench.tables import (
    DCN,
    DEBTBENCH,
    RANKED,
    Cell,
    Column,
    Figure,
    Measure,
    Table,
    TableRow,
    measured,
)
from arrears.debtors.record import CATEGORIES
from arrears.rng import rng_for
from arrears.scoring.published import published_table
from arrears.scoring.row import Row, played
from arrears.scoring.statistics import SIGNIFICANT
from arrears.scoring.summary import Comparison, Metric, Summary, compare, summarise

Lines = Mapping[str, Sequence[Row]]
Covered = Mapping[str, Coverage]
_RUBRIC = "US, ES, CA and DS are the built-in rubric's, neither a model's nor a person's."
# Which published tables stand beside which suite, with the measures of their columns.
_PUBLISHED: Mapping[str, tuple[tuple[str, str, Sequence[Measure]], ...]] = {
    "dcn": (("dcn_table_2", "Fifteen collectors (DCN, Table 2)", DCN),
            ("dcn_table_3", "MADeN and its ablations (DCN, Table 3)", DCN[-3:])),
    "debtbench": (("debtbench_table_2", "Sixteen collectors (DebtBench, Table 2)", DEBTBENCH),
                  ("debtbench_table_3", "By category of debtor (DebtBench, Table 3)", DEBTBENCH)),
}  # fmt: skip
_COMPARED: Mapping[str, tuple[str, int, bool]] = {
    "SR": ("agreement", 1, True),
    "CR": ("collection rate", 1, True),
    "US": ("satisfaction (rubric)", 2, False),
    "own DHI": ("own DHI", 3, False),
    "own CCI": ("own CCI", 3, False),
}


class Section(NamedTuple):
    """One suite on the page."""

    anchor: str
    heading: str
    lead: str
    tables: list[Table]
    more: list[Table]
    comparisons: Table | None
    figures: list[Picture]
    published: list[Table]
    findings: list[str]


def section(
    suite: str, lines: Lines, covered: Covered, purses: Purses, max_turns: int, seed: int
) -> Section:
    """Everything about one suite; `lines` and what they cover by the name in the report."""
    summaries = summaries_of(suite, lines, seed)
    tables = tables_of(suite, summaries, covered)
    return Section(
        anchor="".join(c if c.isalnum() else "-" for c in suite),
        heading=f"Suite {suite}",
        lead=_lead(lines),
        tables=tables[0],
        more=tables[1],
        comparisons=_pairs(suite, lines, seed) if len(lines) > 1 else None,
        figures=pictures(lines, purses, max_turns),
        published=_published(suite),
        findings=_findings(suite, summaries, lines, covered),
    )


def summaries_of(suite: str, lines: Lines, seed: int) -> dict[str, Summary]:
    """The figures of each collector, intervals from an address of their own."""
    return {
        name: summarise(rows, rng_for(seed, "report", suite, name)) for name, rows in lines.items()
    }


def tables_of(
    suite: str, summaries: Mapping[str, Summary], covered: Covered
) -> tuple[list[Table], list[Table]]:
    """The tables of a suite: those of its own paper first, the other paper's second."""
    counts = {n: f"{s.agreements:,} / {s.dialogues:,}" for n, s in summaries.items()}
    notes = {name: covered[name].whole.note for name in summaries}
    unranked = {name for name in summaries if not covered[name].whole.ranked}
    ranked = f"{RANKED} {UNRANKED}" if unranked else RANKED
    dcn = measured(
        "The thirteen metrics of DCN",
        f"Collectors on {suite}{_against(summaries)}, in the shape of DCN's Table 2",
        "collector",
        DCN,
        {name: _figures(s.dcn) for name, s in summaries.items()},
        counts=counts,
        notes=notes,
        unranked=unranked,
        note=f"SR is DCN's: the agreement holds for two years. {_RUBRIC} {ranked}",
    )
    debtbench = measured(
        "The nine metrics of DebtBench",
        f"Collectors on {suite}{_against(summaries)}, in the shape of DebtBench's Table 2",
        "collector",
        DEBTBENCH,
        {name: _figures(s.debtbench) for name, s in summaries.items()},
        counts=counts,
        notes=notes,
        unranked=unranked,
        note=f"SR is DebtBench's: an agreement was reached. {_RUBRIC} {ranked}",
    )
    by_category = _by_category(suite, summaries, covered)
    if suite == "dcn":
        return [dcn], [debtbench]
    return [debtbench, *by_category], [dcn]


def _against(summaries: Mapping[str, Summary]) -> str:
    """The debtors' seat, where it is the same for all; else it stands in each line's name."""
    seats = {summary.debtor_seat for summary in summaries.values()}
    return f" against {seats.pop()}" if len(seats) == 1 else ""


def _by_category(suite: str, summaries: Mapping[str, Summary], covered: Covered) -> list[Table]:
    rows: list[TableRow] = []
    parts = []
    unranked: set[str] = set()
    for category in CATEGORIES:
        of = {n: covered[n].by_category[category] for n in summaries
              if category in covered[n].by_category}  # fmt: skip
        # Where nobody of a category was played the row is there, and empty.
        found = {
            n: _figures(summaries[n].by_category.get(category, {})) or {"SR": Figure(None)}
            for n in of
        }
        if found:
            gaps = {name for name, part in of.items() if not part.ranked}
            unranked |= gaps
            notes = {name: part.note for name, part in of.items()}
            part = measured("", "", "collector", DEBTBENCH, found, notes=notes, unranked=gaps)
            parts.append(part)
            rows += [part.rows[0]._replace(group=category), *part.rows[1:]]
    if not parts:
        return []
    return [
        parts[0]._replace(
            title="By category of debtor",
            caption=f"Collectors on {suite} by category, in the shape of DebtBench's Table 3",
            rows=rows,
            note=RANKED.replace("the values", "the values of each category")
            + (f" {UNRANKED}" if unranked else ""),
        )
    ]


def _figures(metrics: Mapping[str, Metric]) -> dict[str, Figure]:
    return {
        name: Figure(m.value, m.low, m.high, m.scored, m.unscored) for name, m in metrics.items()
    }


def _published(suite: str) -> list[Table]:
    return [
        measured(
            title,
            f"{title}: published",
            "published",
            [m._replace(rubric=False) for m in measures],
            {
                row: {metric: Figure(value) for metric, value in values.items()}
                for row, values in published_table(name).rows.items()
            },
        )
        for name, title, measures in _PUBLISHED.get(suite, ())
    ]


def _pairs(suite: str, lines: Lines, seed: int) -> Table:
    found = compare(lines, rng_for(seed, "report", suite, "pairs"), tuple(_COMPARED))
    pairs = list(dict.fromkeys((c.a, c.b) for c in found))
    by = {(c.a, c.b, c.metric): c for c in found}
    return Table(
        title="Pairs of collectors on the same debtors",
        caption="Difference of the means, first less second, with 95 % interval",
        lead="pair",
        columns=[
            Column(title, f"{title}, first less second") for title, _, _ in _COMPARED.values()
        ],
        rows=[
            TableRow(f"{a} – {b}", [_difference(by.get((a, b, m)), m) for m in _COMPARED])
            for a, b in pairs
        ],
        note="Bold where a sign-flip permutation test finds p < 0.05 after Holm's correction over "
        "the whole table.",
    )


def _difference(c: Comparison | None, metric: str) -> Cell:
    if c is None:
        return Cell("–", hint="nothing scored on both sides")
    _, digits, percent = _COMPARED[metric]
    scale = 100 if percent else 1
    d = c.difference
    return Cell(
        f"{d.value * scale:+.{digits}f}",
        f"{d.low * scale:+.{digits}f} … {d.high * scale:+.{digits}f}" if d.n > 1 else "",
        "differs" if c.p_adjusted < SIGNIFICANT else "",
        f"{d.n} pairs, p = {c.p_adjusted:.3g} (Holm)",
    )


def _lead(lines: Lines) -> str:
    everyone = [row for found in lines.values() for row in found]
    rows = played(everyone)
    agreed = sum(row.agreed for row in rows)
    kept = sum(row.success for row in rows)
    text = (
        f"{len(rows):,} dialogues with {len({row.debtor_id for row in rows}):,} debtors. "
        f"{agreed:,} ended in an agreement; {kept:,} of the agreements hold for two years."
    )
    failed = len(everyone) - len(rows)
    return text + (f" {failed:,} more were broken off from outside." if failed else "")


def _findings(
    suite: str, summaries: Mapping[str, Summary], lines: Lines, covered: Covered
) -> list[str]:
    """Sentences that a reader would look for first, from the figures alone; none of them compares
    a collector of which much is missing.
    """
    found = [*filter(None, (told(lines), _missing(suite, covered)))]
    summaries = {n: s for n, s in summaries.items() if covered[n].whole.ranked}
    lines = {n: played(rows) for n, rows in lines.items() if n in summaries}
    cci = {n: v for n, s in summaries.items() if (v := s.dcn["CCI"].value) is not None}
    if len(cci) > 1 and any(cci.values()):
        best = max(cci, key=lambda n: cci[n])
        shown = {n: f"{v:.3f}" + _beside(covered[n].whole) for n, v in cci.items()}
        others = ", ".join(f"{n} {told}" for n, told in shown.items() if n != best)
        found.append(
            f"On {suite}, {best} has the best comprehensive index: CCI {shown[best]} ({others})."
        )
    given = {n: _given(rows) for n, rows in lines.items() if any(r.agreed for r in rows)}
    if len(given) > 1:
        most = max(given, key=lambda n: given[n])
        least = min(given, key=lambda n: given[n])
        if given[most] != given[least]:
            off, months = given[most]
            found.append(
                f"On {suite}, {most} gives most away ({off:.1%} off, {months:.1f} months on "
                f"average), {least} least ({given[least][0]:.1%}, {given[least][1]:.1f})."
            )
    lost = {
        n: share
        for n, s in summaries.items()
        if "confrontational" in s.by_category
        and (share := s.by_category["confrontational"]["SR"].value) is not None
    }
    if lost:
        worst = min(lost, key=lambda n: lost[n])
        alike = len(set(lost.values())) == 1
        who = "every collector" if alike and len(lost) > 1 else worst
        found.append(
            f"On {suite}, {who} reaches an agreement with {lost[worst]:.0%} of the "
            "confrontational debtors" + ("." if alike else ", the fewest.")
        )
    return found


def _missing(suite: str, covered: Covered) -> str:
    """Who cannot be compared with the others, and why; "" for nobody."""
    gaps = [f"{n} ({c.whole.note})" for n, c in covered.items() if not c.whole.ranked]
    return f"On {suite}, too much is missing to compare {', '.join(gaps)}." if gaps else ""


def _beside(part: Part) -> str:
    return f" [{part.note}]" if part.note else ""


def _given(rows: Sequence[Row]) -> tuple[float, float]:
    """Mean discount and mean months over agreements."""
    agreed = [(r.disc_ratio, r.inst_prds) for r in rows if r.agreed]
    disc, months = np.array(agreed, dtype=float).mean(axis=0)
    return float(disc), float(months)
