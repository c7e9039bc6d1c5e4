"""Ways between cameras as lines of text: a bar chart of the learned seconds over the declared window."""

from __future__ import annotations

import unicodedata

import numpy as np

from savant_reid.report.axis import duration
from savant_reid.report.topology import Durations, Learned, Way

COLUMNS = 48
# From nothing to the peak.
_BLOCKS, _PLAIN = " ▁▂▃▄▅▆▇█", " .:-=+*#@"


def topology_text(learned: Learned, blocks: bool = True) -> str:
    """blocks: the terminal can show block letters."""
    parts = [_way(way, blocks) for way in learned.ways] or ["No way is declared, and none was learned."]
    if learned.is_empty and learned.ways:
        parts.insert(0, "Nothing was learned; this is what is declared.")
    if learned.cameras:
        parts.append(_cameras(learned))
    return "\n\n".join(parts)


def _way(way: Way, blocks: bool) -> str:
    arrow = "→" if blocks else "->"
    facts = []
    if way.count is not None:
        facts.append(f"{way.count:.1f} walks")
    if way.probability is not None:
        facts.append(f"{way.probability:.0%} of those who leave")
    if way.most_seconds is not None and way.median_seconds is not None:
        facts.append("median {:.1f} s, 8 in 10 take {:.1f} to {:.1f} s".format(way.median_seconds, *way.most_seconds))
    lines = [f"{way.source} {arrow} {way.target}", *(["  " + "; ".join(facts)] if facts else [])]
    end = way.axis_seconds
    if way.durations is not None:
        lines.append(f"  |{_bars(way.durations, end, _BLOCKS if blocks else _PLAIN)}| {duration(end)}")
    if way.declared is not None:
        outside = f", {way.outside:.0%} of the walks outside" if way.outside is not None else ""
        marks = f"  |{_window(way.declared, end)}|" if way.durations is not None else " "
        low, high = way.declared
        lines.append(f"{marks} declared {low:g} to {high:g} s{outside}")
    elif way.durations is not None:
        lines.append(f"  |{' ' * COLUMNS}| not declared")
    return "\n".join(lines)


def _bars(durations: Durations, end: float, signs: str) -> str:
    """The highest density in each column; what is there but small shows as the smallest sign."""
    # Several looks per column, so that a narrow peak between two columns is seen.
    looks = durations.at((np.arange(COLUMNS * 8) + 0.5) * end / (COLUMNS * 8)).reshape(COLUMNS, 8).max(axis=1)
    heights = np.ceil(looks / durations.peak * (len(signs) - 1) - 1e-9).astype(int)
    heights[looks < 0.005 * durations.peak] = 0
    return "".join(signs[height] for height in np.clip(heights, 0, len(signs) - 1))


def _window(declared: tuple[float, float], end: float) -> str:
    first, last = (min(int(COLUMNS * seconds / end), COLUMNS - 1) for seconds in declared)
    inner = "=" * max(last - first - 1, 0)
    closing = ">" if declared[1] > end else "]"
    marks = "#" if first == last else f"[{inner}{closing}"
    return (" " * first + marks).ljust(COLUMNS)


def _cameras(learned: Learned) -> str:
    width = max(6, *(_columns(one.name) for one in learned.cameras))
    lines = [f"{'camera'.ljust(width)}  arrivals    new  drift"]
    for one in learned.cameras:
        name = one.name + " " * (width - _columns(one.name))
        arrivals = "-" if one.arrivals is None else f"{one.arrivals:.1f}"
        new = "-" if one.new_share is None else f"{one.new_share:.0%}"
        drift = "-" if one.drift is None else f"{one.drift:.3f}"
        lines.append(f"{name}  {arrivals:>8}  {new:>5}  {drift:>5}")
    return "\n".join(lines)


def _columns(text: str) -> int:
    """How wide a terminal shows it: wide letters (Chinese, Japanese, Korean) take two columns."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
