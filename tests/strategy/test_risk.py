"""The register: means in closed form against quadrature, compound sums against their moments."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from scipy import stats as laws

from synthecon.economics import ledger, uncertain
from synthecon.strategy import risk

N = 40_000


def row(name, low, base=None, high=None, law="fixed"):
    base = low if base is None else base
    high = base if high is None else high
    return ledger.Row(
        name, name, low, base, high, law, "USD", "USD", "", "", "illustrative", "a test",
        date(2026, 1, 31), "risk", "low", "", "",
    )  # fmt: skip


ONCE = risk.Risk("fire", "Fire", True, True)
OFTEN = risk.Risk("theft", "Theft", False, False)
ALARM = risk.Control("alarm", "Alarm", (risk.Effect("theft", "events", "share.alarm"),))
WATER = risk.Control(
    "water", "Sprinkler",
    (risk.Effect("fire", "impact", "share.water"), risk.Effect("theft", "impact", "share.wet")),
)  # fmt: skip
GUARD = risk.Control("guard", "Guard", (risk.Effect("theft", "events", "share.guard"),))
RISKS, CONTROLS = (ONCE, OFTEN), (ALARM, WATER, GUARD)
ROWS = {
    r.id: r
    for r in (
        row("risk.fire.impact", 100, 400, 3000, "lognormal"),
        row("risk.theft.impact", 10, 20, 90, "pert"),
    )
}
VALUES = {
    "risk.fire.frequency": 0.2,
    "risk.theft.frequency": 1.5,
    risk.SCALE: 1.0,
    "share.alarm": 0.5,
    "share.water": 0.4,
    "share.wet": 0.1,
    "share.guard": 0.25,
    "control.alarm.cost": 10.0,
    "control.water.cost": 100.0,
    "control.guard.cost": 4.0,
}
MANY = {k: np.full(N, v) for k, v in VALUES.items()}
EVENTS = risk.draw(ROWS, MANY, np.random.default_rng(7), risks=RISKS, controls=CONTROLS)


def moment(one, power):
    """E[X^power] of a row's law by quadrature over the normal score."""
    law = uncertain.law(one)
    return integrate.quad(
        lambda z: float(law(np.array([z]))[0]) ** power * laws.norm.pdf(z), -8, 8, limit=400,
        points=[0.0],
    )[0]  # fmt: skip


@pytest.mark.parametrize(
    ("law", "numbers"),
    [
        ("pert", (1, 2, 9)),
        ("triangular", (1, 2, 9)),
        ("uniform", (1, 2, 9)),
        ("normal", (1, 2, 9)),
        ("lognormal", (1, 2, 9)),
        ("lognormal", (1, 3, 9)),
        ("fixed", (2, 2, 2)),
    ],
)
def test_the_mean_of_each_distribution_against_quadrature(law, numbers):
    one = row("x", *numbers, law)
    assert risk.mean(one) == pytest.approx(moment(one, 1), rel=2e-3)


def test_a_symmetric_lognormal_has_its_textbook_mean():
    spread = np.log(3) / uncertain.Z
    assert risk.mean(row("x", 1, 3, 9, "lognormal")) == pytest.approx(3 * np.exp(spread**2 / 2))


def test_expected_loss_by_hand():
    found = risk.expected(ROWS, VALUES, CONTROLS, RISKS)
    theft = 1.5 * (10 + 80 + 90) / 6  # pert
    assert found["theft"] == pytest.approx(theft * 0.5 * 0.75 * 0.9)
    fire = 0.2 * risk.mean(ROWS["risk.fire.impact"])
    assert found["fire"] == pytest.approx(fire * 0.6)
    twice = risk.expected(ROWS, VALUES | {risk.SCALE: 2.0}, (), RISKS)
    assert twice["theft"] == pytest.approx(2 * theft)


def test_compound_sums_have_the_moments_of_the_book():
    loss = risk.losses(EVENTS, MANY)
    fire, theft = loss.T
    x, y = ROWS["risk.fire.impact"], ROWS["risk.theft.impact"]
    assert theft.mean() == pytest.approx(1.5 * moment(y, 1), rel=0.02)
    assert theft.var() == pytest.approx(1.5 * moment(y, 2), rel=0.03)  # compound Poisson
    p, m1, m2 = 0.2, moment(x, 1), moment(x, 2)
    assert fire.mean() == pytest.approx(p * m1, rel=0.05)
    assert fire.var() == pytest.approx(p * m2 - (p * m1) ** 2, rel=0.25)
    # Independent: the probability of a quiet year is the product, and nothing correlates
    assert np.mean(loss.sum(1) == 0) == pytest.approx(0.8 * np.exp(-1.5), abs=0.01)
    assert abs(np.corrcoef(fire, theft)[0, 1]) < 0.02


def test_a_risk_strikes_at_most_once_or_as_often_as_poisson_says():
    fires = np.bincount(EVENTS.year[EVENTS.risk == 0], minlength=N)
    thefts = np.bincount(EVENTS.year[EVENTS.risk == 1], minlength=N)
    assert fires.max() == 1
    for n in range(4):
        assert np.mean(thefts == n) == pytest.approx(laws.poisson.pmf(n, 1.5), abs=0.01)


def test_frequencies_differ_from_scenario_to_scenario():
    often = MANY | {"risk.theft.frequency": np.where(np.arange(N) < N // 2, 0.0, 4.0)}
    events = risk.draw(ROWS, often, np.random.default_rng(1), risks=RISKS, controls=CONTROLS)
    thefts = np.bincount(events.year[events.risk == 1], minlength=N)
    assert thefts[: N // 2].sum() == 0
    assert thefts[N // 2 :].mean() == pytest.approx(4, rel=0.03)


def test_all_events_may_cost_more_together():
    dear = MANY | {risk.SCALE: np.full(N, 3.0)}
    events = risk.draw(ROWS, dear, np.random.default_rng(7), risks=RISKS, controls=CONTROLS)
    assert risk.losses(events, dear) == pytest.approx(3 * risk.losses(EVENTS, MANY))


@pytest.mark.parametrize("some", [(ALARM,), (WATER,), (ALARM, GUARD), CONTROLS])
def test_a_control_makes_no_year_worse_and_its_mean_is_the_formula(some):
    bare, kept = risk.losses(EVENTS, MANY), risk.losses(EVENTS, MANY, some)
    assert np.all(kept <= bare + 1e-9)
    wanted = risk.expected(ROWS, VALUES, some, RISKS)
    assert kept.mean(0) == pytest.approx([wanted["fire"], wanted["theft"]], rel=0.05)
    if WATER not in some:
        assert np.array_equal(kept[:, 0], bare[:, 0])


def test_an_event_that_a_control_stops_costs_nothing_and_the_others_cost_all():
    kept = risk.losses(EVENTS, MANY, (ALARM,))[:, 1]
    one = np.bincount(EVENTS.year[EVENTS.risk == 1], minlength=N) == 1
    bare = risk.losses(EVENTS, MANY)[:, 1]
    assert set(np.round(kept[one] / bare[one], 9)) == {0.0, 1.0}
    assert np.mean(kept[one] == 0) == pytest.approx(0.5, abs=0.02)


def test_ranking_by_what_a_control_removes_for_its_cost():
    found = risk.worths(ROWS, VALUES, CONTROLS, RISKS)
    assert [w.control.id for w in found] == ["guard", "alarm", "water"]
    by = {w.control.id: w for w in found}
    theft = 1.5 * 30
    assert by["alarm"].alone == pytest.approx(0.5 * theft)
    # Beside the guard (a quarter) and the sprinkler (a tenth)
    assert by["alarm"].last == pytest.approx(0.5 * 0.75 * 0.9 * theft)
    assert all(w.last <= w.alone for w in found)
    bare, kept = (sum(risk.expected(ROWS, VALUES, c, RISKS).values()) for c in ((), CONTROLS))
    assert sum(w.last for w in found) <= bare - kept <= sum(w.alone for w in found)


def test_expected_shortfall_by_hand_and_in_closed_form():
    years = np.repeat([0, 0, 0, 0, 0, 0, 0, 10, 20, 50], 20)
    assert risk.expected_shortfall(years, 0.8) == pytest.approx(35)
    assert risk.expected_shortfall(years, 0.75) == pytest.approx((50 + 20 + 5) / 2.5)
    assert risk.expected_shortfall(years, 0) == pytest.approx(8)
    z = laws.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    closed = np.exp(0.5) * laws.norm.cdf(1 - laws.norm.ppf(0.95)) / 0.05
    assert risk.expected_shortfall(np.exp(z)) == pytest.approx(closed, rel=1e-3)
    with pytest.raises(ValueError, match="draw more"):
        risk.expected_shortfall(years, 0.99)


@given(st.lists(st.floats(0, 1e6), min_size=20, max_size=40), st.floats(0, 0.9))
def test_expected_shortfall_lies_between_mean_and_worst(years, level):
    many = np.tile(years, 20)
    found = risk.expected_shortfall(many, level)
    assert np.mean(years) - 1e-6 <= found <= max(years) + 1e-6
    assert risk.expected_shortfall(many + 5, level) == pytest.approx(found + 5)


def test_a_probability_above_one_is_refused():
    with pytest.raises(ValueError, match=r"risk.fire.frequency"):
        risk.draw(ROWS, MANY | {"risk.fire.frequency": np.full(N, 1.2)},
                  np.random.default_rng(1), risks=RISKS, controls=CONTROLS)  # fmt: skip


def test_the_register_names_what_it_reads():
    known = risk.asked()
    assert risk.missing(known) == []
    assert risk.missing([k for k in known if k != risk.SCALE]) == [risk.SCALE]
    hit = {e.risk for c in risk.CONTROLS for e in c.effects}
    assert hit == {r.id for r in risk.RISKS}  # no risk without a control
    assert replace(ONCE, id="x").frequency == "risk.x.frequency"
