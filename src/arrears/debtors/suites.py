"""The two published suites: `dcn` (975 records) and `debtbench` (11,000 personas).

The test splits ship with the package; the train splits are made when they are asked for, with the
same bytes everywhere. A split is stratified by category, sex, amount and days overdue.
"""

import lzma
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from arrears.debtors.distributions import suite_shape
from arrears.debtors.population import make_debtor
from arrears.debtors.record import CATEGORIES, Debtor
from arrears.errors import UnknownName

Split = Literal["train", "test"]
SUITES: Final = ("dcn", "debtbench")
SPLITS: Final = ("train", "test")
_AMOUNT_BANDS = 10
# Settings of the shipped files: with them the same text gives the same archive.
_FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


def load_suite(suite: str, split: str = "test") -> tuple[Debtor, ...]:
    """The debtors of one split, in order. UnknownName for a suite or split that there is not."""
    if suite not in SUITES:
        raise UnknownName("suite", suite, SUITES)
    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    if split == "test":
        return _shipped(suite)
    return make_split(suite, "train")


def suite_digest(debtors: Iterable[Debtor]) -> str:
    """SHA-256 of the debtors as jsonl, hexadecimal."""
    digest = sha256()
    for debtor in debtors:
        digest.update(as_line(debtor))
    return digest.hexdigest()


def as_line(debtor: Debtor) -> bytes:
    """One debtor as a line of jsonl, newline included; fields that are absent are left out."""
    return debtor.model_dump_json(exclude_none=True).encode() + b"\n"


def find_debtor(debtor_id: str) -> Debtor:
    """The debtor of a suite by id, for example `debtbench-test-0017`. UnknownName otherwise."""
    parts = debtor_id.split("-")
    if len(parts) == 3 and parts[0] in SUITES and parts[1] in SPLITS:
        for debtor in load_suite(parts[0], parts[1]):
            if debtor.id == debtor_id:
                return debtor
    known = []
    for suite in SUITES:
        shape = suite_shape(suite)
        for split, n in (("test", shape.test), ("train", shape.people - shape.test)):
            known.append(f"{suite}-{split}-{1:0{_width(n)}d} … {n:0{_width(n)}d}")
    raise UnknownName("debtor", debtor_id, known)


@cache
def make_split(suite: str, split: Split) -> tuple[Debtor, ...]:
    """A split made from its seed, as the shipped one was: some seconds for `debtbench`."""
    shape = suite_shape(suite)
    everyone = [make_debtor(suite, shape.seed, i, "unsplit") for i in range(shape.people)]
    tested = _tested(everyone, shape.test)
    chosen = [i for i in range(shape.people) if (i in tested) == (split == "test")]
    width = _width(len(chosen))
    return tuple(
        everyone[i].model_copy(update={"id": f"{suite}-{split}-{k:0{width}d}"})
        for k, i in enumerate(chosen, start=1)
    )


def _width(n: int) -> int:
    return max(4, len(str(n)))


def _tested(everyone: list[Debtor], n: int) -> frozenset[int]:
    """Which people are tested on: an even sample along an order that keeps like people together."""
    total = len(everyone)
    amounts = sorted(range(total), key=lambda i: (everyone[i].background.need_coll_amt, i))
    band = {i: rank * _AMOUNT_BANDS // total for rank, i in enumerate(amounts)}

    def likeness(i: int) -> tuple[int, str, int, int, int]:
        person = everyone[i]
        kind = CATEGORIES.index(person.category) if person.category else -1
        # Days overdue run up in one band and down in the next: neighbours stay alike.
        days = person.background.overdue_days * (1 if band[i] % 2 else -1)
        return kind, person.background.sex, band[i], days, i

    order = sorted(range(total), key=likeness)
    return frozenset(
        i for rank, i in enumerate(order) if (rank + 1) * n // total > rank * n // total
    )


@cache
def _shipped(suite: str) -> tuple[Debtor, ...]:
    packed = (resources.files("arrears.debtors") / "data" / f"{suite}-test.jsonl.xz").read_bytes()
    return tuple(Debtor.model_validate_json(line) for line in lzma.decompress(packed).splitlines())


def ship(folder: Path) -> dict[str, str]:
    """Write the shipped test splits into a folder; SHA-256 of each one's text by suite."""
    digests = {}
    for suite in SUITES:
        people = make_split(suite, "test")
        text = b"".join(as_line(debtor) for debtor in people)
        packed = lzma.compress(text, lzma.FORMAT_XZ, filters=_FILTERS)
        (folder / f"{suite}-test.jsonl.xz").write_bytes(packed)
        digests[suite] = sha256(text).hexdigest()
    return digests


if __name__ == "__main__":
    for name, digest in ship(Path(__file__).parent / "data").items():
        print(name, digest)
