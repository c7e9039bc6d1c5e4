"""What is read of a batch, whichever way it is read: all objects of all its frames, in arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

# NvDsObjectMeta.object_id of whom no tracker has named (nvdsmeta.h: UNTRACKED_OBJECT_ID).
UNTRACKED = np.uint64(2**64 - 1)


class OutputLayer(NamedTuple):
    """One output of a model. data_type: NvDsInferDataType as a number. shape: without the batch."""

    name: str
    data_type: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class BatchArrays:
    """The objects of a batch, n of them in f frames, in the order of DeepStream's lists.

    frame_of: (n,) int64, index of the frame. addresses: (n,) uint64, of the NvDsObjectMeta; zeros where the way of
    reading does not know them. class_ids, component_ids: (n,) int32. track_ids: (n,) uint64, UNTRACKED where there is
    none. boxes: (n, 4) float32 ltwh, pixels of the muxer's frame, the box that Savant takes: the tracker's where it has
    an extent, else the detector's. confidences: (n,) float32, of the detector. uids: (n,) int64, Savant's key of an
    object (pyds' misc_obj_info[1]: 32 bits with a sign), 0 where Savant has given it none yet. tensors: (n,) uint64,
    where on the device the object's output of the re-ID model lies; 0 where it has none.
    frame_addresses: (f,) uint64, of the NvDsFrameMeta. pad_indices, batch_ids: (f,) int64. frame_sizes: (f, 2) int64,
    width and height in pixels. layers: the outputs of the re-ID model, none where no object has a tensor; the first is
    what tensors point at.
    """

    frame_of: NDArray[np.int64]
    addresses: NDArray[np.uint64]
    class_ids: NDArray[np.int32]
    component_ids: NDArray[np.int32]
    track_ids: NDArray[np.uint64]
    boxes: NDArray[np.float32]
    confidences: NDArray[np.float32]
    uids: NDArray[np.int64]
    tensors: NDArray[np.uint64]
    frame_addresses: NDArray[np.uint64]
    pad_indices: NDArray[np.int64]
    batch_ids: NDArray[np.int64]
    frame_sizes: NDArray[np.int64]
    layers: tuple[OutputLayer, ...] = ()

    def __len__(self) -> int:
        return len(self.frame_of)


class Reader(Protocol):
    """One way of reading and writing a batch's metadata."""

    def read(self, buffer: Any, batch_meta: Any, gie_uid: int | None) -> BatchArrays:
        """All objects of a batch. buffer: the Gst.Buffer. batch_meta: its pyds.NvDsBatchMeta.

        gie_uid: unique id of the re-ID model, None where nobody asks for its tensors.
        """

    def write_class_ids(
        self, batch_meta: Any, arrays: BatchArrays, rows: NDArray[np.int64], values: NDArray[np.int32]
    ) -> None:
        """Set the class ids of some objects of a batch that was read; rows: (k,), rising; values: (k,)."""
