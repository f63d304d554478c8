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

from synthecon import Problem, cli, paths
from synthecon.economics import model, outcome, spreadsheet, tco, trace, workbook, workbook_draft

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
    "low": ("case", "low", {}),
    "high": ("case", "high", {"finance.wacc": 0.2, "time.student": 4.3, "time.fade": 2.25,
                              "finance.capex-life": 5.0, "finance.tax": 0.31}),
    "drawn": ("case", "base", None),  # every uncertain row at once, a scenario of the simulation
    "euro": ("case-tannhof", "base", {}),
    "euro-low": ("case-tannhof", "low", {"bill.inference": 200000.0, "growth.traffic": 0.4,
                                         "transfer.distil-inference": 0.8, "price.node": 90000.0}),
    "euro-high": ("case-tannhof", "high", {}),
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


def cells(data: bytes) -> dict[str, tuple[str | float, str | None]]:
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
                assert kind != "e", f"{sheet.get('name')}!{cell.get('r')} is {text}"
                plain = texts[int(text)] if kind == "s" else text
                number_or_text = plain if kind in ("s", "str") else float(text)
                key = f"{spreadsheet.quoted(sheet.get('name'))}!{cell.get('r')}"
                found[key] = (number_or_text, None if formula is None else formula.text)
    return found


def typed(data: bytes, changes: dict[str, str | float]) -> bytes:
    """The file with other contents in some cells of Inputs, as if a person had typed them."""
    old, new = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(new, "w") as copy:
        for name in old.namelist():
            content = old.read(name)
            if name == "xl/worksheets/sheet2.xml":
                text = content.decode()
                for place, value in changes.items():
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
    return book.where[key][0][0].removeprefix("Inputs!").replace("C", "H")


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
        (folder / f"{name}.xlsx").write_bytes(typed(data, {**changes, "C4": switch}))
    command = [
        OFFICE, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless",
        "--convert-to", "xlsx", "--outdir", str(folder / "out"),
        *(str(folder / f"{name}.xlsx") for name in TYPED),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return {name: cells((folder / "out" / f"{name}.xlsx").read_bytes()) for name in TYPED}


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
    own = {r.id: getattr(r, switch) for r in found.rows.values()} | overrides
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
        number = book.where[row.id][0][0].removeprefix("Inputs!C")
        three = [content[f"Inputs!{c}{number}"][0] for c in "EFG"]
        assert three == [row.low, row.base, row.high]
        texts = [content.get(f"Inputs!{c}{number}", ("",))[0] for c in "DJKLN"]
        wanted = [row.unit, row.distribution, row.source_type, row.source, row.owner]
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
        outcome.choose(models["case"], "low", {"save.data": 1.0})


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
    told = trace.trace(found, "transfer.distil-inference")
    even = next(re.search(r"zero at ([\d.]+)", x)[1] for x in told if "zero at" in x)
    there = found.npv(found.base(**{"transfer.distil-inference": float(even)}))
    assert abs(float(there)) < 10


def test_a_derived_row_shows_its_tree_down_to_the_sources(models):
    told = trace.trace(models["as it is"], "people.cashable")
    tree = [x for x in told if re.match(r" +[a-z.-]+ = ", x)]
    depths = {x.split()[0]: len(x) - len(x.lstrip()) for x in tree}
    assert depths["people.cashable"] == 2
    assert depths["hours.cashable"] == depths["price.label-hour"] == 4
    assert depths["measured.label-worth"] == 10
    assert any("(invoice: audit#payroll.labelling)" in x for x in tree)


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
