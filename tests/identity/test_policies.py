"""Closed sets, watchlists, and the similarity that is asked of who is enrolled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from savant_reid.errors import DataError
from savant_reid.identity.enrolment import ELSEWHERE, EnrolledPerson, Enrolment, condensed
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.metric import Metric
from savant_reid.identity.policy import Policy
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.search import ExactSearch
from savant_reid.identity.tail import PAIRS, StrangerTail, reached_by
from savant_reid.identity.topology import Topology, Window
from savant_reid.identity.types import EventKind, IdentityEvent, Reason, Unmatched
from savant_reid.testing import Recording, RecordingSettings
from tests.identity.scenes import DIMENSION, People, Visit, frames, run, sightings, visits, walk_about

CAMERAS = ["door", "hall", "till"]
WINDOWS = {("door", "hall"): Window(2, 20), ("hall", "till"): Window(2, 20)}
STRANGER = 9


def enrolment(people: People, persons: Sequence[int], *, closed: bool, target_fpir: float = 0.01) -> Enrolment:
    """The first gets the id 1, and so on; three pictures of each."""
    enrolled = [
        EnrolledPerson(i, f"person {p}", np.stack([people.crop(p) for _ in range(3)]), (ELSEWHERE,) * 3)
        for i, p in enumerate(persons, start=1)
    ]
    return Enrolment(tuple(enrolled), target_fpir, closed)


def core(enrolled: Enrolment | None, **policy: float) -> Resolver:
    return Resolver(Topology(CAMERAS, WINDOWS), Policy(**{"capacity": 50, **policy}), enrolment=enrolled)


def told(events: Sequence[IdentityEvent], kind: EventKind) -> list[IdentityEvent]:
    return [event for event in events if event.kind is kind]


def test_a_closed_set_names_its_people_and_nobody_else():
    people = People(1)
    resolver = core(enrolment(people, [3, 4], closed=True))
    scene = visits((4, "door", 0, 6), (STRANGER, "door", 1, 7), (3, "hall", 2, 8), (4, "hall", 12, 18))
    latest = run(resolver, frames(scene, people))
    assert [latest[track].identity for track in (1, 3, 4)] == [2, 1, 2]
    assert latest[2].identity == Unmatched(Reason.NOT_ENROLLED)
    assert resolver.identities == 2
    events = resolver.take_events()
    assert [(e.global_id, e.reason) for e in told(events, EventKind.ENROLLED)] == [(1, "person 3"), (2, "person 4")]
    assert not told(events, EventKind.CREATED)


def test_a_closed_set_says_so_only_when_it_is_decided():
    people = People(1)
    resolver = core(enrolment(people, [3], closed=True))
    reasons = []
    first = sightings("door", 0, visits((STRANGER, "door", 0, 5)), None)
    for batch in [[first], *list(frames(visits((STRANGER, "door", 0, 5)), people))[1:]]:
        reasons += [d.identity.reason for d in resolver.resolve(batch) if isinstance(d.identity, Unmatched)]
    changes = [reason for i, reason in enumerate(reasons) if i == 0 or reason is not reasons[i - 1]]
    assert changes == [Reason.TOO_LITTLE_EVIDENCE, Reason.NOT_ENROLLED]


def test_a_watchlist_lies_within_an_open_set():
    people = People(2)
    resolver = core(enrolment(people, [3], closed=False, target_fpir=0.001))
    scene = visits((STRANGER, "door", 0, 6), (3, "till", 2, 8), (STRANGER, "hall", 10, 16), (3, "door", 30, 36))
    latest = run(resolver, frames(scene, people))
    assert latest[2].identity == latest[4].identity == 1
    assert latest[1].identity == latest[3].identity == 2
    assert resolver.enrolled == {1: "person 3"}


def test_who_is_enrolled_never_expires_and_makes_no_room():
    people = People(3)
    resolver = core(enrolment(people, [3], closed=False), retention_s=60.0, capacity=2)
    scene = walk_about(6, CAMERAS, 4, seed=1)
    run(resolver, frames([Visit(v.person + 20, v.camera, v.start_s, v.end_s, v.track_id) for v in scene], people))
    resolver.resolve([sightings("door", 4_000_000_000_000, [], None)])
    assert resolver.present_id(1) == 1
    assert 1 not in {event.global_id for event in told(resolver.take_events(), EventKind.EXPIRED)}


def test_enrolled_look_alikes_are_never_merged():
    people = People(4)
    people._centres[4] = people.crop(3)
    resolver = core(enrolment(people, [3, 4], closed=False))
    run(resolver, frames(visits(*((3, camera, t, t + 6) for t, camera in enumerate(CAMERAS * 4, 1) if t % 3)), people))
    assert {resolver.present_id(1), resolver.present_id(2)} == {1, 2}
    assert not [e for e in told(resolver.take_events(), EventKind.MERGED) if e.global_id in (1, 2)]


def test_embeddings_of_another_length_than_those_enrolled_are_refused():
    resolver = core(enrolment(People(5), [3], closed=True))
    one = sightings("door", 0, visits((3, "door", 0, 5)), People(5))
    wrong = type(one)(**{**vars(one), "embeddings": np.ones((1, DIMENSION + 1), np.float32)})
    resolver.resolve([wrong])
    assert resolver.refused == {"wrong_length": 1}


def test_what_somebody_was_enrolled_with_stays_half_of_the_look():
    metric = Metric(1, 4)
    gallery = Gallery(3, 8, metric, ExactSearch(4, 3))
    row = gallery.create(7, 0, 0)
    gallery.enrol(row, np.eye(4, dtype=np.float32)[:1], [ELSEWHERE], [1.0])
    for serial in range(1, 30):
        gallery.put(row, serial, 0, np.eye(4, dtype=np.float32)[1 + serial % 3], 4.0)
    look = gallery.centroids(np.array([row]))[0]
    assert look[0] == pytest.approx(0.5)
    assert gallery.enrolled_centroids(np.array([row]))[0].tolist() == [1, 0, 0, 0]


def test_many_pictures_are_condensed_to_few():
    crops = np.repeat(np.eye(4, dtype=np.float32)[:3], [5, 3, 1], axis=0)
    vectors, cameras, counts = condensed(EnrolledPerson(1, "a", crops, (0,) * 9), 3)
    np.testing.assert_allclose(vectors, np.eye(4)[:3], atol=1e-6)
    assert (cameras, counts.tolist()) == ((0, 0, 0), [5.0, 3.0, 1.0])


def test_a_similarity_threshold_keeps_matches_away_whatever_the_odds():
    scene = visits((1, "door", 0, 6), (1, "hall", 10, 16))
    for threshold, identities in ((None, 1), (0.999, 2)):
        resolver = Resolver(Topology(CAMERAS, WINDOWS), Policy(capacity=9, similarity_threshold=threshold))
        run(resolver, frames(scene, People(6)))
        assert resolver.identities == identities


@pytest.mark.parametrize("share", [0.2, 0.01, 1e-3, 1e-4])
@pytest.mark.parametrize("n", [2_000, 20_000])
def test_the_tail_of_normal_strangers_is_told_within_a_factor_of_two_and_a_half(share, n):
    shares = []
    for seed in range(8):
        reached = reached_by(np.random.default_rng(seed).standard_normal(n), share)
        shares.append(float(np.mean(np.random.default_rng(99).standard_normal(2_000_000) > reached)))
    assert share / 2.5 < np.median(shares) < share * 2.5


def test_few_strangers_are_taken_for_normal_and_old_ones_are_forgotten():
    tail = StrangerTail()
    assert tail.least_similarity((0.1, 0.2), 0.5) == pytest.approx(0.1)
    tail.learn(np.full(PAIRS, 0.9), (0.0, 0.1))
    tail.learn(np.random.default_rng(0).normal(0.0, 0.1, PAIRS), (0.0, 0.1))
    assert len(tail) == PAIRS
    assert tail.least_similarity((0.0, 0.1), 0.01) == pytest.approx(0.2326, abs=0.01)


def test_a_tail_of_equal_strangers_is_where_they_are():
    assert reached_by(np.full(500, 2.0), 1e-4) >= 2.0


class Crowd:
    """A small generated recording, and its people enrolled from four pictures of their first track each."""

    def __init__(self, seed: int) -> None:
        settings = RecordingSettings(cameras=5, people=60, seconds=300.0, dimension=64, seed=seed)
        self.recording = Recording(settings)
        self.moments = list(self.recording.moments())
        self.tracks: dict[tuple[str, int], list[tuple[int, np.ndarray]]] = {}
        for moment in self.moments:
            for seen, persons in zip(moment.sightings, moment.persons, strict=True):
                for i in np.flatnonzero(seen.embedding_of >= 0).tolist():
                    crop = seen.embeddings[seen.embedding_of[i]]
                    if np.isfinite(crop).all() and crop.any():
                        track = self.tracks.setdefault((seen.camera, int(seen.track_ids[i])), [])
                        track.append((int(persons[i]), crop / np.linalg.norm(crop)))

    def enrol(self, people: int, target_fpir: float) -> tuple[Enrolment, dict[int, int], set[tuple[str, int]]]:
        """The enrolment, whom each id stands for, and the tracks that were used for it."""
        enrolled, person_of, used = [], {}, set()
        for key, crops in self.tracks.items():
            persons = {person for person, _ in crops}
            if len(crops) < 12 or len(persons) > 1 or persons & {-1, *person_of.values()} or len(enrolled) == people:
                continue
            global_id = len(enrolled) + 1
            person_of[global_id] = persons.pop()
            used.add(key)
            pictures = np.stack([crop for _, crop in crops[1:12:3]]).astype(np.float32)
            enrolled.append(EnrolledPerson(global_id, str(global_id), pictures, (ELSEWHERE,) * len(pictures)))
        return Enrolment(tuple(enrolled), target_fpir, True), person_of, used


def test_strangers_are_taken_for_the_enrolled_about_as_often_as_asked():
    """By track and its last word; two recordings, as a pair of look-alikes more or less is the difference."""
    target = 0.05
    strangers = taken = known = found = 0
    for seed in (0, 1):
        crowd = Crowd(seed)
        enrolled, person_of, used = crowd.enrol(15, target)
        resolver = Resolver(Topology(crowd.recording.cameras), Policy(capacity=100), enrolment=enrolled)
        said: dict[tuple[str, int], int] = {}
        for moment in crowd.moments:
            said.update({(d.camera, d.track_id): d.global_id for d in resolver.resolve(moment.sightings)})
        for key, crops in crowd.tracks.items():
            persons = {person for person, _ in crops}
            if len(persons) > 1 or -1 in persons or len(crops) < 2 or key in used:
                continue
            person = persons.pop()
            if person in person_of.values():
                known, found = known + 1, found + (person_of.get(said[key]) == person)
            else:
                strangers, taken = strangers + 1, taken + (said[key] > 0)
    assert taken / strangers < 2 * target
    assert found / known > 0.6


def test_lengths_of_the_enrolled_and_the_learned_must_agree():
    people = People(8)
    teacher = core(None)
    run(teacher, frames(walk_about(4, CAMERAS, 3, seed=2), people))
    learned = teacher.learned()
    assert learned is not None
    short = Enrolment((EnrolledPerson(1, "a", np.ones((1, 4), np.float32), (ELSEWHERE,)),), 0.01, True)
    with pytest.raises(DataError, match="one length"):
        Resolver(Topology(CAMERAS, WINDOWS), learned=learned, enrolment=short)
