"""The interval over splits and images: against the analysis of variance, and by its coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from synthecon.vault.crossed import crossed


def table(draws: np.random.Generator, splits: int, images: int, sizes: tuple) -> np.ndarray:
    by_split, by_image, rest = sizes
    return (
        by_split * draws.normal(size=(splits, 1))
        + by_image * draws.normal(size=(1, images))
        + rest * draws.normal(size=(splits, images))
    )


def test_it_is_the_analysis_of_variance():
    x = table(np.random.default_rng(1), 7, 31, (1.0, 2.0, 3.0)) + 4
    n, m = x.shape
    between_splits = m * ((x.mean(1) - x.mean()) ** 2).sum() / (n - 1)
    between_images = n * ((x.mean(0) - x.mean()) ** 2).sum() / (m - 1)
    error = math.sqrt((between_splits + between_images) / (n * m))
    low, high = scipy_stats.t.interval(0.9, n - 1, loc=x.mean(), scale=error)
    i = crossed(x, 0.9)
    assert (i.value, i.low, i.high) == pytest.approx((x.mean(), low, high))
    assert (i.level, i.n) == (0.9, 7)


@pytest.mark.parametrize("sizes", [(1, 0, 1), (0, 4, 1), (1, 4, 2), (0, 0, 1)])
def test_it_holds_the_truth_as_often_as_it_says(sizes: tuple):
    draws = np.random.default_rng(2)
    found = [crossed(table(draws, 16, 120, sizes)) for _ in range(600)]
    held = np.mean([i.low <= 0 <= i.high for i in found])
    assert held > 0.925  # two standard errors of 600 below 0.95: it may be wide, never narrow


def test_the_ordinary_interval_does_not():
    """What it is for: test images that all splits share, and an interval that forgets them."""
    draws = np.random.default_rng(3)
    some = [table(draws, 16, 120, (0.1, 4, 1)).mean(1) for _ in range(300)]
    held = [scipy_stats.ttest_1samp(x, 0).pvalue > 0.05 for x in some]
    assert np.mean(held) < 0.5


@pytest.mark.parametrize(
    ("values", "level", "words"),
    [
        (np.zeros(4), 0.95, "two splits"),
        (np.zeros((1, 4)), 0.95, "two splits"),
        (np.zeros((4, 1)), 0.95, "two images"),
        (np.full((3, 3), np.nan), 0.95, "not finite"),
        (np.zeros((3, 3)), 1.0, "level"),
    ],
)
def test_what_is_no_table_is_refused(values: np.ndarray, level: float, words: str):
    with pytest.raises(ValueError, match=words):
        crossed(values, level)
