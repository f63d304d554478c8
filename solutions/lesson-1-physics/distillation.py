"""The exercises of the distillation lab: what each accepts, and the mistakes that it knows."""

import torch
import torch.nn.functional as F
from scipy.optimize import brentq

from synthecon import stats
from synthecon.labs import Exercise, Wrong
from synthecon.physics import losses

# ---- loss: z and t are logits [B, C], y labels [B]


def batches(rng):
    """Logits far from each other, so that no two mistakes cost the same."""
    asked = []
    for T, alpha in (
        (1.0, 0.0),
        (2.0, 1.0),
        (4.0, 0.9),
        (8.0, 0.3),
        (3.0, 0.6),
    ):
        z, t = (torch.from_numpy(3 * rng.normal(size=(8, 5))) for _ in range(2))
        y = torch.from_numpy(rng.integers(5, size=8))
        asked.append((z.requires_grad_(), t, y, T, alpha))
    return asked


def loss(z, t, y, T, alpha):
    hard = F.one_hot(y, z.shape[1]).to(z.dtype)
    stacked = (x.T[None] for x in (z, t, hard))
    return losses.distillation(*stacked, temperature=T, alpha=alpha)[0]


def soft(z, t, T):
    return F.kl_div(
        (z / T).log_softmax(-1), (t / T).softmax(-1), reduction="batchmean"
    )


def without_factor(z, t, y, T, alpha):
    return (1 - alpha) * F.cross_entropy(z, y) + alpha * soft(z, t, T)


def teacher_not_softened(z, t, y, T, alpha):
    softened = F.kl_div(
        (z / T).log_softmax(-1), t.softmax(-1), reduction="batchmean"
    )
    return (1 - alpha) * F.cross_entropy(z, y) + alpha * T**2 * softened


def turned_round(z, t, y, T, alpha):
    return (1 - alpha) * F.cross_entropy(z, y) + alpha * T**2 * soft(t, z, T)


def weights_swapped(z, t, y, T, alpha):
    return loss(z, t, y, T, 1 - alpha)


def mean_over_classes(z, t, y, T, alpha):
    softened = soft(z, t, T) / z.shape[1]
    return (1 - alpha) * F.cross_entropy(z, y) + alpha * T**2 * softened


def softened_labels_too(z, t, y, T, alpha):
    hard = F.cross_entropy(z / T, y)
    return (1 - alpha) * hard + alpha * T**2 * soft(z, t, T)


# ---- balance: α' that balances the terms without T² as α does with it


def mixes(rng):
    alphas, temperatures = rng.uniform(0.1, 0.9, 6), rng.uniform(1.5, 9, 6)
    return [
        (0.5, 1.0),
        *(
            (float(a), float(T))
            for a, T in zip(alphas, temperatures, strict=True)
        ),
    ]


def balance(alpha, T):
    """The root of (1 − α')·α·T² = (1 − α)·α', found by bisection."""
    return brentq(
        lambda a: (1 - a) * alpha * T**2 - (1 - alpha) * a, 0, 1, xtol=1e-14
    )


def only_once(alpha, T):
    return alpha * T / (1 - alpha + alpha * T)


def other_direction(alpha, T):
    return alpha / T**2 / (1 - alpha + alpha / T**2)


def share_forgotten(alpha, T):
    return alpha * T**2


# ---- verdict: from an interval


def intervals(rng):
    """Every outcome on both sides, and intervals between zero and the effect."""
    asked = []
    for better in ("above", "below"):
        for side in (-1, 1):
            effect = float(rng.uniform(1, 3))
            far = effect + side * float(rng.uniform(4, 6))
            asked.append((far - 0.5, far + 0.5, effect, better))  # beyond
            asked.append((effect - 0.2, effect + 0.8, effect, better))  # across
            asked.append((effect - 0.8, effect + 0.2, effect, better))
            small = effect * float(rng.uniform(0.3, 0.4))
            asked.append((small, 2 * small, effect, better))  # real, too small
        asked.append((effect, effect + 1, effect, better))  # touches
        asked.append((effect - 1, effect, effect, better))
    return asked


def verdict(low, high, smallest, better):
    test = stats.Test("asked", "asked", better, smallest)
    return stats.judge_one(
        test, stats.Interval((low + high) / 2, low, high, 0.95, 2, "")
    )


def against_zero(low, high, smallest, better):
    return verdict(low, high, 0.0, better)


def by_the_middle(low, high, smallest, better):
    middle = (low + high) / 2
    return verdict(middle, middle, smallest, better)


def one_side_only(low, high, smallest, better):
    return verdict(low, high, smallest, "above")


def touching_is_beyond(low, high, smallest, better):
    if better == "below":
        low, high, smallest = -high, -low, -smallest
    if low >= smallest:
        return "holds"
    return "fails" if high <= smallest else "undecided"


def not_shown_is_refuted(low, high, smallest, better):
    found = verdict(low, high, smallest, better)
    return "fails" if found == "undecided" else found


EXERCISES = [
    Exercise(
        "loss",
        minutes=10,
        difficulty="easy",
        oracle=loss,
        inputs=batches,
        hints=(
            "Two terms: a cross-entropy that looks at the label and never at the temperature, and "
            "a KL divergence that looks at the teacher. α weighs the second.",
            "F.kl_div wants logarithms of the student's probabilities first, then the teacher's "
            "probabilities as they are. Both come from logits divided by T.",
            "Look up what `reduction` of F.kl_div divides by, and how large the soft gradient "
            "becomes when T grows.",
        ),
        wrong=(
            Wrong(
                without_factor,
                "the soft term fades as T grows, because nothing makes up for its smaller "
                "gradient: look at the formula again, at what stands beside α",
            ),
            Wrong(
                teacher_not_softened,
                "the student is softened and the teacher is not, so a confident teacher stays "
                "as silent about the other classes as a label",
            ),
            Wrong(
                turned_round,
                "the divergence runs the other way round: it should ask how badly the student "
                "explains the teacher's probabilities, and so weigh by the teacher's",
            ),
            Wrong(
                weights_swapped,
                "α weighs the labels here; it should weigh the teacher, so that α = 0 is plain "
                "training",
            ),
            Wrong(
                mean_over_classes,
                'reduction="mean" averages over classes too, so the soft term is smaller by '
                "their number: a divergence is a sum over classes and a mean over images",
            ),
            Wrong(
                softened_labels_too,
                "the temperature went into the label term as well; only the two sides of the "
                "divergence are softened",
            ),
        ),
    ),
    Exercise(
        "balance",
        minutes=10,
        difficulty="medium",
        oracle=balance,
        inputs=mixes,
        hints=(
            "Two losses pull in the same direction when the ratio of their two weights is the "
            "same, even if one loss is larger as a whole.",
            "With the factor the ratio of soft to hard weight is αT²/(1 − α). Without it the ratio "
            "is α'/(1 − α'). Set them equal and solve for α'.",
        ),
        wrong=(
            Wrong(
                only_once,
                "that makes up for one T; the softened gradient shrinks twice, once through the "
                "logits and once through the probabilities",
            ),
            Wrong(
                other_direction,
                "the wrong direction: without its factor the soft term has become smaller, so its "
                "weight must grow, and yours falls",
            ),
            Wrong(
                share_forgotten,
                "the soft term has its old size again, but the label term should have kept its "
                "own: the two weights of this loss add up to 1, and yours can pass it",
            ),
        ),
    ),
    Exercise(
        "verdict",
        minutes=10,
        difficulty="easy",
        oracle=verdict,
        inputs=intervals,
        expects="'holds', 'fails' or 'undecided'",
        hints=(
            "Draw the interval and the smallest effect on a line. Where must the whole interval "
            "lie for the claim to hold?",
            "Two ends, two questions: one end decides whether it holds, the other whether it "
            "fails. What is left over is undecided.",
            "A claim with better='below' is the mirror image: the other end decides.",
        ),
        wrong=(
            Wrong(
                against_zero,
                "you compare with zero: an effect can be real and still too small to change what "
                "anybody does",
            ),
            Wrong(
                by_the_middle,
                "the middle of the interval decides for you; then nothing is ever undecided, and "
                "another ten splits could turn the verdict round",
            ),
            Wrong(
                one_side_only,
                "right for claims that want a large number; for a loss or a gap the claim lives "
                "below the limit",
            ),
            Wrong(
                not_shown_is_refuted,
                "an interval across the limit has not refuted anything: it says that the "
                "experiment was too small to tell",
            ),
            Wrong(
                touching_is_beyond,
                "an interval that only touches the limit does not lie beyond it",
            ),
        ),
    ),
]
