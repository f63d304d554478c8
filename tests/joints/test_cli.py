"""The commands: refresh, verify, records, test, and their exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from synthecon import Problem, checks, cli, notebooks, paths, records, runner, upkeep

NAME = "lesson-1-physics/toy"

ID = f"cpu/{NAME}"


@pytest.fixture
def committed(ran):
    """A playbook whose run was promoted."""
    assert upkeep.refresh() == ([ID], [])
    return ran


def rewrite(path, **fields) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


# ---- refresh


def test_refresh_promotes_record_and_notebook(committed):
    assert records.load_all().keys() == {ID}
    notebook = notebooks.read(notebooks.path(NAME))
    assert notebook["cells"][3]["outputs"]
    before = notebooks.path(NAME).read_bytes()
    assert upkeep.refresh(["toy"]) == ([ID], [])
    assert notebooks.path(NAME).read_bytes() == before  # no diff without a change


def test_refresh_keeps_prose_that_was_edited_since_the_run(ran):
    ran.good(prose="A better sentence.")
    upkeep.refresh()
    text = notebooks.path(NAME).read_text()
    assert "A better sentence." in text
    assert "'holds'" in text


def test_refresh_refuses_a_stale_run(ran):
    ran.edit("seed: int = 0", "seed: int = 1")
    promoted, (why,) = upkeep.refresh()
    assert promoted == []
    assert "code cells changed" in why
    assert not paths.results().exists()


def test_refresh_refuses_a_dirty_run(ran):
    rewrite(ran.record, dirty=True)
    assert "not committed" in upkeep.refresh()[1][0]


def test_refresh_refuses_after_a_failed_run(ran):
    working = runner.files(ID)[2]
    paths.write_atomic(working, "{}")
    os.utime(working, (2e9, 2e9))
    assert "its last run failed" in upkeep.refresh()[1][0]


def test_refresh_refuses_a_run_with_parameters_of_its_own(ran):
    custom = ran.out / "results" / "custom" / f"{NAME}.json"
    paths.write_atomic(custom, ran.record.read_text())
    rewrite(custom, id=f"custom/{NAME}")
    assert upkeep.refresh() == ([ID], [])  # unnamed, it is not meant
    assert "parameters of its own" in upkeep.refresh([f"custom/{NAME}"])[1][0]


def test_refresh_refuses_a_notebook_that_is_too_large(ran, monkeypatch):
    monkeypatch.setattr(upkeep, "LARGEST", 100)
    assert "KB, over" in upkeep.refresh()[1][0]
    assert not paths.results().exists()


def test_refresh_of_a_profile_puts_both_beside_each_other(ran):
    ran.profile("results: h200\nnotebooks:\n  lesson-1-physics/toy:\n    big: {seed: 0}")
    name = f"h200/{NAME}@big"
    executed, record, _ = runner.files(name)
    paths.write_atomic(record, ran.record.read_text())
    rewrite(record, id=name, profile="gpu", variant="big")
    before = notebooks.path(NAME).read_bytes()
    assert "is missing" in upkeep.refresh([name])[1][0]
    paths.write_atomic(executed, runner.files(ID)[0].read_bytes())
    assert upkeep.refresh([name]) == ([name], [])
    assert (paths.results() / f"{name}.ipynb").exists()
    assert (paths.results() / f"{name}.json").exists()
    assert notebooks.path(NAME).read_bytes() == before


def test_refresh_without_a_run(toy):
    with pytest.raises(Problem, match="holds no run"):
        upkeep.refresh()


# ---- verify


def test_verify(committed):
    assert upkeep.verify() == []
    committed.good("lesson-1-physics/new")
    assert upkeep.verify() == [
        "cpu/lesson-1-physics/new: no committed record: run it, then refresh"
    ]
    notebooks.path("lesson-1-physics/new").unlink()
    committed.edit("seed: int = 0", "seed: int = 1")
    assert "code cells changed" in upkeep.verify()[0]


def test_verify_compares_with_the_last_run(committed):
    ran = json.loads(committed.record.read_text())
    first = ran["measurements"][0]
    claim = ran["claims"][0]

    def says(verdict: str, **bounds: float) -> None:
        rewrite(
            committed.record,
            measurements=[first | bounds, first | {"name": "other"}],
            claims=[
                claim | {"verdict": verdict, "tests": [claim["tests"][0] | {"verdict": verdict}]}
            ],
        )

    other = f"{ID}: the last run did not measure the same: ['other']"
    says("fails", value=-2.0, low=-3.0, high=-1.0)
    assert upkeep.verify() == [
        other,
        f"{ID}: claim it-works: 'holds', but the last run says 'fails'",
    ]
    assert upkeep.notes() == []
    says("undecided", low=0.0)  # near its limit: worth a note, and no defect
    assert upkeep.verify() == [other]
    assert upkeep.notes() == [f"{ID}: claim it-works: 'holds', and 'undecided' in the last run"]
    rewrite(committed.record, claims=[], measurements=[first])
    assert upkeep.verify() == [f"{ID}: claim it-works: not in the last run"]
    assert upkeep.notes() == []


def test_verify_refuses_a_typed_verdict(committed):
    path = paths.results() / f"{ID}.json"
    claims = json.loads(path.read_text())["claims"]
    rewrite(path, claims=[claims[0] | {"verdict": "fails"}])
    with pytest.raises(Problem, match="the intervals say 'holds'"):
        upkeep.verify()


# ---- the command line


COMMANDS = (
    "run", "records", "verify", "refresh", "book", "test", "data", "lab", "labs", "bench", "mutate",
)  # fmt: skip


def test_every_command_has_help_with_an_example(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit) as stop:
            cli.parser().parse_args([command, "--help"])
        assert stop.value.code == 0
        assert f"python -m synthecon {command}" in capsys.readouterr().out.split("example:")[1]


def test_run_skips_the_book_when_told(ran, capsys):
    assert cli.main(["run", "--no-book"]) == 0
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler  # a kill is a Ctrl-C
    assert "unchanged" in capsys.readouterr().out


def test_a_problem_is_one_message(toy, capsys):
    assert cli.main(["run", "toi"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: unknown notebook toi: did you mean")
    assert "Traceback" not in error


def test_a_failed_run_exits_with_1_and_builds_no_book(toy, monkeypatch, capsys):
    monkeypatch.setattr(runner, "run", lambda jobs, **_: ["cpu/x: FAILED"])
    assert cli.main(["run"]) == 1
    assert "1 of 1 failed" in capsys.readouterr().err


def test_records(committed, capsys):
    assert cli.main(["records"]) == 0
    assert capsys.readouterr().out == f"fresh  {ID}\n"
    assert cli.main(["records", "--stale"]) == 0
    assert "no stale record" in capsys.readouterr().out
    assert cli.main(["records", f"{ID}#gain"]) == 0
    assert "2 points [1, 3] at 95%, n = 10" in capsys.readouterr().out
    assert cli.main(["records", f"{ID}#gain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == 2
    assert cli.main(["records", ID]) == 0
    assert "#gain" in capsys.readouterr().out
    assert cli.main(["records", f"{ID}#gian"]) == 2
    assert "did you mean gain" in capsys.readouterr().err
    committed.edit("seed: int = 0", "seed: int = 1")
    assert cli.main(["records", "--json"]) == 0
    assert "code cells changed" in capsys.readouterr().out
    assert cli.main(["verify"]) == 1


def test_refresh_says_what_it_refused(ran, capsys):
    rewrite(ran.record, dirty=True)
    assert cli.main(["refresh"]) == 1
    assert "REFUSED" in capsys.readouterr().err


# ---- the whole check


def test_stages_run_on_after_a_failure(toy, monkeypatch, capfd):
    python = [sys.executable, "-c"]
    some = [checks.Stage("one", [*python, "raise SystemExit(1)"]), checks.Stage("two", ["true"])]
    monkeypatch.setattr(checks, "stages", lambda fast: iter(some))
    assert cli.main(["test"]) == 1
    out = capfd.readouterr().out
    assert "FAILED  one" in out
    assert "passed  two" in out


def test_notebooks_under_test_write_elsewhere(toy, monkeypatch, tmp_path):
    seen = {}

    def see(command, cwd, env):
        seen.update(env)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(checks.subprocess, "run", see)
    monkeypatch.setenv("SYNTHECON_PROFILE", "h200")
    assert checks._passes(checks.Stage("nbval-lax", ["true"]), tmp_path)
    assert seen["SYNTHECON_OUT"] == str(tmp_path)
    assert seen["OMP_NUM_THREADS"] == "1"
    assert "SYNTHECON_PROFILE" not in seen
    assert "SYNTHECON_DATA" not in seen  # not set, so not invented


def test_models_are_compared_strictly(toy):
    toy.good("lesson-2-economics/bill")
    commands = {stage.name: stage.command for stage in checks.stages(fast=False)}
    assert commands["nbval-lax"][-1].endswith("toy.ipynb")
    assert commands["nbval"][-1].endswith("bill.ipynb")
    assert "--nbval" in commands["nbval"]
    assert "nbval" not in {stage.name for stage in checks.stages(fast=True)}


def test_labs_are_part_of_the_check(labs, monkeypatch, tmp_path):
    commands = {stage.name: stage.command for stage in checks.stages(fast=False)}
    assert commands["labs derived"][-3:] == ["labs", "derive", "--check"]
    assert commands["labs proven"][-2:] == ["labs", "prove"]
    assert commands["nbval solutions"][-1] == str(labs.solution)
    assert "--nbval" in commands["nbval solutions"]
    fast = [stage.name for stage in checks.stages(fast=True)]
    assert "labs derived" in fast
    seen = {}

    def see(command, cwd, env):
        seen.update(env)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(checks.subprocess, "run", see)
    checks._passes(checks.Stage("nbval solutions", ["true"]), tmp_path)
    assert seen["SYNTHECON_LABS_STRICT"] == "1"


def test_the_number_of_compared_cells_may_not_shrink(committed, capsys):
    floors = committed.root / "tests" / "notebooks" / "compared.json"
    with pytest.raises(Problem, match=r"compared\.json"):
        checks.compared()
    paths.write_atomic(floors, json.dumps({NAME: 1}))
    assert checks.compared() == []
    assert f"{NAME}: 1 compared cells" in capsys.readouterr().out
    paths.write_atomic(floors, json.dumps({NAME: 2, "gone": 1}))
    assert [line.rpartition(": ")[2] for line in checks.compared()] == [
        "1 compared cells, the floor is 2",
        "no notebook gone",
    ]
    paths.write_atomic(floors, "{}")
    assert "has no floor" in checks.compared()[0]
    committed.good()  # stripped of its outputs
    paths.write_atomic(floors, json.dumps({NAME: 1}))
    assert "0 compared cells, the floor is 1" in checks.compared()[0]
