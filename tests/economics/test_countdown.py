"""The clock of the audit: pauses do not count, overruns are seen."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from synthecon.economics import countdown
from synthecon.economics.countdown import Countdown, Milestone, state

SHORT = (Milestone(1, "read"), Milestone(2, "a < b"))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize(
    ("elapsed", "shown", "coming"),
    [
        (0, "02:00", "at 1 min: read"),
        (61, "00:59", "at 2 min: a &lt; b"),
        (125, "−00:05", "all are due"),
    ],
)
def test_what_the_clock_shows(elapsed, shown, coming):
    html = state(elapsed, 2, SHORT)
    assert f">{shown}<" in html and coming in html


def test_pauses_do_not_count(clock):
    hour = Countdown(60, SHORT, clock)
    hour.start()
    clock.now = 10
    hour.pause()
    clock.now = 1000
    assert (hour.elapsed, hour.running) == (10, False)
    hour.start()
    hour.start()  # twice is once
    clock.now = 1005
    assert hour.elapsed == 15 and hour.running


def test_the_button_starts_and_pauses(clock):
    async def use():
        hour = Countdown(60, SHORT, clock)
        face, button = hour.widget().children
        button.click()
        clock.now = 61
        await asyncio.sleep(0)
        assert hour.running and button.description == "Pause" and "58:59" in face.value
        button.click()
        assert not hour.running and button.description == "Go on"

    # In a thread of its own: a browser test in the same process may have left a loop running.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, use()).result()


def test_no_time_is_no_audit():
    with pytest.raises(ValueError, match="minutes=0"):
        Countdown(0)


def test_the_milestones_rise_to_the_hour():
    minutes = [m.minute for m in countdown.AUDIT]
    assert minutes == sorted(set(minutes)) and minutes[-1] == 60
    assert all(m.text in countdown.timetable() for m in countdown.AUDIT)
