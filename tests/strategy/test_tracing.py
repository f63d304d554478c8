"""From a number back to its source; and what is refused before a document is written."""

from __future__ import annotations

import csv
import io
import re
import shutil
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pptx import Presentation
from pptx.util import Emu, Inches

from synthecon import Problem, cli, company, paths, records
from synthecon.economics import model, outcome, table, trace
from synthecon.strategy import (
    board,
    deck,
    facts,
    facts_decision,
    memo,
    pages,
    printable,
    risk,
    traced,
    value,
)
from synthecon.strategy.printable import Fact

CASES = ("case", "case-tannhof")
TEN = ("npv.base", "npv.p5", "npv.mean", "probability.pays", "payback.month", "peak-cash",
       "tco.pipe.total", "cash.low.month-36", "sensitivity.1.break-even",
       "ev.dcf.base")  # fmt: skip


@dataclass(frozen=True)
class Made:
    model: model.Model
    facts: dict[str, Fact]
    deck: bytes


@pytest.fixture(scope="module")
def made():
    found = {}
    for name in CASES:
        m = model.load(paths.root() / name)
        told = facts.collect(m, 1024)
        found[name] = Made(m, told, deck.pptx(told)[0])
    return found


@pytest.fixture(params=CASES)
def one(request, made):
    return made[request.param]


@pytest.fixture
def quick(monkeypatch, made):
    """Facts are collected once for all tests."""
    by_folder = {one.model.folder: one for one in made.values()}
    monkeypatch.setattr(board, "collect", lambda m: by_folder[m.folder].facts)
    monkeypatch.setattr(board, "printed", lambda m, found: {"memo": tuple(found)})


@pytest.fixture
def mine(tmp_path):
    """A copy of a case, to break."""
    return shutil.copytree(paths.root() / "case", tmp_path / "mine")


def swap(path, old, new, count=1):
    text = path.read_text()
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, count))


def edit(path, key, **cells):
    """Change cells of the row with this id."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    [row] = [r for r in rows if r["id"] == key]
    row.update(cells)
    _write(path, rows)


def drop(path, wanted):
    """Remove rows by their id."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    left = [r for r in rows if not wanted(r["id"])]
    assert len(left) < len(rows)
    _write(path, left)


def _write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def refusal(read, *arguments, **options):
    with pytest.raises(Problem) as told:
        read(*arguments, **options)
    return str(told.value).splitlines()


# -- Tracing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", TEN)
def test_a_number_is_traced_to_that_of_its_own_company(one, quick, key):
    fact = one.facts[key]
    lines = traced.trace(one.model, key)
    assert lines[0] == f"{key}: {fact.title}" and lines[1] == f"  {fact.text}"
    if isinstance(fact.value, float):
        assert lines[2] == f"  exactly {printable.exact(fact.value)} {fact.unit}".rstrip()


def test_a_record_of_another_company_is_not_told(made, quick):
    halyard, tannhof = (made[name].model for name in CASES)
    [full] = trace.short("npv.base", halyard.folder)
    assert full == "cpu/lesson-2-economics/tco#npv.base" and records.find(full)
    assert trace.short("npv.base", tannhof.folder) == []
    assert any(line.startswith(full) for line in traced.trace(halyard, "npv.base"))
    assert not any("results/" in line for line in traced.trace(tannhof, "npv.base"))
    with pytest.raises(Problem, match=r"npv\.probability"):
        traced.trace(tannhof, "npv.probability")
    shown = [x for x in traced.trace(tannhof, "npv") if x.startswith("  results/")]
    assert shown == []
    assert any("case, not of this one" in x for x in trace.trace(tannhof, full))
    assert not any("not of this one" in x for x in trace.trace(halyard, full))


def test_an_id_of_both_begins_with_the_documents_number(one, quick):
    lines = traced.trace(one.model, "irr")
    assert lines[1] == f"  {one.facts['irr'].text}"
    assert any(line == f"irr: {outcome.MEASURES['irr']}" for line in lines[2:])


def test_a_row_of_the_ledger_needs_no_documents(made, monkeypatch):
    monkeypatch.setattr(board, "collect", lambda m: pytest.fail("the documents were made"))
    assert traced.trace(made["case"].model, "finance.wacc")[0].startswith("finance.wacc: ")


@pytest.mark.parametrize(("name", "more"), [("case", ""), ("case-tannhof", " FOLDER")])
def test_the_advice_names_the_folder(name, more, made, quick, monkeypatch, tmp_path, capsys):
    folder = paths.root() / name
    monkeypatch.setattr(board, "read", lambda folder: made[name].model)
    monkeypatch.setattr(board, "documents", lambda m, found: {})
    assert board.main([str(folder), "--out", str(tmp_path)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f"trace npv.base{more.replace('FOLDER', str(folder))}")


# -- Small prices ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0.023, "0.023 USD"), (0.5, "0.50 USD"), (-0.0425, "−0.0425 USD"), (0.9996, "1 USD"),
     (3, "3 USD"), (2.5, "2.50 USD"), (9.994, "9.99 USD"), (9.996, "10 USD"), (12.4, "12 USD"),
     (1e-5, "0.00001 USD"), (0, "0 USD")],
)  # fmt: skip
def test_a_small_price_keeps_its_digits(amount, text):
    assert printable.money(amount, "USD") == text


@given(st.floats(1e-6, 1e3), st.sampled_from([1, -1]))
def test_nothing_that_is_something_prints_as_zero(size, sign):
    x = size * sign
    read = float(printable.money(x, "USD").split()[0].replace("−", "-"))
    assert read * (1e3 if " k " in printable.money(x, "USD") else 1) == pytest.approx(x, rel=0.06)


@given(st.floats(1e-6, 99), st.sampled_from(["share", "1/year", "labels", "kWh/label"]))
def test_no_value_of_a_row_prints_as_zero(x, unit):
    m = ROWS["finance.wacc"]
    text = printable.in_unit(x, replace(m, unit=unit, low=x, base=x, high=x))
    assert float(re.match(r"[\d.,]+", text)[0].replace(",", "")) > 0, text


ROWS = dict(model.ledger.read(paths.root() / "case" / "ledger.csv"))


def test_documents_show_prices_of_the_ledger(one):
    lines = facts.explain("tco.pipe.opex", one.model, one.facts)
    told = [line.strip().partition(": ")[::2] for line in lines]
    prices = {k: text for k, text in told if k in one.model.rows and one.model.rows[k].base}
    assert any(one.model.rows[k].base < 0.5 and one.model.rows[k].currency for k in prices)
    assert [k for k, text in prices.items() if text.startswith("0 ")] == []


# -- The deck -------------------------------------------------------------------------------------


def third(data):
    slide = Presentation(io.BytesIO(data)).slides[2]
    [chart] = [s for s in slide.shapes if s.has_chart]
    [grid] = [s.table for s in slide.shapes if s.has_table]
    return slide, chart, grid


def test_the_tornado_draws_zero_where_zero_is(one):
    """From the chart's own numbers: the inner plot and the ends of its axis."""
    slide, frame, _ = third(one.deck)
    layout = frame.chart._chartSpace.chart.plotArea.find(f"{{{deck.CHART}}}layout")[0]
    part = {x.tag.rpartition("}")[2]: x.get("val") for x in layout}
    assert part["layoutTarget"] == "inner"
    axis = frame.chart.value_axis
    low, high = axis.minimum_scale, axis.maximum_scale
    assert low < 0 < high
    across = float(part["x"]) + float(part["w"]) * (0 - low) / (high - low)
    wanted = frame.left + across * frame.width
    [line] = [s for s in slide.shapes if s.name == "line at zero"]
    assert line.begin_x == line.end_x == pytest.approx(wanted, abs=Inches(0.01))
    assert line.begin_y == pytest.approx(frame.top + float(part["y"]) * frame.height, abs=Emu(9))
    labels = {s.text_frame.text: s for s in slide.shapes if s.has_text_frame}
    at = labels["zero"]
    assert at.left + at.width / 2 == pytest.approx(line.begin_x, abs=Inches(0.01))
    base = labels[f"base case {one.facts['npv.base'].text}".replace(" ", "\xa0").replace(
        "base\xa0case\xa0", "base case ")]  # fmt: skip
    across = float(part["x"]) + float(part["w"]) * (axis.crosses_at - low) / (high - low)
    middle = frame.left + across * frame.width
    assert base.left + base.width / 2 == pytest.approx(middle, abs=Inches(0.01))
    assert axis.crosses_at == pytest.approx(one.facts["npv.base"].value)


def test_a_break_even_outside_its_range_is_marked(one):
    _, _, grid = third(one.deck)
    for rank in (1, 2, 3):
        row = one.model.rows[str(one.facts[f"sensitivity.{rank}.id"].value)]
        even = one.facts[f"sensitivity.{rank}.break-even"].value
        outside = even is not None and not row.low <= even <= row.high
        assert ("out of range" in grid.cell(rank, 3).text.replace("\xa0", " ")) == outside


# -- The appendix ---------------------------------------------------------------------------------


def test_the_appendix_begins_with_the_decision_and_ends_with_the_curve(one):
    used = {"all": tuple(sorted(one.facts, reverse=True))}
    page, _ = memo.appendix(one.model, one.facts, used)
    tables = [[pages.plain(row[0]) for row in b.rows[1:]] for b in page.blocks if b.kind == "table"]
    first, rest, curve = tables[0], tables[1], tables[-1]
    assert first[0] == "ask.amount"
    heads = list(dict.fromkeys(k.partition(".")[0] for k in first))
    order = ["ask", "recommendation", "npv", "probability", "payback"]
    assert [h for h in heads if h in order] == order
    assert all(memo.MONTH.fullmatch(k) for k in curve) and len(curve) == 39
    assert not any(memo.MONTH.fullmatch(k) for k in (*first, *rest))
    assert sorted([*first, *rest, *curve]) == sorted(one.facts)
    assert curve.index("cash.base.month-3") < curve.index("cash.base.month-12")


# -- All that is wrong, at once -------------------------------------------------------------------


def test_faults_of_every_file_are_told_together(mine):
    ledger = mine / "ledger.csv"
    edit(ledger, "finance.tax", owner="")
    edit(ledger, "share.cashable", distribution="bell")
    swap(mine / "items.csv", "OpEx", "Opex")
    (mine / "gates.csv").write_text("")
    swap(mine / "metrics.csv", ",14,", ",lots,")
    swap(mine / "stakeholders.csv", ",conceded,", ",maybe,")
    swap(mine / "sourcing.csv", "monthly", "weekly")
    swap(mine / "sla.csv", "vendor,", "seller,")
    lines = refusal(board.read, mine)
    assert len(lines) == len(set(lines))
    for word in ("ledger.csv, line", "items.csv, line", "gates.csv", "'lots'", "'maybe'",
                 "sourcing.csv, line", "sla.csv, line", "'bell'", "owner: empty"):  # fmt: skip
        assert any(word in line for line in lines), word
    # Rows that are refused are told once, where they stand, and not by every file that names them.
    assert not any("finance.tax'" in x or "share.cashable'" in x for x in lines)
    told = refusal(cli.ledger, cli.Options(rest=[str(mine)]))
    assert [x for x in lines if "documents need" not in x] == told


@pytest.mark.parametrize(
    ("file", "old", "new", "word"),
    [
        ("metrics.csv", ",14,", ",lots,", "'lots'"),
        ("stakeholders.csv", ",conceded,", ",maybe,", "'maybe'"),
        ("sourcing.csv", "monthly", "weekly", "'weekly'"),
        ("components.csv", "pipe.generation", "pipe.nothing", "'pipe.nothing'"),
    ],
)
def test_one_broken_file_is_refused_by_both_commands(mine, file, old, new, word):
    swap(mine / file, old, new)
    for read in (board.main, lambda x: cli.ledger(cli.Options(rest=x))):
        lines = refusal(read, [str(mine)])
        assert all(file in line for line in lines) and any(word in line for line in lines)


def test_a_bad_bill_does_not_hide_a_bad_gate(mine, monkeypatch, tmp_path):
    swap(mine / "revenue.csv", "2026-10", "2026-13")
    swap(mine / "metrics.csv", ",14,", ",lots,")
    lines = refusal(lambda: list(company.run(mine)))
    assert any("revenue.csv" in x for x in lines) and any("'lots'" in x for x in lines)


def test_a_ledger_that_is_none_is_told_once(mine):
    (mine / "ledger.csv").write_text("id;name\n")
    lines = refusal(model.load, mine)
    assert any("semicolons" in x for x in lines)
    assert not any("items.csv" in x for x in lines)


# -- Sanity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "three", "fields", "hint"),
    [
        ("board.min-probability", (60, 60, 60), "low, base, high", "write 0.6 for 60 %"),
        ("board.min-probability", (-0.1, -0.1, -0.1), "low, base, high", "from 0 to 1"),
        ("finance.wacc", (8, 11, 15), "low, base, high", "write 0.15 for 15 %"),
        ("finance.wacc", (0.08, 0.11, 15), "high", "write 0.15 for 15 %"),
        ("growth.traffic", (0.1, 0.2, 1.5), "high", "150 % a year"),
    ],
)
def test_a_percentage_written_as_a_number_is_refused(mine, key, three, fields, hint):
    edit(mine / "ledger.csv", key, **dict(zip(("low", "base", "high"), three, strict=True)))
    [line] = refusal(model.load, mine)
    assert f"ledger.csv, {key}, {fields}: " in line and hint in line


def test_the_committed_rates_and_a_rate_of_all_are_accepted(mine):
    edit(mine / "ledger.csv", "board.min-probability", low=1, base=1, high=1)
    edit(mine / "ledger.csv", "finance.wacc", low=0.08, base=0.11, high=1)
    assert model.load(mine).rows["finance.wacc"].high == 1


def test_a_register_with_impossible_chances_is_refused(mine):
    edit(mine / "ledger.csv", "risk.privacy.frequency", low=2, base=5, high=9)
    edit(mine / "ledger.csv", "control.membership.privacy", low=0, base=0.5, high=40)
    lines = refusal(board.read, mine)
    assert len(lines) == 2
    assert all(" 0 to 1" in x for x in lines)
    assert board.register(model.load(paths.root() / "case")) == []


# -- What is missing ------------------------------------------------------------------------------


def test_missing_rows_are_named_in_one_list(made):
    m = made["case"].model
    groups = ("board.", "risk.", "value.")
    rows = {k: r for k, r in m.rows.items() if not k.startswith(groups)}
    derived = {k: r for k, r in m.derived.items() if not k.startswith(groups)}
    bare = replace(m, rows=rows, derived=derived)
    lines = board.missing(bare)
    wanted = {*printable.NEEDED, value.MULTIPLE, value.TAIL_GROWTH}
    assert {re.search(r"row '([^']+)'", x)[1] for x in lines} == wanted
    [note] = board.left_out(bare)
    assert note.startswith("left out: ")
    assert all(k in note for k in risk.asked() if k.startswith("risk."))
    assert board.missing(m) == board.left_out(m) == []
    one = replace(m, rows={k: r for k, r in m.rows.items() if k != "risk.shift.impact"})
    assert board.left_out(one)[0].endswith("missing: risk.shift.impact")
    lose = replace(m.rows["board.review"], distribution="uniform")
    assert len(board.missing(replace(m, rows=m.rows | {"board.review": lose}))) == 1


def test_missing_and_wrong_are_told_in_one_list(mine):
    drop(mine / "ledger.csv", lambda key: key.startswith("board.") or key == value.TAIL_GROWTH)
    swap(mine / "metrics.csv", ",14,", ",lots,")
    lines = refusal(board.read, mine)
    assert sum("documents need a row" in x for x in lines) == 4
    assert any("'lots'" in x for x in lines)


def test_every_row_that_the_dates_need_is_demanded(made):
    m = made["case"].model
    gone = facts_decision.GATES[0]
    bare = replace(m, rows={k: r for k, r in m.rows.items() if k != gone})
    kept = replace(bare, derived={k: r for k, r in m.derived.items() if k != gone})
    assert any(repr(gone) in line for line in board.missing(kept))


def test_what_was_left_out_is_printed(made):
    one = made["case"]
    bare = replace(one.model, rows={k: r for k, r in one.model.rows.items() if k != risk.SCALE})
    assert board.told(bare, one.facts)[-1].startswith("left out: ")
    assert len(board.told(one.model, one.facts)) == 1


# -- Drafts ---------------------------------------------------------------------------------------


def real(m, **changes):
    policy = replace(m.policy, fictional=False)
    case = replace(m.audit.case, policy=policy)
    return replace(m, audit=replace(m.audit, case=case), **changes)


def test_a_real_company_on_the_templates_guesses_is_refused(made):
    m = real(made["case"].model)
    rows = board.untouched(m)
    assert len(rows) > 10
    assert all(m.rows[k].source == board.UNTOUCHED and k in m.used for k in rows)
    told = "\n".join(refusal(board.refuse, m))
    assert f"{len(rows)} rows of the cash model" in told and "--draft" in told
    assert all(k in told for k in rows[:10]) and rows[10] not in told.split()
    assert board.untouched(made["case"].model) == []
    mine = {k: replace(r, source="the controller's sheet") for k, r in m.rows.items()}
    board.refuse(replace(m, rows=mine))
    last = replace(m, rows=mine | {rows[0]: m.rows[rows[0]]})
    assert "1 row of the cash model still stands" in "\n".join(refusal(board.refuse, last))


def test_a_draft_says_so_on_every_document(made, monkeypatch, tmp_path, capsys):
    one = made["case"]
    m = real(one.model)
    monkeypatch.setattr(board, "read", lambda folder: m)
    monkeypatch.setattr(board.facts, "collect", lambda model: dict(one.facts))
    made_of = {}
    monkeypatch.setattr(board, "documents", lambda m, found: made_of.update(found) or {})
    folder = [str(tmp_path), "--out", str(tmp_path)]
    refusal(board.main, folder)
    assert made_of == {}
    assert board.main([*folder, "--draft"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    count = made_of[board.DRAFT].text
    assert first.startswith("DRAFT: ") and count in first
    assert made_of[board.DRAFT].value == len(board.untouched(m))
    assert count in made_of["company.kind"].text and "draft" in made_of["company.kind"].text
    slides = Presentation(io.BytesIO(deck.pptx(made_of)[0])).slides
    for slide in slides:
        assert any(count in s.text_frame.text for s in slide.shapes if s.has_text_frame)
    for name in memo.TEXTS:
        blocks = pages.page(pages.variant(name, made_of), made_of).blocks
        assert count in pages.text_of(blocks), name


def test_tables_that_cannot_be_read_are_no_crash_of_the_trace(made, tmp_path):
    (tmp_path / "sourcing.csv").write_text("id;name\n")
    with pytest.raises(Problem, match="semicolons"):
        trace._sourcing(replace(made["case"].model, folder=tmp_path))
    with pytest.raises(Problem):
        table.read(tmp_path / "sourcing.csv", ["id"])
