"""Service levels: availability of systems, downtime, credits.  Standard library only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise


def _availability(*values: float) -> None:
    for value in values:
        if not 0 <= value <= 1:
            raise ValueError(f"availability is a share from 0 to 1 (99.9 % is 0.999), got {value}")


def in_series(*parts: float) -> float:
    """Availability of a system that needs all parts, which fail independently: the product."""
    _availability(*parts)
    return math.prod(parts)


def in_parallel(*parts: float) -> float:
    """Availability of a system that needs one of the parts: 1 − Π (1 − a).  Only if they fail
    independently: two replicas in one data centre do not."""
    _availability(*parts)
    return 1 - math.prod(1 - a for a in parts)


def downtime(availability: float, hours: float = 730.0) -> float:
    """Hours of outage that an availability allows in so many hours (a month has 730)."""
    _availability(availability)
    if not (math.isfinite(hours) and hours >= 0):
        raise ValueError(f"hours must be finite and not negative, got {hours}")
    return (1 - availability) * hours


Tier = tuple[float, float]
"""(threshold, credit): below that availability the credit is this share of the month's fee."""


def credit(availability: float, tiers: Sequence[Tier], claimed: float = 1.0) -> float:
    """Share of the month's fee that comes back: the credit of the lowest threshold that is missed.

    A threshold met exactly pays nothing.  claimed: the share of due credits that somebody claims;
    most contracts pay only what is claimed in time.

    Raises:
        ValueError: an availability, credit or claim outside 0 to 1; tiers in which a worse month
            pays less.
    """
    _availability(availability, claimed, *(c for _, c in tiers), *(t for t, _ in tiers))
    ordered = sorted(tiers)
    if any(a[1] < b[1] for a, b in pairwise(ordered)):
        raise ValueError("a lower availability must not earn a lower credit")
    return claimed * next((c for threshold, c in ordered if availability < threshold), 0.0)
