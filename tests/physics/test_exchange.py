"""The grid of real × synthetic counts, and the curves that are read from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.isotonic import IsotonicRegression

from synthecon import stats
from synthecon.physics import exchange, generate
from synthecon.physics.data import Dataset
from synthecon.physics.exchange import Cell
from synthecon.physics.train import Recipe

numbers = st.floats(-50, 50, width=32)
surfaces = arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=numbers)


@given(st.lists(numbers, min_size=1, max_size=15))
def test_pooling_is_scikit_learns_isotonic_regression(y):
    expected = IsotonicRegression().fit_transform(np.arange(len(y)), y)
    np.testing.assert_allclose(exchange.pool_adjacent(y), expected, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(surfaces, st.integers(0, 10_000))
def test_the_surface_is_the_nearest_one_that_never_falls(surface, seed):
    """Px is the projection onto a convex cone K exactly when (x - Px)·(k - Px) <= 0 on K."""
    fitted = exchange.monotone(surface)
    assert (np.diff(fitted, axis=0) >= 0).all() and (np.diff(fitted, axis=1) >= 0).all()
    random = np.random.default_rng(seed)
    for _ in range(20):
        steps = random.exponential(size=surface.shape) * (random.random(surface.shape) < 0.5)
        other = 100 * random.normal() + random.exponential(30) * steps.cumsum(0).cumsum(1)
        assert ((surface - fitted) * (other - fitted)).sum() <= 1e-5
    assert ((surface - fitted) * fitted).sum() == pytest.approx(0, abs=1e-5)


def test_a_surface_that_never_falls_stays():
    surface = np.add.outer([1.0, 2, 5], [0.0, 0, 3])
    np.testing.assert_array_equal(exchange.monotone(surface), surface)


COUNTS = [10, 20, 50, 100]


@given(st.floats(0, 1), st.lists(st.floats(0.01, 5), min_size=4, max_size=4))
def test_labels_for_inverts_the_interpolation(share, steps):
    accuracy = np.cumsum(steps)
    target = float(accuracy[0] + share * (accuracy[-1] - accuracy[0]))
    labels = exchange.labels_for(COUNTS, accuracy, min(target, accuracy[-1]))
    assert np.interp(np.log(labels), np.log(COUNTS), accuracy) == pytest.approx(target)


def test_labels_at_the_ends_and_on_flats():
    fewest = exchange.labels_for(COUNTS, np.array([1, 2, 2, 3.0]), 2)
    assert fewest == pytest.approx(20), "as few as will do"
    assert exchange.labels_for(COUNTS, np.array([1, 2, 2, 3.0]), 0.5) == 10
    assert np.isnan(exchange.labels_for(COUNTS, np.array([1, 2, 2, 3.0]), 3.1))
    with pytest.raises(ValueError, match="must not fall"):
        exchange.labels_for(COUNTS, np.array([1, 2, 1.9, 3]), 2)


def test_curves_and_their_slope_by_hand():
    """Accuracy = log(labels) + gain(s): a synthetic count divides the labels by exp(gain)."""
    gain, synthetics = np.array([0.0, 0.4, 0.6]), [0, 100, 300]
    counts = [10, 20, 50, 100]
    table = np.add.outer(np.log(counts), gain)
    curves = exchange.curves(counts, table)
    np.testing.assert_allclose(curves[3], 100 * np.exp(-gain))
    np.testing.assert_allclose(curves[0], 10)  # there is no smaller count to fall to
    rates = exchange.substitution(curves, synthetics)
    assert rates.shape == (4, 2)
    assert rates[3, 0] == pytest.approx(100 * (1 - np.exp(-0.4)) / 100)
    assert rates[3, 1] == pytest.approx(100 * (np.exp(-0.4) - np.exp(-0.6)) / 200)


def test_synthetic_images_that_hurt_are_thrown_away():
    table = np.array([[50.0, 40], [60, 55], [70, 66]])
    curves = exchange.curves([10, 20, 40], table)
    assert (exchange.substitution(curves, [0, 10]) >= 0).all()
    np.testing.assert_allclose(curves[:, 1], [10, 20, 40])


def test_pseudo_values():
    random = np.random.default_rng(0)
    tables = random.normal(size=(9, 2, 3))
    linear = exchange.jackknife(tables, lambda mean: 3 * mean + 1)
    np.testing.assert_allclose(linear, 3 * tables + 1)
    square = exchange.jackknife(tables, lambda mean: mean**2)
    np.testing.assert_allclose(square.mean(0), tables.mean(0) ** 2)
    for i, j in ((0, 0), (1, 2)):  # the spread is that of the jackknife of one number
        one = stats.jackknife(lambda x: float(x.mean() ** 2), tables[:, i, j])
        ours = stats.paired(square[:, i, j])
        assert (ours.value, ours.low, ours.high) == pytest.approx((one.value, one.low, one.high))
    with pytest.raises(ValueError, match="two splits"):
        exchange.jackknife(tables[:1], np.mean)


# ---- the grid itself, on a data set of two classes


def toy(rows: int = 120) -> Dataset:
    labels = torch.arange(rows) % 2
    noise = 0.35 * torch.randn(rows, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    images = (0.5 + 0.12 * (2 * labels - 1).view(-1, 1, 1, 1) + noise).clamp(0, 1)
    return Dataset("toy", images, labels, None, ("dark", "bright"), "made up", "0" * 64)


CELLS = (
    Cell(6),
    Cell(80),
    Cell(6, 20, "gaussians"),
    Cell(6, 40, "gaussians"),
    Cell(80, 40, "gaussians"),
)


def run(cells=CELLS, seeds=(1, 2), **other):
    recipe = Recipe(steps=15, batch=8, lr=0.02)
    return exchange.run(toy(), seeds, cells, "mlp-4", recipe, pool=80, **other)


def test_a_cell_does_not_depend_on_its_neighbours():
    whole = run(draws=2)
    assert whole.accuracy.shape == (2, 5) and whole.test == 40 and whole.students == 20
    few = (CELLS[0], CELLS[2], CELLS[3])
    alone = run(cells=few, seeds=(2,), draws=2)
    for cell in few:
        assert whole.column(cell)[1] == pytest.approx(alone.column(cell)[0], abs=1e-6)
    assert len(set(whole.accuracy.flatten().tolist())) > 3


def test_a_score_is_the_mean_over_its_draws():
    once, twice = run(cells=CELLS[:2]), run(cells=CELLS[:2], draws=2)
    one_more = run(cells=CELLS[:2], seeds=(1 + 7919,))  # its split differs, its draw does not
    assert once.students == 4 and twice.students == 8
    assert not np.allclose(once.accuracy, twice.accuracy)
    steps = twice.accuracy * 2 * 40
    np.testing.assert_allclose(steps, steps.round(), atol=1e-4)
    assert one_more.accuracy.shape == (1, 2)


def test_a_generator_sees_what_was_bought_with_it_and_nothing_else(monkeypatch):
    data, seen, honest = toy(), [], generate.fit

    def spy(name, images, labels, seed, **options):
        seen.append((images, labels, seed))
        return honest(name, images, labels, seed, **options)

    monkeypatch.setattr(generate, "fit", spy)
    run(cells=(*CELLS, Cell(6, 20, "gaussians", borrowed=True)), seeds=(1,))
    (few, few_labels, _), (pool, _, _) = seen
    assert len(few) == 6 and few_labels.bincount().tolist() == [3, 3]
    assert len(pool) == 80
    rows = [int((data.images == x).flatten(1).all(1).nonzero()) for x in pool]
    assert len(set(rows)) == 80
    inside = [any(torch.equal(x, p) for p in pool) for x in few]
    assert all(inside), "and what was bought came from the pool, never from the test images"


def test_the_table_begins_with_labels_alone():
    scores = run()
    with pytest.raises(ValueError):
        scores.table([6, 80], [0, 20], "gaussians")  # (80, 20) was not run
    table = scores.table([6], [0, 20, 40], "gaussians")
    np.testing.assert_array_equal(table[:, 0, 0], scores.column(Cell(6)))
    np.testing.assert_array_equal(table[:, 0, 2], scores.column(CELLS[3]))


def test_seconds_and_counts():
    scores = run(draws=3)
    assert scores.made == {"gaussians": 2 * 3 * 80} and scores.fits == {"gaussians": 12}
    assert scores.train_seconds > 0 and scores.sample_seconds["gaussians"] > 0


def test_what_cannot_be_bought():
    for real in (7, 82):
        with pytest.raises(ValueError, match="real images"):
            run(cells=(Cell(real),))
    with pytest.raises(ValueError, match="need a generator"):
        Cell(6, 20)
    with pytest.raises(ValueError, match="need a generator"):
        Cell(6, 0, "warps")
