"""sightings.parquet: every tracked box with its embedding, to replay the identity core later.

A Parquet file without its footer cannot be read, so a killed writer would lose all. While the run goes on,
`sightings.parquet` is therefore a folder of small whole files, which Parquet readers open like one file (pyarrow,
pandas, DuckDB with a glob); a clean close joins them into one real file. What a kill can lose is the part being
gathered: the last 10 seconds of stream time, or the last hundredth of a longer run, so that the number of parts stays
in the hundreds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from savant_reid.errors import DataError, OutputError
from savant_reid.identity.types import Float32s, IdentityEvent
from savant_reid.records import FrameRecord
from savant_reid.sinks.run_folder import SIGHTINGS

SCHEMA_NAME = "savant-reid/sightings/1"
PART_NS = 10_000_000_000
# 50,000 rows with an embedding of 512 floats each are 100 MB; one in ten has one, as the gate sees to.
PART_ROWS = 50_000
_BOX = ("left", "top", "width", "height")


def sightings_schema(embedding_model: str) -> pa.Schema:
    """The file's columns; the metadata name the schema and the model that made the embeddings."""
    floats = [pa.field(name, pa.float32()) for name in (*_BOX, "confidence")]
    ids = [pa.field(name, pa.int64()) for name in ("frame", "time_ns", "track_id")]
    embedding = pa.field("embedding", pa.list_(pa.float32()))
    metadata = {"savant_reid_schema": SCHEMA_NAME, "embedding_model": embedding_model}
    return pa.schema([pa.field("camera", pa.string()), *ids, *floats, embedding], metadata=metadata)


class SightingsSink:
    """Memory: at most PART_ROWS rows."""

    def __init__(self, folder: Path, embedding_model: str) -> None:
        self._schema = sightings_schema(embedding_model)
        self._path = folder / SIGHTINGS
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self._parts = 0
        self._start_ns: int | None = None
        self._part_start_ns = 0
        self._closed = False
        try:
            self._path.mkdir()
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be made: {error.strerror or error}") from error

    def write_frame(self, record: FrameRecord) -> None:
        now_ns = int(record.sightings.time_ns)
        if self._start_ns is None:
            self._start_ns = self._part_start_ns = now_ns
        if len(record.sightings):
            self._batches.append(_batch(record, self._schema))
            self._rows += len(record.sightings)
        part_ns = max(PART_NS, abs(now_ns - self._start_ns) // 100)
        if abs(now_ns - self._part_start_ns) >= part_ns or self._rows >= PART_ROWS:
            self._write_part()
            self._part_start_ns = now_ns

    def write_events(self, events: Sequence[IdentityEvent]) -> None:
        """Events do not change what was seen."""

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._write_part()
        _join(self._path, self._schema)

    def _write_part(self) -> None:
        if not self._batches:
            return
        self._parts += 1
        # Readers of folders pass over names with a leading dot.
        temporary = self._path / f".part-{self._parts:05}.tmp"
        try:
            pq.write_table(pa.Table.from_batches(self._batches, self._schema), temporary)
            os.replace(temporary, self._path / f"part-{self._parts:05}.parquet")
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror or error}") from error
        self._batches, self._rows = [], 0


def read_sightings(path: Path) -> pa.Table:
    """All sightings of a run that was closed, or of one that was killed (as far as it had got).

    Columns as in docs/metadata.md. Raises DataError for what is neither.
    """
    parts = path.with_name(path.name + ".parts")
    source = path if path.exists() or not parts.exists() else parts
    try:
        table = pq.read_table(source)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: expected sightings in Parquet, found: {error}") from error
    expected = sightings_schema("").names
    if table.column_names != expected:
        raise DataError(f"{path}: expected the columns {', '.join(expected)}, found {', '.join(table.column_names)}")
    return table


def embedding_model(table: pa.Table) -> str:
    """Name of the model that made the embeddings of `table`; empty where the file does not say."""
    return (table.schema.metadata or {}).get(b"embedding_model", b"").decode()


def _batch(record: FrameRecord, schema: pa.Schema) -> pa.RecordBatch:
    sightings = record.sightings
    n = len(sightings)
    columns = [
        pa.array([sightings.camera] * n, pa.string()),
        pa.array(np.full(n, record.frame, np.int64)),
        pa.array(np.full(n, sightings.time_ns, np.int64)),
        pa.array(np.asarray(sightings.track_ids, np.int64)),
        *(pa.array(np.ascontiguousarray(sightings.boxes[:, i], np.float32)) for i in range(4)),
        pa.array(np.asarray(sightings.confidences, np.float32)),
        _embeddings(np.asarray(sightings.embedding_of), sightings.embeddings),
    ]
    return pa.record_batch(columns, schema=schema)


def _embeddings(embedding_of: np.ndarray, embeddings: Float32s) -> pa.ListArray:
    """One list per row of `embedding_of` (n,) int64, null where it is -1."""
    has = embedding_of >= 0
    size = embeddings.shape[1] if has.any() else 0
    values = np.asarray(embeddings, np.float32)[embedding_of[has]].ravel() if size else np.zeros(0, np.float32)
    offsets = np.concatenate([[0], np.cumsum(has * size)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), mask=pa.array(~has))


def _join(folder: Path, schema: pa.Schema) -> None:
    """The folder of parts becomes one file, a row group per part; a kill in between leaves the parts."""
    joined = folder.with_name(folder.name + ".tmp")
    parts = folder.with_name(folder.name + ".parts")
    try:
        with pq.ParquetWriter(joined, schema) as writer:
            for part in sorted(folder.glob("part-*.parquet")):
                writer.write_table(pq.read_table(part))
        os.replace(folder, parts)
        os.replace(joined, folder)
        for part in parts.iterdir():
            part.unlink()
        parts.rmdir()
    except OSError as error:
        raise OutputError(f"{folder}: the parts could not be joined: {error.strerror or error}") from error
