"""Which part of the total cost of ownership each cost item belongs to: components.csv, checked.

The file says item ids, or beginnings of ids with a star; here it is made sure that every item is in
exactly one component and that no component is empty.  Amounts, assumptions and verdicts come from
the model and the records: nothing of them is typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from synthecon import Problem
from synthecon.economics import formula, ledger, table, tco
from synthecon.record import Claim, RunRecord

COLUMNS = ("id", "group", "component", "items", "claims", "note")
GROUPS = ("Direct CapEx/OpEx", "Human capital", "Opportunity cost")


@dataclass(frozen=True)
class Component:
    """A row of components.csv with the items that it holds, and the claims that it rests on.

    claims: "RECORD#CLAIM" each.  note: what the row means, or why nothing was measured.
    """

    id: str
    group: str
    name: str
    items: tuple[tco.Item, ...]
    claims: tuple[str, ...]
    note: str

    def monthly(self, scenario: str, values: tco.Values, months: int) -> float:
        """Its cost in a scenario, opportunity cost too: the average a month over the period."""
        own = tco.of(self.items, scenario)
        return float(tco.flows(own, values, months).sum()) / months if own else 0.0

    def assumptions(self, derived: Mapping[str, ledger.Derived]) -> list[str]:
        """Ids of the ledger rows with numbers of their own that its amounts rest on, sorted."""
        todo = [n for i in self.items for n, _ in i.factors if not n.replace(".", "").isdigit()]
        todo += [i.growth for i in self.items if i.growth]
        todo += [w for i in self.items for w in i.times if isinstance(w, str)]
        found: set[str] = set()
        while todo:
            name = todo.pop()
            if name in derived:
                todo += formula.names(derived[name].formula)
            else:
                found.add(name)
        return sorted(found)


def read(path: Path, items: Sequence[tco.Item], pending: Sequence[str] = ()) -> list[Component]:
    """The components, every item in exactly one of them.

    pending: ids of components that may be empty for now.

    Raises:
        Problem: all that is wrong with the file, at once.
    """
    lines, wrong = table.read(path, COLUMNS)
    found: list[Component] = []
    home: dict[str, str] = {}
    for line, text in lines:
        where = f"{path}, line {line}"
        if text["group"] not in GROUPS:
            wrong.append(f"{where}, group: {text['group']!r} is none of {', '.join(GROUPS)}")
        wrong += [f"{where}, {k}: empty" for k in ("id", "component") if not text[k]]
        if text["id"] in [c.id for c in found]:
            wrong.append(f"{where}, id: {text['id']!r} stands twice")
        own: list[tco.Item] = []
        for pattern in text["items"].split():
            matched = [i for i in items if fnmatchcase(i.id, pattern)]
            if not matched and text["id"] not in pending:
                wrong.append(f"{where}, items: no item {pattern!r}")
            for item in matched:
                if item.id in home:
                    wrong.append(f"{where}, items: {item.id} is in {home[item.id]!r} already")
                else:
                    home[item.id] = text["id"]
                    own.append(item)
        if not text["items"] and text["id"] not in pending:
            wrong.append(f"{where}, items: empty: a component costs something, or is none")
        found.append(
            Component(
                id=text["id"],
                group=text["group"],
                name=text["component"],
                items=tuple(own),
                claims=tuple(text["claims"].split()),
                note=text["note"],
            )
        )
    wrong += [f"{path}: item {i.id} is in no component" for i in items if i.id not in home]
    if wrong:
        raise Problem("\n".join(wrong))
    return found


def evidence(names: Sequence[str], rows: Mapping[str, ledger.Row]) -> dict[str, int]:
    """How many of these rows have which source type, most first."""
    counts: dict[str, int] = {}
    for name in names:
        kind = rows[name].source_type
        counts[kind] = counts.get(kind, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def claim(name: str, records: Mapping[str, RunRecord]) -> Claim:
    """The claim "RECORD#CLAIM".

    Raises:
        Problem: no such record or claim.
    """
    record, _, wanted = name.partition("#")
    for one in records[record].claims if record in records else ():
        if one.name == wanted:
            return one
    raise Problem(f"{name}: there is no such claim in the records")
