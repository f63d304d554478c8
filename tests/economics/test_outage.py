"""Outages drawn, against renewal theory, loops over hours and the package's scalar formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synthecon.economics import outage, service, sourcing
from synthecon.economics.outage import HOURS, Outages, Scenario, Stake
from synthecon.economics.sourcing import System

TIERS = ((0.999, 0.1), (0.99, 0.25), (0.95, 1.0))


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("spread", [0.0, 0.7, 1.3])
def test_repairs_have_their_mean_and_their_law(spread):
    found = outage.repairs(4.0, spread, (100_000,), rng())
    assert found.mean() == pytest.approx(4, rel=0.03)
    law = stats.lognorm(spread, scale=4 * np.exp(-(spread**2) / 2)) if spread else stats.expon(0, 4)
    assert stats.kstest(found[:5000], law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_what_is_left_of_a_repair_has_the_equilibrium_law(spread):
    # Its density is (1 − F) / mean, and its mean E[R²] / 2 E[R]
    found = outage.residual(4.0, spread, 200_000, rng())
    second = 2 * 4**2 if not spread else 4**2 * np.exp(spread**2)
    assert found.mean() == pytest.approx(second / 8, rel=0.03)
    law = stats.lognorm(spread, scale=4 * np.exp(-(spread**2) / 2)) if spread else stats.expon(0, 4)
    grid = np.linspace(0, 3, 301)
    within = np.trapezoid(law.sf(grid), grid) / 4
    assert (found < 3).mean() == pytest.approx(within, abs=0.005)


@pytest.mark.parametrize("spread", [0.0, 1.2])
@pytest.mark.parametrize("system", [System(40, 4), System(30, 5, 2), System(40, 5, 3, 0.2)])
def test_every_month_has_the_availability_of_renewal_theory(system, spread):
    found = outage.simulate(system, spread, 6, 3000, rng(1))
    wanted = sourcing.availability(system)
    for month in (0, 5):
        share = found.availability[:, month]
        error = 4.5 * share.std() / np.sqrt(len(share))
        assert share.mean() == pytest.approx(wanted, abs=error)
        assert error < 0.1 * (1 - wanted)
    often = found.begun / HOURS
    error = 4.5 * often.std() / np.sqrt(often.size)
    assert often.mean() == pytest.approx(sourcing.outages_per_hour(system), abs=error)


@pytest.mark.filterwarnings("error")
def test_a_repair_beyond_all_numbers_lasts_to_the_end():
    """So wide a spread leaves repairs of no time, and endless ones that were under way before."""
    found = outage.simulate(System(40, 4), 50.0, 6, 3000, rng(2))
    down = found.hours / HOURS
    assert set(np.unique(down.round(9))) == {0.0, 1.0} and (np.ptp(down, axis=1) < 1e-9).all()
    assert down.mean() == pytest.approx(4 / 44, abs=0.02)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_first_hours_are_like_all_others(spread):
    begin, end = outage.down_times(20, 5, spread, 4.0, 50_000, rng(7))
    assert (end > begin).any(1).mean() > 0.2
    for hour in range(4):
        down = ((begin <= hour + 0.5) & (end > hour + 0.5)).any(1)
        assert down.mean() == pytest.approx(1 - sourcing.steady(20, 5), abs=0.008)


def test_rare_short_outages_are_a_compound_poisson_process():
    system = System(2000, 0.01)
    found = outage.simulate(system, 0.0, 12, 20_000, rng(2))
    count = found.begun.sum(1)
    rate = 12 * HOURS / 2000
    assert count.mean() == pytest.approx(rate, rel=0.02)
    assert count.var() == pytest.approx(rate, rel=0.03)
    total = found.hours.sum(1)
    assert total.mean() == pytest.approx(rate * 0.01, rel=0.02)
    assert total.var() == pytest.approx(rate * 2 * 0.01**2, rel=0.05)
    none = (count == 0).mean()
    assert none == pytest.approx(np.exp(-rate), abs=0.004)


def by_minute(parts, replicas, months, step):
    """Down or not, looked up on a fine grid; `parts` are lists of (begin, end) by component."""
    t = (np.arange(int(months * HOURS / step)) + 0.5) * step
    state = [np.any([(t >= a) & (t < b) for a, b in zip(*p, strict=True)], 0) for p in parts]
    down = np.all(state[:replicas], 0) | state[replicas]
    return down.reshape(months, -1).sum(1) * step


def test_the_sweep_is_a_lookup_on_a_fine_grid(monkeypatch):
    system, seen, plain = System(60, 30, 2, 0.2), [], outage.down_times

    def watch(*args):
        seen.append(plain(*args))
        return seen[-1]

    monkeypatch.setattr(outage, "down_times", watch)
    found = outage.simulate(system, 0.5, 3, 4, rng(3))
    for path in range(4):
        parts = [(begin[path], end[path]) for begin, end in seen]
        slow = by_minute(parts, 2, 3, 0.01)
        assert found.hours[path] == pytest.approx(slow, abs=0.5)
        assert found.hours[path].sum() > 30


def test_same_seed_same_outages_and_another_seed_others():
    a, b, c = (outage.simulate(System(100, 5), 1, 3, 5, rng(s)).hours for s in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.5, 5), st.floats(0.1, 1))
def test_credits_are_those_of_the_contract(availability, multiple, cap):
    shares = [*availability, 0.999, 0.99, 0.95]
    found = outage.credit_share(np.array(shares), TIERS, multiple=multiple, cap=cap)
    each = [min(multiple * service.credit(a, TIERS), cap) for a in shares]
    assert found == pytest.approx(each)


def test_the_loss_by_hand():
    outages = Outages(np.array([[0.0, 2.0, 50.0]]), np.array([[0, 1, 3]]))
    stake = Stake(per_hour=10, per_outage=100, sales=1000, tiers=TIERS)
    assert stake.loss(outages).tolist() == [[0, 20 + 100 + 100, 500 + 300 + 1000]]


def test_value_at_risk_and_shortfall_by_hand():
    losses = np.arange(1, 1001.0)
    assert outage.value_at_risk(losses) == 950
    assert outage.shortfall(losses).value == pytest.approx(np.arange(951, 1001).mean())


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_the_shortfall_of_known_laws(level):
    u = (np.arange(100_000) + 0.5) / 100_000
    z = stats.norm.ppf(level)
    normal = outage.shortfall(stats.norm(3, 2).ppf(u), level)
    assert normal.value == pytest.approx(3 + 2 * stats.norm.pdf(z) / (1 - level), rel=2e-3)
    heavy = outage.shortfall(stats.lognorm(1.0).ppf(u), level)
    exact = np.exp(0.5) * stats.norm.cdf(1 - z) / (1 - level)
    assert heavy.value == pytest.approx(exact, rel=5e-3)


def test_the_interval_of_a_shortfall_holds_it_as_often_as_it_says():
    exact = stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05
    draws = rng(4).normal(size=(400, 2000))
    found = [outage.shortfall(row) for row in draws]
    held = np.mean([x.low <= exact <= x.high for x in found])
    assert 0.91 < held < 0.98


def test_a_tail_of_too_few_is_refused():
    with pytest.raises(ValueError, match="draw more"):
        outage.shortfall(np.arange(100.0))


def test_the_smallest_multiple_is_that_of_a_closed_form_without_a_cap():
    a = rng(5).beta(200, 1, 5000)
    plain = outage.credit_share(a, TIERS).mean()

    def mean(multiple):
        return float(outage.credit_share(a, TIERS, multiple=multiple, cap=1e9).mean())

    assert outage.smallest(mean, 3 * plain, 50) == pytest.approx(3, abs=5e-5)
    assert outage.smallest(mean, 0, 50) == 0
    assert outage.smallest(lambda m: min(m, 2), 3, 50) is None


def test_the_trigger_is_that_of_a_loop():
    breach = rng(6).random((200, 36)) < 0.1
    found = outage.trigger(breach, 2, 6)
    for path, row in enumerate(breach):
        months = [t for t in range(36) if row[max(0, t - 5) : t + 1].sum() >= 2]
        assert found[path] == (months[0] if months else -1)
    assert (found == -1).any() and (found > 6).any()


def test_the_right_to_leave_by_hand():
    net = np.array([[0, 50, 50, 50, 50, 50, 50, 50.0], [0] * 8])
    breach = net > 0
    terms = {"needed": 2, "window": 3, "notice": 2}
    # Triggered at the end of month 2, gone from month 5 on: three months at 50 − 10, less the move
    value = outage.termination_value(net, breach, alternative=10, switch=60, **terms)
    assert value == pytest.approx((3 * (50 - 10) - 60) / 2)
    assert outage.termination_value(net, breach, alternative=10, switch=121, **terms) == 0


def test_the_right_looks_at_no_future():
    # Two paths with the same past: leaving gains 80 on one and loses 80 on the other
    net = np.array([[9, 9, 0, 90, 90.0], [9, 9, 0, 10, 10.0]])
    breach = np.array([[True, True, False, False, False]] * 2)
    terms = {"switch": 0, "needed": 2, "window": 2, "notice": 1}
    assert outage.termination_value(net, breach, alternative=50, **terms) == 0
    assert outage.termination_value(net, breach, alternative=40, **terms) == pytest.approx(20)


def test_contracts_are_each_their_scenario_and_credits_need_a_claim():
    stake = Stake(10, 100, 1000, TIERS)
    worlds = [Scenario(System(60, 5), 0.5, stake, fee, claim) for fee, claim in ((10, 1), (20, 0))]
    found = outage.contracts(worlds, 4, 3, seed=1)
    assert found.loss.shape == (2, 3, 4)
    outages = Outages(found.hours[0], found.begun[0])
    assert np.array_equal(found.loss[0], stake.loss(outages))
    assert found.credit(TIERS)[0] == pytest.approx(
        10 * outage.credit_share(outages.availability, TIERS)
    )
    assert found.credit(TIERS)[0].sum() > 0 and found.credit(TIERS)[1].sum() == 0
    fewer = outage.contracts(worlds[:1], 4, 3, seed=1)
    assert np.array_equal(fewer.hours[0], found.hours[0])


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: outage.simulate(System(9, 1), 0, 0, 1, rng()), "needs a month"),
        (lambda: outage.repairs(1, -1, (2,), rng()), "not negative"),
        (lambda: outage.credit_share(np.ones(2), [(0.9, 0.1), (0.8, 0.05)]), "lower credit"),
        (lambda: outage.trigger(np.ones((1, 3), bool), 3, 2), "needs 1 ≤"),
    ],
)
def test_what_cannot_be_is_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
