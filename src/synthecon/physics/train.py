"""One loop that trains a stack of students on data that never leaves the device.

Three habits make it fast, and `synthecon bench` measures what each is worth: images are one
resident tensor and a batch is an index; the teacher's logits are computed once; and all students
of a group read the same batch in the same tensor operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from synthecon.physics.losses import attention_map
from synthecon.physics.nets import Output

Loss = Callable[[Output, Tensor], Tensor]
"""(forward pass, rows [G, B] of the image table) -> one loss a student, [K]."""
Disturb = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(stack, batch [G, B, C, H, W], its rows [G, B]) -> the batch to train on, of the same shape."""


class DivergedError(RuntimeError):
    """A student's loss stopped being a number."""


@dataclass(frozen=True)
class Recipe:
    """How long and how hard to train.  `lr` falls to zero along a cosine after a short ramp."""

    steps: int = 1000
    batch: int = 64
    lr: float = 5e-3
    weight_decay: float = 1e-3  # decoupled (AdamW); `fit` also takes one value a student
    warmup: int = 20
    shift: int = 0  # random shifts of up to this many pixels
    flip: bool = False  # random left-right flips

    def rate(self, step: int) -> float:
        ramp = min(1.0, (step + 1) / max(1, self.warmup))
        cosine = 0.5 * (1 + torch.cos(torch.tensor(torch.pi * step / self.steps)).item())
        return self.lr * ramp * cosine


@dataclass
class History:
    """Mean loss a student since the last checkpoint, and what `watch` returned there."""

    steps: list[int] = field(default_factory=list)
    loss: list[Tensor] = field(default_factory=list)
    watched: list[object] = field(default_factory=list)


def pick_device(name: str = "auto") -> torch.device:
    """`auto` takes CUDA when there is one; `cpu`, `cuda` or `cuda:1` force a choice.

    Raises:
        ValueError: an unknown name, or CUDA was asked for and this machine has none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.split(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f"device={name!r}: choose cpu, cuda, cuda:1 or auto")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"device={name!r}, but this torch ({torch.__version__}) sees no CUDA device: "
            "use device='cpu' or 'auto', or install a CUDA build of torch"
        )
    return torch.device(name)


def batches(rows: Sequence[Tensor], steps: int, batch: int, seeds: Sequence[int]) -> Tensor:
    """The order in which each group sees its rows: [steps, G, B], int64, on the CPU.

    Whole shuffles of `rows[g]` are laid end to end, so every row is seen equally often to within
    one, also where a group has fewer rows than a batch.  Group g depends on `seeds[g]` alone.
    """
    columns = []
    for own, seed in zip(rows, seeds, strict=True):
        if len(own) == 0:
            raise ValueError("a group without a single image cannot be trained on")
        generator = torch.Generator().manual_seed(seed)
        shuffles = -(-steps * batch // len(own))
        order = [torch.randperm(len(own), generator=generator) for _ in range(shuffles)]
        columns.append(own.cpu()[torch.cat(order)[: steps * batch]].view(steps, batch))
    return torch.stack(columns, 1)


def augment(images: Tensor, draws: Tensor, shift: int, flip: bool) -> Tensor:
    """Shift by −shift…shift pixels (zeros enter) and flip: images [G, B, C, H, W].

    `draws` [G, B, 3] are uniform numbers in [0, 1): down, right, flip.
    """
    height, width = images.shape[-2:]
    x = images.flatten(0, 1)
    u = draws.flatten(0, 1)
    step = (u[:, :2] * (2 * shift + 1)).long()
    rows = step[:, :1] + torch.arange(height, device=x.device)
    columns = step[:, 1:] + torch.arange(width, device=x.device)
    if flip:
        columns = torch.where(u[:, 2:] < 0.5, columns.flip(1), columns)
    padded = F.pad(x, (shift,) * 4)
    picked = padded[
        torch.arange(len(x), device=x.device)[:, None, None],
        :,
        rows[:, :, None],
        columns[:, None, :],
    ]
    return picked.permute(0, 3, 1, 2).view_as(images)


def fit(
    net: nn.Module,
    images: Tensor,
    order: Tensor,
    loss: Loss,
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    weight_decay: Tensor | None = None,
    extra: Sequence[nn.Parameter] = (),
    disturb: Disturb | None = None,
    watch: Callable[[nn.Module], object] | None = None,
    every: int = 0,
    names: Sequence[str] = (),
) -> History:
    """Train every student of the stack at once, in place.

    Args:
        net: a stack from `nets.build`, on the device of `images`.
        images: the image table [N, C, H, W], resident.
        order: rows a step, [steps, G, B], from `batches`.
        loss: one value a student; the sum is differentiated, so students never mix.
        recipe: learning rate, schedule, augmentation; its `steps` must match `order`.
        seeds: one a group, for augmentation.
        weight_decay: one a student [K], in place of the recipe's.
        extra: parameters that belong to the loss (FitNets' regressor), trained along.
        disturb: changes each batch once it is gathered and augmented (noise, an attack).
        watch, every: call `watch(net)` every so many steps and at the end; kept in the history.
        names: what to call student k in an error.

    Raises:
        DivergedError: a loss is not finite; names the students.  Checked every 25 steps.
        ValueError: `order` and `recipe` or `net` disagree.
    """
    device, students = images.device, net.groups * net.arms
    if order.shape[:2] != (recipe.steps, net.groups):
        raise ValueError(f"order {tuple(order.shape)} is not [{recipe.steps}, {net.groups}, batch]")
    parameters = [*net.parameters(), *extra]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=0.0, fused=True)
    decay = torch.as_tensor(recipe.weight_decay if weight_decay is None else weight_decay)
    decay = decay.to(device).expand(students)
    draws = [torch.Generator().manual_seed(7 + seed) for seed in seeds]
    order = order.to(device)
    precision = _precision(device)
    history, total = History(), torch.zeros(students, device=device)
    net.train()
    for step in range(recipe.steps):
        rows = order[step]
        x = images[rows]
        if recipe.shift or recipe.flip:
            u = torch.stack([torch.rand(rows.shape[1], 3, generator=g) for g in draws])
            x = augment(x, u.to(device), recipe.shift, recipe.flip)
        if disturb:
            x = disturb(net, x, rows)
        with precision:
            out = net(x)
        each = loss(_float(out), rows)
        optimizer.zero_grad(set_to_none=True)
        each.sum().backward()
        rate = recipe.rate(step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        _decay(net, decay, rate)  # before the step, as AdamW does
        optimizer.step()
        total += each.detach()
        checkpoint = every and ((step + 1) % every == 0 or step + 1 == recipe.steps)
        if checkpoint or step % 25 == 0 or step + 1 == recipe.steps:
            _check(total, step, names)
        if checkpoint:
            history.steps.append(step + 1)
            history.loss.append(total / (step + 1 - sum(history.steps[-2:-1])))
            total = torch.zeros_like(total)
            if watch:
                history.watched.append(watch(net))
                net.train()
    net.eval()
    return history


def _precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 on CUDA, float32 elsewhere."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def _float(out: Output) -> Output:
    """Losses are computed in float32 even where the forward pass ran in bfloat16."""
    if out.logits.dtype == torch.float32:
        return out
    return Output(out.logits.float(), out.hidden.float(), tuple(m.float() for m in out.maps))


@torch.no_grad()
def _decay(net: nn.Module, decay: Tensor, rate: float) -> None:
    """Decoupled weight decay with a strength of its own for each student; biases are spared."""
    for name, p in net.named_parameters():
        if name.endswith("weight") and p.dim() > 2:
            p.mul_((1 - rate * decay).view(-1, *[1] * (p.dim() - 1)))


def _check(total: Tensor, step: int, names: Sequence[str]) -> None:
    bad = (~torch.isfinite(total)).nonzero().flatten().tolist()
    if bad:
        who = ", ".join(names[k] if k < len(names) else f"student {k}" for k in bad[:5])
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise DivergedError(
            f"loss is not finite by step {step + 1} for {who}{more}: "
            "lower lr or temperature, or look for NaN in the images or teacher logits"
        )


@torch.no_grad()
def predict(
    net: nn.Module, images: Tensor, rows: Tensor | None = None, chunk: int = 1024
) -> Output:
    """Run the stack over the table without gradients, in float32 on every device.

    Args:
        images: [N, C, H, W]; every group sees all of it, or its own `rows` [G, M].

    Returns:
        Output with logits [K, classes, M], hidden [K, F, M] and the last map's attention as the
        only map, [K, H·W, M] (none for an MLP).
    """
    net.eval()
    if rows is None:
        rows = torch.arange(len(images), device=images.device).expand(net.groups, -1)
    logits, hidden, maps = [], [], []
    for part in rows.to(images.device).split(chunk, dim=1):
        out = net(images[part])
        logits.append(out.logits)
        hidden.append(out.hidden)
        maps += [attention_map(out.maps[-1])] if out.maps else []
    attention = (torch.cat(maps, 2),) if maps else ()
    return Output(torch.cat(logits, 2), torch.cat(hidden, 2), attention)
