"""What the user asks of the identity core, and the constants it works with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """The user's part; validated where it is read (site.yml), trusted here.

    target_fpir: asked probability that a person never seen before is confirmed as a known one.
    retention_s: an identity not seen for so long is forgotten.
    capacity: most identities held at once.
    """

    target_fpir: float = 0.01
    retention_s: float = 12 * 3600.0
    capacity: int = 100_000


@dataclass(frozen=True)
class Tuning:
    """The engine's own constants. Times in seconds of stream time.

    prototypes: kept per identity; eight cover front, back and sides in two kinds of light.
    tracklet_embeddings: kept per tracklet.
    min_embeddings: a tracklet is decided from so many good embeddings on, if the answer is clear ...
    decide_after_s: ... or at this age, with whatever there is by then (at least one embedding).
    redecide_s: a decided tracklet asks again this often (a decision per frame would tell nothing new).
    visible_s: who was seen this recently counts as present; bridges a few frames the tracker missed.
    patience_s: a tracklet not seen for so long is closed.
    confirm_embeddings: good embeddings that turn a provisional identity into a confirmed one.
    provisional_retention_s: a provisional identity that nobody comes back to is pruned early (a gallery of noise
        is worse than a small one).
    confident: probability from which an answer is clear.
    stickiness: log-odds by which a tracklet's present identity is preferred; keeps noise from flipping labels.
    """

    prototypes: int = 8
    tracklet_embeddings: int = 24
    min_embeddings: int = 3
    decide_after_s: float = 2.5
    redecide_s: float = 1.5
    visible_s: float = 0.5
    patience_s: float = 3.0
    confirm_embeddings: int = 5
    provisional_retention_s: float = 600.0
    confident: float = 0.9
    stickiness: float = 3.0
