"""Colours for cameras that people with any colour vision can tell apart."""

from __future__ import annotations

from typing import NamedTuple

# Okabe & Ito (2008), then Tol's "muted" scheme; pure reds are left out, they mean a mistake on this page.
_COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#7A5CC7", "#A6761D",
    "#44AA99", "#DDCC77", "#AA4499", "#6699CC", "#117733", "#999933", "#C2A5CF", "#8A8F98",
)  # fmt: skip


class CameraColour(NamedTuple):
    """code: a letter or two, so that colour is never the only sign. ink: readable on `fill`."""

    name: str
    code: str
    fill: str
    ink: str


def camera_colours(cameras: list[str]) -> dict[str, CameraColour]:
    """Beyond 16 cameras colours come again; the codes stay unique."""
    return {name: CameraColour(name, _code(i), *_fill(i)) for i, name in enumerate(cameras)}


def _code(index: int) -> str:
    letter = chr(ord("A") + index % 26)
    return letter if index < 26 else f"{letter}{index // 26}"


def _fill(index: int) -> tuple[str, str]:
    fill = _COLOURS[index % len(_COLOURS)]
    red, green, blue = (int(fill[i : i + 2], 16) for i in (1, 3, 5))
    # Rec. 601 luma; 140 of 255 parts fills that take dark ink from those that take white.
    return fill, "#1b1e23" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
