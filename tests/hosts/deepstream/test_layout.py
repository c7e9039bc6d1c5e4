"""The offsets of layout.py against whole structures, laid out by ctypes."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from savant_reid.hosts.deepstream import layout
from savant_reid.testing import deepstream_structures as double

STRUCTURES = [
    (layout.GLIST, double.GList),
    (layout.BATCH_META, double.NvDsBatchMeta),
    (layout.FRAME_META, double.NvDsFrameMeta),
    (layout.OBJECT_META, double.NvDsObjectMeta),
    (layout.USER_META, double.NvDsUserMeta),
    (layout.TENSOR_META, double.NvDsInferTensorMeta),
]


def place(structure: type, name: str) -> tuple[int, int]:
    """Offset and size of a field, looked for in the first structures inside too."""
    for field_name, field_type in structure._fields_:
        field = getattr(structure, field_name)
        if field_name in (name, f"{name}_"):
            return field.offset, field.size
        if name in [inner[0] for inner in getattr(field_type, "_fields_", ())]:
            inner = getattr(field_type, name)
            return field.offset + inner.offset, inner.size
    raise KeyError(name)


@pytest.mark.parametrize(("ours", "theirs"), STRUCTURES, ids=[theirs.__name__ for _, theirs in STRUCTURES])
def test_every_field_lies_where_the_whole_structure_has_it(ours, theirs):
    assert ours.itemsize == ctypes.sizeof(theirs)
    for name, (dtype, offset, *_) in ours.fields.items():
        there, size = place(theirs, name)
        # pyds shows its first half only.
        assert (offset, dtype.itemsize) == (there, size // 2 if name == "misc_obj_info" else size), name


def test_the_double_is_as_large_as_deepstreams_structures():
    """sizeof by gcc from the headers: else both could lack the same field."""
    sizes = [ctypes.sizeof(theirs) for _, theirs in STRUCTURES]
    assert sizes == [24, 192, 200, 544, 48, 64]
    assert ctypes.sizeof(double.NvOSDRectParams) == ctypes.sizeof(double.NvOSDTextParams) == 104
    assert ctypes.sizeof(double.NvDsInferLayerInfo) == 72
    assert layout.offset(layout.OBJECT_META, "misc_obj_info") == 480


def test_numbers_keep_their_sign_and_width():
    obj = double.NvDsObjectMeta(class_id=-1, object_id=2**64 - 1)
    found = np.frombuffer(obj, layout.OBJECT_META)[0]
    assert (found["class_id"], found["object_id"]) == (-1, 2**64 - 1)
