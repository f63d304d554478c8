"""The sheet Months: every calculation, one formula a row, the same in each month."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from synthecon.economics import spreadsheet, tco
from synthecon.economics.outcome import CATEGORIES, LINES, MEASURES
from synthecon.economics.spreadsheet import at, column
from synthecon.economics.workbook_draft import (
    AMOUNT,
    FIRST,
    FLAGS,
    GROWTH,
    TIME,
    TITLES,
    TOTAL,
    Draft,
    last_day,
)

GUESS = 0.02  # where the search for a monthly rate of return begins


def months(draft: Draft) -> None:
    """Course in time, flows, sums, tax, and what the pivot is worth, from top to bottom."""
    found, values = draft.found, draft.values
    sheet = draft.sheet(
        "Months", freeze=(4, FIRST), paper=8, repeat=(2, 3), repeat_columns=(0, 3),
        widths=(26, 50, 8, 12.5, 1.5, *[10.5] * (found.months + 1)), across=2,
    )  # fmt: skip
    draft.heading(
        sheet, "Every calculation, one formula a row from month 0 on. Money out is negative."
    )
    times = np.arange(found.months + 1)
    t = f"$F${TIME + 1}:{at(TIME, draft.last, True, True)}"
    sheet.row(2, ("", "month ends", "", ""), "head")
    sheet.row(TIME, ("id", "month", "unit", "total"), "head")
    sheet.put(2, 4, None, "head")
    sheet.put(TIME, 4, None, "head")
    end = last_day(found.policy.last_month)
    for k in range(found.months + 1):
        c = FIRST + k
        here = at(TIME, c, True)
        sheet.put(TIME, c, f"=COLUMNS({at(TIME, FIRST, False, True)}:{at(TIME, c)})-1",
                  "head.number", k)  # fmt: skip
        total = end.year * 12 + end.month - 1 + k
        ends = last_day(f"{total // 12}-{total % 12 + 1:02}")
        sheet.put(2, c, f"=EOMONTH(last_day,{here})", "head.month", spreadsheet.serial(ends))
    draft.names["month_number"] = sheet.span((TIME, FIRST), (TIME, draft.last))

    def now(c: str) -> str:
        return f"{c}${TIME + 1}"

    rate = draft.cells["finance.wacc"]
    factors = np.exp(-np.log1p(values["finance.wacc"]) * times / 12)
    years = np.ceil(times / 12)
    draft.row = 4
    line(
        draft, "year", "", "Year of the model", "year", "count",
        lambda c, p: f"ROUNDUP({now(c)}/12,0)", years, total=False,
    )  # fmt: skip
    line(
        draft, "factor", "", "Discount factor", "factor", "factor",
        lambda c, p: f"(1+{rate})^(-{now(c)}/12)", factors, total=False,
    )  # fmt: skip

    draft.shown("finance.wacc", "discount factor", sheet, span(draft))
    _life(draft)
    section(draft, "1  Course in time: share of the full amount that falls into each month")
    for item in found.items:
        _shape(draft, item)
    section(draft, "2  Flows of the items")
    for item in found.items:
        place, shape = draft.place["item", item.id] + 1, draft.place["shape", item.id] + 1
        amount, growth = (f"Items!${column(n)}{place}" for n in (AMOUNT, GROWTH))
        flow = 0.0 - tco.flows([item], values, found.months)
        line(
            draft, ("flow", item.id), item.id, item.name, draft.currency, "money",
            lambda c, p, a=amount, g=growth, s=shape:
            f"-{a}*{c}{s}*(1+{g})^({now(c)}/12)", flow,
        )  # fmt: skip
        draft.shown(item.id, f"flow, months 0 to {found.months}", sheet, span(draft))
    for number, scenario in enumerate(tco.SCENARIOS, 3):
        _scenario(draft, number, scenario, t)
    _advantage(draft)
    _measures(draft)


def _life(draft: Draft) -> None:
    """Whole months, as Python rounds them: a half goes to the even neighbour."""
    exact = f"12*{draft.cells['finance.capex-life']}"
    sheet, row = draft.sheets["Months"], draft.row
    sheet.put(row, 1, "Months of depreciation", "text")
    sheet.put(row, 2, "months", "text")
    live = f"=ROUND({exact},0)-(MOD({exact},2)=0.5)"
    cell = sheet.put(
        row, TOTAL, live, "count", float(round(12 * draft.values["finance.capex-life"]))
    )
    draft.names["depreciation_months"] = sheet.ref(row, TOTAL)
    draft.shown("finance.capex-life", "whole months", sheet, cell)
    draft.row += 1


def section(draft: Draft, title: str) -> None:
    """A heading, after an empty row."""
    draft.row += 1
    draft.sheets["Months"].put(draft.row, 0, title, "section")
    draft.row += 1


def line(
    draft: Draft, key: Any, label: str, name: str, unit: str, style: str,
    live: Callable[[str, str], str], numbers: np.ndarray, *, total: bool = True,
) -> None:  # fmt: skip
    """A row of Months.  live: its formula, given this column and the one before it."""
    sheet, row = draft.sheets["Months"], draft.row
    draft.place[key], draft.number[key] = row, numbers
    sheet.put(row, 0, label, "id")
    sheet.put(row, 1, name, "bold" if style == "money.bold" else "text")
    sheet.put(row, 2, unit, "text")
    if total:
        span = f"{at(row, FIRST)}:{at(row, draft.last)}"
        sheet.put(row, TOTAL, f"=SUM({span})", style, float(numbers.sum()))
    for k, number in enumerate(numbers):
        c = FIRST + k
        sheet.put(row, c, "=" + live(column(c), column(c - 1)), style, float(number))
    draft.row += 1


def span(draft: Draft) -> str:
    """The months of the last row."""
    return f"{at(draft.row - 1, FIRST)}:{at(draft.row - 1, draft.last)}"


def _shape(draft: Draft, item: tco.Item) -> None:
    """As `tco.Item.shape` does it."""
    row = draft.place["item", item.id] + 1
    start, ramp, end, fade = (f"Items!${c}{row}" for c in "HIJK")
    now = f"{{c}}${TIME + 1}"
    if item.kind == "once":
        text = f"MAX(0,1-ABS({now}-{start}))"
    else:
        text = (
            f"MIN(MAX(0,MIN(1,({now}-{start}+1)/MAX({ramp},1))),"
            f"MAX(0,MIN(1,1-({now}-{end})/({fade}+1))))*({now}>0)"
        )
    shape = item.shape(draft.found.months, draft.values)
    line(
        draft, ("shape", item.id), item.id, item.name, "share", "part",
        lambda c, p: text.format(c=c), shape,
    )  # fmt: skip
    draft.shown(item.id, "course in time", draft.sheets["Months"], span(draft))


def _sum(draft: Draft, key: str, flag: str, cash: str) -> Callable[[str, str], str]:
    """Flows whose item has this row's label in a column of Items."""
    first = draft.place["flow", draft.found.items[0].id] + 1
    last = draft.place["flow", draft.found.items[-1].id] + 1
    row = draft.row + 1
    return lambda c, p: (
        f"SUMIFS({c}${first}:{c}${last},item_{key},$A{row},item_cash,{cash},{flag},1)"
    )


def _scenario(draft: Draft, number: int, scenario: str, t: str) -> None:
    """Sums of one scenario, its book values, tax and cash.  t: the numbers of all months."""
    one, title, flag = draft.result.courses[scenario], TITLES[scenario], FLAGS[scenario]
    money, tax = draft.currency, draft.cells["finance.tax"]
    life = "depreciation_months"
    section(draft, f"{number}  {title}: cost by category and by line, depreciation, tax")

    def at_row(key: str) -> int:
        return draft.place[scenario, key] + 1

    for name in CATEGORIES:
        line(
            draft, (scenario, name), name, f"{title}: {name}", money, "money",
            _sum(draft, "category", flag, '"yes"'), one.category[name],
        )  # fmt: skip
    top, bottom = at_row("CapEx"), at_row("People")
    cash = sum(one.category.values())
    line(
        draft, (scenario, "cash"), "", "Cash before tax", money, "money.bold",
        lambda c, p: f"SUM({c}{top}:{c}{bottom})", cash,
    )  # fmt: skip
    for name in LINES:
        line(
            draft, (scenario, "line", name), name, f"{title}: on line {name}", money, "money",
            _sum(draft, "line", flag, '"yes"'), one.line[name],
        )  # fmt: skip
    line(
        draft, (scenario, "Opportunity"), "Opportunity", "Opportunity cost: no cash, apart",
        money, "money", _sum(draft, "category", flag, '"no"'), one.opportunity,
    )  # fmt: skip

    spent, charge = -one.category["CapEx"] + 0.0, one.depreciation
    closing = np.cumsum(spent + charge)
    closing[np.abs(closing) < 1e-6] = 0.0
    opening = np.concatenate([[0.0], closing[:-1]])
    row = draft.row + 1  # opening, additions, depreciation, closing
    line(
        draft, (scenario, "opening"), "", "Book value at the start", money, "money",
        lambda c, p: f"N({p}{row + 3})", opening, total=False,
    )  # fmt: skip
    line(
        draft, (scenario, "added"), "", "plus CapEx", money, "money",
        lambda c, p: f"-{c}{top}", spent,
    )  # fmt: skip
    added = f"$F${row + 1}:{at(row, draft.last, True, True)}"
    last = at(TIME, draft.last, True, True)
    line(
        draft, (scenario, "depreciation"), "", "less depreciation; the rest in the last month",
        money, "money",
        lambda c, p: (
            f"-IF({c}${TIME + 1}={last},{c}{row}+{c}{row + 1},SUMPRODUCT({added}"
            f"*({t}<{c}${TIME + 1})*({t}>={c}${TIME + 1}-{life}))/{life})"
        ),
        charge,
    )  # fmt: skip
    months = draft.sheets["Months"]
    draft.shown("finance.capex-life", f"depreciation, {title}", months, span(draft))
    line(
        draft, (scenario, "closing"), "", "Book value at the end", money, "money",
        lambda c, p: f"SUM({c}{row}:{c}{row + 2})", closing, total=False,
    )  # fmt: skip
    opex, people = at_row("OpEx"), at_row("People")
    line(
        draft, (scenario, "tax"), "", "Tax: what these costs save", money, "money",
        lambda c, p: f"-{tax}*({c}{opex}+{c}{people}+{c}{row + 2})", one.tax,
    )  # fmt: skip
    draft.shown("finance.tax", f"tax, {title}", months, span(draft))
    before, relief = at_row("cash"), at_row("tax")
    line(
        draft, (scenario, "after"), "", "Cash after tax", money, "money.bold",
        lambda c, p: f"{c}{before}+{c}{relief}", one.after,
    )  # fmt: skip


def _advantage(draft: Draft) -> None:
    """The difference of the scenarios, and the rows from which its measures are read."""
    quo, pipe = (draft.place[s, "after"] + 1 for s in tco.SCENARIOS)
    gain, money = draft.result.advantage, draft.currency
    worth = gain * draft.number["factor"]
    sums, worths = np.cumsum(gain), np.cumsum(worth)
    now = f"{{c}}${TIME + 1}"
    section(draft, "5  The pivot: pipeline less status quo, cash after tax")
    row = draft.row + 1
    factor = draft.place["factor"] + 1
    lines = (
        ("gain", "Cash gained by the pivot", "money.bold", f"{{c}}{pipe}-{{c}}{quo}", gain),
        ("sum", "cumulated: the J-curve", "money", f"N({{p}}{row + 1})+{{c}}{row}", sums),
        ("worth", "Present value", "money", f"{{c}}{row}*{{c}}${factor}", worth),
        ("worths", "cumulated", "money", f"N({{p}}{row + 3})+{{c}}{row + 2}", worths),
        ("below", "Month, if cumulated cash is below zero", "count",
         f"IF({{c}}{row + 1}<0,{now},-1)", np.where(sums < 0, np.arange(len(sums)), -1)),
        ("below.worth", "Month, if cumulated present value is", "count",
         f"IF({{c}}{row + 3}<0,{now},-1)", np.where(worths < 0, np.arange(len(sums)), -1)),
        ("turns", "Cumulated cash changes its sign", "count",
         f"IF(SIGN(N({{p}}{row + 1}))*SIGN({{c}}{row + 1})<0,1,0)",
         np.concatenate([[0], np.sign(sums[1:]) * np.sign(sums[:-1]) < 0])),
    )  # fmt: skip
    for key, name, style, live, numbers in lines:
        unit = money if style.startswith("money") else "month"
        line(
            draft, key, "", name, unit if key != "turns" else "yes = 1", style,
            lambda c, p, text=live: text.format(c=c, p=p), numbers,
            total=key in ("gain", "worth", "turns"),
        )  # fmt: skip


def _measures(draft: Draft) -> None:
    """One number each, in the column of totals."""
    sheet = draft.sheets["Months"]
    section(draft, "6  Measures")

    def span(key: str) -> str:
        row = draft.place[key]
        return f"$F${row + 1}:{at(row, draft.last, True, True)}"

    def total(key: str) -> str:
        return at(draft.place[key], TOTAL, True, True)

    def back(below: str, sums: str) -> str:
        last, months = f"MAX({span(below)})", at(TIME, draft.last, True, True)
        here, there = (f"INDEX({span(sums)},{last}+{k})" for k in (1, 2))
        never = f'"not within "&{months}&" months"'
        return f"IF({last}<0,0,IF({last}={months},{never},{last}-{here}/({there}-{here})))"

    first, end = (at(draft.place["sum"], c, True, True) for c in (FIRST, draft.last))
    lowest = f"MIN(0,MIN({span('sum')}))"
    lives = {
        "npv": f"SUM({span('worth')})",
        "irr": f"IF(AND({first}<0,{end}>0,{total('turns')}=1),"
        f'(1+IRR({span("gain")},{GUESS}))^12-1,"no single rate")',
        "payback": back("below", "sum"),
        "discounted-payback": back("below.worth", "worths"),
        "peak-cash": lowest,
        "peak-month": f"IF({lowest}<0,MATCH(MIN({span('sum')}),{span('sum')},0)-1,0)",
    }
    units = {"npv": draft.currency, "irr": "1/year", "peak-cash": draft.currency}
    styles = {"npv": "money", "irr": "share", "peak-cash": "money", "peak-month": "count"}
    for key, name in MEASURES.items():
        draft.place[key] = draft.row
        sheet.put(draft.row, 0, key, "id")
        sheet.put(draft.row, 1, name, "text")
        sheet.put(draft.row, 2, units.get(key, "months"), "text")
        cell = sheet.put(draft.row, TOTAL, "=" + lives[key], styles.get(key, "months"),
                         draft.result.measures[key])  # fmt: skip
        draft.shown(key, "calculation", sheet, cell)
        draft.row += 1
