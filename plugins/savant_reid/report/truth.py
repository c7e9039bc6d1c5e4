"""Which true person stands behind each row, and where the identities are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from savant_reid.report.presences import Presence
from savant_reid.report.rows import Rows

MIN_IOU = 0.5
# Two people who cross share their boxes for a moment; fewer matches than this in a row are no mistake to show.
MIN_SEGMENT_ROWS = 4


@dataclass(frozen=True)
class Segment:
    """A true person under a presence. fault: empty when right, else a sentence."""

    person: int
    start_ns: int
    end_ns: int
    fault: str


def true_persons(rows: Rows, truth: Rows) -> np.ndarray:
    """(n,) int64: for each row the `global_id` of the truth box that it covers (IoU >= MIN_IOU, one to one), or -1."""
    persons = np.full(len(rows), -1, np.int64)
    frames = _by_frame(truth)
    for key, mine in _by_frame(rows).items():
        theirs = frames.get(key)
        if theirs is None:
            continue
        for i, j in _pairs(rows.boxes[mine], truth.boxes[theirs]):
            persons[mine[i]] = truth.global_id[theirs[j]]
    return persons


def main_persons(rows: Rows, persons: np.ndarray) -> tuple[dict[int, int], dict[int, int]]:
    """Identity to the person it mostly is, and person to the identity that mostly is them; counted in rows.

    An identity that is mostly this person goes before one that is mostly somebody else.
    """
    known = (persons >= 0) & (rows.global_id >= 0)
    counts = Counter(zip(rows.global_id[known].tolist(), persons[known].tolist(), strict=True))
    pairs = sorted(counts, key=lambda pair: (-counts[pair], pair))
    person_of: dict[int, int] = {}
    identity_of: dict[int, int] = {}
    for identity, person in pairs:
        person_of.setdefault(identity, person)
    for identity, person in sorted(pairs, key=lambda pair: person_of[pair[0]] != pair[1]):
        identity_of.setdefault(person, identity)
    return person_of, identity_of


def segments(
    presence: Presence, rows: Rows, persons: np.ndarray, person_of: dict[int, int], identity_of: dict[int, int]
) -> list[Segment]:
    """The true persons under one presence, in the order of time."""
    found = []
    for person, start_ns, end_ns in _runs(presence, rows, persons):
        fault = ""
        if person != person_of.get(presence.global_id):
            fault = f"wrong: this identity is person {person_of.get(presence.global_id)} elsewhere"
        elif identity_of.get(person) != presence.global_id:
            fault = f"split: person {person} is identity {identity_of.get(person)} elsewhere"
        found.append(Segment(person, start_ns, end_ns, fault))
    return found


def _runs(presence: Presence, rows: Rows, persons: np.ndarray) -> Iterator[tuple[int, int, int]]:
    matched = presence.rows[persons[presence.rows] >= 0]
    runs = np.split(matched, np.flatnonzero(np.diff(persons[matched])) + 1) if len(matched) else []
    long = [run for run in runs if len(run) >= MIN_SEGMENT_ROWS] or list(runs[:1])
    last: tuple[int, int, int] | None = None
    for run in long:
        person, start_ns, end_ns = int(persons[run[0]]), int(rows.time_ns[run[0]]), int(rows.time_ns[run[-1]])
        if last is not None and last[0] == person:
            last = (person, last[1], end_ns)
            continue
        if last is not None:
            yield last
        last = (person, start_ns, end_ns)
    if last is not None:
        yield last


def _by_frame(rows: Rows) -> dict[tuple[str, int], np.ndarray]:
    order = np.lexsort((rows.frame, rows.camera))
    if not len(order):
        return {}
    changes = (np.diff(rows.camera[order]) != 0) | (np.diff(rows.frame[order]) != 0)
    pieces = np.split(order, np.flatnonzero(changes) + 1)
    return {(rows.cameras[rows.camera[piece[0]]], int(rows.frame[piece[0]])): piece for piece in pieces}


def _pairs(mine: np.ndarray, theirs: np.ndarray) -> Iterator[tuple[int, int]]:
    """Best overlaps first, one to one. Boxes: (n, 4) and (m, 4) ltwh."""
    low = np.maximum(mine[:, None, :2], theirs[None, :, :2])
    high = np.minimum(mine[:, None, :2] + mine[:, None, 2:], theirs[None, :, :2] + theirs[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = mine[:, 2:].prod(axis=1)[:, None] + theirs[:, 2:].prod(axis=1)[None] - shared
    iou = shared / np.maximum(union, 1e-9)
    while iou.size and iou.max() >= MIN_IOU:
        i, j = np.unravel_index(iou.argmax(), iou.shape)
        iou[i, :] = iou[:, j] = -1
        yield int(i), int(j)
