"""A course as it goes: what happens at the end of a step, at a line of metrics, at a checkpoint."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Any

from arrears.training.fit.base import processes, rank
from arrears.training.fit.checkpoints import Checkpoint, mark, prune
from arrears.training.fit.folder import CHECKPOINTS
from arrears.training.fit.metrics import Metrics, line_of
from arrears.training.fit.recipe import Recipe
from arrears.training.fit.rows import Laid
from arrears.training.fit.stop import Stop

Progress = Callable[[int, int], None]


class Course:
    """The steps of one training. Only the first of several processes writes and tells."""

    def __init__(
        self,
        out: Path,
        recipe: Recipe,
        laid: Laid,
        resumed: Checkpoint | None,
        stop: Stop,
        progress: Progress | None,
    ) -> None:
        self.steps = ceil(len(laid.order) / recipe.training.batch)
        self._out, self._recipe, self._laid = out, recipe, laid
        self._start = resumed.step if resumed else 0
        self._before = resumed.seconds if resumed else 0.0
        self._stop, self._progress = stop, progress
        self._began = monotonic()
        self.begun = False
        """Whether everything was loaded and the first step came."""
        self._main = rank() == 0
        self._metrics = Metrics(out, self._start) if self._main else None

    def seconds(self) -> float:
        """Seconds of training so far, earlier processes included."""
        return self._before + monotonic() - self._began

    def begin(self) -> None:
        """The first step comes next."""
        self.begun = True
        self._began = monotonic()
        self._tell(self._start)

    def step_ended(self, step: int, control: Any) -> None:
        """Show it, and end the course here if a signal asks for it."""
        self._tell(step)
        asked = _anyone(self._stop.asked)
        if asked:
            self._stop.asked = True
            control.should_training_stop = True
        if asked or step == self.steps:
            # So that the lines of metrics cover every step once, also when it is taken up here.
            control.should_log = control.should_save = True

    def logged(self, logs: dict[str, float], step: int, tokens: int) -> None:
        """Store a line of metrics."""
        if self._metrics is None:
            return
        seen = min(step * self._recipe.training.batch, len(self._laid.order))
        line = line_of(
            logs, step=step, epoch=seen / self._laid.rows, tokens=tokens, seconds=self.seconds()
        )
        if line is not None:
            self._metrics.add(line)

    def saved(self, step: int) -> None:
        """A checkpoint's files are written: mark it, and let old ones go."""
        _all_here()
        if self._main:
            checkpoints = self._out / CHECKPOINTS
            # TRL's draft of a page for a hub.
            (checkpoints / "README.md").unlink(missing_ok=True)
            mark(checkpoints / f"checkpoint-{step}", step, self.seconds())
            prune(checkpoints, self._recipe.training.keep)

    def close(self) -> None:
        """Give the files back."""
        if self._metrics is not None:
            self._metrics.close()

    def _tell(self, step: int) -> None:
        if self._main and self._progress is not None:
            self._progress(step, self.steps)


def callback_of(course: Course) -> Any:
    """The course as transformers calls it."""
    from transformers import TrainerCallback

    class _Called(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            course.begin()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            course.step_ended(state.global_step, control)

        def on_log(
            self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any
        ) -> None:
            course.logged(logs or {}, state.global_step, state.num_input_tokens_seen)

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            course.saved(state.global_step)

    return _Called()


def _anyone(asked: bool) -> bool:
    """Whether any of the processes was asked to stop: they stop at the same step or hang."""
    if processes() == 1:
        return asked
    import torch

    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    flag = torch.tensor(float(asked), device=device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag.item())


def _all_here() -> None:
    """Wait until every process has written its part."""
    if processes() > 1:
        import torch

        torch.distributed.barrier()
