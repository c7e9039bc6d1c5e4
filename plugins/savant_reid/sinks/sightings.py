"""sightings.parquet: every tracked box with its embedding, to replay the identity core later.

A Parquet file without its footer cannot be read, so a killed writer would lose all. While the run goes on,
`sightings.parquet` is therefore a folder of small whole files, which Parquet readers open like one file (pyarrow,
pandas, DuckDB with a glob); a clean close joins them into one real file. What a kill can lose is the part being
gathered: the last 10 seconds of stream time, or the last hundredth of a longer run, so that the number of parts stays
in the hundreds.

Frames without people have no rows. What a replay needs to know of them is in the file's metadata: each camera's picture
size, and its first and last frame.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from savant_reid.errors import DataError, OutputError
from savant_reid.identity.types import IdentityEvent, Sightings
from savant_reid.records import FrameRecord
from savant_reid.sinks.run_folder import SIGHTINGS

SCHEMA_NAME = "savant-reid/sightings/1"
# Keys of the file's metadata.
SCHEMA_KEY, MODEL_KEY, CAMERAS_KEY = "savant_reid_schema", "embedding_model", "cameras"
PART_NS = 10_000_000_000
# 50,000 rows with an embedding of 512 floats each are 100 MB; one in ten has one, as the gate sees to.
PART_ROWS = 50_000
_BOX = ("left", "top", "width", "height")


def sightings_schema(embedding_model: str, cameras: Mapping[str, Mapping[str, int]] | None = None) -> pa.Schema:
    """The file's columns; the metadata name the schema and the model that made the embeddings.

    cameras: what is known of each stream: width, height, first_frame, first_ns, last_frame, last_ns.
    """
    floats = [pa.field(name, pa.float32()) for name in (*_BOX, "confidence")]
    ids = [pa.field(name, pa.int64()) for name in ("frame", "time_ns", "track_id")]
    embedding = pa.field("embedding", pa.list_(pa.float32()))
    metadata = {SCHEMA_KEY: SCHEMA_NAME, MODEL_KEY: embedding_model}
    if cameras:
        metadata[CAMERAS_KEY] = json.dumps(cameras, sort_keys=True)
    return pa.schema([pa.field("camera", pa.string()), *ids, *floats, embedding], metadata=metadata)


class SightingsSink:
    """Memory: at most PART_ROWS rows. Arrays are kept, not copied, until their part is written."""

    def __init__(self, folder: Path, embedding_model: str) -> None:
        self._model = embedding_model
        self._cameras: dict[str, dict[str, int]] = {}
        self._path = folder / SIGHTINGS
        self._gathered: list[tuple[int, Sightings]] = []
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
        self._see(record)
        if len(record.sightings):
            self._gathered.append((record.frame, record.sightings))
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
        _join(self._path, self._schema())

    def _see(self, record: FrameRecord) -> None:
        frame, now_ns = int(record.frame), int(record.sightings.time_ns)
        camera = self._cameras.setdefault(record.sightings.camera, {"first_frame": frame, "first_ns": now_ns})
        camera["last_frame"], camera["last_ns"] = frame, now_ns
        camera["width"], camera["height"] = map(int, record.sightings.frame_size)

    def _schema(self) -> pa.Schema:
        return sightings_schema(self._model, self._cameras)

    def _write_part(self) -> None:
        if not self._gathered:
            return
        self._parts += 1
        # Readers of folders pass over names with a leading dot.
        temporary = self._path / f".part-{self._parts:05}.tmp"
        try:
            pq.write_table(_table(self._gathered, self._schema()), temporary)
            os.replace(temporary, self._path / f"part-{self._parts:05}.parquet")
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror or error}") from error
        self._gathered, self._rows = [], 0


def read_sightings(path: Path) -> pa.Table:
    """All sightings of a run that was closed, or of one that was killed (as far as it had got).

    Columns as in docs/metadata.md. Raises DataError for what is neither.
    """
    parts = path.with_name(path.name + ".parts")
    source = path if path.exists() or not parts.exists() else parts
    if source.is_dir() and not any(source.glob("part-*.parquet")):
        return sightings_schema("").empty_table()  # killed before its first part was full
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
    metadata: dict[bytes, bytes] = table.schema.metadata or {}
    return metadata.get(MODEL_KEY.encode(), b"").decode()


def _table(gathered: Sequence[tuple[int, Sightings]], schema: pa.Schema) -> pa.Table:
    """gathered: (frame, sightings) in the order of time, at least one of them."""
    counts = [len(sightings) for _, sightings in gathered]
    boxes = np.concatenate([sightings.boxes for _, sightings in gathered]).astype(np.float32, copy=False)
    cameras = pa.array([sightings.camera for _, sightings in gathered], pa.string())
    columns = [
        cameras.take(pa.array(np.repeat(np.arange(len(counts)), counts))),
        np.repeat(np.array([frame for frame, _ in gathered], np.int64), counts),
        np.repeat(np.array([sightings.time_ns for _, sightings in gathered], np.int64), counts),
        np.concatenate([sightings.track_ids for _, sightings in gathered]).astype(np.int64, copy=False),
        *(np.ascontiguousarray(boxes[:, i]) for i in range(4)),
        np.concatenate([sightings.confidences for _, sightings in gathered]).astype(np.float32, copy=False),
        _embeddings([sightings for _, sightings in gathered]),
    ]
    return pa.table([pa.array(column) if isinstance(column, np.ndarray) else column for column in columns], schema)


def _embeddings(gathered: Sequence[Sightings]) -> pa.ListArray:
    """One list per sighting, null where `embedding_of` is -1."""
    has = np.concatenate([sightings.embedding_of >= 0 for sightings in gathered])
    rows = [sightings.embeddings[sightings.embedding_of[sightings.embedding_of >= 0]] for sightings in gathered]
    sizes = np.zeros(len(has), np.int64)
    sizes[has] = np.concatenate([np.full(len(row), row.shape[1]) for row in rows])
    values = np.concatenate([np.asarray(row, np.float32).ravel() for row in rows])
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
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
