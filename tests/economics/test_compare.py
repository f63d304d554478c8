"""Two ways side by side: sums by hand, closed forms, and games whose values are known."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as laws

from synthecon import Problem
from synthecon.economics import compare, formula, ledger, model, tco, uncertain

S = 5


def row(name, low, base=None, high=None, unit="share", *, source="illustrative", group="",
        law="uniform"):  # fmt: skip
    base = low if base is None else base
    high = base if high is None else high
    law = "fixed" if low == high else law
    return ledger.Row(
        name, name, low, base, high, law, unit, "", "", "", source, "a test", date(2026, 1, 31),
        "finance", "low", group, "",
    )  # fmt: skip


def derived(name, text, unit="share"):
    return ledger.Derived(
        name, name, formula.parse(text), unit, "", text, date(2026, 1, 31), "finance", ""
    )


def item(name, scenario, category, line, factors, **change):
    plain = tco.Item(
        name, name, scenario, category, line, True, "monthly", 1.0, 0.0, 36.0, 0.0, factors, "", ""
    )
    return replace(plain, **change)


ROWS = [
    row("finance.wacc", 0.08, 0.1, 0.12, "1/year"),
    row("finance.tax", 0.25),
    row("finance.capex-life", 2, unit="years"),
    row("growth.inference", 0.0, 0.2, 0.4, "1/year"),
    row("growth.labels", 0.0, unit="1/year"),
    row("growth.wage", 0.03, unit="1/year"),
    row("growth.revenue", 0.0, unit="1/year"),
    row("revenue.month", 1000, unit="USD/month", source="invoice"),
    row("bill.inference", 100, unit="USD/month", source="invoice"),
    row("payroll.labelling", 300, unit="USD/month", source="invoice"),
    row("share.student", 0.3, 0.5, 0.9, source="transfer"),
    row("cost.build", 500, 950, 2000, "USD"),
    row("cost.run", 19, unit="USD/month"),
    row("price.node", 240, unit="USD", source="public"),
    row("price.engineer-hour", 95, unit="USD/hour"),
    row("time.cutover", 5, unit="month"),
    row("time.fade", 3, unit="month"),
    row("hours.saved", 10, unit="hours/month"),
    row("hours.cashable", 3, unit="hours/month"),
    row("late", 7, unit="USD/month"),
]
OTHERS = [
    row("cost.distil.month", 30, unit="USD/month"),
    row("cost.expert.month", 60, unit="USD/month"),
    row("price.label-hour", 20, unit="USD/hour"),
    row("payroll.training", 800, unit="USD/month", source="invoice"),
    row("hours.training", 8, unit="hours/month", source="invoice"),
    row("payroll.idle", 0, unit="USD/month", source="invoice"),
]
DERIVED = [
    derived("cost.student", "bill.inference * share.student", "USD/month"),
    derived("hours.reallocated", "hours.saved - hours.cashable", "hours/month"),
]
QUO, PIPE = ("status-quo",), ("pipeline",)
ITEMS = [
    item("quo.answers", QUO, "OpEx", "COGS", (("bill.inference", 1),), growth="growth.inference"),
    item("pipe.answers", PIPE, "OpEx", "COGS", (("cost.student", 1),), growth="growth.inference"),
    item("both.people", (*QUO, *PIPE), "People", "R&D", (("payroll.labelling", 1),)),
    item("pipe.people", PIPE, "People", "R&D", (("payroll.labelling", 1), ("share.student", 1))),
    item("pipe.build", PIPE, "People", "R&D", (("cost.build", 1),), kind="once"),
    item("pipe.run", PIPE, "People", "COGS", (("cost.run", 1),), growth="growth.wage"),
    item("pipe.node", PIPE, "CapEx", "Capex", (("price.node", 1),), kind="once", start=0.0),
    item("quo.late", QUO, "Opportunity", "none", (("late", 1),), cash=False),
]


def a_model(rows=ROWS, more=DERIVED, items=ITEMS):
    return model.Model(
        Path("case"), None, {r.id: r for r in rows}, {d.id: d for d in more}, items
    )  # fmt: skip


M = a_model()
BASE = M.base()
MANY = M.fill({k: v[:S] for k, v in uncertain.draw(M.rows, 8, 1).items()})
EACH = pytest.mark.parametrize("values", [BASE, MANY], ids=["base", "scenarios"])


def test_a_row_for_another_question_changes_no_scenario():
    asked = [row(n, 1.0) for n in compare.ASKED if n not in {*M.rows, *M.derived}]
    whole = a_model(
        [row("other", 0, 1, 2), *ROWS, *asked], [*DERIVED, derived("more", "2 * other")]
    )
    found = compare.focus(whole)
    assert not {"other", "late", "more"} & {*found.rows, *found.derived}
    assert set(BASE) - {"late"} <= {*found.rows, *found.derived}
    assert [i.id for i in ITEMS if i not in found.items] == ["quo.late"]
    without = compare.focus(a_model([*ROWS, *asked]))
    assert np.array_equal(found.npv(found.draw(8, 1)), without.npv(without.draw(8, 1)))
    with pytest.raises(Problem, match=r"case.ledger.csv: there is no row 'price.label-hour'"):
        compare.focus(a_model([*ROWS, *(r for r in asked if r.id != "price.label-hour")]))


def test_what_is_paid_now_is_in_the_first_year_or_apart():
    flow = np.array([5.0, *[1] * 12, *[2] * 24])
    assert compare.years(flow).tolist() == [17, 24, 24]
    assert compare.years(np.stack([flow, 2 * flow]), day=True).tolist() == [
        [5, 12, 24, 24],
        [10, 24, 48, 48],
    ]


@EACH
def test_categories_and_lines_add_up_to_the_same_cash(values):
    for scenario in tco.SCENARIOS:
        some = [i for i in tco.of(ITEMS, scenario) if i.cash]
        total = sum(tco.flows([i], values, 36) for i in some).sum(-1)
        for field in ("category", "line"):
            parts = compare.split(M, values, scenario, field)
            assert sum(parts.values()).sum(-1) == pytest.approx(total)
    assert "Opportunity" not in compare.split(M, values, "status-quo", "category")
    apart = compare.not_cash(M, values, "status-quo")
    assert apart == pytest.approx(np.full(apart.shape, 84.0))


@EACH
def test_the_statement_ends_in_the_cash_of_the_model(values):
    found = compare.statement(M, values)
    cash = compare.years(tco.advantage(ITEMS, values, M.plan(values)))
    assert found.cash == pytest.approx(cash)
    assert found.depreciation == pytest.approx(found.depreciation * 0 + [120, 120, 0])
    assert found.ebitda - found.depreciation == pytest.approx(found.ebit)
    assert found.capital[..., 0] == pytest.approx(240) and not found.capital[..., 1:].any()


def test_the_day_of_the_decision_is_a_year_of_its_own():
    apart, found = (compare.statement(M, BASE, day=day) for day in (True, False))
    assert apart.cash[0] == pytest.approx(-240) and apart.capital.tolist() == [240, 0, 0, 0]
    for field in ("ebitda", "depreciation", "ebit", "tax", "cash"):
        flow = getattr(apart, field)
        assert [flow[0] + flow[1], *flow[2:]] == pytest.approx(getattr(found, field).tolist())
    parts = compare.split(M, BASE, "pipeline", "category", day=True)
    assert parts["CapEx"].tolist() == [240, 0, 0, 0] and parts["People"][0] == 0


def test_the_statement_by_hand():
    found = compare.statement(M, M.base(**{"growth.inference": 0.0, "growth.wage": 0.0}))
    year = 12 * (100 - 50 - 150 - 19)
    assert found.ebitda == pytest.approx([year - 950, year, year])
    assert found.tax == pytest.approx(0.25 * np.array([year - 950 - 120, year - 120, year]))


def test_an_item_is_traced_through_the_formulas():
    told = {i.id: compare.touches(M, i, "bill.inference") for i in ITEMS}
    assert [k for k, v in told.items() if v] == ["quo.answers", "pipe.answers"]
    assert [i.id for i in ITEMS if compare.is_new(M, i)] == ["pipe.build", "pipe.run", "pipe.node"]


def test_the_margin_by_hand():
    values = M.base(**{"growth.inference": 0.0, "growth.wage": 0.0, "growth.revenue": 0.21})
    in_year_3 = sum(1000 * 1.21 ** (t / 12) for t in range(25, 37))
    expected = 100 * 12 * (100 - 50 - 19) / in_year_3
    assert compare.margin_points(M, values) == pytest.approx(expected)
    assert compare.revenue(M, M.base()) == pytest.approx(np.full(3, 12_000.0))
    assert compare.cogs(M, values, "pipeline") == pytest.approx(np.full(3, 12 * 69.0))


def test_the_margin_without_a_student_by_hand():
    more = [
        item("quo.data", QUO, "OpEx", "COGS", (("cost.expert.month", 1),)),
        item("pipe.distil", PIPE, "People", "COGS", (("cost.distil.month", 1),)),
        item("pipe.review", PIPE, "People", "R&D", (("cost.expert.month", 1),)),
    ]
    both = a_model([*ROWS, *OTHERS], items=[*ITEMS, *more])
    values = both.base(**{"growth.inference": 0.0, "growth.wage": 0.0})
    alone = compare.margin_points(both, values, chosen=compare.without_student(both))
    assert alone == pytest.approx(100 * (60 - 19) / 1000)
    assert compare.margin_points(both, values) == pytest.approx(100 * (160 - 50 - 19 - 30) / 1000)


def test_a_cut_by_half_buys_the_time_in_which_spend_doubles():
    values = M.base(**{"growth.inference": 0.5})
    doubling = 12 * math.log(2) / math.log(1.5)
    assert compare.months_bought(M, values) == pytest.approx(doubling)
    assert np.isinf(compare.months_bought(M, M.base(**{"growth.inference": 0.0})))
    flow = compare.inference(M, values, "pipeline")
    assert flow[-1] == pytest.approx(50 * 1.5**3)
    assert compare.growth_last_year(flow) == pytest.approx(50)


def test_hours_begin_with_the_fade_and_wages_cancel():
    found = compare.hours(M, BASE)
    assert found["saved"][:6] == pytest.approx(0) and found["saved"][8] == pytest.approx(7.5)
    assert found["saved"][9:] == pytest.approx(10)
    assert found["saved"] == pytest.approx(found["cashable"] + found["reallocated"])
    spent = found["spent"]
    assert spent[:3] == pytest.approx([0, 10.2, 0.2]) and spent[36] == pytest.approx(0.2)


def test_whose_hours_are_spent():
    review = item("pipe.review", PIPE, "People", "R&D", (("cost.expert.month", 1),))
    more = [
        replace(review, growth="growth.wage"),
        item("pipe.law", PIPE, "People", "G&A", (("cost.run", 1),)),
        item("pipe.rent", PIPE, "OpEx", "R&D", (("cost.run", 1),)),
    ]
    both = a_model([*ROWS, *OTHERS], items=[*ITEMS, *more])
    found = compare.hours(both, both.base())
    assert found["review"][1:] == pytest.approx(np.full(36, 3.0))
    assert found["spent"] == pytest.approx(compare.hours(M, BASE)["spent"])
    assert not found["engineers"].any()


def test_engineers_get_back_what_their_payroll_falls_by():
    quo = item("quo.train", QUO, "People", "R&D", (("payroll.training", 1),), growth="growth.wage")
    part = (("payroll.training", 1), ("share.student", 1))
    less = replace(quo, id="pipe.train", scenario=PIPE, factors=part)
    found = compare.focus(
        a_model(
            [*ROWS, *OTHERS, row("finance.inflation", 0.02)],
            items=[*ITEMS, quo, less],
        )
    )
    assert compare.hours(found, found.base())["engineers"] == pytest.approx([0.0, *[4.0] * 36])
    some = found.draw(4, 1)
    back = compare.hours(found, some)["engineers"]
    assert back[:, 36] == pytest.approx(8 * (1 - some["share.student"]))


def test_scramblings_are_draws_of_their_own():
    found = compare.scenarios(M, 64, 4, seed=9)
    for part, seed in zip(np.split(found["cost.build"], 4), range(9, 13), strict=True):
        assert np.array_equal(part, uncertain.draw(M.rows, 16, seed)["cost.build"])
    for count, scramblings in ((64, 1), (65, 4)):
        with pytest.raises(ValueError, match="cannot be dealt"):
            compare.scenarios(M, count, scramblings, seed=9)


def test_portions_are_put_together_in_order():
    values = uncertain.draw(M.rows, 2 * tco.CHUNK + 3, seed=3)
    together = compare.over(M, values, lambda v: np.stack([v["cost.student"], v["late"]], -1))
    assert together.shape == (2 * tco.CHUNK + 3, 2)
    assert together[:, 0] == pytest.approx(100 * values["share.student"])
    assert compare.over(M, values, M.npv) == pytest.approx(M.npv(values))


def test_the_error_is_students_over_scramblings():
    results = np.array([1.0, 3, 5, 7, 0, 2])
    found = compare.estimate(results, 3, np.mean)
    low, high = laws.t.interval(0.95, 2, 3, laws.sem([2, 6, 1]))
    assert (found.value, found.low, found.high) == pytest.approx((3, low, high))


@pytest.mark.parametrize("mean", [-0.7, 0.0, 0.4])
def test_knowing_one_of_two_normal_drivers_against_the_closed_form(mean):
    x, noise = laws.norm.ppf(laws.qmc.Sobol(2, rng=5).random_base2(16)).T
    results = mean + 0.8 * x + 0.6 * noise
    worth = 0.8 * laws.norm.pdf(mean / 0.8) + mean * laws.norm.cdf(mean / 0.8) - max(mean, 0)
    assert compare.partial_information(x, results) == pytest.approx(worth, abs=2e-3)
    whole = compare.partial_information(results, results, bins=1024)
    assert whole == pytest.approx(uncertain.perfect_information(results), abs=1e-4)


def test_knowing_what_does_not_matter_is_worth_nothing():
    x, noise = laws.norm.ppf(laws.qmc.Sobol(2, rng=5).random_base2(16)).T
    assert compare.partial_information(x, noise + 1) == pytest.approx(0, abs=1e-3)


def test_every_kind_of_source_has_its_place():
    known = set(get_args(ledger.SourceType)) - {"derived"}
    assert sorted(itertools.chain(*compare.KINDS.values())) == sorted(known)
    assert compare.kind(row("a", 1, source="quote")) == "sourced"


KIND_ROWS = [
    row("a", 1.0, 2.0, 3.0, source="measured"),
    row("b", 3.0, 5.0, 7.0, source="transfer"),
    row("c", 0.0, 1.0, 2.0),
    row("d", 4.0, source="invoice"),
]


def test_leverage_of_a_power():
    found = compare.leverage(a_model(KIND_ROWS, [], []), lambda v: v["a"] ** 2 * v["b"] * v["d"])
    assert found == pytest.approx(
        {"measured": 0.5, "own books": 0.25, "sourced": 0, "transferred": 0.25, "illustrative": 0}
    )
    with pytest.raises(ValueError, match="rests on nothing"):
        compare.leverage(a_model(KIND_ROWS, [], []), lambda v: 0 * v["a"])


def test_doubt_of_a_product_against_the_closed_form():
    small = a_model(KIND_ROWS, [], [])
    found = compare.doubt(small, lambda v: v["d"] * v["a"] * v["b"] + 3 * v["c"], 2**13, seed=2)
    a, b, c = (2.0, 1 / 3), (5.0, 4 / 3), 1 / 3  # means and variances; d is 4, known
    shared = 16 * a[1] * b[1] / 2
    variance = {
        "measured": 16 * b[0] ** 2 * a[1] + shared,
        "transferred": 16 * a[0] ** 2 * b[1] + shared,
        "illustrative": 9 * c,
    }
    total = sum(variance.values())
    expected = {k: variance.get(k, 0.0) / total for k in compare.KINDS}
    assert found == pytest.approx(expected, abs=0.01)


def test_rows_that_move_together_count_as_the_weakest():
    rows = [
        row("a", 0, 1, 2, source="measured", group="same:0.9"),
        row("b", 0, 1, 2, source="public", group="same:0.9"),
        row("c", 0, 1, 2, source="transfer"),
    ]
    found = compare.doubt(a_model(rows, [], []), lambda v: v["a"] + v["c"], 2**12, seed=2)
    assert found["measured"] == 0
    assert (found["sourced"], found["transferred"]) == pytest.approx((0.5, 0.5), abs=0.02)
    with pytest.raises(ValueError, match="nothing varies"):
        compare.doubt(a_model(rows, [], []), lambda v: 0 * v["a"], 8, seed=2)


def test_indices_of_a_product_against_the_closed_form():
    used = item("x", PIPE, "OpEx", "COGS", (("a", 1), ("b", 1), ("c", 1)))
    rows = [*KIND_ROWS, row("unused", 0, 1, 2)]
    found = compare.sobol(
        a_model(rows, [], [used]), lambda v: v["a"] * v["b"] + 3 * v["c"], 2**11, 4, seed=2
    )
    a, b, c = (2.0, 1 / 3), (5.0, 4 / 3), 1 / 3
    alone = {"a": b[0] ** 2 * a[1], "b": a[0] ** 2 * b[1], "c": 9 * c}
    shared = a[1] * b[1]
    whole = sum(alone.values()) + shared
    assert found.keys() == alone.keys()
    for key, index in found.items():
        assert index.first.value == pytest.approx(alone[key] / whole, abs=0.01)
        total = alone[key] + (shared if key != "c" else 0)
        assert index.total.value == pytest.approx(total / whole, abs=0.01)
        assert 0 < index.total.high - index.total.low < 0.06 and index.first.n == 4
    with pytest.raises(ValueError, match="nothing varies"):
        compare.sobol(a_model(rows, [], [used]), lambda v: 0 * v["a"], 8, 2, seed=2)


def test_a_group_is_frozen_whole_and_with_its_own_correlation():
    rows = [row(n, -1.96, 0.0, 1.96, group=g, law="normal")
            for n, g in (("a", "same:0.5"), ("b", "same:0.5"), ("c", ""))]  # fmt: skip
    used = item("x", PIPE, "OpEx", "COGS", (("a", 1), ("b", 1), ("c", 1)))
    found = compare.sobol(
        a_model(rows, [], [used]), lambda v: v["a"] + v["b"] + v["c"], 2**11, 4, seed=2
    )
    assert found["same"].first.value == pytest.approx(3 / 4, abs=0.01)  # 1 would give 4/5
    assert found["same"].total.value == pytest.approx(3 / 4, abs=0.01)
    assert found["c"].total.value == pytest.approx(1 / 4, abs=0.01)


def subsets(players):
    return [frozenset(s) for n in range(len(players) + 1) for s in
            itertools.combinations(players, n)]  # fmt: skip


def test_the_glove_game():
    """Two left gloves and a right one: a pair is worth 1."""
    worth = {s: float("right" in s and len(s) > 1) for s in subsets(["one", "two", "right"])}
    found = compare.shapley(["one", "two", "right"], worth)
    assert found == pytest.approx({"one": 1 / 6, "two": 1 / 6, "right": 2 / 3})


@given(st.lists(st.floats(-5, 5), min_size=8, max_size=8))
def test_shapley_shares_out_all_and_gives_nothing_to_who_adds_nothing(amounts):
    worth = dict(zip(subsets("abc"), [0.0, *amounts[1:]], strict=True))
    assert sum(compare.shapley("abc", worth).values()) == pytest.approx(worth[frozenset("abc")])
    idle = {s: worth[s - {"d"}] for s in subsets("abcd")}
    assert compare.shapley("abcd", idle)["d"] == pytest.approx(0)
