"""Models over HTTP: the protocol, whole dialogues in both seats, what is stored and what is paid."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest

from arrears.debtors.suites import load_suite
from tests.commands import ARREARS, arrears, bench
from tests.stub_minds import PLAN, BuiltIn, canned, seat_of
from tests.stub_server import KEY, Faults, Stub


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A server that never fails."""
    with Stub(canned) as server:
        yield server


def test_the_official_sdk_understands_the_stub() -> None:
    """So that what we test against is the protocol and not our idea of it."""
    with Stub(canned, key=KEY) as stub:
        client = openai.OpenAI(api_key=KEY, base_url=stub.base, max_retries=0)
        messages: Any = [{"role": "system", "content": "x"}, {"role": "user", "content": "hello"}]
        answer = client.chat.completions.create(model="m", messages=messages, seed=3)
        assert answer.choices[0].message.content == canned({"messages": messages})
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage is not None
        assert answer.usage.prompt_tokens == 2
        with pytest.raises(openai.BadRequestError, match="alternate"):
            client.chat.completions.create(model="m", messages=messages * 2)
        bad = openai.OpenAI(api_key="sk-other", base_url=stub.base, max_retries=0)
        with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
            bad.chat.completions.create(model="m", messages=messages)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429", openai.RateLimitError),
        ("429 with Retry-After", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("dropped", (openai.APIConnectionError, openai.APIError)),
        ("truncated", Exception),
        ("garbage", Exception),
    ],
)
def test_the_official_sdk_sees_the_stubs_faults(fault: str, error: Any) -> None:
    with Stub(canned, Faults(1.0, [fault])) as stub:
        client = openai.OpenAI(api_key=KEY, base_url=stub.base, max_retries=0)
        with pytest.raises(error):
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hello"}]
            )


@pytest.mark.parametrize("suite", ["dcn", "debtbench"])
def test_a_server_that_behaves_like_the_built_in_seats_gives_the_same_dialogues(
    suite: str, tmp_path: Path
) -> None:
    """One loop, one ledger, no second path: only what travels in requests reaches the model."""
    what = ("--suite", suite, "--limit", "25", "--seed", "4")
    people = load_suite(suite, "test")[:25]
    here = bench(tmp_path / "here", *what, "--collector", "scripted/typical")
    with Stub(BuiltIn(suite, people, seed=4)) as stub:
        there = bench(
            tmp_path / "there", *what, "--collector", stub.spec("scripted/typical"),
            "--debtor-seat", stub.spec("scripted/debtor"), "--concurrency", "8",
        )  # fmt: skip
    assert len(here) == len(there) == 25
    for a, b in zip(here, there, strict=True):
        assert (a.debtor_id, a.ending, a.terms) == (b.debtor_id, b.ending, b.terms)
        assert [spoken(t) for t in a.turns] == [spoken(t) for t in b.turns]


def spoken(turn: Any) -> tuple[Any, ...]:
    """All of a turn that a message carries."""
    return turn.seat, turn.dialogue, turn.acts, turn.thoughts, turn.strategy, turn.effects


def test_seed_temperature_and_limits_reach_the_server(stub: Stub, tmp_path: Path) -> None:
    bench(
        tmp_path, "--suite", "dcn", "--limit", "2", "--collector", stub.spec("m"),
        "--debtor-seat", stub.spec("deepseek-r1"), "--temperature", "0.7",
    )  # fmt: skip
    seeds: dict[str, set[int]] = {}
    for request in stub.requests:
        assert request["temperature"] == 0.7
        assert request["max_tokens"] == (4096 if request["model"] == "deepseek-r1" else 1024)
        seeds.setdefault(request["messages"][0]["content"], set()).add(request["seed"])
    assert len(seeds) == 4, "two dialogues, two seats each"
    assert all(len(found) == 1 for found in seeds.values()), "one seed for a seat in a talk"
    assert len({s for found in seeds.values() for s in found}) == 4


def test_each_request_of_a_seat_begins_with_its_previous_request(
    stub: Stub, tmp_path: Path
) -> None:
    """What was sent before is the beginning of what is sent now, so a server can reuse it."""
    bench(
        tmp_path, "--suite", "debtbench", "--limit", "5", "--collector", stub.spec("m"),
        "--debtor-seat", stub.spec("m"),
    )  # fmt: skip
    before: dict[str, list[Any]] = {}
    for request in stub.requests:
        messages = request["messages"]
        earlier = before.get(messages[0]["content"], [])
        assert messages[: len(earlier)] == earlier
        assert len(messages) == len(earlier) + 2 or not earlier
        text = orjson.dumps(request)
        assert text.index(b'"messages"') > text.index(b'"model"'), "what grows comes last"
        before[messages[0]["content"]] = messages
    assert len(before) == 10


def test_nothing_private_to_one_seat_is_sent_for_the_other(stub: Stub, tmp_path: Path) -> None:
    people = load_suite("debtbench", "test")[:8]
    talks = bench(
        tmp_path, "--suite", "debtbench", "--limit", "8", "--collector", stub.spec("m"),
        "--debtor-seat", stub.spec("m"),
    )  # fmt: skip
    assert {t.ending for t in talks} == {"agreed"}
    for request in stub.requests:
        text = "\n".join(m["content"] for m in request["messages"])
        if seat_of(request) == "collector":
            for person in people:
                assert person.finances.overdue_reason.text not in text
                assert person.scenario is not None
                assert person.scenario.story not in text
                assert f"{person.finances.assets:,.2f}" not in text
        else:
            assert "Thoughts: exchange" not in text, "the collector's thoughts stay with it"


def test_reasoning_is_kept_apart_from_what_is_said(tmp_path: Path) -> None:
    def thinks(request: Mapping[str, Any]) -> str:
        return f"<think>\nThey have {len(request['messages'])}.\n</think>\n{canned(request)}"

    with Stub(thinks) as stub:
        talks = bench(
            tmp_path, "--suite", "dcn", "--limit", "1", "--collector", stub.spec("m"),
            "--debtor-seat", stub.spec("m"),
        )  # fmt: skip
        for request in stub.requests:
            assert "<think>" not in orjson.dumps(request).decode(), "no reasoning is sent back"
    assert all(turn.reasoning.startswith("They have") for turn in talks[0].turns)
    assert all("They have" not in turn.thoughts for turn in talks[0].turns)


def test_a_message_that_cannot_be_read_is_sent_back_twice_and_then_ends_the_talk(
    tmp_path: Path,
) -> None:
    def stubborn(request: Mapping[str, Any]) -> str:
        return "I would rather just chat."

    with Stub(stubborn) as stub:
        talks = bench(tmp_path, "--suite", "dcn", "--limit", "1", "--collector", stub.spec("m"))
        assert len(stub.requests) == 3
        assert "no Action part" in stub.requests[1]["messages"][-1]["content"]
    assert talks[0].ending == "malformed"
    assert "I would rather just chat." in talks[0].detail


def test_an_empty_answer_is_never_an_empty_turn(tmp_path: Path) -> None:
    answers = iter(["", "   "])

    def shy(request: Mapping[str, Any]) -> str:
        return next(answers, canned(request))

    with Stub(shy) as stub:
        talks = bench(
            tmp_path, "--suite", "dcn", "--limit", "1", "--collector", stub.spec("m"),
            "--debtor-seat", stub.spec("m"),
        )  # fmt: skip
    assert talks[0].ending == "agreed"
    assert all(turn.dialogue for turn in talks[0].turns)


def test_keys_are_sent_and_never_kept(tmp_path: Path) -> None:
    with Stub(canned, key=KEY) as stub:
        words = ("--suite", "dcn", "--limit", "1", "--collector", "openai/gpt-4o-mini")
        env = {"OPENAI_BASE_URL": stub.base, "OPENAI_API_KEY": KEY}
        talks = bench(tmp_path / "good", *words, "--debtor-seat", "openai/gpt-4o-mini", env=env)
        assert talks[0].ending == "agreed"
        wrong = {**env, "OPENAI_API_KEY": "sk-wrong-987"}
        talks = bench(tmp_path / "bad", *words, env=wrong, failing=True)
        assert "Incorrect API key" in talks[0].detail
        assert stub.requests[0]["max_completion_tokens"] == 1024
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file
            assert b"sk-wrong-987" not in file.read_bytes(), file


def test_a_missing_key_is_told_before_anything_is_spent(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
    done = subprocess.run(
        [*ARREARS, "bench", "--suite", "dcn", "--collector", "openai/gpt-4o", "--out",
         str(tmp_path / "run")], capture_output=True, text=True, env=env,
    )  # fmt: skip
    assert done.returncode == 2
    assert "OPENAI_API_KEY" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_stored_run_can_take_either_seat(stub: Stub, tmp_path: Path) -> None:
    what = ("--suite", "dcn", "--limit", "10")
    first = bench(tmp_path / "a", *what, "--collector", "scripted/typical")
    run = f"replay/{tmp_path / 'a'}"
    again = bench(tmp_path / "b", *what, "--collector", run, "--debtor-seat", run)
    assert [t.turns for t in again] == [t.turns for t in first]
    same = bench(tmp_path / "c", *what, "--collector", "scripted/typical", "--debtor-seat", run)
    assert [t.terms for t in same] == [t.terms for t in first]


def test_a_person_can_sit_opposite_a_model(stub: Stub) -> None:
    done = subprocess.run(
        [*ARREARS, "chat", "--against", stub.spec("m"), "--debtor", "dcn-test-0001", "--json",
         "--max-turns", "1"],
        input="Hello?\nask(inst_prds=6)\n", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    talk = json.loads(done.stdout)
    assert talk["debtor_seat"] == stub.spec("m")
    assert talk["turns"][1]["seat"] == "debtor"


def test_a_run_in_chinese(tmp_path: Path) -> None:
    """Prompts, labels and strategies in Chinese; the English rubric leaves the talk unscored."""

    def mind(request: Mapping[str, Any]) -> str:
        said = sum(m["role"] == "assistant" for m in request["messages"])
        if seat_of(request) == "collector":
            return (
                "思考：先问清楚。\n策略：还款协商\n"
                "动作：ask(disc_ratio=0%，pmt_ratio=百分之二十五，pmt_days=7天，inst_prds=半年)\n"
                "对话：您看先付四分之一，其余分六期，可以吗？"
            )
        if said == 0:
            return "思考：太急了。\n策略：渲染困境\n动作：无\n对话：我最近失业了，手头只有三千元，请多给点时间。"
        return "思考：行吧。\n策略：还款协商\n动作：accept(disc_ratio=0%, pmt_ratio=25%, pmt_days=7, inst_prds=6)\n对话：好，我同意。"

    with Stub(mind) as stub:
        talks = bench(
            tmp_path, "--suite", "debtbench", "--limit", "3", "--lang", "zh", "--collector",
            stub.spec("m"), "--debtor-seat", stub.spec("m"),
        )  # fmt: skip
        assert all("催收员" in r["messages"][0]["content"] for r in stub.requests)
        heard = [r["messages"][-1]["content"] for r in stub.requests if len(r["messages"]) > 2]
        assert any("客户说：" in text and "我最近失业了" in text for text in heard)
    assert [t.ending for t in talks] == ["agreed"] * 3
    assert talks[0].turns[0].strategy == "repayment_negotiation"
    assert talks[0].turns[1].strategy == "dilemma_rendering"
    done = arrears("report", str(tmp_path), "--json")
    us = json.loads(done.stdout)["suites"]["debtbench"]["compat/m"]["debtbench"]["US"]
    assert (us["value"], us["unscored"]) == (None, 3)


def test_built_in_seats_do_not_speak_chinese(stub: Stub, tmp_path: Path) -> None:
    done = arrears(
        "bench", "--suite", "dcn", "--lang", "zh", "--collector", stub.spec("m"), "--out",
        str(tmp_path / "r"),
    )  # fmt: skip
    assert done.returncode == 2
    assert "scripted/debtor speaks and hears English only" in done.stderr


def test_a_run_goes_through_a_proxy(stub: Stub, tmp_path: Path) -> None:
    """The stub takes absolute addresses too, as a proxy does."""
    env = {
        "HTTP_PROXY": stub.base.removesuffix("/v1"), "http_proxy": "", "no_proxy": "", "NO_PROXY": "",
        "VLLM_BASE_URL": "http://models.invalid/v1",
    }  # fmt: skip
    talks = bench(
        tmp_path, "--suite", "dcn", "--limit", "1", "--collector", "vllm/m", "--debtor-seat",
        "vllm/m", env=env,
    )  # fmt: skip
    assert talks[0].ending == "agreed"


def test_what_planner_and_judge_say_never_reaches_the_debtor(tmp_path: Path) -> None:
    """Neither their words nor the draft that they changed; the speaker and the record have both."""

    def mind(request: Mapping[str, Any]) -> str:
        asked = request["messages"][0]["content"]
        if '"category"' in asked:
            return json.dumps({**PLAN, "reason": "SENTINEL-PLAN"})
        if '"acceptable"' in asked:
            return json.dumps({"comment": "SENTINEL-REVIEW", "acceptable": False, "suggest": ""})
        if seat_of(request) == "debtor":
            return "Action: non\nDialogue: I lost my job in spring."
        if "SENTINEL-REVIEW" in request["messages"][-1]["content"]:
            return "Action: ask(inst_prds=6)\nDialogue: What really goes out."
        if len(request["messages"]) == 2:
            return "Action: non\nDialogue: Hello, what happened?"
        return "Action: ask(inst_prds=24)\nDialogue: SENTINEL-DRAFT"

    with Stub(mind) as stub:
        talks = bench(
            tmp_path, "--suite", "dcn", "--limit", "2", "--max-turns", "3", "--method", "maden",
            "--collector", stub.spec("m"), "--debtor-seat", stub.spec("m"),
        )  # fmt: skip
        sent = {"collector": "", "debtor": ""}
        for request in stub.requests:
            asked = request["messages"][0]["content"]
            if '"category"' not in asked and '"acceptable"' not in asked:
                sent[seat_of(request)] += str(request["messages"])
    assert "What really goes out." in sent["debtor"]
    assert "SENTINEL" not in sent["debtor"]
    for talk in talks:
        drafted = [t for t in talk.turns if any(n.role == "draft" for n in t.notes)]
        assert [t.dialogue for t in drafted] == ["What really goes out."] * 2
        assert talk.turns[2].notes[0].text.startswith("class 4: SENTINEL-PLAN")
        assert {n.text for t in drafted for n in t.notes if n.role == "judge"} == {
            "revise: SENTINEL-REVIEW"
        }
    assert "SENTINEL-PLAN" in sent["collector"]
    assert "SENTINEL-REVIEW" in sent["collector"]
