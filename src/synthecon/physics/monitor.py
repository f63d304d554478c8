"""Watching a stream of unlabelled images, week after week, and deciding when to train again.

A test at 5 % that is repeated every week raises a false alarm in one week of twenty, for ever.  The
monitor here may be looked at every week.  It rests on two ideas:

1. *Conformal p-values.*  Each new image is ranked among all images since the last training.  As
   long as they come from one distribution, whatever that is, these ranks are independent and
   uniform (Vovk et al. 2021).
2. *Betting against uniformity.*  Starting from every week anew, a gambler with unit capital bets
   that the ranks are not uniform, and learns from past ranks where they fall.  In a fair game no
   strategy gains on average, so a large gain is evidence.

`Monitor.step` returns the capital of all gamblers together.  Its guarantee (Shiryaev–Roberts
procedure, an e-detector of Shin et al. 2023): if nothing ever changes and one alarms at
capital A, the mean time to the false alarm is at least A weeks.  It holds for finite samples and at
every look, and no simulation was needed to set it.  What it does not promise is power: a change
that leaves the ranks uniform, such as concept shift, is never seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from synthecon.physics import detect

PRIOR = 5.0  # a gambler's first stake on each bin: nearly even, as a week's ranks weigh no more


def score(probabilities: Tensor) -> Tensor:
    """One number for each image to rank it by: [..., C] -> float64 [...].

    The predicted class, plus the doubt in it.  Ranks then show both other shares of the classes and
    other confidence within a class.
    """
    top, answer = probabilities.double().max(-1)
    return answer + (1 - top).clamp(max=0.999)


def conformal(past: Tensor, size: Tensor, new: Tensor, generator: torch.Generator) -> Tensor:
    """Rank of each new score among all before it as a p-value in (0, 1), float64 [T, n].

    An image is compared with the past and with those of its own week that came before it.  Ties are
    broken at random; without that, p-values would be independent but not uniform.

    Args:
        past: [T, N], each row sorted, padded with inf. size: int64 [T], how many are real.
        new: [T, n], finite, in order of arrival. generator: a CPU generator.
    """
    new = new.contiguous()
    before = torch.ones(new.shape[1], new.shape[1], dtype=torch.bool, device=new.device).tril(-1)
    above = size[:, None] - torch.searchsorted(past, new, right=True)
    above = above + ((new[:, None, :] > new[:, :, None]) & before).sum(2)
    equal = torch.searchsorted(past, new, right=True) - torch.searchsorted(past, new)
    equal = equal + ((new[:, None, :] == new[:, :, None]) & before).sum(2)
    u = torch.rand(new.shape, generator=generator, dtype=torch.float64).to(new.device)
    seen = size[:, None] + torch.arange(1, new.shape[1] + 1, device=new.device)
    return (above + u * (equal + 1)) / seen


def log_capital(counts: Tensor) -> Tensor:
    """Logarithm of a gambler's capital after p-values fell into bins as counted: [..., B] -> [...].

    On each p-value the gambler bets on every bin in proportion to what fell there so far plus
    `PRIOR`; a bin pays B for 1.  The product of all gains depends on the counts alone.
    """
    counts = counts.double()
    bins, total = counts.shape[-1], counts.sum(-1)
    gain = torch.lgamma(counts + PRIOR).sum(-1) - bins * math.lgamma(PRIOR)
    fall = torch.lgamma(total + bins * PRIOR) - math.lgamma(bins * PRIOR)
    return gain - fall + total * math.log(bins)


@dataclass
class Monitor:
    """The state of T streams: what was seen since the last training, and a gambler a week.

    past [T, N] and size [T] as in `conformal`; counts: float64 [T, weeks, bins], p-values since
    each week; alive: bool [T, weeks], weeks since the last training.
    """

    past: Tensor
    size: Tensor
    counts: Tensor
    alive: Tensor
    generator: torch.Generator

    @staticmethod
    def begin(reference: Tensor, seed: int, bins: int = 20) -> Monitor:
        """Watch from a reference sample on: scores [T, m] that the model was not trained on."""
        trials, m = reference.shape
        device = reference.device
        return Monitor(
            reference.sort(1).values,
            torch.full((trials,), m, device=device),
            torch.zeros(trials, 0, bins, dtype=torch.float64, device=device),
            torch.zeros(trials, 0, dtype=torch.bool, device=device),
            torch.Generator().manual_seed(seed),
        )

    def step(self, new: Tensor) -> Tensor:
        """Take in one week's scores [T, n]; the capital of all gamblers, [T].

        Under no shift its mean is the number of weeks since the last training.
        """
        trials, _, bins = self.counts.shape
        p = conformal(self.past, self.size, new, self.generator)
        fell = detect.tally((p * bins).long().clamp(max=bins - 1), bins)
        self.counts = torch.cat([self.counts, self.counts.new_zeros(trials, 1, bins)], 1)
        self.counts += fell[:, None]
        self.alive = torch.cat([self.alive, self.alive.new_ones(trials, 1)], 1)
        self.past = torch.cat([self.past, new], 1).sort(1).values
        self.size = self.size + new.shape[1]
        capital = log_capital(self.counts).masked_fill(~self.alive, -torch.inf)
        return capital.logsumexp(1).clamp(max=700).exp()

    def restart(self, which: Tensor, reference: Tensor) -> None:
        """Forget the streams `which` (bool [T]): the model was trained anew, and `reference`
        [T, m] (the rows of `which` are read) is what it is compared with from now on."""
        if not bool(which.any()):
            return
        fresh = torch.full_like(self.past, torch.inf)
        fresh[:, : reference.shape[1]] = reference.sort(1).values
        self.past = torch.where(which[:, None], fresh, self.past)
        self.size = torch.where(which, reference.shape[1], self.size)
        self.alive = self.alive & ~which[:, None]


@dataclass(frozen=True, eq=False)
class World:
    """What G splits of a data set look like in S states, to models trained in each of them.

    Axes: split g, state m in which the model was trained, state s that the images come from, row r.
    probabilities [G, S, S, R, C]: softmax outputs. accuracy [G, S, S]: share of right answers.
    """

    probabilities: Tensor
    accuracy: Tensor


@dataclass(frozen=True, eq=False)
class Year:
    """What a policy did: trained bool [T, W], after which weeks; lost [T, W], accuracy below that
    of a model trained in the week's own state, 0 to 1."""

    trained: Tensor
    lost: Tensor


Alarm = Callable[[Tensor, Tensor, int], Tensor]
"""(reference [T, m, C], this week's answers [T, n, C], week) -> bool [T]: train again?"""


def calendar(every: int) -> Alarm:
    """Train after every so many weeks, whatever the images look like."""
    return lambda reference, new, week: torch.full(
        (len(new),), (week + 1) % every == 0, device=new.device
    )


def by_psi(limit: float, bins: int = 10) -> Alarm:
    """Train when the PSI of the confidence, this week's against the reference, is above a limit."""

    def alarm(reference: Tensor, new: Tensor, week: int) -> Tensor:
        return detect.psi(reference.amax(-1), new.amax(-1), bins) > limit

    return alarm


def by_evidence(
    limit: float, seed: int, bins: int = 20, trace: list[Tensor] | None = None
) -> Alarm:
    """Train when the capital of a `Monitor` reaches a limit: its mean time to a false alarm, in
    weeks, is at least that.  `trace` receives the capital of every week, [T]."""
    state: list[Monitor] = []
    last: list[Tensor] = []

    def alarm(reference: Tensor, new: Tensor, week: int) -> Tensor:
        scores = score(reference)
        if week == 0:
            state[:] = [Monitor.begin(scores, seed, bins)]
        else:
            state[0].restart(last[0], scores)
        capital = state[0].step(score(new))
        if trace is not None:
            trace.append(capital)
        last[:] = [capital >= limit]
        return last[0]

    return alarm


def changes(streams: int, weeks: int, count: int, states: int, seed: int) -> Tensor:
    """A history for each stream: the state of each week, int64 [streams, weeks].

    All begin in state 0; in `count` weeks, drawn from the second on, the world moves on to another
    state at random.

    Raises:
        ValueError: more changes than weeks after the first, or no other state to change to.
    """
    if count >= weeks or (count and states < 2):
        raise ValueError(f"{count} changes do not fit into {weeks} weeks of {states} states")
    generator = torch.Generator().manual_seed(seed)
    first = torch.rand(streams, weeks - 1, generator=generator).argsort(1)[:, :count] + 1
    moves = torch.zeros(streams, weeks, dtype=torch.int64)
    if count:
        moves.scatter_(1, first, torch.randint(1, states, (streams, count), generator=generator))
    return moves.cumsum(1) % states


def live(
    world: World, split: Tensor, history: Tensor, alarm: Alarm, m: int, n: int, seed: int
) -> Year:
    """Let a policy run over streams of images drawn at random, with replacement, from the world's
    rows: each draw is independent, so the rows stand for a population.

    A week's images are judged by the model as it is.  If the policy says so, it is trained again on
    that week's state, and from the next week on the new model answers; m new reference images are
    drawn from the same state.

    Args:
        split: int64 [T], the split of each stream. history: int64 [T, W], from `changes`.
        alarm: the policy. m, n: reference images, and images a week. seed: of all draws.
    """
    probabilities, device = world.probabilities, world.probabilities.device
    rows, trials = probabilities.shape[3], len(split)
    generator = torch.Generator().manual_seed(seed)
    split, history = split.to(device), history.to(device)

    def sample(trained: Tensor, state: Tensor, count: int) -> Tensor:
        drawn = torch.randint(rows, (trials, count), generator=generator).to(device)
        return probabilities[split[:, None], trained[:, None], state[:, None], drawn]

    trained_in = history[:, 0].clone()
    reference = sample(trained_in, history[:, 0], m)
    alarms, lost = [], []
    for week in range(history.shape[1]):
        state = history[:, week]
        new = sample(trained_in, state, n)
        best = world.accuracy[split, state, state]
        lost.append(best - world.accuracy[split, trained_in, state])
        alarms.append(alarm(reference, new, week))
        trained_in = torch.where(alarms[-1], state, trained_in)
        fresh = sample(trained_in, state, m)
        reference = torch.where(alarms[-1][:, None, None], fresh, reference)
    return Year(torch.stack(alarms, 1), torch.stack(lost, 1))
