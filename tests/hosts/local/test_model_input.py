"""Pictures become tensors as nvinfer makes them: by hand, value by value."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.hosts.local.model_input import Layout, ModelInputTensor
from savant_reid.hosts.local.model_schema import ModelInput

BLUE = np.full((20, 40, 3), (200, 100, 50), np.uint8)  # BGR


def spec(**changes: object) -> ModelInput:
    return ModelInput.model_validate({"shape": [3, 8, 12], **changes})


def test_colour_order_offsets_and_scale() -> None:
    tensor = ModelInputTensor(spec(scale_factor=0.5, offsets=[10.0, 20.0, 30.0]), Layout.NCHW, 1).fill([BLUE])
    assert tensor.shape == (1, 3, 8, 12)
    assert tensor.dtype == np.float32
    for channel, value in enumerate(((50 - 10) / 2, (100 - 20) / 2, (200 - 30) / 2)):
        np.testing.assert_array_equal(tensor[0, channel], value)


def test_bgr_and_channels_last() -> None:
    tensor = ModelInputTensor(spec(color_format="BGR"), Layout.NHWC, 1).fill([BLUE])
    assert tensor.shape == (1, 8, 12, 3)
    np.testing.assert_array_equal(tensor[0, 4, 4], (200, 100, 50))


def test_letterbox_lies_top_left_and_is_padded() -> None:
    tensor = ModelInputTensor(spec(maintain_aspect_ratio=True), Layout.NCHW, 2, padding=114)
    wide, tall = tensor.fill([BLUE, np.ascontiguousarray(BLUE.transpose(1, 0, 2))])
    np.testing.assert_array_equal(wide[0, :6], 50)  # 40 x 20 becomes 12 x 6
    np.testing.assert_array_equal(wide[:, 6:], 114)
    np.testing.assert_array_equal(tall[0, :, :4], 50)  # 20 x 40 becomes 4 x 8
    np.testing.assert_array_equal(tall[:, :, 4:], 114)


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (1, 1)])
def test_extreme_pictures_keep_a_pixel(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 9, np.uint8)
    tensor = ModelInputTensor(spec(maintain_aspect_ratio=True), Layout.NCHW, 1).fill([picture])
    assert tensor[0, 0, 0, 0] == 9


def test_rows_are_independent() -> None:
    tensor = ModelInputTensor(spec(), Layout.NCHW, 3)
    tensor.fill([BLUE, BLUE, BLUE])
    view = tensor.fill([BLUE // 2])
    assert len(view) == 1
    assert view[0, 0, 0, 0] == 25
    assert tensor.all_rows[1, 0, 0, 0] == 50
