"""Queues: formulas against each other, and against simulated requests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthecon.strategy import backlog, queueing


def erlang_c_by_sums(servers: int, load: float) -> float:
    """The textbook formula, with its factorials."""
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)


@given(st.integers(1, 40), st.floats(0.01, 0.99))
def test_erlang_c_is_the_textbook_formula(servers, busy):
    load = busy * servers
    assert queueing.erlang_c(servers, load) == pytest.approx(erlang_c_by_sums(servers, load))


def test_a_large_call_centre_overflows_nothing():
    assert 0 < queueing.erlang_c(2000, 1950.0) < 1


def test_one_server_waits_when_it_is_busy():
    assert queueing.erlang_c(1, 0.3) == pytest.approx(0.3)
    assert queueing.erlang_c(3, 0.0) == 0
    assert queueing.erlang_c(3, 3.0) == queueing.erlang_c(3, 7.0) == 1


@given(st.floats(0.1, 50), st.floats(0.05, 0.98))
def test_with_exponential_work_both_formulas_agree(arrivals, busy):
    one, other = (queueing.mmc(arrivals, busy / arrivals, 1),
                  queueing.mg1(arrivals, busy / arrivals, 1.0))  # fmt: skip
    for name in ("utilisation", "wait", "time", "waiting", "inside", "delayed"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))


def test_alike_requests_wait_half_as_long_as_exponential_ones():
    alike, mixed = (queueing.mg1(9, 0.1, v).wait for v in (0.0, 1.0))
    assert (alike, mixed) == pytest.approx((0.45, 0.9))


@given(st.floats(0.1, 50), st.floats(0.05, 0.98), st.floats(0, 4), st.integers(1, 12))
def test_several_servers_for_mixed_work_agree_with_both_formulas(arrivals, busy, v, servers):
    one = queueing.mgc(arrivals, busy / arrivals, v, 1)
    assert one.wait == pytest.approx(queueing.mg1(arrivals, busy / arrivals, v).wait)
    work = busy * servers / arrivals
    many = queueing.mgc(arrivals, work, 1.0, servers)
    assert many.wait == pytest.approx(queueing.mmc(arrivals, work, servers).wait)
    assert many.waiting == pytest.approx(arrivals * many.wait)


def test_simulated_mixed_requests_wait_as_several_servers_say():
    run = backlog.simulate(40, 0.8, 2.0, months=120, runs=40, seed=8, servers=4, before=20)
    wanted = queueing.mgc(40, 0.8 * 4 / 40, 2.0, 4).wait
    assert run.mean_wait(0, 120).mean() == pytest.approx(wanted, rel=0.1)  # an approximation


def test_numbers_inside_follow_from_little():
    q = queueing.mg1(12, 0.07, 1.5)
    assert q.waiting == pytest.approx(12 * q.wait)
    assert q.inside == pytest.approx(q.waiting + q.utilisation)
    assert queueing.little(0, math.inf) == 0


def test_more_work_than_time_never_ends():
    for q in (queueing.mmc(10, 0.4, 4), queueing.mg1(10, 0.1, 1.0)):
        assert (q.utilisation, q.wait, q.waiting) == (1, math.inf, math.inf)


@pytest.mark.parametrize(
    "call",
    [
        lambda: queueing.little(-1, 1), lambda: queueing.little(1, math.nan),
        lambda: queueing.erlang_c(0, 0.5), lambda: queueing.erlang_c(2, -0.1),
        lambda: queueing.erlang_c(2, math.inf), lambda: queueing.mmc(1, 0, 1),
        lambda: queueing.mg1(1, 0.5, -0.1), lambda: queueing.mgc(1, 0.5, -0.1, 2),
        lambda: queueing.wait_factor(1.0),
        lambda: queueing.wait_factor(0.5, size=0),
        lambda: backlog.simulate(5, 1.0, 1, months=3, runs=2, seed=0),
        lambda: backlog.waits(np.array([[1.0, 0.5]]), np.ones((1, 2))),
        lambda: backlog.waits(np.zeros((1, 2)), np.ones((1, 2)), 0),
    ],
)  # fmt: skip
def test_what_is_no_queue_is_refused(call):
    with pytest.raises(ValueError):
        call()


@given(st.floats(0.05, 0.97), st.floats(0.2, 1), st.floats(0.2, 1), st.floats(0.5, 1))
def test_the_factor_is_a_quotient_of_two_waits(busy, requests, size, team):
    before = queueing.mg1(7, busy / 7, 1.7)
    after = queueing.mg1(7 * requests, busy / 7 * size / team, 1.7)
    found = queueing.wait_factor(busy, requests, size, team)
    assert found == pytest.approx(before.wait / after.wait if after.wait < math.inf else 0)
    many = backlog.wait_factor(np.full(3, busy), requests, size, team)
    assert many == pytest.approx(np.full(3, found))


def test_halving_the_need_is_worth_more_the_fuller_the_queue():
    factors = [queueing.wait_factor(busy, requests=0.5) for busy in (0.1, 0.5, 0.9)]
    assert factors == pytest.approx([1.9 / 0.9, 3, 11])


def test_who_halves_the_team_too_gains_nothing():
    assert queueing.wait_factor(0.9, requests=0.5, team=0.5) == pytest.approx(0.5)
    assert queueing.wait_factor(0.9, size=0.5, team=0.5) == pytest.approx(1)


def test_scenarios_wait_as_the_formula_says():
    busy, v = np.array([0.3, 0.9, 1.2]), np.array([0.0, 2.0, 1.0])
    wanted = [queueing.mg1(5, b / 5, x).waiting for b, x in zip(busy, v, strict=True)]
    assert backlog.waiting(busy, v) == pytest.approx(wanted)


def test_waits_by_hand():
    arrive, work = np.array([[0.0, 1, 2, 9]]), np.array([[3.0, 3, 1, 1]])
    assert backlog.waits(arrive, work).tolist() == [[0, 2, 4, 0]]
    assert backlog.waits(arrive, work, 2).tolist() == [[0, 0, 1, 0]]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_work_is_neither_lost_nor_done_twice(seed):
    rng = np.random.default_rng(seed)
    arrive, work = rng.exponential(size=(3, 30)).cumsum(1), rng.exponential(size=(3, 30))
    leave = arrive + backlog.waits(arrive, work) + work
    assert np.all(np.diff(leave, axis=1) >= work[:, 1:] - 1e-9)  # one after the other
    assert np.all(leave >= arrive + work - 1e-9)


@pytest.mark.parametrize("variability", [0.0, 0.5, 2.0])
def test_simulated_requests_wait_as_pollaczek_and_khinchine_say(variability):
    run = backlog.simulate(20, 0.7, variability, months=120, runs=40, seed=4)
    wait = run.mean_wait(0, 120)
    error = wait.std(ddof=1) / np.sqrt(len(wait))
    assert abs(wait.mean() - queueing.mg1(20, 0.7 / 20, variability).wait) < 4 * error
    assert error < 0.08 * wait.mean()


def test_simulated_requests_wait_as_erlang_says():
    run = backlog.simulate(60, 0.8, 1.0, months=60, runs=40, seed=5, servers=3, before=20)
    wait = run.mean_wait(0, 60)
    wanted = queueing.mmc(60, 0.8 * 3 / 60, 3).wait
    assert abs(wait.mean() - wanted) < 4 * wait.std(ddof=1) / np.sqrt(len(wait))


def test_little_holds_for_what_was_simulated():
    run = backlog.simulate(20, 0.7, 1.0, months=200, runs=20, seed=6)
    times = np.linspace(10, 190, 3000)
    number = run.waiting(times).mean()
    assert number == pytest.approx(20 * run.mean_wait(10, 190).mean(), rel=0.04)


def test_arrivals_grow_as_told():
    run = backlog.simulate(30, 0.2, 1.0, months=24, runs=200, seed=7, growth=0.5)
    first = ((run.arrive >= 0) & (run.arrive < 12)).sum(1).mean()
    second = ((run.arrive >= 12) & (run.arrive < 24)).sum(1).mean()
    assert second / first == pytest.approx(1.5, rel=0.03)
    assert first == pytest.approx(30 * 12 * 0.5 / math.log(1.5), rel=0.02)
    assert run.arrive[:, -1].min() > 24  # nobody is missing at the end


def test_smaller_requests_take_less_of_the_team_from_their_month_on():
    def halved(t):
        return np.where(t >= 6, 0.5, 1.0)

    run = backlog.simulate(40, 0.6, 0.0, months=12, runs=3, seed=8, size=halved)
    early, late = run.work[run.arrive < 6], run.work[run.arrive >= 6]
    assert early == pytest.approx(0.6 / 40) and late == pytest.approx(0.3 / 40)


def test_the_same_seed_gives_the_same_queue():
    one, two = (backlog.simulate(9, 0.8, 1.5, months=6, runs=3, seed=1) for _ in range(2))
    assert np.array_equal(one.wait, two.wait)
    assert not np.array_equal(
        one.wait, backlog.simulate(9, 0.8, 1.5, months=6, runs=3, seed=2).wait
    )
