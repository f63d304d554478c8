"""Closed forms of build-or-buy and of service levels, against pyxirr, brute force and simulation
by hand."""

from __future__ import annotations

import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from synthecon import paths
from synthecon.economics import accounts, figures_sourcing, formula, ledger, service, sourcing, tco
from synthecon.economics.sourcing import Line, System

MONEY = st.floats(0, 1e6)
LINES = st.lists(st.builds(Line, st.just("x"), MONEY, st.floats(0, 100)), min_size=1, max_size=5)


@pytest.mark.parametrize(("rate", "growth"), [(0.01, 0.0), (0.008, 0.02), (0.01, 0.01), (-0.01, 0)])
def test_a_growing_annuity_is_the_present_value_of_its_payments(rate, growth):
    payments = [0.0, *((1 + growth) ** t for t in range(1, 37))]
    assert sourcing.growing_annuity(rate, growth, 36) == pytest.approx(pyxirr.npv(rate, payments))


def test_a_plan_as_it_is_pitched():
    annuity = sourcing.growing_annuity(0.01, 0, 24)
    found = sourcing.line(
        "x", outlay=500, fixed=10, unit=2, annuity=annuity, unit_annuity=20, unit_outlay=7
    )
    flows = [-500.0, *[-10.0] * 24]
    assert found.fixed == pytest.approx(-pyxirr.npv(0.01, flows))
    assert found.at(3) == pytest.approx(found.fixed + 3 * (2 * 20 + 7))


def test_break_even_by_hand():
    buy, build = Line("buy", 100, 5), Line("build", 1100, 1)
    assert sourcing.break_even_volume(buy, build) == 250
    assert sourcing.break_even_volume(build, buy) == 250
    assert sourcing.break_even_volume(buy, Line("dearer", 200, 6)) is None
    assert sourcing.break_even_volume(buy, Line("as dear a unit", 200, 5)) is None


def test_the_break_even_is_where_a_root_finder_finds_it():
    buy, build = Line("buy", 1234, 56.7), Line("build", 99_999, 8.9)
    root = optimize.brentq(lambda v: buy.at(v) - build.at(v), 0, 1e6)
    assert sourcing.break_even_volume(buy, build) == pytest.approx(root)


@given(LINES, st.floats(0.1, 1e4), st.floats(1.01, 100))
def test_the_envelope_is_the_cheapest_everywhere(lines, low, factor):
    high = low * factor
    steps = sourcing.envelope(lines, low, high)
    assert steps[0][0] == low
    for v in np.linspace(low, high, 41):
        (_, plan) = [s for s in steps if s[0] <= v][-1]
        best = min(x.fixed + x.each * v for x in lines)
        assert plan.at(float(v)) == pytest.approx(best, rel=1e-9, abs=1e-6)
    for (_, a), (_, b) in itertools.pairwise(steps):
        assert a != b


LOADS = st.lists(st.floats(0, 12), min_size=1, max_size=24).filter(lambda x: sum(x) > 0)


@given(LOADS, st.floats(0.01, 2), st.floats(0.5, 2))
def test_no_other_number_of_own_machines_is_cheaper(loads, owned, rented):
    own, share = sourcing.own_machines(loads, owned, rented)
    costs = [sourcing.hybrid_cost(loads, n, owned, rented) for n in range(14)]
    assert costs[own] == pytest.approx(min(costs))
    assert share == pytest.approx(sum(min(x, own) for x in loads) / sum(loads))


def test_the_last_own_machine_is_busier_than_the_break_even():
    loads = [2, 2, 2, 2, 5, 9, 9, 5]
    own, _ = sourcing.own_machines(loads, 0.6, 1.0)
    even = accounts.break_even_utilisation(0.6, 1.0)
    busy = [sum(min(max(x - k, 0), 1) for x in loads) / len(loads) for k in range(10)]
    assert busy[own - 1] > even >= busy[own]
    assert own == 2


@given(st.floats(1, 12))
def test_a_day_has_the_peak_that_is_asked_for_and_one_peak(peak):
    day = sourcing.day(peak)
    assert len(day) == 24 and sum(day) / 24 == pytest.approx(1)
    assert day[0] == max(day) == pytest.approx(peak)
    assert day[1:13] == sorted(day[1:13], reverse=True) and day[1:] == pytest.approx(day[:0:-1])


def test_a_day_is_the_curve_of_von_mises():
    hours = 2 * np.pi * np.arange(24) / 24
    # Over 24 hours the mean of exp(s cos) is the Bessel function I₀(s), to many digits
    peak = np.exp(1.5) / special.iv(0, 1.5)
    wanted = np.exp(1.5 * np.cos(hours)) / special.iv(0, 1.5)
    assert sourcing.day(peak) == pytest.approx(wanted.tolist())


def test_up_to_the_lock_in_price_staying_is_cheaper():
    price = sourcing.lock_in_price(30_000, 90_000, 40_000, 30)
    stay = price * 40_000 * 30
    assert stay == pytest.approx(30_000 * 30 + 90_000)
    assert sourcing.lock_in_price(30_000, 0, 40_000, 30) == 0.75


def test_availability_by_hand():
    assert sourcing.steady(90, 10) == 0.9
    assert sourcing.steady(math.inf, 10) == 1
    plain = System(90, 10, replicas=2)
    assert sourcing.availability(plain) == pytest.approx(service.in_parallel(0.9, 0.9))
    common = System(90, 10, replicas=2, common=0.1)
    alone, together = 100 / 110, 900 / 910
    wanted = service.in_series(service.in_parallel(alone, alone), together)
    assert sourcing.availability(common) == pytest.approx(wanted)


@pytest.mark.parametrize("common", [0.0, 0.3, 1.0])
def test_the_frequency_is_that_of_a_markov_chain(common):
    # States: number of replicas down × common cause; exponential times, solved for its steady state
    mtbf, mttr, n = 50.0, 5.0, 3
    system = System(mtbf, mttr, n, common)
    states = list(itertools.product(range(n + 1), (0, 1)))
    rates = np.zeros((len(states), len(states)))
    for i, (down, cause) in enumerate(states):
        for j, (later, then) in enumerate(states):
            if cause == then and later == down + 1:
                rates[i, j] = (n - down) / system.alone
            elif cause == then and later == down - 1:
                rates[i, j] = down / mttr
            elif later == down and then > cause:
                rates[i, j] = 1 / system.together
            elif later == down and then < cause:
                rates[i, j] = 1 / mttr
    balance = (rates - np.diag(rates.sum(1))).T
    balance[-1] = 1
    steady = np.linalg.solve(balance, [*[0.0] * (len(states) - 1), 1.0])
    up = np.array([down < n and not cause for down, cause in states])
    assert sourcing.availability(system) == pytest.approx(steady[up].sum())
    often = (steady[up, None] * rates[np.ix_(up, ~up)]).sum()
    assert sourcing.outages_per_hour(system) == pytest.approx(often)


@given(st.floats(10, 5000), st.floats(0.1, 50), st.integers(1, 4), st.floats(0, 1))
def test_a_common_cause_never_helps_replicas(mtbf, mttr, replicas, common):
    shared = sourcing.availability(System(mtbf, mttr, replicas, common))
    one = sourcing.availability(System(mtbf, mttr))
    assert shared <= sourcing.availability(System(mtbf, mttr, replicas + 1, common)) + 1e-12
    if replicas > 1 and common == 1:
        assert shared == pytest.approx(one)


def test_the_figure_writes_where_the_cheapest_plan_changes():
    lines = [Line("buy", 100, 5), Line("build", 1100, 1), Line("hybrid", 5000, 0.5)]
    figures_sourcing.volume(lines, 10, 1e5, (100, 200, 400), "USD")
    written = {text.get_text() for text in plt.gca().texts}
    plt.close()
    assert {"250", "7,800", "buy", "build", "hybrid"} <= written


def test_a_zone_of_agreement_needs_worth_above_cost():
    assert sourcing.zone(5, 2) == (2, 5)
    assert sourcing.zone(2, 2) is None and sourcing.zone(1, 2) is None


@pytest.mark.parametrize(("company", "currency"), [("case", "USD"), ("case-tannhof", "EUR")])
def test_the_plans_of_the_cases_are_straight_lines_that_cross_where_the_formula_says(
    company, currency
):
    book = ledger.read_book(paths.root() / company / "ledger.csv")
    plans = ("buy", "build", "hybrid")
    path = paths.root() / company / "sourcing.csv"
    items = tco.read(path, {**book.rows, **book.derived}, currency, 36, plans)
    start = {r.id: r.base for r in book.rows.values()}
    plan = tco.Plan(36, start["finance.wacc"], start["finance.tax"], start["finance.capex-life"])

    def cost(name, volume):
        decisions = volume * start["unit.thousand"] / start["volume.requests-per-decision"]
        values = {**start, "opportunity.decisions": decisions}
        for row in book.derived.values():
            values[row.id] = formula.evaluate(row.formula, values)
        assert values["volume.requests"] == pytest.approx(volume)
        return float(tco.present(tco.after_tax(tco.of(items, name), values, plan), plan.rate))

    each = {p: cost(p, 2.0) - cost(p, 1.0) for p in plans}
    lines = [Line(p, cost(p, 1.0) - each[p], each[p]) for p in plans]
    for line in lines:
        assert line.at(40_000) == pytest.approx(cost(line.name, 40_000.0))
    even = sourcing.break_even_volume(*lines[:2])
    assert cost("buy", even) == pytest.approx(cost("build", even))
    best = [(v, step.name) for v, step in sourcing.envelope(lines, 1, 1e6)]
    assert best[0][1] == "buy" and best[1][0] == pytest.approx(even)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: sourcing.growing_annuity(-1, 0, 3), "rates above"),
        (lambda: sourcing.growing_annuity(0, 0, 0), "and a period"),
        (lambda: sourcing.line("x", outlay=-1, fixed=0, unit=0, annuity=1, unit_annuity=1),
         "outlay must be"),
        (lambda: sourcing.envelope([], 1, 2), "needs a plan"),
        (lambda: sourcing.envelope([Line("x", 1, 1)], 2, 2), "range of volumes"),
        (lambda: sourcing.hybrid_cost([], 1, 1, 1), "at least one hour"),
        (lambda: sourcing.hybrid_cost([-1], 1, 1, 1), "none of them negative"),
        (lambda: sourcing.own_machines([1], 1, 0), "renting is free"),
        (lambda: sourcing.day(0.9), "the busiest hour is"),
        (lambda: sourcing.lock_in_price(1, 1, 0, 1), "needs a volume"),
        (lambda: System(0, 1), "must be positive hours"),
        (lambda: System(1, 1, 0), "needs a replica"),
        (lambda: System(1, 1, 1, 1.5), "a share from 0 to 1"),
        (lambda: sourcing.steady(0, 1), "needs mtbf"),
        (lambda: sourcing.zone(-1, 0), "worth must be"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
