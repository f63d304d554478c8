"""Energy of a stretch of work, with the level of trust of the figure.

Levels, best first:

- `counter`: a hardware counter of joules was read before and after (NVML's total energy counter of
  the GPU; RAPL's package counters of the CPU).
- `sampled`: power was read again and again and summed.  Not done here; the level exists for records
  that come from elsewhere.
- `assumed`: CPU seconds of this process × watts a core that somebody stated.

A counter belongs to the whole device: other work on the same machine is in it, and so is the idle
draw.  A GPU counter leaves the CPU out, a RAPL counter the memory and the power supply: `.how` says
which one was read.  A missing sensor never stops a run; the meter falls back and says so.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["counter", "sampled", "assumed"]

RAPL = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Counter:
    """A hardware counter: `read` returns joules since some zero; it restarts at `wrap` joules."""

    read: Callable[[], float]
    wrap: float | None
    how: str


def _nvml(index: int) -> Counter:
    """NVML's total energy counter of CUDA device `index`, in mJ since the driver was loaded."""
    nvml = importlib.import_module("pynvml")  # the module of nvidia-ml-py
    nvml.nvmlInit()
    # CUDA's numbering follows CUDA_VISIBLE_DEVICES and NVML's does not: ask for the UUID.
    uuid = str(importlib.import_module("torch").cuda.get_device_properties(index).uuid)
    handle = nvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")

    def read() -> float:
        return nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000

    read()  # GPUs before Volta have no such counter: find out now, not at stop()
    return Counter(read, None, f"NVML total energy counter of cuda:{index}, GPU only")


def _rapl(folder: Path) -> list[Counter]:
    """RAPL's counters of whole CPU packages, in µJ.  Their sub-zones are part of them."""

    def counter(zone: Path) -> Counter:
        def read() -> float:
            return int((zone / "energy_uj").read_text()) / 1e6

        read()
        return Counter(read, int((zone / "max_energy_range_uj").read_text()) / 1e6, zone.name)

    return [counter(zone) for zone in sorted(folder.glob("intel-rapl:[0-9]"))]


class Meter:
    """Joules between `start()` and `stop()`, or inside a `with` block.

    Args:
        device: "cpu", "cuda" or "cuda:1".
        core_watts: watts a busy core, used only where no counter can be read; not negative.

    After `stop()`: `joules`, `level` and `how` (one line: what was read, or why it was assumed).
    Before it, `joules` is 0.  RAPL's counters wrap after minutes to hours; one wrap is handled, so
    a stretch that draws more than one full range (about an hour at 70 W) must be cut into several.
    A negative or impossible difference is thrown away and the figure becomes `assumed`.

    Raises:
        ValueError: negative watts, or a device that is neither cpu nor cuda.
    """

    def __init__(
        self, device: str = "cpu", core_watts: float = 10.0, *, rapl: Path = RAPL,
        cpu_seconds: Callable[[], float] = time.process_time,
    ) -> None:  # fmt: skip
        kind, _, number = str(device).partition(":")
        if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
            raise ValueError(f"device must be cpu, cuda or cuda:N, got {device!r}")
        if not core_watts >= 0:
            raise ValueError(f"core_watts must not be negative, got {core_watts}")
        self.core_watts = core_watts
        self._cpu_seconds = cpu_seconds
        self._synchronise = _synchroniser(int(number or 0)) if kind == "cuda" else None
        self._counters: list[Counter] = []
        self._why = "no RAPL counter is readable"
        # A sensor may be absent, forbidden or broken in more ways than there are exception types.
        try:
            self._counters = [_nvml(int(number or 0))] if kind == "cuda" else _rapl(rapl)
        except Exception as error:
            self._why = f"no energy counter ({type(error).__name__})"
        self.joules = 0.0
        self.level: Level = "assumed"
        self.how = "not measured yet"

    def start(self) -> Meter:
        if self._synchronise:
            self._synchronise()
        self._seconds = self._cpu_seconds()
        self._before: list[float] | None = None
        with contextlib.suppress(Exception):
            self._before = [counter.read() for counter in self._counters]
        return self

    def stop(self) -> Meter:
        if self._synchronise:
            self._synchronise()
        seconds = self._cpu_seconds() - self._seconds
        counted = self._counted()
        if counted is None:
            self.joules, self.level = seconds * self.core_watts, "assumed"
            self.how = f"{self._why}; CPU seconds of this process × {self.core_watts:g} W assumed"
            if self._synchronise:
                self.how += " (the GPU's energy is unknown)"
        else:
            self.joules, self.level = counted, "counter"
            names = " + ".join(counter.how for counter in self._counters)
            self.how = names if names.startswith("NVML") else f"RAPL package counters ({names})"
        return self

    def _counted(self) -> float | None:
        """Joules by the counters, or None (and why) where they cannot be trusted."""
        if not self._counters or self._before is None:
            return None
        total = 0.0
        try:
            for counter, before in zip(self._counters, self._before, strict=True):
                used = counter.read() - before
                if used < 0 and counter.wrap:
                    used += counter.wrap
                if used < 0:
                    self._why = "the energy counter ran backwards"
                    return None
                total += used
        except Exception as error:
            self._why = f"the energy counter stopped answering ({type(error).__name__})"
            return None
        return total

    def __enter__(self) -> Meter:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _synchroniser(index: int) -> Callable[[], None] | None:
    """Waits for the GPU: its work is queued, and energy read too early belongs to nobody."""
    with contextlib.suppress(Exception):
        cuda = importlib.import_module("torch").cuda
        if cuda.is_available():
            return lambda: cuda.synchronize(index)
    return None
