"""Track ids that name one track for ever: the tracker's own number with the epoch of its stream folded in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The tracker's number takes the lower bits, the epoch those above, and the sign stays free: 2^40 tracks, 2^23 epochs.
# With `useUniqueID: 1` DeepStream fills the upper 32 bits with a random number; they are cut off here, as the lower
# ones count on their own.
TRACK_BITS = 40
TRACK_MASK = (1 << TRACK_BITS) - 1
EPOCH_MASK = (1 << 23) - 1


@dataclass
class _Stream:
    epoch: int
    pad: int
    ended: bool = False


class Epochs:
    """One number per camera, which grows when its tracker may have begun to count anew.

    That is after the end of its stream, after it was deleted or added again, and when it comes in by another pad:
    DeepStream's trackers belong to pads, and Savant gives a free pad to whoever comes next.
    """

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}

    def of(self, camera: str, pad: int) -> int:
        """The epoch of a camera whose frame has just come in by this pad."""
        stream = self._streams.get(camera)
        if stream is None:
            stream = self._streams[camera] = _Stream(0, pad)
        if stream.ended or stream.pad != pad:
            stream.epoch, stream.pad, stream.ended = (stream.epoch + 1) & EPOCH_MASK, pad, False
        return stream.epoch

    def end(self, camera: str) -> None:
        """The next frame of this camera, if one comes, begins a new epoch."""
        if camera in self._streams:
            self._streams[camera].ended = True


def fold(track_ids: NDArray[np.uint64], epochs: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) int64 >= 0, unique per camera for ever, of the tracker's numbers and the epochs, both (n,)."""
    folded: NDArray[np.int64] = (track_ids & np.uint64(TRACK_MASK)).astype(np.int64) | (epochs << TRACK_BITS)
    return folded


def unfold(track_id: int) -> int:
    """The tracker's own number, as it stands in messages."""
    return track_id & TRACK_MASK


# Savant makes a new instance of a pyfunc whose file was changed (development mode). Its streams go on, so their epochs
# must not begin again; elements see the end of a stream at different moments, so each has its own.
_of_elements: dict[str, Epochs] = {}


def epochs_of(element: str) -> Epochs:
    """The epochs as this element has seen them, whichever instance of it asks."""
    return _of_elements.setdefault(element, Epochs())
