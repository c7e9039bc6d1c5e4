"""No two objects of a frame may carry one key: Savant's output conversion would drop the whole batch.

Savant's key (uid) of an object is a hash of source, frame number, label and box, and becomes the object's id in the
message. Two objects with the same label and an identical box thus collide, and savant-rs refuses the second one. So do
two whose hashes agree in the 32 bits that pyds' misc_obj_info keeps of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HALF = 2**31


def colliding(frame_of: NDArray[np.int64], uids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows whose key another row of the same frame has already, rising. Both (n,); the key 0 means none yet."""
    order = np.lexsort((np.arange(len(uids)), uids, frame_of))
    same = (uids[order][1:] == uids[order][:-1]) & (frame_of[order][1:] == frame_of[order][:-1])
    rows: NDArray[np.int64] = np.sort(order[1:][same & (uids[order][1:] != 0)])
    return rows


def another_key(uid: int, taken: set[int]) -> int:
    """A key that is not among those taken: 32 bits with a sign, never 0, the same for the same question."""
    step = 1
    while True:
        key = (hash((uid, step)) + _HALF) % (2 * _HALF) - _HALF
        if key and key not in taken:
            return key
        step += 1
