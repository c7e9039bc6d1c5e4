"""The engine's answers as tracks.csv has them in the end: late names, merges and splits applied to earlier rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from savant_reid.bench.answers import Answers
from savant_reid.bench.rows import Int64s, Rows
from savant_reid.identity.types import EventKind, IdentityEvent
from savant_reid.sinks.repairs import Repairs, without_shared


def repaired(rows: Rows, answers: Answers, history: Sequence[IdentityEvent]) -> Answers:
    """history: merges and splits in the order in which they were made. Rows stand for frames: both only ascend."""
    repairs = Repairs()
    for event in history:
        _apply(event, repairs)
    key = [(rows.cameras[camera], int(track_id)) for camera, track_id in zip(*_track_keys(rows), strict=True)]
    named = np.flatnonzero(answers.global_id >= 0)
    tracks, first = np.unique(rows.track[named], return_index=True)
    for track, row in zip(tracks.tolist(), named[first].tolist(), strict=True):
        repairs.name_late(key[track], row, int(answers.global_id[row]))
    columns = (rows.track.tolist(), answers.global_id.tolist(), rows.time_ns.tolist())
    final = [
        repairs.final_id(key[track][0], row, key[track][1], global_id, time_ns)
        for row, (track, global_id, time_ns) in enumerate(zip(*columns, strict=True))
    ]
    ids = _one_each(rows, np.array(final, np.int64), answers.global_id)
    return Answers(ids, ids >= 0)


def _apply(event: IdentityEvent, repairs: Repairs) -> None:
    """As sinks.tracks does."""
    if event.kind is EventKind.MERGED and event.other_id is not None:
        repairs.merge(int(event.global_id), int(event.other_id), after_rows=True)
    elif event.kind is EventKind.SPLIT and event.camera is not None and event.track_id is not None:
        new = -1 if event.other_id is None else int(event.other_id)
        key = (event.camera, int(event.track_id))
        repairs.split(key, int(event.global_id), new, event.since_ns, event.time_ns)


def _track_keys(rows: Rows) -> tuple[list[int], list[int]]:
    """Camera and the tracker's own id of each track."""
    first = np.unique(rows.track, return_index=True)[1]
    return rows.camera[first].tolist(), rows.track_ids.tolist()


def _one_each(rows: Rows, final: Int64s, said: Int64s) -> Int64s:
    """Nobody is twice in a frame."""
    known = np.flatnonzero(final >= 0)
    pairs = np.stack([rows.frame[known], final[known]], axis=1)
    _, inverse, count = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    crowded = np.unique(rows.frame[known[count[inverse.ravel()] > 1]])
    ids: Int64s = final.copy()
    starts, ends = np.searchsorted(rows.frame, crowded), np.searchsorted(rows.frame, crowded, "right")
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        ids[start:end] = without_shared(final[start:end].tolist(), said[start:end].tolist())
    return ids
