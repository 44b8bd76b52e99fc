"""Memory that a training on a processor gives back and asks for again at every step.

Rows of other lengths make tensors of other sizes. glibc hands large ones back to the system when
they are freed and has every page of the next one cleared: with lengths that change, a step of nano
took nearly three times as long (benchmarks/training_speed.py). Kept, the heap grows to the largest
step and stays there.
"""

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_MAX: Final = -4
_NEVER: Final = 2**31 - 1


def keep_freed_memory() -> bool:
    """Ask glibc to keep what is freed, from now on and for the whole process.

    False where there is no glibc: nothing is changed.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))
