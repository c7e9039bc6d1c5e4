"""A recording that is not in the order of time, sorted without holding it in memory.

One pass to count rows by time, one that spills rows into buckets of time, each of them a file; then bucket after
bucket is sorted in memory and becomes a part of a sorted recording.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from savant_reid.errors import DataError, OutputError
from savant_reid.replay.columns import REQUIRED, Int64s, camera_indices, integers
from savant_reid.replay.recording import BATCH_ROWS, Recording

BUCKET_BYTES = 32 << 20
# Files that are open at once; a recording of more than 16 GiB gets larger buckets instead.
MOST_BUCKETS = 512
_BINS = 8192
# Of a row without its embedding, in memory.
_ROW_BYTES = 100


def sort_by_time(recording: Recording, index: Mapping[str, int], folder: Path) -> Recording:
    """The same rows by time; rows of one time by the camera's index, rows of one camera as they came.

    folder: for the sorted parts, as large as the recording without compression. index: of every camera by name.
    """
    try:
        edges = _edges(recording)
        spilled = _spill(recording, edges, folder)
        parts = tuple(_sorted_part(path, index, recording.name) for path in spilled)
    except OSError as error:
        raise OutputError(f"{folder}: the recording cannot be sorted there: {error.strerror or error}") from error
    return replace(recording, paths=parts)


def _edges(recording: Recording) -> Int64s:
    """Times at which a new bucket begins, so that buckets hold about as many rows each."""
    low, high = _range(recording)
    if high - low >= 2**62:
        raise DataError(f"{recording.name}: time_ns: expected nanoseconds of one clock, found {low} and {high}")
    width = max(1, -(-(high - low + 1) // _BINS))
    counts = np.zeros(_BINS, np.int64)
    for batch in recording.batches(["time_ns"]):
        bins = (integers(batch, "time_ns", recording.name) - low) // width
        counts += np.bincount(bins, minlength=_BINS)
    size = recording.rows * (_ROW_BYTES + 4 * recording.dimension)
    buckets = min(MOST_BUCKETS, max(1, -(-size // BUCKET_BYTES)))
    share = np.cumsum(counts) * buckets // max(int(counts.sum()), 1)
    return np.asarray(low + width * (np.flatnonzero(np.diff(share)) + 1), np.int64)


def _range(recording: Recording) -> tuple[int, int]:
    ends = []
    for batch in recording.batches(["time_ns"]):
        times = integers(batch, "time_ns", recording.name)
        ends.append((int(times.min()), int(times.max())))
    return min(low for low, _ in ends), max(high for _, high in ends)


def _spill(recording: Recording, edges: Int64s, folder: Path) -> list[Path]:
    """One file of rows in their old order for each bucket that has any, in the order of time."""
    paths = [folder / f"bucket-{i:05}.arrow" for i in range(len(edges) + 1)]
    writers: dict[int, pa.RecordBatchFileWriter] = {}
    with ExitStack() as stack:
        for batch in recording.batches(REQUIRED):
            batch = _plain(batch)
            bucket = np.searchsorted(edges, integers(batch, "time_ns", recording.name), side="right")
            for one in np.unique(bucket).tolist():
                if one not in writers:
                    writers[one] = stack.enter_context(pa.ipc.new_file(paths[one], batch.schema))
                writers[one].write_batch(batch.filter(pa.array(bucket == one)))
    return [paths[one] for one in sorted(writers)]


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without dictionaries, whose words differ from batch to batch."""
    at = batch.schema.get_field_index("camera")
    if not pa.types.is_dictionary(batch.schema.field(at).type):
        return batch
    return batch.set_column(at, "camera", batch.column(at).cast(pa.string()))


def _sorted_part(path: Path, index: Mapping[str, int], name: str) -> Path:
    with pa.memory_map(str(path)) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        keys = table.select(["camera", "time_ns"]).combine_chunks().to_batches()[0]
        order = np.lexsort((camera_indices(keys, index, name), integers(keys, "time_ns", name)))
        table = table.take(pa.array(order))
    part = path.with_suffix(".parquet")
    pq.write_table(table, part, compression="none", row_group_size=4 * BATCH_ROWS)
    path.unlink()
    return part
