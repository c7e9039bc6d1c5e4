"""The fast way is used only where pyds confirms it."""

from __future__ import annotations

import ctypes
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from savant_reid.hosts.deepstream import layout, selfcheck
from savant_reid.hosts.deepstream.pyds_batch import read_batch
from savant_reid.hosts.deepstream.reader import CHECKED_OBJECTS, CHECKED_TENSORS, CheckedReader
from savant_reid.hosts.deepstream.selfcheck import WrongLayout, confirm_batch, difference
from savant_reid.hosts.deepstream.walk import walk
from savant_reid.testing import deepstream_structures
from savant_reid.testing.deepstream_memory import REID, Memory, pyds

FIRST = 2**40 + 2**33


def batch() -> Memory:
    """Two frames of three people each; no field holds what its neighbour does."""
    memory = Memory()
    for pad in (21, 22):
        frame = memory.frame(pad)
        frame.batch_id += 70
        people = [
            memory.object(frame, FIRST + 10 * pad + place, class_id=5, misc=(1, 50 + place, 8, 9)) for place in range(3)
        ]
        memory.user_meta(people[0], 5000)
        memory.tensors(people, [("embedding", np.full((3, 8), pad, np.float32))])
    return memory


OBJECTS = 6
# So many of these batches are read both ways.
CHECKED = -(-CHECKED_OBJECTS // OBJECTS)


class Watched:
    """A reader, what it told, and how often it has walked."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.walks = 0
        self.reader = CheckedReader(pyds, self.told.append, self.walk)

    def walk(self, address: int, model: int) -> Any:
        self.walks += 1
        return walk(address, model)

    def read(self, memory: Memory, model: int | None = REID) -> Any:
        return self.reader.read(None, memory.batch, model)


def test_checked_at_first_then_trusted(monkeypatch):
    watched, memory = Watched(), batch()
    for _ in range(CHECKED):
        assert not watched.read(memory).addresses.any()
    monkeypatch.setattr("savant_reid.hosts.deepstream.reader.pyds_batch", None)
    arrays = watched.read(memory)
    assert arrays.addresses.all()
    assert (watched.told, watched.reader.fast) == ([], True)
    monkeypatch.undo()
    assert difference(arrays, read_batch(pyds, memory.batch, REID)) is None


def test_batches_that_show_nothing_prove_nothing():
    watched, empty, memory = Watched(), Memory(), batch()
    for _ in range(3 * CHECKED):
        watched.read(empty)
    assert not watched.read(memory).addresses.any()
    for _ in range(CHECKED):
        watched.read(memory, None)
    assert watched.read(memory, None).addresses.all()


def test_objects_that_carry_nothing_are_read_fast_while_tensors_are_still_to_be_seen(monkeypatch):
    watched, memory, bare = Watched(), batch(), Memory()
    frame = bare.frame(0)
    for track in range(3):
        bare.object(frame, track)
    for _ in range(CHECKED):
        watched.read(memory, None)
    with monkeypatch.context() as patch:
        patch.setattr("savant_reid.hosts.deepstream.reader.pyds_batch", None)
        assert watched.read(bare).addresses.all()
        assert watched.reader.fast
    for _ in range(-(-CHECKED_TENSORS // OBJECTS)):
        assert not watched.read(memory).addresses.any()
    arrays = watched.read(memory)
    assert arrays.addresses.all()
    assert difference(arrays, read_batch(pyds, memory.batch, REID)) is None
    assert watched.told == []


FIELDS = [
    (name, field)
    for name in ("GLIST", "BATCH_META", "FRAME_META", "OBJECT_META", "USER_META", "TENSOR_META")
    for field in getattr(layout, name).names
]


def shifted(structure: np.dtype, field: str) -> np.dtype:
    """The same, with one field elsewhere."""
    fields = {name: (place, dtype) for name, (dtype, place, *_) in structure.fields.items()}
    place, dtype = fields[field]
    fields[field] = (place + 8 if place + 8 + dtype.itemsize <= structure.itemsize else place - 8, dtype)
    names = list(fields)
    return np.dtype(
        {
            "names": names,
            "offsets": [fields[name][0] for name in names],
            "formats": [fields[name][1] for name in names],
            "itemsize": structure.itemsize,
        }
    )


@pytest.mark.parametrize(("structure", "field"), FIELDS)
def test_a_field_that_lies_elsewhere_is_found_before_anything_is_followed(monkeypatch, structure, field):
    memory = batch()
    obj = deepstream_structures.NvDsObjectMeta.from_address(int(walk(memory.address, REID).objects[0]))
    obj.tracker_bbox_info.org_bbox_coords = deepstream_structures.NvBboxCoords(1, 2, 3, 4)
    confirm_batch(pyds, memory.batch, REID)
    monkeypatch.setattr(layout, structure, shifted(getattr(layout, structure), field))
    with pytest.raises(WrongLayout, match=rf"\.{field}: pyds says .*, found "):
        confirm_batch(pyds, memory.batch, REID)


def test_a_wrong_layout_never_makes_wrong_data(monkeypatch):
    watched, memory = Watched(), batch()
    monkeypatch.setattr(layout, "OBJECT_META", shifted(layout.OBJECT_META, "class_id"))
    for _ in range(3):
        assert difference(watched.read(memory), read_batch(pyds, memory.batch, REID)) is None
    assert (watched.walks, watched.reader.fast, len(watched.told)) == (0, False, 1)
    assert "NvDsObjectMeta.class_id: pyds says 5, found" in watched.told[0]
    assert "expected the structures of DeepStream 6.0 to 8.0" in watched.told[0]


def test_a_walk_that_gives_something_else_than_pyds_is_not_believed():
    memory, told = batch(), []

    def backwards(address: int, model: int) -> Any:
        walked = walk(address, model)
        return SimpleNamespace(**{**vars(walked), "objects": walked.objects[::-1]})

    reader = CheckedReader(pyds, told.append, backwards)
    found = reader.read(None, memory.batch, REID)
    assert difference(found, read_batch(pyds, memory.batch, REID)) is None
    assert re.search(r"track_ids: pyds says \[\d+78 \d+79 .*, the fast way \[\d+90 \d+89 ", told[0], re.S)
    assert not reader.fast


def test_a_pyds_that_gives_no_addresses_is_used_as_it_is():
    memory, told = batch(), []
    reader = CheckedReader(SimpleNamespace(**{**vars(pyds), "get_ptr": lambda thing: thing}), told.append)
    assert difference(reader.read(None, memory.batch, REID), read_batch(pyds, memory.batch, REID)) is None
    assert "expected an address from pyds.get_ptr" in told[0]


@pytest.mark.parametrize("checked", [True, False])
def test_class_ids_are_written_where_they_are_read(checked):
    watched, memory = Watched(), batch()
    for _ in range(1 if checked else CHECKED + 1):
        arrays = watched.read(memory)
    rows, values = np.array([1, 4]), np.array([1 << 20, -3], np.int32)
    before = [ctypes.string_at(address, 544) for address in walk(memory.address, REID).objects.tolist()]
    watched.reader.write_class_ids(memory.batch, arrays, rows, values)
    assert watched.read(memory).class_ids.tolist() == [5, 1 << 20, 5, 5, -3, 5]
    after = [ctypes.string_at(address, 544) for address in walk(memory.address, REID).objects.tolist()]
    for row, (old, new) in enumerate(zip(before, after, strict=True)):
        assert old[:52] == new[:52]
        assert old[56:] == new[56:]
        assert (old == new) == (row not in rows)


def test_a_nan_is_no_difference():
    memory = batch()
    deepstream_structures.NvDsObjectMeta.from_address(int(walk(memory.address, REID).objects[0])).confidence = float(
        "nan"
    )
    confirm_batch(pyds, memory.batch, REID)
    arrays = read_batch(pyds, memory.batch, REID)
    assert selfcheck.difference(arrays, read_batch(pyds, memory.batch, REID)) is None


def test_a_batch_that_pyds_cannot_read_either_is_no_reason_to_give_way():
    watched = Watched()
    with pytest.raises(AttributeError):
        watched.reader.read(None, None, REID)
    assert (watched.told, watched.reader.fast) == ([], True)
