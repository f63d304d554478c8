"""The noise study: what each arm does to a batch, and what the simulated stream counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from torch import Tensor, nn

from synthecon.physics import corrupt, evaluate, nets, noise, train
from synthecon.physics.data import Dataset
from synthecon.physics.nets import Output
from synthecon.physics.noise import Arm
from synthecon.physics.train import Recipe

SHORT = Recipe(steps=40, batch=16, lr=0.01)


def groups(toy: Dataset, seeds=(1, 2, 3), sizes=(60,), repeats=(1,)) -> list[noise.Group]:
    return noise.make_groups(toy, seeds, sizes, repeats, pool=80, test=30)


def disturbed(toy: Dataset, arm: Arm, count: int = 60) -> tuple[Tensor, Tensor, noise.Task]:
    some = groups(toy)
    task = noise.Task(toy, some, arm)
    rows = torch.stack([g.train[:count] for g in some])
    net = nets.build("mlp-16", (1, 8, 8), 4, [1, 2, 3], 3)
    x = toy.images[rows]
    return task.disturb(net, x, rows) - x, rows, task


def test_groups_pair_the_arms_and_keep_their_data_apart(toy):
    some = groups(toy, sizes=(20, 80), repeats=(3, 2))
    assert [(g.seed, g.size) for g in some[:6]] == [(1, 20)] * 3 + [(1, 80)] * 2 + [(2, 20)]
    for g in some:
        assert len(g.train) == g.size and len(g.test) == 30
        assert not set(g.train.tolist()) & set(g.test.tolist())
    one, two, three = (set(g.train.tolist()) for g in some[:3])
    assert not one & two and not two & three and not one & three
    assert set(some[3].train.tolist()) == set(some[4].train.tolist())
    assert len({g.start for g in some}) == 3 * 3  # repeats differ, sizes of a split do not
    assert all(torch.equal(g.test, some[0].test) for g in some[:5])
    with pytest.raises(ValueError, match="sets of 81 images from a pool of 80"):
        groups(toy, sizes=(81,))


def test_the_mean_over_repeats_is_a_splits_own(toy):
    some = groups(toy, sizes=(20,), repeats=(2,))
    values = np.arange(12.0).reshape(2, 6)
    np.testing.assert_allclose(noise.by_split(values, some), [[0.5, 2.5, 4.5], [6.5, 8.5, 10.5]])


@pytest.mark.parametrize("amount", [0.1, 0.4])
def test_noise_on_pixels_has_its_law_and_its_size(toy, amount):
    change = disturbed(toy, Arm("", "gaussian", amount))[0].flatten().numpy() / amount
    assert scipy_stats.kstest(change, "norm").statistic < 0.02
    change = disturbed(toy, Arm("", "uniform", amount))[0].flatten().numpy() / amount
    assert np.abs(change).max() <= 1
    assert scipy_stats.kstest(change, "uniform", (-1, 2)).statistic < 0.02


def test_noise_is_fresh_at_every_step_and_a_groups_own(toy):
    task = noise.Task(toy, groups(toy), Arm("", "gaussian", 1.0))
    alone = noise.Task(toy, groups(toy, seeds=(2,)), Arm("", "gaussian", 1.0))
    x = torch.zeros(3, 4, 1, 8, 8)
    first, second = (task.disturb(None, x, torch.zeros(3, 4).long()) for _ in range(2))
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    own = alone.disturb(None, x[:1], torch.zeros(1, 4).long())
    assert torch.equal(own[0], first[1])


def test_adversarial_arms_stay_in_their_box_and_raise_the_loss(toy):
    net = nets.build("mlp-16", (1, 8, 8), 4, [1, 2, 3], 3)
    some = groups(toy)
    rows = torch.stack([g.train for g in some])
    x, losses = toy.images[rows], {}
    for kind in ("plain", "uniform", "fgsm", "pgd"):
        task = noise.Task(toy, some, Arm("", kind, 0.1))
        hit = task.disturb(net, x, rows)
        assert (hit - x).abs().max() <= 0.1 + 1e-6
        losses[kind] = task.loss(net(hit), rows).mean().item()
    assert losses["plain"] < losses["fgsm"] and losses["uniform"] < losses["fgsm"]
    assert losses["fgsm"] <= losses["pgd"] + 1e-4


def test_mixup_blends_labels_as_it_blends_images(toy):
    change, rows, task = disturbed(toy, Arm("", "mixup"))
    logits = torch.randn(3, 4, 60, generator=torch.Generator().manual_seed(0))
    got = task.loss(Output(logits, logits), rows)
    for g in range(3):
        own, partner, weight = rows[g], task.partner[g], task.weight[g]
        mixed = weight[:, None, None, None] * toy.images[own]
        mixed = mixed + (1 - weight[:, None, None, None]) * toy.images[own[partner]]
        torch.testing.assert_close(change[g] + toy.images[own], mixed)
        y = toy.labels[own]
        expected = weight * F.cross_entropy(logits[g].T, y, reduction="none")
        expected += (1 - weight) * F.cross_entropy(logits[g].T, y[partner], reduction="none")
        assert got[g].item() == pytest.approx(expected.mean().item(), rel=1e-5)
    assert scipy_stats.kstest(task.weight.flatten().numpy(), "uniform").pvalue > 1e-4


@given(st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(2, 10), st.integers(0, 99))
def test_a_share_of_labels_is_wrong(share, classes, seed):
    labels = torch.arange(4000) % classes
    wrong = noise.mislabel(labels, classes, share, seed)
    assert wrong.min() >= 0 and wrong.max() < classes
    assert (wrong != labels).double().mean() == pytest.approx(share, abs=0.04)
    assert torch.equal(wrong, noise.mislabel(labels, classes, share, seed))


def test_label_noise_is_drawn_once(toy):
    task = noise.Task(toy, groups(toy), Arm("", "labels", 0.3))
    rows = torch.arange(120).expand(3, -1)
    right = F.one_hot(toy.labels, 4).T.float().expand(3, -1, -1) * 50
    first, second = (task.loss(Output(right, right), rows) for _ in range(2))
    assert torch.equal(first, second)
    torch.testing.assert_close(first, 50 * (task.labels != toy.labels).float().mean(1))


def forward(name: str, arm: Arm, toy: Dataset) -> tuple[nn.Module, Tensor, Tensor]:
    """A training-mode pass with an arm inside, and one without."""
    net = nets.build(name, (1, 8, 8), 4, [1, 2, 3], 3).train()
    x = toy.images[:50].expand(3, -1, -1, -1, -1)
    bare = net(x).logits
    task = noise.Task(toy, groups(toy), arm)
    with task.inside(net):
        disturbed = net(x).logits
        net.eval()
        assert torch.equal(net(x).logits, bare), "noise belongs to training"
    assert torch.equal(net.train()(x).logits, bare), "the hooks are gone"
    return net, bare, disturbed


@pytest.mark.parametrize("name", ["mlp-12-8", "cnn-3"])
@pytest.mark.parametrize("kind", ["weights", "features", "dropout"])
def test_noise_inside_comes_and_goes(name, kind, toy):
    _, bare, disturbed = forward(name, Arm("", kind, 0.5), toy)
    assert (disturbed - bare).abs().mean() > 0.01


@pytest.mark.parametrize("name", ["mlp-12-8", "cnn-3"])
def test_weight_noise_is_a_network_with_other_weights(name, toy, twin):
    """Not noise on the outputs: all images of a batch meet the same shaken weights."""
    net = nets.build(name, (1, 8, 8), 4, [1, 2, 3], 3).train()
    task = noise.Task(toy, groups(toy), Arm("", "weights", 0.3))
    drawn = []
    take = task.bank.normal
    task.bank.normal = lambda *shape: drawn.append(take(*shape)) or drawn[-1]
    x = toy.images[:9].expand(3, -1, -1, -1, -1)
    with task.inside(net):
        got = net(x).logits
    layers = [m for m in net.modules() if isinstance(m, (nets.StackedLinear, nets.StackedConv))]
    with torch.no_grad():
        for layer, numbers in zip(layers, drawn, strict=True):
            for k in range(3):
                size = layer.weight[k].pow(2).mean().sqrt()
                layer.weight[k] += 0.3 * size * numbers[k]
    for k in range(3):
        torch.testing.assert_close(got[k].T, twin(net, k)(x[k]), rtol=1e-4, atol=1e-5)


def test_dropout_keeps_the_mean_and_drops_its_share(toy):
    task = noise.Task(toy, groups(toy), Arm("", "dropout", 0.3))
    x = torch.full((3, 40, 500), 2.0)
    (out,) = task._stir(nn.Identity().train(), (x,))
    assert (out == 0).double().mean() == pytest.approx(0.3, abs=0.01)
    torch.testing.assert_close(out[out != 0], torch.full_like(out[out != 0], 2 / 0.7))


def test_noise_on_features_is_relative_to_them(toy):
    task = noise.Task(toy, groups(toy), Arm("", "features", 0.5))
    x = torch.tensor([1.0, 10.0, 100.0]).view(3, 1, 1) * torch.ones(3, 40, 500)
    (out,) = task._stir(nn.Identity().train(), (x,))
    spread = (out - x).flatten(1).std(1)
    torch.testing.assert_close(spread, torch.tensor([0.5, 5.0, 50.0]), rtol=0.03, atol=0)


def test_plain_is_plain_training_and_arms_are_paired(toy):
    """The disturbance is the only difference: the plain arm equals the bare training loop."""
    some = groups(toy)
    ours = noise.fit(toy, some, Arm("plain"), "mlp-8", SHORT).net
    net = nets.build("mlp-8", (1, 8, 8), 4, [1, 2, 3], 3)
    order = train.batches([g.train for g in some], SHORT.steps, SHORT.batch, [1, 2, 3])

    def loss(out, rows):
        return F.cross_entropy(out.logits, toy.labels[rows], reduction="none").mean(1)

    train.fit(net, toy.images, order, loss, SHORT, seeds=[1, 2, 3])
    for a, b in zip(ours.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    silent = noise.fit(toy, some, Arm("", "gaussian", 0.0), "mlp-8", SHORT).net
    for a, b in zip(ours.parameters(), silent.parameters(), strict=True):
        assert torch.equal(a, b)
    noisy = noise.fit(toy, some, Arm("", "gaussian", 0.3), "mlp-8", SHORT).net
    again = noise.fit(toy, some[1:2], Arm("", "gaussian", 0.3), "mlp-8", SHORT).net
    first, alone = noisy.layers[0].weight, again.layers[0].weight
    assert not torch.equal(first, ours.layers[0].weight)
    torch.testing.assert_close(first[1], alone[0], rtol=1e-3, atol=1e-4)


def test_scores_are_those_of_an_ordinary_network(toy):
    some = groups(toy, sizes=(20, 60), repeats=(1, 1))
    net = noise.fit(toy, some, Arm("plain"), "mlp-8", SHORT).net
    scores = noise.clean(toy, some, net)
    grid = noise.corrupted(toy, some, [net, net], names=corrupt.NAMES[:2], severities=(1, 5))
    assert grid.shape == (2, 2, 2, 6)
    right = noise.recognised(toy, some, [net], corrupt.NAMES[:2])
    assert right.shape == (1, 2, 6, 6, 30) and right.dtype == bool
    used = torch.stack([g.test for g in some]).unique()
    for k, group in enumerate(some):
        alone = nets.extract(net, k)

        def accuracy(table, rows, alone=alone):
            guess = alone(table).argmax(1)
            return (guess == toy.labels[rows]).double().mean().item()

        assert scores.test[k] == pytest.approx(accuracy(toy.images[group.test], group.test))
        few = group.train[:20]
        assert scores.train[k] == pytest.approx(accuracy(toy.images[few], few))
        where = torch.searchsorted(used, group.test)
        for n, name in enumerate(corrupt.NAMES[:2]):
            spoiled = corrupt.apply(toy.images[used], name, 5, 0)[where]
            assert grid[1, n, 1, k] == pytest.approx(accuracy(spoiled, group.test))
        assert right[0, 1, 0, k].mean() == pytest.approx(scores.test[k])


def test_the_diagram_adds_up_to_the_calibration_error():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(3, 5, 400, generator=generator)
    labels = torch.randint(5, (3, 400), generator=generator)
    bins = noise.reliability(logits, labels, 10)
    torch.testing.assert_close(bins[0].sum(1), torch.ones(3))
    torch.testing.assert_close(bins[2].sum(1), evaluate.accuracy(logits, labels))
    error = (bins[1] - bins[2]).abs().sum(1)
    torch.testing.assert_close(error, evaluate.calibration_error(logits, labels, 10))
    top = logits[0].softmax(0).max(0).values
    inside = (top > 0.4) & (top <= 0.5)
    assert bins[0, 0, 4] == pytest.approx(inside.double().mean().item())
    assert bins[1, 0, 4] == pytest.approx(top[inside].sum().item() / 400, rel=1e-5)


def test_an_archive_holds_what_the_drift_has_shown_so_far(toy):
    names = ("contrast", "brightness")
    made = noise.drifted(toy.images, names, 2, 0)
    kinds = torch.stack(
        [toy.images, *(corrupt.apply(toy.images, n, s, 0) for n in names for s in (1, 2))]
    )
    matches = (made == kinds).flatten(2).all(2)
    assert matches.any(0).all()
    shares = matches.double().mean(1)
    assert shares[0] == pytest.approx(1 / 3, abs=0.15)
    assert (shares[1:] > 0.05).all()
    assert torch.equal(noise.drifted(toy.images, names, 0, 0), toy.images)


PLAN = {"months": 6, "window": 50, "floor": 0.5, "streams": 4, "seed": 0}


def test_a_network_that_is_never_wrong_triggers_nothing():
    right = np.ones((6, 2, 6, 3, 20), dtype=bool)
    seen = noise.stream(right, **PLAN)
    assert seen.audits.shape == (3, 4, 6) and not seen.triggers.any()
    np.testing.assert_allclose(seen.severity, [0, 1, 2, 3, 4, 5])
    assert noise.stream(~right, **PLAN).triggers.all()


def test_a_retrain_serves_from_the_next_month_on():
    """Networks that know severities up to the one they were trained for, and no other."""
    right = np.zeros((6, 1, 6, 1, 8), dtype=bool)
    for level in range(6):
        right[level, :, : level + 1] = True
    seen = noise.stream(right, **PLAN)
    # Severity rises by one a month: every month finds a network that is one behind.
    assert seen.triggers[0, 0].tolist() == [False, True, True, True, True, True]
    # At half the pace, the month at half a severity has half of its images wrong: good enough.
    slow = noise.stream(right, **(PLAN | {"months": 11, "window": 4000, "floor": 0.3}))
    np.testing.assert_allclose(slow.audits[0, 0, :6], [1, 0.5, 0, 0.5, 0, 0.5], atol=0.05)
    assert slow.triggers[0, 0, :6].tolist() == [False, False, True, False, True, False]
    # Without a ladder nothing gets better: all months beyond severity 0 stay bad.
    left_alone = noise.stream(right[:1], **PLAN)
    assert left_alone.triggers[0, 0].tolist() == [False] + [True] * 5


def test_a_retrain_counts_once_for_each_severity():
    alarms = np.array([[[0, 1, 1, 0, 1, 1, 0], [0, 0, 0, 1, 0, 0, 0], [0] * 7]], dtype=bool)
    severity = np.array([0, 0.5, 1, 1.5, 2, 2.5, 3])  # trained for 1, 1, 2, 2, 3, 3
    seen = noise.Stream(severity, np.zeros(alarms.shape), alarms)
    assert noise.retrains(seen).tolist() == [[3, 1, 0]]
    assert (noise.retrains(seen) <= alarms.sum(-1)).all()


@settings(max_examples=20)
@given(st.floats(0.3, 0.99), st.integers(0, 99))
def test_the_number_of_triggers_follows_the_binomial(share, seed):
    """Each month is an audit of `window` draws with replacement."""
    rng = np.random.default_rng(seed)
    right = rng.random((1, 1, 6, 1, 1000)) < share
    right[:] = right[:, :, :1]
    plan = {"months": 40, "window": 30, "floor": 0.8, "streams": 60, "seed": seed}
    seen = noise.stream(right, **plan)
    expected = scipy_stats.binom.cdf(23, 30, right[0, 0, 0, 0].mean())  # fewer than 24 of 30
    off = 5 * (expected * (1 - expected) / 2400) ** 0.5 + 1e-3
    assert seen.triggers.mean() == pytest.approx(expected, abs=off)


def test_two_arms_are_audited_on_the_same_images():
    rng = np.random.default_rng(0)
    right = rng.random((6, 2, 6, 3, 20)) < 0.7
    one, same = (noise.stream(right, **PLAN) for _ in range(2))
    np.testing.assert_array_equal(one.audits, same.audits)
    better = right.copy()
    better[:, :, :, 0] = True
    other = noise.stream(better, **PLAN)
    np.testing.assert_array_equal(one.audits[1:], other.audits[1:])
    assert (other.audits[0] == 1).all()


def test_a_time_is_measured(toy):
    trained = noise.fit(toy, groups(toy), Arm("plain"), "mlp-4", replace(SHORT, steps=2))
    assert trained.seconds > 0 and trained.arm.name == "plain"
