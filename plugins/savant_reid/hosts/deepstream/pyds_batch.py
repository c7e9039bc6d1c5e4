"""A batch read and written through pyds' own objects: slow (some 7 us an object), and right by definition.

The fast way (walk.py) is held against this one, and gives way to it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.deepstream.arrays import BatchArrays, OutputLayer

# Where Savant keeps its key of an object: misc_obj_info[InformationType.OBJECT_HASH_KEY] (savant/meta/type.py).
UID_AT = 1
_EMPTY: list[Any] = []


class PydsReader:
    """Reader by pyds alone."""

    def __init__(self, pyds: Any) -> None:
        self._pyds = pyds

    def read(self, buffer: Any, batch_meta: Any, gie_uid: int | None) -> BatchArrays:  # noqa: ARG002 - needs no address
        return read_batch(self._pyds, batch_meta, gie_uid)

    def write_class_ids(
        self,
        batch_meta: Any,
        arrays: BatchArrays,  # noqa: ARG002 - needs no address
        rows: NDArray[np.int64],
        values: NDArray[np.int32],
    ) -> None:
        write_class_ids(self._pyds, batch_meta, rows, values)


def nodes(head: Any, cast: Any) -> Iterator[Any]:
    """What a GList of DeepStream's metadata holds. As in Savant: the end is None."""
    while head is not None:
        yield cast(head.data)
        head = head.next


def frames_of(pyds: Any, batch_meta: Any) -> list[Any]:
    return list(nodes(batch_meta.frame_meta_list, pyds.NvDsFrameMeta.cast))


def objects_of(pyds: Any, frame_meta: Any) -> list[Any]:
    return list(nodes(frame_meta.obj_meta_list, pyds.NvDsObjectMeta.cast))


def read_batch(pyds: Any, batch_meta: Any, gie_uid: int | None) -> BatchArrays:
    """All objects of a batch. gie_uid: unique id of the re-ID model, None where nobody asks for its tensors."""
    frames = frames_of(pyds, batch_meta)
    rows: list[tuple[Any, ...]] = []
    boxes: list[tuple[float, float, float, float]] = []
    layers: tuple[OutputLayer, ...] = ()
    for index, frame_meta in enumerate(frames):
        for obj in nodes(frame_meta.obj_meta_list, pyds.NvDsObjectMeta.cast):
            meta = None if gie_uid is None else _tensor_meta(pyds, obj, gie_uid)
            tensor = 0 if meta is None else _first_output(pyds, meta)
            if meta is not None and not layers:
                layers = _layers(meta)
            rows.append(
                (
                    index,
                    obj.class_id,
                    obj.unique_component_id,
                    obj.object_id,
                    obj.confidence,
                    int(obj.misc_obj_info[UID_AT]),
                    tensor,
                )
            )
            boxes.append(_box(obj))
    frame_of, classes, components, tracks, confidences, uids, tensors = (
        zip(*rows, strict=True) if rows else [_EMPTY] * 7
    )
    return BatchArrays(
        frame_of=np.array(frame_of, np.int64),
        addresses=np.zeros(len(rows), np.uint64),
        class_ids=np.array(classes, np.int32),
        component_ids=np.array(components, np.int32),
        track_ids=np.array(tracks, np.uint64),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        confidences=np.array(confidences, np.float32),
        uids=np.array(uids, np.int64),
        tensors=np.array(tensors, np.uint64),
        frame_addresses=np.zeros(len(frames), np.uint64),
        pad_indices=np.array([frame.pad_index for frame in frames], np.int64),
        batch_ids=np.array([frame.batch_id for frame in frames], np.int64),
        frame_sizes=np.array(
            [(frame.source_frame_width, frame.source_frame_height) for frame in frames], np.int64
        ).reshape(-1, 2),
        layers=layers,
    )


def write_class_ids(pyds: Any, batch_meta: Any, rows: NDArray[np.int64], values: NDArray[np.int32]) -> None:
    """Set the class ids of some objects; rows: (k,) in the order of read_batch, rising."""
    wanted = dict(zip(rows.tolist(), values.tolist(), strict=True))
    row = 0
    for frame_meta in nodes(batch_meta.frame_meta_list, pyds.NvDsFrameMeta.cast):
        for obj in nodes(frame_meta.obj_meta_list, pyds.NvDsObjectMeta.cast):
            if row in wanted:
                obj.class_id = wanted[row]
            row += 1


def _box(obj: Any) -> tuple[float, float, float, float]:
    """The box that Savant takes for the object's (nvds_get_obj_bbox); nvinfer's preprocessing may move rect_params."""
    box = obj.tracker_bbox_info.org_bbox_coords
    if not (box.width > 0 and box.height > 0):
        box = obj.detector_bbox_info.org_bbox_coords
    return box.left, box.top, box.width, box.height


def _tensor_meta(pyds: Any, obj: Any, gie_uid: int) -> Any:
    for user_meta in nodes(obj.obj_user_meta_list, pyds.NvDsUserMeta.cast):
        if user_meta.base_meta.meta_type == pyds.NVDSINFER_TENSOR_OUTPUT_META:
            tensor_meta = pyds.NvDsInferTensorMeta.cast(user_meta.user_meta_data)
            if tensor_meta.unique_id == gie_uid:
                return tensor_meta
    return None


def _first_output(pyds: Any, tensor_meta: Any) -> int:
    """Where on the device the first output lies."""
    pointers = ctypes.cast(pyds.get_ptr(tensor_meta.out_buf_ptrs_dev), ctypes.POINTER(ctypes.c_void_p))
    return pointers[0] or 0


def _layers(tensor_meta: Any) -> tuple[OutputLayer, ...]:
    layers = [tensor_meta.output_layers_info(index) for index in range(tensor_meta.num_output_layers)]
    return tuple(OutputLayer(str(layer.layerName), int(layer.dataType), _shape(layer.inferDims)) for layer in layers)


def _shape(dims: Any) -> tuple[int, ...]:
    return tuple(int(length) for length in dims.d[: dims.numDims])
