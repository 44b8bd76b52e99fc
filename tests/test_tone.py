"""The ear: what is heard in words that no bank of ours holds."""

from functools import cache

import pytest

from arrears.dialogue import ear
from arrears.dialogue.cues import Lexicon, Mark, load_lexicon, plain_words
from arrears.dialogue.tone import TONES, hear, recognise
from tests.talks import talks


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("I'm so sorry to hear that, it must be a very difficult time for you.", "warmth"),
        ("Could you please let me know if you are available? Thank you.", "respect"),
        ("You must pay now, this is your last chance!", "pressure"),
        ("If this remains unpaid the bank will file a lawsuit and ask the court to act.", "legal_threat"),
        ("You deadbeat, I will tell your family what you are.", "abuse"),
        ("Remember, you gave your word; keeping a promise is a matter of integrity.", "ethics_appeal"),
        ("Your balance is 8,400 yuan and it is 96 days overdue on your credit report.", "facts"),
        ("Could you tell me about your income and your monthly expenses?", "question"),
        ("Am I speaking with Lanbo? Please confirm your identity.", "identity"),
        ("My name is Wen, I work for the bank and you can verify me through the official app.", "trust"),
        ("That does not add up. When will you pay, and what can you commit to?", "challenge"),
        ("How about 10% off, 20% upfront and the rest in 12 monthly instalments?", "offer"),
        ("Let me explain: that means you pay 700 a month; the options are as follows.", "clarity"),
        ("I've had enough of this, stop calling me, you vultures!", "anger"),
        ("I'm terrified, what will happen to my kids, will I go to jail?", "fear"),
        ("I feel hopeless, I cry every night and I'm exhausted.", "sadness"),
        ("We'll see, maybe later, I'm busy right now.", "evasion"),
        ("It's not my fault, my boss never paid me.", "blame"),
        ("I'm recording this and I'll file a complaint with the regulator.", "complaint"),
        ("Okay, I want to pay, let's find a solution, that works for me.", "willingness"),
        ("I lost my job, the hospital bills took everything and I can't afford the rent.", "hardship"),
        ("Yes, yes, whatever you say, just send it.", "compliance"),
        ("我理解您的难处，真的很抱歉。", "warmth"),
        ("再不还款我们就起诉你，法院会强制执行。", "legal_threat"),
        ("别再打了，烦死了，我要投诉你们！", "complaint"),
    ],
)  # fmt: skip
def test_what_is_heard(text: str, tone: str) -> None:
    assert getattr(hear(text), tone) >= 0.35, hear(text)


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("I am not going to threaten you with a lawsuit.", "legal_threat"),
        ("There is no need to be afraid.", "fear"),
        ("Nobody will call your employer.", "abuse"),
        ("I'm not angry at you.", "anger"),
    ],
)
def test_a_negation_takes_nearly_all_of_a_cue(text: str, tone: str) -> None:
    assert getattr(hear(text), tone) < 0.2, hear(text)


def test_threats_to_tell_family_or_employer_and_insults_are_counted() -> None:
    assert hear("Pay, you liar, or I will tell your boss and your family!").abuse_count >= 2
    assert hear("Please tell me when your wages arrive.").abuse_count == 0


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("Hello, am I speaking with Lanbo?", "identity_verification"),
        ("I'm an officer of the bank's service desk; you can verify me there.", "establish_trust"),
        ("What do you earn, what are your expenses, do you have savings?", "financial_assessment"),
        ("I understand how hard this is, and I'm sorry. You are not alone.", "emotional_appeasement"),
        ("The outstanding amount is 8,400 yuan, 96 days past due.", "statement_of_facts"),
        ("You say next month. What exactly will be different, what can you commit to?", "constructive_challenge"),
        ("Keeping your promise is the right thing, think of your good name.", "ethical_appeal"),
        ("We may take you to court; a judgment can be enforced.", "legal_deterrent"),
        ("I can offer 12 instalments with 20% upfront.", "repayment_negotiation"),
    ],
)  # fmt: skip
def test_the_collectors_strategy_is_recognised(text: str, strategy: str) -> None:
    assert recognise(text, "collector") == strategy


def test_silence_and_noise_are_no_tone() -> None:
    for text in ("", "   ", "1234 5678", "xq zv"):
        heard = hear(text)
        assert max(heard[:-2]) == 0


@cache
def cached_lexicon() -> Lexicon:
    """The shipped cues, read once."""
    return load_lexicon(TONES)


def plain_listen(text: str) -> tuple[list[float], int, int]:
    """The ear in plain Python, word by word over the same tree: what the compiled one must equal."""
    lexicon = cached_lexicon()
    words = [*plain_words(text), "."]
    levels = [0.0] * len(TONES)
    abuse, question = TONES.index("abuse"), TONES.index("question")
    spent, negated, abused, topic, asking = 0, 0, 0, 0.0, False
    for at, word in enumerate(words):
        if at < spent or word not in lexicon.roots:
            continue
        (children, cue), stop, after = lexicon.roots[word], at + 1, at + 1
        while after < len(words) and words[after] in children:
            children, here = children[words[after]]
            after += 1
            if here is not None:
                cue, stop = here, after
        if cue is None:
            continue
        for index, weight in cue.weighed:
            levels[index] += weight if at >= negated else ear.NEGATED * weight
            abused += index == abuse and at >= negated
        mark = Mark(cue.mark)
        if mark == Mark.NEGATION:
            negated = at + ear.REACH
        elif mark == Mark.TOPIC:
            topic += ear.TOPIC_WEIGHT
        elif mark == Mark.ASKING:
            asking = True
        elif mark == Mark.OR:
            negated = at + ear.REACH if negated else 0
        elif mark != Mark.NONE:
            negated = 0
            if mark != Mark.CLAUSE:
                if asking or mark == Mark.QUESTION:
                    levels[question] += topic
                topic, asking = 0.0, False
        spent = stop
    anger, respect = TONES.index("anger"), TONES.index("respect")
    if levels[anger]:
        levels[anger] += ear.SHOUT * text.count("!")
    levels[respect] = max(0.0, levels[respect] - levels[abuse])
    return [min(level, 1.0) for level in levels], abused, len(words) - 1


def test_the_compiled_ear_hears_what_plain_python_hears() -> None:
    odd = (
        "",
        "???",
        "it’s — “no”, I’m afraid… of a lawsuit!",
        "No\tneed to-be (afraid)\n\nyou",
        "ÄÖ é",
    )
    said = [t.dialogue for d in talks(n=60) for t in d.turns]
    for text in (*odd, *said, GOOD_DAY * 40):
        levels, abused, length = plain_listen(text)
        heard = hear(text)
        assert heard[:-2] == pytest.approx(levels, abs=1e-12), text
        assert heard[-2:] == (abused, length), text


GOOD_DAY = "Good day, you liar! I am not going to tell your boss; could you tell me your income? "
