"""Cost items over time, against a loop over items and months, pyxirr and sums by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st

from synthecon import Problem
from synthecon.economics import accounts, bench, cashflow, ledger, tco
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
        row("student", 2, 4.5, 8, "months"),
        row("fading", 0, 1.5, 6, "months"),
    )
}
BASE = {k: r.base for k, r in LEDGER.items()}


def item(name, scenario, factors, **change):
    plain = tco.Item(
        id=name, name=name, scenario=scenario, category="OpEx", line="COGS", cash=True,
        kind="monthly", start=1.0, ramp=0.0, end=36.0, fade=0.0, factors=factors, growth="",
        note="",
    )  # fmt: skip
    return replace(plain, **change)


QUO, PIPE, BOTH = ("status-quo",), ("pipeline",), tco.SCENARIOS
LABELS = (("volume", 1), ("price", 1))
ITEMS = [
    item("labels", QUO, LABELS, growth="inflation"),
    item("tail", PIPE, LABELS, end="student", fade="fading", growth="inflation"),
    item("people", PIPE, (("wage", 1), ("hours", 1)), start="student", ramp=4.0,
         category="People", line="R&D"),
    item("server", PIPE, (("build", 1),), kind="once", start=0.0, category="CapEx", line="Capex"),
    item("later", PIPE, (("build", 1), ("2", -1)), kind="once", start="student", category="CapEx",
         line="Capex"),
    item("fee", BOTH, (("fee", 1),)),
    item("late", QUO, (("fee", 1),), category="Opportunity", line="none", cash=False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "months"),
    [
        ({"start": 2.0, "ramp": 4.0, "end": 7.0}, [0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 0]),
        ({"end": 2.0, "fade": 3.0}, [0, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0]),
        ({"start": 3.5}, [0, 0, 0, 0.5, 1, 1, 1, 1, 1]),
        ({"end": 3.25}, [0, 1, 1, 1, 0.25, 0, 0, 0, 0]),
        ({"start": 2.5, "ramp": 2.0, "end": 5.0, "fade": 1.0}, [0, 0, 0.25, 0.75, 1, 1, 0.5, 0, 0]),
        ({"start": 0.0}, [0, 1, 1, 1, 1, 1, 1, 1, 1]),
        ({"kind": "once", "start": 3.0}, [0, 0, 0, 1, 0, 0, 0, 0, 0]),
        ({"kind": "once", "start": 3.25}, [0, 0, 0, 0.75, 0.25, 0, 0, 0, 0]),
        ({"kind": "once", "start": 0.0}, [1, 0, 0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_shapes_by_hand(change, months):
    assert item("x", QUO, (), **change).shape(8, {}).tolist() == months


def by_loop(items, values, months):
    """The same sum, month by month and item by item, in plain Python."""
    total = [0.0] * (months + 1)
    for i in items:
        level = 1.0
        for name, power in i.factors:
            level *= (values[name] if name in values else float(name)) ** power
        start, ramp, end, fade = (values[w] if isinstance(w, str) else w for w in i.times)
        for t in range(months + 1):
            if i.kind == "once":
                share = max(0.0, 1 - abs(t - start))
            elif t == 0 or t < start - 1:
                share = 0.0
            else:
                rise = min(1.0, (t - start + 1) / (ramp if ramp > 1 else 1))
                share = rise if t <= end else max(0.0, min(rise, 1 - (t - end) / (fade + 1)))
            grown = (1 + values[i.growth]) ** (t / 12) if i.growth else 1.0
            total[t] += level * share * grown
    return total


months_of = st.one_of(st.integers(0, 36).map(float), st.floats(0, 40))
anything = st.builds(
    item,
    st.just("x"),
    st.sampled_from([QUO, PIPE, BOTH]),
    st.sampled_from([LABELS, (("wage", 1), ("hours", 1)), (("build", 1), ("12", -1))]),
    kind=st.sampled_from(["once", "monthly"]),
    category=st.sampled_from(["CapEx", "OpEx", "People"]),
    line=st.sampled_from(["COGS", "R&D", "Capex"]),
    growth=st.sampled_from(["", "inflation"]),
    start=st.one_of(months_of, st.just("student")),
    ramp=st.one_of(st.floats(0, 12), st.just("fading")),
    end=st.one_of(months_of, st.just("student")),
    fade=st.one_of(st.floats(0, 12), st.just("fading")),
)
choices = st.fixed_dictionaries(
    {
        "volume": st.floats(0, 1e4), "price": st.floats(0, 9), "wage": st.floats(0, 99),
        "hours": st.floats(0, 99), "build": st.floats(0, 1e5), "inflation": st.floats(-0.5, 1),
        "fee": st.just(30.0), "student": st.floats(0, 40), "fading": st.floats(0, 9),
    }
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(anything, min_size=1, max_size=6), st.lists(choices, min_size=1, max_size=3))
def test_flows_are_the_sum_of_the_items_one_by_one(items, each):
    together = tco.flows(items, {k: np.array([v[k] for v in each]) for k in BASE}, 36)
    for found, values in zip(together, each, strict=True):
        assert found == pytest.approx(by_loop(items, values, 36), rel=1e-9, abs=1e-6)
        alone = sum(tco.flows([i], values, 36) for i in items)
        assert found == pytest.approx(alone, rel=1e-9, abs=1e-6)


@settings(max_examples=30)
@given(st.lists(anything, min_size=1, max_size=6), choices)
def test_categories_and_lines_add_up_to_the_total(items, values):
    whole = tco.flows(items, values, 36)
    for name, parts in (("category", get_args(tco.Category)), ("line", get_args(tco.Line))):
        split = (tco.flows([i for i in items if getattr(i, name) == p], values, 36) for p in parts)
        assert sum(split) == pytest.approx(whole, rel=1e-9, abs=1e-6)


@settings(max_examples=40)
@given(
    st.lists(anything, min_size=1, max_size=6), choices, st.floats(0, 0.4), st.floats(0, 0.6),
    st.integers(1, 60),
)  # fmt: skip
def test_the_value_is_that_of_a_loop_with_pyxirr(items, values, rate, tax, life):
    plan = tco.Plan(36, rate, tax, life / 12)
    found = float(tco.npv(items, values, plan))
    assert found == pytest.approx(bench.textbook(items, values, plan), rel=1e-9, abs=1e-3)


def test_npv_is_pyxirrs_on_the_loops_flows():
    """With the depreciation of `accounts`, so with no line of tco's or bench's in it."""
    flows = np.zeros(37)
    for scenario, sign in (("status-quo", 1), ("pipeline", -1)):
        some = [i for i in ITEMS if i.cash and scenario in i.scenario]
        capital = np.array(by_loop([i for i in some if i.category == "CapEx"], BASE, 36))
        operating = np.array(by_loop([i for i in some if i.category != "CapEx"], BASE, 36))
        tax = np.zeros(37)
        for month, spent in enumerate(capital):
            for later, charge in enumerate(accounts.straight_line(spent, 0, 36), month + 1):
                tax[min(later, 36)] += 0.25 * charge
        flows += sign * (capital + 0.75 * operating - tax)
    monthly = cashflow.per_period(0.1, 12)
    assert float(tco.npv(ITEMS, BASE, PLAN)) == pytest.approx(pyxirr.npv(monthly, list(flows)))


flow_rows = st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5)


@given(flow_rows, flow_rows, st.floats(-9, 9), st.floats(0, 1))
def test_present_value_is_linear(a, b, times, rate):
    a, b = np.array(a), np.array(b)
    whole = tco.present(a + times * b, rate)
    parts = tco.present(a, rate) + times * tco.present(b, rate)
    assert whole == pytest.approx(parts, rel=1e-9, abs=1e-5)


@given(flow_rows, st.lists(st.floats(0, 1e6), min_size=5, max_size=5), st.floats(0, 0.5))
def test_better_flows_pay_back_no_later(flows, more, rate):
    never = float("inf")
    before = cashflow.payback(flows, rate)
    after = cashflow.payback([a + b for a, b in zip(flows, more, strict=True)], rate)
    assert (never if after is None else after) <= (never if before is None else before) + 1e-6


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=40), st.integers(1, 60))
def test_all_capital_is_depreciated_once(spent, life):
    charges = tco.depreciation(np.array(spent), life)
    assert charges.sum() == pytest.approx(sum(spent))
    by_hand = [0.0] * len(spent)
    for month, amount in enumerate(spent):
        for later in range(month + 1, month + life + 1):
            by_hand[min(later, len(spent) - 1)] += amount / life
    assert charges == pytest.approx(by_hand, abs=1e-6)


def test_a_life_that_ends_within_the_plan():
    """A life of two years and a half is 30 months, and none is an error."""
    server = [i for i in ITEMS if i.id == "server"]
    cost = tco.after_tax(server, BASE, replace(PLAN, life=2.5))
    assert cost[:32] == pytest.approx([1000] + [-0.25 * 1000 / 30] * 30 + [0])
    with pytest.raises(ValueError, match="at least one"):
        tco.after_tax(server, BASE, replace(PLAN, life=0.0))


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 17))
def test_chunked_is_unchunked(count, size):
    values = {k: np.full(count, v) for k, v in BASE.items()} | {
        "price": np.linspace(1, 4, count),
        "fee": np.array([30.0]),
        "wage": 50.0,
    }
    whole = tco.npv(ITEMS, values, PLAN)
    parts = [tco.npv(ITEMS, some, PLAN) for some in tco.chunks(values, size)]
    assert len(parts) == -(-count // size)
    assert np.concatenate(parts) == pytest.approx(whole, rel=1e-12)


@settings(max_examples=30)
@given(st.floats(0, 1e6), months_of, st.sampled_from([QUO, PIPE, BOTH]))
def test_opportunity_never_reaches_cash(fee, start, scenario):
    more = [*ITEMS, replace(ITEMS[-1], id="more", scenario=scenario, start=start)]
    values = BASE | {"fee": fee}
    assert tco.npv(more, values, PLAN) == tco.npv(ITEMS[:-1], values, PLAN)
    for s in tco.SCENARIOS:
        cash = (tco.after_tax(tco.of(i, s), values, PLAN) for i in (more, ITEMS[:-1]))
        assert np.array_equal(*cash)


def test_what_both_scenarios_pay_changes_nothing():
    without = [i for i in ITEMS if i.scenario != BOTH]
    assert len(without) == len(ITEMS) - 1
    assert tco.npv(ITEMS, BASE, PLAN) == pytest.approx(float(tco.npv(without, BASE, PLAN)))


HEAD = ",".join(tco.COLUMNS)
GOOD = "labels,Labels,status-quo,OpEx,R&D,yes,monthly,1,,,,volume * price,inflation,"


def read(tmp_path, *lines, head=HEAD, **options):
    path = tmp_path / "items.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return tco.read(path, LEDGER, "USD", 36, **options)


def test_items_are_read(tmp_path):
    (found,) = read(tmp_path, GOOD, "", "," * 13)
    assert found.factors == LABELS and found.times == (1, 0, 36, 0) and found.scenario == QUO
    (once,) = read(tmp_path, GOOD.replace("monthly", "once").replace("volume * price", "build / 2"))
    assert float(tco.amount(once, BASE)) == 500
    (faded,) = read(tmp_path, GOOD.replace(",1,,,,", ",student,3,9,fading,"))
    assert faded.times == ("student", 3, 9, "fading")
    (every,) = read(tmp_path, GOOD.replace("status-quo", "both"))
    assert every.scenario == BOTH
    two = read(tmp_path, GOOD.replace("status-quo", "buy rent"), scenarios=("buy", "rent", "build"))
    assert two[0].scenario == ("buy", "rent")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("status-quo", "statusquo", "scenario: 'statusquo' is none of status-quo, pipeline, both"),
        ("status-quo", "", "scenario: '' is none of"),
        ("status-quo", "both pipeline", "scenario: 'both pipeline' is none of"),
        ("OpEx", "Opex", "category: 'Opex' is none of CapEx, OpEx, People, Opportunity"),
        ("R&D", "RD", "line: 'RD' is none of"),
        ("yes", "true", "cash: 'true' is none of yes, no"),
        ("monthly", "yearly", "kind: 'yearly' is none of once, monthly"),
        ("Labels", "", "name: empty"),
        (",1,,,,", ",,,,,", "start: '' is no month from 0 to 36, and no id"),
        (",1,,,,", ",x,,,,", "start: 'x' is no month"),
        (",1,,,,", ",²,,,,", "start: '²' is no month"),
        (",1,,,,", ",-1,,,,", "start: '-1' is no month"),
        (",1,,,,", ",40,,,,", "start: '40' is no month from 0 to 36"),
        (",1,,,,", ",1,,37,,", "end: '37' is no month from 0 to 36"),
        (",1,,,,", ",9,,5,,", "end: month 5 is before start 9"),
        (",1,,,,", ",fee,,,,", "start: fee is in USD/month, not months"),
        (",1,,,,", ",1,,,3,", "fade: goes down after end, and end is empty; fill it in"),
        ("volume * price", "volume * prize", "factors: the ledger has no row 'prize'"),
        ("volume * price", "", "factors: empty"),
        ("volume * price", "(volume + hours) * price", "a sum is a derived row of its own"),
        ("volume * price", "volume price", "a sum is a derived row of its own"),
        ("volume * price", "price", "factors: they come out as USD/label, a monthly item needs"),
        ("volume * price", "build", "come out as USD, a monthly item needs USD/month"),
        ("volume * price", "volume * price * hours", "a monthly item needs USD/month"),
        ("volume * price", "volume * price / 0", "factors: a factor of zero"),
        ("inflation", "fee", "growth: fee is in USD/month, not 1/year"),
        ("inflation", "deflation", "growth: the ledger has no row 'deflation'"),
        ("labels,", "Labels!,", "id: 'Labels!' may have only"),
        ("labels,", "two labels,", "id: 'two labels' may have only"),
        ("labels,", ",", "id: '' may have only"),
        ("OpEx,R&D,yes", "Opportunity,none,yes", "cash: Opportunity is no cash; write no"),
        ("OpEx,R&D,yes", "Opportunity,R&D,no", "line: Opportunity stands on line none"),
        ("OpEx,R&D", "OpEx,none", "line: Opportunity stands on line none, and nothing else"),
        ("OpEx,R&D", "CapEx,R&D", "line: CapEx stands on line Capex"),
        ("OpEx,R&D", "OpEx,Capex", "line: CapEx stands on line Capex, and nothing else does"),
        (",inflation,", ",inflation", "13 fields, but the header has 14"),
        (",inflation,", ",inflation,,", "15 fields, but the header has 14"),
    ],
)
def test_a_wrong_item_names_line_and_field(tmp_path, old, new, complaint):
    assert old in GOOD
    with pytest.raises(Problem) as told:
        read(tmp_path, GOOD.replace("labels,L", "first,L"), GOOD.replace(old, new, 1))
    (line,) = str(told.value).splitlines()
    assert line.startswith(f"{tmp_path / 'items.csv'}, line 3") and complaint in line


@pytest.mark.parametrize("name", ["ramp", "end", "fade"])
def test_a_single_payment_has_no_course(tmp_path, name):
    cells = GOOD.replace("monthly", "once").replace("volume * price", "build").split(",")
    cells[tco.COLUMNS.index(name)] = "9"
    with pytest.raises(Problem, match=f"line 2, {name}: an item that is paid once has none"):
        read(tmp_path, ",".join(cells))


def test_a_month_of_the_ledger_outside_the_plan(tmp_path):
    columns = {name: "" for name in ledger.COLUMNS} | {"unit": "months"}
    late = ledger.Row(**columns | {"id": "student", "low": 2.0, "base": 9.0, "high": 40.0})
    path = tmp_path / "items.csv"
    path.write_text(f"{HEAD}\n{GOOD.replace(',1,,,,', ',student,,,,')}\n")
    with pytest.raises(Problem, match="start: student reaches from 2 to 40, and what lies outside"):
        tco.read(path, LEDGER | {"student": late}, "USD", 36)


def test_an_id_twice_and_everything_at_once(tmp_path):
    with pytest.raises(Problem) as told:
        read(tmp_path, GOOD, GOOD.replace("yes", "ja"), GOOD.replace("labels,", " labels ,"), "a,b")
    assert [line.split(", ", 1)[1][:8] for line in str(told.value).splitlines()] == [
        "line 5: ", "line 3, ", "line 3, ", "line 4, ",
    ]  # fmt: skip
    assert str(told.value).count("id: 'labels' is already on line 2") == 2


def test_files_that_hold_no_items(tmp_path):
    with pytest.raises(Problem, match="no item; one line each below the header"):
        read(tmp_path)
    with pytest.raises(Problem, match="missing column 'fade'"):
        read(tmp_path, GOOD, head=HEAD.replace(",fade", ""))
    with pytest.raises(Problem, match="unknown column 'colour'"):
        read(tmp_path, GOOD + ",red", head=HEAD + ",colour")
    with pytest.raises(Problem, match="separated by semicolons"):
        read(tmp_path, GOOD, head=HEAD.replace(",", ";"))
    with pytest.raises(Problem, match="there is no such file"):
        tco.read(tmp_path / "none.csv", LEDGER, "USD", 36)


def test_a_wrong_currency_is_seen(tmp_path):
    with pytest.raises(Problem, match="come out as USD/month, a monthly item needs EUR/month"):
        path = tmp_path / "items.csv"
        path.write_text(f"{HEAD}\n{GOOD}\n")
        tco.read(path, LEDGER, "EUR", 36)
