"""The review of a proposal: whatever is taken out of a good draft is what it finds, and no more."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthecon import Problem
from synthecon.strategy import pages, printable, proposal
from synthecon.strategy.printable import Fact

PRESS = """\
# {company.name} answers from a small model
~ Press release of {gate.off.date}, written in {ask.date}, by {company.kind}

**For customers** nothing changes but the bill behind the product.

**The problem.** Machine learning cost {today.ml} a month.

**The solution.** A large model taught a small one.

“We paid too much,” says the head of engineering. “The bill shows it,” adds the head of finance.

**What to do.** Nobody has to do anything.

## Questions that customers ask
**Are the answers worse?** They pass the same test.

**Where is my data?** It stays where it was.

## Questions that the board asks
**What do you want?** We ask for {ask.amount}, in {ask.date}.

**And what would you do?** Recommendation: {recommendation}.

**What is it worth?** From {npv.p5} over {npv.base} to {npv.p95}.

**How do the accounts look?** EBITDA changes by {ebitda.delta.year-1}, cash by {fcf.delta.year-1}.

**What does serving cost?** {inference.pipe} a year instead of {inference.old}.

**What is the biggest risk?** That little of it carries over.

**What will we not build?** Nothing for sale.

**What if nothing is done?** Staying costs {tco.quo.total}.

## What decides it
- {sensitivity.1.name}: zero at {sensitivity.1.break-even}
- {sensitivity.2.name}: zero at {sensitivity.2.break-even}
- {sensitivity.3.name}: zero at {sensitivity.3.break-even}

## Gates
- In {gate.pilot.date} the student errs no more than the teacher.
- In {gate.cutover.date} both ways have served customers side by side.

## When it ends
- Stop in {gate.pilot.date} below {sensitivity.1.break-even}.

~ Appendix, ledger {case.hash}.
""".replace("{inference.old}", "{inference.quo}")
GOOD = {proposal.MEMO: proposal.example("good"), proposal.PRESS: PRESS}

RULE = {
    "probability.pays": 0.8, "board.min-probability": 0.7, "npv.mean": 1e5,
    "peak-cash.p95": 4e5, "board.cash-limit": 5e5,
}  # fmt: skip
WORDS = {"company.currency": "USD", "company.kind": "a fictional company", "reason": "its reasons"}


def numbers(**changes: float) -> dict[str, Fact]:
    """Numbers for every id that a text here names; names have double underscores for points."""
    texts = [*GOOD.values(), *(proposal.example(name) for name in proposal.marks())]
    ids = {i for text in texts for i in pages.PLACE.findall(text)} | set(proposal.LAB_2.values())
    values = RULE | {k.replace("__", ".").replace("_", "-"): v for k, v in changes.items()}
    found = {i: Fact(i, i, 7.0, "USD", f"{len(i)} k USD") for i in ids | values.keys()}
    for key in ids:
        if key.endswith(".date"):
            found[key] = Fact(key, key, "2027-03", "month", "March 2027")
    for key, x in values.items():
        found[key] = replace(found[key], value=x, text=f"{x:g}")
    for key, word in WORDS.items():
        found[key] = Fact(key, key, word, "", word)
    found["probability.loses"] = Fact("probability.loses", "", 0.2, "share", "20 %")
    found["horizon.months"] = Fact("horizon.months", "", 36.0, "months", "36 months")
    word, amount, _ = proposal.rule(found)
    found["recommendation"] = Fact("recommendation", "", word, "", word)
    found["ask.amount"] = Fact("ask.amount", "", amount, "USD", printable.money(amount, "USD"))
    found["condition.scale"] = Fact("condition.scale", "", 2.0, "times", "2 times")
    return found


PIVOT, STAY = numbers(), numbers(probability__pays=0.699)


def found_in(text, form=proposal.MEMO, told=PIVOT, **more):
    return [one.part for one in proposal.review(text, told, form, **more)]


# -- The property: what is taken out is what is found -----------------------------------------


@pytest.mark.parametrize("form", proposal.FORMS)
@pytest.mark.parametrize("told", [PIVOT, STAY], ids=["pivot", "stay"])
def test_a_good_draft_has_no_findings(form, told):
    assert proposal.review(GOOD[form], told, form) == []
    assert proposal.score([], form) == 100


# Lines of the good drafts that bring a part, by a word of theirs; written by hand, so that the
# review is not asked where it would look.
MEMO_LINES = {
    "title": ["# {company"], "ask": ["> **We ask"], "range": ["| Net present"],
    "sensitivities": ["| {sensitivity.2"], "status quo": ["**Staying as"],
    "kill criteria": ["**The first assumption", "**Money and time"], "gates": ["**Cut-over"],
    "risks": ["- **Privacy", "- **Licence"], "hash": ["{case.hash}"], "fictional": ["~ Memo for"],
}  # fmt: skip
PRESS_LINES = {
    "ask": ["**What do you want"], "recommendation": ["**And what would"],
    "range": ["**What is it worth"], "sensitivities": ["- {sensitivity.3"],
    "status quo": ["**What if nothing"], "kill criteria": ["- Stop"], "hash": ["{case.hash}"],
    "gates": ["- In {gate.pilot"], "customer": ["**For customers"], "problem": ["**The problem"],
    "solution": ["**The solution"], "quotes": ["“We paid"], "call to action": ["**What to do"],
    "external FAQ": ["**Where is my"], "internal FAQ": ["## Questions that the board"],
    "unit economics": ["**What does serving"], "biggest risk": ["**What is the biggest"],
    "not built": ["**What will we not"],
}  # fmt: skip
LINES = {proposal.MEMO: MEMO_LINES, proposal.PRESS: PRESS_LINES}


def without(text: str, words: list[str]) -> str:
    kept = [x for x in text.splitlines() if not any(word in x for word in words)]
    assert len(kept) == len(text.splitlines()) - len(words)
    return "\n".join(kept)


@given(st.data())
def test_what_is_taken_out_is_what_is_found(data):
    form = data.draw(st.sampled_from(proposal.FORMS))
    lines = LINES[form]
    gone = data.draw(st.sets(st.sampled_from(sorted(lines)), max_size=6))
    text = without(GOOD[form], [word for part in gone for word in lines[part]])
    expected = gone | ({"recommendation"} if form == proposal.MEMO and "ask" in gone else set())
    # Without the board's heading its questions belong to the customers, who have enough then.
    expected -= {"external FAQ"} if "internal FAQ" in gone else set()
    assert set(found_in(text, form)) == expected


def test_the_line_below_the_headline_is_dated():
    text = PRESS.replace("~ Press release of {gate.off.date}, written in {ask.date}", "~ Release")
    assert found_in(text, proposal.PRESS) == ["subhead"]


def test_every_part_is_taken_out_somewhere():
    both = MEMO_LINES.keys() | PRESS_LINES.keys() | {"subhead"}
    assert {part.id for part in proposal.PARTS} <= both


@given(st.sets(st.sampled_from(sorted(MEMO_LINES))), st.sampled_from(sorted(MEMO_LINES)))
def test_taking_more_out_never_scores_higher(gone, more):
    def score(some):
        text = without(GOOD[proposal.MEMO], [w for part in some for w in MEMO_LINES[part]])
        return proposal.score(proposal.review(text, PIVOT))

    assert score(gone | {more}) <= score(gone)


@pytest.mark.parametrize(
    ("old", "new", "part", "told"),
    [
        ("{ask.amount}", "{peak-cash}", "ask", PIVOT),
        ("in {ask.date}. R", "soon. R", "ask", PIVOT),
        ("| {npv.base} |", "| |", "range", PIVOT),
        ("{sensitivity.2.break-even}", "none", "sensitivities", PIVOT),
        ("costs {tco.quo.total}", "costs less", "status quo", PIVOT),
        ("before {board.cash-limit}", "before the limit", "kill criteria", STAY),
        ("by {gate.latest.date}", "in time", "kill criteria", STAY),
        (
            "if both have served side by side and the monitor saw a planted shift",
            "",
            "gates",
            PIVOT,
        ),
        (", in {gate.pilot.date}.", ", in spring.", "gates", PIVOT),
    ],
)
def test_half_a_part_is_none(old, new, part, told):
    good = GOOD[proposal.MEMO].replace("**Pilot, ", "**Pilot, in ")
    assert old in good and found_in(good, told=told) == []
    assert found_in(good.replace(old, new), told=told) == [part]


def test_a_blank_page_earns_nothing_and_praise_costs():
    assert proposal.score(proposal.review("", PIVOT)) == 0
    text = GOOD[proposal.MEMO] + "\n\nA massive, seamless step.\n"
    plain = next(one.points for one in proposal.WHOLES if one.id == "plain words")
    findings = proposal.review(text, PIVOT)
    assert proposal.score(findings) == 100 - plain
    assert ("plain words", -plain, 0) in proposal.table(findings)


def test_where_nothing_is_built_one_gate_is_enough():
    text = without(GOOD[proposal.MEMO], ["**Next look"])
    assert found_in(text, told=STAY) == ["gates"]
    assert found_in(text, told=PIVOT) == []


# -- What a draft must not have ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("It pays back in 14 months.", "sourced"),
        ("It halves the bill.", "sourced"),
        ("About twenty-five people gain.", "sourced"),
        ("See {NPV.p5}.", "sourced"),
        ("See {npv.p6}.", "known"),
        ("This is state-of-the-art.", "plain words"),
        ("By a multiple: {ev.multiple.high}.", "cash beside"),
        ("We recommend the status quo.", "by the rule"),
        ("and " * 250, "one page"),
        ("word\n\n" * (proposal.LINES - 20), "one page"),
    ],
)
def test_what_is_put_in_is_what_is_found(line, part):
    assert found_in(f"{GOOD[proposal.MEMO]}\n\n{line}\n") == [part]


@pytest.mark.parametrize(
    "line", ["On behalf of all.", "Until March 2027.", "We leveraged nothing.", "{ev.dcf.base}"]
)
def test_what_is_harmless_is_let_through(line):
    told = PIVOT | {"ev.dcf.base": PIVOT["npv.base"]}
    assert found_in(f"{GOOD[proposal.MEMO]}\n\n{line}\n", told=told) == []


def test_numbers_that_are_given_may_be_typed():
    text = GOOD[proposal.MEMO] + "\n\nOver 3 years, not 30.\n"
    (finding,) = proposal.review(text, PIVOT, given=["3"])
    assert finding.part == "sourced" and "30" in finding.missing and " 3," not in finding.missing


def test_a_rounded_yes_is_no():
    told = numbers(probability__pays=0.699) | {"recommendation": PIVOT["recommendation"]}
    assert found_in(GOOD[proposal.MEMO], told=told) == ["by the rule"]


def test_the_amount_asked_follows_the_rule():
    told = PIVOT | {"ask.amount": replace(PIVOT["ask.amount"], value=3e5)}
    assert found_in(GOOD[proposal.MEMO], told=told) == ["by the rule"]


def test_a_finding_says_what_why_and_where():
    for one in proposal.review("", PIVOT):
        assert one.missing.endswith(".") and one.why.endswith(".") and one.where.endswith(".")
        assert str(one).startswith(f"{one.part}: ")


def test_another_form_is_refused():
    with pytest.raises(Problem, match="memo, pr-faq"):
        proposal.review("", PIVOT, "poem")


def test_a_page_is_set_and_measured():
    pytest.importorskip("typst")
    long = "incomprehensibilities " * (proposal.WORDS - 10)
    assert proposal.fits(GOOD[proposal.MEMO], PIVOT) is True
    assert proposal.fits(long, PIVOT) is False
    assert "one page" in found_in(long, render=True) and "one page" not in found_in(long)
    assert found_in(GOOD[proposal.MEMO], render=True) == []
    assert proposal.fits("{no.such}", PIVOT) is None


def test_a_draft_is_shown_with_its_numbers():
    told = proposal.shown(GOOD[proposal.MEMO], PIVOT)
    assert not pages.PLACE.search(told) and "{=" not in told
    assert "|:--|:--|:--|:--|\n| Net present value" in told and "\n#### Options\n" in told


# -- The examples ------------------------------------------------------------------------------


def test_the_review_finds_what_the_marks_say():
    for name, one in proposal.marks().items():
        assert found_in(proposal.example(name), one["form"]) == one["findings"], name


def test_review_and_readers_rank_the_examples_alike():
    marks = proposal.marks()
    assert list(marks) == ["weak", "fair", "good"]
    scores = [
        proposal.score(proposal.review(proposal.example(n), PIVOT, m["form"]), m["form"])
        for n, m in marks.items()
    ]
    judged = [proposal.points(m["levels"]) for m in marks.values()]
    assert scores == sorted(set(scores)) and judged == sorted(set(judged))
    assert all(m["why"].keys() == proposal.CRITERIA.keys() for m in marks.values())


def test_only_the_weak_example_types_a_number():
    typed = {n: proposal.unsourced(proposal.example(n)) for n in proposal.marks()}
    assert typed.pop("weak") and not any(typed.values())


def test_points_of_the_rubric():
    low, high = (dict.fromkeys(proposal.CRITERIA, level) for level in (1, proposal.LEVELS))
    assert (proposal.points(low), proposal.points(high)) == (0, 100)
    assert proposal.points(low | {"ask": 3}) == 10
    for bad in ({"ask": 5}, {"ask": 0}, {"zeal": 2}):
        with pytest.raises(ValueError, match="level"):
            proposal.points(low | bad)


# -- Numbers of the learner's own lab ----------------------------------------------------------

MINE = {
    "npv.base": 2e5, "npv.p5": -1e5, "npv.p50": 1e5, "npv.p95": 4e5, "npv.mean": 1.2e5,
    "probability.pays": 0.75, "peak-cash": -3e5, "payback-month": 25,
}  # fmt: skip


def test_numbers_of_lab_2_take_the_place_of_ours():
    told = proposal.numbers(STAY, MINE)
    assert told["npv.p5"].text == "−100 k USD" and told["probability.pays"].text == "75 %"
    assert told["peak-cash"].value == 3e5 and told["payback.month"].text == "month 25"
    assert told["recommendation"].text == "pivot" and told["ask.amount"].value == 4e5
    assert "75 %, and the board demands" in told["reason"].text
    assert told["probability.loses"].text == "25 %"
    assert told["npv.p5"].evidence == ("labs/tco.json",)
    assert told["tco.quo.total"] == STAY["tco.quo.total"]
    assert proposal.numbers(STAY) == STAY
    late = proposal.numbers(PIVOT, MINE | {"payback-month": None, "probability.pays": 0.0})
    assert late["payback.month"].text == "not in 36 months"
    assert late["recommendation"].text == "status quo" and late["ask.amount"].text == "0 USD"
    assert late["reason"].text.startswith("the chance that it pays is below 1 %")
    assert "expected" not in late["reason"].text


def test_a_page_of_lab_2_without_a_number_is_refused():
    with pytest.raises(Problem, match=r"lacks npv\.mean"):
        proposal.numbers(PIVOT, {k: v for k, v in MINE.items() if k != "npv.mean"})


def test_numbers_from_another_ledger_are_named():
    told = proposal.numbers(PIVOT, MINE)
    assert proposal.apart(told, MINE) == []
    off = MINE | {"npv.p5": -1.02e5, "peak-cash": 3e5, "payback-month": 30}
    assert proposal.apart(told, off) == ["npv.p5", "peak-cash"]


# -- The lines behind the exercises ------------------------------------------------------------


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12), min_size=1, max_size=60),
       st.floats(0.01, 1))  # fmt: skip
def test_the_amount_asked_covers_the_share_and_no_less_would(flows, share):
    amount = proposal.ask(flows, share)
    depths = np.array([max(0.0, *(-np.cumsum(x))) for x in flows])
    assert np.mean(depths <= amount) >= share - 1e-9
    assert amount == 0 or np.mean(depths < amount) < share
    assert amount == pytest.approx(np.quantile(depths, share, method="inverted_cdf"))


def test_an_amount_needs_scenarios():
    for flows, share in (([], 0.95), ([[1.0]], 0.0), ([[1.0]], 1.1)):
        with pytest.raises(ValueError, match="scenario"):
            proposal.ask(flows, share)


def test_all_three_tests_must_hold():
    assert proposal.decide(0.7, 0.7, 1.0, 5.0, 5.0) == ("pivot", 5.0, [])
    assert proposal.decide(0.6999, 0.7, 1.0, 5.0, 5.0) == ("status quo", 0.0, ["probability"])
    assert proposal.decide(0.9, 0.7, 0.0, 5.1, 5.0) == ("status quo", 0.0, ["expected", "cash"])


@given(st.floats(0.1, 0.9), st.floats(1, 9), st.floats(1e3, 1e5), st.booleans())
def test_a_project_stopped_by_its_criterion_is_worth_nothing(zero, width, slope, cost):
    low, high = zero - width, zero + 2 * width
    slope = -slope if cost else slope
    swing = proposal.Swing("x", low, high, slope * (low - zero), slope * (high - zero))
    ((name, side, threshold, date),) = proposal.kill_criteria([swing], "March")
    assert (name, date, threshold) == ("x", "March", pytest.approx(zero))
    stopped = threshold - 0.1 if side == "below" else threshold + 0.1
    assert slope * (stopped - zero) < 0


def test_three_sensitivities_widest_first():
    bars = [
        proposal.Swing("cost", 1, 3, 9e4, -9e4), proposal.Swing("share", 0, 1, 1e4, 3e5),
        proposal.Swing("small", 0, 900, -1e3, 1e3), proposal.Swing("middle", 0, 2, -2e4, 2e4),
    ]  # fmt: skip
    assert proposal.sensitivities(bars) == [("share", None), ("cost", 2.0), ("middle", 1.0)]
    assert proposal.Swing("flat", 0, 1, 0.0, 0.0).break_even is None


def test_the_bridge_by_hand():
    lines = [
        ("Revenue", 100.0, 110.0, True), ("COGS", 30.0, 24.0, True), ("R&D", 20.0, 23.0, True),
        ("R&D", 0.0, 8.0, False), ("Depreciation", 5.0, 9.0, True), ("Capex", 0.0, 4.0, False),
        ("Opportunity", 7.0, 0.0, True),
    ]  # fmt: skip
    assert proposal.recurring_bridge(lines) == {
        "before": 50.0, "Revenue": 10.0, "COGS": 6.0, "R&D": -3.0, "S&M": 0.0, "G&A": 0.0,
        "after": 63.0, "one-off": -8.0,
    }  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["a", " {npv.p5} ", ", ", "{x.1-2}"]),
                          st.sampled_from(["", "7", "1,250.5", "30", "3"]))))  # fmt: skip
def test_digits_are_found_where_no_placeholder_is(pieces):
    text = " ".join(a + " " + b for a, b in pieces)
    assert proposal.unsourced(text, ["3"]) == [b for _, b in pieces if b not in ("", "3")]


def test_allowed_texts_are_whole():
    assert proposal.unsourced("in March 2027, not March 20271 or 2027", ["March 2027"]) == [
        "20271", "2027",
    ]  # fmt: skip


def test_a_test_of_a_line_is_no_number():
    assert found_in("{?sensitivity.1.break-even}Words.", told=PIVOT) == found_in("Words.")
    assert re.search("sensitivity.1", proposal.example("good"))
