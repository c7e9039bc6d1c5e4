"""What a pyfunc sees of a frame, whichever host it runs in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.types import Decision, Sightings


class FrameView(Protocol):
    """One frame of a batch; arrays are in the order of the frame's tracked people."""

    @property
    def camera(self) -> str: ...

    @property
    def time_ns(self) -> int: ...

    def sightings(self) -> Sightings:
        """The tracked people, with those embeddings that the re-ID model has made."""

    def request_embeddings(self, due: NDArray[np.bool_]) -> None:
        """due: (n,) bool; only these people go through the re-ID model in this frame."""

    def write_decisions(self, decisions: Sequence[Decision]) -> None:
        """Attach one decision per tracked person as attributes of element `reid`."""
