"""Facts against other programs, sums by hand, and the board's rule turned both ways."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st

from synthecon import Problem, paths
from synthecon.economics import cashflow, compare, model, tco
from synthecon.strategy import choices, facts, facts_decision, facts_money, printable, risk

CASES = ("case", "case-tannhof")
SMALL = 1024
CONTENT = {"board_min__probability": 0.5, "board_cash__limit": 1e7}
"""A board that the larger company satisfies, whatever its own demands."""


@pytest.fixture(scope="module")
def models():
    return {name: model.load(paths.root() / name) for name in CASES}


@pytest.fixture(scope="module")
def found(models):
    return {name: facts.collect(m) for name, m in models.items()}


@pytest.fixture(scope="module")
def shown(models, found):
    """The options that the facts are about."""
    return {name: facts.proposed(m, found[name]) for name, m in models.items()}


def burden(m: model.Model, drawn: dict[str, np.ndarray]) -> np.ndarray:
    """New risks with the controls in the plan, month by month, after tax."""
    kept = [c for c in risk.CONTROLS if c.id in ("membership", "monitor")]
    losses = risk.expected(m.rows, drawn, kept)
    year = losses["privacy"] + losses["licence"] + losses["collapse"]
    rate, tax = drawn["finance.wacc"], drawn["finance.tax"]
    return sum(year / 12 * (1 - tax) / (1 + rate) ** (t / 12) for t in range(1, m.months + 1))


def gross(m: model.Model, values) -> np.ndarray:
    """Cash before tax by month, item by item."""
    total = 0.0
    for item in m.items:
        if item.cash:
            sign = ("status-quo" in item.scenario) - 1.0 * ("pipeline" in item.scenario)
            total = total + sign * tco.flows([item], values, m.months)
    return total


def changed(m: model.Model, **bases: float) -> model.Model:
    """The model with other numbers in some fixed rows: underscores for dots, double for hyphens."""
    rows = dict(m.rows)
    for name, x in bases.items():
        key = name.replace("__", "-").replace("_", ".")
        rows[key] = replace(rows[key], low=x, base=x, high=x)
    return replace(m, rows=rows)


def number(text: str) -> tuple[float, float]:
    """What a printed number says, and its last digit: "−1.25 M USD" is −1250000 and 10000."""
    match = re.fullmatch(r"(−?)([\d,]+)(\.\d+)?( [kM%])?(?: .*)?", text)
    assert match, text
    times = {" k": 1e3, " M": 1e6, " %": 0.01, None: 1.0}[match[4]]
    digits = match[2].replace(",", "") + (match[3] or "")
    last = times * 10.0 ** (1 - len(match[3] or "."))
    return (-1 if match[1] else 1) * float(digits) * times, last


# -- How numbers look -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 USD"), (-0.2, "−0.20 USD"), (999.4, "999 USD"), (999.6, "1.0 k USD"),
        (-8_400, "−8.4 k USD"), (9_949, "9.9 k USD"), (9_951, "10 k USD"),
        (224_397, "224 k USD"), (999_499, "999 k USD"), (999_501, "1.00 M USD"),
        (1_254_999, "1.25 M USD"), (-12_940_000, "−12.9 M USD"),
    ],
)  # fmt: skip
def test_money_is_written_in_three_digits(amount, text):
    assert printable.money(amount, "USD") == text


@given(st.floats(-5e7, 5e7))
def test_money_can_be_read_back(amount):
    x, last = number(printable.money(amount, "EUR"))
    assert abs(x - amount) <= 0.5001 * last


def test_an_amount_without_end_is_refused():
    with pytest.raises(ValueError, match="finite"):
        printable.money(math.inf, "USD")


def test_shares_and_dates_by_hand():
    assert (printable.share(0.764), printable.share(-0.004, 1), printable.share(-0.0004)) == (
        "76 %", "−0.4 %", "0 %")  # fmt: skip
    assert [printable.often(p) for p in (0, 0.004, 0.306, 0.9951, 1)] == [
        "<1 %", "<1 %", "31 %", ">99 %", ">99 %"]  # fmt: skip
    assert printable.often(0.5941, 1) == "59.4 %"
    assert printable.month_name("2026-11") == "November 2026"
    assert printable.later("2026-10", 1) == "2026-11"
    assert printable.later("2026-11", 1.2) == "2027-01"
    assert printable.later("2026-12", 24) == "2028-12"


def test_a_unit_shared_by_all_is_said_once():
    assert printable.together(["20 %", "50 %", "80 %"]) == "20, 50, 80 %"
    assert printable.together(["900 USD", "1.2 k USD"]) == "900, 1.2 k USD"
    assert printable.together(["20 %", "3 times"]) == "20 %, 3 times"


def test_a_ratio_above_one_is_no_percentage(models):
    m = models["case"]
    ratio, carried = m.rows["measured.serving-ratio"], m.rows["transfer.distil-inference"]
    assert printable.in_unit(ratio.base, ratio).endswith(" times")
    assert printable.in_unit(carried.base, carried) == printable.share(carried.base)
    rate = m.rows["finance.wacc"]
    assert printable.in_unit(0.11, rate) == "11 % a year"


# -- Returns --------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.floats(-100, 100), min_size=6, max_size=6), min_size=1, max_size=4))
def test_payback_of_scenarios_is_that_of_each(flows):
    ours = facts_money.paid_back(np.cumsum(np.array(flows), axis=-1))
    for x, line in zip(ours, flows, strict=True):
        theirs = cashflow.payback(list(np.diff(np.cumsum(line), prepend=0.0)))
        assert x == pytest.approx(math.inf if theirs is None else theirs, abs=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_returns_agree_with_another_program(name, shown, found):
    m, told = shown[name], found[name]
    base = m.base()
    gain = [float(x) for x in tco.advantage(m.items, base, m.plan(base))]
    monthly = (1 + base["finance.wacc"]) ** (1 / 12) - 1
    assert told["npv.base"].value == pytest.approx(pyxirr.npv(monthly, gain), abs=0.01)
    if told["irr"].value is not None:
        assert told["irr"].value == pytest.approx((1 + pyxirr.irr(gain)) ** 12 - 1, abs=1e-6)
    total, sums = 0.0, []
    for x in gain:
        sums.append(total := total + x)
    assert told["peak-cash"].value == pytest.approx(-min(sums), abs=0.01)
    assert told["cash.end"].value == pytest.approx(total, abs=0.01)
    assert told["cash.base.month-12"].value == pytest.approx(sums[12], abs=0.01)
    paid = cashflow.payback(gain)
    assert told["payback.month"].value == (None if paid is None else pytest.approx(paid, abs=1e-6))
    yearly = [told[f"fcf.delta.year-{y}"].value for y in (0, 1, 2, 3)]
    assert sum(yearly) == pytest.approx(total, abs=0.01)
    assert yearly[0] == pytest.approx(gain[0])
    sums = np.cumsum(gross(m, base))
    assert told["need.base"].value == pytest.approx(-min(sums), abs=0.01)


@pytest.mark.parametrize("name", CASES)
def test_chances_and_ends_are_those_of_the_scenarios(name, shown, found):
    m, told = shown[name], found[name]
    drawn = m.draw(16384, 1)
    npvs = m.npv(drawn)
    careful = npvs - burden(m, drawn)
    count = len(npvs)
    assert told["probability.cash"].value == np.sum(npvs > 0) / count
    assert told["probability.pays"].value == pytest.approx(np.sum(careful > 0) / count, abs=1e-4)
    assert told["npv.mean"].value == pytest.approx(npvs.sum() / count)
    assert told["npv.careful"].value == pytest.approx(careful.sum() / count)
    for key, x in (("npv", npvs), ("need", -np.cumsum(gross(m, drawn), -1).min(-1))):
        below = np.sum(x < told[f"{key}.p5"].value) / count
        above = np.sum(x > told[f"{key}.p95"].value) / count
        assert below == pytest.approx(0.05, abs=2 / count)
        assert above == pytest.approx(0.05, abs=2 / count)
    assert told["npv.p5"].value < told["npv.p50"].value < told["npv.p95"].value
    assert told["need.over"].value == np.mean(x > m.rows["board.cash-limit"].base)


@pytest.mark.parametrize("name", CASES)
def test_the_lean_option_is_the_whole_without_its_items(name, models, found):
    m, told = models[name], found[name]
    gone = {"pipe." + x for x in ("data-left", "data-old", "compliance", "generation", "storage",
                                  "experts", "tooling-generator", "compliance-month")}  # fmt: skip
    base = m.base()
    kept = [i for i in m.items if i.id not in gone]
    npv = float(tco.npv(kept, base, m.plan(base)))
    today = [i for i in m.items if i.id in ("quo.data", "quo.compliance")]
    npv -= float(tco.present(tco.after_tax(today, base, m.plan(base)), base["finance.wacc"]))
    assert told["option.lean.npv"].value == pytest.approx(npv)
    assert told["option.whole.npv"].value == pytest.approx(float(m.npv(base)))
    assert told["npv.base"].value == told[f"option.{told['option.id'].text}.npv"].value


@pytest.mark.parametrize("name", CASES)
def test_opportunity_cost_is_never_shown_for_one_way_only(name, shown, found):
    told, m = found[name], shown[name]
    sides = [float(tco.flows([i for i in tco.of(m.items, way) if not i.cash], m.base(),
                             m.months).sum()) for way in tco.SCENARIOS]  # fmt: skip
    assert told["opportunity.net"].value == pytest.approx(sides[0] - sides[1])
    for file in sorted((paths.root() / "src/synthecon/strategy/templates").glob("*.md")):
        for line in file.read_text("utf-8").splitlines():
            assert ("{opportunity.quo}" in line) == ("{opportunity.pipe}" in line), file


@pytest.mark.parametrize("name", CASES)
def test_costs_add_up(name, shown, found):
    m, told = shown[name], found[name]
    for key, way in printable.WAYS.items():
        parts = [told[f"tco.{key}.{c}"].value for c in ("capex", "opex", "people")]
        assert told[f"tco.{key}.total"].value == pytest.approx(sum(parts))
        cash = [i for i in tco.of(m.items, way) if i.cash]
        assert sum(parts) == pytest.approx(float(tco.flows(cash, m.base(), m.months).sum()))


def test_no_certainty_is_printed():
    book = printable.Collector(model.load(paths.root() / "case"))
    for key, x in (("a", 0.0), ("b", 0.9999), ("c", 0.5)):
        book.chance(key, "chance", x)
    assert [book.found[k].text for k in "abc"] == ["below 1 %", "above 99 %", "50 %"]


# -- What decides it ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_break_even_is_where_the_value_is_zero(name, shown, found):
    m, told = shown[name], found[name]
    for rank in (1, 2, 3):
        key = told[f"sensitivity.{rank}.id"].text
        even, row = told[f"sensitivity.{rank}.break-even"].value, m.rows[key]
        if even is None:  # then it has one sign over all that is looked at
            ends = [float(m.npv(m.base(**{key: x}))) for x in (row.low, row.base, row.high)]
            assert len({x > 0 for x in ends}) == 1
        else:
            assert float(m.npv(m.base(**{key: even}))) == pytest.approx(0, abs=1)
        for end in ("low", "high"):
            there = float(m.npv(m.base(**{key: getattr(row, end)})))
            assert told[f"sensitivity.{rank}.{end}"].value == pytest.approx(there)
    turned = [told[f"sensitivity.{rank}.break-even"].value is not None for rank in (1, 2, 3)]
    assert told["alone.count"].value == (sum(turned) or None)


def test_a_zero_is_looked_for_beyond_the_range_too():
    assert facts_decision.zero_at(lambda x: x - 5, 4, 6) == pytest.approx(5)
    assert facts_decision.zero_at(lambda x: x - 11, 4, 6) == pytest.approx(11)
    assert facts_decision.zero_at(lambda x: x + 1, 4, 6) == pytest.approx(-1)
    assert facts_decision.zero_at(lambda x: x - 13, 4, 6) is None


def test_a_share_cannot_break_even_above_one(models):
    row = models["case"].rows["transfer.distil-inference"]
    assert facts_decision.bounds(row) == (0.0, 1.0)
    assert facts_decision.bounds(replace(row, unit="1/year"))[0] == -0.99


def test_the_size_at_which_it_turns_meets_the_rule(shown, found):
    m, told = shown["case-tannhof"], found["case-tannhof"]
    scale = told["condition.scale"].value
    rows = {
        k: replace(r, low=r.low * scale, base=r.base * scale, high=r.high * scale)
        if k.startswith(("bill.", "payroll.", "hours."))
        else r
        for k, r in m.rows.items()
    }
    larger = replace(m, rows=rows)
    drawn = larger.draw(16384, 1)
    npvs = larger.npv(drawn) - burden(larger, drawn)
    needed = m.rows["board.min-probability"].base
    tight = min(np.mean(npvs > 0) - needed, np.mean(npvs) / np.std(npvs))
    assert abs(tight) < 0.002


@pytest.mark.parametrize("name", CASES)
def test_the_cost_at_which_it_turns_by_leaving_the_items_out(name, shown, found):
    m, told = shown[name], found[name]
    kept = [i for i in m.items if not compare.is_new(m, i)]
    base = m.base()
    without = float(tco.npv(kept, base, m.plan(base)))
    assert told["cost.new"].value == pytest.approx(without - told["npv.base"].value)
    drawn = m.draw(16384, 1)
    npvs, bare = m.npv(drawn), tco.npv(kept, drawn, m.plan(drawn))
    then = bare - told["condition.cost"].value * (bare - npvs) - burden(m, drawn)
    needed = m.rows["board.min-probability"].base
    assert abs(min(np.mean(then > 0) - needed, np.mean(then) / np.std(then))) < 0.002


# -- The rule -------------------------------------------------------------------------------------


def test_a_board_that_is_content_pivots_and_is_asked_for_what_may_be_needed(models):
    told = facts.collect(changed(models["case"], **CONTENT), SMALL)
    assert told["recommendation"].text == "pivot"
    assert told["ask.amount"].value == told["need.p95"].value > 0
    assert all(told[f"test.{k}"].text == "holds" for k in ("probability", "expected", "cash"))


@pytest.mark.parametrize("name", CASES)
def test_each_case_gets_what_its_boards_rule_says(name, models, found):
    m, told = models[name], found[name]
    passing = {}
    for key, option in choices.options(m).items():
        drawn = option.draw(16384, 1)
        careful = option.npv(drawn) - burden(option, drawn)
        depth = -np.cumsum(gross(option, drawn), -1).min(-1)
        holds = np.mean(careful > 0) >= m.rows["board.min-probability"].base
        holds &= np.mean(depth > m.rows["board.cash-limit"].base) <= 0.05
        holds &= careful.mean() > 0
        assert told[f"option.{key}.rule"].text == ("passes" if holds else "fails")
        assert told[f"option.{key}.careful"].value == pytest.approx(careful.mean())
        passing |= {key: careful.mean()} if holds else {}
    assert told["recommendation"].text == ("pivot" if passing else "status quo")
    assert (told["ask.amount"].value > 0) is bool(passing)
    if passing:
        assert told["option.id"].text == max(passing, key=passing.get)
    assert name == "case" or not passing  # the small company stays


@pytest.mark.parametrize(
    ("change", "failing"),
    [({"board_min__probability": 0.99}, "probability"), ({"board_cash__limit": 1000.0}, "cash")],
)
def test_one_rule_that_fails_is_enough(models, change, failing):
    told = facts.collect(changed(models["case"], **(CONTENT | change)), SMALL)
    assert told["recommendation"].text == "status quo"
    assert told["ask.amount"].value == 0
    fails = {k for k in ("probability", "expected", "cash") if told[f"test.{k}"].text == "fails"}
    assert fails == {failing}
    limit = told["board.min-probability" if failing == "probability" else "board.cash-limit"]
    assert limit.text in told["reason"].text
    assert ("net present value" in told["reason"].text) is False  # it holds: no reason to stay


def test_a_loss_on_average_is_declined_whatever_the_odds(models):
    told = facts.collect(changed(models["case-tannhof"], board_min__probability=0.0,
                                 board_cash__limit=1e9), SMALL)  # fmt: skip
    assert told["test.expected"].text == "fails"
    assert told["recommendation"].text == "status quo"


def test_a_ledger_without_the_boards_rows_is_refused_with_all_of_them(models):
    rows = {k: r for k, r in models["case"].rows.items() if not k.startswith("board.")}
    with pytest.raises(Problem) as problem:
        facts.collect(replace(models["case"], rows=rows), 16)
    assert all(name in str(problem.value) for name in printable.NEEDED)


@pytest.mark.parametrize("name", CASES)
def test_the_money_of_a_gate_is_what_most_scenarios_need_by_then(name, shown, found):
    m, told = shown[name], found[name]
    drawn = m.draw(16384, 1)
    some = {k: v[: printable.SMALL] for k, v in drawn.items()}
    sums = np.cumsum(gross(m, some), axis=1)
    dates = {"pilot": some["time.student"], "cutover": some["time.cutover"]}
    dates["off"] = dates["cutover"] + some["time.fade"]
    for key, months in dates.items():
        need = told[f"gate.{key}.cash"].value + 1e-6
        enough = [
            line[: math.ceil(t) + 1].min() >= -need for line, t in zip(sums, months, strict=True)
        ]
        assert np.mean(enough) == pytest.approx(0.95, abs=0.0005)
    steps = [told[f"gate.{k}.cash"].value for k in dates]
    assert steps == sorted(steps)
    assert steps[-1] <= told["need.p95"].value * 1.02  # other scenarios, the same tail
    off = drawn["time.cutover"] + drawn["time.fade"]
    assert np.mean(off > told["gate.latest.month"].value) == pytest.approx(0.05, abs=0.001)


@pytest.mark.parametrize("name", CASES)
def test_going_on_pays_from_the_share_that_the_pilot_must_show(name, shown, found):
    m, told, base = shown[name], found[name], shown[name].base()
    gate = math.ceil(told["gate.pilot.month"].value)
    new = sum(tco.flows([i], base, m.months) for i in m.items if compare.is_new(m, i))
    saved = gross(m, base) + new
    share = told["gate.pilot.least"].value
    factors = (1 + base["finance.wacc"]) ** (-np.arange(gate + 1, m.months + 1) / 12)
    ahead = ((saved - new)[gate + 1 :] * factors).sum()
    if share is None:
        assert ahead < 0
    else:
        assert ((share * saved - new)[gate + 1 :] * factors).sum() == pytest.approx(0, abs=1)
        assert ahead > 0


@pytest.mark.parametrize("name", CASES)
def test_shares_of_evidence_are_shares(name, found):
    for prefix in ("share", "rests"):
        parts = [found[name][f"{prefix}.{k}"].value for k in facts_decision.KINDS]
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(1)
    assert found[name]["share.invoice"].value == 0  # what is booked is fixed


def test_risks_add_up(found):
    told = found["case"]
    if "risk.total.loss" not in told:
        pytest.skip("this ledger has no register of risks")
    for end in ("loss", "left"):
        keys = [k for k in told if k.startswith("risk.") and k.endswith(f".{end}")]
        parts = [told[k].value for k in keys if k.split(".")[1] not in ("total", "brought")]
        assert told[f"risk.total.{end}"].value == pytest.approx(sum(parts))
    assert told["risk.total.left"].value < told["risk.total.loss"].value


# -- Every fact -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_every_fact_says_its_value_and_names_evidence_that_exists(name, shown, found):
    m = shown[name]
    known = {*m.rows, *m.derived, *(i.id for i in m.items)}
    files = {"items.csv", "ledger.csv", "policy.toml", "revenue.csv", "audit", "gates.csv",
             "adoption.csv", "datasets.csv", "sla.csv"}  # fmt: skip
    for key, fact in found[name].items():
        assert key == fact.id and fact.text and fact.title and fact.evidence, key
        other = [e for e in fact.evidence if e not in known | files and "#" not in e]
        assert not other, (key, other)
        if isinstance(fact.value, float) and fact.unit in (m.currency, "share"):
            if (
                fact.text.startswith(("below", "above"))
                or "points" in fact.text
                or "out of" in fact.text
            ):
                continue
            x, last = number(fact.text)
            assert abs(x - fact.value) <= 0.5001 * last, key


def test_collecting_twice_gives_the_same(models):
    assert facts.collect(models["case"], SMALL) == facts.collect(models["case"], SMALL)


def test_a_fingerprint_follows_what_the_fact_rests_on(models, found):
    m, told = models["case"], found["case"]
    other = changed(m, board_cash__limit=m.rows["board.cash-limit"].base + 1)
    key = "board.cash-limit"
    assert facts.fingerprint(told[key], m) != facts.fingerprint(told[key], other)
    assert facts.fingerprint(told["npv.base"], m) == facts.fingerprint(told["npv.base"], other)
    row = replace(m.rows["finance.wacc"], note="another")
    noted = replace(m, rows={**m.rows, "finance.wacc": row})
    assert facts.fingerprint(told["npv.base"], m) != facts.fingerprint(told["npv.base"], noted)


def test_explaining_names_the_rows_and_refuses_what_is_none(models, found):
    m, told = models["case"], found["case"]
    lines = "\n".join(facts.explain("effect.save.inference", m, told))
    assert told["effect.save.inference"].text in lines
    assert "measured.serving-ratio" in lines and m.rows["measured.serving-ratio"].source in lines
    assert f"save.inference = {m.derived['save.inference'].source}" in lines
    with pytest.raises(Problem, match=r"npv\.base"):
        facts.explain("npv", m, told)


def test_the_money_knows_nothing_of_strategy_and_strategy_nothing_of_physics():
    for folder, forbidden in (("economics", "strategy"), ("strategy", "physics")):
        for file in sorted((paths.root() / "src/synthecon" / folder).glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{a.name}" for a in node.names]
                assert not any(f"synthecon.{forbidden}" in n for n in names), file


def test_a_fact_is_collected_once(models):
    book = printable.Collector(models["case"])
    book.share("a", "a share", 0.5)
    with pytest.raises(ValueError, match="twice"):
        book.share("a", "a share", 0.5)
