"""The joined model: folders of three companies, sources that changed, the way from bill to item."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from synthecon import Problem, cli, paths, records
from synthecon.economics import bench, classify, ledger, model, sources, tco, template, uncertain
from synthecon.record import Measurement

ROOT = paths.root()
CASES = ("case", "case-tannhof")


@pytest.fixture(scope="module")
def models():
    return {name: model.load(ROOT / name, check_sources=False) for name in CASES}


@pytest.fixture(scope="module", params=CASES)
def case_model(request, models):
    return models[request.param]


def _tagged(cost, activity, **more):
    tags = json.dumps({"env": "production", "activity": activity})
    return {"BilledCost": cost, "EffectiveCost": cost, "Tags": tags} | more


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A new company's folder, made by the template and filled in: a month, a few lines."""
    folder = tmp_path_factory.mktemp("new") / "mine"
    template.write(folder, "Kestrel")
    change(folder / "policy.toml", 'last_month = "2026-10"', 'last_month = "2025-11"')
    usual = {
        "BillingCurrency": "USD", "ChargePeriodStart": "2025-11-03",
        "BillingPeriodStart": "2025-11-01", "ChargeCategory": "Usage", "ProviderName": "P",
        "ServiceCategory": "Compute", "ServiceName": "S", "ResourceId": "r",
    }  # fmt: skip
    lines = [
        _tagged("5000.005", "inference"), _tagged("800", "training"), _tagged("70", "retraining"),
        _tagged("60", "feature-engineering"), _tagged("30.01", "storage"),
        _tagged("9", "none", CommitmentDiscountStatus="Unused"), _tagged("444", "serving"),
    ]  # fmt: skip
    append(folder / "bill/export.csv", [usual | line for line in lines])
    invoice = {"date": "2025-11-05", "vendor": "V", "item": "i", "currency": "USD"}
    append(
        folder / "invoices.csv",
        [
            invoice | {"category": "Labelling", "amount": "1000.33"},
            invoice | {"category": "Data licence", "amount": "200"},
        ],
    )
    paid = {"month": "2025-11", "team": "t", "role": "r", "hours": "10", "currency": "USD"}
    activities = ("labelling", "label review", "model training", "data compliance", "sales")
    append(
        folder / "payroll.csv",
        [paid | {"activity": a, "rate": str(20 + i)} for i, a in enumerate(activities)],
    )
    append(folder / "revenue.csv", [{"month": "2025-11", "amount": "9000", "currency": "USD"}])
    return folder


@pytest.fixture(scope="module")
def updated(company, tmp_path_factory):
    """The same with its own numbers in the ledger."""
    folder = shutil.copytree(company, tmp_path_factory.mktemp("updated") / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "stale", lambda record, **options: [])
        assert not cli.main(["ledger", str(folder), "--update"])
    return folder


@pytest.fixture
def mine(updated, tmp_path, fresh):
    """A copy that may be spoilt."""
    return shutil.copytree(updated, tmp_path / "mine")


@pytest.fixture
def fresh(monkeypatch):
    """Whether the committed records are fresh is not these tests' question."""
    monkeypatch.setattr(records, "stale", lambda record, **options: [])


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def append(path, rows):
    with path.open(newline="") as file:
        head = next(csv.reader(file))
    with path.open("a", newline="") as file:
        csv.DictWriter(file, head, restval="", lineterminator="\n").writerows(rows)


def edit(path, id, **cells):
    """Change cells of one row of a ledger or of items."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    (row,) = [r for r in rows if r["id"] == id]
    row.update(cells)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def remove(path, id):
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(f"{id},")]
    assert len(kept) == len(lines) - 1
    path.write_text("".join(kept))


def refusal(folder, **options):
    with pytest.raises(Problem) as told:
        model.load(folder, **options)
    return str(told.value)


# The committed cases


@pytest.mark.parametrize("name", CASES)
def test_the_committed_ledger_says_what_its_sources_say(name):
    """Records and books, not whether the records are fresh: `synthecon ledger` asks that too."""
    found = model.load(ROOT / name, check_sources=True)
    kinds = {row.source_type for row in found.rows.values()}
    assert {"measured", "invoice", "transfer"} <= kinds and found.derived and found.items


def test_what_the_model_uses(case_model):
    used = case_model.used
    assert {"finance.wacc", "measured.serving-ratio", "time.student", "growth.traffic"} <= used
    assert "price.gpu.h200-hour" not in used and "" not in used
    values = case_model.base()
    npv = float(case_model.npv(values))
    for name, row in case_model.rows.items():
        if row.base and row.source_type != "invoice":
            moved = float(case_model.npv(case_model.base(**{name: row.base * 1.01})))
            assert name in used or moved == npv, name


def test_ancestors_are_found_through_formulas(case_model):
    found = model.ancestors({"move.student"}, case_model.derived)
    made_of = {"transfer.distil-inference", "measured.serving-ratio", "share.student-busy"}
    assert found == {"move.student", *made_of}


def test_base_refuses_what_has_no_number_of_its_own(case_model):
    with pytest.raises(Problem) as told:
        case_model.base(**{"growth.inference": 0.1, "nonsense": 1.0})
    first, second = str(told.value).splitlines()
    assert "growth.inference is derived; change what it is made of: compound(" in first
    assert "ledger.csv: there is no row 'nonsense'" in second
    assert case_model.base(**{"growth.traffic": 0.5})["growth.inference"] > 0.4


def test_derived_values_are_always_computed_anew(case_model):
    values = case_model.base()
    spoilt = values | {name: 0.0 for name in case_model.derived}
    assert case_model.fill(spoilt) == values
    assert case_model.npv(spoilt) == case_model.npv(values)


def test_many_scenarios_are_each_their_own(case_model):
    """Across the border of a chunk, and against the loop with pyxirr."""
    count = tco.CHUNK + 3
    values = case_model.draw(count, seed=3)
    together = case_model.npv(values)
    assert together.shape == (count,)
    for s in (0, tco.CHUNK - 1, tco.CHUNK, count - 1):
        one = {k: float(v[s]) for k, v in values.items()}
        assert together[s] == pytest.approx(float(case_model.npv(one)), rel=1e-9)
        loop = bench.textbook(case_model.items, one, case_model.plan(one))
        assert together[s] == pytest.approx(loop, rel=1e-9, abs=1e-3)


def test_a_draw_is_deterministic_and_whole(case_model):
    a, b = case_model.draw(64, seed=9), case_model.draw(64, seed=9)
    assert a.keys() == case_model.rows.keys() | case_model.derived.keys()
    assert all(np.array_equal(a[k], b[k]) and len(a[k]) == 64 for k in a)
    assert not np.array_equal(a["growth.traffic"], case_model.draw(64, seed=8)["growth.traffic"])


def test_a_scenario_without_a_value_is_no_result(case_model):
    values = {**case_model.base(), "measured.serving-ratio": np.array([2.0, 0.0])}
    with np.errstate(all="ignore"), pytest.raises(Problem) as told:
        case_model.npv(values)
    assert "not finite in some scenario" in str(told.value) and "move.student" in str(told.value)


def test_every_tool_works_on_the_cases(case_model):
    swings = uncertain.tornado(case_model.npv, case_model.rows)
    assert {s.id for s in swings if s.width > 1e-6} <= case_model.used
    for swing in swings[:8]:
        even = uncertain.break_even(case_model.npv, case_model.rows, swing.id)
        assert (even is None) == (swing.low * swing.high > 0)
        if even is not None:
            values = case_model.base(**{swing.id: even})
            assert float(case_model.npv(values)) == pytest.approx(0, abs=1e-3)


# From the bill through the ledger to the items


def test_every_class_reaches_the_status_quo_once(case_model):
    checks = model.reconcile(case_model)
    assert [c for c in checks if not c.holds] == []
    policy = case_model.policy
    titles = " ".join(c.name for c in checks)
    assert all((c.title in titles) == c.ml for c in policy.classes.values())
    # Today is the last three months of the books, and not the mean of the year.
    by_month = classify.totals(case_model.audit.case.lines.table, "class", "month")
    ml = {c.name for c in policy.classes.values() if c.ml}
    last = {name: 0 for name in policy.months[-3:]}
    total = sum(v for (name, month), v in by_month.items() if name in ml and month in last)
    assert checks[-1].left == round(total / 3, 2)
    parts = [c.right for c in checks[:-1]]
    assert abs(sum(parts) - checks[-1].right) < Decimal("0.005") * len(parts)


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda items: items[1:], {"Inference, bills and invoices"}),
        (lambda items: [*items, replace(items[0], id="twice")], {"Inference, bills and invoices"}),
        (
            lambda items: [replace(i, start=2.0) if i.id == "quo.data" else i for i in items],
            {"Data acquisition, bills and invoices"},
        ),
        (
            lambda items: [i for i in items if i.id != "quo.retraining"],
            set(),
        ),
        (
            lambda items: [i for i in items if i.id != "both.people-training"],
            {"High-compute training, payroll"},
        ),
        (
            lambda items: [replace(items[0], factors=(("volume.storage", 1),)), *items[1:]],
            {"Inference, bills and invoices"},
        ),
    ],
)
def test_a_class_that_is_missing_or_twice_is_named(models, spoil, names):
    found = replace(models["case"], items=spoil(list(models["case"].items)))
    broken = {c.name for c in model.reconcile(found) if not c.holds}
    assert broken == names | {"ML cost of a month"}


def test_pipeline_and_single_payments_are_no_run_rate(models):
    found = models["case"]
    kept = [i for i in found.items if "status-quo" in i.scenario]
    once = replace(kept[0], id="once", kind="once", start=1.0, factors=(("price.node", 1),))
    assert all(c.holds for c in model.reconcile(replace(found, items=[*kept, once])))


# A new company


def test_a_new_company_is_priced_from_its_own_books(mine, capsys):
    found = model.load(mine, fresh=True)
    assert found.rows["bill.inference"].base == 5000.005
    assert found.rows["payroll.labelling"].base == 410 and found.rows["hours.labelling"].base == 20
    assert found.rows["bill.redundant-features"].base == 0  # no line, so no cost
    assert found.rows["bill.retraining"].base == 70
    assert found.base()["bill.training-other"] == 800
    assert all(c.holds for c in model.reconcile(found))
    capsys.readouterr()
    before = (mine / "ledger.csv").read_bytes()
    assert not cli.main(["ledger", str(mine), "--update"])
    told = capsys.readouterr().out
    assert "0 rows written anew" in told and (mine / "ledger.csv").read_bytes() == before
    assert "books, ledger and status quo agree to the cent: 11 sums of a month" in told


def test_the_worked_case_in_a_folder_from_the_template(tmp_path, models, fresh, capsys):
    folder, ours = tmp_path / "again", ROOT / "case"
    template.write(folder)
    change(
        folder / "policy.toml",
        '["bill/export.csv"]',
        '["bill/nimbus.csv.gz", "bill/corax.parquet"]',
    )
    for name in ("bill/nimbus.csv.gz", "bill/corax.parquet", "invoices.csv", "payroll.csv"):
        shutil.copy(ours / name, folder / name)
    shutil.copy(ours / "revenue.csv", folder / "revenue.csv")
    (folder / "bill" / "export.csv").unlink()
    edit(folder / "ledger.csv", "bill.inference", low="1", base="1", high="1")
    assert not cli.main(["ledger", str(folder), "--update"])
    assert "bill.inference: 1 is now 76732.6" in capsys.readouterr().out
    found = model.load(folder)
    assert found.npv(found.base()) == models["case"].npv(models["case"].base())
    help_text = (folder / "HELP.md").read_text()
    for file in sorted(folder.glob("*.csv")):
        head = file.read_text().partition("\n")[0].split(",")
        name = "items.csv" if file.stem == "sourcing" else file.name
        section = help_text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert head == re.findall(r"^\| ([a-z_]+) \|", section, re.M)[1:]  # without its own head
    readme = (ours / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in (*ledger.COLUMNS, *tco.COLUMNS))


def test_another_currency_is_refused_row_by_row(company, tmp_path, fresh, capsys):
    """Numbers in dollars are never taken for euros: audit, sources and items each say so."""
    folder = shutil.copytree(company, tmp_path / "euro")
    for name in ("policy.toml", "bill/export.csv", "invoices.csv", "payroll.csv", "revenue.csv"):
        path = folder / name
        path.write_text(path.read_text().replace("USD", "EUR"))
    before = (folder / "ledger.csv").read_bytes()
    assert cli.main(["ledger", str(folder), "--update"]) == 2
    told = capsys.readouterr().err
    assert "ledger.csv, cost.distil.once: its unit is USD, wanted EUR" in told
    assert (folder / "ledger.csv").read_bytes() == before
    own = ledger.read_book(folder / "ledger.csv")
    books = {"month.inference": sources.Quantity(5.0, "EUR/month")}
    some = replace(own, rows={"bill.inference": own.rows["bill.inference"]})
    with pytest.raises(Problem, match="unit: 'USD/month', but its source is in 'EUR/month'"):
        sources.update(folder / "ledger.csv", some, books)
    assert (folder / "ledger.csv").read_bytes() == before


def test_the_command_says_which_class_the_items_miss(mine, capsys):
    remove(mine / "items.csv", "quo.inference")
    assert cli.main(["ledger", str(mine)]) == 2
    told = capsys.readouterr().err
    assert "items.csv: the status quo must hold each ML amount of the books once:" in told
    assert "Inference, bills and invoices: 5,000.01 in the books, 0.00 in the status quo" in told


# What load refuses


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda f: remove(f, "finance.tax"),
            "no row 'finance.tax' with numbers of its own; add it, in share",
        ),
        (
            lambda f: edit(f, "finance.tax", unit="1/year"),
            "finance.tax, unit: '1/year', but it must be 'share'",
        ),
        (
            lambda f: edit(f, "finance.tax", low="25", base="25", high="25"),
            "finance.tax, low, high: a tax rate is from 0 to below 1",
        ),
        (
            lambda f: edit(f, "finance.capex-life", low="2", distribution="pert"),
            "finance.capex-life, distribution: must be fixed, a month or longer",
        ),
        (
            lambda f: edit(f, "finance.capex-life", low="0", base="0", high="0"),
            "source: divides by zero at base; give it numbers of its own",
        ),
        (
            lambda f: edit(f, "cost.tooling.month", basis="real"),
            "cost.tooling.month, basis: real, but the model counts nominal money",
        ),
        (lambda f: edit(f, "finance.wacc", base="x"), "base: 'x' is not a finite number"),
        (
            lambda f: edit(f, "bill.labelling", source="audit#month.labeling"),
            "bill.labelling, source: the audit has no 'month.labeling'; it has",
        ),
        (
            lambda f: edit(f, "bill.inference", low="4999", base="4999", high="4999"),
            "bill.inference, base: 4999 (4999 to 4999), but its source says 5000",
        ),
        (
            lambda f: edit(f, "hours.training", unit="hours", period=""),
            "hours.training, unit: 'hours', but its source is in 'hours/month'",
        ),
        (lambda f: f.with_name("items.csv").unlink(), "items.csv: there is no such file"),
    ],
)
def test_load_refuses(mine, spoil, says):
    spoil(mine / "ledger.csv")
    assert says in refusal(mine)


def test_a_unit_may_be_singular(mine):
    edit(mine / "ledger.csv", "finance.capex-life", unit="year")
    model.load(mine)


def test_ledger_sources_and_items_are_told_at_once(mine):
    remove(mine / "ledger.csv", "finance.wacc")
    edit(mine / "ledger.csv", "bill.inference", low="1", base="1", high="1")
    edit(mine / "items.csv", "quo.inference", kind="yearly")
    told = refusal(mine)
    assert "no row 'finance.wacc'" in told and "bill.inference, base: 1 " in told
    assert "items.csv, line 2, kind: 'yearly' is none of" in told
    assert "finance.wacc" in refusal(mine, check_sources=False)


# Records


NOW = Measurement("speed", "Speed", 2.5, "×", 5, 2.25, 2.75, 0.95, "t")


@pytest.fixture
def record(monkeypatch):
    """A record that measures NOW; what it measures and whether it is stale can be set."""
    state = {"m": NOW, "stale": []}

    def find(name):
        if name != "cpu/toy#speed":
            raise Problem(f"unknown record {name}")
        return type("Record", (), {"id": "cpu/toy"}), state["m"]

    monkeypatch.setattr(records, "find", find)
    monkeypatch.setattr(records, "stale", lambda record, **options: state["stale"])
    return state


@pytest.fixture
def one(tmp_path):
    """A ledger of one measured row; a function that makes it with other cells."""

    def make(**cells):
        row = {
            "id": "speed", "name": "Speed", "low": "2.25", "base": "2.5", "high": "2.75",
            "distribution": "normal", "unit": "share", "currency": "", "basis": "", "period": "",
            "source_type": "measured", "source": f"cpu/toy#speed sha:{HASH}",
            "as_of": "2026-01-31", "owner": "e", "confidence": "high", "group": "",
            "note": "Kept, as it is.",
        } | cells  # fmt: skip
        path = tmp_path / "ledger.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ledger.COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows([row, row | OTHER])
        return path

    return make


OTHER = {"id": "other", "source_type": "expert", "source": "Somebody, once", "note": '"As, is"'}
HASH = "0" * 12


def test_what_a_record_says_is_written_and_then_agrees(record, one):
    path = one(low="1", base="1.5", high="2")
    assert sources.update(path, ledger.read_book(path), {}) == ["speed: 1.5 is now 2.5"]
    book = ledger.read_book(path)
    assert (book.rows["speed"].low, book.rows["speed"].high) == (2.25, 2.75)
    assert sources.check(path, book, {}, fresh=True) == []
    other = book.rows["other"]
    assert (other.low, other.note) == (1, '"As, is"')  # people's numbers are people's
    assert sources.update(path, book, {}) == []
    record["m"] = replace(NOW, method="bootstrap")  # the same numbers, got in another way
    (told,) = sources.check(path, book, {})
    assert "speed, source: no hash, or another than sha:" in told and "ledger --update" in told


@pytest.mark.parametrize(
    ("cells", "state", "says"),
    [
        ({}, {}, "speed, source: no hash, or another than sha:"),
        ({"source": "cpu/toy#speed"}, {}, "speed, source: no hash, or another than sha:"),
        ({"source": "cpu/other#speed"}, {}, "speed, source: unknown record cpu/other#speed"),
        ({"base": "2.6"}, {}, "base: 2.6 (2.25 to 2.75), but its source says 2.5 (2.25 to 2.75): "),
        ({"low": "2"}, {}, "base: 2.5 (2 to 2.75), but its source says 2.5 (2.25 to 2.75): "),
        ({}, {"stale": ["module x changed"]}, "speed, source: cpu/toy is stale: module x changed"),
        (
            {"unit": "points"}, {},
            "speed, unit: 'points', but its source is in '×': correct unit and currency by hand",
        ),
        (
            {"unit": "USD", "currency": "USD", "basis": "real", "period": "once"}, {},
            "speed, unit: 'USD', but its source is in '×'",
        ),
        ({}, {"m": replace(NOW, unit="points")}, "unit: 'share', but its source is in 'points'"),
        ({}, {"m": replace(NOW, unit="µs?")}, "unit: 'share', but its source is in 'µs?'"),
    ],
)  # fmt: skip
def test_a_row_that_its_record_does_not_bear_out(record, one, cells, state, says):
    path = one(**cells)
    record.update(state)
    (told,) = sources.check(path, ledger.read_book(path), {}, fresh=True)
    assert told.startswith(f"{path}, speed") and says in told


def test_a_stale_record_counts_only_where_it_is_asked(record, one):
    path = one()
    sources.update(path, ledger.read_book(path), {})
    record["stale"] = ["the notebook's code cells changed"]
    assert sources.check(path, ledger.read_book(path), {}) == []
    text = path.read_bytes()
    with pytest.raises(Problem, match="is stale: the notebook's code cells changed"):
        sources.update(path, ledger.read_book(path), {})
    assert path.read_bytes() == text


def test_a_measurement_or_a_record_that_is_not_there(tmp_path, monkeypatch, one):
    monkeypatch.setattr(paths, "results", lambda: tmp_path / "results")
    path = one()
    (told,) = sources.check(path, ledger.read_book(path), {})
    assert "speed, source: cpu/toy#speed: unknown record cpu/toy" in told
    shutil.copytree(
        ROOT / "results/cpu/lesson-1-physics", tmp_path / "results/cpu/lesson-1-physics"
    )
    path = one(source="cpu/lesson-1-physics/distillation#speed")
    (told,) = sources.check(path, ledger.read_book(path), {})
    assert "cpu/lesson-1-physics/distillation: unknown measurement speed" in told


def test_a_number_without_an_interval_is_the_same_three_times(record, one):
    record["m"] = replace(NOW, low=None, high=None, level=None)
    path = one(distribution="fixed", low="1", base="1", high="1")
    sources.update(path, ledger.read_book(path), {})
    row = ledger.read(path)["speed"]
    assert (row.low, row.base, row.high) == (2.5, 2.5, 2.5)


def test_the_books_name_every_class_and_add_up(models):
    found = model.books(models["case"].audit)
    policy = models["case"].policy
    names = [name.replace("_", "-") for name in policy.classes]
    assert {f"{k}.{n}" for k in ("month", "payroll", "hours") for n in names} <= found.keys()
    money = sum(found[f"{kind}.{name}"].value for kind in ("month", "payroll") for name in names)
    assert money == pytest.approx(found["month.total"].value)
    with (ROOT / "case/payroll.csv").open() as file:
        last = policy.months[-3:]
        lines = [line for line in csv.DictReader(file) if line["month"] in last]
    hours = sum(float(line["hours"]) for line in lines)
    assert sum(found[f"hours.{n}"].value for n in names) == pytest.approx(hours / 3)


def test_the_benchmark_compares_before_it_races():
    ways = bench.contenders(ROOT / "case", scenarios=64, sample=2)
    assert [count for _, count in ways.values()] == [2, 64]
    assert len(ways[bench.LOOP][0]()) == 2 and ways[bench.MATRICES][0]().shape == (64,)
