"""Asking a model for a JSON object, and seeing that it is the one that was asked for."""

import json
import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final, Generic, NamedTuple, TypeVar

from arrears.errors import UnreadableAnswer
from arrears.models.chat import ChatModel, Completion, Message, Sampling
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
    cut = False
    for _ in range(tries):
        completion = await model.complete(talk, sampling)
        usage += completion.usage
        cut = completion.cut
        try:
            return Answer(_taken(completion, read), usage, completion.text)
        except (ValueError, KeyError, TypeError) as refused:
            error = refused
        said = completion.text or "…"
        talk += [
            Message(role="assistant", content=said),
            Message(role="user", content=_AGAIN.format(error=_words(error))),
        ]
    advice = "; it reached its most tokens, give it more (--max-tokens)" if cut else ""
    raise UnreadableAnswer(f"no readable JSON after {tries} tries: {_words(error)}{advice}")


def _taken(completion: Completion, read: Callable[[dict[str, Any]], T]) -> T:
    """The one object of an answer that `read` takes."""
    text = completion.text
    if completion.cut and _BEGINS.match(text) is None:
        # An object among words may be a draft: the model can be in its reasoning still.
        raise ValueError("the answer was cut off")
    found = objects_in(text)
    if len(found) == 1:
        return read(found[0])
    taken: list[tuple[dict[str, Any], T]] = []
    for one in found:
        try:
            taken.append((one, read(one)))
        except (ValueError, KeyError, TypeError) as refused:
            error = refused
    if not taken:
        raise error
    if any(one != taken[0][0] for one, _ in taken):
        raise ValueError("there are several JSON objects in the answer")
    return taken[0][1]


def json_in(text: str) -> dict[str, Any]:
    """The JSON object in an answer, with or without a fence or words around it. ValueError.

    As `objects_in`, and of several that differ none is taken.
    """
    found = objects_in(text)
    if any(other != found[0] for other in found[1:]):
        raise ValueError("there are several JSON objects in the answer")
    return found[0]


def objects_in(text: str) -> list[dict[str, Any]]:
    """The JSON objects in an answer that may be meant, at least one. ValueError.

    An answer that begins with an object or a fence means that one, whatever it says behind it;
    else there may be drafts among the words. Commas too many and line ends within a string are no
    reason to refuse an object; braces among words are none. Of an object that breaks in the middle
    no part is taken.
    """
    found: list[dict[str, Any]] = []
    begins = _BEGINS.match(text) is not None
    start = text.find("{")
    for _ in range(_MOST_BRACES):
        if start < 0 or (begins and found):
            break
        # From here on, so that an odd quotation mark among the words before does no harm.
        mended = _COMMA.sub(lambda comma: comma[1] or " ", text[start:])
        try:
            value, length = _DECODER.raw_decode(mended)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None
        except ValueError as error:
            if _JSON_LIKE.match(mended) is None:
                start = text.find("{", start + 1)
                continue
            if found:
                break
            raise ValueError(f"the JSON cannot be read ({error})") from None
        found.append(value)
        start = text.find("{", start + length)
    if not found:
        raise ValueError("there is no JSON object in the answer")
    return found


def number_in(value: Any, most: float | None = None) -> float:
    """A number as models write it: `4`, `"4"`, `"4,5"`, `"4/5"`. ValueError.

    `most`: the end of the scale. A fraction has to be one of that: 4/10 is no mark from 1 to 5.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("not a number")
    if isinstance(value, str):
        written = _NUMBER.fullmatch(value)
        if written is None:
            raise ValueError(f"{value[:40]!r} is not a number")
        if written[2] is not None and (most is None or float(written[2]) != most):
            raise ValueError(f"{value[:40]!r} is on another scale")
        value = written[1].replace(",", ".")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("not a number") from None
    if not isfinite(number):
        raise ValueError("not a number")
    return number


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


_DECODER: Final = json.JSONDecoder(strict=False, parse_constant=_no_constant)
_BEGINS: Final = re.compile(r"\s*(?:```\w*\s*)?[\[\s]*\{")
_JSON_LIKE: Final = re.compile(r'\{\s*["}]')
_COMMA: Final = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)
_NUMBER: Final = re.compile(
    r"[\s*_`]*(-?\d{1,9}(?:[.,]\d{1,9})?)[\s*_`]*(?:(?:/|out of|von)\s*(\d{1,9}))?[\s*_`.]*"
)
_MOST_BRACES: Final = 200


def _words(error: Exception | None) -> str:
    if isinstance(error, KeyError):
        return f"the key {error.args[0]!r} is missing"
    return str(error)[:300]
