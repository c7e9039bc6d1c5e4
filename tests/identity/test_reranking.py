from __future__ import annotations

import math

import numpy as np
import pytest

from savant_reid.identity.reranking import rerank


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def plain_rerank(query, gallery, k1, k2, weight):
    """Sets and loops, equation by equation of the paper's section 3; the query is point 0."""
    points = [query, *gallery]
    m = len(points)
    d = [
        [0.0 if a is b else max(0.0, 1.0 - float(np.dot(a.astype(float), b.astype(float)))) for b in points]
        for a in points
    ]
    order = [[p, *sorted((g for g in range(m) if g != p), key=lambda g: d[p][g])] for p in range(m)]

    def near(p, k):  # equation 2, with the point itself besides
        return set(order[p][: k + 1])

    def reciprocal(p, k):  # equation 3
        return {g for g in near(p, k) if p in near(g, k)}

    def expanded(p):  # equation 5
        result = set(reciprocal(p, k1))
        for q in reciprocal(p, k1):
            candidate = reciprocal(q, max(1, round(k1 / 2)))
            if len(reciprocal(p, k1) & candidate) >= 2 / 3 * len(candidate) - 1e-9:
                result |= candidate
        return result

    v = []
    for p in range(m):  # equation 7
        members = expanded(p)
        v.append([math.exp(-d[p][g]) if g in members else 0.0 for g in range(m)])
    mean = []
    for p in range(m):  # equation 11
        chosen = order[p][:k2]
        mean.append([sum(v[q][g] for q in chosen) / len(chosen) for g in range(m)])
    answer = []
    for g in range(1, m):  # equations 10 and 12
        low = sum(min(a, b) for a, b in zip(mean[0], mean[g], strict=True))
        high = sum(max(a, b) for a, b in zip(mean[0], mean[g], strict=True))
        answer.append((1 - weight) * (1 - low / high) + weight * d[0][g])
    return np.array(answer)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("k1", "k2", "weight"), [(20, 6, 0.3), (5, 1, 0.0), (7, 3, 0.5), (1, 2, 0.1)])
def test_it_is_what_the_papers_formulas_say(seed, k1, k2, weight):
    random = np.random.default_rng(seed)
    people = random.normal(size=(6, 12))
    points = unit(people[random.integers(0, 6, 40)] + 0.9 * random.normal(size=(40, 12)))
    found = rerank(points[0], points[1:], k1, k2, weight)
    assert found.dtype == np.float32
    assert found.shape == (39,)
    np.testing.assert_allclose(found, plain_rerank(points[0], points[1:], k1, k2, weight), atol=2e-6)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_gallery_smaller_than_the_neighbourhood_is_taken_as_it_is(count):
    points = unit(np.random.default_rng(1).normal(size=(count + 1, 4)))
    found = rerank(points[0], points[1:])
    np.testing.assert_allclose(found, plain_rerank(points[0], points[1:], 20, 6, 0.3), atol=2e-6)


def on_circle(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_it_repairs_an_order():
    """A stranger at 20 degrees is nearer than the person at -24, but lives in a crowd in which the query is nobody's
    neighbour; between the person and the query lie other pictures of the same person."""
    query = on_circle(0)[0]
    person, between, stranger, crowd = [-24], [-8, -12, -16], [20], [24, 25, 26, 27]
    gallery = on_circle(*person, *between, *stranger, *crowd)
    plain = 1.0 - gallery @ query
    assert plain[4] < plain[0]
    found = rerank(query, gallery, k1=4, k2=2)
    assert found[0] < found[4]


def test_with_all_weight_on_the_distance_the_order_stays():
    points = unit(np.random.default_rng(2).normal(size=(30, 8)))
    np.testing.assert_allclose(rerank(points[0], points[1:], weight=1.0), 1.0 - points[1:] @ points[0], atol=1e-6)


def test_the_order_of_the_gallery_does_not_matter():
    random = np.random.default_rng(3)
    points = unit(random.normal(size=(60, 8)))
    order = random.permutation(59)
    np.testing.assert_allclose(
        rerank(points[0], points[1:][order], 8, 3), rerank(points[0], points[1:], 8, 3)[order], atol=1e-6
    )


def test_twins_of_the_query_are_nearest():
    points = unit(np.random.default_rng(4).normal(size=(20, 8)))
    gallery = np.concatenate([points[:1], points[:1], points[1:]])
    found = rerank(points[0], gallery, 4, 2)
    assert set(np.argsort(found)[:2]) == {0, 1}
    assert np.isfinite(found).all()


@pytest.mark.parametrize("arguments", [(0, 6, 0.3), (20, 0, 0.3), (20, 6, 1.5), (20, 6, float("nan"))])
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(ValueError, match="expected k1 and k2"):
        rerank(on_circle(0)[0], on_circle(1, 2), *arguments)
