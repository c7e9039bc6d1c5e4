from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology, Window
from savant_reid.identity.types import EventKind, Reason, State, Unmatched
from tests.identity.scenes import FRAME_NS, People, Visit, frames, run, sightings, visits, walk_about

CAMERAS = ["door", "hall", "till"]
WINDOWS = {("door", "hall"): Window(2, 20), ("hall", "till"): Window(2, 20)}


def resolver(**policy: float) -> Resolver:
    return Resolver(Topology(CAMERAS, WINDOWS), Policy(**{"capacity": 200, **policy}))


def test_one_person_keeps_one_identity_over_three_cameras():
    scene = visits((7, "door", 0, 6), (7, "hall", 10, 16), (7, "till", 20, 26), (7, "door", 60, 66))
    core = resolver()
    latest = run(core, frames(scene, People(1)))
    assert {d.identity for d in latest.values()} == {1}
    assert all(d.state is State.CONFIRMED and d.probability > 0.9 for d in latest.values())
    assert core.identities == 1


def test_two_people_get_two_identities():
    scene = visits((1, "door", 0, 6), (2, "door", 1, 7), (2, "hall", 11, 16), (1, "hall", 12, 17))
    latest = run(resolver(), frames(scene, People(2)))
    assert latest[1].identity == latest[4].identity
    assert latest[2].identity == latest[3].identity
    assert latest[1].identity != latest[2].identity


def test_before_there_is_evidence_nobody_is_named():
    core = resolver()
    [decision] = core.resolve([sightings("door", 0, visits((1, "door", 0, 5)), None)])
    assert decision.identity == Unmatched(Reason.TOO_LITTLE_EVIDENCE)
    assert decision.state is State.PROVISIONAL
    assert decision.global_id == -1


def test_nobody_is_in_two_places_at_once():
    """Two look-alikes (the same embedding) on screen together are two people, in one camera or in two."""
    scene = visits((1, "door", 0, 6), (1, "hall", 0.5, 6), (1, "door", 1, 6))
    latest = run(resolver(), frames(scene, People(3)))
    assert len({d.identity for d in latest.values()}) == 3


def test_overlapping_cameras_share_an_identity():
    topology = Topology(["left", "right"], overlaps=[("left", "right")])
    scene = visits((1, "left", 0, 8), (1, "right", 2, 10), (1, "left", 14, 20))
    latest = run(Resolver(topology, Policy(capacity=100)), frames(scene, People(4)))
    assert len({d.identity for d in latest.values()}) == 1


@pytest.mark.parametrize("late_s", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("seed", [4, 5])
def test_overlapping_cameras_agree_without_second_thoughts(late_s, seed):
    """Seen at one camera, then by two that share a view: one identity, said once, whoever decides first."""
    topology = Topology(["far", "left", "right"], overlaps=[("left", "right")])
    core = Resolver(topology, Policy(capacity=100))
    scene = visits((1, "far", 0, 6), (1, "left", 12, 30), (1, "right", 12 + late_s, 30), (2, "left", 5, 30))
    said: dict[int, set[int]] = {}
    for batch in frames(scene, People(seed)):
        for decision in core.resolve(batch):
            said.setdefault(decision.track_id, set()).add(decision.global_id)
    assert len((said[1] | said[2] | said[3]) - {-1}) == 1
    assert not {e.kind for e in core.take_events()} & {EventKind.SPLIT, EventKind.MERGED}
    assert max(said[4]) not in said[1]


def test_a_founder_is_sure_of_itself_while_others_feed_its_identity():
    topology = Topology(["left", "right"], overlaps=[("left", "right")])
    latest = run(
        Resolver(topology, Policy(capacity=9)), frames(visits((1, "left", 0, 30), (1, "right", 3, 30)), People(4))
    )
    assert latest[1].probability > 0.9


def test_a_walk_that_is_too_quick_makes_a_match_doubtful():
    """The same resemblance counts for less when the walk takes half a second than when it fits."""
    doubt = {}
    for gap in (5.0, 0.6):
        scene = visits((1, "door", 0, 6), (1, "hall", 6 + gap, 12 + gap), (2, "till", 0, 12), (3, "till", 0, 12))
        latest = run(resolver(), frames(scene, People(5, noise=0.15)))
        assert latest[2].identity == latest[1].identity
        doubt[gap] = 1.0 - latest[2].probability
    assert doubt[0.6] > 5 * doubt[5.0]


def test_second_thoughts_are_events():
    """The true owner of an identity comes in while a look-alike holds it: the look-alike is split off."""
    people = People(6, noise=0.05)
    near = people.crop(1)
    people._centres[2] = near + 0.9 * people.crop(9)
    scene = visits((1, "door", 0, 8), (2, "hall", 14, 40), (1, "hall", 24, 40))
    core = resolver()
    latest, events = {}, []
    for batch in frames(scene, people):
        latest.update({d.track_id: d for d in core.resolve(batch)})
        events += core.take_events()
    assert latest[3].identity == latest[1].identity
    assert latest[2].identity != latest[1].identity
    assert [e.global_id for e in events if e.kind is EventKind.CREATED] == [1, 2]


def test_a_founder_found_to_be_known_is_merged():
    """Seen from behind the return is taken for somebody new; as the person turns round, it is repaired in the open."""
    people = People(7, noise=0.03)
    people.crop(1), people.crop(2)
    behind = people._centres[2]
    core = resolver()
    run(core, frames(visits((1, "door", 0, 8)), people))
    core.take_events()
    for step in range(200):
        turned = min(1.0, step / 150)
        people._centres[3] = (1 - turned) * behind + turned * people._centres[1]
        crop = people if step % 2 == 0 else None
        [decision] = core.resolve([sightings("hall", (120 + step) * FRAME_NS, [Visit(3, "hall", 0, 99, 50)], crop)])
    told = [e for e in core.take_events() if e.kind is not EventKind.CONFIRMED]
    assert [e.kind for e in told] == [EventKind.CREATED, EventKind.MERGED]
    assert (told[1].global_id, told[1].other_id) == (2, 1)
    assert decision.identity == 1
    assert core.identities == 1


def swapped(scene, people, at_s: float):
    """Tracks 1 and 2 go on with each other's person from a moment on: an identity swap of the tracker."""
    for step, batch in enumerate(frames(scene, people)):
        if step < at_s * 10:
            yield batch
            continue
        exchange = {1: 2, 2: 1}
        for seen in batch:
            if step < at_s * 10 + 3 and len(seen) == 2:
                seen.boxes[1] = seen.boxes[0] + [20, 0, 0, 0]
        yield [
            replace(s, track_ids=np.array([exchange.get(t, t) for t in s.track_ids.tolist()], np.int64)) for s in batch
        ]


def test_a_track_that_swaps_persons_is_cut():
    """The identity stays with the person, not with the track, and the swap is told with its moment."""
    core = resolver()
    said, events = [], []
    for batch in swapped(visits((1, "door", 0, 16), (2, "door", 0, 16)), People(12), 8.0):
        said.append({d.track_id: d.global_id for d in core.resolve(batch)})
        events += core.take_events()
    before, after = said[75], said[155]
    assert (after[1], after[2]) == (before[2], before[1])
    assert core.cuts == 1
    splits = [e for e in events if e.kind is EventKind.SPLIT]
    assert {(e.track_id, e.global_id, e.other_id) for e in splits} == {
        (1, before[1], before[2]),
        (2, before[2], before[1]),
    }
    assert all(7.6e9 <= e.since_ns <= 8.2e9 for e in splits)


def test_who_looks_a_little_different_is_not_cut():
    core = resolver()
    run(core, frames(walk_about(6, CAMERAS, rounds=4, seed=3), People(13, noise=0.12)))
    assert core.cuts == 0


def test_broken_embeddings_are_refused_and_counted():
    core = resolver()
    scene = visits((1, "door", 0, 5), (2, "door", 0, 5), (3, "door", 0, 5))
    good = sightings("door", 0, scene, People(8))
    good.embeddings[0] = np.nan
    good.embeddings[1] = 0.0
    core.resolve([good])
    short = sightings("door", FRAME_NS, scene, People(8))
    core.resolve([_with_embeddings(short, short.embeddings[:, :16])])
    assert core.refused == {"not_finite": 1, "zero": 1, "wrong_length": 3}
    assert core.accepted == 1


def _with_embeddings(frame, embeddings):
    return type(frame)(**{**frame.__dict__, "embeddings": embeddings})


def test_an_unknown_camera_is_named():
    with pytest.raises(KeyError, match=r"door, hall, till.*found 'roof'"):
        resolver().resolve([sightings("roof", 0, visits((1, "roof", 0, 5)), None)])


def test_retention_forgets():
    core = resolver(retention_s=60.0)
    run(core, frames(visits((1, "door", 0, 6), (2, "hall", 70, 110)), People(9)))
    events = core.take_events()
    assert [(e.global_id, e.reason) for e in events if e.kind is EventKind.EXPIRED] == [(1, "retention")]
    assert core.identities == 1


def test_capacity_is_never_exceeded():
    core = resolver(capacity=5)
    scene = visits(*[(p, "door", 25 * p, 25 * p + 5) for p in range(12)])
    latest = run(core, frames(scene, People(10)))
    assert core.identities == 5
    assert len({d.identity for d in latest.values()}) == 12
    assert sum(e.kind is EventKind.EXPIRED and e.reason == "capacity" for e in core.take_events()) == 7


def test_a_gallery_full_of_people_on_screen_takes_nobody_in():
    core = resolver(capacity=2)
    latest = run(core, frames(visits(*[(p, "door", 0, 5) for p in range(3)]), People(11)))
    unmatched = [d for d in latest.values() if not isinstance(d.identity, int)]
    assert [d.identity for d in unmatched] == [Unmatched(Reason.GALLERY_FULL)]


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), noise=st.floats(0.02, 0.6), persons=st.integers(1, 6))
def test_invariants_hold_whatever_the_embeddings_say(seed, noise, persons):
    """One to one per moment, probabilities are probabilities, ids are never used twice, replay is exact."""
    scene = walk_about(persons, CAMERAS, rounds=3, seed=seed)

    def answers():
        core = resolver()
        said = [core.resolve(batch) for batch in frames(scene, People(seed, noise))]
        return said, core.take_events()

    said, events = answers()
    for decisions in said:
        named = [d.identity for d in decisions if isinstance(d.identity, int)]
        assert len(named) == len(set(named))
        assert all(0.0 <= d.probability <= 1.0 for d in decisions)
    created = [e.global_id for e in events if e.kind is EventKind.CREATED]
    assert created == sorted(set(created))
    assert answers() == (said, events)


def jumping(scene, people, camera: str, at_s: float, by_s: float):
    """The scene's batches with one camera's clock set off from a moment on."""
    for step, batch in enumerate(frames(scene, people)):
        shift = int(by_s * 1e9) if step >= at_s * 10 else 0
        yield [replace(s, time_ns=s.time_ns + (shift if s.camera == camera else 0)) for s in batch]


@pytest.mark.parametrize("by_s", [-3600, -2, 2, 86400])
def test_a_clock_that_jumps_is_one_cameras_trouble(by_s):
    scene = visits((1, "door", 0, 30), (2, "hall", 0, 30), (3, "till", 0, 30), (4, "till", 2, 12), (4, "door", 18, 30))
    core = resolver()
    said = [{d.track_id: d.identity for d in core.resolve(b)} for b in jumping(scene, People(20), "hall", 10, by_s)]
    for track in (1, 2, 3):
        assert len({decisions[track] for decisions in said[10:300]}) == 1
    assert said[290][5] == said[100][4]
    assert not [e for e in core.take_events() if e.kind is EventKind.EXPIRED]
    assert core.clock_jumps == (abs(by_s) > 2 or by_s < 0)


def test_time_that_passes_for_everybody_is_no_jump():
    scene = visits((1, "door", 0, 6), (1, "hall", 600, 606), (2, "till", 0, 606))
    core = resolver()
    batches = [b for step, b in enumerate(frames(scene, People(21))) if step < 80 or step > 5950]
    run(core, batches)
    assert core.clock_jumps == 0


def test_a_silent_camera_does_not_hold_its_people_for_ever():
    """The hall's stream dies with somebody in view; that person turns up at the till."""
    scene = visits((1, "hall", 0, 8), (2, "door", 0, 40), (1, "till", 20, 30))
    core = resolver()
    latest = {}
    for step, batch in enumerate(frames(scene, People(22))):
        alive = [s for s in batch if s.camera != "hall" or step < 60]
        latest.update({d.track_id: d for d in core.resolve(alive)})
    assert latest[3].identity == latest[1].identity


def test_people_without_embeddings_do_not_pile_up():
    core = resolver()
    for step in range(2000):
        core.resolve([sightings("door", step * FRAME_NS, [Visit(1, "door", 0, 1, track_id=step)], None)])
    assert len(list(core._base.live)) < 50


def test_what_is_no_number_is_no_evidence():
    core, people = resolver(), People(23)
    for step in range(12):
        seen = sightings("door", step * FRAME_NS, visits((1, "door", 0, 9), (2, "door", 0, 9)), people)
        seen.confidences[0] = np.nan
        seen.embeddings[1] *= 1e25
        core.resolve([seen])
    assert core.refused == {"poor_crop": 12, "out_of_range": 12}
    assert core.identities == 0


def test_every_identity_on_screen_exists():
    """Eviction and merges in one round of verdicts must not leave anybody with an identity that is gone."""
    for seed in range(2):
        core = resolver(capacity=3)
        for batch in frames(walk_about(5, CAMERAS, rounds=4, seed=seed), People(seed, noise=0.3)):
            core.resolve(batch)
            held = {t.global_id for t in core._base.live if t.global_id}
            assert all(core._engine.gallery.row_of(global_id) is not None for global_id in held)


def test_a_full_gallery_is_asked_now_and_then_only():
    core = resolver(capacity=1)
    run(core, frames(visits(*[(p, "door", 0, 20) for p in range(3)]), People(24)))
    assert core.turned_away < 60


def test_tuning_changes_when_a_decision_is_made():
    slow = Resolver(Topology(CAMERAS), Policy(capacity=10), Tuning(min_crops=10, decide_after_s=2.0))
    named_at = [
        step
        for step, batch in enumerate(frames(visits((1, "door", 0, 5)), People(12)))
        if any(isinstance(d.identity, int) for d in slow.resolve(batch))
    ]
    assert named_at[0] == 20
