"""The report on a training: its page, its document, its words and its command."""

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from arrears.bench.stored import StoredRun
from arrears.training.report.curves import curves_of, draw_curves, read_curves
from arrears.training.report.document import document_of
from arrears.training.report.drift import drifts
from arrears.training.report.lines import compared
from arrears.training.report.page import write_page
from arrears.training.report.paired import Change
from arrears.training.report.pictures import Point, reward_against_distance, round_numbers
from arrears.training.report.scores import LEARNT
from arrears.training.report.sides import EACH_WAY, widest
from arrears.training.report.study import Study, study_of
from arrears.training.report.tables import tables_of
from arrears.training.report.words import lead, moved
from tests.browser import opened
from tests.commands import arrears
from tests.compared_runs import ADAPTIVE, LENIENT, doctored
from tests.test_report import Links

# Pages and words


def test_the_dozen_are_the_largest_gains_and_losses_by_rule(study: Study) -> None:
    found = widest(study, study.compared.after[0])
    gains, losses = found[:EACH_WAY], found[EACH_WAY:]
    assert len(losses) == EACH_WAY
    assert all(a.gain >= b.gain > 0 for a, b in pairwise(gains))
    assert all(a.gain <= b.gain < 0 for a, b in pairwise(losses))
    every = [
        study.seen[ADAPTIVE][key].reward.total - study.seen[LENIENT][key].reward.total  # type: ignore[operator]
        for key in study.compared.before.rows
    ]
    assert (gains[0].gain, losses[0].gain) == (max(every), min(every))
    assert len({gap.key for gap in found}) == 12


@pytest.fixture(scope="module")
def written(stored: StoredRun, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two local models, one with a record of its training, and a wicked debtor."""
    folder = tmp_path_factory.mktemp("page")
    trained = folder / "models"
    shutil.copytree(models, trained)
    (trained / "later" / "metrics.jsonl").write_text(
        '{"step": 1, "loss": 0.7, "rewards/margins": 0.1}\n'
        '{"step": 2, "loss": 0.6, "rewards/margins": 0.3}\n'
    )

    def wicked(number: int, talk: dict[str, Any]) -> None:
        talk["turns"][1]["dialogue"] = "<script>alert(1)</script>"

    told = doctored(
        stored, folder / "run",
        {LENIENT: f"hf/{trained}/first", ADAPTIVE: f"hf/{trained}/later"}, wicked,
    )  # fmt: skip
    found = compared([told], None, ())
    write_page(study_of(found), drifts(found, 1), curves_of(found), folder / "page.html")
    return folder / "page.html"


@pytest.fixture(scope="module")
def page(written: Path) -> str:
    return written.read_text(encoding="utf-8")


def test_the_page_fetches_nothing_and_holds_everything(page: str) -> None:
    links = Links()
    links.feed(page)
    assert links.fetched == []
    assert links.inner <= links.ids
    for words in (
        "Did the training help?", "By category of debtor", "Given away", "Reward against distance",
        "Learning curves", "margin of the rewards (DPO)", "Talks side by side", "The metrics of DCN",
        "The metrics of DebtBench", "hf/…/later has moved",
    ):  # fmt: skip
        assert words in page, words
    assert page.count('class="talk"') == 12
    assert page.count('class="beside"') == 12
    assert page.count('<div class="turn collector">') > 60


def test_a_browser_shows_it_without_complaint(written: Path) -> None:
    found = opened(written)
    assert found.count('class="beside"') == 12
    assert found.count("<svg") >= 2


def test_what_was_said_cannot_become_part_of_the_page(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_document_holds_every_number_of_the_tables(study: Study) -> None:
    unmeasured = drifts(study.compared, 0)
    document = json.loads(json.dumps(document_of(study, unmeasured, {})))
    found = document["suites"]["debtbench"]["after"][ADAPTIVE]
    change = study.sections[0].versus[0].main.changes["CR"]
    assert found["metrics"]["CR"]["difference"] == change.difference
    assert found["metrics"]["CR"]["p_holm"] == change.p_adjusted
    assert set(found) == {
        "failures", "metrics", "other_metrics", "given_away", "categories", "kl",
    }  # fmt: skip
    assert found["kl"] == {"unscored": "not asked for (--kl-talks 0)"}
    assert len(document["talks"]["pairs"]) == 12
    titles = [table.title for section in study.sections for table in tables_of(section, study)]
    assert titles == ["Before and after", "By category of debtor", "Given away",
                      "Before and after", "Given away"]  # fmt: skip


def test_the_sentence_says_what_the_interval_says() -> None:
    share = next(m for m in LEARNT if m.key == "format")
    plain = next(m for m in LEARNT if m.key == "reward")
    rose = Change(0.8, 0.852, 0.052, 0.039, 0.064, 0.001, 0.02)
    assert moved("CR", share, rose) == "CR rose by 5.2 points (3.9 to 6.4)"
    fell = Change(0.8, 0.75, -0.05, -0.07, -0.03, 0.001, 0.02)
    assert moved("reward", plain, fell) == "reward fell by 0.050 (0.030 to 0.070)"
    unclear = Change(0.8, 0.802, 0.002, -0.004, 0.008, 0.6, 1.0)
    assert moved("CR", share, unclear) == (
        "CR did not change measurably (+0.2 points, 95 % interval -0.4 to +0.8)"
    )
    for not_sure in (unclear._replace(low=0.001, p=0.25), rose._replace(p_adjusted=0.06)):
        assert moved("CR", share, not_sure).startswith("CR did not change measurably")
    assert moved("CR", share, Change(0.8, 0.8, 0.0, 0.0, 0.0, 1.0)) == "CR did not change"
    nothing = Change(None, 0.8, None, None, None, None)
    assert moved("CR", share, nothing) == "CR could not be compared"


def test_the_lead_speaks_of_each_suite(study: Study) -> None:
    first, second = lead(study)
    assert first.startswith("On debtbench: CR ")
    assert second.startswith("On dcn: the recovered share of the debt ")


def test_curves_are_read_past_torn_lines_and_drawn(tmp_path: Path) -> None:
    assert read_curves(tmp_path) == {}
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 1, "loss": 2.5, "lr": 1}\nnot json\n{"loss": 1}\n{"step": 2, "loss": 1.5}\n{"st'
    )
    curves = read_curves(tmp_path)
    assert {name: (c.steps, c.values) for name, c in curves.items()} == {
        "loss": ([1, 2], [2.5, 1.5])
    }
    ElementTree.fromstring(draw_curves("<a> & b", curves))


def test_the_picture_of_reward_and_distance_has_a_point_for_each_model() -> None:
    points = [Point("a<b", 0.0, 0.7, 0.0, 0.0), Point("c", 1.7, 0.8, 1.5, 1.9)]
    picture = ElementTree.fromstring(reward_against_distance(points))
    circles = [e for e in picture.iter() if e.tag.endswith("circle")]
    assert [c[0].text for c in circles] == [
        "a<b: reward 0.700, KL 0.000 nats a message", "c: reward 0.800, KL 1.700 nats a message",
    ]  # fmt: skip
    ElementTree.fromstring(reward_against_distance(points[:1]))


def test_scales_have_round_numbers() -> None:
    assert round_numbers(0.0, 2.75) == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert round_numbers(0.626, 0.748) == [0.64, 0.66, 0.68, 0.7, 0.72, 0.74]


# The command


def test_the_command_writes_the_page_and_prints_the_tables(
    stored: StoredRun, tmp_path: Path
) -> None:
    done = arrears("train", "report", str(stored.path), "--out", str(tmp_path / "t.html"))
    assert done.returncode == 0, done.stderr
    assert "On debtbench: CR " in done.stdout
    assert "| discount, points ↓" in done.stdout
    assert (tmp_path / "t.html").exists()


def test_a_request_that_cannot_be_met_leaves_with_two(stored: StoredRun, tmp_path: Path) -> None:
    done = arrears("train", "report", str(stored.path), "--weights", "1")
    assert done.returncode == 2
    assert "two numbers" in done.stderr
    done = arrears("train", "report", str(stored.path), "--after", "nobody", "--json")
    assert done.returncode == 2
    assert "unknown collector 'nobody'; known: scripted/lenient" in done.stderr
    assert done.stdout == ""
