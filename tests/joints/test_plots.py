"""Labels stand where a reader looks for them."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import pytest

from synthecon import plots


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


@pytest.mark.parametrize(("x", "side"), [(-9, "right"), (0, "center"), (9, "left")])
def test_a_name_stands_on_the_side_that_it_is_moved_to(ax, x, side):
    plots.beside(ax, "name", (1, 2), (x, 5), plots.BLUE, fontweight="normal")
    (text,) = ax.texts
    assert (text.get_ha(), text.xy, text.xyann) == (side, (1, 2), (x, 5))
    assert (text.get_va(), text.get_fontweight()) == ("center", "normal")


def test_names_of_lines_keep_their_distance_and_their_order(ax):
    ends = [(9.0, y, f"{y}", plots.RED) for y in (5.0, 1.0, 5.2, 5.1)]
    plots.label_ends(ax, ends, gap=1)
    places = {text.get_text(): text.xy[1] for text in ax.texts}
    assert [*places] == ["1.0", "5.0", "5.1", "5.2"]
    heights = [*places.values()]
    apart = [b - a for a, b in pairwise(heights)]
    assert min(apart) == pytest.approx(1)
    assert sum(heights) == pytest.approx(sum(y for _, y, *_ in ends))


def test_a_row_of_a_range_has_its_ends_its_base_case_and_its_name_above(ax):
    plots.range_row(ax, 3, (-2, 1, 7), "+1", plots.GREEN)
    bar, base = ax.lines
    assert [*bar.get_xdata()] == [-2, 7] and {*bar.get_ydata()} == {3}
    assert (*base.get_xydata()[0],) == ax.texts[0].xy == (1, 3) and ax.texts[0].xyann[1] > 0
