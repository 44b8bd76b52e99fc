"""What is taken out of conversations before a model reads them, and what stays."""

import builtins
import re
import socket
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrears.debtors.record import Background
from arrears.errors import UsageError
from arrears.synthesis.conversations import Conversation, Utterance
from arrears.synthesis.pii import Scrubber
from arrears.synthesis.pii.numbers import id_checks, luhn
from arrears.synthesis.pii.spans import Hit, Span, merge, replaced
from benchmarks.pii import corpus, score, wrong
from tests.talks import talks

pytestmark = pytest.mark.synthesis


@cache
def scrubber() -> Scrubber:
    return Scrubber()


def scrubbed(text: str, *names: str) -> str:
    return replaced(text, scrubber().spans(text, names))


def talk(*texts: str, name: str | None = None, **ids: str) -> Conversation:
    account = name and Background(
        name=name, age=40, sex="female", bal_due=9000, need_coll_amt=8400, overdue_days=96
    )
    said = [Utterance("collector" if i % 2 == 0 else "debtor", t) for i, t in enumerate(texts)]
    return Conversation(
        ids.get("id", "talk-0001"), tuple(said), account or None, ids.get("debtor_id", "")
    )


# The levels lie a little below what was seen (docs/pii.md); the held-out part is never tuned for.
@pytest.mark.parametrize(
    ("part", "language", "recall", "precision"),
    [
        ("dev", "en", 0.97, 0.98),
        ("dev", "zh", 0.98, 0.98),
        ("held_out", "en", 0.84, 0.95),
        ("held_out", "zh", 0.77, 0.95),
        ("fresh", "en", 0.90, 0.95),
        ("fresh", "zh", 0.83, 0.95),
    ],
)
def test_planted_data_is_found_and_little_else(
    part: str, language: str, recall: float, precision: float
) -> None:
    sentences = corpus(part, language)
    got = score(scrubber(), sentences)
    shown = "\n".join(wrong(scrubber(), sentences))
    assert got.recall >= recall, shown
    assert got.precision >= precision, shown


@pytest.mark.parametrize("language", ["en", "zh"])
def test_sentences_without_personal_data_stay_as_they_are(language: str) -> None:
    assert [*wrong(scrubber(), corpus("clean", language))] == []
    # What was seen on lines that were written after the rules: four hits in 70.
    unseen = [*corpus("held_out_clean", language), *corpus("fresh_clean", language)]
    assert len([*wrong(scrubber(), tuple(unseen))]) <= 2


def test_the_corpus_is_as_large_as_it_says() -> None:
    for language in ("en", "zh"):
        parts = [corpus(part, language) for part in ("dev", "held_out", "fresh")]
        dev, held_out, fresh = (sum(len(s.planted) for s in part) for part in parts)
        assert dev + held_out + fresh >= 220
        assert held_out + fresh >= 85
        assert len(corpus("clean", language)) + len(corpus("held_out_clean", language)) >= 60


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_planted_string_survives_a_whole_conversation(language: str) -> None:
    sentences = corpus("dev", language)
    out = scrubber().scrub(talk(*(s.text for s in sentences))).conversation
    left = {
        text[item.start : item.end]
        for (text, planted), utterance in zip(sentences, out.utterances, strict=True)
        for item in planted
        if text.count(text[item.start : item.end]) == 1
        and text[item.start : item.end] in utterance.text
    }
    # A small name after a plain word: a known miss (docs/pii.md).
    assert left <= {"keisha"}
    assert sum(scrubber().scrub(out).counts.values()) == 0


def test_a_word_that_the_talk_has_in_small_letters_is_no_rare_name() -> None:
    said = (
        "We had a Wagenburg there.",
        "I like the wagenburg.",
        "The key is with Perpetua at the moment.",
    )
    found = [u.text for u in scrubber().scrub(talk(*said)).conversation.utterances]
    assert found == [
        "We had a Wagenburg there.",
        "I like the wagenburg.",
        "The key is with [NAME] at the moment.",
    ]


@pytest.mark.parametrize("part", ["dev", "held_out", "fresh", "clean", "held_out_clean"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_scrubbing_twice_changes_nothing_more(part: str, language: str) -> None:
    for sentence in corpus(part, language):
        once = scrubber().scrub(talk(sentence.text, name="Dana Whitlow")).conversation
        again = scrubber().scrub(once)
        assert again.conversation == once
        assert again.counts == {}


_AMOUNT = st.floats(1, 9_999_999, allow_nan=False).map(lambda x: f"{x:,.2f}") | st.integers(
    1, 9_999_999
).map(str)


@settings(max_examples=60)
@given(
    amount=_AMOUNT,
    share=st.integers(0, 100),
    days=st.integers(1, 2000),
    count=st.sampled_from([3, 6, 12, 24, 36]),
    form=st.sampled_from(
        [
            "You owe {a} yuan; it is {d} days overdue.",
            "I can pay {a} dollars now, {s}% upfront and the rest in {n} monthly instalments.",
            "Call me when the number is below {a} yuan or {s}% off.",
            "My card shows {a} yuan after {d} days.",
            "Transfer ${a} by 2026-06-30, at {s}% a year.",
            "您欠款{a}元，已经逾期{d}天。",
            "我先还{a}元，减免{s}%，剩下的分{n}期。",
            "电话里说好的，还{a}块钱，{d}天之内，卡里有。",
        ]
    ),
)
def test_amounts_shares_and_days_stay(
    amount: str, share: int, days: int, count: int, form: str
) -> None:
    text = form.format(a=amount, s=share, d=days, n=count)
    assert scrubbed(text) == text


def test_built_in_talks_keep_every_figure_and_lose_every_name() -> None:
    figure = re.compile(r"\d[\d,.]*")
    for dialogue in talks(n=15):
        said = [turn.dialogue for turn in dialogue.turns]
        out = scrubber().scrub(talk(*said)).conversation
        for before, after in zip(said, out.utterances, strict=True):
            assert figure.findall(after.text) == figure.findall(before)


def test_a_name_that_is_told_once_goes_everywhere_on_both_sides() -> None:
    out = scrubber().scrub(
        talk("Hello, who is this?", "my name is zorbina quelch", "Thank you. So zorbina owes 5000 yuan,",
             "Quelch owes nothing.", "我叫覃思远。", "那思远什么时候还？")
    )  # fmt: skip
    said = " ".join(u.text for u in out.conversation.utterances).lower()
    assert "zorbina" not in said
    assert "quelch" not in said
    assert "思远" not in said
    assert "5000 yuan" in said
    assert out.counts["NAME"] == 5


def test_the_accounts_own_name_goes_and_its_terms_stay() -> None:
    out = scrubber().scrub(
        talk("Is zelenko there? Ms Zelenko?", "May I pay in May?", name="May Zelenko")
    )
    account = out.conversation.account
    assert account is not None
    assert (account.name, account.need_coll_amt, account.overdue_days) == ("[NAME]", 8400, 96)
    assert [u.text for u in out.conversation.utterances] == [
        "Is [NAME] there? Ms [NAME]?",
        "May I pay in May?",
    ]


def test_an_id_with_personal_data_becomes_the_same_pseudonym_each_time() -> None:
    first = scrubber().scrub(talk("Hello.", id="calls/13800138000", debtor_id="Sarah_Whitlow"))
    second = scrubber().scrub(talk("Bye.", id="calls/13800138000", debtor_id="debtbench-test-0001"))
    assert re.fullmatch("[0-9a-f]{12}", first.conversation.id)
    assert first.conversation.id == second.conversation.id
    assert re.fullmatch("[0-9a-f]{12}", first.conversation.debtor_id)
    assert second.conversation.debtor_id == "debtbench-test-0001"


def test_counts_are_of_what_was_said() -> None:
    out = scrubber().scrub(talk("Mr Lee? Call 202-555-0143 or 202-555-0144.", "a@example.com"))
    assert out.counts == {"NAME": 1, "PHONE": 2, "EMAIL": 1}


def test_hits_that_overlap_become_one_span_of_the_longest_kind() -> None:
    hits = [Hit(0, 4, "NAME"), Hit(2, 12, "ADDRESS"), Hit(20, 36, "PHONE"), Hit(20, 36, "CARD")]
    assert merge(hits) == (Span(0, 12, "ADDRESS"), Span(20, 36, "CARD"))


def test_no_text_takes_for_ever() -> None:
    """Each takes under a second (`python -m benchmarks.pii` has how long). The limit measures
    nothing: it ends a search that would try every way of reading a text, and so never end.
    """
    code = """
from arrears.synthesis.pii import Scrubber
from benchmarks.pii import LONG
scrubber = Scrubber()
print(*(len(scrubber.spans(text)) for text in LONG))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=1800
    )
    assert done.stdout.split() == ["1", "400", "0", "0", "0"], done.stderr


def test_check_digits() -> None:
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    # The example of GB 11643-1999.
    assert id_checks("11010519491231002X")
    assert not id_checks("110105194912310021")


def test_nothing_goes_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a look at the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    text = "See www.example.com or pay.example.co.uk/a, mail dana@mail.example.com, 202-555-0143."
    assert replaced(text, Scrubber().spans(text)) == "See [URL] or [URL], mail [EMAIL], [PHONE]."


def test_without_the_libraries_there_is_no_scrubber(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("presidio_analyzer"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UsageError, match=r"install arrears\[synthesis\]"):
        Scrubber()


def test_a_spacy_pipeline_that_is_not_installed_is_named() -> None:
    with pytest.raises(UsageError, match="no spaCy pipeline 'en_nothing_lg' is installed"):
        Scrubber(spacy_model="en_nothing_lg")


def test_a_spacy_pipeline_is_asked_for_names_too(tmp_path: Any) -> None:
    import spacy

    pipeline = spacy.blank("en")
    pipeline.add_pipe("entity_ruler").add_patterns(
        [{"label": "PERSON", "pattern": "Vrumblesnatch"}]
    )
    pipeline.to_disk(tmp_path / "own")
    text = "Vrumblesnatch asked for 500 yuan."
    own = Scrubber(spacy_model=str(tmp_path / "own"))
    assert scrubbed(text) == text
    assert replaced(text, own.spans(text)) == "[NAME] asked for 500 yuan."


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import arrears.synthesis.pii, sys; print([m for m in ('presidio_analyzer', 'spacy', "
        "'faker', 'phonenumbers', 'tldextract') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
