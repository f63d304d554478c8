"""The calculators against other ways to know: pyxirr, brute force, the closed form by hand."""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st

from synthecon import Problem, cli, paths
from synthecon.economics import calculators as calc
from synthecon.economics import calculators_case as own
from synthecon.economics import calculators_view as view
from synthecon.economics import formula, model, tco, units

MONEY = st.floats(0.01, 1e6)
SHARE = st.floats(0.01, 1)


@pytest.fixture(scope="module", params=["case", "case-tannhof"])
def company(request) -> model.Model:
    return model.load(paths.root() / request.param)


def at_base(name: str, **changes: float) -> dict[str, float]:
    """A plain set of inputs for each calculator, some replaced."""
    sets = {
        "unit-economics": dict(price=2.0, volume=50_000.0, hours=0.5, machine=0.8, utilisation=0.4,
                               other=0.5, fixed=20_000.0),
        "build-vs-buy": dict(volume=10_000.0, months=24.0, rate=0.1, buy_once=5e4, buy_month=5e3,
                             buy_unit=1.0, buy_growth=0.2, build_once=2e5, build_month=1e4,
                             build_machines=3.0, build_unit=0.1, build_growth=0.05),
        "sla-penalty": dict(down=4.0, outages=1.0, hours=730.0, fee=1e4, below_1=0.999,
                            credit_1=0.1, below_2=0.99, credit_2=0.25, below_3=0.95, credit_3=1.0,
                            cap=0.5, claimed=0.8, loss_hour=300.0, loss_outage=500.0),
        "distillation-payback": dict(traffic=20_000.0, teacher=2.0, student=0.5, moved=0.5,
                                     once=50_000.0, queries=1000.0, month=3000.0, months=36.0),
        "label-exchange": dict(labels=100.0, synthetic=4500.0, accuracy=90.0, accuracy_with=92.0,
                               more=400.0, accuracy_more=94.0, carries=0.5, label=0.5, example=1.0,
                               once=2000.0),
        "pivot-j-curve": dict(once=1e5, start=4.0, parallel=2.0, double=5e3, ramp=4.0, saving=2e4,
                              growth=0.1, month=5e3, rate=0.11, tax=0.25, months=36.0),
    }  # fmt: skip
    return sets[name] | changes


NAMES = [one.id for one in calc.ALL]


# -- Each calculator ------------------------------------------------------------------------------


def test_unit_economics_by_hand():
    found = calc.unit_economics(**at_base("unit-economics"))
    assert found.serving == pytest.approx(0.5 * 0.8 / 0.4)
    assert found.contribution == pytest.approx(0.5)
    assert found.margin == pytest.approx(0.25)
    assert found.cost == pytest.approx(1.5 + 0.4)
    assert found.result == pytest.approx(5000)
    assert found.break_even_volume == pytest.approx(40_000)
    # 2.0 − 0.5 − 0.4 leaves 1.1 for machines that cost 0.4 when always busy.
    assert found.break_even_utilisation == pytest.approx(0.4 / 1.1)


@given(MONEY, MONEY, st.floats(0.001, 10), MONEY, SHARE, st.floats(0, 1e3), MONEY)
def test_at_its_break_evens_nothing_is_left(price, volume, hours, machine, busy, other, fixed):
    given_ = dict(price=price, volume=volume, hours=hours, machine=machine, utilisation=busy,
                  other=other, fixed=fixed)  # fmt: skip
    found = calc.unit_economics(**given_)
    if found.break_even_volume is None:
        assert found.contribution <= 0
    elif found.break_even_volume <= calc.MOST:
        again = calc.unit_economics(**given_ | {"volume": found.break_even_volume})
        assert again.result == pytest.approx(0, abs=1e-6 * fixed)
    if found.break_even_utilisation:
        again = calc.unit_economics(**given_ | {"utilisation": found.break_even_utilisation})
        assert again.result == pytest.approx(0, abs=1e-6 * (price * volume + fixed))
    elif found.break_even_utilisation is None:
        busiest = calc.unit_economics(**given_ | {"utilisation": 1.0})
        assert busiest.result <= 1e-6 * (price * volume + fixed)


def test_build_and_buy_are_the_present_value_of_their_payments():
    x = at_base("build-vs-buy")
    found = calc.build_vs_buy(**x)
    t = np.arange(1, 25)
    monthly = (1 + x["rate"]) ** (1 / 12) - 1
    buy = x["buy_month"] + x["volume"] * x["buy_unit"] * (1 + x["buy_growth"]) ** (t / 12)
    build = x["build_month"] + x["volume"] * x["build_unit"] * (1 + x["build_growth"]) ** (t / 12)
    now = x["build_once"] + x["volume"] * x["build_machines"]
    assert found.buy == pytest.approx(pyxirr.npv(monthly, [x["buy_once"], *buy]))
    assert found.build == pytest.approx(pyxirr.npv(monthly, [now, *build]))
    assert found.saved == pytest.approx(found.buy - found.build)


@given(
    st.floats(1, 1e6), MONEY, MONEY, st.floats(0.1, 10), MONEY, MONEY, st.floats(0, 10),
    st.floats(0, 5), st.floats(-0.3, 0.5),
)  # fmt: skip
def test_at_the_break_evens_both_ways_cost_the_same(
    volume, once, month, unit, build_once, build_month, machines, build_unit, growth
):
    x = at_base(
        "build-vs-buy", volume=volume, buy_once=once, buy_month=month, buy_unit=unit,
        build_once=build_once, build_month=build_month, build_machines=machines,
        build_unit=build_unit, buy_growth=growth,
    )  # fmt: skip
    found = calc.build_vs_buy(**x)
    if found.break_even_volume and found.break_even_volume < 1e11:
        again = calc.build_vs_buy(**x | {"volume": found.break_even_volume})
        assert again.saved == pytest.approx(0, abs=1e-6 * again.buy)
    if found.break_even_price is not None:
        again = calc.build_vs_buy(**x | {"buy_unit": found.break_even_price})
        assert again.saved == pytest.approx(0, abs=1e-6 * again.buy)
    else:  # even for nothing the vendor is dearer
        assert calc.build_vs_buy(**x | {"buy_unit": 0.0}).saved > 0


def test_no_break_even_where_lines_do_not_meet():
    same = dict(buy_unit=0.1, build_unit=0.1, buy_growth=0.0, build_growth=0.0, build_machines=0.0)
    found = calc.build_vs_buy(**at_base("build-vs-buy", **same))
    assert found.break_even_volume is None
    assert found.saved < 0


def test_the_penalty_by_hand():
    found = calc.sla_penalty(**at_base("sla-penalty"))
    assert found.availability == pytest.approx(1 - 4 / 730)
    assert found.allowed == pytest.approx(0.73)
    assert (found.share, found.credit) == (0.1, pytest.approx(800))
    assert (found.loss, found.gap) == (1700, pytest.approx(900))
    assert found.covered == pytest.approx(800 / 1700)
    assert found.beyond == pytest.approx((0.5 * 0.8 * 1e4 - 500) / 300)  # the cap holds
    assert calc.sla_penalty(**at_base("sla-penalty", down=0.73)).share == 0  # met exactly
    assert calc.sla_penalty(**at_base("sla-penalty", down=700.0)).share == 0.5
    assert (
        calc.sla_penalty(**at_base("sla-penalty", loss_hour=0.0, loss_outage=0.0)).covered is None
    )


def says(name: str, **changes: float) -> str:
    one = calc.find(name)
    return view.answer(one, at_base(one.id, **changes), "EUR").says


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "covers 47.06 % of the loss; 900 EUR stays with you. Above 11.67 h of outage even the "
             "highest credit is less than the loss."),
        ({"loss_hour": 50.0}, "The credit covers the whole loss, 700 EUR. Above 70 h"),
        ({"down": 0.5}, "No credit comes back: the whole loss, 650 EUR, stays with you. Above"),
        ({"loss_outage": 5000.0}, "Even the highest credit is less than the shortest outage"),
        ({"loss_hour": 1.0}, "The highest credit would cover an outage of the whole month."),
        ({"down": 0.0}, "Nothing is lost in this month."),
    ],
)  # fmt: skip
def test_the_penalty_says_what_the_credit_covers(changes, told):
    said = says("sla-penalty", **changes)
    assert told in said
    assert said.count("covers") <= 1  # this month's credit; of the highest it says what it costs


def test_a_month_without_an_hour_of_outage_has_no_outage():
    found = calc.sla_penalty(**at_base("sla-penalty", down=0.0))
    assert (found.loss, found.gap, found.covered) == (0, 0, None)
    assert found.beyond == calc.sla_penalty(**at_base("sla-penalty")).beyond


@given(st.floats(0, 730), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1e4), st.floats(0, 1e4))
def test_beyond_that_outage_no_credit_covers_the_loss(down, cap, claimed, hour, outage):
    x = at_base("sla-penalty", down=down, cap=cap, claimed=claimed, loss_hour=hour,
                loss_outage=outage)  # fmt: skip
    found = calc.sla_penalty(**x)
    assert 0 <= found.credit <= cap * claimed * x["fee"] + 1e-9
    if found.beyond is not None and down > found.beyond + 1e-9:
        assert found.gap > -1e-6
    if found.beyond is None:
        assert hour == 0


@given(st.floats(0, 1e6), st.floats(0, 10), st.floats(0, 10), SHARE, MONEY, st.floats(0, 1e4))
def test_the_payback_is_when_the_sum_turns(traffic, teacher, student, moved, once, month):
    x = at_base("distillation-payback", traffic=traffic, teacher=teacher, student=student,
                moved=moved, once=once, month=month)  # fmt: skip
    found = calc.distillation_payback(**x)
    assert found.total == pytest.approx(found.saved * 36 - found.invested, rel=1e-9, abs=1e-6)
    assert found.invested == pytest.approx(once + 1000 * teacher)
    if found.payback is None:
        assert found.saved <= 0
    else:
        assert found.payback * found.saved == pytest.approx(found.invested)
    if found.break_even_traffic is None:
        assert student >= teacher
    elif found.break_even_traffic < calc.MOST:
        again = calc.distillation_payback(**x | {"traffic": found.break_even_traffic})
        assert again.total == pytest.approx(0, abs=1e-6 * (found.invested + 36 * month))


def test_the_student_pays_back_by_hand():
    found = calc.distillation_payback(**at_base("distillation-payback"))
    assert found.saved == 20_000 * 0.5 * 1.5 - 3000
    assert found.payback == pytest.approx(52_000 / 12_000)
    assert found.break_even_traffic == pytest.approx((3000 + 52_000 / 36) / 0.75)


def test_label_exchange_by_hand():
    found = calc.label_exchange(**at_base("label-exchange"))
    assert found.worth == pytest.approx(200)  # half the way, on a logarithmic scale
    assert found.replaced == pytest.approx(50)
    assert found.examples == pytest.approx(90)
    assert found.cost == pytest.approx(0.09)
    assert found.break_even_price == pytest.approx(1000 * 0.5 / 90)
    assert found.break_even_labels == pytest.approx(2000 / 0.41)


@given(st.floats(80, 94), st.floats(80.1, 99), st.floats(0, 1))
def test_the_exchange_rate_is_lesson_ones_reading(low, high, part):
    exchange = pytest.importorskip("synthecon.physics.exchange")
    if high <= low + 0.1:
        return
    with_ = low + part * (high - low)
    x = at_base("label-exchange", accuracy=low, accuracy_with=with_, accuracy_more=high)
    found = calc.label_exchange(**x)
    assert found.worth == pytest.approx(exchange.labels_for([100, 400], [low, high], with_))


@given(st.floats(91, 94), SHARE, MONEY)
def test_at_its_price_a_synthetic_example_costs_what_the_label_does(accuracy, carries, label):
    x = at_base("label-exchange", accuracy_with=accuracy, carries=carries, label=label)
    found = calc.label_exchange(**x)
    if found.break_even_price <= calc.MOST:
        again = calc.label_exchange(**x | {"example": found.break_even_price})
        assert again.cost == pytest.approx(label)


def test_the_exchange_says_what_each_price_is_for():
    assert says("label-exchange", example=10.0) == (
        "90 examples replace one label and cost 0.9 EUR; a label costs 0.5 EUR. They pay when a "
        "thousand examples cost less than 5.556 EUR (today 10 EUR)."
    )
    assert says("label-exchange").endswith(
        "cost 0.09 EUR; a label costs 0.5 EUR. The generator is repaid after 4,878 labels."
    )
    assert says("label-exchange", label=0.0).endswith("costs 0 EUR. No price makes them pay.")
    one = calc.find("label-exchange")
    found = view.answer(one, at_base(one.id), "EUR")
    assert found.texts["break_even_price"] == "5.556 EUR/1000 examples"


def test_examples_that_hurt_replace_nothing():
    found = calc.label_exchange(**at_base("label-exchange", accuracy_with=88.0))
    assert (found.replaced, found.examples, found.break_even_price) == (0, None, None)
    dear = calc.label_exchange(**at_base("label-exchange", example=1e4))
    assert dear.break_even_labels is None
    assert dear.break_even_price is not None


PIVOT = st.fixed_dictionaries(
    {
        "once": st.floats(0, 1e6),
        "start": st.floats(1, 12),
        "parallel": st.floats(0, 6),
        "double": st.floats(0, 1e5),
        "ramp": st.floats(0, 12),
        "saving": st.floats(0, 1e5),
        "growth": st.floats(-0.3, 0.5),
        "month": st.floats(0, 5e4),
        "rate": st.floats(0, 0.4),
        "tax": st.floats(0, 0.5),
        "months": st.integers(1, 60).map(float),
    }
)


def loop(once, start, parallel, double, ramp, saving, growth, month, rate, tax, months):
    """The flows again, month by month, from items of the three-year model's own kind."""

    def shape(begin: float, over: float, fade: float = 0.0) -> np.ndarray:
        item = tco.Item("x", "x", (), "OpEx", "COGS", True, "monthly", begin, over,
                        max(months, begin), fade, (), "", "")  # fmt: skip
        return item.shape(int(months), {})

    t = np.arange(int(months) + 1)
    gain, new = shape(start + parallel, ramp), shape(start, 1)
    flow = saving * (1 + growth) ** (t / 12) * gain - month * new
    flow = flow - double * np.maximum(new - gain, 0)
    flow[0] -= once
    return flow * (1 - tax)


@settings(max_examples=60)
@given(PIVOT)
def test_the_j_curve_is_the_sum_of_its_flows(x):
    found, flow = calc.pivot_j_curve(**x), loop(**x)
    scale = 1 + np.abs(flow).sum()
    assert np.array(found.curve) == pytest.approx(np.cumsum(flow), abs=1e-9 * scale)
    monthly = (1 + x["rate"]) ** (1 / 12) - 1
    assert found.npv == pytest.approx(pyxirr.npv(monthly, list(flow)), abs=1e-8 * scale)
    assert found.trough == pytest.approx(min(0, np.cumsum(flow).min()), abs=1e-9 * scale)
    if found.trough < 0:
        assert found.curve[int(found.trough_month)] == found.trough
    if found.payback is not None:
        later = np.array(found.curve)[math.ceil(found.payback - 1e-9) :]
        assert (later >= -1e-9 * scale).all()
    else:
        assert found.curve[-1] < 0


@settings(max_examples=60)
@given(PIVOT)
def test_at_its_break_even_saving_the_pivot_is_worth_nothing(x):
    found = calc.pivot_j_curve(**x)
    if found.break_even_saving is None:
        assert x["start"] + x["parallel"] - 1 >= x["months"] or x["tax"] == 1
    elif found.break_even_saving <= calc.MOST:
        again = calc.pivot_j_curve(**x | {"saving": found.break_even_saving})
        assert again.npv == pytest.approx(0, abs=1e-6 * (1 + x["once"] + 60 * x["month"]
                                                         + 60 * x["double"]))  # fmt: skip


def test_a_pivot_by_hand():
    x = dict(once=100.0, start=2.0, parallel=1.0, double=10.0, ramp=2.0, saving=60.0, growth=0.0,
             month=5.0, rate=0.0, tax=0.0, months=6.0)  # fmt: skip
    found = calc.pivot_j_curve(**x)
    # month 2 pays upkeep and both ways; month 3 half of each; from 4 on 55 a month
    assert found.curve == pytest.approx((-100, -100, -115, -95, -40, 15, 70))
    assert (found.trough, found.trough_month) == (-115, 2)
    assert found.payback == pytest.approx(4 + 40 / 55)
    assert found.npv == pytest.approx(70)
    assert found.break_even_saving == pytest.approx((100 + 25 + 15) / 3.5)


def test_the_curve_says_that_it_is_after_tax_and_of_the_whole_pipeline():
    one = calc.find("pivot-j-curve")
    found = view.answer(one, at_base(one.id), "EUR")
    before = one.compute(**at_base(one.id, tax=0.0)).trough
    assert found.result.trough == pytest.approx(0.75 * before)
    assert f"Down to {found.texts['trough']} after tax in month" in found.says
    assert "after tax" in calc.output(one, "trough").label
    assert "after tax" in found.chart.partition("<figcaption>")[2]
    assert "whole pipeline" in one.title


# -- Declarations and wrong input -----------------------------------------------------------------


@pytest.mark.parametrize("one", calc.ALL, ids=NAMES)
def test_declaration_and_function_are_one(one):
    found = one.compute(**at_base(one.id))
    assert is_dataclass(found)
    assert found.__dataclass_params__.frozen
    told = {o.id for o in one.outputs}
    assert told | {"curve"} >= {f.name for f in fields(found)}
    assert {one.key, one.even} <= told
    assert calc.output(one, one.key).id == one.key
    assert [f.id for f in one.inputs] == list(at_base(one.id))
    assert {o.form for o in one.outputs} <= {"money", "share", "months", "month", "number"}
    assert not told & {f.id for f in one.inputs}  # a sentence prints either by its id


CASES = [(one.id, field.id) for one in calc.ALL for field in one.inputs]


@pytest.mark.parametrize(("name", "field"), CASES)
def test_a_value_out_of_range_is_refused_by_name_range_and_advice(name, field):
    one = calc.find(name)
    [declared] = [f for f in one.inputs if f.id == field]
    bad = [declared.low - 1, declared.high * 2 + 1, math.nan, math.inf]
    bad += [declared.low] * declared.above + [declared.low + 0.5] * declared.whole
    for value in bad:
        with pytest.raises(ValueError, match=f"^{field} ") as told:
            one.compute(**at_base(name, **{field: value}))
        assert "enter a number" in str(told.value)
        assert calc.span(declared) in str(told.value)
    hint = {"share": "40 % is 0.4", "1/year": "11 % is 0.11"}.get(declared.unit, "")
    assert hint in str(told.value)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("sla-penalty", {"down": 731.0}, "^down .* from 0 to 730"),
        ("sla-penalty", {"credit_1": 0.9}, "^credit_1.*largest at the lowest"),
        ("label-exchange", {"more": 100.0}, "^more .*above 100"),
        ("label-exchange", {"accuracy_more": 90.0}, "^accuracy_more .*above 90"),
        ("label-exchange", {"accuracy_with": 95.0}, "^accuracy_with .*0 to 94"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(name, changes, told):
    with pytest.raises(ValueError, match=told):
        calc.find(name).compute(**at_base(name, **changes))


def test_typed_text_is_read_or_refused():
    one = calc.find("build-vs-buy")
    texts = {k: str(x) for k, x in at_base(one.id).items()}
    found = view.answer(one, texts, "EUR")
    assert found.result == one.compute(**at_base(one.id))
    assert found.texts["buy"].endswith(" EUR")
    for wrong, told in (
        (texts | {"rate": "0,1"}, "^rate .* no number: 0,1"),
        (texts | {"rate": ""}, "^rate .* is empty"),
        (texts | {"colour": "1"}, "no field 'colour'"),
        ({k: v for k, v in texts.items() if k != "rate"}, "^rate .* is missing"),
    ):
        with pytest.raises(ValueError, match=told):
            view.answer(one, wrong, "EUR")


def test_numbers_look_alike_everywhere():
    money = calc.Output("x", "x", "¤/month", "money")
    assert view.show(-1234.5, money, "EUR") == "−1,235 EUR/month"
    assert view.show(0.12345, money, "EUR") == "0.1235 EUR/month"
    assert view.show(-0.0, money, "EUR") == "0 EUR/month"
    assert view.show(None, money, "EUR") == "never"
    assert view.show(0.125, calc.Output("x", "x", "", "share"), "EUR") == "12.5 %"
    assert view.show(7.0, calc.Output("x", "x", "", "month"), "EUR") == "month 7"


def test_the_chart_says_what_it_draws():
    svg = view.chart((-100.0, -150.0, 30.0), "EUR")
    assert "down to −150 EUR in month 1, 30 EUR in month 2" in svg
    points = svg.partition('class="line" points="')[2].partition('"')[0].split()
    heights = [float(p.split(",")[1]) for p in points]
    assert heights[1] > heights[0] > heights[2]  # an SVG counts downward


@pytest.mark.parametrize("size", [30.0, 700_213_924.0, 1e14])
def test_the_chart_holds_its_last_amount_and_names_its_zero(size):
    svg = view.chart((-size / 2, -size), "EUR")
    [(x, last)] = re.findall(r'<text x="([\d.]+)" y="[\d.]+">(−[^<]*)</text>', svg)
    assert last == f"−{size:,.0f} EUR"
    assert 100 < float(x) <= view.WIDE - view.LETTER * len(last)
    zero = re.search(r'class="zero" x1="([\d.]+)" x2="([\d.]+)" y1="([\d.]+)"', svg)
    named = re.search(r'text-anchor="end" x="([\d.]+)" y="([\d.]+)">0<', svg)
    assert float(named[1]) < float(zero[1]) < float(zero[2]) < float(x)
    assert float(named[2]) == pytest.approx(float(zero[3]) + 4, abs=0.2)


# -- A company's values ---------------------------------------------------------------------------


@pytest.mark.parametrize("one", calc.ALL, ids=NAMES)
def test_every_default_has_a_source_in_the_right_unit(one, company):
    known = {**company.rows, **company.derived}
    values = own.values(company, one)
    assert set(values) == {f.id for f in one.inputs}
    for field in one.inputs:
        # An hour is one of a machine, of an outage, of a month: the row says of what.
        if "#" in field.source or "h" in re.split(r"\W", field.unit):
            continue
        wanted = field.unit.replace("¤", company.currency).replace("·", "-")
        wanted = wanted.replace("examples", "images")
        assert units.parse(known[field.source].unit) == units.parse(wanted), field.id


def test_the_tiers_are_those_of_the_contract(company):
    with (company.folder / "sla.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["schedule"] == "vendor"]
    values = own.values(company, calc.find("sla-penalty"))
    tiers = sorted(((float(r["below"]), float(r["credit"])) for r in rows), reverse=True)
    assert [(values[f"below_{i}"], values[f"credit_{i}"]) for i in (1, 2, 3)] == tiers


def test_serving_costs_what_the_bill_says(company):
    base = company.base()
    values = own.values(company, calc.find("unit-economics"))
    found = calc.unit_economics(**values)
    assert found.serving * values["volume"] == pytest.approx(base["bill.inference"])
    assert values["price"] * values["volume"] == pytest.approx(base["revenue.month"])


def test_a_full_month_of_saving_is_that_of_the_model(company):
    """Without growth, what the pivot saves in its last month is what the items say."""
    still = {k: 0.0 for k in company.rows if k.startswith("growth.")}
    base = company.base(**still)
    values = own.values(company, calc.find("pivot-j-curve"), base)
    ways = [
        float(tco.flows([i for i in tco.of(company.items, way) if i.cash and i.kind == "monthly"],
                        base, 36)[-1])
        for way in tco.SCENARIOS
    ]  # fmt: skip
    ours = values["saving"] - values["month"]
    # people who do other work now are paid as before; storage is full; the rest is the same
    assert ours == pytest.approx(ways[0] - ways[1], rel=0.01)


def test_both_companies_answer_every_calculator(company):
    found = own.everything(company.folder)
    assert list(found) == NAMES
    for answer in found.values():
        assert answer.says
        assert company.currency in json.dumps(dict(answer.texts))


def test_a_missing_row_is_named_and_can_be_given(company):
    one = calc.find("build-vs-buy")
    base = {k: v for k, v in company.base().items() if k != "calc.buy-once"}
    with pytest.raises(Problem, match=r"ledger.csv: there is no row 'calc.buy-once'.*buy_once="):
        own.values(company, one, base)
    assert "buy_once" not in own.values(company, one, base, given=["buy_once"])


def test_the_derived_rows_are_formulas_over_rows(company):
    for name, row in company.derived.items():
        if name.startswith("calc."):
            assert set(formula.names(row.formula)) <= company.rows.keys() | company.derived.keys()


# -- The command and the wall ---------------------------------------------------------------------


def test_the_command_lists_explains_and_computes(capsys):
    assert cli.main(["calculate"]) == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == NAMES
    assert cli.main(["calculate", "build-vs-buy", "volume=8000", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["inputs"]["volume"], told["sources"]["volume"]) == (8000, "given")
    again = calc.build_vs_buy(**told["inputs"])
    assert told["results"]["saved"] == again.saved
    assert cli.main(["calculate", "build-vs-buy", "--company", "case-tannhof"]) == 0
    shown = capsys.readouterr().out
    assert "EUR" in shown
    assert "[calc.buy-once]" in shown
    assert shown.count("<- break-even") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rent"], "choose one of unit-economics"),
        (["sla-penalty", "cap"], "no FIELD=VALUE"),
        (["sla-penalty", "colour=1"], "its fields are down"),
        (["sla-penalty", "cap=1", "cap=0"], "given twice"),
        (["sla-penalty", "cap=40"], "40 % is 0.4"),
    ],
)
def test_the_command_says_what_is_wrong(arguments, told, capsys):
    assert cli.main(["calculate", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_the_page_needs_no_more_than_the_standard_library():
    """What the page imports pulls in nothing that a browser does not have."""
    probe = (
        "import sys\n"
        "from synthecon.economics import calculators, calculators_view\n"
        "own = {m for m in sys.modules if m.startswith('synthecon')}\n"
        "far = {m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(sorted(own), sorted(far & {'numpy', 'scipy', 'pandas', 'pyarrow', 'yaml'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    from synthecon import book_calculators

    assert done.stdout.strip() == f"{sorted(book_calculators.SHIPPED)} []"
