"""Built-in dialogues a second on one core, end to end: played, scored, stored.

    python -m benchmarks.dialogue_rate                # every collector, then 1,000 to 50,000

The second table shows whether time and memory per dialogue stay flat as a run grows. Each row is a
process of its own, so that peak memory is that of the row.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from arrears.agents.registry import COLLECTORS

SIZES = (1_000, 5_000, 20_000, 50_000)


def measure(collector: str, dialogues: int) -> None:
    """One run in this process; prints seconds, peak memory and bytes on disk."""
    from arrears.bench.plan import make_plan
    from arrears.bench.run import run
    from arrears.debtors.suites import load_suite

    people = load_suite("debtbench", "test")
    repeats = max(1, dialogues // len(people))
    folder = Path(tempfile.mkdtemp(prefix="rate-"))
    try:
        warm = make_plan({"debtbench": people[:20]}, collectors=(collector,))
        run(warm, {"debtbench": people[:20]}, folder / "warm", workers=1)
        plan = make_plan({"debtbench": people}, collectors=(collector,), repeats=repeats)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        result = run(plan, {"debtbench": people}, folder / "run", workers=1)
        spent = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = (folder / "run" / "dialogues.jsonl").stat().st_size
        print(result.played, spent, before, peak, size)
    finally:
        shutil.rmtree(folder)


def _row(collector: str, dialogues: int) -> tuple[int, float, int, int, int]:
    command = [sys.executable, "-m", "benchmarks.dialogue_rate", "--one", collector, str(dialogues)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(out[0]), float(out[1]), int(out[2]), int(out[3]), int(out[4])


def main() -> None:
    """Print both tables."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--one", nargs=2, metavar=("COLLECTOR", "DIALOGUES"))
    args.add_argument("--most", type=int, default=max(SIZES))
    options = args.parse_args()
    if options.one:
        measure(options.one[0], int(options.one[1]))
        return
    print("| collector | dialogues | dialogues / s / core |\n|---|---|---|")
    for collector in COLLECTORS:
        played, spent, *_ = _row(collector, 1000 if "adaptive" in collector else 3000)
        print(f"| {collector} | {played:,} | {played / spent:,.0f} |", flush=True)
    print("\n| scripted/typical | µs each | peak memory MiB | memory growth B each | file B each |")
    print("|---|---|---|---|---|")
    for size in SIZES:
        if size <= options.most:
            played, spent, before, peak, stored = _row("scripted/typical", size)
            print(
                f"| {played:,} | {1e6 * spent / played:.0f} | {peak / 1024:.0f} "
                f"| {1024 * (peak - before) / played:,.0f} | {stored / played:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
