"""Frames per second: which figures can be one, and what stands in where nobody knows."""

from __future__ import annotations

# Where neither the stream nor its time stamps tell: the usual camera.
DEFAULT_FPS = 25.0
# Some containers and cameras give their clock's rate (90,000) for their frame rate, others 0.01 or so for "varies".
LEAST_FPS = 1.0
MOST_FPS = 240.0


def first_plausible(*rates: float) -> float:
    """The first of the rates that a camera can have; 0 where none can be."""
    return next((rate for rate in rates if LEAST_FPS <= rate <= MOST_FPS), 0.0)
