"""A fitted model in a folder: `model.json`, the method's own file, the evidence, the report.

Nothing that is needed to sample is about one person. `private/` is, and the report draws real
people as dots: these two stay where the table is.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

import arrears
from arrears.errors import BrokenFile, UsageError
from arrears.files import replace_file
from arrears.synthesis.records.copies import load_fingerprints
from arrears.synthesis.records.finances import Lines, lines_from
from arrears.synthesis.records.mapping import Kind, RecordMapping
from arrears.synthesis.records.people import Person
from arrears.synthesis.records.strata import Strata, strata_from
from arrears.synthesis.records.synthesizer import METHODS, Synthesizer, load_method
from arrears.synthesis.records.table import Column

FORMAT: Final = 1
_FILE: Final = "model.json"


class _ColumnDocument(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    levels: tuple[str, ...]
    step: float


class ModelDocument(BaseModel):
    """`model.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = FORMAT
    """Format version of the folder."""
    arrears: str = arrears.__version__
    """Version of the package that fitted it."""
    method: str
    """One of `METHODS`."""
    seed: int
    """Of the split, the fit and the evidence."""
    rows: int
    """Real rows that it was fitted on."""
    columns: tuple[_ColumnDocument, ...]
    """What is learned, in order."""
    mapping: RecordMapping
    """What the columns mean."""
    strata: dict[str, Any]
    """Shares of the source."""
    finances: dict[str, Any]
    """The linear model."""
    repairs: tuple[str, ...]
    """What was found out or mended in the table."""
    copies_rows: bool
    """Whether it repeats real rows more often than chance does."""


@dataclass(frozen=True)
class RecordModel:
    """A model that rows can be drawn from."""

    folder: Path
    document: ModelDocument
    columns: tuple[Column, ...]
    synthesizer: Synthesizer
    strata: Strata
    lines: Lines
    real: NDArray[np.uint64] | None
    """Fingerprints of the fitted rows; None where they were taken away."""

    @property
    def pool(self) -> bool:
        """Whether its rows were all made when it was fitted."""
        return METHODS[self.document.method].pool

    def person(self) -> Person:
        """Reads its rows as debtors."""
        return Person(self.document.mapping, self.columns, self.lines)


def column_documents(columns: tuple[Column, ...]) -> tuple[_ColumnDocument, ...]:
    """Columns as they are stored."""
    return tuple(
        _ColumnDocument(name=c.name, kind=c.kind, levels=c.levels, step=c.step) for c in columns
    )


def store_document(folder: Path, document: ModelDocument) -> None:
    """Write `model.json`: last, so that a folder with one is whole."""
    text = orjson.dumps(document.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    replace_file(folder / _FILE, lambda file: file.write(text))


def load_model(folder: Path) -> RecordModel:
    """What `fit` wrote. BrokenFile where it is not whole, UsageError where there is none."""
    path = folder / _FILE
    if not path.exists():
        raise UsageError(f"{folder} holds no model; arrears debtors fit makes one")
    try:
        document = ModelDocument.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise BrokenFile(path, first["msg"], field=field) from None
    columns = tuple(Column(c.name, c.kind, c.levels, c.step) for c in document.columns)
    return RecordModel(
        folder,
        document,
        columns,
        load_method(document.method, folder, columns),
        strata_from(document.strata),
        lines_from(document.finances),
        load_fingerprints(folder),
    )
