"""Fast scores against those of `savant_reid.evaluation` (py-motmetrics; HOTA checked against TrackEval there)."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.bench.answers import Answers
from savant_reid.bench.rows import Rows
from savant_reid.bench.scores import count_together, idf1, score
from savant_reid.evaluation import Tracks, evaluate
from tests.bench.scenes import make_rows


def random_scene(seed: int) -> tuple[Rows, np.ndarray, dict[int, int]]:
    """Everybody moves between cameras; tracks break and swap; ids are right by half, some shared, some missing."""
    rng = np.random.default_rng(seed)
    seen, said = [], []
    missed: dict[int, int] = {}
    for second in range(25):
        for camera in range(2):
            for person in np.flatnonzero(rng.random(7) < 0.5).tolist():
                if rng.random() < 0.15:
                    missed[person] = missed.get(person, 0) + 1
                    continue
                track = 10 * person + second // 8 if rng.random() < 0.9 else 10 * ((person + 1) % 7) + 9
                if any(other[:3] == (camera, float(second), track) for other in seen):
                    continue
                seen.append((camera, float(second), track, person, None))
                said.append(int(rng.choice([person, rng.integers(0, 9), -1], p=[0.6, 0.25, 0.15])))
            if rng.random() < 0.3:
                seen.append((camera, float(second), 900 + second // 5, -1, None))
                said.append(int(rng.choice([-1, 3])))
    order = sorted(range(len(seen)), key=lambda i: (seen[i][1], seen[i][0]))
    return make_rows(seen, missed), np.array(said)[order], missed


def as_tracks(rows: Rows, global_id: np.ndarray, person: bool, missed: dict[int, int]) -> Tracks:
    """The same scene with boxes, everybody in a column of their own; false detections far to the right."""
    keep = rows.person >= 0 if person else np.ones(len(rows), bool)
    left = np.where(rows.person >= 0, rows.person * 100, 5000 + rows.track * 100)[keep]
    extra = [(p, i) for p, count in missed.items() for i in range(count)] if person else []
    # Missed boxes stand in frames of their own.
    frame = np.concatenate([rows.time_ns[keep] // 10**9, [1000 + 100 * p + i for p, i in extra]]).astype(np.int64)
    n = len(frame)
    boxes = np.zeros((n, 4))
    boxes[:, 0] = np.concatenate([left, [p * 100 for p, _ in extra]])
    boxes[:, 2:] = 10
    ids = np.concatenate([(rows.person if person else global_id)[keep], [p for p, _ in extra]]).astype(np.int64)
    track = np.concatenate([rows.track_ids[rows.track][keep], np.full(len(extra), -1)]).astype(np.int64)
    camera = np.concatenate([rows.camera[keep], np.zeros(len(extra))]).astype(np.int64)
    return Tracks(rows.cameras, camera, frame, track, ids, boxes, np.ones(n), frame * 10**9)


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_evaluation(seed: int) -> None:
    rows, said, missed = random_scene(seed)
    truth, result = as_tracks(rows, said, True, missed), as_tracks(rows, said, False, missed)
    expected = evaluate(truth, result, per_camera=False).overall
    ours = score(rows, Answers(said, said >= 0))
    assert [ours.idf1, ours.idp, ours.idr] == pytest.approx([expected.idf1, expected.idp, expected.idr], abs=1e-12)
    assert [ours.hota, ours.deta, ours.assa] == pytest.approx([expected.hota, expected.deta, expected.assa], abs=1e-9)
    assert ours.shared_ids == expected.shared_ids
    assert ours.people == expected.truth_identities
    assert idf1(rows, Answers(said, said >= 0)) == ours.idf1


def test_everything_right_is_one() -> None:
    rows, _, _ = random_scene(1)
    rows = make_rows([(0, float(s), 1, 0, None) for s in range(5)] + [(1, float(s), 1, 1, None) for s in range(5)])
    ours = score(rows, Answers(rows.person + 10, rows.person >= 0))
    assert (ours.idf1, ours.hota, ours.identities, ours.people, ours.shared_ids) == (1.0, 1.0, 2, 2, 0)


def test_one_identity_for_all_counts_once() -> None:
    """Two people of four rows each under one name: half of the rows are right."""
    rows = make_rows([(p, float(s), 1, p, None) for p in range(2) for s in range(4)])
    assert score(rows, Answers(np.zeros(8, np.int64), np.ones(8, bool))).idf1 == 0.5


def test_assignment_is_the_best_one_not_the_greedy_one() -> None:
    """Greedy takes the pair of 5 and leaves 0 for the rest; 4 and 4 is better."""
    called = {0: [7] * 5 + [8] * 4, 1: [7] * 4}
    seen = [(p, float(s), s, p, None) for p, ids in called.items() for s in range(len(ids))]
    rows = make_rows(seen)
    said = np.array([called[int(p)][int(t // 10**9)] for p, t in zip(rows.person, rows.time_ns, strict=True)])
    ours = score(rows, Answers(said, said >= 0))
    assert ours.idr == pytest.approx(8 / 13)


def test_twenty_thousand_people_are_scored() -> None:
    """Sparse: 20,000 people with three tracks each, a tenth of them named after somebody else."""
    rng = np.random.default_rng(5)
    person = np.repeat(np.arange(20_000), 3)
    n = len(person)
    said = np.where(rng.random(n) < 0.1, rng.integers(0, 20_000, n), person)
    zeros = np.zeros(n, np.int64)
    empty = np.zeros((0, 8), np.float32)
    size = np.full(20_000, 3)
    rows = Rows(
        ("a",),
        np.arange(n),
        zeros,
        np.arange(n),
        np.arange(n),
        person,
        np.arange(n),
        zeros - 1,
        empty,
        empty[:, 0],
        size,
    )
    ours = score(rows, Answers(said, said >= 0))
    together = count_together(rows, np.unique(said, return_inverse=True)[1])
    assert 0.85 < ours.idf1 < 0.95
    assert ours.idr * n >= together.rows[together.person == np.unique(said)[together.identity]].sum()
