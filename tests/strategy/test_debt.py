"""Debt: every item of a case in one place, sums that agree with the cash model, and the limits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from synthecon import Problem, paths
from synthecon.economics import model, tco
from synthecon.strategy import choices, debt, queueing

QUEUE = {
    "queue.utilisation": 0.8,
    "queue.variability": 1.0,
    "queue.request-month": 100.0,
    "save.labelling": 0.25,
    "share.cashable": 0.4,
    "time.cutover": 3.5,
}
OPAQUE = {
    "opportunity.decisions": 1e6,
    "opacity.asked": 1e-4,
    "opacity.hours": 0.5,
    "price.audit-hour": 60.0,
    "opportunity.error-per-point": 0.01,
    "opportunity.error-cost": 0.2,
    "transfer.hidden-error": 0.5,
    "transfer.explaining": 0.1,
    "time.cutover": 2.0,
}


@pytest.fixture(scope="module", params=["case", "case-tannhof"])
def case(request):
    found = model.load(paths.root() / request.param)
    return found, found.draw(64, 3)


def test_every_item_of_one_scenario_has_its_place(case):
    m, values = case
    rest = debt.drains(m.items, values, m.months)["rest"]
    assert not rest.spent.any() and not rest.cost.any()


def test_the_subjects_together_are_the_cash_of_the_model(case):
    m, values = case
    found = debt.drains(m.items, values, m.months)
    rate = values["finance.wacc"]
    quo, pipe = (
        tco.flows([i for i in tco.of(m.items, s) if i.cash], values, m.months)
        for s in tco.SCENARIOS
    )
    assert debt.net(found, rate) == pytest.approx(tco.present(quo - pipe, rate))
    whole = debt.total("all", list(found.values()))
    assert whole.removed - whole.cost == pytest.approx(quo - pipe)


def test_an_option_removes_nothing_of_a_subject_that_it_leaves(case):
    m, _ = case
    lean = choices.options(m)[choices.LEAN]
    values = m.base()
    found = debt.drains(lean.items, values, m.months)
    assert found["scarcity"].spent.any()
    assert not found["scarcity"].removed.any() and not found["scarcity"].cost.any()
    quo, pipe = (
        tco.flows([i for i in tco.of(lean.items, s) if i.cash], values, m.months)
        for s in tco.SCENARIOS
    )
    whole = debt.total("all", list(found.values()))
    assert whole.removed - whole.cost == pytest.approx(quo - pipe)


def test_an_item_that_no_subject_knows_is_not_lost(case):
    m, _ = case
    values = m.base()
    extra = next(i for i in m.items if i.id == "pipe.tooling")
    items = [*m.items, tco.Item(**{**extra.__dict__, "id": "pipe.new"})]
    rest = debt.drains(items, values, m.months)["rest"]
    assert rest.cost == pytest.approx(tco.flows([extra], values, m.months))


def test_opportunity_is_a_drain_without_cash(case):
    m, _ = case
    values = m.base()
    found = debt.missed(m.items, values, m.months, ["opportunity.product-1"], "late")
    assert not found.cash and not found.cost.any()
    assert found.removed.sum() == pytest.approx(values["product.1.delay"])
    assert not debt.total("both", [found, *debt.drains(m.items, values, m.months).values()]).cash


def test_the_team_has_less_to_do_and_may_be_smaller():
    busy, team = debt.left_busy(QUEUE)
    assert team == pytest.approx(1 - 0.25 * 0.4)
    assert busy == pytest.approx(0.8 * 0.75 / 0.9)


def test_a_teacher_that_saves_nothing_is_not_used():
    busy, team = debt.left_busy(QUEUE | {"save.labelling": np.array([-0.4, 0.0])})
    assert busy == pytest.approx([0.8, 0.8]) and team == pytest.approx([1, 1])


def test_requests_that_wait_by_hand():
    found = debt.waiting(QUEUE, 6)
    before = queueing.mg1(10, 0.08, 1.0).waiting
    after = queueing.mg1(10, 0.08 * 0.75 / 0.9, 1.0).waiting
    assert found.spent == pytest.approx([0, *[100 * before] * 6])
    stop = 100 * (before - after)
    assert found.removed == pytest.approx([0, 0, 0, 0, stop / 2, stop, stop])
    assert not found.cash


@given(arrays.arrays(float, 10, elements=st.floats(0, 100)))
def test_what_an_average_conceals_is_half_of_the_mean_deviation(errors):
    # What lies above a mean and what lies below it are equal.
    spread = np.abs(errors - errors.mean()).mean() / 2
    assert debt.hidden_error(errors) == pytest.approx(spread, abs=1e-9)


def test_equal_classes_conceal_nothing():
    assert debt.hidden_error(np.full((2, 10), 7.0)) == pytest.approx([0, 0])
    assert debt.hidden_error(np.array([0.0, 10.0])) == 2.5


def test_opacity_by_hand():
    effort, errors = debt.opacity(OPAQUE, 4, (np.array(2.0), np.array(1.5)))
    asked = 1e6 * 1e-4 * 0.5 * 60
    assert effort.spent == pytest.approx([0, asked, asked, asked, asked])
    assert effort.removed == pytest.approx([0, 0, 0, 0.1 * asked, 0.1 * asked])
    assert errors.spent[1] == pytest.approx(1e6 * 2 * 0.01 * 0.5 * 0.2)
    assert errors.removed[-1] == pytest.approx(errors.spent[-1] / 4)
    assert not effort.cash and not errors.cash


def test_hidden_errors_can_get_worse():
    _, errors = debt.opacity(OPAQUE, 4, (np.array(1.0), np.array(1.2)))
    assert errors.removed[-1] < 0


def test_present_values_by_hand():
    flow = np.array([0.0, 0, 121.0])
    drain = debt.Drain("x", flow, flow / 11, flow * 0)
    spent, removed, cost = debt.present(drain, 0.1**0 * (1.1**6 - 1))  # 10 % a month
    assert (spent, removed, cost) == pytest.approx((121 / 1.1, 11 / 1.1, 0))


def test_present_values_of_the_whole_fall_with_the_rate(case):
    m, _ = case
    found = debt.drains(m.items, m.base(), m.months)["inference"]
    low, high = (debt.present(found, r)[0] for r in (0.05, 0.2))
    assert 0 < high < low < found.spent.sum() and math.isfinite(high)


def test_the_ledger_has_what_these_functions_read(case):
    m, values = case
    debt.require(m)
    found = debt.waiting(values, m.months)
    assert np.isfinite(found.spent).all() and np.all(found.removed >= 0)
    for drain in debt.opacity(values, m.months, (np.array(2.0), np.array(1.0))):
        assert np.isfinite(drain.spent).all() and drain.spent.shape == (64, m.months + 1)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("queue.requests", None, "no row 'queue.requests'; add it, in request/month"),
        ("price.audit-hour", {"unit": "USD/day"}, "price.audit-hour, unit: 'USD/day'"),
        ("queue.utilisation", {"high": 1.0}, "queue.utilisation, low, high"),
    ],
)
def test_a_row_that_is_missing_or_wrong_is_named(name, change, told):
    m = model.load(paths.root() / "case")
    rows = {k: v for k, v in m.rows.items() if k != name}
    if change:
        rows[name] = replace(m.rows[name], **change)
    with pytest.raises(Problem, match=told) as caught:
        debt.require(replace(m, rows=rows))
    assert str(caught.value).count("\n") == 0
