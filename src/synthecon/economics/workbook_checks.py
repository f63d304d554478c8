"""The sheet Checks: the same numbers by two ways, each with its tolerance, and what was typed."""

from __future__ import annotations

from typing import Any

from synthecon.economics import cashflow, tco
from synthecon.economics.outcome import CATEGORIES, LINES
from synthecon.economics.spreadsheet import at
from synthecon.economics.workbook_draft import FLAGS, TIME, TITLES, TOTAL, Draft
from synthecon.economics.workbook_guards import wrong

CENT = 0.005  # two amounts agree when they differ by less than half a cent


def check(draft: Draft) -> None:
    """One row a check, and one verdict over all of them, which Outputs shows too."""
    sheet = draft.sheet("Checks", widths=(5, 74, 17, 17, 15, 12, 10), freeze=(5, 0))
    draft.heading(sheet, "Each row compares two ways to the same number.")
    heads = ("", "check", "one way", "the other", "difference", "tolerance", "result")
    for col, text in enumerate(heads):
        sheet.put(4, col, text, "head.number" if col in (2, 3, 4, 5) else "head")
    rows = _comparisons(draft)
    for number, (name, left, right, a, b, room) in enumerate(rows, 5):
        draft.checks.append((name, a, b, room))
        sheet.put(number, 0, number - 4, "text")
        sheet.put(number, 1, name, "wrap")
        sheet.put(number, 2, "=" + left, "cents", a)
        sheet.put(number, 3, "=" + right, "cents", b)
        sheet.put(number, 4, f"={at(number, 2)}-{at(number, 3)}", "cents", a - b)
        sheet.put(number, 5, room, "input:0.000")
        verdict = "OK" if abs(a - b) <= room else "FAIL"
        live = f'=IF(ABS({at(number, 4)})<={at(number, 5)},"OK","FAIL")'
        sheet.put(number, 6, live, "verdict", verdict)
    span = f"{at(5, 6)}:{at(4 + len(rows), 6)}"
    good = all(abs(a - b) <= room for _, a, b, room in draft.checks)
    master = "OK" if good else "FAIL"
    sheet.put(2, 1, "All checks", "bold")
    # counted by OK, so that an error in a row cannot pass
    sheet.put(2, 6, f'=IF(COUNTIF({span},"OK")=ROWS({span}),"OK","FAIL")', "verdict", master)
    sheet.verdicts += [span, "G3"]
    draft.names["all_checks"] = sheet.ref(2, 6)
    outputs = draft.sheets["Outputs"]
    outputs.put(2, 5, "=all_checks", "verdict", master)
    outputs.verdicts.append("F3")
    draft.shown("checks", "master check", sheet, "G3")


def _comparisons(draft: Draft) -> list[tuple[str, str, str, float, float, float]]:
    """Name, both sides as formulas, both as numbers, tolerance."""
    months, checks = draft.found.months, []

    def total(*key: Any) -> str:
        return f"Months!{at(draft.place[key], TOTAL, True, True)}"

    def added(*key: Any) -> float:
        return float(draft.number[key].sum())

    flows = [draft.place["flow", i.id] for i in (draft.found.items[0], draft.found.items[-1])]
    items = f"Months!$D${flows[0] + 1}:$D${flows[1] + 1}"
    for s in tco.SCENARIOS:
        title, flag = TITLES[s], FLAGS[s]
        first, last = (total(s, c) for c in ("CapEx", "People"))
        by_category = f"SUM({first}:{last.removeprefix('Months!')})"
        first, last = (total(s, "line", n) for n in (LINES[0], LINES[-1]))
        by_line = f"SUM({first}:{last.removeprefix('Months!')})"
        by_item = f'SUMIFS({items},item_cash,"yes",{flag},1)'
        mine = [i for i in tco.of(draft.found.items, s) if i.cash]
        one = sum(added(s, c) for c in CATEGORIES)
        two = sum(added(s, "line", n) for n in LINES)
        three = sum(added("flow", i.id) for i in mine)
        checks += [
            (f"{title}: categories = lines", by_category, by_line, one, two, CENT),
            (f"{title}: categories = sum of items", by_category, by_item, one, three, CENT),
            (f"{title}: depreciation = CapEx", total(s, "depreciation"), total(s, "CapEx"),
             added(s, "depreciation"), added(s, "CapEx"), CENT),
        ]  # fmt: skip
    quo = [i for i in tco.of(draft.found.items, "status-quo") if i.cash]
    shapes = [draft.place["shape", i.id] for i in (draft.found.items[0], draft.found.items[-1])]
    month = f"Months!$G${shapes[0] + 1}:$G${shapes[1] + 1}"
    rate = sum(float(tco.amount(i, draft.values) * i.shape(months, draft.values)[1]) for i in quo)
    checks.append(
        ("Status quo, month 1 before growth = audited ML cost a month",
         f'SUMPRODUCT(item_amount*item_quo*(item_cash="yes")*{month})', "audited_month",
         rate, draft.number["audited"], CENT)
    )  # fmt: skip
    checks += [
        ("Opportunity cost that counts as cash, or stands on a line: none",
         'COUNTIFS(item_category,"Opportunity",item_cash,"yes")'
         '+COUNTIFS(item_category,"Opportunity",item_line,"<>none")', "0",
         float(sum(i.category == "Opportunity" and (i.cash or i.line != "none")
                   for i in draft.found.items)), 0.0, 0.0),
        *_values_twice(draft),
        *_guards(draft),
    ]  # fmt: skip
    free = f"Outputs!{at(draft.place['free'], draft.number['years.total'], True, True)}"
    gain = float(draft.result.advantage.sum())
    checks.append(
        ("Free cash flow by year = cash gained by month", free,
         f"Months!{at(draft.place['gain'], TOTAL, True, True)}", draft.number["free"], gain,
         CENT)
    )  # fmt: skip
    corner = at(draft.row - 1, draft.last, True, True)
    checks.append(
        ("Cells of Months that are errors: none",
         f"SUMPRODUCT(--ISERROR(Months!$D$5:{corner}))", "0", 0.0, 0.0, 0.0)
    )  # fmt: skip
    return checks


def _guards(draft: Draft) -> list[tuple[str, str, str, float, float, float]]:
    """What was typed is a number, and one that the model accepts."""
    found, end = draft.found, draft.found.months
    bad = {
        inside: float(sum(
            wrong(r, draft.values[r.id], end)
            for r in found.rows.values() if (r.id in draft.inside) == inside
        ))
        for inside in (True, False)
    }  # fmt: skip
    times = [draft.values[w] if isinstance(w, str) else w for i in found.items for w in i.times]
    outside = float(sum(not 0 <= when <= end for when in times))
    last = f"Months!{at(TIME, draft.last, True, True)}"
    return [
        ("Overrides are numbers within what the model accepts; texts and others: none",
         "SUM(input_wrong)", "0", bad[True], 0.0, 0.0),
        ("The same on the sheet Not in the model: none",
         "SUM(aside_wrong)", "0", bad[False], 0.0, 0.0),
        (f"Months of the items lie within the horizon, 0 to {end}; others: none",
         f'COUNTIF(item_times,"<0")+COUNTIF(item_times,">"&{last})'
         "+ROWS(item_times)*COLUMNS(item_times)-COUNT(item_times)", "0", outside, 0.0, 0.0),
    ]  # fmt: skip


def _values_twice(draft: Draft) -> list[tuple[str, str, str, float, float, float]]:
    """Net present value by the spreadsheet's own function, and at the rate of return."""
    gain = draft.place["gain"] + 1
    rest = f"Months!$G${gain}:{at(gain - 1, draft.last, True, True)}"
    monthly = f"((1+{draft.cells['finance.wacc']})^(1/12)-1)"
    flows = [float(x) for x in draft.result.advantage]
    rate = cashflow.per_period(float(draft.values["finance.wacc"]), 12)
    measures = draft.result.measures
    irr = measures["irr"]
    zero = (
        0.0
        if isinstance(irr, str)
        else round(cashflow.npv((1 + irr) ** (1 / 12) - 1, flows), 6) + 0.0
    )
    there = "((1+out_irr)^(1/12)-1)"
    return [
        ("Net present value = month 0 + NPV() of the months after it",
         "out_npv", f"Months!$F${gain}+NPV({monthly},{rest})", float(measures["npv"]),
         cashflow.npv(rate, flows), CENT),
        ("Net present value at the internal rate of return = 0",
         f"IF(ISNUMBER(out_irr),ROUND(Months!$F${gain}+NPV({there},{rest}),6),0)", "0",
         zero, 0.0, 1.0),
    ]  # fmt: skip
