"""Each loss against PyTorch's own, or against the paper's formula written out the long way."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthecon.physics import losses

K, C, B = 3, 5, 7
T = torch.tensor([1.0, 2.5, 6.0], dtype=torch.float64)
A = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)


def logits(seed: int, scale: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(K, C, B, generator=generator, dtype=torch.float64)


Z, V = logits(0), logits(1)
LABELS = torch.randint(C, (K, B), generator=torch.Generator().manual_seed(2))
HARD = F.one_hot(LABELS, C).transpose(1, 2).double()


def each(loss) -> Tensor:
    """loss(k) for every student, side by side."""
    return torch.stack([loss(k) for k in range(K)])


def torch_kl(teacher: Tensor, student: Tensor, t: Tensor | float) -> Tensor:
    """One student, [C, B]: PyTorch's KL divergence of the softened distributions."""
    p, q = F.log_softmax(teacher.T / t, 1), F.log_softmax(student.T / t, 1)
    return F.kl_div(q, p, reduction="batchmean", log_target=True)


def test_soft_targets_are_softmax_at_each_students_temperature():
    found = losses.soft_targets(Z, T)
    torch.testing.assert_close(found, each(lambda k: torch.softmax(Z[k] / T[k], 0)))
    torch.testing.assert_close(losses.soft_targets(Z, 4.0), torch.softmax(Z / 4, 1))


@settings(deadline=None)
@given(st.integers(0, 99), st.floats(0.2, 20), st.floats(1.1, 5))
def test_a_higher_temperature_is_a_softer_target(seed, temperature, factor):
    def entropy(t: float) -> Tensor:
        p = losses.soft_targets(logits(seed), t)
        torch.testing.assert_close(p.sum(1), torch.ones(K, B, dtype=p.dtype))
        return torch.special.entr(p).sum(1)

    assert (entropy(temperature * factor) > entropy(temperature)).all()


def test_cross_entropy_is_torchs():
    found = losses.cross_entropy(Z, HARD)
    torch.testing.assert_close(found, each(lambda k: F.cross_entropy(Z[k].T, LABELS[k])))
    soft = torch.softmax(V, 1)
    expected = each(lambda k: F.cross_entropy(Z[k].T, soft[k].T))
    torch.testing.assert_close(losses.cross_entropy(Z, soft), expected)


def test_kl_is_torchs_and_has_a_direction():
    found = losses.kl(V, Z, T)
    torch.testing.assert_close(found, each(lambda k: torch_kl(V[k], Z[k], T[k])))
    assert (found - losses.kl(Z, V, T)).abs().min() > 1e-3, "the arguments are not alike"


@settings(deadline=None)
@given(st.integers(0, 99), st.floats(0.2, 20), st.floats(-9, 9))
def test_kl_is_zero_only_where_nothing_is_left_to_learn(seed, temperature, shift):
    teacher = logits(seed)
    nothing = losses.kl(teacher, teacher + shift, temperature)
    torch.testing.assert_close(nothing, torch.zeros(K, dtype=nothing.dtype))
    assert (losses.kl(teacher, logits(seed + 1), temperature) > 0).all()


def test_distillation_is_the_weighted_sum_with_t_squared():
    found = losses.distillation(Z, V, HARD, T, A)
    hard = each(lambda k: F.cross_entropy(Z[k].T, LABELS[k]))
    soft = each(lambda k: T[k] ** 2 * torch_kl(V[k], Z[k], T[k]))
    torch.testing.assert_close(found, (1 - A) * hard + A * soft)
    found = losses.distillation(Z, V, HARD, 4.0, 0.7)
    soft = each(lambda k: 16 * torch_kl(V[k], Z[k], 4.0))
    torch.testing.assert_close(found, 0.3 * hard + 0.7 * soft)


def test_one_target_is_shared_by_all_students():
    found = losses.distillation(Z, V[:1], HARD[:1], T, A)
    copies = losses.distillation(Z, V[:1].expand(K, C, B), HARD[:1].expand(K, C, B), T, A)
    torch.testing.assert_close(found, copies)


def test_at_high_temperature_the_gradient_matches_logits():
    """Hinton et al., eq. 4: T² makes it (z − v)/C a class, whatever T, once logits are centred."""
    z = Z.clone().requires_grad_()
    losses.distillation(z, V, HARD, 1e4, 1.0).sum().backward()
    expected = (Z - Z.mean(1, keepdim=True) - V + V.mean(1, keepdim=True)) / C / B
    torch.testing.assert_close(z.grad, expected, rtol=1e-2, atol=1e-5)


def _decoupled(student: Tensor, teacher: Tensor, label: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """TCKD and NCKD of one image, logits [C], class by class as in Zhao et al. (2022), eq. 5."""
    p, q = torch.softmax(teacher / t, 0), torch.softmax(student / t, 0)
    others = [c for c in range(len(p)) if c != label]
    # The two-class distribution (target, all others), and that of the others among themselves.
    rest_p, rest_q = sum(p[c] for c in others), sum(q[c] for c in others)
    target = p[label] * (p[label] / q[label]).log() + rest_p * (rest_p / rest_q).log()
    inner = sum(p[c] / rest_p * ((p[c] / rest_p).log() - (q[c] / rest_q).log()) for c in others)
    return target, inner


@pytest.mark.parametrize(("a", "b"), [(1.0, 8.0), (0.0, 1.0), (2.0, 0.0)])
def test_decoupled_is_the_papers_sum(a, b):
    def one(k: int) -> Tensor:
        pairs = [_decoupled(Z[k, :, i], V[k, :, i], LABELS[k, i], T[k]) for i in range(B)]
        target, other = (torch.stack(x).mean() for x in zip(*pairs, strict=True))
        return F.cross_entropy(Z[k].T, LABELS[k]) + T[k] ** 2 * (a * target + b * other)

    torch.testing.assert_close(losses.decoupled(Z, V, HARD, T, a, b), each(one))


def test_decoupled_takes_its_weights_a_student():
    b = torch.tensor([0.0, 2.0, 8.0], dtype=torch.float64)
    apart = each(lambda k: losses.decoupled(Z, V, HARD, T, 1.0, float(b[k]))[k])
    torch.testing.assert_close(losses.decoupled(Z, V, HARD, T, 1.0, b), apart)


def test_plain_kl_is_the_decoupled_loss_muted_by_the_teachers_doubt():
    """KL = TCKD + (1 − p_target)·NCKD, image by image."""
    for i in range(B):
        z, v, hard = Z[:, :, i : i + 1], V[:, :, i : i + 1], HARD[:, :, i : i + 1]
        doubt = 1 - (torch.softmax(v / T[:, None, None], 1) * hard).sum((1, 2))
        found = losses.decoupled(z, v, hard, T, 1.0, doubt) - losses.cross_entropy(z, hard)
        torch.testing.assert_close(found, T**2 * losses.kl(v, z, T))


def test_decoupled_where_the_teacher_is_as_good_as_certain():
    """In float32, as in training: its ranking of the other classes must still come through."""
    sure = V + 25 * HARD
    exact = losses.decoupled(Z, sure, HARD, 1.0) - losses.cross_entropy(Z, HARD)
    pairs = [[_decoupled(Z[k, :, i], sure[k, :, i], LABELS[k, i], 1.0) for i in range(B)]
             for k in range(K)]  # fmt: skip
    expected = torch.stack([torch.stack([t + 8 * n for t, n in row]).mean() for row in pairs])
    torch.testing.assert_close(exact, expected, rtol=1e-3, atol=0)
    z = Z.float().requires_grad_()
    single = losses.decoupled(z, sure.float(), HARD.float(), 1.0)
    torch.testing.assert_close(single.double(), exact + losses.cross_entropy(Z, HARD), rtol=1e-3,
                               atol=0)  # fmt: skip
    single.sum().backward()
    assert z.grad.isfinite().all()


def test_hint_is_half_the_mean_squared_distance():
    student, teacher = logits(5)[:, :4], logits(6)[:, :2]
    regressor = logits(7)[:, :2, :4]

    def one(k: int) -> Tensor:
        gaps = [teacher[k, :, i] - regressor[k] @ student[k, :, i] for i in range(B)]
        return 0.5 * torch.cat(gaps).square().mean()

    torch.testing.assert_close(losses.hint(student, teacher, regressor), each(one))


def test_attention_maps_say_where_and_not_how_much():
    features = torch.rand(B, K, 4, 3, 2, dtype=torch.float64) - 0.5
    maps = losses.attention_map(features)
    assert maps.shape == (K, 6, B)
    torch.testing.assert_close(maps.norm(dim=1), torch.ones(K, B, dtype=maps.dtype))
    torch.testing.assert_close(losses.attention_map(7 * features), maps)
    for k in range(K):
        for i in range(B):
            energy = (features[i, k] ** 2).mean(0).flatten()
            torch.testing.assert_close(maps[k, :, i], energy / energy.square().sum().sqrt())


def test_attention_is_the_squared_distance_of_maps():
    a, b = (losses.attention_map(torch.rand(B, K, 4, 3, 2)) for _ in range(2))
    expected = each(lambda k: ((a[k] - b[k]) ** 2).sum() / B)
    torch.testing.assert_close(losses.attention(a, b), expected)
    torch.testing.assert_close(losses.attention(a, b[:1])[0], expected[0])
