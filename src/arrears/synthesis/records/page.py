"""The evidence as one html file."""

from importlib import resources
from pathlib import Path
from typing import Final

import arrears
from arrears.files import replace_file
from arrears.synthesis.records.evidence import Evidence, Finding
from arrears.synthesis.records.model import ModelDocument
from arrears.synthesis.records.pictures import margins, matrices, nearness, plane
from arrears.synthesis.records.synthesizer import METHODS
from arrears.synthesis.records.table import Table

_DIGITS: Final = 3


def write_page(
    path: Path, document: ModelDocument, found: Evidence, made: Table, holdout: Table
) -> None:
    """Write one self-contained file. StorageError."""
    # Needed where a report is written, and only there.
    import jinja2

    here = resources.files("arrears.synthesis.records")
    css = (resources.files("arrears.bench") / "report.css").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((here / "page.html").read_text(encoding="utf-8"))
    text = template.render(
        version=arrears.__version__,
        css=css,
        document=document,
        method=METHODS[document.method],
        found=found,
        verdicts=[verdict_of(f) for f in found.findings],
        columns=[
            (name, f"{value:.3f}", f"{found.floor.marginals[name]:.3f}")
            for name, value in found.quality.marginals.items()
        ],
        plane=plane(found),
        margins=margins(made, holdout),
        matrices=matrices(found, holdout.columns),
        nearness=nearness(found),
    )
    replace_file(path, lambda file: file.write(text.encode()))


def verdict_of(finding: Finding) -> tuple[str, str, str, str, str, str]:
    """Name, value, what real rows have, limit, verdict, meaning: as words."""
    whole = isinstance(finding.value, int)

    def show(value: float | None) -> str:
        if value is None or value != value:
            return "–"
        return f"{value:,.0f}" if whole else f"{value:.{_DIGITS}f}"

    sign = "≥" if finding.at_least else "≤"
    limit = "" if finding.limit is None else f"{sign} {show(finding.limit)}"
    verdict = {None: "", True: "kept", False: "not kept"}[finding.met]
    return finding.name, show(finding.value), show(finding.real), limit, verdict, finding.meaning
