"""Files to pixels: readers for IDX (gzip) and hub Parquet, which trust nothing they read."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Shape = tuple[int, int, int]  # channels, height, width


class DataError(ValueError):
    """A data set is missing, damaged or asked for in a way it cannot serve."""


def part(paths: Sequence[Path], shape: Shape, rows: int, classes: int) -> tuple[Bytes, Bytes, str]:
    """One part (training or test) of a data set: an IDX pair of images and labels, or a Parquet.

    Returns uint8 images [rows, C, H, W] (0-255), uint8 labels [rows] and the kind of image that
    was decoded ("IDX", "PNG", "JPEG"). Raises DataError unless all of it is as expected.
    """
    if len(paths) == 2:
        images, labels, kind = *idx_pair(paths[0], paths[1], shape), "IDX"
    else:
        images, labels, kind = parquet(paths[0], shape)
    if len(labels) != rows:
        raise DataError(f"{paths[0]}: {len(labels)} rows, expected {rows}: fetch the whole file")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(f"{paths[-1]}: row {row}, label {labels[row]}: must lie in 0-{classes - 1}")
    return images, labels.astype(np.uint8), kind


def idx_pair(images_path: Path, labels_path: Path, shape: Shape) -> tuple[Bytes, Bytes]:
    """Images [N, C, H, W] and labels [N] of two gzipped IDX files."""
    images, labels = idx(images_path, 3), idx(labels_path, 1)
    if images.shape[1:] != shape[1:]:
        given, expected = "x".join(map(str, images.shape[1:])), f"{shape[1]}x{shape[2]}"
        raise DataError(f"{images_path}: images of {given} pixels, expected {expected}")
    if len(images) != len(labels):
        raise DataError(
            f"{images_path}: {len(images)} images, but {labels_path} has {len(labels)} labels"
        )
    return images.reshape(-1, *shape), labels


def idx(path: Path, dimensions: int) -> Bytes:
    """The array in a gzipped IDX file of unsigned bytes.

    Format: two zero bytes, type 8, the number of dimensions, each size as a big-endian uint32,
    then the values. Source: http://yann.lecun.com/exdb/mnist/
    """
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a whole gzip file ({error}): fetch it again") from error
    magic = bytes((0, 0, 8, dimensions))
    if raw[:4] != magic:
        raise DataError(
            f"{path}: magic number {raw[:4].hex()}, expected {magic.hex()} "
            f"(IDX, unsigned bytes, {dimensions} dimensions): is it another file?"
        )
    start = 4 + 4 * dimensions
    sizes = struct.unpack(f">{dimensions}I", raw[4:start]) if len(raw) >= start else ()
    values = len(raw) - start
    if not sizes or values != math.prod(sizes):
        raise DataError(
            f"{path}: {max(values, 0)} values where the header promises {sizes or 'sizes'}: "
            "the file is cut short or damaged, fetch it again"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(sizes)


def parquet(path: Path, shape: Shape) -> tuple[Bytes, NDArray[np.int64], str]:
    """Images [N, C, H, W], labels [N] and image format of a Parquet in the hub's layout.

    Columns: `image` or `img`, a struct with the encoded file in `bytes`; `label`, an integer.
    """
    import pyarrow as pa  # slow to import, and not needed once the decoded copy is cached
    import pyarrow.parquet as pq
    from tqdm import tqdm

    try:
        with pq.ParquetFile(path) as file:
            column = _image_column(file.schema_arrow, path)
            channels, height, width = shape
            images = np.empty((file.metadata.num_rows, height, width, channels), np.uint8)
            labels = np.empty(len(images), np.int64)
            kinds: set[str] = set()
            row = 0
            # tqdm: only on a terminal (disable=None), only when it takes longer than a second.
            with tqdm(total=len(images), desc=path.name, disable=None, delay=1) as bar:
                for batch in file.iter_batches(1000, columns=[column, "label"]):
                    if batch["label"].null_count:
                        raise DataError(f"{path}: column 'label', rows from {row}: a label is null")
                    labels[row : row + len(batch)] = batch["label"].to_numpy()
                    for encoded in batch[column].field("bytes"):
                        pixels, kind = _pixels(encoded.as_py(), shape, f"{path}: row {row}")
                        images[row] = pixels.reshape(height, width, channels)
                        kinds.add(kind)
                        row += 1
                    bar.update(len(batch))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a whole Parquet file ({error}): fetch it again") from error
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)), labels, "+".join(sorted(kinds))


def _image_column(schema, path: Path) -> str:
    """The name of the image column, once both columns are known to be of the right type."""
    import pyarrow as pa

    names = schema.names
    column = next((name for name in ("image", "img") if name in names), None)
    if column is None or "label" not in names:
        wanted = "'label'" if column else "'image' (or 'img')"
        raise DataError(f"{path}: no column {wanted}; the file has {', '.join(names)}")
    kind = schema.field(column).type
    fields = {field.name: field.type for field in kind} if pa.types.is_struct(kind) else {}
    if fields.get("bytes") not in (pa.binary(), pa.large_binary()):
        raise DataError(f"{path}: column '{column}' is {kind}, expected struct<bytes: binary, ...>")
    if not pa.types.is_integer(schema.field("label").type):
        raise DataError(
            f"{path}: column 'label' is {schema.field('label').type}, expected an integer"
        )
    return column


def _pixels(encoded: bytes | None, shape: Shape, where: str) -> tuple[Bytes, str]:
    from PIL import Image

    mode = "L" if shape[0] == 1 else "RGB"
    try:
        image = Image.open(io.BytesIO(encoded or b""))
        image.load()
    except Exception as error:  # Pillow reports damage by a dozen kinds of exception
        raise DataError(f"{where}: not a readable image ({error})") from error
    if image.size != (shape[2], shape[1]) or image.mode != mode:
        given, expected = f"{image.width}x{image.height}", f"{shape[2]}x{shape[1]}"
        raise DataError(
            f"{where}: image is {given} {image.mode}, expected {expected} {mode} (width x height)"
        )
    return np.asarray(image), str(image.format)
