"""What it means that a life agrees with its record, rule by rule."""

import re
from typing import Final

from arrears.debtors.life import (
    Household,
    Work,
    causes,
    households,
    in_words,
    may_have,
    months_in_words,
    spouse_of,
    works,
)
from arrears.debtors.record import Debtor

SENTENCES: Final = (3, 6)
_YUAN = re.compile(r"([\d,]*\d) yuan")
_AGE = re.compile(r"(?:You are|At|you are) (\d+)\b|(\d+) years old")
_DEATH_OF_PARENT = re.compile(
    r"my (?:father|mother)\b.*\b(?:died|passed away)|buried my (?:father|mother)"
    r"|lost my (?:father|mother)|death of my (?:father|mother)",
    re.IGNORECASE,
)


def disagreements(debtor: Debtor) -> tuple[str, ...]:
    """Everything in which reason and story contradict the record; empty where they agree.

    The rules: age, amounts, months, work and household are told as the record has them; work fits
    age, sex and income; the kind of reason fits age, work and household, and its words name it;
    nobody speaks of a spouse, a child or a parent whom the household excludes, nor of a wife who is
    a husband; the story speaks to the person, the reason is the person's own words.
    """
    life = debtor.scenario
    if life is None:
        return ()
    found = [*_told_as_recorded(debtor, life.story)]
    work = next((w for w in works().values() if w.text == life.work), None)
    home = _household(debtor, life.household)
    if work is None or home is None:
        return (*found, f"{life.work!r} or {life.household!r} is no work or household")
    found += _possible(debtor, work, home[1])
    found += _reason_fits(debtor, work, home[0])
    found += _people(debtor, f"{life.story} {debtor.finances.overdue_reason.text}", home)
    return tuple(found)


def _told_as_recorded(debtor: Debtor, story: str) -> list[str]:
    account, money, found = debtor.background, debtor.finances, []
    ages = {int(a or b) for a, b in _AGE.findall(story)}
    if ages != {account.age}:
        found.append(f"the story tells of age {sorted(ages)}, the record of {account.age}")
    known = {in_words(account.need_coll_amt), in_words(account.bal_due), in_words(money.assets)}
    keep = f"{money.avg_daily_balance:.0f}"
    found += [
        f"{amount} yuan is none of the record's amounts"
        for amount in _YUAN.findall(story)
        if amount not in known | {keep}
    ]
    if not re.search(rf"\b{months_in_words(account.overdue_days)}\b(?! and \w+ months?)", story):
        found.append(f"{account.overdue_days} days overdue are not told")
    assert debtor.scenario is not None
    lived = (debtor.scenario.work, debtor.scenario.household)
    found += [f"{told!r} is not told" for told in lived if told not in story]
    count = len(re.findall(r"[.!?](?:\s|$)", story))
    if not SENTENCES[0] <= count <= SENTENCES[1]:
        found.append(f"the story has {count} sentences")
    if re.search(r"\b(?:I|my|me)\b", story):
        found.append("the story does not speak to the person")
    if re.search(r"\b[Yy]ou (?:are|have|live)\b", debtor.finances.overdue_reason.text):
        found.append("the reason is not in the person's own words")
    return found


def _household(debtor: Debtor, text: str) -> tuple[str, Household] | None:
    spouse = spouse_of(debtor.background.sex)
    for key, home in households().items():
        if home.text.replace("{spouse}", spouse) == text:
            return key, home
    return None


def _possible(debtor: Debtor, work: Work, home: Household) -> list[str]:
    account, found = debtor.background, []
    if not work.youngest <= account.age <= work.oldest or work.weight[account.sex] <= 0:
        found.append(f"a {account.sex} of {account.age} is hardly {work.text}")
    if not work.least_income <= debtor.finances.avg_daily_income <= work.most_income:
        found.append(f"{work.text} does not earn {debtor.finances.avg_daily_income} a day")
    if not home.youngest <= account.age <= home.oldest:
        found.append(f"at {account.age} hardly anybody lives {home.text}")
    return found


def _reason_fits(debtor: Debtor, work: Work, household: str) -> list[str]:
    reason, found = debtor.finances.overdue_reason, []
    cause = causes().get(reason.category)
    if cause is None:
        return [f"{reason.category!r} is no kind of reason"]
    if not may_have(cause, debtor.background.age, work.kind, household):
        found.append(f"{reason.category} does not fit age, work or household")
    if not any(word in reason.text.lower() for word in cause.words):
        found.append(f"the reason does not speak of {reason.category}: {reason.text}")
    return found


def _people(debtor: Debtor, told: str, home: tuple[str, Household]) -> list[str]:
    key, household = home
    spouse = spouse_of(debtor.background.sex)
    found = [
        f"there is no {word}"
        for word in ("wife", "husband")
        if re.search(rf"\b{word}\b", told) and (word != spouse or not household.spouse)
    ]
    if re.search(r"\b(?:my|your) child\b", told, re.IGNORECASE) and not household.children:
        found.append("there is no child")
    if re.search(r"\b(?:my|our|the) baby\b", told, re.IGNORECASE) and key != "couple_baby":
        found.append("there is no baby")
    if household.parents and _DEATH_OF_PARENT.search(told):
        found.append("a parent at home cannot have died")
    return found
