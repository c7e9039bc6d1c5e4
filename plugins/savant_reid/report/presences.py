"""Where each identity was without a break."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from savant_reid.report.rows import Rows

# A person who is hidden for less than this has not left the picture.
GAP_NS = 2_000_000_000


@dataclass(frozen=True)
class Presence:
    """One identity on one camera from start to end; rows: numbers of its rows in the order of time."""

    global_id: int
    camera: str
    start_ns: int
    end_ns: int
    rows: np.ndarray


def find_presences(rows: Rows) -> list[Presence]:
    """In the order of their start. Rows without identity belong to no presence."""
    named = np.flatnonzero(rows.global_id >= 0)
    order = named[np.lexsort((rows.time_ns[named], rows.camera[named], rows.global_id[named]))]
    if not len(order):
        return []
    who, where, when = rows.global_id[order], rows.camera[order], rows.time_ns[order]
    breaks = (np.diff(who) != 0) | (np.diff(where) != 0) | (np.diff(when) > GAP_NS)
    pieces = np.split(order, np.flatnonzero(breaks) + 1)
    found = [
        Presence(
            int(rows.global_id[piece[0]]),
            rows.cameras[rows.camera[piece[0]]],
            int(rows.time_ns[piece[0]]),
            int(rows.time_ns[piece[-1]]),
            piece,
        )
        for piece in pieces
    ]
    return sorted(found, key=lambda one: (one.start_ns, one.global_id))
