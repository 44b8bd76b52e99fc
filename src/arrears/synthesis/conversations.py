"""Conversations to learn from: a run of arrears, or a lender's own file of talks.

Own talks are jsonl, one a line: `{"id": …, "turns": [{"seat": "collector", "text": …}, …]}`. The
spellings that such files usually have are taken too: `messages` or `conversation` for the turns;
`role` or `speaker` for the seat (agent, assistant, 催收员; customer, user, 客户); `content`,
`dialogue` or `utterance` for the text. `account` may hold what the creditor knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from arrears.debtors.record import Background
from arrears.errors import BrokenFile
from arrears.strategies import Seat
from arrears.tables.json_lines import TextLine, json_object, text_lines

_TURNS: Final = ("turns", "messages", "conversation")
_SPEAKER: Final = ("seat", "speaker", "role")
_TEXT: Final = ("text", "dialogue", "content", "utterance")
_IDS: Final = ("id", "case", "conversation_id")
_SEATS: Final[Mapping[str, Seat]] = {
    **dict.fromkeys(("collector", "agent", "assistant", "creditor", "催收员", "催收", "坐席"),
                    "collector"),
    **dict.fromkeys(("debtor", "customer", "user", "borrower", "客户", "债务人", "用户"), "debtor"),
}  # fmt: skip


class Utterance(NamedTuple):
    """What one side said at one time."""

    seat: Seat
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """One talk: words only."""

    id: str
    """Unique within its file."""
    utterances: tuple[Utterance, ...]
    """Never empty; what is blank or neither side's is left out."""
    account: Background | None = None
    """What the creditor knows, where the file has it."""
    debtor_id: str = ""
    """Whose talk it is, where the file says so."""

    def of(self, seat: Seat) -> tuple[str, ...]:
        """What one seat said, in order."""
        return tuple(u.text for u in self.utterances if u.seat == seat)


def read_conversations(path: Path) -> tuple[Conversation, ...]:
    """All talks of a jsonl file or of a run folder, those in which nobody spoke left out.

    BrokenFile says in which line and field it breaks; also for an id that occurs twice, for a torn
    last line and for a file without any talk.
    """
    if path.is_dir():
        path = path / "dialogues.jsonl"
    found: list[Conversation] = []
    seen: set[str] = set()
    for line in text_lines(path):
        talk = _conversation(path, line)
        if talk.id in seen:
            raise BrokenFile(path, f"{talk.id!r} occurs twice", line.number, "id")
        seen.add(talk.id)
        if talk.utterances:
            found.append(talk)
    if not found:
        raise BrokenFile(path, "holds no conversations")
    return tuple(found)


def silent_in(path: Path, found: Sequence[Conversation]) -> int:
    """How many conversations of a file `read_conversations` has left out: nobody spoke in them, for
    example because the dialogue failed before its first message.
    """
    file = path / "dialogues.jsonl" if path.is_dir() else path
    return sum(1 for _ in text_lines(file)) - len(found)


def _conversation(path: Path, line: TextLine) -> Conversation:
    number, raw = line.number, json_object(path, line)
    turns = _first(raw, _TURNS)
    if not isinstance(turns, list):
        raise BrokenFile(path, f"has none of {', '.join(_TURNS)}, a list", number, "turns")
    said = [_utterance(path, number, place, turn) for place, turn in enumerate(turns)]
    account = raw.get("account")
    try:
        known = None if account is None else Background.model_validate(account)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, ("account", *first["loc"])))
        raise BrokenFile(path, first["msg"], number, field) from None
    name = _first(raw, _IDS)
    return Conversation(
        id=str(name) if name is not None else f"{path.stem}-{number:04d}",
        utterances=tuple(u for u in said if u is not None),
        account=known,
        debtor_id=str(raw.get("debtor_id", "")),
    )


def _utterance(path: Path, number: int, place: int, turn: Any) -> Utterance | None:
    if not isinstance(turn, dict):
        raise BrokenFile(path, "is no JSON object", number, f"turns[{place}]")
    who, text = _first(turn, _SPEAKER), _first(turn, _TEXT)
    if not isinstance(text, str):
        raise BrokenFile(path, f"has none of {', '.join(_TEXT)}", number, f"turns[{place}]")
    name = str(who).strip().lower()
    if name == "system":
        return None
    if name not in _SEATS:
        known = ", ".join(_SEATS)
        raise BrokenFile(path, f"{who!r} is no speaker; known: {known}", number, f"turns[{place}]")
    return Utterance(_SEATS[name], text.strip()) if text.strip() else None


def _first(raw: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((raw[name] for name in names if name in raw), None)
