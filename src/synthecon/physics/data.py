"""Four image data sets, each as one resident tensor, with a note of which copy was read.

`mnist-8x8` is a fifth, made of MNIST: the digits of other people under the size of `digits`.

`digits` comes with scikit-learn. The others are read from the folder that SYNTHECON_DATA names,
else from the cache (SYNTHECON_CACHE, else the platform's cache folder), else downloaded once from
a pinned revision. Their hashes are checked, they are decoded once to uint8, and the decoded copy
is cached under a name made of the source files' hashes: a changed source has another name, and a
damaged copy fails its checksum and is decoded again.

The pinned SHA-256 are those of the authors' Fashion-MNIST release, and of the hub's Parquet files
as several public projects have recorded them: the hub's files themselves were not opened here. A
folder may hold another copy (say, JPEG instead of PNG), if its hashes are listed in `SHA256SUMS`
in that folder. `Dataset.source` then says that these are not the published files.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, one_hot

from . import _decode
from ._decode import DataError
from ._files import Absent, File, cache, find, unwritable

__all__ = ["NAMES", "DataError", "Dataset", "Split", "fingerprint", "load", "split", "stratified"]

_CACHE_FORMAT = "1"  # raise it when the decoded copy changes its meaning


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set on one device.

    images: float32 [N, C, H, W] in [0, 1]; labels: int64 [N] in 0..len(classes)-1.
    test_from: rows from here on are the official test set; None where there is none.
    source: which copy this is, in words. sha256: of all decoded images and labels of that copy,
    whatever the limit (a lossy JPEG may decode to another hash under another JPEG library).
    """

    name: str
    images: Tensor
    labels: Tensor
    test_from: int | None
    classes: tuple[str, ...]
    source: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers, int64, disjoint, on the device of the data set."""

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True)
class _Spec:
    shape: _decode.Shape
    train: int
    test: int
    classes: tuple[str, ...]
    files: tuple[File, ...] = ()  # those of the training part, then as many of the test part
    scale: int = 255
    made_of: str = ""  # the data set whose images, cut to their middle and averaged, these are


@dataclass(frozen=True, eq=False)
class _Raw:
    images: _decode.Bytes
    labels: _decode.Bytes
    kind: str
    sha256: str


def _files(path: str, url: str, hashes: dict[str, str]) -> tuple[File, ...]:
    return tuple(File(path.format(key), url.format(key), hashes[key]) for key in hashes)


_FASHION = _files(
    "fashion-mnist/{}-ubyte.gz",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/{}-ubyte.gz",
    {
        "train-images-idx3": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)
_MNIST = _files(
    "mnist/{}.parquet",
    "https://huggingface.co/datasets/ylecun/mnist/resolve/"
    "77f3279092a1c1579b2250db8eafed0ad422088c/mnist/{}-00000-of-00001.parquet",
    {
        "train": "f2c01285a9f89399335b00ee4e8d499dc4e46db5e39c74903ce5618d895eb3bf",
        "test": "d49fcf556ce25b002b302e318ce4a11098bbfe5d4499c3f35d7c72297c52374b",
    },
)
_CIFAR10 = _files(
    "cifar10/{}.parquet",
    "https://huggingface.co/datasets/uoft-cs/cifar10/resolve/"
    "0b2714987fa478483af9968de7c934580d0bb9a2/plain_text/{}-00000-of-00001.parquet",
    {
        "train": "8428b53a88a11ac374111006708df51469e315a22ac6d66470afd9c78d2ae883",
        "test": "841389e6f2d64f28bf17310e430aebac20ec3ba611a3c5e231dc93c645ce84de",
    },
)
_DIGITS = tuple("0123456789")
_CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_OBJECTS = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_SPECS = {
    "digits": _Spec((1, 8, 8), 1797, 0, _DIGITS, scale=16),
    "fashion-mnist": _Spec((1, 28, 28), 60_000, 10_000, _CLOTHES, _FASHION),
    "mnist": _Spec((1, 28, 28), 60_000, 10_000, _DIGITS, _MNIST),
    "cifar10": _Spec((3, 32, 32), 50_000, 10_000, _OBJECTS, _CIFAR10),
}
_BOX = 20  # MNIST's digits were scaled into a box of 20 pixels a side, then centred by mass
_SPECS["mnist-8x8"] = replace(_SPECS["mnist"], shape=(1, 8, 8), files=(), made_of="mnist")
NAMES = tuple(_SPECS)


def load(name: str, device: str | torch.device = "cpu", limit: int | None = None) -> Dataset:
    """Load a data set onto a device, downloading it if it is not at hand.

    limit: keep at most this many rows, shared between training and test rows in the data set's own
    proportion, classes balanced to within one row where they can be; the choice is fixed, and a
    smaller limit keeps a subset of a larger one. Raises DataError.
    """
    spec = _spec(name)
    if spec.made_of:
        return _reduced(name, spec, load(spec.made_of, device, limit))
    raw, source = _raw(name, spec)
    images, labels = torch.from_numpy(raw.images), torch.from_numpy(raw.labels).long()
    test_from = spec.train if spec.test else None
    if limit is not None and limit < 1:
        raise DataError(f"limit={limit}: must be at least 1")
    if limit is not None and limit < len(labels):
        test = max(1, round(limit * spec.test / len(labels))) if spec.test else 0
        if limit == test:
            raise DataError(
                f"limit={limit}: {name} needs at least 2, one training and one test row"
            )
        kept_train = _balanced(labels[: spec.train], limit - test)
        kept = torch.cat([kept_train, spec.train + _balanced(labels[spec.train :], test)])
        images, labels = images[kept], labels[kept]
        test_from = len(kept_train) if spec.test else None
    # Move the bytes, not the floats: a quarter of the transfer.
    pixels = images.to(device).to(torch.float32).div_(spec.scale)
    return Dataset(name, pixels, labels.to(device), test_from, spec.classes, source, raw.sha256)


def fingerprint(name: str) -> str | None:
    """Dataset.sha256 of the copy at hand; None where there is none. Never downloads.

    Raises DataError for an unknown name and for a copy that is there but damaged.
    """
    spec = _spec(name)
    if spec.made_of:
        return fingerprint(spec.made_of)
    try:
        return _raw(name, spec, download=False)[0].sha256
    except Absent:
        return None


def split(
    dataset: Dataset, seed: int, train: int, validation: int, test: int | None = None
) -> Split:
    """Draw disjoint training, validation and test rows; the same on every device.

    Where there is an official test set, training and validation come only from the other rows and
    the test rows are the official ones: all of them in order, or `test` of them drawn by the seed.
    Elsewhere the test rows are what remains, or the first `test` of that. Raises DataError.
    """
    rows = len(dataset.labels)
    pool = rows if dataset.test_from is None else dataset.test_from
    asked = f"train={train}, validation={validation}, test={test}"
    if train < 1 or validation < 0 or (test is not None and test < 1):
        raise DataError(f"split {asked}: train and test must be at least 1, validation at least 0")
    if train + validation > pool:
        raise DataError(f"split {asked}: {dataset.name} has {pool} rows to draw train + validation")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(pool, generator=generator)
    if dataset.test_from is None:
        rest = drawn[train + validation :]
    else:
        rest = torch.arange(pool, rows)
        if test is not None:
            rest = rest[torch.randperm(len(rest), generator=generator)]
    if len(rest) < (test or 1):
        raise DataError(f"split {asked}: {dataset.name} leaves {len(rest)} rows for the test")
    parts = drawn[:train], drawn[train : train + validation], rest[:test]
    return Split(*(part.to(dataset.labels.device) for part in parts))


def stratified(labels: Tensor, index: Tensor, per_class: int, seed: int) -> Tensor:
    """A label budget: `per_class` rows of each class, drawn from `index` by the seed.

    labels: int64 [N], of all rows. index: int64 rows to draw from. Returns rows, shuffled, on the
    device of index; under one seed a smaller budget is a subset of a larger one. Raises DataError.
    """
    if per_class < 1:
        raise DataError(f"per_class={per_class}: must be at least 1")
    labels, rows = labels.cpu(), index.cpu()
    rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]
    counts = labels[rows].bincount(minlength=int(labels.max()) + 1)
    for label in labels.unique().tolist():
        if counts[label] < per_class:
            raise DataError(
                f"per_class={per_class}: class {label} has only {counts[label]} of the "
                f"{len(rows)} rows to draw from; ask for fewer, or draw from more rows"
            )
    return rows[_rank_in_class(labels[rows]) < per_class].to(index.device)


def _rank_in_class(labels: Tensor) -> Tensor:
    """For each row, how many rows of its class come before it; int64 [N]."""
    return one_hot(labels).cumsum(0).gather(1, labels[:, None]).squeeze(1) - 1


def _balanced(labels: Tensor, count: int) -> Tensor:
    """`count` row numbers in rising order, dealt class by class in a fixed random order."""
    if not count:
        return torch.arange(0)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    dealt = order[_rank_in_class(labels[order]).argsort(stable=True)]
    return dealt[:count].sort().values


def _reduced(name: str, spec: _Spec, whole: Dataset) -> Dataset:
    """The middle box of the images, averaged down to the shape of `spec`."""
    edge = (whole.images.shape[-1] - _BOX) // 2
    box = whole.images[..., edge : edge + _BOX, edge : edge + _BOX]
    source = f"{whole.source}; the middle {_BOX}×{_BOX} pixels averaged to 8×8"
    return replace(whole, name=name, images=adaptive_avg_pool2d(box, spec.shape[1:]), source=source)


def _spec(name: str) -> _Spec:
    if name not in _SPECS:
        raise DataError(f"unknown data set {name!r}: choose one of {', '.join(NAMES)}")
    return _SPECS[name]


def _raw(name: str, spec: _Spec, download: bool = True) -> tuple[_Raw, str]:
    """The decoded data set, from the cache where it is there, and its source in words."""
    if not spec.files:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = bunch.images.astype(np.uint8)[:, None]
        return _pack(images, bunch.target.astype(np.uint8), ""), "embedded in scikit-learn"
    where, paths, hashes = find(name, spec.files, download)
    key = hashlib.sha256(" ".join((_CACHE_FORMAT, *hashes)).encode()).hexdigest()[:16]
    cached = cache() / "decoded" / f"{name}-{key}.npz"
    raw = _read(cached)
    if raw is None:
        half = len(paths) // 2
        train = _decode.part(paths[:half], spec.shape, spec.train, len(spec.classes))
        test = _decode.part(paths[half:], spec.shape, spec.test, len(spec.classes))
        images, labels = (np.concatenate(pair) for pair in zip(train[:2], test[:2], strict=True))
        raw = _pack(images, labels, "+".join(sorted({train[2], test[2]})))
        _write(cached, raw)
    published = hashes == [file.sha256 for file in spec.files]
    copy = f"{raw.kind} copy, not the published files"
    if "JPEG" in raw.kind:
        copy = "JPEG copy, re-encoded: not the original pixels"
    return raw, f"{where}, {'the published files' if published else copy}"


def _pack(images: _decode.Bytes, labels: _decode.Bytes, kind: str) -> _Raw:
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(images)
    digest.update(labels)
    return _Raw(images, labels, kind, digest.hexdigest())


def _read(path: Path) -> _Raw | None:
    """A decoded copy; None when it is absent or damaged (reading checks each array's CRC-32)."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            kind, sha256 = str(stored["kind"]), str(stored["sha256"])
            return _Raw(stored["images"], stored["labels"], kind, sha256)
    except Exception:  # in whatever way it is damaged, the remedy is to decode again
        return None


def _write(path: Path, raw: _Raw) -> None:
    """Store a decoded copy; it appears under its name whole or not at all."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            np.savez(file, **vars(raw))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
