"""What a resolver has learned, taken out and given to another one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from savant_reid.identity.learned import LEAST_TRACKS, MOST_PAIRS, Moments
from savant_reid.identity.metric import Metric
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology
from tests.identity.scenes import DIMENSION, People, frames, run, visits, walk_about

CAMERAS = ["a", "b", "c"]


@pytest.fixture(scope="module")
def learned():
    resolver = Resolver(Topology(CAMERAS))
    run(resolver, frames(walk_about(12, CAMERAS, 8, seed=1), People(1)))
    return resolver.learned()


def test_nothing_is_learned_before_the_first_embedding():
    assert Resolver(Topology(CAMERAS)).learned() is None


def test_another_resolver_begins_where_the_first_one_ended(learned):
    again = Resolver(Topology(CAMERAS), learned=learned)
    again.resolve([next(iter(frames(visits((0, "a", 0, 1)), People(1), every=99)))[0]])
    now = again.learned()
    assert learned.metric.counts.sum() > 0
    assert learned.metric.matches > 0
    np.testing.assert_allclose(now.metric.counts, learned.metric.counts)
    np.testing.assert_allclose(now.metric.sums, learned.metric.sums)
    np.testing.assert_allclose(now.metric.within, learned.metric.within, rtol=1e-5)
    np.testing.assert_allclose(now.metric.total, learned.metric.total, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(now.transits.where, learned.transits.where)
    np.testing.assert_allclose(now.transits.when, learned.transits.when)
    assert now.moments == learned.moments


def test_cameras_go_by_their_names(learned):
    other = learned.for_cameras(["new", "c", "a"])
    c, a = CAMERAS.index("c"), CAMERAS.index("a")
    assert other.cameras == ("new", "c", "a")
    np.testing.assert_array_equal(other.metric.counts, [0, learned.metric.counts[c], learned.metric.counts[a]])
    np.testing.assert_array_equal(other.metric.sums[2], learned.metric.sums[a])
    np.testing.assert_array_equal(other.transits.where[1, 2], learned.transits.where[c, a])
    np.testing.assert_array_equal(other.transits.when[2, 1], learned.transits.when[a, c])
    assert not other.transits.where[0].any()
    assert not other.transits.when[:, 0].any()
    assert learned.for_cameras(CAMERAS).metric.sums.tolist() == learned.metric.sums.tolist()


def test_what_is_given_is_not_changed_by_who_takes_it(learned):
    before = learned.metric.sums.copy(), learned.transits.where.copy()
    resolver = Resolver(Topology(CAMERAS), learned=learned)
    run(resolver, frames(walk_about(6, CAMERAS, 3, seed=2), People(2)))
    np.testing.assert_array_equal(learned.metric.sums, before[0])
    np.testing.assert_array_equal(learned.transits.where, before[1])


def test_a_camera_that_has_seen_few_tracks_keeps_their_looks_to_itself(learned):
    counts = np.array([LEAST_TRACKS - 1, LEAST_TRACKS, 50.0])
    kept = replace(learned, metric=learned.metric._replace(counts=counts)).without_rare()
    assert kept.metric.counts.tolist() == [0, LEAST_TRACKS, 50]
    assert not kept.metric.sums[0].any()
    assert kept.metric.sums[1].any()


def test_embeddings_of_another_length_are_refused_and_counted(learned):
    resolver = Resolver(Topology(CAMERAS), learned=learned)
    [sightings] = next(iter(frames(visits((0, "a", 0, 1)), People(1), every=1)))
    short = replace(sightings, embeddings=np.ones((1, DIMENSION // 2), np.float32))
    decisions = resolver.resolve([short])
    assert len(decisions) == 1
    assert resolver.refused["wrong_length"] == 1


def test_a_start_knows_strangers_from_the_first_second(learned):
    """The cold metric takes the first people's mean for their camera's; the warm one does not."""
    metric = Metric(len(CAMERAS), DIMENSION)
    metric.start_from(learned.metric)
    assert metric.version == 1
    people = People(5)
    looks = [
        metric.look(metric.centred(np.zeros(2, np.int64), np.stack([people.crop(p), people.crop(p)]))) for p in range(9)
    ]
    same = [float(one[0] @ one[1]) for one in looks]
    different = [float(looks[i][0] @ looks[j][0]) for i in range(9) for j in range(i)]
    assert min(same) > max(different)


def test_a_metric_given_nothing_is_a_cold_one():
    cold = Metric(2, 4)
    warm = Metric(2, 4)
    warm.start_from(cold.learned(0))
    assert warm.version == 0


def test_moments_beside_others_are_those_of_all_pairs_together():
    dice = np.random.default_rng(0)
    ours, theirs = dice.normal(0.1, 0.2, 40), dice.normal(0.5, 0.1, 60)
    both = np.concatenate([ours, theirs])
    found = Moments(float(ours.mean()), float(ours.std()), 40).beside(float(theirs.mean()), float(theirs.std()), 60)
    assert found.mean == pytest.approx(both.mean())
    assert found.std == pytest.approx(both.std())
    assert found.pairs == 100


def test_old_pairs_count_for_no_more_than_so_many():
    assert Moments(1.0, 0.1, 1e9).beside(0.0, 0.1, MOST_PAIRS).mean == pytest.approx(0.5)
