"""Two ways to run a flow of steps: in memory, or so that a killed run goes on where it was.

A flow is a function that calls `step(name, work)` again and again; it may loop as long as it likes,
but what it does next must follow from the results so far.

DBOS was chosen by measurement: it adds the fewest packages to our pins, and after a kill it goes on
behind the last finished step in the same process, with no server and no network.  2026-11-22,
Python 3.11, two busy cores; a step that does nothing:

    DBOS 3.4.0         4 packages more, import 0.8 s, 5 ms a step, resumes, loops as it likes
    Metaflow 2.19.39   5 packages, 0.7 s, 1.5 s a step (a process each), resumes, loops
    Dagster 1.13.29   25 packages, 1.5 s, 0.2 to 0.4 s a step; a killed run ran again from its start
    DVC 3.67.1        68 packages, 0.4 s, 0.3 s a stage; stages are named beforehand: no open loop
    Prefect 3.8.8     68 packages, not installable beside our pins; alone it did not import
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from synthecon import Problem

Result = dict[str, Any]
Step = Callable[[str, Callable[[], Result]], Result]
"""(unique name, work) -> what the work returned, now or in an earlier life of this run."""
Flow = Callable[[Step], Result]

KILL_AT = "SYNTHECON_KILL_AT"


def reach(point: str) -> None:
    """A named point of a run.  A test that sets SYNTHECON_KILL_AT to its name ends the process
    there, as a power cut would."""
    if os.environ.get(KILL_AT) == point:
        os.kill(os.getpid(), signal.SIGKILL)


class Engine(Protocol):
    """Runs a flow to its end and returns what it returns."""

    def run(self, flow: Flow) -> Result: ...


class Memory:
    """Runs a flow once and forgets it."""

    def run(self, flow: Flow) -> Result:
        return flow(lambda _, work: work())


class _HaltError(BaseException):
    """Leaves a workflow without DBOS writing the error down: the run stays one to go on with."""


class Durable:
    """Keeps each step's result in an SQLite file; a new process goes on after the last of them.

    A step that was killed half-way runs again from its beginning, so whatever it does outside must
    bear being done twice: files appear whole, and orders carry a key.  One process at a time.
    No server, no network and no telemetry: DBOS talks to the file alone.
    """

    def __init__(self, store: Path, name: str) -> None:
        self.store, self.name = store, name

    def run(self, flow: Flow) -> Result:
        """The result of the flow, begun or continued.

        Raises:
            Problem: the store is damaged, or not one of this version's.
            whatever a step or the flow raised: the run may be resumed all the same.
        """
        from dbos import DBOS, SetWorkflowID

        self._sound()
        outcome: Future[Result] = Future()
        waiting: dict[str, Callable[[], Result]] = {}

        def halted(work: Callable[[], Result]) -> Result:
            try:
                return work()
            except _HaltError:
                raise
            except BaseException as error:
                if not outcome.done():
                    outcome.set_exception(error)
                raise _HaltError from None

        DBOS(
            config={
                "name": "synthecon",
                "system_database_url": f"sqlite:///{self.store}",
                "application_version": "1",  # not a hash of the code: the log of decisions tells
                "executor_id": "here",
                "log_level": "CRITICAL",
                "enable_otlp": False,
            }
        )

        @DBOS.step(name="step")
        def perform(name: str) -> Result:
            return halted(waiting.pop(name))

        @DBOS.workflow(name="flow", max_recovery_attempts=1_000_000)
        def workflow() -> Result:
            def step(name: str, work: Callable[[], Result]) -> Result:
                waiting[name] = work
                return perform(name)

            found = halted(lambda: flow(step))
            outcome.set_result(found)
            return found

        try:
            DBOS.launch()  # what is pending begins again by itself
            status = DBOS.get_workflow_status(self.name)
            if status is None:
                with SetWorkflowID(self.name):
                    DBOS.start_workflow(workflow)
            elif status.status == "SUCCESS":
                # Finished, and perhaps killed before anybody was told: go through it once more.
                kept = iter(DBOS.list_workflow_steps(self.name))
                return flow(lambda name, work: next(kept)["output"])
            elif status.status not in ("PENDING", "ENQUEUED"):
                raise Problem(f"{self.store}: the run is {status.status}: begin a new one")
            return outcome.result()
        except KeyboardInterrupt:
            # The flow runs in a thread that nothing stops; a kill is what resuming is made for.
            print("interrupted: resume it with --resume", flush=True)
            os._exit(130)
        finally:
            DBOS.destroy(destroy_registry=True)

    def _sound(self) -> None:
        """Refuse a damaged store before DBOS, which answers with a traceback, opens it."""
        if not self.store.exists():
            return
        try:
            with closing(sqlite3.connect(self.store)) as db:
                found = db.execute("pragma quick_check").fetchone()[0]
        except sqlite3.Error as error:
            found = error
        if found != "ok":
            raise Problem(
                f"{self.store}: the finished steps cannot be read: {found}; "
                "put the file back as it was, or start a new run"
            )
