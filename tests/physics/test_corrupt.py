"""Corruptions: against SciPy and by hand, and what every one of them promises."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import norm, poisson
from torch import Tensor

from synthecon.physics import corrupt


def table(count: int = 40, channels: int = 1, size: int = 8, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, channels, size, size, generator=generator)
    return (255 * x * (x > 0.3)).round() / 255  # a third of the pixels are black


def grey(level: float, count: int = 400, size: int = 8) -> Tensor:
    return torch.full((count, 1, size, size), level)


@settings(max_examples=30)
@given(
    st.sampled_from(corrupt.NAMES),
    st.sampled_from(corrupt.SEVERITIES),
    st.sampled_from([(1, 8), (3, 8), (1, 9)]),
    st.integers(1, 30),
    st.integers(0, 9),
)
@example("gaussian_noise", 5, (1, 9), 1, 0)  # 81 numbers: no whole block of a vector unit
def test_what_every_corruption_promises(name, severity, kind, count, seed):
    images = table(300, *kind)
    before = images.clone()
    whole = corrupt.apply(images, name, severity, seed)
    assert torch.equal(images, before)
    assert whole.shape == images.shape and whole.dtype == images.dtype
    assert whole.min() >= 0 and whole.max() <= 1
    assert torch.equal(whole, corrupt.apply(images, name, severity, seed))
    # A row is corrupted alike whatever else is in the table.
    alone = corrupt.apply(images[:count], name, severity, seed)
    torch.testing.assert_close(alone, whole[:count], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [(1, 8), (1, 28), (3, 32)])
@pytest.mark.parametrize("name", corrupt.NAMES)
def test_a_higher_severity_is_further_away(name, kind):
    images = table(30, *kind)
    if name in ("rotate", "translate"):  # between unrelated pixels, distance saturates
        ramp = torch.linspace(0, 1, kind[1]) ** 2
        images = (ramp[:, None] * ramp).expand_as(images)
    far = [
        (corrupt.apply(images, name, s, 1) - images).abs().mean().item() for s in corrupt.SEVERITIES
    ]
    assert far == sorted(far) and far[0] < far[-1]


@pytest.mark.parametrize("severity", corrupt.SEVERITIES)
def test_the_strength_of_each_noise_is_the_published_one(severity):
    c = corrupt.strength("gaussian_noise", severity)
    assert c == (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    # Of a grey of 0.5, what is cut off at 0 and 1 is known.
    x = corrupt.apply(grey(0.5), "gaussian_noise", severity, 0).flatten()
    assert (x == 1).double().mean() == pytest.approx(norm.sf(0.5 / c), abs=0.01)
    inner = x[(x > 0.4) & (x < 0.6)].double()
    assert len(inner) / len(x) == pytest.approx(1 - 2 * norm.sf(0.1 / c), abs=0.015)

    c = corrupt.strength("speckle_noise", severity)
    x = corrupt.apply(grey(0.2), "speckle_noise", severity, 0)
    assert (x < 0.2 * (1 - 0.5 * c)).double().mean() == pytest.approx(norm.sf(0.5), abs=0.02)
    assert not corrupt.apply(grey(0), "speckle_noise", severity, 0).any()

    c = corrupt.strength("impulse_noise", severity)
    x = corrupt.apply(grey(0.4), "impulse_noise", severity, 0)
    assert (x == 0).double().mean() == pytest.approx(c / 2, abs=0.01)
    assert (x == 1).double().mean() == pytest.approx(c / 2, abs=0.01)
    assert ((x == 0) | (x == 1) | (x == grey(0.4))).all()


@pytest.mark.parametrize("severity", corrupt.SEVERITIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_shot_noise_is_scipys_poisson(severity, channels):
    photons = corrupt.strength("shot_noise", severity, channels == 3)
    level = 102 / 255
    x = corrupt.apply(grey(level).expand(-1, channels, -1, -1), "shot_noise", severity, 0)
    counts = (x.double() * photons).round()
    assert (x.double() * photons - counts).abs().max() < 1e-3 * photons
    law, n = poisson(level * photons), counts.numel()
    for k in range(int(law.ppf(0.05)), int(law.ppf(0.95)) + 1):
        if k < photons:  # more is cut off at white
            off = 4.5 * (law.pmf(k) / n) ** 0.5
            assert (counts == k).double().mean() == pytest.approx(law.pmf(k), abs=off)
    assert not corrupt.apply(grey(0), "shot_noise", severity, 0).any()


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.7, 6.0])
@pytest.mark.parametrize("size", [8, 28])
def test_blur_is_scipys_correlation_with_an_integrated_kernel(sigma, size):
    images = table(3, 1, size).double()
    at = np.arange(-60, 61)
    kernel = norm.cdf((at + 0.5) / sigma) - norm.cdf((at - 0.5) / sigma)
    expected = images.numpy()
    for axis in (2, 3):
        expected = ndimage.correlate1d(expected, kernel, axis, mode="nearest")
    blurred = corrupt._blur(images, sigma).numpy()
    np.testing.assert_allclose(blurred, expected, atol=1e-12)
    if sigma > 1:  # where the published, sampled kernel is the same to within its cut
        published = ndimage.gaussian_filter(images.numpy(), (0, 0, sigma, sigma), mode="nearest")
        np.testing.assert_allclose(blurred, published, atol=0.02)


def test_lengths_are_scaled_to_the_image():
    for size in (8, 28, 56):
        x = torch.zeros(1, 1, size, size)
        x[0, 0, size // 2, size // 2] = 1
        moved = corrupt.apply(x, "translate", 4, 0)[0, 0]
        down, across = (
            ((moved.sum(axis) / moved.sum()) * torch.arange(size)).sum() - size // 2
            for axis in (1, 0)
        )
        assert abs(down) == pytest.approx(4 * size / 28, abs=1e-4)
        assert abs(across) == pytest.approx(4 * size / 28, abs=1e-4)
    small, large = (corrupt.apply(table(1, 1, n), "gaussian_blur", 2, 0) for n in (8, 28))
    torch.testing.assert_close(small, corrupt._blur(table(1, 1, 8), 2 * 8 / 28))
    torch.testing.assert_close(large, corrupt._blur(table(1, 1, 28), 2.0))
    colour = corrupt.apply(table(1, 3, 32), "gaussian_blur", 5, 0)
    torch.testing.assert_close(colour, corrupt._blur(table(1, 3, 32), 1.0))


def test_rotation_is_scipys():
    """Of a picture that is black towards the border, where the two fill differently."""
    y, x = np.mgrid[:28, :28] - 13.5
    picture = np.exp(-((x - 4) ** 2 + (y + 2) ** 2) / 8)
    images = torch.from_numpy(picture).float().expand(64, 1, 28, 28)
    turned = corrupt.apply(images, "rotate", 3, 0)
    left, right = (
        ndimage.rotate(picture, np.degrees(a), reshape=False, order=1) for a in (0.6, -0.6)
    )
    ways = set()
    for one in turned[:, 0].numpy():
        far = [np.abs(one - way).max() for way in (left, right)]
        assert min(far) < 1e-5 and max(far) > 0.1
        ways.add(int(np.argmin(far)))
    assert ways == {0, 1}


def test_whole_blocks_are_means():
    images = table(2, 1, 8)
    made = corrupt.apply(images, "pixelate", 5, 0)  # blocks of four pixels
    for top in (0, 4):
        for left in (0, 4):
            block = images[..., top : top + 4, left : left + 4].mean((2, 3), keepdim=True)
            got = made[..., top : top + 4, left : left + 4]
            torch.testing.assert_close(got, block.expand_as(got))


@settings(max_examples=20)
@given(st.floats(1, 9), st.integers(3, 20))
def test_blocks_of_any_width_keep_a_flat_image(edge, size):
    flat = torch.full((1, 1, size, size), 0.37)
    torch.testing.assert_close(corrupt._pixelate(flat, edge), flat)


def test_contrast_keeps_the_mean_and_brightness_the_hue():
    images = table(5, 3, 8)
    faded = corrupt.apply(images, "contrast", 5, 0)
    torch.testing.assert_close(faded.mean((2, 3)), images.mean((2, 3)))
    spread = faded.flatten(2).std(2) / images.flatten(2).std(2)
    torch.testing.assert_close(spread, torch.full((5, 3), 0.15))
    lit = corrupt.apply(images, "brightness", 4, 0)
    for before, after in zip(
        images.permute(0, 2, 3, 1).reshape(-1, 3).tolist(),
        lit.permute(0, 2, 3, 1).reshape(-1, 3).tolist(),
        strict=True,
    ):
        h, s, v = colorsys.rgb_to_hsv(*before)
        expected = colorsys.hsv_to_rgb(h, s, min(1.0, v + 0.2))
        assert after == pytest.approx(expected, abs=1e-5)


def test_stripes_at_their_worst_are_the_published_ones():
    for size in (8, 28):
        images, quarter = table(3, 1, size), size // 4
        made = corrupt.apply(images, "stripe", 5, 0)
        expected = images.clone()
        expected[..., :quarter] = 1 - images[..., :quarter]
        expected[..., -quarter:] = 1 - images[..., -quarter:]
        torch.testing.assert_close(made, expected)


def test_another_seed_another_noise_and_severities_share_their_draws():
    images = grey(0.5, 300)
    one, other = (corrupt.apply(images, "gaussian_noise", 1, seed) for seed in (0, 1))
    assert (one != other).float().mean() > 0.9
    mild, strong = (corrupt.apply(images, "impulse_noise", s, 0) != images for s in (2, 4))
    assert not (mild & ~strong).any()


@pytest.mark.parametrize(
    ("name", "severity", "told"),
    [
        ("gausian", 1, "unknown corruption 'gausian': choose one of gaussian_noise"),
        ("rotate", 0, "severity=0: choose 1"),
        ("rotate", 6, "severity=6: choose 1"),
    ],
)
def test_what_is_refused(name, severity, told):
    with pytest.raises(ValueError, match=told):
        corrupt.apply(table(), name, severity, 0)


def test_a_single_image_is_not_a_table():
    with pytest.raises(ValueError, match=r"\(1, 8, 8\), not \[N, C, H, W\]"):
        corrupt.apply(table()[0], "rotate", 1, 0)
