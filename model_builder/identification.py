"""Figures of an embedder on queries and a gallery: closed set (rank-1, mAP, mINP) and open set (FNIR at FPIR).

Closed set, Market-1501's protocol (Zheng et al. 2015, single query): a query ranks the gallery by cosine; junk (-1) and
pictures of the same person in the same camera are taken out, distractors (0) stay. Average precision is the mean of the
precision at each right picture, as Torchreid and FastReID count it (the first Matlab code used trapezia). INP (Ye et
al. 2021, arXiv 2001.04193) is the number of right pictures divided by the rank of the last one.

Open set, after NIST's one-to-many tests (Grother, Ngan, Hanaoka: FRVT part 2, NISTIR 8271): with a threshold T,
- FPIR(T): of the searches for people who are not in the gallery, the share that returns anybody at T or above;
- FNIR(T): of the searches for people who are, the share whose best answer is somebody else or below T (rank 1).
T is the least one that keeps FPIR at what was asked. Every query searches twice: once as it is, and once with its
person taken out of the gallery; so no split is drawn by chance, and queries without an answer count as strangers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_builder.market_folder import JUNK

# Queries at once: the similarities of a block stay small beside the embeddings of a gallery of 20,000.
BLOCK = 256


@dataclass(frozen=True)
class Searches:
    """Per query (n,): what its two searches found.

    hits: ranks, from 1, of the right pictures (empty: the gallery has none). found: the score of the best right one,
    -inf without. stranger: the score of the best picture of anybody else.
    """

    hits: tuple[np.ndarray, ...]
    found: np.ndarray
    stranger: np.ndarray


@dataclass(frozen=True)
class ClosedSet:
    """Rates in 0..1 over the queries that have an answer; ``unanswered`` have none."""

    rank1: float
    mean_average_precision: float
    mean_inverse_negative_penalty: float
    queries: int
    unanswered: int


@dataclass(frozen=True)
class OpenSet:
    """At a threshold (a cosine): the FPIR asked for, the one that it has on these searches, and the FNIR."""

    asked_fpir: float
    fpir: float
    fnir: float
    threshold: float


def search(
    queries: np.ndarray,
    query_people: np.ndarray,
    query_cameras: np.ndarray,
    gallery: np.ndarray,
    gallery_people: np.ndarray,
    gallery_cameras: np.ndarray,
) -> Searches:
    """Embeddings (n, D) and (m, D) of length one, people and cameras (n,) and (m,) int64.

    Of equal scores the earlier picture of the gallery comes first.
    """
    usable = gallery_people != JUNK
    gallery, gallery_people, gallery_cameras = gallery[usable], gallery_people[usable], gallery_cameras[usable]
    hits: list[np.ndarray] = []
    found, stranger = np.full(len(queries), -np.inf), np.full(len(queries), -np.inf)
    for start in range(0, len(queries), BLOCK):
        for i, scores in enumerate(queries[start : start + BLOCK] @ gallery.T, start):
            same = gallery_people == query_people[i]
            asked = ~(same & (gallery_cameras == query_cameras[i]))
            right = same & asked
            order = np.argsort(-scores[asked], kind="stable")
            hits.append(np.flatnonzero(right[asked][order]) + 1)
            found[i] = scores[right].max(initial=-np.inf)
            stranger[i] = scores[~same].max(initial=-np.inf)
    return Searches(tuple(hits), found, stranger)


def joined(parts: Sequence[Searches]) -> Searches:
    """The searches of several galleries as one."""
    return Searches(
        tuple(ranks for part in parts for ranks in part.hits),
        np.concatenate([part.found for part in parts]),
        np.concatenate([part.stranger for part in parts]),
    )


def closed_set(searches: Searches) -> ClosedSet:
    """All zeros where no query has an answer."""
    answered = [ranks for ranks in searches.hits if len(ranks)]
    unanswered = len(searches.hits) - len(answered)
    if not answered:
        return ClosedSet(0.0, 0.0, 0.0, 0, unanswered)
    return ClosedSet(
        rank1=float(np.mean([ranks[0] == 1 for ranks in answered])),
        mean_average_precision=float(np.mean([np.mean(np.arange(1, len(ranks) + 1) / ranks) for ranks in answered])),
        mean_inverse_negative_penalty=float(np.mean([len(ranks) / ranks[-1] for ranks in answered])),
        queries=len(answered),
        unanswered=unanswered,
    )


def open_set(searches: Searches, rates: Sequence[float]) -> list[OpenSet]:
    """One row for each asked FPIR, in 0..1."""
    mated = np.array([len(ranks) > 0 for ranks in searches.hits])
    first = np.array([len(ranks) > 0 and ranks[0] == 1 for ranks in searches.hits])
    rows = []
    for rate in rates:
        threshold = threshold_at(searches.stranger, rate)
        missed = ~(first & (searches.found >= threshold))[mated]
        fpir = float(np.mean(searches.stranger >= threshold))
        rows.append(OpenSet(rate, fpir, float(missed.mean()) if len(missed) else 1.0, threshold))
    return rows


def threshold_at(strangers: np.ndarray, rate: float) -> float:
    """The least threshold that at most this share of the scores (n,) reaches."""
    # Rounded, or 0.29 of 100 searches would allow 28.
    allowed = int(np.floor(round(rate * len(strangers), 9)))
    if allowed >= len(strangers):
        return float("-inf")
    next_best = np.sort(strangers)[::-1][allowed]
    return float(np.nextafter(next_best, np.inf))
