"""Topology, quality, gate, tracklet evidence and score model: the small parts, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from savant_reid.identity.camera_means import CameraMeans
from savant_reid.identity.gate import EmbeddingGate, GateSettings
from savant_reid.identity.quality import covered_shares, crossing, crowded_shares, qualities, touches_border
from savant_reid.identity.score_model import MOST_NATS, RunningNormal, ScoreModel
from savant_reid.identity.topology import COMES_BACK, EARLY, FRAGMENT, LATE, UNDECLARED, Topology, Window
from savant_reid.identity.tracklet import Evidence, trimmed_mean
from tests.identity.scenes import FRAME_NS, People, sightings, visits


def weight(topology: Topology, start: str, end: str, gap_s: float) -> float:
    index = topology.index
    return float(topology.weights(np.array([index[start]]), index[end], np.array([gap_s]))[0])


def test_topology_weighs_walks():
    topology = Topology(["a", "b", "c"], {("a", "b"): Window(4, 20)}, overlaps=[("a", "c")])
    assert weight(topology, "a", "b", 10) == 1.0
    assert weight(topology, "a", "b", 1) == pytest.approx(EARLY)
    assert weight(topology, "a", "b", 100) == pytest.approx(LATE)
    assert weight(topology, "b", "a", 10) == UNDECLARED
    assert weight(topology, "a", "a", 1) == FRAGMENT
    assert weight(topology, "a", "a", 100) == COMES_BACK
    assert weight(topology, "a", "c", 0) == 1.0
    assert topology.can_share(0, 2)
    assert not topology.can_share(0, 1)


def test_a_site_without_windows_prefers_nobody():
    assert weight(Topology(["a", "b"]), "a", "b", 0.0) == 1.0


def test_quality_knows_size_border_shape_and_cover():
    frame = (640, 360)
    whole, small, cut, flat = (
        qualities(np.array([box], np.float32), np.array([1.0], np.float32), frame)[0]
        for box in ((100, 50, 60, 180), (100, 50, 12, 30), (0, 50, 60, 180), (100, 50, 180, 100))
    )
    assert whole == 1.0
    assert small == 0.0
    assert cut == pytest.approx(0.3)
    assert flat < 0.3


def test_who_stands_nearer_covers():
    boxes = np.array([[0, 0, 100, 200], [50, 100, 100, 200], [300, 0, 10, 10]], np.float32)
    # The second one's feet are lower: it covers 50 x 100 of the first one's 100 x 200, and that lies behind it.
    assert covered_shares(boxes).tolist() == [0.25, 0.0, 0.0]
    assert crowded_shares(boxes).tolist() == [0.0, 0.25, 0.0]
    assert crossing(boxes, 0.2).tolist() == [True, True, False]
    assert not crossing(boxes, 0.3).any()
    assert touches_border(boxes, (640, 360)).tolist() == [True, False, True]


def test_the_gate_asks_often_at_first_then_seldom():
    gate = EmbeddingGate(GateSettings(first=3, first_every_s=0.2, every_s=1.0))
    scene = visits((1, "door", 0, 99))
    asked = [step for step in range(41) if gate.due(sightings("door", step * FRAME_NS, scene, None))[0]]
    assert asked == [0, 2, 4, 14, 24, 34]


def test_the_gate_forgets_tracks_that_are_gone():
    gate = EmbeddingGate(GateSettings())
    for track in range(50):
        gate.due(sightings("door", track * 10**10, visits(*[(1, "door", 0, 9)] * (track + 1))[-1:], None))
    assert len(gate._cameras["door"].tracks) < 10


def test_the_gate_looks_again_after_a_crossing():
    """Seen often enough, then covered by somebody nearer for a second: two quick looks follow."""
    gate = EmbeddingGate(GateSettings(first=2, first_every_s=0.2, every_s=5.0, after_crossing=2))
    asked = []
    for step in range(60):
        seen = sightings("door", step * FRAME_NS, visits((1, "door", 0, 99), (2, "door", 0, 99)), None)
        if 30 <= step < 40:
            seen.boxes[1] = seen.boxes[0] + [10, 10, 0, 0]
        if gate.due(seen)[0]:
            asked.append(step)
    assert asked == [0, 2, 40, 42]


def test_the_gate_keeps_each_cameras_own_time():
    """Two cameras a minute apart: neither makes the gate forget the other's tracks."""
    gate, asked = EmbeddingGate(GateSettings()), {"door": 0, "hall": 0}
    for step in range(300):
        for camera, ahead_ns in (("door", 0), ("hall", 60 * 10**9)):
            seen = sightings(camera, step * FRAME_NS + ahead_ns, visits((1, camera, 0, 99)), None)
            asked[camera] += int(gate.due(seen)[0])
    assert asked["door"] == asked["hall"] < 30


def test_the_gate_survives_a_clock_that_steps_back():
    gate = EmbeddingGate(GateSettings())
    times = [*range(100, 150), *range(50)]
    asked = [gate.due(sightings("door", t * FRAME_NS, visits((1, "door", 0, 99)), None))[0] for t in times]
    assert sum(asked[50:]) >= 3


def test_a_box_that_is_no_number_is_not_worth_an_embedding():
    seen = sightings("door", 0, visits((1, "door", 0, 9)), None)
    seen.boxes[:] = np.nan
    assert EmbeddingGate(GateSettings()).due(seen).tolist() == [False]


def test_the_gate_waits_a_moment_for_a_better_view():
    gate = EmbeddingGate(GateSettings(settle_s=0.5, good_quality=0.45))
    poor = sightings("door", 0, visits((1, "door", 0, 9)), None)
    poor.confidences[:] = 0.3
    answers = [gate.due(type(poor)(**{**poor.__dict__, "time_ns": step * FRAME_NS}))[0] for step in range(8)]
    assert answers.index(True) == 5


def test_evidence_leaves_out_what_does_not_belong():
    people, evidence = People(1, noise=0.02), Evidence(12)
    for person in (1, 1, 2, 1, 1, 2):
        evidence.add(people.crop(person), 0.8, 0)
    assert trimmed_mean(evidence.embeddings, evidence.qualities) @ people.crop(1) > 0.97


def test_evidence_is_bounded_and_drops_the_poorest():
    people, evidence = People(2), Evidence(3)
    for quality in (0.9, 0.1, 0.8, 0.7):
        evidence.add(people.crop(1), quality, 0)
    assert len(evidence) == 3
    assert sorted(evidence._quality) == [0.7, 0.8, 0.9]
    assert evidence.seen == 4


def test_running_normal_matches_numpy_and_forgets():
    rng = np.random.default_rng(0)
    values = rng.normal(0.6, 0.1, 300)
    normal = RunningNormal(0.6, 0.1, prior_weight=6.0)
    for value in values:
        normal.add(float(value))
    # Drawing in what lies beyond two standard deviations narrows a normal by some 8 %.
    assert normal.mean == pytest.approx(values.mean(), abs=0.01)
    assert normal.variance**0.5 == pytest.approx(values.std(), rel=0.2)
    for value in rng.normal(0.2, 0.1, 4000):
        normal.add(float(value))
    assert normal.mean == pytest.approx(0.2, abs=0.02)


def test_log_ratio_is_that_of_two_normals():
    model = ScoreModel(same_mean=0.8, different_mean=0.4, std=0.1)
    same, cross = model.log_ratios(np.array([0.7, 0.7], np.float32), np.array([True, False]))
    # Pooled variance 0.01: (0.8 - 0.4) / 0.01 * (0.7 - 0.6) = 4.
    assert same == pytest.approx(4.0, abs=1e-4)
    # Across cameras 0.8 becomes 0.4 + 0.9 * 0.4 = 0.76, the variance (0.01 * 1.69 + 0.01) / 2 = 0.01345.
    assert cross == pytest.approx(0.36 / 0.01345 * (0.7 - 0.58), abs=1e-3)


def test_tracks_that_swap_persons_do_not_blur_what_one_person_looks_like():
    model, rng = ScoreModel(same_mean=0.8, std=0.1), np.random.default_rng(1)
    for sample in range(400):
        model.same.add(-0.3 if sample % 20 == 0 else float(rng.normal(0.85, 0.05)))
    assert model.same.mean == pytest.approx(0.85, abs=0.03)
    assert model.same.variance**0.5 < 0.08


def test_surprise_is_the_tail_of_the_strangers():
    model = ScoreModel(different_mean=0.4, std=0.1)
    surprises = model.surprises(np.array([0.4, 0.4 + 0.23263, -math.inf], np.float32))
    # Half of all strangers are more alike than their mean; 1 % are by 2.3263 standard deviations (normal tables).
    np.testing.assert_allclose(np.exp(-surprises), [0.5, 0.01, 1.0], rtol=1e-3)


def test_camera_means_lean_on_the_site_and_the_site_on_zero():
    means = CameraMeans(2, 2)
    means.add(0, np.array([1.0, 0.0], np.float32))
    # One tracklet: the site's mean is 1 / (1 + 4), the camera's (1 + 8 / 5) / (1 + 8), and camera 1 has the site's.
    np.testing.assert_allclose(means.means[:, 0], [(1 + 8 / 5) / 9, 8 / 5 / 8], rtol=1e-6)
    for _ in range(3000):
        means.add(0, np.array([1.0, 0.0], np.float32))
        means.add(1, np.array([0.0, 1.0], np.float32))
    np.testing.assert_allclose(means.means, np.eye(2), atol=0.02)
    assert means.version < 150


def test_log_ratio_is_bounded_and_nothing_stays_nothing():
    ratios = ScoreModel(std=0.01).log_ratios(np.array([1.0, -1.0, -math.inf], np.float32), np.ones(3, bool))
    assert ratios.tolist() == [MOST_NATS, -MOST_NATS, -math.inf]
