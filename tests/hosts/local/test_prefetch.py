from __future__ import annotations

import itertools
import threading

import pytest

from savant_reid.hosts.local.prefetch import Prefetch


def test_items_come_in_order():
    assert list(Prefetch(iter(range(100)), ahead=3)) == list(range(100))


def test_an_error_reaches_the_consumer_at_its_place():
    def source():
        yield 1
        raise RuntimeError("broken camera")

    got = []
    with pytest.raises(RuntimeError, match="broken camera"):
        got.extend(iter(Prefetch(source())))
    assert threading.active_count() >= 1


def test_it_works_ahead_but_not_without_bound():
    made = []

    def source():
        for item in itertools.count():
            made.append(item)
            yield item

    prefetch = Prefetch(source(), ahead=2)
    for item in prefetch:
        if item == 5:
            break
    assert len(made) <= 5 + 1 + 2 + 1
    prefetch.close()


def test_close_ends_the_thread():
    prefetch = Prefetch(itertools.count(), ahead=1)
    next(iter(prefetch))
    prefetch.close()
    assert not prefetch._thread.is_alive()


def test_close_ends_a_source_that_waits_for_ever():
    wanted = threading.Event()

    def silent_camera():
        yield 1
        wanted.wait()

    prefetch = Prefetch(silent_camera(), stop=wanted.set)
    next(iter(prefetch))
    prefetch.close()
    assert not prefetch._thread.is_alive()
