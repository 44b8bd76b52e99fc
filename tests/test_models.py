"""How a model is called: names, requests and answers, rule by rule."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from arrears.errors import ModelError, UnknownName, UsageError
from arrears.models.chat import Completion, Message, Sampling, Schema, split_reasoning
from arrears.models.json_answers import ask_json, json_in
from arrears.models.openai_chat import completion_of, request_bytes
from arrears.models.providers import endpoint_of, key_for, providers
from arrears.models.transport import Fault, Response
from arrears.models.usage import Usage

TALK = [Message(role="system", content="s"), Message(role="user", content="u")]
ASKED = (
    "openai", "vllm", "sglang", "ollama", "llamacpp", "deepseek", "dashscope", "moonshot", "zhipu",
    "openrouter", "gemini", "anthropic", "compat",
)  # fmt: skip


# Names


def test_every_provider_has_an_address_and_a_variable_for_its_key() -> None:
    assert set(providers()) == set(ASKED)
    for provider in ASKED:
        name = f"{provider}/m" + ("@http://127.0.0.1:9/v1" if provider == "compat" else "")
        endpoint = endpoint_of(name, {})
        assert endpoint.base.startswith("http")
        assert endpoint.key_variable.endswith("_API_KEY")


@pytest.mark.parametrize(
    ("spec", "name", "base"),
    [
        ("vllm/Qwen/Qwen3-32B", "Qwen/Qwen3-32B", "http://127.0.0.1:8000/v1"),
        ("ollama/qwen3:8b", "qwen3:8b", "http://127.0.0.1:11434/v1"),
        ("compat/my/model@http://h:1/v1/", "my/model", "http://h:1/v1"),
        ("openrouter/a/b:free", "a/b:free", "https://openrouter.ai/api/v1"),
    ],
)
def test_names_lead_to_addresses(spec: str, name: str, base: str) -> None:
    endpoint = endpoint_of(spec, {})
    assert (endpoint.name, endpoint.base) == (name, base)


def test_an_address_can_be_moved_by_the_environment() -> None:
    assert endpoint_of("openai/x", {"OPENAI_BASE_URL": "http://h/v1"}).base == "http://h/v1"


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        ("gpt-4o", UnknownName, "known: openai/NAME"),
        ("openai", UsageError, "names no model"),
        ("openai/", UsageError, "write openai/NAME"),
        ("compat/m", UsageError, "compat/NAME@http"),
        ("compat/m@ftp://h", UsageError, "not an http address"),
    ],
)
def test_a_wrong_name_is_told(spec: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        endpoint_of(spec, {})


def test_keys_come_from_the_environment() -> None:
    endpoint = endpoint_of("deepseek/deepseek-chat", {})
    assert key_for(endpoint, {"DEEPSEEK_API_KEY": " sk-1 "}) == "sk-1"
    with pytest.raises(UsageError, match="DEEPSEEK_API_KEY"):
        key_for(endpoint, {})
    with pytest.raises(UsageError, match="no key has"):
        key_for(endpoint, {"DEEPSEEK_API_KEY": "sk-“1”"})
    assert key_for(endpoint_of("vllm/m", {}), {}) == ""


# Requests and answers


def body(spec: str, sampling: Sampling) -> dict[str, Any]:
    """What is sent for a model."""
    sent: dict[str, Any] = orjson.loads(request_bytes(endpoint_of(spec, {}), TALK, sampling))
    return sent


def test_a_request_says_all_that_determines_the_answer() -> None:
    sent = body("vllm/m", Sampling(0.3, seed=7))
    assert sent == {
        "model": "m", "temperature": 0.3, "seed": 7, "max_tokens": 1024, "messages": TALK,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "field", "tokens"),
    [
        ("openai/gpt-4o", "max_completion_tokens", 1024),
        ("openai/o3-mini", "max_completion_tokens", 4096),
        ("deepseek/deepseek-reasoner", "max_tokens", 4096),
        ("vllm/Qwen/QwQ-32B", "max_tokens", 4096),
        ("vllm/Qwen/Qwen3-32B", "max_tokens", 4096),
        ("ollama/qwen3:8b", "max_tokens", 4096),
        ("openrouter/openai/gpt-oss-20b", "max_tokens", 4096),
        ("gemini/gemini-2.5-flash", "max_tokens", 4096),
        ("zhipu/GLM-4.6", "max_tokens", 4096),
        ("compat/grok-4@http://h/v1", "max_tokens", 4096),
        ("openrouter/minimax/MiniMax-M2", "max_tokens", 4096),
        ("moonshot/kimi-k2.5", "max_tokens", 4096),
        ("vllm/microsoft/Phi-4-reasoning", "max_tokens", 4096),
        ("vllm/Qwen/Qwen3-30B-A3B-Instruct-2507", "max_tokens", 1024),
        ("compat/grok-4-fast-non-reasoning@http://h/v1", "max_tokens", 1024),
        ("gemini/gemini-2.0-flash", "max_tokens", 1024),
        ("vllm/Qwen/Qwen2.5-7B-Instruct", "max_tokens", 1024),
    ],
)
def test_reasoning_models_may_write_more(spec: str, field: str, tokens: int) -> None:
    assert body(spec, Sampling())[field] == tokens


def test_what_an_endpoint_does_not_take_is_left_out() -> None:
    assert "temperature" not in body("openai/o1-mini", Sampling(0.5))
    assert "seed" not in body("anthropic/claude-sonnet-4-20250514", Sampling(seed=1))


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("openai/gpt-4o", "json_schema"),
        ("deepseek/deepseek-chat", "json_object"),
        ("anthropic/c", None),
    ],
)
def test_json_is_asked_for_as_far_as_a_server_can(spec: str, kind: str | None) -> None:
    schema = Schema("plan", {"type": "object"})
    sent = body(spec, Sampling(schema=schema))
    assert sent.get("response_format", {}).get("type") == kind


def answer(message: Mapping[str, Any], **more: Any) -> Response:
    """A completion with this message."""
    found = {"choices": [{"message": message, **more}], "usage": more.get("usage")}
    return Response(200, {}, orjson.dumps(found))


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": " Hello. "}, "Hello.", ""),
        ({"content": "<think>Hm.</think>\nHello."}, "Hello.", "Hm."),
        ({"content": "Hm.</think>\nHello."}, "Hello.", "Hm."),
        ({"content": "<think>Hm, and then"}, "", "Hm, and then"),
        ({"content": "Hello.", "reasoning_content": "Hm."}, "Hello.", "Hm."),
        ({"content": "Hello.", "reasoning": "Hm."}, "Hello.", "Hm."),
        ({"content": [{"type": "text", "text": "Hel"}, {"text": "lo."}]}, "Hello.", ""),
        ({"content": None}, "", ""),
        ({"content": None, "refusal": "I can't."}, "I can't.", ""),
    ],
)
def test_answers_as_servers_write_them(
    message: Mapping[str, Any], text: str, reasoning: str
) -> None:
    completion = completion_of(answer(message))
    assert (completion.text, completion.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2}, Usage(9, 2, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 2,
          "prompt_tokens_details": {"cached_tokens": 4}}, Usage(9, 2, 4)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 3}, Usage(9, 2, 3)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": None}, Usage(9, 2)),
        (None, Usage()),
    ],
)  # fmt: skip
def test_tokens_as_servers_count_them(usage: Any, counted: Usage) -> None:
    found = {"choices": [{"message": {"content": "x"}}], "usage": usage}
    assert completion_of(Response(200, {}, orjson.dumps(found))).usage == counted


@pytest.mark.parametrize(
    ("sent", "kind", "said"),
    [
        (b"<html>", "unreadable", "no JSON"),
        (b"[]", "unreadable", "no completion"),
        (b'{"choices": []}', "empty", "without a choice"),
        (b'{"error": {"message": "overloaded"}}', "unreadable", "overloaded"),
        (b'{"choices": [{"text": "x"}]}', "unreadable", "no completion"),
        (b'{"choices": [{"message": {"con', "unreadable", "no JSON"),
    ],
)
def test_what_is_no_answer_is_a_fault_worth_another_try(sent: bytes, kind: str, said: str) -> None:
    with pytest.raises(Fault, match=said) as found:
        completion_of(Response(200, {"Content-Type": "text/html"}, sent))
    assert found.value.kind == kind
    assert found.value.again


def test_a_cut_answer_is_known_as_such() -> None:
    assert completion_of(answer({"content": "x"}, finish_reason="length")).cut
    assert not completion_of(answer({"content": "x"}, finish_reason="stop")).cut


def test_reasoning_blocks_are_taken_out() -> None:
    assert split_reasoning("a <think>b</think> c") == ("b", "a  c")
    assert split_reasoning("plain") == ("", "plain")


# JSON answers


@pytest.mark.parametrize(
    "text",
    ['{"a": 1}', '```json\n{"a": 1}\n```', 'Sure!\n{"a": 1}\nDone.', '  {"a": 1}  '],
)
def test_json_is_found_in_an_answer(text: str) -> None:
    assert json_in(text) == {"a": 1}


@pytest.mark.parametrize("text", ["", "none", "{a: 1}", '{"a": 1', "[1]"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|no "):
        json_in(text)


def test_a_bad_answer_is_sent_back_once_with_what_is_wrong() -> None:
    sent: list[str] = []

    class Model:
        async def complete(self, messages: Any, sampling: Sampling) -> Completion:
            sent.append(messages[-1]["content"])
            return Completion("{}", "", Usage(1, 1))

    with pytest.raises(ModelError, match="'score' is missing"):
        asyncio.run(ask_json(Model(), TALK, Sampling(), lambda found: found["score"]))
    assert len(sent) == 2
    assert "'score' is missing" in sent[1]
