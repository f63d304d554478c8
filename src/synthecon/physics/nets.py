"""Small networks that are many networks: K students in one batch of tensor operations.

Images of a batch come *last* in every vector layout, [K, F, B]: a softmax over the middle axis is
vectorised where one over ten trailing numbers is not (20 times faster on a CPU), and the arms of a
group become one matrix product by a view.

Every layer carries a leading *student* axis.  Students are ordered group by group: `groups` data
groups (splits, label budgets) times `arms` methods that see the same batch, K = groups × arms.
One student is simply K = 1.  Nothing crosses the student axis, so the gradient of the summed loss
is each student's own gradient, and training the stack equals training the students one by one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1  # LeakyReLU: tiny plain-ReLU students die at random, and their seeds with them


@dataclass(frozen=True)
class Output:
    """What a forward pass returns.

    logits [K, classes, B]; hidden [K, F, B], the last hidden units of an MLP or the channel means
    of the last feature map, which is what hints compare; maps: spatial feature maps, each
    [B, K, C, H, W] (empty for an MLP).
    """

    logits: Tensor
    hidden: Tensor
    maps: tuple[Tensor, ...] = ()


def _init(shape: tuple[int, ...], fan_in: int, seeds: list[int], salt: int) -> nn.Parameter:
    """Kaiming-uniform weights, student k drawn from its own seed: neighbours never matter."""
    bound = math.sqrt(6 / ((1 + SLOPE**2) * fan_in))
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed * 1009 + salt)
        rows.append((torch.rand(shape, generator=generator) * 2 - 1) * bound)
    return nn.Parameter(torch.stack(rows))


class StackedLinear(nn.Module):
    """K affine maps: [K, inputs, B] -> [K, outputs, B].

    Fed with [G, inputs, B], the arms of a group read one copy of the batch.
    """

    def __init__(self, inputs: int, outputs: int, seeds: list[int], salt: int) -> None:
        super().__init__()
        self.weight = _init((outputs, inputs), inputs, seeds, salt)
        self.bias = nn.Parameter(torch.zeros(len(seeds), outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        groups, inputs, batch = x.shape
        weight = self.weight.view(groups, -1, inputs)
        bias = self.bias.view(groups, -1, 1)
        return torch.baddbmm(bias, weight, x).view(len(self.weight), -1, batch)


class StackedConv(nn.Module):
    """K 3×3 (or 1×1) convolutions as one grouped convolution: [B, K·C, H, W] -> [B, K·O, H, W]."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        seeds: list[int],
        salt: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, kernel // 2
        self.weight = _init((outputs, inputs, kernel, kernel), inputs * kernel**2, seeds, salt)
        self.bias = nn.Parameter(torch.zeros(len(seeds), outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(
            x,
            self.weight.flatten(0, 1),
            None if self.bias is None else self.bias.flatten(),
            stride=self.stride,
            padding=self.padding,
            groups=len(self.weight),
        )


class MLP(nn.Module):
    """`mlp-H` or `mlp-H-H…`: flattened pixels through LeakyReLU layers of H units."""

    def __init__(
        self,
        widths: list[int],
        shape: tuple[int, int, int],
        classes: int,
        seeds: list[int],
        groups: int,
    ) -> None:
        super().__init__()
        self.groups, self.arms = groups, len(seeds) // groups
        sizes = [math.prod(shape), *widths, classes]
        self.layers = nn.ModuleList(
            StackedLinear(i, o, seeds, salt)
            for salt, (i, o) in enumerate(itertools.pairwise(sizes))
        )

    def forward(self, images: Tensor) -> Output:
        hidden = self.layers[0](images.flatten(2).transpose(1, 2))
        for layer in list(self.layers)[1:]:
            hidden = F.leaky_relu(hidden, SLOPE)
            last, hidden = hidden, layer(hidden)
        return Output(hidden, last)


def _by_student(x: Tensor, students: int) -> Tensor:
    """[B, K·C, ...] -> [B, K, C, ...]."""
    return x.view(x.shape[0], students, -1, *x.shape[2:])


def _channels(images: Tensor, arms: int) -> Tensor:
    """[G, B, C, H, W] -> [B, K·C, H, W], the layout of grouped convolutions.

    Each arm gets a copy of its group's images: they are small, and a grouped first convolution is
    faster on a CPU than one that shares them.  Channels last in memory, which CPU and CUDA want.
    """
    wide = images.repeat_interleave(arms, 0).transpose(0, 1).flatten(1, 2)
    return wide.contiguous(memory_format=torch.channels_last)


class CNN(nn.Module):
    """`cnn-W`: two 3×3 convolutions of W and 2W channels, 2×2 max-pools, one linear layer.

    Images under 16 pixels are pooled once only: a second time would leave 2×2 of digits' 8×8.
    """

    def __init__(
        self, width: int, shape: tuple[int, int, int], classes: int, seeds: list[int], groups: int
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        self.groups, self.arms, self.students = groups, len(seeds) // groups, len(seeds)
        self.conv1 = StackedConv(channels, width, seeds, 0)
        self.conv2 = StackedConv(width, 2 * width, seeds, 1)
        self.pool = 2 if min(height, breadth) >= 16 else 1
        area = (height // 2 // self.pool) * (breadth // 2 // self.pool)
        self.head = StackedLinear(2 * width * area, classes, seeds, 2)

    def forward(self, images: Tensor) -> Output:
        # Pooling first gives the same numbers (LeakyReLU is increasing) from a quarter of the work.
        one = F.leaky_relu(F.max_pool2d(self.conv1(_channels(images, self.arms)), 2), SLOPE)
        two = F.leaky_relu(F.max_pool2d(self.conv2(one), self.pool), SLOPE)
        maps = (_by_student(one, self.students), _by_student(two, self.students))
        logits = self.head(maps[1].flatten(2).permute(1, 2, 0))
        return Output(logits, maps[1].mean((3, 4)).permute(1, 2, 0), maps)


class _Block(nn.Module):
    """Two 3×3 convolutions with batch norm and a skip (He et al. 2016, CIFAR variant).

    Batch norm over K·C channels of a grouped layout is each student's own batch norm.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, seeds: list[int], salt: int) -> None:
        super().__init__()
        k = len(seeds)
        self.conv1 = StackedConv(inputs, outputs, seeds, salt, stride=stride, bias=False)
        self.norm1 = nn.BatchNorm2d(k * outputs)
        self.conv2 = StackedConv(outputs, outputs, seeds, salt + 1, bias=False)
        self.norm2 = nn.BatchNorm2d(k * outputs)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.skip = nn.Sequential(
                StackedConv(inputs, outputs, seeds, salt + 2, kernel=1, stride=stride, bias=False),
                nn.BatchNorm2d(k * outputs),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.norm1(self.conv1(x)), SLOPE)
        return F.leaky_relu(self.norm2(self.conv2(y)) + self.skip(x), SLOPE)


class ResNet(nn.Module):
    """`resnet-W-N`: three stages of N blocks with W, 2W and 4W channels, then a global mean."""

    def __init__(
        self,
        width: int,
        blocks: int,
        shape: tuple[int, int, int],
        classes: int,
        seeds: list[int],
        groups: int,
    ) -> None:
        super().__init__()
        self.groups, self.arms, self.students = groups, len(seeds) // groups, len(seeds)
        self.stem = StackedConv(shape[0], width, seeds, 0, bias=False)
        self.norm = nn.BatchNorm2d(len(seeds) * width)
        stages, inputs, salt = [], width, 10
        for stage in range(3):
            outputs, layers = width * 2**stage, []
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layers.append(_Block(inputs, outputs, stride, seeds, salt))
                inputs, salt = outputs, salt + 3
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.head = StackedLinear(inputs, classes, seeds, 1)

    def forward(self, images: Tensor) -> Output:
        x = F.leaky_relu(self.norm(self.stem(_channels(images, self.arms))), SLOPE)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(_by_student(x, self.students))
        hidden = maps[-1].mean((3, 4)).permute(1, 2, 0)
        return Output(self.head(hidden), hidden, tuple(maps))


def build(
    name: str, shape: tuple[int, int, int], classes: int, seeds: list[int], groups: int = 1
) -> nn.Module:
    """A stack of `len(seeds)` networks of one kind.

    Args:
        name: `mlp-16`, `mlp-64-32`, `cnn-8`, `resnet-16-2`.
        shape: one image, (channels, height, width).
        classes: number of logits.
        seeds: one a student, group by group; equal seeds give equal initial weights.
        groups: number of data groups; must divide the number of students.

    Raises:
        ValueError: an unknown name, no students, or groups that do not divide them.
    """
    if not seeds or len(seeds) % groups:
        raise ValueError(f"{len(seeds)} students cannot be dealt into {groups} groups")
    kind, *numbers = name.split("-")
    sizes = [int(n) for n in numbers if n.isdigit() and int(n) > 0]
    net: nn.Module | None = None
    if sizes and len(sizes) == len(numbers):
        if kind == "mlp":
            net = MLP(sizes, shape, classes, seeds, groups)
        elif kind == "cnn" and len(sizes) == 1:
            net = CNN(sizes[0], shape, classes, seeds, groups)
        elif kind == "resnet" and len(sizes) == 2:
            net = ResNet(sizes[0], sizes[1], shape, classes, seeds, groups)
    if net is None:
        raise ValueError(f"unknown network {name!r}: write mlp-16, mlp-64-32, cnn-8 or resnet-16-2")
    net.spec = (name, shape, classes)
    return net


class Single(nn.Module):
    """A stack of one student as an ordinary network: [B, C, H, W] -> logits [B, classes]."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        if net.groups * net.arms != 1:
            raise ValueError("Single wraps a stack of one student")
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images.unsqueeze(0)).logits[0].T


def take(net: nn.Module, students: Sequence[int], groups: int = 1) -> nn.Module:
    """Some students of a stack as a stack of their own, on the same device.

    Raises:
        ValueError: a student that is not there.
    """
    count = net.groups * net.arms
    wrong = [k for k in students if not 0 <= k < count]
    if wrong:
        raise ValueError(f"students {wrong} of {count}: numbers run from 0")
    part = build(*net.spec, [0] * len(students), groups)
    where = torch.tensor(list(students), device=next(net.parameters()).device)
    state = {}
    for key, value in net.state_dict().items():
        # A batch norm's tensors hold all students' channels side by side; its counter is a number.
        rows = value.view(count, -1)[where].flatten() if value.dim() == 1 else value
        state[key] = value[where] if value.dim() > 1 else rows
    part.load_state_dict(state)
    return part.to(where.device).eval()


def extract(net: nn.Module, student: int) -> nn.Module:
    """One student of a stack as a plain PyTorch network, [B, C, H, W] -> logits [B, classes].

    This is what is served, and what its cost is measured on: no trace of the stack is left.
    """
    one = take(net, [student])
    if isinstance(one, MLP):
        layers: list[nn.Module] = [nn.Flatten()]
        for layer in one.layers:
            layers += [_linear(layer), nn.LeakyReLU(SLOPE)]
        plain: nn.Module = nn.Sequential(*layers[:-1])
    elif isinstance(one, CNN):
        plain = nn.Sequential(
            _conv(one.conv1),
            nn.MaxPool2d(2),
            nn.LeakyReLU(SLOPE),
            _conv(one.conv2),
            nn.MaxPool2d(one.pool),
            nn.LeakyReLU(SLOPE),
            nn.Flatten(),
            _linear(one.head),
        )
    else:
        plain = Single(one)
    return plain.to(next(net.parameters()).device).eval()


def _linear(layer: StackedLinear) -> nn.Linear:
    weight, bias = layer.weight.detach()[0], layer.bias.detach()[0, :, 0]
    plain = nn.Linear(weight.shape[1], weight.shape[0])
    plain.load_state_dict({"weight": weight, "bias": bias})
    return plain


def _conv(layer: StackedConv) -> nn.Conv2d:
    weight = layer.weight.detach()[0]
    plain = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=layer.padding)
    plain.load_state_dict({"weight": weight, "bias": layer.bias.detach()[0]})
    return plain
