"""Where the fields that we read lie in DeepStream's C structures.

Offsets and sizes in bytes, by a C compiler from DeepStream 7.0's headers (nvdsmeta.h, nvll_osd_struct.h,
gstnvdsinfer.h) and GLib 2.74's, for 64-bit Linux; x86-64 and aarch64 lay out these types alike. The same for DeepStream
6.0, 6.0.1, 6.1, 6.1.1, 6.2, 6.3, 6.4, 7.1 and 8.0, where some structures are longer at their end; not for 9.1, which
moves an object's lists by 8. selfcheck.py holds them against pyds before they are used.

What a model's outputs are called and how long they are (NvDsInferLayerInfo) is asked of pyds, once: it tells their
values, but not where they lie, so a pointer to them could not be confirmed before it is followed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

POINTER = "<u8"
# NvDsMetaType, NvDsInferDataType.
TENSOR_OUTPUT_META = 12
FLOAT = 0
DATA_TYPES = {0: "FP32", 1: "FP16", 2: "INT8", 3: "INT32", 4: "INT64", 5: "UINT8"}


def _structure(size: int, **fields: tuple[int, Any]) -> np.dtype[np.void]:
    """fields: (offset, format) by C's name; what lies between them is left out."""
    names = list(fields)
    offsets, formats = [fields[name][0] for name in names], [fields[name][1] for name in names]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


GLIST = _structure(24, data=(0, POINTER), next=(8, POINTER))

BATCH_META = _structure(192, frame_meta_list=(96, POINTER))

FRAME_META = _structure(
    200,
    pad_index=(40, "<u4"),
    batch_id=(44, "<u4"),
    source_frame_width=(80, "<u4"),
    source_frame_height=(84, "<u4"),
    obj_meta_list=(104, POINTER),
)

# The two boxes are NvDsComp_BboxInfo: left, top, width, height. misc_obj_info is 4 numbers of 64 bits in C, of which
# pyds shows the first two as 4 of 32 (bindnvdsmeta.cpp, 1.1.8 to 1.2.0); Savant writes through pyds.
OBJECT_META = _structure(
    544,
    unique_component_id=(48, "<i4"),
    class_id=(52, "<i4"),
    object_id=(56, "<u8"),
    detector_bbox_info=(64, ("<f4", 4)),
    tracker_bbox_info=(80, ("<f4", 4)),
    confidence=(96, "<f4"),
    obj_user_meta_list=(472, POINTER),
    misc_obj_info=(480, ("<i4", 4)),
)

# base_meta.meta_type.
USER_META = _structure(48, meta_type=(8, "<i4"), user_meta_data=(40, POINTER))

TENSOR_META = _structure(
    64,
    unique_id=(0, "<u4"),
    num_output_layers=(4, "<u4"),
    out_buf_ptrs_dev=(24, POINTER),
)


def offset(structure: np.dtype[np.void], field: str) -> int:
    """Bytes from the structure's beginning to the field."""
    assert structure.fields is not None
    return int(structure.fields[field][1])
