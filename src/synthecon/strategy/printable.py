"""One printable number, how it looks, and the list in which such numbers are collected."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from synthecon.economics import explore, ledger, tco
from synthecon.economics.model import Model, ancestors

NEEDED = {"board.min-probability": "share", "board.cash-limit": "money", "board.review": "months"}
"""Ledger rows with which a board says what it demands: all fixed."""
PIVOT, QUO = "pivot", "status quo"
WAYS = {"quo": "status-quo", "pipe": "pipeline"}
WAY_NAMES = {"quo": "status quo", "pipe": "pipeline"}
TAIL = 0.05  # share of the scenarios beyond a printed low or high
MOST = f"{round(1 / TAIL) - 1} of {round(1 / TAIL)}"  # scenarios within a printed low or high
SMALL = 4096  # scenarios for what is searched for, or varied many times
YEAR, QUARTER = 12, 3
NOTHING = 1e-6  # what is smaller, in any unit, is what floating point leaves of a sum that is zero
CASH = ("items.csv", "ledger.csv")
"""Evidence of a number that rests on the whole cash model."""
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """One printable number, or word.

    value: in `unit`, the exact one; a text where the fact is a word, a name or a month "2026-11";
    None where there is no such number.  text: how it is printed, everywhere.  low, high: fifth and
    95th percentile over the scenarios, where they are known.  evidence: ids of ledger rows, items,
    measurements of records; "items.csv" and "ledger.csv" mean every one that the cash model uses.
    """

    id: str
    title: str
    value: float | str | None
    unit: str
    text: str
    low: float | None = None
    high: float | None = None
    evidence: tuple[str, ...] = ()


def money(amount: float, currency: str) -> str:
    """Three digits at most: "224 k USD", "1.25 M USD", "−8.4 k USD", "3.50 USD", "0.023 USD".

    Whatever is above `NOTHING` never prints as 0: a price of a hundredth is a price.
    """
    size, sign = abs(amount), "−" if amount < 0 else ""
    for limit, text in (
        (NOTHING, "0"),
        (9.995, _small(size)),
        (999.5, f"{size:,.0f}"),
        (9_950, f"{size / 1e3:.1f} k"),
        (999_500, f"{size / 1e3:.0f} k"),
        (9_995_000, f"{size / 1e6:.2f} M"),
        (math.inf, f"{size / 1e6:,.1f} M"),
    ):
        if size < limit:
            return f"{sign if text.strip('0.') else ''}{text} {currency}"
    raise ValueError(f"an amount must be finite, got {amount}")


def _small(size: float) -> str:
    """Cents from 1 to 10; below, three digits and no fewer places than cents."""
    if size >= 0.9995:
        return f"{size:.2f}".removesuffix(".00")
    text = f"{Decimal(f'{size:.3g}'):f}"
    return text + "0" * max(0, 4 - len(text))


def share(x: float, digits: int = 0) -> str:
    """ "76 %"; a true minus."""
    text = f"{abs(100 * x):.{digits}f}"
    return f"{'−' if x < 0 and text.strip('0.') else ''}{text} %"


def often(p: float, digits: int = 0) -> str:
    """A share of the scenarios, "76 %": none and all of them prove no certainty, and print "<1 %"
    and ">99 %"."""
    return "<1 %" if p < 0.005 else ">99 %" if p >= 0.995 else share(p, digits)


def month_name(month: str) -> str:
    """ "2026-11" as "November 2026"."""
    return f"{MONTHS[int(month[5:7]) - 1]} {month[:4]}"


def later(month: str, months: float) -> str:
    """The month so many months after one, "2026-11"; a part of a month counts as a whole one."""
    count = int(month[:4]) * YEAR + int(month[5:7]) - 1 + math.ceil(months - 1e-9)
    return f"{count // YEAR:04d}-{count % YEAR + 1:02d}"


def in_unit(x: float, row: ledger.Row) -> str:
    """A value of a ledger row with its unit: "23 %", "121 labels", "6.9 k USD/month"."""
    if row.currency:
        return money(x, row.unit)
    if explore.is_percent(row):
        # A ratio is a share for the units; nobody reads 269 % as "2.7 times".
        ratio = row.unit == "share" and row.high > 1.5
        per = f" {explore.unit(row)}" if explore.unit(row) else ""
        return f"{x:,.3g} times" if ratio else share(x, _places(x)) + per
    text = f"{x:,.0f}" if abs(x) >= 100 else "0"
    if NOTHING <= abs(x) < 100:
        text = f"{Decimal(f'{x:.3g}'):f}"
    return f"{text.replace('-', '−')} {row.unit}"


def _places(x: float) -> int:
    """Places of a percentage: one below ten per cent, and two digits in all below one."""
    size = abs(100 * x)
    if not NOTHING < size < 9.5:
        return 0
    if size >= 0.95:
        return 1
    return len(f"{Decimal(f'{size:.2g}'):f}") - 2


def exact(x: float) -> str:
    """Six digits, or all before the point; a true minus."""
    return (f"{x:,.0f}" if abs(x) >= 1e5 else f"{x:,.6g}").replace("-", "−")


def together(texts: Sequence[str]) -> str:
    """ "20, 50, 80 %": what all end in is said once."""
    unit = texts[-1].rpartition(" ")[2]
    if len(texts) > 1 and all(text.endswith(f" {unit}") for text in texts):
        texts = [text.removesuffix(f" {unit}") for text in texts[:-1]] + [texts[-1]]
    return ", ".join(texts)


class Collector:
    """Facts being collected; the helpers know how each kind is printed."""

    def __init__(self, model: Model) -> None:
        self.found: dict[str, Fact] = {}
        self.model, self.currency = model, model.currency

    def put(
        self, key: str, title: str, value: float | str | None, unit: str, text: str,
        evidence: Iterable[str] = CASH, spread: Sequence[float] = (None, None),
    ) -> None:  # fmt: skip
        if key in self.found:
            raise ValueError(f"the fact {key} is collected twice")
        low, high = spread
        if isinstance(value, float | np.floating | int):
            value = float(value)
        names = tuple(dict.fromkeys(evidence))
        self.found[key] = Fact(key, title, value, unit, text, low, high, names)

    def money(self, key: str, title: str, amount: float, evidence: Iterable[str] = CASH,
              spread: Sequence[float] = (None, None)) -> None:  # fmt: skip
        text = money(float(amount), self.currency)
        self.put(key, title, amount, self.currency, text, evidence, spread)

    def share(self, key: str, title: str, x: float, evidence: Iterable[str] = CASH,
              digits: int = 0) -> None:  # fmt: skip
        self.put(key, title, x, "share", share(float(x), digits), evidence)

    def chance(self, key: str, title: str, x: float, evidence: Iterable[str] = CASH,
               limit: float = math.nan) -> None:  # fmt: skip
        """A share of the scenarios: none and all of them prove no certainty, and one that is near
        its limit is never rounded across it."""
        near = int(abs(x - limit) < 0.015)
        text = "below 1 %" if x < 0.005 else "above 99 %" if x > 0.995 else share(x, near)
        self.put(key, title, x, "share", text, evidence)

    def month(self, key: str, title: str, x: float, evidence: Iterable[str] = CASH,
              spread: Sequence[float] = (None, None)) -> None:  # fmt: skip
        """A time in months from the decision; infinite: it never comes within the horizon."""
        never = not math.isfinite(x)
        horizon = f"not in {self.model.months} months"
        text = horizon if never else f"month {math.ceil(x - 1e-9):.0f}"
        self.put(key, title, None if never else x, "months", text, evidence, spread)

    def word(self, key: str, title: str, text: str, evidence: Iterable[str] = ()) -> None:
        self.put(key, title, text, "", text, evidence)

    def date(self, key: str, title: str, month: str, evidence: Iterable[str]) -> None:
        self.put(key, title, month, "month", month_name(month), evidence)


def tails(results: np.ndarray) -> tuple[float, float]:
    """Fifth and 95th percentile.  Never is a value: the order counts, nothing is interpolated."""
    found = np.quantile(results, (TAIL, 1 - TAIL), method="inverted_cdf")
    return float(found[0]), float(found[1])


def rests(model: Model, items: Iterable[tco.Item]) -> list[str]:
    """Ids of some items, and of every ledger row that they use."""
    some = list(items)
    if not some:
        return ["items.csv"]  # that there is none is what it says
    names: set[str] = set()
    for item in some:
        times = {when for when in item.times if isinstance(when, str)}
        names |= {name for name, _ in item.factors} | times | ({item.growth} - {""})
    known = model.rows.keys() | model.derived.keys()
    return [item.id for item in some] + sorted(ancestors(names, model.derived) & known)
