"""Training with differential privacy: clip each image's gradient, add noise, account for both.

A run is (ε, δ)-differentially private when adding or removing one image changes the probability of
any outcome by a factor of at most e^ε, plus δ (Dwork and Roth 2014).  DP-SGD (Abadi et al. 2016)
gets there in four steps: draw each image into the batch by a coin of its own (Poisson sampling),
clip its gradient to length C, add normal noise of σ·C to the sum, step.  What ε that amounts to is
Opacus's to say; everything else is written out here, for a stack of MLPs (`nets.MLP`) at once.

The per-image gradient of a linear layer is an outer product δaᵀ, so its length is |δ||a|: no
gradient of a single image is ever formed, and the result is exact all the same (Goodfellow 2015).

The random numbers come from seeds, so that a run can be repeated.  A release that must hold against
somebody who knows the seed needs a generator that nobody can repeat.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from synthecon.physics import nets

__all__ = [
    "PrivateRecipe",
    "auc_bound",
    "clipped_sum",
    "fit",
    "noise_for",
    "poisson",
    "spent",
    "tpr_bound",
]


@dataclass(frozen=True)
class PrivateRecipe:
    """How long and how hard to train.

    Args:
        steps: noisy steps; each of them costs privacy.
        rate: the chance of each image to be in a batch, 0 < rate <= 1.
        lr: step length; plain SGD with `momentum`, no schedule.
        clip: C, the longest gradient that one image may send.
        momentum: 0 <= momentum < 1; works on the noisy gradient, so it costs no privacy.
    """

    steps: int = 200
    rate: float = 0.2
    lr: float = 1.0
    clip: float = 1.0
    momentum: float = 0.9


def poisson(count: int, recipe: PrivateRecipe, seed: int) -> Tensor:
    """Who is in which batch: bool [steps, count], each an independent coin of `recipe.rate`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(recipe.steps, count, generator=generator) < recipe.rate


def _packed(drawn: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Batches of unequal size as one table: rows [steps, G, B] and who is really there, bool.

    drawn bool [G, steps, M]; rows [G, M].
    """
    largest = max(1, int(drawn.sum(2).max()))
    first = drawn.float().sort(dim=2, descending=True, stable=True)
    own = rows[:, None, :].expand_as(drawn).gather(2, first.indices[..., :largest].to(rows.device))
    return own.transpose(0, 1), (first.values[..., :largest] > 0).transpose(0, 1)


def clipped_sum(
    net: nets.MLP, images: Tensor, labels: Tensor, there: Tensor, clip: float
) -> tuple[list[Tensor], Tensor]:
    """The sum of clipped per-image gradients of the cross-entropy, for every student of a stack.

    Args:
        net: a stack of MLPs, K students in G groups.
        images: [G, B, C, H, W]; labels: int64 [G, B]; there: bool [G, B], False for padding.
        clip: C; math.inf leaves gradients as they are.

    Returns:
        The sums in the order of `net.parameters()`, and the length of each image's gradient before
        clipping, [K, B].
    """
    inputs = [images.flatten(2).transpose(1, 2)]  # what each layer reads, [G or K, F, B]
    for layer in list(net.layers)[:-1]:
        inputs.append(F.leaky_relu(layer(inputs[-1]), nets.SLOPE))
    probability = net.layers[-1](inputs[-1]).softmax(1)
    target = F.one_hot(labels, probability.shape[1]).transpose(1, 2)
    delta = probability - target.repeat_interleave(net.arms, 0)
    deltas = [delta]
    for layer, read in zip(reversed(list(net.layers)[1:]), reversed(inputs[1:]), strict=True):
        slope = torch.where(read > 0, 1.0, nets.SLOPE)  # the sign of a unit is that of its input
        delta = torch.bmm(layer.weight.transpose(1, 2), delta) * slope
        deltas.insert(0, delta)
    wide = [x.repeat_interleave(len(delta) // len(x), 0) for x in inputs]
    squares = [
        d.square().sum(1) * (x.square().sum(1) + 1) for d, x in zip(deltas, wide, strict=True)
    ]  # + 1: the bias reads a constant
    length = torch.stack(squares).sum(0).sqrt()
    weight = (clip / length.clamp_min(1e-12)).clamp(max=1) * there.repeat_interleave(net.arms, 0)
    sums = []
    for d, x in zip(deltas, wide, strict=True):
        d = d * weight[:, None]
        sums += [torch.bmm(d, x.transpose(1, 2)), d.sum(2, keepdim=True)]
    return sums, length


@torch.no_grad()
def fit(
    net: nets.MLP,
    images: Tensor,
    labels: Tensor,
    rows: Tensor,
    noise: Tensor,
    recipe: PrivateRecipe,
    *,
    seeds: Sequence[int],
) -> None:
    """DP-SGD on a stack, in place.

    The arms of a group share batches and draw one noise, scaled by each arm's own σ: they differ in
    nothing but the strength.

    Args:
        net: a stack of MLPs with G groups, on the device of `images`.
        images, labels: the table [N, C, H, W] and int64 [N].
        rows: each group's training rows, int64 [G, M].
        noise: σ of each arm, [arms]: the standard deviation of the noise in units of `clip`.
        seeds: one a group.

    Raises:
        ValueError: not an MLP, or noise without a finite clip.
    """
    if not isinstance(net, nets.MLP):
        raise ValueError("exact per-image lengths are written out for MLPs: name a net mlp-…")
    if noise.any() and not math.isfinite(recipe.clip):
        raise ValueError("noise is measured in units of the clip: it must be finite")
    device, count = images.device, rows.shape[1]
    drawn = torch.stack([poisson(count, recipe, 31 * s + 1) for s in seeds])
    order, there = _packed(drawn, rows.cpu())
    order, there = order.to(device), there.to(device)
    parameters = list(net.parameters())
    sizes = [p[0].numel() for p in parameters]
    momenta = [torch.zeros_like(p) for p in parameters]
    generators = [torch.Generator().manual_seed(31 * s + 2) for s in seeds]
    scale = noise.to(device) * (recipe.clip if noise.any() else 0.0)
    for step in range(recipe.steps):
        here = order[step]
        sums, _ = clipped_sum(net, images[here], labels[here], there[step], recipe.clip)
        z = torch.stack([torch.randn(sum(sizes), generator=g) for g in generators])
        parts = z.to(device).split(sizes, 1)
        for p, total, part, momentum in zip(parameters, sums, parts, momenta, strict=True):
            normal = part.view(len(seeds), 1, *p.shape[1:])
            disturbed = scale.view(1, -1, *[1] * (p.dim() - 1)) * normal
            # Divided by the expected size of a batch: the actual one is a secret of the draw.
            gradient = (total + disturbed.flatten(0, 1)) / (recipe.rate * count)
            momentum.mul_(recipe.momentum).add_(gradient)
            p.sub_(recipe.lr * momentum)
    net.eval()


def spent(noise: float, recipe: PrivateRecipe, delta: float, accountant: str = "prv") -> float:
    """The ε that a recipe with noise σ costs at δ, by Opacus; infinite without noise.

    "prv" composes the privacy loss itself, numerically with a stated error (Gopi et al. 2021);
    "rdp" bounds it by Rényi moments (Mironov 2017), some ten per cent higher.  Both are upper
    bounds under Poisson sampling, for adding or removing one image.
    """
    from opacus.accountants import PRVAccountant, RDPAccountant  # seconds to import

    if noise <= 0:
        return math.inf
    kinds = {"prv": PRVAccountant, "rdp": RDPAccountant}
    account = kinds[accountant]()
    account.history = [(noise, recipe.rate, recipe.steps)]
    with warnings.catch_warnings(), np.errstate(divide="ignore"):  # log 0 where rate = 1
        # Rényi orders end at 64: a looser "rdp", and for "prv" no more than a wider grid.
        warnings.filterwarnings("ignore", message="Optimal order is the largest alpha")
        return float(account.get_epsilon(delta))


def noise_for(
    epsilon: float, recipe: PrivateRecipe, delta: float, tolerance: float = 0.02
) -> tuple[float, float]:
    """The smallest σ, within tolerance, that costs no more than ε; and what it really costs.

    Raises:
        ValueError: ε or δ out of range, or no σ was found.
    """
    if epsilon <= 0 or not 0 < delta < 1:
        raise ValueError(f"need epsilon > 0 and 0 < delta < 1, got {epsilon}, {delta}")
    goal = epsilon * (1 - tolerance / 2)
    noise = 1.2 * recipe.rate * math.sqrt(recipe.steps) / epsilon + 0.5  # a first guess
    slope, before = -1.3, None  # of log ε over log σ
    for _ in range(30):
        cost = spent(noise, recipe, delta)
        if epsilon * (1 - tolerance) <= cost <= epsilon:
            return noise, cost
        if before is not None and before[0] != noise:
            found = math.log(cost / before[1]) / math.log(noise / before[0])
            slope = min(-0.3, max(-6.0, found))
        before = (noise, cost)
        noise *= math.exp(max(-1.0, min(1.0, math.log(goal / cost) / slope)))
    raise ValueError(f"found no noise for epsilon={epsilon} with {recipe}")


def tpr_bound(fpr: Tensor, epsilon: float, delta: float) -> Tensor:
    """The most true positives that any attack on an (ε, δ)-private release can have, 0 to 1.

    From both sides (Kairouz et al. 2015): TPR <= e^ε·FPR + δ, and the same for the attack that says
    the opposite, 1 − FPR <= e^ε·(1 − TPR) + δ.
    """
    up = math.exp(epsilon) * fpr + delta
    down = 1 - math.exp(-epsilon) * (1 - delta - fpr)
    return torch.minimum(up, down).clamp(0, 1)


def auc_bound(epsilon: float, delta: float) -> float:
    """The largest AUC that any attack on an (ε, δ)-private release can have: the area under
    `tpr_bound`, a line with three pieces; e^ε / (1 + e^ε) where δ = 0."""
    corners = [0.0, (1 - delta) / (1 + math.exp(epsilon)), 1 - delta, 1.0]
    fpr = torch.tensor(corners, dtype=torch.float64)
    return float(torch.trapezoid(tpr_bound(fpr, epsilon, delta), fpr))
