"""How embeddings are compared: without what a camera's light adds, and with less weight on what varies in one person.

Two lessons from the site's own unlabelled video:

* Test-time camera debiasing (arXiv 2502.10195) in its simplest form: subtract the camera's mean embedding.
  Every tracklet counts once, however long it stays.
* Within-class covariance normalisation (Hatch et al., Interspeech 2006): directions in which one person differs from
  visit to visit (sides, light, pose) weigh less. The covariance is learned from the engine's own matches, shrunk
  towards a prior: the covariance of all tracklets, by which whitening needs no match at all (Jegou and Chum, ECCV
  2012), itself shrunk while few people are known, so that the first ones are not explained away: towards how the crops
  of one track differ. Those come by the hundred in the first minute, know of nobody (their track's mean is taken off)
  and spread along much the same directions. Before the first crops all directions are alike. A wrong match only adds a
  little of the total covariance, so mistakes do not run away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.learned import MetricLessons

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
# Tracklets that the prior (zero for the site, the site's mean for a camera) is worth: the first people must not be
# explained away by themselves.
SITE_PRIOR = 4.0
CAMERA_PRIOR = 8.0
# Old light fades: the mean follows about the last so many tracklets of a camera.
MEMORY = 500.0
# The lessons are put to use again when they are so many times what they were, or what is remembered of them: each time
# the whole gallery is seen anew.
GROWTH = 1.3
# Matches that the prior is worth, people that its own prior (how crops differ) is worth, and crops that the prior of
# this ("all directions alike") is worth: multiples of the dimension ...
WITHIN_PRIOR = 0.5
TOTAL_PRIOR = 0.5
CROP_PRIOR = 0.5
# ... after so many of which, crops teach nothing new ...
MOST_CROPS = 16.0
# The share of all variance that lies within people, before there are matches.
WITHIN_SHARE = 0.33
# ... and the share of the mean eigenvalue that is added to all, against directions that seem not to vary at all.
RIDGE = 0.5
# Old matches fade after about so many, as a multiple of the dimension.
WITHIN_MEMORY = 20.0
FOLD = 256
# A camera drifts when the mean of its last tracklets is so many times further from the long mean than chance has it.
RECENT = 32
DRIFT = 4.0


@dataclass
class _Recent:
    """The latest tracklets of a camera, for the drift alarm."""

    total: NDArray[np.float64]
    squares: float = 0.0
    count: int = 0


class Metric:
    """Learned once, used by all. `version` grows whenever what is in use changes.

    normalise: take the cameras' means away; within: weigh directions (both are there for ablations).
    """

    def __init__(self, cameras: int, dimension: int, *, normalise: bool = True, within: bool = True) -> None:
        self.version = 0
        self.dimension = dimension
        # The last is the mean of the cameras' means, for looks from elsewhere (index -1).
        self.means = np.zeros((cameras + 1, dimension), np.float32)
        self.drifts = np.zeros(cameras, np.int64)
        self._normalise, self._use_within = normalise, within
        self._sums = np.zeros((cameras, dimension))
        self._counts = np.zeros(cameras)
        self._recent = [_Recent(np.zeros(dimension)) for _ in range(cameras)]
        self._seen = 0.0
        self._due = 1.0
        self._within = np.zeros((dimension, dimension), np.float32)
        self._matches = 0.0
        self._residuals: list[Floats] = []
        self._total = np.zeros((dimension, dimension), np.float32)
        self._totalled = 0.0
        self._tracklets: list[Floats] = []
        self._wobble = np.zeros((dimension, dimension), np.float32)
        self._wobbled = 0
        self._crops: list[Floats] = []
        self._transform: Floats | None = None
        self._people_before = 0.0

    def centred(self, cameras: Rows, raw: Floats) -> Floats:
        """(n, D) raw means of crops without the means of their cameras (n,)."""
        return np.asarray(raw - self.means[cameras], np.float32)

    def look(self, centred: Floats) -> Floats:
        """(n, D) unit vectors whose inner products are similarities, of centred ones."""
        return unit(centred if self._transform is None else centred @ self._transform)

    def learn_camera(self, camera: int, raw: Floats) -> None:
        """One more tracklet's mean embedding (D,), not centred."""
        if not self._normalise:
            return
        fade = min(1.0, MEMORY / (self._counts[camera] + 1.0))
        self._sums[camera] += raw
        self._sums[camera] *= fade
        self._counts[camera] = (self._counts[camera] + 1.0) * fade
        self._watch(camera, raw)
        self._tracklets.append(raw - self.means[camera])
        self._seen += 1.0
        if len(self._tracklets) >= FOLD:
            self._fold()

    def learn_match(self, a: Floats, b: Floats, prototypes: float, probability: float) -> None:
        """Two centred looks at one person (D,), as far as we can tell; b is a mean of so many prototypes."""
        if not self._use_within:
            return
        scale = (probability / (1.0 + 1.0 / max(prototypes, 1.0))) ** 0.5
        self._residuals.append(((a - b) * scale).astype(np.float32))
        self._matches += probability
        self._seen += probability
        if len(self._residuals) >= FOLD:
            self._fold()

    def learn_crops(self, steps: Floats) -> None:
        """(n, D) what crops have beside the mean of the earlier ones of their track, as far as one crop strays."""
        if self._use_within and self._wobbled < MOST_CROPS * self.dimension:
            self._crops.append(steps)
            self._wobbled += len(steps)
            if len(self._crops) >= FOLD:
                self._fold()

    def refresh(self, people: int) -> bool:
        """Put to use what has been learned, if it is time; True if anything changed. people: known by now."""
        if self._seen < self._due:
            return False
        self._due = self._seen + (GROWTH - 1.0) * min(self._seen, MEMORY * len(self._counts)) + 1.0
        site = self._sums.sum(axis=0) / (self._counts.sum() + SITE_PRIOR)
        counts = self._counts[:, None]
        means = (self._sums + CAMERA_PRIOR * site) / (counts + CAMERA_PRIOR)
        self.means = np.concatenate([means, means.mean(axis=0)[None]]).astype(np.float32)
        self._fold()
        if self._use_within:
            self._transform = self._inverse_root(people + self._people_before)
        self.version += 1
        return True

    def forget_looks(self) -> None:
        """Somebody is to be erased: keep no single vector, only sums of many."""
        self._fold()

    def learned(self, people: int) -> MetricLessons:
        """All that has been learned so far. people: known by now."""
        self._fold()
        total = self._total / np.float32(max(self._totalled, 1.0))
        known = people + self._people_before
        return MetricLessons(
            self._sums.copy(), self._counts.copy(), self._within.copy(), self._matches, np.asarray(total), known
        )

    def start_from(self, lessons: MetricLessons) -> None:
        """Begin with what was learned before, by cameras as of now."""
        if self._normalise:
            self._sums, self._counts = lessons.sums.copy(), lessons.counts.copy()
            self._totalled = float(self._counts.sum())
            self._total = np.asarray(lessons.total * np.float32(self._totalled), np.float32)
        if self._use_within:
            self._within, self._matches = lessons.within.copy(), lessons.matches
        if self._counts.any():
            self._people_before = lessons.people
            self._seen = float(self._counts.sum()) + self._matches
            self._due = 0.0
            self.refresh(0)

    def _fold(self) -> None:
        if self._residuals:
            rows = np.stack(self._residuals)
            self._within += rows.T @ rows
            self._residuals = []
        if self._tracklets:
            rows = np.stack(self._tracklets)
            self._total += rows.T @ rows
            self._totalled += len(rows)
            self._tracklets = []
        if self._crops:
            rows = np.concatenate(self._crops)
            self._wobble += rows.T @ rows
            self._crops = []
        most = WITHIN_MEMORY * self.dimension
        if self._matches > most:
            self._within *= most / self._matches
            self._matches = most
        most = MEMORY * len(self._counts)
        if self._totalled > most:
            self._total *= most / self._totalled
            self._totalled = most

    def _inverse_root(self, people: float) -> Floats:
        """(D, D) with which x @ T has the same within-class covariance in every direction."""
        d = self.dimension
        alike = np.eye(d, dtype=np.float32)
        trust = np.float32(self._wobbled / (self._wobbled + CROP_PRIOR * d))
        scale = np.float32(max(float(np.trace(self._wobble)) / d, 1e-12))
        shape = trust * self._wobble / scale + (1 - trust) * alike
        total = self._total / max(self._totalled, 1.0)
        level = np.float32(np.trace(total) / d)
        trust = np.float32(people / (people + TOTAL_PRIOR * d))
        prior = WITHIN_SHARE * (trust * total + (1 - trust) * level * shape)
        trust = np.float32(self._matches / (self._matches + WITHIN_PRIOR * d))
        covariance = trust * self._within / np.float32(max(self._matches, 1.0)) + (1 - trust) * prior
        covariance += np.float32(RIDGE * np.trace(covariance) / d) * alike
        root = np.linalg.cholesky(covariance.astype(np.float64))
        return np.ascontiguousarray(np.linalg.inv(root).T, np.float32)

    def _watch(self, camera: int, raw: Floats) -> None:
        """Sound the alarm, and follow at once, when a camera's light has changed for good."""
        recent = self._recent[camera]
        recent.total += raw
        recent.squares += float(raw @ raw)
        recent.count += 1
        if recent.count < RECENT:
            return
        mean = recent.total / recent.count
        spread = max(recent.squares / recent.count - float(mean @ mean), 1e-9)
        if self._counts[camera] > 2 * RECENT:
            step = mean - self._sums[camera] / self._counts[camera]
            chance = spread / recent.count
            if float(step @ step) > DRIFT * chance:
                self.drifts[camera] += 1
                self._sums[camera], self._counts[camera] = recent.total.copy(), float(recent.count)
                self._due = self._seen
        self._recent[camera] = _Recent(np.zeros(self.dimension))


def unit(vectors: Floats) -> Floats:
    """(…, D) of unit length; zero stays zero."""
    length = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))
    return np.asarray(vectors / np.maximum(length, 1e-12)[..., None], np.float32)
