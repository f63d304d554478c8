"""Recursion: against the theory of its simplest case, and what each arm reads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from synthecon.physics import collapse
from synthecon.physics.collapse import Arm
from synthecon.physics.data import Dataset, split
from synthecon.physics.train import Recipe


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def test_replacing_decays_as_the_theory_says():
    """A normal fitted by maximum likelihood to m of its own samples: each generation keeps
    (m - 1)/m of the covariance in expectation, and moves the mean by covariance/m."""
    m, generations, chains = 12, 8, 600
    real = normal(1, 1, m, 2).expand(chains, -1, -1, -1)
    history = collapse.recurse(real, [Arm("replace")], generations, list(range(chains)))
    left = (1 - 1 / m) ** np.arange(generations + 1)
    spread = history.spread[:, :, 0]
    np.testing.assert_allclose(spread.mean(1) / spread[0, 0], left, rtol=0.05)
    moved = np.concatenate([[0], left[:-1].cumsum()]) / m
    np.testing.assert_allclose(
        history.drift[:, :, 0].mean(1) / spread[0, 0], moved, rtol=0.12, atol=1e-12
    )


def test_the_spread_is_the_mean_trace():
    real = normal(2, 3, 7, 4)
    history = collapse.recurse(real, [Arm("replace")], 0, [1, 2])
    for k in range(2):
        traces = [np.trace(np.cov(real[k, c].T.numpy(), bias=True)) for c in range(3)]
        assert history.spread[0, k, 0] == pytest.approx(np.mean(traces))


ARMS = (
    Arm("replace"),
    Arm("keep", keep=0.3),
    Arm("same", keep=0.3, same=True),
    Arm("accumulate", accumulate=True),
)


def real_rows(sets: Tensor, real: Tensor) -> list[set[int]]:
    """Which real rows stand in each arm's set, of the first chain and class."""
    gap = (sets[0, :, 0][:, :, None] - real[0, 0].float()).abs().amax(-1)
    return [set((one < 1e-6).nonzero()[:, 1].tolist()) for one in gap]


def test_what_each_arm_reads():
    real = normal(1, 2, 20, 3)
    history = collapse.recurse(real, ARMS, 3, [5], watch=(0, 2, 3))
    assert all(rows == set(range(20)) for rows in real_rows(history.sets[0], real))
    two, three = real_rows(history.sets[2], real), real_rows(history.sets[3], real)
    assert [len(x) for x in two[:3]] == [0, 6, 6]
    assert len(three[1]) == 6 and two[1] != three[1], "drawn anew from all real images"
    assert two[2] == three[2], "always the same"


def test_arms_differ_in_nothing_but_what_they_read():
    real = normal(2, 1, 30, 2)
    alone = collapse.recurse(real, ARMS[:1], 4, [3, 4], watch=[4])
    together = collapse.recurse(real, ARMS, 4, [3, 4], watch=[4])
    torch.testing.assert_close(together.sets[4][:, 0], alone.sets[4][:, 0])
    second = collapse.recurse(real[1:], ARMS, 4, [4], watch=[4])
    torch.testing.assert_close(together.sets[4][1], second.sets[4][0])


def test_accumulating_fits_everything_so_far():
    """After one generation both arms have the same samples: the union is known."""
    real = normal(1, 1, 25, 3)
    arms = [Arm("replace"), Arm("accumulate", accumulate=True)]
    history = collapse.recurse(real, arms, 1, [7], watch=[1])
    union = torch.cat([real[0, 0], history.sets[1][0, 0, 0].double()]).numpy()
    assert history.spread[1, 0, 1] == pytest.approx(np.trace(np.cov(union.T, bias=True)), rel=1e-5)
    moved = np.square(union.mean(0) - real[0, 0].mean(0).numpy()).sum()
    assert history.drift[1, 0, 1] == pytest.approx(moved, rel=1e-3)


def test_what_an_accumulating_student_reads_is_a_fair_sample_of_everything():
    real = normal(1, 1, 3000, 1)
    arms = [Arm("accumulate", accumulate=True)]
    history = collapse.recurse(real, arms, 4, [0], watch=(1, 4))
    for g in (1, 4):
        same = (history.sets[g][0, 0, 0] == real[0, 0].float()).all(-1).double().mean()
        assert same.item() == pytest.approx(1 / (g + 1), abs=0.03)


def toy(rows: int = 200) -> Dataset:
    labels = torch.arange(rows) % 3
    images = torch.rand(rows, 1, 4, 4, generator=torch.Generator().manual_seed(1)) * 0.3
    images[:, 0, 0, :3] += 2.0 * torch.eye(3)[labels]
    return Dataset("toy", images, labels, None, ("a", "b", "c"), "made up", "0" * 64)


def test_the_components_are_those_of_the_pool():
    data = toy()
    start = collapse.begin(data, [3], pool=150, per_class=20, dimensions=5, chains=2)
    assert start.real.shape == (2, 3, 20, 5) and start.test.shape == (2, 50, 5)
    part = split(data, 3, 150, 0)
    flat = data.images.flatten(1).double().numpy()
    pca = PCA(5).fit(flat[part.train])
    expected = pca.transform(flat[part.test])[:, ::-1]
    np.testing.assert_allclose(start.test[0].abs(), np.abs(expected), atol=1e-8)
    assert torch.equal(start.labels[0], data.labels[part.test])
    assert not torch.equal(start.real[0], start.real[1]), "chains draw their own images"
    # The classes are apart, and a class's rows are its own.
    centres = start.real[0].mean(1)
    nearest = (start.test[0][:, None] - centres).square().sum(-1).argmin(1)
    assert torch.equal(nearest, start.labels[0])


def test_students_of_each_generation():
    data = toy()
    start = collapse.begin(data, [3, 4], pool=150, per_class=20, dimensions=5, chains=1)
    history = collapse.recurse(start.real, ARMS, 2, [3, 4], watch=(0, 2))
    found = collapse.score(start, history.sets, "mlp-8", Recipe(60, 16, 0.02), [3, 4])
    assert set(found) == {0, 2} and found[2].shape == (2, 4)
    assert (found[0] == found[0][:, :1]).all(), "generation 0 is real, whatever the arm"
    assert found[0].min() > 0.95, "classes this far apart are learned"
    wrecked = {0: history.sets[0], 2: history.sets[2].clone()}
    wrecked[2][1, 3] = 0.0  # one arm of one chain has nothing to learn from
    again = collapse.score(start, wrecked, "mlp-8", Recipe(60, 16, 0.02), [3, 4])
    assert again[2][1, 3] < 0.6
    others = np.ones((2, 4), dtype=bool)
    others[1, 3] = False
    np.testing.assert_allclose(again[2][others], found[2][others])
