"""Which of the embeddings that come in are taken as evidence, and what they change in a tracklet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.crops import Crops
from savant_reid.identity.crossings import LOOKS_EVERY_NS
from savant_reid.identity.live import LiveTracks, Seen
from savant_reid.identity.metric import Metric
from savant_reid.identity.overlaps import Overlaps
from savant_reid.identity.policy import Tuning
from savant_reid.identity.quality import crop_qualities
from savant_reid.identity.schedule import MOST_DOUBLINGS, wait_s
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.types import Sightings

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
# A crop this unlike its track, in nats, is a stranger's; counted only for tracks with so many crops, and good crops.
STRANGE_NATS = -2.0
KNOWN_CROPS = 3
STRANGER_QUALITY = 0.3
# After a crop that speaks no more for its track than this, the track is looked at as a whole for so many crops.
DOUBT_NATS = 1.0
DOUBTED = 8
# Why an embedding is no evidence.
REFUSALS = ("wrong_length", "not_finite", "zero", "out_of_range", "poor_crop")


def _lengths(vectors: Floats) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(m,) lengths of embeddings, and which of them can be brought to unit length."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
        return length, (length > 1e-12) & (length < 1e12)


class Embeddings:
    """Tells usable embeddings from broken ones; the first usable one sets the length for all.

    refused: by reason. accepted: embeddings taken as evidence.
    """

    def __init__(self) -> None:
        self.dimension: int | None = None
        self.refused: Counter[str] = Counter()
        self.accepted = 0

    def usable(self, batch: Sequence[Sightings], starts: Sequence[int]) -> tuple[Rows, Floats]:
        """Rows of the batch that have a sound embedding, and these (m, D), of unit length."""
        rows: list[Rows] = []
        vectors: list[Floats] = []
        embedding_of = np.concatenate([np.zeros(0, np.int64), *(sightings.embedding_of for sightings in batch)])
        all_rows = np.flatnonzero(embedding_of >= 0)
        ends = np.searchsorted(all_rows, starts).tolist()
        for sightings, first, last in zip(batch, ends, ends[1:], strict=False):
            if first == last:
                continue
            at = all_rows[first:last]
            given = sightings.embeddings[embedding_of[at]]
            if self.dimension is None:
                self.dimension = self._first_length(given)
            if given.shape[1] != self.dimension:
                if self.dimension is None:
                    self._refuse_broken(given)  # nothing to measure its length by
                else:
                    self.refused["wrong_length"] += len(at)
                continue
            rows.append(at)
            vectors.append(given)
        if not rows:
            return np.zeros(0, np.int64), np.zeros((0, self.dimension or 0), np.float32)
        return self._sound(np.concatenate(rows), np.asarray(np.concatenate(vectors), np.float32))

    def _sound(self, rows: Rows, vectors: Floats) -> tuple[Rows, Floats]:
        length, sound = _lengths(vectors)
        if not sound.all():
            self._refuse_broken(vectors[~sound])
            rows, vectors, length = rows[sound], vectors[sound], length[sound]
        return rows, np.asarray(vectors / length[:, None], np.float32)

    def _refuse_broken(self, vectors: Floats) -> None:
        """Each for what is wrong with itself."""
        for bad in vectors:
            finite = np.isfinite(bad).all()
            self.refused["not_finite" if not finite else "out_of_range" if bad.any() else "zero"] += 1

    def _first_length(self, given: Floats) -> int | None:
        return int(given.shape[1]) if _lengths(np.asarray(given, np.float32))[1].any() else None


class Intake:
    """Takes in the crops that are due and keeps the tracklets' looks up to date."""

    def __init__(
        self, live: LiveTracks, crops: Crops, metric: Metric, scores: ScoreModel, tuning: Tuning, embeddings: Embeddings
    ) -> None:
        self._live, self._crops, self._metric, self._scores = live, crops, metric, scores
        self._tuning, self._embeddings = tuning, embeddings
        waits_s = [wait_s(taken, tuning.crop_every_s, tuning.crop_most_s) for taken in range(2 * MOST_DOUBLINGS + 1)]
        self._waits_ns = np.array([int(one_s * 0.9e9) for one_s in waits_s], np.int64)  # by crops taken

    def take(
        self, batch: Sequence[Sightings], seen: Seen, overlaps: Overlaps, rows: Rows, vectors: Floats
    ) -> list[Tracklet]:
        """rows of the batch with sound embeddings `vectors`; returns the tracklets that have learned something."""
        slots = seen.slots[rows]
        due = (slots >= 0) & (seen.at_ns[rows] >= self._live.hungry_ns[slots])
        if not due.any():
            return []
        confidences = np.concatenate([s.confidences for s in batch])
        sizes = np.array([s.frame_size for s in batch], np.int64)
        quality = crop_qualities(seen.boxes, confidences, sizes, seen.frame_of, overlaps)[rows]
        # Written so that a quality that is no number (a broken box or confidence) is refused too.
        good = due & (quality >= self._tuning.least_quality)
        if not good.all() and (poor := int(due.sum() - good.sum())):
            self._embeddings.refused["poor_crop"] += poor
        slots, rows, vectors, quality = slots[good], rows[good], vectors[good], quality[good]
        slots, first = np.unique(slots, return_index=True)
        rows, vectors, quality = rows[first], vectors[first], quality[first]
        if not len(slots):
            return []
        return self._add(slots, vectors, quality.astype(np.float32), seen.at_ns[rows])

    def _add(self, slots: Rows, vectors: Floats, quality: Floats, at_ns: Rows) -> list[Tracklet]:
        tracklets = [t for t in (self._live.tracklets[slot] for slot in slots.tolist()) if t is not None]
        self._embeddings.accepted += len(tracklets)
        crops = np.array([tracklet.crops for tracklet in tracklets], np.int64)
        if len(begun := np.flatnonzero(crops > 0)):
            known = [tracklets[i] for i in begun.tolist()]
            self._compare(known, crops[begun], vectors[begun], quality[begun])
        for tracklet in tracklets:
            if tracklet.row < 0:
                tracklet.row = self._crops.take_row()
        rows, strangers = np.array([(t.row, t.strangers) for t in tracklets], np.int64).T
        # Where somebody else seems to have taken over, two crops of them must be there to be compared.
        self._crops.add(rows, vectors, quality, at_ns, strangers > 1)
        self.look_again(tracklets)
        # After a crossing the next look is wanted soon as well.
        asked_for = (self._live.hungry_ns[slots] == 0) | (strangers > 0)
        waits_ns = np.where(asked_for, LOOKS_EVERY_NS, self._waits_ns.take(crops, mode="clip"))
        self._live.hungry_ns[slots] = at_ns + waits_ns
        for tracklet in tracklets:
            tracklet.crops += 1
        self._live.unasked[slots] = True
        return tracklets

    def look_again(self, tracklets: Sequence[Tracklet]) -> None:
        """Work out the robust means of tracklets with crops anew."""
        rows = np.array([t.row for t in tracklets], np.int64)
        cameras = np.array([t.camera for t in tracklets], np.int64)
        means = self._crops.robust_means(rows, self._metric.means[cameras])
        for tracklet, mean in zip(tracklets, means, strict=True):
            tracklet.mean = mean

    def _compare(self, tracklets: Sequence[Tracklet], crops: Rows, vectors: Floats, quality: Floats) -> None:
        """New crops (n, D) against the looks of their tracklets, which have so many crops (n,)."""
        means = np.stack([mean for t in tracklets if (mean := t.mean) is not None])
        if len(known := np.flatnonzero((crops >= KNOWN_CROPS) & (quality >= STRANGER_QUALITY))):
            self._watch_for_strangers([tracklets[i] for i in known.tolist()], means[known], vectors[known])
        # How a crop differs from those before it teaches where nobody else seems to be in the picture.
        doubtful = np.array([t.strangers > 0 or t.doubts > 0 for t in tracklets])
        if len(calm := np.flatnonzero((crops < self._tuning.crops) & ~doubtful)):
            scale = np.sqrt(crops[calm] / (crops[calm] + 1.0)).astype(np.float32)
            self._metric.learn_crops((vectors[calm] - means[calm]) * scale[:, None])

    def _watch_for_strangers(self, tracklets: Sequence[Tracklet], means: Floats, vectors: Floats) -> None:
        """Count crops in a row that look like somebody else than their track did."""
        cameras = np.array([tracklet.camera for tracklet in tracklets], np.int64)
        before, now = (self._metric.look(self._metric.centred(cameras, raw)) for raw in (means, vectors))
        nats = self._scores.nats(np.einsum("nd,nd->n", before, now), self._scores.TRACK).tolist()
        for tracklet, value in zip(tracklets, nats, strict=True):
            tracklet.strangers = tracklet.strangers + 1 if value < STRANGE_NATS else 0
            tracklet.doubts = DOUBTED if value < DOUBT_NATS else max(0, tracklet.doubts - 1)
