"""What the built-in seats say: real text, with the numbers that they act, and seldom the same."""

import math
import re
from collections import Counter

import pytest

from arrears.debtors.record import CATEGORIES
from arrears.debtors.suites import load_suite
from arrears.dialogue.record import Dialogue, Turn
from arrears.dialogue.tone import hear, recognise
from arrears.terms import Dimension, Value
from tests.talks import talks

COLLECTORS = ("scripted/lenient", "scripted/typical", "scripted/firm", "scripted/adaptive")
SENTENCE = re.compile(r"(?<=[.!?])\s+")


def sentences(text: str) -> list[str]:
    """Sentences longer than six words."""
    return [s for s in SENTENCE.split(text) if len(s.split()) > 6]


@pytest.mark.parametrize("collector", COLLECTORS)
def test_in_1000_dialogues_few_sentences_are_repeated_often(collector: str) -> None:
    """Fewer than 5 % of sentences longer than six words are repeated more than 20 times."""
    counts: Counter[str] = Counter()
    for dialogue in talks(collector):
        for turn in dialogue.turns:
            counts.update(sentences(turn.dialogue))
    total = sum(counts.values())
    often = sum(n for n in counts.values() if n > 20)
    assert total > 10_000
    assert often / total < 0.05, counts.most_common(5)


def said(dim: Dimension, value: Value, text: str) -> bool:
    """Whether a text says that value of a term, with its unit."""
    if dim == "disc_ratio" and value == 0:
        wanted = r"no discount|full amount|whole sum|without a discount|off the total|no reduction|everything"
        return re.search(wanted, text, re.IGNORECASE) is not None
    if dim in ("disc_ratio", "pmt_ratio"):
        return re.search(rf"\b{round(value * 100)}%", text) is not None
    unit = "day" if dim == "pmt_days" else "month"
    return re.search(rf"\b{int(value)} {unit}s?\b", text) is not None


@pytest.mark.parametrize("collector", COLLECTORS)
@pytest.mark.parametrize("suite", ["dcn", "debtbench"])
def test_no_built_in_talk_ends_for_want_of_words(collector: str, suite: str) -> None:
    """A phrase that is missing would end its talk as an error, and look like a failed negotiation."""
    for dialogue in talks(collector, suite):
        assert dialogue.ending in ("agreed", "max_turns", "walked_away"), dialogue.detail


@pytest.mark.parametrize("collector", COLLECTORS)
def test_every_message_is_whole_sentences(collector: str) -> None:
    for dialogue in talks(collector, n=300):
        for turn in dialogue.turns:
            assert turn.dialogue[-1] in ".?!", turn.dialogue
            for blemish in ("  ", " ,", " .", "{", "[", "|", "..,", "?.", "!.", "Not without"):
                assert blemish not in turn.dialogue, turn.dialogue


@pytest.mark.parametrize("collector", COLLECTORS)
def test_every_number_that_is_acted_is_said(collector: str) -> None:
    for dialogue in talks(collector, n=300):
        for turn in dialogue.turns:
            for act in turn.acts:
                # One who swallows everything says so without going through the terms.
                if act.kind in ("ask", "accept") and act.dim and act.value is not None:
                    assert said(act.dim, act.value, turn.dialogue), (str(act), turn.dialogue)


@pytest.mark.parametrize("collector", COLLECTORS)
def test_every_share_and_span_that_is_said_is_acted(collector: str) -> None:
    """Percentages, and numbers of days and months in an offer, are those of the acts."""
    for dialogue in talks(collector, n=300):
        for turn in dialogue.turns:
            acted = {round(a.value * 100) for a in turn.acts if a.dim and a.dim.endswith("ratio") and a.value is not None}  # fmt: skip
            for share in re.findall(r"(\d+)%", turn.dialogue):
                assert int(share) in acted, turn.dialogue
            spans = {int(a.value) for a in turn.acts if a.dim == "inst_prds" and a.value}
            if spans and turn.seat == "collector":
                for months in re.findall(r"(\d+) months", turn.dialogue):
                    assert int(months) in spans, turn.dialogue


def own_strategy_share(dialogues: tuple[Dialogue, ...], seat: str) -> float:
    """How often the ear recognises the strategy that the seat has taken."""
    turns: list[Turn] = [t for d in dialogues for t in d.turns if t.seat == seat]
    heard = [recognise(t.dialogue, t.seat) == t.strategy for t in turns]
    return sum(heard) / len(heard)


def test_the_ear_recognises_the_strategies_from_the_words() -> None:
    assert own_strategy_share(talks(), "collector") >= 0.90
    assert own_strategy_share(talks(), "debtor") >= 0.80


def test_a_reader_can_guess_the_category_from_the_words_alone() -> None:
    """Naive Bayes over the debtor's words, learnt on one half of the talks, read on the other.

    Always guessing the largest category is right in 38 % of cases.
    """
    category = {d.id: d.category for d in load_suite("debtbench")}
    texts = [
        (
            category[d.debtor_id],
            {w for t in d.turns if t.seat == "debtor" for w in re.findall(r"[a-z']+", t.dialogue.lower())},
        )
        for d in talks()
    ]  # fmt: skip
    learn, read = texts[::2], texts[1::2]
    seen = {c: Counter(w for k, words in learn if k == c for w in words) for c in CATEGORIES}
    total = {c: sum(k == c for k, _ in learn) for c in CATEGORIES}
    vocabulary = set().union(*seen.values())

    def guess(words: set[str]) -> str:
        def score(c: str) -> float:
            found = math.log(total[c])
            for word in vocabulary:
                p = (seen[c][word] + 0.5) / (total[c] + 1)
                found += math.log(p if word in words else 1 - p)
            return found

        return max(CATEGORIES, key=score)

    right = sum(guess(words) == k for k, words in read) / len(read)
    assert right >= 0.58


@pytest.mark.parametrize("collector", COLLECTORS)
def test_no_built_in_collector_abuses(collector: str) -> None:
    for dialogue in talks(collector):
        for turn in dialogue.turns:
            if turn.seat == "collector":
                assert hear(turn.dialogue).abuse_count == 0, turn.dialogue


def test_debtors_speak_of_what_the_record_holds() -> None:
    """A reason, once told, is the record's own."""
    reasons = {d.id: d.finances.overdue_reason.text for d in load_suite("debtbench")}
    told = 0
    for dialogue in talks():
        for turn in dialogue.turns:
            told += turn.seat == "debtor" and reasons[dialogue.debtor_id] in turn.dialogue
    assert told > 300


def test_an_angry_message_is_heard_as_angry_and_a_sad_one_as_sad() -> None:
    """The words carry the private feeling: the loudest tone goes with the strongest emotion."""
    for emotion in ("anger", "sadness", "fear"):
        high, low = [], []
        for dialogue in talks():
            for turn in dialogue.turns:
                felt = turn.private.get(emotion)
                if turn.seat == "debtor" and isinstance(felt, float):
                    (high if felt >= 7 else low if felt <= 2 else []).append(
                        getattr(hear(turn.dialogue), emotion)
                    )
        assert sum(high) / len(high) > 2 * sum(low) / len(low), emotion
