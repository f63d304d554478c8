"""Units, cost items and the result under uncertainty, against loops, closed forms and SciPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synthecon import Problem
from synthecon.economics import accounts, cashflow, tco, uncertain, units
from synthecon.economics.assumption import Assumption

PLAN = tco.Plan(36, 0.1, 0.25, 3)


def row(name, low, base, high, unit="share", *, law="pert", group=""):
    return Assumption(name, low, base, high, unit, law, group)


LEDGER = {
    r.id: r
    for r in (
        row("volume", 80, 100, 140, "label/month"),
        row("price", 1, 2, 4, "USD/label", group="prices:0.6"),
        row("wage", 40, 50, 80, "USD/hour", group="prices:0.6"),
        row("hours", 1, 2, 6, "hour/month", law="triangular"),
        row("build", 500, 1000, 3000, "USD", law="lognormal"),
        row("inflation", 0.0, 0.03, 0.06, "1/year", law="uniform"),
        row("fee", 30, 30, 30, "USD/month", law="fixed"),
    )
}
BASE = {k: r.base for k, r in LEDGER.items()}


def item(name, scenario, factors, **change):
    plain = tco.Item(
        name, name, scenario, "OpEx", "COGS", True, "monthly", "flat", 1, 0, 36, factors, "", ""
    )
    return replace(plain, **change)


ITEMS = [
    item("labels", "status-quo", (("volume", 1), ("price", 1)), growth="inflation"),
    item("tail", "pipeline", (("volume", 1), ("price", 1)), profile="down", ramp=6, end=12,
         growth="inflation"),
    item("people", "pipeline", (("wage", 1), ("hours", 1)), profile="up", ramp=4,
         category="People", line="R&D"),
    item("server", "pipeline", (("build", 1),), kind="once", start=0, category="CapEx",
         line="Capex"),
    item("fee", "both", (("fee", 1),)),
    item("late", "status-quo", (("fee", 1),), category="Opportunity", line="none", cash=False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("USD/vCPU-hour", "USD/hour/vCPU"),
        ("labels/month", "label/month"),
        ("vCPU/core", "vCPU/core"),
        ("share", "1"),
    ],
)
def test_units_are_what_they_say(text, same):
    assert units.parse(text) == units.parse(same)
    assert units.parse(units.show(units.parse(text)).replace("^", "")) or text == "share"


def test_hours_are_not_years_and_products_cancel():
    assert units.parse("USD/hour") != units.parse("USD/year")
    product = units.product([(units.parse("USD/core-hour"), 1), (units.parse("core-hour"), 1)])
    assert product == {"USD": 1}
    with pytest.raises(units.UnitError, match="no unit"):
        units.parse("USD per (hour)")


def test_shapes_by_hand():
    up = item("x", "both", (), profile="up", ramp=4, start=2, end=7).shape(8)
    assert up.tolist() == [0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 0]
    down = item("x", "both", (), profile="down", ramp=3, start=1, end=6).shape(7)
    assert down == pytest.approx([0, 0.75, 0.5, 0.25, 0, 0, 0, 0])
    assert item("x", "both", (), kind="once", start=3).shape(4).tolist() == [0, 0, 0, 1, 0]


def by_loop(items, values, months):
    """The same sum, month by month and item by item."""
    total = [0.0] * (months + 1)
    for i in items:
        level = 1.0
        for name, power in i.factors:
            level *= values[name] ** power
        for t, share in enumerate(i.shape(months)):
            grown = (1 + values[i.growth]) ** (t / 12) if i.growth else 1.0
            total[t] += level * share * grown
    return total


def test_flows_are_the_sum_of_the_items():
    assert tco.flows(ITEMS, BASE, 36) == pytest.approx(by_loop(ITEMS, BASE, 36))


def test_many_scenarios_are_each_their_own():
    values = uncertain.draw(LEDGER, 64, seed=3)
    together = tco.npv(ITEMS, values, PLAN)
    for s in (0, 17, 63):
        alone = tco.npv(ITEMS, {k: float(v[s]) for k, v in values.items()}, PLAN)
        assert together[s] == pytest.approx(float(alone), rel=1e-9)


def test_npv_is_pyxirrs_on_the_loops_flows():
    flows = np.zeros(37)
    for scenario, sign in (("status-quo", 1), ("pipeline", -1)):
        some = [i for i in tco.of(ITEMS, scenario) if i.cash]
        capital = np.array(by_loop([i for i in some if i.category == "CapEx"], BASE, 36))
        operating = np.array(by_loop([i for i in some if i.category != "CapEx"], BASE, 36))
        tax = np.zeros(37)
        for month, spent in enumerate(capital):
            for later, charge in enumerate(accounts.straight_line(spent, 0, 36), month + 1):
                tax[min(later, 36)] += 0.25 * charge
        flows += sign * (capital + 0.75 * operating - tax)
    monthly = cashflow.per_period(0.1, 12)
    assert float(tco.npv(ITEMS, BASE, PLAN)) == pytest.approx(pyxirr.npv(monthly, list(flows)))


def test_opportunity_never_reaches_cash():
    without = [i for i in ITEMS if i.category != "Opportunity"]
    assert tco.npv(ITEMS, BASE, PLAN) == tco.npv(without, BASE, PLAN)


def test_what_both_scenarios_pay_changes_nothing():
    without = [i for i in ITEMS if i.scenario != "both"]
    assert tco.npv(ITEMS, BASE, PLAN) == pytest.approx(float(tco.npv(without, BASE, PLAN)))


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=40), st.integers(1, 60))
def test_all_capital_is_depreciated_once(spent, life):
    capital = np.array(spent)
    assert tco.depreciation(capital, life).sum() == pytest.approx(capital.sum())


@pytest.mark.parametrize("law", ["pert", "triangular", "uniform", "lognormal"])
def test_quantiles_are_those_of_the_distribution(law):
    r = row("x", 1.0, 3.0, 9.0, law=law)
    u = np.linspace(0.001, 0.999, 999)
    found = uncertain.quantile(r)(u)
    if law == "lognormal":
        assert uncertain.quantile(r)(np.array([0.05, 0.95])) == pytest.approx([1, 9])
        assert np.all(np.diff(found) > 0)
        return
    exact = {
        "pert": stats.beta(2, 4, 1, 8),
        "triangular": stats.triang(0.25, 1, 8),
        "uniform": stats.uniform(1, 8),
    }[law].ppf(u)
    assert found == pytest.approx(exact, abs=2e-4)
    mean = {"pert": 22 / 6, "triangular": 13 / 3, "uniform": 5}[law]
    assert uncertain.quantile(r)(np.linspace(0, 1, 200_001)).mean() == pytest.approx(mean, rel=1e-3)


def test_rows_of_a_group_move_together_and_others_do_not():
    values = uncertain.draw(LEDGER, 4096, seed=1)
    scores = stats.spearmanr(np.stack([values[k] for k in ("price", "wage", "hours")], 1)).statistic
    assert scores[0, 1] == pytest.approx(6 / np.pi * np.arcsin(0.6 / 2), abs=0.02)
    assert abs(scores[0, 2]) < 0.02 and abs(scores[1, 2]) < 0.02
    assert np.all(values["fee"] == 30)
    for k, r in LEDGER.items():
        if r.distribution != "lognormal":
            assert values[k].min() >= r.low and values[k].max() <= r.high
    again = uncertain.draw(LEDGER, 4096, seed=1)
    assert all(np.array_equal(values[k], again[k]) for k in values)


def model(values):
    return tco.npv(ITEMS, values, PLAN)


def test_the_tornado_is_one_at_a_time():
    swings = uncertain.tornado(model, LEDGER)
    assert [s.width for s in swings] == sorted((s.width for s in swings), reverse=True)
    assert {s.id for s in swings} == set(LEDGER) - {"fee"}
    for s in swings[:3]:
        for end, result in ((LEDGER[s.id].low, s.low), (LEDGER[s.id].high, s.high)):
            assert float(model(BASE | {s.id: end})) == pytest.approx(result)


def test_at_its_break_even_an_assumption_makes_nothing():
    found = {n: uncertain.break_even(model, LEDGER, n) for n in ("price", "wage", "volume")}
    assert any(v is not None for v in found.values())
    for name, value in found.items():
        if value is None:
            ends = [float(model(BASE | {name: v})) for v in (LEDGER[name].low, LEDGER[name].high)]
            assert ends[0] * ends[1] > 0
        else:
            assert float(model(BASE | {name: value})) == pytest.approx(0, abs=1e-6)


def test_sobol_indices_of_a_sum_are_its_shares_of_variance():
    rows = {n: row(n, 0, w / 2, w, law="uniform") for n, w in (("a", 1.0), ("b", 2.0), ("c", 3.0))}
    found = uncertain.sobol(lambda v: v["a"] + v["b"] + v["c"], rows, log2n=12)
    for name, share in (("a", 1 / 14), ("b", 4 / 14), ("c", 9 / 14)):
        assert found[name] == (pytest.approx(share, abs=0.01), pytest.approx(share, abs=0.01))


def test_rows_of_a_group_have_one_index():
    found = uncertain.sobol(model, LEDGER, log2n=8)
    assert "prices" in found and "price" not in found and "fee" not in found


def test_perfect_information_of_a_normal_result():
    results = stats.norm(1, 2).ppf((np.arange(20_000) + 0.5) / 20_000)
    exact = stats.norm.cdf(0.5) * 1 + 2 * stats.norm.pdf(0.5) - 1
    assert uncertain.perfect_information(results) == pytest.approx(exact, rel=1e-3)
    assert uncertain.perfect_information(np.array([1.0, 2.0])) == 0


HEAD = ",".join(tco.COLUMNS)
GOOD = "labels,Labels,status-quo,OpEx,R&D,yes,monthly,flat,1,,,volume * price,inflation,"


def read(tmp_path, *lines):
    path = tmp_path / "items.csv"
    path.write_text("\n".join([HEAD, *lines]) + "\n")
    return tco.read(path, LEDGER, "USD", 36)


def test_items_are_read(tmp_path):
    (found,) = read(tmp_path, GOOD)
    assert found.factors == (("volume", 1), ("price", 1)) and (found.start, found.end) == (1, 36)
    (once,) = read(tmp_path, GOOD.replace("monthly", "once").replace("volume * price", "build / 2"))
    assert float(tco.amount(once, BASE)) == 500


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("status-quo", "statusquo", "scenario: 'statusquo' is none of"),
        ("OpEx", "Opex", "category: 'Opex'"),
        ("R&D", "RD", "line: 'RD'"),
        ("yes", "true", "cash: 'true'"),
        ("monthly", "yearly", "kind: 'yearly'"),
        ("flat", "steep", "profile: 'steep'"),
        (",1,,,", ",x,,,", "start: 'x' is no month"),
        (",1,,,", ",40,,,", "start: '40' is no month from 0 to 36"),
        (",1,,,", ",9,,5,", "end: month 5 is before start 9"),
        ("volume * price", "volume * prize", "no assumption 'prize'"),
        ("volume * price", "price", "come out as USD/label"),
        ("volume * price", "volume * price * hours", "a monthly item needs USD/month"),
        ("volume * price", "volume * price / 0", "a factor of zero"),
        ("inflation", "fee", "growth: fee is in USD/month, not 1/year"),
        ("inflation", "deflation", "growth: no assumption"),
        ("labels,", "Labels!,", "id: 'Labels!'"),
        ("OpEx,R&D", "Opportunity,R&D", "Opportunity is no cash"),
        ("OpEx,R&D", "CapEx,R&D", "CapEx stands on line Capex"),
        ("OpEx,R&D", "OpEx,Capex", "CapEx stands on line Capex"),
        (",inflation,", ",inflation", "another number of fields"),
    ],
)
def test_a_wrong_item_names_row_and_field(tmp_path, old, new, complaint):
    assert old in GOOD
    with pytest.raises(Problem, match=r"row 2") as told:
        read(tmp_path, GOOD.replace("labels,L", "first,L"), GOOD.replace(old, new, 1))
    assert complaint in str(told.value)


def test_an_id_twice(tmp_path):
    with pytest.raises(Problem, match="row 2, id: 'labels' stands twice"):
        read(tmp_path, GOOD, GOOD)
