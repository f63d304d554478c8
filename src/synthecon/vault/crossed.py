"""The interval of a mean over splits and images, where all splits meet the same test images.

Splits that share no training image are still not independent: an image that is easy for one is
easy for all.  Splits and images are two samples, and each has a spread of its own.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

from synthecon.stats import Interval


def crossed(values: np.ndarray, level: float = 0.95) -> Interval:
    """Student-t interval of the mean of a table: every split on every image.

    The variance of the mean is that of the rows' means over the splits plus that of the columns'
    means over the images.  Where rows and columns are random effects, their sum counts what is
    left over twice, so the interval errs on the wide side (Owen 2007, Annals of Applied Statistics
    1, on bootstrapping rows and columns).  Degrees of freedom: the smaller sample's.

    Args:
        values: a number for each split and image, [splits, images] in any unit, two of each or
            more; the splits share no image but these.
        level: coverage, between 0 and 1.

    Raises:
        ValueError: too small a table, a value that is not finite, or a bad level.
    """
    v = np.asarray(values, dtype=float)
    if v.ndim != 2 or min(v.shape) < 2:
        raise ValueError(f"need a table of two splits and two images or more, got {v.shape}")
    if not np.isfinite(v).all():
        raise ValueError("a value is not finite: look at the run that produced it")
    if not 0 < level < 1:
        raise ValueError(f"need 0 < level < 1, got {level}")
    error = math.sqrt(sum(v.mean(1 - k).var(ddof=1) / v.shape[k] for k in (0, 1)))
    half = float(stdtrit(min(v.shape) - 1, (1 + level) / 2)) * error
    mean = float(v.mean())
    method = f"crossed t, {v.shape[0]} splits × {v.shape[1]} images"
    return Interval(mean, mean - half, mean + half, level, v.shape[0], method)
