"""The exercises of the proposal lab: what each accepts, and the mistakes that it knows."""

from functools import cache

import numpy as np

from synthecon import paths
from synthecon.economics import model
from synthecon.labs import Exercise, Page, Wrong
from synthecon.strategy import facts, proposal, proposal_review

# ---- ask: what may be needed, not what is expected


def cash_paths(rng):
    asked = []
    for count in (40, 60, 101):
        month = np.arange(13)
        flows = rng.normal(0, 2e3, (count, 13)) + 9e3 * (month - 5)
        flows[:, 0] -= rng.lognormal(10, 0.6, count)
        flows[: count // 10] -= rng.uniform(4e3, 3e4, (count // 10, 1))
        asked.append((np.round(flows, 2).tolist(),))
    easy = np.round(rng.uniform(1e3, 2e3, (20, 6)), 2)
    easy[:3, 0] -= [5e3, 6e3, 9e3]
    asked.append((easy.tolist(),))
    return asked


def depths(paths):
    return [max(0.0, -min(np.cumsum(p))) for p in paths]


def ask(paths):
    return proposal.ask(paths)


def mean_depth(paths):
    return float(np.mean(depths(paths)))


def of_the_mean_path(paths):
    return max(0.0, -float(np.cumsum(np.mean(paths, axis=0)).min()))


def deepest(paths):
    return float(max(depths(paths)))


def other_end(paths):
    ordered = sorted(depths(paths))
    return ordered[int(np.ceil(0.05 * len(ordered))) - 1]


def at_the_end(paths):
    lost = sorted(max(0.0, -sum(p)) for p in paths)
    return lost[int(np.ceil(0.95 * len(lost))) - 1]


def first_month(paths):
    out = sorted(max(0.0, -min(p)) for p in paths)
    return out[int(np.ceil(0.95 * len(out))) - 1]


def interpolated(paths):
    return float(np.quantile(depths(paths), 0.95))


def one_place_on(paths):
    ordered = sorted(depths(paths))
    return ordered[min(int(np.ceil(0.95 * len(ordered))), len(ordered) - 1)]


def below_zero(paths):
    return -proposal.ask(paths)


# ---- decide: the board's rule, by exact numbers


def decisions(rng):
    limit = float(rng.uniform(4e5, 6e5))
    mean, deep = float(rng.uniform(5e4, 2e5)), float(rng.uniform(0.5, 0.9))
    good = float(rng.uniform(0.75, 0.9))
    return [
        (good, 0.7, mean, deep * limit, limit),
        (0.6991, 0.7, mean, deep * limit, limit),
        (good, 0.7, -mean, deep * limit, limit),
        (good, 0.7, mean, 1.2 * limit, limit),
        (0.004, 0.7, -mean, 2.6 * limit, limit),
        (0.7, 0.7, mean, limit, limit),
        (0.4, 0.35, mean, deep * limit, limit),
    ]


def decide(chance, least, mean, trough, limit):
    return proposal.decide(chance, least, mean, trough, limit)


def as_printed(chance, least, mean, trough, limit):
    return proposal.decide(round(chance, 2), least, mean, trough, limit)


def asks_anyway(chance, least, mean, trough, limit):
    word, _, failed = proposal.decide(chance, least, mean, trough, limit)
    return word, trough, failed


def asks_for_the_limit(chance, least, mean, trough, limit):
    word, amount, failed = proposal.decide(chance, least, mean, trough, limit)
    return word, limit if amount else 0.0, failed


def most_of_them(chance, least, mean, trough, limit):
    _, _, failed = proposal.decide(chance, least, mean, trough, limit)
    passes = len(failed) < 2
    return (
        "pivot" if passes else "status quo",
        trough if passes else 0.0,
        failed,
    )


def first_reason(chance, least, mean, trough, limit):
    word, amount, failed = proposal.decide(chance, least, mean, trough, limit)
    return word, amount, failed[:1]


def seventy(chance, least, mean, trough, limit):
    return proposal.decide(chance, 0.7, mean, trough, limit)


def strictly(chance, least, mean, trough, limit):
    word, amount, failed = proposal.decide(chance, least, mean, trough, limit)
    failed = [
        name
        for name, fails in (
            ("probability", chance <= least),
            ("expected", mean <= 0),
            ("cash", trough >= limit),
        )
        if fails
    ]
    return ("status quo", 0.0, failed) if failed else (word, amount, failed)


def says_no(chance, least, mean, trough, limit):
    word, amount, failed = proposal.decide(chance, least, mean, trough, limit)
    return "no" if failed else word, amount, failed


# ---- sensitivities: the three that the page has room for


def tornado(rng):
    asked = []
    for question in range(4):
        middle = float(rng.uniform(3e4, 9e4))
        found = []
        for place, name in enumerate(rng.permutation(list("abcdefg"))):
            low = float(rng.uniform(0.1, 0.4))
            high = low + float(rng.uniform(0.1, 0.5))
            half = (7 - place) * 3.1e4 * float(rng.uniform(0.93, 1.06))
            sign = -1 if place % 2 else 1
            ends = [middle - sign * half, middle + sign * half]
            if place == 2:  # a wide one without a zero
                ends = [middle + 1e4, middle + 1e4 + 2 * half]
                if question % 2:
                    ends = [-1e4 - 2 * half, -1e4]
            if place > 2:  # narrow in money, wide in its own unit
                low, high = 100 * low, 900 * high
            found.append((f"row-{name}", low, high, *ends))
        order = rng.permutation(len(found))
        asked.append(([found[i] for i in order],))
    return asked


def swings(bars):
    return [proposal.Swing(*bar) for bar in bars]


def sensitivities(bars):
    return proposal.sensitivities(swings(bars))


def widest_input(bars):
    ranked = sorted(swings(bars), key=lambda s: -(s.high - s.low))
    return [(s.name, s.break_even) for s in ranked[:3]]


def only_with_zero(bars):
    some = [s for s in swings(bars) if s.break_even is not None]
    return proposal.sensitivities(some)


def signed(bars):
    ranked = sorted(swings(bars), key=lambda s: s.at_low - s.at_high)
    return [(s.name, s.break_even) for s in ranked[:3]]


def best_end(bars):
    ranked = sorted(swings(bars), key=lambda s: -max(s.at_low, s.at_high))
    return [(s.name, s.break_even) for s in ranked[:3]]


def worst_end(bars):
    ranked = sorted(swings(bars), key=lambda s: min(s.at_low, s.at_high))
    return [(s.name, s.break_even) for s in ranked[:3]]


def middle_of_the_range(bars):
    ranked = sorted(swings(bars), key=lambda s: -abs(s.at_high - s.at_low))
    return [(s.name, (s.low + s.high) / 2) for s in ranked[:3]]


def beyond(bars):
    ranked = sorted(swings(bars), key=lambda s: -abs(s.at_high - s.at_low))
    return [
        (
            s.name,
            s.low + (s.high - s.low) * s.at_low / (s.at_low - s.at_high),
        )
        for s in ranked[:3]
    ]


# ---- kill: a threshold and a date


def gates(rng):
    dates = ["March 2027", "June 2027", "October 2027", "May 2028"]
    return [(bars, dates[int(rng.integers(0, 4))]) for (bars,) in tornado(rng)]


def kill_criteria(bars, date):
    return proposal.kill_criteria(swings(bars), date)


def always_below(bars, date):
    return [(n, "below", x, d) for n, _, x, d in kill_criteria(bars, date)]


def turned_round(bars, date):
    other = {"below": "above", "above": "below"}
    return [(n, other[s], x, d) for n, s, x, d in kill_criteria(bars, date)]


def worst_value(bars, date):
    return [
        (s.name, "below", s.low, date)
        if s.at_high > s.at_low
        else (s.name, "above", s.high, date)
        for s in swings(bars)
        if s.break_even is not None
    ]


def every_bar(bars, date):
    return [
        (
            s.name,
            "below" if s.at_high > s.at_low else "above",
            s.low + (s.high - s.low) * s.at_low / (s.at_low - s.at_high),
            date,
        )
        for s in swings(bars)
    ]


def the_base(bars, date):
    middle = {s.name: (s.low + s.high) / 2 for s in swings(bars)}
    return [(n, s, middle[n], d) for n, s, _, d in kill_criteria(bars, date)]


# ---- unsourced: digits that nobody stands behind


def texts(rng):
    a, b, c = (int(x) for x in rng.integers(11, 99, 3))
    year = 2030 + int(rng.integers(0, 9))
    return [
        (f"We ask for {{ask.amount}}: {a} % by {year}, {a} % later.", []),
        (f"{{npv.p5}} to {{npv.p95}}, {{cash.low.month-{a}}}", []),
        (f"{b},{c}0.5 USD in {year}, {{sensitivity.1.name}}", [str(year)]),
        (f"{c} of {c}{b}, {a}.{b} times, P{a}", [str(c)]),
        (f"{{gate.pilot.date}}, not {a}/{b}; {{NPV.p{c}}}", [str(a)]),
        ("No number at all.", ["7"]),
    ]


def unsourced(text, allowed):
    return proposal.unsourced(text, allowed)


def with_placeholders(text, allowed):
    return [x for x in proposal.NUMBER.findall(text) if x not in allowed]


def struck_out(text, allowed):
    for one in allowed:
        text = text.replace(one, " ")
    return proposal.unsourced(text)


def digits_apart(text, allowed):
    import re

    text = re.sub(r"\{[a-z0-9.-]+\}", " ", text)
    return [x for x in re.findall(r"\d+", text) if x not in allowed]


def each_once(text, allowed):
    return list(dict.fromkeys(proposal.unsourced(text, allowed)))


def nothing_allowed(text, allowed):
    return proposal.unsourced(text)


# ---- bridge: EBITDA without what happens once


def accounts(rng):
    asked = []
    for _ in range(4):
        x = [round(float(v), 2) for v in rng.uniform(1e5, 9e5, 12)]
        down = [round(float(v), 2) for v in rng.uniform(1e4, 9e4, 4)]
        up = [round(float(v), 2) for v in rng.uniform(1e4, 9e4, 6)]
        asked.append(
            (
                [
                    ("Revenue", 9 * x[0], 9 * x[0] + up[0], True),
                    ("COGS", x[1], x[1] - down[0], True),
                    ("COGS", x[2], x[2] - down[1], True),
                    ("R&D", x[3], x[3] + up[1], True),
                    ("R&D", 0.0, up[2], False),
                    ("S&M", x[4], x[4] - down[2], True),
                    ("G&A", x[5], x[5] + up[3], True),
                    ("Capex", 0.0, x[6], False),
                    ("Depreciation", x[7], x[7] + up[4], True),
                    ("Interest", x[8], x[8] + up[5], True),
                    ("Opportunity", x[9], 0.0, True),
                    ("Revenue", 0.0, down[3], False),
                ],
            )
        )
    return asked


def bridge(lines):
    return proposal.recurring_bridge(lines)


def one_offs_too(lines):
    found = bridge([(*rest, True) for *rest, _ in lines])
    return found | {"one-off": 0.0}


def depreciation_too(lines):
    return bridge(
        [("G&A" if x == "Depreciation" else x, *rest) for x, *rest in lines]
    )


def opportunity_too(lines):
    return bridge(
        [("COGS" if x == "Opportunity" else x, *rest) for x, *rest in lines]
    )


OUTSIDE = ("Depreciation", "Interest", "Opportunity")


def every_row(lines):
    found = bridge(lines)
    rest = [x for x in lines if x[0] in OUTSIDE]
    found["before"] -= sum(old for _, old, _, _ in rest)
    found["after"] -= sum(new for _, _, new, _ in rest)
    return found


def keys_of_their_own(lines):
    steps = {x: old - new for x, old, new, _ in lines if x in OUTSIDE}
    return bridge(lines) | steps


def capex_is_once(lines):
    return bridge([("R&D" if x == "Capex" else x, *rest) for x, *rest in lines])


def cost_goes_up(lines):
    found = bridge(lines)
    turned = {k: -found[k] for k in proposal.COSTS}
    return found | turned


def after_with_once(lines):
    found = bridge(lines)
    return found | {"after": found["after"] + found["one-off"]}


# ---- tannhof: the second company


@cache
def second():
    return facts.collect(model.load(paths.root() / "case-tannhof"))


def answer(**changes):
    found = second()
    word, amount, failed = proposal.rule(found)
    return {
        "recommendation": word,
        "ask": amount,
        "fails": failed,
        "turns at": found["condition.spend"].value,
    } | changes


def asks_for_the_trough():
    return answer(ask=second()["need.p95"].value)


def asks_for_the_pilot():
    return answer(ask=second()["gate.pilot.cash"].value)


def one_reason():
    return answer(fails=answer()["fails"][:1])


def spend_of_today():
    return answer(**{"turns at": second()["today.ml"].value})


def times_today():
    return answer(**{"turns at": second()["condition.scale"].value})


def says_no_to_them():
    return answer(recommendation="no")


# ---- the page


@cache
def printed(company):
    one = model.load(paths.root() / company)
    return proposal.numbers(facts.collect(one), proposal.lab_2(one))


def page(written):
    """Points and reasons for [company, form, draft], by the package's numbers."""
    company, form, draft = map(str, written)
    if "We ask for ..." in draft or not draft.strip():
        return 0, "not written yet: the frame is as it was handed out"
    known = company if company in ("case", "case-tannhof") else "case"
    return proposal_review.marked(draft, printed(known), form)


PAGES = [Page("page", "[company, form, draft]", page)]


EXERCISES = [
    Exercise(
        "ask",
        minutes=8,
        difficulty="medium",
        oracle=ask,
        inputs=cash_paths,
        hints=(
            "One number for each scenario first: how deep does its running sum go?",
            "A path that never goes below zero has a depth of 0, not a negative one.",
            "Sort the depths. At which place have 95 % of them been passed? Round up.",
        ),
        wrong=(
            Wrong(
                mean_depth,
                "That is the mean depth: about half of the time you come back for more money.",
            ),
            Wrong(
                of_the_mean_path,
                "You averaged the paths before looking for the trough: highs of one scenario "
                "filled the lows of another, but you will live through one of them.",
            ),
            Wrong(
                deepest,
                "That is the worst scenario of all: draw more of them and it gets worse. The "
                "board asked for a stated share.",
            ),
            Wrong(
                other_end,
                "That is the lucky end: 95 % of the scenarios go deeper.",
            ),
            Wrong(
                at_the_end,
                "You took the balance at the end. The account is empty long before that.",
            ),
            Wrong(
                first_month,
                "That is the worst single month; months before it have already cost something.",
            ),
            Wrong(
                interpolated,
                "You interpolated between two depths, as np.quantile does unless told otherwise: "
                "that one did not occur. Take the depth at a place.",
            ),
            Wrong(
                one_place_on,
                "One place too far: places count from 1, a list from 0.",
            ),
            Wrong(
                below_zero,
                "A depth is zero or positive: it is money that you ask for, not a balance.",
            ),
        ),
    ),
    Exercise(
        "decide",
        minutes=6,
        difficulty="easy",
        oracle=decide,
        inputs=decisions,
        hints=(
            "Ask the three tests one by one, and keep the names of those that fail.",
            "Whoever recommends the status quo asks for 0.",
        ),
        wrong=(
            Wrong(
                as_printed,
                "You judged the printed number. 69.9 % prints as 70 %, and is below it.",
            ),
            Wrong(
                asks_anyway,
                "You decline the project and ask for its money all the same.",
            ),
            Wrong(
                asks_for_the_limit,
                "The limit is what the board can bear, not what the project needs.",
            ),
            Wrong(
                most_of_them,
                "Two of three are not enough: each test guards against something else.",
            ),
            Wrong(
                first_reason,
                "Name every test that fails; mending the first would not be enough.",
            ),
            Wrong(
                seventy,
                "The board of another company may demand another chance: use `least`.",
            ),
            Wrong(
                strictly,
                "On the line is within: `at least` and `within the limit` allow equality.",
            ),
            Wrong(
                says_no,
                'The word is "status quo": staying is a choice with a name, and no mere no.',
            ),
        ),
    ),
    Exercise(
        "sensitivities",
        minutes=8,
        difficulty="medium",
        oracle=sensitivities,
        inputs=tornado,
        hints=(
            "The width of a bar is in money: how far apart are its two ends?",
            "A break-even exists where the two ends have different signs; else None.",
            "From (low, at_low) to (high, at_high) on a straight line: where is it zero?",
        ),
        wrong=(
            Wrong(
                widest_input,
                "You ranked by the range of the assumption. A wide guess may move nothing.",
            ),
            Wrong(
                only_with_zero,
                "One without a break-even was left out. It moves the value all the same, and "
                "that it cannot turn the sign is worth a line.",
            ),
            Wrong(
                signed,
                "You ranked by the signed swing: a cost that moves the value down counts as much "
                "as a saving that moves it up.",
            ),
            Wrong(
                best_end,
                "You ranked by the best outcome; what counts is how far the value moves.",
            ),
            Wrong(
                worst_end,
                "You ranked by the worst outcome; an upside is uncertainty too.",
            ),
            Wrong(
                middle_of_the_range,
                "The middle of the range is a guess, not the value at which it turns.",
            ),
            Wrong(
                beyond,
                "You went on beyond the range, where nobody has looked. None.",
            ),
        ),
    ),
    Exercise(
        "kill",
        minutes=7,
        difficulty="medium",
        oracle=kill_criteria,
        inputs=gates,
        hints=(
            "Where the value rises with the assumption, too little of it is the danger.",
            "Use your break-even. No break-even in the range: no criterion.",
        ),
        wrong=(
            Wrong(
                always_below,
                "Of a cost, too much is the danger: look which end has the better value.",
            ),
            Wrong(
                turned_round,
                "You stop where it goes well: `below` and `above` are turned round.",
            ),
            Wrong(
                worst_value,
                "You stop only at the worst that was thought possible; money was lost since "
                "the break-even.",
            ),
            Wrong(
                every_bar,
                "One of these can never trigger: its threshold lies outside its range.",
            ),
            Wrong(
                the_base,
                "You stop as soon as the plan is not met, though the project still pays.",
            ),
        ),
    ),
    Exercise(
        "unsourced",
        minutes=8,
        difficulty="medium",
        oracle=unsourced,
        inputs=texts,
        hints=(
            "First take the placeholders out of the text; an id may have digits.",
            r"\d+(?:[.,]\d+)* is a run of digits that may have points and commas inside.",
            "Compare whole numbers with the list of those that are allowed.",
        ),
        wrong=(
            Wrong(
                with_placeholders,
                "Digits inside a placeholder belong to its id; it brings its own source.",
            ),
            Wrong(
                struck_out,
                "An allowed number was struck out of longer ones: 30 is not 3 with a 0.",
            ),
            Wrong(
                digits_apart,
                "1,250.5 is one number. Yours falls apart at the comma and the point.",
            ),
            Wrong(
                each_once,
                "Each place must be mended, so each is named, also the second time.",
            ),
            Wrong(
                nothing_allowed,
                "Numbers on the list, such as a date that is given, may be typed.",
            ),
        ),
    ),
    Exercise(
        "bridge",
        minutes=10,
        difficulty="hard",
        oracle=bridge,
        inputs=accounts,
        hints=(
            "Five lines are in EBITDA: Revenue, COGS, R&D, S&M, G&A. Skip the others.",
            "Revenue counts as it is, a cost with a minus; a step is new less old.",
            "What happens once goes into `one-off`, and into nothing else.",
        ),
        wrong=(
            Wrong(
                one_offs_too,
                "What happens once is in the steps. A multiple would pay for it every year.",
            ),
            Wrong(
                depreciation_too,
                "Depreciation is in your EBITDA; the D says that it comes before it.",
            ),
            Wrong(
                opportunity_too,
                "Opportunity cost was never on the P&L: no bridge starts from it.",
            ),
            Wrong(
                every_row,
                "Rows outside EBITDA are in your before and after: depreciation is no part of "
                "it, nor are interest, tax, capex and opportunity.",
            ),
            Wrong(
                keys_of_their_own,
                "You gave steps to rows outside EBITDA: depreciation is no part of it. Skip a "
                "row that is none of the five lines.",
            ),
            Wrong(
                capex_is_once,
                "Capex was taken as a one-off cost of the P&L. It is cash, and no EBITDA.",
            ),
            Wrong(
                cost_goes_up,
                "A cost that falls is a step up: the sign of the cost steps is turned round.",
            ),
            Wrong(
                after_with_once,
                "The steps no longer add up to `after`: one-offs crept into it.",
            ),
        ),
    ),
    Exercise(
        "tannhof",
        minutes=5,
        difficulty="easy",
        oracle=answer,
        expects='a dict: "recommendation" is "pivot" or "status quo"; "ask" is a number; "fails" is '
        'a list of "probability", "expected", "cash", those that fail; "turns at" is a number, '
        "the machine learning cost of a month in money",
        hints=(
            "Your own function decides; it needs five values of facts.",
            'The facts that begin with "condition." say what would have to be otherwise.',
        ),
        wrong=(
            Wrong(
                asks_for_the_trough,
                "You ask for the money of a project that you advise against.",
            ),
            Wrong(
                asks_for_the_pilot,
                "A pilot is a pivot in small: the rule says no, so nothing is asked for.",
            ),
            Wrong(
                says_no_to_them,
                'The recommendation is one of two texts, "pivot" or "status quo".',
            ),
            Wrong(one_reason, "More than one test fails; name them all."),
            Wrong(
                spend_of_today,
                "That is what is spent today. At which spend would the rule be met?",
            ),
            Wrong(
                times_today,
                "That is how many times as much, not how much in money.",
            ),
        ),
    ),
]
