"""Boxes move with their pixels."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from model_builder.augment import camera_faults, detector_sample, embedder_sample, letterboxed

INPUT_HW = (192, 320)
BOX = np.array([[200.0, 80.0, 100.0, 160.0]], np.float32)  # ltwh in a frame of 360 x 640


def frame_with_a_block() -> np.ndarray:
    frame = np.full((360, 640, 3), 30, np.uint8)
    left, top, width, height = BOX[0].astype(int)
    frame[top : top + height, left : left + width] = 250
    return frame


@pytest.mark.parametrize(("centred", "top"), [(True, 6), (False, 0)])
def test_a_letterbox_pads_on_both_sides_or_below_only(centred: bool, top: int) -> None:
    image = letterboxed(np.full((360, 640, 3), 200, np.uint8), INPUT_HW, centred, pad=114)
    rows = image[:, 160, 0]
    assert (rows[top : top + 180] == 200).all()
    assert rows[0] == (114 if centred else 200)
    assert rows[-1] == 114


def test_boxes_follow_the_pixels_through_every_augmentation() -> None:
    frame = frame_with_a_block()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        image, boxes, shares = detector_sample(frame, BOX, np.ones(1, np.float32), INPUT_HW, rng)
        assert image.shape == (*INPUT_HW, 3)
        assert image.dtype == np.uint8
        if not len(boxes) or shares[0] == 0:
            continue
        bright = image.astype(float).mean(2)
        bright = bright > (bright.max() + np.median(bright)) / 2
        columns, rows = np.flatnonzero(bright.mean(0) > 0.1), np.flatnonzero(bright.mean(1) > 0.05)
        seen = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert boxes[0] == pytest.approx(seen, abs=2.0), seed


def test_a_person_mostly_cut_off_is_marked_as_hidden() -> None:
    box = np.array([[600.0, 80, 400, 160]], np.float32)
    _, boxes, shares = detector_sample(
        frame_with_a_block(), box, np.ones(1, np.float32), INPUT_HW, np.random.default_rng(0), strength=0.0
    )
    assert len(boxes) == 1
    assert shares[0] == 0.0


def test_faults_and_crops_are_repeatable_and_keep_their_shape() -> None:
    crop = np.random.default_rng(1).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    for change in (camera_faults, embedder_sample):
        first, second = (change(crop, np.random.default_rng(5)) for _ in range(2))
        assert first.shape == crop.shape
        assert first.dtype == np.uint8
        np.testing.assert_array_equal(first, second)
