"""One look for all figures: direct labels, units on axes, colours that colour-blind readers tell
apart (Okabe and Ito), a light card that also reads on a dark page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from IPython.display import Markdown
from matplotlib.axes import Axes

INK, MUTED, GRID, CARD = "#1b1f24", "#5b6570", "#e3e7eb", "#ffffff"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072B2",
    "#D55E00",
    "#00795a",
    "#b3261e",
    "#8a4f7d",
    "#2f8fc4",
)
SMALL = 92  # dots an inch for a notebook of many figures, so that its file stays small


def style() -> None:
    """Set matplotlib up; call it once, in the first cell of a notebook."""
    mpl.rcParams.update(
        {
            "figure.figsize": (7.6, 4.0),
            "figure.dpi": 130,
            "figure.facecolor": CARD,
            "axes.facecolor": CARD,
            "savefig.facecolor": CARD,
            "font.family": "DejaVu Sans",  # ships with matplotlib: the same bytes everywhere
            "font.size": 10,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": MUTED,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlepad": 12,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": GRID,
            "axes.axisbelow": True,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "lines.linewidth": 2,
            "figure.constrained_layout.use": True,
        }
    )


def beside(
    ax: Axes,
    name: str,
    at: tuple[float, float],
    offset: tuple[float, float],
    colour: str,
    **look: Any,
) -> None:
    """Write a name in bold beside a point, `offset` points away, on the side it is moved to.

    look: of the text, as matplotlib names it, where it is to be another.
    """
    side = "left" if offset[0] > 0 else "right" if offset[0] < 0 else "center"
    usual = {"ha": side, "va": "center", "color": colour, "fontweight": "bold"}
    ax.annotate(name, at, xytext=offset, textcoords="offset points", **usual | look)


def range_row(ax: Axes, y: float, ends: tuple[float, float, float], name: str, colour: str) -> None:
    """A row of a table of ranges: a pale bar from low to high, a diamond at the base case, and its
    name above.  ends: low, base, high."""
    low, base, high = ends
    ax.plot([low, high], [y, y], color=colour, lw=6, alpha=0.35, solid_capstyle="butt")
    ax.plot(base, y, "D", color=colour, ms=7)
    beside(ax, name, (base, y), (0, 9), colour, va="baseline")


def label_ends(
    ax: Axes, ends: Sequence[tuple[float, float, str, str]], gap: float, shift: float = 6
) -> None:
    """Write each line's name at its end (x, y, name, colour), at least `gap` data units apart."""
    ends = sorted(ends, key=lambda end: end[1])
    places: list[float] = []
    for _, y, *_ in ends:
        places.append(max(y, places[-1] + gap) if places else y)
    # Pushing apart moves labels up only: share the shift between up and down.
    down = sum(p - end[1] for p, end in zip(places, ends, strict=True)) / max(1, len(ends))
    for place, (x, _, name, colour) in zip(places, ends, strict=True):
        beside(ax, name, (x, place - down), (shift, 0), colour, annotation_clip=False)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Markdown:
    """A Markdown table for the notebook and the site; first column left, the others right."""
    lines = [
        "| " + " | ".join(header) + " |",
        "|:--|" + "--:|" * (len(header) - 1),
        *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows),
    ]
    return Markdown("\n".join(lines))
