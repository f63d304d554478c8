"""What a program can say of a proposal before a colleague reads it: what it lacks, and why a board
asks for that.

`review` finds structure and numbers; it cannot judge whether the prose is good, or true.  That is
what the rubric and a colleague are for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from synthecon.strategy import pages, printable
from synthecon.strategy.proposal import Numbers, rule, unsourced
from synthecon.strategy.proposal_draft import (
    FORMS,
    MEMO,
    PRESS,
    Block,
    Draft,
    clip,
    fits,
    ragged,
    read,
    shown,
    unknown,
)
from synthecon.strategy.proposal_parts import PARTS, STATED, Part
from synthecon.strategy.proposal_rubric import CRITERIA, LEVELS, example, marks, points

__all__ = [
    "CRITERIA",
    "FORMS",
    "LEVELS",
    "MEMO",
    "PARTS",
    "PRESS",
    "WHOLES",
    "Block",
    "Draft",
    "Finding",
    "example",
    "fits",
    "marked",
    "marks",
    "points",
    "read",
    "reckoned",
    "review",
    "score",
    "shown",
    "table",
]  # fmt: skip
WORDS, LINES = 800, 75  # what a page of A4 holds in small type; the rendering is the better judge


@dataclass(frozen=True)
class Finding:
    """What a draft lacks.  part: which part of the proposal, as in `PARTS` and `WHOLE`."""

    part: str
    missing: str
    why: str
    where: str

    def __str__(self) -> str:
        return f"{self.part}: {self.missing} {self.why} {self.where}"


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
    "transformative", "market leadership", "huge", "massive", "no-brainer",
)  # fmt: skip
SPELLED = re.compile(
    r"\b(ten|eleven|twelve|\w+teen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
    r"(?:-\w+)?|hundreds?|thousands?|millions?|billions?|dozens?|twice|doubles?|doubled|triples?|"
    r"tripled|halve[sd]?|half|\w+fold)\b", re.IGNORECASE,
)  # fmt: skip
INNOCENT = frozenset({"manifold", "unfold", "scaffold", "behalf"})


def _unsourced(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    dates = [f.text for f in draft.found.values() if f.unit == "month"]
    yield from unsourced(draft.typed, [*given, *dates])
    spelled = SPELLED.findall(draft.typed)
    yield from (w for w in spelled if w.lower() not in {*given, *INNOCENT})


PRIVACY = "cpu/lesson-1-physics/privacy#inherent-privacy"
PAYS = "cpu/lesson-2-economics/tco#pivot-pays"
CLAIMS = {
    "private": PRIVACY, "anonymous": PRIVACY, "safe": PRIVACY,
    "proven": PAYS, "guaranteed": PAYS, "guarantees": PAYS, "always": PAYS,
}  # fmt: skip
"""Absolute words, and a recorded claim of the kind that was tested and did not simply hold."""
DENIED = re.compile(
    r"\b(not|no|nor|never|nobody|nothing|neither|none|hardly|cannot|whether|if|until|unless|"
    r"contested)\b|n['’]t\b"
)


def _absolute(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    """Sentences that state what was contested; not those that deny it, doubt it, or ask."""
    for block in draft.blocks:
        text = pages.PLACE.sub("…", block.text).replace("**", "")
        for sentence in re.findall(r"[^.!?;]+[.!?;]?", text):
            if sentence.endswith("?"):
                continue
            for word, claim in CLAIMS.items():
                found = re.search(rf"\b{word}\b", sentence.lower())
                if found and not DENIED.search(sentence[: found.start()].lower()):
                    yield f"{word}, in {clip(sentence)} (see the claim's verdict, {claim})"


def _bare(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    return (clip(b.text) for b in draft.blocks if b.bare)


def _marketing(draft: Draft, given: Sequence[str]) -> Iterator[str]:
    words = draft.typed.lower()
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
    Whole("known", 4, lambda draft, given: unknown(draft),
          "Placeholders or conditions do not name a number.",
          "A hole in a printed memo is what the board will remember; a line whose condition is "
          "misspelt is gone without a trace.",
          "The list of ids in the lab; look for a spelling mistake, or a brace left open."),
    Whole("tables", 4, lambda draft, given: ragged(draft),
          "Rows do not fit their table.",
          "A number in the wrong column is a wrong number.",
          "As many cells in each row as in the first; an empty cell is '| |'."),
    Whole("own words", 8, _bare, "Lines have numbers, or one word again, and say nothing.",
          "A board buys the sentence around the number; the number it could look up.",
          "Say in words what the number means for the decision."),
    Whole("claims", 6, _absolute, "What is contested stands there as a fact.",
          "One claim that is refuted in the meeting, and the rest is not discussed.",
          "Say what was tested and what came out of it, or call the claim contested."),
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
        for key in () if block.bare else part.carries(block, draft):
            found.setdefault(key, set()).add(block.place)
    return found


def _missing(part: Part, draft: Draft) -> str:
    """What is missing; where something is nearly there, that, and where."""
    full = {place for places in carriers(part, draft).values() for place in places}
    near = [
        clip(b.text)
        for b in draft.blocks
        if part.near and b.place not in full and any(part.near(b, draft))
    ]
    return f"{part.almost} {', '.join(near)}." if near else part.missing


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
        Finding(part.id, _missing(part, draft), part.why, part.where)
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


def score(findings: Iterable[Finding], form: str = MEMO) -> int:
    """From 0 to 100: the share of its parts' points that a draft has, less the points of each
    fault of the whole.  A blank page has no faults, so they earn nothing by themselves."""
    had, possible, lost = _sums(findings, form)
    return max(0, round(100 * had / possible) - lost)


def reckoned(findings: Iterable[Finding], form: str = MEMO) -> str:
    """How the score comes about: "34 of 62 for the parts = 55 of 100, less 3 for faults: 52"."""
    findings = list(findings)
    had, possible, lost = _sums(findings, form)
    text = f"{had} of {possible} for the parts = {round(100 * had / possible)} of 100"
    end = f", less {lost} for faults: {score(findings, form)}" if lost else ""
    return text + end


def _sums(findings: Iterable[Finding], form: str) -> tuple[int, int, int]:
    """Points that the parts have, those that they could have, and what faults take away."""
    rows = table(findings, form)
    had = sum(got for _, got, of in rows if of)
    return had, sum(of for _, _, of in rows), -sum(got for _, got, of in rows if not of)


def marked(text: str, found: Numbers, form: str = MEMO) -> tuple[int, str]:
    """Score of a draft, and in one line the reason for each point that it lacks."""
    findings = review(text, found, form)
    taken = {part: (of or 0) - got for part, got, of in table(findings, form)}
    told = [
        reckoned(findings, form),
        *(f"−{taken[f.part]} {f.part}: {f.missing}" for f in findings),
    ]
    return score(findings, form), "; ".join(told)


def table(findings: Iterable[Finding], form: str = MEMO) -> list[tuple[str, int, int]]:
    """Part, points got, points possible; of a fault of the whole they are below zero, of zero."""
    lost = {one.part for one in findings}
    return [
        *((part.id, 0 if part.id in lost else part.points, part.points) for part in parts(form)),
        *((one.id, -one.points if one.id in lost else 0, 0) for one in WHOLES),
    ]
