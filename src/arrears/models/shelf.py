"""The local models of one run: opened when first asked for, closed when others take their place."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from arrears.models.budget import Call, CallLog
from arrears.models.chat import Completion, Message, Purpose, Sampling

if TYPE_CHECKING:
    from arrears.models.hf import LocalModel
    from arrears.models.replicas import Replicas

IDLE: Final = 60.0
"""Seconds without a message after which a model makes room for another."""


class Shelf:
    """Local models by name. A benchmark of many has most of them behind it or before it; all of
    them at once would fill the memory."""

    def __init__(self, batch: int, clock: Callable[[], float] = monotonic) -> None:
        """`batch`: messages that a model writes at once."""
        self._batch, self._clock = batch, clock
        self._open: dict[str, _Used] = {}

    def opened(self, spec: str) -> "_Used":
        """The model `hf/PATH`. UsageError as `LocalModel`."""
        found = self._open.get(spec)
        if found is None:
            from arrears.models import hf

            self._make_room()
            model = hf.opened(Path(spec.partition("/")[2]), self._batch)
            found = self._open[spec] = _Used(model, self._clock)
        return found

    def _make_room(self) -> None:
        for spec in [spec for spec, used in self._open.items() if used.idle() > IDLE]:
            self._open.pop(spec).model.close()

    def close(self) -> None:
        """End all of them."""
        for used in self._open.values():
            used.model.close()


class _Used:
    """An open model, and since when nobody has asked it anything."""

    def __init__(self, model: "LocalModel | Replicas", clock: Callable[[], float]) -> None:
        self.model, self._clock = model, clock
        self._asked, self._last = 0, clock()

    def idle(self) -> float:
        """Seconds; 0 while it writes."""
        return 0.0 if self._asked else self._clock() - self._last

    async def answer(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """Its answer. Errors as `LocalModel.answer`."""
        self._asked += 1
        try:
            return await self.model.answer(messages, sampling)
        finally:
            self._asked -= 1
            self._last = self._clock()


class LocalSeat:
    """A local model as one seat's ChatModel; it is opened again where it had to make room."""

    def __init__(self, shelf: Shelf, spec: str, purpose: Purpose, log: CallLog | None) -> None:
        """Errors as `Shelf.opened`."""
        self._shelf, self._spec, self._purpose, self._log = shelf, spec, purpose, log
        shelf.opened(spec)

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """The answer, from the next batch."""
        began = monotonic()
        completion = await self._shelf.opened(self._spec).answer(messages, sampling)
        if self._log is not None:
            seconds = monotonic() - began
            self._log.add(Call(self._purpose, self._spec, completion.usage, 0.0, 1, seconds, False))
        return completion
