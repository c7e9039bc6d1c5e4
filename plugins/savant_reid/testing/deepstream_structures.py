"""DeepStream 7.0's metadata structures, whole, in its headers' order, aligned by ctypes as a C compiler would.

Written apart from hosts/deepstream/layout.py, so that a wrong offset there makes a test fail. Attributes are those of
pyds.
"""

from __future__ import annotations

import ctypes as c
from typing import Any

import numpy as np


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
