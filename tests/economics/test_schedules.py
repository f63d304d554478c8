"""Schedules of credits: what a file may say, and what it is told when it does not."""

from __future__ import annotations

import shutil
from datetime import date
from types import SimpleNamespace

import pytest

from synthecon import Problem, paths
from synthecon.economics import evidence, ledger, model, schedules, service, tco
from synthecon.economics.schedules import Step

GOOD = (
    "vendor,0.99,0.25,quote,Offer 17,procurement",
    "vendor,0.999,0.1,quote,Offer 17,procurement",
    "finer,0.9995,0.1,illustrative,Nobody,procurement",
    "own,0.95,1,expert,Contract team,sales",
)


@pytest.fixture
def write(tmp_path):
    def write(*lines, header="schedule,below,credit,source_type,source,owner"):
        path = tmp_path / "sla.csv"
        path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
        return path

    return write


def test_steps_as_they_stand_and_tiers_from_the_top(write):
    steps = schedules.read(write(*GOOD))
    assert steps[0] == Step("vendor", 0.99, 0.25, "quote", "Offer 17", "procurement")
    assert schedules.tiers(steps, "vendor") == [(0.999, 0.1), (0.99, 0.25)]
    assert service.credit(0.985, schedules.tiers(steps, "vendor")) == 0.25


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("vendors,0.9,0.5,quote,x,y", "line 6, schedule: 'vendors' is none of vendor, finer, own"),
        ("own,99.9,0.1,quote,x,y", "line 6, below: 99.9 is not a share above 0 to 1"),
        ("own,0,0.1,quote,x,y", "line 6, below: 0 is not a share"),
        ("own,nan,0.1,quote,x,y", "line 6, below: nan is not a share"),
        ("own,0.9,-0.1,quote,x,y", "line 6, credit: -0.1 is not a share from 0 to 1"),
        ("own,0.9,10 %,quote,x,y", "line 6, credit: '10 %' is not a number"),
        ("own,,1,quote,x,y", "line 6, below: empty"),
        ("own,0.9,1,quote,x,", "line 6, owner: empty"),
        ("own,0.9,1,derived,x,y", "line 6, source_type: 'derived' is none of"),
        ("own,0.9,1,public,a page,y", "line 6, source: public, but without the https"),
        ("own,0.95,1,quote,x,y", "line 6, below: 'own' has 0.95 on line 5 too"),
        ("own,0.9,0.5,quote,x,y", "line 6, credit: 0.5 below 0.9, but line 5 pays 1 below 0.95"),
        ("own,0.9,1,quote,x", "line 6: 5 fields"),
    ],
)
def test_errors_name_file_line_and_field(write, bad, told):
    path = write(*GOOD, bad)
    with pytest.raises(Problem) as caught:
        schedules.read(path)
    assert str(caught.value).startswith(str(path)) and told in str(caught.value)


def test_all_errors_are_told_at_once_and_none_for_a_cell_twice(write):
    with pytest.raises(Problem) as caught:
        schedules.read(write(*GOOD, "x,2,3,quote,x,y", "own,,1,quote,x,y"))
    assert len(str(caught.value).splitlines()) == 4


def test_a_schedule_or_a_column_that_is_not_there(write, tmp_path):
    with pytest.raises(Problem, match="no schedule 'own'"):
        schedules.read(write(*GOOD[:3]))
    with pytest.raises(Problem, match="line 1: missing column 'owner'"):
        schedules.read(write("a,1,1,x,y", header="schedule,below,credit,source_type,source"))
    with pytest.raises(Problem, match="no such file"):
        schedules.read(tmp_path / "none.csv")


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_the_schedules_of_the_cases_pay_more_for_worse_months(company):
    steps = schedules.read(paths.root() / company / "sla.csv")
    for name in schedules.NAMES:
        tiers = schedules.tiers(steps, name)
        assert service.credit(0.5, tiers) == max(c for _, c in tiers) > service.credit(1, tiers)


def book(currency, *rows):
    """A model of a few rows: id, currency, formula."""
    derived = {
        name: ledger.Derived(
            name, name, ledger.formula.parse(source), f"{money}/hour", money, source,
            date(2026, 1, 1), "finance", "",
        )
        for name, money, source in rows
    }  # fmt: skip
    return SimpleNamespace(folder=paths.root(), currency=currency, rows={}, derived=derived)


def test_money_that_is_not_that_of_the_books_is_refused():
    dollars = book("GBP", ("rent.machine", "USD", "price.gpu"))
    evidence.own_money(book("USD", ("rent.machine", "USD", "price.gpu")), ["rent.machine"])
    with pytest.raises(Problem) as caught:
        evidence.own_money(dollars, ["rent.machine", "rent.none"])
    wrong, missing = str(caught.value).splitlines()
    assert "rent.machine, currency: USD, but the books are in GBP" in wrong
    assert "a row in GBP/USD" in wrong and "there is no row 'rent.none'" in missing


def test_pounds_without_an_exchange_rate_are_refused_by_the_ledger(tmp_path):
    path = tmp_path / "ledger.csv"
    shutil.copy(paths.root() / "case" / "ledger.csv", path)
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("rent.machine,"))
    lines[at] = lines[at].replace("USD", "GBP")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(ledger.LedgerError, match="the formula gives 'USD/hour/machine'"):
        ledger.read_book(path)


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_the_rows_behind_the_plans_are_those_that_move_their_cost(company):
    folder = paths.root() / company
    m = model.load(folder, check_sources=False)
    plans = ("buy", "build", "hybrid")
    known = {**m.rows, **m.derived}
    items = tco.read(folder / "sourcing.csv", known, m.currency, m.months, plans)
    start = {n: r.base for n, r in m.rows.items()}

    def costs(values):
        every = m.fill(values)
        plan = m.plan(every)
        return [
            float(tco.present(tco.after_tax(tco.of(items, p), every, plan), plan.rate))
            for p in plans
        ]

    first = costs(start)
    moved = {
        n for n in m.rows
        if n != "finance.capex-life" and costs({**start, n: 1.01 * start[n] + 1e-6}) != first
    }  # fmt: skip
    assert set(evidence.behind(m, items)) - {"finance.capex-life"} == moved
