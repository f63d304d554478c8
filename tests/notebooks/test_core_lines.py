"""A concept's core lines stand in the notebook that teaches it; the package holds the same idea."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from synthecon import notebooks
from synthecon.economics import classify, unit_cost
from synthecon.physics import losses


def taught(name: str, function: str) -> Callable:
    """The function as the notebook defines it."""
    cells = notebooks.code(notebooks.read(notebooks.path(name)))
    (cell,) = [c for c in cells if f"def {function}(" in c]
    definition = cell[cell.index(f"def {function}(") :].split("\n\n\n")[0]
    namespace = {"Decimal": Decimal, "F": F, "math": math, "np": np, "torch": torch}
    exec(definition, namespace)
    return namespace[function]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 8.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_loss_of_the_notebook_is_the_loss_of_the_package(temperature, alpha):
    generator = torch.Generator().manual_seed(3)
    z, t = (4 * torch.randn(32, 10, generator=generator) for _ in range(2))
    y = torch.randint(10, (32,), generator=generator)
    simple = taught("lesson-1-physics/distillation", "distillation_loss")
    stacked = losses.distillation(
        z.T[None], t.T[None], F.one_hot(y, 10).float().T[None], temperature, alpha
    )
    torch.testing.assert_close(stacked[0], simple(z, t, y, temperature, alpha))


@settings(max_examples=30)
@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(0.01, 1))
def test_the_price_of_the_notebook_is_the_price_of_the_package(seconds, price, utilisation):
    simple = taught("lesson-1-physics/serving-cost", "price_per_million")
    expected = unit_cost.per_million(seconds, price, utilisation)
    assert simple(seconds, price, utilisation) == pytest.approx(expected)


AUDIT = "lesson-1-physics/cogs-audit"
SCHEMA = pa.schema([(name, pa.string()) for name in classify.FIELDS])


@given(st.decimals(0, 10**6, places=2), st.lists(st.integers(1, 999), min_size=1, max_size=5))
def test_the_dealing_out_of_the_notebook_is_that_of_the_package(amount, weights):
    shares = {str(i): Decimal(w) for i, w in enumerate(weights)}
    simple = taught(AUDIT, "deal_out")(amount, shares)
    exact = classify.allocate(amount, shares)
    assert sum(simple.values()) == sum(exact.values()) == amount
    assert all(abs(simple[k] - exact[k]) <= Decimal("0.02") for k in shares)


def test_the_first_match_of_the_notebook_is_that_of_the_package():
    lines = [dict.fromkeys(classify.FIELDS) | x for x in ({"env": "a"}, {"app": "b"}, {"env": "b"})]
    rules = [({"env": "a"}, "one"), ({"app": "b"}, "two"), ({"env": "a", "app": "b"}, "three")]
    own = [
        classify.Rule(name, classify.parse(text), name, "COGS", "")
        for when, name in rules
        for text in [" and ".join(f"{k} = {v}" for k, v in when.items())]
    ]
    placed = classify.classify(pa.Table.from_pylist(lines).cast(SCHEMA), own)["class"].to_pylist()
    assert placed == [taught(AUDIT, "first_match")(line, rules) for line in lines]
