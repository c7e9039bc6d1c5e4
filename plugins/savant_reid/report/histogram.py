"""A small picture of how long a walk takes: the learned density over the declared window."""

from __future__ import annotations

from dataclasses import dataclass

from savant_reid.report.axis import duration
from savant_reid.report.topology import Way

WIDTH_PX, HEIGHT_PX = 240.0, 44.0


@dataclass(frozen=True)
class Histogram:
    """path: the learned density, closed to be filled, in pixels. window: (x, width) of what is declared, or None.

    runs_on: the declared window ends beyond the picture. end: label of the right end.
    """

    path: str
    window: tuple[float, float] | None
    runs_on: bool
    end: str
    title: str


def draw_histogram(way: Way) -> Histogram:
    """What is declared and what was learned of one way, in pixels of the drawing."""
    end = way.axis_seconds
    window = None
    if way.declared is not None:
        left, right = (WIDTH_PX * min(seconds / end, 1.0) for seconds in way.declared)
        window = round(left, 1), round(max(right - left, 1.0), 1)
    runs_on = way.declared is not None and way.declared[1] > end
    return Histogram(_path(way, end), window, runs_on, duration(end), _title(way))


def _path(way: Way, end: float) -> str:
    if way.durations is None:
        return ""
    edges, density, peak = way.durations.edges, way.durations.density, way.durations.peak
    parts = [f"M{_x(edges[0], end)},{HEIGHT_PX}"]
    for left, right, height in zip(edges[:-1], edges[1:], density, strict=True):
        if left >= end:
            break
        y = round(HEIGHT_PX * (1 - 0.94 * height / peak), 1)
        parts.append(f"L{_x(left, end)},{y}L{_x(right, end)},{y}")
    last = min(edges[-1], end)
    return "".join([*parts, f"L{_x(last, end)},{HEIGHT_PX}Z"])


def _x(seconds: float, end: float) -> float:
    return round(WIDTH_PX * min(max(seconds, 0.0) / end, 1.0), 1)


def _title(way: Way) -> str:
    parts = [f"{way.source} to {way.target}"]
    if way.most_seconds is not None:
        parts.append("eight in ten walks take {:.1f} to {:.1f} s".format(*way.most_seconds))
    if way.declared is not None:
        parts.append("declared {:g} to {:g} s".format(*way.declared))
    if way.outside is not None:
        parts.append(f"{way.outside:.0%} of the walks outside")
    return "; ".join(parts)
