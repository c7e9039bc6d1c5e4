"""Free lessons from unlabelled video: what a camera adds, who is surely two people, how long walks take."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import islice

import numpy as np

from savant_reid.identity.acceptance import Acceptance
from savant_reid.identity.candidates import Arrival, Walk
from savant_reid.identity.crops import Crops
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.live import LiveTracks, Rows
from savant_reid.identity.metric import Metric
from savant_reid.identity.overlaps import iou
from savant_reid.identity.pairs import Look
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Floats, Tracklet
from savant_reid.identity.transits import Transits
from savant_reid.identity.types import Reason

# Two boxes of one camera that overlap more than this may be one person detected twice: no proof of two people.
SAME_PERSON_IOU = 0.3
# Strangers compared with each tracklet, and tracklets compared with some in one moment: a few tell of all.
STRANGERS = 4
MOST_COMPARED = 8
# Crops before a tracklet teaches anything.
LEAST_CROPS = 3
# A walk less probable teaches nothing.
LEAST_SHARE = 0.01
# A gap this short in one camera is the tracker's doing; it says nothing about how a person varies between visits.
FRAGMENT_S = 4.0


class Lessons:
    """Each tracklet teaches once, when it is first lost; its camera learns of it as soon as it has some crops."""

    def __init__(
        self,
        live: LiveTracks,
        crops: Crops,
        gallery: Gallery,
        metric: Metric,
        scores: ScoreModel,
        transits: Transits,
        topology: Topology,
        acceptance: Acceptance,
    ) -> None:
        self._live, self._crops, self._gallery, self._metric = live, crops, gallery, metric
        self._scores, self._transits, self._topology = scores, transits, topology
        self._acceptance = acceptance
        self._turn = 0

    def of_camera(self, learned: Sequence[Tracklet]) -> None:
        """Tracklets that have just got their LEAST_CROPS-th crop show what their camera adds to everybody."""
        known = [tracklet for tracklet in learned if tracklet.crops == LEAST_CROPS and tracklet.mean is not None]
        for tracklet in known:
            self._metric.learn_camera(tracklet.camera, _mean(tracklet))
        self._of_strangers(known[:MOST_COMPARED])

    def of(self, tracklet: Tracklet) -> None:
        """A tracklet is lost for the first time: what was decided about it teaches where and how people walk."""
        if tracklet.taught:
            return
        tracklet.taught = True
        nobody = not tracklet.global_id and tracklet.unmatched is not Reason.NOT_ENROLLED
        if tracklet.mean is None or nobody:
            return
        if 0 < tracklet.crops < LEAST_CROPS:
            self._metric.learn_camera(tracklet.camera, tracklet.mean)
        self._of_halves(tracklet)
        walks = tracklet.considered.walks(LEAST_SHARE) if tracklet.considered is not None else ()
        self._of_decision(walks)
        for walk in walks:
            if walk.arrival is None:
                self._transits.newcomer(tracklet.camera, walk.probability)
            else:
                self._of_walk(tracklet, walk, walk.arrival)

    def _of_decision(self, walks: Sequence[Walk]) -> None:
        """How probable the best known answer was, and a newcomer."""
        known = max((walk.probability for walk in walks if walk.global_id), default=0.0)
        newcomer = sum(walk.probability for walk in walks if not walk.global_id)
        self._acceptance.learn(known, newcomer)

    def _of_walk(self, tracklet: Tracklet, walk: Walk, arrival: Arrival) -> None:
        """One explanation of where it came from, counted as far as it is probable."""
        self._transits.walk(arrival.camera, tracklet.camera, arrival.gap_s, walk.probability)
        row = self._gallery.row_of(walk.global_id)
        fragment = arrival.camera == tracklet.camera and arrival.gap_s < FRAGMENT_S
        if row is not None and self._gallery.count[row] and not fragment:
            self._of_match(tracklet, row, walk.probability)

    def departed(self, tracklet: Tracklet) -> None:
        """A tracklet has ended for good."""
        if tracklet.global_id:
            self._transits.departure(tracklet.camera)

    def _of_match(self, tracklet: Tracklet, row: int, probability: float) -> None:
        """What one person looks like twice: with all the crops of now, with one, and with two."""
        gallery, metric = self._gallery, self._metric
        centroid = gallery.centroids(np.array([row]))[0]
        camera, visits = int(gallery.last_camera[row]), int(gallery.count[row])
        theirs = Look(centroid + metric.means[camera], camera)  # as if that camera had seen all of it
        n = int(self._crops.count[tracklet.row]) if tracklet.row >= 0 else 0
        for crops in sorted({1, 2, tracklet.crops} if n >= LEAST_CROPS else {tracklet.crops}):
            few = crops < tracklet.crops
            raw = self._crops.vectors[tracklet.row, :crops].mean(axis=0) if few else _mean(tracklet)
            self._scores.learn_same(Look(raw, tracklet.camera), theirs, probability, crops, visits)
        metric.learn_match(_mean(tracklet) - metric.means[tracklet.camera], centroid, float(visits), probability)

    def _of_halves(self, tracklet: Tracklet) -> None:
        """A track is alike to itself: the earlier half of its crops against the later one."""
        n = int(self._crops.count[tracklet.row]) if tracklet.row >= 0 else 0
        if n < 2 * LEAST_CROPS - 2:
            return
        vectors = self._crops.vectors[tracklet.row, :n]
        early, late, others = (Look(raw, tracklet.camera) for raw in _parts(n) @ vectors)
        self._scores.learn_halves(early, late)
        self._scores.learn_crop(Look(vectors[0], tracklet.camera), others)

    def _of_strangers(self, tracklets: Sequence[Tracklet]) -> None:
        """People on screen at once, where no view is shared, are different people."""
        if not tracklets or len(slots := self._on_screen()) < 2:
            return
        pairs = []
        for tracklet in tracklets:
            turned = (self._live.tracklets[slots[(self._turn + step) % len(slots)]] for step in range(len(slots)))
            others = (other for other in turned if other is not None and self._shows_two(tracklet, other))
            pairs += [(tracklet, other) for other in islice(others, STRANGERS)]
            self._turn += 7
        for (tracklet, _), look in zip(pairs, self._present_looks([other for _, other in pairs]), strict=True):
            self._scores.learn_strangers(Look(_mean(tracklet), tracklet.camera), look)

    def _shows_two(self, tracklet: Tracklet, other: Tracklet) -> bool:
        return other.mean is not None and self._surely_two(tracklet, other)

    def strangers_of(self, tracklet: Tracklet) -> list[Tracklet]:
        """Everybody on screen who is surely somebody else and has a look.

        Only those before other cameras, where there are any that share no view: people of one camera stand before one
        another and are swapped by the tracker, so that crops of one are mixed with the other's.
        """
        slots = self._on_screen()
        apart = ~self._topology.overlap[tracklet.camera]
        apart[tracklet.camera] = False
        if apart.any():
            slots = slots[apart[self._live.camera[slots]]]
        others = (self._live.tracklets[slot] for slot in slots.tolist())
        return [other for other in others if other is not None and self._shows_two(tracklet, other)]

    def _on_screen(self) -> Rows:
        slots = self._live.used_slots()
        return slots[self._live.unseen_s(slots) <= 0.1]

    def _present_looks(self, tracklets: Sequence[Tracklet]) -> list[Look]:
        """What their identities look like in the gallery, else what they look like themselves."""
        gallery = self._gallery
        rows = [gallery.row_of(t.global_id) if t.global_id else None for t in tracklets]
        looks = [Look(_mean(tracklet), tracklet.camera) for tracklet in tracklets]
        at = [i for i, row in enumerate(rows) if row is not None and gallery.count[row]]
        for i, look in zip(at, self._gallery_looks([row for i in at if (row := rows[i]) is not None]), strict=True):
            looks[i] = look
        return looks

    def _gallery_looks(self, rows: Sequence[int]) -> list[Look]:
        """Identities' centroids, as if the cameras that saw them last had seen all of them."""
        if not rows:
            return []
        cameras = self._gallery.last_camera[rows]
        raw = self._gallery.centroids(np.array(rows)) + self._metric.means[cameras]
        return [Look(one, camera) for one, camera in zip(raw, cameras.tolist(), strict=True)]

    def _surely_two(self, a: Tracklet, b: Tracklet) -> bool:
        if a is b or (a.global_id and a.global_id == b.global_id):
            return False
        if a.camera != b.camera:
            return not self._topology.can_share(a.camera, b.camera)
        boxes = self._live.box
        return iou(boxes[a.slot].tolist(), boxes[b.slot].tolist()) <= SAME_PERSON_IOU


@cache
def _parts(n: int) -> Floats:
    """(3, n) weights of n crops in the means of the earlier half, of the later one, and of all but the first."""
    place, half = np.arange(n), n // 2
    parts = np.stack([place < half, place >= half, place > 0]).astype(np.float32)
    return np.asarray(parts / parts.sum(axis=1, keepdims=True))


def _mean(tracklet: Tracklet) -> Floats:
    """(D,) its look; only asked of tracklets that have one."""
    if tracklet.mean is None:
        raise ValueError(f"tracklet {tracklet.serial} has no crop yet")
    return tracklet.mean
