"""What a seat of the user's own returns, brought into the form in which turns are entered.

numpy's numbers become Python's, a list becomes a tuple, half a character becomes U+FFFD. What
cannot be read in one way only is a BadTurn that says which field is wrong and what belongs there.
Built-in seats write that form themselves and are not checked.
"""

import sys
from asyncio import CancelledError, current_task, get_running_loop
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any, Final, get_args

from arrears.characters import whole
from arrears.dialogue.acts import NON, Act, Kind, act
from arrears.dialogue.record import Note, Turn
from arrears.errors import BadTurn
from arrears.models.usage import Usage
from arrears.strategies import Seat
from arrears.terms import GRID, RATIOS, Dimension, Value, written

LONGEST: Final = 100_000
"""Characters of one message; a model's 4,096 tokens are some 20,000."""
_LONGEST_PRIVATE: Final = 1_000_000
_NEAR: Final = 1e-6  # 0.1 + 0.2 and a 32-bit 0.3 mean 0.3; 0.07 means nothing on the grid.
_LARGEST: Final = sys.float_info.max
_KINDS: Final = get_args(Kind)
_HALF: Final = "half a character became U+FFFD"


async def answer_of(method: Callable[..., Any], *arguments: Any) -> Any:
    """What a method of the user's returns, `async` or not; what it raises is raised.

    It runs in a task of its own: what it cancels is that task and not the dialogue's, and a
    `sys.exit` in it does not pass through the event loop, which it would end.
    """
    answer, error = await get_running_loop().create_task(_outcome(method, arguments))
    task = current_task()
    if task is not None and task.cancelling():
        raise CancelledError  # The dialogue is to end, whatever the method made of that.
    if error is not None:
        raise error
    return answer


async def _outcome(
    method: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Any, BaseException | None]:
    try:
        answer = method(*arguments)
        return (await answer if isawaitable(answer) else answer), None
    except (CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        return None, error


def text_of(error: BaseException) -> str:
    """The words of an exception, even of one that cannot say them; at most 2,000 characters."""
    try:
        text = str(error)
    except Exception as other:
        text = f"(its text cannot be read: {type(other).__name__})"
    return whole(text if len(text) <= 2_000 else f"{text[:2_000]} …")


def checked(said: Any, seat: Seat) -> Turn:
    """A turn of this seat in plain Python values, equal to what was returned. BadTurn."""
    if not isinstance(said, Turn):
        raise BadTurn(_no_turn(said, seat))
    if said.seat != seat:
        raise BadTurn(f"the {seat}'s seat answered for the {said.seat!r}")
    repairs = [_text("repairs", line) for line in _items("repairs", said.repairs)]
    dialogue = _text("dialogue", said.dialogue, LONGEST)
    if dialogue != said.dialogue:
        repairs.append(f"dialogue: {_HALF}")
    private = [_text(name, getattr(said, name)) for name in ("thoughts", "reasoning")]
    strategy = None if said.strategy is None else _text("strategy", said.strategy)
    if (*private, strategy) != (said.thoughts, said.reasoning, said.strategy):
        repairs.append(f"private text: {_HALF}")
    return Turn(
        seat,
        dialogue,
        tuple(_act(at, one, seat) for at, one in enumerate(_items("acts", said.acts))) or (NON,),
        thoughts=private[0],
        strategy=strategy,
        repairs=tuple(repairs),
        usage=_usage("usage", said.usage),
        reasoning=private[1],
        notes=tuple(_note(at, one) for at, one in enumerate(_items("notes", said.notes))),
        private=_private(said.private),
    )


def _no_turn(said: Any, seat: Seat) -> str:
    example = f'return Turn("{seat}", text, acts)'
    if said is None:
        return f"reply returned nothing; {example}"
    if isinstance(said, Awaitable):
        return f"reply returned a {type(said).__name__} that was not awaited; {example}"
    return f"reply returned a {type(said).__name__}; {example}"


def _shown(value: Any) -> str:
    """A value in an error, never long and never failing."""
    try:
        text = repr(value)
    except Exception:
        text = "?"
    return f"{type(value).__name__} ({text if len(text) <= 60 else text[:60] + '…'})"


def _text(name: str, value: Any, longest: int = _LONGEST_PRIVATE) -> str:
    if not isinstance(value, str):
        raise BadTurn(f"{name} must be text (str), not a {_shown(value)}")
    if len(value) > longest:
        raise BadTurn(f"{name} has {len(value):,} characters; at most {longest:,}")
    return whole(value if type(value) is str else str.__str__(value))


def _items(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        hint = "; write (act,) for one" if isinstance(value, Act) else ""
        raise BadTurn(f"{name} must be a tuple or a list, not a {_shown(value)}{hint}")
    return tuple(value)


def _act(at: int, value: Any, seat: Seat) -> Act:
    name = f"acts[{at}]"
    if not isinstance(value, Act):
        raise BadTurn(f"{name} must be an Act, not a {_shown(value)}")
    kind, dim = value.kind, value.dim
    if kind not in _KINDS:
        raise BadTurn(f"{name}: unknown kind {_shown(kind)}; known: {', '.join(_KINDS)}")
    kind = _KINDS[_KINDS.index(kind)]
    if kind == "leave" and seat != "debtor":
        raise BadTurn(f"{name}: only the debtor can leave")
    if kind in ("non", "leave"):
        if dim is not None or value.value is not None:
            raise BadTurn(f"{name}: {kind} takes no term and no value")
        return Act(kind)
    term = next((d for d in GRID if d == dim), None)
    if term is None:
        raise BadTurn(f"{name}: unknown term {_shown(dim)}; known: {', '.join(GRID)}")
    if value.value is None:
        if kind != "reject":
            raise BadTurn(f"{name}: {kind} of {term} has no value")
        return act(kind, term)
    legal = _legal(name, kind, term, value.value)
    said = None if value.said is None else _number(f"{name}.said", value.said)
    return act(kind, term, legal) if said is None else Act(kind, term, legal, float(said))


def _legal(name: str, kind: str, dim: Dimension, value: Any) -> Value:
    """The value of the grid that is meant. BadTurn where it is on none."""
    number = _number(f"{name}, {kind} of {dim}", value)
    for legal in GRID[dim]:
        if abs(legal - number) < _NEAR:
            return legal
    known = ", ".join(f"{legal:g}" if dim in RATIOS else written(dim, legal) for legal in GRID[dim])
    raise BadTurn(
        f"{name}: {dim}={number:g} is not legal; legal values: {known}. "
        "arrears.terms.snap gives the nearest"
    )


def _number(name: str, value: Any) -> float | int:
    """A finite number as Python's own, from numpy's and other libraries' scalars too."""
    plain = _plain(value)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise BadTurn(f"{name} must be a number, not a {_shown(value)}")
    if not -_LARGEST <= plain <= _LARGEST:  # Nor is nan.
        raise BadTurn(f"{name} is {_shown(plain)}, which cannot be stored")
    return plain


def _plain(value: Any) -> Any:
    """A scalar of numpy's or torch's as Python's; anything else as it is."""
    if type(value) in (int, float, bool, str):
        return value
    if callable(getattr(value, "item", None)):
        try:
            value = value.item()
        except (TypeError, ValueError, RuntimeError):
            return value  # An array of several.
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind.__str__(value) if kind is str else kind(value)
    return value


def _count(name: str, value: Any) -> int:
    number = _number(name, value)
    if number != int(number) or number < 0:
        raise BadTurn(f"{name} must be a whole number of at least 0, not {number}")
    return int(number)


def _usage(name: str, value: Any) -> Usage | None:
    if value is None:
        return None
    if not isinstance(value, Usage):
        raise BadTurn(f"{name} must be a Usage or None, not a {_shown(value)}")
    fields = ("tokens_in", "tokens_out", "tokens_cached")
    return Usage(*(_count(f"{name}.{field}", getattr(value, field)) for field in fields))


def _note(at: int, value: Any) -> Note:
    name = f"notes[{at}]"
    roles = get_args(Note.__annotations__["role"])
    if not isinstance(value, Note):
        raise BadTurn(f"{name} must be a Note, not a {_shown(value)}")
    if value.role not in roles:
        raise BadTurn(f"{name}: unknown role {_shown(value.role)}; known: {', '.join(roles)}")
    return Note(value.role, _text(f"{name}.text", value.text), _usage(f"{name}.usage", value.usage))


def _private(value: Any) -> Mapping[str, float | str | bool | None]:
    if not isinstance(value, Mapping):
        raise BadTurn(f"private must be a dict, not a {_shown(value)}")
    found: dict[str, float | str | bool | None] = {}
    for key, entry in value.items():
        name = f"private[{_text('a key of private', key)!r}]"
        plain = _plain(entry)
        if isinstance(plain, str):
            plain = _text(name, plain)
        elif plain is not None and not isinstance(plain, bool):
            plain = float(_number(name, plain))
        found[_text("a key of private", key)] = plain
    return found
