"""DP-SGD against one gradient at a time, plain SGD, and the exact Gaussian mechanism."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm
from torch import Tensor, nn

from synthecon.physics import dp, nets
from synthecon.physics.dp import PrivateRecipe

SHAPE = (1, 3, 4)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def table(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    x = torch.randn(count, *SHAPE, generator=rng(seed))
    return x, torch.randint(3, (count,), generator=rng(seed + 1))


def each_gradient(plain: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """One image after the other through autograd, [B, P]."""
    rows = []
    for x, y in zip(images, labels, strict=True):
        plain.zero_grad()
        nn.functional.cross_entropy(plain(x[None]), y[None]).backward()
        rows.append(torch.cat([p.grad.flatten() for p in plain.parameters()]))
    return torch.stack(rows)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.integers(1, 3),
    st.sampled_from([0.3, 1.0, 4.0, math.inf]),
    st.integers(0, 99),
)
def test_clipped_gradients_are_those_of_one_image_at_a_time(widths, arms, clip, seed):
    name = "mlp-" + "-".join(map(str, widths))
    net = nets.build(name, SHAPE, 3, [seed + i for i in range(2 * arms)], 2)
    images, labels = table(12, seed)
    images, labels = images.view(2, 6, *SHAPE), labels.view(2, 6)
    there = torch.rand(2, 6, generator=rng(seed)) < 0.7
    with torch.no_grad():
        sums, length = dp.clipped_sum(net, images, labels, there, clip)
    for k in range(2 * arms):
        g = k // arms
        each = each_gradient(nets.extract(net, k), images[g], labels[g])
        torch.testing.assert_close(length[k], each.norm(dim=1), rtol=1e-4, atol=1e-6)
        scale = (clip / each.norm(dim=1)).clamp(max=1) * there[g]
        expected = (each * scale[:, None]).sum(0)
        ours = torch.cat([total[k].flatten() for total in sums])
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1000, 0.01])  # where weights and where biases make the length
def test_no_image_moves_the_sum_by_more_than_the_clip(size):
    net = nets.build("mlp-6", SHAPE, 3, [0])
    images, labels = table(5)
    images[2] *= size
    present = torch.ones(1, 5, dtype=torch.bool)
    absent = present.clone()
    absent[0, 2] = False
    with torch.no_grad():
        one, _ = dp.clipped_sum(net, images[None], labels[None], present, 0.2)
        other, _ = dp.clipped_sum(net, images[None], labels[None], absent, 0.2)
    moved = torch.cat([(a - b).flatten() for a, b in zip(one, other, strict=True)]).norm().item()
    assert moved == pytest.approx(0.2, rel=1e-4)


def trained(noise: list[float], recipe: PrivateRecipe, seeds=(0, 1), rows: Tensor | None = None):
    images, labels = table(40)
    rows = torch.arange(40).view(2, 20) if rows is None else rows
    net = nets.build("mlp-5", SHAPE, 3, [s for s in seeds for _ in noise], len(seeds))
    dp.fit(net, images, labels, rows, torch.tensor(noise), recipe, seeds=seeds)
    return net


def numbers(net: nn.Module, k: int) -> Tensor:
    return torch.cat([p[k].flatten() for p in net.parameters()]).detach()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_without_noise_and_clip_it_is_plain_sgd(momentum):
    recipe = PrivateRecipe(6, 1.0, 0.3, math.inf, momentum)
    net = trained([0.0], recipe)
    images, labels = table(40)
    for k in (0, 1):
        plain = nets.extract(nets.build("mlp-5", SHAPE, 3, [k]), 0)
        optimizer = torch.optim.SGD(plain.parameters(), lr=0.3, momentum=momentum)
        own = torch.arange(20 * k, 20 * k + 20)
        for _ in range(6):
            optimizer.zero_grad()
            nn.functional.cross_entropy(plain(images[own]), labels[own]).backward()
            optimizer.step()
        expected = torch.cat([p.flatten() for p in plain.parameters()])
        torch.testing.assert_close(numbers(net, k), expected, rtol=1e-4, atol=1e-5)


def test_a_batch_is_divided_by_its_expected_size():
    """The actual size would tell who was drawn."""
    recipe = PrivateRecipe(1, 0.5, 1.0, math.inf, 0.0)
    before = nets.build("mlp-5", SHAPE, 3, [0, 1], 2)
    after = trained([0.0], recipe)
    images, labels = table(40)
    for k in (0, 1):
        drawn = dp.poisson(20, recipe, 31 * k + 1)[0]
        own = torch.arange(20 * k, 20 * k + 20)[drawn]
        assert len(own) != 10 or k  # else the test could not tell
        each = each_gradient(nets.extract(before, k), images[own], labels[own])
        step = numbers(before, k) - numbers(after, k)
        torch.testing.assert_close(step, each.sum(0) / 10, rtol=1e-3, atol=1e-5)


def test_noise_has_the_strength_that_is_accounted_for():
    recipe = PrivateRecipe(1, 0.5, 1.0, 0.25, 0.0)
    net = trained([0.0, 1.0, 4.0], recipe)
    quiet, soft, loud = (numbers(net, k) for k in range(3))
    z = (quiet - soft) * (0.5 * 20) / 0.25
    assert z.std().item() == pytest.approx(1, rel=0.2)
    assert abs(z.mean().item()) < 0.3
    torch.testing.assert_close(quiet - loud, 4 * (quiet - soft), rtol=1e-3, atol=1e-5)


def test_each_step_draws_its_own_noise_and_each_pipeline_too():
    still = PrivateRecipe(1, 0.5, 1.0, 1e-9, 0.0)
    long = PrivateRecipe(25, 0.5, 1.0, 1e-9, 0.0)
    unit = 0.5 * 20 / (1e9 * 1e-9)

    def walk(recipe: PrivateRecipe, k: int) -> Tensor:
        # The clip silences the data: what remains is the sum of the noise.
        net = trained([0.0, 1e9], recipe)
        return (numbers(net, 2 * k) - numbers(net, 2 * k + 1)) * unit

    assert walk(long, 0).std().item() == pytest.approx(5, rel=0.25)  # √25, not 25
    one, other = walk(still, 0), walk(still, 1)
    assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1].item()) < 0.3


def test_a_pipeline_does_not_depend_on_its_neighbours():
    recipe = PrivateRecipe(5, 0.3, 0.5)
    together = trained([1.0], recipe)
    alone = trained([1.0], recipe, (1,), torch.arange(20, 40)[None])
    torch.testing.assert_close(numbers(together, 1), numbers(alone, 0), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(numbers(together, 0), numbers(together, 1), atol=0.1)


def test_poisson_batches_are_independent_coins():
    drawn = dp.poisson(400, PrivateRecipe(300, 0.2), 3).double()
    assert drawn.mean().item() == pytest.approx(0.2, abs=0.005)
    assert drawn.sum(1).std().item() == pytest.approx(math.sqrt(400 * 0.2 * 0.8), rel=0.15)
    assert drawn.sum(0).std().item() == pytest.approx(math.sqrt(300 * 0.2 * 0.8), rel=0.15)


def test_packing_loses_nobody_and_adds_nobody():
    drawn = torch.stack([dp.poisson(15, PrivateRecipe(8, 0.4), s) for s in (1, 2)])
    rows = 100 + torch.randperm(30, generator=rng()).view(2, 15)
    order, there = dp._packed(drawn, rows)
    assert order.shape == there.shape == (8, 2, int(drawn.sum(2).max()))
    for step in range(8):
        for g in (0, 1):
            assert set(order[step, g][there[step, g]].tolist()) == set(
                rows[g][drawn[g, step]].tolist()
            )


def test_what_cannot_be_private_is_refused():
    images, labels = table(4)
    with pytest.raises(ValueError, match="MLP"):
        net = nets.build("cnn-2", (1, 8, 8), 3, [0])
        dp.fit(
            net, images, labels, torch.arange(4)[None], torch.ones(1), PrivateRecipe(), seeds=[0]
        )
    with pytest.raises(ValueError, match="finite"):
        trained([1.0], PrivateRecipe(clip=math.inf))


# ---- the account


def gaussian_delta(epsilon: float, noise: float) -> float:
    """δ of one Gaussian mechanism, exactly: Balle and Wang (2018), theorem 8."""
    a = 1 / (2 * noise)
    return norm.cdf(a - epsilon * noise) - math.exp(epsilon) * norm.cdf(-a - epsilon * noise)


@pytest.mark.parametrize("noise, steps", [(1.0, 1), (4.0, 10)])
def test_without_sampling_it_is_the_exact_gaussian_mechanism(noise, steps):
    delta = 1e-3
    together = noise / math.sqrt(steps)
    exact = brentq(lambda e: gaussian_delta(e, together) - delta, 0.01, 30)
    recipe = PrivateRecipe(steps, 1.0)
    spent = dp.spent(noise, recipe, delta)
    assert exact <= spent <= exact + 0.03
    assert dp.spent(noise, recipe, delta, "rdp") > spent


def test_more_noise_costs_less_and_more_steps_cost_more():
    recipe = PrivateRecipe(50, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        costs = [dp.spent(s, recipe, 1e-3) for s in (1.0, 2.0, 8.0)]
        more = dp.spent(2.0, PrivateRecipe(100, 0.1), 1e-3)
        often = dp.spent(2.0, PrivateRecipe(50, 0.2), 1e-3)
    assert costs == sorted(costs, reverse=True)
    assert costs[1] < more and costs[1] < often
    assert dp.spent(0.0, recipe, 1e-3) == math.inf


@pytest.mark.parametrize("epsilon", [0.7, 3.0])
def test_noise_for_a_budget_spends_it_and_no_more(epsilon):
    recipe = PrivateRecipe(60, 0.15)
    noise, cost = dp.noise_for(epsilon, recipe, 1e-3)
    assert cost == dp.spent(noise, recipe, 1e-3)
    assert 0.98 * epsilon <= cost <= epsilon


@pytest.mark.parametrize("epsilon, delta", [(0.0, 0.1), (1.0, 0.0), (1.0, 1.0)])
def test_a_budget_out_of_range(epsilon, delta):
    with pytest.raises(ValueError, match="epsilon > 0"):
        dp.noise_for(epsilon, PrivateRecipe(), delta)


# ---- what a budget allows


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 3.0])
def test_the_bound_touches_the_best_attack_on_a_gaussian_and_never_cuts_it(epsilon):
    delta = gaussian_delta(epsilon, 1.0)
    fpr = torch.linspace(1e-4, 0.999, 4000, dtype=torch.float64)
    best = torch.from_numpy(norm.cdf(norm.ppf(fpr.numpy()) + 1))  # optimal: two normals one apart
    slack = dp.tpr_bound(fpr, epsilon, delta) - best
    assert slack.min() >= -1e-9
    assert slack.min() < 1e-3
    area = norm.cdf(1 / math.sqrt(2))
    assert area < dp.auc_bound(epsilon, delta) < 1


def test_the_bound_holds_from_both_sides():
    fpr = torch.tensor([0.0, 0.1, 0.9, 1.0], dtype=torch.float64)
    bound = dp.tpr_bound(fpr, 1.0, 0.01)
    e = math.e
    expected = [0.01, 0.1 * e + 0.01, 1 - (1 - 0.9 - 0.01) / e, 1]
    assert bound.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("epsilon, delta", [(0.0, 0.0), (1.0, 0.0), (2.0, 0.05)])
def test_the_largest_auc_is_the_area_under_the_bound(epsilon, delta):
    fpr = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    area = np.trapezoid(dp.tpr_bound(fpr, epsilon, delta).numpy(), fpr.numpy())
    assert dp.auc_bound(epsilon, delta) == pytest.approx(area, abs=1e-6)
    if not delta:
        assert dp.auc_bound(epsilon, 0) == pytest.approx(1 / (1 + math.exp(-epsilon)))
