"""Bridging a distribution shift: what repairs a model whose inputs have changed, and its worth.

A *world* is a place where images look otherwise than at home.  A *job* is one student: half of
each of its batches comes from one list of rows, half from another, so that an arm with few images
of its own is heard as loudly as one with many.  All rows point into one resident table in which
the images of home, of every world and of every generator stand behind each other; all jobs of a
run are trained in stacks.

A repair is worth as many newly labelled *target* images as would have given the same accuracy:
`worth` inverts the label curve, and its interval holds the curve's own error too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import isotonic_regression
from torch import Tensor, nn

from synthecon import stats
from synthecon.physics import corrupt, estimate, losses, nets, shift, synth, train
from synthecon.physics.data import Dataset, split
from synthecon.physics.distill import one_hot
from synthecon.physics.nets import Output
from synthecon.physics.train import Recipe

# ---- free repairs: no image is labelled


def coral(source: Tensor, target: Tensor, ridge: float = 0.1) -> Tensor:
    """Source images with the mean and the covariance of the target's.

    Sun, Feng and Saenko (2016), algorithm 1: whiten with the source's covariance, colour with the
    target's.  Their features have mean zero and unit variance; pixels have neither, so the mean
    moves along, and the ridge is a share of the variance where theirs is 1.

    Args:
        source: [N, C, H, W]. target: [M, C, H, W]; no label is read.
        ridge: share of the mean variance added to both diagonals, above 0: pixels that never vary
            cannot be whitened.

    Returns:
        float32 [N, C, H, W].  A linear map does not stop at 0 and 1, and neither is clipped.
    """
    x, y = source.flatten(1).double(), target.flatten(1).double()
    mean_x, mean_y = x.mean(0), y.mean(0)
    whiten = _power(_covariance(x, ridge), -0.5)
    colour = _power(_covariance(y, ridge), 0.5)
    return ((x - mean_x) @ whiten @ colour + mean_y).float().view_as(source)


def _covariance(flat: Tensor, ridge: float) -> Tensor:
    """Of rows [n, p], with the ridge on its diagonal: [p, p]."""
    centred = flat - flat.mean(0)
    square = centred.T @ centred / len(flat)
    level = ridge * square.diagonal().mean() + 1e-12
    return square + level * torch.eye(len(square), dtype=square.dtype, device=square.device)


def _power(matrix: Tensor, power: float) -> Tensor:
    """A symmetric positive matrix to a power: 0.5 is its root, -0.5 undoes it."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values**power) @ vectors.T


def reweighted(
    labels: Tensor, rows: Tensor, shares: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """`count` of `rows`, drawn with replacement, in which the classes have these shares.

    Drawing in proportion to the weights (wanted share over own share) is importance weighting
    without weights in the loss.  A class that is not among `rows` cannot be drawn.

    Args:
        labels: int64 [N], of all rows. rows: int64 [R]. shares: [C], not negative; `estimate`
            finds them without target labels.
    """
    own = labels[rows].bincount(minlength=len(shares)).clamp(min=1)
    weights = (shares / own)[labels[rows]].cpu()
    return rows[torch.multinomial(weights, count, True, generator=generator).to(rows.device)]


# ---- worth k labels


def invert(curve: np.ndarray, labels: Sequence[int], reached: float) -> float:
    """How many labels the curve needs for the accuracy `reached`, from 0 to the last of `labels`.

    The curve is made monotone first (isotonic regression: more labels never count as worse) and
    read between its points on the scale log(1 + k).  An accuracy below the curve gives the first
    point, one above it the last: a bound, and no estimate.

    Args:
        curve: accuracy at each of `labels`, [K]. labels: rising numbers, from 0.
    """
    steps = np.log1p(np.asarray(labels, dtype=float))
    rising = isotonic_regression(np.asarray(curve, dtype=float)).x
    at = int(np.searchsorted(rising, reached))  # the first point that reaches it
    if at == 0:
        return float(labels[0])
    if at == len(rising):
        return float(labels[-1])
    part = (reached - rising[at - 1]) / (rising[at] - rising[at - 1])
    return float(np.expm1(steps[at - 1] + part * (steps[at] - steps[at - 1])))


@dataclass(frozen=True)
class Worth:
    """Labels that equal a repair; at_zero and at_end: shares of the splits in which the number is
    only a bound, at most the first or at least the last point of the curve."""

    interval: stats.Interval
    at_zero: float
    at_end: float


def worth(
    curve: np.ndarray,
    labels: Sequence[int],
    reached: np.ndarray,
    *,
    ratio: float,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Worth:
    """What a repair is worth in labels, over S splits.

    The estimate inverts the mean curve at the mean accuracy.  Its interval is the wider, on either
    side, of two:

    - a bootstrap in which splits are drawn together with their own curve, so that the curve's
      error counts too.  Splits share images, which a bootstrap does not know: its deviations are
      stretched by √(1 + S·ratio), Nadeau and Bengio's (2003) factor;
    - their corrected t interval over the splits' own inversions.

    Both work on log(1 + k) and end where the curve ends.

    Args:
        curve: [S, K], one label curve a split. reached: [S]. labels: K numbers, rising from 0.
        ratio: n_test / n_train of the splits.
    """
    curve, reached = np.asarray(curve, dtype=float), np.asarray(reached, dtype=float)
    splits, top = len(curve), float(np.log1p(labels[-1]))
    each = np.array([invert(c, labels, r) for c, r in zip(curve, reached, strict=True)])
    value = np.log1p(invert(curve.mean(0), labels, float(reached.mean())))
    rng = np.random.default_rng(seed)
    picks = rng.integers(splits, size=(draws, splits))
    means = curve[picks].mean(1), reached[picks].mean(1)
    drawn = np.log1p([invert(c, labels, r) for c, r in zip(*means, strict=True)])
    stretched = value + (1 + splits * ratio) ** 0.5 * (drawn - value)
    ends = np.quantile(stretched, [(1 - level) / 2, (1 + level) / 2])
    own = stats.paired(np.log1p(each), ratio=ratio, level=level)
    low, high = np.clip([min(ends[0], own.low), max(ends[1], own.high)], 0, top)
    count, first, last = (float(np.expm1(x)) for x in (value, min(low, value), max(high, value)))
    method = (
        f"bootstrap of splits and curve, stretched for n_test/n_train = {ratio:.3g}, or corrected "
        "t on log(1 + k), whichever is wider"
    )
    interval = stats.Interval(count, first, last, level, splits, method)
    at_end = each >= labels[-1] * (1 - 1e-12)
    return Worth(interval, float((each <= labels[0]).mean()), float(at_end.mean()))


# ---- worlds and students


@dataclass(frozen=True, eq=False)
class Parts:
    """One random split: rows of the data set, int64, disjoint."""

    seed: int
    source: Tensor
    target: Tensor
    validation: Tensor
    test: Tensor


def parts(
    data: Dataset, seeds: Sequence[int], source: int, target: int, validation: int, test: int
) -> tuple[Parts, ...]:
    """One split a seed; `test` 0 takes all rows that remain."""
    found = []
    for seed in seeds:
        rows = split(data, seed, source + target, validation, test or None)
        own, there = rows.train[:source], rows.train[source:]
        found.append(Parts(seed, own, there, rows.validation, rows.test))
    return tuple(found)


class Table:
    """Images and labels that grow, and never move: rows handed out stay valid."""

    def __init__(self, data: Dataset) -> None:
        self.classes = len(data.classes)
        self._images, self._labels, self._rows = [data.images], [data.labels], len(data.labels)

    def add(self, images: Tensor, labels: Tensor) -> Tensor:
        """The rows under which these images now stand, int64 [N]."""
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images, but {len(labels)} labels")
        self._images.append(images)
        self._labels.append(labels)
        first, self._rows = self._rows, self._rows + len(images)
        return torch.arange(first, self._rows, device=images.device)

    def whole(self) -> tuple[Tensor, Tensor]:
        """All images [T, C, H, W] and labels [T]."""
        self._images, self._labels = [torch.cat(self._images)], [torch.cat(self._labels)]
        return self._images[0], self._labels[0]


@dataclass(frozen=True, eq=False)
class World:
    """Where the model is to work.  One tensor of rows of the table a split, in their order.

    source: the labelled images of home; target: images that could be labelled; test: images that
    measure.  recipe: corruptions that make home look like this world; wrong: those of another.
    groups: thin, middle or thick strokes of the test images (`shift.ink_groups`), [n] a split.
    """

    name: str
    source: tuple[Tensor, ...]
    target: tuple[Tensor, ...]
    test: tuple[Tensor, ...]
    recipe: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    groups: tuple[Tensor, ...] = ()


def stroke_groups(data: Dataset, splits: Sequence[Parts]) -> tuple[Tensor, ...]:
    """Groups of all rows of home, int64 [N] a split, by the thresholds of its source images."""
    return tuple(shift.ink_groups(data.images, data.labels, s.source) for s in splits)


def home(splits: Sequence[Parts]) -> World:
    """The world of the source itself."""
    own = [(s.source, s.target, s.test) for s in splits]
    return World("home", *(tuple(rows) for rows in zip(*own, strict=True)))


def corrupted(
    table: Table,
    data: Dataset,
    splits: Sequence[Parts],
    name: str,
    wrong: str,
    severity: int,
    seed: int,
) -> World:
    """A world in which every image of the data set is corrupted in one way."""
    there = table.add(corrupt.apply(data.images, name, severity, seed), data.labels)
    target, test = tuple(there[s.target] for s in splits), tuple(there[s.test] for s in splits)
    strokes = stroke_groups(data, splits)  # of the clean image: a corruption moves ink
    groups = tuple(own[s.test] for own, s in zip(strokes, splits, strict=True))
    return World(name, home(splits).source, target, test, (name,), (wrong,), groups)


def elsewhere(
    table: Table,
    splits: Sequence[Parts],
    there: Dataset,
    recipe: Sequence[str],
    wrong: Sequence[str],
    name: str = "natural",
) -> World:
    """A world of other images altogether: `there`, with the same classes, split by the same seeds.

    Raises:
        ValueError: its classes are not those of home.
    """
    if len(there.classes) != table.classes:
        raise ValueError(f"{there.name} has {len(there.classes)} classes, not {table.classes}")
    rows = table.add(there.images, there.labels)
    drawn = [split(there, s.seed, len(s.target), 0, len(s.test)) for s in splits]
    target, test = tuple(rows[d.train] for d in drawn), tuple(rows[d.test] for d in drawn)
    groups = tuple(shift.ink_groups(there.images, there.labels, d.train)[d.test] for d in drawn)
    return World(name, home(splits).source, target, test, tuple(recipe), tuple(wrong), groups)


def tilted(
    data: Dataset, splits: Sequence[Parts], groups: Sequence[Tensor], name: str, severity: int
) -> World:
    """A world of the same images in other shares: `groups` [N], one a split, are tilted one way at
    home and the other way there (a quarter of the rows are drawn)."""
    found = []
    for s, own in zip(splits, groups, strict=True):
        weights = shift.tilted(int(own.max()) + 1, severity)
        tilts = (s.source, weights.flip(0)), (s.target, weights), (s.test, weights)
        found.append(
            [
                shift.label_shift(own, rows, w, len(rows) // 4, s.seed + 100 * n)
                for n, (rows, w) in enumerate(tilts)
            ]
        )
    return World(name, *(tuple(rows) for rows in zip(*found, strict=True)))


@dataclass(frozen=True, eq=False)
class Job:
    """One student: arm, the world it was made for ("" for all), split, two lists of rows that
    share its batches, and the rows that score it, [V, n], one row of them a world of `on`."""

    arm: str
    world: str
    split: int
    seed: int
    first: Tensor
    second: Tensor
    on: tuple[str, ...]
    tests: Tensor


@dataclass(frozen=True, eq=False)
class Trained:
    """Students in stacks, job by job, and what they cost: seconds of training and of scoring."""

    jobs: tuple[Job, ...]
    stacks: tuple[tuple[tuple[int, ...], nn.Module], ...]
    guesses: tuple[Tensor, ...]  # a job: int64 [V, n]
    hits: tuple[Tensor, ...]  # a job: bool [V, n]
    train_seconds: float
    test_seconds: float

    def correct(self, arm: str, world: str, on: str = "") -> np.ndarray:
        """Which test images the arm of this world names rightly, bool [splits, n].

        Args:
            on: the world whose test images count; by default the arm's own.

        Raises:
            KeyError: no such arm was trained for this world, or it was not scored there.
        """
        on = on or world
        found = {
            job.split: hits[job.on.index(on)]
            for job, hits in zip(self.jobs, self.hits, strict=True)
            if job.arm == arm and job.world in (world, "") and on in job.on
        }
        if not found:
            raise KeyError(f"no arm {arm!r} for {world!r} was scored on {on!r}")
        return torch.stack([found[s] for s in sorted(found)]).cpu().numpy()

    def accuracy(self, arm: str, world: str, on: str = "") -> np.ndarray:
        """Test accuracy in per cent, [splits]."""
        return 100 * self.correct(arm, world, on).mean(1)


def fit(
    table: Table, jobs: Sequence[Job], student: str, recipe: Recipe, at_once: int = 200
) -> Trained:
    """Train and score every job.

    Args:
        student: a name for `nets.build`.
        recipe: `batch` images a step, half of them from each list; an even number.
        at_once: students in a stack.

    Raises:
        ValueError: an odd batch.
    """
    if recipe.batch % 2:
        raise ValueError(f"batch={recipe.batch}: an odd number has no halves")
    images, labels = table.whole()
    target = one_hot(labels, table.classes)
    stacks, guesses, hits = [], {}, {}
    seconds = [0.0, 0.0]
    kinds: dict[tuple[int, ...], list[int]] = {}
    for number, job in enumerate(jobs):
        kinds.setdefault(tuple(job.tests.shape), []).append(number)
    for members in (part for kind in kinds.values() for part in _chunks(kind, at_once)):
        start = time.perf_counter()
        own = [jobs[j] for j in members]
        net = _train(images, target, own, student, recipe)
        _wait(images.device)
        middle = time.perf_counter()
        rows = torch.stack([job.tests.flatten() for job in own])
        said = train.predict(net, images, rows).logits.argmax(1)
        right = said == labels[rows]
        for n, j in enumerate(members):
            guesses[j] = said[n].view_as(jobs[j].tests)
            hits[j] = right[n].view_as(jobs[j].tests)
        _wait(images.device)
        seconds[0] += middle - start
        seconds[1] += time.perf_counter() - middle
        stacks.append((tuple(members), net))
    numbers = range(len(jobs))
    return Trained(
        tuple(jobs),
        tuple(stacks),
        tuple(guesses[j] for j in numbers),
        tuple(hits[j] for j in numbers),
        *seconds,
    )


def _chunks(numbers: list[int], most: int) -> list[list[int]]:
    return [numbers[at : at + most] for at in range(0, len(numbers), most)]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _train(
    images: Tensor, target: Tensor, jobs: Sequence[Job], student: str, recipe: Recipe
) -> nn.Module:
    """One stack of students; jobs of one split begin alike and draw alike where rows are alike."""
    seeds, half = [job.seed for job in jobs], recipe.batch // 2
    shape, classes = tuple(images.shape[1:]), target.shape[1]
    net = nets.build(student, shape, classes, seeds, len(jobs)).to(images.device)
    first = train.batches([job.first for job in jobs], recipe.steps, half, seeds)
    second = train.batches([job.second for job in jobs], recipe.steps, half, [s + 7 for s in seeds])

    def loss(out: Output, rows: Tensor) -> Tensor:
        return losses.cross_entropy(out.logits, target[rows].transpose(1, 2))

    names = [f"{job.arm}, {job.world or 'all worlds'}, split {job.seed}" for job in jobs]
    train.fit(net, images, torch.cat([first, second], 2), loss, recipe, seeds=seeds, names=names)
    return net


def probabilities(trained: Trained, world: str, split: int, images: Tensor) -> Tensor:
    """What the student (or teacher) of a world and split says of images, [n, classes].

    Raises:
        StopIteration: there is none.
    """
    number = next(
        n for n, job in enumerate(trained.jobs) if (job.world, job.split) == (world, split)
    )
    members, net = next(stack for stack in trained.stacks if number in stack[0])
    one = nets.take(net, [members.index(number)])
    return train.predict(one, images).logits[0].T.softmax(1)


class Clock:
    """Seconds and items of each named step of a pipeline, added up; on a GPU, of work that is done
    and not only begun."""

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.seconds: dict[str, float] = {}
        self.items: dict[str, int] = {}

    @contextmanager
    def step(self, name: str, items: int) -> Iterator[None]:
        self._wait()
        start = time.perf_counter()
        yield
        self._wait()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        self.items[name] = self.items.get(name, 0) + items

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


# ---- the arms


@dataclass(frozen=True)
class Plan:
    """What the arms are made of.

    labels: numbers of newly labelled target images, rising, above 0. synthetic: generated images a
    split. ridge: of `coral`. foreseen: corruptions of the generalist. severities: of every copy.
    """

    labels: tuple[int, ...]
    synthetic: int
    ridge: float
    foreseen: tuple[str, ...]
    severities: tuple[int, ...] = corrupt.SEVERITIES


def copies(
    images: Tensor, labels: Tensor, recipe: Sequence[str], severities: Sequence[int], seed: int
) -> tuple[Tensor, Tensor]:
    """Corrupted copies under the labels of their originals, [N·R·S, C, H, W] and [N·R·S].

    Every corruption of the recipe in every severity: the kind of a shift is easier to know
    beforehand than its strength.
    """
    made = [corrupt.apply(images, name, level, seed) for name in recipe for level in severities]
    return torch.cat(made), labels.repeat(len(made))


def teacher_jobs(splits: Sequence[Parts], worlds: Sequence[World]) -> list[Job]:
    """A teacher a world and split, from the labelled images of its source."""
    return [
        Job("teacher", world.name, n, s.seed, rows, rows, ("home",), s.test[None])
        for world in worlds
        for n, (s, rows) in enumerate(zip(splits, world.source, strict=True))
    ]


def repairs(
    table: Table,
    data: Dataset,
    splits: Sequence[Parts],
    worlds: Sequence[World],
    unforeseen: World,
    teachers: Trained,
    selves: Trained,
    plan: Plan,
    clock: Clock,
) -> list[Job]:
    """One student an arm, world and split; arms that do not depend on the world come once.

    - `nothing`: home only.
    - `matched`, `wrong`: half are corrupted copies of home, by the world's recipe or by another's.
    - `source-generator`: half are samples of class Gaussians fitted to home, named by the teacher.
    - `shifted-generator`: such samples, named by the teacher and then corrupted by the recipe.
    - `coral`: half are home's images moved onto the target's mean and covariance.
    - `self-training`: half are unlabelled target images under the guesses of a student like this
      one; `teacher-guesses`: under the teacher's, which is another network.
    - `labels-K`: half are the first K target images under their true labels.
    - `generalist`: half are copies by every foreseen corruption.

    Args:
        teachers, selves: of `teacher_jobs` for home; the second are of the students' own kind.
        clock: is told of the steps `generate` and `label`.
    """
    jobs: list[Job] = []
    at_home, seen = home(splits), table.whole()[0]
    everywhere = (*worlds, unforeseen, at_home)
    for n, s in enumerate(splits):
        images, labels = data.images[s.source], data.labels[s.source]

        def job(
            arm: str, second: Tensor, made_for: str, on: Sequence[World], n: int = n, s: Parts = s
        ) -> None:
            tests = torch.stack([world.test[n] for world in on])
            names = tuple(world.name for world in on)
            jobs.append(Job(arm, made_for, n, s.seed, s.source, second, names, tests))

        def corrupted_rows(
            recipe: Sequence[str], images: Tensor, labels: Tensor, seed: int = s.seed
        ) -> Tensor:
            with clock.step("generate", len(images) * len(recipe) * len(plan.severities)):
                return table.add(*copies(images, labels, recipe, plan.severities, 11 * seed))

        with clock.step("generate", plan.synthetic):
            generator = torch.Generator().manual_seed(s.seed)
            made = synth.class_gaussians(images, labels, plan.synthetic, generator)
        with clock.step("label", len(made)):
            named = probabilities(teachers, "home", n, made).argmax(1)
        # Copies are made once: one world's matched ones are another's wrong ones.
        wanted = {*plan.foreseen, *(name for w in worlds for name in (*w.recipe, *w.wrong))}
        copied = {name: corrupted_rows([name], images, labels) for name in sorted(wanted)}

        def several(recipe: Sequence[str], copied: dict[str, Tensor] = copied) -> Tensor:
            return torch.cat([copied[name] for name in recipe])

        job("nothing", s.source, "", everywhere)
        job("source-generator", table.add(made, named), "", everywhere)
        job("generalist", several(plan.foreseen), "", everywhere)
        for world in worlds:
            here, there = (world, at_home), seen[world.target[n]]
            with clock.step("generate", len(images)):
                moved = table.add(coral(images, there, plan.ridge), labels)
            job("matched", several(world.recipe), world.name, here)
            job("wrong", several(world.wrong), world.name, here)
            shifted = corrupted_rows(world.recipe, made, named)
            job("shifted-generator", shifted, world.name, here)
            job("coral", moved, world.name, here)
            for arm, who in (("self-training", selves), ("teacher-guesses", teachers)):
                with clock.step("label", len(there)):
                    guessed = probabilities(who, "home", n, there).argmax(1)
                job(arm, table.add(there, guessed), world.name, here)
            for k in plan.labels:
                job(f"labels-{k}", world.target[n][:k], world.name, here)
    return jobs


def tilted_jobs(
    table: Table,
    splits: Sequence[Parts],
    world: World,
    plan: Plan,
    shares: Sequence[Tensor] | None = None,
) -> list[Job]:
    """The arms of a tilted world: `nothing`, `labels-K` as far as its target reaches and, with
    `shares` [classes] of the target, one a split, `reweighted`."""
    jobs: list[Job] = []
    labels = table.whole()[1]
    for n, s in enumerate(splits):
        source, target = world.source[n], world.target[n]
        arms = {"nothing": source}
        if shares is not None:
            generator = torch.Generator().manual_seed(s.seed)
            arms["reweighted"] = reweighted(labels, source, shares[n], 10 * len(source), generator)
        arms |= {f"labels-{k}": target[:k] for k in plan.labels if k <= len(target)}
        for arm, second in arms.items():
            first = second if arm == "reweighted" else source
            tests = world.test[n][None]
            jobs.append(Job(arm, world.name, n, s.seed, first, second, (world.name,), tests))
    return jobs


def shares_there(
    table: Table, data: Dataset, splits: Sequence[Parts], world: World, teachers: Trained
) -> list[Tensor]:
    """Each split's estimate of the classes' shares in the target, [classes], without its labels:
    the weights of `estimate.label_weights`, whose confusion matrix is that of held-out images."""
    images, found = table.whole()[0], []
    for n, s in enumerate(splits):
        seen = probabilities(teachers, world.name, n, data.images[s.validation])
        there = probabilities(teachers, world.name, n, images[world.target[n]])
        matrix = estimate.confusion(seen, data.labels[s.validation])
        found.append(estimate.label_weights(matrix, there[None])[0] * matrix.sum(0))
    return found


def label_curve(trained: Trained, world: str, labels: Sequence[int], on: str = "") -> np.ndarray:
    """Accuracy in per cent with 0, then each number of target labels, [splits, 1 + K]."""
    arms = ["nothing", *(f"labels-{k}" for k in labels)]
    return np.stack([trained.accuracy(arm, world, on) for arm in arms], 1)


# ---- groups


def by_group(correct: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Accuracy of each group in per cent, [splits, groups]; a group that a split's test images
    lack is NaN there.

    correct: bool [splits, n]. groups: int [splits, n], 0 to count − 1.
    """
    with np.errstate(invalid="ignore"):
        shares = [
            np.where(groups == g, correct, False).sum(1) / (groups == g).sum(1)
            for g in range(count)
        ]
    return 100 * np.stack(shares, 1)


def gap(accuracies: np.ndarray) -> np.ndarray:
    """Best minus worst group, [splits, groups] -> [splits]."""
    return np.nanmax(accuracies, 1) - np.nanmin(accuracies, 1)
