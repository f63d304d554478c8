"""When steps began and ended, so that the time of a step that was killed is counted too.

A line is written before a step and after it, and a file is touched four times a second while the
process lives.  A step that began and never ended has lost the time from its beginning to the last
sign of life; whoever runs it again books that on top.  Standard library only.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from types import TracebackType

BEAT = 0.25  # seconds between signs of life: what a kill may hide


class Journal:
    """Begin and end of every step, in a file; without a path nothing is kept or lost."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._stop = threading.Event()
        self._lost: dict[str, float] = {}
        if path is None or not path.exists():
            return
        alive = path.stat().st_mtime
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole, encoding="utf-8")
        began: dict[str, float] = {}
        for line in whole.splitlines():
            entry = json.loads(line)
            if "began" in entry:
                began[entry["step"]] = entry["began"]
                self._lost[entry["step"]] = entry["lost"]
            else:  # ended; if it begins again, its result was never kept
                began.pop(entry["step"], None)
                self._lost[entry["step"]] = entry["seconds"]
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
            self.path.touch()
            threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        where: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stop.set()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            os.utime(self.path)  # type: ignore[arg-type]


def totals(path: Path) -> dict[str, dict[str, float]]:
    """Seconds and joules by step, of the steps that ended."""
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        entry = json.loads(line)
        if "seconds" in entry:
            found[entry["step"]] = {k: entry[k] for k in ("seconds", "joules")}
    return found
