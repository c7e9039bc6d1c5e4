"""Who has to go when there is no room, or when time is up."""

from __future__ import annotations

import pytest

from savant_reid.identity.types import EventKind
from tests.identity.engines import S, Site

X = (1, 0, 0, 0)


def expired(site: Site) -> list[tuple[int, str]]:
    return [(e.global_id, e.reason) for e in site.core.take_events() if e.kind is EventKind.EXPIRED]


def full(capacity: int = 3) -> Site:
    """Identities 1, 2 and 3, last seen at 30, 20 and 10 s."""
    site = Site(capacity=capacity)
    for global_id in (1, 2, 3):
        site.known(global_id, "a", 0, 40 - 10 * global_id, X)
    return site


def test_while_there_is_room_nobody_goes():
    site = full(capacity=4)
    assert site.engine.keeper.make_room(())
    assert expired(site) == []


def test_who_has_not_been_seen_for_longest_goes():
    site = full()
    site.gallery.confirmed[:3] = True
    assert site.engine.keeper.make_room(())
    assert expired(site) == [(3, "capacity")]


def test_the_unconfirmed_go_first():
    site = full()
    site.gallery.confirmed[:3] = (False, True, True)
    assert site.engine.keeper.make_room(())
    assert expired(site) == [(1, "capacity")]


def test_nobody_who_is_on_screen_or_about_to_be_given_goes():
    site = full()
    site.holds(site.appears("a", 7, 40, X), 3)
    assert site.engine.keeper.make_room({2})
    assert expired(site) == [(1, "capacity")]
    site.known(4, "a", 0, 35, X)
    site.holds(site.appears("b", 8, 41, X), 2)
    assert not site.engine.keeper.make_room({4})
    assert expired(site) == []


@pytest.mark.parametrize(("at_s", "gone"), [(99, []), (106, [3]), (130, [2, 3])])
def test_retention_counts_from_when_somebody_was_last_seen(at_s, gone):
    site = Site(retention_s=100.0)
    for global_id, last_s in ((1, 40), (2, 20), (3, 5)):
        site.known(global_id, "a", 0, last_s, X)
    site.gallery.confirmed[:3] = True
    site.time(0)
    site.engine.keeper.sweep()
    site.time(at_s)
    site.engine.keeper.sweep()
    assert sorted(expired(site)) == [(global_id, "retention") for global_id in gone]


def test_what_nobody_came_back_to_is_pruned_early():
    site = Site(retention_s=10_000.0)
    site.known(1, "a", 0, 10, X)
    site.known(2, "a", 0, 10, X)
    site.known(3, "a", 0, 10, X)
    site.gallery.confirmed[site.gallery.row_of(2)] = True
    site.holds(site.appears("b", 7, 12, X), 3)
    site.time(611)
    site.engine.keeper.sweep()
    assert expired(site) == [(1, "never confirmed")]


def test_it_sweeps_once_a_minute_at_most_and_oftener_where_retention_is_short():
    for retention_s, waits_s in ((10_000.0, 60.0), (20.0, 5.0)):
        site, swept = Site(retention_s=retention_s), []
        for at_s in range(1, 130):
            site.time(at_s)
            before = site.engine.keeper._swept_ns
            site.engine.keeper.sweep()
            if site.engine.keeper._swept_ns != before:
                swept.append(site.engine.keeper._swept_ns // S)
        assert swept == [int(waits_s * n) for n in range(1, int(129 // waits_s) + 1)]
