"""Python files of the user's, loaded so that they behave as they do when run by hand.

A file's folder is a package of its own, `arrears.agents.own_files.<folder>`, in which the file and
what lies beside it are modules. So two folders that both have a `helper.py` never get each other's,
a file may be called `random.py`, classes are found by their name (dataclasses, pickle), and a fresh
process that meets such a name can load it: importing this module is all it takes.

In a file that was loaded so, `import helper` finds `helper` beside it first, unless the standard
library or arrears has a module of that name. Nothing is read from or written to `__pycache__`: what
runs is what the digest was taken of.
"""

import ast
import builtins
import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from hashlib import sha256
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

__path__: list[str] = []  # Folders are found as submodules of this one.

_LEFT_ALONE = sys.stdlib_module_names | {"arrears"}
"""Names that a file beside a seat never stands in for."""


def load_file(path: Path) -> ModuleType:
    """The module of a file, executed once; what it raises is raised.

    What is printed on the way goes to stderr: stdout belongs to the command.
    """
    file = path.resolve()
    name = _name_of(file)
    if name not in sys.modules:
        importlib.invalidate_caches()
        _drop_shared_names(file.parent)
        with redirect_stdout(sys.stderr):
            importlib.import_module(name)
    return sys.modules[name]


def forget_folder(folder: Path) -> None:
    """Unload everything that was loaded from a folder, so that it is read again."""
    package = _package_of(folder.resolve())
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        del sys.modules[name]
    for name in [n for n, module in sys.modules.items() if _is_alias(n, module, package)]:
        del sys.modules[name]


def loaded_from(folder: Path) -> frozenset[Path]:
    """The files of a folder, in it or below, that are loaded now."""
    package = _package_of(folder.resolve())
    files = (
        getattr(module, "__file__", None)
        for name, module in list(sys.modules.items())
        if name.startswith(f"{package}.")
    )
    return frozenset(Path(file) for file in files if file)


def imports_of(folder: Path, files: Iterable[Path]) -> frozenset[Path]:
    """The files, and every file in or below the folder that they import, directly or not.

    Found by reading, so what a function imports later is among them. Files that cannot be parsed
    are taken as they are.
    """
    found: set[Path] = set()
    ahead = list(files)
    while ahead:
        at = ahead.pop()
        if at not in found:
            found.add(at)
            ahead += _imports(at, folder)
    return frozenset(found)


def plainly(text: str) -> str:
    """A message of Python's, with modules named as their author names them."""
    for package in _packages():
        text = text.replace(f"{package}.", "")
    return text


def digest_of(files: frozenset[Path], folder: Path) -> str:
    """SHA-256: of the one file, or of all names and contents where there are several. OSError."""
    digests = {file: sha256(file.read_bytes()).hexdigest() for file in files}
    if len(digests) == 1:
        return next(iter(digests.values()))
    root = folder.resolve()
    lines = sorted(f"{file.relative_to(root)} {digest}\n" for file, digest in digests.items())
    return sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _imports(file: Path, folder: Path) -> Iterator[Path]:
    if file.suffix != ".py":
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    inside = file.relative_to(folder).with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(folder, alias.name.split("."), importer=file)
        elif isinstance(node, ast.ImportFrom):
            if node.level > len(inside) + 1:
                continue
            above = list(inside[: len(inside) + 1 - node.level]) if node.level else []
            module = [*above, *(node.module.split(".") if node.module else [])]
            importer = None if node.level else file
            yield from _files_of(folder, module, importer)
            for alias in node.names:
                yield from _files_of(folder, [*module, alias.name], importer)


def _files_of(folder: Path, parts: Sequence[str], importer: Path | None) -> Iterator[Path]:
    """The files that run when `a.b.c` is imported: those of `a`, `a.b` and `a.b.c`."""
    if not parts or (importer is not None and parts[0] in _LEFT_ALONE):
        return
    place = folder
    for part in parts:
        spec = PathFinder.find_spec(part, [str(place)])
        if spec is None:
            return
        if spec.origin is not None and spec.has_location:
            found = Path(spec.origin)
            if found == importer:
                return
            yield found
        place = place / part


def _package_of(folder: Path) -> str:
    """The package of a folder. Its path stands in the name, with the dots out of the way."""
    return f"{__name__}.{_quoted(str(folder))}"


def _name_of(file: Path) -> str:
    return f"{_package_of(file.parent)}.{_quoted(file.stem)}"


def _quoted(text: str) -> str:
    return text.replace("%", "%25").replace(".", "%2E")


def _unquoted(part: str) -> str:
    return part.replace("%2E", ".").replace("%25", "%")


class _Loader(SourceFileLoader):
    """Executes a file with an `import` that looks beside the seat's file first."""

    def get_code(self, fullname: str) -> Any:
        """Compiled from the source, always: a cached file could be of an older one."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        package = ".".join(module.__name__.split(".")[: __name__.count(".") + 2])
        inside = dict(vars(builtins))
        inside["__import__"] = partial(_import, package)
        inside["print"] = _print
        module.__dict__["__builtins__"] = inside
        super().exec_module(module)


def _print(*values: object, file: Any = None, **how: Any) -> None:
    """`print`, but to stderr: stdout belongs to the command's tables and documents."""
    print(*values, file=sys.stderr if file is None else file, **how)


def _import(
    package: str,
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """`import name` as a file of this folder means it."""
    top = name.partition(".")[0]
    importer = str((globals or {}).get("__name__", ""))
    # Python's own C code hands a list; it wants the plain name (unpickling, for one).
    if level or isinstance(fromlist, list) or not _is_beside(package, top, importer):
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    full = f"{package}.{name}"
    importlib.import_module(full)
    if fromlist:
        return builtins.__import__(full, globals, locals, fromlist, 0)
    return sys.modules[f"{package}.{top}"]


def _is_beside(package: str, top: str, importer: str) -> bool:
    """Whether a plain name means a module of the folder."""
    full = f"{package}.{top}"
    if top in _LEFT_ALONE or full == importer:
        return False
    if full in sys.modules:
        return True
    folder = _unquoted(package.rpartition(".")[2])
    spec = PathFinder.find_spec(top, [folder])
    if spec is None:
        return False
    # A bare folder (say, of data) gives way to an installed package, as everywhere in Python.
    return spec.loader is not None or not _is_installed(top)


def _is_installed(top: str) -> bool:
    for finder in sys.meta_path:
        if not isinstance(finder, _Folders | _SharedNames):
            spec = finder.find_spec(top, None)
            if spec is not None:
                return spec.origin is not None
    return False


class _Folders(importlib.abc.MetaPathFinder):
    """Finds folders of seats and what is in them, by their names below this module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The package of a folder, or a module in it."""
        if not fullname.startswith(f"{__name__}."):
            return _aliased(fullname)
        folder, dot, rest = fullname.removeprefix(f"{__name__}.").partition(".")
        if not dot:
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [_unquoted(folder)]
            return spec
        file = Path(_unquoted(folder), f"{_unquoted(rest)}.py")
        if "." not in rest and file.is_file():
            return importlib.util.spec_from_file_location(
                fullname, file, loader=_Loader(fullname, str(file))
            )
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and isinstance(found.loader, SourceFileLoader):
            found.loader = _Loader(fullname, found.loader.path)
            found.cached = None
        return found


class _SharedNames(importlib.abc.MetaPathFinder):
    """The last that is asked: a plain name from outside, by `importlib` or in a pickle.

    It means the module beside a seat, where only one folder has one of that name.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module beside a seat; ImportError where two folders have one."""
        if "." in fullname or path is not None:
            return None
        holders = [package for package in _packages() if _is_beside(package, fullname, "")]
        if len(holders) > 1:
            folders = " and ".join(_unquoted(h.rpartition(".")[2]) for h in holders)
            raise ImportError(
                f"{fullname!r} is in {folders}, and its plain name does not tell which one is "
                "meant here; rename one of them",
                name=fullname,
            )
        return _alias(fullname, f"{holders[0]}.{fullname}") if holders else None


def _packages() -> list[str]:
    depth = __name__.count(".") + 1
    return [n for n in sys.modules if n.startswith(f"{__name__}.") and n.count(".") == depth]


class _Same(importlib.abc.Loader):
    """A second name for a module that is there already."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself."""
        module = importlib.import_module(self._name)
        self._kept = {k: vars(module).get(k) for k in ("__spec__", "__loader__")}
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has been executed; what the import has written over it is put back."""
        vars(module).update(self._kept)


def _alias(name: str, full: str) -> ModuleSpec:
    return ModuleSpec(name, _Same(full), origin=full)


def _aliased(name: str) -> ModuleSpec | None:
    """`pkg.sub`, where `pkg` is a second name."""
    top, dot, rest = name.partition(".")
    module = sys.modules.get(top) if dot else None
    full = getattr(module, "__name__", "")
    if full == top or not full.startswith(f"{__name__}."):
        return None
    return _alias(name, f"{full}.{rest}")


def _is_alias(name: str, module: ModuleType | None, package: str) -> bool:
    full = getattr(module, "__name__", "")
    return full != name and isinstance(full, str) and full.startswith(f"{package}.")


def _drop_shared_names(folder: Path) -> None:
    """Take back the second names that the new folder could be meant by as well."""
    package = _package_of(folder)
    for name in [n for n, module in sys.modules.items() if _is_alias(n, module, __name__)]:
        if not _is_alias(name, sys.modules.get(name), package):
            top = name.partition(".")[0]
            if PathFinder.find_spec(top, [str(folder)]) is not None:
                del sys.modules[name]


sys.meta_path.insert(0, _Folders())
sys.meta_path.append(_SharedNames())
