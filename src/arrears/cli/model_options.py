"""The options that say how models are called; every command that calls one has them."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from arrears.cli.numbers import Number
from arrears.models.backends import Settings
from arrears.models.retries import Patience
from arrears.models.transport import Timeouts

_OPTIONS = (
    click.option(
        "--concurrency",
        type=click.IntRange(1, 4096),
        default=16,
        show_default=True,
        help="Calls of models in flight at once.",
    ),
    click.option("--rpm", type=Number(min=0, min_open=True), help="Requests a minute."),
    click.option("--tpm", type=Number(min=0, min_open=True), help="Tokens a minute."),
    click.option(
        "--timeout",
        type=Number(min=0, min_open=True),
        default=Timeouts().total,
        show_default=True,
        help="Seconds for one answer.",
    ),
    click.option(
        "--retries",
        type=click.IntRange(min=0),
        default=Patience().tries - 1,
        show_default=True,
        help="Further tries of a call that failed in a way that may pass.",
    ),
    click.option(
        "--retry-wait",
        type=Number(min=0),
        default=Patience().first_wait,
        show_default=True,
        help="Seconds before the first retry; doubled each time. Retry-After wins.",
    ),
    click.option(
        "--max-cost",
        type=Number(min=0, min_open=True),
        help="Most that the run may cost in all, in the price table's currency.",
    ),
    click.option(
        "--prices", type=click.Path(path_type=Path, exists=True), help="Own prices of models."
    ),
    click.option("--cache", type=click.Path(path_type=Path), help="Folder to keep answers in."),
    click.option(
        "--down-after-calls",
        type=click.IntRange(min=1),
        default=Settings().down_after_calls,
        show_default=True,
        help="Calls in a row that fail before the run stops because an endpoint is down.",
    ),
    click.option(
        "--down-after-seconds",
        type=Number(min=0, min_open=True),
        default=Settings().down_after_seconds,
        show_default=True,
        help="Seconds with nothing but failures before the same.",
    ),
)


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options; it receives one `settings`."""

    @wraps(command)
    def called(
        *args: Any,
        concurrency: int,
        rpm: float | None,
        tpm: float | None,
        timeout: float,
        retries: int,
        retry_wait: float,
        max_cost: float | None,
        prices: Path | None,
        cache: Path | None,
        down_after_calls: int,
        down_after_seconds: float,
        **rest: Any,
    ) -> Any:
        usual = Timeouts()
        settings = Settings(
            concurrency,
            rpm,
            tpm,
            Timeouts(min(usual.connect, timeout), min(usual.first_byte, timeout), timeout),
            Patience(retries + 1, retry_wait),
            max_cost,
            prices,
            cache,
            down_after_calls,
            down_after_seconds,
        )
        return command(*args, settings=settings, **rest)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called
