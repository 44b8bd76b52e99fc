"""`python/FILE.py:NAME`: a seat that its user wrote.

NAME is a class or function that is called once a dialogue: a collector's with
`(account, mandate, rng)`, a debtor's with `(debtor, rng)`; it returns an `Agent`. What it is given
is what that seat may know. What would fail in every dialogue is refused before the first one; what
fails in one dialogue ends that one.
"""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from arrears.agents import own_files
from arrears.dialogue.checked import checked, text_of
from arrears.dialogue.failures import line_in
from arrears.dialogue.record import Turn
from arrears.errors import UsageError
from arrears.strategies import Seat

OWN = "python"
Factory = Callable[..., Any]
GIVEN: Final[dict[Seat, tuple[str, ...]]] = {
    "collector": ("account", "mandate", "rng"),
    "debtor": ("debtor", "rng"),
}
"""What NAME is called with."""

_loaded: dict[Path, tuple[ModuleType, frozenset[Path], str]] = {}
"""By file: its module, the files that belong to it, and their digest when they were loaded."""


def is_own(spec: str) -> bool:
    """Whether a name means a seat in a file of the user's."""
    return spec.startswith(f"{OWN}/")


def check_own(spec: str, seat: Seat, needs: tuple[str, ...] = ("reply",)) -> None:
    """See that NAME can be called for this seat and that what it makes has these methods.

    UsageError otherwise, as far as that can be known without calling it.
    """
    factory = load_own(spec)
    shown = ", ".join(GIVEN[seat])
    if not _takes(factory, len(GIVEN[seat])):
        raise UsageError(
            f"{spec} cannot be called with ({shown}), as a {seat}'s seat is; it takes "
            f"{inspect.signature(factory)}"
        )
    if not isinstance(factory, type):
        return
    if inspect.isabstract(factory):
        missing = ", ".join(sorted(factory.__abstractmethods__))  # type: ignore[attr-defined]
        raise UsageError(f"{spec} is abstract; it does not define {missing}")
    if hasattr(factory, "__getattr__"):
        return
    for name in needs:
        method = inspect.getattr_static(factory, name, None)
        if method is None:
            raise UsageError(f"{spec} has no {_call(name)}, which a seat like this needs")
        if isinstance(method, FunctionType) and not _takes(method, 1 + len(_METHODS[name])):
            raise UsageError(
                f"{spec}: its {name}{inspect.signature(method)} cannot be called as {_call(name)}"
            )


def own_digest(spec: str) -> str:
    """SHA-256 of the code of a seat: its file and the files of its folder that it imports.

    So a run knows by which code it was played. A file that has changed since it was loaded is
    loaded again. UsageError where the file or one that it imports cannot be loaded.
    """
    return _load(_parts(spec)[0], spec)[2]


def load_own(spec: str) -> Factory:
    """The class or function of that name. UsageError where the file or the name is not there."""
    path, name = _parts(spec)
    module = _load(path, spec)[0]
    factory = getattr(module, name, None)
    if not callable(factory):
        own = (
            n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__
        )
        known = ", ".join(n for n in own if not n.startswith("_")) or "none"
        raise UsageError(f"{spec}: {path} has no {name!r}; its classes and functions: {known}")
    return factory  # type: ignore[no-any-return]


class OwnSeat:
    """A seat of the user's in one dialogue.

    It is made when it is first asked, so that what its constructor raises is charged to it. Its
    methods may be `async` or not.
    """

    def __init__(self, spec: str, seat: Seat, *arguments: Any) -> None:
        self._spec, self._seat, self._arguments = spec, seat, arguments
        self._agent: Any = None

    @property
    def own(self) -> Any:
        """The object that NAME made; None until it was first asked."""
        return self._agent

    async def reply(self, view: Any) -> Turn:
        """What it says next, as it came; the loop checks it."""
        said: Turn = await self._ask("reply", view)
        return said

    async def draft(self, view: Any, space: Any) -> Turn:
        """Its first version, within the planner's outcome space."""
        return checked(await self._ask("draft", view, space), self._seat)

    async def revise(self, view: Any, draft: Turn, review: Any) -> Turn:
        """Its second version, after a judge's review."""
        return checked(await self._ask("revise", view, draft, review), self._seat)

    async def remember(self, view: Any, turn: Turn) -> None:
        """At this view it said this; told to seats that can use it."""
        if hasattr(self._made(), "remember"):
            await self._ask("remember", view, turn)

    async def _ask(self, name: str, *arguments: Any) -> Any:
        agent = self._made()
        if not callable(getattr(agent, name, None)):
            raise TypeError(
                f"{self._spec} made a {type(agent).__name__}, which has no {_call(name)}"
            )
        answer = getattr(agent, name)(*arguments)
        return await answer if inspect.isawaitable(answer) else answer

    def _made(self) -> Any:
        if self._agent is None:
            self._agent = _factory(self._spec)(*self._arguments)
        return self._agent


_METHODS: Final[dict[str, tuple[str, ...]]] = {
    "reply": ("view",),
    "draft": ("view", "space"),
    "revise": ("view", "draft", "review"),
    "remember": ("view", "turn"),
}


def _call(name: str) -> str:
    return f"{name}({', '.join(_METHODS[name])})"


def _takes(called: Callable[..., Any], count: int) -> bool:
    """Whether it can be called with so many arguments; yes where Python cannot tell."""
    try:
        inspect.signature(called).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _factory(spec: str) -> Factory:
    """The same as `load_own`, without looking at the files again."""
    path, name = _parts(spec)
    found = _loaded.get(path.resolve())
    return load_own(spec) if found is None else getattr(found[0], name)


def _load(path: Path, spec: str) -> tuple[ModuleType, frozenset[Path], str]:
    """The module of a file as the file is now, what belongs to it, and the digest of that."""
    if path.suffix != ".py":
        raise UsageError(f"{spec}: {path} is no Python file; write {OWN}/FILE.py:NAME")
    file = path.resolve()
    try:
        file.read_bytes()
    except OSError as error:
        raise UsageError(f"{spec}: cannot read {path}: {error.strerror or error}") from None
    before = _loaded.get(file)
    if (
        before is not None
        and _digest(before[1] | own_files.imports_of(file.parent, (file,)), file) == before[2]
    ):
        return before
    if before is not None:
        _forget(file.parent)
    there = own_files.loaded_from(file.parent)
    belongs = own_files.imports_of(file.parent, (file,))
    digest = _digest(belongs, file)
    try:
        module = own_files.load_file(file)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        told = _told(error, file)
        _forget(file.parent)
        raise UsageError(f"{spec}: {told}") from error
    # What was found by running it and not by reading it, such as importlib.import_module(name).
    more = own_files.loaded_from(file.parent) - there - belongs
    if more:
        belongs = own_files.imports_of(file.parent, belongs | more)
        digest = _digest(belongs, file)
    _loaded[file] = module, belongs, digest
    return _loaded[file]


def _digest(files: frozenset[Path], file: Path) -> str:
    try:
        return own_files.digest_of(files, file.parent)
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror or error}") from None


def _forget(folder: Path) -> None:
    """Have everything of a folder read again when it is next asked for."""
    own_files.forget_folder(folder)
    for other in [file for file in _loaded if file.parent == folder]:
        del _loaded[other]


def _told(error: BaseException, file: Path) -> str:
    """What a file that cannot be loaded broke on: where, and why."""
    place, _, line = line_in(file, error).rpartition(":")
    where = f"{place}, line {line}" if place else file.name
    why = f"{type(error).__name__}: {own_files.plainly(text_of(error))}"
    if isinstance(error, SyntaxError):
        why = error.msg
    elif isinstance(error, SystemExit):
        why = f"it ends the program while it is loaded (SystemExit: {error.code})"
    elif isinstance(error, ModuleNotFoundError):
        why += f". Install it for {sys.executable}, or put it beside {file.name}"
    return f"{where}: {why}"


def _parts(spec: str) -> tuple[Path, str]:
    place, colon, name = spec.removeprefix(f"{OWN}/").rpartition(":")
    if not colon or not name.isidentifier():
        raise UsageError(f"{spec!r} names no class; write {OWN}/FILE.py:NAME")
    return Path(place), name
