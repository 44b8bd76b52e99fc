"""What models really write: a corpus of messages, each with what a person would take from it."""

import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from arrears.dialogue.parser import parse_message
from arrears.errors import ActSyntaxError

CORPUS = Path(__file__).parent / "corpus" / "parser.yaml"
ENTRIES: list[dict[str, Any]] = yaml.safe_load(CORPUS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("entry", ENTRIES, ids=[f"{e['language']}: {e['id']}" for e in ENTRIES])
def test_a_message_is_read_as_a_person_would_read_it(entry: dict[str, Any]) -> None:
    if "error" in entry:
        with pytest.raises(ActSyntaxError) as told:
            parse_message(entry["text"], entry["seat"])
        assert entry["error"] in str(told.value)
        return
    read = parse_message(entry["text"], entry["seat"])
    assert [str(a) for a in read.acts] == entry["acts"]
    if "dialogue" in entry:
        assert read.dialogue == entry["dialogue"]
    else:
        assert read.dialogue.startswith(entry["dialogue_starts"])
    assert len(read.repairs) == entry.get("repairs", 0), read.repairs
    if "strategy" in entry:
        assert read.strategy == entry["strategy"]


def test_the_corpus_is_large_in_both_languages() -> None:
    counted = Counter(e["language"] for e in ENTRIES)
    assert len(ENTRIES) >= 200
    assert min(counted["en"], counted["zh"]) >= 80
    assert len({(e["seat"], e["text"]) for e in ENTRIES}) == len(ENTRIES)
    for entry in ENTRIES:
        assert ("error" in entry) != ("acts" in entry), entry["id"]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": ' * 1000 + "1" + "}" * 1000,
        '{"action": "non", "dialogue": ' + "[" * 1000 + "]" * 1000 + "}",
        '{"dialogue": "x", "action": ' + "[" * 1000 + "]" * 1000 + "}",
        '{"a": ' * 20_000,
        '{"action": ' + "9" * 5_000 + ", }",
        "Action: non\nDialogue: y\n" + "</think>" * 12_000 + "<think>",
        "<action>" * 12_000,
        "| Action | " * 9_000,
    ],
    ids=lambda text: text[:30],
)
def test_deep_and_long_shapes_are_read_or_told(text: str) -> None:
    with contextlib.suppress(ActSyntaxError):
        assert parse_message(text, "debtor").dialogue
