"""python -m synthecon COMMAND: everything that make offers, and a little more."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from synthecon import Problem, paths

Options = argparse.Namespace
# commands that read their own arguments
PASSED_ON = ("lab", "labs", "ledger", "model", "trace", "board", "bench", "mutate")
PASSED_ON += ("calculate", "diagnose", "pipeline", "playbooks")


def run(options: Options) -> int:
    from synthecon import checks, plan, runner, site
    from synthecon.strategy import board
    from synthecon.vault import diagnose

    if options.case:
        from synthecon import company

        for line in company.run(Path(options.case), workers=options.jobs):
            print(line, flush=True)
        return 0
    jobs = plan.jobs(options.names, options.profile, options.parameter)
    failures = runner.run(jobs, workers=options.jobs, force=options.force)
    if failures:
        print(f"\n{len(failures)} of {len(jobs)} failed:", *failures, sep="\n", file=sys.stderr)
        return 1
    print(f"records: {paths.out() / 'results'}")
    # The book shows committed records, which a profile or a run of one's own does not touch.
    if not options.no_book and options.profile == "cpu" and not options.parameter:
        for folder in checks.CASES:
            board.main([str(paths.root() / folder)])
            beside = str(paths.out() / "board" / folder)
            diagnose.main([str(paths.root() / folder), "--out", beside])
        print("building the book", flush=True)
        print(f"site: {site.build()}")
    return 0


def list_records(options: Options) -> int:
    from synthecon import notebooks, records

    if options.id and "#" in options.id:
        record, found = records.find(options.id)
        return _show({"id": options.id, **asdict(found)}, records.stale(record), options.json)
    some = records.load_all()
    if options.id:
        if options.id not in some:
            raise Problem(notebooks.unknown("record", options.id, some))
        some = {options.id: some[options.id]}
    reasons = {key: records.stale(record) for key, record in some.items()}
    if options.stale:
        reasons = {key: why for key, why in reasons.items() if why}
    if options.json:
        print(json.dumps({key: {"stale": why} for key, why in reasons.items()}, indent=1))
        return 0
    for key, why in reasons.items():
        print(f"{'stale' if why else 'fresh'}  {key}" + "".join(f"\n         {w}" for w in why))
        for m in some[key].measurements if options.id else ():
            print(f"         #{m.name}  {_text(asdict(m))}  {m.title}")
    if not reasons:
        print("no stale record" if options.stale else f"no record in {paths.results()}")
    return 0


def _show(found: dict, why: Sequence[str], as_json: bool) -> int:
    if as_json:
        print(json.dumps(found | {"stale": list(why)}, indent=1, ensure_ascii=False))
    else:
        print(f"{found['id']}\n{found['title']}\n{_text(found)}")
        print("\n".join(f"stale: {reason}" for reason in why) or "fresh")
    return 0


def _text(m: dict) -> str:
    text = f"{m['value']:.6g} {m['unit']}"
    if m["low"] is not None:
        text += f" [{m['low']:.6g}, {m['high']:.6g}] at {m['level']:.0%}, n = {m['n']}"
    return text


def verify(options: Options) -> int:
    from synthecon import upkeep

    wrong = upkeep.verify()
    print("\n".join(wrong) or "every record holds")
    for note in upkeep.notes():
        print(f"note: {note}")
    return 1 if wrong else 0


def refresh(options: Options) -> int:
    from synthecon import upkeep

    promoted, refused = upkeep.refresh(options.names)
    for record_id in promoted:
        print(f"promoted  {record_id}")
    for line in refused:
        print(f"REFUSED   {line}", file=sys.stderr)
    return 1 if refused else 0


def book(options: Options) -> int:
    from synthecon import site

    print(f"site: {site.build()}")
    return 0


def test(options: Options) -> int:
    from synthecon import checks

    return 0 if checks.test(options.fast) else 1


def lab(options: Options) -> int:
    command = [sys.executable, "-m", "jupyter", "lab", *options.rest]
    os.chdir(paths.root())
    os.execv(sys.executable, command)


def audit(options: Options) -> int:
    from synthecon.economics import audit, case, report, template

    if options.bench is not None:
        from synthecon.economics import bench

        print("\n".join(bench.run(options.bench)))
        return 0
    if options.template:
        for file in template.write(Path(options.template)):
            print(f"made {file}")
        print(f"Read {Path(options.template) / 'HELP.md'}, fill in the files, then run:")
        print(f"  python -m synthecon ledger {options.template} --update")
        print(f"  make run CASE={options.template}")
        return 0
    folder = Path(options.folder) if options.folder else paths.root() / "case"
    found = audit.audit(case.read(folder))
    print(report.summary(found))
    for file in report.write(found, paths.out() / "audit" / folder.resolve().name):
        print(f"report: {file}")
    return 0


def data(options: Options) -> int:
    from synthecon.physics import data

    for name in options.names or data.NAMES:
        found = data.load(name)
        shape = "x".join(str(size) for size in found.images.shape)
        print(f"{name}: {shape}, {len(found.classes)} classes, from {found.source}")
    return 0


def ledger(options: Options) -> int:
    from synthecon.economics import command
    from synthecon.strategy import files

    return command.main(options.rest, also=files.check)  # neither room imports the other here


def elsewhere(module: str) -> Callable[[Options], int]:
    """A command that is a module's own `main(arguments)`."""
    return lambda options: importlib.import_module(module).main(options.rest) or 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m synthecon", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, does: Callable[[Options], int], about: str, example: str):
        form = argparse.RawDescriptionHelpFormatter
        epilog = f"example:\n  python -m synthecon {example}"
        command = commands.add_parser(
            name, help=about, description=about, epilog=epilog, formatter_class=form
        )
        command.set_defaults(does=does)
        return command

    c = add("run", run, "run the notebooks that changed, then build the book", "run serving-cost")
    c.add_argument("names", nargs="*", metavar="NAME", help="notebook or notebook@variant (all)")
    c.add_argument("--profile", default="cpu", help="cpu, a name in profiles/, or a .yaml file")
    c.add_argument(
        "-p", dest="parameter", action="append", default=[], metavar="KEY=VALUE",
        help="set a parameter; the record then goes to a folder of its own",
    )  # fmt: skip
    c.add_argument("--jobs", type=int, default=2, help="notebooks at once (2)")
    c.add_argument("--force", action="store_true", help="also run what did not change")
    c.add_argument("--no-book", action="store_true", help="do not build the book afterwards")

    c.add_argument("--case", metavar="FOLDER", help="the playbook on another company's folder")

    c = add("audit", audit, "audit a company's cost of goods sold", "audit case-tannhof")
    c.add_argument("folder", nargs="?", metavar="FOLDER", help="a case folder (case)")
    c.add_argument("--template", metavar="FOLDER", help="make a folder to fill in, with help")
    c.add_argument("--bench", type=int, metavar="ROWS", help="time a bill of so many rows")

    c = add(
        "records", list_records, "list the committed records, fresh or stale", "records --stale"
    )
    c.add_argument("id", nargs="?", metavar="ID", help="a record's id, or a measurement's: ID#name")
    c.add_argument("--stale", action="store_true", help="only those that are stale, and why")
    c.add_argument("--json", action="store_true", help="for other programs")

    add("verify", verify, "check schema, freshness and verdicts of the records", "verify")
    c = add("refresh", refresh, "make the last run the committed one", "refresh distillation")
    c.add_argument("names", nargs="*", metavar="NAME", help="notebook or record id (all)")
    add("book", book, "build and check the site", "book")
    c = add("test", test, "the whole check: lint, tests, notebooks, site", "test --fast")
    c.add_argument("--fast", action="store_true", help="without the notebooks and the site")
    c = add("data", data, "fetch and check data sets", "data fashion-mnist")
    c.add_argument("names", nargs="*", metavar="NAME", help="a data set (all)")
    add("lab", lab, "open JupyterLab here", "lab --no-browser")
    labs = elsewhere("synthecon.labs.command")
    add("labs", labs, "derive, run, prove and grade the labs", "labs grade submissions/")
    add("ledger", ledger, "check the files of a case; renew measured rows", "ledger --update")
    model = elsewhere("synthecon.economics.workbook")
    add("model", model, "write the three-year model as a workbook", "model case-tannhof")
    trace = elsewhere("synthecon.strategy.traced")
    add("trace", trace, "follow a number from its source to where it shows", "trace finance.wacc")
    papers = elsewhere("synthecon.strategy.board")
    add("board", papers, "write memo, deck, dashboard and workbook", "board case-tannhof")
    find = elsewhere("synthecon.vault.diagnose")
    add("diagnose", find, "say where the margin leaks and what to do", "diagnose case-tannhof")
    shelf = elsewhere("synthecon.vault.playbooks")
    add("playbooks", shelf, "check and list the three-step playbooks", "playbooks")
    bench = elsewhere("synthecon.physics.bench")
    add("bench", bench, "time the training engine against the textbook loop", "bench --help")
    sums = elsewhere("synthecon.economics.calculators_command")
    add("calculate", sums, "break-evens of a company, or of your figures", "calculate build-vs-buy")
    autopilot = elsewhere("synthecon.vault.pipeline_command")
    add("pipeline", autopilot, "search for a student inside a budget", "pipeline --target .9")
    mutants = elsewhere("synthecon.mutate")
    add("mutate", mutants, "prove that the tests catch each committed mutation", "mutate --help")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 good, 1 something failed, 2 the reader can put it right, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    rest: list[str] = []
    if arguments[:1] and arguments[0] in PASSED_ON:
        arguments, rest = arguments[:1], arguments[1:]
    options = parser().parse_args(arguments, Options(rest=rest))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return options.does(options)
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader closed the pipe, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(
            "interrupted: nothing half-done was kept as good; run again to go on", file=sys.stderr
        )
        return 130
