"""A risk register as a simulation: how often, how much, and what each control takes away.

A risk has a row for how often it strikes in a year and a row for what one event costs.  The first
is not known, so it differs from scenario to scenario; the second is a distribution that each event
draws from.  A control costs money every year and takes away a share of the events, or of what one
event costs.  With and without a control the *same* events happen: what differs is the control.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr

from synthecon.economics import ledger, outage, uncertain
from synthecon.economics.assumption import Assumption

Values = Mapping[str, float | np.ndarray]
SCALE = "risk.scale"
"""Ledger row: how far the cost of all events may be off together, a factor."""


@dataclass(frozen=True)
class Risk:
    """frequency: ledger row in 1/year, a probability where it strikes at most once a year, else a
    Poisson rate.  impact: ledger row in money, what one event costs.  brought: by the pipeline; the
    others are there today."""

    id: str
    name: str
    once: bool
    brought: bool

    @property
    def frequency(self) -> str:
        return f"risk.{self.id}.frequency"

    @property
    def impact(self) -> str:
        return f"risk.{self.id}.impact"


@dataclass(frozen=True)
class Effect:
    """What a control does to a risk.  share: ledger row, of the events or of the cost of each."""

    risk: str
    on: Literal["events", "impact"]
    share: str


@dataclass(frozen=True)
class Control:
    """Its cost is the ledger row control.ID.cost, money a year."""

    id: str
    name: str
    effects: tuple[Effect, ...]

    @property
    def cost(self) -> str:
        return f"control.{self.id}.cost"


RISKS = (
    Risk("privacy", "Fine for a privacy breach", True, True),
    Risk("licence", "Teacher's licence withdrawn", True, True),
    Risk("collapse", "Model collapses after recursion", True, True),
    Risk("shift", "A shift that nobody saw", False, False),
    Risk("supplier", "A supplier fails", False, False),
)
CONTROLS = (
    Control("membership", "Membership test of releases",
            (Effect("privacy", "events", "control.membership.privacy"),)),
    Control("review", "Review of the teacher's licence",
            (Effect("licence", "events", "control.review.licence"),)),
    Control("accumulate", "Real data kept and accumulated",
            (Effect("collapse", "impact", "control.accumulate.collapse"),)),
    Control("monitor", "Drift monitor",
            (Effect("shift", "impact", "control.monitor.shift"),
             Effect("collapse", "impact", "control.monitor.collapse"))),
    Control("second", "Second source",
            (Effect("supplier", "impact", "control.second.supplier"),
             Effect("licence", "impact", "control.second.licence"))),
)  # fmt: skip


def mean(row: Assumption) -> float:
    """The mean of a ledger row's distribution, in closed form.

    A split lognormal's is base × (e^(a²/2) Φ(−a) + e^(b²/2) Φ(b)), a and b the spreads of the
    logarithm below and above the base; a split normal's is base + (b − a) / √(2π).
    """
    low, base, high = row.low, row.base, row.high
    if row.distribution == "fixed" or low == high:
        return base
    if row.distribution == "pert":
        return (low + 4 * base + high) / 6
    if row.distribution == "triangular":
        return (low + base + high) / 3
    if row.distribution == "uniform":
        return (low + high) / 2
    if row.distribution == "normal":
        return base + (high - 2 * base + low) / uncertain.Z / math.sqrt(2 * math.pi)
    below, above = math.log(base / low) / uncertain.Z, math.log(high / base) / uncertain.Z
    return base * float(
        math.exp(below**2 / 2) * ndtr(-below) + math.exp(above**2 / 2) * ndtr(above)
    )


def asked() -> list[str]:
    """Ids of the ledger rows that the register reads."""
    wanted = [SCALE]
    for risk in RISKS:
        wanted += [risk.frequency, risk.impact]
    for control in CONTROLS:
        wanted += [control.cost, *(e.share for e in control.effects)]
    return wanted


def missing(rows: Collection[str]) -> list[str]:
    """Ids that the register needs and the ledger does not have."""
    return [name for name in asked() if name not in rows]


# -- Expectation ----------------------------------------------------------------------------------


def left(values: Values, risk: Risk, on: str, controls: Collection[Control]) -> np.ndarray:
    """Share of a risk's events, or of the cost of each, that the controls leave: [] or [S].

    Controls act independently of each other: what one leaves, the next one thins.
    """
    share = np.ones(())
    for control in controls:
        for effect in control.effects:
            if effect.risk == risk.id and effect.on == on:
                share = share * (1 - np.asarray(values[effect.share], float))
    return share


def expected(
    rows: Mapping[str, ledger.Row],
    values: Values,
    controls: Collection[Control] = (),
    risks: Sequence[Risk] = RISKS,
) -> dict[str, np.ndarray]:
    """Expected loss a year of each risk, before tax: frequency × mean cost of an event × what the
    controls leave of either, [] or [S].

    values: of the frequencies and shares; the cost of an event enters with the mean of its row.
    """
    return {
        risk.id: np.asarray(values[risk.frequency], float)
        * mean(rows[risk.impact])
        * values[SCALE]
        * left(values, risk, "events", controls)
        * left(values, risk, "impact", controls)
        for risk in risks
    }


@dataclass(frozen=True)
class Worth:
    """What a control is worth, a year: each [] or [S].

    alone: expected loss that it removes as the only control.  last: that it removes beside all the
    others, which is never more.
    """

    control: Control
    cost: np.ndarray
    alone: np.ndarray
    last: np.ndarray


def worths(
    rows: Mapping[str, ledger.Row],
    values: Values,
    controls: Sequence[Control] = CONTROLS,
    risks: Sequence[Risk] = RISKS,
) -> list[Worth]:
    """Each control by itself, the one that removes most for its cost first (means of scenarios)."""

    def total(some: Collection[Control]) -> np.ndarray:
        return sum(expected(rows, values, some, risks).values(), np.zeros(()))

    none, every = total(()), total(controls)
    found = []
    for control in controls:
        others = [c for c in controls if c is not control]
        cost = np.asarray(values[control.cost], float)
        found.append(Worth(control, cost, none - total([control]), total(others) - every))
    return sorted(found, key=lambda w: -float(np.mean(w.alone) / np.mean(w.cost)))


# -- Simulation -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Events:
    """What happens in each of many simulated years, before any control.

    year, risk: of each event, as numbers.  loss: what it costs.  luck: uniform draws, [events,
    controls], that decide whether a control stops the event.
    """

    years: int
    risks: tuple[Risk, ...]
    controls: tuple[Control, ...]
    year: np.ndarray
    risk: np.ndarray
    loss: np.ndarray
    luck: np.ndarray


def draw(
    rows: Mapping[str, ledger.Row],
    values: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    *,
    risks: Sequence[Risk] = RISKS,
    controls: Sequence[Control] = CONTROLS,
) -> Events:
    """One year for each scenario: its frequencies, and then chance.

    Risks strike independently of each other within a scenario.

    Raises:
        ValueError: a probability of a year outside 0 to 1.
    """
    count = max(np.size(values[r.frequency]) for r in risks)
    years, kinds, losses = [], [], []
    for number, risk in enumerate(risks):
        often = np.broadcast_to(np.asarray(values[risk.frequency], float), count)
        if np.any(often < 0) or (risk.once and np.any(often > 1)):
            raise ValueError(f"{risk.frequency}: a probability is from 0 to 1, a rate not negative")
        struck = rng.binomial(1, often) if risk.once else rng.poisson(often)
        year = np.repeat(np.arange(count), struck)
        scale = np.broadcast_to(np.asarray(values[SCALE], float), count)[year]
        years.append(year)
        kinds.append(np.full(len(year), number))
        losses.append(uncertain.law(rows[risk.impact])(rng.standard_normal(len(year))) * scale)
    year = np.concatenate(years)
    luck = rng.random((len(year), len(controls)))
    return Events(count, tuple(risks), tuple(controls), year, np.concatenate(kinds),
                  np.concatenate(losses), luck)  # fmt: skip


def losses(events: Events, values: Values, controls: Collection[Control] = ()) -> np.ndarray:
    """Loss of each simulated year by risk, [years, risks], with these controls in place."""
    loss, happens = events.loss.copy(), np.ones(len(events.loss), bool)
    for place, control in enumerate(events.controls):
        if control not in controls:
            continue
        for effect in control.effects:
            hit = np.array([r.id == effect.risk for r in events.risks])[events.risk]
            share = np.broadcast_to(np.asarray(values[effect.share], float), events.years)
            if effect.on == "events":
                happens &= ~hit | (events.luck[:, place] >= share[events.year])
            else:
                loss = loss * np.where(hit, 1 - share[events.year], 1.0)
    n = len(events.risks)
    cell = events.year * n + events.risk
    flat = np.bincount(cell, weights=loss * happens, minlength=events.years * n)
    return flat.reshape(events.years, n)


def expected_shortfall(losses: np.ndarray, level: float = 0.95) -> float:
    """Mean of the worst 1 − level of the years; see `outage.shortfall`.

    Raises:
        ValueError: fewer than 20 years in the tail.
    """
    return outage.shortfall(np.asarray(losses, float).ravel(), level).value
