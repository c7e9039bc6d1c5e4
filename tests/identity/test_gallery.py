from __future__ import annotations

import numpy as np
import pytest

from savant_reid.identity.camera_means import CameraMeans
from savant_reid.identity.gallery import Gallery, GalleryFull


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def filled(rng: np.random.Generator, identities: int = 20, prototypes: int = 4) -> Gallery:
    gallery = Gallery(50, prototypes, CameraMeans(8, 8))
    for global_id in range(1, identities + 1):
        row = gallery.create(global_id, camera=0, now_ns=global_id)
        for source in range(1, 1 + int(rng.integers(0, prototypes + 1))):
            gallery.add(row, unit(*rng.normal(size=8)), 0.5, source, camera=int(rng.integers(2)))
    return gallery


def brute_force(gallery: Gallery, probe: np.ndarray, exclude: int) -> list[float]:
    """The mean of the two most alike prototypes, one identity after the other."""
    answers = []
    for row in range(gallery.size):
        use = (gallery._source[row] > 0) & (gallery._source[row] != exclude)
        cosines = sorted((float(p @ probe) for p in gallery._prototypes[row][use]), reverse=True)
        answers.append(float(np.mean(cosines[:2])) if cosines else -np.inf)
    return answers


@pytest.mark.parametrize("exclude", [-5, 1, 2])
def test_search_is_exact(exclude):
    rng = np.random.default_rng(3)
    gallery = filled(rng)
    probe = unit(*rng.normal(size=8))
    found, _ = gallery.similarities(probe, exclude, camera=0)
    np.testing.assert_allclose(found, brute_force(gallery, probe, exclude), rtol=1e-5)


def test_the_camera_of_the_best_prototype_is_told():
    gallery = Gallery(5, 4, CameraMeans(8, 2))
    row = gallery.create(1, 0, 0)
    gallery.add(row, unit(1, 0), 0.9, source=1, camera=0)
    gallery.add(row, unit(0, 1), 0.9, source=1, camera=3)
    assert gallery.similarities(unit(1, 0.1), -9, camera=0)[1].tolist() == [True]
    assert gallery.similarities(unit(0.1, 1), -9, camera=0)[1].tolist() == [False]


def test_an_embedding_like_one_we_have_only_replaces_a_poorer_one():
    gallery = Gallery(5, 4, CameraMeans(8, 2))
    row = gallery.create(1, 0, 0)
    for quality in (0.5, 0.3, 0.9):
        gallery.add(row, unit(1, quality / 100), quality, 1, 0)
    assert (gallery._source[row] > 0).sum() == 1
    assert gallery._quality[row, 0] == pytest.approx(0.9)


def test_a_full_identity_keeps_the_views_that_differ():
    gallery = Gallery(5, 3, CameraMeans(8, 3))
    row = gallery.create(1, 0, 0)
    for view in ((1, 0, 0), (0, 1, 0), (1, 0.6, 0), (0, 0, 1)):
        gallery.add(row, unit(*view), 0.5, 1, 0)
    for axis in np.eye(3, dtype=np.float32):
        assert (gallery._prototypes[row] @ axis).max() > 0.85


def test_search_follows_the_cameras_means():
    """Two people in two rooms of different light: raw, the light decides; without the means, the person does."""
    rng = np.random.default_rng(5)
    light = 2.0 * np.stack([unit(*rng.normal(size=8)), unit(*rng.normal(size=8))])
    people = rng.normal(size=(40, 8)) / 3

    def crop(person, camera):
        return unit(*(people[person] + light[camera]))

    means = CameraMeans(2, 8)
    gallery = Gallery(50, 2, means)
    for person in range(40):
        means.add(0, crop(person, 0))
        means.add(1, crop(person, 1))
        gallery.add(gallery.create(person + 1, 0, 0), crop(person, 0), 0.9, person + 1, 0)
    right = raw_right = 0
    for person in range(40):
        found, _ = gallery.similarities(means.centred(1, crop(person, 1)), -9, 1)
        right += int(np.argmax(found)) == person
        raw_right += int(np.argmax(gallery._prototypes[:40, 0] @ crop(person, 1))) == person
    assert right > 30
    assert right > raw_right + 5


def test_removing_keeps_rows_dense_and_ids_findable():
    gallery = filled(np.random.default_rng(4), identities=10)
    kept = gallery._prototypes[9].copy()
    gallery.remove(2)
    assert gallery.size == 9
    assert gallery.row_of(3) is None
    assert gallery.row_of(10) == 2
    np.testing.assert_array_equal(gallery._prototypes[2], kept)
    gallery.remove(8)
    assert gallery.size == 8


def test_dropping_a_source_leaves_the_rest():
    gallery = Gallery(5, 4, CameraMeans(8, 3))
    row = gallery.create(1, 0, 0)
    for source, view in enumerate(np.eye(3, dtype=np.float32), start=1):
        gallery.add(row, view, 0.5, source, 0)
    gallery.drop_source(row, 2)
    assert gallery._source[row].tolist() == [1, 3, 0, 0]
    assert gallery.similarities(unit(0, 1, 0), -9, 0)[0][0] == pytest.approx(0.0, abs=1e-6)


def test_nobody_takes_away_the_views_of_another_source():
    """A look-alike's better crop must not replace the original, or a split would leave an identity without a face."""
    gallery = Gallery(5, 4, CameraMeans(8, 2))
    row = gallery.create(1, 0, 0)
    gallery.add(row, unit(1, 0), 0.5, source=1, camera=0)
    gallery.add(row, unit(1, 0.01), 0.9, source=2, camera=0)
    gallery.drop_source(row, 2)
    assert gallery.similarities(unit(1, 0), -9, 0)[0][0] == pytest.approx(1.0)


def test_capacity_is_a_hard_bound():
    gallery = Gallery(2, 1, CameraMeans(8, 2))
    gallery.create(1, 0, 0)
    gallery.create(2, 0, 0)
    with pytest.raises(GalleryFull):
        gallery.create(3, 0, 0)
