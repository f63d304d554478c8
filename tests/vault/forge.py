"""Starts lives of a pipeline: one warm parent forks a process for each, so that a life costs
milliseconds and not the seconds of importing everything.

Reads one JSON object a line: {"folder": …, "kill": point or "", "real": bool, "target": …}; answers
with the exit status of that life: −9 where it was killed, 2 where it ended in a Problem, which then
stands in problem.txt.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

import dbos._queue
import stub_world
import torch

from synthecon import Problem
from synthecon.physics import data
from synthecon.vault import pipeline, pipeline_world
from synthecon.vault.pipeline_budget import Amount
from synthecon.vault.pipeline_engine import KILL_AT, Durable
from synthecon.vault.pipeline_provider import Provider
from synthecon.vault.pipeline_search import Rung, Space

TINY = pipeline_world.Plan(
    provider=120, pool=200, labels=20, validation=100, test=100, teacher="mlp-16",
    teacher_steps=30, largest=20,
)  # fmt: skip
REAL = {
    "space": Space(("mlp-4", "mlp-8"), ("gaussians", "noise"), (10, 20), ((1.0, 1.0),)),
    "rungs": (Rung(3, 1), Rung(6, 2)),
    "labels": TINY.labels,
}


def live(folder: Path, kill: str, real: bool, target: float | None) -> None:
    """One life of the run in this folder, to its end or to its death."""
    os.environ[KILL_AT] = kill
    world = (
        pipeline_world.World(TINY, 3, folder=folder / "files")
        if real
        else stub_world.Stub(folder / "files")
    )
    gates = [g for g in stub_world.GATES if g.measure in ("taught", "closed", "auc", "made")]
    asked = stub_world.settings(target=target, **(REAL if real else {}))
    if real:
        gates = [
            g if g.measure != "taught" else type(g)(*[*vars(g).values()][:4], 15.0, "%",
                                                    "validated", "e") for g in gates
        ]  # fmt: skip
        asked = type(asked)(**{**vars(asked), "limit": Amount(1e9, 1e6, 1e9)})
    outcome, _ = pipeline.run(
        asked, world, stub_world.PRICES,
        Provider(folder / "provider.sqlite", stub_world.PRICES.provider()),
        gates if real else stub_world.GATES,
        engine=Durable(folder / "steps.sqlite", "toy"), folder=folder, validation=100,
    )  # fmt: skip
    (folder / "spent.json").write_text(json.dumps(asdict(outcome.spent)))


def main() -> None:
    torch.set_num_threads(1)
    data.load("digits")
    # A life that goes on waits a random second for its turn; tests need no politeness.
    dbos._queue.random.uniform = lambda low, high: 0.02
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                live(Path(asked["folder"]), asked["kill"], asked["real"], asked["target"])
                status = 0
            except Problem as problem:
                (Path(asked["folder"]) / "problem.txt").write_text(str(problem))
                status = 2
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
