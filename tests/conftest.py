"""What every test may rely on: nothing in the caller's environment but the data folder counts."""

from __future__ import annotations

import os

import pytest

for _name in [n for n in os.environ if n.startswith("SYNTHECON_") and n != "SYNTHECON_DATA"]:
    del os.environ[_name]


@pytest.fixture(autouse=True)
def _headless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
