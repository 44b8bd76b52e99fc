"""The record of one person and one debt (DebtBench §3.1 and appendix B.1; DCN §2).

A DCN debtor has background and finances; a DebtBench debtor has all the rest too. Amounts are in
yuan with at most two decimals; what must be exact converts them to whole minor units first.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Sex = Literal["male", "female"]
Category = Literal["confrontational", "avoidant", "helpless", "cooperative"]
CATEGORIES: tuple[Category, ...] = ("confrontational", "avoidant", "helpless", "cooperative")
Resilience = Literal["very_low", "low", "medium", "high", "very_high"]
RESILIENCE_LEVELS: tuple[Resilience, ...] = ("very_low", "low", "medium", "high", "very_high")
EMOTIONS = ("happiness", "sadness", "disgust", "fear", "surprise", "anger")
MBTI_TYPES: tuple[str, ...] = tuple(
    a + b + c + d for a in "EI" for b in "SN" for c in "TF" for d in "JP"
)
MOST_YUAN: Final = 1e12
"""No amount is larger; up to here the projection is exact in 64 bits."""
_MOST_DAYS: Final = 36_525


def _no_truth(value: Any) -> Any:
    # True counts as 1 in Python, and so to pydantic.
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


_Whole = Annotated[int, BeforeValidator(_no_truth)]
Level = Annotated[_Whole, Field(ge=1, le=5)]
Feeling = Annotated[_Whole, Field(ge=0, le=10)]
_Finite = Annotated[float, BeforeValidator(_no_truth), Field(allow_inf_nan=False)]
_Yuan = Annotated[_Finite, Field(le=MOST_YUAN)]


class Record(BaseModel):
    """Frozen; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Background(Record):
    """What the creditor knows of the person and the debt."""

    name: str
    """A pseudonym."""
    age: Annotated[_Whole, Field(ge=18, le=100)]
    """Years."""
    sex: Sex
    """As the account has it."""
    bal_due: Annotated[_Yuan, Field(ge=0.01)]
    """Amount that was borrowed, yuan."""
    need_coll_amt: Annotated[_Yuan, Field(ge=0.01)]
    """Amount to be collected, yuan, at most the amount borrowed."""
    overdue_days: Annotated[_Whole, Field(ge=1, le=_MOST_DAYS)]
    """Days since the first missed payment."""

    @model_validator(mode="after")
    def _owes_at_most_what_was_borrowed(self) -> "Background":
        if self.need_coll_amt > self.bal_due:
            raise ValueError(
                f"need_coll_amt {self.need_coll_amt} is more than bal_due {self.bal_due}"
            )
        return self


class Reason(Record):
    """Why the debt is overdue."""

    category: str
    """Key of the kind of reason, for example `job_loss`."""
    text: str
    """The reason in one sentence, first person."""


class Finances(Record):
    """What only the debtor knows of the money."""

    assets: Annotated[_Yuan, Field(ge=-MOST_YUAN)]
    """Assets today, yuan."""
    avg_daily_income: Annotated[_Yuan, Field(ge=0)]
    """Average income a day, yuan."""
    avg_daily_expense: Annotated[_Yuan, Field(ge=0)]
    """Average expense a day, yuan."""
    overdue_reason: Reason
    """Why the debt is overdue."""

    @property
    def avg_daily_balance(self) -> float:
        """Average surplus a day, yuan; negative where expenses exceed income."""
        return round(self.avg_daily_income - self.avg_daily_expense, 2)


class Emotions(Record):
    """The six basic emotions on the day of the call, 0 (absent) … 10 (overwhelming)."""

    happiness: Feeling
    """Contentment, hope, good humour."""
    sadness: Feeling
    """Grief, dejection."""
    disgust: Feeling
    """Distaste for the call and its caller."""
    fear: Feeling
    """Worry about what may follow."""
    surprise: Feeling
    """How unprepared the call finds the person."""
    anger: Feeling
    """Irritation up to rage."""


class Personality(Record):
    """How the person feels and speaks."""

    character: Annotated[tuple[str, ...], Field(min_length=1)]
    """Character traits, one word each."""
    mbti: Annotated[str, Field(pattern="^[EI][SN][TF][JP]$")]
    """MBTI type."""
    emotions: Emotions
    """The feelings with which the call begins."""
    emotional_resilience: Resilience
    """How well feelings are held under pressure."""
    style: Annotated[tuple[str, ...], Field(min_length=1)]
    """Ways of speaking, for example `evasive`, `fragmented`."""


class Trait(Record):
    """One cognitive attribute."""

    level: Level
    """1 (none) … 5 (full)."""
    description: str
    """What that means for this person, in the second person."""


class Cognition(Record):
    """What the person understands, and so also what not."""

    legal_awareness: Trait
    """Of what a default may lead to in law, and of one's own rights."""
    financial_literacy: Trait
    """Of interest, instalments and one's own arithmetic."""
    responsibility: Trait
    """How far the debt is felt to be one's own."""
    credit_awareness: Trait
    """Of the credit record and what it is worth."""


class Scenario(Record):
    """A short life story that explains the debt."""

    work: str
    """What the person lives on, for example `courier`, `retired`, `between jobs`."""
    household: str
    """Whom the person lives with or keeps."""
    story: str
    """Three to six sentences in the second person."""


class Debtor(Record):
    """One person and one debt."""

    id: str
    """Unique within its population, for example `debtbench-test-0017`."""
    background: Background
    """What the creditor knows."""
    finances: Finances
    """What only the debtor knows."""
    personality: Personality | None = None
    """None for a record of the `dcn` suite."""
    cognition: Cognition | None = None
    """None for a record of the `dcn` suite."""
    scenario: Scenario | None = None
    """None for a record of the `dcn` suite."""
    category: Category | None = None
    """The behavioural category, where one was assigned. No seat is ever shown it."""
