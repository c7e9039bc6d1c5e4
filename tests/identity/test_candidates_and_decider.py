"""What speaks for whom, and who gets whom: odds by hand, assignments against every possible one."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savant_reid.identity.candidates import Candidate
from savant_reid.identity.finder import HERE_RATE
from savant_reid.identity.lookup import MOST_CANDIDATES
from savant_reid.identity.motion import reappearance_nats
from savant_reid.identity.options import Options, columns_of, once_each, ranked
from savant_reid.identity.policy import Tuning
from savant_reid.identity.settling import MOST_JOINT
from tests.identity.engines import AREA, BOX, S, Site

X, Y, BETWEEN = (1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 0, 0)


def candidate(global_id: int, log: float, nats: float = 5.0) -> Candidate:
    return Candidate(global_id, log, nats, log - nats)


def options_of(found, newcomer_log: float = 0.0, alone: int = 0, tracklets=(None,)) -> Options:
    """Possible answers of each tracklet, as a test says."""
    rows = [(at, c.global_id, c.log, c.nats, c.arrival_log, -1, 0.0) for at, mine in enumerate(found) for c in mine]
    logs, own = np.full(len(found), newcomer_log), np.full(len(found), alone)
    return Options(list(tracklets), logs, own, ranked(columns_of(rows)))


def shares_of(options: Options) -> dict[int, float]:
    """Probability of each identity that the only one who is asked about may have; 0: a newcomer."""
    known, new = options.probabilities()
    return {0: new[0], **dict(zip(options.known.global_ids.tolist(), known.tolist(), strict=True))}


def test_probabilities_are_shares_of_rates():
    options = options_of([[candidate(4, math.log(6)), candidate(5, math.log(3))]], math.log(1))
    assert shares_of(options) == pytest.approx({4: 0.6, 5: 0.3, 0: 0.1})
    assert options.odds == pytest.approx([math.log(6), math.log(3)])
    left = options.but([True, False])
    assert shares_of(left) == pytest.approx({5: 0.75, 0: 0.25})
    assert [(w.global_id, w.probability) for w in options.considered(*options.probabilities())[0].walks()] == [
        (4, pytest.approx(0.6)),
        (5, pytest.approx(0.3)),
        (0, pytest.approx(0.1)),
    ]


def test_to_be_who_only_oneself_has_shaped_is_to_be_a_newcomer():
    options = options_of([[candidate(4, math.log(50)), candidate(5, math.log(3))]], math.log(1), alone=4)
    assert shares_of(options) == pytest.approx({4: 0.25, 0: 0.25, 5: 0.75})
    assert [w.global_id for w in options.considered(*options.probabilities())[0].walks()] == [5, 0]


@settings(max_examples=30)
@given(st.lists(st.floats(-700, 700), max_size=6), st.floats(-700, 700))
def test_probabilities_add_up_however_far_apart(logs, newcomer_log):
    shares = shares_of(options_of([[candidate(i, log) for i, log in enumerate(logs, start=1)]], newcomer_log))
    assert sum(shares.values()) == pytest.approx(1.0)
    assert all(0.0 <= share <= 1.0 for share in shares.values())


def test_each_identity_counts_once_with_the_best_that_speaks_for_it():
    logs = {4: [1.0, 3.0], 5: [2.0], 6: [2.0]}
    rows = [(who, i, log, 0.0, log, -1, 0.0) for who in (0, 1) for i in (6, 5, 4) for log in logs[i]]
    best = ranked(once_each(columns_of(rows)))
    assert (best.asked.tolist(), best.global_ids.tolist()) == ([0, 0, 0, 1, 1, 1], [4, 5, 6, 4, 5, 6])
    assert best.logs.tolist() == [3.0, 2.0, 2.0] * 2
    assert once_each(columns_of([])).logs.tolist() == []


class Mine(NamedTuple):
    """What is found for one tracklet."""

    found: list[Candidate]
    newcomer_log: float
    alone: int


def find(site: Site, *tracklets) -> list[Mine]:
    options = site.engine.decider._finder.find(tracklets, dict.fromkeys(range(9), AREA))
    candidates = options.candidates(np.arange(len(options.known.asked)))
    found = [candidates[a:b] for a, b in itertools.pairwise(options.ends)]
    return [Mine(*mine) for mine in zip(found, options.newcomer_logs, options.alone, strict=True)]


def rate_log(site: Site, start: str, end: str, gap_s: float) -> float:
    a, b = site.topology.index[start], site.topology.index[end]
    return math.log(site.core.transits.rates(np.array([a]), b, np.array([gap_s]))[0])


def test_a_candidate_is_its_look_and_its_walk():
    site = Site()
    site.known(1, "a", 0, 10, X)
    site.known(2, "b", 0, 25, BETWEEN)
    [candidates] = find(site, site.appears("c", 7, 30, X))
    nats = site.engine.scores.nats(np.array([1.0, math.sqrt(0.5)]), 2).tolist()
    assert [(c.global_id, c.arrival.gap_s) for c in candidates.found] == [(1, 20.0), (2, 5.0)]
    for got, similar, (start, gap_s) in zip(candidates.found, nats, [("a", 20), ("b", 5)], strict=True):
        assert got.nats == pytest.approx(similar)
        assert got.arrival_log == pytest.approx(rate_log(site, start, "c", gap_s))
        assert got.log == pytest.approx(similar + rate_log(site, start, "c", gap_s))
    assert candidates.newcomer_log == pytest.approx(math.log(site.core.transits.newcomer_rate(2)))


def test_the_fewer_crops_the_less_a_look_is_worth():
    site = Site()
    site.known(1, "a", 0, 10, X)
    worth = [find(site, site.appears("c", n, 30, X, crops=n))[0].found[0].nats for n in (1, 3, 9)]
    assert worth == [float(site.engine.scores.nats(np.array(1.0), bucket)) for bucket in range(3)]


def test_who_was_seen_elsewhere_later_cannot_be_the_one_who_appears():
    """But for a moment, by which the clocks of two cameras differ; and where both cameras see the same floor."""
    site = Site(overlaps=[("a", "c")])
    for global_id, camera, last_s in ((1, "b", 30.2), (2, "b", 30.5), (3, "a", 33.0)):
        site.known(global_id, camera, 0, last_s, X)
    [candidates] = find(site, site.appears("c", 7, 30, X))
    assert {c.global_id for c in candidates.found} == {1, 3}


def test_only_the_best_of_many_are_looked_at_closely():
    site = Site("abcd")
    for global_id in range(1, 41):
        site.known(global_id, "abcd"[global_id % 4], 0, 10, (1, 0.001 * global_id, 0, 0))
    [candidates] = find(site, site.appears("a", 7, 30, X))
    assert len(candidates.found) == MOST_CANDIDATES
    assert [c.log for c in candidates.found] == sorted((c.log for c in candidates.found), reverse=True)


def lost(site: Site, tracklet) -> None:
    site.live.lose(tracklet)
    site.engine.answers.lose(tracklet)


def place_nats(gap_s: float) -> float:
    """For appearing where somebody was lost."""
    box = np.array([BOX])
    [nats] = reappearance_nats(box, np.zeros((1, 2)), box, np.array([gap_s]), np.array([AREA]))
    return float(nats)


def test_who_was_lost_where_somebody_appears_is_favoured_by_the_place():
    site = Site()
    site.gallery.create(1, 0, 0)
    lost(site, site.holds(site.appears("a", 7, 10, X), 1))
    [candidates] = find(site, site.appears("a", 8, 11, X))
    assert candidates.found[0].arrival_log == pytest.approx(rate_log(site, "a", "a", 1.0) + place_nats(1.0))
    blind = Site(tuning=Tuning(motion=False))
    blind.gallery.create(1, 0, 0)
    lost(blind, blind.holds(blind.appears("a", 7, 10, X), 1))
    [candidates] = find(blind, blind.appears("a", 8, 11, X))
    assert candidates.found[0].arrival_log == pytest.approx(rate_log(blind, "a", "a", 1.0))


def test_without_a_look_the_place_alone_tells():
    site = Site()
    site.gallery.create(1, 0, 0)
    site.known(2, "a", 0, 9, Y)
    lost(site, site.holds(site.appears("a", 7, 10, X), 1))
    after = site.appears("a", 8, 10.5, None, crops=0)
    [candidates] = find(site, after)
    [only] = candidates.found
    assert (only.global_id, only.nats) == (1, 0.0)
    assert only.log == pytest.approx(rate_log(site, "a", "a", 0.5) + place_nats(0.5))
    site.gallery.remove(site.gallery.row_of(1))
    assert find(site, after)[0].found == []


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_tracks_of_one_identity_the_place_of_the_latest_counts(order):
    site = Site()
    site.gallery.create(1, 0, 0)
    early, late = [site.holds(site.appears("a", track_id, 9, X), 1) for track_id in (6, 7)][::order]
    site.live.box[early.slot], site.live.last_ns[late.slot] = (500, 50, 60, 180), 10 * S
    for tracklet in (early, late):
        lost(site, tracklet)
    [candidates] = find(site, site.appears("a", 8, 10.5, None, crops=0))
    assert candidates.found[0].log == pytest.approx(rate_log(site, "a", "a", 0.5) + place_nats(0.5))


def test_its_own_identity_is_as_likely_as_its_walk_and_the_looks_of_others():
    site = Site()
    site.known(1, "a", 0, 10, BETWEEN)
    [candidates] = find(site, site.holds(site.appears("b", 7, 30, X), 1, arrival_log=-3.5))
    [own] = candidates.found
    similar = float(site.engine.scores.nats(np.array(math.sqrt(0.5)), 2))
    assert own.log == pytest.approx(similar - 3.5)
    assert candidates.alone == 0


def test_an_identity_that_nobody_else_has_shaped_is_worth_its_walk_only():
    site = Site()
    site.gallery.create(1, 0, 0)
    [candidates] = find(site, site.holds(site.appears("a", 7, 1, X), 1, arrival_log=-2.0))
    assert (candidates.alone, candidates.found[0].log, candidates.found[0].nats) == (1, -2.0, 0.0)


def test_who_stands_before_an_overlapping_camera_may_be_here_too():
    site = Site(overlaps=[("a", "b")])
    site.gallery.create(1, 0, 0)
    site.holds(site.appears("a", 7, 10, X), 1)
    here = site.appears("b", 8, 11, BETWEEN)
    [candidates] = find(site, here)
    [only] = candidates.found
    assert (only.global_id, only.arrival.camera, only.arrival.gap_s) == (1, 0, 0.0)
    assert only.log == pytest.approx(float(site.engine.scores.nats(np.array(math.sqrt(0.5)), 2)) + math.log(HERE_RATE))
    assert find(site, site.holds(here, 1))[0].found[0].log == pytest.approx(-3.0)  # its own identity is no news


def ask(site: Site, margin: float) -> None:
    """So many log-odds are asked of a known identity."""
    decider = site.engine.decider
    getattr(decider, "_acceptance", decider).margin = margin


class Told:
    """Stands in for the finder: candidates as a test says."""

    def __init__(self, candidates) -> None:
        self._candidates = candidates

    def find(self, tracklets, areas):
        assert areas[0] == AREA
        return options_of([self._candidates[tracklet] for tracklet in tracklets], tracklets=tracklets)


def told(site: Site, odds: np.ndarray, own: list[int], margin: float = 0.0) -> dict:
    """(tracklets, identities) log-odds against a newcomer; who is which identity now (0: none)."""
    ask(site, margin)
    candidates = {}
    for row, global_id in enumerate(own):
        tracklet = site.appears("a", row, 1.0 + row, X)
        tracklet.global_id = global_id
        candidates[tracklet] = [candidate(i + 1, float(log)) for i, log in enumerate(odds[row])]
    site.engine.decider._finder = Told(candidates)
    return candidates


def decide(site: Site, candidates) -> list[int]:
    verdicts = site.engine.decider.decide(list(candidates), {0: AREA, 1: AREA})
    assert [v.tracklet for v in verdicts] == list(candidates)
    return [v.answer.global_id if v.answer else 0 for v in verdicts]


def values(odds: np.ndarray, own: list[int], margin: float) -> np.ndarray:
    """What each answer is worth: odds beyond the margin, or of one's own identity, which sticks; else it is none."""
    mine = np.arange(1, odds.shape[1] + 1) == np.array(own)[:, None]
    return np.where(mine, odds + Tuning().stickiness, np.where(odds > margin, odds - margin, -1e9))


def best_total(value: np.ndarray) -> float:
    """Every way to give each tracklet an identity of its own, or none."""
    n, m = value.shape
    return max(
        sum(value[row, at] for row, at in enumerate(way) if at >= 0)
        for way in itertools.product(range(-1, m), repeat=n)
        if len({at for at in way if at >= 0}) == sum(at >= 0 for at in way)
    )


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 4), m=st.integers(1, 4), margin=st.sampled_from([0.0, 0.5, 3.0]))
def test_everybody_gets_one_of_their_own_so_that_the_sum_is_greatest(seed, n, m, margin):
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 4, (n, m)).round(2)
    own = [0] * n if margin else [int(i) for i in rng.permutation([*range(1, m + 1), *[0] * n])[:n]]
    site = Site()
    answers = decide(site, told(site, odds, own, margin))
    named = [answer for answer in answers if answer]
    assert len(set(named)) == len(named)
    value = values(odds, own, margin)
    assert sum(value[row, a - 1] for row, a in enumerate(answers) if a) == pytest.approx(best_total(value))


def test_a_crowd_that_competes_is_settled_best_answers_first():
    rng = np.random.default_rng(5)
    n = MOST_JOINT + 20
    odds = rng.normal(0, 4, (n, 30)).round(6)
    site = Site()
    answers = decide(site, told(site, odds, [0] * n))
    named = [answer for answer in answers if answer]
    assert len(set(named)) == len(named) == 30
    # The oracle: the highest of all, then the highest of what is left …
    left, expected = odds.copy(), [0] * n
    while left.max() > 0:
        row, at = divmod(int(left.argmax()), 30)
        expected[row] = at + 1
        left[row], left[:, at] = -1, -1
    assert answers == expected


def test_what_others_are_cannot_be_said_of_this_one():
    """Both look like 1; it goes to the first. For the second 2 and a newcomer are left, and the odds say so."""
    odds = np.array([[6.0, -9.0], [5.0, math.log(4)]])
    site = Site()
    first, second = site.engine.decider.decide(list(told(site, odds, [0, 0])), {0: AREA})
    assert (first.answer.global_id, second.answer.global_id) == (1, 2)
    assert first.runner_up is None  # 2 is the other one
    assert first.probability == pytest.approx(math.exp(6) / (math.exp(6) + 1), abs=1e-4)
    assert second.probability == pytest.approx(0.8)
    assert second.runner_up is None


def test_who_is_on_screen_keeps_an_identity_that_is_only_weakly_claimed():
    site = Site()
    holder = site.holds(site.appears("a", 50, 0.5, X), 1)
    weak, strong = site.appears("b", 51, 2, X), site.appears("b", 52, 3, X)
    ask(site, 0.0)
    mine = [candidate(1, 4.0)]
    site.engine.decider._finder = Told({holder: mine, weak: [candidate(1, 0.5)]})
    [verdict] = site.engine.decider.decide([weak], {0: AREA, 1: AREA})
    assert verdict.answer is None
    # A strong claim draws the holder in: both are weighed, and the better one has it.
    site.engine.decider._finder = Told({holder: mine, strong: [candidate(1, 9.0)]})
    claimant, drawn_in = site.engine.decider.decide([strong], {0: AREA, 1: AREA})
    assert (claimant.tracklet, claimant.answer.global_id) == (strong, 1)
    assert (drawn_in.tracklet, drawn_in.answer) == (holder, None)


def test_one_person_before_two_overlapping_cameras():
    site = Site(overlaps=[("a", "b")])
    one, other = site.appears("a", 7, 1, X), site.appears("b", 8, 1, X)
    third = site.appears("b", 9, 1, Y)
    same = [candidate(1, 5.0)]
    site.engine.decider._finder = Told({one: same, other: same, third: [candidate(1, 4.0)]})
    verdicts = site.engine.decider.decide([one, other, third], {0: AREA, 1: AREA})
    assert [v.answer.global_id if v.answer else 0 for v in verdicts] == [1, 1, 0]


def test_the_own_identity_sticks():
    """Slightly better odds elsewhere do not flip a label (1.5 is the difference); clearly better ones do."""
    for better, expected in ((1.0, 1), (2.0, 2)):
        site = Site()
        assert decide(site, told(site, np.array([[3.0, 3.0 + better]]), [1])) == [expected]
