"""What an engine or a baseline said, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.rows import Int64s, Rows


@dataclass(frozen=True)
class Answers:
    """As said at each moment: a later merge changes nothing in earlier rows.

    global_id: (n,) int64, -1 for nobody. confirmed: (n,) bool, who was said to be sure.
    merges: (time_ns, id that ended, id that lives on), in the order of time.
    """

    global_id: Int64s
    confirmed: NDArray[np.bool_]
    merges: tuple[tuple[int, int, int], ...] = ()


def answers_of_tracks(rows: Rows, label: Int64s) -> Answers:
    """Every row gets the answer of its whole track: (tracks,) int64, -1 for nobody."""
    global_id = label[rows.track]
    return Answers(global_id, global_id >= 0)


def answers_since(rows: Rows, label: Int64s, since_ns: Int64s) -> Answers:
    """The same, but only from a moment of each track on."""
    global_id = np.where(rows.time_ns >= since_ns[rows.track], label[rows.track], -1)
    return Answers(global_id, global_id >= 0)
