"""Buy-in as a plan: who decides, what they object to, and the evidence that answers it or not.

stakeholders.csv names evidence by id; what it says is read from the records and the ledger, never
typed.  An objection may be right: then the reply concedes it.  One that nothing answers is open,
and the plan says so.  Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from synthecon import Problem, paths, records
from synthecon.economics import ledger, table

COLUMNS = ("id", "stakeholder", "decides", "objection", "reply", "evidence", "step", "owner", "by")
REPLIES = ("answered", "conceded", "open")
NOTHING = "No evidence: say so."
Load = Callable[[str], records.RunRecord]
"""A record by its id."""


@dataclass(frozen=True)
class Entry:
    """One objection.  decides: what this person can say no to.  reply: see REPLIES.  evidence: ids;
    says: what they say, one line each.  step: what happens next; by: the month in which, from the
    start."""

    id: str
    stakeholder: str
    decides: str
    objection: str
    reply: str
    evidence: tuple[str, ...]
    says: tuple[str, ...]
    step: str
    owner: str
    by: int


def committed(record_id: str) -> records.RunRecord:
    """The record below results/.

    Raises:
        Problem: there is none.
    """
    path = records.record_path(record_id, paths.results())
    if not path.is_file():
        raise Problem(f"there is no record {record_id!r}")
    return records.read(path)


def read(path: Path, rows: Mapping[str, ledger.Row], load: Load = committed) -> list[Entry]:
    """The plan, ordered by month.  rows: of the ledger.

    Raises:
        Problem: everything that is wrong with the file, at once: file, line, field; evidence that
            does not exist.
    """
    lines, wrong = table.read(path, COLUMNS)
    found: list[Entry] = []
    for line, cells in lines:
        faults = [f"{k}: empty" for k in COLUMNS if k != "evidence" and not cells[k]]
        ids = tuple(filter(None, map(str.strip, cells["evidence"].split(";"))))
        if cells["reply"] and cells["reply"] not in REPLIES:
            faults.append(f"reply: {cells['reply']!r} is none of {', '.join(REPLIES)}")
        elif cells["reply"] == "open" and ids:
            faults.append("evidence: the objection is open; say what the evidence does to it")
        elif cells["reply"] in ("answered", "conceded") and not ids:
            faults.append(f"evidence: {cells['reply']} by nothing; name an id, or write open")
        if cells["by"] and not cells["by"].isdecimal():
            faults.append(f"by: {cells['by']!r} is no month from the start")
        if any(e.id == cells["id"] for e in found):
            faults.append(f"id: {cells['id']!r} is there already")
        says = []
        for name in ids:
            try:
                says.append(told(name, rows, load))
            except Problem as problem:
                faults.append(f"evidence: {problem}")
        wrong += [f"{path}, line {line}, {fault}" for fault in faults]
        if not faults:
            texts = {k: cells[k] for k in COLUMNS if k not in ("evidence", "by")}
            shown = tuple(says) or (NOTHING,)
            found.append(Entry(**texts, evidence=ids, says=shown, by=int(cells["by"])))
    if wrong:
        raise Problem("\n".join(wrong))
    return sorted(found, key=lambda e: e.by)


def told(name: str, rows: Mapping[str, ledger.Row], load: Load = committed) -> str:
    """What a piece of evidence says: a claim's verdict, a measurement, or a ledger row.

    Raises:
        Problem: there is no such evidence.
    """
    if "#" not in name:
        if name not in rows:
            raise Problem(f"the ledger has no row {name!r}")
        row = rows[name]
        if row.low == row.high:
            return f"{row.name}: {_number(row.base)} {row.unit} ({row.source_type})"
        ends = f"{_number(row.low)} to {_number(row.high)}"
        return f"{row.name}: {_number(row.base)} ({ends}) {row.unit} ({row.source_type})"
    record_id, _, part = name.partition("#")
    record = load(record_id)
    for claim in record.claims:
        if claim.name == part:
            return f"{claim.text}: {claim.verdict}"
    m = record.measurement(part)
    if m.low is None:
        return f"{m.title}: {_number(m.value)} {m.unit}"
    return f"{m.title}: {_number(m.value)} ({_number(m.low)} to {_number(m.high)}) {m.unit}"


def _number(x: float) -> str:
    """Three digits, a true minus."""
    text = f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"
    return text.replace("-", "−") if text.strip("-0.") else "0"
