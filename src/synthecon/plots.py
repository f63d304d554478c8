"""One look for all figures: direct labels, units on axes, colours that colour-blind readers tell
apart (Okabe and Ito), a light card that also reads on a dark page."""

from __future__ import annotations

from collections.abc import Sequence

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
        ax.annotate(
            name,
            (x, place - down),
            xytext=(shift, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
        )


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Markdown:
    """A Markdown table for the notebook and the site; first column left, the others right."""
    lines = [
        "| " + " | ".join(header) + " |",
        "|:--|" + "--:|" * (len(header) - 1),
        *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows),
    ]
    return Markdown("\n".join(lines))
