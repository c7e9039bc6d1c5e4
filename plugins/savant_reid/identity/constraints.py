"""What people have decided about identities, in words that the core keeps to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

BY_HAND = "by hand"


class Span(NamedTuple):
    """A track of one camera between two moments of stream time, both included."""

    camera: str
    track_id: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True)
class Constraints:
    """merged: pairs of spans that are one person. split: pairs of spans that are two."""

    merged: tuple[tuple[Span, Span], ...] = ()
    split: tuple[tuple[Span, Span], ...] = ()
