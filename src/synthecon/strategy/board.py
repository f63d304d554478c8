"""`synthecon board`: the documents of one decision, all from the same facts."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from synthecon import Problem, paths
from synthecon.economics import checked, workbook
from synthecon.economics.model import Model
from synthecon.strategy import (
    dashboard,
    deck,
    facts,
    facts_decision,
    files,
    memo,
    pages,
    printable,
    risk,
    value,
)
from synthecon.strategy.printable import Fact

DRAFT = "draft.rows"
"""Fact: how many assumptions of the cash model nobody of this company has looked at."""
UNTOUCHED = "No source: a fictional company's guess"
"""Source of the rows with which a new folder starts."""
NAMED = 10  # ids that a refusal lists


def read(folder: Path, *, fresh: bool = False) -> Model:
    """A case with all that its documents need.  fresh: refuse records whose code has changed.

    Raises:
        Problem: everything that is wrong with any of its files, at once, rows that are missing
            among it.
    """
    return checked.load(folder, fresh=fresh, also=_checked)


def _checked(folder: Path, model: Model) -> list[str]:
    return missing(model) + register(model) + files.check(folder, model)


def missing(model: Model) -> list[str]:
    """Rows without which there are no documents, a line each."""
    path, known = model.folder / "ledger.csv", model.rows.keys() | model.derived.keys()
    demands = [
        f"{path}: a board's documents need a row {name!r}, fixed, in "
        + ("its currency" if unit == "money" else unit)
        for name, unit in printable.NEEDED.items()
        if (row := model.rows.get(name)) is None
        or row.distribution != "fixed"
        or row.unit != (row.currency or unit)
    ]
    rest = dict.fromkeys([*value.NEEDED, *facts_decision.GATES])
    return demands + [
        f"{path}: a board's documents need a row {name!r}" for name in rest if name not in known
    ]


def register(model: Model) -> list[str]:
    """Rows of the risk register with values that are no probability, share or rate."""
    ranges = {one.frequency: 1.0 if one.once else math.inf for one in risk.RISKS}
    ranges |= {e.share: 1.0 for c in risk.CONTROLS for e in c.effects}
    return [
        f"{model.folder / 'ledger.csv'}, {name}, low, high: {row.low:g} to {row.high:g}, but it "
        + ("is a probability or a share, from 0 to 1" if most == 1 else "may not be negative")
        for name, most in ranges.items()
        if (row := model.rows.get(name)) and not 0 <= row.low <= row.high <= most
    ]


def left_out(model: Model) -> list[str]:
    """What the documents do not say because rows are missing, and which."""
    absent = risk.missing(model.rows.keys() | model.derived.keys())
    if not absent:
        return []
    return [
        "left out: what may go wrong beside the plan, in documents and in the board's rule, "
        f"because rows of {model.folder / 'ledger.csv'} are missing: {', '.join(absent)}"
    ]


def untouched(model: Model) -> list[str]:
    """Ids of the cash model that still rest on a fictional company's guess, in the order of the
    ledger; none for a company that is fictional itself."""
    if model.policy.fictional:
        return []
    return [k for k, row in model.rows.items() if k in model.used and UNTOUCHED in row.source]


def collect(model: Model) -> dict[str, Fact]:
    """The facts of the documents; of a draft, how many assumptions are not this company's, and
    `company.kind` says so wherever it is printed.

    Raises:
        Problem: as `facts.collect`.
    """
    found = facts.collect(model)
    if rows := untouched(model):
        count = f"{len(rows)} assumption{'s' * (len(rows) > 1)}"
        title = "Assumptions of the cash model that are still a fictional company's guess"
        found[DRAFT] = Fact(DRAFT, title, float(len(rows)), "", count, evidence=tuple(rows))
        kind = found["company.kind"]
        text = f"a draft: {count} of its cash model {'is' if len(rows) == 1 else 'are'} not its own"
        found[kind.id] = Fact(kind.id, kind.title, text, "", text, evidence=tuple(rows))
    return found


def documents(model: Model, found: Mapping[str, Fact]) -> dict[str, bytes]:
    """Every document by the name of its file.  Same case, same bytes.

    Raises:
        Problem: the case lacks a fact that a document prints, or a page that is too full.
    """
    model = facts.proposed(model, found)
    made, used = memo.files(found)
    made["deck.pptx"], used["deck"] = deck.pptx(found)
    made["dashboard.html"], used["dashboard"] = dashboard.html(model, found)
    _, made["appendix.pdf"] = memo.appendix(model, found, used)
    made["model.xlsx"] = workbook.build(model).bytes()
    made["facts.json"] = _facts(model, found)
    return made


def _facts(model: Model, found: Mapping[str, Fact]) -> bytes:
    """The facts for other programs, with their hashes."""
    told = {
        key: {
            "title": fact.title,
            "value": fact.value,
            "unit": fact.unit,
            "text": fact.text,
            "low": fact.low,
            "high": fact.high,
            "evidence": fact.evidence,
            "hash": facts.fingerprint(fact, model),
        }
        for key, fact in found.items()
    }
    return (json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def printed(model: Model, found: Mapping[str, Fact]) -> dict[str, tuple[str, ...]]:
    """Ids of the facts on each document."""
    model = facts.proposed(model, found)
    used = {name: pages.page(pages.variant(name, found), found).used for name in memo.TEXTS}
    return used | {"deck": deck.pptx(found)[1], "dashboard": dashboard.html(model, found)[1]}


def main(arguments: Sequence[str]) -> int:
    """Write the documents.  Exit code 0; whatever is wrong is a Problem."""
    parser = argparse.ArgumentParser(
        prog="synthecon board",
        description="Write memo, press release, deck, dashboard, appendix and workbook of a case.",
    )
    parser.add_argument("folder", nargs="?", type=Path, help="case folder (case)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to (_build/board/FOLDER)")
    parser.add_argument(
        "--draft", action="store_true",
        help="write them although assumptions are still those of the template, and say so",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    folder = options.folder or paths.root() / "case"
    model = read(folder)
    if not options.draft:
        refuse(model)
    found = collect(model)
    out = options.out or paths.out() / "board" / folder.resolve().name
    print(*told(model, found), sep="\n")
    for name, content in documents(model, found).items():
        print(f"wrote {paths.write_atomic(out / name, content)}")
    own = "" if folder.resolve() == (paths.root() / "case").resolve() else f" {folder}"
    print(f"follow a number: python -m synthecon trace npv.base{own}")
    return 0


def refuse(model: Model) -> None:
    """Advice on a real company from another's guesses is none.

    Raises:
        Problem: assumptions of the cash model stand as in the template.
    """
    if rows := untouched(model):
        some = ", ".join(rows[:NAMED]) + (", …" if len(rows) > NAMED else "")
        one = len(rows) == 1
        raise Problem(
            f"{model.folder / 'ledger.csv'}: {len(rows)} row{'s' * (not one)} of the cash model "
            f"still {'stands' if one else 'stand'} as in the template, a fictional company's "
            f"guess: {some}\n"
            "Give each your own numbers and say in source_type, source and owner where they come "
            "from; or write a draft that says on every page what it rests on: add --draft"
        )


def told(model: Model, found: Mapping[str, Fact]) -> list[str]:
    """What the documents say, in a line; before it, that they are a draft; after it, what they
    leave out."""
    lines = []
    if DRAFT in found:
        lines.append(
            f"DRAFT: {found[DRAFT].text} of the cash model are still a fictional company's guess; "
            "nothing here is advice"
        )
    lines.append(
        f"{found['company.name'].text}: {found['recommendation'].text}, "
        f"{found['ask.amount'].text} asked; {found['reason'].text}"
    )
    return lines + left_out(model)
