"""Shifted samples have the shares that were asked for, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.datasets import load_digits

from synthecon.physics import shift, train
from synthecon.physics.train import Recipe


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_ink_groups_are_terciles_of_the_class_among_reference_rows():
    digits = load_digits()
    images = torch.from_numpy(digits.images).float()[:, None] / 16
    labels = torch.from_numpy(digits.target).long()
    reference = torch.arange(600, 1797)
    groups = shift.ink_groups(images, labels, reference)
    ink = images.mean((1, 2, 3)).numpy()
    for c in range(10):
        own = ink[600:][digits.target[600:] == c]
        expected = np.digitize(ink, np.quantile(own, [1 / 3, 2 / 3]), right=True)
        here = digits.target == c
        assert (groups.numpy()[here] == expected[here]).mean() > 0.995  # float32 quantiles
        shares = groups[reference][labels[reference] == c].bincount(minlength=3)
        assert shares.float().div(len(own)).sub(1 / 3).abs().max() < 0.06
    with pytest.raises(ValueError, match="class 3 has no reference row"):
        shift.ink_groups(images, labels, reference[labels[reference] != 3])


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(1, 5), st.integers(1, 30), st.integers(0, 9))
def test_drawn_rows_are_distinct_and_from_the_rows_given(parts, severity, count, seed):
    labels = torch.arange(400) % parts
    rows = torch.randperm(400, generator=rng(seed))[:300]
    drawn = shift.label_shift(labels, rows, shift.tilted(parts, severity), count, seed)
    assert len(drawn.unique()) == count
    assert torch.isin(drawn, rows).all()
    if severity == 5:
        assert (labels[drawn] > 0).all()


def test_shares_are_those_asked_for_and_a_class_stays_as_it_is():
    labels = torch.tensor([0] * 600 + [1] * 300 + [2] * 300)
    weights = torch.tensor([1.0, 2.0, 0.0])
    rows = torch.arange(1200).expand(400, -1)
    drawn = shift.draw(labels, rows, weights, 60, rng())
    counts = labels[drawn].flatten().bincount(minlength=3)
    assert counts[2] == 0
    assert stats.chisquare(counts[:2], [12_000, 12_000]).pvalue > 0.001
    within = drawn[labels[drawn] == 0]
    assert stats.kstest(within / 600, "uniform").pvalue > 0.001
    assert torch.equal(shift.draw(labels, rows, 7 * weights, 60, rng()), drawn)


def test_a_part_that_runs_out_is_named():
    labels = torch.arange(40) % 2
    with pytest.raises(ValueError, match="part 1 has too few rows"):
        shift.label_shift(labels, torch.arange(40), torch.tensor([0.0, 1.0]), 21, 0)
    for weights in ([1.0], [-1.0, 2.0], [0.0, 0.0]):
        with pytest.raises(ValueError, match="weights"):
            shift.label_shift(labels, torch.arange(40), torch.tensor(weights), 2, 0)


def test_tilts_have_mean_one_and_grow_with_the_severity():
    tilts = torch.stack([shift.tilted(10, s) for s in shift.SEVERITIES])
    torch.testing.assert_close(tilts.mean(1), torch.ones(5, dtype=torch.float64))
    assert (tilts.diff(dim=0)[:, 0] < 0).all()
    assert tilts[4, 0].abs() < 1e-12
    for severity in (0, 6):
        with pytest.raises(ValueError, match="must be 1 to 5"):
            shift.tilted(10, severity)
    with pytest.raises(ValueError, match="1 part"):
        shift.tilted(1, 2)


@pytest.mark.parametrize("severity", shift.SEVERITIES)
def test_concept_shift_renames_its_share_and_no_more(severity):
    labels = torch.arange(6000) % 7
    moved = shift.concept_shift(labels, severity, 7, 0)
    changed = moved != labels
    assert torch.equal(moved[changed], (labels[changed] + 1) % 7)
    share = shift.RELABELLED[severity - 1]
    assert stats.binomtest(int(changed.sum()), 6000, share).pvalue > 0.001
    assert torch.equal(shift.concept_shift(labels, severity, 7, 0), moved)


def test_dealt_trials_are_disjoint_and_know_their_split():
    heldout = torch.stack([torch.arange(100, 200), torch.arange(300, 400)])
    split, old, new = shift.deal(heldout, 4, 30, 50, 0)
    assert split.tolist() == [0] * 4 + [1] * 4
    both = torch.cat([old, new], 1)
    assert old.shape == (8, 30)
    assert all(len(row.unique()) == 80 for row in both)
    assert len(both.unique(dim=0)) == 8
    with pytest.raises(ValueError, match="do not fit into 100"):
        shift.deal(heldout, 4, 60, 50, 0)


@pytest.mark.parametrize("by_split", [False, True])
def test_dealt_trials_are_tilted_by_the_parts_of_their_split(by_split):
    heldout = torch.stack([torch.arange(0, 90), torch.arange(200, 290)])
    parts = torch.arange(400) % 3
    if by_split:
        parts = torch.stack([parts, (parts + 1) % 3])
    only = torch.tensor([0.0, 0.0, 1.0])
    split, old, new = shift.deal(heldout, 3, 30, 9, 0, parts, only)
    for g, a, b in zip(split, old, new, strict=True):
        own = parts[g] if by_split else parts
        assert (own[heldout[g, b]] == 2).all()
        assert len(torch.cat([a, b]).unique()) == 39


def test_classifiers_learn_from_their_own_rows_and_answer_on_theirs(toy):
    rows = [torch.arange(60), torch.arange(30, 90)]
    recipe = Recipe(40, 16, 0.02)
    net = shift.classifiers(toy, toy.images, rows, "mlp-8", recipe, 5)
    heldout = torch.stack([torch.arange(60, 120), torch.arange(0, 60)])
    found = shift.outputs(net, toy.images, heldout)
    assert found.shape == (2, 60, 4)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 60, dtype=torch.float64))
    assert (found[0].argmax(-1) == toy.labels[60:]).float().mean() > 0.5
    alone = shift.classifiers(toy, toy.images, rows[1:], "mlp-8", recipe, 6)
    logits = train.predict(alone, toy.images, heldout[1:]).logits[0].T.double()
    torch.testing.assert_close(found[1], logits.softmax(-1), rtol=1e-4, atol=1e-5)
