"""Quality and gate: which crops are worth looking at, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from savant_reid.identity.gate import EmbeddingGate, GateSettings
from savant_reid.identity.overlaps import find_overlaps
from savant_reid.identity.quality import crop_qualities, crossing, shared_with, touches_border
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology
from savant_reid.identity.types import Sightings
from tests.identity.scenes import FRAME_NS, People, sightings, visits


def test_quality_knows_size_border_and_shape():
    # Each in a frame of its own.
    boxes = np.array([[100, 50, 60, 180], [100, 50, 12, 30], [0, 50, 60, 180], [100, 50, 180, 100]], np.float32)
    frames_of = np.arange(4)
    sizes, sure = np.array([[640, 360]] * 4), np.ones(4, np.float32)
    whole, small, cut, flat = crop_qualities(boxes, sure, sizes, frames_of, find_overlaps(boxes, frames_of))
    assert whole == 1.0
    assert small == 0.0
    assert cut == pytest.approx(0.3)
    assert flat < 0.3


def test_who_stands_nearer_covers():
    boxes = np.array([[0, 0, 100, 200], [50, 100, 100, 200], [300, 0, 10, 10]], np.float32)
    # The second one's feet are lower: it covers 50 x 100 of the first one's 100 x 200, and that lies behind it.
    overlaps = find_overlaps(boxes, np.zeros(3, np.int64))
    nearer, further = shared_with(boxes, overlaps)
    assert nearer.tolist() == [0.25, 0.0, 0.0]
    assert further.tolist() == [0.0, 0.25, 0.0]
    assert crossing(overlaps, 0.2).tolist() == [True, True, False]
    assert not crossing(overlaps, 0.3).any()
    assert touches_border(boxes, np.full(3, 640)).tolist() == [True, False, True]


def due(gate: EmbeddingGate, seen: Sightings) -> NDArray[np.bool_]:
    """Of one frame."""
    return gate.due([seen])[0]


def test_what_the_gate_says_does_not_hang_on_what_comes_together():
    rng = np.random.default_rng(5)
    together, alone = EmbeddingGate(GateSettings()), EmbeddingGate(GateSettings())
    for step in range(100):
        batch = [sightings(c, step * FRAME_NS, visits(*[(i, c, 0, 99) for i in range(4)]), None) for c in "abc"]
        for seen in batch:
            seen.boxes[:, 0] += rng.uniform(-60, 60, 4).astype(np.float32)
        assert [a.tolist() for a in together.due(batch)] == [due(alone, seen).tolist() for seen in batch]
    assert together.due([]) == []


def test_the_gate_asks_often_at_first_then_seldom():
    gate = EmbeddingGate(GateSettings(first_every_s=0.2, every_s=1.0))
    scene = visits((1, "door", 0, 99))
    asked = [step for step in range(51) if due(gate, sightings("door", step * FRAME_NS, scene, None))[0]]
    assert asked == [0, 2, 6, 10, 18, 26, 36, 46]


def test_the_core_wants_every_crop_that_the_gate_asks_for():
    """One schedule serves both, or embeddings would be made and thrown away."""
    gate, people, asked = EmbeddingGate(GateSettings()), People(1), 0
    resolver = Resolver(Topology(["door"]))
    scene = visits((1, "door", 0, 60))
    for step in range(600):
        seen = sightings("door", step * FRAME_NS, scene, None)
        wanted = bool(due(gate, seen)[0])
        asked += wanted
        resolver.resolve([sightings("door", step * FRAME_NS, scene, people if wanted else None)])
    assert resolver.accepted == asked
    assert 30 <= asked <= 40


def test_the_gate_forgets_tracks_that_are_gone():
    gate = EmbeddingGate(GateSettings())
    for track in range(50):
        due(gate, sightings("door", track * 10**10, visits(*[(1, "door", 0, 9)] * (track + 1))[-1:], None))
    assert len(gate._cameras["door"].tracks) < 10


def test_the_gate_looks_again_after_a_crossing():
    """Seen often enough, then covered by somebody nearer for a second: two quick looks follow."""
    gate = EmbeddingGate(GateSettings(first_every_s=0.2, every_s=5.0, after_crossing=2))
    asked = []
    for step in range(60):
        seen = sightings("door", step * FRAME_NS, visits((1, "door", 0, 99), (2, "door", 0, 99)), None)
        if 30 <= step < 40:
            seen.boxes[1] = seen.boxes[0] + [10, 10, 0, 0]
        if due(gate, seen)[0]:
            asked.append(step)
    assert asked == [0, 2, 6, 10, 18, 26, 40, 42]


def test_the_gate_keeps_each_cameras_own_time():
    """Two cameras a minute apart: neither makes the gate forget the other's tracks."""
    gate, asked = EmbeddingGate(GateSettings()), {"door": 0, "hall": 0}
    for step in range(300):
        for camera, ahead_ns in (("door", 0), ("hall", 60 * 10**9)):
            seen = sightings(camera, step * FRAME_NS + ahead_ns, visits((1, camera, 0, 99)), None)
            asked[camera] += int(due(gate, seen)[0])
    assert asked["door"] == asked["hall"] < 30


def test_the_gate_survives_a_clock_that_steps_back():
    gate = EmbeddingGate(GateSettings())
    times = [*range(100, 150), *range(50)]
    asked = [due(gate, sightings("door", t * FRAME_NS, visits((1, "door", 0, 99)), None))[0] for t in times]
    assert sum(asked[50:]) >= 3


def test_a_box_that_is_no_number_is_not_worth_an_embedding():
    seen = sightings("door", 0, visits((1, "door", 0, 9)), None)
    seen.boxes[:] = np.nan
    assert due(EmbeddingGate(GateSettings()), seen).tolist() == [False]


def test_the_gate_waits_a_moment_for_a_better_view():
    gate = EmbeddingGate(GateSettings(settle_s=0.5, good_quality=0.45))
    poor = sightings("door", 0, visits((1, "door", 0, 9)), None)
    poor.confidences[:] = 0.3
    answers = [due(gate, type(poor)(**{**poor.__dict__, "time_ns": step * FRAME_NS}))[0] for step in range(8)]
    assert answers.index(True) == 5
