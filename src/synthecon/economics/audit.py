"""The COGS audit: where a company's money for machine learning goes, and what could bring it down.

Two views of the same lines, which must add up to the same files: the playbook's ML cost, and
cost of goods sold under the company's own policy.  A lever's saving is measured effect × transfer −
cost of the pipeline; the effect comes from a run record, transfer and cost from the ledger.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from synthecon import Problem, records
from synthecon.economics import bill, classify, ledger
from synthecon.economics.case import Case

FORMULAS = {
    # What a measured value x says about the share of spend that goes away.
    "ratio": lambda x, n: 1 - 1 / x,  # the old way costs x times the new one
    "labels": lambda x, n: 1 - n / x,  # n labels do the work of x
    "percent": lambda x, n: x / 100,
    "of": lambda x, n: x / n,  # x of n go away
    "all": lambda x, n: 1.0,  # the audit itself found it: nothing to measure
}


@dataclass(frozen=True)
class Range:
    """Low, base and high: corners of what was measured and assumed, not a confidence interval."""

    low: float
    base: float
    high: float


@dataclass(frozen=True)
class Lever:
    """A way to spend less, with its evidence.

    spend: what the selected lines cost in the period, payroll left out.
    share: what the evidence says goes away where it was measured.
    transfer: how much of that this company may expect.
    cost: of the pipeline over the period.
    gross, net: saving before and after that cost.
    evidence: ids of the measurement and of ledger rows.
    verdicts: of the claims that rest on the measurement, where there are any.
    hours: payroll among the selected lines; freed time is no cash while the jobs stay.
    level, n: of the measurement's interval; None where the audit itself found it.
    lines: the accounting lines that the saving would move.  guessed: how many of its ledger rows
    nobody has checked.
    """

    id: str
    title: str
    classes: tuple[str, ...]
    synthetic: bool
    spend: Decimal
    share: Range
    transfer: Range
    cost: Range
    gross: Range
    net: Range
    evidence: tuple[str, ...]
    verdicts: tuple[str, ...]
    hours: Decimal
    level: float | None = None
    n: int | None = None
    lines: tuple[str, ...] = ()
    guessed: int = 0

    @property
    def break_even(self) -> Range | None:
        """The transfer at which the base-case pipeline cost is just earned back, over the measured
        interval; above 1 it cannot be.  None where the measured share may be zero or less."""
        if self.share.low <= 0 or not self.spend:
            return None
        return Range(
            *(
                self.cost.base / float(self.spend) / s
                for s in (self.share.high, self.share.base, self.share.low)
            )
        )


@dataclass(frozen=True)
class Check:
    """Two ways to the same sum."""

    name: str
    left: Decimal
    right: Decimal

    @property
    def holds(self) -> bool:
        return self.left == self.right


@dataclass(frozen=True)
class Audit:
    """Everything the report says.

    ml: the playbook's view, shared cost dealt out.  by_class, by_line: direct, all lines.
    cogs: line COGS; margin: gross margin, a share of revenue.
    """

    case: Case
    by_class: Mapping[str, Decimal]
    by_line: Mapping[str, Decimal]
    ml: Mapping[str, Decimal]
    revenue: Decimal
    cogs: Decimal
    margin: float
    unclassified: float
    flags: classify.Flags
    levers: tuple[Lever, ...]
    checks: tuple[Check, ...]

    @property
    def bottlenecks(self) -> tuple[Lever, ...]:
        """The three synthetic-data levers with the largest net saving, base case, above zero."""
        paying = [x for x in self.levers if x.synthetic and x.net.base > 0]
        return tuple(sorted(paying, key=lambda x: (-x.net.base, x.id))[:3])


def audit(case: Case) -> Audit:
    """The audit of a case that was read.

    Raises:
        Problem: levers.toml or ledger.csv is wrong, or the sums do not agree.
    """
    table = case.lines.table
    by_class, by_line = classify.totals(table, "class"), classify.totals(table, "line")
    ml = _ml_view(case)
    revenue = sum(case.revenue.values(), Decimal(0))
    cogs = by_line.get("COGS", Decimal(0))
    total = case.lines.total()
    found = Audit(
        case=case,
        by_class=by_class,
        by_line=by_line,
        ml=ml,
        revenue=revenue,
        cogs=cogs,
        margin=float(1 - cogs / revenue) if revenue else float("nan"),
        unclassified=float(by_class.get(classify.UNCLASSIFIED, 0) / total) if total else 0.0,
        flags=flags(case),
        levers=tuple(levers(case)),
        checks=tuple(_checks(case, by_class, by_line, ml)),
    )
    if broken := [c for c in found.checks if not c.holds]:
        lines = [f"{c.name}: {c.left} is not {c.right}" for c in broken]
        raise Problem("\n".join(["the sums do not agree:", *lines]))
    return found


def _ml_view(case: Case) -> dict[str, Decimal]:
    """ML cost by class; shared cost goes to the drivers, month by month."""
    policy = case.policy
    monthly = classify.totals(case.lines.table, "class", "month")
    view = {k: Decimal(0) for k, c in policy.classes.items() if c.ml and k != policy.shared}
    for (name, _), amount in monthly.items():
        if name in view:
            view[name] += amount
    for month in policy.months:
        shared = monthly.get((policy.shared, month), Decimal(0))
        weights = {d: monthly.get((d, month), Decimal(0)) for d in policy.drivers}
        for name, part in classify.allocate(shared, weights).items():
            view[name] += part
    return view


def _checks(case: Case, by_class: Mapping, by_line: Mapping, ml: Mapping) -> list[Check]:
    """Independent roads to the same totals."""
    policy, table, zero = case.policy, case.lines.table, Decimal(0)
    total = case.lines.total()
    direct = sum((v for k, v in by_class.items() if policy.classes[k].ml), zero)
    checks = [
        Check("classes add up to the lines", sum(by_class.values(), zero), total),
        Check("accounting lines add up to the lines", sum(by_line.values(), zero), total),
        Check("ML cost with shared cost dealt out", sum(ml.values(), zero), direct),
        Check(
            "rows read are the rows of the files",
            Decimal(len(table)),
            Decimal(sum(case.lines.rows.values())),
        ),
    ]
    for kind, columns in (("bill", ("EffectiveCost", "BilledCost")), ("invoice", ("amount",))):
        for path in policy.files[kind]:
            own = table.filter(pc.equal(table["file"], path.name))
            for column, ours in zip(columns, ("effective", "billed"), strict=False):
                read = pc.sum(own[ours]).as_py() or zero
                again = bill.control_total(path, column)
                checks.append(Check(f"{path.name}: {column} read twice", read, again))
    return checks


def flags(case: Case) -> classify.Flags:
    """Runaway spend: growth, idle commitments, spikes."""
    policy, table = case.policy, case.lines.table
    growth = {}
    monthly = classify.totals(table, "class", "month")
    for name in policy.classes:
        series = [float(monthly.get((name, m), 0)) for m in policy.months]
        first, last = sum(series[:3]), sum(series[-3:])
        if len(series) >= 6 and first > 0 and last / first > policy.growth:
            growth[name] = last / first
    status = classify.totals(table, "commitment")
    unused, used = (status.get(key, Decimal(0)) for key in ("Unused", "Used"))
    idle = float(unused / (unused + used)) if unused + used else 0.0
    spikes = []
    bills = table.filter(
        pc.and_(pc.equal(table["kind"], "bill"), pc.equal(table["charge"], "Usage"))
    )
    daily = classify.totals(bills, "class", "day")
    days = sorted({day for _, day in daily})
    for name in policy.classes:
        series = [float(daily.get((name, day), 0)) for day in days]
        if sum(value > 0 for value in series) <= len(series) / 2:
            continue  # billed by the month, not by the day: no day is usual
        found = classify.hampel(series, policy.spike_window, policy.spike_deviations)
        spikes += [
            classify.Spike(name, str(days[i]), daily[name, days[i]], Decimal(f"{usual:.2f}"), score)
            for i, usual, score in found
        ]
    return classify.Flags(growth, idle, unused, tuple(spikes))


def levers(case: Case) -> list[Lever]:
    """levers.toml, with spend from the bill, effects from records and the rest from the ledger.

    Raises:
        Problem: all that is wrong with the file, at once.
    """
    path = case.folder / "levers.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        book = ledger.read(case.folder / "ledger.csv")
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: {error}") from None
    except ledger.LedgerError as error:
        raise Problem(str(error)) from None
    found, wrong = [], []
    for name, entry in raw.items():
        try:
            found.append(_lever(case, book, name, entry))
        except (KeyError, TypeError, ValueError, ZeroDivisionError, Problem) as error:
            wrong.append(f"{path}, [{name}]: {error}")
    if wrong:
        raise Problem("\n".join(wrong))
    return found


def _lever(case: Case, book: Mapping[str, ledger.Row], name: str, entry: Mapping) -> Lever:
    table = case.lines.table
    mask = pa.chunked_array([pa.array([True] * len(table))])
    for condition in classify.parse(entry["when"], (*classify.FIELDS, *classify.PLACED)):
        mask = pc.and_(mask, condition.mask(table))
    # Freed hours of people who stay are no saving: payroll is looked at apart.
    payroll = pc.equal(table["kind"], "payroll")
    hours = pc.sum(table.filter(pc.and_(mask, payroll))["effective"]).as_py() or Decimal(0)
    some = table.filter(pc.and_(mask, pc.invert(payroll)))
    spend = pc.sum(some["effective"]).as_py() or Decimal(0)
    formula, n = FORMULAS[entry["formula"]], float(entry.get("n", 0))
    verdicts: tuple[str, ...] = ()
    evidence: list[str] = []
    share, level, seeds = Range(1.0, 1.0, 1.0), None, None
    if entry["formula"] != "all":
        evidence.append(entry["evidence"])
        record, m = records.find(entry["evidence"])
        if m.low is None or m.high is None:
            raise Problem(f"{entry['evidence']} has no interval")
        level, seeds = m.level, m.n
        ends = sorted(formula(x, n) for x in (m.low, m.high))
        share = Range(ends[0], formula(m.value, n), ends[1])
        verdicts = tuple(
            f"{c.name}: {c.verdict}"
            for c in record.claims
            if any(t.measurement == m.name for t in c.tests)
        )
    transfer = _row(book, entry["transfer"], "share")
    evidence += [entry["transfer"], *entry.get("costs", {}).values()]
    months = len(case.policy.months)
    cost = Range(0.0, 0.0, 0.0)
    for kind, row in entry.get("costs", {}).items():
        times = {"once": 1, "month": months}[kind]
        each = _row(book, row, case.policy.currency)
        cost = Range(
            *(getattr(cost, k) + times * getattr(each, k) for k in ("low", "base", "high"))
        )
    money = float(spend)
    gross = Range(
        money * share.low * (transfer.low if share.low > 0 else transfer.high),
        money * share.base * transfer.base,
        money * share.high * (transfer.high if share.high > 0 else transfer.low),
    )
    net = Range(gross.low - cost.high, gross.base - cost.base, gross.high - cost.low)
    lines = tuple(sorted(set(some["line"].unique().to_pylist())))
    rows = [entry["transfer"], *entry.get("costs", {}).values()]
    guessed = sum(book[row].source_type in ledger.GUESSED for row in rows)
    classes = tuple(sorted({c for c in some["class"].unique().to_pylist()}))
    return Lever(
        name, entry["title"], classes, bool(entry["synthetic"]), spend, share, transfer, cost,
        gross, net, tuple(evidence), verdicts, hours, level, seeds, lines, guessed,
    )  # fmt: skip


def _row(book: Mapping[str, ledger.Row], name: str, unit: str) -> Range:
    if name not in book:
        raise Problem(f"ledger.csv has no row {name!r}")
    row = book[name]
    if unit not in (row.unit.split("/")[0], row.currency):
        raise Problem(f"ledger.csv, {name}: its unit is {row.unit}, wanted {unit}")
    return Range(row.low, row.base, row.high)


def pareto(amounts: Mapping[str, Decimal]) -> list[tuple[str, Decimal, float]]:
    """Name, amount, cumulated share, largest first."""
    whole, running, found = sum(amounts.values(), Decimal(0)), Decimal(0), []
    for name, amount in sorted(amounts.items(), key=lambda item: (-item[1], item[0])):
        running += amount
        found.append((name, amount, float(running / whole) if whole else 0.0))
    return found
