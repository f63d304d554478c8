"""What a part costs, against sums by hand, a year hour by hour, SciPy and brute force; and the
components of the total, each fault of their file refused."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from synthecon import Problem, paths, records
from synthecon.economics import (
    accounts,
    components,
    evidence,
    ledger,
    model,
    tco,
    teardown,
    uncertain,
    unit_cost,
)
from synthecon.economics.assumption import Assumption
from synthecon.economics.teardown import Machine, Policy

MONEY = st.floats(0, 1e5)
SHARE = st.floats(0.01, 1)


def test_energy_by_hand():
    assert teardown.energy(7.2e6, 1.5, 0.2) == pytest.approx(2 * 1.5 * 0.2)


@given(st.floats(1, 1e6), MONEY, SHARE)
def test_tokens_are_answers_counted_by_the_second(rate, price, busy):
    assert teardown.tokens_cost(rate, price, busy) == pytest.approx(
        unit_cost.per_million(1e6 / rate, price, busy)
    )


def machine(**changes: float) -> Machine:
    usual = {
        "price": 52000.0, "salvage": 0.1, "life": 3.0, "watts": 900.0, "watts_idle": 200.0,
        "pue": 1.4, "price_per_kwh": 0.13, "month": 720.0,
    }  # fmt: skip
    return Machine(**usual | changes)


def test_a_busy_hour_carries_a_life_lived_hour_by_hour():
    own, busy_hours, paid = machine(), 0, 0.0
    paid += sum(accounts.straight_line(52000, 5200, 3)) + 36 * 720
    for hour in range(3 * 8760):
        works = hour % 24 < 6
        busy_hours += works
        paid += (0.9 if works else 0.2) * 1.4 * 0.13
    assert sum(own.busy_hour(busy_hours / (3 * 8760)).values()) == pytest.approx(paid / busy_hours)


@given(st.floats(0.5, 50), st.floats(0, 3000), st.floats(0, 500))
def test_at_the_break_even_both_hours_cost_the_same(rent, extra, idle):
    own = machine(watts=idle + extra, watts_idle=idle)
    assume(rent > own.power(extra) + 1e-3)
    even = own.break_even(rent)
    assume(even <= 1)
    assert sum(own.busy_hour(even).values()) == pytest.approx(rent)


def test_the_break_even_without_extra_power_is_that_of_the_accounts():
    own = machine(watts=200.0)
    all_hours = own.depreciation() + own.upkeep() + own.power(200)
    assert own.break_even(3.5) == pytest.approx(accounts.break_even_utilisation(all_hours, 3.5))


def test_a_rent_below_the_power_bill_has_no_break_even():
    with pytest.raises(ValueError, match="rent_above_power"):
        machine(watts=9000.0).break_even(1.0)


@given(st.floats(0, 500), MONEY, st.floats(0, 1e3), st.floats(1, 1e5), st.floats(0.01, 10))
def test_a_label_equivalent_is_what_the_return_turns_round(hours, wage, compute, labels, human):
    each = teardown.label_equivalent(hours, wage, compute, labels)
    assume(hours * wage + compute > 1e-6)
    back = teardown.label_return(hours * wage + compute, labels, human)
    assert back * each == pytest.approx(human)


@pytest.mark.parametrize("labels", [0, -3.5])
def test_where_no_label_is_replaced_the_price_is_infinite_and_the_return_is_not(labels):
    assert teardown.label_equivalent(16, 95, 1, labels) == math.inf
    assert teardown.label_return(1500.0, labels, 0.4) == pytest.approx(labels * 0.4 / 1500)


@given(st.floats(1e-3, 20))
def test_false_alarms_are_those_of_a_poisson_process(mean):
    with_one = float(stats.poisson.sf(0, mean))
    assert teardown.false_alarms(with_one) == pytest.approx(mean, rel=1e-6)


def test_a_detectors_year_by_hand():
    assert teardown.detector_year(13, 700, 2, 350, 1.5, 9000, 1000) == 1000 + 9100 + 700 + 13500
    better = teardown.detector_year(0, 700, 0, 350, -0.5, 9000)
    assert better == -4500


POLICIES = st.lists(
    st.builds(Policy, st.text("abcdef", min_size=1, max_size=3), MONEY, st.floats(0, 30)),
    min_size=1, max_size=6,
)  # fmt: skip


@given(POLICIES, st.floats(0, 1e6))
def test_the_cheapest_policy_is_the_cheapest_of_all(policies, point):
    policies = [Policy(f"{i}{p.name}", p.fixed, p.points) for i, p in enumerate(policies)]
    steps = teardown.cheapest(policies)
    starts = [at for at, _ in steps]
    assert starts == sorted(starts) and starts[0] == 0
    name = [n for at, n in steps if at <= point][-1]
    best = min(p.cost(point) for p in policies)
    assert next(p for p in policies if p.name == name).cost(point) == pytest.approx(best, abs=1e-6)


def test_crossings_by_hand():
    lines = [Policy("calendar", 100, 1), Policy("monitor", 20, 9), Policy("never", 90, 5)]
    assert teardown.cheapest(lines) == [(0.0, "monitor"), (10.0, "calendar")]
    with pytest.raises(ValueError, match="no policy"):
        teardown.cheapest([])


def test_an_answer_by_hand():
    found = teardown.answer(0.02, 4, 0.5, 600, 1e5, 2, 0.3)
    assert (found.compute, found.pipeline, found.errors) == pytest.approx((0.01, 0.006, 0.006))
    assert found.total == pytest.approx(0.022)


@given(st.floats(0.05, 1), st.floats(1, 100), SHARE, st.floats(1e-6, 1))
def test_at_its_break_even_the_student_costs_the_limit(limit, ratio, busy, rest):
    teacher = teardown.teacher_break_even(limit, ratio, busy, rest)
    if teacher == math.inf:
        assert 1 / ratio / busy >= limit
    else:
        own = teardown.answer(teacher, ratio, busy, rest, 1.0, 0.0, 0.0).total
        assert own == pytest.approx(limit * teacher)


def test_arrays_are_taken_one_value_a_scenario():
    pue, busy = np.array([1.1, 1.8]), np.array([0.2, 0.9])
    together = machine(pue=pue).busy_hour(busy)
    apart = [machine(pue=p).busy_hour(b) for p, b in zip(pue, busy, strict=True)]
    for part, values in together.items():
        assert values == pytest.approx([one[part] for one in apart])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: teardown.energy(1.0, 0.9, 0.1), "pue must be at least 1, got 0.9"),
        (lambda: teardown.energy(-1.0, 1.1, 0.1), "joules must be at least 0"),
        (lambda: teardown.energy(np.array([1, -1.0]), 1.1, 0.1), "joules must be at least 0"),
        (lambda: teardown.energy(math.nan, 1.1, 0.1), "joules must be at least 0, got nan"),
        (lambda: teardown.tokens_cost(0, 1, 1), "tokens_per_second must be above 0"),
        (lambda: teardown.tokens_cost(1, 1, 1.2), "busy must be above 0 and at most 1"),
        (lambda: machine(salvage=1.1), "salvage must be at least 0 and at most 1"),
        (lambda: machine(life=0), "life must be above 0"),
        (lambda: machine(watts=100.0), "extra_watts must be at least 0, got -100"),
        (lambda: machine().busy_hour(0), "busy must be above 0"),
        (lambda: teardown.label_return(0, 1, 1), "spend must be above 0"),
        (lambda: teardown.false_alarms(1), "every quiet year"),
        (lambda: teardown.false_alarms(97), "quiet_years must be at least 0 and at most 1"),
        (lambda: teardown.detector_year(-1, 1, 1, 1, 1, 1), "trainings must be at least 0"),
        (lambda: teardown.answer(1, 0, 1, 1, 1, 1, 1), "ratio must be above 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def item(id: str, **changes: object) -> tco.Item:
    usual: dict = {
        "name": id, "scenario": ("pipeline",), "category": "OpEx", "line": "R&D", "cash": True,
        "kind": "monthly", "start": 1.0, "ramp": 0.0, "end": 36.0, "fade": 0.0,
        "factors": (("price.a", 1), ("12.5", 1)), "growth": "", "note": "",
    }  # fmt: skip
    return tco.Item(id=id, **usual | changes)


ITEMS = [item("pipe.one"), item("pipe.two"), item("quo.one", scenario=("status-quo",))]
GOOD = [
    ["training", "Direct CapEx/OpEx", "Training", "pipe.*", "", ""],
    ["people", "Human capital", "People", "quo.one", "cpu/a#b", "a note"],
]


def written(path: Path, rows: list[list[str]], header: str = ",".join(components.COLUMNS)) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(header + "\n")
        csv.writer(file).writerows(rows)
    return path


def test_components_hold_every_item_once(tmp_path):
    found = components.read(written(tmp_path / "c.csv", GOOD), ITEMS)
    assert [[i.id for i in c.items] for c in found] == [["pipe.one", "pipe.two"], ["quo.one"]]
    values = {"price.a": 2.0}
    assert found[0].monthly("pipeline", values, 36) == pytest.approx(50)
    assert found[0].monthly("status-quo", values, 36) == 0
    assert found[1].claims == ("cpu/a#b",) and found[1].note == "a note"


def changed(row: int, column: int, text: str) -> list[list[str]]:
    rows = [list(r) for r in GOOD]
    rows[row][column] = text
    return rows


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (changed(0, 3, "pipe.one"), "item pipe.two is in no component"),
        (changed(1, 3, "quo.one pipe.two"), "line 3, items: pipe.two is in 'training' already"),
        (changed(1, 3, ""), "line 3, items: empty"),
        (changed(0, 3, "pipe.* pipe.three"), "line 2, items: no item 'pipe.three'"),
        (changed(0, 1, "Overheads"), "line 2, group: 'Overheads' is none of"),
        (changed(1, 0, "training"), "line 3, id: 'training' stands twice"),
        (changed(1, 2, " "), "line 3, component: empty"),
        (changed(0, 0, ""), "line 2, id: empty"),
        ([*GOOD, ["x"]], "line 4: 1 fields"),
        ([], "item pipe.one is in no component"),
    ],
)
def test_a_faulty_component_file_is_refused(tmp_path, rows, told):
    with pytest.raises(Problem, match=r"c\.csv") as caught:
        components.read(written(tmp_path / "c.csv", rows), ITEMS)
    assert told in str(caught.value)


def test_all_faults_of_a_component_file_are_told_at_once(tmp_path):
    rows = changed(0, 1, "Overheads")
    rows[1][3] = "quo.none"
    with pytest.raises(Problem) as caught:
        components.read(written(tmp_path / "c.csv", rows), ITEMS)
    assert len(str(caught.value).splitlines()) == 3  # the group, no such item, an item without home


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(Problem, match="there is no such file"):
        components.read(tmp_path / "c.csv", ITEMS)
    with pytest.raises(Problem, match="missing column"):
        components.read(written(tmp_path / "d.csv", GOOD, "id,group"), ITEMS)


def test_a_component_may_be_pending(tmp_path):
    rows = [*GOOD, ["lag", "Opportunity cost", "Lag", "opportunity.line", "", ""]]
    path = written(tmp_path / "c.csv", rows)
    assert components.read(path, ITEMS, pending=["lag"])[2].items == ()
    with pytest.raises(Problem, match=r"no item 'opportunity\.line'"):
        components.read(path, ITEMS)


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_the_components_of_a_case_add_up_to_its_model(company):
    m = model.load(paths.root() / company, check_sources=False)
    parts = components.read(paths.root() / company / "components.csv", m.items)
    values, known = m.base(), records.load_all(paths.results())
    for scenario in tco.SCENARIOS:
        whole = tco.flows(tco.of(m.items, scenario), values, m.months).sum() / m.months
        each = sum(part.monthly(scenario, values, m.months) for part in parts)
        assert each == pytest.approx(whole)
    for part in parts:
        ids = part.assumptions(m.derived)
        assert sum(components.evidence(ids, m.rows).values()) == len(ids) > 0
        for name in part.claims:
            assert components.claim(name, known).verdict
    assert {p.group for p in parts} == set(components.GROUPS)


def test_a_claim_that_is_not_there_is_refused():
    known = records.load_all(paths.results())
    for name in ("cpu/lesson-1-physics/shift#none", "cpu/none#psi-rule"):
        with pytest.raises(Problem, match="no such claim"):
            components.claim(name, known)


def test_a_measurement_keeps_its_interval():
    name = "cpu/lesson-1-physics/serving-cost#ratio.exported.batch-1"
    _, there = records.find(name)
    here = evidence.measured(name, "lognormal", id="ratio")
    drawn = uncertain.draw({"ratio": here}, 4096, 1)["ratio"]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (low, np.median(drawn), high) == pytest.approx(
        (there.low, there.value, there.high), rel=0.01
    )
    assert evidence.measured(name).id == there.name


def test_a_measurement_without_an_interval_is_no_assumption():
    name = "cpu/lesson-1-physics/serving-cost#"
    with pytest.raises(Problem, match="it has no interval"):
        evidence.measured(f"{name}joules.teacher")
    fixed = evidence.measured("cpu/lesson-1-physics/shift#cycles.calendar")
    assert fixed.distribution == "fixed"


def test_only_what_is_needed_is_drawn():
    m = model.load(paths.root() / "case", check_sources=False)
    rows = evidence.needed(m, ["unit.core-hour", "finance.tax"])
    assert set(rows) == {"price.cpu.vcpu-hour", "cpu.vcpus-per-core", "finance.tax"}
    values = evidence.base(m, {**rows, "x": Assumption("x", 1, 2, 3, "share")})
    assert values["x"] == 2 and values["unit.core-hour"] == m.base()["unit.core-hour"]
    drawn = evidence.draw(m, rows, 64, 3)
    assert drawn["unit.core-hour"] == pytest.approx(
        drawn["price.cpu.vcpu-hour"] * drawn["cpu.vcpus-per-core"]
    )
    assert "save.inference" not in drawn
    with pytest.raises(Problem, match=r"there is no row 'unit\.none'"):
        evidence.needed(m, ["unit.none"])


def test_evidence_counts_rows_by_their_source():
    rows = ledger.read(paths.root() / "case" / "ledger.csv")
    names = ["bill.inference", "finance.wacc", "finance.tax"]
    assert components.evidence(names, rows) == {"illustrative": 2, "invoice": 1}
