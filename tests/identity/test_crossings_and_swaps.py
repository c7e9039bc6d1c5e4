"""What trackers confuse where people cross, or where one steps in for another, and how it is put right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import savant_reid.identity.crossings as crossings_module
from savant_reid.identity.aliases import Aliases
from savant_reid.identity.crossings import APART_NS, FORGET_NS, GAP_NS, WAIT_NS, Crossings, close_together
from savant_reid.identity.live import LiveTracks
from savant_reid.identity.overlaps import find_overlaps
from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.topology import Topology
from savant_reid.identity.types import EventKind
from tests.identity.scenes import People, sightings, visits
from tests.identity.walkers import Walker, film

S = 1_000_000_000


class Watch:
    """Crossings of the first camera, fed with left edges by track id; boxes are 60 x 180."""

    def __init__(self) -> None:
        self.clock = SiteClock()
        self.live = LiveTracks(1, self.clock)
        self.crossings = Crossings(self.live)

    def see(self, at_ns: int, **lefts: float) -> None:
        seen = sightings("door", at_ns, visits(*[(0, "door", 0, 9)] * len(lefts)), None)
        boxes = np.array([[left, 60, 60, 180] for left in lefts.values()], np.float32)
        ids = np.array([ord(name) for name in lefts], np.int64)
        batch = [replace(seen, boxes=boxes, track_ids=ids)]
        rows = self.live.observe(batch, [0], self.clock.read([(0, at_ns)]))
        self.crossings.observe(close_together(self.live, rows, find_overlaps(rows.boxes, rows.frame_of)))

    def of(self, name: str):
        return next(t for t in self.live if t.track_id == ord(name))


def test_a_crossing_lasts_from_the_first_to_the_last_overlap():
    watch = Watch()
    watch.see(-S, a=100, b=200)
    for at, left in enumerate([200, 145, 120, 110, 150, 300]):  # 15, 40, 50 and 10 of 60 pixels in common
        watch.see(at * S // 10, a=100, b=left)
    [crossing] = watch.crossings
    assert (crossing.start_ns, crossing.last_ns, crossing.exchanged_ns) == (S // 5, 3 * S // 10, S // 4)
    assert not crossing.is_birth
    assert (crossing.a, crossing.b) == (watch.of("a"), watch.of("b"))
    assert watch.crossings.involved() == {watch.of("a"), watch.of("b")}


def test_where_a_track_begins_the_other_may_have_gone_over_to_somebody_a_moment_before():
    watch = Watch()
    watch.see(0, a=100)
    watch.see(S, a=100, b=110)
    watch.see(2 * S, a=100, b=110)
    [crossing] = watch.crossings
    assert crossing.is_birth
    assert crossing.exchanged_ns == S - APART_NS


def test_whose_identity_was_only_merged_since_is_nobody_else():
    watch, aliases = Watch(), Aliases()
    watch.see(0, a=100)
    watch.of("a").global_id = 7
    watch.see(S, a=100, b=110)
    [crossing] = watch.crossings
    assert not crossing.is_answered(aliases)
    watch.of("a").global_id = 3
    assert crossing.is_answered(aliases)
    aliases.merged(7, 3)
    assert not crossing.is_answered(aliases)


def test_it_is_over_when_they_have_been_apart_and_both_are_looked_at_once_more():
    watch = Watch()
    watch.see(0, a=100, b=110)
    for name in "ab":
        watch.live.hungry_ns[watch.of(name).slot] = 9 * S
    assert watch.crossings.due(APART_NS) == []
    [crossing] = watch.crossings.due(APART_NS + 1)
    assert watch.live.hungry_ns[[crossing.a.slot, crossing.b.slot]].tolist() == [0, 0]
    watch.live.hungry_ns[crossing.a.slot] = 9 * S
    crossing.a.crops += 1
    assert watch.crossings.due(APART_NS + 2) == [crossing]
    assert watch.live.hungry_ns[crossing.a.slot] == 9 * S  # asked for once only
    watch.crossings.close(crossing)
    watch.crossings.close(crossing)
    assert list(watch.crossings) == []
    assert watch.crossings.involved() == set()


def test_who_meets_again_crosses_anew():
    watch = Watch()
    watch.see(0, a=100, b=110)
    [crossing] = watch.crossings.due(S)
    watch.see(2 * S, a=100, b=110)
    [again] = watch.crossings
    assert again is not crossing
    assert again.start_ns == 2 * S


def test_it_is_judged_again_when_there_is_more_to_go_by():
    watch = Watch()
    watch.see(0, a=100, b=110, c=400, d=410)
    assert [crossing.serials for crossing in watch.crossings.due(S)] == [(1, 2), (3, 4)]
    assert watch.crossings.due(S) == []
    watch.of("b").crops += 1
    assert [crossing.serials for crossing in watch.crossings.due(S)] == [(1, 2)]
    watch.live.lose(watch.of("c"))
    assert [crossing.serials for crossing in watch.crossings.due(S)] == [(3, 4)]
    assert len(watch.crossings.due(WAIT_NS + 1)) == 2


def test_what_nobody_judges_is_forgotten():
    watch = Watch()
    watch.see(0, a=100, b=110)
    watch.crossings.due(FORGET_NS)
    assert len(list(watch.crossings)) == 1
    watch.crossings.due(FORGET_NS + 1)
    assert list(watch.crossings) == []


def test_for_how_long_two_lay_over_one_another(monkeypatch):
    monkeypatch.setattr(crossings_module, "MOST_PAST", 1)
    watch = Watch()
    for step in range(6):
        watch.see(step * S // 10, a=100, b=110, c=400, d=410)
    a, b, c, d = (watch.of(name).serial for name in "abcd")
    lain_ns = watch.crossings.lain_ns
    assert lain_ns(a, b) == lain_ns(b, a) == lain_ns(c, d) == S // 2
    assert lain_ns(a, c) == 0
    first, second = watch.crossings.due(S)
    assert lain_ns(a, b) == S // 2  # while it is not judged
    watch.crossings.close(first)
    assert lain_ns(a, b) == S // 2  # and afterwards
    watch.crossings.close(second)
    assert (lain_ns(a, b), lain_ns(c, d)) == (0, S // 2)  # the oldest pair goes
    watch.see(2 * S, a=100, b=110, c=400, d=410)
    assert (lain_ns(a, b), lain_ns(c, d)) == (0, S // 2 + GAP_NS)


def test_when_both_tracks_have_ended_there_is_nothing_to_put_right():
    watch = Watch()
    watch.see(0, a=100, b=110)
    for tracklet in list(watch.live):
        watch.live.end(tracklet)
    assert watch.crossings.due(S) == []
    assert list(watch.crossings) == []


def test_a_row_that_repeats_a_track_crosses_nobody():
    watch = Watch()
    seen = sightings("door", 0, visits((0, "door", 0, 9), (0, "door", 0, 9)), None)
    twice = replace(seen, track_ids=np.array([7, 7]), boxes=np.array([[0, 0, 60, 180]] * 2, np.float32))
    rows = watch.live.observe([twice], [0], watch.clock.read([(0, 0)]))
    watch.crossings.observe(close_together(watch.live, rows, find_overlaps(rows.boxes, rows.frame_of)))
    assert list(watch.crossings) == []


def played(walkers, seed: int, seconds: float, noise: float = 0.08, **tuning: bool):
    """Answers by frame and track, events, and the resolver."""
    core = Resolver(Topology(["door"]), Policy(capacity=50), Tuning(**tuning))
    said, events = [], []
    for batch in film(walkers, People(seed, noise), seconds):
        said.append({d.track_id: d.global_id for d in core.resolve(batch)})
        events += core.take_events()
    return said, events, core


def passing(swap_s: float | None, depth: float = 20.0) -> list[Walker]:
    """Two walk towards each other and meet in the middle at 8 s; the tracker may exchange them from swap_s on."""
    exchange = ((swap_s, 2),) if swap_s else ()
    return [
        Walker(1, 0, 16, 20, 560, ((0, 1), *exchange)),
        Walker(2, 0, 16, 560, 20, ((0, 2), *((since, 1) for since, _ in exchange)), depth),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_two_who_were_exchanged_where_they_crossed_get_their_identities_back(seed):
    said, events, core = played(passing(8.0), seed, 16)
    before, after = said[60], said[-1]
    assert before[1] != before[2]
    assert (after[1], after[2]) == (before[2], before[1])
    assert core.cuts == 1
    splits = {e.track_id: e for e in events if e.kind is EventKind.SPLIT}
    assert {(t, e.global_id, e.other_id) for t, e in splits.items()} == {
        (1, before[1], before[2]),
        (2, before[2], before[1]),
    }
    assert all(6.5 * S < e.since_ns < 9.5 * S for e in splits.values())
    assert sum(e.kind is EventKind.CREATED for e in events) == 2


def test_no_false_swap_where_two_cross_and_go_on():
    wrong = []
    for seed in range(30):
        said, events, core = played(passing(None), seed, 16, noise=0.15)
        identities = [{answers[t] for answers in said[40:] if t in answers} for t in (1, 2)]
        if core.cuts or any(len(i) > 1 for i in identities) or any(e.kind is EventKind.SPLIT for e in events):
            wrong.append(seed)
    assert wrong == []


def test_without_looking_for_swaps_the_exchange_is_believed():
    """What the part is good for: the same scene without it."""
    _, _, core = played(passing(8.0), 1, 16, swaps=False)
    assert core.cuts == 0


def taking_over() -> list[Walker]:
    """Person 2 was here before. Person 1's track goes over to person 2, who comes by, and person 1 leaves unseen."""
    return [
        Walker(2, 0, 6, 500, 560, ((0, 5),)),
        Walker(1, 2, 15, 100, 250, ((0, 1),)),
        Walker(2, 15, 30, 255, 400, ((0, 1),)),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_a_track_that_goes_over_to_somebody_without_one_is_cut(seed):
    said, events, core = played(taking_over(), seed, 30)
    first, known = said[100][1], said[50][5]
    assert core.cuts == 1
    assert said[-1][1] == known != first
    [split] = [e for e in events if e.kind is EventKind.SPLIT]
    assert (split.track_id, split.global_id, split.other_id) == (1, first, known)
    assert 14 * S < split.since_ns < 17 * S
    assert core.identities == 2


def test_a_track_that_goes_over_to_somebody_unknown_makes_a_new_identity():
    walkers = [Walker(1, 0, 10, 100, 250, ((0, 1),)), Walker(9, 10, 24, 255, 400, ((0, 1),))]
    said, events, core = played(walkers, 3, 24)
    assert core.cuts == 1
    assert said[-1][1] not in (said[80][1], -1)
    assert [e.kind for e in events if e.kind is not EventKind.CONFIRMED] == [
        EventKind.CREATED,
        EventKind.CREATED,
        EventKind.SPLIT,
    ]


def test_a_swap_with_somebody_who_is_lost_at_once_is_put_right():
    """After the exchange one of the two tracks ends: the identity that is left is the right one."""
    one, two = passing(8.0)
    said, _, core = played([one, replace(two, end_s=9.0, x1=530 - 9 * 33.75)], 2, 16)
    assert core.cuts == 1
    assert said[-1][2] == said[60][1]


@pytest.mark.parametrize("seed", range(4))
def test_a_track_that_goes_over_to_somebody_who_is_seen_less_well_is_cut(seed):
    """Crops of the smaller one are all poorer than those there are already; two of them must be kept to tell."""
    *before, small = taking_over()
    said, _, core = played([*before, replace(small, height=95.0)], seed, 30)
    assert core.cuts == 1
    assert said[-1][1] == said[50][5] != said[100][1]


def taken_away(until_s: float, back_s: float | None = None, from_s: float = 7.7) -> list[Walker]:
    """Person 1, who was here before, comes back at from_s, and this young track goes over to person 2, who comes out
    from behind; person 1 goes on on a new one. Person 2 is seen until a moment, and once more from back_s on."""
    return [
        Walker(1, 0, 4, 20, 150, ((0, 7),)),
        Walker(1, from_s, 8, 290 - 33.75 * (8 - from_s), 290, ((0, 1),)),
        Walker(1, 8.2, 18, 297, 560, ((0, 2),), 10.0),
        Walker(2, 8, until_s, 285, 285 - 33.75 * (until_s - 8), ((0, 1),)),
        *([Walker(2, back_s, 18, 180, 20, ((0, 1),))] if back_s else []),
    ]


@pytest.mark.parametrize(("from_s", "until_s"), [(7.0, 8.9), (7.7, 8.9), (7.7, 16)])
@pytest.mark.parametrize("seed", range(6))
def test_whose_track_is_taken_away_goes_on_on_the_one_that_begins_there(seed, from_s, until_s):
    """Else they would be two identities of one person, seen at once."""
    said, _, core = played(taken_away(until_s, from_s=from_s), seed, 18)
    assert {answers[2] for answers in said[110:]} == {said[30][7]}
    assert core.identities <= 2


@pytest.mark.parametrize("seed", range(6))
def test_who_took_a_track_away_and_was_lost_at_once_is_somebody_new_when_seen_again(seed):
    said, _, _ = played(taken_away(8.5, back_s=11.5), seed, 18)
    assert {answers[2] for answers in said[110:]} == {said[30][7]}
    assert said[-1][1] not in (said[30][7], -1)


def test_a_track_taken_away_changes_hands_when_it_was_taken():
    said, events, core = played(taken_away(16), 0, 15)
    assert core.cuts == 1
    [split] = [e for e in events if e.kind is EventKind.SPLIT]
    assert (split.track_id, split.global_id, split.other_id) == (1, said[30][7], said[-1][1])
    assert split.since_ns == 82 * S // 10 - APART_NS


@pytest.mark.parametrize("seed", range(4))
def test_a_second_box_on_somebody_takes_nobody_s_track_away(seed):
    walker = Walker(1, 0, 16, 20, 560, ((0, 1),), 10.0)
    double = Walker(1, 8, 11, 290, 391.25, ((0, 2),))
    said, _, core = played([walker, double], seed, 16)
    assert core.cuts == 0
    assert said[-1][1] == said[60][1]
