"""Where a data set's files are: the reader's folder, the cache, or the network, hashes checked."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ._decode import DataError


class Absent(DataError):
    """The files are not at hand, and were not to be downloaded."""


@dataclass(frozen=True)
class File:
    path: str  # below the data folder
    url: str
    sha256: str  # of the file at url


def find(name: str, files: tuple[File, ...], download: bool) -> tuple[str, list[Path], list[str]]:
    """Where the files are, in words; their paths; their SHA-256, checked. Raises DataError."""
    if named := os.environ.get("SYNTHECON_DATA"):
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise DataError(
                f"SYNTHECON_DATA names {folder}, which is not a folder: set or unset it"
            )
        missing = [file.path for file in files if not (folder / file.path).is_file()]
        if not missing:
            paths = [folder / file.path for file in files]
            return "folder named by SYNTHECON_DATA", paths, _check(folder, files)
        if len(missing) < len(files):
            raise DataError(f"{folder}: {name} is incomplete, add {', '.join(missing)}")
    paths = [cache() / "downloads" / file.path for file in files]
    for file, path in zip(files, paths, strict=True):
        if not (path.is_file() and sha256(path) == file.sha256):
            if not download:
                raise Absent(f"{name} is not at hand: {path} is missing or damaged")
            _download(name, files, file, path)
    return "downloaded", paths, [file.sha256 for file in files]


def cache() -> Path:
    """The folder for downloads and decoded copies; it may not exist yet."""
    if named := os.environ.get("SYNTHECON_CACHE"):
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("synthecon")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path}: cannot be written ({error.strerror or error}). Make room in {path.parent}, "
        "or let the variable SYNTHECON_CACHE name another folder"
    )


def _check(folder: Path, files: tuple[File, ...]) -> list[str]:
    """SHA-256 of each file, which must be what SHA256SUMS in the folder says, else as published."""
    listed, sums = {}, folder / "SHA256SUMS"
    for line in sums.read_text().splitlines() if sums.is_file() else ():
        digest, _, path = line.partition(" ")
        listed[path.strip().removeprefix("*").removeprefix("./")] = digest.lower()
    hashes = [sha256(folder / file.path) for file in files]
    for file, given in zip(files, hashes, strict=True):
        expected = listed.get(file.path, file.sha256)
        if given != expected:
            origin = str(sums) if file.path in listed else f"the file at {file.url}"
            raise DataError(
                f"{folder / file.path}: SHA-256 is {given}, expected {expected} ({origin}). Fetch "
                f"it again; if you mean this very copy, put its hash into {sums}"
            )
    return hashes


def _download(name: str, files: tuple[File, ...], file: File, path: Path) -> None:
    """Fetch one file; pooch moves it into place only once its hash is right."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=1 << 16)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(file.url, f"sha256:{file.sha256}", path.name, path.parent, None, downloader)
    except (OSError, ValueError) as error:  # no network is an OSError, a wrong hash a ValueError
        # requests' errors are OSErrors too, but only the file system's carry a file's errno.
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS):
            raise unwritable(path, error) from error
        wanted = "\n".join(f"  {each.path}  from  {each.url}" for each in files)
        raise DataError(
            f"{name} is not at hand, and {file.url} could not be fetched: {error}\n"
            f"Put these files into a folder, and let the variable SYNTHECON_DATA name it:\n{wanted}"
        ) from error
