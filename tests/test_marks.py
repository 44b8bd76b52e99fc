"""What is set apart in a table: bold is a difference after Holm, everywhere, and nothing else is."""

import io
import re
from contextlib import redirect_stdout
from dataclasses import replace

import pytest

from arrears.bench.coverage import coverage_of
from arrears.bench.pages import environment
from arrears.bench.sections import section
from arrears.bench.sheets import Judged, Sheet
from arrears.bench.tables import Cell, Column, Figure, Mark, Measure, Table, TableRow, measured
from arrears.bench.terminal import print_table
from arrears.debtors.suites import load_suite
from arrears.economy.position import money_of
from arrears.rng import rng_for
from arrears.scoring.row import Row, score
from arrears.scoring.statistics import SIGNIFICANT, holm
from arrears.synthesis.realism.ablation import Tally, ablation_table, tally
from arrears.training.report.lines import compared
from arrears.training.report.paired import Change
from arrears.training.report.scores import LEARNT
from arrears.training.report.study import Group, Study, study_of
from arrears.training.report.tables import main_table, tables_of
from arrears.training.report.words import lead
from tests.compared_runs import ADAPTIVE, LENIENT, play
from tests.talks import talks

OF_A_TEST: set[Mark] = {"better", "worse", "differs"}


def printed(table: Table) -> str:
    """A table as a terminal shows it."""
    out = io.StringIO()
    with redirect_stdout(out):
        print_table(table)
    return out.getvalue()


def html(table: Table) -> str:
    """The same on a page."""
    page = environment().from_string('{% from "macros.html" import table %}{{ table(t) }}')
    return page.render(t=table)


def one(mark: Mark) -> Table:
    return Table("t", "c", "lead", [Column("x")], [TableRow("row", [Cell("0.50", mark=mark)])])


@pytest.mark.parametrize("mark", ["better", "worse", "differs"])
def test_a_difference_that_a_test_finds_is_bold(mark: Mark) -> None:
    assert "**0.50**" in printed(one(mark))
    assert f'<b class="{mark}">0.50</b>' in html(one(mark))


def test_the_best_of_a_column_is_a_place_and_not_bold() -> None:
    measure = Measure("X", "X", "", 1, 2)
    lines = {name: {"X": Figure(value)} for name, value in (("a", 0.5), ("b", 0.4), ("c", 0.3))}
    table = measured("", "", "", [measure], lines)
    text, page = printed(table), html(table)
    assert "0.50 1st" in text
    assert "0.40 2nd" in text
    assert "*" not in text
    assert '0.50<sup class="rank">1st</sup>' in page
    assert '0.40<sup class="rank">2nd</sup>' in page
    assert "<b" not in page.replace("<body", "")


def test_pairs_of_collectors_are_bold_after_holm() -> None:
    people = {d.id: d for d in load_suite("dcn", "test")[:60]}
    base = [score(t, people[t.debtor_id]) for t in talks("scripted/typical", "dcn", 60)]

    def shifted(by: float, seed: int) -> list[Row]:
        noise = rng_for(seed, "marks").normal(0, 0.1, len(base))
        return [
            replace(row, own_cci=row.own_cci + by + float(x))
            for row, x in zip(base, noise, strict=True)
        ]

    lines = {"a": base, "b": shifted(0.0, 1), "c": shifted(0.5, 2)}
    purses = {name: money_of(debtor) for name, debtor in people.items()}
    covered = {name: coverage_of(rows) for name, rows in lines.items()}
    found = section("dcn", lines, covered, purses, 20, 1)
    assert found.comparisons is not None
    marked = 0
    for row in found.comparisons.rows:
        for cell in row.cells:
            if not cell.hint or "Holm" not in cell.hint:
                continue
            p = float(re.search(r"p = (\S+) ", cell.hint)[1])  # type: ignore[index]
            assert (cell.mark in OF_A_TEST) == (p < SIGNIFICANT), (row.name, cell)
            marked += cell.mark in OF_A_TEST
    assert marked == 2, "a and b differ from c, in own CCI"
    for table in [*found.tables, *found.more, *found.published]:
        assert not {c.mark for r in table.rows for c in r.cells} & OF_A_TEST


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two built-in collectors that differ, over 40 debtors."""
    stored = play(tmp_path_factory.mktemp("marks") / "run", LENIENT, ADAPTIVE, debtors=40)
    return study_of(compared([stored], None, []))


def test_a_training_report_is_bold_after_holm_whatever_a_rows_own_interval_says(
    study: Study,
) -> None:
    """Of twenty rows in which nothing has changed one leaves out zero by chance."""
    measures = LEARNT[:3]
    sure = Change(0.5, 0.7, 0.2, 0.1, 0.3, 0.0005)
    lucky = Change(0.5, 0.6, 0.1, 0.01, 0.19, 0.03)
    worse = Change(2.0, 3.0, 1.0, 0.5, 1.5, 0.0005)
    ps = holm([one.p for one in (sure, worse, lucky) if one.p is not None] + [0.5] * 15)
    tested = [c._replace(p_adjusted=p) for c, p in zip((sure, worse, lucky), ps, strict=False)]
    changes = {m.key: c for m, c in zip(measures, tested, strict=True)}
    section = study.sections[0]
    versus = section.versus[0]._replace(main=Group(measures, changes))
    table = main_table(section, versus, "before")
    assert [row.cells[2].mark for row in table.rows] == ["better", "worse", ""]
    assert [row.cells[5].text for row in table.rows] == ["better", "worse", ""]


def test_both_reports_mark_the_same_differences(study: Study) -> None:
    marked = False
    for part in study.sections:
        (versus,) = part.versus
        of_categories = [m for group in versus.categories.values() for m in group.changes.values()]
        groups = [[*versus.main.changes.values()], of_categories, [*versus.given.changes.values()]]
        for table, found in zip(tables_of(part, study), groups, strict=True):
            for row, change in zip(table.rows, found, strict=True):
                below = change.p_adjusted is not None and change.p_adjusted < SIGNIFICANT
                assert (row.cells[2].mark in OF_A_TEST) == below, (table.title, row.name)
                marked |= below
            assert "after Holm's correction" in table.note
    assert marked, "there is something to be seen"
    main = study.sections[0].versus[0].main.changes
    rose = any(word in line for line in lead(study) for word in ("rose", "fell"))
    assert rose == any(main[key].significant for key in ("CR", "US", "reward"))


def test_an_ablation_tests_debtors_and_marks_after_holm() -> None:
    """Ten debtors with three repeats each that come out alike are ten, not thirty."""

    def sheet(scores: list[float]) -> Sheet:
        judged = {
            f"{d}/{n}": Judged(f"{d}/{n}", {"human_likeness": s, "realism": 0.5}, "", "r")
            for d, s in enumerate(scores)
            for n in (1, 2, 3)
        }
        return Sheet("pairwise", "j", "naive", judged)

    def tallied(scores: list[float]) -> dict[str, Tally]:
        given = sheet(scores)
        units = {case: case.partition("/")[0] for case in given.judged}
        return {name: tally(given, name, units) for name in ("human_likeness", "realism")}

    clear, close = tallied([1.0] * 10), tallied([1.0] * 7 + [0.0] * 3)
    first = clear["human_likeness"]
    assert (first.win, first.loss, first.p) == (30, 0, pytest.approx(2 / 2**10))
    alone = tally(sheet([1.0] * 10), "human_likeness", {})
    assert first.preference is not None
    assert alone.preference is not None
    assert first.preference.low < alone.preference.low
    table = ablation_table({"profile": clear, "both": close}, "j")
    at = next(i for i, c in enumerate(table.columns) if c.title == "preferred")
    assert [row.cells[at].mark for row in table.rows] == ["", "better", ""]
