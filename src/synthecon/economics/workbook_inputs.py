"""The sheets Inputs and Items: the ledger, and what costs, with live amounts."""

from __future__ import annotations

from synthecon.economics import formula, ledger, model, tco
from synthecon.economics.outcome import CASES, ENDS
from synthecon.economics.spreadsheet import Sheet, at
from synthecon.economics.workbook_draft import (
    ACTIVE,
    AMOUNT,
    GROWTH,
    LEAST,
    LOW,
    MOST,
    OVERRIDE,
    PIPE,
    QUO,
    SOURCE,
    SOURCE_TYPE,
    UNIT,
    WORSE,
    WRONG,
    Draft,
    last_day,
    pattern,
)
from synthecon.economics.workbook_guards import limits, wrong

HEADS = (
    "id", "name", "active", "unit", "low", "base", "high", "override", "worse end", "source type",
    "confidence", "source", "basis", "distribution", "as of", "owner", "group", "note",
    "lowest allowed", "highest allowed", "not accepted",
)  # fmt: skip
ABOUT = {
    "widths": (25, 33, 12, 15, 10, 10, 10, 11, 8, 12, 11, 42, 9, 12, 12.5, 14, 16, 42, 11, 11, 10),
    "print_to": SOURCE,
}


def inputs(draft: Draft) -> None:
    """The switch, and every row of the ledger with the value that is active; rows that no item
    rests on stand on a sheet of their own."""
    sheet = draft.sheet("Inputs", freeze=(8, 1), repeat=(7, 7), **ABOUT)
    draft.heading(
        sheet, "Yellow cells may be changed; everything else follows. Prices are positive here."
    )
    sheet.put(3, 0, "Scenario of the inputs", "bold")
    cell = sheet.put(3, ACTIVE, draft.case, "input.text")
    sheet.choices[3, ACTIVE] = CASES
    draft.shown("scenario", "switch", sheet, cell)
    sheet.put(
        3, 4, "base; cautious or confident: each row at its worse or better end; or a corner. "
        "A corner is no scenario: high is not best.", "note",
    )  # fmt: skip
    sheet.put(4, 0, "Its number", "text")
    count = CASES.index(draft.case) + 1
    words = ",".join(f'"{name}"' for name in CASES)
    sheet.put(4, ACTIVE, f"=MATCH({at(3, ACTIVE)},{{{words}}},0)", "count", count)
    draft.names["scenario_number"] = sheet.ref(4, ACTIVE)
    sheet.put(5, 0, "Audited ML cost a month", "text")
    audited = float(model.reconcile(draft.found)[-1].left)
    sheet.put(5, ACTIVE, round(audited, 6), "input:#,##0.00")
    sheet.put(
        5, 4, f"{draft.currency}/month, from the audit of the books; only a check uses it.",
        "note",
    )  # fmt: skip
    draft.names["audited_month"] = sheet.ref(5, ACTIVE)
    draft.number["audited"] = round(audited, 6)
    sheet.put(6, 0, "Last day of the books", "text")
    sheet.put(6, ACTIVE, last_day(draft.found.policy.last_month), "input.day")
    sheet.put(6, 4, "Month 0 of the model is now: the end of this month.", "note")
    draft.names["last_day"] = sheet.ref(6, ACTIVE)
    _table(draft, sheet, 7, "input", True)
    aside = draft.sheet("Not in the model", freeze=(4, 1), repeat=(3, 3), **ABOUT)
    draft.heading(
        aside, "Rows of the ledger that no item of this model rests on: other notebooks read them."
    )
    _table(draft, aside, 3, "aside", False)


def _table(draft: Draft, sheet: Sheet, head: int, name: str, inside: bool) -> None:
    """The rows of the ledger that the items rest on, or the others.  head: row of the heads."""
    numeric = ("low", "base", "high", "active", "override", *HEADS[LEAST:])
    for number, text in enumerate(HEADS):
        sheet.put(head, number, text, "head.number" if text in numeric else "head")
    sheet.heights[head] = 30
    first = row = head + 1
    entries = [r for r in draft.found.rows.values() if (r.id in draft.inside) == inside]
    for entry in entries:
        _input(draft, sheet, row, entry)
        row += 1
    last = max(first, row - 1)  # a ledger may have no such row: then it is an empty one
    for what, col in (("override", OVERRIDE), ("source_type", SOURCE_TYPE), ("wrong", WRONG)):
        draft.names[f"{name}_{what}"] = sheet.span((first, col), (last, col))
    row = last + 2
    formulas = [d for d in draft.found.derived.values() if (d.id in draft.inside) == inside]
    if formulas:
        sheet.put(row, 0, "Derived: formulas over other rows. Not to be typed over.", "section")
    for derived in formulas:
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
    spots = [at(row, LOW + i) for i in range(3)]
    own = at(row, OVERRIDE)
    worse, (low, base, high) = at(row, WORSE), spots
    cautious, confident = (
        f'IF({worse}="{ENDS[0]}",{a},IF({worse}="{ENDS[1]}",{b},{base}))'
        for a, b in ((low, high), (high, low))
    )
    chosen = f"CHOOSE(scenario_number,{base},{cautious},{confident},{low},{high})"
    active = sheet.put(
        row, ACTIVE, f"=IF(ISNUMBER({own}),{own},{chosen})", f"number:{shape}",
        draft.values[entry.id],
    )  # fmt: skip
    sheet.put(row, UNIT, entry.unit, "wrap")
    for i, number in enumerate(three):
        sheet.put(row, LOW + i, number, f"input:{shape}")
    sheet.put(row, OVERRIDE, draft.overrides.get(entry.id), f"input:{shape}")
    sheet.row(row, (draft.worse[entry.id], entry.source_type, entry.confidence), "text", WORSE)
    sheet.put(row, SOURCE, entry.source, "small")
    sheet.row(row, (entry.basis, entry.distribution), "text", SOURCE + 1)
    sheet.put(row, SOURCE + 3, entry.as_of, "day")
    sheet.row(row, (entry.owner, entry.group), "text", SOURCE + 4)
    sheet.put(row, SOURCE + 6, entry.note, "small")
    sheet.limits[row, OVERRIDE] = allowed = limits(entry, draft.found.months)
    for col, number in zip((LEAST, MOST), allowed, strict=True):
        sheet.put(row, col, number, f"number:{pattern([number], entry.unit)}")
    live = (
        f"=IF(AND(OR(ISBLANK({own}),ISNUMBER({own})),ISNUMBER({active}),"
        f"{active}>={at(row, LEAST)},{active}<={at(row, MOST)}),0,1)"
    )
    bad = wrong(entry, draft.values[entry.id], draft.found.months)
    sheet.put(row, WRONG, live, "count", float(bad))
    _named(draft, sheet, row, entry.id, "active value")


def _derived(draft: Draft, sheet: Sheet, row: int, entry: ledger.Derived) -> None:
    value = float(draft.values[entry.id])
    sheet.put(row, 0, entry.id, "id")
    sheet.put(row, 1, entry.name, "wrap")
    live = "=" + formula.spell(entry.formula, draft.cells.__getitem__)
    sheet.put(row, ACTIVE, live, f"number:{pattern([value], entry.unit)}", value)
    sheet.put(row, UNIT, entry.unit, "wrap")
    for i in range(LOW, WORSE + 1):
        sheet.put(row, i, None, "blocked")
    sheet.put(row, SOURCE_TYPE, "derived", "text")
    sheet.put(row, SOURCE, entry.source, "small")
    sheet.put(row, SOURCE + 3, entry.as_of, "day")
    sheet.put(row, SOURCE + 4, entry.owner, "text")
    sheet.put(row, SOURCE + 6, entry.note, "small")
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
    draft.names["item_times"] = sheet.span((ends[0], 7), (ends[1], 10))
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
