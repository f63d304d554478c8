"""The two standard attacks, on a whole stack of networks at once.

An attack looks for the change of an image, at most ε in every pixel, that raises the loss most.
FGSM (Goodfellow et al. 2015) takes one step of size ε along the sign of the gradient; PGD (Madry et
al. 2018) starts at a random point of the ε-box and takes many small steps, each followed by a
projection back into the box and into [0, 1].

The projection stands *outside* of what is differentiated.  Clamping inside the forward pass looks
the same and is wrong: wherever the clamp bites, the gradient is zero and its sign is zero, so a
pixel that the random start pushed below black never moves again, and PGD reports an accuracy that
no attacker would be held to.  Half of the pixels of a digit are black.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def gradient(net: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """d cross-entropy / d image of every network on its own images, [G, B, C, H, W].

    Each image's loss counts in full, so the numbers do not depend on the batch around it (but for
    networks with batch norm in training mode; the attacks below switch to evaluation mode).
    """
    leaf = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = net(leaf).logits.float()
        loss = F.cross_entropy(logits, labels, reduction="sum")
        (slope,) = torch.autograd.grad(loss, leaf)
    return slope


def fgsm(net: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """One step of ε along the sign of the gradient.

    Args:
        net: a stack in which every network is a group of its own (arms = 1).
        images: [G, B, C, H, W] in [0, 1], network g's own batch; labels [G, B].
        epsilon: the largest change of a pixel, on the scale of [0, 1].

    Returns:
        Images within ε of the given ones, in [0, 1].

    Raises:
        ValueError: arms that share images, or a negative ε.
    """
    with _Still(net, epsilon):
        return (images + epsilon * gradient(net, images, labels).sign()).clamp(0, 1)


def pgd(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    steps: int = 20,
    start: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """`steps` steps of 2.5·ε/steps, each projected back into the box.

    Args:
        net, images, labels, epsilon: as for `fgsm`.
        start: where in the box to begin, an offset within ±ε; by default uniform, from `seed`.

    Returns:
        The last iterate: images within ε of the given ones, in [0, 1].

    Raises:
        ValueError: arms that share images, a negative ε, or no step.
    """
    if steps < 1:
        raise ValueError(f"steps={steps}: PGD takes at least one")
    low, high = (images - epsilon).clamp(0, 1), (images + epsilon).clamp(0, 1)
    if start is None:
        generator = torch.Generator().manual_seed(seed)
        start = (2 * torch.rand(images.shape, generator=generator) - 1) * epsilon
    with _Still(net, epsilon):
        x = (images + start.to(images)).clamp(low, high)
        for _ in range(steps):
            x = x + 2.5 * epsilon / steps * gradient(net, x, labels).sign()
            x = x.clamp(low, high)
    return x


def accuracy(
    net: nn.Module,
    images: Tensor,
    rows: Tensor,
    labels: Tensor,
    epsilons: Sequence[float],
    *,
    steps: int = 20,
    seed: int = 0,
    chunk: int = 512,
) -> Tensor:
    """Share of images that are still recognised under PGD (FGSM with steps=0), [len(ε), G].

    Args:
        images: the table [N, C, H, W]; rows: [G, M], the images of each network.
        labels: of the table, [N].
        epsilons: one attack each; ε = 0 is clean accuracy.
        seed: of the random start; chunk c of a table starts from seed + c.
        chunk: images a network attacked at once.
    """
    right = torch.zeros(len(epsilons), len(rows), device=images.device)
    for c, part in enumerate(rows.to(images.device).split(chunk, dim=1)):
        x, y = images[part], labels[part]
        for e, epsilon in enumerate(epsilons):
            if epsilon == 0:
                hit = x
            elif steps == 0:
                hit = fgsm(net, x, y, epsilon)
            else:
                hit = pgd(net, x, y, epsilon, steps=steps, seed=seed + c)
            with torch.no_grad():
                right[e] += (net.eval()(hit).logits.argmax(1) == y).sum(1)
    return right / rows.shape[1]


class _Still:
    """Evaluation mode for the length of an attack, and the checks that all attacks share."""

    def __init__(self, net: nn.Module, epsilon: float) -> None:
        if net.arms != 1:
            raise ValueError(
                f"{net.arms} arms share a group's images, but each network needs its own attack: "
                "build the stack with one network a group"
            )
        if epsilon < 0:
            raise ValueError(f"epsilon={epsilon}: must not be negative")
        self._net, self._was = net, net.training

    def __enter__(self) -> None:
        self._net.eval()

    def __exit__(self, *_: object) -> None:
        self._net.train(self._was)
