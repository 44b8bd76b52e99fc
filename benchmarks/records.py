"""All three methods on the Taiwan credit table: quality, privacy, seconds, memory.

    python -m benchmarks.records [copula gaussian ctgan] [--rows 10000] [--holdout 10000]
    python -m benchmarks.records --kinds 1 3 5 8      # how many copulas the default is made of

Reads `$ARREARS_DATA/uci-credit`. Each method runs in a process of its own; ctgan takes minutes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from arrears.rng import rng_for
from arrears.synthesis.extras import one_thread
from arrears.synthesis.records.evidence import evidence
from arrears.synthesis.records.kinds import fit_kinds
from arrears.synthesis.records.mapping import read_mapping
from arrears.synthesis.records.synthesizer import METHODS
from arrears.synthesis.records.table import Table, read_table

MAPPING = """
# Taiwan 2005: New Taiwan dollars, months overdue.
[account]
need_coll_amt = { column = "BILL_AMT1", factor = 0.2 }
bal_due = { column = "LIMIT_BAL", factor = 0.2 }
overdue_days = { column = "PAY_1", factor = 30 }
age = "AGE"
sex = { column = "SEX", codes = { "1" = "male", "2" = "female" } }

[other]
numeric = [
  "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6",
  "BILL_AMT2", "BILL_AMT3", "BILL_AMT4", "BILL_AMT5", "BILL_AMT6",
  "PAY_AMT1", "PAY_AMT2", "PAY_AMT3", "PAY_AMT4", "PAY_AMT5", "PAY_AMT6",
]
categorical = ["EDUCATION", "MARRIAGE", "default.payment.next.month"]
"""


def main() -> None:
    """Fit each method, print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", default=list(METHODS))
    parser.add_argument("--rows", default="10000")
    parser.add_argument("--holdout", default="10000")
    parser.add_argument("--kinds", nargs="*", type=int)
    chosen = parser.parse_args()
    data = os.environ.get("ARREARS_DATA")
    if data is None:
        sys.exit("set ARREARS_DATA to the folder that holds uci-credit/")
    table = Path(data) / "uci-credit" / "UCI_Credit_Card.csv"
    if chosen.kinds:
        by_kinds(table, chosen.kinds, int(chosen.rows), int(chosen.holdout))
        return
    columns: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        mapping = Path(folder) / "uci.toml"
        mapping.write_text(MAPPING)
        for method in chosen.methods:
            line = [sys.executable, "-m", "arrears.cli.main", "debtors", "fit", str(table),
                    "--map", str(mapping), "--out", str(Path(folder) / method),
                    "--method", method, "--rows", chosen.rows, "--holdout", chosen.holdout,
                    "--json"]  # fmt: skip
            done = subprocess.run(line, capture_output=True, text=True, check=True)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            found = json.loads(done.stdout)
            columns[method] = {
                **{f["name"]: _shown(f["value"]) for f in found["findings"]},
                "seconds": f"{found['seconds']:.1f}",
                # The largest so far: methods are run from the smallest to the largest.
                "peak MB": f"{peak:.0f}",
            }
            columns["real"] = {
                f["name"]: "–" if f["real"] is None else _shown(f["real"])
                for f in found["findings"]
            }
    names = list(columns[chosen.methods[0]])
    print(f"{'':22}" + "".join(f"{m:>12}" for m in columns))
    for name in names:
        print(f"{name:22}" + "".join(f"{columns[m].get(name, ''):>12}" for m in columns))


def by_kinds(source: Path, counts: Sequence[int], rows: int, holdout: int) -> None:
    """The default method with so many kinds of rows."""
    with tempfile.TemporaryDirectory() as folder:
        mapping = Path(folder) / "uci.toml"
        mapping.write_text(MAPPING)
        whole, _ = read_table(source, read_mapping(mapping))
    order = rng_for(1, "records", "split").permutation(len(whole))
    members, others = whole.rows(order[:rows]), whole.rows(order[rows : rows + holdout])
    for count in counts:
        with one_thread():
            began = perf_counter()
            model = fit_kinds(members, rng_for(1, "kinds", count), count)
            made = Table(whole.columns, model.rows(min(rows, holdout), rng_for(1, "made", count)))
            seconds = perf_counter() - began
            found = evidence(made, members, others, 1)
        told = "  ".join(f"{f.name} {_shown(f.value)}" for f in found.findings)
        print(f"{count} kinds, {seconds:.1f} s: {told}", flush=True)


def _shown(value: float) -> str:
    return f"{value:.0f}" if isinstance(value, int) else f"{value:.3f}"


if __name__ == "__main__":
    main()
