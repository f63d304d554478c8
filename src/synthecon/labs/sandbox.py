"""Runs the cells of a notebook that nobody has read, in a process of its own with limits.

The process gets no more than an environment, an empty folder, a limit of memory and of time a cell.
It can still read what this user may read, the solutions too: grade strangers in a container.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import synthecon
from synthecon import paths
from synthecon.labs import codec
from synthecon.labs.exercises import Arguments
from synthecon.labs.judge import Reply, clean

START = 120.0  # seconds for the process to come up on a busy machine
MEMORY = 6 * 1024  # MiB; torch alone takes part of one gigabyte
LONGEST = 2**26  # bytes of one answer
NONSENSE = "it sent what is no answer"
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "SYNTHECON_DATA", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


class Stopped(Exception):
    """The process is gone: it was too slow, it crashed, or it talked nonsense."""


class Session:
    """A fresh interpreter, to be used in a `with`; after `Stopped` it must be entered anew."""

    def __init__(self, environment: Mapping[str, str] | None = None, memory: int = MEMORY) -> None:
        self._environment = dict(environment or {})
        self._memory = memory

    def __enter__(self) -> Session:
        self._unread = b""
        self._folder = tempfile.TemporaryDirectory(
            prefix="synthecon-lab-", ignore_cleanup_errors=True
        )
        home = self._folder.name
        own = {
            "HOME": home, "TMPDIR": home, "IPYTHONDIR": home, "MPLCONFIGDIR": home,
            "SYNTHECON_HOME": str(paths.root()), "SYNTHECON_OUT": home,
            "PYTHONPATH": os.path.dirname(os.path.dirname(synthecon.__file__)),
            "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "synthecon.labs.child", str(self._memory)],
            cwd=home,
            env=kept | own | self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._line(START)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # with whatever it started
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        self._folder.cleanup()

    def cell(self, source: str, seconds: float) -> str:
        """Run a cell; '' when it ran through, else its error.

        Raises:
            Stopped: it did not end in time, or it ended the process.
        """
        answer = self._tell({"cell": source}, seconds)
        return clean(str(answer.get("error", "")), 250)

    def ask(
        self, expression: str, questions: Sequence[Arguments] | None, seconds: float
    ) -> list[Reply]:
        """What the function or value of this name replies.

        Raises:
            Stopped: as `cell`.
        """
        coded = None if questions is None else [codec.encode(tuple(one)) for one in questions]
        answer = self._tell({"ask": expression, "questions": coded}, seconds)
        try:
            replies = [codec.decode_reply(one) for one in answer["replies"]]
        except (KeyError, TypeError, ValueError):
            raise Stopped(NONSENSE) from None
        # One reply to several questions says why there are no more.
        if len(replies) not in (1, len(questions or [0])):
            raise Stopped(NONSENSE)
        return replies

    def forget(self) -> None:
        """Empty the namespace; modules stay imported."""
        self._tell({"forget": 0}, START)

    def _tell(self, command: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise Stopped(self._death()) from None
        try:
            answer = json.loads(self._line(seconds))
        except (ValueError, RecursionError):
            raise Stopped(NONSENSE) from None
        if not isinstance(answer, dict):
            raise Stopped(NONSENSE)
        return answer

    def _line(self, seconds: float) -> bytes:
        """The next line, or Stopped when it does not come in time."""
        end = time.monotonic() + seconds
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            left = end - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise Stopped(f"it ran longer than {seconds:g} s")
            some = os.read(pipe, 2**16)
            if not some:
                raise Stopped(self._death())
            self._unread += some
            if len(self._unread) > LONGEST:
                raise Stopped("it sent an answer without end")
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _death(self) -> str:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "it closed the line to the grader"
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"it ended the interpreter ({how})"
