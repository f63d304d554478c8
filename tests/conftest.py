"""What every test may rely on: nothing in the caller's environment but the data folder counts."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

for _name in [n for n in os.environ if n.startswith("SYNTHECON_") and n != "SYNTHECON_DATA"]:
    del os.environ[_name]

# A slow machine is not a wrong result.
settings.register_profile("synthecon", deadline=None)
settings.load_profile("synthecon")


@pytest.fixture(autouse=True)
def _headless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
