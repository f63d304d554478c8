"""The study: what each arm may read, how arms are paired, who chooses, and what is scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sps
from scipy.interpolate import interp1d
from sklearn.metrics import accuracy_score
from torch import Tensor, nn

from synthecon.physics import distill, evaluate, losses, nets, synth, train
from synthecon.physics.data import Dataset
from synthecon.physics.distill import Arm, Group, Scores, Teacher
from synthecon.physics.train import Recipe

RECIPE = Recipe(steps=8, batch=6, warmup=2, lr=0.01)
SOFT = {"temperature": 2.0, "alpha": 0.9}
OWN = [
    Arm("hard"),
    Arm("smooth", smoothing=0.1),
    Arm("soft", **SOFT),
    Arm("shuffled", soft="shuffled", **SOFT),
    Arm("mean", soft="class mean", **SOFT),
    Arm("decoupled", kind="decoupled", temperature=2, beta=4),
    Arm("hint", kind="hint", beta=0.5),
]
POOL = [
    Arm("pool hard", "pool", "teacher"),
    Arm("pool soft", "pool", temperature=4, alpha=1),
    Arm("pool shuffled", "pool", "teacher", soft="shuffled", **SOFT),
    Arm("pool mean", "pool", "teacher", soft="class mean", **SOFT),
    Arm("pool decoupled", "pool", "teacher", kind="decoupled", temperature=2, beta=4),
    Arm("pool hint", "pool", "teacher", kind="hint", beta=0.5, **SOFT),
]
ARMS = OWN + POOL


def groups(toy: Dataset, budgets=(8, 60), seeds=(0, 1)) -> tuple[Group, ...]:
    return distill.make_groups(toy, budgets, seeds, pool=60, validation=20)


@pytest.fixture
def taught(toy: Dataset) -> Teacher:
    return distill.train_teacher(toy, groups(toy), "cnn-2", RECIPE)


def study(toy: Dataset, taught: Teacher, arms=ARMS, student: str = "mlp-4", **options) -> Scores:
    return distill.run(toy, groups(toy), arms, taught, student, RECIPE, **options)


def weights(scores: Scores, arm: Arm, group: int) -> Tensor:
    return nn.utils.parameters_to_vector(scores.network(arm, group).parameters())


def changed(toy: Dataset, rows: Tensor, *, images: bool = False, labels: bool = False) -> Dataset:
    """A copy whose `rows` have other images or other labels."""
    x, y = toy.images.clone(), toy.labels.clone()
    if images:
        x[rows] = torch.rand(x[rows].shape, generator=torch.Generator().manual_seed(7))
    if labels:
        y[rows] = (y[rows] + 1) % 4
    return replace(toy, images=x, labels=y)


# ---- groups


def test_groups_are_splits_times_budgets(toy):
    made = groups(toy, budgets=(4, 8, 60), seeds=(5, 6))
    assert [(g.seed, g.budget) for g in made] == [(s, b) for s in (5, 6) for b in (4, 8, 60)]
    for g in made:
        parts = [set(x.tolist()) for x in (g.pool, g.validation, g.test)]
        assert [len(p) for p in parts] == [60, 20, 40]
        assert len(set.union(*parts)) == 120, "no row in two parts, and none left out"
        labelled = set(g.labelled.tolist())
        assert len(labelled) == len(g.labelled) == g.budget
        assert labelled <= parts[0], "a label that was paid for is one of the pool"
        if g.budget < 60:
            assert toy.labels[g.labelled].bincount().tolist() == [g.budget // 4] * 4
    four, eight, whole = made[:3]
    assert set(four.labelled.tolist()) < set(eight.labelled.tolist())
    assert torch.equal(four.test, whole.test), "budgets of a split share its images"
    assert not torch.equal(made[0].test, made[3].test)


@pytest.mark.parametrize("budget", [6, 61, 100])
def test_budgets_that_cannot_be_dealt(toy, budget):
    with pytest.raises(ValueError, match=f"label budget {budget}: must be at most the pool's 60"):
        groups(toy, budgets=(8, budget))


def test_repetitions_share_the_split_and_nothing_else(toy):
    made = distill.make_groups(toy, (8, 60), (5, 6), pool=60, validation=20, repeats=(3, 1))
    assert [(g.images, g.budget) for g in made] == [(s, b) for s in (5, 6) for b in (8, 8, 8, 60)]
    assert len({g.seed for g in made if g.budget == 8}) == 6, "weights and batches of their own"
    assert [made[0].seed, made[3].seed] == [5, 5], "the first is the training without repetitions"
    for g in made[1:3]:
        for part in ("pool", "validation", "test"):
            assert torch.equal(getattr(g, part), getattr(made[0], part))
        assert not torch.equal(g.labelled.sort()[0], made[0].labelled.sort()[0])
        assert toy.labels[g.labelled].bincount().tolist() == [2] * 4
    assert distill.by_split(made, 8).tolist() == [[0, 1, 2], [4, 5, 6]]
    assert distill.by_split(made, 60).tolist() == [[3], [7]]
    assert distill.by_split(made, 4).size == 0
    with pytest.raises(ValueError, match="8 labels, some splits were repeated more often"):
        distill.by_split(made[1:], 8)


@pytest.mark.parametrize("repeats", [(1,), (1, 1, 1), (0, 1)])
def test_repeats_that_do_not_fit_the_budgets(toy, repeats):
    with pytest.raises(ValueError, match="one number, at least 1, for each of"):
        distill.make_groups(toy, (8, 60), (0,), pool=60, validation=20, repeats=repeats)


def test_one_hot_and_smoothing():
    labels = torch.tensor([[0, 3], [1, 1]])
    assert torch.equal(distill.one_hot(labels, 4), F.one_hot(labels, 4).float())
    smooth = distill.one_hot(labels, 4, 0.2)
    torch.testing.assert_close(smooth.sum(-1), torch.ones(2, 2))
    torch.testing.assert_close(smooth[0, 0], torch.tensor([0.85, 0.05, 0.05, 0.05]))


# ---- who may read what


def test_no_test_or_validation_row_reaches_a_student(toy):
    """Other images and other labels in all the rows that only score: the same networks."""
    own, arms = groups(toy, seeds=(0,)), [OWN[0], OWN[2], *POOL]
    scored = torch.cat([own[0].test, own[0].validation])
    other = changed(toy, scored, images=True, labels=True)
    results = []
    for data in (toy, other):
        taught = distill.train_teacher(data, own, "cnn-2", RECIPE)
        results.append((taught, distill.run(data, own, arms, taught, "mlp-4", RECIPE)))
    for a, b in zip(*(r[0].net.parameters() for r in results), strict=True):
        assert torch.equal(a, b)
    for arm in arms:
        for g in range(2):
            assert torch.equal(*(weights(r[1], arm, g) for r in results)), arm.family
    assert not np.array_equal(results[0][1].test, results[1][1].test), "and other scores"


def test_labels_that_nobody_paid_for_are_never_read(toy):
    """Only the 8 labelled rows of the small budget keep their label."""
    own = groups(toy, budgets=(8,), seeds=(0,))
    rest = torch.ones(120, dtype=torch.bool)
    rest[own[0].labelled] = False
    other = changed(toy, rest.nonzero().flatten(), labels=True)
    found = []
    for data in (toy, other):
        taught = distill.train_teacher(data, own, "cnn-2", RECIPE)
        found.append(distill.run(data, own, ARMS, taught, "mlp-4", RECIPE))
    for arm in ARMS:
        assert torch.equal(*(weights(f, arm, 0) for f in found)), arm.family


def test_labels_that_were_paid_for_count(toy, taught):
    own = groups(toy)
    other = changed(toy, own[0].labelled, labels=True)
    for arm in OWN:
        found = [
            distill.run(data, own[:1], [arm], taught.pick([0]), "mlp-4", RECIPE)
            for data in (toy, other)
        ]
        assert not torch.equal(*(weights(f, arm, 0) for f in found)), arm.family
    teachers = [distill.train_teacher(d, own[:1], "cnn-2", RECIPE).logits for d in (toy, other)]
    assert not torch.equal(*teachers)


def test_a_teacher_answers_for_every_row_and_learns_from_its_own_group(toy, taught):
    for g, group in enumerate(groups(toy)):
        one = nets.extract(taught.net, g)
        with torch.no_grad():
            torch.testing.assert_close(taught.logits[g], one(toy.images), rtol=1e-4, atol=1e-5)
        alone = distill.train_teacher(toy, [group], "cnn-2", RECIPE)
        torch.testing.assert_close(alone.logits[0], taught.logits[g], rtol=0, atol=1e-3)
        torch.testing.assert_close(alone.hidden[0], taught.hidden[g], rtol=0, atol=1e-3)
    assert taught.attention.shape == (4, 120, 16)
    picked = taught.pick([2, 0])
    for mine, whole in ((picked.logits, taught.logits), (picked.hidden, taught.hidden),
                        (picked.attention, taught.attention)):  # fmt: skip
        assert torch.equal(mine, whole[[2, 0]])
    again = train.predict(picked.net, toy.images).logits.transpose(1, 2)
    torch.testing.assert_close(again, picked.logits, rtol=1e-4, atol=1e-5)
    assert distill.train_teacher(toy, groups(toy), "mlp-3", RECIPE).attention is None


def test_teacher_scores(toy, taught):
    found = distill.teacher_scores(toy, groups(toy), taught)
    for g, group in enumerate(groups(toy)):
        for part in ("validation", "test"):
            rows = getattr(group, part)
            guess = taught.logits[g, rows].argmax(1)
            assert found[part][g] == pytest.approx(accuracy_score(toy.labels[rows], guess))
        logits, labels = taught.logits[g, group.test].T[None], toy.labels[group.test]
        expected = evaluate.calibration_error(logits, labels).item()
        assert found["ece"][g] == pytest.approx(expected)


# ---- placebos


def placebo(kind: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Teacher logits, classes, the rows that change, and the logits after the placebo."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(60, 4, generator=generator)
    classes = torch.randint(4, (60,), generator=generator)
    rows = torch.randperm(60, generator=generator)[:45]
    return logits, classes, rows, distill.placebo(logits, kind, rows, classes, seed=1)


@pytest.mark.parametrize("kind", ["shuffled", "class mean"])
def test_placebos_keep_what_the_class_says(kind):
    logits, classes, rows, found = placebo(kind)
    others = [i for i in range(60) if i not in set(rows.tolist())]
    assert torch.equal(found[others], logits[others])
    for c in range(4):
        own = rows[classes[rows] == c]
        torch.testing.assert_close(found[own].mean(0), logits[own].mean(0))
    assert torch.equal(found, placebo(kind)[-1])
    assert (found != logits).any(1)[rows].float().mean() > 0.8, "what the image said is gone"
    assert not torch.equal(found, logits)


def test_the_shuffle_deals_whole_answers_within_a_class():
    logits, classes, rows, found = placebo("shuffled")
    for c in range(4):
        own = rows[classes[rows] == c]
        dealt = sorted(map(tuple, found[own].tolist()))
        assert dealt == sorted(map(tuple, logits[own].tolist()))
    other = distill.placebo(logits, "shuffled", rows, classes, seed=2)
    assert not torch.equal(found, other)


def test_class_means_are_one_answer_a_class():
    _, classes, rows, found = placebo("class mean")
    assert len(found[rows].unique(dim=0)) == len(classes[rows].unique())


# ---- the loss of a bank


def expected_loss(toy, group, taught, g, arm: Arm, out: nets.Output, k: int, rows, extra) -> Tensor:
    """Student k's loss on its rows, from the plain losses and the arm's description alone."""
    truth = toy.labels if arm.hard == "label" else taught.logits[g].argmax(1)
    hard = F.one_hot(truth, 4) * (1 - arm.smoothing) + arm.smoothing / 4
    soft = taught.logits[g]
    if arm.soft != "teacher":
        mine, classes = group.labelled, toy.labels
        if arm.rows == "pool":
            mine, classes = group.pool, taught.logits[g].argmax(1)
        soft = distill.placebo(soft, arm.soft, mine, classes, group.seed)
    z, v, h = out.logits[k][None], soft[rows].T[None], hard[rows].T[None]
    if arm.kind == "decoupled":
        return losses.decoupled(z, v, h, arm.temperature, 1.0, arm.beta)[0]
    base = losses.distillation(z, v, h, arm.temperature, arm.alpha)
    if arm.kind == "hint":
        hidden = taught.hidden[g, rows].T[None]
        base = base + arm.beta * losses.hint(out.hidden[k][None], hidden, extra[k][None])
    if arm.kind == "attention":
        seen = losses.attention_map(out.maps[-1])[k][None]
        base = base + arm.beta * losses.attention(seen, taught.attention[g, rows].T[None])
    return base[0]


LOGITS = [a for a in OWN if a.kind == "logits"]
ATTENTION = [Arm("a", kind="attention", beta=1.0), Arm("b", kind="attention", beta=3.0, **SOFT)]


@pytest.mark.parametrize(
    "arms",
    [
        LOGITS,
        LOGITS[::-1],
        [a for a in POOL if a.kind == "logits"],
        [OWN[5], replace(OWN[5], beta=1.0, temperature=3.0), replace(OWN[5], soft="shuffled")],
        [replace(OWN[6], beta=0.1, **SOFT), OWN[6]],
        ATTENTION,
    ],
)
def test_each_student_gets_the_loss_of_its_own_arm_and_group(toy, taught, arms):
    own = groups(toy)
    seeds = [g.seed for g in own for _ in arms]
    net = nets.build("cnn-2", (1, 8, 8), 4, seeds, len(own))
    objective = distill.Objective(toy, own, arms, taught, net)
    parts = [getattr(g, arms[0].rows) for g in own]
    (rows,) = train.batches(parts, 1, 5, [1, 2, 3, 4])
    extra = None
    if objective.extra:
        extra = objective.extra[0]
        with torch.no_grad():
            extra.add_(torch.rand(extra.shape, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        out = net(toy.images[rows])
        found = objective(out, rows)
        for k in range(len(seeds)):
            g, a = divmod(k, len(arms))
            one = expected_loss(toy, own[g], taught, g, arms[a], out, k, rows[g], extra)
            torch.testing.assert_close(found[k], one, rtol=1e-4, atol=1e-5)


def test_a_bank_holds_one_kind_of_loss(toy, taught):
    net = nets.build("mlp-4", (1, 8, 8), 4, [0] * 8, 4)
    with pytest.raises(ValueError, match=r"one kind of loss, got \['hint', 'logits'\]"):
        distill.Objective(toy, groups(toy), [OWN[0], OWN[6]], taught, net)


def test_attention_needs_maps(toy, taught):
    with pytest.raises(ValueError, match="teacher and a student with maps"):
        study(toy, taught, ATTENTION)
    flat = distill.train_teacher(toy, groups(toy), "mlp-3", RECIPE)
    with pytest.raises(ValueError, match="teacher and a student with maps"):
        study(toy, flat, ATTENTION, "cnn-2")


# ---- the table of scores


def test_scores_are_those_of_the_very_networks(toy, taught):
    own, scores = groups(toy), study(toy, taught)
    assert scores.arms == tuple(ARMS)
    for g, group in enumerate(own):
        for a, arm in enumerate(ARMS):
            network = scores.network(arm, g)
            with torch.no_grad():
                test, seen = network(toy.images[group.test]), network(toy.images[group.validation])
            told = taught.logits[g, group.test].argmax(1)
            right = accuracy_score(toy.labels[group.test], test.argmax(1))
            assert scores.test[g, a] == pytest.approx(right)
            checked = accuracy_score(toy.labels[group.validation], seen.argmax(1))
            assert scores.validation[g, a] == pytest.approx(checked)
            assert scores.agreement[g, a] == pytest.approx(accuracy_score(told, test.argmax(1)))
            ece = evaluate.calibration_error(test.T[None], toy.labels[group.test]).item()
            assert scores.ece[g, a] == pytest.approx(ece, abs=1e-5)
            assert scores.column("ece", arm, group.budget)[group.seed] == scores.ece[g, a]


def test_arms_are_paired_and_do_not_touch_each_other(toy, taught):
    """Equal arms under two names are one student; and any arm alone is the arm in company."""
    scores = study(toy, taught, [*ARMS, replace(OWN[2], family="again")])
    for g in range(4):
        again = weights(scores, scores.arms[-1], g)
        torch.testing.assert_close(again, weights(scores, OWN[2], g), rtol=0, atol=1e-5)
    for arm in (OWN[0], OWN[3], POOL[1], POOL[5]):
        alone = study(toy, taught, [arm])
        for g in range(4):
            one = weights(alone, arm, g)
            torch.testing.assert_close(one, weights(scores, arm, g), rtol=0, atol=1e-4)
    assert not torch.equal(weights(scores, OWN[0], 0), weights(scores, OWN[1], 0))


def test_each_arm_has_its_own_weight_decay(toy, taught):
    light, heavy = OWN[0], replace(OWN[0], weight_decay=20.0)
    scores = study(toy, taught, [light, heavy])
    for g in range(4):
        assert weights(scores, heavy, g).norm() < 0.9 * weights(scores, light, g).norm()


def test_curves_end_at_the_score(toy, taught):
    scores = study(toy, taught, curve=3)
    assert scores.curve_steps == (3, 6, 8)
    assert scores.curves.shape == (3, 4, len(ARMS))
    np.testing.assert_allclose(scores.curves[-1], scores.test)
    assert not np.allclose(scores.curves[0], scores.test)
    plain = study(toy, taught)
    assert plain.curves is None
    np.testing.assert_array_equal(plain.test, scores.test)


def test_a_teacher_a_group(toy, taught):
    with pytest.raises(ValueError, match="2 teachers for 4 groups"):
        study(toy, taught.pick([0, 1]))


def test_who_diverges_is_named(toy, taught):
    with pytest.raises(train.DivergedError, match=r"soft \(T=0, α=0.9\), split 0, 8 labels"):
        study(toy, taught, [OWN[0], replace(OWN[2], temperature=0.0)])


# ---- the choice


def by_hand() -> Scores:
    """Two splits, two budgets; the test always prefers another arm of b than the validation."""
    group = [Group(s, b, *[torch.arange(1)] * 4) for s in (0, 1) for b in (10, 20)]
    arms = (Arm("a"), Arm("b", temperature=1), Arm("b", temperature=2))
    validation = np.array([[9, 5, 6], [9, 7, 6], [9, 7, 5], [9, 8, 6]]) / 10
    test = np.array([[3, 8, 5], [3, 4, 9], [1, 4, 6], [2, 5, 8]]) / 10
    return Scores(tuple(group), arms, validation, test, test / 2, test / 4)


def test_a_family_chooses_on_validation_and_never_on_test():
    scores = by_hand()
    assert scores.accuracy("b", 10).tolist() == [0.5, 0.4]  # split 0 takes T=2, split 1 takes T=1
    assert scores.accuracy("b", 20).tolist() == [0.4, 0.5]
    assert scores.gain("b", "a", 10) == pytest.approx([20, 30])
    assert scores.column("agreement", scores.arms[2], 20) == pytest.approx([0.225, 0.2])


def repeated() -> Scores:
    """Two splits trained three times each, four arms in two families, random scores."""
    none = [torch.arange(1)] * 4
    group = [Group(s + 100 * r, 10, *none, split=s) for s in (0, 1) for r in range(3)]
    arms = (Arm("a"), Arm("b"), Arm("b", temperature=2), Arm("b", temperature=3))
    tables = np.random.default_rng(4).uniform(0.5, 1, (4, 6, 4))
    return Scores(tuple(group), arms, *tables)


def test_repetitions_are_averaged_before_anything_is_chosen_or_compared():
    scores = repeated()
    chosen, by_hand = [], []
    for rows in ([0, 1, 2], [3, 4, 5]):
        validation = [np.mean([scores.validation[r, a] for r in rows]) for a in (1, 2, 3)]
        best = 1 + validation.index(max(validation))
        chosen.append(best)
        by_hand.append(np.mean([scores.test[r, best] for r in rows]))
    assert scores.accuracy("b", 10) == pytest.approx(by_hand)
    firsts = [1 + int(scores.validation[r, 1:].argmax()) for r in (0, 3)]
    assert firsts != chosen, "one repetition alone would choose another arm"
    ece = [scores.ece[:3, 2].mean(), scores.ece[3:, 2].mean()]
    assert scores.column("ece", scores.arms[2], 10) == pytest.approx(ece)
    overall = scores.validation[:, 1:].mean(0)
    assert scores.arm("b", 10) == scores.arms[1 + int(overall.argmax())]


def test_the_setting_to_go_on_with_is_best_on_validation_over_all_splits():
    scores = by_hand()
    assert scores.arm("b", 10) == scores.arms[1]  # 0.6 on average against 0.55
    assert scores.arm("b", 20) == scores.arms[1]
    # Whatever the test says, the choice is the same.
    assert replace(scores, test=1 - scores.test).arm("b", 10) == scores.arms[1]


@pytest.mark.parametrize(("family", "budget"), [("c", 10), ("b", 30)])
@pytest.mark.parametrize("choose", ["accuracy", "arm"])
def test_a_family_that_was_not_run(choose, family, budget):
    with pytest.raises(KeyError, match=f"'{family}' was run with {budget} labels"):
        getattr(by_hand(), choose)(family, budget)


@pytest.mark.parametrize("paid", [{"alpha": 0.5}, {"alpha": 1.0, "kind": "decoupled"}])
def test_an_arm_on_the_pool_must_not_read_labels(paid):
    with pytest.raises(ValueError, match="labels that nobody paid for"):
        Arm("greedy", "pool", **paid)


# ---- the student that never sees a raw image


def unseen(data: Dataset, taught: Teacher, made: dict[str, Tensor]):
    return distill.never_raw(data, groups(data), taught, "mlp-4", RECIPE, made, 2.0)


def test_never_raw_learns_from_made_up_images_alone(toy, taught):
    own = groups(toy)
    made = synth.staircase(toy.images, toy.labels, [g.pool for g in own], [0, 1, 2, 3], 20)
    found = unseen(toy, taught, made)
    assert list(found) == list(made)
    for scores in found.values():
        assert scores["test"].shape == scores["agreement"].shape == (4,)
        assert ((scores["test"] >= 0) & (scores["test"] <= 1)).all()
    # Noise for every image that is in nobody's test, other labels too: the same scores.
    tested = torch.cat([g.test for g in own]).unique()
    rest = torch.tensor(sorted(set(range(120)) - set(tested.tolist())))
    assert len(rest) > 10
    other = unseen(changed(toy, rest, images=True, labels=True), taught, made)
    for rung in made:
        for score in ("test", "agreement"):
            np.testing.assert_array_equal(other[rung][score], found[rung][score])


def test_never_raw_is_plain_distillation_on_those_images(toy, taught, twin):
    """One rung, group by group, with an ordinary network and PyTorch's losses."""
    own, recipe = groups(toy), replace(RECIPE, weight_decay=0.0)
    made = {"noise": torch.rand(4, 30, 1, 8, 8, generator=torch.Generator().manual_seed(0))}
    found = distill.never_raw(toy, own, taught, "mlp-4", recipe, made | {"b": 1 - made["noise"]},
                              3.0)["noise"]  # fmt: skip
    for g, group in enumerate(own):
        images = made["noise"][g]
        with torch.no_grad():
            told = nets.extract(taught.net, g)(images)
        student = twin(nets.build("mlp-4", (1, 8, 8), 4, [group.seed]), 0)
        optimizer = torch.optim.Adam(student.parameters())
        order = train.batches([torch.arange(30)], 8, 6, [group.seed])[:, 0]
        for step, rows in enumerate(order):
            q, p = (x.div(3).log_softmax(1) for x in (student(images[rows]), told[rows]))
            optimizer.zero_grad()
            (9 * F.kl_div(q, p, reduction="batchmean", log_target=True)).backward()
            optimizer.param_groups[0]["lr"] = recipe.rate(step)
            optimizer.step()
        with torch.no_grad():
            guess = student(toy.images[group.test]).argmax(1)
        assert found["test"][g] == pytest.approx(accuracy_score(toy.labels[group.test], guess))
        teachers = taught.logits[g, group.test].argmax(1)
        assert found["agreement"][g] == pytest.approx(accuracy_score(teachers, guess))


def test_resample_hands_out_the_pool_again_and_again(toy):
    own = groups(toy)
    handed = distill.resample(toy, own, 70)
    assert handed.shape == (4, 70, 1, 8, 8)
    for g, group in enumerate(own):
        pool = toy.images[group.pool]
        assert torch.equal(handed[g], torch.cat([pool, pool[:10]]))


def test_data_free_reads_no_image(toy, taught):
    made = distill.data_free(toy, groups(toy), taught, "mlp-3", count=5, steps=2)
    assert made.shape == (4, 5, 1, 8, 8)
    other = changed(toy, torch.arange(120), images=True, labels=True)
    assert torch.equal(made, distill.data_free(other, groups(toy), taught, "mlp-3", 5, 2))
    assert not torch.equal(made[0], made[1]), "each group has its own teacher and generator"


# ---- what a gain is worth


BUDGETS = (10, 20, 50, 200)


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), st.floats(-0.5, 4.5))
def test_labels_are_read_off_the_curve_as_scipy_reads_them(climbs, reached):
    curve = np.cumsum(climbs)
    found = distill.labels_for(BUDGETS, curve, reached)
    ends = tuple(np.log([BUDGETS[0], BUDGETS[-1]]))
    line = interp1d(curve, np.log(BUDGETS), bounds_error=False, fill_value=ends)
    assert found == pytest.approx(float(np.exp(line(reached))))


def test_a_dip_in_the_curve_is_levelled():
    dipped, level = np.array([0.5, 0.7, 0.6, 0.9]), np.array([0.5, 0.7, 0.7, 0.9])
    for reached in (0.45, 0.6, 0.65, 0.75, 0.95):
        found = distill.labels_for(BUDGETS, dipped, reached)
        assert found == distill.labels_for(BUDGETS, level, reached)
    assert distill.labels_for(BUDGETS, dipped, 0.6) == pytest.approx((10 * 20) ** 0.5)


def study_of_labels(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A curve that rises by .1 a budget and a student on it, ten splits of each."""
    rng = np.random.default_rng(5)
    own = np.array([0.5, 0.6, 0.7, 0.8])[:, None] + noise * rng.normal(size=(4, 10))
    return own, 0.65 + 0.01 * rng.normal(size=10)


def test_the_worth_in_labels_by_hand():
    own, reached = study_of_labels(0.02)

    def log_labels(splits: list[int]) -> float:
        curve = [np.mean([own[b, i] for i in splits]) for b in range(4)]
        return np.log(distill.labels_for(BUDGETS, curve, np.mean([reached[i] for i in splits])))

    everyone = list(range(10))
    without = [log_labels([j for j in everyone if j != i]) for i in everyone]
    half = sps.t.ppf(0.975, 9) * np.sqrt(9 * np.var(without) * 10 * (1 / 10 + 0.3))
    found, estimates = distill.worth_in_labels(BUDGETS, own, reached, ratio=0.3)
    assert np.log([found.value, found.low, found.high]) == pytest.approx(
        log_labels(everyone) + np.array([0, -half, half])
    )
    assert np.log(estimates) == pytest.approx(without)
    assert found.method.startswith("jackknife over splits, Nadeau-Bengio")
    assert found.method.endswith("on logarithms") and found.n == 10


def test_an_uncertain_curve_widens_the_worth_in_labels():
    def width(noise: float) -> float:
        found, _ = distill.worth_in_labels(BUDGETS, *study_of_labels(noise), ratio=0.1)
        return np.log(found.high / found.low)

    assert width(0.04) > 1.5 * width(0.0)
