"""`synthecon board`: the documents of one decision, all from the same facts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from synthecon import paths
from synthecon.economics import model as models
from synthecon.economics import workbook
from synthecon.economics.model import Model
from synthecon.strategy import dashboard, deck, facts, memo, pages
from synthecon.strategy.printable import Fact


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
    options = parser.parse_args(arguments)
    folder = options.folder or paths.root() / "case"
    model = models.load(folder)
    found = facts.collect(model)
    out = options.out or paths.out() / "board" / folder.resolve().name
    print(f"{found['company.name'].text}: {found['recommendation'].text}, "
          f"{found['ask.amount'].text} asked; {found['reason'].text}")  # fmt: skip
    for name, content in documents(model, found).items():
        print(f"wrote {paths.write_atomic(out / name, content)}")
    print("follow a number: python -m synthecon trace npv.base")
    return 0
