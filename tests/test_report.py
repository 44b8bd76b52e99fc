"""The report: one file, everything in it, nothing from elsewhere, and true to the scores."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from arrears.bench.folder import RunFolder
from arrears.bench.plan import make_plan
from arrears.bench.report import as_json, main_tables, write_report
from arrears.bench.run import run
from arrears.bench.stored import StoredRun, open_run
from arrears.bench.tables import Figure, Measure, measured
from arrears.debtors.suites import load_suite
from tests.browser import opened

NAMES = ("scripted/lenient", "scripted/firm", "scripted/adaptive")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Three collectors on 40 debtors of each suite."""
    people = {suite: load_suite(suite)[:40] for suite in ("dcn", "debtbench")}
    folder = tmp_path_factory.mktemp("report") / "run"
    run(make_plan(people, collectors=NAMES), people, folder)
    write_report([open_run(folder)], folder / "report.html")
    return open_run(folder)


@pytest.fixture(scope="module")
def page(stored: StoredRun) -> str:
    """The html."""
    return (stored.path / "report.html").read_text(encoding="utf-8")


class Links(HTMLParser):
    """Collects what a page would fetch, and its ids and inner links."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.inner: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Every attribute that may point somewhere."""
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name == "href" and value and value.startswith("#"):
                self.inner.add(value[1:])
            elif name in ("src", "href", "data", "action", "poster") and value:
                self.fetched.append(f"{tag} {name}={value}")


def test_the_page_fetches_nothing_and_its_contents_lead_somewhere(page: str) -> None:
    links = Links()
    links.feed(page)
    assert links.fetched == []
    assert "@import" not in page
    assert not re.search(r"url\((?!data:)", page)
    assert links.inner <= links.ids
    assert len(page) < 3_000_000


def test_the_tables_of_both_papers_are_there_with_intervals_and_counts(page: str) -> None:
    for words in (
        "DCN&#39;s Table 2", "DebtBench&#39;s Table 2", "DebtBench&#39;s Table 3",
        "Pairs of collectors", "agreed / dialogues", "published, other debtor model",
        "Assets over two years", "What was agreed", "Satisfaction against recovery",
    ):  # fmt: skip
        assert words in page, words
    for name in NAMES:
        assert page.count(name) > 10
    assert page.count("<svg") >= 10
    assert len(re.findall(r"<small>[-\d.]+…[-\d.]+</small>", page)) > 60


def test_rubric_scores_are_labelled_and_published_ones_are_not(page: str) -> None:
    ours, *rest = page.split('class="published"')
    assert 'class="rubric"' in ours
    assert all('class="rubric"' not in block.split("</table>")[0] for block in rest)


def test_a_dozen_talks_are_shown_with_what_each_side_kept_to_itself(page: str) -> None:
    assert page.count('class="talk"') == 12
    assert "What the debtor feels and believes" in page
    assert "What the collector thinks" in page
    assert "Close to the best there was" in page


def test_the_figures_are_those_of_the_scores(stored: StoredRun) -> None:
    document = as_json([stored])
    for suite in ("dcn", "debtbench"):
        for name in NAMES:
            rows = [r for r in stored.rows if (r.suite, r.collector) == (suite, name)]
            found = document["suites"][suite][name]
            assert found["agreements"] == sum(r.agreed for r in rows)
            assert found["dcn"]["SR"]["value"] == pytest.approx(sum(r.success for r in rows) / 40)
            assert found["debtbench"]["AT"]["value"] == pytest.approx(
                sum(r.turns for r in rows) / 40
            )


def test_a_report_is_the_same_every_time(stored: StoredRun, page: str, tmp_path: Path) -> None:
    write_report([stored], tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_several_runs_stand_side_by_side(stored: StoredRun, tmp_path: Path) -> None:
    people = {"dcn": load_suite("dcn")[:5]}
    run(make_plan(people, collectors=NAMES[:1], seed=2), people, tmp_path / "other")
    both = [stored, open_run(tmp_path / "other")]
    names = [row.name for table in main_tables(both) for row in table.rows]
    assert "scripted/lenient (other)" in names
    assert "scripted/firm" in names


def test_best_and_second_best_are_marked_as_they_are_printed() -> None:
    """What looks equal is marked equal; a lone value is not the best of anything."""
    up = Measure("X", "X", "", 1, 2)
    lines = {n: {"X": Figure(v)} for n, v in (("a", 0.501), ("b", 0.499), ("c", 0.3), ("d", None))}
    table = measured("", "", "", [up], lines)
    assert [row.cells[0].mark for row in table.rows] == ["best", "best", "second", ""]
    assert table.rows[3].cells[0].text == "–"
    alone = measured("", "", "", [up], {"a": {"X": Figure(0.5)}})
    assert alone.rows[0].cells[0].mark == ""


def test_a_browser_shows_it_without_complaint(stored: StoredRun) -> None:
    assert opened(stored.path / "report.html").count('class="talk"') == 12


def test_a_report_reads_the_file_that_it_has_opened(tmp_path: Path) -> None:
    """A run that completes meanwhile puts its dialogues into another order."""
    people = {"dcn": load_suite("dcn")[:6]}
    run(make_plan(people, collectors=NAMES[:2]), people, tmp_path / "run")
    file = tmp_path / "run" / "dialogues.jsonl"
    before = open_run(tmp_path / "run")
    lines = file.read_bytes().splitlines(keepends=True)
    other = tmp_path / "other"
    other.write_bytes(b"".join(reversed(lines)))
    other.replace(file)
    for row in before.rows:
        assert before.dialogue(row.case).case == row.case
    write_report([before], tmp_path / "report.html")


def test_scores_of_dialogues_that_are_played_again_are_removed(tmp_path: Path) -> None:
    people = {"dcn": load_suite("dcn")[:3]}
    plan = make_plan(people, collectors=NAMES[:1])
    run(plan, people, tmp_path / "run")
    file = tmp_path / "run" / "dialogues.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"ending":"agreed"', b'"ending":"error"', 1))
    with RunFolder(tmp_path / "run", plan) as folder:
        assert folder.forget("error") == 1
    assert not (tmp_path / "run" / "scores.parquet").exists()
