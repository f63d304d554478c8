"""Generators that learn from generators: how much survives, and what saves it.

Each generation fits one normal a class to its training set by maximum likelihood and samples the
next set from it.  Arms differ in what the next fit reads: only the samples (*replace*), the
samples and some real images (*keep*), or everything so far (*accumulate*).  Shumailov et al.
(2024, Nature 631) named the decay of the first; Gerstgrasser et al. (2024) showed the third.

Chains and arms are batch axes, [K, A, classes, m, d], and share their normal draws: arms differ in
what they read, in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from synthecon.physics import evaluate, losses, nets, train
from synthecon.physics.data import Dataset, split, stratified
from synthecon.physics.nets import Output
from synthecon.physics.train import Recipe


@dataclass(frozen=True)
class Arm:
    """What the next generation reads beside the last one's samples.

    keep: this share of its training set, 0 to 1, is real: drawn anew from all real images each
    time (as Shumailov et al. did), or, with `same`, the same few images every time, the rest of
    the archive being lost.  accumulate: everything so far, real and made.
    """

    name: str
    keep: float = 0.0
    same: bool = False
    accumulate: bool = False


@dataclass(frozen=True, eq=False)
class Start:
    """Real images in `d` principal components, of K chains.

    real: float64 [K, classes, m, d], balanced; test [K, M, d] and its labels [K, M].
    """

    real: Tensor
    test: Tensor
    labels: Tensor


@dataclass(frozen=True, eq=False)
class History:
    """spread: mean trace of a class's covariance by generation, [G + 1, K, A]; drift: mean squared
    distance of the class means from the real ones, likewise.  sets: training sets at the watched
    generations, float32 [K, A, classes, m, d]."""

    spread: np.ndarray
    drift: np.ndarray
    sets: dict[int, Tensor]


def begin(
    data: Dataset, seeds: Sequence[int], *, pool: int, per_class: int, dimensions: int,
    chains: int = 1, test: int | None = None,
) -> Start:  # fmt: skip
    """Real images of `chains` chains a split, in principal components of that split's pool.

    Every chain of a split draws its own `per_class` images of each class from the pool.
    """
    flat = data.images.flatten(1).double()
    real, tests, labels = [], [], []
    for seed in seeds:
        part = split(data, seed, train=pool, validation=0, test=test)
        mean = flat[part.train].mean(0)
        centred = flat[part.train] - mean
        # eigh of the small square matrix: cheaper than a thin SVD of all images, the same axes.
        axes = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -dimensions:]
        axes = axes * axes.gather(0, axes.abs().argmax(0)[None]).sign()  # one sign on all devices
        for chain in range(chains):
            rows = stratified(data.labels, part.train, per_class, seed + 7919 * chain)
            rows = rows[data.labels[rows].argsort(stable=True)]
            z = (flat[rows] - mean) @ axes
            real.append(z.view(len(data.classes), per_class, dimensions))
            tests.append((flat[part.test] - mean) @ axes)
            labels.append(data.labels[part.test])
    return Start(torch.stack(real), torch.stack(tests), torch.stack(labels))


def moments(sets: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [..., d] and second moment [..., d, d] over the images, sets [..., m, d]."""
    return sets.mean(-2), sets.transpose(-1, -2) @ sets / sets.shape[-2]


def recurse(
    real: Tensor,
    arms: Sequence[Arm],
    generations: int,
    seeds: Sequence[int],
    watch: Sequence[int] = (),
) -> History:
    """Fit, sample, fit again: `generations` times, all chains and arms at once.

    Args:
        real: [K, classes, m, d], generation 0 of every arm.
        seeds: one a chain, for its normal draws.
        watch: generations whose training sets are returned.  For an arm that accumulates it is a
            uniform sample of everything so far, as large as the others (a reservoir).
    """
    _, classes, m, d = real.shape
    device, kept = real.device, [round(a.keep * m) for a in arms]
    draws = [torch.Generator().manual_seed(seed) for seed in seeds]
    now = real[:, None].expand(-1, len(arms), -1, -1, -1).clone()
    mean, second = moments(now)
    origin, spread, drift, sets = mean, [], [], {}
    grows = torch.tensor([a.accumulate for a in arms], device=device).view(1, -1, 1, 1)
    for g in range(generations + 1):
        covariance = second - mean[..., :, None] * mean[..., None, :]
        spread.append(covariance.diagonal(dim1=-1, dim2=-2).sum(-1).mean(-1))
        drift.append((mean - origin).square().sum(-1).mean(-1))
        if g in watch:
            sets[g] = now.float()
        if g == generations:
            break
        scale = covariance.diagonal(dim1=-1, dim2=-2).mean(-1)[..., None]
        ridge = torch.diag_embed((1e-9 * scale + 1e-15).expand(*scale.shape[:-1], d))
        root = torch.linalg.cholesky(covariance + ridge)
        z = torch.stack([torch.randn(classes, m, d, dtype=real.dtype, generator=r) for r in draws])
        u = torch.stack([torch.rand(classes, m, 1, generator=r) for r in draws]).to(device)
        orders = [torch.randperm(m, generator=r).to(device) for r in draws]
        new = mean[..., None, :] + z.to(device)[:, None] @ root.transpose(-1, -2)
        for a, count in enumerate(kept):
            which = slice(count) if arms[a].same else None
            for k, order in enumerate(orders if count else ()):
                new[k, a, :, :count] = real[k][:, order[:count] if which is None else which]
        fresh, squares = moments(new)
        share = torch.where(grows, 1 / (g + 2), 1.0).to(real.dtype)  # sets so far: real and g + 1
        mean = mean + share * (fresh - mean)
        second = second + share[..., None] * (squares - second)
        enters = torch.where(grows[..., None], u[:, None] < 1 / (g + 2), True)
        now = torch.where(enters, new, now)
    return History(torch.stack(spread).cpu().numpy(), torch.stack(drift).cpu().numpy(), sets)


def score(
    start: Start, sets: dict[int, Tensor], student: str, recipe: Recipe, seeds: Sequence[int]
) -> dict[int, np.ndarray]:
    """Accuracy on real test images of a student of each generation, chain and arm, [K, A].

    One recipe for all; students of a chain share first weights and the order of images.
    Generation 0 is the real set, whatever the arm: it is trained once and repeated.
    """
    chains, arms, classes, m, d = next(iter(sets.values())).shape
    device = start.real.device
    tests = start.test.shape[1]
    table = [start.test.float().flatten(0, 1)]
    target = [start.labels.flatten()]
    own = torch.arange(classes, device=device).repeat_interleave(m)
    rows, begins, asked, keys, offset = [], [], [], [], chains * tests
    for g, made in sets.items():
        for k in range(chains):
            for a in range(1 if g == 0 else arms):
                table.append(made[k, a].flatten(0, 1))
                target.append(own)
                rows.append(torch.arange(offset, offset + classes * m))
                offset += classes * m
                begins.append(seeds[k])
                asked.append(torch.arange(k * tests, (k + 1) * tests))
                keys.append((g, k, a))
    images, labels = torch.cat(table)[:, None, None], torch.cat(target)
    net = nets.build(student, (1, 1, d), classes, begins, len(begins)).to(device)
    hot = F.one_hot(labels, classes).float()

    def objective(out: Output, batch: Tensor) -> Tensor:
        return losses.cross_entropy(out.logits, hot[batch].transpose(1, 2))

    order = train.batches(rows, recipe.steps, recipe.batch, begins)
    names = [f"generation {g}, chain {k}, arm {a}" for g, k, a in keys]
    train.fit(net, images, order, objective, recipe, seeds=begins, names=names)
    where = torch.stack(asked).to(device)
    right = evaluate.accuracy(train.predict(net, images, where).logits, labels[where])
    found = {g: np.full((chains, arms), np.nan) for g in sets}
    for (g, k, a), value in zip(keys, right.cpu().tolist(), strict=True):
        found[g][k, a if g else slice(None)] = value
    return found
