"""The parser takes what models really write, and says precisely what it cannot read."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrears.dialogue.acts import LEAVE, NON, Act, act
from arrears.dialogue.parser import parse_message
from arrears.dialogue.record import Turn
from arrears.dialogue.render import render_message
from arrears.errors import ActSyntaxError
from arrears.strategies import Seat, strategies
from arrears.terms import DIMENSIONS, GRID

FIVE = act("ask", "disc_ratio", 0.05)
YEAR = act("ask", "inst_prds", 12)


def acts_of(action: str, seat: Seat = "debtor") -> tuple[Act, ...]:
    """The acts of an otherwise plain message."""
    return parse_message(f"Action: {action}\nDialogue: hello", seat).acts


@pytest.mark.parametrize(
    "message",
    [
        "Thoughts: hm\nStrategy: Complaint\nAction: ask(disc_ratio=5%)\nDialogue: Please.",
        "**Thoughts:** hm\n**Strategy:** complaint\n**Action:** ask(disc_ratio=5%)\n**Dialogue:** Please.",
        "- thought: hm\n- STRATEGY: complaint\n- action: ask(disc_ratio=5%)\n- dialogue: Please.",
        "### Thoughts\nhm\n### Strategy\ncomplaint\n### Action\nask(disc_ratio=5%)\n### Dialogue\nPlease.",
        "1. Thoughts: hm\n2. Strategy: complaint\n3. Action: `ask(disc_ratio=0.05)`\n4. Response: \"Please.\"",
        "思考：hm\n策略：complaint\n动作：提出（折扣＝５％）\n对话：Please.",
        "<think>hm</think>\nStrategy: complaint\nAction: ask(disc_ratio = 5 percent)\nDialogue: Please.",
        "hm</think>Strategy: complaint\nAction: ask(disc_ratio: 5)\nDialogue: Please.",
        "hm\nStrategy: complaint\nAction: Ask(Discount Ratio=5%)\nDialogue: Please.",
        "Thoughts: hm Strategy: complaint. Action: ask(disc_ratio=5%). Dialogue: Please.",
        '{"thoughts": "hm", "strategy": "complaint", "action": "ask(disc_ratio=5%)", "dialogue": "Please."}',
        '```json\n{"Thoughts": "hm", "Strategy": "complaint", "Action": {"ask": {"disc_ratio": "5%"}},'
        ' "Response": "Please."}\n```',
        '{"thoughts": "hm", "strategy": "complaint", "actions": [{"type": "ask", "disc_ratio": 0.05}],'
        ' "dialogue": "Please."}',
    ],
)  # fmt: skip
def test_the_same_message_in_many_shapes(message: str) -> None:
    read = parse_message(message, "debtor")
    assert read.acts == (FIVE,)
    assert read.dialogue == "Please."
    assert read.thoughts == "hm"
    assert (read.strategy or "").rstrip(".") == "complaint"


@pytest.mark.parametrize(
    "action",
    [
        "ask(disc_ratio=5%, inst_prds=12)",
        "ask(disc_ratio=5%) ask(inst_prds=12)",
        "ask(disc_ratio=5%); ask(inst_prds=12 months)",
        "ask(disc_ratio=5%) and ask(inst_prds=12 months)",
        "ask(disc_ratio=0.05)\nask(inst_prds=12)",
        "- ask(disc_ratio=5%)\n- propose(inst_prds=12 periods)",
        "ask(disc_ratio='5%' and inst_prds='12')",
        "询问（折扣=5%、分期期数=12个月）",
        "`ask(disc_ratio=5%)`, `ask(inst_prds=12)`",
    ],
)
def test_several_actions_on_a_line_or_on_several(action: str) -> None:
    assert acts_of(action) == (FIVE, YEAR)


@pytest.mark.parametrize(
    ("written", "value", "said"),
    [
        ("disc_ratio=5%", 0.05, None),
        ("disc_ratio=0.05", 0.05, None),
        ("disc_ratio=5", 0.05, None),
        ("disc_ratio=1", 0.0, 0.01),
        ("disc_ratio=0", 0.0, None),
        ("disc_ratio=13.7%", 0.15, 0.137),
        ("disc_ratio=12.5%", 0.10, 0.125),
        ("disc_ratio=90%", 0.30, 0.9),
        ("disc_ratio=百分之5", 0.05, None),
        ("pmt_ratio=0.5", 0.5, None),
        ("pmt_ratio=12.5%", 0.15, 0.125),
        ("pmt_ratio=1%", 0.05, 0.01),
        ("pmt_days=7 days", 7, None),
        ("pmt_days=30", 14, 30),
        ("pmt_days=0", 1, 0),
        ("pmt_days=7天", 7, None),
        ("inst_prds=12 months", 12, None),
        ("inst_prds=10", 9, 10),
        ("inst_prds=12期", 12, None),
        ("inst_prds=-4", 3, -4),
    ],
)
def test_values_are_read_as_they_are_meant_and_snapped_with_a_note(
    written: str, value: float, said: float | None
) -> None:
    read = parse_message(f"Action: ask({written})\nDialogue: x", "collector")
    (found,) = read.acts
    assert found.value == value
    assert found.said == said
    assert bool(read.repairs) == (said is not None)


def test_synonyms_and_acts_without_value() -> None:
    assert acts_of("agree(pmt_days=7)") == (act("accept", "pmt_days", 7),)
    assert acts_of("refuse(pmt_days)") == (act("reject", "pmt_days"),)
    assert acts_of("reject(pmt_days=7, disc_ratio)") == (
        act("reject", "pmt_days", 7),
        act("reject", "disc_ratio"),
    )
    assert acts_of("non") == acts_of("Non()") == acts_of("none") == (NON,)
    assert acts_of("leave()") == (LEAVE,)
    assert acts_of("ask(disc_ratio=5%), non") == (FIVE,)


def test_a_dimension_that_is_named_twice_keeps_its_order() -> None:
    assert acts_of("accept(inst_prds=6) ask(inst_prds=12)") == (act("accept", "inst_prds", 6), YEAR)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Dialogue: hello", "There is no Action part"),
        ("hello, can you pay?", "There is no Action part"),
        ("Action: non", "There is no Dialogue part"),
        ("Action: non\nDialogue:  ", "There is no Dialogue part"),
        ("", "There is no Action part"),
        ("Action:\nDialogue: x", "The action is empty"),
        ("Action: hug(you)\nDialogue: x", "'hug"),
        (
            "Action: ask(rate=5%)\nDialogue: x",
            "'rate' is not a term. The terms are disc_ratio, pmt",
        ),
        ("Action: ask(disc_ratio=some)\nDialogue: x", "disc_ratio=some is not a number"),
        ("Action: ask(disc_ratio=nan)\nDialogue: x", "disc_ratio=nan is not a number"),
        ("Action: ask(disc_ratio=5-10%)\nDialogue: x", "disc_ratio=5-10% is not a value"),
        ("Action: ask(pmt_days=5%)\nDialogue: x", "pmt_days=5% is not a value of pmt_days"),
        ("Action: ask(inst_prds=500 yuan)\nDialogue: x", "inst_prds=500 yuan is not a value"),
        ("Action: ask(disc_ratio)\nDialogue: x", "has no value"),
        ("Action: ask()\nDialogue: x", "names no term"),
        ("Action: leave()\nDialogue: x", "Only the debtor can leave"),
        ("Action: maybe ask(disc_ratio=5%)\nDialogue: x", "'maybe ask"),
    ],
)
def test_what_cannot_be_read_is_told_precisely(message: str, told: str) -> None:
    with pytest.raises(ActSyntaxError, match=told.replace("(", r"\(").replace("|", r"\|")):
        parse_message(message, "collector")


def test_terms_in_the_prose_are_no_acts() -> None:
    read = parse_message("Action: non\nDialogue: What about ask(disc_ratio=5%)?", "debtor")
    assert read.acts == (NON,)


def test_an_unknown_strategy_is_noted_and_dropped() -> None:
    read = parse_message("Strategy: bribery\nAction: non\nDialogue: x", "collector")
    assert read.strategy is None
    assert read.repairs == ("strategy 'bribery' is none of the collector's",)


legal_acts = st.one_of(
    st.just(NON),
    st.sampled_from(DIMENSIONS).flatmap(
        lambda d: st.builds(
            act, st.sampled_from(["ask", "accept", "reject"]), st.just(d), st.sampled_from(GRID[d])
        )
    ),
)
words = st.from_regex(r"[A-Za-z][A-Za-z ,.!]{0,60}[a-z]", fullmatch=True)


@given(
    st.lists(legal_acts, min_size=1, max_size=5),
    words,
    st.sampled_from([None, *strategies("collector")]),
)
def test_a_rendered_message_is_read_back(acts: list[Act], said: str, strategy: str | None) -> None:
    turn = Turn("collector", said, tuple(acts), thoughts="one two", strategy=strategy)
    read = parse_message(render_message(turn), "collector")
    meant = tuple(a for a in acts if a.kind != "non") or (NON,)
    assert (read.acts, read.dialogue, read.thoughts, read.strategy) == (
        meant, said, "one two", strategy,
    )  # fmt: skip


def test_a_value_off_the_grid_is_rendered_as_it_was_said() -> None:
    read = parse_message("Action: ask(disc_ratio=13.7%)\nDialogue: x", "debtor")
    again = parse_message(render_message(Turn("debtor", "x", read.acts)), "debtor")
    assert again.acts == read.acts


def assert_legal_or_told(text: str, seat: Seat) -> bool:
    """Whether a message was read; no other error than the one that is for the writer."""
    try:
        read = parse_message(text, seat)
    except ActSyntaxError:
        return False
    assert read.dialogue
    assert read.acts
    for found in read.acts:
        assert found.value is None or (found.dim and found.value in GRID[found.dim])
        assert found.kind != "leave" or seat == "debtor"
    return True


PIECES = (
    "Thoughts: ", "Strategy: ", "Action: ", "Dialogue: ", "**Action**: ", "动作：", "对话：", "\n", "\n",
    "ask(", "accept(", "reject(", "non", "leave()", ")", "(", "disc_ratio", "pmt_ratio", "pmt_days",
    "inst_prds", "=", "=5%", "=0.3", "=12 months", "=1e9", "=-3", "=nan", "=∞", "％", "５", ", ", "; ",
    " and ", "<think>", "</think>", "{", "}", '"', "```json\n", "```", '{"action": ', '"dialogue": "x"',
    "hello there", "：", "\u0000", "🙂", "[", "]", "null", "百分之五", "complaint", "*", "#", "- ",
)  # fmt: skip
WHOLE = "Thoughts: hm\nStrategy: complaint\nAction: ask(disc_ratio=5%), accept(pmt_days=7)\nDialogue: Hi."


def fuzzed(rng: random.Random) -> str:
    """A message put together from pieces, or a good one with a few characters changed."""
    if rng.random() < 0.5:
        return "".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 25)))
    text = list(WHOLE)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(text))
        text[at] = rng.choice((rng.choice(PIECES), chr(rng.randrange(1, 0x2FFF)), ""))
    return "".join(text)


def test_100_000_fuzzed_messages_bring_no_other_error_and_no_illegal_term() -> None:
    rng = random.Random(7)
    read = sum(
        assert_legal_or_told(fuzzed(rng), "collector" if i % 2 else "debtor")
        for i in range(100_000)
    )
    assert 5_000 < read < 50_000


@given(st.text(max_size=300), st.sampled_from(["collector", "debtor"]))
def test_any_text_at_all(text: str, seat: Seat) -> None:
    assert_legal_or_told(text, seat)
    assert_legal_or_told(f"Action: {text}\nDialogue: x", seat)
    assert_legal_or_told(f'{{"action": {text}, "dialogue": "x"}}', seat)


@pytest.mark.parametrize(
    "text",
    ["Action: " + "ask(" * 25_000, "*" * 100_000, "Action: " + "a" * 100_000, " " * 100_000,
     "Action: ask(disc_ratio=" + "9" * 100_000 + ")", "{" * 100_000, "<think>" * 15_000,
     "Thoughts: " * 10_000, "\n" * 100_000, "Action: " + "non " * 25_000 + "\nDialogue: x"],
)  # fmt: skip
def test_a_hundred_kilobytes_of_anything_end(text: str) -> None:
    assert_legal_or_told(text, "debtor")
