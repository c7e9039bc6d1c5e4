"""The samplers for training."""

from __future__ import annotations

from collections import Counter

import numpy as np

from simulated_site.parts import POSE
from simulated_site.site import make_site
from simulated_site.training import identity_crops, random_frames


def test_frames_are_deterministic_and_labelled():
    first, second = list(random_frames(3, 10)), list(random_frames(3, 10))
    for (image, boxes, visibilities), (image2, boxes2, visibilities2) in zip(first, second, strict=True):
        np.testing.assert_array_equal(image, image2)
        np.testing.assert_array_equal(boxes, boxes2)
        np.testing.assert_array_equal(visibilities, visibilities2)
        assert image.shape == (360, 640, 3)
        assert image.dtype == np.uint8
        assert boxes.shape == (len(visibilities), 4)
        assert boxes.dtype == visibilities.dtype == np.float32
        assert ((boxes[:, 0] + boxes[:, 2]) <= 640).all()
        assert ((visibilities > 0) & (visibilities <= 1)).all()
    assert sum(len(boxes) for _, boxes, _ in first) > 10


def test_every_identity_is_seen_in_several_cameras():
    crops = list(identity_crops(3, 5, 6))
    assert Counter(person for person, _, _ in crops) == dict.fromkeys(range(5), 6)
    for person in range(5):
        assert len({camera for p, camera, _ in crops if p == person}) >= 3
    for _, _, crop in crops:
        assert crop.dtype == np.uint8
        assert crop.ndim == 3
        assert crop.shape[0] > 30
    again = list(identity_crops(3, 5, 6))
    assert all(np.array_equal(a[2], b[2]) for a, b in zip(crops, again, strict=True))


def test_seeds_differ_from_one_another_and_from_the_demo():
    (one, _, _), (two, _, _) = next(random_frames(0, 1)), next(random_frames(1, 1))
    assert not np.array_equal(one, two)
    site = make_site(0, cameras=1, people=1, seconds=1)
    still, _ = site.stage("entrance").draw([], np.zeros((0, len(POSE))), 0)
    assert not np.array_equal(one, still)
