"""What people decide is kept to: on tracks named beforehand, and on identities while the engine runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from savant_reid.identity.aliases import Aliases
from savant_reid.identity.by_hand import Hands
from savant_reid.identity.constraints import BY_HAND, Constraints, Span
from savant_reid.identity.enrolment import ELSEWHERE, EnrolledPerson, Enrolment
from savant_reid.identity.policy import Policy
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology, Window
from savant_reid.identity.types import EventKind, IdentityEvent, Reason, Sightings, Unmatched
from tests.identity.scenes import FRAME_NS, People, frames, run, sightings, visits, walk_about

CAMERAS = ["door", "hall", "till"]
WINDOWS = {("door", "hall"): Window(2, 20), ("hall", "till"): Window(2, 20)}
LATER_NS = 10**12


def core(constraints: Constraints | None = None, enrolment: Enrolment | None = None, **policy: float) -> Resolver:
    policy = {"capacity": 100, **policy}
    return Resolver(Topology(CAMERAS, WINDOWS), Policy(**policy), enrolment=enrolment, constraints=constraints)


def span(camera: str, track_id: int, first_s: float = 0.0, last_s: float = 1000.0) -> Span:
    return Span(camera, track_id, int(first_s * 1e9), int(last_s * 1e9))


def watch(resolver: Resolver, batches: Iterable[list[Sightings]]) -> tuple[dict[int, list[int]], list[IdentityEvent]]:
    """All that was said of each track, in order, and the events; nobody shares an identity within a frame."""
    said: dict[int, list[int]] = {}
    events: list[IdentityEvent] = []
    for batch in batches:
        decisions = resolver.resolve(batch)
        named = [(d.camera, d.global_id) for d in decisions if d.global_id >= 0]
        assert len(set(named)) == len(named)
        for decision in decisions:
            said.setdefault(decision.track_id, []).append(decision.global_id)
        events += resolver.take_events()
    return said, events


def by_hand(events: Iterable[IdentityEvent]) -> list[tuple[EventKind, int, int | None]]:
    return [(e.kind, e.global_id, e.other_id) for e in events if e.reason == BY_HAND]


def test_two_tracks_that_are_one_person_by_hand_share_an_identity_from_the_start():
    scene = visits((1, "door", 0, 6), (2, "hall", 10, 16))
    resolver = core(Constraints(merged=((span("door", 1), span("hall", 2)),)))
    said, _ = watch(resolver, frames(scene, People(1)))
    assert set(said[2]) == {1}
    assert said[1][-1] == 1
    assert run(core(), frames(scene, People(1)))[2].global_id == 2  # without it they are two
    decision = resolver.resolve(list(frames(visits((2, "hall", 0, 1)), People(1)))[-1])
    assert not decision or decision[0].global_id != -2


def test_by_hand_the_answer_is_sure():
    resolver = core(Constraints(merged=((span("door", 1), span("hall", 2)),)))
    latest = run(resolver, frames(visits((1, "door", 0, 6), (2, "hall", 10, 16)), People(1)))
    assert latest[2].probability == 1.0
    assert latest[2].runner_up is None


def test_two_tracks_that_are_two_people_by_hand_never_share_one():
    scene = visits((1, "door", 0, 6), (1, "hall", 10, 16), (1, "till", 20, 26), (1, "door", 30, 36))
    apart = Constraints(split=((span("door", 1), span("hall", 2)),))
    said, events = watch(core(apart), frames(scene, People(2)))
    assert not {*said[1]} & {*said[2]} - {-1}
    assert not [e for e in events if e.kind is EventKind.MERGED]
    assert len({*said[1], *said[2], *said[3], *said[4]} - {-1}) == 2


def test_a_track_that_goes_over_to_somebody_else_by_hand():
    """The first half of a track is one person, the second another one, who was seen before."""
    constraints = Constraints(merged=((span("till", 1), span("hall", 2, 20.0)),))
    scene = visits((1, "till", 0, 6), (2, "hall", 12, 30))
    said, events = watch(core(constraints), frames(scene, People(3)))
    first, last = said[2][40], said[2][-1]
    assert last == said[1][-1] != first
    assert -1 not in said[2][100:]
    assert by_hand(events) == []  # nobody's identity was taken back: the track went on as a new one


def test_side_by_side_not_even_people_can_make_two_one():
    constraints = Constraints(merged=((span("door", 1), span("door", 2)),))
    said, _ = watch(core(constraints), frames(visits((1, "door", 0, 8), (2, "door", 1, 9)), People(4)))
    assert said[1][-1] != said[2][-1]


def test_who_is_taken_for_somebody_that_people_have_named_makes_way():
    """A look-alike carries the identity when the one comes of whom people say that it is theirs."""
    constraints = Constraints(merged=((span("door", 1), span("till", 3)),))
    scene = visits((1, "door", 0, 6), (1, "hall", 10, 30), (1, "till", 15, 30))
    said, events = watch(core(constraints), frames(scene, People(5)))
    assert set(said[3]) == {1}
    assert said[2][-1] not in (1, -1)
    assert (EventKind.SPLIT, 1, None) in by_hand(events)


def test_a_merge_while_running_lasts():
    resolver = core()
    people = People(6)
    batches = list(frames(visits((1, "door", 0, 6), (2, "hall", 10, 30)), people))
    watch(resolver, batches[:160])
    assert resolver.merge(2, 1) == 1
    said, events = watch(resolver, batches[160:])
    assert set(said[2]) == {1}
    assert by_hand(events) == [(EventKind.MERGED, 2, 1)]
    assert [resolver.present_id(one) for one in (1, 2, 3)] == [1, 1, None]
    assert resolver.merge(2, 1) == 1  # said twice, done once


def test_a_split_while_running_lasts():
    resolver = core()
    batches = list(frames(visits((1, "door", 0, 6), (1, "hall", 10, 30), (1, "door", 40, 46)), People(7)))
    watch(resolver, batches[:160])
    new = resolver.split(1, "hall", 2)
    assert new == 2
    said, events = watch(resolver, batches[160:])
    assert set(said[2]) == {2}
    assert by_hand(events) == [(EventKind.SPLIT, 1, 2)]
    assert not [e for e in events if e.kind is EventKind.MERGED]
    assert {resolver.present_id(1), resolver.present_id(2)} == {1, 2}
    with pytest.raises(KeyError, match="track of identity 1"):
        resolver.split(1, "hall", 99)


def test_whoever_is_forgotten_is_a_stranger():
    resolver = core()
    batches = list(frames(visits((1, "door", 0, 20)), People(8)))
    watch(resolver, batches[:100])
    resolver.forget(1)
    assert resolver.present_id(1) is None
    said, events = watch(resolver, batches[100:])
    assert by_hand(events) == [(EventKind.ERASED, 1, None)]
    assert {*said[1]} - {-1} == {2}
    for act in (lambda: resolver.forget(1), lambda: resolver.merge(1, 2), lambda: core().forget(1)):
        with pytest.raises(KeyError, match="identity that is held"):
            act()


def vectors_like(thing: object, person: NDArray[np.float32], seen: set[int]) -> int:
    """How many vectors within an object, in whatever it holds, look like this person, (D,) of unit length."""
    if id(thing) in seen or isinstance(thing, (str, bytes, int, float, bool, type(None), type, ModuleType)):
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        if thing.dtype.kind != "f" or not thing.ndim or thing.shape[-1] != len(person):
            return 0
        rows = thing.reshape(-1, len(person))
        length = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
        return int((rows @ person / length > 0.8).sum())
    if isinstance(thing, Mapping):
        return sum(vectors_like(part, person, seen) for pair in thing.items() for part in pair)
    if isinstance(thing, (list, tuple, set, frozenset, deque)):
        return sum(vectors_like(part, person, seen) for part in thing)
    names = [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())]
    return sum(vectors_like(getattr(thing, name, None), person, seen) for name in names)


def test_no_look_of_whoever_is_forgotten_stays_in_memory():
    resolver = core()
    people = People(8)
    watch(resolver, frames(walk_about(10, CAMERAS, rounds=3, seed=3), people))
    end = [[sightings("door", at_s * 10**9, [], None)] for at_s in (40, 60)]
    watch(resolver, end)
    person = np.mean([people.crop(4) for _ in range(50)], axis=0)
    person /= np.linalg.norm(person)
    assert vectors_like(resolver, person, set()) > 3
    said = run(core(), frames(walk_about(10, CAMERAS, rounds=3, seed=3), People(8)))
    resolver.forget(next(said[v.track_id].global_id for v in walk_about(10, CAMERAS, 3, 3) if v.person == 4))
    assert vectors_like(resolver, person, set()) == 0


def test_the_name_lives_on_in_a_merge_and_a_closed_set_makes_nobody_new():
    people = People(9)
    pictures = np.stack([people.crop(1)])
    watchlist = Enrolment((EnrolledPerson(1, "Anna", pictures, (ELSEWHERE,)),), 0.001, closed=False)
    resolver = core(enrolment=watchlist)
    watch(resolver, frames(visits((2, "hall", 0, 6)), people))
    assert resolver.merge(1, 2) == 1
    closed = core(enrolment=Enrolment(watchlist.people, 0.01, closed=True))
    batches = list(frames(visits((1, "door", 0, 20)), people))
    assert watch(closed, batches[:100])[0][1][-1] == 1
    assert closed.split(1, "door", 1) == 0
    [decision] = closed.resolve(batches[150])
    assert decision.identity == Unmatched(Reason.NOT_ENROLLED)


@pytest.mark.parametrize("seed", range(4))
def test_a_crowd_with_decisions_by_hand_keeps_to_all_of_them(seed):
    """Random pairs of tracks are one person or two by hand, whatever the truth; swaps and merges notwithstanding."""
    scene = walk_about(6, CAMERAS, 5, seed)
    rng = np.random.default_rng(seed)
    spans = [Span(v.camera, v.track_id, int(v.start_s * 1e9) - FRAME_NS, LATER_NS) for v in scene]
    picked = rng.choice(len(scene), 8, replace=False).tolist()
    merged = [(a, b) for a, b in zip(picked[:4:2], picked[1:4:2], strict=True) if scene[a].camera != scene[b].camera]
    split = list(zip(picked[4::2], picked[5::2], strict=True))
    constraints = Constraints(
        tuple((spans[a], spans[b]) for a, b in merged), tuple((spans[a], spans[b]) for a, b in split)
    )
    resolver = core(constraints)
    said, _ = watch(resolver, frames(scene, People(seed, noise=0.2)))
    for a, b in split:
        one, two = (resolver.present_id(said[scene[i].track_id][-1]) for i in (a, b))
        assert one != two
    for a, b in merged:
        visit_a, visit_b = scene[a], scene[b]
        if visit_a.end_s < visit_b.start_s or visit_b.end_s < visit_a.start_s:
            one, two = (resolver.present_id(said[v.track_id][-1]) for v in (visit_a, visit_b))
            assert one == two


def test_old_ids_lead_to_present_ones_within_a_bound():
    aliases = Aliases(most=3)
    for old in (1, 2, 3):
        aliases.merged(old, old + 1)
    assert [aliases.present(one) for one in (1, 2, 3, 4, 9)] == [4, 4, 4, 4, 9]
    aliases.merged(4, 5)
    assert len(aliases) == 3
    assert [aliases.present(one) for one in (1, 2, 4)] == [1, 5, 5]
    aliases.merged(5, 5)
    aliases.merged(5, 2)  # the one that was gone lives on
    assert [aliases.present(one) for one in (2, 4, 5)] == [2, 2, 2]


def test_a_later_word_unites_what_was_split():
    topology, aliases = Topology(CAMERAS), Aliases()
    a, b = span("door", 1), span("hall", 2)
    both = Hands(Constraints(merged=((a, b),), split=((a, b),)), topology, aliases)
    assert not both.apart(1, 2)
    hands = Hands(Constraints(), topology, aliases)
    assert not hands.active
    hands.part(1, 2)
    assert hands.apart(2, 1)
    aliases.merged(2, 7)
    assert hands.apart(7, 1)
    hands.join(1, 7)
    assert not hands.apart(1, 7)
