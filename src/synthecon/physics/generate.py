"""Generators of labelled images, each fitted to the labelled images it is bought with, and to
nothing else.

A generator adds one of two things.  A *statistical* one (`gaussians`, `cvae`) adds an assumption
about the shape of the data; everything else that it knows, it read from the same labels.  A
*simulator* (`warps`) adds knowledge that no label carried: that a slightly tilted 3 is a 3.

`fit` returns a sampler.  Labels are dealt round the classes in turn, so that any first part of a
sample is balanced to within one image a class.  Random numbers come from CPU generators and are
moved to the device of the images: every device draws the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from synthecon.physics import synth

Sampler = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]
"""(count M, CPU generator) -> images float32 [M, C, H, W] in [0, 1], labels int64 [M]."""

NAMES = ("gaussians", "warps", "cvae")
PRIOR = 20.0  # a class covariance counts as n images, the pooled one as this many


def fit(
    name: str,
    images: Tensor,
    labels: Tensor,
    seed: int,
    *,
    steps: int = 1500,
    flip: bool = False,
) -> Sampler:
    """A sampler fitted to these images alone.

    Args:
        name: one of `NAMES`.
        images: float32 [n, C, H, W] in [0, 1]; labels: int64 [n].
        seed: for fits that are themselves random (`cvae`).
        steps: training steps of the `cvae`.
        flip: `warps` mirrors half of its images, which is right for clothes and wrong for digits.

    Raises:
        ValueError: an unknown name, or too few images to fit.
    """
    if name == "gaussians":
        return gaussians(images, labels)
    if name == "warps":
        return warps(images, labels, flip=flip)
    if name == "cvae":
        return cvae(images, labels, seed, steps=steps)
    raise ValueError(f"unknown generator {name!r}: choose one of {', '.join(NAMES)}")


def _dealt(classes: Tensor, draw: Callable[[Tensor, torch.Generator], Tensor]) -> Sampler:
    """A sampler that deals the classes [K] out in turn.

    draw: (positions 0..K-1 [M] on the CPU, generator) -> images of those classes, [M, C, H, W].
    """

    def sample(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        which = torch.arange(count) % len(classes)
        return draw(which, generator), classes[which.to(classes.device)]

    return sample


def moments(images: Tensor, labels: Tensor, prior: float = PRIOR) -> tuple[Tensor, Tensor, Tensor]:
    """Classes [K], means [K, P] and covariances [K, P, P], float64, from a few images a class.

    A class's own scatter is blended with the pooled within-class covariance W as if W were `prior`
    further images, (n·S + prior·W) / (n + prior): regularised discriminant analysis (Friedman
    1989, JASA 84), with weights that let the data speak as n grows.  W itself is shrunk towards a
    sphere by Ledoit and Wolf's rule, so that it has full rank also where there are fewer images
    than pixels.

    Raises:
        ValueError: no class has two images.
    """
    flat = images.flatten(1).double()
    n, pixels = flat.shape
    classes, own = labels.unique(return_inverse=True)
    if n <= len(classes):
        raise ValueError(
            f"{n} images of {len(classes)} classes: a covariance needs two of a class at least"
        )
    member = F.one_hot(own, len(classes)).double()
    size = member.sum(0)
    means = member.T @ flat / size[:, None]
    centred = flat - means[own]
    shrink, variance = synth.shrinkage(centred), centred.square().mean()
    pooled = (1 - shrink) * centred.T @ centred / n
    # The ridge keeps pixels that never vary from stopping Cholesky.
    pooled.diagonal().add_(shrink * variance + 1e-9 * variance + 1e-12)
    blended = torch.empty(len(classes), pixels, pixels, dtype=flat.dtype, device=flat.device)
    for k in range(len(classes)):
        rows = centred[own == k]
        blended[k] = (rows.T @ rows + prior * pooled) / (size[k] + prior)
    return classes, means, blended


def gaussians(images: Tensor, labels: Tensor, prior: float = PRIOR) -> Sampler:
    """One normal a class, with the means and covariances of `moments`; clipped to [0, 1]."""
    classes, means, covariances = moments(images, labels, prior)
    roots = torch.linalg.cholesky(covariances)
    shape, device = tuple(images.shape[1:]), images.device

    def draw(which: Tensor, generator: torch.Generator) -> Tensor:
        size = len(which), means.shape[1]
        made = torch.empty(size, dtype=means.dtype, device=device)
        z = torch.randn(size, dtype=means.dtype, generator=generator).to(device)
        for k in range(len(classes)):
            mine = (which == k).to(device)
            made[mine] = means[k] + z[mine] @ roots[k].T
        return made.clamp(0, 1).float().view(-1, *shape)

    return _dealt(classes, draw)


def warps(
    images: Tensor,
    labels: Tensor,
    *,
    rotation: float = 12.0,
    scale: float = 0.12,
    shear: float = 0.15,
    shift: float = 0.08,
    flip: bool = False,
) -> Sampler:
    """Each sample is a real image, turned, stretched, sheared and moved a little, bilinearly.

    All amounts are drawn uniformly from minus to plus: rotation in degrees, scale as a logarithm
    for each axis, shear as a slope, shift as a share of the image's side.  The transforms of
    Simard et al. (2003) without the elastic one.
    """
    classes, own = labels.unique(return_inverse=True)
    members = [(own == k).nonzero().flatten() for k in range(len(classes))]
    sizes = torch.tensor([len(m) for m in members])
    table = torch.zeros(len(classes), int(sizes.max()), dtype=torch.int64, device=images.device)
    for k, m in enumerate(members):
        table[k, : len(m)] = m

    def draw(which: Tensor, generator: torch.Generator) -> Tensor:
        count = len(which)
        u = torch.rand(count, 8, generator=generator)
        pick = (u[:, 0] * sizes[which]).long().clamp(max=sizes[which] - 1)
        r = 2 * u[:, 1:7] - 1
        turn = r[:, 0] * rotation * math.pi / 180
        wide, high = (r[:, 1] * scale).exp(), (r[:, 2] * scale).exp()
        slope = r[:, 3] * shear
        mirrored = torch.where(u[:, 7] < 0.5, -1.0, 1.0) if flip else torch.ones(count)
        # Rotation times (scale with shear); grid_sample wants output -> input coordinates.
        top = torch.stack([turn.cos() * wide, turn.cos() * slope - turn.sin() * high], 1)
        low = torch.stack([turn.sin() * wide, turn.sin() * slope + turn.cos() * high], 1)
        matrix = torch.stack([top, low], 1)
        matrix[:, :, 0] *= mirrored[:, None]
        # Coordinates run from -1 to 1: a share of the side is twice that.
        theta = torch.cat([matrix, 2 * shift * r[:, 4:6, None]], 2).to(images.device)
        source = images[table[which.to(images.device), pick.to(images.device)]]
        grid = F.affine_grid(theta, list(source.shape), align_corners=False)
        made = F.grid_sample(source, grid, align_corners=False)
        return made.clamp(0, 1)

    return _dealt(classes, draw)


class _VAE(nn.Module):
    """Encoder (image, class) -> mean and log-variance [B, Z]; decoder (z, class) -> logits."""

    def __init__(self, pixels: int, classes: int, latent: int, width: int) -> None:
        super().__init__()
        self.latent = latent
        self.encode = nn.Sequential(
            nn.Linear(pixels + classes, width), nn.LeakyReLU(0.1), nn.Linear(width, 2 * latent)
        )
        self.decode = nn.Sequential(
            nn.Linear(latent + classes, width), nn.LeakyReLU(0.1), nn.Linear(width, pixels)
        )


def cvae(
    images: Tensor,
    labels: Tensor,
    seed: int,
    *,
    steps: int = 1500,
    batch: int = 128,
    latent: int = 16,
    width: int = 400,
) -> Sampler:
    """A conditional variational autoencoder (Kingma and Welling 2014; Sohn et al. 2015).

    Bernoulli likelihood of the pixel intensities, standard normal latent.  A sample is the
    decoder's mean for a random latent and a class, so it is smoother than a real image.
    """
    device, shape = images.device, tuple(images.shape[1:])
    flat = images.flatten(1)
    classes, own = labels.unique(return_inverse=True)
    code = F.one_hot(own, len(classes)).float()
    noise = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _VAE(flat.shape[1], len(classes), latent, width)
    net = net.to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(steps):
        rows = torch.randint(len(flat), (batch,), generator=noise).to(device)
        x, c = flat[rows], code[rows]
        mean, log_variance = net.encode(torch.cat([x, c], 1)).chunk(2, 1)
        z = mean + (log_variance / 2).exp() * torch.randn(batch, latent, generator=noise).to(device)
        logits = net.decode(torch.cat([z, c], 1))
        misfit = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
        optimizer.zero_grad(set_to_none=True)
        ((misfit + divergence) / batch).backward()
        optimizer.step()

    @torch.no_grad()
    def draw(which: Tensor, generator: torch.Generator) -> Tensor:
        z = torch.randn(len(which), latent, generator=generator).to(device)
        hot = F.one_hot(which.to(device), len(classes)).float()
        return net.decode(torch.cat([z, hot], 1)).sigmoid().view(-1, *shape)

    return _dealt(classes, draw)
