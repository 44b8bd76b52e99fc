"""Optional parts of a request that a server turns down: it is asked again without, and told once."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from arrears.errors import ModelError
from arrears.models.chat import Message, Sampling, Schema
from arrears.models.transport import Response
from tests.scripted_server import Scripted, answer, completion, refusal

TALK = [Message(role="system", content="You collect."), Message(role="user", content="Begin.")]
SCHEMA = Schema("soundness", {"type": "object"})
Sent = Mapping[str, Any]


def ask(server: Scripted, sampling: Sampling | None = None, times: int = 1) -> list[str]:
    """The answers to so many calls, one after another."""

    async def story() -> list[str]:
        sampling_or = sampling or Sampling(0.5, 7)
        return [(await server.model().complete(TALK, sampling_or)).text for _ in range(times)]

    return asyncio.run(story())


def turns_down(when: Callable[[Sent], bool], told: Response) -> Callable[[Sent], Response]:
    """A server that has this answer to such requests, and a good one to all others."""
    return lambda sent: told if when(sent) else answer(completion())


def extra(part: str) -> Response:
    """FastAPI's way to say that a field is not known."""
    item = {"type": "extra_forbidden", "loc": ["body", part], "msg": "Extra inputs", "input": 1}
    return answer({"detail": [item]}, 422)


@pytest.mark.parametrize(
    ("told", "part"),
    [
        (refusal("`temperature` is deprecated for this model."), "temperature"),
        (refusal("Unsupported parameter: temperature"), "temperature"),
        (refusal("not supported", param="temperature"), "temperature"),
        (extra("temperature"), "temperature"),
        (extra("seed"), "seed"),
        (refusal("Unknown field: seed", 422), "seed"),
        (refusal("Failed to parse grammar"), "response_format"),
        (refusal("Invalid JSON payload received. Unknown name additionalProperties"),
         "response_format"),
        (refusal("The provided JSON schema contains features not supported by xgrammar."),
         "response_format"),
        (refusal("no idea what that is", 422), "response_format"),
    ],
)  # fmt: skip
def test_a_part_that_is_turned_down_is_left_out_from_then_on(told: Response, part: str) -> None:
    server = Scripted(turns_down(lambda sent: part in sent, told))
    sampling = Sampling(0.5, 7, schema=SCHEMA)
    assert ask(server, sampling, times=3) == ["Hello."] * 3
    assert [part in sent for sent in server.requests] == [True, False, False, False]
    others = {"temperature", "seed", "response_format", "max_tokens"} - {part}
    assert all(others <= sent.keys() for sent in server.requests), "nothing else is left out"


def test_a_server_that_takes_temperature_one_only_is_sent_one() -> None:
    only = refusal("invalid temperature: only 1 is allowed for this model")
    server = Scripted(turns_down(lambda sent: sent.get("temperature") != 1, only))
    assert ask(server) == ["Hello."]
    default = refusal(
        "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default "
        "(1) value is supported.", param="temperature", code="unsupported_value",
    )  # fmt: skip
    server = Scripted(turns_down(lambda sent: sent.get("temperature", 1) != 1, default))
    assert ask(server) == ["Hello."]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_the_limit_of_an_answer_has_two_names_and_is_never_left_out(field: str) -> None:
    other = {"max_tokens": "max_completion_tokens"}.get(field, "max_tokens")
    told = refusal(f"Unsupported parameter: '{field}' is not supported. Use '{other}' instead.")
    spec = "compat/m@http://h/v1" if field == "max_tokens" else "openai/gpt-4o"
    server = Scripted(turns_down(lambda sent: field in sent, told), spec=spec)
    assert ask(server, times=2) == ["Hello."] * 2
    assert [sent.get(other) for sent in server.requests] == [None, 1024, 1024]


@pytest.mark.parametrize(
    "words",
    ["System role not supported", "Conversation roles must alternate user/assistant/user/…",
     "Developer instruction is not enabled for models/gemma", "Unexpected role 'system'"],
)  # fmt: skip
def test_a_server_without_a_system_role_reads_it_in_the_first_message(words: str) -> None:
    def has_system(sent: Sent) -> bool:
        return bool(sent["messages"][0]["role"] == "system")

    server = Scripted(turns_down(has_system, refusal(words)))
    assert ask(server, times=2) == ["Hello."] * 2
    assert server.requests[-1]["messages"] == [
        {"role": "user", "content": "You collect.\n\nBegin."}
    ]
    assert len(server.requests) == 3
    assert TALK[0]["content"] == "You collect.", "the seat's own conversation stays as it is"


def test_several_parts_are_learned_one_after_another() -> None:
    def told(sent: Sent) -> Response:
        for part in ("seed", "temperature"):
            if part in sent:
                return refusal(f"{part} is not supported")
        return answer(completion())

    server = Scripted(told)
    assert ask(server, times=2) == ["Hello."] * 2
    assert len(server.requests) == 4


def test_what_is_refused_for_what_it_says_is_asked_a_few_times_and_changes_nothing() -> None:
    """A content filter may name anything; no request is sent for ever, and nothing is learned."""
    words = "Blocked: the temperature of this talk, its seed, max_tokens and system prompt"
    blocked: list[bool] = [True]
    server = Scripted(lambda sent: refusal(words) if blocked[0] else answer(completion()))
    with pytest.raises(ModelError, match="Blocked: the temperature"):
        ask(server, Sampling(0.5, 7, schema=SCHEMA))
    assert len(server.requests) <= 6
    blocked[0] = False
    ask(server, Sampling(0.5, 7, schema=SCHEMA))
    last = server.requests[-1]
    assert last.keys() >= {"temperature", "seed", "response_format", "max_tokens"}
    assert last["messages"][0]["role"] == "system"


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        (400, "This prompt was blocked by the content filter: temperature", "content_filter"),
        (400, "This model's maximum context length is 4096 tokens; max_tokens is 1024", None),
        (401, "no key for temperature", None),
        (404, "no model temperature", None),
        (429, "You exceeded your temperature", "insufficient_quota"),
    ],
)
def test_other_refusals_are_asked_once(status: int, words: str, code: str | None) -> None:
    server = Scripted(lambda sent: refusal(words, status, code=code))
    with pytest.raises(ModelError):
        ask(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("temperature must be strictly positive", "another --temperature"),
        ("temperature must be between 0 and 1", "another --temperature"),
        ("max_tokens is too large: 9000. This model supports at most 8192", "another --max-tokens"),
    ],
)
def test_a_value_off_its_range_is_for_the_user_to_change(words: str, advice: str) -> None:
    """To leave it out would be another experiment, or an answer without a limit."""
    server = Scripted(lambda sent: refusal(words))
    with pytest.raises(ModelError, match=advice):
        ask(server)
    assert len(server.requests) == 1


def test_what_was_learned_is_told_once_and_stands_in_the_log_of_calls(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Scripted(
        turns_down(lambda sent: "seed" in sent, refusal("unknown field seed")),
        log=tmp_path / "calls.jsonl",
    )

    async def story() -> None:
        model = server.model()
        await asyncio.gather(*(model.complete(TALK, Sampling(0, n)) for n in range(8)))

    with caplog.at_level(logging.WARNING):
        asyncio.run(story())
    assert [r.getMessage() for r in caplog.records] == [
        "compat/m@http://h/v1 takes no seed; none is sent"
    ]
    from arrears.models.budget import read_calls

    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert sum("takes no seed" in line for line in lines) == 1
    assert len(list(read_calls(tmp_path / "calls.jsonl"))) == 8, "a note is no call"


def test_two_lessons_at_the_same_time_are_both_kept() -> None:
    def told(sent: Sent) -> Response:
        if "seed" in sent:
            return refusal("unknown field seed")
        if "response_format" in sent:
            return refusal("no such thing")
        return answer(completion())

    server = Scripted(told)

    async def story() -> None:
        model = server.model()
        plain = model.complete(TALK, Sampling(0, 1))
        await asyncio.gather(plain, model.complete(TALK, Sampling(0, 2, schema=SCHEMA)))
        before = len(server.requests)
        await model.complete(TALK, Sampling(0, 3, schema=SCHEMA))
        assert len(server.requests) == before + 1

    asyncio.run(story())
