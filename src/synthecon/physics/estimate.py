"""How accurate is the classifier today, when nobody has labelled today's images?

Everything here reads labels of a *validation* sample of the source and only images of the target.
Estimators take many target samples at once, T of them.

What each one assumes: label-shift weights, that images of a class look as they did; the others,
that the same confidence means the same accuracy.  Neither can be checked without target labels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def confusion(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Joint confusion matrix of validation rows, float64 [C, C]: [i, j] is the mean of
    "answers i" over all rows, counted only where the label is j.

    probabilities [M, C]: softmax outputs give the soft matrix, one-hot answers the hard one.
    labels: int64 [M].
    """
    truth = torch.nn.functional.one_hot(labels, probabilities.shape[1]).double()
    return probabilities.double().T @ truth / len(labels)


def hard(probabilities: Tensor) -> Tensor:
    """One-hot answers, the shape of `probabilities` [..., C]."""
    return torch.nn.functional.one_hot(probabilities.argmax(-1), probabilities.shape[-1])


def label_weights(matrix: Tensor, target: Tensor) -> Tensor:
    """BBSE: how much more frequent each class has become, q(y) / p(y), [T, C].

    Lipton, Wang and Smola (2018), section 4: solve `matrix` · w = mean target answer.  Without a
    ridge, which pulls all weights towards zero when samples are small.  Negative weights are cut
    off, and the target shares scaled to sum to one.

    Args:
        matrix: from `confusion`, [C, C].
        target: [T, n, C], of the same kind (soft or hard) as the matrix was made of.

    Raises:
        ValueError: the matrix cannot be inverted (a class that validation or the answers lack).
    """
    if torch.linalg.matrix_rank(matrix) < len(matrix):
        raise ValueError("the confusion matrix is singular: a class is never named, or has no row")
    answers = target.double().mean(1)
    weights = torch.linalg.solve(matrix, answers.T).T.clamp(min=0)
    return weights / (weights @ matrix.sum(0))[:, None]


def corrected(probabilities: Tensor, weights: Tensor) -> Tensor:
    """Softmax outputs adjusted to new class shares, [T, n, C] (Saerens et al. 2002, eq. 2.4).

    probabilities [T, n, C] under the source's shares, weights [T, C] from `label_weights`.
    """
    raised = probabilities * weights[:, None].to(probabilities)
    return raised / raised.sum(-1, keepdim=True).clamp(min=1e-30)


def weighted_accuracy(correct: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Accuracy under label shift, [T]: validation rows, each with its class's weight.

    correct: bool [M], labels: int64 [M], weights [T, C].
    """
    own = weights[:, labels]
    return (own * correct).sum(1) / own.sum(1)


def average_confidence(confidence: Tensor) -> Tensor:
    """Mean top probability, [T, n] -> [T]: what an uncalibrated model says of itself."""
    return confidence.double().mean(-1)


def calibrator(confidence: Tensor, correct: Tensor) -> tuple[Tensor, Tensor]:
    """Isotonic regression of "was right" on confidence: increasing points (x, y) for `apply`.

    Neighbouring rows are pooled until the share of right answers rises with confidence
    (Zadrozny and Elkan 2002).  confidence [M], correct bool [M], of validation rows.
    """
    x, which = np.unique(confidence.double().cpu().numpy(), return_inverse=True)
    weight = np.bincount(which).astype(float)
    value = np.bincount(which, weights=correct.double().cpu().numpy()) / weight
    blocks: list[list[float]] = []  # mean, weight, rows
    for v, w in zip(value, weight, strict=True):
        blocks.append([v, w, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            v2, w2, k2 = blocks.pop()
            v1, w1, k1 = blocks.pop()
            blocks.append([(v1 * w1 + v2 * w2) / (w1 + w2), w1 + w2, k1 + k2])
    y = np.repeat([b[0] for b in blocks], [int(b[2]) for b in blocks])
    return torch.from_numpy(x), torch.from_numpy(y)


def apply(points: tuple[Tensor, Tensor], confidence: Tensor) -> Tensor:
    """Read a `calibrator` at new confidences, any shape, straight between its points."""
    x, y = (p.numpy() for p in points)
    read = np.interp(confidence.double().cpu().numpy(), x, y)
    return torch.from_numpy(read).to(confidence.device)


def cbpe(points: tuple[Tensor, Tensor], confidence: Tensor) -> Tensor:
    """Confidence-based performance estimation: mean calibrated confidence, [T, n] -> [T].

    The estimator of the NannyML library for accuracy; `points` from `calibrator`.
    """
    return apply(points, confidence).mean(-1)


def atc(score: Tensor, correct: Tensor, target: Tensor) -> Tensor:
    """Average thresholded confidence, Garg et al. (2022), eq. 3: accuracy estimates [T].

    The threshold is set so that as many validation scores lie below it as answers were wrong; the
    estimate is the share of target scores at or above it.  With every answer right, the threshold
    is the smallest score seen.

    Args:
        score: [M], of validation rows; higher means surer. correct: bool [M].
        target: [T, n], scores of target rows.
    """
    wrong = int((~correct).sum())
    ranked = score.sort().values
    threshold = ranked[wrong] if wrong < len(ranked) else torch.full_like(ranked[0], torch.inf)
    return (target >= threshold).double().mean(-1)
