"""The sheets Outputs, Charts and Read me: what comes out, and how to read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synthecon.economics import tco
from synthecon.economics.outcome import CATEGORIES, LINES, MEASURES
from synthecon.economics.spreadsheet import Sheet, at, column
from synthecon.economics.workbook_draft import ACTIVE, TIME, TITLES, TOTAL, Draft, digest

STYLE = {
    "npv": "big", "irr": "big.share", "payback": "big.months", "discounted-payback": "big.months",
    "peak-cash": "big", "peak-month": "big.count",
}  # fmt: skip


def outputs(draft: Draft) -> None:
    """Measures, cost by category and line, opportunity apart, and the change by year."""
    sheet = draft.sheet(
        "Outputs", widths=(44, 11, 23, 19, 17, 17, 17), paper=9, freeze=(4, 1)
    )  # fmt: skip
    draft.heading(
        sheet,
        "Links and sums of Months. Outflows negative; a positive difference is a saving.",
    )
    sheet.put(2, 0, "Scenario of the inputs", "bold")
    sheet.put(2, 1, f"=Inputs!{at(3, ACTIVE, True, True)}", "verdict", draft.case)
    sheet.put(2, 2, "Overrides in use", "bold")
    # a text counts too: what was typed is in use or in the way
    sheet.put(2, 3, "=COUNTA(input_override)", "verdict",
              len(draft.overrides.keys() & draft.inside))  # fmt: skip
    sheet.put(2, 4, "All checks", "bold")  # its verdict follows, when the checks are there
    row = 4
    sheet.put(row, 0, "The pivot against the status quo", "section")
    for key, name in MEASURES.items():
        row += 1
        link = f"=Months!{at(draft.place[key], TOTAL, True, True)}"
        unit = {"npv": draft.currency, "peak-cash": draft.currency, "irr": "1/year"}
        sheet.put(row, 0, name, "text")
        sheet.put(row, 1, unit.get(key, "months"), "text")
        cell = sheet.put(row, 2, link, STYLE[key], draft.result.measures[key])
        draft.names["out_" + key.replace("-", "_")] = sheet.ref(row, 2)
        draft.shown(key, "shown", sheet, cell)
    rows = [(n, (n,), n == "cash") for n in (*CATEGORIES, "cash")]
    row = _table(draft, sheet, row + 2, "Cost by category, before tax", rows)
    rows = [(n, ("line", n), False) for n in LINES]
    row = _table(draft, sheet, row + 1, "Cost by line of the profit and loss statement", rows)
    rows = [("Opportunity", ("Opportunity",), False)]
    row = _table(draft, sheet, row + 1, "Apart: no cash, in none of the sums here", rows)
    _years(draft, sheet, row + 1)


def _table(draft: Draft, sheet: Sheet, row: int, title: str, rows: Sequence) -> int:
    """Totals over all months: status quo, pipeline, difference; returns the row after it."""
    sheet.put(row, 0, f"{title}, months 0 to {draft.found.months}", "section")
    heads = ("", "unit", *TITLES.values(), "Difference")
    for col, text in enumerate(heads):
        sheet.put(row + 1, col, text, "head.number" if col > 1 else "head")
    for number, (name, key, bold) in enumerate(rows, row + 2):
        style = "money.bold" if bold else "money"
        label = {"cash": "Cash before tax", "Opportunity": "Opportunity cost"}.get(name, name)
        draft.place["output", *key] = number
        sheet.put(number, 0, label, "bold" if bold else "text")
        sheet.put(number, 1, draft.currency, "text")
        both = []
        for col, scenario in enumerate(tco.SCENARIOS, 2):
            numbers = draft.number[scenario, *key]
            both.append(float(numbers.sum()))
            link = f"=Months!{at(draft.place[scenario, *key], TOTAL, True, True)}"
            sheet.put(number, col, link, style, both[-1])
        live = f"={at(number, 3)}-{at(number, 2)}"
        sheet.put(number, 4, live, style, both[1] - both[0])
    return row + 2 + len(rows)


def _years(draft: Draft, sheet: Sheet, row: int) -> None:
    """What the pivot changes, year by year: profit and cash beside each other."""
    count = -(-draft.found.months // 12)
    sheet.put(row, 0, "What the pivot changes, by year", "section")
    heads = ["", "unit", *range(count + 1), "Total"]
    for col, text in enumerate(heads):
        sheet.put(row + 1, col, text, "head" if col < 2 else "head.number")
    for col in range(2, 3 + count):
        live = f"=COLUMNS({at(row + 1, 2, False, True)}:{at(row + 1, col)})-1"
        sheet.put(row + 1, col, live, "head.year", col - 2)
    year = draft.place["year"]
    years = f"Months!$F${year + 1}:{at(year, draft.last, True, True)}"
    quo, pipe = (draft.result.courses[s] for s in tco.SCENARIOS)
    lines = (
        ("Operating cost: change of EBITDA", ("OpEx", "People"),
         pipe.operating - quo.operating, "money"),
        ("Depreciation", ("depreciation",), pipe.depreciation - quo.depreciation, "money"),
        ("Change of EBIT", (), None, "money.bold"),
        ("Tax", ("tax",), pipe.tax - quo.tax, "money"),
        ("CapEx", ("CapEx",), pipe.category["CapEx"] - quo.category["CapEx"], "money"),
        ("Change of free cash flow", (), None, "money.bold"),
    )  # fmt: skip
    which = np.ceil(np.arange(draft.found.months + 1) / 12)
    first = row + 2
    sums: list[np.ndarray] = []
    for number, (name, keys, change, style) in enumerate(lines, first):
        sheet.put(number, 0, name, "bold" if change is None else "text")
        sheet.put(number, 1, draft.currency, "text")
        if change is not None:
            sums.append(np.array([change[which == y].sum() for y in range(count + 1)]))
        elif name.endswith("EBIT"):
            sums.append(sums[0] + sums[1])
        else:
            sums.append(sums[0] + sums[3] + sums[4])
        for col in range(2, 3 + count):
            c = column(col)
            if change is not None:
                parts = []
                for sign, s in (("+", "pipeline"), ("-", "status-quo")):
                    for key in keys:
                        place = draft.place[s, key]
                        span = f"Months!$F${place + 1}:{at(place, draft.last, True, True)}"
                        parts.append(f"{sign}SUMIFS({span},{years},{c}${row + 2})")
                live = "".join(parts).removeprefix("+")
            elif name.endswith("EBIT"):
                live = f"{c}{first + 1}+{c}{first + 2}"
            else:
                live = f"{c}{first + 1}+{c}{first + 4}+{c}{first + 5}"
            sheet.put(number, col, "=" + live, style, float(sums[-1][col - 2]))
        span = f"{at(number, 2)}:{at(number, 2 + count)}"
        sheet.put(number, 3 + count, f"=SUM({span})", style, float(sums[-1].sum()))
    draft.place["ebit"], draft.place["free"] = first + 2, first + 5
    draft.number["free"] = float(sums[-1].sum())
    draft.number["years.total"] = 3 + count


def charts(draft: Draft) -> None:
    """The J-curve, and cost by category."""
    sheet = draft.sheet("Charts", widths=(12,) * 10, portrait=True)
    draft.heading(sheet, "Drawn from Months and Outputs; they follow every change.")

    def months(key: str) -> str:
        row = draft.place[key] + 1
        return f"=Months!$F${row}:{at(row - 1, draft.last, True, True)}"

    size, font = {"width": 860, "height": 380}, {"num_font": {"size": 9}}
    curves = (("sum", "cumulated cash", "#1F3A4D", "solid"),
              ("worths", "cumulated present value", "#B5541C", "dash"))  # fmt: skip
    sheet.charts.append((3, 0, {
        "type": {"type": "line"},
        "title": "The J-curve: cash that the pivot gains, after tax, cumulated",
        "series": [
            {"name": name, "values": months(key), "marker": {"type": "none"},
             "categories": "=Months!$F$4:" + at(TIME, draft.last, True, True),
             "line": {"color": colour, "width": 2.25, "dash_type": dash}}
            for key, name, colour, dash in curves
        ],
        "x": {"name": "month", "label_position": "low", "interval_unit": 6,
              "interval_tick": 6, **font},
        "y": {"name": draft.currency, "num_format": "#,##0",
              "major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}}, **font},
        "size": size,
    }))  # fmt: skip
    colours = dict(zip(CATEGORIES, ("#1F3A4D", "#5B9BB5", "#E0A458"), strict=True))
    head = draft.place["output", "CapEx"]  # the row below the heads, counted from 1 it is theirs
    sheet.charts.append((24, 0, {
        "type": {"type": "column", "subtype": "stacked"},
        "title": f"Cost before tax by category, months 0 to {draft.found.months}",
        "series": [
            {"name": f"=Outputs!$A${draft.place['output', c] + 1}", "gap": 80,
             "categories": f"=Outputs!$C${head}:$D${head}",
             "values": "=Outputs!$C${0}:$D${0}".format(draft.place["output", c] + 1),
             "fill": {"color": colours[c]}}
            for c in CATEGORIES
        ],
        "x": {"label_position": "high", **font},
        "y": {"name": f"{draft.currency}, outflows negative", "num_format": "#,##0",
              "major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}}, **font},
        "size": size,
    }))  # fmt: skip


def read_me(draft: Draft) -> None:
    """What the workbook is, its signs, and how to change an input."""
    policy, folder = draft.found.policy, draft.found.folder
    sheet = draft.sheet("Read me", widths=(24, 92, 10), portrait=True)
    draft.heading(sheet, f"Books {policy.first_month} to {policy.last_month}, {policy.currency}")
    fictional = (
        "This company is fictional. Its books and every row marked illustrative are invented; "
        "rows marked measured come from experiments that were run."
    )
    told = [
        ("What it is", f"The cost of {policy.name}'s data pipeline over {draft.found.months} "
         "months, twice: as it is (status quo), and with synthetic data and a small model "
         "(pipeline). The pivot is worth the difference, in cash after tax."),
        *([("The case", fictional)] if policy.fictional else []),
        ("Sheets", "Inputs: the ledger of assumptions, as far as the items rest on it; the other "
         "rows stand on Not in the model. Items: what costs, and when. Months: every "
         "calculation. Outputs and Charts: the result. Checks: the same numbers by two ways"
         + (". Uncertainty: what a run of many scenarios found; its numbers are not live."
            if "Uncertainty" in draft.sheets else ".")),
        ("Signs", "Prices, bills and amounts on Inputs and Items are positive. On Months, "
         "Outputs and Charts money is a flow: out is negative, in is positive. "
         "Book values are positive."),
        ("Time", f"Month 0 is now, the end of {policy.last_month}; month 1 ends one month "
         "later. Amounts are nominal. A yearly rate acts by the month: (1 + rate)^(month/12)."),
        ("Change an input", "Type a number into its yellow override cell on Inputs; delete it "
         "to go back. A text, or a number that the model does not accept, is refused, or makes a "
         "check fail where it was pasted. Change low, base or high only when the ledger itself "
         "changes, with its source. Derived rows follow. Look at Checks afterwards: the status "
         "quo no longer meets the audit when you change a bill, and says so."),
        ("Scenario switch", "Inputs, cell C4, for every row that has no override. base: what is "
         "planned with. cautious: each row at the end of its range that lowers the present value "
         "(column worse end, found by Python one row at a time, the rest at base); confident: at "
         "the other end. Both are extreme: hardly ever does all go wrong at once."),
        ("Corners", "All low and all high put every row at the same end of its own range. High is "
         "not best: a high price is bad and a high saving good. Corners test the formulas and "
         "forecast nothing."),
        ("Names", "Each ledger id is a name: finance.wacc is in_finance_wacc. Results begin "
         "with out_. Everything about one id: python -m synthecon trace ID."),
        ("Rate of return", "Shown only where cumulated cash turns from minus to plus exactly "
         "once: then there is one positive rate and no second."),
        ("Opportunity cost", "Neither cash nor in the profit and loss statement. It stands "
         "apart on Outputs and is in no sum, no tax and no present value."),
        ("Where it comes from", f"ledger.csv sha256 {digest(folder / 'ledger.csv')} · "
         f"items.csv sha256 {digest(folder / 'items.csv')}. The same files give this "
         "same workbook, byte for byte."),
    ]  # fmt: skip
    row = 3
    for name, text in told:
        sheet.put(row, 0, name, "bold")
        sheet.put(row, 1, text, "wrap")
        row += 1
    row += 1
    sheet.put(row, 0, "Colours", "section")
    legend = (
        ("input.text", "blue on yellow: an input"),
        ("run:#,##0", "violet, slanted: a value that a run found; not live"),
        ("text", "black: a formula"),
        ("blocked", "grey: nothing belongs here"),
    )
    for style, text in legend:
        row += 1
        sheet.put(row, 0, "1,234" if style != "blocked" else None, style)
        sheet.put(row, 1, text, "text")
    row += 2
    sheet.put(row, 0, "Inputs by source", "section")
    sheet.put(row, 1, None, "section")
    kinds = [r.source_type for r in draft.found.rows.values()]
    for kind in sorted(set(kinds), key=lambda k: (-kinds.count(k), k)):
        row += 1
        sheet.put(row, 0, kind, "text")
        count = f"=COUNTIF(input_source_type,A{row + 1})+COUNTIF(aside_source_type,A{row + 1})"
        sheet.put(row, 1, count, "left.count", kinds.count(kind))
