"""Plain PyTorch twins of the stacked networks, written without `nets`, and a made-up data set."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from synthecon.physics import data, nets

SLOPE = 0.1


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums in one order, and no fight over the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.skip = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.skip = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        return nn.functional.leaky_relu(self.first(x) + self.skip(x), SLOPE)


def plain(name: str, shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """The network that `name` promises; its last layer is the linear head."""
    kind, *sizes = (part if part.isalpha() else int(part) for part in name.split("-"))
    channels, height, width = shape
    layers: list[nn.Module] = []
    if kind == "mlp":
        inputs = math.prod(shape)
        layers.append(nn.Flatten())
        for size in sizes:
            layers += [nn.Linear(inputs, size), nn.LeakyReLU(SLOPE)]
            inputs = size
        return nn.Sequential(*layers, nn.Linear(inputs, classes))
    wide = sizes[0]
    if kind == "cnn":
        second = 2 if height >= 16 else 1
        area = (height // 2 // second) * (width // 2 // second)
        return nn.Sequential(
            nn.Conv2d(channels, wide, 3, padding=1), nn.LeakyReLU(SLOPE), nn.MaxPool2d(2),
            nn.Conv2d(wide, 2 * wide, 3, padding=1), nn.LeakyReLU(SLOPE), nn.MaxPool2d(second),
            nn.Flatten(), nn.Linear(2 * wide * area, classes),
        )  # fmt: skip
    layers += [nn.Conv2d(channels, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide)]
    layers += [nn.LeakyReLU(SLOPE)]
    inputs = wide
    for stage in range(3):
        for block in range(sizes[1]):
            layers.append(Block(inputs, wide * 2**stage, 2 if stage and block == 0 else 1))
            inputs = wide * 2**stage
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes)]
    return nn.Sequential(*layers)


@pytest.fixture
def twin():
    """twin(stack, k): an ordinary network with a copy of student k's numbers, in the same mode."""

    def make(stack: nn.Module, student: int) -> nn.Sequential:
        ordinary = plain(*stack.spec)
        students = stack.groups * stack.arms
        kinds = (nets.StackedLinear, nets.StackedConv, nn.BatchNorm2d)
        ours = [m for m in stack.modules() if isinstance(m, kinds)]
        kinds = (nn.Linear, nn.Conv2d, nn.BatchNorm2d)
        theirs = [m for m in ordinary.modules() if isinstance(m, kinds)]
        for mine, its in zip(ours, theirs, strict=True):
            for key, value in its.state_dict().items():
                if value.dim():  # not a counter of batches
                    numbers = getattr(mine, key).detach().reshape(students, -1)[student]
                    value.copy_(numbers.view_as(value))
        return ordinary.train(stack.training)

    return make


@pytest.fixture
def toy() -> data.Dataset:
    """120 images of 1×8×8 in 4 classes: a prototype a class, and noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 4
    prototypes = torch.rand(4, 1, 8, 8, generator=generator)
    noise = torch.rand(120, 1, 8, 8, generator=generator)
    images = 0.4 * prototypes[labels] + 0.6 * noise
    return data.Dataset("toy", images, labels, None, ("a", "b", "c", "d"), "made up", "0" * 64)
