"""A recording on disk: sightings.parquet as one file, or as the folder of parts that a killed run leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from savant_reid.errors import DataError
from savant_reid.replay.columns import REQUIRED, check_columns, embedding_lengths
from savant_reid.sinks.run_folder import SIGHTINGS
from savant_reid.sinks.sightings import CAMERAS_KEY, MODEL_KEY, SCHEMA_KEY, SCHEMA_NAME

# Rows that are decoded together: as many as their embeddings take so much, but not more than so many.
BATCH_BYTES = 4 << 20
BATCH_ROWS = 4096
# pyarrow's own defaults take all row groups into memory at once (554 MiB for a file of 475 MiB; 85 MiB so).
_STREAMING: dict[str, Any] = {"pre_buffer": False, "buffer_size": 1 << 20}


@dataclass(frozen=True)
class Recording:
    """paths: the file, or its parts in order. cameras: what the file says of each camera's stream (see
    sinks/sightings.py), empty where it says nothing. dimension: floats in an embedding, 0 where there is none."""

    name: str
    paths: tuple[Path, ...]
    embedding_model: str
    cameras: dict[str, dict[str, int]]
    rows: int
    dimension: int

    def batches(self, columns: Sequence[str], rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """All rows in file order, so many at a time (default: some MiB). Raises DataError where a file breaks off."""
        rows = rows or min(BATCH_ROWS, max(1, BATCH_BYTES // (4 * max(self.dimension, 1))))
        for path in self.paths:
            with _reading(path) as file:
                yield from file.iter_batches(batch_size=rows, columns=list(columns), use_threads=False)


def open_recording(path: Path, embedding_model: str | None = None) -> Recording:
    """Checks all that can be checked without reading the rows. Raises DataError.

    path: the file, the folder of parts, or a run folder that holds either. embedding_model: for a file that does not
    name it.
    """
    paths = _find(path)
    schemas, rows = [], 0
    for part in paths:
        with _reading(part) as file:
            check_columns(file.schema_arrow, part)
            schemas.append(file.schema_arrow)
            _check_same_types(part, schemas)
            rows += file.metadata.num_rows
    metadata = [schema.metadata or {} for schema in schemas]
    model = _one_model(path, metadata, embedding_model, rows)
    cameras: dict[str, dict[str, int]] = {}
    for one in metadata:
        _check_schema_name(path, one)
        cameras = _joined(cameras, _cameras(one))
    found = Recording(path.name, tuple(paths), model, cameras, rows, 0)
    return replace(found, dimension=_dimension(found))


def _find(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(path.glob("part-*.parquet"))
        inside = path / SIGHTINGS
        parts = inside.with_name(inside.name + ".parts")
        if not found and (inside.exists() or parts.exists()):
            return _find(inside if inside.exists() else parts)
        # Nothing but half a part, or nothing at all: a run that was killed before its first part was full.
        names = [one.name for one in path.iterdir()]
        begun = names or path.suffix in (".parquet", ".parts")
        only_begun = begun and all(name.startswith(".part-") for name in names)
        if not found and not only_begun:
            raise DataError(f"{path}: expected {SIGHTINGS} or part-*.parquet in this folder, found neither")
        return found
    parts = path.with_name(path.name + ".parts")
    if not path.exists() and parts.is_dir():
        return _find(parts)
    return [path]


@contextmanager
def _reading(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path, **_STREAMING) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: expected sightings in Parquet, found: {error}") from error


def _one_model(path: Path, metadata: Sequence[dict[bytes, bytes]], given: str | None, rows: int) -> str:
    names = {one.get(MODEL_KEY.encode(), b"").decode(errors="replace") for one in metadata}
    if len(names) > 1:
        raise DataError(f"{path}: {MODEL_KEY}: expected one model, found {', '.join(sorted(map(repr, names)))}")
    name = next(iter(names), "")
    if given is not None and name and given != name:
        raise DataError(f"{path}: {MODEL_KEY}: expected {given!r} as by --embedding-model, found {name!r}")
    if not (name or given) and rows:
        raise DataError(
            f"{path}: expected the name of the embedding model under {MODEL_KEY!r} in the file's metadata, found none; "
            "name it with --embedding-model"
        )
    return name or given or ""


def _check_same_types(part: Path, schemas: Sequence[pa.Schema]) -> None:
    for column in REQUIRED:
        first, found = schemas[0].field(column).type, schemas[-1].field(column).type
        if found != first:
            raise DataError(f"{part}: {column}: expected {first} as in the parts before, found {found}")


def _check_schema_name(path: Path, metadata: dict[bytes, bytes]) -> None:
    found = metadata.get(SCHEMA_KEY.encode(), SCHEMA_NAME.encode()).decode(errors="replace")
    if found != SCHEMA_NAME:
        raise DataError(f"{path}: {SCHEMA_KEY}: expected {SCHEMA_NAME}, found {found}")


def _cameras(metadata: dict[bytes, bytes]) -> dict[str, dict[str, int]]:
    """What the file says of its cameras; a hint only, so that what is not understood is passed over."""
    try:
        found: Any = json.loads(metadata.get(CAMERAS_KEY.encode(), b"{}"))
    except ValueError:
        return {}
    entries = found.items() if isinstance(found, dict) else ()
    return {
        str(name): {key: value for key, value in one.items() if isinstance(value, int)}
        for name, one in entries
        if isinstance(one, dict)
    }


def _joined(before: dict[str, dict[str, int]], now: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Of parts: each camera's first frame from the earlier one, everything else from the later."""
    joined = dict(before)
    for name, one in now.items():
        first = {key: value for key, value in before.get(name, {}).items() if key.startswith("first_")}
        joined[name] = {**before.get(name, {}), **one, **first}
    return joined


def _dimension(recording: Recording) -> int:
    """The commonest length in the first rows that have embeddings. Raises DataError where they are ragged."""
    for batch in recording.batches(["embedding"], rows=256):
        lengths = embedding_lengths(batch)
        lengths = lengths[lengths > 0]
        if len(lengths):
            counts = np.bincount(lengths)
            common = int(counts.argmax())
            # Single broken rows are refused one by one; a file that mixes lengths is none of ours.
            if counts[common] < 0.9 * len(lengths):
                found = ", ".join(f"{n} of length {i}" for i, n in enumerate(counts.tolist()) if n)
                raise DataError(f"{recording.name}: embedding: expected one length, found {found}")
            return common
    return 0
