"""What the identity core says of itself, as metrics show it on both hosts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from savant_reid.identity.acceptance import DECISIONS, SHARE, Acceptance
from savant_reid.identity.enrolment import ELSEWHERE, EnrolledPerson, Enrolment
from savant_reid.identity.intake import REFUSALS
from savant_reid.identity.policy import Policy
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology
from savant_reid.identity.types import Sightings
from savant_reid.pyfuncs import shared
from savant_reid.pyfuncs.identify import Identify
from tests.hosts.deepstream.scene import Scene
from tests.identity.scenes import FRAME_NS, People, frames, run, sightings, visits, walk_about

CAMERAS = ["door", "hall"]


@pytest.fixture
def site_file(site_file: Path) -> Path:
    """That of all tests, with a rate of its own."""
    site_file.write_text(site_file.read_text().replace("capacity: 100", "capacity: 100, target_fpir: 0.02"))
    return site_file


class View:
    """A frame as identify sees it."""

    def __init__(self, seen: Sightings) -> None:
        self.camera, self.time_ns, self._seen = seen.camera, seen.time_ns, seen

    def sightings(self) -> Sightings:
        return self._seen

    def write_decisions(self, decisions: object) -> None: ...


def test_the_estimate_is_what_the_margin_in_use_lets_through():
    """Newcomers with odds of their own: the estimate is the share above the margin, scaled as the asked rate is."""
    acceptance, rng = Acceptance(0.05), np.random.default_rng(1)
    assert acceptance.estimated_fpir == 0.0
    for newcomer in rng.beta(0.6, 0.6, DECISIONS):
        acceptance.learn(1.0 - newcomer, newcomer)
    assert acceptance.margin > 0.5
    assert 0.0 < acceptance.estimated_fpir <= 0.05
    assert acceptance.estimated_fpir == pytest.approx(acceptance.expected_fpir(acceptance.margin) / SHARE)


def test_nothing_is_claimed_before_there_is_anything():
    found = Resolver(Topology(CAMERAS), Policy(target_fpir=0.03, capacity=7)).calibration()
    assert found.pop("target_fpir") == 0.03
    assert all(map(math.isnan, found.values()))


def test_a_closed_set_has_a_floor_and_no_margin():
    people = People(2)
    pictures = np.stack([people.crop(1) for _ in range(3)])
    enrolled = Enrolment((EnrolledPerson(1, "Anna", pictures, (ELSEWHERE,) * 3),), 0.005, closed=True)
    core = Resolver(Topology(CAMERAS), Policy(target_fpir=0.03), enrolment=enrolled)
    run(core, frames(walk_about(6, CAMERAS, 6, seed=2), people))
    found = core.calibration()
    assert (found["target_fpir"], math.isnan(found["margin"])) == (0.005, True)
    assert 0.0 < found["similarity_floor"] < 1.0


def test_figures_have_the_same_names_each_time_and_count_what_happened(site_file: Path):
    identify, people = Identify(str(site_file), "person_reid"), People(3)
    identify.on_start()
    before = identify.figures()
    both = visits((1, "door", 0, 9), (2, "door", 0, 9))
    for step in range(60):
        seen = sightings("door", step * FRAME_NS, both, people if step % 2 == 0 else None)
        if step in (10, 20):
            broken = seen.embeddings.copy()
            broken[0] = np.nan if step == 10 else 0.0
            seen = replace(seen, embeddings=broken)
        identify.process_batch([View(seen)])
    found = identify.figures()
    assert list(found) == list(before)
    assert (found["identities"], found["capacity"], found["target_fpir"]) == (2, 100, 0.02)
    assert (found["refused_not_finite"], found["refused_zero"]) == (1, 1)
    assert found["embeddings_refused"] == sum(found[f"refused_{reason}"] for reason in REFUSALS)
    assert found["margin"] == 0.5
    assert identify.camera_figures() == {"door": {"drifts": 0}, "hall": {"drifts": 0}}


def test_every_reason_is_known():
    """A reason that the core counts and nobody lists would never be seen."""
    source = (Path(shared.__file__).parents[1] / "identity" / "intake.py").read_text()
    counted = [line for line in source.splitlines() if "refused[" in line]
    assert len(counted) == 3
    for reason in REFUSALS:
        assert any(f'"{reason}"' in line for line in counted)
    assert sum(line.count('"') for line in counted) == 2 * len(REFUSALS)


def test_new_light_on_one_camera_is_an_alarm_of_that_camera(site_file: Path):
    identify, people = Identify(str(site_file), "person_reid"), People(4)
    shift = np.zeros(32, np.float32)
    shift[:4] = 0.6
    rows = [(n, camera, n // 3 * 2.0, n // 3 * 2.0 + 1.5) for n in range(3 * 64) for camera in CAMERAS]
    for number, batch in enumerate(frames(visits(*rows), people)):
        late = number > 0.75 * 64 * 20
        lit = [replace(s, embeddings=s.embeddings + shift) if late and s.camera == "hall" else s for s in batch]
        identify.process_batch([View(seen) for seen in lit])
    found = {camera: figures["drifts"] for camera, figures in identify.camera_figures().items()}
    assert found["hall"] > 0 == found["door"]


def test_savants_exporter_has_them_too(site_file: Path):
    scene = Scene()
    runner = scene.runner(Identify(str(site_file), "person_reid"))
    scene.next([1, 2], [1])
    runner.process(None)
    drifts = scene.metric("reid_camera_figure", runner)
    assert {labels[1:]: value for labels, value in drifts.items()} == {("door", "drifts"): 0, ("hall", "drifts"): 0}
    figures = {labels[1]: value for labels, value in scene.metric("reid_figure", runner).items()}
    assert figures["target_fpir"] == 0.02
    assert math.isnan(figures["similarity_floor"])
