"""TRL's output head on a processor: only the words that are learned go through it.

TRL 1.16 projects every position into the vocabulary where there is no Triton, prompts and the
debtor's words among them, and drops what it does not need, because other devices would compile
anew for every number of words. A processor compiles nothing, and leaving them out before gives the
same gradients in less time. TRL decides by a function that it looks up when it is called; that one
is answered for here. A TRL that decides otherwise is left as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_DECIDES = "_use_triton"


@contextmanager
def only_learned_words() -> Iterator[None]:
    """While it is entered, passes on a processor project only the positions that have a label."""
    from trl.trainer import utils

    decides = getattr(utils, _DECIDES, None)
    if decides is None:
        yield
        return

    def compact(device: Any) -> bool:
        return device.type == "cpu" or bool(decides(device))

    setattr(utils, _DECIDES, compact)
    try:
        yield
    finally:
        setattr(utils, _DECIDES, decides)
