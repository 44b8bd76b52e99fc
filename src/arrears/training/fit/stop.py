"""Ctrl-C and SIGTERM: while steps are taken they wait for the end of the step, otherwise not."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from arrears.training.fit.base import rank

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_HEARD = b"\narrears: saving a checkpoint at the end of this step\n"


class Stop:
    """Hears the signals while it is entered. Outside the main thread it hears nothing."""

    def __init__(self) -> None:
        self.waits = False
        """Whether a signal is to wait for the end of a step. Otherwise it interrupts at once."""
        self.asked = False
        """Whether one came while steps were taken."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._heard) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        # A launcher passes SIGTERM on to processes that the terminal has sent a SIGINT: only a
        # second Ctrl-C means "now".
        if not self.waits or (self.asked and number == signal.SIGINT):
            raise KeyboardInterrupt
        if not self.asked and rank() == 0:
            os.write(2, _HEARD)
        self.asked = True
