"""The published tables follow from their own columns under the readings of docs/domain.md."""

import pytest

from arrears.errors import UnknownName
from arrears.scoring.dcn import (
    comprehensive_collection_index,
    creditor_recovery_index,
    debtor_health_index,
)
from arrears.scoring.published import published_table

TABLE_2 = published_table("dcn_table_2").rows
# Rows whose print does not follow from their own columns, and by how much.
OFF = {"GPT-4o-mini": 0.0106, "Deepseek-V3": 0.0036, "Human": 0.0046}


def test_dcn_table_2_has_fifteen_rows() -> None:
    assert len(TABLE_2) == 15


@pytest.mark.parametrize("name", TABLE_2)
def test_dhi_follows_from_its_columns(name: str) -> None:
    row = TABLE_2[name]
    dhi = debtor_health_index(row["L1D"], row["L2D"], row["ATV"])
    assert dhi == pytest.approx(row["DHI"], abs=0.0006)


@pytest.mark.parametrize("name", TABLE_2)
def test_cri_follows_from_its_columns(name: str) -> None:
    row = TABLE_2[name]
    cri = creditor_recovery_index(row["SR"], row["RR"], row["QRD"], row["HRD"], row["CD"])
    assert cri == pytest.approx(row["CRI"], abs=OFF.get(name, 0.0006))


@pytest.mark.parametrize("name", OFF)
def test_three_rows_are_off_as_it_is_written(name: str) -> None:
    """They are off, not merely allowed to be."""
    row = TABLE_2[name]
    cri = creditor_recovery_index(row["SR"], row["RR"], row["QRD"], row["HRD"], row["CD"])
    assert abs(cri - row["CRI"]) > OFF[name] - 0.0012


@pytest.mark.parametrize("name", TABLE_2)
def test_cci_follows_from_printed_cri_and_dhi(name: str) -> None:
    row = TABLE_2[name]
    cci = comprehensive_collection_index(row["CRI"], row["DHI"])
    assert cci == pytest.approx(row["CCI"], abs=0.001)


@pytest.mark.parametrize("name", published_table("dcn_table_3").rows)
def test_table_3_follows_too(name: str) -> None:
    row = published_table("dcn_table_3").rows[name]
    cci = comprehensive_collection_index(row["CRI"], row["DHI"])
    assert cci == pytest.approx(row["CCI"], abs=0.001)


def test_as_printed_is_another_reading_and_does_not_reproduce_the_table() -> None:
    row = TABLE_2["GPT-4o"]
    dhi = debtor_health_index(row["L1D"], row["L2D"], row["ATV"], reading="as_printed")
    assert dhi == pytest.approx(row["DHI"] + 0.3 * (30 - row["L1D"]) / 30, abs=0.0006)
    cci = comprehensive_collection_index(row["CRI"], row["DHI"], reading="as_printed")
    assert cci == pytest.approx(row["CCI"] * 8 / 5, abs=0.002)


@pytest.mark.parametrize(
    ("CRI", "DHI"), [(0.8, -0.2), (0.8, -5.0), (-0.1, 0.5), (0.8, 0.0), (0.0, 0.5), (-1.0, -1.0)]
)
def test_ruin_never_looks_good(CRI: float, DHI: float) -> None:
    """The formula alone is singular at CRI + 4·DHI = 0 and positive again far below."""
    assert comprehensive_collection_index(CRI, DHI) == 0.0


def test_shares_are_fractions_and_all_tables_are_there() -> None:
    debtbench = published_table("debtbench_table_2").rows
    assert len(debtbench) == 16
    assert debtbench["DebtGPT-8B"]["SR"] == 0.841
    by_category = published_table("debtbench_table_3").rows
    assert by_category["confrontational"]["US"] == 6.13
    assert published_table("debtbench_table_5").rows["without simulation"]["CR"] == 0.6543
    with pytest.raises(UnknownName, match="dcn_table_2"):
        published_table("dcn_table_9")
