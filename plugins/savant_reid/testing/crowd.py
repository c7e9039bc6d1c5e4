"""Everybody in view at this moment, of all cameras at once, and what the cameras make of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.testing.appearance import BEHIND, Appearance, sharpness_of
from savant_reid.testing.boxes import (
    Covering,
    boxes_at,
    clipped,
    covered_share,
    covering,
    draw_paths,
    segment_at,
)
from savant_reid.testing.ghosts import Ghosts
from savant_reid.testing.routes import Visits
from savant_reid.testing.settings import RecordingSettings
from savant_reid.testing.tracker import Tracker

Bools = NDArray[np.bool_]
Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]

JITTER_PX = 2.0
CONFIDENCE_BETA = (16.0, 4.0)  # mean 0.8
GATE_COVERED = 0.5  # a gate waits for a better crop of who is covered more
_MOTION_STREAM, _TRACKER_STREAM, _GHOST_STREAM = 3, 4, 5


class Seen(NamedTuple):
    """One moment of all cameras, rows in the order of (camera, track_id); truth rows in the order of the camera.

    person: -1 for a ghost. embedding_of: row in `embeddings`, ascending, or -1.
    """

    camera: Int64s
    track_id: Int64s
    person: Int64s
    boxes: Float32s
    confidence: Float32s
    embedding_of: Int64s
    embeddings: Float32s
    truth_camera: Int64s
    truth_person: Int64s
    truth_boxes: Float32s


class Crowd:
    """The people in view, as columns of equal length in the order of their cameras."""

    def __init__(self, settings: RecordingSettings, visits: Visits) -> None:
        seed = settings.seed
        self._settings = settings
        self._visits = visits
        self._entered = 0
        self._rng = np.random.default_rng([seed, _MOTION_STREAM])
        self.phases_s = self._rng.uniform(0.0, 0.9 / settings.fps, settings.cameras)
        self._tracker = Tracker(settings, np.random.default_rng([seed, _TRACKER_STREAM]))
        ghost_rng = np.random.default_rng([seed, _GHOST_STREAM])
        self._ghosts = Ghosts(settings.cameras, settings.ghosts_per_camera_minute, settings.fps, ghost_rng)
        self._looks = Appearance(
            settings.cameras, settings.dimension, settings.people, settings.look_alike_share, settings.seed
        )
        none = np.zeros(0, np.int64)
        self._row = none  # in visits
        self._paths = draw_paths(np.zeros(0), none, settings.heights_px[1], self._rng)
        self._tracks = self._tracker.start(np.zeros(0))
        self._slot = none
        self._embeds_s = np.zeros(0)

    def step(self, frame: int) -> Seen:
        """Move on to the frame, which must follow the last one, and look."""
        now_s = frame / self._settings.fps
        self._leave(now_s)
        self._enter(now_s + 1.0 / self._settings.fps)
        visits = self._visits.rows(self._row)
        time_s = now_s + self.phases_s[visits.camera]
        visible = (time_s >= visits.start_s) & (time_s < visits.end_s)
        boxes, depth = boxes_at(self._paths, time_s - visits.start_s, self._settings.heights_px)
        # Who is not in view yet, or no longer, covers nobody.
        boxes[~visible] = -1.0, -1.0, 1e-3, 1e-3
        pairs = covering(visits.camera, boxes, depth)
        covered = covered_share(pairs, len(boxes))
        found = self._tracker.detect(self._tracks, visits.camera, covered, time_s, visible)
        self._tracker.cross(self._tracks, self._row, pairs)
        return self._look(now_s, visits, boxes, pairs, covered, np.flatnonzero(found), np.flatnonzero(visible))

    def _leave(self, now_s: float) -> None:
        over = self._visits.end_s[self._row] <= now_s
        if over.any():
            self._looks.leave(self._slot[over])
            self._keep(np.flatnonzero(~over))

    def _keep(self, rows: Int64s) -> None:
        self._row, self._slot, self._embeds_s = self._row[rows], self._slot[rows], self._embeds_s[rows]
        self._paths = self._paths.rows(rows)
        self._tracks = self._tracks.rows(rows)

    def _enter(self, until_s: float) -> None:
        last = int(np.searchsorted(self._visits.start_s, until_s))
        if last == self._entered:
            return
        new = np.arange(self._entered, last)
        self._entered = last
        visits = self._visits.rows(new)
        paths = draw_paths(visits.end_s - visits.start_s, visits.together, self._settings.heights_px[1], self._rng)
        self._row = np.concatenate([self._row, new])
        self._slot = np.concatenate([self._slot, self._looks.enter(visits.person, visits.camera, until_s)])
        self._embeds_s = np.concatenate([self._embeds_s, np.full(len(new), -np.inf)])
        self._paths = self._paths.join(paths)
        self._tracks = self._tracks + self._tracker.start(np.maximum(visits.start_s, 0.0))
        self._keep(np.argsort(self._visits.camera[self._row], kind="stable"))

    def _look(
        self,
        now_s: float,
        visits: Visits,
        boxes: Float64s,
        pairs: Covering,
        covered: Float64s,
        found: Int64s,
        visible: Int64s,
    ) -> Seen:
        """Rows of those found (k,) and of the ghosts, sorted; truth of all who are visible."""
        rng = self._rng
        time_s = now_s + self.phases_s[visits.camera]
        jitter = rng.normal(0.0, JITTER_PX, (len(found), 4)) * (1.0 + covered[found, None])
        detected = clipped(boxes[found] + jitter)
        confidence = rng.beta(*CONFIDENCE_BETA, len(found)) * (1.0 - 0.5 * covered[found])
        wanted = self._wants_embedding(found, covered, time_s)
        embeddings = self._embed(found[wanted], visits, boxes, pairs, covered, time_s)
        ghosts = self._ghosts.step(now_s, self._tracker)
        haunted = rng.random(len(ghosts[0])) < 1.0 / (self._settings.fps * (self._settings.embedding_every_s or 1e-9))
        embeddings = np.concatenate([embeddings, self._looks.backgrounds(ghosts[0][haunted])])
        has = np.concatenate([wanted, haunted])
        camera = np.concatenate([visits.camera[found], ghosts[0]])
        track_id = np.concatenate([self._tracks.track_id[found], ghosts[1]])
        order = np.lexsort([track_id, camera])
        source = np.where(has, np.cumsum(has) - 1, -1)[order]
        kept = source >= 0
        return Seen(
            camera[order],
            track_id[order],
            np.concatenate([visits.person[found], np.full(len(haunted), -1)])[order],
            np.concatenate([detected, ghosts[2]])[order].astype(np.float32),
            np.concatenate([confidence, ghosts[3]])[order].astype(np.float32),
            np.where(kept, np.cumsum(kept) - 1, -1),
            embeddings[source[kept]],
            visits.camera[visible],
            visits.person[visible],
            boxes[visible].astype(np.float32),
        )

    def _wants_embedding(self, found: Int64s, covered: Float64s, time_s: Float64s) -> Bools:
        """(k,) of those found, who gets an embedding now: all but the lost ones, or as a gate would."""
        every_s = self._settings.embedding_every_s
        kept = self._rng.random(len(found)) >= self._settings.missing_probability
        if every_s is None:
            return kept
        due = (time_s[found] >= self._embeds_s[found]) & (covered[found] <= GATE_COVERED)
        rows = found[due]
        self._embeds_s[rows] = time_s[rows] + every_s * self._rng.uniform(0.8, 1.2, len(rows))
        return kept & due

    def _embed(
        self, rows: Int64s, visits: Visits, boxes: Float64s, pairs: Covering, covered: Float64s, time_s: Float64s
    ) -> Float32s:
        """(k, D) for `rows` (k,): each person mixed with those who cover it or stand behind it in its box."""
        everybody = len(boxes)
        place = np.full(everybody, -1)
        place[rows] = np.arange(len(rows))
        # A crop shows who stands in front, and a little of who stands behind.
        of = np.concatenate([pairs.behind, pairs.before])
        other = np.concatenate([pairs.before, pairs.behind])
        weight = np.concatenate([pairs.of_behind, BEHIND * pairs.of_before])
        asked = place[of] >= 0
        of, other, weight = of[asked], other[asked], weight[asked]
        needed = np.zeros(everybody, bool)
        needed[rows] = needed[other] = True
        shown = np.flatnonzero(needed)
        sharp = sharpness_of(boxes[:, 3])
        segment = segment_at(self._paths, time_s - visits.start_s)
        modes = self._paths.mode[np.arange(everybody), segment]
        clean = np.zeros((everybody, self._settings.dimension), np.float32) if len(other) else None
        looks = self._looks.clean(self._slot[shown], modes[shown], time_s[shown], sharp[shown])
        if clean is None:
            crops = looks
        else:
            clean[shown] = looks
            total = np.bincount(of, weight, everybody)
            # Several who cover the same part of a box count once: together at most what is covered, and something.
            limit = np.minimum(total, np.minimum(0.9, covered + BEHIND * (1 - covered)))
            scale = limit / np.maximum(total, 1e-9)
            crops = clean[rows] * (1.0 - limit[rows, None]).astype(np.float32)
            mixed = (weight * scale[of]).astype(np.float32)[:, None] * clean[other]
            np.add.at(crops, place[of], mixed)
        blurred = self._rng.random(len(rows)) < self._settings.blur_probability
        return self._looks.finish(crops, sharp[rows], blurred)
