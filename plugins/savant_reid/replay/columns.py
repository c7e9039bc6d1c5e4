"""The columns of sightings.parquet: what is accepted, and how they become arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from savant_reid.errors import DataError

BOX = ("left", "top", "width", "height")
IDS = ("frame", "time_ns", "track_id")
REQUIRED = ("camera", *IDS, *BOX, "confidence", "embedding")
# float32 rounds 1 up by so much at the most.
MOST_CONFIDENT = 1.0 + 1e-6

Int64s = NDArray[np.int64]
Float32s = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """Sightings as columns, (n,) each.

    camera: index into the site's cameras. boxes: (n, 4) ltwh pixels. embedding_of: row in `embeddings` (m, D), or -1;
    rows of `embeddings` are in the order of the sightings.
    """

    camera: Int64s
    frame: Int64s
    time_ns: Int64s
    track_id: Int64s
    boxes: Float32s
    confidences: Float32s
    embedding_of: Int64s
    embeddings: Float32s

    def __len__(self) -> int:
        return len(self.camera)


def check_columns(schema: pa.Schema, name: object) -> None:
    """Raises DataError that names every column that is missing or of a type that cannot be read."""
    missing = [column for column in REQUIRED if column not in schema.names]
    if missing:
        raise DataError(f"{name}: expected the columns {', '.join(REQUIRED)}, found no {', '.join(missing)}")
    doubled = sorted({column for column in REQUIRED if schema.names.count(column) > 1})
    if doubled:
        raise DataError(f"{name}: expected each column once, found {', '.join(doubled)} more than once")
    wrong = [
        f"{name}: {column}: expected {expected}, found {schema.field(column).type}"
        for column, expected in _expected().items()
        if not _fits(column, schema.field(column).type)
    ]
    if wrong:
        raise DataError("\n".join(wrong))


def camera_indices(batch: pa.RecordBatch, index: Mapping[str, int], name: object) -> Int64s:
    """(n,) index of each row's camera, -1 for a name that `index` does not have. Raises DataError for nulls."""
    column = _without_null(batch, "camera", name)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    known = np.array([index.get(name, -1) for name in column.dictionary.to_pylist()] or [-1], np.int64)
    return np.asarray(known[column.indices.to_numpy(zero_copy_only=False)], np.int64)


def integers(batch: pa.RecordBatch, column: str, name: object) -> Int64s:
    """(n,) int64. Raises DataError for nulls, and for what int64 cannot hold."""
    values = _without_null(batch, column, name)
    try:
        return np.asarray(values.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    except pa.ArrowInvalid as error:
        raise DataError(f"{name}: {column}: expected int64, found {values.type} that does not fit: {error}") from error


def floats(batch: pa.RecordBatch, column: str) -> Float32s:
    """(n,) float32; null becomes NaN (pandas writes NaN as null), and is refused where NaN is."""
    values = batch.column(column)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes Inf, and is refused as such
        return np.asarray(values.to_numpy(zero_copy_only=False)).astype(np.float32)


def boxes(batch: pa.RecordBatch) -> Float32s:
    """(n, 4) ltwh."""
    return np.stack([floats(batch, column) for column in BOX], axis=1)


def whole_boxes(found: Float32s) -> NDArray[np.bool_]:
    """(n,) True where a box (n, 4) has numbers, and a size."""
    return np.asarray(np.isfinite(found).all(axis=1) & (found[:, 2] > 0) & (found[:, 3] > 0))


def embedding_lengths(batch: pa.RecordBatch) -> Int64s:
    """(n,) floats in each row's embedding, -1 where there is none."""
    column = batch.column("embedding")
    if pa.types.is_null(column.type):
        return np.full(len(column), -1, np.int64)
    lengths = pc.list_value_length(column).cast(pa.int64())
    return np.asarray(lengths.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def embeddings(batch: pa.RecordBatch, length: int) -> tuple[Int64s, Float32s, int]:
    """`embedding_of` (n,), embeddings (m, length), and how many rows have one of another length: left out."""
    lengths = embedding_lengths(batch)
    has = lengths == length
    others = int((lengths >= 0).sum() - has.sum())
    embedding_of = np.full(len(lengths), -1, np.int64)
    if length < 1 or not has.any():
        return embedding_of, np.zeros((0, max(length, 0)), np.float32), others
    column = batch.column("embedding")
    if others:
        column = column.filter(pa.array(has))
    with np.errstate(over="ignore"):
        values = np.asarray(column.flatten().to_numpy(zero_copy_only=False)).astype(np.float32, copy=False)
    embedding_of[has] = np.arange(int(has.sum()))
    return embedding_of, values.reshape(-1, length), others


def _without_null(batch: pa.RecordBatch, column: str, name: object) -> Any:
    values = batch.column(column)
    if values.null_count:
        raise DataError(f"{name}: {column}: expected a value in every row, found {values.null_count} null")
    return values


def _expected() -> dict[str, str]:
    return {
        "camera": "string",
        **dict.fromkeys(IDS, "int64 (or another integer)"),
        **dict.fromkeys((*BOX, "confidence"), "float32 (or another number)"),
        "embedding": "list of float32 (or of float64 or float16, large or of a fixed size)",
    }


def _fits(column: str, kind: Any) -> bool:
    if column == "camera":
        text = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(text) or pa.types.is_large_string(text))
    if column in IDS:
        return bool(pa.types.is_integer(kind))
    if column == "embedding":
        lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
        is_list = any(is_kind(kind) for is_kind in lists)
        return bool(pa.types.is_null(kind) or (is_list and pa.types.is_floating(kind.value_type)))
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
