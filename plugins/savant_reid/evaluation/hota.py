"""HOTA (Luiten et al., IJCV 2021, arXiv 2009.07736).

py-motmetrics 1.4.0 has no HOTA, and TrackEval brings a GUI build of OpenCV that must not meet opencv-python-headless;
so the paper's equations are here, over sparse pairs, and tests hold them against numbers of TrackEval 1.3.0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.evaluation.overlap import Overlaps

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]

# Section 5 of the paper: localisation thresholds 0.05, 0.10 ... 0.95, over which the scores are averaged.
ALPHAS = np.arange(1, 20) / 20
_ROUNDING = 1e-9


class Hota(NamedTuple):
    """Scores per threshold of `ALPHAS`, each (19,) float64 in [0, 1]; the published numbers are their means."""

    hota: Float64s
    deta: Float64s
    assa: Float64s


def hota(overlaps: Overlaps) -> Hota:
    """HOTA, DetA and AssA at each threshold; all 0 where nothing is matched."""
    truth_of = overlaps.truth.identity[overlaps.truth_row]
    result_of = overlaps.result.identity[overlaps.result_row]
    matched = _match(overlaps, alignment(overlaps, truth_of, result_of))
    truth_size = np.bincount(overlaps.truth.identity, minlength=overlaps.truth.identities)
    result_size = np.bincount(overlaps.result.identity, minlength=overlaps.result.identities)
    deta, assa = np.zeros(len(ALPHAS)), np.zeros(len(ALPHAS))
    for index, alpha in enumerate(ALPHAS):
        hits = matched[overlaps.iou[matched] >= alpha - _ROUNDING]
        if not len(hits):
            continue
        # Detections: DetA = TP / (TP + FN + FP).
        deta[index] = len(hits) / (len(overlaps.truth) + len(overlaps.result) - len(hits))
        # Associations: A(c) = TPA / (TPA + FNA + FPA) of a match c is the same for all matches of two identities.
        pairs, together = np.unique(np.stack([truth_of[hits], result_of[hits]], axis=1), axis=0, return_counts=True)
        either = truth_size[pairs[:, 0]] + result_size[pairs[:, 1]] - together
        assa[index] = np.sum(together * (together / either)) / len(hits)
    return Hota(np.sqrt(deta * assa), deta, assa)


def alignment(overlaps: Overlaps, truth_of: Int64s, result_of: Int64s) -> Float64s:
    """How well the two identities of each pair go together over the whole sequence: (k,) float64 in (0, 1].

    Each frame shares its overlaps out (IoU over all IoU of either box), so that somebody in a crowd counts less.
    """
    truth_sum = np.bincount(overlaps.truth_row, overlaps.iou, len(overlaps.truth))[overlaps.truth_row]
    result_sum = np.bincount(overlaps.result_row, overlaps.iou, len(overlaps.result))[overlaps.result_row]
    share = overlaps.iou / (truth_sum + result_sum - overlaps.iou)
    pair = np.unique(np.stack([truth_of, result_of], axis=1), axis=0, return_inverse=True)[1].ravel()
    together = np.bincount(pair, share)[pair]
    truth_size = np.bincount(overlaps.truth.identity, minlength=1)
    result_size = np.bincount(overlaps.result.identity, minlength=1)
    return np.asarray(together / (truth_size[truth_of] + result_size[result_of] - together), np.float64)


def _match(overlaps: Overlaps, aligned: Float64s) -> Int64s:
    """The pairs (indices into the k pairs) that are matched, one to one in each frame.

    They maximise alignment * IoU. The same matching serves every threshold: pairs below it simply do not count.
    """
    from scipy.optimize import linear_sum_assignment

    score = aligned * overlaps.iou
    truth_once = np.bincount(overlaps.truth_row, minlength=1)[overlaps.truth_row] == 1
    result_once = np.bincount(overlaps.result_row, minlength=1)[overlaps.result_row] == 1
    alone = truth_once & result_once
    kept = [np.flatnonzero(alone)]
    rest = np.flatnonzero(~alone)
    frames = overlaps.truth.frame[overlaps.truth_row[rest]]
    for group in np.split(rest, np.flatnonzero(np.diff(frames)) + 1):
        truth_rows, a = np.unique(overlaps.truth_row[group], return_inverse=True)
        result_rows, b = np.unique(overlaps.result_row[group], return_inverse=True)
        scores = np.zeros((len(truth_rows), len(result_rows)))
        where = np.full(scores.shape, -1)
        scores[a, b], where[a, b] = score[group], group
        pairs = where[linear_sum_assignment(scores, maximize=True)] if len(group) else where.ravel()
        kept.append(pairs[pairs >= 0])
    return np.concatenate(kept)
