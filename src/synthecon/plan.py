"""From a command line to jobs: which notebooks, with which parameters, into which folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from synthecon import Problem, notebooks
from synthecon.record import rounded


@dataclass(frozen=True)
class Job:
    """One notebook under one variant of a profile; `given` is what will be injected."""

    notebook: str
    variant: str
    profile: str
    folder: str
    given: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.folder}/{self.notebook}" + (f"@{self.variant}" if self.variant else "")

    def parameters(self) -> dict[str, Any]:
        """The value that each parameter must have in the record."""
        return rounded(notebooks.expected(self.notebook, "cpu", "") | dict(self.given))


def jobs(wanted: Sequence[str] = (), profile: str = "cpu", given: Sequence[str] = ()) -> list[Job]:
    """The jobs that a command line asks for, all checked before anything runs.

    Args:
        wanted: notebook names, or their last part, each with or without @variant; none means all.
        profile: "cpu" (the notebooks' own defaults), a name in profiles/, or a .yaml file.
        given: "key=value" texts; they send the run to a folder of its own.

    Raises:
        Problem: see `notebooks.load_profile` and `notebooks.check_parameters`; also a CUDA profile
            on a machine without.
    """
    if profile == "cpu":
        name, folder, needs_cuda = "cpu", "custom" if given else "cpu", False
        available = [(n, "", {}) for n in notebooks.names()]
    else:
        loaded = notebooks.load_profile(profile)
        name, needs_cuda = loaded.name, loaded.needs_cuda
        folder = f"{name}-rehearsal" if given else loaded.results
        available = [(n, v, p) for n, vs in loaded.notebooks.items() for v, p in vs.items()]
    chosen = []
    for notebook, variant, values in _select(available, wanted):
        merged = {**values, **_overrides(notebook, given)}
        notebooks.check_parameters(notebook, merged, "-p" if given else f"profile {name}")
        if needs_cuda and merged.get("device") != "cpu":
            _need_cuda(name)
        chosen.append(Job(notebook, variant, name, folder or _device_slug(), merged))
    return chosen


def _select(available: Sequence[tuple], wanted: Sequence[str]) -> list[tuple]:
    def answers(job: tuple, word: str) -> bool:
        name, _, variant = word.partition("@")
        return name in (job[0], job[0].rpartition("/")[2]) and variant in ("", job[1])

    for word in wanted:
        if not any(answers(job, word) for job in available):
            known = [name + (f"@{variant}" if variant else "") for name, variant, _ in available]
            raise Problem(notebooks.unknown("notebook", word, known))
    return [job for job in available if not wanted or any(answers(job, w) for w in wanted)]


def _overrides(notebook: str, given: Sequence[str]) -> dict[str, Any]:
    """The typed values of "key=value" texts: YAML, or the bare text where that is what fits."""
    known = notebooks.parameters(notebooks.read(notebooks.path(notebook)), notebook)
    values = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise Problem(f"-p {text}: write key=value")
        values[key] = value if key in known and known[key].kind == "str" else _parsed(text, value)
    return values


def _parsed(text: str, value: str) -> Any:
    try:
        return notebooks.load_yaml(value)
    except yaml.YAMLError:
        raise Problem(f"-p {text}: the value is not YAML") from None


def _need_cuda(profile: str) -> None:
    import torch

    if not torch.cuda.is_available():
        raise Problem(
            f"profile {profile} needs a CUDA device and there is none here: rehearse it with "
            "-p device=cpu, and with smaller sizes"
        )


def _device_slug() -> str:
    """Folder of this machine's GPU: "NVIDIA H200" becomes h200."""
    import torch

    if not torch.cuda.is_available():
        raise Problem("the profile names no results folder and there is no CUDA device to name one")
    name = torch.cuda.get_device_name().lower().removeprefix("nvidia ")
    return re.sub(r"[^a-z0-9]+", "-", name).strip("-")
