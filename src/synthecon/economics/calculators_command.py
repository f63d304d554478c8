"""`synthecon calculate`: the calculators on the command line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from synthecon import Problem, paths
from synthecon.economics import calculators, calculators_case
from synthecon.economics import calculators_view as view
from synthecon.economics import model as models
from synthecon.economics.calculators import Calculator
from synthecon.economics.model import Model


def main(arguments: Sequence[str]) -> int:
    """Exit code 0; a calculator, field or value that cannot be is a Problem."""
    names = ", ".join(one.id for one in calculators.ALL)
    parser = argparse.ArgumentParser(
        prog="synthecon calculate",
        description="Compute from a company's values, or from your own. Without a name: list.",
        epilog=f"calculators: {names}\n\nexamples:\n"
        "  python -m synthecon calculate\n"
        "  python -m synthecon calculate build-vs-buy\n"
        "  python -m synthecon calculate build-vs-buy volume=8000 rate=0.09\n"
        "  python -m synthecon calculate pivot-j-curve --company case-tannhof --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a calculator (all are listed)")
    parser.add_argument(
        "fields", nargs="*", metavar="FIELD=VALUE", help="your own value in place of the company's"
    )
    parser.add_argument("--company", default="case", metavar="FOLDER", help="case folder (case)")
    parser.add_argument("--json", action="store_true", help="for other programs")
    options = parser.parse_args(arguments)
    if options.name is None:
        print(listing(options.json))
        return 0
    try:
        calculator = calculators.find(options.name)
        given = _given(calculator, options.fields)
    except ValueError as error:
        raise Problem(str(error)) from None
    model = models.load(_folder(options.company))
    fields = {**calculators_case.values(model, calculator, given=given), **given}
    try:
        found = view.answer(calculator, fields, model.currency)
    except ValueError as error:
        raise Problem(str(error)) from None
    print((_json if options.json else _text)(calculator, found, model, given))
    return 0


def listing(as_json: bool = False) -> str:
    """Every calculator with its sentence, or its whole declaration."""
    if not as_json:
        return "\n".join(f"{c.id:<22}{c.about}" for c in calculators.ALL)
    found = {
        c.id: {
            "title": c.title,
            "about": c.about,
            "inputs": [asdict(field) for field in c.inputs],
            "outputs": [asdict(output) for output in c.outputs],
            "break_even": c.even,
        }
        for c in calculators.ALL
    }
    return json.dumps(found, indent=1, ensure_ascii=False)


def _folder(name: str) -> Path:
    """A folder here, or one of the checkout."""
    return Path(name) if Path(name).is_dir() else paths.root() / name


def _given(calculator: Calculator, fields: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    known = [field.id for field in calculator.inputs]
    for text in fields:
        name, sign, value = text.partition("=")
        if not sign:
            raise ValueError(f"{text!r} is no FIELD=VALUE; fields are {', '.join(known)}")
        if name not in known:
            raise ValueError(
                f"{calculator.id} has no field {name!r}; its fields are {', '.join(known)}"
            )
        if name in found:
            raise ValueError(f"{name} is given twice: {found[name]} and {value}; give it once")
        found[name] = value
    return found


def _text(calculator: Calculator, found: view.Answer, model: Model, given: dict[str, str]) -> str:
    """Inputs with their source, then results, then the sentence."""
    lines = [calculator.title, calculator.about, ""]
    for field in calculator.inputs:
        value = f"{view.exact(found.values[field.id])} {view.unit(field.unit, model.currency)}"
        source = "given" if field.id in given else field.source
        lines.append(f"  {field.id:<15}{value:<34}{field.label}  [{source}]")
    lines.append("")
    wide = max(len(output.label) for output in calculator.outputs)
    for output in calculator.outputs:
        mark = "  <- break-even" if output.id == calculator.even else ""
        lines.append(f"  {output.label:<{wide}}  {found.texts[output.id]}{mark}")
    return "\n".join([*lines, "", found.says])


def _json(calculator: Calculator, found: view.Answer, model: Model, given: dict[str, str]) -> str:
    sources = {f.id: "given" if f.id in given else f.source for f in calculator.inputs}
    told = {
        "calculator": calculator.id,
        "company": model.policy.name,
        "currency": model.currency,
        "inputs": dict(found.values),
        "sources": sources,
        "results": asdict(found.result),
        "texts": dict(found.texts),
        "says": found.says,
    }
    return json.dumps(told, indent=1, ensure_ascii=False)
