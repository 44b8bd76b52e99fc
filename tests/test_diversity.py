"""How varied talks are: known values by hand, sizes that compare, and who pushes back."""

import json
from collections.abc import Mapping, Sequence
from math import log2
from pathlib import Path

import numpy as np
import pytest

from arrears.bench.plan import make_plan
from arrears.bench.run import run
from arrears.debtors.suites import load_suite
from arrears.dialogue.acts import LEAVE, NON, Act, act
from arrears.dialogue.record import Dialogue, Turn, as_line
from arrears.errors import BrokenFile
from arrears.rng import rng_for
from arrears.strategies import Seat
from arrears.synthesis.realism import conduct, uniformity
from arrears.synthesis.realism.diversity import diversity, diversity_tables
from arrears.synthesis.realism.talks import Said, Talk, failed_in, from_dialogue, read_talks
from arrears.synthesis.realism.words import count, ngrams, tokens
from arrears.terms import Mandate
from tests.commands import arrears

# Self-BLEU is sacrebleu's.
pytestmark = pytest.mark.synthesis


@pytest.fixture
def rng() -> np.random.Generator:
    """The same for each test."""
    return rng_for(1, "test")


def talk(name: str, *said: tuple[Seat, str]) -> Talk:
    """A talk of words only."""
    return Talk(name, tuple(Said(seat, text) for seat, text in said))


def word(i: int) -> str:
    """A word of its own for each number."""
    return "x" + "".join("abcdefghij"[int(digit)] for digit in str(i))


def dialogue(*said: tuple[Seat, Sequence[Act]], ending: str = "max_turns") -> Dialogue:
    """A talk of acts; the words do not matter."""
    turns = tuple(
        Turn(seat, "Words.", tuple(acts), number=1 + i // 2) for i, (seat, acts) in enumerate(said)
    )
    return Dialogue(
        case="a", suite="s", debtor_id="d", collector="c", debtor_seat="d", mandate=Mandate(),
        turns=turns, ending=ending, terms=None,
    )  # type: ignore[arg-type]  # fmt: skip


def test_tokens_are_words_numbers_and_chinese_characters() -> None:
    assert tokens("I can’t pay 12,000.50 yuan — NOW!") == [
        "i",
        "can't",
        "pay",
        "12,000.50",
        "yuan",
        "now",
    ]
    assert tokens("我还不起3000元, OK?") == ["我", "还", "不", "起", "3000", "元", "ok"]
    assert tokens("…!?") == []
    assert ngrams(["a", "b", "c"], 2) == [("a", "b"), ("b", "c")]
    assert ngrams(["a"], 2) == []


def test_distinct_by_hand(rng: np.random.Generator) -> None:
    """a b a b: two words of four, two pairs of three, two triples of two."""
    one, two, three = uniformity.distinct([["a b a b"]], rng, budget=4) or ()
    assert (one.value, two.value, three.value) == (0.5, pytest.approx(2 / 3), 1.0)
    assert uniformity.distinct([["a b a"]], rng, budget=4) is None


def test_ngrams_do_not_cross_utterances(rng: np.random.Generator) -> None:
    found = uniformity.distinct([["a b", "a b"]], rng, budget=4)
    assert found is not None
    assert found[1].value == 0.5, "two pairs, both `a b`; `b a` is nobody's"


def test_a_larger_set_of_the_same_kind_is_not_less_varied(rng: np.random.Generator) -> None:
    """The budget is fixed, so that sets of different sizes compare."""
    words = [word(i) for i in range(60)]
    speech = [[" ".join(rng.choice(words, 20))] for _ in range(400)]
    small = uniformity.distinct(speech[:60], rng, budget=500)
    large = uniformity.distinct(speech, rng, budget=500)
    assert small is not None
    assert large is not None
    assert small[1].value == pytest.approx(large[1].value, abs=0.02)
    whole = {g for [text] in speech for g in ngrams(tokens(text), 2)}
    assert len(whole) / (400 * 19) < large[1].value - 0.2, "without a budget it would be far less"


def test_self_bleu_of_the_same_and_of_disjoint_words(rng: np.random.Generator) -> None:
    same = [["i cannot pay you this month"] for _ in range(12)]
    found = uniformity.self_bleu(same, rng, references=5)
    assert found is not None
    assert found.value == pytest.approx(100)
    apart = [[" ".join(word(6 * i + k) for k in range(6))] for i in range(12)]
    found = uniformity.self_bleu(apart, rng, references=5)
    assert found is not None
    assert found.value < 1
    assert uniformity.self_bleu(same[:5], rng, references=5) is None, "too few others"


def test_self_bleu_holds_an_utterance_against_other_dialogues_only(
    rng: np.random.Generator,
) -> None:
    """A person who repeats herself is not two people who are alike."""
    own = [[" ".join(word(6 * i + k) for k in range(6))] * 9 for i in range(12)]
    found = uniformity.self_bleu(own, rng, references=5)
    assert found is not None
    assert found.value < 1


def test_repeats_are_told_without_case_and_marks(rng: np.random.Generator) -> None:
    spoken = [["Hello!"], ["hello"], ["I cannot."], ["Not me."]]
    found = uniformity.repeats(spoken, rng, among=4)
    assert found is not None
    assert found.value == 0.5
    assert uniformity.repeats(spoken, rng, among=5) is None


def test_chinese_is_measured_in_characters(rng: np.random.Generator) -> None:
    found = uniformity.distinct([["我没钱", "我没钱"]], rng, budget=6)
    assert found is not None
    assert found[0].value == 0.5
    same = uniformity.self_bleu([["我现在没有钱还"]] * 4, rng, references=3)
    assert same is not None
    assert same.value == pytest.approx(100)
    talks = [talk("a", ("debtor", "请你等等，谢谢，对不起"))]
    assert conduct.lengths(talks, "debtor", rng)["mean"].value == 9
    assert {k: count(k, talks[0].said[0].text) for k in ("please", "thanks", "sorry", "curses")} == {
        "please": 1, "thanks": 1, "sorry": 1, "curses": 0,
    }  # fmt: skip


def test_entropy_by_hand(rng: np.random.Generator) -> None:
    for labels, bits in (
        ([["x", "x"], ["x"]], 0.0),
        ([["x"], ["y"]], 1.0),
        ([["x", "y"], ["z", "w"]], 2.0),
        ([["x", "x", "x"], ["y"]], 0.75 * log2(4 / 3) + 0.25 * 2),
    ):
        found = conduct.entropy(labels, rng)  # type: ignore[arg-type]
        assert found is not None
        assert found.value == pytest.approx(bits)
        assert str(found.value)[0] != "-"
    assert conduct.entropy([[], []], rng) is None


def test_lengths_by_hand(rng: np.random.Generator) -> None:
    talks = [
        talk("a", ("debtor", "one two three"), ("debtor", "one")),
        talk("b", ("debtor", "a b")),
    ]
    found = conduct.lengths(talks, "debtor", rng)
    assert found["mean"].value == 2
    assert found["sd"].value == pytest.approx(np.std([3, 1, 2]))
    assert found["p50"].value == 2
    assert conduct.lengths(talks, "collector", rng) == {}


def test_manners_by_hand(rng: np.random.Generator) -> None:
    """Ten words: one please, one thanks; an insult is what the ear hears."""
    polite = talk("a", ("debtor", "Please wait a little longer for me, thank you all."))
    found = conduct.manners([polite], "debtor", rng)
    assert (found["please"].value, found["thanks"].value) == (10, 10)
    assert found["insults"].value == found["curses"].value == 0
    rude = talk("b", ("debtor", "You are a liar and a crook, damn you."))
    found = conduct.manners([rude], "debtor", rng)
    assert found["insults"].value > 10
    assert found["curses"].value == pytest.approx(100 / 9)
    assert conduct.rudeness([polite, rude], "debtor")["dialogues"].value == 0.5


def test_who_pushes_back() -> None:
    """A counter-ask, a reject and a leave do; a first wish, a yes and silence do not."""
    found = from_dialogue(
        dialogue(
            ("collector", [act("ask", "inst_prds", 6)]),
            ("debtor", [act("ask", "pmt_ratio", 0.1)]),  # nobody had spoken of that
            ("collector", [act("accept", "pmt_ratio", 0.1)]),
            ("debtor", [act("ask", "inst_prds", 12)]),  # another than the live 6
            ("collector", [act("ask", "inst_prds", 12)]),  # takes it
            ("debtor", [act("ask", "inst_prds", 12)]),  # the same as the live one
            ("collector", [act("ask", "pmt_days", 3)]),
            ("debtor", [NON, act("reject", "pmt_days")]),
            ("collector", [NON]),
            ("debtor", [LEAVE]),
        )
    )
    assert [s.pushes_back for s in found.said if s.seat == "debtor"] == [
        False,
        True,
        False,
        True,
        True,
    ]
    assert [s.pushes_back for s in found.said if s.seat == "collector"] == [False] * 5
    assert found.ending == "max_turns"


def test_push_back_is_a_share_of_turns_and_of_dialogues(rng: np.random.Generator) -> None:
    contrary = from_dialogue(
        dialogue(
            ("collector", [act("ask", "inst_prds", 6)]), ("debtor", [act("reject", "inst_prds")])
        )
    )
    meek = from_dialogue(
        dialogue(
            ("collector", [act("ask", "inst_prds", 6)]), ("debtor", [NON]),
            ("collector", [NON]), ("debtor", [act("accept", "inst_prds", 6)]),
            ("collector", [NON]), ("debtor", [NON]),
        )
    )  # fmt: skip
    found = conduct.push_back([contrary, meek], "debtor", rng)
    assert found["turns"].value == 0.25
    assert found["dialogues"].value == 0.5
    words_only = [talk("a", ("debtor", "No."))]
    assert conduct.push_back(words_only, "debtor", rng) == {}
    assert conduct.act_entropy(words_only, "debtor", rng) == {}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored run of sixty built-in talks."""
    people = {"debtbench": load_suite("debtbench")[:60]}
    folder = tmp_path_factory.mktemp("diversity") / "run"
    run(make_plan(people, collectors=("scripted/typical",)), people, folder, workers=1)
    return folder


def test_a_run_is_read_with_its_acts_and_other_talks_with_words_only(
    played: Path, tmp_path: Path
) -> None:
    talks = read_talks(played)
    assert len(talks) == 60
    assert all(t.has_acts and t.ending for t in talks)
    assert read_talks(played / "dialogues.jsonl") == talks
    plain = tmp_path / "own.jsonl"
    plain.write_text('{"id": 1, "turns": [{"role": "customer", "text": "No."}]}\n')
    (own,) = read_talks(plain)
    assert (own.has_acts, own.ending, own.said) == (False, "", (Said("debtor", "No."),))


def test_a_torn_last_line_of_a_run_is_passed_over_and_a_broken_one_is_not(
    played: Path, tmp_path: Path
) -> None:
    lines = (played / "dialogues.jsonl").read_bytes().splitlines(keepends=True)
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(b"".join(lines[:3]) + lines[3][:200])
    assert len(read_talks(torn)) == 3
    torn.write_bytes(lines[0] + lines[1][:200] + b"\n" + lines[2])
    with pytest.raises(BrokenFile, match="line 2"):
        read_talks(torn)
    silent = tmp_path / "silent.jsonl"
    silent.write_bytes(as_line(dialogue()))
    with pytest.raises(BrokenFile, match="in which anybody spoke"):
        read_talks(silent)


def test_dialogues_that_failed_from_outside_are_in_no_figure_and_are_counted(
    played: Path, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (played / "dialogues.jsonl").read_text().splitlines()][:5]
    for row in rows[:2]:
        row |= {"ending": "error", "terms": None, "detail": "debtor: ModelError: 502"}
    file = tmp_path / "run.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [t.id for t in read_talks(file)] == [row["case"] for row in rows[2:]]
    assert failed_in(file) == 2
    assert failed_in(played) == 0
    done = arrears("debtors", "analyse", "dcn", "--dialogues", str(file))
    assert done.returncode == 0, done.stderr
    assert "run: 2 of 5 dialogues ended as error" in done.stdout
    file.write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(BrokenFile, match="anybody spoke; 1 dialogues in it ended as error"):
        read_talks(file)


def test_the_same_talks_give_the_same_figures_whatever_stands_beside_them(played: Path) -> None:
    talks = read_talks(played)
    alone = diversity({"x": talks})
    beside = diversity({"other": [talk("a", ("debtor", "No."))], "y": talks})
    assert beside["y"] == alone["x"]
    debtor: Mapping[str, object] = alone["x"]["debtor"]
    assert {"distinct-1", "self-BLEU", "push turns", "strategies", "endings"} <= set(debtor)
    assert (
        "repeats" not in debtor
        or len([s for t in talks for s in t.said if s.seat == "debtor"]) >= 500
    )
    assert list(beside["other"]) == ["debtor"]
    titles = [t.title for t in diversity_tables({"x": talks}, alone)]
    assert titles == [
        "What was measured", "Uniformity of words", "Length of a message", "Manners, in 100 words",
        "What is done",
    ]  # fmt: skip
    words_only = {"w": [talk("a", ("debtor", "No."))]}
    assert "What is done" not in [
        t.title for t in diversity_tables(words_only, diversity(words_only))
    ]


def test_a_seat_that_knows_one_sentence_is_found_out(played: Path) -> None:
    """What the measures are for: the same talks with a parrot in the debtor's seat."""
    talks = read_talks(played)
    parrot = [
        Talk(
            t.id,
            tuple(
                Said(s.seat, "I am sorry, please give me some more time.", (NON,))
                if s.seat == "debtor" else s
                for s in t.said
            ),
            t.ending,
        )
        for t in talks
    ]  # fmt: skip
    found = diversity({"ours": talks, "parrot": parrot})
    ours, theirs = (
        {k: f.value or 0.0 for k, f in found[name]["debtor"].items()} for name in ("ours", "parrot")
    )
    assert theirs["self-BLEU"] == pytest.approx(100)
    assert theirs["self-BLEU"] > ours["self-BLEU"] + 30
    assert theirs["distinct-2"] < 0.02 < ours["distinct-2"]
    assert theirs["acts kinds"] == theirs["push turns"] == 0
    assert theirs["manners sorry"] > ours["manners sorry"]
