"""Who sits down for a case: built-in seats, models with their helpers, replays, all by name.

Everything random has the address of its seat. The debtor's has no collector in it, so it meets
every collector with the same luck; a collector's has no method in it, so that methods differ by
what they do and not by their luck.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from arrears.agents.briefing import (
    DebtorPrompt,
    Wording,
    collector_system,
    debtor_system,
    style_of,
)
from arrears.agents.llm_seat import LLMSeat
from arrears.agents.maden.guidance import Communicator, Judge, Planner
from arrears.agents.maden.team import Team, method_of
from arrears.agents.own import OwnSeat, is_own
from arrears.agents.registry import (
    COLLECTORS,
    DEBTOR_SEATS,
    JUDGE,
    PLANNER,
    helpers_of,
    make_collector,
    make_debtor_seat,
)
from arrears.agents.replay import REPLAY, replay_seat
from arrears.debtors.record import Debtor
from arrears.dialogue.loop import Agent, negotiate
from arrears.dialogue.record import Dialogue, Turn
from arrears.dialogue.render import ACTS, WORDS
from arrears.errors import UsageError
from arrears.models.chat import ChatModel, Purpose, Sampling
from arrears.prompts.library import Language
from arrears.rng import rng_for
from arrears.strategies import Seat, Strategy, Taxonomy
from arrears.terms import Mandate

if TYPE_CHECKING:
    from arrears.models.backends import Backends


class Place(NamedTuple):
    """Where in a run a talk belongs."""

    case: str
    suite: str
    debtor: str
    repeat: int


@dataclass(frozen=True, slots=True)
class Seating:
    """Seats for the talks of one run."""

    seed: int
    mandate: Mandate
    max_turns: int
    language: Language = "en"
    temperature: float = 0.0
    max_tokens: int | None = None
    planner: str | None = None
    judge: str | None = None
    models: "Backends | None" = None
    """None where no seat of the run is a model."""
    debtor_prompt: DebtorPrompt = "both"
    """What a debtor's model is told of the person."""
    taxonomy: Taxonomy | None = None
    """The strategies that models are given; None: the shipped ones."""
    wordings: Mapping[str, Wording] = field(default_factory=dict)
    """How collectors that are models are briefed, by name; "full" for those it does not name."""
    guidance: str = ""
    """One more paragraph for every model in the collector's seat."""
    branch: tuple[str | int, ...] = ()
    """Where a talk that is taken up in the middle gets its luck from there on: the same talk under
    two branches goes on in two ways. Empty: as if it had never stopped."""

    debtor_temperature: float | None = None
    """Of a model in the debtor's seat, where it is another than that of the rest."""
    acts_alone: bool = False
    """Whether of a local model's messages in the collector's seat only the acts are drawn."""

    async def talk(
        self, place: Place, debtor: Debtor, collector: str, seat: str, history: Sequence[Turn] = ()
    ) -> Dialogue:
        """Seat both sides and let them negotiate, from the end of `history` on."""
        return await negotiate(
            case=place.case,
            suite=place.suite,
            debtor=debtor,
            collector=self.collector(collector, place, debtor),
            debtor_seat=self.debtor(seat, place, debtor),
            collector_spec=collector,
            debtor_spec=seat,
            mandate=self.mandate,
            max_turns=self.max_turns,
            history=history,
        )

    def collector(self, line: str, place: Place, debtor: Debtor) -> Agent:
        """The collector's seat. It is given the debtor's background only."""
        model, method = method_of(line)
        if model.startswith(f"{REPLAY}/"):
            return replay_seat(model, "collector", place.suite, place.debtor, place.repeat)
        speaker = self._speaker(model, place, debtor)
        if method == "direct":
            return speaker
        planner, judge = helpers_of(line, self.planner, self.judge)
        communicator: Communicator = speaker  # type: ignore[assignment]
        return Team(
            communicator,
            self._planner(planner, place) if planner else None,
            self._judge(judge, place) if judge else None,
            self.language,
        )

    def debtor(self, spec: str, place: Place, debtor: Debtor) -> Agent:
        """The debtor's seat."""
        address = (place.suite, place.debtor, place.repeat)
        if spec.startswith(f"{REPLAY}/"):
            return replay_seat(spec, "debtor", *address)
        if spec in DEBTOR_SEATS:
            rng = rng_for(self.seed, *address, "debtor")
            if not self.branch:
                return make_debtor_seat(spec, rng, debtor)
            later = rng_for(self.seed, *address, "debtor", *self.branch)
            return make_debtor_seat(spec, rng, debtor, later)
        if is_own(spec):
            return OwnSeat(spec, "debtor", debtor, rng_for(self.seed, *address, "debtor"))
        system = debtor_system(
            debtor, self.max_turns, self.language, self.debtor_prompt, self.taxonomy
        )
        model = self._model(spec, place, "debtor", "speaker")
        sampling = self._sampling(place, "debtor")
        return LLMSeat("debtor", system, model, sampling, self.language, self._known("debtor"))

    def _speaker(self, model: str, place: Place, debtor: Debtor) -> Agent:
        address = (place.suite, place.debtor, place.repeat, "collector", model)
        if model in COLLECTORS:
            rng = rng_for(self.seed, *address)
            return make_collector(model, rng, debtor.background, self.mandate)
        if is_own(model):
            rng = rng_for(self.seed, *address)
            return OwnSeat(model, "collector", debtor.background, self.mandate, rng)
        wording = self.wordings.get(model, "full")
        system = collector_system(
            style_of(debtor), debtor.background, self.mandate, self.max_turns, self.language,
            self.taxonomy, wording, self.guidance,
        )  # fmt: skip
        called = self._model(model, place, "collector", "speaker")
        sampling = self._sampling(place, "collector")
        return LLMSeat(
            "collector", system, called, sampling, self.language, self._known("collector"), wording
        )

    def _known(self, seat: Seat) -> Mapping[str, Strategy] | None:
        return None if self.taxonomy is None else self.taxonomy[seat]

    def _planner(self, spec: str, place: Place) -> Planner:
        if spec == PLANNER:
            from arrears.agents.maden.scripted import ScriptedPlanner

            return ScriptedPlanner()
        from arrears.agents.maden.models import ModelPlanner

        model = self._model(spec, place, "collector", "planner")
        return ModelPlanner(model, self._sampling(place, "planner"), self.language)

    def _judge(self, spec: str, place: Place) -> Judge:
        if spec == JUDGE:
            from arrears.agents.maden.scripted import ScriptedJudge

            return ScriptedJudge(self.language)
        from arrears.agents.maden.models import ModelJudge

        model = self._model(spec, place, "collector", "judge")
        return ModelJudge(model, self._sampling(place, "judge"), self.language)

    def _model(self, spec: str, place: Place, seat: str, role: str) -> ChatModel:
        if self.models is None:
            raise UsageError(f"{spec} is a model, and no model may be called here")
        return self.models.model(spec, Purpose(place.case, seat, role))

    def _sampling(self, place: Place, role: str) -> Sampling:
        """One seed for all requests of a seat in a talk."""
        address = (place.suite, place.debtor, place.repeat, role, "sampling", *self.branch)
        rng = rng_for(self.seed, *address)
        warmth = self.temperature
        if role == "debtor" and self.debtor_temperature is not None:
            warmth = self.debtor_temperature
        drawn = (ACTS, WORDS) if self.acts_alone and role == "collector" else None
        return Sampling(warmth, int(rng.integers(1 << 31)), self.max_tokens, drawn=drawn)
