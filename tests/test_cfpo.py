"""A round of CFPO: what is weighed, what it costs, and that nothing is asked twice or invented."""

import json
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from arrears.debtors.suites import load_suite
from arrears.dialogue.acts import NON
from arrears.dialogue.parser import parse_message
from arrears.dialogue.record import Dialogue, Turn
from arrears.terms import Mandate
from arrears.training.cfpo.cost import estimate
from arrears.training.cfpo.plan import Course
from arrears.training.cfpo.rounds import course_of
from arrears.training.cfpo.run import weigh_all
from arrears.training.cfpo.stored import as_line, from_line, read_all
from arrears.training.cfpo.weigh import Candidate, Moment, Playout, Weighed
from arrears.training.conversations import Briefing, asked_now, written
from tests.commands import ARREARS, arrears
from tests.halting import wait_until
from tests.stub_minds import verdict
from tests.stub_server import Faults, Stub

PEOPLE = load_suite("debtbench", "test")[:6]
_TEMPERS = ((0, 25), (0, 5), (15, 10), (30, 5), (5, 50), (10, 20))


def mind(request: Mapping[str, Any]) -> str:
    """A policy that says something else each time it is drawn, a judge, and a debtor who gives in."""
    system = request["messages"][0]["content"]
    if "coach" in system:
        count = int(re.search(r"Give (\d+) marks", request["messages"][1]["content"])[1])  # type: ignore[index]
        return json.dumps({"marks": [10 - n for n in range(count)], "reason": "the first is best"})
    if '"satisfaction"' in system:
        return verdict(request)
    said = sum(m["role"] == "assistant" for m in request["messages"])
    if said == 0:
        return f"Strategy: financial assessment\nAction: non\nDialogue: How are you, {request['seed'] % 9}?"
    disc, pmt = _TEMPERS[crc32(str(request["seed"]).encode()) % 6]
    terms = (f"disc_ratio={disc}%", f"pmt_ratio={pmt}%", "pmt_days=7", "inst_prds=12")
    return (
        f"Strategy: repayment negotiation\nAction: {', '.join(f'ask({t})' for t in terms)}\n"
        f"Dialogue: {disc}% off and {pmt}% now, number {said}."
    )


def course(policy: str, **rest: Any) -> Course:
    """A small round."""
    return course_of(
        policy, "debtbench", PEOPLE,
        **{"seed": 3, "candidates": 5, "keep": 3, "playouts": 2, "max_turns": 8, **rest},
    )  # fmt: skip


# A round


def test_a_round_over_a_server(tmp_path: Path) -> None:
    with Stub(mind) as stub:
        plan = course(stub.spec("policy"), judge=stub.spec("judge"))
        made = weigh_all(plan, PEOPLE, tmp_path / "r")
        kinds = Counter(r["messages"][0]["content"][:9] for r in stub.requests)
    talks = list(read_all(tmp_path / "r" / "weighed.jsonl"))
    assert len(talks) == made.talks == made.moments == len(PEOPLE)
    assert kinds["You coach"] == 2 * sum(
        any(c.mark for c in t.moments[0].candidates) for t in talks
    )
    for talk in talks:
        (moment,) = talk.moments
        assert moment.number <= talk.dialogue.exchanges
        played = [c for c in moment.candidates if c.playouts]
        unlike = len({(c.turn.acts, c.turn.dialogue) for c in moment.candidates})
        assert unlike == len(moment.candidates)
        assert len(played) == (min(3, unlike) if unlike > 1 else 0)
        assert all(len(c.playouts) == 2 for c in played)
        # The judge likes what stands first, forward and backward: it can prefer nobody.
        assert len({c.mark for c in moment.candidates}) == 1
    rows = [json.loads(line) for line in made.path.read_text().splitlines()]
    assert len(rows) == made.pairs > 0
    for row in rows:
        assert [m["role"] for m in row["prompt"]][:2] == ["system", "user"]
        assert row["prompt"][-1]["role"] == "user"
        assert row["chosen"] != row["rejected"]
        assert row["about"]["chosen_reward"] - row["about"]["rejected_reward"] >= 0.05


def test_a_playout_keeps_the_past_and_changes_the_future(tmp_path: Path) -> None:
    """Whatever is asked after the turn begins with the same past and one of the candidates."""
    with Stub(mind) as stub:
        plan = course(stub.spec("policy"), candidates=3, keep=3, playouts=3)
        weigh_all(plan, PEOPLE, tmp_path / "r")
        asked = [r["messages"] for r in stub.requests]
    people = {f"debtbench/{d.id}": d for d in PEOPLE}
    luck = 0
    for talk in read_all(tmp_path / "r" / "weighed.jsonl"):
        (moment,) = talk.moments
        account = people[talk.case].background
        briefing = Briefing("debtbench", max_turns=8)
        past = [t for t in talk.dialogue.turns if t.number < moment.number]
        before = asked_now(past, account, briefing)
        ways = [c.turn for c in moment.candidates]
        ways += [t for t in talk.dialogue.turns if t.number == moment.number][:1]
        answers = {written(turn, "debtbench") for turn in ways}
        later = [m for m in asked if m[0] == before[0] and len(m) > len(before)]
        futures: dict[str, set[str]] = {}
        for messages in later:
            assert messages[: len(before)] == before
            answer, *rest = messages[len(before) :]
            parsed = parse_message(answer["content"], "collector")
            assert any(parsed.dialogue in known for known in answers)
            futures.setdefault(parsed.dialogue, set()).add(rest[0]["content"])
        luck += sum(len(ends) > 1 for ends in futures.values())
    assert luck, "the same message met the same answer in every playout"


def test_the_policy_plays_greedily_while_its_candidates_vary(tmp_path: Path) -> None:
    """A loop of a greedy collector is met only where the talk that is branched is greedy too."""
    with Stub(mind) as stub:
        plan = course(
            stub.spec("policy"), without="filter", temperature=0.9, playout_temperature=0.0
        )
        weigh_all(plan, PEOPLE, tmp_path / "r")
        sent = [(r["temperature"], len(r["messages"])) for r in stub.requests]
    talks = list(read_all(tmp_path / "r" / "weighed.jsonl"))
    # A talk's own messages and its playouts', each once; N candidates a turn.
    assert Counter(heat for heat, _ in sent) == {
        0.0: sum(
            t.dialogue.exchanges
            + sum(p.turns - m.number for m in t.moments for c in m.candidates for p in c.playouts)
            for t in talks
        ),
        0.9: plan.candidates * sum(len(t.moments) for t in talks),
    }


def test_ablations(tmp_path: Path) -> None:
    with Stub(mind) as stub:
        policy, judge = stub.spec("policy"), stub.spec("judge")
        all_played = course(policy, judge=judge, without="filter")
        weigh_all(all_played, PEOPLE, tmp_path / "f")
        assert not any("coach" in r["messages"][0]["content"] for r in stub.requests)
        for talk in read_all(tmp_path / "f" / "weighed.jsonl"):
            for moment in talk.moments:
                assert all(c.mark is None for c in moment.candidates)
                assert len(moment.candidates) == 1 or all(c.playouts for c in moment.candidates)
        stub.requests.clear()
        weigh_all(course(policy, without="simulation"), PEOPLE, tmp_path / "s")
    talks = list(read_all(tmp_path / "s" / "weighed.jsonl"))
    assert not any(c.playouts for t in talks for m in t.moments for c in m.candidates)
    rows = (tmp_path / "s" / "pairs.jsonl").read_text().splitlines()
    assert rows
    assert all(json.loads(row)["about"]["chosen_reward"] is None for row in rows)


def test_two_ways_of_saying_the_same_are_one_candidate_where_acts_count(tmp_path: Path) -> None:
    with Stub(mind) as stub:
        for unlike in ("words", "acts"):
            weigh_all(course(stub.spec("p"), unlike=unlike), PEOPLE, tmp_path / unlike)
    words, acts = (
        {t.case: t.moments[0].candidates for t in read_all(tmp_path / name / "weighed.jsonl")}
        for name in ("words", "acts")
    )
    fewer = 0
    for case, found in acts.items():
        kinds = [(c.turn.acts, c.turn.strategy) for c in found]
        assert len(set(kinds)) == len(kinds)
        assert set(kinds) == {(c.turn.acts, c.turn.strategy) for c in words[case]}
        fewer += len(found) < len(words[case])
    assert fewer


def test_faults_change_nothing_and_what_failed_is_told(tmp_path: Path) -> None:
    def unsure(request: Mapping[str, Any]) -> str:
        return (
            "I don't do lists." if "coach" in request["messages"][0]["content"] else mind(request)
        )

    from arrears.models.backends import Settings
    from arrears.models.retries import Patience

    settings = Settings(patience=Patience(8, 0.001))
    with Stub(mind) as stub:
        weigh_all(course(stub.spec("p")), PEOPLE, tmp_path / "a", settings=settings)
    kinds = ("429", "500", "dropped", "truncated", "no choices")
    with Stub(mind, Faults(0.3, kinds)) as stub:
        weigh_all(course(stub.spec("p")), PEOPLE, tmp_path / "b", settings=settings)
        assert sum(stub.faults.seen.values()) > 50
    a, b = (
        {t.case: t.moments for t in read_all(tmp_path / name / "weighed.jsonl")} for name in "ab"
    )
    assert a == b
    with Stub(unsure) as stub:
        plan = course(stub.spec("p"), judge=stub.spec("j"))
        made = weigh_all(plan, PEOPLE, tmp_path / "c", settings=settings)
    assert made.unjudged == sum(len(m.candidates) > 1 for ms in a.values() for m in ms)
    assert made.pairs == 0


def test_a_killed_round_goes_on_where_it_was(tmp_path: Path) -> None:
    from arrears.debtors.store import write_debtors

    write_debtors(tmp_path / "people.jsonl", PEOPLE)
    with Stub(mind) as stub:
        words = (
            "train", "cfpo", "--model", stub.spec("p"), "--debtors", str(tmp_path / "people.jsonl"),
            "--pairs-only", "--candidates", "4", "--playouts", "1", "--max-turns", "6",
            "--concurrency", "1",
        )  # fmt: skip
        whole = arrears(*words, "--out", str(tmp_path / "whole"))
        assert whole.returncode == 0, whole.stderr
        assert re.search(r"p@\S+: \d+ calls, [\d,]+ tokens in", whole.stderr)
        out = tmp_path / "killed"
        weighed = out / "round-1" / "weighed.jsonl"
        for wanted in (1, 3):
            process = subprocess.Popen(
                [*ARREARS, *words, "--out", str(out)], stderr=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, env=dict(os.environ),
            )  # fmt: skip
            wait_until(
                lambda n=wanted: weighed.exists() and weighed.read_bytes().count(b"\n") >= n,
                process,
            )
            process.send_signal(signal.SIGKILL)
            process.wait()
        before = set(weighed.read_bytes().splitlines())
        again = arrears(*words, "--out", str(out))
        assert again.returncode == 0, again.stderr
        assert before <= set(weighed.read_bytes().splitlines())
        other = arrears(*words, "--out", str(out), "--keep", "2")
        assert other.returncode == 2
        assert "holds another round of CFPO; it differs in keep" in other.stderr
    name = "round-1/pairs.jsonl"
    assert (tmp_path / "whole" / name).read_bytes() == (out / name).read_bytes()


def test_what_is_stored_reads_back(tmp_path: Path) -> None:
    hello = Turn("collector", "Hello.", (NON,))
    playout = Playout("agreed", 3, None, 0.5, 0.5, 0.5)
    dialogue = Dialogue(
        case="s/d", suite="s", debtor_id="d", collector="x", debtor_seat="y", mandate=Mandate(),
        turns=(hello,), ending="max_turns", terms=None,
    )  # fmt: skip
    weighed = Weighed("s/d", dialogue, (Moment(1, (Candidate(hello, 3.0, (playout,)),), 2, "why"),))
    assert from_line(as_line(weighed), tmp_path) == weighed


# What it will cost, and what cannot be


def test_the_cost_is_told_kind_by_kind() -> None:
    plan = course("openai/p", judge="openai/j", experience="openai/e", debtor_seat="openai/d",
                  max_turns=12)  # fmt: skip
    lines = {line.what: line for line in estimate(plan).lines}
    assert lines["talks"].calls == round(6 * 8.14)
    assert lines["candidates"].calls == 6 * 5
    assert lines["marks"].calls == 2 * 6
    assert lines["experience"].calls == estimate(plan).playouts == 6 * 3 * 2
    assert lines["playouts"].calls == round(36 * 7.14 / 2)
    assert lines["debtor"].calls == round(6 * 8.14 + 36 * (7.14 / 2 + 0.5))
    bare = course("openai/p", without="simulation")
    assert [line.what for line in estimate(bare).lines] == ["talks", "candidates"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--model", "scripted/firm"), "cannot learn"),
        (("--judge", "scripted/nobody"), "cannot judge"),
        (("--keep", "9"), "keep must not be larger"),
        (("--suite", "dcn"), "one of the two"),
        (("--weights", "1"), "two numbers"),
        (("--weights", "0,0"), "one is positive"),
        (("--weights", "-1,2"), "not negative"),
        (("--weights", "nan,1"), "one is positive"),
        (("--rounds", "2"), "one round"),
        (("--recipe", "nano-sft"), "learns by dpo"),
        (("--limit", "99"), "has 6"),
        (("--lang", "zh"), "English only"),
        (("--drawn", "acts"), "only a local policy"),
    ],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], why: str, tmp_path: Path) -> None:
    from arrears.debtors.store import write_debtors

    write_debtors(tmp_path / "people.jsonl", PEOPLE)
    done = arrears(
        "train", "cfpo", "--model", "compat/p@http://127.0.0.1:9/v1", "--debtors",
        str(tmp_path / "people.jsonl"), "--pairs-only", "--out", str(tmp_path / "o"), *words,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert why in done.stderr
    assert not (tmp_path / "o").exists()
