"""The monitor against brute force, and its guarantee on streams that never change."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthecon.physics import detect, monitor


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_score_orders_by_class_first_and_doubt_within():
    p = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.0, 1.0]])
    found = monitor.score(p)
    assert found.tolist() == pytest.approx([0.1, 0.4, 1.2, 1.0])
    flat = torch.full((1, 4), 0.25)
    assert 0 <= monitor.score(flat).item() < 1


def test_conformal_ranks_by_brute_force():
    """Few distinct values: ties with the past and within the week."""
    past = torch.randint(0, 4, (3, 10), generator=rng()).double().sort(1).values
    new = torch.randint(0, 4, (3, 6), generator=rng(1)).double()
    size = torch.tensor([10, 7, 0])
    for t, count in enumerate(size.tolist()):
        past[t, count:] = torch.inf
    p = monitor.conformal(past, size, new, rng(2))
    u = torch.rand(3, 6, generator=rng(2), dtype=torch.float64)
    for t in range(3):
        for i in range(6):
            seen = past[t, : size[t]].tolist() + new[t, :i].tolist()
            x = new[t, i].item()
            above, equal = sum(s > x for s in seen), sum(s == x for s in seen)
            expected = (above + u[t, i].item() * (equal + 1)) / (len(seen) + 1)
            assert p[t, i].item() == pytest.approx(expected)


def test_ranks_of_a_stream_that_does_not_change_are_uniform_and_independent():
    """Scores with ties; a year of weeks, each ranked among all before it."""
    watch = torch.randint(0, 30, (300, 220), generator=rng()).double()
    p = []
    for week in range(4):
        seen = 20 + 50 * week
        past = watch[:, :seen].sort(1).values
        size = torch.full((300,), seen)
        p.append(monitor.conformal(past, size, watch[:, seen : seen + 50], rng(week)))
    found = torch.cat(p, 1)
    assert stats.kstest(found.flatten(), "uniform").pvalue > 0.001
    later = torch.corrcoef(torch.stack([found[:, :-1].flatten(), found[:, 1:].flatten()]))[0, 1]
    assert later.abs() < 4 / math.sqrt(300 * 199)
    spread = found.mean(1).var() * 200 * 12  # of means of independent uniforms: 1
    assert spread.item() == pytest.approx(1, abs=0.35)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=0, max_size=15))
def test_capital_is_that_of_the_gambler_who_plays_step_by_step(hits):
    seen, money = [monitor.PRIOR] * 4, 1.0
    for hit in hits:
        money *= 4 * seen[hit] / sum(seen)
        seen[hit] += 1
    counts = torch.tensor([hits.count(b) for b in range(4)])
    assert monitor.log_capital(counts).exp().item() == pytest.approx(money, rel=1e-9)


def test_the_game_is_fair():
    """All sequences of five throws over three bins: the mean capital is 1."""
    throws = torch.cartesian_prod(*[torch.arange(3)] * 5)
    capital = monitor.log_capital(detect.tally(throws, 3)).exp()
    assert capital.mean().item() == pytest.approx(1, rel=1e-9)


def test_capital_of_all_gamblers_by_brute_force():
    reference = torch.rand(2, 30, generator=rng(), dtype=torch.float64)
    weeks = torch.rand(3, 2, 12, generator=rng(1), dtype=torch.float64)
    watch = monitor.Monitor.begin(reference, 4, bins=5)
    owned = [watch.step(week) for week in weeks]
    generator, past, fell = rng(4), reference, []
    for week in weeks:
        size = torch.full((2,), past.shape[1])
        p = monitor.conformal(past.sort(1).values, size, week, generator)
        fell.append(detect.tally((p * 5).long(), 5))
        past = torch.cat([past, week], 1)
    for t in range(3):
        expected = sum(monitor.log_capital(sum(fell[s : t + 1])).exp() for s in range(t + 1))
        torch.testing.assert_close(owned[t], expected)


def test_quiet_streams_alarm_no_sooner_than_promised():
    """Mean capital after w weeks is at most w, so an alarm at A by then has chance w / A."""
    watch = monitor.Monitor.begin(torch.rand(800, 40, generator=rng()).double(), 0, bins=8)
    rang = torch.zeros(800, dtype=torch.bool)
    for week in range(10):
        rang |= watch.step(torch.rand(800, 20, generator=rng(week + 1)).double()) >= 50
    low, _ = detect.clopper_pearson(int(rang.sum()), 800, 0.999)
    assert low <= 10 / 50


def test_a_restart_forgets_one_stream_and_leaves_the_other():
    first, second = (torch.rand(2, 30, generator=rng(k), dtype=torch.float64) for k in (0, 1))
    weeks = torch.rand(4, 2, 10, generator=rng(2), dtype=torch.float64)
    watch, alone = monitor.Monitor.begin(first, 0), monitor.Monitor.begin(first, 0)
    for week in weeks[:2]:
        watch.step(week)
        alone.step(week)
    watch.restart(torch.tensor([True, False]), second)
    fresh = monitor.Monitor.begin(second, 0)
    fresh.generator.set_state(watch.generator.get_state())
    for week in weeks[2:]:
        owned, kept, new = watch.step(week), alone.step(week), fresh.step(week)
        assert owned[0].item() == pytest.approx(new[0].item())
        assert owned[1].item() == pytest.approx(kept[1].item())


def test_changes_happen_in_as_many_weeks_as_asked():
    history = monitor.changes(50, 20, 3, 4, 0)
    assert (history[:, 0] == 0).all()
    assert ((history[:, 1:] != history[:, :-1]).sum(1) == 3).all()
    assert history.min() >= 0 and history.max() <= 3
    assert len(history[:, 1:].diff().nonzero()[:, 1].unique()) > 10
    assert (monitor.changes(5, 20, 0, 1, 0) == 0).all()
    for count, states in ((20, 4), (2, 1)):
        with pytest.raises(ValueError, match="do not fit"):
            monitor.changes(5, 20, count, states, 0)


def world() -> monitor.World:
    """Two states, plain to tell apart; a model is good in its own."""
    generator = rng()
    sure = 2 + torch.rand(1, 2, 2, 200, generator=generator, dtype=torch.float64)
    sure[0, 0, 1] -= 2
    sure[0, 1, 0] -= 2
    probabilities = torch.stack([sure, -sure], -1).softmax(-1)
    accuracy = torch.tensor([[[0.9, 0.5], [0.6, 0.8]]], dtype=torch.float64)
    return monitor.World(probabilities, accuracy)


def test_a_year_by_the_calendar():
    history = torch.tensor([[0, 0, 1, 1, 1, 0]])
    year = monitor.live(world(), torch.tensor([0]), history, monitor.calendar(2), 20, 10, 0)
    assert year.trained.tolist() == [[False, True, False, True, False, True]]
    # Trained in state 0 until week 4, in state 1 from then on.
    assert year.lost[0].tolist() == pytest.approx([0, 0, 0.3, 0.3, 0, 0.3])


@pytest.mark.parametrize(
    "policy", [monitor.by_psi(1.0), monitor.by_evidence(100, 0), monitor.by_evidence(100, 1)]
)
def test_a_policy_that_looks_reacts_to_the_change_and_starts_afresh(policy):
    history = torch.tensor([[0] * 5 + [1] * 7] * 6)
    split = torch.zeros(6, dtype=torch.int64)
    for _ in range(2):  # a policy can be used again
        year = monitor.live(world(), split, history, policy, 100, 40, 3)
        assert not year.trained[:, :5].any()
        assert year.trained[:, 5].all()
        assert not year.trained[:, 6:].any()
        expected = torch.zeros(6, 12, dtype=torch.float64)
        expected[:, 5] = 0.3
        torch.testing.assert_close(year.lost, expected)


def test_the_trace_is_the_capital_of_every_week():
    trace: list[torch.Tensor] = []
    policy = monitor.by_evidence(float("inf"), 0, trace=trace)
    year = monitor.live(world(), torch.zeros(3).long(), torch.zeros(3, 7).long(), policy, 30, 9, 0)
    assert not year.trained.any()
    assert torch.stack(trace).shape == (7, 3)
