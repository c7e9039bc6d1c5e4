"""A batch of DeepStream's metadata in real memory, for tests and measurements without DeepStream, and pyds over it."""

from __future__ import annotations

import ctypes as c
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np

from savant_reid.testing.deepstream_structures import (
    GList,
    NvBboxCoords,
    NvDsBaseMeta,
    NvDsBatchMeta,
    NvDsFrameMeta,
    NvDsInferDims,
    NvDsInferLayerInfo,
    NvDsInferTensorMeta,
    NvDsObjectMeta,
    NvDsUserMeta,
    NvOSDRectParams,
)

UNTRACKED = 2**64 - 1
# Unique ids of two models.
REID, OTHER_MODEL = 9, 3
TENSOR_META_TYPE = 12
FLOAT, HALF = 0, 1
T = TypeVar("T")
Meta = TypeVar("Meta", bound=c.Structure)


class Memory:
    """One batch. Everything that it points at lives as long as this does."""

    def __init__(self) -> None:
        self._kept: list[Any] = []
        self._lists: dict[tuple[int, str], list[GList]] = {}
        self.batch = self.keep(NvDsBatchMeta(max_frames_in_batch=16))

    def keep(self, thing: T) -> T:
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

    def tensors(self, objects: Sequence[NvDsObjectMeta], layers: Sequence[tuple[str, Any]], model: int = REID) -> None:
        """As nvinfer attaches one inference's outputs (attach_tensor_output_meta). layers: (name, (batch, ...)).

        The values are NumPy's or CuPy's, whose memory then is the device's.
        """
        for place, obj in enumerate(objects):
            infos = self.keep((NvDsInferLayerInfo * len(layers))())
            pointers = self.keep((c.c_void_p * len(layers))())
            for index, (name, values) in enumerate(layers):
                self.keep(values)
                infos[index] = layer_info(name, values, index)
                pointers[index] = _address(values) + place * values[0].nbytes
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

    def _append(self, owner: Any, field: str, member: Meta) -> Meta:
        nodes = self._lists.setdefault((c.addressof(owner), field), [])
        node = self.keep(GList(data=c.addressof(member)))
        if nodes:
            nodes[-1].next_, node.prev_ = c.addressof(node), c.addressof(nodes[-1])
        else:
            setattr(owner, field, c.addressof(node))
        nodes.append(node)
        return member


def _address(values: Any) -> int:
    return int(values.ctypes.data) if isinstance(values, np.ndarray) else int(values.data.ptr)


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
