"""The GPU profile, rehearsed on a CPU: the same code on a few hundred images of the real data."""

from __future__ import annotations

import pytest

from synthecon import checks, cli, notebooks, records
from synthecon.physics import data, text

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
    "lesson-1-physics/noise": {
        "limit": 700,
        "pool": 400,
        "test": 60,
        "sigmas": [0.3],
        "epsilons": [0.0, 0.1],
        "sizes": [50],
        "repeats": [1],
        "inits": 1,
        "size_steps": 3,
        "streams": 2,
        "stream_splits": 2,
        "network": "cnn-2",
        "attack_steps": 2,
        "train_attack_steps": 1,
        "rounds": 2,
        "race_steps": 1,
    },
    "lesson-1-physics/serving-cost": {
        "limit": 1700,
        "pool": 400,
        "teacher_floor": 0.0,
        "rounds": 2,
    },
    "lesson-1-physics/privacy": {
        "limit": 700,
        "pipelines": 4,
        "candidates": 200,
        "synthetic": 60,
        "teacher": "cnn-4",
        "private_steps": 3,
        "epsilons": [2.0],
    },
    "lesson-1-physics/bridging": {
        "limit": 700,
        "source": 200,
        "pool": 150,
        "alike": ["contrast"],
        "own_way": ["rotate"],
        "bought": [10, 30],
        "synthetic": 40,
        "student": "cnn-2",
    },
    "lesson-1-physics/synthetic-worth": {
        "limit": 700,
        "pool": 400,
        "draws": 1,
        "reals": [20, 100, 400],
        "synthetics": [0, 20, 40],
        "few": 20,
        "many": 100,
        "amount": 20,
        "generator_steps": 3,
        "student": "cnn-2",
        "large": "cnn-2",
        "large_steps": 3,
        "large_batch": 16,
        "large_splits": 2,
        "large_draws": 1,
        "per_class": 20,
        "dimensions": 8,
        "generations": 3,
        "watched": [0, 1, 3],
        "chains": 1,
        "recursive_steps": 3,
    },
    "lesson-1-physics/shift": {
        "limit": 1400,
        "pool": 400,
        "network": "mlp-16",
        "steps": 200,
        "reference": 30,
        "sizes": [10, 20],
        "few": 10,
        "many": 20,
        "quiet": 3,
        "trials": 1,
        "permutations": 9,
        "validation": 80,
        "weeks": 6,
        "weekly": 10,
        "streams": 2,
        "changes": [0, 1],
        "usual": 1,
    },
    "vault/autopilot": {
        "limit": 700,
        "provider": 200,
        "pool": 200,
        "labels": 50,
        "test": 60,
        "teacher": "cnn-2",
        "students": ["cnn-2"],
        "amounts": [20, 40],
        "looks": [1, 2],
        "inits": 1,
        "crowd": 4,
        "share": 0.9,
    },
    "lesson-1-physics/language-model": {
        "limit": 60000,
        "splits": 2,
        "inits": 1,
        "validation": 0.1,
        "test": 0.3,
        "teacher": "transformer-31-32-1",
        "teacher_rate": 0.02,
        "student": "transformer-31-8-1",
        "lead": 16,
        "span": 16,
        "teacher_steps": 12,
        "base_steps": 1,
        "library": 6,
        "pages": 40,
        "prompts": 4,
        "continuation": 16,
        "cooler": [0.8],
        "streams": 4,
        "rounds": 2,
    },
}
TEXT = "lesson-1-physics/language-model"  # reads the text that comes with Python, no images
COMMON = {"device": "cpu", "splits": 2, "validation": 100, "teacher_steps": 3, "steps": 3}
COMMON |= {"batch": 16, "teacher_batch": 16}


def test_every_notebook_has_a_gpu_experiment_on_both_real_data_sets():
    profile = notebooks.load_profile("gpu")
    for name in filter(checks.is_experiment, notebooks.names()):
        image_sets, networks = {"fashion-mnist", "cifar10"}, {"transformer", "transformer-large"}
        assert set(profile.notebooks[name]) == (networks if name == TEXT else image_sets)
        for parameters in profile.notebooks[name].values():
            assert parameters["device"] == "cuda" and "limit" not in parameters


@pytest.mark.parametrize(
    "name, variant",
    [
        ("lesson-1-physics/distillation", "cifar10"),
        ("lesson-1-physics/serving-cost", "fashion-mnist"),
        ("lesson-1-physics/noise", "fashion-mnist"),
        ("lesson-1-physics/privacy", "fashion-mnist"),
        ("lesson-1-physics/shift", "fashion-mnist"),
        ("lesson-1-physics/bridging", "fashion-mnist"),
        ("lesson-1-physics/synthetic-worth", "fashion-mnist"),
        ("lesson-1-physics/language-model", "transformer"),
        ("vault/autopilot", "fashion-mnist"),
    ],
)
def test_the_gpu_path_runs_on_a_few_hundred_images(name, variant, tmp_path, monkeypatch):
    try:
        missing = name != TEXT and data.fingerprint(variant) is None
    except data.DataError as error:
        pytest.fail(str(error))
    if missing:
        pytest.skip(f"{variant} is not at hand: set SYNTHECON_DATA, or fetch it once")
    monkeypatch.setenv("SYNTHECON_OUT", str(tmp_path))
    has = notebooks.parameters(notebooks.read(notebooks.path(name)), name)
    common = {key: value for key, value in COMMON.items() if key in has}
    given = [f"{key}={value}" for key, value in (common | SHORT[name]).items()]
    options = [part for one in given for part in ("-p", one)]
    code = cli.main(
        ["run", f"{name}@{variant}", "--profile", "gpu", "--no-book", "--jobs", "1", *options]
    )
    assert not code
    (record,) = records.load_all(tmp_path / "results").values()
    assert record.id == f"gpu-rehearsal/{name}@{variant}"  # never among the real GPU records
    used = text.load(1).name if name == TEXT else variant
    assert record.data[0]["name"] == used and record.parameters["limit"]
    assert {c.verdict for c in record.claims} <= {"holds", "fails", "undecided", "in part"}
