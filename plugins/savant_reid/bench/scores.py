"""IDF1, HOTA and their parts for big recordings, where it is known which detection is which person.

The same numbers as `savant_reid.evaluation` where each detection overlaps one person, but without a pass over the
frames: a recording with 20,000 people is scored in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.answers import Answers
from savant_reid.bench.rows import Int64s, Rows


class Together(NamedTuple):
    """In how many rows person a is called b: (k,) int64 each. truth_size: (people,). answer_size: (identities,)."""

    person: Int64s
    identity: Int64s
    rows: Int64s
    truth_size: Int64s
    answer_size: Int64s


@dataclass(frozen=True)
class Score:
    """Shares of 1. Detection is the same for all answers to one recording, so HOTA does not depend on its threshold.

    identities: how many different ids were given. people: how many the truth has. shared_ids: rows whose id somebody
    else has in the same frame; they count as false.
    """

    idf1: float
    idp: float
    idr: float
    hota: float
    deta: float
    assa: float
    identities: int
    people: int
    shared_ids: int


def score(rows: Rows, answers: Answers) -> Score:
    """Score answers; a row without an identity belongs to one that nobody shares, its track's own."""
    identity, shared = identities(rows, answers.global_id)
    together = count_together(rows, identity)
    right = _matched_rows(together)
    truth_boxes, answer_boxes = int(rows.truth_size.sum()), len(rows)
    deta, assa = _hota_parts(rows, together)
    return Score(
        idf1=_share(2 * right, truth_boxes + answer_boxes),
        idp=_share(right, answer_boxes),
        idr=_share(right, truth_boxes),
        hota=float(np.sqrt(deta * assa)),
        deta=deta,
        assa=assa,
        identities=len(np.unique(answers.global_id[answers.global_id >= 0])),
        people=rows.people,
        shared_ids=shared,
    )


def idf1(rows: Rows, answers: Answers) -> float:
    """Only IDF1, for sweeps."""
    together = count_together(rows, identities(rows, answers.global_id)[0])
    return _share(2 * _matched_rows(together), int(rows.truth_size.sum()) + len(rows))


def identities(rows: Rows, global_id: Int64s) -> tuple[Int64s, int]:
    """(n,) identities counted from 0, and how many rows repeat an id of their frame (the first one keeps it)."""
    known = global_id >= 0
    values, code = np.unique(global_id[known], return_inverse=True)
    at = np.flatnonzero(known)
    keys = rows.frame[at] * max(len(values), 1) + code
    first = np.unique(keys, return_index=True)[1]
    kept = np.zeros(len(at), bool)
    kept[first] = True
    identity = len(values) + rows.track
    identity[at[kept]] = code[kept]
    return np.unique(identity, return_inverse=True)[1].astype(np.int64), int(len(at) - len(first))


def count_together(rows: Rows, identity: Int64s) -> Together:
    """identity: (n,) int64 from 0 without gaps."""
    answer_size = np.bincount(identity)
    real = rows.person >= 0
    width = max(len(answer_size), 1)
    keys, count = np.unique(rows.person[real] * width + identity[real], return_counts=True)
    return Together(keys // width, keys % width, count, rows.truth_size, answer_size)


def _matched_rows(together: Together) -> int:
    """Most rows that are right when every person is matched with one identity at most, and the reverse (IDTP).

    A pair that nobody competes for is matched as it is; the rest is a sparse assignment, exact.
    """
    person, identity, count = together.person, together.identity, together.rows
    alone = (np.bincount(person)[person] == 1) & (np.bincount(identity)[identity] == 1) if len(person) else person > 0
    return int(count[alone].sum()) + _assigned(person[~alone], identity[~alone], count[~alone])


def _assigned(person: Int64s, identity: Int64s, count: Int64s) -> int:
    """Weight of the best assignment of a sparse matrix."""
    if not len(person):
        return 0
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    people, row = np.unique(person, return_inverse=True)
    names, column = np.unique(identity, return_inverse=True)
    # Everybody may also stay alone, at a cost that any match beats: so a full matching always exists.
    most = int(count.max()) + 1
    rows = np.concatenate([row, np.arange(len(people))])
    columns = np.concatenate([column, len(names) + np.arange(len(people))])
    costs = np.concatenate([most - count, np.full(len(people), most)]).astype(np.float64)
    graph = csr_array((costs, (rows, columns)), shape=(len(people), len(names) + len(people)))
    matched_row, matched_column = min_weight_full_bipartite_matching(graph)
    chosen = np.asarray(graph[matched_row, matched_column]).ravel()
    return round(float(np.sum(most - chosen)))


def _hota_parts(rows: Rows, together: Together) -> tuple[float, float]:
    """DetA and AssA; the formulas are those of savant_reid.evaluation.hota."""
    hits = int(together.rows.sum())
    if not hits:
        return 0.0, 0.0
    deta = hits / (int(rows.truth_size.sum()) + len(rows) - hits)
    count: NDArray[np.float64] = together.rows.astype(np.float64)
    either = together.truth_size[together.person] + together.answer_size[together.identity] - count
    return deta, float(np.sum(count * count / either) / hits)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
