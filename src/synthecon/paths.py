"""Where things are. Nothing reads the current folder: every path starts here."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from synthecon import Problem


def root() -> Path:
    """The checkout: the folder that holds pyproject.toml and notebooks/.

    SYNTHECON_HOME names it; otherwise it is the one that this package was installed from.

    Raises:
        Problem: neither is a checkout.
    """
    named = os.environ.get("SYNTHECON_HOME")
    folder = Path(named).expanduser().resolve() if named else Path(__file__).resolve().parents[2]
    if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir():
        return folder
    raise Problem(
        f"{folder} is not a checkout of the playbook (it needs pyproject.toml and notebooks/): "
        "set SYNTHECON_HOME to your clone, or install the package from it with 'pip install -e .'"
    )


def out() -> Path:
    """Where runs write: SYNTHECON_OUT, else _build/ in the checkout. It may not exist yet."""
    named = os.environ.get("SYNTHECON_OUT")
    return Path(named).expanduser().resolve() if named else root() / "_build"


def results() -> Path:
    """The committed run records, one folder a profile."""
    return root() / "results"


def write_atomic(path: Path, content: str | bytes) -> Path:
    """Write a file whole or not at all: a reader sees the old content or the new, never half.

    Raises:
        Problem: no space, or no permission; whatever stood at `path` is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise Problem(write_failure(path, error)) from error
    return path


def write_failure(path: Path, error: OSError) -> str:
    """What an OSError while writing `path` means, and what to do."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot write {path}: {error.strerror or error}"
    there = next(p for p in (path, *path.parents) if p.exists())
    free = shutil.disk_usage(there).free / 2**20
    return (
        f"the disk is full ({free:.0f} MiB free): {path} was not written and what stood there is "
        "untouched. Make room, or set SYNTHECON_OUT to a folder on another disk, and run again"
    )
