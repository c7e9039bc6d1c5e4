"""One batch in hand: its objects in arrays, and what may be changed of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.deepstream import pyds_batch
from savant_reid.hosts.deepstream.arrays import BatchArrays, Reader
from savant_reid.hosts.deepstream.bridge import Bridge
from savant_reid.hosts.deepstream.collisions import another_key, colliding
from savant_reid.hosts.deepstream.frames import PARKED, restored


class Batch:
    """Changes go through here, and nothing else is changed.

    arrays: of its objects, changed with them. batch_meta: pyds.NvDsBatchMeta. complete: complete_uids was called.
    """

    def __init__(self, bridge: Bridge, reader: Reader, batch_meta: Any, arrays: BatchArrays) -> None:
        self.arrays = arrays
        self._bridge = bridge
        self._reader = reader
        self._batch_meta = batch_meta
        self.complete = False
        self._parked: list[NDArray[np.int64]] = []

    def restore_class_ids(self) -> int:
        """Undo what a gate has done before the re-ID model; returns for how many objects."""
        rows, values = restored(self.arrays.class_ids)
        if len(rows):
            self._write_class_ids(rows, values)
            self.arrays.class_ids[rows] = values
        return len(rows)

    def park(self, rows: NDArray[np.int64]) -> None:
        """Keep these objects from the re-ID model that comes next; takes effect with flush."""
        self._parked.append(rows)

    def flush(self) -> None:
        """Write what was parked, in one go."""
        rows = np.unique(np.concatenate(self._parked)) if self._parked else np.zeros(0, np.int64)
        self._parked.clear()
        if len(rows):
            self._write_class_ids(rows, (self.arrays.class_ids[rows] + PARKED).astype(np.int32))

    def complete_uids(self) -> list[tuple[int, Exception]]:
        """Give every object the key by which Savant holds its attributes.

        Savant's detectors give one; objects that come from elsewhere may have none yet. Returns those to which Savant
        could give none either, with its reason: they can carry no attributes.
        """
        self.complete = True
        uids = self.arrays.uids
        failed: list[tuple[int, Exception]] = []
        for row in np.flatnonzero(uids == 0).tolist():
            frame_meta, obj = self._object(row)
            try:
                self._bridge.object_uid(frame_meta, obj)
                # Savant returns a new key with 64 bits; what it finds under it from now on are those that were kept.
                uids[row] = obj.misc_obj_info[pyds_batch.UID_AT]
            except Exception as error:  # whatever Savant raises: one object's trouble
                failed.append((row, error))
        return failed

    def part_uids(self) -> list[int]:
        """Give another key to all but the first of those that share one in a frame; returns their rows."""
        uids = self.arrays.uids
        rows: list[int] = colliding(self.arrays.frame_of, uids).tolist()
        if rows:
            taken = set(uids.tolist())
            for row in rows:
                key = another_key(int(uids[row]), taken)
                taken.add(key)
                self._object(row)[1].misc_obj_info[pyds_batch.UID_AT] = key
                uids[row] = key
        return rows

    def uids(self, rows: NDArray[np.int64]) -> Sequence[int]:
        uids: list[int] = self.arrays.uids[rows].tolist()
        return uids

    def _write_class_ids(self, rows: NDArray[np.int64], values: NDArray[np.int32]) -> None:
        self._reader.write_class_ids(self._batch_meta, self.arrays, rows, values)

    def _object(self, row: int) -> tuple[Any, Any]:
        """pyds' own frame and object; slow, for what is rare."""
        pyds = self._bridge.pyds
        frame = int(self.arrays.frame_of[row])
        frame_meta = pyds_batch.frames_of(pyds, self._batch_meta)[frame]
        first = int(np.searchsorted(self.arrays.frame_of, frame))
        return frame_meta, pyds_batch.objects_of(pyds, frame_meta)[row - first]
