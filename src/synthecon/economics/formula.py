"""Arithmetic over ledger rows: "(1 - 1 / measured.serving-ratio) * transfer.distil-inference".

A formula is read once and then used three ways: for a value, for its unit, and as a spreadsheet's
formula.  Ids may contain hyphens, so a minus sign stands between blanks.  Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from synthecon.economics import units

ID = r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*"
_TOKEN = re.compile(rf"\s*(?:(\d+(?:\.\d+)?)|({ID})|(.))")
FUNCTIONS = ("min", "max", "compound")
LONGEST = 150  # words of a formula; each bracket costs the reader a few calls of its stack


class FormulaError(ValueError):
    """A formula that cannot be read, or whose units do not fit."""


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Name:
    id: str


@dataclass(frozen=True)
class Call:
    """An operator (+ - * /) or one of FUNCTIONS, with its two arguments."""

    what: str
    left: Formula
    right: Formula


Formula = Number | Name | Call


def parse(text: str) -> Formula:
    """The formula in a text: numbers, ids, + - * / ( ), min(a, b), max(a, b), compound(a, b).

    compound(a, b) is (1 + a)(1 + b) − 1: two yearly rates that act on the same amount.

    Raises:
        FormulaError: names the place.
    """
    tokens = [t for t in _TOKEN.findall(text.strip()) if any(t)]
    if len(tokens) > LONGEST:
        raise FormulaError(f"{text[:40]!r}…: longer than {LONGEST} words; split it over rows")
    reader = _Reader(text, [next(part for part in t if part) for t in tokens])
    found = reader.sum()
    if reader.rest:
        raise FormulaError(f"{text!r}: cannot read on from {reader.rest[0]!r}")
    return found


class _Reader:
    """Recursive descent: a sum of products of atoms."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self.text, self.rest = text, tokens

    def take(self, *wanted: str) -> str | None:
        return self.rest.pop(0) if self.rest and self.rest[0] in wanted else None

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            place = f"before {self.rest[0]!r}" if self.rest else "at the end"
            raise FormulaError(f"{self.text!r}: {wanted!r} is missing {place}")

    def sum(self) -> Formula:
        found = self.product()
        while sign := self.take("+", "-"):
            found = Call(sign, found, self.product())
        return found

    def product(self) -> Formula:
        found = self.atom()
        while sign := self.take("*", "/"):
            found = Call(sign, found, self.atom())
        return found

    def atom(self) -> Formula:
        if not self.rest:
            raise FormulaError(f"{self.text!r}: ends where a number or an id should stand")
        token = self.rest.pop(0)
        if token == "(":
            inside = self.sum()
            self.need(")")
            return inside
        if token[0].isdigit():
            return Number(float(token))
        if token in FUNCTIONS and self.rest[:1] == ["("]:
            self.need("(")
            left = self.sum()
            self.need(",")
            right = self.sum()
            self.need(")")
            return Call(token, left, right)
        if re.fullmatch(ID, token) and self.rest[:1] == ["("]:
            known = ", ".join(FUNCTIONS)
            raise FormulaError(f"{self.text!r}: no function {token!r}; there are {known}")
        if re.fullmatch(ID, token):
            return Name(token)
        hint = "; write 0 - x for the negative of x" if token == "-" else ""
        raise FormulaError(f"{self.text!r}: cannot read {token!r}{hint}")


def names(formula: Formula) -> Iterator[str]:
    """The ids in it, from left to right."""
    if isinstance(formula, Name):
        yield formula.id
    elif isinstance(formula, Call):
        yield from names(formula.left)
        yield from names(formula.right)


def evaluate(formula: Formula, values: Mapping[str, Any]) -> Any:
    """Its value; works on numbers and, elementwise, on arrays."""
    if isinstance(formula, Number):
        return formula.value
    if isinstance(formula, Name):
        return values[formula.id]
    a, b = evaluate(formula.left, values), evaluate(formula.right, values)
    return _ARITHMETIC[formula.what](a, b)


_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    # exact, and arrays have comparisons too
    "min": lambda a, b: a * (a <= b) + b * (a > b),
    "max": lambda a, b: a * (a >= b) + b * (a < b),
    "compound": lambda a, b: (1 + a) * (1 + b) - 1,
}


def unit(formula: Formula, known: Mapping[str, units.Unit]) -> units.Unit:
    """The unit of its value.

    Raises:
        FormulaError: a sum, min, max or compound of different units; compound of what is no rate;
            an id without a unit.
    """
    if isinstance(formula, Number):
        return {}
    if isinstance(formula, Name):
        if formula.id not in known:
            raise FormulaError(f"there is no row {formula.id!r}")
        return known[formula.id]
    left, right = unit(formula.left, known), unit(formula.right, known)
    if formula.what in "*/":
        return units.product([(left, 1), (right, 1 if formula.what == "*" else -1)])
    if left != right:
        raise FormulaError(
            f"{units.show(left)} and {units.show(right)} do not go together in "
            f"{formula.what!r}"
        )  # fmt: skip
    if formula.what == "compound" and left not in ({}, {"year": -1}):
        raise FormulaError(f"compound takes rates (1/year or shares), not {units.show(left)}")
    return left


def spell(formula: Formula, name: Callable[[str], str]) -> str:
    """As a spreadsheet writes it; `name` turns an id into the name of a cell."""
    if isinstance(formula, Number):
        return f"{formula.value:.15g}"
    if isinstance(formula, Name):
        return name(formula.id)
    left, right = spell(formula.left, name), spell(formula.right, name)
    if formula.what in ("min", "max"):
        return f"{formula.what.upper()}({left},{right})"
    if formula.what == "compound":
        return f"((1+{left})*(1+{right})-1)"
    return f"({left}{formula.what}{right})"
