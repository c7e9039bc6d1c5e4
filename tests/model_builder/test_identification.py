"""Rank-1, mAP, mINP and FNIR at FPIR: answers worked out by hand, and an oracle written from the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from model_builder.identification import ClosedSet, Searches, closed_set, open_set, search, threshold_at


def unit(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1)


# Gallery, by angle: 2 person 1 (same camera as the query), 10 a distractor, 20 person 1, 30 junk of person 1's place,
# 40 person 2, 60 person 1, 75 person 2, 90 a person whom nobody asks for.
GALLERY = unit(2, 10, 20, 30, 40, 60, 75, 90)
PEOPLE = np.array([1, 0, 1, -1, 2, 1, 2, 7])
CAMERAS = np.array([1, 3, 2, 2, 2, 3, 3, 1])
# Person 1 asks from 0 degrees, person 2 from 70, both in camera 1; person 9 has no picture in the gallery.
QUERIES, ASKING, FROM = unit(0, 70, 100), np.array([1, 2, 9]), np.array([1, 1, 1])


def by_hand() -> Searches:
    return search(QUERIES, ASKING, FROM, GALLERY, PEOPLE, CAMERAS)


def test_ranks_by_hand() -> None:
    # Person 1 from 0: 10 (distractor), 20 right, 40, 60 right: ranks 2 and 4; the 2 of its own camera and the junk at
    # 30 do not count. Person 2 from 70: 75 right, 60, 90, 40 right: ranks 1 and 4. Person 9: none.
    assert [ranks.tolist() for ranks in by_hand().hits] == [[2, 4], [1, 4], []]


def test_closed_set_by_hand() -> None:
    found = closed_set(by_hand())
    assert (found.queries, found.unanswered) == (2, 1)
    assert found.rank1 == pytest.approx(1 / 2)
    # AP of the first (1/2 + 2/4) / 2, of the second (1/1 + 2/4) / 2; INP 2/4 and 2/4.
    assert found.mean_average_precision == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert found.mean_inverse_negative_penalty == pytest.approx(1 / 2)


def test_open_set_by_hand() -> None:
    # Strangers' best scores, as angles to the query: person 1 taken out: 10; person 2 taken out: 60, 10 away as well;
    # person 9: 90, 10 away. Move one: person 2 asks from 69 and is 9 away from 60.
    searches = search(unit(0, 69, 102), ASKING, FROM, GALLERY, PEOPLE, CAMERAS)
    np.testing.assert_allclose(np.degrees(np.arccos(searches.stranger)), [10, 9, 12])
    # Of three searches one may be wrong: T lies just above the second best, cos 10. Person 2 is found 6 away, right and
    # above T; person 1's best answer is the distractor: missed. One of two.
    (third,) = open_set(searches, [1 / 3])
    assert third.fpir == pytest.approx(1 / 3)
    assert np.degrees(np.arccos(third.threshold)) == pytest.approx(10)
    assert third.fnir == pytest.approx(1 / 2)
    # None may be wrong: T just above cos 9; 6 is still nearer.
    (none,) = open_set(searches, [0.0])
    assert (none.fpir, none.fnir) == (0.0, 0.5)
    # A right answer below T is missed as well: strangers 1 degree away.
    near = Searches(searches.hits, searches.found, np.cos(np.radians([1.0, 2, 3])))
    assert open_set(near, [0.0])[0].fnir == 1.0


def test_threshold_lets_through_no_more_than_asked() -> None:
    scores = np.array([0.9, 0.8, 0.8, 0.1])
    # One of four may pass, but 0.8 is there twice: T must be above it.
    assert np.mean(scores >= threshold_at(scores, 0.5)) == 0.25
    assert np.mean(scores >= threshold_at(scores, 0.75)) == 0.75
    assert threshold_at(scores, 0.0) == np.nextafter(0.9, 1)
    assert np.sum(np.arange(100) >= threshold_at(np.arange(100.0), 0.29)) == 29


def oracle(
    scores: np.ndarray,
    asking: np.ndarray,
    from_camera: np.ndarray,
    people: np.ndarray,
    cameras: np.ndarray,
    rate: float,
) -> tuple[float, ...]:
    """From the definitions, one query and one picture at a time, with Python's own sort."""
    firsts, precisions, penalties, tops, strangers = [], [], [], [], []
    for row, person, camera in zip(scores, asking, from_camera, strict=True):
        ranked = []
        for score, other, place in sorted(zip(row, people, cameras, strict=True), key=lambda item: -item[0]):
            if other == -1 or (other == person and place == camera):
                continue
            ranked.append((float(score), other == person))
        strangers.append(next(score for score, right in ranked if not right))
        right_ranks = [rank for rank, (_, right) in enumerate(ranked, 1) if right]
        if not right_ranks:
            continue
        firsts.append(right_ranks[0] == 1)
        precisions.append(sum(n / rank for n, rank in enumerate(right_ranks, 1)) / len(right_ranks))
        penalties.append(len(right_ranks) / max(right_ranks))
        tops.append(ranked[0])
    fitting = [t for t in [*strangers, 2.0] if sum(s > t for s in strangers) <= rate * len(strangers) + 1e-9]
    above = min(fitting)  # the threshold lies just above this score
    missed = [not (right and score > above) for score, right in tops]
    return tuple(float(np.mean(figures)) for figures in (firsts, precisions, penalties, missed))


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_oracle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(14, 6))
    people, asking = rng.integers(-1, 12, 400), rng.integers(1, 14, 300)
    cameras, from_camera = rng.integers(0, 4, 400), rng.integers(0, 4, 300)
    gallery, queries = (centres[who] + rng.normal(size=(len(who), 6)) * 0.7 for who in (people, asking))
    gallery, queries = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (gallery, queries))
    searches = search(queries, asking, from_camera, gallery, people, cameras)
    closed = closed_set(searches)
    for rate in (0.0, 0.01, 0.1, 0.5):
        (row,) = open_set(searches, [rate])
        wanted = oracle(queries @ gallery.T, asking, from_camera, people, cameras, rate)
        found = (closed.rank1, closed.mean_average_precision, closed.mean_inverse_negative_penalty, row.fnir)
        np.testing.assert_allclose(found, wanted, err_msg=f"at FPIR {rate}")
        assert row.fpir <= rate
    assert 0.05 < closed.rank1 < 0.95, "too easy or too hard to show a difference"


def among_all(embeddings: np.ndarray, people: list[int], cameras: list[int]) -> ClosedSet:
    everybody = embeddings, np.array(people), np.array(cameras)
    return closed_set(search(*everybody, *everybody))


def test_where_everybody_asks_all_others() -> None:
    # Unit vectors at these angles; person 0 at 0 and 20 degrees, person 1 at 30 and 90, each in cameras 0 and 1.
    angles = np.radians([0.0, 20.0, 30.0, 90.0])
    embeddings = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    found = among_all(embeddings, [0, 0, 1, 1], [0, 1, 0, 1])
    # Rank of the other view: 0 asks -> 20 first; 20 asks -> 30 first, then 0: second; 30 asks -> 20, 0, 90: third;
    # 90 asks -> 30 first.
    assert found.rank1 == pytest.approx(2 / 4)
    assert found.mean_average_precision == pytest.approx((1 + 1 / 2 + 1 / 3 + 1) / 4)
    assert found.queries == 4


def test_views_of_the_same_camera_are_left_out() -> None:
    # The second view of person 0 in camera 0 is identical, and must not count; nobody else is person 0 elsewhere.
    embeddings = np.array([[1.0, 0], [1, 0], [0, 1]])
    assert among_all(embeddings, [0, 0, 1], [0, 0, 1]).queries == 0
