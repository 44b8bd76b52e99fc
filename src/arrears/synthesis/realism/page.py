"""The page of an analysis: one html file with everything in it."""

from importlib import resources
from pathlib import Path

import arrears
from arrears.files import replace_file
from arrears.synthesis.realism.analysis import Analysis, figures_of, notes_of, tables_of


def write_page(found: Analysis, out: Path, seed: int = 1) -> None:
    """One self-contained file in the look of a run's report. StorageError where it cannot be
    written; UsageError where an extra is missing.
    """
    # Needed where a page is written, and only there.
    import jinja2
    from markupsafe import Markup

    template = resources.files("arrears.synthesis.realism") / "analyse.html"
    css = (resources.files("arrears.bench") / "report.css").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    money, *talks = tables_of(found)
    names = list(found.populations)
    text = environment.from_string(template.read_text(encoding="utf-8")).render(
        version=arrears.__version__,
        css=Markup(css),
        title=" beside ".join(names),
        lead=_lead(found),
        notes=notes_of(found),
        legend=[(f"c{at}", name) for at, name in enumerate(names)] if len(names) > 1 else [],
        figures=figures_of(found, seed),
        money=money,
        talks=talks,
    )
    replace_file(out, lambda file: file.write(text.encode()))


def _lead(found: Analysis) -> str:
    people = sum(map(len, found.populations.values()))
    text = f"{people:,} debtors: who they are, what they feel and understand, how they speak."
    talks = sum(map(len, found.talks.values()))
    return text + (f" {talks:,} talks: how varied they are." if talks else "")
