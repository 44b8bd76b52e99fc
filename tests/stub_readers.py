"""Models behind the stub that know the built-in debtor: a reader of conversations, a judge of
behaviour, an inventor of people, and a debtor who stays who he is whatever the profile says.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from arrears.agents.seating import Place
from arrears.debtors.population import make_population
from arrears.debtors.record import (
    EMOTIONS,
    RESILIENCE_LEVELS,
    Category,
    Cognition,
    Debtor,
    Emotions,
    Personality,
    Trait,
)
from arrears.prompts.library import words
from arrears.synthesis.conversations import Conversation, Utterance
from arrears.synthesis.personas.draft import COGNITION
from arrears.synthesis.personas.listening_judge import judged
from arrears.synthesis.personas.reader import answers, built_in
from tests.stub_minds import BuiltIn

_LINE = re.compile(r"^(The collector|The customer)(?: \[[^\n]*?\])?: (.*)$", re.MULTILINE)


def schema_of(request: Mapping[str, Any]) -> str:
    """The name of the JSON schema that was asked for."""
    return str(request.get("response_format", {}).get("json_schema", {}).get("name", ""))


def talk_in(request: Mapping[str, Any]) -> Conversation:
    """The conversation that stands in a request."""
    text = request["messages"][1]["content"]
    said = tuple(
        Utterance("collector" if who == "The collector" else "debtor", what.strip('"'))
        for who, what in _LINE.findall(text)
    )
    return Conversation("behind-the-server", said)


@cache
def _read(talk: Conversation) -> dict[str, dict[str, Any]]:
    (reading,) = built_in().read([talk])
    return answers(reading, talk)


def reader(request: Mapping[str, Any]) -> str:
    """The built-in extractor, told only what stands in the request."""
    schema = schema_of(request)
    if schema == "refine":
        return _verdict(request)
    if schema in ("enrich_person", "enrich_life"):
        return inventor(request)
    return json.dumps(_read(talk_in(request))[schema])


def inventor(request: Mapping[str, Any]) -> str:
    """Somebody of the built-in population, by the record in the request."""
    text = request["messages"][1]["content"]
    seed = sum(text.encode())
    (person,) = make_population("debtbench", 1, seed)
    temper, mind, life = person.personality, person.cognition, person.scenario
    assert temper is not None
    assert mind is not None
    assert life is not None
    if schema_of(request) == "enrich_life":
        story = "You fell behind when things went wrong. Nobody at home knows. You hope for time."
        return json.dumps({"work": life.work, "household": life.household, "story": story})
    return json.dumps(
        {
            "category": person.category,
            "character": temper.character,
            "mbti": temper.mbti,
            "emotions": temper.emotions.model_dump(),
            "resilience": temper.emotional_resilience,
            "style": temper.style,
            "cognition": mind.model_dump(),
        }
    )


def _verdict(request: Mapping[str, Any]) -> str:
    found = judged(_profile(request["messages"][1]["content"]), talk_in(request), "server")
    return json.dumps(
        {
            **found.scores,
            "changes": [
                {"field": c.field, "value": c.after, "reason": c.reason,
                 "description": c.description}
                for c in found.changes
            ],
            "reason": found.reason,
        }
    )  # fmt: skip


def _profile(text: str) -> Debtor:
    """The persona that stands in a request to judge it."""
    small = words("en")
    (someone,) = make_population("debtbench", 1, 1)
    feelings = re.search(
        r"Feelings at the start \(0 to 10\): (.*?)\. Keeps them in hand: (.*)\.", text
    )
    nature = re.search(r"By nature: (.*?); type (....)\. Way of speaking: (.*?)\.", text)
    levels = re.search(r"Levels from 1 to 5: (.*)", text)
    assert feelings is not None
    assert nature is not None
    assert levels is not None
    resilience = next(r for r in RESILIENCE_LEVELS if small["resilience"][r] == feelings[2])
    marks = dict(part.rsplit(" ", 1) for part in feelings[1].split(", "))
    steps = [int(part.rsplit(" ", 1)[1]) for part in levels[1].split(", ")]
    return someone.model_copy(
        update={
            "personality": Personality(
                character=tuple(nature[1].split(", ")),
                mbti=nature[2],
                emotions=Emotions(**{name: int(marks[name]) for name in EMOTIONS}),
                emotional_resilience=resilience,
                style=tuple(nature[3].split(", ")),
            ),
            "cognition": Cognition(
                **{
                    name: Trait(level=level, description="You …")
                    for name, level in zip(COGNITION, steps, strict=True)
                }
            ),
        }
    )


class _ByAccount(dict[str, Debtor]):
    """Finds a debtor by the amounts in a prompt, whatever else stands there."""

    def __init__(self, debtors: Sequence[Debtor]) -> None:
        super().__init__()
        self._debtors = debtors

    def __missing__(self, system: str) -> Debtor:
        for debtor in self._debtors:
            amount = f"{debtor.background.need_coll_amt:,.2f}".removesuffix(".00")
            if f"{amount} yuan" in system:
                return debtor
        raise AssertionError("nobody has such an account")


class Himself(BuiltIn):
    """A debtor's seat that speaks as the true person, not as the profile that it is given."""

    def __init__(self, debtors: Sequence[Debtor], *, seed: int) -> None:
        super().__init__("refine", debtors, seed=seed)
        self._known = _ByAccount(debtors)


def opposite(debtor: Debtor) -> Debtor:
    """The same account with a persona that is the other way round."""
    temper, mind = debtor.personality, debtor.cognition
    assert temper is not None
    assert mind is not None
    turned = {name: 10 - getattr(temper.emotions, name) for name in EMOTIONS}
    minds = {name: getattr(mind, name) for name in COGNITION}
    category: Category = (
        "cooperative" if debtor.category == "confrontational" else "confrontational"
    )
    return debtor.model_copy(
        update={
            "category": category,
            "personality": temper.model_copy(update={"emotions": Emotions(**turned)}),
            "cognition": Cognition(
                **{
                    name: trait.model_copy(update={"level": 6 - trait.level})
                    for name, trait in minds.items()
                }
            ),
        }
    )


PLACE = Place("refine/x", "refine", "x", 1)
