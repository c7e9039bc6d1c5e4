"""What Savant's host costs for each object, without the search: metadata to sightings, embeddings, decisions back."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from savant_reid.hosts.deepstream.attributes import Attributes, Storage
from savant_reid.hosts.deepstream.frames import Head, people_rows, sightings_of
from savant_reid.hosts.deepstream.gather import Gatherer, HostMemory
from savant_reid.hosts.deepstream.pyds_batch import nodes
from savant_reid.hosts.deepstream.reader import CHECKED_OBJECTS, CheckedReader
from savant_reid.identity.types import Decision, Sightings, State
from savant_reid.testing.deepstream_memory import REID, Memory, pyds

Figure = dict[str, object]
# Cameras and people in each: a small site, and the largest that this project is built for.
SIZES = ((8, 12), (80, 15), (80, 150))
DIMENSION = 512
# What nvinfer takes at a time, so that many embeddings lie side by side.
INFERENCE = 32
DETECTOR, PERSON = 7, 0
# Measured so often, the least counts: other work on the machine only adds to it.
REPEATS, LARGE_REPEATS, LARGE = 20, 5, 1000


@dataclass(frozen=True)
class _Attribute:
    """As Savant's AttributeMeta."""

    element_name: str
    name: str
    value: Any
    confidence: float


def measure(sizes: tuple[tuple[int, int], ...] = SIZES) -> list[Figure]:
    """A figure for each size. Everybody has an embedding in every frame: with the gate, hardly one in 25 has."""
    return [_figure(cameras, people) for cameras, people in sizes]


def batch_of(cameras: int, people: int) -> Memory:
    """A batch in DeepStream's layout: one frame for each camera, everybody tracked, keyed, and embedded."""
    memory, rng = Memory(), np.random.default_rng(0)
    found: list[Any] = []
    for camera in range(cameras):
        frame = memory.frame(camera)
        for person in range(people):
            box = (float(person % 20 * 60), 20.0, 50.0, 150.0)
            found.append(memory.object(frame, person, box, (1, 1 + len(found), 0, 0)))
    for start in range(0, len(found), INFERENCE):
        some = found[start : start + INFERENCE]
        memory.tensors(some, [("embedding", rng.standard_normal((len(some), DIMENSION)).astype(np.float32))])
    return memory


def _figure(cameras: int, people: int) -> Figure:
    memory = batch_of(cameras, people)
    objects, repeats = cameras * people, LARGE_REPEATS if cameras * people > LARGE else REPEATS
    reader, gatherer = CheckedReader(pyds, _refuse), Gatherer(HostMemory(), "person_reid")
    for _ in range(1 + CHECKED_OBJECTS // objects):
        reader.read(None, memory.batch, REID)
    heads = [Head(camera, f"camera {camera}", 1, 0, 0, None) for camera in range(cameras)]
    decisions = [Decision("door", row, row, State.CONFIRMED, 0.9) for row in range(objects)]
    storage: Storage = {}
    attributes = Attributes(storage, _Attribute)

    def read_only() -> Any:
        return reader.read(None, memory.batch, REID)

    def read() -> list[Sightings]:
        arrays = read_only()
        rows, starts, _ = people_rows(arrays, (DETECTOR, PERSON))
        return sightings_of(arrays, heads, rows, starts, gatherer(arrays))

    arrays = read_only()

    def write() -> None:
        attributes.write(arrays.uids.tolist(), decisions)

    read_us, write_us = (_us(step, repeats) / objects for step in (read, write))
    gatherer.copies = 0
    read()
    return {
        "what": f"Savant's host without the search, per object, {cameras} cameras x {people} people",
        "value": read_us + write_us,
        "unit": "us of CPU time",
        "target": 5.0,
        "baseline": {"naive loop per object": _us(lambda: naive(memory.batch, storage), repeats) / objects},
        "metadata_us": _us(read_only, repeats) / objects,
        "sightings_with_embeddings_us": read_us,
        "decisions_us": write_us,
        "device_copies": gatherer.copies,
        "reads_back_from_the_device": 1,
    }


def naive(batch_meta: Any, storage: Storage) -> int:
    """What one writes first: object by object through pyds, a copy for each embedding, an attribute at a time."""
    found = 0
    for frame in nodes(batch_meta.frame_meta_list, pyds.NvDsFrameMeta.cast):
        for obj in nodes(frame.obj_meta_list, pyds.NvDsObjectMeta.cast):
            if (obj.unique_component_id, obj.class_id) != (DETECTOR, PERSON):
                continue
            box = obj.tracker_bbox_info.org_bbox_coords
            if not (box.width > 0 and box.height > 0):
                box = obj.detector_bbox_info.org_bbox_coords
            embedding = _embedding(obj)
            seen = (obj.object_id, box.left, box.top, box.width, box.height, obj.confidence, embedding)
            attributes = storage.setdefault(int(obj.misc_obj_info[1]), {})
            for name, value in (("global_id", seen[0]), ("state", "confirmed"), ("probability", 0.9)):
                attributes["reid", name] = [_Attribute("reid", name, value, 1.0)]
            found += embedding is not None
    return found


def _embedding(obj: Any) -> Any:
    for user_meta in nodes(obj.obj_user_meta_list, pyds.NvDsUserMeta.cast):
        if user_meta.base_meta.meta_type == pyds.NVDSINFER_TENSOR_OUTPUT_META:
            tensor = pyds.NvDsInferTensorMeta.cast(user_meta.user_meta_data)
            if tensor.unique_id == REID:
                length = tensor.output_layers_info(0).inferDims.numElements
                pointers = ctypes.cast(pyds.get_ptr(tensor.out_buf_ptrs_dev), ctypes.POINTER(ctypes.c_void_p))
                values = ctypes.cast(pointers[0] or 0, ctypes.POINTER(ctypes.c_float))
                return np.ctypeslib.as_array(values, (length,)).copy()
    return None


def _us(step: Callable[[], object], repeats: int) -> float:
    """Microseconds of CPU time, the least of several."""
    least = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        step()
        least = min(least, time.process_time() - start)
    return least * 1e6


def _refuse(why: str) -> None:
    raise AssertionError(why)
