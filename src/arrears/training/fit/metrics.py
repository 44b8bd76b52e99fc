"""What a course measures: lines of `metrics.jsonl`, each step in one of them, and TensorBoard."""

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import orjson

from arrears.errors import ArrearsError
from arrears.files import LineFile, replace_file
from arrears.training.fit.folder import BOARD, METRICS

_NAMED = {"loss": "loss", "learning_rate": "lr", "grad_norm": "grad_norm"}
_ELSEWHERE = ("epoch", "num_tokens", "num_input_tokens_seen", "total_flos")
_SPEEDS = "train_"


def line_of(
    logs: Mapping[str, float], *, step: int, epoch: float, tokens: int, seconds: float
) -> dict[str, Any] | None:
    """One line from what transformers logs; None for its summary at the end, which has no loss.

    `tokens` were read up to this step and `seconds` trained, interruptions not counted. Whatever
    else TRL measures (of DPO the rewards) stands under TRL's own names. ArrearsError where the
    loss is no number any more.
    """
    if "loss" not in logs:
        return None
    line: dict[str, Any] = {"step": step, "epoch": round(epoch, 4)}
    line |= {name: float(logs[key]) for key, name in _NAMED.items() if key in logs}
    line |= {"tokens": int(tokens), "seconds": round(seconds, 2)}
    line |= {
        key: float(value)
        for key, value in logs.items()
        if key not in (*_NAMED, *_ELSEWHERE) and not key.startswith(_SPEEDS)
    }
    if not isfinite(line["loss"]):
        raise ArrearsError(
            f"the loss is {line['loss']} at step {step}; lower training.learning_rate, or look for "
            "rows that the model cannot have written, and begin again in another --out"
        )
    return line


class Metrics:
    """The files of a course, from the step that it is taken up at."""

    def __init__(self, folder: Path, start: int) -> None:
        """Lines of later steps are dropped: those steps are taken again. StorageError."""
        path = folder / METRICS
        if path.exists():
            kept = [
                line for line in path.read_bytes().splitlines(keepends=True) if _upto(line, start)
            ]
            replace_file(path, lambda out: out.writelines(kept))
        self._file = LineFile(path)
        self._board = _board(folder / BOARD, start)

    def add(self, line: Mapping[str, Any]) -> None:
        """Store a line. StorageError."""
        self._file.append([orjson.dumps(line) + b"\n"])
        if self._board is not None:
            for name, value in line.items():
                if name != "step":
                    self._board.add_scalar(f"train/{name}", value, line["step"])

    def close(self) -> None:
        """Give the files back."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def last_line(folder: Path) -> dict[str, Any]:
    """The newest line; empty where there is none."""
    return next(lines_in(folder, newest_first=True), {})


def lines_in(folder: Path, *, newest_first: bool = False) -> Iterator[dict[str, Any]]:
    """All lines of a course."""
    path = folder / METRICS
    lines = path.read_bytes().splitlines() if path.exists() else []
    for line in reversed(lines) if newest_first else lines:
        yield dict(orjson.loads(line))


def _upto(line: bytes, start: int) -> bool:
    try:
        return bool(orjson.loads(line)["step"] <= start)
    except (ValueError, KeyError, TypeError):
        return False


def _board(folder: Path, start: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    # What an earlier process wrote of later steps is not shown.
    return SummaryWriter(str(folder), purge_step=start + 1 if start else None)
