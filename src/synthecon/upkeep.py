"""Keeping the committed records true: promote a run, and check that what is committed holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from synthecon import Problem, notebooks, paths, records, runner
from synthecon.record import RunRecord

LARGEST = 600_000  # bytes of a committed notebook: it is read on phones, and git keeps them all
CONTRADICTION = {"holds", "fails"}


def refresh(wanted: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Make the last runs the committed ones: record and executed notebook, or neither.

    Args:
        wanted: notebook names or their last part; none means every run of a profile.

    Returns:
        The ids promoted, and for each one refused its reasons.

    Raises:
        Problem: nothing ran yet, an unknown name, or a broken record.
    """
    ran = records.load_all(paths.out() / "results")
    if not ran:
        raise Problem(f"{paths.out()} holds no run: 'python -m synthecon run' makes one")
    for word in wanted:
        if not any(_answers(r, word) for r in ran.values()):
            raise Problem(notebooks.unknown("run", word, ran))
    promoted, refused = [], []
    for record in ran.values():
        named = any(_answers(record, word) for word in wanted)
        if not (named if wanted else record.promotable):
            continue
        reasons = _reasons(record)
        if not reasons:
            try:
                _promote(record)
                promoted.append(record.id)
            except Problem as problem:
                reasons = [str(problem)]
        if reasons:
            refused.append(f"{record.id}: {'; '.join(reasons)}")
    return promoted, refused


def _answers(record: records.RunRecord, word: str) -> bool:
    return word in (record.id, record.notebook, record.notebook.rpartition("/")[2])


def _reasons(record: records.RunRecord) -> list[str]:
    """Why a run may not become the committed one."""
    executed, record_file, working = runner.files(record.id)
    reasons = [] if record.promotable else ["it ran with parameters of its own (-p)"]
    reasons += records.stale(record)
    if record.dirty:
        reasons.append("it ran from changes that are not committed: commit them and run again")
    if not executed.exists():
        reasons.append(f"its executed notebook {executed} is missing")
    if working.exists() and working.stat().st_mtime > record_file.stat().st_mtime:
        reasons.append(f"its last run failed: see {working}")
    return reasons


def _promote(record: records.RunRecord) -> None:
    executed = notebooks.read(runner.files(record.id)[0])
    source = notebooks.path(record.notebook)
    # Grafted onto the notebook as it stands: prose that was edited since the run stays.
    text = runner.with_outputs(notebooks.read(source), executed)
    if len(text.encode()) > LARGEST:
        raise Problem(f"its notebook has {len(text.encode()) // 1000} KB, over {LARGEST // 1000}")
    is_cpu = record.folder == "cpu"
    beside = paths.results() / f"{record.id}.ipynb"
    paths.write_atomic(source if is_cpu else beside, text)
    paths.write_atomic(records.record_path(record.id, paths.results()), record.to_json())


def verify() -> list[str]:
    """What is wrong with the committed records; empty when all is well.

    Each must satisfy the schema, with verdicts that follow from its intervals. Every notebook has a
    cpu record, and that is fresh. A fresh run in the output folder must measure the same
    things and must not contradict a verdict (`notes` tells the smaller differences).

    Raises:
        Problem: a record that cannot be read.
    """
    committed = records.load_all()
    wrong = []
    for name in notebooks.names():
        if f"cpu/{name}" not in committed:
            wrong.append(f"cpu/{name}: no committed record: run it, then refresh")
    for record in committed.values():
        if record.folder == "cpu":
            wrong += [f"{record.id}: stale: {reason}" for reason in records.stale(record)]
        if not record.promotable:
            wrong.append(f"{record.id}: it ran with parameters of its own: it proves no profile")
    for record_id, before, ran in _rerun(committed):
        names = {m.name for m in before.measurements} ^ {m.name for m in ran.measurements}
        if names:
            wrong.append(f"{record_id}: the last run did not measure the same: {sorted(names)}")
        for name, then, now in _verdicts(before, ran):
            if now is None:
                wrong.append(f"{record_id}: claim {name}: not in the last run")
            elif then is None:
                wrong.append(f"{record_id}: claim {name}: not in the committed record")
            elif {then, now} == CONTRADICTION:
                wrong.append(f"{record_id}: claim {name}: {then!r}, but the last run says {now!r}")
    return wrong


def notes() -> list[str]:
    """Claims on which the last run and the committed one differ without contradicting each other.

    An interval near its limit may fall on either side of it on another machine: *undecided* beside
    *holds* is worth knowing, and no defect.
    """
    return [
        f"{record_id}: claim {name}: {then!r}, and {now!r} in the last run"
        for record_id, before, ran in _rerun(records.load_all())
        for name, then, now in _verdicts(before, ran)
        if then and now and then != now and {then, now} != CONTRADICTION
    ]


def _rerun(committed: Mapping[str, RunRecord]) -> Iterator[tuple[str, RunRecord, RunRecord]]:
    """The id, committed and last record of what was run again and is fresh."""
    for record_id, ran in records.load_all(paths.out() / "results").items():
        before = committed.get(record_id)
        if before is not None and not records.stale(ran):
            yield record_id, before, ran


def _verdicts(before: RunRecord, ran: RunRecord) -> Iterator[tuple[str, str | None, str | None]]:
    """Each claim's name, its committed verdict and that of the last run."""
    then = {claim.name: claim.verdict for claim in before.claims}
    now = {claim.name: claim.verdict for claim in ran.claims}
    for name in then | now:
        yield name, then.get(name), now.get(name)
