"""The exercises of the shift lab: what each accepts, and the mistakes that it knows."""

from functools import cache

import numpy as np
import torch
from scipy.stats import chi2

from synthecon.labs import Exercise, Wrong
from synthecon.physics import detect, estimate

# ---- pvalue: the distance as it was dealt, and after each shuffle


def deals(rng):
    """Ties, and a distance that no shuffle reaches."""
    asked = []
    for shuffles in (9, 19, 99, 99):
        found = rng.integers(0, 12, shuffles) / 4
        asked.append((float(rng.integers(5, 9) / 4), found.tolist()))
    beyond = rng.uniform(0, 1, 49)
    asked.append((float(beyond.max() + 1), beyond.tolist()))
    asked.append((float(beyond.max()), beyond.tolist()))
    return asked


def pvalue(true, shuffled):
    row = torch.tensor([[true, *shuffled]], dtype=torch.float64)
    return detect.permutation_pvalue(row).item()


def truth_left_out(true, shuffled):
    return sum(s >= true for s in shuffled) / len(shuffled)


def truth_above_only(true, shuffled):
    return (sum(s >= true for s in shuffled) + 1) / len(shuffled)


def truth_below_only(true, shuffled):
    return sum(s >= true for s in shuffled) / (len(shuffled) + 1)


def ties_forgotten(true, shuffled):
    return (sum(s > true for s in shuffled) + 1) / (len(shuffled) + 1)


def other_tail(true, shuffled):
    return (sum(s <= true for s in shuffled) + 1) / (len(shuffled) + 1)


def both_tails(true, shuffled):
    return min(1.0, 2 * pvalue(true, shuffled))


# ---- limit: of the PSI, for given sizes


def sizes(rng):
    """The last one has few images a bin, where the formula for large samples is far off."""
    asked = []
    for bins, level in ((10, 0.05), (8, 0.1), (10, 0.2)):
        m = int(rng.integers(150, 250))
        asked.append((m, int(rng.integers(70, 110)), bins, level))
    asked.append(
        (int(rng.integers(75, 90)), int(rng.integers(50, 60)), 20, 0.05)
    )
    return asked


@cache
def quiet(m, n, bins):
    return detect.psi_null(
        m, n, 8000, torch.Generator().manual_seed(m + n), bins
    )


def limit(m, n, bins, level):
    return quiet(m, n, bins).quantile(1 - level).item()


def average_of_quiet(m, n, bins, level):
    return quiet(m, n, bins).mean().item()


def almost_always(m, n, bins, level):
    return quiet(m, n, bins).quantile(level).item()


def both_as_small(m, n, bins, level):
    return limit(n, n, bins, level)


def large_samples(m, n, bins, level):
    return float((1 / m + 1 / n) * chi2.isf(level, bins - 1))


# ---- weights: softmax outputs with labels, and new outputs


def answers(rng, labels, classes):
    """Outputs that lean towards the label, with a confusion of their own."""
    lean = 1 + 5 * np.eye(classes) + rng.uniform(0, 1.5, (classes, classes))
    return np.stack([rng.dirichlet(lean[label]) for label in labels])


def moves(rng):
    """The same shares, other shares, and classes gone, one weight then being below zero."""
    asked = []
    while len(asked) < 5:
        home = rng.dirichlet([8, 5, 3]).clip(0.15)
        labels = np.r_[0:3, rng.choice(3, 77, p=home / home.sum())]
        seen = answers(rng, labels, 3)
        if not asked:
            new = seen[rng.permutation(80)]
        elif len(asked) < 3:
            new = answers(rng, rng.choice(3, 60, p=rng.dirichlet([2, 2, 2])), 3)
        else:
            new = answers(rng, np.full(60, rng.integers(3)), 3)
        given = [torch.from_numpy(part) for part in (seen, labels, new)]
        matrix = joint(*given[:2])
        if torch.linalg.cond(matrix) > 30:
            continue
        if (
            len(asked) < 3
            or (matrix.inverse() @ given[2].mean(0)).min() < -0.02
        ):
            asked.append(tuple(given))
    return asked


def joint(seen, labels):
    return estimate.confusion(seen, labels)


def weights(seen, labels, new):
    return estimate.label_weights(joint(seen, labels), new[None])[0]


def scaled(raw, seen, labels):
    raw = raw.clamp(min=0)
    return raw / (raw @ joint(seen, labels).sum(0))


def solved(matrix, seen, labels, new):
    return scaled(torch.linalg.solve(matrix, new.mean(0)), seen, labels)


def hard_against_soft(seen, labels, new):
    return solved(joint(estimate.hard(seen), labels), seen, labels, new)


def turned_over(seen, labels, new):
    return solved(joint(seen, labels).T, seen, labels, new)


def shares_of_the_target(seen, labels, new):
    return weights(seen, labels, new) * joint(seen, labels).sum(0)


def answers_believed(seen, labels, new):
    return scaled(new.mean(0) / seen.mean(0), seen, labels)


def below_zero(seen, labels, new):
    return torch.linalg.solve(joint(seen, labels), new.mean(0))


def not_scaled(seen, labels, new):
    return below_zero(seen, labels, new).clamp(min=0)


EXERCISES = [
    Exercise(
        "pvalue",
        minutes=5,
        difficulty="easy",
        oracle=pvalue,
        inputs=deals,
        hints=(
            "If nothing has changed, the true deal is one of many deals that are all equally "
            "likely. How many deals are there in all?",
            "Count the deals that are at least as far apart as the true one. Does the true one "
            "belong to them?",
        ),
        wrong=(
            Wrong(
                truth_left_out,
                "the true deal is missing, so the smallest value is 0: more certainty than a "
                "handful of shuffles can give",
            ),
            Wrong(
                truth_above_only,
                "the true deal was counted among those that reach the distance, and not among all "
                "deals: the result can pass 1",
            ),
            Wrong(
                truth_below_only,
                "the true deal was counted among all deals, and not among those that reach the "
                "distance; it reaches it, and 0 is still possible here",
            ),
            Wrong(
                ties_forgotten,
                "a shuffle that is exactly as far apart does as well as the truth, and is not "
                "counted here",
            ),
            Wrong(
                other_tail,
                "you count the shuffles that are *closer* together: a shift then has a value near "
                "1",
            ),
            Wrong(
                both_tails,
                "doubled for two sides; a distance has only one side that speaks for a shift",
            ),
        ),
    ),
    Exercise(
        "limit",
        minutes=10,
        difficulty="medium",
        oracle=limit,
        inputs=sizes,
        tolerance=0.08,  # two simulations are compared
        hints=(
            "Make a world in which nothing has changed: both samples from the same distribution. "
            "The index looks at the order of the scores only, so uniform numbers will do.",
            "Draw 4000 such worlds as the rows of two tensors, m and n columns wide, and let "
            "`detect.psi` work out all indices at once.",
            "An alarm rings above the limit, and of all those quiet worlds the share `level` may "
            "lie there. See `Tensor.quantile`.",
        ),
        wrong=(
            Wrong(
                average_of_quiet,
                "that is the index of an average quiet day; about half of all quiet days lie above "
                "it",
            ),
            Wrong(
                almost_always,
                "the wrong end: only the share `level` of quiet days lies *below* your limit, so "
                "nearly all of them ring",
            ),
            Wrong(
                both_as_small,
                "both samples have the size of the new one; the reference is larger, and its "
                "shares are less shaky",
            ),
            Wrong(
                large_samples,
                "a χ² formula holds for many images a bin; go through a case with a handful of "
                "images a bin by simulation, and compare",
            ),
        ),
    ),
    Exercise(
        "weights",
        minutes=15,
        difficulty="hard",
        oracle=weights,
        inputs=moves,
        hints=(
            "Call the function with `new = seen`. Nothing has shifted then, so every weight must "
            "be 1. Which of its two sides, matrix or mean answer, would have to change?",
            "For `new = seen`, the rows of the matrix must add up to the mean answer, number by "
            "number. Print both.",
            "One side counts votes, the other one averages probabilities. Both must be made in "
            "the same way; the exercise says which.",
        ),
        wrong=(
            Wrong(
                hard_against_soft,
                "the matrix and the mean answer are of two kinds, so even without a shift the "
                "weights are not 1: compare how each of the two is made from softmax outputs",
            ),
            Wrong(
                turned_over,
                "the matrix lies on its side: answers belong to its rows and labels to its "
                "columns, since the system explains answers by classes",
            ),
            Wrong(
                shares_of_the_target,
                "those are the new shares of the classes; a weight says how many times as frequent "
                "a class has become",
            ),
            Wrong(
                answers_believed,
                "you compare how often each class is *named*; a model that confuses two classes "
                "then hides part of the shift",
            ),
            Wrong(
                below_zero,
                "a weight below zero would be a class that is rarer than never",
            ),
            Wrong(
                not_scaled,
                "weights below zero were cut off, and the shares that are left add up to more "
                "than 1",
            ),
        ),
    ),
]
