"""The command's own stdin, stdout and stderr: any encoding, any reader, a full disk.

What cannot be decoded is read as U+FFFD; what cannot be encoded is written as an escape, which in a
JSON document is the same character. A reader of stdout that leaves ends the command quietly; any
other failure to write there is told. With stderr there is no one to tell: it is let go.
"""

import codecs
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from arrears.errors import ArrearsError

_ESCAPED: Final = "arrears.escaped"


class OutputLost(ArrearsError):
    """What the command has to say cannot be written to stdout."""


class ReaderLeft(OutputLost):
    """Nobody reads stdout any more (`| head`)."""

    exit_code = 0


def settle_streams() -> None:
    """Make the three streams as this module promises. Call it once, before anything is printed."""
    codecs.register_error(_ESCAPED, _escaped)
    _fill_closed()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    for name, unwritten in (("stdout", _is_lost), ("stderr", _is_let_go)):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError, ValueError):
                setattr(sys, name, _rebuilt(stream, unwritten))


def _fill_closed() -> None:
    """Stand-ins for streams that are closed (`>&-`): no file of a run may come to their place."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            with suppress(OSError):
                while os.open(os.devnull, os.O_RDWR) < number:
                    pass
                setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def give_up_stdout() -> None:
    """Send what is still on its way to stdout nowhere, so that Python can end in peace."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        sys.stdout.flush()


class _File(io.FileIO):
    """An open file descriptor, with a say in what follows when it cannot be written."""

    def __init__(self, descriptor: int, unwritten: Callable[[OSError, int], int]) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._unwritten = unwritten

    def write(self, data: Any) -> int:
        """How many bytes have been written, or count as written."""
        try:
            return super().write(data)
        except BlockingIOError:
            raise
        except OSError as error:
            return self._unwritten(error, memoryview(data).nbytes)


def _is_lost(error: OSError, size: int) -> int:
    del size
    if isinstance(error, BrokenPipeError):
        raise ReaderLeft("nobody reads the output") from None
    raise OutputLost(f"cannot write the output: {error.strerror or error}") from None


def _is_let_go(error: OSError, size: int) -> int:
    del error
    return size


def _rebuilt(
    stream: io.TextIOWrapper, unwritten: Callable[[OSError, int], int]
) -> io.TextIOWrapper:
    """The same stream over a file that says what it could not write."""
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_File(stream.fileno(), unwritten)),
        encoding=stream.encoding,
        errors=_ESCAPED,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """`\\u00e9` for what an encoding lacks, U+FFFD or `?` for half a character."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = ""
    for character in error.object[error.start : error.end]:
        if "\ud800" <= character <= "\udfff":
            text += "\ufffd" if error.encoding.lower().startswith("utf") else "?"
        else:
            units = character.encode("utf-16-be")
            pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
            text += "".join(f"\\u{pair}" for pair in pairs)
    return text, error.end
