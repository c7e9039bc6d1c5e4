"""The way of reading a batch that is used: the fast one once pyds has confirmed it, pyds itself otherwise."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.deepstream import layout, pyds_batch
from savant_reid.hosts.deepstream.arrays import BatchArrays, OutputLayer
from savant_reid.hosts.deepstream.layout import offset
from savant_reid.hosts.deepstream.memory import pointer
from savant_reid.hosts.deepstream.selfcheck import WrongLayout, confirm_batch, difference
from savant_reid.hosts.deepstream.walk import NO_MODEL, USER_METAS, Walked, arrays_of, walk

# Objects, and tensors, that are read both ways before the fast one is trusted.
CHECKED_OBJECTS, CHECKED_TENSORS = 500, 100
_CLASS_ID = offset(layout.OBJECT_META, "class_id")


class CheckedReader:
    """Reader that walks the C structures, and gives way to pyds for good at the first sign that they are not as said.

    note: told once what was wrong. walker: follows the lists; see walk.walk.
    """

    def __init__(self, pyds: Any, note: Callable[[str], None], walker: Callable[[int, int], Walked] = walk) -> None:
        self._pyds = pyds
        self._note = note
        self._walk = walker
        self._objects_left = CHECKED_OBJECTS
        self._tensors_left = CHECKED_TENSORS
        self._layers: tuple[OutputLayer, ...] = ()
        self.fast = True

    def read(self, buffer: Any, batch_meta: Any, gie_uid: int | None) -> BatchArrays:  # noqa: ARG002 - by address
        if not self.fast:
            return pyds_batch.read_batch(self._pyds, batch_meta, gie_uid)
        try:
            if self._objects_left > 0:
                return self._checked(batch_meta, gie_uid)
            if gie_uid is not None and self._tensors_left > 0:
                return self._with_new_tensors(batch_meta, gie_uid)
            return self._fast(batch_meta, gie_uid)
        except Exception as error:  # whatever it is, pyds knows better; where pyds fails too, it is the batch's fault
            arrays = pyds_batch.read_batch(self._pyds, batch_meta, gie_uid)
            self._give_way(f"{type(error).__name__}: {error}")
            return arrays

    @property
    def trusted(self) -> bool:
        """Whether pyds has confirmed enough objects; the fast way is then the only one for them."""
        return self.fast and self._objects_left <= 0

    def write_class_ids(
        self, batch_meta: Any, arrays: BatchArrays, rows: NDArray[np.int64], values: NDArray[np.int32]
    ) -> None:
        addresses = arrays.addresses[rows]
        if not addresses.all():  # read by pyds
            pyds_batch.write_class_ids(self._pyds, batch_meta, rows, values)
            return
        for address, value in zip(addresses.tolist(), values.tolist(), strict=True):
            ctypes.c_int32.from_address(address + _CLASS_ID).value = value

    def _fast(self, batch_meta: Any, gie_uid: int | None) -> BatchArrays:
        walked = self._walk(self._pyds.get_ptr(batch_meta), NO_MODEL if gie_uid is None else gie_uid)
        return arrays_of(walked, self._layers)

    def _with_new_tensors(self, batch_meta: Any, gie_uid: int) -> BatchArrays:
        """Objects are trusted and tensors not yet: pyds is asked where an object carries anything, which is rare."""
        arrays = self._fast(batch_meta, None)
        if any(pointer(address + USER_METAS) for address in arrays.addresses.tolist()):
            return self._checked(batch_meta, gie_uid)
        return arrays

    def _checked(self, batch_meta: Any, gie_uid: int | None) -> BatchArrays:
        confirm_batch(self._pyds, batch_meta, gie_uid)
        slow = pyds_batch.read_batch(self._pyds, batch_meta, gie_uid)
        # A model's outputs stay as they are while it runs.
        self._layers = slow.layers or self._layers
        differs = difference(self._fast(batch_meta, gie_uid), slow)
        if differs:
            raise WrongLayout(differs)
        self._objects_left -= len(slow)
        self._tensors_left -= int(np.count_nonzero(slow.tensors))
        return slow

    def _give_way(self, why: str) -> None:
        self.fast = False
        self._note(
            f"{why}: the metadata is read through pyds from now on, some 7 us for each object; expected the "
            "structures of DeepStream 6.0 to 8.0"
        )
