"""Four ways in which the images of today differ from those of yesterday.

- *Covariate* shift: other pixels, the same answers.  `corrupt.apply` makes it.
- *Label* shift: other shares of the classes, each class as before (`label_shift`).
- *Subpopulation* shift: other shares of groups within the classes (`ink_groups` finds groups,
  `subpopulation_shift` changes their shares).
- *Concept* shift: the same images, other right answers (`concept_shift`).

Rows are drawn *without* replacement: an image that stands twice in a sample looks like a shift to
any two-sample test.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from synthecon.physics import nets, train
from synthecon.physics.data import Dataset
from synthecon.physics.train import Recipe

GROUPS = ("thin", "middle", "thick")
SEVERITIES = (1, 2, 3, 4, 5)
TILT = (0.2, 0.4, 0.6, 0.8, 1.0)  # by severity: how far the shares of classes or groups move
_TRIES = 20
RELABELLED = (0.05, 0.1, 0.2, 0.3, 0.4)  # by severity: share of images that get another name


def ink_groups(images: Tensor, labels: Tensor, reference: Tensor) -> Tensor:
    """Thin, middle or thick strokes: 0, 1 or 2 for each image, int64 [N].

    The mean pixel of an image is compared with the terciles of its own class, so that a group is
    not a class in disguise.

    Args:
        images: [N, C, H, W]. labels: int64 [N].
        reference: int64 rows that set the thresholds; the groups are about as large among them.

    Raises:
        ValueError: a class of `labels` that has no reference row.
    """
    ink = images.flatten(1).mean(1)
    groups = torch.zeros_like(labels)
    thirds = torch.tensor([1 / 3, 2 / 3], device=ink.device)
    for label in labels.unique():
        own = ink[reference[labels[reference] == label]]
        if not len(own):
            raise ValueError(f"class {int(label)} has no reference row to set thresholds")
        here = labels == label
        groups[here] = torch.bucketize(ink[here], own.quantile(thirds))
    return groups


def tilted(parts: int, severity: int) -> Tensor:
    """Weights that favour the later of `parts` classes or groups, float64 [parts], mean 1.

    They rise in a line from 1 − t to 1 + t, with t of the severity in `TILT`; at severity 5 the
    first part is gone.

    Raises:
        ValueError: fewer than two parts, or a severity outside 1 to 5.
    """
    if parts < 2:
        raise ValueError(f"{parts} part cannot lose weight to another")
    t = _of(TILT, severity)
    return torch.linspace(1 - t, 1 + t, parts, dtype=torch.float64)


def label_shift(labels: Tensor, rows: Tensor, weights: Tensor, count: int, seed: int) -> Tensor:
    """`count` of `rows` in which class c is `weights[c]` times as frequent as among `rows`.

    The class of every drawn row is drawn first, then one of its rows that is not yet taken: within
    a class nothing changes, which is what label shift means (Lipton et al. 2018, section 3).

    Args:
        labels: int64 [N], of all rows. rows: int64 [R], to draw from.
        weights: [classes], not negative, known up to a factor (`tilted` makes some).
        count, seed: how many rows, and the draw.

    Returns:
        int64 [count], distinct, on the device of `rows`.

    Raises:
        ValueError: weights that are not one a class or sum to nothing, or a class without enough
            rows for its share.
    """
    return draw(labels, rows[None], weights, count, torch.Generator().manual_seed(seed))[0]


def subpopulation_shift(
    groups: Tensor, rows: Tensor, weights: Tensor, count: int, seed: int
) -> Tensor:
    """`label_shift` with groups (`ink_groups`) in place of classes: the classes keep about their
    shares, where the groups cut through all of them."""
    return label_shift(groups, rows, weights, count, seed)


def concept_shift(labels: Tensor, severity: int, classes: int, seed: int) -> Tensor:
    """The same images under other names: some labels move on to the next class (the last: first).

    Each image is renamed with the probability that `RELABELLED` gives for the severity (1 to 5),
    whatever it shows: a definition was changed, and no pixel with it.  int64, the shape of labels.
    """
    generator = torch.Generator().manual_seed(seed)
    renamed = torch.rand(labels.shape, generator=generator) < _of(RELABELLED, severity)
    return torch.where(renamed.to(labels.device), (labels + 1) % classes, labels)


def draw(
    parts: Tensor, rows: Tensor, weights: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """`label_shift` for T independent draws at once, each from rows of its own.

    Args:
        parts: int64 [N], class or group of all rows. rows: int64 [T, R].
        weights: [P]. count: rows a draw. generator: a CPU generator.

    Returns:
        int64 [T, count], distinct within a draw, on the device of `rows`.
    """
    trials, size = rows.shape
    weights = torch.as_tensor(weights, dtype=torch.float64).cpu()
    given = parts.cpu()[rows.cpu()]
    if weights.dim() != 1 or len(weights) <= int(given.max()):
        raise ValueError(f"weights {tuple(weights.shape)} for parts 0 to {int(given.max())}")
    if bool((weights < 0).any()) or not bool((weights > 0).any()):
        raise ValueError("weights must not be negative, and not all zero")
    # A random order, then sorted by part: the first k of a part's stretch are k of its rows.
    key = torch.rand(trials, size, generator=generator, dtype=torch.float64) + given
    order = key.argsort(1)
    sizes = torch.zeros(trials, len(weights), dtype=torch.int64)
    sizes.scatter_add_(1, given, torch.ones_like(given))
    wanted = torch.multinomial(sizes * weights, count, replacement=True, generator=generator)
    for _ in range(_TRIES):  # a draw that asks for more of a part than there is is drawn again
        rank = one_hot(wanted, len(weights)).cumsum(1)
        rank = rank.gather(2, wanted[..., None]).squeeze(2) - 1
        lacking = rank >= sizes.gather(1, wanted)
        again = lacking.any(1)
        if not again.any():
            break
        chances = (sizes * weights)[again]
        short = int(wanted[lacking][0])
        wanted[again] = torch.multinomial(chances, count, replacement=True, generator=generator)
    else:
        raise ValueError(f"part {short} has too few rows: draw fewer than {count}, or tilt less")
    place = (sizes.cumsum(1) - sizes).gather(1, wanted) + rank
    return rows.gather(1, order.gather(1, place).to(rows.device))


def _of(scale: tuple[float, ...], severity: int) -> float:
    if severity not in SEVERITIES:
        raise ValueError(f"severity={severity}: must be 1 to 5")
    return scale[severity - 1]


def deal(
    heldout: Tensor,
    per_split: int,
    m: int,
    n: int,
    seed: int,
    parts: Tensor | None = None,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Trials of a two-sample test: m reference and n new rows, dealt afresh from each split's rows.

    Because both samples of a trial come out of one shuffle, nothing but the shift can tell them
    apart, and trials of a split are independent.  New rows are drawn evenly, or by `weights` of
    their `parts` (class or group of every row of the data set, [N], or [G, N] where it depends on
    the split).

    Args:
        heldout: int64 [G, R], the rows of each split that its classifier was not trained on.
        per_split: trials a split, T = G · per_split.

    Returns:
        split [T], and places in its row of `heldout`: reference [T, m], new [T, n]; on the CPU.

    Raises:
        ValueError: more rows are asked for than a split has left, see also `label_shift`.
    """
    groups, rows = heldout.shape
    if m + n > rows:
        raise ValueError(f"{m} reference and {n} new rows do not fit into {rows}")
    generator = torch.Generator().manual_seed(seed)
    split = torch.arange(groups).repeat_interleave(per_split)
    place = torch.rand(len(split), rows, generator=generator).argsort(1)
    if parts is None or weights is None:
        return split, place[:, :m], place[:, m : m + n]
    new = []
    for g in range(groups):
        own = (parts[g] if parts.dim() == 2 else parts)[heldout[g]]
        new.append(draw(own, place[split == g, m:], weights, n, generator))
    return split, place[:, :m], torch.cat(new)


def classifiers(
    images: Dataset, table: Tensor, rows: Sequence[Tensor], name: str, recipe: Recipe, seed: int
) -> nn.Module:
    """One classifier a split, trained side by side on labelled rows of an image table.

    Args:
        images: has the labels. table: [N, C, H, W], the images as they are seen in training.
        rows: the training rows of each split. name: see `nets.build`. seed: of the first split.
    """
    seeds = [seed + g for g in range(len(rows))]
    net = nets.build(name, tuple(table.shape[1:]), len(images.classes), seeds, len(rows))
    net = net.to(table.device)
    order = train.batches(rows, recipe.steps, recipe.batch, seeds)

    def loss(out: nets.Output, batch: Tensor) -> Tensor:
        return cross_entropy(out.logits, images.labels[batch], reduction="none").mean(1)

    train.fit(net, table, order, loss, recipe, seeds=seeds)
    return net


def outputs(net: nn.Module, table: Tensor, heldout: Tensor) -> Tensor:
    """Softmax outputs of each split's classifier on its held-out rows, float64 [G, R, C].

    In double precision: float32 rounds a sure answer to exactly 1, and ties hide ranks.
    """
    return train.predict(net, table, heldout).logits.double().softmax(1).transpose(1, 2)
