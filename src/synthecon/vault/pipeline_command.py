"""`synthecon pipeline`: start a run, resume one, read what it decided."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from synthecon import Problem, paths
from synthecon.strategy import gates
from synthecon.vault.pipeline_budget import KINDS, Amount
from synthecon.vault.pipeline_search import Rung, Space

if TYPE_CHECKING:
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


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 a student was promoted, or something was shown; 1 stopped without one."""
    options = _parser().parse_args(arguments)
    if options.list:
        return _list()
    if options.log:
        return _log(options.log)
    if options.resume:
        folder = _found(options.resume)
        return _run(folder, _read(folder))
    settings, plan = _asked(options)
    folder = _new(settings.run)
    paths.write_atomic(
        folder / "run.json",
        json.dumps({"settings": asdict(settings), "plan": asdict(plan)}, indent=1) + "\n",
    )
    return _run(folder, (settings, plan))


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="synthecon pipeline",
        description="Search for the cheapest student that reaches a target accuracy, inside a "
        "budget: made-up data, gates, distillation, prices. A run that was killed resumes where it "
        "was and pays nothing twice.",
        epilog="example:\n  python -m synthecon pipeline --target .9 --money 150\n"
        "  python -m synthecon pipeline --log digits-s0-1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--company", type=Path, metavar="FOLDER", help="whose prices and gates (case)")
    p.add_argument("--target", default=".9", metavar="SHARE",
                   help="right answers that must be shown, 0 to 1, or 'best' for the best that the "
                   "budget buys (.9)")  # fmt: skip
    p.add_argument("--money", type=float, metavar="N", help="most money, in the company's currency "
                   "(labels, and a fifth of what training every candidate would cost)")  # fmt: skip
    p.add_argument("--seconds", type=float, default=SECONDS, metavar="N",
                   help=f"most seconds of work ({SECONDS:g})")  # fmt: skip
    p.add_argument("--joules", type=float, metavar="N", help="most joules (no limit)")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="draws split and search (0)")
    p.add_argument("--resume", metavar="RUN", help="go on with a run that was stopped")
    p.add_argument("--log", metavar="RUN", help="show every decision of a run, with its reason")
    p.add_argument("--list", action="store_true", help="show all runs")
    return p


def _asked(options: argparse.Namespace) -> tuple[Settings, Plan]:
    from synthecon.vault.pipeline import Settings, everything
    from synthecon.vault.pipeline_prices import load
    from synthecon.vault.pipeline_world import Plan, World

    company = options.company or paths.root() / "case"
    if not (company / "ledger.csv").is_file():
        raise Problem(f"{company}: no ledger.csv there; --company wants a case folder")
    if options.target == "best":
        target = None
    else:
        try:
            target = float(options.target)
        except ValueError:
            target = math.nan
        if not 0 < target < 1:
            raise Problem(f"--target {options.target}: a share above 0 and below 1, or best")
    for name in KINDS:
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise Problem(f"--{name} {value:g}: must be above 0")
    if not 0 <= options.seed < 2**31:
        raise Problem(f"--seed {options.seed}: a whole number from 0")
    plan = Plan()
    number = 1
    while (_home() / f"{plan.dataset}-s{options.seed}-{number}").exists():
        number += 1
    settings = Settings(
        run=f"{plan.dataset}-s{options.seed}-{number}",
        seed=options.seed,
        labels=plan.labels,
        space=SPACE,
        rungs=RUNGS,
        target=target,
        made=date.today().isoformat(),
        company=str(company.resolve()),
        source=plan.dataset,
    )
    _gates(company)
    money = options.money
    if money is None:
        bill = everything(settings, World(plan, options.seed), load(company), SPACE.kinds)
        labels = bill.pop("buy labels")
        money = labels + SHARE * sum(bill.values())
    limit = Amount(money, options.seconds, options.joules or math.inf)
    return replace(settings, limit=limit), plan


def _gates(company: Path) -> list[gates.Gate]:
    path = company / "pipeline-gates.csv"
    if not path.is_file():
        there = paths.root() / "case" / "pipeline-gates.csv"
        raise Problem(f"{path}: not there; copy {there} and set thresholds of your own")
    return gates.read_gates(path)


def _run(folder: Path, asked: tuple[Settings, Plan]) -> int:
    settings, plan = asked
    if (folder / "outcome.json").exists():
        print((folder / "summary.txt").read_text(encoding="utf-8"), end="")
        print("this run is finished: start a new one without --resume")
        return 0
    with _alone(folder):
        print(f"run {settings.run}: {folder}", file=sys.stderr)
        import torch

        from synthecon.vault import pipeline, pipeline_prices
        from synthecon.vault.pipeline_engine import Durable
        from synthecon.vault.pipeline_provider import Provider
        from synthecon.vault.pipeline_world import World

        torch.set_num_threads(1)
        company = Path(settings.company)
        prices = pipeline_prices.load(company)
        world = World(plan, settings.seed, folder=folder / "files")
        world.teacher()
        outcome, log = pipeline.run(
            settings, world, prices,
            Provider(folder / "provider.sqlite", prices.provider()), _gates(company),
            engine=Durable(folder / "steps.sqlite", settings.run), folder=folder,
            say=lambda step: print(f"  {step}", file=sys.stderr, flush=True),
            validation=plan.validation,
        )  # fmt: skip
        lines = summary(settings, outcome, prices, len(log.entries), world)
        paths.write_atomic(folder / "summary.txt", "\n".join(lines) + "\n")
        paths.write_atomic(folder / "outcome.json", json.dumps({
            "reason": outcome.reason, "detail": outcome.detail, "promoted": outcome.promoted,
            "money": round(outcome.spent.money, 6), "files": outcome.digest,
        }, indent=1, sort_keys=True) + "\n")  # fmt: skip
        paths.write_atomic(folder / "spent.json", json.dumps(asdict(outcome.spent)) + "\n")
    print("\n".join(lines))
    return 0 if outcome.promoted else 1


def summary(
    settings: Settings, outcome: Outcome, prices: Prices, decisions: int, world: World
) -> list[str]:
    """The run in plain words."""
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
        lines.append(f"A million answers cost {million:.4f} {money} to serve.")
    else:
        lines.append("Nothing was promoted.")
    parts = ", ".join(f"{k} {v:,.2f}" for k, v in outcome.paid.items() if v)
    lines.append(f"Spent {spent.money:,.2f} of {limit.money:,.2f} {money} ({parts or 'nothing'}).")
    lines.append(f"Training every candidate whole would have cost {sum(whole.values()):,.2f}.")
    for name in ("seconds", "joules"):
        most = getattr(limit, name)
        of = f" of {most:,.0f}" if most < math.inf else ""
        lines.append(f"{getattr(spent, name):,.1f}{of} {name}.")
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


def _read(folder: Path) -> tuple[Settings, Plan]:
    from synthecon.vault.pipeline import Settings
    from synthecon.vault.pipeline_world import Plan

    path = folder / "run.json"
    try:
        asked = json.loads(path.read_text(encoding="utf-8"))
        s = asked["settings"]
        s["space"] = Space(**{
            k: tuple(tuple(x) if isinstance(x, list) else x for x in v)
            for k, v in s["space"].items()
        })  # fmt: skip
        s["rungs"] = tuple(Rung(**r) for r in s["rungs"])
        s["limit"] = Amount(**s["limit"])
        return Settings(**s), Plan(**asked["plan"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Problem(f"{path}: cannot read what this run was asked: {error}") from None


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
        told = path.read_text(encoding="utf-8").splitlines()[0] if path.is_file() else ""
        print(told or f"{run}: not finished; python -m synthecon pipeline --resume {run}")
    if not _runs():
        print(f"no run below {_home()}")
    return 0


def _log(run: str) -> int:
    from synthecon.vault import pipeline_log

    folder = _found(run)
    from synthecon.vault.pipeline_prices import load

    settings, _ = _read(folder)
    currency = load(Path(settings.company)).currency
    for line in pipeline_log.told(pipeline_log.read(folder / "decisions.jsonl"), currency):
        print(line)
    return 0
