"""tracks.csv read as stretches: a track of one camera, as long as it carries one identity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from savant_reid.errors import DataError
from savant_reid.evaluation.tracks import COLUMNS

_BLOCK_BYTES = 8 << 20
_TYPES = {"camera": pa.string(), **dict.fromkeys(("frame", "track_id", "global_id", "time_ns"), pa.int64())}


@dataclass
class Stretch:
    """global_id: -1 for nobody known. first_ns, last_ns: the first and the last row. rows: how many there are."""

    camera: str
    track_id: int
    global_id: int
    first_ns: int
    last_ns: int
    rows: int


def read_stretches(tracks: Path) -> list[Stretch]:
    """The stretches of a file of any size, by camera, track and time; a last line that was cut off is passed over.

    Raises DataError where there is no such file, or where it is no tracks.csv.
    """
    found: list[Stretch] = []
    latest: dict[tuple[str, int], Stretch] = {}
    for batch in _batches(tracks):
        for stretch in _of_batch(batch):
            before = latest.get((stretch.camera, stretch.track_id))
            if before is not None and before.global_id == stretch.global_id:
                before.first_ns = min(before.first_ns, stretch.first_ns)
                before.last_ns = max(before.last_ns, stretch.last_ns)
                before.rows += stretch.rows
            else:
                latest[stretch.camera, stretch.track_id] = stretch
                found.append(stretch)
    return sorted(found, key=lambda one: (one.camera, one.track_id, one.first_ns))


def _batches(tracks: Path) -> Iterator[pa.RecordBatch]:
    options = {
        "read_options": pa.csv.ReadOptions(block_size=_BLOCK_BYTES),
        "parse_options": pa.csv.ParseOptions(invalid_row_handler=lambda _: "skip"),
        "convert_options": pa.csv.ConvertOptions(column_types=_TYPES, include_columns=list(_TYPES)),
    }
    try:
        with pa.csv.open_csv(tracks, **options) as reader:
            for batch in reader:
                yield batch.filter(pc.is_valid(batch.column("time_ns")))
    except FileNotFoundError:
        raise DataError(f"{tracks}: expected the tracks of a run, found no such file") from None
    except (OSError, KeyError, pa.ArrowException) as error:
        what = f"a file with the header {','.join(COLUMNS)} and whole numbers below it"
        raise DataError(f"{tracks}: expected {what}, found: {error}") from error


def _of_batch(batch: pa.RecordBatch) -> Iterator[Stretch]:
    """Stretches of one piece of the file, those of one track in the order of its rows."""
    if not batch.num_rows:
        return
    names = batch.column("camera").dictionary_encode()
    camera = names.indices.to_numpy(zero_copy_only=False)
    track, identity, time = (
        batch.column(name).to_numpy(zero_copy_only=False) for name in ("track_id", "global_id", "time_ns")
    )
    order = np.lexsort((track, camera))
    changes = [np.diff(column[order]) != 0 for column in (camera, track, identity)]
    starts = np.concatenate([[0], np.flatnonzero(np.logical_or.reduce(changes)) + 1])
    first, last = np.minimum.reduceat(time[order], starts), np.maximum.reduceat(time[order], starts)
    rows = np.diff(np.append(starts, len(order)))
    cameras = names.dictionary.to_pylist()
    for at, first_ns, last_ns, count in zip(
        order[starts].tolist(), first.tolist(), last.tolist(), rows.tolist(), strict=True
    ):
        yield Stretch(cameras[camera[at]], int(track[at]), int(identity[at]), first_ns, last_ns, count)
