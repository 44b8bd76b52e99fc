"""nano's recipe: one readable TOML for the whole way from random weights to the proof."""

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from arrears.debtors.record import Record
from arrears.errors import BrokenFile
from arrears.training.cfpo.plan import Drawn, Unlike, Without
from arrears.training.fit.recipe import put_over
from arrears.training.nano.corpus import Mix
from arrears.training.nano.model import Shape

Count = Annotated[int, Field(ge=1)]
Suite = Literal["debtbench", "dcn"]


class SftPart(Record):
    """[sft]: learning to talk."""

    recipe: str = "nano-sft"
    """A shipped recipe, or a file."""
    set: tuple[str, ...] = ()
    """Values put over it, `key=value`."""


class CfpoPart(Record):
    """[cfpo]: learning to look ahead."""

    suite: Suite = "debtbench"
    """Whose training debtors it meets."""
    rounds: Annotated[int, Field(ge=0)] = 2
    """Each with debtors of its own."""
    debtors: Count = 500
    """Of a round."""
    candidates: Annotated[int, Field(ge=2)] = 6
    """N."""
    unlike: Unlike = "acts"
    """In what two of them have to differ."""
    keep: Annotated[int, Field(ge=2)] = 3
    """K."""
    playouts: Count = 3
    """M."""
    moments: Count = 2
    """Turns of each talk at which candidates are weighed."""
    margin: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Least difference between the two of a pair."""
    pairs: Count = 1
    """Most pairs of one turn."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Of the policy when it writes candidates."""
    playout_temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Of the policy as it plays: 0, as it is in the proof."""
    drawn: Drawn = "acts"
    """What of a candidate is drawn."""
    without: Without = ""
    """An ablation."""
    recipe: str = "nano-dpo"
    """A shipped recipe, or a file."""
    set: tuple[str, ...] = ()
    """Values put over it, `key=value`."""


class ProofPart(Record):
    """[proof]: test debtors."""

    suite: Suite = "debtbench"
    """Its test split."""
    debtors: Count = 1000
    """The first so many of it."""


class Nano(Record):
    """The whole recipe."""

    shape: Shape = Shape()
    """Of the model."""
    mix: Mix = Mix()
    """What it first learns from."""
    sft: SftPart = SftPart()
    """Learning to talk."""
    cfpo: CfpoPart = CfpoPart()
    """Learning to look ahead."""
    proof: ProofPart = ProofPart()
    """Whether it helped."""


def read_nano(name: Path | None = None, settings: Sequence[str] = ()) -> Nano:
    """The shipped recipe, or that of a file, with `key=value` put over it.

    BrokenFile with the key where it does not hold together, UsageError for no `key=value`.
    """
    label = "nano.toml" if name is None else str(name)
    try:
        text = (
            (resources.files("arrears.training.nano") / "nano.toml").read_text("utf-8")
            if name is None
            else name.read_text("utf-8")
        )
        raw = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BrokenFile(label, f"no recipe that can be read: {error}") from error
    for setting in settings:
        put_over(raw, setting)
    try:
        return Nano.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise BrokenFile(label, first["msg"], field=".".join(map(str, first["loc"]))) from None
