"""The distillation study: many arms, many splits, one table of scores.

An *arm* is a way to train the student.  A *group* is a random split with a label budget; all arms
of a group share its images and initial weights, and arms that read the same rows share the batches
too, so that differences between arms are paired.  Arms that read the same rows under the same kind
of loss are trained in one stack.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from synthecon import stats
from synthecon.physics import evaluate, losses, nets, synth, train
from synthecon.physics.data import Dataset, split, stratified
from synthecon.physics.nets import Output
from synthecon.physics.train import Recipe

Rows = Literal["labelled", "pool"]
Soft = Literal["teacher", "shuffled", "class mean"]
Kind = Literal["logits", "decoupled", "hint", "attention"]

REPETITION = 1_000_000  # between the seeds of a split's repetitions: more than splits ever need


@dataclass(frozen=True, eq=False)
class Group:
    """One random split and one label budget.  Index tensors into the data set's rows.

    seed: draws weights, batches and placebos.  split: groups of one split share pool, validation
    and test and differ in the rest; None takes the seed, so that every group is its own split.
    """

    seed: int
    budget: int
    labelled: Tensor
    pool: Tensor
    validation: Tensor
    test: Tensor
    split: int | None = None

    @property
    def images(self) -> int:
        """The split that its images came from."""
        return self.seed if self.split is None else self.split


@dataclass(frozen=True)
class Arm:
    """How one student is trained.

    family: arms that compete for one place; the best on validation takes it.
    rows: `labelled` sees the budget's images only; `pool` sees all images, and no label.
    hard: whose argmax the hard term trusts (`label` or `teacher`); smoothing ε spreads it.
    soft, temperature, alpha: the soft term; alpha = 0 leaves it out.
    kind, beta: `logits` is Hinton's loss; `decoupled` weighs the other classes by beta; `hint` and
        `attention` add beta times a hidden-state loss to it.
    """

    family: str
    rows: Rows = "labelled"
    hard: Literal["label", "teacher"] = "label"
    smoothing: float = 0.0
    soft: Soft = "teacher"
    temperature: float = 1.0
    alpha: float = 0.0
    kind: Kind = "logits"
    beta: float = 0.0
    weight_decay: float = 0.1

    def __post_init__(self) -> None:
        reads_label = self.hard == "label" and (self.alpha < 1 or self.kind == "decoupled")
        if self.rows == "pool" and reads_label:
            raise ValueError(
                f"{self.family}: an arm on the pool would read labels that nobody paid for: "
                "set hard='teacher'"
            )


@dataclass(frozen=True, eq=False)
class Teacher:
    """A teacher's answers on every row, computed once: one teacher a group.

    logits [G, N, C], hidden [G, N, F], attention [G, N, H·W] or None; net: the stack itself.
    """

    net: nn.Module
    logits: Tensor
    hidden: Tensor
    attention: Tensor | None
    seconds: float = 0.0

    def pick(self, groups: Sequence[int]) -> Teacher:
        """The teachers of some of the groups."""
        where = list(groups)
        attention = None if self.attention is None else self.attention[where]
        net = nets.take(self.net, where, len(where))
        seconds = self.seconds * len(where) / len(self.logits)
        return Teacher(net, self.logits[where], self.hidden[where], attention, seconds)


@dataclass(frozen=True, eq=False)
class Scores:
    """Results a group and arm, [G, A] each, as shares of 1; curves [T, G, A] if asked for."""

    groups: tuple[Group, ...]
    arms: tuple[Arm, ...]
    validation: np.ndarray
    test: np.ndarray
    ece: np.ndarray
    agreement: np.ndarray
    banks: tuple[tuple[tuple[int, ...], nn.Module], ...] = ()  # which arms a trained stack holds
    seconds: float = 0.0  # of training, all students together
    curve_steps: tuple[int, ...] = ()
    curves: np.ndarray | None = None

    def _members(self, family: str, budget: int) -> tuple[np.ndarray, list[int]]:
        rows = by_split(self.groups, budget)
        arms = [a for a, arm in enumerate(self.arms) if arm.family == family]
        if not arms or not rows.size:
            raise KeyError(f"no arm of family {family!r} was run with {budget} labels")
        return rows, arms

    def accuracy(self, family: str, budget: int) -> np.ndarray:
        """Test accuracy of the family, one a split: each split takes the arm that is best on its
        own validation images.  (A vote over all splits would let a split's test images speak, as
        another's validation images.)  Both are means over the split's repetitions.

        Raises:
            KeyError: no arm of that family was run.
        """
        rows, arms = self._members(family, budget)
        best = self.validation[rows][:, :, arms].mean(1).argmax(1)
        return self.test[rows][:, :, arms].mean(1)[np.arange(len(rows)), best]

    def arm(self, family: str, budget: int) -> Arm:
        """The family's arm with the best mean validation accuracy: the setting to go on with."""
        rows, arms = self._members(family, budget)
        return self.arms[arms[int(self.validation[rows][:, :, arms].mean((0, 1)).argmax())]]

    def column(self, name: str, arm: Arm, budget: int) -> np.ndarray:
        """One score (`ece`, `agreement`…) of one arm, a split each (mean over repetitions)."""
        rows = by_split(self.groups, budget)
        return getattr(self, name)[rows, self.arms.index(arm)].mean(1)

    def network(self, arm: Arm, group: int = 0) -> nn.Module:
        """The student that this arm trained in this group, as a plain PyTorch network."""
        number = self.arms.index(arm)
        members, net = next(bank for bank in self.banks if number in bank[0])
        return nets.extract(net, group * len(members) + members.index(number))

    def gain(self, family: str, over: str, budget: int) -> np.ndarray:
        """Percentage points of test accuracy between two families, a split each."""
        return 100 * (self.accuracy(family, budget) - self.accuracy(over, budget))


def by_split(groups: Sequence[Group], budget: int) -> np.ndarray:
    """The numbers of the groups with this budget, int [splits, repetitions].

    Intervals are over splits: whoever trained more than once on the same images averages first.

    Raises:
        ValueError: one split was repeated more often than another.
    """
    found: dict[int, list[int]] = {}
    for g, group in enumerate(groups):
        if group.budget == budget:
            found.setdefault(group.images, []).append(g)
    if len({len(own) for own in found.values()}) > 1:
        raise ValueError(f"with {budget} labels, some splits were repeated more often than others")
    return np.array(list(found.values()), dtype=int).reshape(len(found), -1 if found else 0)


def make_groups(
    data: Dataset,
    budgets: Sequence[int],
    seeds: Sequence[int],
    *,
    pool: int,
    validation: int,
    repeats: Sequence[int] | None = None,
) -> tuple[Group, ...]:
    """Splits × budgets × repetitions, split by split.  A budget is dealt out evenly over classes.

    Args:
        seeds: one a split; it draws the images, and everything else of the first repetition.
        repeats: how often each budget is repeated in the same pool, with labels bought for other
            images, other weights and other batches; once if not given.

    Raises:
        ValueError: a budget that the classes do not divide, or more labels than the pool has; or
            repeats that do not fit the budgets.
    """
    classes, groups = len(data.classes), []
    repeats = [1] * len(budgets) if repeats is None else list(repeats)
    if len(repeats) != len(budgets) or min(repeats) < 1:
        raise ValueError(f"repeats {repeats}: one number, at least 1, for each of {list(budgets)}")
    for budget in budgets:
        if budget > pool or (budget < pool and budget % classes):
            raise ValueError(
                f"label budget {budget}: must be at most the pool's {pool}, and a multiple of "
                f"{classes} classes unless it is the whole pool"
            )
    for seed in seeds:
        parts = split(data, seed, train=pool, validation=validation)
        for budget, times in zip(budgets, repeats, strict=True):
            for own in range(seed, seed + REPETITION * times, REPETITION):
                labelled = parts.train
                if budget < pool:
                    labelled = stratified(data.labels, parts.train, budget // classes, own)
                scored = (parts.validation, parts.test)
                groups.append(Group(own, budget, labelled, parts.train, *scored, split=seed))
    return tuple(groups)


def one_hot(labels: Tensor, classes: int, smoothing: float = 0.0) -> Tensor:
    """[...] int -> [..., C] probabilities; ε is spread evenly over all classes."""
    hard = nn.functional.one_hot(labels, classes).float()
    return hard * (1 - smoothing) + smoothing / classes


def train_teacher(
    data: Dataset, groups: Sequence[Group], name: str, recipe: Recipe, *, chunk: int = 1024
) -> Teacher:
    """One teacher a group, trained on the group's labelled images, in one stack.

    Its answers on every row of the data set are computed once and kept on the device.
    """
    start = time.perf_counter()
    seeds = [g.seed for g in groups]
    net = _stack(data, name, seeds, len(groups))
    target = one_hot(data.labels, len(data.classes))
    order = train.batches([g.labelled for g in groups], recipe.steps, recipe.batch, seeds)
    train.fit(
        net,
        data.images,
        order,
        lambda out, rows: losses.cross_entropy(out.logits, target[rows].transpose(1, 2)),
        recipe,
        seeds=seeds,
        names=[f"teacher {name}, split {g.seed}, {g.budget} labels" for g in groups],
    )
    _wait(data.images.device)
    seconds = time.perf_counter() - start
    out = train.predict(net, data.images, chunk=chunk)
    attention = out.maps[0].transpose(1, 2).contiguous() if out.maps else None
    return Teacher(
        net,
        out.logits.transpose(1, 2).contiguous(),
        out.hidden.transpose(1, 2).contiguous(),
        attention,
        seconds,
    )


def _stack(data: Dataset, name: str, seeds: list[int], groups: int) -> nn.Module:
    shape = tuple(data.images.shape[1:])
    return nets.build(name, shape, len(data.classes), seeds, groups).to(data.images.device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def placebo(logits: Tensor, kind: Soft, rows: Tensor, classes: Tensor, seed: int) -> Tensor:
    """The teacher's answers with part of what they know removed, [N, C] -> [N, C].

    `shuffled` deals the answers anew among the images of a class: the class is still right, what
    the teacher saw in *this* image is gone.  `class mean` gives every image its class's mean
    logits.  Only `rows` change; `classes` [N] says which class each row counts as.
    """
    changed = logits.clone()
    generator = torch.Generator().manual_seed(seed)
    for c in classes[rows].unique():
        own = rows[classes[rows] == c]
        if kind == "shuffled":
            deal = own[torch.randperm(len(own), generator=generator).to(own.device)]
            changed[own] = logits[deal]
        else:
            changed[own] = logits[own].mean(0)
    return changed


class Objective:
    """The loss of a bank of arms: gathers each group's targets once, deals them to its arms."""

    def __init__(
        self,
        data: Dataset,
        groups: Sequence[Group],
        arms: Sequence[Arm],
        teacher: Teacher,
        student: nn.Module,
    ) -> None:
        kinds, device = {arm.kind for arm in arms}, data.images.device
        if len(kinds) != 1:
            raise ValueError(f"one bank holds one kind of loss, got {sorted(kinds)}")
        self.kind = kinds.pop()
        self.arms, self.groups = len(arms), torch.arange(len(groups), device=device)[:, None]
        classes = len(data.classes)

        hard = sorted({(arm.hard, arm.smoothing) for arm in arms})
        self.hard = torch.stack(
            [
                one_hot(data.labels.expand(len(groups), -1), classes, s)
                if who == "label"
                else one_hot(teacher.logits.argmax(-1), classes, s)
                for who, s in hard
            ]
        )  # [V, G, N, C]
        self.hard_of = torch.tensor(
            [hard.index((a.hard, a.smoothing)) for a in arms], device=device
        )

        soft = sorted({(arm.soft, arm.rows) for arm in arms})
        self.soft = torch.stack([self._soft(data, groups, teacher, *key) for key in soft])
        self.soft_of = torch.tensor([soft.index((a.soft, a.rows)) for a in arms], device=device)

        def column(field: str) -> Tensor:
            values = torch.tensor([float(getattr(arm, field)) for arm in arms])
            return values.repeat(len(groups)).to(device)

        self.temperature, self.alpha = column("temperature"), column("alpha")
        self.beta, self.teacher = column("beta"), teacher
        self.extra: tuple[nn.Parameter, ...] = ()
        if self.kind == "hint":
            inner = _hidden_units(student, data)
            shape = (len(groups) * len(arms), teacher.hidden.shape[-1], inner)
            generator = torch.Generator().manual_seed(0)
            first = torch.randn(shape[1:], generator=generator) / inner**0.5
            self.extra = (nn.Parameter(first.repeat(shape[0], 1, 1).to(device)),)

    @staticmethod
    def _soft(
        data: Dataset, groups: Sequence[Group], teacher: Teacher, kind: Soft, rows: Rows
    ) -> Tensor:
        if kind == "teacher":
            return teacher.logits
        changed = []
        for g, group in enumerate(groups):
            classes = data.labels if rows == "labelled" else teacher.logits[g].argmax(-1)
            own = group.labelled if rows == "labelled" else group.pool
            own = own.to(classes.device)
            changed.append(placebo(teacher.logits[g], kind, own, classes, group.seed))
        return torch.stack(changed)

    def _deal(self, table: Tensor, which: Tensor | None, rows: Tensor) -> Tensor:
        """[V, G, N, C] or [G, N, C], rows [G, B] -> one target a student, [K, C, B]."""
        if which is None:
            picked = table[self.groups, rows].transpose(1, 2).unsqueeze(1)
            picked = picked.expand(-1, self.arms, -1, -1)
        else:
            picked = table[:, self.groups, rows][which].permute(1, 0, 3, 2)
        return picked.reshape(-1, *picked.shape[2:])

    def __call__(self, out: Output, rows: Tensor) -> Tensor:
        z = out.logits
        hard = self._deal(self.hard, self.hard_of, rows)
        soft = self._deal(self.soft, self.soft_of, rows)
        if self.kind == "decoupled":
            return losses.decoupled(z, soft, hard, self.temperature, 1.0, self.beta)
        base = losses.distillation(z, soft, hard, self.temperature, self.alpha)
        if self.kind == "hint":
            target = self._deal(self.teacher.hidden, None, rows)
            return base + self.beta * losses.hint(out.hidden, target, self.extra[0])
        if self.kind == "attention":
            if self.teacher.attention is None or not out.maps:
                raise ValueError("attention transfer needs a teacher and a student with maps")
            target = self._deal(self.teacher.attention, None, rows)
            return base + self.beta * losses.attention(losses.attention_map(out.maps[-1]), target)
        return base


def _hidden_units(student: nn.Module, data: Dataset) -> int:
    rows = torch.zeros(student.groups, 2, dtype=torch.int64, device=data.images.device)
    return train.predict(student, data.images, rows).hidden.shape[1]


def run(
    data: Dataset,
    groups: Sequence[Group],
    arms: Sequence[Arm],
    teacher: Teacher,
    student: str,
    recipe: Recipe,
    *,
    curve: int = 0,
    chunk: int = 1024,
) -> Scores:
    """Train and score every arm in every group.

    Args:
        teacher: its answers, one a group, in the order of `groups`.
        student: a name for `nets.build`.
        recipe: steps, batch and rate for all arms; the arm's own weight decay applies.
        curve: score the test set every so many steps (0: only at the end).
        chunk: images at once when scoring.

    Returns:
        Scores in the order of `arms`.
    """
    if len(teacher.logits) != len(groups):
        raise ValueError(f"{len(teacher.logits)} teachers for {len(groups)} groups")
    device = data.images.device
    validation = torch.stack([g.validation for g in groups]).to(device)
    test = torch.stack([g.test for g in groups]).to(device)
    shape, curves, steps, seconds = (len(groups), len(arms)), None, (), 0.0
    tables = {k: np.full(shape, np.nan) for k in ("validation", "test", "ece", "agreement")}
    trained: list[tuple[tuple[int, ...], nn.Module]] = []
    banks: dict[tuple[Rows, Kind], list[int]] = {}
    for a, arm in enumerate(arms):
        banks.setdefault((arm.rows, arm.kind), []).append(a)
    for (rows, _), members in banks.items():
        own = [arms[a] for a in members]
        seeds = [g.seed for g in groups]
        net = _stack(data, student, [s for s in seeds for _ in own], len(groups))
        objective = Objective(data, groups, own, teacher, net)
        order = train.batches([getattr(g, rows) for g in groups], recipe.steps, recipe.batch, seeds)

        def score(net: nn.Module, count: int = len(own)) -> Tensor:
            logits = train.predict(net, data.images, test, chunk).logits
            return evaluate.accuracy(logits, data.labels[test].repeat_interleave(count, 0))

        start = time.perf_counter()
        history = train.fit(
            net,
            data.images,
            order,
            objective,
            recipe,
            seeds=seeds,
            weight_decay=torch.tensor([a.weight_decay for a in own]).repeat(len(groups)),
            extra=objective.extra,
            watch=score if curve else None,
            every=curve,
            names=[
                f"{a.family} (T={a.temperature:g}, α={a.alpha:g}), split {g.seed}, "
                f"{g.budget} labels"
                for g in groups
                for a in own
            ],
        )

        _wait(device)
        seconds += time.perf_counter() - start
        trained.append((tuple(members), net))

        def table(values: Tensor, count: int = len(own)) -> np.ndarray:
            return values.view(len(groups), count).cpu().numpy()

        labels = data.labels[test].repeat_interleave(len(own), 0)
        logits = train.predict(net, data.images, test, chunk).logits
        told = teacher.logits[torch.arange(len(groups), device=device)[:, None], test]
        told = told.transpose(1, 2).repeat_interleave(len(own), 0)
        seen = train.predict(net, data.images, validation, chunk).logits
        checked = data.labels[validation].repeat_interleave(len(own), 0)
        tables["validation"][:, members] = table(evaluate.accuracy(seen, checked))
        tables["test"][:, members] = table(evaluate.accuracy(logits, labels))
        tables["ece"][:, members] = table(evaluate.calibration_error(logits, labels))
        tables["agreement"][:, members] = table(evaluate.agreement(logits, told))
        if curve:
            if curves is None:
                steps = tuple(history.steps)
                curves = np.full((len(steps), *shape), np.nan)
            for t, seen_then in enumerate(history.watched):
                curves[t][:, members] = table(seen_then)
    return Scores(
        tuple(groups),
        tuple(arms),
        **tables,
        banks=tuple(trained),
        seconds=seconds,
        curve_steps=steps,
        curves=curves,
    )


def never_raw(
    data: Dataset,
    groups: Sequence[Group],
    teacher: Teacher,
    student: str,
    recipe: Recipe,
    images: dict[str, Tensor],
    temperature: float,
) -> dict[str, dict[str, np.ndarray]]:
    """Students that see made-up images and the teacher's answers to them, and nothing else.

    Args:
        teacher: its net answers for the made-up images, one teacher a group.
        images: what each rung feeds, [G, M, C, H, W]; `synth.staircase` makes them.

    Returns:
        For each rung, `test` accuracy and `agreement` with the teacher on real test images, [G].
    """
    device, seeds = data.images.device, [g.seed for g in groups]
    count, many = next(iter(images.values())).shape[1], len(images) * len(groups)
    table = torch.cat([x.to(device).flatten(0, 1) for x in images.values()])
    rows = torch.arange(len(table)).view(len(images), len(groups), count)
    answers = torch.cat([train.predict(teacher.net, table, r).logits for r in rows])
    answers = answers.transpose(1, 2).flatten(0, 1)
    net = _stack(data, student, seeds * len(images), many)
    order = train.batches(
        rows.flatten(0, 1).unbind(), recipe.steps, recipe.batch, seeds * len(images)
    )

    def objective(out: Output, batch: Tensor) -> Tensor:
        soft = answers[batch].transpose(1, 2)
        return temperature**2 * losses.kl(soft, out.logits, temperature)

    names = [f"student of {rung}, split {s}" for rung in images for s in seeds]
    train.fit(net, table, order, objective, recipe, seeds=seeds * len(images), names=names)
    test = torch.stack([g.test for g in groups]).to(device).repeat(len(images), 1)
    logits = train.predict(net, data.images, test).logits
    group = torch.arange(len(groups), device=device).repeat(len(images))[:, None]
    told = teacher.logits[group, test].transpose(1, 2)
    scores = {
        "test": evaluate.accuracy(logits, data.labels[test]),
        "agreement": evaluate.agreement(logits, told),
    }
    grids = {k: v.view(len(images), -1).cpu().numpy() for k, v in scores.items()}
    return {rung: {k: v[i] for k, v in grids.items()} for i, rung in enumerate(images)}


def resample(data: Dataset, groups: Sequence[Group], count: int) -> Tensor:
    """Raw images of each group's pool, `count` of them (again and again if need be),
    [G, M, C, H, W]: what a rung would be if the images themselves were handed over."""
    rows = torch.stack([g.pool[torch.arange(count) % len(g.pool)] for g in groups])
    return data.images[rows]


def data_free(
    data: Dataset,
    groups: Sequence[Group],
    teacher: Teacher,
    probe: str,
    count: int,
    steps: int,
) -> Tensor:
    """Each group's images from a generator that was trained against its teacher alone.

    Args:
        probe: the kind of the probe student.
    """
    shape, device = tuple(data.images.shape[1:]), data.images.device
    made = []
    for g, group in enumerate(groups):
        student = nets.Single(_stack(data, probe, [group.seed], 1))
        made.append(
            synth.data_free(
                nets.extract(teacher.net, g),
                student,
                shape,
                count,
                steps=steps,
                batch=256,
                seed=group.seed,
                device=device,
            )
        )
    return torch.stack(made)


def teacher_scores(
    data: Dataset, groups: Sequence[Group], teacher: Teacher
) -> dict[str, np.ndarray]:
    """Each group's teacher: `validation` and `test` accuracy and `ece` on test images, [G]."""
    device = data.images.device
    own = torch.arange(len(groups), device=device)[:, None]

    def answers(part: str) -> tuple[Tensor, Tensor]:
        rows = torch.stack([getattr(g, part) for g in groups]).to(device)
        return teacher.logits[own, rows].transpose(1, 2), data.labels[rows]

    test = answers("test")
    scores = {
        "validation": evaluate.accuracy(*answers("validation")),
        "test": evaluate.accuracy(*test),
        "ece": evaluate.calibration_error(*test),
    }
    return {name: score.cpu().numpy() for name, score in scores.items()}


def labels_for(budgets: Sequence[int], curve: np.ndarray, reached: float) -> float:
    """Own labels at which a student reaches an accuracy, read off its learning curve.

    Between budgets on a log scale; at the first or last budget where the curve does not reach.

    Args:
        budgets: rising.
        curve: mean accuracy at each, [B], in the unit of `reached`; more labels never count as
            worse, so a dip is levelled.
    """
    rising = np.maximum.accumulate(curve)
    return float(np.exp(np.interp(reached, rising, np.log(budgets))))


def worth_in_labels(
    budgets: Sequence[int],
    own: np.ndarray,
    reached: np.ndarray,
    *,
    ratio: float,
    level: float = 0.95,
) -> tuple[stats.Interval, np.ndarray]:
    """How many own labels equal a student, with the error of its accuracy *and* of the curve.

    Both come from the same splits, so a split is left out of both at once.

    Args:
        own: accuracy with own labels, [B, splits]; reached: that of the student in question,
            [splits], in the same unit.
        ratio: n_test / n_train, as in `stats.paired`.

    Returns:
        The labels with their interval (a jackknife on logarithms, so it stays positive), and the
        leave-one-out estimates, [splits]: those at the first or last budget are bounds.
    """
    rows = np.column_stack([np.asarray(own, dtype=float).T, np.asarray(reached, dtype=float)])

    def labels(some: np.ndarray) -> float:
        means = some.mean(0)
        return math.log(labels_for(budgets, means[:-1], means[-1]))

    i = stats.jackknife(labels, rows, ratio=ratio, level=level)
    value, low, high = (math.exp(x) for x in (i.value, i.low, i.high))
    interval = stats.Interval(value, low, high, level, i.n, f"{i.method}, on logarithms")
    return interval, np.exp(stats.leave_one_out(labels, rows))
