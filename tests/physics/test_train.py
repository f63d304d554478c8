"""The loop: training a stack is training its students one by one, with PyTorch's own AdamW."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from synthecon.physics import losses, nets, train
from synthecon.physics.train import Recipe

GROUPS, ARMS, CLASSES = 2, 3, 4
T = torch.tensor([1.0, 2.0, 4.0])  # an arm each
A = torch.tensor([0.0, 0.5, 1.0])
DECAY = torch.tensor([0.0, 0.05, 0.5])
ROWS = [torch.arange(g, 80, GROUPS) for g in range(GROUPS)]


def table(shape, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels, and what a teacher says of each group's images: [G, N, C]."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(80, *shape, generator=generator)
    labels = torch.randint(CLASSES, (80,), generator=generator)
    return images, labels, 2 * torch.randn(GROUPS, 80, CLASSES, generator=generator)


def objective(labels: Tensor, teacher: Tensor):
    hard = F.one_hot(labels, CLASSES).float()

    def loss(out: nets.Output, batch: Tensor) -> Tensor:
        told = teacher[torch.arange(GROUPS)[:, None], batch]
        soft, label = (x.transpose(1, 2).repeat_interleave(ARMS, 0) for x in (told, hard[batch]))
        return losses.distillation(out.logits, soft, label, T.repeat(GROUPS), A.repeat(GROUPS))

    return loss


def one_by_one(net: nn.Module, images, labels, teacher, order, recipe, t, a, decay) -> None:
    """The textbook: one ordinary network, its own loop, PyTorch's losses and AdamW."""
    norms = {id(p) for m in net.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()}
    spared, decayed = [], []
    for key, p in net.named_parameters():
        (spared if key.endswith("bias") or id(p) in norms else decayed).append(p)
    optimizer = torch.optim.AdamW(
        [{"params": decayed}, {"params": spared, "weight_decay": 0.0}], weight_decay=decay
    )
    for step, batch in enumerate(order):
        z = net(images[batch])
        q, p = F.log_softmax(z / t, 1), F.softmax(teacher[batch] / t, 1)
        soft = F.kl_div(q, p, reduction="batchmean")
        loss = (1 - a) * F.cross_entropy(z, labels[batch]) + a * t * t * soft
        optimizer.zero_grad()
        loss.backward()
        cosine = (1 + math.cos(math.pi * step / recipe.steps)) / 2
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * min(1, (step + 1) / recipe.warmup) * cosine
        optimizer.step()
    net.eval()


@pytest.mark.parametrize(
    ("name", "shape", "steps"),
    [("mlp-16", (1, 8, 8), 100), ("cnn-4", (1, 16, 16), 100), ("resnet-2-1", (3, 8, 8), 10)],
)
def test_a_stack_trains_as_its_students_would_alone(twin, name, shape, steps):
    """To 1e-4 in logits.  The rate is low and the ResNet's run short on purpose: an activation
    that rounds to the other side of LeakyReLU's kink sends two right trainings apart."""
    images, labels, teacher = table(shape)
    recipe = Recipe(steps=steps, batch=16, lr=1e-3, warmup=10)
    order = train.batches(ROWS, steps, recipe.batch, [3, 4])
    net = nets.build(name, shape, CLASSES, [3] * ARMS + [4] * ARMS, GROUPS)
    alone = [twin(net, k) for k in range(GROUPS * ARMS)]
    untrained = train.predict(net, images).logits
    net.train()
    train.fit(
        net, images, order, objective(labels, teacher), recipe,
        seeds=[3, 4], weight_decay=DECAY.repeat(GROUPS),
    )  # fmt: skip
    assert not net.training
    found = train.predict(net, images).logits
    for k, one in enumerate(alone):
        g, a = divmod(k, ARMS)
        settings = T[a].item(), A[a].item(), DECAY[a].item()
        one_by_one(one, images, labels, teacher[g], order[:, g], recipe, *settings)
        with torch.no_grad():
            torch.testing.assert_close(found[k].T, one(images), rtol=0, atol=1e-4)
        assert (found[k] - untrained[k]).abs().max() > 1e-2, "they moved, and by far more"


# ---- the order of the images


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=4), st.integers(1, 40), st.integers(1, 20))
def test_every_row_is_seen_equally_often(sizes, steps, batch):
    own = [1000 * g + torch.randperm(size) for g, size in enumerate(sizes)]
    order = train.batches(own, steps, batch, range(len(sizes)))
    assert order.shape == (steps, len(sizes), batch)
    for g, rows in enumerate(own):
        seen, counts = order[:, g].unique(return_counts=True)
        assert torch.isin(seen, rows).all()
        full = steps * batch // len(rows)
        assert counts.max() <= full + 1
        if full:
            assert len(seen) == len(rows)
            assert counts.min() >= full
        # And whole shuffles one after another: no row comes again before all have come.
        first = order[:, g].flatten()[: len(rows)]
        assert len(first.unique()) == len(first)


def test_the_order_depends_on_the_groups_own_seed_alone():
    both = train.batches(ROWS, 7, 5, [3, 4])
    assert torch.equal(both, train.batches(ROWS, 7, 5, [3, 4]))
    assert torch.equal(both[:, 1:], train.batches(ROWS[1:], 7, 5, [4]))
    assert not torch.equal(both, train.batches(ROWS, 7, 5, [4, 3]))
    twice = train.batches([ROWS[0], ROWS[0]], 7, 5, [3, 3])
    assert torch.equal(twice[:, 0], twice[:, 1])
    epochs = train.batches(ROWS[:1], 2, len(ROWS[0]), [3])
    assert not torch.equal(epochs[0], epochs[1]), "each epoch is shuffled anew"


def test_no_order_without_rows():
    with pytest.raises(ValueError, match="without a single image"):
        train.batches([ROWS[0], ROWS[0][:0]], 3, 4, [0, 1])
    with pytest.raises(ValueError):
        train.batches(ROWS, 3, 4, [0])


# ---- augmentation


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("shift", [0, 1, 2])
def test_augment_shifts_fills_with_zeros_and_flips(shift, flip):
    images = torch.rand(2, 9, 3, 5, 4) + 1  # never zero, so that what enters is told apart
    draws = torch.rand(2, 9, 3, generator=torch.Generator().manual_seed(1))
    draws[0, 0], draws[0, 1] = 0.0, 0.999999  # the farthest shifts
    found = train.augment(images, draws, shift, flip)
    for g in range(2):
        for b in range(9):
            down, right = ((draws[g, b, :2] * (2 * shift + 1)).long() - shift).tolist()
            expected = torch.zeros(3, 5, 4)
            for y in range(5):
                for x in range(4):
                    if 0 <= y + down < 5 and 0 <= x + right < 4:
                        expected[:, y, x] = images[g, b, :, y + down, x + right]
            if flip and draws[g, b, 2] < 0.5:
                expected = expected.flip(2)
            assert torch.equal(found[g, b], expected)


def seen_by(recipe: Recipe, seeds=(5, 6)) -> Tensor:
    """The images that reach the network in each step, [steps, G, B, C, H, W]."""
    images, labels, teacher = table((1, 8, 8))
    net = nets.build("mlp-2", (1, 8, 8), CLASSES, [0] * GROUPS * ARMS, GROUPS)
    caught: list[Tensor] = []
    net.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
    order = train.batches(ROWS, recipe.steps, recipe.batch, [3, 4])
    train.fit(net, images, order, objective(labels, teacher), recipe, seeds=seeds)
    return torch.stack(caught), images[order]


def test_fit_feeds_what_the_recipe_says():
    recipe = Recipe(steps=6, batch=8)
    found, raw = seen_by(recipe)
    assert torch.equal(found, raw)
    moving = replace(recipe, shift=1, flip=True)
    found, raw = seen_by(moving)
    every = torch.tensor([[x, y, f] for x in (0, 0.4, 0.9) for y in (0, 0.4, 0.9) for f in (0, 1)])
    views = train.augment(
        raw.flatten(0, 2)[None].repeat_interleave(18, 0), every[:, None].expand(18, 96, 3), 1, True
    )  # [views, images, C, H, W]
    which = (views == found.flatten(0, 2)).flatten(2).all(2)
    assert which.any(0).all(), "each image is one of its own 18 views"
    assert which.float().argmax(0).unique().numel() > 9, "and not always the same"
    again, _ = seen_by(moving)
    assert torch.equal(found, again)
    other, _ = seen_by(moving, seeds=(5, 7))
    assert torch.equal(found[:, 0], other[:, 0]), "a group's draws are its own"
    assert not torch.equal(found[:, 1], other[:, 1])


# ---- the schedule


def test_the_rate_climbs_and_then_falls_to_zero():
    recipe = Recipe(steps=200, lr=0.01, warmup=20)
    rates = [recipe.rate(step) for step in range(200)]
    assert rates[0] == pytest.approx(0.01 / 20)
    assert rates[9] == pytest.approx(0.01 / 2, rel=0.01)
    assert max(rates) == pytest.approx(0.01, rel=0.03)
    assert rates.index(max(rates)) == 19
    assert rates[100] == pytest.approx(0.005)
    assert 0 < rates[-1] < 1e-5
    assert Recipe(steps=200, lr=0.01, warmup=0).rate(0) == pytest.approx(0.01)


# ---- what fit tells, and what it refuses


def short(net: nn.Module, loss=None, steps: int = 60, **options):
    images, labels, teacher = table((1, 8, 8))
    order = train.batches(ROWS, steps, 8, [3, 4])
    loss = loss or objective(labels, teacher)
    options = {"seeds": [3, 4]} | options
    return train.fit(net, images, order, loss, Recipe(steps=steps, batch=8), **options)


def fresh(name: str = "mlp-4") -> nn.Module:
    return nets.build(name, (1, 8, 8), CLASSES, [0] * GROUPS * ARMS, GROUPS)


@pytest.mark.parametrize(("poison", "by"), [(math.nan, 26), (math.inf, 26)])
def test_a_student_that_diverges_is_named(poison, by):
    calls = []

    def loss(out: nets.Output, rows: Tensor) -> Tensor:
        calls.append(1)
        each = out.logits.square().mean((1, 2))
        bad = torch.tensor([0, 0, 0, 0, 1.0, 0]) * (len(calls) >= 10)
        return each + torch.where(bad > 0, poison, 0.0)

    with pytest.raises(train.DivergedError, match=rf"by step {by} for T=4, split 1: lower lr"):
        short(fresh(), loss, names=["a", "b", "c", "d", "T=4, split 1", "e"])
    assert len(calls) == by
    calls.clear()
    with pytest.raises(train.DivergedError, match="for student 4: "):
        short(fresh(), loss)


def test_many_that_diverge_are_counted():
    net = nets.build("mlp-2", (1, 8, 8), CLASSES, [0] * 8, GROUPS)
    with pytest.raises(train.DivergedError, match=r"step 1 for a, student 1.* and 3 more"):
        short(net, lambda out, rows: out.logits.sum((1, 2)) * math.nan, names=["a"])


def test_a_loss_that_turns_bad_in_the_last_step_is_seen():
    calls = []

    def loss(out: nets.Output, rows: Tensor) -> Tensor:
        calls.append(1)
        return out.logits.square().mean((1, 2)) / (len(calls) < 60)

    with pytest.raises(train.DivergedError, match="step 60"):
        short(fresh(), loss)


def test_an_order_for_another_run_is_refused():
    images, labels, teacher = table((1, 8, 8))
    order = train.batches(ROWS, 10, 8, [3, 4])
    for net, steps in ((fresh(), 11), (nets.build("mlp-4", (1, 8, 8), CLASSES, [0]), 10)):
        with pytest.raises(ValueError, match="order"):
            recipe = Recipe(steps=steps, batch=8)
            train.fit(net, images, order, objective(labels, teacher), recipe, seeds=[3, 4])


def test_history_holds_means_since_the_last_checkpoint():
    each: list[Tensor] = []
    _, labels, teacher = table((1, 8, 8))
    inner = objective(labels, teacher)

    def loss(out: nets.Output, rows: Tensor) -> Tensor:
        each.append(inner(out, rows).detach())
        return inner(out, rows)

    history = short(fresh(), loss, every=25, watch=lambda net: len(each))
    assert history.steps == [25, 50, 60]
    assert history.watched == [25, 50, 60]
    for found, (start, end) in zip(history.loss, ((0, 25), (25, 50), (50, 60)), strict=True):
        torch.testing.assert_close(found, torch.stack(each[start:end]).mean(0))
    assert short(fresh()).steps == []


def test_watching_changes_nothing():
    """A look at the students is taken in evaluation mode: batch norm must not notice."""
    images, *_ = table((1, 8, 8))
    alone, watched = fresh("resnet-2-1"), fresh("resnet-2-1")
    short(alone, steps=6)
    short(watched, steps=6, every=2, watch=lambda net: train.predict(net, images))
    for a, b in zip(alone.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_what_belongs_to_the_loss_is_trained_along():
    extra = nn.Parameter(torch.zeros(GROUPS * ARMS))
    short(fresh(), lambda out, rows: (extra - 1).square() + 0 * out.logits.sum((1, 2)),
          extra=[extra], weight_decay=torch.full((6,), 0.5))  # fmt: skip
    assert (extra > 0.05).all()


# ---- predict


@pytest.mark.parametrize("name", ["mlp-4", "cnn-2", "resnet-2-1"])
def test_predictions_do_not_depend_on_the_chunk(name):
    images, *_ = table((1, 8, 8))
    net = fresh(name).train()
    whole = train.predict(net, images)
    assert not net.training
    assert whole.logits.shape == (6, CLASSES, 80)
    for chunk in (1, 33, 80):
        part = train.predict(net, images, chunk=chunk)
        torch.testing.assert_close(part.logits, whole.logits, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(part.hidden, whole.hidden, rtol=1e-4, atol=1e-5)
        assert len(part.maps) == (name != "mlp-4")
        for a, b in zip(part.maps, whole.maps, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    own = torch.stack([ROWS[0][:9], ROWS[1][5:14]])
    for g, rows in enumerate(own):
        found = train.predict(net, images, own, chunk=4).logits[3 * g : 3 * g + 3]
        expected = whole.logits[3 * g : 3 * g + 3][:, :, rows]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    if whole.maps:
        with torch.no_grad():
            maps = net(images.expand(2, *images.shape)).maps
        torch.testing.assert_close(whole.maps[0], losses.attention_map(maps[-1]))


# ---- devices


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert train.pick_device("auto") == train.pick_device("cpu") == torch.device("cpu")
    for name in ("cuda", "cuda:1"):
        with pytest.raises(ValueError, match=rf"device='{name}'.* sees no CUDA .*'cpu' or 'auto'"):
            train.pick_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert train.pick_device("auto") == torch.device("cuda")
    assert train.pick_device("cuda:1") == torch.device("cuda:1")
    assert train.pick_device("cpu") == torch.device("cpu")
