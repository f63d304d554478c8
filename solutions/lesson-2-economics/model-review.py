"""Ten mistakes that reviewers find in models: what is right, and the mistakes that it knows."""

from synthecon.economics import accounts, cashflow
from synthecon.labs import Exercise, Wrong


def draw(rng, count, *ranges):
    """`count` questions of one number from each range."""
    return [
        tuple(float(rng.uniform(low, high)) for low, high in ranges)
        for _ in range(count)
    ]


# ---- 1 real and nominal


def real_flows(rng):
    return [
        (rng.uniform(2e4, 9e4, 3).tolist(), rate, inflation)
        for rate, inflation in draw(rng, 4, (0.09, 0.2), (0.02, 0.08))
    ]


def of_today(flows, rate, inflation):
    return cashflow.npv(cashflow.real_rate(rate, inflation), [0.0, *flows])


def nominal_on_real(flows, rate, inflation):
    return cashflow.npv(rate, [0.0, *flows])


def difference_of_rates(flows, rate, inflation):
    return cashflow.npv(rate - inflation, [0.0, *flows])


def inflated_and_real(flows, rate, inflation):
    grown = [f * (1 + inflation) ** t for t, f in enumerate(flows, 1)]
    return cashflow.npv(cashflow.real_rate(rate, inflation), [0.0, *grown])


# ---- 2 timing


def projects(rng):
    return [
        (outlay, rng.uniform(3e4, 9e4, 3).tolist(), rate)
        for outlay, rate in draw(rng, 4, (5e4, 2e5), (0.06, 0.2))
    ]


def timed(outlay, yearly, rate):
    return cashflow.npv(rate, [-outlay, *yearly])


def excel(outlay, yearly, rate):
    return cashflow.npv(rate, [-outlay, *yearly], excel=True)


def gains_are_now(outlay, yearly, rate):
    return cashflow.npv(rate, yearly) - outlay


def undiscounted(outlay, yearly, rate):
    return sum(yearly) - outlay


# ---- 3 EBITDA


def books(rng):
    return draw(rng, 4, (5e6, 9e6), (1e6, 2e6), (1e6, 2e6), (1e5, 5e5))


def ebitda(revenue, cogs, opex, depreciation):
    return revenue - cogs - opex


def ebit(revenue, cogs, opex, depreciation):
    return revenue - cogs - opex - depreciation


def added_back(revenue, cogs, opex, depreciation):
    return revenue - cogs - opex + depreciation


def gross_profit(revenue, cogs, opex, depreciation):
    return revenue - cogs


# ---- 4 capitalised cost


def builds(rng):
    return [
        (before, before * share, put, tax, 3)
        for before, share, put, tax in draw(
            rng, 4, (3e5, 9e5), (0.5, 0.9), (5e4, 2e5), (0.2, 0.3)
        )
    ]


def cash_saved(before, after, capitalised, tax, life):
    [first, *_] = accounts.capitalise([capitalised], life, tax)
    return (before - after) * (1 - tax) + first.cash


def sold_as_saving(before, after, capitalised, tax, life):
    return (before - after) * (1 - tax)


def expensed(before, after, capitalised, tax, life):
    return (before - after - capitalised) * (1 - tax)


def no_tax_on_it(before, after, capitalised, tax, life):
    return (before - after) * (1 - tax) - capitalised


# ---- 5 fixed cost twice


def gadgets(rng):
    return draw(rng, 4, (4e4, 2e5), (8e3, 3e4), (1e3, 4e3))


def payback(once, gain, running):
    return once / accounts.contribution_margin(gain, running)


def twice(once, gain, running):
    return once / (gain - running - once / 36)


def gross_gain(once, gain, running):
    return once / gain


def running_counted_as_once(once, gain, running):
    return (once + 36 * running) / gain


# ---- 6 sunk cost


def unfinished(rng):
    return draw(rng, 5, (1e5, 9e5), (5e4, 3e5), (1e5, 6e5))


def from_here(spent, to_finish, worth):
    return worth - to_finish


def with_the_past(spent, to_finish, worth):
    return worth - to_finish - spent


def saved_by_the_past(spent, to_finish, worth):
    return worth - (to_finish - spent)


# ---- 7 parallel run


def moves(rng):
    return [
        (old, new, int(rng.integers(2, 5)), int(rng.integers(2, 5)))
        for old, new in draw(rng, 4, (4e4, 9e4), (1e4, 3e4))
    ]


def first_year(old, new, start, overlap):
    return old * (start - 1 + overlap) + new * (12 - start + 1)


def no_overlap(old, new, start, overlap):
    return first_year(old, new, start, 0)


def starts_after(old, new, start, overlap):
    return old * (start - 1 + overlap) + new * (12 - start + 1 - overlap)


def from_day_one(old, new, start, overlap):
    return 12 * new


# ---- 8 points and per cent


def margins(rng):
    return draw(rng, 5, (0.4, 0.8), (1, 6))


def in_points(margin, points):
    return margin + points / 100


def in_per_cent(margin, points):
    return margin * (1 + points / 100)


def hundredfold(margin, points):
    return margin + points


def down(margin, points):
    return margin - points / 100


# ---- 9 multiple


def deals(rng):
    return draw(rng, 5, (1e5, 4e5), (1e5, 5e5), (6, 14))


def added_value(recurring, one_off, multiple):
    return recurring * multiple + one_off


def all_for_ever(recurring, one_off, multiple):
    return (recurring + one_off) * multiple


def forgotten(recurring, one_off, multiple):
    return recurring * multiple


def once_for_ever(recurring, one_off, multiple):
    return recurring + one_off * multiple


# ---- 10 service credit


def outages(rng):
    return draw(rng, 5, (2, 30), (2e3, 9e3), (1e4, 5e4), (0.1, 0.3))


def left_to_bear(hours, loss, fee, credit):
    return hours * loss - fee * credit


def share_of_the_loss(hours, loss, fee, credit):
    return hours * loss * (1 - credit)


def made_whole(hours, loss, fee, credit):
    return hours * loss - min(fee, hours * loss)


def claimed_twice(hours, loss, fee, credit):
    return hours * loss - 2 * fee * credit


EXERCISES = [
    Exercise(
        "real",
        minutes=4,
        difficulty="medium",
        oracle=of_today,
        inputs=real_flows,
        hints=(
            "Which prices are the flows in, and which is the rate?",
            "Money at today's prices goes with a real rate: (1 + nominal) / (1 + inflation) − 1.",
        ),
        wrong=(
            Wrong(
                nominal_on_real,
                "Flows at today's prices, and a rate that contains inflation.",
            ),
            Wrong(
                difference_of_rates,
                "Nearly: rates are not subtracted, they divide.",
            ),
            Wrong(
                inflated_and_real,
                "Now the flows are nominal and the rate is real.",
            ),
        ),
    ),
    Exercise(
        "timing",
        minutes=3,
        difficulty="easy",
        oracle=timed,
        inputs=projects,
        hints=(
            "When is the outlay paid?",
            "The outlay is paid now, the first gain comes in a year.",
        ),
        wrong=(
            Wrong(
                excel,
                "The outlay is discounted, as a spreadsheet's NPV() does with it.",
            ),
            Wrong(gains_are_now, "The gains come one year too soon."),
            Wrong(undiscounted, "Nothing is discounted any more."),
        ),
    ),
    Exercise(
        "ebitda",
        minutes=3,
        difficulty="easy",
        oracle=ebitda,
        inputs=books,
        hints=(
            "Spell the letters out.",
            "Earnings *before* depreciation: it is neither taken off nor put back.",
        ),
        wrong=(
            Wrong(ebit, "That is EBIT: depreciation has been taken off."),
            Wrong(added_back, "Put back is only what was taken off before."),
            Wrong(
                gross_profit, "That is gross profit; operating cost is missing."
            ),
        ),
    ),
    Exercise(
        "capitalised",
        minutes=5,
        difficulty="hard",
        oracle=cash_saved,
        inputs=builds,
        hints=(
            "The money for the build left the account this year, wherever it stands in the books.",
            "Take off the build, and give back the tax on this year's part of its amortisation.",
        ),
        wrong=(
            Wrong(
                sold_as_saving,
                "Cost that moved to the balance sheet is still paid.",
            ),
            Wrong(
                expensed,
                "It is amortised: the tax of this year is on one year's part only.",
            ),
            Wrong(
                no_tax_on_it,
                "The amortisation of this year lowers the tax: it is missing.",
            ),
        ),
    ),
    Exercise(
        "payback",
        minutes=3,
        difficulty="easy",
        oracle=payback,
        inputs=gadgets,
        hints=(
            "Where does the one-off cost stand, and how often?",
            "The gain of a month less its running cost; the one-off cost is what is paid back.",
        ),
        wrong=(
            Wrong(
                twice,
                "The one-off cost is spread over the months and paid back as well.",
            ),
            Wrong(gross_gain, "Running cost has gone: it is paid every month."),
            Wrong(
                running_counted_as_once, "Running cost lowers the monthly gain."
            ),
        ),
    ),
    Exercise(
        "sunk",
        minutes=3,
        difficulty="easy",
        oracle=from_here,
        inputs=unfinished,
        hints=(
            "Which of the three amounts can the decision still change?",
            "What was spent is gone either way.",
        ),
        wrong=(
            Wrong(
                with_the_past,
                "Spent money is charged to the decision; it is gone either way.",
            ),
            Wrong(
                saved_by_the_past,
                "What was spent does not make finishing cheaper once more.",
            ),
        ),
    ),
    Exercise(
        "parallel",
        minutes=5,
        difficulty="medium",
        oracle=first_year,
        inputs=moves,
        hints=(
            "In which months do both ways run?",
            "The old way runs for start − 1 months alone and for `overlap` months beside the new.",
        ),
        wrong=(
            Wrong(
                no_overlap, "The old way stops on the day the new one starts."
            ),
            Wrong(
                starts_after,
                "The new way starts in month `start`, not after the overlap.",
            ),
            Wrong(
                from_day_one,
                "The new way has all the traffic from the first day.",
            ),
        ),
    ),
    Exercise(
        "points",
        minutes=2,
        difficulty="easy",
        oracle=in_points,
        inputs=margins,
        hints=(
            "From 60 %, three points more is 63 %.",
            "Points are added, per cent multiply.",
        ),
        wrong=(
            Wrong(in_per_cent, "Three per cent of 60 is less than two points."),
            Wrong(hundredfold, "The margin is a share: three points are 0.03."),
            Wrong(down, "The margin rises."),
        ),
    ),
    Exercise(
        "multiple",
        minutes=3,
        difficulty="easy",
        oracle=added_value,
        inputs=deals,
        hints=(
            "Which of the two comes again next year?",
            "A buyer pays a multiple for what recurs; what comes once is worth itself.",
        ),
        wrong=(
            Wrong(
                all_for_ever,
                "A saving that comes once is paid for as if it came every year.",
            ),
            Wrong(forgotten, "The one-off saving is cash too: once."),
            Wrong(
                once_for_ever,
                "The multiple stands at the wrong one of the two.",
            ),
        ),
    ),
    Exercise(
        "credit",
        minutes=3,
        difficulty="easy",
        oracle=left_to_bear,
        inputs=outages,
        hints=(
            "A credit is a share of what?",
            "The credit is a share of the fee, whatever the outage cost you.",
        ),
        wrong=(
            Wrong(
                share_of_the_loss, "The credit is taken as a share of the loss."
            ),
            Wrong(
                made_whole,
                "The vendor gives back a share of the fee, not all of it.",
            ),
            Wrong(claimed_twice, "The credit counts once."),
        ),
    ),
]
