"""What a recording says must fit together: rows, tracks, truth, time and site."""

from __future__ import annotations

import tracemalloc
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np

from savant_reid.testing import Recording, preset


def test_rows_are_whole(recording, moments):
    for moment in moments[::50]:
        assert tuple(sightings.camera for sightings in moment.sightings) == recording.cameras
        for sightings, persons in zip(moment.sightings, moment.persons, strict=True):
            n, m = len(sightings), len(sightings.embeddings)
            assert sightings.track_ids.dtype == sightings.embedding_of.dtype == persons.dtype == np.int64
            assert sightings.boxes.dtype == sightings.confidences.dtype == sightings.embeddings.dtype == np.float32
            assert sightings.boxes.shape == (n, 4)
            assert sightings.embeddings.shape == (m, recording.settings.dimension)
            assert len(persons) == n == len(set(sightings.track_ids.tolist()))
            assert sorted(row for row in sightings.embedding_of.tolist() if row >= 0) == list(range(m))
            assert np.allclose(np.linalg.norm(sightings.embeddings, axis=1), 1, atol=1e-5)
            assert ((sightings.confidences >= 0) & (sightings.confidences <= 1)).all()
            ends = sightings.boxes[:, :2] + sightings.boxes[:, 2:]
            assert (sightings.boxes[:, 2:] > 0).all()
            assert (sightings.boxes[:, :2] >= 0).all()
            assert (ends <= np.array(sightings.frame_size) + 0.01).all()


def test_everybody_detected_is_in_the_truth_near_by(moments):
    apart = []
    for moment in moments:
        for sightings, persons, truth in zip(moment.sightings, moment.persons, moment.truth, strict=True):
            assert len(set(truth.persons.tolist())) == len(truth)
            place = dict(zip(truth.persons.tolist(), truth.boxes, strict=True))
            for person, box in zip(persons.tolist(), sightings.boxes, strict=True):
                if person >= 0:
                    apart.append(np.abs(place[person] - box).mean())
            assert (truth.camera, truth.time_ns) == (sightings.camera, sightings.time_ns)
    assert 1.0 < np.mean(apart) < 2.5  # pixels of jitter


def test_people_move_without_jumps(recording, moments):
    before: dict[tuple[str, int], tuple[int, float]] = {}
    steps = []
    for moment in moments:
        for truth in moment.truth:
            middle = truth.boxes[:, 0] + truth.boxes[:, 2] / 2
            for person, x in zip(truth.persons.tolist(), middle.tolist(), strict=True):
                last = before.get((truth.camera, person))
                if last and last[0] == moment.frame - 1:
                    steps.append(abs(x - last[1]) * recording.settings.fps)
                before[truth.camera, person] = moment.frame, x
    assert 20 < np.mean(steps) < 150
    assert np.max(steps) < 400  # pixels per second


def test_nobody_is_in_two_views_at_once_but_where_cameras_overlap(moments):
    for moment in moments:
        persons = np.concatenate([truth.persons for truth in moment.truth])
        assert len(np.unique(persons)) == len(persons)
    shared = Recording(preset("easy", seed=2, seconds=120.0, fps=2.0, overlaps=2, group_share=0.5))
    assert len(shared.overlaps) == 2
    twice = Counter()
    for moment in shared.moments():
        views = defaultdict(set)
        for truth in moment.truth:
            for person in truth.persons.tolist():
                views[person].add(truth.camera)
        twice.update(tuple(sorted(cameras)) for cameras in views.values() if len(cameras) > 1)
    assert twice
    assert set(twice) <= {tuple(sorted(pair)) for pair in shared.overlaps}


def test_tracker_mistakes_are_as_many_as_asked_for(moments):
    seen, truth, ghosts = 0, 0, 0
    people_of, tracks_of = defaultdict(set), defaultdict(set)
    for moment in moments:
        for sightings, persons in zip(moment.sightings, moment.persons, strict=True):
            seen, ghosts = seen + int((persons >= 0).sum()), ghosts + int((persons < 0).sum())
            for track_id, person in zip(sightings.track_ids.tolist(), persons.tolist(), strict=True):
                people_of[sightings.camera, track_id].add(person)
                tracks_of[sightings.camera, person].add(track_id)
        truth += sum(len(frame) for frame in moment.truth)
    assert 0.88 < seen / truth < 0.95
    assert 0 < ghosts < 0.05 * seen
    swapped = [people for people in people_of.values() if len(people) > 1]
    assert all(-1 not in people for people in swapped)
    assert 0 < len(swapped) < 0.1 * len(people_of)
    assert np.mean([len(tracks) for (_, person), tracks in tracks_of.items() if person >= 0]) > 1.3


def test_without_mistakes_there_are_none():
    settings = preset(
        "easy",
        seconds=60.0,
        swap_probability=0.0,
        miss_probability=0.0,
        break_every_s=1e7,
        ghosts_per_camera_minute=0.0,
        missing_probability=0.0,
    )
    people_of = defaultdict(set)
    for moment in Recording(settings).moments():
        for sightings, persons in zip(moment.sightings, moment.persons, strict=True):
            assert (sightings.embedding_of >= 0).all()
            for track_id, person in zip(sightings.track_ids.tolist(), persons.tolist(), strict=True):
                people_of[sightings.camera, track_id].add(person)
    assert all(len(people) == 1 and -1 not in people for people in people_of.values())


def test_cameras_share_a_clock_but_not_its_phase(recording, moments):
    frame_ns = 1e9 / recording.settings.fps
    first = [sightings.time_ns for sightings in moments[0].sightings]
    later = [sightings.time_ns for sightings in moments[7].sightings]
    assert 0 < max(first) - min(first) < frame_ns
    assert [b - a for a, b in zip(first, later, strict=True)] == [round(7 * frame_ns)] * len(first)


def test_most_walks_keep_to_the_declared_windows():
    recording = Recording(preset("real", seed=2, seconds=400.0, fps=2.0, dimension=32))
    visits: dict[int, list[tuple[str, float, float]]] = defaultdict(list)
    for moment in recording.moments():
        for truth in moment.truth:
            for person in truth.persons.tolist():
                now_s = truth.time_ns * 1e-9
                last = visits[person][-1] if visits[person] else None
                if last and last[0] == truth.camera and now_s - last[2] < 1.1:
                    visits[person][-1] = (truth.camera, last[1], now_s)
                else:
                    visits[person].append((truth.camera, now_s, now_s))
    walks = [(a[0], b[0], b[1] - a[2]) for row in visits.values() for a, b in pairwise(row)]
    windows = recording.windows
    declared = [windows[a, b][0] <= gap <= windows[a, b][1] for a, b, gap in walks if (a, b) in windows]
    assert 0.85 < np.mean(declared) < 0.99
    assert 0.4 < len(declared) / len(walks) < 1.0


def test_a_gate_asks_for_few_embeddings():
    counts = []
    for every_s in (None, 1.0):
        recording = Recording(preset("easy", seconds=60.0, embedding_every_s=every_s))
        rows = [(len(s), len(s.embeddings)) for moment in recording.moments() for s in moment.sightings]
        counts.append(np.sum([m for _, m in rows]) / np.sum([n for n, _ in rows]))
    assert counts[0] > 0.97
    assert 0.15 < counts[1] < 0.25  # 5 frames per second


def test_the_same_settings_give_the_same_recording_again():
    recording = Recording(preset("easy", seed=5, seconds=20.0))
    for a, b in zip(recording.moments(), Recording(recording.settings).moments(), strict=True):
        for one, other in zip(a.sightings, b.sightings, strict=True):
            assert one.boxes.tobytes() == other.boxes.tobytes()
            assert one.embeddings.tobytes() == other.embeddings.tobytes()
            assert one.track_ids.tobytes() == other.track_ids.tobytes()
    other = next(Recording(preset("easy", seed=6, seconds=20.0)).moments())
    assert other.truth[0].time_ns != next(recording.moments()).truth[0].time_ns


def test_memory_does_not_grow_with_the_frames():
    def peak(seconds: float) -> int:
        recording = Recording(preset("easy", people=60, arrival_s=200.0, seconds=seconds))
        tracemalloc.start()
        for _ in recording.moments():
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    short, long = peak(20.0), peak(80.0)
    assert long < 1.5 * short + 500_000  # all embeddings of the longer one are several MB
