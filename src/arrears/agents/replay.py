"""`replay/RUN`: a seat that speaks from a stored run, word for word.

`replay/RUN` where the run has one such seat, `replay/RUN:NAME` where it has several. The seat finds
its talk by suite, debtor and repeat; where the stored talk ends, it has nothing more to say.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from arrears.dialogue.failures import StoredFailure
from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue, Turn
from arrears.errors import MalformedReply, UnknownName, UsageError
from arrears.files import LineReader, Span
from arrears.strategies import Seat

REPLAY = "replay"
_DIALOGUES = "dialogues.jsonl"
_Key = tuple[str, str, str, int]


class _Talks(NamedTuple):
    """Where each dialogue of a run lies, by seat's name, suite, debtor and repeat."""

    spans: Mapping[_Key, Span]
    names: tuple[str, ...]


class ReplaySeat:
    """One seat of one stored dialogue."""

    def __init__(self, seat: Seat, stored: Dialogue) -> None:
        self._turns = [turn for turn in stored.turns if turn.seat == seat]
        self._stored = stored
        self._next = 0

    async def reply(self, view: Any) -> Turn:
        """The next stored message.

        After the last: StoredFailure where the stored dialogue had ended as `error`, so that this
        one is charged to what failed then; MalformedReply otherwise.
        """
        del view
        if self._next == len(self._turns):
            if self._stored.failed is not None:
                raise StoredFailure(self._stored.failed, self._stored.detail)
            raise MalformedReply("the stored talk has no further message")
        turn = self._turns[self._next]
        self._next += 1
        return replace(turn, number=0, effects=())


def check_replay(spec: str, seat: Seat) -> None:
    """See that the run is there and has that seat. UsageError, UnknownName, BrokenFile."""
    _talks_of(spec, seat)


def replay_seat(spec: str, seat: Seat, suite: str, debtor: str, repeat: int) -> ReplaySeat:
    """The seat for one case. MalformedReply where the run holds no such talk."""
    path, name, talks = _talks_of(spec, seat)
    span = talks.spans.get((name, suite, debtor, repeat))
    if span is None:
        raise MalformedReply(f"{path} holds no talk of {name} with {debtor} ({suite}, {repeat})")
    with LineReader(path / _DIALOGUES) as file:
        return ReplaySeat(seat, DIALOGUE_ADAPTER.validate_json(file.read(span)))


def _talks_of(spec: str, seat: Seat) -> tuple[Path, str, _Talks]:
    place = spec.removeprefix(f"{REPLAY}/")
    folder, _, name = place.partition(":")
    if not folder:
        raise UsageError(f"{spec!r} names no run; write replay/RUN or replay/RUN:NAME")
    path = Path(folder)
    talks = _index(path, seat)
    if not name:
        if len(talks.names) != 1:
            known = ", ".join(f"{REPLAY}/{folder}:{n}" for n in talks.names) or "none"
            raise UsageError(f"{path} has {len(talks.names)} {seat} seats; name one of: {known}")
        name = talks.names[0]
    if name not in talks.names:
        raise UnknownName(f"{seat} of {path}", name, talks.names)
    return path, name, talks


@lru_cache(maxsize=16)
def _index(path: Path, seat: Seat) -> _Talks:
    file = path / _DIALOGUES
    if not file.exists():
        raise UsageError(f"{path} is no run: it has no {_DIALOGUES}")
    name = "collector" if seat == "collector" else "debtor_seat"

    def key(row: Any) -> tuple[_Key, str]:
        repeat = int(row["case"].rpartition("/")[2])
        return (row[name], row["suite"], row["debtor_id"], repeat), row["case"]

    with LineReader(file) as lines:
        by_case = lines.index(key)
    spans = {found: span for (found, _), span in by_case.items()}
    if len(spans) < len(by_case):
        raise UsageError(
            f"in {path} the same {seat} has met several seats; replay a run in which it met one"
        )
    return _Talks(spans, tuple(sorted({found[0] for found in spans})))
