"""Whether layout.py is right for the DeepStream that runs: held against pyds, field by field, on the first batches.

Nothing is followed that pyds has not confirmed: under a wrong layout a pointer may point anywhere, and following it
ends the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from savant_reid.hosts.deepstream import layout
from savant_reid.hosts.deepstream.arrays import BatchArrays
from savant_reid.hosts.deepstream.memory import record

# What a way of reading may leave open.
_ADDRESSES = ("addresses", "frame_addresses")


class WrongLayout(Exception):
    """The structures in memory are not what layout.py says: which field, what pyds says, what was found."""


def confirm_batch(pyds: Any, batch_meta: Any, model: int | None) -> None:
    """Hold every structure of a batch that a walk would follow against pyds. Raises WrongLayout.

    model: nvinfer's unique id of the re-ID model; None: its tensors are not looked at.
    """
    _confirm("NvDsBatchMeta", layout.BATCH_META, batch_meta, pyds, {"frame_meta_list": batch_meta.frame_meta_list})
    for frame in _nodes(pyds, batch_meta.frame_meta_list, pyds.NvDsFrameMeta):
        numbers = {name: getattr(frame, name) for name in ("pad_index", "batch_id", *_FRAME_SIZE)}
        _confirm("NvDsFrameMeta", layout.FRAME_META, frame, pyds, {"obj_meta_list": frame.obj_meta_list}, numbers)
        for obj in _nodes(pyds, frame.obj_meta_list, pyds.NvDsObjectMeta):
            _confirm_object(pyds, obj, model)


_FRAME_SIZE = ("source_frame_width", "source_frame_height")


def _confirm_object(pyds: Any, obj: Any, model: int | None) -> None:
    numbers = {
        "unique_component_id": obj.unique_component_id,
        "class_id": obj.class_id,
        "object_id": obj.object_id,
        "confidence": obj.confidence,
        "detector_bbox_info": _box(obj.detector_bbox_info.org_bbox_coords),
        "tracker_bbox_info": _box(obj.tracker_bbox_info.org_bbox_coords),
        "misc_obj_info": [int(value) for value in obj.misc_obj_info],
    }
    pointers = {"obj_user_meta_list": obj.obj_user_meta_list}
    _confirm("NvDsObjectMeta", layout.OBJECT_META, obj, pyds, pointers, numbers)
    if model is None:
        return
    for user_meta in _nodes(pyds, obj.obj_user_meta_list, pyds.NvDsUserMeta):
        kind = int(user_meta.base_meta.meta_type)
        pointers = {"user_meta_data": user_meta.user_meta_data}
        _confirm("NvDsUserMeta", layout.USER_META, user_meta, pyds, pointers, {"meta_type": kind})
        if kind == int(pyds.NVDSINFER_TENSOR_OUTPUT_META):
            _confirm_tensor(pyds, pyds.NvDsInferTensorMeta.cast(user_meta.user_meta_data))


def _confirm_tensor(pyds: Any, tensor: Any) -> None:
    numbers = {"unique_id": tensor.unique_id, "num_output_layers": tensor.num_output_layers}
    pointers = {"out_buf_ptrs_dev": tensor.out_buf_ptrs_dev}
    _confirm("NvDsInferTensorMeta", layout.TENSOR_META, tensor, pyds, pointers, numbers)


def _confirm(
    what: str,
    structure: np.dtype[np.void],
    pyds_object: Any,
    pyds: Any,
    pointers: dict[str, Any],
    numbers: dict[str, Any] | None = None,
) -> None:
    """pointers: pyds objects or capsules, None for NULL; numbers: as pyds tells them; both by field."""
    found = record(_address(pyds, pyds_object), structure)
    addresses = {name: 0 if value is None else _address(pyds, value) for name, value in pointers.items()}
    _compare(what, found, addresses | (numbers or {}))


def _compare(what: str, found: np.void, known: dict[str, Any]) -> None:
    for name, value in known.items():
        value_found = found[name].tolist()
        if value_found != value and not _both_nan(value_found, value):
            raise WrongLayout(f"{what}.{name}: pyds says {value}, found {value_found}")


def _both_nan(one: Any, other: Any) -> bool:
    """Of numbers, or of lists of them that are equal but for NaN."""
    return np.array_equal(one, other, equal_nan=True)


def _nodes(pyds: Any, head: Any, of_type: Any) -> Iterator[Any]:
    """What a list holds, as pyds tells it, each node held against the layout of GList."""
    while head is not None:
        following = head.next
        _confirm("GList", layout.GLIST, head, pyds, {"data": head.data, "next": following})
        yield of_type.cast(head.data)
        head = following


def _address(pyds: Any, pyds_object: Any) -> int:
    """Of a pyds object or a capsule: pybind11 passes either for C's void*."""
    address = pyds.get_ptr(pyds_object)
    if not isinstance(address, int):
        raise WrongLayout(f"expected an address from pyds.get_ptr, found {address!r}")
    return address


def _box(box: Any) -> list[float]:
    return [box.left, box.top, box.width, box.height]


def difference(fast: BatchArrays, slow: BatchArrays) -> str | None:
    """The first field in which two readings of one batch differ, with both values; None where they are the same."""
    for field in fields(BatchArrays):
        one, other = getattr(fast, field.name), getattr(slow, field.name)
        if field.name in _ADDRESSES:
            continue
        if not isinstance(one, np.ndarray):
            same = one == other
        else:
            same = one.shape == other.shape and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        if not same:
            return f"{field.name}: pyds says {_some(other)}, the fast way {_some(one)}"
    return None


def _some(values: Any) -> str:
    return np.array2string(values, threshold=8, edgeitems=4) if isinstance(values, np.ndarray) else str(values)
