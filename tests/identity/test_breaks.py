"""Where a track is most unlike itself."""

from __future__ import annotations

import numpy as np

from savant_reid.identity.breaks import AFTER, BEFORE, most_different

D = 32


def crops(*people: int, noise: float = 0.03, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    looks = np.eye(D, dtype=np.float32)[list(people)] + noise * rng.standard_normal((len(people), D))
    return np.asarray(looks / np.linalg.norm(looks, axis=1, keepdims=True), np.float32)


class Found:
    """The break in one track, and the similarities of its crops."""

    def __init__(self, *people: int, quality: tuple[float, ...] = ()) -> None:
        """One more track is asked about, and rows have room for one more crop: neither says anything."""
        n = len(people)
        looks, weights = np.zeros((2, n + 1, D), np.float32), np.zeros((2, n + 1), np.float32)
        looks[:, :n], weights[:, :n] = [crops(*people), crops(*range(n))], quality or 1.0
        breaks = most_different(looks, weights)
        self.place = int(breaks.place[0])
        self.across = breaks.across[0, self.place : n]
        self.earlier, self.later = breaks.own[0, : self.place], breaks.own[0, self.place : n]


def test_the_place_is_where_the_person_changes():
    assert Found(0, 0, 0, 1, 1).place == 3
    assert Found(0, 0, 1, 1, 1, 1).place == 2
    change = Found(0, 0, 0, 0, 1, 1, 1)
    assert change.place == 4
    assert (change.across < 0.3).all()
    assert (change.earlier > 0.8).all()
    assert (change.later > 0.8).all()


def test_a_poor_crop_among_the_later_ones_does_not_hide_it():
    assert Found(0, 0, 0, 0, 1, 0, 1, 1, quality=(1, 1, 1, 1, 1, 0.1, 1, 1)).place == 4


def test_somebody_who_stays_is_alike_across_any_place():
    assert (Found(0, 0, 0, 0, 0, 0).across > 0.8).all()


def test_sides_that_are_not_alike_in_themselves_say_so():
    assert Found(0, 1, 2, 3, 4, 5).later.mean() < 0.3


def test_there_are_enough_crops_on_either_side():
    assert Found(0, 1, 1, 1, 1).place == BEFORE
    assert Found(0, 0, 0, 0, 1).place == 5 - AFTER


def test_the_similarities_are_those_to_the_means_of_the_sides():
    """By the vectors themselves."""
    people, quality = (0, 0, 1, 2, 1, 1), np.array([0.5, 1, 0.3, 0.2, 0.8, 1])
    change, looks = Found(*people, quality=tuple(quality)), crops(*people)
    before = quality[: change.place] @ looks[: change.place]
    np.testing.assert_allclose(change.across, looks[change.place :] @ before / np.linalg.norm(before), atol=1e-5)
    for side, said in ((slice(change.place), change.earlier), (slice(change.place, None), change.later)):
        weighted = quality[side, None] * looks[side]
        others = weighted.sum(axis=0) - weighted
        expected = (looks[side] * others).sum(axis=1) / np.linalg.norm(others, axis=1)
        np.testing.assert_allclose(said, expected, atol=1e-5)
