"""Six calculators, one function each, and the declaration that every form of them is built from.

Standard library only, with other such modules of this folder: the same file runs in a notebook, in
the dashboard, on the command line and inside a web page.  Money is in one currency, written ¤ in a
unit; a share is between 0 and 1; defaults are ids of the company's ledger, of its service levels,
or of a measurement, never numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from synthecon.economics import accounts, cashflow, service, sourcing, unit_cost

YEAR = 12  # months
MOST = 1e12  # of any amount or volume: what is larger is a typing error


@dataclass(frozen=True)
class Input:
    """One field of a form.

    source: where a company's own value stands: an id of ledger.csv, "sla.csv#SCHEDULE.ROW.COLUMN",
    or a measurement "RECORD#NAME".  low, high: the values that the function takes, both included;
    above: low itself is too low.  whole: no fractions.
    """

    id: str
    label: str
    unit: str
    low: float
    high: float
    source: str
    above: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Output:
    """One result.  form: money, share, months or number.  never: how its None is told."""

    id: str
    label: str
    unit: str
    form: str
    never: str = "never"


@dataclass(frozen=True)
class Calculator:
    """A function with its form.

    key, even: ids of the outputs that are the answer and the break-even.  says: the answer in a
    sentence or two, from inputs, results and a function that prints an input or output by its id.
    """

    id: str
    title: str
    about: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    key: str
    even: str
    compute: Callable[..., Any]
    says: Callable[[Mapping[str, float], Any, Callable[[str], str]], str]


HINTS = {"share": ("40 %", "0.4"), "1/year": ("11 %", "0.11")}
"""Units in which people type per cent: an example, and what to type for it."""


def span(field: Input) -> str:
    """The range of a field in words: "above 0 to 1"."""
    low, high = (f"{int(x):,}" if x == math.floor(x) else f"{x:g}" for x in (field.low, field.high))
    words = f"{'above' if field.above else 'from'} {low} to {high}"
    return f"{words}, without a fraction" if field.whole else words


def checked(fields: tuple[Input, ...], values: Mapping[str, float]) -> None:
    """Refuse values out of their range.

    Raises:
        ValueError: names the field, its range and what to do.
    """
    for field in fields:
        x = values[field.id]
        inside = math.isfinite(x) and (field.low < x if field.above else field.low <= x)
        if inside and x <= field.high and (not field.whole or x == math.floor(x)):
            continue
        advice = f"enter a number {span(field)}"
        if field.unit in HINTS:
            advice += "; {} is {}".format(*HINTS[field.unit])
        raise ValueError(f"{field.id} ({field.label.lower()}): got {x:g}; {advice}")


def _money(id: str, label: str, unit: str, source: str, above: bool = False) -> Input:
    return Input(id, label, unit, 0, MOST, source, above)


def _share(id: str, label: str, source: str, above: bool = False) -> Input:
    return Input(id, label, "share", 0, 1, source, above)


def _rate(id: str, label: str, source: str) -> Input:
    return Input(id, label, "1/year", -0.9, 10, source)


def _months(source: str = "calc.months") -> Input:
    return Input("months", "Months looked ahead", "months", 1, 120, source, whole=True)


# -- Unit economics -------------------------------------------------------------------------------


@dataclass(frozen=True)
class UnitEconomics:
    """serving, contribution, cost: money for a thousand requests.  margin: contribution over price.
    result: money a month.  break_even_volume: thousand requests a month, None where a request
    contributes nothing.  break_even_utilisation: share of busy hours, None where none up to 1 is
    enough."""

    serving: float
    contribution: float
    margin: float
    cost: float
    result: float
    break_even_volume: float | None
    break_even_utilisation: float | None


UNIT_INPUTS = (
    _money("price", "Revenue of a thousand requests", "¤/krequest", "calc.price-request", True),
    _money("volume", "Requests a month, in thousands", "krequest/month", "volume.requests", True),
    _money("hours", "Busy machine-hours for a thousand", "h/krequest", "calc.machine-hours"),
    _money("machine", "Price of a machine-hour", "¤/h", "rent.machine"),
    _share("utilisation", "Busy share of the paid hours", "serving.utilisation", True),
    _money("other", "Other cost of a thousand", "¤/krequest", "calc.other-request"),
    _money("fixed", "Cost whatever the volume", "¤/month", "calc.fixed"),
)


def unit_economics(
    *, price: float, volume: float, hours: float, machine: float, utilisation: float,
    other: float, fixed: float,
) -> UnitEconomics:  # fmt: skip
    """What a thousand requests earn, cost and leave.

    Args:
        price: revenue of a thousand requests, above 0.
        volume: thousand requests a month, above 0.
        hours: busy machine-hours that a thousand requests take, at least 0.
        machine: money for a machine-hour, busy or idle, at least 0.
        utilisation: busy share of the paid hours, above 0 and at most 1.
        other: money for a thousand requests beside the machines, at least 0.
        fixed: money a month whatever the volume, at least 0.

    Raises:
        ValueError: an argument out of its range.

    Source: contribution margin and break-even volume, Horngren, Cost Accounting, ch. 3;
    `unit_cost.per_million` for the machines.
    """
    checked(UNIT_INPUTS, locals())
    busy = 3600.0 * hours
    serving = unit_cost.per_million(1000 * busy, machine, utilisation) / 1000
    contribution = accounts.contribution_margin(price, serving + other)
    left = price - other - fixed / volume  # what the machines may cost
    needed = unit_cost.per_million(1000 * busy, machine, 1.0) / 1000 / left if left > 0 else 2.0
    return UnitEconomics(
        serving=serving,
        contribution=contribution,
        margin=accounts.gross_margin(price, serving + other),
        cost=serving + other + fixed / volume,
        result=contribution * volume - fixed,
        break_even_volume=(
            accounts.break_even_units(fixed, price, serving + other) if contribution > 0 else None
        ),
        break_even_utilisation=needed if needed <= 1 else None,
    )


def _unit_says(values: Mapping[str, float], found: UnitEconomics, text: Callable) -> str:
    if found.break_even_volume is None:
        return "Each request loses money: no volume breaks even."
    side = "above" if found.result >= 0 else "below"
    return (
        f"Breaks even at {text('break_even_volume')}; you are {side} it, "
        f"with {text('result')} left over a month."
    )


# -- Build or buy ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class BuildVsBuy:
    """buy, build: present cost over all months.  saved: what building saves, negative where it
    costs more.  break_even_volume: thousand requests a month at which both cost the same, None
    where one is cheaper at every volume.  break_even_price: vendor's price of a thousand requests
    at which both cost the same, None where even a free request would be too dear."""

    buy: float
    build: float
    saved: float
    break_even_volume: float | None
    break_even_price: float | None


BUILD_INPUTS = (
    _money("volume", "Requests a month, in thousands", "krequest/month", "volume.requests", True),
    _months(),
    _rate("rate", "Discount rate", "finance.wacc"),
    _money("buy_once", "Buy: joining, and leaving one day", "¤", "calc.buy-once"),
    _money("buy_month", "Buy: cost whatever the volume", "¤/month", "calc.buy-month"),
    _money("buy_unit", "Buy: price of a thousand requests", "¤/krequest", "price.vendor-request"),
    _rate("buy_growth", "Buy: growth of that bill", "growth.vendor-fee"),
    _money("build_once", "Build: people, until it serves", "¤", "calc.build-once"),
    _money("build_month", "Build: cost whatever the volume", "¤/month", "calc.build-month"),
    _money(
        "build_machines", "Build: machines for a thousand a month", "¤·month/krequest",
        "calc.build-machines",
    ),
    _money("build_unit", "Build: hosting of a thousand requests", "¤/krequest", "calc.build-unit"),
    _rate("build_growth", "Build: growth of hosting", "growth.traffic"),
)  # fmt: skip


def build_vs_buy(
    *, volume: float, months: float, rate: float, buy_once: float, buy_month: float,
    buy_unit: float, buy_growth: float, build_once: float, build_month: float,
    build_machines: float, build_unit: float, build_growth: float,
) -> BuildVsBuy:  # fmt: skip
    """Present cost of a vendor's service and of one's own, and where they are equal.

    Left out: tax, the months until one's own service runs, and machines for later growth.

    Args:
        volume: thousand requests a month at the start, above 0.
        months: 1 to 120, a whole number.
        rate, buy_growth, build_growth: a year, from −0.9 (discount rate; growth of the vendor's
            bill and of the cost of hosting, in volume and price together).
        buy_once, build_once: money now.
        buy_month, build_month: money a month, whatever the volume.
        buy_unit, build_unit: money for a thousand requests at the start.
        build_machines: money now for each thousand requests a month.

    Raises:
        ValueError: an argument out of its range.

    Source: `sourcing.line`, `sourcing.break_even_volume`; Brealey, Myers, Allen, ch. 2.
    """
    checked(BUILD_INPUTS, locals())
    periods, monthly = int(months), cashflow.per_period(rate, YEAR)
    steady = cashflow.annuity_factor(monthly, periods)
    rise = {
        name: sourcing.growing_annuity(monthly, cashflow.per_period(growth, YEAR), periods)
        for name, growth in (("buy", buy_growth), ("build", build_growth))
    }
    buy = sourcing.line(
        "buy", outlay=buy_once, fixed=buy_month, unit=buy_unit, annuity=steady,
        unit_annuity=rise["buy"],
    )  # fmt: skip
    build = sourcing.line(
        "build", outlay=build_once, fixed=build_month, unit=build_unit, annuity=steady,
        unit_annuity=rise["build"], unit_outlay=build_machines,
    )  # fmt: skip
    price = (build.at(volume) - buy.fixed) / (volume * rise["buy"])
    return BuildVsBuy(
        buy=buy.at(volume),
        build=build.at(volume),
        saved=buy.at(volume) - build.at(volume),
        break_even_volume=sourcing.break_even_volume(buy, build),
        break_even_price=price if price >= 0 else None,
    )


def _build_says(values: Mapping[str, float], found: BuildVsBuy, text: Callable) -> str:
    cheaper = "Building" if found.saved > 0 else "Buying"
    if found.break_even_volume is None:
        return f"{cheaper} is cheaper at every volume."
    return f"{cheaper} is cheaper; both cost the same at {text('break_even_volume')}."


# -- Service level --------------------------------------------------------------------------------


@dataclass(frozen=True)
class SlaPenalty:
    """availability: share of the month.  allowed: hours of outage that earn no credit.  share: of
    the fee, that falls due.  credit: money that you get; loss: money that you lose; gap: loss less
    credit.  covered: credit over loss, None where nothing is lost.  beyond: hours of outage above
    which even the highest credit is less than the loss, None where an hour costs nothing.  Below
    them a credit may cover the loss, or not: that depends on the tier."""

    availability: float
    allowed: float
    share: float
    credit: float
    loss: float
    gap: float
    covered: float | None
    beyond: float | None


def _tier(place: int) -> tuple[Input, Input]:
    row = f"sla.csv#vendor.{place}"
    return (
        _share(f"below_{place}", f"Tier {place}: below this availability", f"{row}.below"),
        _share(f"credit_{place}", f"Tier {place}: credit, of the fee", f"{row}.credit"),
    )


SLA_INPUTS = (
    _money("down", "Hours of outage in the month", "h", "sla.mttr"),
    _money("outages", "Outages in the month", "outages", "calc.outages"),
    Input("hours", "Hours of the month", "h", 0, 744, "unit.month-hours", above=True),
    _money("fee", "Fee of the month", "¤/month", "sla.fee"),
    *_tier(1),
    *_tier(2),
    *_tier(3),
    _share("cap", "Most that a month pays back, of the fee", "calc.sla-cap"),
    _share("claimed", "Share of due credits that you claim", "share.credit-claimed"),
    _money("loss_hour", "Lost in an hour of outage", "¤/h", "sla.loss-hour"),
    _money("loss_outage", "Work after each outage", "¤/outage", "sla.loss-outage"),
)


def sla_penalty(
    *, down: float, outages: float, hours: float, fee: float, below_1: float, credit_1: float,
    below_2: float, credit_2: float, below_3: float, credit_3: float, cap: float, claimed: float,
    loss_hour: float, loss_outage: float,
) -> SlaPenalty:  # fmt: skip
    """What a month's outage gives back under a tiered, capped credit, against what it costs.

    Args:
        down: hours of outage, 0 to `hours`.
        outages: how many they were, at least 0; without an hour of outage there was none.
        hours: of the month, above 0 and at most 744.
        fee: money a month.
        below_1 to below_3: availability below which a tier pays, 0 to 1, in any order; met exactly,
            it pays nothing.
        credit_1 to credit_3: its share of the fee, 0 to 1; a worse month must not pay less.
        cap: most that a month pays back, share of the fee.
        claimed: share of the due credits that you claim in time.
        loss_hour, loss_outage: money lost in an hour, and by each outage.

    Raises:
        ValueError: an argument out of its range; more hours of outage than hours; tiers in which a
            worse month pays less.

    Source: `service.credit`, `service.downtime`; the form of cloud providers' agreements.
    """
    checked(SLA_INPUTS, locals())
    if down > hours:
        raise ValueError(
            f"down (hours of outage in the month): got {down:g}; enter a number from 0 to "
            f"{hours:g}, the hours of the month"
        )
    tiers = ((below_1, credit_1), (below_2, credit_2), (below_3, credit_3))
    up = 1 - down / hours
    try:
        due = min(cap, service.credit(up, tiers))
    except ValueError as error:
        raise ValueError(
            f"credit_1, credit_2, credit_3 (credits of the tiers): {error}; enter a number from 0 "
            "to 1 for each, the largest at the lowest availability"
        ) from None
    credit = due * claimed * fee
    loss = down * loss_hour + outages * loss_outage if down else 0.0
    most = min(cap, max(credit_1, credit_2, credit_3)) * claimed * fee
    return SlaPenalty(
        availability=up,
        allowed=service.downtime(max(below_1, below_2, below_3), hours),
        share=due,
        credit=credit,
        loss=loss,
        gap=loss - credit,
        covered=credit / loss if loss else None,
        beyond=max(0.0, (most - outages * loss_outage) / loss_hour) if loss_hour else None,
    )


def _sla_says(values: Mapping[str, float], found: SlaPenalty, text: Callable) -> str:
    if found.covered is None:
        return "Nothing is lost in this month."
    told = f"The credit covers {text('covered')} of the loss; {text('gap')} stays with you."
    if found.credit == 0:
        told = f"No credit comes back: the whole loss, {text('loss')}, stays with you."
    elif found.gap <= 0:
        told = f"The credit covers the whole loss, {text('loss')}."
    if found.beyond is None:
        return told
    if found.beyond == 0:
        return f"{told} Even the highest credit is less than the shortest outage costs."
    if found.beyond >= values["hours"]:
        return f"{told} The highest credit would cover an outage of the whole month."
    return f"{told} Above {text('beyond')} of outage even the highest credit is less than the loss."


# -- Pay-back of a student ------------------------------------------------------------------------


@dataclass(frozen=True)
class DistillationPayback:
    """invested: money once.  saved: money a month after upkeep, negative where it costs more.
    payback: months, None where it never comes.  total: money over all months.  break_even_traffic:
    thousand requests a month at which it is repaid in exactly those months, None where a student's
    answer is no cheaper."""

    invested: float
    saved: float
    payback: float | None
    total: float
    break_even_traffic: float | None


DISTIL_INPUTS = (
    _money("traffic", "Requests a month, in thousands", "krequest/month", "volume.requests"),
    _money("teacher", "Large model: cost of a thousand", "¤/krequest", "calc.serving-request"),
    _money("student", "Student: cost of a thousand", "¤/krequest", "calc.student-request"),
    _share("moved", "Share of requests that the student takes", "transfer.distil-inference"),
    _money("once", "Building and training, once", "¤", "cost.distil.once"),
    _money("queries", "Teacher's answers to learn from, in thousands", "krequest", "calc.queries"),
    _money("month", "Upkeep of distillation", "¤/month", "cost.distil.month"),
    _months(),
)


def distillation_payback(
    *, traffic: float, teacher: float, student: float, moved: float, once: float, queries: float,
    month: float, months: float,
) -> DistillationPayback:  # fmt: skip
    """Months until training and querying are repaid by cheaper serving; nothing is discounted.

    Left out: growth, ramp, tax, and what the student's errors cost.

    Args:
        traffic: thousand requests a month, at least 0.
        teacher, student: money for a thousand requests.
        moved: share of the requests that the student answers, 0 to 1.
        once: money for building and training.
        queries: thousand requests that the teacher answers for the training, at its price.
        month: money a month to keep the student up to date.
        months: horizon of `total` and of the break-even, 1 to 120, a whole number.

    Raises:
        ValueError: an argument out of its range.

    Source: simple payback, Brealey, Myers, Allen, ch. 5.
    """
    checked(DISTIL_INPUTS, locals())
    each = moved * (teacher - student)
    invested, saved = once + queries * teacher, traffic * each - month
    return DistillationPayback(
        invested=invested,
        saved=saved,
        payback=invested / saved if saved > 0 else None,
        total=saved * months - invested,
        break_even_traffic=(month + invested / months) / each if each > 0 else None,
    )


def _distil_says(values: Mapping[str, float], found: DistillationPayback, text: Callable) -> str:
    if found.break_even_traffic is None:
        return "The student's answers are no cheaper: no traffic repays it."
    even = f"repaid within {values['months']:.0f} months from {text('break_even_traffic')} on"
    if found.payback is None:
        return f"Never repaid at this traffic; {even}."
    return f"Repaid after {text('payback')}; {even}."


# -- Labels against made-up examples --------------------------------------------------------------


@dataclass(frozen=True)
class LabelExchange:
    """worth: labels that would be as good as the labels with the synthetic examples.  replaced:
    labels that the examples replace here, after transfer.  examples: synthetic examples for one
    real label; cost: their money.  break_even_price: money for a thousand examples at which both
    ways cost the same.  break_even_labels: labels to replace until the generator is repaid.  None:
    the examples replace no label, or cost more than it."""

    worth: float
    replaced: float
    examples: float | None
    cost: float | None
    break_even_price: float | None
    break_even_labels: float | None


WORTH = "cpu/lesson-1-physics/synthetic-worth#accuracy"
LABEL_INPUTS = (
    Input("labels", "Real labels in the experiment", "labels", 1, MOST, "calc.labels-few"),
    Input("synthetic", "Synthetic examples beside them", "examples", 1, MOST, "calc.images-beside"),
    Input(
        "accuracy", "Accuracy without them", "%", 0, 100, f"{WORTH}.real-100.synthetic-0"
    ),
    Input(
        "accuracy_with", "Accuracy with them", "%", 0, 100, f"{WORTH}.real-100.synthetic-4500"
    ),
    Input("more", "More real labels, no synthetic", "labels", 1, MOST, "calc.labels-more"),
    Input(
        "accuracy_more", "Accuracy with more labels", "%", 0, 100, f"{WORTH}.real-200.synthetic-0"
    ),
    _share("carries", "Share of the saving that carries over", "transfer.images"),
    _money("label", "Price of a real label", "¤/label", "price.label-bought"),
    _money("example", "Price of a thousand examples", "¤/1000 examples", "calc.example-price"),
    _money("once", "Building the generator", "¤", "calc.generator-once"),
)  # fmt: skip


def label_exchange(
    *, labels: float, synthetic: float, accuracy: float, accuracy_with: float, more: float,
    accuracy_more: float, carries: float, label: float, example: float, once: float,
) -> LabelExchange:  # fmt: skip
    """How many synthetic examples replace one real label, and at which price they pay.

    Three points of a learning curve: `labels` alone, the same with `synthetic` examples, and `more`
    labels alone.  Between the first and the last, accuracy is taken as a straight line over the
    logarithm of the labels.

    Args:
        labels, synthetic, more: counts, at least 1; more above labels.
        accuracy, accuracy_with, accuracy_more: per cent; the last above the first, and not below
            the second.
        carries: share of the saving that holds outside the experiment, 0 to 1.
        label: money for one real label; example: for a thousand synthetic examples.
        once: money for the generator.

    Raises:
        ValueError: an argument out of its range; a curve that does not rise, or ends too early.

    Source: iso-accuracy reading of lesson 1's synthetic-worth notebook.
    """
    checked(LABEL_INPUTS, locals())
    if more <= labels:
        raise ValueError(
            f"more (more real labels, no synthetic): got {more:g}; enter a number above {labels:g}"
        )
    if accuracy_more <= accuracy:
        raise ValueError(
            f"accuracy_more (accuracy with more labels): got {accuracy_more:g}; enter a number "
            f"above {accuracy:g} to 100: a curve that does not rise has no exchange rate"
        )
    if accuracy_with > accuracy_more:
        raise ValueError(
            f"accuracy_with (accuracy with them): got {accuracy_with:g}; enter a number from 0 to "
            f"{accuracy_more:g}, or a larger count of labels for `more`: the curve ends too early"
        )
    part = (accuracy_with - accuracy) / (accuracy_more - accuracy)
    worth = labels * (more / labels) ** part
    replaced = max(0.0, worth - labels) * carries
    if not replaced:
        return LabelExchange(worth, 0.0, None, None, None, None)
    examples = synthetic / replaced
    cost = examples * example / 1000
    return LabelExchange(
        worth=worth,
        replaced=replaced,
        examples=examples,
        cost=cost,
        break_even_price=1000 * label / examples,
        break_even_labels=once / (label - cost) if label > cost else None,
    )


def _label_says(values: Mapping[str, float], found: LabelExchange, text: Callable) -> str:
    if found.examples is None:
        return "The examples replace no label: no price makes them pay."

    def amount(id: str) -> str:
        """Money alone: the sentence says what for."""
        return text(id).partition("/")[0]

    told = (
        f"{text('examples')} replace one label and cost {amount('cost')}; "
        f"a label costs {amount('label')}."
    )
    if not values["label"]:
        return f"{told} No price makes them pay."
    if found.break_even_labels is None:
        return (
            f"{told} They pay when a thousand examples cost less than "
            f"{amount('break_even_price')} (today {amount('example')})."
        )
    return f"{told} The generator is repaid after {text('break_even_labels')}."


# -- The J-curve of a pivot -----------------------------------------------------------------------


@dataclass(frozen=True)
class PivotJCurve:
    """curve: cumulated cash after each month, the first now.  trough: its lowest point, 0 or below;
    trough_month: when.  payback: months until the sum stays at 0 or above, None where it does not
    in these months.  npv: money.  break_even_saving: full saving a month at which the NPV is zero,
    None where no saving falls into these months."""

    curve: tuple[float, ...]
    trough: float
    trough_month: float
    payback: float | None
    npv: float
    break_even_saving: float | None


PIVOT_INPUTS = (
    _money("once", "Cost once, now", "¤", "calc.pivot-once"),
    Input("start", "Month in which the new way starts", "months", 1, 120, "time.student"),
    Input("parallel", "Months in which both ways run", "months", 0, 120, "time.parallel"),
    _money("double", "Cost while both ways run", "¤/month", "calc.pivot-parallel"),
    Input("ramp", "Months until the saving is full", "months", 0, 120, "calc.ramp"),
    _money("saving", "Full saving, before upkeep", "¤/month", "calc.pivot-saving"),
    _rate("growth", "Growth of the saving", "growth.inference"),
    _money("month", "Upkeep of the new way", "¤/month", "calc.pivot-month"),
    _rate("rate", "Discount rate", "finance.wacc"),
    _share("tax", "Tax rate", "finance.tax"),
    _months(),
)


def rise(month: int, start: float, ramp: float) -> float:
    """Share of the full amount in a month: nothing before `start`, all after `ramp` months.

    A month between two counts in part, as in `tco.Item.shape`.
    """
    return min(1.0, max(0.0, (month - start + 1) / max(ramp, 1.0))) if month > 0 else 0.0


def pivot_j_curve(
    *, once: float, start: float, parallel: float, double: float, ramp: float, saving: float,
    growth: float, month: float, rate: float, tax: float, months: float,
) -> PivotJCurve:  # fmt: skip
    """Monthly cumulated cash of a pivot, after tax: how deep, how long, and what it is worth.

    Money goes out now; from `start` the new way costs its upkeep, and `double` on top until the old
    way is off; after `parallel` months the saving rises over `ramp` months.  Everything is
    expensed, and a loss lowers tax at once.

    Args:
        once: money now.
        start: month in which the new way begins to serve, 1 to 120.
        parallel: months in which both serve everything, 0 to 120.
        double: money a month on top while the old way is not off, falling as the saving rises.
        ramp: months over which the saving comes up, 0 to 120.
        saving: money a month, once it is full, at today's prices and volume; before upkeep.
        growth: of the saving, a year.
        month: upkeep of the new way, money a month.
        rate: discount rate a year.
        tax: share of profit, 0 to 1.
        months: 1 to 120, a whole number.

    Raises:
        ValueError: an argument out of its range.

    Source: `cashflow.npv`, `cashflow.payback`; Brealey, Myers, Allen, ch. 2 and 5.
    """
    checked(PIVOT_INPUTS, locals())
    off = start + parallel
    times = range(int(months) + 1)
    full = [(1 + growth) ** (t / YEAR) * rise(t, off, ramp) * (1 - tax) for t in times]
    spent = [
        (
            (once if t == 0 else 0.0)
            + month * rise(t, start, 1)
            + double * max(0.0, rise(t, start, 1) - rise(t, off, ramp))
        )
        * (1 - tax)
        for t in times
    ]
    flows = [saving * gain - cost for gain, cost in zip(full, spent, strict=True)]
    curve, total = [], 0.0
    for flow in flows:
        total += flow
        curve.append(total)
    monthly = cashflow.per_period(rate, YEAR)
    gained, paid = cashflow.npv(monthly, full), cashflow.npv(monthly, spent)
    trough = min(0.0, *curve)
    return PivotJCurve(
        curve=tuple(curve),
        trough=trough,
        trough_month=float(curve.index(trough)) if trough in curve else 0.0,
        payback=cashflow.payback(flows),
        npv=saving * gained - paid,
        break_even_saving=paid / gained if gained > 0 else None,
    )


def _pivot_says(values: Mapping[str, float], found: PivotJCurve, text: Callable) -> str:
    deep = f"Down to {text('trough')} after tax in {text('trough_month')}"
    if found.payback is None:
        return f"{deep}; not paid back in {values['months']:.0f} months."
    return f"{deep}; paid back after {text('payback')}."


# -- What there is --------------------------------------------------------------------------------

ALL = (
    Calculator(
        "unit-economics", "Unit economics",
        "What a thousand requests earn, cost and leave, and the volume at which they carry the "
        "fixed cost.",
        UNIT_INPUTS,
        (
            Output("serving", "Machines for a thousand requests", "¤/krequest", "money"),
            Output("contribution", "Contribution of a thousand requests", "¤/krequest", "money"),
            Output("margin", "Contribution margin", "", "share"),
            Output("cost", "Full cost of a thousand requests", "¤/krequest", "money"),
            Output("result", "Left over a month", "¤/month", "money"),
            Output("break_even_volume", "Break-even volume", "krequest/month", "number", "none"),
            Output("break_even_utilisation", "Break-even utilisation", "", "share", "none"),
        ),
        "result", "break_even_volume", unit_economics, _unit_says,
    ),
    Calculator(
        "build-vs-buy", "Build or buy",
        "Present cost of a vendor's service and of one's own, and the volume at which they are "
        "equal.",
        BUILD_INPUTS,
        (
            Output("buy", "Present cost of buying", "¤", "money"),
            Output("build", "Present cost of building", "¤", "money"),
            Output("saved", "Building saves", "¤", "money"),
            Output("break_even_volume", "Break-even volume", "krequest/month", "number", "none"),
            Output("break_even_price", "Break-even price of the vendor", "¤/krequest", "money",
                   "none"),
        ),
        "saved", "break_even_volume", build_vs_buy, _build_says,
    ),
    Calculator(
        "sla-penalty", "Service-level penalty",
        "What an outage gives back under a tiered and capped credit, against what it costs you.",
        SLA_INPUTS,
        (
            Output("availability", "Availability of the month", "", "share"),
            Output("allowed", "Outage that earns no credit", "h", "number"),
            Output("share", "Credit due, of the fee", "", "share"),
            Output("credit", "Credit that you get", "¤", "money"),
            Output("loss", "What you lose", "¤", "money"),
            Output("gap", "Loss less credit", "¤", "money"),
            Output("covered", "Share of the loss that is covered", "", "share", "no loss"),
            Output("beyond", "Outage that costs as much as the highest credit", "h", "number",
                   "none"),
        ),
        "gap", "beyond", sla_penalty, _sla_says,
    ),
    Calculator(
        "distillation-payback", "Distillation pay-back",
        "Months until a student's training is repaid by cheaper answers, and the traffic that it "
        "takes.",
        DISTIL_INPUTS,
        (
            Output("invested", "Building, training and querying", "¤", "money"),
            Output("saved", "Saved a month, after upkeep", "¤/month", "money"),
            Output("payback", "Payback", "months", "months"),
            Output("total", "Over all months", "¤", "money"),
            Output("break_even_traffic", "Break-even traffic", "krequest/month", "number", "none"),
        ),
        "payback", "break_even_traffic", distillation_payback, _distil_says,
    ),
    Calculator(
        "label-exchange", "Label exchange rate",
        "How many synthetic examples replace one real label, and the price at which they pay.",
        LABEL_INPUTS,
        (
            Output("worth", "Labels that would be as good", "labels", "number"),
            Output("replaced", "Labels replaced, after transfer", "labels", "number"),
            Output("examples", "Synthetic examples for one label", "examples", "number", "none"),
            Output("cost", "Examples for one label cost", "¤/label", "money", "none"),
            Output("break_even_price", "Break-even price of a thousand examples",
                   "¤/1000 examples", "money", "none"),
            Output("break_even_labels", "Labels until the generator is repaid", "labels", "number"),
        ),
        "cost", "break_even_price", label_exchange, _label_says,
    ),
    Calculator(
        "pivot-j-curve", "J-curve of the whole pipeline",
        "Cumulated cash after tax, by month, of a pivot to the whole pipeline, made-up data and "
        "all: how deep it goes, when it is back, what it is worth.",
        PIVOT_INPUTS,
        (
            Output("trough", "Lowest cumulated cash, after tax", "¤", "money"),
            Output("trough_month", "Month of the lowest point", "", "month"),
            Output("payback", "Payback", "months", "months", "not in these months"),
            Output("npv", "Net present value, after tax", "¤", "money"),
            Output("break_even_saving", "Break-even full saving, before upkeep and tax", "¤/month",
                   "money", "none"),
        ),
        "npv", "break_even_saving", pivot_j_curve, _pivot_says,
    ),
)  # fmt: skip


def output(one: Calculator, name: str) -> Output:
    """Its output of that id."""
    return next(o for o in one.outputs if o.id == name)


def find(name: str) -> Calculator:
    """The calculator of that id.

    Raises:
        ValueError: there is none; the message lists them.
    """
    for one in ALL:
        if one.id == name:
            return one
    raise ValueError(f"no calculator {name!r}: choose one of {', '.join(c.id for c in ALL)}")
