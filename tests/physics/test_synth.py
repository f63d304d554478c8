"""Made-up images: their moments, their shares, and that nothing else is read."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage
from torch import Tensor, nn

from synthecon.physics import synth

SHAPE = (2, 3, 4)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def narrow(count: int, seed: int = 0, centre: float = 0.5) -> Tensor:
    """Correlated images far from 0 and 1, so that clipping changes no moment."""
    mix = torch.randn(24, 24, generator=rng(seed + 100)) / 24**0.5
    flat = centre + 0.05 * torch.randn(count, 24, generator=rng(seed)) @ mix
    return flat.view(count, *SHAPE)


def test_noise_is_noise():
    x = synth.uniform_noise((500, *SHAPE), rng())
    assert x.min() >= 0
    assert x.max() <= 1
    correlation = torch.corrcoef(x.flatten(1).T) - torch.eye(24)
    assert correlation.abs().max() < 0.2


def test_neighbours_in_smooth_noise_agree():
    x = synth.smooth_noise((200, 1, 8, 8), rng())
    assert x.shape == (200, 1, 8, 8)
    assert x.min() >= 0
    assert x.max() <= 1
    near = torch.corrcoef(torch.stack([x[:, 0, 3, 3], x[:, 0, 3, 4]]))[0, 1]
    far = torch.corrcoef(torch.stack([x[:, 0, 0, 0], x[:, 0, 7, 7]]))[0, 1]
    assert near > 0.8
    assert abs(far) < 0.3


def test_gaussian_has_the_mean_and_the_shrunk_covariance_of_its_images():
    images = narrow(300)
    made = synth.gaussian(images, 20_000, rng()).flatten(1).double()
    torch.testing.assert_close(made.mean(0), images.flatten(1).double().mean(0), rtol=0, atol=2e-3)
    expected = torch.from_numpy(LedoitWolf().fit(images.flatten(1).double().numpy()).covariance_)
    scale = expected.diagonal().mean()
    torch.testing.assert_close(torch.cov(made.T), expected, rtol=0, atol=0.05 * scale.item())


def test_samples_are_images():
    wide = torch.rand(5, *SHAPE, generator=rng()).round()  # fewer images than pixels, and extreme
    for made in (
        synth.gaussian(wide, 50, rng()),
        synth.class_gaussians(wide, torch.tensor([0, 0, 1, 1, 1]), 50, rng()),
    ):
        assert made.shape == (50, *SHAPE)
        assert made.dtype == torch.float32
        assert made.min() == 0
        assert made.max() == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(2, 9), min_size=1, max_size=5), st.integers(1, 60))
def test_classes_are_sampled_in_proportion(sizes, count):
    """Classes so far apart that a sample's brightness tells its class."""
    levels = torch.linspace(0.1, 0.9, len(sizes))
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    noise = 0.004 * torch.rand(len(labels), *SHAPE, generator=rng())
    images = levels[labels].view(-1, 1, 1, 1) + noise
    deal = torch.randperm(len(labels), generator=rng(1))
    made = synth.class_gaussians(images[deal], labels[deal], count, rng())
    assert len(made) == count
    found = (made.mean((1, 2, 3))[:, None] - levels).abs().argmin(1)
    shares = found.bincount(minlength=len(sizes))
    for share, size in zip(shares.tolist(), sizes, strict=True):
        assert abs(share - count * size / sum(sizes)) <= 1


def test_class_gaussians_are_fitted_apart_and_come_shuffled():
    """In one class all pixels move together, in the other each by itself."""
    together = 0.25 + 0.03 * torch.randn(200, 1, 1, 1, generator=rng()).expand(200, *SHAPE)
    apart = 0.75 + 0.03 * torch.randn(200, *SHAPE, generator=rng(1))
    labels = torch.arange(2).repeat_interleave(200)
    made = synth.class_gaussians(torch.cat([together, apart]), labels, 2000, rng())
    bright = made.mean((1, 2, 3)) > 0.5
    assert bright[:1000].float().mean() == pytest.approx(0.5, abs=0.1)
    pair = made.flatten(1)[:, :2].T
    assert torch.corrcoef(pair[:, ~bright])[0, 1] > 0.8
    assert torch.corrcoef(pair[:, bright])[0, 1].abs() < 0.2


def test_mixup_lies_on_the_line_between_two_images():
    images = torch.rand(40, *SHAPE, generator=rng())
    mixed = synth.mixup(images, rng(5))
    generator = rng(5)
    partner = torch.randperm(40, generator=generator)
    weight = torch.rand(40, 1, 1, 1, generator=generator)
    torch.testing.assert_close(mixed, images[partner] + weight * (images - images[partner]))
    assert (mixed != images).flatten(1).any(1).sum() > 30


@pytest.mark.parametrize("made", [synth.gaussian, None])
def test_a_single_image_has_no_covariance(made):
    one = torch.rand(1, *SHAPE)
    with pytest.raises(ValueError, match="at least two images, got 1"):
        if made:
            synth.gaussian(one, 5, rng())
        else:
            synth.class_gaussians(one.expand(3, *SHAPE), torch.tensor([0, 0, 1]), 5, rng())


def stairs(images, labels, pools, seeds=(3, 4)):
    return synth.staircase(images, labels, pools, seeds, 30)


@pytest.mark.parametrize("count", [10, 24, 300])
def test_shrinkage_is_that_of_scikit_learn(count):
    x = narrow(count).flatten(1).double()
    expected = ledoit_wolf_shrinkage(x.numpy())
    assert synth.shrinkage(x - x.mean(0)).item() == pytest.approx(expected)


def test_images_that_do_not_vary_need_no_shrinkage():
    same = torch.full((5, 1, 2, 2), 0.5)
    assert torch.allclose(synth.gaussian(same, 3, rng()), same[:3], atol=1e-6)


def test_staircase():
    images = torch.rand(80, *SHAPE, generator=rng())
    labels = torch.arange(80) % 4
    pools = [torch.arange(40), torch.arange(20, 60)]
    made = stairs(images, labels, pools)
    assert list(made) == [rung.name for rung in synth.RUNGS]
    for x in made.values():
        assert x.shape == (2, 30, *SHAPE)
        assert x.min() >= 0
        assert x.max() <= 1
        assert not torch.equal(x[0], x[1])
    # Each group by itself, from its own seed.
    second = stairs(images, labels, pools[1:], (4,))
    for name, x in made.items():
        assert torch.equal(x[1], second[name][0])
    # A rung that releases nothing reads nothing; a fitted one reads its pool and no other image.
    elsewhere, swapped = images.clone(), labels.clone()
    elsewhere[60:], swapped[60:] = torch.rand(20, *SHAPE), 0
    for name, x in stairs(elsewhere, swapped, pools).items():
        assert torch.equal(x, made[name])
    other = stairs(torch.rand(80, *SHAPE), labels, pools)
    for rung in synth.RUNGS:
        assert torch.equal(other[rung.name], made[rung.name]) == (rung.releases == "no statistic")


def test_a_seed_is_needed_for_each_pool():
    with pytest.raises(ValueError):
        stairs(torch.rand(8, *SHAPE), torch.arange(8) % 2, [torch.arange(8)], (1, 2))


def network(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 5))


def free(count: int = 7, seed: int = 0) -> Tensor:
    return synth.data_free(
        network(1), network(2), (1, 8, 8), count,
        steps=3, batch=6, seed=seed, device=torch.device("cpu"),
    )  # fmt: skip


def test_data_free_images_come_from_teacher_and_seed_alone():
    before = torch.random.get_rng_state()
    made = free()
    assert torch.equal(torch.random.get_rng_state(), before), "nobody else's randomness is used"
    assert made.shape == (7, 1, 8, 8)
    assert made.dtype == torch.float32
    assert made.min() >= 0
    assert made.max() <= 1
    assert not made.requires_grad
    assert torch.equal(made, free())
    assert not torch.equal(made, free(seed=1))
    assert len(free(count=1100)) == 1100


def test_data_free_leaves_the_teacher_as_it_was():
    teacher, probe = network(1), network(2)
    before = [p.clone() for p in (*teacher.parameters(), *probe.parameters())]
    synth.data_free(
        teacher, probe, (1, 8, 8), 2, steps=3, batch=6, seed=0, device=torch.device("cpu")
    )
    after = [*teacher.parameters(), *probe.parameters()]
    same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [True, True, False, False]
