"""What the training engine's habits are worth, measured against the textbook loop in one race.

The textbook loop reads batches from a DataLoader, asks the teacher at every step, and trains one
student after another with plain PyTorch modules.  Each rung below removes one of these habits.
Times are seconds a student and step; every ratio pairs rounds of the same race.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from synthecon.physics import cost, data, detect, losses, nets, train
from synthecon.physics.train import Recipe

TEMPERATURE, ALPHA = 4.0, 0.9


@dataclass(frozen=True)
class Case:
    """One comparison: data set, networks, students in the stack, images a step and target ratio."""

    title: str
    dataset: str
    shape: tuple[int, int, int]
    teacher: str
    student: str
    students: int
    batch: int
    steps: int
    wanted: float


CASES = (
    Case("digits, MLP", "digits", (1, 8, 8), "cnn-32", "mlp-16", 32, 64, 15, 30),
    Case("Fashion-MNIST, MLP", "fashion-mnist", (1, 28, 28), "cnn-90", "mlp-32", 32, 128, 10, 50),
    Case("Fashion-MNIST, CNN", "fashion-mnist", (1, 28, 28), "cnn-90", "cnn-8", 8, 128, 10, 10),
)


def _images(case: Case) -> tuple[Tensor, Tensor, str]:
    """One epoch of images and labels; noise of the same shape where the data is not at hand, which
    costs the same time."""
    count = case.batch * case.steps
    if data.fingerprint(case.dataset) is not None:
        found = data.load(case.dataset)
        return found.images[:count].contiguous(), found.labels[:count], "real images"
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, *case.shape, generator=generator)
    return images, torch.randint(10, (count,), generator=generator), "noise of the same shape"


def contenders(case: Case, images: Tensor, labels: Tensor) -> dict[str, tuple[Callable, int]]:
    """Each rung's one epoch of training, and how many students it trains."""
    teacher = nets.extract(nets.build(case.teacher, case.shape, 10, [0]), 0)
    hard = F.one_hot(labels, 10).float()
    rows = torch.arange(len(images))
    recipe = Recipe(case.steps, case.batch, 1e-3, weight_decay=0.0, warmup=1)

    def plain() -> tuple[nn.Module, torch.optim.Optimizer]:
        student = nets.extract(nets.build(case.student, case.shape, 10, [1]), 0).train()
        return student, torch.optim.AdamW(
            student.parameters(), lr=1e-3, weight_decay=0.0, fused=True
        )

    def step(student: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, t: Tensor):
        z = student(x)
        soft = F.kl_div(
            (z / TEMPERATURE).log_softmax(1), (t / TEMPERATURE).softmax(1), reduction="batchmean"
        )
        loss = (1 - ALPHA) * F.cross_entropy(z, y) + ALPHA * TEMPERATURE**2 * soft
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def ask(x: Tensor) -> Tensor:
        with torch.no_grad():
            return teacher(x)

    loader = DataLoader(TensorDataset(images, labels), batch_size=case.batch, shuffle=True)

    def textbook() -> None:
        student, optimizer = plain()
        for x, y in loader:
            step(student, optimizer, x, y, ask(x))

    def resident() -> None:
        student, optimizer = plain()
        for own in torch.randperm(len(images)).split(case.batch):
            step(student, optimizer, images[own], labels[own], ask(images[own]))

    answers = ask(images)

    def cached() -> None:
        student, optimizer = plain()
        for own in torch.randperm(len(images)).split(case.batch):
            step(student, optimizer, images[own], labels[own], answers[own])

    def stacked(groups: int) -> Callable[[], None]:
        def one_epoch() -> None:
            net = nets.build(case.student, case.shape, 10, list(range(case.students)), groups)
            order = train.batches([rows] * groups, case.steps, case.batch, range(groups))
            arms = case.students // groups

            def loss(out: nets.Output, batch: Tensor) -> Tensor:
                t, y = (
                    table[batch].transpose(1, 2).repeat_interleave(arms, 0)
                    for table in (answers, hard)
                )
                return losses.distillation(out.logits, t, y, TEMPERATURE, ALPHA)

            train.fit(net, images, order, loss, recipe, seeds=range(groups))

        return one_epoch

    return {
        "textbook loop": (textbook, 1),
        "data resident": (resident, 1),
        "+ teacher asked once": (cached, 1),
        f"+ {case.students} students in a stack": (stacked(case.students), case.students),
        "+ one batch for all of them": (stacked(1), case.students),
    }


def measure(case: Case, rounds: int, progress: Callable[[], None]) -> list[str]:
    """The case's table, a line each."""
    images, labels, what = _images(case)
    rungs = contenders(case, images, labels)

    def counted(call: Callable[[], None]) -> Callable[[], None]:
        def one() -> None:
            call()
            progress()

        return one

    with cost.threads(1):
        times = cost.race(
            {name: counted(call) for name, (call, _) in rungs.items()},
            rounds=rounds,
            min_seconds=0.15,
        )
    each = {
        name: [t / (students * case.steps) for t in times[name]]
        for name, (_, students) in rungs.items()
    }
    lines = [
        f"{case.title}: student {case.student}, teacher {case.teacher}, batch {case.batch}, {what}"
    ]
    for name, row in each.items():
        ratio = cost.ratio(each["textbook loop"], row)
        median = 1e6 * sorted(row)[len(row) // 2]
        span = f"[{ratio.low:.3g}, {ratio.high:.3g}]"
        lines.append(f"  {name:30s} {median:9.1f} µs a student-step {ratio.value:7.3g}x  {span}")
    met = ratio.low >= case.wanted  # of the last rung: all habits together
    lines.append(f"  wanted at least {case.wanted:g}x: {'met' if met else 'MISSED'}")
    return lines


def textbook_mmd(x: Tensor, y: Tensor, permutations: int, generator: torch.Generator) -> float:
    """A permutation test of the MMD as it is usually written: one shuffle after another."""
    pooled, m = torch.cat([x, y]), len(x)
    distance = torch.cdist(pooled, pooled)
    scale = detect.bandwidth(distance[None])[0]
    kernel = (-0.5 * (distance / scale) ** 2).exp()

    def gap(order: Tensor) -> Tensor:
        a, b = order[:m], order[m:]
        return kernel[a][:, a].mean() + kernel[b][:, b].mean() - 2 * kernel[a][:, b].mean()

    true = gap(torch.arange(len(pooled)))
    shuffles = (torch.randperm(len(pooled), generator=generator) for _ in range(permutations))
    return (1 + sum(int(gap(order) >= true) for order in shuffles)) / (permutations + 1)


def permutation_lines(rounds: int, m: int = 400, d: int = 64, permutations: int = 500) -> list[str]:
    """The permutation MMD as one matrix product against the textbook loop: 2m rows of d numbers."""
    x, y = torch.randn(2, m, d, generator=torch.Generator().manual_seed(0))

    def product() -> None:
        weights = detect.assignments(m, m, permutations, torch.Generator().manual_seed(1))
        distance = detect.distances(torch.cat([x, y])[None])
        detect.permutation_pvalue(detect.mmd(distance, weights)).item()

    def loop() -> None:
        textbook_mmd(x, y, permutations, torch.Generator().manual_seed(1))

    with cost.threads(1):
        times = cost.race(
            {"textbook loop": loop, "one matrix product": product}, rounds=rounds, min_seconds=0.1
        )
    lines = [f"permutation MMD: n = {2 * m}, d = {d}, {permutations} permutations"]
    for name, row in times.items():
        ratio = cost.ratio(times["textbook loop"], row)
        median = sorted(row)[len(row) // 2]
        span = f"[{ratio.low:.3g}, {ratio.high:.3g}]"
        lines.append(f"  {name:30s} {1000 * median:9.1f} ms a test {ratio.value:7.3g}x  {span}")
    met = max(times["one matrix product"]) < 1
    lines.append(f"  wanted under a second: {'met' if met else 'MISSED'}")
    return lines


def finance_lines(rounds: int, scenarios: int = 100_000, sample: int = 16) -> list[str]:
    """The cash model of lesson 2: 36 months of every item, for each scenario."""
    from synthecon import paths
    from synthecon.economics import bench, model

    ways = bench.contenders(paths.root() / "case", scenarios, sample)
    with cost.threads(1):
        times = cost.race(
            {name: call for name, (call, _) in ways.items()}, rounds=rounds, min_seconds=0.1
        )
    each = {name: [t / ways[name][1] for t in row] for name, row in times.items()}
    lines = [f"net present value: {scenarios:,} scenarios of {model.MONTHS} months"]
    for name, row in each.items():
        ratio = cost.ratio(each[bench.LOOP], row)
        median = 1e6 * sorted(row)[len(row) // 2]
        span = f"[{ratio.low:.3g}, {ratio.high:.3g}]"
        lines.append(f"  {name:40s} {median:9.1f} µs a scenario {ratio.value:7.3g}x  {span}")
    seconds = sorted(times[bench.MATRICES])[rounds // 2]
    return [*lines, f"  all scenarios drawn and valued in {seconds:.2f} s"]


def main(argv: Sequence[str] | None = None) -> int:
    """Print one table a case."""
    parser = argparse.ArgumentParser(prog="python -m synthecon bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the race (7)")
    parser.add_argument(
        "--finance", action="store_true", help="time the cash model of lesson 2 instead"
    )
    options = parser.parse_args(argv)
    if options.rounds < 2:
        parser.error("--rounds must be at least 2, or there is no interval")
    if options.finance:
        print("one CPU thread; ratio to the loop, 95 % interval")
        print("\n".join(finance_lines(options.rounds)))
        return 0
    print(f"one CPU thread, torch {torch.__version__}; ratio to the textbook loop, 95 % interval")
    for case in CASES:
        with tqdm(desc=case.title, disable=not sys.stderr.isatty(), leave=False) as bar:
            lines = measure(case, options.rounds, bar.update)
        print("\n".join(lines), flush=True)
    print("\n".join(permutation_lines(options.rounds)), flush=True)
    return 0
