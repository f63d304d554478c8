"""Facts of the calculators: each answer and break-even at the company's base values.

`add` puts them beside the others; a case that lacks a row of a calculator does without that one.
"""

from __future__ import annotations

from synthecon import Problem
from synthecon.economics import calculators, calculators_case
from synthecon.economics import calculators_view as view
from synthecon.economics.calculators import Calculator, Output
from synthecon.strategy.printable import Collector, money

PREFIX = "calculator"


def add(book: Collector) -> None:
    """The answer and the break-even of each calculator, with what its fields rest on."""
    for one in calculators.ALL:
        try:
            found = calculators_case.at_base(book.model, one)
        except Problem:
            continue
        evidence = sources(one)
        for place, name in (("answer", one.key), ("even", one.even)):
            output = calculators.output(one, name)
            value = getattr(found.result, name)
            unit = view.unit(output.unit, book.model.currency)
            large = output.form == "money" and value is not None and abs(value) >= 1000
            text = money(value, unit) if large else found.texts[name]
            title = f"{one.title}: {output.label.lower()}"
            book.put(f"{PREFIX}.{one.id}.{place}", title, value, unit, text, evidence)


def sources(one: Calculator) -> list[str]:
    """Ids behind its fields, the service levels as their file."""
    return list(dict.fromkeys(f.source.partition("#")[0] if f.source.startswith("sla.csv")
                              else f.source for f in one.inputs))  # fmt: skip


def outputs(one: Calculator) -> tuple[Output, Output]:
    """What the answer and the break-even are."""
    return calculators.output(one, one.key), calculators.output(one, one.even)
