from __future__ import annotations

import numpy as np
import pytest

from savant_reid.identity.gallery import Gallery, GalleryFull
from savant_reid.identity.metric import Metric
from savant_reid.identity.search import ExactSearch

DIMENSION = 8


def unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


def gallery(capacity: int = 4, prototypes: int = 2) -> tuple[Gallery, ExactSearch]:
    search = ExactSearch(DIMENSION, capacity)
    return Gallery(capacity, prototypes, Metric(2, DIMENSION), search), search


def test_capacity_is_a_hard_bound():
    known, _ = gallery(capacity=2)
    for global_id in (1, 2):
        known.create(global_id, 0, 0)
    with pytest.raises(GalleryFull):
        known.create(3, 0, 0)


def test_an_identity_is_found_where_it_was_last_seen_by_the_mean_of_its_looks():
    known, _ = gallery()
    row = known.create(7, 0, 0)
    known.put(row, 1, 0, unit(1), 1.0)
    known.put(row, 2, 0, unit(2), 3.0)
    known.last_camera[row] = 1
    known.show(row)
    expected = unit(1) + 3 * unit(2)
    found = known.nearest((expected / np.linalg.norm(expected))[None], [0, 1], 1)
    assert found.owners.tolist() == [[0, 7]]
    assert found.similarities[0, 1] == pytest.approx(1.0, abs=1e-5)


def test_removing_keeps_rows_dense_and_leaves_nothing_of_a_person():
    known, _ = gallery()
    for global_id in (1, 2, 3):
        row = known.create(global_id, 0, global_id)
        known.put(row, global_id, 0, unit(global_id), 1.0)
        known.show(row)
    known.remove(0)
    assert known.row_of(1) is None
    assert known.global_ids[: known.size].tolist() == [3, 2]
    assert known.row_of(3) == 0
    np.testing.assert_allclose(known.centroids(np.array([0]))[0], unit(3), atol=1e-6)
    assert not known._vectors[2].any()
    assert 1 not in known.nearest(unit(1)[None], [0], 3).owners


def test_dropping_a_source_leaves_the_rest():
    known, search = gallery()
    row = known.create(1, 0, 0)
    known.put(row, 1, 0, unit(1), 1.0)
    known.put(row, 2, 0, unit(2), 1.0)
    known.show(row)
    assert known.nearest(unit(2)[None], [0], 1).owners.tolist() == [[1]]
    known.drop(row, 1)
    np.testing.assert_allclose(known.centroids(np.array([row]))[0], unit(2), atol=1e-6)
    known.drop(row, 2)
    known.show(row)
    assert known.count[row] == 0
    assert known.nearest(unit(2)[None], [0], 1).owners.tolist() == [[0]]
    assert len(search) == 0


def test_the_latest_look_of_a_source_replaces_its_former_one():
    known, _ = gallery()
    row = known.create(1, 0, 0)
    known.put(row, 5, 0, unit(1), 1.0)
    known.put(row, 5, 0, unit(2), 1.0)
    assert known.count[row] == 1
    np.testing.assert_allclose(known.centroids(np.array([row]))[0], unit(2), atol=1e-6)


def test_a_full_identity_merges_the_two_most_alike_looks_of_one_camera():
    known, _ = gallery(prototypes=3)
    row = known.create(1, 0, 0)
    near = unit(1) + 0.1 * unit(9)
    for source, (camera, look) in enumerate([(0, unit(1)), (1, unit(2)), (0, near), (1, unit(3))], start=1):
        known.put(row, source, camera, look, 1.0)
    assert known.count[row] == 3
    assert sorted(known._weight[row].tolist()) == [1.0, 1.0, 2.0]
    total = 2 * 0.5 * (unit(1) + near) + unit(2) + unit(3)
    np.testing.assert_allclose(known.centroids(np.array([row]))[0], total / 4, atol=1e-6)


def test_a_merge_keeps_the_looks_the_visits_and_the_earlier_birth():
    known, _ = gallery(prototypes=4)
    old, new = known.create(1, 1, 100), known.create(2, 0, 50)
    known.put(old, 1, 1, unit(1), 1.0)
    known.note_visit(old, 1, 1, 100, 200)
    known.put(new, 2, 0, unit(2), 1.0)
    known.note_visit(new, 2, 0, 50, 90)
    known.last_seen_ns[old] = 200
    known.take_from(new, old)
    assert known.count[new] == 2
    assert (known.created_ns[new], known.birth_camera[new], known.last_seen_ns[new]) == (50, 0, 200)
    assert known.visits[new][-2:, 0].tolist() == [2, 1]


def test_a_visit_that_goes_on_is_one_visit():
    known, _ = gallery()
    row = known.create(1, 0, 0)
    known.note_visit(row, 4, 0, 10, 20, 7)
    known.note_visit(row, 4, 0, 10, 30, 7)
    known.note_visit(row, 5, 1, 40, 50)
    assert known.visits[row][-2:].tolist() == [[4, 0, 10, 30, 7], [5, 1, 40, 50, -1]]
    known.forget_visit(row, 4)
    assert known.visits[row][-2:, 0].tolist() == [0, 5]
