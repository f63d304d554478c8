"""Queues in formulas: Little's law, Erlang's waiting formula, Pollaczek and Khinchine.

Standard library only.  Time has any unit, as long as arrivals and service have the same one.
All is steady state: a queue that was left alone for long, with demand that does not grow.
`backlog` simulates what these formulas leave out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Queue:
    """A queue in its steady state.

    utilisation: share of the servers' time that work fills.  wait: mean time until work on a
    request begins.  time: the same with the work itself.  waiting, inside: mean number of requests
    that wait, and that wait or are worked on.  delayed: share of requests that have to wait.
    """

    utilisation: float
    wait: float
    time: float
    waiting: float
    inside: float
    delayed: float


def little(arrivals: float, time: float) -> float:
    """Mean number inside = arrivals × mean time inside, whatever the queue (Little 1961).

    Raises:
        ValueError: a negative argument.
    """
    if not (arrivals >= 0 and time >= 0):
        raise ValueError(f"arrivals and time are not negative, got {arrivals}, {time}")
    return arrivals * time if arrivals else 0.0


def erlang_c(servers: int, load: float) -> float:
    """Share of requests that wait, with Poisson arrivals and exponential work (Erlang 1917).

    load: arrivals × mean work, in servers' worth.  By Erlang B's recursion, which no factorial
    overflows.  1 where the load reaches the number of servers.

    Raises:
        ValueError: no server, a negative or infinite load.
    """
    if servers < 1 or not 0 <= load < math.inf:
        raise ValueError(f"needs a server and a finite load of 0 or more, got {servers}, {load}")
    if load >= servers:
        return 1.0
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def mmc(arrivals: float, work: float, servers: int) -> Queue:
    """Poisson arrivals, exponential work with mean `work`, several equal servers, one queue.

    Waits are infinite where the work is more than the servers can do.

    Raises:
        ValueError: as `erlang_c`; work that is not positive.
    """
    _positive(arrivals, work)
    load = arrivals * work
    delayed = erlang_c(servers, load)
    wait = delayed * work / (servers - load) if load < servers else math.inf
    return _queue(arrivals, work, load / servers, wait, delayed)


def mg1(arrivals: float, work: float, variability: float) -> Queue:
    """Poisson arrivals, one server, work of any distribution (Pollaczek 1930, Khinchine 1932).

    variability: variance of the work over its squared mean: 0 where all requests are alike, 1 for
    exponential work.

    Raises:
        ValueError: negative variability, work that is not positive.
    """
    _positive(arrivals, work)
    if not variability >= 0:
        raise ValueError(f"variability is 0 or more, got {variability}")
    busy = arrivals * work
    wait = busy / (1 - busy) * (1 + variability) / 2 * work if busy < 1 else math.inf
    return _queue(arrivals, work, busy, wait, min(busy, 1.0))


def mgc(arrivals: float, work: float, variability: float, servers: int) -> Queue:
    """Poisson arrivals, several equal servers, work of any distribution: Erlang's wait times
    (1 + variability) / 2 (Lee and Longton 1959).

    An approximation: exact for one server, and for exponential work.

    Raises:
        ValueError: as `mmc` and `mg1`.
    """
    if not variability >= 0:
        raise ValueError(f"variability is 0 or more, got {variability}")
    q = mmc(arrivals, work, servers)
    return _queue(arrivals, work, q.utilisation, q.wait * (1 + variability) / 2, q.delayed)


def wait_factor(busy: float, requests: float = 1.0, size: float = 1.0, team: float = 1.0) -> float:
    """How many times shorter the mean wait of one team gets; below 1: longer.

    busy: utilisation before.  requests, size, team: what is left of the number of requests, of the
    work in each, and of the team, as shares of before.  The variability drops out: by Pollaczek and
    Khinchine the wait is proportional to requests × (size / team)² / (1 − busy).

    Raises:
        ValueError: utilisation outside (0, 1), a share that is not positive.
    """
    if not (0 < busy < 1 and min(requests, size, team) > 0):
        raise ValueError("needs a utilisation between 0 and 1 and positive shares")
    after = busy * requests * size / team
    return (1 - after) / (1 - busy) / (requests * (size / team) ** 2) if after < 1 else 0.0


def _positive(arrivals: float, work: float) -> None:
    if not (0 <= arrivals < math.inf and 0 < work < math.inf):
        raise ValueError(f"needs arrivals of 0 or more and positive work, got {arrivals}, {work}")


def _queue(arrivals: float, work: float, busy: float, wait: float, delayed: float) -> Queue:
    waiting, inside = (little(arrivals, t) for t in (wait, wait + work))
    return Queue(min(busy, 1.0), wait, wait + work, waiting, inside, delayed)
