"""What a run ran on and with: code, modules, machine, commit."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from synthecon import notebooks, paths

PACKAGE = Path(__file__).parent


def module_hash(name: str) -> str | None:
    """sha256 of a module's source with normalised newlines; None when there is no such file."""
    base = PACKAGE.joinpath(*name.split(".")[1:])
    for file in (base / "__init__.py", base.with_suffix(".py")):
        if file.is_file():
            return file_hash(file)
    return None


def file_hash(file: Path) -> str:
    """sha256 of a text file with normalised newlines."""
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def row_hash(file: Path, row: str) -> str | None:
    """sha256 of the row of a CSV file whose column `id` is `row`; None when there is none."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            for cells in csv.DictReader(opened):
                if cells.get("id") == row:
                    text = json.dumps(cells, sort_keys=True, ensure_ascii=False)
                    return hashlib.sha256(text.encode()).hexdigest()
    except OSError:
        pass
    return None


def modules() -> dict[str, str]:
    """The hash of each module of the package that is imported now."""
    ours = [m for m in sorted(sys.modules) if m.split(".")[0] == "synthecon"]
    return {name: digest for name in ours if (digest := module_hash(name))}


def environment(device: str) -> dict[str, Any]:
    """What the run ran on; no host name."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if device == "auto":
        device = "cuda" if torch and torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else _cpu_name()
    threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1
    return {
        "python": platform.python_version(),
        "torch": torch and str(torch.__version__),
        "numpy": numpy and str(numpy.__version__),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device.partition(":")[0],
        "device_name": name,
        "threads": torch.get_num_threads() if torch else int(threads),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    match = info.is_file() and re.search(r"model name\s*: (.+)", info.read_text())
    return match[1].strip() if match else platform.processor() or platform.machine()


def commit(name: str, code: str) -> tuple[str | None, bool]:
    """HEAD, and whether what runs differs from it: package, profiles or this notebook's code.

    Outputs of notebooks and records do not count: a refresh changes them.
    """

    def git(*args: str) -> str | None:
        command = ["git", "-C", str(paths.root()), *args]
        try:
            done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    head = git("rev-parse", "HEAD")
    if head is None:
        return None, False
    changed = git("status", "--porcelain", "--", "src", "profiles", "case")
    there = git("show", f"HEAD:./notebooks/{name}.ipynb")
    same = there is not None and notebooks.code_hash(json.loads(there)) == code
    return head.strip(), bool(changed) or not same
