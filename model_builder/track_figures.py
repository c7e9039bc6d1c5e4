"""How well an embedder tells a site's tracks apart, by the tracks alone and, where there is one, by the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_builder.identification import closed_set, joined, search
from model_builder.site_crops import SiteCrops

LEAST_GAP_SECONDS = 1.0
FALSE_RATE = 0.01


@dataclass(frozen=True)
class TrackFigures:
    """auc: that two crops of one track, a second apart or more, are more alike than two of people seen side by side.

    missed: share of the former below the cosine that 1 % of the latter reach. same, different: how many pairs.
    """

    auc: float
    missed: float
    same: int
    different: int


@dataclass(frozen=True)
class TruthFigures:
    """Of the crops of known people, each as a query against all others, the same person in other cameras being right.

    Runs are apart, as the truth of each numbers its own people. auc: that a person's crops in two cameras are more
    alike than two people's crops in two cameras.
    """

    rank1: float
    mean_average_precision: float
    auc: float
    queries: int


def track_figures(site: SiteCrops, rows: np.ndarray, embeddings: np.ndarray) -> TrackFigures:
    """Of the crops ``rows`` (n,), whose embeddings are (n, D) of length one."""
    same, different = compared(site, rows, embeddings)
    threshold = np.quantile(different, 1 - FALSE_RATE, method="higher") if len(different) else 1.0
    return TrackFigures(auc(same, different), float(np.mean(same <= threshold)), len(same), len(different))


def compared(site: SiteCrops, rows: np.ndarray, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of the pairs known to be one person, and of those known to be two."""
    upper = np.triu(np.ones((len(rows), len(rows)), bool), 1)
    track, times = site.track[rows], site.time_ns[rows]
    gap = np.abs(times[:, None] - times[None]) >= LEAST_GAP_SECONDS * 1e9
    cosines = embeddings @ embeddings.T
    same = (track[:, None] == track[None]) & gap & upper
    return cosines[same], cosines[site.apart[np.ix_(track, track)] & upper]


def truth_figures(site: SiteCrops, rows: np.ndarray, embeddings: np.ndarray) -> TruthFigures | None:
    """None where nobody known was seen in two cameras."""
    hits, same, different = [], [], []
    for run in np.unique(site.run[rows]):
        known = (site.person[rows] >= 0) & (site.run[rows] == run)
        people, cameras, of_run = site.person[rows][known], site.camera[rows][known], embeddings[known]
        hits.append(search(of_run, people, cameras, of_run, people, cameras))
        across = np.triu(cameras[:, None] != cameras[None], 1)
        cosines, one = of_run @ of_run.T, people[:, None] == people[None]
        same.append(cosines[across & one])
        different.append(cosines[across & ~one])
    found = closed_set(joined(hits))
    if not found.queries:
        return None
    return TruthFigures(
        rank1=found.rank1,
        mean_average_precision=found.mean_average_precision,
        auc=auc(np.concatenate(same), np.concatenate(different)),
        queries=found.queries,
    )


def auc(higher: np.ndarray, lower: np.ndarray) -> float:
    """Probability that one of (n,) exceeds one of (m,), a tie counting half (Mann and Whitney); 0.5 without pairs."""
    if not len(higher) or not len(lower):
        return 0.5
    lower = np.sort(lower)
    below = np.searchsorted(lower, higher, "left") + np.searchsorted(lower, higher, "right")
    return float(below.mean() / 2 / len(lower))
