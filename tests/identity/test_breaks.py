"""Where a track is most unlike itself."""

from __future__ import annotations

import numpy as np

from savant_reid.identity.breaks import AFTER, BEFORE, most_different

D = 32


def crops(*people: int, noise: float = 0.03, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    looks = np.eye(D, dtype=np.float32)[list(people)] + noise * rng.standard_normal((len(people), D))
    return np.asarray(looks / np.linalg.norm(looks, axis=1, keepdims=True), np.float32)


def found(*people: int, quality: np.ndarray | None = None):
    looks = crops(*people)
    return most_different(looks, np.ones(len(looks), np.float32) if quality is None else quality)


def test_the_place_is_where_the_person_changes():
    assert found(0, 0, 0, 1, 1).place == 3
    assert found(0, 0, 1, 1, 1, 1).place == 2
    change = found(0, 0, 0, 0, 1, 1, 1)
    assert change.place == 4
    assert change.across.shape == (3,)
    assert (change.across < 0.3).all()
    assert (change.earlier > 0.8).all()
    assert (change.later > 0.8).all()


def test_a_poor_crop_among_the_later_ones_does_not_hide_it():
    assert found(0, 0, 0, 0, 1, 0, 1, 1, quality=np.array([1, 1, 1, 1, 1, 0.1, 1, 1], np.float32)).place == 4


def test_somebody_who_stays_is_alike_across_any_place():
    assert (found(0, 0, 0, 0, 0, 0).across > 0.8).all()


def test_sides_that_are_not_alike_in_themselves_say_so():
    assert found(0, 1, 2, 3, 4, 5).later.mean() < 0.3


def test_too_few_crops_say_nothing():
    assert most_different(crops(*[0] * (BEFORE + AFTER - 1)), np.ones(BEFORE + AFTER - 1, np.float32)) is None
