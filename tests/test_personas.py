"""Personas from conversations, end to end: a real client against a loopback server behind which the
built-in reader answers, and what of the true persons comes back.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arrears.debtors.record import EMOTIONS, Debtor
from arrears.debtors.store import read_debtors, write_debtors
from arrears.debtors.suites import load_suite
from arrears.models.unanswered import Unanswered
from arrears.synthesis.personas.attributes import attributes, reader
from arrears.synthesis.personas.draft import Draft, draft_of, read_drafts, write_drafts
from arrears.synthesis.personas.population import fill_from_population
from benchmarks.personas import recovered
from tests import stub_readers
from tests.commands import arrears
from tests.stub_server import Faults, Stub

TALKS = 50
QUICK = ("--retry-wait", "0", "--down-after-seconds", "1e9")

# The stub answers with the built-in reader.
pytestmark = [pytest.mark.synthesis, pytest.mark.usefixtures("listener")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty talks of the built-in seats."""
    out = tmp_path_factory.mktemp("talks") / "run"
    done = arrears("bench", "--suite", "debtbench", "--collector", "scripted/typical",
                   "--limit", str(TALKS), "--no-report", "--out", str(out))  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


def extracted(run: Path, out: Path, stub: Stub, *words: str) -> tuple[Draft, ...]:
    """What the command makes of a run with the model behind a stub."""
    done = arrears("debtors", "extract", str(run), "--model", stub.spec("reader"),
                   "--out", str(out), *QUICK, *words)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return read_drafts(out)


@pytest.fixture(scope="module")
def drafts(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Draft, ...]:
    """The fifty, without faults."""
    with Stub(stub_readers.reader) as stub:
        return extracted(run, tmp_path_factory.mktemp("drafts") / "d.jsonl", stub)


@cache
def people() -> dict[str, Debtor]:
    """The true persons by id."""
    return {debtor.id: debtor for debtor in load_suite("debtbench")[:TALKS]}


def test_what_comes_back_of_the_true_persons(drafts: tuple[Draft, ...]) -> None:
    true = [people()[draft.id] for draft in drafts]
    found = recovered(drafts, true)
    # Seen: .56, .70, .84, .85; always guessing the usual gives .24, .34, .78, .69
    # (python -m benchmarks.personas).
    assert found["category"] >= 0.48
    assert found["order of emotions"] >= 0.6
    assert found["resilience within one"] >= 0.75
    assert found["cognition within one"] >= 0.75


def test_what_cannot_be_told_is_unknown_and_not_invented(drafts: tuple[Draft, ...]) -> None:
    for draft in drafts:
        assert {"work", "household", "story", "surprise"} <= set(draft.unknown)
        assert draft.background is None
    assert any("overdue_reason" in draft.unknown for draft in drafts)
    told = [d for d in drafts if d.overdue_reason is not None]
    right = [people()[d.id].finances.overdue_reason.category == d.overdue_reason.category
             for d in told if d.overdue_reason]  # fmt: skip
    assert np.mean(right) > 0.9, "a reason that is told is the one that was told"


def test_no_name_of_a_person_reaches_the_server(run: Path, tmp_path: Path) -> None:
    names = {person.background.name for person in people().values()}
    said = (run / "dialogues.jsonl").read_text()
    spoken = {name for name in names if name in said}
    assert len(spoken) > 20, "the talks themselves do name people"
    with Stub(stub_readers.reader) as stub:
        extracted(run, tmp_path / "d.jsonl", stub, "--limit", "20")
        sent = json.dumps(stub.requests)
        assert stub.answered == 20 * len(attributes())
    heard = said.splitlines()[:20]
    asked = {name for name in spoken if any(name in line for line in heard)}
    leaked = {name for name in asked if name in sent}
    assert not leaked
    assert "[NAME]" in sent


def test_without_the_scrubber_nothing_is_asked(run: Path, tmp_path: Path) -> None:
    # As where arrears[synthesis] is not installed.
    (tmp_path / "presidio_analyzer.py").write_text("raise ImportError('not installed')\n")
    with Stub(stub_readers.reader) as stub:
        for command in (
            ("debtors", "extract", str(run), "--out", str(tmp_path / "d.jsonl")),
            ("strategies", "mine", str(run), "--out", str(tmp_path / "t.yaml"), "--embed", "tfidf"),
        ):
            done = arrears(*command, "--model", stub.spec("m"), env={"PYTHONPATH": str(tmp_path)})
            assert done.returncode == 2
            assert "personal data is removed before a model reads anything" in done.stderr
            assert "install arrears[synthesis]" in done.stderr
        assert not stub.requests


def test_a_server_that_fails_gives_the_same_drafts(
    run: Path, drafts: tuple[Draft, ...], tmp_path: Path
) -> None:
    kinds = ("429", "500", "dropped", "truncated", "no choices", "garbage", "wrong type")
    with Stub(stub_readers.reader, Faults(0.3, kinds)) as stub:
        again = extracted(run, tmp_path / "d.jsonl", stub, "--limit", "25")
        assert sum(stub.faults.seen.values()) > 100
    assert again == drafts[:25]


def test_a_killed_extraction_asks_only_what_is_owed(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.jsonl"
    with Stub(stub_readers.reader) as stub:
        extracted(run, out, stub, "--limit", "6")
        answers = tmp_path / "d.answers.jsonl"
        whole = answers.read_bytes()
        # As a kill leaves it: half of the lines, the last one torn.
        answers.write_bytes(whole[: len(whole) // 2])
        asked = stub.answered
        extracted(run, out, stub, "--limit", "6")
        owed = stub.answered - asked
    assert 6 * len(attributes()) / 2 - 2 <= owed <= 6 * len(attributes()) / 2 + 2


def test_an_answer_that_is_invented_is_asked_for_again_and_then_left_unknown(
    run: Path, tmp_path: Path
) -> None:
    def liar(request: Mapping[str, Any]) -> str:
        if stub_readers.schema_of(request) == "mbti":
            return json.dumps({"mbti": "INTJ", "evidence": "I have always loved chess"})
        return stub_readers.reader(request)

    with Stub(liar) as stub:
        found = extracted(run, tmp_path / "d.jsonl", stub, "--limit", "3")
        asked = [r for r in stub.requests if stub_readers.schema_of(r) == "mbti"]
    assert len(asked) == 6, "each is asked twice"
    assert "was not said by the customer" in asked[-1]["messages"][-1]["content"]
    for draft in found:
        assert draft.mbti is None
        assert "was not said" in draft.failures["mbti"].reason
        assert draft.failures["mbti"].cause == "malformed", "which is the model's own failing"
        assert not draft.incomplete


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("category", {"category": "angry"}, "must be one of confrontational"),
        ("character", {"character": ["nice"]}, "'nice' is not one of the words"),
        ("style", {"style": ["vague", "blunt", "pleading", "gruff"]}, "holds 4 words; 3 are"),
        ("emotions", dict.fromkeys(EMOTIONS, 11), "must be from 0 to 10"),
        ("resilience", {"resilience": "strong"}, "must be one of very_low"),
        ("responsibility", {"level": 3, "description": ""}, "must say what the level means"),
        ("reason", {"category": "job_loss", "text": ""}, "must tell the reason"),
        ("scenario", {"work": "a cook", "household": "alone", "story": "You owe."}, "three to six"),
        ("mbti", {"mbti": "ABCD"}, "must be one of ESTJ"),
        ("category", {"category": "avoidant"}, '"evidence" must repeat words'),
    ],
)
def test_what_an_attribute_does_not_take(name: str, answer: dict[str, Any], why: str) -> None:
    from arrears.synthesis.conversations import Conversation, Utterance

    talk = Conversation("x", (Utterance("debtor", "I can't pay."),))
    attribute = next(a for a in attributes() if a.name == name)
    evidence = {} if "evidence" in why else {"evidence": "I can't pay."}
    with pytest.raises(ValueError, match=why):
        reader(attribute, talk)({**answer, **evidence})


def test_unknown_is_taken_without_evidence_and_words_of_the_customer_with_it() -> None:
    from arrears.synthesis.conversations import Conversation, Utterance

    talk = Conversation("x", (Utterance("debtor", "I can't  pay, and that's   that."),))
    for attribute in attributes():
        if attribute.name == "category":
            read = reader(attribute, talk)
            assert read({"category": "unknown", "evidence": "made up"}) == {"evidence": ""}
            found = read({"category": "avoidant", "evidence": "“AND that's that”"})
            assert found["category"] == "avoidant"


# Enrichment


def test_enriching_keeps_what_is_known_and_fills_the_rest(
    drafts: tuple[Draft, ...], tmp_path: Path
) -> None:
    made = tuple(fill_from_population(drafts, 1))
    for draft, debtor in zip(drafts, made, strict=True):
        whole = draft_of(debtor)
        assert not whole.unknown
        for name in ("category", "character", "mbti", "emotional_resilience", "style"):
            assert not getattr(draft, name) or getattr(whole, name) == getattr(draft, name)
        assert {**whole.emotions, **draft.emotions} == whole.emotions
        assert {**whole.cognition, **draft.cognition} == whole.cognition
        if draft.overdue_reason is not None:
            assert debtor.finances.overdue_reason == draft.overdue_reason
    assert made == tuple(fill_from_population(drafts, 1)), "the same seed, the same people"


def test_enriching_a_record_gives_a_persona_that_any_seat_can_play(tmp_path: Path) -> None:
    out = tmp_path / "people.jsonl"
    done = arrears("debtors", "enrich", "dcn", "--limit", "40", "--out", str(out))
    assert done.returncode == 0, done.stderr
    records = {d.id: d for d in load_suite("dcn")}
    found = read_debtors(out)
    assert all(d.background == records[d.id].background for d in found)
    assert all(d.finances == records[d.id].finances for d in found)
    played = arrears("bench", "--debtors", str(out), "--collector", "scripted/typical",
                     "--no-report", "--out", str(tmp_path / "run"))  # fmt: skip
    assert played.returncode == 0, played.stderr


def test_what_a_model_was_never_heard_about_is_not_filled_in(tmp_path: Path) -> None:
    """It is not the same as what a conversation does not show; nor as what a model got wrong."""
    gone = Unanswered(cause="provider", seat="model", error="ModelError", reason="502 Bad Gateway")
    wrong = Unanswered(cause="malformed", seat="model", reason="no readable JSON")
    drafts = [
        Draft(id="a#1", failures={"mbti": gone, "style": gone}),
        Draft(id="a#2", failures={"mbti": wrong}),
        Draft(id="a#3"),
    ]
    write_drafts(tmp_path / "d.jsonl", drafts)
    assert read_drafts(tmp_path / "d.jsonl") == tuple(drafts)
    assert [draft.incomplete for draft in drafts] == [("mbti", "style"), (), ()]
    line = ("debtors", "enrich", str(tmp_path / "d.jsonl"), "--out", str(tmp_path / "p.jsonl"))
    done = arrears(*line)
    assert done.returncode == 1
    assert "left out 1 drafts (1 provider): 2 of its questions failed in extract" in done.stderr
    found = read_debtors(tmp_path / "p.jsonl")
    assert [person.id for person in found] == ["a#2", "a#3"]
    write_drafts(tmp_path / "d.jsonl", [Draft(id="a#1"), *drafts[1:]])
    assert arrears(*line).returncode == 0
    assert read_debtors(tmp_path / "p.jsonl")[1:] == found, "the others are who they were"
    old = '{"kind": "draft", "id": "x", "failures": {"mbti": "Connection timeout"}}'
    (tmp_path / "d.jsonl").write_text(old + "\n")
    (read,) = read_drafts(tmp_path / "d.jsonl")
    assert (read.failures["mbti"].cause, read.incomplete) == ("unknown", ())
    assert arrears(*line).returncode == 0, "an older draft does not tell, and is taken as before"


def test_a_model_s_failure_about_one_draft_leaves_out_that_one(tmp_path: Path) -> None:
    """Whatever is in its id."""

    def about_one(request: Mapping[str, Any]) -> str:
        old = "age: 77" in request["messages"][1]["content"]
        return "Hm." if old else stub_readers.inventor(request)

    people = load_suite("dcn")[:3]
    drafts = [
        draft_of(person).model_copy(update={"id": f"x#{n}"}) for n, person in enumerate(people)
    ]
    old = drafts[1].background
    assert old is not None
    drafts[1] = drafts[1].model_copy(update={"background": old.model_copy(update={"age": 77})})
    write_drafts(tmp_path / "d.jsonl", drafts)
    with Stub(about_one) as stub:
        done = arrears("debtors", "enrich", str(tmp_path / "d.jsonl"), "--model", stub.spec("m"),
                       "--out", str(tmp_path / "p.jsonl"), *QUICK)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "left out 1 drafts (1 malformed)" in done.stderr
    assert [person.id for person in read_debtors(tmp_path / "p.jsonl")] == ["x#0", "x#2"]


def test_drafts_get_the_accounts_of_records(drafts: tuple[Draft, ...], tmp_path: Path) -> None:
    write_drafts(tmp_path / "d.jsonl", drafts[:20])
    records = load_suite("dcn")[:30]
    write_debtors(tmp_path / "r.jsonl", records)
    words = ("debtors", "enrich", str(tmp_path / "d.jsonl"), "--out", str(tmp_path / "p.jsonl"))
    done = arrears(*words, "--records", str(tmp_path / "r.jsonl"))
    assert done.returncode == 0, done.stderr
    found = read_debtors(tmp_path / "p.jsonl")
    assert [d.background for d in found] == [r.background for r in records[:20]]
    assert [d.id for d in found] == [d.id for d in drafts[:20]]
    write_debtors(tmp_path / "few.jsonl", records[:5])
    short = arrears(*words, "--records", str(tmp_path / "few.jsonl"))
    assert short.returncode == 2
    assert "too few" in short.stderr


def test_a_model_enriches_in_two_questions_and_what_is_known_stays(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    words = ("debtors", "enrich", "dcn", "--limit", "12", "--out", str(out), *QUICK)
    with Stub(stub_readers.inventor, Faults(0.3, ("429", "500", "truncated"))) as stub:
        done = arrears(*words, "--model", stub.spec("inventor"))
        assert done.returncode == 0, done.stderr
        assert {stub_readers.schema_of(r) for r in stub.requests} == {
            "enrich_person",
            "enrich_life",
        }
        asked = stub.answered
        again = arrears(*words, "--model", stub.spec("inventor"))
        assert again.returncode == 0
        assert stub.answered == asked, "what is answered is not asked again"
    found = read_debtors(out)
    records = {d.id: d for d in load_suite("dcn")}
    assert len(found) == 12
    assert all(d.personality and d.cognition and d.scenario and d.category for d in found)
    assert all(d.finances == records[d.id].finances for d in found)


def test_a_story_with_an_amount_that_is_not_the_person_s_is_refused(tmp_path: Path) -> None:
    def spender(request: Mapping[str, Any]) -> str:
        if stub_readers.schema_of(request) == "enrich_life":
            story = "You owe 987,654 yuan. You are tired. You hope."
            return json.dumps({"work": "a cook", "household": "alone", "story": story})
        return stub_readers.inventor(request)

    with Stub(spender) as stub:
        done = arrears("debtors", "enrich", "dcn", "--limit", "2", "--model", stub.spec("m"),
                       "--out", str(tmp_path / "p.jsonl"), *QUICK)  # fmt: skip
    assert done.returncode != 0 or "left out" in done.stderr
    assert "987,654" in done.stderr


def test_the_whole_way_from_fifty_talks_to_personas_that_behave_as_they_say(
    run: Path, tmp_path: Path
) -> None:
    kinds = ("429", "500", "dropped", "truncated", "no choices", "garbage", "wrong type")
    with Stub(stub_readers.reader, Faults(0.3, kinds)) as stub:
        drafts = extracted(run, tmp_path / "d.jsonl", stub)
        for words in (
            ("enrich", str(tmp_path / "d.jsonl"), "--model", stub.spec("inventor"),
             "--out", str(tmp_path / "p.jsonl")),
            ("refine", str(tmp_path / "p.jsonl"), "--judge", stub.spec("judge"),
             "--out", str(tmp_path / "r.jsonl")),
        ):  # fmt: skip
            done = arrears("debtors", *words, *QUICK)
            assert done.returncode == 0, done.stderr
        asked = {stub_readers.schema_of(request) for request in stub.requests}
        assert sum(stub.faults.seen.values()) > 150
    assert {"enrich_person", "enrich_life", "refine", "category"} <= asked
    enriched, refined = (read_debtors(tmp_path / name) for name in ("p.jsonl", "r.jsonl"))
    assert [d.id for d in refined] == [d.id for d in enriched] == [d.id for d in drafts]
    for draft, person in zip(drafts, enriched, strict=True):
        whole = draft_of(person)
        assert not whole.unknown
        assert {**whole.emotions, **draft.emotions} == whole.emotions
        assert draft.category in (None, whole.category)
    rows = [json.loads(line) for line in (tmp_path / "r.rounds.jsonl").read_text().splitlines()]
    assert sum(row["settled"] for row in rows) >= TALKS * 0.8
    for row, before, after in zip(
        sorted(rows, key=lambda r: r["id"]), sorted(enriched, key=lambda d: d.id),
        sorted(refined, key=lambda d: d.id), strict=True,
    ):  # fmt: skip
        changes = [change for one in row["rounds"] for change in one["changes"]]
        assert (before == after) == (not changes), "nothing changes without a reason on record"
        assert all(change["reason"] for change in changes)
