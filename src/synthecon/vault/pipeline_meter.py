"""When steps began and ended, so that the time of a step that was killed is counted too.

A line is written before a step and after it, and the time into alive.txt four times a second while
the process lives.  A step that began and never ended has lost the time from its beginning to the
last sign of life; whoever runs it again books that on top.  Standard library only.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from synthecon import Problem, paths

BEAT = 0.25  # seconds between signs of life: what a kill may hide


class Journal:
    """Begin and end of every step, in a file; without a path nothing is kept or lost.

    Raises:
        Problem: the file, or alive.txt beside it, is not as it was left.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._stop = threading.Event()
        self._lost: dict[str, float] = {}
        if path is None or not path.exists():
            return
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]  # the last line may be torn
        if whole != content:
            paths.write_atomic(path, whole)
        began: dict[str, float] = {}
        for entry in _entries(path):
            step = entry["step"]
            if "began" in entry:
                began[step], self._lost[step] = entry["began"], entry["lost"]
            else:  # ended; if it begins again, its result was never kept
                began.pop(step, None)
                self._lost[step] = entry["seconds"]
        alive = _alive(path) if began else 0.0
        for step, then in began.items():
            self._lost[step] = self._lost.get(step, 0.0) + max(0.0, alive - then)

    def begin(self, step: str) -> float:
        """Note that a step begins.

        Returns:
            Seconds that earlier attempts at it lost.
        """
        lost = self._lost.get(step, 0.0)
        self._write({"step": step, "began": time.time(), "lost": lost})
        return lost

    def end(self, step: str, seconds: float, joules: float) -> None:
        """Note that it ended, and what it took."""
        self._write({"step": step, "seconds": seconds, "joules": joules})

    def _write(self, entry: dict[str, object]) -> None:
        if self.path is None:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def __enter__(self) -> Journal:
        if self.path is not None:
            self._beat(self.path)
            threading.Thread(target=self._live, args=[self.path], daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        where: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stop.set()

    def _live(self, path: Path) -> None:
        while not self._stop.wait(BEAT):
            self._beat(path)

    def _beat(self, path: Path) -> None:
        """Write the time down: in the file's text, for a copy of the file has another date.  One
        small write in place, so that a kill leaves the old time or the new."""
        file = os.open(path.with_name("alive.txt"), os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(file, b"%17.6f\n" % time.time(), 0)
        os.close(file)


def _alive(path: Path) -> float:
    """The last sign of life beside this journal."""
    beat = path.with_name("alive.txt")
    try:
        return float(beat.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Problem(
            f"{beat}: missing or not a time, so what the last attempt took is not known: "
            "put the file back as it was, or start a new run"
        ) from None


def _entries(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal."""
    found = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            entry = json.loads(line)
            kept = ("began", "lost") if "began" in entry else ("seconds", "joules")
            found.append({"step": str(entry["step"])} | {k: float(entry[k]) for k in kept})
        except (ValueError, TypeError, KeyError):
            raise Problem(
                f"{path}, line {number}: neither the beginning nor the end of a step: "
                "put the file back as it was, or start a new run"
            ) from None
    return found


def totals(path: Path) -> dict[str, dict[str, float]]:
    """Seconds and joules by step, of the steps that ended."""
    ended = [e for e in _entries(path) if "seconds" in e] if path.exists() else []
    return {e["step"]: {k: e[k] for k in ("seconds", "joules")} for e in ended}
