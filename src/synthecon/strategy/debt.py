"""Technical debt as a liability: what drains away month by month, and how much of it can stop.

A drain is not a debt because it is large: a company without any debt would label and serve too.
The debt is what would no longer be paid once it is paid off.  So each subject has three amounts:
what the status quo pays, what of it the pipeline takes away, and what the pipeline costs for it.
All before tax, in the money of the month; `present` brings them to today.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synthecon import Problem
from synthecon.economics import tco, units
from synthecon.economics.model import Model
from synthecon.strategy import backlog

Values = tco.Values


@dataclass(frozen=True)
class Subject:
    """Cost items that belong to one drain.  spent: of the status quo; after: what the pipeline
    still pays of the same; cost: what the pipeline needs in its place."""

    title: str
    spent: tuple[str, ...]
    after: tuple[str, ...]
    cost: tuple[str, ...]


SUBJECTS = {
    "inference": Subject(
        "Large-model inference",
        ("quo.inference",),
        ("pipe.inference-left", "pipe.inference-old", "pipe.inference-student"),
        ("pipe.distil-once", "pipe.distil-month", "pipe.node", "pipe.node-keep", "pipe.migration",
         "pipe.distraction", "pipe.tooling", "pipe.compliance-once"),
    ),
    "labelling": Subject(
        "Labelling",
        ("quo.labelling", "quo.people-labelling"),
        ("pipe.labelling-left", "pipe.labelling-old", "pipe.people-stays",
         "pipe.people-reallocated", "pipe.people-old", "pipe.severance"),
        ("pipe.labels-once", "pipe.labels-month"),
    ),
    "scarcity": Subject(
        "Data scarcity",
        ("quo.data", "quo.compliance"),
        ("pipe.data-left", "pipe.data-old", "pipe.compliance"),
        ("pipe.tooling-generator", "pipe.generation", "pipe.storage", "pipe.experts",
         "pipe.compliance-month"),
    ),
    "retraining": Subject(
        "Retraining by the calendar",
        ("quo.retraining",),
        ("pipe.retraining-left", "pipe.retraining-old"),
        ("pipe.monitor-once", "pipe.monitor-month"),
    ),
}  # fmt: skip
"""Which item of items.csv belongs where.  Migration, machine, lost team time, orchestration and the
impact assessment are charged to inference: a student alone would need them too.  The sum of all
subjects does not depend on that choice."""

NEEDED = {
    "queue.utilisation": "share",
    "queue.requests": "request/month",
    "queue.variability": "ratio",
    "queue.request-month": "MONEY/request-month",
    "opacity.asked": "share",
    "opacity.hours": "hours/decision",
    "price.audit-hour": "MONEY/hour",
    "transfer.explaining": "share",
    "transfer.hidden-error": "share",
    "adoption.teams": "teams",
}
"""Ledger rows that bottlenecks and debt need beside those of the cash model, and their units."""


@dataclass(frozen=True)
class Drain:
    """Monthly amounts of one subject: each [..., months + 1], positive money.

    spent: in the status quo.  removed: of that, what the pipeline takes away.  cost: what it costs.
    cash: False for amounts that no invoice shows.
    """

    title: str
    spent: np.ndarray
    removed: np.ndarray
    cost: np.ndarray
    cash: bool = True


def require(model: Model) -> None:
    """Make sure that the ledger has the rows of NEEDED.

    Raises:
        Problem: every row that is missing, in another unit, or outside its range.
    """
    path, wrong = model.folder / "ledger.csv", []
    for name, unit in NEEDED.items():
        wanted = unit.replace("MONEY", model.currency)
        row = model.rows.get(name)
        if row is None:
            wrong.append(f"{path}: there is no row {name!r}; add it, in {wanted}")
        elif units.parse(row.unit) != units.parse(wanted):
            wrong.append(f"{path}, {name}, unit: {row.unit!r}, but it must be {wanted!r}")
        elif name == "queue.utilisation" and not 0 < row.low <= row.high < 1:
            wrong.append(f"{path}, {name}, low, high: a queue lasts between 0 and 1, both excluded")
    if wrong:
        raise Problem("\n".join(wrong))


def drains(items: Sequence[tco.Item], values: Values, months: int) -> dict[str, Drain]:
    """The cash of each subject, by its key in SUBJECTS; what no subject names stands under "rest".

    spent − removed + cost is what the pipeline pays for a subject, month by month.  Of an option
    that leaves a subject as it is, nothing of it is removed: its items stand in both scenarios.
    """
    named = {i for s in SUBJECTS.values() for i in (*s.spent, *s.after, *s.cost)}
    single = [i for i in items if i.cash and len(i.scenario) == 1 and i.id not in named]
    rest = Subject(
        "Other items of one scenario",
        tuple(i.id for i in tco.of(single, "status-quo")),
        (),
        tuple(i.id for i in tco.of(single, "pipeline")),
    )
    by_id = {i.id: i for i in items}

    def flow(names: Sequence[str]) -> np.ndarray:
        return tco.flows([by_id[n] for n in names if n in by_id], values, months)

    found = {}
    for key, subject in (*SUBJECTS.items(), ("rest", rest)):
        spent = flow(subject.spent)
        stays = [n for n in subject.spent if n in by_id and "pipeline" in by_id[n].scenario]
        after = flow((*subject.after, *stays))
        found[key] = Drain(subject.title, spent, spent - after, flow(subject.cost))
    return found


def missed(
    items: Sequence[tco.Item], values: Values, months: int, ids: Sequence[str], title: str
) -> Drain:
    """Opportunity cost of some items as a drain: no cash, and no cost of its own.  Only the part
    that the pipeline avoids is known, so spent and removed are equal."""
    flow = tco.flows([i for i in items if i.id in ids], values, months)
    return Drain(title, flow, flow, np.zeros_like(flow), cash=False)


def left_busy(values: Values) -> tuple[np.ndarray, np.ndarray]:
    """Utilisation of the label team with the pipeline, and what is left of the team.

    The pipeline makes requests smaller (`save.labelling`); hours that leave the payroll
    (`share.cashable`) make the team smaller.  A teacher whose labels save nothing is not used.
    """
    saved = np.maximum(values["save.labelling"], 0.0)
    team = 1 - saved * values["share.cashable"]
    return values["queue.utilisation"] * (1 - saved) / team, team


def waiting(values: Values, months: int) -> Drain:
    """What the requests that wait cost: their mean number times the price of a request-month.

    By Little's law and the formula of Pollaczek and Khinchine the number depends on utilisation and
    variability alone.  The team is taken to grow with the need, as its pay does in the model.
    """
    price = np.asarray(values["queue.request-month"], float)
    now = backlog.waiting(np.asarray(values["queue.utilisation"]), values["queue.variability"])
    then = backlog.waiting(left_busy(values)[0], values["queue.variability"])
    return _standing("Requests that wait", now * price, (now - then) * price, values, months)


def hidden_error(errors: np.ndarray) -> np.ndarray:
    """Errors that the average conceals: mean over classes of what each exceeds the mean by.

    errors: [..., classes], in points; all classes count alike.  0 where all are equal.  Noise in
    `errors` makes it larger, never smaller: compare two with the same noise.
    """
    above = errors - errors.mean(-1, keepdims=True)
    return np.maximum(above, 0).mean(-1)


def opacity(
    values: Values, months: int, hidden: tuple[np.ndarray, np.ndarray]
) -> tuple[Drain, Drain]:
    """What decisions cost that nobody can explain: the effort of explaining those that somebody
    asks about, and the errors in classes that the average conceals.

    hidden: `hidden_error` before and after, in points of a measured world; a ledger row says how
    much of it carries over.  Neither is cash.
    """
    decisions = np.asarray(values["opportunity.decisions"], float)
    effort = decisions * values["opacity.asked"] * values["opacity.hours"]
    effort = effort * values["price.audit-hour"]
    point = decisions * values["opportunity.error-per-point"] * values["opportunity.error-cost"]
    before, after = (np.asarray(h) * point * values["transfer.hidden-error"] for h in hidden)
    share = np.asarray(values["transfer.explaining"], float)
    return (
        _standing("Explaining decisions", effort, effort * share, values, months),
        _standing("Errors that the average conceals", before, before - after, values, months),
    )


def _standing(
    title: str, monthly: np.ndarray, removed: np.ndarray, values: Values, months: int
) -> Drain:
    """A drain of the same amount each month, of which a part stops when the old way is off."""
    t = np.arange(months + 1)
    cutover = np.asarray(values["time.cutover"], float)[..., None]
    spent = np.asarray(monthly)[..., None] * (t > 0)
    off = np.asarray(removed)[..., None] * np.clip(t - cutover, 0, 1)
    return Drain(title, spent, off, np.zeros_like(spent), cash=False)


def present(drain: Drain, rate: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Present values of spent, removed and cost at a yearly rate: each [...]."""
    return tuple(tco.present(x, rate) for x in (drain.spent, drain.removed, drain.cost))  # type: ignore[return-value]


def total(title: str, drains: Sequence[Drain]) -> Drain:
    """Several drains in one; cash only where all of them are."""
    parts = {k: sum(getattr(d, k) for d in drains) for k in ("spent", "removed", "cost")}
    return Drain(title, **parts, cash=all(d.cash for d in drains))  # type: ignore[arg-type]


def net(drains: Mapping[str, Drain], rate: np.ndarray | float) -> np.ndarray:
    """Present value of all that is removed less all that it costs: [...]."""
    found = [present(d, rate) for d in drains.values()]
    return np.asarray(sum(removed - cost for _, removed, cost in found))
