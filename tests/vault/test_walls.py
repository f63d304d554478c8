"""The Vault stands above the other rooms: it may import them, and none of them imports it."""

from __future__ import annotations

import re

import pytest

from synthecon import paths

SOURCE = paths.root() / "src" / "synthecon"


@pytest.mark.parametrize("room", ["physics", "economics", "strategy"])
def test_no_other_room_imports_the_vault(room: str):
    files = sorted((SOURCE / room).rglob("*.py"))
    assert files
    wrong = [f.name for f in files if re.search(r"synthecon\.vault|import vault", f.read_text())]
    assert wrong == []
