"""DeepStream 7.0's metadata in real memory, and pyds over it.

The structures are written here a second time, whole, in the order of DeepStream's headers and with the C compiler's
alignment done by ctypes: where layout.py gives another place for a field than these, the tests fail.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

UNTRACKED = 2**64 - 1
REID, OTHER_MODEL = 9, 3
TENSOR_META_TYPE = 12
FLOAT, HALF = 0, 1


def _link(field: str) -> property:
    """A pointer to a GList as pyds shows it: the node, or None."""

    def get(self: Any) -> Any:
        address = getattr(self, field)
        return GList.from_address(address) if address else None

    return property(get)


class _Structure(c.Structure):
    @classmethod
    def cast(cls, data: int) -> Any:
        return cls.from_address(data)


class GList(c.Structure):
    _fields_ = [("data", c.c_void_p), ("next_", c.c_void_p), ("prev_", c.c_void_p)]
    next = _link("next_")


class NvDsBaseMeta(c.Structure):
    _fields_ = [
        ("batch_meta", c.c_void_p),
        ("meta_type", c.c_int),
        ("uContext", c.c_void_p),
        ("copy_func", c.c_void_p),
        ("release_func", c.c_void_p),
    ]


class GRecMutex(c.Structure):
    _fields_ = [("p", c.c_void_p), ("i", c.c_uint * 2)]


class NvDsBatchMeta(_Structure):
    _fields_ = [
        ("base_meta", NvDsBaseMeta),
        ("max_frames_in_batch", c.c_uint),
        ("num_frames_in_batch", c.c_uint),
        ("frame_meta_pool", c.c_void_p),
        ("obj_meta_pool", c.c_void_p),
        ("classifier_meta_pool", c.c_void_p),
        ("display_meta_pool", c.c_void_p),
        ("user_meta_pool", c.c_void_p),
        ("label_info_meta_pool", c.c_void_p),
        ("frame_meta_list_", c.c_void_p),
        ("batch_user_meta_list_", c.c_void_p),
        ("meta_mutex", GRecMutex),
        ("misc_batch_info", c.c_int64 * 4),
        ("reserved", c.c_int64 * 4),
    ]
    frame_meta_list = _link("frame_meta_list_")


class NvDsFrameMeta(_Structure):
    _fields_ = [
        ("base_meta", NvDsBaseMeta),
        ("pad_index", c.c_uint),
        ("batch_id", c.c_uint),
        ("frame_num", c.c_int),
        ("buf_pts", c.c_uint64),
        ("ntp_timestamp", c.c_uint64),
        ("source_id", c.c_uint),
        ("num_surfaces_per_frame", c.c_int),
        ("source_frame_width", c.c_uint),
        ("source_frame_height", c.c_uint),
        ("surface_type", c.c_uint),
        ("surface_index", c.c_uint),
        ("num_obj_meta", c.c_uint),
        ("bInferDone", c.c_int),
        ("obj_meta_list_", c.c_void_p),
        ("display_meta_list_", c.c_void_p),
        ("frame_user_meta_list_", c.c_void_p),
        ("misc_frame_info", c.c_int64 * 4),
        ("pipeline_width", c.c_uint),
        ("pipeline_height", c.c_uint),
        ("reserved", c.c_int64 * 4),
    ]
    obj_meta_list = _link("obj_meta_list_")


class NvBboxCoords(c.Structure):
    _fields_ = [("left", c.c_float), ("top", c.c_float), ("width", c.c_float), ("height", c.c_float)]


class NvDsCompBboxInfo(c.Structure):
    _fields_ = [("org_bbox_coords", NvBboxCoords)]


class NvOSDColorParams(c.Structure):
    _fields_ = [("red", c.c_double), ("green", c.c_double), ("blue", c.c_double), ("alpha", c.c_double)]


class NvOSDRectParams(c.Structure):
    _fields_ = [
        ("left", c.c_float),
        ("top", c.c_float),
        ("width", c.c_float),
        ("height", c.c_float),
        ("border_width", c.c_uint),
        ("border_color", NvOSDColorParams),
        ("has_bg_color", c.c_uint),
        ("reserved", c.c_uint),
        ("bg_color", NvOSDColorParams),
        ("has_color_info", c.c_int),
        ("color_id", c.c_int),
    ]


class NvOSDMaskParams(c.Structure):
    _fields_ = [
        ("data", c.c_void_p),
        ("size", c.c_uint),
        ("threshold", c.c_float),
        ("width", c.c_uint),
        ("height", c.c_uint),
    ]


class NvOSDFontParams(c.Structure):
    _fields_ = [("font_name", c.c_void_p), ("font_size", c.c_uint), ("font_color", NvOSDColorParams)]


class NvOSDTextParams(c.Structure):
    _fields_ = [
        ("display_text", c.c_void_p),
        ("x_offset", c.c_uint),
        ("y_offset", c.c_uint),
        ("font_params", NvOSDFontParams),
        ("set_bg_clr", c.c_int),
        ("text_bg_clr", NvOSDColorParams),
    ]


class NvDsObjectMeta(_Structure):
    _fields_ = [
        ("base_meta", NvDsBaseMeta),
        ("parent", c.c_void_p),
        ("unique_component_id", c.c_int),
        ("class_id", c.c_int),
        ("object_id", c.c_uint64),
        ("detector_bbox_info", NvDsCompBboxInfo),
        ("tracker_bbox_info", NvDsCompBboxInfo),
        ("confidence", c.c_float),
        ("tracker_confidence", c.c_float),
        ("rect_params", NvOSDRectParams),
        ("mask_params", NvOSDMaskParams),
        ("text_params", NvOSDTextParams),
        ("obj_label", c.c_char * 128),
        ("classifier_meta_list_", c.c_void_p),
        ("obj_user_meta_list_", c.c_void_p),
        ("misc_obj_info_", c.c_int64 * 4),
        ("reserved", c.c_int64 * 4),
    ]
    obj_user_meta_list = _link("obj_user_meta_list_")

    @property
    def misc_obj_info(self) -> np.ndarray:
        """As pyds shows it: numbers of 32 bits."""
        return np.ctypeslib.as_array(self.misc_obj_info_).view(np.int32)[:4]


class NvDsUserMeta(_Structure):
    _fields_ = [("base_meta", NvDsBaseMeta), ("user_meta_data", c.c_void_p)]


class NvDsInferDims(c.Structure):
    _fields_ = [("numDims", c.c_uint), ("d", c.c_uint * 8), ("numElements", c.c_uint)]


class NvDsInferLayerInfo(c.Structure):
    _fields_ = [
        ("dataType", c.c_int),
        ("inferDims", NvDsInferDims),
        ("bindingIndex", c.c_int),
        ("layerName_", c.c_char_p),
        ("buffer", c.c_void_p),
        ("isInput", c.c_int),
    ]
    layerName = property(lambda self: self.layerName_.decode())


class NvDsInferTensorMeta(_Structure):
    _fields_ = [
        ("unique_id", c.c_uint),
        ("num_output_layers", c.c_uint),
        ("output_layers_info_", c.c_void_p),
        ("out_buf_ptrs_host", c.c_void_p),
        ("out_buf_ptrs_dev", c.c_void_p),
        ("gpu_id", c.c_int),
        ("priv_data", c.c_void_p),
        ("network_info", c.c_uint * 3),
        ("maintain_aspect_ratio", c.c_int),
    ]

    def output_layers_info(self, index: int) -> NvDsInferLayerInfo:
        return NvDsInferLayerInfo.from_address(self.output_layers_info_ + index * c.sizeof(NvDsInferLayerInfo))


class Memory:
    """One batch. Everything that it points at lives as long as this does."""

    def __init__(self) -> None:
        self._kept: list[Any] = []
        self._lists: dict[tuple[int, str], list[GList]] = {}
        self.batch = self.keep(NvDsBatchMeta(max_frames_in_batch=16))

    def keep(self, thing: Any) -> Any:
        self._kept.append(thing)
        return thing

    def frame(self, pad: int, size: tuple[int, int] = (1280, 720)) -> NvDsFrameMeta:
        width, height = size
        frame = self.keep(
            NvDsFrameMeta(
                pad_index=pad,
                batch_id=self.batch.num_frames_in_batch,
                source_id=pad + 100,
                frame_num=-1,
                buf_pts=2**63,
                source_frame_width=width,
                source_frame_height=height,
            )
        )
        self.batch.num_frames_in_batch += 1
        return self._append(self.batch, "frame_meta_list_", frame)

    def object(
        self,
        frame: NvDsFrameMeta,
        track: int = UNTRACKED,
        box: Sequence[float] = (10, 20, 30, 90),
        misc: Sequence[int] = (0, 0, 0, 0),
        **values: Any,
    ) -> NvDsObjectMeta:
        """A person that the detector has found; misc: misc_obj_info; fields by name."""
        obj = self.keep(NvDsObjectMeta(unique_component_id=7, object_id=track, confidence=0.75, **values))
        obj.detector_bbox_info.org_bbox_coords = NvBboxCoords(*box)
        obj.rect_params = NvOSDRectParams(1, 2, 3, 4)
        obj.obj_label = b"person_detector.person"
        obj.misc_obj_info[:] = misc
        obj.reserved[:] = [-1] * 4
        frame.num_obj_meta += 1
        return self._append(frame, "obj_meta_list_", obj)

    def user_meta(self, obj: NvDsObjectMeta, meta_type: int, data: int | None = None) -> NvDsUserMeta:
        meta = self.keep(NvDsUserMeta(NvDsBaseMeta(meta_type=meta_type), data))
        return self._append(obj, "obj_user_meta_list_", meta)

    def tensors(
        self, objects: Sequence[NvDsObjectMeta], layers: Sequence[tuple[str, np.ndarray]], model: int = REID
    ) -> None:
        """As nvinfer attaches one inference's outputs (attach_tensor_output_meta): layers: (name, (batch, ...))."""
        for place, obj in enumerate(objects):
            infos = self.keep((NvDsInferLayerInfo * len(layers))())
            pointers = self.keep((c.c_void_p * len(layers))())
            for index, (name, values) in enumerate(layers):
                self.keep(values)
                infos[index] = layer_info(name, values, index)
                pointers[index] = values.ctypes.data + place * values[0].nbytes
            meta = self.keep(
                NvDsInferTensorMeta(
                    unique_id=model,
                    num_output_layers=len(layers),
                    output_layers_info_=c.addressof(infos),
                    out_buf_ptrs_host=1,
                    out_buf_ptrs_dev=c.addressof(pointers),
                )
            )
            self.user_meta(obj, TENSOR_META_TYPE, c.addressof(meta))

    @property
    def address(self) -> int:
        return c.addressof(self.batch)

    def _append(self, owner: Any, field: str, member: Any) -> Any:
        nodes = self._lists.setdefault((c.addressof(owner), field), [])
        node = self.keep(GList(data=c.addressof(member)))
        if nodes:
            nodes[-1].next_, node.prev_ = c.addressof(node), c.addressof(nodes[-1])
        else:
            setattr(owner, field, c.addressof(node))
        nodes.append(node)
        return member


def layer_info(name: str, values: np.ndarray, index: int) -> NvDsInferLayerInfo:
    shape = values.shape[1:]
    return NvDsInferLayerInfo(
        dataType={"f4": FLOAT, "f2": HALF}[values.dtype.str[1:]],
        inferDims=NvDsInferDims(len(shape), (c.c_uint * 8)(*shape), values[0].size),
        bindingIndex=index + 1,
        layerName_=name.encode(),
        buffer=0xDEAD,
    )


def _get_ptr(thing: Any) -> int:
    return thing if isinstance(thing, int) else c.addressof(thing)


# What this project takes from pyds.
pyds = SimpleNamespace(
    NVDSINFER_TENSOR_OUTPUT_META=TENSOR_META_TYPE,
    NvDsFrameMeta=NvDsFrameMeta,
    NvDsObjectMeta=NvDsObjectMeta,
    NvDsUserMeta=NvDsUserMeta,
    NvDsInferTensorMeta=NvDsInferTensorMeta,
    get_ptr=_get_ptr,
)
