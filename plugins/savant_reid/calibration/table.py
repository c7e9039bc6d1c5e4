"""A calibration as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from savant_reid.calibration.result import Calibration
from savant_reid.calibration.thresholds import SiteThreshold, Spread, Threshold

# More pairs of cameras than this are left to the file, those with the fewest strangers first.
MOST_LINES = 40
_HEAD = ("cameras", "threshold", "from", "strangers", "mean", "std", "met again", "mean", "std", "FNIR")


def table(calibration: Calibration) -> str:
    """The site first, then the pairs of cameras in the order of the site file."""
    ranked = sorted(calibration.thresholds, key=lambda t: -t.strangers.pairs)
    shown = {id(t) for t in ranked[:MOST_LINES]}
    lines = [_HEAD, ("the whole site", *_cells(calibration.site, calibration.site.tail))]
    lines += [_line(calibration, t) for t in calibration.thresholds if id(t) in shown]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
    text = ["  ".join(_padded(line, widths)).rstrip() for line in lines]
    left_out = len(calibration.thresholds) - len(shown)
    return "\n".join(text + ([f"… and {left_out} pairs of cameras more in the file"] if left_out else []))


def _line(calibration: Calibration, threshold: Threshold) -> tuple[str, ...]:
    one, other = calibration.names(threshold)
    name = one if one == other else f"{one} - {other}"
    return (name, *_cells(threshold, threshold.source))


def _cells(threshold: Threshold | SiteThreshold, source: str) -> tuple[str, ...]:
    return (
        f"{threshold.similarity:.3f}",
        source,
        *_spread(threshold.strangers),
        *_spread(threshold.met),
        f"{threshold.missed:.1%}",
    )


def _spread(spread: Spread) -> tuple[str, str, str]:
    if not spread.pairs:
        return "0", "-", "-"
    return f"{spread.pairs:.0f}", f"{spread.mean:.3f}", f"{spread.std:.3f}"


def _padded(line: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    """Words to the left, numbers to the right."""
    for i, (cell, width) in enumerate(zip(line, widths, strict=True)):
        yield cell.ljust(width) if i in (0, 2) else cell.rjust(width)
