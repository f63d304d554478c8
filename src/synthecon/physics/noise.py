"""The noise study: one network, many ways to disturb its training, and what each is good for.

An *arm* is a way to disturb training.  A *group* is one network: a random split, a training-set
size and an initialisation.  All arms go through the same groups, with the same images, first
weights and batches, so that differences between arms are paired.  The networks of an arm are
trained as one stack, an arm at a time: the arms then have a measured time each, and an attack in
the loop sees the arm's own networks only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from synthecon.physics import attack, corrupt, evaluate, losses, nets, train
from synthecon.physics.data import Dataset, split
from synthecon.physics.nets import Output
from synthecon.physics.train import Recipe

Kind = Literal[
    *("plain", "gaussian", "uniform", "weights", "features", "dropout"),
    *("mixup", "labels", "fgsm", "pgd"),
]


@dataclass(frozen=True)
class Arm:
    """How one network's training is disturbed.

    kind and amount: `gaussian`, standard deviation of what is added to each pixel (pixels then
    leave [0, 1]: cutting them off would change the noise's mean); `uniform`, half its width;
    `weights` and `features`, standard deviation relative to the root mean square of the layer's
    weights or of the hidden units; `dropout`, share of hidden units set to zero; `mixup`, none (the
    weight is uniform: Beta(1, 1), Zhang et al. 2018); `labels`, share of training labels replaced
    by another class, once and for all; `fgsm` and `pgd`, the attack's ε.
    steps: of the attack inside PGD training.
    decay: weight decay.
    """

    name: str
    kind: Kind = "plain"
    amount: float = 0.0
    steps: int = 7
    decay: float = 1e-3


@dataclass(frozen=True, eq=False)
class Group:
    """One network's data.  Row numbers into the data set; `start` seeds weights and batches."""

    seed: int
    size: int
    start: int
    train: Tensor
    test: Tensor


def make_groups(
    data: Dataset,
    seeds: Sequence[int],
    sizes: Sequence[int],
    repeats: Sequence[int],
    *,
    pool: int,
    test: int,
) -> list[Group]:
    """Splits × sizes × repeats, in this order.

    Repeat r of a size takes the r-th stretch of the split's pool, disjoint from the others as long
    as the pool lasts, and its own initial weights.

    Raises:
        ValueError: a size beyond the pool, or not one number of repeats a size.
    """
    if max(sizes) > pool:
        raise ValueError(f"training sets of {max(sizes)} images from a pool of {pool}")
    groups = []
    for seed in seeds:
        part = split(data, seed, pool, 0, test)
        for size, count in zip(sizes, repeats, strict=True):
            for r in range(count):
                first = r * size % (pool - size + 1)
                rows = part.train[first : first + size]
                groups.append(Group(seed, size, seed + 1_000_000 * r, rows, part.test))
    return groups


def by_split(values: np.ndarray, groups: Sequence[Group]) -> np.ndarray:
    """Mean over the repeats of each split, [..., G] -> [..., splits]."""
    seeds = np.array([g.seed for g in groups])
    order = list(dict.fromkeys(seeds.tolist()))
    return np.stack([values[..., seeds == seed].mean(-1) for seed in order], -1)


class Bank:
    """Random numbers on the device, drawn once and read from random places.

    Fresh draws for every batch would cost more than a small network does, and on a GPU a transfer.
    Each group's place comes from its own generator, so group g's numbers depend on seeds[g] alone.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device, size: int = 1 << 22) -> None:
        self._size, self._device = size, device
        self._places = [torch.Generator().manual_seed(11 + seed) for seed in seeds]

    @cached_property
    def _normal(self) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(self._size, generator=generator).to(self._device)

    @cached_property
    def _uniform(self) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.rand(self._size, generator=generator).to(self._device)

    def _take(self, numbers: Tensor, shape: Sequence[int]) -> Tensor:
        count = math.prod(shape)
        if count > len(numbers):
            numbers = numbers.repeat(-(-2 * count // len(numbers)))
        last = len(numbers) - count + 1
        at = [int(torch.randint(last, (1,), generator=g)) for g in self._places]
        return torch.stack([numbers[i : i + count] for i in at]).view(len(at), *shape)

    def normal(self, *shape: int) -> Tensor:
        """[G, *shape], mean 0 and standard deviation 1."""
        return self._take(self._normal, shape)

    def uniform(self, *shape: int) -> Tensor:
        """[G, *shape] in [0, 1)."""
        return self._take(self._uniform, shape)

    def order(self, count: int) -> Tensor:
        """A permutation a group, [G, count]."""
        return torch.stack([torch.randperm(count, generator=g) for g in self._places])


class Task:
    """One arm at work: how it changes a batch, what it pushes into the layers, what it asks for."""

    def __init__(self, data: Dataset, groups: Sequence[Group], arm: Arm) -> None:
        self.arm, self.classes, device = arm, len(data.classes), data.images.device
        seeds = [g.start for g in groups]
        self.bank = Bank(seeds, device)
        self.labels = data.labels.expand(len(groups), -1)
        if arm.kind == "labels":
            self.labels = torch.stack(
                [mislabel(data.labels, self.classes, arm.amount, seed) for seed in seeds]
            )
        self.group = torch.arange(len(groups), device=device)[:, None]
        self.partner: Tensor | None = None
        self.weight: Tensor | None = None

    def disturb(self, net: nn.Module, x: Tensor, rows: Tensor) -> Tensor:
        """The batch that this arm trains on, [G, B, C, H, W]."""
        amount, shape, labels = self.arm.amount, x.shape[1:], self.labels[self.group, rows]
        match self.arm.kind:
            case "gaussian":
                return x + amount * self.bank.normal(*shape)
            case "uniform":
                return x + amount * (2 * self.bank.uniform(*shape) - 1)
            case "mixup":
                self.partner = self.bank.order(x.shape[1]).to(x.device)
                self.weight = self.bank.uniform(x.shape[1])
                other = x[self.group, self.partner]
                return torch.lerp(other, x, self.weight[..., None, None, None])
            case "fgsm":
                return attack.fgsm(net, x, labels, amount)
            case "pgd":
                start = amount * (2 * self.bank.uniform(*shape) - 1)
                return attack.pgd(net, x, labels, amount, steps=self.arm.steps, start=start)
        return x

    def loss(self, out: Output, rows: Tensor) -> Tensor:
        """Cross-entropy with the labels that this arm believes, [G]."""
        target = F.one_hot(self.labels[self.group, rows], self.classes).to(out.logits)
        if self.arm.kind == "mixup":
            target = torch.lerp(target[self.group, self.partner], target, self.weight[..., None])
        return losses.cross_entropy(out.logits, target.transpose(1, 2))

    @contextmanager
    def inside(self, net: nn.Module) -> Iterator[None]:
        """Noise on weights or hidden units while `net` is in training mode."""
        linear = [m for m in net.modules() if isinstance(m, nets.StackedLinear)]
        hidden = linear[1:] if isinstance(net, nets.MLP) else linear  # these read hidden units
        hooks = []
        if self.arm.kind == "weights":
            layers = (nets.StackedLinear, nets.StackedConv)
            hooks = [
                m.register_forward_hook(self._shake) for m in net.modules() if isinstance(m, layers)
            ]
        elif self.arm.kind in ("features", "dropout"):
            hooks = [m.register_forward_pre_hook(self._stir) for m in hidden]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _shake(self, layer: nn.Module, given: tuple[Tensor], out: Tensor) -> Tensor | None:
        """(W + δ)·x + b as W·x + b + δ·x: the gradient is taken at the shaken weights."""
        if not layer.training:
            return None
        weight, (x,) = layer.weight.detach(), given
        size = weight.pow(2).flatten(1).mean(1).sqrt().view(-1, *[1] * (weight.dim() - 1))
        delta = self.arm.amount * size * self.bank.normal(*weight.shape[1:])
        if isinstance(layer, nets.StackedLinear):
            return out + (delta @ x).view_as(out)
        kernel = delta.flatten(0, 1)
        return out + F.conv2d(
            x, kernel, stride=layer.stride, padding=layer.padding, groups=len(weight)
        )

    def _stir(self, layer: nn.Module, given: tuple[Tensor]) -> tuple[Tensor] | None:
        """Noise on the hidden units [G, F, B] that a layer reads."""
        if not layer.training:
            return None
        (x,) = given
        if self.arm.kind == "dropout":
            keep = 1 - self.arm.amount
            return (x * (self.bank.uniform(*x.shape[1:]) < keep) / keep,)
        size = x.detach().pow(2).mean((1, 2), keepdim=True).sqrt()
        return (x + self.arm.amount * size * self.bank.normal(*x.shape[1:]),)


def mislabel(labels: Tensor, classes: int, share: float, seed: int) -> Tensor:
    """Each label replaced with probability `share` by one of the other classes, [N] -> [N]."""
    generator = torch.Generator().manual_seed(13 + seed)
    hit = torch.rand(len(labels), generator=generator) < share
    step = torch.randint(1, classes, (len(labels),), generator=generator)
    return (labels + (hit * step).to(labels.device)) % classes


@dataclass(frozen=True, eq=False)
class Trained:
    """The networks of one arm, in the order of its groups; `seconds` is the time of all."""

    arm: Arm
    net: nn.Module
    seconds: float


def fit(
    data: Dataset,
    groups: Sequence[Group],
    arm: Arm,
    network: str,
    recipe: Recipe,
    *,
    images: Tensor | None = None,
) -> Trained:
    """Train one arm on all groups in one stack.

    Args:
        network: a name for `nets.build`.
        recipe: for every arm alike; the arm's own weight decay applies.
        images: train on this table in place of the data set's own.
    """
    table = data.images if images is None else images
    starts, task = [g.start for g in groups], Task(data, groups, arm)
    shape = tuple(table.shape[1:])
    net = nets.build(network, shape, len(data.classes), starts, len(groups)).to(table.device)
    order = train.batches([g.train for g in groups], recipe.steps, recipe.batch, starts)
    touched = arm.kind in ("gaussian", "uniform", "mixup", "fgsm", "pgd")
    begun = time.perf_counter()
    with task.inside(net):
        train.fit(
            net,
            table,
            order,
            task.loss,
            replace(recipe, weight_decay=arm.decay),
            seeds=starts,
            disturb=task.disturb if touched else None,
            names=[f"{arm.name}, split {g.seed}, {g.size} images" for g in groups],
        )
    if table.device.type == "cuda":
        torch.cuda.synchronize(table.device)
    return Trained(arm, net, time.perf_counter() - begun)


@dataclass(frozen=True, eq=False)
class Clean:
    """Scores on images as they are, [G] each, shares of 1; bins [3, G, bins] of `reliability`."""

    train: np.ndarray
    test: np.ndarray
    ece: np.ndarray
    bins: np.ndarray


def clean(
    data: Dataset,
    groups: Sequence[Group],
    net: nn.Module,
    *,
    bins: int = 15,
    chunk: int = 1024,
) -> Clean:
    """Training and test accuracy and calibration of one arm's networks.

    Training accuracy is that on the first images of each training set, as many as the smallest has.
    """
    device = data.images.device
    few = min(min(g.size for g in groups), 500)
    seen = torch.stack([g.train[:few] for g in groups]).to(device)
    rows = torch.stack([g.test for g in groups]).to(device)
    logits, labels = train.predict(net, data.images, rows, chunk).logits, data.labels[rows]
    known = train.predict(net, data.images, seen, chunk).logits
    return Clean(
        evaluate.accuracy(known, data.labels[seen]).cpu().numpy(),
        evaluate.accuracy(logits, labels).cpu().numpy(),
        evaluate.calibration_error(logits, labels, bins).cpu().numpy(),
        reliability(logits, labels, bins).cpu().numpy(),
    )


def reliability(logits: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """What a reliability diagram shows: sums over each bin of the top probability.

    Args:
        logits: [K, C, M]; labels: [K, M] or [M].

    Returns:
        [3, K, bins], as shares of all M images: how many images fall into the bin, their summed
        confidence, how many of them are right.  Bins are (lo, hi], as in
        `evaluate.calibration_error`, which is the sum of |confidence − right|.
    """
    confidence, guess = logits.softmax(1).max(1)
    right = (guess == labels).to(confidence)
    which = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    sums = torch.zeros(3, len(logits), bins, dtype=confidence.dtype, device=logits.device)
    for row, value in enumerate((torch.ones_like(confidence), confidence, right)):
        sums[row].scatter_add_(1, which, value)
    return sums / logits.shape[2]


def corrupted(
    data: Dataset,
    groups: Sequence[Group],
    models: Sequence[nn.Module],
    *,
    names: Sequence[str] = corrupt.NAMES,
    severities: Sequence[int] = corrupt.SEVERITIES,
    seed: int = 0,
    chunk: int = 1024,
) -> np.ndarray:
    """Test accuracy of every model under every corruption, [models, names, severities, G].

    Each corrupted table is made once, of the rows that any group tests on.
    """
    rows, labels, base = _tested(data, groups)
    scores = np.zeros((len(models), len(names), len(severities), len(groups)))
    for n, name in enumerate(names):
        for s, severity in enumerate(severities):
            table = corrupt.apply(base, name, severity, seed)
            for m, net in enumerate(models):
                logits = train.predict(net, table, rows, chunk).logits
                scores[m, n, s] = evaluate.accuracy(logits, labels).cpu().numpy()
    return scores


def _tested(data: Dataset, groups: Sequence[Group]) -> tuple[Tensor, Tensor, Tensor]:
    """Where each group's test images stand in a table of all of them, their labels, the table."""
    rows = torch.stack([g.test for g in groups]).to(data.images.device)
    used, where = rows.unique(return_inverse=True)
    return where, data.labels[rows], data.images[used]


def drifted(images: Tensor, names: Sequence[str], level: int, seed: int) -> Tensor:
    """A copy of a table in which each image has met one of `names`, at severity 0 to `level`.

    Corruption and severity are drawn evenly and for each image apart; severity 0 is the image as it
    is.  This is what an archive looks like once a drift has come to `level`.
    """
    generator = torch.Generator().manual_seed(17 + seed)
    name = torch.randint(len(names), (len(images),), generator=generator)
    severity = torch.randint(level + 1, (len(images),), generator=generator)
    made = images.clone()
    for n, kind in enumerate(names):
        for s in range(1, level + 1):
            here = ((name == n) & (severity == s)).nonzero().flatten().to(images.device)
            made[here] = corrupt.apply(images[here], kind, s, seed + s)
    return made


def recognised(
    data: Dataset,
    groups: Sequence[Group],
    models: Sequence[nn.Module],
    names: Sequence[str],
    *,
    chunk: int = 1024,
) -> np.ndarray:
    """Which test image each model gets right under each corruption.

    Returns:
        bool [models, names, severities 0 to 5, G, M].
    """
    rows, labels, base = _tested(data, groups)
    shape = (len(models), len(names), 1 + len(corrupt.SEVERITIES), *rows.shape)
    right = np.zeros(shape, dtype=bool)
    for m, net in enumerate(models):
        right[m, :, 0] = _right(net, base, rows, labels, chunk)
    for n, name in enumerate(names):
        for s in corrupt.SEVERITIES:
            table = corrupt.apply(base, name, s, 1)
            for m, net in enumerate(models):
                right[m, n, s] = _right(net, table, rows, labels, chunk)
    return right


def _right(net: nn.Module, table: Tensor, rows: Tensor, labels: Tensor, chunk: int) -> np.ndarray:
    return (train.predict(net, table, rows, chunk).logits.argmax(1) == labels).cpu().numpy()


@dataclass(frozen=True, eq=False)
class Stream:
    """What an operator saw: `audits` accuracy a month, `triggers` whether it fell below the floor.

    Both [G, streams, months]; `severity` [months] is how far the drift had come.
    """

    severity: np.ndarray
    audits: np.ndarray
    triggers: np.ndarray


def stream(
    right: np.ndarray,
    *,
    months: int,
    window: int,
    floor: float,
    streams: int,
    seed: int,
    worst: float = 5.0,
) -> Stream:
    """Months of growing corruption, an audit each, and a retrain whenever an audit falls short.

    Severity rises evenly from 0 in the first month to `worst` in the last; between two severities,
    an image gets one of them with the fitting probability.  Each month, `window` test images with
    labels are audited.  Below the `floor` a retrain is triggered: from the next month on, the model
    that was trained at the severity reached (rounded up) serves.

    Args:
        right: bool [levels 0 to 5, names, severities 0 to 5, G, M] from `recognised`, the first
            axis being the severity that a model was trained for.
        streams: independent audits of the same drift, for each group.
        seed: two arms under one seed are audited on the same images.
    """
    levels, names, severities, groups, images = right.shape
    rng = np.random.default_rng(seed)
    severity = np.linspace(0, worst, months)
    audits = np.zeros((groups, streams, months))
    triggers = np.zeros(audits.shape, dtype=bool)
    level = np.zeros((groups, streams), dtype=int)
    g = np.arange(groups)[:, None, None]
    for t, now in enumerate(severity):
        shape = (groups, streams, window)
        which = rng.integers(names, size=shape)
        image = rng.integers(images, size=shape)
        met = np.floor(now + rng.random(shape)).astype(int).clip(max=severities - 1)
        audits[..., t] = right[level[..., None], which, met, g, image].mean(-1)
        triggers[..., t] = audits[..., t] < floor
        level = np.where(triggers[..., t], min(int(np.ceil(now)), levels - 1), level)
    return Stream(severity, audits, triggers)


def retrains(seen: Stream) -> np.ndarray:
    """How many triggers of a stream changed the model, [G, streams].

    A model is trained for whole severities, rounded up: only the first trigger in each brings one
    that was not there before.
    """
    level = np.ceil(seen.severity).astype(int)
    first = [seen.triggers[..., level == s].any(-1) for s in range(1, level.max() + 1)]
    return np.sum(first, axis=0, dtype=int)
