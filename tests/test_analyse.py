"""`arrears debtors analyse`: populations beside each other, as a person runs it."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arrears.debtors.store import write_debtors
from arrears.debtors.suites import load_suite
from arrears.errors import UsageError
from arrears.rng import rng_for
from arrears.synthesis.extras import extra
from arrears.synthesis.realism import population
from arrears.synthesis.realism.cloud import word_cloud
from tests.browser import opened
from tests.commands import arrears, bench

pytestmark = pytest.mark.synthesis

PEOPLE = load_suite("debtbench")[:200]


class Page(HTMLParser):
    """What a page would fetch, its ids, its inner links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.inner: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Every attribute that may point somewhere."""
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name == "href" and value and value.startswith("#"):
                self.inner.add(value[1:])
            elif name in ("src", "href", "data", "action", "poster") and value:
                self.fetched.append(f"{tag} {name}={value}")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A population and its talks, beside a suite without personas and the same talks' words."""
    folder = tmp_path_factory.mktemp("analyse")
    write_debtors(folder / "mine.jsonl", PEOPLE)
    bench(folder / "run", "--suite", "debtbench", "--limit", "12", "--collector", "scripted/firm")
    lines = [
        json.loads(line) for line in (folder / "run" / "dialogues.jsonl").read_bytes().splitlines()
    ]
    (folder / "plain.jsonl").write_text(
        "".join(
            json.dumps(
                {
                    "id": row["case"],
                    "turns": [{"seat": t["seat"], "text": t["dialogue"]} for t in row["turns"]],
                }
            )
            + "\n"
            for row in lines
        )
    )
    done = arrears(
        "debtors", "analyse", str(folder / "mine.jsonl"), "--against", "dcn",
        "--dialogues", str(folder / "run"), "--dialogues-against", str(folder / "plain.jsonl"),
        "--html", str(folder / "page.html"), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "figures.json").write_text(done.stdout)
    return folder / "page.html"


@pytest.fixture(scope="module")
def figures(page: Path) -> Mapping[str, Any]:
    """The same run's JSON."""
    found: Mapping[str, Any] = json.loads((page.parent / "figures.json").read_text())
    return found


def test_the_figures_are_those_of_the_records(figures: Mapping[str, Any]) -> None:
    mine, dcn = figures["populations"]["mine"], figures["populations"]["dcn"]
    assert (mine["people"], mine["with_persona"]) == (200, 200)
    assert (dcn["people"], dcn["with_persona"]) == (390, 0)
    angry = sum(p.personality.emotions.anger == 3 for p in PEOPLE if p.personality)
    assert mine["distributions"]["emotion anger"]["shares"]["3"] == pytest.approx(angry / 200)
    assert set(dcn["distributions"]) == {"reason"}, "what no record has is not there"
    for shares in mine["distributions"].values():
        assert sum(shares["shares"].values()) == pytest.approx(1, abs=0.002)
    assert figures["distances"]["avg_daily_income"] > 0.5, "debtbench earns a quarter of dcn"
    assert figures["distances"]["age"] < 0.15
    assert len(figures["pca"]["explained"]) == 2
    assert mine["vocabulary"]["style"]


def test_the_same_words_measure_the_same_with_and_without_acts(figures: Mapping[str, Any]) -> None:
    run, plain = (figures["talks"][name]["seats"]["debtor"] for name in ("run", "plain"))
    assert run["length mean"] == plain["length mean"]
    assert run["manners sorry"] == plain["manners sorry"]
    assert "push turns" in run
    assert "push turns" not in plain


def test_the_page_is_whole_and_fetches_nothing(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = Page(text)
    assert found.fetched == []
    assert "@import" not in text
    assert not re.search(r"url\((?!data:)", text)
    assert found.inner <= found.ids
    assert len(text) < 1_000_000
    for words in (
        "mine beside dcn", "dcn: none of 390 records has a persona", "Background and finances",
        "What people understand", "What people feel", "MBTI types", "Why debts are overdue",
        "Uniformity of words", "What is done", "run: debtor", "plain: collector",
    ):  # fmt: skip
        assert words in text, words
    assert text.count("<svg") >= 9


def test_a_browser_shows_it_without_complaint(page: Path) -> None:
    assert opened(page).count("<figure") >= 9


def test_a_population_alone_and_without_personas(tmp_path: Path) -> None:
    page = tmp_path / "dcn.html"
    done = arrears("debtors", "analyse", "dcn", "--html", str(page))
    assert done.returncode == 0, done.stderr
    assert "none of 390 records has a persona" in done.stdout
    assert "Give a second population" in page.read_text()
    again = tmp_path / "again.html"
    arrears("debtors", "analyse", "dcn", "--html", str(again))
    assert again.read_bytes() == page.read_bytes()


def test_one_debtor_alone_is_a_population(tmp_path: Path) -> None:
    write_debtors(tmp_path / "one.jsonl", PEOPLE[:1])
    done = arrears("debtors", "analyse", str(tmp_path / "one.jsonl"), "--html", str(tmp_path / "x"))
    assert done.returncode == 0, done.stderr


def test_the_plane_is_fitted_on_both_and_shows_what_differs() -> None:
    rich = [
        p.model_copy(update={"finances": p.finances.model_copy(
            update={"assets": 500_000.0, "avg_daily_income": 4_000.0}
        )})
        for p in PEOPLE[:100]
    ]  # fmt: skip
    plane = population.plane({"poor": PEOPLE[100:], "rich": rich})
    assert plane.points["poor"].shape == (100, 2)
    both = np.concatenate(list(plane.points.values()))
    assert both.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    apart = plane.points["rich"].mean(axis=0) - plane.points["poor"].mean(axis=0)
    assert np.abs(apart).max() > 1.5
    assert 0 < sum(plane.explained) <= 1
    assert population.distances(PEOPLE, PEOPLE) == dict.fromkeys(
        (t.name for t in population.TRAITS), 0.0
    )
    assert population.distances(PEOPLE[100:], rich)["assets"] == 1


def test_a_cloud_holds_chinese_words_and_takes_nothing_for_markup() -> None:
    words = {"暴躁易怒": 30, "冷漠": 20, "<b>": 3, "calm": 9}
    svg = word_cloud(words, "c0", "words", rng_for(1, "cloud"))
    for word in ("暴躁易怒", "冷漠", "&lt;b&gt;", "calm"):
        assert f">{word}<title>" in svg
    assert svg == word_cloud(words, "c0", "words", rng_for(1, "cloud"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nosuch",), "unknown suite or debtors file"),
        (("BROKEN",), "line 2"),
        (("debtbench", "--against", "MISSING.jsonl"), "cannot be read"),
        (("debtbench", "--dialogues", "BROKEN"), "line 1"),
        (("debtbench", "--dialogues-against", "BROKEN"), "needs --dialogues"),
        (("debtbench", "--split", "nosuch"), "unknown split"),
    ],
)
def test_what_cannot_be_read_is_told_and_ends_with_2(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text(PEOPLE[0].model_dump_json() + '\n{"id": "x"}\n')
    done = arrears("debtors", "analyse", *(w.replace("BROKEN", str(broken)) for w in words))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordcloud", None)
    with pytest.raises(UsageError, match=r"pip install 'arrears\[synthesis\]'"):
        extra("wordcloud")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import arrears.cli.debtors, sys; print([m for m in ('numba', 'sklearn', 'scipy', "
        "'wordcloud', 'sacrebleu', 'matplotlib', 'jinja2', 'torch', 'pandas') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
