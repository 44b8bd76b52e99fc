"""By which code and data something was made: one digest over all that had a say in it.

What has a say is not listed but found: every module that the named ones import, directly or
through others, anywhere in their text, and every data file beside one of these modules. So a file
that is moved or added belongs to the digest without anyone thinking of it. Left out are the few
things in `APART`, each for the reason given there.

The digest is of what code and data mean, not of their bytes: comments, docstrings, layout and
quotation marks do not count, nor does the version of Python that reads them.
"""

import ast
import os
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

ROOT: Final = Path(__file__).parent.parent
"""The package."""
SCHEME: Final = "meaning-1"
"""How this digest is taken. It stands behind it; digests of two schemes cannot be compared."""

DIALOGUES: Final = ("agents.seating", "dialogue.loop")
"""Where a negotiation between built-in seats begins."""
REQUESTS: Final = ("models.remote", "models.openai_chat", "models.json_answers", "models.hf")
"""What a model is sent and how its answer is read; for a local model, how it is written."""
APART: Final = {
    "prompts/*/*.txt": "a plan has a digest of the prompts of its language",
    "debtors/data/*.xz": "a plan has a digest of the debtors that play",
    "training/fit/recipes/*.toml": "a plan holds its recipe",
    "scoring/published.yaml": "what papers report",
    "models/prices.yaml": "what a call costs",
    "models/backends.py": "which server or folder a model's name means",
    "models/billing.py": "what a call costs",
    "models/breaker.py": "when an endpoint counts as down",
    "models/budget.py": "when to stop for money",
    "models/pacing.py": "how many calls at once",
    "models/replica.py": "in which process a local model runs",
    "models/replicas.py": "in which process a local model runs",
    "models/retries.py": "when to send the same request again",
    "models/shelf.py": "which local models are open",
    "bench/*": "in what order and by how many processes it is done, and how it is shown",
    "runs/*": "who may write a folder",
    "machine.py": "how many cores there are",
}
"""What has no say of its own, or a digest of its own; patterns of paths in the package."""
_DATA: Final = (".yaml", ".toml", ".txt", ".json", ".jsonl", ".csv", ".xz")
# Of a syntax tree: what depends on the version of Python, or follows from where a node stands.
_UNSAID: Final = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_YAML: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def rules_digest(*modules: str) -> str:
    """The digest of all that has a say in what these modules do, such as `*DIALOGUES`."""
    digest = sha256()
    for name in files_of(modules):
        said = _module(name).said if name.endswith(".py") else _said(name)
        digest.update(f"{name}\n".encode() + said + b"\n")
    return f"{digest.hexdigest()}:{SCHEME}"


def dialogue_rules(with_models: bool = False) -> str:
    """The digest for negotiations: of built-in seats, or of models too."""
    return rules_digest(*DIALOGUES, *(REQUESTS if with_models else ()))


def comparable(digest: str) -> bool:
    """Whether a stored digest was taken as this version takes it."""
    return digest.endswith(f":{SCHEME}")


def files_of(modules: tuple[str, ...]) -> tuple[str, ...]:
    """The files that have a say, as sorted paths in the package."""
    code: set[str] = set()
    waiting = [_file_of(name) for name in modules]
    while waiting:
        name = waiting.pop()
        if name is None or name in code or _apart(name):
            continue
        code.add(name)
        waiting += _module(name).imports
    rooms = {_room(name) for name in code}
    data = {
        name
        for name in _files()
        if name.endswith(_DATA) and _room(name) in rooms and not _apart(name)
    }
    return tuple(sorted(code | data))


@cache
def _files() -> frozenset[str]:
    """Every file of the package, as a path in it."""
    found: list[str] = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name != "__pycache__"]
        place = os.path.relpath(folder, ROOT).replace(os.sep, "/")
        found += [name if place == "." else f"{place}/{name}" for name in files]
    return frozenset(found)


def _room(name: str) -> str:
    """The package that a file lies in, itself or some folders further down."""
    folder = name.rpartition("/")[0]
    while folder and f"{folder}/__init__.py" not in _files():
        folder = folder.rpartition("/")[0]
    return folder


def _apart(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in APART)


def _file_of(module: str) -> str | None:
    """The file of a module, by its dotted name in the package; None where it is no module."""
    place = module.replace(".", "/")
    for name in (f"{place}.py", f"{place}/__init__.py" if place else "__init__.py"):
        if name in _files():
            return name
    return None


class _Module(NamedTuple):
    imports: tuple[str | None, ...]
    """Files of what it imports, at once or later, and of the packages that these lie in."""
    said: bytes
    """A digest of its meaning."""


@cache
def _module(name: str) -> _Module:
    tree = ast.parse((ROOT / name).read_bytes())
    files = {_file_of("")}
    for module in {*_imported(tree), name.removesuffix(".py").replace("/", ".")}:
        parts = module.split(".")
        files |= {_file_of(".".join(parts[:length])) for length in range(1, len(parts) + 1)}
    said: list[str] = []
    _say(tree, said)
    return _Module(tuple(files), sha256(" ".join(said).encode()).digest())


def _imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names in the package, of modules or of what is in them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            # No expression imports; what is imported for type checkers only is never run.
            if not isinstance(node, ast.expr) and not _for_checkers(node):
                yield from _imported(node)
            continue
        yield from (name.partition(".")[2] for name in found if name.startswith("arrears."))


def _for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"


def _said(name: str) -> bytes:
    """Data without comments and layout, where its format has any."""
    raw = (ROOT / name).read_bytes()
    if name.endswith(".yaml"):
        return ascii(yaml.load(raw, _YAML)).encode()
    return ascii(tomllib.loads(raw.decode())).encode() if name.endswith(".toml") else raw


def _say(node: Any, said: list[str]) -> None:
    """Write a part of a syntax tree as words, the same in every version of Python."""
    if isinstance(node, ast.Constant):
        said.append(ascii(node.value))
    elif isinstance(node, ast.AST):
        kind: Any = type(node)
        said.append(kind.__name__)
        for field in _fields(kind):
            value = getattr(node, field, None)
            if value is None or value == []:
                continue
            said.append(field)
            if isinstance(value, list):
                for one in _joined(value) if isinstance(node, ast.JoinedStr) else value:
                    if not _silent(one):
                        _say(one, said)
            else:
                _say(value, said)
        said.append(".")
    else:
        said.append(ascii(node))


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(field for field in kind._fields if field not in _UNSAID)


def _silent(node: Any) -> bool:
    """Docstrings, of fields too, and the version of the package."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__version__"


def _joined(values: list[Any]) -> list[Any]:
    """The parts of an f-string; versions of Python cut the text between values differently."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, ast.Constant) and found and isinstance(found[-1], ast.Constant):
            found[-1] = ast.Constant(str(found[-1].value) + str(value.value))
        elif not isinstance(value, ast.Constant) or value.value:
            found.append(value)
    return found
