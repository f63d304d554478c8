"""How a practice spreads among teams: a curve fitted to counts, with its interval and forecast.

Two curves of two parameters each, as shares of the teams that can adopt at all.  Their number is
given and not fitted: from the first months of a curve it cannot be told (Van den Bulte and Lilien
1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from synthecon import Problem
from synthecon.economics import compare, table, tco
from synthecon.economics.model import Model
from synthecon.strategy import choices, debt

Curve = Literal["bass", "logistic"]
BOUNDS = {
    "bass": ((1e-3, 0.5), (1e-3, 2.0)),
    "logistic": ((1e-2, 3.0), (0.1, 120.0)),
}
"""Where parameters are looked for: p and q a month; steepness a month and the month of the half."""
FINE, GRID, ROUNDS, SHRINK = 96, 9, 36, 0.7
COLUMNS = ("month", "teams", "could", "practice", "source_type", "source", "as_of", "owner", "note")


def share(curve: Curve, t: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Share of the teams that have adopted at time t, in months from the start.

    bass: first = p, teams that start by themselves; second = q, teams that follow others (Bass
    1969).  logistic: first = steepness, second = month at which half of them have.
    """
    if curve == "bass":
        gone = np.exp(-(first + second) * t)
        return (1 - gone) / (1 + second / first * gone)
    return 1 / (1 + np.exp(-first * (t - second)))


@dataclass(frozen=True)
class Fit:
    """A fitted curve.  first, second: its parameters, see `share`; rss: sum of squared residuals,
    in squared teams."""

    curve: Curve
    teams: int
    first: float
    second: float
    rss: float

    def at(self, t: np.ndarray | float) -> np.ndarray:
        """Teams expected at time t."""
        first, second = np.float64(self.first), np.float64(self.second)
        return self.teams * share(self.curve, np.asarray(t, float), first, second)


def fit(t: np.ndarray, adopted: np.ndarray, teams: int, curve: Curve = "bass") -> Fit:
    """Least squares on the numbers adopted so far.

    Raises:
        ValueError: fewer than three months, more adopters than teams, a number that falls.
    """
    t, adopted = np.asarray(t, float), np.asarray(adopted, float)
    if t.size < 3 or t.shape != adopted.shape or not np.all(np.diff(t) > 0):
        raise ValueError("needs three months or more, in order, and a number for each")
    if np.any(np.diff(adopted) < 0) or adopted[0] < 0 or adopted[-1] > teams:
        raise ValueError("the number adopted so far rises, from 0 or more to the number of teams")
    first, second, rss = _fits(t, adopted[None], teams, curve)
    return Fit(curve, teams, float(first[0]), float(second[0]), float(rss[0]))


def _fits(
    t: np.ndarray, adopted: np.ndarray, teams: int, curve: Curve
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least squares for each row of adopted [rows, months], by grids over the logarithms.

    A fine one over all that is allowed finds the valley, for that can be long and bent; small ones
    that move with the best point and shrink find its bottom.  No derivative, no start value, and
    the same steps everywhere.
    """
    low, high = np.log(np.array(BOUNDS[curve])).T
    axes = [np.linspace(a, b, FINE) for a, b in zip(low, high, strict=True)]
    every = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    curves = teams * share(curve, t, *np.exp(every.T[..., None]))
    centre = every[((curves**2).sum(1) - 2 * adopted @ curves.T).argmin(1)]
    half = 3 * (high - low) / (FINE - 1)
    step = np.stack(np.meshgrid(*[np.linspace(-1, 1, GRID)] * 2), -1).reshape(-1, 2)
    rows, rss = np.arange(len(adopted)), np.full(len(adopted), np.inf)
    for _ in range(ROUNDS):
        points = np.clip(centre[:, None] + half * step, low, high)
        first, second = np.exp(points[..., 0, None]), np.exp(points[..., 1, None])
        wrong = ((teams * share(curve, t, first, second) - adopted[:, None]) ** 2).sum(-1)
        best = wrong.argmin(1)
        centre, rss = points[rows, best], wrong[rows, best]
        half = half * SHRINK
    return np.exp(centre[:, 0]), np.exp(centre[:, 1]), rss


def simulate(found: Fit, t: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers that such teams might have shown, [draws, months]: each month, each team that has not
    adopted does so by chance, at the curve's rate."""
    expected = np.clip(np.asarray(found.at(t), float) / found.teams, 0, 1)
    before = np.concatenate([[0.0], expected[:-1]])
    chance = np.clip((expected - before) / np.maximum(1 - before, 1e-12), 0, 1)
    adopted = np.zeros((draws, len(t)), int)
    so_far = np.zeros(draws, int)
    for month, p in enumerate(chance):
        so_far = so_far + rng.binomial(found.teams - so_far, p)
        adopted[:, month] = so_far
    return adopted


@dataclass(frozen=True)
class Forecast:
    """Teams by month: the median of the draws, and the ends of a range.

    The range holds the doubt about the curve and the chance of single teams, and not how far one
    practice differs from another.

    draws: [draws, months]; first, second: refitted parameters.
    """

    t: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    draws: np.ndarray
    first: np.ndarray
    second: np.ndarray
    level: float
    curve: Curve = "bass"

    def reached(self, number: float) -> np.ndarray:
        """First month at which so many teams have adopted: [draws]; inf where they never do."""
        there = self.draws >= number
        return np.where(there.any(1), self.t[there.argmax(1)], np.inf)


def forecast(
    found: Fit, observed: np.ndarray, t: np.ndarray, *, teams: int | None = None,
    draws: int = 400, level: float = 0.9, seed: int = 0,
) -> Forecast:  # fmt: skip
    """Teams at times t for a new start with the curve of an old one.

    By a parametric bootstrap: counts are drawn from the fitted curve, a curve is fitted to each,
    and from each of these the teams of this time are drawn.  observed: the months that the fit has
    seen.  teams: that can adopt this time.

    Raises:
        ValueError: a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, got {level}")
    rng = np.random.default_rng(seed)
    again = simulate(found, np.asarray(observed, float), draws, rng)
    first, second, _ = _fits(np.asarray(observed, float), again, found.teams, found.curve)
    count = found.teams if teams is None else teams
    made = np.stack(
        [
            simulate(Fit(found.curve, count, a, b, 0.0), t, 1, rng)[0]
            for a, b in zip(first, second, strict=True)
        ]
    )
    low, high = np.quantile(made, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Forecast(
        np.asarray(t), np.median(made, axis=0), low, high, made, first, second, level, found.curve
    )


def read(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Months, teams that had adopted by their ends, and how many could, from a CSV file.

    Raises:
        Problem: everything that is wrong with the file, at once: file, line, field.
    """
    lines, wrong = table.read(path, COLUMNS)
    found: dict[str, list[int]] = {"month": [], "teams": [], "could": []}
    for line, cells in lines:
        faults = [f"{k}: empty" for k in COLUMNS[:-1] if not cells[k]]
        for name, numbers in found.items():
            if not cells[name]:
                continue
            if not cells[name].isdecimal():
                faults.append(f"{name}: {cells[name]!r} is no whole number")
                continue
            number, last = int(cells[name]), numbers[-1] if numbers else 0
            if name == "could" and numbers and number != last:
                faults.append(f"could: {number} after {last}; it is one number for the practice")
            elif name != "could" and numbers and number < last + (name == "month"):
                faults.append(f"{name}: {number} after {last}; it must rise")
            numbers.append(number)
        if found["teams"] and found["could"] and found["teams"][-1] > found["could"][-1]:
            faults.append(f"teams: more than the {found['could'][-1]} that could")
        if cells["source_type"] and cells["source_type"] not in SOURCE_TYPES:
            faults.append(f"source_type: {cells['source_type']!r} is not one of the ledger's")
        wrong += [f"{path}, line {line}, {fault}" for fault in faults]
    if not wrong and len(lines) < 3:
        wrong.append(f"{path}: {len(lines)} months; a curve of two parameters needs three")
    if wrong:
        raise Problem("\n".join(wrong))
    return np.array(found["month"], float), np.array(found["teams"], float), found["could"][0]


def ahead(model: Model, draws: int = 400, seed: int = 0) -> Forecast | None:
    """How the teams of a company may take the pipeline up, month by month of the model, from its
    earlier practice; None without an adoption.csv.

    Raises:
        Problem: a file that is wrong; a ledger without the row adoption.teams.
    """
    path = model.folder / "adoption.csv"
    if not path.is_file():
        return None
    if "adoption.teams" not in model.rows:
        raise Problem(f"{model.folder / 'ledger.csv'}: there is no row 'adoption.teams'")
    t, adopted, could = read(path)
    months, teams = np.arange(1.0, model.months + 1), round(model.rows["adoption.teams"].base)
    return forecast(fit(t, adopted, could), t, months, teams=teams, draws=draws, seed=seed)


BY_TEAM = ("labelling", "scarcity", "retraining")
"""Subjects of `debt` whose benefit a team has to bring about: it sends fewer requests, trains on
made-up data, trusts the monitor.  Inference is none: one platform serves every team, and is
switched over on one date."""


def uptake(found: Forecast, start: np.ndarray | float, months: int, pick: np.ndarray) -> np.ndarray:
    """Share of the teams that have adopted in each month of a model: [S, months + 1].

    start: month in which the first may begin, [S].  pick: which of the curves a scenario takes,
    [S]; past the last they begin again.  Doubt about the curve counts, the chance of single teams
    does not.
    """
    some = np.asarray(pick).reshape(-1, 1) % len(found.first)
    t = np.maximum(np.arange(months + 1) - np.asarray(start, float).reshape(-1, 1), 0.0)
    return share(found.curve, t, found.first[some], found.second[some])


def adoption_stress(model: Model, drawn: tco.Values, found: Forecast) -> tuple[float, float]:
    """An option if its benefit comes team by team: expected value in money, and the chance that it
    pays, both after tax and with the burden of new risks, as in `choices.result`.

    model: of the option.  drawn: its scenarios.  Of what the subjects of BY_TEAM take away, a month
    keeps the share of the teams that have adopted by then, from the month in which the student
    serves.  What they cost comes on its date, as do inference, migration and severance.
    """
    left = choices.result(model, drawn).careful - late(model, drawn, found)
    return float(left.mean()), float(np.mean(left > 0))


def late(model: Model, drawn: tco.Values, found: Forecast) -> np.ndarray:
    """Present value, after tax, of what an option loses because teams come one after the other:
    [S]."""

    def lost(values: tco.Values) -> np.ndarray:
        shares = uptake(found, values["time.student"], model.months, values["pick"])
        parts = debt.drains(model.items, values, model.months)
        gone = sum(np.maximum(parts[k].removed, 0.0) for k in BY_TEAM)
        missing = np.where(shares > 0, 1 - shares, 0.0)  # before the start nothing is taken away
        plan = model.plan(values)
        return tco.present(gone * missing, plan.rate) * (1 - np.asarray(plan.tax, float))

    scenarios = np.arange(np.size(drawn["time.student"]))
    return compare.over(model, {**drawn, "pick": scenarios}, lost)


SOURCE_TYPES: Sequence[str] = ("invoice", "quote", "public", "expert", "illustrative")
