import ast
import math
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import synthecon.economics
from synthecon.economics import unit_cost

sane = st.floats(1e-3, 1e6)
shares = st.floats(0.01, 1)


def test_by_hand():
    # A million inferences keep a core busy for 1 h = 3600 s; at half utilisation 2 h are paid.
    assert unit_cost.per_million(3600, 0.10, 0.5) == pytest.approx(0.20, rel=1e-15)
    # 317 µs an image = 317 core-seconds a million = 0.08806 h; × 0.08925 ÷ 0.4.
    assert unit_cost.per_million(317, 0.08925, 0.4) == pytest.approx(0.019647395833, rel=1e-9)
    # As fractions, without floating point on the way.
    exact = Fraction(76) / 3600 * Fraction(4, 100) / Fraction(1, 4)
    assert unit_cost.per_million(76, 0.04, 0.25) == pytest.approx(float(exact), rel=1e-15)


@given(sane, sane, shares)
def test_units(seconds, price, utilisation):
    cost = unit_cost.per_million(seconds, price, utilisation)
    # Seconds written as hours with the price a second is the same money.
    assert seconds * (price / 3600) / utilisation == pytest.approx(cost)
    # Cents for dollars: a hundred times the number.
    assert unit_cost.per_million(seconds, 100 * price, utilisation) == pytest.approx(100 * cost)
    # Half as busy costs twice as much; never less than at full use.
    assert unit_cost.per_million(seconds, price, utilisation / 2) == pytest.approx(2 * cost)
    assert cost >= unit_cost.per_million(seconds, price, 1.0)


def test_nothing_is_free_only_at_zero():
    assert unit_cost.per_million(0, 1, 1) == 0
    assert unit_cost.per_million(1, 0, 1) == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((-1, 1, 0.5), "core_seconds_per_million"),
        ((math.nan, 1, 0.5), "core_seconds_per_million"),
        ((1, -0.1, 0.5), "price_per_core_hour"),
        ((1, math.inf, 0.5), "price_per_core_hour"),
        ((1, 1, 0), "utilisation"),
        ((1, 1, math.nan), "utilisation"),
        ((1, 1, 40), "40 % is 0.4"),
    ],
)
def test_out_of_range(arguments, named):
    with pytest.raises(ValueError, match=named):
        unit_cost.per_million(*arguments)


def test_formulas_need_nothing_but_python():
    """And one another."""
    folder = Path(synthecon.economics.__file__).parent
    ours = ("__init__", "assumption", "formula", "ledger", "unit_cost", "units")
    for name in ours:
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module == "synthecon.economics":
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            for module in modules:
                own = module.removeprefix("synthecon.economics.") in ours
                assert own or module.split(".")[0] in sys.stdlib_module_names, f"{name}: {module}"
