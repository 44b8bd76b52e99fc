"""The debtor's voice: a line becomes text that carries feeling, way of speaking, gaps and facts."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from arrears.agents.words.lines import DebtorLine
from arrears.agents.words.phrases import Bank, Phrase, load_bank, tidy
from arrears.agents.words.spoken import sentence, spoken_value
from arrears.debtors.persona import voice_family
from arrears.debtors.record import Debtor
from arrears.dialogue.acts import Act
from arrears.rng import Draws

_OPENS: Final = 0.35  # chance that a way of speaking shows at the start of a message
_CLOSES: Final = 0.25  # … and at its end
_SHOUTS: Final = 0.6  # heat from which anger is written with an exclamation mark
_AMOUNTS: Final = frozenset({"assets", "income", "expense"})
# A formal person writes these in full.
_IN_FULL: Final = (
    ("n't", " not"), ("I'm", "I am"), ("I'll", "I will"), ("I'd ", "I would "), ("I've", "I have"),
    ("'re", " are"), ("'ve", " have"), ("'ll", " will"), ("It's", "It is"), ("it's", "it is"),
    ("That's", "That is"), ("that's", "that is"), ("There's", "There is"), ("there's", "there is"),
    ("What's", "What is"), ("what's", "what is"), ("Here's", "Here is"), ("here's", "here is"),
    ("Let's", "Let us"), ("let's", "let us"), ("Who's", "Who is"), ("who's", "who is"),
)  # fmt: skip
# How one of few words begins a sentence.
_CLIPPED: Final = (("I'd need ", "Need "), ("I have ", "Have "), ("I've got ", "Got "))
# "can't" and "won't" do not come apart at the apostrophe.
_IRREGULAR: Final = (("can't", "cannot"), ("Can't", "Cannot"), ("won't", "will not"))


class DebtorVoice:
    """One debtor in one talk; does not say the same thing twice while it can help it."""

    def __init__(self, draws: Draws, debtor: Debtor, family: str | None = None) -> None:
        """`family`: voice family of a debtor whose record has no personality."""
        person = debtor.personality
        self._family = voice_family(person.style) if person else family or "blunt"
        self._draws = draws
        self._bank: Bank = load_bank("debtor")
        self._spent: set[Phrase] = set()
        self._slots: dict[str, str] = {
            "name": debtor.background.name,
            "reason": debtor.finances.overdue_reason.text,
        }
        if debtor.scenario is not None:
            self._slots["work"] = debtor.scenario.work
            self._slots["household"] = debtor.scenario.household

    def say(self, line: DebtorLine) -> str:
        """The words of a message. Every asked or accepted value is spoken with its number."""
        mood, draws = line.mood, self._draws
        if line.leaving:
            return self._styled([self._pick(f"leaving.{mood}")], line)
        parts = []
        if line.answers_identity:
            parts.append(self._pick(f"identity.{mood}"))
        elif draws.chance(_OPENS):
            parts.append(self._pick(f"voice.{self._family}.open"))
        if line.gap:
            parts.append(self._pick(f"gap.{line.gap}"))
        parts.append(self._strategy(line))
        for fact, amount in line.claims.items():
            if fact in _AMOUNTS:
                self._slots[fact] = f"{amount:,.0f}"
            if fact in self._slots:
                parts.append(self._pick(f"fact.{fact}"))
        parts.extend(self._terms(line))
        if draws.chance(_CLOSES) and not line.answers_identity:
            parts.append(self._pick(f"voice.{self._family}.close"))
        return self._styled(parts, line)

    def _strategy(self, line: DebtorLine) -> str:
        """The strategy's own words: of the mood, or those that serve any."""
        mood, anyone = _places(line.strategy, line.mood)
        if not mood or (anyone and self._draws.chance(0.25)):
            return self._pick(anyone)
        return self._pick(mood)

    def _terms(self, line: DebtorLine) -> list[str]:
        spoken: dict[str, list[str]] = {"accept": [], "reject": [], "ask": []}
        for act in line.acts:
            if act.kind in spoken:
                spoken[act.kind].append(self._piece(act))
        sentences = [sentence(spoken[kind]) for kind in ("accept", "reject") if spoken[kind]]
        if spoken["ask"]:
            lead = self._bank.pick(self._draws, f"terms.lead.{line.mood}")
            package = " and ".join(spoken["ask"])
            sentences.append(lead.say(self._draws, {"package": package}, raw=True))
        return sentences

    def _piece(self, act: Act) -> str:
        assert act.dim is not None
        path, slots = f"terms.{act.kind}.{act.dim}", _NO_SLOTS
        if act.kind != "reject":
            assert act.value is not None
            if act.dim == "disc_ratio":
                path += ".zero" if act.value == 0 else ".some"
            slots = {"value": spoken_value(act.dim, act.value)}
        return self._bank.pick(self._draws, path).say(self._draws, slots, raw=True)

    def _pick(self, path: str) -> str:
        return self._bank.pick(self._draws, path, self._spent).say(
            self._draws, self._slots, raw=True
        )

    def _styled(self, parts: list[str], line: DebtorLine) -> str:
        """The message as this person would write it."""
        text = tidy(" ".join(parts))
        family = self._family
        if line.mood == "angry" and line.heat > _SHOUTS and text.endswith("."):
            return text[:-1] + "!"
        if family == "formal":
            return in_full(text)
        if family == "evasive" and text.endswith(".") and self._draws.chance(0.3):
            return text[:-1] + "..."
        if family == "clipped":
            for full, short in _CLIPPED:
                text = text.replace(f". {full}", f". {short}")
                if text.startswith(full):
                    text = short + text[len(full) :]
            return text
        if family == "rambling":
            return text.replace(". And ", ", and ").replace(". But ", ", but ")
        return text


_NO_SLOTS: Mapping[str, str] = {}


@cache
def _places(strategy: str, mood: str) -> tuple[str, str]:
    """Leaves of a strategy for a mood and for any mood; empty where the bank has none."""
    bank = load_bank("debtor")
    paths = (f"strategy.{strategy}.{mood}", f"strategy.{strategy}.any")
    return paths[0] if paths[0] in bank else "", paths[1] if paths[1] in bank else ""


def in_full(text: str) -> str:
    """The text without contractions."""
    if "'" not in text:
        return text
    for short, full in (*_IRREGULAR, *_IN_FULL):
        if short in text:
            text = text.replace(short, full)
    return text
