"""Which tracks are kept, and which pairs of them are strangers."""

from __future__ import annotations

import numpy as np

from savant_reid.calibration.folds import FOLDS, Folds
from savant_reid.calibration.pairs import camera_pairs
from savant_reid.calibration.tracks import SPELL_S, Track, TrackTable
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet

D = 8
S = 1_000_000_000
BOX = np.zeros(4, np.float32)


def tracklet(serial, camera=0, first_s=0.0, last_s=5.0, global_id=1, mean=True):
    made = Tracklet(serial, -1, camera, serial, 0, int(first_s * S), BOX)
    made.last_ns, made.global_id, made.probability = int(last_s * S), global_id, 0.9
    made.mean = np.random.default_rng(serial).normal(size=D).astype(np.float32) if mean else None
    return made


def track(serial, camera, first_s, last_s, global_id, touched=(), seed=None):
    mean = np.random.default_rng(serial if seed is None else seed).normal(size=D).astype(np.float16)
    times = int(first_s * S), int(last_s * S)
    return Track(camera, serial, serial, *times, global_id, 1.0, mean, None, frozenset(touched))


def test_a_track_of_few_crops_is_not_compared_and_a_short_one_has_no_halves():
    table = TrackTable()
    for serial, crops in ((1, 2), (2, 3), (3, 4)):
        table.add(tracklet(serial), np.ones((crops, D), np.float32))
    assert [(t.serial, t.halves is None) for t in table.tracks()] == [(2, True), (3, False)]
    assert table.seen == 2


def test_halves_are_the_earlier_and_the_later_crops():
    table = TrackTable()
    crops = np.repeat(np.eye(D, dtype=np.float32)[:2], 2, axis=0)
    table.add(tracklet(1), crops)
    [found] = table.tracks()
    np.testing.assert_array_equal(found.halves, np.eye(D, dtype=np.float16)[:2])


def test_identities_are_those_that_live_in_the_end():
    table = TrackTable()
    table.add(tracklet(1, global_id=5), np.ones((3, D), np.float32))
    table.merge(5, 4)
    table.merge(4, 2)
    assert [t.global_id for t in table.tracks()] == [2]


def test_a_full_table_drops_whole_spells_of_time():
    def fill(seed):
        table = TrackTable(seed, most=200)
        for serial in range(5000):
            at_s = serial * SPELL_S / 20  # twenty tracks in each spell
            table.add(tracklet(serial, first_s=at_s, last_s=at_s + 5), np.ones((3, D), np.float32))
            assert len(table._tracks) <= 200
        return table

    tracks = fill(0).tracks()
    spells, counts = np.unique([t.spell for t in tracks], return_counts=True)
    assert 50 <= len(tracks) <= 200
    assert set(counts.tolist()) == {20}
    assert np.ptp(spells) > 100  # from all of the recording
    assert [t.serial for t in fill(0).tracks()] == [t.serial for t in tracks]
    assert [t.serial for t in fill(1).tracks()] != [t.serial for t in tracks]


def test_one_spell_that_overflows_the_table_is_cut_short():
    table = TrackTable(most=10)
    for serial in range(100):
        table.add(tracklet(serial), np.ones((3, D), np.float32))
    assert len(table.tracks()) <= 10


def test_overlaps_of_tracks_that_never_end_are_forgotten():
    table = TrackTable(most=10)
    for a in range(1000):
        table.touch(0, a, a + 1)
    assert len(table._touched) <= 22


def counts(tracks, **topology):
    found = camera_pairs(tracks, Topology(["a", "b"], **topology))
    return {(p.a, p.b): (p.stranger_count, len(p.met)) for p in found}


def test_people_seen_at_once_are_strangers():
    """1 and 2 in a together, 3 in b with both, 4 later on."""
    tracks = [track(1, 0, 0, 9, 1), track(2, 0, 5, 9, 2), track(3, 1, 0, 9, 3), track(4, 1, 20, 30, 4)]
    assert counts(tracks) == {(0, 0): (1, 0), (0, 1): (2, 0), (1, 1): (0, 0)}


def test_not_in_cameras_that_see_the_same_floor_nor_where_boxes_overlapped():
    tracks = [track(1, 0, 0, 9, 1, touched=[2]), track(2, 0, 5, 9, 2), track(3, 1, 0, 9, 3)]
    assert counts(tracks, overlaps=[("a", "b")]) == {(0, 0): (0, 0), (0, 1): (0, 0), (1, 1): (0, 0)}


def test_clocks_may_differ_a_little_between_cameras_but_not_in_one():
    tracks = [track(1, 0, 0, 5, 1), track(2, 0, 4.8, 9, 2), track(3, 1, 4.8, 9, 3)]
    assert counts(tracks) == {(0, 0): (1, 0), (0, 1): (1, 0), (1, 1): (0, 0)}


def test_one_identity_met_again_elsewhere_or_later_is_one_person():
    """1 goes from a to b and comes back; the two parts of its first stay are the tracker's doing."""
    tracks = [track(1, 0, 0, 5, 1), track(2, 0, 6, 9, 1), track(3, 1, 20, 25, 1), track(4, 0, 40, 45, 1)]
    assert counts(tracks) == {(0, 0): (0, 2), (0, 1): (0, 3), (1, 1): (0, 0)}


def test_who_has_no_identity_is_nobody_met_again():
    assert counts([track(1, 0, 0, 5, 0), track(2, 1, 20, 25, 0)])[0, 1] == (0, 0)


def test_no_tracks_no_pairs():
    assert camera_pairs([], Topology(["a"])) == []


def test_people_lie_in_one_fold_and_folds_are_alike():
    tracks = [track(serial, serial % 2, serial, serial + 1, serial // 3 + 1) for serial in range(300)]
    of = Folds(tracks, 2, D).of
    assert all(len(set(of[3 * person : 3 * person + 3].tolist())) == 1 for person in range(100))
    assert np.ptp(np.bincount(of, minlength=FOLDS)) <= 3


def test_people_are_compared_in_a_metric_that_has_not_seen_them():
    """In few tracks, a metric of their own takes strangers apart; over folds their similarities are those of chance."""
    dice = np.random.default_rng(0)
    tracks = []
    for serial in range(60):
        one = track(serial + 1, 0, 0, 9, serial + 1)
        one.mean = (dice.normal(size=64) / 8 + 1).astype(np.float16)  # a camera's light in all of them
        tracks.append(one)
    [found] = camera_pairs(tracks, Topology(["a"]))
    assert abs(found.strangers.mean()) < 0.02
    whole = Folds(tracks, 1, 64).metric()
    looks = whole.look(whole.centred(np.zeros(60, np.int64), np.stack([t.mean for t in tracks]).astype(np.float32)))
    own = (looks @ looks.T)[np.triu_indices(60, 1)]
    assert np.quantile(own, 0.99) < np.quantile(found.strangers, 0.99)
