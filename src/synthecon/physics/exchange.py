"""What a synthetic image is worth in labels: a grid of real × synthetic counts, and its curves.

A *cell* says with how many real and how many synthetic images a student is trained.  All cells of
all splits are one stack; cells of a split share the labelled images (smaller budgets are subsets
of larger ones), the synthetic images (a smaller count is the first part of a larger one), the test
images and the first weights.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from synthecon.physics import evaluate, generate, losses, nets, train
from synthecon.physics.data import Dataset, split, stratified
from synthecon.physics.nets import Output
from synthecon.physics.train import Recipe


@dataclass(frozen=True)
class Cell:
    """One way to fill a training set.

    real: labelled images, all of them human; synthetic: images on top, from a generator of that
    name (see `generate.NAMES`) fitted to those `real` images, or, where `borrowed`, to the whole
    labelled pool: somebody else's labels, whom nobody in the cell paid for.
    """

    real: int
    synthetic: int = 0
    generator: str = ""
    borrowed: bool = False

    def __post_init__(self) -> None:
        if bool(self.synthetic) != bool(self.generator):
            raise ValueError(f"{self}: synthetic images need a generator, and it needs a count")


@dataclass(frozen=True, eq=False)
class Scores:
    """Test accuracy, a share of 1, one row a split and one column a cell, [G, cells].

    students: how many were trained; test: test images a split.  train_seconds: all students
    together.  fit_seconds and sample_seconds: by generator, all its fits and samples together;
    made: how many samples; fits: how many fits.
    """

    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    accuracy: np.ndarray
    students: int
    test: int
    train_seconds: float
    fit_seconds: dict[str, float]
    sample_seconds: dict[str, float]
    made: dict[str, int]
    fits: dict[str, int]

    def column(self, cell: Cell) -> np.ndarray:
        """The accuracy of one cell, a split each, [G]."""
        return self.accuracy[:, self.cells.index(cell)]

    def table(self, reals: Sequence[int], synthetics: Sequence[int], generator: str) -> np.ndarray:
        """[G, R, S]; a synthetic count of 0 is the cell without a generator."""
        own = [[Cell(r, s, generator if s else "") for s in synthetics] for r in reals]
        return np.stack([np.stack([self.column(c) for c in row], -1) for row in own], 1)


def run(
    data: Dataset,
    seeds: Sequence[int],
    cells: Sequence[Cell],
    student: str,
    recipe: Recipe,
    *,
    pool: int,
    test: int | None = None,
    draws: int = 1,
    generator_steps: int = 1500,
    flip: bool = False,
) -> Scores:
    """Train and score every cell of every split in one stack.

    Args:
        seeds: one a split; the split, its labelled images, generators and first weights depend on
            it alone.
        cells: `real` at most `pool`, and a multiple of the classes unless it is the whole pool.
        pool: images of a split that may be bought; the rest, or the official test set, is tested.
        test: at most so many test images a split.
        draws: so many times a split buys its labels, fits its generators and trains its students
            anew; the mean is its score.  Which fifty images were labelled matters a lot.
        generator_steps, flip: see `generate.fit`.
    """
    device = data.images.device
    table, target, offset = [data.images], [data.labels], len(data.labels)
    rows, starts, tests, names = [], [], [], []
    fit_seconds, sample_seconds, made, fits = Counter(), Counter(), Counter(), Counter()
    wanted: dict[tuple[str, int], int] = {}  # (generator, images that it is fitted to) -> samples
    for c in cells:
        if c.generator:
            key = (c.generator, pool if c.borrowed else c.real)
            wanted[key] = max(wanted.get(key, 0), c.synthetic)
    for split_seed in seeds:
        part = split(data, split_seed, train=pool, validation=0, test=test)
        for draw in range(draws):
            s = split_seed + 7919 * draw
            needed = {c.real for c in cells} | {real for _, real in wanted}
            bought = {real: _buy(data, part.train, real, s) for real in needed}
            first = {}
            for (name, real), count in wanted.items():
                x, y = data.images[bought[real]], data.labels[bought[real]]
                begin = _clock(device)
                sampler = generate.fit(name, x, y, s, steps=generator_steps, flip=flip)
                fitted = _clock(device)
                x, y = sampler(count, torch.Generator().manual_seed(s + 1))
                fit_seconds[name] += fitted - begin
                sample_seconds[name] += _clock(device) - fitted
                made[name] += count
                fits[name] += 1
                first[name, real] = offset
                offset += count
                table.append(x)
                target.append(y)
            for c in cells:
                own = bought[c.real].cpu()
                if c.generator:
                    at = first[c.generator, pool if c.borrowed else c.real]
                    own = torch.cat([own, torch.arange(at, at + c.synthetic)])
                rows.append(own)
                starts.append(s)
                tests.append(part.test)
                names.append(f"split {split_seed}, draw {draw}, {c}")
    images, labels = torch.cat(table), torch.cat(target)
    net = nets.build(student, tuple(images.shape[1:]), len(data.classes), starts, len(starts))
    net = net.to(device)
    hot = F.one_hot(labels, len(data.classes)).float()

    def objective(out: Output, batch: Tensor) -> Tensor:
        return losses.cross_entropy(out.logits, hot[batch].transpose(1, 2))

    order = train.batches(rows, recipe.steps, recipe.batch, starts)
    begin = _clock(device)
    train.fit(net, images, order, objective, recipe, seeds=starts, names=names)
    trained = _clock(device) - begin
    asked = torch.stack(tests).to(device)
    right = evaluate.accuracy(train.predict(net, images, asked).logits, labels[asked])
    accuracy = right.view(len(seeds), draws, len(cells)).double().mean(1).cpu().numpy()
    return Scores(
        seeds=tuple(seeds),
        cells=tuple(cells),
        accuracy=accuracy,
        students=len(names),
        test=asked.shape[1],
        train_seconds=trained,
        fit_seconds=dict(fit_seconds),
        sample_seconds=dict(sample_seconds),
        made=dict(made),
        fits=dict(fits),
    )


def _buy(data: Dataset, pool: Tensor, count: int, seed: int) -> Tensor:
    """`count` rows of the pool, the same number of each class; all of it where count is all."""
    if count == len(pool):
        return pool
    per_class, rest = divmod(count, len(data.classes))
    if rest or count > len(pool):
        raise ValueError(
            f"{count} real images: must be at most the pool's {len(pool)}, and a multiple of "
            f"{len(data.classes)} classes unless it is the whole pool"
        )
    return stratified(data.labels, pool, per_class, seed)


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def pool_adjacent(y: Sequence[float] | np.ndarray) -> np.ndarray:
    """The rising sequence nearest to y in least squares: neighbours that fall are pooled.

    The pool-adjacent-violators algorithm (Ayer et al. 1955, Ann. Math. Stat. 26).  [n] -> [n].
    """
    blocks: list[list[float]] = []  # mean, length
    for value in np.asarray(y, dtype=float):
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, n = blocks.pop()
            before, m = blocks.pop()
            blocks.append([(before * m + mean * n) / (m + n), m + n])
    return np.concatenate([np.full(int(n), mean) for mean, n in blocks] or [np.empty(0)])


def monotone(surface: np.ndarray, *, rounds: int = 2000, tolerance: float = 1e-10) -> np.ndarray:
    """The surface nearest to this one that falls along neither axis, in least squares, [R, S].

    Economists' *free disposal*: nobody has to use an image that hurts.  Rows and columns are
    projected in turn, each after its own last correction is given back (Dykstra 1983, JASA 78),
    which converges to the projection onto both, where plain alternation would not.
    """
    x = np.asarray(surface, dtype=float)
    by_row, by_column = np.zeros_like(x), np.zeros_like(x)
    for _ in range(rounds):
        old = x
        rows = np.apply_along_axis(pool_adjacent, 1, x + by_row)
        by_row = x + by_row - rows
        x = np.apply_along_axis(pool_adjacent, 0, rows + by_column)
        by_column = rows + by_column - x
        if np.abs(x - old).max() < tolerance:
            break
    # The last projection was along columns: what rows still miss is below the tolerance.
    return np.maximum.accumulate(np.maximum.accumulate(x, 1), 0)


def labels_for(counts: Sequence[int], accuracy: np.ndarray, target: float) -> float:
    """How many labels reach the target, reading between the counts on a log scale.

    accuracy [R] rises with the counts.  NaN where not even the last count reaches it; the first
    count where that is enough (read it as *at most*).
    """
    a, x = np.asarray(accuracy, dtype=float), np.log(np.asarray(counts, dtype=float))
    if (np.diff(a) < 0).any():
        raise ValueError("accuracy must not fall: fit it with `monotone` or `pool_adjacent` first")
    if target > a[-1]:
        return float("nan")
    k = int(np.argmax(a >= target))
    if k == 0 or a[k] == a[k - 1]:
        return float(counts[k])
    share = (target - a[k - 1]) / (a[k] - a[k - 1])
    return float(np.exp(x[k - 1] + share * (x[k] - x[k - 1])))


def isoquant(counts: Sequence[int], surface: np.ndarray, target: float) -> np.ndarray:
    """Labels that reach the target beside each synthetic count, [S]: an iso-accuracy curve."""
    return np.array([labels_for(counts, surface[:, s], target) for s in range(surface.shape[1])])


def curves(counts: Sequence[int], table: np.ndarray) -> np.ndarray:
    """The iso-accuracy curves that begin at each count of labels alone, [R, S], read from the
    monotone surface of an accuracy table [R, S] whose first column has no synthetic image."""
    surface = monotone(table)
    return np.stack([isoquant(counts, surface, row[0]) for row in surface])


def substitution(curve: np.ndarray, synthetics: Sequence[int]) -> np.ndarray:
    """The marginal rate of substitution along iso-accuracy curves [..., S], [..., S - 1]: labels
    that one more synthetic image saves, from each synthetic count to the next."""
    return -np.diff(curve, axis=-1) / np.diff(np.asarray(synthetics, dtype=float))


def jackknife(tables: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Tukey's pseudo-values of a statistic of the mean table, one a split, [G, ...].

    n·f(mean of all) - (n - 1)·f(mean without one), moved so that their mean is f(mean of all), as
    `stats.jackknife` reports it.  `stats.paired` of them, with the ratio that corrects for shared
    images, is an interval for a curve's reading, which no single split has.
    """
    n = len(tables)
    if n < 2:
        raise ValueError("a jackknife needs at least two splits")
    total = tables.sum(0)
    whole = statistic(total / n)
    left_out = [statistic((total - one) / (n - 1)) for one in tables]
    pseudo = n * whole - (n - 1) * np.asarray(left_out)
    return pseudo + (whole - pseudo.mean(0))
