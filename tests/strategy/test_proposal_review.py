"""The review of a proposal: whatever is taken out of a good draft is what it finds, and no more."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthecon import Problem, paths
from synthecon.economics import model
from synthecon.strategy import choices, facts, pages, printable, proposal
from synthecon.strategy import proposal_draft as drafts
from synthecon.strategy import proposal_review as review
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
**How sure is that?** It pays with a chance of {probability.pays}.

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
- {gate.pilot.date}: passed if no group errs more.
- In {gate.cutover.date} we go on once both ways have served.

## When it ends
- Stop in {gate.pilot.date} below {sensitivity.1.break-even}.

~ Appendix, ledger {case.hash}.
""".replace("{inference.old}", "{inference.quo}")
GOOD = {review.MEMO: review.example("good"), review.PRESS: PRESS}

RULE = {
    "probability.pays": 0.8, "board.min-probability": 0.7, "npv.careful": 1e5,
    "need.p95": 4e5, "board.cash-limit": 5e5,
}  # fmt: skip
WORDS = {"company.currency": "USD", "company.kind": "a fictional company", "reason": "its reasons"}


def numbers(**changes: float) -> dict[str, Fact]:
    """Numbers for every id that a text here names; names have double underscores for points."""
    texts = [*GOOD.values(), *(review.example(name) for name in review.marks())]
    ids = (
        {i for text in texts for i in pages.PLACE.findall(text)}
        | {"probability.cash", "payback.month"}
        | set(proposal.LAB_2)
    )
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
    found["option.id"] = Fact("option.id", "", choices.WHOLE, "", choices.WHOLE)
    word, amount, _ = proposal.rule(found)
    found["recommendation"] = Fact("recommendation", "", word, "", word)
    found["ask.amount"] = Fact("ask.amount", "", amount, "USD", printable.money(amount, "USD"))
    found["condition.scale"] = Fact("condition.scale", "", 2.0, "times", "2 times")
    return found


PIVOT, STAY = numbers(), numbers(probability__pays=0.699)


def found_in(text, form=review.MEMO, told=PIVOT, **more):
    return [one.part for one in review.review(text, told, form, **more)]


# -- The property: what is taken out is what is found -----------------------------------------


@pytest.mark.parametrize("form", review.FORMS)
@pytest.mark.parametrize("told", [PIVOT, STAY], ids=["pivot", "stay"])
def test_a_good_draft_has_no_findings(form, told):
    assert review.review(GOOD[form], told, form) == []
    assert review.score([], form) == 100


# Lines of the good drafts that bring a part, by a word of theirs; written by hand, so that the
# review is not asked where it would look.
MEMO_LINES = {
    "title": ["# {company"], "ask": ["> **We ask"], "range": ["| Net present"],
    "chance": ["~ Low and high"],
    "sensitivities": ["| {sensitivity.2"], "status quo": ["**Staying as"],
    "kill criteria": ["**The first assumption", "**Money and time"], "gates": ["**Cut-over"],
    "risks": ["- **Privacy", "- **Licence"], "hash": ["{case.hash}"], "fictional": ["~ Memo for"],
}  # fmt: skip
PRESS_LINES = {
    "ask": ["**What do you want"], "recommendation": ["**And what would"],
    "range": ["**What is it worth"], "sensitivities": ["- {sensitivity.3"],
    "status quo": ["**What if nothing"], "kill criteria": ["- Stop"], "hash": ["{case.hash}"],
    "gates": ["- {gate.pilot"], "customer": ["**For customers"], "problem": ["**The problem"],
    "solution": ["**The solution"], "quotes": ["“We paid"], "call to action": ["**What to do"],
    "external FAQ": ["**Where is my"], "internal FAQ": ["## Questions that the board"],
    "unit economics": ["**What does serving"], "biggest risk": ["**What is the biggest"],
    "not built": ["**What will we not"],
}  # fmt: skip
LINES = {review.MEMO: MEMO_LINES, review.PRESS: PRESS_LINES}


def without(text: str, words: list[str]) -> str:
    kept = [x for x in text.splitlines() if not any(word in x for word in words)]
    assert len(kept) == len(text.splitlines()) - len(words)
    return "\n".join(kept)


@given(st.data())
def test_what_is_taken_out_is_what_is_found(data):
    form = data.draw(st.sampled_from(review.FORMS))
    lines = LINES[form]
    gone = data.draw(st.sets(st.sampled_from(sorted(lines)), max_size=6))
    text = without(GOOD[form], [word for part in gone for word in lines[part]])
    expected = gone | ({"recommendation"} if form == review.MEMO and "ask" in gone else set())
    # Without the board's heading its questions belong to the customers, who have enough then.
    expected -= {"external FAQ"} if "internal FAQ" in gone else set()
    assert set(found_in(text, form)) == expected


def test_the_line_below_the_headline_is_dated():
    text = PRESS.replace("~ Press release of {gate.off.date}, written in {ask.date}", "~ Release")
    assert found_in(text, review.PRESS) == ["subhead"]


def test_every_part_is_taken_out_somewhere():
    both = MEMO_LINES.keys() | PRESS_LINES.keys() | {"subhead"}
    assert {part.id for part in review.PARTS} <= both


@given(st.sets(st.sampled_from(sorted(MEMO_LINES))), st.sampled_from(sorted(MEMO_LINES)))
def test_taking_more_out_never_scores_higher(gone, more):
    def score(some):
        text = without(GOOD[review.MEMO], [w for part in some for w in MEMO_LINES[part]])
        return review.score(review.review(text, PIVOT))

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
            "Passed if both have served side by side and the monitor saw a planted shift",
            "Both serve side by side",
            "gates",
            PIVOT,
        ),
        (", in {gate.pilot.date}.", ", in spring.", "gates", PIVOT),
    ],
)
def test_half_a_part_is_none(old, new, part, told):
    good = GOOD[review.MEMO].replace("**Pilot, ", "**Pilot, in ")
    assert old in good and found_in(good, told=told) == []
    assert found_in(good.replace(old, new), told=told) == [part]


def test_a_blank_page_earns_nothing_and_praise_costs():
    assert review.score(review.review("", PIVOT)) == 0
    text = GOOD[review.MEMO] + "\n\nA massive, seamless step.\n"
    plain = next(one.points for one in review.WHOLES if one.id == "plain words")
    findings = review.review(text, PIVOT)
    assert review.score(findings) == 100 - plain
    assert ("plain words", -plain, 0) in review.table(findings)


def test_where_nothing_is_built_one_gate_is_enough():
    text = without(GOOD[review.MEMO], ["**Next look"])
    assert found_in(text, told=STAY) == ["gates"]
    assert found_in(text, told=PIVOT) == []


# -- What a draft must not have ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("It pays back in 14 months.", "sourced"),
        ("It halves the bill.", "sourced"),
        ("About twenty-five people gain.", "sourced"),
        ("See {NPV.p5}.", "known"),
        ("Please see {npv.p6}.", "known"),
        ("This is state-of-the-art.", "plain words"),
        ("By a multiple: {ev.multiple.high}.", "cash beside"),
        ("We recommend the status quo.", "by the rule"),
        ("and or " * 250, "one page"),
        ("word\n\n" * (review.LINES - 20), "one page"),
    ],
)
def test_what_is_put_in_is_what_is_found(line, part):
    assert found_in(f"{GOOD[review.MEMO]}\n\n{line}\n") == [part]


@pytest.mark.parametrize(
    "line",
    [
        "On behalf of all.",
        "Until March 2027.",
        "We leveraged nothing.",
        "By its cash {ev.dcf.base}",
    ],
)
def test_what_is_harmless_is_let_through(line):
    told = PIVOT | {"ev.dcf.base": PIVOT["npv.base"]}
    assert found_in(f"{GOOD[review.MEMO]}\n\n{line}\n", told=told) == []


def test_numbers_that_are_given_may_be_typed():
    text = GOOD[review.MEMO] + "\n\nOver 3 years, not 30.\n"
    (finding,) = review.review(text, PIVOT, given=["3"])
    assert finding.part == "sourced" and "30" in finding.missing and " 3," not in finding.missing


def test_a_rounded_yes_is_no():
    told = numbers(probability__pays=0.699) | {"recommendation": PIVOT["recommendation"]}
    assert found_in(GOOD[review.MEMO], told=told) == ["by the rule"]


def test_the_amount_asked_follows_the_rule():
    told = PIVOT | {"ask.amount": replace(PIVOT["ask.amount"], value=3e5)}
    assert found_in(GOOD[review.MEMO], told=told) == ["by the rule"]


def test_a_finding_says_what_why_and_where():
    for one in review.review("", PIVOT):
        assert one.missing.endswith(".") and one.why.endswith(".") and one.where.endswith(".")
        assert str(one).startswith(f"{one.part}: ")


def test_another_form_is_refused():
    with pytest.raises(Problem, match="memo, pr-faq"):
        review.review("", PIVOT, "poem")


def test_a_page_is_set_and_measured():
    pytest.importorskip("typst")
    long = "incomprehensibilities uncharacteristically " * (review.WORDS // 2 - 10)
    assert review.fits(GOOD[review.MEMO], PIVOT) is True
    assert review.fits(long, PIVOT) is False
    assert "one page" in found_in(long, render=True) and "one page" not in found_in(long)
    assert found_in(GOOD[review.MEMO], render=True) == []
    assert review.fits("{no.such}", PIVOT) is None


def test_a_draft_is_shown_with_its_numbers():
    told = review.shown(GOOD[review.MEMO], PIVOT)
    assert not pages.PLACE.search(told) and "{=" not in told
    assert "|:--|:--|:--|:--|\n| Net present value" in told and "\n#### Options\n" in told


# -- The examples ------------------------------------------------------------------------------


def test_the_review_finds_what_the_marks_say():
    for name, one in review.marks().items():
        assert found_in(review.example(name), one["form"]) == one["findings"], name


def test_review_and_readers_rank_the_examples_alike():
    marks = review.marks()
    assert list(marks) == ["weak", "fair", "good"]
    scores = [
        review.score(review.review(review.example(n), PIVOT, m["form"]), m["form"])
        for n, m in marks.items()
    ]
    judged = [review.points(m["levels"]) for m in marks.values()]
    assert scores == sorted(set(scores)) and judged == sorted(set(judged))
    assert all(m["why"].keys() == review.CRITERIA.keys() for m in marks.values())


def test_only_the_weak_example_types_a_number():
    typed = {n: proposal.unsourced(review.example(n)) for n in review.marks()}
    assert typed.pop("weak") and not any(typed.values())


def test_points_of_the_rubric():
    low, high = (dict.fromkeys(review.CRITERIA, level) for level in (1, review.LEVELS))
    assert (review.points(low), review.points(high)) == (0, 100)
    assert review.points(low | {"ask": 3}) == 10
    for bad in ({"ask": 5}, {"ask": 0}, {"zeal": 2}):
        with pytest.raises(ValueError, match="level"):
            review.points(low | bad)


def test_a_test_of_a_line_is_no_number():
    assert found_in("{?sensitivity.1.break-even}Words.", told=PIVOT) == found_in("Words.")
    assert re.search("sensitivity.1", review.example("good"))


# -- What it recognises by its meaning ---------------------------------------------------------

GATES = "## Gates\n- {gate.pilot.date}: passed if the bill shows what was saved.\n"


def finding(text, part, form=review.MEMO, told=PIVOT):
    return next(one for one in review.review(text, told, form) if one.part == part)


def has(text, part, form=review.MEMO):
    return part not in found_in(text, form)


def test_a_gate_needs_a_date_and_a_condition_and_no_more():
    second = "- {gate.cutover.date}: unless errors rise.\n"
    assert has(GATES + second, "gates")
    table = "| Gate | Date | Passed if |\n| Pilot | {gate.pilot.date} | errors equal |\n"
    assert has(f"## Gates\n{table}| Off | {{gate.off.date}} | bill lower |\n", "gates")
    assert not has(f"## Gates\n{table}| Off | {{gate.off.date}} | |\n", "gates")
    near = finding(GATES + "- Cut-over in {gate.cutover.date}.", "gates").missing
    assert "not what must be true" in near and "Cut-over in" in near and "passed if" not in near
    stop = "- At the gate of {gate.off.date} we stop if it costs more.\n"
    assert not has(GATES + stop, "gates")
    assert has(GATES + stop.replace("we stop", "it is passed, else we stop"), "gates")


def test_a_risk_says_what_may_happen_or_what_it_costs():
    assert has("## Risks\n- Data may leak.\n- Licence costs: {risk.licence.loss}.", "risks")
    near = finding("## Risks\n- Data may leak.\n- The licence of the teacher.", "risks").missing
    assert "without what may happen" in near and "licence of the teacher" in near
    assert "leak" not in near


def test_a_stop_without_a_threshold_is_quoted():
    near = finding("## End\n- We stop in {gate.pilot.date} at the latest.", "kill criteria")
    assert "lacks an amount" in near.missing and "at the latest" in near.missing
    assert has("We stop at the pilot gate below {sensitivity.1.zero}.", "kill criteria")


@pytest.mark.parametrize(("left", "right"), ["“”", '""', "„“", "«»"])
def test_quotes_of_every_shape(left, right):
    text = PRESS.replace("“", left).replace("”", right)
    assert has(text, "quotes", review.PRESS)
    unsaid = text.replace("says the", "by the").replace("adds the", "by the")
    assert "nobody says it" in finding(unsaid, "quotes", review.PRESS).missing


def test_questions_need_no_blank_line_between_them():
    text = PRESS.replace("They pass the same test.\n\n", "They pass the same test.\n")
    assert text != PRESS and found_in(text, review.PRESS) == []
    plain = text.replace("**Where is my data?**", "Where is my data?")
    near = finding(plain.replace("\nWhere is", "\n\nWhere is"), "external FAQ", review.PRESS)
    assert "bold" in near.missing and "Where is my data" in near.missing


# -- What would be lost without a word ---------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{=recommendation pivo}Words that vanish.", ["can never hold", "pivot or status quo"]),
        ("{=recomendation pivot}Words that vanish.", ["{recommendation}?", "Words that"]),
        ("{?npv.basee}Words that vanish.", ["{npv.base}?"]),
        ("{!no.such}Words that stay.", ["{no.such}"]),
        ("Low is {npv.p5 and no more.", ["not closed", "Low is {npv.p5 and"]),
        ("Please see {npv.p6}.", ["{npv.p6} (or {npv.p5}?)"]),
    ],
)
def test_marks_that_went_wrong_are_quoted(line, told):
    (one,) = review.review(f"{GOOD[review.MEMO]}\n\n{line}\n", PIVOT)
    assert one.part == "known" and all(x in one.missing for x in told), one.missing


def test_conditions_that_another_case_meets_are_no_fault():
    fine = "{?npv.other}Here.\n\n{=recommendation status quo}There.\n"
    assert found_in(f"{GOOD[review.MEMO]}\n\n{fine}") == []


def test_a_ragged_row_is_quoted_and_nothing_crashes():
    text = GOOD[review.MEMO].replace("| Payback | {payback.p95} |", "| Payback |")
    (one,) = review.review(text, PIVOT, render=True)
    assert (
        one.part == "tables" and "Payback" in one.missing and "3 cells, its table 4" in one.missing
    )
    assert drafts.fits(text, PIVOT) is None


# -- What is said without being so -------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "It is private and sound.", "Made-up data is anonymous.", "The data are safe.",
        "It is proven by analysts.", "A saving is guaranteed.", "It always pays.",
    ],
)  # fmt: skip
def test_absolute_claims_are_named_with_the_claim_that_was_tested(line):
    (one,) = review.review(f"{GOOD[review.MEMO]}\n\n{line}\n", PIVOT)
    assert one.part == "claims" and line.rstrip(".") in one.missing and "cpu/lesson-" in one.missing


@pytest.mark.parametrize(
    "line", ["Made-up data is not private by nature.", "Is it safe?", "Nobody calls it proven.",
             "Whether it is anonymous was tested."],
)  # fmt: skip
def test_who_denies_or_asks_claims_nothing(line):
    assert found_in(f"{GOOD[review.MEMO]}\n\n{line}\n") == []


def test_the_claims_named_are_recorded():
    for claim in review.CLAIMS.values():
        record, _, name = claim.partition("#")
        assert f'"name": "{name}"' in (paths.root() / "results" / f"{record}.json").read_text()


def test_numbers_without_words_earn_nothing():
    ids = sorted({i for b in review.read(GOOD[review.MEMO], PIVOT).blocks for i in b.ids})
    bare = "# A title\n" + "".join(
        f"## {word}\nBlah blah " + " ".join(f"{{{i}}}" for i in ids) + "\n\n"
        for word in ("We ask", "Recommend", "Risk", "Gate if", "Stop", "Stay")
    )
    found = review.review(bare, PIVOT)
    assert review.score(found) <= 5 and "own words" in [one.part for one in found]
    assert found_in(GOOD[review.MEMO] + "\n\n- {npv.p5}: low\n") == ["own words"]
    assert found_in(GOOD[review.MEMO] + "\n\n- {npv.p5} is low\n") == []


# -- The sum, and the mark ---------------------------------------------------------------------


def test_the_score_adds_up_for_its_reader():
    text = without(GOOD[review.MEMO], ["{case.hash}"]) + "\n\nA massive step.\n"
    found = review.review(text, PIVOT)
    had, possible, of_100, less, score = map(int, re.findall(r"\d+(?! of 100)", re.sub(
        " of 100", "", review.reckoned(found))))  # fmt: skip
    rows = review.table(found)
    assert had == sum(got for _, got, of in rows if of) and possible == sum(of for *_, of in rows)
    assert of_100 == round(100 * had / possible) and score == of_100 - less == review.score(found)
    points, why = review.marked(text, PIVOT)
    assert points == score and "−4 hash: " in why and "−4 plain words: " in why
    assert "less" not in review.reckoned([])


# -- The documents of the package --------------------------------------------------------------


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_the_documents_of_the_package_pass_the_review(company):
    told = facts.collect(model.load(paths.root() / company), scenarios=2048)
    words = re.compile(r"\d+")
    for name, form, least in (("memo", review.MEMO, 90), ("press", review.PRESS, 55)):
        text = pages.variant(name, told)
        typed = words.findall(pages.PLACE.sub(" ", text))  # of these the templates answer elsewhere
        found = review.review(text, told, form, given=typed)
        assert review.score(found, form) >= least, [str(one) for one in found]
        lacks = {one.part for one in found}
        assert not lacks & {"known", "tables", "own words", "claims", "by the rule", "plain words"}
        if name == "press":  # as the lab says, the memo beside it has these
            beside = {"ask", "recommendation", "sensitivities", "gates", "kill criteria"}
            assert lacks <= beside | {"unit economics", "status quo", "one page"}
