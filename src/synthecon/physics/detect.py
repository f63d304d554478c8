"""Tests that ask whether two samples come from one distribution, for many trials at once.

Every function takes T independent trials in one tensor: a reference sample of m rows and a new
sample of n rows each.  One trial is T = 1.  A study of a test's false alarms needs thousands of
trials; as one tensor operation they take seconds.

p-values are exact or valid for finite samples, except where a docstring says otherwise:
- Kolmogorov and Smirnov by counting lattice paths, what SciPy calls `method="exact"`;
- permutation tests by p = (b + 1) / (P + 1), which is never 0 (Phipson and Smyth 2010);
- the population stability index by simulation, as its null distribution depends on sizes alone.

Reference rows must not be rows that the classifier was trained on: it is surer of those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import special
from torch import Tensor

from synthecon.stats import Interval, paired

EMPTY = 0.5  # added to every bin of the PSI, so that an empty one does not make it infinite


def ks_statistic(source: Tensor, target: Tensor) -> Tensor:
    """Largest gap between two empirical distribution functions, times m·n: int64 [..., F].

    source [..., m, F], target [..., n, F]; the integers make ties and equal gaps exact.
    """
    m, n = source.shape[-2], target.shape[-2]
    values, order = torch.cat([source, target], -2).transpose(-1, -2).sort(-1)
    gap = torch.where(order < m, n, -m).cumsum(-1).abs()
    last = values[..., 1:] != values[..., :-1]  # within a tie the functions have not jumped yet
    return (gap[..., :-1] * last).amax(-1)


def ks_pvalue(statistic: Tensor, m: int, n: int) -> Tensor:
    """P(gap >= observed) under no shift, exactly, float64; conservative where values tie.

    Under no shift every order of the pooled sample is equally likely: a lattice path of m steps
    right and n steps up.  The mass that leaves the corridor |i·n − j·m| < observed is summed, so
    that small p-values keep their digits.
    """
    observed, where = np.unique(statistic.cpu().numpy(), return_inverse=True)
    bound, i = observed[:, None], np.arange(m + 1)
    inside = np.zeros((len(observed), m + 1))
    inside[:, 0] = observed > 0
    outside = 1.0 * (observed <= 0)
    for k in range(m + n):  # the path has k steps: i of them right, k − i up
        step = inside / (m + n - k)
        inside = step * np.clip(n - (k - i), 0, None)
        inside[:, 1:] += (step * (m - i))[:, :-1]
        gone = np.abs(i * n - (k + 1 - i) * m) >= bound
        outside += np.where(gone, inside, 0.0).sum(1)
        inside[gone] = 0.0
    p = np.minimum(outside, 1.0)[where.reshape(tuple(statistic.shape))]
    return torch.from_numpy(p).to(statistic.device)


def bonferroni(pvalues: Tensor) -> Tensor:
    """One p-value for F tests of one trial, [T, F] -> [T]: F times the smallest, at most 1."""
    return (pvalues.shape[-1] * pvalues.amin(-1)).clamp(max=1)


def bbsd(source: Tensor, target: Tensor) -> Tensor:
    """Black-box shift detection: a KS test on each output of the classifier, p-values [T].

    source [T, m, C], target [T, n, C]: softmax outputs (Lipton et al. 2018; Rabanser et al. 2019).
    """
    m, n = source.shape[-2], target.shape[-2]
    return bonferroni(ks_pvalue(ks_statistic(source, target), m, n))


def label_test(source: Tensor, target: Tensor, classes: int) -> Tensor:
    """χ² test of homogeneity on the predicted classes, p-values [T]; asymptotic.

    source int64 [T, m], target int64 [T, n].  A class that neither sample names does not count.
    """
    table = torch.stack([tally(source, classes), tally(target, classes)], 1)
    column, row = table.sum(1, keepdim=True), table.sum(2, keepdim=True)
    expected = column * row / row.sum(1, keepdim=True)
    term = (table - expected) ** 2 / expected.clamp(min=1e-12)
    freedom = (column[:, 0] > 0).sum(1) - 1
    p = special.chdtrc(freedom.clamp(min=1).cpu().numpy(), term.sum((1, 2)).cpu().numpy())
    return torch.from_numpy(np.where(freedom.cpu().numpy() > 0, p, 1.0)).to(source.device)


def distances(sample: Tensor) -> Tensor:
    """Euclidean distances within each pooled sample: [T, N, D] -> [T, N, N]."""
    return torch.cdist(sample, sample)


def bandwidth(distance: Tensor) -> Tensor:
    """The median distance between different rows, [T, N, N] -> [T]: a scale for `mmd`."""
    size = distance.shape[-1]
    upper = torch.triu_indices(size, size, 1, device=distance.device)
    return distance[:, upper[0], upper[1]].median(1).values


def assignments(m: int, n: int, permutations: int, generator: torch.Generator) -> Tensor:
    """Weights of the pooled rows under the true labels and under shuffled ones, [1 + P, m + n].

    A row is worth 1/m where it counts as reference and −1/n where it counts as new, so that a
    quadratic form of a kernel is the squared distance between the two means.  Row 0 is the truth.
    Trials may share the weights: their rows come in random order.
    """
    truth = torch.cat([torch.full((m,), 1 / m), torch.full((n,), -1 / n)])
    shuffled = torch.rand(permutations, m + n, generator=generator).argsort(1)
    return torch.cat([truth[None], truth[shuffled]])


def quadratic(kernel: Tensor, weights: Tensor) -> Tensor:
    """wᵀKw of all trials and weights as one matrix product: [T, N, N], [W, N] -> [T, W]."""
    return ((weights.to(kernel) @ kernel) * weights.to(kernel)).sum(-1)


def permutation_pvalue(statistics: Tensor) -> Tensor:
    """(b + 1) / (P + 1), where b of P shuffles reach the true statistic: [T, 1 + P] -> [T]."""
    return (statistics >= statistics[:, :1]).double().mean(1)


def mmd(distance: Tensor, weights: Tensor, scale: Tensor | None = None) -> Tensor:
    """Squared maximum mean discrepancy, Gretton et al. (2012), eq. 5: [T, W], not negative.

    Kernel exp(−d² / 2s²).  Column 0 belongs to the true labels, the others to the shuffles;
    `permutation_pvalue` takes them all.

    Args:
        distance: [T, N, N], of the pooled samples, reference rows first.
        weights: from `assignments`.
        scale: s, [T]; default: each pooled sample's own median distance, which shuffling leaves
            as it is.
    """
    s = bandwidth(distance) if scale is None else scale.to(distance)
    return quadratic((-0.5 * (distance / s.view(-1, 1, 1)) ** 2).exp(), weights)


def energy(distance: Tensor, weights: Tensor) -> Tensor:
    """2E|X−Y| − E|X−X'| − E|Y−Y'|, Székely and Rizzo (2013): [T, W] as in `mmd`; no scale to
    choose.  In one dimension the square of `scipy.stats.energy_distance`."""
    return quadratic(-distance, weights)


def classifier_test(source: Tensor, target: Tensor, ridge: float = 0.1) -> Tensor:
    """Can a classifier tell new from reference rows?  p-values [T]; normal approximation.

    A linear classifier learns on the first half of both samples (their rows must come in random
    order) and ranks the second half.  Above chance there means shift (Lopez-Paz and Oquab 2017);
    chance is judged by Mann and Whitney's test, because the samples differ in size.

    Args:
        source: [T, m, D]. target: [T, n, D], m and n at least 4.
        ridge: penalty as a multiple of the features' mean variance.
    """
    a, b = source.shape[1] // 2, target.shape[1] // 2
    slope = separate(source[:, :a], target[:, :b], ridge)[..., None]
    return _rank_sum((source[:, a:] @ slope)[..., 0], (target[:, b:] @ slope)[..., 0])


def separate(source: Tensor, target: Tensor, ridge: float) -> Tensor:
    """Slope [T, D] of ridge regression from rows to −1 (source) and +1 (target), both samples
    with the same total weight."""
    x = torch.cat([source, target], 1)
    a, b = source.shape[1], target.shape[1]
    y = torch.cat([torch.full((a,), -1.0), torch.full((b,), 1.0)]).to(x)
    weight = torch.cat([torch.full((a,), 0.5 / a), torch.full((b,), 0.5 / b)]).to(x)
    x = x - (weight[:, None] * x).sum(1, keepdim=True)  # the weighted mean of y is 0 already
    normal = x.transpose(1, 2) @ (weight[:, None] * x)
    scale = normal.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-12)
    normal = normal + ridge * scale[:, None, None] * torch.eye(x.shape[2]).to(x)
    return torch.linalg.solve(normal, x.transpose(1, 2) @ (weight * y))


def _rank_sum(low: Tensor, high: Tensor) -> Tensor:
    """P-value of Mann and Whitney's test that `high` [T, b] ranks above `low` [T, a]."""
    a, b = low.shape[1], high.shape[1]
    above = (high[:, :, None] > low[:, None]).double() + 0.5 * (high[:, :, None] == low[:, None])
    z = (above.sum((1, 2)) - a * b / 2 - 0.5) / math.sqrt(a * b * (a + b + 1) / 12)
    return torch.special.ndtr(-z)


def psi(source: Tensor, target: Tensor, bins: int = 10) -> Tensor:
    """Population stability index of a score, [T]: sum of (q − p)·ln(q / p) over bins.

    source [T, m], target [T, n].  The bins hold equal shares of the reference sample; p and q are
    the shares of reference and new rows, each count raised by `EMPTY`.
    """
    inner = torch.linspace(0, 1, bins + 1, dtype=source.dtype, device=source.device)[1:-1]
    edges = source.quantile(inner, dim=1).T.contiguous()
    p, q = (
        (counts + EMPTY) / (counts + EMPTY).sum(1, keepdim=True)
        for counts in (
            tally(torch.searchsorted(edges, x.contiguous()), bins) for x in (source, target)
        )
    )
    return ((q - p) * (q / p).log()).sum(1)


def psi_null(
    m: int, n: int, draws: int, generator: torch.Generator, bins: int = 10, chunk: int = 500
) -> Tensor:
    """Values of the PSI under no shift, sorted, float64 [draws].

    The index depends on the order of the pooled rows alone, and so does its distribution: uniform
    numbers stand for any continuous score.
    """
    parts = []
    for start in range(0, draws, chunk):
        t = min(chunk, draws - start)
        pooled = torch.rand(t, m + n, generator=generator, dtype=torch.float64)
        parts.append(psi(pooled[:, :m], pooled[:, m:], bins))
    return torch.cat(parts).sort().values


def psi_pvalue(index: Tensor, null: Tensor) -> Tensor:
    """(b + 1) / (draws + 1), where b draws from `psi_null` reach the index: [T] -> [T]."""
    null = null.to(index)
    reach = len(null) - torch.searchsorted(null, index.contiguous())
    return (reach + 1).double() / (len(null) + 1)


def false_alarms(alarms: Tensor, level: float = 0.95) -> Interval:
    """Rate of alarms among independent trials in per cent, bool of any shape, with the exact
    interval of Clopper and Pearson (1934)."""
    count, trials = int(alarms.sum()), alarms.numel()
    low, high = clopper_pearson(count, trials, level)
    rate = 100 * count / trials
    return Interval(rate, 100 * low, 100 * high, level, trials, "Clopper-Pearson")


def power(alarms: Tensor, ratio: float, level: float = 0.95) -> Interval:
    """Rate of alarms in per cent where there is something to find: bool [G, trials a split].

    The wider of two intervals, side by side: over the splits (`stats.paired` with `ratio`), which
    sees that splits differ, and over all trials (Clopper and Pearson), which keeps its width where
    every trial of every split raised the alarm.
    """
    over_splits = paired((100 * alarms.double().mean(1)).tolist(), ratio=ratio, level=level)
    over_trials = false_alarms(alarms, level)
    low = min(max(over_splits.low, 0.0), over_trials.low)
    high = max(min(over_splits.high, 100.0), over_trials.high)
    method = f"wider of {over_splits.method} and Clopper-Pearson"
    return Interval(over_trials.value, low, high, level, over_splits.n, method)


def clopper_pearson(count: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a rate of which `count` of `trials` were seen, as shares of 1.

    Raises:
        ValueError: fewer than one trial, or more successes than trials.
    """
    if not 0 <= count <= trials or trials < 1:
        raise ValueError(f"{count} of {trials} is no rate")
    tail = (1 - level) / 2
    low = special.betaincinv(count, trials - count + 1, tail) if count else 0.0
    high = special.betaincinv(count + 1, trials - count, 1 - tail) if count < trials else 1.0
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class Sample:
    """T samples of n rows as the detectors see them: flattened images [T, n, D] and the
    classifier's softmax outputs [T, n, C]."""

    images: Tensor
    probabilities: Tensor

    def first(self, count: int) -> Sample:
        """Only the first rows of each sample."""
        return Sample(self.images[:, :count], self.probabilities[:, :count])


DETECTORS = (
    "KS on outputs",
    "χ² on answers",
    "MMD",
    "energy distance",
    "classifier",
    "PSI, calibrated",
)
PANEL = ("KS on outputs", "χ² on answers", "classifier")


def pvalues(
    source: Sample,
    target: Sample,
    null: Tensor,
    scale: float,
    permutations: int,
    seed: int,
    chunk: int = 100,
) -> dict[str, Tensor]:
    """Every detector's p-values for the same T trials: name -> float64 [T].

    MMD, energy distance and the classifier look at pixels; the others at the model's outputs.  The
    PSI is that of the top probability.

    Args:
        null: from `psi_null` for these sample sizes.
        scale: of the kernel of `mmd`, fixed before these trials were seen.
        permutations, seed: of the permutation tests.
        chunk: trials at a time, which bounds the memory.
    """
    m, n = source.images.shape[1], target.images.shape[1]
    weights = assignments(m, n, permutations, torch.Generator().manual_seed(seed))
    kernel = []
    for a, b in zip(source.images.split(chunk), target.images.split(chunk), strict=True):
        distance = distances(torch.cat([a, b], 1))
        found = mmd(distance, weights, torch.full((len(a),), scale)), energy(distance, weights)
        kernel.append(torch.stack([permutation_pvalue(statistics) for statistics in found]))
    by_mmd, by_energy = torch.cat(kernel, 1)
    index = psi(source.probabilities.amax(-1), target.probabilities.amax(-1))
    seen = looks(source, target, chunk) | {
        "MMD": by_mmd,
        "energy distance": by_energy,
        "PSI, calibrated": psi_pvalue(index, null),
    }
    return {name: seen[name].double() for name in DETECTORS}


def looks(source: Sample, target: Sample, chunk: int = 100) -> dict[str, Tensor]:
    """The three detectors of `PANEL`, which look at different things: name -> p-values [T]."""
    p, q = source.probabilities, target.probabilities
    pairs = zip(source.images.split(chunk), target.images.split(chunk), strict=True)
    found = (
        bbsd(p, q),
        label_test(p.argmax(-1), q.argmax(-1), p.shape[-1]),
        torch.cat([classifier_test(a, b) for a, b in pairs]),
    )
    return {name: one.double() for name, one in zip(PANEL, found, strict=True)}


def panel(pvalues: Mapping[str, Tensor]) -> Tensor:
    """One answer from the three `looks`, by Bonferroni: p-values [T]."""
    return bonferroni(torch.stack([pvalues[name] for name in PANEL], -1))


def tally(which: Tensor, bins: int) -> Tensor:
    """How often each bin is named, int64 [T, n] -> float64 [T, bins]."""
    table = torch.zeros(len(which), bins, dtype=torch.float64, device=which.device)
    return table.scatter_add_(1, which, torch.ones_like(which, dtype=torch.float64))
