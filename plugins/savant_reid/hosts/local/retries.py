"""When to try a broken camera again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 30.0
# After a wrong password. Cameras lock an account for half an hour or so after five to seven of them; this makes five
# within the first quarter of an hour, and then some four an hour.
FIRST_REFUSED_SECONDS = 60.0
LONGEST_REFUSED_SECONDS = 900.0
# A connection that has given frames for so long was a good one: the next outage begins with a short wait. One that
# breaks after a picture or two would else be tried every second for ever.
PROVEN_SECONDS = 10.0

Waits = Callable[[], Iterator[float]]


def backoff_seconds(
    rng: random.Random, first_seconds: float = FIRST_RETRY_SECONDS, longest_seconds: float = LONGEST_RETRY_SECONDS
) -> Iterator[float]:
    """Waiting times before retries: doubling up to the longest, each shortened by up to a half at random.

    The jitter keeps many cameras behind one broken switch from all coming back in the same moment.
    """
    ceiling = first_seconds
    while True:
        yield ceiling * rng.uniform(0.5, 1.0)
        ceiling = min(ceiling * 2, longest_seconds)


class Retries:
    """The waiting times of one camera, growing until a connection has proved itself."""

    def __init__(
        self,
        camera: str,
        *,
        backoff: Waits | None = None,
        refused_backoff: Waits | None = None,
        proven_seconds: float = PROVEN_SECONDS,
    ) -> None:
        """backoff, refused_backoff: make the waits of one outage, in seconds; the latter after a wrong password."""
        # Seeded by the camera's name: cameras differ from each other, runs do not.
        rng = random.Random(camera)
        self._backoff = backoff or (lambda: backoff_seconds(rng))
        self._refused_backoff = refused_backoff or (
            lambda: backoff_seconds(rng, FIRST_REFUSED_SECONDS, LONGEST_REFUSED_SECONDS)
        )
        self._proven_seconds = proven_seconds
        self._begin_anew()

    def after(self, good_seconds: float, *, refused: bool) -> float:
        """How long to wait. good_seconds: from the broken connection's first frame to its last. refused: it was told
        that user and password are wrong."""
        if good_seconds >= self._proven_seconds:
            self._begin_anew()
        return next(self._refused_waits if refused else self._waits)

    def _begin_anew(self) -> None:
        self._waits, self._refused_waits = self._backoff(), self._refused_backoff()
