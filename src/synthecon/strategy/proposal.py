"""A proposal for a board, written by hand around numbers that are not: what it lacks, and why a
board asks for that.

A draft is Markdown in the form of the templates of `pages`: {npv.p5} stands for a number by its
id, and no digit is typed.  `review` finds what is missing; it cannot judge whether the prose is
good.  That is what the rubric and a colleague are for.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from synthecon import Problem, paths
from synthecon.strategy import pages, printable
from synthecon.strategy.printable import Fact

Numbers = Mapping[str, Fact]
MEMO, PRESS = "memo", "pr-faq"
FORMS = (MEMO, PRESS)
WORDS, LINES = 700, 75  # what a page of A4 holds in small type; the rendering is the better judge

# ---- the few lines behind the exercises


def ask(paths: Sequence[Sequence[float]], share: float = 0.95) -> float:
    """Money to ask for: the depth of the cash trough that a share of the scenarios stays within.

    paths: of each scenario the cash flow of each month, out is negative.  A depth is 0 or more,
    and one that occurs: nothing is interpolated.

    Raises:
        ValueError: no scenario, or a share outside (0, 1].
    """
    if not paths or not 0 < share <= 1:
        raise ValueError(f"needs a scenario and a share above 0, up to 1, got {share}")
    depths = sorted(max(0.0, -float(np.cumsum(flows).min(initial=0.0))) for flows in paths)
    return depths[math.ceil(share * len(depths) - 1e-9) - 1]


def decide(
    chance: float, least: float, mean: float, trough: float, limit: float
) -> tuple[str, float, list[str]]:
    """Recommendation, amount asked, and the tests that fail, by the exact numbers.

    chance, least: that the pivot pays, and what the board demands, 0 to 1.  mean: expected net
    present value.  trough: peak cash at its 95 % end, 0 or more.  limit: of the cash tied up.
    """
    holds = {"probability": chance >= least, "expected": mean > 0, "cash": trough <= limit}
    failed = [name for name, good in holds.items() if not good]
    return (printable.QUO, 0.0, failed) if failed else (printable.PIVOT, trough, [])


@dataclass(frozen=True)
class Swing:
    """One assumption of a tornado.  at_low, at_high: the net present value at its ends."""

    name: str
    low: float
    high: float
    at_low: float
    at_high: float

    @property
    def break_even(self) -> float | None:
        """Where the net present value is zero, on a straight line; None outside the range."""
        if self.at_low * self.at_high > 0 or self.at_low == self.at_high:
            return None
        part = self.at_low / (self.at_low - self.at_high)
        return self.low + (self.high - self.low) * part


def sensitivities(swings: Iterable[Swing], count: int = 3) -> list[tuple[str, float | None]]:
    """Names and break-evens of those that move the value most, widest swing first."""
    widest = sorted(swings, key=lambda s: -abs(s.at_high - s.at_low))
    return [(s.name, s.break_even) for s in widest[:count]]


def kill_criteria(swings: Iterable[Swing], date: str) -> list[tuple[str, str, float, str]]:
    """(name, "below" or "above", threshold, date): stop when the record of that date says so.

    An assumption whose range holds no break-even gives none: no record of it can stop anything.
    """
    return [
        (s.name, "below" if s.at_high > s.at_low else "above", even, date)
        for s in swings
        if (even := s.break_even) is not None
    ]


COSTS = ("COGS", "R&D", "S&M", "G&A")
Line = tuple[str, float, float, bool]
"""Line of the P&L, its amount as we are, with the pipeline, and whether it recurs."""


def recurring_bridge(lines: Iterable[Line]) -> dict[str, float]:
    """EBITDA from "before" to "after" by line, without what happens once; that is in "one-off".

    Amounts are positive, revenue as well as costs.  A fall of a cost is a step up.  Other lines
    (capex, depreciation, interest, tax, opportunity) are no part of EBITDA.
    """
    steps = {"before": 0.0} | dict.fromkeys(("Revenue", *COSTS), 0.0)
    once = 0.0
    for line, old, new, recurs in lines:
        if line not in steps:
            continue
        sign = 1 if line == "Revenue" else -1
        if recurs:
            steps["before"] += sign * old
            steps[line] += sign * (new - old)
        else:
            once += sign * (new - old)
    return steps | {"after": sum(steps.values()), "one-off": once}


NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def unsourced(text: str, allowed: Iterable[str] = ()) -> list[str]:
    """Numbers in digits that no placeholder brought, in order.  allowed: those that may be typed,
    whole: "3" does not allow "30".  Longer texts such as "November 2026" may be allowed too."""
    text = pages.PLACE.sub(" ", text)
    short = {one for one in allowed if NUMBER.fullmatch(one)}
    for phrase in sorted(set(allowed) - short, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)", " ", text)
    return [found for found in NUMBER.findall(text) if found not in short]


# ---- numbers


LAB_2 = {
    name: name
    for name in ("npv.base", "npv.p5", "npv.p50", "npv.p95", "npv.mean", "probability.pays")
} | {"peak-cash": "peak-cash", "payback-month": "payback.month"}
"""Names of the page that lab 2 writes, and the facts that they are."""


def numbers(found: Numbers, mine: Mapping[str, Any] | None = None) -> dict[str, Fact]:
    """Facts of a case, with those of the learner's own lab 2 in place of the package's.

    mine: the page of this company in labs/tco.json.  What follows from its numbers by the board's
    rule (recommendation, reason, amount asked) is decided anew.

    Raises:
        Problem: a page without what is needed.
    """
    told = dict(found)
    if mine is None:
        return told
    if absent := [name for name in LAB_2 if name not in mine]:
        raise Problem(f"labs/tco.json lacks {', '.join(absent)}: run the lab of lesson 2 again")
    for name, key in LAB_2.items():
        x = _theirs(mine, name)
        told[key] = replace(
            told[key], value=x, text=_printed(x, key, found), evidence=("labs/tco.json",)
        )
    word, amount, failed = rule(told)
    money = printable.money(amount, found["company.currency"].text)
    loses = 1 - mine["probability.pays"]
    for key, value, text in (
        ("recommendation", word, word), ("ask.amount", amount, money),
        ("reason", _reason(told, failed), _reason(told, failed)),
        ("probability.loses", loses, _printed(loses, "probability.loses", found)),
    ):  # fmt: skip
        if key in told:
            told[key] = replace(told[key], value=value, text=text)
    return told


def _reason(told: Numbers, failed: Sequence[str]) -> str:
    """What decides: the tests that fail, or all of them where none does."""
    said = {
        "probability": "the chance that it pays is {probability.pays}, and the board demands "
        "{board.min-probability}",
        "expected": "its expected net present value is {npv.mean}",
        "cash": "it ties up {peak-cash.p95} at worst, and the limit is {board.cash-limit}",
    }
    text = "; ".join(said[name] for name in failed or said)
    return pages.PLACE.sub(lambda m: told[m[1]].text, text)


def _theirs(mine: Mapping[str, Any], name: str) -> float | None:
    """A number of lab 2's page; its trough is the lowest running sum, which is negative."""
    return -mine[name] if name == "peak-cash" else mine[name]


def _printed(x: float | None, key: str, found: Numbers) -> str:
    if key == "payback.month":
        return f"not in {found['horizon.months'].text}" if x is None else f"month {math.ceil(x)}"
    if not key.startswith("probability."):
        return printable.money(x, found["company.currency"].text)
    return "below 1 %" if x < 0.005 else "above 99 %" if x > 0.995 else printable.share(x)


def apart(found: Numbers, mine: Mapping[str, Any], tolerance: float = 0.01) -> list[str]:
    """Names of lab 2's page that differ from the facts by more than a hundredth: the page was
    written from another ledger, or not by a finished lab.  Months of payback are not compared:
    they are whole there."""
    return [
        name
        for name, key in LAB_2.items()
        if key != "payback.month"
        and not math.isclose(
            _theirs(mine, name), _value(found, key), rel_tol=tolerance, abs_tol=tolerance
        )
    ]


def _value(found: Numbers, key: str) -> float:
    x = found[key].value if key in found else None
    return x if isinstance(x, int | float) else math.nan


def rule(found: Numbers) -> tuple[str, float, list[str]]:
    """`decide`, on the facts of a case."""
    keys = ("probability.pays", "board.min-probability", "npv.mean", "peak-cash.p95")
    return decide(*(_value(found, key) for key in (*keys, "board.cash-limit")))


# ---- a draft


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, a bullet or a row of a table, with its placeholders.

    place: number among the blocks.  section: text of the heading above it, in small letters.
    """

    place: int
    kind: str
    text: str
    section: str

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(pages.PLACE.findall(self.text))

    @property
    def words(self) -> str:
        """What is written, without placeholders, in small letters."""
        return pages.PLACE.sub(" ", self.text).lower()

    @property
    def lead(self) -> str:
        """The bold words at its beginning, in small letters."""
        found = re.match(r"\W*\*\*(.+?)\*\*", self.text)
        return found[1].lower() if found else ""


@dataclass(frozen=True)
class Draft:
    """A draft, read: its lines that stand, and its blocks."""

    form: str
    text: str
    blocks: tuple[Block, ...]
    found: Numbers

    @property
    def filled(self) -> str:
        """With numbers; an id that is not known stays as it is."""
        return pages.PLACE.sub(
            lambda m: self.found[m[1]].text if m[1] in self.found else m[0], self.text
        )

    @property
    def first(self) -> int:
        """Place of the first paragraph."""
        return next((b.place for b in self.blocks if b.kind == "text"), -1)


def read(text: str, found: Numbers, form: str = MEMO) -> Draft:
    """Read a draft.  Lines that begin with a test, such as {=recommendation pivot}, stand only
    where it holds.

    Raises:
        Problem: a form that does not exist.
    """
    if form not in FORMS:
        raise Problem(f"a proposal is one of {', '.join(FORMS)}, not {form!r}")
    filler = pages.Filler(found)
    lines = [kept.strip() for raw in text.splitlines() if (kept := filler.stands(raw)) is not None]
    blocks: list[Block] = []
    section, open_ = "", []

    def add(kind: str, told: str) -> None:
        blocks.append(Block(len(blocks), kind, told, section))

    for line in [*lines, ""]:
        mark = next((m for m in ("| ", *pages.KINDS) if line.startswith(m)), "")
        if open_ and (mark or not line):
            add("text", " ".join(open_))
            open_ = []
        if mark == "## ":
            section = line.removeprefix(mark).lower()
        if mark:
            add(pages.KINDS.get(mark, "row"), line.removeprefix(mark))
        elif line:
            open_.append(line)
    return Draft(form, "\n".join(lines), tuple(blocks), found)


# ---- what a board asks for


@dataclass(frozen=True)
class Finding:
    """What a draft lacks.  part: which part of the proposal, as in `PARTS` and `WHOLE`."""

    part: str
    missing: str
    why: str
    where: str

    def __str__(self) -> str:
        return f"{self.part}: {self.missing} {self.why} {self.where}"


Carries = Callable[[Block, Draft], Iterable[str]]


@dataclass(frozen=True)
class Part:
    """Something that must stand in a draft.

    carries: what a block brings of it, as keys; `least` different ones must come together.
    points: earned by it.  missing, why, where: of the finding.
    """

    id: str
    forms: tuple[str, ...]
    points: int
    carries: Carries
    missing: str
    why: str
    where: str
    least: int = 1


def _if(test: Callable[[Block], Any]) -> Carries:
    """One key a block: its place."""
    return lambda b, draft: [str(b.place)] if test(b) else []


DATE = re.compile(r".+\.date")
MONEY = re.compile(r".+\.break-even|board\..+|gate\..+\.cash|ask\.amount|condition\..+")
STOP = re.compile(r"\b(stop|stops|kill)\b")
STAY = re.compile(r"\b(stay|staying|status quo|as we are|decline)\b")
UNIT = re.compile(r"effect\.ratio|inference\.(quo|pipe)|cogs.*|gross-margin.*")
STATED = re.compile(r"recommend\w*\W+(?:\w+\W+){0,6}?(pivot|status quo)")


def _gate(b: Block, draft: Draft) -> Iterable[str]:
    """A date with a condition of some words, and no stop: that is a kill criterion."""
    told = "gate" in b.section or "gate" in b.words
    if (
        told
        and b.kind != "heading"
        and len(re.findall("[a-z]+", b.words)) > 8
        and not STOP.search(b.words)
    ):
        return [i for i in b.ids if DATE.fullmatch(i)]
    return []


def _sensitivity(b: Block, draft: Draft) -> Iterable[str]:
    some = ("1", "2", "3")
    return [n for n in some if {f"sensitivity.{n}.{x}" for x in ("name", "break-even")} <= b.ids]


def _quotes(b: Block, draft: Draft) -> Iterable[str]:
    said = re.search(r"\b(says|adds|said|writes)\b", b.words)
    return [f"{b.place}.{i}" for i, _ in enumerate(re.findall("“[^”]+”", b.text))] if said else []


def _asks(*who: str) -> Carries:
    """Bold questions below a heading about the questions of somebody."""
    return _if(
        lambda b: (
            any(x in b.section for x in who)
            and re.search("question|faq", b.section)
            and b.lead.endswith("?")
        )
    )


def _range(b: Block) -> bool:
    return {"npv.p5", "npv.p95"} <= b.ids and bool({"npv.base", "npv.p50", "npv.mean"} & b.ids)


def _kill(b: Block) -> bool:
    return (
        bool(STOP.search(b.words))
        and any(map(MONEY.fullmatch, b.ids))
        and any(map(DATE.fullmatch, b.ids))
    )


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
    Part("sensitivities", FORMS, 8, _sensitivity,
         "Not all of the three largest sensitivities stand there, each with its break-even.",
         "A board can watch three things, and only if it knows the value at which each turns.",
         "{sensitivity.1.name} with {sensitivity.1.break-even}, and the same for the next two.",
         least=3),
    Part("status quo", FORMS, 6,
         _if(lambda b: STAY.search(b.words) and any(".quo" in i for i in b.ids)),
         "Staying is no option with a cost of its own.",
         "Without it the board chooses between yes and later; staying has a price and merits.",
         "A sentence on staying with {tco.quo.total} or another number of the status quo."),
    Part("kill criteria", FORMS, 8, _if(_kill),
         "Nothing says when to stop, with a threshold and a date.",
         "Sunk money argues for going on, so the end is agreed before the first of it is spent.",
         "'Stop' with a break-even or an amount, and {gate.pilot.date} or another date."),
    Part("gates", FORMS, 6, _gate,
         "The stage gates lack dates, or what must be true to pass.",
         "Money is released in steps, so that little is lost where the evidence is weakest.",
         "Under a heading with 'gate': date ({gate.pilot.date}) and condition, two at least; "
         "one, the review, where nothing is to be built.", least=2),
    Part("risks", (MEMO,), 6,
         _if(lambda b: "risk" in f"{b.section} {b.lead}" and b.kind in ("bullet", "text", "row")
             and len(b.words.split()) > 5 and not STOP.search(b.words)),
         "Fewer than two risks are named.",
         "A proposal without risks has not been thought through by its author.",
         "A heading with 'risk', and below it what may happen and what it would cost, such as "
         "{risk.brought.loss}.", least=2),
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
         "Two texts in “…”, with 'says' or 'adds'; one of them from the money's side.", least=2),
    Part("call to action", (PRESS,), 3,
         _if(lambda b: re.search("what to do|next step|how to", b.lead) and not b.section),
         "Nobody is told what to do next.",
         "If no reader has to do anything, the release has no audience.",
         "A paragraph that begins '**What to do.**'."),
    Part("external FAQ", (PRESS,), 4, _asks("customer", "external"),
         "Fewer than two questions of customers are answered.",
         "Customers will ask whether it is worse and where their data is; answer before they do.",
         "'## Questions that customers ask', and below it '**A question?** An answer.'", least=2),
    Part("internal FAQ", (PRESS,), 4, _asks("board", "internal"),
         "Fewer than two questions of the board are answered.",
         "These are the questions of the meeting; each that is answered is not asked there.",
         "'## Questions that the board asks', and below it '**A question?** An answer.'",
         least=2),
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


@dataclass(frozen=True)
class Whole:
    """Something that must hold of a draft as a whole.  faults: what is wrong, in words.

    points: lost by any fault.
    """

    id: str
    points: int
    faults: Callable[[Draft, Sequence[str]], Iterable[str]]
    missing: str
    why: str
    where: str


MARKETING = (
    "game-changing", "game changer", "revolutionary", "revolutionise", "cutting-edge",
    "state-of-the-art", "world-class", "best-in-class", "unprecedented", "seamless", "seamlessly",
    "unlock", "unleash", "supercharge", "leverage", "synergy", "synergies", "disruptive",
    "transformative", "market leadership", "guaranteed", "huge", "massive", "no-brainer",
)  # fmt: skip
SPELLED = re.compile(
    r"\b(ten|eleven|twelve|\w+teen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
    r"(?:-\w+)?|hundreds?|thousands?|millions?|billions?|dozens?|twice|doubles?|doubled|triples?|"
    r"tripled|halve[sd]?|half|\w+fold)\b", re.IGNORECASE,
)  # fmt: skip
INNOCENT = frozenset({"manifold", "unfold", "scaffold", "behalf"})


def _unsourced(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    dates = [f.text for f in draft.found.values() if f.unit == "month"]
    yield from unsourced(draft.text, [*given, *dates])
    words = pages.PLACE.sub(" ", draft.text)
    yield from (w for w in SPELLED.findall(words) if w.lower() not in {*given, *INNOCENT})


def _unknown(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    return (i for i in dict.fromkeys(pages.PLACE.findall(draft.text)) if i not in draft.found)


def _marketing(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    words = pages.PLACE.sub(" ", draft.text).lower()
    return (w for w in MARKETING if re.search(rf"(?<!\w){w}(?!\w)", words))


def _too_long(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    words = len(re.findall(r"\w[\w.,’'-]*", draft.filled))
    lines = sum(map(bool, draft.text.splitlines()))
    if words > WORDS:
        yield f"{words} words, {WORDS} are a page"
    if lines > LINES:
        yield f"{lines} lines, {LINES} are a page"


def _fictional(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    kind = draft.found.get("company.kind")
    if kind and "fictional" in kind.text and "fictional" not in draft.filled.lower():
        yield "the word fictional"


def _against_rule(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    right, amount, _ = rule(draft.found)
    stated = STATED.findall(draft.filled.lower())
    yield from (f"it recommends {one}" for one in stated if one != right)
    asked = draft.found.get("ask.amount")
    if asked and asked.value != amount:
        yield f"it asks for {asked.text}"


def _no_cash_beside(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    ids = set(pages.PLACE.findall(draft.text))
    for told, beside in (("ebitda.", "fcf."), ("ev.multiple.", "ev.dcf.")):
        if any(i.startswith(told) for i in ids) and not any(i.startswith(beside) for i in ids):
            yield f"{{{told}…}} without {{{beside}…}}"


WHOLES = (
    Whole("one page", 6, _too_long, "It is longer than a page.",
          "The second page is read by nobody who decides.",
          "Cut what the reader can ask for; the appendix has the rest."),
    Whole("sourced", 10, _unsourced, "Numbers are typed that no source stands behind.",
          "One number that nobody can trace, and the others are not believed.",
          "Put the id of a number in braces in its place, or leave it out."),
    Whole("known", 4, _unknown, "Placeholders name no number.",
          "An empty place in a printed memo is what the board will remember.",
          "The list of ids in the lab; look for a spelling mistake."),
    Whole("plain words", 4, _marketing, "Words praise instead of saying.",
          "Praise is a claim without evidence, and the reader knows it.",
          "Say what happens, to whom, and how much; or strike the word."),
    Whole("fictional", 3, _fictional, "It does not say that the company is fictional.",
          "An invented company's numbers get quoted as if they were somebody's.",
          "{company.kind} in the line below the title."),
    Whole("by the rule", 10, _against_rule, "It contradicts the rule that the board wrote.",
          "A rule that is bent once, for the author's favourite, is none.",
          "Use {recommendation} and {ask.amount}, and argue for another rule separately."),
    Whole("cash beside", 4, _no_cash_beside, "A result of the books stands without the cash.",
          "EBITDA and multiples can rise while cash falls.",
          "{fcf.delta.…} beside every {ebitda.…}, {ev.dcf.…} beside every {ev.multiple.…}."),
)  # fmt: skip


def parts(form: str) -> list[Part]:
    """The parts that a form must have."""
    return [part for part in PARTS if form in part.forms]


def carriers(part: Part, draft: Draft) -> dict[str, set[int]]:
    """Keys of a part in a draft, and the places of the blocks that bring each."""
    found: dict[str, set[int]] = {}
    for block in draft.blocks:
        for key in part.carries(block, draft):
            found.setdefault(key, set()).add(block.place)
    return found


def least(part: Part, draft: Draft) -> int:
    """How many keys of a part a draft needs: who builds nothing has one gate, the next look."""
    stays = rule(draft.found)[0] == printable.QUO
    return 1 if part.id == "gates" and stays else part.least


def review(
    text: str, found: Numbers, form: str = MEMO, *, given: Sequence[str] = (), render: bool = False
) -> list[Finding]:
    """What a draft lacks, in the order of `PARTS`, then of `WHOLES`.

    given: numbers in digits that may be typed.  render: also set the page, where typst is
    installed, and find out whether it fits; takes a second.

    Raises:
        Problem: a form that does not exist.
    """
    draft = read(text, found, form)
    findings = [
        Finding(part.id, part.missing, part.why, part.where)
        for part in parts(form)
        if len(carriers(part, draft)) < least(part, draft)
    ]
    for one in WHOLES:
        faults = list(dict.fromkeys(one.faults(draft, given)))
        if one.id == "one page" and render and not faults and fits(text, found) is False:
            faults = ["set as a page, it takes two"]
        if faults:
            told = f"{one.missing.rstrip('.')}: {', '.join(faults)}."
            findings.append(Finding(one.id, told, one.why, one.where))
    return findings


def fits(text: str, found: Numbers) -> bool | None:
    """Whether a draft fits a page in a type that can be read; None where nothing can tell: typst
    is not installed, or a placeholder names no number."""
    try:
        from synthecon.strategy import typeset
    except ImportError:
        return None
    draft = read(text, found)
    if any(_unknown(draft, ())):
        return None
    content = typeset.data(
        pages.page(text, found).blocks, size=min(typeset.SIZES), title="", **typeset.FITTED
    )
    return typeset.pages(content) == 1


def score(findings: Iterable[Finding], form: str = MEMO) -> int:
    """From 0 to 100: the share of its parts' points that a draft has, less the points of each
    fault of the whole.  A blank page has no faults, so they earn nothing by themselves."""
    rows = table(findings, form)
    possible = sum(of for _, _, of in rows)
    had = sum(got for _, got, of in rows if of)
    faults = sum(got for _, got, of in rows if not of)
    return max(0, round(100 * had / possible + faults))


def table(findings: Iterable[Finding], form: str = MEMO) -> list[tuple[str, int, int]]:
    """Part, points got, points possible; of a fault of the whole they are below zero, of zero."""
    lost = {one.part for one in findings}
    return [
        *((part.id, 0 if part.id in lost else part.points, part.points) for part in parts(form)),
        *((one.id, -one.points if one.id in lost else 0, 0) for one in WHOLES),
    ]


def shown(text: str, found: Numbers, form: str = MEMO) -> str:
    """A draft with its numbers in place, as Markdown for a notebook: headings one size down."""
    lines: list[str] = []
    table = False
    for line in read(text, found, form).filled.splitlines():
        row = line.startswith("|")
        if row and not table:
            lines += ["", line, "|:--" * (line.strip("|").count("|") + 1) + "|"]
        elif row or line.startswith("- "):
            lines.append(line)
        elif line.startswith("#"):
            lines += ["", f"##{line}", ""]
        else:
            lines += ["", f"*{line.removeprefix('~ ')}*" if line.startswith("~ ") else line]
        table = row
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


# ---- the examples and their marks

CRITERIA = {
    "ask": 15, "range": 15, "sensitivities": 15, "alternatives": 15, "stop and gates": 15,
    "risks and evidence": 15, "writing": 10,
}  # fmt: skip
"""Criteria of the rubric, which people judge, and the points of their highest level."""
LEVELS = 4


def marks() -> dict[str, dict[str, Any]]:
    """The examples, worst first: form, findings of `review` where the rule says pivot, level and
    reason for each criterion, verdict."""
    file = _examples() / "marks.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def example(name: str) -> str:
    """The text of an example."""
    return (_examples() / f"{name}.md").read_text(encoding="utf-8")


def _examples() -> Path:
    return paths.root() / "solutions" / "lesson-3-strategy" / "examples"


def points(levels: Mapping[str, int]) -> int:
    """Points of a marked page, from 0 to 100: the lowest level of a criterion brings none.

    Raises:
        ValueError: a criterion without a level, or a level that does not exist.
    """
    if levels.keys() != CRITERIA.keys() or not all(1 <= x <= LEVELS for x in levels.values()):
        raise ValueError(f"give a level from 1 to {LEVELS} for each of {', '.join(CRITERIA)}")
    return round(sum(CRITERIA[c] * (x - 1) / (LEVELS - 1) for c, x in levels.items()))
