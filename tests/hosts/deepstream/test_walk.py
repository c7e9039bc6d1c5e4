"""A batch in real memory, read in one pass."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from savant_reid.hosts.deepstream.arrays import UNTRACKED, OutputLayer
from savant_reid.hosts.deepstream.memory import BrokenList
from savant_reid.hosts.deepstream.pyds_batch import read_batch
from savant_reid.hosts.deepstream.selfcheck import difference
from savant_reid.hosts.deepstream.walk import NO_MODEL, arrays_of, walk
from savant_reid.testing.deepstream_memory import OTHER_MODEL, REID, Memory, pyds
from savant_reid.testing.deepstream_structures import GList, NvBboxCoords


@pytest.fixture(params=[walk], ids=["plain"])
def walker(request):
    return request.param


def vectors(rows: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dimension)).astype(np.float32)


def three_cameras(memory: Memory) -> list:
    """Frames of pads 4, 2 and 9, the second without anybody."""
    first, _, last = memory.frame(4), memory.frame(2, (640, 360)), memory.frame(9)
    return [
        memory.object(first, 11, (1, 2, 3, 4), misc=(1, -77, 5, 6)),
        memory.object(first, class_id=2),
        memory.object(last, 2**40 + 5, (5.5, 6, 70, 180)),
    ]


def test_all_frames_and_objects_in_their_order(walker):
    memory = Memory()
    objects = three_cameras(memory)
    objects[2].tracker_bbox_info.org_bbox_coords = NvBboxCoords(50, 60, 7, 8)
    arrays = arrays_of(walker(memory.address, REID))
    assert arrays.frame_of.tolist() == [0, 0, 2]
    assert arrays.addresses.tolist() == [ctypes.addressof(obj) for obj in objects]
    assert arrays.pad_indices.tolist() == [4, 2, 9]
    assert arrays.batch_ids.tolist() == [0, 1, 2]
    assert arrays.frame_sizes.tolist() == [[1280, 720], [640, 360], [1280, 720]]
    assert arrays.track_ids.tolist() == [11, int(UNTRACKED), 2**40 + 5]
    assert arrays.class_ids.tolist() == [0, 2, 0]
    assert arrays.component_ids.tolist() == [7, 7, 7]
    assert arrays.boxes.tolist() == [[1, 2, 3, 4], [10, 20, 30, 90], [50, 60, 7, 8]]
    assert arrays.confidences.tolist() == [0.75] * 3
    assert arrays.uids.tolist() == [-77, 0, 0]
    assert not arrays.tensors.any()
    assert arrays.layers == ()
    assert difference(arrays, read_batch(pyds, memory.batch, REID)) is None


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_nobody_anywhere(walker, frames):
    memory = Memory()
    for pad in range(frames):
        memory.frame(pad)
    arrays = arrays_of(walker(memory.address, REID))
    assert len(arrays) == 0
    assert arrays.boxes.shape == (0, 4)
    assert arrays.frame_sizes.shape == (frames, 2)
    assert difference(arrays, read_batch(pyds, memory.batch, REID)) is None


def test_a_box_of_the_tracker_without_extent_is_none(walker):
    memory = Memory()
    obj = memory.object(memory.frame(0), box=(1, 2, 3, 4))
    obj.tracker_bbox_info.org_bbox_coords = NvBboxCoords(9, 9, 9, 0)
    assert arrays_of(walker(memory.address, NO_MODEL)).boxes.tolist() == [[1, 2, 3, 4]]


def test_the_tensor_of_the_model_that_was_asked_for_among_all_that_hangs_on_an_object(walker):
    memory = Memory()
    objects = three_cameras(memory)
    values, others = vectors(2), vectors(3, seed=1)
    for obj in objects:
        memory.user_meta(obj, 4096 + 17, None)
    memory.tensors(objects, [("other", others)], OTHER_MODEL)
    memory.tensors([objects[2], objects[0]], [("embedding", values)], REID)
    memory.user_meta(objects[0], 13, 1)
    arrays = arrays_of(walker(memory.address, REID), (OutputLayer("embedding", 0, (8,)),))
    assert arrays.tensors.tolist() == [values[1].ctypes.data, 0, values[0].ctypes.data]
    assert difference(arrays, read_batch(pyds, memory.batch, REID)) is None
    other = arrays_of(walker(memory.address, OTHER_MODEL))
    assert other.tensors.tolist() == [row.ctypes.data for row in others]
    assert not arrays_of(walker(memory.address, NO_MODEL)).tensors.any()


def test_every_output_has_its_own_place_in_the_order_of_the_pointers(walker):
    """Savant's own helper gives the first output's values for the second one's name."""
    memory = Memory()
    objects = three_cameras(memory)
    embedding, logits = vectors(3), vectors(3, 16).astype(np.float16)
    memory.tensors(objects, [("embedding", embedding), ("logits", logits.reshape(3, 4, 4))])
    arrays = arrays_of(walker(memory.address, REID))
    slow = read_batch(pyds, memory.batch, REID)
    assert arrays.tensors.tolist() == slow.tensors.tolist() == [row.ctypes.data for row in embedding]
    assert slow.layers == (OutputLayer("embedding", 0, (8,)), OutputLayer("logits", 1, (4, 4)))


def test_a_list_that_runs_in_a_circle_is_none(walker):
    memory = Memory()
    memory.frame(0)
    node = GList.from_address(memory.batch.frame_meta_list_)
    node.next_ = ctypes.addressof(node)
    with pytest.raises(BrokenList):
        walker(memory.address, REID)
