"""The sheets Inputs and Items: the ledger, and what costs, with live amounts."""

from __future__ import annotations

from synthecon.economics import formula, ledger, tco
from synthecon.economics.outcome import CASES
from synthecon.economics.spreadsheet import Sheet, at
from synthecon.economics.workbook_draft import (
    ACTIVE,
    AMOUNT,
    GROWTH,
    LOW,
    OVERRIDE,
    PIPE,
    QUO,
    UNIT,
    Draft,
    last_day,
    pattern,
)


def inputs(draft: Draft) -> None:
    """The switch, and every row of the ledger with the value that is active."""
    sheet = draft.sheet(
        "Inputs", freeze=(8, 1), paper=8, repeat=(7, 7),
        widths=(27, 46, 13, 17, 11, 11, 11, 11, 10, 13, 12, 52, 12, 12.5, 12.5, 16, 42, 10),
    )  # fmt: skip
    draft.heading(
        sheet, "Yellow cells may be changed; everything else follows. Prices are positive here."
    )
    sheet.put(3, 0, "Scenario of the inputs", "bold")
    cell = sheet.put(3, ACTIVE, draft.case, "input.text")
    sheet.choices[3, ACTIVE] = CASES
    draft.shown("scenario", "switch", sheet, cell)
    sheet.put(
        3, 3, "low, base or high. All low or all high at once is a corner that hardly ever "
        "happens, and low is not always good: read it as a test, not as a forecast.", "note",
    )  # fmt: skip
    sheet.put(4, 0, "Its number", "text")
    count = CASES.index(draft.case) + 1
    sheet.put(4, ACTIVE, f'=MATCH({at(3, ACTIVE)},{{"low","base","high"}},0)', "count", count)
    draft.names["scenario_number"] = sheet.ref(4, ACTIVE)
    sheet.put(5, 0, "Audited ML cost a month", "text")
    audited = float(sum(draft.found.audit.ml.values()) / len(draft.found.policy.months))
    sheet.put(5, ACTIVE, round(audited, 6), "input:#,##0.00")
    sheet.put(
        5, 3, f"{draft.currency}/month, from the audit of the books; only a check uses it.",
        "note",
    )  # fmt: skip
    draft.names["audited_month"] = sheet.ref(5, ACTIVE)
    draft.number["audited"] = round(audited, 6)
    sheet.put(6, 0, "Last day of the books", "text")
    sheet.put(6, ACTIVE, last_day(draft.found.policy.last_month), "input.day")
    sheet.put(6, 3, "Month 0 of the model is now: the end of this month.", "note")
    draft.names["last_day"] = sheet.ref(6, ACTIVE)
    heads = (
        "id", "name", "active", "unit", "low", "base", "high", "override", "basis",
        "distribution", "source type", "source", "as of", "owner", "confidence", "group",
        "note", "used by the items",
    )  # fmt: skip
    for number, text in enumerate(heads):
        sheet.put(7, number, text, "head.number" if text in (*CASES, "active") else "head")
    sheet.heights[7] = 30
    first = row = 8
    for entry in draft.found.rows.values():
        _input(draft, sheet, row, entry)
        row += 1
    draft.number["inputs"] = (first, row - 1)
    draft.names["input_override"] = sheet.span((first, OVERRIDE), (row - 1, OVERRIDE))
    draft.names["input_source_type"] = sheet.span((first, 10), (row - 1, 10))
    row += 1
    sheet.put(row, 0, "Derived: formulas over the rows above. Not to be typed over.", "section")
    for derived in draft.found.derived.values():
        row += 1
        _derived(draft, sheet, row, derived)


def _named(draft: Draft, sheet: Sheet, row: int, key: str, what: str) -> None:
    draft.names[draft.cells[key]] = sheet.ref(row, ACTIVE)
    draft.shown(key, what, sheet, at(row, ACTIVE))


def _input(draft: Draft, sheet: Sheet, row: int, entry: ledger.Row) -> None:
    three = [entry.low, entry.base, entry.high]
    shape = pattern(three, entry.unit)
    sheet.put(row, 0, entry.id, "id")
    sheet.put(row, 1, entry.name, "wrap")
    spots = ",".join(at(row, LOW + i) for i in range(3))
    own = at(row, OVERRIDE)
    sheet.put(
        row, ACTIVE, f"=IF(ISNUMBER({own}),{own},CHOOSE(scenario_number,{spots}))",
        f"number:{shape}", draft.values[entry.id],
    )  # fmt: skip
    sheet.put(row, UNIT, entry.unit, "wrap")
    for i, number in enumerate(three):
        sheet.put(row, LOW + i, number, f"input:{shape}")
    sheet.put(row, OVERRIDE, draft.overrides.get(entry.id), f"input:{shape}")
    texts = (entry.basis, entry.distribution, entry.source_type)
    sheet.row(row, texts, "text", 8)
    sheet.put(row, 11, entry.source, "small")
    sheet.put(row, 12, entry.as_of, "day")
    sheet.row(row, (entry.owner, entry.confidence, entry.group), "text", 13)
    sheet.put(row, 16, entry.note, "small")
    sheet.put(row, 17, "yes" if entry.id in draft.found.used else "no", "text")
    _named(draft, sheet, row, entry.id, "active value")


def _derived(draft: Draft, sheet: Sheet, row: int, entry: ledger.Derived) -> None:
    value = float(draft.values[entry.id])
    sheet.put(row, 0, entry.id, "id")
    sheet.put(row, 1, entry.name, "wrap")
    live = "=" + formula.spell(entry.formula, draft.cells.__getitem__)
    sheet.put(row, ACTIVE, live, f"number:{pattern([value], entry.unit)}", value)
    sheet.put(row, UNIT, entry.unit, "wrap")
    for i in range(LOW, OVERRIDE + 1):
        sheet.put(row, i, None, "blocked")
    sheet.row(row, ("", "", "derived"), "text", 8)
    sheet.put(row, 11, entry.source, "small")
    sheet.put(row, 12, entry.as_of, "day")
    sheet.put(row, 13, entry.owner, "text")
    sheet.put(row, 16, entry.note, "small")
    sheet.put(row, 17, "yes" if entry.id in draft.found.used else "no", "text")
    _named(draft, sheet, row, entry.id, "formula")
    for name in dict.fromkeys(formula.names(entry.formula)):
        draft.shown(name, f"in {entry.id}", sheet, at(row, ACTIVE))


def items(draft: Draft) -> None:
    """items.csv, its amounts and months linked to the ledger."""
    sheet = draft.sheet(
        "Items", freeze=(4, 2), paper=8, repeat=(3, 3),
        widths=(24, 44, 11, 11.5, 7, 6, 9, 8, 8, 8, 8, 13, 12, 9, 8, 9, 50, 20, 46),
    )  # fmt: skip
    draft.heading(
        sheet, "What costs, from items.csv. Amounts are positive; Months turns them into flows."
    )
    heads = (
        "id", "name", "scenario", "category", "line", "cash", "kind", "start", "ramp", "end",
        "fade", "amount", "unit", "growth a year", "status quo", "pipeline",
        "amount is the product of", "growth is", "note",
    )  # fmt: skip
    for col, text in enumerate(heads):
        numeric = 7 <= col <= AMOUNT or GROWTH <= col <= PIPE
        sheet.put(3, col, text, "head.number" if numeric else "head")
    sheet.heights[3] = 30
    for row, item in enumerate(draft.found.items, 4):
        _item(draft, sheet, row, item)
    ends = 4, 3 + len(draft.found.items)
    spans = (
        ("category", 3), ("line", 4), ("cash", 5), ("amount", AMOUNT), ("quo", QUO),
        ("pipe", PIPE),
    )  # fmt: skip
    for name, col in spans:
        draft.names[f"item_{name}"] = sheet.span((ends[0], col), (ends[1], col))


def _item(draft: Draft, sheet: Sheet, row: int, item: tco.Item) -> None:
    draft.place["item", item.id] = row
    scenario = "both" if len(item.scenario) > 1 else item.scenario[0]
    sheet.put(row, 0, item.id, "id")
    sheet.put(row, 1, item.name, "wrap")
    cash = "yes" if item.cash else "no"
    texts = (scenario, item.category, item.line, cash, item.kind)
    sheet.row(row, texts, "text", 2)
    for col, (name, when) in enumerate(zip(tco.TIMES, item.times, strict=True), 7):
        _linked(draft, sheet, row, col, when, "0.0", f"{name} of {item.id}")
    parts = []
    for name, power in item.factors:
        parts += ["*" if power > 0 else "/", draft.cells.get(name, name)]
        if name in draft.cells:
            draft.shown(name, f"factor of {item.id}", sheet, at(row, AMOUNT))
    live = "=" + "".join(parts[1:])  # a product begins with a factor above the line
    amount = float(tco.amount(item, draft.values))
    cell = sheet.put(row, AMOUNT, live, "number:#,##0.00", amount)
    draft.shown(item.id, "amount", sheet, cell)
    unit = draft.currency if item.kind == "once" else f"{draft.currency}/month"
    sheet.put(row, 12, unit, "text")
    _linked(draft, sheet, row, GROWTH, item.growth or 0.0, "0.0%", f"growth of {item.id}")
    for col, name in ((QUO, "status-quo"), (PIPE, "pipeline")):
        live = f'=IF(OR({at(row, 2)}="both",{at(row, 2)}="{name}"),1,0)'
        sheet.put(row, col, live, "number:0", int(name in item.scenario))
    spelled = "".join(f" {'*' if p > 0 else '/'} {n}" for n, p in item.factors)
    sheet.put(row, 16, spelled.removeprefix(" * "), "small")
    sheet.put(row, 17, item.growth, "small")
    sheet.put(row, 18, item.note, "small")


def _linked(
    draft: Draft, sheet: Sheet, row: int, col: int, what: float | str, shape: str, about: str
) -> None:
    """A number of items.csv, or a link to the ledger row that stands there."""
    if isinstance(what, str):
        value = float(draft.values[what])
        cell = sheet.put(row, col, f"={draft.cells[what]}", f"number:{shape}", value)
        draft.shown(what, about, sheet, cell)
    else:
        sheet.put(row, col, what, f"input:{shape}")
