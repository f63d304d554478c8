"""The strict runner: Papermill, with everything that it lets pass made an error.

A run lives under failed/ of the output folder until it is good: what a failure, Ctrl-C, a kill or a
full disk leaves behind is there by construction, and the last good record and executed notebook are
replaced only by another good pair.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from synthecon import Problem, notebooks, paths, records
from synthecon.plan import Job

Cell = Mapping[str, Any]

# What a kernel is told of its job, and `records.begin` reads
GIVEN = ("SYNTHECON_PROFILE", "SYNTHECON_PROFILE_FILE", "SYNTHECON_VARIANT", "SYNTHECON_RECORD")
WIDGET = "application/vnd.jupyter.widget-view+json"


def files(record_id: str) -> tuple[Path, Path, Path]:
    """Executed notebook, record, and where a run works until it is good."""
    out = paths.out()
    return (
        out / "notebooks" / f"{record_id}.ipynb",
        records.record_path(record_id, out / "results"),
        out / "failed" / f"{record_id}.ipynb",
    )


def fresh(job: Job) -> records.RunRecord | None:
    """The record of an earlier run that still stands, if its executed notebook does too."""
    executed, record_file, _ = files(job.id)
    try:
        record = records.read(record_file)
        notebooks.read(executed)
    except Problem:
        return None
    return record if record.parameters == job.parameters() and not records.stale(record) else None


def run(jobs: Sequence[Job], *, workers: int = 2, force: bool = False) -> list[str]:
    """Run the jobs, `workers` at a time, skipping the fresh ones; returns what failed and why.

    Results do not depend on which jobs were fresh: threads a kernel depend on `workers` alone.

    Raises:
        Problem: another run uses the same output folder, which may not be written to.
        KeyboardInterrupt: after the kernels were stopped.
    """
    failures: list[str] = []
    with _locked(paths.out()):
        waiting = []
        for job in jobs:
            if not force and (record := fresh(job)):
                print(f"{job.id}: unchanged since a run of {record.seconds:.0f} s (--force reruns)")
            else:
                waiting.append(job)
        kernels: list[AsyncKernelManager] = []
        with ThreadPoolExecutor(max(1, workers)) as pool, _quiet_papermill():
            watches = [_Watch(job, row) for row, job in enumerate(waiting)]
            futures = {pool.submit(_execute, w, workers, kernels): w for w in watches}
            try:
                _follow(futures, failures)
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                while not all(future.done() for future in futures):
                    _kill(kernels)  # again and again: one may only be starting
                    wait(futures, timeout=0.2)
                raise
            finally:
                for watch in watches:
                    watch.bar.close()
    return failures


def _follow(futures: Mapping[Future, _Watch], failures: list[str]) -> None:
    """Keep the bars ticking and say how each job ended, as it ends."""
    left = set(futures)
    while left:
        done, left = wait(left, timeout=0.5, return_when="FIRST_COMPLETED")
        for future in done:
            job = futures[future].job
            try:
                message = f"{job.id}: done in {future.result():.0f} s"
            except Exception as error:  # of any kind: the other notebooks go on
                what = "" if isinstance(error, Problem) else f"{type(error).__name__}: "
                message = f"{job.id}: FAILED: {what}{error}"
                failures.append(message)
            futures[future].bar.close()
            tqdm.write(message)
        for future in left:
            futures[future].bar.refresh()


class _Stderr(Exception):
    """A cell wrote to stderr."""


class _Watch:
    """Follows one notebook: its bar, and the cell that it is in."""

    def __init__(self, job: Job, row: int) -> None:
        self.job, self.number, self.source = job, 0, ""
        cells = notebooks.read(notebooks.path(job.notebook))["cells"]
        self.bar = tqdm(
            desc=job.id,
            total=sum(cell["cell_type"] == "code" for cell in cells) + bool(job.given),
            position=row,
            unit="cell",
            bar_format="{desc:<48} {bar:20} {n_fmt}/{total_fmt} cells  {elapsed}",
            disable=not sys.stderr.isatty(),
        )

    def started(self, cell: Cell, **_: Any) -> None:
        self.number += "injected-parameters" not in notebooks.tags(cell)
        self.source = notebooks.source(cell)

    def executed(self, cell: Cell, execute_reply: Mapping[str, Any], **_: Any) -> None:
        self.bar.update(execute_reply["content"]["status"] == "ok")
        for output in cell["outputs"]:
            if output["output_type"] == "stream" and output["name"] == "stderr":
                raise _Stderr(output["text"].strip()[-300:])

    def where(self) -> str:
        lines = [line for line in self.source.splitlines() if line.strip()]
        return f"cell {self.number} ({lines[0].strip()})" if lines else f"cell {self.number}"


def _execute(watch: _Watch, workers: int, kernels: list[AsyncKernelManager]) -> float:
    """Run one job in a kernel of this very interpreter; seconds that it took."""
    job, began = watch.job, time.perf_counter()
    if not watch.bar.disable:
        watch.bar.reset()
    else:
        # One write: two notebooks start at once, and their lines must not mix.
        print(f"{job.id}: running\n", end="", flush=True)
    executed, record_file, working = files(job.id)
    staged = working.with_suffix(".json")
    original = notebooks.read(notebooks.path(job.notebook))
    try:
        working.parent.mkdir(parents=True, exist_ok=True)
        staged.unlink(missing_ok=True)
        notebook = papermill.execute_notebook(
            nbformat.from_dict(copy.deepcopy(original)),
            _unbraced(working),
            dict(job.given),
            kernel_name="python3",
            language="python",
            progress_bar=False,
            # Papermill's own cwd would move this whole process, and the notebook beside it.
            resources={"metadata": {"path": str(notebooks.path(job.notebook).parent)}},
            kernel_manager_class=_kernel_class(_environment(job, staged, workers), kernels),
            on_cell_start=watch.started,
            on_cell_executed=watch.executed,
            coalesce_streams=True,
            iopub_timeout=60,
        )
        if not staged.exists():
            raise Problem("it finished without a record: its last cell must call run.finish()")
        record = records.read(staged)
        _agrees(record, job, original)
        paths.write_atomic(executed, with_outputs(original, notebook))
        paths.write_atomic(record_file, record.to_json())
        working.unlink()
    except PapermillExecutionError as error:
        raise _failure(watch, f"{error.ename}: {error.evalue}", working) from None
    except _Stderr as error:
        raise _failure(watch, f"wrote to stderr: {error}", working) from None
    except DeadKernelError:
        raise _failure(watch, "the kernel died (out of memory, or killed)", working) from None
    except OSError as error:
        raise Problem(paths.write_failure(working, error)) from error
    finally:
        staged.unlink(missing_ok=True)
    return time.perf_counter() - began


def _failure(watch: _Watch, what: str, working: Path) -> Problem:
    return Problem(f"{watch.where()}: {what}\n  as far as it came: {working}")


def _agrees(record: records.RunRecord, job: Job, original: notebooks.Notebook) -> None:
    """Refuse a record that is not of this run."""
    if record.id != job.id:
        raise Problem(f"its record is {record.id}: begin must be given {job.notebook!r}")
    if record.code != notebooks.code_hash(original):
        raise Problem("the notebook was edited while it ran: run it again")
    if record.parameters != job.parameters():
        raise Problem("a cell changed a parameter before records.begin: begin must come first")


def with_outputs(original: notebooks.Notebook, executed: notebooks.Notebook) -> str:
    """The original with the outputs of a run of the same code, and nothing else of that run.

    No timings, tool metadata, kernel versions or views of widgets, whose ids are random: a refresh
    shows what changed and no more. Injected parameters, if any, are kept as a cell of their own.

    Raises:
        Problem: the code cells differ.
    """
    if notebooks.code(original) != notebooks.code(executed):
        raise Problem("the executed notebook has other code cells: run it again")
    result = copy.deepcopy(dict(original))
    result["metadata"] = {k: v for k, v in result["metadata"].items() if k != "papermill"}
    result["metadata"] |= {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    ran = [cell for cell in executed["cells"] if cell["cell_type"] == "code"]
    injected = [cell for cell in ran if "injected-parameters" in notebooks.tags(cell)]
    ours = iter(cell for cell in ran if cell not in injected)
    cells = []
    for cell in result["cells"]:
        if cell["cell_type"] == "code":
            after = next(ours)
            cell |= {"outputs": after["outputs"], "execution_count": after["execution_count"]}
        cells.append(cell)
        if "parameters" in notebooks.tags(cell):
            cells += [
                {**one, "id": "injected-parameters", "metadata": {"tags": ["injected-parameters"]}}
                for one in injected
            ]
    result["cells"] = cells
    # Through JSON: Papermill's nodes are not plain dictionaries.
    plain = json.loads(json.dumps(result))
    for output in (o for cell in plain["cells"] for o in cell.get("outputs", [])):
        output.get("data", {}).pop(WIDGET, None)
    return nbformat.writes(nbformat.from_dict(plain)) + "\n"


def _environment(job: Job, staged: Path, workers: int) -> dict[str, str]:
    """What the kernel is told on top of this process's environment."""
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        "SYNTHECON_HOME": str(paths.root()),
        "SYNTHECON_OUT": str(paths.out()),
        **dict(zip(GIVEN, (job.folder, job.profile, job.variant, str(staged)), strict=True)),
        "PYTHONHASHSEED": "0",
        **(dict.fromkeys(threads, "1") if workers > 1 else {}),
        **({"CUDA_VISIBLE_DEVICES": ""} if job.folder == "cpu" else {}),
    }


def _kernel_class(
    environment: Mapping[str, str], started: list[AsyncKernelManager]
) -> type[AsyncKernelManager]:
    """Kernels of this interpreter, whatever kernelspecs are installed; `started` collects them."""
    command = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "--log-level=50"]
    spec = KernelSpec(
        argv=[*command, "-f", "{connection_file}"],
        display_name="Python 3",
        language="python",
        env={key: value.replace("$", "$$") for key, value in environment.items()},
    )

    class Kernel(AsyncKernelManager):
        kernel_spec = spec

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            started.append(self)

    return Kernel


def _kill(kernels: Sequence[AsyncKernelManager]) -> None:
    """Stop kernels at once, with what they started: their notebooks then end as failed."""
    for kernel in kernels:
        process = getattr(kernel.provisioner, "process", None)
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _unbraced(path: Path) -> str:
    """Papermill formats paths: braces in a folder's name must be doubled."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextlib.contextmanager
def _quiet_papermill() -> Iterator[None]:
    """Its log says again, less clearly, what the runner reports."""
    log = logging.getLogger("papermill")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """One run an output folder; the lock dies with its process."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / ".lock").open("w")
    except OSError as error:
        raise Problem(paths.write_failure(out, error)) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Problem(
                f"another run writes to {out}: wait for it, or name another folder with "
                "SYNTHECON_OUT"
            ) from None
        yield
