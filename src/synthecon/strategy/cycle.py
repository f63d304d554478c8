"""How long an experiment and a release take, with labels bought and with made-up images.

Machine time is what lesson 1 measured, times how much more of it this company needs; waiting is an
assumption.  Everything in days; values are floats or arrays of scenarios.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

DAY = 86_400.0  # seconds
WAYS = ("labels bought", "made-up images")
Values = Mapping[str, float | np.ndarray]


def experiment(values: Values, way: str) -> dict[str, np.ndarray]:
    """Days of one experiment that needs new data, by what takes them.

    Made-up images take away a share of the wait and no more: somebody still makes some labels.
    """
    v = {k: np.asarray(values[k], float) for k in ROWS}
    made_up = _made_up(way)
    generate = v["velocity.images"] * v["measured.generation"] * v["transfer.generation"]
    return {
        "waiting for labels": v["velocity.label-wait"] * (1 - made_up * v["transfer.wait-labels"]),
        "making images": made_up * generate / v["velocity.cores"] / DAY,
        "checking images": made_up * v["velocity.check"],
        "training": v["measured.training"] * v["transfer.training"] / DAY,
        "people who look and decide": v["velocity.decide"],
    }


def release(values: Values, way: str) -> np.ndarray:
    """Days of a release: its experiments one after another, and its approval.

    Only a share of the experiments needs new data; the others wait for nothing either way.  The
    pipeline adds its gates, and takes away a share of the wait for approval.
    """
    v = {k: np.asarray(values[k], float) for k in ROWS}
    made_up = _made_up(way)
    days = experiment(values, way)
    always = days["training"] + days["people who look and decide"]
    data = sum(days.values()) - always
    approval = v["velocity.approval"] * (1 - made_up * v["transfer.wait-approval"])
    count, share = v["velocity.experiments"], v["velocity.needs-data"]
    return count * (always + share * data) + approval + made_up * v["velocity.gates"]


def _made_up(way: str) -> int:
    if way not in WAYS:
        raise ValueError(f"{way!r} is none of {', '.join(WAYS)}")
    return WAYS.index(way)


ROWS = (
    "velocity.images", "velocity.cores", "velocity.label-wait", "velocity.check",
    "velocity.decide", "velocity.approval", "velocity.gates", "velocity.experiments",
    "velocity.needs-data", "measured.generation", "transfer.generation", "measured.training",
    "transfer.training", "transfer.wait-labels", "transfer.wait-approval",
)  # fmt: skip
"""Ledger rows that these functions read."""
