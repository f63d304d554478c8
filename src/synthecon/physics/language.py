"""Small language models over characters, and four ways to distil one.

As in `nets`, every network is a stack of K students in one batch of tensor operations: tokens are
[K, B, L], logits [K, B, S, V] for the last S places, and nothing crosses the student axis.
Students are ordered group by group (a group is a split with its own teacher), then by first
weights, then by arm: K = G × I × A.

What a student learns from: the text itself; the teacher's distribution at each place of the text
(Hinton et al. 2015); text that the teacher wrote (sequence-level distillation, Kim and Rush 2016);
or the teacher's opinion of what the *student* wrote (on-policy distillation, Agarwal et al. 2024).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from synthecon.physics import text
from synthecon.physics.train import DivergedError, Recipe

SLOPE = 0.1  # LeakyReLU, as in nets
Part = Literal["train", "validation", "test"]
HEAD = 32  # channels of an attention head

# ---- networks


def _normal(shape: tuple[int, ...], spread: float, seeds: Sequence[int], salt: int) -> nn.Parameter:
    """Normal weights, student k drawn from its own seed: neighbours never matter."""
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed * 1009 + salt)
        rows.append(spread * torch.randn(shape, generator=generator))
    return nn.Parameter(torch.stack(rows))


class _Affine(nn.Module):
    """K affine maps: [K, N, inputs] -> [K, N, outputs]."""

    def __init__(self, inputs: int, outputs: int, seeds: Sequence[int], salt: int) -> None:
        super().__init__()
        self.weight = _normal((inputs, outputs), inputs**-0.5, seeds, salt)
        self.bias = nn.Parameter(torch.zeros(len(seeds), 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class _Embedding(nn.Module):
    """K tables: tokens [K, ...] -> [K, ..., width]."""

    def __init__(self, rows: int, width: int, seeds: Sequence[int], salt: int) -> None:
        super().__init__()
        self.rows = rows
        self.weight = _normal((rows, width), width**-0.5, seeds, salt)

    def forward(self, tokens: Tensor) -> Tensor:
        own = self.rows * torch.arange(len(tokens), device=tokens.device)
        own = own.view(-1, *[1] * (tokens.dim() - 1))
        return F.embedding(tokens + own, self.weight.flatten(0, 1))


class MLP(nn.Module):
    """`mlp-C-D-H`: the last C characters, D numbers each, through H units (Bengio et al. 2003)."""

    def __init__(self, window: int, width: int, hidden: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.window, self.students = window, len(seeds)
        self.embedding = _Embedding(len(text.ALPHABET), width, seeds, 0)
        self.inner = _Affine(window * width, hidden, seeds, 1)
        self.head = _Affine(hidden, len(text.ALPHABET), seeds, 2)

    def forward(self, tokens: Tensor, last: int) -> Tensor:
        """Logits [K, B, last, V] of the character after each of the last places of [K, B, L]."""
        seen = tokens[..., -(self.window + last - 1) :].unfold(-1, self.window, 1)
        if seen.shape[-2] < last:
            raise ValueError(f"{last} places need {self.window + last - 1} characters each")
        x = F.leaky_relu(self.inner(self.embedding(seen.flatten(1, 2)).flatten(2)), SLOPE)
        return self.head(x).view(self.students, tokens.shape[1], last, -1)


class _Norm(nn.Module):
    """K layer norms over the last axis of [K, N, width]."""

    def __init__(self, width: int, students: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(students, 1, width))
        self.bias = nn.Parameter(torch.zeros(students, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:]) * self.scale + self.bias


class _Block(nn.Module):
    """Attention to what came before, then an MLP at each place; each beside a skip."""

    def __init__(self, width: int, seeds: Sequence[int], salt: int) -> None:
        super().__init__()
        self.heads = max(1, width // HEAD)
        if width % self.heads:
            raise ValueError(f"width {width} does not divide into {self.heads} heads")
        self.norm1, self.norm2 = _Norm(width, len(seeds)), _Norm(width, len(seeds))
        self.attend = _Affine(width, 3 * width, seeds, salt)
        self.join = _Affine(width, width, seeds, salt + 1)
        self.up = _Affine(width, 4 * width, seeds, salt + 2)
        self.down = _Affine(4 * width, width, seeds, salt + 3)

    def forward(self, x: Tensor, length: int) -> Tensor:
        """[K, B·L, D] -> the same."""
        students, places, width = x.shape
        parts = self.attend(self.norm1(x)).view(-1, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # [K·B, heads, L, D / heads] each
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.join(seen.transpose(1, 2).reshape(students, places, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """`transformer-L-D-N`: a causal transformer of N blocks and width D that reads L characters.

    Pre-norm, learned places, GELU (Radford et al. 2019, in small).
    """

    def __init__(self, window: int, width: int, blocks: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.window, self.students = window, len(seeds)
        self.embedding = _Embedding(len(text.ALPHABET), width, seeds, 0)
        self.places = _Embedding(window, width, seeds, 1)
        self.blocks = nn.ModuleList(_Block(width, seeds, 10 + 4 * b) for b in range(blocks))
        self.norm = _Norm(width, len(seeds))
        self.head = _Affine(width, len(text.ALPHABET), seeds, 2)

    def forward(self, tokens: Tensor, last: int) -> Tensor:
        """Logits [K, B, last, V] of the character after each of the last places of [K, B, L]."""
        students, batch, length = tokens.shape
        if not last <= length <= self.window:
            raise ValueError(f"{last} of {length} places, but the window is {self.window}")
        place = torch.arange(length, device=tokens.device).expand(students, 1, -1)
        x = (self.embedding(tokens) + self.places(place)).flatten(1, 2)
        for block in self.blocks:
            x = block(x, length)
        x = x.view(students, batch, length, -1)[:, :, -last:].flatten(1, 2)
        return self.head(self.norm(x)).view(students, batch, last, -1)


def build(name: str, seeds: Sequence[int]) -> nn.Module:
    """A stack of `len(seeds)` networks; equal seeds give equal first weights.

    Args:
        name: `mlp-C-D-H` or `transformer-L-D-N`.

    Raises:
        ValueError: an unknown name, or no seeds.
    """
    kind, *numbers = name.split("-")
    sizes = [int(n) for n in numbers if n.isdigit() and int(n) > 0]
    kinds: Mapping[str, Callable[..., nn.Module]] = {"mlp": MLP, "transformer": Transformer}
    if kind not in kinds or len(sizes) != 3 or len(numbers) != 3 or not seeds:
        raise ValueError(f"network {name!r} with {len(seeds)} seeds: write mlp-4-8-16 or so")
    net = kinds[kind](*sizes, seeds)
    net.name = name
    return net


def take(net: nn.Module, students: Sequence[int]) -> nn.Module:
    """Some students of a stack, in this order, as a stack of their own on the same device."""
    part = build(net.name, [0] * len(students))
    state = {key: value[list(students)] for key, value in net.state_dict().items()}
    part.load_state_dict(state)
    return part.to(next(net.parameters()).device).eval()


def parameters(net: nn.Module) -> int:
    """Trainable numbers of one student of the stack."""
    return sum(p.numel() for p in net.parameters()) // net.students


# ---- divergences: [..., V] logits of student and teacher -> [...] nats a character


def forward_kl(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """T²·KL(teacher ‖ student) of the distributions softened at T: covers all that the teacher
    might say (Hinton et al. 2015; the factor keeps the gradient's size)."""
    p, q = (F.log_softmax(z / temperature, -1) for z in (teacher, student))
    return temperature**2 * (p.exp() * (p - q)).sum(-1)


def reverse_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(student ‖ teacher): shuns all that the teacher would not say."""
    p, q = F.log_softmax(teacher, -1), F.log_softmax(student, -1)
    return (q.exp() * (q - p)).sum(-1)


def jsd(student: Tensor, teacher: Tensor, beta: float = 0.5) -> Tensor:
    """Generalised Jensen–Shannon divergence, Agarwal et al. (2024, eq. 1):

        β·KL(teacher ‖ m) + (1 − β)·KL(student ‖ m),  m = β·teacher + (1 − β)·student

    Near β = 0 it behaves like the forward KL times β, near 1 like the reverse KL times 1 − β.
    β = ½ is symmetric and at most log 2.

    Raises:
        ValueError: β outside (0, 1).
    """
    if not 0 < beta < 1:
        raise ValueError(f"beta={beta}: must lie between 0 and 1")
    p, q = F.log_softmax(teacher, -1), F.log_softmax(student, -1)
    m = torch.logaddexp(p + math.log(beta), q + math.log(1 - beta))
    to_teacher, to_student = (p.exp() * (p - m)).sum(-1), (q.exp() * (q - m)).sum(-1)
    return beta * to_teacher + (1 - beta) * to_student


def surprise(logits: Tensor, tokens: Tensor) -> Tensor:
    """−log p of the characters that came, nats: [..., V] and int64 [...] -> [...]."""
    return -F.log_softmax(logits, -1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


# ---- text in and out


@dataclass(frozen=True, eq=False)
class Group:
    """One split of the corpus.  int64 [N] characters each, topic after topic."""

    seed: int
    train: Tensor
    validation: Tensor
    test: Tensor


def make_groups(
    corpus: text.Corpus,
    seeds: Sequence[int],
    *,
    validation: float,
    test: float,
    device: torch.device | str = "cpu",
) -> tuple[Group, ...]:
    """One split by topic a seed; `validation` and `test` are shares of the characters."""
    groups = []
    for seed in seeds:
        parts = text.split(corpus, seed, validation, test)
        train, held, last = (
            text.encode("\n\n".join(corpus.topics[t] for t in names)).to(device)
            for names in (parts.train, parts.validation, parts.test)
        )
        groups.append(Group(seed, train, held, last))
    return tuple(groups)


def cut(texts: Sequence[Tensor], starts: Tensor, length: int) -> Tensor:
    """Pieces of each group's text: starts int64 [G, B] -> [G, B, length]."""
    places = starts.unsqueeze(-1) + torch.arange(length)
    return torch.stack([t[p.to(t.device)] for t, p in zip(texts, places, strict=True)])


def starts(texts: Sequence[Tensor], count: int, length: int, seeds: Sequence[int]) -> Tensor:
    """Where to cut `count` random pieces of `length` out of each text, [G, count], on the CPU.

    Group g depends on its own text and seed alone.

    Raises:
        ValueError: a text that is shorter than a piece.
    """
    rows = []
    for own, seed in zip(texts, seeds, strict=True):
        if len(own) < length:
            raise ValueError(f"a text of {len(own)} characters has no piece of {length}")
        generator = torch.Generator().manual_seed(seed)
        rows.append(torch.randint(len(own) - length + 1, (count,), generator=generator))
    return torch.stack(rows)


@torch.no_grad()
def sample(
    net: nn.Module, prompts: Tensor, length: int, uniform: Tensor, temperature: float = 1.0
) -> Tensor:
    """Let each student go on writing: [K, B, P] -> [K, B, P + length].

    Each new character is drawn from softmax(z / T) by inverting its distribution function at a
    uniform number, so that equal numbers pair students.  The window is read anew at every
    character; nothing is cached.

    Args:
        prompts: at least as long as the window of an MLP.
        uniform: numbers in [0, 1), [K, B, length], on the device of the prompts.
        temperature: 1 is the model's own distribution.
    """
    tokens = torch.cat([prompts, prompts.new_empty(*prompts.shape[:2], length)], -1)
    for step in range(length):
        end = prompts.shape[-1] + step
        logits = net(tokens[..., max(0, end - net.window) : end], 1)[..., 0, :]
        below = F.softmax(logits.float() / temperature, -1).cumsum(-1)
        drawn = (below < (uniform[..., step] * below[..., -1]).unsqueeze(-1)).sum(-1)
        tokens[..., end] = drawn.clamp_(max=below.shape[-1] - 1)
    return tokens


def uniform(groups: Sequence[Group], shape: tuple[int, ...], salt: int, copies: int = 1) -> Tensor:
    """Uniform numbers [G·copies, *shape], each group's from its own seed, on its device."""
    rows = []
    for group in groups:
        generator = torch.Generator().manual_seed(group.seed * 7919 + salt)
        rows.append(torch.rand(shape, generator=generator).to(group.train.device))
    return torch.stack(rows).repeat_interleave(copies, 0)


def score(net: nn.Module, tokens: Tensor, last: int) -> Tensor:
    """Logits of a stack for the last characters of [K', B, L], where K' is a multiple of its K.

    A teacher of each group scores the text of all the group's students: [K', B, last, V], the
    distribution that each of the last `last` characters was drawn from.
    """
    wide = tokens.view(net.students, -1, tokens.shape[-1])
    return net(wide[..., :-1], last).view(*tokens.shape[:2], last, -1)


# ---- training


def _optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    matrices = [p for p in net.parameters() if p.shape[1] > 1]
    rest = [p for p in net.parameters() if p.shape[1] == 1]  # biases and norms do not decay
    parts = [{"params": matrices}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(parts, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)


def fit(
    net: nn.Module,
    recipe: Recipe,
    losses: Callable[[int], Tensor],
    *,
    watch: Callable[[], Tensor] | None = None,
    every: int = 0,
) -> None:
    """Train a stack in place; `losses(step)` returns one loss a student, [K].

    With `watch`, which returns one number a student, each student ends with the weights that had
    the smallest of the numbers seen every `every` steps and at the end.

    Raises:
        DivergedError: a loss is not finite; names the students.
    """
    optimizer = _optimizer(net, recipe)
    best: Tensor | None = None
    kept: dict[str, Tensor] = {}
    net.train()
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step)
        each = losses(step)
        optimizer.zero_grad(set_to_none=True)
        each.sum().backward()
        optimizer.step()
        final = step + 1 == recipe.steps
        if (final or step % 25 == 0) and not bool(torch.isfinite(each).all()):
            bad = (~torch.isfinite(each)).nonzero().flatten().tolist()
            raise DivergedError(f"loss is not finite at step {step + 1} for students {bad}")
        if watch and (final or (every and (step + 1) % every == 0)):
            with torch.no_grad():
                now = watch()
                better = torch.ones_like(now, dtype=torch.bool) if best is None else now < best
                best = now if best is None else torch.minimum(now, best)
                for key, value in net.state_dict().items():
                    mask = better.view(-1, *[1] * (value.dim() - 1))
                    kept[key] = torch.where(mask, value, kept.get(key, value))
    if kept:
        net.load_state_dict(kept)
    net.eval()


def precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 for the networks on CUDA, float32 elsewhere; losses are float32 everywhere."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def logits(net: nn.Module, tokens: Tensor, last: int) -> Tensor:
    """`score` in the device's precision, returned as float32."""
    with precision(tokens.device):
        return score(net, tokens, last).float()


@torch.no_grad()
def held_out(
    net: nn.Module, texts: Sequence[Tensor], lead: int, span: int, most: int = 0
) -> Tensor:
    """Mean surprise of each student on its group's text, nats a character, [K].

    The text is cut into pieces of `span` characters; each is scored with the `lead` characters
    before it.  Every model is given the same lead, whatever its own window.

    Args:
        most: use this many evenly spaced pieces only; 0 takes all of the shortest text's.
    """
    count = min((len(t) - lead) // span for t in texts)
    if count < 1:
        raise ValueError(f"a text is shorter than lead + span = {lead + span} characters")
    pieces = torch.arange(count)
    if 0 < most < count:
        pieces = torch.linspace(0, count - 1, most).long()
    where = (pieces * span).expand(len(texts), -1)
    total = 0.0
    for part in where.split(64, 1):
        tokens = cut(texts, part, lead + span).repeat_interleave(net.students // len(texts), 0)
        total = total + surprise(logits(net, tokens, span), tokens[..., -span:]).sum((1, 2))
    return total / (len(pieces) * span)


@dataclass(frozen=True)
class Arm:
    """What one student learns from.

    kind: `text` (plain training), `logits` (forward KL on the text, at `temperature`), `sequence`
    (text that the teacher wrote), `reverse` and `jsd` (on the student's own text, scored by the
    teacher).  family: arms that compete for one place; validation decides.
    """

    family: str
    kind: Literal["text", "logits", "sequence", "reverse", "jsd"]
    temperature: float = 1.0
    beta: float = 0.5

    @property
    def on_policy(self) -> bool:
        return self.kind in ("reverse", "jsd")

    def loss(self, student: Tensor, teacher: Tensor, tokens: Tensor) -> Tensor:
        """[..., B, S, V] logits and [..., B, S] characters -> [...], the mean over B and S."""
        match self.kind:
            case "logits":
                each = forward_kl(student, teacher, self.temperature)
            case "reverse":
                each = reverse_kl(student, teacher)
            case "jsd":
                each = jsd(student, teacher, self.beta)
            case _:
                each = surprise(student, tokens)
        return each.mean((-1, -2))


@dataclass(frozen=True)
class Plan:
    """Pieces of text: `lead` characters are read, the `span` after them are learnt or written."""

    lead: int
    span: int


def train_text(
    groups: Sequence[Group],
    name: str,
    seeds: Sequence[int],
    recipe: Recipe,
    plan: Plan,
    *,
    checks: int = 0,
    most: int = 200,
) -> nn.Module:
    """Networks trained on their groups' text: seeds run group by group.

    Args:
        checks: so many times, look at validation text and keep the best weights (0: the last).
        most: pieces of validation text a look.
    """
    net = build(name, seeds).to(groups[0].train.device)
    texts, length = [g.train for g in groups], plan.lead + plan.span
    if isinstance(net, Transformer) and net.window > length - 1:
        # The last character is only ever predicted: later places would stay as they were drawn.
        raise ValueError(
            f"{name}: its window of {net.window} has places that {plan.lead} + {plan.span} "
            f"characters never train; give it at most {length - 1}"
        )
    where = starts(texts, recipe.steps * recipe.batch, length, [g.seed for g in groups])
    where = where.view(len(groups), recipe.steps, recipe.batch)

    def losses(step: int) -> Tensor:
        tokens = cut(texts, where[:, step], length).repeat_interleave(len(seeds) // len(groups), 0)
        return surprise(logits(net, tokens, plan.span), tokens[..., -plan.span :]).mean((1, 2))

    def watch() -> Tensor:
        return held_out(net, [g.validation for g in groups], plan.lead, plan.span, most)

    every = -(-recipe.steps // checks) if checks else 0
    fit(net, recipe, losses, watch=watch if checks else None, every=every)
    return net


def written(
    net: nn.Module, groups: Sequence[Group], plan: Plan, count: int, length: int, seed: int,
    source: Part, temperature: float = 1.0,
) -> Tensor:  # fmt: skip
    """Each student goes on from `count` pieces of its group's text: [K, count, lead + length].

    Students of a group have the same prompts and the same uniform numbers.
    """
    texts, copies = [getattr(g, source) for g in groups], net.students // len(groups)
    where = starts(texts, count, plan.lead, [g.seed * 31 + seed for g in groups])
    prompts = cut(texts, where, plan.lead).repeat_interleave(copies, 0)
    draws = uniform(groups, (count, length), seed, copies)
    with precision(prompts.device):
        return sample(net, prompts, length, draws, temperature)


def distil(
    groups: Sequence[Group],
    base: nn.Module,
    arms: Sequence[Arm],
    teacher: nn.Module,
    recipe: Recipe,
    plan: Plan,
    *,
    library: Tensor | None = None,
) -> nn.Module:
    """Go on from the networks of `base` along every arm, all of them in one stack.

    Args:
        base: students of all groups, [G × I]; each is copied once an arm.
        arms: all on-policy or none: the two kinds read different text.
        teacher: one a group.
        library: text that each group's teacher wrote, int64 [G, count, length]; for `sequence`.

    Returns:
        A stack of G × I × A students, the arms last.

    Raises:
        ValueError: both kinds of arms, or `sequence` without a library.
    """
    if len({arm.on_policy for arm in arms}) != 1:
        raise ValueError("train on-policy arms and the others apart: they read different text")
    if library is None and any(arm.kind == "sequence" for arm in arms):
        raise ValueError("sequence-level distillation needs the teacher's text: library=…")
    copies = [k for k in range(base.students) for _ in arms]
    net = take(base, copies)
    step = _on_policy if arms[0].on_policy else _fixed
    fit(net, recipe, step(groups, net, arms, teacher, recipe, plan, library))
    return net


def _each(arms: Sequence[Arm], student: Tensor, teacher: Tensor, tokens: Tensor) -> Tensor:
    """Each arm's loss on its own students: [K, B, S, V], [K or G·I, …], [K, B, S] -> [K]."""
    z, own = (x.unflatten(0, (-1, len(arms))) for x in (student, tokens))
    t = teacher.unflatten(0, (len(z), -1))
    parts = [
        arm.loss(z[:, a], t[:, min(a, t.shape[1] - 1)], own[:, a]) for a, arm in enumerate(arms)
    ]
    return torch.stack(parts, 1).flatten()


def _fixed(
    groups: Sequence[Group], net: nn.Module, arms: Sequence[Arm], teacher: nn.Module,
    recipe: Recipe, plan: Plan, library: Tensor | None,
) -> Callable[[int], Tensor]:  # fmt: skip
    """Arms that learn from fixed text.  All but `sequence` read the same pieces."""
    texts, length = [g.train for g in groups], plan.lead + plan.span
    shape = (len(groups), recipe.steps, recipe.batch)
    total, inits = recipe.steps * recipe.batch, net.students // len(groups) // len(arms)
    where = starts(texts, total, length, [g.seed + 1 for g in groups]).view(shape)
    if library is not None:
        books = list(library.flatten(0, 1))
        row = starts([t[:1].expand(len(library[0])) for t in texts], total, 1,
                     [g.seed + 2 for g in groups]).view(shape)  # fmt: skip
        column = starts([books[0]] * len(groups), total, length, [g.seed + 3 for g in groups])
        column = column.view(shape)
    soft = any(arm.kind == "logits" for arm in arms)

    def losses(step: int) -> Tensor:
        real = cut(texts, where[:, step], length)
        told = real
        if library is not None:
            flat = [part.flatten() for part in library]
            told = cut(flat, row[:, step] * library.shape[-1] + column[:, step], length)
        answers = real.new_zeros(len(groups), 1, 1, 1).float()
        if soft:
            with torch.no_grad():
                answers = logits(teacher, real, plan.span)
        read = torch.stack([told if arm.kind == "sequence" else real for arm in arms], 1)
        tokens = read.repeat_interleave(inits, 0).flatten(0, 1)
        out = logits(net, tokens, plan.span)
        return _each(arms, out, answers.repeat_interleave(inits, 0), tokens[..., -plan.span :])

    return losses


def _on_policy(
    groups: Sequence[Group], net: nn.Module, arms: Sequence[Arm], teacher: nn.Module,
    recipe: Recipe, plan: Plan, library: Tensor | None,
) -> Callable[[int], Tensor]:  # fmt: skip
    """Arms that learn from what they write themselves, written anew for every step.

    No gradient goes through the writing: only through the scores of what was written.
    """

    def losses(step: int) -> Tensor:
        tokens = written(net, groups, plan, recipe.batch, plan.span, 100 + step, "train")
        with torch.no_grad():
            answers = logits(teacher, tokens, plan.span)
        out = logits(net, tokens, plan.span)
        return _each(arms, out, answers, tokens[..., -plan.span :])

    return losses


# ---- what a student's own text is like


def distinct(tokens: Tensor, n: int = 4) -> np.ndarray:
    """Share of different runs of n characters among all of each student's, [K, B, L] -> [K].

    The distinct-n of Li et al. (2016): 1 means that no run comes twice.  It falls with the length
    of the text, so compare texts of one length only.
    """
    base = len(text.ALPHABET)
    if base**n >= 2**63:
        raise ValueError(f"runs of n={n} characters do not fit into 64 bits")
    powers = base ** torch.arange(n, device=tokens.device)
    runs = (tokens.unfold(-1, n, 1) * powers).sum(-1).flatten(1)
    return np.array([len(row.unique()) / len(row) for row in runs])


@dataclass(frozen=True, eq=False)
class Own:
    """Scores of what each student wrote, [K] each: the teacher's surprise and the student's own
    entropy in nats a character, the share of distinct runs, and the text itself."""

    surprise: np.ndarray
    entropy: np.ndarray
    distinct: np.ndarray
    tokens: Tensor


@torch.no_grad()
def own_text(
    net: nn.Module, groups: Sequence[Group], teacher: nn.Module, plan: Plan, count: int,
    length: int, *, source: Part = "test", seed: int = 5, temperature: float = 1.0, n: int = 4,
) -> Own:  # fmt: skip
    """Each student goes on from `count` pieces of held-out text for `length` characters; its
    group's teacher reads the result.  Prompts are not scored.

    Raises:
        ValueError: `length` is not a multiple of the plan's span.
    """
    if length % plan.span:
        raise ValueError(f"length={length} is not a multiple of span={plan.span}")
    tokens = written(net, groups, plan, count, length, seed, source, temperature)
    unlikely, unsure = 0.0, 0.0
    for end in range(plan.lead + plan.span, tokens.shape[-1] + 1, plan.span):
        piece = tokens[..., end - plan.lead - plan.span : end]
        told = logits(teacher, piece, plan.span)
        unlikely = unlikely + surprise(told, piece[..., -plan.span :]).sum((1, 2))
        q = F.log_softmax(logits(net, piece, plan.span) / temperature, -1)
        unsure = unsure - (q.exp() * q).sum((1, 2, 3))
    places = count * length
    return Own(
        (unlikely / places).cpu().numpy(),
        (unsure / places).cpu().numpy(),
        distinct(tokens[..., plan.lead :], n),
        tokens[..., plan.lead :].cpu(),
    )


@dataclass(frozen=True, eq=False)
class Marks:
    """One arm's results, a split each (the mean over first weights), [G].

    held: surprise at held-out text, nats a character.  own: the teacher's surprise at the
    student's own text.  entropy, distinct: of that text.  chosen_held, chosen_own: the same two
    surprises on validation topics, for choosing.
    """

    held: np.ndarray
    own: np.ndarray
    entropy: np.ndarray
    distinct: np.ndarray
    chosen_held: np.ndarray
    chosen_own: np.ndarray


def mark(
    groups: Sequence[Group], net: nn.Module, arms: Sequence[Arm], teacher: nn.Module, plan: Plan,
    *, count: int, length: int, temperature: float = 1.0,
) -> dict[str, Marks]:  # fmt: skip
    """Both metrics for every arm of a stack of G × I × A students, by family.

    count, length: texts that each student writes from test prompts, and half as many from
    validation prompts, and their characters.
    """

    def by_arm(values: np.ndarray) -> np.ndarray:
        return values.reshape(len(groups), -1, len(arms)).mean(1)

    held = {}
    for part in ("validation", "test"):
        texts = [getattr(g, part) for g in groups]
        held[part] = by_arm(held_out(net, texts, plan.lead, plan.span).cpu().numpy())
    last, first = (
        own_text(net, groups, teacher, plan, some, length, source=part, temperature=temperature)
        for part, some in (("test", count), ("validation", -(-count // 2)))
    )
    rows = [by_arm(x) for x in (last.surprise, last.entropy, last.distinct)]
    rows = [held["test"], *rows, held["validation"], by_arm(first.surprise)]
    return {arm.family: Marks(*(row[:, a] for row in rows)) for a, arm in enumerate(arms)}


def gate(teacher: np.ndarray, student: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
    """Student minus teacher, nats a character, a split each: there must be something to hand over.

    Raises:
        ValueError: a teacher that is no better than its student; names the splits.
    """
    gap = np.asarray(student) - np.asarray(teacher)
    if bad := [f"{seed} ({g:+.3f})" for seed, g in zip(seeds, gap, strict=True) if not g > 0]:
        raise ValueError(
            f"the teacher is no better than the student on split {', '.join(bad)} nats: there is "
            "nothing to distil; train the teacher longer or make it larger"
        )
    return gap


def at_equal_diversity(
    distinct: np.ndarray, surprise: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """The surprise that a dial reaches where its text is as diverse as wanted, [G].

    A student sampled at several temperatures gives a curve a split; it is read between its points
    along straight lines, and at its ends outside them.

    Args:
        distinct, surprise: [T, G], a row a temperature.
        wanted: distinct runs, [G].
    """
    columns = []
    for x, y, at in zip(distinct.T, surprise.T, wanted, strict=True):
        order = np.argsort(x)
        columns.append(np.interp(at, x[order], y[order]))
    return np.array(columns)


# ---- what it costs


def generation(net: nn.Module, prompts: Tensor, length: int) -> Callable[[], None]:
    """One request to a stack of one: go on writing from these prompts, [B, P], for `length`
    characters each.  Returns when they are there (CUDA too)."""
    prompts = prompts.unsqueeze(0)
    draws = torch.rand(*prompts.shape[:2], length, generator=torch.Generator().manual_seed(0))
    draws = draws.to(prompts.device)

    def call() -> None:
        with precision(prompts.device):
            sample(net, prompts, length, draws)
        _wait(prompts.device)

    return call


def training_steps(
    group: Group, student: nn.Module, teacher: nn.Module, recipe: Recipe, plan: Plan
) -> dict[str, Callable[[], None]]:
    """One step of training one student, by what it learns from; and the writing of one on-policy
    step alone.  `logits` asks the teacher at every step.

    Each call changes a copy of the student; `student` and `teacher` are stacks of one.
    """
    calls = {}
    for arm in (Arm("", "text"), Arm("", "logits"), Arm("", "reverse")):
        calls[arm.kind] = _stepper(group, take(student, [0]), arm, teacher, recipe, plan)
    still = take(student, [0])

    def write() -> None:
        written(still, [group], plan, recipe.batch, plan.span, 100, "train")
        _wait(group.train.device)

    return calls | {"writing": write}


def _stepper(
    group: Group, net: nn.Module, arm: Arm, teacher: nn.Module, recipe: Recipe, plan: Plan
) -> Callable[[], None]:
    make = _on_policy if arm.on_policy else _fixed
    losses = make([group], net, [arm], teacher, recipe, plan, None)
    optimizer, taken = _optimizer(net, recipe), 0

    def call() -> None:
        nonlocal taken
        optimizer.zero_grad(set_to_none=True)
        losses(taken % recipe.steps).sum().backward()
        optimizer.step()
        taken += 1
        _wait(group.train.device)

    return call


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
