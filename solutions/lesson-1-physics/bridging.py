"""The exercises of the bridging lab: what each accepts, and the mistakes that it knows."""

import numpy as np
import torch
from scipy.optimize import isotonic_regression

from synthecon.labs import Exercise, Wrong
from synthecon.physics import bridge

# ---- worth: a label curve, and the accuracy that a repair reached


def curves(rng):
    """Each curve has a point that was lucky; one repair lies below it all and one above."""
    labels, asked = [0, 10, 30, 100, 300, 1000], []
    for lucky in (1, 2, 3):
        curve = 55 + np.cumsum(rng.uniform(3, 8, 6))
        curve[lucky] = curve[lucky + 1] + rng.uniform(1, 2)
        for reached in (
            rng.uniform(curve[lucky - 1], curve[lucky + 1]),
            rng.uniform(curve[lucky], curve[lucky + 2]),
            curve[0] - rng.uniform(1, 5),
            curve.max() + rng.uniform(1, 5),
        ):
            asked.append((labels, curve.tolist(), float(reached)))
    return asked


def worth(labels, curve, reached):
    return bridge.invert(np.array(curve), labels, reached)


def even_labels(labels, curve, reached):
    rising = isotonic_regression(curve).x
    return float(np.interp(reached, rising, labels))


def as_measured(labels, curve, reached):
    return float(np.expm1(np.interp(reached, curve, np.log1p(labels))))


def luck_stays(labels, curve, reached):
    rising = np.maximum.accumulate(curve)
    return float(np.expm1(np.interp(reached, rising, np.log1p(labels))))


def next_point_for_sale(labels, curve, reached):
    rising = isotonic_regression(curve).x
    at = np.searchsorted(rising, reached)
    return float(labels[min(at, len(labels) - 1)])


def one_too_many(labels, curve, reached):
    return worth(labels, curve, reached) + 1


# ---- align: images as rows, home and target


def places(rng):
    """Pixels of different spread that move together; in one place a pixel is always black."""
    asked = []
    for pixels, ridge in ((3, 0.1), (5, 0.1), (4, 0.01), (6, 0.3)):
        found = []
        for count in (40, 30):
            mix = rng.normal(0, 0.3, (pixels, pixels))
            rows = rng.normal(size=(count, pixels)) @ mix
            found.append(rows + rng.uniform(0, 1, pixels))
        if pixels == 5:
            found[0][:, 0] = 0.0
        asked.append((*map(torch.from_numpy, found), ridge))
    return asked


def align(home, there, ridge):
    images = [x[:, :, None, None] for x in (home, there)]
    return bridge.coral(*images, ridge).flatten(1)


def covariance(x, ridge):
    c = torch.cov(x.T, correction=0)
    return c + ridge * c.diagonal().mean() * torch.eye(len(c), dtype=c.dtype)


def power(matrix, p):
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values**p) @ vectors.T


def roots(home, there, ridge):
    return power(covariance(home, ridge), -0.5), power(
        covariance(there, ridge), 0.5
    )


def home_stays_the_middle(home, there, ridge):
    return align(home, there, ridge) - there.mean(0) + home.mean(0)


def middle_forgotten(home, there, ridge):
    whiten, colour = roots(home, there, ridge)
    return home @ whiten @ colour + there.mean(0)


def colour_first(home, there, ridge):
    whiten, colour = roots(home, there, ridge)
    return (home - home.mean(0)) @ colour @ whiten + there.mean(0)


def pixel_by_pixel(home, there, ridge):
    spread = [covariance(x, ridge).diagonal().sqrt() for x in (home, there)]
    return (home - home.mean(0)) / spread[0] * spread[1] + there.mean(0)


def another_root(home, there, ridge):
    a, b = (torch.linalg.cholesky(covariance(x, ridge)) for x in (home, there))
    return (home - home.mean(0)) @ torch.linalg.inv(a).T @ b.T + there.mean(0)


def no_root(home, there, ridge):
    whiten = power(covariance(home, ridge), -1)
    colour = covariance(there, ridge)
    return (home - home.mean(0)) @ whiten @ colour + there.mean(0)


# ---- gap: which images were named rightly before and after, and their groups


def repairs(rng):
    """Groups of unequal size; in the last two a split has no image of one group."""
    asked = []
    for trial in range(4):
        groups = rng.choice(3, (3, 60), p=(0.5, 0.3, 0.2))
        if trial > 1:
            lacking = groups[trial - 2]
            lacking[lacking == 2] = rng.integers(2)
        before, after = (
            np.stack([rng.random(60) < level[own] for own in groups])
            for level in (
                np.array([0.45, 0.7, 0.9]) + rng.uniform(-0.05, 0.05, 3),
                np.array([0.85, 0.75, 0.55]) + rng.uniform(-0.05, 0.05, 3),
            )
        )
        asked.append((before, after, groups, 3))
    return asked


def gap(before, after, groups, count):
    was, now = (bridge.by_group(c, groups, count) for c in (before, after))
    return bridge.gap(now) - bridge.gap(was)


def same_groups_followed(before, after, groups, count):
    was, now = (bridge.by_group(c, groups, count) for c in (before, after))
    best, worst = np.nanargmax(was, 1), np.nanargmin(was, 1)
    split = np.arange(len(was))
    return (now - was)[split, best] - (now - was)[split, worst]


def absent_counts_as_zero(before, after, groups, count):
    was, now = (
        np.nan_to_num(bridge.by_group(c, groups, count))
        for c in (before, after)
    )
    return bridge.gap(now) - bridge.gap(was)


def parts_of_the_whole(before, after, groups, count):
    sizes = np.stack([(groups == g).mean(1) for g in range(count)], 1)
    sizes = np.where(sizes > 0, sizes, np.nan)
    was, now = (
        bridge.by_group(c, groups, count) * sizes for c in (before, after)
    )
    return bridge.gap(now) - bridge.gap(was)


def averaged_first(before, after, groups, count):
    was, now = (
        np.nanmean(bridge.by_group(c, groups, count), 0)[None]
        for c in (before, after)
    )
    return np.repeat(bridge.gap(now) - bridge.gap(was), len(groups))


def worst_against_all(before, after, groups, count):
    was, now = (
        100 * c.mean(1) - np.nanmin(bridge.by_group(c, groups, count), 1)
        for c in (before, after)
    )
    return now - was


EXERCISES = [
    Exercise(
        "worth",
        minutes=10,
        difficulty="easy",
        oracle=worth,
        inputs=curves,
        hints=(
            "You read the curve the other way round: accuracy goes in, labels come out. "
            "`np.interp` does that when you give it the two lists in the right order.",
            "`isotonic_regression(curve).x` is the curve made to rise. Read between the points on "
            "log(1 + k): there is a function in NumPy for it, and one for the way back.",
        ),
        wrong=(
            Wrong(
                even_labels,
                "you read straight between the points in labels; the tenth label does more than "
                "the thousandth, and so the scale is another one",
            ),
            Wrong(
                as_measured,
                "the curve falls somewhere, and there one accuracy belongs to several numbers of "
                "labels: make it rise first",
            ),
            Wrong(
                luck_stays,
                "a running maximum lets one lucky point speak for all that come after it; points "
                "that contradict each other should meet in their middle",
            ),
            Wrong(
                next_point_for_sale,
                "that is the next point of the curve; the number of labels lies between two points",
            ),
            Wrong(
                one_too_many,
                "you come back from log(1 + k) with the 1 still in it",
            ),
        ),
    ),
    Exercise(
        "align",
        minutes=15,
        difficulty="medium",
        oracle=align,
        inputs=places,
        hints=(
            "Three steps: take home's mean away, multiply by two matrices, put the target's mean "
            "on. The first matrix must make home's covariance the identity.",
            "A symmetric matrix to a power: `values, vectors = torch.linalg.eigh(c)`, raise the "
            "values, and put it together again.",
            "Rows are multiplied from the right, and what is done first stands next to them. "
            "Which powers undo a covariance, and put another one on?",
        ),
        wrong=(
            Wrong(
                home_stays_the_middle,
                "the spread is the target's, but the images are still as bright as at home: the "
                "mean has to move along",
            ),
            Wrong(
                middle_forgotten,
                "home's mean goes through the matrices too and ends up somewhere else: take it "
                "away first",
            ),
            Wrong(
                colour_first,
                "the two matrices have changed places: the target's covariance is put on while "
                "home's is still there; begin with what has to go",
            ),
            Wrong(
                pixel_by_pixel,
                "each pixel has the right spread by itself, but pixels that move together in the "
                "target still do not: the diagonal is not the whole covariance",
            ),
            Wrong(
                another_root,
                "mean and covariance are right, and the images were turned on the way, because a "
                "Cholesky factor is not symmetric: take the root that turns nothing",
            ),
            Wrong(
                no_root,
                "a covariance is made of squares, and you multiply images with all of it: they end "
                "up with the square of the spread that was asked for",
            ),
        ),
    ),
    Exercise(
        "gap",
        minutes=10,
        difficulty="medium",
        oracle=gap,
        inputs=repairs,
        expects="an array with one number of points a split",
        hints=(
            "Work out accuracy by group for the small example, before and after, and find the "
            "worst group each time.",
            "The function decides once who is best and who is worst. When does it decide that?",
            "After the repair another group may be the worst one. The gap after belongs to "
            "whoever is best and worst then.",
        ),
        wrong=(
            Wrong(
                same_groups_followed,
                "you follow the two groups that were best and worst before, so a group that only "
                "became the worst through the repair is never looked at",
            ),
            Wrong(
                absent_counts_as_zero,
                "a group without an image in a split counts as 0 % there; nobody was measured, so "
                "nobody is the worst",
            ),
            Wrong(
                parts_of_the_whole,
                "you divide by all images of the split: a small group then looks bad because it is "
                "small",
            ),
            Wrong(
                averaged_first,
                "splits were averaged before the gap was taken; each split has its own worst "
                "group, and an average hides that",
            ),
            Wrong(
                worst_against_all,
                "that is the distance of the worst group from the average, in which the worst "
                "group has a part itself; the gap is to the best",
            ),
        ),
    ),
]
