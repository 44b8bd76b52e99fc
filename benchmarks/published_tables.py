"""DCN's Table 2 from its own columns: the printed indices beside those that its columns give.

    python -m benchmarks.published_tables

CRI from SR, RR, QRD, HRD, CD; DHI from L1D, L2D, ATV; CCI from the printed CRI and DHI.
"""

from arrears.scoring.dcn import (
    comprehensive_collection_index,
    creditor_recovery_index,
    debtor_health_index,
)
from arrears.scoring.published import published_table


def main() -> None:
    """Print a Markdown table."""
    print("| row | CRI printed | computed | DHI printed | computed | CCI printed | computed |")
    print("|---|---|---|---|---|---|---|")
    for name, row in published_table("dcn_table_2").rows.items():
        cri = creditor_recovery_index(row["SR"], row["RR"], row["QRD"], row["HRD"], row["CD"])
        dhi = debtor_health_index(row["L1D"], row["L2D"], row["ATV"])
        cci = comprehensive_collection_index(row["CRI"], row["DHI"])
        print(
            f"| {name} | {row['CRI']:.3f} | {cri:.4f} | {row['DHI']:.3f} | {dhi:.4f} "
            f"| {row['CCI']:.3f} | {cci:.4f} |"
        )


if __name__ == "__main__":
    main()
