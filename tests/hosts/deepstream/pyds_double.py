"""A stand-in for pyds: metadata objects with the attributes and linked lists of the real ones, and nothing clever.

Tensors lie in real memory: their pointers can be followed.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np

UNTRACKED = 2**64 - 1
NVDSINFER_TENSOR_OUTPUT_META = 12


class NvDsInferDataType:
    FLOAT, HALF, INT8, INT32 = 0, 1, 2, 3


class Node:
    def __init__(self, data: Any, following: Node | None) -> None:
        self.data, self.next = data, following


def glist(items: list[Any]) -> Node | None:
    head = None
    for item in reversed(items):
        head = Node(item, head)
    return head


class _Castable:
    @classmethod
    def cast(cls, data: Any) -> Any:
        assert isinstance(data, cls)
        return data


class _CInt:
    """A field of C's type gint: whoever sets it to what does not fit gets an error, as from pybind11."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = "_" + name

    def __get__(self, obj: Any, owner: type | None = None) -> int:
        return obj.__dict__[self.name]

    def __set__(self, obj: Any, value: int) -> None:
        if type(value) is not int or not -(2**31) <= value < 2**31:
            raise TypeError(f"incompatible function arguments: {value!r}")
        obj.__dict__[self.name] = value


def _rect(left: float = 0.0, top: float = 0.0, width: float = 0.0, height: float = 0.0) -> SimpleNamespace:
    return SimpleNamespace(left=left, top=top, width=width, height=height)


class NvDsObjectMeta(_Castable):
    class_id = _CInt()
    unique_component_id = _CInt()

    def __init__(self, track_id: int, box: tuple[float, float, float, float], component: int, class_id: int) -> None:
        self.class_id, self.unique_component_id, self.object_id = class_id, component, track_id
        self.obj_label, self.confidence, self.tracker_confidence = "person_detector.person", 0.9, 0.8
        # What nvinfer's preprocessing leaves in rect_params is not the person's box.
        self.rect_params = _rect(1.0, 2.0, 3.0, 4.0)
        self.detector_bbox_info = SimpleNamespace(org_bbox_coords=_rect(*box))
        self.tracker_bbox_info = SimpleNamespace(org_bbox_coords=_rect())
        # As pyds shows it, whatever the header says.
        self.misc_obj_info = np.zeros(4, np.int32)
        self.user_metas: list[Any] = []
        self.parent = None

    @property
    def obj_user_meta_list(self) -> Node | None:
        return glist(self.user_metas)


class NvDsFrameMeta(_Castable):
    def __init__(self, source: int, frame_num: int, savant_idx: int | None) -> None:
        self.pad_index = self.source_id = self.batch_id = source
        self.frame_num, self.buf_pts, self.savant_idx = frame_num, frame_num * 40_000_000, savant_idx
        self.source_frame_width, self.source_frame_height = 640, 360
        self.objects: list[NvDsObjectMeta] = []

    @property
    def obj_meta_list(self) -> Node | None:
        return glist(self.objects)


class NvDsBatchMeta(_Castable):
    def __init__(self, frames: list[NvDsFrameMeta]) -> None:
        self.frames = frames

    @property
    def frame_meta_list(self) -> Node | None:
        return glist(self.frames)


class NvDsUserMeta(_Castable):
    def __init__(self, meta_type: int, data: Any) -> None:
        self.base_meta, self.user_meta_data = SimpleNamespace(meta_type=meta_type), data


class NvDsInferTensorMeta(_Castable):
    """One vector in host memory, which stands for the device's."""

    def __init__(self, gie_uid: int, vector: np.ndarray) -> None:
        self.unique_id, self.vector = gie_uid, np.ascontiguousarray(vector, np.float32)
        self.pointers = (ctypes.c_void_p * 1)(self.vector.ctypes.data)
        self.out_buf_ptrs_dev = ctypes.addressof(self.pointers)
        self.layers = [layer("embedding", [len(self.vector)])]

    @property
    def num_output_layers(self) -> int:
        return len(self.layers)

    def output_layers_info(self, index: int) -> SimpleNamespace:
        return self.layers[index]


def get_ptr(pointer: int) -> int:
    return pointer


def layer(name: str, shape: list[int], data_type: int = NvDsInferDataType.FLOAT) -> SimpleNamespace:
    dims = SimpleNamespace(numDims=len(shape), d=[*shape, *[0] * (8 - len(shape))])
    return SimpleNamespace(layerName=name, inferDims=dims, dataType=data_type, isInput=False)


def embed(obj: NvDsObjectMeta, vector: np.ndarray, gie_uid: int) -> None:
    obj.user_metas.append(NvDsUserMeta(NVDSINFER_TENSOR_OUTPUT_META, NvDsInferTensorMeta(gie_uid, vector)))
