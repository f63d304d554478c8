"""Records: what is refused, what is written, and when one is stale."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from synthecon import Problem, notebooks, paths, provenance, records, stats
from synthecon.records import RunRecord

GAIN = {"unit": "points", "n": 10, "interval": (1.0, 3.0), "level": 0.95}
ABOVE = [stats.Test("toy", "gain", "above", 0.5)]


def finished(toy) -> dict:
    """The JSON of a run with one measurement and one claim."""
    run = toy.begin()
    run.measure("gain", "Gain", 2.0, **GAIN)
    run.claim("it-works", text="It works.", source="Lesson 1", tests=ABOVE)
    return json.loads(run.finish(seeds=range(3)).read_text())


def test_round_trip(toy):
    finished(toy)
    text = toy.record.read_text()
    back = records.read(toy.record)
    assert back.to_json() == text
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert back.seeds == (0, 1, 2)
    assert back.claims[0].verdict == "holds"
    assert back.claims[0].tests[0].verdict == "holds"
    assert back.folder == "cpu"
    assert back.promotable
    assert back.commit is None
    found, gain = records.find(f"cpu/{back.notebook}#gain", toy.out / "results")
    assert found == back
    assert gain.value == 2.0
    assert records.load_all(toy.out / "results") == {back.id: back}
    assert {"synthecon", "synthecon.records", "synthecon.stats"} <= back.modules.keys()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda r: r.pop("seeds"), "seeds"),
        (lambda r: r.update(colour="red"), "colour"),
        (lambda r: r.update(start="yesterday"), "start"),
        (lambda r: r.update(code="abc"), "code"),
        (lambda r: r.update(variant="b"), "id"),
        (lambda r: r["energy"].update(level="guessed"), "energy.level"),
        (lambda r: r["modules"].update({"synthecon.x": "1"}), "modules.synthecon.x"),
        (lambda r: r["measurements"][0].update(value="2"), "measurements[gain].value"),
        (lambda r: r["measurements"][0].update(value=4.0), "measurements[gain]"),
        (lambda r: r["measurements"][0].update(level=None), "measurements[gain]"),
        (lambda r: r["measurements"][0].update(low=None), "measurements[gain]"),
        (lambda r: r["measurements"].append(r["measurements"][0]), "measurements[gain]"),
        (lambda r: r["claims"].append(r["claims"][0]), "claims[it-works]"),
        (lambda r: r["claims"][0].update(verdict="fails"), "claims[it-works].verdict"),
        (lambda r: r["claims"][0]["tests"][0].update(verdict="fails"), "claims[it-works].verdict"),
        (lambda r: r["claims"][0]["tests"][0].update(measurement="x"), "claims[it-works]"),
        (lambda r: r["claims"][0]["tests"][0].update(smallest_effect=2), "claims[it-works]"),
        (lambda r: r["claims"][0].update(tests=[]), "claims[it-works].tests"),
    ],
)
def test_reading_refuses_and_names_file_and_field(toy, change, field):
    content = finished(toy)
    change(content)
    toy.record.write_text(json.dumps(content))
    with pytest.raises(Problem) as told:
        records.read(toy.record)
    assert str(toy.record) in str(told.value)
    assert field in str(told.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seconds": NaN}'])
def test_reading_refuses_what_is_no_record(toy, text):
    toy.record.parent.mkdir(parents=True)
    toy.record.write_text(text)
    with pytest.raises(Problem, match=r"toy\.json"):
        records.read(toy.record)


def test_a_record_in_another_place_is_refused(toy):
    finished(toy)
    toy.record.rename(toy.record.with_name("other.json"))
    with pytest.raises(Problem, match=r"other\.json.*belongs elsewhere"):
        records.load_all(toy.out / "results")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan"), "much", None])
def test_only_finite_numbers_are_measured(toy, value):
    run = toy.begin()
    with pytest.raises(Problem, match="gain"):
        run.measure("gain", "Gain", value, unit="points")
    with pytest.raises(Problem, match="nothing"):
        run.finish()


def test_measuring_refuses(toy):
    run = toy.begin()
    run.measure("gain", "Gain", 2.0, **GAIN)
    with pytest.raises(Problem, match="stands 2 times"):
        run.measure("gain", "Gain again", 2.0, unit="points")
    with pytest.raises(Problem, match="outside"):
        run.measure("other", "Other", 5.0, **GAIN)
    with pytest.raises(Problem, match="level and n"):
        run.measure("other", "Other", 2.0, unit="points", interval=(1.0, 3.0))
    with pytest.raises(Problem, match=r"measurements\[Other\]\.name"):
        run.measure("Other", "Other", 2.0, unit="points")
    assert len(json.loads(run.finish().read_text())["measurements"]) == 1
    with pytest.raises(Problem, match="finished"):
        run.measure("late", "Late", 1.0, unit="points")
    with pytest.raises(Problem, match="finished"):
        run.finish()


def test_claims_come_from_recorded_intervals(toy):
    run = toy.begin()
    run.measure("gain", "Gain", 2.0, **GAIN)
    run.measure("count", "Count", 7, unit="images")
    words = {"text": "It works.", "source": "Lesson 1"}
    with pytest.raises(Problem, match="did you mean gain"):
        run.claim("a", tests=[stats.Test("toy", "gian", "above", 0.5)], **words)
    with pytest.raises(Problem, match=r"no interval.*count"):
        run.claim("a", tests=[stats.Test("toy", "count", "above", 0.5)], **words)
    with pytest.raises(Problem, match="at least one test"):
        run.claim("a", tests=[], **words)
    both = [*ABOVE, stats.Test("dear", "gain", "below", 0.5)]
    claim = run.claim("a", tests=both, **words)
    assert claim.verdict == "in part"
    assert claim.why.startswith("toy: holds (1 to 3 points, wanted above 0.5); dear: fails (")


def test_a_verdict_survives_rounding(toy):
    """Judged are the recorded 12 digits, or reading would recompute another verdict."""
    run = toy.begin()
    edge = {**GAIN, "interval": (0.5 + 1e-14, 3.0)}
    run.measure("gain", "Gain", 2.0, **edge)
    assert run.claim("a", text="It.", source="L", tests=ABOVE).verdict == "undecided"
    records.read(run.finish())


def test_intervals_and_numpy_numbers(toy):
    run = toy.begin()
    m = run.measure_interval("gain", "Gain", stats.paired([1.0, 2.0, 4.0]), unit="points")
    assert (m.n, m.level, m.method) == (3, 0.95, "paired t")
    m = run.measure("n", "n", np.float32(0.1), unit="1", n=np.int64(3))
    assert (m.value, m.n) == (0.10000000149, 3)
    records.read(run.finish(seeds=np.arange(2)))


def test_data_is_recorded_once(toy, monkeypatch):
    run = toy.begin()
    run.measure("gain", "Gain", 2.0, **GAIN)
    for _ in range(2):
        run.used(SimpleNamespace(name="digits", source="scikit-learn", sha256="a" * 64))
    back = records.read(run.finish())
    assert [d["name"] for d in back.data] == ["digits"]

    def fingerprint(answer):
        module = SimpleNamespace(fingerprint=answer)
        monkeypatch.setitem(sys.modules, "synthecon.physics.data", module)
        monkeypatch.setattr("synthecon.physics.data", module, raising=False)

    fingerprint(lambda name: "a" * 64)
    assert records.stale(back) == []
    fingerprint(lambda name: None)
    assert records.stale(back) == []  # not at hand
    fingerprint(lambda name: "b" * 64)
    assert records.stale(back) == ["data digits changed"]

    def broken(name):
        raise OSError("truncated")

    fingerprint(broken)
    assert records.stale(back) == ["data digits: truncated"]


def test_stale_code_and_parameters(toy, monkeypatch):
    back = RunRecord.from_json(json.dumps(finished(toy)))
    assert records.stale(back) == []
    toy.good(prose="More prose.")
    assert records.stale(back) == []  # prose is not code
    toy.edit("seed: int = 0", "seed: int = 1")
    assert records.stale(back) == [
        "the notebook's code cells changed",
        "parameter seed changed: ran with 0, now 1",
    ]
    toy.good()
    hashes = provenance.module_hash
    monkeypatch.setattr(provenance, "module_hash", lambda n: "x" if "stats" in n else hashes(n))
    assert records.stale(back) == ["module synthecon.stats changed"]
    monkeypatch.setattr(provenance, "module_hash", lambda n: None if "stats" in n else hashes(n))
    assert records.stale(back) == ["module synthecon.stats is gone"]
    monkeypatch.undo()
    monkeypatch.setenv("SYNTHECON_HOME", str(toy.root))
    notebooks.path(back.notebook).unlink()
    assert "no such notebook" in records.stale(back)[0]


def test_stale_profile(toy, monkeypatch):
    text = "notebooks:\n  lesson-1-physics/toy:\n    big: {seed: 5}\n"
    toy.profile(text)
    for key, value in (("", "h200"), ("_FILE", "gpu")):
        monkeypatch.setenv(f"SYNTHECON_PROFILE{key}", value)
    monkeypatch.setenv("SYNTHECON_VARIANT", "big")
    run = toy.begin(seed=5)
    run.measure("gain", "Gain", 2.0, **GAIN)
    back = records.read(run.finish())
    assert back.id == "h200/lesson-1-physics/toy@big"
    assert records.stale(back) == []
    toy.profile(text.replace("5", "6"))
    assert records.stale(back) == ["parameter seed changed: ran with 5, now 6"]
    toy.profile(text.replace("big", "huge"))
    assert "no longer has" in records.stale(back)[0]


def test_by_hand_only_defaults_are_the_cpu_run(toy):
    run = toy.begin(seed=1)
    run.measure("gain", "Gain", 2.0, **GAIN)
    assert run.finish() == toy.out / "results" / "custom" / "lesson-1-physics" / "toy.json"


def test_begin_refuses(toy):
    with pytest.raises(Problem, match="no such notebook"):
        records.begin("lesson-1-physics/none", {})
    with pytest.raises(Problem, match="run the parameters cell first: seed"):
        records.begin("lesson-1-physics/toy", {})
    with pytest.raises(Problem, match="does not fit into JSON"):
        toy.begin(rate=float("nan"))
    with pytest.raises(Problem, match="does not fit into JSON"):
        toy.begin(seed=object())


def test_a_full_disk_leaves_the_old_file(toy, monkeypatch):
    finished(toy)
    before = toy.record.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(paths.os, "fsync", full)
    with pytest.raises(Problem, match="the disk is full"):
        finished(toy)
    assert toy.record.read_bytes() == before
    assert [p.name for p in toy.record.parent.iterdir()] == ["toy.json"]


def test_a_file_is_replaced_not_written_over(tmp_path):
    path, reader = tmp_path / "record.json", tmp_path / "reader"
    paths.write_atomic(path, "old")
    os.link(path, reader)  # stands for a reader that has the old file open
    paths.write_atomic(path, "new")
    assert (path.read_text(), reader.read_text()) == ("new", "old")


def test_root_must_be_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHECON_HOME", str(tmp_path))
    with pytest.raises(Problem, match="SYNTHECON_HOME"):
        paths.root()


def test_commit_and_dirt(toy):
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=toy.root, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "toy")
    assert len(finished(toy)["commit"]) == 40
    assert not finished(toy)["dirty"]
    toy.good(prose="More prose.")  # neither prose nor outputs nor records make a run dirty
    assert not finished(toy)["dirty"]
    (toy.root / "src").mkdir()
    (toy.root / "src" / "new.py").touch()
    assert finished(toy)["dirty"]
    os.remove(toy.root / "src" / "new.py")
    toy.write("x = 1")
    assert finished(toy)["dirty"]


LEDGER = "id,base\nprice.cpu,0.04\nprice.gpu,3\n"


def test_a_row_that_was_used_and_one_that_was_not(toy):
    """A run depends on the rows that it read: others may change beside them."""
    file = toy.root / "case" / "ledger.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text(LEDGER)
    run = toy.begin()
    run.used_rows(file, ["price.cpu"])
    run.measure("gain", "Gain", 1, unit="points")
    record = records.read(run.finish())
    assert [d["name"] for d in record.data] == ["case/ledger.csv#price.cpu"]
    assert not any("ledger" in reason for reason in records.stale(record))
    file.write_text(LEDGER.replace("3", "4") + "price.new,1\n")
    assert not any("ledger" in reason for reason in records.stale(record))
    file.write_text(LEDGER.replace("0.04", "0.05"))
    assert "data case/ledger.csv#price.cpu changed" in records.stale(record)
    assert not any("ledger" in reason for reason in records.stale(record, data=False))


def test_a_row_that_is_not_there_is_refused(toy):
    file = toy.root / "ledger.csv"
    file.write_text(LEDGER)
    run = toy.begin()
    with pytest.raises(Problem, match=r"no row with id 'price\.tpu'"):
        run.used_rows(file, ["price.tpu"])


def test_a_file_elsewhere_is_named_without_its_path(toy, tmp_path_factory):
    mine = tmp_path_factory.mktemp("mine") / "ledger.csv"
    mine.write_text(LEDGER)
    run = toy.begin()
    run.used_file(mine)
    run.measure("gain", "Gain", 1, unit="points")
    record = records.read(run.finish())
    (name,) = [d["name"] for d in record.data]
    assert name == f"elsewhere/{mine.parent.name}/ledger.csv"
    assert not any("elsewhere" in reason for reason in records.stale(record))
