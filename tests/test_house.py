"""The house: a room imports only from rooms above it, and importing the package is light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "arrears"

# Import order of docs/architecture.md: each line may import only from the lines above it (and from
# its own room).
ROOMS = [
    {"errors", "rng", "terms", "terms_text", "strategies", "phrases", "files", "machine"},
    {"debtors"},
    {"economy"},
    {"models"},
    {"prompts"},
    {"dialogue"},
    {"agents"},
    {"scoring"},
    {"bench"},
    {"synthesis", "training"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def imported_rooms(path: Path) -> set[str]:
    """The rooms of arrears that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
            if node.module == "arrears":
                names = [f"arrears.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "arrears" and len(parts) > 1 and not parts[1].startswith("__"):
                found.add(parts[1])
    return found


def test_the_page_shows_this_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    shown = [set(re.split(r" {2,}", line)[0].split()) for line in block.splitlines()]
    assert shown == ROOMS


FILES = sorted(p for p in SOURCE.rglob("*.py") if p.parent != SOURCE or p.stem != "__init__")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_from_rooms_above_it(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    assert room in LEVEL, f"{room} has no place in the import order"
    upward = {other for other in imported_rooms(path) if LEVEL[other] > LEVEL[room]}
    assert not upward, f"{path.name} in room {room} imports upward: {sorted(upward)}"


def test_importing_arrears_loads_nothing_heavy() -> None:
    code = (
        "import arrears, sys; print([m for m in ('numpy', 'numba', 'torch', 'pydantic', "
        "'matplotlib', 'pyarrow', 'rich', 'scipy', 'sklearn') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_no_module_uses_the_global_generator() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "np.random.seed" not in text, path
        assert "import random" not in text, path
