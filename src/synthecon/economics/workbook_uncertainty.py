"""The sheet Uncertainty: what a run of many scenarios found, as values: not live."""

from __future__ import annotations

from synthecon import paths, records
from synthecon.economics import sources, uncertain
from synthecon.economics.spreadsheet import Sheet
from synthecon.economics.workbook_draft import Draft, digest, pattern
from synthecon.record import Measurement, RunRecord

RECORD = "cpu/lesson-2-economics/tco"
TOP = 10  # rows of the ledger that are listed
MONEY = "run:#,##0;-#,##0"


def uncertainty(draft: Draft) -> None:
    """Values of the run record of this case; no sheet where there is no such record."""
    path = records.record_path(RECORD, paths.results())
    if not path.is_file():
        return
    record = records.read(path)
    if not _of_this_case(draft, record):
        return
    sheet = draft.sheet(
        "Uncertainty", widths=(46, 27, 11, 14, 14, 14, 16),
    )  # fmt: skip
    draft.heading(
        sheet, "NOT LIVE: written by a program, as values. Nothing here follows a change of Inputs."
    )
    old = records.stale(record)
    state = f"STALE: {len(old)} things changed since, the first: {old[0]}" if old else "fresh"
    told = (
        ("Record", f"{RECORD}, file sha256 {digest(path)}"),
        ("Notebook", f"{record.notebook}, {record.parameters.get('scenarios', '?')} scenarios"),
        ("When this file was written", f"the record was {state}"),
    )
    for row, (name, text) in enumerate(told, 2):
        sheet.put(row, 0, name, "bold")
        sheet.put(row, 1, text, "text")
    row = _measured(draft, sheet, 6, {m.name: m for m in record.measurements})
    _sensitivities(draft, sheet, row + 1)


def _of_this_case(draft: Draft, record: RunRecord) -> bool:
    company = record.parameters.get("company")
    here = draft.found.folder.resolve()
    return isinstance(company, str) and (paths.root() / company).resolve() == here


def _measured(draft: Draft, sheet: Sheet, row: int, found: dict[str, Measurement]) -> int:
    """What the run measured, each with its hash; returns the next free row."""
    sheet.put(row, 0, "Measured over the scenarios of the run", "section")
    heads = ("", "id in the record", "unit", "value", "low", "high", "sha")
    for col, text in enumerate(heads):
        sheet.put(row + 1, col, text, "head.number" if 3 <= col <= 5 else "head")
    row += 2
    lines = (
        ("probability", "Probability that the pivot pays; 95 % interval of the method"),
        ("npv", "Net present value: median, 5 % and 95 %"),
        ("npv.mean", "Net present value: mean; 95 % interval of the method"),
        ("npv.base", "Net present value with every row at base"),
    )
    for name, title in lines:
        if (m := found.get(name)) is None:
            continue
        sheet.put(row, 0, title, "wrap")
        sheet.put(row, 1, f"#{name}", "id")
        sheet.put(row, 2, m.unit, "text")
        shape = MONEY if m.unit == draft.currency else f"run:{pattern([m.value], m.unit)}"
        for col, number in ((3, m.value), (4, m.low), (5, m.high)):
            if number is not None:
                sheet.put(row, col, number, shape)
        sheet.put(row, 6, sources.measured(f"{RECORD}#{name}").hash, "id")
        draft.shown(name, f"value of {RECORD}#{name}, not live", sheet, f"D{row + 1}")
        row += 1
    base = found.get("npv.base")
    if base is not None and draft.case == "base" and not draft.overrides:
        apart = abs(base.value - float(draft.result.measures["npv"]))
        same = apart <= 0.5 + 1e-9 * abs(base.value)
        text = "the same as Outputs shows" if same else f"NOT as on Outputs: {apart:,.0f} apart"
        sheet.put(row, 0, f"When this file was written, npv.base was {text}.", "note")
    return row + 1


def _sensitivities(draft: Draft, sheet: Sheet, row: int) -> None:
    """The widest bars of the tornado, as Python computed them from the ledger, all else at base."""
    found = draft.found
    sheet.put(
        row, 0, "Rows that move the net present value most, one at a time, the rest at base",
        "section",
    )  # fmt: skip
    sheet.put(row + 1, 0, "Computed by Python from the ledger when this file was written.", "note")
    heads = ("name", "id", "unit", "at low", "at high", "swing", "zero at")
    for col, text in enumerate(heads):
        sheet.put(row + 2, col, text, "head.number" if col > 2 else "head")
    for number, swing in enumerate(uncertain.tornado(found.npv, found.rows)[:TOP], row + 3):
        entry = found.rows[swing.id]
        sheet.put(number, 0, entry.name, "wrap")
        sheet.put(number, 1, swing.id, "id")
        sheet.put(number, 2, entry.unit, "text")
        for col, value in enumerate((swing.low, swing.high, swing.width), 3):
            sheet.put(number, col, value, MONEY)
        even = uncertain.break_even(found.npv, found.rows, swing.id)
        shape = pattern([entry.low, entry.base, entry.high], entry.unit)
        if even is None:
            sheet.put(number, 6, "not within its range", "small")
        else:
            sheet.put(number, 6, even, f"run:{shape}")
