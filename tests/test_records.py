"""Records from a table: what is learned, what comes out, and what is refused."""

import csv
import json
import lzma
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrears.debtors.store import read_debtors
from arrears.rng import rng_for
from arrears.synthesis.records.copies import are_copies, fingerprints
from arrears.synthesis.records.drawing import draw_rows
from arrears.synthesis.records.evidence import evidence
from arrears.synthesis.records.finances import fit_lines, published_lines
from arrears.synthesis.records.mapping import read_mapping
from arrears.synthesis.records.marginals import fit_margin, margin_from
from arrears.synthesis.records.pool import PoolModel
from arrears.synthesis.records.privacy import privacy
from arrears.synthesis.records.quality import associations, marginal
from arrears.synthesis.records.strata import quotas, strata_of
from arrears.synthesis.records.table import FEW, Column, Table, read_table
from tests.accounts import HEADER, MAPPING, rows, write
from tests.commands import arrears


def table(folder: Path, n: int = 600, seed: int = 1) -> Table:
    """An account table as it is read."""
    path = write(folder / "accounts.csv", rows(n, seed))
    return read_table(path, read_mapping(folder / "mapping.toml"))[0]


def fitted(folder: Path, *words: str, n: int = 600) -> Path:
    """A model by the real command."""
    path = write(folder / "accounts.csv", rows(n))
    out = folder / "model"
    done = arrears("debtors", "fit", str(path), "--map", str(folder / "mapping.toml"),
                   "--out", str(out), *words)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default method on 600 accounts."""
    return fitted(tmp_path_factory.mktemp("model"))


# Margins


@given(
    st.lists(st.integers(-1000, 1000), min_size=120, max_size=300),
    st.integers(0, 60),
)
@settings(max_examples=60)
def test_a_margin_draws_nothing_beyond_its_few_lowest_and_highest(
    numbers: list[int], zeros: int
) -> None:
    values = np.array(numbers + [0] * zeros, dtype=float)
    margin = fit_margin(values, Column("x", "numeric", step=1.0))
    drawn = margin.values(np.linspace(0, 1, 2001))
    ordered = np.sort(values)
    assert drawn.min() >= np.floor(ordered[:FEW].mean()) or len(np.unique(values)) <= 60
    assert drawn.max() <= np.ceil(ordered[-FEW:].mean()) or len(np.unique(values)) <= 60
    assert ordered[0] <= drawn.min()
    assert drawn.max() <= ordered[-1]
    assert (np.diff(margin.edges) > 0).all(), "the segments go up"
    assert margin.edges[-1] == pytest.approx(1.0)


def test_a_value_that_many_share_keeps_its_share() -> None:
    rng = rng_for(3, "margin")
    values = np.concatenate([np.zeros(300), np.exp(rng.standard_normal(700) + 8)])
    margin = fit_margin(values, Column("x", "numeric", step=0.01))
    drawn = margin.values(rng.random(20_000))
    assert (drawn == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert np.median(drawn[drawn > 0]) == pytest.approx(np.median(values[values > 0]), rel=0.05)


def test_missing_is_learned_as_missing_and_stored_margins_draw_the_same() -> None:
    rng = rng_for(4, "margin")
    values = np.where(rng.random(800) < 0.4, np.nan, rng.normal(50, 9, 800).round())
    margin = fit_margin(values, Column("x", "numeric", step=1.0))
    uniform = rng.random(5_000)
    drawn = margin.values(uniform)
    assert np.isnan(drawn).mean() == pytest.approx(np.isnan(values).mean(), abs=0.02)
    again = margin_from(json.loads(json.dumps(margin.document()))).values(uniform)
    np.testing.assert_array_equal(again, drawn)


def test_a_category_that_hardly_anybody_has_is_missing_in_what_is_learned(tmp_path: Path) -> None:
    body = rows(400)
    body[0][7] = body[1][7] = "the house by the old mill"
    path = write(tmp_path / "a.csv", body)
    learned, repairs = read_table(path, read_mapping(tmp_path / "mapping.toml"))
    region = learned.columns[learned.places["REGION"]]
    assert region.levels == ("city", "county")
    assert any("REGION: 1 values that fewer than 5 rows have" in r for r in repairs)


# Quality and privacy


def test_two_halves_of_one_table_differ_by_little_and_give_nothing_away(tmp_path: Path) -> None:
    whole = table(tmp_path, 1200)
    a, b, c = (Table(whole.columns, whole.data[i::3]) for i in range(3))
    found = evidence(a, b, c, seed=1)
    assert found.quality.mean_ks < 0.08
    assert found.quality.correlations < 0.08
    assert found.quality.auc_trees == pytest.approx(0.5, abs=0.08)
    assert found.privacy.membership_auc == pytest.approx(0.5, abs=0.06)
    assert not found.privacy.copies_rows


def test_the_table_itself_as_output_is_told_for_what_it_is(tmp_path: Path) -> None:
    whole = table(tmp_path, 800)
    members, others = Table(whole.columns, whole.data[::2]), Table(whole.columns, whole.data[1::2])
    found = privacy(members, members, others)
    assert found.copies == len(members)
    assert found.copies_rows
    assert found.membership_auc > 0.95
    assert found.account_auc > 0.95
    assert found.made.summary()[0] == 0.0


def test_rows_that_are_nearly_copies_are_found_by_distance_and_attack(tmp_path: Path) -> None:
    whole = table(tmp_path, 800)
    members, others = Table(whole.columns, whole.data[::2]), Table(whole.columns, whole.data[1::2])
    moved = members.data.copy()
    moved[:, whole.places["SCORE"]] += 1.0
    found = privacy(Table(whole.columns, moved), members, others)
    assert found.copies == 0
    assert found.membership_auc > 0.9
    assert found.made.summary()[1] < found.holdout.summary()[1] / 3


def test_marginals_and_associations_by_hand() -> None:
    columns = (Column("n", "numeric"), Column("k", "categorical", ("a", "b")))
    real = Table(columns, np.array([[1, 0], [2, 0], [3, 1], [4, 1]], dtype=float))
    made = Table(columns, np.array([[3, 0], [4, 1], [5, 1], [6, 1]], dtype=float))
    assert marginal(made, real, "n") == 0.5
    assert marginal(made, real, "k") == 0.25
    # Numbers 1 2 | 3 4: between-groups variance 4 of 5 in all.
    assert associations(real)[0, 1] == pytest.approx(np.sqrt(0.8))


# Strata, copies, conditions


def test_quotas_are_whole_and_add_up() -> None:
    assert quotas({(0,): 0.5, (1,): 0.3, (2,): 0.2}, 7) == {(0,): 4, (1,): 2, (2,): 1}


@given(st.dictionaries(st.tuples(st.integers(0, 20)), st.floats(0.01, 1), min_size=1),
       st.integers(1, 500))  # fmt: skip
def test_quotas_never_lose_anybody(weights: dict[tuple[int], float], n: int) -> None:
    given_ = quotas(weights, n)
    assert sum(given_.values()) == n
    total = sum(weights.values())
    assert all(abs(count - n * weights[cell] / total) < 1 for cell, count in given_.items())


def test_a_sample_has_the_strata_of_the_table_exactly(tmp_path: Path) -> None:
    whole = table(tmp_path, 600)
    mapping = read_mapping(tmp_path / "mapping.toml")
    strata = strata_of(whole, mapping.strata)
    rng = rng_for(1, "t")
    # A source that is far from the table's strata: women three times in four.
    skewed = whole.data[rng.permutation(np.repeat(np.arange(600), np.where(
        whole.column("sex") == 0, 60, 20)))]  # fmt: skip
    drawn = draw_rows(PoolModel(whole.columns, skewed), whole.columns, 500, rng,
                      strata=strata, pool=True)  # fmt: skip
    assert drawn.outside == 0
    counted = dict.fromkeys(strata.shares, 0)
    for cell in strata.cells(drawn.data, whole.places):
        counted[cell] += 1
    assert counted == quotas(strata.shares, 500)


def test_rows_equal_to_a_real_one_are_drawn_again(tmp_path: Path) -> None:
    whole = table(tmp_path, 400)
    real = fingerprints(whole.data[:200], whole.columns)
    drawn = draw_rows(PoolModel(whole.columns, whole.data), whole.columns, 200, rng_for(1, "t"),
                      strata=None, real=real, pool=True)  # fmt: skip
    assert drawn.copies == 200
    assert not are_copies(drawn.data, whole.columns, real).any()


def test_a_fingerprint_is_of_the_row_as_it_is_written() -> None:
    columns = (Column("x", "numeric", step=1.0), Column("y", "numeric", step=0.01))
    data = np.array([[1.0, 0.1 + 0.2], [1.0, 0.3], [-0.0, np.nan], [0.0, np.nan]])
    marks = fingerprints(data, columns)
    assert marks[0] == marks[1]
    assert marks[2] == marks[3]
    assert marks[0] != marks[2]


# Finances


def test_the_lines_are_those_of_the_table_or_of_the_economy_page(tmp_path: Path) -> None:
    mapping = read_mapping(_with_finances(tmp_path))
    rng = rng_for(5, "t")
    debt = np.exp(rng.normal(9, 0.5, 900))
    assets = np.exp(0.4 * np.log(debt) + 4.0 + rng.normal(0, 0.3, 900))
    assets[::3] = np.nan
    columns = (Column("need_coll_amt", "numeric"), Column("assets", "numeric"))
    lines = fit_lines(Table(columns, np.column_stack([debt, assets])), mapping)
    assert lines.assets.fitted
    assert lines.assets.slope == pytest.approx(0.4, abs=0.06)
    assert lines.assets.sd == pytest.approx(0.3, abs=0.03)
    assert lines.surplus == published_lines().surplus
    assert lines.surplus.slope == 0.476


def _with_finances(folder: Path) -> Path:
    path = folder / "m.toml"
    path.write_text(MAPPING + '\n[finances]\nassets = "SAVINGS"\n')
    return path


def test_what_the_table_lacks_of_the_money_is_filled(tmp_path: Path) -> None:
    body = rows(500)
    rng = rng_for(2, "t")
    saved = [f"{0.5 * float(r[1]) * np.exp(0.2 * rng.standard_normal()):.0f}" for r in body]
    body = [[*r, "" if i % 5 < 2 else s] for i, (r, s) in enumerate(zip(body, saved, strict=True))]
    path = write(tmp_path / "a.csv", body, header=(*HEADER, "SAVINGS"))
    out = tmp_path / "model"
    done = arrears("debtors", "fit", str(path), "--map", str(_with_finances(tmp_path)),
                   "--out", str(out))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "assets is missing in 40% of the rows; learned as such" in done.stderr
    people = _sampled(out, tmp_path / "p.jsonl", "-n", "300")
    share = [p.finances.assets / p.background.need_coll_amt for p in people]
    # Filled by the line of the rows that had them, not by that of docs/domain.md.
    assert np.quantile(share, 0.05) > 0.25
    assert np.median(share) == pytest.approx(0.5, abs=0.08)


# The commands


def _sampled(model: Path, out: Path, *words: str) -> tuple[Any, ...]:
    done = arrears("debtors", "sample", str(model), "--out", str(out), *words)
    assert done.returncode == 0, done.stderr
    return read_debtors(out)


def test_debtors_of_a_model_are_like_the_table_and_in_its_units(
    model: Path, tmp_path: Path
) -> None:
    people = _sampled(model, tmp_path / "p.jsonl", "-n", "400")
    body = rows(600)
    assert np.median([p.background.need_coll_amt for p in people]) == pytest.approx(
        np.median([float(r[1]) for r in body]), rel=0.15
    )
    assert np.mean([p.background.sex == "male" for p in people]) == pytest.approx(0.6, abs=0.05)
    assert {p.background.overdue_days % 30 for p in people} == {0}
    assert all(p.background.bal_due >= p.background.need_coll_amt for p in people)
    assert len({p.id for p in people}) == 400
    assert not {p.background.name for p in people} & {r[0] for r in body}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    model: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{i}.jsonl" for i in range(3)]
    for path, seed in zip(paths, ("1", "1", "2"), strict=True):
        _sampled(model, path, "-n", "60", "--seed", seed)
    texts = [path.read_bytes() for path in paths]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_fitting_twice_gives_the_same_model(model: Path, tmp_path: Path) -> None:
    again = fitted(tmp_path)
    for name in ("model.json", "copula.json.xz", "evidence.json"):
        assert (again / name).read_bytes() == (model / name).read_bytes(), name


def test_conditions_are_kept_and_the_table_has_the_source_s_codes(
    model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.csv"
    done = arrears("debtors", "sample", str(model), "-n", "120", "--table", str(out),
                   "--where", "sex=female", "--where", "overdue_days>=60",
                   "--where", "REGION=county")  # fmt: skip
    assert done.returncode == 0, done.stderr
    with out.open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == 120
    assert set(found[0]) == set(HEADER) - {"ID"}
    assert {r["SEX"] for r in found} == {"2"}
    assert {r["REGION"] for r in found} == {"county"}
    assert min(int(r["MONTHS"]) for r in found) >= 2


def test_nothing_in_the_model_that_may_be_given_away_is_a_row(model: Path) -> None:
    shared = b"".join(p.read_bytes() for p in model.iterdir() if p.is_file())
    for row in rows(600):
        assert f"{row[1]},{row[2]}".encode() not in shared
        assert row[0].encode() not in shared


def test_no_amount_of_the_table_stands_in_the_model(model: Path) -> None:
    amounts = {float(row[place]) for row in rows(600) for place in (1, 2)}
    packed = json.loads(lzma.decompress((model / "copula.json.xz").read_bytes()))
    document = json.loads((model / "model.json").read_text())
    stored = [
        *(value for kind in packed["kinds"] for margin in kind["margins"][:1] + kind["margins"][4:5]
          for end in ("low", "high") for value in margin[end]),
        *document["strata"]["cuts"][2],
    ]  # fmt: skip
    assert len(stored) > 50
    # Halfway between two people may by chance be a third one's amount: one is, here.
    assert len(amounts & {round(value, 6) for value in stored}) <= 2


def test_a_model_without_its_fingerprints_is_refused_unless_the_table_is_brought(
    tmp_path: Path,
) -> None:
    out = fitted(tmp_path)
    (out / "private" / "rows.npy").unlink()
    words = ("debtors", "sample", str(out), "-n", "20", "--out", str(tmp_path / "p.jsonl"))
    refused = arrears(*words)
    assert refused.returncode == 2
    assert "--against TABLE" in refused.stderr
    for more in (("--against", str(tmp_path / "accounts.csv")), ("--force",)):
        assert arrears(*words, *more).returncode == 0


def test_a_model_that_repeats_people_is_refused_unless_forced(tmp_path: Path) -> None:
    out = fitted(tmp_path, "--method", "gaussian")
    document = json.loads((out / "model.json").read_text())
    (out / "model.json").write_text(json.dumps({**document, "copies_rows": True}))
    words = ("debtors", "sample", str(out), "-n", "20", "--out", str(tmp_path / "p.jsonl"))
    refused = arrears(*words)
    assert refused.returncode == 2
    assert "more often than chance" in refused.stderr
    assert not (tmp_path / "p.jsonl").exists()
    assert arrears(*words, "--force").returncode == 0


def test_gaussian_keeps_one_candidate_for_each_real_row_and_no_more(tmp_path: Path) -> None:
    out = fitted(tmp_path, "--method", "gaussian")
    _sampled(out, tmp_path / "p.jsonl", "-n", "250")
    done = arrears("debtors", "sample", str(out), "-n", "400", "--out", str(tmp_path / "q.jsonl"))
    assert done.returncode == 2
    assert "the model's pool has" in done.stderr


def test_ctgan_learns_and_samples(tmp_path: Path) -> None:
    pytest.importorskip("ctgan", reason="ctgan (BUSL-1.1) is an extra of its own")
    from arrears.synthesis.records.gan import fit_ctgan

    whole = table(tmp_path, 400)
    holed = whole.data.copy()
    holed[::4, whole.places["SCORE"]] = np.nan
    pool = fit_ctgan(Table(whole.columns, holed), rng_for(1, "t"), 500, epochs=2)
    assert pool.data.shape == (500, len(whole.columns))
    sex = pool.data[:, whole.places["sex"]]
    assert set(np.unique(sex)) <= {0.0, 1.0}
    assert np.isnan(pool.data[:, whole.places["SCORE"]]).any()
    months = pool.data[:, whole.places["overdue_days"]]
    assert (months == np.round(months)).all()
    again = fit_ctgan(Table(whole.columns, holed), rng_for(1, "t"), 500, epochs=2)
    np.testing.assert_array_equal(again.data, pool.data)


@pytest.mark.skipif("ARREARS_DATA" not in os.environ, reason="ARREARS_DATA is not set")
def test_the_default_method_keeps_its_limits_on_real_accounts(tmp_path: Path) -> None:
    from benchmarks.records import MAPPING as UCI

    (tmp_path / "uci.toml").write_text(UCI)
    source = Path(os.environ["ARREARS_DATA"]) / "uci-credit" / "UCI_Credit_Card.csv"
    done = arrears("debtors", "fit", str(source), "--map", str(tmp_path / "uci.toml"),
                   "--out", str(tmp_path / "m"), "--rows", "4000", "--holdout", "4000", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    findings = {f["name"]: f for f in json.loads(done.stdout)["findings"]}
    assert findings["mean KS"]["value"] <= 0.10
    assert findings["correlations"]["value"] <= 0.05
    assert findings["copies"]["value"] == 0
    for name in ("DCR 5 %", "DCR median", "NNDR 5 %", "membership AUC", "… of the unusual",
                 "… by the account"):  # fmt: skip
        assert findings[name]["met"], findings[name]
