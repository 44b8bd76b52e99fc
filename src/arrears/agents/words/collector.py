"""The collector's voice: a line becomes text."""

from collections.abc import Mapping

from arrears.agents.words.lines import CollectorLine, Register
from arrears.agents.words.phrases import Bank, Phrase, load_bank, tidy
from arrears.agents.words.spoken import sentence, spoken_value
from arrears.debtors.record import Background
from arrears.dialogue.acts import Act
from arrears.rng import Draws

# Pseudonyms of the caller.
_AGENTS = ("Wen", "Lan", "Bo", "Min", "Hua", "Jun", "Ning", "Rui", "Shan", "Tao", "Xin", "Yue")


class CollectorVoice:
    """One collector in one talk; does not say the same thing twice while it can help it."""

    def __init__(self, draws: Draws, account: Background) -> None:
        self._draws = draws
        self._bank: Bank = load_bank("collector")
        self._spent: set[Phrase] = set()
        self._slots: dict[str, str] = {
            "name": account.name,
            "agent": draws.choice(_AGENTS),
            "amount": f"{account.need_coll_amt:,.0f}",
            "days": str(account.overdue_days),
        }

    def say(self, line: CollectorLine) -> str:
        """The words of a message. Every asked or accepted value is spoken with its number."""
        if line.greet:
            return self._expand(f"greet.{line.register}")
        parts = []
        if line.impression and line.strategy != "emotional_appeasement":
            parts.append(self._expand(f"react.{line.impression}.{line.register}"))
        if not line.closing:
            parts.append(self._strategy(line.strategy, line.register))
        parts.extend(self._terms(line))
        if line.closing:
            parts.append(self._expand(f"closing.{line.register}"))
        return tidy(" ".join(parts))

    def _strategy(self, strategy: str, register: Register) -> str:
        path = f"strategy.{strategy}.{register}"
        return self._expand(path if path in self._bank else f"strategy.{strategy}.any")

    def _terms(self, line: CollectorLine) -> list[str]:
        """What is accepted, refused and asked, as sentences."""
        spoken: dict[str, list[str]] = {"accept": [], "reject": [], "ask": []}
        for act in line.acts:
            if act.kind in spoken:
                spoken[act.kind].append(self._piece(act))
        sentences = [sentence(spoken["accept"])] if spoken["accept"] else []
        if spoken["reject"]:
            sentences.append(sentence(spoken["reject"]))
        if spoken["ask"]:
            lead = self._bank.pick(self._draws, f"terms.lead.{line.stage or 'hold'}", self._spent)
            package = _listed(spoken["ask"])
            sentences.append(lead.say(self._draws, {"package": package}, raw=True))
        return sentences

    def _piece(self, act: Act) -> str:
        assert act.dim is not None
        path = f"terms.{act.kind}.{act.dim}"
        slots: Mapping[str, str] = self._slots
        if act.kind != "reject":
            assert act.value is not None
            if act.dim == "disc_ratio":
                path += ".zero" if act.value == 0 else ".some"
            slots = {"value": spoken_value(act.dim, act.value)}
        return self._bank.pick(self._draws, path).say(self._draws, slots, raw=True)

    def _expand(self, path: str) -> str:
        return self._bank.pick(self._draws, path, self._spent).say(
            self._draws, self._slots, raw=True
        )


def _listed(pieces: list[str]) -> str:
    """`a, b and c`."""
    return pieces[0] if len(pieces) == 1 else f"{', '.join(pieces[:-1])} and {pieces[-1]}"
