"""Who of a run looks like this? People best first, each with a probability; nobody is an answer, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.gallery.likelihood import Likelihood, fit
from savant_reid.gallery.looks import Floats, Ints, Looks
from savant_reid.gallery.people import Person
from savant_reid.gallery.run import Pair, Run
from savant_reid.identity.reranking import rerank

# Visits that are candidates for re-ranking, by their similarity alone.
MOST_CANDIDATES = 200
# Neighbourhoods of visits, of which a person has a handful, not the dozens of the paper's data sets; the best
# of six settings tried on made-up galleries (docs/gallery.md).
K1, K2 = 6, 3
WEIGHT = 0.7
# In fewer visits every neighbourhood is most of the gallery, and re-ranking did harm (docs/gallery.md).
LEAST_VISITS = 30
# Whoever asks does not know whether the person was there at all.
PRIOR_NOBODY = 0.5
# Samples of a run, and strangers of each, from which the likelihood is learned.
MOST_SAMPLES, MOST_STRANGERS = 200, 50

Scorer = Callable[[Floats, Floats], Floats]
"""(D,), (v, D) -> (v,) scores, larger is more alike; -inf for rows that are no candidates."""


@dataclass(frozen=True)
class Match:
    """probability: that the query shows this person. similarity: cosine with the most alike visit, cameras' means
    taken away."""

    person: Person
    probability: float
    similarity: float


@dataclass(frozen=True)
class Answer:
    """matches: best first. nobody: probability that the query shows nobody of the run. reranked: whether it was."""

    matches: list[Match]
    nobody: float
    likelihood: Likelihood
    reranked: bool = False


def search(run: Run, queries: Floats, leave_out: int | None = None, reranked: bool = False) -> Answer:
    """queries: (q, D), at least one picture of one person, as Looks.centred makes them. leave_out: a global_id that is
    not asked for. Beforehand "nobody" has PRIOR_NOBODY, and every person the same part of the rest."""
    looks = run.looks
    rows = np.array([i for i, visit in enumerate(looks.visits) if visit.global_id != leave_out], np.int64)
    if not len(rows):
        return Answer([], 1.0, fit(np.zeros(0), np.zeros(0)))
    gallery, owners = looks.means[rows], np.array([looks.visits[row].global_id for row in rows])
    people, owner_of = np.unique(owners, return_inverse=True)
    likelihood = learn(looks, run.overlaps, _similarities)
    weights = _weights(queries, gallery, owner_of, _similarities, likelihood)
    odds = float(weights.mean()) * (1.0 - PRIOR_NOBODY) / PRIOR_NOBODY
    nobody = 1.0 / (1.0 + odds)
    better = learn(looks, run.overlaps, reranked_scores) if reranked and len(rows) >= LEAST_VISITS else None
    if better is not None and not better.is_rough:
        # Re-ranked scores compare candidates with one another: they tell who it is, not whether it is anybody.
        weights = _weights(queries, gallery, owner_of, reranked_scores, better)
    probability = (1.0 - nobody) * weights / weights.sum()
    similarity = np.full(len(people), -1.0)
    np.maximum.at(similarity, owner_of, (queries @ gallery.T).max(axis=0))
    matches = [
        Match(run.people[int(people[i])], float(probability[i]), float(similarity[i]))
        for i in np.lexsort((-similarity, -probability))
    ]
    return Answer(matches, nobody, likelihood, better is not None and not better.is_rough)


def _weights(
    queries: Floats, gallery: Floats, owner_of: Ints, scorer: Scorer, likelihood: Likelihood
) -> NDArray[np.float64]:
    """(people,) likelihood ratios; several pictures are one piece of evidence, as they are hardly independent."""
    ratios = [_log_ratios(scorer(query, gallery), owner_of, likelihood) for query in queries]
    return np.asarray(np.exp(np.mean(ratios, axis=0)), np.float64)


def _log_ratios(scores: Floats, owner_of: Ints, likelihood: Likelihood) -> NDArray[np.float64]:
    """(people,) log likelihood ratios: the query shows the person as in one of the visits, each equally likely."""
    visits = np.bincount(owner_of)
    ratios = np.where(np.isfinite(scores), np.exp(likelihood.log_ratio(np.maximum(scores, -9.0))), 0.0)
    floor = np.exp(likelihood.log_ratio(np.array([-9.0])))
    return np.asarray(np.log(np.maximum(np.bincount(owner_of, ratios) / visits, floor)), np.float64)


def _similarities(query: Floats, gallery: Floats) -> Floats:
    return np.asarray(gallery @ query, np.float32)


def reranked_scores(query: Floats, gallery: Floats) -> Floats:
    """1 - the re-ranked distance of the visits that are most alike."""
    similarities = gallery @ query
    chosen = np.argsort(-similarities, kind="stable")[:MOST_CANDIDATES]
    scores = np.full(len(gallery), -np.inf, np.float32)
    scores[chosen] = 1.0 - rerank(query, gallery[chosen], K1, K2, WEIGHT)
    return scores


def learn(looks: Looks, overlaps: frozenset[Pair] | None, scorer: Scorer) -> Likelihood:
    """The same person: one picture of a visit against another part of the visit, and against the person's other visits.
    Different people: who was seen at the same moment, in one camera without touching, or in cameras that share no view.
    """
    strangers = _Strangers(looks, overlaps)
    gallery = looks.means.copy()
    same: list[float] = []
    different: list[float] = []
    for sample, probe, rest in list(zip(looks.samples.tolist(), looks.probes, looks.rests, strict=True))[:MOST_SAMPLES]:
        gallery[sample] = rest
        scores = scorer(probe, gallery)
        gallery[sample] = looks.means[sample]
        known = np.isfinite(scores)
        same += scores[known & (strangers.owners == strangers.owners[sample])].tolist()
        different += scores[known & strangers.of(sample)][:MOST_STRANGERS].tolist()
    return fit(np.array(same), np.array(different), prior=scorer is _similarities)


class _Strangers:
    """Which visits are certainly of somebody else."""

    def __init__(self, looks: Looks, overlaps: frozenset[Pair] | None) -> None:
        self.owners = np.array([visit.global_id for visit in looks.visits], np.int64)
        names, self._cameras = np.unique([visit.camera for visit in looks.visits], return_inverse=True)
        self._spans = np.array([(visit.first_ns, visit.last_ns) for visit in looks.visits], np.int64).reshape(-1, 2)
        self._apart = looks.apart
        # (cameras, cameras) bool: one person may be before both at once, as far as anybody knows.
        self._may_share = np.array(
            [
                [overlaps is None or a == b or frozenset((a, b)) in overlaps for b in names.tolist()]
                for a in names.tolist()
            ],
            np.bool_,
        )

    def of(self, visit: int) -> NDArray[np.bool_]:
        """(v,) bool."""
        first, last = self._spans[visit]
        together = (self._spans[:, 0] <= last) & (first <= self._spans[:, 1]) & (self.owners != self.owners[visit])
        rows = np.flatnonzero(together)
        cameras = self._cameras[rows]
        sure = ~self._may_share[self._cameras[visit], cameras]
        for place in np.flatnonzero(cameras == self._cameras[visit]).tolist():
            other = int(rows[place])
            sure[place] = (min(visit, other), max(visit, other)) in self._apart
        answer = np.zeros(len(self.owners), np.bool_)
        answer[rows[sure]] = True
        return answer
