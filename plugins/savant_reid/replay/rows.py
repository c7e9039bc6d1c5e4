"""A recording's rows as arrays, broken ones left out and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from savant_reid.replay.columns import (
    IDS,
    MOST_CONFIDENT,
    REQUIRED,
    Rows,
    boxes,
    camera_indices,
    embeddings,
    floats,
    integers,
    whole_boxes,
)
from savant_reid.replay.recording import Recording


def read_rows(recording: Recording, index: Mapping[str, int], refused: Counter[str]) -> Iterator[Rows]:
    """Some thousand rows at a time, in file order.

    index: of every camera by name. refused: counts rows left out (`box`, `confidence`), and rows that stay without
    their embedding because it has another length than the recording's (`embedding_length`).
    """
    for batch in recording.batches(REQUIRED):
        yield _rows(recording, batch, index, refused)


def _rows(recording: Recording, batch: pa.RecordBatch, index: Mapping[str, int], refused: Counter[str]) -> Rows:
    batch = _without(batch, whole_boxes(boxes(batch)), "box", refused)
    confidences = floats(batch, "confidence")
    # Written so that NaN is refused.
    batch = _without(batch, (confidences >= 0) & (confidences <= MOST_CONFIDENT), "confidence", refused)
    embedding_of, found, others = embeddings(batch, recording.dimension)
    if others:
        refused["embedding_length"] += others
    frame, time_ns, track_id = (integers(batch, column, recording.name) for column in IDS)
    confidences = np.minimum(floats(batch, "confidence"), np.float32(1.0))
    return Rows(
        camera_indices(batch, index, recording.name),
        frame,
        time_ns,
        track_id,
        boxes(batch),
        confidences,
        embedding_of,
        found,
    )


def _without(batch: pa.RecordBatch, whole: NDArray[np.bool_], reason: str, refused: Counter[str]) -> pa.RecordBatch:
    broken = len(whole) - int(whole.sum())
    if not broken:
        return batch
    refused[reason] += broken
    return batch.filter(pa.array(whole))
