"""Talks to be measured: runs of arrears with their acts, or other conversations with words only."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from arrears.bench.folder import DIALOGUES
from arrears.dialogue.acts import Act
from arrears.dialogue.ledger import Ledger
from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue
from arrears.errors import BrokenFile
from arrears.strategies import Seat
from arrears.synthesis.conversations import Conversation, read_conversations
from arrears.tables.json_lines import text_lines
from arrears.terms import DIMENSIONS


class Said(NamedTuple):
    """One message."""

    seat: Seat
    text: str
    acts: tuple[Act, ...] = ()
    """Empty where only words are known; with acts, there is at least `non`."""
    strategy: str | None = None
    """What the seat named, where it did."""
    pushes_back: bool = False
    """Whether it resists what the other side has on the table; False where no acts are known."""


@dataclass(frozen=True, slots=True)
class Talk:
    """One dialogue."""

    id: str
    said: tuple[Said, ...]
    """Never empty."""
    ending: str = ""
    """How it ended; "" where nobody knows."""
    debtor: str = ""
    """Whose it is; "" where nobody knows."""

    @property
    def unit(self) -> str:
        """What intervals draw as one: the debtor with all its talks, or the talk where nobody
        knows whose it is.
        """
        return self.debtor or f"talk {self.id}"

    @property
    def has_acts(self) -> bool:
        """Whether what was done is known, and not the words alone."""
        return any(s.acts for s in self.said)


def read_talks(path: Path) -> tuple[Talk, ...]:
    """All talks of a run folder, of its `dialogues.jsonl`, or of a jsonl file of conversations.

    Talks in which nobody spoke are left out, and dialogues that broke off from outside the
    negotiation (`failed_in`): they end nowhere. BrokenFile says where a file breaks.
    """
    file = path / DIALOGUES if path.is_dir() else path
    if not _is_a_run(file):
        return tuple(map(from_conversation, read_conversations(file)))
    failed = 0
    talks = []
    for dialogue in _dialogues(file):
        if dialogue.failed is not None:
            failed += 1
        elif dialogue.turns:
            talks.append(from_dialogue(dialogue))
    if not talks:
        besides = f"; {failed:,} dialogues in it ended as error" if failed else ""
        raise BrokenFile(file, f"holds no talk in which anybody spoke{besides}")
    return tuple(talks)


def failed_in(path: Path) -> int:
    """How many dialogues of a run broke off from outside the negotiation; 0 for other files."""
    file = path / DIALOGUES if path.is_dir() else path
    if not _is_a_run(file):
        return 0
    return sum(dialogue.failed is not None for dialogue in _dialogues(file))


def from_dialogue(dialogue: Dialogue) -> Talk:
    """A talk of arrears: words, acts, strategies, ending."""
    ledger = Ledger(dialogue.mandate)
    said = []
    for turn in dialogue.turns:
        pushes = _pushes_back(ledger, turn.seat, turn.acts)
        ledger.apply(turn.seat, turn.acts)
        said.append(Said(turn.seat, turn.dialogue, turn.acts, turn.strategy, pushes))
    whose = f"{dialogue.suite}/{dialogue.debtor_id}"
    return Talk(dialogue.case, tuple(said), dialogue.ending, whose)


def from_conversation(talk: Conversation) -> Talk:
    """A talk of which only the words are known."""
    said = tuple(Said(u.seat, u.text) for u in talk.utterances)
    return Talk(talk.id, said, debtor=talk.debtor_id)


def _pushes_back(ledger: Ledger, seat: Seat, acts: tuple[Act, ...]) -> bool:
    """A reject, a leave, or an ask that differs from the other side's live ask on that dimension.

    A wish on a dimension of which the other side has not spoken resists nothing.
    """
    table = dict(zip(DIMENSIONS, ledger.table(), strict=True))
    for act in acts:
        if act.kind in ("reject", "leave"):
            return True
        if act.kind == "ask" and act.dim is not None:
            position = table[act.dim]
            live = position.collector if seat == "debtor" else position.debtor
            if live is not None and live != act.value:
                return True
    return False


def _is_a_run(path: Path) -> bool:
    """Whether the first line of a file is a dialogue of arrears."""
    try:
        first = next(text_lines(path)).text
    except (StopIteration, BrokenFile):
        return False  # Who reads it next says why it cannot be read.
    return b'"debtor_seat"' in first and b'"mandate"' in first


def _dialogues(path: Path) -> Iterator[Dialogue]:
    for line in text_lines(path):
        try:
            yield DIALOGUE_ADAPTER.validate_json(line.text)
        except ValidationError as error:
            if not line.whole:
                return  # A run that is still played, or was killed: its last line is torn.
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"]))
            raise BrokenFile(path, first["msg"], line.number, field) from None
