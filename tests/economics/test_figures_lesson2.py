"""What the figures draw is what they were given, and says so in words."""

from __future__ import annotations

import io
from datetime import date

import matplotlib.pyplot as plt
import numpy as np
import pytest

from synthecon import plots
from synthecon.economics import figures_lesson2 as figures
from synthecon.economics import ledger


@pytest.fixture(autouse=True)
def _styled():
    with plt.rc_context():
        plots.style()
        yield
        plt.close("all")


def drawn():
    """The axes of the one open figure, and the texts on it, each of which must be on the canvas."""
    assert len(plt.get_fignums()) == 1
    figure = plt.gcf()
    figure.savefig(io.BytesIO(), dpi=40)
    [ax] = figure.axes
    texts = [t for t in ax.texts if t.get_text()]
    box = figure.bbox
    for text in texts:
        at = text.get_window_extent()
        assert box.x0 - 2 <= at.x0 and at.x1 <= box.x1 + 2, f"clipped: {text.get_text()!r}"
        assert box.y0 - 2 <= at.y0 and at.y1 <= box.y1 + 2, f"clipped: {text.get_text()!r}"
    assert ax.get_xlabel()
    return ax, {t.get_text().replace("\n", " ") for t in texts}


def widths(ax) -> list[float]:
    return [p.get_width() for p in ax.patches]


def lines(ax) -> list[tuple[list[float], list[float]]]:
    return [
        (list(map(float, x)), list(map(float, y))) for x, y in (ln.get_data() for ln in ax.lines)
    ]


# Scale of money


@pytest.mark.parametrize(
    ("largest", "unit", "text"),
    [
        (25_300_000, "million USD", "+25.3"),
        (-250_000_000, "million USD", "−250"),
        (9_400_000, "thousand USD", "+9,400"),
        (-41_600, "thousand USD", "−41.6"),
        (0, "thousand USD", "0.0"),
    ],
)
def test_money_is_in_thousands_or_millions(largest, unit, text):
    show = figures.scale([largest, 0], "USD")
    assert (show.unit, show.text(largest, "+").lstrip("+")) == (unit, text.lstrip("+"))


# Cumulative cash

CASH = [0.0, -80_000.0, -120_000.0, -40_000.0, 10_000.0, 90_000.0, 200_000.0]


def test_the_j_curve_marks_depth_and_payback():
    low, high = [x * 0.5 - 30_000 for x in CASH], [x * 1.4 for x in CASH]
    figures.j_curve(CASH, np.minimum(CASH, low), np.maximum(CASH, high), "USD")
    ax, texts = drawn()
    months, cash = lines(ax)[0]
    assert months == list(range(7)) and cash == [x / 1000 for x in CASH]
    assert ([2.0], [-120.0]) in lines(ax) and ([4.0], [10.0]) in lines(ax)
    band = ax.collections[0].get_paths()[0].vertices
    assert {70.0, 280.0} <= set(np.round(band[band[:, 0] == 6, 1], 6))
    assert {
        "● deepest: −120 in month 2",
        "● paid back in month 4",
        "base case +200",
        "95% below +280",
        "5% below +70",
    } <= texts
    assert ax.get_ylabel() == "cumulative cash, thousand USD"


@pytest.mark.parametrize(
    ("cash", "told"),
    [
        ([0, -10e3, 5e3, -2e3, 4e3], "● paid back in month 4"),  # it fell back once
        ([0, -10e3, -20e3, -21e3, -19e3], "not paid back in the period"),
        ([0, -10e3, *range(1000, 30_000, 1000)], "● paid back in month 2"),
        ([0, 1e3, 2e3, 3e3, 4e3], None),  # nothing to pay back
    ],
)
def test_paid_back_is_for_good(cash, told):
    figures.j_curve(cash, cash, cash, "EUR", level=0.8)
    _, texts = drawn()
    assert {t for t in texts if "paid" in t} == ({told} if told else set())
    assert any(t.startswith("90% below") for t in texts)
    assert ("never below zero" in texts) == (told is None)


# Cost by category


def test_the_stack_adds_up_and_opportunity_stands_apart():
    quo = {"CapEx": 180e3, "OpEx": 4.2e6, "People": 3.1e6, "Opportunity": 900e3}
    new = {"CapEx": 640e3, "OpEx": 2.5e6, "People": 2.9e6, "Opportunity": 310e3}
    figures.cost_stack({"status quo": quo, "pipeline": new}, "USD")
    ax, texts = drawn()
    assert widths(ax) == [180, 4200, 3100, 640, 2500, 2900, 900, 310]
    assert [p.get_x() for p in ax.patches] == [0, 180, 4380, 0, 640, 3140, 0, 0]
    assert [bool(p.get_hatch()) for p in ax.patches] == [False] * 6 + [True] * 2
    assert {"CapEx 180", "OpEx 4,200", "People 3,100", "7,480", "6,040", "900", "310"} <= texts
    names = [t.get_text().replace("\n", " ") for t in ax.get_yticklabels()]
    assert names == [
        "status quo",
        "pipeline",
        "status quo: opportunity, not cash",
        "pipeline: opportunity, not cash",
    ]


def test_a_label_is_inside_only_where_there_is_room():
    figures.cost_stack({"a": {"CapEx": 1e6, "OpEx": 42e6, "People": 0.9e6}}, "EUR")
    ax, _ = drawn()
    renderer = ax.figure.canvas.get_renderer()
    for text in ax.texts:
        for bar in ax.patches:
            cut, at = bar.get_window_extent(renderer), text.get_window_extent(renderer)
            inside = cut.x0 <= at.x0 and at.x1 <= cut.x1
            assert inside or not cut.overlaps(at), text.get_text()
    boxes = [t.get_window_extent(renderer) for t in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("costs", [{"Opex": 1.0}, {"OpEx": -1.0}])
def test_what_cannot_be_stacked_is_refused(costs):
    with pytest.raises(ValueError, match=r"status quo: Op[eE]x = -?1"):
        figures.cost_stack({"status quo": costs}, "USD")


# Distribution


def test_the_distribution_splits_at_zero():
    values = np.linspace(-300e3, 700e3, 100_001)
    figures.npv_distribution(values, "USD")
    ax, texts = drawn()
    edges = np.array([p.get_x() for p in ax.patches])
    heights = np.array([p.get_height() for p in ax.patches])
    assert sum(heights) == pytest.approx(
        99, abs=1.7
    )  # the tails are off the axis, by a bar at most
    loses = edges < -1e-9
    assert sum(heights[loses]) == pytest.approx(29.5, abs=1.7)
    colours = {tuple(p.get_facecolor()[:3]) for p in np.array(ax.patches)[loses]}
    assert len(colours) == 1 and not colours & {
        tuple(p.get_facecolor()[:3]) for p in np.array(ax.patches)[~loses]
    }
    assert {
        "does not pay in 30% of scenarios",
        "pays in 70%",
        "5% below −250",
        "median +200",
        "95% below +650",
    } <= texts
    dashed = [x[0] for x, _ in lines(ax)[1:]]
    assert dashed == pytest.approx([-250, 200, 650])


def test_rare_is_not_never():
    figures.npv_distribution(np.append(np.full(999, 5e3), -1e3), "USD")
    assert {"does not pay in <1% of scenarios", "pays in >99%"} <= drawn()[1]
    plt.close("all")
    figures.npv_distribution(np.linspace(1e3, 5e3, 99), "USD")
    assert {"does not pay in 0% of scenarios", "pays in 100%"} <= drawn()[1]


# Tornado


def test_the_tornado_labels_both_ends_with_the_assumption():
    bars = [
        figures.Bar("transfer.a", "", ("20%", "70%"), (-310e3, 840e3)),
        figures.Bar("price.b", "USD/GPU-hour", ("2.59", "7.91"), (620e3, 60e3)),
        figures.Bar("odd.c", "hours", ("1", "9"), (360e3, 420e3)),  # both ends above base
    ]
    figures.tornado(bars, 350e3, "USD")
    ax, texts = drawn()
    spans = sorted((round(p.get_y() + 0.28), p.get_width()) for p in ax.patches)
    assert spans == [(0, -660), (0, 490), (1, -290), (1, 270), (2, 10), (2, 70)]
    assert all(p.get_x() == 350 for p in ax.patches)
    assert {"base case +350", "assumption at its low end", "at its high end"} <= texts
    colour = {t.get_text(): t.get_color() for t in ax.texts}
    side = {t.get_text(): t.get_ha() for t in ax.texts}
    assert [colour[t] for t in ("20%", "2.59", "1")] == [figures.AT_LOW] * 3
    assert [colour[t] for t in ("70%", "7.91", "9")] == [figures.AT_HIGH] * 3
    assert [side[t] for t in ("20%", "70%", "2.59", "7.91")] == ["right", "left", "left", "right"]
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert names == ["transfer.a", "price.b\nUSD/GPU-hour", "odd.c\nhours"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row on top


@pytest.mark.parametrize(
    ("unit", "numbers", "expected"),
    [("share", (0.2, 0.4, 0.7), ("", "20%", "70%")),
     ("1/year", (-0.12, -0.05, 0.02), ("a year", "−12%", "2%")),
     ("USD/GPU-hour", (2.59, 3.5, 7.912), ("USD/GPU-hour", "2.59", "7.91"))],
)  # fmt: skip
def test_a_bar_of_a_ledger_row(unit, numbers, expected):
    names = ledger.Row.__dataclass_fields__
    low, base, high = numbers
    given = dict.fromkeys(names, "") | {"id": "x.y", "unit": unit, "as_of": date(2026, 1, 31)}
    row = ledger.Row(**given | {"low": low, "base": base, "high": high})
    bar = figures.bar(row, -1.0, 2.0)
    assert (bar.id, bar.unit, *bar.ends, bar.results) == ("x.y", *expected, (-1.0, 2.0))


# Sobol indices


def test_sobol_bars_are_in_percent():
    figures.sobol({"transfer.a": (0.48, 0.55), "cloud-prices": (-0.004, 0.21)})
    ax, texts = drawn()
    assert widths(ax) == pytest.approx([48, 55, -0.4, 21])
    assert {"48", "55", "0", "21", "by itself (first order)"} <= texts
    assert [t.get_text() for t in ax.get_yticklabels()] == ["transfer.a", "cloud-prices"]
    assert "variance of the NPV, %" in ax.get_xlabel()


# One assumption

X = np.linspace(0.2, 0.7, 11)


@pytest.mark.parametrize(
    ("slope", "even", "told"),
    [
        (2e6, 0.31, {"break-even 31%", "pays above 31%", "◆ base case 40%: +180"}),
        (2e6, 0.66, {"break-even 66%", "pays above 66%", "◆ base case 40%: −520"}),
        (-2e6, 0.31, {"break-even 31%", "pays below 31%", "◆ base case 40%: −180"}),
        (-2e6, 0.69, {"break-even 69%", "pays below 69%", "◆ base case 40%: +580"}),
    ],
)
def test_the_break_even_is_marked_beside_the_line(slope, even, told):
    npv = slope * (X - even)
    at = slope * (0.4 - even)
    figures.against(X, npv, (0.4, at), "share", "USD", break_even=even, form=",.0%")
    ax, texts = drawn()
    xs, ys = lines(ax)[0]
    assert xs == list(X) and ys == list(npv / 1000)
    assert ([even], [0.0]) in lines(ax) and ([0.4], [at / 1000]) in lines(ax)
    assert told <= texts
    # No label lies on the line.
    [label] = [t for t in ax.texts if t.get_text().startswith("break-even")]
    box = label.get_window_extent()
    dots = ax.transData.transform(np.c_[np.linspace(0.2, 0.7, 400), slope / 1000 *
                                        (np.linspace(0.2, 0.7, 400) - even)])  # fmt: skip
    assert not any(box.contains(x, y) for x, y in dots)
    assert box.y0 >= ax.bbox.y0


@pytest.mark.parametrize(("sign", "word"), [(1, "pays"), (-1, "does not pay")])
def test_without_a_break_even_it_says_so(sign, word):
    npv = sign * (5e5 + 1e5 * X)
    figures.against(X, npv, (0.4, float(sign * 5.4e5)), "share", "USD", break_even=None,
                    form=lambda v: f"{v:.1f}", band=(npv - 1e4, npv + 2e4))  # fmt: skip
    ax, texts = drawn()
    assert f"{word} over the whole range" in texts
    assert not any("even" in t for t in texts)
    low, high = ax.get_ylim()
    assert low < 0 < high  # zero stays on the axis, or the figure would hide how far it is
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(min(npv - 1e4) / 1e3)
    assert band.max() == pytest.approx(max(npv + 2e4) / 1e3)
