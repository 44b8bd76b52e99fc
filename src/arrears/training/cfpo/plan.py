"""What a round of CFPO is to do. Two equal plans go on with each other's work."""

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from arrears.agents.briefing import Wording
from arrears.debtors.record import Record
from arrears.prompts.library import Language
from arrears.terms import Mandate
from arrears.training.reward import YEARLY_RATE, Weights

FORMAT_VERSION: Final = 1
Unlike = Literal["words", "acts"]
Drawn = Literal["message", "acts"]
Without = Literal["", "filter", "simulation"]
RULES: Final = ("training.cfpo.weigh", "training.cfpo.listwise")
"""What is stored of a round is made by these; its pairs are made again at every end."""
RUBRIC: Final = "scripted/rubric"
"""The built-in judge, of candidate messages and of whole talks."""


class Course(Record):
    """A round, as it is stored in `cfpo.json`."""

    format: int = FORMAT_VERSION
    """Format version of the folder."""
    arrears: str = ""
    """Version of the package that began it, for the record."""
    rules: str
    """Digest of the code and data that talks are played and weighed by (`arrears.runs.rules`)."""
    policy: str
    """The collector that is to learn: a model."""
    weights_digest: str = ""
    """SHA-256 over a local policy's weights: another model in the same place is another policy."""
    debtor_seat: str = "scripted/debtor"
    """Who answers: the persona-conditioned debtor."""
    suite: str
    """Where the debtors come from."""
    debtors: Annotated[int, Field(ge=1)]
    """How many of them."""
    debtors_digest: str
    """SHA-256 over their records."""
    seed: int
    """The root of every random number's address."""
    moments: Annotated[int, Field(ge=1)] = 1
    """Turns of each talk at which candidates are weighed (fewer where the talk is shorter)."""
    candidates: Annotated[int, Field(ge=2)] = 6
    """N: messages that the policy writes at a turn."""
    unlike: Unlike = "words"
    """In what two candidates have to differ to be two: in their words or acts, or in their acts or
    strategy. With `acts` nothing is played out to tell two ways of saying the same apart."""
    keep: Annotated[int, Field(ge=2)] = 3
    """K: how many of them pass the coarse filter."""
    playouts: Annotated[int, Field(ge=1)] = 3
    """M: how often each of these is played to the end."""
    judge: str = RUBRIC
    """Marks the candidates (listwise, in both orders): a model, or `scripted/rubric`."""
    experience: str = RUBRIC
    """Marks how whole talks felt: a model, or `scripted/rubric`."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Of the policy when it writes candidates; at 0 they would all be the same message."""
    playout_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Of the policy as it plays, the talk itself and what follows a candidate. 0 weighs the turns
    that a greedy collector comes to, its loops among them, and leaves nothing of a playout to the
    policy's whim; only the debtor's luck then differs between the M."""
    drawn: Drawn = "message"
    """What of a candidate is drawn: all of it, or its acts alone, between thoughts and words that
    are the likeliest. A small model speaks badly at a temperature at which it bargains in several
    ways, and pairs of such messages teach it to speak otherwise; for local policies alone."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Of one message; None: 1,024, and 4,096 for models that reason first."""
    debtor_temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of a model in the debtor's seat."""
    w_agreement: Annotated[float, Field(ge=0)] = 0.5
    """Weight of the agreement's quality (equation 5)."""
    w_experience: Annotated[float, Field(ge=0)] = 0.5
    """Weight of the experience (equation 5)."""
    yearly_rate: Annotated[float, Field(ge=0, le=5)] = YEARLY_RATE
    """The creditor's, for present values."""
    without: Without = ""
    """An ablation: `filter` plays all candidates out, `simulation` ranks by the judge's marks."""
    mandate: Mandate = Mandate()
    """The creditor's limits."""
    max_turns: Annotated[int, Field(ge=1)] = 12
    lang: Language = "en"
    wording: Wording = "full"
    """How the policy is briefed."""
    prompts: str = ""
    """SHA-256 over the prompts."""
    sources: dict[str, str] = Field(default_factory=dict)
    """Digest of what the others speak from that are local models or replay a run, by name."""

    @model_validator(mode="after")
    def _fits(self) -> "Course":
        if self.keep > self.candidates:
            raise ValueError("keep must not be larger than candidates")
        if self.w_agreement + self.w_experience <= 0:
            raise ValueError("one of the two weights must be positive")
        return self

    @property
    def played_out(self) -> int:
        """How many candidates of a turn are played to the end."""
        return {"": self.keep, "filter": self.candidates, "simulation": 0}[self.without]

    @property
    def marked(self) -> bool:
        """Whether a judge marks the candidates."""
        return self.without != "filter"

    def weights(self) -> Weights:
        """Of the reward's parts."""
        return Weights(self.w_agreement, self.w_experience, self.yearly_rate)
