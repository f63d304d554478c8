"""The hour of the audit: a clock with milestones, for a notebook.

A widget where the notebook has a front end for it, and a timetable in any case.  Nothing needs a
kernel extension: the clock is an ordinary asyncio task of the kernel.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Milestone:
    """What should be done when so many minutes have passed."""

    minute: int
    text: str


AUDIT = (
    Milestone(10, "every row read, the sums agree with the files"),
    Milestone(25, "rules written, the unclassified share under 5 %"),
    Milestone(35, "ML cost and COGS side by side"),
    Milestone(45, "runaway spend named"),
    Milestone(55, "three bottlenecks, each with outflow, saving and evidence"),
    Milestone(60, "the page is written"),
)


def timetable(milestones: Sequence[Milestone] = AUDIT) -> str:
    """The milestones as a Markdown table."""
    rows = [f"| {m.minute} | {m.text} |" for m in milestones]
    return "\n".join(["| minute | done by then |", "|--:|:--|", *rows])


def state(elapsed: float, minutes: int, milestones: Sequence[Milestone]) -> str:
    """What the clock shows after `elapsed` seconds, as HTML.

    Past the end it counts on with a minus: an audit that overruns should be seen to.
    """
    left = round(minutes * 60 - elapsed)
    sign, left = ("−", -left) if left < 0 else ("", left)
    due = [m for m in milestones if m.minute * 60 > elapsed]
    coming = f"next, at {due[0].minute} min: {escape(due[0].text)}" if due else "all are due"
    clock = f"{sign}{left // 60:02}:{left % 60:02}"
    return f'<span style="font-size:2em">{clock}</span> &nbsp; {coming}'


class Countdown:
    """A clock that can be started and paused.  `clock` gives seconds; tests pass their own."""

    def __init__(
        self,
        minutes: int = 60,
        milestones: Sequence[Milestone] = AUDIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if minutes <= 0:
            raise ValueError(f"minutes={minutes}: must be above 0")
        self.minutes, self.milestones, self.clock = minutes, tuple(milestones), clock
        self._before, self._since = 0.0, None  # type: float, float | None

    @property
    def running(self) -> bool:
        return self._since is not None

    @property
    def elapsed(self) -> float:
        """Seconds counted, pauses left out."""
        return self._before + (self.clock() - self._since if self._since is not None else 0.0)

    def start(self) -> None:
        if self._since is None:
            self._since = self.clock()

    def pause(self) -> None:
        self._before, self._since = self.elapsed, None

    def html(self) -> str:
        return state(self.elapsed, self.minutes, self.milestones)

    def widget(self) -> Any:
        """The clock with its button, for the last line of a cell."""
        import ipywidgets as widgets

        face = widgets.HTML(self.html())
        button = widgets.Button(description="Start", tooltip="start or pause the clock")

        async def tick() -> None:
            while self.running:
                face.value = self.html()
                await asyncio.sleep(1)

        def press(_: object) -> None:
            if self.running:
                self.pause()
            else:
                self.start()
                asyncio.get_event_loop().create_task(tick())
            button.description = "Pause" if self.running else "Go on"
            face.value = self.html()

        button.on_click(press)
        return widgets.VBox([face, button])
