"""Overlay: what a guard at the monitor sees; nothing downstream depends on it."""

from __future__ import annotations

import colorsys
from typing import Protocol

from savant_reid.hosts.batch import FrameView
from savant_reid.hosts.choice import for_host
from savant_reid.identity.types import Decision, State

Colour = tuple[int, int, int]
UNDECIDED: Colour = (150, 150, 150)
# Successive hues by the golden ratio lie as far apart as possible, for any number of people.
GOLDEN = 0.61803398875


class Canvas(Protocol):
    """Where the host lets us draw; colours are RGB, boxes ltwh pixels."""

    def box(self, ltwh: tuple[float, float, float, float], colour: Colour, dashed: bool) -> None: ...

    def label(self, text: str, left: float, bottom: float, colour: Colour) -> None: ...


@for_host
class Overlay:
    """A box per person in the colour of the identity, solid when sure, dashed while not, with id and probability."""

    def draw(self, frame: FrameView, decisions: list[Decision], canvas: Canvas) -> None:
        for ltwh, decision in zip(frame.sightings().boxes.tolist(), decisions, strict=True):
            colour = identity_colour(decision.global_id)
            canvas.box(tuple(ltwh), colour, dashed=decision.state is not State.CONFIRMED)
            canvas.label(caption(decision), ltwh[0], ltwh[1], colour)


def caption(decision: Decision) -> str:
    """'7 98%' when sure, '7? 61%' when in doubt, '...' before there is enough evidence."""
    if not isinstance(decision.identity, int):
        return "..."
    doubt = "?" if decision.state is State.AMBIGUOUS else ""
    # Never 100%: the system is not that sure of anything.
    return f"{decision.identity}{doubt} {min(99, round(100 * decision.probability))}%"


def identity_colour(global_id: int) -> Colour:
    """RGB; the same identity has the same colour on every camera and in every run."""
    if global_id < 0:
        return UNDECIDED
    hue = (global_id * GOLDEN) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)
