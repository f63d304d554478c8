"""The exercises of the noise lab: what each accepts, and the mistakes that it knows."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from synthecon import stats
from synthecon.labs import Exercise, Wrong
from synthecon.physics import attack, nets

# ---- fgsm and pgd: images x [B, P], labels y, a network of two layers A and B


class Tiny(nn.Module):
    """The lab's network as a stack of one, which is what the package attacks."""

    arms = 1

    def __init__(self, A, B):
        super().__init__()
        self.A, self.B = A, B

    def forward(self, images):
        logits = network(images.flatten(2)[0], self.A, self.B)
        return nets.Output(logits.T[None], logits.T[None])


def network(x, A, B):
    return torch.tanh(x @ A) @ B


def stacked(x):
    return x[None, :, None, None, :]


def batches(rng):
    """Images of which half the pixels are black and some are white."""
    asked = []
    for eps in (0.0, 0.05, 0.1, 0.2, 0.3):
        x = rng.uniform(0.05, 0.95, (6, 16))
        ink = rng.random(x.shape)
        x[ink < 0.5], x[ink > 0.9] = 0.0, 1.0
        A = rng.normal(0, 0.7, (16, 8))
        B = rng.normal(0, 1.0, (8, 4))
        y = torch.from_numpy(rng.integers(4, size=6))
        asked.append(
            (torch.from_numpy(x), y, eps, *map(torch.from_numpy, (A, B)))
        )
    return asked


def fgsm(x, y, eps, A, B):
    return attack.fgsm(Tiny(A, B), stacked(x), y[None], eps)[0, :, 0, 0]


def slope(x, y, A, B):
    x = x.detach().requires_grad_()
    loss = F.cross_entropy(network(x, A, B), y, reduction="sum")
    return torch.autograd.grad(loss, x)[0]


def along_the_gradient(x, y, eps, A, B):
    return (x + eps * slope(x, y, A, B)).clamp(0, 1)


def along_its_direction(x, y, eps, A, B):
    s = slope(x, y, A, B)
    return (x + eps * s / s.norm(dim=1, keepdim=True)).clamp(0, 1)


def downhill(x, y, eps, A, B):
    return (x - eps * slope(x, y, A, B).sign()).clamp(0, 1)


def darker_than_black(x, y, eps, A, B):
    return x + eps * slope(x, y, A, B).sign()


def own_logit_only(x, y, eps, A, B):
    x = x.detach().requires_grad_()
    own = network(x, A, B).gather(1, y[:, None]).sum()
    return (
        (x - eps * torch.autograd.grad(own, x)[0].sign()).clamp(0, 1).detach()
    )


# ---- pgd


def attacks(rng):
    """Few steps, so that no mistake has the time to make up for itself."""
    asked = []
    for (x, y, _, A, B), eps, steps in zip(
        batches(rng), (0.1, 0.3, 0.2, 0.25, 0.15), (3, 4, 5, 8, 12), strict=True
    ):
        start = torch.from_numpy(rng.uniform(-eps, eps, x.shape))
        asked.append((x, y, eps, steps, start, A, B))
    return asked


def pgd(x, y, eps, steps, start, A, B):
    net, images = Tiny(A, B), stacked(x)
    found = attack.pgd(
        net, images, y[None], eps, steps=steps, start=stacked(start)
    )
    return found[0, :, 0, 0]


def clamped_inside(x, y, eps, steps, start, A, B):
    offset = start.clone()
    for _ in range(steps):
        offset.requires_grad_()
        loss = F.cross_entropy(network((x + offset).clamp(0, 1), A, B), y)
        (s,) = torch.autograd.grad(loss, offset)
        offset = (offset.detach() + 2.5 * eps / steps * s.sign()).clamp(
            -eps, eps
        )
    return (x + offset).clamp(0, 1)


def in_debt(x, y, eps, steps, start, A, B):
    offset = start.clone()
    for _ in range(steps):
        s = slope((x + offset).clamp(0, 1), y, A, B)
        offset = (offset + 2.5 * eps / steps * s.sign()).clamp(-eps, eps)
    return (x + offset).clamp(0, 1)


def box_moves_along(x, y, eps, steps, start, A, B):
    adv = (x + start).clamp(0, 1)
    for _ in range(steps):
        step = 2.5 * eps / steps * slope(adv, y, A, B).sign()
        adv = (adv + step.clamp(-eps, eps)).clamp(0, 1)
    return adv


def only_at_the_end(x, y, eps, steps, start, A, B):
    adv = x + start
    for _ in range(steps):
        adv = adv + 2.5 * eps / steps * slope(adv, y, A, B).sign()
    return adv.clamp(x - eps, x + eps).clamp(0, 1)


def beyond_white(x, y, eps, steps, start, A, B):
    adv = x + start
    for _ in range(steps):
        adv = adv + 2.5 * eps / steps * slope(adv, y, A, B).sign()
        adv = adv.clamp(x - eps, x + eps)
    return adv


def start_forgotten(x, y, eps, steps, start, A, B):
    return pgd(x, y, eps, steps, torch.zeros_like(start), A, B)


# ---- share: gains of a method and of the reference, in points, one a split


def gains(rng):
    """The two gains of a split go up and down together, more or less."""
    asked = []
    for n, ratio in ((5, 0.0), (6, 0.23), (8, 0.5), (10, 0.23)):
        luck = rng.normal(0, 6, n)
        reference = 40 + luck + rng.normal(0, 3, n)
        own = 12 + 0.4 * luck + rng.normal(0, 3, n)
        asked.append((own.tolist(), reference.tolist(), ratio))
    return asked


def share(own, reference, ratio):
    found = stats.jackknife(
        lambda rows: 100 * rows[:, 0].mean() / rows[:, 1].mean(),
        np.stack([own, reference], 1),
        ratio=ratio,
    )
    return found.value, found.low, found.high


def a_share_a_split(own, reference, ratio):
    each = 100 * np.divide(own, reference)
    found = stats.paired(each, ratio=ratio)
    return found.value, found.low, found.high


def independent_splits(own, reference, ratio):
    return share(own, reference, 0.0)


def reference_is_exact(own, reference, ratio):
    found = stats.paired(own, ratio=ratio)
    ends = found.value, found.low, found.high
    return tuple(100 * end / np.mean(reference) for end in ends)


def ends_divided(own, reference, ratio):
    a, b = (stats.paired(gain, ratio=ratio) for gain in (own, reference))
    pairs = (a.value, b.value), (a.low, b.high), (a.high, b.low)
    return tuple(100 * x / y for x, y in pairs)


def without_each_as_they_are(own, reference, ratio):
    rows = np.stack([own, reference], 1)
    without = stats.leave_one_out(
        lambda rows: 100 * rows[:, 0].mean() / rows[:, 1].mean(), rows
    )
    spread = stats.paired(without, ratio=ratio)
    whole, half = share(own, reference, ratio)[0], spread.high - spread.value
    return whole, whole - half, whole + half


EXERCISES = [
    Exercise(
        "fgsm",
        minutes=5,
        difficulty="easy",
        oracle=fgsm,
        inputs=batches,
        hints=(
            "You need the gradient of the loss with respect to the images, so the images must ask "
            "for one: make a copy of x that does, and use torch.autograd.grad.",
            "The largest step that a box allows uses all of its width in every pixel. Which "
            "function of the gradient has only the values −1, 0 and 1?",
            "Afterwards the picture must still be a picture: no pixel below 0 or above 1.",
        ),
        wrong=(
            Wrong(
                along_the_gradient,
                "your step is as long as the gradient: nearly nothing where the network is sure of "
                "itself, and elsewhere perhaps more than ε, which is all that a pixel may change by",
            ),
            Wrong(
                along_its_direction,
                "you divide by the gradient's length, which spends ε on the whole picture: that is "
                "an attack within a ball, and the box allows ε to each pixel by itself",
            ),
            Wrong(
                downhill,
                "this step makes the loss smaller; you are helping the network",
            ),
            Wrong(
                darker_than_black,
                "some pixels are below 0 or above 1: no camera sends such a picture",
            ),
            Wrong(
                own_logit_only,
                "you push the right class down and do not care who comes up; the loss looks at all "
                "classes, and so must the gradient",
            ),
        ),
    ),
    Exercise(
        "pgd",
        minutes=10,
        difficulty="medium",
        oracle=pgd,
        inputs=attacks,
        hints=(
            "Take one black pixel whose random start is negative, and follow it through the loop "
            "by hand. What is its gradient, and what is the sign of that?",
            "A clamp that the gradient runs through is flat outside of its limits. Move it to a "
            "place where nothing is differentiated.",
            "Keep the picture itself instead of an offset: low and high can be worked out once, "
            "before the loop, from x, ε, 0 and 1.",
        ),
        wrong=(
            Wrong(
                clamped_inside,
                "pixels that the start pushed outside of 0 to 1 never move: the gradient has to "
                "pass a place that is flat there",
            ),
            Wrong(
                in_debt,
                "the gradient is right now, but the offset still runs on below black and has to "
                "come all the way back before the pixel moves: what goes on from step to step must "
                "be inside of 0 to 1 too",
            ),
            Wrong(
                box_moves_along,
                "your box moves along with the attack, so many small steps lead out of it: "
                "measure ε from the picture that you were given",
            ),
            Wrong(
                only_at_the_end,
                "you walk freely and come back into the box once: the gradients were taken at "
                "pictures that the attacker may not show",
            ),
            Wrong(
                beyond_white,
                "ε is kept, but some pixels are below 0 or above 1",
            ),
            Wrong(
                start_forgotten,
                "the attack begins at the picture itself; the random start is not used",
            ),
        ),
    ),
    Exercise(
        "share",
        minutes=15,
        difficulty="hard",
        oracle=share,
        inputs=gains,
        expects="three numbers: share, low and high, in per cent",
        hints=(
            "Write the share as a small function of which splits take part. Call it once with all "
            "of them and n times with one left out, of both lists at once.",
            "What a split adds is n times the share of all, minus (n − 1) times the share "
            "without it. You now have n numbers, one a split, as `stats.paired` wants them.",
            "Take only the half-width from `stats.paired` and put it on both sides of the share "
            "of all splits. The splits share images: see its argument `ratio`.",
        ),
        wrong=(
            Wrong(
                a_share_a_split,
                "you take a share in each split and average those; a split in which the reference "
                "gained little then has the loudest voice",
            ),
            Wrong(
                independent_splits,
                "the interval is that of independent runs, but the splits share images: it is too "
                "narrow",
            ),
            Wrong(
                reference_is_exact,
                "only the upper gain has an error in your interval; the lower one was measured on "
                "the same few splits, and its luck is partly the same",
            ),
            Wrong(
                ends_divided,
                "you divide the ends of two intervals, as if one gain were at its worst while the "
                "other is at its best; in a split they go up and down together",
            ),
            Wrong(
                without_each_as_they_are,
                "shares without one split hardly differ from each other, since they have all other "
                "splits in common: turn each into what the missing split adds",
            ),
        ),
    ),
]
