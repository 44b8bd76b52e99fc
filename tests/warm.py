"""Loads what most commands load; imported by the process that they are forked from, see `commands`.

No threads and no event loop may be left behind: a fork would lose them.
"""

import asyncio
import pkgutil
from contextlib import suppress
from importlib import import_module

import arrears.cli
from arrears.agents.seating import Place, Seating
from arrears.debtors.suites import load_suite
from arrears.errors import UsageError
from arrears.synthesis.pii.scrub import Scrubber
from arrears.terms import Mandate

for _name in ("httpx", "pyarrow.parquet", "pandas"):
    with suppress(ImportError):  # Some are there only with an extra.
        import_module(_name)
for _module in pkgutil.iter_modules(arrears.cli.__path__):
    import_module(f"arrears.cli.{_module.name}")
# One talk: the compiled ear is loaded when it first hears.
_debtor = load_suite("dcn", "test")[0]
_talk = Seating(1, Mandate(), 12).talk(
    Place("warm", "dcn", _debtor.id, 1), _debtor, "scripted/firm", "scripted/debtor"
)
asyncio.run(_talk)
# What extract, mine and label load before they ask anything: two seconds of each. Not in a base install.
with suppress(UsageError):
    Scrubber()
