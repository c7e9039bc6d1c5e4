"""One frame of one camera, and the truth about it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulated_site.site import Site
from simulated_site.stage import Seen

# Who shows a third of the figure can be recognised by a person at the monitor; who shows less is hidden or gone.
MIN_SHOWN = 1 / 3
MIN_HEIGHT_PX = 32
MIN_WIDTH_PX = 10


class TruthRow(NamedTuple):
    """A line of truth.csv. Box: the whole figure, hidden parts too, clipped to the frame; pixels."""

    camera: str
    frame: int
    track_id: str
    global_id: int
    left: int
    top: int
    width: int
    height: int
    confidence: float
    time_ns: int


def frame_time_ns(frame: int, fps: int) -> int:
    return frame * 1_000_000_000 // fps


def _shown(s: Seen) -> float:
    """Share of the whole figure that can be seen: what neither the frame's border nor anything nearer takes away."""
    left, top, right, bottom = s.inside
    whole = (s.whole[2] - s.whole[0]) * (s.whole[3] - s.whole[1])
    # The clipped box is rounded outwards to whole pixels: it may be a little larger than the figure.
    return s.visibility * min(1.0, (right - left) * (bottom - top) / max(whole, 1e-9))


def _counts(s: Seen) -> bool:
    left, top, right, bottom = s.inside
    return _shown(s) >= MIN_SHOWN and bottom - top >= MIN_HEIGHT_PX and right - left >= MIN_WIDTH_PX


def render_frame(site: Site, camera_name: str, frame_index: int) -> tuple[np.ndarray, list[TruthRow]]:
    """Image (h, w, 3) uint8 BGR and the truth's rows. KeyError for an unknown camera, IndexError for a frame
    outside the site.
    """
    if not 0 <= frame_index < site.frames:
        raise IndexError(f"frame: expected 0 to {site.frames - 1}, got {frame_index}")
    room = site.cameras[camera_name]
    here = np.flatnonzero(site.diary.rooms[:, frame_index] == room)
    figures = [site.people[i].figure for i in here]
    noise_key = site.seed * 1_000_003 + room * 7919 + frame_index * 13
    image, seen = site.stage(camera_name).draw(figures, site.diary.poses[here, frame_index], noise_key)
    time_ns = frame_time_ns(frame_index, site.fps)
    rows = []
    for s in seen:
        if _counts(s):
            left, top, right, bottom = s.inside
            number = site.people[here[s.index]].number
            rows.append(
                TruthRow(
                    camera_name,
                    frame_index,
                    "",
                    number,
                    left,
                    top,
                    right - left,
                    bottom - top,
                    round(_shown(s), 3),
                    time_ns,
                )
            )
    return image, rows
