"""What must not break anything: broken embeddings, boxes, ids, times and cameras."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from savant_reid.identity.policy import Policy
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology
from savant_reid.identity.types import Reason, Sightings, State, Unmatched
from tests.identity.scenes import DIMENSION, FRAME_NS, FRAME_SIZE, People, Visit, frames, run, sightings, visits

CAMERAS = ["door", "hall"]


def resolver(**policy: float) -> Resolver:
    return Resolver(Topology(CAMERAS), Policy(**{"capacity": 50, **policy}))


def empty(camera: str, time_ns: int, dimension: int = 0) -> Sightings:
    return Sightings(
        camera,
        time_ns,
        np.zeros(0, np.int64),
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.int64),
        np.zeros((0, dimension), np.float32),
        FRAME_SIZE,
    )


def changed(seen: Sightings, vector) -> Sightings:
    """The same frame with another embedding for its first person."""
    embeddings = seen.embeddings.copy()
    embeddings[0] = vector
    return replace(seen, embeddings=embeddings)


@pytest.mark.parametrize(
    ("value", "why"),
    [(np.nan, "not_finite"), (np.inf, "not_finite"), (-np.inf, "not_finite"), (0.0, "zero"), (1e30, "out_of_range")],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_broken_embedding_is_one_persons_trouble(value, why, first):
    """Whether it is the first thing that ever comes or comes in the middle: the other one goes on."""
    core, people = resolver(), People(1)
    both = visits((1, "door", 0, 9), (2, "door", 0, 9))
    for step in range(40):
        seen = sightings("door", step * FRAME_NS, both, people)
        core.resolve([changed(seen, value) if (step < 20) == first else seen])
    assert core.refused == {why: 20}
    latest = core.resolve([sightings("door", 40 * FRAME_NS, both, people)])
    assert sorted(d.global_id for d in latest) == [1, 2]


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1e30])
def test_what_is_broken_does_not_set_the_length_for_all(value):
    core, people = resolver(), People(2)
    short = replace(sightings("door", 0, visits((1, "door", 0, 9)), people), embeddings=np.full((1, 5), value, "f4"))
    core.resolve([short])
    core.resolve([sightings("door", FRAME_NS, visits((1, "door", 0, 9)), people)])
    assert core.accepted == 1
    assert "wrong_length" not in core.refused


@pytest.mark.parametrize("length", [0, 1, DIMENSION - 1, DIMENSION + 1, 2048])
def test_another_length_is_refused_and_counted(length):
    core, people = resolver(), People(3)
    here = visits((1, "door", 0, 9), (2, "door", 0, 9))
    core.resolve([sightings("door", 0, here, people)])
    for step in range(1, 10):
        seen = sightings("door", step * FRAME_NS, here, people)
        core.resolve([replace(seen, embeddings=np.ones((2, length), np.float32))])
    assert core.refused == {"wrong_length": 18}
    assert core.accepted == 2


def test_an_embedding_of_no_length_waits_for_one_that_has_some():
    core = resolver()
    seen = sightings("door", 0, visits((1, "door", 0, 9)), People(3))
    core.resolve([replace(seen, embeddings=np.zeros((1, 0), np.float32))])
    assert core.refused == {"zero": 1}
    core.resolve([sightings("door", FRAME_NS, visits((1, "door", 0, 9)), People(3))])
    assert core.accepted == 1


def test_embeddings_of_two_lengths_in_one_batch():
    """The first usable one says how long they are."""
    core, people = resolver(), People(4)
    door = sightings("door", 0, visits((1, "door", 0, 9)), people)
    hall = sightings("hall", 0, visits((2, "hall", 0, 9)), people)
    core.resolve([door, replace(hall, embeddings=np.ones((1, 7), np.float32))])
    assert (core.refused, core.accepted) == ({"wrong_length": 1}, 1)


def test_only_the_first_of_two_rows_of_one_track_counts():
    """One track twice in a frame is a broken tracker: each row gets an answer, but nobody is in two places."""
    core, people = resolver(), People(5)
    for step in range(30):
        seen = sightings("door", step * FRAME_NS, visits((1, "door", 0, 9), (2, "door", 0, 9)), people)
        seen.track_ids[:] = 7
        decisions = core.resolve([seen])
        assert len(decisions) == 2
        assert decisions[1].identity == Unmatched(Reason.TOO_LITTLE_EVIDENCE)
        assert decisions[1].state is State.PROVISIONAL
    assert decisions[0].identity == 1
    assert decisions[0].track_id == 7
    assert core.identities == 1


def test_one_camera_twice_in_a_batch():
    """Two frames of one camera that came together are two moments of the same people."""
    core, people, latest = resolver(), People(6), []
    here = visits((1, "door", 0, 9), (2, "door", 0, 9))
    for step in range(0, 40, 2):
        pair = [sightings("door", (step + i) * FRAME_NS, here, people) for i in range(2)]
        latest = core.resolve(pair)
        assert [d.track_id for d in latest] == [1, 2, 1, 2]
    assert [d.global_id for d in latest] == [1, 2, 1, 2]


@pytest.mark.parametrize("cameras", [("door",), ("door", "hall")])
@pytest.mark.parametrize("back_s", [0.0, 0.05, 5.0, 86400.0])
def test_time_that_goes_backwards(cameras, back_s):
    """For one camera or for all: nobody is lost, nobody new is made up, and time does not run on."""
    core, people, said = resolver(), People(7), []
    for step in range(120):
        batch = []
        for camera, person in (("door", 1), ("hall", 2)):
            back = int(back_s * 1e9) if camera in cameras and step >= 60 else 0
            crop = people if step % 2 == 0 else None
            batch.append(
                sightings(camera, step * FRAME_NS - back, [Visit(person, camera, 0, 99, track_id=person)], crop)
            )
        said.append([d.global_id for d in core.resolve(batch)])
    assert all(answer == [1, 2] for answer in said[30:])
    assert core.identities == 2
    assert core.clock_jumps == (len(cameras) if back_s >= 0.1 else 0)


def test_time_that_stands_still():
    core, people = resolver(), People(8)
    for _ in range(60):
        core.resolve([sightings("door", 5, visits((1, "door", 0, 9)), people)])
    assert core.identities <= 1
    assert core.accepted == 1


def test_an_unknown_camera_changes_nothing():
    """The batch is refused as a whole, before anything of it is taken in."""
    core, people = resolver(), People(9)
    run(core, frames(visits((1, "door", 0, 4)), people))
    before = (core.identities, core.accepted, core._base.clock.now_ns, len(list(core._base.live)))
    known = sightings("door", 50 * FRAME_NS, visits((2, "door", 0, 9)), people)
    with pytest.raises(KeyError, match="found 'roof'"):
        core.resolve([known, sightings("roof", 50 * FRAME_NS, visits((1, "roof", 0, 9)), people)])
    assert (core.identities, core.accepted, core._base.clock.now_ns, len(list(core._base.live))) == before


def test_nothing_at_all():
    core = resolver()
    assert core.resolve([]) == []
    assert core.resolve([empty("door", 0), empty("hall", 0)]) == []
    assert core.take_events() == []
    assert (core.identities, core.turned_away, core.similarity()) == (0, 0, {})
    assert set(core.learned_topology()["camera_drift"].values()) == {0}


def test_empty_frames_and_batches_between_people():
    """Frames without people have embeddings of no length, of the right one or of none."""
    core, people = resolver(), People(10)
    for step, batch in enumerate(frames(visits((1, "door", 0, 6), (1, "hall", 9, 15)), people)):
        without = [replace(s, embeddings=np.zeros((0, step % 2 * DIMENSION), "f4")) if not len(s) else s for s in batch]
        core.resolve(without)
        core.resolve([])
    assert core.identities == 1
    assert not core.refused


def test_nobody_ever_has_an_embedding():
    core = resolver()
    latest = run(core, frames(visits((1, "door", 0, 8), (2, "hall", 0, 8)), People(11), every=10**9))
    assert core.accepted == 2  # frame 0 only
    assert {d.identity for d in latest.values()} == {1, 2}
    silent = resolver()
    for step in range(100):
        [decision] = silent.resolve([sightings("door", step * FRAME_NS, visits((1, "door", 0, 99)), None)])
    assert decision.identity == Unmatched(Reason.TOO_LITTLE_EVIDENCE)


ENDLESS = [(np.inf, 0, 60, 180), (100, 50, np.inf, np.inf), (-np.inf, -np.inf, 60, 180), (1e30,) * 4, (np.nan,) * 4]
NO_AREA = [(0, 0, 0, 0), (100, 50, 0, 180), (100, 50, 60, 0), (100, 50, -60, -180)]


@pytest.mark.parametrize("box", [*NO_AREA, *ENDLESS])
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_box_that_is_none_harms_nobody_else(box):
    core, people = resolver(), People(12)
    both = visits((1, "door", 0, 9), (2, "door", 0, 9))
    for step in range(60):
        seen = sightings("door", step * FRAME_NS, both, people)
        if step < 40:
            seen.boxes[0] = box
        decisions = core.resolve([seen])
        assert all(0.0 <= d.probability <= 1.0 for d in decisions)
    assert sorted(d.global_id for d in decisions) == [1, 2]


def test_a_frame_without_size():
    core, people = resolver(), People(13)
    for step in range(60):
        here = visits((1, "door", 0, 9), (2, "door", 0, 9)) if step != 30 else visits((1, "door", 0, 9))
        core.resolve([replace(sightings("door", step * FRAME_NS, here, people), frame_size=(0, 0))])
    assert core.identities in (0, 2)


def test_confidences_beyond_one_or_below_zero_are_held_to_their_bounds():
    core, people = resolver(), People(14)
    for step in range(30):
        seen = sightings("door", step * FRAME_NS, visits((1, "door", 0, 9), (2, "door", 0, 9)), people)
        seen.confidences[:] = (40.0, -3.0)
        decisions = core.resolve([seen])
    assert decisions[0].global_id == 1
    assert decisions[1].identity == Unmatched(Reason.TOO_LITTLE_EVIDENCE)
    assert core.refused == {"poor_crop": 30}
    assert core.accepted == 6


def test_track_ids_may_be_any_whole_number():
    core, people = resolver(), People(15)
    ids = np.array([-(2**63), 2**63 - 1], np.int64)
    for step in range(30):
        seen = sightings("door", step * FRAME_NS, visits((1, "door", 0, 9), (2, "door", 0, 9)), people)
        decisions = core.resolve([replace(seen, track_ids=ids)])
    assert [(d.track_id, d.global_id) for d in decisions] == [(int(ids[0]), 1), (int(ids[1]), 2)]


def test_a_gallery_of_one_and_a_site_of_one_camera():
    core = Resolver(Topology(["door"]), Policy(capacity=1))
    latest = run(core, frames(visits((1, "door", 0, 6), (2, "door", 20, 26), (1, "door", 40, 46)), People(16)))
    assert core.identities == 1
    assert sorted(d.global_id for d in latest.values()) == [1, 2, 3]
