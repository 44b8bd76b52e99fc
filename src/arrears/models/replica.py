"""One copy of a local model in a process of its own: `python -m arrears.models.replica`.

Started by `replicas` alone. It takes (number, messages, sampling) from its pipe and gives back
(number, what came of it, seconds of work so far); it leaves when the pipe ends, however the process
at the other end went. Whatever goes wrong with a message is what came of it: a message without an
answer would leave the process at the other end waiting for ever.
"""

import asyncio
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from arrears.errors import ArrearsError, ModelError, RunStopped
from arrears.models.chat import Completion, Message, Sampling
from arrears.models.replicas import Gone

if TYPE_CHECKING:
    from arrears.models.hf import LocalModel


def main() -> None:
    """Load the model, say so, and answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides; Ctrl-C reaches it too.
    descriptor, path, batch, threads, keeps = sys.argv[1:]
    pipe = Connection(int(descriptor))
    import torch

    from arrears.models.hf import LocalModel
    from arrears.models.opening import told

    torch.set_num_threads(int(threads))
    try:
        model = LocalModel(Path(path), int(batch), int(keeps))
    except ArrearsError as error:
        pipe.send(str(error))
        return
    except Exception as error:
        pipe.send(f"hf/{path} cannot be loaded: {told(error)}")
        return
    try:
        pipe.send(None)
        asyncio.run(_answer_all(model, pipe))
    except OSError:
        pass  # Nobody listens any more.
    # Not by the end of `main`: that would wait for the messages which are being written.
    os._exit(0)


async def _answer_all(model: "LocalModel", pipe: Connection) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    sender = ThreadPoolExecutor(max_workers=1)
    at_work: set[asyncio.Task[None]] = set()

    async def answer(number: int, messages: list[Message], sampling: Sampling) -> None:
        found = await _what_came(model, messages, sampling)
        try:
            # In a thread: a parent that is writing to us does not read, and we have to read then.
            await loop.run_in_executor(sender, pipe.send, (number, found, model.busy))
        except Exception:
            ended.set()  # Whoever listens is told by the end of the pipe.

    def heard() -> None:
        try:
            while pipe.poll():
                task = asyncio.ensure_future(answer(*pipe.recv()))
                at_work.add(task)
                task.add_done_callback(at_work.discard)
        except Exception:
            loop.remove_reader(pipe.fileno())
            ended.set()

    loop.add_reader(pipe.fileno(), heard)
    await ended.wait()


async def _what_came(
    model: "LocalModel", messages: list[Message], sampling: Sampling
) -> Completion | Gone:
    """The answer, or why there is none."""
    from arrears.models.opening import told

    try:
        return await model.answer(messages, sampling)
    except RunStopped as error:
        return Gone(str(error), stops=True)
    except ModelError as error:
        return Gone(str(error))
    except Exception as error:
        return Gone(f"hf: {told(error)}")


if __name__ == "__main__":
    main()
