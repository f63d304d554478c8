"""The cheapest mix of labels and synthetic images for a target accuracy.

Standard library only, so that the same function runs in a notebook, in a test and in a web page.
The accuracies come from measurements; this module only buys.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mix:
    """What to buy, and what it costs in the currency of the prices."""

    labels: int
    synthetic: int
    cost: float


def accuracy_at(counts: Sequence[int], accuracy: Sequence[float], labels: int) -> float:
    """Accuracy with so many labels, read between the measured counts on a log scale.

    Raises:
        ValueError: labels outside the measured counts: nothing is extrapolated.
    """
    if not counts[0] <= labels <= counts[-1]:
        raise ValueError(f"{labels} labels: measured were {counts[0]} to {counts[-1]}")
    measured = zip(counts, accuracy, strict=True)
    for (left, low), (right, high) in itertools.pairwise(measured):
        if labels == right:
            return high
        if labels < right:
            return low + math.log(labels / left) / math.log(right / left) * (high - low)
    return accuracy[0]


def labels_needed(counts: Sequence[int], accuracy: Sequence[float], target: float) -> int | None:
    """The smallest whole number of labels that reaches the target; None where none does.

    Args:
        counts: measured label counts, rising, at least 1.
        accuracy: the accuracy at each, in the target's unit, not falling.

    Raises:
        ValueError: counts or accuracies out of order, or not equally many.
    """
    if len(counts) != len(accuracy) or not counts:
        raise ValueError(f"{len(counts)} label counts and {len(accuracy)} accuracies")
    if counts[0] < 1 or any(b <= a for a, b in itertools.pairwise(counts)):
        raise ValueError(f"label counts must rise from 1 or more, got {list(counts)}")
    if any(b < a for a, b in itertools.pairwise(accuracy)):
        raise ValueError("accuracy falls with more labels: fit a monotone surface first")
    if accuracy[-1] < target:
        return None
    low, high = counts[0], counts[-1]
    while low < high:  # the interpolated accuracy does not fall, so bisection is exact
        middle = (low + high) // 2
        if accuracy_at(counts, accuracy, middle) >= target:
            high = middle
        else:
            low = middle + 1
    return low


def cheapest(
    counts: Sequence[int],
    synthetics: Sequence[int],
    accuracy: Sequence[Sequence[float]],
    target: float,
    *,
    label_price: float,
    sample_price: float,
    fixed: float = 0.0,
) -> Mix | None:
    """The cheapest mix that reaches the target; None where no measured mix does.

        labels × label price + synthetic × sample price + (fixed, if any synthetic is bought)

    Synthetic images are bought in the measured counts; labels one by one.  So the search is exact:
    one number of labels for each count, and the smallest bill of those.  Equal bills go to the mix
    with fewer synthetic images.

    Args:
        counts: measured label counts, rising.
        synthetics: measured synthetic counts, rising from 0.
        accuracy: a row a label count, a column a synthetic count, not falling down a column.
        target: in the unit of `accuracy`.
        label_price, sample_price: money each, not negative.
        fixed: money once, for having a generator at all.

    Raises:
        ValueError: a negative or infinite price, or a table that does not fit the counts.
    """
    for name, price in (
        ("label_price", label_price), ("sample_price", sample_price), ("fixed", fixed),
    ):  # fmt: skip
        if not (math.isfinite(price) and price >= 0):
            raise ValueError(f"{name} must be finite and not negative, got {price}")
    if len(accuracy) != len(counts) or any(len(row) != len(synthetics) for row in accuracy):
        raise ValueError(f"the table is not {len(counts)} × {len(synthetics)}")
    best = None
    for column, synthetic in enumerate(synthetics):
        labels = labels_needed(counts, [row[column] for row in accuracy], target)
        if labels is None:
            continue
        cost = labels * label_price + synthetic * sample_price + (fixed if synthetic else 0.0)
        if best is None or cost < best.cost:
            best = Mix(labels, synthetic, cost)
    return best


def break_even_price(saved: int, synthetic: int, sample_price: float, fixed: float) -> float:
    """The price of a label above which a generator pays; infinite where it saves no label.

    (fixed + synthetic × sample price) ÷ labels saved
    """
    if saved <= 0:
        return math.inf
    return (fixed + synthetic * sample_price) / saved


def sample_price(seconds_per_thousand: float, price_per_core_hour: float) -> float:
    """Money for one synthetic image: measured core-seconds for a thousand, fit and sampling
    together, at the price of a core-hour.  A batch job pays for the hours it uses.

    Raises:
        ValueError: an argument that is negative or not finite.
    """
    for name, value in (
        ("seconds_per_thousand", seconds_per_thousand),
        ("price_per_core_hour", price_per_core_hour),
    ):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be finite and not negative, got {value}")
    return seconds_per_thousand / 1000 / 3600 * price_per_core_hour
