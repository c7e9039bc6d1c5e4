"""Rates of turning up: against plain loops, hand-made walks, and what physics allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savant_reid.identity.topology import Topology, Window
from savant_reid.identity.transits import BINS, LEAST_SHARE, Transits

CAMERAS = ["a", "b", "c"]
S = 1_000_000_000


def transits(windows: dict[tuple[str, str], Window] | None = None, **how: bool) -> Transits:
    return Transits(Topology(CAMERAS, windows), **how)


def put_to_use(known: Transits) -> None:
    known._due = 0.0
    known.tick(known._last_ns or 0)


def rate(known: Transits, start: int, end: int, gap_s: float) -> float:
    return float(known.rates(np.array([start]), end, np.array([gap_s]))[0])


def turned_up(known: Transits, start: int) -> np.ndarray:
    """(n,) shares of those who left `start` that end up at each camera, by living through the rates bin by bin."""
    here, shares = 1.0, np.zeros(len(CAMERAS))
    begin = 0.0
    for edge in known.edges_s.tolist():
        rates = np.array([rate(known, start, end, 0.5 * (begin + edge)) for end in range(len(CAMERAS))])
        arrive = here * -np.expm1(-rates.sum() * (edge - begin))
        shares += arrive * rates / rates.sum()
        here, begin = here - arrive, edge
    return shares


WALKS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0.1, 5000)), max_size=60)


@settings(max_examples=15)
@given(walks=WALKS)
def test_who_lives_through_the_rates_ends_up_as_the_shares_say(walks):
    known = transits({("a", "b"): Window(5, 20)})
    for start, end, gap_s in walks:
        known.departure(start)
        known.departure(start)  # as many leave the site
        known.walk(start, end, gap_s, 1.0)
    put_to_use(known)
    for start in range(3):
        np.testing.assert_allclose(turned_up(known, start), known.shares()[start], rtol=0.1)


@settings(max_examples=15)
@given(walks=WALKS)
def test_nothing_is_ever_impossible(walks):
    known = transits({("a", "b"): Window(5, 6), ("b", "a"): Window(0, 0)})
    for start, end, gap_s in walks * 10:
        known.departure(start)
        known.walk(start, end, gap_s, 1.0)
    put_to_use(known)
    gaps = np.array([-3.0, 0.0, 0.05, 1.0, 7.0, 100.0, 86400.0, 1e7])
    for end in range(3):
        assert known.possible_from([end]).tolist() == [0, 1, 2]
        for start in range(3):
            rates = known.rates(np.full(len(gaps), start), end, gaps)
            assert (rates > 0).all()
            assert np.isfinite(rates).all()
    assert (known.shares() >= LEAST_SHARE).all()


def test_densities_are_densities():
    known = transits({("a", "b"): Window(2, 40)})
    known.walk(0, 2, 12.0, 0.5)
    widths = np.diff([0.0, *known.edges_s])
    np.testing.assert_allclose((known.densities() * widths).sum(axis=2), 1.0, rtol=1e-5)


def test_nine_in_ten_walks_are_expected_within_the_declared_window():
    known = transits({("a", "b"): Window(10, 20)})
    widths = np.diff([0.0, *known.edges_s])
    starts = known.edges_s - widths
    within = (known.edges_s > 10) & (starts < 20)
    mass = known.densities()[0, 1] * widths
    undeclared = known.densities()[0, 2] * widths
    # The tenth outside is that of an undeclared way, of which a part falls into the window as well.
    assert mass[within].sum() == pytest.approx(0.9 + 0.1 * undeclared[within].sum(), abs=1e-6)
    assert rate(known, 0, 1, 15.0) > 10 * rate(known, 0, 1, 40.0)
    assert rate(known, 0, 1, 15.0) > 10 * rate(known, 0, 1, 3.0)


def test_shares_before_anything_is_learned_by_hand():
    """A quarter comes back, a quarter leaves; of the other half a tenth of all goes where no way was declared."""
    shares = transits({("a", "b"): Window(2, 40)}).shares()
    np.testing.assert_allclose(shares[0], [0.25, 0.4, 0.1])
    np.testing.assert_allclose(shares[1], [0.25, 0.25, 0.25])


def test_shares_are_learned_beside_a_prior_of_four_people():
    known = transits()
    for _ in range(12):
        known.departure(0)
    for _ in range(6):
        known.walk(0, 1, 9.0, 0.5)
    np.testing.assert_allclose(known.shares()[0], [1 / 16, (3 + 1) / 16, 1 / 16])


def test_two_ways_of_taking_a_walk_are_both_learned():
    """Some take the stairs (about 8 s), some the lift (about 60 s); nobody takes 22 s."""
    known, rng = transits({("a", "b"): Window(2, 120)}), np.random.default_rng(1)
    for step in range(400):
        known.departure(0)
        known.walk(0, 1, float(rng.normal(8, 0.5) if step % 2 else rng.normal(60, 4)), 1.0)
    put_to_use(known)
    density = known.densities()[0, 1]
    log_density = density * known.edges_s
    peaks = [
        float(known.edges_s[i])
        for i in range(1, BINS - 1)
        if log_density[i] > max(log_density[i - 1], log_density[i + 1]) and log_density[i] > 0.1
    ]
    assert len(peaks) == 2
    assert 7 < peaks[0] < 11
    assert 55 < peaks[1] < 80
    assert density[np.searchsorted(known.edges_s, 22.0)] < 0.05 * density[np.searchsorted(known.edges_s, 8.0)]
    assert known.shares()[0, 1] == pytest.approx(401.6 / 404, abs=1e-3)


def test_lessons_count_from_the_next_tick_when_there_are_enough():
    known = transits()
    before = rate(known, 0, 1, 9.0)
    for step in range(20):
        known.departure(0)
        known.walk(0, 1, 9.0, 1.0)
        if step == 3:
            known.tick(step * S)
            assert rate(known, 0, 1, 9.0) == before
    known.tick(30 * S)
    assert rate(known, 0, 1, 9.0) > 5 * before


def test_newcomers_by_hand():
    known = transits()
    assert known.newcomer_rate(0) == pytest.approx(0.05)
    known.tick(0)
    for camera, people in ((0, 9), (1, 3)):
        for _ in range(people):
            known.newcomer(camera, 1.0)
    known.tick(60 * S)
    site = (12 + 3 * 0.05 * 60) / (3 * 120)
    assert [known.newcomer_rate(c) for c in range(3)] == pytest.approx(
        [(9 + 60 * site) / 120, (3 + 60 * site) / 120, 60 * site / 120]
    )


def test_newcomers_of_long_ago_fade():
    """One a second for an hour, then nobody: half an hour counts, so after another hour an eighth or so is left."""
    known, expected, seconds = transits(), 0.0, 0.0
    for second in range(7200):
        known.tick(second * S)
        seconds += second > 0
        if seconds > 1800:
            expected, seconds = expected * 1800 / seconds, 1800
        if second < 3600:
            known.newcomer(0, 1.0)
            expected += 1.0
        if second == 3599:
            assert known.newcomer_rate(0) == pytest.approx(0.98, abs=0.03)
    assert known.newcomers[0] == pytest.approx(expected)
    assert expected == pytest.approx(1800 * np.exp(-2), rel=0.01)


def test_time_that_goes_backwards_is_no_time():
    known = transits()
    for at_s in (100, 50, 60):
        known.tick(at_s * S)
    assert known._newcomer_seconds == 10.0


def test_an_ablation_learns_nothing():
    known = transits(learned=False)
    before = known.shares(), known.densities()
    for _ in range(50):
        known.departure(0)
        known.walk(0, 1, 5.0, 1.0)
    put_to_use(known)
    np.testing.assert_array_equal(known.shares(), before[0])
    np.testing.assert_array_equal(known.densities(), before[1])


def test_the_summary_tells_of_ways_declared_or_taken():
    known = transits({("a", "b"): Window(2, 40)})
    known.newcomer(2, 1.0)
    for _ in range(3):
        known.departure(1)
        known.walk(1, 2, 5.0, 1.0)
    known.walk(2, 0, 5.0, 0.25)  # half a person is needed to be told of
    told = known.summary()
    assert told["cameras"]["c"] == {"arrivals": 4.0, "new_share": 0.25}
    assert set(told["cameras"]) == set(CAMERAS)
    declared, taken = told["transitions"]
    assert set(declared) == {"from", "to", "declared", "expected_count", "probability", "seconds"}
    assert (declared["from"], declared["to"], declared["declared"], declared["expected_count"]) == (
        "a",
        "b",
        [2, 40],
        0,
    )
    assert (taken["from"], taken["to"], taken["declared"], taken["expected_count"]) == ("b", "c", None, 3.0)
    assert taken["probability"] == pytest.approx((3 + 1) / 7)
    edges, density = taken["seconds"]["edges"], taken["seconds"]["density"]
    assert len(edges) == len(density) + 1
    assert np.dot(np.diff(edges), density) == pytest.approx(1.0, abs=1e-2)
