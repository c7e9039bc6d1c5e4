"""What goes wrong in a running stream: counted always, logged while it is news."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable


class Troubles:
    """Counts by kind and camera; logs the 1st, 2nd, 4th, 8th … time, so that a broken camera cannot flood the log.

    counts: by (kind, camera). on_count: told of each, for metrics.
    """

    def __init__(self, log: logging.Logger, element: str) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.on_count: Callable[[str, str], None] = lambda _kind, _camera: None
        self._log = log
        self._element = element

    def note(self, kind: str, camera: str, frame: int | str, what: str | BaseException) -> None:
        """kind: a word for metrics. camera, frame: where it happened, '-' where that is not known."""
        self.counts[kind, camera] += 1
        self.on_count(kind, camera)
        times = self.counts[kind, camera]
        if times & (times - 1) == 0:
            error = what if isinstance(what, BaseException) else None
            text = f"{type(what).__name__}: {what}" if error is not None else what
            self._log.error(
                "%s: %s: camera %s, frame %s: %s (%d so far)",
                self._element,
                kind,
                camera,
                frame,
                text,
                times,
                exc_info=error if times == 1 else None,
            )
