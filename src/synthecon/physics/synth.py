"""Inputs for a student that never sees a raw image, ordered by what each releases of the data.

Every sampler returns float32 images in [0, 1], [M, C, H, W], from its own seed.  `RUNGS` is the
staircase; a rung that was fitted to data says so, because a mean and a covariance *are* a release.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def uniform_noise(size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Independent pixels: nothing but the image's shape is known."""
    return torch.rand(size, generator=generator)


def smooth_noise(size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Coarse noise scaled up and thresholded softly: neighbouring pixels agree, as in any image."""
    count, channels, height, width = size
    coarse = torch.randn(count, channels, 3, 3, generator=generator)
    blobs = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    return torch.sigmoid(3 * blobs)


def gaussian(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Samples of one multivariate normal fitted to the images, clipped to [0, 1].

    The covariance is that of Ledoit and Wolf (2004): (1 − s)·S + s·m·I, with S the covariance of
    the images, m its mean variance and s their shrinkage.  Work is done on the device of the
    images; the random numbers come from the CPU, so that every device samples alike.

    Raises:
        ValueError: fewer than two images.
    """
    flat = images.flatten(1).double()
    n, pixels = flat.shape
    if n < 2:
        raise ValueError(f"a covariance needs at least two images, got {n}")
    mean = flat.mean(0)
    centred = flat - mean
    s, variance = shrinkage(centred), centred.square().mean()

    def normal(columns: int) -> Tensor:
        z = torch.randn(count, columns, dtype=torch.float64, generator=generator)
        return z.to(images.device)

    if n < pixels:  # S has rank below n: weight the images by normal numbers, never form it
        spread = normal(n) @ centred / n**0.5
    else:
        ridge = 1e-9 * variance + 1e-12  # keeps pixels that never vary from stopping Cholesky
        square = centred.T @ centred / n + ridge * torch.eye(pixels, device=flat.device)
        spread = normal(pixels) @ torch.linalg.cholesky(square).T
    samples = mean + (1 - s) ** 0.5 * spread + (s * variance) ** 0.5 * normal(pixels)
    return samples.clamp(0, 1).float().view(count, *images.shape[1:])


def shrinkage(centred: Tensor) -> Tensor:
    """Ledoit and Wolf's weight of the identity, 0 to 1, from centred rows [n, p].

    scikit-learn's `ledoit_wolf_shrinkage` on the device of the data, through the smaller of the two
    Gram matrices.
    """
    n, pixels = centred.shape
    gram = centred @ centred.T if n < pixels else centred.T @ centred
    square = gram.square().sum() / n**2  # ‖S‖², the same from either side
    delta = square / pixels - centred.square().mean() ** 2
    beta = (centred.square().sum(1).square().sum() / n - square) / (pixels * n)
    return (torch.minimum(beta, delta) / delta).nan_to_num(0.0)


def class_gaussians(
    images: Tensor, labels: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """One normal a class, sampled in proportion to the classes: a small mixture model.

    Raises:
        ValueError: a class with a single image.
    """
    classes, sizes = labels.cpu().unique(return_counts=True)
    ends = (sizes.cumsum(0).double() / sizes.sum() * count).round().long()
    share = ends.diff(prepend=ends.new_zeros(1))  # adds up to count, and is never negative
    parts = [
        gaussian(images[labels == c], int(m), generator)
        for c, m in zip(classes.to(labels.device), share.tolist(), strict=True)
    ]
    return torch.cat(parts)[torch.randperm(count, generator=generator)]


def mixup(images: Tensor, generator: torch.Generator) -> Tensor:
    """λx + (1 − λ)x′ of random pairs, λ uniform (Zhang et al. 2018 with β = 1); no label mixed:
    the teacher is asked about the mixture itself."""
    partner = torch.randperm(len(images), generator=generator)
    weight = torch.rand(len(images), 1, 1, 1, generator=generator).to(images.device)
    return weight * images + (1 - weight) * images[partner]


@dataclass(frozen=True)
class Rung:
    """One step of the staircase: its name, what it releases, and how to sample it."""

    name: str
    releases: str
    sample: Callable[[Tensor, Tensor, int, torch.Generator], Tensor]


RUNGS = (
    Rung("uniform noise", "no statistic", lambda x, y, m, g: uniform_noise((m, *x.shape[1:]), g)),
    Rung("smooth noise", "no statistic", lambda x, y, m, g: smooth_noise((m, *x.shape[1:]), g)),
    Rung("one Gaussian", "a mean and a covariance", lambda x, y, m, g: gaussian(x, m, g)),
    Rung("class Gaussians", "a mean and a covariance a class", class_gaussians),
    Rung(
        "mixup of class Gaussians",
        "a mean and a covariance a class",
        lambda x, y, m, g: mixup(class_gaussians(x, y, m, g), g),
    ),
)


def staircase(
    images: Tensor, labels: Tensor, pools: Sequence[Tensor], seeds: Sequence[int], count: int
) -> dict[str, Tensor]:
    """`count` images of every rung for every pool: name -> [G, count, C, H, W].

    A rung that is fitted sees `images[pools[g]]` and their labels, and nothing else.
    """
    made: dict[str, Tensor] = {}
    for number, rung in enumerate(RUNGS):
        parts = []
        for own, seed in zip(pools, seeds, strict=True):
            generator = torch.Generator().manual_seed(1000 * number + seed)
            parts.append(rung.sample(images[own], labels[own], count, generator).to(images.device))
        made[rung.name] = torch.stack(parts)
    return made


class Generator(nn.Module):
    """Latent [B, Z] -> images [B, C, H, W] in [0, 1]: two upsampling convolutions.

    Raises:
        ValueError: height or width is not a multiple of 4.
    """

    def __init__(self, shape: tuple[int, int, int], latent: int = 64, width: int = 64) -> None:
        super().__init__()
        channels, height, breadth = shape
        if height % 4 or breadth % 4:
            raise ValueError(
                f"the generator doubles twice: {height}×{breadth} is not a multiple of 4"
            )
        self.start = (width, height // 4, breadth // 4)
        self.latent = latent
        self.project = nn.Linear(latent, width * (height // 4) * (breadth // 4))
        self.body = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, channels, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.body(self.project(z).view(-1, *self.start))


def data_free(
    teacher: nn.Module,
    student: nn.Module,
    shape: tuple[int, int, int],
    count: int,
    *,
    steps: int,
    batch: int,
    seed: int,
    device: torch.device,
) -> Tensor:
    """Images made from the teacher alone: `count` samples of a generator trained against it.

    The generator is rewarded for images on which the teacher is sure (cross-entropy with its own
    argmax), which cover all classes (entropy of the mean prediction), and on which a probe student
    still disagrees with it.  The first two terms are Chen et al. (2019, DAFL); the third is the
    adversarial term of later data-free methods.  No image and no statistic of the data is read.

    Args:
        teacher, student: ordinary networks, images [B, C, H, W] -> logits [B, classes]; the
            student is a probe that is trained here and then thrown away.
        count: images to return, [count, C, H, W] on `device`.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        generator = Generator(shape).to(device)
        make = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
        learn = torch.optim.Adam(student.parameters(), lr=2e-3)
        teacher.eval().requires_grad_(False)
        for _ in range(steps):
            images = generator(torch.randn(batch, generator.latent, device=device))
            logits, guess = teacher(images), student(images)
            mean = logits.softmax(1).mean(0)
            sure = F.cross_entropy(logits, logits.argmax(1))
            spread = (mean * (mean + 1e-8).log()).sum()
            gap = F.kl_div(guess.log_softmax(1), logits.softmax(1), reduction="batchmean")
            make.zero_grad()
            (sure + 5 * spread - gap.clamp(max=2)).backward()
            make.step()
            images = images.detach()
            learn.zero_grad()
            F.kl_div(
                student(images).log_softmax(1), teacher(images).softmax(1), reduction="batchmean"
            ).backward()
            learn.step()
        generator.eval()
        with torch.no_grad():
            parts = [
                generator(torch.randn(min(1024, count - i), generator.latent, device=device))
                for i in range(0, count, 1024)
            ]
    return torch.cat(parts)
