"""Options: the lean pipeline item by item, its cash by hand, and the board's rule at its edges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from few import row

from synthecon import paths
from synthecon.economics import model, tco
from synthecon.strategy import choices, debt, risk


def item(name, scenario, line, factor, **change):
    plain = tco.Item(
        name, name, tuple(scenario.split()), "OpEx", line, True, "monthly", 1.0, 0.0, 36.0, 0.0,
        ((factor, 1),), "", "",
    )  # fmt: skip
    return replace(plain, **change)


SHARES = [e.share for c in risk.CONTROLS for e in c.effects]
ROWS = [
    row("finance.wacc", 0.08, 0.1, 0.12, "1/year"),
    row("finance.tax", 0.25),
    row("finance.capex-life", 3, unit="years"),
    row("bill.data", 100, unit="USD/month"),
    row("bill.answers", 300, unit="USD/month"),
    row("left.data", 60, unit="USD/month"),
    row("cost.made", 50, 70, 90, "USD/month"),
    row("cost.student", 100, 150, 290, "USD/month"),
    row("cost.build", 500, 1000, 2000, "USD"),
    row(risk.SCALE, 0.5, 1, 2),
    *(row(r.frequency, 0.1, 0.2, 0.3, "1/year") for r in risk.RISKS),
    *(row(r.impact, 1000 * (n + 1), unit="USD") for n, r in enumerate(risk.RISKS)),
    *(row(name, 0.1 + 0.05 * n) for n, name in enumerate(SHARES)),
    *(row(c.cost, 10, unit="USD/year") for c in risk.CONTROLS),
]
ITEMS = [
    item("quo.data", "status-quo", "COGS", "bill.data"),
    item("quo.inference", "status-quo", "COGS", "bill.answers"),
    item("pipe.data-left", "pipeline", "COGS", "left.data"),
    item("pipe.experts", "pipeline", "R&D", "cost.made"),
    item("pipe.inference-student", "pipeline", "COGS", "cost.student"),
    item("pipe.distil-once", "pipeline", "R&D", "cost.build", kind="once"),
    item("opportunity.line", "status-quo", "none", "bill.data", cash=False),
    item("opportunity.product-1", "status-quo", "none", "bill.data", cash=False),
]


def a_model(items=ITEMS, rows=ROWS):
    named = {r.id: r for r in rows}
    return model.Model(Path("case"), SimpleNamespace(), named, {}, items)


M = a_model()
BASE = M.base()
MANY = M.draw(64, 1)
LEAN = choices.options(M)[choices.LEAN]


def present(flow, rate):
    """Month by month, one term at a time."""
    return sum(x / (1 + rate) ** (t / 12) for t, x in enumerate(flow))


def test_lean_is_the_same_without_the_items_of_made_up_data():
    assert [i.id for i in LEAN.items] == [
        "quo.data", "quo.inference", "pipe.inference-student", "pipe.distil-once",
        "opportunity.line", "opportunity.product-1",
    ]  # fmt: skip
    ways = {i.id: i.scenario for i in LEAN.items}
    assert set(ways["quo.data"]) == {"status-quo", "pipeline"}  # the licences stay
    assert set(ways["opportunity.line"]) == {"status-quo", "pipeline"}  # missed in both ways
    assert ways["quo.inference"] == ways["opportunity.product-1"] == ("status-quo",)
    assert [i.id for i in M.items] == [i.id for i in ITEMS]  # the whole is as it was


@pytest.mark.parametrize("name", ["case", "case-tannhof"])
def test_the_real_options_differ_by_the_items_of_that_subject_alone(name):
    real = model.load(paths.root() / name, check_sources=False)
    found = choices.options(real)
    lean = {i.id: i for i in found[choices.LEAN].items}
    part = debt.SUBJECTS["scarcity"]
    assert {i.id for i in real.items} - set(lean) == {*part.after, *part.cost}
    assert {"pipe.tooling", "pipe.compliance-once"} <= set(lean)  # shared: both need them
    values = real.base()
    by_hand = 0.0
    for i in real.items:
        if i.id in (*part.spent, *part.after, *part.cost):
            cost = tco.present(
                tco.after_tax([i], values, real.plan(values)), values["finance.wacc"]
            )
            by_hand += cost if i.id in part.spent else -cost
    whole, left = (float(np.squeeze(m.npv(values))) for m in found.values())
    assert whole - left == pytest.approx(by_hand)


def test_a_case_without_made_up_data_has_only_the_whole():
    some = [i for i in ITEMS if i.id != "pipe.experts"]
    assert list(choices.options(a_model(some))) == [choices.WHOLE]


def test_the_burden_by_brute_force():
    for s in range(3):
        v = {k: float(x[s]) for k, x in MANY.items()}
        year = 0.0
        for n, r in enumerate(risk.RISKS):
            loss = v[r.frequency] * 1000 * (n + 1) * v[risk.SCALE]
            for c in risk.CONTROLS:
                for e in c.effects:
                    if c.id in ("membership", "monitor") and e.risk == r.id:
                        loss *= 1 - v[e.share]
            year += loss if r.id in ("privacy", "licence", "collapse") else 0.0
        wanted = 0.75 * present([0.0] + [year / 12] * 36, v["finance.wacc"])
        assert float(choices.burden(M, v)) == pytest.approx(wanted)
        assert float(np.asarray(choices.burden(M, MANY))[s]) == pytest.approx(wanted)
        assert choices.weight(M, MANY)[s] == pytest.approx(wanted)
    assert set(choices.risks(M)) < set(M.rows)
    bare = a_model(rows=[r for r in ROWS if not r.id.startswith("risk.")])
    assert choices.burden(bare, bare.base()) == 0.0
    assert choices.risks(bare) == []


def test_a_control_that_nobody_pays_for_takes_nothing_away():
    paid, every = (
        float(choices.burden(M, BASE, c)) for c in (choices.FUNDED, [c.id for c in risk.CONTROLS])
    )
    assert every < paid < float(choices.burden(M, BASE, []))


def test_the_result_by_hand():
    found = choices.result(M, MANY)
    for s in range(3):
        v = {k: float(x[s]) for k, x in MANY.items()}
        month = 100 + 300 - 60 - v["cost.made"] - v["cost.student"]
        flow = [0.0] + [month] * 36
        flow[1] -= v["cost.build"]  # paid in the first month
        assert found.depth[s] == pytest.approx(max(0.0, -min(np.cumsum(flow))))
        after = 0.75 * present(flow, v["finance.wacc"])
        assert found.npv[s] == pytest.approx(after)
        assert found.careful[s] == pytest.approx(after - float(choices.burden(M, v)))
    assert found.pays == np.mean(found.careful > 0)
    lean = choices.result(LEAN, {k: np.array([v]) for k, v in BASE.items()})
    flow = np.array([0.0] + [300.0 - BASE["cost.student"]] * 36)
    flow[1] -= BASE["cost.build"]
    assert lean.depth[0] == pytest.approx(-min(np.cumsum(flow)))
    assert lean.npv[0] == pytest.approx(0.75 * present(flow, BASE["finance.wacc"]))


def numbers(careful, depth):
    careful, depth = np.array(careful, float), np.array(depth, float)
    return choices.Result(careful + 1, careful, depth)


def test_the_boards_rule_at_its_edges():
    careful, depth = [1.0] * 12 + [-1.0] * 8, [*range(1, 21)]
    at_the_limit = choices.passes(numbers(careful, depth), 0.6, 19)
    assert dict(at_the_limit) == {"probability": True, "expected": True, "cash": True}
    assert not choices.passes(numbers(careful, depth), 0.61, 19)["probability"]
    assert not choices.passes(numbers(careful, depth), 0.6, 18.9)["cash"]  # 19 of 20 within it
    assert not choices.passes(numbers([1.0] * 12 + [-1.5] * 8, depth), 0.6, 19)["expected"]


def test_the_board_takes_what_passes_and_is_worth_most():
    good, better = numbers([2.0] * 20, [1] * 20), numbers([3.0] * 20, [1] * 20)
    deep = numbers([9.0] * 20, [99] * 20)
    assert choices.choose({"a": good, "b": better, "c": deep}, 0.6, 10) == ("b", True)
    # None passes: the best of those that fail, and that it fails
    assert choices.choose({"b": deep, "c": numbers([8.0] * 20, [99] * 20)}, 0.6, 10) == ("b", False)
