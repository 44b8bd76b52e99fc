"""`arrears strategies label`: what is learned, what is given, and how certain."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from arrears.errors import BrokenFile, UsageError
from arrears.rng import rng_for
from arrears.strategies import load_taxonomy
from arrears.synthesis.conversations import Conversation, Utterance
from arrears.synthesis.taxonomy.embeddings import embedder
from arrears.synthesis.taxonomy.labelled import read_labelled
from arrears.synthesis.taxonomy.labelling import Labeller, calibration_error, f1_scores
from arrears.synthesis.taxonomy.model_labels import read_labels
from tests.commands import arrears
from tests.stub_server import Faults, Stub
from tests.test_mining import MOVES, planted, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A taxonomy of the planted moves, with examples; talks to learn from and talks to label."""
    out = tmp_path_factory.mktemp("label")
    rows = {
        seat: {k: {"name": k, "meaning": f"About {k}.", "examples": list(texts)}
               for k, texts in moves.items()}
        for seat, moves in MOVES.items()
    }  # fmt: skip
    (out / "t.yaml").write_text(yaml.safe_dump(rows))
    made = planted(40)
    write(out / "train.jsonl", made[:25])
    bare = [{**t, "turns": [{k: turn[k] for k in ("seat", "text")} for turn in t["turns"]]}
            for t in made[25:]]  # fmt: skip
    write(out / "talks.jsonl", bare)
    return out


def right(out: Path) -> float:
    """The share of utterances whose labels are exactly the planted ones."""
    truth = {t["id"]: [turn["labels"] for turn in t["turns"]] for t in planted(40)}
    rows = [json.loads(line) for line in out.read_bytes().splitlines()]
    found = [turn["labels"] == truth[r["id"]][n] for r in rows for n, turn in enumerate(r["turns"])]
    assert len(found) == 90
    return sum(found) / len(found)


def test_labels_are_learned_from_talks(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    line = ("strategies", "label", str(folder / "t.yaml"), str(folder / "talks.jsonl"),
            "--embed", "tfidf", "--train", str(folder / "train.jsonl"), "--out", str(out))  # fmt: skip
    done = arrears(*line)
    assert done.returncode == 0, done.stderr
    assert right(out) > 0.95
    assert re.search(r"macro-F1 \d\.\d\d, calibration error 0\.0\d\d", done.stdout)
    for row in map(json.loads, out.read_bytes().splitlines()):
        for turn in row["turns"]:
            assert set(turn["labels"]) <= set(MOVES[turn["seat"]]), "each seat has its own"
            assert list(turn["confidence"]) == turn["labels"]
            assert all(0 < c <= 1 for c in turn["confidence"].values())
    again = tmp_path / "again.jsonl"
    arrears(*line[:-1], str(again))
    assert again.read_bytes() == out.read_bytes()
    known = read_labelled(out, load_taxonomy(folder / "t.yaml"))
    assert len(known) == 15, "what was written can be learned from"


def test_and_from_the_taxonomys_examples(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    done = arrears("strategies", "label", str(folder / "t.yaml"), str(folder / "talks.jsonl"),
                   "--embed", "tfidf", "--out", str(out))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert right(out) > 0.7
    assert "is no frequency" in done.stdout


def mind(request: Mapping[str, Any]) -> str:
    """A model that knows the planted moves, and is less certain of a second label."""
    turns = []
    for number, who, text in re.findall(
        r"^(\d+)\. The (\w+): (.*)$", request["messages"][1]["content"], re.MULTILINE
    ):
        seat = "collector" if who == "collector" else "debtor"
        labels = [{"key": key, "confidence": 0.9} for key, texts in MOVES[seat].items()
                  if text.startswith(texts)]  # fmt: skip
        turns.append({"turn": int(number), "labels": labels})
    return json.dumps({"turns": turns})


def test_a_model_labels_under_faults(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    with Stub(mind, Faults(0.3, ["500", "no choices", "truncated"])) as stub:
        line = ("strategies", "label", str(folder / "t.yaml"), str(folder / "talks.jsonl"), "--out",
                str(out), "--model", stub.spec("m"), "--retry-wait", "0.01")  # fmt: skip
        done = arrears(*line)
        assert done.returncode == 0, done.stderr
        assert right(out) == 1.0
        shown = stub.requests[0]["messages"][0]["content"]
        assert "- income: About income." in shown
        assert MOVES["debtor"]["delay"][0] not in shown, "examples are people's words"
    assert (
        json.loads(out.read_bytes().splitlines()[0])["turns"][0]["confidence"].popitem()[1] == 0.9
    )


TALK = Conversation("c", (Utterance("collector", "Hm."), Utterance("debtor", "No.")))


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        ([{"turn": 1, "labels": []}], "each from 1 to 2 once"),
        ([{"turn": 2, "labels": []}, {"turn": 1, "labels": []}], "in order"),
        ([{"turn": 1, "labels": [{"key": "delay", "confidence": 1}]}, {"turn": 2, "labels": []}], "turn 1: 'delay' is none of this side's"),
        ([{"turn": 1, "labels": [{"key": "plan", "confidence": 2}]}, {"turn": 2, "labels": []}], "from 0 to 1"),
        ([{"turn": 1, "labels": [{"key": "plan", "confidence": "high"}]}, {"turn": 2, "labels": []}], "is a number"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_are_refused(folder: Path, turns: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_labels({"turns": turns}, TALK, load_taxonomy(folder / "t.yaml"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": ["delay", "nope"]}, "line 2: turns\\[1\\].labels: 'nope' is no strategy of the debtor"),
        ({"labels": ["income"]}, "'income' is no strategy of the debtor"),
        ({"labels": "delay"}, "must be a list of keys"),
        ({"labels": None}, "must be a list of keys"),
        ({"text": None}, "turns\\[1\\]"),
    ],
)  # fmt: skip
def test_broken_labels_name_line_and_field(
    change: dict[str, Any], told: str, folder: Path, tmp_path: Path
) -> None:
    talks = planted(3)
    talks[1]["turns"][1] |= change
    path = write(tmp_path / "train.jsonl", talks)
    with pytest.raises(BrokenFile, match=told):
        read_labelled(path, load_taxonomy(folder / "t.yaml"))


def test_blank_turns_and_system_turns_are_passed_over(folder: Path, tmp_path: Path) -> None:
    talks = planted(1)
    talks[0]["turns"][0:0] = [
        {"seat": "system", "text": "You are."},
        {"seat": "debtor", "text": " "},
    ]
    (found,) = read_labelled(write(tmp_path / "t.jsonl", talks), load_taxonomy(folder / "t.yaml"))
    assert [set(row) for row in found.labels] == [set(t["labels"]) for t in planted(1)[0]["turns"]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("t.yaml", "talks.jsonl", "--train", "bad.jsonl"), "bad.jsonl, line 1: turns[0].labels"),
        (("empty.yaml", "talks.jsonl"), "holds no strategies"),
        (("bare.yaml", "talks.jsonl", "--embed", "tfidf"), "'a' of the collector has no examples"),
        (("t.yaml", "talks.jsonl", "--embed", "bert"), "unknown embedding 'bert'"),
        (("t.yaml", "torn.jsonl"), "is torn"),
        (("t.yaml", "talks.jsonl", "--train", "train.jsonl", "--model", "openai/x"), "one of them"),
        (("none.yaml", "talks.jsonl"), "none.yaml: cannot be read"),
    ],
)  # fmt: skip
def test_bad_input_leaves_with_2(words: tuple[str, ...], told: str, folder: Path) -> None:
    bad = planted(2)
    bad[0]["turns"][0]["labels"] = ["unheard_of"]
    write(folder / "bad.jsonl", bad)
    (folder / "torn.jsonl").write_text((folder / "talks.jsonl").read_text()[:-9])
    (folder / "empty.yaml").write_text("collector: {}\ndebtor: {}\n")
    two = "collector:\n  a: {name: a, meaning: A.}\n  b: {name: b, meaning: B.}\ndebtor: {}\n"
    (folder / "bare.yaml").write_text(two)
    done = arrears("strategies", "label", *words, "--out", "o.jsonl", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert not (folder / "o.jsonl").exists()


def test_the_measures_by_hand() -> None:
    truth = np.array([[True, False], [True, False], [False, False]])
    given = np.array([[True, False], [False, False], [True, False]])
    assert f1_scores(given, truth).tolist() == [0.5, 0.0]
    # Two at 0.8 of which one is right, two at 0.1 of which none is: 0.5 · 0.3 + 0.5 · 0.1.
    marks = np.array([0.8, 0.8, 0.1, 0.1])
    assert calibration_error(marks, np.array([True, False, False, False])) == pytest.approx(0.2)
    assert np.isnan(calibration_error(np.array([]), np.array([], dtype=bool)))


def test_one_strategy_or_one_talk_teaches_nothing(folder: Path) -> None:
    taxonomy = load_taxonomy(folder / "t.yaml")
    (one, *_) = read_labelled(folder / "train.jsonl", taxonomy)
    with pytest.raises(UsageError, match="at least two"):
        Labeller(taxonomy, embedder("tfidf")).learn([one], rng_for(1))
    single = {"collector": {"plan": taxonomy["collector"]["plan"]}, "debtor": {}}
    with pytest.raises(UsageError, match="cannot be told from others"):
        Labeller(single, embedder("tfidf")).learn_examples(single, rng_for(1))  # type: ignore[arg-type]


@pytest.mark.skipif(not os.environ.get("ARREARS_DATA"), reason="ARREARS_DATA names no data folder")
def test_labels_of_people_are_learned_better_than_guessed() -> None:
    """CaSiNo: 60 talks teach more than any answer that ignores the words."""
    from benchmarks.strategy_mining import KEYS, read_casino, split, taxonomy_of

    learn, test = split(read_casino(Path(os.environ["ARREARS_DATA"]) / "casino"))
    assert (len(learn), len(test)) == (300, 96)
    taxonomy = taxonomy_of({})
    labeller = Labeller(taxonomy, embedder("tfidf"))
    quality = labeller.learn(learn[:60], rng_for(1))
    talks = [t.conversation for t in test]
    confident = labeller.confidences(talks)
    truth = np.array([[k in row for k in KEYS] for t in test for row in t.labels])
    found = f1_scores(confident >= labeller.thresholds, truth).mean()
    assert found > 2 * f1_scores(np.ones_like(truth), truth).mean()
    assert calibration_error(confident.ravel(), truth.ravel()) < 0.05
    assert quality.macro_f1 == pytest.approx(found, abs=0.1)
