"""Every command that the README and the docs show is run, in the order of the page."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(?:\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# A page's own words for what the reader has to bring.
BROUGHT = ("people.csv", "people.jsonl")


def commands(page: Path) -> list[str]:
    """The `arrears …` lines of a page's fences, continued lines joined."""
    found = []
    for block in FENCE.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            text = line.split("  #")[0].strip()
            if text.startswith("arrears "):
                found.append(text)
    return found


def shortened(command: str) -> list[str]:
    """The command's arguments; a benchmark plays three debtors only, a chat ends at once."""
    words = shlex.split(command)[1:]
    if words[0] == "bench":
        if "--limit" in words:
            words[words.index("--limit") + 1] = "3"
        else:
            words += ["--limit", "3"]
    return words


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: p.name)
def test_the_commands_of_a_page_work(page: Path, tmp_path: Path) -> None:
    arrears = [sys.executable, "-m", "arrears.cli.main"]
    for name in BROUGHT:
        made = [*arrears, "debtors", "make", "-n", "4", "--out", name]
        subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    for command in commands(page):
        words = shortened(command)
        piped = " ".join(words).split(" > ")[0]
        if ">" in words:
            words = words[: words.index(">")]
        done = subprocess.run(
            [*arrears, *words], cwd=tmp_path, capture_output=True, text=True, input="/quit\n"
        )
        assert done.returncode == 0, f"{page.name}: arrears {piped}\n{done.stderr}"
        assert done.stdout or done.stderr or "--out" in words, command


def test_pages_say_nothing_of_the_machine_that_they_were_written_on() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(home|root|work|tmp)/", text), page.name
