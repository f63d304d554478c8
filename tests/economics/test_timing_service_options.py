"""Learning curves, delay, service credits and real options, each against another way to know."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from synthecon.economics import options, service, timing

TIERS = [(0.999, 0.10), (0.99, 0.25), (0.95, 1.0)]


def test_learning_curves_by_hand():
    assert timing.wright(100, 2, 0.8) == pytest.approx(80)
    assert timing.crawford(100, 4, 0.8) == pytest.approx(64)
    total = sum(timing.crawford(100, n, 0.8) for n in range(1, 9))
    assert 8 * timing.wright(100, 8, 0.8) < total  # the same rate, another quantity


@given(st.floats(1, 1e6), st.floats(1, 1e5), st.floats(0.5, 1.0))
def test_each_doubling_takes_the_same_share(first, units, rate):
    for curve in (timing.wright, timing.crawford):
        assert curve(first, 2 * units, rate) == pytest.approx(rate * curve(first, units, rate))


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 12)), min_size=1, max_size=5))
def test_the_order_of_cd3_costs_least(jobs):
    ranked = sorted(jobs, key=lambda job: -timing.cd3(*job))
    best = min(timing.delay_cost_of_order(order) for order in itertools.permutations(jobs))
    assert timing.delay_cost_of_order(ranked) == pytest.approx(best)


def test_delay_by_hand():
    assert timing.cost_of_delay(50_000, 3) == 150_000
    assert timing.cost_of_delay(50_000, 3, lasting=0.5) == 225_000


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_availability_against_all_ways_to_fail(parts):
    series = parallel = 0.0
    for up in itertools.product((True, False), repeat=len(parts)):
        chance = math.prod(a if u else 1 - a for a, u in zip(parts, up, strict=True))
        series += chance * all(up)
        parallel += chance * any(up)
    assert service.in_series(*parts) == pytest.approx(series, abs=1e-12)
    assert service.in_parallel(*parts) == pytest.approx(parallel, abs=1e-12)


@pytest.mark.parametrize(
    ("availability", "share"),
    [(1.0, 0), (0.999, 0), (0.99899, 0.10), (0.99, 0.10), (0.9899, 0.25), (0.95, 0.25), (0.2, 1.0)],
)
def test_a_threshold_met_exactly_pays_nothing(availability, share):
    assert service.credit(availability, TIERS) == share
    assert service.credit(availability, TIERS, claimed=0.5) == share / 2


def test_downtime_of_three_nines_is_three_quarters_of_an_hour_a_month():
    assert service.downtime(0.999) == pytest.approx(0.73)


INPUTS = st.tuples(st.floats(20, 300), st.floats(20, 300), st.floats(0.2, 4), st.floats(0.1, 0.9))


@given(INPUTS, st.floats(-0.02, 0.15), st.floats(0, 0.1))
def test_black_scholes_is_the_discounted_mean_of_the_payoff(inputs, rate, leak):
    value, strike, years, sigma = inputs
    drift = math.log(value) + (rate - leak - sigma**2 / 2) * years
    spread = sigma * math.sqrt(years)

    def payoff(z):
        return max(math.exp(drift + spread * z) - strike, 0.0) * stats.norm.pdf(z)

    kink = (math.log(strike) - drift) / spread
    mean = integrate.quad(payoff, min(max(kink, -12), 12), 12 + spread, limit=200)[0]
    ours = options.black_scholes(value, strike, years, sigma, rate, leak)
    assert ours == pytest.approx(math.exp(-rate * years) * mean, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("inputs", [(100, 90, 1.0, 0.3), (80, 120, 2.0, 0.5), (50, 50, 0.5, 0.2)])
def test_without_a_leak_waiting_to_the_end_is_best(inputs):
    tree = options.binomial(*inputs, 0.05, steps=800)
    assert tree == pytest.approx(options.black_scholes(*inputs, 0.05), rel=3e-3)


def test_a_leak_makes_the_right_to_act_early_worth_something():
    late = options.black_scholes(100, 90, 2.0, 0.3, 0.03, 0.1)
    assert options.binomial(100, 90, 2.0, 0.3, 0.03, leak=0.1) > late + 0.5


def test_the_american_put_of_the_textbook():
    # Hull, Options, Futures, and Other Derivatives: 50, 50, 10 %, 40 %, 5 months: 4.28.
    found = options.binomial(50, 50, 5 / 12, 0.4, 0.1, kind="abandon")
    assert found == pytest.approx(4.283, abs=5e-3)


def test_an_option_is_never_worth_less_than_using_it_now():
    for value in np.linspace(20, 200, 10):
        defer = options.binomial(value, 100, 1, 0.4, 0.05, leak=0.08, steps=100)
        abandon = options.binomial(value, 100, 1, 0.4, 0.05, leak=0.08, steps=100, kind="abandon")
        assert defer >= max(value - 100, 0) and abandon >= max(100 - value, 0)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: timing.wright(1, 0.5, 0.8), "units ≥ 1"),
        (lambda: timing.crawford(1, 2, 0), "0 < rate ≤ 1"),
        (lambda: timing.cost_of_delay(-1, 1), "not negative"),
        (lambda: timing.cd3(1, 0), "takes time"),
        (lambda: service.in_series(99.9), "share from 0 to 1"),
        (lambda: service.downtime(0.9, -1), "not negative"),
        (lambda: service.credit(0.9, [(0.99, 0.5), (0.9, 0.1)]), "lower availability"),
        (lambda: options.black_scholes(0, 1, 1, 1, 0), "must be positive"),
        (lambda: options.binomial(1, 1, 1, 0.1, 0.05, steps=0), "at least one step"),
        (lambda: options.binomial(1, 1, 30, 0.01, 0.3, steps=2), "too few"),
    ],
)
def test_what_cannot_be_is_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
