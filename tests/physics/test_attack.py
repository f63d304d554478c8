"""Attacks on a stack: against a plain loop on one network, and what no attack may do."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthecon.physics import attack, nets, train
from synthecon.physics.data import Dataset
from synthecon.physics.train import Recipe


def stack(name: str = "mlp-12-8", count: int = 3, shape=(1, 8, 8)) -> torch.nn.Module:
    return nets.build(name, shape, 4, list(range(5, 5 + count)), count)


def batch(groups: int, count: int, shape=(1, 8, 8), seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(groups, count, *shape, generator=generator)
    x = (x - 0.4).clamp(min=0) / 0.6  # many black pixels
    return x, torch.randint(4, (groups, count), generator=generator)


def brute_force(net, x, y, epsilon, steps, start) -> Tensor:
    """One ordinary network, one image at a time."""
    out = []
    for image, label, offset in zip(x, y, start, strict=True):
        now = (image + offset).clamp(0, 1)
        for _ in range(steps):
            leaf = now.clone().requires_grad_()
            F.cross_entropy(net(leaf[None]), label[None]).backward()
            now = now + 2.5 * epsilon / steps * leaf.grad.sign()
            now = torch.minimum(torch.maximum(now, image - epsilon), image + epsilon)
            now = now.clamp(0, 1).detach()
        out.append(now)
    return torch.stack(out)


@pytest.mark.parametrize("name", ["mlp-12-8", "cnn-3", "resnet-3-1"])
def test_the_stack_is_attacked_like_each_network_alone(name, twin):
    net, (x, y) = stack(name).double(), batch(3, 6)
    x = x.double()
    start = (2 * torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) - 1) * 0.1
    hit = attack.pgd(net, x, y, 0.1, steps=4, start=start.double())
    quick = attack.fgsm(net, x, y, 0.1)
    net.eval()
    for k in range(3):
        alone = twin(net, k).double().eval()
        ours = brute_force(alone, x[k], y[k], 0.1, 4, start[k].double())
        torch.testing.assert_close(hit[k], ours)
        one = brute_force(alone, x[k], y[k], 0.1 / 2.5, 1, torch.zeros_like(start[k]))
        torch.testing.assert_close((quick[k] - x[k]).sign(), (one - x[k]).sign())


@settings(max_examples=30)
@given(st.floats(0, 0.6), st.integers(1, 5), st.integers(0, 9))
def test_no_attack_leaves_the_box(epsilon, steps, seed):
    net, (x, y) = stack(count=2), batch(2, 5, seed=seed)
    for hit in (
        attack.fgsm(net, x, y, epsilon),
        attack.pgd(net, x, y, epsilon, steps=steps, seed=seed),
        attack.pgd(net, x, y, epsilon, steps=steps, start=torch.full_like(x, 9.0)),
    ):
        assert hit.min() >= 0 and hit.max() <= 1
        assert (hit - x).abs().max() <= epsilon + 1e-6
        assert not hit.requires_grad


def test_fgsm_moves_every_pixel_that_it_can_by_epsilon():
    net, (x, y) = stack(), batch(3, 6)
    moved = (attack.fgsm(net, x, y, 0.1) - x).abs()
    room = (x >= 0.1) & (x <= 0.9)
    torch.testing.assert_close(moved[room], torch.full_like(moved[room], 0.1))


def test_a_black_pixel_comes_back_from_beyond_black():
    """The gradient must not pass through a clamp: a linear network wants every pixel brighter."""
    net = nets.build("mlp-2", (1, 4, 4), 2, [0], 1)
    with torch.no_grad():
        net.layers[0].weight.copy_(torch.stack([torch.ones(16), -torch.ones(16)])[None])
        net.layers[1].weight.copy_(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    x, y = torch.zeros(1, 3, 1, 4, 4), torch.ones(1, 3, dtype=torch.int64)
    hit = attack.pgd(net, x, y, 0.1, steps=10, start=torch.full_like(x, -0.1))
    torch.testing.assert_close(hit, torch.full_like(x, 0.1))


@pytest.fixture
def trained(toy: Dataset) -> torch.nn.Module:
    net = nets.build("mlp-16", (1, 8, 8), 4, [1, 2, 3], 3)
    recipe = Recipe(steps=80, batch=16, lr=0.01)
    order = train.batches([torch.arange(80)] * 3, recipe.steps, recipe.batch, [1, 2, 3])

    def loss(out, rows):
        return F.cross_entropy(out.logits, toy.labels[rows], reduction="none").mean(1)

    train.fit(net, toy.images, order, loss, recipe, seeds=[1, 2, 3])
    return net


def test_pgd_is_at_least_as_strong_as_fgsm_and_fgsm_as_nothing(trained, toy):
    rows = torch.arange(80, 120).expand(3, -1)
    table = (trained, toy.images, rows, toy.labels)
    sizes = (0.0, 0.02, 0.05, 0.1)
    strong = attack.accuracy(*table, sizes, steps=20)
    quick = attack.accuracy(*table, sizes, steps=0)
    assert strong.shape == (4, 3)
    assert (strong.mean(1) <= quick.mean(1) + 1e-6).all()
    assert (quick <= quick[0] + 1e-6).all()
    assert quick[0].mean() > 0.9 and strong[-1].mean() < 0.5
    assert (strong.mean(1).diff() <= 1e-6).all()
    logits = train.predict(trained, toy.images, rows).logits
    clean = (logits.argmax(1) == toy.labels[rows]).float().mean(1)
    torch.testing.assert_close(strong[0], clean)
    chunked = attack.accuracy(*table, sizes, steps=0, chunk=7)
    torch.testing.assert_close(chunked, quick)


def test_an_attack_leaves_no_trace(trained, toy):
    for mode in (True, False):
        trained.train(mode)
        before = [p.clone() for p in trained.parameters()]
        random = torch.random.get_rng_state()
        x, y = toy.images[:6].expand(3, -1, -1, -1, -1), toy.labels[:6].expand(3, -1)
        attack.pgd(trained, x, y, 0.1, steps=2)
        assert trained.training is mode
        assert torch.equal(random, torch.random.get_rng_state())
        for p, was in zip(trained.parameters(), before, strict=True):
            assert torch.equal(p, was)


def test_batch_norm_does_not_learn_from_an_attack():
    net, (x, y) = stack("resnet-3-1").train(), batch(3, 6)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    attack.fgsm(net, x, y, 0.1)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_what_is_refused():
    x, y = batch(1, 2)
    shared = nets.build("mlp-4", (1, 8, 8), 4, [0, 1], 1)
    with pytest.raises(ValueError, match="2 arms share a group's images"):
        attack.fgsm(shared, x, y, 0.1)
    with pytest.raises(ValueError, match=r"epsilon=-0\.1: must not be negative"):
        attack.pgd(stack(count=1), x, y, -0.1)
    with pytest.raises(ValueError, match="steps=0: PGD takes at least one"):
        attack.pgd(stack(count=1), x, y, 0.1, steps=0)
