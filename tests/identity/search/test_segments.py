"""Rows in the host's memory: what goes leaves nothing behind."""

from __future__ import annotations

import numpy as np

from savant_reid.identity.search.segments import SMALLEST_SEGMENT, Segments


def test_a_row_that_goes_leaves_nothing_in_memory():
    """The last row of a block, and one that is filled from the last; places not in use hold nothing old either."""
    segments = Segments(8)
    for owner, vector in enumerate(np.eye(8, dtype=np.float32)):
        segments.append(0, owner, vector)
    for hole in (7, 2):
        segments.fill_from_last(0, hole)
    (segment,) = segments.of_block[0]
    assert segment.vectors.shape == (SMALLEST_SEGMENT, 8)
    assert segment.vectors.sum(axis=0).tolist() == [1, 1, 0, 1, 1, 1, 1, 0]
