"""From a table to a model in a folder, with the evidence beside it."""

from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np
import orjson

from arrears.errors import UnknownName, UsageError
from arrears.files import replace_file, storage
from arrears.rng import rng_for
from arrears.runs.lock import lock_folder
from arrears.synthesis.extras import extra, one_thread
from arrears.synthesis.records.copies import fingerprints, store_fingerprints
from arrears.synthesis.records.drawing import draw_rows
from arrears.synthesis.records.evidence import Evidence, evidence
from arrears.synthesis.records.finances import fit_lines
from arrears.synthesis.records.mapping import read_mapping
from arrears.synthesis.records.model import ModelDocument, column_documents, store_document
from arrears.synthesis.records.page import write_page
from arrears.synthesis.records.strata import strata_of
from arrears.synthesis.records.synthesizer import METHODS, fit_method
from arrears.synthesis.records.table import LEAST_ROWS, Table, read_table

EVIDENCE: Final = "evidence.json"
REPORT: Final = "report.html"
POOL: Final = 20_000


class Fitted(NamedTuple):
    """What became of a table."""

    document: ModelDocument
    evidence: Evidence
    seconds: float
    """To fit and to draw the rows of the evidence; without the evidence itself."""


def fit(
    table: Path,
    mapping: Path,
    method: str,
    out: Path,
    *,
    seed: int = 1,
    rows: int | None = None,
    holdout: int | None = None,
    pool: int = POOL,
) -> Fitted:
    """Fit a method on a part of a table and hold it against the other part.

    `rows` are fitted on and `holdout` held out, drawn at random; half and half without them.
    BrokenFile, UnknownName and UsageError before anything is written; RunMismatch where another
    process fits in `out`; StorageError.
    """
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    extra("sklearn")
    meaning = read_mapping(mapping)
    _check_free(out)
    whole, repairs = read_table(table, meaning)
    members, others = _split(whole, rows, holdout, seed)
    strata = strata_of(members, meaning.strata)
    with lock_folder(out):
        _check_free(out)
        with one_thread():
            began = perf_counter()
            synthesizer = fit_method(method, members, rng_for(seed, "records", method), pool)
            real = fingerprints(members.data, members.columns)
            drawn = draw_rows(
                synthesizer,
                members.columns,
                min(len(members), len(others)),
                rng_for(seed, "records", "evidence"),
                strata=strata,
                real=real,
                pool=METHODS[method].pool,
                short=True,
            )
            seconds = perf_counter() - began
            made = Table(members.columns, drawn.data)
            found = evidence(made, members, others, seed, drawn.copies)
        document = ModelDocument(
            method=method,
            seed=seed,
            rows=len(members),
            columns=column_documents(whole.columns),
            mapping=meaning,
            strata=strata.document(),
            finances=fit_lines(members, meaning).document(),
            repairs=repairs,
            copies_rows=found.privacy.copies_rows,
        )
        with storage(out):
            synthesizer.store(out)
            store_fingerprints(out, real)
            text = orjson.dumps(found.document(), option=orjson.OPT_INDENT_2)
            replace_file(out / EVIDENCE, lambda file: file.write(text))
            write_page(out / REPORT, document, found, made, others)
            store_document(out, document)
        return Fitted(document, found, seconds)


def _check_free(out: Path) -> None:
    if (out / "model.json").exists():
        raise UsageError(f"{out} holds a model already; choose another folder, or remove it")


def _split(whole: Table, rows: int | None, holdout: int | None, seed: int) -> tuple[Table, Table]:
    n = len(whole)
    rows = rows if rows is not None else n - (holdout if holdout is not None else n // 2)
    holdout = holdout if holdout is not None else n - rows
    for option, count in (("--rows", rows), ("--holdout", holdout)):
        if count < LEAST_ROWS // 2:
            raise UsageError(f"{option} must leave {LEAST_ROWS // 2} rows at least, not {count}")
    if rows + holdout > n:
        raise UsageError(
            f"--rows {rows} and --holdout {holdout} are more than the {n:,} rows that can be used"
        )
    order = rng_for(seed, "records", "split").permutation(n).astype(np.int64)
    return whole.rows(order[:rows]), whole.rows(order[rows : rows + holdout])
