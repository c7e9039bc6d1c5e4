"""People who are known by name from the start: a closed set, or a watchlist within an open one.

They are identities like others, with three differences. Their first prototypes are what they were enrolled with, and
stay at least half of what they look like. They never expire and are never merged with one another. And nobody is taken
for one of them on odds alone: the similarity to what they were enrolled with must be one that strangers reach with no
more than the asked probability, told from the site's own pairs of strangers (tail.py) and divided among all who are
enrolled (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.gallery import Gallery
from savant_reid.identity.ledger import Ledger
from savant_reid.identity.metric import Metric
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.tail import StrangerTail
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.types import EventKind

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
# Stands for a camera where there is none: a picture from elsewhere, or somebody not seen yet. As an index into the
# metric's means it is the site's own mean; as a block of the search it is one of its own.
ELSEWHERE = -1
# Whoever is enrolled was there before anybody else: when two identities turn out to be one, theirs lives on.
BEFORE_ALL_NS = -(2**61)
# A track shows how alike strangers are when it has so many crops.
LEARNED_AT = (3, 6)


@dataclass(frozen=True)
class EnrolledPerson:
    """embeddings: (n, D) float32, n >= 1, as the model gave them. cameras: (n,) indices; ELSEWHERE is none of them."""

    global_id: int
    name: str
    embeddings: Floats
    cameras: tuple[int, ...]


@dataclass(frozen=True)
class Enrolment:
    """people: each with a global_id of their own. target_fpir: asked probability that a stranger is taken for one of
    them. closed: nobody else gets an identity."""

    people: tuple[EnrolledPerson, ...]
    target_fpir: float
    closed: bool

    @property
    def dimension(self) -> int | None:
        """D, or None where nobody is enrolled."""
        return int(self.people[0].embeddings.shape[1]) if self.people else None

    @property
    def names(self) -> dict[int, str]:
        """By global_id."""
        return {person.global_id: person.name for person in self.people}


class Entry:
    """Who may be taken for whom: the least similarity asked for each identity. names: of the enrolled, by global_id.

    similarity_threshold: asked of every match, by a user who wants one (Policy).
    """

    def __init__(
        self,
        scores: ScoreModel,
        gallery: Gallery,
        metric: Metric,
        enrolment: Enrolment | None,
        similarity_threshold: float | None,
    ) -> None:
        self._scores, self._gallery, self._metric = scores, gallery, metric
        self.names: dict[int, str] = enrolment.names if enrolment else {}
        self.closed = enrolment is not None and enrolment.closed
        self._share = enrolment.target_fpir / max(len(enrolment.people), 1) if enrolment else 0.0
        self._least = -np.inf if similarity_threshold is None else similarity_threshold
        self._tail = StrangerTail()
        self._fitted_for: tuple[float, float] | None = None
        self._floor = np.inf
        self._looks: dict[int, Floats] = {}
        self._looks_of = -1

    @property
    def is_open(self) -> bool:
        """True if nothing is asked beyond odds."""
        return not self.names and self._least == -np.inf

    def floor(self) -> float:
        """The similarity asked of a match with somebody enrolled."""
        moments = self._scores.stranger_moments
        if moments is not self._fitted_for:  # a new tuple with every refit
            self._floor = self._tail.least_similarity(moments, self._share)
            self._fitted_for = moments
        return self._floor

    def learn_from(self, learned: Sequence[Tracklet], strangers_of: Callable[[Tracklet], Sequence[Tracklet]]) -> None:
        """Tracklets that have just got a crop, and who else is surely somebody else than each."""
        for tracklet in learned:
            if tracklet.crops in LEARNED_AT and (others := strangers_of(tracklet)):
                self._learn_strangers(tracklet, others)

    def _learn_strangers(self, tracklet: Tracklet, others: Sequence[Tracklet]) -> None:
        raw = np.stack([t.mean for t in (tracklet, *others) if t.mean is not None])
        looks = self._metric.look(self._metric.centred(np.array([t.camera for t in (tracklet, *others)]), raw))
        self._tail.learn(np.asarray(looks[1:] @ looks[0], np.float64), self._scores.stranger_moments)

    def admits(
        self, global_ids: Sequence[int], similarities: Floats | Doubles, look: Floats | None
    ) -> NDArray[np.bool_]:
        """(n,) which of these matches are alike enough.

        similarities: (n,) to the identities as they are now. look: (D,) of who is asked about, None for who has none.
        """
        enough = np.asarray(similarities >= self._least)
        enrolled = [i for i, global_id in enumerate(global_ids) if global_id in self.names]
        if enrolled and look is None:
            enough[enrolled] = False
        elif enrolled and look is not None:
            first = self._first_looks()
            alike = np.array([first[global_ids[i]] @ look for i in enrolled])
            enough[enrolled] &= alike >= self.floor()
        return enough

    def _first_looks(self) -> dict[int, Floats]:
        """What everybody was enrolled with, (D,) by global_id: not what was seen of them since, or one mistake would
        bring on more of its kind."""
        if self._looks_of != self._metric.version:
            ids = [global_id for global_id in self.names if self._gallery.row_of(global_id) is not None]
            looks = self._metric.look(self._gallery.enrolled_centroids(self._gallery.rows_of(ids)))
            self._looks, self._looks_of = dict(zip(ids, looks, strict=True)), self._metric.version
        return self._looks

    def uniform_rate(self, newcomer_rate: float) -> float:
        """People per second: one enrolled person, come from anywhere.

        Within an open set somebody who comes from nowhere is on the list as likely as not; in a closed set each of the
        enrolled is as likely as a stranger, as the similarity alone shall tell.
        """
        return newcomer_rate if self.closed else newcomer_rate / max(len(self.names), 1)


def enrol(enrolment: Enrolment | None, gallery: Gallery, ledger: Ledger) -> None:
    """Make everybody's identity, confirmed and before all others, and say so: the event's reason is the name."""
    for person in enrolment.people if enrolment else ():
        raw, cameras, counts = condensed(person, gallery.prototypes // 2)
        row = gallery.create(person.global_id, ELSEWHERE, BEFORE_ALL_NS)
        gallery.confirmed[row] = True
        gallery.enrol(row, raw, cameras, counts.tolist())
        gallery.show(row)
        ledger.note(
            EventKind.ENROLLED, person.global_id, reason=person.name, evidence={"embeddings": len(person.cameras)}
        )


def condensed(person: EnrolledPerson, most: int) -> tuple[Floats, tuple[int, ...], Doubles]:
    """At most `most` embeddings that stand for all: the most alike (of one camera, where there are) become one.

    Returns (m, D) float32, their cameras, and (m,) how many each stands for.
    """
    vectors = [np.asarray(vector, np.float64) for vector in person.embeddings]
    cameras, counts = list(person.cameras), [1.0] * len(vectors)
    while len(vectors) > most:
        rows = np.stack(vectors)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        alike = rows @ rows.T - 2.0 * (np.array(cameras)[:, None] != np.array(cameras))
        np.fill_diagonal(alike, -np.inf)
        a, b = sorted(divmod(int(np.argmax(alike)), len(vectors)))
        vectors[a] = (counts[a] * vectors[a] + counts[b] * vectors[b]) / (counts[a] + counts[b])
        counts[a] += counts[b]
        del vectors[b], cameras[b], counts[b]
    return np.stack(vectors).astype(np.float32), tuple(cameras), np.array(counts)
