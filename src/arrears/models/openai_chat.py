"""The OpenAI chat-completions protocol: a request's bytes, an answer's meaning. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from arrears.models.chat import Completion, Message, Sampling
from arrears.models.dialect import PLAIN, Dialect
from arrears.models.providers import Endpoint
from arrears.models.reasoning import split_reasoning
from arrears.models.retries import Said, error_in, worth_another_try
from arrears.models.transport import Fault, Response
from arrears.models.usage import Reported, read_usage

# Why an answer ended, beside `stop`: servers have more names for it than the protocol.
_CUT: Final = frozenset(
    {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"}
)
_FILTERED: Final = frozenset(
    {
        "content_filter", "content_filtered", "safety", "recitation", "prohibited_content",
        "blocklist", "spii", "sensitive", "guardrail_intervened",
    }
)  # fmt: skip
_BROKEN: Final = frozenset(
    {
        "error", "server_error", "network_error", "insufficient_system_resource", "abort",
        "aborted", "cancelled", "canceled", "timeout", "failed", "malformed_function_call",
    }
)  # fmt: skip
_USAGE: Final = re.compile(rb'"usage"\s*:\s*(\{)')
_WORDS: Final = 300


def request_bytes(
    endpoint: Endpoint,
    messages: Sequence[Message],
    sampling: Sampling,
    dialect: Dialect = PLAIN,
) -> bytes:
    """The body of one request. Messages come last, so that a prefix stays a prefix."""
    body: dict[str, Any] = {"model": endpoint.name}
    if endpoint.takes_temperature and dialect.temperature != "left out":
        body["temperature"] = 1 if dialect.temperature == "1" else sampling.temperature
    if endpoint.takes_seed and dialect.seed and sampling.seed is not None:
        body["seed"] = sampling.seed
    body[dialect.limit_field(endpoint)] = sampling.max_tokens or endpoint.answer_tokens
    if sampling.schema is not None and sampling.schema.name not in dialect.no_schema:
        if endpoint.schema == "json_schema":
            name, schema = sampling.schema
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": name, "strict": True, "schema": schema},
            }
        elif endpoint.schema == "json_object":
            body["response_format"] = {"type": "json_object"}
    body["messages"] = dialect.written(messages)
    return orjson.dumps(body)


class Answered(NamedTuple):
    """An answer, and what the server says that it has used."""

    completion: Completion
    reported: Reported


def completion_of(response: Response) -> Completion:
    """What a server answered with 200. Faults as `read_answer`."""
    return read_answer(response).completion


def read_answer(response: Response) -> Answered:
    """What a server answered with 200.

    Fault `unreadable` or `empty` where that is no answer, `filtered` where a content filter has
    stopped it; with what the try has used, where the server reports it.
    """
    found = _json(response)
    if not isinstance(found, dict):
        raise Fault("unreadable", "answered JSON that is no completion")
    choices = found.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    usage = found.get("usage")
    reported = read_usage(usage)
    # A limit on money must not rest on a silence: what was written is paid for.
    spent = reported if isinstance(usage, dict) or choice is not None else None
    if choice is None:
        if any(found.get(key) for key in ("error", "message", "msg", "detail", "errors")):
            raise _refused(error_in(found), spent)
        raise Fault("empty", "answered without a choice", reported=spent)
    if _is_error(found.get("error")):
        raise _refused(error_in(found), spent)
    if not isinstance(choice, dict):
        raise Fault("unreadable", "answered JSON that is no completion", reported=spent)
    if _is_error(choice.get("error")):
        raise _refused(error_in(choice), spent)
    return Answered(_chosen(choice, reported, spent), reported)


def _json(response: Response) -> Any:
    """The body as JSON. Half a character, at a cut emoji, is no reason to lose an answer."""
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        pass
    text = response.body.decode("utf-8-sig", "replace")
    try:
        return _whole(json.loads(text, strict=False))
    except json.JSONDecodeError as error:
        at, why = error.pos, error.msg
    except RecursionError:
        at, why = 0, "too deep"
    kind = response.headers.get("Content-Type", "application/json")
    around = text[max(0, at - 40) : at + 40]
    words = f"answered {kind} that is no JSON: {why} at character {at}, {around!r}"
    raise Fault("unreadable", words, reported=_usage_within(response.body))


def _usage_within(body: bytes) -> Reported | None:
    """The usage in JSON that breaks somewhere else; None where none can be made out."""
    for found in reversed(list(_USAGE.finditer(body))):
        text = body[found.start(1) :].decode("utf-8", "replace")
        try:
            return read_usage(json.JSONDecoder(strict=False).raw_decode(text)[0])
        except (ValueError, RecursionError):
            counts = dict(re.findall(r'"(\w+_tokens)"\s*:\s*(\d+)(?=\s*[,}])', text[:2000]))
            if counts:
                return read_usage(counts)
    return None


def _whole(value: Any) -> Any:
    """The same with halves of characters replaced: nothing else can be stored or sent."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return value


def _is_error(found: Any) -> bool:
    """Some servers send an error that says nothing beside an answer."""
    return any(found.values()) if isinstance(found, dict) else bool(found)


def _refused(said: Said, spent: Reported | None, kind: str = "answered an error") -> Fault:
    """The fault of an error that came with a status of 200."""
    again = worth_another_try(said.status, said.code) if said.status else True
    return Fault(
        "unreadable", f"{kind}: {said.words}", status=said.status, again=again, reported=spent
    )


def _chosen(choice: Mapping[str, Any], reported: Reported, spent: Reported | None) -> Completion:
    finish = _finish(choice.get("finish_reason"))
    message = choice.get("message")
    if finish in _FILTERED:
        said = message.get("refusal") if isinstance(message, dict) else None
        words = f"a content filter has stopped the answer ({finish})"
        words += f": {said[:_WORDS]}" if isinstance(said, str) and said else ""
        raise Fault("filtered", words, again=False, reported=spent)
    if finish in _BROKEN:
        words = f"the answer broke off on the server's side (finish_reason {finish!r})"
        raise Fault("unreadable", words, reported=spent)
    if not isinstance(message, dict):
        words = "answered JSON that is no completion: a choice without a message"
        raise Fault("unreadable", words, reported=spent)
    if message.get("refusal") and not message.get("content"):
        return Completion(str(message["refusal"]), "", reported.usage)
    content = _text(message.get("content"))
    inline, text = split_reasoning(content)
    apart = message.get("reasoning_content") or message.get("reasoning")
    reasoning = "\n".join(filter(None, (apart if isinstance(apart, str) else "", inline)))
    return Completion(text, reasoning.strip(), reported.usage, finish in _CUT)


def _finish(found: Any) -> str:
    if isinstance(found, dict):
        found = found.get("type")
    return found.lower() if isinstance(found, str) else ""


def _text(content: Any) -> str:
    """Content as text; some servers send a list of parts, thoughts among them."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (
        part.get("text") if isinstance(part, dict) and part.get("type", "text") == "text" else part
        for part in content
    )
    return "".join(part for part in parts if isinstance(part, str))
