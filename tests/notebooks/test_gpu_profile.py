"""The GPU profile, rehearsed on a CPU: the same code on a few hundred images of the real data."""

from __future__ import annotations

import pytest

from synthecon import cli, notebooks, records
from synthecon.physics import data

SHORT = {
    "lesson-1-physics/distillation": {
        "limit": 700,
        "pool": 400,
        "budgets": [100, 400],
        "focus": 100,
        "spatial_steps": 3,
        "synthetic": 40,
        "generator_steps": 2,
        "sizes": ["cnn-2"],
    },
    "lesson-1-physics/serving-cost": {
        "limit": 1700,
        "pool": 400,
        "teacher_floor": 0.0,
        "rounds": 2,
    },
}
COMMON = {"device": "cpu", "splits": 2, "validation": 100, "teacher_steps": 3, "steps": 3}
COMMON |= {"batch": 16, "teacher_batch": 16}


def test_every_notebook_has_a_gpu_experiment_on_both_real_data_sets():
    profile = notebooks.load_profile("gpu")
    for name in notebooks.names():
        assert set(profile.notebooks[name]) == {"fashion-mnist", "cifar10"}
        for parameters in profile.notebooks[name].values():
            assert parameters["device"] == "cuda" and "limit" not in parameters


@pytest.mark.parametrize(
    "name, variant",
    [
        ("lesson-1-physics/distillation", "cifar10"),
        ("lesson-1-physics/serving-cost", "fashion-mnist"),
    ],
)
def test_the_gpu_path_runs_on_a_few_hundred_images(name, variant, tmp_path, monkeypatch):
    try:
        missing = data.fingerprint(variant) is None
    except data.DataError as error:
        pytest.fail(str(error))
    if missing:
        pytest.skip(f"{variant} is not at hand: set SYNTHECON_DATA, or fetch it once")
    monkeypatch.setenv("SYNTHECON_OUT", str(tmp_path))
    given = [f"{key}={value}" for key, value in (COMMON | SHORT[name]).items()]
    options = [part for one in given for part in ("-p", one)]
    code = cli.main(
        ["run", f"{name}@{variant}", "--profile", "gpu", "--no-book", "--jobs", "1", *options]
    )
    assert not code
    (record,) = records.load_all(tmp_path / "results").values()
    assert record.id == f"gpu-rehearsal/{name}@{variant}"  # never among the real GPU records
    assert record.data[0]["name"] == variant and record.parameters["limit"]
    assert {c.verdict for c in record.claims} <= {"holds", "fails", "undecided", "in part"}
