"""Present values and rates of return, against pyxirr, NumPy and sums by hand."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import numpy as np
import pytest
import pyxirr
from hypothesis import assume, given
from hypothesis import strategies as st

from synthecon.economics import cashflow

MONEY = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 2))
FLOWS = st.lists(MONEY, min_size=1, max_size=40)
RATES = st.floats(-0.5, 1.5)
DAYS = st.lists(st.integers(1, 900), min_size=1, max_size=12)


def test_npv_by_hand_and_excels_way():
    assert cashflow.npv(0.1, [-100, 60, 60.5]) == pytest.approx(-100 + 60 / 1.1 + 60.5 / 1.21)
    assert cashflow.npv(0.1, [-100, 110], excel=True) == pytest.approx(-100 / 1.1 + 110 / 1.21)


@given(RATES, FLOWS)
def test_npv_is_pyxirrs(rate, flows):
    scale = sum(map(abs, flows)) * max(1.0, (1 + rate) ** -len(flows)) + 1
    ours, theirs = cashflow.npv(rate, flows), pyxirr.npv(rate, flows)
    assert ours == pytest.approx(theirs, abs=1e-9 * scale)
    excel = pyxirr.npv(rate, flows, start_from_zero=False)
    assert cashflow.npv(rate, flows, excel=True) == pytest.approx(excel, abs=1e-9 * scale)


@given(RATES, FLOWS, FLOWS, st.floats(-10, 10))
def test_npv_is_linear(rate, a, b, k):
    n = max(len(a), len(b))
    a, b = a + [0.0] * (n - len(a)), b + [0.0] * (n - len(b))
    both = cashflow.npv(rate, [x + k * y for x, y in zip(a, b, strict=True)])
    scale = (sum(map(abs, a)) + 10 * sum(map(abs, b)) + 1) * max(1.0, (1 + rate) ** -n)
    parts = cashflow.npv(rate, a) + k * cashflow.npv(rate, b)
    assert both == pytest.approx(parts, abs=1e-9 * scale)


def test_two_rates_of_return_are_both_reported():
    assert cashflow.irr([-100, 230, -132]) == pytest.approx([0.1, 0.2])
    assert cashflow.irr([-1000, 6000, -11000, 6000]) == pytest.approx([0.0, 1.0, 2.0])
    assert cashflow.irr([100, 10, 1]) == []
    assert cashflow.irr([-100, 220, -121]) == pytest.approx([0.1])  # it only touches zero
    assert cashflow.irr([-100, 0, 0, 0]) == []


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=12))
def test_every_rate_is_a_root_and_none_is_missed(flows):
    assume(any(flows))
    found = cashflow.irr(flows)
    scale = sum(map(abs, flows))
    for rate in found:
        x = 1 / (1 + rate)
        assert abs(sum(f * x**i for i, f in enumerate(flows))) <= 1e-6 * scale * max(1, x) ** len(
            flows
        )
    roots = np.roots(list(reversed(flows)))
    clear = [z.real for z in roots if abs(z.imag) < 1e-12 * abs(z) and z.real > 1e-6]
    # Simple roots only: NumPy splits a double root into a complex pair.
    simple = (
        [x for x in clear if min(abs(x - z) for z in roots if z != x) > 1e-3 * x]
        if len(roots) > 1
        else clear
    )
    for x in simple:
        assert any(1 / (1 + r) == pytest.approx(x, rel=1e-5) for r in found)
    signs = [f > 0 for f in flows if f]
    assert len(found) <= sum(a != b for a, b in itertools.pairwise(signs))


@given(st.floats(10, 1e5), st.lists(st.floats(0, 1e5), min_size=1, max_size=20))
def test_a_plain_investment_has_the_rate_of_pyxirr(outlay, returns):
    assume(sum(returns) > 0.05 * outlay and returns[-1] > 1)
    theirs = pyxirr.irr([-outlay, *returns])
    assume(theirs is not None and theirs < 1e4)
    assert cashflow.irr([-outlay, *returns]) == pytest.approx([theirs], rel=1e-6, abs=1e-8)


@given(RATES, st.lists(MONEY, min_size=13, max_size=13), DAYS)
def test_xnpv_is_pyxirrs(rate, flows, gaps):
    days = [date(2026, 1, 1) + timedelta(int(g)) for g in np.cumsum([0, *gaps])]
    flows = flows[: len(days)]
    scale = sum(map(abs, flows)) * max(1.0, (1 + rate) ** (-(days[-1] - days[0]).days / 365)) + 1
    assert cashflow.xnpv(rate, flows, days) == pytest.approx(
        pyxirr.xnpv(rate, days, flows), abs=1e-9 * scale
    )


def test_xirr_of_the_spreadsheets_example():
    days = [
        date(2008, 1, 1),
        date(2008, 3, 1),
        date(2008, 10, 30),
        date(2009, 2, 15),
        date(2009, 4, 1),
    ]
    flows = [-10_000, 2_750, 4_250, 3_250, 2_750]
    assert cashflow.xirr(flows, days) == pytest.approx(0.373362535, abs=1e-8)
    assert cashflow.xirr(flows, days) == pytest.approx(pyxirr.xirr(days, flows))
    with pytest.raises(ValueError, match="change sign once"):
        cashflow.xirr([-1, 2, -1], days[:3])


@given(st.lists(MONEY, min_size=2, max_size=15), st.floats(0, 0.5), st.floats(0, 0.5))
def test_mirr_is_pyxirrs(flows, finance, reinvest):
    assume(min(flows) < -1 and max(flows) > 1)
    theirs = pyxirr.mirr(flows, finance, reinvest)
    assert cashflow.mirr(flows, finance, reinvest) == pytest.approx(theirs, abs=1e-9)


def test_payback_by_hand():
    assert cashflow.payback([-100, 40, 40, 40]) == pytest.approx(2.5)
    assert cashflow.payback([-100, 40, 40]) is None
    assert cashflow.payback([-100, 150, -80, 60]) == pytest.approx(2.5)  # it fell below again
    assert cashflow.payback([5, 1]) == 0.0
    assert cashflow.payback([-100, 60.5, 60.5], rate=0.1) == pytest.approx(1 + 45 / 50)


@given(st.lists(st.floats(1, 100), min_size=3, max_size=20), st.floats(1, 1000), st.floats(0, 0.4))
def test_payback_is_later_when_more_is_spent_or_time_has_a_price(returns, outlay, rate):
    def periods(*arguments):
        found = cashflow.payback(*arguments)
        return float("inf") if found is None else found

    plain = periods([-outlay, *returns])
    assert periods([-outlay - 1, *returns]) >= plain
    assert periods([-outlay, *returns], rate) >= plain - 1e-9


@given(st.floats(-0.2, 0.5), st.integers(1, 60), st.floats(1, 1e6))
def test_an_annuity_is_worth_its_payments(rate, n, amount):
    payment = cashflow.annuity_payment(amount, rate, n)
    assert cashflow.npv(rate, [0.0] + [payment] * n) == pytest.approx(amount, rel=1e-6)
    if abs(rate) > 1e-3:
        assert payment == pytest.approx(-pyxirr.pmt(rate, n, amount), rel=1e-6)


@given(st.floats(-0.3, 0.6), st.floats(-0.1, 0.3), FLOWS)
def test_real_and_nominal_values_agree(nominal, inflation, flows):
    real = cashflow.real_rate(nominal, inflation)
    assert cashflow.nominal_rate(real, inflation) == pytest.approx(nominal, abs=1e-12)
    deflated = [f / (1 + inflation) ** t for t, f in enumerate(flows)]
    scale = (sum(map(abs, flows)) + 1) * max(1.0, (1 + nominal) ** -len(flows))
    assert cashflow.npv(real, deflated) == pytest.approx(
        cashflow.npv(nominal, flows), abs=1e-8 * scale
    )


def test_rates_by_hand():
    assert cashflow.per_period(0.12, 12) == pytest.approx(1.12 ** (1 / 12) - 1)
    assert cashflow.wacc(600, 400, 0.12, 0.05, 0.25) == pytest.approx(
        0.6 * 0.12 + 0.4 * 0.05 * 0.75
    )
    assert cashflow.terminal_value(103, 0.1, 0.03) == pytest.approx(103 / 0.07)
    assert cashflow.roi(150, 100) == pytest.approx(0.5)


def test_a_terminal_value_is_the_limit_of_its_sum():
    flows = [0.0] + [103 * 1.03**t for t in range(4000)]
    assert cashflow.npv(0.1, flows) == pytest.approx(cashflow.terminal_value(103, 0.1, 0.03))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: cashflow.npv(-1, [1]), "above −1"),
        (lambda: cashflow.npv(0.1, []), "no cash flow"),
        (lambda: cashflow.npv(0.1, [1, float("nan")]), "flow 1 must be finite"),
        (lambda: cashflow.irr([0, 0]), "all zero"),
        (lambda: cashflow.xnpv(0.1, [1], []), "1 flows, but 0 days"),
        (lambda: cashflow.mirr([1, 2], 0.1, 0.1), "one of them negative"),
        (lambda: cashflow.annuity_factor(0.1, 0), "at least one period"),
        (lambda: cashflow.per_period(0.1, 0), "at least one period"),
        (lambda: cashflow.wacc(0, 0, 0.1, 0.1, 0.2), "positive together"),
        (lambda: cashflow.wacc(1, 1, 0.1, 0.1, 25), "share from 0 to 1"),
        (lambda: cashflow.terminal_value(1, 0.03, 0.03), "must be below"),
        (lambda: cashflow.roi(1, 0), "positive cost"),
    ],
)
def test_what_cannot_be_is_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
