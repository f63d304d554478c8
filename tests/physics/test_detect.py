"""Detectors against SciPy, scikit-learn and brute force; false alarms where nothing has changed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge

from synthecon.physics import detect


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pair(trials: int, m: int, n: int, features: int, move: float = 0.0, seed: int = 0):
    source = torch.randn(trials, m, features, generator=rng(seed), dtype=torch.float64)
    target = torch.randn(trials, n, features, generator=rng(seed + 1), dtype=torch.float64)
    return source, target + move


@pytest.mark.parametrize("m, n", [(30, 17), (25, 25), (40, 10), (3, 2), (1, 1)])
def test_ks_is_scipys_exact_one(m, n):
    source, target = pair(6, m, n, 3, move=0.4)
    p = detect.ks_pvalue(detect.ks_statistic(source, target), m, n)
    for t, f in itertools.product(range(6), range(3)):
        expected = stats.ks_2samp(source[t, :, f], target[t, :, f], method="exact").pvalue
        assert p[t, f].item() == pytest.approx(expected, rel=1e-9)


def test_small_ks_pvalues_keep_their_digits():
    source, target = pair(1, 60, 50, 1, move=50)
    p = detect.ks_pvalue(detect.ks_statistic(source, target), 60, 50)
    expected = stats.ks_2samp(source[0, :, 0], target[0, :, 0], method="exact").pvalue
    assert p.item() == pytest.approx(expected, rel=1e-9)
    assert p.item() < 1e-30


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=12), st.lists(st.integers(0, 5), min_size=1)
)
def test_ks_statistic_with_ties(a, b):
    statistic = detect.ks_statistic(*(torch.tensor(x)[None, :, None].float() for x in (a, b)))
    expected = stats.ks_2samp(a, b, method="asymp").statistic
    assert statistic.item() / (len(a) * len(b)) == pytest.approx(expected)


def test_bbsd_is_bonferroni_over_the_outputs():
    source, target = pair(5, 30, 20, 4, move=0.3)
    each = detect.ks_pvalue(detect.ks_statistic(source, target), 30, 20)
    p = detect.bbsd(source, target)
    for t in range(5):
        assert p[t].item() == pytest.approx(min(1.0, 4 * min(each[t].tolist())))
    assert p.max() <= 1


def test_chi2_is_scipys_without_the_empty_classes():
    source = torch.randint(0, 4, (8, 60), generator=rng())
    target = torch.randint(0, 3, (8, 25), generator=rng(1))
    p = detect.label_test(source, target, 6)  # classes 4 and 5 are never named
    for t in range(8):
        table = np.array([np.bincount(x[t], minlength=4) for x in (source, target)])
        expected = stats.chi2_contingency(table, correction=False).pvalue
        assert p[t].item() == pytest.approx(expected)
    same = torch.zeros(1, 9, dtype=torch.int64)
    assert detect.label_test(same, same, 6).item() == 1


def test_mmd_and_energy_are_their_definitions():
    source, target = pair(3, 9, 6, 5, move=0.3)
    distance = detect.distances(torch.cat([source, target], 1))
    weights = detect.assignments(9, 6, 4, rng())
    scale = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    found = detect.mmd(distance, weights.double(), scale), detect.energy(distance, weights.double())
    for t in range(3):
        x, y = source[t].numpy(), target[t].numpy()

        def mean(f, a, b):
            return np.mean([[f(np.linalg.norm(u - v)) for v in b] for u in a])

        s = scale[t].item()

        def alike(d, s=s):
            return np.exp(-(d**2) / (2 * s**2))

        for statistic, f in ((found[0], alike), (found[1], np.negative)):
            expected = mean(f, x, x) + mean(f, y, y) - 2 * mean(f, x, y)
            assert statistic[t, 0].item() == pytest.approx(expected, abs=1e-7)


def test_energy_in_one_dimension_is_scipys_squared():
    source, target = pair(4, 12, 7, 1, move=0.5)
    distance = detect.distances(torch.cat([source, target], 1))
    found = detect.energy(distance, detect.assignments(12, 7, 0, rng()).double())
    for t in range(4):
        expected = stats.energy_distance(source[t, :, 0], target[t, :, 0]) ** 2
        assert found[t, 0].item() == pytest.approx(expected, abs=1e-6)


def test_default_scale_is_the_median_distance():
    source, target = pair(2, 8, 5, 3)
    pooled = torch.cat([source, target], 1)
    distance = detect.distances(pooled)
    own = cdist(pooled[0], pooled[0])[np.triu_indices(13, 1)]
    middle = np.sort(own)[(len(own) - 1) // 2]  # torch takes the lower of two middle values
    assert detect.bandwidth(distance)[0].item() == pytest.approx(middle)
    weights = detect.assignments(8, 5, 3, rng())
    given = detect.mmd(distance, weights, detect.bandwidth(distance))
    torch.testing.assert_close(detect.mmd(distance, weights), given)


def test_a_shuffle_keeps_the_sizes_and_the_truth_comes_first():
    weights = detect.assignments(5, 3, 50, rng())
    truth = torch.tensor([1 / 5] * 5 + [-1 / 3] * 3)
    torch.testing.assert_close(weights[0], truth)
    torch.testing.assert_close(weights.sort(1).values, truth.sort().values.expand(51, -1))
    assert len(weights.unique(dim=0)) > 20


@settings(max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=20))
def test_permutation_pvalue_is_never_zero(values):
    p = detect.permutation_pvalue(torch.tensor(values)[None]).item()
    reached = sum(v >= values[0] for v in values[1:])
    assert p == pytest.approx((reached + 1) / len(values))
    assert 0 < p <= 1


def test_the_classifier_is_ridge_regression_on_the_first_half():
    source, target = pair(2, 20, 10, 3, move=0.4)
    slope = detect.separate(source, target, 0.1)
    for t in range(2):
        x = torch.cat([source[t], target[t]]).numpy()
        y = np.repeat([-1.0, 1.0], [20, 10])
        weight = np.repeat([0.5 / 20, 0.5 / 10], [20, 10])
        centred = x - np.average(x, axis=0, weights=weight)
        penalty = 0.1 * np.average(centred**2, axis=0, weights=weight).mean()
        model = Ridge(alpha=penalty).fit(x, y, sample_weight=weight)
        np.testing.assert_allclose(slope[t], model.coef_, rtol=1e-7)


def test_the_classifier_is_judged_on_rows_it_did_not_learn_from():
    source, target = pair(3, 24, 16, 3, move=0.5)
    p = detect.classifier_test(source, target)
    slope = detect.separate(source[:, :12], target[:, :8], 0.1)
    for t in range(3):
        low, high = source[t, 12:] @ slope[t], target[t, 8:] @ slope[t]
        expected = stats.mannwhitneyu(high, low, alternative="greater", method="asymptotic").pvalue
        assert p[t].item() == pytest.approx(expected, rel=1e-6)


def test_psi_by_hand():
    """Deciles of 0…99; all new scores in the lowest and the highest bin."""
    source = torch.arange(100, dtype=torch.float64)[None]
    target = torch.tensor([[-5.0] * 6 + [200.0] * 2], dtype=torch.float64)
    p = np.full(10, 10.5) / 105
    q = np.array([6.5] + [0.5] * 8 + [2.5]) / 13
    expected = float(((q - p) * np.log(q / p)).sum())
    assert detect.psi(source, target).item() == pytest.approx(expected)


def test_psi_pvalue_counts_draws_that_reach_it():
    null = torch.tensor([0.1, 0.2, 0.2, 0.3], dtype=torch.float64)
    found = detect.psi_pvalue(torch.tensor([0.05, 0.2, 0.25, 0.4], dtype=torch.float64), null)
    torch.testing.assert_close(found, torch.tensor([5, 4, 2, 1], dtype=torch.float64) / 5)


def test_psi_without_shift_is_about_bins_over_sizes():
    null = detect.psi_null(400, 300, 1200, rng())
    assert len(null) == 1200
    assert null.mean().item() == pytest.approx(9 * (1 / 400 + 1 / 300), rel=0.06)
    assert torch.equal(null, null.sort().values)


@pytest.mark.parametrize("count, trials", [(0, 20), (3, 50), (50, 50)])
def test_interval_is_scipys_exact_one(count, trials):
    expected = stats.binomtest(count, trials).proportion_ci(method="exact")
    assert detect.clopper_pearson(count, trials) == pytest.approx((expected.low, expected.high))
    alarms = torch.arange(trials) < count
    found = detect.false_alarms(alarms)
    assert (found.low, found.high) == pytest.approx((100 * expected.low, 100 * expected.high))


def test_power_is_never_surer_than_its_trials_or_its_splits():
    always = detect.power(torch.ones(4, 25, dtype=torch.bool), 1.0)
    exact = stats.binomtest(100, 100).proportion_ci(method="exact")
    assert always.low == pytest.approx(100 * exact.low)
    uneven = torch.arange(25)[None] < torch.tensor([[5], [25], [25], [25]])
    found = detect.power(uneven, 1.0)
    assert found.value == pytest.approx(80)
    assert found.low == 0  # the splits differ too much to tell
    assert found.high == 100
    with pytest.raises(ValueError, match="no rate"):
        detect.clopper_pearson(3, 2)


def samples(trials: int, move: float, seed: int = 0) -> tuple[detect.Sample, detect.Sample]:
    found = []
    for k, shifted in enumerate((0.0, move)):
        x = torch.randn(trials, 40 - 10 * k, 6, generator=rng(seed + k)) + shifted
        found.append(detect.Sample(x, (1.5 * x[..., :4].double()).softmax(-1)))
    return found[0], found[1]


def every(move: float, trials: int) -> dict[str, torch.Tensor]:
    null = detect.psi_null(40, 30, 999, rng(5))
    return detect.pvalues(*samples(trials, move), null, 3.0, 39, 0, chunk=100)


def test_no_detector_raises_more_false_alarms_than_promised():
    found = every(0.0, 600)
    assert tuple(found) == detect.DETECTORS
    found["panel"] = detect.panel(found)
    for name, p in found.items():
        assert p.shape == (600,)
        low = detect.clopper_pearson(int((p <= 0.05).sum()), 600, 0.999)[0]
        assert low <= 0.05, name
        assert ((p > 0) & (p <= 1)).all(), name


def test_detectors_see_what_moved():
    """Every feature moves: pixels show it; the softmax, which compares features, does not."""
    p = {name: (found <= 0.05).double().mean() for name, found in every(0.7, 60).items()}
    assert min(p["MMD"], p["energy distance"], p["classifier"]) > 0.9
    assert max(p["KS on outputs"], p["χ² on answers"], p["PSI, calibrated"]) < 0.3


def test_chunks_change_nothing_and_the_panel_is_bonferroni_of_three():
    source, target = samples(7, 0.4)
    null = detect.psi_null(40, 30, 99, rng())
    whole = detect.pvalues(source, target, null, 3.0, 19, 0)
    for name, p in detect.pvalues(source, target, null, 3.0, 19, 0, chunk=3).items():
        torch.testing.assert_close(p, whole[name], rtol=1e-5, atol=1e-7)
    three = torch.stack([whole[name] for name in detect.PANEL])
    expected = (3 * three.min(0).values).clamp(max=1)
    torch.testing.assert_close(detect.panel(detect.looks(source, target)), expected)
