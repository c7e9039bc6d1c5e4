"""What holds whatever comes in: one to one, the same in any order, ids that lead somewhere, and no growth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savant_reid.identity.aliases import MOST_ALIASES
from savant_reid.identity.crossings import MOST_PAST
from savant_reid.identity.metric import FOLD
from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology
from savant_reid.identity.types import Decision, EventKind, IdentityEvent, Sightings
from tests.identity.scenes import DIMENSION, FRAME_NS, People, frames, walk_about

CAMERAS = ["door", "hall", "till"]


def resolver(overlaps: Sequence[tuple[str, str]] = (), **policy: float) -> Resolver:
    return Resolver(Topology(CAMERAS, overlaps=overlaps), Policy(**{"capacity": 500, **policy}))


def one_to_one(topology: Topology, decisions: Sequence[Decision]) -> bool:
    """No identity twice in one camera, nor in two that share no view."""
    cameras: dict[int, list[int]] = defaultdict(list)
    for decision in decisions:
        if isinstance(decision.identity, int):
            cameras[decision.identity].append(topology.index[decision.camera])
    return all(topology.can_share(a, b) for seen in cameras.values() for i, a in enumerate(seen) for b in seen[:i])


def flickering(batches, seed: int, share: float) -> Iterator[list[Sightings]]:
    """A bad tracker: people go missing for a while, come back under new ids or under each other's."""
    rng = np.random.default_rng(seed)
    names: dict[int, int] = {}
    fresh = 10_000
    for batch in batches:
        shown = []
        for seen in batch:
            ids = seen.track_ids.tolist()
            for track_id in ids:
                if rng.random() < share * 0.2:
                    fresh += 1
                    names[track_id] = fresh
            if len(ids) > 1 and rng.random() < share:
                a, b = rng.choice(ids, 2, replace=False).tolist()
                names[a], names[b] = names.get(b, b), names.get(a, a)
            keep = rng.random(len(ids)) > share
            shown.append(rows_of(seen, np.flatnonzero(keep), [names.get(i, i) for i in ids]))
        yield shown


def rows_of(seen: Sightings, rows: np.ndarray, ids: Sequence[int] | None = None) -> Sightings:
    """Some rows of a frame in this order, the embeddings in another one."""
    track_ids = seen.track_ids if ids is None else np.array(ids, np.int64)
    given = seen.embedding_of[rows]
    order = np.argsort(-given, kind="stable")
    has = order[given[order] >= 0]
    embedding_of = np.full(len(rows), -1, np.int64)
    embedding_of[has] = np.arange(len(has))
    return replace(
        seen,
        track_ids=track_ids[rows],
        boxes=seen.boxes[rows],
        confidences=seen.confidences[rows],
        embedding_of=embedding_of,
        embeddings=seen.embeddings[given[has]],
    )


@settings(max_examples=8)
@given(
    seed=st.integers(0, 10**6),
    noise=st.sampled_from([0.1, 0.3, 1.0]),
    overlaps=st.sampled_from([(), [("door", "hall")], [("door", "hall"), ("hall", "till")]]),
    share=st.sampled_from([0.0, 0.05, 0.2]),
)
def test_one_person_is_in_one_place(seed, noise, overlaps, share):
    core, people = resolver(overlaps), People(seed, noise)
    scene = walk_about(5, CAMERAS, rounds=2, seed=seed)
    for batch in flickering(frames(scene, people), seed, share):
        decisions = core.resolve(batch)
        assert len(decisions) == sum(map(len, batch))
        assert one_to_one(core._base.topology, decisions)
        assert all(0.0 <= d.probability <= 1.0 for d in decisions)


def crowd(n: int, steps: int, people: People, every: int = 1) -> Iterator[Sightings]:
    """n people who stand side by side in a very large picture."""
    side = int(n**0.5) + 1
    here = np.arange(n)
    boxes = np.stack([70 * (here % side) + 10, 200 * (here // side) + 10, 0 * here + 60, 0 * here + 180], axis=1)
    for step in range(steps):
        crops = step % every == 0
        yield Sightings(
            "door",
            step * FRAME_NS,
            here.astype(np.int64),
            boxes.astype(np.float32),
            np.full(n, 0.9, np.float32),
            here if crops else np.full(n, -1),
            np.stack([people.crop(i) for i in here]) if crops else np.zeros((0, DIMENSION), np.float32),
            (70 * side + 20, 200 * side + 20),
        )


def test_two_thousand_in_one_frame_are_all_named_within_seconds_and_no_two_alike():
    n = 2000
    core = resolver(capacity=3000)
    for seen in crowd(n, 16, People(1), every=4):
        decisions = core.resolve([seen])
        assert one_to_one(core._base.topology, decisions)
    assert len({d.identity for d in decisions}) == n
    assert all(isinstance(d.identity, int) for d in decisions)


def test_no_two_are_alike_in_a_crowd_that_flickers():
    """More people ask in every moment than are answered, and those who come back may find their identity taken."""
    core = resolver(capacity=3000)
    batches = ([seen] for seen in crowd(400, 24, People(2, noise=0.4), every=2))
    for batch in flickering(batches, 3, 0.15):
        assert one_to_one(core._base.topology, core.resolve(batch))


def test_who_shares_an_identity_is_asked_first_whatever_the_crowd():
    """A lost track returns beside the one that has taken up its identity, in the moment in which hundreds arrive."""
    core, people = resolver(capacity=3000), People(4, noise=0.05)
    for step, seen in enumerate(crowd(400, 34, people)):
        seen.embeddings[1] = people.crop(0)  # the second one is the first one again
        here = [0] if step < 15 else [1] if step < 30 else range(400)
        decisions = core.resolve([rows_of(seen, np.array(here))])
        assert one_to_one(core._base.topology, decisions), step
        if step in (14, 29):
            assert decisions[0].identity == 1


def told(core: Resolver, batches) -> tuple[list[dict[tuple[str, int], Decision]], list[IdentityEvent]]:
    said = [{(d.camera, d.track_id): d for d in core.resolve(batch)} for batch in batches]
    return said, core.take_events()


def closer(batch: Sequence[Sightings]) -> list[Sightings]:
    """The same people, who now cover one another."""
    return [replace(seen, boxes=seen.boxes * np.array([0.4, 1, 1, 1], np.float32)) for seen in batch]


def shuffled(batch: Sequence[Sightings], rng: np.random.Generator) -> list[Sightings]:
    """Another order of frames, of rows and of embeddings."""
    return [rows_of(batch[i], rng.permutation(len(batch[i]))) for i in rng.permutation(len(batch))]


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), noise=st.sampled_from([0.1, 0.4]), share=st.sampled_from([0.0, 0.1]))
def test_the_order_within_a_batch_does_not_matter(seed, noise, share):
    """The same words, ids included: what is new is taken in by camera and track id, not as it stands in the batch."""
    scene = walk_about(6, CAMERAS, rounds=3, seed=seed)
    batches = list(flickering(map(closer, frames(scene, People(seed, noise))), seed, share))
    rng = np.random.default_rng(seed)
    answers = told(resolver([("hall", "till")]), batches)
    assert told(resolver([("hall", "till")]), [shuffled(batch, rng) for batch in batches]) == answers


def resolves_to(events: Sequence[IdentityEvent]) -> dict[int, int]:
    """Old id to present id, by the events alone, as a consumer would follow them."""
    present: dict[int, int] = {}
    for event in events:
        if event.kind is EventKind.CREATED:
            assert event.global_id not in present, "an id is given once"
            present[event.global_id] = event.global_id
        elif event.kind is EventKind.MERGED:
            assert present[event.global_id] == event.global_id, "only who is here can be merged"
            assert present[event.other_id] == event.other_id, "into somebody who is here"
            for old, now in present.items():
                if now == event.global_id:
                    present[old] = event.other_id
    return present


def test_every_id_ever_said_leads_to_its_present_one():
    kinds = set()
    for seed, noise in ((0, 0.3), (1, 0.15), (2, 0.3), (3, 0.5)):
        core, events, ids = resolver(), [], set()
        scene = walk_about(8, CAMERAS, rounds=4, seed=seed)
        for batch in flickering(frames(scene, People(seed, noise)), seed, 0.1):
            ids |= {d.identity for d in core.resolve(batch) if isinstance(d.identity, int)}
            told = core.take_events()
            events += told
            if told:
                check_ids(core, events, ids)
        kinds |= {e.kind for e in events}
    # Or it would prove nothing.
    assert {EventKind.MERGED, EventKind.SPLIT} <= kinds


def check_ids(core: Resolver, events: Sequence[IdentityEvent], ids: set[int]) -> None:
    """The events lead every id to one that is held, or is gone; the resolver says the same."""
    present = resolves_to(events)
    gone = {e.global_id for e in events if e.kind is EventKind.EXPIRED}
    assert ids <= set(present)
    assert {old: core.present_id(old) for old in ids} == {
        old: None if present[old] in gone else present[old] for old in ids
    }
    assert len(set(present.values()) - gone) == core.identities
    assert all(e.other_id is None or e.other_id in present for e in events if e.kind is EventKind.SPLIT)


def test_nothing_happens_twice():
    """A batch that comes once more (the same frames at the same times) gives the same answers and no events."""
    core = resolver()
    for batch in frames(walk_about(4, CAMERAS, rounds=2, seed=1), People(1)):
        said = core.resolve(batch)
        core.take_events()
        if batch[0].time_ns % (10 * FRAME_NS) == 0:
            assert [d.global_id for d in core.resolve(batch)] == [d.global_id for d in said]
            assert core.take_events() == []


def sizes(thing: object, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, int]]:
    """How much every container reachable from an object holds, by the way there; what is numbered is summed up."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type)) or callable(thing):
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield path, thing.size
        return
    inner: list[tuple[str, object]] = []
    if isinstance(thing, Mapping):
        yield path, len(thing)
        inner = [("[]", value) for value in thing.values()]
    elif isinstance(thing, (list, tuple, set, frozenset)):
        yield path, len(thing)
        inner = [("[]", value) for value in thing]
    names = [*getattr(thing, "__dict__", ()), *(n for c in type(thing).__mro__ for n in getattr(c, "__slots__", ()))]
    inner += [(f".{name}", getattr(thing, name)) for name in names if hasattr(thing, name)]
    for step, value in inner:
        yield from sizes(value, path + step, seen)


def held(core: Resolver) -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for path, size in sizes(core):
        total[path] += size
    return total


# Long enough that strangers by the thousand are not alike by chance.
LONG = 128
LOOKS_OF_NOBODY = np.zeros((0, LONG), np.float32)


def strangers_pass(core: Resolver, first: int, steps: int, at_once: int = 10) -> None:
    """Nobody ever comes back: everybody is seen in three frames, then somebody else somewhere else."""
    rng = np.random.default_rng(first)
    looks, lefts = rng.standard_normal((3, at_once, LONG)), np.zeros((3, at_once))
    for step in range(first, first + steps):
        batch = []
        for c, camera in enumerate(CAMERAS):
            if (step + c) % 3 == 0:
                looks[c], lefts[c] = rng.standard_normal((at_once, LONG)), rng.permutation(60)[:at_once] * 64 + 10
            vectors = looks[c] + 0.05 * rng.standard_normal((at_once, LONG))
            batch.append(
                Sightings(
                    camera,
                    step * FRAME_NS,
                    np.arange(at_once) + at_once * ((step + c) // 3),
                    np.stack([lefts[c], 0 * lefts[c] + 60, 0 * lefts[c] + 60, 0 * lefts[c] + 180], 1).astype(
                        np.float32
                    ),
                    np.full(at_once, 0.9, np.float32),
                    np.arange(at_once),
                    vectors.astype(np.float32),
                    (3860, 360),
                )
            )
        core.resolve(batch)
        core.take_events()


@pytest.mark.parametrize("policy", [{"capacity": 150}, {"capacity": 1000, "retention_s": 4.0}])
def test_thousands_who_never_come_back_leave_nothing_behind(policy):
    """Every container of the engine, found by walking through its attributes, holds no more in the end than midway."""
    quick = Tuning(min_crops=1, decide_after_s=0.1, patience_s=1.0)
    core = Resolver(Topology(CAMERAS), Policy(**policy), quick)
    strangers_pass(core, 0, 100)
    midway = held(core)
    strangers_pass(core, 100, 110)
    late = held(core)
    assert core.counts["created"] > 1500
    assert core.identities <= policy["capacity"]
    grown = {
        path: (midway[path], size)
        for path, size in late.items()
        if size > max(1.25 * midway[path] + 64, room(path, policy["capacity"]))
    }
    assert grown == {}


def test_people_without_embeddings_leave_nothing_behind():
    """An embedder that gives nothing: pairs walk by who lie over one another, and nobody ever judges them."""
    core = Resolver(Topology(CAMERAS), Policy(), Tuning(patience_s=1.0))
    boxes = np.array([[100, 60, 60, 180], [110, 60, 60, 180]], np.float32)
    sizes = []
    for step in range(400):
        ids, none = np.array([0, 1]) + 2 * (step // 3), np.full(2, -1)
        core.resolve(
            [
                Sightings(
                    CAMERAS[0], step * FRAME_NS, ids, boxes, np.ones(2, np.float32), none, LOOKS_OF_NOBODY, (640, 360)
                )
            ]
        )
        if step in (150, 399):
            sizes.append(held(core))
    assert {path: size for path, size in sizes[1].items() if size > sizes[0].get(path, 0)} == {}


def room(path: str, capacity: int) -> int:
    """What has a bound of its own may grow up to it: lessons not yet put together, the search's pages, old ids."""
    if path.endswith(("_tracklets", "_residuals")):
        return FOLD
    if ".crossings._past" in path:
        return 4 * MOST_PAST
    if "_segments" in path:
        return 4 * capacity * (LONG if "vectors" in path else 1)
    return MOST_ALIASES if ".aliases" in path else 0
