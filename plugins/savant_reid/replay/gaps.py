"""Frames without people: they have no rows, but `frame` counts them.

Where a camera's numbers jump from 17 to 42, 24 frames lay between in which nobody was seen. The core needs them: a
person is gone when frames come without that person. They are given back at times in between, evenly. A recording made
by a run also says where each camera's stream began and ended; of another one the rate is taken from its own frames,
and its cameras are taken to be alive from the first to the last sighting of anybody. Of such ends,
ten minutes are put back.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from savant_reid.replay.columns import Int64s

# Between two frames of one camera; outside, `frame` does not count frames of a camera.
_SHORTEST_NS, _LONGEST_NS = 2_000_000, 2_000_000_000
# Of what lies before a camera's first and after its last sighting. Nobody is on screen there; a moment is enough to
# tell that they have gone, and a broken time at the end of a file must not mean years of empty frames.
ENDS_NS = 600_000_000_000
# 32 bytes each. A busy camera has some ten thousand a day; beyond, further gaps stay gaps.
MOST_GAPS = 2_000_000


@dataclass(frozen=True)
class Gap:
    """Frames without people: the numbers `start` to `stop` - 1 of a line through (frame, time) and (frame, time)."""

    frame: int
    time_ns: int
    next_frame: int
    next_ns: int
    start: int
    stop: int

    def at(self, frame: int) -> int:
        """Time of a frame of the line, in ns."""
        steps = self.next_frame - self.frame
        return self.time_ns + ((frame - self.frame) * (self.next_ns - self.time_ns) + steps // 2) // steps


@dataclass
class _Camera:
    """noted: of each gap four numbers: the frame before and its time, the frame after and its time.

    frames, nanoseconds: steps between frames, how many and how long in all, for the rate.
    """

    noted: array[int] = field(default_factory=lambda: array("q"))
    first: tuple[int, int] | None = None
    last: tuple[int, int] = (0, 0)
    troubles: int = 0
    frames: int = 0
    nanoseconds: int = 0
    next: int = 0

    @property
    def interval_ns(self) -> int | None:
        return self.nanoseconds // self.frames if self.frames else None


class Gaps:
    """By camera index. First `note` all rows, then `close`, then ask."""

    def __init__(self) -> None:
        self._cameras: dict[int, _Camera] = {}
        self._count = 0
        self.left_out = 0
        self.before: dict[int, Gap] = {}
        self._after: dict[int, tuple[tuple[int, int], Gap]] = {}

    def note(self, camera: int, frames: Int64s, times_ns: Int64s, troubles: Int64s) -> int:
        """Rows of one camera, (n,) each, in file order; returns how often its time went back.

        troubles: how many frames, of any camera, came so far while clocks disagreed. Gaps in which there are more stay
        gaps: nobody could say between which frames of the others theirs belong.
        """
        one = self._cameras.setdefault(camera, _Camera())
        if one.first is None:
            one.first = one.last = int(frames[0]), int(times_ns[0])
            one.troubles = int(troubles[0])
        frame = np.concatenate([[one.last[0]], frames])
        time_ns = np.concatenate([[one.last[1]], times_ns])
        trouble = np.diff(np.concatenate([[one.troubles], troubles])) > 0
        one.last, one.troubles = (int(frames[-1]), int(times_ns[-1])), int(troubles[-1])
        steps, spent = np.diff(frame), np.diff(time_ns)
        interval_ns = spent / np.maximum(steps, 1)
        counted = (steps > 0) & (interval_ns >= _SHORTEST_NS) & (interval_ns <= _LONGEST_NS)
        one.frames += int(steps[counted].sum())
        one.nanoseconds += int(spent[counted].sum())
        for i in np.flatnonzero(counted & (steps > 1) & ~trouble).tolist():
            self._keep(one, (int(frame[i]), int(time_ns[i]), int(frame[i + 1]), int(time_ns[i + 1])))
        return int((spent < 0).sum())

    def close(
        self, known: Mapping[int, Mapping[str, int]], first_ns: int | None, last_ns: int | None, in_step: bool
    ) -> None:
        """known: first_frame, first_ns, last_frame, last_ns by camera, where the recording says them.

        first_ns, last_ns: of all cameras' rows. in_step: the clocks agree throughout.
        """
        if not in_step or first_ns is None or last_ns is None:
            return
        for camera in sorted({*self._cameras, *known}):
            one, ends = self._cameras.get(camera, _Camera()), known.get(camera, {})
            if {"first_frame", "first_ns", "last_frame", "last_ns"} <= set(ends):
                self._add_known_ends(camera, one, ends)
            elif one.first is not None and one.interval_ns is not None:
                self._add_likely_ends(camera, one, one.interval_ns, first_ns, last_ns)

    def after(self, camera: int, frame: int, time_ns: int) -> Gap | None:
        """The gap that follows a frame. Ask in the order in which the rows were noted."""
        end = self._after.get(camera)
        if end is not None and end[0] == (frame, time_ns):
            return end[1]
        one = self._cameras.get(camera)
        # A frame all of whose rows were refused never asks: look a little ahead.
        for at in range(one.next, min(one.next + 8, len(one.noted) // 4)) if one is not None else ():
            first, first_ns, then, then_ns = one.noted[4 * at : 4 * at + 4]  # type: ignore[union-attr]
            if (first, first_ns) == (frame, time_ns):
                one.next = at + 1  # type: ignore[union-attr]
                return Gap(first, first_ns, then, then_ns, first + 1, then)
        return None

    def frames_per_second(self, camera: int) -> float | None:
        one = self._cameras.get(camera)
        return 1e9 / one.interval_ns if one is not None and one.interval_ns else None

    def _keep(self, one: _Camera, gap: tuple[int, int, int, int]) -> None:
        if self._count >= MOST_GAPS:
            self.left_out += 1
            return
        self._count += 1
        one.noted.extend(gap)

    def _add_known_ends(self, camera: int, one: _Camera, ends: Mapping[str, int]) -> None:
        start, end = (ends["first_frame"], ends["first_ns"]), (ends["last_frame"], ends["last_ns"])
        if one.first is None:
            if _is_line(start, end):
                self.before[camera] = _first_part(Gap(*start, *end, start[0], end[0] + 1))
            return
        if _is_line(start, one.first):
            self.before[camera] = _last_part(Gap(*start, *one.first, start[0], one.first[0]))
        if _is_line(one.last, end):
            self._after[camera] = one.last, _first_part(Gap(*one.last, *end, one.last[0] + 1, end[0] + 1))

    def _add_likely_ends(self, camera: int, one: _Camera, interval_ns: int, first_ns: int, last_ns: int) -> None:
        frame, time_ns = one.first or (0, 0)
        steps = min(frame, min(time_ns - first_ns, ENDS_NS) // interval_ns)
        if steps > 0:
            start = frame - steps
            self.before[camera] = Gap(start, time_ns - steps * interval_ns, frame, time_ns, start, frame)
        frame, time_ns = one.last
        steps = min(last_ns - time_ns, ENDS_NS) // interval_ns
        if steps > 0:
            gap = Gap(frame, time_ns, frame + steps, time_ns + steps * interval_ns, frame + 1, frame + steps + 1)
            self._after[camera] = one.last, gap


def _first_part(gap: Gap) -> Gap:
    return replace(gap, stop=min(gap.stop, gap.start + _most_frames(gap)))


def _last_part(gap: Gap) -> Gap:
    return replace(gap, start=max(gap.start, gap.stop - _most_frames(gap)))


def _most_frames(gap: Gap) -> int:
    """How many frames of the line come in ENDS_NS."""
    return ENDS_NS * (gap.next_frame - gap.frame) // (gap.next_ns - gap.time_ns)


def _is_line(start: tuple[int, int], end: tuple[int, int]) -> bool:
    """(frame, time) and (frame, time): there are frames between them at a rate that a camera may have."""
    steps, spent = end[0] - start[0], end[1] - start[1]
    return steps > 0 and steps * _SHORTEST_NS <= spent <= steps * _LONGEST_NS
