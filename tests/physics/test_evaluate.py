"""Scores against scikit-learn and a loop in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from synthecon.physics import evaluate

K, C, M = 3, 4, 200
LABELS = torch.randint(C, (K, M), generator=torch.Generator().manual_seed(0))


def logits(seed: int, scale: float = 2.0) -> torch.Tensor:
    return scale * torch.randn(K, C, M, generator=torch.Generator().manual_seed(seed))


def test_accuracy_and_agreement_are_scikit_learns():
    z, v = logits(1), logits(2)
    for labels in (LABELS, LABELS[0]):  # one row a student, or one for all
        rows = labels.expand(K, M)
        expected = [accuracy_score(rows[k], z[k].argmax(0)) for k in range(K)]
        assert evaluate.accuracy(z, labels).tolist() == pytest.approx(expected)
    expected = [accuracy_score(v[k].argmax(0), z[k].argmax(0)) for k in range(K)]
    assert evaluate.agreement(z, v).tolist() == pytest.approx(expected)


def ece(z: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """One student, [C, M]: bin by bin, as Guo et al. (2017) write it."""
    p = np.exp(z - z.max(0))
    p /= p.sum(0)
    confidence, right = p.max(0), p.argmax(0) == labels
    total = 0.0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            total += inside.mean() * gap
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_calibration_error_is_the_loop(bins, scale):
    z = logits(3, scale)
    expected = [ece(z[k].double().numpy(), LABELS[k].numpy(), bins) for k in range(K)]
    assert evaluate.calibration_error(z, LABELS, bins).tolist() == pytest.approx(expected, abs=1e-6)


def test_calibration_error_at_the_edges():
    sure = torch.full((2, 3, 4), -500.0)
    sure[:, 0] = 500.0  # confidence exactly 1, which belongs into the last bin
    labels = torch.tensor([[0, 0, 0, 0], [1, 2, 1, 2]])
    assert evaluate.calibration_error(sure, labels).tolist() == [0.0, 1.0]
    # No opinion: confidence ½, on the edge of two bins, and right half the time.
    even = torch.zeros(1, 2, 4)
    assert evaluate.calibration_error(even, torch.tensor([0, 0, 1, 1]), bins=2).item() == 0
    # The edge is in the lower bin: ½ and wrong, and ¾ and right, are not mixed.
    edge = torch.tensor([[[0.0, 3.0], [0.0, 1.0]]]).log().clamp(min=0)
    found = evaluate.calibration_error(edge, torch.tensor([1, 0]), bins=2)
    assert found.item() == pytest.approx((0.5 + 0.25) / 2)
    # Confidence 0 cannot be: one class would have to be below all others.  A NaN is no confidence.
    assert evaluate.calibration_error(torch.zeros(1, 1, 3), torch.zeros(3).long()).item() == 0


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(1, 30), st.floats(0.05, 10))
def test_calibration_error_lies_between_the_overall_gap_and_one(seed, bins, scale):
    z = logits(seed, scale)
    found = evaluate.calibration_error(z, LABELS, bins)
    gap = (z.softmax(1).amax(1).mean(1) - evaluate.accuracy(z, LABELS)).abs()
    assert (found >= gap - 1e-5).all()
    assert (found <= 1).all()
