"""From cost to value: statements by hand, two ways to each total, and sums that must agree."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pytest
import pyxirr
from few import row
from hypothesis import given
from hypothesis import strategies as st

from synthecon import Problem, paths
from synthecon.economics import cashflow, classify, compare, formula, ledger, model, tco, uncertain
from synthecon.strategy import cycle, figures_value, value, worth

S = 5
money = st.floats(-1e6, 1e6)
share = st.floats(0, 1)


# -- The formulas ---------------------------------------------------------------------------------


def test_ebitda_and_free_cash_flow_by_hand():
    assert worth.ebitda(1000, 600, 90) == 310
    # 310 − 25 % of (310 − 40) − 50
    assert worth.free_cash_flow(310, 40, 50, 0.25) == pytest.approx(192.5)
    assert worth.free_cash_flow(-100, 0, 0, 0.25) == pytest.approx(-75)  # a loss saves tax


@given(money, money, money, share)
def test_capitalising_moves_cost_out_of_ebitda_and_tax_is_all_it_does_to_cash(e, cost, other, tax):
    expensed = worth.free_cash_flow(e - cost, other, 0, tax)
    capitalised = worth.free_cash_flow(e, other, cost, tax)  # nothing depreciated yet
    assert capitalised - expensed == pytest.approx(-tax * cost, abs=1e-6)


@given(st.lists(money, min_size=1, max_size=8), st.floats(0.01, 0.5), money, st.floats(-0.5, 0.005))
def test_dcf_against_the_cash_flow_functions(flows, rate, steady, growth):
    found = worth.by_dcf(flows, rate, steady, growth)
    assert found.explicit == pytest.approx(pyxirr.npv(rate, [0.0, *flows]), abs=1e-6)
    later = cashflow.terminal_value(steady * (1 + growth), rate, growth)
    assert found.tail == pytest.approx(later / (1 + rate) ** len(flows), rel=1e-9, abs=1e-6)
    assert found.value == found.explicit + found.tail
    assert 0 <= found.tail_share <= 1
    assert worth.by_dcf(flows, rate).tail == 0


def test_the_tail_is_the_sum_of_a_thousand_years():
    rate, growth, steady = 0.11, -0.08, 100.0
    years = sum(steady * (1 + growth) ** n / (1 + rate) ** (3 + n) for n in range(1, 1000))
    found = worth.by_dcf([0, 0, 0], rate, steady, growth)
    assert found.tail == pytest.approx(years)
    assert found.tail_share == 1


def test_a_steady_flow_replaces_its_equipment():
    # EBITDA 100, a machine of 60 every three years: 20 a year spent, and as much depreciated
    assert worth.steady_flow(100, 60, 3, 0.25) == pytest.approx(100 - 0.25 * 80 - 20)
    assert worth.by_multiple(-5, 8) == -40


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: worth.by_multiple(1, 0),
        lambda: worth.by_multiple(float("nan"), 1),
        lambda: worth.by_dcf([1], 0.1, 1, 0.1),
        lambda: worth.by_dcf([1], -1),
        lambda: worth.free_cash_flow(1, 0, 0, 1.1),
        lambda: worth.steady_flow(1, 1, 0, 0.2),
        lambda: worth.ebitda(1, float("inf")),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r".+"):
        wrong()


# -- A model of a few items -----------------------------------------------------------------------


def item(name, scenario, category, line, *factors, **change):
    plain = tco.Item(
        name, name, scenario.split(), category, line, True, "monthly", 1.0, 0.0, 36.0, 0.0,
        tuple((f, 1) for f in factors), "", "",
    )  # fmt: skip
    return replace(plain, scenario=tuple(plain.scenario), **change)


ROWS = [
    row("finance.wacc", 0.08, 0.1, 0.12, "1/year"),
    row("finance.tax", 0.25),
    row("finance.capex-life", 3, unit="years"),
    row("growth.revenue", 0.0, 0.1, 0.2, "1/year"),
    row("growth.other-cost", 0.0, 0.05, 0.1, "1/year"),
    row("growth.inference", 0.0, 0.2, 0.4, "1/year"),
    row("value.multiple", 5, 8, 12, "years"),
    row("value.tail-growth", -0.2, -0.1, 0.0, "1/year"),
    row("revenue.month", 1000, unit="USD/month"),
    row("bill.inference", 200, unit="USD/month"),
    row("bill.labelling", 100, unit="USD/month"),
    row("payroll.labelling", 50, unit="USD/month"),
    row("share.left", 0.3, 0.5, 0.9),
    row("cost.build", 500, 900, 2000, "USD"),
    row("cost.run", 20, 30, 40, "USD/month"),
    row("cost.tool", 5, 10, 20, "USD/month"),
    row("cost.lost", 7, 8, 9, "USD/month"),
    row("price.node", 360, unit="USD"),
    row("other", 1.0, 2.0, 3.0),
]
DERIVED = [
    ledger.Derived(
        "cost.student", "left", formula.parse("bill.inference * share.left"), "USD/month", "",
        "bill.inference * share.left", date(2026, 1, 31), "finance", "",
    )
]  # fmt: skip
ITEMS = [
    item("quo.answers", "status-quo", "OpEx", "COGS", "bill.inference", growth="growth.inference"),
    item("pipe.answers", "pipeline", "OpEx", "COGS", "cost.student", growth="growth.inference"),
    item("quo.labels", "status-quo", "OpEx", "R&D", "bill.labelling"),
    item("pipe.labels", "pipeline", "OpEx", "R&D", "bill.labelling", "share.left"),
    item("both.people", "status-quo pipeline", "People", "R&D", "payroll.labelling"),
    item("pipe.run", "pipeline", "People", "COGS", "cost.run"),
    item("pipe.legal", "pipeline", "People", "G&A", "cost.run"),
    item("pipe.tool", "pipeline", "OpEx", "R&D", "cost.tool"),
    item("pipe.build", "pipeline", "People", "R&D", "cost.build", kind="once", start=2.0),
    item("pipe.lost", "pipeline", "People", "R&D", "cost.lost", end=6.0, fade=2.0),
    item("pipe.node", "pipeline", "CapEx", "Capex", "price.node", kind="once", start=0.0),
    item("quo.late", "status-quo", "Opportunity", "none", "cost.lost", cash=False),
]


@pytest.fixture(scope="module", autouse=True)
def books_of_the_toy():
    """The toy's books have no months: all of them are recent."""
    recent = model.recent
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            model,
            "recent",
            lambda case: case if isinstance(case, SimpleNamespace) else recent(case),
        )
        yield


LINES = pa.table(
    {
        "class": ["inference", "serving", "serving", "sales", "credit", "tax", "unknown"],
        "line": ["COGS", "COGS", "COGS", "S&M", "Credits", "Tax", "Unclassified"],
        "effective": [Decimal(x) for x in (2400, 360, 240, 480, -120, 60, 36)],
    }
)
CLASSES = {
    name: SimpleNamespace(ml=name == "inference") for name in set(LINES["class"].to_pylist())
}
AUDIT = SimpleNamespace(
    case=SimpleNamespace(
        policy=SimpleNamespace(classes=CLASSES, months=["m"] * 12, currency="USD"),
        lines=SimpleNamespace(table=LINES),
    )
)


def a_model(items=ITEMS, rows=ROWS):
    named = {r.id: r for r in rows}
    return model.Model(Path("case"), AUDIT, named, {d.id: d for d in DERIVED}, items)


M = a_model()
BASE = M.base()
MANY = M.fill({k: v[:S] for k, v in uncertain.draw(M.rows, 8, 1).items()})
EACH = pytest.mark.parametrize("values", [BASE, MANY], ids=["base", "scenarios"])


def test_the_books_outside_machine_learning_without_credits():
    assert value.outside(M) == {"COGS": 50, "R&D": 0, "S&M": 40, "G&A": 0, "Other": 8}


def test_a_statement_by_hand():
    still = M.base(**{"growth.revenue": 0.0, "growth.other-cost": 0.0, "growth.inference": 0.0})
    quo, pipe = (value.years(M, still)[way] for way in tco.SCENARIOS)
    assert quo.revenue == pytest.approx(np.full(3, 12_000))
    assert quo.cogs == pytest.approx(np.full(3, 12 * (200 + 50)))
    assert quo.research == pytest.approx(np.full(3, 12 * (100 + 50)))
    assert quo.ebitda == pytest.approx(np.full(3, 12 * (1000 - 250 - 150 - 40 - 8)))
    assert quo.gross_margin == pytest.approx(np.full(3, 0.75))
    assert pipe.cogs == pytest.approx(np.full(3, 12 * (100 + 30 + 50)))
    assert pipe.administration == pytest.approx(np.full(3, 12 * 30))
    lost = 8 * (6 + 2 / 3 + 1 / 3)  # six full months, then fading out over two
    assert pipe.one_off == pytest.approx([900 + lost, 0, 0])
    assert pipe.depreciation == pytest.approx(np.full(3, 120))
    assert pipe.capital == pytest.approx([360, 0, 0])
    assert pipe.tax == pytest.approx(0.25 * (pipe.ebitda - 120))
    assert pipe.profit == pytest.approx(0.75 * (pipe.ebitda - 120))
    assert pipe.fcf == pytest.approx(
        [worth.free_cash_flow(e, 120, c, 0.25) for e, c in zip(pipe.ebitda, pipe.capital,
                                                               strict=True)]
    )  # fmt: skip


@EACH
def test_the_difference_is_the_cash_of_the_model(values):
    change = value.delta(M, values)
    assert change.fcf == pytest.approx(compare.statement(M, values).cash)
    flow = tco.advantage(M.items, values, M.plan(values))
    assert change.fcf.sum(-1) == pytest.approx(flow.sum(-1))
    assert value.enterprise_value(M, values).explicit == pytest.approx(M.npv(values))


def test_scenarios_are_so_many_single_cases():
    many, ev = value.years(M, MANY), value.enterprise_value(M, MANY)
    for s in range(S):
        one = {k: float(v[s]) for k, v in MANY.items()}
        single = value.years(M, one)
        for way in tco.SCENARIOS:
            for name in (f.name for f in fields(value.Years)):
                mine = np.broadcast_to(getattr(many[way], name), (S, *np.shape(many[way].cogs)[1:]))
                assert mine[s] == pytest.approx(np.broadcast_to(getattr(single[way], name), 3))
        assert ev.by_dcf[s] == pytest.approx(float(value.enterprise_value(M, one).by_dcf))


@EACH
def test_the_bridge_adds_up_and_has_every_item_once(values):
    found = value.bridge(M, values)
    assert found.start + sum(s.amount for s in found.steps) == pytest.approx(found.end)
    names = [name for s in found.steps for name in s.items]
    wanted = [i.id for i in ITEMS if i.cash and i.category != "CapEx" and len(i.scenario) == 1]
    assert sorted(names) == sorted(wanted)
    ids = [s.id for s in found.steps]
    assert ids == ["bill.inference", "bill.labelling", "new.people", "new.bought", "one-off"]
    assert found.steps[0].name == "quo.answers"


@EACH
def test_cogs_saved_less_what_is_taken_and_the_rest_is_the_change_of_ebitda(values):
    found, change = value.arrival(M, values), value.delta(M, values)
    assert found.saved - found.taken + found.other == pytest.approx(change.recurring)
    assert found.arrives + found.other == pytest.approx(change.recurring)
    people = 12 * np.asarray(values["cost.run"])[..., None]  # on G&A; those on COGS are in saved
    tools = 12 * np.asarray(values["cost.tool"])[..., None]
    assert found.taken == pytest.approx(np.broadcast_to(people + tools, found.taken.shape))


def test_capitalising_lifts_ebitda_by_the_cost_and_total_cash_by_nothing():
    plain, booked = (value.delta(M, BASE, capitalised=c) for c in ((), ("pipe.build",)))
    assert booked.ebitda - plain.ebitda == pytest.approx([900, 0, 0])
    assert booked.capital - plain.capital == pytest.approx([900, 0, 0])
    assert booked.fcf.sum() == pytest.approx(plain.fcf.sum())
    assert booked.fcf[0] < plain.fcf[0]
    assert booked.recurring == pytest.approx(plain.recurring)
    with pytest.raises(ValueError, match=r"pipe\.node"):
        value.years(M, BASE, capitalised=["pipe.node"])


def test_what_happens_once_is_in_no_multiple():
    dear = M.base(**{"cost.build": 2000.0, "cost.lost": 9.0, "price.node": 9999.0})
    cheap, costly = (value.enterprise_value(M, v) for v in (BASE, dear))
    assert costly.by_multiple == cheap.by_multiple
    assert costly.by_dcf < cheap.by_dcf
    late = [replace(i, start=30.0) if i.id == "pipe.build" else i for i in ITEMS]
    assert value.enterprise_value(a_model(late), BASE).by_multiple == cheap.by_multiple


@EACH
def test_value_by_multiple_and_by_cash(values):
    ev = value.enterprise_value(M, values)
    rate, growth = (np.asarray(values[k]) for k in ("finance.wacc", "value.tail-growth"))
    assert ev.by_multiple == pytest.approx(ev.recurring * np.asarray(values["value.multiple"]))
    assert ev.by_multiple_now == pytest.approx(ev.by_multiple / (1 + rate) ** 3)
    for s in range(np.size(ev.recurring)):
        at = np.ravel
        steady = worth.steady_flow(at(ev.recurring)[s], 360, 3, 0.25)
        assert at(ev.steady)[s] == pytest.approx(steady)
        tail = worth.by_dcf([0, 0, 0], at(rate)[s], steady, at(growth)[s]).tail
        assert at(ev.tail)[s] == pytest.approx(tail)
    assert ev.own_multiple * ev.recurring == pytest.approx(ev.tail * (1 + rate) ** 3)
    assert ev.multiple_with_cash == pytest.approx(M.npv(values) + ev.by_multiple / (1 + rate) ** 3)
    # Cash in the middle of each year instead of at its end: half a year less to wait
    sooner = (ev.tail + ev.mid_year) / ev.tail
    assert sooner**2 == pytest.approx(1 + rate)
    assert ev.tail_share == pytest.approx(np.abs(ev.tail) / (np.abs(ev.tail) + np.abs(ev.explicit)))
    bare = value.enterprise_value(M, values, tail=False)
    assert np.all(bare.tail == 0)
    assert bare.by_dcf == pytest.approx(M.npv(values))
    assert bare.own_multiple == pytest.approx(ev.own_multiple)


def test_a_tail_that_outgrows_the_rate_is_refused():
    with pytest.raises(ValueError, match=r"value\.tail-growth"):
        value.enterprise_value(M, M.base(**{"value.tail-growth": 0.1}))


def test_the_multiple_that_two_values_agree_on():
    ev = value.enterprise_value(M, BASE)
    times = value.multiple_for(ev.recurring, ev.by_multiple)
    assert times == pytest.approx(BASE["value.multiple"])
    assert np.isnan(value.multiple_for(0.0, 1.0))


@EACH
def test_at_this_growth_the_cash_is_worth_the_multiple(values):
    ev = value.enterprise_value(M, values)
    rate = np.asarray(values["finance.wacc"])
    found = value.growth_for(ev.recurring, ev.steady, ev.multiple, rate)
    # An oracle that knows no closed form: the years after the plan, one by one
    year = np.arange(1, 4000)
    flows = np.ravel(ev.steady)[:, None] * (1 + np.ravel(found)[:, None]) ** year
    worth_then = (flows / (1 + np.ravel(rate)[:, None]) ** year).sum(1)
    assert worth_then == pytest.approx(np.ravel(ev.by_multiple), rel=1e-6)


def test_a_row_for_another_question_changes_no_scenario():
    found = value.focus(M, ["cost.tool"])
    assert "other" not in found.rows
    assert set(value.NEEDED) <= {*found.rows, *found.derived}
    assert all(i.cash for i in found.items)
    without = value.focus(a_model(rows=[r for r in ROWS if r.id != "other"]), ["cost.tool"])
    assert np.array_equal(found.npv(found.draw(8, 1)), without.npv(without.draw(8, 1)))
    with pytest.raises(Problem, match=r"case.ledger.csv: there is no row 'nobody'"):
        value.focus(M, ["nobody"])


def test_the_summary_is_the_statement():
    found, ways = value.summary(M, BASE), value.years(M, BASE)
    assert found["ebitda.pipe"] == pytest.approx(ways["pipeline"].ebitda)
    assert found["fcf.delta"] == pytest.approx(value.delta(M, BASE).fcf)
    gain = ways["pipeline"].gross_margin - ways["status-quo"].gross_margin
    assert found["gross-margin.delta"] == pytest.approx(gain)


@pytest.mark.parametrize("name", ["case", "case-tannhof"])
def test_without_growth_the_status_quo_is_the_audit_line_by_line(name):
    real = model.load(paths.root() / name, check_sources=False)
    extra = {r.id: r for r in ROWS if r.id in value.NEEDED}
    real = replace(real, rows=extra | dict(real.rows), derived={
        k: d for k, d in real.derived.items()})  # fmt: skip
    still = real.base(**{r: 0.0 for r in real.rows if r.startswith("growth.")})
    found = value.years(real, still)["status-quo"]
    # A year at the rate of the last three months of the books
    months = real.policy.months[-3:]
    by_line = classify.totals(real.audit.case.lines.table, "line", "month")
    audited: dict[str, float] = {}
    for (line, month), amount in by_line.items():
        if month in months:
            audited[line] = audited.get(line, 0.0) + 4 * float(amount)
    revenue = 4 * float(sum(real.audit.case.revenue[month] for month in months))
    assert found.cogs[0] == pytest.approx(audited["COGS"])
    assert found.research[0] == pytest.approx(audited["R&D"])
    assert found.sales[0] == pytest.approx(audited["S&M"])
    assert found.administration[0] == pytest.approx(audited["G&A"])
    assert found.other[0] == pytest.approx(audited["Tax"] + audited["Unclassified"])
    assert found.revenue[0] == pytest.approx(revenue)
    assert np.all(found.one_off == 0)
    checked = value.against_books(real)
    assert checked["R&D"] == pytest.approx((audited["R&D"], audited["R&D"]))
    dropped = replace(real, items=[i for i in real.items if i.id != "both.features"])
    with pytest.raises(Problem, match=r"R&D: .* in the audited books"):
        value.against_books(dropped)


def test_books_of_other_months_are_no_oracle():
    """The whole year lies half a year back on every curve that grows."""
    real = model.load(paths.root() / "case", check_sources=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value, "outside", lambda m: dict.fromkeys(value.LINES, 0.0))
        with pytest.raises(Problem, match=r"S&M: ") as told:
            value.against_books(real)
    assert "COGS" in str(told.value)  # every line that differs, at once


# -- Cycle time -----------------------------------------------------------------------------------

DAYS = {
    "velocity.images": 100.0, "velocity.cores": 4.0, "velocity.label-wait": 10.0,
    "velocity.check": 1.0, "velocity.decide": 3.0, "velocity.approval": 8.0,
    "velocity.gates": 2.0, "velocity.experiments": 5.0, "velocity.needs-data": 0.4,
    "measured.generation": 0.001, "transfer.generation": 3_456_000.0,
    "measured.training": 0.02, "transfer.training": 2_160_000.0,
    "transfer.wait-labels": 0.3, "transfer.wait-approval": 0.25,
}  # fmt: skip


def test_an_experiment_and_a_release_by_hand():
    labels, images = (cycle.experiment(DAYS, way) for way in cycle.WAYS)
    # 0.02 s × 2.16 million = half a day; 100 × 0.001 s × 3.456 million ÷ 4 cores = one day
    assert list(labels.values()) == pytest.approx([10, 0, 0, 0.5, 3])
    assert list(images.values()) == pytest.approx([7, 1, 1, 0.5, 3])
    assert cycle.release(DAYS, cycle.WAYS[0]) == pytest.approx(5 * (3.5 + 0.4 * 10) + 8)
    assert cycle.release(DAYS, cycle.WAYS[1]) == pytest.approx(5 * (3.5 + 0.4 * 9) + 6 + 2)
    assert set(cycle.ROWS) == DAYS.keys()
    with pytest.raises(ValueError, match="magic"):
        cycle.release(DAYS, "magic")


# -- Figures --------------------------------------------------------------------------------------


@pytest.fixture
def ax():
    yield lambda: plt.gca()
    plt.close("all")


def test_a_waterfall_leads_from_start_to_end(ax):
    figures_value.waterfall(("a", 100_000), [("up", 30_000), ("down", -50_000)], ("b", 80_000),
                            "USD")  # fmt: skip
    bars = ax().patches
    assert bars[1].get_x() + bars[1].get_width() == pytest.approx(130)
    assert bars[2].get_x() + bars[2].get_width() == pytest.approx(80)
    with pytest.raises(ValueError, match="miss the end"):
        figures_value.waterfall(("a", 1), [("up", 1)], ("b", 3), "USD")


def test_a_trough_is_beyond_the_limit_or_within(ax):
    figures_value.troughs(np.array([100.0, 200, 300, 400] * 50) * 1000, 250_000, "USD")
    shown = ax()
    beyond = [b for b in shown.patches if b.get_facecolor()[:3] == (179 / 255, 38 / 255, 30 / 255)]
    assert min(b.get_x() for b in beyond) == pytest.approx(250)
    assert sum(b.get_height() for b in beyond) == pytest.approx(50)
    assert "beyond it in 50 % of scenarios" in [t.get_text() for t in shown.texts]


def test_all_scenarios_beyond_the_limit_are_no_certainty(ax):
    figures_value.troughs(np.linspace(3e5, 4e5, 50), 2e5, "USD")
    assert "beyond it in >99 % of scenarios" in [t.get_text() for t in ax().texts]


def test_a_label_of_a_range_lies_over_the_line_at_zero(ax):
    figures_value.worths([("a", (-1e5, 1e4, 2e5), "green")], "USD", what="NPV")
    shown = ax()
    zero = [line for line in shown.lines if list(line.get_xdata()) == [0, 0]]
    (label,) = shown.texts
    assert zero[0].get_zorder() < label.get_zorder()
    assert label.get_bbox_patch() is not None
    assert shown.get_xlabel() == "NPV, thousand USD"


def test_durations_end_in_their_sum(ax):
    figures_value.durations({"a": {"wait": 3.0, "work": 1.5}, "b": {"work": 1.0}})
    shown = ax()
    assert {"4.5 days", "1.0 days"} <= {t.get_text() for t in shown.texts}
