"""Asking a model for a JSON object, and seeing that it is the one that was asked for."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from arrears.errors import UnreadableAnswer
from arrears.models.chat import ChatModel, Message, Sampling
from arrears.models.usage import Usage

T = TypeVar("T")
_AGAIN = "{error}. Answer with the one JSON object that was asked for and nothing else."


class Answer(NamedTuple, Generic[T]):
    """An object that was asked for."""

    value: T
    usage: Usage
    """Of all tries."""
    text: str
    """As the model wrote it."""


async def ask_json(
    model: ChatModel,
    messages: Sequence[Message],
    sampling: Sampling,
    read: Callable[[dict[str, Any]], T],
    tries: int = 2,
) -> Answer[T]:
    """The object as `read` takes it (ValueError, KeyError or TypeError refuse it).

    What cannot be read is sent back once. UnreadableAnswer where the last try failed too;
    ModelError where the model gave no answer at all.
    """
    talk = list(messages)
    usage = Usage()
    error: Exception | None = None
    for _ in range(tries):
        completion = await model.complete(talk, sampling)
        usage += completion.usage
        try:
            return Answer(read(json_in(completion.text)), usage, completion.text)
        except (ValueError, KeyError, TypeError) as refused:
            error = refused
        said = completion.text or "…"
        talk += [
            Message(role="assistant", content=said),
            Message(role="user", content=_AGAIN.format(error=_words(error))),
        ]
    raise UnreadableAnswer(f"no readable JSON after {tries} tries: {_words(error)}")


def json_in(text: str) -> dict[str, Any]:
    """The JSON object in an answer, with or without a fence or words around it. ValueError."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise ValueError("there is no JSON object in the answer")
    try:
        found = orjson.loads(text[start : end + 1])
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the JSON cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")
    return found


def _words(error: Exception | None) -> str:
    if isinstance(error, KeyError):
        return f"the key {error.args[0]!r} is missing"
    return str(error)[:300]
