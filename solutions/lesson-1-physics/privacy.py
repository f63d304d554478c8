"""The exercises of the privacy lab: what each accepts, and the mistakes that it knows."""

import math

import numpy as np
import torch
from scipy.optimize import brentq

from synthecon.labs import Exercise, Wrong
from synthecon.physics import dp, privacy

# ---- tpr: scores [N], member bool [N], and the false alarms that are allowed


def attacks(rng):
    """Few and many strangers, no false alarm allowed, and scores on a coarse grid."""
    asked = []
    for members, strangers, fpr, grid in (
        (150, 200, 0.01, 0.0),
        (400, 25, 0.07, 0.0),
        (400, 18, 0.1, 0.0),
        (60, 90, 0.004, 0.0),  # less than one stranger
        (120, 130, 0.2, 0.5),
        (200, 50, 0.1, 0.5),
    ):
        member = rng.permutation(members + strangers) < members
        scores = rng.normal(size=len(member)) + member * rng.uniform(0.3, 0.9)
        if grid:
            scores = np.round(scores / grid) * grid
        asked.append((scores, member, fpr))
    return asked


def tpr(scores, member, fpr):
    told = torch.from_numpy(scores)[None], torch.from_numpy(member)[None]
    return float(privacy.tpr_at(*told, fpr)[0])


def named(scores, among, share):
    """Who stands above the first of `among` that would be one too many."""
    ladder = np.sort(scores[among])[::-1]
    return scores > ladder[int(share * len(ladder) + 1e-6)]


def share_of_everybody(scores, member, fpr):
    everybody = np.ones_like(member)
    return float(named(scores, everybody, fpr)[member].mean())


def precision(scores, member, fpr):
    accused = named(scores, ~member, fpr)
    return float(member[accused].mean()) if accused.any() else 0.0


def ties_are_named(scores, member, fpr):
    ladder = np.sort(scores[~member])[::-1]
    threshold = ladder[int(fpr * len(ladder) + 1e-6)]
    return float((scores[member] >= threshold).mean())


def roles_swapped(scores, member, fpr):
    return tpr(scores, ~member, fpr)


def of_all_candidates(scores, member, fpr):
    return float((named(scores, ~member, fpr) & member).mean())


def between_two_strangers(scores, member, fpr):
    threshold = np.quantile(scores[~member], 1 - fpr)
    return float((scores[member] > threshold).mean())


# ---- gradient: each [B, P], clip C, noise σ, normal numbers z [P], expected batch size


def batches(rng):
    """Quiet images and loud ones; the batch is never of its expected size."""
    asked = []
    for noise in (0.0, 0.0, float(rng.uniform(0.5, 2)), 1.3):
        images = int(rng.integers(6, 12))
        loud = np.exp(rng.normal(0, 1, images))
        loud[:3] = 0.2, 0.4, 30.0
        each = torch.from_numpy(rng.normal(size=(images, 5)) * loud[:, None])
        z = torch.from_numpy(rng.normal(size=5))
        clip = float(rng.uniform(1.2, 2.5))
        expected = float(images + rng.integers(2, 6))
        asked.append((each, clip, noise, z, expected))
    return asked


def gradient(each, clip, noise, z, expected):
    """torch.renorm shortens every row to the clip, and leaves the shorter ones."""
    return (each.renorm(2, 0, clip).sum(0) + noise * clip * z) / expected


def cut(x, clip):
    return x * (clip / x.norm(dim=-1, keepdim=True)).clamp(max=1)


def mean_is_clipped(each, clip, noise, z, expected):
    return cut(each.mean(0), clip) + noise * clip * z / expected


def sum_is_clipped(each, clip, noise, z, expected):
    return (cut(each.sum(0), clip) + noise * clip * z) / expected


def numbers_are_clipped(each, clip, noise, z, expected):
    return (each.clamp(-clip, clip).sum(0) + noise * clip * z) / expected


def all_made_equal(each, clip, noise, z, expected):
    clipped = clip * each / each.norm(dim=1, keepdim=True)
    return (clipped.sum(0) + noise * clip * z) / expected


def noise_without_clip(each, clip, noise, z, expected):
    return (cut(each, clip).sum(0) + noise * z) / expected


def actual_size(each, clip, noise, z, expected):
    return gradient(each, clip, noise, z, len(each))


def noise_undivided(each, clip, noise, z, expected):
    return cut(each, clip).sum(0) / expected + noise * clip * z


# ---- epsilon: the least that an attack's rates allow


def findings(rng):
    """Seen from either side, with and without δ, and an attack that proves nothing."""
    asked = []
    for delta in (0.0, 1e-5, 1e-3):
        fpr = float(rng.uniform(0.005, 0.03))
        asked.append((float(rng.uniform(4, 9)) * fpr, fpr, delta))
    for delta in (0.0, 1e-3):  # almost no member escapes
        missed, fpr = rng.uniform(0.005, 0.02), rng.uniform(0.3, 0.6)
        asked.append((float(1 - missed), float(fpr), delta))
    fpr = float(rng.uniform(0.05, 0.2))
    asked.append((fpr + 0.005, fpr, 0.01))
    return asked


def epsilon(tpr, fpr, delta):
    """Where the bound of the package lets this attack through, by bisection."""
    at = torch.tensor(fpr, dtype=torch.float64)

    def room(e):
        return float(dp.tpr_bound(at, e, delta)) - tpr

    return 0.0 if room(0.0) >= 0 else float(brentq(room, 0, 60, xtol=1e-13))


def sides(tpr, fpr, delta):
    return (tpr - delta) / fpr, (1 - fpr - delta) / (1 - tpr)


def one_side(tpr, fpr, delta):
    return max(0.0, math.log(sides(tpr, fpr, delta)[0]))


def a_factor(tpr, fpr, delta):
    return math.exp(epsilon(tpr, fpr, delta))


def without_delta(tpr, fpr, delta):
    return epsilon(tpr, fpr, 0.0)


def easier_side(tpr, fpr, delta):
    return max(0.0, math.log(min(sides(tpr, fpr, delta))))


def below_zero(tpr, fpr, delta):
    return math.log(max(sides(tpr, fpr, delta)))


EXERCISES = [
    Exercise(
        "tpr",
        minutes=10,
        difficulty="easy",
        oracle=tpr,
        inputs=attacks,
        hints=(
            "Look at the strangers alone first: how many of them may be accused, as a whole number?",
            "Sort the strangers' scores, highest first. Whose score must the threshold not let "
            "through?",
            "Name whoever stands strictly above the first stranger that would be one too many, and "
            "count members among members.",
        ),
        wrong=(
            Wrong(
                share_of_everybody,
                "you let through a share of all candidates; a false alarm is a stranger who is "
                "named, so the share is one of the strangers",
            ),
            Wrong(
                precision,
                "that is the share of members among those who are named; the question is which "
                "share of the members is named",
            ),
            Wrong(
                ties_are_named,
                "members whose score equals that of the stranger who would be one too many are "
                "named here; whoever names them names the stranger with them",
            ),
            Wrong(
                between_two_strangers,
                "a quantile lies between two strangers, as if a part of one could be accused: with "
                "few of them it lets one too many through. Count strangers",
            ),
            Wrong(
                roles_swapped,
                "members and strangers have changed places: `member` is True for those whom the "
                "attack wants to find",
            ),
            Wrong(
                of_all_candidates,
                "you divide by all candidates; the strangers can never be true positives",
            ),
        ),
    ),
    Exercise(
        "gradient",
        minutes=10,
        difficulty="medium",
        oracle=gradient,
        inputs=batches,
        hints=(
            "The promise is about one image: whatever it is, it moves the sum by at most `clip`. "
            "Does the code look at one image anywhere?",
            "`each` has a row for every image. A row has a length of its own; which rows must "
            "become shorter, and which stay as they are?",
            "Four steps in this order: shorten rows, add them up, add noise of standard deviation "
            "noise · clip, divide by the expected size.",
        ),
        wrong=(
            Wrong(
                mean_is_clipped,
                "the mean of the batch is shortened, not the gradient of an image: inside the mean "
                "one loud image may still drown all others",
            ),
            Wrong(
                sum_is_clipped,
                "the sum of the batch is shortened: one loud image still decides where it points, "
                "and taking it away turns the sum round",
            ),
            Wrong(
                numbers_are_clipped,
                "every number of a gradient was cut for itself: with many parameters such a "
                "gradient is still long, and it points elsewhere",
            ),
            Wrong(
                all_made_equal,
                "every gradient now has the length `clip`, also the short ones: a limit shortens, "
                "it does not stretch",
            ),
            Wrong(
                noise_without_clip,
                "the noise does not know how loud an image may be: σ is given in units of the clip",
            ),
            Wrong(
                actual_size,
                "you divide by the number of images that came; that number tells whether somebody "
                "was in the batch, and so it is part of the secret",
            ),
            Wrong(
                noise_undivided,
                "the noise was added after the division, so it is too strong by the size of a "
                "batch: it belongs to the sum",
            ),
        ),
    ),
    Exercise(
        "epsilon",
        minutes=15,
        difficulty="hard",
        oracle=epsilon,
        inputs=findings,
        hints=(
            "The inequality holds for every attack. Solve it for ε: what is the smallest value that "
            "does not contradict the rates you measured?",
            "There is a second attack for free: say the opposite of the first. What are its true "
            "and false positive rates, and what does the inequality say of strangers cleared?",
            "Each side gives a bound, and ε must satisfy both. And a budget is never negative.",
        ),
        wrong=(
            Wrong(
                one_side,
                "right as far as it goes: you asked whom the attack accuses, and not whom it "
                "clears. An attack that misses hardly any member is strong at a high FPR too",
            ),
            Wrong(
                a_factor,
                "that is the factor between the two rates, and ε stands in the exponent",
            ),
            Wrong(
                without_delta,
                "δ is missing: the guarantee may break with that probability, and an attack may "
                "use it",
            ),
            Wrong(
                easier_side,
                "both inequalities have to hold, and you kept the ε that satisfies only the easier "
                "one",
            ),
            Wrong(
                below_zero,
                "where the rates prove nothing you give a negative ε: the least that a release can "
                "have is 0",
            ),
        ),
    ),
]
