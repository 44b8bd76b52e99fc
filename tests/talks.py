"""Built-in talks for tests: played once a session, the same every time."""

import asyncio
from functools import cache

from arrears.agents.registry import make_collector, make_debtor_seat
from arrears.debtors.record import Debtor
from arrears.debtors.suites import load_suite
from arrears.dialogue.loop import negotiate
from arrears.dialogue.record import Dialogue
from arrears.rng import rng_for
from arrears.terms import Mandate


async def _talk(debtor: Debtor, suite: str, collector: str, seed: int) -> Dialogue:
    address = (suite, debtor.id, 1)
    return await negotiate(
        case=f"{suite}/{collector}/{debtor.id}/1",
        suite=suite,
        debtor=debtor,
        collector=make_collector(
            collector,
            rng_for(seed, *address, "collector", collector),
            debtor.background,
            Mandate(),
        ),
        debtor_seat=make_debtor_seat("scripted/debtor", rng_for(seed, *address, "debtor"), debtor),
        collector_spec=collector,
        debtor_spec="scripted/debtor",
    )


@cache
def talks(
    collector: str = "scripted/typical", suite: str = "debtbench", n: int = 1000, seed: int = 1
) -> tuple[Dialogue, ...]:
    """The first `n` debtors of a test split against one collector."""

    async def all_of() -> tuple[Dialogue, ...]:
        return tuple([await _talk(d, suite, collector, seed) for d in load_suite(suite)[:n]])

    return asyncio.run(all_of())
