"""Conversations to learn from: the shapes that such files have, and what is refused."""

import json
from pathlib import Path

import pytest

from arrears.errors import BrokenFile
from arrears.synthesis.conversations import Utterance, read_conversations
from tests.commands import bench

ACCOUNT = {
    "name": "Min", "age": 40, "sex": "female", "bal_due": 9000, "need_coll_amt": 8400,
    "overdue_days": 96,
}  # fmt: skip


def written(path: Path, *talks: object) -> Path:
    """A file of talks."""
    path.write_text("".join(json.dumps(t, ensure_ascii=False) + "\n" for t in talks))
    return path


@pytest.mark.parametrize(
    "talk",
    [
        {"id": "a", "turns": [{"seat": "collector", "text": "Hello?"},
                              {"seat": "debtor", "text": "Yes."}]},
        {"id": "a", "messages": [{"role": "system", "content": "Be kind."},
                                 {"role": "assistant", "content": "Hello?"},
                                 {"role": "user", "content": " Yes. "}]},
        {"conversation_id": "a", "conversation": [{"speaker": "Agent", "utterance": "Hello?"},
                                                  {"speaker": "customer", "utterance": "  "},
                                                  {"speaker": "Customer", "utterance": "Yes."}]},
        {"case": "a", "turns": [{"speaker": "催收员", "dialogue": "Hello?"},
                                {"speaker": "客户", "dialogue": "Yes."}]},
    ],
)  # fmt: skip
def test_the_usual_shapes_are_one_conversation(talk: dict[str, object], tmp_path: Path) -> None:
    (found,) = read_conversations(written(tmp_path / "t.jsonl", talk))
    assert found.id == "a"
    assert found.utterances == (Utterance("collector", "Hello?"), Utterance("debtor", "Yes."))
    assert found.of("debtor") == ("Yes.",)


def test_an_account_comes_along_and_a_talk_without_words_is_left_out(tmp_path: Path) -> None:
    talk = {"turns": [{"seat": "debtor", "text": "Yes."}], "account": ACCOUNT, "debtor_id": "d7"}
    path = written(tmp_path / "t.jsonl", {"id": "empty", "turns": []}, talk)
    (found,) = read_conversations(path)
    assert found.id == "t-0002"
    assert found.debtor_id == "d7"
    assert found.account is not None
    assert found.account.need_coll_amt == 8400


def test_a_run_folder_is_read_with_the_debtors_of_its_talks(tmp_path: Path) -> None:
    played = bench(tmp_path / "run", "--suite", "dcn", "--collector", "scripted/firm",
                   "--limit", "3")  # fmt: skip
    found = read_conversations(tmp_path / "run")
    assert [t.id for t in found] == [d.case for d in played]
    assert [t.debtor_id for t in found] == [d.debtor_id for d in played]
    assert [len(t.utterances) for t in found] == [len(d.turns) for d in played]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no conversations"),
        ('{"id": "a", "turns": []}\n', "holds no conversations"),
        ("[1]\n", "line 1: is no JSON object"),
        ('{"id": "a"}\n', "line 1: turns: has none of turns, messages, conversation"),
        ('{"turns": [7]}\n', r"line 1: turns\[0\]: is no JSON object"),
        ('{"turns": [{"seat": "debtor"}]}\n', r"turns\[0\]: has none of text, dialogue"),
        ('{"turns": [{"seat": "judge", "text": "x"}]}\n', "'judge' is no speaker; known"),
        ('{"turns": [], "account": {"name": "x"}}\n', "account.age: Field required"),
        ('{"id": "a", "turns": []}\n{"id": "a", "turns": []}\n', "line 2: id: 'a' occurs twice"),
        ('{"turns": [{"seat": "debtor", "text": "x"}]}\n{"turns": [{"se', "last line is torn"),
    ],
)
def test_what_is_no_conversation_is_told_with_its_place(
    text: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(text)
    with pytest.raises(BrokenFile, match=why):
        read_conversations(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match="cannot be read"):
        read_conversations(tmp_path / "gone.jsonl")
