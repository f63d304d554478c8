"""Distillation losses, one value a student.

Logits are [K, C, B]: K students, C classes, B images (`nets` says why classes come before images).
Each loss returns [K], the mean over the batch, so that a stack of students can be summed and
differentiated at once.  A target with a leading axis of 1 is shared by all students.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def _per_student(value: Tensor | float, like: Tensor) -> Tensor:
    """A number, or one number a student [K], shaped to multiply [K, C, B]."""
    v = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    return v.view(-1, 1, 1) if v.dim() else v


def soft_targets(logits: Tensor, temperature: Tensor | float) -> Tensor:
    """softmax(z / T) over the classes, [K, C, B].  T > 0: one number, or one a student [K]."""
    return F.softmax(logits / _per_student(temperature, logits), dim=1)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """−Σ q log softmax(z), in nats.  Targets q are probabilities [K or 1, C, B]."""
    return -(targets * F.log_softmax(logits, dim=1)).sum(1).mean(1)


def kl(teacher: Tensor, student: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """KL(teacher ‖ student) of the distributions softened at T, in nats, without the factor T²."""
    t = _per_student(temperature, student)
    log_p = F.log_softmax(teacher / t, dim=1)
    log_q = F.log_softmax(student / t, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(1).mean(1)


def distillation(
    student: Tensor,
    teacher: Tensor,
    hard: Tensor,
    temperature: Tensor | float,
    alpha: Tensor | float,
) -> Tensor:
    """(1 − α)·CE(hard, z) + α·T²·KL(softmax(t/T) ‖ softmax(z/T)), Hinton et al. (2015).

    T² keeps the size of the soft gradient when T grows: the derivative of the softened KL shrinks
    as 1/T².  α = 0 is plain training; α = 1 never looks at a label.  T and α: one number, or one a
    student [K].
    """
    t = torch.as_tensor(temperature, dtype=student.dtype, device=student.device)
    a = torch.as_tensor(alpha, dtype=student.dtype, device=student.device)
    return (1 - a) * cross_entropy(student, hard) + a * t**2 * kl(teacher, student, t)


def decoupled(
    student: Tensor,
    teacher: Tensor,
    hard: Tensor,
    temperature: Tensor | float,
    target_weight: Tensor | float = 1.0,
    other_weight: Tensor | float = 8.0,
) -> Tensor:
    """CE(hard, z) + T²·(a·TCKD + b·NCKD), decoupled distillation, Zhao et al. (2022), eq. 7.

    TCKD compares how sure teacher and student are of the target class; NCKD compares how they rank
    the others.  Plain KL is the special case a = 1, b = 1 − p_teacher(target), so it mutes the
    ranking exactly where the teacher is sure.  `hard` is one-hot.
    """
    t = _per_student(temperature, student)
    p, p_rest, p_each = _target_and_others(teacher / t, hard)
    q, q_rest, q_each = _target_and_others(student / t, hard)
    tckd = p.exp() * (p - q) + p_rest.exp() * (p_rest - q_rest)
    nckd = (p_each.exp() * (p_each - q_each)).sum(1)
    a, b = (torch.as_tensor(w, device=student.device) for w in (target_weight, other_weight))
    scale = torch.as_tensor(temperature, dtype=student.dtype, device=student.device) ** 2
    return cross_entropy(student, hard) + scale * (a * tckd.mean(1) + b * nckd.mean(1))


def _target_and_others(logits: Tensor, hard: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities of the target [K, B], of all others together, of each among the others.

    1 − p_target is never formed: it rounds to 0 where the teacher is sure, and there NCKD counts.
    """
    log_p = F.log_softmax(logits, dim=1)
    others = log_p - 1e4 * hard  # the target's share becomes e^-10000 = 0
    together = others.logsumexp(1)
    return (log_p * hard).sum(1), together, others - together.unsqueeze(1)


def hint(student: Tensor, teacher: Tensor, regressor: Tensor) -> Tensor:
    """½·‖teacher − R·student‖² averaged over units and images: FitNets, Romero et al. (2015).

    student [K, Fs, B], teacher [K or 1, Ft, B]; regressor R [K, Ft, Fs] is learned along.
    """
    return 0.5 * (torch.bmm(regressor, student) - teacher).square().mean((1, 2))


def attention_map(features: Tensor) -> Tensor:
    """Where a layer looks: the channel mean of squares, flattened, of unit length.

    features [B, K, C, H, W] -> [K, H·W, B] (Zagoruyko and Komodakis 2017, F²_sum).
    """
    return F.normalize(features.square().mean(2).flatten(2), dim=2).permute(1, 2, 0)


def attention(student: Tensor, teacher: Tensor) -> Tensor:
    """‖A_s − A_t‖² of two attention maps [K or 1, H·W, B], averaged over images."""
    return (student - teacher).square().sum(1).mean(1)
