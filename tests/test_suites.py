"""The shipped suites: sizes, strata, and bytes that anyone can make again."""

import lzma
from collections import Counter
from hashlib import sha256
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from arrears.debtors.distributions import suite_shape
from arrears.debtors.life_check import disagreements
from arrears.debtors.record import CATEGORIES, Debtor
from arrears.debtors.suites import SUITES, as_line, load_suite, make_split
from tests.commands import bench

DATA = resources.files("arrears.debtors") / "data"
PAGE = Path(__file__).parent.parent / "docs" / "debtors.md"


@pytest.mark.parametrize(
    ("suite", "test", "train"), [("dcn", 390, 585), ("debtbench", 1000, 10000)]
)
def test_sizes(suite: str, test: int, train: int) -> None:
    assert len(load_suite(suite, "test")) == test
    assert suite_shape(suite).people == test + train


@pytest.mark.parametrize("suite", SUITES)
def test_the_shipped_split_is_what_the_seed_makes(suite: str) -> None:
    """Both splits are made from the seed; the test split's bytes are those that ship."""
    packed = (DATA / f"{suite}-test.jsonl.xz").read_bytes()
    made = b"".join(map(as_line, make_split(suite, "test")))
    assert lzma.decompress(packed) == made
    assert sha256(made).hexdigest() in PAGE.read_text()


def test_the_shipped_files_are_small() -> None:
    assert sum(len((DATA / f"{suite}-test.jsonl.xz").read_bytes()) for suite in SUITES) < 1_000_000


def test_a_debtor_is_in_one_split_only() -> None:
    for suite in SUITES:
        test = {d.background.model_dump_json() for d in make_split(suite, "test")}
        train = {d.background.model_dump_json() for d in make_split(suite, "train")}
        assert not test & train
        ids = [d.id for split in ("test", "train") for d in load_suite(suite, split)]
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("suite", SUITES)
def test_the_splits_are_alike(suite: str) -> None:
    test, train = load_suite(suite, "test"), load_suite(suite, "train")

    def amounts(people: tuple[Debtor, ...], field: str) -> np.ndarray:
        values = [getattr(d.background, field) for d in people]
        return np.quantile(values, [0.1, 0.25, 0.5, 0.75, 0.9])

    # The quantiles of 390 debtors wander by some percent however they are chosen.
    for field, near in (("need_coll_amt", 0.04), ("overdue_days", 0.10)):
        assert amounts(test, field) == pytest.approx(amounts(train, field), rel=near)
    male = [np.mean([d.background.sex == "male" for d in p]) for p in (test, train)]
    assert male[0] == pytest.approx(male[1], abs=0.01)


def test_categories_have_the_published_shares_in_both_splits() -> None:
    for split in ("test", "train"):
        people = load_suite("debtbench", split)
        counts = Counter(d.category for d in people)
        shares = [100 * counts[c] / len(people) for c in CATEGORIES]
        assert shares == pytest.approx([38, 31, 25, 6], abs=0.5)


def test_of_the_11000_lives_at_least_99_percent_are_different_and_all_agree() -> None:
    everyone = load_suite("debtbench", "test") + load_suite("debtbench", "train")
    stories = {d.scenario.story for d in everyone if d.scenario}
    assert len(stories) >= 0.99 * 11_000
    wrong = {d.id: disagreements(d) for d in everyone if disagreements(d)}
    assert wrong == {}


def test_the_built_in_seats_say_what_they_have_always_said(tmp_path: Path) -> None:
    # 200 dialogues of both suites, words, acts and feelings. Where a change is meant: a line in
    # CHANGELOG.md that scores are no longer comparable, the calibration again, and this digest.
    collectors = ("lenient", "typical", "firm", "adaptive")
    words = [w for name in collectors for w in ("--collector", f"scripted/{name}")]
    bench(tmp_path / "run", "--suite", "dcn", "--suite", "debtbench", "--limit", "25", *words)
    stored = (tmp_path / "run" / "dialogues.jsonl").read_bytes()
    assert (
        sha256(stored).hexdigest()
        == "b0f6f4e7086b131d12940e9f7f7fc01c25d564f8ee4abfae91e8ed470c203c55"
    )
