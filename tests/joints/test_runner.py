"""The strict runner: what it refuses, what a failure leaves behind, what a profile may say."""

from __future__ import annotations

import dataclasses
import errno
import json
import signal
import time

import pytest

from synthecon import Problem, notebooks, paths, plan, records, runner

NAME = "lesson-1-physics/toy"

VARIANT = "notebooks:\n  lesson-1-physics/toy:\n    big: "


def left_of(toy) -> list[str]:
    """Files below the output folder, without the lock."""
    files = (p for p in toy.out.rglob("*") if p.is_file() and p.name != ".lock")
    return sorted(p.relative_to(toy.out).as_posix() for p in files)


# ---- a good run


def test_a_run_leaves_a_record_and_a_clean_notebook(ran):
    assert left_of(ran) == [f"notebooks/cpu/{NAME}.ipynb", f"results/cpu/{NAME}.json"]
    record = records.read(ran.record)
    assert records.stale(record) == []
    executed = notebooks.read(runner.files(f"cpu/{NAME}")[0])
    original = notebooks.read(notebooks.path(NAME))
    for before, after in zip(original["cells"], executed["cells"], strict=True):
        assert after["id"] == before["id"]
        assert after["metadata"] == before["metadata"]  # no timings
        assert after["source"] == before["source"]
    assert executed["metadata"].keys() == {"kernelspec", "language_info"}
    assert executed["cells"][3]["outputs"][0]["data"]["text/plain"] == ["'holds'"]


def test_a_second_run_does_only_what_changed(ran, capsys):
    assert ran.run() == []
    assert "unchanged" in capsys.readouterr().out
    (job,) = plan.jobs()
    assert runner.fresh(job) is not None
    ran.edit("# Toy", "# A better title")
    assert runner.fresh(job) is not None
    assert runner.fresh(dataclasses.replace(job, given={"seed": 1})) is None
    ran.edit("claim.verdict", "claim.why")
    assert runner.fresh(job) is None
    ran.edit("claim.why", "claim.verdict")
    runner.files(job.id)[0].unlink()
    assert runner.fresh(job) is None


def test_a_broken_record_is_not_fresh(ran):
    ran.record.write_text(ran.record.read_text()[:100])
    assert runner.fresh(*plan.jobs()) is None


def test_a_profile_run_is_kept_apart_and_shows_its_parameters(toy):
    toy.profile("results: h200\n" + VARIANT + "{seed: 5, budgets: [1], rate: 1e-3}")
    assert toy.run(profile="gpu", given=("dataset=007", "fast=false")) == []
    name = f"gpu-rehearsal/{NAME}@big"
    record = records.read(toy.out / "results" / f"{name}.json")
    assert record.id == name
    assert record.profile == "gpu"
    assert not record.promotable
    assert record.parameters == {
        "seed": 5, "budgets": [1], "rate": 0.001, "dataset": "007", "fast": False,
    }  # fmt: skip
    cells = notebooks.read(runner.files(name)[0])["cells"]
    assert [cell["id"] for cell in cells[:3]] == ["title", "parameters", "injected-parameters"]


# ---- failures, all of them in one run


def test_failures_say_which_cell_and_keep_what_there_was(ran):
    good = {path: path.read_bytes() for path in (ran.record, runner.files(f"cpu/{NAME}")[0])}
    bad = {
        "toy": "y = 1 / 0",
        "stderr": "import sys\n_ = sys.stderr.write('careful')",
        "dead": "import os\n\nos._exit(3)",
        "changed": "pass",
        "silent": "run",
    }
    for short, cell in bad.items():
        name = f"lesson-1-physics/{short}"
        last = ran.FINISH if short != "silent" else "print('no record')"
        first = "seed = 7\n" if short == "changed" else ""
        ran.write(first + ran.opening(name), "\n# why\n" + cell, ran.MEASURE, last, name=name)
    began = time.monotonic()
    told = sorted(ran.run(workers=2))
    assert time.monotonic() - began < 60
    expected = [
        ("cpu/lesson-1-physics/changed", "a cell changed a parameter before records.begin"),
        ("cpu/lesson-1-physics/dead", "cell 4 (# why): the kernel died"),
        ("cpu/lesson-1-physics/silent", "finished without a record"),
        ("cpu/lesson-1-physics/stderr", "cell 4 (# why): wrote to stderr: careful"),
        ("cpu/lesson-1-physics/toy", "cell 4 (# why): ZeroDivisionError: division by zero"),
    ]
    for (name, why), line in zip(expected, told, strict=True):
        assert line.startswith(f"{name}: FAILED")
        assert why in line
    for path, before in good.items():
        assert path.read_bytes() == before
    kept = [file for file in left_of(ran) if file.startswith("failed/")]
    assert kept == [f"failed/{name}.ipynb" for name, _ in expected]
    assert "division by zero" in (ran.out / kept[-1]).read_text()
    assert len([file for file in left_of(ran) if file.startswith("results/")]) == 1


def test_a_full_disk_is_said_and_the_last_good_run_stays(ran, monkeypatch):
    before = ran.record.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(paths.os, "fsync", full)
    (told,) = ran.run(force=True)
    assert "the disk is full" in told
    assert ran.record.read_bytes() == before

    def no_room(*_: object, **__: object) -> None:
        full(0)

    monkeypatch.setattr(runner.papermill, "execute_notebook", no_room)
    (told,) = ran.run(force=True)
    assert "the disk is full" in told


def wait_for(path, process) -> None:
    for _ in range(600):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def test_ctrl_c_and_kill_leave_nothing_that_counts(toy):
    mark = toy.root / "mark"
    pause = f"import pathlib, time\n\npathlib.Path({str(mark)!r}).touch()\ntime.sleep(30)"
    toy.write(toy.opening(), toy.MEASURE, pause, toy.FINISH)
    for how, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        process = toy.start("run", "--no-book")
        wait_for(mark, process)
        process.send_signal(how)
        text, _ = process.communicate(timeout=90)
        assert process.returncode == code, text
        assert ("interrupted" in text) == (code == 130)
        assert "Traceback" not in text
        assert left_of(toy) == [f"failed/cpu/{NAME}.ipynb"]
        assert "'holds'" in (toy.out / "failed" / "cpu" / f"{NAME}.ipynb").read_text()
        mark.unlink()
    toy.good()
    assert toy.run() == []  # the lock died with its process
    assert left_of(toy) == [f"notebooks/cpu/{NAME}.ipynb", f"results/cpu/{NAME}.json"]


def test_one_run_an_output_folder(ran):
    with runner._locked(ran.out), pytest.raises(Problem, match="another run"):
        ran.run()


def test_an_output_folder_that_cannot_be(ran, monkeypatch):
    monkeypatch.setenv("SYNTHECON_OUT", str(ran.record / "below-a-file"))
    with pytest.raises(Problem, match="cannot write"):
        ran.run()


# ---- what is refused before anything runs


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("sed=1", "unknown parameter sed: did you mean seed?"),
        ("seed=x", "seed must be int, got 'x'"),
        ("seed=1.5", "seed must be int"),
        ("seed=true", "seed must be int"),
        ("rate=fast", "rate must be float"),
        ("rate=.nan", "rate must be float"),
        ("fast=1", "fast must be bool"),
        ("budgets=3", "budgets must be list"),
        ("budgets=[1, x]", "budgets must be list"),
        ("seed", "write key=value"),
        ("seed=[", "not YAML"),
    ],
)
def test_a_parameter_that_does_not_fit(toy, given, told):
    with pytest.raises(Problem) as problem:
        plan.jobs(given=[given])
    assert told in str(problem.value)


def test_parameters_that_fit(toy):
    (job,) = plan.jobs(given=["rate=1", "seed=-3", "dataset=yes", "budgets=[]"])
    assert job.given == {"rate": 1, "seed": -3, "dataset": "yes", "budgets": []}
    assert job.folder == "custom"


def test_a_parameter_that_would_be_swallowed(toy):
    toy.write(toy.opening(), parameters=None)
    with pytest.raises(Problem, match="no cell tagged 'parameters'"):
        plan.jobs(given=["seed=1"])
    toy.write(toy.opening(), "seed = 3")
    with pytest.raises(Problem, match="cell 4 of lesson-1-physics/toy assigns it again"):
        plan.jobs(given=["seed=1"])
    toy.write(toy.opening(), "seed = seed + 1\n%matplotlib inline", "seed = int(seed)")
    assert plan.jobs(given=["seed=1"])


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("seed: int = 'x'", "seed must be int"),
        ("seed: int = len('a')", "default of seed must be a literal"),
        ("import os", "'import os'"),
        ("seed: int = ", "not Python"),
        ("seed: complex = 1j", "cannot check the type complex"),
    ],
)
def test_a_parameters_cell_that_nobody_could_check(toy, cell, told):
    toy.write(toy.opening(), parameters=cell)
    with pytest.raises(Problem) as problem:
        plan.jobs(given=["seed=1"])
    assert told in str(problem.value)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int | None", [1, None], [1.5, "x"]),
        ("Literal['a', 'b']", ["a"], ["c", 1]),
        ("tuple[float, ...]", [[1, 2.5]], [["x"], 1]),
        ("list[str]", [[], ["x"]], [[1], "x"]),
        ("dict", [{}], [[]]),
        ("'int'", [1], ["1"]),
    ],
)
def test_types(kind, good, bad):
    parameter = notebooks.Parameter("p", kind, None)
    for value in good:
        parameter.check(value, "test")
    for value in bad:
        with pytest.raises(Problem, match="test: p must be"):
            parameter.check(value, "test")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "not YAML"),
        ("- a", "must be a mapping"),
        ("", "must be a mapping"),
        ("results: 1 2", "results must be a folder name"),
        ("results: cpu\n" + VARIANT + "{seed: 1}", "kept for other runs"),
        ("needs: tpu", "needs may only be cuda"),
        ("note: x", "unknown key note"),
        ("results: h200", "notebooks must be a mapping"),
        ("notebooks:\n  lesson-1-physics/toi: {a: {seed: 1}}", "did you mean lesson-1-physics/toy"),
        ("notebooks:\n  lesson-1-physics/toy: 3", "lesson-1-physics/toy must be a mapping"),
        (VARIANT + "3", "lesson-1-physics/toy: big must be a mapping"),
        (VARIANT + "{sed: 1}", "unknown parameter sed: did you mean seed"),
        (VARIANT + "{seed: x}", "big: seed must be int"),
        (VARIANT + "{seed: 1, seed: 2}", "seed stands twice"),
        (VARIANT.replace("big", "Big Data") + "{seed: 1}", "a variant is named"),
    ],
)
def test_a_wrong_profile_names_file_and_key(toy, text, told):
    path = toy.profile(text)
    with pytest.raises(Problem) as problem:
        plan.jobs(profile="gpu")
    assert str(path) in str(problem.value)
    assert told in str(problem.value)


def test_a_profile_that_is_not_there(toy):
    toy.profile(VARIANT + "{seed: 1}")
    with pytest.raises(Problem, match=r"gpy\.yaml: no such profile.*did you mean gpu"):
        plan.jobs(profile="gpy")
    with pytest.raises(Problem, match="no such profile"):
        plan.jobs(profile=str(toy.root / "mine.yaml"))


def test_a_cuda_profile_needs_cuda(toy, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    parameters = 'device: str = "cpu"\nseed: int = 0'
    toy.write(toy.opening(), parameters=parameters)
    toy.profile("needs: cuda\nresults: h200\n" + VARIANT + "{device: cuda}")
    with pytest.raises(Problem, match="-p device=cpu"):
        plan.jobs(profile="gpu")
    (job,) = plan.jobs(profile="gpu", given=["device=cpu"])
    assert job.folder == "gpu-rehearsal"
    toy.profile(VARIANT + "{seed: 1}")
    with pytest.raises(Problem, match="names no results folder"):
        plan.jobs(profile="gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA GeForce RTX 4090")
    assert plan.jobs(profile="gpu")[0].folder == "geforce-rtx-4090"


def test_choosing(toy):
    toy.good("lesson-2-economics/bill")
    toy.profile("results: h200\n" + VARIANT + "{seed: 1}\n    small: {seed: 2}")
    names = [job.id for job in plan.jobs()]
    assert names == ["cpu/lesson-1-physics/toy", "cpu/lesson-2-economics/bill"]
    assert [job.notebook for job in plan.jobs(["bill"])] == ["lesson-2-economics/bill"]
    assert len(plan.jobs(["toy"], "gpu")) == 2
    assert [job.id for job in plan.jobs(["toy@small"], "gpu")] == [f"h200/{NAME}@small"]
    with pytest.raises(Problem, match="unknown notebook bull: did you mean"):
        plan.jobs(["bull"])
    with pytest.raises(Problem, match="unknown notebook toy@large"):
        plan.jobs(["toy@large"], "gpu")


def test_outputs_are_only_put_on_the_same_code(ran):
    executed = notebooks.read(runner.files(f"cpu/{NAME}")[0])
    ran.edit("seed: int = 0", "seed: int = 1")
    with pytest.raises(Problem, match="other code cells"):
        runner.with_outputs(notebooks.read(notebooks.path(NAME)), executed)


def test_what_is_kept_of_a_widget_is_the_same_in_each_run(ran):
    executed = notebooks.read(runner.files(f"cpu/{NAME}")[0])
    shown = {runner.WIDGET: {"model_id": "random"}, "text/plain": ["Button()"]}
    last = [c for c in executed["cells"] if c["cell_type"] == "code"][-1]
    last["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": shown}]
    kept = runner.with_outputs(notebooks.read(notebooks.path(NAME)), executed)
    assert "Button()" in kept and "random" not in kept and "widget-view" not in kept


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"nbformat": 3, "cells": []})])
def test_a_file_that_is_no_notebook(toy, text):
    notebooks.path(NAME).write_text(text)
    with pytest.raises(Problem, match=r"toy\.ipynb is not a"):
        plan.jobs()
