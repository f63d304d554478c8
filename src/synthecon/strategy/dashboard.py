"""The dashboard: one page of HTML that needs nothing else, on paper white or dark, wide or narrow.

Bars are boxes whose sizes stand in their style; only the curve of cash is an SVG.  Each chart has
its numbers as text beside it, so that nobody has to see it to read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from synthecon.economics import calculators
from synthecon.economics.model import Model
from synthecon.strategy import choices, facts, facts_calculators, memo, pages, printable
from synthecon.strategy.pages import Filler
from synthecon.strategy.printable import Fact

EVIDENCE = {
    "measured": "Measured",
    "invoice": "Own books",
    "public": "Sourced",
    "transfer": "Transferred",
    "illustrative": "Illustrative",
}
CATEGORIES = {"opex": "Bought", "people": "People", "capex": "Equipment"}
RULES = {
    "probability": (
        "Chance that it pays, with new risks",
        "probability.pays",
        "at least",
        "board.min-probability",
    ),
    "expected": ("Expected value, with new risks", "npv.careful", "above zero", ""),
    "cash": (
        "Cash tied up before tax, {method.most} scenarios",
        "need.p95",
        "at most",
        "board.cash-limit",
    ),
}
SVG = (420.0, 230.0)  # width and height of the curve, its units


def html(model: Model, found: Mapping[str, Fact]) -> tuple[bytes, tuple[str, ...]]:
    """The page, and the ids of the facts on it.

    Raises:
        Problem: the case lacks a fact.
    """
    f = Filler(found)
    pivot = found["recommendation"].text == printable.PIVOT
    parts = [
        _head(f, pivot),
        _tiles(f),
        _section("Does it meet the board’s rule?", _rules(f), "wide"),
        _section("What there is to choose from", _options(f), "wide"),
        _section("Cumulated cash", _curve(f)),
        _section("What decides it", _tornado(f)),
        _section("What the accounts show", _accounts(f)),
        _section("Gates" if pivot else "What would change it", _gates(f, pivot)),
        _section("Cost of both ways", _costs(f)),
        _section("What the result rests on", _evidence(f)),
        _section("Risks beside the plan", _risks(f), "wide"),
        _section("Calculators", _calculators(f), "wide"),
    ]
    numbers = _section("Every number", _numbers(f, model), "wide")
    title = escape(f"{found['company.name'].text}: the pivot in numbers")
    style = pages.template("dashboard.css")
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, parts))
        + f"\n{numbers}\n</main>\n</body>\n</html>\n"
    )
    return page.encode(), tuple(f.used)


def _section(title: str, content: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f"<section{name}><h2>{escape(title)}</h2>\n{content}</section>" if content else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], label: str, words: int = 1, *,
           stack: bool = False) -> str:  # fmt: skip
    """words: how many columns from the left are words; the others are numbers.  stack: on a phone
    a row becomes a card.  Roles are spelled out: a table that is laid out otherwise loses them."""
    kinds = [' class="n"' if place >= words else "" for place in range(len(head))]
    heads = "".join(
        f'<th role="columnheader" scope="col"{k}>{escape(h)}</th>'
        for h, k in zip(head, kinds, strict=True)
    )
    body = ""
    for first, *rest in rows:
        cells = "".join(
            f'<td role="cell" data-label="{escape(h)}"{k}>{escape(c)}</td>'
            for c, h, k in zip(rest, head[1:], kinds[1:], strict=True)
        )
        body += (
            f'<tr role="row"><th role="rowheader" scope="row">{escape(first)}</th>{cells}</tr>\n'
        )
    name = ' class="stack"' if stack else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">'
        f'<table role="table"{name}><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody role="rowgroup">\n{body}</tbody></table></div>\n'
    )


def _head(f: Filler, pivot: bool) -> str:
    asked = "Release up to {ask.amount} in {ask.date}, in steps, for {option.name}."
    if not pivot:
        asked = (
            "Decline the pipeline in {ask.date}, the better option ({option.name}) too; release "
            "{ask.amount}, look again in {review.date}."
        )
    asked = f.fill(asked)
    method = f.fill(
        "Books {period.first} to {period.last} · {company.currency}, nominal, after tax unless "
        "said otherwise · {horizon.years} · {method.scenarios} scenarios; low and high leave "
        "{method.low} outside on either side"
    )
    return (
        f'<header><p class="kind">{escape(f.fill("{company.name} · {company.kind}"))}</p>\n'
        f"<h1>{escape('Pivot' if pivot else 'Keep the status quo')}</h1>\n"
        f'<p class="ask">{escape(asked)}</p>\n'
        f"<p>{escape(f.fill('By the board’s own rule: {reason}.'))}</p>\n"
        f'<p class="small">{escape(method)}</p></header>'
    )


def _tiles(f: Filler) -> str:
    tiles = (
        ("npv.base", "Net present value, base case", "{npv.p5} to {npv.p95}"),
        ("probability.pays", "Chance that it pays, new risks counted", "expected {npv.careful}"),
        ("payback.month", "Payback, base case", "early {payback.p5}, late {payback.p95}"),
        ("need.base", "Cash tied up, before tax", "{need.p95} in {method.most} scenarios"),
        ("irr", "Internal rate of return, base case", "discount rate {method.rate}"),
    )
    rows = "".join(
        f'<li><span class="label">{label}</span> <strong>{escape(f.text(key))}</strong> '
        f'<span class="small">{escape(f.fill(more))}</span></li>\n'
        for key, label, more in tiles
    )
    return f'<ul class="tiles" aria-label="Key numbers">\n{rows}</ul>'


def _rules(f: Filler) -> str:
    rows = []
    for key, (name, number, how, limit) in RULES.items():
        demanded = f"{how} {f.text(limit)}" if limit else how
        rows.append((f.fill(name), f.text(number), demanded, f.text(f"test.{key}")))
    told = ["Not in the rule: with the opportunity cost of both ways the chance is "
            "{stress.opportunity.pays}"]  # fmt: skip
    if "stress.adoption.pays" in f.facts:
        told.append("; with teams as slow as in their last practice, {stress.adoption.pays}")
    note = f'<p class="small">{escape(f.fill("".join(told)))}.</p>\n'
    return _table(("Rule", "Is", "Demanded", "Verdict"), rows, "The board's rule") + note


def _options(f: Filler) -> str:
    rows = [("Stay as we are", "the yardstick", "–", "none", "–")]
    for key, name in choices.TITLES.items():
        if f"option.{key}.npv" in f.facts:
            at = (f.text(f"option.{key}.{k}") for k in ("npv", "pays", "need", "rule"))
            rows.append((name.capitalize(), *at))
    head = ("Option", "NPV, base case", "Chance, with new risks", "Tied up before tax", "Rule")
    told = f"The rest of this page is about {f.text('option.name')}, unless it says otherwise."
    return _table(head, rows, "Options", stack=True) + f"<p>{escape(told)}</p>\n"


def _curve(f: Filler) -> str:
    """Cumulated cash by quarter: base case, and the band from low to high."""
    keys = sorted((k for k in f.facts if k.startswith("cash.base.month-")),
                  key=lambda k: int(k.rpartition("-")[2]))  # fmt: skip
    months = [int(k.rpartition("-")[2]) for k in keys]
    lines = {
        way: [f.value(f"cash.{way}.month-{m}") for m in months] for way in ("low", "base", "high")
    }
    every = [0.0, *(x for line in lines.values() for x in line)]
    low, high = min(every), max(every)
    wide, tall = SVG
    left, right, top, bottom = 20.0, 92.0, 16.0, 26.0

    def at(month: int, x: float) -> str:
        across = left + (wide - left - right) * month / months[-1]
        down = top + (tall - top - bottom) * (high - x) / (high - low)
        return f"{across:.1f},{down:.1f}"

    path = {way: " ".join(map(at, months, line)) for way, line in lines.items()}
    back = " ".join(reversed(path["low"].split()))
    zero = at(0, 0.0).split(",")[1]
    ends = sorted((float(at(months[-1], lines[w][-1]).split(",")[1]), w) for w in lines)
    places: list[float] = []
    for y, _ in ends:
        places.append(max(y, places[-1] + 15) if places else y)
    labels = "".join(
        f'<text class="{way}" x="{wide - right + 6:.0f}" y="{y + 4:.1f}">'
        f"{escape(f.text(f'cash.{way}.month-{months[-1]}'))}</text>\n"
        for y, (_, way) in zip(places, ends, strict=True)
    )
    ticks = "".join(
        f'<text class="axis" text-anchor="{"middle" if m else "start"}" '
        f'x="{at(m, 0).split(",")[0]}" y="{tall - 8:.0f}">{"" if m else "month "}{m}</text>\n'
        for m in months
        if m % 12 == 0
    )
    ticks += (
        f'<text class="axis" text-anchor="end" x="{left - 6:.0f}" y="{float(zero) + 4:.1f}">0'
        "</text>\n"
    )
    told = f.fill("Base case, after tax: {peak-cash} below zero in {peak-cash.month}, {cash.end} "
                  "at the end of {horizon.months}. The band leaves {method.low} of the scenarios "
                  "out on either side of each month.")  # fmt: skip
    table = _table(
        ("Month", "Low", "Base case", "High"),
        [
            (str(m), *(f.text(f"cash.{w}.month-{m}") for w in ("low", "base", "high")))
            for m in months
        ],
        "Cumulated cash by month",
    )
    return (
        f'<svg viewBox="0 0 {wide:.0f} {tall:.0f}" role="img" aria-labelledby="cash-title">\n'
        '<title id="cash-title">Cumulated cash after tax by month, from low to high; the numbers '
        "stand in the table below</title>\n"
        f'<polygon class="band" points="{path["high"]} {back}"/>\n'
        f'<line class="zero" x1="{left}" x2="{wide - right}" y1="{zero}" y2="{zero}"/>\n'
        f'<polyline class="low" points="{path["low"]}"/>\n'
        f'<polyline class="high" points="{path["high"]}"/>\n'
        f'<polyline class="base" points="{path["base"]}"/>\n{labels}{ticks}'
        f"</svg>\n<p>{escape(told)}</p>\n"
        f"<details><summary>As a table</summary>{table}</details>\n"
    )


def _bar(parts: Iterable[tuple[float, float, str]]) -> str:
    """Pieces of a bar: from, width (shares of the line), class."""
    inner = "".join(
        f'<i class="{kind}" style="left:{100 * a:.2f}%;width:{100 * w:.2f}%"></i>'
        for a, w, kind in parts
        if w > 0
    )
    return f'<div class="bar" aria-hidden="true">{inner}</div>'


def _tornado(f: Filler) -> str:
    ranks = [r for r in (1, 2, 3) if f"sensitivity.{r}.id" in f.facts]
    base = f.value("npv.base")
    ends = [f.value(f"sensitivity.{r}.{e}") for r in ranks for e in ("low", "high")]
    low, high = min([*ends, base, 0.0]), max([*ends, base, 0.0])
    span = (high - low) or 1.0
    rows = []
    for r in ranks:
        at = {e: f.value(f"sensitivity.{r}.{e}") for e in ("low", "high")}
        parts = [
            ((min(x, base) - low) / span, abs(x - base) / span, f"at-{e}") for e, x in at.items()
        ]
        parts.append(((0 - low) / span, 0.004, "zero"))
        key, turns = f"sensitivity.{r}", "nothing in reach makes it zero"
        if f.facts[f"{key}.zero"].value is not None:
            turns = f"zero at <b>{escape(f.text(f'{key}.zero'))}</b>"
        rows.append(
            f"<li><b>{escape(f.text(f'{key}.name'))}</b>"
            f' <span class="small">{escape(f.text(f"{key}.range"))} · {escape(f.text(f"{key}.id"))}'
            f"</span>{_bar(parts)}"
            f'<span class="ends"><span class="at-low">at its low '
            f"{escape(f.text(f'{key}.low'))}</span> "
            f'<span class="at-high">at its high {escape(f.text(f"{key}.high"))}</span> '
            f"<span>{turns}</span></span></li>\n"
        )
    told = escape(f.fill("Net present value, one assumption at a time; the bars meet at the base "
                         "case, {npv.base}. The thin line is zero."))  # fmt: skip
    return f'<p>{told}</p>\n<ul class="bars">\n{"".join(rows)}</ul>\n'


def _costs(f: Filler) -> str:
    ways = {"quo": "Stay as we are", "pipe": "Pipeline"}
    most = max(f.value(f"tco.{w}.total") for w in ways) or 1.0
    rows = []
    for way, name in ways.items():
        parts, at = [], 0.0
        for key in CATEGORIES:
            size = f.value(f"tco.{way}.{key}") / most
            parts.append((at, size, key))
            at += size
        told = ", ".join(f"{n} {f.text(f'tco.{way}.{k}')}" for k, n in CATEGORIES.items())
        rows.append(
            f"<li><b>{name}: {escape(f.text(f'tco.{way}.total'))}</b>{_bar(parts)}"
            f'<span class="small">{escape(told)}</span></li>\n'
        )
    note = f.fill("Over {horizon.years}, before tax, not discounted.")
    note += f.fill(" Opportunity cost, no cash and in none of these: {opportunity.quo} if we stay, "
                   "{opportunity.pipe} if we pivot.")  # fmt: skip
    key = "".join(f'<span class="{k}">{n}</span> ' for k, n in CATEGORIES.items())
    return (
        f'<ul class="bars">\n{"".join(rows)}</ul>\n<p class="key">{key}</p>\n'
        f'<p class="small">{escape(note)}</p>\n'
    )


def _accounts(f: Filler) -> str:
    names = {
        "fcf.delta": "Change of free cash flow",
        "recurring.delta": "Change of recurring EBITDA",
        "ebitda.delta": "Change of EBITDA",
        "ebitda.quo": "EBITDA, status quo",
        "ebitda.pipe": "EBITDA, pipeline",
        "gross-margin.quo": "Gross margin, status quo",
        "gross-margin.pipe": "Gross margin, pipeline",
    }
    rows = [
        (name, *(f.text(f"{key}.year-{y}") for y in (1, 2, 3)))
        for key, name in names.items()
        if f"{key}.year-1" in f.facts
    ]
    table = _table(
        ("By year", "First year", "Second year", "Third year"), rows, "The accounts by year"
    )
    day = f.fill("Free cash flow of the day of the decision, before the first year: "
                 "{fcf.delta.year-0}.")  # fmt: skip
    table += f'<p class="small">{escape(day)}</p>\n'
    if "ev.dcf.base" not in f.facts:
        return table
    told = f.fill("Enterprise value that the pivot adds: {ev.dcf.base} by discounted cash "
                  "({ev.dcf.low} to {ev.dcf.high}), of which {ev.tail-share} lies after the "
                  "{horizon.years}; {ev.multiple.base} by {ev.times.base} recurring EBITDA and the "
                  "cash ({ev.multiple.low} to {ev.multiple.high}). Neither decides. Nothing is "
                  "capitalised, and nothing that happens once is multiplied. A multiple is "
                  "somebody else’s price.")  # fmt: skip
    return f"{table}<p>{escape(told)}</p>\n"


def _gates(f: Filler, pivot: bool) -> str:
    if not pivot:
        rows = []
        if f.text("condition.value") == "fails":
            if "condition.spend" in f.facts:
                name = "Machine learning cost of a month, the pipeline’s own as planned"
                rows.append((name, f.text("today.ml"), f.text("condition.spend")))
            name = "What only the pipeline costs, against plan"
            rows.append((name, f.text("cost.new"), f.text("condition.cost")))
        if f.text("test.cash") == "fails":
            name = f.fill("Cash tied up before tax, {method.most} scenarios")
            rows.append((name, f.text("need.p95"), f.text("board.cash-limit")))
        table = _table(("Condition", "Today", "It turns at"), rows, "Conditions")
        return table + f"<p>{escape(f.fill('The board looks again in {review.date}.'))}</p>\n"
    gates = {
        "pilot": (
            "Pilot",
            "no group of images loses more than {gate.pilot.loss}"
            if "gate.pilot.loss" in f.facts
            else "errors are within what the board allows",
        ),
        "cutover": ("Cut-over", "both served side by side; the monitor saw a planted shift"),
        "off": ("Old way off", "the bill shows the saving"),
    }
    rows = [
        (name, f.text(f"gate.{key}.date"), f.fill(passed), f.text(f"gate.{key}.cash"))
        for key, (name, passed) in gates.items()
        if f"gate.{key}.date" in f.facts
    ]
    stop = "Stop at {ask.amount} of cash, or if the old way runs after {gate.latest.date}"
    if f.facts["gate.pilot.least"].value is not None:
        stop += ", or if the pilot shows less than {gate.pilot.least} of the planned saving"
    stop += "; if an attack names members of what is released; if a licence forbids training."
    if not rows:
        return ""
    table = _table(
        ("Gate", "Date", "Passed if", "Tied up, before tax"), rows, "Gates", 3, stack=True
    )
    return f"{table}<p><b>Kill criteria.</b> {escape(f.fill(stop))}</p>\n"


def _risks(f: Filler) -> str:
    names = [k.split(".")[1] for k in f.facts if k.startswith("risk.") and k.endswith(".often")]
    if not names:
        return ""
    rows = [
        (f.facts[f"risk.{n}.often"].title.partition(":")[0], f.text(f"risk.{n}.often"),
         f.text(f"risk.{n}.impact"), f.text(f"risk.{n}.loss"), f.text(f"risk.{n}.left"))
        for n in names
    ]  # fmt: skip
    head = ("Risk", "Events", "Mean cost of one", "Loss a year", "Controls in the plan")
    told = f.fill(
        "Expected loss a year, before tax. What only the pipeline brings, {risk.brought.left} with "
        "the controls in the plan, is in the chance above: {risk.burden} in present value."
    )
    return _table(head, rows, "Risks", stack=True) + f'<p class="small">{escape(told)}</p>\n'


def _calculators(f: Filler) -> str:
    """Each short sum at the company's base values, and where its answer turns."""
    rows = []
    for one in calculators.ALL:
        name = f"{facts_calculators.PREFIX}.{one.id}"
        if f"{name}.answer" not in f.facts:
            continue
        answer, even = facts_calculators.outputs(one)
        rows.append((one.title, answer.label, f.text(f"{name}.answer"), even.label,
                     f.text(f"{name}.even")))  # fmt: skip
    if not rows:
        return ""
    head = ("Calculator", "What it says", "Base values", "Where it turns", "Break-even")
    told = (
        "Short sums, one at a time: no ranges, and none of them is part of the rule above. Values "
        "only: python -m synthecon calculate NAME shows the fields of one and takes yours."
    )
    return _table(head, rows, "Calculators", 5, stack=True) + f'<p class="small">{told}</p>\n'


def _evidence(f: Filler) -> str:
    rows = []
    for prefix, name in (("rests", "What the net present value leans on"),
                         ("share", "Where its uncertainty comes from")):  # fmt: skip
        parts, at = [], 0.0
        for key in EVIDENCE:
            size = f.value(f"{prefix}.{key}")
            parts.append((at, size, key))
            at += size
        told = " · ".join(f"{n} {f.text(f'{prefix}.{k}')}" for k, n in EVIDENCE.items())
        rows.append(
            f'<li><b>{name}</b>{_bar(parts)}<span class="small">{escape(told)}</span></li>\n'
        )
    key = "".join(f'<span class="{k}">{n}</span> ' for k, n in EVIDENCE.items())
    return (
        f'<ul class="bars">\n{"".join(rows)}</ul>\n<p class="key">{key}</p>\n<p class="small">'
        "Measured on small public data sets; transferred is what we believe carries over; "
        "illustrative is nobody’s quote.</p>\n"
    )


def _numbers(f: Filler, model: Model) -> str:
    """Id, number, meaning, evidence and hash of all that stands above."""
    note = f.fill("Case {case.hash}. python -m synthecon trace ID follows an id to its source.")
    rows = []
    for key in sorted(f.used, key=memo.natural):
        fact = f.facts[key]
        rows.append((key, fact.text, fact.title, memo.evidence(fact, model),
                     facts.fingerprint(fact, model)))  # fmt: skip
    head = ("Id", "Printed", "What it is", "Rests on", "Hash")
    table = _table(head, rows, "Every number of this page", 5, stack=True)
    return (
        f"<details><summary>Ids, evidence and hashes</summary>{table}</details>\n"
        f'<p class="small">{escape(note)}</p>\n'
    )
