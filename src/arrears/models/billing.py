"""What the tries of one model cost: set aside beforehand, counted when it is known.

Every try that the server reports usage for is paid for, whether it brought an answer or not.
"""

from arrears.models.budget import Budget, Call, CallLog
from arrears.models.chat import Purpose
from arrears.models.usage import Price, Reported, Usage


class Bill:
    """One try of a call, as long as it is not known what it costs."""

    __slots__ = ("aside", "cost", "most")

    def __init__(self, most: Usage, aside: float = 0.0) -> None:
        self.most, self.aside = most, aside
        self.cost: float | None = None


class Billing:
    """The money of one model. `budget` is shared by all models of a run, and so is `log`."""

    def __init__(
        self, spec: str, price: Price | None, budget: Budget | None, log: CallLog | None
    ) -> None:
        self._spec, self._price, self._budget, self._log = spec, price, budget, log
        self._overrun = 1.0
        """How much more than its most a try has cost: thoughts that no limit holds."""

    async def open(self, most: Usage) -> Bill:
        """Set aside what a try may use at most; it has to be settled. BudgetSpent."""
        if self._budget is None or self._price is None:
            return Bill(most)
        bill = Bill(most, self._price.of(most) * self._overrun)
        await self._budget.reserve(bill.aside)
        return bill

    async def settle(self, bill: Bill) -> None:
        """The try is over, whatever came of it."""
        if self._budget is not None and self._price is not None:
            await self._budget.settle(bill.aside, bill.cost or 0.0)

    def answered(
        self, bill: Bill, reported: Reported, purpose: Purpose, tries: int, seconds: float
    ) -> None:
        """The try has brought an answer. StorageError."""
        self._count(bill, reported, purpose, tries, seconds, "")

    def rejected(
        self, bill: Bill, reported: Reported | None, purpose: Purpose, seconds: float, why: str
    ) -> None:
        """The try has brought none; it is paid for where the server reports usage. StorageError."""
        if reported is not None:
            self._count(bill, reported, purpose, 1, seconds, why)

    def from_cache(self, usage: Usage, purpose: Purpose, seconds: float) -> None:
        """An answer was kept on disk. StorageError."""
        if self._log is not None:
            self._log.add(Call(purpose, self._spec, usage, 0.0, 0, seconds, True))

    def note(self, told: str) -> None:
        """Write down something about the model. StorageError."""
        if self._log is not None:
            self._log.note(self._spec, told)

    def _count(
        self,
        bill: Bill,
        reported: Reported,
        purpose: Purpose,
        tries: int,
        seconds: float,
        rejected: str,
    ) -> None:
        if self._price is not None:
            bill.cost = self._price.of(reported.at_most(bill.most))
            most = self._price.of(bill.most)
            if most > 0:
                self._overrun = max(self._overrun, bill.cost / most)
        if self._log is not None:
            call = Call(
                purpose, self._spec, reported.usage, bill.cost, tries, seconds, False, rejected
            )
            self._log.add(call)
