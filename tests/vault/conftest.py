"""What several tests of the Vault read; the stub world stands beside them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from synthecon import records
from synthecon.vault import playbooks

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def shelf():
    return playbooks.load()


@pytest.fixture(scope="module")
def runs():
    return records.load_all()
