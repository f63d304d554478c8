"""The playbooks: what somebody notices, when it counts, three steps, and when they are done.

All of it stands in one data file, book/vault/playbooks.yml, which says of each field what it may
be.  A file that breaks a rule is refused whole, and with all its errors at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

import yaml

from synthecon import Problem, notebooks, paths, records, stats
from synthecon.economics import classify, formula
from synthecon.economics.formula import Formula

FILE = "book/vault/playbooks.yml"
PAGES = "book/vault/playbooks"
STEPS = 3
ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SIDES = ("above", "below")
VERDICT = re.compile(rf"\b({'|'.join(get_args(stats.Verdict))})\b")
TESTED = (
    "Verdicts are those of the committed records; claims about money (the audit, lessons 2 and 3) "
    "were tested on the first worked company, case/, alone."
)
"""Said wherever a verdict stands beside another company's numbers."""


@dataclass(frozen=True)
class Leak:
    """Money that goes and need not.

    In the books: the cost lines that `when` asks for (no line belongs to two leaks: the first one
    takes it), the share of them that leaks, the share of the leak that can be got back, and what
    its remedy costs, a month and once.  Beside the books: an amount a month that no invoice shows.
    """

    id: str
    title: str
    evidence: tuple[str, ...]
    when: tuple[classify.Condition, ...] = ()
    share: Formula | None = None
    back: Formula | None = None
    remedy: Formula | None = None
    build: Formula | None = None
    amount: Formula | None = None

    @property
    def booked(self) -> bool:
        return self.amount is None


@dataclass(frozen=True)
class Limit:
    """A number and the side of a threshold on which it counts.

    says: what the number is.  threshold: a ledger row.  rows: ledger rows that must not be guesses,
    or the number says nothing.
    """

    says: str
    metric: Formula
    source: str
    better: str
    threshold: str
    rows: tuple[str, ...] = ()

    def met(self, value: float, threshold: float) -> bool:
        """At the threshold itself it is not."""
        return value > threshold if self.better == "above" else value < threshold


@dataclass(frozen=True)
class Served:
    """A recorded claim, NOTEBOOK#NAME, and what to do instead of believing it."""

    claim: str
    instead: str = ""


@dataclass(frozen=True)
class Step:
    """do: what, in words.  run: a command, or a notebook of this checkout, that does or shows it.
    owner: a role.  hours: of work.  days: from its start to its end."""

    do: str
    run: str
    owner: str
    hours: float
    days: float


@dataclass(frozen=True)
class Playbook:
    id: str
    notebook: str
    title: str
    leaks: tuple[str, ...]
    symptom: str
    trigger: Limit
    claims: tuple[Served, ...]
    steps: tuple[Step, ...]
    exit: Limit


@dataclass(frozen=True)
class Shelf:
    """The whole file.  roles: the ledger row with the cost of an hour, by role."""

    roles: Mapping[str, str]
    leaks: tuple[Leak, ...]
    playbooks: tuple[Playbook, ...]

    def find(self, name: str) -> Playbook:
        """The playbook of that id.

        Raises:
            Problem: there is none; with the nearest one.
        """
        known = {p.id: p for p in self.playbooks}
        if name not in known:
            raise Problem(notebooks.unknown("playbook", name, known))
        return known[name]


@dataclass(frozen=True)
class Price:
    """hours, days, cost: of all steps together.  steps: the cost of each."""

    hours: float
    days: float
    cost: float
    steps: tuple[float, ...]


def file() -> Path:
    return paths.root() / FILE


def load(path: Path | None = None) -> Shelf:
    """The committed file, or another one.

    Raises:
        Problem: all that is wrong with it.
    """
    path = path or file()
    try:
        return read(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise Problem(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Problem(f"{path}: not UTF-8 text") from None


def read(text: str, name: str = FILE) -> Shelf:
    """Roles, leaks and playbooks of a text.

    Raises:
        Problem: no YAML, or an entry that breaks a rule; each error names file, entry and field.
    """
    try:
        raw = notebooks.load_yaml(text)
    except yaml.YAMLError as error:
        raise Problem(f"{name}: {error}") from None
    return made(raw, name)


def made(raw: Any, name: str = FILE) -> Shelf:
    """The shelf of what a file held.

    Raises:
        Problem: as `read`.
    """
    if not isinstance(raw, dict) or set(raw) != {"roles", "leaks", "playbooks"}:
        raise Problem(f"{name}: its keys must be roles, leaks and playbooks")
    reader = _Reader(name)
    roles = reader.roles(raw["roles"])
    leaks = reader.each("leaks", raw["leaks"], _leak)
    known = {leak.id for leak in leaks}
    every = reader.each(
        "playbooks", raw["playbooks"], lambda entry: _playbook(entry, set(roles), known)
    )
    for kind, ids in (("leaks", [x.id for x in leaks]), ("playbooks", [x.id for x in every])):
        twice = sorted({i for i in ids if ids.count(i) > 1})
        reader.wrong += [f"{name}, {kind}, {i}, id: stands twice" for i in twice]
    if reader.wrong:
        raise Problem("\n".join(reader.wrong))
    return Shelf(roles, tuple(leaks), tuple(every))


class _Reader:
    """Collects what is wrong, with its place."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.wrong: list[str] = []

    def roles(self, raw: Any) -> dict[str, str]:
        if not isinstance(raw, dict) or not raw:
            self.wrong.append(f"{self.name}, roles: write role: ledger id")
            return {}
        for role, row in raw.items():
            if not (isinstance(row, str) and re.fullmatch(formula.ID, row)):
                self.wrong.append(f"{self.name}, roles, {role}: {row!r} is no id of a ledger row")
        return {str(role): str(row) for role, row in raw.items()}

    def each(self, kind: str, raw: Any, make: Callable[[_Entry], Any]) -> list[Any]:
        if not isinstance(raw, list) or not raw:
            self.wrong.append(f"{self.name}, {kind}: must be a list with an entry at least")
            return []
        found = []
        for place, one in enumerate(raw, 1):
            own = one.get("id") if isinstance(one, dict) else None
            entry = _Entry(one, f"{self.name}, {kind}, {own or f'entry {place}'}", self.wrong)
            before = len(self.wrong)
            one = make(entry)
            if len(self.wrong) == before:
                found.append(one)
        return found


class _Entry:
    """A mapping of the file that is taken apart field by field."""

    def __init__(self, raw: Any, where: str, wrong: list[str]) -> None:
        self.where, self.wrong = where, wrong
        self.raw: dict[str, Any] = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            wrong.append(f"{where}: must be field: value, got {raw!r}")

    def only(self, *names: str) -> None:
        for name in self.raw:
            if name not in names:
                known = ", ".join(names)
                self.wrong.append(f"{self.where}, {name}: unknown field; there are {known}")

    def fault(self, name: str, told: str) -> None:
        self.wrong.append(f"{self.where}, {name}: {told}")

    def text(self, name: str, default: str | None = None) -> str:
        value = self.raw.get(name, default)
        if not isinstance(value, str) or (not value.strip() and default is None):
            self.fault(name, f"must be a text that is not empty, got {value!r}")
            return ""
        return " ".join(value.split())

    def choice(self, name: str, allowed: Iterable[str]) -> str:
        value, allowed = self.raw.get(name), list(allowed)
        if value not in allowed:
            self.fault(name, f"{value!r} is none of {', '.join(allowed)}")
            return ""
        return str(value)

    def matching(self, name: str, pattern: str, what: str) -> str:
        value = self.raw.get(name)
        if not (isinstance(value, str) and re.fullmatch(pattern, value)):
            self.fault(name, f"{value!r} is no {what}")
            return ""
        return value

    def number(self, name: str) -> float:
        value = self.raw.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e4:
            self.fault(name, f"must be a number above 0, got {value!r}")
            return 1.0
        return float(value)

    def formula(self, name: str, *, needed: bool = True) -> Formula | None:
        value = self.raw.get(name)
        if value is None and not needed:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.fault(name, f"must be a formula over ids, got {value!r}")
            return None
        try:
            return formula.parse(str(value))
        except formula.FormulaError as error:
            self.fault(name, str(error))
            return None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.raw.get(name)
        if not isinstance(value, list) or not all(isinstance(x, str) and x for x in value):
            self.fault(name, f"must be a list of texts, got {value!r}")
            return ()
        return tuple(value)

    def parts(self, name: str) -> list[_Entry]:
        value = self.raw.get(name)
        if not isinstance(value, list) or not value:
            self.fault(name, "must be a list with an entry at least")
            return []
        return [
            _Entry(one, f"{self.where}, {name} {place}", self.wrong)
            for place, one in enumerate(value, 1)
        ]


def _leak(entry: _Entry) -> Leak:
    entry.only(*(field.name for field in fields(Leak)))
    booked = "when" in entry.raw
    if booked == ("amount" in entry.raw):
        entry.fault("when", "say either when and share (in the books), or amount (beside them)")
    conditions: tuple[classify.Condition, ...] = ()
    if booked:
        try:
            text = entry.text("when")
            conditions = classify.parse(text, (*classify.FIELDS, *classify.PLACED)) if text else ()
        except ValueError as error:
            entry.fault("when", str(error))
    else:
        for name in ("share", "back", "remedy", "build"):
            if name in entry.raw:
                entry.fault(name, "only for a leak in the books")
    parts = {n: entry.formula(n, needed=False) for n in ("back", "remedy", "build", "amount")}
    return Leak(
        entry.matching("id", ID.pattern, "name in lower-case letters, digits and hyphens"),
        entry.text("title"),
        entry.texts("evidence"),
        conditions,
        entry.formula("share", needed=booked),
        **parts,
    )


def _limit(entry: _Entry, *, rows: bool) -> Limit | None:
    entry.only("says", "metric", "better", "threshold", *(["rows"] if rows else []))
    metric = entry.formula("metric")
    made = Limit(
        entry.text("says"),
        metric or formula.Number(0),
        str(entry.raw.get("metric", "")),
        entry.choice("better", SIDES),
        entry.matching("threshold", formula.ID, "id of a ledger row"),
        entry.texts("rows") if rows else (),
    )
    for row in made.rows:
        if not re.fullmatch(formula.ID, row):
            entry.fault("rows", f"{row!r} is no id of a ledger row")
    return made


def _playbook(entry: _Entry, roles: set[str], leaks: set[str]) -> Playbook:
    entry.only(*(field.name for field in fields(Playbook)))
    notebook = entry.text("notebook")
    own = entry.matching("id", ID.pattern, "name in lower-case letters, digits and hyphens")
    if notebook and own != notebook.rpartition("/")[2]:
        entry.fault("id", f"{own!r} is not the last part of its notebook, {notebook}")
    for leak in entry.texts("leaks") if entry.raw.get("leaks") != [] else ():
        if leak not in leaks:
            entry.fault("leaks", notebooks.unknown("leak", leak, leaks))
    claims = []
    for part in entry.parts("claims"):
        part.only("claim", "instead")
        instead = part.text("instead", "")
        if told := VERDICT.search(instead):
            part.fault("instead", f"{told[0]!r} is a verdict: its record says it, say what to do")
        claims.append(Served(f"{notebook}#{part.text('claim')}", instead))
    steps = []
    for part in entry.parts("steps"):
        part.only(*(field.name for field in fields(Step)))
        steps.append(
            Step(
                part.text("do"), part.text("run"), part.choice("owner", roles),
                part.number("hours"), part.number("days"),
            )
        )  # fmt: skip
    if steps and len(steps) != STEPS:
        entry.fault("steps", f"there must be {STEPS} steps, not {len(steps)}")
    limits = {}
    for name in ("trigger", "exit"):
        part = _Entry(entry.raw.get(name), f"{entry.where}, {name}", entry.wrong)
        limits[name] = _limit(part, rows=name == "exit")
    return Playbook(
        own, notebook, entry.text("title"), tuple(entry.raw.get("leaks") or ()),
        entry.text("symptom"), limits["trigger"], tuple(claims), tuple(steps), limits["exit"],
    )  # fmt: skip


def judge(
    shelf: Shelf, runs: Mapping[str, records.RunRecord], wanted: Sequence[str] | None = None
) -> list[str]:
    """What does not fit the notebooks and their records, one line each.

    Every notebook of a lesson has a playbook and every claim that it recorded is served once; a
    claim that does not simply hold is served with what to do instead.  wanted: notebooks (all of
    the lessons).
    """
    wanted = [n for n in notebooks.names() if n.startswith("lesson-")] if wanted is None else wanted
    have = {p.notebook for p in shelf.playbooks}
    wrong = [f"{FILE}: no playbook for {n}; add one" for n in wanted if n not in have]
    verdicts = {
        f"{run.notebook}#{claim.name}": claim.verdict
        for key, run in runs.items()
        if key == f"cpu/{run.notebook}" and run.notebook in wanted
        for claim in run.claims
    }
    served = [s.claim for p in shelf.playbooks for s in p.claims]
    for playbook in shelf.playbooks:
        where = f"{FILE}, playbooks, {playbook.id}"
        if playbook.notebook not in wanted:
            told = notebooks.unknown("notebook", playbook.notebook, wanted)
            wrong.append(f"{where}, notebook: {told}")
        for one in playbook.claims:
            if one.claim not in verdicts:
                told = notebooks.unknown("claim", one.claim, verdicts)
                wrong.append(f"{where}, claims: {told}")
            elif verdicts[one.claim] != "holds" and not one.instead:
                told = f"{one.claim} {verdicts[one.claim]!r} in its record"
                wrong.append(f"{where}, claims: {told}: say what to do instead")
            elif served.count(one.claim) > 1:
                wrong.append(f"{where}, claims: {one.claim} is served twice")
    missing = [name for name in verdicts if name not in served]
    return wrong + [f"{FILE}: {name} is recorded and no playbook serves it" for name in missing]


def price(playbook: Playbook, roles: Mapping[str, str], rates: Mapping[str, float]) -> Price:
    """Hours, days and cost.  rates: cost of an hour by ledger row.  Steps follow one another.

    Raises:
        KeyError: a row that `rates` lacks.
    """
    each = tuple(step.hours * rates[roles[step.owner]] for step in playbook.steps)
    hours, days = (sum(getattr(s, k) for s in playbook.steps) for k in ("hours", "days"))
    return Price(hours, days, sum(each), each)


def stub(playbook: Playbook) -> str:
    """The page of a playbook: a title, and a directive that fills it at build time."""
    return f"# {playbook.title}\n\n```{{playbook}} {playbook.id}\n```\n"


def stubs(shelf: Shelf) -> dict[str, str]:
    """The text of each playbook's page by its path."""
    return {f"{PAGES}/{playbook.id}.md": stub(playbook) for playbook in shelf.playbooks}


def main(arguments: Sequence[str]) -> int:
    """Check the data file and list the playbooks; exit code 0, and a Problem for a wrong file."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="synthecon playbooks",
        description=f"Check {FILE} against notebooks and records, and list the playbooks.",
        epilog="One for a company: python -m synthecon diagnose FOLDER --playbook NAME",
    )
    parser.add_argument("--write", action="store_true", help=f"write the pages below {PAGES}/ anew")
    options = parser.parse_args(arguments)
    shelf = load()
    if wrong := judge(shelf, records.load_all()):
        raise Problem("\n".join(wrong))
    if options.write:
        for path, text in stubs(shelf).items():
            print(f"wrote {paths.write_atomic(paths.root() / path, text)}")
    wide = max(len(p.id) for p in shelf.playbooks)
    print(*(f"{p.id:{wide}}  {p.title}" for p in shelf.playbooks), sep="\n")
    return 0
