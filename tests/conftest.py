"""What every test may rely on: nothing in the caller's environment but the data folder counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

for _name in [n for n in os.environ if n.startswith("SYNTHECON_") and n != "SYNTHECON_DATA"]:
    del os.environ[_name]

# The real data sets, where they stand beside the checkout; elsewhere those few tests skip.
_beside = Path(__file__).parents[2] / "shared" / "data"
if "SYNTHECON_DATA" not in os.environ and _beside.is_dir():
    os.environ["SYNTHECON_DATA"] = str(_beside)

# A slow machine is not a wrong result.
settings.register_profile("search", deadline=None)  # --hypothesis-profile=search: new examples
# The same check twice gives the same answer.
settings.register_profile("synthecon", deadline=None, derandomize=True)
settings.load_profile("synthecon")


@pytest.fixture(autouse=True)
def _headless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
