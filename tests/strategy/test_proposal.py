"""The rules behind a proposal, by hand and by other means; and the numbers of lab 2."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthecon import Problem, paths
from synthecon.economics import model, tco
from synthecon.strategy import choices, proposal
from synthecon.strategy.printable import Fact

# -- Numbers of the learner's own lab ----------------------------------------------------------

MINE = {
    "npv.base": 2e5, "npv.p5": -1e5, "npv.p50": 1e5, "npv.p95": 4e5, "npv.mean": 1.2e5,
    "probability.pays": 0.75, "peak-cash": -3e5, "payback-month": 25,
}  # fmt: skip


def told(option: str = choices.WHOLE) -> dict[str, Fact]:
    """Facts of a case, each 7."""
    ids = {
        "npv.base", "npv.p5", "npv.p50", "npv.p95", "npv.mean", "npv.careful", "probability.pays",
        "probability.cash", "peak-cash", "payback.month", "option.whole.npv", "tco.quo.total",
    }  # fmt: skip
    found = {i: Fact(i, i, 7.0, "USD", "7 USD") for i in ids}
    for key, word in (("company.currency", "USD"), ("option.id", option)):
        found[key] = Fact(key, key, word, "", word)
    found["horizon.months"] = Fact("horizon.months", "", 36.0, "months", "36 months")
    return found


def test_numbers_of_lab_2_have_ids_and_take_the_place_of_the_same_quantity():
    found = proposal.numbers(told(), MINE)
    assert found["mine.npv.p5"].text == found["npv.p5"].text == "−100 k USD"
    assert found["mine.probability.pays"].text == found["probability.cash"].text == "75 %"
    assert found["mine.peak-cash"].value == found["peak-cash"].value == 3e5
    assert found["payback.month"].text == "month 25"
    assert found["npv.p5"].evidence == found["mine.npv.p5"].evidence == ("labs/tco.json",)
    for other in ("probability.pays", "npv.careful", "tco.quo.total", "option.whole.npv"):
        assert found[other] == told()[other] or other == "option.whole.npv"
    assert proposal.numbers(told()) == told()
    late = proposal.numbers(told(), MINE | {"payback-month": None, "probability.pays": 0.0})
    assert late["payback.month"].text == "not in 36 months"
    assert late["mine.probability.pays"].text == "below 1 %"


def test_of_another_option_only_the_number_of_the_whole_is_theirs():
    found = proposal.numbers(told(choices.LEAN), MINE)
    assert found["option.whole.npv"].value == 2e5 and found["mine.npv.base"].value == 2e5
    same = [key for key, fact in told().items() if found[key].value == fact.value]
    assert set(told()) - set(same) == {"option.whole.npv", "option.id"}


def test_a_page_of_lab_2_without_a_number_is_refused():
    with pytest.raises(Problem, match=r"lacks npv\.mean"):
        proposal.numbers(told(), {k: v for k, v in MINE.items() if k != "npv.mean"})


def test_numbers_from_another_ledger_are_named():
    assert proposal.apart(MINE, MINE) == []
    off = MINE | {"npv.p5": -1.02e5, "peak-cash": 3e5, "payback-month": 30}
    assert proposal.apart(off, MINE) == ["npv.p5", "peak-cash"]


def test_the_page_of_lab_2_by_other_means():
    one = model.load(paths.root() / "case")
    page = proposal.lab_2(one, scenarios=512)
    base = one.base()
    saved = tco.advantage(one.items, base, one.plan(base)).tolist()
    rate = base["finance.wacc"]
    discounted = sum(flow / (1 + rate) ** (month / 12) for month, flow in enumerate(saved))
    assert page["npv.base"] == pytest.approx(discounted)
    total, lowest, back = 0.0, 0.0, 0
    for month, flow in enumerate(saved):
        total += flow
        lowest = min(lowest, total)
        back = month + 1 if total < 0 else back
    assert page["peak-cash"] == pytest.approx(lowest) and page["payback-month"] == back
    assert page["npv.p5"] < page["npv.p50"] < page["npv.p95"]
    assert page.keys() == proposal.LAB_2.keys()


def test_the_rule_reads_new_risks_and_cash_before_tax():
    values = {"probability.pays": 0.7, "board.min-probability": 0.6, "npv.careful": 1.0,
              "need.p95": 5.0, "board.cash-limit": 6.0, "npv.mean": -1.0,
              "peak-cash.p95": 9.0}  # fmt: skip
    found = {k: Fact(k, k, x, "", "") for k, x in values.items()}
    assert proposal.rule(found) == ("pivot", 5.0, [])
    found["need.p95"] = Fact("need.p95", "", 7.0, "", "")
    assert proposal.rule(found) == ("status quo", 0.0, ["cash"])


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
