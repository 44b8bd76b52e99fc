"""Before and after training: the same debtors or nothing, and figures that can be reckoned otherwise."""

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from arrears.bench.plan import make_plan
from arrears.bench.run import run
from arrears.bench.stored import StoredRun, open_run
from arrears.debtors.suites import load_suite
from arrears.economy.position import Money, money_from, money_of
from arrears.economy.projection import project
from arrears.errors import RunMismatch, UnknownName, UsageError
from arrears.models.chat import Message
from arrears.rng import rng_for
from arrears.scoring.statistics import paired
from arrears.scoring.summary import summarise
from arrears.scoring.unscored import Unscored
from arrears.terms import GRID, Terms
from arrears.training.conversations import Answered
from arrears.training.report.curves import curves_of, draw_curves, read_curves
from arrears.training.report.document import document_of
from arrears.training.report.drift import Drift, drifts, message_kl
from arrears.training.report.given_away import Spare, spare
from arrears.training.report.lines import compared, lines_in
from arrears.training.report.page import write_page
from arrears.training.report.paired import Change, adjusted, changes
from arrears.training.report.pictures import Point, reward_against_distance, round_numbers
from arrears.training.report.scores import LEARNT
from arrears.training.report.sides import EACH_WAY, widest
from arrears.training.report.study import Study, study_of
from arrears.training.report.tables import tables_of
from arrears.training.report.words import lead, moved
from arrears.training.reward import foresight_reward
from tests.commands import arrears
from tests.test_report import Links

LENIENT, ADAPTIVE = "scripted/lenient", "scripted/adaptive"


def play(folder: Path, *collectors: str, debtors: int = 12, **how: Any) -> StoredRun:
    """A run with the first debtors of DebtBench."""
    people = {"debtbench": load_suite("debtbench")[:debtors]}
    run(make_plan(people, collectors=collectors, **how), people, folder, workers=1)
    return open_run(folder)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Two collectors on 40 debtors of DebtBench and 15 of DCN."""
    people = {"debtbench": load_suite("debtbench")[:40], "dcn": load_suite("dcn")[:15]}
    folder = tmp_path_factory.mktemp("train-report") / "run"
    run(make_plan(people, collectors=(LENIENT, ADAPTIVE)), people, folder, workers=1)
    return open_run(folder)


@pytest.fixture(scope="module")
def study(stored: StoredRun) -> Study:
    """Lenient before, adaptive after."""
    return study_of(compared([stored], None, ()))


# ---- who is compared


def test_the_first_collector_is_before_unless_another_is_named(stored: StoredRun) -> None:
    plain = compared([stored], None, ())
    assert (plain.before.spec, [line.spec for line in plain.after]) == (LENIENT, [ADAPTIVE])
    turned = compared([stored], "adaptive", ())
    assert (turned.before.spec, [line.spec for line in turned.after]) == (ADAPTIVE, [LENIENT])


def test_paths_of_models_are_shown_without_what_all_have_in_common(tmp_path: Path) -> None:
    proof = doctored(play(tmp_path / "run", LENIENT, ADAPTIVE), tmp_path / "proof", {
        LENIENT: "hf/runs/nano/sft", ADAPTIVE: "hf/runs/nano/round-2/model",
    })  # fmt: skip
    assert [line.name for line in lines_in([proof])] == ["hf/…/sft", "hf/…/round-2/model"]
    for name in ("round-2/model", "model", "hf/…/round-2/model", "hf/runs/nano/round-2/model"):
        assert compared([proof], name, ()).before.spec == "hf/runs/nano/round-2/model"


def test_the_same_collector_in_two_runs_is_told_apart_by_the_run(tmp_path: Path) -> None:
    runs = [play(tmp_path / name, LENIENT) for name in ("a", "b")]
    found = compared(runs, None, ())
    assert [line.name for line in found.lines] == [f"{LENIENT} (a)", f"{LENIENT} (b)"]
    with pytest.raises(UsageError, match=r"may be .*\(a\), .*\(b\)"):
        compared(runs, LENIENT, ())


def test_names_that_say_nothing_are_refused(stored: StoredRun, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="scripted/lenient, scripted/adaptive"):
        compared([stored], "scripted/strict", ())
    with pytest.raises(UsageError, match="both before and after"):
        compared([stored], LENIENT, [LENIENT])
    with pytest.raises(UsageError, match="named twice after"):
        compared([stored], LENIENT, [ADAPTIVE, "adaptive"])
    with pytest.raises(UsageError, match="is named twice"):
        compared([stored, stored], None, ())
    with pytest.raises(UsageError, match="one collector only"):
        compared([play(tmp_path / "one", LENIENT)], None, ())


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"seed": 2}, "the seed is 1 there and 2 here"),
        ({"repeats": 2}, "the number of repeats is 1 there and 2 here"),
        ({"debtors": 9}, "3 debtors of debtbench are missing here"),
        ({"max_turns": 6}, "the number of turns is 12 there and 6 here"),
    ],
)
def test_runs_that_were_not_played_alike_are_refused(
    how: dict[str, Any], said: str, tmp_path: Path
) -> None:
    runs = [play(tmp_path / "a", LENIENT), play(tmp_path / "b", ADAPTIVE, **how)]
    with pytest.raises(RunMismatch, match=said):
        compared(runs, None, ())


def test_other_rules_or_other_debtors_by_the_same_name_are_refused(tmp_path: Path) -> None:
    first = play(tmp_path / "a", LENIENT)
    other = doctored(play(tmp_path / "b", ADAPTIVE), tmp_path / "c", {
        first.plan.rules: "0" * 64
    })  # fmt: skip
    with pytest.raises(
        RunMismatch, match=r"the digest of the rules is .* there and 000000000000… "
    ):
        compared([first, other], None, ())
    people = {"dcn": load_suite("dcn")[:12]}
    run(make_plan(people, collectors=[ADAPTIVE]), people, tmp_path / "d", workers=1)
    with pytest.raises(RunMismatch, match="the suites are debtbench there and dcn here"):
        compared([first, open_run(tmp_path / "d")], None, ())


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    whole = play(tmp_path / "a", LENIENT, ADAPTIVE)
    lines = (whole.path / "dialogues.jsonl").read_bytes().splitlines(keepends=True)
    (whole.path / "dialogues.jsonl").write_bytes(b"".join(lines[:-2]))
    with pytest.raises(RunMismatch, match="scripted/adaptive has not met 2 of the debtors"):
        compared([open_run(whole.path)], None, ())


# ---- how sure a change is


def columns(seed: int, n: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Scores of so many debtors before and after."""
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(n, 1))
    return before, before + rng.normal(0.3, 0.5, size=(n, 1))


def test_a_plain_mean_changes_as_the_houses_paired_comparison_says() -> None:
    before, after = columns(1)
    (found,) = changes(before, after, rng_for(5, "x"))
    same = paired(list(after[:, 0]), list(before[:, 0]), rng_for(5, "x"))
    assert found[2:6] == pytest.approx((same.value, same.low, same.high, same.p))
    assert (found.before, found.after) == pytest.approx((before.mean(), after.mean()))


def test_means_over_agreements_are_resampled_with_their_debtors() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.normal(size=(2, 40, 1))
    before[rng.random(40) < 0.3] = np.nan
    after[rng.random(40) < 0.2] = np.nan
    (found,) = changes(before, after, rng_for(7, "y"))
    draws = rng_for(7, "y")
    gaps = [
        float(np.nanmean(after[pick]) - np.nanmean(before[pick]))
        for _ in range(20)
        for pick in draws.integers(0, 40, (100, 40))
    ]
    assert found.difference == pytest.approx(np.nanmean(after) - np.nanmean(before))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(gaps, [0.025, 0.975])))


def test_fewer_agreements_do_not_make_a_share_of_them_significant() -> None:
    # 300 of 300 kept before; 273 agreements after, of which 2 are not: by chance as often as not.
    before, after = np.ones((300, 1)), np.ones((300, 1))
    after[:27], after[27:29] = np.nan, 0.0
    (found,) = changes(before, after, rng_for(1, "z"))
    assert found.p is not None
    assert found.p > 0.2


def test_repeats_with_the_same_debtor_are_no_new_debtors() -> None:
    before, after = columns(4)
    (once,) = changes(before, after, rng_for(1, "r"))
    (twice,) = changes(
        before.repeat(2, axis=0), after.repeat(2, axis=0), rng_for(1, "r"), repeats=2
    )
    assert twice[:6] == pytest.approx(once[:6])


def test_what_nothing_is_known_of_has_no_change() -> None:
    nothing, some = np.full((6, 1), np.nan), np.ones((6, 1))
    (found,) = changes(nothing, some, rng_for(1, "n"))
    assert found[:6] == (None, 1.0, None, None, None, None)
    assert found.verdict(1) == ""
    (same,) = changes(some, some, rng_for(1, "n"))
    assert (same.difference, same.p, same.verdict(1)) == (0.0, 1.0, "same")


def test_a_single_debtor_makes_no_interval() -> None:
    (found,) = changes(
        np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]]), rng_for(1, "o"), repeats=2
    )
    assert found[:6] == (1.5, 3.5, 2.0, None, None, 1.0)
    assert found.verdict(1) == "same"
    plain = next(m for m in LEARNT if m.key == "reward")
    assert moved("it", plain, found) == "it did not change measurably (+2.000, of one debtor)"


def test_an_interval_that_leaves_out_zero_is_marked_and_p_is_corrected() -> None:
    up = Change(0.0, 0.2, 0.2, 0.1, 0.3, 0.01)
    assert [up.verdict(better) for better in (1, -1, 0)] == ["better", "worse", "other"]
    assert up._replace(low=-0.1).verdict(1) == "same"
    unknown = Change(None, 1.0, None, None, None, None)
    holm = adjusted([up, unknown, up._replace(p=0.04)])
    assert [one.p_adjusted for one in holm] == [0.02, None, 0.04]


# ---- the figures


def test_the_figures_are_those_of_a_runs_own_report(study: Study) -> None:
    for section, own in zip(study.sections, ("debtbench", "dcn"), strict=True):
        (versus,) = section.versus
        for line, side in ((study.compared.before, "before"), (study.compared.after[0], "after")):
            rows = [line.rows[key] for key in section.keys]
            theirs = summarise(rows, rng_for(1, "any"), 20)
            papers = {"debtbench": theirs.debtbench, "dcn": theirs.dcn}
            ours = {own: versus.main, "dcn" if own == "debtbench" else "debtbench": versus.other}
            for paper, group in ours.items():
                assert set(papers[paper]) == set(group.changes) - {m.key for m in LEARNT}
                for key, metric in papers[paper].items():
                    assert getattr(group.changes[key], side) == pytest.approx(metric.value), key
            for kind, found in theirs.by_category.items():
                for key in ("CR", "SR", "US"):
                    change = versus.categories[kind].changes[key]
                    assert getattr(change, side) == pytest.approx(found[key].value)


def test_the_reward_is_that_of_every_talk(study: Study, stored: StoredRun) -> None:
    rewards = [
        foresight_reward(stored.dialogue(row.case), stored.debtor("dcn", row.debtor_id))
        for row in stored.rows
        if (row.suite, row.collector) == ("dcn", ADAPTIVE)
    ]
    found = study.sections[1].versus[0].main.changes
    for key, values in zip(
        ("reward", "quality", "experience"), zip(*rewards, strict=True), strict=True
    ):
        assert found[key].after == pytest.approx(np.mean(values))


def test_messages_that_nobody_could_read_are_the_collectors_only_if_they_are(
    stored: StoredRun, tmp_path: Path
) -> None:
    def spoil(number: int, talk: dict[str, Any]) -> None:
        if number in (0, 1):
            talk["ending"], talk["terms"] = "malformed", None
            talk["detail"] = f"{('collector', 'debtor')[number]}: not a message"
        if number == 2:
            talk["turns"][0]["repairs"] = ["a", "b"]
            talk["turns"][1]["repairs"] = ["of the debtor"]

    spoilt = doctored(stored, tmp_path / "spoilt", each=spoil)
    section, _ = study_of(compared([spoilt], None, ())).sections
    found = section.versus[0].main.changes
    assert found["format"].before == pytest.approx(39 / 40)
    assert found["repairs"].before == pytest.approx(2 / 40)
    assert found["reward"].scored == (38, 40)


# ---- what was given away

FLAT = money_from(10_000, 9_100, 0)
"""No surplus: an agreement holds where less than 8,600 yuan are paid in all."""


@pytest.mark.parametrize(
    ("terms", "room"),
    [
        # 8,000 of which 4,000 at once, 1.95 % fee on the rest: 8,078. 15 % off: 8,582.88, holds;
        # 10 % off: 9,087.75.
        (Terms(0.20, 0.50, 7, 3), Spare(0.05, 0, 0.0)),
        # 18 months cost 11.7 %: 8,468, and 15 % off would be 8,997.25.
        (Terms(0.20, 0.50, 7, 18), Spare(0.0, 15, 0.0)),
        # 7.2 % on 6,000: 8,432; half of it at once: 8,288. Three months: 8,117.
        (Terms(0.20, 0.25, 7, 12), Spare(0.0, 9, 0.25)),
        # 8,500 and 11.7 % on three quarters: 9,245.88. Not kept.
        (Terms(0.15, 0.25, 7, 18), None),
    ],
)
def test_room_is_what_the_same_debtor_would_have_kept(terms: Terms, room: Spare | None) -> None:
    assert spare(FLAT, terms) == room


def test_whoever_has_much_could_have_borne_everything() -> None:
    found = spare(money_from(1_000, 1_000_000, 100), Terms(0.30, 0.05, 14, 24))
    assert found == Spare(0.30, 21, 0.45)
    assert found.anything
    assert not Spare(0.0, 0, 0.0).anything


def test_room_agrees_with_trying_each_step(study: Study) -> None:
    def reached(money: Money, terms: Terms, name: str, prefers: Callable[..., Any]) -> Any:
        others = (Terms(**{**as_dict(terms), name: value}) for value in GRID[name])  # type: ignore[index]
        return prefers(getattr(t, name) for t in others if project(money, t).success)

    seen = study.seen[LENIENT]
    held = [(key, one) for key, one in seen.items() if one.spare is not None][:20]
    assert held
    for key, one in held:
        run = study.compared.before.run
        money, terms = money_of(run.debtor(key.suite, key.debtor)), run.dialogue(one.row.case).terms
        assert terms is not None
        assert one.spare == Spare(
            round(terms.disc_ratio - reached(money, terms, "disc_ratio", min), 2),
            terms.inst_prds - reached(money, terms, "inst_prds", min),
            round(reached(money, terms, "pmt_ratio", max) - terms.pmt_ratio, 2),
        )


def as_dict(terms: Terms) -> dict[str, Any]:
    """The four terms by name."""
    return {name: getattr(terms, name) for name in GRID}


def test_what_is_given_away_is_told_of_agreements_that_hold(study: Study) -> None:
    section = study.sections[0]
    rows = [study.compared.before.rows[key] for key in section.keys]
    given = section.versus[0].given.changes
    assert given["discount"].scored[0] == sum(row.success for row in rows)
    assert given["ruin"].scored[0] == sum(row.agreed for row in rows)
    assert given["ruin"].before == pytest.approx(
        sum(row.agreed and not row.success for row in rows) / sum(row.agreed for row in rows)
    )


# ---- the distance of two models


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models of random weights that differ a little: `first` and `later`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tests.small_model import build

    folder = tmp_path_factory.mktemp("models")
    build(folder / "first")
    model = AutoModelForCausalLM.from_pretrained(folder / "first")
    torch.manual_seed(2)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.05)
    model.save_pretrained(folder / "later")
    AutoTokenizer.from_pretrained(folder / "first").save_pretrained(folder / "later")
    return folder


def asked() -> list[Answered]:
    """A talk of two exchanges, as a model was asked."""
    from tests.small_model import talk

    messages: list[Message] = talk(3)  # type: ignore[assignment]
    return [Answered(messages[:at], messages[at], at // 2) for at in (2, 4)]


def opened(folder: Path) -> tuple[Any, Any]:
    """A model and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(
        folder
    )


def by_hand(model: Any, first: Any, tokenizer: Any, one: Answered) -> float:
    """KL of one message, token by token in double precision, each from its own beginning."""
    import torch

    text = tokenizer.apply_chat_template(one.prompt, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    words = tokenizer(one.answer["content"], add_special_tokens=False)["input_ids"]
    total = 0.0
    for token in [*words, tokenizer.convert_tokens_to_ids("<|im_end|>")]:
        with torch.no_grad():
            p, q = (m(torch.tensor([ids])).logits[0, -1].double().numpy() for m in (model, first))
        p, q = (np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in (p, q))
        total += float((p * np.log(p / q)).sum())
        ids = [*ids, token]
    return total


def test_kl_is_exact_over_the_vocabulary_at_every_token(models: Path) -> None:
    (later, tokenizer), (first, _) = opened(models / "later"), opened(models / "first")
    found = message_kl(later, first, tokenizer, asked())
    for (kl, tokens), one in zip(found, asked(), strict=True):
        assert kl == pytest.approx(by_hand(later, first, tokenizer, one), rel=1e-4)
        assert kl > 0.1
        assert tokens == len(tokenizer(one.answer["content"])["input_ids"]) + 1


def test_a_model_is_at_no_distance_from_itself(models: Path) -> None:
    first, tokenizer = opened(models / "first")
    assert [kl for kl, _ in message_kl(first, first, tokenizer, asked())] == [0.0, 0.0]


def test_a_template_that_writes_earlier_messages_anew_changes_nothing_in_the_rule(
    models: Path,
) -> None:
    (later, tokenizer), (first, _) = opened(models / "later"), opened(models / "first")
    # Only the last message is put before the model: no answer goes on from the one before.
    tokenizer.chat_template = (
        "{{ messages[-1].content }}{% if add_generation_prompt %}{{ '<|im_start|>' }}{% endif %}"
    )
    found = message_kl(later, first, tokenizer, asked())
    for (kl, _), one in zip(found, asked(), strict=True):
        assert kl == pytest.approx(by_hand(later, first, tokenizer, one), rel=1e-4)


def doctored(
    stored: StoredRun,
    folder: Path,
    words: dict[str, str] | None = None,
    each: Callable[[int, dict[str, Any]], None] | None = None,
) -> StoredRun:
    """A copy of a run with other words in its files, as if it had been played so."""
    shutil.copytree(stored.path, folder)
    (folder / "scores.parquet").unlink()
    for name in ("run.json", "dialogues.jsonl"):
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in (words or {}).items():
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    if each is not None:
        talks = [json.loads(x) for x in (folder / "dialogues.jsonl").read_text().splitlines()]
        for number, talk in enumerate(talks):
            each(number, talk)
        (folder / "dialogues.jsonl").write_text("".join(f"{json.dumps(t)}\n" for t in talks))
    return open_run(folder)


def between(stored: StoredRun, folder: Path, before: str, after: str, talks: int = 2) -> Any:
    """Lenient's talks held by `before`, adaptive's by `after`; the drift on DCN."""
    told = doctored(stored, folder, {LENIENT: before, ADAPTIVE: after})
    found = compared([told], None, ())
    return drifts(found, talks)[found.after[0].name, "dcn", "scripted/debtor"]


def test_the_distance_is_measured_where_the_later_model_has_been(
    stored: StoredRun, models: Path, tmp_path: Path
) -> None:
    found = between(stored, tmp_path / "run", f"hf/{models}/first", f"hf/{models}/later")
    assert isinstance(found, Drift)
    assert found.talks == 2
    assert 2 < found.messages < 26
    assert found.tokens > 50 * found.messages
    assert found.low <= found.kl <= found.high
    assert found.token == pytest.approx(found.kl * found.messages / found.tokens)


def test_why_there_is_no_distance_is_said(stored: StoredRun, models: Path, tmp_path: Path) -> None:
    first, later = f"hf/{models}/first", f"hf/{models}/later"
    assert between(stored, tmp_path / "a", LENIENT, later) == Unscored(
        "scripted/lenient is no local model (hf/PATH)"
    )
    assert between(stored, tmp_path / "b", first, later, talks=0).reason.startswith("not asked for")
    gone = between(stored, tmp_path / "c", first, f"hf/{models}/gone")
    assert gone.reason == f"there is no model in {models}/gone any more, as seen from here"
    helped = between(stored, tmp_path / "d", first, f"{later}+maden")
    assert "a planner or a judge" in helped.reason
    other = tmp_path / "other"
    shutil.copytree(models / "later", other)
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(text.replace('"!":', '"never":'), encoding="utf-8")
    assert "tokenizer is another" in between(stored, tmp_path / "e", first, f"hf/{other}").reason


# ---- pages and words


def test_the_dozen_are_the_largest_gains_and_losses_by_rule(study: Study) -> None:
    found = widest(study, study.compared.after[0])
    gains, losses = found[:EACH_WAY], found[EACH_WAY:]
    assert len(losses) == EACH_WAY
    assert all(a.gain >= b.gain > 0 for a, b in pairwise(gains))
    assert all(a.gain <= b.gain < 0 for a, b in pairwise(losses))
    every = [
        study.seen[ADAPTIVE][key].reward.total - study.seen[LENIENT][key].reward.total  # type: ignore[operator]
        for key in study.compared.before.rows
    ]
    assert (gains[0].gain, losses[0].gain) == (max(every), min(every))
    assert len({gap.key for gap in found}) == 12


@pytest.fixture(scope="module")
def page(stored: StoredRun, models: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of two local models, one with a record of its training, and a wicked debtor."""
    folder = tmp_path_factory.mktemp("page")
    (models / "later" / "metrics.jsonl").write_text(
        '{"step": 1, "loss": 0.7, "rewards/margins": 0.1}\n'
        '{"step": 2, "loss": 0.6, "rewards/margins": 0.3}\n'
    )

    def wicked(number: int, talk: dict[str, Any]) -> None:
        talk["turns"][1]["dialogue"] = "<script>alert(1)</script>"

    told = doctored(
        stored, folder / "run",
        {LENIENT: f"hf/{models}/first", ADAPTIVE: f"hf/{models}/later"}, wicked,
    )  # fmt: skip
    found = compared([told], None, ())
    write_page(study_of(found), drifts(found, 1), curves_of(found), folder / "page.html")
    return (folder / "page.html").read_text(encoding="utf-8")


def test_the_page_fetches_nothing_and_holds_everything(page: str) -> None:
    links = Links()
    links.feed(page)
    assert links.fetched == []
    assert links.inner <= links.ids
    for words in (
        "Did the training help?", "By category of debtor", "Given away", "Reward against distance",
        "Learning curves", "margin of the rewards (DPO)", "Talks side by side", "The metrics of DCN",
        "The metrics of DebtBench", "hf/…/later has moved",
    ):  # fmt: skip
        assert words in page, words
    assert page.count('class="talk"') == 12
    assert page.count('class="beside"') == 12
    assert page.count('<div class="turn collector">') > 60


def test_what_was_said_cannot_become_part_of_the_page(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_document_holds_every_number_of_the_tables(study: Study) -> None:
    unmeasured = drifts(study.compared, 0)
    document = json.loads(json.dumps(document_of(study, unmeasured, {})))
    found = document["suites"]["debtbench"]["after"][ADAPTIVE]
    change = study.sections[0].versus[0].main.changes["CR"]
    assert found["metrics"]["CR"]["difference"] == change.difference
    assert found["metrics"]["CR"]["p_holm"] == change.p_adjusted
    assert set(found) == {"metrics", "other_metrics", "given_away", "categories", "kl"}
    assert found["kl"] == {"unscored": "not asked for (--kl-talks 0)"}
    assert len(document["talks"]["pairs"]) == 12
    titles = [table.title for section in study.sections for table in tables_of(section, study)]
    assert titles == ["Before and after", "By category of debtor", "Given away",
                      "Before and after", "Given away"]  # fmt: skip


def test_the_sentence_says_what_the_interval_says() -> None:
    share = next(m for m in LEARNT if m.key == "format")
    plain = next(m for m in LEARNT if m.key == "reward")
    rose = Change(0.8, 0.852, 0.052, 0.039, 0.064, 0.001)
    assert moved("CR", share, rose) == "CR rose by 5.2 points (3.9 to 6.4)"
    fell = Change(0.8, 0.75, -0.05, -0.07, -0.03, 0.001)
    assert moved("reward", plain, fell) == "reward fell by 0.050 (0.030 to 0.070)"
    unclear = Change(0.8, 0.802, 0.002, -0.004, 0.008, 0.6)
    assert moved("CR", share, unclear) == (
        "CR did not change measurably (+0.2 points, 95 % interval -0.4 to +0.8)"
    )
    assert moved("CR", share, unclear._replace(low=0.001, p=0.25)).startswith("CR did not change m")
    assert moved("CR", share, Change(0.8, 0.8, 0.0, 0.0, 0.0, 1.0)) == "CR did not change"
    nothing = Change(None, 0.8, None, None, None, None)
    assert moved("CR", share, nothing) == "CR could not be compared"


def test_the_lead_speaks_of_each_suite(study: Study) -> None:
    first, second = lead(study)
    assert first.startswith("On debtbench: CR ")
    assert second.startswith("On dcn: the recovered share of the debt ")


def test_curves_are_read_past_torn_lines_and_drawn(tmp_path: Path) -> None:
    assert read_curves(tmp_path) == {}
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 1, "loss": 2.5, "lr": 1}\nnot json\n{"loss": 1}\n{"step": 2, "loss": 1.5}\n{"st'
    )
    curves = read_curves(tmp_path)
    assert {name: (c.steps, c.values) for name, c in curves.items()} == {
        "loss": ([1, 2], [2.5, 1.5])
    }
    ElementTree.fromstring(draw_curves("<a> & b", curves))


def test_the_picture_of_reward_and_distance_has_a_point_for_each_model() -> None:
    points = [Point("a<b", 0.0, 0.7, 0.0, 0.0), Point("c", 1.7, 0.8, 1.5, 1.9)]
    picture = ElementTree.fromstring(reward_against_distance(points))
    circles = [e for e in picture.iter() if e.tag.endswith("circle")]
    assert [c[0].text for c in circles] == [
        "a<b: reward 0.700, KL 0.000 nats a message", "c: reward 0.800, KL 1.700 nats a message",
    ]  # fmt: skip
    ElementTree.fromstring(reward_against_distance(points[:1]))


def test_scales_have_round_numbers() -> None:
    assert round_numbers(0.0, 2.75) == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert round_numbers(0.626, 0.748) == [0.64, 0.66, 0.68, 0.7, 0.72, 0.74]


# ---- the command


def test_the_command_writes_the_page_and_prints_the_tables(
    stored: StoredRun, tmp_path: Path
) -> None:
    done = arrears("train", "report", str(stored.path), "--out", str(tmp_path / "t.html"))
    assert done.returncode == 0, done.stderr
    assert "On debtbench: CR " in done.stdout
    assert "| discount, points ↓" in done.stdout
    assert (tmp_path / "t.html").exists()


def test_a_request_that_cannot_be_met_leaves_with_two(stored: StoredRun, tmp_path: Path) -> None:
    done = arrears("train", "report", str(stored.path), "--after", "nobody", "--json")
    assert done.returncode == 2
    assert "unknown collector 'nobody'; known: scripted/lenient" in done.stderr
    assert done.stdout == ""
