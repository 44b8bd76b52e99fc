"""Which column of a lender's table means what: `mapping.toml`, read and checked.

[table]                                   # optional; all of it is found out otherwise
delimiter = ";"
encoding = "gb18030"
decimal = ","                             # where the columns leave it open: is 1.234 a thousand?
missing = ["", "NA", "-"]

[account]                                 # what the creditor knows
need_coll_amt = { column = "BALANCE", factor = 0.23 }     # yuan for one unit
overdue_days = { column = "MONTHS_LATE", factor = 30 }
age = "AGE"
sex = { column = "SEX", codes = { "1" = "male", "2" = "female" } }

[finances]                                # optional, as far as there are such columns
assets = "SAVINGS"

[other]                                   # rides along, learned but in no debtor's record
numeric = ["BILL_1"]
categorical = ["EDUCATION"]

[strata]                                  # optional; these are the defaults
columns = ["sex", "overdue_days", "need_coll_amt"]
bands = 5
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from arrears.errors import BrokenFile
from arrears.tables.numerals import Decimal
from arrears.tables.text import file_bytes, unicode_text

Kind = Literal["numeric", "categorical"]
AMOUNTS: Final = ("need_coll_amt", "bal_due", "assets", "avg_daily_income", "avg_daily_expense")
NEEDED: Final = ("need_coll_amt", "overdue_days", "age", "sex")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """Where a field of the record comes from."""

    column: str
    """Header of the column."""
    factor: Annotated[float, Field(gt=0)] = 1.0
    """What one unit of the column is in yuan, or in days."""
    codes: Mapping[str, str] = Field(default_factory=dict)
    """What a cell's text means, for a column of codes; a text that is not listed is missing."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value


class TableFormat(_Part):
    """How the table is written. What is None is found out."""

    delimiter: Annotated[str, Field(pattern='^[^"\r\n]$')] | None = None
    """Between cells."""
    encoding: str | None = None
    """Of the whole file."""
    decimal: Decimal | None = None
    """The decimal sign of columns that do not tell themselves, as one that holds 1.234 only."""
    missing: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-", "?")
    """Cells that hold nothing."""


class AccountColumns(_Part):
    """What the creditor knows (`Background`)."""

    need_coll_amt: Source
    """Amount to be collected."""
    overdue_days: Source
    """Days since the first missed payment; with `factor = 30` a column of months."""
    age: Source
    """Years."""
    sex: Source
    """`male` or `female`, or codes of them."""
    bal_due: Source | None = None
    """Amount borrowed; drawn from the built-in population where there is no such column."""


class FinanceColumns(_Part):
    """What most lenders do not know; filled by DCN's linear model where absent or missing."""

    assets: Source | None = None
    """Of the day."""
    avg_daily_income: Source | None = None
    """A day; a column of months has `factor = 0.0333`."""
    avg_daily_expense: Source | None = None
    """A day."""
    overdue_reason: Source | None = None
    """Kind of reason, with codes to those of docs/debtors.md."""


class OtherColumns(_Part):
    """Columns that are learned too, and come out in the table of `sample --table`."""

    numeric: tuple[str, ...] = ()
    """Numbers, ordered codes among them."""
    categorical: tuple[str, ...] = ()
    """Anything else."""


class StrataChoice(_Part):
    """What a sample repeats exactly, as far as whole numbers allow."""

    columns: tuple[str, ...] = ("sex", "overdue_days", "need_coll_amt")
    """Fields of the account, or columns that ride along."""
    bands: Annotated[int, Field(ge=1, le=20)] = 5
    """Bands of equal counts for a number."""


class Learned(NamedTuple):
    """One column that is learned."""

    name: str
    """Field of the record, or the header of a column that rides along."""
    column: str
    kind: Kind
    codes: Mapping[str, str]


class RecordMapping(_Part):
    """The whole mapping."""

    table: TableFormat = TableFormat()
    """How the file is written."""
    account: AccountColumns
    """What the creditor knows."""
    finances: FinanceColumns = FinanceColumns()
    """What only the debtor knows."""
    other: OtherColumns = OtherColumns()
    """What rides along."""
    strata: StrataChoice = StrataChoice()
    """What a sample repeats exactly."""

    @model_validator(mode="after")
    def _each_column_once(self) -> "RecordMapping":
        columns = [learned.column for learned in self.learned()]
        twice = sorted({c for c in columns if columns.count(c) > 1})
        if twice:
            raise ValueError(f"column {twice[0]!r} is named twice")
        unknown = set(self.strata.columns) - {learned.name for learned in self.learned()}
        if unknown:
            raise ValueError(f"strata: {sorted(unknown)[0]!r} is no column of the mapping")
        return self

    def source(self, field: str) -> Source | None:
        """Where a field of the record comes from."""
        part = self.account if field in AccountColumns.model_fields else self.finances
        found: Source | None = getattr(part, field)
        return found

    def learned(self) -> tuple[Learned, ...]:
        """Every column that is learned, fields of the record first."""
        return tuple(self._learned())

    def _learned(self) -> Iterator[Learned]:
        for part in (self.account, self.finances):
            for field in type(part).model_fields:
                source: Source | None = getattr(part, field)
                if source is not None:
                    kind: Kind = "categorical" if field in ("sex", "overdue_reason") else "numeric"
                    yield Learned(field, source.column, kind, source.codes)
        for name in self.other.numeric:
            yield Learned(name, name, "numeric", {})
        for name in self.other.categorical:
            yield Learned(name, name, "categorical", {})


def read_mapping(path: Path) -> RecordMapping:
    """The mapping of a toml file. BrokenFile says which entry is wrong, and how it is meant."""
    try:
        raw = tomllib.loads(unicode_text(path, file_bytes(path)))
    except tomllib.TOMLDecodeError as error:
        raise BrokenFile(path, f"is not TOML: {error}") from error
    try:
        return RecordMapping.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        hint = f"; [account] needs {', '.join(NEEDED)}" if first["type"] == "missing" else ""
        raise BrokenFile(path, first["msg"] + hint, field=field) from None
