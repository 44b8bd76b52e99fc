"""How long the command takes to say what it can do, beside an interpreter that does nothing.

    python -m benchmarks.startup

The quickest of some calls: what it takes while the machine does nothing else. That it loads little
is tested (tests/test_cli.py); seconds depend on the machine.
"""

import subprocess
import sys
import time

TRIES = 9


def quickest(*words: str) -> float:
    """Seconds."""
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Measure and print."""
    bare = quickest("-c", "pass")
    print(f"{'python':28}{bare:8.3f} s")
    for told, words in (
        ("import arrears", ("-c", "import arrears")),
        ("arrears --help", ("-m", "arrears.cli.main", "--help")),
        ("arrears bench --help", ("-m", "arrears.cli.main", "bench", "--help")),
    ):
        found = quickest(*words)
        print(f"{told:28}{found:8.3f} s{found / bare:8.1f} times a bare interpreter")


if __name__ == "__main__":
    main()
