from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from savant_reid.errors import ConfigError
from savant_reid.identity.types import Decision, Reason, RunnerUp, State, Unmatched
from savant_reid.pyfuncs import shared
from savant_reid.pyfuncs.gate import Gate
from savant_reid.pyfuncs.identify import Identify
from savant_reid.pyfuncs.overlay import Overlay, caption, identity_colour
from tests.identity.scenes import FRAME_NS, People, sightings, visits


class View:
    """A frame as the pyfuncs see it."""

    def __init__(self, seen):
        self.camera, self.time_ns = seen.camera, seen.time_ns
        self._seen = seen
        self.due = None
        self.decisions = None

    def sightings(self):
        return self._seen

    def request_embeddings(self, due):
        self.due = due

    def write_decisions(self, decisions):
        self.decisions = decisions


def test_gate_requests_embeddings_for_whole_people_only():
    seen = sightings("door", 0, visits((1, "door", 0, 5), (2, "door", 0, 5)), None)
    seen.boxes[1] = [0, 0, 10, 20]
    view = View(seen)
    Gate().process_batch([view])
    assert view.due.tolist() == [True, False]


def test_gate_names_a_wrong_setting():
    with pytest.raises(ConfigError, match=r"every_s.*found evry_s"):
        Gate(evry_s=2.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every_s": "abc"}, "every_s: expected seconds from 0 to 86400, found 'abc'"),
        ({"every_s": None}, "every_s: .*found None"),
        ({"every_s": True}, "every_s: .*found True"),
        ({"every_s": float("nan")}, "every_s: .*found nan"),
        ({"first_every_s": -1}, "first_every_s: .*found -1"),
        ({"settle_s": float("inf")}, "settle_s: .*found inf"),
        ({"min_quality": 2}, "min_quality: expected a number from 0 to 1, found 2"),
        ({"after_crossing": 1.5}, "after_crossing: expected a whole number from 0 to 1000, found 1.5"),
        ({"after_crossing": -1}, "after_crossing: .*found -1"),
    ],
)
def test_gate_names_a_value_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=f"gate: kwargs: {message}"):
        Gate(**settings)


def test_gate_takes_whole_numbers_for_seconds():
    Gate(every_s=2, after_crossing=0, min_quality=0, good_quality=1.0)


def test_identify_names_the_site_file_that_does_not_know_a_camera(site_file):
    identify = Identify(str(site_file), "person_reid")
    with pytest.raises(ConfigError, match=f"{site_file}: cameras: expected roof among them.*found door, hall"):
        identify.process_batch([View(sightings("roof", 0, visits((1, "roof", 0, 5)), None))])


def test_identify_settles_all_cameras_of_a_batch_together(site_file):
    """The same face in two rooms at once is two people: only a joint decision can know."""
    identify, people = Identify(str(site_file), "person_reid"), People(1)
    identify.on_start()
    for step in range(10):
        views = [
            View(sightings(c, step * FRAME_NS, visits((1, c, 0, 9)) * n, people)) for c, n in (("door", 1), ("hall", 1))
        ]
        identify.process_batch(views)
    said = [view.decisions[0].identity for view in views]
    assert sorted(said) == [1, 2]
    assert [e.kind.value for e in identify.take_events()] == ["created", "created"]
    assert identify.take_events() == []


def test_every_element_and_every_reload_finds_the_same_resolver(site_file):
    """Savant executes a pyfunc's module afresh for each element; the gallery must not be lost by that."""
    spec = importlib.util.find_spec("savant_reid.pyfuncs.identify")
    fresh = [importlib.util.module_from_spec(spec) for _ in range(2)]
    for module in fresh:
        spec.loader.exec_module(module)
    assert fresh[0].Identify is not fresh[1].Identify
    first, second = (module.shared_resolver(site_file) for module in fresh)
    assert first is second
    assert sys.modules["savant_reid.pyfuncs.shared"].resolver_for(site_file) is first.resolver


def test_the_resolver_is_used_by_one_element_at_a_time(site_file, monkeypatch):
    """Queues give each element a thread of its own, and several may name one site."""
    held = []
    shared_one = shared.shared_resolver(site_file)
    for name in ("resolve", "take_events"):
        monkeypatch.setattr(shared_one.resolver, name, lambda *_: held.append(shared_one.lock.locked()) or [])
    identify = Identify(str(site_file), "person_reid")
    identify.on_start()
    identify.process_batch([])
    identify.take_events()
    assert held == [True, True]
    assert not shared_one.lock.locked()


class Canvas:
    def __init__(self):
        self.boxes, self.labels = [], []

    def box(self, ltwh, colour, dashed):
        self.boxes.append((ltwh, colour, dashed))

    def label(self, text, left, bottom, colour):
        self.labels.append((text, left, bottom, colour))


def test_overlay_shows_who_and_how_sure():
    seen = sightings("door", 0, visits((1, "door", 0, 5), (2, "door", 0, 5), (3, "door", 0, 5)), None)
    decisions = [
        Decision("door", 1, 7, State.CONFIRMED, 0.981),
        Decision("door", 2, 8, State.AMBIGUOUS, 0.61, RunnerUp(3, 0.3)),
        Decision("door", 3, Unmatched(Reason.TOO_LITTLE_EVIDENCE), State.PROVISIONAL, 0.0),
    ]
    canvas = Canvas()
    Overlay().draw(View(seen), decisions, canvas)
    assert [text for text, *_ in canvas.labels] == ["7 98%", "8? 61%", "..."]
    assert [dashed for *_, dashed in canvas.boxes] == [False, True, True]
    assert canvas.boxes[0][0] == tuple(seen.boxes[0].tolist())


def test_colours_are_stable_and_differ():
    colours = [identity_colour(i) for i in range(1, 13)]
    assert identity_colour(5) == colours[4]
    distances = [np.abs(np.subtract(a, b)).sum() for i, a in enumerate(colours) for b in colours[:i]]
    assert min(distances) > 30


def test_certainty_is_never_claimed():
    assert caption(Decision("door", 1, 7, State.CONFIRMED, 1.0)) == "7 99%"
