"""Eleven corruptions in five severities, for grey and colour images of any small size.

Definitions and strengths are those of two published benchmarks: MNIST-C (Mu and Gilmer 2019,
github.com/google-research/mnist-c, `corruptions.py`) for grey images, and CIFAR-10-C (Hendrycks
and Dietterich 2019, github.com/hendrycks/robustness, `make_cifar_c.py`) for colour images where it
has the corruption; it has no `rotate`, `translate` and `stripe`, so those keep MNIST-C's numbers.

What is adapted, so that 8×8, 28×28 and 32×32 images mean the same by a severity:

- *Lengths* (the width of a blur, the step of a translation) are published for 28 or 32 pixels and
  are scaled with the height of the image; a fraction of a pixel is interpolated.
- *Pixelate* averages blocks of 1/c pixels by area and lets a block be a fraction of a pixel wide:
  the published version rounds the small image to whole pixels, and two severities of 8×8 images
  would be the same.  Blocks keep their size in pixels, so small images suffer more.
- *Blur* integrates its kernel over each pixel (see `_blur`), which matters below one pixel only.
- *Stripe* is published in one strength, the outer quarter on each side inverted.  Here that is
  severity 5, and the stripes grow by a fifth of it from severity to severity.
- *Shot noise* counts photons at 256 levels of grey, as in the published 8-bit images.
- Shifted and turned images are filled with black, colour images too.

Random numbers belong to the row and to `seed`: row i is corrupted alike whatever else is in the
table, and from one severity to the next only the strength changes (same draws, same direction).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

NOISE = ("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise")
"""Each pixel is disturbed by itself, at random."""
OTHER = ("gaussian_blur", "pixelate", "contrast", "brightness", "rotate", "translate", "stripe")
"""The whole image is changed, and neighbours alike."""
NAMES = NOISE + OTHER
SEVERITIES = (1, 2, 3, 4, 5)

_GREY: dict[str, tuple[float, ...]] = {
    "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),  # standard deviation
    "shot_noise": (60, 25, 12, 5, 3),  # photons a white pixel
    "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),  # share of pixels
    "speckle_noise": (0.15, 0.2, 0.35, 0.45, 0.6),  # standard deviation, times the pixel
    "gaussian_blur": (1, 2, 3, 4, 6),  # standard deviation in pixels of 28
    "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),  # new resolution over old
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),  # what is left of the distance to the mean
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),  # added to the value of HSV
    "rotate": (0.2, 0.4, 0.6, 0.8, 1.0),  # radians
    "translate": (1, 2, 3, 4, 5),  # pixels of 28, down or up and right or left
    "stripe": (0.05, 0.1, 0.15, 0.2, 0.25),  # share of the width, on each side
}
_COLOUR: dict[str, tuple[float, ...]] = _GREY | {
    "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),
    "shot_noise": (500, 250, 100, 75, 50),
    "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.07),
    "speckle_noise": (0.06, 0.1, 0.12, 0.16, 0.2),
    "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1),  # in pixels of 32
    "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
    "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),
}
_BLOCK = 256  # rows drawn at once; part of the definition of the draws


def apply(images: Tensor, name: str, severity: int, seed: int) -> Tensor:
    """Corrupt every image of a table.

    Args:
        images: float [N, C, H, W] in [0, 1]; three channels count as colour, else grey.
        name: one of NAMES.
        severity: 1 (mild) to 5.
        seed: of the random numbers; row i's do not depend on N.

    Returns:
        A new table like `images`, in [0, 1].

    Raises:
        ValueError: an unknown name or severity, or a table that is not [N, C, H, W].
    """
    if images.dim() != 4:
        raise ValueError(f"images are {tuple(images.shape)}, not [N, C, H, W]")
    c = strength(name, severity, images.shape[1] == 3)
    pixels, one = tuple(images.shape[1:]), (1, 1, 1)
    drawn = _Draws(len(images), seed * 64 + NAMES.index(name), images.device)
    scale = images.shape[2] / (32 if images.shape[1] == 3 and name == "gaussian_blur" else 28)
    match name:
        case "gaussian_noise":
            out = images + c * drawn.normal(pixels)
        case "speckle_noise":
            out = images + images * c * drawn.normal(pixels)
        case "shot_noise":
            out = _photons(images, c, drawn.uniform(pixels))
        case "impulse_noise":
            hit, salt = drawn.uniform(pixels) < c, drawn.uniform(pixels) < 0.5
            out = torch.where(hit, salt.to(images), images)
        case "gaussian_blur":
            out = _blur(images, c * scale)
        case "pixelate":
            out = _pixelate(images, 1 / c)
        case "contrast":
            mean = images.mean((2, 3), keepdim=True)
            out = mean + c * (images - mean)
        case "brightness":
            out = _brighter(images, c)
        case "rotate":
            angle = c * drawn.sign(one).flatten()
            out = _warp(images, angle.cos(), -angle.sin(), torch.zeros(len(images), 2))
        case "translate":
            flat = torch.zeros(len(images), device=images.device)
            out = _warp(images, flat + 1, flat, c * scale * drawn.sign((2,)))
        case _:
            cover = _stripes(images.shape[3], c).to(images)
            out = images + cover * (1 - 2 * images)
    return out.clamp(0, 1)


def strength(name: str, severity: int, colour: bool = False) -> float:
    """The published number behind a severity, before any scaling of lengths.

    Raises:
        ValueError: an unknown name or severity.
    """
    if name not in NAMES:
        raise ValueError(f"unknown corruption {name!r}: choose one of {', '.join(NAMES)}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity={severity!r}: choose 1, 2, 3, 4 or 5")
    return (_COLOUR if colour else _GREY)[name][severity - 1]


class _Draws:
    """Random numbers of N rows from a CPU generator, moved to the device.

    They are drawn in whole blocks of rows and cut to N, which makes a row's numbers independent of
    N.
    """

    def __init__(self, rows: int, seed: int, device: torch.device) -> None:
        self._rows, self._seed, self._device, self._calls = rows, seed, device, 0

    def _blocks(self, shape: tuple[int, ...], normal: bool) -> Tensor:
        generator = torch.Generator().manual_seed(self._seed * 4 + self._calls)
        self._calls += 1
        draw = torch.randn if normal else torch.rand
        blocks = -(-self._rows // _BLOCK)
        made = [draw(_BLOCK, *shape, generator=generator) for _ in range(blocks)]
        whole = torch.cat(made) if made else torch.empty(0, *shape)
        return whole[: self._rows].to(self._device)

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        return self._blocks(shape, True)

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        return self._blocks(shape, False)

    def sign(self, shape: tuple[int, ...]) -> Tensor:
        return torch.where(self._blocks(shape, False) < 0.5, -1.0, 1.0)


def _photons(images: Tensor, photons: float, u: Tensor) -> Tensor:
    """Poisson counts of mean photons·image, over photons; `u` in [0, 1) by inverse distribution.

    One sorted list holds the distribution functions of all 256 levels, the level added to each, so
    that a single search finds every pixel's count.
    """
    most = int(photons + 10 * photons**0.5 + 10)
    level = (images * 255).round()
    counts = torch.arange(most, dtype=torch.float64, device=images.device) + 1
    rates = torch.arange(256, dtype=torch.float64, device=images.device) / 255 * photons
    below = torch.special.gammaincc(counts[None, :], rates[:, None])  # P(count <= k)
    below = below.clamp(max=1) + torch.arange(256, device=images.device)[:, None]
    found = torch.searchsorted(below.flatten(), level.double() + u.double(), right=True)
    return ((found - level.long() * most) / photons).to(images)


def _blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of each axis in turn, edges repeated for ever.

    The kernel is integrated over each pixel: sampled at pixel centres, as published for wide ones,
    a kernel narrower than a pixel would not blur at all.
    """

    def spread(size: int) -> Tensor:
        pixel = torch.arange(size, dtype=torch.float64)
        upper = torch.special.ndtr((pixel[None, :] + 0.5 - pixel[:, None]) / sigma)
        upper[:, -1] = 1  # what lies beyond an edge counts as the edge
        return torch.diff(upper, dim=1, prepend=torch.zeros(size, 1).double()).to(images)

    return spread(images.shape[2]) @ images @ spread(images.shape[3]).T


def _pixelate(images: Tensor, edge: float) -> Tensor:
    """The mean of blocks `edge` pixels wide; a pixel that lies in two blocks takes its share."""

    def spread(size: int) -> Tensor:
        pixel = torch.arange(size, dtype=torch.float64)
        count = math.ceil(size / edge - 1e-9)
        first = (size - count * edge) / 2  # blocks are centred; the outer ones may be cut
        start = first + edge * torch.arange(count, dtype=torch.float64)[:, None]
        shared = torch.minimum(pixel + 1, start + edge) - torch.maximum(pixel, start)
        share = shared.clamp(min=0)  # [blocks, pixels], a pixel's shares sum to 1
        return (share.T @ (share / share.sum(1, keepdim=True))).to(images)

    return spread(images.shape[2]) @ images @ spread(images.shape[3]).T


def _brighter(images: Tensor, c: float) -> Tensor:
    """Raise the value of HSV, which is the largest channel, and keep hue and saturation."""
    value = images.amax(1, keepdim=True)
    raised = (value + c).clamp(max=1)
    return torch.where(value > 0, images * (raised / value.clamp(min=1e-12)), raised)


def _warp(images: Tensor, cosine: Tensor, sine: Tensor, shift: Tensor) -> Tensor:
    """Turn about the centre, then shift by (right, down) pixels; bilinear, black enters."""
    height, width = images.shape[2:]
    across = -2 * shift.to(images.device) / torch.tensor([width, height], device=images.device)
    ratio = height / width
    matrix = torch.stack(
        [
            torch.stack([cosine, -sine * ratio, across[:, 0]], 1),
            torch.stack([sine / ratio, cosine, across[:, 1]], 1),
        ],
        1,
    ).to(images)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)


def _stripes(width: int, share: float) -> Tensor:
    """How much of each column lies within `share` of the width from either side, [W]."""
    column = torch.arange(width, dtype=torch.float64)
    left = (share * width - column).clamp(0, 1)
    return (left + left.flip(0)).clamp(max=1)
