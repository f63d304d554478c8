"""Accuracy, agreement and calibration of many students at once.  Logits are [K, C, M]."""

from __future__ import annotations

import torch
from torch import Tensor


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of images whose largest logit is the label, [K], 0 to 1; labels [M] or [K, M]."""
    return (logits.argmax(1) == labels).float().mean(1)


def agreement(student: Tensor, teacher: Tensor) -> Tensor:
    """Share of images on which student and teacher name the same class, [K], 0 to 1."""
    return (student.argmax(1) == teacher.argmax(1)).float().mean(1)


def calibration_error(logits: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """Expected calibration error (ECE), Guo et al. (2017), eq. 3: [K], 0 to 1.

    Images are dealt into equal-width bins (lo, hi] of the top probability; ECE is the mean gap
    between confidence and accuracy, weighted by the images in each bin.
    """
    confidence, guess = logits.softmax(1).max(1)
    gap = (guess == labels).to(confidence) - confidence
    which = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    sums = torch.zeros(len(logits), bins, dtype=gap.dtype, device=gap.device)
    return sums.scatter_add(1, which, gap).abs().sum(1) / logits.shape[2]
