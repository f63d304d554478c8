"""`synthecon pipeline`: start a run, resume one, read what it decided."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import itertools
import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from synthecon import Problem, paths
from synthecon.strategy import gates
from synthecon.vault.pipeline_budget import KINDS, Amount
from synthecon.vault.pipeline_search import Rung, Space

if TYPE_CHECKING:
    from synthecon.energy import Level
    from synthecon.vault.pipeline import Outcome, Settings
    from synthecon.vault.pipeline_prices import Prices
    from synthecon.vault.pipeline_world import Plan, World

SPACE = Space(
    students=("mlp-8", "mlp-16", "mlp-32", "mlp-64"),
    kinds=("gaussians", "warps", "mixup", "noise"),
    amounts=(100, 500, 2000),
    losses=((1.0, 0.0), (1.0, 1.0), (4.0, 0.5)),
)
RUNGS = (Rung(60, 1), Rung(270, 1), Rung(540, 3))
SHARE = 0.2  # of an exhaustive search, where nobody names an amount of money
SECONDS = 120.0
CORE_WATTS = 10.0  # where no counter of energy can be read
NEW = ("company", "target", "money", "seconds", "joules", "seed")  # what only a new run can be told


@dataclass(frozen=True)
class Asked:
    """run.json: what a run was asked, and what the company's files said when it began.

    gates: the lines of pipeline-gates.csv.
    """

    settings: Settings
    plan: Plan
    prices: Prices
    gates: tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 a student was promoted, or something was shown; 1 stopped without one."""
    options = _parser().parse_args(arguments)
    if not (options.list or options.log is not None or options.resume is not None):
        return _run(_begin(options))
    if given := [f"--{name}" for name in NEW if getattr(options, name) is not None]:
        raise Problem(
            f"{', '.join(given)}: only for a new run, and a run keeps what it was asked; "
            "leave it out here, or start a new run"
        )
    if options.list:
        return _list()
    if options.log is not None:
        return _log(options.log)
    return _run(_found(options.resume))


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="synthecon pipeline",
        description="Search for a student that reaches a target accuracy, inside a budget: made-up "
        "data, gates, distillation, prices. It stops at the first round that finds one, and "
        "promotes the cheapest to serve of those that it trained whole. A run that was killed "
        "resumes where it was and pays nothing twice, at the prices and gates that it began with "
        "or not at all.",
        epilog="example:\n  python -m synthecon pipeline --target .9 --money 150\n"
        "  python -m synthecon pipeline --log digits-s0-1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--company", type=Path, metavar="FOLDER", help="whose prices and gates (case)")
    p.add_argument("--target", metavar="SHARE",
                   help="right answers, 0 to 1, that the lower end of a one-sided 90 %% interval "
                   "must reach on the validation images, where the student was chosen: expect a "
                   "little less elsewhere; or 'best' for the best that the budget buys "
                   "(.9)")  # fmt: skip
    p.add_argument("--money", type=float, metavar="N", help="most money, in the company's currency "
                   "(labels, and a fifth of what training every candidate, before any gate, would "
                   "cost); inf: no limit")  # fmt: skip
    p.add_argument("--seconds", type=float, metavar="N",
                   help=f"most seconds of work ({SECONDS:g}); inf: no limit")  # fmt: skip
    p.add_argument("--joules", type=float, metavar="N", help="most joules (inf: no limit)")
    p.add_argument("--seed", type=int, metavar="N", help="draws split and search (0)")
    other = p.add_mutually_exclusive_group()
    other.add_argument("--resume", metavar="RUN", help="go on with a run that was stopped")
    other.add_argument("--log", metavar="RUN", help="show every decision of a run, with its reason")
    other.add_argument("--list", action="store_true", help="show all runs")
    return p


def _begin(options: argparse.Namespace) -> Path:
    """A new run's folder, with what it is asked inside."""
    from synthecon.vault.pipeline import Settings, everything
    from synthecon.vault.pipeline_prices import load
    from synthecon.vault.pipeline_world import Plan, World

    company = options.company or paths.root() / "case"
    if not (company / "ledger.csv").is_file():
        raise Problem(f"{company}: no ledger.csv there; --company wants a case folder")
    share, target = ".9" if options.target is None else options.target, None
    if share != "best":
        try:
            target = float(share)
        except ValueError:
            target = math.nan
        if not 0 < target < 1:
            raise Problem(f"--target {share}: a share above 0 and below 1, or best")
    for name in KINDS:
        value = getattr(options, name)
        if value is not None and not value > 0:
            raise Problem(f"--{name} {value:g}: must be above 0")
    seed = options.seed or 0
    if not 0 <= seed < 2**31:
        raise Problem(f"--seed {seed}: a whole number from 0")
    plan = Plan()
    number = 1
    while (_home() / f"{plan.dataset}-s{seed}-{number}").exists():
        number += 1
    settings = Settings(
        run=f"{plan.dataset}-s{seed}-{number}",
        seed=seed,
        labels=plan.labels,
        space=SPACE,
        rungs=RUNGS,
        target=target,
        made=date.today().isoformat(),
        company=str(company.resolve()),
        source=plan.dataset,
    )
    _, lines = _gates(company)
    prices = load(company)
    money = options.money
    if money is None:
        bill = everything(settings, World(plan, seed), prices, SPACE.kinds)
        labels = bill.pop("buy labels")
        money = labels + SHARE * sum(bill.values())
    limit = Amount(money, options.seconds or SECONDS, options.joules or math.inf)
    asked = Asked(replace(settings, limit=limit), plan, prices, lines)
    folder = _new(settings.run)
    paths.write_atomic(folder / "run.json", json.dumps(asdict(asked), indent=1) + "\n")
    return folder


def _gates(company: Path) -> tuple[list[gates.Gate], tuple[str, ...]]:
    """The gates, and the lines of their file."""
    path = company / "pipeline-gates.csv"
    if not path.is_file():
        there = paths.root() / "case" / "pipeline-gates.csv"
        raise Problem(f"{path}: not there; copy {there} and set thresholds of your own")
    return gates.read_gates(path), tuple(path.read_text(encoding="utf-8").splitlines())


def _unchanged(asked: Asked) -> tuple[Prices, list[gates.Gate]]:
    """The prices and gates that a run began with.

    Raises:
        Problem: the company's files say something else by now.
    """
    from synthecon.vault.pipeline_prices import load

    company = Path(asked.settings.company)
    prices, (rules, lines) = load(company), _gates(company)
    advice = "a run keeps what it began with: put that back, or start a new run"
    then, now = asdict(asked.prices), asdict(prices)
    if other := [f"{k} was {then[k]} and is {now[k]}" for k in now if then[k] != now[k]]:
        raise Problem(
            f"{company / 'ledger.csv'}, or a record behind it, gives other prices than when "
            f"{asked.settings.run} began ({'; '.join(other)}); {advice}"
        )
    pairs = itertools.zip_longest(asked.gates, lines, fillvalue="")
    for number, (old, new) in enumerate(pairs, 1):
        if old != new:
            raise Problem(
                f"{company / 'pipeline-gates.csv'}, line {number}: was {old!r} when "
                f"{asked.settings.run} began and is {new!r}; {advice}"
            )
    return prices, rules


def _run(folder: Path) -> int:
    if (folder / "outcome.json").exists():
        return _finished(folder)
    asked = _read(folder)
    settings, plan = asked.settings, asked.plan
    with _alone(folder):
        prices, rules = _unchanged(asked)
        print(f"run {settings.run}: {folder}", file=sys.stderr)
        import torch

        from synthecon.energy import Meter
        from synthecon.vault import pipeline
        from synthecon.vault.pipeline_engine import Durable
        from synthecon.vault.pipeline_provider import Provider
        from synthecon.vault.pipeline_world import World

        torch.set_num_threads(1)
        provider = Provider(folder / "provider.sqlite", prices.provider())
        world = World(plan, settings.seed, folder=folder / "files")
        world.teacher()
        with Meter("cpu", CORE_WATTS) as meter:  # tells whether joules can be read here
            outcome, log = pipeline.run(
                settings, world, prices, provider, rules,
                engine=Durable(folder / "steps.sqlite", settings.run), folder=folder,
                say=lambda step: print(f"  {step}", file=sys.stderr, flush=True),
                validation=plan.validation, core_watts=CORE_WATTS,
            )  # fmt: skip
        lines = summary(settings, outcome, prices, len(log.entries), world, meter.level)
        paths.write_atomic(folder / "summary.txt", "\n".join(lines) + "\n")
        paths.write_atomic(folder / "spent.json", json.dumps(asdict(outcome.spent)) + "\n")
        paths.write_atomic(folder / "outcome.json", json.dumps({
            "reason": outcome.reason, "detail": outcome.detail, "promoted": outcome.promoted,
            "money": round(outcome.spent.money, 6), "files": outcome.digest,
        }, indent=1, sort_keys=True) + "\n")  # fmt: skip
    print("\n".join(lines))
    return 0 if outcome.promoted else 1


def _finished(folder: Path) -> int:
    """Show again how a run ended, with the exit code that it had."""
    try:
        promoted = json.loads((folder / "outcome.json").read_bytes())["promoted"]
        told = (folder / "summary.txt").read_text(encoding="utf-8")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Problem(
            f"{folder}: outcome.json or summary.txt cannot be read: {error}; "
            "put the file back as it was, or start a new run"
        ) from None
    print(told, end="")
    print("this run is finished: start a new one without --resume")
    return 0 if promoted else 1


def summary(
    settings: Settings, outcome: Outcome, prices: Prices, decisions: int, world: World, level: Level
) -> list[str]:
    """The run in plain words.  level: how far its joules are to be trusted."""
    from synthecon.vault.pipeline import everything

    limit, spent, money = settings.limit, outcome.spent, prices.currency
    whole = everything(settings, world, prices, settings.space.kinds)
    lines = [f"{settings.run}: {outcome.reason} ({outcome.detail})."]
    if x := outcome.chosen:
        lines.append(
            f"Promoted: {x.candidate}. Right on {100 * x.scores[x.init]:.1f} % of the validation "
            f"images and {100 * outcome.tested[x.init]:.1f} % of the test images."
        )
        million = prices.million(world.operations(x.candidate.student))
        lines.append(f"A million answers cost {million:.4g} {money} to serve.")
    else:
        lines.append("Nothing was promoted.")
    parts = ", ".join(f"{k} {v:,.2f}" for k, v in outcome.paid.items() if v)
    of = f" of {limit.money:,.2f}" if limit.money < math.inf else ""
    lines.append(f"Spent {spent.money:,.2f}{of} {money} ({parts or 'nothing'}).")
    count = len(settings.space.all())
    lines.append(
        f"Training all {count} candidates whole, before any gate, would have cost "
        f"{sum(whole.values()):,.2f}."
    )
    how = f"assumed, {CORE_WATTS:g} W a core" if level == "assumed" else "by the machine's counter"
    for name, trust in (("seconds", ""), ("joules", f" ({how})")):
        most = getattr(limit, name)
        of = f" of {most:,.10g}" if most < math.inf else ""
        lines.append(f"{getattr(spent, name):,.1f}{of} {name}{trust}.")
    lines.append(f"{decisions} decisions: python -m synthecon pipeline --log {settings.run}")
    return lines


def _home() -> Path:
    return paths.out() / "pipeline"


def _new(run: str) -> Path:
    folder = _home() / run
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise Problem(f"{folder}: cannot make this folder: {error}") from None
    return folder


def _found(run: str) -> Path:
    folder = _home() / run
    if not re.fullmatch(r"[\w.-]+", run) or not (folder / "run.json").is_file():
        known = ", ".join(_runs()) or "none yet"
        raise Problem(f"no run {run!r} below {_home()}; there are: {known}")
    return folder


def _runs() -> list[str]:
    return sorted(path.parent.name for path in _home().glob("*/run.json"))


def _read(folder: Path) -> Asked:
    from synthecon.vault.pipeline import Settings
    from synthecon.vault.pipeline_prices import Prices
    from synthecon.vault.pipeline_world import Plan

    path = folder / "run.json"
    try:
        asked = json.loads(path.read_text(encoding="utf-8"))
        if not {"prices", "gates"} <= set(asked):
            raise Problem(
                f"{path}: written by an older version, without the prices and gates that the run "
                "began with: start a new run"
            )
        s = asked["settings"]
        s["space"] = Space(**{
            k: tuple(tuple(x) if isinstance(x, list) else x for x in v)
            for k, v in s["space"].items()
        })  # fmt: skip
        s["rungs"] = tuple(Rung(**r) for r in s["rungs"])
        s["limit"] = Amount(**s["limit"])
        return Asked(
            Settings(**s), Plan(**asked["plan"]), Prices(**asked["prices"]), tuple(asked["gates"])
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Problem(
            f"{path}: cannot read what this run was asked: {error}; "
            "put the file back as it was, or start a new run"
        ) from None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process a run: two would pay for the same step."""
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Problem(f"{folder.name} is running in another process: wait for it") from None
        yield


def _list() -> int:
    for run in _runs():
        path = _home() / run / "summary.txt"
        told = path.read_text(encoding="utf-8").partition("\n")[0] if path.is_file() else ""
        print(told or f"{run}: not finished; python -m synthecon pipeline --resume {run}")
    if not _runs():
        print(f"no run below {_home()}")
    return 0


def _log(run: str) -> int:
    from synthecon.vault import pipeline_log

    folder = _found(run)
    currency = _read(folder).prices.currency
    for line in pipeline_log.told(pipeline_log.read(folder / "decisions.jsonl"), currency):
        print(line)
    return 0
