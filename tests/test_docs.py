"""Every command that the README and the docs show is run, in the order of the page, or is exempt here.

A page shows commands in fences and in indented blocks. A model that a command names is answered for
by a stub on loopback; files that a page shows (a fence whose first line is `# NAME`) are written as
they stand there.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import copyfile, copytree
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from arrears.cli.commands import cli
from arrears.models.providers import endpoint_of, providers
from arrears.synthesis.personas.attributes import attributes
from tests import accounts
from tests.stub_minds import PLAN, canned, verdict
from tests.stub_server import KEY, Stub

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(?:\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:\A|\n)[ ]*\n((?:    .*\n?|[ ]*\n)+)")
# A page's own words for what the reader has to bring.
BROUGHT = ("people.csv", "people.jsonl")
# Models and rows for training, by the name that a page gives them.
MODELS = ("models/small", "TINY", "runs/sft", "runs/dpo")
ROWS = {"talks.jsonl": "sft.jsonl", "pairs.jsonl": "dpo.jsonl"}
# Commands that are not run here, and why. Their options are checked all the same.
NANO = "trains from random weights for half an hour; tests/test_nano.py takes the same way, tiny"
EXEMPT = {
    "arrears train nano --out runs/nano": NANO,
    "arrears train report runs/nano/proof --out runs/nano/training.html": NANO,
    "arrears bench --suite debtbench --collector hf/runs/nano/round-2/model --concurrency 128 "
    "--out runs/again": NANO,
    "arrears export gguf runs/nano/round-1/model collector.gguf":
        "needs what nano trains; tests/test_gguf.py writes such a file",
    "arrears train cfpo --model hf/models/Qwen3-8B --suite debtbench --limit 2000 --rounds 2 "
    "--debtor-seat vllm/Qwen/Qwen3-32B --judge vllm/Qwen/Qwen3-32B --experience "
    "vllm/Qwen/Qwen3-32B --recipe debtgpt --out runs/debtgpt":
        "takes a card of 80 GB for days; tests/test_cfpo.py plays rounds",
}  # fmt: skip
# What a command of a page needs beyond the base install.
NEEDS = {
    "debtors fit": "synthesis", "debtors sample": "synthesis", "debtors extract": "synthesis",
    "debtors refine": "synthesis", "strategies mine": "synthesis", "strategies label": "synthesis",
    "train sft": "train", "train dpo": "train", "debtors analyse": "synthesis",
}  # fmt: skip
# Commands that the stub answers with the built-in reader.
READS = [["debtors", "extract"], ["debtors", "refine"]]
PERSONAS = {*(a.name for a in attributes()), "enrich_person", "enrich_life", "refine"}


def blocks(page: Path) -> list[str]:
    """What a page shows as code, in its order: fences, and indented lines after an empty one."""
    text = page.read_text(encoding="utf-8")
    found = [(m.start(), m[1]) for m in FENCE.finditer(text)]
    # What stands in fences is no indented block, however it is indented.
    rest = FENCE.sub(lambda m: re.sub(r"[^\n]", "-", m[0]), text)
    found += [(m.start(), re.sub(r"(?m)^    ", "", m[1])) for m in INDENTED.finditer(rest)]
    return [block for _, block in sorted(found)]


def shown(page: Path) -> list[str]:
    """The `arrears …` lines of a page, continued lines joined, whatever prompt they stand behind."""
    found = []
    for block in blocks(page):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            text = line.split("  #")[0].strip().removeprefix("$ ")
            if text.startswith("arrears "):
                found.append(" ".join(text.split()))
    return found


def commands(page: Path) -> list[str]:
    """Those that are run."""
    return [command for command in shown(page) if command not in EXEMPT]


def needed(page: Path) -> list[pytest.MarkDecorator]:
    """The marks of a page: what its commands need."""
    said = " ".join(f"{command} ;" for command in commands(page))
    extras = {extra for words, extra in NEEDS.items() if f"arrears {words} " in said}
    extras |= {"hf"} if " hf/" in said else set()
    return [getattr(pytest.mark, extra) for extra in sorted(extras)]


def shown_files(page: Path) -> dict[str, str]:
    """Files that a page shows whole."""
    blocks = FENCE.findall(page.read_text(encoding="utf-8"))
    named = [(re.match(r"# ([\w.]+\.(?:py|yaml|toml))\n", block), block) for block in blocks]
    return {name[1]: block for name, block in named if name}


def mind(request: Mapping[str, Any]) -> str:
    """Whoever is asked: a seat, a planner, a judge at the table or one of the scores."""
    from tests.stub_readers import reader, schema_of

    asked = request["messages"][0]["content"]
    if schema_of(request) in PERSONAS:
        return reader(request)
    if any(mark in asked for mark in ('"pairs"', '"clusters"', '"confidence"')):
        return taxonomist(request)
    if '"category"' in asked:
        return json.dumps(PLAN)
    if '"acceptable"' in asked:
        return json.dumps({"comment": "fine", "acceptable": True, "suggest": ""})
    return verdict(request) if '"reason"' in asked else canned(request)


def taxonomist(request: Mapping[str, Any]) -> str:
    """Whoever reads conversations for strategies: sees one in each turn, keeps every group."""
    system, asked = (message["content"] for message in request["messages"][:2])
    said = re.findall(r"^(\d+)\. [^:\n]+: (.*)$", asked, re.MULTILINE)
    if '"clusters"' in system:
        groups = [
            {"id": int(n), "key": f"group_{n}", "name": f"group {n}", "meaning": "A move.",
             "zh": "", "zh_meaning": "", "do": "keep", "with": None}
            for n in re.findall(r"^(\d+)\. \(", asked, re.MULTILINE)
        ]  # fmt: skip
        return json.dumps({"clusters": groups})
    if '"pairs"' in system:
        pairs = [{"turn": int(n), "strategy": "says", "utterance": t} for n, t in said]
        return json.dumps({"pairs": pairs})
    return json.dumps({"turns": [{"turn": int(n), "labels": []} for n, _ in said]})


def answered_by(stub: Stub) -> dict[str, str]:
    """An environment in which every provider is the stub."""
    env = {**os.environ, **{f"{p.upper()}_BASE_URL": stub.base for p in providers()}}
    for provider in providers():
        if provider != "compat":
            env[endpoint_of(f"{provider}/m", {}).key_variable] = KEY
    return env


def people_score(run: Path, out: Path) -> None:
    """Two persons' scores of a stored run."""
    cases = [
        json.loads(line)["case"] for line in (run / "dialogues.jsonl").read_bytes().splitlines()
    ]
    rows = [f"{case},{who},{5 + n % 3},6" for n, case in enumerate(cases) for who in "ab"]
    out.write_text("case,rater,US,ES\n" + "\n".join(rows) + "\n")


def shortened(command: str) -> list[str]:
    """The command's arguments; a benchmark plays three debtors only, a chat ends at once, and a
    model of random weights, which never comes to an end by itself, says a word.
    """
    words = shlex.split(command)[1:]
    if words[0] == "bench":
        if "--collector hf/" in command:
            # Alone: a second copy would load torch for itself.
            words += ["--max-tokens", "4", "--max-turns", "2", "--concurrency", "1"]
        if "--limit" in words:
            words[words.index("--limit") + 1] = "3"
        else:
            words += ["--limit", "3"]
    return words


def test_no_command_of_a_page_escapes() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = re.sub(r"\\\n\s*", "", text).splitlines()
        known = "|".join(cli.list_commands(click.Context(cli)))
        starts = [n for n in lines if re.match(rf"\s*(\$ )?arrears ({known}) ", n)]
        assert len(starts) == len(shown(page)), page.name


def test_what_is_exempt_is_shown_and_has_options_that_there_are() -> None:
    everything = {command for page in PAGES for command in shown(page)}
    assert set(EXEMPT) <= everything
    for line in EXEMPT:
        words = shlex.split(line)[1:]
        command: click.Command = cli
        context = click.Context(cli)
        while isinstance(command, click.Group):
            found = command.get_command(context, words.pop(0))
            assert found is not None, line
            command = found
        command.make_parser(context).parse_args(words)


@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=needed(p), id=p.name) for p in PAGES if commands(p)]
)
def test_the_commands_of_a_page_work(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    # In this process: what a command loads and learns serves those after it. As processes of their
    # own they are run by the tests of each command.
    monkeypatch.chdir(tmp_path)
    for name in BROUGHT:
        assert run("debtors", "make", "-n", "4", "--out", name).exit_code == 0
    if any("accounts.csv" in command for command in commands(page)):
        accounts.write(tmp_path / "accounts.csv", accounts.rows(400))
    for name, text in shown_files(page).items():
        (tmp_path / name).write_text(text)
    bring_models(page, tmp_path, request)
    if any(command.split()[1:3] in READS for command in commands(page)):
        request.getfixturevalue("listener")
    with Stub(mind) as stub:
        env = answered_by(stub)
        for command in commands(page):
            words = shortened(command)
            piped = " ".join(words).split(" > ")[0]
            if ">" in words:
                words = words[: words.index(">")]
            if "scores.csv" in words:
                people_score(tmp_path / words[1], tmp_path / "scores.csv")
            done = run(*words, env=env)
            assert done.exit_code == 0, f"{page.name}: arrears {piped}\n{done.stderr}"
            assert done.stdout or done.stderr or "--out" in words, command


def bring_models(page: Path, folder: Path, request: pytest.FixtureRequest) -> None:
    """Local models of a page, unless it makes them itself, and what they are trained on."""
    said = " ".join(commands(page))
    made = re.findall(r"--out (\S+)", said)
    wanted = [name for name in MODELS if f"hf/{name} " in f"{said} " and name not in made]
    if wanted:
        shelf: Path = request.getfixturevalue("shelf")
        for name in wanted:
            copytree(shelf / "model", folder / name)
            # As made, it has no room for a prompt.
            config = folder / name / "config.json"
            config.write_text(config.read_text().replace(": 512,", ": 8192,"))
        for name, rows in ROWS.items():
            copyfile(shelf / rows, folder / name)


def run(*words: str, env: Mapping[str, str] | None = None) -> Result:
    """A command of a page, to which somebody who has nothing to say listens."""
    return CliRunner().invoke(cli, words, input="/quit\n", env=env, catch_exceptions=False)


def test_the_collector_of_the_page_can_be_used_from_python(tmp_path: Path) -> None:
    page = ROOT / "docs" / "own-collector.md"
    for name, text in shown_files(page).items():
        (tmp_path / name).write_text(text)
    (script,) = [b for b in FENCE.findall(page.read_text()) if b.startswith("import asyncio")]
    (tmp_path / "mine.py").write_text(script)
    done = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in ("agreed", "max_turns", "walked_away")


def test_the_collector_of_the_page_is_short_and_does_not_fail(tmp_path: Path) -> None:
    page = ROOT / "docs" / "own-collector.md"
    text = shown_files(page)["patient.py"]
    assert len([line for line in text.splitlines() if line.strip()]) <= 35
    (tmp_path / "patient.py").write_text(text)
    line = [sys.executable, "-m", "arrears.cli.main", "bench", "--suite", "dcn", "--collector",
            "python/patient.py:Patient", "--limit", "60", "--out", "r", "--no-report"]  # fmt: skip
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    endings = [
        json.loads(row)["ending"]
        for row in (tmp_path / "r" / "dialogues.jsonl").read_bytes().splitlines()
    ]
    assert set(endings) <= {"agreed", "max_turns", "walked_away"}
    assert endings.count("agreed") > 10
    changed = text.replace("STEPS = (", "STEPS = (  # changed\n    ")
    (tmp_path / "patient.py").write_text(changed)
    again = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 2
    assert "it differs in code" in again.stderr


def test_pages_say_nothing_of_the_machine_that_they_were_written_on() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(home|root|work|tmp)/", text), page.name


CITED = re.compile(
    r"\b(?:docs|tests|benchmarks|src/arrears)/[\w/.-]+\.(?:md|py|yaml|toml|txt|png)\b"
)
SECTION = re.compile(r"(docs/[\w-]+\.md), \"([^\"]+)\"")


def test_every_page_and_file_that_is_cited_is_there() -> None:
    """In docstrings, comments and data as well as on pages."""
    kinds = ("*.py", "*.yaml", "*.toml", "*.md")
    folders = (ROOT / "src" / "arrears", ROOT / "tests", ROOT / "benchmarks", ROOT / "docs")
    files = [f for folder in folders for kind in kinds for f in folder.rglob(kind)]
    for file in [*files, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile"]:
        text = file.read_text(encoding="utf-8")
        gone = {cited for cited in CITED.findall(text) if not (ROOT / cited).exists()}
        assert not gone, f"{file.relative_to(ROOT)} cites {sorted(gone)}"
        for page, section in SECTION.findall(text):
            headings = re.findall(r"(?m)^#+ (.*)$", (ROOT / page).read_text(encoding="utf-8"))
            assert section in headings, f"{file.relative_to(ROOT)} cites {page}, {section}"
        assert not re.search(r"\b(economy|domain|world|architecture) page\b", text), file


def test_links_between_pages_lead_somewhere() -> None:
    for page in (*PAGES, ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:\s]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
