"""The parts that a proposal must have, and how a program recognises each by what it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from synthecon.strategy.proposal_draft import FORMS, MEMO, PRESS, Block, Draft

Carries = Callable[[Block, Draft], Iterable[str]]


@dataclass(frozen=True)
class Part:
    """Something that must stand in a draft.

    carries: what a block brings of it, as keys; `least` different ones must come together.
    points: earned by it.  missing, why, where: of the finding.  near: blocks that bring half of
    it, as keys; the finding then says `almost`, and quotes them.
    """

    id: str
    forms: tuple[str, ...]
    points: int
    carries: Carries
    missing: str
    why: str
    where: str
    least: int = 1
    near: Carries | None = None
    almost: str = ""


def _if(test: Callable[[Block], Any]) -> Carries:
    """One key a block: its place."""
    return lambda b, draft: [str(b.place)] if test(b) else []


DATE = re.compile(r".+\.date")
MONEY = re.compile(r".+\.(break-even|zero|least|need)|need\..+|board\..+|gate\..+\.cash|"
                   r"ask\.amount|condition\..+")  # fmt: skip
CHANCE = re.compile(r"probability\..+|option\..+\.pays|mine\.probability\.pays|stress\..+\.pays")
STOP = re.compile(r"\b(stop|stops|kill)\b")
STAY = re.compile(r"\b(stay|staying|status quo|as we are|decline)\b")
UNIT = re.compile(r"effect\.ratio|inference\.(quo|pipe)|cogs.*|gross-margin.*")
STATED = re.compile(r"recommend\w*\W+(?:\w+\W+){0,6}?(pivot|status quo)")
CONDITION = re.compile(
    r"\b(if|unless|when|once|only|must|provided|pass|passes|passed|meets?|"
    r"(no|not) (more|less|later|worse) than|at least|(more|less) than)\b"
)
"""Words by which a gate says what has to be true."""
GOES_ON = re.compile(r"\b(pass|passes|passed|go on|goes on|continue|otherwise|else)\b")
HARM = re.compile(
    r"\b(may|might|could|if|unless|when|fails?|failed|lose[sd]?|lost|loss(es)?|costs?|damages?|"
    r"too (little|late|much|many|few)|worse|later?|less|forbids?|forbidden|leaks?|unseen|rises?|"
    r"falls?|breaks?|wrong|delays?|exceed(s|ed)?|not)\b"
)
"""Words by which a risk says what may happen or what it costs."""
SAID = re.compile(r"\b(says?|adds?|said|writes?|added|wrote)\b")
QUOTED = re.compile(r"[“„«\"]([^“”„«»\"]*\s[^“”„«»\"]*)[”“»\"]")


def _chance(b: Block, draft: Draft) -> Iterable[str]:
    """A chance by its id, or as a part of the reason that the rule gives."""
    reason = draft.found["reason"].text if "reason" in draft.found else ""
    told = any(map(CHANCE.fullmatch, b.ids)) or ("reason" in b.ids and "chance" in reason)
    return [str(b.place)] if told else []


def _dates(b: Block) -> list[str]:
    return [i for i in b.ids if DATE.fullmatch(i)]


def _at_gate(b: Block) -> bool:
    """Below a heading with the word, or with the word in it; and no reason to stop."""
    told = "gate" in f"{b.section} {b.words} {b.head.lower()}"
    stops = STOP.search(b.words) and not GOES_ON.search(b.words)
    return told and b.kind not in ("heading", "head") and not stops


def _conditional(b: Block) -> bool:
    """A word of condition in it, or words below one in the head of its table."""
    below = (CONDITION.search(head) and re.search("[a-z]", cell) for head, cell in b.columns)
    return bool(CONDITION.search(b.words)) or (b.kind == "row" and any(below))


def _gate(b: Block, draft: Draft) -> Iterable[str]:
    return _dates(b) if _at_gate(b) and _conditional(b) else []


def _gate_only_dated(b: Block, draft: Draft) -> Iterable[str]:
    return _dates(b) if _at_gate(b) and not _conditional(b) else []


def _is_risk(b: Block) -> bool:
    return "risk" in f"{b.section} {b.lead} {b.head.lower()}" and b.kind in (
        "bullet",
        "text",
        "row",
    )


def _harms(b: Block) -> bool:
    return bool(HARM.search(b.words)) or any(i.startswith("risk.") for i in b.ids)


def _sensitivity(b: Block, draft: Draft) -> Iterable[str]:
    return [n for n in _named(b, draft) if {f"sensitivity.{n}.{x}" for x in ZEROS} & b.ids]


def _named(b: Block, draft: Draft) -> Iterable[str]:
    return [n for n in ("1", "2", "3") if f"sensitivity.{n}.name" in b.ids]


ZEROS = ("break-even", "zero")


def _quotes(b: Block, draft: Draft) -> Iterable[str]:
    return [f"{b.place}.{i}" for i, _ in _quoted(b)] if SAID.search(b.words) else []


def _quoted(b: Block) -> list[tuple[int, str]]:
    return list(enumerate(QUOTED.findall(b.text)))


def _asks(*who: str, bold: bool = True) -> Carries:
    """Questions below a heading about the questions of somebody."""

    def carries(b: Block) -> bool:
        below = any(x in b.section for x in who) and re.search("question|faq", b.section)
        asks = b.lead.endswith("?")
        return bool(below) and (
            asks if bold else not asks and "?" in b.text and b.kind != "heading"
        )

    return _if(carries)


def _range(b: Block) -> bool:
    return {"npv.p5", "npv.p95"} <= b.ids and bool({"npv.base", "npv.p50", "npv.mean"} & b.ids)


def _threshold(b: Block) -> bool:
    return any(map(MONEY.fullmatch, b.ids))


def _dated(b: Block) -> bool:
    """A date, or a gate, which has one."""
    return bool(_dates(b)) or "gate" in b.words


def _kill(b: Block) -> bool:
    return bool(STOP.search(b.words)) and _threshold(b) and _dated(b)


PARTS = (
    Part("title", FORMS, 2, _if(lambda b: b.kind == "title"),
         "The first line names no decision.",
         "A board reads the title twice: on the agenda, and in the minutes.",
         "Begin with a line '# …'; of a PR/FAQ it is the headline."),
    Part("ask", FORMS, 8,
         _if(lambda b: {"ask.amount", "ask.date"} <= b.ids
             and re.search(r"\b(ask|asks|approve|release|decline)\b", b.words)),
         "Nobody is asked for the amount that the rule gives, by a date.",
         "A board decides on requests; a text that asks for nothing is for information.",
         "One sentence with 'ask', {ask.amount} and {ask.date}; zero is an amount."),
    Part("recommendation", FORMS, 6,
         _if(lambda b: "recommend" in b.words
             and ("recommendation" in b.ids or STATED.search(b.words))),
         "There is no recommendation.",
         "Whoever knows the numbers best must say what they would do.",
         "A sentence with 'Recommendation: {recommendation}'."),
    Part("range", FORMS, 8, _if(_range),
         "Low, base and high do not stand together.",
         "A single number hides how wrong it may be; a range apart from it is not read.",
         "{npv.p5}, {npv.base} and {npv.p95} in one sentence, or one row of a table."),
    Part("chance", FORMS, 4, _chance,
         "The chance that it pays is not on the page.",
         "A range has a middle and ends; the board's rule asks how much of it lies above zero.",
         "{probability.pays} or {probability.loses}, in a sentence."),
    Part("sensitivities", FORMS, 8, _sensitivity,
         "Not all of the three largest sensitivities stand there, each with its break-even.",
         "A board can watch three things, and only if it knows the value at which each turns.",
         "{sensitivity.1.name} with {sensitivity.1.break-even}, and the same for the next two.",
         least=3, near=_named, almost="Named, but less than three with a break-even:"),
    Part("status quo", FORMS, 6,
         _if(lambda b: STAY.search(b.words) and any(".quo" in i for i in b.ids)),
         "Staying is no option with a cost of its own.",
         "Without it the board chooses between yes and later; staying has a price and merits.",
         "A sentence on staying with {tco.quo.total} or another number of the status quo."),
    Part("kill criteria", FORMS, 8, _if(_kill),
         "Nothing says when to stop, with a threshold and a date.",
         "Sunk money argues for going on, so the end is agreed before the first of it is spent.",
         "'Stop' with a break-even or an amount, and {gate.pilot.date}, another date or a gate, "
         "in one line.",
         near=_if(lambda b: STOP.search(b.words) and (_threshold(b) or _dated(b))
                  and not _kill(b)),
         almost="A line says stop, but lacks an amount or break-even, or the date:"),
    Part("gates", FORMS, 6, _gate,
         "The stage gates lack dates, or what must be true to pass.",
         "Money is released in steps, so that little is lost where the evidence is weakest.",
         "The word 'gate' in the heading or in the line; a date such as {gate.pilot.date}; and a "
         "condition: a word such as if, when, unless, passed, only, or a column 'Passed if'. Two "
         "dates at least; one, the next look, where nothing is to be built.", least=2,
         near=_gate_only_dated,
         almost="Too few gates: a date is there, but not what must be true to pass:"),
    Part("risks", (MEMO,), 6,
         _if(lambda b: _is_risk(b) and _harms(b)),
         "Fewer than two risks are named.",
         "A proposal without risks has not been thought through by its author.",
         "A heading with 'risk', and below it what may happen and what it would cost, such as "
         "{risk.brought.loss}, a line each.", least=2,
         near=_if(lambda b: _is_risk(b) and not _harms(b)),
         almost="Too few: named, but without what may happen or what it costs:"),
    Part("hash", FORMS, 4, _if(lambda b: "case.hash" in b.ids),
         "It does not say which ledger the numbers are from.",
         "Next month the ledger is another one, and nobody can tell which was decided on.",
         "{case.hash} in a line at the end, with the name of the appendix."),
    Part("subhead", (PRESS,), 3,
         _if(lambda b: b.kind == "small" and b.place == 1 and any(map(DATE.fullmatch, b.ids))),
         "The line below the headline gives no date for the release.",
         "A press release is dated in the future: that is the day on which it must be true.",
         "A line '~ …' right below the headline, with {gate.off.date} or {ask.date}."),
    Part("customer", (PRESS,), 6,
         lambda b, draft: [""] if b.place == draft.first and "customer" in b.words else [],
         "The first paragraph is not about the customer.",
         "What changes for nobody outside is an internal project and needs no release.",
         "Begin with what customers notice, or honestly with what they do not."),
    Part("problem", (PRESS,), 4, _if(lambda b: "problem" in b.lead and not b.section),
         "The problem is not stated.",
         "A solution without its problem cannot be compared with doing something else.",
         "A paragraph that begins '**The problem.**', with {today.ml}."),
    Part("solution", (PRESS,), 4,
         _if(lambda b: re.search("solution|the answer", b.lead) and not b.section),
         "The solution is not stated.",
         "The reader must know what is built before the questions begin.",
         "A paragraph that begins '**The solution.**'."),
    Part("quotes", (PRESS,), 3, _quotes,
         "There are not two quotes, each with who says it.",
         "A quote forces you to find somebody who would say it aloud.",
         "Two texts in “…” or \"…\", with 'says' or 'adds' in the same paragraph; one of them "
         "from the money's side.", least=2,
         near=lambda b, draft: (
             [f"{b.place}"] if _quoted(b) and not SAID.search(b.words) else []),
         almost="Quoted, but nobody says it:"),
    Part("call to action", (PRESS,), 3,
         _if(lambda b: re.search("what to do|next step|how to", b.lead) and not b.section),
         "Nobody is told what to do next.",
         "If no reader has to do anything, the release has no audience.",
         "A paragraph that begins '**What to do.**'."),
    Part("external FAQ", (PRESS,), 4, _asks("customer", "external"),
         "Fewer than two questions of customers are answered.",
         "Customers will ask whether it is worse and where their data is; answer before they do.",
         "'## Questions that customers ask', and below it '**A question?** An answer.', each at "
         "the beginning of a line.", least=2,
         near=_asks("customer", "external", bold=False),
         almost="A question counts where it is bold and begins its line:"),
    Part("internal FAQ", (PRESS,), 4, _asks("board", "internal"),
         "Fewer than two questions of the board are answered.",
         "These are the questions of the meeting; each that is answered is not asked there.",
         "'## Questions that the board asks', and below it '**A question?** An answer.', each at "
         "the beginning of a line.", least=2,
         near=_asks("board", "internal", bold=False),
         almost="A question counts where it is bold and begins its line:"),
    Part("unit economics", (PRESS,), 5,
         lambda b, draft: [i for i in b.ids if UNIT.fullmatch(i)] if b.section else [],
         "The questions say nothing about the cost of serving, before and after.",
         "Growth multiplies the cost of one answer; a total hides whether it is sound.",
         "{inference.quo} and {inference.pipe}, or {effect.ratio}, in an answer.", least=2),
    Part("biggest risk", (PRESS,), 4, _if(lambda b: "biggest risk" in b.lead),
         "The biggest risk is not named as such.",
         "A list of ten risks hides the one that decides; name it yourself.",
         "'**What is the biggest risk?**' among the questions."),
    Part("not built", (PRESS,), 4, _if(lambda b: re.search(r"not (be )?build|not be built",
                                                            b.lead)),
         "It does not say what will not be built.",
         "What is left out is what the budget rests on, and the first thing to creep back in.",
         "'**What will we not build?**' among the questions."),
)  # fmt: skip
"""Parts that blocks carry, in the order of a table of scores."""
