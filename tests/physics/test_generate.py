"""Generators: their moments, their geometry, and that labels go with images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf
from torch import Tensor

from synthecon.physics import generate


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clouds(sizes: list[int], pixels: int = 6) -> tuple[Tensor, Tensor]:
    """Narrow clouds around levels far apart: a sample's brightness tells its class."""
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    levels = torch.linspace(0.2, 0.8, len(sizes))
    mix = torch.randn(pixels, pixels, generator=rng(9)) / pixels**0.5
    noise = 0.02 * torch.randn(len(labels), pixels, generator=rng()) @ mix
    images = (levels[labels][:, None] + noise).view(-1, 1, 2, pixels // 2)
    deal = torch.randperm(len(labels), generator=rng(1))
    return images[deal], labels[deal]


def test_the_shared_covariance_is_ledoit_and_wolfs_within_classes():
    images, labels = clouds([5, 9, 4])
    _, means, shared = generate.moments(images, labels, prior=1e15)
    x, y = images.flatten(1).double().numpy(), labels.numpy()
    centred = np.concatenate([x[y == k] - x[y == k].mean(0) for k in range(3)])
    expected = LedoitWolf(assume_centered=True).fit(centred).covariance_
    for k in range(3):
        np.testing.assert_allclose(means[k], x[y == k].mean(0))
        np.testing.assert_allclose(shared[k], expected, rtol=1e-6)


def test_a_class_covariance_is_blended_as_if_the_shared_one_were_more_images():
    images, labels = clouds([30, 10])
    _, _, shared = generate.moments(images, labels, prior=1e15)
    _, _, blended = generate.moments(images, labels, prior=20)
    for k, n in enumerate((30, 10)):
        rows = images[labels == k].flatten(1).double().numpy()
        own = np.cov(rows.T, bias=True)
        np.testing.assert_allclose(blended[k], (n * own + 20 * shared[k].numpy()) / (n + 20))


def test_samples_have_the_moments_of_their_class():
    images, labels = clouds([40, 25])
    _, means, covariances = generate.moments(images, labels)
    made, which = generate.gaussians(images, labels)(40_000, rng())
    for k in range(2):
        rows = made[which == k].flatten(1).double()
        torch.testing.assert_close(rows.mean(0), means[k], rtol=0, atol=1e-3)
        scale = covariances[k].diagonal().mean().item()
        torch.testing.assert_close(torch.cov(rows.T), covariances[k], rtol=0, atol=0.05 * scale)


@pytest.mark.parametrize("name", ["gaussians", "warps"])
@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(2, 6), min_size=2, max_size=4), st.integers(1, 40))
def test_labels_are_dealt_evenly_and_belong_to_their_images(name, sizes, count):
    images, labels = clouds(sizes)
    made, which = generate.fit(name, images, labels + 3, 0)(count, rng())
    assert made.shape == (count, 1, 2, 3) and made.dtype == torch.float32
    assert which.dtype == torch.int64
    share = (which - 3).bincount(minlength=len(sizes))
    assert share.max() - share.min() <= 1
    if name == "gaussians":
        levels = torch.linspace(0.2, 0.8, len(sizes))
        nearest = (made.mean((1, 2, 3))[:, None] - levels).abs().argmin(1)
        assert torch.equal(nearest, which - 3)


def test_two_images_a_class_are_enough_and_one_is_not():
    images = torch.rand(6, 1, 8, 8, generator=rng()).round()  # extreme, and fewer than pixels
    made, _ = generate.gaussians(images, torch.arange(6) // 2)(30, rng())
    assert torch.isfinite(made).all()
    assert made.min() == 0 and made.max() == 1
    with pytest.raises(ValueError, match="two of a class"):
        generate.gaussians(images, torch.arange(6))


def test_same_seed_same_images():
    images, labels = clouds([4, 4])
    for name in generate.NAMES:
        one = generate.fit(name, images, labels, 5, steps=3)(7, rng(2))
        two = generate.fit(name, images, labels, 5, steps=3)(7, rng(2))
        assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])
        assert not torch.equal(one[0], generate.fit(name, images, labels, 5, steps=3)(7, rng(3))[0])


def test_unknown_generator():
    with pytest.raises(ValueError, match="unknown generator 'gan'"):
        generate.fit("gan", *clouds([2, 2]), 0)


# ---- warps: a blob to the right of the middle, followed by its centre of mass

SIDE, RADIUS = 41, 10.0


def blob() -> Tensor:
    axis = torch.arange(SIDE) - SIDE // 2
    down, right = torch.meshgrid(axis, axis, indexing="ij")
    return torch.exp(-((right - RADIUS) ** 2 + down**2) / 8.0)[None, None]


def centres(made: Tensor) -> tuple[Tensor, Tensor]:
    axis = (torch.arange(SIDE) - SIDE // 2).float()
    mass = made.sum((1, 2, 3))
    return (made.sum((1, 2)) @ axis) / mass, (made.sum((1, 3)) @ axis) / mass


STILL = {"rotation": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0}


def warped(count: int = 300, **amounts: float) -> Tensor:
    label = torch.zeros(1, dtype=torch.int64)
    return generate.warps(blob(), label, **(STILL | amounts))(count, rng())[0]


def test_no_amount_no_change():
    images, labels = torch.rand(9, 3, 5, 5, generator=rng()), torch.arange(9) % 2
    made, which = generate.warps(images, labels, **STILL)(200, rng())
    for image, label in zip(made, which, strict=True):
        same = (images - image).abs().flatten(1).max(1).values < 1e-5
        assert labels[same].tolist() == [label]
    assert len(made.flatten(1).round(decimals=3).unique(dim=0)) == 9, "every image is used"


def test_rotation_is_in_degrees_and_keeps_the_distance():
    x, y = centres(warped(rotation=30.0))
    angle = torch.atan2(y, x) * 180 / math.pi
    assert 28 < angle.abs().max() < 30.5
    assert abs(angle.mean()) < 3
    torch.testing.assert_close((x**2 + y**2).sqrt(), torch.full_like(x, RADIUS), rtol=0, atol=0.2)


def test_shift_is_a_share_of_the_side():
    x, y = centres(warped(shift=0.1))
    for moved in (x - RADIUS, y):
        assert 0.097 * SIDE < moved.abs().max() < 0.101 * SIDE


def test_scale_is_a_logarithm_for_each_axis():
    x, y = centres(warped(scale=0.2))
    assert 0.19 < (x / RADIUS).log().abs().max() < 0.205
    assert y.abs().max() < 0.1


def test_shear_leaves_the_middle_row_where_it_is():
    x, y = centres(warped(shear=0.3))
    assert (x - RADIUS).abs().max() < 0.1 and y.abs().max() < 0.1
    upright = blob().transpose(2, 3)  # now below the middle: it moves sideways
    label = torch.zeros(1, dtype=torch.int64)
    made, _ = generate.warps(upright, label, **(STILL | {"shear": 0.3}))(200, rng())
    x, y = centres(made)
    assert 2.8 < x.abs().max() < 3.1 and (y - RADIUS).abs().max() < 0.1


def test_flip_mirrors_half_and_only_if_asked():
    label = torch.zeros(1, dtype=torch.int64)
    x, _ = centres(generate.warps(blob(), label, flip=True)(400, rng())[0])
    assert 0.4 < (x < 0).float().mean() < 0.6
    x, _ = centres(generate.warps(blob(), label)(400, rng())[0])
    assert (x > 0).all()


# ---- conditional variational autoencoder


def test_cvae_learns_which_class_is_which_and_varies_within_it():
    labels = torch.arange(200) % 2
    bright = torch.rand(200, 1, 1, 1, generator=rng())  # what the latent has to say
    images = torch.zeros(200, 1, 4, 4)
    images[labels == 0, :, :2] = (0.5 + 0.5 * bright)[labels == 0]
    images[labels == 1, :, 2:] = (0.5 + 0.5 * bright)[labels == 1]
    before = torch.random.get_rng_state()
    made, which = generate.cvae(images, labels, 0, steps=400, batch=64, width=64)(100, rng())
    assert torch.equal(torch.random.get_rng_state(), before), "nobody else's randomness is used"
    assert made.min() >= 0 and made.max() <= 1 and not made.requires_grad
    top, bottom = made[:, :, :2].mean((1, 2, 3)), made[:, :, 2:].mean((1, 2, 3))
    assert torch.equal((bottom > top).long(), which)
    lit = torch.maximum(top, bottom)
    assert lit.mean().item() == pytest.approx(0.75, abs=0.08)
    assert lit.std() > 0.05
