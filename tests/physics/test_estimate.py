"""Accuracy without labels, against brute force and scikit-learn; and the ways in which it fails."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from synthecon.physics import estimate


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def world(count: int, shares: list[float], seed: int = 0):
    """Softmax outputs and labels of a model that is right most of the time."""
    labels = torch.multinomial(
        torch.tensor(shares).float(), count, replacement=True, generator=rng(seed)
    )
    noise = torch.randn(count, len(shares), generator=rng(seed + 1))
    logits = 2.5 * torch.nn.functional.one_hot(labels, len(shares)) + noise
    return logits.softmax(1), labels


@pytest.mark.parametrize("soft", [True, False])
def test_confusion_by_brute_force(soft):
    p, y = world(50, [1, 1, 1])
    answers = p if soft else estimate.hard(p).double()
    found = estimate.confusion(answers, y)
    for i in range(3):
        for j in range(3):
            rows = [answers[k, i].item() if y[k] == j else 0.0 for k in range(50)]
            assert found[i, j].item() == pytest.approx(sum(rows) / 50, abs=1e-6)


@pytest.mark.parametrize("soft", [True, False])
def test_weights_are_exact_when_the_target_is_the_source_reweighted(soft):
    p, y = world(300, [1, 1, 1])
    repeats = torch.tensor([1, 2, 3])[y]
    rows = torch.arange(300).repeat_interleave(repeats)
    kind = (lambda x: x) if soft else (lambda x: estimate.hard(x).double())
    found = estimate.label_weights(estimate.confusion(kind(p), y), kind(p[rows])[None])[0]
    share, new = y.bincount() / 300, y[rows].bincount() / len(rows)
    torch.testing.assert_close(found, (new / share).double(), rtol=1e-5, atol=1e-6)


def test_weights_find_a_label_shift_and_their_shares_sum_to_one():
    p, y = world(4000, [1, 1, 1])
    q, _ = world(4000, [0.2, 0.6, 2.2], seed=9)
    matrix = estimate.confusion(p, y)
    found = estimate.label_weights(matrix, q.view(2, 2000, 3))
    torch.testing.assert_close(
        found @ matrix.sum(0), torch.ones(2, dtype=torch.float64), rtol=1e-9, atol=1e-9
    )
    expected = torch.tensor([0.2, 0.6, 2.2], dtype=torch.float64)
    assert (found - expected).abs().max() < 0.15
    assert (estimate.label_weights(matrix, q[:3, [2, 2, 2]][None] * 0 + 1 / 3) >= 0).all()


def test_a_class_without_validation_rows_is_refused():
    p, y = world(60, [1, 1, 1])
    with pytest.raises(ValueError, match="singular"):
        estimate.label_weights(estimate.confusion(p, y.clamp(max=1)), p[None])


def test_corrected_outputs_follow_bayes():
    p, _ = world(5, [1, 1])
    weights = torch.tensor([[0.5, 2.0]])
    found = estimate.corrected(p[None], weights)[0]
    for a, b in zip(p.tolist(), found.tolist(), strict=True):
        assert b[1] / b[0] == pytest.approx(4 * a[1] / a[0], rel=1e-4)
        assert sum(b) == pytest.approx(1)


def test_weighted_accuracy_is_that_of_repeated_rows():
    correct = torch.tensor([True, False, True, True])
    labels = torch.tensor([0, 0, 1, 1])
    found = estimate.weighted_accuracy(correct, labels, torch.tensor([[1.0, 3.0], [1.0, 1.0]]))
    assert found.tolist() == pytest.approx([(1 + 3 + 3) / 8, 3 / 4])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=40))
def test_calibrator_is_scikit_learns_isotonic_regression(rows):
    x = np.array([r[0] for r in rows]) / 10
    y = np.array([r[1] for r in rows])
    points = estimate.calibrator(torch.from_numpy(x), torch.from_numpy(y))
    model = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    grid = torch.linspace(0, 1, 23, dtype=torch.float64)
    np.testing.assert_allclose(estimate.apply(points, grid), model.predict(grid), atol=1e-12)
    assert (points[1].diff() >= 0).all()
    # On its own rows, the mean of the calibrated confidence is the accuracy.
    own = estimate.cbpe(points, torch.from_numpy(x)[None])
    assert own.item() == pytest.approx(y.mean())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 99))
def test_atc_on_its_own_validation_rows_is_the_accuracy(correct, seed):
    score = torch.rand(len(correct), generator=rng(seed), dtype=torch.float64)
    right = torch.tensor(correct)
    found = estimate.atc(score, right, score[None]).item()
    assert found == pytest.approx(right.double().mean().item())


def test_atc_by_hand_and_at_its_ends():
    score = torch.tensor([0.5, 0.6, 0.7, 0.8, 0.9])
    target = torch.tensor([[0.4, 0.65, 0.7, 0.95], [0.1, 0.2, 0.3, 0.4]])
    two_wrong = torch.tensor([True, False, True, False, True])
    assert estimate.atc(score, two_wrong, target).tolist() == [0.5, 0.0]
    perfect = torch.ones(5, dtype=torch.bool)
    assert estimate.atc(score, perfect, target).tolist() == [0.75, 0.0]
    assert estimate.atc(score, ~perfect, target).tolist() == [0.0, 0.0]


def test_average_confidence_reads_each_sample():
    confidence = torch.tensor([[0.5, 0.7], [0.9, 1.0]])
    assert estimate.average_confidence(confidence).tolist() == pytest.approx([0.6, 0.95])


def test_concept_shift_leaves_every_estimate_where_it_was():
    """Same images: whatever the new labels are, the estimates cannot know them."""
    p, y = world(400, [1, 1, 1])
    sure, right = p.amax(1), p.argmax(1) == y
    points = estimate.calibrator(sure, right)
    truth = (p.argmax(1) == (y + 1) % 3).double().mean()
    for found in (estimate.cbpe(points, sure[None]), estimate.atc(sure, right, sure[None])):
        assert found.item() > truth + 0.5
