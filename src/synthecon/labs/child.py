"""The process that runs a learner's cells: `python -m synthecon.labs.child`, see `sandbox`.

It reads commands from its standard input and writes one line of JSON for each; a learner's code
sees neither.  It knows no right answer: it only gives back what the learner's functions return.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import warnings
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from synthecon.labs import codec, judge
from synthecon.labs.judge import Reply


def main() -> None:
    memory = int(sys.argv[1]) * 2**20
    for limit in (resource.RLIMIT_DATA, resource.RLIMIT_CORE):
        with contextlib.suppress(ValueError, OSError):  # not on every system
            resource.setrlimit(limit, (memory if limit == resource.RLIMIT_DATA else 0,) * 2)
    commands = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    warnings.simplefilter("ignore")
    shell = _shell()
    _say(answers, {"ready": True})
    for line in commands:
        _say(answers, _do(shell, json.loads(line)))


class Shell(InteractiveShell):
    """What a notebook's kernel has inside: magics, display, the last line's value; no window."""

    def enable_gui(self, gui: str | None = None) -> None:
        """No window opens here."""

    def enable_matplotlib(self, gui: str | None = None) -> tuple[None, str]:
        """%matplotlib of any kind: figures are drawn, and nobody looks at them."""
        return None, "agg"

    def ask_exit(self) -> None:
        """exit() in a cell: the notebook goes on."""


def _shell() -> Shell:
    quiet = Config()
    quiet.HistoryManager.enabled = False
    quiet.InteractiveShell.colors = "nocolor"
    return Shell.instance(config=quiet)


def _say(answers: Any, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _do(shell: InteractiveShell, command: dict[str, Any]) -> dict[str, Any]:
    match command:
        case {"cell": source}:
            ran = shell.run_cell(source)
            error = ran.error_before_exec or ran.error_in_exec
            return {"error": "" if ran.success else judge.said(error)}
        case {"ask": expression, "questions": coded}:
            return {"replies": [codec.encode_reply(r) for r in _ask(shell, expression, coded)]}
        case {"forget": _}:
            shell.reset(new_session=False)
            return {}
    raise ValueError(f"unknown command {command}")


def _ask(shell: InteractiveShell, expression: str, coded: list[Any] | None) -> list[Reply]:
    try:
        answer = eval(expression, shell.user_ns)
    except (Exception, SystemExit) as error:
        return [Reply(error=judge.said(error))]
    questions = None if coded is None else [codec.decode(one) for one in coded]
    return judge.replies(answer, questions)


if __name__ == "__main__":
    main()
