"""The workbook and the trace: its formulas calculated by another program must say what Python says.

The file carries Python's values, and most programs trust them.  So the tests plant a wrong value
in every formula, change inputs in the file itself, and let LibreOffice calculate all of it anew.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st

from synthecon import Problem, cli, paths, records
from synthecon.economics import (
    model,
    outcome,
    sources,
    spreadsheet,
    tco,
    trace,
    uncertain,
    workbook,
    workbook_draft,
    workbook_guards,
)

SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
PLANTED = 123.456
OFFICE = shutil.which("soffice") or shutil.which("libreoffice")
RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>"""
# what a person types: case folder, switch, overrides
TYPED = {
    "plain": ("case", "base", {}),
    "low": ("case", "corner: all low", {}),
    "cautious": ("case", "cautious", {"transfer.retrain-on-evidence": 0.9}),
    "high": ("case", "corner: all high",
             {"finance.wacc": 0.2, "time.student": 4.3, "time.fade": 2.25,
              "finance.capex-life": 30.5 / 12, "finance.tax": 0.31}),
    "drawn": ("case", "base", None),  # every uncertain row at once, a scenario of the simulation
    "euro": ("case-tannhof", "base", {}),
    "euro-low": ("case-tannhof", "confident", {"bill.inference": 200000.0, "growth.traffic": 0.4,
                                         "transfer.distil-inference": 0.8, "price.node": 90000.0}),
    "euro-high": ("case-tannhof", "corner: all high", {}),
}  # fmt: skip
# what the model does not accept; the check that says so, and how many it counts
REFUSED = {
    "many": (
        {"time.student": 40.0, "finance.tax": 1.5, "transfer.distil-inference": 1.8,
         "finance.capex-life": 0.01, "transfer.teacher-labels": "30%", "price.node": -1.0},
        "Overrides are numbers", 6,
    ),
    "text": ({"transfer.distil-inference": "30%"}, "Overrides are numbers", 1),
    "aside": ({"sla.mtbf": "700 hours"}, "The same on the sheet Not in the model", 1),
    "together": ({"time.student": 35.0, "time.parallel": 3.0}, "Months of the items", 2),
}  # fmt: skip


def numbers(models, name: str) -> dict[str, float]:
    """The overrides of one of TYPED."""
    case, _, overrides = TYPED[name]
    if overrides is not None:
        return overrides
    found = models[case]
    drawn = found.draw(8, seed=5)
    return {r.id: float(drawn[r.id][3]) for r in found.rows.values() if r.high > r.low}


def extended(found: model.Model) -> model.Model:
    """With items of the kinds that the case lacks: late CapEx in parts, cost that is no cash."""
    late = replace(
        next(i for i in found.items if i.category == "CapEx"), id="test.late", start="late.month"
    )
    lost = replace(
        next(i for i in found.items if i.kind == "monthly"), id="test.lost", name="Lost sales",
        category="Opportunity", line="none", cash=False, start=2.0, ramp=5.0,
    )  # fmt: skip
    row = replace(found.rows["time.fade"], id="late.month", low=18.0, base=20.4, high=23.7)
    return replace(found, rows={**found.rows, "late.month": row}, items=[*found.items, late, lost])


@pytest.fixture(scope="module")
def models():
    plain = {name: model.load(paths.root() / name) for name in ("case", "case-tannhof")}
    return plain | {"case": extended(plain["case"]), "as it is": plain["case"]}


@pytest.fixture(scope="module")
def book(models):
    return workbook.build(models["case"])


@pytest.fixture(scope="module")
def content(book):
    return cells(book.bytes())


def cells(data: bytes, errors: bool = False) -> dict[str, tuple[str | float, str | None]]:
    """ "Sheet!A1" -> value and formula of each cell of a file that has any."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    texts = [
        "".join(t.text or "" for t in entry.iter(f"{SPACE}t"))
        for entry in ET.fromstring(archive.read("xl/sharedStrings.xml"))
    ]
    sheets = ET.fromstring(archive.read("xl/workbook.xml")).find(f"{SPACE}sheets")
    found = {}
    for number, sheet in enumerate(sheets, 1):
        page = ET.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
        for cell in page.iter(f"{SPACE}c"):
            value, formula = cell.find(f"{SPACE}v"), cell.find(f"{SPACE}f")
            if value is not None:
                kind, text = cell.get("t"), value.text or ""
                assert errors or kind != "e", f"{sheet.get('name')}!{cell.get('r')} is {text}"
                plain = texts[int(text)] if kind == "s" else text
                number_or_text = plain if kind in ("s", "str", "e") else float(text)
                key = f"{spreadsheet.quoted(sheet.get('name'))}!{cell.get('r')}"
                found[key] = (number_or_text, None if formula is None else formula.text)
    return found


def typed(data: bytes, changes: dict[str, str | float]) -> bytes:
    """The file with other contents in some cells, as if a person had typed them."""
    old, new = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    tree = ET.fromstring(old.read("xl/workbook.xml")).find(f"{SPACE}sheets")
    files = {
        spreadsheet.quoted(sheet.get("name")): f"xl/worksheets/sheet{number}.xml"
        for number, sheet in enumerate(tree, 1)
    }
    todo = [
        (files[key.rpartition("!")[0]], key.rpartition("!")[2], changes[key]) for key in changes
    ]
    with zipfile.ZipFile(new, "w") as copy:
        for name in old.namelist():
            content = old.read(name)
            if any(name == file for file, _, _ in todo):
                text = content.decode()
                for place, value in [(p, v) for file, p, v in todo if file == name]:
                    inside = (
                        f' t="inlineStr"><is><t>{value}</t></is></c>'
                        if isinstance(value, str)
                        else f"><v>{value!r}</v></c>"
                    )
                    text, count = re.subn(
                        rf'(<c r="{place}" s="\d+")(?:/>|[^>]*>.*?</c>)', rf"\1{inside}", text
                    )
                    assert count == 1, place
                content = text.encode()
            copy.writestr(name, content)
    return new.getvalue()


def place_of_override(book: workbook.Book, key: str) -> str:
    sheet, _, place = book.where[key][0][0].rpartition("!")
    return f"{sheet}!{place.replace('C', 'H')}"


@pytest.fixture(scope="module")
def recalculated(models, tmp_path_factory):
    """Each of TYPED in a file full of wrong values, calculated by LibreOffice: its cells."""
    if OFFICE is None:
        pytest.skip("LibreOffice is not installed: apt-get install libreoffice-calc-nogui")
    folder = tmp_path_factory.mktemp("office")
    settings = folder / "profile" / "user" / "registrymodifications.xcu"
    settings.parent.mkdir(parents=True)
    settings.write_text(RECALCULATE, encoding="utf-8")
    planted = {}
    for name, (case, switch, _) in TYPED.items():
        if case not in planted:
            made = workbook.build(models[case])
            planted[case] = made, made.bytes(planted=PLANTED)
        made, data = planted[case]
        changes = {
            place_of_override(made, key): value for key, value in numbers(models, name).items()
        }
        (folder / f"{name}.xlsx").write_bytes(typed(data, {**changes, "Inputs!C4": switch}))
    made = workbook.build(models["as it is"])
    for name, (overrides, _, _) in REFUSED.items():
        changes = {place_of_override(made, key): value for key, value in overrides.items()}
        (folder / f"{name}.xlsx").write_bytes(typed(made.bytes(), changes))
    names = [*TYPED, *REFUSED]
    command = [
        OFFICE, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless",
        "--convert-to", "xlsx", "--outdir", str(folder / "out"),
        *(str(folder / f"{name}.xlsx") for name in names),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    # a life of no month divides by zero, and may
    return {
        name: cells((folder / "out" / f"{name}.xlsx").read_bytes(), errors=name in REFUSED)
        for name in names
    }


@pytest.mark.parametrize("name", TYPED)
def test_every_formula_calculates_to_pythons_value(recalculated, models, name):
    case, switch, overrides = *TYPED[name][:2], numbers(models, name)
    book = workbook.build(models[case], switch, overrides)
    wanted, rates = cells(book.bytes()), [cell for cell, _ in book.where["irr"]]
    got, wrong = recalculated[name], {}
    formulas = {k: v for k, (v, formula) in wanted.items() if formula}
    assert len(formulas) > 4000
    for key, value in formulas.items():
        there = got[key][0]
        # the search for a rate of return ends where the value is zero to a cent or so
        room = 1e-6 if key in rates else 1e-9 * abs_or_zero(value) + 1e-6
        if key.startswith("Checks!") and "internal rate" in str(got.get(f"Checks!B{key[8:]}")):
            room = 1.0
        if isinstance(value, str) or isinstance(there, str):
            same = value == there
        else:
            same = abs(value - there) <= room
        if not same:
            wrong[key] = (value, there)
    assert not wrong


def abs_or_zero(value: str | float) -> float:
    return 0.0 if isinstance(value, str) else abs(value)


@pytest.mark.parametrize("name", TYPED)
def test_outputs_are_the_models_to_a_cent(recalculated, models, name):
    """Against the model itself, not against what the workbook's maker thinks."""
    case, switch, overrides = *TYPED[name][:2], numbers(models, name)
    found = models[case]
    own = by_switch(found, switch) | overrides
    values = found.fill(own)
    got = recalculated[name]
    shown: dict[str, int] = {}  # a label's first row
    for row in range(5, 45):
        shown.setdefault(got.get(f"Outputs!A{row}", ("",))[0], row)
    npv = got[f"Outputs!C{shown['Net present value of the pivot']}"][0]
    assert npv == pytest.approx(float(found.npv(own)), abs=0.01)
    gain = tco.advantage(found.items, values, found.plan(values))
    lowest = got[f"Outputs!C{shown['Lowest point of cumulated cash']}"][0]
    assert lowest == pytest.approx(min(0.0, np.cumsum(gain).min()), abs=0.01)
    for column, scenario in (("C", "status-quo"), ("D", "pipeline")):
        mine = tco.of(found.items, scenario)
        for kind, attribute in (("category", outcome.CATEGORIES), ("line", outcome.LINES)):
            for label in attribute:
                some = [i for i in mine if i.cash and getattr(i, kind) == label]
                cost = tco.flows(some, values, found.months).sum()
                assert got[f"Outputs!{column}{shown[label]}"][0] == pytest.approx(-cost, abs=0.01)
        lost = [i for i in mine if not i.cash]
        cost = tco.flows(lost, values, found.months).sum()
        cell = got[f"Outputs!{column}{shown['Opportunity cost']}"]
        assert cell[0] == pytest.approx(-cost, abs=0.01)
    payback = got[f"Outputs!C{shown['Payback']}"][0]
    assert payback == by_hand(gain) or payback == pytest.approx(by_hand(gain), abs=1e-6)
    irr = got[f"Outputs!C{shown['Internal rate of return']}"][0]
    if isinstance(irr, float):
        assert (1 + irr) ** (1 / 12) - 1 == pytest.approx(pyxirr.irr(gain), abs=1e-7)


def by_switch(found: model.Model, switch: str) -> dict[str, float]:
    """The rows as the switch wants them, each end tried by itself."""
    base = {r.id: r.base for r in found.rows.values()}
    if switch.startswith("corner"):
        return {r.id: getattr(r, switch.split()[-1]) for r in found.rows.values()}
    if switch == "base":
        return base
    own = dict(base)
    for r in found.rows.values():
        low, high = (float(found.npv(base | {r.id: x})) for x in (r.low, r.high))
        if low != high:
            own[r.id] = r.low if (low < high) == (switch == "cautious") else r.high
    return own


def by_hand(gain: np.ndarray) -> float | str:
    """Payback, month by month."""
    total, back = 0.0, "not within 36 months"
    for month, flow in enumerate(gain):
        if total < 0 <= total + flow:
            back = month - 1 - total / flow
        total += flow
    return back if total >= 0 else "not within 36 months"


def test_the_wrong_values_were_really_there(book):
    planted = cells(book.bytes(planted=PLANTED))
    assert {value for value, formula in planted.values() if formula} == {PLANTED}


def test_the_master_check_sees_a_bill_that_is_not_the_audits(recalculated):
    assert recalculated["plain"]["Checks!G3"][0] == "OK"
    assert recalculated["euro-low"]["Checks!G3"][0] == "FAIL"  # another bill was typed in
    assert recalculated["euro-low"]["Outputs!F3"][0] == "FAIL"


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_model_does_not_accept_fails_a_check(recalculated, name):
    got, (_, wanted, count) = recalculated[name], REFUSED[name]
    assert got["Checks!G3"][0] == got["Outputs!F3"][0] == "FAIL"
    [place] = [k for k, (x, _) in got.items() if k[:8] == "Checks!B" and str(x).startswith(wanted)]
    assert got[place.replace("!B", "!C")][0] >= count
    assert got[place.replace("!B", "!C")][0] == count or name == "together"  # items that it moves
    assert got[place.replace("!B", "!G")][0] == "FAIL"
    failed = [k for k, (x, _) in got.items() if k[:8] == "Checks!G" and x == "FAIL"]
    assert len(failed) == 2 or name == "many"  # this check and the master, and no other


def test_an_override_cell_takes_only_what_the_model_accepts(models):
    made = workbook.build(models["as it is"])
    page = ET.fromstring(zipfile.ZipFile(io.BytesIO(made.bytes())).read("xl/worksheets/sheet2.xml"))
    rules = {
        rule.get("sqref"): (rule.get("type"), *(float(one.text) for one in rule))
        for rule in page.iter(f"{SPACE}dataValidation")
        if rule.get("type") != "list"
    }
    inside = [s for s in made.where.items() if s[1][0][0].startswith("Inputs!C")]
    wanted = {
        "time.student": (0, 36), "finance.tax": (0, 0.99), "transfer.distil-inference": (0, 1),
        "price.node": (0, 1e15), "growth.cloud-price": (-0.5, 1),
    }  # fmt: skip
    for key, ends in wanted.items():
        assert rules[place_of_override(made, key).removeprefix("Inputs!")] == ("decimal", *ends)
    assert len(rules) == sum(key in models["as it is"].rows for key, _ in inside)


def test_the_ledgers_own_range_is_always_accepted(models):
    for found in models.values():
        for row in found.rows.values():
            low, high = workbook_guards.limits(row, found.months)
            assert low <= row.low <= row.high <= high
            assert workbook_guards.wrong(row, high + 1, found.months) or high >= 1e15


def test_cautious_and_confident_stand_on_both_sides_of_base(models):
    for found in (models["as it is"], models["case-tannhof"]):
        worth = {c: float(found.npv(outcome.choose(found, c))) for c in outcome.CASES}
        assert worth["cautious"] < worth["base"] < worth["confident"]
        assert worth["cautious"] < min(v for c, v in worth.items() if c.startswith("corner"))
        ends = outcome.worse_ends(found)
        assert ends["finance.tax"] == "–" and set(ends.values()) == set(outcome.ENDS)


def test_rows_that_no_item_rests_on_stand_apart(models):
    found = models["as it is"]
    made = workbook.build(found)
    apart = {k for k, cells in made.where.items() if cells[0][0].startswith("'Not in the model'")}
    named = {n for i in found.items for n, _ in i.factors} | {i.growth for i in found.items}
    assert "sla.mtbf" in apart and not apart & (named | found.used)
    for sheet in made.sheets:
        if sheet.name in ("Items", "Months", "Outputs"):
            texts = {c.content for c in sheet.cells.values() if c.is_formula}
            assert not any("Not in" in str(text) for text in texts)


def test_uncertainty_shows_the_record_of_this_case_and_of_no_other(models):
    found = models["as it is"]
    sheet = next(s for s in workbook.build(found).sheets if s.name == "Uncertainty")
    assert not any(c.is_formula for c in sheet.cells.values())
    held = {c.content for c in sheet.cells.values() if isinstance(c.content, float)}
    _, m = records.find("cpu/lesson-2-economics/tco#npv")
    assert {m.value, m.low, m.high} <= held
    texts = " ".join(str(c.content) for c in sheet.cells.values())
    assert "NOT LIVE" in texts and sources.measured("cpu/lesson-2-economics/tco#npv").hash in texts
    top = uncertain.tornado(found.npv, found.rows)[0]
    assert top.width in held and uncertain.break_even(found.npv, found.rows, top.id) in held
    others = workbook.build(models["case-tannhof"]).sheets
    assert "Uncertainty" not in {s.name for s in others}


# --- What is in the file


def test_the_same_case_gives_the_same_bytes(models, book):
    data = book.bytes()
    assert workbook.build(models["case"]).bytes() == data
    properties = zipfile.ZipFile(io.BytesIO(data)).read("docProps/core.xml").decode()
    assert re.findall(r"\d{4}-\d\d-\d\dT", properties) == ["2026-10-31T", "2026-10-31T"]


def test_each_id_stands_in_the_file_under_its_name(models, book, content):
    found = models["case"]
    archive = zipfile.ZipFile(io.BytesIO(book.bytes()))
    tree = ET.fromstring(archive.read("xl/workbook.xml"))
    names = {n.get("name"): n.text for n in tree.iter(f"{SPACE}definedName")}
    for key, name in workbook_draft.cell_names([*found.rows, *found.derived]).items():
        place = names[name].replace("$", "")
        assert content[place.replace("!C", "!A")][0] == key
        assert content[place][0] == pytest.approx(book.values[key], rel=1e-15)
    for key, (_, formula) in content.items():
        used = set(re.findall(r"\b(?:in|out|item|input)_\w+|scenario_number", formula or ""))
        assert used <= names.keys(), key
    listed = {value for key, (value, _) in content.items() if key.startswith("Items!A")}
    assert {item.id for item in found.items} <= listed


def test_every_row_is_shown_with_its_source(models, book, content):
    for row in models["case"].rows.values():
        place = book.where[row.id][0][0]
        three = [content[place.replace("!C", f"!{c}")][0] for c in "EFG"]
        assert three == [row.low, row.base, row.high]
        texts = [content.get(place.replace("!C", f"!{c}"), ("",))[0] for c in "DJKLNP"]
        wanted = [
            row.unit, row.source_type, row.confidence, row.source, row.distribution, row.owner
        ]  # fmt: skip
        assert texts == wanted


def test_calculations_and_outputs_hold_no_number_that_was_typed(content):
    constants = {
        key: value
        for key, (value, formula) in content.items()
        if key.startswith(("Months!", "Outputs!")) and formula is None
        if not isinstance(value, str)
    }
    assert not constants


def test_a_row_of_months_is_one_formula(book):
    """In every column the same, seen from its own cell (FAST)."""
    sheet = next(s for s in book.sheets if s.name == "Months")
    rows = {row for row, col in sheet.cells if col == 20}
    assert len(rows) > 120
    for row in rows:
        kinds = {
            relative(sheet.cells[row, col].content, col)
            for col in range(workbook_draft.FIRST, workbook_draft.FIRST + 37)
        }
        assert len(kinds) == 1, (row, kinds)


def relative(formula: str, column: int) -> str:
    """A formula with its free columns as steps from where it stands."""

    def step(found: re.Match) -> str:
        sheet, fixed, letters, rest = found.groups()
        if fixed or sheet:
            return found[0]
        number = 0
        for letter in letters:
            number = number * 26 + ord(letter) - 64
        return f"[{number - 1 - column}]{rest}"

    return re.sub(r"(?<![\w$])(\w+!)?(\$?)([A-Z]{1,2})(\$?\d+)", step, formula)


@given(st.lists(st.sampled_from(["a.b", "a-b", "a.b.2", "a-b-2", "a1", "r1c1", "c"]), unique=True))
def test_names_are_distinct_and_no_cells(ids):
    names = workbook_draft.cell_names(ids)
    assert len(set(names.values())) == len(ids)
    assert not any(re.fullmatch(r"[A-Za-z]{1,3}\d+|[RrCc]\d*", n) for n in names.values())


def test_the_checks_find_what_is_wrong(models):
    found = models["as it is"]
    assert workbook.build(found).failed() == []
    assert workbook.build(models["case"]).failed() == []
    some = replace(found, items=[i for i in found.items if i.id != "quo.labelling"])
    assert ["audited" in name for name in workbook.build(some).failed()] == [True]
    lost = replace(models["case"].items[-1], cash=True)
    wrong = workbook.build(replace(found, items=[*found.items, lost])).failed()
    assert any(name.startswith("Opportunity") for name in wrong)


def test_opportunity_changes_no_measure(models):
    with_it = models["case"]
    cash = [item for item in with_it.items if item.category != "Opportunity"]
    a, b = (outcome.result(m, m.base()) for m in (with_it, replace(with_it, items=cash)))
    assert a.measures == b.measures
    assert a.courses["status-quo"].opportunity.sum() < 0
    assert not b.courses["status-quo"].opportunity.any()


def test_choices_are_refused_where_they_mean_nothing(models):
    with pytest.raises(Problem, match="no case 'best'"):
        outcome.choose(models["case"], "best")
    with pytest.raises(Problem, match=r"no row with a number: 'save\.data'"):
        outcome.choose(models["case"], "base", {"save.data": 1.0})


# --- The two commands


def test_the_command_writes_the_file_and_says_what_holds(tmp_path, monkeypatch, capsys, models):
    monkeypatch.setattr(model, "load", lambda folder: models["as it is"])
    monkeypatch.setenv("SYNTHECON_OUT", str(tmp_path))
    assert cli.main(["model"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"(\d+) of \1 checks hold", told) and "USD" in told
    data = (tmp_path / "board" / "case" / "model.xlsx").read_bytes()
    assert data == workbook.build(models["as it is"]).bytes()
    some = replace(models["as it is"], items=models["as it is"].items[1:])
    monkeypatch.setattr(model, "load", lambda folder: some)
    assert cli.main(["model", "case", "--out", str(tmp_path / "x.xlsx")]) == 1
    assert "audited ML cost" in capsys.readouterr().out
    assert (tmp_path / "x.xlsx").is_file()


def test_a_measured_row_is_followed_to_record_and_cells(models):
    found = models["as it is"]
    told = trace.trace(found, "measured.serving-ratio")
    row = found.rows["measured.serving-ratio"]
    assert any(row.source in line for line in told)
    assert "  notebook: notebooks/lesson-1-physics/serving-cost.ipynb" in told
    assert any("as in the ledger" in line and "NOT" not in line for line in told)
    [line] = [x for x in told if "file sha256" in x]
    number = int(re.search(r"line (\d+)", line)[1])
    text = (found.folder / "ledger.csv").read_text("utf-8").splitlines()[number - 1]
    assert text.startswith("measured.serving-ratio,")
    assert "  item pipe.inference-student, through a formula: Inference on the student" in told
    [line] = [x for x in told if x.startswith("  case/levers.toml")]
    number = int(re.search(r"line (\d+)", line)[1])
    lever = (found.folder / "levers.toml").read_text("utf-8").splitlines()[number - 1]
    assert row.source.split()[0] in lever
    content = cells(workbook.build(found).bytes())
    cell = told[told.index("In the workbook") + 1].split()[0]
    assert content[cell][0] == row.base


def test_the_effect_of_a_row_is_the_models_own(models):
    found = models["as it is"]
    [line] = [x for x in trace.trace(found, "finance.wacc") if x.startswith("  finance.wacc: ")]
    row = found.rows["finance.wacc"]
    low, high = (float(found.npv(found.base(**{row.id: x}))) for x in (row.low, row.high))
    assert f"{low:,.0f} at low, {high:,.0f} at high" in line
    swings = uncertain.tornado(found.npv, found.rows)
    key = next(s.id for s in swings if s.low * s.high < 0)
    even = next(
        re.search(r"zero at ([\d.,]+)", x)[1] for x in trace.trace(found, key) if "zero" in x
    )
    there = found.npv(found.base(**{key: float(even.replace(",", ""))}))
    assert abs(float(there)) < 1e-4 * max(s.width for s in swings)


def test_a_derived_row_shows_its_tree_down_to_the_sources(models):
    found = models["as it is"]
    told = trace.trace(found, "people.cashable")
    tree = [
        (x.split()[0], len(x) - len(x.lstrip()))
        for x in told[: told.index("Used by")]
        if re.match(r" +[a-z0-9.-]+ = ", x)
    ]
    assert tree[0] == ("people.cashable", 2)
    todo, wanted = [("people.cashable", 2)], set()
    while todo:
        name, depth = todo.pop()
        wanted.add((name, depth))
        if name in found.derived:
            text = found.derived[name].source
            known = {**found.rows, **found.derived}
            parts = [x for x in re.split(r"[\s()*/+,]+", text) if x in known]
            todo += [(part, depth + 2) for part in parts]
    assert set(tree) == wanted and len(wanted) > 5
    invoices = [n for n, _ in wanted if n in found.rows and found.rows[n].source_type == "invoice"]
    for name in invoices:
        source = found.rows[name].source
        assert any(f"{name} = " in x and f"(invoice: {source}" in x for x in told)
    assert invoices


def test_an_item_and_an_output_are_followed_too(models):
    found = models["as it is"]
    told = "\n".join(trace.trace(found, "pipe.node"))
    less = replace(found, items=[i for i in found.items if i.id != "pipe.node"])
    change = float(found.npv(found.base()) - less.npv(found.base()))
    assert f"it moves the net present value by {change:,.0f} USD" in told
    assert (
        f"price.node = {found.rows['price.node'].base:,.6g} USD" in told
        and "items.csv, line" in told
    )
    told = "\n".join(trace.trace(found, "npv"))
    assert outcome.text(float(found.npv(found.base())), "npv", "USD") in told
    assert "all checks hold" in told and "Outputs!C6  shown" in told


def test_an_item_of_the_sourcing_table_is_followed(models):
    found = models["as it is"]
    told = "\n".join(trace.trace(found, "buy.fee"))
    base = found.base()
    amount = base["volume.requests"] * base["price.vendor-request"]
    assert f"= {amount:,.6g} USD/month" in told and "case/sourcing.csv, line" in told
    assert "price.vendor-request = " in told and "In the workbook" not in told


def test_records_and_measurements_are_followed_by_their_full_id_and_by_name(models):
    found = models["as it is"]
    full = "cpu/lesson-1-physics/serving-cost#ratio.exported.batch-1"
    told = trace.trace(found, full)
    assert told[0].startswith(f"{full}: ") and any("paired t" in line for line in told)
    assert f"  measured.serving-ratio: {found.rows['measured.serving-ratio'].source}" in told
    assert any(line.startswith("  fraction-of-the-cost: ") for line in told)
    told = trace.trace(found, full.partition("#")[0])
    assert any(line.startswith("  #ratio.exported.batch-1: ") for line in told)
    assert any(line.startswith("  measured.serving-ratio: ") for line in told)
    told = trace.trace(found, "npv.probability")
    assert told[0].startswith("cpu/lesson-2-economics/tco#npv.probability: ")
    assert not trace.short("ratio.exported.batch-1", found.folder)  # lesson 1: by full ids only
    with pytest.raises(Problem, match="npv"):
        trace.trace(found, "cpu/lesson-2-economics/tco#nothing")


def test_rows_that_only_a_notebook_reads_are_used(models):
    for key in ("sla.mtbf", "product.3.value"):
        told = trace.trace(models["as it is"], key)
        used = told[told.index("Used by") + 1]
        assert ".ipynb, cell " in used and used.endswith("by an f-string")
    assert trace._patterns('f"sla.{who}mtbf" + f"{a}.b" + "x.{y}"') == [r"sla\.[a-z0-9.-]*mtbf"]


def test_an_unknown_id_is_told_with_its_neighbours(models):
    with pytest.raises(Problem, match=r"did you mean .*finance\.wacc"):
        trace.trace(models["as it is"], "wacc")


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("the rate finance.wacc.", True),
        ('run.base["finance.wacc"]', True),
        ("finance.wacc-2 or x.finance.wacc or finance.wacc.real", False),
        ("case/ledger.csv#finance.wacc", False),
    ],
)
def test_a_page_names_an_id_only_as_a_whole(text, is_named):
    assert trace._names("finance.wacc", text) == is_named


def test_pages_and_notebooks_that_name_an_id_are_found(tmp_path, monkeypatch, models):
    (tmp_path / "book").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book" / "index.md").write_text("# One\n\nThe rate is finance.wacc here.\n")
    notebook = '{"cells": [{"source": ["x"], "outputs": [{"text": ["finance.wacc 11 %"]}]}]}'
    (tmp_path / "notebooks" / "n.ipynb").write_text(notebook)
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    monkeypatch.setattr(trace.records, "load_all", dict)
    places = list(trace._shown(models["as it is"], "finance.wacc"))
    assert places == ["book/index.md, line 3", "notebooks/n.ipynb, output of cell 1"]
    assert Path(places[0].split(",")[0]).suffix == ".md"
