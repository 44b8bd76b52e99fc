"""Numbers on the command line: NaN passes every comparison, and would switch a safeguard off."""

from collections.abc import Iterator

import click
import pytest

from arrears.cli.commands import COMMANDS
from arrears.cli.numbers import Number
from tests.commands import arrears


def every_command() -> Iterator[tuple[str, click.Command]]:
    """All commands, those in groups too."""
    from importlib import import_module

    def below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        if isinstance(command, click.Group):
            with click.Context(command) as context:
                for part in command.list_commands(context):
                    found = command.get_command(context, part)
                    assert found is not None
                    yield from below(f"{name} {part}", found)
        else:
            yield name, command

    for name, entry in COMMANDS.items():
        module, _, attribute = entry.place.partition(":")
        yield from below(name, getattr(import_module(module), attribute))


def test_no_option_takes_a_number_that_is_none() -> None:
    loose = [
        f"{name} {option.name}"
        for name, command in every_command()
        for option in command.params
        if isinstance(option.type, click.types.FloatParamType)
        and not isinstance(option.type, Number)
    ]
    assert loose == []


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400"])
@pytest.mark.parametrize("option", ["--fail-on-error", "--max-cost", "--temperature", "--timeout"])
def test_what_is_no_finite_number_is_refused(option: str, value: str) -> None:
    done = arrears("bench", "--suite", "dcn", "--collector", "scripted/firm", "--out", "never",
                   option, value)  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert option in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("seed", ["99999999999999999999999", "-99999999999999999999999"])
def test_a_seed_that_no_plan_can_hold_is_refused(seed: str) -> None:
    done = arrears("bench", "--suite", "dcn", "--collector", "scripted/firm", "--out", "never",
                   "--seed", seed)  # fmt: skip
    assert done.returncode == 2
    assert "--seed" in done.stderr


@pytest.mark.parametrize("address", ["http://[::1", "http://127.0.0.1:99999/v1", "http://", "h:1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    done = arrears(
        "bench", "--suite", "dcn", "--collector", f"compat/m@{address}", "--out", "never"
    )
    assert done.returncode == 2
    assert "is not an http address" in done.stderr
