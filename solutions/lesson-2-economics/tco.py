"""The exercises of the model lab: what each accepts, and the mistakes that it knows."""

from dataclasses import replace

import numpy as np

from synthecon import paths
from synthecon.economics import cashflow, ledger, tco, uncertain
from synthecon.labs import Exercise, Wrong

MONTHS = 36

# ---- share: a measured ratio, and how much of it carries over


def ratios(rng):
    return [
        (float(r), float(t))
        for r, t in zip(
            rng.uniform(1.5, 9, 5), rng.uniform(0.2, 0.9, 5), strict=False
        )
    ]


def saved(ratio, transfer):
    return (1 - 1 / ratio) * transfer


def ratio_over_transfer(ratio, transfer):
    return 1 - 1 / (ratio * transfer)


def what_is_left(ratio, transfer):
    return transfer / ratio


def whole_ratio(ratio, transfer):
    return 1 - 1 / ratio


def excess(ratio, transfer):
    return (ratio - 1) * transfer


# ---- course: ramp, full, fade


def courses(rng):
    asked = [(1, 0, 36, 0), (5, 6, 20, 4)]
    for _ in range(4):
        start = int(rng.integers(2, 8))
        asked.append(
            (
                start,
                int(rng.integers(2, 9)),
                int(rng.integers(18, 30)),
                int(rng.integers(2, 7)),
            )
        )
    return asked


def item(start, ramp, end, fade):
    return tco.Item("x", "x", ("pipeline",), "OpEx", "COGS", True, "monthly", float(start), float(ramp),
                    float(end), float(fade), (), "", "")  # fmt: skip


def course(start, ramp, end, fade):
    return item(start, ramp, end, fade).shape(MONTHS, {}).tolist()


def no_ramp(start, ramp, end, fade):
    return course(start, 0, end, fade)


def no_fade(start, ramp, end, fade):
    return course(start, ramp, end, 0)


def a_month_late(start, ramp, end, fade):
    return [0.0, *course(start, ramp, end, fade)[:-1]]


def fades_before_the_end(start, ramp, end, fade):
    return course(start, ramp, end - fade, fade)


# ---- cost: an amount that grows


def amounts(rng):
    full = [0.0] + [1.0] * MONTHS
    return [
        (float(rng.uniform(5e3, 9e4)), float(rng.uniform(0.06, 0.3)), full),
        (
            float(rng.uniform(5e3, 9e4)),
            float(-rng.uniform(0.05, 0.2)),
            course(4, 6, 30, 3),
        ),
        (
            float(rng.uniform(5e3, 9e4)),
            float(rng.uniform(0.06, 0.3)),
            course(2, 3, 25, 5),
        ),
    ]


def cost(amount, growth, course):
    return [
        amount * share * (1 + growth) ** (t / 12)
        for t, share in enumerate(course)
    ]


def simple_growth(amount, growth, course):
    return [
        amount * share * (1 + growth * t / 12) for t, share in enumerate(course)
    ]


def a_twelfth(amount, growth, course):
    return [
        amount * share * (1 + growth / 12) ** t
        for t, share in enumerate(course)
    ]


def by_steps(amount, growth, course):
    return [
        amount * share * (1 + growth) ** (t // 12)
        for t, share in enumerate(course)
    ]


def yearly_in_a_month(amount, growth, course):
    return [
        amount * share * (1 + growth) ** t for t, share in enumerate(course)
    ]


# ---- after-tax: operating cost, equipment, depreciation


def outlays(rng):
    asked = []
    for life in (24, 36, 12):
        operating = rng.uniform(1e3, 9e3, MONTHS + 1).tolist()
        asked.append(
            (
                operating,
                float(rng.uniform(2e4, 9e4)),
                float(rng.uniform(0.2, 0.35)),
                life,
            )
        )
    return asked


def after_tax(operating, equipment, tax, life):
    capital = np.zeros(MONTHS + 1)
    capital[0] = equipment
    paid = np.asarray(operating) * (1 - tax) + capital
    return (paid - tax * tco.depreciation(capital, life)).tolist()


def expensed_equipment(operating, equipment, tax, life):
    flows = np.asarray(operating) * (1 - tax)
    flows[0] += equipment * (1 - tax)
    return flows.tolist()


def no_shield(operating, equipment, tax, life):
    flows = np.asarray(operating) * (1 - tax)
    flows[0] += equipment
    return flows.tolist()


def depreciation_is_cash(operating, equipment, tax, life):
    charge = tco.depreciation(np.asarray([equipment] + [0.0] * MONTHS), life)
    return ((np.asarray(operating) + charge) * (1 - tax)).tolist()


def both_ways(operating, equipment, tax, life):
    charge = tco.depreciation(np.asarray([equipment] + [0.0] * MONTHS), life)
    return (
        np.asarray(after_tax(operating, equipment, tax, life)) + charge
    ).tolist()


# ---- npv: monthly flows, a yearly rate


def flows_and_rates(rng):
    return [
        (
            [
                -float(rng.uniform(1e5, 3e5)),
                *rng.uniform(2e3, 2e4, MONTHS).tolist(),
            ],
            float(rate),
        )
        for rate in rng.uniform(0.06, 0.2, 4)
    ]


def npv(flows, rate):
    return cashflow.npv(cashflow.per_period(rate, 12), flows)


def a_twelfth_of_the_rate(flows, rate):
    return cashflow.npv(rate / 12, flows)


def as_excel(flows, rate):
    return cashflow.npv(cashflow.per_period(rate, 12), flows, excel=True)


def yearly_rate_a_month(flows, rate):
    return cashflow.npv(rate, flows)


def not_discounted(flows, rate):
    return sum(flows)


# ---- j-curve: how deep, and when it is paid back


def curves(rng):
    asked = []
    for _ in range(4):
        build = -rng.uniform(1e4, 6e4, 6)
        gain = rng.uniform(1e4, 4e4, 20)
        asked.append(([float(x) for x in (*build, *gain)],))
    sinks = [float(-x) for x in rng.uniform(1e3, 9e3, 12)]
    # It comes up for a moment and goes down again: that was no payback.
    twice = [-50.0, 60.0, -40.0, 10.0, 30.0, 5.0]
    return [*asked, (sinks,), (twice,)]


def j_curve(flows):
    sums = np.cumsum(flows)
    below = [t for t, s in enumerate(sums) if s < 0]
    last = below[-1] if below else -1
    month = None if last + 1 == len(sums) else last + 1
    return float(min(sums.min(), 0)), month


def first_time_up(flows):
    sums = np.cumsum(flows)
    up = [t for t, s in enumerate(sums) if s >= 0]
    return float(min(sums.min(), 0)), (up[0] if up else None)


def worst_month(flows):
    return float(min(min(flows), 0)), j_curve(flows)[1]


def month_of_the_trough(flows):
    return j_curve(flows)[0], int(np.argmin(np.cumsum(flows)))


def end_for_never(flows):
    trough, month = j_curve(flows)
    return trough, len(flows) - 1 if month is None else month


# ---- people: three rows, one of them cash


def teams(rng):
    return [
        tuple(float(x) for x in (rng.uniform(200, 2000), rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.7),
                                 rng.uniform(25, 90)))
        for _ in range(4)
    ]  # fmt: skip


def people(hours, share, cashable, rate):
    gone = hours * share
    leaves = gone * cashable
    return gone, gone - leaves, leaves, leaves * rate


def all_is_cash(hours, share, cashable, rate):
    gone, moved, leaves, _ = people(hours, share, cashable, rate)
    return gone, moved, leaves, gone * rate


def cashable_of_all(hours, share, cashable, rate):
    gone = hours * share
    leaves = hours * cashable
    return gone, gone - leaves, leaves, leaves * rate


def moved_counts_too(hours, share, cashable, rate):
    gone, _, leaves, money = people(hours, share, cashable, rate)
    return gone, gone, leaves, money


# ---- range: what a hundred thousand scenarios say


def scenarios(rng):
    asked = []
    for _ in range(3):
        skewed = rng.lognormal(12, 0.5, 801) - rng.uniform(1.0e5, 1.6e5)
        asked.append((np.round(skewed, 2).tolist(),))
    return asked


def spread(results):
    x = np.asarray(results)
    low, middle, high = np.quantile(x, [0.05, 0.5, 0.95])
    return (
        float(low),
        float(middle),
        float(high),
        float(x.mean()),
        float((x > 0).mean()),
    )


def bell(results):
    _low, middle, _high, mean, p = spread(results)
    sd = float(np.std(results))
    return mean - 1.645 * sd, middle, mean + 1.645 * sd, mean, p


def middle_for_mean(results):
    low, middle, high, _, p = spread(results)
    return low, middle, high, middle, p


def ninety_five(results):
    _, middle, _, mean, p = spread(results)
    low, high = np.quantile(results, [0.025, 0.975])
    return float(low), middle, float(high), mean, p


def chance_of_loss(results):
    *rest, p = spread(results)
    return *rest, 1 - p


# ---- sensitivity: a tornado's order, and what an assumption must be


def swings(rng):
    asked = []
    for _ in range(4):
        names = [f"row-{c}" for c in "abcdef"]
        middle = float(rng.uniform(-2e5, 3e5))
        ends = {
            n: [
                middle + float(rng.uniform(-2e5, 2e5)),
                middle + float(rng.uniform(-2e5, 2e5)),
            ]
            for n in names
        }
        # The best end, and the furthest from base, are not the widest bar.
        rising, cost, wide, *_ = rng.permutation(names).tolist()
        ends[rising] = [middle + 3.0e5, middle + 3.6e5]
        ends[cost] = [middle - 1.0e5, middle - 4.1e5]
        ends[wide] = [middle + 2.0e5, middle - 2.5e5]
        asked.append((ends, middle))
    return asked


def top_three(ends, base):
    ranked = sorted(ends, key=lambda n: -abs(ends[n][1] - ends[n][0]))
    return ranked[:3]


def best_end(ends, base):
    return sorted(ends, key=lambda n: -max(ends[n]))[:3]


def signed(ends, base):
    return sorted(ends, key=lambda n: -(ends[n][1] - ends[n][0]))[:3]


def furthest_from_base(ends, base):
    return sorted(ends, key=lambda n: -max(abs(x - base) for x in ends[n]))[:3]


def lines(rng):
    asked = []
    for sign in (1, -1, 1, -1):
        low, high = sorted(rng.uniform(0.1, 5, 2).tolist())
        zero = float(rng.uniform(low, high))
        slope = sign * float(rng.uniform(1e4, 9e4))
        asked.append((low, high, slope * (low - zero), slope * (high - zero)))
    asked.append((0.2, 0.8, 4.0e4, 1.9e5))
    asked.append((1.0, 3.0, -9.0e4, -2.0e4))
    return asked


def break_even(low, high, at_low, at_high):
    book = ledger.read(paths.root() / "case" / "ledger.csv")
    row = replace(
        book["finance.wacc"], id="x", low=low, base=(low + high) / 2, high=high
    )

    def model(values):
        return at_low + (np.asarray(values["x"]) - low) / (high - low) * (
            at_high - at_low
        )

    return uncertain.break_even(model, {"x": row}, "x")


def beyond_the_range(low, high, at_low, at_high):
    return low - at_low * (high - low) / (at_high - at_low)


def nearest_end(low, high, at_low, at_high):
    if at_low * at_high > 0:
        return low if abs(at_low) < abs(at_high) else high
    return beyond_the_range(low, high, at_low, at_high)


def as_a_share(low, high, at_low, at_high):
    return -at_low / (at_high - at_low)


# ---- recommend


def boards(rng):
    limit = float(rng.uniform(2.5e5, 3.5e5))
    good, some = float(rng.uniform(1e5, 3e5)), float(rng.uniform(0.75, 0.95))
    return [
        (some, good, -0.4 * limit, limit),
        (some, good, -1.4 * limit, limit),
        (0.45, good, -0.4 * limit, limit),
        (some, -0.1 * good, -0.4 * limit, limit),
        (0.0, -good, -1.1 * limit, limit),
        (0.6, 1.0, -limit, limit),
    ]


def recommend(probability, expected, trough, limit):
    good = probability >= 0.6 and expected > 0 and -trough <= limit
    return "pivot" if good else "status quo"


def expectation_alone(probability, expected, trough, limit):
    return "pivot" if expected > 0 else "status quo"


def cash_forgotten(probability, expected, trough, limit):
    return "pivot" if probability >= 0.6 and expected > 0 else "status quo"


def any_of_them(probability, expected, trough, limit):
    good = probability >= 0.6 or expected > 0
    return "pivot" if good and -trough <= limit else "status quo"


def strictly(probability, expected, trough, limit):
    good = probability > 0.6 and expected > 0 and -trough < limit
    return "pivot" if good else "status quo"


def from_month_nought(operating, equipment, tax, life):
    flows = np.asarray(no_shield(operating, equipment, tax, life))
    flows[:life] -= tax * equipment / life
    return flows.tolist()


def over_all_months(operating, equipment, tax, life):
    return after_tax(operating, equipment, tax, MONTHS)


def counted_from_one(flows):
    trough, month = j_curve(flows)
    return trough, month if month is None else month + 1


def a_positive_trough(flows):
    trough, month = j_curve(flows)
    return -trough, month


def by_whole_years(flows, rate):
    return sum(f / (1 + rate) ** (t // 12) for t, f in enumerate(flows))


def from_next_month(amount, growth, course):
    return [
        amount * share * (1 + growth) ** ((t - 1) / 12)
        for t, share in enumerate(course)
    ]


EXERCISES = [
    Exercise(
        "share",
        minutes=5,
        difficulty="easy",
        oracle=saved,
        inputs=ratios,
        hints=(
            "If the old way costs 4 times the new one, what share of the cost goes away?",
            "1 − 1/4 goes away where it was measured. Of that, transfer carries over.",
        ),
        wrong=(
            Wrong(
                ratio_over_transfer,
                "You scaled the ratio. Transfer is a share of the saving.",
            ),
            Wrong(
                what_is_left,
                "That is the part that still has to be paid, not the saving.",
            ),
            Wrong(
                whole_ratio,
                "You took all that was measured; the transfer did not come in.",
            ),
            Wrong(
                excess,
                "The ratio less one is a share of the *new* cost; you save part of the old.",
            ),
        ),
    ),
    Exercise(
        "course",
        minutes=10,
        difficulty="medium",
        oracle=course,
        inputs=courses,
        hints=(
            "Two straight lines, and the lower of them: one comes up, one goes down.",
            "Up: one step of 1/ramp in month start, two in the next, at most 1. Beware of a ramp of 0.",
            "Down: in month end it is still 1, in month end + fade + 1 it is 0. Month 0 is nothing.",
        ),
        wrong=(
            Wrong(
                no_ramp,
                "It is in full force in its first month: the ramp is missing.",
            ),
            Wrong(
                no_fade, "It stops at once after its end: the fade is missing."
            ),
            Wrong(
                a_month_late,
                "All is a month late: in month `start` the first step is taken already.",
            ),
            Wrong(
                fades_before_the_end,
                "It fades before its end; it is full in month `end`, then fades.",
            ),
        ),
    ),
    Exercise(
        "cost",
        minutes=6,
        difficulty="medium",
        oracle=cost,
        inputs=amounts,
        hints=(
            "The growth is yearly and compounds; month t lies t/12 years ahead.",
            "After twelve months the factor must be exactly 1 + growth, after six its square root.",
        ),
        wrong=(
            Wrong(
                simple_growth,
                "That grows by the same amount each month: it does not compound.",
            ),
            Wrong(
                a_twelfth,
                "A twelfth of the yearly rate, compounded monthly, is more than the rate.",
            ),
            Wrong(
                by_steps,
                "The price jumps once a year; it should rise month by month.",
            ),
            Wrong(
                from_next_month,
                "Today is month 0: in month t, t/12 years have passed.",
            ),
            Wrong(
                yearly_in_a_month, "You applied the yearly rate every month."
            ),
        ),
    ),
    Exercise(
        "after-tax",
        minutes=10,
        difficulty="hard",
        oracle=after_tax,
        inputs=outlays,
        hints=(
            "Operating cost lowers the tax of its own month: you pay (1 − tax) of it.",
            "Equipment is paid in month 0 in full. Its tax comes back with the depreciation.",
            "From month 1 on, for `life` months: less tax × equipment / life.",
        ),
        wrong=(
            Wrong(
                expensed_equipment,
                "You took the whole tax of the equipment at once: it is depreciated.",
            ),
            Wrong(
                no_shield,
                "Depreciation lowers the tax, and that is cash: it is missing.",
            ),
            Wrong(
                depreciation_is_cash,
                "Depreciation is no payment. The outlay in month 0 is.",
            ),
            Wrong(
                from_month_nought,
                "Depreciation begins in month 1, not with the payment.",
            ),
            Wrong(
                over_all_months,
                "It is depreciated over `life` months, not over all 36.",
            ),
            Wrong(
                both_ways,
                "The equipment is paid twice: as an outlay and as depreciation.",
            ),
        ),
    ),
    Exercise(
        "npv",
        minutes=5,
        difficulty="easy",
        oracle=npv,
        inputs=flows_and_rates,
        hints=(
            "The first flow is now: it is not discounted.",
            "The monthly rate that compounds to the yearly one is (1 + rate)^(1/12) − 1.",
        ),
        wrong=(
            Wrong(
                a_twelfth_of_the_rate,
                "rate / 12 compounds to more than the yearly rate.",
            ),
            Wrong(
                as_excel,
                "The first flow is discounted too, as Excel's NPV does. It is paid now.",
            ),
            Wrong(
                yearly_rate_a_month,
                "You discounted each month by a whole year's rate.",
            ),
            Wrong(
                by_whole_years,
                "You discount by whole years: each month has its own factor.",
            ),
            Wrong(
                not_discounted,
                "That is the sum; money that comes later is worth less.",
            ),
        ),
    ),
    Exercise(
        "j-curve",
        minutes=8,
        difficulty="medium",
        oracle=j_curve,
        inputs=curves,
        hints=(
            "Work with the running sum of the flows.",
            "Paid back is the first month after the last one in which the sum is below zero.",
        ),
        wrong=(
            Wrong(
                first_time_up,
                "The sum comes up and goes down again: that was not yet payback.",
            ),
            Wrong(
                worst_month,
                "That is the worst single month; peak cash is the lowest running sum.",
            ),
            Wrong(
                month_of_the_trough,
                "That is the month in which the sum is lowest.",
            ),
            Wrong(
                counted_from_one,
                "The first flow is month 0: you count from one.",
            ),
            Wrong(
                a_positive_trough,
                "The lowest running sum is negative: give it as it is.",
            ),
            Wrong(
                end_for_never,
                "It never pays back here: say None, not the last month.",
            ),
        ),
    ),
    Exercise(
        "people",
        minutes=6,
        difficulty="easy",
        oracle=people,
        inputs=teams,
        hints=(
            "Saved hours split in two: those that leave the payroll, and the rest.",
            "cashable is a share of the saved hours. Only they are money.",
        ),
        wrong=(
            Wrong(
                all_is_cash,
                "All saved hours became money. Most people stay and are paid on.",
            ),
            Wrong(
                cashable_of_all,
                "You took the cashable share of all hours, not of the saved ones.",
            ),
            Wrong(
                moved_counts_too,
                "Hours that leave the payroll cannot be reallocated as well.",
            ),
        ),
    ),
    Exercise(
        "range",
        minutes=6,
        difficulty="easy",
        oracle=spread,
        inputs=scenarios,
        tolerance=0.005,
        hints=(
            "Quantiles of the list itself; no bell curve is needed.",
            "5 %, 50 % and 95 % quantile, the mean, the share of results above zero.",
        ),
        wrong=(
            Wrong(
                bell,
                "You laid a bell curve over it; the results are skewed. Count instead.",
            ),
            Wrong(
                middle_for_mean,
                "The mean is not the median where results are skewed.",
            ),
            Wrong(
                ninety_five, "Those ends hold 95 % between them; 90 % is asked."
            ),
            Wrong(chance_of_loss, "That is the probability of a loss."),
        ),
    ),
    Exercise(
        "sensitivity",
        minutes=6,
        difficulty="medium",
        oracle=top_three,
        inputs=swings,
        hints=(
            "What counts is how far apart the two ends are, whichever is the better one.",
            "The width of a bar has no sign: a cost has its good end at low.",
        ),
        wrong=(
            Wrong(
                best_end,
                "You ranked by the best outcome. A narrow bar far from zero moves nothing.",
            ),
            Wrong(
                signed,
                "A bar may point the other way: a cost has its good end at low.",
            ),
            Wrong(
                furthest_from_base,
                "You measured from the base case; the width is from end to end.",
            ),
        ),
    ),
    Exercise(
        "break-even",
        minutes=8,
        difficulty="medium",
        oracle=break_even,
        inputs=lines,
        hints=(
            "Where both ends have the same sign, the answer is None: the range holds no zero.",
            "A straight line through (low, at_low) and (high, at_high): where does it cross zero?",
        ),
        wrong=(
            Wrong(
                beyond_the_range,
                "You went beyond the range: there the ledger says nothing. None.",
            ),
            Wrong(
                nearest_end,
                "No zero in the range, and you gave its nearer end: say None.",
            ),
            Wrong(
                as_a_share,
                "That is a share of the range, not a value of the assumption.",
            ),
        ),
    ),
    Exercise(
        "recommend",
        minutes=5,
        difficulty="easy",
        oracle=recommend,
        inputs=boards,
        hints=(
            "Three conditions, and all of them must hold.",
            "The trough is negative and the limit is not: compare −trough with the limit.",
        ),
        wrong=(
            Wrong(
                expectation_alone,
                "A good average may hide a coin toss, and an empty account.",
            ),
            Wrong(
                cash_forgotten,
                "The limit does not bind: is it missing, or is a sign turned? The trough is negative.",
            ),
            Wrong(
                strictly, "At least, and within: the limit itself still passes."
            ),
            Wrong(
                any_of_them, "Both must hold: likely *and* worth it on average."
            ),
        ),
    ),
]
