"""Repairs of a shifted model: their alignment, their worth in labels, and who learns from what."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from synthecon import stats
from synthecon.physics import bridge, corrupt, shift, synth, train
from synthecon.physics.bridge import Parts, Plan
from synthecon.physics.data import Dataset
from synthecon.physics.train import Recipe

SHAPE = (1, 3, 4)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def correlated(count: int, seed: int, centre: float, shape: tuple[int, ...] = SHAPE):
    p = math.prod(shape)
    mix = torch.randn(p, p, generator=rng(seed + 100)) / p**0.5
    return (centre + 0.1 * torch.randn(count, p, generator=rng(seed)) @ mix).view(count, *shape)


def toy(count: int = 240, classes: int = 3) -> Dataset:
    """Classes that a small network tells apart: each has a bright corner of its own."""
    labels = torch.arange(count) % classes
    images = 0.2 * torch.rand(count, 1, 4, 4, generator=rng())
    images[torch.arange(count), 0, labels, labels] += 0.7
    return Dataset("toy", images, labels, None, tuple("abcdefgh")[:classes], "made up", "0")


# ---- CORAL


@pytest.mark.parametrize("ridge", [0.01, 0.5])
def test_coral_is_scipys_square_roots(ridge):
    source, target = correlated(200, 1, 0.4), correlated(150, 2, 0.6)
    x, y = (z.flatten(1).double().numpy() for z in (source, target))

    def covariance(z):
        c = np.cov(z.T, bias=True)
        return c + ridge * np.diag(c).mean() * np.eye(len(c))

    whiten = np.linalg.inv(scipy.linalg.sqrtm(covariance(x)).real)
    colour = scipy.linalg.sqrtm(covariance(y)).real
    expected = (x - x.mean(0)) @ whiten @ colour + y.mean(0)
    moved = bridge.coral(source, target, ridge)
    assert moved.shape == source.shape
    assert moved.dtype == torch.float32
    np.testing.assert_allclose(moved.flatten(1).numpy(), expected, atol=1e-5)


def test_coral_gives_the_source_the_targets_moments():
    source, target = correlated(400, 1, 0.4), correlated(300, 2, 0.6)
    moved = bridge.coral(source, target, 1e-6).flatten(1).double()
    flat = target.flatten(1).double()
    torch.testing.assert_close(moved.mean(0), flat.mean(0), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        torch.cov(moved.T, correction=0), torch.cov(flat.T, correction=0), atol=1e-4, rtol=0
    )


def test_coral_undoes_what_happens_alike_to_all_images_and_survives_dead_pixels():
    source = correlated(300, 1, 0.5)
    source[:, 0, 0, 0] = 0.0  # a pixel that never varies
    moved = bridge.coral(source, 0.3 * source + 0.2, 1e-6)
    torch.testing.assert_close(moved, 0.3 * source + 0.2, atol=1e-4, rtol=0)
    assert bridge.coral(source, source + 0.1, 0.1).isfinite().all()


# ---- reweighting


def test_reweighted_draws_have_the_wanted_shares():
    labels = torch.tensor([0] * 50 + [1] * 30 + [2] * 20 + [0, 1, 2] * 10)
    rows = torch.arange(100)  # and none of the last thirty
    shares = torch.tensor([0.1, 0.2, 0.7])
    drawn = bridge.reweighted(labels, rows, shares, 20_000, rng())
    assert set(drawn.tolist()) == set(range(100))
    found = labels[drawn].bincount(minlength=3) / len(drawn)
    torch.testing.assert_close(found, shares, atol=0.015, rtol=0)


def test_a_class_that_is_not_there_cannot_be_drawn():
    labels = torch.tensor([0, 0, 1, 2])
    drawn = bridge.reweighted(labels, torch.arange(3), torch.tensor([0.2, 0.2, 0.6]), 500, rng())
    assert set(labels[drawn].tolist()) == {0, 1}


# ---- worth

LABELS = (0, 10, 100, 1000)


@pytest.mark.parametrize(
    ("reached", "expected"),
    [
        (50.0, 0),  # as good as nothing
        (40.0, 0),  # worse than nothing
        (70.0, 10),
        (80.0, 100),
        (90.0, 1000),
        (99.0, 1000),  # better than all that could be bought
        (75.0, math.exp((math.log(11) + math.log(101)) / 2) - 1),
    ],
)
def test_worth_by_hand(reached, expected):
    assert bridge.invert(np.array([50.0, 70, 80, 90]), LABELS, reached) == pytest.approx(expected)


def test_a_dent_in_the_curve_is_ironed_out():
    """As scikit-learn's isotonic regression does; 66 lies on the rise from 0 to 10 labels."""
    curve = np.array([50.0, 72, 68, 90])
    flat = IsotonicRegression().fit_transform(np.arange(4), curve)
    part = (66 - flat[0]) / (flat[1] - flat[0])
    assert bridge.invert(curve, LABELS, 66.0) == pytest.approx(math.expm1(part * math.log(11)))
    assert bridge.invert(curve, LABELS, 70.0) == pytest.approx(10)  # where the flat part begins


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=4, max_size=4), st.floats(0, 100), st.floats(0, 100))
def test_more_accuracy_is_never_worth_less(curve, one, other):
    low, high = sorted((one, other))
    values = [bridge.invert(np.array(curve), LABELS, x) for x in (low, high)]
    assert 0 <= values[0] <= values[1] <= 1000 * (1 + 1e-9)


def curves(splits: int = 12, noise: float = 1.0, seed: int = 0):
    generator = np.random.default_rng(seed)
    true = np.array([50.0, 70, 80, 90])
    curve = true + noise * generator.normal(size=(splits, 4))
    return curve, 75 + noise * generator.normal(size=splits)


@pytest.mark.parametrize(
    ("lift", "ratio", "wider"), [(0.0, 0.4, "corrected t"), (-25.5, 3.0, "bootstrap")]
)
def test_the_estimate_inverts_the_mean_and_its_interval_is_the_wider_of_two(lift, ratio, wider):
    """Near the end of the curve half of the splits sit on the bound, and t believes them."""
    curve, reached = curves()
    reached = reached + lift
    found = bridge.worth(curve, LABELS, reached, ratio=ratio)
    value = bridge.invert(curve.mean(0), LABELS, reached.mean())
    assert found.interval.value == pytest.approx(value)
    each = [bridge.invert(c, LABELS, r) for c, r in zip(curve, reached, strict=True)]
    own = stats.paired(np.log1p(each), ratio=ratio)
    # The bootstrap, written down again: splits with their curves, stretched on log(1 + k).
    generator, drawn = np.random.default_rng(0), []
    for pick in generator.integers(12, size=(2000, 12)):
        theirs = bridge.invert(curve[pick].mean(0), LABELS, reached[pick].mean())
        drawn.append(np.log1p(theirs))
    stretched = np.log1p(value) + math.sqrt(1 + 12 * ratio) * (np.array(drawn) - np.log1p(value))
    low, high = np.quantile(stretched, [0.025, 0.975])
    assert found.interval.low == pytest.approx(max(0, math.expm1(min(low, own.low))))
    assert found.interval.high == pytest.approx(math.expm1(max(high, own.high)))
    assert (high > own.high + 0.05) == (wider == "bootstrap")
    assert (found.interval.level, found.interval.n) == (0.95, 12)


def test_the_curves_own_error_counts():
    """Exactly the same accuracy in every split: all that varies is the curve."""
    curve, _ = curves()
    found = bridge.worth(curve, LABELS, np.full(12, 75.0), ratio=0.0).interval
    assert found.low < 0.97 * found.value
    assert found.high > 1.03 * found.value


def test_splits_are_drawn_together_with_their_curve():
    """Easy and hard splits that lift curve and repair alike leave the worth as certain as before;
    drawn apart, they would not."""
    lift = np.linspace(-8, 8, 12)
    curve = np.array([50.0, 70, 80, 90]) + lift[:, None]
    found = bridge.worth(curve, LABELS, 75 + lift, ratio=0.3).interval
    assert found.low == pytest.approx(found.value)
    assert found.high == pytest.approx(found.value)


def test_bounds_are_said_to_be_bounds():
    curve = np.tile([50.0, 70, 80, 90], (4, 1))
    found = bridge.worth(curve, LABELS, np.array([45.0, 75, 95, 99]), ratio=0.2)
    assert (found.at_zero, found.at_end) == (0.25, 0.5)
    assert found.interval.high == pytest.approx(1000)
    worthless = bridge.worth(curve, LABELS, np.full(4, 40.0), ratio=0.2)
    assert (worthless.interval.value, worthless.interval.high) == (0, 0)
    assert worthless.at_zero == 1


def test_splits_that_share_images_make_it_wider():
    curve, reached = curves()
    wide, narrow = (bridge.worth(curve, LABELS, reached, ratio=r).interval for r in (0.5, 0.0))
    assert wide.low < narrow.low < narrow.high < wide.high


# ---- worlds


def splits_of(data: Dataset, count: int = 2) -> tuple[Parts, ...]:
    return bridge.parts(data, range(count), 90, 60, 30, 0)


def test_parts_are_disjoint():
    data = toy()
    for part in splits_of(data):
        rows = torch.cat([part.source, part.target, part.validation, part.test])
        assert rows.sort().values.tolist() == list(range(240))
        assert [len(r) for r in (part.source, part.target, part.validation)] == [90, 60, 30]


def test_the_table_hands_out_rows_that_stay():
    data = toy(6)
    table = bridge.Table(data)
    one = table.add(data.images[:2] / 2, torch.tensor([2, 1]))
    table.whole()
    two = table.add(data.images[:3] / 3, torch.tensor([0, 0, 1]))
    images, labels = table.whole()
    assert torch.equal(images[one], data.images[:2] / 2)
    assert torch.equal(images[two], data.images[:3] / 3)
    assert labels[torch.cat([one, two])].tolist() == [2, 1, 0, 0, 1]
    with pytest.raises(ValueError, match="2 images, but 1 labels"):
        table.add(data.images[:2], torch.tensor([0]))


def test_a_corrupted_world_shows_the_same_rows_corrupted():
    data = toy()
    splits, table = splits_of(data), bridge.Table(data)
    world = bridge.corrupted(table, data, splits, "contrast", "rotate", 3, seed=5)
    images, labels = table.whole()
    there = corrupt.apply(data.images, "contrast", 3, 5)
    for n, s in enumerate(splits):
        assert torch.equal(world.source[n], s.source)
        for rows, own in ((world.target[n], s.target), (world.test[n], s.test)):
            assert torch.equal(images[rows], there[own])
            assert torch.equal(labels[rows], data.labels[own])
        groups = shift.ink_groups(data.images, data.labels, s.source)  # of the clean images
        assert torch.equal(world.groups[n], groups[s.test])
        assert torch.equal(bridge.stroke_groups(data, splits)[n], groups)
    assert (world.recipe, world.wrong) == (("contrast",), ("rotate",))


def test_another_data_set_as_a_world():
    data, there = toy(), toy(400)
    splits, table = splits_of(data), bridge.Table(data)
    world = bridge.elsewhere(table, splits, there, ["rotate"], ["contrast"])
    for n, s in enumerate(splits):
        assert len(world.target[n]) == len(s.target)
        assert len(world.test[n]) == len(s.test)
        assert not set(world.target[n].tolist()) & set(world.test[n].tolist())
        assert min(world.target[n].min(), world.test[n].min()) >= len(data.labels)
        mine = shift.ink_groups(there.images, there.labels, world.target[n] - len(data.labels))
        assert torch.equal(world.groups[n], mine[world.test[n] - len(data.labels)])
    with pytest.raises(ValueError, match="4 classes, not 3"):
        bridge.elsewhere(table, splits, toy(400, 4), [], [])


def test_a_tilted_world_leans_one_way_at_home_and_the_other_there():
    data = toy(1200)
    splits = bridge.parts(data, range(3), 500, 300, 100, 0)
    world = bridge.tilted(data, splits, [data.labels] * 3, "label", 4)
    for n, s in enumerate(splits):
        for rows, own in zip(
            (world.source[n], world.target[n], world.test[n]),
            (s.source, s.target, s.test),
            strict=True,
        ):
            assert set(rows.tolist()) <= set(own.tolist())
            assert len(rows) == len(own) // 4
        at_home, there = (
            data.labels[r].bincount(minlength=3) for r in (world.source[n], world.test[n])
        )
        assert at_home[0] > 2 * at_home[2]
        assert there[2] > 2 * there[0]


# ---- students


def job(arm, first, second, tests, world="", split=0, seed=3, on=("home",)):
    return bridge.Job(arm, world, split, seed, first, second, on, tests)


def test_a_student_of_a_stack_is_the_student_alone_and_is_scored_on_its_rows():
    data = toy()
    table = bridge.Table(data)
    (s, _) = splits_of(data)
    jobs = [
        job("a", s.source, s.source, s.test[None]),
        job("b", s.source, s.target, torch.stack([s.test, s.validation.repeat(2)]), on=("x", "y")),
        job("c", s.source, s.target[:1], s.test[None], split=1, seed=4),
    ]
    recipe = Recipe(30, 16, 0.02)
    all_at_once = bridge.fit(table, jobs, "mlp-8", recipe)
    alone = bridge.fit(table, [jobs[2]], "mlp-8", recipe)
    by_two = bridge.fit(table, jobs, "mlp-8", recipe, at_once=1)
    assert torch.equal(all_at_once.guesses[2], alone.guesses[0])
    for n, one in enumerate(jobs):
        assert torch.equal(all_at_once.guesses[n], by_two.guesses[n])
        assert all_at_once.guesses[n].shape == one.tests.shape
        right = all_at_once.guesses[n] == data.labels[one.tests]
        assert torch.equal(all_at_once.hits[n], right)
    assert all_at_once.accuracy("a", "home").mean() > 60
    assert all_at_once.train_seconds > 0
    with pytest.raises(ValueError, match="odd"):
        bridge.fit(table, jobs, "mlp-8", Recipe(2, 15))


def test_each_half_of_a_batch_comes_from_its_own_list(monkeypatch):
    data = toy()
    table = bridge.Table(data)
    (s, _) = splits_of(data)
    orders = []
    real = train.fit
    monkeypatch.setattr(
        bridge.train,
        "fit",
        lambda net, x, order, *a, **k: orders.append(order) or real(net, x, order, *a, **k),
    )
    bridge.fit(table, [job("k", s.source, s.target[:3], s.test[None])], "mlp-4", Recipe(5, 8))
    (order,) = orders
    assert order.shape == (5, 1, 8)
    assert set(order[..., :4].flatten().tolist()) <= set(s.source.tolist())
    assert set(order[..., 4:].flatten().tolist()) == set(s.target[:3].tolist())


def test_scores_are_found_by_arm_world_and_split():
    rows = torch.zeros(2, 2, dtype=torch.int64)
    jobs = tuple(
        bridge.Job("arm", world, n, 0, rows[0], rows[0], (world or "w", "home"), rows)
        for world in ("w", "v")
        for n in (1, 0)
    )
    hits = tuple(torch.tensor([[n < 2, True], [n % 2 == 0, False]]) for n in range(4))
    trained = bridge.Trained(jobs, (), hits, hits, 0.0, 0.0)
    assert trained.accuracy("arm", "w").tolist() == [100, 100]
    assert trained.accuracy("arm", "v").tolist() == [50, 50]
    assert trained.accuracy("arm", "w", "home").tolist() == [0, 50]  # split 0 stands second
    with pytest.raises(KeyError, match="'other'"):
        trained.accuracy("other", "w")


def test_the_network_asked_is_that_of_world_and_split():
    data = toy()
    table, splits = bridge.Table(data), splits_of(data)
    label = bridge.tilted(data, splits, [data.labels] * 2, "label", 4)
    jobs = bridge.teacher_jobs(splits, [bridge.home(splits), label])
    trained = bridge.fit(table, jobs, "mlp-8", Recipe(20, 8, 0.02), at_once=3)
    for n, one in enumerate(jobs):
        p = bridge.probabilities(trained, one.world, one.split, data.images[one.tests[0]])
        torch.testing.assert_close(p.sum(1), torch.ones(len(p)))
        assert torch.equal(p.argmax(1), trained.guesses[n][0])
    assert len({tuple(g.flatten().tolist()) for g in trained.guesses}) > 1


# ---- arms

PLAN = Plan((5, 20), 40, 0.1, ("contrast", "rotate"), (2, 4))


@pytest.fixture(scope="module")
def study():
    data = toy()
    table, splits = bridge.Table(data), splits_of(data)
    worlds = [
        bridge.corrupted(table, data, splits, name, wrong, 3, 1)
        for name, wrong in (("contrast", "rotate"), ("rotate", "contrast"))
    ]
    unforeseen = bridge.corrupted(table, data, splits, "pixelate", "pixelate", 3, 1)
    jobs = bridge.teacher_jobs(splits, [bridge.home(splits)])
    teachers = bridge.fit(table, jobs, "mlp-16", Recipe(60, 16, 0.02))
    selves = bridge.fit(table, jobs, "mlp-4", Recipe(3, 16, 0.001))
    clock = bridge.Clock()
    jobs = bridge.repairs(table, data, splits, worlds, unforeseen, teachers, selves, PLAN, clock)
    return data, table, splits, worlds, teachers, selves, clock, jobs


def find(jobs, arm, world, split):
    (found,) = [j for j in jobs if (j.arm, j.world, j.split) == (arm, world, split)]
    return found


def test_what_each_arm_learns_from(study):
    data, table, splits, worlds, teachers, selves, clock, jobs = study
    images, labels = table.whole()
    everywhere = ("contrast", "rotate", "pixelate", "home")
    for n, s in enumerate(splits):
        own = data.images[s.source], data.labels[s.source]
        for arm in ("nothing", "source-generator", "generalist"):
            assert find(jobs, arm, "", n).on == everywhere
        for number, world in enumerate(worlds):
            second = {
                arm: find(jobs, arm, world.name, n).second
                for arm in (
                    *("matched", "wrong", "shifted-generator", "coral", "self-training"),
                    *("teacher-guesses", "labels-5", "labels-20"),
                )
            }
            assert find(jobs, "matched", world.name, n).on == (world.name, "home")
            for arm, name in (("matched", world.name), ("wrong", worlds[1 - number].name)):
                copies = bridge.copies(*own, [name], (2, 4), 11 * s.seed)
                assert torch.equal(images[second[arm]], copies[0])
                assert torch.equal(labels[second[arm]], own[1].repeat(2))
            there = images[world.target[n]]
            assert torch.equal(images[second["coral"]], bridge.coral(own[0], there, 0.1))
            assert torch.equal(labels[second["coral"]], own[1])
            for arm, who in (("self-training", selves), ("teacher-guesses", teachers)):
                guess = bridge.probabilities(who, "home", n, there).argmax(1)
                assert torch.equal(images[second[arm]], there)
                assert torch.equal(labels[second[arm]], guess)
            assert torch.equal(second["labels-5"], world.target[n][:5])
            made = synth.class_gaussians(*own, 40, rng(s.seed))
            named = bridge.probabilities(teachers, "home", n, made).argmax(1)
            shifted = bridge.copies(made, named, [world.name], (2, 4), 11 * s.seed)
            assert torch.equal(images[second["shifted-generator"]], shifted[0])
            assert torch.equal(labels[second["shifted-generator"]], shifted[1])
            plain = find(jobs, "source-generator", "", n).second
            assert torch.equal(images[plain], made)
            assert torch.equal(labels[plain], named)
        both = torch.cat([find(jobs, "matched", w.name, n).second for w in worlds])
        assert torch.equal(find(jobs, "generalist", "", n).second, both)
    assert all(torch.equal(j.first, splits[j.split].source) for j in jobs)
    # Copies by 2 recipes, shifted samples in 2 worlds, samples, CORAL in 2 worlds; 2 splits.
    assert clock.items == {
        "generate": 2 * (2 * 90 * 2 + 2 * 40 * 2 + 40 + 2 * 90),
        "label": 2 * (40 + 2 * 2 * 60),
    }
    assert min(clock.seconds.values()) > 0


def test_no_arm_learns_from_a_test_image(study):
    _, table, *_, jobs = study
    images, _ = table.whole()
    tests = [{images[r].numpy().tobytes() for r in j.tests.flatten()} for j in jobs]
    for j, held in zip(jobs, tests, strict=True):
        learned = {images[r].numpy().tobytes() for r in torch.cat([j.first, j.second])}
        assert not learned & held, j.arm


def test_copies_in_every_strength_under_their_labels():
    data = toy(6)
    made, labels = bridge.copies(data.images, data.labels, ["contrast", "stripe"], (1, 5), 7)
    assert torch.equal(made[6:12], corrupt.apply(data.images, "contrast", 5, 7))
    assert torch.equal(made[12:18], corrupt.apply(data.images, "stripe", 1, 7))
    assert torch.equal(labels, data.labels.repeat(4))


def test_arms_of_a_tilted_world():
    data = toy(1200)
    splits = bridge.parts(data, range(2), 450, 450, 150, 0)
    table = bridge.Table(data)
    world = bridge.tilted(data, splits, [data.labels] * 2, "label", 4)
    teachers = bridge.fit(
        table, bridge.teacher_jobs(splits, [world]), "mlp-16", Recipe(80, 16, 0.02)
    )
    shares = bridge.shares_there(table, data, splits, world, teachers)
    for n, own in enumerate(shares):
        true = data.labels[world.target[n]].bincount(minlength=3) / len(world.target[n])
        torch.testing.assert_close(own.float(), true, atol=0.08, rtol=0)
    plan = dataclasses.replace(PLAN, labels=(5, 20, 5000))
    jobs = bridge.tilted_jobs(table, splits, world, plan, shares)
    assert {j.arm for j in jobs} == {"nothing", "reweighted", "labels-5", "labels-20"}
    again = find(jobs, "reweighted", "label", 1)
    assert torch.equal(again.first, again.second)
    assert set(again.second.tolist()) <= set(world.source[1].tolist())
    assert data.labels[again.second].bincount().argmax() == 2
    few = find(jobs, "labels-5", "label", 1)
    assert torch.equal(few.first, world.source[1])
    assert torch.equal(few.second, world.target[1][:5])
    assert "reweighted" not in {j.arm for j in bridge.tilted_jobs(table, splits, world, plan)}


# ---- groups


def test_accuracy_by_group_by_hand():
    correct = np.array([[True, False, True, True], [False, False, True, False]])
    groups = np.array([[0, 0, 1, 1], [0, 1, 1, 1]])
    found = bridge.by_group(correct, groups, 3)
    np.testing.assert_allclose(found[:, :2], [[50, 100], [0, 100 / 3]])
    assert np.isnan(found[:, 2]).all()
    np.testing.assert_allclose(bridge.gap(found), [50, 100 / 3])
