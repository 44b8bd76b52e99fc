"""`scripted/planner` and `scripted/judge`: they reason over the economy instead of over words."""

from collections.abc import Callable, Mapping

from arrears.agents.goodness import goodness
from arrears.agents.maden.appraisal import NEAR_BEST, Room, appraise
from arrears.agents.maden.guidance import OutcomeSpace, Review
from arrears.dialogue.acts import Act, act
from arrears.dialogue.record import Turn
from arrears.dialogue.views import CollectorView
from arrears.prompts.library import Language, words
from arrears.terms import DIMENSIONS, Dimension, Terms

# "A fair amount": between DCN's examples of normal assets (8,000 of 14,000 owed) and of low ones
# (12,000 of 40,000); and a year's surplus that covers the debt.
_FAIR_ASSETS = 0.45
_FAIR_YEAR = 1.0
# At the last turn an agreement counts as good from this share of the best one's worth.
_LAST_NEAR = 0.6
# DCN's classes (appendix H.2) as rules on an agreement: where a discount, and how many months.
_RULES: Mapping[int, Callable[[Terms], bool]] = {
    1: lambda t: t.inst_prds <= 12,
    2: lambda t: t.disc_ratio == 0 and t.pmt_ratio >= 0.25 and t.inst_prds <= 9,
    3: lambda t: t.disc_ratio == 0 and t.pmt_ratio >= 0.25 and t.inst_prds <= 6,
    4: lambda t: t.disc_ratio == 0,
}


class ScriptedPlanner:
    """Sorts by believed assets and surplus; the room is that of the class's good agreements."""

    async def plan(self, view: CollectorView) -> OutcomeSpace:
        """The outcome space; no error."""
        seen = appraise(view)
        debt = view.account.need_coll_amt
        now, to_come = seen.assets / debt, seen.daily_surplus * 365.0 / debt
        fair_now, fair_to_come = now >= _FAIR_ASSETS, to_come >= _FAIR_YEAR
        category = {(False, False): 1, (True, False): 2, (True, True): 3, (False, True): 4}[
            (fair_now, fair_to_come)
        ]
        room = seen.room(_RULES[category])
        reason = (
            f"assets about {now:.0%} of the debt, a year's surplus about {to_come:.0%} "
            f"(told: {', '.join(seen.told) or 'nothing'})."
        )
        return OutcomeSpace(category, reason, room.least, room.most)


class ScriptedJudge:
    """Holds a draft against the good agreements: no more than they give, no less than they must."""

    def __init__(self, language: Language = "en") -> None:
        self._language = language

    async def review(self, view: CollectorView, draft: Turn) -> Review:
        """What it thinks of a draft; no error."""
        words_of = words(self._language)["review"]
        offered = {
            a.dim: a.value for a in draft.acts if a.kind in ("ask", "accept") and a.dim is not None
        }
        if not offered:
            return Review(words_of["fine"], True)
        # Without agreement nothing is gained, so what counts as good widens as the time runs out.
        time = (view.number - 1) / max(1, view.max_turns - 1)
        room = appraise(view).room(near=NEAR_BEST - (NEAR_BEST - _LAST_NEAR) * time)
        too_much: list[Act] = []
        too_little: list[Act] = []
        for dim, position in zip(DIMENSIONS, view.table, strict=True):
            if position.sealed is not None and dim not in offered:
                continue
            value, wish = offered.get(dim), position.debtor
            if value is not None and goodness(dim, value) > goodness(dim, room.most[dim]):
                too_much.append(act("ask", dim, room.most[dim]))
            elif (
                wish is not None
                and wish != value
                and view.mandate.allows(dim, wish)
                and goodness(dim, wish) <= _fair(room, dim, time)
            ):
                too_little.append(act("accept", dim, wish))
        comments = [
            words_of[kind].format(dims=_names(acts))
            for kind, acts in (("gives_too_much", too_much), ("asks_too_much", too_little))
            if acts
        ]
        if not comments:
            return Review(words_of["fine"], True)
        return Review(words_of["join"].join(comments), False, (*too_much, *too_little))


def _fair(room: Room, dim: Dimension, time: float) -> float:
    """How good a wish may be to be taken: from the best agreement's level to the good ones' end."""
    best, most = goodness(dim, getattr(room.best, dim)), goodness(dim, room.most[dim])
    return best + (most - best) * time


def _names(acts: list[Act]) -> str:
    dims: list[Dimension] = [a.dim for a in acts if a.dim is not None]
    return ", ".join(dims)
