"""Units of measure: "USD/vCPU-hour" times "vCPU-hour" is "USD", and hours never add to years.

A unit is words joined by `*` or a hyphen (a product) and by `/` (what follows it, up to the next
`*` or `/`, is below the line).  `share` and `1` are pure numbers.  Standard library only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

PURE = ("share", "1", "")
Unit = Mapping[str, int]


class UnitError(ValueError):
    """Units that do not fit."""


def parse(text: str) -> Unit:
    """The powers of a unit's words: "USD/vCPU-hour" is USD¹ vCPU⁻¹ hour⁻¹.

    Raises:
        UnitError: not made of words, `*`, `-` and `/`.
    """
    powers: Counter[str] = Counter()
    for sign, part in re.findall(r"(^|[*/])([^*/]*)", text.strip()):
        for word in part.split("-"):
            word = word.strip()
            if not re.fullmatch(r"[A-Za-z0-9 .%]+", word) and text.strip():
                raise UnitError(
                    f"{text!r} is no unit: write words joined by * - or /, a currency by its code"
                )
            if word not in PURE:
                powers[_singular(word)] += -1 if sign == "/" else 1
    return {word: n for word, n in sorted(powers.items()) if n}


def _singular(word: str) -> str:
    """label and labels are one unit; currency codes and words of three letters stay as they are."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.isupper() else word


def product(units: Iterable[tuple[Unit, int]]) -> Unit:
    """The unit of a product of powers."""
    powers: Counter[str] = Counter()
    for unit, power in units:
        for word, n in unit.items():
            powers[word] += n * power
    return {word: n for word, n in sorted(powers.items()) if n}


def show(unit: Unit) -> str:
    """As it is written: "USD/month"."""
    above = "-".join(w if n == 1 else f"{w}^{n}" for w, n in unit.items() if n > 0)
    below = "".join(f"/{w}" if n == -1 else f"/{w}^{-n}" for w, n in unit.items() if n < 0)
    return (above or "1") + below
