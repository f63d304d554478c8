"""What the pipeline acts on: images, a provider's teacher, made-up data, students.

`World` is everything that computes.  It keeps no books and takes no decision; each call does one
piece of work, leaves what is large in files that appear whole, and returns small plain values.
Called twice it leaves the same files and returns the same values.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import ndtri
from torch import Tensor, nn

from synthecon import Problem, paths
from synthecon.physics import (
    cost,
    data,
    detect,
    distill,
    evaluate,
    generate,
    losses,
    nets,
    privacy,
    synth,
    train,
)
from synthecon.physics.train import Recipe
from synthecon.stats import Interval, leave_one_out, paired
from synthecon.vault.pipeline_budget import Tick
from synthecon.vault.pipeline_search import Candidate, Rung

Evidence = dict[str, list]  # measure -> value, low, high, level, n, method: as JSON holds it
KINDS = (*generate.NAMES, "mixup", "noise")
LABELLED = "labelled"  # the kind of data that the bought labels are


@dataclass(frozen=True)
class Plan:
    """The world's sizes.  provider: images that the teacher was trained on, which are not ours.
    pool: images whose labels may be bought, `labels` of them.  validation: our own labelled
    acceptance set.  The rest is the test set, at most `test` of it.  parts: deal all of them but
    the test images into so many parts that share none, and seed s works with part s modulo parts;
    0: each seed draws anew.
    """

    dataset: str = "digits"
    provider: int = 300
    pool: int = 300
    labels: int = 100
    validation: int = 600
    test: int = 0
    teacher: str = "cnn-16"
    teacher_steps: int = 300
    teacher_batch: int = 32
    teacher_rate: float = 0.015
    batch: int = 32
    rate: float = 0.01
    decay: float = 0.1
    flip: bool = False
    generator_steps: int = 1000
    largest: int = 2000  # most made-up images of a kind
    limit: int = 0
    parts: int = 0


@dataclass(eq=False)
class World:
    """One split of one data set, drawn by the seed.  folder: where files go; None keeps them in
    memory, for runs that nobody resumes."""

    plan: Plan
    seed: int
    device: str = "cpu"
    folder: Path | None = None
    images: data.Dataset = field(init=False)
    halfway: Callable[[], None] = lambda: None  # a test's way into the middle of a piece of work

    def __post_init__(self) -> None:
        p = self.plan
        self.images = data.load(p.dataset, train.pick_device(self.device), p.limit or None)
        classes = len(self.images.classes)
        if p.labels % classes:
            raise Problem(f"labels={p.labels}: must be a multiple of the {classes} classes")
        sizes = [p.provider, p.pool, p.validation]
        try:
            if p.parts:
                dealt = data.split(self.images, 0, p.parts * sum(sizes), 0, p.test or None)
                drawn = dealt.train.view(p.parts, -1)[self.seed % p.parts]
                self.test = dealt.test
            else:
                parts = data.split(self.images, self.seed, sum(sizes[:2]), sizes[2], p.test or None)
                drawn, self.test = torch.cat([parts.train, parts.validation]), parts.test
            self.owned, self.pool, self.validation = drawn.split(sizes)
            self.labelled = data.stratified(
                self.images.labels, self.pool, p.labels // classes, self.seed
            )
        except data.DataError as error:
            raise Problem(str(error)) from None
        self._teacher: distill.Teacher | None = None
        self._memory: dict[str, dict[str, np.ndarray]] = {}

    # ---- what the provider has

    def teacher(self) -> nn.Module:
        """The provider's teacher, trained once on images of its own; not on our bill."""
        if self._teacher is None:
            p = self.plan
            own = distill.Group(
                self.seed, len(self.owned), self.owned, self.owned, self.validation, self.test
            )
            recipe = Recipe(p.teacher_steps, p.teacher_batch, p.teacher_rate, p.decay, shift=1)
            self._teacher = distill.train_teacher(self.images, [own], p.teacher, recipe)
        return self._teacher.net

    # ---- generate

    def generate(self, kind: str) -> dict:
        """Fit a generator of this kind to the labelled images and make `largest` images."""
        x, y = self.images.images[self.labelled], self.images.labels[self.labelled]
        made, classes = self._make(kind, x, y, torch.Generator().manual_seed(self.seed + 1))
        return {"sha256": self._keep(f"set-{kind}", {"images": made, "labels": classes}),
                "images": len(made)}  # fmt: skip

    def _make(
        self, kind: str, x: Tensor, y: Tensor, draws: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        count, p = self.plan.largest, self.plan
        if kind in generate.NAMES:
            fit = generate.fit(kind, x, y, self.seed, steps=p.generator_steps, flip=p.flip)
            return fit(count, draws)
        if kind == "mixup":  # of two made-up images; named after the heavier one
            fit = generate.gaussians(x, y)
            (a, named), (b, other) = fit(count, draws), fit(count, draws)
            deal = torch.randperm(count, generator=draws).to(x.device)
            weight = torch.rand(count, 1, 1, 1, generator=draws).to(x.device)
            heavier = weight.flatten() > 0.5
            return weight * a + (1 - weight) * b[deal], torch.where(heavier, named, other[deal])
        if kind == "noise":
            made = synth.smooth_noise((count, *x.shape[1:]), draws).to(x.device)
            return made, (torch.arange(count) % len(self.images.classes)).to(x.device)
        raise Problem(f"no generator {kind!r}: choose from {', '.join(KINDS)}")

    def generating(self, kind: str) -> float:
        """Operations of `generate`, by count: a pass over the pixels' covariances a class, and one
        product an image."""
        pixels = math.prod(self.images.images.shape[1:])
        steps = self.plan.generator_steps * 6 * 128 * 2 * 400 * pixels if kind == "cvae" else 0
        return 2.0 * pixels**2 * (self.plan.labels + self.plan.largest) + steps

    # ---- validate

    def examine(self, kind: str) -> Evidence:
        """What the gates want to know about a made-up set, before a single answer is paid for.

        taught: right answers, in %, of a linear model that learned from the set alone, on real
        images.  closed: how much of the way from uniform noise to real images it goes, in %, by
        energy distance.  auc: membership attack on the set: can the labelled images be told from
        others like them?
        """
        own, real = self._load(f"set-{kind}"), self.images
        x, y = own["images"], own["labels"]
        seen, truth = real.images[self.validation], real.labels[self.validation]
        right = int((_linear(x, y, seen, len(real.classes)) == truth).sum())
        low, high = detect.clopper_pearson(right, len(truth))
        share = 100 * right / len(truth)
        members = torch.cat([torch.ones(len(self.labelled)), torch.zeros(len(seen))]).bool()
        points = torch.cat([real.images[self.labelled], seen]).flatten(1)
        scores = privacy.kernel_density(points, x.flatten(1), 0.1)
        return {
            "taught": [share, 100 * low, 100 * high, 0.95, len(truth), "Clopper-Pearson"],
            "closed": _row(self._closed(x, seen)),
            "auc": _row(area(scores, members.to(scores.device))),
        }

    def _closed(self, made: Tensor, real: Tensor, blocks: int = 10, most: int = 300) -> Interval:
        draws = torch.Generator().manual_seed(self.seed + 2)
        n = min(most, len(made), len(real)) // blocks * blocks
        nothing = synth.uniform_noise((n, *real.shape[1:]), draws).to(real.device)
        pick = torch.randperm(len(made), generator=draws)[:n].to(real.device)
        a, b = real[:n].flatten(1), made[pick].flatten(1)

        def distance(one: Tensor, other: Tensor) -> float:
            m = len(one)
            weights = torch.cat([torch.full((m,), 1 / m), torch.full((m,), -1 / m)])[None]
            return float(detect.energy(detect.distances(torch.cat([one, other])[None]), weights))

        def closed(rows: np.ndarray) -> float:
            keep = torch.from_numpy(rows.ravel()).long().to(a.device)
            return 100 * (1 - distance(a[keep], b[keep]) / distance(a[keep], c[keep]))

        c = nothing.flatten(1)
        table = np.arange(n).reshape(blocks, -1)
        whole, left = closed(table), leave_one_out(closed, table)
        i = paired(list(blocks * whole - (blocks - 1) * left))
        half = (i.high - i.low) / 2
        return Interval(whole, whole - half, whole + half, 0.95, n, "jackknife over blocks")

    # ---- answers

    def answer(self, kind: str, upto: int) -> dict:
        """The teacher's answers to the first `upto` images of a kind, or to the labelled ones."""
        x = (
            self.images.images[self.labelled]
            if kind == LABELLED
            else self._load(f"set-{kind}")["images"][:upto]
        )
        told = train.predict(self.teacher(), x).logits[0].T.contiguous()
        return {"sha256": self._keep(f"answers-{kind}", {"logits": told}), "answers": len(told)}

    # ---- distil and evaluate

    def operations(self, student: str) -> int:
        """Floating-point operations of one answer of a student."""
        shape = tuple(self.images.images.shape[1:])
        return _flops(student, shape, len(self.images.classes))

    def training(self, candidate: Candidate, rung: Rung) -> float:
        """Operations of a look: forward and backward count as three forward passes."""
        return 3.0 * self.operations(candidate.student) * rung.steps * self.plan.batch * rung.inits

    def scoring(self, candidate: Candidate, rung: Rung) -> float:
        """Operations of `evaluate`."""
        return 1.0 * self.operations(candidate.student) * len(self.validation) * rung.inits

    def distil(
        self, name: str, candidates: Sequence[Candidate], rung: Rung, tick: Tick
    ) -> dict[str, str]:
        """Train all candidates of one student as one stack, `inits` networks each; stack by stack.

        Returns:
            The hash of each stack's weights, by student.
        """
        found = {}
        for student in dict.fromkeys(c.student for c in candidates):
            own = [c for c in candidates if c.student == student]
            net = self._train(student, own, rung, tick)
            state = {k: v.detach() for k, v in net.state_dict().items()}
            found[student] = self._keep(f"{name}-{student}", state)
        return found

    def _train(
        self, student: str, candidates: Sequence[Candidate], rung: Rung, tick: Tick
    ) -> nn.Module:
        p, real = self.plan, self.images
        table, soft = [real.images[self.labelled]], [self._load(f"answers-{LABELLED}")["logits"]]
        hard, starts, offset = [real.labels[self.labelled]], {}, len(self.labelled)
        most = {}
        for c in candidates:
            most[c.kind] = max(c.amount, most.get(c.kind, 0))
        for kind, amount in sorted(most.items()):
            if not kind:
                continue
            starts[kind] = offset
            answers = self._load(f"answers-{kind}")["logits"][:amount]
            table.append(self._load(f"set-{kind}")["images"][:amount])
            soft.append(answers)
            hard.append(answers.argmax(1))
            offset += amount
        images, logits = torch.cat(table), torch.cat(soft)
        target = F.one_hot(torch.cat(hard), len(real.classes)).float()
        own = torch.arange(len(self.labelled))
        rows, seeds = [], []
        for c in candidates:
            made = torch.arange(starts[c.kind], starts[c.kind] + c.amount) if c.amount else own[:0]
            rows += [torch.cat([own, made])] * rung.inits
            seeds += [1000 * self.seed + i for i in range(rung.inits)]
        repeat = torch.tensor([rung.inits] * len(candidates))
        t = torch.tensor([c.temperature for c in candidates]).repeat_interleave(repeat)
        alpha = torch.tensor([c.alpha for c in candidates]).repeat_interleave(repeat)
        t, alpha = t.to(images.device), alpha.to(images.device)

        step = itertools.count()

        def objective(out: nets.Output, batch: Tensor) -> Tensor:
            tick()
            if next(step) == rung.steps // 2:
                self.halfway()
            told, wanted = (x[batch].transpose(1, 2) for x in (logits, target))
            return losses.distillation(out.logits, told, wanted, t, alpha)

        net = self._stack(student, seeds)
        order = train.batches(rows, rung.steps, p.batch, seeds)
        recipe = Recipe(rung.steps, p.batch, p.rate, p.decay)
        names = [str(c) for c in candidates for _ in range(rung.inits)]
        train.fit(net, images, order, objective, recipe, seeds=seeds, names=names)
        return net

    def evaluate(self, name: str, candidates: Sequence[Candidate], rung: Rung) -> list[list[float]]:
        """Right answers on the validation images, a share of 1: a row a candidate, a column an
        init, in the order of `candidates`."""
        return self._scores(name, candidates, rung, self.validation)

    def tested(self, name: str, candidates: Sequence[Candidate], rung: Rung) -> list[list[float]]:
        """The same on the test images.  The pipeline looks when everything is decided."""
        return self._scores(name, candidates, rung, self.test)

    def right(self, name: str, candidates: Sequence[Candidate], rung: Rung) -> np.ndarray:
        """How many of a candidate's networks, as a share of 1, are right on each test image.

        Returns:
            Shares, float32 [candidates, images], in the order of `candidates` and `test`.
        """
        rows: dict[Candidate, np.ndarray] = {}
        for own, logits, labels in self._asked(name, candidates, rung, self.test):
            right = (logits.argmax(1) == labels).float().view(len(own), rung.inits, -1).mean(1)
            rows |= dict(zip(own, right.cpu().numpy(), strict=True))
        return np.stack([rows[c] for c in candidates])

    def _scores(
        self, name: str, candidates: Sequence[Candidate], rung: Rung, rows: Tensor
    ) -> list[list[float]]:
        found: dict[Candidate, list[float]] = {}
        for own, logits, labels in self._asked(name, candidates, rung, rows):
            right = evaluate.accuracy(logits, labels).double().view(len(own), -1)
            found |= dict(zip(own, right.tolist(), strict=True))
        return [found[c] for c in candidates]

    def _asked(
        self, name: str, candidates: Sequence[Candidate], rung: Rung, rows: Tensor
    ) -> Iterator[tuple[list[Candidate], Tensor, Tensor]]:
        """Student by student: its candidates, the logits of their networks, the true labels."""
        for student in dict.fromkeys(c.student for c in candidates):
            own = [c for c in candidates if c.student == student]
            net = self._network(f"{name}-{student}", student, len(own) * rung.inits)
            logits = train.predict(net, self.images.images, rows.expand(net.groups, -1)).logits
            yield own, logits, self.images.labels[rows].expand(net.groups, -1)

    # ---- the student's gates, and what is promoted

    def student_evidence(
        self, name: str, candidates: Sequence[Candidate], rung: Rung, chosen: Candidate,
        init: int, plain: str,
    ) -> Evidence:  # fmt: skip
        """What the gates want to know about one network before it serves.

        gain: points of all its trainings over those of the student `plain`, which had the labels
        and nothing else, paired by validation image.  worst: right answers of the network's worst
        class, in %.  leak: membership attack on the network: can the labelled images be told from
        others by how sure it is?
        """
        net = self._one(name, candidates, rung, chosen, [init])
        base = self._network(f"{plain}-{chosen.student}", chosen.student, rung.inits)
        rows = self.validation
        truth = self.images.labels[rows]
        logits = train.predict(net, self.images.images, rows[None]).logits
        right = (logits[0].argmax(0) == truth).double()
        whole = self._one(name, candidates, rung, chosen, range(rung.inits))
        after, before = (
            (train.predict(x, self.images.images, rows.expand(rung.inits, -1)).logits.argmax(1)
             == truth).double().mean(0)
            for x in (whole, base)
        )  # fmt: skip
        gain = paired((100 * (after - before)).tolist())
        each = [(int(right[truth == c].sum()), int((truth == c).sum()), c)
                for c in truth.unique().tolist()]  # fmt: skip
        hits, count, _ = min(each, key=lambda e: (e[0] / e[1], e[2]))
        low, high = detect.clopper_pearson(hits, count)
        asked = torch.cat([self.labelled, rows])
        members = torch.cat([torch.ones(len(self.labelled)), torch.zeros(len(rows))]).bool()
        sure = privacy.confidence(
            train.predict(net, self.images.images, asked[None]).logits, self.images.labels[asked]
        )
        worst = [100 * hits / count, 100 * low, 100 * high, 0.95, count, "Clopper-Pearson"]
        return {"student.gain": _row(gain), "student.worst": worst,
                "student.leak": _row(area(sure[0], members.to(sure.device)))}  # fmt: skip

    def promote(
        self, folder: Path, name: str, candidates: Sequence[Candidate], rung: Rung,
        chosen: Candidate, init: int, card: Mapping[str, object],
    ) -> dict[str, str]:  # fmt: skip
        """Write the network and its card; the card last, so that a card means a whole student."""
        net = nets.extract(self._one(name, candidates, rung, chosen, [init]), 0)
        weights = {k: v.cpu().numpy() for k, v in net.state_dict().items()}
        content = _packed(weights)
        paths.write_atomic(folder / "student.npz", content)
        self.halfway()
        digest = hashlib.sha256(content).hexdigest()
        full = {**card, "weights": {"file": "student.npz", "sha256": digest}}
        text = json.dumps(full, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        paths.write_atomic(folder / "card.json", text)
        return {"sha256": digest, "card": hashlib.sha256(text.encode()).hexdigest()}

    def _one(
        self, name: str, candidates: Sequence[Candidate], rung: Rung, chosen: Candidate,
        inits: Sequence[int],
    ) -> nn.Module:  # fmt: skip
        own = [c for c in candidates if c.student == chosen.student]
        net = self._network(f"{name}-{chosen.student}", chosen.student, len(own) * rung.inits)
        first = own.index(chosen) * rung.inits
        return nets.take(net, [first + i for i in inits], len(inits))

    # ---- files

    def _stack(self, student: str, seeds: list[int]) -> nn.Module:
        shape = tuple(self.images.images.shape[1:])
        try:
            net = nets.build(student, shape, len(self.images.classes), seeds, len(seeds))
        except ValueError as error:
            raise Problem(str(error)) from None
        return net.to(self.images.images.device)

    def _network(self, name: str, student: str, count: int) -> nn.Module:
        net = self._stack(student, [0] * count)
        net.load_state_dict(self._load(name))
        return net.eval()

    def _keep(self, name: str, tensors: Mapping[str, Tensor]) -> str:
        arrays = {k: v.detach().cpu().numpy() for k, v in tensors.items()}
        if self.folder is None:
            self._memory[name] = arrays
            return ""
        content = _packed(arrays)
        digest = hashlib.sha256(content).hexdigest()
        # Killed between the two, the step is done again and writes both.
        paths.write_atomic(self.folder / f"{name}.npz", content)
        paths.write_atomic(self.folder / f"{name}.sha256", f"{digest}  {name}.npz\n")
        return digest

    def _load(self, name: str) -> dict[str, Tensor]:
        if self.folder is None:
            arrays: Mapping[str, np.ndarray] = self._memory[name]
        else:
            path = self.folder / f"{name}.npz"
            try:
                content, kept = path.read_bytes(), path.with_suffix(".sha256").read_bytes()
            except OSError as error:
                raise Problem(
                    f"{error.filename}: cannot be read ({error.strerror}): "
                    "put the file back as it was, or start a new run"
                ) from None
            if kept != f"{hashlib.sha256(content).hexdigest()}  {path.name}\n".encode():
                raise Problem(
                    f"{path}: not the file that this run wrote (its sha256 is not the one in "
                    f"{name}.sha256): put it back as it was, or start a new run"
                )
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                arrays = dict(stored)
        device = self.images.images.device
        return {k: torch.from_numpy(np.array(v)).to(device) for k, v in arrays.items()}


@cache
def _flops(student: str, shape: tuple[int, ...], classes: int) -> int:
    try:
        net = nets.extract(nets.build(student, shape, classes, [0]), 0)  # type: ignore[arg-type]
    except ValueError as error:
        raise Problem(str(error)) from None
    return cost.anatomy(net, torch.zeros(1, *shape)).flops


def _packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _linear(x: Tensor, y: Tensor, asked: Tensor, classes: int, ridge: float = 1.0) -> Tensor:
    """Answers of ridge regression on one-hot labels: a model that is fitted in one solve."""
    wide = F.pad(x.flatten(1).double(), (0, 1), value=1.0)
    normal = wide.T @ wide + ridge * torch.eye(wide.shape[1], dtype=wide.dtype, device=x.device)
    slope = torch.linalg.solve(normal, wide.T @ F.one_hot(y, classes).double())
    return (F.pad(asked.flatten(1).double(), (0, 1), value=1.0) @ slope).argmax(1)


def area(scores: Tensor, member: Tensor, level: float = 0.95) -> Interval:
    """The area under the ROC curve of one attack with Hanley and McNeil's (1982) interval."""
    value = float(privacy.auc(scores[None].double(), member[None])[0])
    m, n = int(member.sum()), int((~member).sum())
    a, b = value / (2 - value), 2 * value**2 / (1 + value)
    square = value * (1 - value) + (m - 1) * (a - value**2) + (n - 1) * (b - value**2)
    half = float(ndtri((1 + level) / 2)) * math.sqrt(max(square, 0.0) / (m * n))
    low, high = max(0.0, value - half), min(1.0, value + half)
    return Interval(value, low, high, level, m, "Hanley-McNeil")


def _row(i: Interval) -> list:
    return [i.value, i.low, i.high, i.level, i.n, i.method]
