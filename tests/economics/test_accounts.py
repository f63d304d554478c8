"""Margins, depreciation, what capitalising does, and break-evens: by hand and by invariant."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthecon.economics import accounts

COST = st.floats(1, 1e7)


def test_margins_by_hand():
    assert accounts.gross_margin(200, 50) == 0.75
    assert accounts.gross_margin(100, 130) == pytest.approx(-0.3)
    assert accounts.contribution_margin(10, 4) == 6
    assert accounts.break_even_units(1200, 10, 4) == 200
    assert accounts.break_even_utilisation(1.2, 3.0) == pytest.approx(0.4)
    assert accounts.break_even_requests(3.5, 0.0007) == pytest.approx(5000)


@given(COST, st.floats(0, 1), st.integers(1, 12))
def test_depreciation_never_goes_below_salvage(cost, share, years):
    salvage = cost * share
    line = accounts.straight_line(cost, salvage, years)
    assert sum(line) == pytest.approx(cost - salvage) and len(set(line)) == 1
    falling = accounts.declining_balance(cost, salvage, years)
    assert all(a >= b - 1e-9 * cost for a, b in itertools.pairwise(falling))
    assert min(falling) >= 0 and sum(falling) <= cost - salvage + 1e-6 * cost


def test_double_declining_is_excels_ddb():
    # =DDB(2400, 300, 10, year): the spreadsheet's own example for years 1, 2 and 10.
    found = accounts.declining_balance(2400, 300, 10)
    assert (found[0], found[1], found[9]) == pytest.approx((480, 384, 22.1225472))


@given(st.lists(COST, min_size=1, max_size=4), st.integers(1, 6), st.floats(0, 0.5))
def test_capitalising_makes_no_cash(spend, life, tax):
    now, later = accounts.expense(spend, tax), accounts.capitalise(spend, life, tax)
    assert sum(y.cash for y in later) == pytest.approx(sum(y.cash for y in now))
    assert sum(y.ebit for y in later) == pytest.approx(sum(y.ebit for y in now))
    assert all(y.ebitda == 0 for y in later) and sum(y.ebitda for y in now) == -sum(spend)
    running = 0.0
    for year, plain in enumerate(now):
        running += later[year].cash - plain.cash
        assert running <= 1e-6 * sum(spend)  # the tax comes back later, never sooner


def test_capitalising_by_hand():
    first, second, third = accounts.capitalise([300], 3, 0.2)
    assert first == accounts.Year(0.0, -100.0, -300 + 20)
    assert second == third == accounts.Year(0.0, -100.0, 20.0)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: accounts.gross_margin(0, 1), "needs revenue"),
        (lambda: accounts.gross_margin(1, -1), "cogs must be finite and not negative"),
        (lambda: accounts.break_even_units(1, 3, 3), "no volume breaks even"),
        (lambda: accounts.break_even_utilisation(1, 0), "never pays"),
        (lambda: accounts.break_even_requests(1, 0), "never pays"),
        (lambda: accounts.straight_line(1, 2, 3), "cannot be"),
        (lambda: accounts.declining_balance(2, 1, 3, 0), "factor must be positive"),
        (lambda: accounts.expense([1], 20), "share from 0 to 1"),
        (lambda: accounts.capitalise([1], 0, 0.2), "at least one year"),
    ],
)
def test_what_cannot_be_is_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
