"""Units and formulas, against Python's own arithmetic and a second way to work out a unit."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from synthecon.economics import formula, units

WORDS = ("USD", "hour", "label", "core", "GB")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("USD/vCPU-hour", "USD/hour/vCPU"),
        ("labels/month", "label/month"),
        ("GPUs", "GPU"),
        ("USD*hours/hour", "USD"),
        ("hour/hour", "share"),
        ("share", "1"),
    ],
)
def test_units_are_what_they_say(text, same):
    assert units.parse(text) == units.parse(same)


@pytest.mark.parametrize(
    "text", ["USD per (hour)", "$", "€/hour", "USD/", "/hour", "USD//hour", "a-", "h^2", "a-- b"]
)
def test_what_is_no_unit(text):
    with pytest.raises(units.UnitError, match="is no unit: write words joined by"):
        units.parse(text)


def test_hours_are_not_years_and_products_cancel():
    assert units.parse("USD/hour") != units.parse("USD/year")
    product = units.product([(units.parse("USD/core-hour"), 1), (units.parse("core-hour"), 1)])
    assert product == {"USD": 1}
    assert units.product([({"USD": 1}, 2), ({"USD": 2}, -1)]) == {}


unit_of = st.dictionaries(st.sampled_from(WORDS), st.sampled_from([-1, 1]))


@given(unit_of)
def test_a_unit_is_shown_as_it_is_read(unit):
    assert units.parse(units.show(unit)) == unit


# Formulas as text, with Python's own syntax for the oracle: compound becomes a function, and an id
# a name without dots and hyphens.
IDS = ("a", "price.cpu-hour", "x1.y2-3z", "min", "compound-2")
values_of = st.fixed_dictionaries({name: st.integers(-20, 20) for name in IDS})


def _operate(parts):
    left, sign, right, blank = parts
    blank = " " if sign == "-" else blank
    return f"({left}{blank}{sign}{blank}{right})"


def _expressions(inner):
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner, st.sampled_from(["", " "])).map(_operate),
        st.tuples(inner, st.sampled_from("+-*/"), inner, st.just(" ")).map(" ".join),
        st.tuples(st.sampled_from(formula.FUNCTIONS), inner, inner).map(
            lambda p: f"{p[0]}({p[1]}, {p[2]})"
        ),
    ).map(lambda text: text.replace("   ", " "))


texts = st.recursive(
    st.one_of(st.sampled_from(IDS), st.integers(0, 9).map(str), st.just("2.5"), st.just("0.125")),
    _expressions,
    max_leaves=12,
)


chains = st.lists(
    st.tuples(st.sampled_from("+-*/"), st.sampled_from([*IDS, "3"])), min_size=1, max_size=9
).map(lambda pairs: " ".join([IDS[0], *(f"{sign} {name}" for sign, name in pairs)]))

PYTHON = {
    "MIN": min,
    "MAX": max,
    "min_": min,
    "max_": max,
    "compound_": lambda a, b: a + b + a * b,
}


def in_python(text: str, values) -> Fraction:
    """The formula by Python's own parser, with exact fractions."""
    text = re.sub(r"(min|max|compound)\(", r"\1_(", text)
    for number, name in sorted(enumerate(IDS), key=lambda pair: -len(pair[1])):
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", f"v{number}", text)
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)", r"Fraction('\1')", text)
    names = {f"v{n}": Fraction(values[name]) for n, name in enumerate(IDS)}
    return eval(text, {"__builtins__": {}, "Fraction": Fraction, **PYTHON}, names)


def exact(tree):
    """The formula with fractions in place of binary numbers."""
    if isinstance(tree, formula.Number):
        return formula.Number(Fraction(tree.value))
    if isinstance(tree, formula.Name):
        return tree
    return formula.Call(tree.what, exact(tree.left), exact(tree.right))


@settings(max_examples=300)
@given(st.one_of(texts, chains), values_of)
def test_the_value_is_pythons(text, values):
    parsed = formula.parse(text)
    try:
        expected = in_python(text, values)
    except ZeroDivisionError:
        assume(False)
    fractions = {k: Fraction(v) for k, v in values.items()}
    assert formula.evaluate(exact(parsed), fractions) == expected


@settings(max_examples=100)
@given(st.one_of(texts, chains), st.lists(values_of, min_size=1, max_size=4))
def test_arrays_are_their_elements(text, each):
    parsed = formula.parse(text)
    arrays = {k: np.array([float(v[k]) for v in each]) for k in IDS}
    try:
        with np.errstate(all="ignore"):
            together = np.broadcast_to(formula.evaluate(parsed, arrays), len(each))
    except ZeroDivisionError:  # 2.5/0, with no array in it
        return
    for found, values in zip(together, each, strict=True):
        try:
            alone = formula.evaluate(parsed, {k: float(v) for k, v in values.items()})
        except ZeroDivisionError:
            continue
        assert found == pytest.approx(alone, rel=1e-12)


@settings(max_examples=100)
@given(st.one_of(texts, chains), values_of)
def test_the_spelling_means_the_same(text, values):
    """A spreadsheet's operators and MIN, MAX are Python's too."""
    parsed = formula.parse(text)
    spelt = formula.spell(parsed, lambda name: f"v{IDS.index(name)}")
    names = {f"v{n}": float(values[name]) for n, name in enumerate(IDS)}
    try:
        expected = formula.evaluate(parsed, {k: float(v) for k, v in values.items()})
    except ZeroDivisionError:
        with pytest.raises(ZeroDivisionError):
            eval(spelt, dict(PYTHON), names)
        return
    assert eval(spelt, dict(PYTHON), names) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def by_logarithms(tree, known):
    """The unit in a second way: each word a number, so that a product of units is a sum of vectors;
    None where it has none."""
    if isinstance(tree, formula.Number):
        return np.zeros(len(WORDS))
    if isinstance(tree, formula.Name):
        return np.array([known[tree.id].get(word, 0) for word in WORDS], float)
    left, right = by_logarithms(tree.left, known), by_logarithms(tree.right, known)
    if left is None or right is None:
        return None
    if tree.what in ("*", "/"):
        return left + right if tree.what == "*" else left - right
    if tree.what == "compound" and np.any(left):
        return None
    return left if np.array_equal(left, right) else None


@settings(max_examples=300)
@given(st.one_of(texts, chains), st.fixed_dictionaries({name: unit_of for name in IDS}))
def test_the_unit_is_that_of_a_second_way(text, known):
    parsed = formula.parse(text)
    expected = by_logarithms(parsed, known)
    if expected is None:
        with pytest.raises(formula.FormulaError, match=r"do not go together|compound takes"):
            formula.unit(parsed, known)
        return
    found = formula.unit(parsed, known)
    assert [found.get(word, 0) for word in WORDS] == expected.tolist()
    assert set(found) <= set(WORDS)


def test_two_yearly_rates_that_act_on_one_amount():
    parsed = formula.parse("compound(a, b)")
    assert formula.evaluate(parsed, {"a": 0.1, "b": -0.05}) == pytest.approx(1.1 * 0.95 - 1)
    rate = units.parse("1/year")
    assert formula.unit(parsed, {"a": rate, "b": rate}) == rate


def test_minimum_and_maximum_are_exact_at_any_size():
    for a, b in ((1e17, 0.1), (0.1, 1e17), (-1e17, 0.1), (3.0, 3.0)):
        values = {"a": a, "b": b}
        assert formula.evaluate(formula.parse("min(a, b)"), values) == min(a, b)
        assert formula.evaluate(formula.parse("max(a, b)"), values) == max(a, b)


def test_a_hyphen_belongs_to_the_id_and_a_minus_stands_alone():
    assert list(formula.names(formula.parse("a-b - c"))) == ["a-b", "c"]
    assert formula.evaluate(formula.parse("9 - 3 - 2"), {}) == 4
    assert formula.evaluate(formula.parse("8 / 4 / 2"), {}) == 1
    assert formula.evaluate(formula.parse("2 + 3 * 4 - 6 / 3"), {}) == 12


def test_the_longest_formula_can_be_computed():
    chain = formula.parse(" + ".join(["1"] * (formula.LONGEST // 2)))
    assert formula.evaluate(chain, {}) == formula.LONGEST // 2
    deep = (formula.LONGEST - 1) // 2
    assert formula.evaluate(formula.parse("(" * deep + "1" + ")" * deep), {}) == 1
    assert math.isclose(float(formula.spell(formula.parse("0.1"), str)), 0.1)
