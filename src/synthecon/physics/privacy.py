"""Was this image in the training set?  Attacks that guess it from what was released.

A *pipeline* is everything from the members to the release: teacher, students, made-up images.  Many
pipelines are run on random halves of the same candidates.  Each in turn is the target, and all the
others are the attacker's shadows, whose members the attacker knows.  Every score is [K, N]: how
strongly pipeline k's release points to candidate n as a member; nothing but the score is judged.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from scipy.special import stdtrit
from torch import Tensor, nn

from synthecon.physics import losses, nets, synth, train
from synthecon.physics.data import DataError, Dataset, split
from synthecon.physics.distill import Group, Teacher
from synthecon.physics.nets import Output
from synthecon.physics.train import Recipe
from synthecon.stats import Interval

Scores = Callable[[Tensor, Tensor], Tensor]
"""An attack: (statistic [K, N], member bool [K, N]) -> score [K, N], higher for likely members."""


# ---- who is a member of what


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates, and which pipeline has which of them.

    candidates int64 [N], rows of the data set; member bool [K, N], half of each row True; reserve
    int64 [R], rows that no candidate is among, for the control; test int64 [T], the rest.
    """

    seed: int
    candidates: Tensor
    member: Tensor
    reserve: Tensor
    test: Tensor

    @property
    def members(self) -> Tensor:
        """Rows of the data set that each pipeline was given, [K, N/2]."""
        return torch.stack([self.candidates[own] for own in self.member])

    def groups(self) -> tuple[Group, ...]:
        """One group a pipeline, then one a control: the reserve, with other first weights."""
        none = self.test[:0]
        rows = [*self.members, *[self.reserve] * len(self.member)]
        start = 1000 * self.seed
        return tuple(
            Group(start + k, len(own), own, own, none, self.test) for k, own in enumerate(rows)
        )


def deal(data: Dataset, seed: int, pipelines: int, candidates: int) -> Pool:
    """Draw candidates, a reserve of half as many, and each pipeline's half of the candidates.

    A pipeline's half says nothing about another's: were the halves balanced over pipelines (each
    candidate in exactly K/2 of them), knowing the shadows' members would give away the target's.

    Raises:
        DataError: more rows than the data set has, or an odd number of candidates.
    """
    if candidates % 2:
        raise DataError(f"candidates={candidates}: half of them are members, so make it even")
    parts = split(data, seed, train=candidates, validation=candidates // 2)
    generator = torch.Generator().manual_seed(seed)
    rank = torch.rand(pipelines, candidates, generator=generator).argsort(1)
    member = (rank < candidates // 2).to(parts.train.device)
    return Pool(seed, parts.train, member, parts.validation, parts.test)


# ---- what a pipeline releases


def mixture_release(images: Tensor, labels: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images of one shrunk Gaussian a class, and their classes, in the members' proportions."""
    generator = torch.Generator().manual_seed(seed)
    parts, answers = [], []
    for c, m in _shares(labels, count):
        parts.append(synth.gaussian(images[labels == c], m, generator))
        answers.append(torch.full((m,), c, device=images.device))
    return torch.cat(parts), torch.cat(answers)


def kde_release(
    images: Tensor, labels: Tensor, count: int, seed: int, bandwidth: float
) -> tuple[Tensor, Tensor]:
    """Members drawn again, each with normal noise a pixel: samples of a kernel density."""
    generator = torch.Generator().manual_seed(seed)
    pick = torch.randint(len(images), (count,), generator=generator).to(images.device)
    noise = torch.randn(count, *images.shape[1:], generator=generator).to(images.device)
    return (images[pick] + bandwidth * noise).clamp(0, 1), labels[pick]


def _shares(labels: Tensor, count: int) -> list[tuple[int, int]]:
    classes, sizes = labels.cpu().unique(return_counts=True)
    ends = (sizes.cumsum(0).double() / sizes.sum() * count).round().long()
    return list(zip(classes.tolist(), ends.diff(prepend=ends.new_zeros(1)).tolist(), strict=True))


def students(
    data: Dataset,
    groups: Sequence[Group],
    teacher: Teacher,
    student: str,
    recipe: Recipe,
    images: Mapping[str, Tensor],
    temperature: float,
) -> tuple[dict[str, nn.Module], float]:
    """Students that see some images and the teacher's soft answers to them, and no label.

    Args:
        teacher: one net a group.
        images: what each kind of student is fed, [G, M, C, H, W], all with the same M.

    Returns:
        For each kind a stack of G students, and the seconds of training all of them.
    """
    device, seeds = data.images.device, [g.seed for g in groups]
    count, kinds = next(iter(images.values())).shape[1], len(images)
    table = torch.cat([x.to(device).flatten(0, 1) for x in images.values()])
    rows = torch.arange(len(table)).view(kinds * len(groups), count)
    parts = [train.predict(teacher.net, table, r).logits for r in rows.split(len(groups))]
    answers = torch.cat(parts).transpose(1, 2).flatten(0, 1)
    start = time.perf_counter()
    shape = tuple(data.images.shape[1:])
    many = len(rows)
    net = nets.build(student, shape, len(data.classes), seeds * kinds, many).to(device)
    order = train.batches(rows.unbind(), recipe.steps, recipe.batch, seeds * kinds)

    def objective(out: Output, batch: Tensor) -> Tensor:
        soft = answers[batch].transpose(1, 2)
        return temperature**2 * losses.kl(soft, out.logits, temperature)

    names = [f"student of {kind}, pipeline {s}" for kind in images for s in seeds]
    train.fit(net, table, order, objective, recipe, seeds=seeds * kinds, names=names)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    g = len(groups)
    nets_by_kind = {
        kind: nets.take(net, range(i * g, (i + 1) * g), g) for i, kind in enumerate(images)
    }
    return nets_by_kind, time.perf_counter() - start


# ---- what an attacker sees


def confidence(logits: Tensor, labels: Tensor) -> Tensor:
    """log(p / (1 − p)) of the right class, [K, N]: Carlini et al. (2022), §V-A.

    From the logits [K, C, N] by the log-sum-exp of the others: 1 − p would round to 0 where the
    model is sure, and there members stand out.  labels: int64 [N] or [K, N].
    """
    where = labels.expand(len(logits), -1)[:, None]
    right = logits.gather(1, where).squeeze(1)
    others = logits.scatter(1, where, -math.inf)
    return right - others.logsumexp(1)


def kernel_density(points: Tensor, release: Tensor, bandwidth: float, chunk: int = 4096) -> Tensor:
    """Log-density of points [N, D] under normal kernels on a release [M, D], up to a constant, [N].

    With the release's own bandwidth it is the likelihood of having been drawn from these samples.
    """
    parts = [
        (-torch.cdist(p, release).square() / (2 * bandwidth**2)).logsumexp(1)
        for p in points.split(chunk)
    ]
    return torch.cat(parts)


def class_density(points: Tensor, labels: Tensor, release: Tensor, answers: Tensor) -> Tensor:
    """Log-density of points [N, D] under one shrunk Gaussian a class, fitted to the release, [N].

    The attacker repeats what the owner did, on what the owner gave out.  A class that the release
    lacks scores as the worst of the others.
    """
    found = torch.full((len(points),), -math.inf, dtype=torch.float64, device=points.device)
    for c in answers.unique():
        own, told = (labels == c).nonzero().flatten(), release[answers == c].double()
        if not len(own) or len(told) < 2:
            continue
        centred = told - told.mean(0)
        s, variance = synth.shrinkage(centred), centred.square().mean()
        eye = torch.eye(told.shape[1], dtype=torch.float64, device=told.device)
        ridge = 1e-9 * variance + 1e-12
        covariance = (1 - s) * centred.T @ centred / len(told) + (s * variance + ridge) * eye
        root = torch.linalg.cholesky(covariance)
        away = torch.linalg.solve_triangular(
            root, (points[own].double() - told.mean(0)).T, upper=False
        )
        found[own] = -away.square().sum(0) / 2 - root.diagonal().log().sum()
    return found.nan_to_num(neginf=float(found[found.isfinite()].min()))


# ---- attacks


def loss_attack(statistic: Tensor, member: Tensor) -> Tensor:
    """Who is fitted well is a member: the statistic itself, no shadow needed (Yeom et al. 2018).

    `statistic` rises as the loss falls, so the ROC is that of minus the loss.
    """
    return statistic


@dataclass(frozen=True, eq=False)
class _Side:
    """Mean of the shadows that had (or had not) a candidate [K, N], and their variance [K, 1]."""

    mean: Tensor
    variance: Tensor


def _others(x: Tensor, chosen: Tensor) -> _Side:
    """Moments over the chosen shadows, for each target without the target itself.

    Few shadows cannot tell a variance a candidate, so all candidates share one (Carlini et al.,
    §VI-D).  A candidate that no shadow had takes the mean over all candidates.
    """
    w = chosen.to(x)
    n = w.sum(0) - w
    total, square = (w * x).sum(0) - w * x, (w * x * x).sum(0) - w * x * x
    mean = total / n.clamp_min(1)
    overall = total.sum(1, keepdim=True) / n.sum(1, keepdim=True)
    within = (square - n * mean.square()).sum(1, keepdim=True)
    freedom = (n - 1).clamp_min(0).sum(1, keepdim=True)
    return _Side(torch.where(n > 0, mean, overall), within / freedom.clamp_min(1) + 1e-12)


def lira_online(statistic: Tensor, member: Tensor) -> Tensor:
    """log N(x; shadows with it) − log N(x; shadows without it), Carlini et al. (2022), alg. 1."""
    x = statistic.double()
    has, lacks = _others(x, member), _others(x, ~member)

    def log_likelihood(side: _Side) -> Tensor:
        return -(x - side.mean).square() / (2 * side.variance) - side.variance.log() / 2

    return log_likelihood(has) - log_likelihood(lacks)


def lira_offline(statistic: Tensor, member: Tensor) -> Tensor:
    """How far x lies above the shadows *without* the candidate, in standard deviations.

    The attacker never trains on the candidate: one set of shadows serves every question.
    """
    x = statistic.double()
    lacks = _others(x, ~member)
    return (x - lacks.mean) / lacks.variance.sqrt()


ATTACKS: dict[str, Scores] = {
    "loss": loss_attack,
    "LiRA, offline": lira_offline,
    "LiRA, online": lira_online,
}


# ---- how well an attack does


def auc(scores: Tensor, member: Tensor) -> Tensor:
    """Chance that a random member outranks a random non-member, ties half, [K].

    The area under the ROC curve: the Mann-Whitney U over (members × non-members).
    """
    ordered, order = scores.sort(1)
    inside = member.gather(1, order)
    yes, no = inside.sum(1).double(), (~inside).sum(1).double()
    if not (ordered[:, 1:] == ordered[:, :-1]).any():
        return ((~inside).cumsum(1) * inside).sum(1) / (yes * no)
    # Midranks: equal scores share the mean of their places.
    low, high = (torch.searchsorted(ordered, ordered, right=right) for right in (False, True))
    rank = (low + high + 1).double() / 2
    return ((rank * inside).sum(1) - yes * (yes + 1) / 2) / (yes * no)


def tpr_at(scores: Tensor, member: Tensor, fpr: float) -> Tensor:
    """The largest share of members named while at most `fpr` of the non-members are, [K].

    With m non-members no rate between 0 and 1/m exists: the threshold lies above the non-member
    that would be one too many, and a tie with it is not named.
    """
    allowed = (fpr * (~member).sum(1).double() + 1e-6).floor().long()
    outside = torch.where(member, torch.full_like(scores, -math.inf), scores)
    ladder = outside.sort(1, descending=True).values
    threshold = ladder.gather(1, allowed[:, None].clamp(max=scores.shape[1] - 1))
    return ((scores > threshold) & member).sum(1).double() / member.sum(1)


def roc(scores: Tensor, member: Tensor, fpr: Tensor) -> Tensor:
    """`tpr_at` each of the rates, averaged over the targets, [len(fpr)]."""
    return torch.stack([tpr_at(scores, member, float(f)).mean() for f in fpr])


@dataclass(frozen=True, eq=False)
class Trial:
    """One kind of release of one pool's pipelines: what the attack reads, and the truth.

    statistic [K, N], member bool [K, N], rows int64 [N] of the data set (to know an image again in
    another pool), outlier bool [N].
    """

    statistic: Tensor
    member: Tensor
    rows: Tensor
    outlier: Tensor


def trials(
    statistic: Tensor, pools: Sequence[Pool], outlier: Sequence[Tensor] | None = None
) -> list[Trial]:
    """The pipelines of all pools [P·K, N], pool by pool, as one trial a pool."""
    parts = statistic.split([len(pool.member) for pool in pools])
    none = [torch.zeros_like(pool.member[0]) for pool in pools]
    return [
        Trial(part, pool.member, pool.candidates, out)
        for part, pool, out in zip(parts, pools, outlier or none, strict=True)
    ]


def confidences(data: Dataset, net: nn.Module, pools: Sequence[Pool]) -> Tensor:
    """`confidence` of every network of a stack on its pool's candidates, [arms, P·K, N].

    net: one group a pipeline, pool by pool.
    """
    rows = torch.stack([pool.candidates for pool in pools for _ in pool.member])
    logits = train.predict(net, data.images, rows).logits
    found = confidence(logits, data.labels[rows].repeat_interleave(net.arms, 0))
    return found.view(len(rows), net.arms, -1).transpose(0, 1)


def right(data: Dataset, net: nn.Module, pools: Sequence[Pool]) -> list[list[Trial]]:
    """Right (1) or wrong (0) on candidates and reserve: for each arm, a trial a pool.

    `unseen_mean` makes it an accuracy on images that the pipeline did not train on.
    """
    rows = torch.stack([_all(pool) for pool in pools for _ in pool.member])
    logits = train.predict(net, data.images, rows).logits
    hit = logits.argmax(1) == data.labels[rows].repeat_interleave(net.arms, 0)
    wide = [
        Pool(p.seed, _all(p), F.pad(p.member, (0, len(p.reserve))), p.reserve, p.test)
        for p in pools
    ]
    by_arm = hit.double().view(len(rows), net.arms, -1).transpose(0, 1)
    return [trials(arm, wide) for arm in by_arm]


def _all(pool: Pool) -> Tensor:
    return torch.cat([pool.candidates, pool.reserve])


def difference(one: Sequence[Trial], other: Sequence[Trial]) -> list[Trial]:
    """Trials of the statistic of `one` minus that of `other`, pipeline by pipeline."""
    return [
        replace(a, statistic=a.statistic - b.statistic) for a, b in zip(one, other, strict=True)
    ]


MEASURES = ("auc", "tpr", "outliers")


def measure(trial: Trial, attack: Scores, fpr: float) -> Tensor:
    """AUC, TPR at `fpr`, and the AUC among outliers alone: means over the targets, [3]."""
    scores = attack(trial.statistic, trial.member).double()
    out = trial.outlier
    return torch.stack(
        [
            auc(scores, trial.member).mean(),
            tpr_at(scores, trial.member, fpr).mean(),
            auc(scores[:, out], trial.member[:, out]).nanmean(),
        ]
    )


def outliers(trial: Trial, share: float) -> Tensor:
    """The candidates of which models that never saw any of them are least sure, bool [N].

    trial: the control's.  Nothing about a target, its shadows or their members decides.
    """
    doubt = trial.statistic.mean(0)
    chosen = torch.zeros_like(doubt, dtype=torch.bool)
    chosen[doubt.argsort(stable=True)[: max(1, round(share * len(doubt)))]] = True
    return chosen


def unseen_mean(trial: Trial) -> Tensor:
    """The statistic over the images that a pipeline did not train on: the mean over pipelines,
    [1].  With right (1) or wrong (0) as the statistic, its accuracy."""
    outside = (~trial.member).to(trial.statistic)
    return ((trial.statistic * outside).sum(1) / outside.sum(1)).mean().double()[None]


def _without(trial: Trial, pipeline: int | None = None, keep: Tensor | None = None) -> Trial:
    """The trial as if one pipeline, or some of the images, had never been."""
    s, m, rows, out = trial.statistic, trial.member, trial.rows, trial.outlier
    if pipeline is not None:
        others = torch.arange(len(s), device=s.device) != pipeline
        s, m = s[others], m[others]
    if keep is not None:
        s, m, rows, out = s[:, keep], m[:, keep], rows[keep], out[keep]
    return Trial(s, m, rows, out)


def jackknife(
    trials: Sequence[Trial],
    statistic: Callable[[Trial], Tensor],
    *,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    level: float = 0.95,
    blocks: int = 20,
) -> list[Interval]:
    """A statistic [S] of a trial, averaged over the pools' trials, with intervals.

    Targets are not independent: they are each other's shadows, and they share the candidates.  So
    the jackknife takes away whole pipelines, as target *and* as shadow; and apart from that it
    takes away blocks of images, from all pools at once.  The two variances are added, which counts
    twice what both explain and so errs on the wide side (Owen 2007).  Student t with the degrees of
    freedom of the poorer of the two.
    """
    whole = torch.stack([statistic(t) for t in trials])
    variance = torch.zeros_like(whole[0])
    for trial in trials:
        n = len(trial.statistic)
        part = torch.stack([statistic(_without(trial, k)) for k in range(n)])
        variance += (n - 1) ** 2 / n * part.var(0) / len(trials) ** 2
    parts = []
    for b in range(blocks):
        kept = [_without(t, keep=t.rows % blocks != b) for t in trials]
        parts.append(torch.stack([statistic(t) for t in kept]).mean(0))
    variance += (blocks - 1) ** 2 / blocks * torch.stack(parts).var(0)
    targets = sum(len(t.statistic) for t in trials)
    freedom = min(blocks - 1, targets - len(trials))
    half = float(stdtrit(freedom, (1 + level) / 2)) * variance.sqrt()
    how = f"jackknife over pipelines and over {blocks} blocks of images, t with {freedom} d.f."
    low, high = bounds
    return [
        Interval(v, max(low, v - h), min(high, v + h), level, targets, how)
        for v, h in zip(whole.mean(0).tolist(), half.tolist(), strict=True)
    ]


def attacked(
    trials: Sequence[Trial], attack: Scores, fpr: float, *, level: float = 0.95
) -> dict[str, Interval]:
    """Each of `MEASURES` for an attack on every target of every pool."""
    found = jackknife(
        trials, lambda trial: measure(trial, attack, fpr), bounds=(0.0, 1.0), level=level
    )
    return dict(zip(MEASURES, found, strict=True))


def clock(data: Dataset) -> float:
    """Seconds, once the device has done all it was asked to."""
    if data.images.device.type == "cuda":
        torch.cuda.synchronize(data.images.device)
    return time.perf_counter()
