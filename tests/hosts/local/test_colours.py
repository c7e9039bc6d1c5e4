from __future__ import annotations

import numpy as np
import pytest

from savant_reid.hosts.local.colours import colours

RED, BLUE, GREEN = (0, 0, 200), (200, 0, 0), (0, 200, 0)


def picture(*people: tuple[tuple[int, int, int], tuple[int, int, int]], scale: int = 1) -> np.ndarray:
    """Grey, with a person of 40 x 120 pixels every 60: torso and legs in these colours."""
    image = np.full((160, 60 * len(people) + 20, 3), 90, np.uint8)
    for number, (torso, legs) in enumerate(people):
        across = slice(20 + 60 * number, 60 + 60 * number)
        image[20:80, across], image[80:140, across] = torso, legs
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def boxes(count: int, scale: int = 1) -> np.ndarray:
    return np.float32([[20 + 60 * number, 20, 40, 120] for number in range(count)]) * np.float32(scale)


def all_of(count: int) -> np.ndarray:
    return np.ones(count, bool)


def test_alike_are_those_who_wear_the_same_above_and_below() -> None:
    looks = colours(picture((RED, BLUE), (RED, BLUE), (BLUE, RED), (RED, GREEN)), boxes(4), all_of(4))
    assert looks.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(looks @ looks[0], [1, 1, 0, 0.5], atol=1e-6)


def test_a_near_person_is_like_a_far_one() -> None:
    far, near = (colours(picture((RED, BLUE), scale=scale), boxes(1, scale), all_of(1)) for scale in (1, 4))
    np.testing.assert_allclose(far, near, atol=1e-6)


@pytest.mark.parametrize(
    "box", [[500, 20, 40, 120], [20, -900, 40, 120], [20, 20, 1, 120], [np.nan, 20, 40, 120], [20, np.inf, 40, 120]]
)
def test_where_there_is_nothing_to_see_there_is_no_look(box: list[float]) -> None:
    looks = colours(picture((RED, BLUE)), np.float32([box, [20, 20, 40, 120]]), all_of(2))
    assert np.isfinite(looks).all(axis=1).tolist() == [False, True]


def test_only_those_who_are_wanted_are_looked_at() -> None:
    looks = colours(picture((RED, BLUE), (RED, BLUE)), boxes(2), np.array([False, True]))
    assert np.isfinite(looks).all(axis=1).tolist() == [False, True]
    assert colours(picture((RED, BLUE)), np.zeros((0, 4), np.float32), all_of(0)).shape == (0, 768)
