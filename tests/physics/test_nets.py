"""A stack is as many ordinary networks, and nothing crosses from one to another."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from synthecon.physics import nets

KINDS = [
    ("mlp-5", (1, 8, 8)),
    ("mlp-6-4", (2, 4, 6)),
    ("cnn-2", (1, 8, 8)),
    ("cnn-3", (3, 16, 16)),
    ("resnet-2-1", (3, 8, 8)),
    ("resnet-2-2", (1, 8, 8)),
]
every_kind = pytest.mark.parametrize(("name", "shape"), KINDS)
CLASSES = 3


def stack(name: str, shape, seeds=(0, 1, 2, 3, 4, 5), groups: int = 2) -> nn.Module:
    """A stack in evaluation mode whose every number is its own: biases and batch norms too."""
    net = nets.build(name, shape, CLASSES, list(seeds), groups)
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * torch.rand(p.shape, generator=generator))
        for key, value in net.named_buffers():
            if key.endswith(("mean", "var")):
                value.add_(torch.rand(value.shape, generator=generator))
    return net.eval()


def images(shape, groups: int = 2, batch: int = 7) -> torch.Tensor:
    return torch.rand(groups, batch, *shape, generator=torch.Generator().manual_seed(3))


@every_kind
@pytest.mark.parametrize("training", [False, True])
def test_each_student_is_the_ordinary_network(twin, name, shape, training):
    net, x = stack(name, shape).train(training), images(shape)
    ordinary = [twin(net, k) for k in range(6)]
    out = net(x)
    for k, one in enumerate(ordinary):
        body, head = one[:-1], one[-1]
        hidden = body(x[k // 3])
        torch.testing.assert_close(out.logits[k].T, head(hidden), rtol=1e-4, atol=1e-5)
        if name.startswith("cnn"):  # hidden: channel means, where the head reads every pixel
            hidden = one[:-2](x[k // 3]).mean((2, 3))
        torch.testing.assert_close(out.hidden[k].T, hidden, rtol=1e-4, atol=1e-5)
    # Training mode: each student's batch norm has seen its own channels only.
    for k, one in enumerate(ordinary):
        for mine, its in zip(_norms(net), _norms(one), strict=True):
            mean, var = mine.running_mean.view(6, -1)[k], mine.running_var.view(6, -1)[k]
            torch.testing.assert_close(mean, its.running_mean)
            torch.testing.assert_close(var, its.running_var)


def _norms(net: nn.Module) -> list[nn.Module]:
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


def test_maps_are_the_feature_maps_of_each_student(twin):
    net, x = stack("cnn-3", (3, 16, 16)), images((3, 16, 16))
    found = net(x).maps
    for k in range(6):
        one = twin(net, k)
        for maps, depth in zip(found, (3, 6), strict=True):
            torch.testing.assert_close(maps[:, k], one[:depth](x[k // 3]), rtol=1e-4, atol=1e-5)
    assert net(x).maps[0].shape == (7, 6, 3, 8, 8)
    assert stack("mlp-5", (1, 8, 8))(images((1, 8, 8))).maps == ()
    assert len(stack("resnet-2-1", (3, 8, 8))(images((3, 8, 8))).maps) == 3


@every_kind
def test_no_gradient_crosses_between_students(name, shape):
    net = stack(name, shape).train()
    net(images(shape)).logits[4].square().sum().backward()
    for key, p in net.named_parameters():
        size = p.grad.reshape(6, -1).abs().sum(1)
        assert size[[0, 1, 2, 3, 5]].tolist() == [0] * 5, key
        assert size[4] > 0, key


@every_kind
def test_arms_that_share_a_batch_equal_arms_with_a_copy_each(name, shape):
    shared, x = stack(name, shape), images(shape)
    apart = nets.build(name, shape, CLASSES, [0] * 6, groups=6).eval()
    apart.load_state_dict(shared.state_dict())
    copies = apart(x.repeat_interleave(3, 0)).logits
    torch.testing.assert_close(shared(x).logits, copies, rtol=1e-4, atol=1e-5)


@every_kind
def test_the_seed_decides_the_weights_and_neighbours_do_not(name, shape):
    three = nets.build(name, shape, CLASSES, [5, 8, 5]).state_dict()
    alone = nets.build(name, shape, CLASSES, [8]).state_dict()
    for key, value in three.items():
        if value.dim() > 1:
            assert torch.equal(value[1:2], alone[key]), key
            assert torch.equal(value[0], value[2]), key
            if key.endswith("weight"):
                assert not torch.equal(value[0], value[1]), key
            else:
                assert not value.any(), "biases begin at zero"


def test_layers_of_one_shape_are_drawn_apart():
    for name, shape in (("mlp-9-9-9", (1, 3, 3)), ("resnet-4-3", (4, 4, 4))):
        parameters = nets.build(name, shape, 9, [0]).parameters()
        weights = [p for p in parameters if p.dim() > 2 and p.any()]
        for i, a in enumerate(weights):
            assert not any(a.shape == b.shape and torch.equal(a, b) for b in weights[:i])


def test_weights_fill_the_kaiming_range():
    gain = nn.init.calculate_gain("leaky_relu", nets.SLOPE)
    net = nets.build("cnn-8", (3, 16, 16), 10, [0])
    for layer, fan_in in ((net.conv1, 27), (net.conv2, 72), (net.head, 256)):
        bound = gain * math.sqrt(3 / fan_in)
        assert 0.95 * bound < layer.weight.abs().max() <= bound


@every_kind
def test_extract_is_the_student_and_no_stack(twin, name, shape):
    net, x = stack(name, shape), images(shape)
    for k in (0, 4):
        one = nets.extract(net, k)
        assert not one.training
        torch.testing.assert_close(one(x[0]), twin(net, k)(x[0]), rtol=1e-4, atol=1e-5)
        count = sum(p.numel() for p in one.parameters())
        assert count == sum(p.numel() for p in twin(net, k).parameters())
        if not name.startswith("resnet"):
            assert isinstance(one, nn.Sequential)
            assert not any(type(m).__module__ == nets.__name__ for m in one.modules())
        with torch.no_grad():
            before = net(x).logits.clone()
            next(one.parameters()).add_(1.0)
            assert torch.equal(net(x).logits, before), "the copy is a copy"


def test_parameters_of_the_digits_student_by_hand():
    student = nets.extract(nets.build("mlp-16", (1, 8, 8), 10, [0]), 0)
    assert sum(p.numel() for p in student.parameters()) == 64 * 16 + 16 + 16 * 10 + 10 == 1210


@every_kind
def test_take_keeps_the_order_and_deals_anew(name, shape):
    net, x = stack(name, shape), images(shape, groups=1)
    all_of_them = net(x.expand(2, *x.shape[1:])).logits
    chosen = [5, 0, 3, 3]
    for groups in (1, 2, 4):
        part = nets.take(net, chosen, groups)
        assert (part.groups, part.arms, part.training) == (groups, 4 // groups, False)
        found = part(x.expand(groups, *x.shape[1:])).logits
        torch.testing.assert_close(found, all_of_them[chosen], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("students", [[6], [0, -1]])
def test_take_refuses_students_that_are_not_there(students):
    with pytest.raises(ValueError, match="of 6: numbers run from 0"):
        nets.take(stack("mlp-5", (1, 8, 8)), students)


def test_single_wraps_one_student_only():
    with pytest.raises(ValueError, match="one student"):
        nets.Single(stack("mlp-5", (1, 8, 8)))
    net = stack("resnet-2-1", (1, 8, 8), seeds=[3], groups=1)
    x = images((1, 8, 8), groups=1)
    assert torch.equal(nets.Single(net)(x[0]), net(x).logits[0].T)


@pytest.mark.parametrize(
    "name",
    ["", "mlp", "mlp-", "mlp-0", "mlp-x", "mlp--4", "cnn-8-8", "resnet-4", "vit-8", "resnet-4-0"],
)
def test_unknown_networks_are_refused(name):
    with pytest.raises(ValueError, match=r"unknown network .* write mlp-16"):
        nets.build(name, (1, 8, 8), 10, [0])


@pytest.mark.parametrize(("seeds", "groups"), [([], 1), ([1, 2, 3], 2)])
def test_students_must_fill_the_groups(seeds, groups):
    with pytest.raises(ValueError, match="cannot be dealt"):
        nets.build("mlp-4", (1, 8, 8), 10, seeds, groups)
