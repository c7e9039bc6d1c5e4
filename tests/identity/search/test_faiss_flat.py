"""Indexes that never give a row up: when they are made anew, and what they are asked."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.identity.search.faiss_flat import FlatSearch

faiss = pytest.importorskip("faiss", reason="faiss is not installed (the extra 'faiss')")

DIMENSION = 8


class Indexes:
    """Makes indexes as a GPU's: they refuse to remove."""

    def __init__(self) -> None:
        self.made: list[faiss.IndexFlatIP] = []

    def __call__(self, dimension: int) -> faiss.IndexFlatIP:
        index = faiss.IndexFlatIP(dimension)
        index.remove_ids = None
        self.made.append(index)
        return index


def unit(n: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((n, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def filled(people: int) -> tuple[FlatSearch, Indexes]:
    indexes = Indexes()
    search = FlatSearch(DIMENSION, 2 * people, indexes)
    search.rebuild(np.arange(1, people + 1), np.zeros(people, np.int64), unit(people, 0))
    return search, indexes


def test_an_index_is_made_anew_only_when_tombstones_pile_up() -> None:
    people, rounds = 800, 2000
    search, indexes = filled(people)
    for change in range(rounds):
        owner = change % people + 1
        look = unit(1, change)
        search.replace(owner, 0, look)
        if change % 10 == 0:
            assert search.nearest(look, [0], 1).owners.tolist() == [[owner]]
            assert indexes.made[-1].ntotal <= 1.25 * people + 10
    assert rounds / (people // 4 + 10) <= len(indexes.made) <= rounds / (people // 4) + 1


def test_what_was_not_yet_asked_for_changes_in_place() -> None:
    search, indexes = filled(50)
    for look in range(30):
        search.replace(7, 0, unit(1, look))
    search.nearest(unit(1, 0), [0], 1)
    assert [index.ntotal for index in indexes.made] == [50]


def test_a_crowd_of_tombstones_near_the_probe_hides_nobody() -> None:
    """A hundred former looks of one person, each nearer than the others are."""
    search, indexes = filled(500)
    probe = unit(1, 99)
    search.nearest(probe, [0], 1)
    for _ in range(100):
        search.replace(3, 0, probe)
        search.nearest(probe, [0], 1)
    search.remove(3)
    found = search.nearest(probe, [0], 4)
    others = np.delete(unit(500, 0), 2, axis=0)
    numbers = np.delete(np.arange(1, 501), 2)
    np.testing.assert_array_equal(found.owners[0], numbers[np.argsort(-(others @ probe[0]))[:4]])
    assert len(indexes.made) == 1


def test_more_that_tie_than_an_index_can_name() -> None:
    indexes = Indexes()
    search = FlatSearch(DIMENSION, 400, indexes, most=50)
    vector = unit(1, 0)
    search.rebuild(np.arange(300, 0, -1), np.zeros(300, np.int64), np.repeat(vector, 300, axis=0))
    assert search.nearest(vector, [0], 5).owners.tolist() == [[1, 2, 3, 4, 5]]


def test_a_block_that_empties_is_forgotten() -> None:
    search, _ = filled(5)
    search.nearest(unit(1, 0), [0], 1)
    for owner in range(1, 6):
        search.remove(owner)
    assert search.nearest(unit(1, 0), [0], 1).owners.tolist() == [[0]]
    assert not search._blocks.of
