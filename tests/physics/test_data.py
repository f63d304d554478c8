"""The loader on small made-up files: every refusal, parity with a plain decoder, cache, splits.

The last section reads the real data sets, and skips where they are not at hand.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import struct
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from synthecon.physics import data

TRAIN, TEST = 60, 20  # rows of the made-up data sets
IMAGES = "fashion-mnist/train-images-idx3-ubyte.gz"
LABELS = "fashion-mnist/train-labels-idx1-ubyte.gz"


def idx(array: np.ndarray) -> bytes:
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.tobytes())


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def table(images: np.ndarray, labels, column: str, kind: str = "PNG") -> pa.Table:
    rows = [{"bytes": encoded(image, kind), "path": None} for image in images]
    struct_type = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    return pa.table({column: pa.array(rows, struct_type), "label": pa.array(labels, pa.int64())})


class Made:
    """Made-up copies of the three file-based data sets, and what they were made from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        random = np.random.default_rng(0)
        self.truth: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for name, size in {
            "fashion-mnist": (28, 28),
            "mnist": (28, 28),
            "cifar10": (32, 32, 3),
        }.items():
            images = random.integers(0, 256, (TRAIN + TEST, *size), dtype=np.uint8)
            labels = random.permutation(np.arange(TRAIN + TEST) % 10).astype(np.uint8)
            self.truth[name] = images, labels
            (folder / name).mkdir(parents=True)
            for part, stem, rows in (
                ("train", "train", slice(TRAIN)),
                ("test", "t10k", slice(TRAIN, None)),
            ):
                if name == "fashion-mnist":
                    self.put(f"{name}/{stem}-images-idx3-ubyte.gz", idx(images[rows]))
                    self.put(f"{name}/{stem}-labels-idx1-ubyte.gz", idx(labels[rows]))
                else:
                    column = "image" if name == "mnist" else "img"
                    self.put(f"{name}/{part}.parquet", table(images[rows], labels[rows], column))

    def put(self, path: str, content: bytes | pa.Table) -> None:
        if isinstance(content, pa.Table):
            pq.write_table(content, self.folder / path)
        else:
            (self.folder / path).write_bytes(content)
        sums = [
            f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(self.folder)}"
            for file in sorted(self.folder.glob("*/*"))
        ]
        (self.folder / "SHA256SUMS").write_text("\n".join(sums) + "\n")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setenv("SYNTHECON_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SYNTHECON_CACHE", str(tmp_path / "cache"))
    for name in ("fashion-mnist", "mnist", "cifar10"):
        spec = replace(data._SPECS[name], train=TRAIN, test=TEST)
        monkeypatch.setitem(data._SPECS, name, spec)
    return Made(tmp_path / "data")


def refused(name: str, *parts: str) -> None:
    """Loading fails with a DataError that says each of the parts, and leaves no decoded copy."""
    with pytest.raises(data.DataError) as caught:
        data.load(name)
    for part in parts:
        assert part in str(caught.value)
    assert not list(Path(os.environ["SYNTHECON_CACHE"]).glob("decoded/*"))


# What is read


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist", "cifar10"])
def test_pixels_and_labels_are_those_of_the_files(made: Made, name: str) -> None:
    images, labels = made.truth[name]
    expected = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    for dataset in (data.load(name), data.load(name)):  # decoded, then from the cache
        assert dataset.images.dtype == torch.float32 and dataset.labels.dtype == torch.int64
        assert np.array_equal(dataset.images.numpy(), expected.astype(np.float32) / np.float32(255))
        assert dataset.labels.tolist() == labels.tolist()
        assert dataset.test_from == TRAIN and len(dataset.classes) == 10
        assert dataset.sha256 == data.fingerprint(name)
        assert "SYNTHECON_DATA" in dataset.source and "not the published" in dataset.source


def test_digits_are_scikit_learns() -> None:
    dataset, bunch = data.load("digits"), load_digits()
    assert dataset.images.shape == (1797, 1, 8, 8) and dataset.test_from is None
    assert np.array_equal(dataset.images[:, 0].numpy() * 16, bunch.images)
    assert dataset.labels.tolist() == bunch.target.tolist()
    assert dataset.sha256 == data.fingerprint("digits")


def test_source_tells_a_jpeg_copy(made: Made) -> None:
    images, labels = made.truth["cifar10"]
    before = data.load("cifar10")
    made.put("cifar10/train.parquet", table(images[:TRAIN], labels[:TRAIN], "img", "JPEG"))
    after = data.load("cifar10")  # the changed file is noticed although a decoded copy exists
    assert "JPEG" in after.source and "JPEG" not in before.source
    assert after.sha256 != before.sha256


def test_every_pixel_and_label_is_in_the_hash(made: Made) -> None:
    images, labels = made.truth["fashion-mnist"]
    first = data.fingerprint("fashion-mnist")
    labels = labels[:TRAIN].copy()
    labels[[0, 1]] = (labels[0] + 1) % 10, labels[1]
    made.put(LABELS, idx(labels))
    second = data.fingerprint("fashion-mnist")
    pixels = images[:TRAIN].copy()
    pixels[-1, -1, -1] ^= 1
    made.put(IMAGES, idx(pixels))
    assert len({first, second, data.fingerprint("fashion-mnist")}) == 3


def test_published_files_are_known_by_their_hashes(made: Made, monkeypatch) -> None:
    publish(made, "mnist", monkeypatch, "http://unused")
    (made.folder / "SHA256SUMS").unlink()
    assert data.load("mnist").source.endswith("the published files")


def test_limit_keeps_proportion_balance_and_nesting(made: Made) -> None:
    whole = data.load("mnist")
    small, larger = data.load("mnist", limit=24), data.load("mnist", limit=40)
    assert len(small.images) == 24 and small.test_from == 18 and larger.test_from == 30
    assert len(data.load("mnist", limit=10**6).images) == TRAIN + TEST
    assert small.sha256 == whole.sha256
    for part, official in ((slice(18), slice(TRAIN)), (slice(18, None), slice(TRAIN, None))):
        counts = small.labels[part].bincount(minlength=10)
        assert counts.max() - counts.min() <= 1
        source = {image.numpy().tobytes() for image in whole.images[official]}
        assert {image.numpy().tobytes() for image in small.images[part]} <= source
    kept = {image.numpy().tobytes() for image in larger.images}
    assert {image.numpy().tobytes() for image in small.images} <= kept
    assert len(data.load("digits", limit=100).labels) == 100


# What is refused


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(data.DataError, match=r"'minst'.*digits, fashion-mnist, mnist, cifar10"):
        data.load("minst")
    with pytest.raises(data.DataError, match="unknown data set"):
        data.fingerprint("minst")


@pytest.mark.parametrize("limit", [0, -3, 1])
def test_limit_too_small(made: Made, limit: int) -> None:
    with pytest.raises(data.DataError, match=f"limit={limit}"):
        data.load("mnist", limit=limit)


@pytest.mark.parametrize("path", [IMAGES, LABELS])
def test_truncated_gzip(made: Made, path: str) -> None:
    made.put(path, (made.folder / path).read_bytes()[:-9])
    refused("fashion-mnist", path, "not a whole gzip file")


def test_gzip_with_too_few_values(made: Made) -> None:
    raw = gzip.decompress((made.folder / IMAGES).read_bytes())
    for size in (len(raw) - 1, 6):
        made.put(IMAGES, gzip.compress(raw[:size]))
        refused("fashion-mnist", IMAGES, "header promises")


def test_wrong_magic_number(made: Made) -> None:
    made.put(IMAGES, (made.folder / LABELS).read_bytes())
    refused("fashion-mnist", IMAGES, "magic number 00000801, expected 00000803")


def test_images_and_labels_differ_in_number(made: Made) -> None:
    made.put(LABELS, idx(made.truth["fashion-mnist"][1][: TRAIN - 1]))
    refused("fashion-mnist", "60 images", "59 labels")


def test_idx_images_of_another_size(made: Made) -> None:
    made.put(IMAGES, idx(made.truth["fashion-mnist"][0][:TRAIN, :, 1:]))
    refused("fashion-mnist", IMAGES, "28x27", "expected 28x28")


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_too_few_rows(made: Made, name: str) -> None:
    images, labels = made.truth[name]
    made.put(f"{name}/test.parquet", table(images[TRAIN:-1], labels[TRAIN:-1], "img"))
    refused(name, f"{name}/test.parquet", "19 rows, expected 20")


def test_idx_label_out_of_range(made: Made) -> None:
    labels = made.truth["fashion-mnist"][1][:TRAIN].copy()
    labels[7] = 10
    made.put(LABELS, idx(labels))
    refused("fashion-mnist", LABELS, "row 7", "label 10", "0-9")


@pytest.mark.parametrize("label", [-1, 10, 256])
def test_parquet_label_out_of_range(made: Made, label: int) -> None:
    images, labels = made.truth["mnist"]
    labels = labels[:TRAIN].astype(np.int64)
    labels[7] = label
    made.put("mnist/train.parquet", table(images[:TRAIN], labels, "image"))
    refused("mnist", "mnist/train.parquet", "row 7", f"label {label}")


def test_parquet_label_missing(made: Made) -> None:
    images, labels = made.truth["mnist"]
    rows = [None, *labels[1:TRAIN].tolist()]
    made.put("mnist/train.parquet", table(images[:TRAIN], rows, "image"))
    refused("mnist", "mnist/train.parquet", "'label'", "null")


def test_truncated_parquet(made: Made) -> None:
    made.put("mnist/train.parquet", (made.folder / "mnist/train.parquet").read_bytes()[:-50])
    refused("mnist", "mnist/train.parquet", "not a whole Parquet file")


def test_damaged_parquet_page(made: Made) -> None:
    content = bytearray((made.folder / "mnist/train.parquet").read_bytes())
    content[100:3000] = bytes(2900)
    made.put("mnist/train.parquet", bytes(content))
    refused("mnist", "mnist/train.parquet")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"picture": "image", "label": "label"}, "no column 'image' (or 'img')"),
        ({"image": "image", "fine_label": "label"}, "no column 'label'"),
        ({"image": "label", "label": "label"}, "column 'image' is int64"),
        ({"image": "image", "label": "image"}, "column 'label' is struct"),
    ],
)
def test_wrong_columns(made: Made, columns: dict[str, str], said: str) -> None:
    images, labels = made.truth["mnist"]
    good = table(images[:TRAIN], labels[:TRAIN], "image")
    bad = pa.table({name: good[source] for name, source in columns.items()})
    made.put("mnist/train.parquet", bad)
    refused("mnist", "mnist/train.parquet", said)


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (encoded(np.zeros((28, 27), np.uint8)), "image is 27x28 L, expected 28x28 L"),
        (encoded(np.zeros((28, 28, 3), np.uint8)), "image is 28x28 RGB, expected 28x28 L"),
        (encoded(np.zeros((28, 28), np.uint8))[:50], "not a readable image"),
        (b"not an image", "not a readable image"),
        (None, "not a readable image"),
    ],
)
def test_odd_image(made: Made, odd: bytes | None, said: str) -> None:
    images, labels = made.truth["mnist"]
    rows = table(images[:TRAIN], labels[:TRAIN], "image").to_pylist()
    rows[11]["image"]["bytes"] = odd
    made.put("mnist/train.parquet", pa.Table.from_pylist(rows))
    refused("mnist", "mnist/train.parquet", "row 11", said)


def test_wrong_hash(made: Made) -> None:
    content = (made.folder / IMAGES).read_bytes()
    (made.folder / IMAGES).write_bytes(content + b"\0")  # without a new line in SHA256SUMS
    given, expected = hashlib.sha256(content + b"\0"), hashlib.sha256(content)
    refused("fashion-mnist", IMAGES, given.hexdigest(), expected.hexdigest(), "SHA256SUMS")


def test_unlisted_copy_is_refused_and_says_how_to_accept_it(made: Made) -> None:
    (made.folder / "SHA256SUMS").unlink()
    refused("cifar10", "train.parquet", data._CIFAR10[0].sha256, "put its hash into", "SHA256SUMS")


def test_folder_that_is_not_there(made: Made, monkeypatch) -> None:
    monkeypatch.setenv("SYNTHECON_DATA", str(made.folder / "none"))
    refused("mnist", "SYNTHECON_DATA", "not a folder")


def test_incomplete_folder(made: Made) -> None:
    (made.folder / "mnist/test.parquet").unlink()
    refused("mnist", "incomplete", "mnist/test.parquet")


# The cache


def decoded() -> Path:
    (path,) = Path(os.environ["SYNTHECON_CACHE"]).glob("decoded/*")
    return path


@pytest.mark.parametrize("damage", ["cut", "empty", "pixel", "label"])
def test_damaged_decoded_copy_is_rebuilt(made: Made, damage: str) -> None:
    good = data.load("mnist")
    content = bytearray(decoded().read_bytes())
    if damage == "pixel":
        content[5000] ^= 1
    if damage == "label":
        content[content.index(b"labels.npy") + 170] ^= 1
    decoded().write_bytes(content[: {"cut": len(content) // 2, "empty": 0}.get(damage)])
    assert data._read(decoded()) is None
    again = data.load("mnist")
    assert torch.equal(again.images, good.images) and torch.equal(again.labels, good.labels)
    assert data._read(decoded()) is not None


def test_decoded_copy_is_used(made: Made, monkeypatch) -> None:
    data.load("mnist")
    monkeypatch.setattr(data._decode, "part", None)  # decoding again would fail
    data.load("mnist")


def test_full_disk(made: Made, monkeypatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        refused("mnist", "No space left on device", "SYNTHECON_CACHE")
    data.load("mnist")


def test_interrupted_write_leaves_nothing(made: Made, monkeypatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupt)
    with pytest.raises(KeyboardInterrupt):
        data.load("mnist")
    assert not list(Path(os.environ["SYNTHECON_CACHE"]).glob("decoded/*"))


def test_nothing_is_printed(made: Made, capfd) -> None:
    data.load("mnist")
    assert capfd.readouterr() == ("", "")


# Downloads, from a server on this machine


def publish(made: Made, name: str, monkeypatch, server: str) -> None:
    """Take the made-up files for the published ones, at the address of the server."""
    files = tuple(
        data.File(
            file.path,
            f"{server}/{file.path}",
            hashlib.sha256((made.folder / file.path).read_bytes()).hexdigest(),
        )
        for file in data._SPECS[name].files
    )
    monkeypatch.setitem(data._SPECS, name, replace(data._SPECS[name], files=files))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(made: Made, monkeypatch):
    """The made-up files can only be downloaded."""
    monkeypatch.delenv("SYNTHECON_DATA")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=made.folder)) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist"])
def test_download(made: Made, server: str, name: str, monkeypatch, capfd) -> None:
    publish(made, name, monkeypatch, server)
    assert data.fingerprint(name) is None
    first = data.load(name)
    assert first.source == "downloaded, the published files"
    publish(made, name, monkeypatch, "http://127.0.0.1:9")  # nobody there: it must not be asked
    assert torch.equal(data.load(name).images, first.images)
    assert data.fingerprint(name) == first.sha256
    assert capfd.readouterr() == ("", "")


def test_damaged_download_is_fetched_again(made: Made, server: str, monkeypatch) -> None:
    publish(made, "mnist", monkeypatch, server)
    first = data.load("mnist")
    path = Path(os.environ["SYNTHECON_CACHE"]) / "downloads/mnist/train.parquet"
    path.write_bytes(path.read_bytes()[:100])
    assert data.fingerprint("mnist") is None
    assert data.load("mnist").sha256 == first.sha256


def test_download_of_another_file(made: Made, server: str, monkeypatch) -> None:
    publish(made, "mnist", monkeypatch, server)
    made.put("mnist/train.parquet", b"another file")
    refused("mnist", "mnist/train.parquet", "hash")
    assert not list(Path(os.environ["SYNTHECON_CACHE"]).glob("downloads/*/*"))


def test_without_network_the_error_says_how_to_get_the_data(made: Made, server, monkeypatch):
    publish(made, "fashion-mnist", monkeypatch, "http://127.0.0.1:9")
    urls = [f"{file.path}  from  {file.url}" for file in data._SPECS["fashion-mnist"].files]
    refused("fashion-mnist", "fashion-mnist is not at hand", "SYNTHECON_DATA", *urls)


def test_pinned_urls_name_a_revision() -> None:
    for name in data.NAMES:
        for file in data._SPECS[name].files:
            assert file.url.startswith("https://") and len(file.sha256) == 64
            assert any(len(step) == 40 for step in file.url.split("/"))
            assert file.path.startswith(f"{name}/")


# Splits and label budgets


def dataset(rows: int, test_from: int | None) -> data.Dataset:
    labels = torch.arange(rows) % 3
    return data.Dataset("made-up", torch.zeros(rows, 1, 1, 1), labels, test_from, ("a",), "", "")


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 2**31), st.integers(3, 80), st.booleans())
def test_split_is_disjoint_covers_and_is_deterministic(draws, seed, rows, official) -> None:
    test_from = draws.draw(st.integers(2, rows - 1)) if official else None
    pool = test_from or rows - 1
    train = draws.draw(st.integers(1, pool))
    validation = draws.draw(st.integers(0, pool - train))
    whole = data.split(dataset(rows, test_from), seed, train, validation)
    parts = whole.train.tolist(), whole.validation.tolist(), whole.test.tolist()
    assert (len(parts[0]), len(parts[1])) == (train, validation)
    drawn = [*parts[0], *parts[1], *parts[2]]
    assert len(set(drawn)) == len(drawn)
    if official:
        assert parts[2] == list(range(test_from, rows)) and max(parts[0] + parts[1]) < test_from
    else:
        assert sorted(drawn) == list(range(rows))
    test = draws.draw(st.integers(1, len(parts[2])))
    again = data.split(dataset(rows, test_from), seed, train, validation, test)
    assert (again.train.tolist(), again.validation.tolist()) == parts[:2]
    assert len(again.test) == test and set(again.test.tolist()) <= set(parts[2])


def test_split_depends_on_the_seed() -> None:
    made_up = dataset(500, 400)
    one, other = (data.split(made_up, seed, 300, 50, 60) for seed in (1, 2))
    assert one.train.tolist() != other.train.tolist()
    assert one.test.tolist() != other.test.tolist()


@pytest.mark.parametrize(
    ("train", "validation", "test", "said"),
    [
        (0, 5, None, "train and test must be at least 1"),
        (5, -1, None, "validation at least 0"),
        (5, 5, 0, "train and test must be at least 1"),
        (30, 11, None, "40 rows"),
        (30, 10, 11, "leaves 10 rows"),
    ],
)
def test_split_sizes_that_do_not_fit(train, validation, test, said) -> None:
    with pytest.raises(data.DataError, match=said):
        data.split(dataset(50, 40), 0, train, validation, test)


def test_split_without_official_test_must_leave_one() -> None:
    with pytest.raises(data.DataError, match="leaves 0 rows"):
        data.split(dataset(50, None), 0, 40, 10)
    assert len(data.split(data.load("digits"), 0, 1000, 200).test) == 597


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 5), st.permutations(range(40)))
def test_label_budget_is_balanced_and_nested(seed: int, per_class: int, rows: list[int]) -> None:
    labels = torch.tensor([row % 4 for row in range(40)])
    index = torch.tensor([row for row in rows if row >= 8])
    budget = data.stratified(labels, index, per_class, seed)
    assert labels[budget].bincount().tolist() == [per_class] * 4
    assert len(set(budget.tolist())) == len(budget) and set(budget.tolist()) <= set(index.tolist())
    larger = data.stratified(labels, index, per_class + 1, seed)
    assert set(budget.tolist()) <= set(larger.tolist())
    assert budget.tolist() == data.stratified(labels, index, per_class, seed).tolist()


def test_label_budget_with_too_few_of_a_class() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2])
    with pytest.raises(data.DataError, match="class 2 has only 1 of the 5"):
        data.stratified(labels, torch.arange(5), 2, 0)
    with pytest.raises(data.DataError, match="class 2 has only 0 of the 4"):
        data.stratified(labels, torch.arange(4), 1, 0)
    with pytest.raises(data.DataError, match="per_class=0"):
        data.stratified(labels, torch.arange(5), 0, 0)


# The real data sets


@pytest.mark.parametrize(
    ("name", "counts", "mean"),
    [  # mean pixel of the training images, as widely published
        ("fashion-mnist", [7000] * 10, (0.2860,)),
        ("mnist", [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958], (0.1307,)),
        ("cifar10", [6000] * 10, (0.4914, 0.4822, 0.4465)),
    ],
)
def test_real_data(name: str, counts: list[int], mean: tuple[float, ...]) -> None:
    if data.fingerprint(name) is None:
        pytest.skip(f"{name} is not at hand: SYNTHECON_DATA does not name it, and no cache has it")
    dataset = data.load(name)
    assert dataset.labels.bincount().tolist() == counts
    assert dataset.images.min() == 0 and dataset.images.max() == 1
    means = dataset.images[: dataset.test_from].mean((0, 2, 3))
    assert means.numpy() == pytest.approx(mean, abs=3e-3)
    assert data.load(name, limit=70).test_from == (58 if name == "cifar10" else 60)


def test_mnist_in_the_size_of_digits_is_the_mean_of_the_middle():
    if data.fingerprint("mnist") is None:
        pytest.skip("mnist is not at hand: set SYNTHECON_DATA, or fetch it once")
    whole, small = data.load("mnist", limit=70), data.load("mnist-8x8", limit=70)
    assert small.images.shape == (70, 1, 8, 8) and small.test_from == whole.test_from
    assert torch.equal(small.labels, whole.labels) and small.sha256 == whole.sha256
    # 20 pixels over 8: a pixel of the small image averages rows and columns 2.5 apart, so the mean
    # of all is that of the box up to the pixels that two windows share.
    box = whole.images[..., 4:24, 4:24]
    corner = box[..., :3, :3].mean((-1, -2))
    torch.testing.assert_close(small.images[..., 0, 0], corner)
    assert data.fingerprint("mnist-8x8") == whole.sha256
    assert "averaged to 8×8" in small.source
