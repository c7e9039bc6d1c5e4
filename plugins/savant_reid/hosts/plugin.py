"""What the pyfuncs of this project are to their host: batches of frames in, attributes out."""

from __future__ import annotations

from collections.abc import Sequence

from savant_reid.hosts.batch import FrameView
from savant_reid.identity.types import IdentityEvent


class Plugin:
    """Base of the pyfuncs. The host calls the hooks on one thread: on_start, then batches, then on_stop.

    embedding_model: name of the element whose embeddings the pyfunc reads, None where it reads none; the host refuses
    a name that its module does not have.
    """

    embedding_model: str | None = None

    def on_start(self) -> None:
        """Called once, before the first batch."""

    def process_batch(self, frames: Sequence[FrameView]) -> None:
        """All frames of one moment, at most one per camera."""
        raise NotImplementedError

    def take_events(self) -> list[IdentityEvent]:
        """Identity events since the last call; most pyfuncs have none."""
        return []

    def on_stop(self) -> None:
        """Called once, after the last batch."""
