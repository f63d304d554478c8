"""Membership attacks: against SciPy, scikit-learn and plain loops, and against no leak at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats as sp
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neighbors import KernelDensity
from torch import Tensor

from synthecon.physics import distill, nets, privacy, train
from synthecon.physics.data import DataError
from synthecon.physics.train import Recipe


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def halves(pipelines: int, count: int, seed: int = 0) -> Tensor:
    return torch.rand(pipelines, count, generator=rng(seed)).argsort(1).argsort(1) < count // 2


def trial(statistic: Tensor, member: Tensor, outlier: Tensor | None = None) -> privacy.Trial:
    none = torch.zeros_like(member[0])
    rows = torch.arange(member.shape[1])
    return privacy.Trial(statistic, member, rows, none if outlier is None else outlier)


# ---- who is a member of what


def test_a_deal(toy):
    pool = privacy.deal(toy, 5, 7, 60)
    assert pool.member.shape == (7, 60)
    assert pool.member.sum(1).tolist() == [30] * 7
    assert len({tuple(row.tolist()) for row in pool.member}) == 7
    rows = torch.cat([pool.candidates, pool.reserve, pool.test]).tolist()
    assert sorted(rows) == list(range(120))
    assert (len(pool.candidates), len(pool.reserve)) == (60, 30)
    again, other = privacy.deal(toy, 5, 7, 60), privacy.deal(toy, 6, 7, 60)
    assert torch.equal(again.member, pool.member)
    assert not torch.equal(other.candidates, pool.candidates)
    with pytest.raises(DataError, match="even"):
        privacy.deal(toy, 5, 7, 61)


def test_halves_say_nothing_about_each_other(toy):
    """Were every candidate in exactly half of the pipelines, the others would give one away."""
    pool = privacy.deal(toy, 0, 400, 60)
    m = pool.member.double()
    times = m.sum(0)
    assert 5 < times.std() < 16  # a coin's 10; balanced halves would have 0
    assert torch.corrcoef(m)[0, 1:].abs().mean() < 0.2


def test_pipelines_see_their_members_and_the_control_sees_none(toy):
    pool = privacy.deal(toy, 1, 4, 60)
    groups = pool.groups()
    assert len({g.seed for g in groups}) == len(groups) == 8
    for k in range(4):
        assert set(groups[k].labelled.tolist()) == set(pool.candidates[pool.member[k]].tolist())
        assert torch.equal(groups[4 + k].labelled, pool.reserve)
    assert not torch.isin(pool.reserve, pool.candidates).any()


# ---- what a pipeline releases


def far_apart(sizes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    level = torch.linspace(0.2, 0.8, len(sizes))[labels].view(-1, 1, 1, 1)
    return level + 0.02 * torch.rand(len(labels), 1, 4, 4, generator=rng()), labels


@pytest.mark.parametrize("kind", ["mixture", "kde"])
def test_a_release_knows_its_classes(kind):
    images, labels = far_apart((10, 30, 20))
    if kind == "mixture":
        made, told = privacy.mixture_release(images, labels, 120, 3)
        again, _ = privacy.mixture_release(images, labels, 120, 3)
        assert told.bincount().tolist() == [20, 60, 40]
    else:
        made, told = privacy.kde_release(images, labels, 120, 3, 0.01)
        again, _ = privacy.kde_release(images, labels, 120, 3, 0.01)
    assert made.shape == (120, 1, 4, 4)
    assert torch.equal(made, again)
    level = torch.linspace(0.2, 0.8, 3)
    nearest = (made.mean((1, 2, 3))[:, None] - level).abs().argmin(1)
    assert torch.equal(nearest, told)


def test_kernels_sit_on_members_with_the_noise_they_promise():
    images, labels = far_apart((30, 30))
    made, _ = privacy.kde_release(images, labels, 500, 0, 0.05)
    away = torch.cdist(made.flatten(1), images.flatten(1)).min(1).values
    assert away.square().mean().sqrt() == pytest.approx(0.05 * 4, rel=0.1)  # 16 pixels
    assert made.min() >= 0 and made.max() <= 1


def test_students_are_plain_distillation_on_what_they_are_fed(toy):
    seeds = [1, 2]
    groups = distill.make_groups(toy, [40], seeds, pool=40, validation=20)
    teacher = distill.train_teacher(toy, groups, "mlp-8", Recipe(20, 16))
    fed = {
        "noise": torch.rand(2, 50, 1, 8, 8, generator=rng()),
        "real": distill.resample(toy, groups, 50),
    }
    recipe = Recipe(30, 16)
    expected = distill.never_raw(toy, groups, teacher, "mlp-8", recipe, fed, 2.0)
    found, seconds = privacy.students(toy, groups, teacher, "mlp-8", recipe, fed, 2.0)
    assert seconds > 0
    test = torch.stack([g.test for g in groups])
    for kind, net in found.items():
        assert (net.groups, net.arms) == (2, 1)
        logits = train.predict(net, toy.images, test).logits
        accuracy = (logits.argmax(1) == toy.labels[test]).float().mean(1)
        assert accuracy.tolist() == pytest.approx(expected[kind]["test"].tolist())


# ---- what an attacker sees


def test_confidence_is_log_odds_also_where_the_model_is_sure():
    z = 3 * torch.randn(2, 5, 40, generator=rng())
    y = torch.randint(5, (40,), generator=rng(1))
    p = z.double().softmax(1).gather(1, y.expand(2, -1)[:, None]).squeeze(1)
    torch.testing.assert_close(
        privacy.confidence(z, y), (p / (1 - p)).log().float(), rtol=1e-4, atol=1e-4
    )
    sure = torch.tensor([[[60.0], [0.0], [0.0]]])
    expected = 60 - math.log(2)  # p itself is 1 in float32
    assert privacy.confidence(sure, torch.tensor([0])).item() == pytest.approx(expected)
    own = torch.tensor([[0, 1], [1, 0]])
    two = torch.tensor([[[4.0, 1.0], [0.0, 3.0]], [[4.0, 1.0], [0.0, 3.0]]])
    assert privacy.confidence(two, own).tolist() == [[4, 2], [-4, -2]]


def test_kernel_density_is_that_of_scikit_learn():
    release, points = torch.rand(60, 6, generator=rng()), torch.rand(25, 6, generator=rng(1))
    expected = KernelDensity(bandwidth=0.2).fit(release.numpy()).score_samples(points.numpy())
    found = privacy.kernel_density(points, release, 0.2, chunk=7).numpy()
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=2e-3)


def test_class_density_is_that_of_scipy():
    release = torch.randn(90, 5, generator=rng()).double()
    answers = torch.arange(90) % 2
    release[answers == 1] += 2
    points, labels = torch.randn(30, 5, generator=rng(1)).double(), torch.arange(30) % 3
    found = privacy.class_density(points, labels, release, answers)
    for c in (0, 1):
        told = release[answers == c].numpy()
        fitted = LedoitWolf().fit(told)
        density = sp.multivariate_normal(fitted.location_, fitted.covariance_)
        own = labels == c
        expected = density.logpdf(points[own].numpy()) + 2.5 * math.log(2 * math.pi)
        np.testing.assert_allclose(found[own].numpy(), expected, atol=1e-4)
    assert (found[labels == 2] == found[labels != 2].min()).all()  # no image of class 2 was made


# ---- attacks


def by_hand(statistic: np.ndarray, member: np.ndarray, offline: bool) -> np.ndarray:
    """One target after the other, one candidate after the other."""
    scores = np.zeros_like(statistic)
    for k in range(len(statistic)):
        x, m = np.delete(statistic, k, 0), np.delete(member, k, 0)
        sides = []
        for chosen in (m, ~m):
            means = [x[chosen[:, n], n].mean() for n in range(x.shape[1])]
            left = [x[chosen[:, n], n] - means[n] for n in range(x.shape[1])]
            squares = sum((r**2).sum() for r in left)
            sides.append((np.array(means), squares / sum(len(r) - 1 for r in left)))
        (mean1, var1), (mean0, var0) = sides
        if offline:
            scores[k] = (statistic[k] - mean0) / np.sqrt(var0)
        else:
            scores[k] = sp.norm(mean1, np.sqrt(var1)).logpdf(statistic[k])
            scores[k] -= sp.norm(mean0, np.sqrt(var0)).logpdf(statistic[k])
    return scores


@pytest.mark.parametrize("offline", [False, True])
def test_lira_is_the_likelihood_ratio_without_the_target(offline):
    member = halves(16, 20, 1)
    assert member.sum(0).min() > 1 and (~member).sum(0).min() > 1  # the loop has no rule for none
    statistic = torch.randn(16, 20, generator=rng()).double() + member + torch.arange(20)
    attack = privacy.lira_offline if offline else privacy.lira_online
    expected = by_hand(statistic.numpy(), member.numpy(), offline)
    np.testing.assert_allclose(attack(statistic, member).numpy(), expected, rtol=1e-6, atol=1e-7)


def test_a_candidate_that_no_shadow_had_gets_a_finite_score():
    member = halves(5, 40)
    member[:, 0], member[:, 1] = False, True
    statistic = torch.randn(5, 40, generator=rng())
    for attack in privacy.ATTACKS.values():
        assert attack(statistic, member).isfinite().all()


@pytest.mark.parametrize("name", privacy.ATTACKS)
def test_where_nothing_leaks_nothing_is_found(name):
    """A score that saw its own target, or a balance of halves, would show here."""
    found = []
    for seed in range(40):
        member = halves(8, 300, seed)
        ease = 3 * torch.randn(300, generator=rng(1000 + seed))
        statistic = ease + torch.randn(8, 300, generator=rng(2000 + seed))
        found.append(privacy.auc(privacy.ATTACKS[name](statistic, member), member).mean().item())
    assert np.mean(found) == pytest.approx(0.5, abs=0.01)


def test_shadows_find_what_the_loss_alone_cannot():
    member = halves(32, 500)
    ease = 5 * torch.randn(500, generator=rng(1))
    statistic = ease + member + torch.randn(32, 500, generator=rng(2))
    found = {
        name: privacy.auc(attack(statistic, member), member).mean().item()
        for name, attack in privacy.ATTACKS.items()
    }
    known = sp.norm.cdf(1 / math.sqrt(2))  # AUC of two normals one apart
    assert found["loss"] < 0.6
    assert known - 0.04 < found["LiRA, online"] < known + 0.01
    assert known - 0.04 < found["LiRA, offline"] < known + 0.01


# ---- how well an attack does

ranked = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=4, max_size=40).filter(
    lambda rows: 0 < sum(m for _, m in rows) < len(rows)
)


@settings(max_examples=60)
@given(ranked, st.booleans())
def test_auc_is_the_area_and_the_mann_whitney_statistic(rows, ties):
    scores = torch.tensor([float(s) for s, _ in rows])
    member = torch.tensor([m for _, m in rows])
    if not ties:
        scores = scores + torch.arange(len(rows)) / 1000
    found = privacy.auc(torch.stack([scores, -scores]), torch.stack([member, member]))
    x, m = scores.numpy(), member.numpy()
    assert found[0].item() == pytest.approx(roc_auc_score(m, x))
    u = sp.mannwhitneyu(x[m], x[~m]).statistic
    assert found[0].item() == pytest.approx(u / (m.sum() * (~m).sum()))
    assert found.sum().item() == pytest.approx(1)


@settings(max_examples=60)
@given(ranked, st.floats(0, 1))
def test_tpr_is_read_off_the_roc_curve_without_rounding_up(rows, rate):
    scores = torch.tensor([float(s) for s, _ in rows])
    member = torch.tensor([m for _, m in rows])
    count = int((~member).sum())
    assume(abs(rate * count - round(rate * count)) > 1e-6 or rate in (0, 1))
    fpr, tpr, _ = roc_curve(member.numpy(), scores.numpy(), drop_intermediate=False)
    found = privacy.tpr_at(scores[None], member[None], rate).item()
    assert found == pytest.approx(tpr[fpr <= rate + 1e-12].max())


def test_one_in_a_hundred_of_500_is_five():
    scores = torch.arange(1000.0)[None]
    member = (torch.arange(1000) % 2 == 0)[None]  # the odd ones, 999 first, are strangers
    assert privacy.tpr_at(scores, member, 0.01).item() == 5 / 500
    assert privacy.tpr_at(scores, member, 0.0099).item() == 4 / 500
    curve = privacy.roc(scores, member, torch.tensor([0.01, 1.0]))
    assert curve.tolist() == [5 / 500, 1]


def test_measures_are_means_over_targets_and_outliers_stand_apart():
    member = halves(6, 80)
    outlier = torch.arange(80) < 20
    statistic = torch.randn(6, 80, generator=rng()) + 2 * (member & outlier)
    found = privacy.measure(trial(statistic, member, outlier), privacy.loss_attack, 0.1)
    areas = [roc_auc_score(m, x) for m, x in zip(member.numpy(), statistic.numpy(), strict=True)]
    odd = [
        roc_auc_score(m[:20], x[:20])
        for m, x in zip(member.numpy(), statistic.numpy(), strict=True)
    ]
    tpr = privacy.tpr_at(statistic, member, 0.1).mean().item()
    assert found.tolist() == pytest.approx([np.mean(areas), tpr, np.mean(odd)])
    assert found[2] > found[0]


def test_outliers_are_those_of_which_strangers_are_least_sure():
    control = torch.tensor([[3.0, -1, 5, 0], [1, -3, 5, -9]])
    found = privacy.outliers(trial(control, control > 9), 0.5)
    assert found.tolist() == [False, True, False, True]


# ---- intervals


def test_pipelines_that_differ_give_students_interval():
    """Nothing varies over images: the jackknife of a mean is the textbook's interval."""
    level = torch.randn(9, 1, generator=rng()).double()
    (found,) = privacy.jackknife([trial(level.expand(9, 40), halves(9, 40))], privacy.unseen_mean)
    half = sp.t.ppf(0.975, 8) * level.std().item() / 3
    assert found.value == pytest.approx(level.mean().item())
    assert [found.low, found.high] == pytest.approx([found.value - half, found.value + half])
    assert found.n == 9


def test_images_that_differ_widen_the_interval_too():
    """Nothing varies over pipelines: 20 blocks of images are 20 independent numbers."""
    ease = torch.randn(200, generator=rng()).double()
    nobody = torch.zeros(9, 200, dtype=torch.bool)
    one = trial(ease.expand(9, 200), nobody)
    (found,) = privacy.jackknife([one], privacy.unseen_mean)
    blocks = ease.view(10, 20).mean(0)  # rows that share their number modulo 20
    half = sp.t.ppf(0.975, 8) * blocks.std().item() / math.sqrt(20)
    assert found.high - found.value == pytest.approx(half)
    # A second pool of the same images knows nothing new about them.
    (two,) = privacy.jackknife([one, one], privacy.unseen_mean)
    half = sp.t.ppf(0.975, 16) * blocks.std().item() / math.sqrt(20)
    assert two.high - two.value == pytest.approx(half)


def test_pools_of_other_pipelines_narrow_the_interval():
    level = torch.randn(2, 9, 1, generator=rng()).double()
    both = [trial(x.expand(9, 40), halves(9, 40)) for x in level]
    (found,) = privacy.jackknife(both, privacy.unseen_mean)
    error = math.sqrt(sum(x.var().item() / 9 for x in level)) / 2
    assert found.value == pytest.approx(level.mean().item())
    assert found.high - found.value == pytest.approx(sp.t.ppf(0.975, 16) * error)


def test_an_interval_takes_a_pipeline_away_as_a_shadow_too():
    """Were only its AUC left out, this would be the interval of the nine AUCs."""
    member = halves(9, 200)
    statistic = torch.randn(9, 200, generator=rng()) + member
    one = trial(statistic, member, torch.arange(200) < 50)
    found = privacy.attacked([one], privacy.lira_online, 0.05)
    assert list(found) == list(privacy.MEASURES)
    scores = privacy.auc(privacy.lira_online(statistic, member), member)
    assert found["auc"].value == pytest.approx(scores.mean().item())
    assert all(0 <= i.low <= i.value <= i.high <= 1 for i in found.values())
    replicas = []
    for k in range(9):
        x, m = np.delete(statistic.numpy(), k, 0), np.delete(member.numpy(), k, 0)
        x, m = torch.from_numpy(x), torch.from_numpy(m)
        replicas.append(privacy.auc(privacy.lira_online(x, m), m).mean().item())
    blocks = []
    for b in range(20):
        kept = torch.arange(200) % 20 != b
        x, m = statistic[:, kept], member[:, kept]
        blocks.append(privacy.auc(privacy.lira_online(x, m), m).mean().item())
    variance = 64 / 9 * np.var(replicas, ddof=1) + 361 / 20 * np.var(blocks, ddof=1)
    half = sp.t.ppf(0.975, 8) * math.sqrt(variance)
    assert found["auc"].high - found["auc"].value == pytest.approx(half)


# ---- networks


def test_accuracy_is_over_images_that_the_pipeline_never_saw(toy):
    pools = [privacy.deal(toy, s, 3, 40) for s in (0, 1)]
    net = nets.build("mlp-4", (1, 8, 8), 4, list(range(12)), 6)  # two arms a pipeline
    found = privacy.right(toy, net, pools)
    assert len(found) == 2
    sure = privacy.confidences(toy, net, pools)
    assert sure.shape == (2, 6, 40)
    for arm in (0, 1):
        for p, pool in enumerate(pools):
            for k in range(3):
                one = nets.extract(net, 2 * (3 * p + k) + arm)
                fresh = torch.cat([pool.candidates[~pool.member[k]], pool.reserve])
                accuracy = (one(toy.images[fresh]).argmax(1) == toy.labels[fresh]).double().mean()
                alone = privacy.Trial(
                    found[arm][p].statistic[k : k + 1],
                    found[arm][p].member[k : k + 1],
                    found[arm][p].rows,
                    found[arm][p].outlier,
                )
                assert privacy.unseen_mean(alone).item() == pytest.approx(accuracy.item())
                z = one(toy.images[pool.candidates]).T[None]
                expected = privacy.confidence(z, toy.labels[pool.candidates])[0]
                torch.testing.assert_close(sure[arm, 3 * p + k], expected, rtol=1e-4, atol=1e-4)
    apart = privacy.difference(found[0], found[1])
    gap = [privacy.unseen_mean(a) - privacy.unseen_mean(b) for a, b in zip(*found, strict=True)]
    torch.testing.assert_close([privacy.unseen_mean(t) for t in apart], gap)


def test_a_network_that_memorises_is_caught_and_its_control_is_not(toy):
    shuffled = toy.labels[torch.randperm(120, generator=rng())]  # nothing to learn, only to recall
    noisy = distill.Dataset(
        toy.name, toy.images, shuffled, None, toy.classes, toy.source, toy.sha256
    )
    pool = privacy.deal(noisy, 0, 8, 60)
    taught = distill.train_teacher(noisy, pool.groups(), "mlp-32", Recipe(120, 30, 0.01, 0.0))
    teacher, control = taught.pick(range(8)), taught.pick(range(8, 16))
    area = {
        name: privacy.auc(privacy.confidences(noisy, one.net, [pool])[0], pool.member).mean()
        for name, one in (("teacher", teacher), ("control", control))
    }
    assert area["teacher"] > 0.95
    assert abs(area["control"] - 0.5) < 0.08
