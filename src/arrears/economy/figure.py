"""The picture of DCN's Figure 2: assets and remaining debt over two years, plan beside plan."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from arrears.economy.position import Money
from arrears.economy.projection import FLOOR, HORIZON, TIERS, project
from arrears.economy.trajectory import trajectory
from arrears.errors import UsageError, cannot_write
from arrears.terms import DEFAULT_FEES, Terms, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# From strained to comfortable; pale, so that the two lines carry the picture.
_TIER_COLOURS = ("#f3cfc6", "#f8e3cb", "#f7f2d6", "#e0eed9", "#cfe5dd")
_ASSETS, _DEBT, _FAILED, _INK, _QUIET = "#1d4e89", "#b5502f", "#9b1c31", "#22272e", "#6b7280"
FORMATS = (".png", ".svg", ".pdf")


def draw_plans(
    money: Money, plans: Sequence[Terms], fees: Mapping[int, int] = DEFAULT_FEES, title: str = ""
) -> "Figure":
    """One panel a plan, left to right on common axes: days 0 … 730 against yuan.

    The background shows the five asset tiers. UsageError where there is no plan.
    """
    # Heavy, and without pyplot: no global state and no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not plans:
        raise UsageError("nothing to draw: give at least one plan")
    width = 1.1 + max(5.0, 3.9 * len(plans))
    figure = Figure(figsize=(width, 4.6), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(plans), sharey=True, squeeze=False)[0]
    low, high = _limits(money, plans, fees)
    for panel, terms in zip(panels, plans, strict=True):
        _bands(panel, low, high)
        _lines(panel, money, terms, fees)
        _caption(panel, money, terms, fees)
        _axes(panel, low, high)
    panels[0].set_ylabel("yuan", color=_QUIET)
    _tier_names(panels[-1], low, high)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        labelcolor=_INK,
    )
    if title:
        figure.suptitle(title, x=0.012, ha="left", color=_INK, fontsize=12.5, fontweight="bold")
    return figure


def save_plans(
    path: Path,
    money: Money,
    plans: Sequence[Terms],
    fees: Mapping[int, int] = DEFAULT_FEES,
    title: str = "",
) -> Path:
    """Draw the plans into a .png, .svg or .pdf file; the same call writes the same bytes.

    UsageError for another ending, StorageError where the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"cannot draw into {path.name!r}; endings: {', '.join(FORMATS)}")
    # The date and a random id would make two equal pictures differ.
    from matplotlib import rc_context

    stamp = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower())
    try:
        with rc_context({"svg.hashsalt": "arrears"}):
            draw_plans(money, plans, fees, title).savefig(path, dpi=150, metadata=stamp)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def _limits(money: Money, plans: Sequence[Terms], fees: Mapping[int, int]) -> tuple[float, float]:
    """Both ends of the common money axis, yuan; zero and the whole debt are always on it."""
    paths = [trajectory(money, terms, fees) for terms in plans]
    lowest = min(0, *(int(path.assets.min()) for path in paths)) / 100
    highest = max(money.need_coll_amt, *(int(path.assets.max()) for path in paths)) / 100
    room = 0.06 * (highest - lowest)
    return lowest - (room if lowest < 0 else 0.5 * room), highest + room


def _bands(panel: Any, low: float, high: float) -> None:
    edges = [low, *(t / 100 for t in TIERS if t / 100 < high), high]
    for i in range(len(edges) - 1):
        panel.axhspan(edges[i], edges[i + 1], color=_TIER_COLOURS[i], lw=0, zorder=0)
    panel.axhline(FLOOR / 100, color=_FAILED, lw=0.9, ls=(0, (1, 2)), zorder=1)


def _lines(panel: Any, money: Money, terms: Terms, fees: Mapping[int, int]) -> None:
    days = np.arange(HORIZON + 1)
    assets, remaining = (f / 100 for f in trajectory(money, terms, fees))
    panel.plot(days, remaining, color=_DEBT, lw=1.6, drawstyle="steps-post", label="remaining debt")
    panel.plot(days, assets, color=_ASSETS, lw=1.9, label="assets")
    failed = np.flatnonzero(assets <= FLOOR / 100)
    panel.plot(
        days[failed],
        assets[failed],
        color=_FAILED,
        lw=0,
        marker="o",
        ms=2.0,
        label="500 or less: the plan fails",
    )


def _caption(panel: Any, money: Money, terms: Terms, fees: Mapping[int, int]) -> None:
    p = project(money, terms, fees)
    verdict = f"kept, {p.recovery:.0%} recovered" if p.success else "fails"
    panel.set_title(
        f"{terms.inst_prds} months · {verdict}",
        loc="left",
        color=_INK if p.success else _FAILED,
        fontsize=11,
        fontweight="bold",
        pad=20,
    )
    rest = (
        f"{written('pmt_ratio', terms.pmt_ratio)} on day {terms.pmt_days}, "
        f"discount {written('disc_ratio', terms.disc_ratio)} · half repaid day {p.hrd}, "
        f"all day {p.cd}"
    )
    panel.text(0, 1.025, rest, transform=panel.transAxes, color=_QUIET, fontsize=8)


def _axes(panel: Any, low: float, high: float) -> None:
    panel.set_xlim(0, HORIZON)
    panel.set_ylim(low, high)
    panel.set_xticks([0, 180, 365, 545, 720])
    panel.set_xlabel("day", color=_QUIET)
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    panel.tick_params(colors=_QUIET, length=0, labelsize=8.5)
    for spine in panel.spines.values():
        spine.set_visible(False)


def _tier_names(panel: Any, low: float, high: float) -> None:
    """Names at the right edge; a band too thin for its letters goes without."""
    edges = [low, *(t / 100 for t in TIERS if t / 100 < high), high]
    for i in range(len(edges) - 1):
        if edges[i + 1] - edges[i] > 0.035 * (high - low):
            panel.annotate(
                f"tier {i + 1}",
                (1.015, (edges[i] + edges[i + 1]) / 2),
                xycoords=("axes fraction", "data"),
                color=_QUIET,
                fontsize=8,
                va="center",
            )
