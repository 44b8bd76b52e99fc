"""The OpenAI chat-completions protocol: a request's bytes, an answer's meaning. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from arrears.models.chat import Completion, Message, Sampling, split_reasoning
from arrears.models.providers import Endpoint
from arrears.models.transport import Fault, Response
from arrears.models.usage import Usage


def request_bytes(endpoint: Endpoint, messages: Sequence[Message], sampling: Sampling) -> bytes:
    """The body of one request. Messages come last, so that a prefix stays a prefix."""
    body: dict[str, Any] = {"model": endpoint.name}
    if endpoint.takes_temperature:
        body["temperature"] = sampling.temperature
    if endpoint.takes_seed and sampling.seed is not None:
        body["seed"] = sampling.seed
    body[endpoint.max_tokens_field] = sampling.max_tokens or endpoint.answer_tokens
    if sampling.schema is not None:
        if endpoint.schema == "json_schema":
            name, schema = sampling.schema
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": name, "strict": True, "schema": schema},
            }
        elif endpoint.schema == "json_object":
            body["response_format"] = {"type": "json_object"}
    body["messages"] = messages
    return orjson.dumps(body)


def completion_of(response: Response) -> Completion:
    """What a server answered with 200. Fault `unreadable` or `empty` where that is no answer."""
    kind = response.headers.get("Content-Type", "application/json")
    try:
        found: Any = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        start = response.body[:80].decode("utf-8", "replace")
        raise Fault("unreadable", f"answered {kind} that is no JSON: {start!r}") from None
    if not isinstance(found, dict):
        raise Fault("unreadable", "answered JSON that is no completion")
    if "error" in found and "choices" not in found:
        # Some gateways answer 200 with an error inside.
        error = found["error"]
        words = error.get("message", error) if isinstance(error, dict) else error
        raise Fault("unreadable", f"answered an error: {str(words)[:300]}")
    choices = found.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Fault("empty", "answered without a choice")
    try:
        return _chosen(choices[0], _usage(found.get("usage")))
    except (KeyError, TypeError, AttributeError) as error:
        raise Fault("unreadable", f"answered JSON that is no completion ({error!r})") from None


def _chosen(choice: Mapping[str, Any], usage: Usage) -> Completion:
    message = choice["message"]
    if message.get("refusal") and not message.get("content"):
        return Completion(str(message["refusal"]), "", usage)
    content = _text(message.get("content"))
    inline, text = split_reasoning(content)
    apart = message.get("reasoning_content") or message.get("reasoning")
    reasoning = "\n".join(filter(None, (apart if isinstance(apart, str) else "", inline)))
    return Completion(text, reasoning.strip(), usage, choice.get("finish_reason") == "length")


def _text(content: Any) -> str:
    """Content as text; some servers send a list of parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part.get("type", "text") == "text")


def _usage(found: Any) -> Usage:
    """Token counts; zeros where a server sends none."""
    if not isinstance(found, dict):
        return Usage()
    details = found.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or found.get("prompt_cache_hit_tokens") or 0
    return Usage(
        int(found.get("prompt_tokens") or 0),
        int(found.get("completion_tokens") or 0),
        int(cached),
    )
