"""Calculators as text: typed fields in, printed answers and a small chart out.

Standard library only: the command line, the book and the page in the browser all print through it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthecon.economics.calculators import Calculator, Input, Output, span

WIDE, TALL = 420.0, 190.0  # of the chart, in its own units
LEFT, TOP, BOTTOM = 20.0, 14.0, 26.0
LETTER = 8.0  # width of a character, at most, in those units


def unit(text: str, currency: str) -> str:
    """A declared unit with the company's currency in place of ¤."""
    return text.replace("¤", currency)


def number(x: float) -> str:
    """Whole from a thousand on, else four digits; a true minus sign.

    Halves are rounded away from zero: a browser's number does the same.
    """
    size = abs(x)
    text = f"{math.floor(size + 0.5):,}" if size >= 999.95 else f"{size:.4g}"
    return ("−" if x < 0 and text.strip("0.") else "") + text


def show(x: float | None, output: Output, currency: str) -> str:
    """A result as it is printed everywhere: "1,234 USD/month", "12.5 %", "none"."""
    if x is None:
        return output.never
    if output.form == "share":
        return f"{number(100 * x)} %"
    if output.form == "month":
        return f"month {x:.0f}"
    if output.form == "months":
        return f"{x:.1f} months"
    return f"{number(x)} {unit(output.unit, currency)}".strip()


def exact(x: float) -> str:
    """A value as a form shows it: ten digits at most, no exponent where one can do without."""
    return f"{x:.10g}"


def parse(field: Input, given: str | float) -> float:
    """The number that somebody typed; a decimal comma is refused, thousands commas too.

    Raises:
        ValueError: no number; names the field, its range and what to do.
    """
    try:
        return float(given)
    except (TypeError, ValueError):
        told = "is empty" if not str(given).strip() else f"is no number: {given}"
        raise ValueError(
            f"{field.id} ({field.label.lower()}) {told}; enter a number {span(field)}, "
            "with a point before its decimals"
        ) from None


@dataclass(frozen=True)
class Answer:
    """What one calculator says.  values: the inputs; result: its dataclass; texts: each output as
    printed; says: the sentence; chart: SVG, or empty."""

    values: Mapping[str, float]
    result: Any
    texts: Mapping[str, str]
    says: str
    chart: str


def answer(calculator: Calculator, given: Mapping[str, str | float], currency: str) -> Answer:
    """Compute from typed fields.

    Raises:
        ValueError: a field that is missing, unknown, no number or out of its range.
    """
    known = {field.id for field in calculator.inputs}
    if unknown := sorted(set(given) - known):
        raise ValueError(
            f"{calculator.id} has no field {unknown[0]!r}; its fields are "
            f"{', '.join(field.id for field in calculator.inputs)}"
        )
    if missing := [field for field in calculator.inputs if field.id not in given]:
        raise ValueError(
            f"{missing[0].id} ({missing[0].label.lower()}) is missing; enter a number "
            f"{span(missing[0])}"
        )
    values = {field.id: parse(field, given[field.id]) for field in calculator.inputs}
    result = calculator.compute(**values)
    texts = {o.id: show(getattr(result, o.id), o, currency) for o in calculator.outputs}
    fields = {f.id: f"{number(values[f.id])} {unit(f.unit, currency)}" for f in calculator.inputs}
    curve = getattr(result, "curve", ())
    return Answer(
        values=values,
        result=result,
        texts=texts,
        says=calculator.says(values, result, (fields | texts).__getitem__),
        chart=chart(curve, currency) if curve else "",
    )


def chart(curve: Sequence[float], currency: str) -> str:
    """Cumulated cash after tax, by month, as an SVG that takes its colours from the page."""
    low, high = min(0.0, *curve), max(0.0, *curve)
    span_ = (high - low) or 1.0
    last = len(curve) - 1
    end = f"{number(curve[last])} {currency}"
    right = WIDE - 10 - LETTER * len(end)  # where the curve ends: its last amount stands beside it

    def at(month: float, x: float) -> tuple[float, float]:
        across = LEFT + (right - LEFT) * month / max(last, 1)
        return across, TOP + (TALL - TOP - BOTTOM) * (high - x) / span_

    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(t, c) for t, c in enumerate(curve)))
    zero = at(0, 0.0)[1]
    step = 12 if last >= 24 else 6 if last >= 12 else max(1, last // 3)
    ticks = "".join(
        f'<text class="axis" text-anchor="{"start" if t == 0 else "middle"}" '
        f'x="{at(t, 0)[0]:.1f}" y="{TALL - 8:.0f}">{"month " if t == 0 else ""}{t}</text>'
        for t in range(0, last + 1, step)
    )
    deep = min(range(len(curve)), key=lambda t: curve[t])
    told = (
        f"Cumulated cash after tax by month: from {number(curve[0])} down to "
        f"{number(curve[deep])} {currency} in month {deep}, {end} in month {last}"
    )
    end_x, end_y = at(last, curve[last])
    return (
        f'<figure class="j-curve"><svg viewBox="0 0 {WIDE:.0f} {TALL:.0f}" role="img" '
        f'aria-label="{told}">'
        f'<line class="zero" x1="{LEFT}" x2="{right:.1f}" y1="{zero:.1f}" y2="{zero:.1f}"/>'
        f'<text class="axis" text-anchor="end" x="{LEFT - 6:.1f}" y="{zero + 4:.1f}">0</text>'
        f'<polyline class="line" points="{points}"/>'
        f'<text x="{end_x + 6:.1f}" y="{end_y + 4:.1f}">{end}</text>{ticks}</svg>'
        f"<figcaption>Cumulated cash after tax by month, in {currency}</figcaption></figure>"
    )
