"""The cheapest mix, against every mix there is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthecon.economics import mix

COUNTS = [2, 5, 9, 14]
SYNTHETICS = [0, 10, 40]


@st.composite
def tables(draw):
    """Accuracies in whole points that do not fall with more labels."""
    column = st.lists(st.integers(40, 60), min_size=4, max_size=4)
    columns = [sorted(draw(column)) for _ in SYNTHETICS]
    return [[float(column[r]) for column in columns] for r in range(4)]


def interpolated(column, labels):
    for i in range(3):
        if COUNTS[i] <= labels <= COUNTS[i + 1]:
            share = math.log(labels / COUNTS[i]) / math.log(COUNTS[i + 1] / COUNTS[i])
            return column[i] * (1 - share) + column[i + 1] * share
    raise AssertionError


prices = st.floats(0, 10)


@given(tables(), st.floats(39, 61), prices, st.floats(0, 1), st.floats(0, 50))
def test_no_mix_on_the_menu_is_cheaper(table, target, label, sample, fixed):
    bought = mix.cheapest(
        COUNTS, SYNTHETICS, table, target, label_price=label, sample_price=sample, fixed=fixed
    )
    bills = [
        labels * label + synthetic * sample + (fixed if synthetic else 0)
        for s, synthetic in enumerate(SYNTHETICS)
        for labels in range(COUNTS[0], COUNTS[-1] + 1)
        if interpolated([row[s] for row in table], labels) >= target + 1e-9
    ]
    loose = [
        labels * label + synthetic * sample + (fixed if synthetic else 0)
        for s, synthetic in enumerate(SYNTHETICS)
        for labels in range(COUNTS[0], COUNTS[-1] + 1)
        if interpolated([row[s] for row in table], labels) >= target - 1e-9
    ]
    if bought is None:
        assert not bills
        return
    column = [row[SYNTHETICS.index(bought.synthetic)] for row in table]
    assert interpolated(column, bought.labels) >= target - 1e-9
    assert min(loose) - 1e-9 <= bought.cost <= min(bills, default=math.inf) + 1e-9


@given(tables(), st.floats(39, 61))
def test_one_label_less_would_not_do(table, target):
    column = [row[0] for row in table]
    needed = mix.labels_needed(COUNTS, column, target)
    if needed is None:
        assert column[-1] < target
        return
    assert mix.accuracy_at(COUNTS, column, needed) >= target
    if needed > COUNTS[0]:
        assert mix.accuracy_at(COUNTS, column, needed - 1) < target


def test_by_hand():
    """90 needs 9 labels alone, or 5 beside 10 synthetic images."""
    table = [[50.0, 70], [80, 90], [90, 95], [95, 96]]

    def buy(**given):
        given = {"label_price": 3.0, "sample_price": 0.1} | given
        return mix.cheapest(COUNTS, [0, 10], table, 90, **given)

    assert buy() == mix.Mix(5, 10, 16.0)
    assert buy(fixed=10.9) == mix.Mix(5, 10, 26.9)
    assert buy(fixed=12) == mix.Mix(9, 0, 27.0)  # no generator, no fixed cost
    assert buy(sample_price=1.2) == mix.Mix(9, 0, 27.0), "an equal bill goes to labels"
    assert buy(label_price=0.0, sample_price=0.0) == mix.Mix(9, 0, 0.0)
    assert mix.cheapest(COUNTS, [0, 10], table, 97, label_price=1, sample_price=1) is None


def test_a_building_pays_above_its_share_a_label():
    price = mix.break_even_price(saved=4, synthetic=10, sample_price=0.1, fixed=10.0)
    assert price == pytest.approx(2.75)
    # At exactly this price, the bills of the hand-worked table are equal.
    assert 9 * price == pytest.approx(5 * price + 10 * 0.1 + 10.0)
    assert mix.break_even_price(0, 10, 0.1, 10.0) == math.inf
    assert mix.break_even_price(-3, 10, 0.1, 10.0) == math.inf


def test_sample_price():
    # 1000 images in 7.2 core-seconds, 0.50 an hour: 7.2 / 3600 × 0.50 = 0.001 for the thousand.
    assert mix.sample_price(7.2, 0.5) == pytest.approx(1e-6)
    for wrong in ((-1, 1), (1, -1), (math.inf, 1), (1, math.nan)):
        with pytest.raises(ValueError, match="finite and not negative"):
            mix.sample_price(*wrong)


def test_nothing_is_extrapolated():
    for labels in (1, 15):
        with pytest.raises(ValueError, match="measured were 2 to 14"):
            mix.accuracy_at(COUNTS, [1, 2, 3, 4], labels)
    assert mix.accuracy_at([3], [5.0], 3) == 5.0


@pytest.mark.parametrize(
    ("counts", "accuracy", "told"),
    [
        ([2, 5], [1.0], "2 label counts and 1 accuracies"),
        ([], [], "0 label counts"),
        ([0, 5], [1.0, 2.0], "must rise"),
        ([5, 5], [1.0, 2.0], "must rise"),
        ([2, 5], [2.0, 1.0], "accuracy falls"),
    ],
)
def test_what_is_refused(counts, accuracy, told):
    with pytest.raises(ValueError, match=told):
        mix.labels_needed(counts, accuracy, 1.5)


@pytest.mark.parametrize("wrong", [{"label_price": -1}, {"sample_price": math.nan}, {"fixed": -2}])
def test_a_price_is_a_price(wrong):
    given = {"label_price": 1.0, "sample_price": 1.0} | wrong
    with pytest.raises(ValueError, match="finite and not negative"):
        mix.cheapest([2, 5], [0], [[1.0], [2.0]], 1, **given)
    with pytest.raises(ValueError, match="not 2 × 1"):
        mix.cheapest([2, 5], [0], [[1.0]], 1, label_price=1, sample_price=1)
