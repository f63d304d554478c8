"""The exercises of the lab on synthetic data: what each accepts, and the mistakes that it knows."""

import numpy as np
import torch

from synthecon.economics import mix
from synthecon.labs import Exercise, Wrong
from synthecon.physics import collapse, exchange

COUNTS = [20, 50, 100, 200, 500, 1500]
SYNTHETICS = [0, 500, 1500, 4500]

# ---- rate: two columns of an accuracy table, and a target between them


def columns(rng):
    """Accuracy that rises with labels; images lift it less, the more labels there are."""
    asked = []
    for synthetic in (500, 1500, 1500, 4500):
        alone = 60 + np.cumsum(rng.uniform(2, 6, len(COUNTS)))
        mixed = alone + rng.uniform(1, 5) * np.linspace(1, 0.2, len(COUNTS))
        target = float(rng.uniform(mixed[0] + 0.3, alone[-1] - 0.3))
        if synthetic == 4500:  # just what a measured count reaches
            target = float(alone[4])
        asked.append(
            (COUNTS, alone.tolist(), mixed.tolist(), synthetic, target)
        )
    return asked


def rate(counts, alone, mixed, synthetic, target):
    curve = exchange.isoquant(counts, np.column_stack([alone, mixed]), target)
    return float(exchange.substitution(curve, [0, synthetic])[0])


def straight_in_labels(counts, alone, mixed, synthetic, target):
    needed = [np.interp(target, column, counts) for column in (alone, mixed)]
    return float(needed[0] - needed[1]) / synthetic


def points_an_image(counts, alone, mixed, synthetic, target):
    labels = exchange.labels_for(counts, np.array(alone), target)
    lifted = np.interp(np.log(labels), np.log(counts), mixed)
    return float(lifted - target) / synthetic


def saved_by_all(counts, alone, mixed, synthetic, target):
    return rate(counts, alone, mixed, synthetic, target) * synthetic


def images_a_label(counts, alone, mixed, synthetic, target):
    return 1 / rate(counts, alone, mixed, synthetic, target)


def slope(counts, alone, mixed, synthetic, target):
    return -rate(counts, alone, mixed, synthetic, target)


# ---- cheapest: an accuracy table, a target and prices


def surface(rng):
    """Rises strictly with labels and with images."""
    alone = 60 + np.cumsum(rng.uniform(3, 6, len(COUNTS)))
    lift = np.array([0, 1.5, 3, 5]) * rng.uniform(0.8, 1.2)
    return alone[:, None] + lift * np.linspace(1, 0.4, len(COUNTS))[:, None]


def shops(rng):
    """Generators at hand and to be built, labels dear and cheap, a target that labels miss."""
    asked = []
    for label, fixed, beyond in (
        (rng.uniform(0.5, 1), 0.0, False),
        (rng.uniform(0.05, 0.1), rng.uniform(100, 200), False),  # never pays
        (rng.uniform(5, 9), rng.uniform(40, 60), False),  # pays
        (rng.uniform(0.05, 0.1), rng.uniform(200, 300), True),
    ):
        table = surface(rng)
        low, high = table[1, 0], table[4, 0]
        target = rng.uniform(low + 1, high - 0.2)
        if beyond:
            target = rng.uniform(*table[-1, [1, 3]])
        sample = rng.uniform(0.002, 0.004)
        prices = (float(x) for x in (target, label, sample, fixed))
        asked.append((COUNTS, SYNTHETICS, table.tolist(), *prices))
    return asked


def cheapest(
    counts, synthetics, accuracy, target, label_price, sample_price, fixed
):
    best = mix.cheapest(
        counts,
        synthetics,
        accuracy,
        target,
        label_price=label_price,
        sample_price=sample_price,
        fixed=fixed,
    )
    return best.labels, best.synthetic, best.cost


def menu(counts, synthetics, accuracy, target):
    """Labels that reach the target beside each synthetic count; None where none do."""
    per_column = zip(*accuracy, strict=True)
    needed = [mix.labels_needed(counts, list(c), target) for c in per_column]
    return list(zip(needed, synthetics, strict=True))


def built_for_nothing(
    counts, synthetics, accuracy, target, label_price, sample_price, fixed
):
    bills = (
        (n, s, n * label_price + s * sample_price + fixed)
        for n, s in menu(counts, synthetics, accuracy, target)
        if n is not None
    )
    return min(bills, key=lambda bill: bill[2])


def never_built(
    counts, synthetics, accuracy, target, label_price, sample_price, fixed
):
    return cheapest(
        counts, synthetics, accuracy, target, label_price, sample_price, 0.0
    )


def fewest_labels(
    counts, synthetics, accuracy, target, label_price, sample_price, fixed
):
    bills = (
        (n, s, n * label_price + s * sample_price + (fixed if s else 0.0))
        for n, s in menu(counts, synthetics, accuracy, target)
        if n is not None
    )
    return min(bills)


def missed_is_reached(
    counts, synthetics, accuracy, target, label_price, sample_price, fixed
):
    bills = []
    for n, s in menu(counts, synthetics, accuracy, target):
        n = counts[-1] if n is None else n
        cost = n * label_price + s * sample_price + (fixed if s else 0.0)
        bills.append((n, s, cost))
    return min(bills, key=lambda bill: bill[2])


def images_for_nothing(
    counts, synthetics, accuracy, target, label_price, sample_price, fixed
):
    return cheapest(
        counts, synthetics, accuracy, target, label_price, 0.0, fixed
    )


# ---- archive: one class x [m, d], so many generations, a seed for the draws


def classes(rng):
    asked = []
    for generations in (1, 4, 12, 30):
        x = rng.normal(size=(16, 3)) * rng.uniform(0.5, 2, 3) + rng.normal(
            size=3
        )
        seed = int(rng.integers(2**31))
        asked.append((torch.from_numpy(x), generations, seed))
    return asked


def archive(x, generations, seed):
    arms = [collapse.Arm("accumulate", accumulate=True)]
    history = collapse.recurse(x[None, None], arms, generations, [seed])
    return float(history.spread[-1, 0, 0])


def replaced(x, generations, seed):
    arms = [collapse.Arm("replace")]
    history = collapse.recurse(x[None, None], arms, generations, [seed])
    return float(history.spread[-1, 0, 0])


def chain(x, generations, seed, read, told, bias=0):
    """Sets so far: the fit reads `read(sets)`, and `told(sets)` is reported."""
    generator = torch.Generator().manual_seed(seed)
    sets = [x]
    for _ in range(generations):
        z = torch.randn(1, *x.shape, dtype=x.dtype, generator=generator)[0]
        torch.rand(1, len(x), 1, generator=generator)
        torch.randperm(len(x), generator=generator)
        rows = read(sets)
        covariance = rows.T.cov(correction=bias)
        root = torch.linalg.cholesky(covariance)
        sets.append(rows.mean(0) + z @ root.T)
    return float(told(sets).T.cov(correction=bias).trace())


def newest_is_read(x, generations, seed):
    return chain(x, generations, seed, lambda sets: sets[-1], torch.cat)


def bias_removed(x, generations, seed):
    return chain(x, generations, seed, lambda sets: sets[-1], torch.cat, 1)


def real_forgotten(x, generations, seed):
    def made(sets):
        return torch.cat(sets[1:] or sets)

    return chain(x, generations, seed, made, made)


def only_real_is_read(x, generations, seed):
    return chain(x, generations, seed, lambda sets: sets[0], torch.cat)


def last_two(x, generations, seed):
    return chain(
        x,
        generations,
        seed,
        lambda sets: torch.cat([sets[0], *sets[1:][-1:]]),
        torch.cat,
    )


EXERCISES = [
    Exercise(
        "rate",
        minutes=10,
        difficulty="easy",
        oracle=rate,
        inputs=columns,
        hints=(
            "Stay at one height. How many labels reach the target without any synthetic image, and "
            "how many beside them?",
            "The notebook reads between two counts along the logarithm of the labels: np.interp "
            "with the accuracy as x and log(counts) as y, then back with exp.",
            "You have two numbers of labels. Which difference is the saving, and how many images "
            "share it?",
        ),
        wrong=(
            Wrong(
                straight_in_labels,
                "between two counts you went along a straight line in labels: accuracy rises with "
                "their logarithm, so the first labels of a stretch bring more than the last",
            ),
            Wrong(
                points_an_image,
                "those are points of accuracy for an image, at the same labels; an exchange rate "
                "goes along the curve, at the same accuracy",
            ),
            Wrong(
                saved_by_all,
                "that is what all the images save together; the rate is what one of them saves",
            ),
            Wrong(
                images_a_label,
                "upside down: that many images replace one label. How much of a label does one "
                "image replace?",
            ),
            Wrong(
                slope,
                "that is the slope of the curve, which falls; the rate counts labels saved, and "
                "fewer labels are a saving",
            ),
        ),
    ),
    Exercise(
        "cheapest",
        minutes=15,
        difficulty="medium",
        oracle=cheapest,
        inputs=shops,
        hints=(
            "Synthetic images come in the measured counts only. So there is one bill for each "
            "column of the table, and you need the smallest.",
            "mix.labels_needed(counts, column, target) is None where the column never reaches the "
            "target. What may you do with such a column?",
            "Write down the bill of the first column, the one without images. Which of the three "
            "prices does it contain?",
        ),
        wrong=(
            Wrong(
                built_for_nothing,
                "whoever buys labels alone pays for a generator too: see who has to pay `fixed`",
            ),
            Wrong(
                never_built,
                "the generator was never paid for: `fixed` is due once, as soon as one image is "
                "bought",
            ),
            Wrong(
                fewest_labels,
                "you take the mix with the fewest labels; the question was the smallest bill, and "
                "images and the generator stand on it too",
            ),
            Wrong(
                missed_is_reached,
                "a column that misses the target with every label was bought all the same: all "
                "labels are not enough there, at whatever price",
            ),
            Wrong(
                images_for_nothing,
                "an image is cheap, but a few thousand of them are on the bill: their price is "
                "missing",
            ),
        ),
    ),
    Exercise(
        "archive",
        minutes=15,
        difficulty="hard",
        oracle=archive,
        inputs=classes,
        hints=(
            "Follow one set of samples from the line that makes it. Which later fits read it?",
            "The list grows, and nothing is thrown away. Does it matter for the fit that the old "
            "sets are still in the list?",
            "In the second generation the fit must read the real images and the first samples. "
            "Print how many rows it gets.",
        ),
        wrong=(
            Wrong(
                newest_is_read,
                "the archive is kept and never read: look at what `fit` gets in the second "
                "generation. That is the arm called replace, with a full disk",
            ),
            Wrong(
                replaced,
                "this is the arm called replace, in the fit and in the report: the sets before "
                "the newest are gone",
            ),
            Wrong(
                bias_removed,
                "you corrected the bias of the covariance, and the fit still reads what it read "
                "before: the bias is not what moves the centre of the samples",
            ),
            Wrong(
                real_forgotten,
                "the archive starts with the first samples: *everything so far* has the real "
                "images in it",
            ),
            Wrong(
                only_real_is_read,
                "every generation is fitted to the real images, so nothing learns from its own "
                "output any more: accumulate reads both",
            ),
            Wrong(
                last_two,
                "the fit reads the real images and the newest samples; the generations between "
                "them are missing",
            ),
        ),
    ),
]
