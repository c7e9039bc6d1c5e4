"""One pass over a batch's C structures into arrays, instead of some twenty calls of pyds for each object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.deepstream import layout
from savant_reid.hosts.deepstream.arrays import BatchArrays, OutputLayer
from savant_reid.hosts.deepstream.layout import offset
from savant_reid.hosts.deepstream.memory import members, pointer, records

# Where Savant keeps its key of an object: misc_obj_info[InformationType.OBJECT_HASH_KEY] (savant/meta/type.py).
UID_AT = 1
# What no model's unique id is: asks for no tensors.
NO_MODEL = -1

Addresses = NDArray[np.uint64]

FRAMES = offset(layout.BATCH_META, "frame_meta_list")
OBJECTS = offset(layout.FRAME_META, "obj_meta_list")
USER_METAS = offset(layout.OBJECT_META, "obj_user_meta_list")
META_TYPE = offset(layout.USER_META, "meta_type")
USER_DATA = offset(layout.USER_META, "user_meta_data")
MODEL = offset(layout.TENSOR_META, "unique_id")


@dataclass(frozen=True)
class Walked:
    """frames: (f,) addresses of the NvDsFrameMeta. objects: (n,) of the NvDsObjectMeta. frame_of: (n,) int64.

    tensor_metas: (n,) addresses of the NvDsInferTensorMeta of the model that was asked for, 0 where there is none.
    """

    frames: Addresses
    objects: Addresses
    frame_of: NDArray[np.int64]
    tensor_metas: Addresses


def walk(batch: int, model: int) -> Walked:
    """Follow a batch's lists. batch: address of the NvDsBatchMeta. model: nvinfer's unique id, or NO_MODEL.

    Raises BrokenList.
    """
    frames = members(pointer(batch + FRAMES))
    objects: list[int] = []
    lengths = []
    for frame in frames:
        of_frame = members(pointer(frame + OBJECTS))
        objects += of_frame
        lengths.append(len(of_frame))
    tensors = [tensor_meta(obj, model) for obj in objects] if model != NO_MODEL else [0] * len(objects)
    return Walked(
        np.array(frames, np.uint64),
        np.array(objects, np.uint64),
        np.repeat(np.arange(len(frames)), lengths),
        np.array(tensors, np.uint64),
    )


def tensor_meta(obj: int, model: int) -> int:
    """Address of an object's first NvDsInferTensorMeta of that model, 0 where it has none."""
    for user_meta in members(pointer(obj + USER_METAS)):
        if pointer(user_meta + META_TYPE) & 0xFFFFFFFF == layout.TENSOR_OUTPUT_META:
            found = pointer(user_meta + USER_DATA)
            if found and pointer(found + MODEL) & 0xFFFFFFFF == model:
                return found
    return 0


def arrays_of(walked: Walked, layers: tuple[OutputLayer, ...] = ()) -> BatchArrays:
    """What the structures hold that a walk has found. layers: the model's outputs, which are asked of pyds."""
    objects = records(walked.objects, layout.OBJECT_META)
    frames = records(walked.frames, layout.FRAME_META)
    tracked = objects["tracker_bbox_info"]
    by_tracker = (tracked[:, 2] > 0) & (tracked[:, 3] > 0)
    return BatchArrays(
        frame_of=walked.frame_of,
        addresses=walked.objects,
        class_ids=objects["class_id"].copy(),
        component_ids=objects["unique_component_id"].copy(),
        track_ids=objects["object_id"].copy(),
        boxes=np.where(by_tracker[:, None], tracked, objects["detector_bbox_info"]),
        confidences=objects["confidence"].copy(),
        uids=objects["misc_obj_info"][:, UID_AT].astype(np.int64),
        tensors=outputs(walked.tensor_metas),
        frame_addresses=walked.frames,
        pad_indices=frames["pad_index"].astype(np.int64),
        batch_ids=frames["batch_id"].astype(np.int64),
        frame_sizes=np.stack([frames["source_frame_width"], frames["source_frame_height"]], axis=1).astype(np.int64),
        layers=layers if walked.tensor_metas.any() else (),
    )


def outputs(tensor_metas: Addresses) -> Addresses:
    """Device pointers of the first output for each object (n,), 0 where it has none."""
    tensors = np.zeros(len(tensor_metas), np.uint64)
    rows = np.flatnonzero(tensor_metas)
    pointers = records(tensor_metas[rows], layout.TENSOR_META)["out_buf_ptrs_dev"]
    tensors[rows] = [pointer(first) if first else 0 for first in pointers.tolist()]
    return tensors
