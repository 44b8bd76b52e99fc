"""Rejection sampling as data: styles of collectors, and prompts that are wrong on purpose."""

import re
from collections import Counter
from importlib import resources
from typing import Any

import pytest

from arrears.agents.briefing import collector_system
from arrears.agents.registry import COLLECTORS
from arrears.errors import UsageError
from arrears.prompts.library import LANGUAGES, Language, prompt
from arrears.rng import rng_for
from arrears.terms import Mandate
from arrears.training.rejection.defects import KINDS, choose_defect, defective_system, defects
from arrears.training.rejection.styles import collector_styles
from tests.paper_ngrams import grams, paper_hashes
from tests.samples import STYLES
from tests.test_prompts import PERSON


def test_there_are_styles_for_every_built_in_seat_and_in_both_languages() -> None:
    styles = collector_styles()
    assert {"strict", "gentle", "balanced"} < set(styles)
    assert len(styles) >= 5
    assert {style.built_in for style in styles.values()} == set(COLLECTORS)
    texts = [style.guidance[language] for style in styles.values() for language in LANGUAGES]
    assert len(set(texts)) == 2 * len(styles)
    assert all("\n" not in text for text in texts), "a paragraph"
    assert all(max(style.guidance["zh"]) > "\u4e00" for style in styles.values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_a_defects_text_stands_exactly_once_in_its_prompt(style: Any, language: Language) -> None:
    text = prompt(f"collector_{style}", language).system
    known = defects(style, "full", language)
    for defect in known:
        assert (defect.find == "") is (defect.kind == "addition")
        assert defect.kind == "addition" or text.count(defect.find) == 1, defect.name
        assert defect.put != defect.find
    kinds = Counter(defect.kind for defect in known)
    assert all(kinds[kind] >= 8 for kind in KINDS)
    assert len({defect.name for defect in known}) == len(known)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_a_short_prompt_has_additions_only(style: Any, language: Language) -> None:
    known = defects(style, "short", language)
    assert {defect.kind for defect in known} == {"addition"}
    assert known == defects(style, "full", language)[-len(known) :]


HARM = re.compile(
    r"threat|lie\b|lies\b|lying|insult|shame|sham(?:ing|ed)|famil(?:y|ies) will|police|court|jail"
    r"|neighbo|employer|pretend|deceiv|untru|false|fake|scare|frighten the|humiliat|harass"
    r"|威胁|恐吓|辱骂|羞辱|骗|谎|假装|家人|警察|坐牢|单位|邻居|骚扰",
    re.IGNORECASE,
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_no_defect_asks_for_harm_or_takes_out_what_forbids_it(
    style: Any, language: Language
) -> None:
    text = prompt(f"collector_{style}", language).system
    (forbids,) = [
        line for line in text.splitlines()
        if line.startswith(("- No threats", "- 不威胁", "What is never done", "这里绝不做"))
    ]  # fmt: skip
    for defect in defects(style, "full", language):
        assert not HARM.search(defect.put), defect.name
        assert forbids in defective_system(defect, text).splitlines(), defect.name


def test_the_words_for_harm_would_be_seen() -> None:
    assert HARM.search("Tell them that the police will come.")
    assert HARM.search("可以恐吓对方")


@pytest.mark.parametrize("name", ["styles.yaml", "defects.yaml"])
def test_no_eight_words_of_styles_and_defects_are_the_papers(name: str) -> None:
    source = resources.files("arrears.training.rejection") / name
    ours = grams(source.read_text(encoding="utf-8"))
    assert len(ours) > 500
    assert [ours[h] for h in ours.keys() & paper_hashes()] == []


def test_a_defect_changes_its_place_and_nothing_else() -> None:
    system = collector_system("dcn", PERSON.background, Mandate(), 12, "en")
    for defect in defects("dcn", "full", "en"):
        wrong = defective_system(defect, system)
        if defect.kind == "addition":
            assert wrong == f"{system}\n\n{defect.put}"
        else:
            before, after = system.split(defect.find)
            assert wrong == f"{before}{defect.put}{after}"
    removed = next(d for d in defects("dcn", "full", "en") if d.kind == "deletion")
    with pytest.raises(UsageError, match="does not fit this prompt"):
        defective_system(removed, "You collect.")


def test_every_defect_is_drawn_now_and_then() -> None:
    drawn = {choose_defect("dcn", "full", "en", rng_for(1, n)).name for n in range(600)}
    assert drawn == {defect.name for defect in defects("dcn", "full", "en")}
