"""What float16 does to a search, and that the answer is exact all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from savant_reid.identity.search import ExactSearch
from savant_reid.identity.search.best import ArrayDevice, Keys, Parts
from savant_reid.identity.search.device import HALF_ERROR, DeviceSearch
from savant_reid.testing.appearance import Appearance

CAMERAS, PEOPLE, PROBES, DIMENSION = 6, 4000, 128, 256
# What the device alone finds to be the best; see docs/search.md.
LEAST_AGREEMENT = 0.95


@pytest.fixture(scope="module")
def crowd() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings with the statistics of real ones: everybody's cameras and vectors, and new looks at some of them."""
    appearance, generator = Appearance(CAMERAS, DIMENSION, PEOPLE, 0.2, seed=3), np.random.default_rng(3)
    cameras = generator.integers(0, CAMERAS, PEOPLE)
    vectors = _crops(appearance, np.arange(1, PEOPLE + 1), cameras)
    again = generator.choice(PEOPLE, PROBES, replace=False) + 1
    return cameras, vectors, _crops(appearance, again, generator.integers(0, CAMERAS, PROBES))


def _crops(appearance: Appearance, persons: np.ndarray, cameras: np.ndarray) -> np.ndarray:
    n, sharp = len(persons), np.ones(len(persons))
    slots = appearance.enter(persons, cameras, 0.0)
    looks = appearance.clean(slots, persons % 3, np.zeros(n), sharp)
    appearance.leave(slots)
    return appearance.finish(looks, sharp, np.zeros(n, bool))


class Counting(ArrayDevice):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def best(self, scores: Any, bias: Any, work: Parts, keep: int) -> Keys:
        self.asked += 1
        return super().best(scores, bias, work, keep)


@pytest.mark.parametrize("centred", [False, True])
def test_the_best_among_people_as_they_look(crowd, centred: bool) -> None:
    """As models give them, all much alike, and as the engine compares them, without the mean."""
    cameras, vectors, probes = crowd
    if centred:
        vectors, probes = (_unit(those - vectors.mean(axis=0)) for those in (vectors, probes))
    counting = Counting()
    half, exact = DeviceSearch(DIMENSION, PEOPLE, counting, half=True), ExactSearch(DIMENSION, PEOPLE)
    for search in (half, exact):
        search.rebuild(np.arange(1, PEOPLE + 1), cameras, vectors)
    for blocks in ([2], list(range(CAMERAS))):
        found, right = (search.nearest(probes, blocks, 4) for search in (half, exact))
        np.testing.assert_array_equal(found.owners, right.owners)
        np.testing.assert_allclose(found.similarities, right.similarities, atol=1e-6)
    assert counting.asked == 2  # at once, with the candidates that it asks for first


def test_alone_it_would_name_others(crowd) -> None:
    """Why candidates are compared again: what float16 takes for the best is not always the best."""
    _, vectors, probes = crowd
    right = (probes @ vectors.T).argmax(axis=1)
    agrees = (ArrayDevice().product(probes, vectors.astype(np.float16)).argmax(axis=1) == right).mean()
    assert LEAST_AGREEMENT < agrees < 1


numbers = arrays.arrays(np.float32, (3, 24), elements=st.floats(-1, 1, width=32))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(numbers, numbers)
def test_no_score_is_off_by_more_than_is_allowed_for(probes: np.ndarray, rows: np.ndarray) -> None:
    probes, rows = _unit(probes), _unit(rows)
    scores = ArrayDevice().product(probes, rows.astype(np.float16)).astype(np.float64)
    assert np.abs(scores - probes.astype(np.float64) @ rows.astype(np.float64).T).max() < HALF_ERROR / 1.5


def test_rows_that_float16_cannot_tell_apart_are_told_apart() -> None:
    """A hundred rows within a thousandth, more than are asked for at first: the order is that of float32."""
    generator = np.random.default_rng(0)
    probe = _unit(generator.standard_normal((1, 64)).astype(np.float32))
    rows = _unit(probe + 3e-3 * generator.standard_normal((100, 64)).astype(np.float32))
    counting = Counting()
    search = DeviceSearch(64, 100, counting, half=True)
    search.rebuild(np.arange(1, 101), np.zeros(100, np.int64), rows)
    found = search.nearest(probe, [0], 5)
    np.testing.assert_array_equal(found.owners[0], np.argsort(-(rows @ probe[0]), kind="stable")[:5] + 1)
    assert counting.asked > 1


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > 0, vectors / np.where(lengths > 0, lengths, 1), 0).astype(np.float32)
