"""Unit cost: from measured seconds to money per million inferences.

Standard library only, so that the same function runs in a notebook, in a test and in a web page.
"""

from __future__ import annotations

import math


def per_million(
    core_seconds_per_million: float, price_per_core_hour: float, utilisation: float
) -> float:
    """Money per million inferences, in the currency of the price.

        core-seconds per million ÷ 3600 s/h × price per core-hour ÷ utilisation

    This is the bill for the compute alone: no memory beyond what the machine brings, no network,
    no people.

    Args:
        core_seconds_per_million: busy seconds of one core (or one GPU) for a million inferences;
            not negative.  It is numerically the microseconds of one inference on one core.
        price_per_core_hour: money per hour of what those seconds were measured on.  Where the
            machine is sold by the vCPU and a core has two of them, a core costs two vCPUs.  Not
            negative.
        utilisation: the share of the paid hours in which the core is busy, above 0 and at most 1.
            40 % is 0.4.

    Raises:
        ValueError: an argument out of its range, or not finite.

    Source: the definition of unit cost as cost over units, with the machine's hours as the driver;
    worked by hand in the tests: 3600 core-seconds at 0.10 an hour, half utilised, cost 0.20.
    """
    for name, value in (
        ("core_seconds_per_million", core_seconds_per_million),
        ("price_per_core_hour", price_per_core_hour),
    ):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be finite and not negative, got {value}")
    if not 0 < utilisation <= 1:
        raise ValueError(
            f"utilisation is a share above 0 and at most 1 (40 % is 0.4), got {utilisation}"
        )
    return core_seconds_per_million / 3600 * price_per_core_hour / utilisation
